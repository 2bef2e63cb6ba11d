"""A synthetic run: pictures drawn with OpenCV, references saved as the stage saves them."""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from packline.camera import Camera
from packline.candidate import Candidate, Recipe
from packline.records import (
    CandidateRecord,
    RunRecord,
    ShotRecord,
    ShotState,
    StationTime,
)
from packline.reference import Reference
from packline.scorecard import CheckResult, Evidence, Scorecard, Verdict
from packline.truth import TextTruth
from tests.parts import no_maps

Picture = np.ndarray[Any, np.dtype[np.uint8]]


def base_photo(size: int, hue: int) -> Picture:
    """A wall and a table with a little texture."""
    rng = np.random.default_rng(hue)
    rows = np.linspace(0, 1, size)[:, None, None]
    wall = np.array([150 + hue % 60, 150, 175 - hue % 50], float) * (0.75 + 0.25 * rows)
    table = np.array([120, 92 + hue % 40, 70], float) * (1.15 - 0.35 * rows)
    picture = np.where(rows < 0.62, wall, table) * np.ones((size, size, 1))
    grain = cv2.resize(rng.normal(0, 6, (size // 8, size, 1)).astype(np.float32), (size, size))
    return np.clip(picture + grain[..., None] + rng.normal(0, 2, (size, size, 1)), 0, 255).astype(np.uint8)


def product(size: int, text: str, hue: int, angle: float = 0.0) -> tuple[Picture, Picture, tuple[Any, ...]]:
    """A carton with a printed panel: colour, mask and the panel's quad in reading order."""
    s = size / 1024
    colour = np.full((size, size, 3), 128, np.uint8)
    mask = np.zeros((size, size), np.uint8)
    left, right, top, bottom = int(372 * s), int(652 * s), int(330 * s), int(760 * s)
    body = cv2.cvtColor(np.array([[[hue % 180, 150, 190]]], np.uint8), cv2.COLOR_HSV2RGB)[0, 0].astype(float)
    shade = np.linspace(1.1, 0.75, right - left)[None, :, None]
    colour[top:bottom, left:right] = np.clip(body * shade, 0, 255)
    side = np.array(
        [[right, top], [right + 60 * s, top - 36 * s], [right + 60 * s, bottom - 36 * s], [right, bottom]]
    )
    lid = np.array([[left, top], [left + 60 * s, top - 36 * s], [right + 60 * s, top - 36 * s], [right, top]])
    cv2.fillPoly(colour, [side.astype(int)], tuple((body * 0.55).tolist()), cv2.LINE_AA)
    cv2.fillPoly(colour, [lid.astype(int)], tuple(np.minimum(body * 1.25, 255).tolist()), cv2.LINE_AA)
    mask[top:bottom, left:right] = 255
    cv2.fillPoly(mask, [side.astype(int)], 255)
    cv2.fillPoly(mask, [lid.astype(int)], 255)
    wide, high = int(220 * s), int(70 * s)
    panel = np.full((high, wide, 3), 245, np.uint8)
    (tw, th), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, 1.0, 2)
    scale = min(wide * 0.9 / max(tw, 1), high * 0.55 / max(th, 1))
    cv2.putText(
        panel,
        text,
        (int((wide - tw * scale) / 2), int((high + th * scale) / 2)),
        cv2.FONT_HERSHEY_DUPLEX,
        scale,
        (30, 30, 30),
        max(1, int(3 * s)),
        cv2.LINE_AA,
    )
    corners = np.array([[0, 0], [wide, 0], [wide, high], [0, high]], np.float32) - [wide / 2, high / 2]
    turn = np.radians(angle)
    spin = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    quad = (corners @ spin + [512 * s, 545 * s]).astype(np.float32)
    source = np.array([[0, 0], [wide, 0], [wide, high], [0, high]], np.float32)
    lift = cv2.getPerspectiveTransform(source, quad)
    printed = cv2.warpPerspective(panel, lift, (size, size), flags=cv2.INTER_AREA)
    where = cv2.warpPerspective(np.full(panel.shape[:2], 255, np.uint8), lift, (size, size)) > 127
    if text:
        colour[where] = printed[where]
    return colour, mask, tuple((float(x), float(y)) for x, y in quad)


def truth_of(text: str, quad: tuple[Any, ...], angle: float) -> TextTruth:
    return TextTruth("side", text, quad, quad, angle, angle, angle, False, 1.0, (0.0, 1.0), 60.0, 80.0)


def save_reference(
    folder: Path, view: str, colour: Picture, mask: Picture, labels: tuple[TextTruth, ...] = ()
) -> Path:
    size = colour.shape[0]
    flat = np.zeros((size, size), np.float32)
    normals = np.zeros((size, size, 3), np.float32)
    camera = Camera((0, 0.3, 2), (0, 0.1, 0), 30, size, size)
    nothing = no_maps(*mask.shape)
    shadow = np.full_like(mask, 255)
    Reference(view, camera, colour, colour, flat, normals, mask, shadow, *nothing, labels).save(folder)
    return folder


def write(file: Path, picture: Picture) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(file), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return file


def melted() -> tuple[Evidence, ...]:
    """A heat map with one hot corner over the carton, and the colours of two parts."""
    rows, columns = np.mgrid[0:48, 0:32]
    heat = np.clip(255 * np.exp(-((rows - 40) ** 2 + (columns - 6) ** 2) / 90), 0, 255).astype(np.uint8)
    png = base64.b64encode(cv2.imencode(".png", heat)[1].tobytes()).decode()
    box = ((350.0, 280.0), (730.0, 780.0))
    dark = {"part": "carton", "expected": [190, 60, 60], "seen": [150, 44, 48], "delta_e": 11.26}
    right = {"part": "panel", "expected": (245, 245, 245), "seen": (243, 243, 240), "delta_e": 1.1}
    return (
        Evidence("heat", "melted corner", box, {"png": png}),
        Evidence("colour", "carton too dark", (), dark),
        Evidence("colour", "panel", (), right),
    )


def result(check: str, verdict: Verdict, score: float, sentence: str, *evidence: Evidence) -> CheckResult:
    return CheckResult(check, "1", verdict, score, 0.6, sentence, evidence, 41.5)


def scorecard(text: str, quad: tuple[Any, ...], angle: float, fault: str) -> Scorecard:
    """The four checks' words for a good candidate, or for one with `fault`."""
    size = {"label": "side", "expected": text, "expected_angle": angle}
    right = Evidence("text", "right", quad, {**size, "read": text, "angle": angle})
    turned = Evidence("text", "wrong direction", quad, {**size, "read": text, "angle": (angle + 180) % 360})
    blob = Evidence("box", "blob on the wall", ((180.0, 210.0), (300.0, 330.0)))
    outline = Evidence(
        "polygon", "silhouette should end here", ((360.0, 290.0), (720.0, 290.0), (700.0, 770.0))
    )
    good = Verdict.PASS
    reading = (
        result(
            "text_orientation",
            Verdict.FAIL,
            0.12,
            f"'{text}' reads right to left; should read left to right.",
            turned,
        )
        if fault == "turned"
        else result("text_orientation", good, 0.93, f"'{text}' reads as it should.", right)
    )
    if not text:
        reading = result(
            "text_orientation", Verdict.NOT_APPLICABLE, 1.0, "The product has no label in this view."
        )
    return Scorecard((
        result("artifacts", Verdict.FAIL, 0.31, "A blob that belongs to nothing.", blob)
        if fault == "blob" else
        result("shape", Verdict.FAIL, 0.22, "A corner is melted; the carton is too dark.", *melted())
        if fault == "melted" else result("artifacts", good, 0.88, "No blob, ghost or grid stands out."),
        result("scene_kept", good, 0.97, "The photo around the product is unchanged.") if fault != "doubt"
        else result("scene_kept", Verdict.UNVERIFIABLE, 0.4, "The picture is too soft to tell.", outline),
        reading,
        result("alignment", Verdict.ERROR, 0.0, "The check could not run: the model's file is cut short.")
        if fault == "error"
        else result("alignment", good, 0.72, "It looks like a red carton.", Evidence("text", "product: 72%")),
    ))  # fmt: skip


@dataclass
class Desk:
    """Makes the records and files of a synthetic run below a folder."""

    folder: Path
    size: int = 256
    scenes: dict[str, Path] = field(default_factory=dict)

    def scene(self, name: str) -> Path:
        if name not in self.scenes:
            self.scenes[name] = write(self.folder / "scenes" / f"{name}.png", self._photo(name))
        return self.scenes[name]

    def _photo(self, name: str) -> Picture:
        return base_photo(self.size, sum(map(ord, name)) % 120)

    def shot(
        self,
        sku: str,
        scene: str = "oak-table",
        *,
        title: str = "red carton BERRY TEA",
        text: str = "BERRY TEA",
        faults: tuple[str, ...] = ("", "turned"),
        state: ShotState = ShotState.PUBLISHED,
        reason: str = "",
        sentence: str = "",
        hue: int = 0,
        angle: float = 0.0,
    ) -> ShotRecord:
        """A shot with a candidate for each of `faults`; "" is a good one, "unscored" has no scorecard."""
        self.scene(scene)
        photo, home = self._photo(scene), self.folder / f"shots/{len(list(self.folder.glob('shots/*')))}"
        colour, mask, quad = product(self.size, text, hue, angle)
        truth = (truth_of(text, quad, angle),) if text else ()
        references = {
            "scene": save_reference(home / "scene", "scene", colour, mask, truth),
            "left": save_reference(home / "left", "left", colour[:, ::-1].copy(), mask[:, ::-1].copy()),
            "top": save_reference(home / "top", "top", colour[: self.size // 2, : self.size // 2].copy(),
                                  mask[: self.size // 2, : self.size // 2].copy()),
        }  # fmt: skip
        if text:
            references["label:side"] = save_reference(home / "label", "label:side", colour, mask, truth)
        records = []
        for number, fault in enumerate(faults):
            own = product(self.size, text, hue, (angle + 180) % 360 if fault == "turned" else angle)
            picture = np.where(own[1][..., None] > 127, own[0], photo)
            shadow = np.roll(own[1], self.size // 30, 1) > 127
            picture[shadow & (own[1] == 0)] = (picture[shadow & (own[1] == 0)] * 0.7).astype(np.uint8)
            if fault == "blob":
                at = (int(240 * self.size / 1024), int(270 * self.size / 1024))
                cv2.circle(picture, at, self.size // 20, (90, 40, 130), -1, cv2.LINE_AA)
            small = cv2.resize(picture, (self.size // 4, self.size // 4), interpolation=cv2.INTER_AREA)
            name = f"{number:02d}{zlib.crc32(sku.encode() + scene.encode()):014x}"
            recipe = Recipe(
                shot=f"{sku}/{scene}/hero",
                fingerprint="f" * 16,
                wave=1 + number // 2,
                number=number,
                seed=1000 + number,
                prompt=f"Place the {title} from image 2 into image 1, soft daylight. Keep everything else.",
                references=("a" * 16, "b" * 16),
                engine={"name": "embedded", "architecture": "flux2-klein-embedded",
                        "weights_sha256": "ab" * 32, "device": "cpu", "steps": 4, "size": 256},
                loras=({"label": "catalog-look", "sha256": "cd" * 32, "strength": 0.8, "trigger": "pklook"},),
                variation={"shift": [0.012 * number, -0.004], "turn": 4.0 * number, "scale": 1.0},
                refine="product",
            )  # fmt: skip
            candidate = Candidate(
                name,
                recipe,
                write(home / f"c{number}.png", picture),
                write(home / f"c{number}-edit.png", small),
                references["scene"],
                2.4,
            )
            scale = 1024 / self.size
            big = tuple((x * scale, y * scale) for x, y in quad)
            card = scorecard(text, big, angle, fault)
            records.append(
                CandidateRecord(candidate, None if fault == "unscored" else _shrunk(card, 1 / scale))
            )
        select = next((r.candidate.id for r in records if r.scorecard and r.scorecard.passed), "")
        chosen = state in (ShotState.PUBLISHED, ShotState.SELECTED)
        return ShotRecord(
            key=f"{sku}/{scene}/hero",
            sku=sku,
            title=title,
            scene=scene,
            view="hero",
            fingerprint="f" * 16,
            state=state,
            references=references if faults else {},
            candidates=tuple(records),
            select=select if chosen else "",
            reason=reason,
            sentence=sentence,
            keys={"hero": f"acme/demo/images/{sku}/{scene}-hero/0011223344556677.png"}
            if state == ShotState.PUBLISHED
            else {},
        )


def _shrunk(card: Scorecard, scale: float) -> Scorecard:
    """Evidence in the pixels of the picture as it lies on disk."""
    plain = [r.to_dict() for r in card.results]
    for one in plain:
        for evidence in one["evidence"]:
            evidence["points"] = tuple((x * scale, y * scale) for x, y in evidence["points"])
    return Scorecard(tuple(CheckResult.from_dict(one) for one in plain))


def run_record(state: str = "completed with flags", **changes: Any) -> RunRecord:
    times = (("references", 12, 21.5), ("candidates", 7, 83.25), ("scorecards", 7, 19.0), ("publish", 2, 0.4))
    fields: dict[str, Any] = {
        "id": "7f3a91c2",
        "catalog": "demo",
        "state": state,
        "started": "2026-11-21T01:02:03+00:00",
        "seconds": 131.4,
        "parameters": {},
        "summary": {},
        "stations": tuple(StationTime(*one) for one in times),
    }
    return RunRecord(**{**fields, **changes})

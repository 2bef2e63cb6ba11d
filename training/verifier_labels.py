"""Labels in whole pictures, right and wrong, for fitting the score of the text check.

A random product is rendered by the stage in a scene; the candidate is rendered anew in a strayed pose and
light, with its texture altered where a label shall be wrong, and then styled, softened and compressed as
candidates are.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.errors import PacklineError
from packline.reference import Reference
from packline.scenes import Light, Scene, load_scene
from packline.truth import Label, TextTruth
from scoring.check import CheckInput
from training.verifier_pairs import DIFFERENT, taken
from training.verifier_prints import (
    HEIGHT,
    SHAPES,
    SPELLING,
    TURNS,
    Floats,
    Random,
    draw_kind,
    fonts,
    misspelt,
    text_print,
)

Picture = NDArray[np.uint8]
SIDES = ("hero", "front", "front", "three-quarter", "left", "right")
SIZES = (512, 768, 768, 1024)
# a picture is styled and compressed in several ways, which costs much less than to draw it
FINISHES = 2


@dataclass(frozen=True)
class Candidate:
    """One picture.

    Parameters
    ----------
    given
        What the check gets.
    kinds
        What was done to each label of the truth, in its order: "right", a fault, or "" where nobody
        could say.
    """

    given: CheckInput
    kinds: tuple[str, ...]


def candidates(seed: int, scenes: Sequence[Scene], each: int, size: int | None = None) -> Iterator[Candidate]:
    """A random product in a random scene, and `each` pictures of it, half of them right, each finished in
    `FINISHES` ways."""
    from packline.stage.render import render_reference, scene_camera
    from packline.stage.views import scene_pose
    from training.products import KINDS, random_spec

    random = np.random.default_rng([31, seed])
    kind = str(random.choice(KINDS))
    spec = replace(random_spec(kind, random), texture=1024)
    faces = [Path(file).stem for file in fonts(False) if file.endswith(".ttf")]
    if random.random() < 0.6:
        spec = replace(spec, font=str(random.choice(faces)))
    model = _loaded(kind, spec)
    scene = scenes[int(random.integers(len(scenes)))]
    camera = scene_camera(scene, size or int(random.choice(SIZES)))
    side = str(random.choice(SIDES))
    scale = float(random.uniform(0.6, 1.1))
    with rasteriser().staged(model.transformed(scene_pose(model, scene, side, scale=scale))) as stage:
        truth = render_reference(stage, "scene", camera, scene)
    truth = replace(
        truth, labels=tuple(label for label in truth.labels if label.height > 8 and label.visible > 0.4)
    )
    if not truth.labels:
        return
    photo = cv2.resize(scene.photo(), (camera.width, camera.height), interpolation=cv2.INTER_AREA)
    for _ in range(each):
        made, altered = model, dict.fromkeys((label.label for label in truth.labels), "right")
        if random.random() < 0.5:
            how = draw_kind(random)
            chosen = truth.labels[int(random.integers(len(truth.labels)))]
            if how in SPELLING:
                field = "line" if spec.line and chosen.text == spec.line else "brand"
                wrong = misspelt(chosen.text, how, random)
                same = wrong.upper().replace("0", "O") == chosen.text.upper().replace("0", "O")
                made = _loaded(kind, replace(spec, **{field: wrong}))
                for label in truth.labels:
                    if label.text == chosen.text:
                        altered[label.label] = "" if same else how
            else:
                made, told = with_fault(model, chosen.label, how, random)
                altered[chosen.label] = how if told else ""

        pose = scene_pose(
            model,
            scene,
            side,
            shift=tuple(random.normal(0, 0.004, 2)),
            turn=float(random.normal(0, 1.2)),
            scale=scale * float(1 + random.normal(0, 0.01)),
        )
        lit = replace(scene, light=strayed(scene.light, random))
        with rasteriser().staged(made.transformed(pose)) as stage:
            seen = render_reference(stage, "scene", camera, lit)
        whole = composed(photo, seen)
        kinds = tuple(_seen(altered[label.label], label.visible) for label in truth.labels)
        for _ in range(FINISHES):
            yield Candidate(CheckInput(finished(whole, random), photo, truth, (truth,)), kinds)


@dataclass(frozen=True)
class PatchInput:
    """What the text check asks of a `CheckInput`, of a piece of a picture that is already aligned."""

    scene: Any
    aligned: Picture

    def in_candidate(self, points: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
        """The points themselves."""
        return tuple(points)


@dataclass(frozen=True)
class PatchScene:
    """What the text check asks of a `Reference`."""

    colour: Picture
    labels: tuple[TextTruth, ...]


def patches(seed: int, count: int) -> Iterator[tuple[str, Any]]:
    """Labels on pieces of pictures, text 9 px and higher, as `PatchInput`s with what was done to them."""
    random = np.random.default_rng([37, seed])
    while count:
        kind = "right" if random.random() < 0.5 else draw_kind(random)
        made = text_print(random, kind, short=random.random() < 0.1)
        patch = taken(made, random, 9.0)
        gap = cv2.GaussianBlur(np.abs(patch.padded[0] - patch.padded[1])[..., 0], (0, 0), HEIGHT / 28)
        if kind != "right" and float(gap.max()) < DIFFERENT:
            continue
        count -= 1
        grid = _grid(patch.flat, patch.place)
        down = float(np.linalg.norm(np.diff(grid, axis=0), axis=-1).sum(0).mean())
        points = tuple(tuple((float(x), float(y)) for x, y in row) for row in grid)
        corners: Any = (points[0][0], points[0][-1], points[-1][-1], points[-1][0])
        truth = TextTruth(
            label="patch", text=made.text, quad=corners, outline=corners, angle=0.0, angle_start=0.0,
            angle_end=0.0, mirrored=False, visible=1.0, span=(0.0, 1.0), height=down,
            contrast=patch.contrast, grid=points, visible_text=made.text,
        )  # fmt: skip
        yield kind, PatchInput(PatchScene(patch.expected, (truth,)), patch.seen)


def _grid(flat: NDArray[np.float64], place: NDArray[np.float64]) -> NDArray[np.float64]:
    """A regular grid over the print as it lies in the picture, (7, 33, 2); pixel centres at +0.5."""
    matrix = cv2.getPerspectiveTransform(flat.astype(np.float32), place.astype(np.float32))
    u, v = np.meshgrid(np.linspace(flat[0, 0], flat[1, 0], 33), np.linspace(flat[0, 1], flat[3, 1], 7))
    points = cv2.perspectiveTransform(np.stack([u, v], -1).reshape(1, -1, 2), matrix)
    return np.asarray(points.reshape(7, 33, 2) + 0.5, np.float64)


def _seen(kind: str, visible: float) -> str:
    """The fault, or "" where it may lie in the part of the label that the view does not show."""
    whole = kind in (
        *TURNS,
        "right",
        "other word",
        "blank",
        "garbled",
        "garbled strongly",
        "garbled slightly",
    )
    return kind if whole or visible > 0.95 else ""


@lru_cache(maxsize=1)
def rasteriser() -> Any:
    """One renderer a process."""
    from packline.stage.raster import Rasteriser

    return Rasteriser(1024)


def _loaded(kind: str, spec: Any) -> Any:
    from packline.stage.load import load_model
    from training.products import build

    made, truth = build(kind, spec)
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        file = Path(folder) / "product.glb"
        file.write_bytes(made.export(file_type="glb"))
        (Path(folder) / "product.truth.json").write_text(json.dumps(truth))
        return load_model(file)


def with_fault(model: Any, name: str, how: str, random: Random) -> tuple[Any, bool]:
    """The model with one label's print altered on its texture, and whether anyone could tell."""
    label = next(one for one in model.labels if one.id == name)
    parts, told = [], False
    textures: dict[int, Any] = {}
    for part in model.parts:
        texture = part.material.texture
        if texture is None or (label.material and part.material.name != label.material):
            parts.append(part)
            continue
        if id(texture) not in textures:
            pixels, told = _altered(texture.pixels, label, how, random)
            textures[id(texture)] = replace(texture, pixels=pixels)
        parts.append(replace(part, material=replace(part.material, texture=textures[id(texture)])))
    return replace(model, parts=tuple(parts)), told


def _altered(pixels: Picture, label: Label, how: str, random: Random) -> tuple[Picture, bool]:
    height, width = pixels.shape[:2]
    quad = (np.asarray(label.quad) * (width, height)).astype(np.float32)
    along, down = np.linalg.norm(quad[1] - quad[0]), np.linalg.norm(quad[3] - quad[0])
    scale = HEIGHT / max(1.0, float(min(along, down)))
    size = max(8, round(float(along) * scale)), max(8, round(float(down) * scale))
    flat = np.array([[0, 0], [size[0], 0], [size[0], size[1]], [0, size[1]]], np.float32)
    matrix = cv2.getPerspectiveTransform(quad, flat)
    patch = cv2.warpPerspective(pixels[..., :3], matrix, size, flags=cv2.INTER_LINEAR).astype(np.float32)
    edge = np.concatenate([patch[0], patch[-1], patch[:, 0], patch[:, -1]])
    ground = np.median(edge, axis=0)
    away = patch - ground
    _, vectors = np.linalg.eigh(np.cov(away.reshape(-1, 3).T) + 1e-3 * np.eye(3))
    axis = vectors[:, -1].astype(np.float32)
    axis = axis * np.sign((away @ axis).sum() or 1.0)
    most = max(float(np.percentile(away @ axis, 97)), 4.0)
    cover = np.clip(away @ axis / most, 0, 1).astype(np.float32)[..., None].repeat(2, 2)
    cover[..., 1] = 0
    if how in TURNS:
        changed = np.ascontiguousarray(TURNS[how](patch))
        changed = cv2.resize(changed, size, interpolation=cv2.INTER_AREA)
        other = cv2.resize(np.ascontiguousarray(TURNS[how](cover)), size, interpolation=cv2.INTER_AREA)
    else:
        other = SHAPES[how](cover, random)
        changed = patch + (other - cover)[..., :1] * most * axis
    gap = cv2.GaussianBlur(np.abs(other - cover)[..., 0], (0, 0), HEIGHT / 28)
    out = pixels.copy()
    back = np.linalg.inv(matrix)
    placed = cv2.warpPerspective(changed, back, (width, height), flags=cv2.INTER_LINEAR)
    inside = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(inside, np.round(quad).astype(np.int32), 1)
    out[..., :3] = np.where(inside[..., None] > 0, np.clip(placed, 0, 255), out[..., :3]).astype(np.uint8)
    return out, float(gap.max()) > DIFFERENT


def strayed(light: Light, random: Random) -> Light:
    """A light like the scene's, from a little elsewhere, a little stronger or weaker."""
    turn, tilt = np.radians(random.normal(0, 9)), np.radians(random.normal(0, 6))
    x, y, z = light.key_direction
    x, z = x * np.cos(turn) - z * np.sin(turn), x * np.sin(turn) + z * np.cos(turn)
    direction = np.array([x, max(0.1, y + tilt), z])
    direction /= np.linalg.norm(direction)
    key, sky, ground = (float(np.exp(random.normal(0, s))) for s in (0.15, 0.12, 0.12))
    a, b, c = (float(v) for v in direction)

    def times(colour: Any, factor: float) -> tuple[float, float, float]:
        red, green, blue = (float(v) * factor for v in colour)
        return red, green, blue

    return replace(
        light,
        key_direction=(a, b, c),
        key_colour=times(light.key_colour, key),
        sky_colour=times(light.sky_colour, sky),
        ground_colour=times(light.ground_colour, ground),
    )


def composed(photo: Picture, seen: Reference) -> Floats:
    """The product as rendered over the photo under its shadow."""
    cover = (seen.mask.astype(np.float32) / 255)[..., None]
    dark = (seen.shadow.astype(np.float32) / 255)[..., None] ** (1 / 2.2)
    return np.asarray(photo * dark * (1 - cover) + seen.colour * cover, np.float32)


def finished(picture: Floats, random: Random) -> Picture:
    """Style, softness, grain and file of an honest candidate."""
    out = picture
    if random.random() < 0.5:
        out = out * np.exp(random.normal(0, 0.045, 3)).astype(np.float32)
        grey = out.mean(-1, keepdims=True)
        out = grey + (out - grey) * random.uniform(0.75, 1.15)
        out = 128 + (out - 128) * random.uniform(0.82, 1.12) + random.normal(0, 5)
    if random.random() < 0.4:
        k = float(random.uniform(0.75, 0.95))
        small = cv2.resize(out, None, fx=k, fy=k, interpolation=cv2.INTER_AREA)
        out = cv2.resize(small, picture.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    blur = float(random.uniform(0, 0.65))
    if blur > 0.2:
        out = cv2.GaussianBlur(out, (0, 0), blur)
    if random.random() < 0.5:
        out = out + random.normal(0, random.uniform(0.3, 2.0), out.shape)
    final = np.clip(np.round(out), 0, 255).astype(np.uint8)
    if random.random() < 0.6:
        codec, key = (
            (".jpg", cv2.IMWRITE_JPEG_QUALITY)
            if random.random() < 0.7
            else (".webp", cv2.IMWRITE_WEBP_QUALITY)
        )
        stored = cv2.imencode(codec, final[..., ::-1], [key, int(random.uniform(70, 97))])[1]
        final = np.ascontiguousarray(cv2.imdecode(stored, cv2.IMREAD_COLOR)[..., ::-1])
    return np.asarray(final, np.uint8)


def demo_scenes(folder: Path) -> list[Scene]:
    """The scenes of a folder."""
    found = []
    for file in sorted(folder.glob("*.json")):
        try:
            found.append(load_scene(file))
        except PacklineError:
            continue
    return found

"""Specimens of the held-back bench: each real model in some scenes, honest pictures and damaged ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from benchmarks.held_back import damage, prints
from benchmarks.held_back.files import Glb
from benchmarks.held_back.photo import (
    Lamp,
    Picture,
    Shot,
    blurred,
    encoded,
    exposed,
    honest_finish,
    shoot,
)
from benchmarks.three_js import Browser
from packline.colour import to_linear
from packline.reference import Reference
from packline.scenes import Scene, load_scene
from packline.stage.load import load_model
from packline.stage.model import ProductModel
from packline.stage.raster import Rasteriser
from packline.stage.render import render_reference, scene_camera
from packline.stage.views import SIDES, scene_pose
from scoring.bench.specimen import Defect, Specimen
from scoring.check import CheckInput, PromptWords

TEXTURE = 1024
#: A difference in sRGB steps that a person sees, and from which a pixel counts as changed.
SEEN = 14
SIDE_NAMES = tuple(side for side in SIDES if side not in ("back",))


@dataclass(frozen=True)
class Stand:
    """A printed model standing in a scene."""

    name: str
    file: Path
    clean: Glb
    glb: Glb
    places: tuple[prints.Print, ...]
    model: ProductModel
    scene: Scene
    side: str
    pose: NDArray[np.float64]
    truth: Reference
    photo: Picture
    colours: damage.Colours


class Studio:
    """One browser page and one rasteriser."""

    def __init__(self, page: Browser, folder: Path, size: int) -> None:
        self.page, self.folder, self.size = page, folder, size
        self._rasteriser = Rasteriser(size)
        self.bounds: list[float] = []
        self._altered = False

    def stand(self, file: Path, scene_file: Path, rng: np.random.Generator) -> Stand:
        """Put a model into a scene, with words printed where there is room."""
        scene, side = load_scene(scene_file), str(rng.choice(SIDE_NAMES))
        camera = scene_camera(scene, self.size)
        clean = _shrunk(Glb.read(file))
        home = self.folder / "product.glb"
        clean.write(home)
        home.with_suffix(".truth.json").unlink(missing_ok=True)
        model = load_model(home)
        # larger than the scenes' places ask for, so that there is room for words
        turn, scale = float(rng.uniform(-6, 6)), float(rng.uniform(1.4, 2.0))
        while True:
            pose = scene_pose(model, scene, side, turn=turn, scale=scale)
            truth = self._render(model, pose, scene, camera)
            if scale <= 1 or not _cut(truth.mask):
                break
            scale *= 0.85
        glb, places, labels = clean, [], []
        for _ in range(int(rng.integers(0, 3))):
            found = prints.find_place(truth, rng, TEXTURE)
            if found is None or any(_overlap(found.corners, one.corners) for one in places):
                continue
            name = model.parts[found.part - 1].material.name
            image = _image_of(glb, name)
            if image is None:
                continue
            glb = glb.with_picture(image, prints.printed(glb.picture(image), found))
            places.append(found)
            labels.append(
                {"id": f"word-{len(places)}", "text": found.word, "material": name, "quad": found.quad}
            )
        glb.write(home)
        home.with_suffix(".truth.json").write_text(json.dumps({"front": 0, "labels": labels}))
        model = load_model(home)
        truth = self._render(model, pose, scene, camera)
        photo = cv2.resize(scene.photo(), (self.size, self.size), interpolation=cv2.INTER_AREA)
        colours = damage.main_colours(truth.albedo, truth.mask)
        self.page.call("load", {"url": _url(self.page, home), "front": 0})
        self.bounds = self.page.call("bounds")
        self._altered = False
        return Stand(
            file.stem, home, clean, glb, tuple(places), model, scene, side, pose, truth, photo, colours
        )

    def _render(self, model: ProductModel, pose: Any, scene: Scene, camera: Any) -> Reference:
        with self._rasteriser.staged(model.transformed(pose)) as stage:
            return render_reference(stage, "scene", camera, scene)

    def shoot(self, stand: Stand, glb: Glb | None, lamp: Lamp, pose: Any, **more: Any) -> Shot:
        """Photograph the model, or an altered file of it where it stands."""
        if glb is not None:
            altered = self.folder / "altered.glb"
            glb.write(altered)
            self.page.call("load", {"url": _url(self.page, altered), "front": 0})
        elif self._altered:
            self.page.call("load", {"url": _url(self.page, stand.file), "front": 0})
        self._altered = glb is not None
        return shoot(self.page, self.bounds, pose, stand.truth.camera, lamp, stand.photo, **more)

    def stranger(self, stand: Stand, file: Path, lamp: Lamp) -> Picture:
        """Photograph another model in the stand's place, as large as the stand's own."""
        home = self.folder / "stranger.glb"
        _shrunk(Glb.read(file)).write(home)
        home.with_suffix(".truth.json").write_text(json.dumps({"front": 0, "labels": []}))
        model = load_model(home)
        self.page.call("load", {"url": _url(self.page, home), "front": 0})
        bounds = self.page.call("bounds")
        pose = scene_pose(model, stand.scene, stand.side)
        scale = _extent(stand.pose, self.bounds) / _extent(pose, bounds)
        pose = scene_pose(model, stand.scene, stand.side, scale=scale)
        picture = shoot(self.page, bounds, pose, stand.truth.camera, lamp, stand.photo).picture
        # the next photograph is the stand's own again
        self._altered = True
        return picture


def _extent(pose: NDArray[np.float64], bounds: Sequence[float]) -> float:
    """Metres from corner to corner of a model that stands there."""
    return float(np.linalg.norm(pose[:3, :3] @ (np.array(bounds[3:]) - np.array(bounds[:3]))))


def _url(page: Browser, file: Path) -> str:
    page.serve("model", file.parent)
    return f"/model/{file.name}"


def _cut(mask: Picture) -> bool:
    """Whether the product comes near the picture's edge."""
    edge = 3 * mask.shape[0] // 100
    return bool(mask[:edge].any() or mask[-edge:].any() or mask[:, :edge].any() or mask[:, -edge:].any())


def _shrunk(glb: Glb) -> Glb:
    """Textures at `TEXTURE` pixels: what is printed on them is written quickly."""
    for index in range(len(glb.tree.get("images", []))):
        picture = glb.picture(index)
        if max(picture.size) > TEXTURE:
            glb = glb.with_picture(index, picture.resize((TEXTURE, TEXTURE), Image.Resampling.BOX))
    return glb


def _image_of(glb: Glb, material: str) -> int | None:
    """The base colour's picture of the one material of that name, where no other material has it too."""
    found = [i for i, m in enumerate(glb.tree.get("materials", [])) if m.get("name", "") == material]
    if len(found) != 1 or not material:
        return None
    image = glb.base_image(found[0])
    users = [i for i in range(len(glb.tree["materials"])) if glb.base_image(i) == image]
    return image if len(users) == 1 else None


def _overlap(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    area, _ = cv2.intersectConvexConvex(a.astype(np.float32), b.astype(np.float32))
    return bool(area > 0)


def specimens(
    studio: Studio,
    stand: Stand,
    rng: np.random.Generator,
    strangers: Sequence[Path] = (),
    scenes: Sequence[str] = (),
) -> Iterator[Specimen]:
    """Honest pictures and damaged ones of a stand, about as many of either.

    Parameters
    ----------
    strangers
        Files of other products: one of them is the wrong product, and their names are the wrong words.
    scenes
        The words of all scenes.
    """
    words = PromptWords(
        stand.name,
        stand.scene.words,
        tuple(sorted({file.stem for file in strangers})),
        tuple(sorted(set(scenes) - {stand.scene.words})),
    )
    lamp = Lamp.like(stand.scene.light, rng)
    first = studio.shoot(stand, None, lamp, stand.pose)
    lamp = exposed(lamp, first, stand.truth.colour, stand.truth.mask, rng)
    plain_shot = studio.shoot(stand, None, lamp, stand.pose)
    other = None
    if strangers:
        other = studio.stranger(stand, strangers[int(rng.integers(len(strangers)))], lamp)
    count = 0

    def made(picture: Picture, defect: Defect | None, **told: Any) -> Specimen:
        nonlocal count
        count += 1
        finished, finish = honest_finish(picture, rng)
        given = CheckInput(finished, stand.photo, stand.truth, words=words)
        name = f"{stand.name}/{stand.scene.name}/{stand.side}/{count:02d}"
        return Specimen(name, stand.name, stand.scene.name, stand.side, given, defect, {**told, **finish})

    makers = [
        lambda: _words(studio, stand, lamp, rng),
        lambda: _colours(studio, stand, lamp, rng),
        lambda: _shapes(studio, stand, lamp, rng, plain_shot),
        lambda: _others(studio, stand, lamp, rng, plain_shot, other),
    ]
    for make in makers:
        for picture, defect in make():
            yield made(picture, defect)
            yield made(_honest(studio, stand, rng, lamp), None)


def _honest(studio: Studio, stand: Stand, rng: np.random.Generator, lamp: Lamp) -> Picture:
    """Another light, and a stand that strays by a percent."""
    other = replace(
        Lamp.like(stand.scene.light, rng), exposure=lamp.exposure * float(rng.uniform(0.93, 1.07))
    )
    pose = stand.pose.copy()
    turn = np.radians(rng.uniform(-3, 3))
    c, s = np.cos(turn), np.sin(turn)
    pose[:3, :3] = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]) @ pose[:3, :3] * rng.uniform(0.98, 1.02)
    extent = _extent(pose, studio.bounds)
    pose[[0, 2], 3] += rng.uniform(-0.01, 0.01, 2) * extent
    return studio.shoot(stand, None, other, pose).picture


_Made = Iterator[tuple[Picture, Defect]]


def _words(studio: Studio, stand: Stand, lamp: Lamp, rng: np.random.Generator) -> _Made:
    for number, place in enumerate(stand.places):
        label = next((t for t in stand.truth.labels if t.label == f"word-{number + 1}"), None)
        if label is None or label.visible < 0.8 or label.height < 14:
            continue
        name = stand.model.parts[place.part - 1].material.name
        image = _image_of(stand.clean, name)
        if image is None:
            continue
        size = ">= 20 px" if label.height >= 20 else "14 to 20 px"

        def texture(left_out: int = number, image: int = image, name: str = name) -> Image.Image:
            out = stand.clean.picture(image)
            for k, one in enumerate(stand.places):
                if k != left_out and stand.model.parts[one.part - 1].material.name == name:
                    out = prints.printed(out, one)
            return out

        for kind, ink in prints.wrong_strips(place, rng).items():
            altered = stand.glb.with_picture(image, prints.printed(texture(), place, ink))
            plain = size.startswith(">") and ("mirrored" in kind or "turned" in kind)
            shot = studio.shoot(stand, altered, lamp, stand.pose)
            yield shot.picture, Defect(kind, size, "text_orientation", plain)
        shot = studio.shoot(stand, stand.glb.with_picture(image, texture()), lamp, stand.pose)
        yield shot.picture, Defect("text missing", size, "text_orientation", size.startswith(">"))


def _colours(studio: Studio, stand: Stand, lamp: Lamp, rng: np.random.Generator) -> _Made:
    colours = stand.colours
    images = {_image_of(stand.clean, part.material.name) for part in stand.model.parts} - {None}
    if not images:
        return
    fit = [int(i) for i in np.flatnonzero((colours.shares > 0.12) & (colours.centres[:, 0] > 12))]
    for delta in (3.0, 5.5, 8.0):
        for which in ([int(rng.choice(fit))] if fit and colours.several else []) + [None]:
            lab = colours.centres[which if which is not None else int(colours.shares.argmax())]
            there = damage.shifted_lab(lab, delta, rng)
            if there is None or lab[0] < 12:
                continue
            altered = stand.glb
            for image in images:
                assert image is not None
                altered = altered.with_picture(
                    image, damage.recoloured(stand.glb.picture(image), colours, which, there - lab)
                )
            shot = studio.shoot(stand, altered, lamp, stand.pose)
            where = "one colour" if which is not None else "all of it"
            kind = "colour shifted" if colours.several else "colour shifted, one-coloured product"
            plain = colours.several and delta > 5
            yield shot.picture, Defect(kind, f"dE {delta:g}, {where}", "colour", plain)


def _shapes(studio: Studio, stand: Stand, lamp: Lamp, rng: np.random.Generator, right: Shot) -> _Made:
    made: list[tuple[str, Callable[[], Shot]]] = []
    for lacking in damage.without_piece(stand.glb, rng):
        made.append(("part missing", lambda g=lacking: studio.shoot(stand, g, lamp, stand.pose)))
    for size, depth in ((0.15, 0.06), (0.3, 0.08), (0.45, 0.1)):
        sagged = damage.melted(stand.glb, rng, size, depth)
        made.append(("melted", lambda g=sagged: studio.shoot(stand, g, lamp, stand.pose)))
    for _ in range(2):
        body = _foreign_body(stand, rng)
        made.append(("part added", lambda b=body: studio.shoot(stand, None, lamp, stand.pose, extra=b)))
    area = float((right.mask > 0.5).sum())
    for kind, shot_of in made:
        shot = shot_of()
        differs = np.abs(shot.picture.astype(int) - right.picture).max(-1) > SEEN
        differs &= cv2.dilate(np.maximum(shot.mask, right.mask), np.ones((5, 5), np.uint8)) > 0.5
        where = cv2.morphologyEx(differs.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) > 0
        share = float(where.sum()) / area
        if share < 0.005 or share > 0.6:
            continue  # nothing that a person sees, or nothing left of the product
        bounds = [0.01, 0.02, 0.04, 0.08, 1.0]
        names = ["under 1 %", "1 to 2 %", "2 to 4 %", "4 to 8 %", "over 8 %"]
        strength = names[int(np.searchsorted(bounds, share))]
        yield shot.picture, Defect(kind, strength, "shape", share >= 0.02, where)


def _foreign_body(stand: Stand, rng: np.random.Generator) -> dict[str, Any]:
    """A small ball or box on the visible surface, of another colour than what it covers."""
    rows, columns = np.nonzero(cv2.erode(stand.truth.mask, np.ones((15, 15), np.uint8)) > 250)
    at = int(rng.integers(len(rows)))
    x, y = float(columns[at]) + 0.5, float(rows[at]) + 0.5
    camera, depth = stand.truth.camera, float(stand.truth.depth[rows[at], columns[at]])
    local = (
        np.array([(x - camera.width / 2) / camera.focal, (camera.height / 2 - y) / camera.focal, -1]) * depth
    )
    world = camera.pose[:3, :3] @ local + camera.pose[:3, 3]
    under = stand.truth.albedo[rows[at], columns[at]].astype(int)
    colour = rng.integers(0, 256, 3)
    while np.abs(colour - under).max() < 70:
        colour = rng.integers(0, 256, 3)
    area = float((stand.truth.mask > 127).sum())
    radius = float(np.sqrt(area * rng.uniform(0.015, 0.06) / np.pi)) / camera.focal * depth
    return {
        "kind": str(rng.choice(["ball", "box"])), "size": radius, "at": [float(v) for v in world],
        "colour": "#" + "".join(f"{int(v):02x}" for v in colour),
    }  # fmt: skip


def _others(
    studio: Studio, stand: Stand, lamp: Lamp, rng: np.random.Generator, right: Shot, other: Picture | None
) -> _Made:
    yield stand.photo, Defect("product missing", "whole", "artifacts", True)
    if other is not None:
        yield other, Defect("wrong product", "whole", "shape", True)
    if stand.truth.shadow.min() < 170:
        bare = studio.shoot(stand, None, lamp, stand.pose, shadow=False)
        yield bare.picture, Defect("shadow missing", "whole", "placement", False)
    large = stand.pose.copy()
    large[:3, :3] *= 1.15
    yield studio.shoot(stand, None, lamp, large).picture, Defect("too large", "15 %", "placement", False)
    image = Image.fromarray(right.picture)
    for quality in (8, 20):
        yield (
            np.asarray(encoded(image, "JPEG", quality)),
            Defect("compressed", f"JPEG {quality}", "artifacts", quality < 10),
        )
    for bits in (3, 4):
        yield (
            np.asarray(ImageOps.posterize(image, bits)),
            Defect("banding", f"{bits} bits a channel", "artifacts", bits < 4),
        )
    for radius in (1.5, 3.0):
        scaled = radius * studio.size / 512
        yield blurred(right.picture, scaled), Defect("blur", f"{radius:g} px at 512", "artifacts", radius > 2)
    noisy = right.picture + rng.normal(size=right.picture.shape) * 22
    yield np.clip(noisy, 0, 255).astype(np.uint8), Defect("noise", "sigma 22", "artifacts", True)
    yield (
        _something_appears(stand, right, rng),
        Defect("object appears", "6 % of the picture", "scene_kept", True),
    )
    burnt = np.clip((to_linear(right.picture) * 2.2) ** (1 / 2.2) * 255 * 1.1, 0, 255).astype(np.uint8)
    yield burnt, Defect("burnt", "2.2 times the light", "artifacts", True)


def _something_appears(stand: Stand, right: Shot, rng: np.random.Generator) -> Picture:
    """The product's own cut-out turned upside down elsewhere in the picture."""
    rows, columns = np.nonzero(right.mask > 0.5)
    cut = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    side = right.picture.shape[0]
    scale = 0.25 * side / max(cut[0].stop - cut[0].start, cut[1].stop - cut[1].start)
    piece = cv2.resize(right.alone[cut][::-1], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    alpha = cv2.resize(right.mask[cut][::-1], (piece.shape[1], piece.shape[0]), interpolation=cv2.INTER_AREA)
    corners = [(4, 4), (side - piece.shape[1] - 4, 4)]
    x, y = corners[int(rng.integers(2))]
    out = right.picture.astype(np.float32)
    place = np.s_[y : y + piece.shape[0], x : x + piece.shape[1]]
    out[place] = out[place] * (1 - alpha[..., None]) + piece * alpha[..., None]
    return np.asarray(out, np.uint8)

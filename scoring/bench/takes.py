"""Takes: a product standing in a scene, its truth, and a way to photograph it (or an altered one) there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.colour import to_linear
from packline.reference import Picture, Reference
from packline.scenes import Scene
from packline.stage.lighting import develop, untone
from packline.stage.model import ProductModel
from packline.stage.render import scene_camera
from packline.stage.views import scene_pose
from scoring.bench.nuisances import Nuisance, finish
from scoring.bench.photographs import draw, strayed
from scoring.bench.products import KINDS, load_product, random_spec, seen_title, title_of
from scoring.bench.renderers import another
from scoring.bench.scenes import scenes
from scoring.check import PromptWords

__all__ = ["Nuisance", "Photograph", "Take", "finish", "takes"]

Floats = NDArray[np.float32]
_SIDES = ("hero", "front", "three-quarter") * 4 + ("left", "right")
_DISTRACTORS = 12


@dataclass(frozen=True)
class Photograph:
    """A picture before style and compression: what image-space defects are painted into.

    Parameters
    ----------
    picture
        The base photo with the product and its shadow, sRGB uint8 (H, W, 3).
    mask
        The product's coverage as it stands in this picture, uint8 (H, W).
    reference
        All passes of what was really drawn (the altered model under the strayed light and pose).
    """

    picture: Picture
    mask: Picture
    reference: Reference = field(repr=False)


@dataclass(frozen=True)
class Take:
    """A product in a scene.

    Parameters
    ----------
    product
        Its name, unique in the corpus.
    model
        Normalised, front to +Z, on the ground.
    truth
        What the checks get as `CheckInput.scene`: the model under the scene's own light, as asked.
    photo
        The base photo at the truth's size, sRGB uint8 (H, W, 3).
    size
        Pixels on the picture's longer side.
    asked
        How this candidate was asked to stray from the scene's place, as `scene_pose` takes it: metres along X
        and Z, degrees, factor.
    """

    product: str
    model: ProductModel = field(repr=False)
    scene: Scene
    side: str
    truth: Reference = field(repr=False)
    photo: Picture = field(repr=False)
    words: PromptWords
    size: int
    asked: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 1.0)

    def photograph(self, nuisance: Nuisance, model: ProductModel | None = None) -> Photograph:
        """Draw the product into the photo under the strayed light and in the strayed pose.

        Of the nuisance the light (`key_*`, `sky_gain`, `warmth`), the pose (`shift`, `turn`, `scale`) and
        `foreign` count; `finish` does the rest.

        Parameters
        ----------
        model
            An altered product that stands in the very pose of this take's own: it is not normalised anew, so
            what is left of it stays where it was. None: the take's.

        Returns
        -------
        Photograph
            Bit for bit the photo's own pixels where neither product nor shadow is, unless `warmth` tints all.
        """
        x, z, turn, scale = self.asked
        dx, dz = self._metres(nuisance.shift)
        pose = scene_pose(
            self.model,
            self.scene,
            self.side,
            (x + dx, z + dz),
            turn + nuisance.turn,
            scale * nuisance.scale,
        )
        tint = warmth_tint(nuisance.warmth)
        light = strayed(
            self.scene.light, nuisance.key_turn, nuisance.key_tilt, nuisance.key_gain, nuisance.sky_gain, tint
        )
        ground, foreign = self.scene.place.position[1], None
        if nuisance.foreign > 0:
            foreign = another(light, nuisance.foreign, nuisance.seed)
        drawing = draw(model or self.model, pose, self.truth.camera, light, ground, foreign)
        photo = self.photo if nuisance.warmth == 0 else develop(untone(to_linear(self.photo)) * tint)
        return Photograph(drawing.over(photo), drawing.reference.mask, drawing.reference)

    def _metres(self, shift: tuple[float, float]) -> tuple[float, float]:
        """Metres along X and Z on the ground that move the product's foot by pixels across and down."""
        if shift == (0.0, 0.0):
            return 0.0, 0.0
        x, y, z = self.scene.place.position
        step = 0.01
        spots = np.array([(x, y, z), (x + step, y, z), (x, y, z + step)])
        pixels, _ = self.truth.camera.project(spots)
        moves = np.asarray((pixels[1:] - pixels[0]).T / step, float)  # pixels a metre
        dx, dz = np.linalg.solve(moves, np.asarray(shift, float))
        return float(dx), float(dz)


def warmth_tint(warmth: float) -> Floats:
    """Factors of linear red, green and blue: -1 is 6 % bluer, 1 a warm lamp; luminance about stays."""
    if warmth < 0:
        factors = 1 + np.array([0.045, 0.005, -0.06]) * warmth
    else:
        factors = 1 + np.array([0.10, -0.015, -0.22]) * warmth
    return np.asarray(factors, np.float32)


def takes(split: str, size: int, count: int, seed: int = 0) -> Iterator[Take]:
    """Products in scenes: each product once, kinds, scenes and sides in turn.

    Parameters
    ----------
    split
        "calibration" or "test": they share no product, brand, font or scene, and each has kinds that the
        other lacks.
    size
        Pixels on the picture's longer side.
    count, seed
        The first `count` takes of an endless row that the seed decides.

    Raises
    ------
    packline.errors.FixSettings
        Where this machine has none of the split's fonts, or cannot draw.
    """
    kinds, places = KINDS[split], scenes(split)
    rng = np.random.default_rng([17, seed, len(split)])
    order = rng.permutation(len(kinds))
    photos: dict[str, Picture] = {}
    for number in range(count):
        kind = kinds[order[number % len(kinds)]]
        spec = random_spec(kind, split, seed * 100_003 + number)
        model = load_product(spec)
        scene = places[int(rng.integers(len(places)))]
        side = str(rng.choice(_SIDES))
        place = scene.place
        # half of the candidates are asked to stand a little elsewhere, as waves of candidates are
        wide = rng.uniform(-1, 1, 4) * (rng.random() < 0.5)
        x, z, turn = (
            float(a * b) for a, b in zip(wide, (place.shift, place.shift, place.turn), strict=False)
        )
        asked = (x, z, turn, 1 + float(wide[3]) * place.scale)
        pose = scene_pose(model, scene, side, asked[:2], asked[2], asked[3])
        camera = scene_camera(scene, size)
        truth = draw(model, pose, camera, scene.light, place.position[1]).reference
        title = seen_title(spec, truth.albedo, truth.mask)
        if scene.name not in photos:
            photos[scene.name] = resized(scene.photo(), camera.width, camera.height)
        yield Take(
            product=f"{split}-{seed}-{number:04d} {title_of(spec)}",
            model=model,
            scene=scene,
            side=side,
            truth=truth,
            photo=photos[scene.name],
            words=_words(title, scene, split, places, rng),
            size=size,
            asked=asked,
        )


def resized(photo: Picture, width: int, height: int) -> Picture:
    """A photo at another size, as the line itself does it."""
    if photo.shape[:2] == (height, width):
        return photo
    how = cv2.INTER_AREA if photo.shape[0] > height else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(photo, (width, height), interpolation=how), np.uint8)


def _words(
    title: str, scene: Scene, split: str, places: tuple[Scene, ...], rng: np.random.Generator
) -> PromptWords:
    """The prompt's words and a catalogue's other ones."""
    titles: set[str] = set()
    while len(titles) < _DISTRACTORS:
        kind = str(rng.choice(KINDS[split]))
        other = title_of(random_spec(kind, split, int(rng.integers(1 << 30))))
        # one that is right as well ("red lamp" beside "lamp") is no distractor
        if not other.endswith(title):
            titles.add(other)
    others = sorted({place.words for place in places} - {scene.words})
    chosen = rng.permutation(len(others))[:_DISTRACTORS]
    return PromptWords(title, scene.words, tuple(sorted(titles)), tuple(others[i] for i in sorted(chosen)))

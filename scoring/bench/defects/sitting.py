"""A sitting: one take under one nuisance, in which an honest picture and many false ones are taken."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.colour import to_linear
from packline.reference import Picture
from packline.stage.lighting import develop, untone
from packline.stage.model import ProductModel
from packline.stage.views import scene_pose
from packline.truth import Label, TextTruth
from scoring.bench.nuisances import Nuisance
from scoring.bench.specimen import Defect
from scoring.bench.takes import Photograph, Take, warmth_tint

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

#: Two pixels that differ by more than this are seen to differ, in CIELAB's own distance.
SEEN = 8.0
#: A label is judgeable from this share in view, this height in pixels and this contrast in lightness.
LEAST_VISIBLE, LEAST_HEIGHT, LEAST_CONTRAST = 0.6, 14.0, 15.0


@dataclass(frozen=True)
class Altered:
    """A false picture and what is false about it.

    Parameters
    ----------
    picture
        sRGB uint8 (H, W, 3), before style and compression unless the recipe says otherwise.
    nuisance
        What the picture is to be finished with.
    """

    picture: Picture = field(repr=False)
    defect: Defect
    nuisance: Nuisance


@dataclass(frozen=True)
class Sitting:
    """A take under one nuisance.

    Parameters
    ----------
    take
        The product in its scene.
    nuisance
        What every picture of the sitting has, false or not.
    rng
        Decides all; a recipe draws from it.
    others
        Other takes, from which a wrong product or background comes.
    """

    take: Take
    nuisance: Nuisance
    rng: np.random.Generator
    others: tuple[Take, ...] = ()

    @cached_property
    def plain(self) -> Photograph:
        """The honest picture."""
        return self.take.photograph(self.nuisance)

    def again(self, model: ProductModel) -> Photograph:
        """The same picture of an altered model."""
        # nobody asks for the text truth of a false model, which may have lost its labels
        return self.take.photograph(self.nuisance, replace(model, labels=()))

    def with_rng(self, rng: np.random.Generator) -> Sitting:
        """The same sitting with other draws; the honest picture is not taken again."""
        other = Sitting(self.take, self.nuisance, rng, self.others)
        if "plain" in self.__dict__:
            other.__dict__["plain"] = self.plain
        return other

    def altered(
        self,
        picture: Picture,
        kind: str,
        strength: str,
        check: str,
        plain: bool,
        where: Bools | None = None,
        nuisance: Nuisance | None = None,
    ) -> Altered:
        """A false picture of this sitting."""
        return Altered(picture, Defect(kind, strength, check, plain, where), nuisance or self.nuisance)

    @cached_property
    def inside(self) -> Bools:
        """Where the honest picture shows the product, bool (H, W)."""
        return np.asarray(self.plain.mask > 127)

    @cached_property
    def area(self) -> int:
        """Pixels that the product covers."""
        return max(int(self.inside.sum()), 1)

    @cached_property
    def behind(self) -> Floats:
        """The ground in the product's shadow as if the product were not before it, linear (H, W, 3)."""
        shadow = self.plain.reference.shadow.astype(np.float32)[..., None] / np.float32(255)
        return np.asarray(self.bare * shadow, np.float32)

    @cached_property
    def bare(self) -> Floats:
        """The base photo in the sitting's light, without product and shadow, linear (H, W, 3)."""
        tint = warmth_tint(self.nuisance.warmth)
        return np.asarray(untone(to_linear(self.take.photo)) * tint, np.float32)

    @cached_property
    def pose(self) -> NDArray[np.float64]:
        """Where the product stands, without the nuisance's straying: model to world, (4, 4)."""
        x, z, turn, scale = self.take.asked
        return scene_pose(self.take.model, self.take.scene, self.take.side, (x, z), turn, scale)

    def spot(self, at: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
        """What a pixel (row, column) of the truth's view shows, in the model's own space.

        Returns
        -------
        point, normal
            float64 (3,).
        pixel
            What one pixel measures there.
        """
        truth = self.take.truth
        depth = float(truth.depth[at])
        world = np.asarray(truth.camera.eye) + depth * self.rays[at]
        back = np.linalg.inv(self.pose)
        scale = float(np.cbrt(np.linalg.det(self.pose[:3, :3])))
        normal = back[:3, :3] @ truth.normals[at].astype(float) * scale
        return back[:3, :3] @ world + back[:3, 3], normal, depth / truth.camera.focal / scale

    @cached_property
    def rays(self) -> NDArray[np.float64]:
        """World directions through the truth's pixels, (H, W, 3)."""
        return self.take.truth.camera.rays()

    def judgeable(self) -> list[tuple[Label, TextTruth]]:
        """Labels that the checks are to judge, the largest first."""
        annotated = {label.id: label for label in self.take.model.labels}
        found = [
            (annotated[truth.label], truth)
            for truth in self.take.truth.labels
            if truth.label in annotated
            and truth.visible >= LEAST_VISIBLE
            and truth.height >= LEAST_HEIGHT
            and truth.contrast >= LEAST_CONTRAST
            and not truth.mirrored
        ]
        return sorted(found, key=lambda pair: -pair[1].height)


def difference(one: Picture, other: Picture) -> Floats:
    """How far two pictures lie apart at each pixel, less single pixels' noise: CIELAB distance, (H, W)."""
    apart = _lab(one) - _lab(other)
    return np.asarray(np.sqrt((cv2.GaussianBlur(apart, (0, 0), 0.7) ** 2).sum(-1)), np.float32)


def changed(one: Picture, other: Picture, within: Bools | None = None) -> Bools:
    """Where two pictures are seen to differ, bool (H, W)."""
    seen = difference(one, other) > SEEN
    return seen if within is None else seen & within


def moved_apart(one: Picture, other: Picture, reach: int) -> Floats:
    """How far what one picture shows lies from all that the other has near there: CIELAB distance, (H, W).

    Parameters
    ----------
    reach
        Pixels by which things may have moved without having changed.
    """
    a, b = (cv2.GaussianBlur(_lab(picture), (0, 0), 0.7) for picture in (one, other))
    window = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    apart = np.zeros(a.shape[:2], np.float32)
    for first, second in ((a, b), (b, a)):
        over = np.maximum(first - cv2.dilate(second, window), 0)
        under = np.maximum(cv2.erode(second, window) - first, 0)
        apart = np.maximum(apart, np.sqrt(((over + under) ** 2).sum(-1)))
    return np.asarray(apart, np.float32)


def filled(marks: Bools) -> Bools:
    """Without its pinholes."""
    closed = cv2.morphologyEx(marks.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    return np.asarray(closed > 0)


def blended(below: Picture, above: Picture, cover: Floats) -> Picture:
    """`above` over `below` in linear light; `cover` is 0 to 1, (H, W)."""
    share = cover[..., None]
    mixed = untone(to_linear(below)) * (1 - share) + untone(to_linear(above)) * share
    return np.where(share > 0, develop(mixed), below)


def height_band(pixels: float) -> str:
    """A text's height as the table's columns say it."""
    return "14-20 px" if pixels < 20 else "20-32 px" if pixels < 32 else ">32 px"


def area_band(share: float) -> str:
    """A share of the product's pixels as the table's columns say it."""
    percent = 100 * share
    for low, high in ((1, 2), (2, 4), (4, 8)):
        if percent < high:
            return f"{low}-{high} %" if percent >= low else "<1 %"
    return ">8 %"


def _lab(picture: Picture) -> Floats:
    shares = picture.astype(np.float32) / np.float32(255)
    return np.asarray(cv2.cvtColor(shares, cv2.COLOR_RGB2LAB), np.float32)

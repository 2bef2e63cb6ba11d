"""Where an edit put the product: the similarity that takes the 3D model's render to the edit.

A model may draw the product a few pixels beside, larger or turned against its render. What is compared is not
the render alone but what the edit would be if the product lay there: the render over the base photo. So
the outline, against the photo that goes on behind it, says as much as the print inside. Pictures are compared
by gradients of log luma, in which light, a factor, hardly shows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.editing.cutout import smooth

Floats = NDArray[np.float32]
Matrix = NDArray[np.float64]

# what counts as the same product a little moved: share of the picture's longer side, scale, degrees
FARTHEST = 0.06
SCALES = (0.9, 1.1)
MOST_DEGREES = 6.0
# pixels of an edit under which nothing is moved
LEAST = 0.5

# the search goes a little farther, so that what lies beyond is found to lie beyond
_REACH = 1.5 * FARTHEST
_COARSE, _FINE = 56, 288  # longer side of the product's box in pixels, of the search and of its end
_POSES = tuple((scale, degrees) for scale in (0.92, 1.0, 1.08) for degrees in (-4.0, 0.0, 4.0))
# a fit as good as this needs no search
_GOOD = 0.72
# by how much a place elsewhere must fit better than the nearest, which it may only resemble
_MORE = 0.03
# what counts as found: least correlation, and most of what stays unexplained, compared with no motion
_LEAST_FIT = 0.45
_CLEARLY = 0.75
# the least squared difference of product and ground that tells one from the other, and the least share of
# the product's area; what is this near to the other is not as it would be after the motion
_TELLS = 0.004
_EDGE = 0.01
_DOUBT = 0.25
# a motion that changes little is not made much of
_STIFF = 1e-3
# pixels under which a product is a speck
_SPECK = 64
# starts of the search that are followed, steps from each, and pixels under which a step is the last
_TRIED = 3
_STEPS = 8
_SETTLED = 0.05
# of the gradients, in a level's pixels: what a codec leaves
_BLUR = 1.1


@dataclass(frozen=True)
class Motion:
    """A similarity about the product's middle, in pixels of some picture.

    Parameters
    ----------
    centre
        Middle of the product's box in the render, (x, y).
    shift
        Where the middle goes, (right, down).
    scale
        1 is as rendered.
    degrees
        Clockwise.
    """

    centre: tuple[float, float]
    shift: tuple[float, float] = (0.0, 0.0)
    scale: float = 1.0
    degrees: float = 0.0

    @cached_property
    def matrix(self) -> Matrix:
        """From the render's pixels to the edit's, float64 (2, 3), as OpenCV counts pixels."""
        angle = np.deg2rad(self.degrees)
        cos, sin = self.scale * np.cos(angle), self.scale * np.sin(angle)
        (x, y), (right, down) = self.centre, self.shift
        return np.array(
            [[cos, -sin, x + right - cos * x + sin * y], [sin, cos, y + down - sin * x - cos * y]]
        )

    def __str__(self) -> str:
        """In words."""
        right, down = self.shift
        return (
            f"{right:+.1f} px across, {down:+.1f} px down, size {self.scale:.1%}, turned {self.degrees:+.1f}°"
        )

    def at(self, factor: float) -> Motion:
        """The same in a picture of `factor` times the size; pixels have their middles at whole numbers."""
        x, y = ((value + 0.5) * factor - 0.5 for value in self.centre)
        right, down = (value * factor for value in self.shift)
        return replace(self, centre=(x, y), shift=(right, down))


def farthest(motion: Motion, cover: Floats) -> float:
    """By how many pixels the farthest pixel of the product moves."""
    rows, columns = np.nonzero(cover > 0.5)
    if not len(rows):
        return 0.0
    points = np.stack([columns, rows, np.ones(len(rows))]).astype(np.float64)
    return float(np.hypot(*(motion.matrix @ points - points[:2])).max())


@dataclass(frozen=True)
class Layers:
    """An edit and what it should be made of, all of one size; floats 0 to 1, gamma encoded.

    Parameters
    ----------
    edit, base
        The edit and the base photo, float32 (h, w, 3).
    render
        The product without backdrop, its colours continued outwards, float32 (h, w, 3).
    cover
        Its antialiased coverage, float32 (h, w).
    light
        The share of the ground's light that the product leaves, float32 (h, w).
    """

    edit: Floats
    base: Floats
    render: Floats
    cover: Floats
    light: Floats


@dataclass(frozen=True)
class Alignment:
    """What was found.

    Parameters
    ----------
    motion
        From the render to the edit, in the edit's pixels; exactly still where the edit shows no other place
        clearly better.
    pixels
        By how many of the edit's pixels the farthest pixel of the product moves.
    beyond
        Whether that is farther than a model's slip: the edit has the product elsewhere.
    """

    motion: Motion
    pixels: float = 0.0
    beyond: bool = False


def align(layers: Layers) -> Alignment:
    """Find where the edit has the product.

    A motion counts only where it explains clearly more of the edit than none does, inside and along the
    outline: a print that repeats itself fits inside at many a place, and noise fits a little anywhere.
    Motions that the edit does not tell, such as a plain bottle's turn, stay as rendered.
    """
    found = _search(layers)
    if found is None:
        return Alignment(Motion((0.0, 0.0)))
    motion, before, after = found
    still = Alignment(Motion(motion.centre))
    pixels = farthest(motion, layers.cover)
    unexplained = (1 - after**2) / max(1 - before**2, 1e-6)
    if pixels < LEAST or after < _LEAST_FIT or unexplained > _CLEARLY or not _uncovered(layers, motion):
        return still
    side = max(layers.cover.shape)
    low, high = SCALES
    within = (
        float(np.hypot(*motion.shift)) <= FARTHEST * side
        and low <= motion.scale <= high
        and abs(motion.degrees) <= MOST_DEGREES
    )
    return Alignment(motion, pixels, not within)


def _search(layers: Layers) -> tuple[Motion, float, float] | None:
    """The best motion whether it is plausible or not, and how well the edit fits without it and with it."""
    height, width = layers.cover.shape
    rows, columns = np.nonzero(layers.cover > 0.5)
    if len(rows) < _SPECK:
        return None
    left, top, right, bottom = (
        int(v) for v in (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    )
    extent = max(right - left, bottom - top)
    still = Motion(((left + right - 1) / 2, (top + bottom - 1) / 2))
    reach = _REACH * max(height, width)
    pad = int(np.ceil(reach + 0.1 * extent)) + 3
    x, y = max(0, left - pad), max(0, top - pad)
    cut = np.s_[y : min(height, bottom + pad), x : min(width, right + pad)]
    fine = _Level.of(layers, cut, min(1.0, _FINE / extent))
    here = fine.below(still)
    before = fine.fit(here)
    end, after = fine.closer(here, before)
    if after < _GOOD:
        coarse = _Level.of(layers, cut, min(1.0, _COARSE / extent))
        for start in _starts(coarse, coarse.below(still), reach):
            near, _ = coarse.closer(start, coarse.fit(start))
            near = near.at(fine.factor / coarse.factor)
            found, fits = fine.closer(near, fine.fit(near))
            if fits > after + _MORE:
                end, after = found, fits
    return fine.above(end), before, after


def _uncovered(layers: Layers, motion: Motion) -> bool:
    """Whether the edit shows ground where the product went away from, and none where it came to."""
    height, width = layers.cover.shape
    moved, render = _moved(layers.cover, motion), _moved(layers.render, motion)
    blur = _BLUR * max(height, width) / 256
    # the edit may be of another tone, and light the product otherwise
    ground = layers.base * _gain(layers.edit, layers.base, (1 - moved) * (1 - layers.cover))
    gain = _gain(layers.edit, render, moved)
    edit, base, at, to = (
        smooth(np.asarray(values, np.float32), blur)
        for values in (
            layers.edit,
            ground,
            _over(ground, np.asarray(layers.render * gain, np.float32), layers.cover),
            _over(ground, np.asarray(render * gain, np.float32), moved),
        )
    )
    gone, come = np.maximum(layers.cover - moved, 0), np.maximum(moved - layers.cover, 0)
    for where, product, empty in ((gone, at, to), (come, to, at)):
        seen, most, least = (float((_apart(one, base) * where).sum()) for one in (edit, product, empty))
        area = float(where.sum())
        if area < _EDGE * layers.cover.sum() or most - least < _TELLS * area:
            continue
        share = (seen - least) / (most - least)
        if share > 1 - _DOUBT if where is gone else share < _DOUBT:
            return False
    return True


def _over(ground: Floats, product: Floats, cover: Floats) -> Floats:
    return np.asarray(ground + (product - ground) * cover[..., None], np.float32)


def _gain(seen: Floats, values: Floats, weight: Floats) -> Floats:
    """By what a picture's channels must be multiplied to be most like what is seen."""
    share = weight[..., None]
    energy = np.maximum((values * values * share).sum((0, 1)), 1e-6)
    return np.asarray(np.clip((seen * values * share).sum((0, 1)) / energy, 0.4, 2.5), np.float32)


def _apart(one: Floats, base: Floats) -> Floats:
    """Squared difference from the ground in whatever shadow makes it least."""
    dark = np.clip((one * base).sum(-1) / np.maximum((base * base).sum(-1), 1e-6), 0.35, 1.0)
    return np.asarray(((one - base * dark[..., None]) ** 2).sum(-1), np.float32)


def _starts(level: _Level, still: Motion, reach: float) -> list[Motion]:
    """The few places and poses that look most like the product, best first."""
    width = round(reach * level.factor)
    seen = cv2.copyMakeBorder(level.edit, width, width, width, width, cv2.BORDER_REPLICATE)
    found = []
    for scale, degrees in _POSES:
        posed = replace(still, scale=scale, degrees=degrees)
        cover = _moved(level.cover, posed)
        picture = _over(level.base, _moved(level.render, posed), cover)
        mask = np.repeat(cv2.dilate(cover, np.ones((3, 3)))[..., None], 3, 2)
        scores = cv2.matchTemplate(seen, picture, cv2.TM_CCOEFF_NORMED, mask=mask)
        _, best, _, (x, y) = cv2.minMaxLoc(np.nan_to_num(scores, nan=-1, posinf=-1, neginf=-1))
        found.append((best, replace(posed, shift=(float(x - width), float(y - width)))))
    found.sort(key=lambda one: -one[0])
    return [motion for _, motion in found[:_TRIED]]


@dataclass(frozen=True)
class _Level:
    """The surroundings of the product at some size, gamma encoded, and their lumas."""

    factor: float
    corner: tuple[int, int]
    edit: Floats
    base: Floats
    render: Floats
    cover: Floats
    light: Floats
    edit_luma: Floats
    base_luma: Floats
    render_luma: Floats
    seen: NDArray[np.complex64]

    @staticmethod
    def of(layers: Layers, cut: tuple[slice, slice], factor: float) -> _Level:
        edit, base, render, cover, light = (
            _shrunk(values[cut], factor)
            for values in (layers.edit, layers.base, layers.render, layers.cover, layers.light)
        )
        lumas = _luma(edit), _luma(base), _luma(render)
        corner = cut[1].start, cut[0].start
        light = np.asarray(np.power(light, 1 / 2.2), np.float32)
        return _Level(factor, corner, edit, base, render, cover, light, *lumas, _gradients(lumas[0]))

    def below(self, motion: Motion) -> Motion:
        """A motion of the edit, in this level's pixels."""
        (x, y), (left, top) = motion.centre, self.corner
        return replace(motion, centre=(x - left, y - top)).at(self.factor)

    def above(self, motion: Motion) -> Motion:
        """A motion of this level, in the edit's pixels."""
        there = motion.at(1 / self.factor)
        (x, y), (left, top) = there.centre, self.corner
        return replace(there, centre=(x + left, y + top))

    def fit(self, motion: Motion) -> float:
        """Correlation of gradients around the product, as rendered and as moved."""
        wanted, where = self._made(motion)
        return _correlation(wanted[where], self.seen[where])

    def closer(self, start: Motion, fits: float) -> tuple[Motion, float]:
        """Gauss and Newton's way to the best fit nearby, and its correlation."""
        radius = max(float(np.sqrt((self.cover > 0.5).sum() / np.pi)), 4.0)
        best, most, now = start, fits, start
        for _ in range(_STEPS):
            change = self._step(now, radius)
            if change is None:
                break
            now = _nudged(now, change, radius)
            if not (0.8 < now.scale < 1.25 and abs(now.degrees) < 15):
                break
            fits = self.fit(now)
            if fits > most:
                best, most = now, fits
            if np.abs(change).max() < _SETTLED:
                break
        return best, most

    def _step(self, now: Motion, radius: float) -> NDArray[np.float64] | None:
        """By how much to move on; None where the edit is nothing like the product there."""
        wanted, where = self._made(now)
        columns = [wanted[where]]
        for k in range(4):
            other = self._made(_nudged(now, 0.5 * np.eye(4)[k], radius))[0]
            columns.append((other[where] - wanted[where]) / 0.5)
        table = np.stack([np.concatenate([one.real, one.imag]) for one in columns], 1).astype(np.float64)
        seen = np.concatenate([self.seen[where].real, self.seen[where].imag])
        normal = table.T @ table
        normal[1:, 1:] += np.eye(4) * _STIFF * normal[0, 0]
        solution = np.linalg.solve(normal + np.eye(5) * 1e-9, table.T @ seen)
        if solution[0] < 0.05:
            return None
        return np.asarray(np.clip(solution[1:] / solution[0], -3, 3))

    def _made(self, motion: Motion) -> tuple[NDArray[np.complex64], NDArray[np.bool_]]:
        """Gradients of what the edit would be with the product there, and what counts of them."""
        cover = _moved(self.cover, motion)
        render = _moved(self.render_luma, motion)
        inside = render * cover
        gain = float((inside * self.edit_luma).sum()) / max(float((inside * render).sum()), 1e-6)
        ground = self.base_luma * _moved(self.light, motion, 1.0)
        made = ground + (render * np.float32(np.clip(gain, 0.4, 2.5)) - ground) * cover
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
        around = cv2.dilate(np.maximum(cover, self.cover), kernel) > 0.5
        return _gradients(np.asarray(made, np.float32)), around


def _moved(values: Floats, motion: Motion, beyond: float | None = None) -> Floats:
    """Values where a motion takes them; None: they go on beyond the frame, as a cut off product does.

    Not linear: that blurs off the grid of pixels, where a soft edit would then seem to fit best.
    """
    border = cv2.BORDER_REPLICATE if beyond is None else cv2.BORDER_CONSTANT
    size, fill = (values.shape[1], values.shape[0]), (beyond or 0.0,) * 4
    moved = cv2.warpAffine(
        values, motion.matrix, size, flags=cv2.INTER_CUBIC, borderMode=border, borderValue=fill
    )
    return np.asarray(np.clip(moved, 0, 1), np.float32)


def _nudged(motion: Motion, change: NDArray[np.float64], radius: float) -> Motion:
    """Moved on by pixels: right, down, outwards and clockwise at the radius."""
    (x, y), (right, down, out, turn) = motion.shift, (float(value) for value in change)
    return replace(
        motion,
        shift=(x + right, y + down),
        scale=motion.scale * float(np.exp(out / radius)),
        degrees=motion.degrees + float(np.rad2deg(turn / radius)),
    )


def _shrunk(values: Floats, factor: float) -> Floats:
    part = np.ascontiguousarray(values)
    if factor == 1:
        return part
    return np.asarray(cv2.resize(part, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.float32)


def _luma(colours: Floats) -> Floats:
    return np.asarray(colours @ np.array([0.299, 0.587, 0.114], np.float32), np.float32)


def _gradients(luma: Floats) -> NDArray[np.complex64]:
    """Of the logarithm, across real and down imaginary."""
    logs = np.log(cv2.GaussianBlur(luma, (0, 0), _BLUR) + np.float32(0.03))
    across, down = cv2.Sobel(logs, cv2.CV_32F, 1, 0), cv2.Sobel(logs, cv2.CV_32F, 0, 1)
    return np.asarray(across + 1j * down, np.complex64)


def _correlation(one: NDArray[np.complex64], other: NDArray[np.complex64]) -> float:
    energy = float(np.sqrt(float(np.vdot(one, one).real) * float(np.vdot(other, other).real)))
    return float(np.vdot(one, other).real) / (energy + 1e-6)

"""What the looks share: the candidate beside the picture that was to be expected."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np

from packline.scorecard import Evidence
from scoring.check import Bools, CheckInput, Floats, box_evidence
from scoring.style import SMALL

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
# pixels from the product's outline from which the scene is looked at
AWAY = 12.0
# keeps the gain of dark places finite, grey levels
_BLACK = np.float32(12)
_MIDDLE = np.zeros(1, np.float32)
# pixels of a texture that say enough about it
_LEAST_TEXTURE = 3000
# times that a place may be darker than the base photo for its texture to be told from a blurred one
_DARKEST = np.float32(3.0)


@dataclass(frozen=True)
class Sight:
    """One candidate beside its base photo under the candidate's style, and its render in place.

    Styles are taken off because a warm evening over the whole picture is no defect of the picture.
    """

    one: CheckInput = field(repr=False)

    @property
    def small(self) -> Floats:
        """The candidate, float32 (256, 256, 3)."""
        return self.one.ground.picture

    @property
    def small_expected(self) -> Floats:
        """The base photo under the candidate's style, float32 (256, 256, 3)."""
        return self.one.ground.expected

    @property
    def base(self) -> Floats:
        """The base photo, float32 (256, 256, 3)."""
        return self.one.ground.base

    @cached_property
    def expected(self) -> Floats:
        """Luma of the base photo under the candidate's style, float32 (H, W).

        The style is fitted as a curve of the luma and a gain that varies slowly over the picture, which costs
        a table look-up instead of a polynomial in every channel of every pixel.
        """
        before, after = self.base @ _LUMA, self.small_expected @ _LUMA
        # the style's curve of grey, in the picture's middle
        greys = np.repeat(np.arange(256, dtype=np.float32)[:, None], 3, axis=1)
        table = np.asarray(self.one.style.at(greys, _MIDDLE, _MIDDLE) @ _LUMA, np.float32)
        curved = cv2.LUT(before.clip(0, 255).astype(np.uint8), table)
        gain = (after + _BLACK) / (curved + _BLACK)
        height, width = self.one.base_grey.shape
        styled = cv2.LUT(self.one.base_grey.astype(np.uint8), table)
        gain = cv2.resize(cv2.blur(gain, (9, 9)), (width, height))
        return np.asarray((styled + _BLACK) * gain - _BLACK, np.float32)

    @cached_property
    def difference(self) -> Floats:
        """Candidate less `expected`, float32 (H, W): zero in an untouched scene."""
        return self.one.grey - self.expected

    def texture_left(self, low: float, high: float, unknown: float) -> float:
        """What share of the base photo's texture the candidate's scene still has.

        The slope of the one on the other, which noise does not raise, in a band of about 5 to 15 px.

        Parameters
        ----------
        low, high
            Amplitudes of the texture that is asked for, grey levels: codecs wipe away the faint.
        unknown
            The answer where the base photo has hardly any such texture.
        """
        known, seen, amplitude = self._textures
        there = (amplitude > low) & (amplitude < high)
        if int(there.sum()) < _LEAST_TEXTURE:
            return unknown
        a, b = known[there], seen[there]
        return float(np.dot(a, b) / np.dot(a, a))

    @cached_property
    def _textures(self) -> tuple[Floats, Floats, Floats]:
        known, seen = _band(self.expected), _band(self.one.grey) * _lit(self.expected, self.one.grey)
        return known, seen, kept(np.asarray(cv2.blur(np.abs(known), (15, 15)), np.float32), self.away)

    @cached_property
    def away(self) -> Bools:
        """The scene without the product, where it should be and where it is, bool (H, W); with its shadow."""
        height, width = self.one.grey.shape
        there = cv2.resize(self.one.ground.away, (width, height), interpolation=cv2.INTER_NEAREST)
        return np.asarray((self.one.distance > AWAY) & (there > 3))

    @cached_property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns around the product in the candidate."""
        return self.one.crop(24)

    @cached_property
    def render(self) -> Floats:
        """The render's luma in `window`, moved to where the candidate has the product, float32."""
        return self._moved(self.one.render_grey, cv2.BORDER_REPLICATE)

    @cached_property
    def composed(self) -> Floats:
        """What was to be expected in `window`: `render` before the base photo, luma, float32."""
        colour, mask = self.one.shown
        cover = self._moved(mask.astype(np.float32), cv2.BORDER_REPLICATE) / np.float32(255)
        render = self.render
        if mask is not self.one.scene.mask:  # something is see-through
            grey = cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY).astype(np.float32)
            render = self._moved(grey, cv2.BORDER_REPLICATE)
        return np.asarray(render * cover + self.expected[self.window] * (1 - cover), np.float32)

    @cached_property
    def depth_inside(self) -> Floats:
        """Pixels into the product from its outline in `window`, as the candidate has it; negative outside."""
        return -self._moved(self.one.distance, cv2.BORDER_REPLICATE)

    def _moved(self, values: Floats, border: int) -> Floats:
        rows, columns = self.window
        matrix = self.one.registration.matrix
        if np.array_equal(matrix, np.eye(3)):
            return values[rows, columns]
        shift = np.array([[1, 0, -columns.start], [0, 1, -rows.start], [0, 0, 1.0]])
        back = np.linalg.inv(shift)
        size = (columns.stop - columns.start, rows.stop - rows.start)
        cut = np.ascontiguousarray(values[rows, columns])
        return np.asarray(
            cv2.warpPerspective(cut, shift @ matrix @ back, size, borderMode=border), np.float32
        )

    @property
    def scale(self) -> tuple[float, float]:
        """Candidate pixels to a pixel of the small pictures, across and down."""
        height, width = self.one.grey.shape
        return width / SMALL, height / SMALL

    def box(self, words: str) -> Evidence:
        """A box around where the product should be."""
        return box_evidence(words, *self.one.box)

    def box_found(self, words: str) -> Evidence:
        """A box around the product where the candidate has it."""
        left, top, right, bottom = self.one.box
        height, width = self.one.grey.shape
        corners = self.one.in_candidate([(left, top), (right, top), (right, bottom), (left, bottom)])
        x, y = np.clip(np.array(corners), 0, (width, height)).T
        return box_evidence(words, x.min(), y.min(), x.max(), y.max())


def kept(values: Floats, where: Bools) -> Floats:
    """The values where they count, 0 elsewhere."""
    return np.asarray(cv2.copyTo(values, where.view(np.uint8)), np.float32)


def _lit(expected: Floats, seen: Floats) -> Floats:
    """By how much each place must be brightened for its shadow to be gone, at least 1, float32 (H, W).

    A shadow takes texture and ground down alike: that is no blur.
    """
    size = 2 * (seen.shape[0] // 40) + 1
    wanted, have = (cv2.blur(one, (size, size)) for one in (expected, seen))
    return np.asarray(np.clip((wanted + 1) / (have + 1), 1, _DARKEST), np.float32)


def _band(grey: Floats) -> Floats:
    fine = np.asarray(cv2.GaussianBlur(grey, (0, 0), 1.0), np.float32)
    fine -= cv2.GaussianBlur(grey, (0, 0), 2.5)
    return fine

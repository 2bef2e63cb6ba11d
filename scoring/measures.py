"""Measured values: what house rules may ask about a picture, each under a name.

All are taken from the candidate itself; the truth only says where to look. Where the product stands is what
registration found, not what was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.colour import ciede2000, to_lab, to_linear
from packline.scorecard import Verdict
from scoring.check import Bools, CheckInput, Floats
from scoring.expressions import Function, Kind, Partly, WrongExpression

# pictures are looked at as a whole at this many pixels on the longer side
_SMALL = 256
# a label's share in view from which its height counts
_SHOWN = 0.5
# part of the ground's light from which a pixel lies outside the shadow, and up to which deep in it
_UNSHADOWED, _DEEP = 250, 215
# pixels of a part that are enough to tell its colour
_FEW = 60
# the checks that read: between them they look at the whole picture
_READERS = ("text_orientation", "extra_text")


class DoesNotApply(Exception):
    """The picture has nothing of which the value could be taken; ``str(error)`` is a clause."""


class CannotTell(Exception):
    """The value was not taken; ``str(error)`` is a clause."""


class PartlyRead(CannotTell, Partly):
    """Not every text check ran; what is known is what the others read."""


@dataclass(frozen=True)
class Measured:
    """What can be measured on one candidate, each value when it is first asked for.

    Parameters
    ----------
    one
        The candidate with its truth and with what the other checks said.
    """

    one: CheckInput

    @cached_property
    def mask(self) -> Bools:
        """Where the candidate shows the product, bool (H, W)."""
        matrix = self.one.registration.matrix
        if np.array_equal(matrix, np.eye(3)):
            return self.one.inside
        size = self.one.scene.mask.shape[1::-1]
        return np.asarray(cv2.warpPerspective(self.one.scene.mask, matrix, size) > 127)

    @cached_property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom of the product in pixels."""
        x, y, w, h = cv2.boundingRect(self.mask.astype(np.uint8))
        if not w:
            raise DoesNotApply("the product is not in view")
        return int(x), int(y), int(x + w), int(y + h)

    @cached_property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture."""
        height, width = self.one.scene.mask.shape
        return int(width), int(height)

    @cached_property
    def lightness(self) -> Floats:
        """CIELAB lightness of the whole picture, small, float32 (h, w), 0 to 100."""
        scale = min(1.0, _SMALL / max(self.size))
        small = cv2.resize(self.one.candidate, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[..., 0])

    def _small(self, where: Bools) -> Bools:
        """Cells of `lightness` that lie wholly in `where`."""
        size = self.lightness.shape[1::-1]
        share = cv2.resize(where.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        return np.asarray(share > 0.999)

    @cached_property
    def background(self) -> Floats:
        """Lightness outside the product and its shadow, 0 to 100."""
        near = cv2.dilate(self.mask.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
        found = self.lightness[self._small(~near & (self.one.scene.shadow >= _UNSHADOWED))]
        if found.size < _FEW:
            raise DoesNotApply("the product fills the picture")
        return found

    @cached_property
    def product_lightness(self) -> float:
        found = self.lightness[self._small(self.mask)]
        if found.size < 4:
            raise DoesNotApply("the product is too small in the picture")
        return float(found.mean())

    @cached_property
    def sharpness(self) -> float:
        """Fine detail inside the product against the render's."""
        inside = self.one.distance < -4
        if inside.sum() < _FEW:
            raise DoesNotApply("the product is too small in the picture")
        seen, wanted = (_detail(grey, inside) for grey in (self.one.aligned_grey, self.one.render_grey))
        if wanted < 0.5:
            raise CannotTell("the product has no fine detail to be sharp")
        return seen / wanted

    @cached_property
    def shadow(self) -> float:
        """The share of the ground's light that is missing where the shadow should be deepest."""
        outside = self.one.distance > 3
        deep = outside & (self.one.scene.shadow < _DEEP)
        lit = outside & (self.one.scene.shadow >= _UNSHADOWED)
        if deep.sum() < _FEW or lit.sum() < _FEW:
            raise DoesNotApply("the product should cast no shadow here")
        luma = np.array([0.2126, 0.7152, 0.0722], np.float32)
        kept = []
        for where in (deep, lit):
            pair = [
                to_linear(picture[where]) @ luma + 1e-3 for picture in (self.one.candidate, self.one.base)
            ]
            kept.append(float(np.median(pair[0] / pair[1])))
        return 1 - kept[0] / kept[1]

    @cached_property
    def text_height(self) -> float:
        """Pixels of the smallest label's line of text."""
        shown = [label for label in self.one.scene.labels if label.visible >= _SHOWN and label.height > 0]
        if not shown:
            raise DoesNotApply("the view shows no label")
        return min(label.height * self._scale(label.quad) for label in shown)

    def _scale(self, points: tuple[tuple[float, float], ...]) -> float:
        """How many times as large as in its render the candidate shows what lies between these points."""
        before = cv2.contourArea(np.asarray(points, np.float32))
        after = cv2.contourArea(np.asarray(self.one.in_candidate(points), np.float32))
        return float(np.sqrt(after / before)) if before > 0 else 1.0

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """What the labels in view say by the truth."""
        return tuple(label.visible_text or label.text for label in self.one.scene.labels)

    @cached_property
    def text_read(self) -> tuple[str, ...]:
        """What the text checks read in the candidate.

        Raises
        ------
        PartlyRead
            Where one of them did not run.
        """
        if self._unread:
            raise PartlyRead(self._unread, self._read)
        return self._read

    @cached_property
    def text(self) -> str:
        """What the labels say and what was read, one line each; raises as `text_read`."""
        known = "\n".join((*self.labels, *self._read))
        if self._unread:
            raise PartlyRead(self._unread, known)
        return known

    @cached_property
    def _unread(self) -> str:
        """Which text check did not run, as a clause; empty where all did."""
        verdicts = {result.check: result.verdict for result in self.one.results}
        for name in _READERS:
            if name not in verdicts:
                return f"the check {name.replace('_', ' ')} is disabled"
            if verdicts[name] == Verdict.ERROR:
                return f"the check {name.replace('_', ' ')} could not run"
        return ""

    @cached_property
    def _read(self) -> tuple[str, ...]:
        read = (
            str(evidence.data.get("read") or "")
            for result in self.one.results
            for evidence in result.evidence
            if "read" in evidence.data
        )
        return tuple(dict.fromkeys(text for text in read if text))

    def of_check(self, name: str) -> float:
        """Another check's measure, ``check.measure``; ``check.score`` is its score.

        Raises
        ------
        CannotTell
            Where the check did not run or did not measure that.
        """
        check, _, measure = name.partition(".")
        found = next((result for result in self.one.results if result.check == check), None)
        if found is None:
            raise CannotTell(f"the check {check.replace('_', ' ')} is disabled")
        known = {**found.measures, "score": found.score}
        if measure not in known:
            raise CannotTell(f"{check} measured no {measure} here, only {', '.join(sorted(known))}")
        return known[measure]

    def delta_e(self, part: str, colour: str) -> float:
        """CIEDE2000 between a part's colour in the candidate and one that is named.

        The light of the scene is taken off as the truth knows it: what is compared is the colour that the
        part would have to be made of to look as it does.

        Parameters
        ----------
        part
            A part's name, "product" for all of it, or "background".
        colour
            ``"#rrggbb"``.
        """
        wanted = hex_lab(colour)
        if part.casefold() == "background":
            return float(ciede2000(self._background_lab, wanted))
        return float(ciede2000(self._part_lab(part), wanted))

    @cached_property
    def _background_lab(self) -> NDArray[np.float64]:
        near = cv2.dilate(self.mask.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
        where = ~near & (self.one.scene.shadow >= _UNSHADOWED)
        if where.sum() < _FEW:
            raise DoesNotApply("the product fills the picture")
        return to_lab(np.median(to_linear(self.one.candidate[where][::7]), 0))

    def _part_lab(self, part: str) -> NDArray[np.float64]:
        names = {one.part.casefold(): one.index for one in self.one.scene.colours}
        where = self.one.distance < -2
        if part.casefold() in names:
            index = names[part.casefold()]
            same = (self.one.scene.parts == index).astype(np.uint8)
            where &= cv2.erode(same, np.ones((5, 5), np.uint8)) > 0
        elif part.casefold() != "product":
            known = ", ".join(sorted(one.part for one in self.one.scene.colours)) or "none"
            raise DoesNotApply(f"the product has no part {part} (its parts: {known})")
        if where.sum() < _FEW:
            raise DoesNotApply(f"the view hardly shows the part {part}")
        seen, lit, own = (
            to_linear(picture[where])
            for picture in (self.one.aligned, self.one.scene.colour, self.one.scene.albedo)
        )
        # each pixel's own light; where the render is black nothing can be said of it
        told = (lit > 0.004).all(-1)
        if told.sum() < _FEW:
            raise CannotTell(f"the part {part} lies in the dark")
        made = seen[told] * (own[told] + 0.002) / (lit[told] + 0.002)
        return to_lab(np.clip(np.median(made, 0), 0, 1))


def _detail(grey: Floats, where: Bools) -> float:
    """Standard deviation of what is finer than two pixels, in grey levels."""
    fine = cv2.GaussianBlur(grey, (0, 0), 0.7) - cv2.GaussianBlur(grey, (0, 0), 2.0)
    return float(fine[where].std())


def hex_lab(colour: str) -> NDArray[np.float64]:
    """CIELAB of ``"#rrggbb"``."""
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
        raise WrongExpression(f"{colour!r} is no colour; write it as '#rrggbb'")
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], np.uint8)
    return to_lab(to_linear(rgb))


@dataclass(frozen=True)
class Measure:
    """A value that a rule may ask for.

    Parameters
    ----------
    words
        What it is, with its unit, for the documentation and for whoever mistypes it.
    """

    kind: Kind
    words: str
    take: Callable[[Measured], object]


MEASURES: dict[str, Measure] = {
    "margin_left": Measure(
        "number", "share of the width left of the product", lambda m: m.box[0] / m.size[0]
    ),
    "margin_right": Measure("number", "share right of it", lambda m: 1 - m.box[2] / m.size[0]),
    "margin_top": Measure("number", "share of the height above it", lambda m: m.box[1] / m.size[1]),
    "margin_bottom": Measure("number", "share below it", lambda m: 1 - m.box[3] / m.size[1]),
    "product_share": Measure("number", "share of the frame that it covers", lambda m: float(m.mask.mean())),
    "product_width": Measure(
        "number", "its width as a share of the frame's", lambda m: (m.box[2] - m.box[0]) / m.size[0]
    ),
    "product_height": Measure(
        "number", "its height as a share of the frame's", lambda m: (m.box[3] - m.box[1]) / m.size[1]
    ),
    "centre_x": Measure(
        "number", "where its middle lies, 0 left to 1 right", lambda m: (m.box[0] + m.box[2]) / 2 / m.size[0]
    ),
    "centre_y": Measure(
        "number", "where its middle lies, 0 top to 1 bottom", lambda m: (m.box[1] + m.box[3]) / 2 / m.size[1]
    ),
    "aspect": Measure("number", "width of the picture over its height", lambda m: m.size[0] / m.size[1]),
    "width": Measure("number", "of the picture, pixels", lambda m: float(m.size[0])),
    "height": Measure("number", "of the picture, pixels", lambda m: float(m.size[1])),
    "background_brightness": Measure(
        "number",
        "mean CIELAB lightness outside product and shadow, 0 to 100",
        lambda m: float(m.background.mean()),
    ),
    "background_evenness": Measure(
        "number",
        "1 less a hundredth of what the 5th and the 95th percentile of that lightness differ by",
        lambda m: 1 - float(np.diff(np.percentile(m.background, (5, 95)))[0]) / 100,
    ),
    "product_brightness": Measure(
        "number", "mean CIELAB lightness of the product, 0 to 100", lambda m: m.product_lightness
    ),
    "sharpness": Measure(
        "number", "fine detail of the product over its render's; 1 is as sharp", lambda m: m.sharpness
    ),
    "shadow_strength": Measure(
        "number", "share of light that the shadow takes where it should be deepest", lambda m: m.shadow
    ),
    "text_height": Measure("number", "line height of the smallest label, pixels", lambda m: m.text_height),
    "labels": Measure("list", "what the labels in view say, by the 3D model", lambda m: m.labels),
    "text_read": Measure("list", "what the text checks read", lambda m: m.text_read),
    "text": Measure("text", "all of both, one line each", lambda m: m.text),
    "sku": Measure("text", "the product's", lambda m: m.one.sku),
    "scene": Measure("text", "the scene's name", lambda m: m.one.place),
    "title": Measure("text", "the product's title", lambda m: m.one.words.product),
}


FUNCTIONS: dict[str, Function] = {"delta_e": Function(("text", "text"), Measured.delta_e, vet=hex_lab)}
"""What rules may call besides the built-in functions: methods of `Measured`."""

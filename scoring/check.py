"""What every check is given, what it is, and what it answers with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from packline.candidate import read_picture
from packline.reference import Picture, Reference
from packline.scorecard import CheckResult, Evidence, Verdict
from scoring.ground import Ground
from scoring.registration import Registration, register
from scoring.see_through import glass_of, with_background
from scoring.style import Style, fit_style, small, surroundings

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class PromptWords:
    """What the picture is meant to show, and what else it might show instead.

    Parameters
    ----------
    product, scene
        As the prompt says them ("a red low-top shoe", "on a pale stone slab").
    other_products, other_scenes
        The words of other products and scenes of the catalog: the distractors.
    """

    product: str = ""
    scene: str = ""
    other_products: tuple[str, ...] = ()
    other_scenes: tuple[str, ...] = ()


@dataclass(frozen=True)
class CheckInput:
    """One candidate beside everything that is known to be true about it.

    Parameters
    ----------
    candidate
        The edited picture, sRGB, uint8 (H, W, 3). An empty array (0, 0, 3) where the file cannot be decoded.
    base
        The scene's base photo, same shape.
    scene
        The reference in the scene's own camera: what this very picture should show.
    references
        All references, canonical views included.
    words
        The prompt's words.
    sku, place
        The product's SKU and the scene's name, as the catalog has them; empty where unknown.
    results
        What the other checks said of this candidate, for house rules, which come last.
    """

    candidate: Picture
    base: Picture
    scene: Reference
    references: tuple[Reference, ...] = ()
    words: PromptWords = field(default_factory=PromptWords)
    sku: str = ""
    place: str = ""
    results: tuple[CheckResult, ...] = ()

    def knowing(self, results: Sequence[CheckResult]) -> CheckInput:
        """The same candidate with what the other checks said; all that was measured on it is kept."""
        # a copy takes the cached properties along, which dataclasses.replace would measure again
        known = copy(self)
        object.__setattr__(known, "results", tuple(results))
        return known

    @property
    def problem(self) -> str:
        """Why no check can look at this candidate, as a sentence; empty where all is well."""
        picture = np.asarray(self.candidate)
        if picture.size == 0:
            return "The picture cannot be decoded."
        if picture.dtype != np.uint8:
            broken = np.issubdtype(picture.dtype, np.floating) and not np.isfinite(picture).all()
            return (
                f"The picture holds {'NaN or infinite' if broken else picture.dtype} values, not 8-bit ones."
            )
        wanted = self.scene.mask.shape
        if picture.ndim != 3 or picture.shape != (*wanted, 3):
            size = " x ".join(str(n) for n in picture.shape[1::-1])
            return f"The picture is {size} px; it should be {wanted[1]} x {wanted[0]} px in RGB."
        if self.base.shape != picture.shape:
            return "The base photo and the picture differ in size."
        return ""

    @cached_property
    def grey(self) -> Floats:
        """The candidate's luma (Rec. 601 on sRGB values), float32 (H, W), 0 to 255."""
        return cv2.cvtColor(self.candidate, cv2.COLOR_RGB2GRAY).astype(np.float32)

    @cached_property
    def base_grey(self) -> Floats:
        """The base photo's luma, float32 (H, W), 0 to 255."""
        return cv2.cvtColor(self.base, cv2.COLOR_RGB2GRAY).astype(np.float32)

    @cached_property
    def inside(self) -> Bools:
        """Where the product should be, bool (H, W)."""
        return np.asarray(self.scene.mask > 127)

    @cached_property
    def distance(self) -> Floats:
        """Pixels to the product's outline, float32 (H, W): positive outside, negative inside."""
        inside = self.inside.view(np.uint8)
        found = np.asarray(cv2.distanceTransform(1 - inside, cv2.DIST_L2, 3), np.float32)
        # what lies nearest to a place inside is in the product's box or right beside it
        box = self.crop(1)
        found[box] -= cv2.distanceTransform(np.ascontiguousarray(inside[box]), cv2.DIST_L2, 3)
        return found

    @cached_property
    def render_grey(self) -> Floats:
        """The lit render's luma, float32 (H, W), 0 to 255."""
        return cv2.cvtColor(self.scene.colour, cv2.COLOR_RGB2GRAY).astype(np.float32)

    @cached_property
    def surroundings(self) -> Bools:
        """The scene without product and shadow, bool (256, 256); see `scoring.style.surroundings`."""
        return surroundings(self.scene.mask, self.scene.shadow)

    @cached_property
    def style(self) -> Style:
        """What was done to the whole picture, measured on the scene outside product and shadow."""
        return fit_style(*self._small, self.surroundings)

    @cached_property
    def registration(self) -> Registration:
        """Where the candidate put the product, against the render."""
        return register(self.render_grey, self.grey, self.distance, self.box, self.base_grey)

    @cached_property
    def ground(self) -> Ground:
        """The scene around the product beside the base photo, small; see `scoring.ground`."""
        found = self.registration
        # what hardly agrees was not found: the product is another one, but the scene may be right
        trusted = found.agreement is None or found.agreement > 0.35
        matrix = found.matrix if trusted else np.eye(3)
        return Ground(*self._small, self.style, self.scene, np.asarray(matrix, float))

    @cached_property
    def _small(self) -> tuple[Floats, Floats]:
        """Base photo and candidate as `scoring.style.small` has them."""
        return small(self.base), small(self.candidate)

    @cached_property
    def aligned(self) -> Picture:
        """The candidate with the product moved to where the render has it, sRGB, uint8 (H, W, 3)."""
        return self._with_product(self.candidate)

    @cached_property
    def shown(self) -> tuple[Picture, Picture]:
        """The render and its coverage with the scene behind what is see-through (`scoring.see_through`)."""
        scene = self.scene
        if not glass_of(scene.mask).any():
            return scene.colour, scene.mask
        return with_background(scene.colour, scene.mask, self._with_product(self.base), scene.shadow)

    def _with_product(self, picture: Picture) -> Picture:
        matrix = self.registration.matrix
        if np.array_equal(matrix, np.eye(3)):
            return picture
        size = (picture.shape[1], picture.shape[0])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        moved = cv2.warpPerspective(picture, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(moved, np.uint8)

    @cached_property
    def aligned_grey(self) -> Floats:
        """Luma of `aligned`, float32 (H, W), 0 to 255."""
        return cv2.cvtColor(self.aligned, cv2.COLOR_RGB2GRAY).astype(np.float32)

    def in_candidate(self, points: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
        """Where points of the render lie in the candidate, pixels."""
        moved = (
            np.column_stack([np.asarray(points, float), np.ones(len(points))]) @ self.registration.matrix.T
        )
        return tuple((float(x / w), float(y / w)) for x, y, w in moved)

    @cached_property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom of the product's mask in pixels; all 0 where the mask is empty."""
        x, y, w, h = cv2.boundingRect(self.scene.mask)
        return int(x), int(y), int(x + w), int(y + h)

    def crop(self, pad: int) -> tuple[slice, slice]:
        """Rows and columns of the product's box, `pad` pixels wider on every side, within the picture."""
        left, top, right, bottom = self.box
        height, width = self.scene.mask.shape
        return slice(max(0, top - pad), min(height, bottom + pad)), slice(
            max(0, left - pad), min(width, right + pad)
        )


class CheckSettings(BaseModel):
    """What every check's table ``[checks.<name>]`` has; a check adds its own keys.

    Parameters
    ----------
    threshold
        The score, 0 to 1, under which a candidate fails.
    sure
        The score, at least `threshold`, from which it passes; between the two the check cannot tell. None: it
        is sure from the threshold.
    enabled
        False leaves the check out of the scorecard.
    unverifiable
        What a shot needs where the check cannot tell: a "person" or a "close-up" (either holds the candidate
        back and says so), or nothing: "pass".
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    threshold: float = Field(ge=0, le=1)
    sure: float | None = Field(None, ge=0, le=1)
    enabled: bool = True
    unverifiable: Literal["person", "close-up", "pass"] = "person"

    @property
    def enough(self) -> float:
        """The score from which nothing is to be pointed at: `sure`, else `threshold`."""
        return self.threshold if self.sure is None else self.sure

    @model_validator(mode="after")
    def _in_order(self) -> CheckSettings:
        if self.sure is not None and self.sure < self.threshold:
            raise ValueError(f"sure = {self.sure} lies under the threshold, {self.threshold}")
        return self

    def facts(self) -> dict[str, Any]:
        """All that the check's results depend on besides its pictures, as plain data for fingerprints."""
        return self.model_dump()


Judge = Callable[[Sequence[CheckInput], Any], list[CheckResult]]


@dataclass(frozen=True)
class Check:
    """A dimension on which a candidate is judged.

    Parameters
    ----------
    name
        As in the settings and on the scorecard.
    version
        Changes whenever the results may.
    settings
        The model of the table ``[checks.<name>]``.
    defaults
        The table that is used where the catalog's settings have none.
    judge
        The pure function: inputs and settings to one result an input, in order. It gets a whole chunk at
        once, so that pictures are encoded and labels recognised in one batch.
    """

    name: str
    version: str
    settings: type[CheckSettings]
    defaults: dict[str, Any]
    judge: Judge

    def result(
        self,
        score: float,
        threshold: float,
        sentence: str,
        evidence: tuple[Evidence, ...] = (),
        verdict: Verdict | None = None,
        measures: Mapping[str, float] | None = None,
    ) -> CheckResult:
        """Build a result; without `verdict` the score against the threshold decides."""
        score = float(np.clip(score, 0.0, 1.0))
        decided = verdict or (Verdict.PASS if score >= threshold else Verdict.FAIL)
        return CheckResult(
            self.name,
            self.version,
            decided,
            score,
            threshold,
            sentence,
            evidence,
            measures={name: float(value) for name, value in (measures or {}).items()},
        )


def read_candidate(file: Path) -> Picture:
    """Read a candidate's pixels as they would be published (`packline.candidate.read_picture`).

    Returns
    -------
    uint8 (H, W, 3)
        sRGB; an empty array where it cannot be decoded or is of a kind that would not be published.
    """
    try:
        return read_picture(file)
    except (OSError, ValueError):
        return np.zeros((0, 0, 3), np.uint8)


def ramp(value: float, bad: float, good: float) -> float:
    """Score a measured value: 0 at `bad`, 1 at `good`, linear between; `bad` may lie above `good`."""
    return float(np.clip((value - bad) / (good - bad), 0.0, 1.0))


def box_evidence(words: str, left: float, top: float, right: float, bottom: float, **data: Any) -> Evidence:
    """A box in the candidate's pixels."""
    corners = ((float(left), float(top)), (float(right), float(bottom)))
    return Evidence("box", words, corners, data)

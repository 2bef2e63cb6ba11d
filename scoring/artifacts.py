"""Is the picture whole? Defects that show whatever the product is, and a product that is not there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from packline.scorecard import CheckResult, Evidence, Verdict
from scoring.check import Bools, Check, CheckInput, CheckSettings, Floats, box_evidence, ramp
from scoring.registration import SIZE, agreement, gradients, shrunk
from scoring.scene_kept import relit, small, surroundings

# the largest change of a mid-grey that still counts as a style
STYLE_STRENGTH = 0.6

# the FFT's window: small enough to be quick, large enough for a lattice of 16 px to peak
WINDOW = 512
LATTICES = (2, 4, 8, 16)


class ArtifactSettings(CheckSettings):
    """``[checks.artifacts]``.

    Parameters
    ----------
    min_structure
        Correlation of the product's edges with the render's under which it counts as melted; the score is 0.5
        there.
    """

    min_structure: float = Field(0.3, ge=0.05, le=0.9)


@dataclass(frozen=True)
class Finding:
    """One defect looked for: how good the picture is there, 0 to 1, and what to say if it is not."""

    name: str
    score: float
    sentence: str
    evidence: tuple[Evidence, ...] = ()


def judge(inputs: Sequence[CheckInput], settings: ArtifactSettings) -> list[CheckResult]:
    """Look for every defect in every candidate; the worst finding is the score; see `Check.judge`."""
    return [_judge(one, settings) for one in inputs]


def _judge(one: CheckInput, settings: ArtifactSettings) -> CheckResult:
    if one.problem:
        return CHECK.result(0.0, settings.threshold, one.problem, verdict=Verdict.FAIL)
    blank = flat(one)
    if blank.score < settings.threshold:
        # nothing else means anything on an empty picture
        return CHECK.result(blank.score, settings.threshold, blank.sentence, blank.evidence)
    findings = [blank, *(look(one) for look in LOOKS), melted(one, settings.min_structure)]
    worst = min(findings, key=lambda finding: finding.score)
    bad = sorted((f for f in findings if f.score < settings.threshold), key=lambda f: f.score)
    evidence = tuple(item for finding in bad for item in finding.evidence)
    sentence = " ".join(finding.sentence for finding in bad[:3])
    return CHECK.result(
        worst.score, settings.threshold, sentence or "No defects of the picture were found.", evidence
    )


def flat(one: CheckInput) -> Finding:
    """Black, white, or of one colour: what a NaN in the decoder or a safety filter leaves."""
    spread = float(one.grey.std())
    mean = float(one.grey.mean())
    name = "black" if mean < 8 else "white" if mean > 247 else "of one colour"
    return Finding("flat", ramp(spread, 1.0, 8.0), f"The picture is {name}.")


def burnt(one: CheckInput) -> Finding:
    """Clipped or over-saturated against the base photo (and the render, inside the product).

    A style's light over the whole picture (a LoRA's, say) is taken off first, as far as a style goes: a warm
    evening is no fault of the picture, and how far a style may go is `scene_kept`'s to say.
    """
    clipped, saturated = _burn(one.candidate)
    expected = np.asarray(np.where(one.inside[..., None], one.scene.colour, one.base), np.uint8)
    base_clipped, base_saturated = _burn(expected)
    if saturated - base_saturated > 15:
        styled, strength = relit(small(expected), small(one.candidate), surroundings(one))
        if strength < STYLE_STRENGTH:
            base_saturated = max(base_saturated, _burn(np.asarray(styled, np.uint8))[1])
    more_clipped, more_saturated = clipped - base_clipped, saturated - base_saturated
    score = min(ramp(more_clipped, 0.12, 0.02), ramp(more_saturated, 45.0, 15.0))
    what = "clipped to black or white" if more_clipped > 0.05 else "over-saturated"
    return Finding("burn", score, f"The picture is {what} compared with the base photo.")


def _burn(picture: NDArray[np.uint8]) -> tuple[float, float]:
    """Share of clipped pixels, and the 95th percentile of largest less smallest channel; every 2nd pixel."""
    red, green, blue = cv2.split(np.ascontiguousarray(picture[::2, ::2]))
    high, low = cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue)
    clipped = ((high >= 254) & (low >= 250)) | (high <= 2)
    counts = np.bincount((high - low).ravel(), minlength=256).cumsum()
    return float(clipped.mean()), float(np.searchsorted(counts, 0.95 * counts[-1]))


def noisy(one: CheckInput) -> Finding:
    """More noise than the base photo has (Immerkaer 1996, on the median of the response)."""
    more = _noise(one.grey) - _noise(one.base_grey)
    return Finding(
        "noise", ramp(more, 9.0, 2.0), "The picture is noisy: much more grain than the base photo has."
    )


def _noise(grey: Floats) -> float:
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    response = np.abs(cv2.filter2D(grey[::2], -1, kernel))
    return float(np.median(response) * np.sqrt(np.pi / 2) / 6)


def blurred(one: CheckInput) -> Finding:
    """The scene outside the product is softer than the base photo at the base photo's own edges."""
    outside = one.distance[::2, ::2] > 24
    ratio = _sharpness(one.grey[::2, ::2], one.base_grey[::2, ::2], outside)
    score = 1.0 if ratio is None else ramp(ratio, 0.5, 0.95)
    return Finding("blur", score, "The picture is blurred: the scene is softer than in the base photo.")


def soft_product(one: CheckInput) -> Finding:
    """The product is softer than its own render at the render's edges."""
    cut = one.crop(8)
    ratio = _sharpness(one.aligned_grey[cut], one.render_grey[cut], one.distance[cut] < -4)
    score = 1.0 if ratio is None else ramp(ratio, 0.35, 0.8)
    sentence = "The product is soft: its edges are less sharp than the 3D model's render."
    return Finding("soft product", score, sentence, (box_evidence("soft", *one.box),))


def _sharpness(seen: Floats, expected: Floats, where: Bools) -> float | None:
    """How steep the edges of `seen` are next to those of `expected`, 1 is equally steep; None without edges.

    Steepness is the gradient at a fine scale over that at a coarse one, so that light and contrast drop out.
    The picture's edges may lie two pixels beside the expected ones.
    """
    if where.sum() < 500:
        return None
    fine, coarse = _slope(expected, 0.8), _slope(expected, 4.0)
    edges = where & (fine > max(6.0, float(np.percentile(fine[where], 92)))) & (coarse > 1.0)
    if edges.sum() < 150:
        return None
    near = np.ones((5, 5), np.uint8)
    found = cv2.dilate(_slope(seen, 0.8), near)[edges] / (cv2.dilate(_slope(seen, 4.0), near)[edges] + 0.5)
    wanted = cv2.dilate(fine, near)[edges] / (cv2.dilate(coarse, near)[edges] + 0.5)
    return float(np.median(found) / np.median(wanted))


def _slope(grey: Floats, sigma: float) -> Floats:
    smooth = cv2.GaussianBlur(grey, (0, 0), sigma)
    return np.asarray(
        cv2.magnitude(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)) / 4,
        np.float32,
    )


def latticed(one: CheckInput) -> Finding:
    """Regular peaks of the spectrum at periods of 2 to 16 px, as broken decoders leave them."""
    left, top, right, bottom = one.box
    x, y = (left + right) // 2, (top + bottom) // 2
    height, width = one.grey.shape
    side = min(WINDOW, height, width)
    worst, period = 0.0, 0
    for cx in (x, (x + width // 2) % width):
        x0 = int(np.clip(cx - side // 2, 0, width - side))
        y0 = int(np.clip(y - side // 2, 0, height - side))
        cut = np.s_[y0 : y0 + side, x0 : x0 + side]
        # what the base photo and the product's own print have of a pattern is none
        expected = np.where(one.inside[cut], one.render_grey[cut], one.base_grey[cut])
        for lattice, value in _peaks(one.grey[cut] - expected).items():
            if value > worst:
                worst, period = value, lattice
    sentence = f"A regular grid of {period} px lies over the picture, as a broken decoder leaves it."
    return Finding("grid", ramp(worst, 6.2, 3.6), sentence)


def _peaks(difference: Floats) -> dict[int, float]:
    """Standard deviations by which the spectrum rises at each lattice's frequencies over what is around."""
    side = difference.shape[0]
    rest = difference - cv2.GaussianBlur(difference, (0, 0), 3.0)
    # strong edges are content: they would drown a faint lattice
    rest = np.clip(rest, -12, 12)
    window = np.hanning(side).astype(np.float32)
    spectrum = np.log(np.abs(np.fft.fft2(rest * np.outer(window, window))) + 1.0)
    out = {}
    offsets = np.arange(-8, 9)
    far = np.maximum(np.abs(offsets)[:, None], np.abs(offsets)[None]) > 3
    for period in LATTICES:
        k = side // period
        best = 0.0
        for u, v in ((k, 0), (0, k), (k, k), (k, side - k)):
            around = spectrum[np.ix_((u + offsets) % side, (v + offsets) % side)]
            near = around[7:10, 7:10].max()
            best = max(best, float((near - around[far].mean()) / (around[far].std() + 1e-6)))
        out[period] = best
    return out


def seamed(one: CheckInput) -> Finding:
    """A step along the edge of the edited area, where the base photo has none."""
    # the difference to the base photo: its own texture drops out, a step stays
    difference = one.grey - one.base_grey
    edited = cv2.morphologyEx(
        (np.abs(difference) > 3).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8)
    )
    contours, _ = cv2.findContours(edited, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return Finding("seam", 1.0, "Nothing was edited.")
    line = max(contours, key=cv2.contourArea)[:, 0]
    height, width = difference.shape
    x, y = line[:, 0], line[:, 1]
    inner = (x > 2) & (y > 2) & (x < width - 3) & (y < height - 3)
    # the product's own outline is a step that belongs there
    rim = line[inner][one.distance[y[inner], x[inner]] > 9]
    if len(rim) < 60:
        return Finding("seam", 1.0, "The edit ends at the product's own outline.")
    step = _step(difference)
    at_rim = cv2.dilate(step, np.ones((5, 5), np.uint8))[rim[:, 1], rim[:, 0]]
    drawn = np.zeros(edited.shape, np.uint8)
    cv2.polylines(drawn, [rim.reshape(-1, 1, 2)], False, 1, 1)
    band = cv2.dilate(drawn, np.ones((25, 25), np.uint8)) - cv2.dilate(drawn, np.ones((11, 11), np.uint8))
    beside = cv2.dilate(step, np.ones((5, 5), np.uint8))[(band > 0) & (one.distance > 9)]
    value = float(np.median(at_rim)) - (float(np.median(beside)) if beside.size else 0.0)
    evidence = box_evidence("seam", rim[:, 0].min(), rim[:, 1].min(), rim[:, 0].max(), rim[:, 1].max())
    return Finding("seam", ramp(value, 4.5, 1.5), "A seam shows around the edited area.", (evidence,))


def _step(values: Floats) -> Floats:
    smooth = cv2.blur(values, (3, 3))
    gx = cv2.Sobel(smooth, cv2.CV_32F, 1, 0) / 4
    gy = cv2.Sobel(smooth, cv2.CV_32F, 0, 1) / 4
    return np.asarray(cv2.magnitude(gx, gy), np.float32)


def untouched(one: CheckInput) -> Finding:
    """Inside the product's mask the picture is still the base photo: the product was never placed."""
    inside = one.inside
    if not inside.any():
        return Finding(
            "missing product", 0.0, "The reference shows no product in this view: check the scene's place."
        )
    change = np.abs(one.grey - one.base_grey)[inside]
    wanted = np.abs(one.render_grey - one.base_grey)[inside]
    # where product and base look alike anyway, no change says nothing
    telling = wanted > 12
    share = float((change[telling] > 5).mean()) if telling.sum() > 200 else float((change > 2).mean())
    sentence = "The product is missing: where it should be, the picture is still the base photo."
    return Finding(
        "missing product", ramp(share, 0.1, 0.5), sentence, (box_evidence("no product", *one.box),)
    )


def melted(one: CheckInput, least: float) -> Finding:
    """The product's inner structure against the render's: correlation of gradients, nearly blind to light."""
    found, box = structure(one)
    if found is None:
        return Finding("melted", 1.0, "The product has too little structure to compare.")
    score = float(np.clip(0.5 * found / least if found < least else 0.5 + 0.5 * (found - least) / 0.4, 0, 1))
    sentence = "The product does not have the 3D model's shape: it is melted, blurred or another one."
    return Finding("melted", score, sentence, (box_evidence("unlike the render", *(box or one.box)),))


def structure(one: CheckInput) -> tuple[float | None, tuple[int, int, int, int] | None]:
    """How far the candidate's gradients agree with the render's inside the product, once registered.

    Returns
    -------
    correlation
        -1 to 1; None where the render itself has hardly any gradient.
    box
        The worst of 3 x 3 parts of the product's box, where it is far worse than the whole.
    """
    whole = one.registration.agreement
    if whole is None:
        return None, None
    left, top, right, bottom = one.box
    cut = one.crop(16)
    scale = min(1.0, SIZE / max(1, right - left, bottom - top))
    small = [shrunk(part[cut], scale) for part in (one.render_grey, one.aligned_grey)]
    inside = shrunk(one.distance[cut], scale) < -3
    origin = (int(cut[1].start), int(cut[0].start))
    return whole, _worst_part(gradients(small[0]), gradients(small[1]), inside, whole, scale, origin)


def _worst_part(
    render: NDArray[np.complex64],
    seen: NDArray[np.complex64],
    inside: Bools,
    whole: float,
    scale: float,
    origin: tuple[int, int],
) -> tuple[int, int, int, int] | None:
    height, width = inside.shape
    worst, box = whole - 0.25, None
    energy = float(np.square(np.abs(render[inside])).sum()) / 9
    for i in range(3):
        for j in range(3):
            y0, y1 = i * height // 3, (i + 1) * height // 3
            x0, x1 = j * width // 3, (j + 1) * width // 3
            part = inside[y0:y1, x0:x1]
            a = render[y0:y1, x0:x1]
            if part.sum() < 50 or np.square(np.abs(a[part])).sum() < 0.4 * energy:
                continue
            value = agreement(a, seen[y0:y1, x0:x1], part)
            if value < worst:
                worst = value
                box = (
                    round(origin[0] + x0 / scale),
                    round(origin[1] + y0 / scale),
                    round(origin[0] + x1 / scale),
                    round(origin[1] + y1 / scale),
                )
    return box


LOOKS: tuple[Callable[[CheckInput], Finding], ...] = (
    burnt,
    noisy,
    blurred,
    soft_product,
    latticed,
    seamed,
    untouched,
)

CHECK = Check("artifacts", "1", ArtifactSettings, {"threshold": 0.5}, judge)

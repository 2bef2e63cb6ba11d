"""Does the product stand where it was asked to, and on the ground?

Where it stands comes from the registration. Whether it stands *on* the ground is in its shadow: what the
candidate darkens beside the product is compared with what the truth's shadow darkens there, at the foot
(contact), over the ground (where the shadow lies) and on the whole (whether there is one).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from pydantic import Field

from packline.scorecard import CheckResult, Evidence
from scoring.check import Bools, Check, CheckInput, CheckSettings, Floats, box_evidence
from scoring.ground import Ground
from scoring.looks.finding import graded, graded_up
from scoring.style import SMALL, median

# natural logarithm by which the truth's shadow must darken the foot, or there is nothing to judge
_LEAST_CONTACT = 0.10
_LEAST_PIXELS = 8
# small pixels beside the product's outline in which its contact shadow lies
_STRIP = 6.0
# degrees about the foot by which the light may come from elsewhere
_TURNS = (-26.0, -13.0, 0.0, 13.0, 26.0)
# share of the truth's darkening at the foot that a product on the ground has at least, whatever the light
_CONTACT = 0.28
# correlation of the darkening with the truth's under which the shadow lies elsewhere
_LIES = 0.45


class PlacementSettings(CheckSettings):
    """``[checks.placement]``; at each of these the score is 0.5.

    Parameters
    ----------
    max_shift
        Share of the picture's width by which the product may stand beside its place.
    max_scale
        Share by which it may be larger or smaller.
    max_turn
        Degrees by which it may be turned in the picture.
    max_cut
        Share of the product that the picture's edge may cut off beyond what the truth shows cut.
    """

    max_shift: float = Field(0.025, gt=0)
    max_scale: float = Field(0.06, gt=0)
    max_turn: float = Field(6.0, gt=0)
    max_cut: float = Field(0.01, gt=0)


@dataclass(frozen=True)
class _Part:
    """One question and its answer."""

    name: str
    score: float
    value: float
    sentence: str


def judge(inputs: Sequence[CheckInput], settings: PlacementSettings) -> list[CheckResult]:
    """Compare where each candidate's product stands with where it should; see `Check.judge`."""
    for one in inputs:
        if one.problem:
            raise ValueError(one.problem)
    return [_judge(one, settings) for one in inputs]


def _judge(one: CheckInput, settings: PlacementSettings) -> CheckResult:
    if not one.inside.any():
        words = "The reference shows no product in this view: check the scene's place."
        return CHECK.result(0.0, settings.threshold, words)
    parts = _place(one, settings)
    shadow, note = _shadow(one.ground)
    parts = sorted([*parts, *shadow], key=lambda part: part.score)
    bad = [part for part in parts if part.score < settings.enough]
    sentence = " ".join(part.sentence for part in bad) or f"The product stands where it should{note}."
    return CHECK.result(
        parts[0].score,
        settings.threshold,
        sentence,
        _evidence(one) if bad else (),
        measures={part.name: part.value for part in parts},
    )


def _place(one: CheckInput, settings: PlacementSettings) -> list[_Part]:
    """Shift, scale and turn of the product's box under the registration, and what the picture cuts off."""
    left, top, right, bottom = one.box
    width = one.grey.shape[1]
    middle = ((left + right) / 2, (top + bottom) / 2)
    reach = max(right - left, bottom - top) / 4
    here, east, south = (
        np.array(p)
        for p in one.in_candidate([middle, (middle[0] + reach, middle[1]), (middle[0], middle[1] + reach)])
    )
    dx, dy = here - middle
    shift = float(np.hypot(dx, dy)) / width
    across, down = (east - here) / reach, (south - here) / reach
    scale = float(np.sqrt(abs(across[0] * down[1] - across[1] * down[0])))
    turn = float(np.degrees(np.arctan2(across[1] - down[0], across[0] + down[1])))
    side = ("right" if dx > 0 else "left") if abs(dx) > abs(dy) else ("down" if dy > 0 else "up")
    size = "large" if scale > 1 else "small"
    cut = _cut(one)
    return [
        _Part(
            "shift",
            graded(shift, settings.max_shift, 4),
            shift,
            f"It stands {100 * shift:.1f} % of the picture too far {side}.",
        ),
        _Part(
            "scale",
            graded(abs(np.log(scale)), np.log1p(settings.max_scale), 4),
            scale,
            f"It is {100 * abs(scale - 1):.0f} % too {size}.",
        ),
        _Part(
            "turn",
            graded(abs(turn), settings.max_turn, 4),
            turn,
            f"It is turned by {abs(turn):.0f} degrees {'clockwise' if turn > 0 else 'anticlockwise'}.",
        ),
        _Part(
            "cut",
            graded(cut, settings.max_cut, 2),
            cut,
            f"The picture's edge cuts off {100 * cut:.0f} % of the product.",
        ),
    ]


def _cut(one: CheckInput) -> float:
    """Share of the silhouette that lies beyond the picture's edge in the candidate, but not in the truth."""
    small = cv2.resize(one.scene.mask, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    rows, columns = np.nonzero(small > 127)
    if not len(rows):
        return 0.0
    points = np.column_stack([columns * 4 + 2, rows * 4 + 2, np.ones(len(rows))]) @ one.registration.matrix.T
    x, y = points[:, 0] / points[:, 2], points[:, 1] / points[:, 2]
    height, width = one.grey.shape
    return float(((x < 0) | (y < 0) | (x > width) | (y > height)).mean())


def _shadow(ground: Ground) -> tuple[list[_Part], str]:
    """The questions about the shadow, and what to add where they cannot be asked."""
    beside = ground.away > 1.5
    strip = beside & (ground.away <= _STRIP + 1.5)
    shade = ground.shade
    if not strip.any():
        return [], "; the picture shows no ground beside it"
    shaded = strip & (shade >= _LEAST_CONTACT)
    if int(shaded.sum()) < _LEAST_PIXELS:
        return [], "; its light leaves no shadow to judge"
    darkening = ground.darkening
    # what the ground far from any shadow does is the style's error
    far = (ground.possible < 0.02) & (ground.away > 10)
    level = median(darkening[far]) if int(far.sum()) > 500 else 0.0
    darkening = darkening - level
    # the light may honestly come from a little elsewhere: the likeliest of these shadows counts
    shades = [ground.turned(turn) if turn else shade for turn in _TURNS]
    contact = max(_contact(darkening, one, strip) for one in shades)
    missing = "The product floats: no shadow touches its foot."
    parts = [_Part("contact", graded_up(max(contact, 0.0), _CONTACT, 3), contact, missing)]
    seen = np.asarray(cv2.GaussianBlur(darkening, (0, 0), 3.0), np.float32)
    found = [lies for one in shades if (lies := _correlation(seen, one, ground)) is not None]
    if found:
        elsewhere = "Its shadow falls to another side than the scene's light asks for."
        parts.append(_Part("shadow_lies", graded_up(max(*found, 0.0), _LIES, 3), max(found), elsewhere))
    return parts, ""


def _contact(darkening: Floats, shade: Floats, strip: Bools) -> float:
    """What share of a shadow's darkening at the foot is there."""
    shaded = strip & (shade >= _LEAST_CONTACT)
    if int(shaded.sum()) < _LEAST_PIXELS:
        return 0.0
    foot = shaded & (shade >= 0.6 * float(np.quantile(shade[shaded], 0.85)))
    # one side of the foot is enough: the light decides which
    return float(np.quantile(darkening[foot], 0.75) / np.median(shade[foot]))


def _correlation(darkening: Floats, shade: Floats, ground: Ground) -> float | None:
    """How far the dark, softened, is where a shadow is, -1 to 1; None where the shadow has no direction."""
    reach = cv2.dilate((shade > 0.04).astype(np.uint8), np.ones((25, 25), np.uint8)) > 0
    # the mirrored shadow's place too, so that a shadow on the wrong side counts against it
    columns = np.round(2 * ground.foot[0] - np.arange(SMALL)).clip(0, SMALL - 1).astype(int)
    where = (reach | reach[:, columns]) & (ground.away > 2.5)
    if int(where.sum()) < 100:
        return None
    wanted, seen = cv2.GaussianBlur(shade, (0, 0), 3.0)[where], darkening[where]
    if float(wanted.std()) < 0.03:
        return None
    a, b = wanted - wanted.mean(), np.clip(seen, -0.3, 1.5)
    b = b - b.mean()
    return float(a @ b / (np.sqrt(float(a @ a) * float(b @ b)) + 1e-6))


def _evidence(one: CheckInput) -> tuple[Evidence, ...]:
    left, top, right, bottom = one.box
    corners = one.in_candidate([(left, top), (right, top), (right, bottom), (left, bottom)])
    return (
        Evidence("polygon", "where it stands", corners),
        box_evidence("where it should stand", left, top, right, bottom, role="expected"),
    )


CHECK = Check("placement", "1", PlacementSettings, {"threshold": 0.5}, judge)

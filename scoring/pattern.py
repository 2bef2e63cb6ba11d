"""Is each mark or pattern without words the right way round?

Every mark that the truth shows is laid flat from the aligned candidate and compared with the render's own
under all the ways to turn or mirror it: by the correlation of gradients, and by the learned verifier. A way
under which the render's mark looks the same cannot be told and is not asked; a mark that has no other is left
out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from packline.reference import Picture
from packline.scorecard import CheckResult, Evidence, Verdict
from scoring import strips
from scoring.check import Check, CheckInput, CheckSettings
from scoring.marks import Mark, features, likeness, marks_of, overturned
from scoring.part_names import named
from scoring.verifier import verifier

WORDS = {
    strips.TURN_90: "turned by 90°",
    strips.TURN_180: "upside down",
    strips.TURN_270: "turned by 270°",
    strips.MIRROR: "mirrored left to right",
    strips.MIRROR_180: "mirrored top to bottom",
    strips.MIRROR_90: "mirrored and turned by 90°",
    strips.MIRROR_270: "mirrored and turned by 270°",
}
GONE = "missing or another one"
#: From this likeness a print is there, if turned over: turned ones have 0.83 at least, blurred or not; where
#: the print is gone it is 0.35 at most, where another one stands there 0.5 as a rule.
THERE = 0.6
#: How steeply the margin becomes a score, and where it is even.
STEEP, EVEN = 7.0, 0.1
#: So much of the verifier's log odds counts as a whole margin.
ODDS = 10.0


class PatternSettings(CheckSettings):
    """``[checks.pattern]``.

    Parameters
    ----------
    same_look
        A way to turn a mark under which it agrees with itself this much, 0 to 1, cannot be told from none.
    """

    same_look: float = Field(0.8, gt=0, le=1)


@dataclass(frozen=True)
class Seen:
    """One mark in one candidate.

    Parameters
    ----------
    keep, other
        How alike it is to the render's, as it should be and under the way `how` that fits best, -1 to 1.
    margin
        Their difference against what it would be at best: 1 is as the render, -1 as the render turned over.
    odds
        By how much the verifier's log odds speak for the mark as it should be.
    """

    mark: Mark
    how: str
    keep: float
    other: float
    margin: float
    odds: float = 0.0

    @property
    def score(self) -> float:
        """0 (certainly turned over) to 1."""
        both = 0.6 * self.margin + 0.4 * float(np.clip(self.odds / ODDS, -1, 1))
        return float(1 / (1 + np.exp(-STEEP * (both - EVEN))))

    @property
    def words(self) -> str:
        """What it is where it is not right: turned over only where it is most like that."""
        return WORDS[self.how] if self.other > max(self.keep, THERE) else GONE


def judge(inputs: Sequence[CheckInput], settings: PatternSettings) -> list[CheckResult]:
    """Judge every mark of every candidate, all in one batch for the verifier; see `Check.judge`."""
    for one in inputs:
        if one.problem:
            raise ValueError(one.problem)
    seen = [_seen(one, settings) for one in inputs]
    return [
        _conclude(one, marks, settings) for one, marks in zip(inputs, _verified(inputs, seen), strict=True)
    ]


def _seen(one: CheckInput, settings: PatternSettings) -> list[Seen]:
    """Each mark that can be told, against the way to turn it over that fits it best."""
    out = []
    for mark in marks_of(one.scene):
        ways = [how for how, alike in mark.likeness.items() if alike < settings.same_look]
        if not ways:
            continue
        field = features(mark.of(one.aligned), mark.axes)
        keep = likeness(mark.look, mark.weight, field)
        found = []
        for how in ways:
            look, weight = overturned(mark.patch, mark.axes, mark.weight, how)
            other = likeness(look, weight, field)
            found.append(((keep - other) / (1 - mark.likeness[how]), how, other))
        margin, how, other = min(found)
        out.append(Seen(mark, how, keep, other, float(np.clip(margin, -1, 1))))
    return out


def _verified(inputs: Sequence[CheckInput], seen: Sequence[Sequence[Seen]]) -> list[list[Seen]]:
    """With the verifier's opinion on each mark, as it should be against turned over."""
    expected: list[Picture] = []
    given: list[Picture] = []
    for one, marks in zip(inputs, seen, strict=True):
        for each in marks:
            patch = _plain(each.mark.of(one.aligned), each.mark)
            for how in (strips.KEEP, each.how):
                expected.append(np.asarray(strips.drawn(_plain(each.mark.patch, each.mark), how), np.uint8))
                given.append(patch)
    if not expected:
        return [list(marks) for marks in seen]
    odds = iter(verifier().alike(expected, given).reshape(-1, 2))
    out = []
    for marks in seen:
        pairs = [(each, next(odds)) for each in marks]
        out.append([Seen(e.mark, e.how, e.keep, e.other, e.margin, float(o[0] - o[1])) for e, o in pairs])
    return out


def _plain(patch: Picture, mark: Mark) -> Picture:
    """The patch with what is not the mark's painted in the mark's own mean: words are another check's."""
    inside = mark.weight > 0
    mean = patch[inside].mean(0) if inside.any() else np.zeros(3)
    return np.where(inside[..., None], patch, np.round(mean)).astype(np.uint8)


def _conclude(one: CheckInput, marks: Sequence[Seen], settings: PatternSettings) -> CheckResult:
    if not marks:
        return CHECK.result(
            1.0,
            settings.threshold,
            "The view shows no print without text of which one could tell that it is turned over.",
            verdict=Verdict.NOT_APPLICABLE,
        )
    worst = min(marks, key=lambda each: each.score)
    wrong = [each for each in marks if each.score < settings.enough]
    evidence = tuple(
        Evidence(
            "polygon",
            f"{_name(each.mark)}: {each.words}",
            one.in_candidate(each.mark.corners),
            {"as it should be": round(each.keep, 3), "turned over": round(each.other, 3)},
        )
        for each in wrong
    )
    sentence = "Every print without text is the right way round."
    if wrong:
        sentence = f"{_name(worst.mark)} is {worst.words}."
        sentence = sentence[0].upper() + sentence[1:]
    measures = {"pattern_margin": worst.margin, "pattern_odds": worst.odds, "pattern_look": worst.keep}
    return CHECK.result(worst.score, settings.threshold, sentence, evidence, measures=measures)


def _name(mark: Mark) -> str:
    name = mark.part.partition("-")[2] if mark.part[:1].isdigit() else mark.part
    return f"the print on the {name}" if named(name) and name != "print" else "the print"


# turned marks score 0.05 at most; small ones in gloss that another renderer mirrors, 0.52 and more
CHECK = Check("pattern", "2", PatternSettings, {"threshold": 0.5}, judge)

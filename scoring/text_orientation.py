"""Does each label say what it should, and does it run the way it should?

A label is unrolled from the candidate into its reading frame. The recogniser rates the expected string, the
verifier compares the strip with the render's own, and the render's is matched under every way in which a
picture can be turned or mirrored. Symmetric words (NOON, OXO) are handled by asking the render first: a
hypothesis under which the render looks like itself is no defect. Text too small to read, or in letters that
the recogniser does not know, is judged by its appearance alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from packline.reference import Picture
from packline.scorecard import CheckResult, Verdict
from scoring import strips
from scoring.check import Check, CheckInput, CheckSettings
from scoring.label_prints import AROUND, HIDDEN, Print, crops, prints, read_all
from scoring.labels import Seen, measures_of
from scoring.recogniser import Reading
from scoring.strips import KEEP, TURN_90, TURN_180, TURN_270, Match
from scoring.text_partial import SPECK, Glimpse, glimpse, part_of, pixels_in_view
from scoring.text_score import score_of, table
from scoring.text_words import CERTAIN, FAINT, LIKE, Outcome, convincing, doubt, in_part, not_judged, outcome
from scoring.verifier import Likeness, verifier

# a look this sure of the right direction needs no second opinion on the wrong ones
SURE_LOOK = 0.6
SURE_MARGIN = 0.15
# a label is looked for where the strip matches at least this well; else it is taken from where it should be
FOUND = 0.35
# pixels of text height, share in view and difference in lightness from which a person meets a label at arm's
# length: one that cannot be judged and does not look right holds the candidate back, however right the others
GLANCE_HEIGHT, GLANCE_VISIBLE, GLANCE_CONTRAST = 20.0, 0.3, 8.0


class TextSettings(CheckSettings):
    """``[checks.text_orientation]``.

    Parameters
    ----------
    min_height
        Pixels of text height under which a label is not read; it is judged by appearance instead.
    min_appearance
        Pixels of text height under which even the appearance says nothing.
    min_visible
        Share of the label under which it is not read; what is in view is judged by appearance instead.
    min_contrast
        Difference in CIELAB lightness between ink and ground.
    """

    min_height: float = Field(14.0, ge=6)
    min_appearance: float = Field(9.0, ge=4)
    min_visible: float = Field(0.6, ge=0, le=1)
    min_contrast: float = Field(12.0, ge=0)


def judge(inputs: Sequence[CheckInput], settings: TextSettings) -> list[CheckResult]:
    """Judge every label of every candidate; see `Check.judge`."""
    for one in inputs:
        if one.problem:
            raise ValueError(one.problem)
    seen = look(inputs, settings)
    flat = [label for labels in seen for label in labels]
    scores = iter(score_of(table().odds(measures_of(flat)))) if flat else iter(())
    return [_conclude([(label, float(next(scores))) for label in labels], settings) for labels in seen]


def look(inputs: Sequence[CheckInput], settings: TextSettings) -> list[list[Seen]]:
    """Unroll all labels of all candidates; match, compare and read them, each in one batch."""
    labels = prints([one.scene for one in inputs], settings.min_height)
    rows = [
        [_found(one, label, _glimpse(one, index, label, settings)) for index, label in enumerate(of)]
        for one, of in zip(inputs, labels, strict=True)
    ]
    flat = [seen for row in rows for seen in row]
    _compare(flat)
    _read(flat)
    return rows


def _glimpse(one: CheckInput, index: int, label: Print, settings: TextSettings) -> Glimpse | None:
    """How the part in view of a label looks that is mostly out of view; None of all others."""
    part = part_of(one.scene, index) if _hidden(label, settings) else None
    return glimpse(part, one.aligned) if part is not None else None


def _found(one: CheckInput, label: Print, glimpsed: Glimpse | None) -> Seen:
    """Where the label lies in the candidate under each hypothesis."""
    strip = strips.strip(one.aligned, label.part)
    matches = strips.matches(strips.normalised(strip, label.axis), label.template, label.hypotheses)
    best = max(matches.values(), key=lambda match: match.correlation)
    # a turned or mirrored label lies in the same box, so the best match's place serves all hypotheses
    crop = strips.core(strip, shift=_shift(best))
    seen = Seen(label, strip, crop, matches, {}, {}, {}, one.in_candidate(label.truth.quad), glimpsed)
    if not _sure(seen) and TURN_90 not in label.hypotheses:
        # a long label turned by 90 degrees leaves its own place
        crossed = strips.strip(one.aligned, strips.turned_grid(label.part))
        looks = strips.matches(strips.normalised(crossed, label.axis), label.template, (KEEP, TURN_180))
        matches.update({TURN_90: looks[KEEP], TURN_270: looks[TURN_180]})
        seen.crossed.update(
            {TURN_90: crossed, TURN_270: np.asarray(strips.undone(crossed, TURN_180), np.uint8)}
        )
    return seen


def _shift(match: Match) -> tuple[float, float]:
    return match.shift if match.correlation > FOUND else (0.0, 0.0)


def _sure(seen: Seen) -> bool:
    """Whether the look alone settles the direction."""
    return seen.right_look > SURE_LOOK and seen.right_look - seen.wrong_look > SURE_MARGIN


def _compare(flat: Sequence[Seen]) -> None:
    """Ask the verifier about all labels: the right way round, and others where the look is not sure."""
    asked: list[tuple[Seen, str]] = []
    expected, given = [], []
    for seen in flat:
        own = seen.print.expected
        for how in seen.matches if not _sure(seen) else seen.print.same:
            asked.append((seen, how))
            expected.append(own)
            given.append(placed(seen, how))
    found: list[Likeness] = verifier().compare(expected, given) if asked else []
    for (seen, how), likeness in zip(asked, found, strict=True):
        seen.likeness[how] = likeness


def placed(seen: Seen, how: str) -> Picture:
    """The candidate's label as the verifier wants it, made upright under a hypothesis, placed best for it."""
    if how in seen.crossed:
        return strips.core(seen.crossed[how], AROUND)
    crop = strips.core(seen.strip, AROUND, _shift(seen.matches[how]))
    return np.asarray(strips.undone(crop, how), np.uint8)


def _read(flat: Sequence[Seen]) -> None:
    """Read all labels in one batch: as they should be, and other ways round where the look is not sure."""
    wanted: list[tuple[str, dict[str, Reading], dict[str, Picture]]] = []
    for seen in flat:
        label = seen.print
        some = {KEEP: seen.crop}
        if not _sure(seen):
            some = crops(seen.crop, label.hypotheses)
            some.update({how: strips.core(strip) for how, strip in seen.crossed.items()})
            wanted.append((label.text, label.turned, crops(label.upright, label.unread)))
        wanted.append((label.text, seen.readings, some))
    read_all(wanted)


def _conclude(labels: list[tuple[Seen, float]], settings: TextSettings) -> CheckResult:
    threshold = settings.threshold
    if not labels:
        return CHECK.result(
            1.0, threshold, "This view of the product shows no text.", verdict=Verdict.NOT_APPLICABLE
        )
    found = sorted((_outcome(seen, score, settings) for seen, score in labels), key=lambda one: one.score)
    evidence = tuple(one.evidence for one in found)
    if all(one.speck for one in found):
        return CHECK.result(
            1.0,
            threshold,
            "This view of the product shows no more than specks of its text.",
            evidence,
            Verdict.NOT_APPLICABLE,
            _measures(labels, found),
        )
    judged = [one for one in found if one.doubt == ""]
    doubts = " ".join(one.doubt for one in found if one.doubt)
    measures = _measures(labels, found)
    if judged and judged[0].score < threshold:
        wrong = " ".join(one.sentence for one in judged if one.score < threshold)
        return CHECK.result(judged[0].score, threshold, wrong, evidence, measures=measures)
    if not judged or any(one.blocking for one in found):
        return CHECK.result(0.5, threshold, doubts, evidence, Verdict.UNVERIFIABLE, measures)
    good = " ".join(one.sentence for one in judged)
    return CHECK.result(judged[0].score, threshold, f"{good} {doubts}".strip(), evidence, measures=measures)


def _outcome(seen: Seen, score: float, settings: TextSettings) -> Outcome:
    label = seen.print
    why, enlarge = _why_not(seen, settings)
    if why and _hidden(label, settings) and pixels_in_view(label.truth) < SPECK:
        return not_judged(seen, why, 0.0, speck=True)
    if why:
        looks_wrong = _at_a_glance(label) and score < settings.threshold
        looks_wrong = looks_wrong and seen.right_look < max(LIKE, seen.wrong_look)
        if looks_wrong and seen.ink >= FAINT and convincing(seen, seen.direction):
            # it cannot be vouched for, but what of it is in view plainly stands another way round
            return outcome(seen, min(score, CERTAIN * settings.threshold), settings.threshold, small=False)
        return not_judged(seen, why, enlarge, blocking=looks_wrong)
    if seen.glimpse is not None:
        return in_part(seen, seen.glimpse, settings.threshold)
    if label.other_text:
        return doubt(seen)
    return outcome(seen, score, settings.threshold, small=label.truth.height < settings.min_height)


def _at_a_glance(label: Print) -> bool:
    """Whether a person at arm's length sees what of it is in view, judged or not."""
    truth = label.truth
    return (
        truth.height >= GLANCE_HEIGHT
        and truth.visible >= GLANCE_VISIBLE
        and truth.contrast >= GLANCE_CONTRAST
    )


def _hidden(label: Print, settings: TextSettings) -> bool:
    """Whether too much of a label is out of view for the rest to be read."""
    truth = label.truth
    shown = truth.visible_text or label.text or truth.text
    letters = len(shown.replace(" ", "").replace(HIDDEN, ""))
    return truth.visible < settings.min_visible or (letters < 2 and truth.visible < 0.98)


def _why_not(seen: Seen, settings: TextSettings) -> tuple[str, float]:
    """Why a label cannot be judged in this view, empty where it can; how many times as large would do."""
    truth = seen.print.truth
    if seen.glimpse is None and _hidden(seen.print, settings):
        return f"only {truth.visible:.0%} of it is in view", 0.0
    if truth.height < settings.min_appearance:
        enlarge = settings.min_height / max(truth.height, 1.0)
        return f"it is only {truth.height:.0f} px high (needs {settings.min_appearance:.0f})", enlarge
    # the look of a part is told from as little contrast as a person sees
    least = settings.min_contrast if seen.glimpse is None else min(settings.min_contrast, GLANCE_CONTRAST)
    if truth.contrast < least:
        return f"its contrast is only {truth.contrast:.0f} (needs {least:.0f})", 0.0
    return "", 0.0


def _measures(labels: list[tuple[Seen, float]], found: list[Outcome]) -> dict[str, float]:
    out = {"labels": float(len(labels)), "labels_judged": float(sum(one.doubt == "" for one in found))}
    out["text_height"] = min(seen.print.truth.height for seen, _ in labels)
    enlarge = max(one.enlarge for one in found)
    return {**out, "enlarge": enlarge} if enlarge > 1 else out


CHECK = Check("text_orientation", "6", TextSettings, {"threshold": 0.45}, judge)

"""What is said about a label: a verdict, a sentence and the evidence."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher

import numpy as np

from packline.scorecard import Evidence
from packline.truth import direction_words
from scoring.label_prints import READABLE, Print
from scoring.labels import Seen
from scoring.strips import KEEP, TURN_90, TURN_180, TURN_270, TURNED
from scoring.text_partial import Glimpse

# of the render's own contrast, under which nothing is there
FAINT = 0.3
# a look from which a wrong way round is believed, where the recogniser does not say so
LIKE = 0.6
#: A label too small to read fails by its looks alone only under this share of the threshold.
CERTAIN = 0.5


@dataclass(frozen=True)
class Outcome:
    """What is said about one label.

    Parameters
    ----------
    score
        0 to 1.
    sentence, evidence
        For people.
    doubt
        Why it could not be judged, as a sentence; empty where it was.
    blocking
        Whether the doubt holds the candidate back though other labels are right.
    enlarge
        How many times as large the label would have to stand to be judged; 0 where that would not help.
    speck
        Whether so little of it is in view that nobody could say anything about it.
    """

    score: float
    sentence: str
    evidence: Evidence
    doubt: str = ""
    blocking: bool = False
    enlarge: float = 0.0
    speck: bool = False


def not_judged(seen: Seen, why: str, enlarge: float, blocking: bool = False, speck: bool = False) -> Outcome:
    """A label that this view does not let anyone judge."""
    sentence = f"'{seen.print.truth.text}' cannot be judged: {why}."
    return Outcome(0.5, "", _evidence(seen, "not judged"), sentence, blocking, enlarge, speck)


def doubt(seen: Seen) -> Outcome:
    """A label whose declared text the 3D model itself does not bear."""
    read, declared = seen.print.other_text, seen.print.truth.text
    sentence = f"The 3D model's own render reads '{read}', not '{declared}': check the label's text."
    return Outcome(0.5, "", _evidence(seen, "not judged"), sentence, blocking=True)


def outcome(seen: Seen, score: float, threshold: float, small: bool) -> Outcome:
    """A label that can be judged, if only by its looks."""
    label, truth = seen.print, seen.print.truth
    should = direction_words(truth.angle)
    read = seen.readings[KEEP].text if KEEP in seen.readings else ""
    if score >= threshold:
        manner = ", in letters that the text reader does not know, looks right and" if label.unknown else ""
        manner = f", too small to read ({truth.height:.0f} px), looks right and" if small else manner
        sentence = f"'{truth.text}'{manner} reads {should}, as it should."
        return Outcome(score, sentence, _evidence(seen, "right", read))
    how = seen.direction
    if seen.ink < FAINT:
        return Outcome(score, f"'{truth.text}' is missing.", _evidence(seen, "missing", read))
    if small and score > CERTAIN * threshold:
        sentence = (
            f"'{truth.text}' cannot be judged: it is only {truth.height:.0f} px high and looks uncertain."
        )
        return Outcome(0.5, "", _evidence(seen, "not judged"), sentence, True, 20.0 / truth.height)
    if convincing(seen, how):
        heard = seen.readings[how].text if how in seen.readings else read
        return Outcome(score, _turned_words(label, how), _evidence(seen, "wrong direction", heard, how))
    return Outcome(score, _garbled_words(seen, read), _evidence(seen, "garbled", read))


def in_part(seen: Seen, glimpse: Glimpse, threshold: float) -> Outcome:
    """A label that is mostly out of view, judged by how the rest of it looks."""
    label, truth = seen.print, seen.print.truth
    share = f"{truth.visible:.0%}"
    if glimpse.score >= threshold:
        should = direction_words(truth.angle)
        words = f"'{truth.text}', {share} of it in view, looks right and reads {should}, as it should."
        return Outcome(glimpse.score, words, _evidence(seen, "right"))
    if glimpse.few:
        return not_judged(seen, f"only {share} of it is in view", 0.0)
    if glimpse.score > CERTAIN * threshold:
        return not_judged(seen, f"only {share} of it is in view and looks uncertain", 0.0, blocking=True)
    if glimpse.ink < FAINT:
        return Outcome(glimpse.score, f"'{truth.text}' is missing.", _evidence(seen, "missing"))
    if glimpse.turned > max(LIKE, glimpse.look):
        words, how = _turned_words(label, glimpse.how), glimpse.how
        return Outcome(glimpse.score, words, _evidence(seen, "wrong direction", how=how))
    sentence = f"What is in view of '{truth.text}' does not look as the 3D model prints it."
    return Outcome(glimpse.score, sentence, _evidence(seen, "garbled"))


def convincing(seen: Seen, how: str) -> bool:
    """Whether the label is there, drawn as `how` says, rather than so wrong that no hypothesis fits."""
    if how == KEEP:
        return False
    look = seen.matches[how].correlation if how in seen.matches else 0.0
    alike = how in seen.likeness and seen.likeness[how].alike > 0
    return look > LIKE or alike or (how in seen.readings and seen.readings[how].likelihood > READABLE)


def _turned_words(label: Print, how: str) -> str:
    """Say how the label runs and how it should."""
    truth = label.truth
    should = direction_words(truth.angle)
    if how in (TURN_90, TURN_180, TURN_270):
        runs = f"reads {direction_words((truth.angle + TURNED[how]) % 360)}"
    else:
        runs = f"is {how}"
    sentence = f"'{truth.text}' {runs}; should read {should}."
    if label.contradiction and how == label.contradiction:
        sentence += " The 3D model's own render reads this way too: check the declared direction."
    return sentence


def _garbled_words(seen: Seen, read: str) -> str:
    """Name what is wrong with the letters: the first that differ, or that the shapes do."""
    expected = seen.print.text
    if not seen.print.readable:
        return f"'{expected or seen.print.truth.text}' does not look as the 3D model prints it."
    said = f"reads '{read}'" if read else "cannot be read"
    a, b = expected.replace(" ", "").upper(), read.replace(" ", "").upper()
    for kind, i1, i2, j1, j2 in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if kind == "replace":
            return f"'{expected}' {said}: '{b[j1:j2]}' where '{a[i1:i2]}' should be."
        if kind == "delete":
            return f"'{expected}' {said}: '{a[i1:i2]}' is missing."
        if kind == "insert":
            return f"'{expected}' {said}: '{b[j1:j2]}' is too much."
    # it reads right and looks wrong: the place that differs most says which letter
    columns = seen.alike.differs.max(0)
    at = (int(columns.argmax()) + 0.5) / len(columns)
    return f"'{expected}' is malformed, most of all at '{a[min(int(at * len(a)), len(a) - 1)]}'."


def _evidence(seen: Seen, words: str, read: str = "", how: str = KEEP) -> Evidence:
    truth = seen.print.truth
    angle = (truth.angle + TURNED.get(how, 0.0)) % 360
    data = {
        "label": truth.label,
        "expected": truth.text,
        "read": read,
        "angle": angle,
        "expected_angle": truth.angle,
    }
    if KEEP in seen.likeness:
        data["differs"] = round(float(np.clip(seen.alike.share, 0, 1)), 3)
    return Evidence("text", words, seen.quad, data)

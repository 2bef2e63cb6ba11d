"""Does each label say what it should, and does it run the way it should?

A label is unrolled from the candidate into its reading frame. The recogniser rates the expected string, and
the label's own render is matched, under every way in which a picture can be turned or mirrored. Symmetric
words (NOON, OXO) are handled by asking the render first: a hypothesis under which the render looks like
itself is no defect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

import numpy as np
from pydantic import Field

from packline.reference import Picture, Reference
from packline.scorecard import CheckResult, Evidence, Verdict
from packline.truth import TextTruth, direction_words
from scoring import strips
from scoring.check import Check, CheckInput, CheckSettings, Floats
from scoring.recogniser import Reading, recogniser, same_text
from scoring.strips import FLAT, KEEP, TURN_90, TURN_180, TURN_270, TURNED, UPRIGHT, Match

# a label this much longer than high could not be turned by 90 degrees within its own place
SQUARE = 1.6
# a hypothesis under which the render looks this much like itself, on the whole and at its least alike letter,
# cannot be told from the truth
SAME_LOOK = 0.88
SAME_LETTERS = 0.75
# a whole unit of correlation counts as much as this much log likelihood a letter
LOOK_WEIGHT = 8.0
# a look this sure of the right direction needs no second opinion on the wrong ones
SURE_LOOK = 0.6
SURE_MARGIN = 0.15
# log likelihood a letter from which the recogniser knows the string when it sees it
READABLE = -0.4


class TextSettings(CheckSettings):
    """``[checks.text_orientation]``.

    Parameters
    ----------
    min_height
        Pixels of text height under which a label is too small to judge.
    min_visible
        Share of the label that the view must show.
    min_contrast
        Difference in CIELAB lightness between ink and ground.
    """

    min_height: float = Field(14.0, ge=6)
    min_visible: float = Field(0.6, ge=0, le=1)
    min_contrast: float = Field(12.0, ge=0)


@dataclass(frozen=True)
class _Print:
    """A label as the 3D model prints it in this view: what can be told about it at all."""

    truth: TextTruth
    text: str
    strip: Picture
    template: Floats
    axis: Floats
    looks: dict[str, float]
    same: frozenset[str]
    why_not: str
    readings: dict[str, Reading]

    @property
    def hypotheses(self) -> tuple[str, ...]:
        """Every way in which the label could be drawn in its own place."""
        return tuple(self.looks)

    @property
    def contradiction(self) -> str:
        """The hypothesis under which alone the render reads as declared; empty where it does as it stands."""
        if same_text(self.readings[KEEP].text, self.text):
            return ""
        fitting = [how for how, reading in self.readings.items() if same_text(reading.text, self.text)]
        return max(fitting, key=lambda how: self.readings[how].likelihood, default="")

    @property
    def upright(self) -> Picture:
        """The render's own label, the right way up."""
        return np.asarray(strips.undone(strips.core(self.strip), self.contradiction or KEEP), np.uint8)

    @property
    def own(self) -> Reading:
        """How the render reads, the right way up."""
        return self.readings[self.contradiction or KEEP]

    @property
    def readable(self) -> bool:
        """Whether the recogniser can read the render at all."""
        return self.own.likelihood > READABLE

    @property
    def other_text(self) -> str:
        """What the render says where that is clearly another string than the declared one; else empty."""
        if self.readable:
            return ""
        said = max(self.readings.values(), key=lambda reading: reading.confidence)
        far = _similarity(said.text, self.text) < 0.4 and said.confidence > 0.9 and len(said.text) > 2
        return said.text if far else ""


@dataclass(frozen=True)
class _Seen:
    """One label in one candidate: its look under every hypothesis, its readings under those that need one."""

    print: _Print
    matches: dict[str, Match]
    readings: dict[str, Reading]
    alike: dict[str, Reading]
    ink: float
    quad: tuple[tuple[float, float], ...]


def judge(inputs: Sequence[CheckInput], settings: TextSettings) -> list[CheckResult]:
    """Judge every label of every candidate; see `Check.judge`."""
    for one in inputs:
        if one.problem:
            raise ValueError(one.problem)
    prints = _prints({id(one.scene): one.scene for one in inputs}, settings)
    return [_conclude(labels, settings) for labels in _look(inputs, prints)]


def _prints(scenes: dict[int, Reference], settings: TextSettings) -> dict[int, list[_Print]]:
    """Ask the renders first: how each label looks and reads there, under every hypothesis where it must."""
    out: dict[int, list[_Print]] = {key: [] for key in scenes}
    for key, scene in scenes.items():
        for truth in scene.labels:
            text, part = _visible_part(truth)
            strip = strips.strip(scene.colour, part)
            kinds = _hypotheses(strips.core(strip, 0.0))
            axis = strips.ink_axis(strips.core(strip, 0.0))
            wide = strips.normalised(strip, axis)
            edge = round(strips.MARGIN * strips.SMALL)
            template = np.ascontiguousarray(wide[edge:-edge, edge:-edge])
            looks = strips.matches(wide, template, kinds, scales=(1.0,))
            same = frozenset(
                how
                for how, look in looks.items()
                if how == KEEP or (look.correlation > SAME_LOOK and look.weakest > SAME_LETTERS)
            )
            why = _why_not(truth, text, settings)
            alike = {how: look.correlation for how, look in looks.items()}
            out[key].append(_Print(part, text, strip, template, axis, alike, same, why, {}))
    every = [label for labels in out.values() for label in labels]
    _read([(label, label.readings, {KEEP: strips.core(label.strip)}) for label in every])
    # only a render that cannot be read as declared is asked what it says otherwise
    _read(
        [
            (label, label.readings, _crops(label, strips.core(label.strip), label.hypotheses[1:]))
            for label in every
            if not same_text(label.readings[KEEP].text, label.text)
        ]
    )
    return {key: [_set_upright(label) for label in labels] for key, labels in out.items()}


def _set_upright(label: _Print) -> _Print:
    """Where the render contradicts the declaration, compare with the print the right way up."""
    if not label.contradiction:
        return label
    upright = strips.undone(label.template, label.contradiction)
    return replace(label, template=np.asarray(upright, np.float32))


def _crops(label: _Print, crop: Picture, kinds: Sequence[str]) -> dict[str, Picture]:
    return {how: strips.undone(crop, how) for how in kinds}


def _read(wanted: list[tuple[_Print, dict[str, Reading], dict[str, Picture]]]) -> None:
    """Recognise all crops of all labels in one batch and put the readings into the dictionaries given."""
    flat = [(label.text, into, how, crop) for label, into, crops in wanted for how, crop in crops.items()]
    readings = recogniser().read([crop for *_, crop in flat], [text for text, *_ in flat])
    for (_, into, how, _), reading in zip(flat, readings, strict=True):
        into[how] = reading


def _visible_part(truth: TextTruth) -> tuple[str, TextTruth]:
    """The string's visible letters and the label cut to them."""
    start, end = truth.span
    if start <= 0.02 and end >= 0.98:
        return truth.text, truth
    count = len(truth.text)
    first, last = int(np.ceil(start * count - 0.35)), int(np.floor(end * count + 0.35))
    text = truth.text[first:last].strip()
    return text, strips.cropped(truth, first / count, last / count) if text else truth


def _why_not(truth: TextTruth, text: str, settings: TextSettings) -> str:
    """Why a label cannot be judged in this view; empty where it can."""
    if truth.visible < settings.min_visible or len(text.replace(" ", "")) < 2:
        return f"only {truth.visible:.0%} of it is in view"
    if truth.height < settings.min_height:
        return f"it is only {truth.height:.0f} px high (needs {settings.min_height:.0f})"
    if truth.contrast < settings.min_contrast:
        return f"its contrast is only {truth.contrast:.0f} (needs {settings.min_contrast:.0f})"
    return ""


def _hypotheses(label: Picture) -> tuple[str, ...]:
    height, width = label.shape[:2]
    return FLAT + UPRIGHT if width < SQUARE * height else FLAT


def _look(inputs: Sequence[CheckInput], prints: dict[int, list[_Print]]) -> list[list[_Seen]]:
    """Unroll all labels of all candidates and recognise all hypotheses that need it in one batch."""
    rows: list[list[_Seen]] = []
    wanted: list[tuple[_Print, dict[str, Reading], dict[str, Picture]]] = []
    for one in inputs:
        row = []
        for label in prints[id(one.scene)]:
            strip = strips.strip(one.aligned, label.truth)
            found = strips.matches(strips.normalised(strip, label.axis), label.template, label.hypotheses)
            best = max(found.values(), key=lambda match: match.correlation)
            # a turned or mirrored label lies in the same box, so the best match's place serves all hypotheses
            crop = strips.core(strip, shift=best.shift if best.correlation > 0.35 else (0.0, 0.0))
            seen = _Seen(label, found, {}, {}, _ink(crop), one.in_candidate(label.truth.quad))
            if _sure_look(label, found):
                wanted.append((label, seen.readings, {KEEP: crop}))
            else:
                wanted.append((label, seen.readings, _crops(label, crop, label.hypotheses)))
                wanted.append((label, seen.alike, _crops(label, label.upright, label.hypotheses[1:])))
                if TURN_90 not in label.hypotheses:
                    crossed = strips.strip(one.aligned, strips.turned_grid(label.truth))
                    looks = strips.matches(
                        strips.normalised(crossed, label.axis), label.template, (KEEP, TURN_180)
                    )
                    seen.matches.update({TURN_90: looks[KEEP], TURN_270: looks[TURN_180]})
                    crop = strips.core(crossed)
                    wanted.append(
                        (label, seen.readings, {TURN_90: crop, TURN_270: strips.undone(crop, TURN_180)})
                    )
            row.append(seen)
        rows.append(row)
    _read(wanted)
    return rows


def _sure_look(label: _Print, found: dict[str, Match]) -> bool:
    """Whether the look alone settles the direction."""
    right = max(found[how].correlation for how in label.same)
    wrong = max((match.correlation for how, match in found.items() if how not in label.same), default=-1.0)
    return right > SURE_LOOK and right - wrong > SURE_MARGIN


def _ink(strip: Picture) -> float:
    """How much the strip's lightness varies: the 5th to 95th percentile of its luma, 0 to 255."""
    low, high = np.percentile(strip.mean(-1), (5, 95))
    return float(high - low)


def _direction(seen: _Seen) -> tuple[str, float]:
    """The way in which the label is drawn, and how sure that it is the right way, 0 to 1."""
    label = seen.print
    right = max(seen.matches[how].correlation for how in label.same)
    heard = _heard(seen, KEEP)
    worst, least = KEEP, np.inf
    for how, match in seen.matches.items():
        if how in label.same:
            continue
        # where the render itself looks nearly alike turned over, small differences count for more
        weight = LOOK_WEIGHT * min(3.0, 0.5 / max(1e-3, 1 - label.looks.get(how, 0.0)))
        weight = max(LOOK_WEIGHT, weight)
        margin = heard - _heard(seen, how) + weight * (right - match.correlation)
        if margin < least:
            worst, least = how, margin
    return (KEEP if least > 0 else worst), _sigmoid(1.6 * least)


def _heard(seen: _Seen, how: str) -> float:
    """Log likelihood a letter that the recogniser gives a hypothesis; one value where it cannot tell."""
    label = seen.print
    if not label.readable or how not in seen.readings:
        return max(seen.readings[KEEP].likelihood, -6.0) if label.readable else 0.0
    # what it cannot tell from the truth on the render itself is left to the look
    confused = how in seen.alike and seen.alike[how].likelihood > READABLE
    return max(seen.readings[KEEP if confused else how].likelihood, -6.0)


def _spelling(seen: _Seen) -> float:
    """How sure that the letters are the right ones, 0 to 1, read the right way."""
    label = seen.print
    reading, look = seen.readings[KEEP], seen.matches[KEEP]
    at = max(label.same, key=lambda how: seen.matches[how].correlation)
    look = seen.matches[at] if seen.matches[at].correlation > look.correlation else look
    appearance = 3.0 * (look.correlation - 0.55) + 2.0 * (look.weakest - 0.1)
    if not label.readable:
        return _sigmoid(2.0 * appearance)
    letters = np.array(reading.letters) - np.minimum(np.array(label.own.letters), 0.0)
    # every letter may be there and one too many besides: then the whole is less likely than its letters
    surplus = reading.likelihood * len(letters) - float(np.sum(reading.letters))
    worst = float(np.clip(min(letters.min(), surplus), -9.0, 0.0))
    return _sigmoid(3.0 + 2.5 * worst + 1.5 * min(appearance, 1.0))


def _sigmoid(value: float) -> float:
    return float(1 / (1 + np.exp(-np.clip(value, -30.0, 30.0))))


def _conclude(labels: list[_Seen], settings: TextSettings) -> CheckResult:
    threshold = settings.threshold
    if not labels:
        return CHECK.result(
            1.0, threshold, "This view of the product shows no text.", verdict=Verdict.NOT_APPLICABLE
        )
    unclear = [seen for seen in labels if seen.print.why_not or seen.print.other_text]
    clear = [seen for seen in labels if seen not in unclear]
    outcomes = sorted((_outcome(seen, threshold) for seen in clear), key=lambda outcome: outcome[0])
    evidence = tuple(item for _, _, item in outcomes) + tuple(
        _evidence(seen, "not judged") for seen in unclear
    )
    if outcomes and outcomes[0][0] < threshold:
        wrong = [sentence for value, sentence, _ in outcomes if value < threshold]
        return CHECK.result(outcomes[0][0], threshold, " ".join(wrong), evidence)
    doubts = " ".join(_doubt(seen) for seen in unclear)
    if not outcomes or any(seen.print.other_text for seen in unclear):
        return CHECK.result(0.5, threshold, doubts, evidence, Verdict.UNVERIFIABLE)
    good = " ".join(sentence for _, sentence, _ in outcomes)
    return CHECK.result(outcomes[0][0], threshold, f"{good} {doubts}".strip(), evidence)


def _outcome(seen: _Seen, threshold: float) -> tuple[float, str, Evidence]:
    """Score, sentence and evidence of one label that can be judged."""
    label, truth = seen.print, seen.print.truth
    how, sure = _direction(seen)
    spelt = _spelling(seen)
    read = seen.readings[KEEP].text
    should = direction_words(truth.angle)
    if sure < threshold and _convincing(seen, how):
        sentence = _turned_words(label, how)
        read = seen.readings[how].text if how in seen.readings else read
        return min(sure, spelt), sentence, _evidence(seen, "wrong direction", read, how)
    if min(sure, spelt) < threshold:
        faint = seen.ink < 0.35 * max(1.0, truth.contrast * 2.55)
        if faint or (not read and seen.matches[KEEP].correlation < 0.3):
            return min(sure, spelt), f"'{truth.text}' is missing.", _evidence(seen, "missing", read)
        return min(sure, spelt), _garbled_words(seen, read), _evidence(seen, "garbled", read)
    sentence = f"'{truth.text}' reads {should}, as it should."
    return min(sure, spelt), sentence, _evidence(seen, "right", read)


def _convincing(seen: _Seen, how: str) -> bool:
    """Whether the label is there, drawn as `how` says, rather than so wrong that no hypothesis fits."""
    if how == KEEP:
        return False
    look = seen.matches[how].correlation if how in seen.matches else 0.0
    return look > 0.65 or (how in seen.readings and seen.readings[how].likelihood > READABLE)


def _turned_words(label: _Print, how: str) -> str:
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


def _garbled_words(seen: _Seen, read: str) -> str:
    """Name what is wrong with the letters: the first that differ, or that the shapes do."""
    expected = seen.print.text
    said = f"reads '{read}'" if read else "cannot be read"
    if not seen.print.readable:
        return f"'{expected}' does not look as the 3D model prints it."
    a, b = expected.replace(" ", "").upper(), read.replace(" ", "").upper()
    for kind, i1, i2, j1, j2 in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if kind == "replace":
            return f"'{expected}' {said}: '{b[j1:j2]}' where '{a[i1:i2]}' should be."
        if kind == "delete":
            return f"'{expected}' {said}: '{a[i1:i2]}' is missing."
        if kind == "insert":
            return f"'{expected}' {said}: '{b[j1:j2]}' is too much."
    letters = seen.readings[KEEP].letters
    worst = int(np.argmin(letters)) if letters else 0
    return f"'{expected}' is malformed, most of all at '{a[worst : worst + 1]}'."


def _doubt(seen: _Seen) -> str:
    label = seen.print
    if label.why_not:
        return f"'{label.truth.text}' cannot be judged: {label.why_not}."
    read, declared = label.other_text, label.truth.text
    return f"The 3D model's own render reads '{read}', not '{declared}': check the label's text."


def _evidence(seen: _Seen, words: str, read: str = "", how: str = KEEP) -> Evidence:
    truth = seen.print.truth
    angle = (truth.angle + TURNED.get(how, 0.0)) % 360
    data = {
        "label": truth.label,
        "expected": truth.text,
        "read": read,
        "angle": angle,
        "expected_angle": truth.angle,
    }
    return Evidence("text", words, seen.quad, data)


def _similarity(a: str, b: str) -> float:
    """Share of letters in common order, 0 to 1; case and spaces do not matter."""
    return SequenceMatcher(
        None, a.replace(" ", "").upper(), b.replace(" ", "").upper(), autojunk=False
    ).ratio()


CHECK = Check("text_orientation", "1", TextSettings, {"threshold": 0.6}, judge)

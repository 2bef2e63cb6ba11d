"""Labels as the 3D model prints them: what the reference itself looks like and reads, under every turn.

The reference is asked first. What its own label looks like turned over says which hypotheses can be told
apart at all; how the recogniser reads it says how far the recogniser can be trusted on this typeface at this
size.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher

import numpy as np

from packline.reference import Picture, Reference
from packline.truth import TextTruth
from scoring import strips
from scoring.recogniser import Reading, recogniser, same_text
from scoring.strips import FLAT, KEEP, UPRIGHT, Floats
from scoring.verifier import MARGIN as VERIFIER_MARGIN

# a label this much longer than high could not be turned by 90 degrees within its own place
SQUARE = 1.6
# a hypothesis under which the render looks this much like itself, on the whole and at its least alike letter,
# cannot be told from the truth
SAME_LOOK = 0.88
SAME_LETTERS = 0.75
# log likelihood a letter from which the recogniser knows the string when it sees it
READABLE = -0.4
# and from which it stands the right way up; a word on its head gets -0.1 at best
BEYOND_DOUBT = -0.03
# by so much likelier a turned print must be than one that is read as it stands
SURER = 0.05
#: Stands in `TextTruth.visible_text` for letters hidden between others.
HIDDEN = "…"
# text heights around a label as the verifier wants it
AROUND = VERIFIER_MARGIN / (1 - 2 * VERIFIER_MARGIN)
# prints that are remembered: a product has a few, a chunk some dozens
REMEMBERED = 512


@dataclass(frozen=True)
class Print:
    """A label as the 3D model prints it in this view.

    Parameters
    ----------
    truth
        As the reference has it.
    part
        Cut to what the view shows.
    text
        The letters to read there; empty where they cannot be read as a string, so that only the look counts.
    strip
        The render's label unrolled, margins included, RGB uint8 (H, W, 3).
    axis
        Direction in RGB from ink to ground, see `strips.ink_axis`.
    template
        The label evened out for matching, right way up.
    looks
        How much the render looks like itself under each hypothesis, -1 to 1.
    same
        The hypotheses under which it cannot be told from itself, `KEEP` among them.
    readings
        How the recogniser reads the render: as it stands, and under all hypotheses where that does not read
        as declared.
    turned
        How it reads upright and then turned by each hypothesis; filled where a candidate needs it.
    """

    truth: TextTruth
    part: TextTruth
    text: str
    strip: Picture = field(repr=False)
    axis: Floats = field(repr=False)
    template: Floats = field(repr=False)
    looks: dict[str, float]
    same: frozenset[str]
    readings: dict[str, Reading]
    turned: dict[str, Reading] = field(default_factory=dict)

    @property
    def hypotheses(self) -> tuple[str, ...]:
        """Every way in which the label could be drawn in its own place."""
        return tuple(self.looks)

    @property
    def others(self) -> tuple[str, ...]:
        """The hypotheses that can be told from the truth."""
        return tuple(how for how in self.looks if how not in self.same)

    @property
    def unread(self) -> tuple[str, ...]:
        """The hypotheses under which the upright render has not been read yet."""
        return tuple(how for how in self.hypotheses[1:] if how not in self.turned)

    @property
    def contradiction(self) -> str:
        """The hypothesis under which the render reads clearly better as declared than it does as it stands.

        The recogniser may well read a word that stands on its head, but never as surely as the right way up.
        """
        if not self.text:
            return ""
        stands = self.readings[KEEP]
        least = stands.likelihood + SURER if same_text(stands.text, self.text) else -np.inf
        fitting = [
            how
            for how, reading in self.readings.items()
            if how not in self.same and same_text(reading.text, self.text) and reading.likelihood > least
        ]
        return max(fitting, key=lambda how: self.readings[how].likelihood, default="")

    @property
    def expected(self) -> Picture:
        """The render's own label as the verifier wants it, the right way up."""
        return np.asarray(
            strips.undone(strips.core(self.strip, AROUND), self.contradiction or KEEP), np.uint8
        )

    @property
    def upright(self) -> Picture:
        """The render's own label as the recogniser wants it, the right way up."""
        return np.asarray(strips.undone(strips.core(self.strip), self.contradiction or KEEP), np.uint8)

    @property
    def unknown(self) -> bool:
        """Whether it shows letters that the recogniser does not know, so that only the look counts."""
        return not recogniser().knows(shown(self.truth)[0])

    @property
    def own(self) -> Reading | None:
        """How the render reads, the right way up."""
        return self.readings.get(self.contradiction or KEEP)

    @property
    def readable(self) -> bool:
        """Whether the recogniser can read the render at all."""
        return self.own is not None and self.own.likelihood > READABLE

    @property
    def other_text(self) -> str:
        """What the render says where that is clearly another string than the declared one; else empty."""
        if self.readable or not self.text:
            return ""
        said = max(self.readings.values(), key=lambda reading: reading.confidence)
        far = similarity(said.text, self.text) < 0.4 and said.confidence > 0.9 and len(said.text) > 2
        return said.text if far else ""


_remembered: OrderedDict[str, Print] = OrderedDict()


def prints(scenes: Iterable[Reference], too_small: float) -> list[list[Print]]:
    """Ask the renders: how each label looks and reads there, under every hypothesis where it must.

    What a label's strip looks like and says decides all, so candidates of one product share the answers even
    where each has a reference of its own.

    Parameters
    ----------
    scenes
        References in the candidates' own cameras.
    too_small
        Pixels of text height under which a label is not read.
    """
    rows: list[list[str]] = []
    fresh: dict[str, Print] = {}
    for scene in scenes:
        row = []
        for truth in scene.labels:
            text, part = shown(truth)
            # one letter that the recogniser does not know spoils what it says about the others
            text = text if truth.height >= too_small and recogniser().knows(text) else ""
            strip = strips.strip(scene.colour, part)
            digest = hashlib.blake2b(strip.tobytes() + f"{strip.shape} {text} {part}".encode()).hexdigest()
            if digest not in _remembered and digest not in fresh:
                fresh[digest] = _looked_at(truth, part, text, strip)
            row.append(digest)
        rows.append(row)
    _read(list(fresh.values()))
    known = {**_remembered, **{digest: _set_upright(one) for digest, one in fresh.items()}}
    for digest in (digest for row in rows for digest in row):
        _remembered[digest] = known[digest]
        _remembered.move_to_end(digest)
    while len(_remembered) > REMEMBERED:
        _remembered.popitem(last=False)
    return [[known[digest] for digest in row] for row in rows]


def shown(truth: TextTruth) -> tuple[str, TextTruth]:
    """The letters that show (none where some are hidden between others), and the label cut to them."""
    start, end = truth.span
    whole = start <= 0.02 and end >= 0.98
    part = truth if whole else strips.cropped(truth, start, end)
    if truth.visible_text:
        return ("" if HIDDEN in truth.visible_text else truth.visible_text.strip()), part
    return (truth.text if whole else ""), part


def similarity(a: str, b: str) -> float:
    """Share of letters in common order, 0 to 1; case and spaces do not matter."""
    a, b = a.replace(" ", "").upper(), b.replace(" ", "").upper()
    return SequenceMatcher(None, a, b, autojunk=False).ratio()


def crops(crop: Picture, kinds: Sequence[str]) -> dict[str, Picture]:
    """A crop made upright under each hypothesis."""
    return {how: strips.undone(crop, how) for how in kinds}


def read_all(wanted: Sequence[tuple[str, dict[str, Reading], dict[str, Picture]]]) -> None:
    """Recognise all crops of all labels in one batch.

    Parameters
    ----------
    wanted
        The string expected, where to put the readings, and the crops by hypothesis.
    """
    flat = [(text, into, how, crop) for text, into, some in wanted for how, crop in some.items() if text]
    readings = recogniser().read([crop for *_, crop in flat], [text for text, *_ in flat])
    for (_, into, how, _), reading in zip(flat, readings, strict=True):
        into[how] = reading


def _looked_at(truth: TextTruth, part: TextTruth, text: str, strip: Picture) -> Print:
    bare = strips.core(strip, 0.0)
    kinds = FLAT + UPRIGHT if bare.shape[1] < SQUARE * bare.shape[0] else FLAT
    axis = strips.ink_axis(bare)
    wide = strips.normalised(strip, axis)
    edge = round(strips.MARGIN * strips.SMALL)
    template = np.ascontiguousarray(wide[edge:-edge, edge:-edge])
    looks = strips.matches(wide, template, kinds, scales=(1.0,))
    same = frozenset(
        how
        for how, look in looks.items()
        if how == KEEP or (look.correlation > SAME_LOOK and look.weakest > SAME_LETTERS)
    )
    alike = {how: look.correlation for how, look in looks.items()}
    return Print(truth, part, text, strip, axis, template, alike, same, {})


def _read(fresh: Sequence[Print]) -> None:
    read_all([(one.text, one.readings, {KEEP: strips.core(one.strip)}) for one in fresh])
    # only a render that is not read as declared beyond doubt is asked what it says otherwise
    unlike = [
        one
        for one in fresh
        if one.text
        and not (
            same_text(one.readings[KEEP].text, one.text) and one.readings[KEEP].likelihood > BEYOND_DOUBT
        )
    ]
    read_all([(one.text, one.readings, crops(strips.core(one.strip), one.hypotheses[1:])) for one in unlike])


def _set_upright(one: Print) -> Print:
    """Where the render contradicts the declaration, compare with the print the right way up."""
    if not one.contradiction:
        return one
    return replace(one, template=np.asarray(strips.undone(one.template, one.contradiction), np.float32))

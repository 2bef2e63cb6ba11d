"""What the page of a shot shows of each candidate: its checks in words, its facts, its layers of evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from packline.candidate import Candidate
from packline.choice import standing
from packline.records import CandidateRecord, ShotRecord
from packline.report.figures import plain_name
from packline.report.swatches import Swatches, swatches
from packline.report.wording import facts_of, labels_of, reads, verdict_words, view_words, worst_first
from packline.review.evidence import Layer, check_layers, truth_layers
from packline.scorecard import CheckResult, Verdict

Address = Callable[[str, str], str]
"""The address of a candidate's picture by the candidate's id and the picture's kind."""

_WORDS = {
    Verdict.PASS: "passed",
    Verdict.FAIL: "failed",
    Verdict.NOT_APPLICABLE: "does not apply",
    Verdict.UNVERIFIABLE: "cannot tell",
    Verdict.ERROR: "could not run",
}
# a picture of which nothing is known; the delivered size of the line's own settings
_USUAL = (1024, 1024)


@dataclass(frozen=True)
class CheckRow:
    """One check's line.

    Parameters
    ----------
    tone
        "fail", "doubt" (cannot tell, or could not run), "pass" or "none".
    verdict
        In words: "failed", "cannot tell".
    score, threshold
        In per cent, one decimal; the bar's length and its tick.
    asides
        Captions of evidence that has no place in the picture.
    points
        Whether the check points at anything in the picture.
    needs
        What an unverifiable result asks for, in words; else empty.
    """

    check: str
    name: str
    tone: str
    verdict: str
    sentence: str
    score: float
    threshold: float
    asides: tuple[str, ...]
    swatches: tuple[Swatches, ...]
    points: bool
    needs: str = ""


@dataclass(frozen=True)
class CandidateCard:
    """One candidate.

    Parameters
    ----------
    number
        Its place among the shot's candidates, from 1.
    state
        "select", "passed", "failed" or "open" (not scored).
    words
        Its verdict: "Failed colour, shape".
    facts, lineage
        Name and value of what made it, and of what that was made from.
    outdated
        Whether its scores are of other checks than the present ones.
    against, passed, idle
        Checks that stand against it, worst first; those that passed; those that do not apply.
    """

    id: str
    number: int
    state: str
    words: str
    score: float | None
    against: tuple[CheckRow, ...]
    passed: tuple[CheckRow, ...]
    idle: tuple[CheckRow, ...]
    prompt: str
    facts: tuple[tuple[str, str], ...]
    lineage: tuple[tuple[str, str], ...]
    outdated: bool

    @property
    def title(self) -> str:
        """ "Candidate 3"."""
        return f"Candidate {self.number}"


@dataclass(frozen=True)
class ReferenceCard:
    """A further picture of the 3D model: its kind among the desk's pictures, a caption, an alternative."""

    kind: str
    caption: str
    alt: str


def candidate_cards(record: ShotRecord) -> tuple[CandidateCard, ...]:
    """A shot's candidates in the order in which they were made."""
    return tuple(_card(number, one, record) for number, one in enumerate(record.candidates, 1))


def shown_first(record: ShotRecord, asked: str = "") -> str:
    """Which candidate the page opens with: the one that was asked for, the select, or the nearest miss.

    Returns
    -------
    str
        Its id; empty where the shot has no candidates.
    """
    ids = [one.candidate.id for one in record.candidates]
    for wanted in (asked, record.select):
        if wanted in ids:
            return wanted
    if not ids:
        return ""
    return max(record.candidates, key=lambda one: standing(one.scorecard)).candidate.id


def reference_cards(record: ShotRecord) -> tuple[ReferenceCard, ...]:
    """The shot's views of the 3D model beside the one in the scene."""
    cards = []
    for view, folder in record.references.items():
        if view == "scene":
            continue
        caption, labels = view_words(view), labels_of(folder)
        if view.startswith("label:") and labels:
            caption += f": reads {reads(labels[0])}"
        said = "".join(f"; “{label.text}” reads {reads(label)}" for label in labels)
        alt = f"3D model of {record.title or record.sku}: {caption.lower()}{said}"
        cards.append(ReferenceCard(f"view:{view}", caption, alt))
    return tuple(cards)


def candidate_data(record: CandidateRecord, address: Address) -> dict[str, Any]:
    """What the viewer draws of a candidate, as plain data.

    Returns
    -------
    dict
        ``size`` (width and height in pixels), ``layers`` (see `packline.review.evidence.Layer`; heat maps as
        addresses) and ``silhouette`` (path data).
    """
    candidate, card = record.candidate, record.scorecard
    results = worst_first(card) if card else ()
    # the worst is drawn last, on top
    layers = [*truth_layers(candidate.truth), *check_layers(reversed(results))]
    plain = [_addressed(layer, candidate.id, address) for layer in layers]
    outline = next((layer["shapes"][0]["path"] for layer in plain if layer["name"] == "silhouette"), "")
    return {"size": list(_size(candidate.picture)), "layers": plain, "silhouette": outline}


def _addressed(layer: Layer, identity: str, address: Address) -> dict[str, Any]:
    plain = layer.to_dict()
    for shape in plain["shapes"]:
        if shape["heat"]:
            shape["heat"] = address(identity, shape["heat"])
    return plain


def _card(number: int, record: CandidateRecord, shot: ShotRecord) -> CandidateCard:
    candidate, card = record.candidate, record.scorecard
    state, words = verdict_words(card)
    if candidate.id == shot.select:
        state, words = "select", f"Select; {words[0].lower()}{words[1:]}"
    rows = [_row(result) for result in worst_first(card)] if card else []
    return CandidateCard(
        id=candidate.id,
        number=number,
        state=state,
        words=words,
        score=None if card is None else card.score,
        against=tuple(row for row in rows if row.tone in ("fail", "doubt")),
        passed=tuple(row for row in rows if row.tone == "pass"),
        idle=tuple(row for row in rows if row.tone == "none"),
        prompt=candidate.recipe.prompt,
        facts=facts_of(candidate),
        lineage=_lineage(candidate, shot),
        outdated=bool(record.checks and shot.checks and record.checks != shot.checks),
    )


def _lineage(candidate: Candidate, shot: ShotRecord) -> tuple[tuple[str, str], ...]:
    """Where a candidate comes from: what its shot's fingerprint covers, which pictures it was made from."""
    facts = [("Catalog row", str(shot.row)), ("3D model file", Path(shot.model).name)]
    facts += [(f"Image {number}", of) for number, of in enumerate(candidate.recipe.references, 1)]
    facts += [(part, digest) for part, digest in shot.parts.items()]
    facts.append(("Fingerprint", shot.fingerprint))
    if candidate.id == shot.select:
        facts.append(("Chosen by", shot.decided))
        facts += [(f"Published {one.use}", one.key) for one in shot.published]
    return tuple((name, value) for name, value in facts if value not in ("", "0"))


def _row(result: CheckResult) -> CheckRow:
    tone = {
        Verdict.PASS: "pass",
        Verdict.FAIL: "fail",
        Verdict.NOT_APPLICABLE: "none",
    }.get(result.verdict, "doubt")
    placed = [one for one in result.evidence if len(one.points) > 1]
    return CheckRow(
        check=result.check,
        name=plain_name(result.check),
        tone=tone,
        verdict=_WORDS[result.verdict],
        sentence=result.sentence,
        score=_percent(result.score),
        threshold=_percent(result.needed),
        asides=_asides(result),
        swatches=tuple(swatches(result.evidence)),
        points=bool(placed),
        needs={"person": "needs a person", "close-up": "needs a close-up"}.get(result.needs, ""),
    )


def _asides(result: CheckResult) -> tuple[str, ...]:
    return tuple(
        one.words for one in result.evidence if len(one.points) < 2 and one.words and one.kind != "colour"
    )


def _percent(share: float) -> float:
    return round(100 * min(max(share, 0.0), 1.0), 1)


def _size(file: Path) -> tuple[int, int]:
    """Width and height by the file's head alone; the usual size where it is gone."""
    try:
        with Image.open(file) as opened:
            return opened.size
    except OSError:
        return _USUAL

"""What the page shows of each shot: pictures embedded, marks drawn, words chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from packline.candidate import Candidate
from packline.choice import standing
from packline.records import CandidateRecord, ShotRecord, ShotState
from packline.report.album import Album, Edges, Print
from packline.report.marks import Mark, evidence_marks, truth_marks
from packline.report.wording import facts_of, labels_of, reads, verdict_words, view_words, worst_first
from packline.scorecard import CheckResult


@dataclass(frozen=True)
class Figure:
    """A picture with its caption and marks.

    Parameters
    ----------
    id
        Unique in the page.
    alt
        What the picture is, for who cannot see it.
    """

    id: str
    kind: str
    picture: Print
    caption: str
    alt: str
    marks: tuple[Mark, ...] = ()

    @property
    def height(self) -> float:
        """Height of the marks' space; its width is 1000."""
        return 1000 * self.picture.full[1] / self.picture.full[0]


@dataclass(frozen=True)
class CandidateView:
    """A candidate as the page shows it; `facts` are name and value of everything that made it."""

    title: str
    state: str
    words: str
    figure: Figure
    asked: Figure
    raw: Figure
    results: tuple[CheckResult, ...]
    prompt: str
    facts: tuple[tuple[str, str], ...]

    @property
    def chosen(self) -> bool:
        """Whether this is the shot's select."""
        return self.state == "select"


@dataclass(frozen=True)
class ShotView:
    """A shot as the page shows it."""

    id: str
    record: ShotRecord
    state: str
    state_words: str
    failing: tuple[str, ...]
    thumb: Figure
    base: Figure
    base_id: str
    references: tuple[Figure, ...]
    candidates: tuple[CandidateView, ...]

    @property
    def select(self) -> CandidateView | None:
        """The chosen candidate, if any."""
        return next((one for one in self.candidates if one.chosen), None)

    @property
    def others(self) -> tuple[CandidateView, ...]:
        """The candidates besides the select, in the order in which they were made."""
        return tuple(one for one in self.candidates if not one.chosen)


@dataclass
class ViewMaker:
    """Makes the views of all shots with one album.

    Parameters
    ----------
    scene_of
        Base photo by scene name.
    """

    scene_of: Mapping[str, Path]
    edges: Edges
    album: Album = field(default_factory=Album)

    def bases(self) -> list[Figure]:
        """Every scene's base photo once, large, for comparing in the lightbox."""
        return [
            Figure(
                f"base-{i}",
                "store",
                self.album.embed(file, self.edges.select),
                f"Base photo {name}",
                f"Base photo of the scene {name}",
            )
            for i, (name, file) in enumerate(self.scene_of.items())
        ]

    def shot(self, number: int, record: ShotRecord) -> ShotView:
        """One shot; `number` counts from 1 and makes the ids unique."""
        id_ = f"shot-{number}"
        names = list(self.scene_of)
        photo = self.scene_of.get(record.scene)
        base = Figure(
            f"{id_}-base",
            "base",
            self.album.embed(photo, self.edges.raw),
            "Base photo",
            f"Base photo of the scene {record.scene}, before the edit",
        )
        ordered = sorted(record.candidates, key=_in_order)
        if record.state == ShotState.FLAGGED:
            # a person looks at the nearest miss first
            ordered.sort(key=lambda one: standing(one.scorecard), reverse=True)
        chosen_first = sorted(ordered, key=lambda one: one.candidate.id != record.select)
        numbers = {one.candidate.id: i for i, one in enumerate(sorted(record.candidates, key=_in_order), 1)}
        candidates = tuple(
            self._candidate(f"{id_}-c{numbers[one.candidate.id]}", numbers[one.candidate.id], one, record)
            for one in chosen_first
        )
        failing = {
            result.check for one in record.candidates if one.scorecard for result in one.scorecard.failures
        }
        if record.state == ShotState.FLAGGED and record.reason:
            failing.add(record.reason)
        return ShotView(
            id=id_,
            record=record,
            state=record.state.name.lower(),
            state_words=str(record.state).capitalize(),
            failing=tuple(sorted(failing)),
            thumb=self._thumb(id_, record, photo),
            base=base,
            base_id=f"base-{names.index(record.scene)}" if photo else "",
            references=tuple(
                self._reference(f"{id_}-r{i}", view, folder, record)
                for i, (view, folder) in enumerate(record.references.items())
            ),
            candidates=candidates,
        )

    def _thumb(self, id_: str, record: ShotRecord, photo: Path | None) -> Figure:
        chosen = next((one.candidate for one in record.candidates if one.candidate.id == record.select), None)
        what, file = "Select", chosen.picture if chosen else photo
        if not chosen:
            what = f"No select; base photo {record.scene}"
            scored = [one for one in record.candidates if one.scorecard]
            if scored:
                # the nearest miss says more about a flag than an empty room
                nearest = max(scored, key=lambda one: standing(one.scorecard))
                what, file = "No select; nearest candidate", nearest.candidate.picture
        return Figure(
            f"{id_}-thumb",
            "thumb",
            self.album.embed(file, self.edges.thumb),
            record.sku,
            f"{what} of {record.key}",
        )

    def _reference(self, id_: str, view: str, folder: Path, record: ShotRecord) -> Figure:
        picture = self.album.embed(folder / "colour.png", self.edges.reference)
        labels = labels_of(folder)
        caption = view_words(view)
        alt = f"3D model of {record.title or record.sku}: {caption.lower()}"
        if view.startswith("label:") and labels:
            # the strip is where a person looks up which way a label should run
            caption += f": reads {reads(labels[0])}"
        for label in labels:
            alt += f"; “{label.text}” reads {reads(label)}"
        return Figure(id_, "reference", picture, caption, alt, tuple(truth_marks(labels, picture.full)))

    def _candidate(self, id_: str, number: int, record: CandidateRecord, shot: ShotRecord) -> CandidateView:
        candidate, card = record.candidate, record.scorecard
        chosen = candidate.id == shot.select
        results = worst_first(card) if card else ()
        state, words = ("select", "Select") if chosen else verdict_words(card)
        title = f"Candidate {number}"
        picture = self.album.embed(candidate.picture, self.edges.select if chosen else self.edges.candidate)
        asked = self.album.embed(candidate.truth / "colour.png", self.edges.raw)
        raw = self.album.embed(candidate.edit, self.edges.raw)
        product = shot.title or shot.sku
        refined = candidate.recipe.refine != "off"
        return CandidateView(
            title,
            state,
            words,
            Figure(
                id_,
                "candidate",
                picture,
                f"{title}: {words}",
                f"{title} of {product} in the scene {shot.scene}: {words.lower()}",
                tuple(evidence_marks(results, picture.full)),
            ),
            Figure(
                f"{id_}-asked",
                "asked",
                asked,
                "Asked for",
                f"What {title.lower()} should show, from the 3D model",
                tuple(truth_marks(labels_of(candidate.truth), asked.full)),
            ),
            Figure(
                f"{id_}-raw",
                "raw",
                raw,
                "Raw edit" if refined else "Raw edit, kept as it is",
                f"{title} as the engine returned it, before refine",
            ),
            results,
            candidate.recipe.prompt,
            facts_of(candidate),
        )


def _in_order(record: CandidateRecord) -> tuple[int, str]:
    return _order(record.candidate)


def _order(candidate: Candidate) -> tuple[int, str]:
    return candidate.recipe.number, candidate.id

"""Station: score candidates against the truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from prefect import task

from packline import progress
from packline.errors import FixSettings
from packline.line import Line, Order
from packline.line.chunks import work_carefully
from packline.records import CandidateRecord, PlannedShot
from packline.reference import Reference
from scoring.check import CheckInput, PromptWords, read_candidate
from scoring.policy import score
from tasks.opening import Opened, opened
from tasks.retrying import OPTIONS, last_try, timed

STATION = "scorecards"
# pictures with their truth take some 40 MB each; a few at a time fill the models' batches
_TOGETHER = 8
_DISTRACTORS = 12


@task(name="score", tags=["cpu"], timeout_seconds=7200, **OPTIONS)
def score_candidates(order: Order, run: str, keys: list[str]) -> list[str]:
    """Judge every candidate of a chunk of shots that has no scorecard of the present checks."""
    at, tally = opened(order), progress.Tally(STATION)
    line = at.line
    with timed(line, run, STATION, tally):
        return work_carefully(
            line,
            run,
            keys,
            lambda key: key,
            lambda some: score_shots(at, run, some, tally),
            reason="scoring",
            last_try=last_try(),
        )


def score_shots(at: Opened, run: str, keys: Sequence[str], done: Callable[[str], None]) -> None:
    """Score what has no scorecard of the present checks, and note the scorecards.

    Parameters
    ----------
    done
        Called with the id of each candidate that has its scorecard.

    Raises
    ------
    FixSettings
        Where the run was planned with other checks than this process has: it opened the line later.
    """
    line, settings = at
    waiting: list[tuple[PlannedShot, CandidateRecord]] = []
    for key in keys:
        planned = line.shots[key]
        for record in line.ledger.candidates(key, planned.fingerprint):
            if record.checks == planned.checks:
                done(record.candidate.id)
            elif planned.checks != line.checks:
                # noted under the plan's digest, the scorecard would count as one of the plan's checks
                raise FixSettings(
                    "The checks, their settings or thresholds have changed since this run was planned; run "
                    "the catalogue again, which keeps what is made."
                )
            else:
                waiting.append((planned, record))
    for start in range(0, len(waiting), _TOGETHER):
        batch = waiting[start : start + _TOGETHER]
        cards = score([check_input(line, planned, record) for planned, record in batch], settings)
        for (planned, record), card in zip(batch, cards, strict=True):
            line.ledger.record_scorecard(run, record.candidate.id, planned.checks, card)
            done(record.candidate.id)


def check_input(line: Line, planned: PlannedShot, record: CandidateRecord) -> CheckInput:
    """A candidate beside its truth: the scene as this very candidate was asked to show it."""
    shot = planned.shot
    title = shot.product.title
    # a fixed few of the catalogue's other words, so that a large catalogue costs no more than a small one
    titles, scenes = (
        [one for one in some if one != own][:_DISTRACTORS]
        for some, own in zip(line.words(_DISTRACTORS + 1), (title, shot.scene), strict=True)
    )
    others = tuple(line.scene(scene).words for scene in scenes)
    words = PromptWords(title, line.scene(shot.scene).words, tuple(titles), others)
    return CheckInput(
        candidate=read_candidate(record.candidate.picture),
        base=line.photo(shot.scene),
        scene=Reference.load(record.candidate.truth),
        words=words,
        sku=shot.product.sku,
        place=shot.scene,
    )

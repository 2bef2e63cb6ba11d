"""What people decided at the review desk, carried out by the line; only the model is a double."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from packline.ledger.decided import Choice
from packline.records import ShotState
from tests.flows.conftest import TruthEngine
from tests.flows.test_catalog_run import edit_settings, ledger_of, run, shots_of

pytestmark = pytest.mark.usefixtures("prefect_server")

MUG, CAN, SHELF = "MUG/table/front", "CAN/table/front", "CAN/shelf/front"


def carry_out(catalog: Path) -> Any:
    from flows.decision import carry_out as flow

    return flow(catalog=str(catalog), return_state=True)


def decide(catalog: Path, key: str, kind: str, candidate: int | None = None, **more: Any) -> None:
    ledger = ledger_of(catalog)
    version = ledger.review.version("small", key)
    chosen = "" if candidate is None else shots_of(catalog)[key].candidates[candidate].candidate.id
    ledger.review.decide([Choice("small", key, version, kind, chosen, **more)], "Anna")
    ledger.close()


def shown(catalog: Path) -> dict[str, bool]:
    """What the environment shows: shots, and whether each was overridden."""
    bucket = catalog.parent / "bucket"
    pointer = json.loads((bucket / "test/small/environments/dev.json").read_text())
    manifest = json.loads((bucket / pointer["manifest"]).read_text())
    return {image["shot"]: image["overridden"] for image in manifest["images"]}


def test_approved_is_published_asked_again_is_made_anew_and_rejected_stays_out(
    catalog: Path, engine: TruthEngine
) -> None:
    engine.wrong = {"beige ceramic mug", "black aluminium can"}
    assert run(catalog).message == "0 of 3 shots published, 3 flagged."
    assert carry_out(catalog).name == "Nothing to carry out"
    decide(catalog, MUG, "approve", 0, words="Inverted on purpose.")
    decide(catalog, CAN, "again", asked={"candidates": 2, "note": "another light"})
    decide(catalog, SHELF, "reject", tags=("colour",))
    made = len(engine.made)
    engine.wrong = set()
    state = carry_out(catalog)

    assert state.name == "Completed with flags"
    after = shots_of(catalog)
    assert {key: shot.state for key, shot in after.items()} == {
        MUG: ShotState.PUBLISHED, CAN: ShotState.PUBLISHED, SHELF: ShotState.FLAGGED,
    }  # fmt: skip
    # one as set and two more as asked; what was approved is not made, scored or flagged again
    assert len(engine.made) == made + 3
    assert (after[MUG].decided, after[CAN].decided) == ("Anna", "checks")
    assert after[SHELF].sentence == "Anna rejected it (colour)."
    assert shown(catalog) == {MUG: True, CAN: False}
    ledger = ledger_of(catalog)
    assert ledger.review.skus_to_carry_out("small") == []
    ledger.close()


def test_rejecting_what_is_published_takes_it_down_and_it_stays_down(
    catalog: Path, engine: TruthEngine
) -> None:
    run(catalog)
    decide(catalog, MUG, "reject", 0, words="Not our mug.")
    assert carry_out(catalog).name == "Completed with flags"
    assert shown(catalog) == {CAN: False, SHELF: False}
    # other checks judge what is stored again; what a person rejected they do not choose, though it passes
    edit_settings(catalog, "threshold = 0.5\n[checks.artifacts]", "threshold = 0.4\n[checks.artifacts]")
    run(catalog)
    assert shots_of(catalog)[MUG].reason == "rejected"
    assert shown(catalog) == {CAN: False, SHELF: False}
    ledger = ledger_of(catalog)
    item = ledger.queue.item("small", MUG)
    assert item is not None and item.status == "done"
    ledger.close()
    # and another try brings another picture
    decide(catalog, MUG, "again")
    before = shots_of(catalog)[MUG].candidates
    assert carry_out(catalog).name == "Completed"
    mug = shots_of(catalog)[MUG]
    assert mug.select in {one.candidate.id for one in mug.candidates} - {one.candidate.id for one in before}
    assert MUG in shown(catalog)

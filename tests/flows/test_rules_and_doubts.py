"""House rules and what cannot be told, on the whole line; only the model is a double."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from packline.funnel import NEEDS_CLOSE_UP
from packline.records import ShotState
from packline.scorecard import CheckResult, Verdict
from scoring import scene_kept
from tests.flows.conftest import TruthEngine
from tests.flows.test_catalog_run import edit_settings, run, shots_of

pytestmark = pytest.mark.usefixtures("prefect_server")
OFF = "[checks.house_rules]\nenabled = false\n"


def test_a_new_rule_scores_again_makes_nothing_and_flags_what_breaks_it(
    catalog: Path, engine: TruthEngine
) -> None:
    # the rule alone is to decide
    edit_settings(catalog, "[checks.scene_kept]\nthreshold = 0.5", "[checks.scene_kept]\nthreshold = 0.0")
    assert run(catalog).name == "Completed"
    made = len(engine.made)
    rule = 'rule = "product_share >= 0.9", say = "The can is too small in the picture", sku = "CAN"'
    edit_settings(catalog, OFF, f"[rules]\nsize = {{ {rule} }}\n")
    assert run(catalog).name == "Completed with flags"
    assert len(engine.made) == made
    shots = shots_of(catalog)
    assert shots["MUG/table/front"].state == ShotState.PUBLISHED
    for key in ("CAN/table/front", "CAN/shelf/front"):
        assert (shots[key].state, shots[key].reason) == (ShotState.FLAGGED, "house_rules")
        assert "The can is too small in the picture." in shots[key].sentence
    # a second run has nothing to do, and a rule that is kept publishes them again
    run(catalog)
    edit_settings(catalog, "product_share >= 0.9", "product_share >= 0.01")
    assert run(catalog).name == "Completed"
    assert len(engine.made) == made


def test_what_cannot_be_told_burns_no_further_wave(
    catalog: Path, engine: TruthEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsure(inputs: Any, settings: Any) -> list[CheckResult]:
        said = scene_kept.CHECK.result(
            0.5, settings.threshold, "The label is 9 px high.", (), Verdict.UNVERIFIABLE, {"enlarge": 1.55}
        )
        return [said for _ in inputs]

    sure = replace(scene_kept.CHECK, judge=unsure)
    monkeypatch.setattr("scoring.registry.checks", lambda: {"scene_kept": sure})
    text = catalog.with_suffix(".toml").read_text()
    start = text.index("[checks.")
    table = '[checks.scene_kept]\nunverifiable = "close-up"\n'
    catalog.with_suffix(".toml").write_text(text[:start] + table)

    assert run(catalog).name == "Completed with flags"
    # two waves were allowed
    assert len(engine.made) == 3
    for shot in shots_of(catalog).values():
        assert (shot.state, shot.reason) == (ShotState.FLAGGED, NEEDS_CLOSE_UP)
        assert "scene kept can be judged where it stands 1.6 times as large" in shot.sentence

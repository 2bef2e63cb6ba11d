"""The table that makes one score of all that is known about a label."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from packline.errors import FixSettings
from scoring import text_score
from scoring.text_score import MEASURES, Table, score_of, table
from training.verifier_combine import NAMES, RISING, fit

LOW, HIGH = np.array(list(MEASURES.values())).T


def test_a_better_measure_never_lowers_the_score() -> None:
    random = np.random.default_rng(0)
    rows = random.uniform(LOW, HIGH, (400, len(NAMES)))
    before = table().odds(rows)
    for name in RISING:
        better = rows.copy()
        at = NAMES.index(name)
        better[:, at] = np.minimum(HIGH[at], better[:, at] + 0.2 * (HIGH[at] - LOW[at]))
        assert (table().odds(better) >= before - 1e-6).all(), name


def test_the_score_ranks_as_the_odds_do_and_never_sticks_at_its_ends() -> None:
    odds = np.linspace(-60, 60, 2001)
    scores = score_of(odds)
    assert (np.diff(scores) > 0).all()
    assert 0 < scores[0] < 0.05 and 0.95 < scores[-1] < 1
    assert score_of(np.zeros(1))[0] == 0.5


def test_measures_out_of_bounds_count_as_the_bounds() -> None:
    assert table().odds(HIGH[None] + 100) == pytest.approx(table().odds(HIGH[None]))


def test_a_fit_tells_right_from_wrong_by_whichever_measure_says_so() -> None:
    random = np.random.default_rng(1)
    rows = np.tile(HIGH, (600, 1))
    kinds = np.array(["right"] * 300 + ["mirrored"] * 150 + ["letter replaced"] * 150)
    rows[300:450, NAMES.index("alike")] = LOW[NAMES.index("alike")]
    rows[450:, NAMES.index("letter")] = LOW[NAMES.index("letter")]
    rows = rows - random.uniform(0, 0.1, rows.shape) * (HIGH - LOW)
    odds = fit(rows, kinds, trees=8).odds(rows)
    assert odds[:300].min() > odds[300:].max()


def test_a_tree_takes_the_branch_of_its_levels() -> None:
    tree = (np.array([0]), np.array([0.5]), np.array([-1.0, 2.0]))
    small = Table(np.zeros(len(NAMES)), 0.25, (tree,))
    assert small.odds(np.stack([LOW, HIGH])).tolist() == [-0.75, 2.25]


def test_a_table_of_other_measures_stops_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "table.json"
    file.write_text(json.dumps({"measures": ["look"], "weights": [1.0], "bias": 0.0, "trees": []}))
    monkeypatch.setattr(text_score, "TABLE", file)
    with pytest.raises(FixSettings, match="fitted for other measures"):
        table.__wrapped__()

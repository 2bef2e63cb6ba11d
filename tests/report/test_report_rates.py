"""Pass rates in the report."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from packline.drift import BASELINE, watch
from packline.records import Judgement, RunRecord
from packline.report import write_report
from packline.report.plots import HEIGHT, WIDTH, rate_plots


def history(*rates: tuple[int, int]) -> list[Judgement]:
    """Candidates of which every so many-th fails, for so many of them."""
    answers = [i % every != 0 for every, count in rates for i in range(count)]
    return [
        Judgement(f"run-{i // 100}", good, {"shape": "pass" if good else "fail", "<b>": "pass"})
        for i, good in enumerate(answers)
    ]


def test_the_whole_scorecard_is_plotted_and_the_checks_that_drift() -> None:
    steady = rate_plots(watch(history((5, 500))))
    assert [plot.name for plot in steady] == [""]
    assert steady[0].change is None
    fallen = rate_plots(watch(history((5, 400), (2, 100))))
    assert [plot.name for plot in fallen] == ["", "shape"]
    assert fallen[0].change == pytest.approx(400 / 500 * WIDTH, abs=20)


def test_the_rate_runs_from_left_to_right_within_the_plot() -> None:
    (plot,) = rate_plots(watch(history((5, 500))))
    points = [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", plot.rate)]
    assert points == sorted(points, key=lambda point: point[0])
    assert points[-1][0] == WIDTH and all(0 <= y <= HEIGHT for _, y in points)
    # one in five fails, so the line lies a fifth below the top
    assert all(y == pytest.approx(4 + 0.2 * (HEIGHT - 8), abs=1) for _, y in points)


def test_too_few_candidates_are_not_plotted() -> None:
    assert rate_plots(watch(history((5, BASELINE)))) == []
    assert rate_plots(watch([])) == []


def test_the_page_says_what_changed(tmp_path: Path, run_record: Callable[..., RunRecord]) -> None:
    watches = watch(history((5, 400), (2, 100)))
    page = write_report(run_record(), [], {}, tmp_path / "r.html", watches=watches).read_text()
    assert "Pass rates over the runs" in page
    assert watches[0].sentence in page and watches[1].sentence in page
    assert "Pass rates" not in write_report(run_record(), [], {}, tmp_path / "r.html").read_text()

"""The planning benchmark's catalog is what it says: all published, so that a run has nothing to do."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from benchmarks.plan_catalog import change_row, publish_all, write_catalog
from benchmarks.plan_plot import growth_plot
from packline.line import Line, Order
from packline.line.closing import close_run
from packline.line.plan import begin_run
from packline.records import ShotState


def test_a_run_over_the_made_up_catalog_has_nothing_to_do_until_a_row_changes(tmp_path: Path) -> None:
    catalog = write_catalog(tmp_path / "shop", 45)
    publish_all(catalog, "checks")
    line = Line(Order(catalog), "checks")
    plan = begin_run(line)
    assert (plan.shots, plan.wrong_rows, plan.nothing) == (45, 0, True)
    closed = close_run(line, plan.run)
    assert closed.states == {ShotState.PUBLISHED: 45}
    assert len(line.ledger.judgements("scale", 100)) == 45
    change_row(catalog, 20)
    line = Line(Order(catalog), "checks")
    plan = begin_run(line)
    assert (plan.make, plan.rescore, plan.why) == (1, 0, {"the title changed": 1})
    (due,) = line.ledger.tallies.shots("scale", 9, run=plan.run)
    assert (due.sku, due.title) == ("SKU-0000020", "matt stoneware mug no. 20 without handle")


def test_the_plot_is_a_picture_of_every_series_and_aim() -> None:
    series = {"a run": [(1000, 2.0), (100_000, 5.0)], "a plan": [(1000, 1.0), (100_000, 3.0)]}
    drawn = ElementTree.fromstring(growth_plot(series, series, {100_000: (10.0, 500.0)}))
    names = [element.tag.rpartition("}")[2] for element in drawn]
    assert (names.count("polyline"), names.count("circle"), names.count("path")) == (4, 8, 3)
    assert {"a run", "a plan", "CPU seconds", "100,000"} <= {element.text for element in drawn}

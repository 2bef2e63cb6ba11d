"""The bench runs shard by shard, goes on where it stopped, and counts right."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from packline.cli.bench import _about
from packline.errors import FixSettings
from scoring import registry
from scoring.bench import runner
from scoring.bench.defects import RECIPES
from scoring.bench.page import headline, markdown
from scoring.bench.plot import contact_sheet, escape_plot
from scoring.bench.runner import Order, run
from scoring.bench.table import _PICTURE, _sort_of, find, interval, order_of, read_scores

#: One check is enough to see how the bench runs.
TABLES = {
    name: {**check.defaults, "enabled": name == "scene_kept"} for name, check in registry.checks().items()
}


def row(specimen: str, check: str, verdict: str, kind: str | None, plain: bool | None) -> dict[str, object]:
    return {
        "specimen": specimen,
        "product": specimen[0],
        "kind": kind,
        "strength": None if kind is None else "2-4 %",
        "defect_check": None if kind is None else "shape",
        "plain": plain,
        "passed": False,
        "check": check,
        "version": "1",
        "verdict": verdict,
        "let_pass": False,
        "score": 0.9 if verdict == "pass" else 0.1,
        "threshold": 0.5,
        "milliseconds": 10.0,
    }


@pytest.fixture
def counted() -> pd.DataFrame:
    """Two good ones, one of them rejected; three holes: one escapes, one is caught, one cannot be told."""
    rows = []
    for specimen, kind, verdicts in (
        ("good-a", None, ("pass", "pass")),
        ("good-b", None, ("fail", "pass")),
        ("hole-a", "hole", ("pass", "pass")),
        ("hole-b", "hole", ("fail", "unverifiable")),
        ("hole-c", "hole", ("pass", "unverifiable")),
    ):
        for check, verdict in zip(("shape", "colour"), verdicts, strict=True):
            one = row(specimen, check, verdict, kind, None if kind is None else specimen != "hole-c")
            rows.append({**one, "passed": verdicts == ("pass", "pass")})
    return pd.DataFrame(rows)


def test_a_killed_run_goes_on_and_gives_what_a_whole_one_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "SHARD", 1)
    # one specimen of ten would import diffusers, which takes ten seconds
    monkeypatch.setattr("scoring.bench.nuisances._through_vae", lambda picture: picture.astype(np.float32))
    order = Order("calibration", 2, good=1, bad=2, size=128, seed=9, tables=TABLES)
    whole = run(order, tmp_path, workers=1)
    assert whole["specimen"].nunique() == 6
    assert set(whole["check"]) == {"scene_kept"}
    assert whole["kind"].isna().sum() == 2
    kept, lost = sorted(tmp_path.glob("scores-*.parquet"))
    written = kept.stat().st_mtime_ns
    lost.unlink()
    again = run(order, tmp_path, workers=1)
    assert kept.stat().st_mtime_ns == written
    timeless = [name for name in whole.columns if name != "milliseconds"]
    pd.testing.assert_frame_equal(again[timeless], whole[timeless])
    assert find(again).all_escapes.of == 4
    contact_sheet(again, tmp_path, tmp_path / "wrong.jpg")
    with pytest.raises(FixSettings, match="another split, size, seed"):
        run(Order("calibration", 2, good=1, bad=2, size=128, seed=8, tables=TABLES), tmp_path, workers=1)


def test_the_folder_says_how_many_takes_were_asked_for_and_more_are_the_same_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "work", lambda *_: None)
    order = Order(split="calibration", takes=2, size=128, seed=4, tables=TABLES)

    def noted() -> dict[str, object]:
        told: dict[str, object] = json.loads((tmp_path / "order.json").read_text())
        return told

    for takes, most in ((2, 2), (9, 9), (3, 9)):
        run(replace(order, takes=takes), tmp_path, workers=1)
        assert (noted()["takes"], noted()["split"], noted()["seed"]) == (most, "calibration", 4)
    # folders whose pictures were all drawn by the stage itself are another run's
    for other in (replace(order, seed=5), replace(order, foreign=0.0)):
        with pytest.raises(FixSettings, match="holds scores of another split"):
            run(other, tmp_path, workers=1)
    # folders of before takes were noted
    (tmp_path / "order.json").write_text(json.dumps({**noted(), "takes": 0}))
    run(order, tmp_path, workers=1)
    assert noted()["takes"] == 2


def test_a_shard_with_fewer_takes_than_are_asked_for_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = []

    def work(order: Order, shard: int, out: Path) -> None:
        done.append(shard)
        names = [f"{shard}-{number} vase" for number in range(order.takes_of(shard))]
        rows = [{**row(name, "shape", "pass", None, None), "product": name} for name in names]
        pd.DataFrame(rows).to_parquet(out / f"scores-{shard:05d}.parquet")

    monkeypatch.setattr(runner, "work", work)
    order = Order(split="calibration", size=128, seed=4, tables=TABLES)
    # asked for, made, held: fewer than there are leave what is there
    for takes, made, held in ((6, [0, 1], 6), (8, [1], 8), (8, [], 8), (5, [], 8), (9, [2], 9)):
        done.clear()
        asked = replace(order, takes=takes)
        scores = run(asked, tmp_path, workers=1)
        assert (done, scores["product"].nunique()) == (made, held)
        said = _about(asked, scores)
        assert f"{held} good and 0 bad pictures of {held} products" in said
        assert f"This run: split `calibration`, {held} takes at 128 px, seed 4" in said
        assert f"--takes {held} --size 128" in said
        assert (f" (all that the folder holds; {takes} were asked for)" in said) == (takes != held)


def test_a_folder_without_a_run_has_no_scores(tmp_path: Path) -> None:
    assert read_scores(tmp_path).empty


def test_intervals_are_exact() -> None:
    none = interval(0, 300)
    assert none.low == 0
    assert none.high == pytest.approx(1 - 0.025 ** (1 / 300))
    half = interval(5, 10)  # Clopper and Pearson's own table
    assert (half.low, half.high) == (pytest.approx(0.1871, abs=1e-4), pytest.approx(0.8129, abs=1e-4))
    assert interval(0, 0).words() == "–"


def test_escapes_false_rejects_and_what_cannot_be_told_are_counted_apart(counted: pd.DataFrame) -> None:
    found = find(counted)
    assert (found.plain_escapes.hits, found.plain_escapes.of) == (1, 2)
    assert (found.all_escapes.hits, found.all_escapes.of) == (1, 3)
    assert (found.rejected.hits, found.rejected.of) == (1, 2)
    assert (found.unverifiable.hits, found.unverifiable.of) == (0, 2)
    (hole,) = found.defects
    assert (hole.escaped.hits, hole.unverifiable, hole.plain) == (1, 1, 2)
    assert hole.caught_by == (("shape", pytest.approx(1 / 3)),)
    by_name = {one.name: one for one in found.checks}
    assert by_name["shape"].rejected.hits == 1
    assert by_name["colour"].rejected.hits == 0
    assert found.median_ms == 20
    assert headline(found).startswith("1 of 2 plain defects escaped (50.0 %")


def test_the_page_and_the_plot_show_each_defect(counted: pd.DataFrame) -> None:
    found = find(counted)
    page = markdown(found, "A run.")
    assert "| hole | 2-4 % | `shape` | 3 | 2 |" in page
    drawing = ET.fromstring(escape_plot(found))
    space = "{http://www.w3.org/2000/svg}"
    assert [one.text for one in drawing.iter(f"{space}text") if one.get("class") == "t"] == ["hole"]
    (dot,) = drawing.iter(f"{space}circle")
    ends = sorted(float(one.get(key, "")) for one in drawing.iter(f"{space}line")
                  if one.get("class") == "i" for key in ("y1", "y2"))  # fmt: skip
    assert ends[0] < float(dot.get("cy", "")) < ends[1]


def test_strengths_are_in_a_persons_order() -> None:
    bands = [">8 %", "1-2 %", "<1 %", "4-8 %", "2-4 %"]
    assert sorted(bands, key=order_of) == ["<1 %", "1-2 %", "2-4 %", "4-8 %", ">8 %"]
    assert sorted(["strong", "faint", "clear"], key=order_of) == ["faint", "clear", "strong"]
    assert sorted(["q10", "q30", "q20"], key=order_of) == ["q30", "q20", "q10"]
    assert sorted(["dE 8", "dE 2", "dE 5"], key=order_of) == ["dE 2", "dE 5", "dE 8"]


def test_the_worst_are_shown_plain_escapes_first(tmp_path: Path, counted: pd.DataFrame) -> None:
    tile = cv2.imencode(".jpg", np.full((60, 40, 3), 128, np.uint8))[1].tobytes()
    (tmp_path / "looks").mkdir()
    looks = pd.DataFrame({"specimen": ["good-b", "hole-a"], "jpeg": [tile, tile]})
    looks.to_parquet(tmp_path / "looks" / "00000.parquet")
    assert contact_sheet(counted, tmp_path, tmp_path / "wrong.jpg") == 2
    assert cv2.imread(str(tmp_path / "wrong.jpg")) is not None


def test_plain_defects_are_counted_by_sort_and_products_of_new_kinds_apart() -> None:
    rows = []
    for specimen, kind, strength, passed in (
        ("a kettle", "text turned 90", ">32 px", True),
        ("a book", "text mirrored left-right", "20-32 px", False),
        ("a chair", "colour shifted, whole", "dE 5", True),
        ("another chair", "colour shifted, one part", "dE 8", False),
        ("a lamp", "colours exchanged", "dE >30", False),
        ("a bag", "halo", "strong", True),
    ):
        one = row(specimen, "shape", "pass" if passed else "fail", kind, True)
        rows.append({**one, "product": specimen, "strength": strength, "passed": passed})
    found = find(pd.DataFrame(rows))
    counted = {group.words: (group.escaped.hits, group.escaped.of) for group in found.groups}
    assert counted == {
        "text turned or mirrored": (1, 2),
        "colours off by more than dE 5": (0, 2),
        "colours off by dE 5": (1, 1),
        "the scene changed, the product doubled or misplaced": (1, 1),
    }
    escaped, rejected = found.new_kinds
    assert (escaped.hits, escaped.of, rejected.of) == (1, 2, 0)
    page = markdown(found, "A few.")
    assert "of them 1 of 4 escaped" in page
    assert "**text turned or mirrored** | 2 |" in page


def test_every_recipe_has_its_sort_and_only_the_pictures_own_faults_are_the_rest() -> None:
    for recipe in RECIPES:
        sort = _sort_of(recipe.name.replace("colour of", "colour shifted,"), recipe.strength)
        assert (sort == _PICTURE) == (recipe.late is not None), recipe.name

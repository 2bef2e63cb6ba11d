"""Clean-up: what the ledger needs stays, however old; what nobody needs goes, once it is old enough."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from typer.testing import CliRunner

from packline.bucket import FolderBucket
from packline.catalog import Catalog
from packline.clean import Sweep, clean_objects, clean_uploads, clean_work
from packline.cli.main import app
from packline.errors import FixSettings, Occupied
from packline.ledger import Ledger
from packline.plan import plan_shots
from packline.records import PlannedShot, Published
from packline.settings import Settings
from packline.shots import Product
from tests.parts import make_candidate, make_folder, scorecard

CHECKS = "checks-1"
WEEK = timedelta(days=7)
LONG_AGO = timedelta(days=60)


class House:
    """A catalog whose work folder is as a run leaves it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.settings: Settings = make_folder(folder)
        self.folder, self.work = folder, self.settings.run.work
        self.ledger = Ledger(url)
        self.model = folder / "3d" / "shoe.glb"
        self.now = datetime.now(UTC)

    def plan(self, *skus: str, title: str = "red shoe") -> dict[str, PlannedShot]:
        """A run plans these products and ends."""
        products = [Product(sku, title, self.model, (("table", "hero"),), row=1) for sku in skus]
        catalog = Catalog("demo", self.folder / "demo.csv", "c" * 64, tuple(products), ())
        run = self.ledger.begin_run("demo", {})
        self.ledger.record_catalog(run, catalog)
        planned = self.ledger.plan(run, plan_shots(catalog, self.settings, {}, CHECKS))
        self.ledger.end_run(run, "completed", {})
        return {one.shot.product.sku: one for one in planned}

    def draw(self, planned: PlannedShot, key: str) -> Path:
        """A reference of a shot, noted."""
        folder = self.work / "references" / key[:2] / key
        folder.mkdir(parents=True)
        (folder / "colour.png").write_bytes(b"x" * 1000)
        self.ledger.record_references(planned.shot.key, planned.fingerprint, {"scene": folder})
        return folder

    def make(
        self, planned: PlannedShot, number: int = 0, truth: Path | None = None
    ) -> tuple[str, list[Path]]:
        """A candidate of a shot, noted: its id and its files."""
        made = make_candidate(self.folder / "aside", planned.shot.key, planned.fingerprint, number)
        here = self.work / "candidates" / made.id[:2]
        here.mkdir(parents=True, exist_ok=True)
        picture, edit = here / f"{made.id}.png", here / f"{made.id}-edit.png"
        made.picture.rename(picture)
        made.edit.rename(edit)
        run = self.ledger.begin_run("demo", {})
        placed = replace(made, picture=picture, edit=edit, truth=truth or made.truth)
        self.ledger.record_candidate(run, placed)
        self.ledger.record_scorecard(run, made.id, CHECKS, scorecard())
        self.ledger.end_run(run, "completed", {})
        return made.id, [picture, edit]

    def select(self, planned: PlannedShot, candidate: str) -> None:
        run = self.ledger.begin_run("demo", {})
        self.ledger.select(run, planned.shot.key, planned.fingerprint, candidate)
        self.ledger.end_run(run, "completed", {})

    def age(self) -> None:
        """All that there is becomes sixty days old."""
        then = (self.now - LONG_AGO).timestamp()
        for file in self.folder.rglob("*"):
            os.utime(file, (then, then))
        old = {"then": (datetime.now(UTC) - LONG_AGO).replace(tzinfo=None).isoformat(sep=" ")}
        with create_engine(self.ledger.url).begin() as connection:
            for table in ("candidates", '"references"'):
                connection.execute(text(f"UPDATE {table} SET recorded = CAST(:then AS {self._when})"), old)

    @property
    def _when(self) -> str:
        return "TIMESTAMP WITH TIME ZONE" if self.ledger.url.startswith("postgresql") else "TEXT"

    def clean(self, keep: timedelta = WEEK, *, dry_run: bool = False) -> dict[str, tuple[int, int, int]]:
        sweep = Sweep(datetime.now(UTC), dry_run)
        clean_work(self.ledger, self.work, keep, sweep)
        return {one.what: (one.kept, one.removed, one.freed) for one in sweep.swept}


@pytest.fixture
def house(tmp_path: Path, ledger_url: str) -> Iterator[House]:
    made = House(tmp_path, ledger_url)
    yield made
    made.ledger.close()


def write(file: Path, size: int = 10) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"x" * size)
    return file


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def test_what_a_present_shot_needs_stays_however_old_it_is(house: House) -> None:
    planned = house.plan("A1", "A2", "A3")
    truth = house.draw(planned["A1"], "a" * 32)
    other_truth = house.draw(planned["A2"], "b" * 32)
    house.make(planned["A1"], 0, truth)
    house.make(planned["A1"], 1, other_truth)  # failed, and may be scored again
    chosen, _ = house.make(planned["A2"])
    house.select(planned["A2"], chosen)
    run = house.ledger.begin_run("demo", {})
    shot = planned["A3"]
    house.ledger.flag(run, shot.shot.key, shot.fingerprint, CHECKS, "text", "is mirrored")
    house.ledger.end_run(run, "completed with flags", {})
    house.make(planned["A3"])
    house.age()
    before = files(house.work)
    found = house.clean(timedelta(0))
    assert files(house.work) == before
    assert {what: removed for what, (_, removed, _) in found.items()} == {
        "candidates' files": 0,
        "references": 0,
    }


def test_what_an_earlier_plan_left_goes_once_it_is_old(house: House) -> None:
    old = house.plan("A1", "A2")
    _, stale = house.make(old["A1"], 0, house.draw(old["A1"], "a" * 32))
    _, gone = house.make(old["A2"], 0, house.draw(old["A2"], "b" * 32))
    new = house.plan("A1", title="blue shoe")  # A1 changed, A2 is out of the catalog
    _, needed = house.make(new["A1"], 0, house.draw(new["A1"], "c" * 32))
    before = files(house.work)
    house.clean()
    assert files(house.work) == before, "kept for a week in case the row changes back"
    house.age()
    size = sum(file.stat().st_size for file in (*stale, *gone))
    promised = house.clean(dry_run=True)
    assert files(house.work) == before
    assert promised == {"candidates' files": (2, 4, size), "references": (1, 2, 2000)}
    assert house.clean() == promised
    assert files(house.work) == {*needed, house.work / "references" / "cc" / ("c" * 32) / "colour.png"}
    assert house.clean() == {"candidates' files": (2, 0, 0), "references": (1, 0, 0)}


def test_a_select_that_waits_to_be_published_stays_though_its_row_changed(house: House) -> None:
    old = house.plan("A1")
    truth = house.draw(old["A1"], "a" * 32)
    chosen, kept = house.make(old["A1"], 0, truth)
    _, rejected = house.make(old["A1"], 1, truth)
    house.select(old["A1"], chosen)
    house.plan("A1", title="blue shoe")
    house.age()
    house.clean()
    assert files(house.work) == {*kept, truth / "colour.png"}
    assert not any(file.exists() for file in rejected)


def test_a_shot_that_two_catalogs_share_is_needed_while_either_has_it(house: House) -> None:
    planned = house.plan("A1")
    made, _ = house.make(planned["A1"], 0, house.draw(planned["A1"], "a" * 32))
    run = house.ledger.begin_run("other", {})
    product = Product("A1", "red shoe", house.model, (("table", "hero"),), row=1)
    catalog = Catalog("other", house.folder / "other.csv", "d" * 64, (product,), ())
    house.ledger.record_catalog(run, catalog)
    (shared,) = house.ledger.plan(run, plan_shots(catalog, house.settings, {}, CHECKS))
    house.ledger.end_run(run, "completed", {})
    assert shared.fingerprint == planned["A1"].fingerprint
    house.plan("A2")  # the first catalog drops it
    house.age()
    before = files(house.work)
    house.clean(timedelta(0))
    assert files(house.work) == before
    assert made


def test_the_truth_of_a_candidate_that_is_kept_for_a_while_is_kept_too(house: House) -> None:
    old = house.plan("A1")
    truth = house.draw(old["A1"], "a" * 32)
    house.age()
    _, young = house.make(old["A1"], 0, truth)  # drawn long ago, used today
    house.plan("A1", title="blue shoe")
    house.clean()
    assert files(house.work) == {*young, truth / "colour.png"}


def test_half_written_files_drafts_logs_and_thumbnails_go_by_their_age_and_nothing_else_does(
    house: House,
) -> None:
    run = house.ledger.begin_run("demo", {})
    house.ledger.end_run(run, "completed", {})
    going = [
        write(house.work / "candidates" / "ab" / "abcdef0123456789.77.part"),
        write(house.work / "candidates" / "ab" / ".0123.partial"),
        write(house.work / "candidates" / "ab" / "abcdef0123456789.png"),  # written and never noted
        write(house.work / "references" / ".drafts-x1" / "colour.png"),
        write(house.work / "references" / "ab" / ".damaged-x2" / "colour.png"),
        write(house.work / "references" / "ab" / ("ab" * 16) / "colour.png"),
        write(house.work / "logs" / "20200101-000000-abcdef.log"),
        write(house.work / "review" / "thumbnails" / "ab" / "abcd.webp"),
        write(house.work / "release-x3" / "manifest.json"),
    ]
    staying = [
        write(house.work / "logs" / f"{run}.log"),
        write(house.work / "references" / "ab" / f"{'cd' * 16}.refused.json"),
        write(house.work / "report.html"),
        write(house.work / "review" / "key"),
        write(house.work / "prefect" / "prefect.db"),
        write(house.work / "candidates" / "ab" / "notes.txt"),
        write(house.work / "mine" / "abcdef0123456789.png"),
    ]
    house.clean()
    assert files(house.work) == {*going, *staying}, "all of it is young"
    house.age()
    house.clean()
    assert files(house.work) == set(staying)


def test_no_run_begins_while_the_folder_is_cleaned_and_none_is_cleaned_under_a_run(house: House) -> None:
    house.plan("A1")
    with house.ledger.upkeep.hold("demo", house.work):
        with pytest.raises(Occupied, match=r"^Catalog demo: run clean-\S+ has been at work on it"):
            house.ledger.begin_run("demo", {})
        other = house.ledger.begin_run("elsewhere", {})
    house.ledger.end_run(other, "completed", {})
    latest = house.ledger.latest_run("demo")
    assert latest is not None
    assert not latest.id.startswith("clean-"), "a clean-up is no run of the catalog"
    run = house.ledger.begin_run("demo", {})
    with (
        pytest.raises(Occupied, match=f"^Catalog demo: run {run} has been at work"),
        house.ledger.upkeep.hold("demo", house.work),
    ):
        pass
    house.ledger.end_run(run, "completed", {})


def test_a_run_of_another_catalog_in_the_same_folder_holds_the_clean_up_off(house: House) -> None:
    planned = house.plan("A1")
    house.make(planned["A1"])
    # the catalog that is cleaned is another one, which shares the folder
    run = house.ledger.begin_run("demo", {})
    with pytest.raises(Occupied, match=r"^Catalog demo"), house.ledger.upkeep.hold("other", house.work):
        pass
    with house.ledger.upkeep.hold("other", house.folder / "elsewhere"):
        pass
    house.ledger.end_run(run, "completed", {})
    # one that has made nothing yet may be at work anywhere
    house.ledger.begin_run("new", {})
    with pytest.raises(Occupied, match=r"^Catalog new"), house.ledger.upkeep.hold("other", house.work):
        pass


def test_a_clean_up_that_was_killed_makes_way_for_the_next_run(house: House) -> None:
    house.plan("A1")
    code = (
        "import os, sys; from pathlib import Path; from packline.ledger import Ledger\n"
        "ledger = Ledger(sys.argv[1]); ledger.upkeep.hold('demo', Path(sys.argv[2])).__enter__()\n"
        "os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code, house.ledger.url, str(house.work)], check=False, timeout=60)
    run = house.ledger.begin_run("demo", {})
    house.ledger.end_run(run, "completed", {})


def test_uploads_that_were_begun_a_day_ago_are_given_up(tmp_path: Path) -> None:
    bucket = FolderBucket(tmp_path)
    old, young = write(tmp_path / ".partial" / "old", 100), write(tmp_path / ".partial" / "young")
    then = (datetime.now(UTC) - timedelta(days=1, minutes=1)).timestamp()
    os.utime(old, (then, then))
    for dry_run in (True, False):
        sweep = Sweep(datetime.now(UTC), dry_run)
        clean_uploads(bucket, "acme/", sweep)
        (found,) = sweep.swept
        assert (found.kept, found.removed, found.freed) == (1, 1, 100)
        assert old.exists() == dry_run
    assert young.exists()


def test_objects_that_the_ledger_never_noted_go_and_whatever_was_published_stays(house: House) -> None:
    planned = house.plan("A1")
    chosen, _ = house.make(planned["A1"])
    house.select(planned["A1"], chosen)
    bucket = FolderBucket(house.folder / "bucket")
    keys = [f"acme/demo/images/A1/table-hero/hero-{n}.png" for n in range(2)]
    for key in (*keys, "acme/other/images/x.png", "acme/demo/releases/1.json"):
        bucket.put(key, b"12345", "image/png")
    run = house.ledger.begin_run("demo", {})
    noted = Published("hero", keys[0], "0" * 64, 5)
    place = planned["A1"].shot.key, planned["A1"].fingerprint
    house.ledger.record_published(run, *place, chosen, [noted])
    house.ledger.end_run(run, "completed", {})

    def clean(keep: timedelta) -> Any:
        sweep = Sweep(datetime.now(UTC), False)
        clean_objects(bucket, house.ledger, "acme/demo", keep, sweep)
        (found,) = sweep.swept
        return found.kept, found.removed, found.freed

    assert clean(WEEK) == (2, 0, 0)
    house.age()
    assert clean(WEEK) == (1, 1, 5)
    assert bucket.list() == [keys[0], "acme/demo/releases/1.json", "acme/other/images/x.png"]


def test_objects_of_a_bucket_that_another_ledger_releases_into_are_let_alone(house: House) -> None:
    bucket = FolderBucket(house.folder / "bucket")
    bucket.put("acme/demo/images/a.png", b"1", "image/png")
    bucket.put("acme/demo/environments/prod.json", b'{"manifest": "acme/demo/releases/1.json"}', "text/json")
    house.age()
    with pytest.raises(FixSettings, match=r"^Bucket: acme/demo/environments/prod\.json shows a release that"):
        clean_objects(bucket, house.ledger, "acme/demo", timedelta(0), Sweep(datetime.now(UTC), False))
    assert bucket.exists("acme/demo/images/a.png")


def test_the_command_says_what_would_go_and_then_removes_it(tmp_path: Path) -> None:
    house = House(tmp_path, f"sqlite:///{tmp_path / 'ledger.db'}")
    house.plan("A1")
    stale = write(house.work / "candidates" / "ab" / "abcdef0123456789.png", 123_456)
    house.age()
    house.ledger.close()
    for arguments, words in ((["--dry-run"], "123 kB would be freed."), ([], "123 kB freed.")):
        told = CliRunner().invoke(app, ["clean", str(tmp_path / "demo.csv"), *arguments, "--bucket"])
        assert told.exit_code == 0, told.output
        assert words in told.output
        assert stale.exists() == bool(arguments)
    ledger = Ledger(house.ledger.url)
    run = ledger.begin_run("demo", {})
    told = CliRunner().invoke(app, ["clean", str(tmp_path / "demo.csv")])
    assert told.exit_code == 4
    assert f"run {run} has been at work on it" in told.output
    ledger.close()

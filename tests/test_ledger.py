"""What the ledger promises: nothing lost, nothing twice, nothing unscored."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from packline.candidate import Candidate
from packline.catalog import Catalog
from packline.errors import FixSettings
from packline.fingerprint import digest
from packline.ledger import Ledger
from packline.records import (
    PlannedShot,
    Published,
    RowError,
    ShotRecord,
    ShotState,
    StationTime,
    Work,
)
from packline.shots import Product, Shot
from tests import postgres
from tests.parts import make_candidate, new_run, scorecard

CHECKS = "checks-1"


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    opened = Ledger(ledger_url)
    yield opened
    opened.close()


def product(sku: str = "A1", row: int = 1) -> Product:
    return Product(
        sku, "red shoe", Path("/3d/shoe.glb"), (("table", "hero"),), {"E LOVE": "top to bottom"}, row=row
    )


def planned(sku: str = "A1", row: int = 1, checks: str = CHECKS, **parts: str) -> PlannedShot:
    facts = {
        "the 3D model": "m1",
        "the scene": "s1",
        "the title": "t1",
        **{k.replace("_", " "): v for k, v in parts.items()},
    }
    shot = Shot(product(sku, row), "table", "hero")
    return PlannedShot(shot, digest(facts, shot.key), checks, parts=facts)


def catalog_of(*products: Product, errors: tuple[RowError, ...] = ()) -> Catalog:
    return Catalog("demo", Path("/demo.csv"), "c" * 64, products, errors)


def plan_one(ledger: Ledger, shot: PlannedShot) -> tuple[str, PlannedShot]:
    """A run and the one shot that it planned."""
    run = new_run(ledger)
    (decided,) = ledger.plan(run, [shot])
    return run, decided


def score(ledger: Ledger, run: str, candidate: Candidate, passes: bool = True, checks: str = CHECKS) -> None:
    ledger.record_candidate(run, candidate)
    ledger.record_scorecard(run, candidate.id, checks, scorecard(passes))


def publish(ledger: Ledger, folder: Path, shot: PlannedShot) -> Candidate:
    """Take a shot the whole way in a run of its own."""
    run, _ = plan_one(ledger, shot)
    candidate = make_candidate(folder, shot.shot.key, shot.fingerprint)
    score(ledger, run, candidate, checks=shot.checks)
    ledger.select(run, shot.shot.key, shot.fingerprint, candidate.id)
    ledger.record_published(
        run, shot.shot.key, shot.fingerprint, candidate.id, [Published("hero", "k.png", "a" * 64, 9)]
    )
    return candidate


def only(records: list[ShotRecord]) -> ShotRecord:
    (record,) = records
    return record


# the plan


def test_a_new_shot_is_to_be_made(ledger: Ledger) -> None:
    _, shot = plan_one(ledger, planned())
    assert (shot.work, shot.why) == (Work.MAKE, "new")
    record = only(ledger.shots("demo"))
    assert (record.state, record.candidates, record.select) == (ShotState.TODO, (), "")


def test_foreseeing_says_what_planning_says_and_writes_nothing(ledger: Ledger, tmp_path: Path) -> None:
    publish(ledger, tmp_path, planned("A1"))
    shots = [planned("A1", checks="checks-2"), planned("B1")]
    before = ledger.shots("demo")
    foreseen = ledger.foresee("demo", shots)
    assert [(shot.work, shot.why) for shot in foreseen] == [
        (Work.RESCORE, "the checks changed"),
        (Work.MAKE, "new"),
    ]
    assert ledger.shots("demo") == before
    assert foreseen == ledger.plan(new_run(ledger), shots)


def test_a_published_shot_owes_nothing_the_second_time(ledger: Ledger, tmp_path: Path) -> None:
    publish(ledger, tmp_path, planned())
    _, shot = plan_one(ledger, planned())
    assert (shot.work, shot.why) == (Work.NOTHING, "published, and nothing changed")
    assert only(ledger.shots("demo")).state == ShotState.PUBLISHED


def test_a_flagged_shot_owes_nothing_the_second_time(ledger: Ledger) -> None:
    run, shot = plan_one(ledger, planned())
    ledger.flag(run, shot.shot.key, shot.fingerprint, CHECKS, "text", "reads bottom to top")
    _, again = plan_one(ledger, planned())
    assert (again.work, again.why) == (Work.NOTHING, "flagged, and nothing changed; it waits for a person")


def test_changed_checks_score_the_stored_candidates_again_and_make_nothing(
    ledger: Ledger, tmp_path: Path
) -> None:
    candidate = publish(ledger, tmp_path, planned())
    run, shot = plan_one(ledger, planned(checks="checks-2"))
    assert (shot.work, shot.why) == (Work.RESCORE, "the checks changed")
    # a run that dies here leaves what was published, and the next one rescores
    assert only(ledger.shots("demo")).keys == {"hero": "k.png"}
    _, shot = plan_one(ledger, planned(checks="checks-2"))
    assert shot.work == Work.RESCORE
    ledger.record_scorecard(run, candidate.id, "checks-2", scorecard(passes=False))
    ledger.flag(run, shot.shot.key, shot.fingerprint, "checks-2", "text", "reads bottom to top")
    record = only(ledger.shots("demo"))
    assert (record.state, record.select, record.keys) == (ShotState.FLAGGED, "", {})
    assert plan_one(ledger, planned(checks="checks-2"))[1].work == Work.NOTHING


@pytest.mark.parametrize("lost", ["picture", "truth"])
def test_changed_checks_make_the_shot_anew_where_stored_files_are_gone(
    ledger: Ledger, tmp_path: Path, lost: str
) -> None:
    candidate = publish(ledger, tmp_path, planned())
    if lost == "picture":
        candidate.picture.unlink()
    else:
        candidate.truth.rmdir()
    _, shot = plan_one(ledger, planned(checks="checks-2"))
    assert (shot.work, shot.why) == (
        Work.MAKE,
        "the checks changed and stored candidates are gone from the work folder",
    )


def test_a_published_shot_with_lost_files_still_owes_nothing(ledger: Ledger, tmp_path: Path) -> None:
    publish(ledger, tmp_path, planned()).picture.unlink()
    assert plan_one(ledger, planned())[1].work == Work.NOTHING


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"the_3D_model": "m2"}, "the 3D model changed"),
        ({"the_title": "t2", "the_scene": "s2"}, "the scene and the title changed"),
        (
            {"the_title": "t2", "the_scene": "s2", "the_LoRA": "l"},
            "the scene, the title and the LoRA changed",
        ),
    ],
)
def test_a_changed_part_makes_the_shot_anew_and_the_plan_names_it(
    ledger: Ledger, tmp_path: Path, parts: dict[str, str], why: str
) -> None:
    publish(ledger, tmp_path, planned())
    _, shot = plan_one(ledger, planned(**parts))
    assert (shot.work, shot.why) == (Work.MAKE, why)
    record = only(ledger.shots("demo"))
    assert (record.state, record.keys, record.candidates) == (ShotState.TODO, {}, ())


def test_a_part_that_is_gone_is_named_too(ledger: Ledger, tmp_path: Path) -> None:
    publish(ledger, tmp_path, planned(the_LoRA="l1"))
    assert plan_one(ledger, planned())[1].why == "the LoRA changed"


def test_a_shot_that_changes_back_finds_what_was_published(ledger: Ledger, tmp_path: Path) -> None:
    publish(ledger, tmp_path, planned())
    plan_one(ledger, planned(the_title="t2"))
    _, shot = plan_one(ledger, planned())
    assert shot.work == Work.NOTHING
    assert only(ledger.shots("demo")).keys == {"hero": "k.png"}


def test_one_changed_shot_of_many_is_the_only_one_with_work(ledger: Ledger, tmp_path: Path) -> None:
    shots = [planned(f"P{number}", number) for number in range(5)]
    for number, shot in enumerate(shots):
        run = new_run(ledger)
        ledger.plan(run, shots)
        candidate = make_candidate(tmp_path, shot.shot.key, shot.fingerprint)
        score(ledger, run, candidate)
        ledger.select(run, shot.shot.key, shot.fingerprint, candidate.id)
        ledger.record_published(
            run,
            shot.shot.key,
            shot.fingerprint,
            candidate.id,
            [Published("hero", f"{number}.png", "a" * 64, 9)],
        )
    shots[3] = planned("P3", 3, the_title="t2")
    decided = ledger.plan(new_run(ledger), shots)
    assert [shot.work for shot in decided] == [Work.NOTHING] * 3 + [Work.MAKE] + [Work.NOTHING]


def test_a_removed_row_leaves_the_catalogs_present(ledger: Ledger) -> None:
    run = new_run(ledger)
    ledger.plan(run, [planned("A1", 1), planned("A2", 2)])
    ledger.plan(new_run(ledger), [planned("A2", 1)])
    assert [record.sku for record in ledger.shots("demo")] == ["A2"]


def test_catalogs_in_one_ledger_keep_apart(ledger: Ledger) -> None:
    ledger.plan(new_run(ledger, "one"), [planned("A1")])
    ledger.plan(new_run(ledger, "two"), [planned("B1")])
    assert [record.sku for record in ledger.shots("one")] == ["A1"]
    assert [record.sku for record in ledger.shots("two")] == ["B1"]
    assert ledger.shots("three") == []


def test_a_run_that_was_killed_pays_for_no_candidate_twice(ledger: Ledger, tmp_path: Path) -> None:
    run, shot = plan_one(ledger, planned())
    key, fingerprint = shot.shot.key, shot.fingerprint
    made = [make_candidate(tmp_path, key, fingerprint, number) for number in range(3)]
    for candidate in made:
        ledger.record_candidate(run, candidate)
    ledger.record_scorecard(run, made[0].id, CHECKS, scorecard(passes=False))
    ledger.record_references(key, fingerprint, {"scene": tmp_path / "scene", "left": tmp_path / "left"})
    # the process is gone; another one opens the ledger
    after = Ledger(ledger.url)
    _, again = plan_one(after, planned())
    assert (again.work, again.why) == (Work.MAKE, "an earlier run did not finish it")
    found = after.candidates(key, again.fingerprint)
    assert [record.candidate for record in found] == made
    assert [record.scorecard for record in found] == [scorecard(passes=False), None, None]
    assert [record.checks for record in found] == [CHECKS, "", ""]
    assert after.references(key, fingerprint) == {"scene": tmp_path / "scene", "left": tmp_path / "left"}


def test_a_run_that_was_killed_before_publication_leaves_the_select_to_publish(
    ledger: Ledger, tmp_path: Path
) -> None:
    run, shot = plan_one(ledger, planned())
    candidate = make_candidate(tmp_path, shot.shot.key, shot.fingerprint)
    score(ledger, run, candidate)
    ledger.select(run, shot.shot.key, shot.fingerprint, candidate.id)
    after, again = plan_one(ledger, planned())
    assert (again.work, again.why) == (Work.NOTHING, "selected; it only waits for its publication")
    assert [record.select for record in ledger.publishable(after)] == [candidate.id]


# row errors


def row_error(sku: str, row: int, sentence: str, *shots: str) -> RowError:
    return RowError(row, sku, "model", sentence, shots, "a shoe")


def test_a_row_error_flags_its_shots_with_its_sentence(ledger: Ledger) -> None:
    errors = (
        row_error("B1", 2, "Model is missing.", "B1/table/hero", "B1/shelf/left"),
        row_error("B1", 2, "Title is empty.", "B1/table/hero", "B1/shelf/left"),
    )
    run = new_run(ledger)
    ledger.record_catalog(run, catalog_of(product(), errors=errors))
    ledger.plan(run, [planned()])
    assert [(r.key, r.state) for r in ledger.shots("demo")] == [
        ("A1/table/hero", ShotState.TODO),
        ("B1/table/hero", ShotState.FLAGGED),
        ("B1/shelf/left", ShotState.FLAGGED),
    ]
    for record in ledger.flags("demo"):
        assert (record.reason, record.sentence) == ("row", "Model is missing. Title is empty.")
        assert (record.sku, record.title, record.row) == ("B1", "a shoe", 2)
    assert [(r.scene, r.view) for r in ledger.flags("demo")] == [("table", "hero"), ("shelf", "left")]


def test_a_duplicate_row_flags_itself_and_not_the_first_rows_shots(ledger: Ledger) -> None:
    errors = (row_error("A1", 2, "Row 2, SKU A1: sku is already that of row 1.", "A1/table/hero"),)
    run = new_run(ledger)
    ledger.record_catalog(run, catalog_of(product(), errors=errors))
    ledger.plan(run, [planned()])
    assert [(r.key, r.state) for r in ledger.shots("demo")] == [
        ("A1/table/hero", ShotState.TODO),
        ("A1/row 2", ShotState.FLAGGED),
    ]


def test_rows_without_a_sku_flag_themselves(ledger: Ledger) -> None:
    run = new_run(ledger)
    ledger.record_catalog(run, catalog_of(errors=(row_error("", 4, "Row 4: sku is empty."),)))
    record = only(ledger.flags("demo"))
    assert (record.key, record.sentence, record.scene) == ("(no SKU)/row 4", "Row 4: sku is empty.", "")


def test_a_row_error_that_stays_is_flagged_once_and_a_mended_row_is_made(
    ledger: Ledger, tmp_path: Path
) -> None:
    bad = catalog_of(errors=(row_error("A1", 1, "Model is missing.", "A1/table/hero"),))
    for _ in range(3):
        run = new_run(ledger)
        ledger.record_catalog(run, bad)
        ledger.plan(run, [])
    assert len(ledger.flags("demo")) == 1
    assert rows(ledger, "select count(*) from flags") == [(1,)]
    run = new_run(ledger)
    ledger.record_catalog(run, catalog_of(product()))
    (shot,) = ledger.plan(run, [planned()])
    assert (shot.work, shot.why) == (Work.MAKE, "its catalog row was mended")
    assert ledger.flags("demo") == []


# selects, scorecards, publications


def test_nothing_is_selected_without_a_passing_scorecard(ledger: Ledger, tmp_path: Path) -> None:
    run, shot = plan_one(ledger, planned())
    key, fingerprint = shot.shot.key, shot.fingerprint
    candidate = make_candidate(tmp_path, key, fingerprint)
    with pytest.raises(ValueError, match="is none of A1/table/hero"):
        ledger.select(run, key, fingerprint, candidate.id)
    ledger.record_candidate(run, candidate)
    with pytest.raises(ValueError, match="has no scorecard; it cannot be selected"):
        ledger.select(run, key, fingerprint, candidate.id)
    ledger.record_scorecard(run, candidate.id, CHECKS, scorecard())
    ledger.record_scorecard(run, candidate.id, CHECKS, scorecard(passes=False))
    with pytest.raises(ValueError, match="did not pass its latest scorecard; it cannot be selected"):
        ledger.select(run, key, fingerprint, candidate.id)
    ledger.record_scorecard(run, candidate.id, "old checks", scorecard())
    with pytest.raises(ValueError, match="passed other checks than the plan's"):
        ledger.select(run, key, fingerprint, candidate.id)
    with pytest.raises(ValueError, match="is none of B1/table/hero"):
        ledger.select(run, "B1/table/hero", fingerprint, candidate.id)
    assert only(ledger.shots("demo")).state == ShotState.TODO
    assert rows(ledger, "select count(*) from selects") == [(0,)]
    assert rows(ledger, "select count(*) from decisions") == [(0,)]


def test_nothing_but_the_select_is_recorded_as_published(ledger: Ledger, tmp_path: Path) -> None:
    run, shot = plan_one(ledger, planned())
    candidate = make_candidate(tmp_path, shot.shot.key, shot.fingerprint)
    score(ledger, run, candidate)
    with pytest.raises(ValueError, match="is not the select of A1/table/hero"):
        ledger.record_published(
            run, shot.shot.key, shot.fingerprint, candidate.id, [Published("hero", "k", "a" * 64, 9)]
        )
    assert only(ledger.shots("demo")).keys == {}


def test_the_same_candidate_and_object_are_recorded_once(ledger: Ledger, tmp_path: Path) -> None:
    candidate = publish(ledger, tmp_path, planned())
    run = new_run(ledger)
    moved = replace(candidate, picture=tmp_path / "moved.png", seconds=99.0)
    ledger.record_candidate(run, moved)
    key, fingerprint = candidate.recipe.shot, candidate.recipe.fingerprint
    ledger.record_published(run, key, fingerprint, candidate.id, [Published("hero", "k.png", "a" * 64, 9)])
    (record,) = ledger.candidates(key, fingerprint)
    assert record.candidate == replace(candidate, picture=tmp_path / "moved.png"), "what was paid stays"
    assert len(only(ledger.shots("demo")).published) == 1


def test_the_latest_scorecard_counts_and_the_former_ones_stay(ledger: Ledger, tmp_path: Path) -> None:
    run, shot = plan_one(ledger, planned())
    candidate = make_candidate(tmp_path, shot.shot.key, shot.fingerprint)
    score(ledger, run, candidate, passes=False)
    ledger.record_scorecard(run, candidate.id, "checks-2", scorecard(score=0.7))
    (record,) = ledger.candidates(shot.shot.key, shot.fingerprint)
    assert (record.scorecard, record.checks) == (scorecard(score=0.7), "checks-2")
    judged = rows(ledger, "select passed, checks from scorecards order by id")
    assert judged == [(False, CHECKS), (True, "checks-2")]


def test_a_scorecard_of_an_unknown_candidate_is_refused(ledger: Ledger) -> None:
    run = new_run(ledger)
    with pytest.raises(IntegrityError):
        ledger.record_scorecard(run, "nobody", CHECKS, scorecard())


def test_a_select_clears_the_flag_and_a_flag_clears_the_select(ledger: Ledger, tmp_path: Path) -> None:
    run, shot = plan_one(ledger, planned())
    key, fingerprint = shot.shot.key, shot.fingerprint
    ledger.flag(run, key, fingerprint, CHECKS, "text", "reads bottom to top")
    candidate = make_candidate(tmp_path, key, fingerprint)
    score(ledger, run, candidate)
    ledger.select(run, key, fingerprint, candidate.id, decided="mary")
    record = only(ledger.shots("demo"))
    assert (record.state, record.reason, record.sentence) == (ShotState.SELECTED, "", "")
    assert (record.select, record.decided) == (candidate.id, "mary")
    # a person's word stands until another run comes to another conclusion
    ledger.flag(run, key, fingerprint, CHECKS, "colour", "too red")
    assert only(ledger.shots("demo")).state == ShotState.SELECTED
    run = new_run(ledger)
    ledger.flag(run, key, fingerprint, CHECKS, "colour", "too red")
    record = only(ledger.shots("demo"))
    assert (record.state, record.reason, record.select) == (ShotState.FLAGGED, "colour", "")
    assert ledger.publishable(run) == []
    assert rows(ledger, "select reason from flags order by id") == [("text",), ("colour",)]


def test_a_shots_record_answers_everything_about_its_picture(ledger: Ledger, tmp_path: Path) -> None:
    loras = ({"label": "warm", "sha256": "b" * 64, "strength": 0.8, "trigger": "warm style"},)
    run = new_run(ledger, "demo", {"catalog": "demo.csv"})
    ledger.record_catalog(run, catalog_of(product()))
    (shot,) = ledger.plan(run, [planned()])
    candidate = make_candidate(tmp_path, shot.shot.key, shot.fingerprint, loras=loras)
    ledger.record_references(shot.shot.key, shot.fingerprint, {"scene": tmp_path / "scene"})
    score(ledger, run, candidate)
    ledger.select(run, shot.shot.key, shot.fingerprint, candidate.id)
    ledger.record_published(
        run, shot.shot.key, shot.fingerprint, candidate.id, [Published("hero", "k.png", "a" * 64, 9)]
    )
    record = only(ledger.shots("demo"))
    assert (record.row, record.model, record.parts) == (1, "/3d/shoe.glb", dict(shot.parts))
    assert record.candidates[0].candidate == candidate
    assert record.candidates[0].scorecard == scorecard()
    assert record.references == {"scene": tmp_path / "scene"}
    assert (record.decided, record.checks, record.keys) == ("checks", CHECKS, {"hero": "k.png"})
    assert rows(ledger, "select label, sha256, trigger from loras") == [("warm", "b" * 64, "warm style")]
    assert rows(ledger, "select catalog_file, catalog_sha256 from runs") == [("/demo.csv", "c" * 64)]
    assert rows(ledger, "select sku, title from products") == [("A1", "red shoe")]


def test_reading_one_state_gives_the_same_records_as_reading_all(ledger: Ledger, tmp_path: Path) -> None:
    run = new_run(ledger)
    shots = ledger.plan(run, [planned(f"P{number}", number) for number in range(4)])
    for number, shot in enumerate(shots):
        candidate = make_candidate(tmp_path, shot.shot.key, shot.fingerprint, number)
        score(ledger, run, candidate)
        if number % 2:
            ledger.select(run, shot.shot.key, shot.fingerprint, candidate.id)
        else:
            ledger.flag(run, shot.shot.key, shot.fingerprint, CHECKS, "text", "wrong")
    every = ledger.shots("demo")
    assert ledger.publishable(run) == [record for record in every if record.state == ShotState.SELECTED]
    assert ledger.flags("demo") == [record for record in every if record.state == ShotState.FLAGGED]
    assert [len(record.candidates) for record in every] == [1] * 4


# runs and releases


def test_a_run_keeps_its_parameters_outcome_and_stations(ledger: Ledger) -> None:
    assert ledger.latest_run("demo") is None
    first = new_run(ledger, "demo", {"only": ["A1"]})
    ledger.record_station(first, "references", 4, 1.5)
    ledger.record_station(first, "candidates", 8, 2.0)
    ledger.record_station(first, "references", 2, 0.5)
    ledger.end_run(first, "completed with flags", {"flags": 1})
    run = ledger.run(first)
    assert (run.state, run.parameters, run.summary) == (
        "completed with flags",
        {"only": ["A1"]},
        {"flags": 1},
    )
    assert run.stations == (StationTime("references", 6, 2.0), StationTime("candidates", 8, 2.0))
    assert ledger.latest_run("demo") == run
    second = new_run(ledger)
    latest = ledger.latest_run("demo")
    assert latest is not None
    assert (latest.id, latest.state) == (second, "running")


def test_an_unknown_run_gets_a_sentence(ledger: Ledger) -> None:
    for ask in (ledger.run, lambda run: ledger.plan(run, [])):
        with pytest.raises(FixSettings, match=r"^Ledger .* has no run 7; "):
            ask("7")


# the database


def rows(ledger: Ledger, query: str) -> list[tuple[object, ...]]:
    """Read the database behind the ledger's back."""
    return postgres.rows(ledger.url, query)


@pytest.mark.parametrize(
    ("table", "statement"),
    [
        ("scorecards", "update scorecards set score = 1"),
        ("selects", "delete from selects"),
        ("publications", "delete from publications"),
    ],
)
def test_history_cannot_be_changed_even_behind_the_ledgers_back(
    ledger: Ledger, tmp_path: Path, table: str, statement: str
) -> None:
    publish(ledger, tmp_path, planned())
    before = rows(ledger, f"select * from {table}")
    with pytest.raises(IntegrityError, match=f"{table} is history: append, never change"):
        postgres.change(ledger.url, statement)
    assert rows(ledger, f"select * from {table}") == before != []


def _write_from_a_process(url: str, folder: str, worker: int, count: int) -> None:
    ledger = Ledger(url)
    run = ledger.begin_run(f"catalog-{worker}", {})
    shots = [planned(f"W{worker}-{number}", number) for number in range(count)]
    for shot in ledger.plan(run, shots):
        candidate = make_candidate(Path(folder), shot.shot.key, shot.fingerprint)
        score(ledger, run, candidate)
        ledger.select(run, shot.shot.key, shot.fingerprint, candidate.id)
    ledger.end_run(run, "completed", {})


def test_two_processes_write_at_once_and_nothing_is_lost(empty_url: str, tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    workers = [
        spawn.Process(target=_write_from_a_process, args=(empty_url, str(tmp_path), worker, 15))
        for worker in (1, 2)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0]
    ledger = Ledger(empty_url)
    for worker in (1, 2):
        states = [record.state for record in ledger.shots(f"catalog-{worker}")]
        assert states == [ShotState.SELECTED] * 15
    if empty_url.startswith("sqlite"):
        assert rows(ledger, "pragma journal_mode") == [("wal",)]
    ledger.close()


def test_many_threads_write_at_once_and_nothing_is_lost(ledger: Ledger, tmp_path: Path) -> None:
    run, shot = plan_one(ledger, planned())

    def one(number: int) -> None:
        score(ledger, run, make_candidate(tmp_path, shot.shot.key, shot.fingerprint, number))
        ledger.record_station(run, "checks", 1, 0.5)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(24)))
    found = ledger.candidates(shot.shot.key, shot.fingerprint)
    assert [record.candidate.recipe.number for record in found] == list(range(24))
    assert all(record.scorecard == scorecard() for record in found)
    assert ledger.run(run).stations == (StationTime("checks", 24, 12.0),)


def test_a_row_from_before_variants_is_not_taken_for_a_new_one(ledger: Ledger) -> None:
    plain = Product("A1", "red shoe", Path("/a.glb"), ())
    for product in (plain, plain, replace(plain, variant="Beach")):
        ledger.record_catalog(new_run(ledger), catalog_of(product))
    found = rows(ledger, "select digest, variant from products order by variant")
    # as the first schema's Packline hashed it
    old = {
        "sku": "A1", "title": "red shoe", "model": "/a.glb", "placements": [], "labels": {}, "lora": "",
        "lora_strength": None, "row": 0,
    }  # fmt: skip
    assert [variant for _, variant in found] == ["", "Beach"]
    assert found[0][0] == digest("demo", old)


def test_notes_on_references_are_those_of_the_last_time(ledger: Ledger, tmp_path: Path) -> None:
    _, shot = plan_one(ledger, planned())
    for notes in (["first", "second", "third"], ["second", "first"]):
        ledger.record_references(shot.shot.key, shot.fingerprint, {"scene": tmp_path}, notes)
    (record,) = ledger.shots("demo")
    assert record.notes == ("second", "first")


@pytest.mark.parametrize("place", ["{folder}/file/ledger.db", "/proc/ledger.db", "{folder}"])
def test_an_unwritable_ledger_gets_a_sentence(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    url = f"sqlite:///{place.format(folder=tmp_path)}"
    with pytest.raises(FixSettings) as caught:
        Ledger(url)
    assert str(caught.value).startswith(f"Ledger {url} cannot be written (")
    assert str(caught.value).endswith("); name a writable place in ledger.url.")


def test_a_file_that_is_no_database_gets_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_text("these are no tables, and there are many words here " * 100)
    with pytest.raises(FixSettings, match=r"^Ledger .* is not a database \(.*\); name another file\.$"):
        Ledger(f"sqlite:///{tmp_path}/ledger.db")


@pytest.mark.parametrize("url", ["nonsense", "nosuchdb://x/y"])
def test_a_url_that_is_none_names_its_settings_key(url: str) -> None:
    with pytest.raises(FixSettings, match=r"^Settings: ledger\.url '.*' cannot be used \("):
        Ledger(url)


def test_a_run_finds_the_finished_run_before_it(ledger: Ledger) -> None:
    first = new_run(ledger)
    ledger.end_run(first, "completed", {})
    killed = Ledger(ledger.url)
    killed.begin_run("demo", {})
    killed.close()
    other = new_run(ledger, "another")
    ledger.end_run(other, "completed", {})
    last = ledger.run(ledger.begin_run("demo", {}))
    before = ledger.run_before(last)
    assert before is not None and before.id == first
    assert ledger.run_before(before) is None

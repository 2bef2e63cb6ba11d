"""What a run does after which change, on both databases: the rows are compared in the database."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from packline.catalog.products import ProductReader
from packline.errors import FixSettings, TryAgain
from packline.ledger import schema as t
from packline.ledger.survey import Survey
from packline.line import survey
from packline.records import ShotState, Work
from tests.line.shop import EVERY, ROWS, A, B, C, Shop, build_shop
from tests.parts import make_lora

Change = Callable[[Path], object]


@pytest.fixture
def either(tmp_path: Path, ledger_url: str) -> Shop:
    """The shop with its ledger on each of the two databases."""
    return build_shop(tmp_path, ledger_url)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return build_shop(tmp_path, "ledger.db")


@pytest.fixture
def read_in_full(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of the rows that were read in full since the test began or cleared the list."""
    numbers: list[int] = []
    read = ProductReader.read

    def counted(self: ProductReader, number: int, *arguments: Any) -> Any:
        numbers.append(number)
        return read(self, number, *arguments)

    monkeypatch.setattr(ProductReader, "read", counted)
    return numbers


def append(name: str) -> Change:
    return lambda folder: (folder / name).open("ab").write(b" ")


def in_settings(old: str, new: str) -> Change:
    def change(folder: Path) -> None:
        text = (folder / "demo.toml").read_text()
        assert text.count(old) == 1
        (folder / "demo.toml").write_text(text.replace(old, new))

    return change


def in_rows(number: int, old: str, new: str) -> Change:
    def change(folder: Path) -> None:
        assert old in ROWS[number]
        Shop(folder).write(*ROWS[:number], ROWS[number].replace(old, new), *ROWS[number + 1 :])

    return change


def test_a_first_run_makes_every_shot_and_a_second_reads_no_row_and_does_nothing(
    either: Shop, read_in_full: list[int]
) -> None:
    shop = either
    assert shop.foresee()[1] == dict.fromkeys(EVERY, (Work.MAKE, "new"))
    plan, duties = shop.plan()
    assert (plan.shots, plan.make, plan.rescore, plan.why) == (4, 4, 0, {"new": 4})
    assert list(duties) == list(EVERY)
    assert shop.why() == dict.fromkeys(EVERY, "an earlier run did not finish it")
    shop.publish()
    read_in_full.clear()
    plan, duties = shop.plan()
    assert (plan.shots, plan.make, plan.rescore, plan.publish, duties) == (4, 0, 0, 0, {})
    forecast, foreseen = shop.foresee()
    assert foreseen == {}
    assert forecast.reasons == {(Work.NOTHING, "published, and nothing changed"): 4}
    assert read_in_full == []


@pytest.mark.parametrize(
    ("change", "shots", "part"),
    [
        (in_rows(0, "red shoe", "blue shoe"), A, "the title"),
        (in_rows(0, "top to bottom", "left to right"), A, "the declared label directions"),
        (append("3d/shoe.glb"), A, "the 3D model"),
        (append("3d/shoe.truth.json"), A, "the 3D model"),
        (append("3d/hat.bin"), C, "the 3D model"),
        (append("3d/textures/felt.png"), C, "the 3D model"),
        (append("3d/ribbon.png"), C, "the 3D model"),
        (lambda folder: (folder / "3d" / "bottle.truth.json").write_text("{}"), B, "the 3D model"),
        (lambda folder: (folder / "3d" / "textures" / "felt.png").unlink(), C, "the 3D model"),
        (append("scenes/shelf.jpg"), (A[1], *C), "the scene"),
        (append("scenes/table.json"), (A[0], *B), "the scene"),
        (lambda folder: make_lora(folder / "loras" / "warm.safetensors", 1.0), A, "the LoRA"),
        (in_settings('work = "work"', 'work = "work"\nseed = 5'), EVERY, "the run's settings"),
        (in_settings("put the {title}", "place the {title}"), EVERY, "the prompt"),
    ],
)
def test_a_change_makes_the_shots_anew_that_it_determines_and_reads_no_other_row(
    tmp_path: Path, change: Change, shots: tuple[str, ...], part: str, read_in_full: list[int]
) -> None:
    shop = build_shop(tmp_path, "ledger.db")
    shop.publish()
    read_in_full.clear()
    change(tmp_path)
    expected = dict.fromkeys(shots, f"{part} changed")
    assert shop.foresee()[1] == {key: (Work.MAKE, why) for key, why in expected.items()}
    assert shop.why() == expected
    skus = {key.partition("/")[0] for key in shots}
    assert {"ABC"[number - 1] + "1" for number in read_in_full} >= skus
    if part != "the scene":
        assert {"ABC"[number - 1] + "1" for number in read_in_full} == skus


def test_changed_checks_rescore_all_that_is_published_and_read_no_row(
    either: Shop, read_in_full: list[int]
) -> None:
    shop = either
    shop.publish()
    read_in_full.clear()
    shop.checks = "checks-2"
    assert set(shop.foresee()[1].values()) == {(Work.RESCORE, "the checks changed")}
    plan, duties = shop.plan()
    assert (plan.make, plan.rescore) == (0, 4)
    assert list(duties) == list(EVERY)
    assert read_in_full == []
    # a run that dies here leaves it to the next
    shop.publish()
    assert shop.plan()[1] == {}


def test_changed_checks_make_those_shots_anew_whose_pictures_are_gone(shop: Shop) -> None:
    shop.publish()
    shop.checks = "checks-2"
    (candidate,) = shop.shots()[B[0]].candidates
    candidate.candidate.picture.unlink()
    duties = shop.plan()[1]
    assert {key: duty.work for key, duty in duties.items()} == {
        **dict.fromkeys(EVERY, Work.RESCORE),
        B[0]: Work.MAKE,
    }


def test_a_removed_row_leaves_the_catalog_and_finds_its_old_state_when_it_comes_back(either: Shop) -> None:
    shop = either
    shop.publish()
    shop.write(ROWS[0], ROWS[2])
    assert shop.plan()[1] == {}
    assert set(shop.shots()) == {*A, *C}
    shop.write(*ROWS)
    assert shop.foresee()[1] == {}
    plan, duties = shop.plan()
    assert (plan.shots, duties) == (4, {})
    assert {shot.state for shot in shop.shots().values()} == {ShotState.PUBLISHED}


def test_a_row_that_owes_fewer_scenes_takes_the_others_out_of_the_catalog(shop: Shop) -> None:
    shop.publish()
    in_rows(0, "table;shelf", "shelf")(shop.folder)
    assert shop.plan()[1] == {}
    assert set(shop.shots()) == {A[1], *B, *C}


def test_rows_that_move_change_nothing_but_their_numbers(either: Shop, read_in_full: list[int]) -> None:
    shop = either
    shop.publish()
    read_in_full.clear()
    new = "D1,another shoe,shoe.glb,table,,,"
    shop.write(new, *ROWS[::-1])
    assert shop.why() == {"D1/table/hero": "new"}
    assert read_in_full == [1]
    assert [(key, shot.row) for key, shot in shop.shots().items()] == [
        ("D1/table/hero", 1),
        (C[0], 2),
        (B[0], 3),
        (A[0], 4),
        (A[1], 4),
    ]


def test_parquet_and_json_lines_of_the_same_rows_change_nothing(shop: Shop, read_in_full: list[int]) -> None:
    import pandas as pd

    shop.publish()
    read_in_full.clear()
    table = pd.read_csv(shop.catalog, dtype=str, keep_default_na=False)
    for name in ("demo.parquet", "demo.jsonl"):
        file = shop.folder / name
        if file.suffix == ".parquet":
            table.to_parquet(file)
        else:
            table.to_json(file, orient="records", lines=True)
        shop.__class__ = type("Other", (Shop,), {"catalog": file})
        assert shop.plan()[1] == {}
    assert read_in_full == []


# rows that cannot be used


def test_bad_rows_are_flagged_and_read_again_by_every_run_until_they_are_mended(
    either: Shop, read_in_full: list[int]
) -> None:
    shop = either
    shop.publish()
    bad = ROWS[1].replace("bottle.glb", "botle.glb")
    shop.write(ROWS[0], bad, ROWS[2], ",no SKU,shoe.glb,table,,,", "A1,twice,shoe.glb,table,,,")
    for _ in range(2):
        read_in_full.clear()
        plan, duties = shop.plan()
        assert (plan.shots, plan.wrong_rows, duties) == (3, 3, {})
        assert [sentence[:6] for sentence in plan.row_errors] == ["Row 2,", "Row 4:", "Row 5,"]
        assert read_in_full == [2, 4, 5]
        flagged = {key: shot for key, shot in shop.shots().items() if shot.reason == "row"}
        assert list(flagged) == [B[0], "(no SKU)/row 4", "A1/row 5"]
        assert "did you mean bottle.glb" in flagged[B[0]].sentence
        assert "already that of row 1" in flagged["A1/row 5"].sentence
    shop.write(*ROWS)
    assert shop.foresee()[1] == {}
    assert shop.plan()[1] == {}
    assert set(shop.shots()) == set(EVERY)


def test_a_duplicate_of_a_bad_row_is_flagged_under_its_own_name(shop: Shop) -> None:
    shop.write("A1,,shoe.glb,table,,,", *ROWS[1:], "A1,good shoe,shoe.glb,table,,,")
    shop.plan()
    shots = shop.shots()
    assert "title is empty" in shots["A1/table/hero"].sentence
    assert "already that of row 1" in shots["A1/row 4"].sentence


def test_a_row_whose_model_is_taken_away_is_flagged(shop: Shop) -> None:
    shop.publish()
    (shop.folder / "3d" / "bottle.glb").unlink()
    plan, duties = shop.plan()
    assert (plan.wrong_rows, duties) == (1, {})
    assert "bottle.glb is missing" in shop.shots()[B[0]].sentence


# what is asked for


def test_only_some_products_are_worked_on_where_the_order_names_them(either: Shop) -> None:
    shop = either
    assert list(shop.plan(only=("B1",))[1]) == list(B)
    assert list(shop.plan(only=("C1", "A1"))[1]) == [*A, *C]
    assert list(shop.foresee(only=("C1",))[1]) == list(C)
    shop.write(*ROWS, "A1/x,another shoe,shoe.glb,table,,,")
    assert list(shop.plan(only=("A1",))[1]) == list(shop.foresee(only=("A1",))[1]) == list(A)
    with pytest.raises(FixSettings, match=r"^SKU D1 is not in .*demo\.csv; correct it or leave it out\.$"):
        shop.plan(only=("B1", "D1"))


def test_flags_wait_for_a_person_unless_they_say_nothing_of_the_pictures(either: Shop) -> None:
    shop = either
    shop.publish()
    shop.flag(A[0], "text")
    shop.flag(B[0], "error")
    shop.flag(C[0], "try again")
    unfinished = "the last run was kept from finishing it"
    assert shop.why() == {B[0]: unfinished, C[0]: unfinished}
    duties = shop.plan(again=True)[1]
    assert duties[A[0]] == (Work.MAKE, "flagged, and you asked for another try", 1)
    assert [duties[key].first for key in (*B, *C)] == [0, 0]
    forecast, _ = shop.foresee()
    assert forecast.reasons[Work.NOTHING, "flagged, and nothing changed; it waits for a person"] == 1


def test_a_person_who_asks_again_gets_the_next_round(shop: Shop) -> None:
    shop.publish()
    ledger = shop.line().ledger
    with ledger._write() as connection:
        connection.execute(
            t.shot_states.update().where(t.shot_states.c.shot == B[0]).values(state="to do", reason="again")
        )
    assert shop.plan()[1] == {B[0]: (Work.MAKE, "a merchandiser asked for another try", 1)}


def test_a_persons_instructions_are_part_of_the_fingerprint_and_a_note_is_not(
    either: Shop, read_in_full: list[int]
) -> None:
    shop = either
    shop.publish()
    before = shop.shots()[A[0]].fingerprint

    def ask(decision: int, **data: Any) -> None:
        row = {"catalog": "demo", "shot": A[0], "decision": decision, "data": data}
        with shop.line().ledger._write() as connection:
            connection.execute(t.instructions.delete())
            connection.execute(insert(t.instructions), [row])

    ask(1, note="please")
    read_in_full.clear()
    assert shop.plan()[1] == {}
    assert shop.plan()[1] == {}
    assert read_in_full == [1]
    ask(2, lora_strength=0.5, candidates=1)
    assert shop.foresee()[1] == {A[0]: (Work.MAKE, "a person's instructions changed")}
    assert shop.why() == {A[0]: "a person's instructions changed"}
    line = shop.line()
    assert dict(line.shots[A[0]].instructions) == {"lora_strength": 0.5, "candidates": 1}
    assert line.shots[A[0]].fingerprint != before
    assert line.shots[A[1]].instructions == {}
    with line.ledger._write() as connection:
        connection.execute(t.instructions.delete())
    assert shop.plan()[1] == {}
    assert shop.shots()[A[0]].fingerprint == before


# a run that dies, a file that changes


def test_foreseeing_writes_nothing(either: Shop) -> None:
    shop = either
    shop.foresee()
    with shop.line().ledger._reader.connect() as connection:
        for table in (t.runs, t.shots, t.shot_states, t.catalog_rows, t.assets, t.products, t.work):
            assert connection.execute(select(table)).all() == [], table.name


def test_foreseeing_can_name_the_shots_with_nothing_to_do_too_in_the_catalogs_order(shop: Shop) -> None:
    shop.publish()
    in_rows(1, "plain", "striped")(shop.folder)
    _, foreseen = shop.foresee(every=True)
    still = (Work.NOTHING, "published, and nothing changed")
    assert list(foreseen.items()) == [
        (A[0], still),
        (A[1], still),
        (B[0], (Work.MAKE, "the title changed")),
        (C[0], still),
    ]


def test_a_run_that_dies_while_it_plans_leaves_nothing_undone(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.publish()
    shop.write(*(row.replace("shoe", "boot", 1).replace("bottle", "flask", 1) for row in ROWS[:2]))
    monkeypatch.setattr(survey, "_TOGETHER", 1)
    read = ProductReader.read

    def die_at_the_second(self: ProductReader, number: int, *arguments: Any) -> Any:
        if number == 2:
            raise KeyboardInterrupt
        return read(self, number, *arguments)

    with monkeypatch.context() as dying:
        dying.setattr(ProductReader, "read", die_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            shop.plan()
    assert shop.why() == {
        A[0]: "an earlier run did not finish it",
        A[1]: "an earlier run did not finish it",
        B[0]: "the title changed",
    }
    assert set(shop.shots()) == {*A, *B}


def test_a_catalog_that_changes_while_it_is_read_is_not_believed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lengthen(*arguments: Any) -> Any:
        shop.write(*ROWS, ROWS[0].replace("A1", "D1"))
        return compare(*arguments)

    compare = Survey.compare
    monkeypatch.setattr(Survey, "compare", lengthen)
    with pytest.raises(TryAgain, match="was changed while it was read; run it again"):
        shop.plan()


def test_many_rows_are_read_in_batches_and_planned_in_order(
    either: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = either
    monkeypatch.setattr("packline.catalog.table.BATCH", 7)
    monkeypatch.setattr("packline.ledger.survey.PAGE", 5)
    monkeypatch.setattr(survey, "_TOGETHER", 4)
    skus = [f"S{number:03}" for number in range(60)]
    shop.write(*(f"{sku},shoe {sku},shoe.glb,table,,," for sku in skus))
    keys = [f"{sku}/table/hero" for sku in skus]
    assert list(shop.foresee()[1]) == keys
    assert list(shop.plan()[1]) == keys
    assert list(shop.plan()[1]) == keys
    shop.write(*(f"{sku},shoe {sku}{'!' * (sku == 'S033')},shoe.glb,table,,," for sku in skus))
    foreseen = shop.foresee()[1]
    assert list(foreseen) == keys
    assert [key for key, (_, why) in foreseen.items() if why == "the title changed"] == ["S033/table/hero"]


def test_a_model_named_by_a_path_beside_its_folder_is_the_same_model(shop: Shop) -> None:
    shop.publish()
    in_rows(1, "bottle.glb", "../3d/bottle.glb")(shop.folder)
    assert shop.plan()[1] == {}
    data = json.loads((shop.folder / "loras" / "presets.json").read_text())
    data["loras"].append({**data["loras"][0], "label": "cold"})
    (shop.folder / "loras" / "presets.json").write_text(json.dumps(data))
    assert shop.plan()[1] == {}

"""What the catalog reader makes of good rows, bad rows and bad files."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from packline.catalog import Catalog, read_catalog, settings_file
from packline.errors import FixSettings
from packline.fingerprint import file_digest
from packline.settings import Settings
from packline.shots import Product, ProductLora
from tests.parts import HEADER, make_folder

GOOD = "A1,red shoe,shoe.glb,table; shelf:three-quarter,E LOVE = Top to  Bottom,warm,0.7\n"


def read(folder: Path, rows: str) -> Catalog:
    return read_catalog(folder / "demo.csv", make_folder(folder, rows))


def only_error(folder: Path, row: str) -> tuple[str, str]:
    """Field and sentence of the one error of a catalog with one bad row before a good one."""
    catalog = read(folder, f"{row}\nZ9,plain bottle,bottle.glb,shelf,,,\n")
    assert [product.sku for product in catalog.products] == ["Z9"], "the good row must go on"
    (error,) = catalog.errors
    assert error.row == 1
    return error.field, error.sentence


def test_a_row_becomes_a_product_with_all_its_fields(tmp_path: Path) -> None:
    catalog = read(tmp_path, GOOD)
    assert catalog.errors == ()
    assert catalog.products == (
        Product(
            sku="A1",
            title="red shoe",
            model=tmp_path / "3d" / "shoe.glb",
            placements=(("table", "hero"), ("shelf", "three-quarter")),
            labels={"E LOVE": "top to bottom"},
            loras=(ProductLora("warm", 0.7),),
            row=1,
        ),
    )
    assert [shot.key for shot in catalog.shots] == ["A1/table/hero", "A1/shelf/three-quarter"]
    assert (catalog.name, catalog.file) == ("demo", tmp_path / "demo.csv")
    assert catalog.sha256 == file_digest(tmp_path / "demo.csv")


def test_csv_parquet_and_json_lines_give_the_same_products(tmp_path: Path) -> None:
    settings = make_folder(tmp_path, GOOD + "007,plain bottle,bottle.glb,shelf,,,\n")
    table = pd.read_csv(tmp_path / "demo.csv", dtype=str, keep_default_na=False)
    table.to_parquet(tmp_path / "demo.parquet")
    lines = [
        {name: value for name, value in row.items() if value != ""} for row in table.to_dict(orient="records")
    ]
    lines[0]["lora_strength"] = 0.7
    (tmp_path / "demo.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    expected = read_catalog(tmp_path / "demo.csv", settings)
    assert [product.sku for product in expected.products] == ["A1", "007"]
    for ending in ("parquet", "jsonl"):
        found = read_catalog(tmp_path / f"demo.{ending}", settings)
        assert (found.products, found.errors) == (expected.products, ()), ending


def test_numbers_in_parquet_and_json_are_read_as_they_are_written(tmp_path: Path) -> None:
    settings = make_folder(tmp_path)
    row = {"sku": 123, "title": "red shoe", "model": "shoe.glb", "scenes": "table", "lora": "warm"}
    pd.DataFrame([{**row, "lora_strength": 1.0}, {**row, "sku": 124}]).to_parquet(tmp_path / "n.parquet")
    (tmp_path / "n.jsonl").write_text(
        json.dumps({**row, "lora_strength": 1.0}) + "\n\n" + json.dumps({**row, "sku": 124.0})
    )
    for name in ("n.parquet", "n.jsonl"):
        found = read_catalog(tmp_path / name, settings)
        assert found.errors == ()
        assert [(p.sku, p.loras) for p in found.products] == [
            ("123", (ProductLora("warm", 1.0),)),
            ("124", (ProductLora("warm"),)),
        ], name


def test_words_that_pandas_takes_for_nothing_stay_words(tmp_path: Path) -> None:
    catalog = read(tmp_path, "NA,null,shoe.glb,table,,,\nNaN,None,shoe.glb,table,,,\n")
    assert [(p.sku, p.title) for p in catalog.products] == [("NA", "null"), ("NaN", "None")]


def test_a_byte_order_mark_quotes_and_spaces_do_no_harm(tmp_path: Path) -> None:
    settings = make_folder(tmp_path)
    text = f'\ufeff{HEADER}\n A1 ,"shoe, red; size ""9""", shoe.glb , table ; ,,,\n'
    (tmp_path / "demo.csv").write_text(text)
    (product,) = read_catalog(tmp_path / "demo.csv", settings).products
    assert (product.sku, product.title, product.placements) == (
        "A1",
        'shoe, red; size "9"',
        (("table", "hero"),),
    )


def test_optional_columns_may_be_left_out_and_unknown_ones_are_ignored(tmp_path: Path) -> None:
    settings = make_folder(tmp_path)
    (tmp_path / "demo.csv").write_text("colour,scenes,model,title,sku\nred,table,shoe.glb,red shoe,A1\n")
    catalog = read_catalog(tmp_path / "demo.csv", settings)
    assert [(p.sku, p.title, p.loras, p.labels) for p in catalog.products] == [("A1", "red shoe", (), {})]


def wide(folder: Path, row: str) -> Catalog:
    """A catalog with one row that has the columns which few catalogs have."""
    settings = make_folder(folder)
    label = {"id": "x", "text": "E HATE"}
    (folder / "3d" / "other.json").write_text(json.dumps({"labels": [label]}))
    (folder / "demo.csv").write_text(f"{HEADER},variant,truth\n{row}\n")
    return read_catalog(folder / "demo.csv", settings)


def test_a_row_may_choose_a_material_variant_and_another_truth_file(tmp_path: Path) -> None:
    (product,) = wide(tmp_path, "A1,shoe,shoe.glb,table,,,, Beach ,other.json").products
    assert (product.variant, product.truth) == ("Beach", tmp_path / "3d" / "other.json")


def test_declared_labels_are_those_of_the_truth_file_where_one_is_given(tmp_path: Path) -> None:
    catalog = wide(tmp_path / "a", "A1,shoe,shoe.glb,table,E HATE = top to bottom,,,,other.json")
    assert catalog.errors == ()
    (error,) = wide(tmp_path / "b", "A1,shoe,shoe.glb,table,E LOVE = top to bottom,,,,other.json").errors
    assert error.sentence == (
        "Row 1, SKU A1: label E LOVE is not annotated on model shoe.glb; its labels are E HATE."
    )


@pytest.mark.parametrize(
    ("truth", "sentence"),
    [
        ("othr.json", "truth othr.json is missing in {folder}/3d; add it, or did you mean other.json."),
        ("shoe.glb", "truth shoe.glb is no .json; name a file like shoe.truth.json."),
    ],
)
def test_a_truth_file_that_cannot_be_used_is_the_rows_one_error(
    tmp_path: Path, truth: str, sentence: str
) -> None:
    catalog = wide(tmp_path, f"A1,shoe,shoe.glb,table,E HATE = top to bottom,,,,{truth}")
    (error,) = catalog.errors
    assert (error.field, error.sentence) == ("truth", f"Row 1, SKU A1: {sentence.format(folder=tmp_path)}")


def test_a_label_that_holds_an_equals_sign_is_cut_at_the_last_one(tmp_path: Path) -> None:
    settings = make_folder(tmp_path, "A1,sign,shoe.glb,table,A=B = right to left,,\n")
    label = {"id": "x", "text": "A=B"}
    (tmp_path / "3d" / "shoe.truth.json").write_text(json.dumps({"labels": [label]}))
    (product,) = read_catalog(tmp_path / "demo.csv", settings).products
    assert product.labels == {"A=B": "right to left"}


@pytest.mark.parametrize(
    ("row", "field", "sentence"),
    [
        (",shoe,shoe.glb,table,,,", "sku", "Row 1: sku is empty; give the product one."),
        (
            f"{'x' * 129},shoe,shoe.glb,table,,,",
            "sku",
            f"Row 1, SKU {'x' * 129}: sku has 129 characters; use at most 128.",
        ),
        (
            '"A\x07B",shoe,shoe.glb,table,,,',
            "sku",
            "Row 1, SKU A\x07B: sku holds control characters; remove them.",
        ),
        (
            "A1,,shoe.glb,table,,,",
            "title",
            "Row 1, SKU A1: title is empty; the prompt needs the product's words.",
        ),
        ("A1,shoe,,table,,,", "model", "Row 1, SKU A1: model is empty; name the 3D model's file."),
        (
            "A1,shoe,shoe.step,table,,,",
            "model",
            "Row 1, SKU A1: model shoe.step is of a kind that is not read; use .glb, .gltf, .fbx, .obj.",
        ),
        (
            "A1,shoe,sheo.glb,table,,,",
            "model",
            "Row 1, SKU A1: model sheo.glb is missing in {folder}/3d; add it, or did you mean shoe.glb.",
        ),
        ("A1,shoe,shoe.glb,,,,", "scenes", "Row 1, SKU A1: scenes is empty; name at least one scene."),
        (
            "A1,shoe,shoe.glb,tabel:front,,,",
            "scenes",
            "Row 1, SKU A1: scene tabel is unknown in {folder}/scenes; add it, or did you mean table.",
        ),
        (
            "A1,shoe,shoe.glb,table:up,,,",
            "scenes",
            "Row 1, SKU A1: view up of scene table is unknown; use one of "
            "hero, front, left, right, back, three-quarter.",
        ),
        (
            "A1,shoe,shoe.glb,table;table:hero,,,",
            "scenes",
            "Row 1, SKU A1: scenes names table:hero twice; remove one.",
        ),
        (
            "A1,shoe,shoe.glb,:hero,,,",
            "scenes",
            'Row 1, SKU A1: scenes entry ":hero" names no scene; write scene or scene:view.',
        ),
        (
            "A1,shoe,shoe.glb,table,E LOVE,,",
            "labels",
            'Row 1, SKU A1: labels entry "E LOVE" is malformed; write text = top to bottom.',
        ),
        (
            "A1,shoe,shoe.glb,table,E LOVE = upwards,,",
            "labels",
            'Row 1, SKU A1: direction "upwards" of label E LOVE is unknown; use '
            "left to right, top to bottom, right to left, bottom to top.",
        ),
        (
            "A1,shoe,shoe.glb,table,E HATE = top to bottom,,",
            "labels",
            "Row 1, SKU A1: label E HATE is not annotated on model shoe.glb; its labels are E LOVE.",
        ),
        (
            "A1,bottle,bottle.glb,table,ALE = top to bottom,,",
            "labels",
            "Row 1, SKU A1: label ALE is not annotated on model bottle.glb; add it to bottle.truth.json.",
        ),
        (
            "A1,shoe,shoe.glb,table,,wram,",
            "lora",
            "Row 1, SKU A1: LoRA 'wram' is not in {folder}/loras/presets.json (known: warm); "
            "correct the row, or did you mean warm.",
        ),
        (
            "A1,shoe,shoe.glb,table,,warm,2.5",
            "lora_strength",
            "Row 1, SKU A1: LoRA 'warm': strength 2.5 is outside 0 to 2; correct lora_strength.",
        ),
        (
            "A1,shoe,shoe.glb,table,,warm,nan",
            "lora_strength",
            "Row 1, SKU A1: LoRA 'warm': strength nan is outside 0 to 2; correct lora_strength.",
        ),
        (
            "A1,shoe,shoe.glb,table,,warm,much",
            "lora_strength",
            "Row 1, SKU A1: lora_strength much is not a number; write 0 to 2.",
        ),
        (
            "A1,shoe,shoe.glb,table,,warm,0.5 + 0.3",
            "lora_strength",
            "Row 1, SKU A1: lora_strength 0.5 + 0.3 has 2 numbers for 1 LoRA; remove what is too much.",
        ),
        (
            "A1,shoe,shoe.glb,table,,warm + warm,",
            "lora",
            "Row 1, SKU A1: lora names warm twice; remove one.",
        ),
        (
            "A1,shoe,shoe.glb,table,,warm +,",
            "lora",
            'Row 1, SKU A1: lora "warm +" has a plus with no LoRA beside it; write warm + noir.',
        ),
        (
            "A1,shoe,shoe.glb,table,,warm + noirr,",
            "lora",
            "Row 1, SKU A1: LoRA 'noirr' is not in {folder}/loras/presets.json (known: warm); "
            "correct the row.",
        ),
        (
            f"A1,shoe,shoe.glb,table,,{'x' * 201},",
            "lora",
            "Row 1, SKU A1: lora has 201 characters; use at most 200.",
        ),
        (
            "A1,shoe,shoe.glb,table,,,0.5",
            "lora_strength",
            "Row 1, SKU A1: lora_strength is given without a lora; name one or empty it.",
        ),
        (
            "A1,shoe,shoe.glb,table,,,,,more,yet",
            "row",
            'Row 1, SKU A1: it has more fields than the header (the surplus is "more; yet"); quote commas.',
        ),
    ],
)
def test_a_bad_field_is_an_error_of_its_row_alone_with_a_sentence(
    tmp_path: Path, row: str, field: str, sentence: str
) -> None:
    assert only_error(tmp_path, row) == (field, sentence.format(folder=tmp_path))


def test_a_strength_that_is_unusual_but_legal_goes_on(tmp_path: Path) -> None:
    catalog = read(tmp_path, "A1,shoe,shoe.glb,table,,warm,0\nA2,shoe,shoe.glb,table,,warm,2\n")
    assert [product.loras[0].strength for product in catalog.products] == [0.0, 2.0]


def with_presets(folder: Path, *labels: str) -> Settings:
    """A catalog's folder whose presets are called so."""
    settings = make_folder(folder)
    (warm,) = json.loads(settings.paths.loras.read_text())["loras"]
    settings.paths.loras.write_text(json.dumps({"loras": [{**warm, "label": label} for label in labels]}))
    return settings


@pytest.mark.parametrize(
    ("lora", "strength", "stack"),
    [
        ("warm + noir", "0.8 + 0.5", [("warm", 0.8), ("noir", 0.5)]),
        ("noir  +  warm", "", [("noir", None), ("warm", None)]),
        ("warm + noir", "0.8", [("warm", 0.8), ("noir", None)]),
        ("warm + noir", "+ 0.5", [("warm", None), ("noir", 0.5)]),
        ("warm + noir", "0.8 +", [("warm", 0.8), ("noir", None)]),
        ("warm + a+b + noir", "0 + + 2", [("warm", 0.0), ("a+b", None), ("noir", 2.0)]),
        ("a+b", "1", [("a+b", 1.0)]),
    ],
)
def test_a_stack_is_joined_by_pluses_between_spaces(
    tmp_path: Path, lora: str, strength: str, stack: list[tuple[str, float | None]]
) -> None:
    settings = with_presets(tmp_path, "warm", "noir", "a+b")
    (tmp_path / "demo.csv").write_text(f"{HEADER}\nA1,shoe,shoe.glb,table,,{lora},{strength}\n")
    catalog = read_catalog(tmp_path / "demo.csv", settings)
    assert catalog.errors == ()
    assert catalog.products[0].loras == tuple(ProductLora(*one) for one in stack)


@pytest.mark.parametrize(
    ("lora", "strength", "stack"),
    [
        ([{"label": "warm", "strength": 0.8}, {"label": "noir"}], None, [("warm", 0.8), ("noir", None)]),
        ([{"label": "warm"}, {"label": "noir", "strength": 1}], None, [("warm", None), ("noir", 1.0)]),
        (["warm", "a+b"], "0.5 + 0.25", [("warm", 0.5), ("a+b", 0.25)]),
        ([{"label": "noir"}], 0.5, [("noir", 0.5)]),
        ([], None, []),
        # these are refused
        ([{"label": "warm", "strength": 0.8}], 0.5, "is malformed; write"),
        ([{"label": "warm", "weight": 0.8}], None, "is malformed; write"),
        ([{"strength": 0.8}], None, "is malformed; write"),
        ([["warm"]], None, "is malformed; write"),
        (["warm + noir"], None, "is malformed; write"),
        ([{"label": "warm", "strength": "much"}], None, "lora_strength much is not a number"),
    ],
)
def test_json_lines_may_give_a_stack_as_a_list(
    tmp_path: Path, lora: list[object], strength: object, stack: list[tuple[str, float | None]] | str
) -> None:
    settings = with_presets(tmp_path, "warm", "noir", "a+b")
    row = {"sku": "A1", "title": "shoe", "model": "shoe.glb", "scenes": "table", "lora": lora}
    (tmp_path / "demo.jsonl").write_text(json.dumps({**row, "lora_strength": strength}))
    catalog = read_catalog(tmp_path / "demo.jsonl", settings)
    if isinstance(stack, str):
        (error,) = catalog.errors
        assert stack in error.sentence
    else:
        assert catalog.errors == ()
        assert catalog.products[0].loras == tuple(ProductLora(*one) for one in stack)


@pytest.mark.parametrize(
    ("columns", "stack"),
    [
        ({"lora": [["warm", "noir"], None]}, [("warm", None), ("noir", None)]),
        ({"lora": [["warm"], []]}, [("warm", None)]),
        ({"lora": [["warm", "noir"], []], "lora_strength": [[0.8, 1.0], None]}, [("warm", 0.8), ("noir", 1)]),
        ({"lora": ["warm + noir", ""], "lora_strength": [[0.8, None], []]}, [("warm", 0.8), ("noir", None)]),
        # the strengths beside the labels, and no column for them
        (
            {"lora": [[{"label": "warm", "strength": 0.8}, {"label": "noir", "strength": None}], []]},
            [("warm", 0.8), ("noir", None)],
        ),
    ],
)
@pytest.mark.parametrize("ending", ["parquet", "jsonl"])
def test_lists_in_parquet_and_json_lines_are_stacks(
    tmp_path: Path, columns: dict[str, list[object]], stack: list[tuple[str, float | None]], ending: str
) -> None:
    settings = with_presets(tmp_path, "warm", "noir")
    plain = {"sku": ["A1", "A2"], "title": ["shoe"] * 2, "model": ["shoe.glb"] * 2, "scenes": ["table"] * 2}
    table = pa.table({**plain, **columns})
    file = tmp_path / f"demo.{ending}"
    if ending == "parquet":
        pq.write_table(table, file)
    else:
        file.write_text("\n".join(map(json.dumps, table.to_pylist())))
    catalog = read_catalog(file, settings)
    assert catalog.errors == ()
    assert [one.loras for one in catalog.products] == [tuple(ProductLora(*one) for one in stack), ()]


def test_every_lora_of_a_stack_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    catalog = read(tmp_path, "A1,shoe,shoe.glb,table,,cold + warm + wet,\n")
    assert [error.field for error in catalog.errors] == ["lora", "lora"]
    assert ["'cold'" in catalog.errors[0].sentence, "'wet'" in catalog.errors[1].sentence] == [True, True]


def test_a_short_row_is_read_as_one_with_empty_fields(tmp_path: Path) -> None:
    catalog = read(tmp_path, "A1,shoe,shoe.glb,table\nA2,shoe\n")
    assert [product.sku for product in catalog.products] == ["A1"]
    assert [error.field for error in catalog.errors] == ["model", "scenes"]


OWED = f"{HEADER},pictures\nA1,shoe,shoe.glb,table;shelf:left,,,,2\nB1,bottle,bottle.glb,table,,,,\n"
OWED_KEYS = [
    "A1/table/hero",
    "A1/table/hero~2",
    "A1/shelf/left",
    "A1/shelf/left~2",
    "B1/table/hero",
]  # fmt: skip


def test_a_row_may_owe_several_pictures_of_each_placement(tmp_path: Path) -> None:
    settings = make_folder(tmp_path)
    (tmp_path / "demo.csv").write_text(OWED)
    table = pd.read_csv(tmp_path / "demo.csv")
    assert table["pictures"].dtype == float, "a column with holes"
    table.to_parquet(tmp_path / "demo.parquet")
    whole = [
        {name: value for name, value in row.items() if value == value}
        for row in table.to_dict(orient="records")
    ]
    (tmp_path / "demo.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in whole))
    for name in ("demo.csv", "demo.parquet", "demo.jsonl"):
        catalog = read_catalog(tmp_path / name, settings)
        assert catalog.errors == ()
        assert [product.pictures for product in catalog.products] == [2, 1]
        assert [shot.key for shot in catalog.shots] == OWED_KEYS


@pytest.mark.parametrize("said", ["0", "10", "-1", "2.5", "two", "²", "True"])
def test_pictures_that_are_no_small_whole_number_are_an_error_of_their_row_alone(
    tmp_path: Path, said: str
) -> None:
    settings = make_folder(tmp_path)
    (tmp_path / "demo.csv").write_text(OWED.replace(",2\n", f",{said}\n"))
    catalog = read_catalog(tmp_path / "demo.csv", settings)
    assert [product.sku for product in catalog.products] == ["B1"]
    (error,) = catalog.errors
    assert (error.field, error.sentence) == (
        "pictures",
        f"Row 1, SKU A1: pictures {said} is no whole number from 1 to 9; write one, or empty it.",
    )
    assert error.shots == ("A1/table/hero", "A1/shelf/left")


def test_another_fault_flags_every_picture_that_the_row_owed(tmp_path: Path) -> None:
    settings = make_folder(tmp_path)
    # a view that is none is no second picture
    (tmp_path / "demo.csv").write_text(OWED.replace("table;", "table;table:hero~2;"))
    (error,) = read_catalog(tmp_path / "demo.csv", settings).errors
    assert error.field == "scenes" and "view hero~2 of scene table is unknown" in error.sentence
    assert error.shots == (
        "A1/table/hero", "A1/table/hero~2", "A1/table/hero~2~2", "A1/shelf/left", "A1/shelf/left~2",
    )  # fmt: skip


def test_of_two_rows_with_one_sku_the_first_goes_on(tmp_path: Path) -> None:
    catalog = read(
        tmp_path, "A1,shoe,shoe.glb,table,,,\nA1,bottle,bottle.glb,shelf,,,\nA1,shoe,shoe.glb,table,,,\n"
    )
    assert [(product.sku, product.title) for product in catalog.products] == [("A1", "shoe")]
    assert [(error.row, error.sentence) for error in catalog.errors] == [
        (2, "Row 2, SKU A1: sku is already that of row 1; give each product its own."),
        (3, "Row 3, SKU A1: sku is already that of row 1; give each product its own."),
    ]


def test_a_row_with_several_faults_names_them_all_and_the_shots_that_it_owed(tmp_path: Path) -> None:
    catalog = read(tmp_path, "A1,,gone.glb,table;shelf:left,,,\n")
    assert [error.field for error in catalog.errors] == ["title", "model"]
    assert {error.shots for error in catalog.errors} == {("A1/table/hero", "A1/shelf/left")}
    assert catalog.products == ()


def test_a_sku_with_slashes_and_letters_of_any_script_is_welcome(tmp_path: Path) -> None:
    catalog = read(tmp_path, "A/1 ü.鞋,shoe,shoe.glb,table,,,\n")
    assert [product.sku for product in catalog.products] == ["A/1 ü.鞋"]


def test_a_broken_scene_file_is_an_error_of_the_rows_that_use_it(tmp_path: Path) -> None:
    settings = make_folder(tmp_path, "A1,shoe,shoe.glb,shelf,,,\nA2,shoe,shoe.glb,table,,,\n")
    (tmp_path / "scenes" / "shelf.jpg").unlink()
    catalog = read_catalog(tmp_path / "demo.csv", settings)
    assert [product.sku for product in catalog.products] == ["A2"]
    (error,) = catalog.errors
    assert error.field == "scenes"
    assert error.sentence == (
        f"Row 1, SKU A1: Scene shelf: {tmp_path}/scenes/shelf.jpg is missing; add it or name another scene."
    )


def test_a_lora_for_another_model_is_an_error_of_the_rows_that_use_it(tmp_path: Path) -> None:
    settings = make_folder(tmp_path, "A1,shoe,shoe.glb,table,,warm,\n")
    other = settings.engine.model_copy(update={"architecture": "flux2-klein-4b"})
    catalog = read_catalog(tmp_path / "demo.csv", settings.model_copy(update={"engine": other}))
    assert [error.field for error in catalog.errors] == ["lora"]
    assert "flux2-klein-embedded" in catalog.errors[0].sentence
    assert "flux2-klein-4b" in catalog.errors[0].sentence


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("gone.csv", None, "Catalog {file} is missing; name a file that exists."),
        ("demo.xlsx", b"PK", "Catalog {file} is neither .csv, .parquet nor .jsonl; convert it."),
        ("demo.csv", b"", "Catalog {file} is empty; its first line names the columns."),
        ("demo.csv", b"sku,title,model,scenes\n", "Catalog {file} has no rows; add a product."),
        (
            "demo.csv",
            b"sku,title\nA1,shoe\n",
            "Catalog {file} has no column model, scenes; add it (see docs/catalog.md).",
        ),
        (
            "demo.csv",
            b"sku,sku,title,model,scenes\n1,2,3,4,5\n",
            "Catalog {file} has the column sku twice; remove one.",
        ),
        (
            "demo.csv",
            b"sku,title,model,scenes\nA1,sh\xfce,shoe.glb,table\n",
            "Catalog {file} is not UTF-8 (invalid start byte at byte 28); save it as UTF-8.",
        ),
        (
            "demo.jsonl",
            b'{"sku": 1}\n[2]\n',
            'Catalog {file}: line 2 is not an object; write {{"sku": ...}}.',
        ),
        (
            "demo.jsonl",
            b'{"sku": \n',
            "Catalog {file}: line 1 is not JSON (Expecting value: line 1 column 9 (char 8)); mend it.",
        ),
    ],
)
def test_a_file_that_cannot_be_used_at_all_stops_the_run_with_a_sentence(
    tmp_path: Path, name: str, data: bytes | None, sentence: str
) -> None:
    settings = make_folder(tmp_path)
    file = tmp_path / name
    if data is not None:
        file.write_bytes(data)
    with pytest.raises(FixSettings) as caught:
        read_catalog(file, settings)
    assert str(caught.value) == sentence.format(file=file)


def test_a_parquet_file_that_is_none_stops_the_run_with_a_sentence(tmp_path: Path) -> None:
    settings = make_folder(tmp_path)
    (tmp_path / "demo.parquet").write_bytes(b"not parquet at all")
    with pytest.raises(FixSettings, match=r"^Catalog .*demo\.parquet cannot be read as parquet: .+\.$"):
        read_catalog(tmp_path / "demo.parquet", settings)


def test_a_missing_scenes_folder_or_preset_file_names_its_settings_key(tmp_path: Path) -> None:
    settings = make_folder(tmp_path, "A1,shoe,shoe.glb,table,,warm,\n")
    (tmp_path / "loras" / "presets.json").unlink()
    with pytest.raises(FixSettings, match=r"^Settings key paths\.loras: "):
        read_catalog(tmp_path / "demo.csv", settings)
    gone = settings.paths.model_copy(update={"scenes": tmp_path / "gone"})
    with pytest.raises(
        FixSettings, match=r"^Settings key paths\.scenes: folder .*/gone is missing; add it\.$"
    ):
        read_catalog(tmp_path / "demo.csv", settings.model_copy(update={"paths": gone}))


def test_the_settings_lie_beside_the_catalog() -> None:
    assert settings_file(Path("/a/demo.csv")) == Path("/a/demo.toml")


# the stream


def test_a_byte_that_is_no_utf8_is_found_wherever_it_lies(tmp_path: Path) -> None:
    settings = make_folder(tmp_path)
    row = b"A%02d,red shoe,shoe.glb,table," + "€".encode() * 40_000 + b"\n"
    data = b"sku,title,model,scenes,about\n" + b"".join(row % number for number in range(20))
    at = len(data) + 3
    (tmp_path / "demo.csv").write_bytes(data + b"Z9,\xff,shoe.glb,table,\n")
    with pytest.raises(FixSettings, match=rf"is not UTF-8 \(invalid start byte at byte {at}\)"):
        read_catalog(tmp_path / "demo.csv", settings)
    (tmp_path / "demo.csv").write_bytes(data + b"Z9,caf\xc3")
    with pytest.raises(FixSettings, match=rf"is not UTF-8 \(unexpected end of data at byte {at + 3}\)"):
        read_catalog(tmp_path / "demo.csv", settings)


def test_however_many_fields_a_row_has_too_much_it_is_that_rows_error(tmp_path: Path) -> None:
    field, sentence = only_error(tmp_path, "A1,shoe,shoe.glb,table,,,," + ",".join("abcdefghijklmn"))
    assert field == "row"
    assert 'the surplus is "a; b; c; d; e; f; g; h; i; j; k; l; m; n"' in sentence


def test_a_quote_that_is_never_closed_stops_the_run_and_takes_no_memory(tmp_path: Path) -> None:
    settings = make_folder(tmp_path)
    with (tmp_path / "demo.csv").open("a") as stream:
        stream.write('B1,"a shoe,shoe.glb,table,,,\n' + "C1,shoe,shoe.glb,table,,,\n" * 10_000)
    with pytest.raises(FixSettings, match=r"cannot be read as csv: field larger than field limit"):
        read_catalog(tmp_path / "demo.csv", settings)


def test_blank_lines_are_no_rows_and_quoted_line_breaks_are_no_lines(tmp_path: Path) -> None:
    catalog = read(tmp_path, '\n  \nA1,"red\nshoe",shoe.glb,table,,,\n\r\nB1,,shoe.glb,table,,,\n')
    assert [(product.title, product.row) for product in catalog.products] == [("red\nshoe", 1)]
    assert [error.row for error in catalog.errors] == [2]


def test_json_lines_end_with_a_line_feed_and_nothing_else(tmp_path: Path) -> None:
    settings = make_folder(tmp_path)
    row = {"sku": "A1", "model": "shoe.glb", "scenes": "table"}
    lines = [json.dumps({**row, "title": "red\u2028shoe\x85"}, ensure_ascii=False), '{"sku": "B1"}']
    (tmp_path / "demo.jsonl").write_bytes("\r\n".join(lines).encode())
    catalog = read_catalog(tmp_path / "demo.jsonl", settings)
    assert [product.title for product in catalog.products] == ["red\u2028shoe"]
    assert {error.sku for error in catalog.errors} == {"B1"}


def test_json_lines_need_a_column_in_one_row_at_least(tmp_path: Path) -> None:
    settings = make_folder(tmp_path)
    (tmp_path / "demo.jsonl").write_text('{"sku": "A1", "model": "shoe.glb"}\n{"sku": "B1", "scenes": "t"}\n')
    with pytest.raises(FixSettings, match=r"has no column title; add it"):
        read_catalog(tmp_path / "demo.jsonl", settings)
    (tmp_path / "demo.jsonl").write_text("\n")
    with pytest.raises(FixSettings, match=r"has no rows; add a product"):
        read_catalog(tmp_path / "demo.jsonl", settings)


def test_what_no_database_keeps_is_dropped_from_a_title(tmp_path: Path) -> None:
    settings = make_folder(tmp_path)
    row = {"sku": "A1", "title": "red\ud83d\0 shoe", "model": "shoe.glb", "scenes": "table"}
    (tmp_path / "demo.jsonl").write_text(json.dumps(row))
    (product,) = read_catalog(tmp_path / "demo.jsonl", settings).products
    assert product.title == "red? shoe"


def test_a_parquet_file_may_have_its_columns_in_any_order_and_its_skus_as_index(tmp_path: Path) -> None:
    settings = make_folder(tmp_path)
    row = {"truth": None, "scenes": "table", "colour": "red", "title": "red shoe", "model": "shoe.glb"}
    pd.DataFrame([row], index=pd.Index(["A1"], name="sku")).to_parquet(tmp_path / "demo.parquet")
    (product,) = read_catalog(tmp_path / "demo.parquet", settings).products
    assert (product.sku, product.title, product.truth, product.labels) == ("A1", "red shoe", None, {})

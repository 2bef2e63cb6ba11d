"""What the shot page says and draws of a candidate, without a browser."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from packline.records import ShotRecord, ShotState
from packline.review.evidence import check_layers, may_change, silhouette, truth_layers
from packline.review.shot_view import candidate_cards, candidate_data, reference_cards, shown_first
from packline.scorecard import CheckResult, Evidence, Scorecard, Verdict
from scoring.style import SMALL, surroundings
from tests.parts import make_folder
from tests.report.synthetic_run import Desk as Studio
from tests.report.synthetic_run import melted
from tests.review.house import CATALOG, HOSTILE, PASSWORD, House, add_people, build, serving

QUAD = ((100.0, 200.0), (300.0, 200.0), (300.0, 240.0), (100.0, 240.0))


def result(
    verdict: Verdict, *evidence: Evidence, check: str = "text_orientation", **more: Any
) -> CheckResult:
    return CheckResult(check, "1", verdict, 0.2, 0.6, "It says so.", evidence, **more)


def reading(angle: float, read: str = "TEA", words: str = "wrong direction") -> Evidence:
    data = {"expected": "TEA", "read": read, "angle": angle, "expected_angle": 0.0}
    return Evidence("text", words, QUAD, data)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    return Studio(tmp_path_factory.mktemp("studio"))


@pytest.fixture(scope="module")
def shot(studio: Studio) -> ShotRecord:
    return studio.shot(
        "TEA-01", faults=("turned", "doubt", "melted", "unscored", ""), state=ShotState.FLAGGED
    )


def test_a_turned_label_says_what_it_reads_and_should_read_with_an_arrow_for_each() -> None:
    (layer,) = check_layers([result(Verdict.FAIL, reading(180))])
    (shape,) = layer.shapes
    assert (layer.name, layer.tone, shape.tone) == ("text_orientation", "fail", "fail")
    assert shape.words == "“TEA”: wrong direction"
    assert shape.lines == ("should read “TEA” left to right", "reads “TEA” right to left")
    expected, found = shape.arrows
    assert (expected.role, expected.start, expected.end, expected.away) == (
        "expected", (100, 200), (300, 200), (0, -1),
    )  # fmt: skip
    assert found.role == "found"
    assert found.start == pytest.approx((300, 240))
    assert found.end == pytest.approx((100, 240))
    assert found.away == (0, 1)


def test_a_right_label_among_wrong_ones_is_drawn_as_right() -> None:
    (layer,) = check_layers([result(Verdict.FAIL, reading(90), reading(2, words="right"))])
    assert [shape.tone for shape in layer.shapes] == ["fail", "pass"]
    assert [[arrow.role for arrow in shape.arrows] for shape in layer.shapes] == [
        ["expected", "found"],
        ["right"],
    ]
    assert layer.shapes[1].lines == ("reads “TEA” left to right",)


def test_a_misread_label_shows_both_strings() -> None:
    (layer,) = check_layers([result(Verdict.FAIL, reading(0, read="TEE", words="misspelt"))])
    assert layer.shapes[0].lines == ("should read “TEA” left to right", "reads “TEE” left to right")
    assert [arrow.role for arrow in layer.shapes[0].arrows] == ["right"]


def test_a_heat_map_is_stretched_over_its_box_and_lined_where_more_is_wrong_than_right() -> None:
    (layer,) = check_layers([result(Verdict.FAIL, *melted(), check="shape")])
    (shape,) = layer.shapes
    assert shape.heat == "heat:shape:0"
    assert shape.spread == (350, 280, 730, 780)
    # the hot corner: 48 rows and 32 columns, hottest at row 40, column 6, half as hot 7.9 cells away
    x, y = 350 + 6.5 * 380 / 32, 280 + 40.5 * 500 / 48
    left, top, right, bottom = shape.box
    assert (left, top) == pytest.approx((350, y - 7.9 * 500 / 48), abs=12)
    assert (right, bottom) == pytest.approx((x + 7.9 * 380 / 32, 780), abs=12)


def test_a_weak_heat_map_has_no_line_and_its_caption_stands_at_the_hottest_place() -> None:
    grey = np.zeros((10, 10), np.uint8)
    grey[3, 7] = 90
    data = {"png": base64.b64encode(cv2.imencode(".png", grey)[1].tobytes()).decode()}
    (layer,) = check_layers([result(Verdict.FAIL, Evidence("heat", "changed", ((0, 0), (100, 200)), data))])
    assert layer.shapes[0].path == ""
    assert layer.shapes[0].box == (70, 60, 80, 80)


def test_maps_are_numbered_among_the_maps_of_their_check() -> None:
    heat = melted()[0]
    box = Evidence("box", "here", ((1, 2), (3, 4)))
    layers = check_layers([result(Verdict.FAIL, box, heat, box, heat, check="shape")])
    assert [shape.heat for shape in layers[0].shapes] == ["", "heat:shape:0", "", "heat:shape:1"]


def test_what_should_be_is_drawn_as_truth_beside_what_is() -> None:
    stands = Evidence("polygon", "where it stands", QUAD)
    should = Evidence("box", "where it should stand", (QUAD[0], QUAD[2]), {"role": "expected"})
    (layer,) = check_layers([result(Verdict.FAIL, stands, should, check="placement")])
    assert [shape.tone for shape in layer.shapes] == ["fail", "truth"]
    assert layer.shapes[1].path == "M100.0 200.0L300.0 200.0L300.0 240.0L100.0 240.0Z"


@pytest.mark.parametrize(
    "evidence",
    [
        Evidence("box", "nowhere"),
        Evidence("box", "a point", ((1, 2),)),
        Evidence("polygon", "not a number", ((1, 2), (float("nan"), 3), (5, 6))),
        Evidence("polygon", "endless", ((1, 2), (float("inf"), 3), (5, 6))),
    ],
)
def test_evidence_without_a_place_is_left_out(evidence: Evidence) -> None:
    assert check_layers([result(Verdict.FAIL, evidence)]) == []


@pytest.mark.parametrize("png", ["", "no base64!", "aGVsbG8=", None, 7])
def test_a_map_that_cannot_be_read_shows_its_frame(png: object) -> None:
    (layer,) = check_layers([result(Verdict.FAIL, Evidence("heat", "x", (QUAD[0], QUAD[2]), {"png": png}))])
    assert layer.shapes[0].heat == ""
    assert layer.shapes[0].path.startswith("M100.0 200.0L300.0")


def filled(path: str, size: int) -> Any:
    """A path's inside, bool (size, size): a pixel belongs to it where its middle does."""
    finer = 4
    canvas = np.zeros((size * finer, size * finer), np.uint8)
    rings = [
        np.array([[float(n) for n in pair.split(" ")] for pair in ring.rstrip("Z").split("L")])
        for ring in path.split("M")[1:]
    ]
    shifted = [np.round(ring * finer * 16 - 8).astype(np.int32) for ring in rings]
    cv2.fillPoly(canvas, shifted, 255, shift=4)
    return cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA) > 127


def test_the_silhouette_runs_along_the_masks_edge(shot: ShotRecord) -> None:
    folder = shot.references["scene"]
    mask = cv2.imread(str(folder / "mask.png"), 0)
    assert mask is not None
    outline = filled(silhouette(folder), mask.shape[0])
    assert (outline != (mask > 127)).sum() < 0.004 * (mask > 127).sum()


def test_a_silhouette_has_holes(tmp_path: Path) -> None:
    mask = np.zeros((200, 200), np.uint8)
    cv2.circle(mask, (100, 100), 80, 255, -1)
    cv2.circle(mask, (100, 100), 30, 0, -1)
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    path = silhouette(tmp_path)
    assert path.count("M") == 2
    assert (filled(path, 200) != (mask > 127)).sum() < 200


def test_the_scene_to_keep_is_what_the_check_of_the_scene_looks_at(tmp_path: Path) -> None:
    mask, shadow = np.zeros((512, 512), np.uint8), np.full((512, 512), 255, np.uint8)
    cv2.rectangle(mask, (200, 150), (320, 400), 255, -1)
    cv2.ellipse(shadow, (360, 400), (120, 24), 0, 0, 360, 120, -1)
    for name, picture in (("mask", mask), ("shadow", shadow)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture)
    inside = filled(may_change(tmp_path), 512)
    judged = surroundings(mask, shadow)
    small = cv2.resize(inside.astype(np.uint8) * 255, (SMALL, SMALL), interpolation=cv2.INTER_AREA) > 127
    assert (small == judged).mean() < 0.01


def test_a_reference_that_is_gone_has_no_layers(tmp_path: Path) -> None:
    assert truth_layers(tmp_path / "gone") == ()


def test_truth_says_what_the_print_reads(shot: ShotRecord) -> None:
    layers = {layer.name: layer for layer in truth_layers(shot.references["scene"])}
    assert set(layers) == {"silhouette", "print", "scene"}
    (label,) = layers["print"].shapes
    assert (label.words, label.lines) == ("“BERRY TEA”", ("reads “BERRY TEA” left to right",))
    assert label.arrows[0].role == "expected"


def test_what_stands_against_a_candidate_comes_first_and_in_words(shot: ShotRecord) -> None:
    turned, doubt, hot, unscored, good = candidate_cards(shot)
    (row,) = turned.against
    assert (row.name, row.tone, row.verdict) == ("text orientation", "fail", "failed")
    assert row.sentence == "'BERRY TEA' reads right to left; should read left to right."
    assert (row.score, row.threshold, row.points) == (12.0, 60.0, True)
    assert [each.check for each in turned.passed] == ["alignment", "artifacts", "scene_kept"]
    assert (turned.state, turned.words) == ("failed", "Failed text orientation")

    (unsure,) = doubt.against
    assert (unsure.tone, unsure.verdict) == ("doubt", "cannot tell")

    (shape,) = hot.against
    assert [pair.difference for pair in shape.swatches] == ["ΔE 11.3", "ΔE 1.1"]
    assert shape.asides == ()

    assert (unscored.state, unscored.words, unscored.score) == ("open", "Not scored", None)
    assert unscored.against == unscored.passed == ()

    assert (good.state, good.against) == ("passed", ())
    assert next(row for row in good.passed if row.check == "alignment").asides == ("product: 72%",)


def test_a_candidate_says_what_it_was_made_from_and_by_which_checks(shot: ShotRecord) -> None:
    parts, one = {"the 3D model": "ab12", "the scene": "cd34"}, shot.candidates[4]
    record = replace(
        shot, parts=parts, row=7, model="/private/tea.glb", select=one.candidate.id, decided="Anna",
        checks="new",
        candidates=(replace(one, checks="old"), replace(shot.candidates[0], checks="new")),
    )  # fmt: skip
    chosen, other = candidate_cards(record)
    assert chosen.lineage == (
        ("Catalog row", "7"), ("3D model file", "tea.glb"),
        ("Image 1", "a" * 16), ("Image 2", "b" * 16),
        ("the 3D model", "ab12"), ("the scene", "cd34"), ("Fingerprint", "f" * 16), ("Chosen by", "Anna"),
    )  # fmt: skip
    assert dict(chosen.facts)["LoRA"] == "catalog-look at 0.8, trigger “pklook”, sha256 cdcdcdcdcdcd"
    assert dict(chosen.facts).items() >= {"Seed": "1004", "Took": "2.4 s", "Wave, number": "3, 4"}.items()
    assert (chosen.outdated, other.outdated) == (True, False)
    assert "Chosen by" not in dict(other.lineage)


def test_what_does_not_apply_and_what_erred_are_told_from_what_passed(studio: Studio) -> None:
    record = studio.shot("BARE", text="", faults=("error",))
    (card,) = candidate_cards(record)
    assert [row.check for row in card.idle] == ["text_orientation"]
    assert [(row.tone, row.verdict) for row in card.against] == [("doubt", "could not run")]


def test_the_page_opens_with_what_was_asked_for_then_the_select_then_the_nearest_miss(
    shot: ShotRecord,
) -> None:
    ids = [one.candidate.id for one in shot.candidates]
    assert shown_first(shot, ids[1]) == ids[1]
    assert shown_first(replace(shot, select=ids[2]), "<script>") == ids[2]
    # nothing is against the last
    assert shown_first(shot) == ids[4]
    # the nearest miss: what could not be told stands nearer to passing than what failed
    assert shown_first(replace(shot, candidates=shot.candidates[:3])) == ids[1]
    assert shown_first(replace(shot, candidates=())) == ""


def test_the_viewers_data_is_plain_and_the_worst_lies_on_top(shot: ShotRecord) -> None:
    record = shot.candidates[2]
    both = Scorecard((
        result(Verdict.FAIL, melted()[0], check="shape"),
        replace(result(Verdict.FAIL, reading(180)), score=0.01),
    ))  # fmt: skip
    data = candidate_data(replace(record, scorecard=both), lambda one, kind: f"/image/{one}-{kind}")
    assert data["size"] == [256, 256]
    names = [layer["name"] for layer in data["layers"]]
    assert names == ["silhouette", "print", "scene", "shape", "text_orientation"]
    assert data["layers"][3]["shapes"][0]["heat"] == f"/image/{record.candidate.id}-heat:shape:0"
    assert data["silhouette"] == data["layers"][0]["shapes"][0]["path"]


def test_references_beside_the_scene_are_named_with_what_their_labels_read(shot: ShotRecord) -> None:
    cards = reference_cards(shot)
    assert [(card.kind, card.caption) for card in cards] == [
        ("view:left", "Side"),
        ("view:top", "Top"),
        ("view:label:side", "Label side: reads left to right"),
    ]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    made = build(
        tmp_path_factory.mktemp("pages"),
        skus=("TEA-01", HOSTILE, "TEA-03"),
        faults=("turned", "blob", "melted"),
    )
    add_people(made.ledger)
    yield made
    made.ledger.close()


@pytest.fixture(scope="module")
def visitor(house: House) -> Iterator[httpx.Client]:
    """Vic, who may look and no more."""
    with serving(house.settings, house.ledger) as address, httpx.Client(base_url=address) as client:
        enter(client)
        yield client


def enter(client: httpx.Client) -> None:
    """Sign Vic in."""
    field = re.search(r'name="form" value="([^"]+)"', client.get("/sign-in").text)
    assert field is not None
    data = {"name": "Vic", "password": PASSWORD, "next": "/", "form": field[1]}
    assert client.post("/sign-in", data=data).status_code == 303


def ask(client: httpx.Client, path: str, key: str, **more: str) -> httpx.Response:
    return client.get(path, params={"catalog": CATALOG, "key": key, **more})


def test_nothing_on_the_page_runs_inline(visitor: httpx.Client, house: House) -> None:
    page = ask(visitor, "/shot", house.shots[1].key).text
    assert HOSTILE not in page
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", page, re.S)
    assert all("src=" in attributes or "application/json" in attributes for attributes, _ in scripts)
    assert all(not body.strip() for attributes, body in scripts if "src=" in attributes)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", page)


def test_layers_are_given_for_a_shots_own_candidates_only(visitor: httpx.Client, house: House) -> None:
    first, second = house.shots[0], house.shots[1]
    own = first.candidates[1].candidate.id
    answer = ask(visitor, "/shot/layers", first.key, candidate=own)
    assert answer.json()["size"] == [256, 256]
    assert {layer["name"] for layer in answer.json()["layers"]} >= {"silhouette", "text_orientation"}
    other = ask(visitor, "/shot/layers", first.key, candidate=second.candidates[0].candidate.id)
    assert other.status_code == 404
    assert "has no such candidate" in other.json()["sentence"]
    assert ask(visitor, "/shot/layers", "NO/such/shot", candidate=own).status_code == 404


def test_what_the_next_shot_shows_can_be_fetched_ahead(visitor: httpx.Client, house: House) -> None:
    addresses = ask(visitor, "/shot/ahead", house.shots[0].key).json()
    page = ask(visitor, "/shot", house.shots[1].key).text
    assert len(addresses) == 6
    # the very addresses that the next page asks for, so that the browser has them
    assert all(address in page for address in addresses)
    assert all(visitor.get(address).headers["content-type"].startswith("image/") for address in addresses)
    assert ask(visitor, "/shot/ahead", house.shots[2].key).json() == []


def test_a_shot_without_candidates_says_so(tmp_path: Path) -> None:
    from packline.ledger import Ledger
    from tests.review.house import plan

    ledger = Ledger((settings := make_folder(tmp_path)).ledger.url)
    run = ledger.begin_run(CATALOG, {})
    bare = Studio(tmp_path / "studio").shot("LAMP", faults=(), state=ShotState.FLAGGED)
    plan(ledger, run, bare)
    ledger.flag(
        run, bare.key, bare.fingerprint, "checks-1", "row", "Row 3, SKU LAMP: model lamp.glb is missing."
    )
    add_people(ledger)
    with serving(settings, ledger) as address, httpx.Client(base_url=address) as client:
        enter(client)
        page = ask(client, "/shot", bare.key).text
    assert "No picture was made for this shot." in page
    assert "model lamp.glb is missing" in page
    assert "shot-data" not in page
    ledger.close()


def test_a_further_picture_of_a_placement_is_called_so_on_its_page_and_in_the_queue(tmp_path: Path) -> None:
    from packline.ledger import Ledger
    from tests.review.house import plan

    ledger = Ledger((settings := make_folder(tmp_path)).ledger.url)
    run = ledger.begin_run(CATALOG, {})
    first = Studio(tmp_path / "studio").shot("LAMP", faults=(), state=ShotState.FLAGGED)
    second = replace(first, key=f"{first.key}~2", fingerprint="2" * 16)
    for position, shot in enumerate((first, second)):
        plan(ledger, run, shot, position)
        ledger.flag(run, shot.key, shot.fingerprint, "checks-1", "same picture", "It looks the same.")
    add_people(ledger)
    with serving(settings, ledger) as address, httpx.Client(base_url=address) as client:
        enter(client)
        pages = [ask(client, "/shot", shot.key).text for shot in (first, second)]
        queue = client.get("/").text
    assert [page.count("hero, picture 2") for page in pages] == [0, 1]
    assert queue.count("hero, picture 2") == 1 and "hero~2" in queue, "the address has the key as it is"
    ledger.close()

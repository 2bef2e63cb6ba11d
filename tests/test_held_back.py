"""The held-back bench's pieces that need no browser."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from benchmarks.held_back import damage, prints
from benchmarks.held_back.__main__ import table
from benchmarks.held_back.files import Glb
from packline.colour import ciede2000

CAN = Path(__file__).parents[1] / "assets" / "3d" / "can-volta.glb"
FONT = "dejavu/DejaVuSans-Bold.ttf"


def place(word: str) -> prints.Print:
    corners = np.array([[100, 100], [300, 100], [300, 160], [100, 160]], float)
    affine = np.array([[1 / 400, 0, 0], [0, 1 / 400, 0]])
    return prints.Print(1, corners, affine, FONT, word, True)


def test_a_file_holds_the_picture_that_was_put_into_it(tmp_path: Path) -> None:
    glb = Glb.read(CAN)
    picture = Image.effect_noise((64, 64), 80).convert("RGB")
    glb.with_picture(0, picture).write(tmp_path / "can.glb")
    again = Glb.read(tmp_path / "can.glb")
    assert np.array_equal(np.asarray(again.picture(0)), np.asarray(picture))
    first = glb.primitives()[0]["attributes"]["POSITION"]
    assert np.array_equal(again.array(first), glb.array(first))


def test_a_word_is_printed_in_its_place_alone() -> None:
    blank = Image.new("RGB", (400, 400), (200, 200, 200))
    changed = np.abs(np.asarray(prints.printed(blank, place("GRANITE")), int) - 200).max(-1) > 8
    rows, columns = np.nonzero(changed)
    assert (rows.min(), rows.max()) == (100, 159)
    assert (columns.min(), columns.max()) == (100, 299)


def test_flips_that_look_the_same_are_left_out() -> None:
    rng = np.random.default_rng(1)
    assert "text mirrored" in prints.wrong_strips(place("GRANITE"), rng)
    assert "text turned by 180" not in prints.wrong_strips(place("NOON"), rng)


def test_a_colour_is_shifted_by_as_much_as_was_asked_for() -> None:
    lab = np.array([55.0, 20.0, 30.0])
    there = damage.shifted_lab(lab, 5.5, np.random.default_rng(2))
    assert there is not None
    assert abs(float(ciede2000(lab[None], there[None])[0]) - 5.5) < 1e-3


def test_what_melts_melts_around_one_place() -> None:
    glb = Glb.read(CAN)
    sagged = damage.melted(glb, np.random.default_rng(3), 0.1, 0.05)
    moved = []
    for before, after in zip(glb.primitives(), sagged.primitives(), strict=True):
        a, b = (g.array(p["attributes"]["POSITION"]) for g, p in ((glb, before), (sagged, after)))
        moved += [float(v) for v in np.linalg.norm(a - b, axis=1)]
    extent = max(float(np.ptp(glb.array(p["attributes"]["POSITION"]), 0).max()) for p in glb.primitives())
    assert max(moved) > 0.01 * extent
    assert float(np.median(moved)) < 0.002 * extent


def test_the_table_counts_escapes_and_false_rejects() -> None:
    rows = [
        {"specimen": "a", "kind": None, "strength": None, "plain": False, "passed": True, "verdict": "pass"},
        {"specimen": "b", "kind": None, "strength": None, "plain": False, "passed": False, "verdict": "fail"},
        {
            "specimen": "c",
            "kind": "melted",
            "strength": "2 %",
            "plain": True,
            "passed": True,
            "verdict": "pass",
        },
    ]
    told = table(pd.DataFrame([{**row, "check": "shape"} for row in rows]))
    assert "1 of 1 escaped" in told
    assert "1 of 2 rejected (50.0%)" in told

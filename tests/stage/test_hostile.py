"""A slice of `benchmarks/hostile.py`: what is broken or lies is refused by name, what is harmless is not."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from benchmarks.hostile import judge
from benchmarks.hostile_case import EITHER, REFUSE, SAME, Case
from benchmarks.hostile_gltf import cases as gltf_cases
from benchmarks.hostile_text import fbx_cases, obj_cases
from packline.camera import Camera
from packline.errors import GiveUp
from packline.reference import Reference
from packline.stage.load import load_model
from packline.stage.model import ProductModel

ALL = list(chain(gltf_cases(3), obj_cases(3), fbx_cases(3)))
#: Heavy ones, which the benchmark runs.
HEAVY = ("60,000 x", "30,000 x", "million", "40 MB", "2 GB", "3,000 instances", "100,000 nodes")


def drawn_by_lot(right: str, one_in: int) -> Iterator[Case]:
    """The same slice every time, spread over all kinds of tampering."""
    for case in ALL:
        lot = zlib.crc32(f"{case.group}/{case.name}".encode())
        if case.right == right and lot % one_in == 0 and not any(word in case.name for word in HEAVY):
            yield case


def the(group: str) -> Case:
    return next(case for case in ALL if case.group == group and case.name == "as it is")


def load(case: Case, folder: Path) -> ProductModel:
    folder.mkdir()
    return load_model(case.write(folder))


def name_of(case: Case) -> str:
    return f"{case.group}, {case.name:.40}"


@pytest.mark.parametrize("case", list(drawn_by_lot(REFUSE, 14)), ids=name_of)
def test_what_lies_is_refused_by_a_sentence_that_names_it(case: Case, tmp_path: Path) -> None:
    with pytest.raises(GiveUp, match=r"Model (.*/)?box\.(glb|gltf|obj|fbx)") as caught:
        load(case, tmp_path / "model")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("case", list(drawn_by_lot(SAME, 5)), ids=name_of)
def test_what_says_the_same_in_other_words_is_the_same_product(case: Case, tmp_path: Path) -> None:
    model, original = (
        load(case, tmp_path / "model"),
        load(the(case.group.split(":")[0]), tmp_path / "original"),
    )
    assert np.allclose(model.bounds, original.bounds, atol=2e-6)
    pictures = [
        part.material.texture.pixels
        for one in (model, original)
        for part in one.parts[:1]
        if part.material.texture is not None
    ]
    assert len(pictures) == 2
    assert np.array_equal(*pictures)

    def area(one: ProductModel) -> float:
        return sum(
            float(np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])))
            for corners in (part.vertices[part.faces] for part in one.parts)
        )

    assert area(model) == pytest.approx(area(original), rel=1e-4)


@pytest.mark.parametrize("case", list(drawn_by_lot(EITHER, 14)), ids=name_of)
def test_what_was_flipped_is_refused_or_read_and_nothing_else(case: Case, tmp_path: Path) -> None:
    try:
        model = load(case, tmp_path / "model")
    except GiveUp as refusal:
        assert "box." in str(refusal)
    else:
        assert np.isfinite(model.bounds).all()
        assert sum(len(part.faces) for part in model.parts) > 0


def reference(grey: int, cover: int = 255) -> Reference:
    flat = np.full((8, 8), cover, np.uint8)
    colour = np.full((8, 8, 3), grey, np.uint8)
    empty = np.zeros((8, 8), np.float32)
    camera = Camera(eye=(0, 0, 1), target=(0, 0, 0), fov_y=30, width=8, height=8)
    return Reference(
        "front", camera, colour, colour, empty, np.zeros((8, 8, 3), np.float32), flat, flat,
        np.zeros((8, 8, 2), np.float32), np.zeros((8, 8), np.uint16), flat,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("right", "picture", "said", "verdict"),
    [
        (REFUSE, None, "SKU-1: Model box.glb: it lies; export it again.", "refused"),
        (REFUSE, reference(9), "", "silent"),
        (SAME, reference(9), "", "same"),
        (SAME, reference(20), "", "silent"),
        (SAME, None, "SKU-1: Model box.glb: it lies; export it again.", "too strict"),
        (EITHER, reference(20), "", "drawn"),
        (EITHER, reference(9, cover=0), "", "empty"),
        (EITHER, None, "SKU-1: drawing box.glb took longer than 1 s and was stopped.", "ended"),
        (REFUSE, None, "SKU-1: the renderer failed on box.glb (KeyError: 1); check the model.", "unforeseen"),
        (REFUSE, None, "SKU-1: something is wrong", "nameless"),
    ],
)
def test_the_benchmark_tells_silent_from_refused(
    right: str, picture: Reference | None, said: str, verdict: str
) -> None:
    case = Case("glb", "a case", right, lambda folder: folder)
    assert judge(case, picture, said, reference(9)) == verdict

"""The label map, found pixel by pixel, agrees with the text truth, found by projection."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from packline.errors import GiveUp
from packline.stage.label_map import label_map
from packline.stage.load import load_model
from packline.stage.model import GBuffer, ProductModel
from packline.stage.raster import Rasteriser
from packline.stage.text_truth import text_truth
from packline.stage.views import canonical_camera
from packline.truth import Label, Quad, TextTruth
from tests.stage.cards import CARD, FRONT, card, drawn

DEMO = Path("assets/3d")


def truth(label: str) -> TextTruth:
    """Only its id counts here."""
    nowhere: Quad = ((0, 0), (0, 0), (0, 0), (0, 0))
    return TextTruth(label, label, nowhere, (), 0, 0, 0, False, 1.0, (0, 1), 20.0, 50.0)


def labelled(*labels: Label) -> ProductModel:
    return ProductModel(parts=(card("front"), card("back", -0.02)), labels=labels)


def rectangle(left: float, top: float, right: float, bottom: float) -> Quad:
    return ((left, top), (right, top), (right, bottom), (left, bottom))


def marked(gbuffer: GBuffer, model: ProductModel) -> np.ndarray:
    """The card's part of the map, 128 px a side."""
    return label_map(model, gbuffer, [truth(label.id) for label in model.labels])[CARD, CARD]


@pytest.mark.parametrize("view", ["front", "hero"])
@pytest.mark.parametrize(
    "name", ["bottle-citro.glb", "can-volta.glb", "pouch-roast.glb", "carton-granola.glb"]
)
def test_the_map_fills_the_outline_of_the_text_truth(name: str, view: str, rasteriser: Rasteriser) -> None:
    model = load_model(DEMO / name)
    camera = canonical_camera(model, view, 512)
    gbuffer = rasteriser.gbuffer(model, camera)
    labels = text_truth(model, camera, gbuffer)
    assert labels
    marks = label_map(model, gbuffer, labels)
    for index, label in enumerate(labels, 1):
        if label.visible < 0.5:
            continue
        outline = np.zeros(marks.shape, np.uint8)
        # pixel centres are at +0.5
        points = np.round((np.array(label.outline) - 0.5) * 16).astype(np.int32)
        cv2.fillPoly(outline, [points], 1, shift=4)
        here = marks == index
        overlap = (here & (outline > 0)).sum() / (here | (outline > 0)).sum()
        assert overlap > 0.9, (name, view, label.text, overlap)


def test_a_label_covers_its_quad_and_nothing_else(rasteriser: Rasteriser) -> None:
    model = labelled(Label("a", "A", rectangle(0.25, 0.125, 0.75, 0.5), material="front"))
    marks = marked(rasteriser.gbuffer(model, FRONT), model)
    expected = np.zeros((128, 128), np.uint8)
    expected[16:64, 32:96] = 1
    assert np.array_equal(marks, expected)


def test_a_label_on_another_material_is_not_marked(rasteriser: Rasteriser) -> None:
    model = labelled(Label("a", "A", rectangle(0.25, 0.25, 0.75, 0.5), material="back"))
    assert marked(rasteriser.gbuffer(model, FRONT), model).max() == 0


def test_a_turned_quad_is_marked_to_the_pixel(rasteriser: Rasteriser) -> None:
    quad: Quad = ((0.5, 0.1), (0.9, 0.5), (0.5, 0.9), (0.1, 0.5))
    model = labelled(Label("a", "A", quad))
    marks = marked(rasteriser.gbuffer(model, FRONT), model)
    centre = (np.arange(128) + 0.5) / 128 - 0.5
    inside = np.abs(centre)[None] + np.abs(centre)[:, None] < 0.4
    assert ((marks == 1) != inside).sum() <= 4


def test_a_label_reaches_over_the_texture_s_edge(rasteriser: Rasteriser) -> None:
    model = labelled(Label("a", "A", rectangle(0.75, 0.25, 1.25, 0.5)))
    marks = marked(rasteriser.gbuffer(model, FRONT), model)
    expected = np.zeros((128, 128), np.uint8)
    expected[32:64, :32] = expected[32:64, 96:] = 1
    assert np.array_equal(marks, expected)


def test_a_part_that_lies_on_a_repetition_of_the_texture_is_marked(rasteriser: Rasteriser) -> None:
    model = labelled(Label("a", "A", rectangle(0.25, 0.125, 0.75, 0.5), material="front"))
    first = model.parts[0]
    assert first.uv is not None
    moved = replace(model, parts=(replace(first, uv=first.uv + np.array([3, -2], np.float32)),))
    assert np.array_equal(
        marked(rasteriser.gbuffer(moved, FRONT), moved), marked(rasteriser.gbuffer(model, FRONT), model)
    )


def test_a_small_label_within_a_large_one_is_told_apart(rasteriser: Rasteriser) -> None:
    small = Label("small", "S", rectangle(0.4, 0.4, 0.6, 0.6))
    large = Label("large", "L", rectangle(0.1, 0.1, 0.9, 0.9))
    for labels in ((small, large), (large, small)):
        model = labelled(*labels)
        marks = marked(rasteriser.gbuffer(model, FRONT), model)
        assert marks[64, 64] == 1 + labels.index(small)
        assert marks[20, 64] == 1 + labels.index(large)


def test_a_label_behind_a_pane_is_marked_and_one_behind_a_wall_is_not(rasteriser: Rasteriser) -> None:
    label = Label("a", "A", rectangle(0.25, 0.25, 0.75, 0.75), material="back")
    for alpha, expected in ((0.2, 1), (1.0, 0)):
        pane = card("front", base_colour=(1, 1, 1, alpha), alpha_mode="BLEND")
        parts = (pane, card("back", -0.02))
        model = ProductModel(parts=parts, labels=(label,))
        gbuffer = drawn(rasteriser, *parts)
        assert label_map(model, gbuffer, [truth("a")])[128, 128] == expected


def test_a_label_on_a_pane_is_marked_before_what_shows_through(rasteriser: Rasteriser) -> None:
    on_pane = Label("pane", "P", rectangle(0.5, 0.25, 1.0, 0.75), material="front")
    behind = Label("behind", "B", rectangle(0.25, 0.25, 0.75, 0.75), material="back")
    parts = (card("front", base_colour=(1, 1, 1, 0.2), alpha_mode="BLEND"), card("back", -0.02))
    model = ProductModel(parts=parts, labels=(behind, on_pane))
    marks = marked(drawn(rasteriser, *parts), model)
    assert [marks[64, x] for x in (20, 50, 80, 110)] == [0, 1, 2, 2]


def test_more_labels_than_a_byte_can_number_get_a_sentence(rasteriser: Rasteriser) -> None:
    labels = tuple(Label(str(i), "A", rectangle(0.1, 0.1, 0.2, 0.2)) for i in range(256))
    model = labelled(*labels)
    with pytest.raises(GiveUp, match="shows 256 labels, but at most 255"):
        marked(rasteriser.gbuffer(model, FRONT), model)

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from packline.camera import Camera
from packline.editing.references import (
    choose_roles,
    extra_angles,
    gather,
    make_request,
    notes_on,
    views_needed,
)
from packline.errors import GiveUp
from packline.reference import Reference
from packline.truth import TextTruth
from tests.parts import no_maps

CORNERS = ((0.0, 0.0), (8.0, 0.0), (8.0, 4.0), (0.0, 4.0))


def label(name, height, visible=1.0):
    return TextTruth(name, name, CORNERS, CORNERS, 0, 0, 0, False, visible, (0, 1), height, 50)


def view(name, level, labels=()):
    flat = np.full((8, 8, 3), level, np.uint8)
    mask = flat[..., 0]
    zero = np.zeros((8, 8), np.float32)
    camera = Camera((0.0, 0.0, 1.0), (0.0, 0.0, 0.0), 40.0, 8, 8)
    return Reference(
        name,
        camera,
        flat,
        flat,
        zero,
        np.zeros((8, 8, 3), np.float32),
        mask,
        mask,
        *no_maps(8, 8),
        tuple(labels),
    )


PHOTO = np.full((8, 8, 3), 1, np.uint8)
LABELS = [label("brand", 40), label("neck", 12), label("foot", 6), label("back", 8, visible=0.05)]
SCENE = view("scene", 2, LABELS)
VIEWS = {"left": view("left", 3), "top": view("top", 4), "label:neck": view("label:neck", 5)}
VIEWS["label:foot"] = view("label:foot", 6)
VIEWS["label:back"] = view("label:back", 7)


def test_angles_follow_the_product_and_only_unreadable_visible_labels_get_a_close_up():
    assert choose_roles(SCENE, VIEWS, 8) == ("base", "product", "side", "top", "label:neck", "label:foot")


def test_an_engine_that_takes_few_references_gets_the_first_ones():
    few = replace(SCENE, labels=())
    assert choose_roles(few, VIEWS, 3) == ("base", "product", "side")
    assert choose_roles(SCENE, VIEWS, 2) == ("base", "product")
    assert choose_roles(SCENE, VIEWS, 1) == ("base",)


def test_a_close_up_that_is_needed_is_worth_more_than_another_angle():
    assert choose_roles(SCENE, VIEWS, 5) == ("base", "product", "side", "label:neck", "label:foot")
    assert choose_roles(SCENE, VIEWS, 4) == ("base", "product", "label:neck", "label:foot")
    assert choose_roles(SCENE, VIEWS, 3) == ("base", "product", "label:neck")
    one = replace(SCENE, labels=(label("brand", 40), label("neck", 12)))
    assert choose_roles(one, VIEWS, 4) == ("base", "product", "side", "label:neck")
    readable = replace(SCENE, labels=(label("brand", 40), label("back", 8, visible=0.05)))
    assert choose_roles(readable, VIEWS, 4) == ("base", "product", "side", "top")


def test_a_shot_says_which_label_is_too_small_and_where_its_close_up_is():
    assert notes_on(SCENE, choose_roles(SCENE, VIEWS, 8)) == (
        "label 'neck' is 12 px high in this picture: its close-up went along as image 5",
        "label 'foot' is 6 px high in this picture: its close-up went along as image 6",
    )
    assert notes_on(SCENE, choose_roles(SCENE, VIEWS, 3)) == (
        "label 'neck' is 12 px high in this picture: its close-up went along as image 3",
        "label 'foot' is 6 px high in this picture: "
        "the engine takes 3 images, so its close-up did not go along",
    )


def test_what_counts_is_how_large_the_engine_sees_a_label():
    # the brand is 40 px high as delivered, and 10 px at a quarter of that
    roles = choose_roles(SCENE, None, 8, scale=0.25)
    assert roles == ("base", "product", "side", "top", "label:brand", "label:neck", "label:foot")
    assert "label:brand" in views_needed(SCENE, roles, 0.25)
    assert notes_on(SCENE, roles, 0.25)[0] == (
        "label 'brand' is 40 px high in this picture, 10 px as the engine sees it: "
        "its close-up went along as image 5"
    )
    # a legible one is legible in what the engine sees
    assert "label:brand" not in choose_roles(SCENE, None, 8, scale=0.5)
    assert "label:brand" in choose_roles(SCENE, None, 8, legible=True, scale=0.5)


def test_a_label_that_cannot_be_seen_is_no_label_too_small_to_read():
    unseen = replace(SCENE, labels=(label("brand", 40), label("back", 4, visible=0.05)))
    assert notes_on(unseen, choose_roles(unseen, VIEWS, 4)) == ()
    assert views_needed(unseen) == ("left", "top")


def test_an_angle_helps_where_the_camera_sees_that_side_slanted():
    assert extra_angles(0, 10) == ()
    assert extra_angles(35, 15) == ("right",)
    # the side that faces the camera is in image 2, and the left is what "side" shows
    assert extra_angles(90, 10) == ()
    assert extra_angles(-60, 10) == ("front",)
    assert extra_angles(35, 15, every=True) == ("right", "bottom", "back")
    assert set(extra_angles(180, 5, every=True)) == {"right", "front", "bottom"}


def test_further_angles_come_after_side_and_top_and_close_ups_stay_last():
    extra = ("right", "back")
    assert choose_roles(SCENE, None, 8, extra) == (
        "base", "product", "side", "top", "right", "back", "label:neck", "label:foot",
    )  # fmt: skip
    assert choose_roles(SCENE, None, 6, extra) == choose_roles(SCENE, None, 6)
    roles = choose_roles(SCENE, None, 7, extra)
    assert roles == ("base", "product", "side", "top", "right", "label:neck", "label:foot")
    assert views_needed(SCENE, roles) == ("left", "top", "label:neck", "label:foot", "right")


def test_a_legible_label_gets_a_close_up_where_that_is_asked_for_and_displaces_nothing():
    assert choose_roles(SCENE, None, 8, legible=True) == (
        "base", "product", "side", "top", "label:neck", "label:foot", "label:brand",
    )  # fmt: skip
    assert choose_roles(SCENE, None, 6, legible=True) == choose_roles(SCENE, None, 6)


def test_pictures_come_in_the_order_of_their_roles():
    roles = choose_roles(SCENE, VIEWS, 8)
    assert [picture[0, 0, 0] for picture in gather(PHOTO, SCENE, VIEWS, roles)] == [1, 2, 3, 4, 5, 6]


def test_the_right_side_serves_where_the_left_was_not_rendered():
    views = {"right": view("right", 9)}
    roles = choose_roles(SCENE, views, 8)
    assert roles == ("base", "product", "side")
    assert gather(PHOTO, SCENE, views, roles)[2][0, 0, 0] == 9


def test_the_renderer_is_told_which_views_a_shot_needs():
    assert views_needed(SCENE) == ("left", "top", "label:neck", "label:foot")
    assert views_needed(replace(SCENE, labels=())) == ("left", "top")


def test_a_missing_view_is_named():
    with pytest.raises(GiveUp, match="view left or right was not rendered"):
        gather(PHOTO, SCENE, {}, ("base", "product", "side"))


def test_a_request_carries_the_mask_for_engines_that_start_from_the_render():
    request = make_request(PHOTO, SCENE, VIEWS, ("base", "product"), "put it there", 7)
    assert request.mask is SCENE.mask
    assert (len(request.references), request.seed, request.loras) == (2, 7, ())

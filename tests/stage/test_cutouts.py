"""What a part's alpha cuts away throws no shadow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from packline.stage.cutouts import solid_part
from packline.stage.model import Part, Texture
from tests.stage.cards import card, leaf


def area(part: Part | None) -> float:
    if part is None:
        return 0.0
    a, b, c = (part.vertices[part.faces[:, i]].astype(float) for i in range(3))
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def test_of_a_painted_leaf_only_the_leaf_is_left() -> None:
    part = card(texture=Texture(leaf(256, 0.02)), alpha_mode="MASK")
    left = solid_part(part)
    assert left is not None
    assert area(left) == pytest.approx(np.pi * 0.4**2 * 0.01, rel=0.05)
    away = np.hypot(*(left.vertices[:, :2] - 0.05).T)
    assert 0.037 < away.max() < 0.047


def test_leaves_smaller_than_their_card_are_all_found() -> None:
    many = np.tile(leaf(64, 0.02), (4, 4, 1))
    part = card(texture=Texture(many), alpha_mode="MASK")
    assert area(solid_part(part)) == pytest.approx(np.pi * 0.4**2 * 0.01, rel=0.15)


def test_a_texture_that_repeats_is_cut_where_it_lies() -> None:
    part = card(texture=Texture(leaf(64, 0.02), wrap=("mirror", "repeat")), alpha_mode="MASK")
    assert part.uv is not None
    moved = replace(part, uv=part.uv + np.array([-4, 7], np.float32))
    assert area(solid_part(moved)) == pytest.approx(area(solid_part(part)), rel=1e-3)


def test_what_is_opaque_stays_as_it_is_and_thin_glass_goes() -> None:
    opaque = card(base_colour=(1, 1, 1, 0.1))
    assert solid_part(opaque) is opaque
    tinted = card(base_colour=(1, 1, 1, 0.8), alpha_mode="BLEND")
    assert solid_part(tinted) is tinted
    assert solid_part(card(base_colour=(1, 1, 1, 0.3), alpha_mode="BLEND")) is None
    nothing = np.zeros((8, 8, 4), np.uint8)
    assert solid_part(card(texture=Texture(nothing), alpha_mode="MASK")) is None


def test_a_part_with_many_triangles_stays_within_bounds() -> None:
    part = card(texture=Texture(leaf(64, 0.02)), alpha_mode="MASK")
    assert part.uv is not None
    corners = np.tile(part.vertices[part.faces], (40_000, 1, 1)).reshape(-1, 3)
    uv = np.tile(part.uv[part.faces], (40_000, 1, 1)).reshape(-1, 2)
    many = replace(part, vertices=corners, uv=uv, faces=np.arange(len(corners)).reshape(-1, 3))
    left = solid_part(many)
    assert left is not None
    assert len(left.faces) <= 200_000
    # too many to be cut to shape: as many whole ones as cover the leaves' area
    assert area(left) == pytest.approx(40_000 * np.pi * 0.4**2 * 0.01, rel=0.2)

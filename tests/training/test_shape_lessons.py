"""Lessons of the defect map: defects are seen and masked, harmless things leave no mask."""

import numpy as np
import pytest

from training import gloss, shape_defects
from training.shape import Source, lesson
from training.shape_data import differing


def source() -> Source:
    """A printed box before a wall."""
    rng = np.random.default_rng(0)
    base = np.full((224, 224, 3), (170, 165, 150), np.uint8)
    base += rng.integers(0, 12, base.shape, dtype=np.uint8)
    mask = np.zeros((224, 224), np.uint8)
    mask[50:174, 60:164] = 255
    colour = np.full_like(base, 205)
    colour[mask > 0] = (60, 90, 150)
    colour[90:130, 80:140] = (230, 220, 60)
    colour[100:120:4, 90:130] = (20, 20, 30)
    picture = np.where(mask[..., None] > 0, colour, base)
    normals = np.full_like(base, (128, 128, 255))
    finish = np.full((224, 224, 2), (80, 0), np.uint8)
    none = np.zeros_like(mask)[None]
    whole = np.full_like(mask, 255)
    return Source(
        *(colour, colour, normals, finish, mask, base, picture[None], mask[None], none),
        *(("",), (np.eye(3),), "box", whole),
    )


@pytest.mark.parametrize("kind", list(shape_defects.DEFECTS))
def test_every_defect_changes_the_product_and_only_near_it(kind: str) -> None:
    one = source()
    rng = np.random.default_rng(4)
    changed = []
    for _ in range(8):
        c = shape_defects.canvas(one.pictures[0], one.base, one.base[::-1].copy(), one.mask)
        picture, mask, said = shape_defects.spoil(c, rng, kind)
        assert said == kind
        assert picture.shape == one.pictures[0].shape and picture.dtype == np.uint8
        defect = differing(picture, one.pictures[0], mask, one.mask) > 0
        assert not (defect & (np.maximum(mask, one.mask) == 0)).any()
        changed.append(int(defect.sum()))
    assert max(changed) > 50


def test_an_honest_lesson_is_right_everywhere() -> None:
    made = lesson(source(), source().base, np.random.default_rng(1), "no")
    assert (made.wrong, made.counts, made.kind) == (0.0, 1.0, "")
    assert made.map.sum() == 0 and (made.weight == 1).all()


def test_a_spoilt_lesson_marks_where_it_is_spoilt() -> None:
    made = lesson(source(), source().base, np.random.default_rng(2), "removed")
    assert made.wrong == 1.0
    assert made.map.sum() >= 1
    assert made.share > 0


def test_the_seed_decides_a_lesson() -> None:
    a, b = (lesson(source(), source().base, np.random.default_rng(5), "any") for _ in range(2))
    assert np.array_equal(a.x, b.x) and a.kind == b.kind


def test_another_renderer_redraws_the_product_and_nothing_else() -> None:
    one = source()
    # a bent front, so that it mirrors more than one place
    across = np.linspace(-0.8, 0.8, 224)
    bent = np.stack([across, np.zeros(224), np.sqrt(1 - across**2)], -1)
    normals = np.broadcast_to(np.round((bent + 1) * 127.5), (224, 224, 3)).astype(np.uint8)
    apart = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        drawn = gloss.redrawn(one.pictures[0], normals, one.mask, rng).astype(int)
        outside = np.abs(drawn - one.pictures[0])[one.mask == 0]
        assert outside.max() <= 1  # through linear light and back
        apart.append(float(np.abs(drawn - one.pictures[0])[one.mask == 255].mean()))
    # metal "in places" may be in none of them
    assert np.median(apart) > 2 and np.quantile(apart, 0.25) > 0.5 and max(apart) > 8


def test_smooth_surfaces_mirror_windows_and_rough_ones_hardly() -> None:
    across = np.linspace(-0.8, 0.8, 224)
    bent = np.stack([across, np.zeros(224), np.sqrt(1 - across**2)], -1)
    normals = np.broadcast_to(np.round((bent + 1) * 127.5), (224, 224, 3)).astype(np.uint8)
    towards = gloss.Sight.of(normals, np.random.default_rng(1)).towards
    lamp = gloss.Window(towards[112, 90], 300.0, 4.0)
    room = gloss.Room(0.2, 0.1, 1.0, 0.0, np.ones(3, np.float32), (lamp,))
    steps = []
    for rough in (0.1, 0.9):
        light = room.mirrored(towards, np.full((224, 224), rough, np.float32))[112, :, 1]
        steps.append(float(np.abs(np.diff(light)).max()))
    assert steps[0] > 10 * steps[1]

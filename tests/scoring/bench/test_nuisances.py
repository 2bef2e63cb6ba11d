"""Nuisances stay within the range that the bench calls good."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from scoring.bench.nuisances import STYLES, Nuisance, draw_nuisance, finish


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    rng = np.random.default_rng(1)
    coarse = rng.integers(50, 205, (6, 6, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (128, 128), interpolation=cv2.INTER_CUBIC), np.uint8)


def apart(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(float) - other).mean())


def test_nothing_to_do_leaves_every_pixel(picture: np.ndarray) -> None:
    assert np.array_equal(finish(picture, Nuisance()), picture)


@pytest.mark.parametrize("style", sorted(STYLES))
def test_a_style_grows_with_its_strength(style: str, picture: np.ndarray) -> None:
    weak, strong = (
        apart(finish(picture, Nuisance(style=style, style_strength=s)), picture) for s in (0.3, 0.9)
    )
    assert 0 < weak < strong < 30


@pytest.mark.parametrize("codec", ["jpeg", "webp"])
def test_compression_hurts_more_at_lower_quality(codec: str, picture: np.ndarray) -> None:
    rough, fine = (apart(finish(picture, Nuisance(codec=codec, quality=q)), picture) for q in (40, 95))
    assert 0 < fine < rough < 6


def test_grain_has_the_deviation_asked_and_comes_from_the_seed(picture: np.ndarray) -> None:
    one = finish(picture, Nuisance(grain=2.0, seed=5))
    assert (one.astype(float) - picture).std() == pytest.approx(2.0, abs=0.25)
    assert np.array_equal(one, finish(picture, Nuisance(grain=2.0, seed=5)))
    assert not np.array_equal(one, finish(picture, Nuisance(grain=2.0, seed=6)))


def test_what_is_drawn_stays_within_the_edges_and_is_mostly_mild() -> None:
    rng = np.random.default_rng(3)
    drawn = [draw_nuisance(rng, 512) for _ in range(3000)]
    for values, edge in (
        ([n.key_turn for n in drawn], 25),
        ([n.key_tilt for n in drawn], 12),
        ([n.warmth for n in drawn], 1),
        ([n.turn for n in drawn], 3),
        ([n.scale - 1 for n in drawn], 0.03),
        ([n.shift[0] for n in drawn], 5.12),
        ([n.shift[1] for n in drawn], 5.12),
    ):
        size = np.abs(values)
        assert size.max() <= edge + 1e-9
        assert size.max() > 0.9 * edge
        assert np.median(size) < 0.25 * edge
    assert all(0.8 <= n.key_gain <= 1.25 and 0.8 <= n.sky_gain <= 1.25 for n in drawn)
    assert max(n.style_strength for n in drawn) <= 0.8
    assert np.mean([n.style_strength > 0.5 for n in drawn]) < 0.04
    assert max(n.blur for n in drawn) <= 0.3
    assert max(n.grain for n in drawn) <= 2
    assert {n.codec for n in drawn} == {"", "jpeg", "webp"}
    assert min(n.quality for n in drawn if n.codec) >= 75


def test_a_picture_that_went_through_a_vae_is_softer_but_the_same(picture: np.ndarray) -> None:
    through = finish(picture, Nuisance(reencoded=True))
    error = float(((through.astype(float) - picture) ** 2).mean())
    assert 0 < error < 255**2 / 10**3  # better than 30 dB

"""The bench's products are whole, readable, and none of them is in both splits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from packline.errors import FixSettings
from packline.stage.raster import Rasteriser
from packline.stage.render import render_reference
from packline.stage.views import canonical_camera
from scoring.bench.products import (
    KINDS,
    SPLITS,
    fonts,
    load_product,
    random_spec,
    seen_title,
    title_of,
)
from scoring.bench.products.prints import Canvas
from scoring.bench.products.spec import colour_word, split_of

ALL = sorted({kind for kinds in KINDS.values() for kind in kinds})
# these carry no words at all, or only on some of their constructions
WORDLESS = ("table lamp", "chair")


@pytest.fixture(scope="module")
def stage() -> Rasteriser:
    return Rasteriser(160)


@pytest.mark.parametrize("kind", ALL)
def test_a_product_s_brand_shows_from_the_front_and_is_not_mirrored(kind: str, stage: Rasteriser) -> None:
    split = next(split for split in SPLITS if kind in KINDS[split])
    spec = replace(random_spec(kind, split, 5), print="words", texture=256)
    model = load_product(spec)
    names = [part.name for part in model.parts]
    assert len(names) == len(set(names)) >= 1
    view = "three-quarter" if kind == "headphones" else "front"
    with stage.staged(model) as staged:
        seen = render_reference(staged, view, canonical_camera(model, view, 160))
    assert set(np.unique(seen.parts)) - {0} <= set(range(1, len(names) + 1))
    if kind in WORDLESS:
        return
    brand = next(label for label in seen.labels if label.label == "brand")
    assert brand.text == spec.brand
    assert brand.visible > 0.5
    assert not any(label.mirrored for label in seen.labels)


def test_the_same_numbers_give_the_same_product() -> None:
    one, other = (load_product(random_spec("kettle", "test", 3)) for _ in range(2))
    assert one.sha256 == other.sha256
    assert one.labels == other.labels


def test_the_splits_share_no_font_and_no_word_and_each_has_kinds_of_its_own() -> None:
    assert not set(fonts.FACES["calibration"]) & set(fonts.FACES["test"])
    for split in SPLITS:
        specs = [random_spec(kind, split, seed) for kind in KINDS[split] for seed in range(20)]
        words = {word for spec in specs for word in (spec.brand, spec.aside) if word}
        # a brand may be set in small letters
        assert {split_of(word) for word in words} | {split_of(word.upper()) for word in words} >= {split}
        assert all(split in (split_of(word), split_of(word.upper())) for word in words)
        assert {face for spec in specs for face in spec.faces} <= set(fonts.FACES[split])
    assert set(KINDS["calibration"]) - set(KINDS["test"])
    assert set(KINDS["test"]) - set(KINDS["calibration"])


def test_a_quarter_of_the_products_is_one_coloured_and_an_eighth_has_no_words() -> None:
    specs = [random_spec("book", "test", seed) for seed in range(600)]
    plain = [spec for spec in specs if spec.plain]
    assert 0.2 < len(plain) / 600 < 0.3
    assert all(spec.body == spec.paper == spec.accent == spec.trim for spec in plain)
    assert 0.08 < sum(spec.print == "none" for spec in specs) / 600 < 0.17
    assert 0.08 < sum(spec.print == "emblem" for spec in specs) / 600 < 0.17
    assert 0.1 < sum(spec.roughness < 0.25 for spec in specs) / 600 < 0.2


def test_a_word_s_quad_starts_where_the_word_does_whichever_way_it_runs() -> None:
    for turn, first in ((0, (0, 0)), (1, (1, 0)), (2, (1, 1)), (3, (0, 1))):
        canvas = Canvas((0.1, 0.1), 200, (255, 255, 255), "print")
        canvas.text("brand", "LLLL", (0.1, 0.1, 0.9, 0.9), (0, 0, 0), fonts.faces_of("test")[0], turn)
        quad = np.array(canvas.labels[0]["quad"])
        low, high = quad.min(0), quad.max(0)
        assert np.allclose(quad[0], np.where(first, high, low))
        # an L is dark at its foot: the edge from bottom right to bottom left
        pixels = np.asarray(canvas.image.convert("L"))
        foot = (quad[2] + quad[3]) / 2 * 0.85 + quad.mean(0) * 0.15
        top = (quad[0] + quad[1]) / 2 * 0.85 + quad.mean(0) * 0.15
        along = (quad[1] - quad[0]) / 2

        def ink(at: np.ndarray, along: np.ndarray = along, pixels: np.ndarray = pixels) -> float:
            spots = [at + share * along for share in np.linspace(-0.9, 0.9, 60)]
            return float(
                np.mean([pixels[int(v * pixels.shape[0]), int(u * pixels.shape[1])] < 128 for u, v in spots])
            )

        assert ink(foot) > 2 * ink(top)


def test_a_machine_without_the_fonts_is_told_which_packages_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fonts, "_installed", dict)
    with pytest.raises(FixSettings, match="fonts-inter"):
        random_spec("book", "test", 1)


def test_a_title_names_the_colour_and_the_kind() -> None:
    spec = replace(random_spec("toy car", "test", 1), body=(200, 40, 40))
    assert title_of(spec) == "red toy car"


def test_a_product_is_called_by_the_colour_that_is_seen_most() -> None:
    spec = random_spec("toy car", "test", 3)
    mask = np.full((20, 20), 255, np.uint8)
    albedo = np.full((20, 20, 3), (20, 60, 200), np.uint8)
    assert seen_title(spec, albedo, mask) == f"{colour_word((20, 60, 200))} toy car"
    albedo[:8], albedo[8:12] = (200, 20, 20), (250, 250, 250)
    assert seen_title(spec, albedo, mask) == "toy car"

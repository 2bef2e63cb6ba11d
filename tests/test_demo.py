"""The demo's catalogue: worth running, and wrong only where it means to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from packline.catalog import Catalog, read_catalog
from packline.settings import load_settings
from packline.stage.load import load_model
from packline.truth import direction_words

CATALOGS = Path(__file__).parents[1] / "catalogs"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return read_catalog(CATALOGS / "demo.csv", load_settings(CATALOGS / "demo.toml"))


def test_it_owes_two_dozen_shots_of_many_products_in_many_scenes(catalog: Catalog) -> None:
    assert len(catalog.products) >= 12
    assert len(catalog.shots) >= 24
    assert len({shot.scene for shot in catalog.shots}) >= 6
    assert {product.model.suffix for product in catalog.products} == {".glb", ".fbx"}
    used = {lora.label for product in catalog.products for lora in product.loras}
    assert used == {"warm evening light", "cool studio"}


def test_one_row_is_broken_on_purpose_and_no_other(catalog: Catalog) -> None:
    assert [(error.sku, error.field) for error in catalog.errors] == [("LAMP-AURA", "model")]


def test_one_label_is_declared_to_run_the_wrong_way_and_no_other(catalog: Catalog) -> None:
    wrong = []
    for product in catalog.products:
        if product.labels:
            model = load_model(product.model)
            known = {label.text for label in model.labels} | {label.id for label in model.labels}
            assert set(product.labels) <= known
        wrong += [
            (product.sku, label) for label, way in product.labels.items() if way == direction_words(270)
        ]
    assert wrong == [("SHOE-ELOVE-WRONG", "E LOVE")]

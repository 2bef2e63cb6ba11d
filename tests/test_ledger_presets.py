"""The ledger's memory of LoRA presets: versions, what used them, what they were seen to do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from packline.ledger import Ledger
from packline.ledger.presets import Effect, Imported, PresetFacts
from packline.records import PlannedShot
from packline.shots import Product, ProductLora, Shot
from tests.parts import make_candidate, new_run
from tests.postgres import change

WARM = PresetFacts("warm", {"label": "warm", "prompt": "in warm light"}, "a" * 64, "sdxl", "")
COOL = PresetFacts("cool", {"label": "cool"}, "b" * 64, "sdxl", "")
LIST = Path("/shop/presets.json")
EFFECT = Effect(
    {"name": "sdxl"}, "A1/table/hero", "a shoe", 3_000_000_000, 0.8, 4.5, 0.9, 0.1, 0.02, 0.3, 0.5, True, "/e"
)  # fmt: skip


@pytest.fixture
def ledger(ledger_url: str) -> Ledger:
    return Ledger(ledger_url)


def test_only_what_differs_becomes_a_version_and_what_has_gone_is_marked(ledger: Ledger) -> None:
    presets = ledger.presets
    assert presets.import_("demo", LIST, [WARM, COOL], "run-1") == Imported(new=("warm", "cool"))
    assert presets.import_("demo", LIST, [WARM, COOL], "run-2") == Imported(same=("warm", "cool"))
    retrained = replace(WARM, sha256="c" * 64)
    assert presets.import_("demo", LIST, [retrained], "ann") == Imported(changed=("warm",), gone=("cool",))
    assert presets.import_("demo", LIST, [retrained], "ann") == Imported(same=("warm",))
    latest = presets.latest("demo")
    assert (latest["warm"].facts, latest["warm"].gone, latest["warm"].by) == (retrained, False, "ann")
    assert (latest["cool"].facts, latest["cool"].gone, latest["cool"].by) == (COOL, True, "ann")
    assert presets.import_("demo", LIST, [retrained, COOL], "run-3") == Imported(
        new=("cool",), same=("warm",)
    )
    told = [(one.facts.sha256[0], one.gone, one.by) for one in presets.versions("demo", "cool")]
    assert told == [("b", False, "run-1"), ("b", True, "ann"), ("b", False, "run-3")]
    assert [one.facts for one in presets.versions("demo", "warm")] == [WARM, retrained]


def test_catalogs_have_lists_of_their_own(ledger: Ledger) -> None:
    ledger.presets.import_("demo", LIST, [WARM], "ann")
    assert ledger.presets.import_("other", LIST, [COOL], "ann") == Imported(new=("cool",))
    assert list(ledger.presets.latest("demo")) == ["warm"]


def test_history_of_presets_cannot_be_changed(ledger: Ledger) -> None:
    ledger.presets.import_("demo", LIST, [WARM], "ann")
    ledger.presets.record_effect("demo", "warm", EFFECT, "ann")
    for table in ("presets", "preset_effects"):
        with pytest.raises(IntegrityError, match=f"{table} is history"):
            change(ledger.url, f"delete from {table}")


def test_a_candidate_is_traced_to_the_versions_that_made_it(ledger: Ledger, tmp_path: Path) -> None:
    run = new_run(ledger)
    ledger.presets.import_("demo", LIST, [WARM, COOL], run)
    first = ledger.presets.latest("demo")

    def made(number: int, *shas: tuple[str, str]) -> list[int]:
        loras = tuple({"label": label, "sha256": sha * 64, "strength": 0.5} for label, sha in shas)
        candidate = make_candidate(tmp_path, "A1/table/hero", "f" * 16, number, loras=loras)
        ledger.record_candidate(run, candidate)
        ledger.record_candidate(run, candidate)
        return [one.id for one in ledger.presets.of_candidate(candidate.id)]

    assert made(0, ("cool", "b"), ("warm", "a")) == [first["cool"].id, first["warm"].id]
    ledger.presets.import_("demo", LIST, [replace(WARM, sha256="c" * 64), COOL], run)
    second = ledger.presets.latest("demo")
    assert made(1, ("warm", "a")) == [first["warm"].id], "its file was read before the list was imported anew"
    assert made(2, ("warm", "c")) == [second["warm"].id]
    assert made(3) == []


def test_the_last_effect_of_a_preset_is_known_and_whether_it_still_counts(ledger: Ledger) -> None:
    ledger.presets.import_("demo", LIST, [WARM, COOL], "ann")
    ledger.presets.record_effect("demo", "warm", EFFECT, "ann")
    weak = replace(
        EFFECT, difference=0.1, works=False, untriggered=None, untriggered_changed=None, words_alone=None
    )
    ledger.presets.record_effect("demo", "warm", weak, "bob")
    seen = ledger.presets.effects("demo")
    assert list(seen) == ["warm"]
    assert (seen["warm"].effect, seen["warm"].by, seen["warm"].present) == (weak, "bob", True)
    ledger.presets.import_("demo", LIST, [replace(WARM, sha256="d" * 64), COOL], "ann")
    assert ledger.presets.effects("demo")["warm"].present is False
    assert ledger.presets.effects("other") == {}


def test_a_stack_of_a_row_comes_back_as_it_went_in(ledger: Ledger) -> None:
    from packline.catalog import Catalog

    stacks = (
        (),
        (ProductLora("a+b", 0.5),),
        (ProductLora("warm"), ProductLora("noir", 0.25), ProductLora("c++")),
    )
    run = new_run(ledger)
    products = tuple(
        Product(f"A{number}", "shoe", Path("/a.glb"), (("table", "hero"),), loras=stack)
        for number, stack in enumerate(stacks)
    )
    ledger.record_catalog(run, Catalog("demo", Path("/demo.csv"), "c" * 64, products, ()))
    ledger.plan(run, [PlannedShot(Shot(one, "table", "hero"), one.sku, "checks") for one in products])
    keys = [f"{one.sku}/table/hero" for one in products]
    found = ledger.duties.shots("demo", keys)
    assert [found[key].shot.product.loras for key in keys] == list(stacks)

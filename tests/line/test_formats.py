"""Changed formats: the plan says which selects lack a file, before anything is made, on both databases."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from packline.records import ShotState, Work
from tests.line.shop import EVERY, B, Shop, build_shop

ZOOM = '[formats.hero]\n[formats.zoom]\nformat = "jpeg"\n'


@pytest.fixture
def shop(tmp_path: Path, ledger_url: str) -> Shop:
    made = build_shop(tmp_path, ledger_url)
    made.publish()
    return made


def ask(shop: Shop, more: str) -> None:
    file = shop.folder / "demo.toml"
    file.write_text(file.read_text() + more)


def test_changed_formats_publish_every_select_and_make_nothing(shop: Shop) -> None:
    assert shop.foresee()[1] == {}
    ask(shop, ZOOM)
    changed = (Work.PUBLISH, "its formats changed")
    forecast, foreseen = shop.foresee()
    assert foreseen == dict.fromkeys(EVERY, changed)
    assert forecast.reasons == {changed: len(EVERY)}
    plan, _ = shop.plan()
    assert (plan.make, plan.rescore, plan.publish, plan.nothing) == (0, 0, len(EVERY), False)
    assert plan.why == {"its formats changed": len(EVERY)}
    assert {shot.state for shot in shop.shots().values()} == {ShotState.PUBLISHED}
    assert set(shop.foresee(only=("B1",))[1]) == set(B)


def test_formats_that_change_back_ask_for_nothing(shop: Shop) -> None:
    file = shop.folder / "demo.toml"
    plain = file.read_text()
    ask(shop, ZOOM)
    shop.plan()
    file.write_text(plain)
    assert shop.foresee()[1] == {}
    assert shop.plan()[0].publish == 0


def test_a_select_whose_picture_is_gone_is_made_anew(shop: Shop) -> None:
    shutil.rmtree(shop.folder / "work")
    assert shop.foresee()[1] == {}, "what is published needs no picture"
    ask(shop, ZOOM)
    words = "its formats changed and its picture is gone from the work folder"
    assert shop.foresee()[1] == dict.fromkeys(EVERY, (Work.MAKE, words))

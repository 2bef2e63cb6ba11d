"""People at work on the desk, in a real browser: by keyboard, in bulk, two at once, among hostile names."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from packline.ledger.queue import Filters
from packline.line import Line, Order
from packline.line.publication import publish, release
from packline.records import ShotRecord, ShotState
from tests.review.house import CATALOG, CHECKS, HOSTILE, House, add_people, build, serving, sign_in

SHOT = re.compile(r"/shot\?")


@pytest.fixture
def open_house(tmp_path: Path) -> Iterator[Callable[..., tuple[House, str]]]:
    """Makes a house of some flagged shots and serves its desk."""
    served = []

    def make(skus: list[str], faults: list[str]) -> tuple[House, str]:
        house = build(tmp_path, skus=skus, faults=faults)
        add_people(house.ledger)
        context = serving(house.settings, house.ledger)
        served.append((context, house))
        return house, context.__enter__()

    yield make
    for context, house in served:
        context.__exit__(None, None, None)
        house.ledger.close()


def goes_on(page: Page, act: Callable[[], None]) -> str:
    """Do something that opens the next shot; its SKU."""
    before = page.url
    act()
    page.wait_for_url(lambda url: url != before)
    expect(page.locator("#decide")).to_be_attached()
    return sku_of(page)


def sku_of(page: Page) -> str:
    return page.locator("#decide").get_attribute("data-key").rsplit("/", 2)[0]  # type: ignore[union-attr]


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def now(house: House, shot: ShotRecord) -> ShotRecord:
    found = house.ledger.shot_pages.shot(CATALOG, shot.key)
    assert found is not None
    return found


def test_ten_flags_by_keyboard_one_taken_back_three_in_bulk_and_all_holds_what_was_decided(
    page: Page, open_house: Callable[..., tuple[House, str]]
) -> None:
    faults = ["turned", "blob+", "melted", "turned", "blob", "melted", "turned+", "blob", "melted+", "turned"]
    skus = [f"TEA-{number:02d}" for number in range(13)]
    house, desk = open_house(skus, [*faults, "blob", "melted", "turned"])
    sign_in(page, desk)
    assert goes_on(page, lambda: press(page, "s")) == "TEA-00"
    # its failing check is chosen already
    assert goes_on(page, lambda: press(page, "r", "Enter")) == "TEA-01"
    # the candidate that passed is shown first
    assert goes_on(page, lambda: press(page, "a", "Enter")) == "TEA-02"
    press(page, "a")
    page.keyboard.type("The lid is meant to be dark.")
    assert goes_on(page, lambda: press(page, "Enter")) == "TEA-03"
    press(page, "t")
    page.keyboard.type("calmer light, please")
    assert goes_on(page, lambda: press(page, "Enter")) == "TEA-04"
    # another reason besides the one that the checks found
    press(page, "r", "4")
    assert page.locator("#form-reject input:checked").count() == 2
    assert goes_on(page, lambda: press(page, "Enter")) == "TEA-05"
    assert goes_on(page, lambda: press(page, "r", "Enter")) == "TEA-06"
    # taken back: the shot opens again, and waits again when it is passed over
    assert goes_on(page, lambda: press(page, "u")) == "TEA-05"
    assert goes_on(page, lambda: press(page, "n")) == "TEA-06"
    # not the candidate that passed but the one before it
    press(page, "[", "a")
    page.keyboard.type("Reads well enough.")
    assert goes_on(page, lambda: press(page, "Enter")) == "TEA-07"
    assert goes_on(page, lambda: press(page, "t", "Enter")) == "TEA-08"
    assert goes_on(page, lambda: press(page, "a", "Enter")) == "TEA-09"
    # a reason is needed, and asking for it loses nothing
    press(page, "a", "Enter")
    expect(page.locator("#decide-said")).to_contain_text("say in a few words why")
    page.locator("#form-approve input[name=words]").focus()
    page.keyboard.type("It is fine.")
    assert goes_on(page, lambda: press(page, "Enter")) == "TEA-10"
    press(page, "g", "q")
    page.wait_for_url(f"{desk}/")
    assert page.locator(".row .code").all_inner_texts() == ["TEA-05", "TEA-10", "TEA-11", "TEA-12"]
    press(page, "j", "j", "x", "j", "x", "j", "x", "r")
    page.keyboard.type("2")
    press(page, "Enter")
    expect(page.locator("#bulk-said")).to_have_text("You chose 3; type that number to confirm.")
    press(page, "Backspace", "3")
    press(page, "Enter")
    expect(page.locator(".row")).to_have_count(1)

    # the ledger holds exactly that
    decided = {shot.sku: now(house, shot) for shot in house.shots}
    chosen = {sku: shot.select for sku, shot in decided.items() if shot.select}
    own = {shot.sku: [one.candidate.id for one in shot.candidates] for shot in house.shots}
    assert chosen == {
        "TEA-01": own["TEA-01"][2], "TEA-02": own["TEA-02"][0], "TEA-06": own["TEA-06"][1],
        "TEA-08": own["TEA-08"][2], "TEA-09": own["TEA-09"][0],
    }  # fmt: skip
    rejected = {sku for sku, shot in decided.items() if shot.reason == "rejected"}
    assert rejected == {"TEA-00", "TEA-04", "TEA-10", "TEA-11", "TEA-12"}
    again = {sku: shot.sentence for sku, shot in decided.items() if shot.reason == "again"}
    assert again == {
        "TEA-03": "Anna asked for another try: calmer light, please.",
        "TEA-07": "Anna asked for another try.",
    }
    assert (decided["TEA-05"].state, decided["TEA-05"].reason) == (ShotState.FLAGGED, "shape")
    tags = {
        shot.sku: one.tags
        for shot in house.shots
        for one in house.ledger.review.history(CATALOG, shot.key)
        if one.kind == "reject"
    }
    assert tags == {
        "TEA-00": ("text_orientation",), "TEA-04": ("artifacts", "text_orientation"), "TEA-05": ("shape",),
        "TEA-10": ("artifacts",), "TEA-11": ("shape",), "TEA-12": ("text_orientation",),
    }  # fmt: skip
    assert house.ledger.queue.counts(Filters()) == {"to do": 1, "doing": 0, "done": 12}
    assert [one.decision for one in _all_decisions(house)].count("undo") == 1
    assert len(_all_decisions(house)) == 14

    # and so does the bucket, once the line has published
    shown = _publish(house)
    assert {image["sku"] for image in shown} == set(chosen)
    assert {image["sku"]: image["candidate"] for image in shown} == chosen
    overridden = {image["sku"] for image in shown if image["overridden"]}
    assert overridden == {"TEA-02", "TEA-06", "TEA-09"}

    # what was released is not taken back, and the desk says what to do instead
    page.goto(f"{desk}/shot?catalog={CATALOG}&key={decided['TEA-09'].key}")
    page.get_by_role("button", name="Take it back").click()
    expect(page.locator("main")).to_contain_text("was released with this picture; choose another candidate")
    assert now(house, house.shots[9]).state == ShotState.PUBLISHED


def _all_decisions(house: House) -> list[object]:
    from packline.ledger import schema as t

    with house.ledger._reader.connect() as connection:
        return list(connection.execute(t.decisions.select()))


def _publish(house: House) -> list[dict[str, object]]:
    """Publish and release as the line's stations do; what the environment shows."""
    line = Line(Order(house.settings.file.with_suffix(".csv")), CHECKS)
    run = line.ledger.begin_run(CATALOG, {})
    publish(line, run, line.ledger.publishable(run), set())
    made = release(line, run)
    line.ledger.end_run(run, "completed", {})
    assert made is not None
    manifest = json.loads(line.bucket.get(made.release.key))
    line.ledger.close()
    images: list[dict[str, object]] = manifest["images"]
    return images


def test_two_reviewers_never_have_the_same_shot_and_an_old_page_decides_nothing(
    browser: Browser, open_house: Callable[..., tuple[House, str]]
) -> None:
    house, desk = open_house(["TEA-1", "TEA-2", "TEA-3"], ["turned", "blob", "melted"])
    anna, ben = (browser.new_context().new_page() for _ in range(2))
    for page, name in ((anna, "Anna"), (ben, "Ben")):
        page.set_default_timeout(8000)
        sign_in(page, desk, name)
    assert goes_on(anna, lambda: press(anna, "s")) == "TEA-1"
    assert goes_on(ben, lambda: press(ben, "s")) == "TEA-2"
    # whoever opens the other's shot nevertheless may look
    ben.goto(anna.url)
    expect(ben.locator("#why-not")).to_have_text("Anna is looking at this shot just now.")
    assert ben.locator("[data-verb]").count() == 0
    # Ben has left TEA-2 by that, and Anna goes there next
    assert goes_on(anna, lambda: press(anna, "r", "Enter")) == "TEA-2"
    ben.goto(f"{desk}/")
    expect(ben.locator(".held")).to_have_text("Anna now")
    assert goes_on(ben, lambda: press(ben, "s")) == "TEA-3"
    # Anna's page sleeps until its lease has run out, and Ben decides meanwhile
    house.ledger.queue.let_go("Anna", anna.locator("#decide").get_attribute("data-page") or "")
    ben.goto(anna.url)
    ben.keyboard.press("r")
    goes_on(ben, lambda: press(ben, "Enter"))
    press(anna, "t", "Enter")
    expect(anna.locator("#decide-said")).to_contain_text("Ben rejected TEA-2")
    assert [one.by for one in house.ledger.review.history(CATALOG, house.shots[1].key)] == ["Ben"]
    for page in (anna, ben):
        page.context.close()


def test_hostile_names_stay_text_wherever_they_are_shown(
    page: Page, open_house: Callable[..., tuple[House, str]]
) -> None:
    traps = [HOSTILE, '"><img src=x onerror=window.hit=1>', "../../../etc/passwd", "a&b=c#d?e%2f", "{{7*7}}"]
    house, desk = open_house(traps, ["turned", "blob", "melted", "turned", "blob"])
    sign_in(page, desk)
    assert page.locator(".row .code").all_inner_texts() == traps
    for sku in traps:
        page.goto(f"{desk}/")
        page.locator(".row", has_text=f"red carton {sku}").locator(".open").click()
        page.wait_for_url(SHOT)
        assert sku_of(page) == sku
        assert page.title().startswith(sku)
        assert sku in page.locator("h1").inner_text()
        goes_on(page, lambda: press(page, "r", "Enter")) if sku != traps[-1] else press(page, "r", "Enter")
    page.wait_for_url(re.compile("finished"))
    assert page.locator(".took b").inner_text() == traps[-1]
    assert {now(house, shot).reason for shot in house.shots} == {"rejected"}
    page.goto(f"{desk}/?status=done&sku=%3Cscript%3E")
    assert page.locator(".row .code").all_inner_texts() == [HOSTILE]
    assert page.locator(".find input").input_value() == "<script>"
    assert page.locator("script:not([src])").count() == 0

"""The report in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from packline.records import RowError, ShotState
from packline.report import write_report
from tests.report.synthetic_run import Desk, run_record

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
HOSTILE = "<script>window.hit=1</script>"
HOSTILE_TITLE = f'"><img src=x onerror="window.hit=1">{HOSTILE}'
SHOTS = 4
CANDIDATES = 7


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    desk = Desk(tmp_path_factory.mktemp("desk"))
    shots = [
        desk.shot("TEA-01", faults=("", "turned")),
        desk.shot("SHOE", "linen", faults=("turned", "blob"), state=ShotState.FLAGGED, reason="artifacts"),
        desk.shot(HOSTILE, title=HOSTILE_TITLE, text="<b>", faults=("", "doubt")),
        desk.shot("TEA-01", "linen", faults=("",)),
    ]
    errors = [RowError(9, HOSTILE, "model", HOSTILE)]
    return write_report(run_record(), shots, desk.scenes, desk.folder / "report.html", errors)


@dataclass
class Visit:
    """An open page with what it asked for and complained about."""

    page: Any
    requests: list[str]
    complaints: list[str]

    def shown(self, selector: str) -> int:
        return sum(one.is_visible() for one in self.page.locator(selector).all())


@pytest.fixture
def visit(browser: Browser, report: Path) -> Iterator[Visit]:
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    seen = Visit(page, [], [])
    page.on("request", lambda request: seen.requests.append(request.url))
    page.on("console", lambda message: seen.complaints.append(message.text))
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.goto(report.as_uri())
    yield seen
    assert seen.complaints == []
    assert [url for url in seen.requests if not url.startswith("data:")] == [report.as_uri()]
    assert page.evaluate("window.hit") is None
    page.close()


def test_every_shot_and_candidate_is_there_with_its_scorecard(visit: Visit) -> None:
    assert visit.shown(".shot") == visit.shown(".shot-tile") == SHOTS
    assert visit.shown(".candidate") == CANDIDATES
    for card in visit.page.locator(".candidate").all():
        assert card.locator(".scorecard .check").count() == 4
    broken = "[...document.images].filter(i => !i.complete || !i.naturalWidth).length"
    assert visit.page.evaluate(broken) == 0


def test_a_hostile_sku_stays_text(visit: Visit) -> None:
    assert visit.page.locator(".shot .where .code").nth(2).inner_text() == HOSTILE
    assert visit.page.locator("script").count() == 1


@pytest.mark.parametrize("width", [1400, 900, 390])
def test_nothing_runs_off_the_side(visit: Visit, width: int) -> None:
    visit.page.set_viewport_size({"width": width, "height": 900})
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width


def test_filters_show_only_what_is_asked_for(visit: Visit) -> None:
    page = visit.page
    page.get_by_label("Flagged").check()
    assert visit.shown(".shot") == visit.shown(".shot-tile") == 1
    assert page.locator(".shot:visible .where .code").inner_text() == "SHOE"
    assert page.locator("#count").inner_text() == "1 of 4 shots"
    page.get_by_label("Published").check()
    assert visit.shown(".shot") == 3
    page.locator("select[name=sku]").select_option(HOSTILE)
    assert visit.shown(".shot") == 1
    page.locator("select[name=check]").select_option(label="text orientation")
    assert visit.shown(".shot") == 0
    assert page.get_by_text("No shot matches these filters.").is_visible()
    page.locator("select[name=sku]").select_option(label="all")
    page.locator("input[name=state]").first.check()
    assert visit.shown(".shot") == 2
    page.locator("select[name=check]").select_option(label="any")
    assert visit.shown(".shot") == SHOTS


def test_marks_of_failing_checks_show_at_first_and_all_or_none_on_demand(visit: Visit) -> None:
    turned = "#shot-2 .candidate >> nth=0 >> .mark.fail"
    right = "#shot-1 .candidate.select .mark.pass"
    assert (visit.shown(turned), visit.shown(right)) == (1, 0)
    visit.page.get_by_label("Marks").select_option("all")
    assert (visit.shown(turned), visit.shown(right)) == (1, 1)
    visit.page.get_by_label("Marks").select_option("none")
    assert (visit.shown(turned), visit.shown(right)) == (0, 0)


def test_pointing_at_a_check_shows_where_it_points(visit: Visit) -> None:
    card = visit.page.locator("#shot-1 .candidate.select")
    assert not card.locator(".mark.pass").is_visible()
    card.locator(".check", has_text="Text orientation").focus()
    assert card.locator(".mark.pass").is_visible()


def test_the_lightbox_works_from_the_keyboard_alone(visit: Visit) -> None:
    page = visit.page
    chosen = page.locator("#shot-1 .candidate.select > .frame")
    chosen.focus()
    page.keyboard.press("Enter")
    box, picture = page.locator("#lightbox"), page.locator("#bench img")
    assert box.is_visible()
    own = picture.get_attribute("src")
    page.keyboard.press("b")
    assert picture.get_attribute("src") == page.locator("#base-0").get_attribute("src")
    page.keyboard.press("b")
    assert picture.get_attribute("src") == own
    page.keyboard.press("r")
    assert "3D model" in picture.get_attribute("alt")
    page.keyboard.press("e")
    assert "before refine" in picture.get_attribute("alt")
    page.keyboard.press("e")
    page.keyboard.press("ArrowRight")
    assert picture.get_attribute("alt").startswith("Candidate 2 of red carton")
    page.keyboard.press("ArrowLeft")
    assert picture.get_attribute("src") == own
    page.keyboard.press("Escape")
    assert not box.is_visible()
    assert chosen.evaluate("frame => frame === document.activeElement")


def test_the_difference_is_black_around_the_product_and_bright_on_it(visit: Visit) -> None:
    page = visit.page
    page.locator("#shot-1 .candidate.select > .frame").click()
    page.keyboard.press("d")
    read = """canvas => { const data = canvas.getContext("2d").getImageData(0, 0, 256, 256).data;
        const at = (x, y) => Math.max(...data.slice(4 * (256 * y + x), 4 * (256 * y + x) + 3));
        return [at(10, 10), at(10, 240), at(130, 100)]; }"""
    wall, table, carton = page.locator("#bench canvas").evaluate(read)
    assert max(wall, table) < 60
    assert carton > 150


def test_arrow_keys_skip_what_the_filters_hide(visit: Visit) -> None:
    page = visit.page
    page.get_by_label("Flagged").check()
    page.locator("#shot-2 .strip .frame").first.click()
    seen = set()
    for _ in range(30):
        seen.add(page.locator("#said").inner_text().split(":")[0])
        page.keyboard.press("ArrowRight")
    assert seen == {"red carton BERRY TEA"}
    # the nearest miss comes first, so the other one is the last picture
    assert "Candidate 1" in page.locator("#said").inner_text()
    page.keyboard.press("Escape")
    assert page.locator("#shot-2-c1").evaluate("picture => picture.parentElement === document.activeElement")


def test_a_candidates_raw_edit_opens_as_a_view_of_that_candidate(visit: Visit) -> None:
    page = visit.page
    page.locator("#shot-1 .candidate.select .raw .frame").click()
    assert page.locator("#lightbox button[data-key=e]").get_attribute("aria-pressed") == "true"
    page.keyboard.press("e")
    own = page.locator("#shot-1 .candidate.select > .frame > img").get_attribute("src")
    assert page.locator("#bench img").get_attribute("src") == own


def test_a_heat_map_and_swatches_show_what_is_wrong(browser: Browser, tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    shot = desk.shot("TEA", faults=("melted",), state=ShotState.FLAGGED, reason="shape")
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.goto(write_report(run_record(), [shot], desk.scenes, tmp_path / "report.html").as_uri())
    heat = page.locator("#shot-1 .candidate > .frame .mark.heat image")
    assert heat.is_visible()
    picture, box = page.locator("#shot-1-c1").bounding_box(), heat.bounding_box()
    assert picture and box
    # the evidence's box, 350 to 730 of 1024 pixels across
    assert (box["x"] - picture["x"]) / picture["width"] == pytest.approx(350 / 1024, abs=0.01)
    assert box["width"] / picture["width"] == pytest.approx(380 / 1024, abs=0.01)
    pairs = page.locator("#shot-1 .check", has_text="Shape").locator(".pair")
    assert [pair.inner_text().split()[0] for pair in pairs.all()] == ["carton", "panel"]
    assert "ΔE 11.3" in pairs.first.inner_text()
    fills = [rect.evaluate("r => getComputedStyle(r).fill") for rect in pairs.first.locator("rect").all()]
    assert fills == ["rgb(190, 60, 60)", "rgb(150, 44, 48)"]
    page.get_by_label("Marks").select_option("none")
    assert not heat.is_visible()
    page.close()


def test_without_javascript_it_is_a_plain_long_page(browser: Browser, report: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report.as_uri())
    assert page.locator(".candidate:visible").count() == CANDIDATES
    assert page.locator("#filters:visible, #hint:visible, dialog:visible").count() == 0
    details = page.locator("details").first
    details.locator("summary").click()
    assert details.locator(".prompt").is_visible()
    context.close()

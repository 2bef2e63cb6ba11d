"""The shot page's viewer in a real browser: what each mode shows, pixel by pixel."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

import cv2
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page

from packline.scorecard import CheckResult, Evidence, Scorecard, Verdict
from tests.review.house import CATALOG, CHECKS, HOSTILE, House, add_people, build, serving, sign_in

Pixels = np.ndarray[Any, np.dtype[np.uint8]]
PANES = ("base", "reference", "candidate")
INJECTED = '"><img src=x onerror="window.hit=1">'


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A shot that reads the wrong way, one that melted, and one whose every word is hostile."""
    made = build(
        tmp_path_factory.mktemp("gallery"),
        skus=("TEA-01", "TEA-02", HOSTILE),
        faults=("turned+", "melted", "turned"),
    )
    add_people(made.ledger)
    candidate = made.shots[2].candidates[0]
    assert candidate.scorecard is not None
    made.ledger.record_scorecard(
        made.run, candidate.candidate.id, CHECKS, Scorecard(tuple(map(hostile, candidate.scorecard.results)))
    )
    yield made
    made.ledger.close()


def hostile(result: CheckResult) -> CheckResult:
    """The same with markup wherever a check or a recogniser may put words."""
    quad = ((60.0, 60.0), (120.0, 60.0), (120.0, 90.0), (60.0, 90.0))
    data = {"expected": HOSTILE, "read": INJECTED, "angle": 180, "expected_angle": 0, "part": INJECTED}
    return replace(
        result,
        check=INJECTED,
        verdict=Verdict.FAIL,
        sentence=INJECTED + HOSTILE,
        evidence=(
            Evidence("text", INJECTED, quad, data),
            Evidence("box", HOSTILE, ((10.0, 10.0), (40.0, 40.0)), data),
            Evidence("colour", INJECTED, (), {**data, "expected": [1, 2, 3], "seen": ["url(x)", 2, 3]}),
        ),
    )


@pytest.fixture(scope="module")
def desk(gallery: House) -> Iterator[str]:
    with serving(gallery.settings, gallery.ledger) as address:
        yield address


@pytest.fixture(scope="module")
def signed_in(browser: Browser, desk: str) -> Any:
    """Anna's cookie."""
    context = browser.new_context()
    page = context.new_page()
    sign_in(page, desk)
    state = context.storage_state()
    context.close()
    return state


@dataclass
class Visit:
    """An open shot page, and what its console complained about."""

    page: Page
    house: House
    address: str
    complaints: list[str] = field(default_factory=list)

    def open(self, shot: int = 0, candidate: int = 0) -> Visit:
        record = self.house.shots[shot]
        query = {
            "catalog": CATALOG,
            "key": record.key,
            "candidate": record.candidates[candidate].candidate.id,
        }
        self.page.goto(f"{self.address}/shot?{urlencode(query)}")
        self.wait()
        return self

    def wait(self) -> None:
        """Until everything is painted in full size."""
        self.page.wait_for_selector("#stage[data-ready=full]")
        self.page.evaluate(
            "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )

    def press(self, *keys: str) -> Visit:
        for key in keys:
            self.page.keyboard.press(key)
        self.wait()
        return self

    def amount(self, name: str, value: int) -> None:
        """Move the slider of the present mode; in swipe mode the divider by its keys."""
        if name == "swipe":
            self.page.focus("#divider")
            self.page.keyboard.press("Home")
            for _ in range(value // 10):
                self.page.keyboard.press("PageUp")
        else:
            self.page.fill("#amount", str(value))
        self.wait()

    def shown(self, pane: str = "candidate") -> Pixels:
        """What a pane's canvas shows, RGB."""
        uri = self.page.evaluate(
            "name => document.querySelector(`[data-pane=${name}] canvas`).toDataURL('image/png')", pane
        )
        return decoded(uri)

    def view(self) -> tuple[float, float, float]:
        """Zoom and the place at the panes' middle."""
        data = self.page.evaluate("() => ({...document.getElementById('stage').dataset})")
        return float(data["zoom"]), float(data["x"]), float(data["y"])

    def box(self, selector: str) -> Any:
        found = self.page.locator(selector).bounding_box()
        assert found is not None
        return {**found}

    def picture(self, name: str, shot: int = 0, candidate: int = 0) -> Pixels:
        """A file's pixels, RGB."""
        one = self.house.shots[shot].candidates[candidate].candidate
        scene = self.house.settings.paths.scenes / f"{self.house.shots[shot].scene}.jpg"
        file = {"candidate": one.picture, "reference": one.truth / "colour.png", "base": scene}[name]
        with Image.open(file) as opened:
            return np.asarray(opened.convert("RGB"))

    def at_100(self, shown: Pixels) -> Pixels:
        """The part of a canvas that holds the picture, which stands in its middle at 100 %."""
        box, ratio = self.box("[data-pane=candidate]"), self.page.evaluate("devicePixelRatio")
        top, left = (math.floor(box[side] * ratio / 2 - 128 + 0.5) for side in ("height", "width"))
        return shown[top : top + 256, left : left + 256]

    def where(self, pane: str, x: float, y: float) -> tuple[float, float]:
        """A pixel's place in the window."""
        zoom, middle_x, middle_y = self.view()
        box, main = self.box(f"[data-pane={pane}]"), self.box("[data-pane=candidate]")
        left, top = main["width"] / 2 - middle_x * zoom, main["height"] / 2 - middle_y * zoom
        if zoom >= 1:
            left, top = math.floor(left + 0.5), math.floor(top + 0.5)
        return box["x"] + left + x * zoom, box["y"] + top + y * zoom


def decoded(uri: str) -> Pixels:
    """A data URI's pixels, RGB."""
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as opened:
        return np.asarray(opened.convert("RGB"))


@pytest.fixture(scope="module")
def context(browser: Browser, signed_in: Any) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport={"width": 1280, "height": 800}, storage_state=signed_in)
    yield made
    made.close()


@pytest.fixture
def visit(context: BrowserContext, gallery: House, desk: str) -> Iterator[Visit]:
    page = context.new_page()
    page.set_default_timeout(8000)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    made = Visit(page, gallery, desk, complaints)
    yield made
    assert made.complaints == []
    assert page.evaluate("window.hit") is None
    page.evaluate("localStorage.clear()")
    page.close()


def test_side_by_side_shows_base_photo_reference_and_candidate_pixel_for_pixel(visit: Visit) -> None:
    visit.open().press("1")
    for name in PANES:
        shown, picture = visit.shown(name), visit.picture(name)
        assert np.array_equal(visit.at_100(shown), picture), name
    visit.page.mouse.move(*visit.where("base", 140.5, 120.5))
    colours = ["".join(f"{n:02x}" for n in visit.picture(name)[120, 140]) for name in PANES]
    said = visit.page.locator("#pixel").inner_text()
    assert said.split() == ["x", "140", "y", "120", *(f"#{colour}" for colour in colours)]


def test_swipe_shows_one_picture_on_the_left_of_the_divider_and_the_other_on_the_right(visit: Visit) -> None:
    visit.open().press("w", "x", "1")
    base, candidate = visit.picture("base"), visit.picture("candidate")
    pane = visit.box("[data-pane=candidate]")
    left = math.floor(pane["width"] / 2 - 128 + 0.5)
    for share in (0.5, 0.4, 0.3):
        visit.amount("swipe", round(100 * share))
        shown = visit.shown()
        divider = max(math.floor(shown.shape[1] * share + 0.5) - left, 0)
        expected = candidate.copy()
        expected[:, :divider] = base[:, :divider]
        assert np.array_equal(visit.at_100(shown), expected)
        handle = visit.box("#divider")
        assert handle["x"] + 22 == pytest.approx(pane["x"] + pane["width"] * share, abs=1.5)


def test_the_divider_follows_the_pointer(visit: Visit) -> None:
    visit.open().press("w")
    handle, pane = visit.box("#divider"), visit.box("[data-pane=candidate]")
    visit.page.mouse.move(handle["x"] + 22, handle["y"] + 200)
    visit.page.mouse.down()
    visit.page.mouse.move(pane["x"] + 0.8 * pane["width"], 300)
    visit.page.mouse.up()
    visit.wait()
    assert visit.page.get_attribute("#divider", "aria-valuenow") == "80"


def test_onion_skin_mixes_both_pictures_by_the_slider(visit: Visit) -> None:
    visit.open().press("o", "x", "1")
    visit.amount("onion", 25)
    shown = visit.shown()
    base, candidate = visit.picture("base").astype(float), visit.picture("candidate").astype(float)
    found = visit.at_100(shown).astype(float)
    assert np.abs(found - (0.75 * base + 0.25 * candidate)).max() <= 2


def test_difference_is_how_far_the_pictures_are_apart_and_black_where_they_are_equal(visit: Visit) -> None:
    visit.open().press("d", "x", "1")
    shown = visit.shown()
    base, candidate = visit.picture("base").astype(int), visit.picture("candidate").astype(int)
    expected = np.minimum(4 * np.abs(base - candidate), 255)
    assert expected.max() > 100
    assert np.array_equal(visit.at_100(shown), expected)
    # the second candidate is the first once more
    visit.page.select_option("#compare", label="candidate 2")
    visit.wait()
    assert not visit.at_100(visit.shown()).any()


def test_the_reference_is_compared_where_it_belongs_in_the_photo(visit: Visit) -> None:
    visit.open().press("w", "1")
    visit.amount("swipe", 100)
    shown = visit.shown()
    base, reference = visit.picture("base"), visit.picture("reference")
    with Image.open(visit.house.shots[0].candidates[0].candidate.truth / "mask.png") as opened:
        mask = np.asarray(opened, np.uint8)
    found = visit.at_100(shown)
    inside = cv2.erode(mask, np.ones((5, 5))) > 127
    outside = cv2.dilate(mask, np.ones((5, 5))) < 127
    assert np.array_equal(found[inside], reference[inside])
    assert np.array_equal(found[outside], base[outside])


def test_blink_shows_both_in_turn_and_then_by_hand(visit: Visit) -> None:
    visit.open().press("b", "x", "1")
    base, candidate = visit.picture("base"), visit.picture("candidate")
    for second, picture in (("true", base), ("false", candidate)):
        # looked at in the very moment in which it is there
        uri = visit.page.evaluate(
            """second => new Promise(done => { const stage = document.getElementById("stage");
            const canvas = stage.querySelector("[data-pane=candidate] canvas"), look = () =>
            stage.dataset.second === second ? done(canvas.toDataURL()) : requestAnimationFrame(look);
            look(); })""",
            second,
        )
        assert np.array_equal(visit.at_100(decoded(uri)), picture)
    visit.page.focus("#stage")
    visit.press("Space")
    assert visit.page.get_attribute("#pause", "aria-pressed") == "true"
    before = visit.shown()
    visit.press("Space")
    after = visit.shown()
    found = [visit.at_100(one) for one in (before, after)]
    found.sort(key=lambda one: not np.array_equal(one, base))
    assert np.array_equal(found[0], base)
    assert np.array_equal(found[1], candidate)
    visit.press("b")
    assert visit.page.get_attribute("#pause", "aria-pressed") == "false"


def test_the_wheel_keeps_the_pixel_under_the_pointer_in_every_pane(visit: Visit) -> None:
    visit.open().press("1")
    # a mouse stands on whole pixels of the screen
    exact = visit.where("reference", 150.5, 139.5)
    x, y = (math.floor(at) for at in exact)
    place = (150.5 + x - exact[0], 139.5 + y - exact[1])
    visit.page.mouse.move(x, y)
    for turn in (-400, -350, 150, -500):
        visit.page.mouse.wheel(0, turn)
    visit.wait()
    zoom, _, _ = visit.view()
    assert zoom > 4
    assert visit.where("reference", *place) == pytest.approx((x, y), abs=0.6)
    for name in PANES:
        box = visit.box(f"[data-pane={name}]")
        shown = visit.shown(name)
        pane = visit.box("[data-pane=reference]")
        pixel = shown[round(y - box["y"]), round(x - pane["x"])]
        assert np.abs(pixel.astype(int) - visit.picture(name)[int(place[1]), int(place[0])]).max() <= 1, name


def test_from_100_percent_on_a_pixel_is_a_square(visit: Visit) -> None:
    visit.open().press("c", "1", "+", "+", "+")
    zoom, x, y = visit.view()
    assert zoom == 4
    shown = visit.shown()
    # whole pixels from the middle on
    top, left = (round(shown.shape[i] / 2 - at * 4) % 4 for i, at in ((0, y), (1, x)))
    part = shown[top : top + 400, left : left + 400].reshape(100, 4, 100, 4, 3)
    inside = shown.shape[0] >= 500 and part.shape[0] == 100
    assert inside
    assert (part == part[:, :1, :, :1]).all()


def test_keys_zoom_and_move(visit: Visit) -> None:
    visit.open().press("c", "1")
    assert visit.view() == (1.0, 128.0, 128.0)
    visit.press("+", "+")
    assert visit.view()[0] == 3
    visit.press("ArrowRight", "ArrowDown")
    assert visit.view() == pytest.approx((3, 128 + 40 / 3, 128 + 40 / 3), abs=0.5)
    visit.press("-")
    assert visit.view()[0] == 2
    visit.press("0")
    box = visit.box("[data-pane=candidate]")
    assert visit.view() == pytest.approx((box["height"] / 256, 128, 128))
    visit.press("2")
    # the carton, which is 340 of 1,024 wide and 466 high
    assert visit.view()[0] == pytest.approx(box["height"] / (466 / 4 * 1.15), rel=0.02)


def test_dragging_moves_all_pictures_with_the_pointer(visit: Visit) -> None:
    visit.open().press("1", "+", "+")
    x, y = visit.where("base", 128.5, 128.5)
    visit.page.mouse.move(x, y)
    visit.page.mouse.down()
    visit.page.mouse.move(x + 40, y - 25, steps=4)
    visit.page.mouse.up()
    visit.wait()
    assert visit.where("base", 128.5, 128.5) == pytest.approx((x + 40, y - 25), abs=0.6)


def test_two_fingers_zoom_about_the_place_between_them(
    browser: Browser, signed_in: Any, gallery: House, desk: str
) -> None:
    context = browser.new_context(
        viewport={"width": 1024, "height": 768}, has_touch=True, storage_state=signed_in
    )
    visit = Visit(context.new_page(), gallery, desk).open()
    visit.press("c", "1")
    exact = visit.where("candidate", 148.5, 118.5)
    x, y = (math.floor(at) for at in exact)
    place = (148.5 + x - exact[0], 118.5 + y - exact[1])
    client = context.new_cdp_session(visit.page)

    def touch(kind: str, *apart: float) -> None:
        points = (
            [{"x": x + side * apart[0], "y": y, "id": i} for i, side in enumerate((-1, 1))] if apart else []
        )
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 20)
    for apart in range(25, 65, 5):
        touch("touchMove", apart)
    touch("touchEnd")
    visit.wait()
    zoom, _, _ = visit.view()
    assert zoom == pytest.approx(3, rel=0.05)
    assert visit.where("candidate", *place) == pytest.approx((x, y), abs=2)
    context.close()


def outline_of(page: Page, selector: str) -> Any:
    """A path's points in the window."""
    return page.evaluate(
        """selector => { const path = document.querySelector(selector), to = path.getScreenCTM();
        return path.getAttribute("d").match(/[-\\d.]+ [-\\d.]+/g).map(pair => {
          const [x, y] = pair.split(" ").map(Number), at = new DOMPoint(x, y).matrixTransform(to);
          return [at.x, at.y]; }); }""",
        selector,
    )


def test_marks_lie_where_the_evidence_says_at_any_zoom(visit: Visit) -> None:
    visit.open()
    card = visit.house.shots[0].candidates[0].scorecard
    assert card is not None
    quad = next(r for r in card.results if r.check == "text_orientation").evidence[0].points
    for keys in (("c", "0"), ("1", "+", "+", "ArrowRight"), ("s", "2")):
        visit.press(*keys)
        found = outline_of(visit.page, "[data-pane=candidate] .mark.fail .line")
        for at, point in zip(found, quad, strict=True):
            assert at == pytest.approx(visit.where("candidate", *point), abs=1), keys


def test_a_turned_label_has_an_arrow_for_how_it_reads_and_one_for_how_it_should(visit: Visit) -> None:
    visit.open().press("c", "2")
    ends = {}
    for role in ("found", "expected"):
        path = visit.page.locator(f"[data-pane=candidate] .arrow.{role} .line").get_attribute("d")
        assert path is not None
        start, end = ([float(n) for n in one.split()] for one in path.replace("M", "L").split("L")[1:3])
        ends[role] = end[0] - start[0]
    assert ends["found"] < -50 < 50 < ends["expected"]
    words = visit.page.locator("[data-pane=candidate] .chip.fail").inner_text()
    assert "should read “BERRY TEA” left to right" in words
    assert "reads “BERRY TEA” right to left" in words


def test_evidence_is_switched_by_check_and_all_at_once(visit: Visit) -> None:
    visit.open(shot=1)
    heat = visit.page.locator("[data-pane=candidate] .mark image")
    assert heat.count() == 1
    visit.page.locator("[data-card]:visible .eye[data-layer=shape]").click()
    assert heat.count() == 0
    visit.page.mouse.move(5, 5)
    visit.page.locator("[data-card]:visible .eye[data-layer=shape]").click()
    assert heat.count() == 1
    visit.page.mouse.move(5, 5)
    visit.page.evaluate("document.activeElement.blur()")
    visit.press("e")
    assert visit.page.locator(".marks path").count() == 0
    assert visit.page.get_attribute("#evidence", "aria-pressed") == "false"
    # a row that is looked at shows its evidence all the same
    visit.page.locator("[data-card]:visible [data-check=shape]").hover()
    assert visit.page.locator("[data-pane=candidate] .mark.lit").count() == 1


def test_the_heat_map_is_really_there_and_lies_over_its_box(visit: Visit) -> None:
    visit.open(shot=1).press("c", "1")
    image = visit.page.locator("[data-pane=candidate] .mark image")
    size = image.evaluate(
        "async one => { const i = new Image(); i.src = one.href.baseVal; await i.decode(); "
        "return [i.naturalWidth, i.naturalHeight]; }"
    )
    assert size == [32, 48]
    box = image.bounding_box()
    assert box is not None
    left, top = visit.where("candidate", 350 / 4, 280 / 4)
    assert (box["x"], box["y"], box["width"], box["height"]) == pytest.approx((left, top, 95, 125), abs=1)


def test_going_through_the_candidates_changes_pictures_checks_and_what_is_decided_on(visit: Visit) -> None:
    visit.open().press("c", "1")
    records = visit.house.shots[0].candidates
    assert visit.page.locator(".checks:visible .check.fail").count() == 1
    visit.press("]", "]")
    last = records[2].candidate
    visit.page.wait_for_selector(f"#stage[data-candidate='{last.id}'][data-ready=full]")
    assert visit.page.locator("#strip [aria-current]").get_attribute("data-candidate") == last.id
    assert visit.page.get_by_text("No check stands against this candidate.").is_visible()
    assert last.id in visit.page.url
    shown, picture = visit.shown(), visit.picture("candidate", candidate=2)
    assert np.array_equal(visit.at_100(shown), picture)
    assert "Candidate 3 of 3: Passed" in visit.page.locator("#said").inner_text()
    visit.press("]")
    assert visit.page.locator("#strip [aria-current]").get_attribute("data-candidate") == last.id


def test_arrows_go_through_the_candidates_while_the_strip_has_the_focus(visit: Visit) -> None:
    visit.open().press("1")
    before = visit.view()
    ids = [one.candidate.id for one in visit.house.shots[0].candidates]
    visit.page.focus(f"#strip [data-candidate='{ids[0]}']")
    visit.press("ArrowRight")
    assert visit.page.evaluate("document.activeElement.dataset.candidate") == ids[1]
    assert visit.page.get_attribute("#stage", "data-candidate") == ids[1]
    assert visit.view() == before


def test_on_a_fine_screen_100_percent_is_a_pixel_for_a_pixel_too(
    browser: Browser, signed_in: Any, gallery: House, desk: str
) -> None:
    context = browser.new_context(
        viewport={"width": 1024, "height": 768}, device_scale_factor=2, storage_state=signed_in
    )
    visit = Visit(context.new_page(), gallery, desk).open().press("c", "1")
    shown, picture = visit.shown(), visit.picture("candidate")
    assert shown.shape[1] == round(2 * visit.box("[data-pane=candidate]")["width"])
    assert np.array_equal(visit.at_100(shown), picture)
    context.close()


def test_a_picture_that_does_not_come_is_said_in_words(visit: Visit) -> None:
    visit.page.route("**/image/**", lambda route: route.fulfill(status=403, body="no"))
    visit.open()
    assert visit.page.locator("#gone").inner_text() == "Candidate 1 cannot be loaded; load the page again."
    visit.press("w", "d", "b", "0", "1")
    visit.complaints.clear()


def test_a_checks_name_leads_to_what_it_points_at(visit: Visit) -> None:
    visit.open().press("c", "0")
    before = visit.view()[0]
    visit.page.get_by_role("button", name="Text orientation", exact=True).click()
    visit.wait()
    zoom, x, y = visit.view()
    assert zoom > 1.5 * before
    assert (x, y) == pytest.approx((512 / 4, 545 / 4), abs=1.5)


def test_hostile_words_are_shown_and_do_nothing(visit: Visit) -> None:
    visit.open(shot=2)
    assert INJECTED in "".join(visit.page.locator("[data-pane=candidate] .chip").all_text_contents())
    assert visit.page.locator(".checks:visible .sentence").first.inner_text().startswith(INJECTED)
    assert visit.page.locator("img[src=x], .chip img, .chip script").count() == 0
    assert HOSTILE in visit.page.locator(".shot-head").inner_text()
    visit.press("s", "w", "o", "d", "b", "c", "e", "]", "[")


@pytest.mark.parametrize("size", [(1280, 800), (820, 1180), (1024, 768)])
def test_everything_is_in_reach_on_a_laptop_and_a_tablet_and_passes_axe(
    visit: Visit, size: tuple[int, int]
) -> None:
    visit.page.set_viewport_size({"width": size[0], "height": size[1]})
    visit.open(shot=1)
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert visit.box("#stage")["height"] > 0.4 * size[1]
    if size[0] == 1024:
        return
    # everything open at once
    visit.press("w", "r")
    visit.page.evaluate("() => { for (const one of document.querySelectorAll('details')) one.open = true; }")
    found = Axe().run(visit.page)
    assert found.violations_count == 0, found.generate_report()


def test_every_control_is_reached_by_tab(visit: Visit) -> None:
    visit.open()
    visit.page.evaluate(
        """() => { globalThis.reached = []; addEventListener("focusin", ({ target: { id, dataset: d } }) =>
        reached.push(id || d.modeButton || d.zoom || d.locate || d.candidate || d.layer)); }"""
    )
    for _ in range(45):
        visit.page.keyboard.press("Tab")
    reached = set(visit.page.evaluate("reached"))
    wanted = {"side", "one", "swipe", "onion", "difference", "blink", "evidence", "stage", "in", "out", "fit"}
    ids = {one.candidate.id for one in visit.house.shots[0].candidates}
    assert wanted | ids | {"text_orientation", "silhouette"} <= reached


def test_without_scripts_the_pictures_and_the_reasons_are_there(
    browser: Browser, signed_in: Any, gallery: House, desk: str
) -> None:
    context = browser.new_context(java_script_enabled=False, storage_state=signed_in)
    page = context.new_page()
    page.goto(f"{desk}/shot?{urlencode({'catalog': CATALOG, 'key': gallery.shots[0].key})}")
    for name in PANES:
        assert page.locator(f"[data-pane={name}] img").is_visible()
    page.locator("#strip a").nth(0).click()
    assert page.get_by_text("should read left to right").first.is_visible()
    context.close()


def test_what_was_chosen_is_kept_for_the_next_shot(visit: Visit) -> None:
    visit.open().press("d", "x", ".", "2")
    zoom = visit.view()[0]
    visit.open(shot=1)
    assert visit.view()[0] == pytest.approx(zoom)
    stage: Callable[[str], str | None] = lambda name: visit.page.get_attribute("#stage", name)  # noqa: E731
    assert (stage("data-mode"), stage("data-compare")) == ("difference", "base")
    assert visit.page.locator("#amount-said").inner_text() == "× 5"

"""The dashboard, the checks against people, and blind comparisons."""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from fastapi.testclient import TestClient
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError

from packline.ledger import Ledger
from packline.ledger import schema as t
from packline.ledger.comparing import Comparison
from packline.ledger.decided import Choice, NotNow
from packline.ledger.queue import Filters
from packline.review.app import create_app
from tests.review.history import add_arms, add_history
from tests.review.house import CATALOG, HOSTILE, PASSWORD, House, add_people, build, serving, sign_in

AXE = Axe()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Four shots that two engines made, after a month of work."""
    made = build(
        tmp_path_factory.mktemp("statistics"),
        skus=("TEA-01", "TEA-02", "SHOE-01", "SHOE-02"),
        faults=("turned", "blob+", "melted", "turned+"),
    )
    add_people(made.ledger)
    add_history(made)
    add_arms(made)
    yield made
    made.ledger.close()


@pytest.fixture(scope="module")
def desk(house: House) -> Iterator[str]:
    with serving(house.settings, house.ledger) as address:
        yield address


@contextmanager
def visiting(house: House, name: str = "Anna") -> Iterator[TestClient]:
    """A client that is signed in, without a server."""
    with TestClient(create_app(house.settings, house.ledger), base_url="http://localhost") as client:
        client.headers["accept"] = "text/html"
        form = re.search(r'name="form" value="([^"]+)"', client.get("/sign-in").text)
        assert form is not None
        client.post("/sign-in", data={"name": name, "password": PASSWORD, "form": form[1]})
        yield client


def token(page: Any) -> str:
    found = re.search(r'data-csrf="([^"]+)"', page.text)
    assert found is not None
    return found[1]


def begin(house: House) -> Comparison:
    arms, _ = house.ledger.comparisons.offers(CATALOG)
    two = [arm.id for arm in arms if arm.engine in ("alpha", "beta")]
    return house.ledger.comparisons.begin(CATALOG, two, "Anna")


def votes(ledger: Ledger, identity: str, by: str) -> list[tuple[str, str, str]]:
    return [(one.shot, one.choice, one.left) for one in ledger.comparisons.votes(identity) if one.by == by]


def test_what_both_made_is_offered_and_a_comparison_is_begun_once(house: House) -> None:
    arms, offers = house.ledger.comparisons.offers(CATALOG)
    assert {arm.words: shots for arm, shots in arms.items() if arm.engine != "embedded"} == {
        "alpha, 4 steps, no LoRA": 4, "beta, 4 steps, no LoRA": 4,
    }  # fmt: skip
    assert {(one.first.engine, one.second.engine, one.shots) for one in offers} >= {("alpha", "beta", 4)}
    first = begin(house)
    arm = {arm.engine: arm.id for arm in arms}
    again = house.ledger.comparisons.begin(CATALOG, [arm["beta"], arm["alpha"]], "Ben")
    assert (again.id, again.first, again.second) == (first.id, first.first, first.second)
    pairs = house.ledger.comparisons.next_pairs(first.id, "Cy", 9)
    assert {(one.first.split("-")[0], one.second.split("-")[0]) for one in pairs} == {("alpha", "beta")}
    assert sorted(one.shot for one in pairs) == sorted(shot.key for shot in house.shots)
    assert [one.shot for one in house.ledger.comparisons.next_pairs(first.id, "Cy", 2)] == [
        one.shot for one in pairs[:2]
    ]
    with pytest.raises(NotNow, match="needs two different ways"):
        house.ledger.comparisons.begin(CATALOG, [arm["beta"], arm["beta"]], "Ben")
    with pytest.raises(NotNow, match="holds no pictures of one of these"):
        house.ledger.comparisons.begin(CATALOG, [arm["beta"], "0" * 16], "Ben")


def test_each_shot_is_shown_with_what_the_line_would_have_chosen(house: House) -> None:
    """SHOE-02 has a candidate that passed; the other engine's is the first and only one."""
    arms, _ = house.ledger.comparisons.offers(CATALOG)
    two = [arm.id for arm in arms if arm.engine in ("alpha", "embedded")]
    found = house.ledger.comparisons.begin(CATALOG, two, "Anna")
    own = {shot.key: [one.candidate.id for one in shot.candidates] for shot in house.shots}
    pairs = {one.sku: one for one in house.ledger.comparisons.next_pairs(found.id, "Anna", 9)}
    assert pairs["SHOE-02"].second == own[pairs["SHOE-02"].shot][2]
    assert pairs["TEA-01"].second in own[pairs["TEA-01"].shot]


def test_nobody_votes_twice_on_a_pair_and_votes_are_history(house: House) -> None:
    found = begin(house)
    shot = house.shots[0].key
    house.ledger.comparisons.vote(found.id, shot, "Cy", "first", "second")
    with pytest.raises(NotNow, match="a vote stands"):
        house.ledger.comparisons.vote(found.id, shot, "Cy", "neither", "second")
    with pytest.raises(NotNow, match="no such pair"):
        house.ledger.comparisons.vote(found.id, "nothing", "Cy", "first", "first")
    assert votes(house.ledger, found.id, "Cy") == [(shot, "first", "second")]
    assert house.ledger.comparisons.progress(found.id, "Cy") == (1, 4)
    with pytest.raises(DBAPIError, match="history"), house.ledger._write() as connection:
        connection.execute(update(t.comparison_votes).values(choice="second"))


def test_three_pairs_by_keyboard_are_three_votes_for_what_was_seen(
    page: Page, desk: str, house: House
) -> None:
    found = begin(house)
    sign_in(page, desk, "Ben", f"/compare/{found.id}")
    page.keyboard.press("v")
    seen = []
    for number, key in enumerate("120"):
        expect(page.locator(".count")).to_contain_text(f"{number} of 4")
        shown = {
            side: page.request.get(desk + str(image.get_attribute("src"))).body()
            for side, image in zip("12", page.locator(".pair figure:not(.reference) img").all(), strict=True)
        }
        seen.append((page.locator(".vote header p").first.inner_text(), key, shown))
        assert not re.search("alpha|beta|embedded|score", page.content().split("<main")[1])
        page.keyboard.press(key)
    expect(page.locator(".count")).to_contain_text("3 of 4")
    given = votes(house.ledger, found.id, "Ben")
    assert len(given) == 3
    for (shot, choice, left), (title, key, shown) in zip(given, seen, strict=True):
        assert title.startswith(shot.split("/")[0])
        pair = house.ledger.comparisons.pair(found.id, shot)
        assert pair is not None
        other = "second" if left == "first" else "first"
        assert choice == {"1": left, "2": other, "0": "neither"}[key]
        for side, which in (("1", left), ("2", other)):
            place = house.ledger.shot_pages.candidate_place(getattr(pair, which))
            assert place is not None and place.picture.read_bytes() == shown[side]


def test_addresses_and_answers_of_a_pair_give_nothing_away(house: House) -> None:
    found = begin(house)
    with visiting(house, "Ada") as client:
        page = client.get(f"/compare/{found.id}/vote")
        addresses = re.findall(r"/compare/picture/[^\"]+", page.text)
        assert len(addresses) == 3
        for pair in house.ledger.comparisons.next_pairs(found.id, "nobody", 9):
            assert pair.first not in page.text and pair.second not in page.text
        for address in addresses:
            body = address.rsplit("/", 1)[1].split(".")[0]
            plain = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)).decode(errors="replace")
            assert not re.search("alpha|beta|embedded", plain)
            answer = client.get(address)
            assert answer.status_code == 200 and answer.headers["content-type"] == "image/png"
            assert not {"last-modified", "etag", "content-disposition"} & set(answer.headers)
        # of a signature's last character two bits say nothing: another one of its first is another signature
        start, _, signature = addresses[0].rpartition(".")
        forged = f"{start}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"
        assert client.get(forged).status_code == 403
        pair_token = re.search(r'name="pair" value="([^"]+)"', page.text)
        assert pair_token is not None
    with visiting(house, "Anna") as other:
        # another person's picture and another person's pair
        assert other.get(addresses[0]).status_code == 403
        form = {"csrf": token(other.get("/compare")), "pair": pair_token[1], "choice": "1"}
        refused = other.post(f"/compare/{found.id}/vote", data=form)
        assert refused.status_code == 400 and "not yours to vote on" in refused.text
    assert votes(house.ledger, found.id, "Ada") == votes(house.ledger, found.id, "Anna") == []


def test_sides_are_drawn_for_each_person_and_pair(house: House) -> None:
    from packline.review.compare_page import _left
    from packline.review.desk import Desk

    desk = Desk(house.settings, house.ledger)
    sides = [_left(desk, "c", f"shot {i}", who) for who in ("Anna", "Ben") for i in range(200)]
    assert 70 < sides[:200].count("first") < 130
    assert sides[:200] != sides[200:]
    assert sides[0] == _left(desk, "c", "shot 0", "Anna")


def test_a_viewer_sees_results_and_cannot_vote(house: House) -> None:
    found = begin(house)
    with visiting(house, "Vic") as client:
        page = client.get(f"/compare/{found.id}")
        assert page.status_code == 200 and "alpha, 4 steps" in page.text and "/vote" not in page.text
        assert client.get(f"/compare/{found.id}/vote").status_code == 403
        assert client.post("/compare", data={"csrf": token(page), "catalog": CATALOG}).status_code == 403
        assert client.get("/compare/nothing").status_code == 404


def test_a_comparison_is_begun_from_the_page_and_a_bad_choice_is_told(house: House) -> None:
    with visiting(house) as client:
        page = client.get("/compare")
        arms = dict(re.findall(r'<option value="([0-9a-f]{16})"[^>]*>(\w+),', page.text))
        named = {engine: identity for identity, engine in arms.items()}
        form = {"csrf": token(page), "catalog": CATALOG, "first": named["alpha"]}
        begun = client.post("/compare", data={**form, "second": named["beta"]}, follow_redirects=False)
        assert begun.headers["location"] == f"/compare/{begin(house).id}"
        same = client.post("/compare", data={**form, "second": named["alpha"]})
        assert same.status_code == 409 and "needs two different ways" in same.text


def test_verdicts_are_counted_as_they_are_recorded_and_by_the_upgrade(house: House) -> None:
    """What the tallies hold of the house's own run is what its scorecards say, one by one."""
    own: Counter[tuple[str, str]] = Counter()
    with house.ledger._reader.connect() as connection:
        cards = connection.scalars(select(t.scorecards.c.results).where(t.scorecards.c.run == house.run))
        for results in cards:
            own.update((one["check"], one["verdict"]) for one in results)
    (run,) = [one for one in house.ledger.figures.runs(CATALOG) if one.id == house.run]
    assert {(n, v): times for n, said in run.verdicts.items() for v, times in said.items()} == own


def test_the_figures_are_what_the_ledger_holds(house: House) -> None:
    figures = house.ledger.figures
    runs = figures.runs()
    assert [one.id for one in runs] == [*(f"run-{n:03d}" for n in range(0, 30, 2)), house.run]
    with house.ledger._reader.connect() as connection:
        for one in (runs[0], runs[7]):
            made = connection.execute(
                select(t.candidates.c.cost, t.candidates.c.seconds).where(t.candidates.c.run == one.id)
            ).all()
            assert one.made == len(made)
            assert one.cost == pytest.approx(sum(row.cost for row in made))
            assert one.seconds == pytest.approx(sum(row.seconds for row in made))
            shown = connection.scalars(
                select(t.publications.c.candidate).where(t.publications.c.run == one.id)
            )
            assert one.published == len(set(shown))
            reasons = connection.scalars(select(t.flags.c.reason).where(t.flags.c.run == one.id)).all()
            assert one.flags == {name: reasons.count(name) for name in set(reasons)}
            assert one.hours is not None and 0.6 <= one.hours <= 1.6
    since = t.now() - timedelta(days=7)
    assert [one.id for one in figures.runs(CATALOG, since)] == [
        one.id for one in runs if one.started >= since
    ]
    assert figures.runs("another") == [] and figures.settled("another") == []
    assert figures.waiting() == (4, min(one.flagged for one in house.ledger.queue.page(Filters())))
    settled = figures.settled()
    assert len(settled) == 220 and all(one.flagged is not None for one in settled)
    assert settled == sorted(settled, key=lambda one: one.at)


def test_what_was_taken_back_is_neither_settled_nor_said(tmp_path: Path) -> None:
    house = build(tmp_path, skus=("A", "B"), faults=("turned", "blob"), size=64)
    books = house.ledger.review
    for shot in house.shots:
        choice = Choice(
            CATALOG, shot.key, books.version(CATALOG, shot.key), "reject",
            candidate=shot.candidates[0].candidate.id, tags=("text_orientation",),
        )  # fmt: skip
        (number,) = (one.id for one in books.decide([choice], "Anna"))
    assert len(house.ledger.figures.settled()) == 2
    books.undo(number, "Anna")
    assert len(house.ledger.figures.settled()) == 1
    (said,) = house.ledger.figures.said(CATALOG)
    assert (said.shot, said.tags) == (house.shots[0].key, ("text_orientation",))
    assert said.scores["text_orientation"]["verdict"] == "fail"
    # and calibration hears the tags
    (opinion,) = house.ledger.opinions(CATALOG)
    assert (opinion.decision, opinion.tags) == ("reject", ("text_orientation",))
    house.ledger.close()


def test_feedback_shows_each_check_and_where_people_overrule_it(house: House) -> None:
    with visiting(house, "Vic") as client:
        page = client.get("/feedback")
        assert page.status_code == 200
        rows = re.findall(r'<th scope="row"><a[^>]*>([^<]+)</a>', page.text)
        assert rows[0] == "Artifacts" and "Text orientation" in rows
        assert re.search(
            r"would have agreed with \d+ of \d+ decisions instead of \d+: it would have let", page.text
        )
        assert "it takes 10 more rejected for extra text." in page.text
        only = client.get("/feedback?check=shape")
        kinds = set(re.findall(r'class="verdict">(\w+) (passed|failed)', only.text))
        assert kinds == {("Shape", "passed")}
        assert only.text.count("/shot?catalog=demo") >= 5


def test_a_period_without_anything_says_so(tmp_path: Path) -> None:
    house = build(tmp_path, size=64)
    add_people(house.ledger)
    with visiting(house, "Vic") as client:
        for days in ("7", "all", HOSTILE):
            page = client.get("/dashboard", params={"days": days, "catalog": HOSTILE})
            assert page.status_code == 200 and "No candidate was judged in this time." in page.text
            assert HOSTILE not in page.text
        assert "Nobody has approved or rejected a picture yet." in client.get("/feedback").text
        assert "There are no pictures to compare yet." in client.get("/compare").text
    house.ledger.close()


def test_statistics_pass_axe_in_either_scheme_and_fit_a_tablet(
    browser: Browser, desk: str, house: House
) -> None:
    found = begin(house)
    for pair in house.ledger.comparisons.next_pairs(found.id, "Di", 9):
        house.ledger.comparisons.vote(found.id, pair.shot, "Di", "second", "first")
    context = browser.new_context(viewport={"width": 820, "height": 1180})
    page = context.new_page()
    page.set_default_timeout(8000)
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text))
    sign_in(page, desk, "Ada")
    for path in ("/dashboard", "/feedback", "/compare", f"/compare/{found.id}", f"/compare/{found.id}/vote"):
        page.goto(desk + path)
        for summary in page.locator("summary").all():
            summary.click()
        violations = [*AXE.run(page).response["violations"]]
        page.emulate_media(color_scheme="dark")
        violations += AXE.run(page, options={"runOnly": ["color-contrast"]}).response["violations"]
        page.emulate_media(color_scheme="light")
        assert [(path, one["id"], one["nodes"][0]["html"][:200]) for one in violations] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 820
    assert heard == []
    context.close()


def test_both_databases_answer_alike(tmp_path: Path, ledger_url: str) -> None:
    house = build(tmp_path, ledger_url, skus=("A", "B"), faults=("turned", "blob"), size=64)
    add_history(house, days=6, decisions=8)
    add_arms(house)
    books = house.ledger.comparisons
    arms, offers = books.offers(CATALOG)
    assert sorted((arm.words, shots) for arm, shots in arms.items() if not arm.loras) == [
        ("alpha, 4 steps, no LoRA", 2), ("beta, 4 steps, no LoRA", 2),
    ]  # fmt: skip
    assert sorted((one.first.engine, one.second.engine, one.shots) for one in offers) == [
        ("alpha", "beta", 2), ("alpha", "embedded", 2), ("beta", "embedded", 2),
    ]  # fmt: skip
    found = begin(house)
    pairs = books.next_pairs(found.id, "Anna", 9)
    assert len(pairs) == 2
    books.vote(found.id, pairs[0].shot, "Anna", "second", "first")
    assert [one.shot for one in books.next_pairs(found.id, "Anna", 9)] == [pairs[1].shot]
    assert [(one.choice, one.left, one.sku) for one in books.votes(found.id)] == [
        ("second", "first", pairs[0].sku)
    ]
    assert [(one.id, pairs, votes) for one, pairs, votes in books.all()] == [(found.id, 2, 1)]
    figures = house.ledger.figures
    runs = figures.runs(CATALOG)
    assert [one.id for one in runs] == ["run-000", "run-002", "run-004", house.run]
    assert all(one.made >= 40 and one.cost > 0 and one.published and one.flags for one in runs[:3])
    assert sum(runs[0].verdicts["shape"].values()) == runs[0].made
    assert sum(runs[3].verdicts["text_orientation"].values()) == runs[3].made
    assert len(figures.settled()) == len(figures.said()) == 8
    assert figures.waiting(CATALOG)[0] == 2
    house.ledger.close()

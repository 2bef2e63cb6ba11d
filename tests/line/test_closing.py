"""What a run came to, counted by the database, and a report that shows some shots of many."""

from __future__ import annotations

from pathlib import Path

import pytest

from packline.line import closing
from packline.line.closing import close_run, extract, report, some_flags, some_shots
from packline.line.plan import begin_run
from packline.records import ShotState
from tests.line.shop import EVERY, ROWS, A, B, C, Shop, build_shop


@pytest.fixture
def shop(tmp_path: Path, ledger_url: str) -> Shop:
    return build_shop(tmp_path, ledger_url)


def test_a_run_closes_with_the_states_of_what_was_asked_for(shop: Shop) -> None:
    shop.write(*ROWS, "D1,,shoe.glb,table,,,")
    shop.publish()
    shop.flag(A[0], "text")
    line = shop.line()
    closed = close_run(line, begin_run(line).run)
    assert closed.state == "completed with flags"
    assert closed.sentence == "3 of 5 shots published, 2 flagged."
    assert closed.states == {ShotState.PUBLISHED: 3, ShotState.FLAGGED: 2}
    assert line.ledger.run(closed.run).summary == closed.summary
    assert [shot.key for shot in some_flags(line)] == [A[0], "D1/table/hero"]
    assert [error.sku for error in line.ledger.tallies.row_errors("demo", 9)] == ["D1"]
    only = shop.line(only=("B1",))
    closed = close_run(only, begin_run(only).run)
    assert (closed.state, closed.sentence) == ("completed", "1 of 1 shots published.")
    assert [shot.key for shot in some_shots(only, closed)] == list(B)


def test_a_small_catalog_is_shown_whole_and_counted_from_its_shots(shop: Shop) -> None:
    shop.publish()
    line = shop.line()
    shots, whole = extract(line, line.ledger.run(begin_run(line).run))
    assert [shot.key for shot in shots] == list(EVERY)
    assert whole is None


def test_of_a_large_catalog_flags_and_what_the_run_worked_on_are_shown_and_all_is_counted(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "MOST_IN_FULL", 2)
    monkeypatch.setattr(closing, "MOST_ROWS", 2)
    shop.write(*ROWS, "D1,,shoe.glb,table,,,")
    shop.publish()
    shop.flag(A[0], "text")
    shop.write(ROWS[0], ROWS[1], ROWS[2].replace("woollen", "cotton"), "D1,,shoe.glb,table,,,")
    shop.publish()
    line = shop.line()
    latest = line.ledger.latest_run("demo")
    assert latest is not None
    shots, whole = extract(line, latest)
    assert [shot.key for shot in shots] == [A[0], C[0]]
    assert whole is not None
    assert (whole.outcome.shots, whole.outcome.published, whole.outcome.flagged) == (5, 3, 2)
    assert (whole.outcome.candidates, whole.outcome.scored, whole.outcome.passed) == (1, 1, 1)
    assert {tally.name: tally.ran for tally in whole.tallies} == {"artifacts": 1, "text": 1}
    page = report(line, latest.id).read_text()
    assert "This page shows 2 shots of 5" in page
    assert page.count('class="shot-tile') == 2
    assert [shot.key for shot in some_shots(line, closing.closing_of(line, latest.id, drift=""))] == list(C)


def test_words_to_tell_a_picture_from_are_the_first_of_the_catalog_by_code_points(shop: Shop) -> None:
    shop.write(*ROWS, "D1,Zebra,shoe.glb,table,,,", "E1,äpple,shoe.glb,table,,,", "F1,,shoe.glb,attic,,,")
    shop.plan()
    tallies = shop.line().ledger.tallies
    assert tallies.words("demo", 3) == (["Zebra", "plain bottle", "red shoe"], ["shelf", "table"])
    assert tallies.words("demo", 9)[0][-1] == "äpple"


def test_flags_are_listed_page_by_page(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("packline.ledger.tallies._PAGE", 2)
    shop.plan()
    for key in (*A, *B):
        shop.flag(key, "text")
    pages = list(shop.line().ledger.tallies.flags("demo"))
    assert [[key for key, _, _ in page] for page in pages] == [list(A), list(B)]
    assert pages[0][0] == (A[0], "text", "text: look.")

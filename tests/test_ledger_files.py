"""Deliveries in the ledger: what is owed, which file stands, and from a file back to where it came from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.exc import DatabaseError

from packline.ledger import Ledger
from packline.ledger import schema as t
from packline.ledger.files import owes_files
from packline.lineage import lineage, lineage_digest
from packline.records import Published, ShotRecord, ShotState
from tests.parts import make_candidate, new_run, scorecard

CHECKS = "checks-1"
SHOT, FINGERPRINT = "A1/table/hero", "f" * 16


class House:
    """A ledger with one selected shot."""

    def __init__(self, url: str, folder: Path) -> None:
        self.ledger = Ledger(url)
        self.run = new_run(self.ledger)
        row = {"catalog": "demo", "key": SHOT, "sku": "A1", "title": "shoe", "scene": "table", "view": "hero"}
        row |= {"row": 7, "position": 0, "model": "/3d/shoe.glb", "product": "p" * 16}
        with self.ledger._writer.begin() as connection:
            connection.execute(
                insert(t.shots).values(
                    **row, fingerprint=FINGERPRINT, checks=CHECKS, parts={"the scene": "s"}, run=self.run
                )
            )
        self.candidate = make_candidate(folder, SHOT, FINGERPRINT)
        self.ledger.record_candidate(self.run, self.candidate)
        self.ledger.record_scorecard(self.run, self.candidate.id, CHECKS, scorecard())
        self.ledger.select(self.run, SHOT, FINGERPRINT, self.candidate.id)

    @property
    def shot(self) -> ShotRecord:
        (record,) = self.ledger.shots("demo")
        return record

    def publish(self, *files: Published) -> str:
        shot = self.shot
        facts = lineage(shot, shot.candidates[0])
        named = [replace(file, lineage=lineage_digest(facts)) for file in files]
        self.ledger.record_published(self.run, SHOT, FINGERPRINT, self.candidate.id, named, facts)
        return lineage_digest(facts)

    def publishable(self) -> list[str]:
        return [shot.key for shot in self.ledger.publishable(self.run)]


@pytest.fixture
def house(ledger_url: str, tmp_path: Path) -> Iterator[House]:
    made = House(ledger_url, tmp_path)
    yield made
    made.ledger.close()


def file(use: str, made: str, name: str = "") -> Published:
    """A file of a use, made in a way."""
    return Published(use, f"images/{use}-{name or made}", (name or made).ljust(64, "0"), 9, False, made, 4, 3)


def test_a_published_shot_owes_a_file_once_the_settings_ask_for_another(house: House) -> None:
    house.ledger.record_deliveries("demo", {"hero": "png"})
    assert house.publishable() == [SHOT]
    house.publish(file("hero", "png"))
    assert house.publishable() == []
    house.ledger.record_deliveries("demo", {"hero": "png", "zoom": "jpg"})
    assert house.publishable() == [SHOT]
    assert house.shot.state == ShotState.PUBLISHED, "what stands is shown meanwhile"
    house.publish(file("hero", "png"), file("zoom", "jpg"))
    assert house.publishable() == []
    assert house.shot.keys == {"hero": "images/hero-png", "zoom": "images/zoom-jpg"}


def test_what_is_owed_is_foreseen_with_nothing_written(house: House) -> None:
    house.ledger.record_deliveries("demo", {"hero": "png"})
    house.publish(file("hero", "png"))
    state = t.shot_states.c

    def owing(deliveries: dict[str, str]) -> list[str]:
        query = select(state.shot).where(owes_files(state.candidate, deliveries))
        with house.ledger._reader.connect() as connection:
            return list(connection.scalars(query))

    assert owing({"hero": "png"}) == []
    assert owing({"hero": "avif"}) == owing({"hero": "png", "zoom": "jpg"}) == [SHOT]


def test_the_file_that_was_made_as_the_settings_ask_stands(house: House) -> None:
    for made in ("png", "avif"):
        house.ledger.record_deliveries("demo", {"hero": made})
        if made == "avif":
            assert house.shot.keys == {"hero": "images/hero-png"}, "until it is made, the one before it does"
        house.publish(file("hero", made))
        assert house.shot.keys == {"hero": f"images/hero-{made}"}
    house.ledger.record_deliveries("demo", {"hero": "png"})
    assert house.shot.keys == {"hero": "images/hero-png"}, "back again, and nothing to be made"
    assert house.publishable() == []
    house.publish(file("hero", "png", "mended"))
    assert house.shot.keys == {"hero": "images/hero-mended"}, "of two that were made alike the later"


def test_a_use_that_nobody_asks_for_any_more_stands_no_more(house: House) -> None:
    house.ledger.record_deliveries("demo", {"hero": "png", "zoom": "jpg"})
    house.publish(file("hero", "png"), file("zoom", "jpg"))
    house.ledger.record_deliveries("demo", {"hero": "png"})
    assert set(house.shot.keys) == {"hero"}
    assert house.publishable() == []


def test_what_was_published_before_formats_were_asked_for_stands(house: House) -> None:
    house.publish(Published("hero", "old.png", "a" * 64, 9))
    assert house.shot.keys == {"hero": "old.png"}
    assert house.publishable() == []
    house.ledger.record_deliveries("demo", {"hero": "png"})
    assert house.shot.keys == {"hero": "old.png"}
    assert house.publishable() == [SHOT]


def test_all_files_of_a_shot_are_noted_together_or_none(house: House) -> None:
    with pytest.raises(ValueError, match="has no file that could be noted"):
        house.publish()
    with pytest.raises(DatabaseError):
        house.publish(file("hero", "png"), replace(file("zoom", "jpg"), key=None))  # type: ignore[arg-type]
    assert house.shot.published == ()
    assert house.shot.state == ShotState.SELECTED
    named = house.publish(file("hero", "png"), file("zoom", "jpg"))
    assert house.shot.published == tuple(
        replace(one, existed=True, lineage=named) for one in (file("hero", "png"), file("zoom", "jpg"))
    )


def test_from_a_files_bytes_the_ledger_finds_where_it_came_from(house: House) -> None:
    named = house.publish(file("hero", "png"), file("zoom", "jpg"))
    found = house.ledger.origin("jpg".ljust(64, "0"))
    assert found is not None
    assert (found.catalog, found.run, found.shot, found.candidate) == (
        "demo",
        house.run,
        SHOT,
        house.candidate.id,
    )
    assert found.file is not None
    assert (found.file.use, found.file.lineage) == ("zoom", named)
    assert found.lineage == lineage(house.shot, house.shot.candidates[0])
    assert found.lineage["scores"]["text"] == {
        "score": 0.9,
        "threshold": 0.6,
        "verdict": "pass",
        "version": "2",
    }
    assert (found.lineage["row"], found.lineage["product"], found.lineage["seed"]) == (7, "p" * 16, 1000)
    assert [(one.decision, one.by) for one in found.decisions] == [("approve", "checks")]
    assert found.whole


def test_a_file_that_was_changed_still_names_its_lineage(house: House) -> None:
    named = house.publish(file("hero", "png"))
    found = house.ledger.origin("unknown".ljust(64, "0"), named)
    assert found is not None
    assert (found.file, found.shot, found.lineage["seed"]) == (None, SHOT, 1000)
    assert house.ledger.origin("unknown".ljust(64, "0"), "0" * 64) is None
    assert house.ledger.origin() is None


def test_a_lineage_is_kept_once_and_cannot_be_changed(house: House) -> None:
    named = house.publish(file("hero", "png"))
    assert house.publish(file("zoom", "jpg")) == named
    # judged anew: its files stand, and say what was true when they were made
    again = {**lineage(house.shot, house.shot.candidates[0]), "checks": "checks-2"}
    house.ledger.record_published(
        house.run, SHOT, FINGERPRINT, house.candidate.id, house.shot.published, again
    )
    with house.ledger._reader.connect() as connection:
        assert list(connection.scalars(select(t.lineages.c.digest))) == [named]
    with pytest.raises(DatabaseError, match="history"), house.ledger._writer.begin() as connection:
        connection.execute(update(t.lineages).values(data={}))

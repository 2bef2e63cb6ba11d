"""How quick the review desk's pages are, by the number of flags in the ledger.

    python -m benchmarks.review_pages [--flags 1000 100000] [--tries 15] [--out FILE]

A ledger on SQLite gets so many flagged shots, with two candidates and their scorecards each; a desk serves
it on localhost. The time is from request to the last byte, median and slowest of the tries; "first paint" is
what Chromium reports (first-contentful-paint) with an empty cache, sign-in left out. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import sync_playwright
from sqlalchemy import insert

from packline.ledger import schema as t
from packline.ledger.people import User
from packline.review.passwords import hash_password
from tests.review.conftest import FLAGS
from tests.review.house import CATALOG, CHECKS, FAULTS, PASSWORD, House, build, serving, sign_in

_BATCH = 5000


def stock(house: House, flags: int) -> None:
    """Put flagged shots into the ledger as runs would have, copies of the house's own with other names."""
    own = house.shots
    started = t.now()
    with house.ledger._write() as connection:
        for first in range(0, flags, _BATCH):
            rows: dict[Any, list[dict[str, Any]]] = {
                table: []
                for table in (t.shots, t.shot_states, t.flags, t.candidates, t.scorecards, t.references)
            }
            for number in range(first, min(first + _BATCH, flags)):
                for table, row in _rows(house.run, own[number % len(own)], number, started):
                    rows[table].append(row)
            for table, some in rows.items():
                connection.execute(insert(table), some)
    house.ledger.queue.rebuild()


def _rows(run: str, like: Any, number: int, now: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
    sku, fingerprint = f"SKU-{number:07d}", f"b{number:015x}"
    key = f"{sku}/{like.scene}/hero"
    place = {"shot": key, "fingerprint": fingerprint}
    reason, sentence = list(FAULTS.values())[number % len(FAULTS)]
    flagged = {"reason": reason, "sentence": sentence, "checks": CHECKS, "run": run}
    yield t.shots, {
        "catalog": CATALOG, "key": key, "sku": sku, "title": f"carton {number}", "scene": like.scene,
        "view": "hero", "row": number + 10, "position": 0, "model": "shoe.glb", "product": "p",
        "fingerprint": fingerprint, "checks": CHECKS, "parts": {}, "run": run, "gone": "",
    }  # fmt: skip
    yield t.shot_states, {**place, **flagged, "state": "flagged", "candidate": "", "decided": ""}
    yield t.flags, {**place, **flagged, "recorded": now - timedelta(seconds=number % 900_000)}
    yield t.references, {**place, "view": "scene", "folder": str(like.references["scene"])}
    for which, record in enumerate(like.candidates[:2]):
        made = record.candidate
        recipe = replace(made.recipe, shot=key, fingerprint=fingerprint)
        identity = f"{number:08x}{which:08x}"
        yield t.candidates, {
            **made.to_dict(), **place, "id": identity, "run": run, "recipe": asdict(recipe),
            "wave": recipe.wave, "number": which, "seed": recipe.seed, "prompt": recipe.prompt,
        }  # fmt: skip
        assert record.scorecard is not None
        yield t.scorecards, {
            "run": run, "candidate": identity, "checks": CHECKS, "passed": record.scorecard.passed,
            "score": record.scorecard.score,
            "results": [one.to_dict() for one in record.scorecard.results],
        }  # fmt: skip


def measure(address: str, flags: int, tries: int) -> list[dict[str, Any]]:
    """Times of each kind of page in milliseconds."""
    browser = httpx.Client(base_url=address, headers={"accept": "text/html"}, timeout=60)
    form = re.search(r'name="form" value="([^"]+)"', browser.get("/sign-in").text)
    assert form is not None
    browser.post("/sign-in", data={"name": "Anna", "password": PASSWORD, "form": form[1]})
    middle = f"SKU-{flags // 2:07d}"
    shots = [f"SKU-{n:07d}" for n in range(flags // 3, flags // 3 + tries + 1)]
    scene = ("oak-table", "linen")
    pages: dict[str, list[str]] = {
        "queue": ["/?status=to+do"],
        "queue, failing check": ["/?status=to+do&reason=shape"],
        "queue, SKU begins with": [f"/?status=to+do&sku={middle[:9]}"],
        "queue, waiting 3 days": ["/?status=to+do&days=3"],
        "queue, three filters": ["/?status=to+do&reason=artifacts&days=1&assignee=nobody"],
        "queue, deep page": [
            f"/?status=to+do&after_catalog={CATALOG}&after={middle}/{scene[(flags // 2) % 2]}/hero"
        ],
        "done": ["/?status=done"],
        "shot": [f"/shot?catalog={CATALOG}&key={sku}/{scene[int(sku[-7:]) % 2]}/hero" for sku in shots],
    }
    found = []
    for name, addresses in pages.items():
        took, size = [], 0
        browser.get(addresses[0])
        for number in range(tries):
            start = time.perf_counter()
            answer = browser.get(addresses[number % len(addresses)])
            took.append((time.perf_counter() - start) * 1000)
            assert answer.status_code == 200, answer.text[-300:]
            size = len(answer.content)
        found.append(_row(flags, name, took, kilobytes=round(size / 1000)))
    page = browser.get(pages["shot"][0]).text
    pictures = re.findall(r'/image/[^"&]+', page)
    fresh, again = [], []
    for picture in pictures[: 2 * tries]:
        for times in (fresh, again):
            start = time.perf_counter()
            browser.get(picture).raise_for_status()
            times.append((time.perf_counter() - start) * 1000)
    found += [_row(flags, "picture, first", fresh), _row(flags, "picture, again", again)]
    decided = []
    token = re.search(r'data-csrf="([^"]+)"', page)
    assert token is not None
    for sku in shots[:tries]:
        key = f"{sku}/{scene[int(sku[-7:]) % 2]}/hero"
        html = browser.get("/shot", params={"catalog": CATALOG, "key": key}).text
        version = re.search(r'name="version" value="([^"]+)"', html)
        assert version is not None
        fields = {"catalog": CATALOG, "key": key, "version": version[1], "kind": "reject", "words": "no"}
        start = time.perf_counter()
        answer = browser.post("/decide", data={**fields, "csrf": token[1]})
        decided.append((time.perf_counter() - start) * 1000)
        assert answer.status_code == 303, answer.text
    found.append(_row(flags, "decide, and find the next", decided))
    return found


def paints(address: str, flags: int, tries: int) -> list[dict[str, Any]]:
    """First contentful paint of queue and shot page in Chromium, its cache empty each time."""
    paint = "performance.getEntriesByName('first-contentful-paint').map(e => e.startTime)[0]"
    found = []
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        for name in ("queue", "shot"):
            took = []
            for number in range(tries):
                context = chromium.new_context(viewport={"width": 1280, "height": 800})
                page = context.new_page()
                sign_in(page, address, then="/healthy")
                sku = f"SKU-{flags // 2 + number:07d}"
                key = f"{sku}/{('oak-table', 'linen')[(flags // 2 + number) % 2]}/hero"
                page.goto(address if name == "queue" else f"{address}/shot?catalog={CATALOG}&key={key}")
                # the page's policy forbids Playwright's own way to wait for a condition
                while (painted := page.evaluate(paint)) is None:
                    page.wait_for_timeout(20)
                took.append(float(painted))
                context.close()
            found.append(_row(flags, f"{name}, first paint", took))
        chromium.close()
    return found


def _row(flags: int, what: str, took: Sequence[float], **more: Any) -> dict[str, Any]:
    median, slowest = statistics.median(took), max(took)
    print(f"{flags:>8,}  {what:<28} {median:8.1f} ms  slowest {slowest:8.1f} ms", flush=True)
    return {"flags": flags, "what": what, "median": round(median, 1), "slowest": round(slowest, 1), **more}


def main(arguments: Sequence[str]) -> None:
    """Measure, print, and write to a file where one is named."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--flags", type=int, nargs="+", default=[1000, 100_000])
    parser.add_argument("--tries", type=int, default=15)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args(arguments)
    rows = []
    for flags in asked.flags:
        folder = Path(tempfile.mkdtemp(prefix="packline-review-"))
        try:
            house = build(folder, skus=("A", "B"), faults=("turned", "melted"), size=1024)
            house.ledger.people.add_user(User("Anna", "reviewer", hash_password(PASSWORD)))
            start = time.perf_counter()
            stock(house, flags)
            print(
                f"{flags:>8,}  flags put into the ledger in {time.perf_counter() - start:.0f} s", flush=True
            )
            with serving(house.settings, house.ledger) as address:
                rows += measure(address, flags, asked.tries) + paints(address, flags, asked.tries)
            house.ledger.close()
        finally:
            shutil.rmtree(folder)
    if asked.out:
        asked.out.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])

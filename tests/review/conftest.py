"""Fixtures of the review desk's tests: a small house, its desk, a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from packline.review import passwords
from tests.review.house import House, add_people, build, serving

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> Iterator[None]:
    """Hashes of the same kind with less work in them: the real ones take 64 MiB and a while each."""
    quick = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", lambda: quick)
        passwords._nobody.cache_clear()
        yield
    passwords._nobody.cache_clear()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Four flagged shots; the second and the fourth have a candidate that passed."""
    made = build(
        tmp_path_factory.mktemp("house"),
        skus=("TEA-01", "TEA-02", "SHOE-01", "SHOE-02"),
        faults=("turned", "blob+", "melted", "turned+"),
    )
    add_people(made.ledger)
    yield made
    made.ledger.close()


@pytest.fixture(scope="module")
def desk(house: House) -> Iterator[str]:
    """The address of a desk that serves `house`."""
    with serving(house.settings, house.ledger) as address:
        yield address


# no longer than this folder's tests: while Playwright runs, this thread's asyncio loop counts as running, and
# then neither another Playwright nor Prefect's synchronous calls work in it
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh browser window on a 13-inch laptop; complaints of its console fail the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    opened = context.new_page()
    opened.set_default_timeout(8000)
    complaints: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        # a decision that cannot stand is an answer, though the browser calls it an error
        if message.type == "error" and "(Conflict)" not in message.text:
            complaints.append(message.text)

    opened.on("console", hear)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    assert opened.evaluate("window.hit") is None
    assert complaints == []
    context.close()

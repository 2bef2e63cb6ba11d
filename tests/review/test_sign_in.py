"""Signing in, in a real browser."""

from __future__ import annotations

import re

from playwright.sync_api import Page

from tests.review.house import House, sign_in


def test_a_page_asks_who_is_there_and_goes_on_to_itself_after_signing_in(
    page: Page, desk: str, house: House
) -> None:
    shot = house.shots[0]
    page.goto(f"{desk}/shot?catalog=demo&key={shot.key}")
    assert "/sign-in" in page.url
    page.get_by_label("Name").fill("Anna")
    page.get_by_label("Password").fill("correct horse battery")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(re.compile(r"/shot\?"))
    assert shot.title.lower() in page.locator("h1").inner_text().lower()


def test_signing_out_ends_the_session(page: Page, desk: str) -> None:
    sign_in(page, desk)
    page.get_by_role("button", name="Sign out").click()
    page.goto(desk)
    assert "/sign-in" in page.url

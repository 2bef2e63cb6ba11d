"""Each guard of the review desk, over HTTP."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.testclient import TestClient
from httpx import Response

from packline.errors import FixSettings
from packline.ledger import schema as t
from packline.ledger.people import User
from packline.review import passwords, sign_in_page
from packline.review.app import MOST_BYTES, create_app
from packline.review.serving import check_listening
from packline.settings import ReviewSettings
from tests.review.house import CATALOG, PASSWORD, House, add_people, build

# an object's address carries its own signature (tests of packline.review.objects)
OPEN = {"/objects/{key:path}", "/static/{name}", "/healthy", "/sign-in", "/welcome/{invitation}"}
HTML = {"accept": "text/html"}
Client = Callable[..., TestClient]


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    made = build(tmp_path_factory.mktemp("guarded"), skus=("TEA",), faults=("melted",))
    add_people(made.ledger)
    yield made
    made.ledger.close()


@pytest.fixture
def client(stocked: House) -> Iterator[Client]:
    """Makes browsers: signed in where a name is given, of a desk with other settings where some are."""
    opened: list[TestClient] = []

    def make(
        name: str = "", address: str = "127.0.0.1", base: str = "http://localhost", **review: Any
    ) -> TestClient:
        settings = stocked.settings.model_copy(
            update={"review": stocked.settings.review.model_copy(update=review)}
        )
        made = TestClient(
            create_app(settings, stocked.ledger),
            base_url=base,
            client=(address, 5000),
            follow_redirects=False,
            raise_server_exceptions=False,
        )
        opened.append(made)
        if name:
            assert sign_in(made, name).status_code == 303
        return made

    yield make
    for one in opened:
        one.close()
    with stocked.ledger._write() as connection:
        connection.execute(t.sessions.delete())


def sign_in(client: TestClient, name: str, password: str = PASSWORD, then: str = "/") -> Response:
    form = re.search(r'name="form" value="([^"]+)"', client.get("/sign-in", headers=HTML).text)
    if form is None:  # signed in already
        form = re.search("()", "")
    assert form is not None
    fields = {"name": name, "password": password, "form": form[1], "next": then}
    return client.post("/sign-in", data=fields, headers=HTML)


def csrf(client: TestClient) -> str:
    found = re.search(r'data-csrf="([^"]+)"', client.get("/", headers=HTML).text)
    assert found is not None
    return found[1]


def routes(method: str) -> list[str]:
    """Every address of the desk that takes a method; parameters are filled with a word."""
    from packline.settings import Settings

    app = create_app(Settings.model_construct(review=ReviewSettings(), file=None))  # type: ignore[arg-type]
    found = []
    for context in iter_route_contexts(app.routes):
        route = context.route
        if isinstance(route, APIRoute) and method in route.methods and context.path not in OPEN:
            found.append(re.sub(r"\{\w+\}", "word", str(context.path)))
    return sorted(set(found))


def test_there_are_routes_to_guard() -> None:
    assert {"/", "/shot", "/audit", "/image/word"} <= set(routes("GET"))
    assert {"/decide", "/bulk", "/undo", "/next", "/lease/renew", "/sign-out"} <= set(routes("POST"))


@pytest.mark.parametrize("path", routes("GET"))
def test_whoever_is_not_signed_in_sees_no_page(client: Client, path: str) -> None:
    answer = client().get(path, headers=HTML)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in?next=%2F")
    assert client().get(path).status_code == 401


@pytest.mark.parametrize("path", routes("POST"))
def test_nothing_is_changed_by_who_is_not_signed_in_or_shows_no_token(client: Client, path: str) -> None:
    assert client().post(path, data={"csrf": "x"}).status_code == 401
    signed_in = client("Ada")
    for fields in ({}, {"csrf": "x"}, {"csrf": "é"}):
        answer = signed_in.post(path, data=fields)
        assert (answer.status_code, answer.json()["sentence"][:21]) == (403, "This form has expired")
    assert signed_in.post(path, headers={"x-csrf-token": "wrong"}).status_code == 403


@pytest.mark.parametrize("name", ["Vic"])
@pytest.mark.parametrize("path", [path for path in routes("POST") if path != "/sign-out"])
def test_a_viewer_changes_nothing(client: Client, name: str, path: str) -> None:
    browser = client(name)
    answer = browser.post(path, headers={"x-csrf-token": csrf(browser)}, data=FIELDS)
    assert (answer.status_code, answer.json()["sentence"][:28]) == (403, "That needs the role reviewer")


FIELDS = {
    "catalog": CATALOG, "key": "TEA/oak-table/hero", "version": "1", "kind": "reject", "shots": "a",
    "count": "1", "decision": "1", "page": "p", "to": "me",
}  # fmt: skip


def test_only_an_administrator_reads_the_audit_log(client: Client) -> None:
    assert client("Anna").get("/audit").status_code == 403
    page = client("Ada").get("/audit", headers=HTML)
    assert page.status_code == 200
    assert "signed in" in page.text


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/sign-in",
        "/static/desk.css",
        "/static/none.css",
        "/image/x",
        "/nowhere",
        "/shot?catalog=x&key=y",
    ],
)
def test_every_answer_carries_the_headers_that_browsers_guard_us_by(client: Client, path: str) -> None:
    for browser in (client("Anna"), client()):
        headers = browser.get(path, headers=HTML).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        kept = "no-store" if not path.startswith("/static/desk") else "public, max-age=31536000, immutable"
        assert headers["cache-control"] == kept


def test_an_unforeseen_error_says_a_sentence_and_carries_the_headers_too(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = client("Anna")
    desk = browser.app.state.desk  # type: ignore[attr-defined]
    monkeypatch.setattr(type(desk.ledger.queue), "page", lambda *_: 1 / 0)
    answer = browser.get("/", headers=HTML)
    assert answer.status_code == 500
    assert "nothing was decided" in answer.text
    assert "ZeroDivision" not in answer.text
    assert answer.headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize("path", ["/", "/audit", "/shot?catalog=demo&key=TEA/oak-table/hero"])
def test_no_page_has_anything_inline_that_the_policy_would_have_to_allow(client: Client, path: str) -> None:
    html = client("Ada").get(path, headers=HTML).text
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", html)
    scripts = re.findall(r"<script([^>]*)>", html)
    assert scripts
    assert all("src=" in one or 'type="application/json"' in one for one in scripts)


# sessions


def test_the_cookie_is_out_of_scripts_reach_and_new_at_every_sign_in(client: Client) -> None:
    browser = client()
    first = sign_in(browser, "Anna")
    cookie = next(one for one in first.headers.get_list("set-cookie") if one.startswith("packline="))
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    token = browser.cookies["packline"]
    page = browser.get("/sign-out")
    assert page.status_code == 405
    # signing in once more, in the same browser
    form = TestClient(browser.app, base_url="http://localhost")
    shown = re.search(r'name="form" value="([^"]+)"', form.get("/sign-in", headers=HTML).text)
    assert shown is not None
    browser.cookies.set("packline-form", shown[1])
    fields = {"name": "Anna", "password": PASSWORD, "form": shown[1]}
    assert browser.post("/sign-in", data=fields).status_code == 303
    assert browser.cookies["packline"] != token
    old = client()
    old.cookies.set("packline", token)
    assert old.get("/").status_code == 401


def test_behind_tls_the_cookie_is_bound_to_host_and_tls(client: Client) -> None:
    browser = client(url="https://review.example.com", base="https://review.example.com")
    cookies = sign_in(browser, "Anna").headers.get_list("set-cookie")
    own = next(one for one in cookies if one.startswith("__Host-packline="))
    assert "Secure" in own
    assert "Path=/" in own
    assert "Domain" not in own
    assert browser.get("/", headers=HTML).headers["strict-transport-security"] == "max-age=31536000"


def test_the_ledger_holds_no_cookie_that_could_be_used(client: Client, stocked: House) -> None:
    token = client("Anna").cookies["packline"]
    with stocked.ledger._reader.connect() as connection:
        stored = [str(value) for row in connection.execute(t.sessions.select()) for value in row]
    assert token not in stored
    assert len(stored) == 5


@pytest.mark.parametrize(("column", "hours"), [("seen", 1.01), ("begun", 12.01)])
def test_a_session_ends_when_it_idles_and_when_it_is_old(
    client: Client, stocked: House, column: str, hours: float
) -> None:
    browser = client("Anna")
    assert browser.get("/", headers=HTML).status_code == 200
    for age, status in ((hours - 0.02, 200), (hours, 303)):
        with stocked.ledger._write() as connection:
            connection.execute(t.sessions.update().values({column: t.now() - timedelta(hours=age)}))
        assert browser.get("/", headers=HTML).status_code == status


def test_signing_out_ends_the_session_on_the_server(client: Client) -> None:
    browser = client("Anna")
    token = browser.cookies["packline"]
    assert browser.post("/sign-out", data={"csrf": csrf(browser)}).status_code == 303
    browser.cookies.set("packline", token)
    assert browser.get("/").status_code == 401


def test_who_is_disabled_or_changed_is_out_at_once(client: Client, stocked: House) -> None:
    browser = client("Ben")
    stocked.ledger.people.change_user("Ben", disabled=True)
    assert browser.get("/").status_code == 401
    assert sign_in(client(), "Ben").status_code == 403
    stocked.ledger.people.change_user("Ben", disabled=False)
    assert browser.get("/").status_code == 401
    assert sign_in(client(), "Ben").status_code == 303


# signing in


def test_a_wrong_password_and_an_unknown_name_are_told_alike_and_cost_alike(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasher, verified = passwords._hasher(), []

    class Counting:
        def verify(self, stored: str, given: str) -> bool:
            verified.append(stored)
            return hasher.verify(stored, given)

        def hash(self, password: str) -> str:
            return hasher.hash(password)

    monkeypatch.setattr(passwords, "_hasher", Counting)
    wrong = sign_in(client(address="10.1.0.1"), "Ada", "not her password")
    unknown = sign_in(client(address="10.1.0.2"), "Nobody", "not her password")
    assert wrong.status_code == unknown.status_code == 403
    plain = [re.sub(r'value="[^"]*"', "", one.text) for one in (wrong, unknown)]
    assert plain[0] == plain[1]
    assert len(verified) == 2


def test_five_wrong_passwords_hold_a_name_off_for_a_while(client: Client, stocked: House) -> None:
    stocked.ledger.people.add_user(User("Slow", "reviewer", passwords.hash_password(PASSWORD)))
    for number in range(sign_in_page.MOST_FOR_NAME):
        assert sign_in(client(address=f"10.2.0.{number}"), "Slow", "wrong password").status_code == 403
    held = sign_in(client(address="10.2.0.99"), "Slow")
    assert held.status_code == 429
    assert "wait 15 minutes" in held.text
    assert sign_in(client(address="10.2.0.99"), "Anna").status_code == 303
    events = [one.event for one in stocked.ledger.people.entries(name="Slow")]
    assert events == ["sign-in held off", *["sign-in refused"] * 5]


def test_an_address_that_tries_many_names_is_held_off(client: Client) -> None:
    for number in range(sign_in_page.MOST_FROM_ADDRESS):
        assert sign_in(client(address="10.3.0.1"), f"guess {number}", "wrong password").status_code == 403
    assert sign_in(client(address="10.3.0.1"), "Anna").status_code == 429


def test_the_sign_in_form_proves_that_it_is_ours(client: Client) -> None:
    browser = client()
    fields = {"name": "Anna", "password": PASSWORD, "form": "guess"}
    assert browser.post("/sign-in", data=fields).status_code == 403
    browser.get("/sign-in")
    assert browser.post("/sign-in", data=fields).status_code == 403


@pytest.mark.parametrize(
    "then", ["//evil.example", "https://evil.example", "/\\evil.example", "evil.example", "/%0d\n", "\\/evil"]
)
def test_signing_in_goes_on_to_no_other_site(client: Client, then: str) -> None:
    assert sign_in(client(), "Anna", then=then).headers["location"] == "/"


def test_passwords_are_argon2id_and_not_short() -> None:
    from argon2 import PasswordHasher

    real = PasswordHasher()
    assert (real.memory_cost, real.time_cost, real.type.name) == (65536, 3, "ID")
    assert passwords.hash_password(PASSWORD).startswith("$argon2id$")
    with pytest.raises(FixSettings, match="has 9 characters"):
        passwords.hash_password("too short")


def test_the_invitation_of_the_first_start_works_once_and_only_while_there_are_no_users(
    tmp_path: Any,
) -> None:
    house = build(tmp_path)
    app = create_app(house.settings, house.ledger)
    app.state.desk.invitation = "invited"
    browser = TestClient(app, base_url="http://localhost", follow_redirects=False)
    assert browser.get("/welcome/guess", headers=HTML).status_code == 404
    form = re.search(r'name="form" value="([^"]+)"', browser.get("/welcome/invited", headers=HTML).text)
    assert form is not None
    fields = {"name": "Ada", "password": "short", "form": form[1]}
    assert "take 10 or more" in browser.post("/welcome/invited", data=fields, headers=HTML).text
    answer = browser.post("/welcome/invited", data={**fields, "password": PASSWORD}, headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert browser.get("/audit", headers=HTML).status_code == 200
    assert browser.get("/welcome/invited", headers=HTML).status_code == 404
    assert [(one.name, one.role) for one in house.ledger.people.users()] == [("Ada", "admin")]
    house.ledger.close()


# requests


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "127.0.0.1.evil", "[::2]"])
def test_another_host_name_is_another_sites(client: Client, host: str) -> None:
    answer = client("Anna").get("/", headers={"host": host})
    assert answer.status_code == 400


@pytest.mark.parametrize("host", ["localhost:4300", "127.0.0.1", "[::1]:80", "LOCALHOST"])
def test_our_own_names_are_answered(client: Client, host: str) -> None:
    assert client().get("/healthy", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_another_sites_page_changes_nothing_even_with_the_token(
    client: Client, headers: dict[str, str]
) -> None:
    browser = client("Anna")
    answer = browser.post("/next", headers={**headers, "x-csrf-token": csrf(browser)})
    assert (answer.status_code, answer.json()["sentence"][:27]) == (403, "That came from another site")
    assert browser.post("/next", headers={"x-csrf-token": csrf(browser)}).status_code == 200


def test_a_body_that_no_form_of_ours_has_is_refused(client: Client) -> None:
    answer = client("Anna").post("/decide", content=b"x" * (MOST_BYTES + 1))
    assert answer.status_code == 413


# pictures


def test_a_picture_needs_a_session_and_our_signature_and_expires(
    client: Client, stocked: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = client("Anna")
    images = browser.app.state.desk.images  # type: ignore[attr-defined]
    one = stocked.shots[0].candidates[0].candidate
    address = images.url(one.id, "picture")
    answer = browser.get(address)
    assert (answer.status_code, answer.content) == (200, one.picture.read_bytes())
    assert client().get(address).status_code == 401
    name = address.rsplit("/", 1)[1]
    swapped = name[:12] + ("A" if name[12] != "A" else "B") + name[13:]
    for forged in (swapped, name.split(".")[0], name + "A", "x", "%2e%2e%2fledger.db", "....//ledger.db"):
        assert browser.get(f"/image/{forged}").status_code in (403, 404)
    present = time.time()
    monkeypatch.setattr(time, "time", lambda: present + 2 * 3600 + 1)
    assert browser.get(address).status_code == 403


@pytest.mark.parametrize("kind", ["edit", "base", "reference", "mask", "view:left", "heat:shape:0"])
def test_every_kind_of_picture_is_served(client: Client, stocked: House, kind: str) -> None:
    browser = client("Anna")
    one = stocked.shots[0].candidates[0].candidate
    answer = browser.get(browser.app.state.desk.images.url(one.id, kind))  # type: ignore[attr-defined]
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert answer.content.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("candidate", "kind"),
    [
        ("0" * 16, "picture"),
        ("../../etc/passwd", "picture"),
        ("", "view:none"),
        ("", "heat:none:0"),
        ("", "/etc/passwd"),
    ],
)
def test_what_the_ledger_does_not_know_is_no_picture(
    client: Client, stocked: House, candidate: str, kind: str
) -> None:
    browser = client("Anna")
    known = stocked.shots[0].candidates[0].candidate.id
    answer = browser.get(browser.app.state.desk.images.url(candidate or known, kind))  # type: ignore[attr-defined]
    assert (answer.status_code, answer.headers["content-type"]) == (404, "image/svg+xml")


def test_a_thumbnail_is_made_once_and_anew_when_its_picture_is(client: Client, stocked: House) -> None:
    browser = client("Anna")
    one = stocked.shots[0].candidates[1].candidate
    folder = stocked.settings.run.work / "review" / "thumbnails"
    address = browser.app.state.desk.images.thumbnail_url(one.id, "picture")  # type: ignore[attr-defined]

    def made() -> dict[str, int]:
        return {file.name: file.stat().st_mtime_ns for file in folder.rglob("*.webp")}

    before = made()
    answer = browser.get(address)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/webp")
    first = made()
    assert len(first) == len(before) + 1
    assert browser.get(address).content == answer.content
    assert made() == first
    one.picture.write_bytes(stocked.shots[0].candidates[0].candidate.edit.read_bytes())
    assert browser.get(address).content != answer.content
    assert len(made()) == len(first) + 1
    assert not list(folder.rglob("*.part"))


# behind a proxy


def header_mode(client: Client, address: str = "10.0.0.1", **more: Any) -> TestClient:
    return client(address=address, auth="header", proxies=("10.0.0.0/24",), **more)


def test_the_proxys_word_counts_and_nobody_elses(client: Client) -> None:
    named = {"x-forwarded-user": "Anna", **HTML}
    assert header_mode(client).get("/", headers=named).status_code == 200
    assert "Anna" in header_mode(client).get("/", headers=named).text
    stranger = header_mode(client, "10.0.1.1").get("/", headers=named)
    assert (stranger.status_code, "through its sign-on proxy only" in stranger.text) == (403, True)
    assert header_mode(client).get("/", headers=HTML).status_code == 401
    doubled = [("x-forwarded-user", "Ada"), ("x-forwarded-user", "Vic")]
    assert header_mode(client).get("/", headers=doubled).status_code == 401
    # a local sign-in's cookie is worth nothing here
    browser = header_mode(client)
    browser.cookies.set("packline", client("Ada").cookies["packline"])
    assert browser.get("/").status_code == 401
    assert browser.get("/sign-in").status_code == 404


def test_whom_the_proxy_names_and_nobody_added_has_the_role_of_the_settings_or_none(client: Client) -> None:
    named = {"x-forwarded-user": "Eve", **HTML}
    assert header_mode(client).get("/", headers=named).status_code == 403
    browser = header_mode(client, role="viewer")
    page = browser.get("/", headers=named)
    assert page.status_code == 200
    token = re.search(r'data-csrf="([^"]+)"', page.text)
    assert token is not None
    answer = browser.post("/next", headers={"x-forwarded-user": "Eve", "x-csrf-token": token[1]})
    assert answer.status_code == 403
    # a token is its person's own
    other = {"x-forwarded-user": "Anna", "x-csrf-token": token[1]}
    assert browser.post("/next", headers=other).json()["sentence"].startswith("This form has expired")


@pytest.mark.parametrize(
    ("review", "host", "users", "sentence"),
    [
        ({}, "127.0.0.1", False, ""),
        ({}, "::1", False, ""),
        ({}, "localhost", False, ""),
        ({}, "0.0.0.0", False, "has no users yet"),
        ({}, "192.168.1.2", False, "has no users yet"),
        ({}, "::", True, "in the clear"),
        ({"url": "http://review.example.com"}, "0.0.0.0", True, "in the clear"),
        ({"url": "https://review.example.com"}, "0.0.0.0", True, ""),
        ({"url": "https://review.example.com"}, "0.0.0.0", False, "has no users yet"),
        ({"auth": "header"}, "127.0.0.1", True, "must name the sign-on proxy"),
        ({"auth": "header", "proxies": ("10.0.0.1",)}, "127.0.0.1", False, ""),
        ({"auth": "header", "proxies": ("nonsense",)}, "127.0.0.1", False, "no address or network"),
        ({"auth": "header", "proxies": ("10.0.0.1",)}, "0.0.0.0", False, "in the clear"),
        ({"url": "review.example.com"}, "127.0.0.1", True, "no address of a site"),
    ],
)  # fmt: skip
def test_it_listens_beyond_this_machine_only_where_everybody_signs_in(
    review: dict[str, Any], host: str, users: bool, sentence: str
) -> None:
    settings = ReviewSettings(**review)
    if not sentence:
        check_listening(settings, host, users)
        return
    with pytest.raises(FixSettings, match=sentence):
        check_listening(settings, host, users)

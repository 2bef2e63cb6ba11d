"""`packline review` and `packline users`."""

from __future__ import annotations

import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from typer.testing import CliRunner

from packline.cli.main import app
from packline.ledger import Ledger
from packline.review.passwords import is_password
from tests.parts import make_folder

PASSWORD = "correct horse battery"


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    make_folder(tmp_path)
    return tmp_path / "demo.csv"


def packline(*words: str, given: str = "") -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(word) for word in words], input=given)
    return result.exit_code, result.output


def test_users_are_added_listed_changed_and_kept_out(catalog: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert packline("users", "list", str(catalog)) == (
        0,
        "There are no users yet; packline users add makes the first.\n",
    )
    code, said = packline("users", "add", str(catalog), "Ada", "--role", "admin", given=f"{PASSWORD}\n")
    assert (code, said) == (0, "Ada may come to the review desk as admin.\n")
    monkeypatch.setenv("PACKLINE_PASSWORD", "another long password")
    assert packline("users", "change", str(catalog), "Ada", "--password", "--role", "viewer")[0] == 0
    assert packline("users", "add", str(catalog), "Proxy Paul", "--proxy")[0] == 0
    assert packline("users", "change", str(catalog), "Proxy Paul", "--disable")[0] == 0
    said = packline("users", "list", str(catalog))[1]
    assert re.search(r"Ada +viewer +with a password", said)
    assert re.search(r"Proxy Paul +reviewer +disabled", said)
    ledger = Ledger(f"sqlite:///{catalog.parent / 'ledger.db'}")
    ada = ledger.people.user("Ada")
    assert ada is not None
    assert is_password(ada.password, "another long password")
    assert not is_password(ada.password, PASSWORD)
    assert [one.event for one in ledger.people.entries()] == [
        "user changed", "user added", "user changed", "user added",
    ]  # fmt: skip
    ledger.close()


@pytest.mark.parametrize(
    ("words", "given", "sentence"),
    [
        (["add", "Ada"], "short\n", "The password has 5 characters; take 10 or more."),
        (["add", "Ada", "--role", "boss"], f"{PASSWORD}\n", "There is no role 'boss'; choose one of viewer,"),
        (["add", "checks"], f"{PASSWORD}\n", "'checks' cannot be a user's name"),
        (["change", "Nobody", "--disable"], "", "There is no user Nobody; packline users list names them."),
    ],
)
def test_what_cannot_be_done_is_a_sentence(
    catalog: Path, words: list[str], given: str, sentence: str
) -> None:
    verb, *rest = words
    code, said = packline("users", verb, str(catalog), *rest, given=given)
    assert code == 2
    assert sentence in said


def test_without_users_the_desk_does_not_listen_beyond_this_machine(catalog: Path) -> None:
    code, said = packline("review", str(catalog), "--host", "0.0.0.0")
    assert code == 2
    assert "has no users yet, so it does not listen on 0.0.0.0" in said


def test_the_first_start_prints_a_link_that_lets_the_first_user_in(catalog: Path) -> None:
    code = "from packline.cli.main import app; app()"
    command = [sys.executable, "-c", code, "review", str(catalog), "--port", "0"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(3)]
        assert lines[0] == (
            "review: nobody may sign in yet. Open this link, once, to become the first user:\n"
        )
        link = lines[1].removeprefix("review:").strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/welcome/[\w-]{32}", link)
        with urllib.request.urlopen(link, timeout=20) as page:
            assert "You are its first user" in page.read().decode()
    finally:
        child.terminate()
        child.wait(20)

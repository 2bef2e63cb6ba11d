"""`packline link`: what it prints, a reader opens at the review desk, and nothing else."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from packline.bucket import open_bucket
from packline.bucket.signing import SECRET, signed_path
from packline.cli.main import app
from packline.ledger import Ledger
from packline.settings import Settings
from tests.parts import make_folder
from tests.review.house import serving

KEY = "acme/demo/images/A%2F1/table-hero/hero-0123.avif"
WORDS = "a secret of the tests' own"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv(SECRET, WORDS)
    made = make_folder(tmp_path)
    open_bucket(made.bucket).put(KEY, b"picture", "image/avif")
    return made


@pytest.fixture
def desk(settings: Settings) -> Iterator[str]:
    ledger = Ledger(settings.ledger.url)
    with serving(settings, ledger) as address:
        yield address
    ledger.close()


def link(folder: Path, key: str, *more: str) -> tuple[int, str]:
    told = CliRunner().invoke(app, ["link", str(folder / "demo.csv"), key, *more])
    return told.exit_code, told.output.strip()


def serve_at(folder: Path, address: str) -> None:
    file = folder / "demo.toml"
    file.write_text(
        file.read_text().replace('url = "bucket"', f'url = "bucket"\nreaders = "{address}/objects"')
    )


def refused(url: str) -> int:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(url)
    return caught.value.code


def test_whoever_has_the_link_reads_the_object_without_signing_in(tmp_path: Path, desk: str) -> None:
    serve_at(tmp_path, desk)
    code, url = link(tmp_path, KEY, "--hours", "1")
    assert code == 0
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"picture"
        assert answer.headers["Content-Type"] == "image/avif"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        assert 3500 < int(answer.headers["Cache-Control"].rpartition("=")[2]) <= 3600


def test_no_other_address_reads_anything(tmp_path: Path, desk: str) -> None:
    serve_at(tmp_path, desk)
    _, url = link(tmp_path, KEY)
    plain = url.partition("?")[0]
    assert refused(plain) == 403
    assert refused(url.replace("hero-0123", "hero-0124")) == 403
    assert refused(url[:-1] + ("0" if url[-1] != "0" else "1")) == 403
    assert refused(f"{desk}/objects/{signed_path(KEY, -1, WORDS.encode())}") == 403
    assert refused(f"{desk}/objects/{signed_path(KEY, 60, b'another secret than ours')}") == 403
    assert refused(f"{desk}/objects/{signed_path('acme/none.png', 60, WORDS.encode())}") == 404


@pytest.mark.parametrize("key", ["acme/none.png", "../ledger.db", "/etc/passwd", ""])
def test_there_is_no_link_to_what_is_not_there(settings: Settings, tmp_path: Path, key: str) -> None:
    code, said = link(tmp_path, key)
    assert code == 2
    assert f"packline: Bucket: there is no object {key}; take a key from a release's manifest." in said


def test_a_folder_that_nobody_serves_gives_no_link(settings: Settings, tmp_path: Path) -> None:
    code, said = link(tmp_path, KEY)
    assert code == 2
    assert "Settings: bucket.readers is empty; name the address" in said

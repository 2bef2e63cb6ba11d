"""Addresses for readers: whoever has one reads that object, for so long, and nothing else."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packline.bucket import FolderBucket, open_bucket
from packline.bucket.signing import SECRET, sign, signed_path, verify
from packline.errors import FixSettings
from packline.settings import BucketSettings
from tests.s3 import empty_bucket, serving

KEY = "acme/demo/images/A%2F1/table-hero/0123.png"
SECRET_BYTES = b"sixteen letters or more"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serving() as address:
        yield address


def parts_of(url: str) -> tuple[str, str, str]:
    """Key, time and signature, as whoever serves the address reads them."""
    split = urlsplit(url)
    asked = parse_qs(split.query)
    return unquote(split.path.removeprefix("/objects/")), asked["expires"][0], asked["signature"][0]


def test_a_folders_address_is_verified_until_its_time_has_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SECRET, SECRET_BYTES.decode())
    bucket = open_bucket(BucketSettings(url=str(tmp_path), readers="https://desk.example.com/objects/"))
    url = bucket.signed_url(KEY, 60)
    assert url.startswith("https://desk.example.com/objects/acme/demo/images/A%252F1/")
    key, expires, signature = parts_of(url)
    assert key == KEY
    assert verify(key, expires, signature, SECRET_BYTES)
    assert verify(key, expires, signature, SECRET_BYTES, now=int(expires) - 0.5)
    assert not verify(key, expires, signature, SECRET_BYTES, now=int(expires))


@pytest.mark.parametrize(
    ("key", "expires", "signature", "secret"),
    [
        (KEY + "x", "100", None, SECRET_BYTES),
        (KEY + "\udc00", "100", None, SECRET_BYTES),
        (KEY, "101", None, SECRET_BYTES),
        (KEY, "100", None, b"another secret than ours"),
        (KEY, "100", "0" * 64, SECRET_BYTES),
        (KEY, "100", "", SECRET_BYTES),
        (KEY, "100", "ü\udc00", SECRET_BYTES),
        (KEY, "soon", None, SECRET_BYTES),
        (KEY, "", None, SECRET_BYTES),
    ],
)
def test_what_was_not_signed_is_not_verified(
    key: str, expires: str, signature: str | None, secret: bytes
) -> None:
    genuine = sign(KEY, 100, SECRET_BYTES)
    assert verify(KEY, "100", genuine, SECRET_BYTES, now=50)
    assert not verify(key, expires, genuine if signature is None else signature, secret, now=50)


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=60).filter(lambda key: "/" not in key[:1]))
def test_any_key_survives_its_address(key: str) -> None:
    found, expires, signature = parts_of(f"https://desk/objects/{signed_path(key, 60, SECRET_BYTES)}")
    assert found == key
    assert verify(found, expires, signature, SECRET_BYTES)


@pytest.mark.parametrize(("secret", "words"), [(None, "is not set"), ("short", "is too short")])
def test_a_folder_signs_nothing_without_a_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, secret: str | None, words: str
) -> None:
    monkeypatch.delenv(SECRET, raising=False)
    if secret:
        monkeypatch.setenv(SECRET, secret)
    with pytest.raises(FixSettings, match=f"^Environment variable {SECRET} {words}; set it to"):
        FolderBucket(tmp_path, "https://desk/objects").signed_url(KEY, 60)


def test_a_folder_that_nobody_serves_has_no_addresses(tmp_path: Path) -> None:
    with pytest.raises(FixSettings, match=r"^Settings: bucket\.readers is empty; name the address"):
        FolderBucket(tmp_path).signed_url(KEY, 60)


def test_s3_hands_an_object_to_whoever_has_its_address(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = open_bucket(empty_bucket(server, tmp_path, monkeypatch))
    bucket.put(KEY, b"picture", "image/png")
    url = bucket.signed_url(KEY, 60)
    asked = parse_qs(urlsplit(url).query)
    assert asked["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert asked["X-Amz-Expires"] == ["60"]
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"picture"
        assert answer.headers["Content-Type"] == "image/png"
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(bucket.signed_url("none.png", 60))


@pytest.mark.parametrize("seconds", [0, -1, 604_801])
def test_s3_signs_for_a_week_at_most(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    bucket = open_bucket(empty_bucket(server, tmp_path, monkeypatch))
    with pytest.raises(FixSettings, match=rf"^S3 signs addresses for 1 to 604800 seconds, not {seconds};"):
        bucket.signed_url(KEY, seconds)

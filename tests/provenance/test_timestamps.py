"""An authority's time goes into the signature; one that fails is asked again later."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from packline.bucket import open_bucket
from packline.errors import TryAgain
from packline.provenance.reading import read_file
from packline.publish import publish_shot
from tests.provenance.authority import timestamp_authority
from tests.provenance.made import chosen, make_select, make_settings
from tests.provenance.test_manifest import anchors
from tests.provenance.verifier import verify


def publish(folder: Path, url: str) -> Path:
    settings = make_settings(folder, f'[formats.hero]\nformat = "jpeg"\n[provenance]\ntimestamps = "{url}"\n')
    shot = make_select(folder)
    (file,) = publish_shot(open_bucket(settings.bucket), settings, shot, chosen(shot)).files
    return folder / "bucket" / file.key


def test_a_signature_says_when_by_somebody_elses_clock(tmp_path: Path) -> None:
    with timestamp_authority(tmp_path / "clock") as url:
        file = publish(tmp_path, url)
    manifest = read_file(file).manifest
    assert manifest is not None
    assert manifest.holds, manifest.faults
    ago = datetime.now(UTC) - datetime.fromisoformat(manifest.signed)
    assert timedelta(seconds=-2) < ago < timedelta(minutes=5)
    verify(file.read_bytes(), anchors(make_settings(tmp_path)))


def test_an_authority_that_fails_is_asked_again_later(tmp_path: Path) -> None:
    with (
        timestamp_authority(tmp_path / "clock", sound=False) as url,
        pytest.raises(TryAgain, match="Timestamp"),
    ):
        publish(tmp_path, url)
    with pytest.raises(TryAgain, match=rf"^Timestamp authority {url} gave no timestamp .*; try again\.$"):
        publish(tmp_path, url)
    assert not (tmp_path / "bucket").exists()

"""A select's files: one for each use, each once whenever a run dies; other formats cost no other picture."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from packline.bucket import open_bucket
from packline.delivery import delivery_digests
from packline.errors import GiveUp
from packline.lineage import lineage_digest
from packline.publish import publish_shot
from packline.records import CandidateRecord, ShotRecord, ShotState
from packline.settings import Settings
from tests.provenance.made import PRODUCT, chosen, make_select, make_settings

SHOP = """
[formats.hero]
[formats.thumbnail]
format = "webp"
crop = "square"
longest = 64
[formats.zoom]
format = "jpeg"
crop = "product"
margin = 0.0
"""


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def publish(settings: Settings, shot: ShotRecord) -> Any:
    return publish_shot(open_bucket(settings.bucket), settings, shot, chosen(shot))


def test_a_select_has_a_file_for_each_use_under_the_hash_of_its_bytes(tmp_path: Path) -> None:
    settings, shot = make_settings(tmp_path, SHOP), make_select(tmp_path)
    bucket, done = open_bucket(settings.bucket), publish(settings, shot)
    files = {one.use: one for one in done.files}
    assert bucket.list() == sorted(one.key for one in files.values())
    for use, ending in (("hero", "png"), ("thumbnail", "webp"), ("zoom", "jpg")):
        file = files[use]
        assert file.key == f"acme/demo/images/A%2F1/table-hero/{use}-{file.sha256[:16]}.{ending}"
        assert file.size == len(bucket.get(file.key))
        assert file.lineage == lineage_digest(done.lineage)
        assert file.delivery == delivery_digests(settings)[use]
    left, top, right, bottom = PRODUCT
    assert [(one.width, one.height) for one in done.files] == [
        (256, 256),
        (64, 64),
        (right - left, bottom - top),
    ]
    zoom = pixels(bucket.get(files["zoom"].key)).astype(int)
    whole = np.asarray(Image.open(chosen(shot).candidate.picture)).astype(int)
    assert np.abs(zoom - whole[top:bottom, left:right]).mean() < 3
    assert np.array_equal(pixels(bucket.get(files["hero"].key)), whole)


def test_a_run_that_died_after_the_upload_uploads_nothing_again(tmp_path: Path) -> None:
    settings, shot = make_settings(tmp_path, SHOP), make_select(tmp_path)
    first = publish(settings, shot)
    before = open_bucket(settings.bucket).list()
    again = publish(settings, shot)  # the ledger was told nothing, nothing was tidied
    assert open_bucket(settings.bucket).list() == before
    assert [one.existed for one in again.files] == [True] * 3
    assert [one.sha256 for one in again.files] == [one.sha256 for one in first.files]
    again.tidy()
    folder = chosen(shot).candidate.picture.parent
    assert not [one for one in folder.iterdir() if one.name.startswith(f"{shot.select}-")]


DIES = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import c2pa, cryptography.x509, cv2, PIL.Image
from packline.bucket import open_bucket
from packline.publish import publish_shot
from tests.provenance.made import chosen, make_select, make_settings
folder = Path(sys.argv[1])
settings, shot = make_settings(folder, sys.argv[3]), make_select(folder)

def publish(death):
    left = iter(range(death - 1, -1, -1))
    def dying(whole):
        def call(*arguments, **named):
            if next(left) == 0:
                os._exit(9)
            return whole(*arguments, **named)
        return call
    os.fsync, os.link = dying(os.fsync), dying(os.link)
    publish_shot(open_bucket(settings.bucket), settings, shot, chosen(shot))
    os._exit(0)

for death in range(1, 99):
    child = os.fork()
    if child == 0:
        publish(death)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(ended, *(Path(key).name for key in open_bucket(settings.bucket).list()))
    if ended != 9:
        break
"""


def test_whenever_it_dies_between_signing_and_uploading_no_picture_is_there_twice(tmp_path: Path) -> None:
    command = [sys.executable, "-c", DIES, tmp_path, Path(__file__).parents[1], SHOP]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    *deaths, last = [line.split() for line in done.stdout.splitlines()]
    assert {ended for ended, *_ in deaths} == {"9"}
    assert len(deaths) >= 5, "a death leaves more behind each time, so that the next comes further"
    for before, after in zip(deaths, [*deaths[1:], last], strict=True):
        assert set(before[1:]) <= set(after[1:])
        assert len({name.partition("-")[0] for name in after[1:]}) == len(after[1:])
    assert last[0] == "0"
    assert sorted(name.partition("-")[0] for name in last[1:]) == ["hero", "thumbnail", "zoom"]


def test_what_stands_is_kept_and_what_was_lost_is_uploaded_again(tmp_path: Path) -> None:
    settings, shot = make_settings(tmp_path, SHOP), make_select(tmp_path)
    done = publish(settings, shot)
    done.tidy()
    standing = replace(shot, state=ShotState.PUBLISHED, published=done.files)
    Path(chosen(shot).candidate.picture).rename(tmp_path / "gone.png")
    assert publish(settings, standing).files == done.files, "nothing is read, nothing is written"
    lost = tmp_path / "bucket" / done.files[1].key
    lost.unlink()
    (tmp_path / "gone.png").rename(chosen(shot).candidate.picture)
    mended = publish(settings, standing).files
    assert (mended[0], mended[2]) == (done.files[0], done.files[2])
    assert open_bucket(settings.bucket).exists(mended[1].key)


def test_only_a_person_overrides_a_scorecard(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    failed = make_select(tmp_path, passes=False)
    with pytest.raises(ValueError, match="has no passing scorecard"):
        publish(settings, failed)
    taken = replace(failed, decided="ana")
    done = publish(settings, taken)
    assert (done.lineage["passed"], done.lineage["overridden"], done.lineage["decided"]) == (
        False,
        True,
        "ana",
    )
    unscored = replace(taken, candidates=(CandidateRecord(chosen(taken).candidate, None, "checks-1"),))
    stale = replace(taken, candidates=(replace(chosen(taken), checks="others"),))
    for record, words in ((unscored, "has no scorecard"), (stale, "was judged by other checks")):
        with pytest.raises(ValueError, match=words):
            publish(settings, record)


@pytest.mark.parametrize("fault", ["missing", "empty", "another size"])
def test_a_product_that_cannot_be_found_is_no_crop(tmp_path: Path, fault: str) -> None:
    settings, shot = make_settings(tmp_path, '[formats.zoom]\ncrop = "product"\n'), make_select(tmp_path)
    mask = chosen(shot).candidate.truth / "mask.png"
    if fault == "missing":
        mask.unlink()
    else:
        Image.new("L", (256, 256) if fault == "empty" else (64, 64)).save(mask)
    with pytest.raises(GiveUp, match=r"^Shot A/1/table/hero: .*mask\.png, by which it is cropped, .*\.$"):
        publish(settings, shot)
    assert open_bucket(settings.bucket).list() == []


def digests(folder: Path, more: str) -> dict[str, str]:
    return delivery_digests(make_settings(folder, more))


def test_a_delivery_changes_with_what_is_asked_and_with_nothing_else(tmp_path: Path) -> None:
    first = digests(tmp_path, SHOP)
    assert digests(tmp_path, SHOP.replace("longest = 64", "longest = 96")).items() - first.items() == {
        ("thumbnail", digests(tmp_path, SHOP.replace("longest = 64", "longest = 96"))["thumbnail"])
    }
    assert digests(tmp_path, "") == {"hero": first["hero"]}, "what is not said is as if it were"
    unsigned = digests(tmp_path, SHOP + '[provenance]\nembed = "xmp"\n')
    assert not unsigned.items() & first.items()
    renewed = '[provenance]\ncertificate = "new.pem"\nkey = "new.key"\n'
    assert digests(tmp_path, SHOP + renewed) == first, "a renewed certificate publishes nothing again"

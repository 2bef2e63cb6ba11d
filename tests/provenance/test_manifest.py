"""Every delivered format carries a manifest that an independent reader finds whole; any change breaks it."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from packline.bucket import open_bucket
from packline.fingerprint import digest
from packline.lineage import lineage, lineage_digest
from packline.provenance.certificate import identity
from packline.provenance.words import SOURCE_TYPE
from packline.publish import publish_shot
from packline.records import ShotRecord
from packline.settings import Settings
from tests.provenance.made import chosen, make_select, make_settings
from tests.provenance.verifier import Invalid, manifest_store, verify

FORMATS = ("png", "jpeg", "webp", "avif")
ALL = "".join(f'[formats.{name}]\nformat = "{name}"\n' for name in FORMATS)


@dataclass(frozen=True)
class Delivered:
    settings: Settings
    shot: ShotRecord
    files: dict[str, bytes]
    anchors: bytes


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Delivered:
    folder = tmp_path_factory.mktemp("delivered")
    settings, shot = make_settings(folder, ALL), make_select(folder)
    bucket = open_bucket(settings.bucket)
    done = publish_shot(bucket, settings, shot, chosen(shot))
    return Delivered(settings, shot, {one.use: bucket.get(one.key) for one in done.files}, anchors(settings))


def anchors(settings: Settings) -> bytes:
    """The development authority's certificate."""
    chain = x509.load_pem_x509_certificates(identity(settings).chain.encode())
    return chain[-1].public_bytes(Encoding.PEM)


@pytest.mark.parametrize("kind", FORMATS)
def test_an_independent_reader_verifies_the_file_and_finds_its_lineages_hashes(
    delivered: Delivered, kind: str
) -> None:
    found = verify(delivered.files[kind], delivered.anchors)
    facts = lineage(delivered.shot, chosen(delivered.shot))
    assert found.assertions["org.packline.lineage"] == {
        "lineage": lineage_digest(facts),
        "candidate": delivered.shot.select,
        "row": "p" * 16,
        "model": "m" * 64,
        "scene": "s" * 64,
        "fingerprint": "f" * 16,
        "engine": {"name": "embedded", "weights_sha256": "w" * 64},
        "loras": [{"sha256": "a" * 64, "strength": 0.8}],
        "prompt": digest("put the red shoe into image 1", length=64),
        "seed": 1000,
        "scorecard": digest("checks-1", facts["scores"], length=64),
        "decided": "by the checks",
        "overridden": False,
    }
    (made,) = found.assertions["c2pa.actions.v2"]["actions"]
    assert (made["action"], made["digitalSourceType"]) == ("c2pa.created", SOURCE_TYPE)
    assert made["softwareAgent"]["name"] == "embedded"
    assert found.claim["claim_generator_info"]["name"] == "Packline"
    assert found.claim["dc:title"] == "red shoe <E LOVE> & söhne"
    assert found.signer == "CN=Packline development,O=acme"
    assert set(found.assertions) == {
        "c2pa.actions.v2",
        "org.packline.lineage",
        "c2pa.hash.bmff.v3" if kind == "avif" else "c2pa.hash.data",
    }


@pytest.mark.parametrize("kind", FORMATS)
def test_one_changed_bit_of_the_picture_breaks_the_binding(delivered: Delivered, kind: str) -> None:
    data = bytearray(delivered.files[kind])
    _, (start, length) = manifest_store(bytes(data))
    parts = [(0, start), (start + length, len(data))]
    first, last = max(parts, key=lambda part: part[1] - part[0])  # the picture; WebP's comes first
    for at in ((first + last) // 2, last - (last - first) // 8):
        changed = data.copy()
        changed[at] ^= 1
        with pytest.raises(Invalid, match="bytes are not those that were signed"):
            verify(bytes(changed), delivered.anchors)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_changed_assertion_is_not_the_one_that_was_claimed(delivered: Delivered, kind: str) -> None:
    data = delivered.files[kind]
    assert data.count(b"w" * 64) == 1
    with pytest.raises(Invalid, match=r"assertion org\.packline\.lineage is not the one"):
        verify(data.replace(b"w" * 64, b"x" * 64), delivered.anchors)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_changed_claim_is_not_the_one_that_was_signed(delivered: Delivered, kind: str) -> None:
    old = cbor2.dumps("claim_generator_info") + b"\xa3" + cbor2.dumps("name") + cbor2.dumps("Packline")
    data = delivered.files[kind]
    assert data.count(old) == 1
    with pytest.raises(Invalid, match="claim is not the one that was signed"):
        verify(data.replace(old, old.replace(b"Packline", b"Pockline")), delivered.anchors)


def test_a_manifest_moved_to_another_file_does_not_fit_it(tmp_path: Path, delivered: Delivered) -> None:
    data = delivered.files["png"]
    _, (start, length) = manifest_store(data)
    other = make_select(tmp_path, seed=7)
    bucket = open_bucket(make_settings(tmp_path).bucket)
    settings = make_settings(tmp_path, '[provenance]\nembed = "off"\n')
    (bare,) = publish_shot(bucket, settings, other, chosen(other)).files
    plain = bucket.get(bare.key)
    with pytest.raises(Invalid, match="bytes are not those that were signed"):
        verify(plain[:start] + data[start : start + length] + plain[start:], delivered.anchors)


def test_many_threads_and_a_child_process_sign_as_one_does(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, '[formats.small]\nformat = "jpeg"\nlongest = 64\n')
    bucket, trusted = open_bucket(settings.bucket), anchors(settings)
    shots = [make_select(tmp_path, seed=seed) for seed in range(24)]

    def publish(shot: ShotRecord) -> str:
        return publish_shot(bucket, settings, shot, chosen(shot)).files[0].key

    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(publish, shots[1:]))
    child = os.fork()
    if child == 0:
        try:
            publish(shots[0])
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert len(set(keys)) == 23
    assert len(bucket.list()) == 24
    labels = {verify(bucket.get(key), trusted).label for key in bucket.list()}
    assert len(labels) == 24


def test_a_certificate_that_nobody_vouches_for_is_told(tmp_path: Path, delivered: Delivered) -> None:
    stranger = anchors(make_settings(tmp_path))
    with pytest.raises(Invalid, match="nobody who is trusted vouches"):
        verify(delivered.files["jpeg"], stranger)

"""What a delivered file says in XMP and IPTC-IIM, read by exiftool."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from packline import __version__
from packline.bucket import open_bucket
from packline.lineage import lineage, lineage_digest, told
from packline.provenance.words import SOURCE_TYPE, words
from packline.publish import publish_shot
from tests.provenance.made import chosen, make_select, make_settings

FORMATS = ("png", "jpeg", "webp", "avif")
ALL = "".join(f'[formats.{name}]\nformat = "{name}"\n' for name in FORMATS)
TITLE = "red shoe <E LOVE> & söhne"


def deliver(folder: Path, embed: str) -> dict[str, dict[str, Any]]:
    """What exiftool says of each format."""
    settings = make_settings(folder, f'{ALL}[provenance]\nembed = "{embed}"\n')
    shot = make_select(folder)
    done = publish_shot(open_bucket(settings.bucket), settings, shot, chosen(shot))
    files = [folder / "bucket" / one.key for one in done.files]
    said = subprocess.run(["exiftool", "-j", "-G1", "-a", *files], check=True, capture_output=True)
    return {one.use: found for one, found in zip(done.files, json.loads(said.stdout), strict=True)}


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    return deliver(tmp_path_factory.mktemp("spoken"), "c2pa")


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_says_that_a_trained_model_worked_on_it(spoken: dict[str, dict[str, Any]], kind: str) -> None:
    found = spoken[kind]
    shot = make_select(Path(found["SourceFile"]).parents[8])
    assert found["XMP-iptcExt:DigitalSourceType"] == SOURCE_TYPE
    assert SOURCE_TYPE.startswith("http://cv.iptc.org/newscodes/digitalsourcetype/composite")
    assert found["XMP-xmp:CreatorTool"] == f"Packline {__version__}"
    assert found["XMP-iptcExt:AISystemUsed"] == "embedded"
    assert found["XMP-dc:Title"] == TITLE
    assert found["XMP-photoshop:TransmissionReference"] == shot.select
    assert found["XMP-packline:Lineage"] == lineage_digest(lineage(shot, chosen(shot)))
    if kind in ("png", "jpeg"):  # Debian's exiftool looks for no manifest in the others
        assert found["JUMBF:JUMDLabel"]


@pytest.mark.parametrize("kind", FORMATS)
def test_nothing_private_is_in_a_file(spoken: dict[str, dict[str, Any]], kind: str) -> None:
    data = Path(spoken[kind]["SourceFile"]).read_bytes()
    for word in (b"put the red shoe", b"shoe.glb", b"/somewhere", b"warm style", b"PRIVATE KEY"):
        assert word not in data


def test_a_jpeg_says_it_in_iptc_iim_as_well(spoken: dict[str, dict[str, Any]]) -> None:
    found = spoken["jpeg"]
    assert found["IPTC:CodedCharacterSet"] == "UTF8"
    assert found["IPTC:ObjectName"] == TITLE
    assert (found["IPTC:OriginatingProgram"], found["IPTC:ProgramVersion"]) == ("Packline", __version__)
    assert not [name for kind in ("png", "webp", "avif") for name in spoken[kind] if name.startswith("IPTC")]


@pytest.mark.parametrize(("embed", "groups"), [("xmp", {"XMP-iptcExt"}), ("off", set())])
def test_one_setting_turns_it_off(tmp_path: Path, embed: str, groups: set[str]) -> None:
    for kind, found in deliver(tmp_path, embed).items():
        said = {name.partition(":")[0] for name in found}
        assert "JUMBF" not in said, kind
        assert said & {"XMP-iptcExt"} == groups, kind
        assert ("IPTC" in said) == (kind == "jpeg" and embed == "xmp")


def test_a_title_of_any_characters_gives_a_packet_that_parses(tmp_path: Path) -> None:
    from xml.etree import ElementTree

    facts = told(lineage(*_pair(tmp_path)))
    title = "a\x00b\x1f \ufffe \"quoted\" 'x' <&> 鞋\U0001f45f" + "ü" * 80
    said = words(title, "image/jpeg", facts)
    root = ElementTree.fromstring(said.xmp)
    assert "".join(root.itertext()).strip().startswith("ab  \"quoted\" 'x' <&> 鞋")
    # the field of a title has 64 octets, and none of a character is cut off
    _, _, field = said.iim.partition(b"\x1c\x02\x05")
    length = int.from_bytes(field[:2], "big")
    assert 60 < len(field[2 : 2 + length].decode().encode()) <= 64


def _pair(folder: Path) -> tuple[Any, Any]:
    shot = make_select(folder)
    return shot, chosen(shot)

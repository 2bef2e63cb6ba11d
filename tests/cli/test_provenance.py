"""``packline provenance``: what a file says, whether that holds, and what the ledger knows of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import update
from typer.testing import CliRunner

from packline.bucket import open_bucket
from packline.cli.main import app
from packline.ledger import schema as t
from packline.ledger.presets import PresetFacts, link_candidate
from packline.publish import publish_shot
from tests.provenance.made import make_settings
from tests.test_ledger_files import House

SHELL = CliRunner()


@dataclass(frozen=True)
class Delivered:
    house: House
    folder: Path
    file: Path

    def say(self, *arguments: object) -> tuple[int, str]:
        result = SHELL.invoke(app, ["provenance", *map(str, arguments)])
        return result.exit_code, " ".join(result.output.split())


@pytest.fixture
def delivered(tmp_path: Path) -> Delivered:
    settings = make_settings(tmp_path, '[formats.hero]\nformat = "jpeg"\n')
    house = House(settings.ledger.url, tmp_path)
    shot = house.shot
    done = publish_shot(open_bucket(settings.bucket), settings, shot, shot.candidates[0])
    house.ledger.record_published(
        house.run, shot.key, shot.fingerprint, shot.select, done.files, done.lineage
    )
    (tmp_path / "demo.csv").write_text("sku\n")
    return Delivered(house, tmp_path, tmp_path / "bucket" / done.files[0].key)


def test_a_file_speaks_for_itself(delivered: Delivered) -> None:
    code, said = delivered.say(delivered.file)
    assert code == 0
    assert "JPEG, 256 x 256 pixels" in said
    assert "a photo into which a trained model put something (http://cv.iptc.org/" in said
    assert (
        "holds: signed by Packline development of acme, and picture and words are as they were then" in said
    )
    assert "nobody you named vouches for the certificate" in said
    assert f"candidate {delivered.house.candidate.id}" in said
    assert "What the ledger knows" not in said


def test_with_its_catalogue_the_ledger_tells_everything_behind_it(delivered: Delivered) -> None:
    code, said = delivered.say(delivered.file, delivered.folder / "demo.csv")
    assert code == 0
    assert "nobody you named" not in said, "the catalogue's own certificate is trusted"
    for words in (
        f"by run {delivered.house.run} of catalogue demo",
        f"hero, acme/demo/images/A1/table-hero/{delivered.file.name}",
        "catalog row 7 (pppppppppppppppp)",
        "3D model shoe.glb",
        "scene table, view hero (s)",
        f"weights_sha256 {'w' * 64}",
        "prompt put the red shoe into image 1",
        "refine off",
        "seed 1000",
        "cost $0.0200, 1.5 s",
        "decided by the checks",
        "decision approve by checks on",
        "text 0.900 0.600 pass 2",
    ):
        assert words in said


def test_the_version_of_the_lora_preset_is_named(delivered: Delivered) -> None:
    house = delivered.house
    warm = PresetFacts("warm", {"label": "warm"}, "b" * 64, "sdxl", "")
    house.ledger.presets.import_("demo", Path("/shop/presets.json"), [warm], "ann")
    with house.ledger._writer.begin() as connection:
        link_candidate(connection, house.run, house.candidate.id, [{"label": "warm", "sha256": "b" * 64}])
    _, said = delivered.say(delivered.file, delivered.folder / "demo.csv")
    version = house.ledger.presets.latest("demo")["warm"]
    assert f"LoRA preset warm, version {version.id} of {version.when:%Y-%m-%d %H:%M} UTC by ann" in said


def test_a_changed_picture_does_not_hold_and_is_not_the_published_one(delivered: Delivered) -> None:
    data = bytearray(delivered.file.read_bytes())
    data[-300] ^= 4
    changed = delivered.folder / "changed.jpg"
    changed.write_bytes(data)
    code, said = delivered.say(changed, delivered.folder / "demo.csv")
    assert code == 1
    assert "DOES NOT HOLD: asset hash error" in said
    assert "other bytes than these: the file was changed since" in said
    assert "prompt put the red shoe into image 1" in said, "its words still lead to its lineage"


def test_a_file_that_says_nothing_is_told_so(delivered: Delivered) -> None:
    plain = delivered.folder / "plain.png"
    Image.new("RGB", (20, 10)).save(plain)
    code, said = delivered.say(plain)
    assert (code, "the file has no XMP" in said, "the file has no C2PA manifest" in said) == (1, True, True)
    code, said = delivered.say(plain, delivered.folder / "demo.csv")
    assert (code, "The ledger does not know it" in said) == (1, True)
    code, said = delivered.say(delivered.folder / "demo.csv")
    assert code == 2
    assert "is no picture; name a delivered file." in said


def test_a_ledger_that_was_tampered_with_is_told(delivered: Delivered) -> None:
    with delivered.house.ledger._writer.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER lineages_no_update")
        connection.execute(update(t.lineages).values(data={**_facts(delivered), "seed": 7}))
    code, said = delivered.say(delivered.file, delivered.folder / "demo.csv")
    assert code == 1
    assert "THE LEDGER'S LINEAGE WAS CHANGED" in said


def _facts(delivered: Delivered) -> dict[str, object]:
    found = delivered.house.ledger.origin(lineage=delivered.house.shot.published[0].lineage)
    assert found is not None
    return dict(found.lineage)

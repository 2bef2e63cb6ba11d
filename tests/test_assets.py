"""A file's digest is believed while its state says that it is the same, and never a moment longer."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from packline.assets import Asset, Assets, Place
from packline.stage.files import model_digest


class Memory:
    """Remembers assets as the ledger does, and which models had to be read."""

    def __init__(self) -> None:
        self.kept: dict[Place, Asset] = {}
        self.read: list[str] = []

    def recall(self, places: Sequence[Place]) -> list[Asset]:
        return [self.kept[place] for place in places if place in self.kept]

    def digest(self, model: Path, truth: Path | str = "") -> str:
        """In a run of its own."""
        run = Assets(self.recall)
        run.expect([(str(model), str(truth))])
        found = run.model(model, truth)
        self.read = [Path(asset.path).name for asset in run.news()]
        self.kept |= {(asset.path, asset.truth): asset for asset in self._last(run, model, truth)}
        return found

    def _last(self, run: Assets, model: Path, truth: Path | str) -> list[Asset]:
        if not self.read:
            return []
        again = Assets()
        again.model(model, truth)
        return again.news()


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model of several files, all changed long ago."""
    document = {
        "asset": {"version": "2.0"},
        "buffers": [{"uri": "shoe.bin"}],
        "images": [{"uri": "tex/red%20skin.png"}, {"uri": "absent.png"}],
    }
    (tmp_path / "tex").mkdir()
    (tmp_path / "shoe.gltf").write_text(json.dumps(document))
    (tmp_path / "shoe.bin").write_bytes(b"numbers")
    (tmp_path / "tex" / "red skin.png").write_bytes(b"pixels")
    (tmp_path / "other.png").write_bytes(b"of another model")
    # files of a test are all new: as if the clock were an hour ahead
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 3_600_000_000_000)
    return tmp_path / "shoe.gltf"


def test_what_did_not_change_is_read_once(model: Path) -> None:
    memory = Memory()
    first = memory.digest(model)
    assert memory.read == ["shoe.gltf"]
    assert first == model_digest(model)
    assert memory.digest(model) == first
    assert memory.read == []


def rewrite_in_place(file: Path) -> None:
    """Other bytes of the same number, and the old modification time put back."""
    before = file.stat()
    file.write_bytes(file.read_bytes()[::-1])
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace(file: Path) -> None:
    other = file.with_suffix(".new")
    other.write_bytes(b"q" * file.stat().st_size)
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    other.replace(file)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: rewrite_in_place(folder / "tex" / "red skin.png"),
        lambda folder: replace(folder / "shoe.bin"),
        lambda folder: (folder / "shoe.bin").unlink(),
        lambda folder: (folder / "absent.png").write_bytes(b"here now"),
        lambda folder: (folder / "shoe.truth.json").write_text("{}"),
        lambda folder: (folder / "shoe.gltf").write_text(
            (folder / "shoe.gltf").read_text().replace("absent", "other")
        ),
    ],
)
def test_every_change_of_a_models_files_is_noticed(model: Path, change: Callable[[Path], object]) -> None:
    memory = Memory()
    before = memory.digest(model)
    change(model.parent)
    after = memory.digest(model)
    assert memory.read == ["shoe.gltf"]
    assert before != after == model_digest(model)


def test_a_file_that_was_only_touched_is_read_again_and_is_the_same(model: Path) -> None:
    memory = Memory()
    before = memory.digest(model)
    (model.parent / "shoe.bin").touch()
    (model.parent / "new.png").write_bytes(b"nobody names it")
    assert memory.digest(model) == before
    assert memory.read == ["shoe.gltf"]
    assert memory.digest(model) == before
    assert memory.read == []


def test_a_file_that_was_changed_just_before_it_was_read_is_not_believed(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within one tick of the file system's clock it could change again and show the same time."""
    monkeypatch.undo()
    memory = Memory()
    for _ in range(2):
        memory.digest(model)
        assert memory.read == ["shoe.gltf"]
    for file in model.parent.rglob("*.*"):
        os.utime(file, ns=(0, 0))
    memory.digest(model)
    # its inode changed just now, whatever its modification time says
    assert memory.read == ["shoe.gltf"]


def test_a_sidecar_that_a_row_names_takes_the_place_of_the_one_beside_the_model(model: Path) -> None:
    memory, truth = Memory(), model.with_name("other.json")
    truth.write_text("{}")
    named = memory.digest(model, truth)
    model.with_name("shoe.truth.json").write_text("[]")
    assert memory.digest(model, truth) == named
    assert memory.read == []
    truth.write_text("[1]")
    assert memory.digest(model, truth) != named


def test_textures_of_an_fbx_are_noticed_wherever_a_loader_finds_them(tmp_path: Path, model: Path) -> None:
    fbx = tmp_path / "hat.fbx"
    fbx.write_bytes(b"\0C:\\work\\Felt.TGA\0")
    memory = Memory()
    seen = {memory.digest(fbx)}
    for place in ("felt.tga", "textures/FELT.tga", "hat.fbm/Felt.TGA"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_bytes(place.encode())
        seen.add(memory.digest(fbx))
        assert memory.read == ["hat.fbx"]
    assert len(seen) == 4
    memory.digest(fbx)
    assert memory.read == []


def test_a_missing_model_is_an_error_of_the_files_own(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Assets().model(tmp_path / "no.glb")

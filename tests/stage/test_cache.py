"""A reference is found again only if nothing that determines it has changed, and only if it is whole."""

from __future__ import annotations

import json
import multiprocessing
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from packline.camera import Camera
from packline.reference import Reference
from packline.scenes import Light, Place, Scene
from packline.stage import cache, device
from packline.stage.cache import fingerprint, is_stored, product_fingerprint, reference_folder, store

SCENE = Scene(
    "desk",
    Path("desk.png"),
    "a desk",
    Camera((0.0, 0.3, 0.8), (0.0, 0.05, 0.0), 30.0, 64, 64),
    (0.0, 0.0, 0.0),
    (0.0, 1.0, 0.0),
    Place((0.0, 0.0, 0.0), 0.0, (0.2, 0.2)),
    Light((0.0, 1.0, 0.0), (0.6, 0.6, 0.6), (0.3, 0.3, 0.3), (0.2, 0.2, 0.2)),
)


def reference(shade: int = 100) -> Reference:
    flat = np.full((8, 8), shade, np.uint8)
    rgb = np.repeat(flat[..., None], 3, -1)
    maps: dict[str, Any] = {
        "colour": rgb, "albedo": rgb, "mask": flat, "shadow": flat, "label_map": flat,
        "depth": np.ones((8, 8), np.float32), "normals": np.zeros((8, 8, 3), np.float32),
        "uv": np.zeros((8, 8, 2), np.float32), "parts": np.ones((8, 8), np.uint16),
    }  # fmt: skip
    return Reference(view="front", camera=SCENE.camera, renderer="llvmpipe", **maps)


def test_whatever_changes_the_picture_changes_the_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    def key(*changes: Any, **named: Any) -> str:
        plain: list[Any] = ["a", {}, "front", 64]
        plain[: len(changes)] = changes
        return fingerprint(*plain, **named)

    moved = replace(SCENE, place=replace(SCENE.place, yaw=1.0))
    darker = replace(SCENE, light=replace(SCENE.light, key_colour=(0.1, 0.1, 0.1)))
    keys = [
        key(),
        key("b"),
        key("a", {"x": "left to right"}),
        key("a", {}, "back"),
        key("a", {}, "front", 65),
        key(variant="red"),
        key(scene=SCENE),
        key(scene=moved),
        key(scene=darker),
        key(scene=replace(SCENE, ground_point=(0.0, 0.1, 0.0))),
        key(scene=SCENE, shift=(0.01, 0.0)),
        key(scene=SCENE, shift=(0.0, 0.01)),
        key(scene=SCENE, turn=1.0),
        key(scene=SCENE, scale=1.01),
        key(scene=SCENE, variant="red"),
    ]
    monkeypatch.setenv(device.SETTING, "software")
    keys.append(key())
    monkeypatch.delenv(device.SETTING)
    monkeypatch.setattr(cache, "stage_version", lambda: "another")
    keys.append(key())
    assert len(set(keys)) == len(keys)
    monkeypatch.undo()
    assert key() == keys[0]
    # the photo is not in the picture; numbers are what they are worth
    assert key(scene=replace(SCENE, image=Path("x"), sha256="x", words="x")) == key(scene=SCENE)
    assert key(scene=SCENE, turn=0, scale=1) == key(scene=SCENE)


def test_a_products_fingerprint_is_that_of_its_reading() -> None:
    keys = {
        product_fingerprint("a", {}),
        product_fingerprint("b", {}),
        product_fingerprint("a", {"x": "left to right"}),
        product_fingerprint("a", {}, "red"),
        fingerprint("a", {}, "front", 64),
    }
    assert len(keys) == 5


def test_a_stored_reference_comes_back(tmp_path: Path) -> None:
    folder = reference_folder(tmp_path, "abcd")
    assert not is_stored(folder)
    store(reference(), folder)
    assert is_stored(folder)
    found = Reference.load(folder)
    assert (found.colour == 100).all()
    assert found.renderer == "llvmpipe"
    assert [file.name for file in folder.parent.iterdir()] == ["abcd"]


def test_every_damage_is_seen_and_mended(tmp_path: Path) -> None:
    folder = tmp_path / "ab" / "abcd"
    store(reference(), folder)
    whole = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert len(whole) > 8
    truth = json.loads(whole["truth.json"])
    other_truth = json.dumps({**truth, "view": truth["view"][::-1]}).encode()
    assert len(other_truth) == len(whole["truth.json"])
    damages: list[tuple[str, bytes | None]] = [(name, None) for name in whole]
    damages += [(name, data[:-1]) for name, data in whole.items()]
    damages += [(name, b"") for name in whole]
    damages += [("files.json", b"[]"), ("files.json", b'{"sizes": 3}'), ("truth.json", other_truth)]
    for name, data in damages:
        (folder / name).unlink() if data is None else (folder / name).write_bytes(data)
        assert not is_stored(folder), (name, data)
        store(reference(), folder)
        assert {file.name: file.read_bytes() for file in folder.iterdir()} == whole
    shutil.rmtree(folder)
    folder.write_text("a file")
    assert not is_stored(folder)
    store(reference(), folder)
    assert is_stored(folder)
    assert [file.name for file in folder.parent.iterdir()] == ["abcd"]


def test_the_first_writer_wins_and_the_folder_is_never_half(tmp_path: Path) -> None:
    folder = tmp_path / "ab" / "abcd"
    store(reference(100), folder)
    store(reference(200), folder)
    assert (Reference.load(folder).colour == 100).all()


def test_many_writers_leave_one_whole_folder(tmp_path: Path) -> None:
    folder = tmp_path / "ab" / "abcd"
    folder.mkdir(parents=True)
    (folder / "truth.json").write_text("{}")  # damaged from the start
    # fresh interpreters: a fork of a process that ran the whole suite inherits its threads and loops
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_store_often, args=(folder,)) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * 4
    assert is_stored(folder)
    assert (Reference.load(folder).colour == 100).all()
    assert [file.name for file in folder.parent.iterdir()] == ["abcd"]


def _store_often(folder: Path) -> None:
    for _ in range(20):
        store(reference(), folder)


def test_a_refusal_is_remembered_by_its_fingerprint(tmp_path: Path) -> None:
    assert cache.refused(tmp_path, "abcd") == ""
    cache.refuse(tmp_path, "abcd", "Model x.glb: it has no triangles; export it again.")
    assert cache.refused(tmp_path, "abcd") == "Model x.glb: it has no triangles; export it again."
    assert cache.refused(tmp_path, "abce") == ""
    assert not is_stored(reference_folder(tmp_path, "abcd"))
    (file,) = (tmp_path / "ab").iterdir()
    for damaged in ("", "{", "[]", "null"):
        file.write_text(damaged)
        assert cache.refused(tmp_path, "abcd") == ""

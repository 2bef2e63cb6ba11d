"""Rendering is cached, and what kills a renderer flags one product."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from packline.errors import FixSettings
from packline.reference import Reference
from packline.stage import service
from packline.stage.cache import fingerprint
from packline.stage.service import RenderJob, SceneView, render_product, render_products
from tests.stage.build import MIDDLE, Gltf, box, print_of


def model(path: Path) -> Path:
    gltf = Gltf()
    gltf.mesh(**box(), material=gltf.material(baseColorTexture={"index": gltf.image(print_of("BOX"))}))
    return gltf.save(path, labels=[{"id": "front", "text": "BOX", "quad": MIDDLE}])


def scene_file(folder: Path) -> Path:
    from PIL import Image

    Image.fromarray(np.full((64, 64, 3), 180, np.uint8)).save(folder / "desk.png")
    file = folder / "desk.json"
    file.write_text(
        '{"image": "desk.png", "words": "a desk",'
        ' "camera": {"eye": [0, 0.3, 0.8], "target": [0, 0.05, 0], "fov_y": 30, "width": 64, "height": 64},'
        ' "ground": {"point": [0, 0, 0], "normal": [0, 1, 0]},'
        ' "place": {"position": [0, 0, 0], "yaw": 0, "fit": [0.2, 0.2]},'
        ' "light": {"key_direction": [-0.6, 0.7, 0.4], "key_colour": [0.6, 0.6, 0.6],'
        ' "sky_colour": [0.3, 0.3, 0.3], "ground_colour": [0.2, 0.2, 0.2]}}'
    )
    return file


def sabotage(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Workers that die, hang or run wild on models of those names."""
    script = folder / "saboteur.py"
    script.write_text(
        "import os, signal, time\n"
        "from packline.stage import load, worker\n"
        "real = load.load_model\n"
        "def load_model(path):\n"
        "    if path.stem == 'segv': os.kill(os.getpid(), signal.SIGSEGV)\n"
        "    if path.stem == 'hang': time.sleep(600)\n"
        "    if path.stem == 'leak': bytearray(1 << 40)\n"
        "    if path.stem == 'bug': raise KeyError('oops')\n"
        "    if path.stem == 'noisy': print('a library prints')\n"
        "    if path.stem == 'noegl':\n"
        "        from packline.errors import FixSettings\n"
        "        raise FixSettings('install EGL')\n"
        "    return real(path)\n"
        "load.load_model = load_model\n"
        "worker.main()\n"
    )
    monkeypatch.setattr(service, "COMMAND", (sys.executable, str(script)))


def forbid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "COMMAND", ("/bin/false",))


def test_references_are_drawn_once_and_then_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = scene_file(tmp_path)
    views = ("front", "label:front", SceneView(scene, "three-quarter"))
    job = RenderJob("SKU-1", model(tmp_path / "m.glb"), views, tmp_path / "cache", {}, 64)
    first = render_product(job)
    assert (first.error, first.failed, first.cached) == ("", {}, 0)
    assert set(first.references) == {"front", "label:front", "scene:desk:three-quarter"}
    in_scene = Reference.load(first.references["scene:desk:three-quarter"][1])
    assert in_scene.view == "scene"
    assert in_scene.shadow.min() < 150 < in_scene.shadow.max()
    front = Reference.load(first.references["front"][1])
    assert [label.text for label in front.labels] == ["BOX"]
    assert tuple(front.colour[0, 0]) == (205, 205, 205)
    assert (front.shadow == 255).all()

    forbid(monkeypatch)
    second = render_product(job)
    assert (second.references, second.cached, second.error) == (first.references, 3, "")


def test_whatever_changes_the_picture_changes_the_fingerprint(tmp_path: Path) -> None:
    from packline.scenes import load_scene

    scene = load_scene(scene_file(tmp_path))
    keys = {
        fingerprint("a", {}, "front", 64),
        fingerprint("b", {}, "front", 64),
        fingerprint("a", {"x": "left to right"}, "front", 64),
        fingerprint("a", {}, "back", 64),
        fingerprint("a", {}, "front", 65),
        fingerprint("a", {}, "front", 64, scene),
    }
    assert len(keys) == 6
    assert fingerprint("a", {}, "front", 64) in keys


def test_a_crash_flags_only_its_product(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sabotage(monkeypatch, tmp_path)
    names = ("one", "segv", "noisy", "leak", "bug", "last")
    jobs = [
        RenderJob(f"SKU-{n}", model(tmp_path / f"{n}.glb"), ("front",), tmp_path / "c" / n, {}, 32)
        for n in names
    ]
    results = {result.sku: result for result in render_products(jobs)}
    assert list(results) == [job.sku for job in jobs]
    for name in ("one", "noisy", "last"):
        assert results[f"SKU-{name}"].error == ""
        assert set(results[f"SKU-{name}"].references) == {"front"}
    assert results["SKU-segv"].error.startswith("SKU-segv: the renderer crashed on segv.glb (signal SIGSEGV")
    assert "more memory than a product may take" in results["SKU-leak"].error
    assert "(KeyError: 'oops')" in results["SKU-bug"].error
    assert all(not results[f"SKU-{name}"].references for name in ("segv", "leak", "bug"))


def test_a_product_that_takes_too_long_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sabotage(monkeypatch, tmp_path)
    job = RenderJob("SKU-9", model(tmp_path / "hang.glb"), ("front",), tmp_path / "cache", {}, 32)
    assert "SKU-9: drawing hang.glb took longer than 1 s" in render_product(job, seconds=1).error


def test_a_machine_that_cannot_render_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sabotage(monkeypatch, tmp_path)
    job = RenderJob("SKU-1", model(tmp_path / "noegl.glb"), ("front",), tmp_path / "cache", {}, 32)
    with pytest.raises(FixSettings, match="install EGL"):
        render_product(job)


def test_a_bad_product_or_view_gets_a_sentence_that_names_it(tmp_path: Path) -> None:
    absent = RenderJob("SKU-A", tmp_path / "no.glb", ("front",), tmp_path / "cache")
    views = ("front", "sideways", SceneView(tmp_path / "no.json"))
    half = RenderJob("SKU-B", model(tmp_path / "m.glb"), views, tmp_path / "cache", {}, 32)
    wrong = RenderJob("SKU-C", model(tmp_path / "m.glb"), ("front",), tmp_path / "cache", {"x": "up"}, 32)
    a, b, c = render_products([absent, half, wrong])
    assert a.error.startswith("SKU-A: Model ")
    assert "missing; add the file" in a.error
    assert b.error == ""
    assert set(b.references) == {"front"}
    assert b.failed["sideways"].startswith("SKU-B: View 'sideways' is unknown")
    assert b.failed["scene:no:front"].startswith("SKU-B: Scene no: ")
    assert c.error.startswith("SKU-C: Label 'x' is declared")

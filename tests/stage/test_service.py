"""Rendering is cached, and what kills a renderer flags one product."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from packline.errors import FixSettings
from packline.reference import Reference
from packline.scenes import load_scene
from packline.stage import gl, service
from packline.stage.cache import stage_version
from packline.stage.render import scene_camera
from packline.stage.service import RenderJob, RenderResult, SceneView, render_product, render_products
from tests.stage.build import MIDDLE, Gltf, box, print_of

MUG = Path(__file__).parents[2] / "assets" / "3d" / "mug-orbit.fbx"


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
    """Workers whose products die, hang, run wild or look round, by the name of the model."""
    script = folder / "saboteur.py"
    script.write_text(
        """
import ctypes, os, socket, subprocess, time
from pathlib import Path
from packline.errors import FixSettings, GiveUp
from packline.stage import load, worker

real = load.load_model

def outcome(action):
    try:
        action()
    except OSError as error:
        return type(error).__name__
    return "done"

def load_model(path, *rest):
    name = path.stem
    if name == "segv": ctypes.string_at(0)
    if name == "abort": os.abort()
    if name == "exit": os._exit(3)
    if name == "hang": time.sleep(600)
    if name == "sleeper": subprocess.run(["sleep", "600"])
    if name == "spin":
        while True: pass
    if name == "leak": bytearray(1 << 40)
    if name == "grow":
        hoard = []
        while True: hoard.append(b"x" * (1 << 26))
    if name == "fill":
        with open(os.environ["TMPDIR"] + "/big", "wb") as file: file.truncate(1 << 40)
    if name == "bug": raise KeyError("oops")
    if name == "liar": os.write(3, b"no reply at all\\n")
    if name == "noisy": print("a library prints")
    if name == "noegl": raise FixSettings("install EGL")
    if name == "late":
        try: raise subprocess.TimeoutExpired("assimp", 60)
        except subprocess.TimeoutExpired as error: raise GiveUp("Model late.glb: too slow") from error
    if name == "spy":
        beside = path.parent.parent / "secret.txt"
        found = {
            "network": outcome(lambda: socket.socket()),
            "local socket": outcome(lambda: socket.socket(socket.AF_UNIX)),
            "password file": outcome(lambda: open("/etc/passwd")),
            "file beside the folder": outcome(lambda: open(beside)),
            "link out of the folder": outcome(lambda: open(path.parent / "link.txt")),
            "home": outcome(lambda: open(Path(os.environ["PYTHON_TEST_HOME"]) / "x", "w")),
            "model's folder": outcome(lambda: open(path.parent / "x", "w")),
            "the environment of the line": outcome(lambda: open(f"/proc/{os.getppid()}/environ")),
            "the line": outcome(lambda: os.kill(os.getppid(), 0)),
            "a program": outcome(lambda: subprocess.run(["/bin/true"])),
            "the model": outcome(lambda: open(path)),
            "a temporary file": outcome(lambda: open(os.environ["TMPDIR"] + "/x", "w")),
        }
        done = [what for what, how in found.items() if how == "done"]
        other = sorted({how for how in found.values() if how != "done"})
        raise GiveUp(f"{', '.join(done)} ({', '.join(other)}; {sorted(os.listdir('/proc/self/fd'))})")
    return real(path, *rest)

load.load_model = load_model
worker.main()
"""
    )
    monkeypatch.setenv("PYTHON_TEST_HOME", str(folder))
    monkeypatch.setattr(service, "COMMAND", (sys.executable, str(script)))


def forbid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever starts a worker from now on gets an error."""
    monkeypatch.setattr(service, "COMMAND", ("/bin/false",))


def job_of(folder: Path, name: str, **fields: Any) -> RenderJob:
    file = folder / "models" / name
    file.parent.mkdir(exist_ok=True)
    if not file.exists():
        model(file)
    defaults: dict[str, Any] = {"views": ("front",), "cache": folder / "cache", "size": 32}
    return RenderJob(f"SKU-{file.stem}", file, **{**defaults, **fields})


SABOTEURS = (
    "segv.glb", "abort.glb", "exit.glb", "noisy.glb", "leak.glb", "grow.glb", "fill.glb", "bug.glb",
    "liar.glb", "late.glb", "spy.glb", "spy.fbx", "last.glb",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What came of jobs whose models sabotage their process, by the model's name."""

    folder: Path
    results: dict[str, RenderResult]

    def error(self, name: str) -> str:
        return self.results[name].error


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("sabotage")
    (folder / "secret.txt").write_text("not for models")
    jobs = [job_of(folder, name) for name in SABOTEURS]
    (folder / "models" / "link.txt").symlink_to(folder / "secret.txt")
    with pytest.MonkeyPatch.context() as patch:
        sabotage(patch, folder)
        results = [*render_products(jobs, memory=2 << 30)]
    assert [result.sku for result in results] == [job.sku for job in jobs]
    return Outcome(folder, {job.model.name: result for job, result in zip(jobs, results, strict=True)})


def test_a_crash_flags_only_its_product(outcome: Outcome) -> None:
    well = {name for name in SABOTEURS if not outcome.error(name)}
    assert well == {"noisy.glb", "last.glb"}
    for name, result in outcome.results.items():
        assert set(result.references) == ({"front"} if name in well else set())
    assert outcome.error("segv.glb").startswith("SKU-segv: the renderer crashed on segv.glb (signal SIGSEGV")
    assert outcome.error("abort.glb").startswith(
        "SKU-abort: the renderer crashed on abort.glb (signal SIGABRT"
    )
    assert "(exit code 3); check the model" in outcome.error("exit.glb")
    assert "more memory than a product may take" in outcome.error("leak.glb")
    assert "more memory than a product may take" in outcome.error("grow.glb")
    assert "File too large" in outcome.error("fill.glb")
    assert "(KeyError: 'oops')" in outcome.error("bug.glb")
    assert outcome.error("liar.glb") == (
        "SKU-liar: the renderer crashed on liar.glb; check the model and export it again."
    )


def test_a_product_is_drawn_in_a_sandbox(outcome: Outcome) -> None:
    can = "the model, a temporary file (PermissionError; ['0', '1', '2', '3', '4'])"
    assert outcome.error("spy.glb") == f"SKU-spy: {can}"
    # what is converted may start programs, which inherit the sandbox
    assert outcome.error("spy.fbx") == f"SKU-spy: a program, {can}"


def test_only_what_would_end_the_same_is_remembered(outcome: Outcome) -> None:
    again = [job_of(outcome.folder, name) for name in ("late.glb", "segv.glb", "bug.glb", "spy.glb")]
    *other, spy = render_products(again)
    assert [result.error for result in other] == ["", "", ""]
    assert spy.error == outcome.error("spy.glb")


@dataclass(frozen=True)
class Drawn:
    """A job with every kind of view, and two bad ones, drawn once."""

    jobs: tuple[RenderJob, ...]
    results: tuple[RenderResult, ...]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    folder = tmp_path_factory.mktemp("drawn")
    scene = scene_file(folder)
    views = (
        "front",
        "label:front",
        "sideways",
        SceneView(scene, "three-quarter"),
        SceneView(scene),
        SceneView(scene, shift=(0.1, 0.0)),
        SceneView(scene, turn=30.0),
        SceneView(scene, scale=0.5),
        SceneView(folder / "no.json"),
    )
    jobs = (
        job_of(folder, "all.glb", views=views, size=64),
        job_of(folder, "wrong.glb", declared={"x": "up"}),
        RenderJob("SKU-absent", folder / "no.glb", ("front",), folder / "cache"),
        RenderJob("SKU-fbx", MUG, ("front",), folder / "cache", {}, 64),
        *(job_of(folder, f"{name}.glb") for name in ("cut", "half", "old", "empty", "blocked")),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "home"))
        (folder / "home" / "packline" / "shaders" / "of an older version").mkdir(parents=True)
        return Drawn(jobs, tuple(render_products(jobs)))


def test_references_are_drawn_once_and_then_found(drawn: Drawn, monkeypatch: pytest.MonkeyPatch) -> None:
    job, first = drawn.jobs[0], drawn.results[0]
    assert (first.error, first.cached) == ("", 0)
    assert len(first.references) == 7
    in_scene = Reference.load(first.references["scene:desk:three-quarter"][1])
    assert in_scene.view == "scene"
    assert in_scene.shadow.min() < 150 < in_scene.shadow.max()
    front = Reference.load(first.references["front"][1])
    assert [label.text for label in front.labels] == ["BOX"]
    assert tuple(front.colour[0, 0]) == (205, 205, 205)
    assert front.renderer == gl.renderer_name()
    assert [file.name for file in job.cache.iterdir() if len(file.name) != 2] == []

    forbid(monkeypatch)
    second = render_product(job)
    assert (second.references, second.cached) == (first.references, 7)
    assert (second.error, second.failed) == ("", first.failed)


def test_a_bad_product_or_view_gets_a_sentence_that_names_it(
    drawn: Drawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    well, wrong, absent, *_ = drawn.results
    assert well.failed["sideways"].startswith("SKU-all: View 'sideways' is unknown")
    assert well.failed["scene:no:front"].startswith("SKU-all: Scene no: ")
    assert len(well.failed) == 2
    assert wrong.error.startswith("SKU-wrong: Label 'x' is declared")
    assert absent.error.startswith("SKU-absent: Model ")
    assert "missing; add the file" in absent.error

    # refusals are remembered, under the fingerprint: nothing is read again
    forbid(monkeypatch)
    assert render_product(drawn.jobs[1]).error == wrong.error
    changed = replace(drawn.jobs[1], declared={"y": "up"})
    assert "the renderer stopped (exit code 1); run again" in render_product(changed).error


def test_a_program_that_converts_a_model_works_in_the_sandbox(drawn: Drawn) -> None:
    found = drawn.results[3]
    assert (found.error, found.failed) == ("", {})
    assert Reference.load(found.references["front"][1]).mask.max() == 255


def test_a_view_may_stray_from_the_scenes_place(drawn: Drawn) -> None:
    placed = [view for view in drawn.jobs[0].views if isinstance(view, SceneView)][1:-1]
    found = [Reference.load(drawn.results[0].references[view.name][1]) for view in placed]
    straight, shifted, turned, small = (reference.mask / 255.0 for reference in found)

    def middle(mask: Any) -> float:
        return float((mask * np.arange(64)).sum() / mask.sum())

    camera = scene_camera(load_scene(placed[0].scene), 64)
    ends = camera.project(np.array([[0.0, 0.1, 0.05], [0.1, 0.1, 0.05]]))[0]
    assert middle(shifted) - middle(straight) == pytest.approx(ends[1, 0] - ends[0, 0], rel=0.05)
    assert turned.any(0).sum() > straight.any(0).sum() + 2
    assert small.sum() == pytest.approx(straight.sum() / 4, rel=0.15)


def test_a_damaged_reference_is_drawn_anew_and_shaders_stay_as_they_were(
    drawn: Drawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs, results = drawn.jobs[-5:], drawn.results[-5:]
    folders = [result.references["front"][1] for result in results]
    before = [contents(folder) for folder in folders]
    cut, half, old, empty, blocked = folders
    (cut / "colour.png").write_bytes((cut / "colour.png").read_bytes()[:-7])
    (half / "depth.npy").unlink()
    (old / "truth.json").write_text('{"view": "front", "labels": []}')
    for file in empty.iterdir():
        file.unlink()
    shutil.rmtree(blocked)
    blocked.write_text("a file where a folder should be")
    home = jobs[0].cache.parent / "home"
    shaders = {file: file.read_bytes() for file in home.rglob("*") if file.is_file()}
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))

    again = [*render_products(jobs)]
    assert [(result.error, result.cached) for result in again] == [("", 0)] * 5
    assert [contents(folder) for folder in folders] == before

    # what the warm-up compiled is there for all, of this version only, and no product adds to it
    assert [one.name for one in (home / "packline" / "shaders").iterdir()] == [stage_version()]
    assert {file: file.read_bytes() for file in home.rglob("*") if file.is_file()} == shaders != {}


def test_a_product_that_takes_too_long_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sabotage(monkeypatch, tmp_path)
    jobs = [job_of(tmp_path, name) for name in ("hang.glb", "sleeper.fbx", "spin.glb")]
    for result, job in zip(render_products(jobs, seconds=1), jobs, strict=True):
        assert f"drawing {job.model.name} took " in result.error
        assert "simplify the model" in result.error
    assert not [one for one in processes() if str(tmp_path) in one]


def test_nothing_outlives_the_line(tmp_path: Path) -> None:
    job = job_of(tmp_path, "sleeper.fbx")
    script = tmp_path / "line.py"
    with pytest.MonkeyPatch.context() as patch:
        sabotage(patch, tmp_path)
        command = service.COMMAND
    script.write_text(
        "from pathlib import Path\n"
        "from packline.stage import service\n"
        f"service.COMMAND = {command!r}\n"
        f"job = service.RenderJob('S', Path({str(job.model)!r}), ('front',), Path({str(job.cache)!r}))\n"
        "service.render_product(job)\n"
    )
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    line = subprocess.Popen([sys.executable, str(script)], env={**os.environ, "TMPDIR": str(temporary)})
    wait_for(lambda: "sleep" in [name_of(one) for one in descendants(line.pid)])
    started = descendants(line.pid)
    assert len(started) == 3  # the worker, the product's process, its program
    line.kill()
    line.wait()
    wait_for(lambda: not any(Path(f"/proc/{one}").exists() for one in started))
    assert [*temporary.iterdir()] == []


def test_a_machine_that_cannot_render_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sabotage(monkeypatch, tmp_path)
    job = job_of(tmp_path, "noegl.glb")
    with pytest.raises(FixSettings, match="install EGL"):
        render_product(job)
    # nothing is remembered against the product: it is asked again
    with pytest.raises(FixSettings, match="install EGL"):
        render_product(job)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def processes() -> list[str]:
    """Command lines of all that run."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(entry.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return found


def descendants(process: int) -> list[int]:
    found = []
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, children.read_text().split()):
                found += [child, *descendants(child)]
    return found


def name_of(process: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/comm").read_text().strip()
    return ""


def wait_for(what: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)

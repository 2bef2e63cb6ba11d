"""The process that draws: `python -m packline.stage.worker MEMORY SECONDS`, started by `service`.

Reads one JSON job a line on standard input, writes one JSON reply a line on standard output.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

from packline.errors import FixSettings, GiveUp, PacklineError


def main() -> None:
    """Answer jobs until standard input ends."""
    memory, seconds = int(sys.argv[1]), int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # replies go to a private descriptor: whatever a library prints must not mix with them
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    rasterisers: dict[int, Any] = {}
    for line in sys.stdin.buffer:
        _grant(seconds)
        reply = _answer(json.loads(line), rasterisers)
        replies.write(json.dumps(reply).encode() + b"\n")
        replies.flush()


def _grant(seconds: int) -> None:
    """Allow so many seconds of processor time from now on."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + seconds + 1
    # llvmpipe draws on several threads, whose time adds up
    resource.setrlimit(resource.RLIMIT_CPU, (soft * (os.cpu_count() or 1), resource.RLIM_INFINITY))


def _answer(job: dict[str, Any], rasterisers: dict[int, Any]) -> dict[str, Any]:
    model = Path(job["model"])
    try:
        return _draw(model, job, rasterisers)
    except PacklineError as error:
        return {"error": str(error), "kind": "FixSettings" if isinstance(error, FixSettings) else "GiveUp"}
    except MemoryError:
        return {
            "error": f"drawing {model.name} needs more memory than a product may take; simplify the model."
        }
    except Exception as error:
        return {
            "error": f"the renderer failed on {model.name} ({type(error).__name__}: {error}); check "
            f"the model."
        }


def _draw(model_file: Path, job: dict[str, Any], rasterisers: dict[int, Any]) -> dict[str, Any]:
    from packline.scenes import load_scene
    from packline.stage.cache import store
    from packline.stage.load import load_model
    from packline.stage.raster import Rasteriser
    from packline.stage.render import render_reference, scene_camera
    from packline.stage.text_truth import apply_declared
    from packline.stage.views import canonical_camera, scene_pose

    size = int(job["size"])
    model = apply_declared(load_model(model_file), job["declared"])
    if size not in rasterisers:
        rasterisers[size] = Rasteriser(size)
    rasteriser = rasterisers[size]
    failed: dict[str, str] = {}
    alone = [view for view in job["views"] if view["scene"] is None]
    if alone:
        with rasteriser.staged(model) as stage:
            for view in alone:
                try:
                    camera = canonical_camera(model, view["view"], size)
                    store(render_reference(stage, view["view"], camera), Path(view["folder"]))
                except GiveUp as error:
                    failed[view["name"]] = str(error)
    for view in job["views"]:
        if view["scene"] is None:
            continue
        try:
            scene = load_scene(Path(view["scene"]))
            placed = model.transformed(scene_pose(model, scene, view["view"]))
            with rasteriser.staged(placed) as stage:
                reference = render_reference(stage, "scene", scene_camera(scene, size), scene)
            store(reference, Path(view["folder"]))
        except GiveUp as error:
            failed[view["name"]] = str(error)
    return {"failed": failed, "notes": list(model.notes)}


if __name__ == "__main__":
    main()

"""What a worker's child does: read one product, draw its views into drafts, answer."""

from __future__ import annotations

import contextlib
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

from packline.errors import FixSettings, GiveUp, PacklineError

#: Kinds of models that another program converts, and that program.
CONVERTED, CONVERTER = (".fbx",), "assimp"


def import_all() -> None:
    """Import, and let initialise, everything that drawing needs, but make no context and no thread."""
    import cv2
    import DracoPy  # type: ignore[import-not-found]  # noqa: F401
    import meshoptimizer  # type: ignore[import-untyped]  # noqa: F401
    import numpy as np
    from PIL import Image

    from packline.camera import Camera
    from packline.stage import gl, load, raster, render, text_truth, views  # noqa: F401
    from packline.stage.environment import environment
    from packline.stage.lighting import studio_light

    # all products share the cores anyway, and a fork takes no thread along
    cv2.setNumThreads(1)
    Image.init()
    # OpenCV fills its tables for CIELAB at the first use, 60 ms
    cv2.cvtColor(np.zeros((1, 1, 3), np.float32), cv2.COLOR_RGB2LAB)
    # the studio's light is the same for all products, and takes half a second to gather
    environment(studio_light(Camera((0.0, 0.0, 1.0), (0.0, 0.0, 0.0), 30.0, 32, 32)))
    # who lacks EGL is told when something is to be drawn
    with contextlib.suppress(FixSettings):
        gl.import_pyrender()
        from packline.stage import depth_maps, framebuffer  # noqa: F401


def answer(job: dict[str, Any]) -> dict[str, Any]:
    """Draw one product.

    Parameters
    ----------
    job
        As `service` writes it.

    Returns
    -------
    dict
        `error`, `kind` and `lasting` (whether another try would end the same) where nothing could be drawn;
        else `failed`, for each view that could not be drawn its sentence and whether that is lasting, and
        `notes`.
    """
    name = Path(job["model"]).name
    try:
        return _draw(job)
    except FixSettings as error:
        return {"error": str(error), "kind": "FixSettings"}
    except GiveUp as error:
        return {"error": str(error), "lasting": _lasting(error)}
    except PacklineError as error:
        return {"error": str(error)}
    except MemoryError:
        return {"error": too_much_memory(name)}
    except Exception as error:
        if isinstance(error, PermissionError) and error.filename:
            return {
                "error": f"drawing {name} needs {error.filename}, which lies outside the model's folder or "
                "may not be read; put it beside the model and make it readable."
            }
        return {
            "error": f"the renderer failed on {name} ({type(error).__name__}: {error}); check the model and "
            "export it again."
        }


def warm_up() -> dict[str, Any]:
    """Draw a card of each usual kind of material, so that the driver compiles our shaders for them.

    That costs a second or two; with what it leaves in its cache, each product's process starts 0.2 s sooner.
    """
    import numpy as np

    from packline.camera import Camera
    from packline.scenes import Light
    from packline.stage.model import Material, Part, ProductModel, Texture
    from packline.stage.raster import Rasteriser
    from packline.stage.render import render_reference
    from packline.stage.shadow import ground_shadow

    print_ = Texture(np.full((4, 4, 4), 128, np.uint8))
    plain: dict[str, Any] = {"texture": print_}
    relief = {**plain, "normal_texture": print_, "surface_texture": print_}
    dented = {**relief, "occlusion_texture": print_}
    shining = {**dented, "emissive": (1.0, 1.0, 1.0), "emissive_texture": print_}
    cut, clear = {**plain, "alpha_mode": "MASK"}, {**plain, "alpha_mode": "BLEND"}
    corners = np.array([[-1, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)
    camera = Camera((0.0, 0.5, 4.0), (0.0, 0.5, 0.0), 30.0, 32, 32)
    light = Light((0.0, 1.0, 0.0), (1.0, 1.0, 1.0), (1.0, 1.0, 1.0), (1.0, 1.0, 1.0))
    rasteriser = Rasteriser(32)
    for kind in ({}, plain, relief, dented, shining, cut, clear):
        part = Part(
            name="card",
            vertices=corners,
            normals=np.tile(np.array([[0, 0, 1]], np.float32), (3, 1)),
            faces=np.array([[0, 1, 2]], np.int64),
            material=Material(**kind),
            uv=np.ascontiguousarray(corners[:, :2]),
        )
        for colours in (None, np.ones((3, 4), np.float32)) if len(kind) < 2 else (None,):
            with rasteriser.staged(ProductModel((replace(part, colours=colours),))) as stage:
                render_reference(stage, "front", camera)
                ground_shadow(stage, camera, light)
    return {}


def too_much_memory(name: str) -> str:
    """The sentence about a model that needs more memory than its limit."""
    return f"drawing {name} needs more memory than a product may take; simplify the model."


def _draw(job: dict[str, Any]) -> dict[str, Any]:
    from packline.scenes import load_scene
    from packline.stage import gl
    from packline.stage.cache import write
    from packline.stage.colours import product_colours
    from packline.stage.load import load_model
    from packline.stage.raster import Rasteriser
    from packline.stage.render import render_reference, scene_camera
    from packline.stage.text_truth import apply_declared
    from packline.stage.views import canonical_camera, scene_pose

    size = int(job["size"])
    truth = Path(job["truth"]) if job["truth"] else None
    model = apply_declared(load_model(Path(job["model"]), job["variant"], truth), job["declared"])
    colours = product_colours(model)
    rasteriser = Rasteriser(size)
    renderer = gl.renderer_name()
    drafts = Path(job["drafts"])
    failed: dict[str, tuple[str, bool]] = {}

    alone = [view for view in job["views"] if view["scene"] is None]
    if alone:
        with rasteriser.staged(model) as stage:
            for view in alone:
                try:
                    camera = canonical_camera(model, view["view"], size)
                    reference = render_reference(stage, view["view"], camera, colours=colours)
                    write(replace(reference, renderer=renderer), drafts / view["key"])
                except GiveUp as error:
                    failed[view["name"]] = str(error), _lasting(error)
    for view in job["views"]:
        if view["scene"] is None:
            continue
        try:
            scene = load_scene(Path(view["scene"]))
            shift = (float(view["shift"][0]), float(view["shift"][1]))
            pose = scene_pose(model, scene, view["view"], shift, view["turn"], view["scale"])
            scene = replace(scene, light=scene.light.strayed(*view["light"]))
            with rasteriser.staged(model.transformed(pose)) as stage:
                reference = render_reference(stage, "scene", scene_camera(scene, size), scene, colours)
            write(replace(reference, renderer=renderer), drafts / view["key"])
        except GiveUp as error:
            failed[view["name"]] = str(error), _lasting(error)
    return {"failed": failed, "notes": list(model.notes)}


def _lasting(error: BaseException) -> bool:
    """Whether the same model would be refused again: not if time, memory or the machine had a hand in it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError | subprocess.TimeoutExpired):
            return False
        # the system's own errors carry a number, those that decoders raise do not
        if isinstance(cause, OSError) and cause.errno is not None:
            return False
        cause = cause.__cause__ or cause.__context__
    return True

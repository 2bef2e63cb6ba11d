"""The path tracer: solids and lights handed to Mitsuba 3 (https://mitsuba.readthedocs.io)."""

from __future__ import annotations

import os
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import mitsuba
import numpy as np
from numpy.typing import NDArray

from packline.camera import Camera
from training.scenes.build import key_half_size, solids, surroundings
from training.scenes.finish import Finish
from training.scenes.solid import Solid
from training.scenes.spec import SceneSpec

#: Mitsuba; its stubs promise less than its functions take.
mi: Any = mitsuba

# The compiled variant is four times as fast but needs LLVM 16 or newer, which aborts the process when it is
# too old; so it is used only where the user names a library.
mi.set_variant("llvm_ad_rgb" if os.environ.get("DRJIT_LIBLLVM_PATH") else "scalar_rgb")


def _ply(solid: Solid, file: Path, uv: NDArray[np.float64]) -> None:
    vertices = np.concatenate([solid.vertices, uv], 1).astype("<f4")
    faces = np.empty(len(solid.faces), dtype=[("count", "u1"), ("index", "<i4", 3)])
    faces["count"], faces["index"] = 3, solid.faces
    head = (
        f"ply\nformat binary_little_endian 1.0\nelement vertex {len(vertices)}\n"
        + "".join(f"property float {name}\n" for name in ("x", "y", "z", "u", "v"))
        + f"element face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    file.write_bytes(head.encode() + vertices.tobytes() + faces.tobytes())


def _texture(values: NDArray[np.float32], nearest: bool = False) -> dict[str, Any]:
    return {
        "type": "bitmap",
        "bitmap": mi.Bitmap(np.ascontiguousarray(values, np.float32)),
        "raw": True,
        "wrap_mode": "clamp" if nearest else "mirror",
        "filter_type": "nearest" if nearest else "bilinear",
    }


def _bsdf(finish: Finish) -> dict[str, Any]:
    surface: dict[str, Any] = {
        "type": "principled",
        "base_color": _texture(finish.colour),
        "roughness": finish.roughness,
        "specular": finish.specular,
    }
    if finish.height is not None:
        # Mitsuba differentiates the height over uv, and the mesh's uv spans `span` metres: metres stay metres
        surface = {"type": "bumpmap", "arbitrary": _texture(finish.height[..., None]), "bsdf": surface}
    return {"type": "twosided", "bsdf": surface}


def _merged(group: list[Solid]) -> Solid:
    start = np.cumsum([0] + [len(part.vertices) for part in group[:-1]])
    return Solid(
        np.concatenate([part.vertices for part in group]),
        np.concatenate([part.faces + first for part, first in zip(group, start, strict=True)]),
        np.concatenate([part.uv for part in group]),
        group[0].finish,
    )


def _shapes(parts: list[Solid]) -> dict[str, Any]:
    """One Mitsuba shape a finish; all plain finishes share one mesh whose uv picks from a palette."""
    out: dict[str, Any] = {}
    mapped: dict[int, list[Solid]] = {}
    even: list[Solid] = []
    for part in parts:
        if part.finish.colour.shape[0] == 2:
            even.append(part)
        else:
            mapped.setdefault(id(part.finish), []).append(part)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "part.ply"
        for number, group in enumerate(mapped.values()):
            solid = _merged(group)
            _ply(solid, file, solid.uv / solid.finish.span)
            out[f"part{number}"] = mi.load_dict(
                {"type": "ply", "filename": str(file), "flip_tex_coords": False, "bsdf": _bsdf(solid.finish)}
            )
        if even:
            uv = np.concatenate(
                [
                    np.tile([(k + 0.5) / len(even), 0.5], (len(part.vertices), 1))
                    for k, part in enumerate(even)
                ]
            )
            _ply(_merged(even), file, uv)
            colours = np.array([[part.finish.colour[0, 0] for part in even]])
            rough = np.array([[[part.finish.roughness] for part in even]])
            bsdf = {
                "type": "principled",
                "base_color": _texture(colours, True),
                "roughness": _texture(rough, True),
                "specular": 0.4,
            }
            out["even"] = mi.load_dict(
                {
                    "type": "ply",
                    "filename": str(file),
                    "flip_tex_coords": False,
                    "bsdf": {"type": "twosided", "bsdf": bsdf},
                }
            )
    return out


def _key(spec: SceneSpec) -> Any:
    distance, half = key_half_size(spec)
    direction = np.asarray(spec.key_direction)
    middle = distance * direction + np.array([0.0, 0.15, 0.0])
    # a white surface that faces the key shows 1: irradiance pi
    radiance = np.asarray(spec.key.colour) * np.pi / ((2 * half / distance) ** 2)
    place = mi.ScalarTransform4f().look_at(middle.tolist(), [0.0, 0.15, 0.0], [0.0, 1.0, 0.001])
    return mi.load_dict(
        {
            "type": "rectangle",
            "to_world": place @ mi.ScalarTransform4f().scale([half, half, 1.0]),
            "emitter": {"type": "area", "radiance": {"type": "rgb", "value": radiance.tolist()}},
        }
    )


@lru_cache(maxsize=1)
def contents(spec: SceneSpec, texels: int) -> dict[str, Any]:
    """The set as loaded Mitsuba objects, to be put into one scene or several."""
    return {
        **_shapes(solids(spec, texels)),
        "key": _key(spec),
        "room": mi.load_dict({"type": "envmap", "bitmap": mi.Bitmap(surroundings(spec)), "scale": 1.0}),
    }


def lens(camera: Camera, aperture: float = 0.0, focus: float = 1.0) -> Any:
    """Mitsuba's sensor for our camera: a pinhole, or a thin lens of radius `aperture` focused at `focus`."""
    look = mi.ScalarTransform4f().look_at(list(camera.eye), list(camera.target), list(camera.up))
    sensor: dict[str, Any] = {
        "type": "thinlens" if aperture else "perspective",
        "fov": camera.fov_y,
        "fov_axis": "y",
        "near_clip": 0.01,
        "to_world": look,
        "film": _film(camera.width, camera.height),
    }
    if aperture:
        sensor |= {"aperture_radius": aperture, "focus_distance": focus}
    return mi.load_dict(sensor)


def _film(width: int, height: int) -> dict[str, Any]:
    return {
        "type": "hdrfilm",
        "width": width,
        "height": height,
        "pixel_format": "rgb",
        "rfilter": {"type": "gaussian", "stddev": 0.45},
    }


def probe(
    centre: tuple[float, float, float], radius: float, side: tuple[float, float, float], size: int = 24
) -> Any:
    """A sensor that sees a small sphere from `side`, from close by and without perspective."""
    origin = np.asarray(centre) + 2.0 * radius * np.asarray(side)
    look = mi.ScalarTransform4f().look_at(origin.tolist(), list(centre), [0.0, 1.0, 0.01])
    return mi.load_dict(
        {
            "type": "orthographic",
            "near_clip": 0.001,
            "to_world": look @ mi.ScalarTransform4f().scale([radius, radius, 1.0]),
            "film": _film(size, size),
        }
    )


def trace(scene: Any, sensor: Any, samples: int, seed: int) -> NDArray[np.float32]:
    """Path-trace linear RGB, float32 (H, W, 3)."""
    path = mi.load_dict({"type": "path", "max_depth": 6})
    return np.array(mi.render(scene, sensor=sensor, integrator=path, spp=samples, seed=seed), np.float32)


def features(scene: Any, sensor: Any, names: str, samples: int, seed: int) -> NDArray[np.float32]:
    """What the camera's rays hit first, by Mitsuba's AOV names, float32 (H, W, C)."""
    first_hit = mi.load_dict({"type": "aov", "aovs": names})
    return np.array(mi.render(scene, sensor=sensor, integrator=first_hit, spp=samples, seed=seed), np.float32)

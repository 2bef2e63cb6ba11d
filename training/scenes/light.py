"""The light of a set, measured on a small grey sphere at the place."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from packline.camera import Camera
from packline.scenes import Light
from training.scenes.spec import SceneSpec

Floats = NDArray[np.float64]

#: Linear value of white paper that faces the key.
WHITE = 0.95
_LUMA = np.array([0.2126, 0.7152, 0.0722])


@dataclass(frozen=True)
class LightFit:
    """Irradiance by a key and two hemispheres, linear RGB, and how well it explains the samples.

    Parameters
    ----------
    key, sky, ground
        Shape (3,).
    residual
        Root mean square error as a share of the brightest sample.
    """

    key: Floats
    sky: Floats
    ground: Floats
    residual: float


def fit_light(normals: Floats, radiance: Floats, direction: Floats) -> LightFit:
    """Split what a white sphere shows into key, sky and ground.

    Least squares without negative light of
    ``radiance = key * max(0, n.l) + ground + (sky - ground) * (n.y + 1) / 2``.

    Parameters
    ----------
    normals
        Unit normals, shape (N, 3).
    radiance
        What the white surface shows, linear RGB, shape (N, 3).
    direction
        Unit vector towards the key, shape (3,).
    """
    upward = (normals[:, 1] + 1) / 2
    terms = np.stack([np.maximum(0.0, normals @ np.asarray(direction)), upward, 1 - upward], 1)
    shares = np.stack([nnls(terms, radiance[:, channel])[0] for channel in range(3)], 1)
    error = float(np.sqrt(np.mean((terms @ shares - radiance) ** 2)) / radiance.max())
    return LightFit(shares[0], shares[1], shares[2], error)


@dataclass(frozen=True)
class Measured:
    """The exposure that the photo is developed with, and the light at that exposure."""

    exposure: float
    light: Light
    residual: float


@lru_cache(maxsize=4)
def measure(spec: SceneSpec) -> Measured:
    """Measure the light at the place and choose the exposure that shows white under the key as `WHITE`."""
    from training.scenes import tracer

    centre, radius = (0.0, 0.15, 0.0), 0.05
    parts = tracer.contents(spec, texels_for(256))
    grey = {"type": "diffuse", "reflectance": {"type": "rgb", "value": 0.5}}
    ball = {"type": "sphere", "center": list(centre), "radius": radius, "bsdf": grey}
    scene = tracer.mi.load_dict({"type": "scene", **parts, "ball": ball})
    normals, radiance = [], []
    corner = 1 / np.sqrt(3)
    for seed, signs in enumerate(((1, 1, 1), (-1, 1, -1), (1, -1, -1), (-1, -1, 1))):
        side = (signs[0] * corner, signs[1] * corner, signs[2] * corner)
        sensor = tracer.probe(centre, radius, side)
        shown = tracer.trace(scene, sensor, 96, seed)
        seen = tracer.features(scene, sensor, "n:sh_normal,p:position", 16, seed)
        length = np.linalg.norm(seen[..., :3], axis=-1)
        # the picture's corners look past the sphere
        inside = (length > 0.97) & (
            np.linalg.norm(seen[..., 3:6] - np.asarray(centre), axis=-1) < 1.02 * radius
        )
        normals.append(seen[inside, :3] / length[inside, None])
        radiance.append(shown[inside] / 0.5)
    direction = np.asarray(spec.key_direction)
    found = fit_light(
        np.concatenate(normals).astype(float), np.concatenate(radiance).astype(float), direction
    )
    up = (direction[1] + 1) / 2
    facing = found.key + found.ground + (found.sky - found.ground) * up
    exposure = float(WHITE / (facing @ _LUMA))
    key, sky, ground = (_triple(exposure * value) for value in (found.key, found.sky, found.ground))
    x, y, z = spec.key_direction
    words = light_words(spec.camera(), spec.key_direction, spec.key.kind, spec.key.size)
    light = Light((x, y, z), key, sky, ground, spec.key.size, words)
    return Measured(exposure, light, found.residual)


def texels_for(size: int) -> int:
    """Side of the surface maps that a photo of `size` pixels deserves."""
    return 1024 if size <= 320 else 2048 if size <= 640 else 4096


def light_words(camera: Camera, direction: tuple[float, float, float], kind: str, size: float) -> str:
    """How a prompt says where the light comes from, seen from the camera."""
    right, up, back = np.asarray(direction) @ camera.pose[:3, :3]
    quality = {"daylight": "soft daylight", "softbox": "soft studio light", "sun": "clear sunlight"}[kind]
    if kind == "sun" and size > 2.2:
        quality = "hazy sunlight"
    level = float(np.hypot(right, back))
    if up > 2.2 * level:
        return f"{quality} from above"
    side = "right" if right > 0 else "left"
    angle = abs(float(np.degrees(np.arctan2(right, back))))
    if angle < 25:
        where = "from the front"
    elif angle < 65:
        where = f"from the front {side}"
    elif angle < 115:
        where = f"from the {side}"
    elif angle < 155:
        where = f"from behind on the {side}"
    else:
        where = "from behind"
    high = "high " if direction[1] > np.sin(np.radians(58)) else ""
    return f"{high}{quality} {where}"


def _triple(values: Floats) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])

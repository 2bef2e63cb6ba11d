"""Products that the defect map finds hard: dark, glossy, thin and seen from the edge, patterned all over."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.stage.model import Part, ProductModel
from training.products.spec import RGB, ProductSpec, lightness

_LIGHT: RGB = (240, 238, 232)


def hard_spec(spec: ProductSpec, rng: np.random.Generator) -> ProductSpec:
    """The same product, dark in a third of all cases, glossy in a quarter."""
    if rng.random() < 0.35:
        body, paper, cap = (_dark(rng) for _ in range(3))
        spec = replace(
            spec,
            body=body,
            paper=paper if rng.random() < 0.7 else spec.paper,
            cap=cap if rng.random() < 0.6 else spec.cap,
        )
        if abs(lightness(spec.ink) - lightness(spec.paper)) < 35:
            spec = replace(spec, ink=_LIGHT if lightness(spec.paper) < 50 else (18, 20, 24))
    if rng.random() < 0.25:
        spec = replace(spec, roughness=float(rng.uniform(0.06, 0.2)))
    return spec


def _dark(rng: np.random.Generator) -> RGB:
    grey = rng.uniform(6, 50)
    red, green, blue = np.clip(grey + rng.normal(0, 6, 3), 3, 62).astype(int)
    return int(red), int(green), int(blue)


def thin(model: ProductModel, rng: np.random.Generator) -> ProductModel:
    """The model pressed flat along its depth; the foot stays on the ground."""
    by = float(np.exp(rng.uniform(np.log(0.05), np.log(0.4))))
    return replace(model, parts=tuple(_pressed(part, by) for part in model.parts))


def _pressed(part: Part, by: float) -> Part:
    vertices = part.vertices * np.array([1, 1, by], np.float32)
    # normals go with the inverse
    normals = part.normals * np.array([by, by, 1], np.float32)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    return replace(part, vertices=vertices.astype(np.float32), normals=normals.astype(np.float32))


def patterned(model: ProductModel, rng: np.random.Generator) -> ProductModel:
    """Stripes, checks, dots or speckles printed over one part's picture."""
    drawn = [i for i, part in enumerate(model.parts) if part.material.texture is not None]
    if not drawn:
        return model
    index = int(rng.choice(drawn))
    part = model.parts[index]
    texture = part.material.texture
    assert texture is not None
    pixels = texture.pixels.copy()
    on = _motif(pixels.shape[0], pixels.shape[1], rng)[..., None]
    colour = rng.uniform(5, 250, 3) if rng.random() < 0.7 else pixels[..., :3].mean((0, 1)) * 0.6
    force = rng.uniform(0.3, 1.0)
    pixels[..., :3] = np.clip(pixels[..., :3] * (1 - on * force) + colour * on * force, 0, 255)
    material = replace(part.material, texture=replace(texture, pixels=pixels))
    parts = tuple(replace(p, material=material) if i == index else p for i, p in enumerate(model.parts))
    return replace(model, parts=parts)


def _motif(high: int, wide: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """0 to 1, (high, wide)."""
    x, y = np.meshgrid(np.arange(wide, dtype=np.float32), np.arange(high, dtype=np.float32))
    angle = float(rng.choice([0, 0.25, 0.5, 0.75]) * np.pi + rng.normal(0, 0.05))
    period = max(high, wide) * float(np.exp(rng.uniform(np.log(0.015), np.log(0.12))))
    u = np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / period)
    v = np.sin(2 * np.pi * (y * np.cos(angle) - x * np.sin(angle)) / period)
    few = max(2, round(high / period)), max(2, round(wide / period))
    noise = cv2.resize(rng.normal(0, 1, few).astype(np.float32), (wide, high), interpolation=cv2.INTER_CUBIC)
    drawn = (u, u * v, u + v - 0.6, noise - 0.3)[int(rng.integers(4))]
    return np.asarray(np.clip(drawn * period / 8 + 0.5, 0, 1), np.float32)

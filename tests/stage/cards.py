"""Cards and balls to draw, made in memory, and a camera that looks straight at them."""

from __future__ import annotations

from typing import Any

import numpy as np

from packline.camera import Camera
from packline.stage.model import GBuffer, Material, Part, ProductModel
from packline.stage.raster import Rasteriser
from tests.stage.build import quad, sphere

SIZE = 256
#: Looks straight at the card: it fills the middle half of the picture.
FRONT = Camera((0.05, 0.05, 0.5), (0.05, 0.05, 0.0), float(np.degrees(2 * np.arctan(0.2))), SIZE, SIZE)
#: The rows or columns of the picture that the card fills.
CARD = slice(SIZE // 4, SIZE * 3 // 4)


def card(name: str = "card", z: float = 0.0, **material: Any) -> Part:
    """A card of 10 cm that faces +Z, its texture upright."""
    shape = quad(z=z)
    return Part(
        name=name,
        vertices=shape["vertices"].astype(np.float32),
        normals=shape["normals"].astype(np.float32),
        faces=shape["faces"].astype(np.int64),
        material=Material(name=name, **material),
        uv=shape["uv"].astype(np.float32),
    )


def ball(radius: float = 0.04, z: float = 0.0, **material: Any) -> Part:
    """A sphere before the card's middle."""
    shape = sphere(radius)
    return Part(
        name="ball",
        vertices=(shape["vertices"] + (0.05, 0.05, z)).astype(np.float32),
        normals=shape["normals"].astype(np.float32),
        faces=shape["faces"].astype(np.int64),
        material=Material(name="ball", **material),
        uv=shape["uv"].astype(np.float32),
    )


def drawn(rasteriser: Rasteriser, *parts: Part, camera: Camera = FRONT) -> GBuffer:
    return rasteriser.gbuffer(ProductModel(parts=parts), camera)


def checks(side: int, cells: int, *colours: tuple[int, int, int]) -> np.ndarray:
    """A picture of square cells in random colours of the given ones."""
    rng = np.random.default_rng(3)
    choice = np.array(colours, np.uint8)[rng.integers(0, len(colours), (cells, cells))]
    rgb = choice.repeat(side // cells, 0).repeat(side // cells, 1)
    return np.dstack([rgb, np.full((side, side), 255, np.uint8)])


def quarters() -> np.ndarray:
    """Red, green above blue, white."""
    pixels = np.full((64, 64, 4), 255, np.uint8)
    pixels[:32, :32, :3], pixels[:32, 32:, :3], pixels[32:, :32, :3] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    return pixels


def corners_of(gbuffer: GBuffer) -> str:
    """The colours of the card's four quarters, in reading order: r, g, b, w."""
    names = {(1, 0, 0): "r", (0, 1, 0): "g", (0, 0, 1): "b", (1, 1, 1): "w"}
    near, far = SIZE * 3 // 8, SIZE * 5 // 8
    found = [gbuffer.albedo[y, x] for y in (near, far) for x in (near, far)]
    return "".join(names.get(tuple(np.round(colour).astype(int)), "?") for colour in found)


def leaf(side: int, soft: float) -> np.ndarray:
    """A green disk of diameter 0.8; its alpha falls off over `soft` of the picture around the edge."""
    x = (np.arange(side) + 0.5) / side - 0.5
    radius = np.hypot(x[None], x[:, None])
    alpha = np.clip((0.4 - radius) / max(soft, 1e-6) + 0.5, 0, 1)
    pixels = np.zeros((side, side, 4), np.uint8)
    pixels[..., 1], pixels[..., 3] = 200, np.round(alpha * 255)
    return pixels


def bumps(height: float = 0.04, side: int = 128) -> np.ndarray:
    """A normal map of one round bump that rises towards the viewer; green is up (glTF 2.0)."""
    x = (np.arange(side) + 0.5) / side - 0.5
    u, v = np.meshgrid(x, x)
    bell = np.exp(-(u**2 + v**2) / 0.02) * height
    slope_u, slope_v = np.gradient(bell, 1 / side, axis=1), np.gradient(bell, 1 / side, axis=0)
    normal = np.dstack([-slope_u, slope_v, np.ones_like(u)])
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    return np.dstack([np.round((normal + 1) * 127.5).astype(np.uint8), np.full((side, side), 255, np.uint8)])

"""A product's 3D model in memory: flat parts in world space, metres, Y up, standing on the ground."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from packline.truth import Label

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Material:
    """Metallic-roughness material, as far as the stage draws it.

    Parameters
    ----------
    base_colour
        Linear RGBA factor.
    texture
        sRGB, uint8 (H, W, 4), or None.
    metallic, roughness
        Factors; multiplied with blue and green of `surface_texture` where there is one.
    surface_texture, normal_texture
        Linear, uint8 (H, W, 4), as in glTF, or None.
    alpha_mode
        "OPAQUE", "MASK" or "BLEND".
    """

    name: str = ""
    base_colour: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    texture: NDArray[np.uint8] | None = None
    metallic: float = 0.0
    roughness: float = 0.6
    alpha_mode: str = "OPAQUE"
    alpha_cutoff: float = 0.5
    double_sided: bool = False
    emissive: tuple[float, float, float] = (0.0, 0.0, 0.0)
    emissive_texture: NDArray[np.uint8] | None = None
    surface_texture: NDArray[np.uint8] | None = None
    normal_texture: NDArray[np.uint8] | None = None
    normal_scale: float = 1.0


@dataclass(frozen=True)
class Part:
    """Triangles of one material, node transforms baked in.

    Parameters
    ----------
    vertices, normals
        float32 (N, 3).
    faces
        int64 (F, 3), counter-clockwise seen from outside.
    uv
        float32 (N, 2), u right, v down (glTF), or None.
    colours
        Linear RGBA of each vertex, float32 (N, 4), or None.
    """

    name: str
    vertices: Floats
    normals: Floats
    faces: NDArray[np.int64]
    material: Material
    uv: Floats | None = None
    colours: Floats | None = None


@dataclass(frozen=True)
class ProductModel:
    """All parts, the labels annotated on them, and notes on what was approximated."""

    parts: tuple[Part, ...]
    labels: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    sha256: str = ""

    @property
    def bounds(self) -> NDArray[np.float64]:
        """Lowest and highest corner, metres, shape (2, 3)."""
        low = np.min([part.vertices.min(0) for part in self.parts], 0)
        high = np.max([part.vertices.max(0) for part in self.parts], 0)
        return np.array([low, high], float)

    def transformed(self, matrix: NDArray[np.float64]) -> ProductModel:
        """The model moved by `matrix`, shape (4, 4): a rotation, a uniform scale and a shift."""
        linear = matrix[:3, :3]
        turn = linear / np.cbrt(np.linalg.det(linear))
        parts = tuple(
            replace(
                part,
                vertices=(part.vertices @ linear.T + matrix[:3, 3]).astype(np.float32),
                normals=(part.normals @ turn.T).astype(np.float32),
            )
            for part in self.parts
        )
        return replace(self, parts=parts)


@dataclass(frozen=True)
class GBuffer:
    """What the rasteriser saw, before light; antialiased by supersampling.

    Parameters
    ----------
    albedo
        Linear RGB base colour, float32 (H, W, 3), premultiplied by nothing; 0 where nothing is.
    normals
        World normals, float32 (H, W, 3), unit; face the camera.
    depth
        Metres, float32 (H, W); 0 where nothing is.
    mask
        Coverage, float32 (H, W), 0 to 1.
    roughness, metallic
        float32 (H, W).
    emissive
        Linear RGB, float32 (H, W, 3).
    """

    albedo: Floats
    normals: Floats
    depth: Floats
    mask: Floats
    roughness: Floats
    metallic: Floats
    emissive: Floats

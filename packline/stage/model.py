"""A product's 3D model in memory: flat parts in world space, metres, Y up, standing on the ground."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from packline.truth import Label

Floats = NDArray[np.float32]


#: Row-major 3 x 3 matrix on (u, v, 1).
Placement = tuple[float, float, float, float, float, float, float, float, float]


@dataclass(frozen=True, eq=False)
class Texture:
    """A picture and how it lies on a part.

    Parameters
    ----------
    pixels
        uint8 (H, W, 4); row 0 is v = 0.
    uv_set
        0: `Part.uv`, 1: `Part.uv1`.
    placement
        Applied to that UV before sampling; None: as it is. The base colour texture never has one: its own is
        baked into `Part.uv`, which therefore is the texture space that labels are annotated in.
    wrap
        Along u and v: "repeat", "mirror" or "clamp".
    nearest
        Whether texels keep hard edges when magnified.
    """

    pixels: NDArray[np.uint8]
    uv_set: int = 0
    placement: Placement | None = None
    wrap: tuple[str, str] = ("repeat", "repeat")
    nearest: bool = False


@dataclass(frozen=True)
class Material:
    """Metallic-roughness material, as far as the stage draws it.

    Parameters
    ----------
    base_colour
        Linear RGBA factor.
    texture
        Base colour, sRGB with linear alpha, or None.
    metallic, roughness
        Factors; multiplied with blue and green of `surface_texture` where there is one.
    surface_texture, normal_texture, occlusion_texture
        Linear, as in glTF, or None; occlusion is in red.
    alpha_mode
        "OPAQUE", "MASK" or "BLEND".
    unlit
        Whether its base colour is shown as it is, whatever the light.
    """

    name: str = ""
    base_colour: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    texture: Texture | None = None
    metallic: float = 0.0
    roughness: float = 0.6
    alpha_mode: str = "OPAQUE"
    alpha_cutoff: float = 0.5
    double_sided: bool = False
    emissive: tuple[float, float, float] = (0.0, 0.0, 0.0)
    emissive_texture: Texture | None = None
    surface_texture: Texture | None = None
    normal_texture: Texture | None = None
    normal_scale: float = 1.0
    occlusion_texture: Texture | None = None
    occlusion_strength: float = 1.0
    unlit: bool = False


@dataclass(frozen=True)
class Part:
    """Triangles of one material, node transforms baked in.

    Parameters
    ----------
    name
        What a person calls it, unique within the model: its mesh's or its material's name.
    vertices, normals
        float32 (N, 3).
    faces
        int64 (F, 3), counter-clockwise seen from outside.
    uv
        Where a point lies on the base colour texture, its placement included: float32 (N, 2), u right, v down
        (glTF), or None. The space that labels are annotated in.
    uv1
        A second UV set that other textures may use, float32 (N, 2), or None.
    tangents
        Which way the normal texture's red points and, in the fourth column, on which side of it its green:
        float32 (N, 4), as in glTF; None: as the UVs run.
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
    uv1: Floats | None = None
    tangents: Floats | None = None


def turned(tangents: NDArray[Any], turn: NDArray[np.float64]) -> Floats:
    """Tangents, (N, 4), after `turn`, (3, 3); their handedness stays."""
    return np.asarray(np.hstack([tangents[:, :3] @ turn.T, tangents[:, 3:]]), np.float32)


@dataclass(frozen=True)
class ProductModel:
    """All parts, the labels annotated on them, and notes on what was approximated.

    Parameters
    ----------
    variant, variants
        The material variant that is drawn (empty: the default) and all that the file offers.
    """

    parts: tuple[Part, ...]
    labels: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    sha256: str = ""
    variant: str = ""
    variants: tuple[str, ...] = ()

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
                tangents=None if part.tangents is None else turned(part.tangents, turn),
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
    roughness, metallic, occlusion
        float32 (H, W); occlusion is 1 where ambient light arrives whole.
    unlit
        Share of the covered samples whose material ignores light, float32 (H, W).
    emissive
        Linear RGB, float32 (H, W, 3).
    uv
        `Part.uv` at the pixel's nearest sample, float32 (H, W, 2); 0 where there is none.
    parts
        1 + index into `ProductModel.parts` of what the pixel mostly shows, uint16 (H, W); 0 where nothing is.
    over
        The nearest see-through surface (alpha mode BLEND) before this one, or None; its mask is coverage
        times alpha. What lies behind several of them is in `over.over`.
    alpha
        Mean alpha of the covered samples, float32 (H, W), so that coverage is mask / alpha; None: 1.
    share
        How much of the pixel this surface shows after all that is nearer, float32 (H, W); None: `mask`.
    """

    albedo: Floats
    normals: Floats
    depth: Floats
    mask: Floats
    roughness: Floats
    metallic: Floats
    emissive: Floats
    occlusion: Floats
    unlit: Floats
    uv: Floats
    parts: NDArray[np.uint16]
    over: GBuffer | None = None
    alpha: Floats | None = None
    share: Floats | None = None

"""From a product's parts to pyrender's primitives and textures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.stage import gl
from packline.stage.caster import caster_mesh
from packline.stage.cutouts import solid_part
from packline.stage.model import Material, Part, ProductModel, Texture

#: Larger textures are reduced before upload: four texels a pixel of a 1024 px view are enough.
MAX_TEXTURE = 4096
#: GL_TEXTURE_MAX_ANISOTROPY_EXT, which PyOpenGL's core names lack.
_MAX_ANISOTROPY = 0x84FE
#: From this alpha on, a surface is opaque: half a step of eight bits below one.
SOLID = 1 - 0.5 / 255

#: pyrender's vertex attributes after position and normal, in the order in which it lays them out.
_ATTRIBUTES = ("tangents", "texcoord_0", "texcoord_1", "color_0")
_PYRENDER_NAMES = {
    "base": "baseColorTexture",
    "surface": "metallicRoughnessTexture",
    "emissive": "emissiveTexture",
    "occlusion": "occlusionTexture",
    "normal": "normalTexture",
}


@dataclass(frozen=True)
class UploadedTexture:
    """A texture and pyrender's upload of its pixels."""

    texture: Texture
    upload: Any

    @property
    def rows(self) -> NDArray[np.float64]:
        """The first two rows of its placement, shape (2, 3)."""
        placement = self.texture.placement
        return np.eye(3)[:2] if placement is None else np.reshape(placement, (3, 3))[:2].astype(float)

    def lies_as(self, other: UploadedTexture) -> bool:
        """Whether both give the same texel at every point of a part."""
        a, b = self.texture, other.texture
        ways = [(used.uv_set, used.placement, used.wrap, used.nearest) for used in (a, b)]
        return self.upload is other.upload and ways[0] == ways[1]


@dataclass(frozen=True)
class UploadedPart:
    """A part, its pyrender primitive and its textures by their names in the shader.

    Parameters
    ----------
    defines
        What surface.vert and surface.frag are compiled with for it.
    least_alpha
        What is less is cut away: of a cut-out part; None of others.
    see_through
        Whether any of it is less than opaque.
    """

    part: Part
    primitive: Any
    textures: dict[str, UploadedTexture]
    defines: dict[str, int | str]
    least_alpha: float | None
    see_through: bool


#: By the id of the pixels, whether they are sRGB, and where their alpha is cut.
Uploads = dict[tuple[int, bool, float | None], Any]


def upload_part(scene: Any, part: Part, uploads: Uploads) -> UploadedPart:
    """Add a part to the pyrender scene; pictures that several materials use are uploaded once.

    Parameters
    ----------
    uploads
        What this model uploaded so far; grows.
    """
    pyrender = gl.import_pyrender()
    material: Material = part.material
    kinds: dict[str, Texture | None] = {
        "base": material.texture,
        "surface": material.surface_texture,
        "emissive": material.emissive_texture if max(material.emissive) > 0 else None,
        "occlusion": material.occlusion_texture if material.occlusion_strength > 0 else None,
        "normal": material.normal_texture,
    }
    maps: dict[str, UploadedTexture] = {}
    for name, texture in kinds.items():
        if texture is None or (part.uv, part.uv1)[texture.uv_set] is None:
            continue
        srgb, cutoff = name in ("base", "emissive"), _cutoff(part) if name == "base" else None
        key = (id(texture.pixels), srgb, cutoff)
        if key not in uploads:
            pixels = _reduced(texture.pixels)
            uploads[key] = _texture_class()(pixels if cutoff is None else _cut(pixels, cutoff), srgb)
        maps[name] = UploadedTexture(texture, uploads[key])
    uses_other = any(used.texture.uv_set == 1 for used in maps.values())
    primitive = pyrender.Primitive(
        positions=part.vertices,
        normals=part.normals,
        texcoord_0=part.uv,
        texcoord_1=part.uv1 if uses_other else None,
        tangents=part.tangents if "normal" in maps else None,
        color_0=part.colours,
        indices=part.faces,
        # pyrender uploads and frees what its material refers to
        material=pyrender.MetallicRoughnessMaterial(
            **{_PYRENDER_NAMES[name]: used.upload for name, used in maps.items()}
        ),
    )
    scene.add(pyrender.Mesh([primitive], name=part.name))
    occlusion, surface = maps.get("occlusion"), maps.get("surface")
    shared = occlusion is not None and surface is not None and occlusion.lies_as(surface)
    if shared:
        # exporters pack both into one picture: sampled once
        del maps["occlusion"]
    defines: dict[str, int | str] = {"NORMAL_LOC": 1}
    present = [name for name in _ATTRIBUTES if getattr(primitive, name) is not None]
    defines |= {f"{name.upper()}_LOC": location for location, name in enumerate(present, 2)}
    for name, used in maps.items():
        defines |= {f"HAS_{name.upper()}": 1, f"{name.upper()}_SET": ("uv", "other_uv")[used.texture.uv_set]}
    least = material.alpha_cutoff if material.alpha_mode == "MASK" else None
    if shared:
        defines["PACKS_OCCLUSION"] = 1
    if _cutoff(part) is not None:
        least = 0.5
        defines["CUT_TEXTURE"] = 1
    return UploadedPart(part, primitive, maps, defines, least, _is_see_through(part))


def upload_caster(scene: Any, model: ProductModel) -> Any:
    """All parts that stop light as one primitive, positions only."""
    pyrender = gl.import_pyrender()
    solid = [left for part in model.parts if (left := solid_part(part)) is not None]
    vertices, faces = caster_mesh(solid or model.parts)
    primitive = pyrender.Primitive(
        positions=vertices,
        indices=faces,
        material=pyrender.MetallicRoughnessMaterial(),
    )
    scene.add(pyrender.Mesh([primitive], name="caster"))
    return primitive


def _is_see_through(part: Part) -> bool:
    """Whether any of it is less than opaque: many files say BLEND of what is not."""
    material = part.material
    if material.alpha_mode != "BLEND":
        return False
    texture, colours = material.texture, part.colours
    return (
        material.base_colour[3] < SOLID
        or (texture is not None and part.uv is not None and int(texture.pixels[..., 3].min()) < 255)
        or (colours is not None and colours.shape[1] == 4 and float(colours[:, 3].min()) < SOLID)
    )


class Samplers:
    """How textures are sampled, apart from their pixels: several uses may share one upload."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, str, bool, bool], Any] = {}

    def bind(self, unit: int, texture: Texture, srgb: bool) -> None:
        """Let a texture unit wrap and filter as the texture asks."""
        from OpenGL import GL  # type: ignore[import-untyped]

        key = (*texture.wrap, texture.nearest, srgb)
        if key not in self._made:
            self._made[key] = self._make(*key)
        GL.glBindSampler(unit, self._made[key])

    @staticmethod
    def _make(along_u: str, along_v: str, nearest: bool, srgb: bool) -> Any:
        from OpenGL import GL

        wraps = {"repeat": GL.GL_REPEAT, "mirror": GL.GL_MIRRORED_REPEAT, "clamp": GL.GL_CLAMP_TO_EDGE}
        sampler = GL.glGenSamplers(1)
        for name, value in (
            (GL.GL_TEXTURE_WRAP_S, wraps[along_u]),
            (GL.GL_TEXTURE_WRAP_T, wraps[along_v]),
            (GL.GL_TEXTURE_MAG_FILTER, GL.GL_NEAREST if nearest else GL.GL_LINEAR),
            (GL.GL_TEXTURE_MIN_FILTER, GL.GL_LINEAR_MIPMAP_LINEAR),
        ):
            GL.glSamplerParameteri(sampler, name, value)
        if srgb and not nearest:
            # without it, print on a surface seen at a slant turns to mush; the other maps do not need it,
            # and on llvmpipe it triples the cost of a texture
            GL.glSamplerParameterf(sampler, _MAX_ANISOTROPY, 8.0)
        return sampler


_texture_classes: list[Any] = []


def _texture_class() -> Any:
    """pyrender's texture, uploaded as sRGB where it is, and unflipped: our V runs down."""
    if not _texture_classes:
        pyrender = gl.import_pyrender()
        from OpenGL import GL

        class StageTexture(pyrender.Texture):  # type: ignore[misc,name-defined]
            def __init__(self, pixels: NDArray[np.uint8], srgb: bool) -> None:
                super().__init__(source=pixels, source_channels="RGBA")
                self.srgb = srgb

            def _add_to_context(self) -> None:
                source = np.ascontiguousarray(self.source)
                height, width = source.shape[:2]
                inside = GL.GL_SRGB8_ALPHA8 if self.srgb else GL.GL_RGBA8
                self._texid = GL.glGenTextures(1)
                GL.glBindTexture(GL.GL_TEXTURE_2D, self._texid)
                GL.glTexImage2D(
                    GL.GL_TEXTURE_2D, 0, inside, width, height, 0, GL.GL_RGBA, GL.GL_UNSIGNED_BYTE, source
                )
                GL.glGenerateMipmap(GL.GL_TEXTURE_2D)
                GL.glBindTexture(GL.GL_TEXTURE_2D, 0)

        _texture_classes.append(StageTexture)
    return _texture_classes[0]


def _cutoff(part: Part) -> float | None:
    """Where a cut-out part's texture is cut, 0 to 1; None: not by its texture alone."""
    material, colours = part.material, part.colours
    if material.alpha_mode != "MASK" or material.texture is None or part.uv is None:
        return None
    if colours is not None and float(colours[:, 3].min()) < SOLID:
        return None
    cutoff = material.alpha_cutoff / max(material.base_colour[3], 1e-6)
    return cutoff if 0 < cutoff <= 1 else None


def _cut(pixels: NDArray[np.uint8], cutoff: float) -> NDArray[np.uint8]:
    """Sharpen alpha to one texel around the cutoff, which becomes one half.

    The outline stays where it was, but a mean over texels, as smaller mipmaps hold, now is the share of them
    that is there. A mean over soft alpha is not, and makes leaves swell or thin out with distance.
    """
    alpha = pixels[..., 3].astype(np.float32) / np.float32(255)
    slope = np.hypot(
        cv2.Scharr(alpha, cv2.CV_32F, 1, 0, scale=1 / 32, borderType=cv2.BORDER_REPLICATE),
        cv2.Scharr(alpha, cv2.CV_32F, 0, 1, scale=1 / 32, borderType=cv2.BORDER_REPLICATE),
    )
    # a step of one bit of eight is the least that counts as an edge
    sharp = np.clip(0.5 + (alpha - np.float32(cutoff - 0.5 / 255)) / np.maximum(slope, 1 / 255), 0, 1)
    return np.dstack([pixels[..., :3], np.round(sharp * 255).astype(np.uint8)])


def _reduced(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    for side in (0, 1):
        # llvmpipe's anisotropic filter mixes the texels of a palette, which is one texel high or wide
        if pixels.shape[side] == 1:
            pixels = np.repeat(pixels, 2, side)
    longest = max(pixels.shape[:2])
    if longest <= MAX_TEXTURE:
        return pixels
    size = (
        max(1, pixels.shape[1] * MAX_TEXTURE // longest),
        max(1, pixels.shape[0] * MAX_TEXTURE // longest),
    )
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)

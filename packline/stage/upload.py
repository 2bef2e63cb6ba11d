"""From a product's parts to pyrender's primitives and textures."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.stage import gl
from packline.stage.model import Material, Part, ProductModel, Texture

#: Larger textures are reduced before upload: four texels a pixel of a 1024 px view are enough.
MAX_TEXTURE = 4096
#: GL_TEXTURE_MAX_ANISOTROPY_EXT, which PyOpenGL's core names lack.
_MAX_ANISOTROPY = 0x84FE


def upload_part(scene: Any, part: Part, textures: dict[tuple[int, bool], Any]) -> Any:
    """Add a part to the pyrender scene; textures that parts share are uploaded once."""
    pyrender = gl.import_pyrender()
    material: Material = part.material
    kinds: dict[str, Texture | None] = {
        "baseColorTexture": material.texture,
        "emissiveTexture": material.emissive_texture if max(material.emissive) > 0 else None,
        "metallicRoughnessTexture": material.surface_texture,
        "normalTexture": material.normal_texture,
    }
    maps: dict[str, Any] = {}
    for name, texture in kinds.items():
        if texture is None or part.uv is None:
            continue
        pixels = texture.pixels
        srgb = name in ("baseColorTexture", "emissiveTexture")
        key = (id(pixels), srgb)
        if key not in textures:
            textures[key] = _texture_class()(pixels, srgb)
        maps[name] = textures[key]
    primitive = pyrender.Primitive(
        positions=part.vertices,
        normals=part.normals,
        texcoord_0=part.uv if maps else None,
        color_0=part.colours,
        indices=part.faces,
        material=pyrender.MetallicRoughnessMaterial(**maps),
    )
    scene.add(pyrender.Mesh([primitive], name=part.name))
    return primitive


def upload_caster(scene: Any, model: ProductModel) -> Any:
    """All parts that stop light as one primitive, positions only."""
    pyrender = gl.import_pyrender()
    solid = [part for part in model.parts if not _lets_light_through(part.material)] or list(model.parts)
    starts = np.cumsum([0, *(len(part.vertices) for part in solid)])
    primitive = pyrender.Primitive(
        positions=np.concatenate([part.vertices for part in solid]),
        indices=np.concatenate([part.faces + start for part, start in zip(solid, starts, strict=False)]),
        material=pyrender.MetallicRoughnessMaterial(),
    )
    scene.add(pyrender.Mesh([primitive], name="caster"))
    return primitive


def _lets_light_through(material: Material) -> bool:
    return material.alpha_mode == "BLEND" and material.base_colour[3] < 0.5


_texture_classes: list[Any] = []


def _texture_class() -> Any:
    """pyrender's texture, uploaded as sRGB where it is, and unflipped: our V runs down."""
    if not _texture_classes:
        pyrender = gl.import_pyrender()
        from OpenGL import GL  # type: ignore[import-untyped]

        class StageTexture(pyrender.Texture):  # type: ignore[misc,name-defined]
            def __init__(self, pixels: NDArray[np.uint8], srgb: bool) -> None:
                super().__init__(source=_reduced(pixels), source_channels="RGBA")
                self._srgb = srgb

            def _add_to_context(self) -> None:
                source = np.ascontiguousarray(self.source)
                height, width = source.shape[:2]
                inside = GL.GL_SRGB8_ALPHA8 if self._srgb else GL.GL_RGBA8
                self._texid = GL.glGenTextures(1)
                GL.glBindTexture(GL.GL_TEXTURE_2D, self._texid)
                GL.glTexImage2D(
                    GL.GL_TEXTURE_2D, 0, inside, width, height, 0, GL.GL_RGBA, GL.GL_UNSIGNED_BYTE, source
                )
                GL.glGenerateMipmap(GL.GL_TEXTURE_2D)
                for name, value in (
                    (GL.GL_TEXTURE_MAG_FILTER, GL.GL_LINEAR),
                    (GL.GL_TEXTURE_MIN_FILTER, GL.GL_LINEAR_MIPMAP_LINEAR),
                    (GL.GL_TEXTURE_WRAP_S, GL.GL_REPEAT),
                    (GL.GL_TEXTURE_WRAP_T, GL.GL_REPEAT),
                ):
                    GL.glTexParameteri(GL.GL_TEXTURE_2D, name, value)
                if self._srgb:
                    # without it, print on a surface seen at a slant turns to mush; the other maps do not
                    # need it, and on llvmpipe it triples the cost of a texture
                    GL.glTexParameterf(GL.GL_TEXTURE_2D, _MAX_ANISOTROPY, 8.0)
                GL.glBindTexture(GL.GL_TEXTURE_2D, 0)

        _texture_classes.append(StageTexture)
    return _texture_classes[0]


def _reduced(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    longest = max(pixels.shape[:2])
    if longest <= MAX_TEXTURE:
        return pixels
    size = (
        max(1, pixels.shape[1] * MAX_TEXTURE // longest),
        max(1, pixels.shape[0] * MAX_TEXTURE // longest),
    )
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)

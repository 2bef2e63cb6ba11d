"""Specular-glossiness materials as metallic-roughness, texel by texel.

The formulas are those of the Khronos group's own converter: glTF repository,
extensions/2.0/Archived/KHR_materials_pbrSpecularGlossiness/examples/convert-between-workflows,
"babylon.pbrUtilities.js".
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.colour import to_linear, to_srgb

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

#: What a surface that is no metal reflects straight on.
_DIELECTRIC = 0.04
_ROWS = 256


def to_metallic_roughness(
    diffuse: Floats, specular: Floats, glossiness: Floats
) -> tuple[Floats, Floats, Floats]:
    """Base colour, metallic and roughness.

    Parameters
    ----------
    diffuse, specular
        Linear RGB, float32 (..., 3), 0 to 1.
    glossiness
        float32 (...), 0 to 1.

    Returns
    -------
    base, metallic, roughness
        Linear RGB (..., 3) and (...), 0 to 1.
    """
    strength = 1 - specular.max(-1)
    metallic = _metallic(_brightness(diffuse), _brightness(specular), strength)
    m = metallic[..., None]
    from_diffuse = diffuse * (strength / (1 - _DIELECTRIC) / np.maximum(1 - metallic, 1e-6))[..., None]
    from_specular = (specular - _DIELECTRIC * (1 - m)) / np.maximum(m, 1e-6)
    base = np.clip(from_diffuse + (from_specular - from_diffuse) * m * m, 0, 1)
    return base.astype(np.float32), metallic.astype(np.float32), (1 - glossiness).astype(np.float32)


def convert_textures(
    diffuse: Pixels | None,
    diffuse_factor: tuple[float, float, float],
    specular: Pixels | None,
    specular_factor: tuple[float, float, float],
    glossiness: float,
) -> tuple[Pixels, Pixels]:
    """Base colour and surface textures of a specular-glossiness material, its factors baked in.

    Parameters
    ----------
    diffuse, specular
        sRGB with alpha, linear glossiness in the second's alpha: uint8 (H, W, 4), or None. Where both are
        given but of different sizes, the smaller one is enlarged.

    Returns
    -------
    base
        sRGB with the diffuse texture's alpha, uint8 (H, W, 4).
    surface
        Roughness in green, metallic in blue, uint8 (H, W, 4).
    """
    pictures = [picture for picture in (diffuse, specular) if picture is not None]
    height = max((picture.shape[0] for picture in pictures), default=1)
    width = max((picture.shape[1] for picture in pictures), default=1)
    first, second = _sized(diffuse, height, width), _sized(specular, height, width)
    base = np.empty((height, width, 4), np.uint8)
    surface = np.full((height, width, 4), 255, np.uint8)
    # in bands, since the arithmetic takes some 100 bytes for each texel
    for top in range(0, height, _ROWS):
        band = slice(top, min(top + _ROWS, height))
        colour, metallic, roughness = to_metallic_roughness(
            to_linear(first[band, :, :3]) * np.array(diffuse_factor, np.float32),
            to_linear(second[band, :, :3]) * np.array(specular_factor, np.float32),
            second[band, :, 3].astype(np.float32) * np.float32(glossiness / 255),
        )
        base[band, :, :3] = to_srgb(colour)
        base[band, :, 3] = first[band, :, 3]
        surface[band, :, 1] = np.round(roughness * 255)
        surface[band, :, 2] = np.round(metallic * 255)
    return base, surface


def _sized(picture: Pixels | None, height: int, width: int) -> Pixels:
    if picture is None:
        return np.broadcast_to(np.uint8(255), (height, width, 4))
    if picture.shape[:2] == (height, width):
        return picture
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _brightness(colour: Floats) -> Floats:
    return np.asarray(np.sqrt((colour**2) @ np.array([0.299, 0.587, 0.114], np.float32)), np.float32)


def _metallic(diffuse: Floats, specular: Floats, strength: Floats) -> Floats:
    """The metallic share that reflects as much as both say."""
    b = diffuse * strength / (1 - _DIELECTRIC) + specular - 2 * _DIELECTRIC
    c = _DIELECTRIC - specular
    root = np.sqrt(np.maximum(b * b - 4 * _DIELECTRIC * c, 0))
    solved = np.clip((root - b) / (2 * _DIELECTRIC), 0, 1)
    return np.asarray(np.where(specular < _DIELECTRIC, 0, solved), np.float32)

"""Textures: decoded strictly, or refused with a sentence."""

from __future__ import annotations

import io
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from packline.errors import GiveUp

MAX_TEXTURE_SIDE = 8192
#: All textures of a model together.
MAX_TEXTURE_PIXELS = 4 * 8192 * 8192


def decode_image(data: bytes, label: str, model: str) -> tuple[NDArray[np.uint8], int]:
    """Decode a texture.

    Returns
    -------
    pixels
        uint8 (H, W, 4).
    count
        H times W.

    Raises
    ------
    GiveUp
        Where it is too large, is KTX2 or cannot be decoded.
    """
    if data[:12] == b"\xabKTX 20\xbb\r\n\x1a\n":
        raise GiveUp(
            f"Model {model}: its {label} is KTX2, which is not read; export it as PNG, JPEG or WebP."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture: Image.Image = Image.open(io.BytesIO(data))
            width, height = picture.size
            if max(width, height) > MAX_TEXTURE_SIDE:
                raise GiveUp(
                    f"Model {model}: its {label} is {width}x{height} px, larger than "
                    f"{MAX_TEXTURE_SIDE} px; reduce it."
                )
            if picture.mode in ("I;16", "I", "F"):
                picture = Image.fromarray((np.asarray(picture, np.int64) >> 8).astype(np.uint8))
            pixels = np.asarray(picture.convert("RGBA"))
    except GiveUp:
        raise
    except Exception as error:
        raise GiveUp(
            f"Model {model}: its {label} cannot be decoded ({type(error).__name__}: {error}); "
            "export it as PNG, JPEG or WebP."
        ) from error
    return np.ascontiguousarray(pixels), width * height

"""Textures: decoded strictly, or refused with a sentence."""

from __future__ import annotations

import io
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from packline.errors import GiveUp

MAX_TEXTURE_SIDE = 8192
#: All textures of a model together.
MAX_TEXTURE_PIXELS = 4 * 8192 * 8192
#: Formats whose decoders are trusted with strange files; EPS, say, would start another program.
_FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "BMP", "TGA", "TIFF", "GIF", "DDS", "PSD")


def decode_image(data: bytes, label: str, model: str) -> tuple[NDArray[np.uint8], int]:
    """Decode a texture as it lies there: profiles, gamma and orientation marks count nothing, as in glTF.

    Returns
    -------
    pixels
        uint8 (H, W, 4); of 16 bits the upper 8.
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
            warnings.simplefilter("ignore")
            picture: Image.Image = Image.open(io.BytesIO(data), formats=_FORMATS)
            width, height = picture.size
            if max(width, height) > MAX_TEXTURE_SIDE:
                raise GiveUp(
                    f"Model {model}: its {label} is {width}x{height} px, larger than "
                    f"{MAX_TEXTURE_SIDE} px; reduce it."
                )
            _check_whole(data, picture.format)
            pixels = np.asarray(_rgba(picture))
    except (GiveUp, MemoryError):
        raise
    except Exception as error:
        unknown = isinstance(error, UnidentifiedImageError)
        said = "no known kind of picture" if unknown else " ".join(str(error).split())[:120]
        raise GiveUp(
            f"Model {model}: its {label} cannot be decoded ({said}); export it as PNG, JPEG or WebP."
        ) from error
    return np.ascontiguousarray(pixels), width * height


def _check_whole(data: bytes, kind: str | None) -> None:
    """What the decoders let pass and would fill with rubbish."""
    if kind == "PNG":
        # decoding checks no checksum of the pixels
        with Image.open(io.BytesIO(data)) as picture:
            picture.verify()
    elif kind == "JPEG" and _blocks(data) > 4 * len(data):
        raise ValueError("its data is cut off")


def _blocks(data: bytes) -> int:
    """How many blocks of 8 x 8 a sequential JPEG codes, each in two bits at least; 0 for a progressive one.

    ITU T.81, B.2.2: a frame header has height, width and for each component its sampling factors.
    """
    at = 2
    while at + 19 < len(data) and data[at] == 0xFF:
        kind, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if kind in (0xC0, 0xC1):
            height, width = (int.from_bytes(data[at + 5 + i : at + 7 + i], "big") for i in (0, 2))
            factors = [data[at + 11 + 3 * i] for i in range(data[at + 9])]
            across, down = max(f >> 4 for f in factors), max(f & 15 for f in factors)
            return sum(
                -(-width * (f >> 4) // (8 * across)) * -(-height * (f & 15) // (8 * down)) for f in factors
            )
        if kind == 0xDA:
            break
        at += 2 + length
    return 0


def _rgba(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):  # grey of 16 bits
        grey = np.asarray(picture).astype(np.int64)
        return Image.fromarray(np.clip(grey >> 8, 0, 255).astype(np.uint8)).convert("RGBA")
    if picture.mode == "F":
        raise ValueError("texels of floating point")
    if picture.mode in ("CMYK", "YCbCr", "LAB", "HSV"):
        picture = picture.convert("RGB")
    return picture.convert("RGBA")

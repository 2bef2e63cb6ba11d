"""Encoding: pixels become a file that says that they are sRGB and nothing that nobody asked for.

The same pixels, settings and words give the same bytes.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache
from typing import Any

from PIL import Image, ImageCms, PngImagePlugin

from packline.delivery.frame import Pixels
from packline.settings import FormatSettings

ENDINGS = {"png": "png", "jpeg": "jpg", "webp": "webp", "avif": "avif"}
"""A file's ending by format."""

MEDIA_TYPES = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp", "avif": "image/avif"}

_QUALITY = {"jpeg": 90, "webp": 90, "avif": 80}
# from here on colours keep every pixel of theirs: halved, they smear coloured print
_FULL_COLOUR = 80


@dataclass(frozen=True)
class Words:
    """What a file says of itself.

    Parameters
    ----------
    xmp
        An XMP packet, UTF-8.
    iim
        IPTC-IIM records; only JPEG has a place for them.
    """

    xmp: bytes
    iim: bytes = b""


def encode(pixels: Pixels, asked: FormatSettings, words: Words | None = None) -> bytes:
    """Encode a picture as a shop asks for it.

    Parameters
    ----------
    pixels
        sRGB, uint8 (H, W, 3).

    Returns
    -------
    bytes
        PNG and WebP at quality 100 are lossless. JPEG is progressive. JPEG and AVIF keep colour at full
        resolution (4:4:4) from quality 80 on, and at half of it (4:2:0) below; WebP has nothing but 4:2:0
        where it is not lossless. PNG is tagged with sRGB and cICP, AVIF with its own code points, JPEG and
        WebP, which have no short way to say so, with a profile of half a kilobyte.
    """
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, asked.format.upper(), **_options(asked, words))
    return stream.getvalue()


def _options(asked: FormatSettings, words: Words | None) -> dict[str, Any]:
    quality = asked.quality or _QUALITY.get(asked.format, 0)
    said = {"xmp": words.xmp} if words else {}
    subsampling = "4:4:4" if quality >= _FULL_COLOUR else "4:2:0"
    match asked.format:
        case "png":
            return {"pnginfo": _png_words(words), "compress_level": 5}  # 6 takes twice as long for 3 % less
        case "jpeg":
            shape = {"quality": quality, "subsampling": subsampling, "progressive": True, "optimize": True}
            segment = {"extra": _app13(words.iim)} if words and words.iim else {}
            return {**shape, **said, **segment, "icc_profile": srgb_profile()}
        case "webp":
            shape = {"lossless": True, "quality": 80} if quality == 100 else {"quality": quality}
            return {**shape, **said, "method": 4, "icc_profile": srgb_profile()}
        case _:
            # more threads give other bytes
            return {"quality": quality, "subsampling": subsampling, "speed": 6, "max_threads": 1, **said}


def _png_words(words: Words | None) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add(b"sRGB", bytes([0]))  # perceptual
    info.add(b"cICP", bytes([1, 13, 0, 1]))  # BT.709's primaries, sRGB's curve, RGB, full range
    if words:
        info.add_itxt("XML:com.adobe.xmp", words.xmp.decode())
    return info


@cache
def srgb_profile() -> bytes:
    """An ICC profile of sRGB, 4.4; the same bytes on every day."""
    made = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    made[24:36] = bytes.fromhex("07ea 0001 0001 0000 0000 0000")  # when it was made
    return bytes(made)


def _app13(iim: bytes) -> bytes:
    """IPTC-IIM in Photoshop's envelope, a JPEG segment of its own."""
    resource = b"8BIM" + (0x0404).to_bytes(2, "big") + bytes(2) + len(iim).to_bytes(4, "big") + iim
    payload = b"Photoshop 3.0\0" + resource + bytes(len(iim) % 2)
    return b"\xff\xed" + (len(payload) + 2).to_bytes(2, "big") + payload

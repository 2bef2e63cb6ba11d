"""A file is sRGB and says so, is the same on every day, and carries nothing that nobody asked for."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from packline.delivery import ENDINGS, Pixels, Words, encode
from packline.settings import FormatSettings

FORMATS = ("png", "jpeg", "webp", "avif")
# what a file is made of: its container, and its colours
_ICC = {"ICC-header", "ICC_Profile", "ICC-chrm"}
_GROUPS = {
    "png": {"PNG", "PNG-cICP"},
    "jpeg": {"JFIF", *_ICC},
    "webp": {"RIFF", *_ICC},
    "avif": {"QuickTime", "Meta"},
}
WORDS = Words(b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>", b"\x1c\x02\x41\x00\x08Packline")


def asked(kind: str, **values: Any) -> FormatSettings:
    return FormatSettings.model_validate({"format": kind, **values})


@pytest.fixture(scope="module")
def pixels() -> Pixels:
    y, x = np.mgrid[0:200, 0:300]
    smooth = np.stack([x * 0.8, y * 1.2, (x + y) * 0.5], -1)
    picture = np.clip(smooth + np.random.default_rng(1).normal(0, 2, smooth.shape), 0, 255).astype(np.uint8)
    picture[80:120, 60:240] = (250, 250, 250)
    picture[90:110, 70:230:6] = (200, 0, 20)  # red print on white
    return picture


def read(data: bytes) -> tuple[Image.Image, Pixels]:
    picture = Image.open(io.BytesIO(data))
    return picture, np.asarray(picture.convert("RGB"))


def exiftool(data: bytes, ending: str, folder: Path) -> dict[str, Any]:
    file = folder / f"picture.{ending}"
    file.write_bytes(data)
    said = subprocess.run(["exiftool", "-j", "-G1", "-a", file], check=True, capture_output=True)
    (found,) = json.loads(said.stdout)
    return {str(name): value for name, value in found.items()}


@pytest.mark.parametrize(("kind", "quality"), [("png", None), ("webp", 100)])
def test_what_is_lossless_is_the_very_picture(pixels: Pixels, kind: str, quality: int | None) -> None:
    assert np.array_equal(read(encode(pixels, asked(kind, quality=quality)))[1], pixels)


@pytest.mark.parametrize(("kind", "most"), [("jpeg", 3.0), ("webp", 6.0), ("avif", 3.0)])
def test_what_is_not_lossless_is_near(pixels: Pixels, kind: str, most: float) -> None:
    found = read(encode(pixels, asked(kind)))[1]
    assert np.abs(found.astype(int) - pixels).mean() < most


@pytest.mark.parametrize("kind", ["jpeg", "avif"])
def test_coloured_print_keeps_its_colour_at_high_quality(pixels: Pixels, kind: str) -> None:
    def reddest(quality: int) -> int:
        found = read(encode(pixels, asked(kind, quality=quality)))[1].astype(int)
        strokes = found[92:108, 76:224:6]
        return int((strokes[..., 0] - strokes[..., 1]).mean())

    assert reddest(90) > 185, "of 200"
    assert reddest(79) < reddest(90) - 30, "below quality 80 colours are halved"


def test_a_jpeg_is_progressive_and_its_colours_are_whole(pixels: Pixels, tmp_path: Path) -> None:
    found = exiftool(encode(pixels, asked("jpeg")), "jpg", tmp_path)
    assert found["File:EncodingProcess"] == "Progressive DCT, Huffman coding"
    assert found["File:YCbCrSubSampling"] == "YCbCr4:4:4 (1 1)"
    assert exiftool(encode(pixels, asked("jpeg", quality=60)), "jpg", tmp_path)[
        "File:YCbCrSubSampling"
    ].startswith("YCbCr4:2:0")


def test_every_format_says_that_it_is_srgb(pixels: Pixels, tmp_path: Path) -> None:
    png = encode(pixels, asked("png"))
    assert b"\0\0\0\x01sRGB\0" in png
    assert b"\0\0\0\x04cICP\x01\x0d\0\x01" in png
    for kind in ("jpeg", "webp"):
        profile = read(encode(pixels, asked(kind)))[0].info["icc_profile"]
        made = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        there = ImageCms.buildTransform(made, ImageCms.createProfile("sRGB"), "RGB", "RGB")
        changed = ImageCms.applyTransform(Image.fromarray(pixels), there)
        assert changed is not None
        assert np.abs(np.asarray(changed).astype(int) - pixels).max() <= 1, "the profile is sRGB's"
    # the numbers that stand for BT.709's primaries, sRGB's curve and BT.601's mixing, of the full range
    assert b"colrnclx\0\x01\0\x0d\0\x06\x80" in encode(pixels, asked("avif"))


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_carries_its_words_and_nothing_else(pixels: Pixels, kind: str, tmp_path: Path) -> None:
    bare = encode(pixels, asked(kind))
    told = exiftool(bare, ENDINGS[kind], tmp_path)
    groups = {name.partition(":")[0] for name in told} - {"SourceFile", "ExifTool", "System", "Composite"}
    assert groups == {"File"} | _GROUPS[kind]
    for word in (b"xmpmeta", b"Exif\0", b"Software", b"tIME", b"tEXt", b"Photoshop"):
        assert word not in bare
    spoken = encode(pixels, asked(kind), WORDS)
    assert spoken.count(WORDS.xmp) == 1
    assert spoken.count(WORDS.iim) == (1 if kind == "jpeg" else 0)
    assert np.array_equal(read(spoken)[1], read(bare)[1]), "words change no pixel"


@pytest.mark.parametrize("kind", FORMATS)
def test_the_same_pixels_give_the_same_bytes_in_another_process(
    pixels: Pixels, kind: str, tmp_path: Path
) -> None:
    np.save(tmp_path / "pixels.npy", pixels)
    script = (
        "import sys, numpy as np; from packline.delivery import encode; "
        "from packline.settings import FormatSettings; "
        "sys.stdout.buffer.write(encode(np.load(sys.argv[1]), FormatSettings(format=sys.argv[2])))"
    )
    other = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "pixels.npy", kind], check=True, capture_output=True
    )
    assert other.stdout == encode(pixels, asked(kind))

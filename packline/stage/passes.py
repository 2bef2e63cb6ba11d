"""The passes of a reference as files and pictures that a person can open and read."""

from __future__ import annotations

import json
from colorsys import hls_to_rgb
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from packline.reference import Picture, Reference
from packline.stage.model import Floats

#: Metres of one step of `depth.png`, the finest that reaches as far as the view does.
DEPTH_STEPS = (0.0001, 0.001, 0.01, 0.1, 1.0)

_LAST = 65535


def write_passes(reference: Reference, folder: Path) -> None:
    """Write every pass below `folder`, as `Reference.save` does, and change what few programs show.

    Depth is there twice: `depth.npy` in metres, and `depth.png` in 16 bits, whose step in metres is
    `depth_png_metres` in `truth.json`. `parts.png` and `labels.png` are false colours: pixels are indices
    into a palette, and the index is the part's or the label's number (`PartColours.index`; 1 + index into
    `labels`). Where there are more than 255 parts, `parts.png` holds the numbers in 16 bits.
    """
    reference.save(folder)
    step = next((one for one in DEPTH_STEPS if reference.depth.max() <= one * _LAST), DEPTH_STEPS[-1])
    depth = np.round(np.minimum(reference.depth / np.float32(step), _LAST)).astype(np.uint16)
    cv2.imwrite(str(folder / "depth.png"), depth)
    if reference.parts.max() <= 255:
        _write_indexed(reference.parts.astype(np.uint8), folder / "parts.png")
    _write_indexed(reference.label_map, folder / "labels.png")
    file = folder / "truth.json"
    truth = {**json.loads(file.read_text()), "depth_png_metres": step}
    file.write_text(json.dumps(truth, indent=1, ensure_ascii=False))


def false_colour(number: int) -> tuple[int, int, int]:
    """A colour for a part or a label: 0 is black, neighbours in number are easily told apart, sRGB."""
    if number == 0:
        return 0, 0, 0
    # the golden ratio's multiples spread the hues evenly, however many there are
    hue = (0.58 + number * 0.61803398875) % 1
    lightness = (0.62, 0.45, 0.75)[number % 3]
    red, green, blue = (round(255 * channel) for channel in hls_to_rgb(hue, lightness, 0.6))
    return red, green, blue


def false_colours(numbers: NDArray[np.uint16] | Picture) -> Picture:
    """A map of numbers as a picture, sRGB uint8 (H, W, 3)."""
    palette = np.array([false_colour(number) for number in range(int(numbers.max()) + 1)], np.uint8)
    return np.asarray(palette[numbers])


def normals_picture(normals: Floats, mask: Picture) -> Picture:
    """World normals: red is right, green up, blue front; grey outside."""
    picture = np.round((normals + 1) * 127.5)
    return np.where(mask[..., None] > 0, picture, 128).astype(np.uint8)


def depth_picture(depth: Floats) -> Picture:
    """Near is light, far dark, whatever the range; black outside."""
    seen = depth > 0
    if not seen.any():
        return np.zeros(depth.shape, np.uint8)
    near, far = float(depth[seen].min()), float(depth[seen].max())
    grey = 235 - 175 * (depth - near) / max(far - near, 1e-9)
    return np.where(seen, np.clip(grey, 0, 255), 0).astype(np.uint8)


def uv_picture(uv: Floats, mask: Picture) -> Picture:
    """Texture space: red grows with u, green with v, and a checker of sixteenths shows how it is laid."""
    picture = np.zeros((*uv.shape[:2], 3), np.float32)
    picture[..., :2] = uv * 255
    squares = np.floor(uv * 16).astype(int).sum(-1) % 2
    picture[..., 2] = 70
    picture *= np.where(squares == 1, 1.0, 0.72)[..., None]
    picture[(uv == 0).all(-1)] = 40
    picture[mask == 0] = 0
    return picture.astype(np.uint8)


def surface_picture(surface: Picture, mask: Picture) -> Picture:
    """What surfaces mirror: mirrors light, matte ones dark, metal blue; black outside and where not known."""
    if not surface.size:
        return np.zeros((*mask.shape, 3), np.uint8)
    gloss = 40 + 0.8 * (255 - surface[..., 0].astype(np.float32))
    warm = gloss * (1 - surface[..., 1] / np.float32(255) * np.float32(0.55))
    picture = np.stack([warm, warm, gloss], -1)
    return np.where(mask[..., None] > 0, picture, 0).astype(np.uint8)


def _write_indexed(numbers: Picture, file: Path) -> None:
    image = Image.fromarray(numbers)
    image.putpalette(bytes(channel for number in range(256) for channel in false_colour(number)))
    image.save(file)

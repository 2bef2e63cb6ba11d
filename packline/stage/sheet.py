"""What a person looks at: a contact sheet of a product's references, with the truth drawn on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from packline.colour import from_lab, to_linear, to_srgb
from packline.reference import BACKDROP, Picture, Reference
from packline.stage.passes import (
    depth_picture,
    false_colour,
    false_colours,
    normals_picture,
    surface_picture,
    uv_picture,
)
from packline.truth import PartColours, TextTruth, direction_words

_PAPER, _INK, _PALE = (246, 246, 244), (20, 20, 20), (105, 105, 105)
_PALETTE = ((214, 40, 40), (0, 95, 190), (0, 130, 60), (170, 70, 0), (120, 40, 160))
# so many parts are listed, the largest ones
_PARTS = 24
_LINE, _EDGE = 26, 10

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def contact_sheet(
    references: Sequence[Reference], tile: int = 320, title: str = "", photo: Picture | None = None
) -> Picture:
    """All passes of several views in one picture, and below them the colour truth and the notes.

    Parameters
    ----------
    references
        One row each, of one product.
    tile
        Side of one cell in pixels.
    title
        Stands at its head.
    photo
        The scene's, sRGB (H, W, 3): views in the scene are shown in it.

    Returns
    -------
    uint8 (H, W, 3), sRGB
    """
    order = list(dict.fromkeys(label.label for one in references for label in one.labels))
    columns = _columns(references, photo, order)
    width = max(tile * len(columns), 720)
    blocks = [_head(title, [name for name, _ in columns], tile, width)]
    blocks += [_row(reference, columns, tile, width, order) for reference in references]
    blocks.append(_colour_truth(references, width))
    notes = list(dict.fromkeys(note for reference in references for note in reference.notes))
    if notes:
        blocks.append(_notes(notes, width))
    return np.concatenate([np.asarray(block) for block in blocks])


def draw_truth(picture: Picture, labels: Sequence[TextTruth], order: Sequence[str] = ()) -> Picture:
    """A copy of a picture with each label's outline, its string and an arrow in its reading direction.

    Parameters
    ----------
    order
        Ids of all the product's labels, so that each has its colour in every view; empty: as they come.
    """
    out = picture.copy()
    scale = max(picture.shape[:2]) / 1024
    width = max(1, round(3 * scale))
    colours = _label_colours(labels, order)
    for label, colour in zip(labels, colours, strict=True):
        outline = np.round(np.array(label.outline) * 8).astype(np.int32)
        cv2.polylines(out, [outline], True, colour, width, cv2.LINE_AA, shift=3)
        a, b, c, d = np.array(label.quad)
        # beside the text, at its foot, so that both can be read
        foot = (d - a + c - b) / 2
        clear = foot / max(float(np.linalg.norm(foot)), 1e-6) * 10 * scale
        cv2.arrowedLine(
            out, _pixel(d + clear), _pixel(c + clear), colour, max(1, round(3 * scale)), cv2.LINE_AA,
            tipLength=min(0.3, 14 * scale / max(float(np.linalg.norm(c - d)), 1.0)),
        )  # fmt: skip
    image = Image.fromarray(out)
    draw = ImageDraw.Draw(image)
    font = _font(max(11, round(22 * scale)))
    for label, colour in zip(labels, colours, strict=True):
        x, y = np.array(label.outline).min(0)
        box = draw.textbbox((0, 0), label.text, font)
        at = (
            float(np.clip(x, 2, max(picture.shape[1] - box[2] - 6, 2))),
            float(np.clip(y - box[3] - 8 * scale, 2, picture.shape[0] - box[3] - 4)),
        )
        draw.rectangle((at[0] - 3, at[1] - 1, at[0] + box[2] + 3, at[1] + box[3] + 3), (255, 255, 255))
        draw.text(at, label.text, colour, font)
    return np.asarray(image)


# the sheet's parts


def _columns(
    references: Sequence[Reference], photo: Picture | None, order: Sequence[str]
) -> list[tuple[str, Callable[[Reference], Picture] | None]]:
    """Heading and picture of each pass that any of the views has; None stands for the drawn truth."""
    columns: list[tuple[str, Callable[[Reference], Picture] | None]] = [
        ("colour, text truth", None),
        ("albedo", lambda one: _over_grey(one.albedo, one.mask)),
        ("normals", lambda one: normals_picture(one.normals, one.mask)),
        ("depth", lambda one: depth_picture(one.depth)),
        ("mask", lambda one: one.mask),
        ("gloss (metal blue)", lambda one: surface_picture(one.surface, one.mask)),
        ("texture space", lambda one: uv_picture(one.uv, one.mask)),
        ("parts", lambda one: false_colours(one.parts)),
    ]
    if any(one.label_map.any() for one in references):
        columns.append(("labels", lambda one: _label_areas(one, order)))
    if any((one.shadow < 255).any() for one in references):
        columns.append(("ground shadow", lambda one: one.shadow))
    if photo is not None:
        here = photo
        columns.append(("in the scene", lambda one: _placed(here, one)))
    return columns


def _head(title: str, names: Sequence[str], tile: int, width: int) -> Image.Image:
    image, draw = _blank(width, 2 * _LINE + 20 if title else _LINE + 6)
    if title:
        draw.text((_EDGE, 8), title, _INK, _font(24))
    for column, name in enumerate(names):
        draw.text((column * tile + _EDGE, image.height - _LINE), name, _PALE, _font(18))
    return image


def _row(
    reference: Reference,
    columns: Sequence[tuple[str, Callable[[Reference], Picture] | None]],
    tile: int,
    width: int,
    order: Sequence[str],
) -> Image.Image:
    words = [_describe(label) for label in reference.labels] or ["no label in this view"]
    height = round(tile * min(reference.mask.shape[0] / reference.mask.shape[1], 1.0))
    image, draw = _blank(width, _LINE * len(words) + height + 8)
    font = _font(18)
    left = _EDGE + draw.textlength(f"{reference.view}:  ", font)
    draw.text((_EDGE, 2), f"{reference.view}:", _INK, font)
    for line, sentence in enumerate(words):
        draw.text((left, 2 + line * _LINE), sentence, _INK if reference.labels else _PALE, font)
    for column, (_, picture) in enumerate(columns):
        drawn = (
            draw_truth(reference.colour, reference.labels, order) if picture is None else picture(reference)
        )
        image.paste(_tile(drawn, tile - 4), (column * tile + 2, _LINE * len(words) + 4))
    return image


def _colour_truth(references: Sequence[Reference], width: int) -> Image.Image:
    """Each part's name, its colour in the column "parts", its area and its swatches with their shares."""
    parts = references[0].colours
    listed = sorted(parts, key=lambda part: -part.area)[:_PARTS]
    further = len(parts) - len(listed)
    image, draw = _blank(width, 52 + 50 * len(listed) + (_LINE if further else 0))
    draw.text((_EDGE, 12), "colour truth: unlit colours of each part, by area", _PALE, _font(18))
    for row, part in enumerate(listed):
        _part(draw, part, references, 46 + 50 * row, width)
    if further:
        words = f"and {further} smaller parts; all of them are in truth.json"
        draw.text((_EDGE, image.height - _LINE), words, _PALE, _font(18))
    return image


def _part(
    draw: ImageDraw.ImageDraw, part: PartColours, references: Sequence[Reference], top: int, width: int
) -> None:
    draw.rectangle((_EDGE, top, _EDGE + 26, top + 42), false_colour(part.index))
    draw.text((_EDGE + 36, top), _short(part.part, 32), _INK, _font(18))
    seen = any(one.colours[part.index - 1].visible > 0 for one in references)
    words = f"{part.area:.1%} of the surface{'' if seen else ', in none of these views'}"
    draw.text((_EDGE + 36, top + 24), words, _PALE, _font(14))
    left = 420
    for swatch in part.swatches:
        wide = round(74 + 150 * swatch.share)
        if left + wide > width:
            break
        red, green, blue = (int(channel) for channel in to_srgb(from_lab(np.array(swatch.lab))))
        draw.rectangle((left, top, left + wide - 6, top + 42), (red, green, blue), (150, 150, 150))
        ink = _INK if swatch.lab[0] > 55 else (255, 255, 255)
        draw.text((left + 5, top + 3), f"{swatch.share:.1%}", ink, _font(15))
        draw.text((left + 5, top + 23), f"#{red:02x}{green:02x}{blue:02x}", ink, _font(14))
        left += wide
    if not part.swatches:
        draw.text((left, top + 8), "all of it is see-through", _PALE, _font(15))


def _notes(notes: Sequence[str], width: int) -> Image.Image:
    image, draw = _blank(width, 46 + _LINE * len(notes))
    draw.text((_EDGE, 8), "notes", _PALE, _font(18))
    for line, note in enumerate(notes):
        draw.text((_EDGE, 38 + line * _LINE), _short(note, width // 9), _INK, _font(18))
    return image


def _describe(label: TextTruth) -> str:
    mirrored = ", mirrored" if label.mirrored else ""
    return (
        f"“{label.text}” reads {direction_words(label.angle)} ({label.angle:.0f}°), {label.visible:.0%} "
        f"visible, {label.height:.0f} px high{mirrored}"
    )


def _label_colours(labels: Sequence[TextTruth], order: Sequence[str]) -> list[tuple[int, int, int]]:
    names = list(order) or [label.label for label in labels]
    return [_PALETTE[names.index(label.label) % len(_PALETTE)] for label in labels]


def _label_areas(reference: Reference, order: Sequence[str]) -> Picture:
    """Each label's pixels in the colour of its outline, over the product's silhouette."""
    picture = np.where(reference.mask[..., None] > 127, np.uint8(70), np.uint8(0)).repeat(3, -1)
    palette = np.array([(0, 0, 0), *_label_colours(reference.labels, order)], np.uint8)
    brighter = np.minimum(palette.astype(int) + 40, 255).astype(np.uint8)
    return np.where(reference.label_map[..., None] > 0, brighter[reference.label_map], picture)


def _over_grey(albedo: Picture, mask: Picture) -> Picture:
    cover = mask[..., None].astype(np.float32) / np.float32(255)
    return np.asarray(np.round(albedo * cover + BACKDROP * (1 - cover)), np.uint8)


def _placed(photo: Picture, reference: Reference) -> Picture:
    """The scene's photo with the product's shadow and the product; nothing for views outside the scene."""
    height, width = reference.mask.shape
    if reference.view != "scene":
        return np.full((height, width, 3), _PAPER, np.uint8)
    base = to_linear(cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8))
    cover = reference.mask[..., None].astype(np.float32) / np.float32(255)
    # the colour lies over grey, which shows through where its edges are soft
    grey = to_linear(np.array([BACKDROP], np.uint8))
    product = to_linear(reference.colour) - grey * (1 - cover)
    shade = reference.shadow[..., None].astype(np.float32) / np.float32(255)
    return to_srgb(base * shade * (1 - cover) + np.maximum(product, 0))


# drawing


def _blank(width: int, height: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", (width, height), _PAPER)
    return image, ImageDraw.Draw(image)


def _font(size: int) -> _Font:
    return ImageFont.load_default(size)


def _short(words: str, most: int) -> str:
    return words if len(words) <= most else f"{words[: most - 1]}…"


def _pixel(xy: NDArray[np.float64]) -> tuple[int, int]:
    return round(float(xy[0])), round(float(xy[1]))


def _tile(picture: Picture, side: int) -> Image.Image:
    image = Image.fromarray(picture).convert("RGB")
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return image

"""The line of print that a sighting belongs to, measured on the texture itself.

A render shows text bent, cut and blurred; the texture has it flat. Around the place that was sighted the
texture is cut out upright, as far as the surface goes on, its ink is split into words, and those that belong
make the label's quad.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.errors import GiveUp
from packline.stage.lifting import COLUMNS, lift
from packline.stage.model import Material, ProductModel
from packline.stage.sighting import Sighting
from packline.truth import Label, Quad

Picture = NDArray[np.uint8]
Floats = NDArray[np.float64]

#: Air around the ink that a quad includes, of the ink's height.
AIR = 0.12
#: Text further than this from what was sighted, in its heights, is another label.
FURTHER = 2.5
_BELOW = 0.5
# letters closer than this, in heights, are one word
_WORD_GAP = 0.25
_SQUARE = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)


class Reader(Protocol):
    """Finds and reads text; which model does so is up to the caller."""

    def find(self, picture: Picture) -> Sequence[Floats]:
        """Boxes around lines of text in an RGB picture: corners clockwise, pixels, each (4, 2)."""

    def read(self, strips: Sequence[Picture]) -> Sequence[tuple[str, float]]:
        """What each RGB strip says, read from left to right, and how certain that is from 0 to 1."""


def tightened(
    model: ProductModel, sighting: Sighting, material: Material, reader: Reader
) -> tuple[str, float, Quad, Picture]:
    """The label as the texture has it.

    A sighting may hold only some of a line's words, and ornaments beside it; words that make the text longer
    are taken in, and what leaves it the same is left out.

    Returns
    -------
    text, confidence
        What the texture says there, and how certain.
    quad
        In reading order, with `AIR` around the ink.
    strip
        The quad cut out, upright, sRGB uint8 (64, W, 3).
    """
    left, right = _reach(model, sighting)
    wide = _grown(sighting.quad, (left / sighting.aspect, right / sighting.aspect), _BELOW)
    picture = cut_texture(material, wide, (sighting.aspect + left + right) / (1 + 2 * _BELOW))
    height, width = picture.shape[:2]
    unit = height / (1 + 2 * _BELOW)
    seen = np.array([[left * unit, _BELOW * unit], [width - right * unit, height - _BELOW * unit]])
    seen = _found_again(reader.find(picture), seen, height)
    line = _line(picture, seen)
    inside = [
        i for i, (a, b) in enumerate(line.words) if min(b, seen[1, 0]) - max(a, seen[0, 0]) > 0.5 * (b - a)
    ]
    if not inside:
        line, inside = (
            _Line((float(seen[0, 1]), float(seen[1, 1])), ((float(seen[0, 0]), float(seen[1, 0])),)),
            [0],
        )
    rows, words = line.rows, line.words
    target = folded(sighting.text)
    warp = cv2.getPerspectiveTransform(_SQUARE, wide.astype(np.float32)).astype(float)

    def look(first: int, last: int) -> tuple[str, float, Quad, Picture]:
        air = AIR * (rows[1] - rows[0])
        x0, x1, y0, y1 = words[first][0] - air, words[last][1] + air, rows[0] - air, rows[1] + air
        at = np.array([[x0, y0, 1], [x1, y0, 1], [x1, y1, 1], [x0, y1, 1]]) / (width, height, 1) @ warp.T
        corners = at[:, :2] / at[:, 2:]
        corners -= np.floor(corners.mean(0))
        a, b, c, d = ((round(float(u), 5), round(float(v), 5)) for u, v in corners)
        strip = cut_texture(material, corners, (x1 - x0) / max(y1 - y0, 1.0))
        size = (max(round(64 * strip.shape[1] / strip.shape[0]), 8), 64)
        strip = np.asarray(cv2.resize(strip, size), np.uint8)
        ((text, certain),) = reader.read([strip])
        return text.strip(), certain, (a, b, c, d), strip

    first, last = inside[0], inside[-1]
    best = look(first, last)
    # words beside it that make it say more
    for _ in range(len(words)):
        wider = [
            (look(start, end), start, end)
            for start, end in ((first - 1, last), (first, last + 1))
            if start >= 0 and end < len(words) and words[start][0] > 1 and words[end][1] < width - 1
        ]
        more = [
            one for one in wider if one[0][1] > 0.85 and _goes_on(folded(one[0][0]), folded(best[0]), target)
        ]
        if not more:
            break
        best, first, last = max(more, key=lambda one: one[0][1])
        target = max(target, folded(best[0]), key=len)
    # ornaments at its ends that say nothing
    while first < last:
        shorter = [(look(first, last - 1), first, last - 1), (look(first + 1, last), first + 1, last)]
        same = [one for one in shorter if _says(one[0], target, best)]
        if not same:
            break
        best, first, last = max(same, key=lambda one: one[0][1])
    return best


def folded(text: str) -> str:
    """A text's letters and digits in capitals: what two readings of the same print have in common."""
    return "".join(character.upper() for character in text if character.isalnum())


def _goes_on(said: str, before: str, target: str) -> bool:
    """Whether a wider line says more of what is sought, or more than that."""
    return len(said) > len(before) and (target in said or said in target)


def _says(one: tuple[str, float, Quad, Picture], target: str, best: tuple[str, float, Quad, Picture]) -> bool:
    """Whether the shorter line says what is sought at least as well."""
    said, before = folded(one[0]), folded(best[0])
    if said == target:
        return before != target or one[1] > best[1] - 0.03
    return said == before and target not in before and one[1] > best[1] - 0.03


@dataclass(frozen=True)
class _Line:
    """A line of print in a cut-out: its first and last row, and the columns of each word."""

    rows: tuple[float, float]
    words: tuple[tuple[float, float], ...]


def _found_again(boxes: Sequence[Floats], seen: Floats, height: int) -> Floats:
    """What a detector sees of the sighted place in the upright cut-out: often tighter than in the render.

    Parameters
    ----------
    seen
        The sighting, low and high corner, pixels, (2, 2).
    """
    middle = float(seen[:, 1].mean())
    near = []
    for box in boxes:
        low, high = np.asarray(box, float).min(0), np.asarray(box, float).max(0)
        common = min(high[0], seen[1, 0]) - max(low[0], seen[0, 0])
        if (
            low[1] < middle < high[1]
            and high[1] - low[1] < 0.95 * height
            and common > 0.3 * (high[0] - low[0])
        ):
            near.append(np.array([low, high]))
    if not near:
        return seen
    found = np.array([np.min([box[0] for box in near], 0), np.max([box[1] for box in near], 0)])
    # letters may be cut at its ends, the line's height is known better
    edge = np.array([0.15, 0.04]) * float(np.ptp(seen[:, 1]))
    return np.array([np.maximum(found[0], seen[0] - edge), np.minimum(found[1], seen[1] + edge)])


def _common(one: tuple[float, float], other: Floats) -> float:
    """Length that two stretches have in common; negative where they are apart."""
    return float(min(one[1], other[1]) - max(one[0], other[0]))


def _line(picture: Picture, seen: Floats) -> _Line:
    """The words of the line of print that runs through the box `seen`, also before and after it."""
    height, width = picture.shape[:2]
    unit = float(np.ptp(seen[:, 1]))
    top, foot = max(int(seen[0, 1] - 0.1 * unit), 0), min(int(np.ceil(seen[1, 1] + 0.1 * unit)), height)
    low, high = max(int(seen[0, 0]), 0), min(int(np.ceil(seen[1, 0])), width)
    lab = cv2.cvtColor(picture[top:foot], cv2.COLOR_RGB2LAB).astype(np.float32)
    core = lab[:, low:high]
    if min(core.shape[:2]) < 6:
        return _Line((0.0, 0.0), ())
    ground = _ground(lab, low, high, round(0.25 * unit))
    levels = np.clip(np.linalg.norm(lab - ground, axis=-1), 0, 255).astype(np.uint8)
    inner = np.ascontiguousarray(levels[:, low:high])
    threshold, _ = cv2.threshold(inner, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    ink = levels > max(threshold, 12)
    if not 0.02 < ink[:, low:high].mean() < 0.85:
        return _Line((0.0, 0.0), ())
    rows = np.flatnonzero(_on_line(ink[:, low:high]))
    print_ = ink[rows[0] : rows[-1] + 1]
    tone = np.median(lab[rows[0] : rows[-1] + 1, low:high][print_[:, low:high]], axis=0)
    columns = print_.sum(0) >= max(2, 0.03 * len(rows))
    edges = np.flatnonzero(np.diff(np.r_[False, columns, False].astype(np.int8)))
    words: list[tuple[int, int]] = []
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if words and start - words[-1][1] < _WORD_GAP * len(rows):
            words[-1] = (words[-1][0], end)
        else:
            words.append((start, end))
    kept = []
    for start, end in words:
        piece = print_[:, start:end]
        colour = np.median(lab[rows[0] : rows[-1] + 1, start:end][piece], axis=0)
        # a panel or a picture beside the text is no word of it
        if (start < high and end > low) or (piece.mean() < 0.7 and np.linalg.norm(colour - tone) < 40):
            kept.append((float(start), float(end)))
    return _Line((float(top + rows[0]), float(top + rows[-1] + 1)), tuple(kept))


def _ground(lab: NDArray[np.float32], low: int, high: int, flank: int) -> NDArray[np.float32]:
    """The colour that the line is printed on: that before and after it, or else above and below it."""
    middle = lab[len(lab) // 5 : len(lab) - len(lab) // 5]
    sides = [
        side for side in (middle[:, max(low - flank, 0) : low], middle[:, high : high + flank]) if side.size
    ]
    found = [np.median(side.reshape(-1, 3), axis=0) for side in sides]
    if len(found) == 2 and float(np.linalg.norm(found[0] - found[1])) < 20:
        return np.asarray((found[0] + found[1]) / 2, np.float32)
    rims = [lab[:2, low:high].reshape(-1, 3), lab[-2:, low:high].reshape(-1, 3)]
    return np.asarray(np.median(np.concatenate(rims), axis=0), np.float32)


def _on_line(ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Rows of the text itself: neighbouring lines and pictures that reach into the box are left out."""
    counts = ink.sum(1)
    full = counts > max(1.0, 0.06 * float(np.percentile(counts, 90)))
    edges = np.flatnonzero(np.diff(np.r_[False, full, False].astype(np.int8)))
    runs = list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
    if not runs:
        return np.ones(len(ink), bool)
    top, foot = max(runs, key=lambda run: int(counts[run[0] : run[1]].sum()))
    tall = foot - top
    rows = np.zeros(len(ink), bool)
    for start, end in runs:
        # dots and accents stand close by and do not touch the box's edge
        beside = max(start - foot, top - end) <= 0.25 * tall and start > 0 and end < len(ink)
        if (start, end) == (top, foot) or (beside and end - start <= 0.35 * tall):
            rows[start:end] = True
    return rows


def _reach(model: ProductModel, sighting: Sighting) -> tuple[float, float]:
    """How far the surface goes on before and after a sighting, in its heights, at most `FURTHER`."""
    for further in (FURTHER, FURTHER / 2, FURTHER / 4):
        share = further / sighting.aspect
        a, b, c, d = ((float(u), float(v)) for u, v in _grown(sighting.quad, (share, share), 0.0))
        try:
            surface = lift(model, Label("wider", sighting.text, (a, b, c, d), sighting.material))[0]
            break
        except GiveUp:
            # most of it would lie beside the model
            continue
    else:
        return 0.0, 0.0
    whole = surface.valid.mean(0) > 0.9
    first, last = (round((COLUMNS - 1) * at / (1 + 2 * share)) for at in (share, 1 + share))
    before = first - next((i for i in range(first, -1, -1) if not whole[i]), -1) - 1
    after = next((i for i in range(last, COLUMNS) if not whole[i]), COLUMNS) - last - 1
    step = (sighting.aspect + 2 * further) / (COLUMNS - 1)
    return max(before, 0) * step, max(after, 0) * step


def _grown(quad: Floats, across: tuple[float, float], down: float) -> Floats:
    """A quad that reaches further by shares of its width, before and after, and of its height."""
    along, below = (quad[1] - quad[0] + quad[2] - quad[3]) / 2, (quad[3] - quad[0] + quad[2] - quad[1]) / 2
    x0, x1, y = along * across[0], along * across[1], below * down
    return np.asarray(quad + np.array([-x0 - y, x1 - y, x1 + y, -x0 + y]))


def cut_texture(material: Material, quad: Floats, aspect: float) -> Picture:
    """A quad cut from a material's texture, upright: sRGB uint8 (H, W, 3), W / H near `aspect`.

    Parameters
    ----------
    quad
        Texture coordinates, float64 (4, 2), in reading order; may reach over the texture's edge.
    """
    texture = material.texture or material.emissive_texture
    assert texture is not None
    size = np.array(texture.pixels.shape[1::-1], float)
    tall = float(np.linalg.norm((quad[3] - quad[0] + quad[2] - quad[1]) / 2 * size))
    height = int(np.clip(round(tall), 48, 256))
    width = int(np.clip(round(height * aspect), 16, 2048))
    dense = int(np.clip(np.ceil(tall / height), 1, 4))
    s, t = np.meshgrid(
        (np.arange(width * dense) + 0.5) / (width * dense),
        (np.arange(height * dense) + 0.5) / (height * dense),
    )
    warp = cv2.getPerspectiveTransform(_SQUARE, quad.astype(np.float32)).astype(float)
    at = np.stack([s, t, np.ones_like(s)], -1) @ warp.T
    uv = at[..., :2] / at[..., 2:]
    layers = [one for one in (material.texture, material.emissive_texture) if one is not None]
    colour = np.zeros((*s.shape, 3))
    for layer in layers:
        if layer is material.emissive_texture and (max(material.emissive) <= 0 or layer.uv_set != 0):
            continue
        pixels = layer.pixels
        scale = np.array(pixels.shape[1::-1], float)
        where = (uv * scale - 0.5).astype(np.float32)
        where = np.mod(where, scale.astype(np.float32))
        cut = cv2.remap(
            pixels, where[..., 0], where[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
        ).astype(float)
        if cut.shape[-1] == 4 and layer is material.texture and material.alpha_mode != "OPAQUE":
            cover = cut[..., 3:] / 255
            cut = cut[..., :3] * cover + 128 * (1 - cover)
        colour = np.maximum(colour, cut[..., :3]) if layer is not layers[0] else cut[..., :3]
    picture = np.clip(np.round(colour), 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)

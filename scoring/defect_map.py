"""The defect map: where a registered candidate's product does not look like its render.

A small network (`scoring.defect_network`, trained by `training/shape.py`) looks at a square around the
product: the candidate moved onto the render, what a perfect picture would show there, the base photo, albedo,
normals and the mask. It has learned what light, style and compression do to an honest picture, and what
missing, added, melted and painted-over parts look like.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.errors import FixSettings
from scoring.residual import contrast, residual
from scoring.see_through import with_background

if TYPE_CHECKING:
    from scoring.check import CheckInput

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Picture = NDArray[np.uint8]

#: Side of the square in pixels, and of the product's box in it, its longer side.
SIDE = 192
EXTENT = 148
#: Pixels of the square along one cell of the map.
CELL = 4
#: Candidates that are looked at in one batch.
BATCH = 8
# over which light may change without being looked at, pixels of the square
_SMOOTH = 12.0
# channels of what light does not explain, and grey levels of 1 in them
_EXCESS, _LEVEL = slice(21, 23), np.float32(32)
_COVER, _METAL = 9, 30
_OF_METAL = np.float32(0.5)
# of what nobody knows: 1 - roughness, and metalness
_MATTE = np.array([0.4, 0.0], np.float32)
WEIGHTS = Path(__file__).resolve().parents[1] / "assets/models/checks/shape/defect_map.safetensors"


@dataclass(frozen=True)
class Window:
    """The square around the product that the network looks at.

    Parameters
    ----------
    left, top, side
        In pixels of the picture; it may reach beyond it.
    """

    left: int
    top: int
    side: int

    @staticmethod
    def around(box: tuple[int, int, int, int]) -> Window:
        """The window in which the longer side of `box` (left, top, right, bottom) has `EXTENT` pixels."""
        left, top, right, bottom = box
        side = max(8, round(max(right - left, bottom - top) * SIDE / EXTENT))
        return Window((left + right - side) // 2, (top + bottom - side) // 2, side)

    def cut(self, picture: NDArray[Any]) -> NDArray[Any]:
        """The window of a map, (SIDE, SIDE, ...) of its type, averaged; beyond the map, its edge goes on."""
        height, width = picture.shape[:2]
        y0, x0 = max(0, self.top), max(0, self.left)
        y1, x1 = min(height, self.top + self.side), min(width, self.left + self.side)
        part = picture[y0:y1, x0:x1]
        beyond = (y0 - self.top, self.top + self.side - y1, x0 - self.left, self.left + self.side - x1)
        if any(beyond):
            part = cv2.copyMakeBorder(part, *beyond, cv2.BORDER_REPLICATE)
        method = cv2.INTER_AREA if self.side > SIDE else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(np.ascontiguousarray(part), (SIDE, SIDE), interpolation=method))

    def known(self, shape: tuple[int, ...], matrix: NDArray[np.float64]) -> Bools | None:
        """Where render and registered candidate have pixels, bool (SIDE, SIDE); None: everywhere.

        Parameters
        ----------
        shape
            Of both pictures: height, width.
        matrix
            From the render's pixels to the candidate's.
        """
        height, width = shape[:2]
        index = (np.arange(SIDE) + 0.5) * self.side / SIDE - 0.5
        x, y = np.meshgrid(index + self.left, index + self.top)
        moved = matrix @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
        across, down = (moved[:2] / moved[2]).reshape(2, SIDE, SIDE)
        inside: Bools = (x > -1) & (y > -1) & (x < width) & (y < height)
        inside &= (across > -1) & (down > -1) & (across < width) & (down < height)
        return None if inside.all() else inside


@dataclass(frozen=True)
class Looked:
    """What the network answered for one candidate.

    Parameters
    ----------
    window
        Where the map lies in the render's frame.
    heat
        Logits, float32 (SIDE / CELL, SIDE / CELL); positive is wrong.
    verdict
        The whole picture's logit; positive is wrong.
    candidate, base
        The registered candidate and the base photo moved with it, in the window, sRGB uint8 (SIDE, SIDE, 3).
    excess, cover
        Grey levels that light does not explain (`scoring.residual`), and the render's coverage within the
        picture, 0 to 1; float32 (SIDE, SIDE).
    """

    window: Window
    heat: Floats
    verdict: float
    candidate: Picture
    base: Picture
    excess: Floats
    cover: Floats


def features(
    candidate: Picture,
    colour: Picture,
    base: Picture,
    mask: Picture,
    normals: Picture,
    albedo: Picture,
    known: Bools | None = None,
    shadow: Picture | None = None,
    surface: Picture | None = None,
) -> Floats:
    """What the network sees.

    Parameters
    ----------
    candidate, colour, base, albedo
        The registered candidate, lit render, base photo and albedo in the window, sRGB uint8 (S, S, 3).
    mask
        The render's coverage, uint8 (S, S).
    normals
        World normals, 0 to 255 for -1 to 1, uint8 (S, S, 3).
    known
        Where both pictures have pixels, bool (S, S); beyond their frames the product is not judged.
    shadow
        How much light the product leaves to the ground, 255 for all, uint8 (S, S): seen through glass.

    surface
        Roughness and metalness as `Reference.surface` has them, uint8 (S, S, 2); None: not known.

    Returns
    -------
    float32 (31, S, S)
    """
    colour, mask = with_background(colour, mask, base, shadow)
    cover: Floats = mask.astype(np.float32)[..., None] / np.float32(255)
    if known is not None:
        cover = cover * known[..., None]
    seen, shown = candidate.astype(np.float32), colour.astype(np.float32)
    # how much brighter and warmer the light is than the render's, as one factor a channel
    weight = (cover * cover + 1e-4).ravel()
    gain = weight @ seen.reshape(-1, 3) / np.maximum(weight @ shown.reshape(-1, 3), 1e-3)
    photo = base.astype(np.float32)
    expected = shown * np.clip(gain, 0.5, 2.0) * cover + photo * (1 - cover)
    if known is not None:
        seen = np.where(known[..., None], seen, expected)
    facing = (normals * (2 / np.float32(255)) - 1) * cover
    unlike = residual(seen, shown, photo, cover[..., 0], facing)
    ratio: NDArray[Any] = cv2.log((seen + 8) / (expected + 8))
    ratio -= cv2.GaussianBlur(ratio, (0, 0), _SMOOTH)
    # how far both lie from the scene without the product: only the silhouettes are left where it is plain
    scene = _toned(base, seen, cover[..., 0])
    change, wanted = (_worst(cv2.absdiff(one, scene))[..., None] for one in (seen, expected))
    grown = 1 / np.float32(255)
    maps = (
        seen * grown - 0.5,
        np.minimum(expected * grown, 1.2) - 0.5,
        base * grown - 0.5,
        cover - 0.5,
        facing,
        (albedo * grown - 0.5) * cover,
        np.clip(ratio * 1.5, -1.5, 1.5),
        np.minimum(change * np.float32(1 / 64), 1.5),
        np.minimum(wanted * np.float32(1 / 64), 1.5),
        np.clip(unlike.brighter[..., None] * np.float32(1 / _LEVEL), -0.5, 2),
        np.clip(unlike.darker[..., None] * np.float32(1 / _LEVEL), -0.5, 2),
        np.clip(unlike.hue[..., None] * 4, -0.5, 2),
        np.clip(cv2.log((seen + 8) / (unlike.relit + 8)) * 1.5, -1.5, 1.5),
        np.clip(contrast(seen)[..., None] * np.float32(0.4), -1.5, 1.5),
        np.clip(contrast(unlike.relit)[..., None] * np.float32(0.4), -1.5, 1.5),
        mirroring(surface, seen.shape[0]) * cover,
    )
    return np.ascontiguousarray(np.concatenate(maps, 2).transpose(2, 0, 1), np.float32)


def mirroring(surface: Picture | None, side: int) -> Floats:
    """How smooth each pixel is and how much of it metal, 0 to 1, float32 (S, S, 2).

    What nobody knows counts as the stage draws it, as matte plastic.
    """
    if surface is None:
        return np.asarray(np.broadcast_to(_MATTE, (side, side, 2)))
    return np.asarray(np.abs(surface * (1 / np.float32(255)) - np.array([1, 0], np.float32)))


def _toned(base: Picture, seen: Floats, cover: Floats) -> Floats:
    """The base photo in the candidate's style: one line a channel, fitted well outside the product."""
    # shadows and reflections lie near the product
    outside = (cv2.dilate(cover, np.ones((9, 9), np.uint8)) < 0.02)[1::3, 1::3]
    photo = base.astype(np.float32)
    if outside.sum() < 50:
        return photo
    x, y = photo[1::3, 1::3][outside], seen[1::3, 1::3][outside]
    middle, level = x.mean(0), y.mean(0)
    spread = ((x - middle) ** 2).mean(0)
    # a flat surround says nothing about contrast
    slope = (((x - middle) * (y - level)).mean(0) + 50) / (spread + 50)
    return np.asarray((photo - middle) * np.clip(slope, 0.5, 1.5) + level, np.float32)


def _worst(values: NDArray[Any]) -> NDArray[Any]:
    """The largest of three channels; NumPy's own maximum over a short axis is slow."""
    return np.asarray(np.maximum(np.maximum(values[..., 0], values[..., 1]), values[..., 2]))


def look(inputs: Sequence[CheckInput], weights: Path = WEIGHTS) -> list[Looked]:
    """Ask the network about candidates, in batches.

    Raises
    ------
    FixSettings
        Where its weights are missing or are not its own.
    """
    import torch

    network = _network(weights)
    answers = []
    for start in range(0, len(inputs), BATCH):
        some = [_seen(one) for one in inputs[start : start + BATCH]]
        x = torch.from_numpy(np.stack([features for *_, features in some]))
        with torch.inference_mode():
            heat, verdict = network(x.contiguous(memory_format=torch.channels_last))
        answers += [
            Looked(window, heat[i].numpy().copy(), float(verdict[i]), candidate, base, *left_over(maps))
            for i, (window, candidate, base, maps) in enumerate(some)
        ]
    return answers


def left_over(maps: Floats) -> tuple[Floats, Floats]:
    """Grey levels that light does not explain, and the coverage, of `features`; float32 (S, S).

    Metal mirrors a room that nobody knows, in all of its light: there they count half.
    """
    excess = maps[_EXCESS].max(0) * (_LEVEL * (1 - _OF_METAL * maps[_METAL]))
    return np.asarray(excess, np.float32), maps[_COVER] + np.float32(0.5)


def _seen(one: CheckInput) -> tuple[Window, Picture, Picture, Floats]:
    """The window, what it shows of the registered candidate and of the base photo, and the features."""
    truth, window = one.scene, Window.around(one.box)
    candidate = window.cut(one.aligned)
    base = _moved(window.cut(one.base), window, one.registration.matrix)
    # the window's part only: the whole picture's normals are many
    normals = np.round((window.cut(truth.normals) + 1) * 127.5).astype(np.uint8)
    maps = features(
        candidate,
        window.cut(truth.colour),
        base,
        window.cut(truth.mask),
        normals,
        window.cut(truth.albedo),
        window.known(truth.mask.shape, one.registration.matrix),
        window.cut(truth.shadow),
        window.cut(truth.surface) if truth.surface.size else None,
    )
    return window, candidate, base, maps


def _moved(cut: Picture, window: Window, matrix: NDArray[np.float64]) -> Picture:
    """A window's picture moved as `CheckInput.aligned` is, uint8 (SIDE, SIDE, 3)."""
    if np.array_equal(matrix, np.eye(3)):
        return cut
    scale = SIDE / window.side
    into = np.array([[scale, 0, -window.left * scale], [0, scale, -window.top * scale], [0, 0, 1.0]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    local = into @ matrix @ np.linalg.inv(into)
    moved = cv2.warpPerspective(cut, local, (SIDE, SIDE), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.uint8)


@lru_cache(maxsize=2)
def _network(weights: Path) -> Any:
    import torch
    from safetensors.torch import load_file

    from scoring.defect_network import DefectNetwork

    network = DefectNetwork()
    try:
        state = {name: value.float() for name, value in load_file(weights).items()}
        network.load_state_dict(state)
    except FileNotFoundError as error:
        raise FixSettings(
            f"The shape check's weights {weights} are missing; restore assets/models/checks/shape."
        ) from error
    except (RuntimeError, OSError) as error:
        raise FixSettings(
            f"The shape check's weights {weights} are not those of its network; restore them ({error})."
        ) from error
    return network.eval().to(memory_format=torch.channels_last)

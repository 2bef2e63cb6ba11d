"""A label cut out of its texture into its own reading frame, altered there, and printed back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.stage.lifting import lift
from packline.stage.model import ProductModel
from packline.truth import Label

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

#: Pixels that the label is high in its reading frame; its texels are fewer.
HEIGHT = 96


@dataclass(frozen=True)
class Lettering:
    """A label in its reading frame, where pixels are square on the product.

    Parameters
    ----------
    ground
        What is printed there without the letters, sRGB float32 (H, W, 3), 0 to 255.
    ink
        Colour of the letters, float32 (3,).
    cover
        How much of each pixel is ink, float32 (H, W).
    box
        Left, top, right, bottom of the label itself; around it is a margin.
    """

    ground: Floats = field(repr=False)
    ink: Floats
    cover: Floats = field(repr=False)
    box: tuple[int, int, int, int]
    part: int
    warp: NDArray[np.float64] = field(repr=False)
    roll: tuple[int, int]

    @property
    def letters(self) -> Floats:
        """Coverage within the label itself."""
        left, top, right, bottom = self.box
        return self.cover[top:bottom, left:right]

    def runs(self) -> list[tuple[int, int]]:
        """Stretches of columns with ink within the label: letters that do not touch."""
        columns = (self.letters > 0.35).sum(0) >= 2
        edges = np.flatnonzero(np.diff(np.r_[False, columns, False].astype(np.int8)))
        return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= 3]

    def with_letters(self, letters: Floats) -> Floats:
        """Coverage of the whole frame with other letters in the label's box."""
        left, top, right, bottom = self.box
        cover = self.cover.copy()
        cover[top:bottom, left:right] = letters
        return cover


def cut(model: ProductModel, label: Label, margin: float = 0.7) -> Lettering | None:
    """Cut a label out.

    Parameters
    ----------
    margin
        How much more than the label is cut on every side, in the label's heights.

    Returns
    -------
    Lettering or None
        None where its ink cannot be told from its ground.
    """
    surface = lift(model, label)[0]
    part = int(np.bincount(surface.part[surface.valid]).argmax())
    texture = model.parts[part].material.texture
    if texture is None:
        return None
    points = np.where(surface.valid[..., None], surface.points, np.nan)
    along = float(np.nanmedian(np.linalg.norm(np.diff(points, axis=1), axis=-1))) * (points.shape[1] - 1)
    down = float(np.nanmedian(np.linalg.norm(np.diff(points, axis=0), axis=-1))) * (points.shape[0] - 1)
    if not (np.isfinite(along) and np.isfinite(down) and down > 0):
        return None
    pad = round(margin * HEIGHT)
    width = int(np.clip(round(HEIGHT * along / down), 24, 1800))
    box = (pad, pad, pad + width, pad + HEIGHT)
    high, wide = texture.pixels.shape[:2]
    corners = np.array(label.quad, np.float64) * (wide, high)
    # the label's middle to the texture's middle, so that none runs over its edge
    shift = np.round(np.array([wide, high]) / 2 - corners.mean(0)).astype(int)
    roll = (int(shift[1]), int(shift[0]))
    pixels = np.roll(texture.pixels[..., :3], roll, (0, 1))
    frame = np.array([box[:2], (box[2], box[1]), box[2:], (box[0], box[3])], np.float32)
    warp = cv2.getPerspectiveTransform((corners + shift).astype(np.float32), frame)
    size = (width + 2 * pad, HEIGHT + 2 * pad)
    cut_out = cv2.warpPerspective(
        pixels, warp, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    ).astype(np.float32)
    parted = _parted(cut_out, box)
    if parted is None:
        return None
    ground, ink, cover = parted
    return Lettering(ground, ink, cover, box, part, np.asarray(warp, np.float64), roll)


def printed(model: ProductModel, lettering: Lettering, cover: Floats) -> ProductModel:
    """The model with other letters printed there.

    Parameters
    ----------
    cover
        How much of each pixel of the reading frame is ink, 0 to 1, the shape of `lettering.cover`.
    """
    part = model.parts[lettering.part]
    texture = part.material.texture
    assert texture is not None
    share = np.clip(cover, 0, 1)[..., None]
    frame = lettering.ground * (1 - share) + lettering.ink * share
    touched = cv2.dilate((np.abs(cover - lettering.cover) > 0.04).astype(np.uint8), np.ones((7, 7))) > 0
    pixels = np.roll(texture.pixels, lettering.roll, (0, 1)).copy()
    high, wide = pixels.shape[:2]
    # texels are coarser than the frame: soften by their size there, or edges become jagged
    scale = np.sqrt(abs(np.linalg.det(lettering.warp[:2, :2]))) or 1.0
    if scale > 1.2:
        frame = cv2.GaussianBlur(frame, (0, 0), 0.35 * float(scale))
    back = cv2.warpPerspective(
        frame, lettering.warp, (wide, high), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )
    marks = cv2.dilate(touched.astype(np.float32), np.ones((3, 3)))
    share_back = cv2.warpPerspective(
        marks, lettering.warp, (wide, high), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )[..., None]
    pixels[..., :3] = np.round(
        np.clip(pixels[..., :3] * (1 - share_back) + back * share_back, 0, 255)
    ).astype(np.uint8)
    pixels = np.roll(pixels, (-lettering.roll[0], -lettering.roll[1]), (0, 1))
    return with_texture(model, lettering.part, pixels)


def with_texture(model: ProductModel, index: int, pixels: NDArray[np.uint8]) -> ProductModel:
    """The model with another picture on one part and on all that share its texture."""
    old = model.parts[index].material.texture
    assert old is not None
    parts = tuple(
        replace(
            part,
            material=replace(part.material, texture=replace(part.material.texture, pixels=pixels)),
        )
        if part.material.texture is not None and part.material.texture.pixels is old.pixels
        else part
        for part in model.parts
    )
    return replace(model, parts=parts)


def alike(one: Floats, other: Floats, blur: float = 3.0) -> float:
    """Correlation of two coverages, a shift of a few pixels allowed: 1 where they look the same."""
    a, b = (cv2.GaussianBlur(cover, (0, 0), blur) for cover in (one, other))
    reach = max(4, round(0.08 * one.shape[0]))
    a = cv2.copyMakeBorder(a, reach, reach, reach, reach, cv2.BORDER_CONSTANT, value=0)
    if min(float(a.std()), float(b.std())) < 1e-4:
        return 0.0
    return float(cv2.matchTemplate(a, b, cv2.TM_CCOEFF_NORMED).max())


def _parted(frame: Floats, box: tuple[int, int, int, int]) -> tuple[Floats, Floats, Floats] | None:
    """Ground, ink and coverage of a label's frame; None where two colours cannot be told apart."""
    left, top, right, bottom = box
    inner = frame[top:bottom, left:right]
    lab = cv2.cvtColor(np.clip(inner, 0, 255) / np.float32(255), cv2.COLOR_RGB2LAB)
    flat = lab.reshape(-1, 3)
    centred = flat - flat.mean(0)
    _, _, axes = np.linalg.svd(centred[:: max(1, len(centred) // 4000)], full_matrices=False)
    line = centred @ axes[0]
    low, high = np.percentile(line, (1, 99))
    if high - low < 12:
        return None
    levels = np.clip((line - low) / (high - low) * 255, 0, 255).astype(np.uint8).reshape(lab.shape[:2])
    _, upper = cv2.threshold(levels, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    rim = np.ones_like(upper, bool)
    rim[3:-3, 3:-3] = False
    is_ink = upper > 0
    if is_ink[rim].mean() > 0.5:
        is_ink = ~is_ink
    if not 0.02 < is_ink.mean() < 0.75:
        return None
    core = cv2.erode(is_ink.astype(np.uint8), np.ones((3, 3))) > 0
    ink = np.median(inner[core if core.sum() > 30 else is_ink], axis=0).astype(np.float32)
    marks = np.zeros(frame.shape[:2], np.uint8)
    marks[top:bottom, left:right] = cv2.dilate(is_ink.astype(np.uint8), np.ones((7, 7)))
    ground = cv2.inpaint(np.clip(frame, 0, 255).astype(np.uint8), marks, 5, cv2.INPAINT_TELEA)
    ground = np.where(marks[..., None] > 0, ground, frame).astype(np.float32)
    way = ink - ground
    cover = ((frame - ground) * way).sum(-1) / np.maximum((way**2).sum(-1), 1.0)
    cover = np.where(marks > 0, np.clip(cover, 0, 1), 0).astype(np.float32)
    cover[cover < 0.06] = 0
    return np.asarray(ground, np.float32), ink, np.asarray(cover, np.float32)

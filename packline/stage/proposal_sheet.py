"""A sheet of proposed labels: where each was found, and how it reads."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from packline.stage.propose import Proposal

_WIDTH, _TILE, _STRIP = 1120, 240, 64
_NEW, _KNOWN = (0, 110, 60), (110, 110, 110)


def proposal_sheet(title: str, proposals: Sequence[Proposal]) -> NDArray[np.uint8]:
    """One row a proposal: found in a render with an arrow along its reading direction, and cut out upright.

    Returns
    -------
    uint8 (H, W, 3), sRGB
    """
    rows = max(len(proposals), 1)
    sheet = Image.new("RGB", (_WIDTH, 52 + rows * (_TILE + 16)), (246, 246, 244))
    draw = ImageDraw.Draw(sheet)
    large, small = ImageFont.load_default(26), ImageFont.load_default(17)
    draw.text((16, 12), f"{title}: {len(proposals)} labels found", (20, 20, 20), large)
    if not proposals:
        draw.text((16, 70), "No text was found that two pictures agree on.", (90, 90, 90), small)
    for number, one in enumerate(proposals):
        top = 52 + number * (_TILE + 16)
        sheet.paste(_where(one), (16, top))
        left = 16 + _TILE + 24
        tone = _KNOWN if one.known else _NEW
        draw.text((left, top + 8), one.label.text, (20, 20, 20), large)
        state = (
            f"annotated already as {one.known}" if one.known else f"new: accept with --label {one.label.id}"
        )
        draw.text((left, top + 46), state, tone, small)
        said = f"certain to {one.confidence:.0%}; {one.views} pictures agree"
        on = f"; on material {one.label.material}" if one.label.material else ""
        draw.text((left, top + 72), said + on, (90, 90, 90), small)
        strip = Image.fromarray(one.strip)
        strip.thumbnail((_WIDTH - left - 16, _STRIP), Image.Resampling.LANCZOS)
        sheet.paste(strip, (left, top + 116))
        draw.rectangle(
            (left - 1, top + 115, left + strip.width, top + 116 + strip.height), outline=(180, 180, 178)
        )
        draw.text(
            (left, top + 126 + strip.height), "as it reads in the texture, upright", (90, 90, 90), small
        )
    return np.asarray(sheet)


def _where(one: Proposal) -> Image.Image:
    """The part of the picture around a proposal, its outline and reading direction drawn on it."""
    box = np.asarray(one.outline, float)
    middle = (box.min(0) + box.max(0)) / 2
    half = max(float(np.ptp(box, axis=0).max()) * 0.9, 60.0)
    scale = _TILE / (2 * half)
    shift = np.array([[scale, 0, _TILE / 2 - scale * middle[0]], [0, scale, _TILE / 2 - scale * middle[1]]])
    flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    cut = np.asarray(
        cv2.warpAffine(one.picture, shift, (_TILE, _TILE), flags=flags, borderMode=cv2.BORDER_REPLICATE),
        np.uint8,
    )
    corners = box @ shift[:, :2].T + shift[:, 2]
    tone = _KNOWN if one.known else _NEW
    cv2.polylines(cut, [np.round(corners * 8).astype(np.int32)], True, tone, 2, cv2.LINE_AA, shift=3)
    down = (corners[3] - corners[0] + corners[2] - corners[1]) / 2
    clear = down / max(float(np.linalg.norm(down)), 1e-6) * 9
    start, end = corners[3] + clear, corners[2] + clear
    cv2.arrowedLine(
        cut, _whole(start), _whole(end), tone, 2, cv2.LINE_AA,
        tipLength=min(0.3, 12 / max(float(np.linalg.norm(end - start)), 1.0)),
    )  # fmt: skip
    return Image.fromarray(cut)


def _whole(xy: NDArray[np.float64]) -> tuple[int, int]:
    return round(float(xy[0])), round(float(xy[1]))

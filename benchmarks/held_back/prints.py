"""Words printed on real models: where there is room for one, and every way to get it wrong."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from packline.reference import Reference

#: Fonts that neither training nor the other bench has.
FONTS = (
    "dosis/Dosis-SemiBold.otf", "dosis/Dosis-Medium.otf", "play/Play-Bold.ttf", "play/Play-Regular.ttf",
    "vollkorn/Vollkorn-Bold.ttf", "vollkorn/Vollkorn-Regular.ttf", "didot/GFSDidotBold.otf",
    "adf/AccanthisADFStd-Bold.otf", "gentium-basic/GenBasB.ttf", "gentium-basic/GenBkBasBI.ttf",
    "fonts-oldstandard/OldStandard-Bold.ttf", "lobster/lobster.otf",
)  # fmt: skip
DEBIAN = "fonts-dosis fonts-play fonts-vollkorn fonts-gfs-didot fonts-adf-accanthis fonts-sil-gentium-basic \
fonts-oldstandard fonts-lobster"
WORDS = (
    "JUNIPER", "Larkspur", "FOGLIA", "Quantor", "RAPPEL", "Zephyr", "GRANITE", "Solstice", "PARLOUR", "Fjord",
    "NEBULA", "Galette", "STRADA", "Peregrin", "LUNGO", "Kestrel", "SAFRAN", "Jubilee", "TERRENE", "Amarelo",
    "RUGGED", "Flagship", "PULSAR", "Tangent", "GROVE", "Yuzu 27", "MARQUE", "Riff", "GLYPH", "Santal 5",
)  # fmt: skip
#: The share of a strip's ink by which a flipped one must differ for a person to see it.
_DIFFERENT = 0.25
_HEIGHT = 96


@dataclass(frozen=True)
class Print:
    """A word on a product.

    Parameters
    ----------
    part
        Index into the model's parts.
    corners
        Where it lies in the picture, pixels, in reading order (TL, TR, BR, BL), shape (4, 2).
    affine
        From picture pixels (x, y, 1) to texture coordinates, shape (2, 3).
    font, word, dark
        How it is drawn; `dark` ink on a light ground.
    """

    part: int
    corners: NDArray[np.float64]
    affine: NDArray[np.float64]
    font: str
    word: str
    dark: bool

    @property
    def quad(self) -> list[list[float]]:
        """Corners in texture space."""
        return self.lying(self.corners)

    def lying(self, corners: NDArray[np.float64]) -> list[list[float]]:
        """Texture coordinates of corners in the picture."""
        return [[float(v) for v in self.affine @ (x, y, 1.0)] for x, y in corners]

    @property
    def height(self) -> float:
        """Pixels in the picture."""
        return float(np.linalg.norm(self.corners[3] - self.corners[0]))


def find_place(reference: Reference, rng: np.random.Generator, texels: int) -> Print | None:
    """Room for a word on one part's smooth surface, facing the camera; None where twenty tries find none."""
    inside = cv2.erode((reference.mask > 250).astype(np.uint8), np.ones((9, 9), np.uint8))
    rows, columns = np.nonzero(inside)
    if len(rows) < 500:
        return None
    font, word = str(rng.choice(FONTS)), str(rng.choice(WORDS))
    aspect = strip(word, font).width / _HEIGHT
    size = reference.mask.shape[0] / 512
    for _ in range(400):
        at = int(rng.integers(len(rows)))
        middle = np.array([columns[at], rows[at]], float)
        height = float(rng.uniform(21, 52)) * size
        angle = float(rng.choice([0.0, 0.0, 0.0, 90.0, 270.0]) + rng.uniform(-6, 6))
        corners = _rectangle(middle, height * aspect, height, angle)
        found = _flat(reference, corners, inside, texels, height)
        if found is not None:
            part, affine, luma = found
            return Print(part, corners, affine, font, word, bool(luma > 118))
    return None


def _rectangle(middle: NDArray[np.float64], width: float, height: float, angle: float) -> NDArray[np.float64]:
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    local = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (width / 2, height / 2)
    return np.asarray(middle + local @ np.array([[c, s], [-s, c]]))


def _flat(
    reference: Reference, corners: NDArray[np.float64], inside: NDArray[np.uint8], texels: int, height: float
) -> tuple[int, NDArray[np.float64], float] | None:
    """Part, affine map to the texture and mean luma, where the surface under the corners is smooth."""
    grid = np.linspace(-0.1, 1.1, 9)
    points = np.array(
        [
            corners[0] + (corners[1] - corners[0]) * u + (corners[3] - corners[0]) * v
            for v in grid
            for u in grid
        ]
    )
    x, y = np.round(points).astype(int).T
    side = inside.shape[0]
    if min(x.min(), y.min()) < 1 or max(x.max(), y.max()) > side - 2 or not inside[y, x].all():
        return None
    parts = np.unique(reference.parts[y, x])
    if len(parts) != 1 or parts[0] == 0:
        return None
    uv = reference.uv[y, x].astype(float)
    span = uv.max(0) - uv.min(0)
    if span.max() > 0.5 or uv.min() < 0.01 or uv.max() > 0.99:
        return None
    known = np.column_stack([x + 0.5, y + 0.5, np.ones(len(x))])
    solution, *_ = np.linalg.lstsq(known, uv, rcond=None)
    if np.abs(known @ solution - uv).max() > 0.06 * span.max():
        return None
    affine = np.asarray(solution.T)
    across = float(np.sqrt(abs(np.linalg.det(affine[:, :2])))) * texels * height
    towards = np.asarray(reference.camera.eye) - np.asarray(reference.camera.target)
    facing = reference.normals[y, x] @ (towards / np.linalg.norm(towards))
    if across < 14 or float(np.min(facing)) < 0.35 or np.linalg.det(affine[:, :2]) < 0:
        return None  # too coarse, turned away, or a mirrored chart
    return int(parts[0]), affine, float(reference.albedo[y, x].mean())


@lru_cache(maxsize=256)
def strip(word: str, font: str) -> Image.Image:
    """A word in white on black, cut to its ink, `_HEIGHT` pixels high."""
    file = next((p for p in Path("/usr/share/fonts").glob(f"*/{font}")), None)
    if file is None:
        raise FileNotFoundError(f"Font {font} is missing: apt-get install {DEBIAN}.")
    face = ImageFont.truetype(str(file), 160)
    picture = Image.new("L", (int(face.getlength(word)) + 160, 420))
    ImageDraw.Draw(picture).text((80, 90), word, fill=255, font=face)
    cut = picture.crop(picture.getbbox())
    return cut.resize((round(cut.width * _HEIGHT / cut.height), _HEIGHT), Image.Resampling.LANCZOS)


def printed(
    texture: Image.Image,
    where: Print,
    drawn: Image.Image | None = None,
    corners: NDArray[np.float64] | None = None,
) -> Image.Image:
    """The texture with the word on it; `drawn` is another strip in its place."""
    ink = drawn or strip(where.word, where.font)
    quad = np.array(where.quad if corners is None else where.lying(corners)) * (texture.width, texture.height)
    source = np.array([[0, 0], [ink.width, 0], [ink.width, ink.height], [0, ink.height]], np.float32)
    matrix = cv2.getPerspectiveTransform(source, quad.astype(np.float32))
    # from a strip that is larger than its place: average before warping
    factor = max(1.0, ink.height / max(1.0, float(np.linalg.norm(quad[3] - quad[0]))))
    soft = np.asarray(ink.filter(ImageFilter.GaussianBlur(0.35 * (factor - 1))) if factor > 1 else ink)
    alpha = cv2.warpPerspective(soft, matrix, texture.size, flags=cv2.INTER_LINEAR)
    colour = (26, 24, 30) if where.dark else (240, 238, 230)
    out = texture.copy()
    out.paste(colour, (0, 0), Image.fromarray(alpha))
    return out


def wrong_strips(where: Print, rng: np.random.Generator) -> dict[str, Image.Image]:
    """Strips that say it wrongly, by kind; those that look the same are left out."""
    right = strip(where.word, where.font)
    ways = {
        "text mirrored": right.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        "text upside down mirrored": right.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        "text turned by 180": right.transpose(Image.Transpose.ROTATE_180),
    }
    kept = {kind: ink for kind, ink in ways.items() if _differs(right, ink)}
    letters = list(where.word)
    at = int(rng.integers(len(letters)))
    others = [c for c in "ABDEGHKMNPRSTUW" if c != letters[at].upper()]
    swapped = str(rng.choice(others))
    letters[at] = swapped if letters[at].isupper() else swapped.lower()
    other = strip("".join(letters), where.font).resize(right.size)
    if _differs(right, other, 0.06):
        kept["letter swapped"] = other
    kept["text garbled"] = _garbled(right, rng)
    return kept


def _differs(one: Image.Image, other: Image.Image, least: float = _DIFFERENT) -> bool:
    a, b = (np.asarray(i.resize((160, 32)), float) / 255 for i in (one, other))
    return bool(np.abs(a - b).sum() / (a.sum() + b.sum()) > least)


def _garbled(ink: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Letters torn about on a mesh and run together, as a model that cannot spell draws them."""
    nx, ny = max(6, ink.width // 24), 4
    xs, ys = np.linspace(0, ink.width, nx + 1), np.linspace(0, ink.height, ny + 1)
    jitter = rng.uniform(-0.2, 0.2, (ny + 1, nx + 1, 2)) * ink.height
    mesh = []
    for j in range(ny):
        for i in range(nx):
            box = (int(xs[i]), int(ys[j]), int(xs[i + 1]), int(ys[j + 1]))
            ring = ((j, i), (j + 1, i), (j + 1, i + 1), (j, i + 1))
            quad = tuple(
                float(v) for b, a in ring for v in (xs[a] + jitter[b, a, 0], ys[b] + jitter[b, a, 1])
            )
            mesh.append((box, quad))
    torn = ink.transform(ink.size, Image.Transform.MESH, mesh, Image.Resampling.BILINEAR)
    return torn.filter(ImageFilter.MaxFilter(5) if rng.random() < 0.5 else ImageFilter.MinFilter(3))

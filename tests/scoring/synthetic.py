"""Pictures with a label whose truth is known to the pixel, without the stage: text drawn on a plane."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from packline.camera import Camera
from packline.reference import Picture, Reference
from packline.truth import TextTruth
from scoring.check import CheckInput, PromptWords

SIZE = 1024
FONTS = {
    name: f"/usr/share/fonts/truetype/{path}.ttf"
    for name, path in {
        "sans bold": "dejavu/DejaVuSans-Bold",
        "serif": "dejavu/DejaVuSerif",
        "condensed": "dejavu/DejaVuSansCondensed-Bold",
        "arial-like bold": "liberation/LiberationSans-Bold",
        "times-like italic": "liberation/LiberationSerif-Italic",
        "mono bold": "liberation/LiberationMono-Bold",
        "narrow": "liberation/LiberationSansNarrow-Bold",
    }.items()
}
CAMERA = Camera((0, 0.2, 1), (0, 0.1, 0), 30.0)


@dataclass(frozen=True)
class Plane:
    """Where the label lies: centre, text height, direction in degrees, curl of its base line, perspective."""

    centre: tuple[float, float] = (512.0, 540.0)
    height: float = 40.0
    angle: float = 0.0
    perspective: float = 0.0
    bow: float = 0.0


def coverage(text: str, font: str, size: int = 120) -> NDArray[np.float32]:
    """Ink, float32 (H, W), 0 to 1, cut tightly."""
    face = ImageFont.truetype(FONTS[font], size)
    picture = Image.new("L", (int(face.getlength(text)) + 2 * size, 2 * size))
    ImageDraw.Draw(picture).text((size, size // 4), text, fill=255, font=face)
    ink = np.asarray(picture)
    rows, columns = np.where(ink > 40)
    return ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].astype(np.float32) / 255


def grid_of(plane: Plane, aspect: float, rows: int = 9, columns: int = 33) -> NDArray[np.float64]:
    """Pixel positions of the label's regular grid, shape (rows, columns, 2)."""
    u, v = np.meshgrid(np.linspace(-0.5, 0.5, columns), np.linspace(-0.5, 0.5, rows))
    x, y = u * aspect, v + plane.bow * (4 * u * u - 1)
    depth = 1 + plane.perspective * u
    x, y = x / depth, y / depth
    turn = np.radians(plane.angle)
    out = np.stack([x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)], -1)
    return out * plane.height + np.array(plane.centre)


def stamped(
    picture: Picture, ink: NDArray[np.float32], grid: NDArray[np.float64], colour: tuple[int, int, int]
) -> Picture:
    """Draw ink over the area of a grid."""
    u, v = grid.shape[1] - 1, grid.shape[0] - 1
    low = np.maximum(0, np.floor(grid.reshape(-1, 2).min(0)).astype(int) - 4)
    high = np.minimum(SIZE, np.ceil(grid.reshape(-1, 2).max(0)).astype(int) + 5)
    scale = ink.shape[0] / max(1.0, np.linalg.norm(np.diff(grid, axis=0), axis=-1).sum(0).mean())
    soft = cv2.GaussianBlur(ink, (0, 0), max(0.3, 0.35 * scale))
    # invert the grid: paint (u, v) over its cells with homographies
    cover = np.zeros((high[1] - low[1], high[0] - low[0]), np.float32)
    for row in range(v):
        for column in range(u):
            corners = grid[[row, row, row + 1, row + 1], [column, column + 1, column + 1, column]] - low
            source = np.array(
                [[column, row], [column + 1, row], [column + 1, row + 1], [column, row + 1]], np.float32
            ) * np.array([ink.shape[1] / u, ink.shape[0] / v], np.float32)
            x0, y0 = np.maximum(0, np.floor(corners.min(0)).astype(int) - 1)
            x1, y1 = np.ceil(corners.max(0)).astype(int) + 2
            if x1 <= x0 or y1 <= y0:
                continue
            matrix = cv2.getPerspectiveTransform(source, (corners - (x0, y0)).astype(np.float32))
            patch = cv2.warpPerspective(soft, matrix, (int(x1 - x0), int(y1 - y0)), flags=cv2.INTER_LINEAR)
            hole = np.zeros(patch.shape, np.uint8)
            cv2.fillConvexPoly(hole, np.round((corners - (x0, y0)) * 16).astype(np.int32), 1, shift=4)
            target = cover[y0:y1, x0:x1]
            part = (patch * hole)[: target.shape[0], : target.shape[1]]
            np.maximum(target, part, out=target)
    out = picture.copy()
    window = out[low[1] : high[1], low[0] : high[0]]
    window[:] = np.round(window * (1 - cover[..., None]) + np.array(colour, np.float32) * cover[..., None])
    return out


def truth_of(
    text: str, grid: NDArray[np.float64], angle: float, contrast: float = 60.0, label: str = "front"
) -> TextTruth:
    """The label's truth from its grid."""
    corners = grid[[0, 0, -1, -1], [0, -1, -1, 0]]
    height = float(np.median(np.linalg.norm(np.diff(grid, axis=0), axis=-1).sum(0)))
    outline = np.concatenate([grid[0], grid[1:, -1], grid[-1, -2::-1], grid[-2:0:-1, 0]])
    points = tuple((float(x), float(y)) for x, y in corners)
    return TextTruth(
        label=label,
        text=text,
        quad=points,  # type: ignore[arg-type]
        outline=tuple((float(x), float(y)) for x, y in outline),
        angle=angle % 360,
        angle_start=angle % 360,
        angle_end=angle % 360,
        mirrored=False,
        visible=1.0,
        span=(0.0, 1.0),
        height=height,
        contrast=contrast,
        grid=tuple(tuple((float(x), float(y)) for x, y in row) for row in grid),
    )


def base_photo(seed: int = 0) -> Picture:
    """A softly lit table before a wall, with some grain."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32) / SIZE
    wall, table = random.uniform(120, 200, 3), random.uniform(90, 190, 3)
    picture = np.where((y < 0.55)[..., None], wall, table) * (0.85 + 0.25 * x)[..., None]
    grain = cv2.GaussianBlur(random.normal(0, 22, (SIZE, SIZE)).astype(np.float32), (0, 0), 2.0)
    streaks = cv2.GaussianBlur(
        random.normal(0, 60, (SIZE, SIZE)).astype(np.float32), (0, 0), sigmaX=30, sigmaY=1.2
    )
    picture = picture + (grain + streaks * (y > 0.55))[..., None]
    picture = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 0.7) + random.normal(0, 1.2, picture.shape)
    return np.clip(picture, 4, 250).astype(np.uint8)


def product_mask(half: tuple[int, int] = (300, 250), centre: tuple[int, int] = (512, 540)) -> Picture:
    """A rounded box, antialiased."""
    mask = np.zeros((2 * SIZE, 2 * SIZE), np.uint8)
    (x, y), (w, h), r = (2 * centre[0], 2 * centre[1]), (2 * half[0], 2 * half[1]), 80
    cv2.rectangle(mask, (x - w + r, y - h), (x + w - r, y + h), 255, -1)
    cv2.rectangle(mask, (x - w, y - h + r), (x + w, y + h - r), 255, -1)
    for sx in (-1, 1):
        for sy in (-1, 1):
            cv2.circle(mask, (x + sx * (w - r), y + sy * (h - r)), r, 255, -1)
    return np.asarray(cv2.resize(mask, (SIZE, SIZE), interpolation=cv2.INTER_AREA), np.uint8)


GROUND = (226, 214, 196)
INK = (36, 48, 96)


@dataclass(frozen=True)
class Case:
    """How a candidate is made; the defaults make a right one."""

    text: str = "NORDIC"
    drawn: str = ""
    how: str = "right"
    font: str = "sans bold"
    plane: Plane = Plane()
    ground: tuple[int, int, int] = GROUND
    ink: tuple[int, int, int] = INK
    seed: int = 0
    warm: float = 0.0
    blur: float = 0.5
    shift: tuple[float, float] = (0.0, 0.0)
    missing: bool = False
    mirror_truth: bool = False


def _painted(
    case: Case, base: Picture, mask: Picture, ink: NDArray[np.float32] | None, plane: Plane, lit: bool
) -> Picture:
    """A product on a base: its ground colour, stripes that give it structure, and its label."""
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32) / SIZE
    body = np.broadcast_to(np.array(case.ground, np.float32), (SIZE, SIZE, 3)).copy()
    stripe = np.array(case.ink, np.float32) * 0.6 + 80
    body[330:352, :] = stripe
    body[742:760, :] = stripe
    surface = np.clip(body, 0, 255).astype(np.uint8)
    if ink is not None:
        grid = grid_of(plane, ink.shape[1] / ink.shape[0])
        surface = stamped(surface, ink, grid, case.ink)
    shaded = surface.astype(np.float32)
    if lit:
        shaded = shaded * (0.82 + 0.28 * x + 0.1 * y)[..., None]
        shaded = shaded * np.array([1 + case.warm, 1.0, 1 - case.warm], np.float32)
    cover = mask[..., None].astype(np.float32) / 255
    return np.asarray(np.clip(base * (1 - cover) + shaded * cover, 0, 255).astype(np.uint8))


def cut(one: CheckInput, rows: slice) -> CheckInput:
    """A landscape candidate: some rows of a square one, without its labels."""
    names = ("colour", "albedo", "depth", "normals", "mask", "shadow", "uv", "parts", "label_map")
    scene = replace(one.scene, labels=(), **{name: getattr(one.scene, name)[rows].copy() for name in names})
    return CheckInput(one.candidate[rows].copy(), one.base[rows].copy(), scene)


def make(case: Case) -> CheckInput:
    """A candidate, its base photo and its reference."""
    from scoring import strips

    base = base_photo(case.seed)
    mask = product_mask()
    right = coverage(case.text, case.font)
    wrong = coverage(case.drawn or case.text, case.font)
    grey = np.full((SIZE, SIZE, 3), 128, np.uint8)
    albedo = _painted(case, np.zeros_like(grey), mask, right, case.plane, lit=False)
    colour = _painted(case, grey, mask, right, case.plane, lit=True)
    drawn = np.asarray(strips.drawn(wrong, case.how), np.float32)
    plane = case.plane
    if drawn.shape != wrong.shape:  # turned by 90: as high as it was long, where it has the room
        plane = Plane(plane.centre, plane.height * min(wrong.shape[1] / wrong.shape[0], 10), plane.angle)
    moved = (plane.centre[0] + case.shift[0], plane.centre[1] + case.shift[1])
    plane = Plane(moved, plane.height, plane.angle, plane.perspective, plane.bow)
    shadow = np.full((SIZE, SIZE), 255, np.uint8)
    cv2.ellipse(shadow, (540, 790), (330, 45), 0, 0, 360, 120, -1)
    shadow = cv2.GaussianBlur(shadow, (0, 0), 14)
    # a share of light is about this power of itself in sRGB values
    ground = np.clip(base * (shadow[..., None] / 255.0) ** (1 / 2.2), 0, 255).astype(np.uint8)
    picture = _painted(case, ground, mask, None if case.missing else drawn, plane, lit=True)
    random = np.random.default_rng(case.seed + 1)
    picture = cv2.GaussianBlur(picture, (0, 0), case.blur) if case.blur > 0.2 else picture
    seen = np.where((mask > 0)[..., None], picture, ground).astype(np.float32)
    seen = seen + random.normal(0, 1.0, seen.shape).astype(np.float32) * (mask > 0)[..., None]
    contrast = abs(float(np.mean(case.ground)) - float(np.mean(case.ink))) / 2.55
    grid = grid_of(case.plane, right.shape[1] / right.shape[0])
    truth = truth_of(case.text, grid, case.plane.angle, contrast)
    scene = Reference(
        view="scene",
        camera=CAMERA,
        colour=colour,
        albedo=albedo,
        depth=np.where(mask > 0, 1.0, 0.0).astype(np.float32),
        normals=np.zeros((SIZE, SIZE, 3), np.float32),
        mask=mask,
        shadow=np.asarray(shadow, np.uint8),
        uv=np.zeros((SIZE, SIZE, 2), np.float32),
        parts=(mask > 0).astype(np.uint16),
        label_map=np.zeros((SIZE, SIZE), np.uint8),
        labels=(truth,),
    )
    return CheckInput(np.clip(seen, 0, 255).astype(np.uint8), base, scene, (scene,), PromptWords())

"""How true the stage's maps are: on real files, against three.js as an independent reader and renderer.

    python -m benchmarks.stage_accuracy --root MODELS --list benchmarks/real_files.txt
    python -m benchmarks.stage_accuracy one.glb two.fbx --pictures /tmp/pictures

Both read the same file, draw from the same cameras at the same samples of each pixel, and box-filter. Each
file's row is the worst of its views, but for means, which are the mean of its views. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import gc
import math
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.three_js import VERSION, Browser, Drawn, browser, front_of
from packline.colour import to_srgb
from packline.errors import GiveUp
from packline.stage.layers import flattened
from packline.stage.load import load_model
from packline.stage.model import GBuffer, ProductModel
from packline.stage.raster import Rasteriser
from packline.stage.views import canonical_camera

VIEWS = ("front", "right", "back", "three-quarter", "top")
#: How many samples on each side of a pixel three.js draws; the same as ours tells apart what was read and
#: drawn wrong, many more tell how true the antialiased edge is.
SAMPLES = 2
#: Formats that state no unit, or one that three.js leaves to its caller: compared at our size.
UNITLESS = (".obj", ".fbx")
#: Pixels from any outline within which colour, normals and depth are not compared: there both are means over
#: two surfaces.
RIM = 2


@dataclass(frozen=True)
class Agreement:
    """How far two pictures of one view agree.

    Parameters
    ----------
    iou
        Of the coverages: sum of the smaller over sum of the larger. Of a thin product, a small shift of its
        outline is a large part.
    outline
        By how many pixels the outlines differ, on average along them.
    albedo_mean, albedo_p99
        Difference in steps of 255, sRGB, largest channel; mean and 99th percentile.
    normal_median, normal_p95
        Angle in degrees.
    depth_p99
        Relative.
    compared
        Pixels inside both outlines; 0: the others are NaN.
    """

    iou: float
    outline: float
    albedo_mean: float
    albedo_p99: float
    normal_median: float
    normal_p95: float
    depth_p99: float
    compared: int


@dataclass(frozen=True)
class Row:
    """What came of one file.

    Parameters
    ----------
    scale
        Our size over theirs.
    refused, theirs
        What we and what three.js said where one of us could not read it.
    notes
        What we approximated, and which pictures three.js missed.
    """

    file: str
    triangles: int = 0
    scale: float = math.nan
    agreements: tuple[Agreement, ...] = ()
    refused: str = ""
    theirs: str = ""
    notes: tuple[str, ...] = ()


def compare(ours: GBuffer, theirs: Drawn) -> Agreement:
    """Measure one view.

    Parameters
    ----------
    ours
        Flattened, shape (H, W, ...).
    theirs
        Of the same camera and size.
    """
    larger = np.maximum(ours.mask, theirs.alpha).sum(dtype=float)
    smaller = np.minimum(ours.mask, theirs.alpha).sum(dtype=float)
    iou = float(smaller / larger) if larger else 1.0
    outline = float(larger - smaller) / max(_length(theirs.alpha), 1.0)
    inside = ((ours.depth > 0) & (theirs.depth > 0)).astype(np.uint8)
    kernel = np.ones((2 * RIM + 1, 2 * RIM + 1), np.uint8)
    inside = cv2.erode(inside, kernel, borderValue=0).astype(bool)
    # on the way over an inner outline a pixel may hold two surfaces at once
    inside &= (_alone(ours.depth) & _alone(theirs.depth)) & (ours.mask > 0.02)
    if not inside.any():
        return Agreement(iou, outline, *(math.nan,) * 5, compared=0)
    albedo = np.abs(
        to_srgb(ours.albedo[inside]).astype(float) - to_srgb(theirs.albedo[inside]).astype(float)
    ).max(-1)
    angles = _angles(ours.normals[inside], theirs.normals[inside])
    depth = np.abs(ours.depth[inside] - theirs.depth[inside]) / theirs.depth[inside]
    return Agreement(
        iou,
        outline,
        float(albedo.mean()),
        float(np.percentile(albedo, 99)),
        float(np.median(angles)),
        float(np.percentile(angles, 95)),
        float(np.percentile(depth, 99)),
        int(inside.sum()),
    )


def _length(alpha: NDArray[np.float32]) -> float:
    """Pixels along the outline of what is there: half of the rim of pixels on its two sides."""
    there = (alpha > 0.01).astype(np.uint8)
    cross = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
    rim = cv2.dilate(there, cross) - cv2.erode(there, cross)
    return float(rim.sum()) / 2


def _alone(depth: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where the neighbourhood's depths are those of one surface."""
    kernel = np.ones((3, 3), np.uint8)
    spread = cv2.dilate(depth, kernel) - cv2.erode(depth, kernel)
    return np.asarray(spread < 0.02 * np.maximum(depth, 1e-9))


def _angles(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float64]:
    """Degrees between vectors of any length, exact for small angles."""
    a, b = one.astype(float), other.astype(float)
    return np.asarray(np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b), axis=-1), (a * b).sum(-1))))


def measure(
    path: Path,
    name: str,
    browser: Browser,
    rasteriser: Rasteriser,
    pictures: Path | None = None,
    samples: int = SAMPLES,
) -> Row:
    """Draw one file on both sides and compare them.

    Parameters
    ----------
    pictures
        Folder for side-by-side pictures of every view; None: none.
    samples
        On each side of a pixel, on three.js's side.
    """
    try:
        model = load_model(path)
    except GiveUp as error:
        return Row(name, refused=str(error), theirs=_opinion(path, browser))
    triangles = sum(len(part.faces) for part in model.parts)
    height = float(model.bounds[1, 1] - model.bounds[0, 1])
    try:
        told = browser.load(path, front_of(path), height if path.suffix.lower() in UNITLESS else None)
    except ValueError as error:
        return Row(name, triangles, theirs=str(error))
    agreements = []
    with rasteriser.staged(model) as stage:
        for view in VIEWS:
            camera = canonical_camera(model, view, rasteriser.size)
            ours = flattened(stage.gbuffer(camera))
            theirs = browser.draw(camera, samples)
            agreements.append(compare(ours, theirs))
            if pictures is not None:
                side_by_side(pictures / f"{name.replace('/', '_')}.{view}.png", ours, theirs)
    scale = _scale(model, told["size"])
    notes = (*model.notes, *(f"three.js missed {one}" for one in told["missing"]))
    del model
    gc.collect()
    return Row(name, triangles, scale, tuple(agreements), notes=notes)


def _opinion(path: Path, browser: Browser) -> str:
    """What three.js says of a file that we refuse."""
    try:
        browser.load(path)
    except ValueError as error:
        return str(error)
    return ""


def _scale(model: ProductModel, size: list[float]) -> float:
    """Our longest side over theirs."""
    return float(max(model.bounds[1] - model.bounds[0]) / max(*size, 1e-12))


def side_by_side(file: Path, ours: GBuffer, theirs: Drawn) -> None:
    """Write albedo and normals of both, and eight times their difference."""
    rows = []
    for a, b in (
        (_shown(to_srgb(ours.albedo), ours.mask), _shown(to_srgb(theirs.albedo), theirs.alpha)),
        (_painted(ours.normals, ours.depth), _painted(theirs.normals, theirs.depth)),
    ):
        difference = np.clip(np.abs(a.astype(int) - b.astype(int)) * 8, 0, 255).astype(np.uint8)
        rows.append(np.hstack([a, b, difference]))
    file.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(file), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))


def _shown(albedo: NDArray[np.uint8], mask: NDArray[np.float32]) -> NDArray[np.uint8]:
    cover = np.clip(mask, 0, 1)[..., None]
    return np.asarray(albedo * cover + 205 * (1 - cover), np.uint8)


def _painted(normals: NDArray[np.float32], depth: NDArray[np.float32]) -> NDArray[np.uint8]:
    lengths = np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)
    return np.where(depth[..., None] > 0, (normals / lengths + 1) * 127.5, 205).astype(np.uint8)


def table(rows: list[Row], size: int, samples: int = SAMPLES) -> str:
    """The rows as Markdown: those that were compared, and those that either side refused."""
    compared = [row for row in rows if row.agreements]
    lines = [
        "# The stage against three.js",
        "",
        f"{len(rows)} files, three.js {VERSION}, {len(VIEWS)} views ({', '.join(VIEWS)}) at {size} px with "
        f"{samples}x{samples} samples a pixel on three.js's side, 2x2 on ours. IoU, outline and percentiles: "
        f"the worst view; means and medians: over the views. Colour, normals and depth: at least {RIM} px "
        "inside both outlines. Size: ours over theirs; FBX and OBJ are compared at our size.",
        "",
        "| file | triangles | size | mask IoU | outline px | albedo mean | albedo p99 | normal median ° "
        "| normal p95 ° | depth p99 |",
        "| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: |",
    ]
    for row in compared:
        a = row.agreements
        cells = (
            f"{row.scale:.4g}",
            f"{min(one.iou for one in a):.5f}",
            f"{max(one.outline for one in a):.3f}",
            f"{_over(np.nanmean, [one.albedo_mean for one in a]):.2f}",
            f"{_over(np.nanmax, [one.albedo_p99 for one in a]):.0f}",
            f"{_over(np.nanmean, [one.normal_median for one in a]):.2f}",
            f"{_over(np.nanmax, [one.normal_p95 for one in a]):.2f}",
            f"{_over(np.nanmax, [one.depth_p99 for one in a]):.1e}",
        )
        lines.append(f"| {row.file} | {row.triangles:,} | " + " | ".join(cells) + " |")
    every = [one for row in compared for one in row.agreements]
    if every:
        ious = np.array([one.iou for one in every])
        lines += [
            "",
            f"Over {len(every)} views: IoU median {np.median(ious):.5f}, at least 0.999 in "
            f"{(ious >= 0.999).mean():.0%}; albedo mean at most 1/255 in "
            f"{np.nanmean([one.albedo_mean <= 1 for one in every if one.compared]):.0%}; normals' median at "
            f"most 1° in {np.nanmean([one.normal_median <= 1 for one in every if one.compared]):.0%}.",
        ]
    noted = [row for row in compared if row.notes]
    if noted:
        lines += ["", "## What we approximated or three.js missed", ""]
        lines += [f"- {row.file}: {_cell(' '.join(row.notes))}" for row in noted]
    refused = [row for row in rows if not row.agreements]
    if refused:
        lines += ["", "## Not compared", "", "| file | ours | three.js |", "| --- | --- | --- |"]
        lines += [
            f"| {row.file} | {_cell(row.refused) or 'drawn'} | {_cell(row.theirs) or 'drawn'} |"
            for row in refused
        ]
    return "\n".join(lines) + "\n"


def _over(function: object, values: list[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return float(function(known)) if known else math.nan  # type: ignore[operator]


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "/").split())[:300]


def main() -> None:
    """Measure the files that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("paths", nargs="*", type=Path)
    parser.add_argument("--root", type=Path, default=Path(), help="what the paths are relative to")
    parser.add_argument("--list", type=Path, help="a file with a path on each line")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--samples", type=int, default=SAMPLES, help="on each side of a pixel, of three.js")
    parser.add_argument("--pictures", type=Path, help="folder for side-by-side pictures")
    parser.add_argument("--out", type=Path, help="Markdown file; else standard output")
    given = parser.parse_args()
    names = [str(path) for path in given.paths]
    if given.list is not None:
        lines = (line.split("#")[0].strip() for line in given.list.read_text().splitlines())
        names += [line for line in lines if line]
    rows = []
    rasteriser = Rasteriser(given.size)
    with browser() as page:
        for name in names:
            row = measure(given.root / name, name, page, rasteriser, given.pictures, given.samples)
            rows.append(row)
            worst = min((one.iou for one in row.agreements), default=math.nan)
            print(f"{name}: IoU {worst:.5f} {row.refused} {row.theirs}", file=sys.stderr)
    text = table(rows, given.size, given.samples)
    if given.out is None:
        print(text)
    else:
        given.out.write_text(text)


if __name__ == "__main__":
    main()

"""Text truth measured: corners against marks in the picture, strings against OCR, proposals against people.

    python -m benchmarks.text_truth [--models FOLDER] [--real FOLDER] [--only marks|strips|proposals]

1. **Marks.** Chessboard corners are printed at the corners and along the edges of a label on a box, a can,
   a bottle's shoulder and a cone. OpenCV finds them in the renders: how far off is the projected truth?
2. **Strips.** Every label of at least 16 px in every view, unrolled and read by OCR.
3. **Proposals.** Labels proposed with the annotations hidden, against those annotations: found, false, the
   corners' distance in texture pixels, reading direction. `--real` adds models whose text is known.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.cli.truth import OcrReader
from packline.colour import to_srgb
from packline.errors import GiveUp
from packline.stage.layers import flattened
from packline.stage.load import load_model
from packline.stage.model import ProductModel
from packline.stage.print_line import folded
from packline.stage.propose import SIZE, propose
from packline.stage.raster import Rasteriser
from packline.stage.sighting import corners_of, overlap
from packline.stage.text_truth import natural_direction, text_truth
from packline.stage.views import CANONICAL, canonical_camera
from packline.truth import TextTruth
from packline.unroll import unroll
from tests.stage.build import Gltf, box, revolved

Floats = NDArray[np.float64]
# on whole texels, so that a mark lies exactly where the label has it
LABEL = ((0.34375, 0.359375), (0.65625, 0.359375), (0.65625, 0.640625), (0.34375, 0.640625))
#: What people read on the real files that nobody annotated.
KNOWN_TEXT = {"WaterBottle": ("CLIMB", "HIGHER"), "BoomBox": ("PLAY", "PROGRAM", "FUNCTION", "REPEAT")}
READABLE = 16.0
#: Length of a mark's arms, of the texture's side; and the fewest pixels that OpenCV is given of them.
ARM, LEAST_ARM = 0.012, 4.0
PICTURE = 768
MODELS = (".glb", ".gltf", ".fbx", ".obj")


# marks


def marked_texture(size: int = 2048, along: int = 9) -> tuple[NDArray[np.uint8], Floats]:
    """A grey texture with chessboard corners along the label's upper and lower edge.

    Returns
    -------
    pixels, shares
        uint8 (size, size, 3), and where the marks lie in the label: (N, 2) from 0 to 1.
    """
    pixels = np.full((size, size, 3), 150, np.uint8)
    (u0, v0), _, (u1, v1), _ = LABEL
    shares = []
    arm = round(ARM * size)
    for t in (0.0, 1.0):
        for s in np.linspace(0, 1, along):
            x, y = round((u0 + s * (u1 - u0)) * size), round((v0 + t * (v1 - v0)) * size)
            pixels[y - arm : y, x - arm : x] = pixels[y : y + arm, x : x + arm] = 20
            pixels[y - arm : y, x : x + arm] = pixels[y : y + arm, x - arm : x] = 245
            shares.append(((x / size - u0) / (u1 - u0), (y / size - v0) / (v1 - v0)))
    return pixels, np.array(shares)


def marked_models(folder: Path) -> Iterator[tuple[str, ProductModel, Floats]]:
    pixels, shares = marked_texture()
    rows = 64
    heights = [0.2 * i / rows for i in range(rows + 1)]

    def bottle(y: float) -> float:
        # a shoulder that runs through the label
        return 0.02 + 0.03 / (1 + np.exp((y - 0.11) / 0.015))

    shapes = {
        "box": box((0.1, 0.12, 0.06)),
        "can": revolved([(0.05, y) for y in heights], 256, 180),
        "bottle": revolved([(bottle(y), y) for y in heights], 256, 180),
        "cone": revolved([(0.06 - 0.2 * y, y) for y in heights], 256, 180),
    }
    shapes["box"]["uv"][4:] = 0.01
    for name, shape in shapes.items():
        gltf = Gltf()
        gltf.mesh(**shape, material=gltf.material(baseColorTexture={"index": gltf.image(pixels)}))
        label = {"id": "marks", "text": "MARKS", "quad": LABEL}
        yield name, load_model(gltf.save(folder / f"{name}.glb", labels=[label])), shares


def mark_errors(model: ProductModel, shares: Floats, rasteriser: Rasteriser) -> tuple[list[float], int]:
    """Pixels between truth and each mark that OpenCV finds in each view, and how many it does not find."""
    errors: list[float] = []
    lost = 0
    for view in (*CANONICAL, "label:marks"):
        camera = canonical_camera(model, view, PICTURE)
        gbuffer = rasteriser.gbuffer(model, camera)
        grey = cv2.cvtColor(to_srgb(flattened(gbuffer).albedo), cv2.COLOR_RGB2GRAY)
        for truth in text_truth(model, camera, gbuffer):
            grid = np.asarray(truth.grid, np.float32)
            rows, columns = grid.shape[:2]
            for s, t in shares:
                if not truth.span[0] + 0.03 <= s <= truth.span[1] - 0.03 and truth.visible < 0.999:
                    continue
                x, y = np.float32(s * (columns - 1)), np.float32(t * (rows - 1))
                where = np.array([[x]]), np.array([[y]])
                at = cv2.remap(grid, *where, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0, 0]
                reach = _arm(grid, round(float(x)), round(float(y)))
                if reach < LEAST_ARM:
                    continue
                found = _saddle(grey, at - 0.5, int(min(reach, 10)))
                if found is None:
                    lost += 1
                else:
                    errors.append(float(np.linalg.norm(found + 0.5 - at)))
    return errors, lost


def _arm(grid: NDArray[np.float32], column: int, row: int) -> float:
    """How long in pixels the shorter arm of a mark is."""
    (u0, v0), _, (u1, v1), _ = LABEL
    rows, columns = grid.shape[:2]
    a, b = min(column, columns - 2), min(row, rows - 2)
    across = float(np.linalg.norm(grid[row, a + 1] - grid[row, a])) * (columns - 1) * ARM / (u1 - u0)
    down = float(np.linalg.norm(grid[b + 1, column] - grid[b, column])) * (rows - 1) * ARM / (v1 - v0)
    return min(across, down)


def _saddle(grey: NDArray[np.uint8], near: Floats, reach: int) -> Floats | None:
    """The strongest chessboard corner within `reach` pixels, to a fraction of a pixel."""
    x, y = round(float(near[0])), round(float(near[1]))
    x0, y0 = x - reach, y - reach
    if x0 < 4 or y0 < 4 or x + reach + 4 > grey.shape[1] or y + reach + 4 > grey.shape[0]:
        return None
    smooth = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 1.2)
    xx = cv2.Sobel(smooth, cv2.CV_32F, 2, 0)
    yy = cv2.Sobel(smooth, cv2.CV_32F, 0, 2)
    xy = cv2.Sobel(smooth, cv2.CV_32F, 1, 1)
    # the Hessian's determinant is most negative on a saddle
    strength = (xy * xy - xx * yy)[y0 : y0 + 2 * reach + 1, x0 : x0 + 2 * reach + 1]
    row, column = np.unravel_index(int(strength.argmax()), strength.shape)
    if float(strength.max()) < 50.0:
        return None
    start = np.array([[[x0 + column, y0 + row]]], np.float32)
    done = cv2.cornerSubPix(
        grey, start, (4, 4), (-1, -1), (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 60, 1e-3)
    )
    return np.asarray(done[0, 0], float)


def report_marks(rasteriser: Rasteriser) -> None:
    print("\nMarks: truth against corners found in the picture, pixels at 768²\n")
    print(
        "| shape | marks found | not found | median | 95 % | largest |\n| --- | --- | --- | --- | --- | --- |"
    )
    with tempfile.TemporaryDirectory() as folder:
        for name, model, shares in marked_models(Path(folder)):
            errors, lost = mark_errors(model, shares, rasteriser)
            middle, most = np.percentile(errors, (50, 95))
            print(f"| {name} | {len(errors)} | {lost} | {middle:.2f} | {most:.2f} | {max(errors):.2f} |")


# strips


def models_in(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in MODELS)


def report_strips(folder: Path, rasteriser: Rasteriser, reader: OcrReader) -> None:
    print(f"\nStrips: OCR of every whole label of at least {READABLE:g} px, against its string\n")
    agreed, partly, misread = 0, 0, []
    whole, parts = 0, 0
    for file in models_in(folder):
        try:
            model = load_model(file)
        except GiveUp as error:
            print(f"{file.name}: {error}")
            continue
        with rasteriser.staged(model) as stage:
            for view in CANONICAL:
                camera = canonical_camera(model, view, PICTURE)
                gbuffer = stage.gbuffer(camera)
                picture = to_srgb(flattened(gbuffer).albedo)
                for truth in text_truth(model, camera, gbuffer):
                    if truth.height < READABLE or not _legible(truth):
                        continue
                    ((said, _),) = reader.read([unroll(picture, truth)])
                    wanted = folded(truth.visible_text)
                    if truth.visible > 0.97:
                        whole += 1
                        agreed += folded(said) == wanted
                    else:
                        parts += 1
                        partly += folded(said) == wanted
                    if folded(said) != wanted:
                        misread.append(
                            f"{file.stem} {view} {truth.label}: {truth.visible_text!r} read {said!r}"
                        )
    print(f"whole labels: {agreed} of {whole}; the visible part of others: {partly} of {parts}")
    for line in misread:
        print(f"- {line}")


def _legible(truth: TextTruth) -> bool:
    return len(folded(truth.visible_text)) >= 2 and truth.contrast >= 12 and "…" not in truth.visible_text


# proposals


@dataclass
class Score:
    wanted: int = 0
    found: int = 0
    read: int = 0
    directed: int = 0
    false: int = 0
    seconds: float = 0.0


def report_proposals(files: list[Path], reader: OcrReader) -> None:
    print("\nProposals, annotations hidden\n")
    print("| model | found | read right | false | corners off, texture px | CPU-s |")
    print("| --- | --- | --- | --- | --- | --- |")
    rasteriser = Rasteriser(SIZE)
    total = Score()
    distances: list[float] = []
    for file in files:
        annotated = load_model(file)
        started = time.process_time()
        proposals = propose(replace(annotated, labels=()), rasteriser, reader)
        score = Score(seconds=time.process_time() - started)
        own: list[float] = []
        matched: set[str] = set()
        for label in annotated.labels:
            score.wanted += 1
            for one in proposals:
                if one.label.material != (label.material or one.label.material):
                    continue
                if overlap(corners_of(label), corners_of(one.label)) < 0.5:
                    continue
                matched.add(one.label.id)
                score.found += 1
                score.read += folded(one.label.text) == folded(label.text)
                turn = natural_direction(annotated, one.label)[0] - natural_direction(annotated, label)[0]
                score.directed += abs((turn + 180) % 360 - 180) < 10
                size = next(
                    part.material.texture.pixels.shape[1::-1]
                    for part in annotated.parts
                    if part.material.name == one.label.material and part.material.texture is not None
                )
                away = corners_of(one.label) - corners_of(label)
                own += list(np.linalg.norm((away - np.round(away.mean(0))) * size, axis=1))
                break
        for text in KNOWN_TEXT.get(file.stem, ()) if not annotated.labels else ():
            score.wanted += 1
            hits = [one for one in proposals if folded(one.label.text) == text]
            score.found, score.read = score.found + bool(hits), score.read + bool(hits)
            score.directed += bool(hits) and not natural_direction(annotated, hits[0].label)[1]
            matched |= {one.label.id for one in hits}
        others = [one for one in proposals if one.label.id not in matched]
        score.false = len(others)
        distances += own
        off = f"{np.median(own):.1f} (most {max(own):.1f})" if own else ""
        extra = ": " + ", ".join(repr(one.label.text) for one in others) if others else ""
        print(
            f"| {file.stem} | {score.found} of {score.wanted} | {score.read} | {score.false}{extra} | {off} "
            f"| {score.seconds:.0f} |",
            flush=True,
        )
        for name in vars(total):
            setattr(total, name, getattr(total, name) + getattr(score, name))
    print(
        f"\nfound {total.found} of {total.wanted}, read right {total.read}, "
        f"right direction {total.directed}, false {total.false}, "
        f"{total.seconds / max(len(files), 1):.0f} CPU-s a product"
    )
    if distances:
        print(
            f"corners: median {np.median(distances):.1f}, 95 % {np.percentile(distances, 95):.1f} texture px"
        )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, default=Path("assets/3d"), help="annotated models")
    parser.add_argument("--real", type=Path, help="further models: WaterBottle, BoomBox, ...")
    parser.add_argument("--only", choices=("marks", "strips", "proposals"))
    arguments = parser.parse_args()
    reader = OcrReader()
    rasteriser = Rasteriser(PICTURE)
    if arguments.only in (None, "marks"):
        report_marks(rasteriser)
    if arguments.only in (None, "strips"):
        report_strips(arguments.models, rasteriser, reader)
    if arguments.only in (None, "proposals"):
        files = models_in(arguments.models)
        if arguments.real:
            files += [file for file in models_in(arguments.real) if file.stem in KNOWN_TEXT]
        report_proposals(files, reader)


if __name__ == "__main__":
    main()

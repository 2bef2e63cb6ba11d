"""Lessons for the defect map from the bench's calibration split: ``python -m training.shape_bench``.

The ten kinds of `training.products` are few: a chair's legs and a lamp's shade look like none of them. The
calibration split is there to be tuned on and has twenty-one kinds; the test split shares no product, brand,
font or scene with it and has four kinds more. Takes are drawn with seeds that neither thresholds nor fusion
use. Only defects of the 3D model are taken from the bench; what is painted into pictures is this folder's own
(`training.shape_defects`), so that the bench's painted defects stay unseen.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from scoring.bench.defects import shape
from scoring.bench.defects.sitting import Altered, Sitting
from scoring.bench.nuisances import Nuisance, draw_nuisance
from scoring.bench.takes import Photograph, Take, takes
from training.shape import read_takes
from training.shape_data import EXTENT, PIXELS, save

Picture = NDArray[np.uint8]
SIZE = 512
#: Of the bench's row of takes; thresholds are set on small ones, fusion's are 60001 and 81000.
SEED = 700_000
SITTINGS, EACH = 2, 2
#: Sittings that another renderer draws, beside those that `draw_nuisance` has so anyway.
FOREIGN = 0.4
_LOST: tuple[tuple[str, float], ...] = (
    ("part missing", 3),
    ("part added", 2),
    ("part melted", 3),
    ("all melted", 2),
    ("bottom warped", 2),
    ("turned away", 1),
)


class _Watched(Sitting):
    """A sitting that remembers what was photographed last: an altered product's coverage is needed too."""

    def again(self, model: Any) -> Photograph:
        shot = super().again(model)
        self.__dict__["last"] = shot
        return shot


def take_of(take: Take, rng: np.random.Generator) -> dict[str, Any] | None:
    """One take as `training.shape_data.make_takes` gives them; None where nothing came of it."""
    square = _Square.around(take.truth.mask)
    if square is None:
        return None
    pictures, masks, kinds = [], [], []
    for _ in range(SITTINGS):
        # style and compression are drawn anew for every lesson
        foreign = 1.0 if rng.random() < FOREIGN else None
        sitting = _Watched(take, draw_nuisance(rng, SIZE, foreign=foreign), rng)
        pictures.append(square.cut(sitting.plain.picture))
        masks.append(square.cut(sitting.plain.mask))
        kinds.append("")
        for _ in range(EACH):
            made = _spoilt(sitting)
            if made is not None:
                picture, mask, kind = made
                pictures.append(square.cut(picture))
                masks.append(square.cut(mask))
                kinds.append(kind)
    missing = SITTINGS * (1 + EACH) - len(kinds)
    pictures += [np.zeros_like(pictures[0])] * missing
    masks += [np.zeros_like(masks[0])] * missing
    kinds += ["none"] * missing
    truth = take.truth
    normals = np.round((square.cut(truth.normals) + 1) * 127.5).astype(np.uint8)
    return {
        "colour": square.cut(truth.colour),
        "albedo": square.cut(truth.albedo),
        "normals": normals,
        "mask": square.cut(truth.mask),
        "surface": square.cut(truth.surface),
        "parts": np.zeros((PIXELS, PIXELS), np.uint8),
        "base": square.cut(take.photo),
        "pictures": np.stack(pictures),
        "masks": np.stack(masks),
        # they are marked after registration, where a shard is read
        "defects": np.zeros((len(masks), PIXELS, PIXELS), np.uint8),
        "meta": json.dumps({"kind": take.product, "scene": take.scene.name, "shots": kinds}),
    }


def _spoilt(sitting: _Watched) -> tuple[Picture, Picture, str] | None:
    """An altered product's picture, coverage and kind."""
    rng = sitting.rng
    odds = np.array([weight for _, weight in _LOST])
    for _ in range(3):
        kind = _LOST[int(rng.choice(len(_LOST), p=odds / odds.sum()))][0]
        if kind == "turned away":
            away = float(rng.choice([-1, 1]) * rng.uniform(18, 180))
            nuisance: Nuisance = replace(sitting.nuisance, turn=sitting.nuisance.turn + away)
            shot = sitting.take.photograph(nuisance)
            return shot.picture, shot.mask, kind
        share = f"{rng.choice([1.5, 2, 3, 4, 6, 10]):g} %"
        made: Altered | None
        if kind == "part missing":
            made = shape.part_missing(sitting, share)
        elif kind == "part added":
            made = shape.part_added(sitting, share)
        elif kind == "part melted":
            made = shape.melted(sitting, share)
        elif kind == "all melted":
            made = shape.melted_whole(sitting, str(rng.choice(["2 %", "4 %", "8 %"])))
        else:
            made = shape.bottom_warped(sitting, str(rng.choice(["1 %", "2 %", "4 %", "8 %"])))
        if made is not None:
            last: Photograph = sitting.__dict__["last"]
            return made.picture, last.mask, kind
    return None


class _Square:
    """The stored square of a picture: the product's longer side has `EXTENT` pixels in it."""

    def __init__(self, left: int, top: int, side: int) -> None:
        self.left, self.top, self.side = left, top, side

    @staticmethod
    def around(mask: Picture) -> _Square | None:
        x, y, w, h = cv2.boundingRect((mask > 8).astype(np.uint8))
        if max(w, h) < 64:
            return None
        side = round(max(w, h) * PIXELS / EXTENT)
        return _Square(x + (w - side) // 2, y + (h - side) // 2, side)

    def cut(self, picture: NDArray[Any]) -> NDArray[Any]:
        """Beyond the picture, its edge goes on."""
        rows = np.clip(np.arange(self.top, self.top + self.side), 0, picture.shape[0] - 1)
        columns = np.clip(np.arange(self.left, self.left + self.side), 0, picture.shape[1] - 1)
        part = np.ascontiguousarray(picture[rows][:, columns])
        how = cv2.INTER_AREA if self.side > PIXELS else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(part, (PIXELS, PIXELS), interpolation=how))


def make(shard: int, count: int) -> Sequence[dict[str, Any]]:
    """The takes of a shard; its number decides all."""
    rng = np.random.default_rng([13, shard])
    made = (take_of(take, rng) for take in takes("calibration", SIZE, count, seed=SEED + shard))
    return [take for take in made if take is not None]


def main() -> None:
    """Make shards and register them, skipping those that are there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=1000, help="number of the first shard")
    parser.add_argument("--last", type=int, default=1040)
    parser.add_argument("--takes", type=int, default=21, help="in a shard: one of each kind")
    parser.add_argument("--out", type=Path, default=Path("work/train/shape"))
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    for shard in range(asked.first, asked.last):
        file = asked.out / f"{shard:04d}.npz"
        if file.exists():
            continue
        start = time.process_time()
        made = make(shard, asked.takes)
        # registered beside it first: the trainer then finds the shard whole
        waiting = file.with_name(f"waiting-{file.name}")
        save(made, waiting)
        read_takes(waiting)
        waiting.with_suffix(".matrices.npy").rename(file.with_suffix(".matrices.npy"))
        waiting.rename(file)
        cost = (time.process_time() - start) / max(len(made), 1)
        print(f"{file} {len(made)} takes, {cost * 1000:.0f} ms CPU each", flush=True)


if __name__ == "__main__":
    main()

"""Weigh the shape check's cues against one another: ``python -m training.shape_fusion --takes 12``.

Three weights and an offset are fitted by logistic regression on honest pictures and plain defects of the
bench's calibration split, as thresholds are (`packline calibrate`); its test split is never looked at. The
offset puts the verdict where 1 % of the honest pictures are rejected. The network itself has seen neither.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from scoring.bench.specimen import Specimen
from scoring.defect_map import WEIGHTS, look
from scoring.shape import CUES, FUSION, cues

Doubles = NDArray[np.float64]
# of honest pictures, rejected at a logit of 0
REJECTED = 0.01
# what is no text, no colour and no scene
KINDS = (
    "part missing",
    "part added",
    "part melted",
    "all melted",
    "bottom warped",
    "hole",
    "blob",
    "smear",
    "scribble",
    "wrong pattern",
    "product turned away",
    "wrong product",
)


def specimens(takes_asked: int, good: int, bad: int, seed: int) -> Iterator[Specimen]:
    """Honest pictures and defects of the calibration split; the seed decides them all."""
    from scoring.bench.defects import RECIPES, Sitting, spoil
    from scoring.bench.good import good_specimens
    from scoring.bench.nuisances import draw_nuisance
    from scoring.bench.takes import takes

    together = tuple(takes("calibration", 512, takes_asked, seed=seed))
    recipes = [recipe for recipe in RECIPES if recipe.name in KINDS]
    for number, take in enumerate(together):
        rng = np.random.default_rng([77, seed, number])
        yield from good_specimens(take, rng, good)
        some = together[number // 4 * 4 : number // 4 * 4 + 4]
        for place, index in enumerate(rng.permutation(len(recipes))[:bad]):
            sitting = Sitting(take, draw_nuisance(rng, 512), rng, some)
            specimen = spoil(sitting, recipes[index], f"bad-{place:03d}")
            if specimen is not None:
                yield specimen


def fitted(values: Doubles, wrong: NDArray[np.bool_]) -> tuple[Doubles, float]:
    """Weights of the cues by logistic regression, honest pictures counted twice, and the offset."""
    count = np.where(wrong, 1.0, 2.0)
    middle, spread = values.mean(0), values.std(0) + 1e-6
    z = np.column_stack([(values - middle) / spread, np.ones(len(values))])
    held = np.diag([1.0] * values.shape[1] + [1e-6])
    numbers = np.zeros(z.shape[1])
    for _ in range(40):
        p = 1 / (1 + np.exp(-np.clip(z @ numbers, -30, 30)))
        slope = z.T @ ((p - wrong) * count) + held @ numbers
        numbers -= np.linalg.solve((z * (p * (1 - p) * count)[:, None]).T @ z + held, slope)
    weights = numbers[:-1] / spread
    return weights, -float(np.quantile((values @ weights)[~wrong], 1 - REJECTED))


def main() -> None:
    """Fit and write."""
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--takes", type=int, default=12)
    parser.add_argument("--good", type=int, default=12)
    parser.add_argument("--bad", type=int, default=16)
    parser.add_argument("--seed", type=int, default=81000)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--out", type=Path, default=FUSION)
    asked = parser.parse_args()
    rows, wrong = [], []
    for one in specimens(asked.takes, asked.good, asked.bad, asked.seed):
        if one.defect is None or one.defect.plain:
            rows.append(cues(look([one.given], asked.weights)[0]))
            wrong.append(one.defect is not None)
    values, bad = np.stack(rows), np.array(wrong)
    weights, offset = fitted(values, bad)
    logits = values @ weights + offset
    print(f"{(~bad).sum()} honest, {bad.sum()} plain defects: {(logits[bad] < 0).sum()} escape")
    told = {name: round(float(weight), 4) for name, weight in zip(CUES, weights, strict=True)}
    asked.out.write_text(json.dumps({"weights": told, "offset": round(offset, 4)}, indent=1) + "\n")


if __name__ == "__main__":
    main()

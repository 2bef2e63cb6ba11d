"""Weigh what the extra text check knows of a line: ``python -m training.extra_text --takes 12``.

Lines made up on products of the bench's calibration split (words, mirrored words, letters that are none,
words over patterns, second lines under labels) against all lines that the check finds on honest pictures of
the same products. Four weights by logistic regression; the offset puts a certainty of 0.25, where the default
threshold lies, midway between the surest line of the honest pictures and the level that all but a twentieth
of the made-up ones reach. Fitted on every other product, counted on the rest. Prints the constants of
`scoring/extra_text.py`. The bench's test split is never looked at.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from scoring.bench.specimen import Specimen
from scoring.extra_text import CHECK, ExtraTextSettings, Line, lines_of

Doubles = NDArray[np.float64]
# log odds of a certainty of 0.25
AT_THRESHOLD = float(np.log(0.25 / 0.75))
# made-up lines may lie below the level that the offset is set by: what hardly shows
FAINT = 0.05


@dataclass(frozen=True)
class Example:
    """A picture's lines: those made up, as far as they were found, or all of an honest picture's."""

    product: str
    kind: str
    lines: tuple[tuple[float, float, float, float], ...]


def specimens(takes_asked: int, good: int, rounds: int, seed: int) -> Iterator[Specimen]:
    """Honest pictures and made-up lines on products of the calibration split; the seed decides them all."""
    from scoring.bench.defects import RECIPES, Sitting, spoil
    from scoring.bench.good import good_specimens
    from scoring.bench.nuisances import draw_nuisance
    from scoring.bench.takes import takes

    recipes = [recipe for recipe in RECIPES if recipe.name.startswith("extra ")]
    for number, take in enumerate(takes("calibration", 512, takes_asked, seed=seed)):
        rng = np.random.default_rng([91, seed, number])
        yield from good_specimens(take, rng, good)
        for turn in range(rounds):
            sitting = Sitting(take, draw_nuisance(rng, 512), rng, (take,))
            for place, recipe in enumerate(recipes):
                specimen = spoil(sitting, recipe, f"bad-{turn}-{place:03d}")
                if specimen is not None:
                    yield specimen


def example(specimen: Specimen) -> Example:
    """What the check knows of a specimen's lines."""
    lines = lines_of(specimen.given, ExtraTextSettings(threshold=CHECK.defaults["threshold"]))
    if specimen.defect is not None:
        assert specimen.defect.where is not None
        lines = [line for line in lines if _is_there(line, specimen.defect.where)]
    told = tuple((line.found, line.novel, line.read, line.strokes) for line in lines)
    return Example(specimen.product, specimen.defect.kind if specimen.defect else "", told)


def _is_there(line: Line, where: NDArray[np.bool_]) -> bool:
    marks = np.zeros(where.shape, np.uint8)
    cv2.fillPoly(marks, [np.round(np.array(line.corners)).astype(np.int32)], 1)
    both = int((marks.astype(bool) & where).sum())
    return bool(both > 0.3 * where.sum() or both > 0.1 * marks.sum())


def fitted(examples: Sequence[Example], ridge: float = 1.0) -> Doubles:
    """Offset and four weights, float64 (5,): logistic regression, the two classes of equal weight."""
    rows = [(line, bool(one.kind)) for one in examples for line in one.lines]
    if len({bad for _, bad in rows}) < 2:
        raise SystemExit("The tuning products' pictures have lines of one kind alone; give more --takes.")
    x = np.array([(1.0, *line) for line, _ in rows])
    y = np.array([1.0 if bad else -1.0 for _, bad in rows])
    share = np.where(y > 0, 0.5 / max(1, (y > 0).sum()), 0.5 / max(1, (y < 0).sum())) * len(y)

    def loss(weights: Doubles) -> float:
        return float(share @ np.logaddexp(0, -y * (x @ weights)) + 0.5 * ridge * weights[1:] @ weights[1:])

    weights = np.asarray(minimize(loss, np.zeros(5), method="BFGS").x, np.float64)
    honest = surest([one for one in examples if not one.kind], weights)
    made_up = surest([one for one in examples if one.kind and one.lines], weights)
    middle = 0.5 * (honest.max() + np.quantile(made_up, FAINT))
    weights[0] += AT_THRESHOLD - middle
    return weights


def surest(examples: Sequence[Example], weights: Doubles) -> Doubles:
    """Log odds of each picture's surest line; very low where it has none."""
    return np.array(
        [max((float(weights[0] + np.dot(weights[1:], line)) for line in one.lines), default=-20.0)
         for one in examples]
    )  # fmt: skip


def report(examples: Sequence[Example], weights: Doubles) -> None:
    """Print how many of each kind are missed, and how many honest pictures are rejected."""
    for kind in sorted({one.kind for one in examples}):
        some = [one for one in examples if one.kind == kind]
        over = int((surest(some, weights) > AT_THRESHOLD).sum())
        said = f"{len(some) - over} of {len(some)} missed" if kind else f"{over} of {len(some)} rejected"
        print(f"{kind or 'honest pictures'}: {said}")


def main() -> None:
    """Fit on every other product, count on the rest, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--takes", type=int, default=12)
    parser.add_argument("--good", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seed", type=int, default=502)
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    examples = [example(one) for one in specimens(asked.takes, asked.good, asked.rounds, asked.seed)]
    tell(examples)


def tell(examples: Sequence[Example]) -> None:
    """Fit on every other product, count on the rest, and print the constants."""
    products = sorted({one.product for one in examples})
    tuning = [one for one in examples if one.product in products[1::2]]
    counting = [one for one in examples if one.product not in products[1::2]]
    weights = fitted(tuning)
    names = "OFFSET", "FOUND", "NOVEL", "READ", "STROKES"
    print(", ".join(names), "=", ", ".join(f"{value:.1f}" for value in weights))
    for name, some in (("tuned on", tuning), ("counted on", counting)):
        print(f"-- {name} {len({one.product for one in some})} products")
        report(some, np.round(weights, 1))


if __name__ == "__main__":
    main()

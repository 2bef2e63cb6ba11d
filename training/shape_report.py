"""How well the shape check does on what it has not seen: ``python -m training.shape_report [--fit FILE]``.

Held out are the products of every tenth shard, in the light that the stage drew them in (of the scene's kind,
not the scene's) and registered as the check does. Escapes are counted at the
thresholds that reject 0.3 % and 1 % of honest pictures, by kind of defect and by its visible share. `--fit`
weighs the verdict, the map and what light does not explain against one another and writes `scoring.shape`'s
fusion; the table is then of halves that were not fitted on.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from scoring.defect_map import SIDE, Looked, Window, left_over
from scoring.shape import CUES, cues, fusion
from training.shape import Lesson, Source, lesson, read_takes
from training.shape_defects import DEFECTS

Doubles = NDArray[np.float64]
BANDS = ((0.01, 0.02), (0.02, 0.05), (0.05, 0.15), (0.15, 9.0))
# rounds of halves that the fit is tried on
ROUNDS = 6


@dataclass(frozen=True)
class Exam:
    """What was asked and what the network and the residual said.

    Parameters
    ----------
    kinds, shares
        Of the defects; "" and 0 for honest pictures.
    cues
        float64 (N, 4), as `scoring.shape.cues`.
    """

    kinds: tuple[str, ...]
    shares: Doubles
    cues: Doubles

    @property
    def honest(self) -> NDArray[np.bool_]:
        """Which pictures are right."""
        return np.array([kind == "" for kind in self.kinds])


def held_out(folder: Path) -> list[Source]:
    """Takes that training does not see."""
    files = [file for file in sorted(folder.glob("????.npz")) if int(file.stem) % 10 == 9]
    return [s for file in files for s in read_takes(file) if s.indices(honest=True)]


def answers(weights: Path, lessons: list[Lesson]) -> Doubles:
    """The cues of many lessons, float64 (N, 4)."""
    import torch

    from scoring.defect_map import _network

    network = _network(weights)
    with torch.inference_mode():
        heat, verdict = network(torch.from_numpy(np.stack([one.x for one in lessons])))
    blank = np.zeros((SIDE, SIDE, 3), np.uint8)
    return np.stack(
        [
            cues(Looked(Window(0, 0, SIDE), hot.numpy(), float(logit), blank, blank, *left_over(one.x)))
            for one, hot, logit in zip(lessons, heat, verdict, strict=True)
        ]
    )


def sit(weights: Path, folder: Path, good: int, each: int, seed: int) -> Exam:
    """Draw the exam's pictures and ask about them; the seed and the folder's takes decide them all."""
    rng = np.random.default_rng([6, seed])
    sources = held_out(folder)
    print(f"{len(sources)} takes held out", flush=True)
    others = [source.pictures[0] for source in sources]
    asked = ["no"] * good + ["model"] * (7 * each) + [kind for kind in DEFECTS for _ in range(each)]
    kinds, shares, found, batch = [], [], [], []
    for number, spoilt in enumerate(asked, 1):
        source = sources[int(rng.integers(len(sources)))]
        if source.indices(spoilt != "model"):
            batch.append(lesson(source, others[int(rng.integers(len(others)))], rng, spoilt, harsh=False))
            kinds.append(f"3D {batch[-1].kind}" if spoilt == "model" else batch[-1].kind)
            shares.append(batch[-1].share)
        if len(batch) == 16 or (batch and number == len(asked)):
            found.append(answers(weights, batch))
            batch = []
    return Exam(tuple(kinds), np.array(shares), np.concatenate(found))


def fitted(exam: Exam, those: NDArray[np.bool_]) -> tuple[Doubles, float]:
    """Weights and offset of the cues by logistic regression on some pictures of an exam."""
    honest = exam.honest
    use = those & (honest | (exam.shares >= BANDS[0][0]))
    x, wrong = exam.cues[use], (~honest[use]).astype(float)
    # what is small counts half, and to reject what is right is worse
    count = np.where(honest, 2.0, np.where(exam.shares >= BANDS[1][0], 1.0, 0.5))[use]
    middle, spread = x.mean(0), x.std(0) + 1e-6
    z = np.column_stack([(x - middle) / spread, np.ones(len(x))])
    held = np.diag([1.0] * len(CUES) + [1e-6])
    weights = np.zeros(z.shape[1])
    for _ in range(40):
        p = 1 / (1 + np.exp(-np.clip(z @ weights, -30, 30)))
        slope = z.T @ ((p - wrong) * count) + held @ weights
        weights -= np.linalg.solve((z * (p * (1 - p) * count)[:, None]).T @ z + held, slope)
    return weights[:-1] / spread, float(weights[-1] - (weights[:-1] * middle / spread).sum())


def tried(exam: Exam) -> list[float]:
    """Escapes of 2 % and more in % at 0.3, 1 and 3 % false rejects, of halves that were not fitted on."""
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(ROUNDS):
        half = rng.random(len(exam.kinds)) < 0.5
        for those in (half, ~half):
            weights, offset = fitted(exam, those)
            rows.append(escapes(exam, exam.cues @ weights + offset, ~those))
    return [float(value) for value in np.mean(rows, 0)]


def escapes(exam: Exam, logits: Doubles, those: NDArray[np.bool_]) -> list[float]:
    """Escapes of 2 % and more, in %, at 0.3, 1 and 3 % false rejects."""
    limits = np.quantile(logits[those & exam.honest], (0.997, 0.99, 0.97))
    grave = those & ~exam.honest & (exam.shares >= BANDS[1][0])
    return [100 * float((logits[grave] < limit).mean()) for limit in limits]


def table(exam: Exam, logits: Doubles) -> None:
    """Print escapes by kind and share."""
    limits = np.quantile(logits[exam.honest], (0.997, 0.99))
    print(f"{exam.honest.sum()} honest; logits at 0.3 % and 1 %: {limits[0]:.2f} {limits[1]:.2f}")
    rows: dict[tuple[str, str], list[float]] = defaultdict(list)
    for kind, share, logit in zip(exam.kinds, exam.shares, logits, strict=True):
        if kind and share > BANDS[0][0]:
            band = next(f"{100 * a:g}-{100 * b:g} %" for a, b in BANDS if share <= b)
            for name in (kind, "all"):
                rows[name, band].append(float(logit))
                if share > BANDS[1][0]:
                    rows[name, "2 % on"].append(float(logit))
    bands = [f"{100 * a:g}-{100 * b:g} %" for a, b in BANDS] + ["2 % on"]
    print(f"{'escapes, % at 0.3 / 1 %':24}" + "".join(f"{band:>20}" for band in bands))
    for kind in sorted({kind for kind, _ in rows}):
        line = f"{kind:24}"
        for band in bands:
            some = np.array(rows.get((kind, band), []))
            cell = "-"
            if len(some):
                shares = [100 * float((some < limit).mean()) for limit in limits]
                cell = f"{shares[0]:.0f} / {shares[1]:.0f} ({len(some)})"
            line += f"{cell:>20}"
        print(line)


def main() -> None:
    """Print the table; write the fusion where asked."""
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=Path("work/train/shape-new/defect_map.safetensors"))
    parser.add_argument("--takes", type=Path, default=Path("work/train/shape"))
    parser.add_argument("--good", type=int, default=1000)
    parser.add_argument("--each", type=int, default=30, help="bad ones of each kind")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--fit", type=Path, help="where to write the fusion")
    asked = parser.parse_args()
    exam = sit(asked.weights, asked.takes, asked.good, asked.each, asked.seed)
    if asked.fit:
        cut = tried(exam)
        print(f"fitted on halves: {cut[0]:.1f} / {cut[1]:.1f} / {cut[2]:.1f} % escape at 0.3 / 1 / 3 %")
        weights, offset = fitted(exam, np.ones(len(exam.kinds), bool))
        told = {name: round(float(weight), 4) for name, weight in zip(CUES, weights, strict=True)}
        asked.fit.write_text(json.dumps({"weights": told, "offset": round(offset, 4)}, indent=1) + "\n")
    else:
        weights, offset = fusion()
    table(exam, exam.cues @ weights + offset)


if __name__ == "__main__":
    main()

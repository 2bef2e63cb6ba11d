"""How well the shape check does on what it has not seen: ``python -m training.shape_report``.

Held out are the products of every tenth shard, in the light that the stage drew them in (of the scene's kind,
not the scene's) and registered as the check does. Escapes are counted at the
thresholds that reject 0.3 % and 1 % of honest pictures, by kind of defect and by its visible share.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from scoring.defect_map import SIDE, Looked, Window, left_over
from scoring.shape import cues, fusion
from training.shape import Lesson, Source, lesson, read_takes
from training.shape_defects import DEFECTS

Doubles = NDArray[np.float64]
BANDS = ((0.01, 0.02), (0.02, 0.05), (0.05, 0.15), (0.15, 9.0))


@dataclass(frozen=True)
class Exam:
    """What was asked and what the network and the residual said.

    Parameters
    ----------
    kinds, shares
        Of the defects; "" and 0 for honest pictures.
    cues
        float64 (N, 3), as `scoring.shape.cues`.
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
    """The cues of many lessons, float64 (N, 3)."""
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
    """Print the table."""
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=Path("work/train/shape-new/defect_map.safetensors"))
    parser.add_argument("--takes", type=Path, default=Path("work/train/shape"))
    parser.add_argument("--good", type=int, default=1000)
    parser.add_argument("--each", type=int, default=30, help="bad ones of each kind")
    parser.add_argument("--seed", type=int, default=3)
    asked = parser.parse_args()
    exam = sit(asked.weights, asked.takes, asked.good, asked.each, asked.seed)
    weights, offset = fusion()
    table(exam, exam.cues @ weights + offset)


if __name__ == "__main__":
    main()

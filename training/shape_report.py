"""How well the defect map does on what it has not seen: ``python -m training.shape_report``.

Held out are a kind of product altogether and the products of every tenth shard. Escapes are counted at the
thresholds that reject 0.3 % and 1 % of honest pictures, by kind of defect and by its visible share.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np

from training.shape import HELD_OUT, Lesson, Source, lesson, read_takes
from training.shape_defects import DEFECTS

BANDS = ((0.01, 0.02), (0.02, 0.05), (0.05, 0.15), (0.15, 9.0))


def held_out(folder: Path) -> list[Source]:
    """Takes that training does not see."""
    sources = []
    for file in sorted(folder.glob("????.npz")):
        takes = read_takes(file)
        sources += [s for s in takes if s.product in HELD_OUT or int(file.stem) % 10 == 9]
    return [s for s in sources if s.indices(honest=True)]


def verdicts(weights: Path, lessons: list[Lesson]) -> np.ndarray:
    """Logits of many lessons."""
    import torch

    from scoring.defect_map import _network

    network = _network(weights)
    with torch.inference_mode():
        return network(torch.from_numpy(np.stack([one.x for one in lessons])))[1].numpy()


def main() -> None:
    """Print the table."""
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=Path("work/train/shape-new/defect_map.safetensors"))
    parser.add_argument("--takes", type=Path, default=Path("work/train/shape"))
    parser.add_argument("--good", type=int, default=1000)
    parser.add_argument("--each", type=int, default=50, help="bad ones of each kind")
    parser.add_argument("--seed", type=int, default=3)
    asked = parser.parse_args()
    rng = np.random.default_rng([6, asked.seed])
    sources = held_out(asked.takes)
    print(f"{len(sources)} takes held out")
    others = [source.pictures[0] for source in sources]
    made: list[tuple[Lesson, float]] = []

    def add(count: int, spoilt: str) -> None:
        batch = []
        for _ in range(count):
            source = sources[int(rng.integers(len(sources)))]
            if source.indices(spoilt != "model"):
                batch.append(lesson(source, others[int(rng.integers(len(others)))], rng, spoilt))
            if len(batch) == 16:
                made.extend(zip(batch, verdicts(asked.weights, batch), strict=True))
                batch.clear()
        if batch:
            made.extend(zip(batch, verdicts(asked.weights, batch), strict=True))

    add(asked.good, "no")
    add(asked.each * 7, "model")
    for kind in DEFECTS:
        add(asked.each, kind)
    good = np.array([logit for one, logit in made if one.kind == ""])
    limits = [float(np.quantile(good, q)) for q in (0.997, 0.99)]
    print(f"{len(good)} honest; logits at 0.3 % and 1 %: {limits[0]:.2f} {limits[1]:.2f}")
    rows: dict[tuple[str, str], list[float]] = defaultdict(list)
    for one, logit in made:
        if one.kind and one.share > BANDS[0][0]:
            band = next(f"{100 * a:g}-{100 * b:g} %" for a, b in BANDS if one.share <= b)
            for kind in (one.kind, "all"):
                rows[kind, band].append(float(logit))
                if one.share > 0.02:
                    rows[kind, "2 % on"].append(float(logit))
    bands = [f"{100 * a:g}-{100 * b:g} %" for a, b in BANDS] + ["2 % on"]
    print(f"{'escapes, % at 0.3 / 1 %':24}" + "".join(f"{band:>20}" for band in bands))
    for kind in sorted({kind for kind, _ in rows}):
        line = f"{kind:24}"
        for band in bands:
            logits = np.array(rows.get((kind, band), []))
            cell = "-"
            if len(logits):
                shares = [100 * float((logits < limit).mean()) for limit in limits]
                cell = f"{shares[0]:.0f} / {shares[1]:.0f} ({len(logits)})"
            line += f"{cell:>20}"
        print(line)


if __name__ == "__main__":
    main()

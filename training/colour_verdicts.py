"""Teaches the colour check's verdicts: which suspect's colour is surely astray (`scoring.colour_suspects`).

The lessons of `training.colour_lessons` are seen through the fitted model of honest light
(`training.colour_null`); a lesson counts as wrong where any of its suspects is guilty. Run
``python -m training.colour_verdicts``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.colour_suspects import FACTS, Suspect, Verdicts, suspects
from scoring.relight import Relight, Residual, load
from training.colour_lessons import Lesson, Take
from training.colour_null import LEFT_OUT, read

HIDDEN = 24
LEAST_WRONG = 3.0  # CIEDE2000 from which a lesson is taught as wrong


def suspected(take: Take, lesson: Lesson, model: Relight) -> list[Suspect]:
    """All suspects of a lesson."""
    patches = take.patches
    told = [k for k in range(len(patches.regions)) if (lesson.open_share[patches.region == k] >= 0.2).any()]
    if not told:
        return []
    measured = (lesson.difference, lesson.spread, lesson.open_share)
    return suspects(patches, Residual.of(model, patches, lesson.style, measured), told, lesson.style)


def teach(
    sets: Sequence[NDArray[np.float32]],
    wrong: NDArray[np.bool_],
    weights: NDArray[np.float32],
    seconds: float,
) -> Verdicts:
    """Fit the network for `seconds`; `sets` are the facts of each lesson's suspects, (S, F)."""
    import time

    import torch

    torch.manual_seed(0)
    torch.set_num_threads(1)
    everything = np.concatenate(list(sets))
    most = max(len(one) for one in sets)
    facts = torch.zeros(len(sets), most, len(FACTS))
    here = torch.zeros(len(sets), most, dtype=torch.bool)
    for row, one in enumerate(sets):
        facts[row, : len(one)] = torch.from_numpy(one)
        here[row, : len(one)] = True
    mean = torch.from_numpy(everything.mean(0))
    scale = torch.from_numpy(everything.std(0) + 1e-3)
    facts = ((facts - mean) / scale).clamp(-5, 5)
    size = len(FACTS)
    network = torch.nn.Sequential(
        torch.nn.Linear(size, HIDDEN),
        torch.nn.Tanh(),
        torch.nn.Linear(HIDDEN, HIDDEN),
        torch.nn.Tanh(),
        torch.nn.Linear(HIDDEN, 1),
    )
    truth, weight = torch.from_numpy(wrong.astype(np.float32)), torch.from_numpy(weights)
    optimiser = torch.optim.AdamW(network.parameters(), lr=5e-3, weight_decay=2e-2)
    start, rng = time.monotonic(), np.random.default_rng(0)
    while (spent := time.monotonic() - start) < seconds:
        for group in optimiser.param_groups:
            group["lr"] = 5e-3 * max(0.02, 1 - spent / seconds)
        at = torch.from_numpy(rng.integers(len(sets), size=256))
        odds = network(facts[at])[..., 0].masked_fill(~here[at], -30)
        # the worst suspect decides, softly while it learns
        worst = torch.logsumexp(odds * 2, 1) / 2
        loss = torch.nn.functional.binary_cross_entropy_with_logits(worst, truth[at], weight[at])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    arrays: dict[str, Any] = {"mean": mean.numpy(), "scale": scale.numpy()}
    for number, layer in enumerate((network[0], network[2], network[4]), 1):
        arrays[f"w{number}"] = layer.weight.detach().numpy().T.copy()
        arrays[f"b{number}"] = layer.bias.detach().numpy().copy()
    return Verdicts(arrays)


def main() -> None:
    """Teach, write the network and report on the lessons that were held back."""
    from safetensors.numpy import save_file

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lessons", type=Path, default=Path("work/train/colour"))
    parser.add_argument("--out", type=Path, default=Path("assets/models/checks/colour"))
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--held", type=int, default=5, help="every n-th product is kept for the exam")
    asked = parser.parse_args()
    model = load(asked.out)
    rows = []
    for take in read(asked.lessons):
        held = take.meta["kind"] in LEFT_OUT or take.meta["seed"] % asked.held == 0
        for lesson in take.lessons:
            if found := suspected(take, lesson, model):
                rows.append((held, take, lesson, np.stack([one.facts for one in found])))
    taught = [row for row in rows if not row[0] and (row[2].delta_e == 0 or row[2].delta_e >= LEAST_WRONG)]
    wrong = np.array([row[2].delta_e > 0 for row in taught])
    # what must never escape weighs most
    weights = np.array(
        [{0.0: 1.0, 3.0: 0.3, 5.0: 1.0, 8.0: 1.0}[row[2].delta_e] for row in taught], np.float32
    )
    verdicts = teach([row[3] for row in taught], wrong, weights, asked.seconds)
    save_file(verdicts.arrays, asked.out / "verdicts.safetensors")
    exam = report([row for row in rows if row[0]], verdicts)
    file = asked.out / "training.json"
    record = json.loads(file.read_text())
    record["verdicts"] = {"lessons": len(taught), "seconds": asked.seconds, "exam": exam}
    file.write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps(exam, indent=1))


def report(rows: Sequence[Any], verdicts: Verdicts) -> dict[str, Any]:
    """Escapes at given false rejects, by what was shifted and by how much, on lessons not learned from."""
    worst = np.array([float(verdicts.guilt(row[3]).max()) for row in rows])
    shift = np.array([row[2].delta_e for row in rows])
    kind = np.array([_kind(row[1], row[2]) for row in rows])
    good = worst[shift == 0]
    out: dict[str, Any] = {"honest": len(good)}
    for rate in (0.003, 0.01, 0.03):
        limit = float(np.quantile(good, 1 - rate)) if len(good) else 0.0
        table: dict[str, Any] = {"log odds": round(limit, 2)}
        for name in ("part", "whole", "one colour"):
            for size in (2.0, 3.0, 5.0, 8.0):
                at = (shift == size) & (kind == name)
                if at.any():
                    table[f"{name}, {size:.0f}"] = [
                        round(float((worst[at] <= limit).mean()), 4),
                        int(at.sum()),
                    ]
        out[f"escapes at {rate:.1%} false rejects"] = table
    return out


def _kind(take: Take, lesson: Lesson) -> str:
    if len(take.patches.regions) == 1:
        return "one colour"
    return "whole" if lesson.shifted.all() else "part" if lesson.shifted.any() else "good"


if __name__ == "__main__":
    main()

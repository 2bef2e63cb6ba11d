"""Fits the colour check's model of honest light to lessons, and to honest pictures of the bench's products.

The lessons are those of `training.colour_lessons`, of ten kinds of product; the honest pictures are drawn as
the bench draws them, of its calibration split, under seeds of their own (`photographed`).
``--another`` fits the model of another renderer's light instead, to honest pictures that one drew
(`scoring.bench.renderers`).

The likelihood of the honest lessons is maximised (Student's t, so that a few strange ones do not widen
everything); the model is `scoring.relight.Relight`. Run ``python -m training.colour_null``.
"""

from __future__ import annotations

import argparse
import json
import pickle
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.relight import (
    FACTORS,
    FIELDS,
    VEILS,
    Relight,
    basis_of,
    inputs_of,
    load,
    style_inputs,
    style_loadings,
    veils_of,
)
from training.colour_lessons import Lesson, Take

Floats = NDArray[np.float32]
LEFT_OUT = ("tin", "tube")  # kinds that only the exam sees
DEGREES = 8.0  # of Student's t
BATCH, SOME = 32, 12  # lessons of a step; patches of a lesson
PICTURES = 6  # honest ones of a product of the bench


@dataclass(frozen=True)
class Row:
    """One lesson as arrays: inputs (N, I), loadings (N, 3, 33), differences (N, 3) and so on."""

    take: Take
    lesson: Lesson
    inputs: Floats
    loadings: Floats


def rows_of(takes: Sequence[Take], good: bool | None = True) -> list[Row]:
    """The lessons as rows; `good` picks honest ones (True), shifted ones (False) or all (None)."""
    rows = []
    for take in takes:
        for one in take.lessons:
            if good is not None and good != (one.delta_e == 0):
                continue
            inputs = inputs_of(take.patches, one.spread, one.open_share, one.style)
            rows.append(Row(take, one, inputs, style_loadings(take.patches, one.style)))
    return rows


def read(folder: Path) -> list[Take]:
    """All takes of a folder's shards that have patches."""
    takes: list[Take] = []
    for file in sorted(folder.glob("*.pkl")):
        takes += [take for take in pickle.loads(file.read_bytes()) if take.lessons]
    return takes


def photographed(count: int, each: int, seed: int, foreign: float = 0.0) -> list[Take]:
    """Honest pictures of the bench's products, `each` of `count`, measured as the check does.

    Parameters
    ----------
    seed
        Of the takes, of the calibration split; apart from those of runs that are calibrated or reported on.
    foreign
        How far another renderer draws them (`scoring.bench.nuisances.draw_nuisance`).
    """
    from scoring.bench.good import good_specimens
    from scoring.bench.takes import takes
    from scoring.colour import look_at

    made = []
    for number, take in enumerate(takes("calibration", 512, count, seed=seed)):
        lessons = []
        for one in good_specimens(take, np.random.default_rng([291, seed, number]), each, foreign):
            look = look_at(one.given)
            patches = look.patches
            nothing = np.zeros(len(patches.regions), bool)
            lessons.append(Lesson(*look.measured, look.style, nothing, 0.0, {"nuisance": one.nuisance}))
        # under two patches there is nothing to compare
        told = [one for one in lessons if (one.open_share >= 0.2).sum() > 1]
        if told:
            about = {"kind": take.product, "seed": number, "scene": take.scene.name}
            made.append(Take(replace(patches, members=()), tuple(told), about))
    return made


def fit(
    rows: Sequence[Row],
    seconds: float,
    seed: int = 0,
    start: Relight | None = None,
    veiled: bool = False,
) -> Relight:
    """Maximise the likelihood for at most `seconds`.

    Parameters
    ----------
    veiled
        Whether light may be added as another renderer does (`scoring.relight.veils_of`).
    """
    import torch

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    stacked = np.concatenate([row.inputs for row in rows])
    size = stacked.shape[1]
    arrays: dict[str, Any] = {
        "mean": stacked.mean(0),
        "scale": stacked.std(0) + 1e-3,
        "light": np.full((FACTORS, 3), -3.0) - np.array([0.0, 1.5, 1.5]),
        "noise": np.concatenate([[[-5.0, -6.5, -6.5]], np.zeros((size, 3))]),
        "own": np.concatenate([[[-6.0, -7.5, -7.5]], np.zeros((size, 3))]),
        "style": np.array([[-3.5, 0.5, 0.2], [-3.5, 0.5, 0.2]]),
        "field width": np.log(np.array([0.25, 0.8])[:FIELDS]),
        "field": np.full((FIELDS, 3), -6.0) - np.array([0.0, 2.0, 2.0]),
    }
    if veiled:
        arrays["veil"] = np.full(VEILS, -3.0)
    if start is not None:
        arrays |= start.arrays
    fixed = ("mean", "scale")
    tensors = {
        name: torch.tensor(np.asarray(values), dtype=torch.float32, requires_grad=name not in fixed)
        for name, values in arrays.items()
    }
    learned = [value for name, value in tensors.items() if name not in fixed]
    optimiser = torch.optim.Adam(learned, lr=5e-2)
    begun, step, running = time.monotonic(), 0, 0.0
    while (spent := time.monotonic() - begun) < seconds:
        for group in optimiser.param_groups:
            group["lr"] = 5e-2 * max(0.02, 1 - spent / seconds)
        batch = [_some(rows[int(k)], rng) for k in rng.integers(len(rows), size=BATCH)]
        loss = _surprise(tensors, [np.stack(one) for one in zip(*batch, strict=True)])
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        optimiser.step()
        running += 0.1 * (float(loss.detach()) - running)
        if step % 25 == 0:
            print(f"{spent:.0f} s, step {step}: {running:.3f}", flush=True)
        step += 1
    return Relight({name: value.detach().numpy().astype(np.float32) for name, value in tensors.items()})


def _some(row: Row, rng: np.random.Generator) -> tuple[NDArray[Any], ...]:
    """Some patches of a lesson as arrays of one length: where there are fewer, the last ones are blind."""
    seen = np.flatnonzero(row.lesson.open_share >= 0.2)
    picked = rng.permutation(seen)[:SOME]
    count = len(picked)
    at = np.concatenate([picked, np.zeros(SOME - count, np.int64)])
    style = row.lesson.style
    region = row.take.patches.region[at].astype(np.float32)
    region[count:] = -1
    return (
        row.inputs[at],
        row.loadings[at],
        row.lesson.difference[at],
        region,
        row.take.patches.features[at, 3:5],
        basis_of(row.take.patches)[at],
        veils_of(row.take.patches)[at],
        style_inputs(style).astype(np.float32),
        np.arange(SOME, dtype=np.float32) < count,
    )


def _surprise(a: dict[str, Any], batch: Sequence[NDArray[Any]]) -> Any:
    """Minus the log likelihood of a batch of lessons, for each number."""
    import torch

    inputs, loadings, difference, region, place, basis, veils, measured, here = (
        torch.from_numpy(one) for one in batch
    )
    size = len(inputs), 3 * SOME
    x = ((inputs - a["mean"]) / a["scale"]).clamp(-3, 3)
    ways = torch.exp(measured @ a["style"].T)
    rows = loadings.reshape(*size, 3, -1)
    alone = rows.reshape(*size, -1) * ways[:, :1, None]
    alike = rows.sum(2) * ways[:, 1:, None]
    total = alone @ alone.mT + alike @ alike.mT
    if "veil" in a:
        veiled = veils.reshape(*size, -1) * torch.exp(a["veil"])
        total = total + veiled @ veiled.mT
    same = (region[:, :, None] == region[:, None]).float()
    middle = (same @ x) / same.sum(2, keepdim=True)
    own = torch.exp((middle @ a["own"][1:] + a["own"][0]) / 2)
    blocks = own[:, :, None] * own[:, None] * same[..., None]
    lit = basis[..., None] * torch.exp(a["light"])
    blocks = blocks + torch.einsum("bnka,bmka->bnma", lit, lit)
    apart = (place[:, :, None] - place[:, None]).square().sum(-1)
    for field in range(FIELDS):
        near = torch.exp(-apart * torch.exp(-2 * a["field width"][field]) / 2)
        blocks = blocks + torch.exp(a["field"][field]) * near[..., None]
    spots = (blocks[..., None] * torch.eye(3)).permute(0, 1, 3, 2, 4).reshape(*size, size[1])
    blind = (~here).float().repeat_interleave(3, 1)
    total = (
        total + spots + torch.diag_embed(torch.exp(x @ a["noise"][1:] + a["noise"][0]).reshape(size) + 1e-6)
    )
    # blind patches: no word to the others, and nothing to be surprised at
    open_ = 1 - blind
    total = total * open_[:, :, None] * open_[:, None] + torch.diag_embed(blind)
    residual = difference.reshape(size) * open_
    factor = torch.linalg.cholesky(total)
    white = torch.linalg.solve_triangular(factor, residual[..., None], upper=False)[..., 0]
    numbers = open_.sum(1)
    tail = (DEGREES + numbers) / 2 * torch.log1p(white.square().sum(1) / DEGREES)
    determinant = torch.log(torch.diagonal(factor, dim1=1, dim2=2)).sum(1)
    return ((tail + determinant) / numbers.clamp(min=1)).mean()


def main() -> None:
    """Fit and write the model with its record."""
    from safetensors.numpy import save_file

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lessons", type=Path, default=Path("work/train/colour"))
    parser.add_argument("--out", type=Path, default=Path("assets/models/checks/colour"))
    parser.add_argument("--seconds", type=float, default=900)
    parser.add_argument("--held", type=int, default=5, help="every n-th product is kept for the exam")
    parser.add_argument("--products", type=int, default=70, help="of the bench that are photographed as well")
    parser.add_argument("--seed", type=int, default=300001, help="of these products")
    parser.add_argument("--another", action="store_true", help="fit the model of another renderer's light")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    own, another = load()
    if asked.another:
        pictures = rows_of(photographed(asked.products, PICTURES, asked.seed, foreign=1.0))
        print(f"{len(pictures)} honest pictures", flush=True)
        model = fit(pictures, asked.seconds, start=another, veiled=True)
        save_file(model.arrays, asked.out / "another.safetensors")
        return
    takes = [
        take
        for take in read(asked.lessons)
        if take.meta["kind"] not in LEFT_OUT and take.meta["seed"] % asked.held
    ]
    # every fourth will do: the model before this one is where the fit starts, and it knew them all
    takes = takes[::4]
    rows = rows_of(takes)
    pictures = rows_of(photographed(asked.products, PICTURES, asked.seed))
    print(f"{len(rows)} lessons, {len(pictures)} honest pictures", flush=True)
    # both count alike
    model = fit([*rows, *pictures * max(1, round(len(rows) / len(pictures)))], asked.seconds, start=own)
    save_file(model.arrays, asked.out / "relight.safetensors")
    record = {
        "what": "how honest light changes the colours of a product's patches (scoring/relight.py)",
        "code": "training/colour_lessons.py, training/colour_null.py",
        "lessons": len(rows),
        "products": len({take.meta["seed"] for take in takes}),
        "kinds left out": list(LEFT_OUT),
        "bench pictures": len(pictures),
        "bench products": asked.products,
        "bench seed": asked.seed,
        "seconds": asked.seconds,
        "seed": 0,
    }
    (asked.out / "training.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()

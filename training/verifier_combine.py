"""Fit the score of the text check: ``python -m training.verifier_combine draw``, ``patches``, then ``fit``.

Drawn are candidates (`training.verifier_labels`), looked at by the check itself; what it measured on each
label goes into rows. Fitted is a logistic sum whose signs are known, then small trees by gradient boosting
(Friedman 2001) that may only split so that a larger measure never lowers the score.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from packline.errors import PacklineError
from scoring.text_score import MEASURES, TABLE, Table
from training.verifier_prints import TURNS

Floats = NDArray[np.float64]
NAMES = list(MEASURES)
# a larger one means "more likely right"; of the others the sign is free and they only steer the trees
RISING = ("alike", "worst_place", "look", "weakest", "margin", "heard", "letter", "surplus", "heard_margin")
DEPTH = 3


def draw(folder: Path, first: int, last: int, each: int, scenes: Path) -> None:
    """Measure the labels of candidates of products `first` to `last`, a file each; skip those there are."""
    from scoring.text_orientation import TextSettings, look
    from training.verifier_labels import candidates, demo_scenes

    folder.mkdir(parents=True, exist_ok=True)
    known = demo_scenes(scenes)
    settings = TextSettings(threshold=0.5)
    for seed in range(first, last):
        file = folder / f"{seed:05d}.npz"
        if file.exists():
            continue
        start = time.process_time()
        try:
            made = list(candidates(seed, known, each))
        except PacklineError as error:
            print(f"{seed}: {error}", flush=True)
            continue
        seen = look([one.given for one in made], settings) if made else []
        pairs = [
            pair
            for one, labels in zip(made, seen, strict=True)
            for pair in zip(one.kinds, labels, strict=True)
        ]
        count = keep(file, [(kind, label) for kind, label in pairs if kind], settings.min_contrast)
        print(f"{seed}: {count} labels, {time.process_time() - start:.1f} s CPU", flush=True)


def draw_patches(folder: Path, first: int, last: int, each: int = 100) -> None:
    """Measure labels on patches of pictures, `each` a file: many more for the time than whole pictures."""
    from scoring.text_orientation import TextSettings, look
    from training.verifier_labels import patches

    folder.mkdir(parents=True, exist_ok=True)
    settings = TextSettings(threshold=0.5)
    for seed in range(first, last):
        file = folder / f"9{seed:04d}.npz"
        if file.exists():
            continue
        start = time.process_time()
        made = list(patches(seed, each))
        seen = look([one for _, one in made], settings)
        count = keep(
            file,
            [(kind, labels[0]) for (kind, _), labels in zip(made, seen, strict=True)],
            settings.min_contrast,
        )
        print(f"{seed}: {count} patches, {time.process_time() - start:.1f} s CPU", flush=True)


def keep(file: Path, labels: list[tuple[str, Any]], contrast: float) -> int:
    """Write what was measured on labels of enough contrast, and what the verifier was given."""
    from scoring.labels import measures_of

    labels = [(kind, label) for kind, label in labels if label.print.truth.contrast >= contrast]
    pairs = np.empty(len(labels), object)
    pairs[:] = [compared(label) for _, label in labels]
    part = file.with_suffix(".part.npz")
    np.savez(
        part,
        rows=measures_of([label for _, label in labels]),
        kinds=np.array([kind for kind, _ in labels], "U24"),
        heights=np.array([label.print.truth.height for _, label in labels]),
        pairs=pairs,
    )
    part.rename(file)
    return len(labels)


def compared(label: Any) -> list[tuple[Any, Any]]:
    """The pairs of strips that the verifier was given of a label, the right way round."""
    from scoring.text_orientation import placed

    return [(label.print.expected, placed(label, how)) for how in label.print.same]


def load(folder: Path) -> tuple[Floats, NDArray[Any], Floats, NDArray[Any]]:
    """Rows, kinds, heights and products; the verifier is asked anew, since it may have been trained since."""
    from scoring.verifier import verifier

    files = [file for file in sorted(folder.glob("[0-9]*.npz")) if ".part" not in file.name]
    # our own files, pictures of many sizes
    parts = [part for part in (dict(np.load(file, allow_pickle=True)) for file in files) if len(part["rows"])]
    for part in parts:
        flat = [(i, *pair) for i, pairs in enumerate(part["pairs"]) for pair in pairs]
        found = verifier().compare([a for _, a, _ in flat], [b for *_, b in flat])
        for i in range(len(part["rows"])):
            best = max(
                (one for one, (j, *_) in zip(found, flat, strict=True) if i == j), key=lambda one: one.alike
            )
            part["rows"][i, NAMES.index("alike")] = best.alike
            part["rows"][i, NAMES.index("worst_place")] = -best.worst
    group = np.concatenate([np.full(len(part["rows"]), i) for i, part in enumerate(parts)])
    return (*(np.concatenate([part[name] for part in parts]) for name in ("rows", "kinds", "heights")), group)  # type: ignore[return-value]


def fit(rows: Floats, kinds: NDArray[Any], trees: int = 60, rate: float = 0.15) -> Table:
    """The table for measured labels."""
    right = (kinds == "right").astype(float)
    weight = np.where(right > 0, 1.0, np.where(np.isin(kinds, list(TURNS)), 2.0, 1.0))
    weight = weight * np.where(right > 0, 0.5 / np.mean(right), 0.5 / np.mean(1 - right))
    x = Table.scaled(rows)
    weights, bias = _logistic(x, right, weight)
    odds = x @ weights + bias
    grown = []
    for _ in range(trees):
        chance = 1 / (1 + np.exp(-odds))
        tree = _grow(x, weight * (right - chance), weight * chance * (1 - chance))
        measure, level, value = tree
        value = rate * value
        odds = odds + Table(np.zeros(x.shape[1]), 0.0, ((measure, level, value),)).odds(rows)
        grown.append((measure, level, value))
    return Table(weights, bias, tuple(grown))


def _logistic(x: Floats, right: Floats, weight: Floats) -> tuple[Floats, float]:
    """Ridge logistic regression with weights not under 0 for `RISING`, and 0 for the others."""
    allowed = np.array([name in RISING for name in NAMES])
    w, b = np.where(allowed, 1.0, 0.0), -3.0
    step, ridge = 0.5, 2e-4
    first, second = np.zeros(len(w) + 1), np.zeros(len(w) + 1)
    for t in range(1, 4001):
        chance = 1 / (1 + np.exp(-(x @ w + b)))
        error = weight * (chance - right) / weight.sum()
        slope = np.r_[x.T @ error + ridge * w, error.sum()]
        first, second = 0.9 * first + 0.1 * slope, 0.999 * second + 0.001 * slope**2
        move = step * 0.1 * first / (1 - 0.9**t) / (np.sqrt(second / (1 - 0.999**t)) + 1e-8)
        w, b = np.where(allowed, np.maximum(w - move[:-1], 0.0), 0.0), b - move[-1]
    return w, float(b)


def _grow(x: Floats, slope: Floats, curve: Floats) -> tuple[NDArray[np.int64], Floats, Floats]:
    """One full tree of `DEPTH` by Newton's gain, monotone in `RISING`."""
    inner = 2**DEPTH - 1
    measure, level, value = np.zeros(inner, np.int64), np.full(inner, -1.0), np.zeros(2**DEPTH)
    rising = np.array([name in RISING for name in NAMES])
    at = np.zeros(len(x), np.int64)
    bounds = {0: (-np.inf, np.inf)}
    for node in range(inner):
        here = at == node
        low, high = bounds[node]
        best = (0.0, 0, -1.0, 0.0)
        for m in range(x.shape[1]):
            values = x[here, m]
            if len(values) < 40:
                continue
            for cut in np.unique(np.quantile(values, np.linspace(0.02, 0.98, 25))):
                over = values >= cut
                if over.all() or not over.any():
                    continue
                g1, h1 = slope[here][over].sum(), curve[here][over].sum() + 1.0
                g0, h0 = slope[here][~over].sum(), curve[here][~over].sum() + 1.0
                if rising[m] and g1 / h1 < g0 / h0:
                    continue
                gain = g1**2 / h1 + g0**2 / h0 - (g1 + g0) ** 2 / (h1 + h0)
                if gain > best[0]:
                    best = (
                        gain,
                        m,
                        float(cut),
                        (np.clip(g1 / h1, low, high) + np.clip(g0 / h0, low, high)) / 2,
                    )
        _, measure[node], level[node], middle = best
        left, right = (low, high), (low, high)
        if best[0] > 0 and rising[measure[node]]:
            left, right = (low, middle), (middle, high)
        bounds[2 * node + 1], bounds[2 * node + 2] = left, right
        at[here] = 2 * node + 1 + (x[here, measure[node]] >= level[node])
    for leaf in range(2**DEPTH):
        here = at == inner + leaf
        low, high = bounds[inner + leaf]
        value[leaf] = np.clip(slope[here].sum() / (curve[here].sum() + 1.0), max(low, -4), min(high, 4))
    return measure, level, value


def crossed(rows: Floats, kinds: NDArray[Any], group: NDArray[Any], folds: int = 5) -> Floats:
    """Log odds of each label by a table that was fitted without its product."""
    odds = np.zeros(len(rows))
    for fold in range(folds):
        out = group % folds == fold
        odds[out] = fit(rows[~out], kinds[~out]).odds(rows[out])
    return odds


def tabulate(odds: Floats, kinds: NDArray[Any], heights: Floats) -> dict[str, Any]:
    """Escapes by kind at false rejects of 0.3 % and 1 %, by text height; prints them."""
    found: dict[str, Any] = {}
    for name, low, high in (("9-14 px", 9, 14), ("14-20 px", 14, 20), ("20 px and more", 20, 1e9)):
        here = (heights >= low) & (heights < high)
        good = np.sort(odds[here & (kinds == "right")])
        if len(good) < 30:
            continue
        for share in (0.003, 0.01, 0.03):
            cut = good[int(share * len(good))]
            row = {}
            for kind in sorted(set(kinds) - {"right"}):
                bad = odds[here & (kinds == kind)]
                if len(bad):
                    row[kind] = [int((bad >= cut).sum()), len(bad)]
            found[f"{name} at {share:.1%}"] = row
            print(f"{name}, {len(good)} right ones, cut {cut:.2f} at {share:.1%} false rejects")
            print("  " + ", ".join(f"{kind} {a}/{b}" for kind, (a, b) in row.items()))
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("draw", "patches", "fit"))
    parser.add_argument("--folder", type=Path, default=Path("work/train/labels"))
    parser.add_argument("--scenes", type=Path, default=Path("assets/scenes"))
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--last", type=int, default=150)
    parser.add_argument("--each", type=int, default=6)
    parser.add_argument("--out", type=Path, default=TABLE)
    asked = parser.parse_args()
    if asked.what == "draw":
        draw(asked.folder, asked.first, asked.last, asked.each, asked.scenes)
        return
    if asked.what == "patches":
        draw_patches(asked.folder, asked.first, asked.last)
        return
    rows, kinds, heights, group = load(asked.folder)
    found = tabulate(crossed(rows, kinds, group), kinds, heights)
    table = fit(rows, kinds)
    plain = {
        "measures": NAMES,
        "weights": [round(float(w), 4) for w in table.weights],
        "bias": round(table.bias, 4),
        "trees": [
            {"measure": m.tolist(), "level": np.round(s, 4).tolist(), "value": np.round(v, 4).tolist()}
            for m, s, v in table.trees
        ],
        "fitted": {
            "labels": len(rows),
            "right": int((kinds == "right").sum()),
            "products": int(group.max()) + 1,
        },
        "escapes": found,
    }
    asked.out.write_text(json.dumps(plain) + "\n")


if __name__ == "__main__":
    main()

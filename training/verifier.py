"""Train the verifier of prints: ``python -m training.verifier lessons``, then ``train``, then ``report``.

Lessons are drawn once into shards (`training.verifier_pairs`) and seen several times, each time turned over
or mirrored together, which changes nothing about whether both are alike. The network answers place by place
and for the whole; both are taught. ``report`` measures on typefaces that were kept out.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.verifier import STRIDE, TALL, WEIGHTS, WIDE, Verifier, channels, network
from training.verifier_pairs import DIFFERENT, SAME, Lesson, lesson
from training.verifier_prints import KINDS, TURNS

Floats = NDArray[np.float32]

# channels are kept as whole numbers, 31 steps a unit
STEPS = 31.0
CANVAS = {False: (WIDE, 176), True: (TALL, 112)}
NAMES = ("right", *KINDS)
SHARD = 500
# a flip that escapes is what a shop is laughed at for
WEIGHT_OF_TURNS = 2.0


def shard(seed: int, tall: bool, count: int = SHARD) -> dict[str, NDArray[Any]]:
    """Draw lessons, cut to the canvas: channels int8, differences in percent, kinds, heights, lengths."""
    random = np.random.default_rng([23, seed, tall])
    height, width = CANVAS[tall]
    seen = np.zeros((count, 6, height, width), np.int8)
    differs = np.zeros((count, height // STRIDE, width // STRIDE), np.uint8)
    kinds, lengths = np.zeros(count, np.uint8), np.zeros(count, np.int16)
    heights = np.zeros(count, np.float32)
    for i in range(count):
        one = lesson(random, tall)
        while one.expected.shape[0] != height:  # a narrow letter stands upright
            one = lesson(random, tall)
        planes = channels(one.expected, one.seen)
        start = 0
        if planes.shape[2] > width:
            start = int(random.integers(0, (planes.shape[2] - width) // STRIDE + 1)) * STRIDE
            if one.kind != "right" and one.differs.max() > DIFFERENT:  # show the fault
                worst = int(one.differs.max(0).argmax()) * STRIDE
                start = (
                    int(np.clip(worst - random.integers(0, width), 0, planes.shape[2] - width))
                    // STRIDE
                    * STRIDE
                )
        planes = planes[:, :, start : start + width]
        places = one.differs[:, start // STRIDE :][
            :, : planes.shape[2] // STRIDE + (planes.shape[2] % STRIDE > 0)
        ]
        places = places[:, : width // STRIDE]
        seen[i, :, :, : planes.shape[2]] = np.round(planes * STEPS)
        differs[i, :, : places.shape[1]] = np.round(100 * np.clip(places, 0, 1))
        kinds[i], heights[i], lengths[i] = NAMES.index(one.kind), one.height, planes.shape[2]
    return {"seen": seen, "differs": differs, "kinds": kinds, "heights": heights, "lengths": lengths}


def draw(folder: Path, first: int, last: int) -> None:
    """Write shards of lessons, two of wide strips for each of near-square prints; skip those there are."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, last):
        tall = number % 3 == 2
        file = folder / f"{'tall' if tall else 'wide'}-{number:04d}.npz"
        if file.exists():
            continue
        start = time.process_time()
        made = shard(number, tall)
        part = file.with_suffix(".part.npz")
        np.savez(part, **made)  # type: ignore[arg-type]
        part.rename(file)
        print(f"{file.name}: {time.process_time() - start:.0f} s CPU", flush=True)


def train(
    folder: Path,
    out: Path,
    seconds: float,
    start_from: Path | None = None,
    rate: float = 2e-3,
    wall: float = 1e9,
) -> None:
    """Train for `seconds` of CPU time on all shards that there are; new ones join as they come.

    Parameters
    ----------
    out
        The .safetensors file; ``training.json`` is written beside it.
    start_from
        Weights to go on from.
    rate
        Of learning at its highest.
    wall
        Seconds on the clock after which it ends in any case.
    """
    import torch
    from safetensors.torch import load_file
    from torch.nn import functional

    torch.manual_seed(0)
    torch.set_num_threads(1)
    random = np.random.default_rng(0)
    net = network().to(memory_format=torch.channels_last)
    if start_from:
        net.load_state_dict({name: value.float() for name, value in load_file(start_from).items()})
    optimiser = torch.optim.AdamW(net.parameters(), rate, weight_decay=0.02)
    shards: dict[str, dict[str, NDArray[Any]]] = {}
    begun, clock, step, shown, losses = time.process_time(), time.monotonic(), 0, 0, []
    batch = {False: 96, True: 72}
    loaded = -1e9
    average: dict[str, Any] | None = None
    while (spent := max(time.process_time() - begun, (time.monotonic() - clock) / wall * seconds)) < seconds:
        if spent - loaded > 30:
            loaded = spent
            for file in sorted(folder.glob("[wt]*-[0-9][0-9][0-9][0-9].npz")):
                if file.name not in shards:
                    shards[file.name] = dict(np.load(file))
        progress = spent / seconds
        warm = min(1.0, (step + 1) / 100)
        for group in optimiser.param_groups:
            group["lr"] = rate * warm * 0.5 * (1 + np.cos(np.pi * progress)) + 1e-5
        names = sorted(shards)
        name = names[int(random.integers(len(names)))]
        data, tall = shards[name], name.startswith("tall")
        rows = random.choice(len(data["kinds"]), batch[tall], replace=False)
        x = torch.from_numpy(data["seen"][rows]).to(torch.float32) / STEPS
        y = torch.from_numpy(data["differs"][rows]).to(torch.float32)[:, None] / 100
        lengths = torch.from_numpy(data["lengths"][rows].astype(np.int64))
        columns = torch.arange(y.shape[3])[None] * STRIDE
        inside = (columns < lengths[:, None]).float()[:, None, None].expand_as(y).contiguous()
        x, y, inside = _varied(x, y, inside, tall, random)
        kinds = data["kinds"][rows]
        turned = torch.from_numpy(np.isin(kinds, [NAMES.index(kind) for kind in TURNS])).float()
        with torch.autocast("cpu", torch.bfloat16):
            whole, places = net(x.contiguous(memory_format=torch.channels_last), inside)
        whole, places = whole.float(), places.float()
        known = inside * ((y > DIFFERENT) | (y < SAME)).float()
        local = functional.binary_cross_entropy_with_logits(places, (y > DIFFERENT).float(), reduction="none")
        local = (local * known * (1 + 1.5 * (y > DIFFERENT))).sum() / known.sum()
        most = (y * inside).amax((1, 2, 3))
        clear = ((most > DIFFERENT) | (most < SAME)).float() * (
            1 + (WEIGHT_OF_TURNS - 1) * turned * (most > DIFFERENT)
        )
        overall = functional.binary_cross_entropy_with_logits(
            whole, (most > DIFFERENT).float(), reduction="none"
        )
        overall = (overall * clear).sum() / clear.sum()
        loss = local + overall
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 2.0)
        optimiser.step()
        step, shown = step + 1, shown + len(rows)
        losses.append((float(local.detach()), float(overall.detach())))
        with torch.no_grad():  # the mean of the last steps is steadier than the last step
            now = {key: value.float() for key, value in net.state_dict().items()}
            if average is None or step < 200:
                average = {key: value.clone() for key, value in now.items()}
            else:
                for key, value in now.items():
                    average[key].lerp_(value, 0.005)
        if step % 100 == 0:
            a, b = np.mean(losses[-100:], axis=0)
            print(f"{step} {spent:.0f} s: places {a:.3f} whole {b:.3f}, {len(shards)} shards", flush=True)
            if step % 500 == 0:
                _keep(average, out.with_suffix(".latest.safetensors"))
    if average is None:
        raise SystemExit(f"There are no lessons in {folder}; draw them first with the command lessons.")
    _keep(average, out)
    record = {
        "what": "verifier of prints: two strips alike or not, place by place",
        "code": "training/verifier.py, training/verifier_pairs.py, training/verifier_prints.py",
        "lessons": sum(len(data["kinds"]) for data in shards.values()),
        "shown": shown,
        "cpu_seconds": round(time.process_time() - begun),
        "seed": 0,
        "parameters": sum(parameter.numel() for parameter in net.parameters()),
        "typefaces": "DejaVu, Liberation, FreeFont, URW base 35, TeX Gyre, Open Sans, Roboto, Jura, "
        "Fira Code, Hack, Cabin; some kept out to measure with",
    }
    out.with_name("training.json").write_text(json.dumps(record, indent=1) + "\n")


def _keep(weights: dict[str, Any], out: Path) -> None:
    """Write weights in half precision; whole or not at all."""
    from safetensors.torch import save_file

    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_suffix(".part")
    save_file({key: value.half().contiguous() for key, value in weights.items()}, part)
    part.chmod(0o644)
    part.rename(out)


def _varied(x: Any, y: Any, inside: Any, tall: bool, random: np.random.Generator) -> tuple[Any, Any, Any]:
    """The batch turned over, mirrored, its ink and ground exchanged: alike stays alike."""
    import torch

    if random.random() < 0.5:
        x, y, inside = x.flip(2), y.flip(2), inside.flip(2)
    if random.random() < 0.5:
        # by whole places, so that the map's places stay whole
        x, y, inside = x.flip(3), y.flip(3), inside.flip(3)
    if tall and random.random() < 0.5:
        x, y, inside = x.transpose(2, 3), y.transpose(2, 3), inside.transpose(2, 3)
    signs = torch.from_numpy(random.choice([-1.0, 1.0], (len(x), 2)).astype(np.float32))
    x = x * signs[:, [0, 0, 0, 0, 1, 1], None, None]
    x = x + torch.randn_like(x) * (0.06 * torch.rand(len(x), 1, 1, 1))
    return x, y, inside


def report(weights: Path, count: int, seed: int = 0) -> dict[str, Any]:
    """Escapes by kind and text height at given false rejects, on typefaces kept out; prints a table."""
    net = Verifier(weights)
    random = np.random.default_rng([29, seed])
    lessons = [lesson(random, i % 5 == 4, 0.4, held_out=True) for i in range(count)]
    odds = np.array([a.alike for a in net.compare([o.expected for o in lessons], [o.seen for o in lessons])])
    return tabulate(lessons, odds)


def tabulate(lessons: Sequence[Lesson], odds: NDArray[np.float64]) -> dict[str, Any]:
    """The table of `report` from the log odds of lessons."""
    kinds = np.array([one.kind for one in lessons])
    heights = np.array([one.height for one in lessons])
    most = np.array([one.differs.max() for one in lessons])
    found: dict[str, Any] = {}
    for name, low, high in (("12-20 px", 0.0, 20.0), ("20 px and more", 20.0, 1e9)):
        here = (heights >= low) & (heights < high)
        good = np.sort(odds[here & (kinds == "right")])
        if len(good) < 20:
            continue
        for rate in (0.003, 0.01):
            level = good[int(rate * len(good))]
            row = {}
            for kind in KINDS:
                bad = odds[here & (kinds == kind) & (most > DIFFERENT)]
                row[kind] = (float((bad >= level).mean()) if len(bad) else float("nan"), len(bad))
            found[f"{name} at {rate:.1%}"] = row
            print(f"{name}, {len(good)} right ones, level {level:.2f} at {rate:.1%} false rejects")
            print("  " + ", ".join(f"{kind} {share:.1%} of {n}" for kind, (share, n) in row.items()))
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("lessons", "train", "report"))
    parser.add_argument("--folder", type=Path, default=Path("work/train/verifier"))
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--last", type=int, default=36)
    parser.add_argument("--seconds", type=float, default=900.0)
    parser.add_argument("--wall", type=float, default=1e9)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--start-from", type=Path)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--count", type=int, default=4000)
    asked = parser.parse_args()
    if asked.what == "lessons":
        draw(asked.folder, asked.first, asked.last)
    elif asked.what == "train":
        train(asked.folder, asked.weights, asked.seconds, asked.start_from, asked.rate, asked.wall)
    else:
        report(asked.weights, asked.count)


if __name__ == "__main__":
    main()

"""Make base photos: `--demo` the eight that the demo catalogue uses, `--train N` random ones to train on.

Set DRJIT_LIBLLVM_PATH to an LLVM library of version 16 or newer to trace four times as fast.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from training.scenes import SceneSpec, measure, random_spec, render, scene_file
from training.scenes.demo import DEMO

#: First word of every training seed; the demo sets are written by hand and draw from no such generator.
TRAIN_SEED = 20_261


def train_spec(index: int) -> SceneSpec:
    """The training set number `index`; always the same."""
    return random_spec(np.random.default_rng([TRAIN_SEED, index]))


def write(spec: SceneSpec, folder: Path, name: str, size: int, samples: int, seed: int, suffix: str) -> Path:
    """Write photo and scene file; the scene file last, so that its presence means both are whole."""
    folder.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(render(spec, size, samples, seed))
    partial = folder / f".{name}.{os.getpid()}{suffix}"
    if suffix == ".jpg":
        picture.save(partial, quality=93, subsampling=0, optimize=True)
    else:
        picture.save(partial)
    partial.replace(folder / f"{name}{suffix}")
    record = folder / f"{name}.json"
    partial = folder / f".{name}.{os.getpid()}.json"
    partial.write_text(json.dumps(scene_file(spec, name, size, suffix), indent=2) + "\n")
    partial.replace(record)
    return record


def main() -> None:
    """Read the command line and write scenes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", action="store_true", help="write the demo scenes to assets/scenes")
    parser.add_argument("--only", nargs="*", metavar="NAME", help="with --demo: these scenes alone")
    parser.add_argument("--train", type=int, metavar="N", help="write N random scenes; those that exist stay")
    parser.add_argument("--first", type=int, default=0, help="with --train: number of the first (default 0)")
    parser.add_argument(
        "--size", type=int, help="side in pixels (default: 1024 for the demo, 256 for training)"
    )
    parser.add_argument("--samples", type=int, help="paths a pixel (default 32)")
    parser.add_argument("--threads", type=int, default=1, help="threads of the path tracer (default 1)")
    parser.add_argument("--out", type=Path, help="folder (default assets/scenes or work/train/scenes)")
    arguments = parser.parse_args()
    if not arguments.demo and arguments.train is None:
        parser.error("say --demo or --train N")
    cv2.setNumThreads(1)
    _limit_threads(arguments.threads)
    if arguments.demo:
        folder = arguments.out or Path("assets/scenes")
        for number, (name, spec) in enumerate(DEMO.items()):
            if arguments.only and name not in arguments.only:
                continue
            record = write(
                spec, folder, name, arguments.size or 1024, arguments.samples or 32, number, ".jpg"
            )
            print(f"{record}: light explained to {measure(spec).residual:.1%} of its peak", flush=True)
    if arguments.train is not None:
        folder = arguments.out or Path("work/train/scenes")
        for index in range(arguments.first, arguments.first + arguments.train):
            name = f"train-{index:04d}"
            if not (folder / f"{name}.json").exists():
                spec = train_spec(index)
                write(spec, folder, name, arguments.size or 256, arguments.samples or 32, index, ".png")
                print(f"{name}: {spec.kind}, residual {measure(spec).residual:.1%}", flush=True)


def _limit_threads(count: int) -> None:
    import drjit

    from training.scenes import tracer  # noqa: F401  (chooses the variant, which owns the threads)

    drjit.set_thread_count(count)


if __name__ == "__main__":
    main()

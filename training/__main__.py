"""Train everything that Packline ships, in order: ``python -m training`` (``make train``).

Overnight on two processor cores. Every step skips what it finds in ``work/train``, so a broken night goes on
where it stopped; delete that folder to begin anew.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

WORK = Path("work/train")

# (what must exist for the step to be skipped, the step)
STEPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "scenes/train-0299.json",
        ("training.make_scenes", "--train", "300", "--size", "256", "--out", str(WORK / "scenes")),
    ),
    ("pairs/0099.npz", ("training.pairs", "--last", "100")),
    ("editor/sketches/packline.json", ("training.editor", "sketches", "--cpu-minutes", "20")),
    ("editor/vae/config.json", ("training.editor", "decoder", "--cpu-minutes", "10")),
    (
        "editor/windows/packline.json",
        (
            *("training.editor", "pairs", "--cpu-minutes", "120", "--whole-from", "1.1", "--until", "0.5"),
            *("--out", str(WORK / "editor/windows")),
        ),
    ),
    (
        "editor/whole/packline.json",
        (
            *("training.editor", "pairs", "--cpu-minutes", "240", "--whole-from", "0", "--rate", "1e-3"),
            *("--start", str(WORK / "editor/windows"), "--out", str(WORK / "editor/whole")),
        ),
    ),
    (
        "loras/presets.json",
        ("training.loras", "--editor", str(WORK / "editor/whole"), "--out", str(WORK / "loras")),
    ),
    # shards from 900 on are held out, those from 800 on are the editor's lessons over again
    ("lessons/0902.npz", ("training.lessons", "--first", "900", "--last", "903", "--each", "2")),
    ("lessons/800.npz", ("training.lessons", "--pairs", str(WORK / "pairs"))),
    ("lessons/0021.npz", ("training.lessons",)),
    ("aligner/training.json", ("training.aligner", "--out", str(WORK / "aligner"))),
)


def main() -> None:
    """Run the steps whose result is not there."""
    for result, step in STEPS:
        if (WORK / result).exists():
            print(f"{step[0]}: {WORK / result} is there", flush=True)
            continue
        print(f"{' '.join(step)}", flush=True)
        subprocess.run([sys.executable, "-m", *step], check=True)
    print(f"Trained. To ship it, copy {WORK}/editor/whole, {WORK}/loras and {WORK}/aligner to assets/.")


if __name__ == "__main__":
    main()

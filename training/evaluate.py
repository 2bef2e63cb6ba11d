"""Look at the embedded editor: ``python -m training.evaluate`` measures held-out pairs and draws a sheet."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from diffusers import Flux2KleinPipeline
from numpy.typing import NDArray
from PIL import Image

from training import small_klein
from training.editor import STEPS, prompt_of
from training.pairs import SIZE, Pair, load_pairs


def edit(pipe: Flux2KleinPipeline, pair: Pair, seed: int, trigger: str = "") -> NDArray[np.uint8]:
    """One edit of a pair's base photo by the plain diffusers call, sRGB uint8 (SIZE, SIZE, 3)."""
    made = pipe(
        image=[Image.fromarray(getattr(pair, name)) for name in ("base", "shown", "side", "top")],
        prompt=prompt_of(pair.meta, trigger),
        height=SIZE,
        width=SIZE,
        num_inference_steps=STEPS,
        guidance_scale=1.0,
        max_sequence_length=small_klein.PROMPT_TOKENS,
        text_encoder_out_layers=small_klein.OUT_LAYERS,
        generator=torch.Generator().manual_seed(seed),
    ).images[0]
    return np.asarray(made)


def psnr(a: NDArray[np.uint8], b: NDArray[np.uint8], where: NDArray[np.bool_]) -> float:
    """Peak signal-to-noise ratio in dB over the pixels `where`."""
    error = ((a.astype(float) - b.astype(float)) ** 2)[where]
    return float(10 * np.log10(255**2 / max(error.mean(), 1e-9))) if error.size else float("nan")


def regions(pair: Pair) -> dict[str, NDArray[np.bool_]]:
    """Product, shadow (changed, but not product) and untouched background, bool (SIZE, SIZE)."""
    grey = np.abs(pair.guide.astype(int) - 205).max(-1) > 6
    product = cv2.morphologyEx(grey.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5))) > 0
    changed = np.abs(pair.out.astype(int) - pair.base).max(-1) > 8
    return {"product": product, "shadow": changed & ~product, "background": ~changed & ~product}


def measure(pipe: Flux2KleinPipeline, pairs: list[Pair]) -> tuple[dict[str, float], NDArray[np.uint8]]:
    """Mean PSNR by region, the shadow's direction and the seconds an image; and a sheet to look at."""
    rows, scores = [], []
    start = time.perf_counter()
    for seed, pair in enumerate(pairs):
        made = edit(pipe, pair, seed)
        score: dict[str, Any] = {name: psnr(made, pair.out, where) for name, where in regions(pair).items()}
        score["shadow unedited"] = psnr(pair.base, pair.out, regions(pair)["shadow"])
        score["shadow agrees"] = agreement(made, pair)
        scores.append(score)
        rows.append(np.hstack([pair.base, pair.guide, made, pair.out]))
    mean = {name: float(np.nanmean([score[name] for score in scores])) for name in scores[0]}
    mean["seconds"] = (time.perf_counter() - start) / len(pairs)
    return mean, np.vstack(rows)


def agreement(made: NDArray[np.uint8], pair: Pair) -> float:
    """Correlation of the edit's darkening with the true shadow's outside the product; nan without one."""
    outside = cv2.dilate(regions(pair)["product"].astype(np.uint8), np.ones((9, 9))) == 0

    def darkening(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        change = np.log1p(picture.astype(np.float32)).mean(-1) - np.log1p(pair.base.astype(np.float32)).mean(
            -1
        )
        return np.asarray(cv2.GaussianBlur(change, (0, 0), 3)[outside])

    true, seen = darkening(pair.out), darkening(made)
    if true.std() < 0.01:
        return float("nan")
    return float(np.corrcoef(true, seen)[0, 1])


def main() -> None:
    """Print the measures and write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--editor", type=Path, default=Path("assets/models/editor"))
    parser.add_argument("--pairs", type=Path, default=Path("work/train/pairs/0000.npz"))
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--sheet", type=Path, default=Path("work/train/sheet.png"))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    pipe = Flux2KleinPipeline.from_pretrained(asked.editor, torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    pairs = load_pairs(asked.pairs)
    mean, sheet = measure(pipe, pairs[:: max(1, len(pairs) // asked.count)][: asked.count])
    for name, value in mean.items():
        print(f"{name}: {value:.2f}")
    cv2.imwrite(str(asked.sheet), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))


if __name__ == "__main__":
    main()

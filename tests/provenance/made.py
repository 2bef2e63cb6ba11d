"""A select that never saw a line: its records, its picture and its truth, ready to be delivered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from packline.records import CandidateRecord, ShotRecord, ShotState
from packline.settings import Settings, load_settings
from tests.parts import SETTINGS, make_candidate, scorecard

SIZE = 256
PRODUCT = (90, 100, 160, 220)  # left, top, right, bottom


def make_settings(folder: Path, more: str = "") -> Settings:
    """Settings in a folder of their own, with further tables."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "demo.toml").write_text(SETTINGS + more)
    return load_settings(folder / "demo.toml")


def make_select(folder: Path, *, passes: bool = True, decided: str = "checks", **recipe: Any) -> ShotRecord:
    """A selected shot with one candidate, whose picture has a product on a wall."""
    made = make_candidate(
        folder,
        "A/1/table/hero",
        "f" * 16,
        loras=({"label": "warm", "sha256": "a" * 64, "strength": 0.8, "trigger": "warm style"},),
        **recipe,
    )
    rng = np.random.default_rng(3)
    picture = np.full((SIZE, SIZE, 3), (180, 170, 150), float) + rng.normal(0, 3, (SIZE, SIZE, 3))
    left, top, right, bottom = PRODUCT
    picture[top:bottom, left:right] = (200, 30, 40)
    picture[top + 40 : top + 60, left + 5 : right - 5 : 4] = 255
    Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(made.picture)
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[top:bottom, left:right] = 255
    cv2.imwrite(str(made.truth / "mask.png"), mask)
    return ShotRecord(
        key="A/1/table/hero",
        sku="A/1",
        title="red shoe <E LOVE> & söhne",
        scene="table",
        view="hero",
        fingerprint="f" * 16,
        state=ShotState.SELECTED,
        candidates=(CandidateRecord(made, scorecard(passes), "checks-1"),),
        select=made.id,
        checks="checks-1",
        parts={"the 3D model": "m" * 64, "the scene": "s" * 64, "the title": "t" * 16},
        row=7,
        model="/somewhere/private/shoe.glb",
        decided=decided,
        product="p" * 16,
    )


def chosen(shot: ShotRecord) -> CandidateRecord:
    """The shot's select."""
    return next(one for one in shot.candidates if one.candidate.id == shot.select)

"""Things that stand about in the bench's busy scenes: vases, bowls, books, balls, boxes, candles."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from packline.camera import Camera
from packline.scenes import Light
from packline.stage.load import load_model
from packline.stage.model import Part, ProductModel
from scoring.bench.photographs import Drawing, draw
from scoring.bench.products.spec import COLOUR_WORDS, mixed
from scoring.bench.products.surfaces import RGB, Finish, Piece, as_glb, block, fillet, lathe, moved


def props(camera: Camera, light: Light, wall_z: float, rng: np.random.Generator) -> Drawing:
    """Five to eight things behind and beside the place (the origin), to lay over a photo."""
    parts: list[Part] = []
    for _ in range(int(rng.integers(5, 9))):
        # behind the place, or beside it near the picture's edges
        if rng.random() < 0.6:
            x, z = rng.uniform(-0.45, 0.45), rng.uniform(wall_z + 0.12, -0.28)
        else:
            x, z = rng.choice([-1, 1]) * rng.uniform(0.26, 0.34), rng.uniform(-0.3, 0.05)
        model = _thing(rng)
        angle = rng.uniform(0, 2 * np.pi)
        pose = np.eye(4)
        pose[:3, :3] = [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
        pose[:3, 3] = (x, 0.0, z)
        parts += model.transformed(pose).parts
    return draw(ProductModel(tuple(parts)), np.eye(4), camera, light, 0.0)


def _colour(rng: np.random.Generator) -> RGB:
    names = sorted(COLOUR_WORDS)
    grey = int(rng.integers(90, 220))
    return mixed(
        COLOUR_WORDS[names[int(rng.integers(len(names)))]], (grey, grey, grey), float(rng.uniform(0.2, 0.7))
    )


def _thing(rng: np.random.Generator) -> ProductModel:
    roll = int(rng.integers(6))
    finish = Finish(_colour(rng), roughness=float(rng.uniform(0.3, 0.9)))
    size = float(rng.uniform(0.8, 1.3))
    if roll == 0:
        r, neck, tall = 0.045 * size, 0.018 * size, 0.17 * size
        profile = fillet(
            [
                (0, 0, 0),
                (r * 0.6, 0, 0.01),
                (r, 0.35 * tall, 0.06),
                (neck, 0.75 * tall, 0.04),
                (neck * 1.3, tall, 0.01),
                (neck, tall, 0),
                (neck * 0.9, 0.8 * tall, 0),
            ],
            8,
        )
        pieces = [Piece("vase", lathe(profile, 40), finish)]
    elif roll == 1:
        r = 0.07 * size
        profile = fillet(
            [
                (0, 0, 0),
                (r * 0.4, 0, 0.004),
                (r * 0.8, 0.02, 0.02),
                (r, 0.05 * size, 0.01),
                (r * 0.96, 0.05 * size, 0.001),
                (r * 0.7, 0.02, 0.02),
                (0, 0.012, 0),
            ],
            6,
        )
        pieces = [Piece("bowl", lathe(profile, 44), finish)]
    elif roll == 2:
        pieces = []
        y = 0.0
        for k in range(int(rng.integers(2, 5))):
            thick = float(rng.uniform(0.014, 0.03))
            size_k = (float(rng.uniform(0.13, 0.18)), thick, float(rng.uniform(0.1, 0.13)))
            turn = (0.0, float(rng.uniform(-14, 14)), 0.0)
            pieces.append(
                Piece(
                    f"book {k}",
                    moved(block(size_k, 0.002), (0, y, 0), turn),
                    Finish(_colour(rng), roughness=0.7),
                )
            )
            y += thick
    elif roll == 3:
        r = 0.04 * size
        turn_by = np.linspace(-np.pi / 2, np.pi / 2, 20)
        ball = np.stack([r * np.cos(turn_by), r + r * np.sin(turn_by)], -1)
        ball[[0, -1], 0] = 0
        pieces = [Piece("ball", lathe(ball, 40), finish)]
    elif roll == 4:
        wide = (0.09 * size, float(rng.uniform(0.06, 0.2)), 0.06 * size)
        pieces = [Piece("box", block(wide, 0.003), finish)]
    else:
        r, tall = 0.028 * size, float(rng.uniform(0.06, 0.16))
        pieces = [
            Piece(
                "candle",
                lathe(fillet([(0, 0, 0), (r, 0, 0.002), (r, tall, 0.004), (0, tall * 0.98, 0)]), 36),
                finish,
            ),
            Piece(
                "wick",
                lathe(np.array([(0.0, tall), (0.0015, tall), (0.001, tall + 0.012), (0.0, tall + 0.012)]), 8),
                Finish((40, 36, 34), roughness=0.9),
            ),
        ]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "thing.glb"
        file.write_bytes(as_glb(pieces))
        return load_model(file)

"""A small catalogue of real products in a made-up scene, to run the whole line on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from scoring import registry

ASSETS = Path(__file__).parents[2] / "assets" / "3d"
HEADER = "sku,title,model,scenes,labels,lora,lora_strength"
ROWS = (
    "MUG,beige ceramic mug,mug-sunday.glb,table:front,,,",
    "CAN,black aluminium can,can-volta.glb,table:front; shelf:front,,,",
)
SIZE = 256

SETTINGS = """
[run]
name = "small"
tenant = "test"
work = "work"
chunk = 2
size = {size}
[paths]
models = "3d"
scenes = "scenes"
loras = "presets.json"
[engine]
architecture = "flux2-klein-embedded"
model = "no weights"
batch = 2
refine = "off"
[candidates]
wave = 1
waves = 2
[prompt]
template = "{{references}} put the {{title}} into image 1 as image 2 shows it. {{trigger}}"
[bucket]
url = "bucket"
[ledger]
url = "ledger.db"
[checks.scene_kept]
threshold = 0.5
[checks.artifacts]
enabled = false
threshold = 0.5
[checks.text_orientation]
enabled = false
threshold = 0.5
[checks.alignment]
enabled = false
threshold = 0.5
"""


def build_house(folder: Path, rows: tuple[str, ...] = ROWS) -> Path:
    """Write settings, scenes, models and the catalogue below `folder`; returns the catalogue."""
    for name in ("3d", "scenes"):
        (folder / name).mkdir(parents=True)
    for name in ("mug-sunday", "can-volta"):
        for ending in (".glb", ".truth.json"):
            shutil.copy(ASSETS / f"{name}{ending}", folder / "3d")
    build_scene(folder / "scenes" / "table.json", "a grey table", tone=150)
    build_scene(folder / "scenes" / "shelf.json", "a wooden shelf", tone=110)
    (folder / "presets.json").write_text('{"loras": []}')
    # one quick check is enough to run the line: the others are tested on their own
    others = [name for name in registry.checks() if f"[checks.{name}]" not in SETTINGS]
    off = "".join(f"[checks.{name}]\nenabled = false\n" for name in others)
    (folder / "small.toml").write_text(SETTINGS.format(size=SIZE) + off)
    return write_rows(folder / "small.csv", rows)


def write_rows(catalog: Path, rows: tuple[str, ...]) -> Path:
    """Write the catalogue's rows."""
    catalog.write_text("\n".join((HEADER, *rows)) + "\n")
    return catalog


def build_scene(file: Path, words: str, tone: int) -> None:
    """A wall and a table top with a little grain, seen from the front."""
    rng = np.random.default_rng(tone)
    photo = np.full((SIZE, SIZE, 3), (tone + 50, tone + 48, tone + 44), float)
    photo[150:] = (tone, tone - 8, tone - 20)
    photo += np.linspace(-12, 12, SIZE)[None, :, None] + rng.normal(0, 2.5, photo.shape)
    Image.fromarray(np.clip(photo, 0, 255).astype(np.uint8)).save(file.with_suffix(".png"))
    scene = {
        "image": file.with_suffix(".png").name,
        "words": words,
        "camera": {"eye": [0, 0.4, 1.3], "target": [0, 0.12, 0], "fov_y": 28, "width": SIZE, "height": SIZE},
        "ground": {"point": [0, 0, 0], "normal": [0, 1, 0]},
        "place": {"position": [0, 0, 0], "yaw": 0, "fit": [0.32, 0.3]},
        "light": {
            "key_direction": [-0.5, 0.7, 0.5],
            "key_colour": [1.6, 1.5, 1.4],
            "sky_colour": [0.7, 0.75, 0.8],
            "ground_colour": [0.3, 0.28, 0.25],
            "words": "soft light from the left",
        },
    }
    file.write_text(json.dumps(scene))

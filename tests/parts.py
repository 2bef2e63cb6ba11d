"""Small real parts for tests of the line: a catalog's folder, candidates on disk, scorecards."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

from packline.candidate import Candidate, Recipe
from packline.fingerprint import digest
from packline.ledger import Ledger
from packline.scorecard import CheckResult, Scorecard, Verdict
from packline.settings import Settings, load_settings

HEADER = "sku,title,model,scenes,labels,lora,lora_strength"

SETTINGS = """
[run]
name = "demo"
tenant = "acme"
work = "work"
size = 256
[paths]
models = "3d"
scenes = "scenes"
loras = "loras/presets.json"
[engine]
architecture = "flux2-klein-embedded"
model = "weights"
[candidates]
wave = 2
waves = 3
[prompt]
template = "{references} put the {title} into image 1. {trigger}"
[bucket]
url = "bucket"
[ledger]
url = "ledger.db"
"""


def make_folder(folder: Path, rows: str = "A1,red shoe,shoe.glb,table,,,\n") -> Settings:
    """A catalog `demo.csv` with its settings, two models, two scenes and one LoRA."""
    (folder / "3d").mkdir(parents=True)
    (folder / "scenes").mkdir()
    (folder / "loras").mkdir()
    for name in ("shoe", "bottle"):
        (folder / "3d" / f"{name}.glb").write_bytes(b"glTF" + name.encode())
    label = {"id": "side", "text": "E LOVE", "quad": [[0, 0], [1, 0], [1, 1], [0, 1]]}
    (folder / "3d" / "shoe.truth.json").write_text(json.dumps({"labels": [label]}))
    for name in ("table", "shelf"):
        make_scene(folder / "scenes" / f"{name}.json")
    make_lora(folder / "loras" / "warm.safetensors")
    preset = {
        "label": "warm",
        "base_architecture": "flux2-klein-embedded",
        "path": "warm.safetensors",
        "prompt": "warm style",
    }
    (folder / "loras" / "presets.json").write_text(json.dumps({"loras": [preset]}))
    (folder / "demo.csv").write_text(f"{HEADER}\n{rows}")
    (folder / "demo.toml").write_text(SETTINGS)
    return load_settings(folder / "demo.toml")


def make_scene(file: Path) -> None:
    """A scene with a plain photo."""
    Image.new("RGB", (64, 64), (120, 110, 100)).save(file.with_suffix(".jpg"))
    camera = {"eye": [0, 0.3, 1], "target": [0, 0, 0], "fov_y": 40.0, "width": 64, "height": 64}
    scene: dict[str, Any] = {
        "image": f"{file.stem}.jpg",
        "words": f"an oak {file.stem}",
        "camera": camera,
        "ground": {"point": [0, 0, 0], "normal": [0, 1, 0]},
        "place": {"position": [0, 0, 0], "yaw": 0, "fit": [0.3, 0.3]},
        "light": {
            "key_direction": [0, 1, 0],
            "key_colour": [1, 1, 1],
            "sky_colour": [1, 1, 1],
            "ground_colour": [0.5, 0.5, 0.5],
        },
    }
    file.write_text(json.dumps(scene))


def make_lora(file: Path, value: float = 0.0) -> None:
    """A LoRA of one module that fits the embedded model."""
    stem = "transformer.single_transformer_blocks.0.attn.to_qkv_mlp_proj"
    down, up = np.full((4, 256), value, np.float32), np.zeros((512, 4), np.float32)
    save_file({f"{stem}.lora_A.weight": down, f"{stem}.lora_B.weight": up}, file)


def new_run(ledger: Ledger, catalog: str = "demo", parameters: Mapping[str, Any] | None = None) -> str:
    """The catalog's next run: the one before it ends first, for only one at a time may work on a catalog."""
    before = ledger.latest_run(catalog)
    if before is not None and before.state == "running":
        ledger.end_run(before.id, "cancelled", {})
    return ledger.begin_run(catalog, parameters or {})


def make_candidate(
    folder: Path, shot: str, fingerprint: str, number: int = 0, *, colour: int = 90, **recipe: Any
) -> Candidate:
    """A candidate whose files exist."""
    facts: dict[str, Any] = {
        "wave": number // 2,
        "number": number,
        "seed": 1000 + number,
        "prompt": "put the red shoe into image 1",
        "references": ("r1", "r2"),
        "engine": {"name": "embedded", "weights_sha256": "w" * 64, "steps": 4},
        **recipe,
    }
    made = Recipe(shot=shot, fingerprint=fingerprint, **facts)
    identity = digest(made.__dict__)
    here = folder / identity
    (here / "truth").mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(number).integers(0, 40, (256, 256, 3))
    for name in ("picture", "edit"):
        Image.fromarray((noise + colour).astype(np.uint8)).save(here / f"{name}.png")
    return Candidate(
        identity, made, here / "picture.png", here / "edit.png", here / "truth", seconds=1.5, cost=0.02
    )


def scorecard(passes: bool = True, score: float = 0.9) -> Scorecard:
    """A scorecard of two checks, of which the second decides."""
    verdict, found = (Verdict.PASS, score) if passes else (Verdict.FAIL, 0.2)
    return Scorecard(
        (
            CheckResult("artifacts", "1", Verdict.PASS, 0.95, 0.5, "no artifacts"),
            CheckResult("text", "2", verdict, found, 0.6, "reads bottom to top; should read top to bottom"),
        )
    )


def no_maps(height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """UV, part and label map of a reference in which nobody asks for them."""
    return (
        np.zeros((height, width, 2), np.float32),
        np.zeros((height, width), np.uint16),
        np.zeros((height, width), np.uint8),
    )

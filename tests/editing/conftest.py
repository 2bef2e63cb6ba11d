"""Small models, made once a session."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import pytest

from packline.editing.engine import Engine, LoraChoice
from packline.editing.engines import open_engine
from packline.editing.loras import Presets, load_presets
from packline.settings import EngineSettings

# the builders lie beside the tests, however pytest imports these
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def klein_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tiny_models import save_klein

    return save_klein(tmp_path_factory.mktemp("models") / "klein")


@pytest.fixture(scope="session")
def loras_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Presets "warm" (rank 4), "cool" (rank 8), and others that are wrong in one way each."""
    from safetensors.torch import load_file, save_file
    from tiny_models import klein_lora

    folder = tmp_path_factory.mktemp("loras")
    klein_lora(folder / "warm.safetensors", seed=1, rank=4)
    klein_lora(folder / "cool.safetensors", seed=2, rank=8)
    klein_lora(folder / "klein-4b.safetensors", seed=3, hidden=3072)
    tensors = load_file(str(folder / "warm.safetensors"))
    save_file({**tensors, **_elsewhere(tensors)}, str(folder / "partly.safetensors"))
    klein_lora(folder / "narrow.safetensors", seed=4, hidden=32)
    (folder / "pickle.ckpt").write_bytes(b"\x80\x04.")
    (folder / "renamed.safetensors").write_bytes(b"\x80\x04\x95" + bytes(64))
    names = ["warm", "cool", "klein-4b", "partly", "narrow", "renamed", "absent"]
    own = "flux2-klein-embedded"
    presets: list[dict[str, Any]] = [
        {"label": name, "base_architecture": own, "path": f"{name}.safetensors", "prompt": f"in {name} light"}
        for name in names
    ]
    presets[2]["base_architecture"] = "flux2-klein-4b"
    presets.append({"label": "pickle", "base_architecture": own, "path": "pickle.ckpt"})
    presets.append({"label": "claims", "base_architecture": own, "path": "klein-4b.safetensors"})
    presets.append(
        {"label": "changed", "base_architecture": own, "path": "warm.safetensors", "sha256": "0" * 64}
    )
    (folder / "presets.json").write_text(json.dumps({"loras": presets}))
    return folder


def _elsewhere(tensors: dict[str, Any]) -> dict[str, Any]:
    return {
        key.replace("blocks.1", "blocks.7"): value.clone()
        for key, value in tensors.items()
        if "blocks.1" in key
    }


@pytest.fixture(scope="session")
def presets(loras_folder: Path) -> Presets:
    return load_presets(loras_folder / "presets.json")


@pytest.fixture(scope="session")
def make_engine(klein_folder: Path, presets: Presets) -> Callable[..., Engine]:
    def make(**changes: Any) -> Engine:
        asked = {
            "architecture": "flux2-klein-embedded",
            "model": str(klein_folder),
            "device": "cpu",
            "size": 64,
            "steps": 2,
            "batch": 4,
            **changes,
        }
        return open_engine(EngineSettings(**asked), presets)

    return make


@pytest.fixture(scope="session")
def engine(make_engine: Callable[..., Engine]) -> Engine:
    return make_engine()


@pytest.fixture
def pictures() -> Callable[[int, int], tuple[np.ndarray, ...]]:
    def make(count: int, seed: int = 0, side: int = 96) -> tuple[np.ndarray, ...]:
        # patches, not noise: noise is the same grey to a model that sees 16 px at a time
        random = np.random.default_rng(seed)
        patches = random.integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
        return tuple(np.kron(patch, np.ones((side // 4, side // 4, 1), np.uint8)) for patch in patches)

    return make


@pytest.fixture
def lora() -> Callable[[str, float], LoraChoice]:
    return LoraChoice

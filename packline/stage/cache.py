"""References on disk, each in a folder named by a hash of everything that determines it."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import packline
from packline.reference import Reference
from packline.scenes import Scene


@lru_cache(maxsize=1)
def stage_version() -> str:
    """A hash of the code that draws references: a change of it draws them anew.

    Drawing is cheap, so this is cautious. What costs money depends on `version.STAGE_VERSION` instead, which
    changes only when a person says that pictures may differ.
    """
    home = Path(packline.__file__).parent
    files = [home / name for name in ("camera.py", "reference.py", "scenes.py", "truth.py")]
    files += [file for file in (home / "stage").rglob("*") if file.suffix in (".py", ".vert", ".frag")]
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(f"{file.relative_to(home)}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def fingerprint(
    model_sha256: str, declared: dict[str, str], view: str, size: int, scene: Scene | None = None
) -> str:
    """The key of one reference.

    Parameters
    ----------
    model_sha256
        From `files.model_digest`; covers the sidecar with its labels and front.
    declared
        Label directions from the catalog.
    view
        A canonical view, or the side that faces the camera in `scene`.
    size
        Longer side in pixels.
    scene
        Its camera, place, ground and light count; its photo does not, for a reference does not show it.
    """
    content: dict[str, Any] = {
        "stage": stage_version(),
        "model": model_sha256,
        "declared": sorted(declared.items()),
        "view": view,
        "size": size,
    }
    if scene is not None:
        content["scene"] = {
            "camera": scene.camera.to_dict(),
            "ground": [scene.ground_point, scene.ground_normal],
            "place": vars(scene.place),
            "light": vars(scene.light),
        }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def reference_folder(cache: Path, key: str) -> Path:
    """Where the reference with this fingerprint lies, whether it is there or not."""
    return cache / key[:2] / key


def is_stored(folder: Path) -> bool:
    """Whether a whole reference lies in `folder`."""
    return (folder / "truth.json").is_file()


def store(reference: Reference, folder: Path) -> None:
    """Write a reference so that `folder` is either whole or absent, whoever else writes it too."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        reference.save(draft)
        draft.chmod(0o755)
        try:
            draft.replace(folder)
        except OSError:
            # another process was first: equal fingerprints, equal bytes
            if not is_stored(folder):
                shutil.rmtree(folder, ignore_errors=True)
                draft.replace(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)

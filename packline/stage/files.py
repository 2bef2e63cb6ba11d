"""Which files make up a model, and their hash. Reads no geometry: cheap and safe to call anywhere."""

from __future__ import annotations

import hashlib
from pathlib import Path

from packline.errors import GiveUp
from packline.stage.glb import MAX_BYTES, referred_files

_TEXTURES = (".png", ".jpg", ".jpeg", ".webp", ".tga", ".bmp", ".tif", ".tiff")
_READERS = (".glb", ".gltf", ".obj", ".fbx")


def sidecar_of(path: Path) -> Path:
    """Where a model's labels and front are written: beside it."""
    return path.with_name(f"{path.stem}.truth.json")


def model_digest(path: Path) -> str:
    """SHA-256 over a model's file, the files that it may refer to and its sidecar, without reading the model.

    Raises
    ------
    GiveUp
        Where the file is missing or too large.
    """
    path = Path(path)
    _check_file(path)
    digest = hashlib.sha256()
    for file in [path, *_companions(path)]:
        data = file.read_bytes()
        digest.update(f"{file.name}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise GiveUp(f"Model {path} is missing; add the file or correct the product's model field.")
    kind = path.suffix.lower()
    if kind not in _READERS:
        what = kind or "a file without extension"
        raise GiveUp(f"Model {path.name}: {what} is not read; use .glb, .gltf, .obj or .fbx.")
    size = path.stat().st_size
    if size == 0 or size > MAX_BYTES:
        raise GiveUp(
            f"Model {path.name}: it has {size} bytes, allowed are 1 to {MAX_BYTES >> 20} MB; export "
            f"a smaller one."
        )


def _companions(path: Path) -> list[Path]:
    """Files beside a model that can change its picture: its sidecar, and whatever it may refer to."""
    sidecar = sidecar_of(path)
    found = [sidecar] if sidecar.is_file() else []
    kind = path.suffix.lower()
    if kind in (".glb", ".gltf"):
        uris = referred_files(path)
    else:
        # which textures an FBX or OBJ uses is known only after reading it: take every one that it could find
        folders = [path.parent, path.parent / "textures", path.with_suffix(".fbm")]
        uris = [
            file
            for folder in folders
            if folder.is_dir()
            for file in folder.iterdir()
            if file.suffix.lower() in _TEXTURES or (kind == ".obj" and file.suffix.lower() == ".mtl")
        ]
    return found + sorted(file for file in set(uris) if file.is_file() and file.stat().st_size <= MAX_BYTES)

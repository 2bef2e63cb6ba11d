"""Where a model's weights lie on this machine, and their hash. Loads nothing, downloads nothing."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import packline
from packline.editing.architectures import Architecture
from packline.errors import FixSettings
from packline.fingerprint import digest, file_digest

_HUB_NAME = re.compile(r"^[\w.-]+/[\w.-]+(@[\w.-]+)?$")
_DETERMINES_PIXELS = {".safetensors", ".json", ".txt", ".jinja", ".model"}


@dataclass(frozen=True)
class Weights:
    """A model on disk.

    Parameters
    ----------
    path
        A folder in diffusers' layout, or one ``.safetensors`` file.
    card
        ``packline.json`` of the folder, empty where there is none: how the model wants to be called.
    rest
        Where `path` is a file: the folder with what it lacks. For SDXL and SD 1.5, whose file holds every
        part, that is configurations and tokenizers; for the others everything but the transformer.
    """

    path: Path
    card: dict[str, Any]
    rest: Path | None = None

    @property
    def shares(self) -> tuple[float, ...]:
        """Sides of the references as shares of the edit's; empty where the architecture's own do."""
        size = float(self.card.get("size", 1))
        return tuple(side / size for side in self.card.get("reference_sizes", ()))

    def sha256(self) -> str:
        """Hash over all files that determine pixels; one is read again only when its size or time changes."""
        if self.path.is_file():
            return (
                digest(_hash(self.path), _folder_hash(self.rest), length=64)
                if self.rest
                else _hash(self.path)
            )
        return _folder_hash(self.path)


def _folder_hash(folder: Path) -> str:
    files = sorted(file for file in folder.rglob("*") if file.suffix in _DETERMINES_PIXELS and file.is_file())
    return digest([(file.relative_to(folder).as_posix(), _hash(file)) for file in files], length=64)


def find_weights(model: str, architecture: Architecture, rest: str = "") -> Weights:
    """Find the weights that ``engine.model`` names.

    Parameters
    ----------
    model
        A folder, a ``.safetensors`` file, or a hub name ("owner/name", "owner/name@revision") that was
        downloaded before: a run never starts a download of many gigabytes by itself.
    rest
        ``engine.rest``: folder or hub name of what a single file lacks; the architecture's own where empty.

    Raises
    ------
    FixSettings
        Nothing is there, or it holds another pipeline than the architecture says.
    """
    path = Path(model).expanduser()
    if path.suffix == ".safetensors":
        if not path.is_file():
            raise FixSettings(
                f"Settings key engine.model: the file {path} is missing; put the weights there."
            )
        folder = _folder(rest or architecture.source, architecture, "engine.rest")
        return Weights(path, _card(folder, architecture), folder)
    if rest:
        raise FixSettings(
            f"Settings key engine.rest is for a single file, but engine.model names {model}; remove "
            f"engine.rest."
        )
    folder = _folder(model, architecture, "engine.model")
    return Weights(folder, _card(folder, architecture))


def _folder(named: str, architecture: Architecture, key: str) -> Path:
    path = Path(named).expanduser()
    if not path.is_dir():
        if not _HUB_NAME.match(named):
            raise FixSettings(
                f"Settings key {key}: the folder {path} is missing; put the weights there or name others."
            )
        path = _downloaded(named, key)
    index = path / "model_index.json"
    try:
        held = json.loads(index.read_text())["_class_name"]
    except FileNotFoundError as error:
        raise FixSettings(
            f"Settings key {key}: {path} holds no model_index.json; name a folder in diffusers' layout."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise FixSettings(f"Settings key {key}: {index} is malformed ({error}).") from error
    if _family(held) != _family(architecture.pipeline):
        raise FixSettings(
            f"Settings key engine.architecture says {architecture.name} ({architecture.pipeline}), but "
            f"{path} holds a {held}; correct engine.architecture or {key}."
        )
    return path


def where(architecture: Architecture) -> Path | None:
    """The folder of an architecture's own weights on this machine; None where they are not there."""
    # the embedded model lies in our own repository, wherever a command is called from
    own = Path(packline.__file__).parent.parent / architecture.source
    try:
        return _folder(str(own) if own.is_dir() else architecture.source, architecture, "engine.model")
    except FixSettings:
        return None


def _family(pipeline: str) -> str:
    """Text-to-image weights serve image-to-image as well."""
    return pipeline.replace("Img2Img", "")


def _card(folder: Path, architecture: Architecture) -> dict[str, Any]:
    file = folder / "packline.json"
    if not file.exists():
        return {}
    try:
        card = json.loads(file.read_text())
        claimed = card["architecture"]
    except (ValueError, KeyError, TypeError) as error:
        raise FixSettings(f"Settings key engine.model: {file} is malformed ({error}); restore it.") from error
    if claimed != architecture.name:
        raise FixSettings(
            f"Settings key engine.architecture says {architecture.name}, but {file} says {claimed}; "
            f"correct engine.architecture or engine.model."
        )
    return dict(card)


def _downloaded(name: str, key: str) -> Path:
    from huggingface_hub import snapshot_download

    repository, _, revision = name.partition("@")
    try:
        return Path(snapshot_download(repository, revision=revision or None, local_files_only=True))
    except Exception as error:  # the hub's client has a dozen types for "not here"
        raise FixSettings(
            f"Settings key {key}: {name} is neither a folder nor downloaded; run `hf download "
            f"{repository}{' --revision ' + revision if revision else ''}` first or name a folder."
        ) from error


def _hash(file: Path) -> str:
    # the hub's cache names a large file by its SHA-256 and links to it
    target = file.resolve()
    if file.is_symlink() and target.parent.name == "blobs" and len(target.name) == 64:
        return target.name
    about = target.stat()
    return _hash_once(target, about.st_size, about.st_mtime_ns)


@lru_cache(maxsize=4096)
def _hash_once(file: Path, size: int, changed: int) -> str:
    return file_digest(file)

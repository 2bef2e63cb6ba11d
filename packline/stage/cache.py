"""References on disk, each in a folder named by a hash of everything that determines it.

A folder is whole or it is not there: it carries a list of its files, written last, and is moved into place in
one step. What is damaged later counts as absent and is drawn anew. A refusal is kept too, so that a bad model
is not read again in every wave.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import packline
from packline.locks import alone_in
from packline.reference import Reference
from packline.scenes import Scene
from packline.stage import device

AS_IT_IS = (0.0, 0.0, 1.0, 1.0)
"""A scene's light that does not stray."""

_LIST = "files.json"


@lru_cache(maxsize=1)
def stage_version() -> str:
    """A hash of the code that draws references: a change of it draws them anew.

    Drawing is cheap, so this is cautious. What costs money depends on `version.STAGE_VERSION` instead, which
    changes only when a person says that pictures may differ.
    """
    home = Path(packline.__file__).parent
    files = [home / name for name in ("camera.py", "colour.py", "reference.py", "scenes.py", "truth.py")]
    files += [file for file in (home / "stage").rglob("*") if file.suffix in (".py", ".vert", ".frag")]
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(f"{file.relative_to(home)}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def product_fingerprint(model_sha256: str, declared: dict[str, str], variant: str = "") -> str:
    """The key of a product as it is read, whatever the view.

    Parameters
    ----------
    model_sha256
        From `files.model_digest`; covers the sidecar with its labels and front.
    declared
        Label directions from the catalog.
    variant
        The material variant that is drawn; empty: the default.
    """
    return _hash(_product(model_sha256, declared, variant))


def fingerprint(
    model_sha256: str,
    declared: dict[str, str],
    view: str,
    size: int,
    scene: Scene | None = None,
    *,
    variant: str = "",
    shift: tuple[float, float] = (0.0, 0.0),
    turn: float = 0.0,
    scale: float = 1.0,
    light: tuple[float, float, float, float] = AS_IT_IS,
) -> str:
    """The key of one reference.

    Parameters
    ----------
    model_sha256, declared, variant
        As in `product_fingerprint`.
    view
        A canonical view, or the side that faces the camera in `scene`.
    size
        Longer side in pixels.
    scene
        Its camera, place, ground and light count; its photo does not, for a reference does not show it.
    shift, turn, scale, light
        How the product and its light stray from the scene's, see `service.SceneView`.
    """
    content = {**_product(model_sha256, declared, variant), "view": view, "size": size}
    if scene is not None:
        content["scene"] = {
            "camera": scene.camera.to_dict(),
            "ground": [scene.ground_point, scene.ground_normal],
            "place": vars(scene.place),
            "light": vars(scene.light),
        }
        content["pose"] = [*map(float, shift), float(turn), float(scale)]
        content["strayed light"] = [*map(float, light)]
    return _hash(content)


def _product(model_sha256: str, declared: dict[str, str], variant: str) -> dict[str, Any]:
    return {
        "stage": stage_version(),
        # a GPU's pictures differ from llvmpipe's in a last bit here and there: who asks for another gets it
        "device": os.environ.get(device.SETTING, ""),
        "model": model_sha256,
        "declared": sorted(declared.items()),
        "variant": variant,
    }


def _hash(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def reference_folder(cache: Path, key: str) -> Path:
    """Where the reference with this fingerprint lies, whether it is there or not."""
    return cache / key[:2] / key


def is_stored(folder: Path) -> bool:
    """Whether a whole reference lies in `folder`: every file on its list, in its size, and the same truth."""
    try:
        listed = json.loads((folder / _LIST).read_text())
        return (
            all((folder / name).stat().st_size == size for name, size in listed["sizes"].items())
            and _digest(folder / "truth.json") == listed["truth"]
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def write(reference: Reference, folder: Path) -> None:
    """Write a reference into a folder of its own, its list of files last."""
    reference.save(folder)
    sizes = {file.name: file.stat().st_size for file in sorted(folder.iterdir())}
    listed = {"sizes": sizes, "truth": _digest(folder / "truth.json")}
    (folder / _LIST).write_text(json.dumps(listed))


def keep(draft: Path, folder: Path) -> None:
    """Move a written reference into its place in one step; whoever else did so first, wins.

    Equal fingerprints have equal bytes, so it does not matter who. What lies there damaged makes way.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft.chmod(0o755)
    # between finding a damaged reference and replacing it, another writer may come
    with alone_in(folder.parent):
        try:
            draft.replace(folder)
        except OSError:
            if is_stored(folder):
                return
            # out of the way in one step too: whoever looks sees the old one, the new one or none
            away = tempfile.TemporaryDirectory(prefix=".damaged-", dir=folder.parent)
            with away:
                folder.replace(Path(away.name) / folder.name)
                draft.replace(folder)


def store(reference: Reference, folder: Path) -> None:
    """Write a reference so that `folder` is either whole or absent, whoever else writes it too."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        write(reference, draft)
        keep(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def refuse(cache: Path, key: str, sentence: str) -> None:
    """Remember that what has this fingerprint cannot be drawn, and why."""
    file = _refusal(cache, key)
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(prefix=f".{key}-", dir=file.parent)
    with os.fdopen(descriptor, "w") as stream:
        json.dump({"refused": sentence}, stream)
    Path(draft).replace(file)


def refused(cache: Path, key: str) -> str:
    """Why what has this fingerprint cannot be drawn; empty where nobody has found so."""
    try:
        return str(json.loads(_refusal(cache, key).read_text())["refused"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _refusal(cache: Path, key: str) -> Path:
    return reference_folder(cache, key).with_suffix(".refused.json")


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]

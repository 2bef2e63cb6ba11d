"""Which files make up a model, and their hash. Reads no geometry: cheap and safe to call anywhere."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote

from packline.errors import GiveUp
from packline.fingerprint import digest, file_digest
from packline.stage.glb import MAX_BYTES, referred_names

_TEXTURES = (
    ".png", ".jpg", ".jpeg", ".webp", ".avif", ".tga", ".bmp", ".tif", ".tiff", ".gif", ".psd", ".dds",
)  # fmt: skip
_ENDING = re.compile(b"|".join(re.escape(ending.encode()) for ending in (*_TEXTURES, ".mtl")), re.IGNORECASE)
_NOT_IN_A_NAME = re.compile(r'[\x00-\x1f"<>|*?:\ufffd]')
_READERS = (".glb", ".gltf", ".obj", ".fbx")


def sidecar_of(path: Path) -> Path:
    """Where a model's labels and front are written: beside it."""
    return path.with_name(f"{path.stem}.truth.json")


def model_digest(path: Path, truth: Path | None = None) -> str:
    """SHA-256 over a model's file, the files that it may refer to and its sidecar, without reading the model.

    Parameters
    ----------
    truth
        Takes the sidecar's place; None: the one beside the model.

    Raises
    ------
    GiveUp
        Where the file is missing or too large.
    """
    path = Path(path)
    _check_file(path)
    return digest_of_files(
        path, [(file, sha256) for file, sha256 in read_model_files(path, truth)[0].items()]
    )


def digest_of_files(model: Path, files: Iterable[tuple[Path, str]]) -> str:
    """One hash of a model from the hashes of its files; a folder that moves as a whole changes nothing."""
    folder = model.parent.resolve()

    def name(file: Path) -> str:
        file = file.resolve()
        return file.relative_to(folder).as_posix() if file.is_relative_to(folder) else file.name

    return digest([(name(file), sha256) for file, sha256 in sorted(files)], length=64)


def model_files(model: Path, truth: Path | None = None) -> list[Path]:
    """A model's file, its sidecar (or `truth` in its place) and the files beside it that it names, sorted."""
    return sorted(read_model_files(model, truth)[0])


def read_model_files(
    model: Path, truth: Path | None = None, sha256: Callable[[Path], str] = file_digest
) -> tuple[dict[Path, str], list[str]]:
    """Read a model's files.

    Parameters
    ----------
    sha256
        Hash of a file that names no other.

    Returns
    -------
    files
        SHA-256 of the model's file, its sidecar (or `truth` in its place) and those that it names.
    names
        Whatever in them may name a file, whether it is there or not; `companions` looks for them.
    """
    data = model.read_bytes()
    names = _names_in(model, data)
    files = {model: hashlib.sha256(data).hexdigest()}
    del data
    waiting = companions(model, names)
    while waiting:
        file = waiting.pop()
        if file in files:
            continue
        files[file] = sha256(file)
        if file.suffix.lower() == ".mtl":
            names = sorted({*names, *_names_in(file, file.read_bytes())})
            waiting = companions(model, names)
    sidecar = truth or sidecar_of(model)
    if sidecar.is_file():
        files[sidecar] = file_digest(sidecar)
    return files, names


def companions(model: Path, names: Iterable[str]) -> list[Path]:
    """The files beside a model that bear one of these names, where `companion` would find them and any near.

    Parameters
    ----------
    names
        From `read_model_files`.
    """
    folder, found = model.parent, set()
    if model.suffix.lower() in (".glb", ".gltf"):
        # it says exactly which file it means
        home = folder.resolve() if names else folder
        for name in names:
            file = _resolved(home / name)
            if file is not None and file.is_relative_to(home):
                found.add(file)
        return _of_fair_size(found)
    usual = [place for place in _usual_places(model) if place.is_dir()]
    listings = [_listing(str(place), place.stat().st_mtime_ns) for place in usual]
    for name in names:
        parts = name.split("/")
        bare = parts[-1].casefold()
        for listing in listings:
            found.update(map(Path, listing.get(bare, ())))
        # exporters write absolute paths of their own machine; its last folders may lie beside the model
        for start in range(len(parts) - 1):
            if (file := _resolved(folder.joinpath(*parts[start:]))) is not None:
                found.add(file)
    if model.suffix.lower() == ".fbx":
        # bytes know no case beyond ASCII, nor which code page they are in: such names count always
        for listing in listings:
            found.update(map(Path, listing.get("", ())))
    return _of_fair_size({file.resolve() for file in found} - {model.resolve()})


def _of_fair_size(files: set[Path]) -> list[Path]:
    return sorted(file for file in files if file.stat().st_size <= MAX_BYTES)


def _resolved(file: Path) -> Path | None:
    try:
        return file.resolve() if file.is_file() else None
    except (OSError, RuntimeError, ValueError):  # a name that is too long, links in a circle
        return None


def _usual_places(model: Path) -> list[Path]:
    folder = model.parent
    return [folder, folder / "textures", folder / "Textures", model.with_suffix(".fbm")]


# so often as a catalog has folders with models, and no more: a listing of 100,000 files takes 20 MB
@lru_cache(maxsize=8)
def _listing(folder: str, changed: int) -> dict[str, tuple[str, ...]]:
    """Textures and materials of a folder by their names in small letters; under "" those beyond ASCII."""
    found: dict[str, tuple[str, ...]] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            ending = "." + entry.name.rpartition(".")[2].lower()
            if ending not in _TEXTURES and ending != ".mtl":
                continue
            if entry.is_file():
                keys = [entry.name.casefold()]
                if not entry.name.isascii() and ending != ".mtl":
                    keys.append("")
                for key in keys:
                    found[key] = (*found.get(key, ()), entry.path)
    return found


def _names_in(file: Path, data: bytes) -> list[str]:
    """Whatever in a file may name another."""
    if file.suffix.lower() in (".glb", ".gltf"):
        return referred_names(data, file.name)
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        data = data.decode("utf-16", "replace").encode()
    if file.suffix.lower() != ".fbx":
        data = data.replace(b"\\\r\n", b" ").replace(b"\\\n", b" ")
    names = set()
    for ending in _ENDING.finditer(data):
        # the text before each ending, from each of its words on
        before = data[max(0, ending.start() - 250) : ending.end()].decode("utf-8", "replace")
        words = unquote(_NOT_IN_A_NAME.split(before)[-1].replace("\\", "/")).split(" ")
        names |= {" ".join(words[start:]).strip().lstrip("/") for start in range(len(words))}
    return sorted(name for name in names if name)


def companion(model: Path, name: str, what: str) -> Path:
    """A file that a model names: as it says, or by its bare name beside the model.

    Exporters write paths of the machine that they ran on ("C:\\work\\skin.png", "../tex/Skin.PNG"), so a
    path that does not lead to a file is looked for by its last part, in any case, beside the model, in
    `textures/` and in `<stem>.fbm/`. Nothing outside the model's folder is ever opened.

    Parameters
    ----------
    name
        As the model writes it.
    what
        What it is, for the sentence: "texture", "material library".

    Raises
    ------
    GiveUp
        Where it is missing, too large or lies outside the model's folder.
    """
    folder = model.parent.resolve()
    plain = name.strip().strip('"').replace("\\", "/")
    bare = plain.rsplit("/", 1)[-1]
    shown = repr(plain[-80:])
    if not bare or "\0" in plain or bare in (".", ".."):
        raise GiveUp(f"Model {model.name}: it names a {what} {shown}, which is no file; export it again.")
    usual = [folder, folder / "textures", folder / "Textures", model.with_suffix(".fbm")]
    tries = [] if "://" in plain or plain.startswith("/") or plain[1:2] == ":" else [folder / plain]
    for place in dict.fromkeys(usual):
        tries += [place / bare, *_in_any_case(place, bare)]
    outside = False
    for file in tries:
        try:
            if not file.is_file():
                continue
            target = file.resolve()
        except OSError:  # a name that is too long, say
            continue
        if not target.is_relative_to(folder):
            outside = True
            continue
        if target.stat().st_size > MAX_BYTES:
            raise GiveUp(
                f"Model {model.name}: its {what} {shown} is larger than {MAX_BYTES >> 20} MB; reduce it."
            )
        return target
    if outside:
        raise GiveUp(
            f"Model {model.name}: its {what} {shown} lies outside the model's folder; put it beside the "
            "model."
        )
    raise GiveUp(f"Model {model.name}: its {what} {shown} is missing; put it beside the model.")


def _in_any_case(folder: Path, name: str) -> list[Path]:
    if not folder.is_dir():
        return []
    wanted = name.casefold()
    return sorted(file for file in folder.iterdir() if file.name.casefold() == wanted)


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

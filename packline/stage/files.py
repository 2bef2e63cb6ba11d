"""Which files make up a model, and their hash. Reads no geometry: cheap and safe to call anywhere."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from packline.errors import GiveUp
from packline.stage.glb import MAX_BYTES, referred_files

_TEXTURES = (
    ".png", ".jpg", ".jpeg", ".webp", ".avif", ".tga", ".bmp", ".tif", ".tiff", ".gif", ".psd", ".dds",
)  # fmt: skip
_TEXTURE_NAME_END = re.compile(b"|".join(re.escape(ending.encode()) for ending in _TEXTURES))
_BEFORE_NAME = re.compile(rb'[\\/\x00-\x1f":*?<>|]')
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
    digest = hashlib.sha256()
    for file in [path, *_companions(path, truth or sidecar_of(path))]:
        data = file.read_bytes()
        digest.update(f"{file.name}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()


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


def _companions(path: Path, sidecar: Path) -> list[Path]:
    """Files beside a model that can change its picture: its sidecar, and whatever it may refer to."""
    found = [sidecar] if sidecar.is_file() else []
    referred = {".fbx": _named_textures, ".obj": _libraries_and_textures}.get(
        path.suffix.lower(), referred_files
    )
    files = {file for file in referred(path) if file.is_file() and file.stat().st_size <= MAX_BYTES}
    return found + sorted(files - {sidecar})


def _named_textures(path: Path) -> list[Path]:
    """Pictures in the usual places whose names an FBX mentions, embedded or not."""
    data = path.read_bytes().lower()
    names = set()
    for match in _TEXTURE_NAME_END.finditer(data):
        start = max(match.end() - 255, 0)
        names.add(_BEFORE_NAME.split(data[start : match.end()])[-1])
    folders = {path.parent, path.parent / "textures", path.parent / "Textures", path.with_suffix(".fbm")}
    return [
        file
        for folder in folders
        if folder.is_dir()
        for file in folder.iterdir()
        # bytes know no case beyond ASCII: a name with other letters counts always
        if file.suffix.lower() in _TEXTURES
        and (not file.name.isascii() or file.name.lower().encode() in names)
    ]


def _libraries_and_textures(path: Path) -> list[Path]:
    """Material libraries of an OBJ and the textures that they name; as far as they are there."""
    from packline.stage.mtl import libraries, logical_lines, read_mtl

    found: list[Path] = []
    try:
        for line in logical_lines(path.read_bytes(), path.name, path.name):
            if line[:7].lower() == "mtllib ":
                for library in libraries(line[7:], path):
                    found.append(library)
                    for material in read_mtl(library, path).values():
                        found += [texture.file for texture in material.maps.values()]
    except GiveUp:  # whoever reads the model says why
        pass
    return found

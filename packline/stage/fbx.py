"""FBX through the program `assimp`, with what it gets wrong mended."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from packline.errors import FixSettings, GiveUp
from packline.stage.glb import MAX_BYTES, join_glb, split_glb

SECONDS = 60
_MEMORY = 4 << 30
_GLOSSINESS = "KHR_materials_pbrSpecularGlossiness"


@contextmanager
def fbx_to_glb(path: Path) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Convert an FBX to a GLB in a folder that lives as long as the context.

    Yields
    ------
    file, notes
        The GLB, and what could not be carried over.

    Raises
    ------
    GiveUp
        Where the file cannot be converted.
    FixSettings
        Where `assimp` is not installed.
    """
    program = shutil.which("assimp")
    if program is None:
        raise FixSettings(
            "FBX models need the program assimp; install it with: apt-get install assimp-utils."
        )
    with tempfile.TemporaryDirectory(prefix="packline-fbx-") as folder:
        target = Path(folder) / "model.glb"
        source = Path(folder) / "model.fbx"
        # alone in its folder, it can reach no other file by a relative path
        shutil.copyfile(path, source)
        # -gs: global scale, which brings the file's unit to metres
        command = [program, "export", str(source), str(target), "-gs"]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, preexec_fn=_limit,
                env={"PATH": os.environ.get("PATH", ""), "HOME": folder, "LC_ALL": "C"},
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise GiveUp(
                f"Model {path.name}: assimp did not finish in {SECONDS} s; export it as GLB."
            ) from error
        if done.returncode != 0 or not target.is_file():
            said = [line for line in (done.stdout + done.stderr).splitlines() if "error" in line.lower()]
            reason = said[-1].strip()[:200] if said else f"exit code {done.returncode}"
            raise GiveUp(f"Model {path.name}: assimp cannot read this FBX ({reason}); export it as GLB.")
        if target.stat().st_size > MAX_BYTES:
            raise GiveUp(f"Model {path.name}: converted, it is larger than {MAX_BYTES >> 20} MB; reduce it.")
        document, binary = split_glb(target.read_bytes(), path.name)
        notes, data = _mend(document, binary or b"", path)
        # named after the source, so that every sentence names the file that a person knows
        mended = Path(folder) / "mended" / path.name
        mended.parent.mkdir()
        mended.write_bytes(join_glb(document, data))
        yield mended, notes


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * MAX_BYTES, 2 * MAX_BYTES))


def _mend(document: dict[str, Any], binary: bytes, path: Path) -> tuple[tuple[str, ...], bytes]:
    """Correct assimp's materials in place and embed the textures that it only names."""
    notes: list[str] = []
    for material in document.get("materials", []):
        extensions = material.get("extensions", {})
        # assimp adds it to every FBX material, and it would turn them grey
        extensions.pop(_GLOSSINESS, None)
        if not extensions:
            material.pop("extensions", None)
        pbr = material.setdefault("pbrMetallicRoughness", {})
        if "baseColorTexture" in pbr:
            # FBX's diffuse factor of 0.8 is not meant to darken the texture
            alpha = pbr.get("baseColorFactor", [1, 1, 1, 1])[3]
            pbr["baseColorFactor"] = [1, 1, 1, alpha]
        if "metallicRoughnessTexture" not in pbr:
            pbr["metallicFactor"] = 0.0
            pbr.setdefault("roughnessFactor", 0.6)
            notes.append("FBX carries no metal or roughness; its materials are drawn as matte plastic")
        # Phong materials have no such notion: FBX meshes are often open and meant to be seen from both sides
        material["doubleSided"] = True
    for image in document.get("images", []):
        uri = image.get("uri", "")
        if not uri or uri.startswith("data:"):
            continue
        data = _find(path, uri.replace("\\", "/").rsplit("/", 1)[-1]).read_bytes()
        binary += b"\0" * (-len(binary) % 4)
        views = document.setdefault("bufferViews", [])
        views.append({"buffer": 0, "byteOffset": len(binary), "byteLength": len(data)})
        binary += data
        image.pop("uri")
        image["bufferView"] = len(views) - 1
    if binary:
        document["buffers"] = [{"byteLength": len(binary)}]
    for name in ("extensionsUsed", "extensionsRequired"):
        document[name] = [extension for extension in document.get(name, []) if extension != _GLOSSINESS]
    return tuple(dict.fromkeys(notes)), binary


def _find(path: Path, name: str) -> Path:
    """A texture by its name, beside the FBX or in its usual folders."""
    for folder in (path.parent, path.parent / "textures", path.with_suffix(".fbm")):
        file = folder / name
        if name and file.is_file():
            return file
    raise GiveUp(f"Model {path.name}: its texture {name!r} is missing; put it beside the model or embed it.")

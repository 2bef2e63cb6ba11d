"""FBX through the program `assimp`, which reads the geometry; the rest is read here and mended."""

from __future__ import annotations

import os
import resource
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from packline.errors import FixSettings, GiveUp
from packline.stage import sandbox
from packline.stage.fbx_document import read_fbx_document
from packline.stage.fbx_mend import mend
from packline.stage.glb import MAX_BYTES, join_glb, split_glb

SECONDS = 60
_MEMORY = 4 << 30


@contextmanager
def fbx_to_glb(path: Path) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Convert an FBX to a GLB in a folder that lives as long as the context.

    Yields
    ------
    file, notes
        The GLB, in metres with Y up, its materials mended and its textures embedded; and what could not be
        carried over.

    Raises
    ------
    GiveUp
        Where the file cannot be converted, or would be drawn wrong.
    FixSettings
        Where `assimp` is not installed.
    """
    program = shutil.which("assimp")
    if program is None:
        raise FixSettings(
            "FBX models need the program assimp; install it with: apt-get install assimp-utils."
        )
    source = read_fbx_document(path)
    with tempfile.TemporaryDirectory(prefix="packline-fbx-") as folder:
        converted = _convert(program, path, Path(folder))
        document, binary = split_glb(_readable(converted.read_bytes()), path.name)
        notes, data = mend(document, binary or b"", source, path)
        # named after the source, so that every sentence names the file that a person knows
        mended = Path(folder) / "mended" / path.name
        mended.parent.mkdir()
        mended.write_bytes(join_glb(document, data))
        yield mended, notes


def _convert(program: str, path: Path, folder: Path) -> Path:
    """Let assimp read a copy that is alone in its folder: it can reach no other file by a relative path."""
    source, target = folder / "model.fbx", folder / "model.glb"
    shutil.copyfile(path, source)
    try:
        done = subprocess.run(
            [program, "export", str(source), str(target)],
            cwd=folder, capture_output=True, timeout=SECONDS, preexec_fn=_limit, stdin=subprocess.DEVNULL,
            env={"PATH": os.environ.get("PATH", ""), "HOME": str(folder), "LC_ALL": "C"},
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise GiveUp(
            f"Model {path.name}: assimp did not finish in {SECONDS} s; simplify it or export it as GLB."
        ) from error
    if done.returncode != 0 or not target.is_file():
        said = (done.stdout + done.stderr).decode(errors="replace").splitlines()
        said = [line for line in said if "error" in line.lower() or "exception" in line.lower()]
        reason = said[-1].strip()[:200].replace(str(folder) + "/", "") if said else _ending(done.returncode)
        mend = "as FBX 2013 or newer, or " if "old format version" in reason else ""
        raise GiveUp(f"Model {path.name}: assimp cannot read this FBX ({reason}); export it {mend}as GLB.")
    if target.stat().st_size > MAX_BYTES:
        raise GiveUp(f"Model {path.name}: converted, it is larger than {MAX_BYTES >> 20} MB; reduce it.")
    return target


def _readable(data: bytes) -> bytes:
    """A GLB whose names are UTF-8: assimp passes those of old code pages on as they are."""
    if len(data) < 20:
        return data
    length = struct.unpack_from("<I", data, 12)[0]
    text = data[20 : 20 + length].decode("utf-8", "replace").encode()
    text += b" " * (-len(text) % 4)
    rest = data[20 + length :]
    head = struct.pack("<4sII", data[:4], struct.unpack_from("<I", data, 4)[0], 20 + len(text) + len(rest))
    return head + struct.pack("<I4s", len(text), data[16:20]) + text + rest


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"it was ended by signal {-code}"


def _limit() -> None:
    # the worker has limited and locked in this process already; a program of this module's own user has not
    sandbox.die_with_parent()
    sandbox.lower(resource.RLIMIT_AS, _MEMORY)
    sandbox.lower(resource.RLIMIT_CPU, SECONDS)
    sandbox.lower(resource.RLIMIT_FSIZE, 2 * MAX_BYTES)
    sandbox.lower(resource.RLIMIT_CORE, 0)

"""Material libraries of OBJ files, read strictly.

The format is Wavefront's "MTL material format" of 1995 with the later PBR lines (Pr, Pm, map_Pr, norm) that
Blender and others write. What it leaves open is settled here as today's exporters mean it: colours are
linear, as in the glTF that they came from, and a grey Kd beside a texture is a left-over that darkens
nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from packline.errors import GiveUp
from packline.stage.files import companion
from packline.stage.glb import MAX_BYTES

_NUMBERS = {
    # option: how many numbers it takes at most
    "-o": 3,
    "-s": 3,
    "-t": 3,
    "-mm": 2,
    "-bm": 1,
    "-boost": 1,
    "-texres": 1,
}
_WORDS = frozenset({"-blendu", "-blendv", "-cc", "-clamp", "-imfchan", "-type", "-colorspace"})
#: What a map is for, by its keyword in lower case.
_MAPS = {
    "map_kd": "colour",
    "map_d": "opacity",
    "map_ke": "emissive",
    "norm": "normal",
    "map_kn": "normal",
    "map_bump": "bump",
    "bump": "bump",
    "map_pr": "roughness",
    "map_pm": "metal",
    "disp": "displacement",
    "map_disp": "displacement",
    "decal": "decal",
}


@dataclass(frozen=True)
class Map:
    """A texture as an MTL names it.

    Parameters
    ----------
    file
        Beside the model or below its folder.
    offset, scale
        Options -o and -s, along u and v; v is up as in OBJ.
    clamp
        Whether it does not repeat.
    strength
        Option -bm.
    """

    file: Path
    offset: tuple[float, float] = (0.0, 0.0)
    scale: tuple[float, float] = (1.0, 1.0)
    clamp: bool = False
    strength: float = 1.0


@dataclass
class Mtl:
    """One material of a library, in its own words; `dissolve` is 1 where opaque."""

    name: str
    diffuse: tuple[float, float, float] = (0.8, 0.8, 0.8)
    emissive: tuple[float, float, float] = (0.0, 0.0, 0.0)
    dissolve: float | None = None
    transparency: float | None = None
    shininess: float | None = None
    roughness: float | None = None
    metallic: float = 0.0
    maps: dict[str, Map] = field(default_factory=dict)

    @property
    def opacity(self) -> float:
        """1 is opaque. Where d and Tr contradict each other, d holds: some tools write Tr as if it were d."""
        if self.dissolve is not None:
            return self.dissolve
        return 1.0 if self.transparency is None else 1.0 - self.transparency


def read_mtl(file: Path, model: Path) -> dict[str, Mtl]:
    """All materials of a library by name; the first of equal names holds, as in most tools.

    Raises
    ------
    GiveUp
        Where a line cannot be read, or a texture is missing or lies outside the model's folder.
    """
    if file.stat().st_size > MAX_BYTES:
        raise GiveUp(f"Model {model.name}: {file.name} is larger than {MAX_BYTES >> 20} MB; reduce it.")
    found: dict[str, Mtl] = {}
    current = Mtl("")  # lines before the first newmtl belong to nothing
    for number, line in enumerate(logical_lines(file.read_bytes(), file.name, model.name), 1):
        keyword, _, rest = line.strip().partition(" ")
        key, rest = keyword.lower(), rest.strip()
        try:
            if key == "newmtl":
                current = Mtl(rest)
                found.setdefault(rest, current)
            elif key == "kd":
                current.diffuse = _colour(rest)
            elif key == "ke":
                current.emissive = _colour(rest)
            elif key == "d":
                # "-halo" fades with the angle, which is drawn without
                current.dissolve = _share(rest.removeprefix("-halo"))
            elif key == "tr":
                current.transparency = _share(rest)
            elif key == "ns":
                current.shininess = max(_number(rest), 0.0)
            elif key == "pr":
                current.roughness = _share(rest)
            elif key == "pm":
                current.metallic = _share(rest)
            elif key in _MAPS:
                current.maps[_MAPS[key]] = _map(rest, model)
        except ValueError as error:
            raise GiveUp(
                f"Model {model.name}: line {number} of {file.name} cannot be read "
                f"({line.strip()[:60]!r}: {error}); export it again."
            ) from error
    return found


def libraries(names: str, model: Path) -> list[Path]:
    """The files that a line "mtllib NAMES" means: one whose name has spaces, or several.

    Raises
    ------
    GiveUp
        Where one is missing or lies outside the model's folder.
    """
    try:
        return [companion(model, names, "material library")]
    except GiveUp:
        several = _several(names)
        if len(several) < 2:
            raise
        return [companion(model, name, "material library") for name in several]


def _several(names: str) -> list[str]:
    """ "my own.mtl other.mtl" as two names: each ends with a word in .mtl, and may hold spaces."""
    found: list[str] = []
    words: list[str] = []
    for word in names.split():
        words.append(word)
        if word.lower().endswith(".mtl"):
            found.append(" ".join(words))
            words = []
    return found


def logical_lines(data: bytes, file: str, model: str) -> list[str]:
    """The lines of a text file in any of its usual encodings, those that end in a backslash joined.

    A joined line is followed by as many empty ones as it took in, so that line numbers stay true.
    """
    encoding = "utf-8-sig"
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        # names in an old code page; only names can be affected
        text = data.decode("latin-1")
    if "\0" in text:
        raise GiveUp(f"Model {model}: {file} is not a text file; export it again.")
    text = text.replace("\t", " ")
    lines = text.replace("\r\n", "\n").split("\n")
    if "\\\n" not in text and "\\\r\n" not in text:
        return lines
    joined: list[str] = []
    waiting: list[str] = []
    for line in lines:
        if line.endswith("\\"):
            waiting.append(line[:-1])
            continue
        joined.append(" ".join([*waiting, line]))
        joined += [""] * len(waiting)
        waiting = []
    return [*joined, *waiting]


def _map(rest: str, model: Path) -> Map:
    """Options, then a file name that may have spaces."""
    words = rest.split()
    values: dict[str, list[float]] = {}
    clamp = False
    while words and words[0].lower() in _NUMBERS.keys() | _WORDS:
        option = words.pop(0).lower()
        if option in _WORDS:
            clamp = (words.pop(0).lower() == "on") if option == "-clamp" else bool(words.pop(0)) and clamp
            continue
        values[option] = []
        # a file may be called "2.png": only what is a number and is not the last word is one
        while len(words) > 1 and len(values[option]) < _NUMBERS[option] and _is_number(words[0]):
            values[option].append(_number(words.pop(0)))
    if not words:
        raise ValueError("it names no file")
    name = rest[rest.rindex(words[0]) :] if len(words) == 1 else rest[_start(rest, words) :]
    offset, scale = (values.get("-o") or [0.0]), (values.get("-s") or [1.0])
    return Map(
        file=companion(model, name, "texture"),
        offset=(offset[0], offset[1] if len(offset) > 1 else 0.0),
        scale=(scale[0], scale[1] if len(scale) > 1 else 1.0),
        clamp=clamp,
        strength=(values.get("-bm") or [1.0])[0],
    )


def _start(rest: str, words: list[str]) -> int:
    """Where the last `len(words)` words of `rest` begin, runs of spaces kept."""
    return [match.start() for match in re.finditer(r"\S+", rest)][-len(words)]


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _number(text: str) -> float:
    value = float(text)
    if not np.isfinite(value):
        raise ValueError("not a finite number")
    return value


def _share(text: str) -> float:
    value = _number(text)
    if not -0.01 <= value <= 1.01:
        raise ValueError("allowed is 0 to 1")
    return min(max(value, 0.0), 1.0)


def _colour(text: str) -> tuple[float, float, float]:
    words = text.split()
    if words and words[0].lower() in ("spectral", "xyz"):
        raise ValueError("spectral and CIE colours are not read, write three RGB numbers")
    values = [_number(word) for word in words[:3]]
    if len(values) == 1:
        values *= 3
    if len(values) != 3 or min(values) < 0:
        raise ValueError("a colour is three numbers from 0 up")
    return values[0], values[1], values[2]

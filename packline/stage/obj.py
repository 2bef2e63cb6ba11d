"""OBJ models, read strictly: what a line says is drawn, or the line is named and refused.

The format is Wavefront's "Object files" of 1995. An OBJ has no unit: it is read in metres, Y up, as glTF is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from packline.colour import to_linear
from packline.errors import GiveUp
from packline.stage.geometry import LARGEST, SMALLEST, make_part
from packline.stage.gltf import MAX_PRIMITIVES, MAX_TRIANGLES
from packline.stage.model import Material, Part
from packline.stage.mtl import Mtl, libraries, logical_lines, read_mtl
from packline.stage.obj_materials import Placements, obj_materials
from packline.stage.polygons import MAX_CORNERS, triangulate

#: Longest side in metres above which an OBJ was probably not written in metres.
BULKY = 3.0

_IGNORED = frozenset(
    {"g", "lod", "bevel", "c_interp", "d_interp", "shadow_obj", "trace_obj", "maplib", "usemap", "vp", "mg"}
)
_FREE_FORM = frozenset({"curv", "curv2", "surf", "cstype", "bmat", "deg", "step", "parm", "trim", "hole"})
_FREE_FORM |= {"scrv", "sp", "end", "con", "ctech", "stech", "call", "csh"}


@dataclass
class _Run:
    """Faces of one object and one material, in the file's order.

    `corners` holds for every corner an index into the table of distinct corners; `counts` the corners of
    each face; `smooth` its smoothing group: 0 flat, -1 where the file never says.
    """

    corners: list[int] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    smooth: list[int] = field(default_factory=list)


@dataclass
class _Obj:
    positions: NDArray[np.float64]
    colours: NDArray[np.float64] | None
    uv: NDArray[np.float64]
    normals: NDArray[np.float64]
    #: Distinct (position, uv, normal), -1 where there is none, shape (N, 3).
    table: NDArray[np.int64]
    runs: dict[tuple[str, str | None], _Run]
    materials: dict[str, Mtl]
    notes: list[str]


def read_obj(path: Path) -> tuple[tuple[Part, ...], tuple[str, ...]]:
    """Read an OBJ with its material libraries.

    Returns
    -------
    parts
        One for each object and material, in the file's own axes and units, taken as metres.
    notes
        What was approximated or guessed.

    Raises
    ------
    GiveUp
        With one sentence that names the file and where it can the line.
    """
    obj = _parse(path)
    notes = obj.notes
    wanted = {material for _, material in obj.runs}
    materials = obj_materials(obj.materials, wanted, obj.colours is not None, path.name, notes)
    parts: list[Part] = []
    names: dict[str, int] = {}
    for (thing, key), run in obj.runs.items():
        material, placement = materials[key]
        name = thing or material.name or "part"
        names[name] = names.get(name, 0) + 1
        name = name if names[name] == 1 else f"{name} {names[name]}"
        parts += _part(obj, run, name, material, placement, path.name)
    notes += _size_note(parts, path.name)
    return tuple(parts), tuple(dict.fromkeys(notes))


def _parse(path: Path) -> _Obj:
    def refuse(number: int, line: str, why: str) -> GiveUp:
        return GiveUp(
            f"Model {path.name}: line {number} cannot be read ({line.strip()[:60]!r}: {why}); "
            "export it again."
        )

    rows: dict[str, list[str]] = {"v": [], "vt": [], "vn": []}
    numbers: dict[str, list[int]] = {"v": [], "vt": [], "vn": []}
    table: dict[tuple[int, int, int], int] = {}
    seen: dict[str, int] = {}
    runs: dict[tuple[str, str | None], _Run] = {}
    materials: dict[str, Mtl] = {}
    notes: list[str] = []
    thing, material, smooth, triangles = "", None, -1, 0
    run: _Run | None = None

    def corner(word: str) -> int:
        """Index of a corner "v", "v/t", "v//n" or "v/t/n" in the table."""
        fields = word.split("/")
        if len(fields) > 3:
            raise ValueError(f"{word!r} has too many slashes")
        found = [-1, -1, -1]
        for place, (text, kind) in enumerate(zip(fields, ("v", "vt", "vn"), strict=False)):
            if text == "" and place > 0:
                continue
            index, count = int(text), len(rows[kind])
            index = index - 1 if index > 0 else count + index
            # a file may use what it defines only further down, but never what is before its start
            if not 0 <= index < 2**31 or int(text) == 0:
                raise ValueError(f"{word!r} uses a {kind} that does not exist")
            found[place] = index
        return table.setdefault((found[0], found[1], found[2]), len(table))

    for number, line in enumerate(logical_lines(path.read_bytes(), path.name, path.name), 1):
        words = line.split()
        if not words or words[0][0] == "#":
            continue
        key = words[0]
        if key in rows:
            rows[key].append(line)
            numbers[key].append(number)
        elif key in ("f", "fo"):
            if len(words) < 4:
                raise refuse(number, line, "a face needs three corners")
            if len(words) - 1 > MAX_CORNERS:
                raise refuse(number, line, f"a face has {len(words) - 1} corners, allowed are {MAX_CORNERS}")
            if run is None:
                run = runs.setdefault((thing, material), _Run())
            for word in words[1:]:
                # absolute corners mean the same wherever they stand
                index = seen.get(word)
                if index is None:
                    try:
                        index = corner(word)
                    except ValueError as error:
                        raise refuse(number, line, str(error)) from error
                    if "-" not in word:
                        seen[word] = index
                run.corners.append(index)
            run.counts.append(len(words) - 1)
            run.smooth.append(smooth)
            triangles += len(words) - 3
            if triangles > MAX_TRIANGLES:
                raise GiveUp(
                    f"Model {path.name}: it has more than {MAX_TRIANGLES} triangles; reduce it and export "
                    "it again."
                )
        elif key == "usemtl":
            name = line.strip()[6:].strip()
            material, run = name, None
        elif key == "o":
            thing, run = line.strip()[1:].strip(), None
        elif key == "s":
            word = words[1].lower() if len(words) > 1 else "off"
            smooth = 0 if word in ("off", "null") else int(word) if word.isdigit() else 1
        elif key == "mtllib":
            for library in libraries(line.strip()[6:], path):
                for name, found in read_mtl(library, path).items():
                    materials.setdefault(name, found)
        elif key in ("l", "p"):
            notes.append("it has lines or points, which are not drawn")
        elif key in _FREE_FORM:
            raise refuse(number, line, "curves and free-form surfaces are not read, convert them to a mesh")
        elif key not in _IGNORED:
            raise refuse(number, line, f"{key[:20]!r} is no word of the OBJ format")
    if not runs:
        raise GiveUp(f"Model {path.name}: it has no triangles; export the product's mesh with it.")
    if len(runs) > MAX_PRIMITIVES:
        raise GiveUp(
            f"Model {path.name}: it has {len(runs)} parts, more than {MAX_PRIMITIVES}; join them by material."
        )
    positions = _numbers(rows["v"], numbers["v"], (3, 4, 6, 7), 7, path.name)
    positions, colours = _split_colours(positions, path.name)
    uv = _numbers(rows["vt"], numbers["vt"], (2, 3), 3, path.name)
    normals = _numbers(rows["vn"], numbers["vn"], (3,), 3, path.name)
    corners = np.array(list(table), np.int64)
    for place, (kind, values) in enumerate((("v", positions), ("vt", uv), ("vn", normals))):
        if corners[:, place].max() >= len(values):
            raise GiveUp(
                f"Model {path.name}: a face uses {kind} {corners[:, place].max() + 1} of {len(values)}; "
                "the file is cut off or broken, export it again."
            )
    return _Obj(
        positions,
        colours,
        uv[:, :2],
        normals,
        corners,
        runs,
        materials,
        notes,
    )


def _numbers(
    lines: list[str], numbers: list[int], widths: tuple[int, ...], most: int, name: str
) -> NDArray[np.float64]:
    """All lines of one kind as an array of `most` columns, NaN where a line has fewer."""
    if not lines:
        return np.zeros((0, most))
    first = len(lines[0].split()) - 1
    if first in widths:
        try:  # nearly always all lines are of one width
            values = np.loadtxt(lines, usecols=range(1, first + 1), ndmin=2, comments="#")
            if len(values) == len(lines) and all(len(line.split()) - 1 == first for line in lines):
                return np.pad(values, ((0, 0), (0, most - first)), constant_values=np.nan)
        except (ValueError, IndexError):
            pass
    values = np.full((len(lines), most), np.nan)
    for row, (line, number) in enumerate(zip(lines, numbers, strict=True)):
        words = line.split("#")[0].split()[1:]
        try:
            if len(words) not in widths:
                raise ValueError(f"{len(words)} numbers where {' or '.join(map(str, widths))} belong")
            values[row, : len(words)] = [float(word) for word in words]
        except ValueError as error:
            raise GiveUp(
                f"Model {name}: line {number} cannot be read ({line.strip()[:60]!r}: {error}); "
                "export it again."
            ) from error
    return values


def _split_colours(
    values: NDArray[np.float64], name: str
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Positions from "x y z [w]" and colours, linear RGBA, from "x y z [w] r g b"."""
    given = (~np.isnan(values)).sum(1)
    # np.isnan counts a written "nan" as absent, so a row of an odd length holds one
    if not np.isin(given, (3, 4, 6, 7)).all() or np.isinf(values).any():
        raise GiveUp(
            f"Model {name}: it has a position that is not a number (NaN or infinite); mend the mesh."
        )
    positions = values[:, :3].copy()
    weighted = np.isin(given, (4, 7))
    weights = values[weighted, 3]
    if (weights == 0).any():
        raise GiveUp(f"Model {name}: it has a position with weight 0, which lies nowhere; mend the mesh.")
    positions[weighted] /= weights[:, None]
    coloured = given >= 6
    if not coloured.any():
        return positions, None
    colours = np.ones((len(values), 4))
    shown = np.where((given == 7)[:, None], values[:, 4:7], values[:, 3:6])[coloured]
    if shown.max() > 1.0:
        shown = shown / 255
    # OBJ has no colour space for them; tools write what they show, that is sRGB
    colours[coloured, :3] = to_linear(np.clip(shown, 0, 1))
    return positions, colours


def _part(
    obj: _Obj, run: _Run, name: str, material: Material, placements: Placements, model: str
) -> list[Part]:
    """A run as parts: one of the faces whose normals the file says, one of those where they are made."""
    corners, counts = np.array(run.corners, np.int64), np.array(run.counts, np.int64)
    triangles, owner = triangulate(obj.positions[obj.table[corners, 0]], counts)
    faces, smooth = corners[triangles], np.array(run.smooth, np.int64)[owner]
    said = (obj.table[faces, 2] >= 0).all(1)
    parts = []
    for chosen, has in ((faces[said], True), (faces[~said], False)):
        if len(chosen) == 0:
            continue
        used, index = np.unique(chosen, return_inverse=True)
        index = index.reshape(-1, 3)
        rows = obj.table[used]
        normals = obj.normals[rows[:, 2]] if has else None
        if not has and (smooth[~said] >= 0).any():
            # every corner its own, so that normals may differ at an edge
            rows, index = rows[index.reshape(-1)], np.arange(index.size).reshape(-1, 3)
            normals = _group_normals(obj.positions[rows[:, 0]], rows[:, 0], smooth[~said])
        lies = rows[:, 1] >= 0
        uv = uv1 = None
        if lies.all():
            plain = obj.uv[rows[:, 1]]
            uv, uv1 = placements.base(plain), placements.other(plain)
        elif material.texture is not None:
            raise GiveUp(
                f"Model {model}: material {material.name!r} has a texture but a part of it has no UV; "
                "unwrap it."
            )
        part = make_part(
            name if has or not said.any() else f"{name} (faces without normals)",
            obj.positions[rows[:, 0]], index, normals, uv,
            None if obj.colours is None else obj.colours[rows[:, 0]],
            material, np.eye(4), model, uv1,
        )  # fmt: skip
        if part is not None:
            parts.append(part)
    return parts


def _group_normals(
    corners: NDArray[np.float64], position: NDArray[np.int64], smooth: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Normals as the smoothing groups say: the mean of a group's faces at a position, or the face's own.

    Faces count by their angle there, so that it does not matter how a polygon was cut into triangles.

    Parameters
    ----------
    corners
        Three for each triangle, shape (3 F, 3).
    position
        The index of each corner's position, shape (3 F,).
    smooth
        Group of each triangle, 0 flat; shape (F,). -1, before the file's first word about it, is smooth too.
    """
    triangles = corners.reshape(-1, 3, 3)
    legs = np.roll(triangles, -1, axis=1) - triangles
    lengths = np.maximum(np.linalg.norm(legs, axis=2, keepdims=True), 1e-30)
    ahead, behind = legs / lengths, -np.roll(legs / lengths, 1, axis=1)
    angles = np.arccos(np.clip((ahead * behind).sum(2), -1, 1)).reshape(-1)
    area = np.cross(legs[:, 0], -legs[:, 2])
    size = np.linalg.norm(area, axis=1, keepdims=True)
    facing = np.repeat(area / np.maximum(size, 1e-30), 3, axis=0)
    # a flat face is a group of its own
    group = np.where(smooth != 0, smooth, -2 - np.arange(len(smooth)))
    _, place = np.unique(np.stack([position, np.repeat(group, 3)]), axis=1, return_inverse=True)
    place = place.reshape(-1)
    normals = np.stack([np.bincount(place, weights=angles * facing[:, axis])[place] for axis in range(3)], 1)
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    # a triangle without area has no normal, nor is it seen
    return np.where(lengths > 1e-30, normals / np.maximum(lengths, 1e-30), (0.0, 1.0, 0.0))


def _size_note(parts: list[Part], model: str) -> list[str]:
    """What the size says about the unit, which no OBJ states; refused where it is no product's."""
    if not parts:
        return []
    low = np.min([part.vertices[part.faces.reshape(-1)].min(0) for part in parts], 0)
    high = np.max([part.vertices[part.faces.reshape(-1)].max(0) for part in parts], 0)
    longest = float((high - low).max())
    if not np.isfinite(longest) or longest <= 0:
        return []  # refused by whoever stands it up
    unit, factor = ("centimetres", 0.01) if longest < 300 else ("millimetres", 0.001)
    if longest > LARGEST:
        raise GiveUp(
            f"Model {model}: an OBJ has no unit and is read in metres, so it would measure {longest:.4g} m; "
            f"it looks like {unit}: export it with the scale {factor:g}, or as GLB."
        )
    if longest < SMALLEST:
        raise GiveUp(
            f"Model {model}: an OBJ has no unit and is read in metres, so it would measure {longest:.4g} m; "
            "export it in metres, or as GLB."
        )
    if longest > BULKY:
        return [
            f"an OBJ has no unit; read in metres it measures {longest:.3g} m. If it was made in {unit}, "
            f"export it with the scale {factor:g}"
        ]
    return []

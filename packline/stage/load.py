"""Load a product's 3D model: read strictly, then stand it upright, front to +Z, on the ground, in metres."""

from __future__ import annotations

import io
import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray

from packline.errors import GiveUp
from packline.stage.fbx import fbx_to_glb
from packline.stage.files import model_digest, sidecar_of
from packline.stage.gltf import MAX_TRIANGLES, Asset, read_gltf
from packline.stage.model import Floats, Material, Part, ProductModel, Texture
from packline.stage.textures import decode_image
from packline.truth import Label, Quad

#: What a product may measure, longest side in metres.
SMALLEST, LARGEST = 0.002, 50.0
#: Faces that meet at a sharper angle than this keep their edge where a file brings no normals.
CREASE_DEGREES = 40.0


def load_model(path: Path) -> ProductModel:
    """Read a model and its sidecar `<stem>.truth.json`.

    Parameters
    ----------
    path
        A `.glb`, `.gltf`, `.obj` or `.fbx` file. FBX goes through the program `assimp`.

    Returns
    -------
    ProductModel
        Front towards +Z, footprint centred on the origin, standing on y = 0, metres. `sha256` covers the
        model file, the files that it refers to and the sidecar.

    Raises
    ------
    GiveUp
        With one sentence that says what is wrong and how to mend it: a model is drawn right or not at all.
    FixSettings
        Where FBX is asked for and `assimp` is not installed.
    """
    path = Path(path)
    digest = model_digest(path)
    kind = path.suffix.lower()
    front, labels = _read_sidecar(path)
    notes: tuple[str, ...] = ()
    if kind == ".obj":
        parts = _read_obj(path)
    elif kind == ".fbx":
        with fbx_to_glb(path) as (converted, fixes):
            asset = read_gltf(converted)
            parts = _read_geometry(asset, path.name)
        notes = (*fixes, *asset.notes)
    else:
        asset = read_gltf(path)
        parts, notes = _read_geometry(asset, path.name), asset.notes
    model = ProductModel(
        parts=_stood_up(parts, front, path.name),
        labels=labels,
        notes=tuple(dict.fromkeys(notes)),
        sha256=digest,
    )
    _check_labels(model, path.name)
    return model


def _read_sidecar(path: Path) -> tuple[float, tuple[Label, ...]]:
    file = sidecar_of(path)
    if not file.is_file():
        return 0.0, ()
    try:
        data: dict[str, Any] = json.loads(file.read_text())
        front = float(data.get("front", 0))
        labels = tuple(_label(entry) for entry in data.get("labels", []))
    except KeyError as error:
        raise GiveUp(
            f"Model {path.name}: a label in {file.name} lacks {error}; add it (see docs/models.md)."
        ) from error
    except (ValueError, TypeError, AttributeError) as error:
        raise GiveUp(f"Model {path.name}: {file.name} is malformed ({error}); see docs/models.md.") from error
    ids = [label.id for label in labels]
    if len(set(ids)) != len(ids):
        raise GiveUp(f"Model {path.name}: {file.name} names a label id twice; give each label its own id.")
    if not np.isfinite(front):
        raise GiveUp(f"Model {path.name}: the front azimuth in {file.name} is not a number; give degrees.")
    return front, labels


def _label(entry: dict[str, Any]) -> Label:
    corners = [(float(u), float(v)) for u, v in entry["quad"]]
    if len(corners) != 4 or not np.isfinite(corners).all():
        raise ValueError(f"the quad of label {entry['id']!r} needs four finite corners")
    quad: Quad = (corners[0], corners[1], corners[2], corners[3])
    x, y = np.array(corners).T
    if abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) < 1e-9:
        raise ValueError(f"the quad of label {entry['id']!r} has no area")
    return Label(str(entry["id"]), str(entry["text"]), quad, str(entry.get("material") or ""))


def _check_labels(model: ProductModel, name: str) -> None:
    names = {part.material.name for part in model.parts}
    for label in model.labels:
        if label.material and label.material not in names:
            raise GiveUp(
                f"Model {name}: label {label.id!r} lies on material {label.material!r}, which the "
                f"model lacks "
                f"(it has {', '.join(sorted(repr(n) for n in names))}); correct the sidecar."
            )


def _read_geometry(asset: Asset, name: str) -> tuple[Part, ...]:
    """Let trimesh read a checked asset; bake its node transforms, mending the winding of mirrored ones."""
    try:
        scene = trimesh.load_scene(io.BytesIO(asset.glb), file_type="glb", process=False)
    except Exception as error:
        raise GiveUp(
            f"Model {name}: its geometry cannot be read ({type(error).__name__}: {error}); export it again."
        ) from error
    parts = []
    for node in sorted(scene.graph.nodes_geometry):
        matrix, geometry = scene.graph[node]
        mesh = scene.geometry[geometry]
        primitive = asset.primitives[str(geometry)]
        attributes = mesh.vertex_attributes
        scales = primitive.scales
        uv = attributes.get("_UV")
        colours = attributes.get("_COLOUR")
        material = asset.materials[primitive.material]
        if uv is not None:
            uv = np.asarray(uv, float) / scales["_UV"]
            transform = asset.uv_transforms[primitive.material]
            if transform is not None:
                uv = uv @ transform[:2, :2].T + transform[:2, 2]
        if uv is None and material.texture is not None:
            raise GiveUp(
                f"Model {name}: material {material.name!r} has a texture but a part of it has no "
                f"UV; unwrap it."
            )
        if colours is not None:
            colours = np.asarray(colours, float) / scales["_COLOUR"]
        normals = mesh._cache.cache.get("vertex_normals") if "NORMAL" in scales else None
        parts.append(
            _part(
                name=str(geometry),
                vertices=np.asarray(mesh.vertices, float) / scales["POSITION"],
                faces=np.asarray(mesh.faces, np.int64),
                normals=None if normals is None else np.asarray(normals, float),
                uv=uv,
                colours=colours,
                material=material,
                matrix=np.asarray(matrix, float),
                model=name,
            )
        )
    return tuple(part for part in parts if part is not None)


def _part(
    name: str,
    vertices: NDArray[np.float64],
    faces: NDArray[np.int64],
    normals: NDArray[np.float64] | None,
    uv: NDArray[Any] | None,
    colours: NDArray[Any] | None,
    material: Material,
    matrix: NDArray[np.float64],
    model: str,
) -> Part | None:
    """One part in world space; None where no face has an area."""
    if len(faces) == 0:
        return None
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise GiveUp(f"Model {model}: a triangle uses a vertex that does not exist; export it again.")
    for what, values in (
        ("position", vertices),
        ("UV", uv),
        ("vertex colour", colours),
        ("node transform", matrix),
    ):
        if values is not None and not np.isfinite(values).all():
            raise GiveUp(
                f"Model {model}: it has a {what} that is not a number (NaN or infinite); mend the mesh."
            )
    if not np.isfinite(np.linalg.det(matrix[:3, :3])) or abs(np.linalg.det(matrix[:3, :3])) < 1e-18:
        raise GiveUp(
            f"Model {model}: a node scales its part to nothing; set the scale to 1 and export it again."
        )
    if colours is not None and colours.shape[1] == 3:
        colours = np.hstack([colours, np.ones((len(colours), 1))])
    world = vertices @ matrix[:3, :3].T + matrix[:3, 3]
    mirrored = np.linalg.det(matrix[:3, :3]) < 0
    if mirrored:
        faces = faces[:, ::-1]
    if normals is not None:
        lengths = np.linalg.norm(normals, axis=1)
        if not np.isfinite(normals).all() or (lengths < 1e-6).any():
            normals = None
    if normals is not None:
        normals = normals @ np.linalg.inv(matrix[:3, :3])
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    else:
        world, faces, normals, uv, colours = _with_normals(world, faces, uv, colours)

    def floats(values: NDArray[Any] | None) -> Floats | None:
        return None if values is None else np.ascontiguousarray(values, np.float32)

    return Part(
        name=name,
        vertices=np.ascontiguousarray(world, np.float32),
        normals=np.ascontiguousarray(normals, np.float32),
        faces=np.ascontiguousarray(faces, np.int64),
        material=material,
        uv=floats(uv),
        colours=floats(colours),
    )


def _with_normals(
    vertices: NDArray[np.float64],
    faces: NDArray[np.int64],
    uv: NDArray[Any] | None,
    colours: NDArray[Any] | None,
) -> tuple[
    NDArray[np.float64], NDArray[np.int64], NDArray[np.float64], NDArray[Any] | None, NDArray[Any] | None
]:
    """Smooth normals over everything but sharp edges; each corner becomes its own vertex."""
    corners = vertices[faces]
    area = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    unit = area / np.maximum(np.linalg.norm(area, axis=1, keepdims=True), 1e-30)
    # corners at the same place share a normal, also across UV seams
    grid = max(float(np.ptp(vertices, axis=0).max()), 1e-12) * 1e-6
    _, place = np.unique(np.round(vertices / grid).astype(np.int64), axis=0, return_inverse=True)
    place = place.reshape(-1)[faces]
    normals = _smooth(place.reshape(-1), np.repeat(area, 3, axis=0), np.repeat(unit, 3, axis=0))
    flat = faces.reshape(-1)
    return (
        vertices[flat],
        np.arange(len(flat), dtype=np.int64).reshape(-1, 3),
        normals,
        None if uv is None else uv[flat],
        None if colours is None else colours[flat],
    )


def _smooth(
    place: NDArray[np.int64], area: NDArray[np.float64], unit: NDArray[np.float64]
) -> NDArray[np.float64]:
    """For every corner the mean normal, by area, of the faces at its place that lie within the crease angle.

    Parameters
    ----------
    place
        Which position each corner has, shape (N,).
    area, unit
        Its face's normal, by area and of unit length, shape (N, 3).
    """
    order = np.argsort(place, kind="stable")
    counts = np.bincount(place)
    starts = np.cumsum(counts) - counts
    normals = np.empty_like(unit)
    cosine = np.cos(np.radians(CREASE_DEGREES))
    # in pieces, so that a large mesh with many faces at one place needs little memory
    for corners in np.array_split(np.arange(len(place)), max(len(place) // 100_000, 1)):
        many = counts[place[corners]]
        mine = np.repeat(corners, many)
        step = np.arange(len(mine)) - np.repeat(np.cumsum(many) - many, many)
        other = order[starts[place[mine]] + step]
        near = (unit[mine] * unit[other]).sum(1) >= cosine
        first = int(corners[0])
        for axis in range(3):
            normals[corners, axis] = np.bincount(
                mine[near] - first, weights=area[other[near], axis], minlength=len(corners)
            )
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.where(lengths > 1e-30, normals / np.maximum(lengths, 1e-30), unit)


def _read_obj(path: Path) -> tuple[Part, ...]:
    """Let trimesh read an OBJ, after checking that the files it names are there."""
    _check_obj(path)
    logging.getLogger("trimesh").setLevel(logging.ERROR)
    try:
        scene = trimesh.load_scene(path, process=False, maintain_order=True)
    except Exception as error:
        raise GiveUp(
            f"Model {path.name}: not a readable OBJ ({type(error).__name__}: {error}); export it again."
        ) from error
    parts: list[Part] = []
    textures: dict[int, NDArray[np.uint8]] = {}
    for node in sorted(scene.graph.nodes_geometry):
        matrix, geometry = scene.graph[node]
        mesh = scene.geometry[geometry]
        if not isinstance(mesh, trimesh.Trimesh):
            continue
        if len(mesh.faces) > MAX_TRIANGLES:
            raise GiveUp(
                f"Model {path.name}: it has {len(mesh.faces)} triangles, more than {MAX_TRIANGLES}; "
                f"reduce it."
            )
        visual: Any = mesh.visual
        uv = getattr(visual, "uv", None)
        uv = None if uv is None else np.column_stack([uv[:, 0], 1 - np.asarray(uv)[:, 1]])
        colours = None
        material = Material(name=str(geometry), double_sided=True)
        if visual.kind == "texture":
            material = _obj_material(visual.material, path.name, textures)
        elif visual.kind == "vertex":
            # OBJ has no colour space for vertex colours; tools write what they show, that is sRGB
            from packline.colour import to_linear

            shown = np.asarray(visual.vertex_colors, np.uint8)
            colours = np.column_stack([to_linear(shown[:, :3]), shown[:, 3] / 255])
        normals = mesh._cache.cache.get("vertex_normals")
        part = _part(
            str(geometry), np.asarray(mesh.vertices, float), np.asarray(mesh.faces, np.int64),
            None if normals is None else np.asarray(normals, float),
            uv, colours, material, np.asarray(matrix, float), path.name,
        )  # fmt: skip
        if part is not None:
            parts.append(part)
    return tuple(parts)


def _obj_material(data: Any, model: str, textures: dict[int, NDArray[np.uint8]]) -> Material:
    from packline.colour import to_linear

    red, green, blue, alpha = np.asarray(data.diffuse, np.uint8)
    image = data.image
    # with a texture, exporters write a grey Kd that is not meant to darken it
    colour = (
        (1.0, 1.0, 1.0)
        if image is not None
        else tuple(float(c) for c in to_linear(np.array([red, green, blue])))
    )
    if image is not None and id(image) not in textures:
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        textures[id(image)] = decode_image(buffer.getvalue(), "texture", model)[0]
    return Material(
        name=str(data.name or ""),
        base_colour=(colour[0], colour[1], colour[2], float(alpha) / 255),
        texture=None if image is None else Texture(textures[id(image)]),
        alpha_mode="BLEND" if alpha < 255 else "OPAQUE",
        double_sided=True,
    )


def _check_obj(path: Path) -> None:
    """Material libraries and textures that an OBJ names; each must be there, inside its folder."""
    folder = path.parent.resolve()

    def resolve(name: str, what: str) -> Path:
        target = (folder / name.replace("\\", "/")).resolve()
        if not target.is_relative_to(folder):
            raise GiveUp(
                f"Model {path.name}: its {what} {name!r} lies outside the model's folder; put it beside it."
            )
        if not target.is_file():
            raise GiveUp(f"Model {path.name}: its {what} {name!r} is missing; put it beside the model.")
        return target

    faces = False
    with path.open(errors="replace") as lines:
        for line in lines:
            faces = faces or line.startswith("f ")
            if line.startswith("mtllib "):
                library = resolve(line.split(None, 1)[1].strip(), "material library")
                for entry in library.read_text(errors="replace").splitlines():
                    words = entry.split()
                    if len(words) > 1 and words[0].lower() == "map_kd":
                        texture = resolve(words[-1], "texture")
                        decode_image(texture.read_bytes(), f"texture {words[-1]!r}", path.name)
    if not faces:
        raise GiveUp(f"Model {path.name}: it has no triangles; export the product's mesh with it.")


def _stood_up(parts: tuple[Part, ...], front: float, name: str) -> tuple[Part, ...]:
    """Turn the front to +Z, centre the footprint, stand it on the ground."""
    if not parts:
        raise GiveUp(f"Model {name}: it has no triangles; export the product's mesh with it.")
    # vertices that no triangle uses must not move the product
    parts = tuple(_pruned(part) for part in parts)
    turn = np.eye(4)
    angle = -np.radians(front)
    turn[:3, :3] = [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    model = ProductModel(parts).transformed(turn) if front else ProductModel(parts)
    low, high = model.bounds
    extent = high - low
    longest = float(extent.max())
    if not np.isfinite(extent).all() or (np.sort(extent)[1:] <= longest * 1e-6).any():
        raise GiveUp(f"Model {name}: it has no size in two directions; export the product's whole mesh.")
    if not SMALLEST <= longest <= LARGEST:
        raise GiveUp(
            f"Model {name}: it measures {longest:.4g} m, allowed are {SMALLEST:g} to {LARGEST:g} m; "
            "set the units to metres and export it again."
        )
    shift = np.eye(4)
    shift[:3, 3] = [-(low[0] + high[0]) / 2, -low[1], -(low[2] + high[2]) / 2]
    return model.transformed(shift).parts


def _pruned(part: Part) -> Part:
    used, faces = np.unique(part.faces, return_inverse=True)
    if len(used) == len(part.vertices):
        return part
    return replace(
        part,
        vertices=part.vertices[used],
        normals=part.normals[used],
        faces=faces.reshape(-1, 3).astype(np.int64),
        uv=None if part.uv is None else part.uv[used],
        colours=None if part.colours is None else part.colours[used],
    )

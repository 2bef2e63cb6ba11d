"""Load a product's 3D model: read strictly, then stand it upright, front to +Z, on the ground, in metres."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from packline.errors import GiveUp
from packline.stage.fbx import fbx_to_glb
from packline.stage.files import model_digest, sidecar_of
from packline.stage.geometry import stand_up
from packline.stage.gltf import read_gltf
from packline.stage.model import Part, ProductModel
from packline.stage.obj import read_obj
from packline.truth import Label, Quad


def load_model(path: Path, variant: str = "", truth: Path | None = None) -> ProductModel:
    """Read a model and its sidecar `<stem>.truth.json`.

    Parameters
    ----------
    path
        A `.glb`, `.gltf`, `.obj` or `.fbx` file. FBX goes through the program `assimp`.
    variant
        Name of a glTF material variant; empty: the file's default materials.
    truth
        A file that takes the sidecar's place; None: the one beside the model, if there is one.

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
    digest = model_digest(path, truth)
    kind = path.suffix.lower()
    front, labels = _read_sidecar(path, truth or sidecar_of(path))
    if truth and not truth.is_file():
        raise GiveUp(f"Model {path.name}: its truth file {truth} is missing; add it or name another.")
    variants: tuple[str, ...] = ()
    if kind in (".glb", ".gltf"):
        asset = read_gltf(path, variant)
        parts, notes, variants = asset.parts, asset.notes, asset.variants
        if variants:
            labels, absent = _shown_labels(labels, parts, asset.materials)
            notes = (*notes, *absent)
    elif variant:
        raise GiveUp(
            f"Model {path.name}: {kind} has no material variants; leave the variant empty or use a .glb."
        )
    elif kind == ".obj":
        parts, notes = read_obj(path)
    else:
        with fbx_to_glb(path) as (converted, fixes):
            asset = read_gltf(converted, smooth=True)
        parts, notes = asset.parts, (*fixes, *asset.notes)
    model = ProductModel(
        parts=stand_up(parts, front, path.name),
        labels=labels,
        notes=tuple(dict.fromkeys(notes)),
        sha256=digest,
        variant=variant,
        variants=variants,
    )
    _check_visible(model, path.name)
    _check_labels(model, path.name)
    return model


def _read_sidecar(path: Path, file: Path) -> tuple[float, tuple[Label, ...]]:
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


def _check_visible(model: ProductModel, name: str) -> None:
    for part in model.parts:
        look = part.material
        alpha = look.base_colour[3]
        if look.texture is not None:
            alpha *= float(look.texture.pixels[..., 3].max()) / 255
        if part.colours is not None:
            alpha *= float(part.colours[:, 3].max())
        least = {"OPAQUE": 0.0, "MASK": look.alpha_cutoff}.get(look.alpha_mode, 0.01)
        if alpha >= least:
            return
    raise GiveUp(f"Model {name}: all of it is see-through, so there is nothing to see; correct its alpha.")


def _shown_labels(
    labels: tuple[Label, ...], parts: Sequence[Part], materials: frozenset[str]
) -> tuple[tuple[Label, ...], tuple[str, ...]]:
    """The labels that this variant shows, and a note on each that lies on a material of another one."""
    shown = {part.material.name for part in parts}
    absent = {label.id: label.material for label in labels if label.material in materials - shown - {""}}
    notes = tuple(
        f"label {name!r} lies on material {material!r}, which this variant does not show"
        for name, material in absent.items()
    )
    return tuple(label for label in labels if label.id not in absent), notes


def _check_labels(model: ProductModel, name: str) -> None:
    names = {part.material.name for part in model.parts}
    for label in model.labels:
        if label.material and label.material not in names:
            raise GiveUp(
                f"Model {name}: label {label.id!r} lies on material {label.material!r}, which the "
                f"model lacks "
                f"(it has {', '.join(sorted(repr(n) for n in names))}); correct the sidecar."
            )

"""glTF 2.0, read strictly: drawn as the file says, or refused with a sentence that says how to mend it.

Specification: Khronos group, glTF 2.0, https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html, and the
extensions' own pages in its repository.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from packline.errors import GiveUp
from packline.stage.document import Document
from packline.stage.fields import Json, Malformed, entries, extension, numbers, text, whole, wholes
from packline.stage.geometry import join_parts, make_part
from packline.stage.looks import check_extensions
from packline.stage.materials import Drawn, Materials
from packline.stage.model import Part
from packline.stage.naming import unique_names
from packline.stage.nodes import Placed, placed_meshes
from packline.stage.placement import Layout
from packline.stage.primitives import Geometry, read_primitive, skinned, triangle_count

MAX_TRIANGLES = 5_000_000
MAX_PRIMITIVES = 4_000


@dataclass(frozen=True)
class GltfModel:
    """What a glTF file draws, where the file puts it.

    Parameters
    ----------
    parts
        In world space.
    notes
        What is drawn otherwise than the file says.
    variant, variants
        The material variant that is drawn, and all that the file offers.
    materials
        Names of all materials in the file, those of other variants too.
    """

    parts: tuple[Part, ...]
    notes: tuple[str, ...]
    variant: str
    variants: tuple[str, ...]
    materials: frozenset[str]


def read_gltf(path: Path, variant: str = "", smooth: bool = False) -> GltfModel:
    """Read a `.glb` or `.gltf` file.

    Parameters
    ----------
    path
        The file; what it refers to must lie in its folder.
    variant
        Name of a material variant (KHR_materials_variants); empty: the default materials.
    smooth
        Make smooth normals where a mesh brings none. glTF says flat ones; files that were converted from
        other formats mean smooth.

    Raises
    ------
    GiveUp
        With one sentence that names the file, what is wrong and how to mend it.
    """
    try:
        document = Document(path)
        # numbers that are none are refused by name once it is known whether anything uses them
        with np.errstate(all="ignore"):
            return _Reader(document, variant, smooth).read()
    except Malformed as error:
        reason = str(error)
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"
    raise GiveUp(
        f"Model {path.name}: its glTF structure is broken ({' '.join(reason.split())[:200]}); "
        "check it with a glTF validator and export it again."
    )


class _Reader:
    def __init__(self, document: Document, variant: str, smooth: bool) -> None:
        self.document, self.variant, self.smooth = document, variant, smooth
        self.materials = Materials(document)
        self.meshes = entries(document.json, "meshes")
        self.geometries: dict[tuple[Any, ...], Geometry] = {}
        self.triangles = 0

    def read(self) -> GltfModel:
        document = self.document
        check_extensions(document)
        variants = self._variants()
        if not self.meshes or not entries(document.json, "nodes"):
            raise document.refuse("it has no triangles; export the product's mesh with it.")
        placed = self._shown(placed_meshes(document))
        self._check_size(placed)
        parts: list[Part] = []
        names: list[tuple[str, ...]] = []
        chosen = variants.index(self.variant) if self.variant else None
        for one in placed:
            mesh = document.entry("meshes", one.mesh)
            primitives = entries(mesh, "primitives")
            for number, primitive in enumerate(primitives):
                if triangle_count(document, primitive) == 0:
                    continue
                drawn = self.materials.get(_material_of(primitive, chosen))
                part = self._part(one, mesh, number, primitive, drawn)
                if part is not None:
                    parts.append(part)
                    own = (text(mesh, "name"), drawn.material.name, one.name)
                    names.append(own if len(primitives) == 1 else (own[1], own[0], own[2]))
        parts = [replace(part, name=name) for part, name in zip(parts, unique_names(names), strict=True)]
        return GltfModel(
            tuple(parts),
            tuple(dict.fromkeys(document.notes)),
            self.variant,
            tuple(dict.fromkeys(variants)),
            frozenset(text(entry, "name") for entry in entries(document.json, "materials")),
        )

    def _variants(self) -> list[str]:
        data = extension(self.document.json, "KHR_materials_variants") or {}
        names = [text(one, "name") for one in entries(data, "variants")]
        if self.variant and self.variant not in names:
            offered = ", ".join(repr(name[:40]) for name in dict.fromkeys(names[:50]))
            raise self.document.refuse(
                f"it has no material variant {self.variant!r}; "
                + (
                    f"choose one of {offered}."
                    if names
                    else "it has none at all, so leave the variant empty."
                )
            )
        return names

    def _shown(self, placed: list[Placed]) -> list[Placed]:
        """Without what is scaled to nothing: that is how files hide things."""
        kept = []
        for one in placed:
            real = one.matrices[:, :3, :3].any((1, 2))
            if real.all():
                kept.append(one)
                continue
            self.document.notes.append(f"the node {one.name[:60]!r} is scaled to nothing and not drawn")
            if real.any():
                kept.append(replace(one, matrices=one.matrices[real]))
        return kept

    def _check_size(self, placed: list[Placed]) -> None:
        """Count what would be drawn before any of it is decoded."""
        triangles = parts = 0
        counted: dict[int, list[int]] = {}  # thousands of nodes may place the same thousands of primitives
        for one in placed:
            if one.mesh not in counted:
                counted[one.mesh] = counts = []
                for primitive in entries(self.document.entry("meshes", one.mesh), "primitives"):
                    if whole(primitive, "mode", 4) < 4:
                        self.document.notes.append("it has lines or points, which are not drawn")
                    counts.append(triangle_count(self.document, primitive))
            triangles += sum(counted[one.mesh]) * len(one.matrices)
            parts += sum(count > 0 for count in counted[one.mesh])
        if triangles == 0:
            raise self.document.refuse("it has no triangles; export the product's mesh with it.")
        if triangles > MAX_TRIANGLES or parts > MAX_PRIMITIVES:
            raise self.document.refuse(
                f"it has {triangles} triangles in {parts} parts, more than {MAX_TRIANGLES} in "
                f"{MAX_PRIMITIVES}; reduce it."
            )

    def _part(self, one: Placed, mesh: Json, number: int, primitive: Json, drawn: Drawn) -> Part | None:
        document, layout = self.document, drawn.layout
        geometry = self._geometry(one, mesh, number, primitive, layout)
        # compressed data may hold more triangles than the file says that they do
        self.triangles += len(geometry.faces) * len(one.matrices)
        if self.triangles > MAX_TRIANGLES:
            raise document.refuse(
                f"it has {self.triangles} triangles or more, above {MAX_TRIANGLES}; reduce it."
            )
        material = drawn.material
        if one.joints is not None:
            geometry = skinned(geometry, one.joints, document)
        uv = geometry.uv.get(layout.base.uv_set)
        uv1 = None if layout.second is None else geometry.uv.get(layout.second)
        textures = (
            material.texture, material.surface_texture, material.normal_texture, material.emissive_texture,
            material.occlusion_texture,
        )  # fmt: skip
        for texture in textures:
            if texture is not None and (uv if texture.uv_set == 0 else uv1) is None:
                raise document.refuse(
                    f"material {material.name[:80]!r} has a texture but a part of it has no UV; unwrap it."
                )
        if uv is not None and not layout.base.plain:
            matrix = layout.base.matrix
            uv = uv @ matrix[:2, :2].T + matrix[:2, 2]
        found = [
            make_part(
                name="",
                vertices=geometry.vertices,
                faces=geometry.faces,
                normals=geometry.normals,
                uv=uv,
                colours=geometry.colours,
                material=material,
                matrix=matrix,
                model=document.name,
                uv1=uv1,
                smooth=self.smooth,
                tangents=None if material.normal_texture is None else geometry.tangents,
            )
            for matrix in one.matrices
        ]
        parts = [part for part in found if part is not None]
        return join_parts(parts) if parts else None

    def _geometry(self, one: Placed, mesh: Json, number: int, primitive: Json, layout: Layout) -> Geometry:
        morph = one.weights
        if morph is None:
            given = mesh.get("weights")
            morph = numbers(mesh, "weights", (0.0,) * len(given)) if isinstance(given, list) else ()
        sets = {layout.base.uv_set, *([] if layout.second is None else [layout.second])}
        key = (one.mesh, number, morph, tuple(sorted(sets)))
        if key not in self.geometries:
            self.geometries[key] = read_primitive(self.document, primitive, morph, sets)
        return self.geometries[key]


def _material_of(primitive: Json, variant: int | None) -> int | None:
    """Index of the material that a primitive wears in a variant."""
    if variant is not None:
        data = extension(primitive, "KHR_materials_variants") or {}
        for one in entries(data, "mappings"):
            if variant in wholes(one, "variants"):
                return whole(one, "material")
    return whole(primitive, "material") if "material" in primitive else None

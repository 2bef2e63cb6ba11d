"""The node tree of a glTF: where each mesh stands in its scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from trimesh.transformations import quaternion_matrix

from packline.stage.accessors import read_array
from packline.stage.document import Document
from packline.stage.fields import (
    Json,
    Malformed,
    entries,
    extension,
    flag,
    mapping,
    numbers,
    text,
    whole,
    wholes,
)

MAX_NODES = 20_000
MAX_DEPTH = 64

Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Placed:
    """A mesh that the scene shows.

    Parameters
    ----------
    name
        Its node's.
    mesh
        Index.
    matrices
        Where it stands in the world, one for each instance, float64 (K, 4, 4).
    weights
        Of its morph targets, as the node says, or None.
    joints
        World transforms of its skin's joints times their inverse bind matrices, (J, 4, 4), or None; a skinned
        mesh ignores its own node's transform.
    """

    name: str
    mesh: int
    matrices: Matrix
    weights: tuple[float, ...] | None = None
    joints: Matrix | None = None


def placed_meshes(document: Document) -> list[Placed]:
    """Every mesh of the default scene, in the order of the tree.

    Raises
    ------
    GiveUp, Malformed
        Where the tree is no tree, too deep or too large.
    """
    nodes = entries(document.json, "nodes")
    if len(nodes) > MAX_NODES:
        raise document.refuse(f"it has {len(nodes)} nodes, more than {MAX_NODES}; join its parts.")
    parents = _parents(document, nodes)
    locals_ = [_local(node) for node in nodes]
    world = _world(document, parents, locals_)
    skins: dict[int, Matrix] = {}
    found = []
    for index in _shown(document, nodes, parents):
        node = nodes[index]
        if "mesh" not in node:
            continue
        matrices, joints = world[index][None], None
        instances = extension(node, "EXT_mesh_gpu_instancing")
        if "skin" in node:
            if instances is not None:
                raise document.refuse("it has instances of a mesh with a skeleton; export them as nodes.")
            skin = whole(node, "skin")
            if skin not in skins:
                skins[skin] = _joints(document, skin, world)
            matrices, joints = np.eye(4)[None], skins[skin]
        elif instances is not None:
            matrices = world[index] @ _instances(document, instances)
        given = node.get("weights")
        weights = numbers(node, "weights", (0.0,) * len(given)) if isinstance(given, list) else None
        found.append(Placed(text(node, "name"), whole(node, "mesh"), matrices, weights, joints))
    return found


def _parents(document: Document, nodes: list[Json]) -> list[int]:
    """Each node's parent, -1 for none."""
    parents = [-1] * len(nodes)
    for index, node in enumerate(nodes):
        for child in wholes(node, "children"):
            if child >= len(nodes):
                raise Malformed(f"nodes[{child}] does not exist")
            if parents[child] != -1:
                raise document.refuse("a node of it has two parents; export it again.")
            parents[child] = index
    return parents


def _world(document: Document, parents: list[int], locals_: list[Matrix]) -> list[Matrix]:
    world: list[Matrix | None] = [None] * len(parents)
    for start in range(len(parents)):
        chain = []
        at = start
        while at != -1 and world[at] is None:
            chain.append(at)
            at = parents[at]
            if len(chain) > MAX_DEPTH:
                raise document.refuse("its node tree is too deep or runs in a circle; flatten it.")
        for index in reversed(chain):
            above = world[parents[index]] if parents[index] != -1 else None
            world[index] = locals_[index] if above is None else above @ locals_[index]
    return [matrix for matrix in world if matrix is not None]


def _shown(document: Document, nodes: list[Json], parents: list[int]) -> list[int]:
    """Nodes of the default scene, parents before children."""
    scenes = entries(document.json, "scenes")
    if not scenes:
        raise document.refuse("it has no scene, so nothing would be drawn; export it again.")
    if len(scenes) > 1:
        document.notes.append(f"it has {len(scenes)} scenes; the default one is drawn")
    default = whole(document.json, "scene", 0)
    roots = wholes(document.entry("scenes", default), "nodes")
    for root in roots:
        if root >= len(nodes):
            raise Malformed(f"nodes[{root}] does not exist")
        if parents[root] != -1:
            raise document.refuse("its scene starts at a node that lies in another; export it again.")
    order: list[int] = []
    queue = [(root, 1) for root in reversed(list(dict.fromkeys(roots)))]
    while queue:
        index, depth = queue.pop()
        if depth > MAX_DEPTH:
            raise document.refuse("its node tree is too deep or runs in a circle; flatten it.")
        visibility = extension(nodes[index], "KHR_node_visibility")
        if visibility is not None and not flag(visibility, "visible", True):
            continue  # nor is what hangs below it
        order.append(index)
        queue.extend((child, depth + 1) for child in reversed(wholes(nodes[index], "children")))
    return order


def _local(node: Json) -> Matrix:
    if "matrix" in node:
        given = np.array(numbers(node, "matrix", (0.0,) * 16))
        matrix = given.reshape(4, 4).T  # column by column
        if not np.allclose(matrix[3], (0, 0, 0, 1), atol=1e-6):
            raise Malformed("a node's matrix is a projection")
        return matrix
    shift = numbers(node, "translation", (0.0, 0.0, 0.0))
    turn = numbers(node, "rotation", (0.0, 0.0, 0.0, 1.0))
    scale = numbers(node, "scale", (1.0, 1.0, 1.0))
    return np.asarray(_composed(np.array([shift]), np.array([turn]), np.array([scale]))[0])


def _composed(shift: Matrix, turn: Matrix, scale: Matrix) -> Matrix:
    """Translation times rotation times scale, (K, 4, 4); quaternions are x, y, z, w."""
    length = np.linalg.norm(turn, axis=1, keepdims=True)
    if (length < 1e-6).any():
        raise Malformed("a rotation is a quaternion of no length")
    turn = turn / length
    matrices = np.tile(np.eye(4), (len(turn), 1, 1))
    for index, (x, y, z, w) in enumerate(turn):
        matrices[index] = quaternion_matrix([w, x, y, z])  # type: ignore[no-untyped-call]
    matrices[:, :3, :3] *= scale[:, None, :]
    matrices[:, :3, 3] = shift
    return matrices


def _instances(document: Document, data: Json) -> Matrix:
    """Transforms of EXT_mesh_gpu_instancing, (K, 4, 4), relative to their node."""
    attributes = mapping(data, "attributes")
    found: dict[str, Matrix] = {}
    for name, kind in (("TRANSLATION", "VEC3"), ("ROTATION", "VEC4"), ("SCALE", "VEC3")):
        if name in attributes:
            found[name] = read_array(document, whole(attributes, name), (kind,), f"instances' {name}")
    counts = {len(values) for values in found.values()}
    if len(counts) != 1:
        raise Malformed("the attributes of EXT_mesh_gpu_instancing have no common length")
    count = counts.pop()
    if count > MAX_NODES:
        raise document.refuse(f"it has {count} instances, more than {MAX_NODES}; reduce them.")
    return _composed(
        found.get("TRANSLATION", np.zeros((count, 3))),
        found.get("ROTATION", np.tile([0.0, 0.0, 0.0, 1.0], (count, 1))),
        found.get("SCALE", np.ones((count, 3))),
    )


def _joints(document: Document, skin: int, world: list[Matrix]) -> Matrix:
    entry = document.entry("skins", skin)
    joints = wholes(entry, "joints")
    if not joints or max(joints) >= len(world):
        raise Malformed(f"skins[{skin}].joints names a node that does not exist, or none")
    document.claim(len(joints) * 3 * 16 * 8)
    bind = np.tile(np.eye(4), (len(joints), 1, 1))
    if "inverseBindMatrices" in entry:
        given = read_array(document, whole(entry, "inverseBindMatrices"), ("MAT4",), "inverse bind matrices")
        if len(given) < len(joints):
            raise document.refuse("its skeleton lacks inverse bind matrices; export it again.")
        bind = given[: len(joints)].reshape(-1, 4, 4).transpose(0, 2, 1)
    return np.asarray(np.stack([world[joint] for joint in joints]) @ bind)

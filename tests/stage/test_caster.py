"""What casts shadows is simpler than the product but hides the same light."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from packline.stage.caster import CELLS, FINE_ENOUGH, caster_mesh
from packline.stage.load import load_model
from tests.stage.build import Gltf, box, sphere


def volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    a, b, c = (vertices[faces[:, i]].astype(float) for i in range(3))
    return float((np.cross(a, b) * c).sum() / 6)


def test_a_simple_product_casts_its_own_shadow(tmp_path: Path) -> None:
    gltf = Gltf()
    gltf.mesh(**box())
    gltf.mesh(**box((0.02, 0.3, 0.02)))
    parts = load_model(gltf.save(tmp_path / "m.glb")).parts
    vertices, faces = caster_mesh(parts)
    assert len(faces) == 24
    assert np.array_equal(vertices, np.concatenate([part.vertices for part in parts]))


def test_a_dense_one_is_gathered_in_cells_that_no_shadow_can_show(tmp_path: Path) -> None:
    gltf = Gltf()
    gltf.mesh(**sphere(0.1, rings=800))
    (part,) = load_model(gltf.save(tmp_path / "ball.glb")).parts
    vertices, faces = caster_mesh([part])
    assert FINE_ENOUGH < len(faces) < 0.4 * len(part.faces)
    cell = 0.2 / CELLS
    assert np.abs(np.linalg.norm(vertices - part.vertices.mean(0), axis=1) - 0.1).max() < 0.01 * 0.1
    assert volume(vertices, faces) == pytest.approx(volume(part.vertices, part.faces), rel=0.02)
    assert np.abs(vertices.min(0) - part.vertices.min(0)).max() < 2 * cell

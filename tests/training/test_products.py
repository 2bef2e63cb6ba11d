"""The demo's products: what the sidecar says is printed there, and the shapes are sound."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import trimesh

from training import make_products
from training.products import KINDS, build, random_spec

ASSETS = Path(make_products.__file__).resolve().parent.parent / "assets" / "3d"
LONGEST = {"shoe": (0.26, 0.31), "bottle": (0.12, 0.3), "can": (0.09, 0.17), "mug": (0.08, 0.14)}
LONGEST |= {"carton": (0.09, 0.3), "tube": (0.11, 0.19), "tote": (0.45, 0.65), "jar": (0.06, 0.13)}
LONGEST |= {"tin": (0.06, 0.12), "pouch": (0.16, 0.24)}
MADE = {
    (kind, seed): build(kind, random_spec(kind, np.random.default_rng(seed)))
    for kind in KINDS
    for seed in (1, 2, 3, 4)
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("3d")
    make_products.main(folder)
    return folder


@pytest.fixture(scope="module")
def ocr() -> Any:
    from rapidocr import RapidOCR

    return RapidOCR()


def as_glb(file: Path, folder: Path) -> Path:
    if file.suffix == ".glb":
        return file
    if shutil.which("assimp") is None:
        pytest.skip("assimp is not installed")
    out = folder / f"{file.stem}.back.glb"
    subprocess.run(["assimp", "export", str(file), str(out), "-gs"], check=True, capture_output=True)
    return out


def raw_meshes(file: Path) -> dict[str, dict[str, Any]]:
    """Positions, texture coordinates, faces and texture by material, read from the GLB's own bytes."""
    data = file.read_bytes()
    length = int.from_bytes(data[12:16], "little")
    tree = json.loads(data[20 : 20 + length])
    binary = data[28 + length :]

    def blob(view: int) -> bytes:
        v = tree["bufferViews"][view]
        return binary[v.get("byteOffset", 0) :][: v["byteLength"]]

    def array(index: int) -> np.ndarray:
        a = tree["accessors"][index]
        width = {"SCALAR": 1, "VEC2": 2, "VEC3": 3}[a["type"]]
        kind = {5126: "<f4", 5125: "<u4", 5123: "<u2"}[a["componentType"]]
        start = a.get("byteOffset", 0)
        size = a["count"] * width * np.dtype(kind).itemsize
        return np.frombuffer(blob(a["bufferView"])[start : start + size], kind).reshape(-1, width)

    out = {}
    for mesh in tree["meshes"]:
        for part in mesh["primitives"]:
            material = tree["materials"][part["material"]]
            texture = material["pbrMetallicRoughness"].get("baseColorTexture")
            if texture is None:
                continue
            image = tree["images"][tree["textures"][texture["index"]]["source"]]
            picture = cv2.imdecode(np.frombuffer(blob(image["bufferView"]), np.uint8), cv2.IMREAD_COLOR)
            out[material["name"]] = {
                "points": array(part["attributes"]["POSITION"]).astype(float),
                "uv": array(part["attributes"]["TEXCOORD_0"]).astype(float),
                "faces": array(part["indices"]).reshape(-1, 3).astype(int),
                "picture": picture,
            }
    return out


def lift(mesh: dict[str, Any], uv: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The point on the surface at a texture coordinate, and the outward normal there."""
    a, b, c = (mesh["uv"][mesh["faces"][:, k]] for k in range(3))
    e, f, g = b - a, c - a, uv - a
    det = e[:, 0] * f[:, 1] - e[:, 1] * f[:, 0]
    det = np.where(np.abs(det) < 1e-14, np.inf, det)
    s = (g[:, 0] * f[:, 1] - g[:, 1] * f[:, 0]) / det
    t = (e[:, 0] * g[:, 1] - e[:, 1] * g[:, 0]) / det
    inside = np.minimum(np.minimum(s, t), 1 - s - t) * np.isfinite(det) - 1e9 * ~np.isfinite(det)
    best = int(np.argmax(inside))
    assert inside[best] > -1e-6, "no triangle carries this texture coordinate"
    p, q, r = mesh["points"][mesh["faces"][best]]
    normal = np.cross(q - p, r - p)
    return p + s[best] * (q - p) + t[best] * (r - p), normal / np.linalg.norm(normal)


def product_files(folder: Path) -> list[Path]:
    return sorted(
        file for file in folder.iterdir() if file.suffix in (".glb", ".fbx") and "back" not in file.stem
    )


def first_hits(scene: trimesh.Scene, toward: np.ndarray, rng: np.random.Generator, count: int) -> np.ndarray:
    """Cosines between parallel rays and the normals of what they hit first (negative: the outside)."""
    mesh = scene.to_geometry()
    corner = np.asarray(mesh.triangles)
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    area = np.linalg.norm(normal, axis=1)
    corner, normal, area = corner[area > 1e-12], normal[area > 1e-12], area[area > 1e-12]
    right = np.linalg.svd(toward[None])[2][1:]
    flat, depth = corner @ right.T, corner @ toward
    aim = flat.mean(1)[rng.choice(len(flat), count, p=area / area.sum())]
    found = []
    for target in aim + rng.normal(0, 1e-5, aim.shape):
        a, b, c = (flat[:, k] - target for k in range(3))
        w = np.stack([_cross(b, c), _cross(c, a), _cross(a, b)], 1)
        total = w.sum(1)
        hit = np.flatnonzero(((w > 0).all(1) | (w < 0).all(1)) & (np.abs(total) > 1e-14))
        if len(hit):
            at = (w[hit] * depth[hit]).sum(1) / total[hit]
            near = hit[np.argmin(at)]
            found.append(float(normal[near] @ toward) / area[near])
    return np.array(found)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


def test_every_label_reads_as_the_sidecar_says_on_the_written_file(written: Path, ocr: Any) -> None:
    wrong = []
    for file in product_files(written):
        truth = json.loads((written / f"{file.stem}.truth.json").read_text())
        meshes = raw_meshes(as_glb(file, written))
        for label in truth["labels"]:
            picture = meshes[label["material"]]["picture"]
            corners = (np.array(label["quad"]) * (picture.shape[1], picture.shape[0])).astype(np.float32)
            wide, high = np.linalg.norm(corners[1] - corners[0]), np.linalg.norm(corners[3] - corners[0])
            size = (round(48 * wide / high), 48)
            frame = np.array([[0, 0], [size[0], 0], [size[0], 48], [0, 48]], np.float32)
            upright = cv2.warpPerspective(picture, cv2.getPerspectiveTransform(corners, frame), size)
            upright = cv2.copyMakeBorder(upright, 8, 8, 12, 12, cv2.BORDER_REPLICATE)
            read = "".join(ocr(upright, use_det=False, use_cls=False).txts or ())
            if read.replace(" ", "") != label["text"].replace(" ", ""):
                wrong.append((file.name, label["id"], label["text"], read))
    assert wrong == []


def test_labels_are_unmirrored_and_large_enough_to_read_in_a_picture(written: Path) -> None:
    for file in product_files(written):
        truth = json.loads((written / f"{file.stem}.truth.json").read_text())
        glb = as_glb(file, written)
        meshes = raw_meshes(glb)
        longest = max(trimesh.load(glb).extents)
        for label in truth["labels"]:
            top_left, top_right, bottom_right, bottom_left = np.array(label["quad"])
            mesh = meshes[label["material"]]
            centre, normal = lift(mesh, (top_left + bottom_right) / 2)
            right, _ = lift(mesh, (top_right + bottom_right) / 2)
            top, _ = lift(mesh, (top_left + top_right) / 2)
            bottom, _ = lift(mesh, (bottom_left + bottom_right) / 2)
            assert np.cross(right - centre, top - centre) @ normal > 0, (file.name, label["id"])
            # 16 px where the product's longest side takes 45 % of 1024 px
            assert np.linalg.norm(top - bottom) / longest * 0.45 * 1024 >= 16, (file.name, label["id"])


def test_e_love_runs_top_to_bottom_on_the_shoe_s_outer_side(written: Path) -> None:
    truth = json.loads((written / "shoe-elove.truth.json").read_text())
    assert truth["front"] == 0
    (label,) = truth["labels"]
    assert label["text"] == "E LOVE"
    mesh = raw_meshes(written / "shoe-elove.glb")[label["material"]]
    quad = np.array(label["quad"])
    start, _ = lift(mesh, (quad[0] + quad[3]) / 2)
    end, _ = lift(mesh, (quad[1] + quad[2]) / 2)
    _, normal = lift(mesh, quad.mean(0))
    reading = (end - start) / np.linalg.norm(end - start)
    assert reading[1] < -np.cos(np.radians(15))
    assert normal[2] > 0.9


def test_the_demo_products_are_written_alike_each_time_and_are_the_ones_in_assets(
    written: Path, tmp_path: Path
) -> None:
    make_products.main(tmp_path)
    names = sorted(file.name for file in tmp_path.iterdir())
    for name in names:
        assert (tmp_path / name).read_bytes() == (written / name).read_bytes(), name
    assert {file.name for file in product_files(ASSETS)} >= {file.name for file in product_files(tmp_path)}
    for file in tmp_path.glob("*.truth.json"):
        assert json.loads((ASSETS / file.name).read_text()) == json.loads(file.read_text()), file.name


def test_the_demo_has_twelve_products_over_seven_shapes_with_their_own_brands_and_stays_small() -> None:
    specs = make_products.DEMO
    assert len(specs) >= 12
    assert len({spec.kind for spec in specs.values()}) >= 7
    assert len({spec.brand for spec in specs.values()}) == len(specs)
    sizes = [file.stat().st_size for file in product_files(ASSETS)]
    assert max(sizes) < 1.5e6
    assert sum(sizes) < 12e6
    assert len(list(ASSETS.glob("*.fbx"))) >= 2


@pytest.mark.parametrize("kind", KINDS)
def test_no_view_shows_the_back_of_a_surface(kind: str) -> None:
    rng = np.random.default_rng(0)
    views = np.array([[0, 0, -1], [0, 0, 1], [-1, 0, 0], [1, 0, 0], [0, -1, 0], [-0.5, -0.3, -0.8]], float)
    for seed in (1, 2):
        scene, _ = MADE[kind, seed]
        for view in views / np.linalg.norm(views, axis=1, keepdims=True):
            cosines = first_hits(scene, view, rng, 40)
            assert len(cosines) > 20
            assert (cosines > 0.02).mean() == 0, (kind, seed, view)


@pytest.mark.parametrize("kind", KINDS)
def test_normals_are_unit_and_agree_with_the_faces(kind: str) -> None:
    for seed in (1, 2, 3, 4):
        for name, mesh in MADE[kind, seed][0].geometry.items():
            normals = np.asarray(mesh.vertex_normals)
            assert np.allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5), name
            corner = np.asarray(mesh.triangles)
            face = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
            weight = np.linalg.norm(face, axis=1)
            agree = (face[:, None] * normals[mesh.faces]).sum(-1).min(1) > -0.3 * weight
            assert weight[~agree].sum() < 0.01 * weight.sum(), name
            assert np.isfinite(mesh.visual.uv).all()
            assert mesh.visual.uv.min() >= -1e-6
            assert mesh.visual.uv.max() <= 1 + 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_products_have_real_sizes_and_stand_centred_on_the_ground(kind: str) -> None:
    for seed in (1, 2, 3, 4):
        scene, truth = MADE[kind, seed]
        low, high = scene.bounds
        assert LONGEST[kind][0] <= max(high - low) <= LONGEST[kind][1]
        assert np.allclose([low[1], low[0] + high[0], low[2] + high[2]], 0, atol=1e-7)
        assert truth["labels"]
        assert len({label["id"] for label in truth["labels"]}) == len(truth["labels"])
        materials = {mesh.visual.material.name for mesh in scene.geometry.values()}
        assert {label["material"] for label in truth["labels"]} <= materials
        quads = np.array([label["quad"] for label in truth["labels"]])
        assert quads.min() >= 0
        assert quads.max() <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_random_products_are_the_same_for_a_seed_and_differ_between_seeds(kind: str) -> None:
    again, _ = build(kind, random_spec(kind, np.random.default_rng(1)))
    file, same = io.BytesIO(), io.BytesIO()
    again.export(file, file_type="glb")
    MADE[kind, 1][0].export(same, file_type="glb")
    assert file.getvalue() == same.getvalue()
    specs = {random_spec(kind, np.random.default_rng(seed)) for seed in range(200)}
    assert len(specs) == 200
    assert len({spec.brand for spec in specs}) > 120


def test_an_unknown_kind_is_refused_with_the_list_of_kinds() -> None:
    with pytest.raises(ValueError, match="There is no product kind teapot; choose one of shoe"):
        build("teapot", random_spec("can", np.random.default_rng(0)))

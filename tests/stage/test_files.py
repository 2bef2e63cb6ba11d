"""Which files a model consists of: found as exporters write them, none outside its folder, all hashed."""

from __future__ import annotations

from pathlib import Path

import pytest

from packline.errors import GiveUp
from packline.stage.files import companion, model_digest


def test_a_file_is_found_by_its_path_and_else_by_its_name_in_any_case(tmp_path: Path) -> None:
    model = tmp_path / "m.fbx"
    for place in ("a/b.png", "b.png", "textures/Only.PNG", "m.fbm/in.png"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_text(place)
    for name, place in {
        "a/b.png": "a/b.png",
        "./b.png": "b.png",
        "a\\b.png": "a/b.png",
        "x/y/b.png": "b.png",
        "../b.png": "b.png",
        "D:\\work\\B.png": "b.png",
        "/home/me/only.png": "textures/Only.PNG",
        '"in.png"': "m.fbm/in.png",
        "file:///c/in.png": "m.fbm/in.png",
    }.items():
        assert companion(model, name, "texture") == (tmp_path / place).resolve(), name


@pytest.mark.parametrize("name", ["", "..", "a/..", "a\0.png", "/"])
def test_a_name_that_is_no_file_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(GiveUp, match=r"Model m\.fbx: it names a texture .* which is no file"):
        companion(tmp_path / "m.fbx", name, "texture")


def test_nothing_outside_the_folder_is_opened(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "secret.png").write_text("secret")
    (home / "link.png").symlink_to(tmp_path / "secret.png")
    for name in ("/etc/passwd", str(tmp_path / "secret.png"), "ghost.png", "../ghost.png", "x" * 5000):
        with pytest.raises(GiveUp, match="is missing; put it beside the model"):
            companion(home / "m.obj", name, "texture")
    for name in ("../secret.png", "link.png"):
        with pytest.raises(GiveUp, match="lies outside the model's folder; put it beside the model"):
            companion(home / "m.obj", name, "texture")


@pytest.mark.parametrize("kind", ["obj", "fbx"])
def test_the_hash_changes_with_every_file_that_the_model_names_and_with_no_other(
    kind: str, tmp_path: Path
) -> None:
    model = tmp_path / f"m.{kind}"
    if kind == "obj":
        model.write_text("mtllib sub/m.mtl\nf 1 2 3\n")
        (tmp_path / "sub").mkdir()
        (tmp_path / "sub" / "m.mtl").write_text("newmtl a\nmap_Kd C:\\x\\Skin.png\n")
        named = ["m.obj", "sub/m.mtl", "skin.PNG", "m.truth.json"]
    else:
        model.write_bytes(b"Kaydara FBX Binary  \0S\x0a\0\0\0..\\Skin.pngS\1\0\0\0x")
        named = ["m.fbx", "skin.PNG", "m.truth.json"]
    (tmp_path / "skin.PNG").write_text("pixels")
    (tmp_path / "m.truth.json").write_text("{}")
    before = model_digest(model)
    (tmp_path / "other.png").write_text("of another product")
    (tmp_path / "other.mtl").write_text("newmtl b")
    assert model_digest(model) == before
    seen = {before}
    for name in named:
        file = tmp_path / name
        file.write_bytes(file.read_bytes() + (b"\n# more\n" if name.endswith(("obj", "mtl")) else b" "))
        seen.add(model_digest(model))
    assert len(seen) == len(named) + 1


def test_files_that_are_no_models_are_refused_before_they_are_read(tmp_path: Path) -> None:
    with pytest.raises(GiveUp, match="missing; add the file"):
        model_digest(tmp_path / "no.glb")
    (tmp_path / "a.stl").write_text("solid")
    with pytest.raises(GiveUp, match=r"\.stl is not read; use \.glb"):
        model_digest(tmp_path / "a.stl")
    (tmp_path / "a.obj").write_text("")
    with pytest.raises(GiveUp, match="it has 0 bytes"):
        model_digest(tmp_path / "a.obj")

"""A product as glTF and as its FBX or OBJ export must give the same picture.

    python -m benchmarks.stage_formats PRODUCT.glb ... [--out table.md]

Beside each GLB an FBX of the same name is taken, where there is one. OBJ exports are made here, by trimesh
and by assimp, two writers that are not ours; what an OBJ cannot say (glass, metal, glow, a single side) is
lost in them.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import trimesh

from packline.colour import to_srgb
from packline.errors import GiveUp
from packline.stage.files import sidecar_of
from packline.stage.glb import split_glb
from packline.stage.load import load_model
from packline.stage.raster import Rasteriser
from packline.stage.views import canonical_camera

SIZE = 512
VIEWS = ("front", "right", "back", "top", "three-quarter")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rasteriser = Rasteriser(SIZE)
    lines = [
        "| product | export | mask IoU, worst | albedo, worst mean of 255 | normals, worst median | said |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for model in arguments.models:
        with tempfile.TemporaryDirectory() as folder:
            for writer, export in _exports(model, Path(folder)):
                lines.append(f"| {model.stem} | {writer} | {_compared(rasteriser, model, export)} |")
                print(lines[-1], flush=True)
    if arguments.out:
        arguments.out.write_text("\n".join(lines) + "\n")


def _exports(model: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    beside = model.with_suffix(".fbx")
    if beside.is_file():
        yield "FBX beside it", beside
    for writer in ("trimesh", "assimp"):
        home = folder / writer
        home.mkdir()
        target = home / f"{model.stem}.obj"
        if writer == "trimesh":
            trimesh.load_scene(model).export(target)
        else:
            command = ["assimp", "export", model, target]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=120)
            _embedded_textures(model, home)
        if sidecar_of(model).is_file():
            shutil.copy(sidecar_of(model), sidecar_of(target))
        yield f"OBJ by {writer}", target


def _embedded_textures(model: Path, home: Path) -> None:
    """assimp writes "*3" for the third embedded texture, which is no file: put one there."""
    document, binary = split_glb(model.read_bytes(), model.name)
    library = next(home.glob("*.mtl"))
    text = library.read_text()
    for index, image in enumerate(document.get("images", [])):
        view = document["bufferViews"][image["bufferView"]]
        start = view.get("byteOffset", 0)
        (home / f"texture {index}").write_bytes((binary or b"")[start : start + view["byteLength"]])
        text = re.sub(rf"\*{index}\b", f"texture {index}", text)
    library.write_text(text)


def _compared(rasteriser: Rasteriser, model: Path, export: Path) -> str:
    try:
        pair = load_model(model), load_model(export)
    except GiveUp as error:
        return f"refused | | | {error}"
    worst = [1.0, 0.0, 0.0]
    for view in VIEWS:
        camera = canonical_camera(pair[0], view, SIZE)
        one, other = (rasteriser.gbuffer(loaded, camera) for loaded in pair)
        covered = one.mask > 0.5, other.mask > 0.5
        worst[0] = min(worst[0], float((covered[0] & covered[1]).sum() / (covered[0] | covered[1]).sum()))
        both = (one.mask > 0.99) & (other.mask > 0.99)
        if both.any():
            off = np.abs(to_srgb(one.albedo).astype(int) - to_srgb(other.albedo))[both].mean()
            turned = np.clip((one.normals * other.normals).sum(-1)[both], -1, 1)
            worst[1] = max(worst[1], float(off))
            worst[2] = max(worst[2], float(np.degrees(np.median(np.arccos(turned)))))
    said = "; ".join(note for note in pair[1].notes if "FBX carries no" not in note)
    return f"{worst[0]:.5f} | {worst[1]:.3f} | {worst[2]:.2f}° | {said}"


if __name__ == "__main__":
    main()

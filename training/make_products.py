"""Write the demo's products to assets/3d: `python -m training.make_products [folder]`.

The same bytes each time, given the same fonts (DejaVu and Liberation).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import trimesh

from training.products import ProductSpec, build
from training.products.fbx import to_fbx

_WHITE, _INK = (244, 243, 239), (24, 27, 33)

DEMO: dict[str, ProductSpec] = {
    "shoe-elove": ProductSpec(
        "shoe",
        "E LOVE",
        body=_WHITE,
        paper=(226, 228, 230),
        ink=(204, 34, 48),
        accent=(204, 34, 48),
        cap=(190, 142, 96),
        font="LiberationSansNarrow-Bold",
        layout=0,
        shape=(0.3, 0.5, 0.25, 0.6, 0.5, 0.4),
        variant=0,
        roughness=0.5,
    ),
    "shoe-north": ProductSpec(
        "shoe",
        "NORTH",
        body=(36, 52, 84),
        paper=(36, 52, 84),
        ink=(246, 240, 222),
        accent=(240, 168, 48),
        cap=(30, 34, 44),
        font="LiberationSansNarrow-Bold",
        layout=1,
        shape=(0.5, 0.3, 0.8, 0.4, 0.7, 0.6),
        variant=2,
        roughness=0.8,
    ),
    "bottle-salvia": ProductSpec(
        "bottle",
        "SALVIA",
        "HAND WASH",
        body=(104, 132, 110),
        paper=(246, 242, 230),
        ink=(38, 62, 50),
        accent=(188, 112, 72),
        cap=(32, 34, 34),
        font="LiberationSerif-Bold",
        layout=4,
        motif="leaf",
        shape=(0.7, 0.45, 0.5, 0.3, 0.6, 0.5),
        variant=1,
        roughness=0.3,
    ),
    "bottle-citro": ProductSpec(
        "bottle",
        "CITRO",
        body=(238, 184, 40),
        paper=(255, 250, 236),
        ink=(34, 70, 48),
        accent=(240, 110, 40),
        cap=(34, 70, 48),
        font="DejaVuSans-Bold",
        layout=1,
        motif="sun",
        shape=(0.8, 0.6, 0.5, 0.5, 0.5, 0.5),
        variant=3,
        roughness=0.2,
    ),
    "can-polar": ProductSpec(
        "can",
        "POLAR",
        "TONIC",
        body=(220, 232, 240),
        paper=(222, 236, 244),
        ink=(18, 50, 104),
        accent=(58, 146, 206),
        font="DejaVuSansCondensed-Bold",
        layout=6,
        motif="peaks",
        variant=0,
        shape=(0.4,) * 6,
    ),
    "can-volta": ProductSpec(
        "can",
        "VOLTA",
        body=(28, 28, 32),
        paper=(30, 30, 36),
        ink=(250, 220, 60),
        accent=(226, 60, 96),
        font="DejaVuSans-Bold",
        layout=2,
        motif="bolt",
        variant=1,
        shape=(0.2,) * 6,
    ),
    "mug-sunday": ProductSpec(
        "mug",
        "SUNDAY",
        body=(232, 222, 204),
        paper=(232, 222, 204),
        ink=(62, 48, 40),
        accent=(206, 96, 56),
        font="DejaVuSerif-Bold",
        layout=1,
        motif="sun",
        shape=(0.5, 0.4, 0.9, 0.6, 0.5, 0.3),
        variant=1,
        roughness=0.4,
    ),
    "mug-orbit": ProductSpec(
        "mug",
        "ORBIT",
        body=(34, 66, 92),
        paper=(34, 66, 92),
        ink=(244, 236, 214),
        accent=(240, 160, 90),
        font="DejaVuSansMono-Bold",
        layout=2,
        motif="moon",
        shape=(0.2, 0.8, 0.3, 0.3, 0.5, 0.6),
        variant=2,
    ),
    "carton-granola": ProductSpec(
        "carton",
        "GRANO",
        "GRANOLA",
        body=_WHITE,
        paper=(250, 236, 206),
        ink=(92, 44, 28),
        accent=(208, 74, 40),
        font="DejaVuSans-Bold",
        layout=3,
        motif="flower",
        shape=(0.5, 0.4, 0.5, 0.5, 0.5, 0.5),
        variant=1,
    ),
    "carton-norda": ProductSpec(
        "carton",
        "NORDA",
        body=_WHITE,
        paper=(238, 240, 238),
        ink=(20, 64, 70),
        accent=(28, 108, 112),
        font="LiberationSans-Bold",
        layout=5,
        motif="drop",
        shape=(0.6, 0.5, 0.6, 0.5, 0.5, 0.5),
        variant=0,
    ),
    "tube-lumen": ProductSpec(
        "tube",
        "LUMEN",
        body=_WHITE,
        paper=(250, 246, 244),
        ink=(120, 36, 76),
        accent=(232, 150, 164),
        cap=(206, 170, 120),
        font="LiberationSans-Bold",
        layout=5,
        motif="flower",
        shape=(0.8, 0.5, 0.6, 0.5, 0.5, 0.5),
        variant=3,
        roughness=0.4,
    ),
    "tote-market": ProductSpec(
        "tote",
        "MARKET",
        body=(236, 226, 204),
        ink=(26, 84, 60),
        accent=(214, 92, 52),
        cap=(26, 84, 60),
        font="DejaVuSerif-Bold",
        layout=0,
        motif="leaf",
        shape=(0.6, 0.4, 0.6, 0.4, 0.5, 0.5),
        variant=1,
    ),
    "jar-honey": ProductSpec(
        "jar",
        "HONIG",
        "LAVENDER",
        body=(216, 138, 30),
        paper=(252, 246, 230),
        ink=(84, 44, 20),
        accent=(232, 168, 44),
        cap=(240, 236, 226),
        font="DejaVuSerif-Bold",
        layout=0,
        motif="diamond",
        shape=(0.5, 0.8, 0.4, 0.3, 0.5, 0.5),
        variant=1,
        roughness=0.15,
    ),
    "tin-ember": ProductSpec(
        "tin",
        "EMBER",
        "SOY CANDLE",
        paper=(34, 34, 38),
        ink=(246, 226, 190),
        accent=(200, 84, 44),
        cap=(186, 142, 92),
        font="LiberationSerif-Bold",
        layout=4,
        motif="star",
        shape=(0.4, 0.8, 0.4, 0.5, 0.5, 0.5),
        variant=1,
    ),
    "pouch-roast": ProductSpec(
        "pouch",
        "ROASTA",
        "DARK ROAST",
        body=_INK,
        paper=(60, 44, 38),
        ink=(248, 232, 206),
        accent=(226, 122, 52),
        font="DejaVuSansCondensed-Bold",
        layout=6,
        motif="drop",
        shape=(0.5, 0.6, 0.6, 0.5, 0.5, 0.5),
        variant=0,
        roughness=0.6,
    ),
}
AS_FBX = ("carton-norda", "mug-orbit")


def to_glb(scene: trimesh.Scene) -> bytes:
    """The scene as GLB; trimesh embeds textures as PNG with 8 bits a channel."""
    return bytes(scene.export(file_type="glb"))


def main(folder: Path) -> None:
    """Write every product of `DEMO` with its sidecar."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, spec in DEMO.items():
        scene, truth = build(spec.kind, spec)
        if name in AS_FBX:
            (folder / f"{name}.fbx").write_bytes(to_fbx(scene))
        else:
            (folder / f"{name}.glb").write_bytes(to_glb(scene))
        (folder / f"{name}.truth.json").write_text(json.dumps(truth, indent=1) + "\n")
        print(name, *(label["text"] for label in truth["labels"]), sep="  ")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent / "assets" / "3d")

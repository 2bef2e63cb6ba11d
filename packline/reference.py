"""References: what the 3D model says that the product looks like from one view, on disk and in memory."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.camera import Camera
from packline.truth import PartColours, TextTruth

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Reference:
    """One view of one product.

    Parameters
    ----------
    view
        "scene" for the scene's own camera; else a canonical view ("front", "left", "top", "three-quarter",
        "hero", "label:<id>").
    camera
        Where it was taken from.
    colour
        Lit colour over neutral grey, sRGB, uint8 (H, W, 3). In the view "scene" lit by the scene's light; in
        the others by the studio's, with the product's shadow on the grey.
    albedo
        Unlit base colour, sRGB, uint8 (H, W, 3); 0 outside.
    depth
        Metres along the camera's axis, float32 (H, W); 0 outside.
    normals
        World normals, float32 (H, W, 3), unit length; 0 outside.
    mask
        Antialiased coverage, uint8 (H, W), 0 to 255.
    shadow
        The share of the ground's light that the product leaves, uint8 (H, W), 255 is unshadowed; all 255 in
        views without a ground.
    uv
        Where each pixel lies on the base colour texture, float32 (H, W, 2), u right, v down, wrapped to 0 to
        1; 0 where the part has none or nothing is. On disk in 65,536 steps.
    parts
        Which part each pixel mostly shows: `PartColours.index`, uint16 (H, W); 0 outside.
    label_map
        1 + index into `labels` where the pixel lies in that label's quad, uint8 (H, W); else 0.
    labels
        Text truth of every label that the view shows at least a little of.
    colours
        Colour truth of every part of the product, also of those that the view does not show.
    variant, variants
        The material variant that is shown (empty: the default) and all that the model offers.
    renderer
        What drew it, in its driver's words ("llvmpipe (LLVM 15.0.6, 256 bits)").
    """

    view: str
    camera: Camera
    colour: Picture
    albedo: Picture
    depth: NDArray[np.float32]
    normals: NDArray[np.float32]
    mask: Picture
    shadow: Picture
    uv: NDArray[np.float32]
    parts: NDArray[np.uint16]
    label_map: Picture
    labels: tuple[TextTruth, ...] = ()
    colours: tuple[PartColours, ...] = ()
    notes: tuple[str, ...] = field(default=())
    renderer: str = ""
    variant: str = ""
    variants: tuple[str, ...] = ()

    def save(self, folder: Path) -> None:
        """Write all passes below `folder`, one file a pass; lossless but for normals (8 bit)."""
        folder.mkdir(parents=True, exist_ok=True)
        normals = np.round((self.normals + 1) * 127.5).astype(np.uint8)
        for name, picture in (("colour", self.colour), ("albedo", self.albedo), ("normals", normals)):
            cv2.imwrite(str(folder / f"{name}.png"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), _FAST)
        cv2.imwrite(str(folder / "mask.png"), self.mask, _FAST)
        cv2.imwrite(str(folder / "shadow.png"), self.shadow, _FAST)
        cv2.imwrite(str(folder / "parts.png"), self.parts, _FAST)
        cv2.imwrite(str(folder / "labels.png"), self.label_map, _FAST)
        steps = np.zeros((*self.uv.shape[:2], 3), np.uint16)
        steps[..., 2], steps[..., 1] = np.moveaxis(np.round(self.uv * 65535), -1, 0)  # red u, green v
        cv2.imwrite(str(folder / "uv.png"), steps, _FAST)
        np.save(folder / "depth.npy", self.depth.astype(np.float32))
        truth = {
            "view": self.view,
            "camera": self.camera.to_dict(),
            "labels": [label.to_dict() for label in self.labels],
            "colours": [part.to_dict() for part in self.colours],
            "notes": list(self.notes),
            "renderer": self.renderer,
            "variant": self.variant,
            "variants": list(self.variants),
        }
        # last, so that a folder with a truth.json is whole
        (folder / "truth.json").write_text(json.dumps(truth))

    @staticmethod
    def load(folder: Path) -> Reference:
        """Read what `save` wrote."""
        truth = json.loads((folder / "truth.json").read_text())

        def rgb(name: str) -> Picture:
            return np.asarray(
                cv2.cvtColor(_read(folder / f"{name}.png", cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
            )

        mask = _read(folder / "mask.png", cv2.IMREAD_GRAYSCALE)
        normals = rgb("normals").astype(np.float32) / 127.5 - 1
        steps = _read(folder / "uv.png", cv2.IMREAD_UNCHANGED)
        return Reference(
            view=truth["view"],
            camera=Camera.from_dict(truth["camera"]),
            colour=rgb("colour"),
            albedo=rgb("albedo"),
            depth=np.load(folder / "depth.npy"),
            normals=np.where(mask[..., None] > 0, normals, 0).astype(np.float32),
            mask=mask,
            shadow=_read(folder / "shadow.png", cv2.IMREAD_GRAYSCALE),
            uv=steps[..., 2:0:-1].astype(np.float32) / np.float32(65535),
            parts=np.asarray(_read(folder / "parts.png", cv2.IMREAD_UNCHANGED), np.uint16),
            label_map=_read(folder / "labels.png", cv2.IMREAD_GRAYSCALE),
            labels=tuple(TextTruth.from_dict(label) for label in truth["labels"]),
            colours=tuple(PartColours.from_dict(part) for part in truth["colours"]),
            notes=tuple(truth["notes"]),
            renderer=truth["renderer"],
            variant=truth["variant"],
            variants=tuple(truth["variants"]),
        )


# run lengths of row differences: half the time of the default for flat renders, at nearly the same size
_FAST = [
    cv2.IMWRITE_PNG_COMPRESSION,
    1,
    cv2.IMWRITE_PNG_STRATEGY,
    cv2.IMWRITE_PNG_STRATEGY_RLE,
    cv2.IMWRITE_PNG_FILTER,
    cv2.IMWRITE_PNG_FILTER_UP,
]


def _read(file: Path, mode: int) -> NDArray[Any]:
    picture = cv2.imread(str(file), mode)
    if picture is None:
        raise FileNotFoundError(2, "not a readable picture", str(file))
    return np.asarray(picture)

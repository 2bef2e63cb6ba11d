"""References: what the 3D model says that the product looks like from one view, on disk and in memory."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.camera import Camera
from packline.truth import TextTruth

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
        Lit colour over neutral grey, sRGB, uint8 (H, W, 3). In the view "scene" lit by the scene's light.
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
    labels
        Text truth of every label that the view shows at least a little of.
    """

    view: str
    camera: Camera
    colour: Picture
    albedo: Picture
    depth: NDArray[np.float32]
    normals: NDArray[np.float32]
    mask: Picture
    shadow: Picture
    labels: tuple[TextTruth, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def save(self, folder: Path) -> None:
        """Write all passes below `folder`, one file a pass; lossless but for normals (8 bit)."""
        folder.mkdir(parents=True, exist_ok=True)
        normals = np.round((self.normals + 1) * 127.5).astype(np.uint8)
        for name, picture in (("colour", self.colour), ("albedo", self.albedo), ("normals", normals)):
            cv2.imwrite(str(folder / f"{name}.png"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), _FAST)
        cv2.imwrite(str(folder / "mask.png"), self.mask, _FAST)
        cv2.imwrite(str(folder / "shadow.png"), self.shadow, _FAST)
        np.save(folder / "depth.npy", self.depth.astype(np.float32))
        truth = {
            "view": self.view,
            "camera": self.camera.to_dict(),
            "labels": [label.to_dict() for label in self.labels],
            "notes": list(self.notes),
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
        return Reference(
            view=truth["view"],
            camera=Camera.from_dict(truth["camera"]),
            colour=rgb("colour"),
            albedo=rgb("albedo"),
            depth=np.load(folder / "depth.npy"),
            normals=np.where(mask[..., None] > 0, normals, 0).astype(np.float32),
            mask=mask,
            shadow=_read(folder / "shadow.png", cv2.IMREAD_GRAYSCALE),
            labels=tuple(TextTruth.from_dict(label) for label in truth["labels"]),
            notes=tuple(truth["notes"]),
        )


_FAST = [cv2.IMWRITE_PNG_COMPRESSION, 1]


def _read(file: Path, mode: int) -> Picture:
    picture = cv2.imread(str(file), mode)
    if picture is None:
        raise FileNotFoundError(2, "not a readable picture", str(file))
    return np.asarray(picture, np.uint8)

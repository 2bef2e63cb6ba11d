"""References: what the 3D model says that the product looks like from one view, on disk and in memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.camera import Camera
from packline.truth import PartColours, TextTruth

Picture = NDArray[np.uint8]

#: Grey behind the product in a reference's colour, sRGB.
BACKDROP = 205


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
    surface
        Roughness and metalness, 0 to 255 for 0 to 1, uint8 (H, W, 2); 0 outside. Of shape (0, 0, 2) where
        nobody knows them.

    Notes
    -----
    `load` decodes `uv`, `label_map` and `surface` when they are first asked for: the first takes as long as
    three other passes, and none is needed of every candidate.
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
    surface: Picture = field(default_factory=lambda: np.zeros((0, 0, 2), np.uint8))

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
        if self.surface.size:
            # green roughness and blue metalness, as in glTF's own textures
            finish = np.zeros((*self.surface.shape[:2], 3), np.uint8)
            finish[..., 1], finish[..., 0] = np.moveaxis(self.surface, -1, 0)
            cv2.imwrite(str(folder / "surface.png"), finish, _FAST)
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
        packed = {
            name: _Packed(folder / f"{file}.png", then)
            for name, (file, then) in _LATER.items()
            if name != "surface" or (folder / f"{file}.png").exists()
        }
        whole = Reference(
            view=truth["view"],
            camera=Camera.from_dict(truth["camera"]),
            colour=rgb("colour"),
            albedo=rgb("albedo"),
            depth=np.load(folder / "depth.npy"),
            normals=_normals(rgb("normals"), mask),
            mask=mask,
            shadow=_read(folder / "shadow.png", cv2.IMREAD_GRAYSCALE),
            uv=_NONE,
            parts=np.asarray(_read(folder / "parts.png", cv2.IMREAD_UNCHANGED), np.uint16),
            label_map=_NONE,
            labels=tuple(TextTruth.from_dict(label) for label in truth["labels"]),
            colours=tuple(PartColours.from_dict(part) for part in truth["colours"]),
            notes=tuple(truth["notes"]),
            renderer=truth["renderer"],
            variant=truth["variant"],
            variants=tuple(truth["variants"]),
        )
        for name, later in packed.items():
            # `__getattr__` is asked for what an instance has not
            del whole.__dict__[name]
            whole.__dict__[_PACKED + name] = later
        return whole

    if not TYPE_CHECKING:  # a type checker would take any misspelt name for an attribute

        def __getattr__(self, name: str) -> Any:
            """Decode what `load` left packed."""
            later = self.__dict__.get(_PACKED + name)
            if later is None:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            self.__dict__[name] = later.unpacked()
            return self.__dict__[name]

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles: the fields, all of them decoded."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


#: Before the name of a field that is not decoded yet.
_PACKED = "_packed_"
_NONE: Any = None


@dataclass(frozen=True)
class _Packed:
    """A pass as its file has it.

    The bytes are read at once, so that the folder may go; a file that was cut short is noticed at once too.
    """

    file: Path
    then: Callable[[NDArray[Any]], NDArray[Any]]
    data: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Read the bytes."""
        data = self.file.read_bytes()
        if not data.endswith(_PNG_END):
            raise _unreadable(self.file)
        object.__setattr__(self, "data", data)

    def unpacked(self) -> NDArray[Any]:
        """Decode."""
        picture = cv2.imdecode(np.frombuffer(self.data, np.uint8), cv2.IMREAD_UNCHANGED)
        if picture is None:
            raise _unreadable(self.file)
        return self.then(np.asarray(picture))


# the IEND chunk, with which every whole PNG ends
_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"


def _uv(steps: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(steps[..., 2:0:-1].astype(np.float32) / np.float32(65535))


def _surface(finish: NDArray[Any]) -> Picture:
    return np.ascontiguousarray(finish[..., 1::-1], np.uint8)


# the fields that are decoded when first asked for: their files and what is made of them
_LATER: dict[str, tuple[str, Callable[[NDArray[Any]], NDArray[Any]]]] = {
    "uv": ("uv", _uv),
    "label_map": ("labels", np.asarray),
    "surface": ("surface", _surface),
}
# a normal's component from its 8 bits
_COMPONENTS = np.arange(256, dtype=np.float32) / 127.5 - 1


def _normals(steps: Picture, mask: Picture) -> NDArray[np.float32]:
    """World normals from their 8 bits, (H, W, 3); 0 outside."""
    normals = np.zeros(steps.shape, np.float32)
    x, y, w, h = cv2.boundingRect(mask)
    if w:
        box = np.s_[y : y + h, x : x + w]
        inside = cv2.LUT(np.ascontiguousarray(steps[box]), _COMPONENTS)
        inside[mask[box] == 0] = 0
        normals[box] = inside
    return normals


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
        raise _unreadable(file)
    return np.asarray(picture)


def _unreadable(file: Path) -> FileNotFoundError:
    return FileNotFoundError(2, "not a readable picture", str(file))

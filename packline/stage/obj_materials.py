"""Materials of an OBJ: what its libraries say, as the stage draws it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.errors import GiveUp
from packline.stage.model import Material, Texture
from packline.stage.mtl import Map, Mtl
from packline.stage.textures import MAX_TEXTURE_PIXELS, decode_image


@dataclass(frozen=True)
class Placements:
    """How the base colour's map and the other maps lie on the file's UV; v up as in OBJ."""

    colour: Map | None = None
    rest: Map | None = None

    def base(self, uv: NDArray[np.float64]) -> NDArray[np.float64]:
        """UV for `Part.uv`: placed and turned to v down."""
        return _placed(uv, self.colour)

    def other(self, uv: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """UV for `Part.uv1`, or None where all maps lie alike."""
        return None if self.rest is None else _placed(uv, self.rest)


def _placed(uv: NDArray[np.float64], texture: Map | None) -> NDArray[np.float64]:
    placed = uv if texture is None else uv * texture.scale + texture.offset
    return np.column_stack([placed[:, 0], 1 - placed[:, 1]])


def obj_materials(
    library: dict[str, Mtl], wanted: set[str | None], coloured: bool, model: str, notes: list[str]
) -> dict[str | None, tuple[Material, Placements]]:
    """The materials that an OBJ uses, by name; None stands for faces without one.

    Parameters
    ----------
    library
        All that its material libraries hold.
    coloured
        Whether it has vertex colours, which take the place of a colour that the file does not give.
    notes
        Gets what was approximated.

    Raises
    ------
    GiveUp
        Where a material is missing, or a texture of it cannot be decoded or laid as the file says.
    """
    missing = sorted(name for name in wanted if name is not None and name not in library)
    if missing:
        raise GiveUp(
            f"Model {model}: material {missing[0]!r} is in none of its material libraries; put the .mtl "
            "file beside the model and name it with mtllib."
        )
    if None in wanted and not coloured:
        notes.append("a part has no material; it is drawn as matte light grey")
    # an exporter that writes Tr as if it were d makes all of it invisible; nobody sells that
    used = [library[name] for name in wanted if name is not None]
    invisible = bool(used) and None not in wanted and all(mtl.opacity < 0.01 for mtl in used)
    if invisible:
        notes.append("by its file all of it is invisible (Tr 1 or d 0); it is drawn opaque")
    reader = _Textures(model)
    grey = 1.0 if coloured else 0.8
    plain = Material(name="", base_colour=(grey, grey, grey, 1.0), double_sided=True)
    found: dict[str | None, tuple[Material, Placements]] = {None: (plain, Placements())}
    for name in sorted(name for name in wanted if name is not None):
        mtl = library[name]
        found[name] = _material(mtl, 1.0 if invisible else mtl.opacity, reader, notes, model)
    return found


class _Textures:
    """Decoded once each, and limited together."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.total = 0
        self.found: dict[Path, NDArray[np.uint8]] = {}

    def pixels(self, texture: Map) -> NDArray[np.uint8]:
        if texture.file not in self.found:
            data = texture.file.read_bytes()
            self.found[texture.file], count = decode_image(data, f"texture {texture.file.name!r}", self.model)
            self.total += count
            if self.total > MAX_TEXTURE_PIXELS:
                raise GiveUp(
                    f"Model {self.model}: its textures together are too large; reduce them to 4096 px."
                )
        return self.found[texture.file]


def _material(
    mtl: Mtl, opacity: float, reader: _Textures, notes: list[str], model: str
) -> tuple[Material, Placements]:
    maps = mtl.maps
    for kind, words in (("bump", "a bump map"), ("displacement", "a displacement map"), ("decal", "a decal")):
        if kind in maps:
            notes.append(f"material {mtl.name!r} has {words}, which is not drawn")
    colour = maps.get("colour")
    base = mtl.diffuse
    if colour is not None:
        if max(base) - min(base) > 0.02:
            notes.append(f"material {mtl.name!r} tints its texture with its colour Kd")
        else:
            base = (1.0, 1.0, 1.0)
    if max(base) > 1.01:
        raise GiveUp(f"Model {model}: material {mtl.name!r} has a colour Kd above 1; correct it.")
    pixels = None if colour is None else reader.pixels(colour)
    if "opacity" in maps:
        pixels = _cut_out(pixels, colour, maps["opacity"], reader, mtl.name, model)
        colour = colour or maps["opacity"]
    elif pixels is not None and (pixels[..., 3] < 250).mean() > 0.001:
        notes.append(f"material {mtl.name!r}: its texture has an alpha channel that no map_d uses")
    others: dict[str, Map] = {
        kind: maps[kind] for kind in ("emissive", "normal", "roughness", "metal") if kind in maps
    }
    layouts = {(one.offset, one.scale) for one in others.values()}
    like_base = colour is None or layouts <= {(colour.offset, colour.scale)}
    if len(layouts) > 1:
        raise GiveUp(
            f"Model {model}: material {mtl.name!r} places its textures differently "
            f"({', '.join(sorted(others))}); bake them to one UV layout."
        )
    rest = None if not others or (like_base and colour is not None) else next(iter(others.values()))
    if colour is None and rest is not None:
        colour, rest = rest, None  # one layout: it is the part's

    def texture(kind: str) -> Texture | None:
        if kind not in others:
            return None
        return Texture(reader.pixels(others[kind]), 0 if rest is None else 1, None, _wrap(others[kind]))

    emissive = mtl.emissive
    if "emissive" in others and max(emissive) == 0:
        emissive = (1.0, 1.0, 1.0)
    elif "emissive" not in others and min(emissive) > 0.99:
        notes.append(f"material {mtl.name!r} glows white by its file, which is taken for a left-over")
        emissive = (0.0, 0.0, 0.0)
    roughness = mtl.roughness
    if roughness is None:
        # Blender's writer: Ns = 1000 (1 - roughness)^2
        roughness = 0.6 if mtl.shininess is None else 1 - min(mtl.shininess / 1000, 1.0) ** 0.5
    surface = _surface(others, rest, reader, mtl.name, model)
    made = Material(
        name=mtl.name,
        base_colour=(min(base[0], 1.0), min(base[1], 1.0), min(base[2], 1.0), opacity),
        texture=None if pixels is None or colour is None else Texture(pixels, 0, None, _wrap(colour)),
        metallic=1.0 if "metal" in others else mtl.metallic,
        roughness=1.0 if "roughness" in others else max(roughness, 0.05),
        alpha_mode="BLEND" if opacity < 1 or "opacity" in maps else "OPAQUE",
        double_sided=True,
        emissive=emissive,
        emissive_texture=texture("emissive"),
        normal_texture=texture("normal"),
        normal_scale=others["normal"].strength if "normal" in others else 1.0,
        surface_texture=surface,
    )
    return made, Placements(colour, rest)


def _wrap(texture: Map) -> tuple[str, str]:
    return ("clamp", "clamp") if texture.clamp else ("repeat", "repeat")


def _cut_out(
    pixels: NDArray[np.uint8] | None,
    colour: Map | None,
    opacity: Map,
    reader: _Textures,
    name: str,
    model: str,
) -> NDArray[np.uint8]:
    """The colour's pixels with the opacity map as their alpha: its own alpha, or its lightness."""
    cut = reader.pixels(opacity)
    alpha = cut[..., 3] if cut[..., 3].min() < 255 else cut[..., :3].max(2)
    if pixels is None or colour is None:
        return np.dstack([np.full((*alpha.shape, 3), 255, np.uint8), alpha])
    if colour.file == opacity.file and cut[..., 3].min() == 255:
        return pixels  # exporters name the colour map again although it is opaque
    if (colour.offset, colour.scale) != (opacity.offset, opacity.scale):
        raise GiveUp(
            f"Model {model}: material {name!r} places map_Kd and map_d differently; put the opacity into "
            "the alpha channel of the colour texture."
        )
    height, width = pixels.shape[:2]
    if alpha.shape != (height, width):
        alpha = np.asarray(cv2.resize(alpha, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    return np.ascontiguousarray(np.dstack([pixels[..., :3], alpha]))


def _surface(
    others: Mapping[str, Map], rest: Map | None, reader: _Textures, name: str, model: str
) -> Texture | None:
    """Roughness and metal maps joined as glTF has them: green and blue."""
    kinds = [kind for kind in ("roughness", "metal") if kind in others]
    if not kinds:
        return None
    layers: dict[str, NDArray[Any]] = {kind: reader.pixels(others[kind])[..., 0] for kind in kinds}
    height, width = layers[kinds[0]].shape
    joined = np.full((height, width, 4), 255, np.uint8)
    for kind, channel in (("roughness", 1), ("metal", 2)):
        if kind in layers:
            layer = layers[kind]
            if layer.shape != (height, width):
                layer = cv2.resize(layer, (width, height), interpolation=cv2.INTER_LINEAR)
            joined[..., channel] = layer
    return Texture(joined, 0 if rest is None else 1, None, _wrap(others[kinds[0]]))

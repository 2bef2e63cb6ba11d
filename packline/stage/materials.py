"""A glTF's materials as the stage draws them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from packline.stage.document import Document
from packline.stage.fields import Json, extension, flag, mapping, number, numbers, text, whole
from packline.stage.glossiness import convert_textures
from packline.stage.looks import note_what_is_left_out, transmission_of
from packline.stage.model import Material, Texture
from packline.stage.placement import Layout, Lie, lay_out, place, read_lie
from packline.stage.textures import MAX_TEXTURE_PIXELS, decode_image

Pixels = NDArray[np.uint8]

_GLOSSINESS = "KHR_materials_pbrSpecularGlossiness"
_WRAPS = {10497: "repeat", 33648: "mirror", 33071: "clamp"}


@dataclass(frozen=True)
class Drawn:
    """A material and where the UV sets of its parts come from."""

    material: Material
    layout: Layout


class Materials:
    """Reads materials as they are asked for, so that textures nobody draws cost nothing."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._drawn: dict[int | None, Drawn] = {}
        self._images: dict[int, Pixels] = {}
        self._pixels = 0

    def get(self, index: int | None) -> Drawn:
        """A material by its index; None is glTF's default one.

        Raises
        ------
        GiveUp, Malformed
            Where it cannot be drawn as it says.
        """
        if index not in self._drawn:
            entry = {} if index is None else self.document.entry("materials", index)
            self._drawn[index] = self._read(entry)
        return self._drawn[index]

    def _read(self, entry: Json) -> Drawn:
        document, name = self.document, text(entry, "name")
        shown = repr(name[:80]) if name else "without a name"
        pbr = mapping(entry, "pbrMetallicRoughness")
        glossiness = extension(entry, _GLOSSINESS)
        unlit = extension(entry, "KHR_materials_unlit") is not None
        alpha = text(entry, "alphaMode", "OPAQUE")
        if alpha not in ("OPAQUE", "MASK", "BLEND"):
            raise document.refuse(f"material {shown} has the unknown alpha mode {alpha!r}; export it again.")
        emissive = self._emissive(entry, shown)
        infos: dict[str, Json] = {}
        if glossiness is not None and not unlit:
            _keep(infos, "texture", glossiness, "diffuseTexture")
            _keep(infos, "surface_texture", glossiness, "specularGlossinessTexture")
        else:
            _keep(infos, "texture", pbr, "baseColorTexture")
            _keep(infos, "surface_texture", pbr, "metallicRoughnessTexture")
        _keep(infos, "normal_texture", entry, "normalTexture")
        _keep(infos, "occlusion_texture", entry, "occlusionTexture")
        if max(emissive) > 0:
            _keep(infos, "emissive_texture", entry, "emissiveTexture")
        if unlit:  # KHR_materials_unlit: nothing but the base colour counts
            infos = {key: info for key, info in infos.items() if key == "texture"}
            emissive = (0.0, 0.0, 0.0)
        lies = {key: read_lie(info) for key, info in infos.items()}
        if glossiness is not None and "surface_texture" in lies:
            # without a diffuse texture, the specular one makes the base colour's
            lies.setdefault("texture", lies["surface_texture"])
        try:
            layout = lay_out(lies.get("texture"), [lie for key, lie in lies.items() if key != "texture"])
        except ValueError as error:
            raise document.refuse(
                f"material {shown} uses {error}, but two are all that is drawn; bake its textures to fewer."
            ) from error
        textures = {
            key: self._texture(info, shown, layout, lies[key], key == "texture")
            for key, info in infos.items()
        }
        result = Material(
            name=name,
            base_colour=self._colour(pbr, "baseColorFactor", shown),
            metallic=0.0 if unlit else self._share(pbr, "metallicFactor", shown),
            roughness=1.0 if unlit else self._share(pbr, "roughnessFactor", shown),
            alpha_mode=alpha,
            alpha_cutoff=number(entry, "alphaCutoff", 0.5),
            double_sided=flag(entry, "doubleSided"),
            emissive=emissive,
            normal_scale=number(mapping(entry, "normalTexture"), "scale", 1.0),
            occlusion_strength=self._share(mapping(entry, "occlusionTexture"), "strength", shown),
            unlit=unlit,
            texture=textures.get("texture"),
            surface_texture=textures.get("surface_texture"),
            normal_texture=textures.get("normal_texture"),
            occlusion_texture=textures.get("occlusion_texture"),
            emissive_texture=textures.get("emissive_texture"),
        )
        if glossiness is not None and not unlit:
            result = self._converted(result, glossiness, lies, shown)
        if not unlit:
            result = self._seen_through(result, entry, lies.get("texture"), shown)
        note_what_is_left_out(document.notes, entry, shown)
        return Drawn(result, layout)

    # factors

    def _share(self, owner: Json, key: str, shown: str) -> float:
        value = number(owner, key, 1.0)
        if not -0.01 <= value <= 1.01:
            raise self.document.refuse(
                f"material {shown} has a {key} of {value:g}, allowed is 0 to 1; correct it."
            )
        return min(max(value, 0.0), 1.0)

    def _colour(self, owner: Json, key: str, shown: str) -> tuple[float, float, float, float]:
        red, green, blue, alpha = numbers(owner, key, (1.0, 1.0, 1.0, 1.0))
        if min(red, green, blue, alpha) < 0 or max(red, green, blue, alpha) > 1.01:
            raise self.document.refuse(f"material {shown} has a base colour outside 0 to 1; correct it.")
        return min(red, 1.0), min(green, 1.0), min(blue, 1.0), min(alpha, 1.0)

    def _emissive(self, entry: Json, shown: str) -> tuple[float, float, float]:
        factor = numbers(entry, "emissiveFactor", (0.0, 0.0, 0.0))
        strength = number(extension(entry, "KHR_materials_emissive_strength") or {}, "emissiveStrength", 1.0)
        red, green, blue = (value * strength for value in factor)
        if min(red, green, blue) < 0 or max(red, green, blue) > 1e4:
            raise self.document.refuse(
                f"material {shown} glows with {max(red, green, blue, key=abs):g}, allowed is 0 to 10,000; "
                "correct it."
            )
        return red, green, blue

    # what is converted

    def _converted(self, material: Material, data: Json, lies: dict[str, Lie], shown: str) -> Material:
        """A specular-glossiness material as metallic-roughness."""
        red, green, blue, alpha = self._colour(data, "diffuseFactor", shown)
        specular = numbers(data, "specularFactor", (1.0, 1.0, 1.0))
        gloss = self._share(data, "glossinessFactor", shown)
        if min(specular) < 0 or max(specular) > 1.01:
            raise self.document.refuse(f"material {shown} has a specular factor outside 0 to 1; correct it.")
        first, second = material.texture, material.surface_texture
        if (
            first is not None
            and second is not None
            and (lies["texture"] != lies["surface_texture"] or first.wrap != second.wrap)
        ):
            raise self.document.refuse(
                f"material {shown} places its diffuse and specular textures differently; bake them to one "
                "UV layout or export it as metallic-roughness."
            )
        size = [picture.pixels.shape[:2] for picture in (first, second) if picture is not None]
        if size:
            self._count(2 * max(h for h, _ in size) * max(w for _, w in size))
        base, surface = convert_textures(
            None if first is None else first.pixels,
            (red, green, blue),
            None if second is None else second.pixels,
            (min(specular[0], 1.0), min(specular[1], 1.0), min(specular[2], 1.0)),
            gloss,
        )
        plain = first or second
        if plain is None:  # one texel: as factors
            from packline.colour import to_linear

            tone = to_linear(base[0, 0, :3])
            return replace(
                material,
                base_colour=(float(tone[0]), float(tone[1]), float(tone[2]), alpha),
                metallic=float(surface[0, 0, 2]) / 255,
                roughness=float(surface[0, 0, 1]) / 255,
            )
        return replace(
            material,
            base_colour=(1.0, 1.0, 1.0, alpha),
            texture=replace(first or plain, pixels=base),
            metallic=1.0,
            roughness=1.0,
            surface_texture=replace(second or plain, pixels=surface),
        )

    def _seen_through(self, material: Material, entry: Json, base: Lie | None, shown: str) -> Material:
        """Transmission as plain transparency, with a note."""
        amount, info = transmission_of(entry)
        if amount <= 0:
            return material
        self.document.notes.append(f"material {shown}: transmission is drawn as plain transparency")
        # what shines through is tinted by the base colour: the darker that is, the less there is to see
        clear = 0.8 * amount * min(max(material.base_colour[:3]), 1.0) ** 0.5
        red, green, blue, alpha = material.base_colour
        if info is None:
            return replace(material, alpha_mode="BLEND", base_colour=(red, green, blue, alpha * (1 - clear)))
        through = self._image_of(info, shown)
        picture = material.texture
        if picture is None or base != read_lie(info) or picture.pixels.shape != through.shape:
            self.document.notes.append(f"material {shown}: its transmission texture is drawn as its mean")
            clear *= float(through[..., 0].mean()) / 255
            return replace(material, alpha_mode="BLEND", base_colour=(red, green, blue, alpha * (1 - clear)))
        self._count(picture.pixels.shape[0] * picture.pixels.shape[1])
        pixels = picture.pixels.copy()
        opaque = material.alpha_mode == "OPAQUE"
        old = np.float32(255) if opaque else pixels[..., 3].astype(np.float32)
        pixels[..., 3] = np.round(old * (1 - np.float32(clear / 255) * through[..., 0]))
        return replace(
            material,
            alpha_mode="BLEND",
            base_colour=(red, green, blue, 1.0 if opaque else alpha),
            texture=replace(picture, pixels=pixels),
        )

    # textures

    def _texture(self, info: Json, shown: str, layout: Layout, lie: Lie, base: bool) -> Texture:
        pixels = self._image_of(info, shown)
        texture = self.document.entry("textures", whole(info, "index"))
        sampler = self.document.entry("samplers", whole(texture, "sampler")) if "sampler" in texture else {}
        wraps = tuple(whole(sampler, key, 10497) for key in ("wrapS", "wrapT"))
        if not set(wraps) <= _WRAPS.keys():
            raise self.document.refuse(
                f"a texture of material {shown} wraps in the unknown way {wraps}; export it again."
            )
        uv_set, placement = (0, None) if base else place(layout, lie)
        return Texture(
            pixels,
            uv_set,
            placement,
            (_WRAPS[wraps[0]], _WRAPS[wraps[1]]),
            nearest=whole(sampler, "magFilter", 9729) == 9728,
        )

    def _image_of(self, info: Json, shown: str) -> Pixels:
        texture = self.document.entry("textures", whole(info, "index"))
        found = [
            data
            for name in ("EXT_texture_avif", "EXT_texture_webp")
            if (data := extension(texture, name)) is not None
        ]
        owner = found[0] if found else texture
        if "source" not in owner:
            if extension(texture, "KHR_texture_basisu") is not None:
                raise self.document.refuse(
                    f"a texture of material {shown} is KTX2, which is not read; export its textures as PNG, "
                    "JPEG or WebP, not KTX2."
                )
            raise self.document.refuse(
                f"a texture of material {shown} has no image; export its textures as PNG or JPEG."
            )
        return self._image(whole(owner, "source"))

    def _image(self, index: int) -> Pixels:
        if index not in self._images:
            document = self.document
            entry = document.entry("images", index)
            if "bufferView" in entry:
                data = bytes(document.view(whole(entry, "bufferView")).data)
                label = f"image {index} {text(entry, 'name')[:60]!r}" if "name" in entry else f"image {index}"
            else:
                uri = text(entry, "uri")
                data = document.bytes_of(uri, "image")
                label = f"image {uri[:60]!r}"
            pixels, count = decode_image(data, label, document.name)
            self._count(count)
            self._images[index] = pixels
        return self._images[index]

    def _count(self, pixels: int) -> None:
        self._pixels += pixels
        if self._pixels > MAX_TEXTURE_PIXELS:
            raise self.document.refuse("its textures together are too large; reduce them to 4096 px.")


def _keep(infos: dict[str, Json], name: str, owner: Json, key: str) -> None:
    if key in owner:
        infos[name] = mapping(owner, key)

"""Materials and their textures come out as glTF says, or with a note, or not at all."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from packline.colour import to_linear, to_srgb
from packline.errors import GiveUp
from packline.stage import materials as materials_module
from packline.stage.glossiness import to_metallic_roughness
from packline.stage.gltf import GltfModel, read_gltf
from packline.stage.load import load_model
from packline.stage.model import Material, Part
from packline.stage.raster import Rasteriser
from packline.stage.textures import decode_image
from packline.stage.views import canonical_camera
from tests.stage.build import Gltf, quad

RAMP = np.arange(64, dtype=np.uint8).reshape(4, 4, 4) * 4
RAMP_RGB = RAMP[..., :3]


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def card(gltf: Gltf, tmp_path: Path, uv1: Any = None, **fields: Any) -> GltfModel:
    gltf.mesh(**quad(), material=gltf.material(**fields))
    if uv1 is not None:
        attributes = gltf.document["meshes"][-1]["primitives"][0]["attributes"]
        attributes["TEXCOORD_1"] = gltf.array(np.asarray(uv1, np.float32))
    return read_gltf(gltf.save(tmp_path / "m.glb"))


def material_of(gltf: Gltf, tmp_path: Path, **fields: Any) -> Material:
    return card(gltf, tmp_path, **fields).parts[0].material


# pictures

SMOOTH = np.asarray(Image.fromarray(RAMP_RGB[::2, ::2]).resize((32, 32), Image.Resampling.BICUBIC))
GREY = np.linspace(0, 255, 256).astype(np.uint8).reshape(16, 16)


def opaque(rgb: Any) -> Any:
    return np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])


def grey(values: Any) -> Any:
    return opaque(np.dstack([values] * 3))


LOSSLESS: dict[str, tuple[bytes, Any]] = {
    "png": (encoded(Image.fromarray(RAMP), "PNG"), RAMP),
    "png without alpha": (encoded(Image.fromarray(RAMP_RGB), "PNG"), opaque(RAMP_RGB)),
    "grey": (encoded(Image.fromarray(GREY), "PNG"), grey(GREY)),
    "grey with alpha": (
        encoded(Image.fromarray(np.dstack([GREY, GREY[::-1]])), "PNG"),
        np.dstack([GREY, GREY, GREY, GREY[::-1]]),
    ),
    "grey of 16 bits": (
        encoded(Image.fromarray(GREY.astype(np.uint16) * 257), "PNG"),
        grey(GREY),
    ),
    "colours of 16 bits": (
        cv2.imencode(".png", np.ascontiguousarray(RAMP_RGB[..., ::-1]).astype(np.uint16) * 257)[1].tobytes(),
        opaque(RAMP_RGB),
    ),
    "two tones": (
        encoded(Image.fromarray(GREY).convert("1"), "PNG"),
        grey(np.asarray(Image.fromarray(GREY).convert("1").convert("L"))),
    ),
    "palette": (
        encoded(Image.fromarray(RAMP_RGB).quantize(16), "PNG"),
        opaque(np.asarray(Image.fromarray(RAMP_RGB).quantize(16).convert("RGB"))),
    ),
    "webp": (encoded(Image.fromarray(opaque(RAMP_RGB)), "WEBP", lossless=True), opaque(RAMP_RGB)),
}
LOSSY = {
    "jpeg": encoded(Image.fromarray(SMOOTH), "JPEG", quality=100, subsampling=0),
    "jpeg in cmyk": encoded(Image.fromarray(SMOOTH).convert("CMYK"), "JPEG", quality=100, subsampling=0),
    "webp": encoded(Image.fromarray(SMOOTH), "WEBP", quality=100),
    "avif": encoded(Image.fromarray(SMOOTH), "AVIF", quality=100),
}


@pytest.mark.parametrize("kind", LOSSLESS)
def test_texels_come_out_as_they_went_in(kind: str) -> None:
    data, expected = LOSSLESS[kind]
    pixels, count = decode_image(data, "texture", "m.glb")
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, expected)
    assert count == pixels.shape[0] * pixels.shape[1]


@pytest.mark.parametrize("kind", LOSSY)
def test_lossy_pictures_come_out_nearly_so(kind: str) -> None:
    pixels, _ = decode_image(LOSSY[kind], "texture", "m.glb")
    assert np.abs(pixels[..., :3].astype(int) - SMOOTH).max() <= 6
    assert (pixels[..., 3] == 255).all()


def test_an_orientation_mark_turns_nothing() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn me"
    data = encoded(Image.fromarray(SMOOTH), "JPEG", quality=100, subsampling=0, exif=exif)
    assert np.array_equal(decode_image(data, "t", "m")[0], decode_image(LOSSY["jpeg"], "t", "m")[0])


@pytest.mark.parametrize("extension", ["EXT_texture_webp", "EXT_texture_avif"])
def test_a_texture_is_taken_from_the_extension_that_brings_it(extension: str, tmp_path: Path) -> None:
    gltf = Gltf()
    kind = extension.rsplit("_", 1)[1]
    index = gltf.texture(LOSSY[kind], extension=extension)
    gltf.document["extensionsRequired"] = [extension]
    texture = material_of(gltf, tmp_path, baseColorTexture={"index": index}).texture
    assert texture is not None
    assert np.abs(texture.pixels[..., :3].astype(int) - SMOOTH).max() <= 6


def test_ktx2_with_another_image_beside_it_is_drawn_with_that(tmp_path: Path) -> None:
    gltf = Gltf()
    index = gltf.image(RAMP)
    gltf.document["textures"][index]["extensions"] = {"KHR_texture_basisu": {"source": 99}}
    texture = material_of(gltf, tmp_path, baseColorTexture={"index": index}).texture
    assert texture is not None
    assert np.array_equal(texture.pixels, RAMP)


def test_pictures_that_nobody_draws_are_not_decoded(tmp_path: Path) -> None:
    gltf = Gltf()
    broken = {"index": gltf.texture(b"rubbish")}
    gltf.material(baseColorTexture=broken)  # of no part
    found = material_of(
        gltf, tmp_path, normalTexture=broken, emissiveTexture=broken, emissiveFactor=[1, 1, 1],
        extensions={"KHR_materials_unlit": {}},
    )  # fmt: skip
    assert found.unlit
    assert found.emissive == (0, 0, 0)
    assert found.normal_texture is found.emissive_texture is None


def test_textures_that_are_too_large_together_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(materials_module, "MAX_TEXTURE_PIXELS", 31)
    gltf = Gltf()
    first, second = gltf.image(RAMP), gltf.image(RAMP)
    with pytest.raises(GiveUp, match="its textures together are too large"):
        card(gltf, tmp_path, baseColorTexture={"index": first}, normalTexture={"index": second})


@pytest.mark.parametrize(
    ("codes", "words"),
    [((10497, 33648), ("repeat", "mirror")), ((33071, 10497), ("clamp", "repeat")), ((None, None), None)],
)
def test_how_a_texture_repeats_and_magnifies_is_its_sampler_s(
    codes: tuple[int | None, int | None], words: tuple[str, str] | None, tmp_path: Path
) -> None:
    gltf = Gltf()
    sampler = {key: code for key, code in zip(("wrapS", "wrapT"), codes, strict=True) if code}
    near = {"magFilter": 9728} if words else {}
    index = gltf.texture(encoded(Image.fromarray(RAMP), "PNG"), {**sampler, **near})
    texture = material_of(gltf, tmp_path, baseColorTexture={"index": index}).texture
    assert texture is not None
    assert texture.wrap == (words or ("repeat", "repeat"))
    assert texture.nearest == bool(words)


# where textures lie

UV0 = quad()["uv"]
UV1 = np.array([[0.1, 0.9], [0.5, 0.8], [0.6, 0.2], [0.2, 0.1]])


def transformed(uv: Any, offset: Any = (0, 0), rotation: float = 0, scale: Any = (1, 1)) -> Any:
    """KHR_texture_transform, written as its text does: scale, then turn, then move."""
    u, v = (np.asarray(uv) * scale).T
    c, s = np.cos(rotation), np.sin(rotation)
    return np.stack([c * u + s * v, -s * u + c * v], -1) + offset


def sampled_at(part: Part, name: str) -> Any:
    """Where each vertex lies on a texture: what a shader does with `Texture` and `Part`."""
    texture = getattr(part.material, name)
    uv = part.uv if texture.uv_set == 0 else part.uv1
    if texture.placement is None:
        return uv
    matrix = np.array(texture.placement).reshape(3, 3)
    return uv @ matrix[:2, :2].T + matrix[:2, 2]


PLAIN: dict[str, Any] = {}
TURNED = {"offset": [0.2, -0.4], "rotation": 0.7, "scale": [2.0, 0.5]}
MOVED = {"offset": [0.5, 0.25], "scale": [3.0, 3.0]}
SQUEEZED = {"offset": [0.5, 0.5], "scale": [0.0, 0.0]}


@pytest.mark.parametrize("base", [PLAIN, TURNED, SQUEEZED])
@pytest.mark.parametrize("other", [PLAIN, TURNED, MOVED])
@pytest.mark.parametrize("sets", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_every_texture_lies_where_the_file_puts_it(
    base: dict[str, Any], other: dict[str, Any], sets: tuple[int, int], tmp_path: Path
) -> None:
    gltf = Gltf()
    index = gltf.image(RAMP)

    def info(transform: dict[str, Any], uv_set: int) -> dict[str, Any]:
        extensions = {"KHR_texture_transform": transform} if transform else {}
        return {"index": index, "texCoord": uv_set, "extensions": extensions}

    (part,) = card(
        gltf, tmp_path, UV1,
        baseColorTexture=info(base, sets[0]), normalTexture=info(other, sets[1]),
    ).parts  # fmt: skip
    raw = (UV0, UV1)
    assert part.material.texture is not None
    assert part.material.texture.uv_set == 0
    assert part.material.texture.placement is None
    assert np.allclose(part.uv, transformed(raw[sets[0]], **base), atol=1e-6)
    assert np.allclose(sampled_at(part, "normal_texture"), transformed(raw[sets[1]], **other), atol=1e-5)


def test_the_transform_s_own_uv_set_counts(tmp_path: Path) -> None:
    gltf = Gltf()
    info = {"index": gltf.image(RAMP), "extensions": {"KHR_texture_transform": {"texCoord": 1}}}
    (part,) = card(gltf, tmp_path, UV1, baseColorTexture=info).parts
    assert np.allclose(part.uv, UV1, atol=1e-6)


def test_without_a_base_texture_labels_lie_on_the_raw_uv(tmp_path: Path) -> None:
    gltf = Gltf()
    info = {"index": gltf.image(RAMP), "extensions": {"KHR_texture_transform": TURNED}}
    (part,) = card(gltf, tmp_path, normalTexture=info).parts
    assert np.allclose(part.uv, UV0)
    assert np.allclose(sampled_at(part, "normal_texture"), transformed(UV0, **TURNED), atol=1e-6)
    (part,) = card(Gltf(), tmp_path).parts
    assert np.allclose(part.uv, UV0)


# factors


def test_every_factor_arrives(tmp_path: Path) -> None:
    gltf = Gltf()
    texture = {"index": gltf.image(RAMP)}
    found = material_of(
        gltf, tmp_path, name="Skin", baseColorFactor=[0.1, 0.2, 0.3, 0.4], metallicFactor=0.5,
        roughnessFactor=0.25, alphaMode="MASK", alphaCutoff=0.75, doubleSided=True,
        normalTexture={**texture, "scale": 0.5}, occlusionTexture={**texture, "strength": 0.625},
        emissiveFactor=[1, 0.5, 0.25], emissiveTexture=texture, metallicRoughnessTexture=texture,
        extensions={"KHR_materials_emissive_strength": {"emissiveStrength": 4}},
    )  # fmt: skip
    assert found.name == "Skin"
    assert found.base_colour == (0.1, 0.2, 0.3, 0.4)
    assert (found.metallic, found.roughness) == (0.5, 0.25)
    assert (found.alpha_mode, found.alpha_cutoff, found.double_sided) == ("MASK", 0.75, True)
    assert (found.normal_scale, found.occlusion_strength) == (0.5, 0.625)
    assert found.emissive == (4, 2, 1)
    for name in ("emissive_texture", "surface_texture", "occlusion_texture", "normal_texture"):
        assert np.array_equal(getattr(found, name).pixels, RAMP)


def test_a_primitive_without_material_gets_gltf_s_default(tmp_path: Path) -> None:
    gltf = Gltf()
    gltf.mesh(**quad())
    found = read_gltf(gltf.save(tmp_path / "m.glb")).parts[0].material
    assert found == Material(metallic=1.0, roughness=1.0)


# specular-glossiness


def reflectance(base: Any, metallic: Any) -> tuple[Any, Any]:
    """What metallic-roughness means by glTF 2.0 appendix B: diffuse and specular colour."""
    m = np.asarray(metallic)[..., None]
    return base * (1 - 0.04) * (1 - m), 0.04 * (1 - m) + base * m


def test_plastic_and_gold_survive_the_conversion() -> None:
    grid = np.linspace(0.05, 0.95, 7)
    base = np.stack(np.meshgrid(grid, grid, grid), -1).reshape(-1, 3).astype(np.float32)
    for metallic in (0.0, 1.0):
        m = np.full(len(base), metallic)
        diffuse, specular = reflectance(base, m)
        # the extension's diffuse colour is darkened by the specular one when it is drawn
        given = diffuse / np.maximum(1 - specular.max(-1, keepdims=True), 1e-6)
        got, share, rough = to_metallic_roughness(
            given.astype(np.float32), specular.astype(np.float32), np.full(len(base), 0.3, np.float32)
        )
        # a black surface reflects alike as plastic and as metal
        sure = base.max(-1) > 0.2
        assert np.abs(share - metallic)[sure].max() < 0.02
        assert np.abs(got - base)[sure].max() < 0.02
        assert np.allclose(rough, 0.7)


def test_specular_glossiness_is_converted_texel_by_texel(tmp_path: Path) -> None:
    gltf = Gltf()
    red, gold = (0.6, 0.05, 0.05), (1.0, 0.77, 0.34)
    diffuse = opaque(np.tile(to_srgb(np.array([[red, (0, 0, 0)]])), (2, 1, 1)))
    diffuse[..., 3] = [[255, 128], [255, 128]]
    specular = np.dstack(
        [np.tile(to_srgb(np.array([[(0.04, 0.04, 0.04), gold]])), (2, 1, 1)), [[51, 204], [51, 204]]]
    ).astype(np.uint8)
    found = material_of(
        gltf, tmp_path,
        extensions={
            "KHR_materials_pbrSpecularGlossiness": {
                "diffuseFactor": [0.5, 1, 1, 0.5],
                "glossinessFactor": 0.5,
                "diffuseTexture": {"index": gltf.image(diffuse)},
                "specularGlossinessTexture": {"index": gltf.image(specular)},
            }
        },
    )  # fmt: skip
    assert found.texture is not None and found.surface_texture is not None
    assert found.base_colour == (1, 1, 1, 0.5)
    assert (found.metallic, found.roughness) == (1, 1)
    base = to_linear(found.texture.pixels[0, :, :3])
    assert np.allclose(base[0], (0.3, 0.05, 0.05), atol=0.01)
    assert np.allclose(base[1], gold, atol=0.01)
    assert found.texture.pixels[0, :, 3].tolist() == [255, 128]
    roughness, metallic = found.surface_texture.pixels[0, :, 1], found.surface_texture.pixels[0, :, 2]
    assert np.allclose(roughness / 255, (1 - 0.1, 1 - 0.4), atol=0.005)
    assert np.allclose(metallic / 255, (0, 1), atol=0.02)


@pytest.mark.parametrize("only", ["diffuseTexture", "specularGlossinessTexture", ""])
def test_specular_glossiness_needs_not_both_textures(only: str, tmp_path: Path) -> None:
    gltf = Gltf()
    fields: dict[str, Any] = {"diffuseFactor": [0.5, 0.25, 0.125, 1], "specularFactor": [0, 0, 0]}
    if only:
        info = {"index": gltf.image(np.full((2, 2, 4), 255, np.uint8))}
        fields[only] = {**info, "extensions": {"KHR_texture_transform": TURNED}}
    (part,) = card(gltf, tmp_path, extensions={"KHR_materials_pbrSpecularGlossiness": fields}).parts
    found = part.material
    # what reflects nothing straight on looks like a slightly brighter plastic
    expected = np.array([0.5, 0.25, 0.125]) / 0.96
    if only:
        assert found.texture is not None and found.surface_texture is not None
        tone = to_linear(found.texture.pixels[0, 0, :3])
        assert found.surface_texture.pixels[0, 0, 1:3].tolist() == [0, 0]
        assert np.allclose(part.uv, transformed(UV0, **TURNED), atol=1e-6)
        assert np.allclose(sampled_at(part, "surface_texture"), part.uv)
    else:
        tone = np.array(found.base_colour[:3])
        assert (found.metallic, found.roughness) == (0, 0)
    assert np.allclose(tone, expected, atol=0.01)


def test_specular_glossiness_in_two_layouts_is_refused(tmp_path: Path) -> None:
    gltf = Gltf()
    index = gltf.image(RAMP)
    fields = {
        "diffuseTexture": {"index": index},
        "specularGlossinessTexture": {"index": index, "texCoord": 1},
    }
    with pytest.raises(GiveUp, match="places its diffuse and specular textures differently"):
        card(gltf, tmp_path, UV1, extensions={"KHR_materials_pbrSpecularGlossiness": fields})


# what is drawn otherwise

SHINY = {
    "KHR_materials_clearcoat": ({"clearcoatFactor": 1}, "clearcoat"),
    "KHR_materials_sheen": ({"sheenColorFactor": [1, 0, 0]}, "sheen"),
    "KHR_materials_ior": ({"ior": 1.1}, "index of refraction"),
    "KHR_materials_volume": ({"thicknessFactor": 0.1}, "volume"),
    "KHR_materials_specular": ({"specularFactor": 0}, "specular"),
    "KHR_materials_iridescence": ({"iridescenceFactor": 1}, "iridescence"),
    "KHR_materials_anisotropy": ({"anisotropyStrength": 0.5}, "anisotropy"),
    "KHR_materials_dispersion": ({"dispersion": 0.1}, "dispersion"),
    "KHR_materials_diffuse_transmission": ({"diffuseTransmissionFactor": 1}, "diffuse transmission"),
    "ACME_glitter": ({"amount": 1}, "'ACME_glitter' is not known"),
}


@pytest.mark.parametrize("name", SHINY)
def test_what_is_not_drawn_is_in_the_notes_where_it_counts(name: str, tmp_path: Path) -> None:
    fields, word = SHINY[name]
    notes = card(Gltf(), tmp_path, name="Coat", extensions={name: fields}).notes
    assert [note for note in notes if word in note and note.startswith("material 'Coat': ")]
    if not name.startswith("ACME"):
        (said,) = notes
        assert "not drawn; the real product may " in said
        assert said.endswith(", and checks compare with what is drawn")
        assert card(Gltf(), tmp_path, extensions={name: {}}).notes == ()


def test_a_product_that_shines_in_another_colour_than_is_drawn_says_so(tmp_path: Path) -> None:
    film = {"iridescenceFactor": 1, "iridescenceIor": 2, "iridescenceThicknessMaximum": 300}
    notes = card(Gltf(), tmp_path, name="lens", extensions={"KHR_materials_iridescence": film}).notes
    assert notes == (
        "material 'lens': iridescence is not drawn; the real product may shine in another colour, such as "
        "blue or gold, and checks compare with what is drawn",
    )
    film["iridescenceFactor"] = 0
    assert card(Gltf(), tmp_path, extensions={"KHR_materials_iridescence": film}).notes == ()


@pytest.mark.parametrize(
    ("colour", "words"),
    [([1, 0.5, 0.2], "volume attenuation is not drawn"), ([1, 1, 1], "its volume is not drawn")],
)
def test_a_volume_that_takes_no_light_away_is_not_said_to(
    colour: list[float], words: str, tmp_path: Path
) -> None:
    fields = {"thicknessFactor": 0.1, "attenuationDistance": 0.01, "attenuationColor": colour}
    (note,) = card(Gltf(), tmp_path, extensions={"KHR_materials_volume": fields}).notes
    assert words in note


def test_a_transmission_texture_clears_only_what_it_says(tmp_path: Path) -> None:
    gltf = Gltf()
    base = np.full((2, 2, 4), 255, np.uint8)
    through = np.zeros((2, 2, 3), np.uint8)
    through[0, 0] = 255
    found = material_of(
        gltf, tmp_path, baseColorTexture={"index": gltf.image(base)},
        extensions={
            "KHR_materials_transmission": {
                "transmissionFactor": 1, "transmissionTexture": {"index": gltf.image(through)},
            }
        },
    )  # fmt: skip
    assert found.texture is not None
    assert found.alpha_mode == "BLEND"
    assert found.texture.pixels[..., 3].tolist() == [[51, 255], [255, 255]]


def test_unknown_extensions_of_the_file_are_in_the_notes(tmp_path: Path) -> None:
    gltf = Gltf()
    gltf.mesh(**quad())
    gltf.document["extensionsUsed"] = ["ACME_smell", "KHR_xmp_json_ld"]
    gltf.document["animations"] = [{}]
    notes = load_model(gltf.save(tmp_path / "m.glb")).notes
    assert notes == (
        "the extension 'ACME_smell' is not known and not drawn",
        "its animations are not played; it is drawn as it stands",
    )


@pytest.mark.parametrize("key", ["emissiveTexture", "occlusionTexture", "metallicRoughnessTexture"])
def test_a_texture_placed_by_a_transform_is_drawn_like_one_unwrapped_that_way(
    key: str, tmp_path: Path, rasteriser: Rasteriser
) -> None:
    pictures = []
    noise = np.random.default_rng(3).integers(0, 255, (16, 16, 4), np.uint8)
    for unwrapped in (True, False):
        gltf = Gltf()
        info: dict[str, Any] = {"index": gltf.image(noise)}
        if unwrapped:
            info["texCoord"] = 1
        else:
            info["extensions"] = {"KHR_texture_transform": TURNED}
        base = {"index": gltf.image(noise), "extensions": {"KHR_texture_transform": MOVED}}
        card(
            gltf, tmp_path, transformed(UV0, **TURNED), baseColorTexture=base, emissiveFactor=[1, 1, 1],
            metallicFactor=1, **{key: info},
        )  # fmt: skip
        model = load_model(tmp_path / "m.glb")
        pictures.append(rasteriser.gbuffer(model, canonical_camera(model, "front", 128)))
    field = {"emissiveTexture": "emissive", "occlusionTexture": "occlusion"}.get(key, "roughness")
    first, second = (getattr(picture, field) for picture in pictures)
    assert np.abs(first - second).max() < 0.02
    assert first[first > 0].std() > 0.02  # there is something to see

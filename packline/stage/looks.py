"""What a glTF asks for beyond what the stage draws: which extensions, and the notes that say so."""

from __future__ import annotations

from packline.stage.document import Document
from packline.stage.fields import Json, entries, extension, mapping, number, numbers, texts

#: Extensions that are drawn as they say, or that change no picture.
HANDLED = frozenset(
    {
        "KHR_texture_transform",
        "KHR_materials_unlit",
        "KHR_materials_emissive_strength",
        "KHR_materials_pbrSpecularGlossiness",
        "KHR_materials_variants",
        "KHR_mesh_quantization",
        "KHR_draco_mesh_compression",
        "KHR_meshopt_compression",
        "EXT_meshopt_compression",
        "EXT_mesh_gpu_instancing",
        "EXT_texture_webp",
        "EXT_texture_avif",
        # read where a texture has another image beside it; refused there where it has not
        "KHR_texture_basisu",
        "KHR_node_visibility",
        # the stage brings its own light and cameras
        "KHR_lights_punctual",
        "EXT_lights_image_based",
        "EXT_lights_ies",
        # the finest is what the scene shows
        "MSFT_lod",
        # about other things than looks
        "KHR_xmp",
        "KHR_xmp_json_ld",
        "KHR_node_hoverability",
        "KHR_node_selectability",
        "KHR_animation_pointer",
        "KHR_interactivity",
        "EXT_mesh_features",
        "EXT_structural_metadata",
        "EXT_instance_features",
        "FB_ngon_encoding",
    }
)
_VOLUME = "KHR_materials_volume"
#: Extensions of materials that are drawn without, with a note where they count.
_LEFT_OUT = {
    # extension: the field that switches it on, the value that it is off at, what is not drawn, what that
    # does to the real product
    _VOLUME: (
        "thicknessFactor", 0.0, "volume attenuation is", "may look darker or more coloured where it is thick",
    ),
    "KHR_materials_ior": (
        "ior", 1.5, "its index of refraction is", "may mirror more or less",
    ),
    "KHR_materials_clearcoat": (
        "clearcoatFactor", 0.0, "clearcoat is", "may look glossier",
    ),
    "KHR_materials_iridescence": (
        "iridescenceFactor", 0.0, "iridescence is", "may shine in another colour, such as blue or gold",
    ),
    "KHR_materials_anisotropy": (
        "anisotropyStrength", 0.0, "anisotropy is", "may have its highlights drawn out into streaks",
    ),
    "KHR_materials_dispersion": (
        "dispersion", 0.0, "dispersion is", "may show fringes in the colours of the rainbow",
    ),
    "KHR_materials_diffuse_transmission": (
        "diffuseTransmissionFactor", 0.0, "diffuse transmission is",
        "may glow with light from behind, in a colour of its own",
    ),
}  # fmt: skip
_SHEEN = "may look paler, or tinted, where it turns away"
_SPECULAR = "may have fainter highlights, or coloured ones"
_TRANSMISSION = "KHR_materials_transmission"
_APPROXIMATED = {*_LEFT_OUT, _TRANSMISSION, "KHR_materials_sheen", "KHR_materials_specular"}


def check_extensions(document: Document) -> None:
    """Refuse what a file requires and nobody here knows; note what it uses and nobody here draws.

    Raises
    ------
    GiveUp
        With the extension's name.
    """
    required = set(texts(document.json, "extensionsRequired"))
    known = HANDLED | _APPROXIMATED
    for name in sorted(required - known):
        raise document.refuse(
            f"it requires the extension {name[:80]!r}, which is not known; export it without."
        )
    for name in sorted(set(texts(document.json, "extensionsUsed")) - known):
        document.notes.append(f"the extension {name[:80]!r} is not known and not drawn")
    if entries(document.json, "animations"):
        document.notes.append("its animations are not played; it is drawn as it stands")


def transmission_of(material: Json) -> tuple[float, Json | None]:
    """KHR_materials_transmission: factor, and what its texture says."""
    data = extension(material, _TRANSMISSION)
    if data is None:
        return 0.0, None
    factor = min(max(number(data, "transmissionFactor", 0.0), 0.0), 1.0)
    return factor, mapping(data, "transmissionTexture") if "transmissionTexture" in data else None


def note_what_is_left_out(notes: list[str], material: Json, shown: str) -> None:
    """A note for each thing that a material asks for and does not get.

    Parameters
    ----------
    shown
        The material's name, as a sentence shows it.
    """
    said = mapping(material, "extensions")
    for name in said:
        if name in _LEFT_OUT:
            key, off, what, real = _LEFT_OUT[name]
            data = mapping(said, name)
            if name == _VOLUME and not _tints(data):
                what, real = "its volume is", "may bend what shows through it"
            if number(data, key, off) != off:
                notes.append(_not_drawn(shown, what, real))
        elif name not in HANDLED | _APPROXIMATED:
            notes.append(f"material {shown}: the extension {name[:80]!r} is not known and not drawn")
    sheen = extension(material, "KHR_materials_sheen") or {}
    if max(numbers(sheen, "sheenColorFactor", (0.0, 0.0, 0.0))) > 0:
        notes.append(_not_drawn(shown, "sheen is", _SHEEN))
    specular = extension(material, "KHR_materials_specular") or {}
    plain = {"specularFactor": 1.0, "specularColorFactor": [1.0, 1.0, 1.0]}
    if any(specular.get(key, value) != value for key, value in plain.items()) or any(
        key in specular for key in ("specularTexture", "specularColorTexture")
    ):
        notes.append(_not_drawn(shown, "specular strength is", _SPECULAR))


def _tints(volume: Json) -> bool:
    """Whether KHR_materials_volume takes light away: without a distance, or in white, it only bends it."""
    colour = numbers(volume, "attenuationColor", (1.0, 1.0, 1.0))
    return min(colour) < 1 and "attenuationDistance" in volume


def _not_drawn(shown: str, what: str, real: str) -> str:
    """The note: whoever sees a right picture rejected should find here that the reference lacks something."""
    return (
        f"material {shown}: {what} not drawn; the real product {real}, and checks compare with what is drawn"
    )

"""AIR: how a model, its version and its file are named across sites (``urn:air:...``).

The first part is an ecosystem, which is not a compatibility class: FLUX.2 klein 4B and 9B share ``flux2``,
and their LoRAs do not cross. So it narrows down what a file can be, and the file's own tensors decide.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from packline.errors import GiveUp

ADAPTERS = ("lora", "lycoris", "dora")
SHAPE = "urn:air:{ecosystem}:{type}:{source}:{id}@{version}[+{file}][.{format}]"

_NAME = r"[a-z0-9][a-z0-9_-]*"
_PARTS = re.compile(rf"urn:air:({_NAME}):({_NAME}):({_NAME}):(.+)")
_NUMBERS = re.compile(r"([0-9]{1,18})(?:@([0-9]{1,18}))?(?:\+([0-9]{1,18}))?(?:\.([a-z0-9]+))?")

# Which base_architecture a LoRA of an ecosystem may have; none: Packline has no engine for it. CivitAI names
# the ecosystem of the parent, so a LoRA for Pony or Illustrious comes as sdxl and one for klein as flux2.
_KLEIN = ("flux2-klein-4b", "flux2-klein-9b")
_ECOSYSTEMS: dict[str, tuple[str, ...]] = {
    "sd1": ("sd15",),
    "sdxl": ("sdxl",),
    "sdxldistilled": ("sdxl",),
    "pony": ("sdxl",),
    "illustrious": ("sdxl",),
    "noobai": ("sdxl",),
    "flux1": ("flux1",),
    "flux1kontext": ("flux1",),
    "fluxkrea": ("flux1",),
    "flux2": ("flux2-dev", *_KLEIN),
    "flux2klein_4b": ("flux2-klein-4b",),
    "flux2klein_4b_base": ("flux2-klein-4b",),
    "flux2klein_9b": ("flux2-klein-9b",),
    "flux2klein_9b_base": ("flux2-klein-9b",),
    "qwen": ("qwen",),
    "zimageturbo": ("zimage",),
    "zimagebase": ("zimage",),
    "sd2": (),
    "sd3": (),
    "hidream": (),
    "hyv1": (),
    "ltxv": (),
    "ltxv2": (),
    "wanvideo": (),
}


@dataclass(frozen=True)
class Air:
    """The name of an adapter.

    Parameters
    ----------
    type
        One of `ADAPTERS`.
    version
        None: whatever is newest when somebody asks.
    file
        One of the version's files; None: its primary one.
    format
        ``safetensors`` or empty.
    """

    ecosystem: str
    type: str
    source: str
    id: int
    version: int | None = None
    file: int | None = None
    format: str = ""

    def __str__(self) -> str:
        version = "" if self.version is None else f"@{self.version}"
        file = "" if self.file is None else f"+{self.file}"
        ending = f".{self.format}" if self.format else ""
        return f"urn:air:{self.ecosystem}:{self.type}:{self.source}:{self.id}{version}{file}{ending}"


def is_air(text: str) -> bool:
    """Whether a word is meant as an AIR, right or wrong."""
    return text.strip().lower().startswith("urn:air:")


def parse_air(text: str) -> Air:
    """Read an adapter's AIR; capitals do not matter.

    Raises
    ------
    GiveUp
        It is malformed, or names something else than an adapter in a ``.safetensors`` file on CivitAI.
    """
    parts = _PARTS.fullmatch(text.strip().lower())
    if parts is None:
        raise GiveUp(f"AIR {text!r} is malformed; it must read {SHAPE}.")
    ecosystem, kind, source, rest = parts.groups()
    if kind not in ADAPTERS:
        known = ", ".join(ADAPTERS)
        raise GiveUp(
            f"AIR {text!r} names a model of the type {kind}, not a LoRA; only {known} may be pulled."
        )
    if source != "civitai":
        raise GiveUp(f"AIR {text!r}: {source} is not a source that Packline knows; only civitai is.")
    numbers = _NUMBERS.fullmatch(rest)
    if numbers is None:
        raise GiveUp(f"AIR {text!r} is malformed after {source}; it must read {SHAPE}.")
    model, version, file, ending = numbers.groups()
    if ending not in (None, "safetensors", "safetensor"):
        raise GiveUp(f"AIR {text!r} asks for a .{ending} file; only .safetensors is ever opened.")
    return Air(
        ecosystem,
        kind,
        source,
        int(model),
        int(version) if version else None,
        int(file) if file else None,
        "safetensors" if ending else "",
    )


def may_mean(ecosystem: str) -> tuple[str, ...] | None:
    """Every ``base_architecture`` that an adapter of an ecosystem can have.

    Returns
    -------
    Empty where Packline has no engine for any of them; None where the ecosystem is unknown and tells nothing.
    """
    return _ECOSYSTEMS.get(ecosystem)


def check_ecosystem(air: Air, architecture: str) -> None:
    """Refuse an architecture that the AIR's ecosystem rules out.

    Raises
    ------
    GiveUp
        With the ones that it may be.
    """
    known = may_mean(air.ecosystem)
    if known is not None and architecture not in known:
        raise GiveUp(
            f"AIR {air} is of the ecosystem {air.ecosystem}, which can be {', '.join(known)} and not "
            f"{architecture}; correct air or base_architecture."
            if known
            else f"AIR {air}: Packline has no engine for the ecosystem {air.ecosystem}; name another LoRA."
        )

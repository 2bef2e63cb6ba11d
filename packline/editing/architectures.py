"""What is known of each editing model: pipeline class, wording, references, defaults, licence. Data, no code.

Sources: the pipelines' own signatures in diffusers 0.42 and the model cards.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from packline.errors import FixSettings

Driver = Literal["flux2", "kontext", "qwen", "zimage", "image-to-image"]
Dtype = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True)
class Architecture:
    """One family of weights.

    Parameters
    ----------
    pipeline
        Name of the diffusers class.
    driver
        Which of our drivers calls it.
    tag
        How a prompt names reference N: "image" N or "Picture" N; empty where the model sees one picture only,
        the render placed into the base photo.
    most_references, multiple_of, longest_prompt
        Limits: pictures, pixels, prompt tokens.
    reference_shares
        Side of reference 1, 2, ... as a share of the edit's size; the last serves all further ones.
        Reference size is the cost, so the extra angles are half size.
    reads_at
        Longer side at which its language model looks at references, where the pipeline sees to that itself.
    reads
        Whether it can draw print that it is shown. One that cannot gets its labels from refine, and close-ups
        only of what is too small in the delivered picture.
    steps, guidance, size, dtype
        What an engine of it is called with where the settings say nothing. The dtype does not depend on the
        device: it is part of fingerprints, and a laptop that plans must find what a GPU has made.
    sizes
        Smallest and largest longer side; beyond them pictures repeat themselves or fall apart.
    guided
        Whether `guidance` acts; a distilled model has its own.
    denoise, denoise_with_lora
        Image-to-image only: how much of the start is given up.
    lora
        The ``base_architecture`` of presets that fit; empty where the pipeline takes none.
    commercial
        Whether pictures may sell something without another licence.
    template
        The prompt where the settings have none; empty: `prompts.DEFAULT_TEMPLATE`.
    engine
        What its engine is called where the settings give it no name; empty: as the architecture.
    """

    name: str
    pipeline: str
    driver: Driver
    tag: str
    most_references: int
    multiple_of: int
    longest_prompt: int
    size: int
    sizes: tuple[int, int]
    steps: int
    guidance: float
    lora: str
    licence: str
    source: str
    commercial: bool = True
    guided: bool = True
    negative_prompt: bool = False
    reference_shares: tuple[float, ...] = (1.0, 1.0, 0.5)
    denoise: float = 1.0
    denoise_with_lora: float = 1.0
    template: str = ""
    dtype: Dtype = "bfloat16"
    reads_at: int | None = None
    reads: bool = True
    engine: str = ""

    @property
    def starts_from_render(self) -> bool:
        """Whether the model is given the render placed into the photo, and nothing else."""
        return not self.tag

    @property
    def denoises(self) -> bool:
        """Whether it gives up a share of its start, and so runs that share of its steps only."""
        return self.driver == "image-to-image"

    def side(self, size: int, shares: tuple[float, ...] = ()) -> int:
        """Longer side in pixels at which it looks at image 2, the product in place.

        Parameters
        ----------
        size
            Of the edit.
        shares
            In place of `reference_shares`, where the weights' own card has others.
        """
        shown = shares or self.reference_shares
        side = round(size * shown[min(1, len(shown) - 1)])
        return min(side, self.reads_at or side)


# no references to speak of, and CLIP understands words better than sentences
_SHORT = "product photo of the {title}, {scene}, {light}. {trigger}"
# one picture, which it is told to change
_PLACED = (
    "make the {title} in this photo look as if it was photographed there, with {light}: give it the shadow "
    "and the reflections that belong to it. keep its shape, its text and its logo exactly as they are. "
    "do not change anything else. {trigger}"
)
_BFL = "FLUX non-commercial: a licence must be bought for work that sells"

_KLEIN_4B = Architecture(
    name="flux2-klein-4b",
    pipeline="Flux2KleinPipeline",
    driver="flux2",
    tag="image",
    most_references=8,
    multiple_of=16,
    longest_prompt=512,
    size=1024,
    sizes=(512, 2048),
    steps=4,
    guidance=1.0,
    guided=False,
    lora="flux2-klein-4b",
    licence="Apache-2.0",
    source="black-forest-labs/FLUX.2-klein-4B",
)
_KLEIN_9B = replace(
    _KLEIN_4B,
    name="flux2-klein-9b",
    lora="flux2-klein-9b",
    licence=_BFL,
    commercial=False,
    source="black-forest-labs/FLUX.2-klein-9B",
)
_QWEN_2509 = Architecture(
    name="qwen-image-edit-plus",
    pipeline="QwenImageEditPlusPipeline",
    driver="qwen",
    tag="Picture",
    most_references=4,
    multiple_of=16,
    longest_prompt=1024,
    size=1024,
    sizes=(512, 1664),
    reads_at=384,
    steps=40,
    guidance=4.0,
    lora="qwen",
    licence="Apache-2.0",
    source="Qwen/Qwen-Image-Edit-2509",
    negative_prompt=True,
)
_SDXL = Architecture(
    name="sdxl",
    pipeline="StableDiffusionXLImg2ImgPipeline",
    driver="image-to-image",
    tag="",
    most_references=2,
    multiple_of=64,
    # compel reads any number of stretches of 75; more than eight say nothing
    longest_prompt=8 * 75,
    size=1024,
    sizes=(768, 1536),
    steps=30,
    guidance=5.0,
    lora="sdxl",
    licence="CreativeML Open RAIL++-M",
    source="stabilityai/stable-diffusion-xl-base-1.0",
    negative_prompt=True,
    denoise=0.6,
    denoise_with_lora=0.5,
    template=_SHORT,
)

_ALL = (
    replace(
        _KLEIN_4B,
        name="flux2-klein-embedded",
        most_references=4,
        longest_prompt=128,
        size=256,
        sizes=(256, 512),
        # the small weights gain nothing from the usual 4
        steps=2,
        dtype="float32",
        reads=False,
        engine="embedded",
        lora="flux2-klein-embedded",
        licence="as Packline",
        source="assets/models/editor",
    ),
    _KLEIN_4B,
    _KLEIN_9B,
    # keys and values of the references are computed in the first step and kept for the others, with weights
    # that were trained for it
    replace(
        _KLEIN_9B,
        name="flux2-klein-9b-kv",
        pipeline="Flux2KleinKVPipeline",
        source="black-forest-labs/FLUX.2-klein-9b-kv",
    ),
    replace(
        _KLEIN_4B,
        name="flux2-dev",
        pipeline="Flux2Pipeline",
        steps=28,
        guidance=4.0,
        guided=True,
        lora="flux2-dev",
        licence=_BFL,
        commercial=False,
        source="black-forest-labs/FLUX.2-dev",
    ),
    Architecture(
        name="flux1-kontext",
        pipeline="FluxKontextPipeline",
        driver="kontext",
        tag="",
        most_references=2,
        multiple_of=16,
        longest_prompt=512,
        size=1024,
        sizes=(672, 1568),
        steps=28,
        guidance=2.5,
        lora="flux1",
        licence=_BFL,
        commercial=False,
        source="black-forest-labs/FLUX.1-Kontext-dev",
        template=_PLACED,
    ),
    _QWEN_2509,
    replace(_QWEN_2509, name="qwen-image-edit-2511", source="Qwen/Qwen-Image-Edit-2511"),
    Architecture(
        name="zimage-omni",
        pipeline="ZImageOmniPipeline",
        driver="zimage",
        tag="image",
        most_references=4,
        multiple_of=16,
        longest_prompt=512,
        size=1024,
        sizes=(512, 1536),
        steps=50,
        guidance=5.0,
        lora="zimage",
        licence="Apache-2.0",
        source="Tongyi-MAI/Z-Image-Omni-Base",
        negative_prompt=True,
    ),
    _SDXL,
    replace(
        _SDXL,
        name="sd15",
        pipeline="StableDiffusionImg2ImgPipeline",
        size=512,
        sizes=(384, 768),
        guidance=7.5,
        lora="sd15",
        licence="CreativeML Open RAIL-M",
        source="stable-diffusion-v1-5/stable-diffusion-v1-5",
    ),
)

ARCHITECTURES = {architecture.name: architecture for architecture in _ALL}

# what a preset's base_architecture may say: FACTS.md's list and ours
LORA_ARCHITECTURES = frozenset(architecture.lora for architecture in _ALL if architecture.lora)


def architecture_of(name: str) -> Architecture:
    """Look an architecture up.

    Raises
    ------
    FixSettings
        It is unknown.
    """
    try:
        return ARCHITECTURES[name]
    except KeyError:
        raise FixSettings(
            f"Settings key engine.architecture names the unknown {name!r}; known are "
            f"{', '.join(sorted(ARCHITECTURES))}."
        ) from None

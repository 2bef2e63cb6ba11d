"""What is known of each editing model: pipeline class, wording, references, defaults, licence. Data, no code.

Sources: the pipelines' own signatures in diffusers 0.42 and the model cards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from packline.errors import FixSettings


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
        How a prompt names reference N: "image" N or "Picture" N; empty where the model sees no references and
        starts from the render placed into the base photo.
    most_references, multiple_of, longest_prompt
        Limits: pictures, pixels, prompt tokens.
    reference_shares
        Side of reference 1, 2, ... as a share of the edit's size; the last serves all further ones.
        Reference size is the cost, so the extra angles are half size.
    steps, guidance, size
        Good settings.
    denoise, denoise_with_lora
        Image-to-image only: how much of the start is given up.
    lora
        The ``base_architecture`` of presets that fit; empty where the pipeline takes none.
    single_file
        Whether one ``.safetensors`` file with everything may be given.
    """

    name: str
    pipeline: str
    driver: Literal["klein", "qwen", "image-to-image"]
    tag: str
    most_references: int
    multiple_of: int
    longest_prompt: int
    size: int
    steps: int
    guidance: float
    lora: str
    licence: str
    source: str
    negative_prompt: bool = False
    reference_shares: tuple[float, ...] = (1.0, 1.0, 0.5)
    denoise: float = 1.0
    denoise_with_lora: float = 1.0
    single_file: bool = False
    template: str = ""


# no references to speak of, and CLIP reads 77 tokens only
_SHORT = "product photo of the {title}, {scene}, {light}. {trigger}"

_ALL = (
    Architecture(
        name="flux2-klein-embedded",
        pipeline="Flux2KleinPipeline",
        driver="klein",
        tag="image",
        most_references=8,
        multiple_of=16,
        longest_prompt=128,
        size=256,
        steps=4,
        guidance=1.0,
        lora="flux2-klein-embedded",
        licence="as Packline",
        source="assets/models/editor",
    ),
    Architecture(
        name="flux2-klein-4b",
        pipeline="Flux2KleinPipeline",
        driver="klein",
        tag="image",
        most_references=8,
        multiple_of=16,
        longest_prompt=512,
        size=1024,
        steps=4,
        guidance=1.0,
        lora="flux2-klein-4b",
        licence="Apache-2.0",
        source="black-forest-labs/FLUX.2-klein-4B",
    ),
    Architecture(
        name="flux2-klein-9b",
        pipeline="Flux2KleinPipeline",
        driver="klein",
        tag="image",
        most_references=8,
        multiple_of=16,
        longest_prompt=512,
        size=1024,
        steps=4,
        guidance=1.0,
        lora="flux2-klein-9b",
        licence="FLUX non-commercial: a licence must be bought for work that sells",
        source="black-forest-labs/FLUX.2-klein-9B",
    ),
    Architecture(
        name="qwen-image-edit-plus",
        pipeline="QwenImageEditPlusPipeline",
        driver="qwen",
        tag="Picture",
        most_references=4,
        multiple_of=16,
        longest_prompt=1024,
        size=1024,
        steps=40,
        guidance=4.0,
        lora="qwen",
        licence="Apache-2.0",
        source="Qwen/Qwen-Image-Edit-2509",
        negative_prompt=True,
    ),
    Architecture(
        name="sdxl",
        pipeline="StableDiffusionXLImg2ImgPipeline",
        driver="image-to-image",
        tag="",
        most_references=8,
        multiple_of=8,
        longest_prompt=77,
        size=1024,
        steps=30,
        guidance=5.0,
        lora="sdxl",
        licence="CreativeML Open RAIL++-M",
        source="stabilityai/stable-diffusion-xl-base-1.0",
        negative_prompt=True,
        denoise=0.6,
        denoise_with_lora=0.5,
        single_file=True,
        template=_SHORT,
    ),
    Architecture(
        name="sd15",
        pipeline="StableDiffusionImg2ImgPipeline",
        driver="image-to-image",
        tag="",
        most_references=8,
        multiple_of=8,
        longest_prompt=77,
        size=512,
        steps=30,
        guidance=7.5,
        lora="sd15",
        licence="CreativeML Open RAIL-M",
        source="stable-diffusion-v1-5/stable-diffusion-v1-5",
        negative_prompt=True,
        denoise=0.6,
        denoise_with_lora=0.5,
        single_file=True,
        template=_SHORT,
    ),
)

ARCHITECTURES = {architecture.name: architecture for architecture in _ALL}

# what a preset's base_architecture may say: FACTS.md's list and ours
LORA_ARCHITECTURES = frozenset(
    {architecture.lora for architecture in _ALL if architecture.lora} | {"flux1", "flux2-dev", "zimage"}
)


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

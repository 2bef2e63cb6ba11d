"""Takes: a product standing in a scene, its truth, and a way to photograph it (or an altered one) there."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from packline.reference import Picture, Reference
from packline.scenes import Scene
from packline.stage.model import ProductModel
from scoring.check import PromptWords

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Nuisance:
    """What an honest picture may do that is no defect. All neutral by default.

    Parameters
    ----------
    key_turn, key_tilt
        The key light's direction strays by this many degrees about the vertical, and in height.
    key_gain, sky_gain
        Factors of the key's and of the sky's and ground's irradiance.
    warmth
        The light's colour: -1 (6 % bluer) to 1 (a warm lamp); it falls on the product and on the scene alike.
    shift, turn, scale
        The product strays: pixels of the picture across and down, degrees about Y, factor.
    style
        Name of a harmless restyling of the whole picture ("" or "warm", "cool", "faded", "contrast",
        "vignette", ...), `style_strength` 0 to 1.
    blur
        Sigma in pixels of a softness that a decoder leaves over the whole picture, up to about 0.6.
    codec
        "" or "jpeg", "webp", with `quality`.
    grain
        Standard deviation of grain in grey levels, up to about 2.
    reencoded
        Whether the picture went once through the embedded editor's VAE outside the label strips' detail, as a
        diffusion model's picture does.
    """

    key_turn: float = 0.0
    key_tilt: float = 0.0
    key_gain: float = 1.0
    sky_gain: float = 1.0
    warmth: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    turn: float = 0.0
    scale: float = 1.0
    style: str = ""
    style_strength: float = 0.0
    blur: float = 0.0
    codec: str = ""
    quality: int = 95
    grain: float = 0.0
    reencoded: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Photograph:
    """A picture before style and compression: what image-space defects are painted into.

    Parameters
    ----------
    picture
        The base photo with the product and its shadow, sRGB uint8 (H, W, 3).
    mask
        The product's coverage as it stands in this picture, uint8 (H, W).
    reference
        All passes of what was really drawn (the altered model under the strayed light and pose).
    """

    picture: Picture
    mask: Picture
    reference: Reference = field(repr=False)


@dataclass(frozen=True)
class Take:
    """A product in a scene.

    Parameters
    ----------
    product
        Its name, unique in the corpus.
    model
        Normalised, front to +Z, on the ground.
    truth
        What the checks get as `CheckInput.scene`: the model under the scene's own light, as asked.
    photo
        The base photo at the truth's size, sRGB uint8 (H, W, 3).
    size
        Pixels on the picture's longer side.
    """

    product: str
    model: ProductModel = field(repr=False)
    scene: Scene
    side: str
    truth: Reference = field(repr=False)
    photo: Picture = field(repr=False)
    words: PromptWords
    size: int

    # H1 writes: photograph(nuisance, model=None) -> Photograph  (model: an altered one in the same pose)
    # and the functions finish(picture, nuisance) -> Picture, draw_nuisance(rng, size) -> Nuisance,
    # takes(split, size, count, seed) -> Iterator[Take]

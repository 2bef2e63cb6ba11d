"""What makes one product differ from another: strings, colours, proportions, graphic layout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RGB = tuple[int, int, int]

KINDS = ("shoe", "bottle", "can", "mug", "carton", "tube", "tote", "jar", "tin", "pouch")
FONTS = (
    "DejaVuSans-Bold",
    "DejaVuSansCondensed-Bold",
    "DejaVuSerif-Bold",
    "DejaVuSerifCondensed-Bold",
    "DejaVuSansMono-Bold",
    "LiberationSans-Bold",
    "LiberationSansNarrow-Bold",
    "LiberationSerif-Bold",
    "LiberationMono-Bold",
)
MOTIFS = (
    "leaf",
    "star",
    "sun",
    "drop",
    "peaks",
    "waves",
    "rings",
    "bolt",
    "flower",
    "diamond",
    "heart",
    "moon",
)
LAYOUTS = 8


@dataclass(frozen=True)
class ProductSpec:
    """One product.

    Parameters
    ----------
    kind
        One of `KINDS`.
    brand
        The big word; always an annotated label.
    line
        A second, smaller annotated line; empty for none.
    body, paper, ink, accent
        sRGB colours 0 to 255: the body, the label's ground, the print on it, the second print colour.
    cap
        sRGB colour of caps, lids, soles and handles.
    font
        A name of `FONTS`.
    layout
        Number of the graphic layout, 0 to `LAYOUTS` - 1.
    motif
        A name of `MOTIFS`.
    shape
        Proportions, six numbers from 0 to 1; their meaning is the kind's own.
    variant
        Number of the construction (screw cap or pump, can or slim can, ...).
    roughness, metallic
        Of the body, 0 to 1.
    texture
        Pixels along the long side of the main texture.
    """

    kind: str
    brand: str
    line: str = ""
    body: RGB = (238, 236, 230)
    paper: RGB = (250, 248, 242)
    ink: RGB = (24, 28, 34)
    accent: RGB = (214, 64, 48)
    cap: RGB = (40, 42, 46)
    font: str = "DejaVuSans-Bold"
    layout: int = 0
    motif: str = "leaf"
    shape: tuple[float, float, float, float, float, float] = (0.5, 0.5, 0.5, 0.5, 0.5, 0.5)
    variant: int = 0
    roughness: float = 0.45
    metallic: float = 0.0
    texture: int = 1024


def _list(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(","))


_STARTS = _list(
    "B, BL, BR, C, CH, CL, D, DR, F, FL, FR, G, GL, GR, H, J, K, KL, L, M, N, P, PL, PR, R, S, SH, SK, "
    "SL, SP, ST, T, TR, V, W, Y, Z "
)
_VOWELS = _list("A, E, I, O, U, A, E, I, O, U, EA, OA, AI, OO, IO, EE ")
_ENDS = _list("N, R, L, S, M, T, X, ND, RT, LO, RA, NA, VE, LL, SS, TO, ZY, NK, RK ")
_WORDS = _list(
    "NORTH, PLAY, CLIMB, ATLAS, RIVER, EMBER, SALT, OLIVE, CEDAR, LUMEN, SOLAR, TERRA, OCEAN, PRIMA, "
    "FRESH, WILD, BLOOM, HONEY, MINT, COCOA, AMBER, PURE, FOCUS, RHYTHM, STUDIO, MOTION, HARVEST, "
    "GROVE, STONE, FJORD, TONIC, CITRUS, DAILY, ROAST, BREW, COTTON, LINEN, MARKET, SUNDAY, HIGHER, "
    "REPEAT, ORBIT, PIXEL, VECTOR, NOVA, LUNA, KITE, POLAR, SIERRA, DELTA, MAPLE, BERRY "
)
_PAIRS = _list("E LOVE, GO SLOW, BE KIND, NO. 7, SEA SALT, DAY ONE, RE LIVE, OH YES, TO GO, A LOT ")
_UNFIT = _list("SHIT, SLUT, COON, FART, TITS, TIT")  # what chance may spell and no label should
_LINES = _list(
    "ORIGINAL, DARK ROAST, HAND CREAM, SPARKLING, BODY WASH, 250 ML, SOY CANDLE, GREEN TEA, SINCE 1987, "
    "ORGANIC, CLASSIC, LIMITED, EXTRA, COLD BREW, FACE CARE, NATURAL, SUPER FOOD, HOME, GOODS & CO, "
    "STUDIO, NO. 12, GRANOLA, LEMON, VANILLA "
)


def _word(rng: np.random.Generator) -> str:
    roll = rng.random()
    if roll < 0.1:
        return str(rng.choice(_PAIRS))
    if roll < 0.35:
        return str(rng.choice(_WORDS))
    syllables = 1 if rng.random() < 0.35 else 2
    word = "".join(str(rng.choice(_STARTS)) + str(rng.choice(_VOWELS)) for _ in range(syllables))
    word = word + str(rng.choice(_ENDS)) if rng.random() < 0.8 or len(word) < 4 else word
    return word[:9] if word not in _UNFIT else "NOVA"


def lightness(colour: RGB) -> float:
    """CIELAB lightness of an sRGB colour, 0 to 100."""
    c = np.asarray(colour, float) / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    y = float(linear @ (0.2126, 0.7152, 0.0722))
    return 116 * y ** (1 / 3) - 16 if y > 0.008856 else 903.3 * y


def legible(colour: RGB, ground: RGB, apart: float = 38.0) -> RGB:
    """The colour, or near-white or near-black where it is within `apart` in lightness of the ground."""
    if abs(lightness(colour) - lightness(ground)) >= apart:
        return colour
    return (248, 247, 243) if lightness(ground) < 55 else (20, 22, 27)


def _colour(rng: np.random.Generator, saturation: tuple[float, float], value: tuple[float, float]) -> RGB:
    hue, s, v = rng.random() * 6, rng.uniform(*saturation), rng.uniform(*value)
    k = (np.array([5.0, 3.0, 1.0]) + hue) % 6
    rgb = v - v * s * np.clip(np.minimum(k, 4 - k), 0, 1)
    return int(rgb[0] * 255), int(rgb[1] * 255), int(rgb[2] * 255)


def _against(rng: np.random.Generator, ground: RGB, apart: float) -> RGB:
    """A colour at least `apart` in lightness from `ground`."""
    for _ in range(24):
        roll = rng.random()
        if roll < 0.25:
            pick = (245, 243, 238) if lightness(ground) < 55 else (22, 24, 30)
        elif roll < 0.65:
            pick = (
                _colour(rng, (0.45, 1), (0.1, 0.5))
                if lightness(ground) > 50
                else _colour(rng, (0, 0.3), (0.8, 1))
            )
        else:
            pick = _colour(rng, (0.3, 1), (0.15, 1))
        if abs(lightness(pick) - lightness(ground)) >= apart:
            return pick
    return (250, 250, 250) if lightness(ground) < 50 else (16, 18, 22)


def random_spec(kind: str, rng: np.random.Generator) -> ProductSpec:
    """Draw a product.

    Parameters
    ----------
    kind
        One of `KINDS`.
    rng
        Source of all chance: the same state gives the same product.
    """

    def ground() -> RGB:
        roll = rng.random()
        if roll < 0.4:
            return _colour(rng, (0, 0.12), (0.86, 1))
        if roll < 0.55:
            return _colour(rng, (0, 0.4), (0.06, 0.25))
        return _colour(rng, (0.15, 0.82), (0.35, 0.97))

    body, paper = ground(), ground()
    ink = _against(rng, paper, 42)
    accent = _against(rng, paper, 16)
    shape = rng.random(6)
    brand = _word(rng)
    if rng.random() < 0.2:
        brand = brand.title()
    return ProductSpec(
        kind=kind,
        brand=brand,
        line=str(rng.choice(_LINES)) if rng.random() < 0.5 else "",
        body=body,
        paper=paper,
        ink=ink,
        accent=accent,
        cap=ground() if rng.random() < 0.7 else body,
        font=str(rng.choice(FONTS)),
        layout=int(rng.integers(LAYOUTS)),
        motif=str(rng.choice(MOTIFS)),
        shape=(
            float(shape[0]),
            float(shape[1]),
            float(shape[2]),
            float(shape[3]),
            float(shape[4]),
            float(shape[5]),
        ),
        variant=int(rng.integers(4)),
        roughness=float(rng.uniform(0.15, 0.8)),
        metallic=float(rng.uniform(0.6, 0.95)) if rng.random() < 0.12 else 0.0,
        texture=512,
    )

"""What makes one product of the bench differ from another: words, colours, proportions, print."""

from __future__ import annotations

import colorsys
import zlib
from dataclasses import dataclass

import numpy as np

from scoring.bench.products.surfaces import RGB

SPLITS = ("calibration", "test")
#: Kinds that only one split has, so that a threshold is never set on all that it will meet.
ONLY = {
    "calibration": ("tea box", "blender", "skateboard"),
    "test": ("book", "kettle", "headphones", "toy car"),
}
ARTS = (
    "plain",
    "stripes",
    "dots",
    "checks",
    "fade",
    "blobs",
    "landscape",
    "waves",
    "split",
    "petals",
    "hatch",
)
EMBLEMS = ("rings", "chevrons", "hexagon", "flame", "fan", "orbit", "blocks", "crescent", "fish", "tree")
PRINTS = ("words", "emblem", "none")

#: Titles' colour words with a typical sRGB of each.
COLOUR_WORDS: dict[str, RGB] = {
    "red": (196, 44, 42), "orange": (232, 128, 42), "yellow": (240, 206, 66), "green": (58, 142, 74),
    "teal": (30, 138, 140), "blue": (48, 92, 190), "navy": (28, 36, 82), "purple": (116, 62, 150),
    "pink": (234, 152, 178), "brown": (112, 72, 46), "beige": (214, 196, 166), "white": (242, 241, 237),
    "grey": (140, 142, 146), "black": (30, 30, 33), "mint": (166, 220, 196), "cream": (244, 234, 206),
    "olive": (112, 116, 58), "lavender": (190, 172, 224), "maroon": (106, 28, 42),
}  # fmt: skip


def _list(text: str) -> tuple[str, ...]:
    return tuple(text.split(", "))


# the same when turned or in a mirror: what can be told apart of them is part of the measurement
_SYMMETRIC = _list(
    "NOON, OXO, SOS, SWIMS, 8008, XOX, NOXON, SIS, ZOZ, OTTO, AHA, TOOT, AVIVA, MAXAM, AVA, WOW, MAAM, "
    "HOAH, BOX, HEX, CODEX, KIDDO, HOOD, OXIDE, BIB, DECO, ICE, ECHO, OHIO, COOKIE, IXI, HOH, OMO"
)
_REAL = _list(
    "ALDER, ARCO, ASPEN, BASALT, BONFIRE, BRIO, CALYPSO, CANYON, CIRRUS, CLOVER, COBALT, COMET, CORAL, "
    "CRISP, DAWN, DRIFT, ELMO, FABLE, FALCON, FERN, FLINT, FROST, GALA, GUSTO, HALO, HAZEL, INDIGO, "
    "IVORY, JUNIPER, KAYAK, KOALA, LAGOON, LARK, LOTUS, MAGNET, MERCI, METRO, MUSE, NECTAR, NIMBUS, "
    "OASIS, ONYX, OPAL, OTTER, PANDA, PEBBLE, PIANO, PRISM, QUARTZ, QUILL, RAVEN, RIPPLE, SABLE, "
    "SAFFRON, SORREL, SPARK, STELLA, SWIFT, TANGO, THISTLE, TIDAL, TUNDRA, UMBRA, VALLEY, VELVET, "
    "VIGOR, WALNUT, WILLOW, YONDER, ZEBRA, ZEPHYR, ZINC"
)
_TWO = _list(
    "BLUE FOX, TWO OAKS, OLD MILL, RED HEN, HI SUN, MY DAY, LE PAIN, EL SOL, SO GOOD, BIG SUR, LA MER, "
    "ICE TEA, TOP UP, ALL IN, NU SKIN, OK GO, HAY BAY, DR FIG, MR BEAN, IN ONE"
)
_LINES = _list(
    "EXTRA MILD, ULTRA CLEAN, CRUNCHY OATS, PREMIUM, SPORT, DELUXE, WITH ALOE, HERBAL, WHOLE GRAIN, 1.5 "
    "LITRE, SERIES 4, MODEL X, EST. 1962, HANDMADE, FRUITY, BLACK TEA, COCONUT, LAVENDER, SEA BREEZE, "
    "VINTAGE, CHARDONNAY, MERLOT, EAU DE PARFUM, WIRELESS, PRO, JUNIOR, OUTDOOR, ECO REFILL, VOLUME "
    "ONE, SUGAR FREE, STRAWBERRY, PEACH, 12 PIECES, LEMON FRESH, GREEK STYLE, NEW EDITION, SILK, PLUS, "
    "ALMOND, TURBO"
)
_SMALL = _list(
    "keep out of reach of children, best before see base, made from recycled plastic, shake well before "
    "use, store in a cool dry place, designed in the north, patent pending 20 4471, contains no added "
    "colour"
)
_HEAD = _list(
    "A, BA, BE, CO, DA, DE, E, FA, FI, GO, HA, I, JO, KA, KE, LI, LO, MA, MI, NE, NO, O, PA, PE, QUI, "
    "RA, RE, RO, SA, SE, SO, TA, TE, U, VA, VE, WA, XI, YO, ZA, ZE, BRA, CLE, DRO, FLI, GRA, PLO, STA, "
    "TRI"
)
_MID = _list("L, N, R, S, T, ND, RT, LV, MB, RK, SP, V, D, B, G, ST, X, Z, P, CK, LM, NT")
_TAIL = _list("A, O, E, ON, EX, IA, IS, UM, AR, EN, IO, US, ELLE, INE, Y, IX, ANT, OR, AX")
_UNFIT = ("ANUS", "PENIS", "NAZI", "COON", "RAPE", "SLUT", "FAG", "SEX", "ANTI", "RETARD", "PEDO")


@dataclass(frozen=True)
class BenchSpec:
    """One product.

    Parameters
    ----------
    kind
        A name of `products.KINDS`.
    split
        "calibration" or "test": decides words and fonts.
    brand, line, small
        The big word, a second line and small print; empty for none. Each is an annotated label.
    aside
        A word that runs up or down an edge; empty for none.
    print
        "words", "emblem" (a logo without letters) or "none".
    body, paper, ink, accent, trim
        sRGB: the body, the print's ground, its ink, its second ink, caps and handles. All but the ink are
        equal where the product is one-coloured.
    art, emblem
        Names of `ARTS` and `EMBLEMS`.
    faces
        Two font files, of the brand and of the rest.
    shape
        Eight proportions from 0 to 1; their meaning is the kind's own.
    variant
        Number of the construction, 0 to 11.
    roughness, metallic
        Of the body.
    plain
        Whether the product is one-coloured.
    texture
        Pixels along the longer side of the main print.
    seed
        Of the art's chance.
    """

    kind: str
    split: str
    brand: str
    line: str
    small: str
    aside: str
    print: str
    body: RGB
    paper: RGB
    ink: RGB
    accent: RGB
    trim: RGB
    art: str
    emblem: str
    faces: tuple[str, str]
    shape: tuple[float, ...]
    variant: int
    roughness: float
    metallic: float
    plain: bool
    texture: int
    seed: int

    def between(self, index: int, low: float, high: float) -> float:
        """Proportion number `index`, from `low` to `high`."""
        return low + (high - low) * self.shape[index]


def split_of(word: str) -> str:
    """The split that a word belongs to, by its letters: no brand is in both."""
    return SPLITS[zlib.crc32(word.encode()) % 2]


def lightness(colour: RGB) -> float:
    """CIELAB lightness of an sRGB colour, 0 to 100."""
    c = np.asarray(colour, float) / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    y = float(linear @ (0.2126, 0.7152, 0.0722))
    return 116 * y ** (1 / 3) - 16 if y > 0.008856 else 903.3 * y


def mixed(one: RGB, other: RGB, share: float) -> RGB:
    """`share` of the other colour in the one, in sRGB."""
    r, g, b = (round(a + (c - a) * share) for a, c in zip(one, other, strict=True))
    return r, g, b


def colour_word(colour: RGB) -> str:
    """The nearest of `COLOUR_WORDS`, in CIELAB."""
    from packline.colour import to_lab, to_linear

    table = np.array([[*COLOUR_WORDS.values(), colour]], np.uint8)
    lab = to_lab(to_linear(table))[0]
    return list(COLOUR_WORDS)[int(np.argmin(np.linalg.norm(lab[:-1] - lab[-1], axis=1)))]


def random_spec(kind: str, split: str, seed: int) -> BenchSpec:
    """Draw a product: the same numbers give the same one.

    About one of four is one-coloured, one of seven glossy, one of eight has no print and one of eight a logo
    without letters.
    """
    from scoring.bench.products.fonts import faces_of

    rng = np.random.default_rng([41, SPLITS.index(split), seed, zlib.crc32(kind.encode())])
    plain = rng.random() < 0.25
    body = _ground(rng)
    paper = body if plain or rng.random() < 0.3 else _ground(rng)
    ink = _against(rng, paper, 40)
    accent = body if plain else _against(rng, paper, 18)
    trim = body if plain or rng.random() < 0.15 else _ground(rng)
    art = "plain" if plain or rng.random() < 0.3 else str(rng.choice(ARTS[1:]))
    roll = rng.random()
    prints = "none" if roll < 0.12 else "emblem" if roll < 0.24 else "words"
    faces = faces_of(split)
    first, second = (str(rng.choice(faces)) for _ in range(2))
    glossy = rng.random() < 0.15
    brand = _brand(rng, split)
    return BenchSpec(
        kind=kind,
        split=split,
        brand=brand,
        line=str(rng.choice(_LINES)) if rng.random() < 0.6 else "",
        small=str(rng.choice(_SMALL)) if rng.random() < 0.35 else "",
        aside=_brand(rng, split) if rng.random() < 0.3 else "",
        print=prints,
        body=body,
        paper=paper,
        ink=ink,
        accent=accent,
        trim=trim,
        art=art,
        emblem=str(rng.choice(EMBLEMS)),
        faces=(first, second),
        shape=tuple(float(x) for x in rng.random(8)),
        variant=int(rng.integers(12)),
        roughness=float(rng.uniform(0.08, 0.22) if glossy else rng.uniform(0.38, 0.9)),
        metallic=float(rng.uniform(0.6, 0.95)) if rng.random() < 0.06 else 0.0,
        plain=plain,
        texture=768,
        seed=int(rng.integers(1 << 31)),
    )


def _brand(rng: np.random.Generator, split: str) -> str:
    """A word that only this split has."""
    for _ in range(400):
        roll = rng.random()
        if roll < 0.1:
            word = str(rng.choice(_SYMMETRIC))
        elif roll < 0.4:
            word = str(rng.choice(_REAL))
        elif roll < 0.52:
            word = str(rng.choice(_TWO))
        else:
            word = str(rng.choice(_HEAD)) + str(rng.choice(_MID)) + str(rng.choice(_TAIL))
            if rng.random() < 0.2:
                word = str(rng.choice(_HEAD)) + word
        if split_of(word) == split and 2 < len(word) <= 10 and not any(bad in word for bad in _UNFIT):
            return word.title() if rng.random() < 0.2 and word.isalpha() else word
    raise RuntimeError("no brand in 400 tries")  # one of two words fits, so this is not reached


def _ground(rng: np.random.Generator) -> RGB:
    roll = rng.random()
    if roll < 0.28:  # nearly white
        return _hsv(rng.random(), rng.uniform(0, 0.1), rng.uniform(0.86, 0.97))
    if roll < 0.42:  # nearly black
        return _hsv(rng.random(), rng.uniform(0, 0.4), rng.uniform(0.1, 0.26))
    if roll < 0.62:  # pastel or earth
        return _hsv(rng.random(), rng.uniform(0.15, 0.4), rng.uniform(0.45, 0.92))
    return _hsv(rng.random(), rng.uniform(0.5, 0.88), rng.uniform(0.35, 0.92))


def _against(rng: np.random.Generator, ground: RGB, apart: float) -> RGB:
    """A colour at least `apart` in lightness from a ground."""
    for _ in range(20):
        pick = _hsv(rng.random(), rng.uniform(0, 0.95), rng.uniform(0.1, 0.97))
        if abs(lightness(pick) - lightness(ground)) >= apart and rng.random() < 0.8:
            return pick
    return (246, 244, 239) if lightness(ground) < 55 else (24, 25, 30)


def _hsv(hue: float, saturation: float, value: float) -> RGB:
    r, g, b = (round(255 * channel) for channel in colorsys.hsv_to_rgb(hue, saturation, value))
    return r, g, b

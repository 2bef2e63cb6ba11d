"""What the embedded aligner is told about its pictures: kinds, colours and scenes, each in many words."""

from __future__ import annotations

import numpy as np

from training.pairs import NAMED
from training.products import KINDS

COLOURS = tuple(NAMED)
# every kind in every colour; a picture's target is spread over those that fit it
PRODUCTS = tuple((kind, colour) for kind in KINDS for colour in COLOURS)

# other words for the same thing, so that a catalog may choose its own; the first is what `products` calls it
NOUNS = {
    "shoe": ("low-top shoe", "shoe", "sneaker", "trainer"),
    "bottle": ("bottle", "pump bottle"),
    "can": ("drinks can", "can", "beverage can", "soda can"),
    "mug": ("mug", "coffee mug", "cup"),
    "carton": ("carton box", "carton", "box"),
    "tube": ("cosmetic tube", "tube", "tube of cream"),
    "tote": ("tote bag", "shopping bag", "bag"),
    "jar": ("jar", "screw-top jar"),
    "tin": ("candle tin", "tin", "candle in a tin"),
    "pouch": ("stand-up pouch", "pouch", "coffee pouch"),
}
ADJECTIVES = {
    "shoe": ("leather", "canvas", "low"),
    "bottle": ("plastic", "glossy", "matte"),
    "can": ("aluminium", "metal", "slim"),
    "mug": ("ceramic", "stoneware", "glossy"),
    "carton": ("cardboard", "printed", "paper"),
    "tube": ("plastic", "glossy", "matte"),
    "tote": ("cotton", "canvas", "printed"),
    "jar": ("glass", "glossy", "matte"),
    "tin": ("metal", "aluminium", "round"),
    "pouch": ("foil", "matte", "printed"),
}
SHADES = {
    "grey": ("gray", "silver", "charcoal"),
    "yellow": ("gold", "mustard"),
    "brown": ("chocolate", "copper"),
    "beige": ("sand", "tan"),
    "white": ("off-white", "ivory"),
    "teal": ("turquoise", "petrol"),
    "orange": ("amber", "rust"),
    "navy": ("dark blue", "midnight blue"),
    "maroon": ("burgundy", "wine red"),
}
# words of titles that say nothing of the look; they are learned to be passed over
FILLERS = tuple(
    "honey;coffee;tea;herbal;organic;fresh;daily;classic;vanilla;lemon;granola;roast;hand;body;face;market;"
    "sunday;nordic;alpine;ocean;studio;soft;pure;no. 7;250 ml;Ember;Norda;Volta;Polar;Lumen;Salvia;Citro;"
    "NORTH;E LOVE;PLAY;CLIMB;ATLAS;RIVER;BREW;FOCUS".split(";")
)
PRODUCT_PROMPTS = ("a photo of {}", "a photo of a {}", "a {}", "{}", "product photo of a {}", "the {}")
SCENE_PROMPTS = (
    "a product {}",
    "a photo of a product on {}",
    "on {}",
    "{}",
    "a product on {}",
    "a picture of {}",
)


def product_caption(product: tuple[str, str], rng: np.random.Generator) -> str:
    """One way to say it; the plainest words half of the time."""
    kind, colour = product
    shade, noun, adjective = colour, NOUNS[kind][0], ""
    if rng.random() < 0.5:
        shade = str(rng.choice((colour, *SHADES.get(colour, ()))))
        noun = str(rng.choice(NOUNS[kind]))
        adjective = str(rng.choice(("", *ADJECTIVES[kind])))
    before, after = "", ""
    if rng.random() < 0.3:
        filler = str(rng.choice(FILLERS))
        before, after = (filler, "") if rng.random() < 0.5 else ("", filler)
    words = " ".join(word for word in (shade, adjective, before, noun, after) if word)
    return str(rng.choice(PRODUCT_PROMPTS)).format(words)


def plain_caption(product: tuple[str, str]) -> str:
    """As the check asks, in the plainest words."""
    return f"a photo of a {product[1]} {NOUNS[product[0]][0]}"


def scene_caption(scene: str, rng: np.random.Generator) -> str:
    """One way to say it."""
    return str(rng.choice(SCENE_PROMPTS)).format(scene)

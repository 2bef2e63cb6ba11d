"""Words of the trade that the embedded editor's tokeniser should know whole."""

from __future__ import annotations

_NOUNS = (
    "low-top shoe;sneaker;bottle;pump bottle;can;beverage can;mug;carton;box;cosmetic tube;tube;tote bag;jar;"
    "candle tin;pouch;stand-up pouch;tin;canister"
).split(";")
_COLOURS = (
    "red;blue;green;yellow;white;black;orange;purple;teal;pink;grey;brown;navy;cream;beige;mint;coral;gold;"
    "silver;turquoise;olive;maroon;lavender;sand;charcoal"
).split(";")
_ADJECTIVES = (
    "matte;glossy;printed;striped;ceramic;cotton;canvas;aluminium;cardboard;plastic;leather;glass".split(";")
)
_SCENES = (
    "a warm oak table;a walnut table in a kitchen;a kitchen shelf;a slate stone slab;a marble top;"
    "a linen cloth;"
    "folded fabric;a studio sweep;a seamless paper backdrop;a window sill with daylight;a concrete plinth;"
    "a tiled kitchen counter;a plaster wall;a wooden shelf with books and a plant;a pale grey wall;"
    "a dark wooden table with a blurred background;a terrazzo top;a white table by a window"
).split(";")


def product_words() -> list[str]:
    """Titles such as a catalog gives them."""
    return [
        f"{article} {colour} {adjective} {noun}".strip()
        for article in ("", "a")
        for colour in _COLOURS
        for adjective in ("", *_ADJECTIVES)
        for noun in _NOUNS
    ]


def scene_words() -> list[str]:
    """What scene files say of themselves."""
    return list(_SCENES)

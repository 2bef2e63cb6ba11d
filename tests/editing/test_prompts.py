from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from packline.editing.prompts import DEFAULT_TEMPLATE, build_prompt
from packline.errors import FixSettings
from packline.shots import Product

SCENE = SimpleNamespace(words="an oak table", light=SimpleNamespace(words="soft daylight from the left"))
ROLES = ("base", "product", "side", "top", "label:neck")


def prompt(template=DEFAULT_TEMPLATE, title="red shoe", roles=ROLES, tag="image", trigger=""):
    return build_prompt(template, Product("S1", title, Path("s.glb"), ()), SCENE, roles, tag, trigger)


def test_the_default_prompt_is_the_wording_that_the_embedded_model_was_trained_with():
    assert prompt() == (
        "image 1 is the base photo, an oak table. image 2 is the product in place. "
        "image 3 is the side view. image 4 is the top view. image 5 is the label close up. "
        "put the red shoe into image 1 as image 2 shows it, with soft daylight from the left. "
        "keep its text and logo as in image 2. do not change anything else."
    )


def test_trigger_words_come_last_and_whole():
    assert prompt(trigger=" in warm evening light ").endswith("anything else. in warm evening light")


def test_trigger_words_are_kept_where_the_template_forgets_them():
    assert prompt("put the {title} into image 1", trigger="noir") == "put the red shoe into image 1 noir"


def test_an_architecture_that_says_picture_gets_picture_everywhere():
    words = prompt(tag="Picture", roles=ROLES[:2])
    assert words.startswith("Picture 1 is the base photo, an oak table. Picture 2 is the product in place.")
    assert "into Picture 1 as Picture 2 shows it" in words
    assert "image" not in words


def test_an_architecture_without_references_hears_nothing_of_them():
    assert prompt("{references} a {title} on {scene}, {light}", tag="") == (
        "a red shoe on an oak table, soft daylight from the left"
    )


def test_the_products_own_words_are_not_taken_for_a_template_or_a_tag():
    assert prompt("put {title} down", title="{scene} image 9", tag="Picture") == "put {scene} image 9 down"


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("put the {product} there", r"unknown field \{product\}; known are \{references\}, \{title\}"),
        ("put the {} there", r"unknown field \{\}"),
        ("put the {title!r} there", r"unknown field \{title\}"),
        ("put the {title there", "brace without its partner"),
        ("  ", "prompt.template is empty"),
        ("put it as image 7 shows", r"speaks of image 7, but shots have\s+5 images"),
        ("put it as image 0 shows", "speaks of image 0"),
    ],
)
def test_a_wrong_template_names_the_settings_key(template, sentence):
    with pytest.raises(FixSettings, match=sentence) as error:
        prompt(template)
    assert "prompt.template" in str(error.value)

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packline.editing.architectures import ARCHITECTURES
from packline.editing.loras import Preset
from packline.editing.prompts import (
    DEFAULT_TEMPLATE,
    build_prompt,
    check_recipes,
    check_template,
    recipe_for,
    trim_prompt,
)
from packline.errors import FixSettings
from packline.settings import EngineSettings, NamedPromptSettings, PromptSettings
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


def test_labels_view_sku_and_variant_are_fields_too():
    product = Product(
        "S1", "shoe", Path("s.glb"), (), {"E LOVE": "top to bottom", "tag": "left"}, variant="red"
    )
    template = "{sku} {variant} from the {view}: {labels}"
    assert build_prompt(template, product, SCENE, ROLES, "image", view="front") == (
        'S1 red from the front: "E LOVE" reads top to bottom, "tag" reads left'
    )


def settings_with(template=None, architecture="flux2-klein-4b", **recipes):
    prompts = {name: NamedPromptSettings(**recipe) for name, recipe in recipes.items()}
    engine = EngineSettings(name="main", architecture=architecture, model="m")
    told = PromptSettings(template=template)
    return SimpleNamespace(prompt=told, prompts=prompts, engine=engine, engines={})


def test_the_first_recipe_that_means_a_shot_wins():
    settings = settings_with(
        "plain",
        shoes={"template": "a shoe", "sku": "SHOE-*, BOOT-1"},
        shelf={"template": "on the shelf", "scene": "shelf"},
        spare={"template": "short", "engine": "spare"},
    )
    spare = EngineSettings(name="spare", architecture="sdxl", model="m")
    asked = {
        ("SHOE-2", "shelf", None): "prompts.shoes.template",
        ("BOOT-1", "table", None): "prompts.shoes.template",
        ("BOOT-2", "shelf", None): "prompts.shelf.template",
        ("BOOT-2", "table", None): "prompt.template",
        ("BOOT-2", "table", spare): "prompts.spare.template",
    }
    assert {one: recipe_for(settings, *one).key for one in asked} == asked
    assert recipe_for(settings, "BOOT-2", "table").template == "plain"


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_without_a_template_an_architecture_has_its_own(name):
    recipe = recipe_for(settings_with(architecture=name), "S1", "table")
    tag = ARCHITECTURES[name].tag
    fields = {field for _, field in check_template(recipe.template)}
    assert {"title", "light", "trigger"} <= fields
    # a model that sees one picture is told of none by number
    assert ("references" in fields, "image 1" in recipe.template) == (bool(tag), bool(tag))


def test_a_wrong_recipe_names_its_own_key():
    with pytest.raises(FixSettings, match=r"key prompts\.shoes\.template names the unknown field \{price\}"):
        check_template("{price}", "prompts.shoes.template")


@pytest.mark.parametrize(
    ("most", "kept", "cut"),
    [
        (12, "put the red shoe down. keep its text. nothing else. warm glow", ""),
        (10, "put the red shoe down. keep its text. warm glow", "nothing else."),
        (8, "put the red shoe down. warm glow", "keep its text. nothing else."),
        (4, "put the warm glow", "red shoe down. keep its text. nothing else."),
        (2, "warm glow", "put the red shoe down. keep its text. nothing else."),
    ],
)
def test_a_prompt_that_is_too_long_loses_its_end_and_never_the_trigger(most, kept, cut):
    prompt = "put the red shoe down. keep its text. nothing else. warm glow"
    assert trim_prompt(prompt, ["warm glow"], lambda text: len(text.split()), most) == (kept, cut)


def test_triggers_in_the_midst_of_a_prompt_stay_there():
    words = lambda text: len(text.split())  # noqa: E731
    assert trim_prompt("a noir shoe on oak. be exact.", ["noir"], words, 3) == (
        "a noir shoe",
        "on oak. be exact.",
    )
    assert trim_prompt("a noir shoe", ["noir"], words, 0) == ("a noir shoe", "")


@pytest.mark.parametrize(
    ("prompt", "triggers", "most", "kept"),
    [
        ("a red shoe on oak. be exact. noir, noir style", ["noir", "noir style"], 3, "noir, noir style"),
        ("a red shoe on oak. warm sunset", ["warm  sunset"], 2, "warm sunset"),
        ("a warmer shoe on oak, warm", ["warm"], 3, "a warmer warm"),
        ("a red shoe. film noir. grain now. be exact.", ["film noir. grain"], 3, "film noir. grain"),
        # a template may glue it to other words
        ("a shoenoir on oak", ["noir"], 1, "shoenoir"),
    ],
)
def test_a_trigger_is_kept_whole_and_no_word_is_cut_in_two(prompt, triggers, most, kept):
    found, cut = trim_prompt(prompt, triggers, lambda text: len(text.split()), most)
    assert found == kept
    assert sorted((*found.split(), *cut.split())) == sorted(prompt.split())


WORDS = st.text("abwrm,.", min_size=1, max_size=5)
TRIGGERS = st.lists(st.lists(WORDS, min_size=1, max_size=3).map(" ".join), max_size=3)


@given(st.lists(WORDS, max_size=12), TRIGGERS, st.integers(0, 12), st.integers(0, 12))
def test_whatever_is_cut_triggers_stay_whole_and_words_words(words, triggers, at, most):
    prompt = " ".join([*words[:at], *triggers, *words[at:]])
    kept, cut = trim_prompt(prompt, triggers, lambda text: len(text.split()), most)
    assert all(trigger in kept for trigger in triggers)
    rest = iter(prompt.split())
    assert all(word in rest for word in kept.split())
    assert sorted((*kept.split(), *cut.split())) == sorted(prompt.split())
    # nothing that could have gone stayed in its place
    assert len(kept.split()) <= max(most, 0) or not cut


NUMBERED = "put the {title} into image 1 as image 2 shows it. {trigger}"
PLAIN = "a {title}, {light}. {trigger}"


@pytest.mark.parametrize("architecture", ["sdxl", "sd15", "flux1-kontext"])
def test_numbered_images_are_refused_for_a_model_that_is_given_one_picture(architecture):
    said = rf"key prompt\.template speaks of image 1, but engine main \({architecture}\)"
    with pytest.raises(FixSettings, match=said):
        check_recipes(settings_with(NUMBERED, architecture))
    wrong = settings_with(PLAIN, architecture, shoes={"template": NUMBERED, "sku": "SHOE-*"})
    with pytest.raises(FixSettings, match=r"key prompts\.shoes\.template speaks of image 1"):
        check_recipes(wrong)
    check_recipes(settings_with(PLAIN, architecture))
    check_recipes(settings_with(None, architecture))


def test_a_spare_engine_that_is_given_one_picture_gets_the_next_recipe_that_speaks_to_it():
    spare = EngineSettings(name="spare", architecture="sdxl", model="m")
    settings = settings_with(NUMBERED, shoes={"template": NUMBERED, "sku": "SHOE-*"})
    settings.engines["spare"] = spare
    check_recipes(settings)
    assert recipe_for(settings, "SHOE-1", "table").template == NUMBERED
    assert recipe_for(settings, "SHOE-1", "table", spare).template == ARCHITECTURES["sdxl"].template
    settings.prompts["other"] = NamedPromptSettings(template=PLAIN)
    assert recipe_for(settings, "SHOE-1", "table", spare).key == "prompts.other.template"
    settings.prompts["own"] = NamedPromptSettings(template=NUMBERED, engine="spare")
    with pytest.raises(FixSettings, match=r"prompts\.own\.template speaks of image 1, but engine spare"):
        check_recipes(settings)


def test_the_embedded_models_own_wording_is_the_one_it_was_trained_with():
    assert (
        recipe_for(settings_with(architecture="flux2-klein-embedded"), "S", "t").template == DEFAULT_TEMPLATE
    )


def test_a_presets_trigger_is_as_a_prompt_holds_it():
    preset = Preset(label="x", base_architecture="sdxl", path="x", prompt=" warm  sunset,\n soft ")
    assert preset.trigger == "warm sunset, soft"
    assert preset.trigger in prompt(trigger=preset.trigger)

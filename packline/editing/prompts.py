"""Prompts: a template that a merchandiser can read, filled with the shot's own words.

The template names fields (`FIELDS`) and speaks of "image 1", "image 2", ...; the words of the architecture
("Picture 1") take their place. Which template a shot gets, its recipe, the settings say: the first table of
``[prompts]`` that means its product and scene, else ``[prompt]``, else the architecture's own. A template
with numbered images says nothing to a model that is given one picture, so such a model does not get it.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import accumulate
from string import Formatter

from packline.editing.architectures import architecture_of
from packline.errors import FixSettings
from packline.scenes import Scene
from packline.settings import EngineSettings, Settings
from packline.shots import Product

# The embedded model was trained with this very wording (training/): a change here needs new weights.
DEFAULT_TEMPLATE = (
    "{references} put the {title} into image 1 as image 2 shows it, with {light}. "
    "keep its text and logo as in image 2. do not change anything else. {trigger}"
)

FIELDS = ("references", "title", "scene", "light", "trigger", "labels", "view", "sku", "variant")

_ROLES = {
    "product": "the product in place",
    "side": "the side view",
    "top": "the top view",
}
_TAG = re.compile(r"\bimage (\d+)\b")
_ENDS = (".", "!", "?")


@dataclass(frozen=True)
class PromptRecipe:
    """A template, and the settings key that holds it."""

    key: str
    template: str


def recipe_for(
    settings: Settings, sku: str, scene: str, engine: EngineSettings | None = None
) -> PromptRecipe:
    """What an engine is told of a shot.

    Parameters
    ----------
    engine
        Another than the run's own, from the ladder.
    """
    engine = engine or settings.engine
    for name, recipe in settings.prompts.items():
        asked = ((recipe.sku, sku), (recipe.scene, scene), (recipe.engine, engine.name))
        if all(_meant(pattern, one) for pattern, one in asked) and _speaks_to(engine, recipe.template):
            return PromptRecipe(f"prompts.{name}.template", recipe.template)
    told = settings.prompt.template
    if told is not None and _speaks_to(engine, told):
        return PromptRecipe("prompt.template", told)
    return PromptRecipe("prompt.template", architecture_of(engine.architecture).template or DEFAULT_TEMPLATE)


def check_recipes(settings: Settings) -> None:
    """Look the settings' templates over.

    One with numbered images is passed over for an engine of the ladder that is given one picture: it was
    written for the others. For the run's own engine, or where it is meant for no other, it is a mistake.

    Raises
    ------
    FixSettings
        A template is malformed, or speaks of numbered images to an engine that is given one picture.
    """
    recipes = [("prompt.template", settings.prompt.template, "")]
    recipes += [
        (f"prompts.{name}.template", one.template, one.engine) for name, one in settings.prompts.items()
    ]
    for key, template, meant in recipes:
        if template is None:
            continue
        check_template(template, key)
        engines = [one for one in (settings.engine, *settings.engines.values()) if _meant(meant, one.name)]
        deaf = [one for one in engines if not _speaks_to(one, template)]
        if deaf and (settings.engine in deaf or deaf == engines):
            number = next(iter(_numbers(template)))
            raise FixSettings(
                f"Settings key {key} speaks of image {number}, but engine {deaf[0].name} "
                f"({deaf[0].architecture}) is given one picture, the render placed into the photo; leave the "
                f"key out, which leaves that model its own wording, or write one without numbered images."
            )


def _speaks_to(engine: EngineSettings, template: str) -> bool:
    return not _numbers(template) or not architecture_of(engine.architecture).starts_from_render


def _numbers(template: str) -> list[str]:
    return _TAG.findall("".join(literal for literal, _ in check_template(template)))


def _meant(pattern: str, name: str) -> bool:
    return not pattern or any(fnmatchcase(name, part.strip()) for part in pattern.split(","))


def build_prompt(
    template: str,
    product: Product,
    scene: Scene,
    roles: Sequence[str],
    tag: str,
    trigger: str = "",
    *,
    view: str = "",
    key: str = "prompt.template",
) -> str:
    """The prompt of one shot.

    Parameters
    ----------
    template
        Of the shot's recipe.
    roles
        What each reference shows, in order: "base", "product", "side", "top", "label:<id>".
    tag
        How the architecture names a reference: "image" or "Picture"; empty where it sees none.
    trigger
        A LoRA's trigger words; they are put where ``{trigger}`` stands, or last, and never cut.
    view
        Which side faces the camera.
    key
        The settings key of the template, for sentences.

    Raises
    ------
    FixSettings
        The template names an unknown field, or a picture that this shot does not have.
    """
    values = {
        "references": describe_references(roles, scene.words, tag),
        "title": product.title.strip() or "product",
        "scene": scene.words,
        "light": scene.light.words,
        "trigger": trigger.strip(),
        "labels": ", ".join(f'"{label}" reads {way}' for label, way in product.labels.items()),
        "view": view,
        "sku": product.sku,
        "variant": product.variant,
    }
    parts: list[str] = []
    for literal, field in check_template(template, key):
        for number in _TAG.findall(literal):
            if not 1 <= int(number) <= len(roles):
                raise FixSettings(
                    f"Settings key {key} speaks of image {number}, but shots have "
                    f"{len(roles)} images; mend the number."
                )
        parts.append(_TAG.sub(rf"{tag or 'image'} \1", literal))
        if field is not None:
            parts.append(values[field])
    prompt = " ".join("".join(parts).split())
    if values["trigger"] and "{trigger}" not in template:
        prompt = f"{prompt} {values['trigger']}"
    return prompt


@lru_cache(maxsize=256)
def check_template(template: str, key: str = "prompt.template") -> list[tuple[str, str | None]]:
    """Split a template into (text, field that follows it) pairs.

    Raises
    ------
    FixSettings
        The template is empty, its braces do not match or it names an unknown field.
    """
    if not template.strip():
        raise FixSettings(f"Settings key {key} is empty; write what the engine is to do.")
    try:
        pieces = [
            (literal, field, bool(spec or conversion))
            for literal, field, spec, conversion in Formatter().parse(template)
        ]
    except ValueError as error:
        raise FixSettings(
            f"Settings key {key} has a brace without its partner ({error}); fields are "
            f"written {', '.join('{' + name + '}' for name in FIELDS)}."
        ) from error
    for _, field, formatted in pieces:
        if field is not None and (field not in FIELDS or formatted):
            raise FixSettings(
                f"Settings key {key} names the unknown field {{{field}}}; known are "
                f"{', '.join('{' + name + '}' for name in FIELDS)}."
            )
    return [(literal, field) for literal, field, _ in pieces]


def describe_references(roles: Sequence[str], scene: str, tag: str) -> str:
    """One sentence a reference, in order: "image 1 is the base photo, an oak table. image 2 is ..."."""
    if not tag:
        return ""
    sentences = []
    for number, role in enumerate(roles, start=1):
        if role == "base":
            what = f"the base photo, {scene}" if scene else "the base photo"
        elif role.startswith("label:"):
            what = "the label close up"
        else:
            what = _ROLES.get(role, f"the {role} view")
        sentences.append(f"{tag} {number} is {what}.")
    return " ".join(sentences)


def trim_prompt(
    prompt: str, triggers: Sequence[str], count: Callable[[str], int], most: int
) -> tuple[str, str]:
    """Leave the last sentences of a prompt out, then its last words, until a model reads it whole.

    Parameters
    ----------
    triggers
        Words that stay, wherever they stand.
    count
        Tokens of a text.
    most
        Tokens that the model reads.

    Returns
    -------
    The prompt, and what was left out; the whole prompt and nothing where the triggers alone are too many.
    """
    words = prompt.split()
    kept = _held(words, triggers)
    sentences: list[list[int]] = [[]]
    for number, word in enumerate(words):
        sentences[-1].append(number)
        if word.endswith(_ENDS):
            sentences.append([])
    # whole sentences first, but neither the first of all nor one with a trigger; then words
    free = [sentence for sentence in sentences[1:] if sentence and kept.isdisjoint(sentence)]
    free = [*([number] for number in range(len(words)) if number not in kept), *free]
    there = set(range(len(words)))

    def said(numbers: Collection[int]) -> str:
        return " ".join(word for number, word in enumerate(words) if number in numbers)

    while count(said(there)) > most and free:
        there -= set(free.pop())
    if count(said(there)) > most:
        return prompt, ""
    return said(there), said(set(range(len(words))) - there)


def _held(words: Sequence[str], triggers: Sequence[str]) -> set[int]:
    """Numbers of the words that hold a trigger or a part of one, wherever it stands."""
    text = " ".join(words)
    ends = list(accumulate(len(word) + 1 for word in words))
    held = set[int]()
    for trigger in {" ".join(trigger.split()) for trigger in triggers} - {""}:
        # "warm" is no part of "warmer"; where a template has glued it to a word, it is all there is
        whole = list(re.finditer(rf"(?<!\w){re.escape(trigger)}(?!\w)", text))
        for found in whole or re.finditer(re.escape(trigger), text):
            held.update(range(bisect(ends, found.start()), bisect(ends, found.end() - 1) + 1))
    return held

"""What the report and the review desk say of candidates, in the same words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from packline.candidate import Candidate, Recipe, refine_words
from packline.ladder import rung_words
from packline.report.figures import duration, plain_name
from packline.scorecard import CheckResult, Scorecard, Verdict
from packline.truth import TextTruth, direction_words

_VIEWS = {
    "scene": "Product in place, from the 3D model",
    "left": "Side",
    "right": "Right side",
    "front": "Front",
    "back": "Back",
    "top": "Top",
    "hero": "Hero angle",
    "three-quarter": "Three-quarter",
}


def view_words(view: str) -> str:
    """A reference's view as a caption says it; a label's close-up is "Label <id>"."""
    if view.startswith("label:"):
        return f"Label {view.removeprefix('label:')}"
    return _VIEWS.get(view, plain_name(view).capitalize())


def verdict_words(card: Scorecard | None) -> tuple[str, str]:
    """A candidate's state and its words: what is certain comes before what could not be judged."""
    if card is None:
        return "open", "Not scored"
    if card.passed:
        return "passed", "Passed"
    for verdict, words in (
        (Verdict.FAIL, "Failed"),
        (Verdict.UNVERIFIABLE, "Cannot tell:"),
        (Verdict.ERROR, "Could not check"),
    ):
        names = [plain_name(r.check) for r in card.failures if r.verdict == verdict]
        if names:
            return "failed", f"{words} {', '.join(names)}"
    return "failed", "No check applied"


def worst_first(card: Scorecard) -> tuple[CheckResult, ...]:
    """A scorecard's results: what stands against the candidate, then what passed, then what did not apply."""
    rest = [r for r in card.results if r.verdict in (Verdict.PASS, Verdict.NOT_APPLICABLE)]
    rest.sort(key=lambda r: (r.verdict == Verdict.NOT_APPLICABLE, r.margin))
    return (*card.failures, *rest)


def labels_of(folder: Path) -> tuple[TextTruth, ...]:
    """Text truth of a reference folder; none where the folder is gone, since the picture says so already."""
    try:
        truth = json.loads((folder / "truth.json").read_text())
        return tuple(TextTruth.from_dict(label) for label in truth["labels"])
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def reads(label: TextTruth) -> str:
    """The direction in which a label reads in a view, in words."""
    return direction_words(label.angle) + (", mirrored" if label.mirrored else "")


def facts_of(candidate: Candidate) -> tuple[tuple[str, str], ...]:
    """Name and value of everything that made a candidate, its prompt aside."""
    recipe = candidate.recipe
    engine = {name: str(value) for name, value in recipe.engine.items() if value not in ("", None)}
    weights = engine.pop("weights_sha256", "")
    name = engine.pop("name", "")
    facts = [("Engine", ", ".join([name, *(f"{plain_name(k)} {v}" for k, v in engine.items())]))]
    if weights:
        facts.append(("Weights", f"sha256 {weights}"))
    facts.append(("LoRA", "; ".join(_lora(lora) for lora in recipe.loras) or "none"))
    facts.append(("Seed", str(recipe.seed)))
    facts.append(("Wave, number", f"{recipe.wave}, {recipe.number}"))
    facts.append(("Rung of the ladder", _rung(recipe)))
    facts.append(("Strays by", _variation(recipe.variation)))
    facts.append(("Refine", refine_words(recipe.refine, recipe.refined)))
    facts.append(("Took", duration(candidate.seconds)))
    if candidate.cost:
        facts.append(("Cost", f"${candidate.cost:.4f}"))
    facts.append(("Candidate id", candidate.id))
    return tuple(facts)


def _rung(recipe: Recipe) -> str:
    said = rung_words(recipe.rung, recipe.changed)
    if added := recipe.changed.get("references"):
        said += f": {', '.join(added)}"
    if instead := recipe.changed.get("instead"):
        said += f"; made instead of engine {instead}, which kept failing"
    return said


def _lora(lora: Mapping[str, object]) -> str:
    words = f"{lora.get('label', '?')} at {lora.get('strength', '?')}"
    if lora.get("trigger"):
        words += f", trigger “{lora['trigger']}”"
    return words + (f", sha256 {str(lora['sha256'])[:12]}" if lora.get("sha256") else "")


def _light(variation: Mapping[str, object]) -> list[str]:
    words = {
        "light_turn": (0, "light turned {:+.1f}°"),
        "light_height": (0, "raised {:+.1f}°"),
        "light_size": (1, "softness {:.0%}"),
        "exposure": (1, "brightness {:.0%}"),
    }
    found = ((variation.get(name, plain), plain, said) for name, (plain, said) in words.items())
    return [said.format(value) for value, plain, said in found if value != plain]


def _variation(variation: Mapping[str, object]) -> str:
    shift, turn, scale = variation.get("shift"), variation.get("turn"), variation.get("scale")
    parts = []
    if isinstance(shift, Sequence) and len(shift) == 2 and any(shift):
        parts.append(f"{100 * shift[0]:+.1f} cm across, {100 * shift[1]:+.1f} cm in depth")
    if isinstance(turn, int | float) and turn:
        parts.append(f"turned {turn:+.1f}°")
    if isinstance(scale, int | float) and scale != 1:
        parts.append(f"size {100 * scale:.1f} %")
    parts += _light(variation)
    lora = variation.get("lora", 1)
    if isinstance(lora, int | float) and lora != 1:
        parts.append(f"LoRA {100 * (lora - 1):+.0f} %")
    return "; ".join(parts) or "nothing: exactly as asked"

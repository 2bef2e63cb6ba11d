"""What `packline loras` prints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from packline.cli.people import me
from packline.cli.table import console, table
from packline.errors import FixSettings, GiveUp
from packline.line.order import Order

if TYPE_CHECKING:
    from packline.editing.loras import Preset, Presets
    from packline.ledger.presets import Effect, SeenEffect
    from packline.line import Line

_COLUMNS = ("label", "theme", "for", "strength", "trigger", "file", "last effect")


def show_loras(order: Order, theme: str, *, every: bool) -> None:
    """Print the presets, then a sentence on each that cannot be used."""
    line = _open(order)
    presets, wanted = line.presets, _of_engine(line)
    chosen = [one for one in presets if (every or one in wanted) and (not theme or one.theme == theme)]
    effects = line.ledger.presets.effects(line.catalog.name)
    rows, sentences = [], []
    for preset in chosen:
        state, sentence = state_of(presets, preset)
        sentences += [sentence] if sentence else []
        rows.append(
            (
                preset.label,
                preset.theme,
                preset.base_architecture,
                f"{preset.settings.strength:g}",
                preset.trigger,
                state,
                _last(effects.get(preset.label)),
            )
        )
    out = console()
    out.print(table(f"LoRAs of {presets.file_read}", _COLUMNS, rows, right=(3,)))
    for sentence in sentences:
        out.print(sentence, markup=False, highlight=False, soft_wrap=True)
    others = len(presets) - len(wanted)
    if others and not every:
        architecture = line.settings.engine.architecture
        out.print(f"{others} more for other models than {architecture}; --all lists them.", highlight=False)


def state_of(presets: Presets, preset: Preset) -> tuple[str, str]:
    """How a preset's file is, in a word or two and in a sentence, which is empty where all is well."""
    label = preset.label
    state = "missing"
    try:
        presets.file(label)
        state = "wrong hash"
        presets.sha256(label)
        state = "unusable"
        found = presets.recognised(label)
        state = "other architecture"
        presets.made_for(label)
    except GiveUp as error:
        return state, str(error)
    return "ok", f"LoRA {label!r}: {found.remark}" if found.remark else ""


def import_presets_of(order: Order, file: Path | None) -> bool:
    """Import the settings' list; returns whether all of its presets can be used.

    Raises
    ------
    FixSettings
        Where `file` is another list: no run would read it, and what only the settings' list has would pass
        for gone.
    """
    from packline.assets import Assets
    from packline.line.presets import import_presets

    line = _open(order)
    presets = line.presets
    if file is not None and file.resolve() != presets.file_read.resolve():
        raise FixSettings(
            f"{file} is not the list of presets that runs of catalogue {line.catalog.name} read, which is "
            f"{presets.file_read}; add its entries there, or name it in {line.settings.file} (paths.loras), "
            f"then import again."
        )
    done = import_presets(line, presets, Assets(), me())
    out = console()
    for what, labels in (("new", done.new), ("changed", done.changed), ("gone", done.gone)):
        for label in labels:
            out.print(f"{what}: {label}", markup=False, highlight=False)
    known = line.ledger.presets.latest(line.catalog.name)
    sentences = [known[one.label].facts.sentence for one in presets if known[one.label].facts.sentence]
    for sentence in sentences:
        out.print(sentence, markup=False, highlight=False, soft_wrap=True)
    out.print(
        f"{len(presets)} presets of {presets.file_read} are in the ledger for catalogue {line.catalog.name}; "
        f"{len(done.same)} were already.",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    return not sentences


def check_effects(order: Order, labels: Sequence[str]) -> bool:
    """Check what presets do, print it as it is found; returns whether each does something."""
    from packline.assets import Assets
    from packline.line.effects import check_effect
    from packline.line.presets import import_presets

    line = _open(order)
    wanted = list(labels) or [preset.label for preset in _of_engine(line)]
    for label in wanted:
        line.presets.get(label)
    import_presets(line, line.presets, Assets(), me())
    out = console()
    if not wanted:
        out.print(f"{line.presets.file_read} has no preset for {line.settings.engine.architecture}.")
    good = True
    for label in wanted:
        try:
            effect = check_effect(line, label, me())
        except GiveUp as error:
            typer.echo(f"packline: {error}", err=True)
            good = False
            continue
        out.print(sentence_on(label, effect), markup=False, highlight=False, soft_wrap=True)
        good = good and effect.works
    return good


def sentence_on(label: str, effect: Effect) -> str:
    """What a LoRA was seen to do."""
    verdict = "works" if effect.works else f"DOES NOTHING (least: {effect.least:g})"
    said = (
        f"LoRA {label!r} {verdict}: at strength {effect.strength:g} the picture of {effect.shot} changes by "
        f"{effect.difference:.2f} (mean CIEDE2000), {effect.changed:.0%} of it visibly"
    )
    if effect.untriggered is not None and effect.untriggered_changed is not None:
        said += (
            f"; without its trigger words by {effect.untriggered:.2f}, {effect.untriggered_changed:.0%}; the "
            f"words alone change it by {effect.words_alone:.2f}"
        )
    return f"{said}. {effect.folder}/pair.png"


def _last(seen: SeenEffect | None) -> str:
    if seen is None:
        return "never checked"
    effect = seen.effect
    said = f"{effect.difference:.2f}" if effect.works else f"none ({effect.difference:.2f})"
    return f"{said}, {seen.when:%Y-%m-%d}{'' if seen.present else ', before it changed'}"


def _of_engine(line: Line) -> tuple[Preset, ...]:
    from packline.editing.architectures import architecture_of

    return line.presets.of(architecture_of(line.settings.engine.architecture).lora)


def _open(order: Order) -> Line:
    from tasks.opening import open_line

    return open_line(order)

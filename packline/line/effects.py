"""What a LoRA does: the same edit without it and with it, at one seed, measured and kept."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path

import cv2
import numpy as np

from packline.assets import Assets
from packline.catalog import ProductReader
from packline.colour import ciede2000, to_lab, to_linear
from packline.editing.architectures import architecture_of
from packline.editing.engine import EditRequest, LoraChoice
from packline.editing.loras import Preset
from packline.errors import FixSettings, GiveUp
from packline.ledger.presets import Effect
from packline.line.candidates import ask, request_of
from packline.line.line import Line
from packline.line.plan import Try
from packline.records import Wave
from packline.reference import Picture
from packline.shots import Product, ProductLora, Shot

_SEEN = 1.0  # CIEDE2000 that is just seen side by side
_AS_GOOD_AS_NONE = 1e-6
# that are to get a LoRA and cannot be drawn, and as many others, before a person has to look
_MOST_TRIED = 8


@dataclass(frozen=True)
class Pictures:
    """Four edits at one seed; the latter two only where the preset has trigger words.

    Parameters
    ----------
    off, on
        The prompt with the trigger words, without the LoRA and with it.
    plain, untriggered
        The prompt without them, likewise.
    """

    off: Picture
    on: Picture
    plain: Picture | None = None
    untriggered: Picture | None = None


def measure(before: Picture, after: Picture) -> tuple[float, float]:
    """Mean CIEDE2000 between two pictures, sRGB uint8 (H, W, 3), and share of pixels that visibly differ."""
    far = ciede2000(to_lab(to_linear(before)), to_lab(to_linear(after)))
    return float(far.mean()), float((far > _SEEN).mean())


def check_effect(line: Line, label: str, by: str) -> Effect:
    """Make the pair of a preset with the catalog's engine, keep it, and note in the ledger what it shows.

    The presets must have been imported (`line.presets.import_presets`).

    Raises
    ------
    GiveUp
        The preset cannot be used with this engine.
    FixSettings
        The catalog has no product that can be used, or none of the first few can be drawn.
    """
    settings = line.settings
    preset = line.presets.fit(label, architecture_of(settings.engine.architecture).lora)
    strength = preset.settings.strength
    product, plain = _drawn(line, label)
    on = _request(line, product, (ProductLora(label),))
    without = _without(preset)
    # the trigger words stand in both prompts, so that what they do by themselves is not the LoRA's
    wanted = [on, replace(plain, loras=on.loras)] if preset.trigger else [on]
    # as many in one call as in the other: in 16 bits the batch's size shows
    offs, ons = (
        [edit.picture for edit in line.engine.edit(some)]
        for some in ([replace(one, loras=without) for one in wanted], wanted)
    )
    pictures = Pictures(offs[0], ons[0], *offs[1:], *ons[1:])
    difference, changed = measure(pictures.off, pictures.on)
    untriggered, untriggered_changed, words_alone = None, None, None
    if pictures.plain is not None and pictures.untriggered is not None:
        untriggered, untriggered_changed = measure(pictures.plain, pictures.untriggered)
        words_alone, _ = measure(pictures.plain, pictures.off)
    folder = line.work / "loras" / f"{_slug(label)}-{line.presets.sha256(label)[:8]}"
    effect = Effect(
        engine=line.engine.describe(),
        shot=Shot(product, *product.placements[0]).key,
        prompt=on.prompt,
        seed=on.seed,
        strength=strength,
        difference=difference,
        changed=changed,
        untriggered=untriggered,
        untriggered_changed=untriggered_changed,
        words_alone=words_alone,
        least=settings.loras.least_effect,
        works=difference >= settings.loras.least_effect,
        folder=str(folder),
    )
    _keep(folder, pictures, effect)
    line.ledger.presets.record_effect(line.catalog.name, label, effect, by)
    return effect


def _without(preset: Preset) -> tuple[LoraChoice, ...]:
    """No LoRA; where the preset says more than its strength, one that says it too and is as good as none."""
    says = preset.settings.guidance_scale, preset.settings.clip_skip, preset.negative_prompt
    return (LoraChoice(preset.label, _AS_GOOD_AS_NONE),) if any(says) else ()


def _request(line: Line, product: Product, loras: tuple[ProductLora, ...]) -> EditRequest:
    """A product's first shot with these LoRAs and their words, asked for as a run asks."""
    known = architecture_of(line.settings.engine.architecture)
    place = product.placements[:1]
    first = replace(product, placements=place, pictures=1, loras=loras)
    (planned,) = line.planner(Assets()).shots(first)
    line.shots.keep(planned)
    (asked,) = ask(line, Try(planned.shot.key, Wave()), engine="")
    # with a LoRA these engines give up less of their start, which is not the LoRA's doing
    denoise = known.denoise_with_lora if known.denoises else None
    return replace(request_of(line, asked), denoise=denoise)


def _drawn(line: Line, label: str) -> tuple[Product, EditRequest]:
    """A product that can be drawn, rather one that is to get this LoRA, and what asks for it without any.

    That its row reads does not say so: only the stage finds out that a 3D model is damaged.
    """
    tried, why = 0, ""
    for product in _products(line, label):
        try:
            return product, _request(line, product, ())
        except (GiveUp, OSError) as error:
            tried, why = tried + 1, str(error)
    if not tried:
        raise FixSettings(f"Catalog {line.catalog.file} has no row that can be used; mend one.")
    raise FixSettings(f"None of {tried} products of {line.catalog.file} can be drawn. The last one: {why}")


def _products(line: Line, label: str) -> Iterator[Product]:
    """Some products of rows that read: those that are to get this LoRA, then the first others."""
    reader = ProductReader(line.settings)
    meant = 0
    others: list[Product] = []
    for number, fields in chain.from_iterable(line.catalog.rows()):
        product, _ = reader.read(number, fields, number)
        if product is None:
            continue
        if any(lora.label == label for lora in product.loras):
            yield product
            meant += 1
            if meant == _MOST_TRIED:
                break
        elif len(others) < _MOST_TRIED:
            others.append(product)
    yield from others


def _keep(folder: Path, pictures: Pictures, effect: Effect) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    present = {name: picture for name, picture in vars(pictures).items() if picture is not None}
    for name, picture in present.items():
        _save(folder / f"{name}.png", picture)
    _save(folder / "pair.png", _side_by_side(list(present.values())))
    (folder / "measures.json").write_text(json.dumps(asdict(effect), indent=1, ensure_ascii=False) + "\n")


def _side_by_side(pictures: Sequence[Picture]) -> Picture:
    """Off and on; below them the same without the trigger words."""
    rows = [np.concatenate(pictures[at : at + 2], axis=1) for at in range(0, len(pictures), 2)]
    return np.concatenate(rows)


def _save(file: Path, picture: Picture) -> None:
    if not cv2.imwrite(str(file), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)):
        raise GiveUp(f"{file} cannot be written; free space or mend its permissions.")


def _slug(label: str) -> str:
    return re.sub(r"[^\w.-]+", "-", label).strip("-.") or "lora"

"""Importing the LoRA presets into the ledger, with what their files are found to be."""

from __future__ import annotations

from packline.assets import Assets
from packline.editing.loras import Presets, made_for
from packline.errors import GiveUp
from packline.ledger.presets import Imported, PresetFacts
from packline.line.line import Line


def import_presets(line: Line, presets: Presets, assets: Assets, by: str) -> Imported:
    """Note in the ledger what the list of presets has that it had not before.

    Parameters
    ----------
    assets
        Remembers the digests of files that have not changed.
    by
        A run, or a person.
    """
    assets.expect((str(file), "-") for file in map(presets.place, presets) if file is not None)
    found = [_facts(presets, preset.label, assets) for preset in presets]
    return line.ledger.presets.import_(line.catalog.name, presets.file_read, found, by)


def _facts(presets: Presets, label: str, assets: Assets) -> PresetFacts:
    preset = presets.get(label)
    sha256 = architecture = sentence = ""
    try:
        file = presets.file(label)
        sha256 = assets.file(file)
        presets.check_digest(label, sha256)
        architecture = made_for(file, file.name, preset.base_architecture)
        presets.made_for(label)
    except GiveUp as error:
        sentence = str(error)
    except OSError as error:
        sentence = f"LoRA {label!r}: its file cannot be read ({error.strerror}); mend its permissions."
    return PresetFacts(label, preset.model_dump(mode="json"), sha256, architecture, sentence)

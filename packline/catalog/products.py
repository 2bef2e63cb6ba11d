"""From a row of text to a product, or to the sentences that say why there is none."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

from packline.catalog.fields import (
    MODEL_SUFFIXES,
    VIEWS,
    FieldError,
    check_labels,
    check_sku,
    labels_of,
    loras_of,
    near,
    pictures_of,
    placements_of,
)
from packline.catalog.table import COLUMNS, Fields
from packline.editing.architectures import architecture_of
from packline.editing.loras import Presets, load_presets
from packline.errors import FixSettings, GiveUp
from packline.records import RowError
from packline.scenes import load_scene
from packline.settings import Settings
from packline.shots import Product, key_of
from packline.stage.files import sidecar_of

# names that a misspelt one is compared with, and models that are kept for the next rows
_MOST_NAMES = 2000


class ProductReader:
    """Reads rows; remembers what it has looked up for the rows before.

    Parameters
    ----------
    settings
        Where models, scenes and LoRAs lie.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        folder = settings.paths.scenes
        if not folder.is_dir():
            raise FixSettings(f"Settings key paths.scenes: folder {folder} is missing; add it.")
        self._scenes = sorted(path.stem for path in folder.glob("*.json"))
        self._scene_faults: dict[str, str] = {}
        self._lora_faults: dict[str, str] = {}
        self._presets: Presets | None = None
        self._models: dict[str, Path] = {}
        self._names: dict[tuple[Path, tuple[str, ...]], list[str]] = {}

    def read(self, number: int, fields: Fields, first: int) -> tuple[Product | None, list[RowError]]:
        """A product, or why there is none.

        Parameters
        ----------
        first
            Number of the first row that has this SKU.
        """
        row = dict(zip(COLUMNS, fields, strict=False))
        sku, title, surplus = row["sku"], row["title"], fields[-1]
        faults: list[FieldError] = []

        def attempt(read: Any, *arguments: Any) -> Any:
            try:
                return read(*arguments)
            except FieldError as fault:
                faults.append(fault)
                return None

        if surplus:
            said = f'it has more fields than the header (the surplus is "{surplus}"); quote commas.'
            faults.append(FieldError("row", said))
        attempt(check_sku, sku, first, number)
        if not title:
            faults.append(FieldError("title", "title is empty; the prompt needs the product's words."))
        model = attempt(self._model, row["model"])
        placements = attempt(placements_of, row["scenes"])
        if placements:
            attempt(self._check_scenes, placements)
        pictures = attempt(pictures_of, row["pictures"])
        labels = attempt(labels_of, row["labels"])
        known = len(faults)
        truth = attempt(self._truth, row["truth"])
        if model and labels and len(faults) == known:
            attempt(check_labels, model, truth or sidecar_of(model), labels)
        loras = attempt(loras_of, row["lora"], row["lora_strength"])
        for lora in loras or ():
            attempt(self._check_lora, lora.label)
        if not faults:
            facts = (labels, loras, number, row["variant"], truth, pictures)
            return Product(sku, title, model, placements, *facts), []
        where = f"Row {number}, SKU {sku}" if sku else f"Row {number}"
        owed = [(*place, one) for place in placements or () for one in range(1, (pictures or 1) + 1)]
        # a view that is none may look like another one's second picture
        shots = tuple(dict.fromkeys(key_of(sku, *one) for one in owed)) if sku else ()
        return None, [RowError(number, sku, f.field, f"{where}: {f}", shots, title) for f in faults]

    def _model(self, text: str) -> Path:
        if not text:
            raise FieldError("model", "model is empty; name the 3D model's file.")
        if text in self._models:
            return self._models[text]
        file = (self._settings.paths.models / text).resolve()
        if file.suffix.lower() not in MODEL_SUFFIXES:
            raise FieldError(
                "model", f"model {text} is of a kind that is not read; use {', '.join(MODEL_SUFFIXES)}."
            )
        if not file.is_file():
            said = near(text, self._neighbours(file.parent, MODEL_SUFFIXES))
            raise FieldError(
                "model", f"model {text} is missing in {self._settings.paths.models}; add it{said}."
            )
        if len(self._models) >= _MOST_NAMES:
            self._models.clear()
        self._models[text] = file
        return file

    def _truth(self, text: str) -> Path | None:
        if not text:
            return None
        file = (self._settings.paths.models / text).resolve()
        if file.suffix.lower() != ".json":
            raise FieldError("truth", f"truth {text} is no .json; name a file like shoe.truth.json.")
        if not file.is_file():
            said = near(text, self._neighbours(file.parent, (".json",)))
            raise FieldError(
                "truth", f"truth {text} is missing in {self._settings.paths.models}; add it{said}."
            )
        return file

    def _neighbours(self, folder: Path, suffixes: tuple[str, ...]) -> list[str]:
        """Names of the files in a folder; of so many that comparing takes long, none."""
        place = folder, suffixes
        if place not in self._names:
            names = (entry.name for entry in folder.iterdir()) if folder.is_dir() else iter(())
            some = list(
                islice((name for name in names if Path(name).suffix.lower() in suffixes), _MOST_NAMES + 1)
            )
            self._names[place] = some if len(some) <= _MOST_NAMES else []
        return self._names[place]

    def _check_scenes(self, placements: tuple[tuple[str, str], ...]) -> None:
        for scene, view in placements:
            if scene not in self._scenes:
                said = near(scene, self._scenes)
                folder = self._settings.paths.scenes
                raise FieldError("scenes", f"scene {scene} is unknown in {folder}; add it{said}.")
            if view not in VIEWS:
                raise FieldError(
                    "scenes", f"view {view} of scene {scene} is unknown; use one of {', '.join(VIEWS)}."
                )
            if scene not in self._scene_faults:
                try:
                    load_scene(self._settings.paths.scenes / f"{scene}.json")
                    self._scene_faults[scene] = ""
                except GiveUp as error:
                    self._scene_faults[scene] = str(error)
            if self._scene_faults[scene]:
                raise FieldError("scenes", self._scene_faults[scene])

    def _check_lora(self, label: str) -> None:
        if label not in self._lora_faults:
            if self._presets is None:
                self._presets = load_presets(self._settings.paths.loras)
            architecture = architecture_of(self._settings.engine.architecture)
            try:
                self._presets.fit(label, architecture.lora)
                self._lora_faults[label] = ""
            except GiveUp as error:
                said = near(label, [preset.label for preset in self._presets])
                self._lora_faults[label] = f"{str(error).removesuffix('.')}{said}."
        if self._lora_faults[label]:
            raise FieldError("lora", self._lora_faults[label])

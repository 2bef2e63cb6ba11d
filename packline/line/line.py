"""The line as one run has it: settings, catalog, ledger, bucket, engine, scenes, opened when first used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from packline.assets import Assets
from packline.bucket import Bucket, open_bucket
from packline.catalog import read_rows
from packline.catalog.table import Row
from packline.editing.architectures import architecture_of
from packline.editing.engine import Engine
from packline.editing.engines import open_engine
from packline.editing.loras import Presets, load_presets
from packline.errors import FixSettings
from packline.ladder import fewest_steps
from packline.ledger import Ledger
from packline.line.health import Health
from packline.line.order import Order
from packline.plan import Planner
from packline.records import PlannedShot
from packline.reference import Picture
from packline.scenes import Scene, load_scene
from packline.settings import EngineSettings, Settings

_MOST_PHOTOS = 32  # 3 MB each at 1024 pixels; the shots of a chunk share few


@dataclass(frozen=True)
class CatalogFile:
    """A catalog that a line works on.

    Parameters
    ----------
    name
        The run's name, from the settings.
    """

    name: str
    file: Path

    def rows(self) -> Iterator[list[Row]]:
        """Its rows, a batch at a time (`packline.catalog.read_rows`)."""
        return read_rows(self.file)

    def state(self) -> tuple[int, int]:
        """Size and time of its file."""
        about = self.file.stat()
        return about.st_size, about.st_mtime_ns


class Shots:
    """A catalog's shots by key, read from the ledger as they are asked for; a few are kept.

    Raises
    ------
    KeyError
        Where the last plan had no such shot, or could not use its row.
    """

    _MOST = 1024

    def __init__(self, ledger: Ledger, catalog: str) -> None:
        self._ledger = ledger
        self._catalog = catalog
        self._kept: dict[str, PlannedShot] = {}

    def __getitem__(self, key: str) -> PlannedShot:
        if key not in self._kept:
            self.expect([key])
        return self._kept[key]

    def expect(self, keys: Sequence[str]) -> None:
        """Read some shots in one go."""
        wanted = [key for key in keys if key not in self._kept]
        if len(self._kept) + len(wanted) > self._MOST:
            self._kept.clear()
            wanted = list(keys)
        self._kept |= self._ledger.duties.shots(self._catalog, wanted)

    def keep(self, planned: PlannedShot) -> None:
        """Let a shot that no run has planned stand beside the others, for a trial."""
        self._kept[planned.shot.key] = planned


class Line:
    """Everything that the stations of one run share in a process.

    Parameters
    ----------
    order
        What is to be run.
    checks
        Digest of the checks and their thresholds (scoring knows it; the machinery does not know scoring).
    """

    def __init__(self, order: Order, checks: str) -> None:
        self.order = order
        self.checks = checks
        self._engines: dict[str, Engine] = {}
        self._at_work = ""
        self._scenes: dict[str, Scene] = {}
        self._photos: dict[str, Picture] = {}
        self._words: dict[int, tuple[list[str], list[str]]] = {}

    @cached_property
    def settings(self) -> Settings:
        """Paths are absolute."""
        return self.order.read_settings()

    @cached_property
    def catalog(self) -> CatalogFile:
        """The catalog; its rows are read as they are needed."""
        return CatalogFile(self.settings.run.name, self.order.catalog)

    @cached_property
    def ledger(self) -> Ledger:
        """The database."""
        return Ledger(self.settings.ledger.url)

    @cached_property
    def bucket(self) -> Bucket:
        """Where selects are published."""
        return open_bucket(self.settings.bucket)

    @cached_property
    def presets(self) -> Presets:
        """The LoRAs."""
        return load_presets(self.settings.paths.loras)

    @cached_property
    def engine(self) -> Engine:
        """The editor; its weights are loaded when the first candidate is made."""
        return open_engine(self.settings.engine, self.presets)

    def engine_settings(self, name: str) -> EngineSettings:
        """An engine's settings by its name in ``[engines]``; empty: ``[engine]``."""
        return self.settings.engines[name] if name else self.settings.engine

    def engine_called(self, name: str) -> Engine:
        """An editor by its name in ``[engines]``; empty: ``[engine]``.

        Raises
        ------
        FixSettings
            Where its architecture is unknown or its weights are missing.
        """
        if not name:
            return self.engine
        if name not in self._engines:
            try:
                self._engines[name] = open_engine(self.settings.engines[name], self.presets)
            except FixSettings as error:
                raise FixSettings(f"[engines.{name}]: {error}") from error
        return self._engines[name]

    def engine_at_work(self, name: str) -> Engine:
        """An editor that is to edit now; the one that did so before makes room in memory."""
        if name != self._at_work:
            self.engine_called(self._at_work).free()
            self._at_work = name
        return self.engine_called(name)

    def warm_up(self) -> None:
        """Load the weights of ``[engine]``, which makes every first wave; does nothing where they are loaded.

        Raises
        ------
        FixSettings
            They cannot be loaded.
        TryAgain
            Memory is short.
        """
        self.engine_at_work("").warm_up()

    def check_engines(self) -> None:
        """Look for the weights of every engine, and whether it has steps enough on every rung; loads none.

        Raises
        ------
        FixSettings
            As `engine_called`, or too few steps.
        """
        for name in ("", *self.settings.engines):
            if name:
                self.engine_called(name)
            settings, where = self.engine_settings(name), f"[engines.{name}]: " if name else ""
            fewest, share = fewest_steps(self.settings.candidates, architecture_of(settings.architecture))
            if settings.steps < fewest:
                raise FixSettings(
                    f"{where}Settings key engine.steps is {settings.steps}, but {settings.architecture} runs "
                    f"{share:g} of its steps only where it gives up least of its start and needs {fewest} or "
                    f"more; raise it."
                )

    @cached_property
    def health(self) -> Health:
        """Which engines have failed lately."""
        return Health()

    def planner(self, assets: Assets) -> Planner:
        """What computes fingerprints, with the files' digests as somebody remembers them."""
        return Planner(self.settings, self.engine.describe(), self.checks, assets)

    @cached_property
    def shots(self) -> Shots:
        """The catalog's shots as they were planned last, by key."""
        return Shots(self.ledger, self.catalog.name)

    def scene(self, name: str) -> Scene:
        """A scene by its name.

        Raises
        ------
        GiveUp
            Where its files are missing or malformed.
        """
        if name not in self._scenes:
            self._scenes[name] = load_scene(self.settings.paths.scenes / f"{name}.json")
        return self._scenes[name]

    def photo(self, name: str) -> Picture:
        """A scene's base photo at the size of a delivered picture, sRGB uint8 (size, size, 3)."""
        if name not in self._photos:
            photo = self.scene(name).photo_at(self.settings.run.size)
            if len(self._photos) >= _MOST_PHOTOS:
                self._photos.clear()
            self._photos[name] = photo
        return self._photos[name]

    def words(self, most: int) -> tuple[list[str], list[str]]:
        """The first few titles and scenes of the catalog, to tell a picture's own words from."""
        if most not in self._words:
            self._words[most] = self.ledger.tallies.words(self.catalog.name, most)
        return self._words[most]

    @property
    def work(self) -> Path:
        """Folder for references, candidates, logs and the report."""
        return self.settings.run.work

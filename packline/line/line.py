"""The line as one run has it: settings, catalog, ledger, bucket, engine, scenes, opened when first used."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from packline.bucket import Bucket, open_bucket
from packline.catalog import Catalog, read_catalog
from packline.editing.engine import Engine
from packline.editing.engines import open_engine
from packline.editing.loras import Presets, load_presets
from packline.ledger import Ledger
from packline.line.order import Order
from packline.plan import plan_shots
from packline.records import PlannedShot
from packline.reference import Picture
from packline.scenes import Scene, load_scene
from packline.settings import Settings


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
        self._scenes: dict[str, Scene] = {}
        self._photos: dict[str, Picture] = {}

    @cached_property
    def settings(self) -> Settings:
        """Paths are absolute."""
        return self.order.read_settings()

    @cached_property
    def catalog(self) -> Catalog:
        """Products and row errors."""
        return read_catalog(self.order.catalog, self.settings)

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

    @cached_property
    def shots(self) -> dict[str, PlannedShot]:
        """All shots of the catalog by key, with their fingerprints."""
        planned = plan_shots(self.catalog, self.settings, self.engine.describe(), self.checks)
        return {one.shot.key: one for one in planned}

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
            size = self.settings.run.size
            photo = self.scene(name).photo()
            if photo.shape[:2] != (size, size):
                smaller = photo.shape[0] > size
                how = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
                photo = np.asarray(cv2.resize(photo, (size, size), interpolation=how), np.uint8)
            self._photos[name] = photo
        return self._photos[name]

    @property
    def work(self) -> Path:
        """Folder for references, candidates, logs and the report."""
        return self.settings.run.work

"""Opens the engine that the settings name."""

from __future__ import annotations

from packline.editing.architectures import architecture_of
from packline.editing.diffusers_engine import DiffusersEngine
from packline.editing.engine import Engine
from packline.editing.loras import Presets
from packline.editing.weights import find_weights
from packline.settings import EngineSettings


def open_engine(settings: EngineSettings, presets: Presets) -> Engine:
    """Make an engine; weights are looked for but not loaded (`Engine.warm_up` does that).

    Raises
    ------
    FixSettings
        Architecture unknown, or its weights missing; the sentence names the key.
    """
    architecture = architecture_of(settings.architecture)
    weights = find_weights(settings.model, architecture, settings.rest)
    return DiffusersEngine(settings, architecture, weights, presets)

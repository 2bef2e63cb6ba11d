"""A defect bench that takes seconds."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import pytest

from scoring import registry
from scoring.bench import runner


def shrink(monkeypatch: pytest.MonkeyPatch, settings: Path, checks: Collection[str]) -> None:
    """A good and two bad pictures a take without the codec, and settings in which only some checks run."""
    run = runner.run
    monkeypatch.setattr(runner, "run", lambda order, *rest: run(replace(order, good=1, bad=2), *rest))
    monkeypatch.setattr("scoring.bench.nuisances._through_vae", lambda picture: picture.astype("float32"))
    settings.write_text(
        "".join(
            f"[checks.{name}]\nthreshold = {check.defaults['threshold']}\n"
            f"enabled = {str(name in checks).lower()}\n"
            for name, check in registry.checks().items()
        )
    )

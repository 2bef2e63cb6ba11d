"""An order: which catalog is to be run, and how."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packline.errors import FixSettings
from packline.settings import Settings, load_settings

ENVIRONMENTS = ("dev", "staging", "prod")


@dataclass(frozen=True)
class Order:
    """What a person or the schedule asks for; small and hashable, so that it travels to every task.

    Parameters
    ----------
    catalog
        The catalog's file.
    settings
        The settings' file; None means the one beside the catalog.
    environment
        Where the release goes; empty means as the settings say.
    only
        SKUs to work on; empty means all of them.
    again
        Whether flagged shots get another round of candidates.
    """

    catalog: Path
    settings: Path | None = None
    environment: str = ""
    only: tuple[str, ...] = ()
    again: bool = False

    @property
    def settings_file(self) -> Path:
        """Where the settings lie."""
        return self.settings or self.catalog.with_suffix(".toml")

    def read_settings(self) -> Settings:
        """The settings with what the order overrides.

        Raises
        ------
        FixSettings
            With a sentence for each key that is absent, unknown or wrong.
        """
        settings = load_settings(self.settings_file)
        if not self.environment:
            return settings
        if self.environment not in ENVIRONMENTS:
            raise FixSettings(
                f"There is no environment {self.environment!r}; choose one of {', '.join(ENVIRONMENTS)}."
            )
        return settings.model_copy(
            update={"run": settings.run.model_copy(update={"environment": self.environment})}
        )

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for the ledger."""
        return {
            "catalog": str(self.catalog),
            "settings": str(self.settings_file),
            "environment": self.environment,
            "only": list(self.only),
            "again": self.again,
        }

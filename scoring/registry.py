"""Every check there is: one line each, and those of installed packages."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import entry_points

from packline.errors import FixSettings
from scoring import (
    alignment,
    artifacts,
    colour,
    extra_text,
    house_rules,
    pattern,
    placement,
    scene_kept,
    shape,
    text_orientation,
)
from scoring.check import Check

GROUP = "packline.checks"

BUILT_IN: tuple[Check, ...] = (
    artifacts.CHECK,
    shape.CHECK,
    scene_kept.CHECK,
    placement.CHECK,
    colour.CHECK,
    text_orientation.CHECK,
    extra_text.CHECK,
    pattern.CHECK,
    alignment.CHECK,
)


@lru_cache(maxsize=1)
def checks() -> dict[str, Check]:
    """All checks by name: the built-in ones, those that installed packages offer, and the house rules.

    A package offers one with an entry point of the group ``packline.checks`` that leads to a
    `scoring.check.Check`.

    Raises
    ------
    FixSettings
        Where an entry point cannot be loaded, is no check, or takes a name that is in use.
    """
    found = {check.name: check for check in BUILT_IN}
    for point in entry_points(group=GROUP):
        try:
            check = point.load()
        except Exception as error:
            raise FixSettings(
                f"The installed check {point.name} ({point.value}) cannot be loaded ({error}); "
                "mend or uninstall its package."
            ) from error
        if not isinstance(check, Check):
            raise FixSettings(
                f"The installed check {point.name} ({point.value}) is no scoring.check.Check; "
                "mend its package."
            )
        if check.name in found or check.name == house_rules.NAME:
            raise FixSettings(
                f"The installed check {point.name} ({point.value}) takes the name {check.name}, which "
                "is in use; rename it or uninstall its package."
            )
        found[check.name] = check
    # last, since rules may ask for what the others measured
    found[house_rules.NAME] = house_rules.CHECK
    return found

"""What a person calls a model's parts."""

from __future__ import annotations

import re

_LONGEST = 60
#: What tools call a thing that nobody named: "Mesh.012", "defaultMaterial", "Object_3", "node12".
_NOBODY_S = re.compile(
    r"(default|generic|unnamed|untitled)?[ _.-]*"
    r"(mesh(es)?|object|obj|node|geometry|geo|primitive|polygon|poly|surface|material|mat|shape|group|root|part)?"
    r"[ _.-]*\d*([ _.-]\d+)*",
    re.IGNORECASE,
)


def unique_names(candidates: list[tuple[str, ...]]) -> list[str]:
    """One name for each part: the first that a person gave it; "sole", "sole 2" where several share it.

    Parameters
    ----------
    candidates
        For each part, best first; empty ones and those that a tool made up count last.
    """
    names: list[str] = []
    taken: dict[str, int] = {}
    wanted = [_best(one) for one in candidates]
    reserved = set(wanted)
    for name in wanted:
        number = taken.get(name, 0) + 1
        unique = name
        while number > 1:
            unique = f"{name} {number}"
            if unique not in reserved:
                break
            number += 1
        taken[name] = number
        names.append(unique)
    return names


def _best(candidates: tuple[str, ...]) -> str:
    clean = [" ".join("".join(c if c.isprintable() else " " for c in name).split()) for name in candidates]
    given = [name for name in clean if not _NOBODY_S.fullmatch(name)]
    rest = [name for name in clean if name]
    return (given + rest + ["part"])[0][:_LONGEST].strip()

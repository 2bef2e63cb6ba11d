"""Whether a part's name is one that a sentence may say."""

from __future__ import annotations

import re

# what tools call a thing that nobody named, and file-like or coded names
_NOBODY_S = re.compile(
    r"(default|generic|unnamed|untitled)?[ _.-]*"
    r"(mesh(es)?|object|obj|node|geometry|geo|primitive|polygon|poly|surface|material|mat|shape|group|root|part)?"
    r"[ _.-]*\d*([ _.-]\d+)*",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[^\W\d_]{3,}([ '-][^\W\d_]+){0,3}( \d)?")


def named(part: str) -> bool:
    """True for "handle" and "left lace 2"; false for "Mesh.012", "SM_Shoe_LOD0" and "material"."""
    return _NOBODY_S.fullmatch(part) is None and _WORDS.fullmatch(part) is not None

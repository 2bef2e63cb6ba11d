"""Candidates: one edited image with all that made it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from packline.fingerprint import digest

# of a PNG's header: bits of a channel, and the colour types grey and RGB, each without and with alpha
_DEPTH, _COLOURS = 8, (0, 2, 4, 6)
_ORIENTATION = 0x0112


@dataclass(frozen=True)
class Recipe:
    """Everything that determined a candidate's pixels; hashed into its id.

    Parameters
    ----------
    engine
        ``{"name", "architecture", "weights_sha256", "dtype", "device", "steps", "size", "batch"}``.
    loras
        ``({"label", "sha256", "strength", "trigger"}, ...)``.
    references
        Fingerprints of the pictures in the order of their tags: image 1, image 2, ...
    variation
        How this candidate strays on purpose (`packline.editing.variation.vary`).
    refine
        "off", "labels" or "product".
    rung, changed
        Which rung of the ladder asked for it (`packline.ladder`), and what that changed for the engine that
        made it: ``denoise``, ``references`` that were added, ``refine``, ``engine``; ``instead`` of which
        engine that was.
    refined
        What refine made of the edit: ``mode``, ``version``; ``shift`` (pixels of the picture, right and
        down), ``scale`` and ``degrees`` by which the render was moved to where the edit has the product;
        ``agreement`` (0 to 1), ``declined`` and ``words``. Empty before it is made; no part of the id.
    """

    shot: str
    fingerprint: str
    wave: int
    number: int
    seed: int
    prompt: str
    references: tuple[str, ...]
    engine: dict[str, Any]
    loras: tuple[dict[str, Any], ...] = ()
    variation: dict[str, Any] = field(default_factory=dict)
    refine: Literal["off", "labels", "product"] = "off"
    rung: str = "asked"
    changed: dict[str, Any] = field(default_factory=dict)
    refined: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Its content hash, 16 hexadecimal digits; in which wave it was made is no part of it."""
        facts = asdict(self)
        del facts["wave"], facts["refined"]
        return digest(facts)


@dataclass(frozen=True)
class Candidate:
    """A candidate on disk.

    Parameters
    ----------
    id
        `Recipe.id`.
    picture
        The final picture, PNG, at the shot's size.
    edit
        The engine's own output before refine, PNG; equal to `picture` where refine is off.
    truth
        Folder of the scene reference that this candidate was asked to match (its own variation).
    seconds, cost
        Wall seconds and money that it took (its share of a batch); cost in dollars, 0 for local engines
        without a price.
    """

    id: str
    recipe: Recipe
    picture: Path
    edit: Path
    truth: Path
    seconds: float
    cost: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """As plain data, paths as strings."""
        plain = asdict(self)
        return {**plain, "picture": str(self.picture), "edit": str(self.edit), "truth": str(self.truth)}

    @staticmethod
    def from_dict(data: dict[str, Any]) -> Candidate:
        """Read what `to_dict` wrote."""
        recipe = dict(data["recipe"])
        recipe["references"] = tuple(recipe["references"])
        recipe["loras"] = tuple(recipe["loras"])
        return Candidate(
            data["id"],
            Recipe(**recipe),
            Path(data["picture"]),
            Path(data["edit"]),
            Path(data["truth"]),
            float(data["seconds"]),
            float(data["cost"]),
        )


def read_picture(file: Path) -> NDArray[np.uint8]:
    """A candidate's pixels where every reader finds the same, sRGB uint8 (H, W, 3).

    Of 16 bits a channel OpenCV keeps the upper eight and Pillow cuts off what is brighter than 255; by an
    orientation tag OpenCV turns a picture and Pillow does not. One that was checked by the one and published
    by the other would go out unseen.

    Raises
    ------
    OSError
        Where it is missing, cut short or no picture.
    ValueError
        With a clause, where it is anything but an 8-bit PNG, RGB or grey, upright as it is stored.
    """
    from PIL import Image

    try:
        with Image.open(file) as opened:
            kind = opened.format
            with file.open("rb") as stream:
                header = stream.read(26)
            pixels = np.asarray(opened.convert("RGB"))
            turned = opened.getexif().get(_ORIENTATION, 1)
    except (SyntaxError, ValueError, Image.DecompressionBombError) as error:
        # what Pillow says of a PNG with a broken chunk
        raise OSError(f"cannot read {file}: {error}") from error
    if kind != "PNG":
        raise ValueError(f"is no PNG but {kind}")
    depth, colours = header[24:]
    if colours not in _COLOURS:
        raise ValueError("has a palette")
    if depth != _DEPTH:
        raise ValueError(f"has {depth} bits a channel")
    if turned != 1:
        raise ValueError(f"has an orientation tag ({turned})")
    return pixels


def refine_words(mode: str, refined: Mapping[str, Any]) -> str:
    """What refine did of what it was asked for; of candidates from before that was kept, only the latter."""
    if not refined:
        return mode
    said = f"{mode}{', declined' if refined['declined'] else ''} (version {refined['version']}): "
    agrees = f" Agreement with the 3D model {refined['agreement']:.2f}."
    return said + str(refined["words"]) + ("" if refined["declined"] else agrees)

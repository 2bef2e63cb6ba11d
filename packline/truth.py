"""Truth about a product: what each label says, where it lies and runs in a view; what colour each part is."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

Point = tuple[float, float]
Quad = tuple[Point, Point, Point, Point]


@dataclass(frozen=True)
class Label:
    """A label as annotated on the model.

    Parameters
    ----------
    id
        Unique within the product ("side", "front").
    text
        The string that is printed.
    quad
        Corners in texture space (u right, v down, as in glTF) in the label's own reading frame: top left,
        top right, bottom right, bottom left of the upright text.
    material
        Name of the material whose texture carries it; empty where the model has one material.
    declared
        The direction that the catalog declares ("left to right", "top to bottom", ...); empty: as annotated.
    """

    id: str
    text: str
    quad: Quad
    material: str = ""
    declared: str = ""


@dataclass(frozen=True)
class TextTruth:
    """A label in one view.

    Parameters
    ----------
    label, text
        The label's id and its string.
    quad
        Pixel corners in reading order: top left, top right, bottom right, bottom left of the upright text.
    outline
        Pixel polygon around the label, curved surfaces included.
    angle, angle_start, angle_end
        Reading direction in degrees in the picture: 0 left to right, 90 top to bottom, 180 right to left,
        270 bottom to top; overall and in the first and last third of the label.
    mirrored
        Whether the view shows the label's back (through glass, say).
    visible
        Share of the label's area that the view shows, 0 to 1.
    span
        The visible part of the string, from 0 (its start) to 1 (its end).
    height
        Median height of the text line in pixels.
    contrast
        Difference in CIELAB lightness between the label's ink and its ground, 0 to 100.
    grid
        Pixel positions of a regular grid over the label, rows of (x, y); row 0 is the text's top. Maps the
        label's reading frame to the picture, so that a check can unroll it.
    visible_text
        The characters that show, such as "E LO" of "E LOVE"; "…" stands for those hidden between others.
    """

    label: str
    text: str
    quad: Quad
    outline: tuple[Point, ...]
    angle: float
    angle_start: float
    angle_end: float
    mirrored: bool
    visible: float
    span: tuple[float, float]
    height: float
    contrast: float
    grid: tuple[tuple[Point, ...], ...] = field(default=(), repr=False)
    visible_text: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)

    @staticmethod
    def from_dict(data: dict[str, Any]) -> TextTruth:
        """Read what `to_dict` wrote (lists become tuples)."""
        plain = {name: _tuples(value) for name, value in data.items()}
        return TextTruth(**plain)


@dataclass(frozen=True)
class Swatch:
    """One of a part's dominant colours.

    Parameters
    ----------
    lab
        CIELAB of the unlit base colour, D65 white, lightness 0 to 100.
    share
        Of the part's area, 0 to 1.
    """

    lab: tuple[float, float, float]
    share: float


@dataclass(frozen=True)
class PartColours:
    """Colour truth of one part.

    Parameters
    ----------
    part
        Its name, see `packline.stage.model.Part`.
    index
        Its value in `Reference.parts`.
    area
        Its share of the product's surface, 0 to 1.
    swatches
        By area, largest first; together they cover nearly all of the part. The same in every view.
    visible
        Its share of the product's pixels in the view; 0 where it cannot be seen.
    """

    part: str
    index: int
    area: float
    swatches: tuple[Swatch, ...]
    visible: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)

    @staticmethod
    def from_dict(data: dict[str, Any]) -> PartColours:
        """Read what `to_dict` wrote."""
        swatches = tuple(Swatch(_tuples(one["lab"]), one["share"]) for one in data["swatches"])
        return PartColours(**{**data, "swatches": swatches})


def direction_words(angle: float) -> str:
    """Say a reading direction in words.

    Parameters
    ----------
    angle
        Degrees in the picture, 0 is left to right, clockwise.
    """
    names = ("left to right", "top to bottom", "right to left", "bottom to top")
    return names[round(angle / 90) % 4]


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value

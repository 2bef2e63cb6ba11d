"""What the builders of products share."""

from __future__ import annotations

from typing import Any

from scoring.bench.products.prints import Canvas
from scoring.bench.products.spec import BenchSpec, lightness
from scoring.bench.products.surfaces import RGB, Finish, Piece, Surface, block

#: The pieces of a product, and the labels printed on them as a sidecar lists them.
Built = tuple[list[Piece], list[dict[str, Any]]]


def sticker(name: str, surface: Surface, canvas: Canvas, spec: BenchSpec) -> Piece:
    """A printed piece: paper or film, never rougher than paper or more mirror-like than the body."""
    return Piece(name, surface, Finish(picture=canvas.picture(), roughness=max(spec.roughness, 0.3)))


def printed(name: str, surface: Surface, canvas: Canvas, spec: BenchSpec) -> Piece:
    """A piece that is printed on directly, with the body's own roughness and metal."""
    return Piece(
        name, surface, Finish(picture=canvas.picture(), roughness=spec.roughness, metallic=spec.metallic)
    )


def thin_plate(width: float, height: float, thick: float = 0.0012) -> Surface:
    """A label as a thin plate with its print on the front, standing on y = 0 with its middle in z = 0."""
    corner = (0.0, 0.0, 0.004, 0.004)
    sides = ("front", "left", "right", "top", "bottom")
    charts = {side: corner for side in sides if side != "front"}
    return block((width, height, thick), thick / 3, charts, sides)


def ink_on_body(spec: BenchSpec) -> RGB:
    """The spec's ink, or near-white or near-black where it could not be read on the body."""
    if abs(lightness(spec.ink) - lightness(spec.body)) >= 35:
        return spec.ink
    return (246, 244, 239) if lightness(spec.body) < 55 else (24, 25, 30)

"""`packline render`: what the line sees of a 3D model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from packline.cli.table import console, table
from packline.colour import from_lab, to_srgb
from packline.errors import GiveUp
from packline.reference import Picture, Reference
from packline.scenes import Scene, load_scene
from packline.stage.service import RenderJob, SceneView, render_product
from packline.truth import PartColours, direction_words

#: Drawn where no view is asked for.
VIEWS = ("front", "three-quarter", "left", "right", "back", "top")
#: The side that faces the camera in a scene where none is named, as in a catalog.
SIDE = "hero"


def render_model(
    model: Path,
    out: Path,
    size: int,
    views: Sequence[str] = (),
    variant: str = "",
    scene: str = "",
    truth: Path | None = None,
) -> None:
    """Draw all passes of a model into a folder with a contact sheet, and print what is known of it.

    Parameters
    ----------
    views
        Canonical views and "label:<id>"; empty: `VIEWS`.
    variant
        The material variant; empty: the default.
    scene
        A scene's JSON file, or file:side as a catalog writes it; empty: none.
    truth
        A sidecar in place of the one beside the model.

    Raises
    ------
    GiveUp
        Where it, or a view that was asked for, cannot be drawn, with the stage's sentence.
    """
    # imports OpenGL, which the sentence about a wrong file need not wait for
    from packline.stage.passes import write_passes
    from packline.stage.sheet import contact_sheet

    wanted: list[str | SceneView] = list(dict.fromkeys(views or VIEWS))
    placed = _placed(scene)
    if placed is not None:
        wanted.append(placed)
    job = RenderJob(model.stem, model, tuple(wanted), out / "cache", size=size, variant=variant, truth=truth)
    found = render_product(job)
    if found.error or not found.references:
        raise GiveUp(found.error or " ".join(found.failed.values()))
    folder = out / (f"{model.stem} {variant}" if variant else model.stem)
    references = []
    for view in wanted:
        name = view if isinstance(view, str) else view.name
        if name in found.references:
            reference = Reference.load(found.references[name][1])
            references.append(reference)
            write_passes(reference, folder / reference.view.replace(":", "-"))
    photo = _photo(load_scene(placed.scene)) if placed is not None else None
    sheet = folder / "sheet.png"
    title = f"{model.name}, variant {variant}" if variant else model.name
    Image.fromarray(contact_sheet(references, title=title, photo=photo)).save(sheet)
    _say(references, found.notes)
    for sentence in found.failed.values():
        console().print(sentence, markup=False, highlight=False)
    console().print(str(sheet), markup=False, highlight=False, soft_wrap=True)
    if found.failed:
        raise GiveUp(f"{len(found.failed)} of {len(wanted)} views of {model.name} could not be drawn.")


def _placed(scene: str) -> SceneView | None:
    if not scene:
        return None
    file, colon, side = scene.rpartition(":")
    if not colon or side.endswith(".json"):
        file, side = scene, SIDE
    return SceneView(Path(file), side)


def _photo(scene: Scene) -> Picture:
    picture = cv2.imread(str(scene.image))
    if picture is None:
        raise GiveUp(
            f"Scene {scene.name}: its photo {scene.image} cannot be read; correct the scene's image."
        )
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def _say(references: Sequence[Reference], notes: Sequence[str]) -> None:
    say, first = console(), references[0]
    labels = [
        (
            reference.view,
            label.text,
            direction_words(label.angle) + (", mirrored" if label.mirrored else ""),
            f"{label.visible:.0%}",
            f"{label.height:.0f} px",
            f"{label.contrast:.0f}",
        )
        for reference in references
        for label in reference.labels
    ]
    if labels:
        heads = ("view", "text", "reads", "visible", "height", "contrast")
        say.print(table("Labels", heads, labels, right=(3, 4, 5)))
    else:
        say.print("No labels: no view shows one. See docs/models.md on how to annotate or propose them.")
    parts = [
        (str(part.index), part.part, f"{part.area:.1%}", _swatches(part))
        for part in sorted(first.colours, key=lambda part: -part.area)
    ]
    say.print(table("Parts", ("no.", "part", "surface", "colours"), parts, right=(0, 2)))
    if first.variants:
        shown = first.variant or "the default"
        _line(f"Material variants: {', '.join(first.variants)}; this is {shown}.")
    for note in notes:
        _line(f"Note: {note}")


def _line(sentence: str) -> None:
    console().print(sentence, markup=False, highlight=False)


def _swatches(part: PartColours) -> str:
    words = []
    for swatch in part.swatches:
        red, green, blue = (int(channel) for channel in to_srgb(from_lab(np.array(swatch.lab))))
        words.append(f"{swatch.share:.1%} #{red:02x}{green:02x}{blue:02x}")
    return ", ".join(words) or "all of it is see-through"

"""`packline render`: what the line sees of a 3D model."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from packline.cli.table import console
from packline.errors import GiveUp
from packline.reference import Reference
from packline.stage.service import RenderJob, render_product

VIEWS = ("front", "three-quarter", "left", "right", "back", "top")


def render_model(model: Path, out: Path, size: int) -> None:
    """Draw a model from all sides into a folder, and print its notes and labels.

    Raises
    ------
    GiveUp
        Where it cannot be drawn, with the stage's sentence.
    """
    from packline.stage.render import contact_sheet
    from packline.truth import direction_words

    found = render_product(RenderJob(model.stem, model, VIEWS, out / "cache", size=size))
    if found.error:
        raise GiveUp(found.error)
    references = [Reference.load(found.references[view][1]) for view in VIEWS if view in found.references]
    folder = out / model.stem
    folder.mkdir(parents=True, exist_ok=True)
    for reference in references:
        Image.fromarray(reference.colour).save(folder / f"{reference.view}.png")
    sheet = folder / "sheet.png"
    Image.fromarray(contact_sheet(references)).save(sheet)
    say = console()
    for reference in references:
        for label in reference.labels:
            say.print(
                f'{reference.view}: "{label.text}" reads {direction_words(label.angle)}, '
                f"{label.visible:.0%} visible, {label.height:.0f} px high",
                markup=False,
                highlight=False,
            )
    for sentence in (*found.notes, *found.failed.values()):
        say.print(sentence, markup=False, highlight=False)
    say.print(str(sheet), markup=False, highlight=False, soft_wrap=True)

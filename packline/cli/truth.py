"""`packline truth`: labels proposed by reading the model, accepted by a person, shown per view."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from packline.cli.table import console, table
from packline.errors import GiveUp
from packline.reference import Picture, Reference
from packline.truth import direction_words

VIEWS = ("front", "three-quarter", "left", "right", "back", "top")


class OcrReader:
    """RapidOCR's detector and the checks' recogniser, on one thread."""

    def __init__(self) -> None:
        import logging

        from rapidocr import RapidOCR

        from scoring.recogniser import recogniser

        threads = {
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
        self._detector = RapidOCR(params={"Global.log_level": "error", **threads})
        logging.getLogger("RapidOCR").setLevel(logging.ERROR)
        self._recogniser = recogniser()

    def find(self, picture: Picture) -> list[NDArray[np.float64]]:
        """Boxes around lines of text: corners clockwise, pixels, each (4, 2)."""
        found = self._detector(picture[..., ::-1], use_det=True, use_cls=False, use_rec=False)
        boxes = getattr(found, "boxes", None)
        return [] if boxes is None else [np.asarray(box, float) for box in boxes]

    def read(self, strips: Sequence[Picture]) -> list[tuple[str, float]]:
        """What each strip says and how certain that is."""
        return [(one.text, one.confidence) for one in self._recogniser.read(strips, [""] * len(strips))]


def propose_labels(model: Path, out: Path | None, truth: Path | None) -> None:
    """Look for labels on a model, write them as proposals with a sheet, and print them.

    Raises
    ------
    GiveUp
        Where the model cannot be read or the proposals cannot be written.
    """
    from packline.stage.load import load_model
    from packline.stage.propose import SIZE, propose
    from packline.stage.raster import Rasteriser
    from packline.stage.sidecar import write_proposals

    loaded = load_model(model, truth=truth)
    found = propose(loaded, Rasteriser(SIZE), OcrReader())
    file = write_proposals(model, found, out)

    from packline.stage.proposal_sheet import proposal_sheet

    sheet = file.with_suffix(".png")
    Image.fromarray(proposal_sheet(model.name, found)).save(sheet)
    rows = [
        (
            one.label.id,
            one.label.text,
            one.label.material,
            f"{one.confidence:.0%}",
            str(one.views),
            f"annotated as {one.known}" if one.known else "new",
        )
        for one in found
    ]
    say = console()
    if rows:
        heads = ("id", "text", "material", "certain", "views", "state")
        say.print(table("Proposed labels", heads, rows, right=(3, 4)))
        new = [one.label.id for one in found if not one.known]
        if new:
            _line(f"They count once accepted: packline truth accept {model} --label {new[0]}, or --all.")
    else:
        _line(f"No text was found on {model.name}.")
    missed = [label for label in loaded.labels if label.id not in {one.known for one in found}]
    for label in missed:
        _line(f"Not found again: {label.id} ({label.text}), which is annotated.")
    _line(str(file))
    _line(str(sheet))


def accept_labels(
    model: Path, labels: Sequence[str], every: bool, texts: Sequence[str], out: Path | None
) -> None:
    """Move proposals into the sidecar and say which.

    Raises
    ------
    GiveUp
        Where nothing or something impossible is asked for.
    """
    from packline.stage.sidecar import accept

    if every == bool(labels):
        raise GiveUp("Say which labels to accept: --label ID for each, or --all for every new one.")
    said = {}
    for text in texts:
        name, equals, words = text.partition("=")
        if not equals or not name.strip() or not words.strip():
            raise GiveUp(f"--text {text!r} is not of the form ID=TEXT; write, say, --text front=VOLTA.")
        said[name.strip()] = words.strip()
    accepted = accept(model, labels, said, out)
    for name, words in accepted.labels:
        _line(f'Accepted {name}: "{words}".')
    if accepted.labels:
        _line(str(accepted.file))
    else:
        _line("Nothing to accept: every proposal is annotated already.")


def show_truth(model: Path, views: Sequence[str], out: Path, size: int, truth: Path | None) -> None:
    """Draw a model's annotated labels in some views, and print what is known of each.

    Raises
    ------
    GiveUp
        Where the model or a view cannot be drawn.
    """
    from packline.stage.service import RenderJob, render_product

    wanted = tuple(dict.fromkeys(views or VIEWS))
    found = render_product(RenderJob(model.stem, model, wanted, out / "cache", size=size, truth=truth))
    if found.error or found.failed:
        raise GiveUp(found.error or next(iter(found.failed.values())))

    from packline.stage.sheet import draw_truth

    folder = out / model.stem
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for view in wanted:
        reference = Reference.load(found.references[view][1])
        picture = folder / f"truth-{view.replace(':', '-')}.png"
        Image.fromarray(draw_truth(reference.colour, reference.labels)).save(picture)
        for label in reference.labels:
            direction = direction_words(label.angle) + (", mirrored" if label.mirrored else "")
            rows.append(
                (
                    view,
                    label.label,
                    label.text,
                    label.visible_text,
                    f"{direction} ({label.angle:.0f}°: {label.angle_start:.0f}° to {label.angle_end:.0f}°)",
                    f"{label.visible:.0%}",
                    f"{label.height:.0f} px",
                    f"{label.contrast:.0f}",
                )
            )
    say = console()
    if rows:
        heads = ("view", "id", "text", "shows", "reads", "visible", "height", "contrast")
        say.print(table("Text truth", heads, rows, right=(5, 6, 7)))
    else:
        _line(
            f"No annotated label shows in {', '.join(wanted)}; propose some: packline truth propose {model}"
        )
    _line(str(folder))


def _line(sentence: str) -> None:
    console().print(sentence, markup=False, highlight=False, soft_wrap=True)

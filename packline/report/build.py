"""Writes the report."""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from packline.drift import Watch
from packline.errors import FixSettings
from packline.records import RowError, RunRecord, ShotRecord, ShotState
from packline.report import figures
from packline.report.album import Edges
from packline.report.plots import rate_plots
from packline.report.swatches import swatches
from packline.report.views import ViewMaker

_FOLDER = Path(__file__).parent / "page"


def write_report(
    run: RunRecord,
    shots: Sequence[ShotRecord],
    scene_of: Mapping[str, Path],
    file: Path,
    errors: Sequence[RowError] = (),
    previous: RunRecord | None = None,
    watches: Sequence[Watch] = (),
    whole: figures.Whole | None = None,
) -> Path:
    """Write one self-contained HTML file that shows everything a run made.

    Every picture is embedded; the page asks nothing of the network and works without JavaScript.

    Parameters
    ----------
    run
        The run and its outcome.
    shots
        Current state of every shot of the catalog, in the catalog's order; of a large catalog, the shots that
        are to be shown.
    scene_of
        Base photo by scene name. A scene that is missing here, or a picture that is no longer on disk, shows
        as a grey box with words.
    file
        Where to write; its folder is made.
    errors
        Catalog rows that could not be used.
    previous
        The run before, to compare the stations' seconds with.
    watches
        The pass rates over all runs.
    whole
        The figures of the whole catalog, where `shots` are not all; the page says that it shows only some.

    Returns
    -------
    Path
        `file`.

    Raises
    ------
    FixSettings
        Where `file` cannot be written.
    """
    result = whole.outcome if whole else figures.outcome(run, shots)
    pictures = sum(len(shot.candidates) for shot in shots)
    maker = ViewMaker(scene_of, Edges.for_candidates(pictures))
    rows = {key for error in errors for key in error.shots}
    views = [maker.shot(number, shot) for number, shot in enumerate(shots, 1)]
    checks = list(dict.fromkeys(name for view in views for name in view.failing))
    css, script = _text("report.css"), _text("report.js")
    page = (
        _environment()
        .get_template("report.html.j2")
        .render(
            run=run,
            result=result,
            shown=figures.outcome(run, shots),
            headline=figures.headline(run, result),
            views=views,
            bases=maker.bases(),
            flags=[v for v in views if v.record.state == ShotState.FLAGGED and v.record.key not in rows],
            errors=errors,
            checks={name: f"k{i}" for i, name in enumerate(checks)},
            tallies=whole.tallies if whole else figures.tally(shots),
            whole=whole,
            stations=figures.stations(run, previous),
            previous=previous,
            rates=rate_plots(watches),
            skus=list(dict.fromkeys(shot.sku for shot in shots)),
            css=Markup(css),
            script=Markup(script),
            # only this very script may run, whatever a catalog smuggles into the page
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        )
    )
    _write(file, page)
    return file


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["plain"] = figures.plain_name
    environment.filters["view"] = figures.plain_view
    environment.filters["swatches"] = swatches
    environment.filters["duration"] = figures.duration
    environment.filters["when"] = figures.when
    environment.filters["plural"] = figures.plural
    environment.globals["plural"] = figures.plural
    return environment


def _text(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _write(file: Path, page: str) -> None:
    """Replace `file` in one step, so that a browser never reads half a page."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=".report-", suffix=".html")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as stream:
                stream.write(page)
            Path(temporary).chmod(0o644)
            Path(temporary).replace(file)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise FixSettings(
            f"The report {file} cannot be written ({error.strerror}); "
            "make its folder writable or change run.work."
        ) from error

"""``packline``: the commands. Each imports what it needs when it runs, so that help is there at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from packline.cli import loras, releases, review

app = typer.Typer(
    name="packline",
    help="An assembly line for product pictures.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
models = typer.Typer(help="The editing models.", no_args_is_help=True)
loras.register(app)
app.add_typer(models, name="models")
truth = typer.Typer(help="Labels on 3D models: propose, accept, show.", no_args_is_help=True)
app.add_typer(truth, name="truth")
bench = typer.Typer(help="What the checks miss and what they reject wrongly.", no_args_is_help=True)
app.add_typer(bench, name="bench")
ledger = typer.Typer(help="The ledger: its schema, its runs, who is at work.", no_args_is_help=True)
app.add_typer(ledger, name="ledger")

ALL_PUBLISHED, WITH_FLAGS, FIX_SETTINGS, CRASHED, OCCUPIED = 0, 1, 2, 3, 4

CatalogFile = Annotated[
    Path, typer.Argument(metavar="CATALOG", help="The catalogue: .csv, .parquet or .jsonl.")
]
SettingsFile = Annotated[
    Path | None, typer.Option("--settings", help="Settings; the .toml beside the catalogue otherwise.")
]
Only = Annotated[
    list[str] | None, typer.Option("--only", metavar="SKU", help="Only this product; may be repeated.")
]


@app.command()
def run(
    catalog: CatalogFile,
    settings: SettingsFile = None,
    environment: Annotated[str, typer.Option(help="Where the release goes: dev, staging or prod.")] = "",
    only: Only = None,
    again: Annotated[bool, typer.Option("--again", help="Give flagged shots another round.")] = False,
) -> None:
    """Run the line: render, edit, check, publish what has changed.

    Exit code 0: every shot is published; 1: some are flagged; 2: the settings must be mended; 4: another run
    is at work on the catalogue.
    """
    with _sentences():
        from packline.cli.run import run_catalog
        from packline.line.order import Order

        state = run_catalog(Order(catalog, settings, environment, tuple(only or ()), again))
    raise typer.Exit(ALL_PUBLISHED if state == "completed" else WITH_FLAGS)


@app.command()
def plan(
    catalog: CatalogFile,
    settings: SettingsFile = None,
    only: Only = None,
    again: Annotated[bool, typer.Option("--again", help="As a run that is given --again.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Name the shots with nothing to do as well.")] = False,
    form: Annotated[str, typer.Option("--form", help="text, json (an object a line) or csv.")] = "text",
) -> None:
    """Say what a run would do for which shot and why, and what that would cost; do nothing."""
    with _sentences():
        from packline.cli.plan import show_plan
        from packline.line.order import Order

        show_plan(Order(catalog, settings, "", tuple(only or ()), again), form, every=every)


@app.command()
def flags(catalog: CatalogFile, settings: SettingsFile = None) -> None:
    """List the shots that wait for a person, each with its sentence.

    Exit code 0: there are none; 1: there are some.
    """
    with _sentences():
        from packline.cli.show import show_flags
        from packline.line.order import Order

        found = show_flags(Order(catalog, settings))
    raise typer.Exit(WITH_FLAGS if found else ALL_PUBLISHED)


@app.command()
def drift(catalog: CatalogFile, settings: SettingsFile = None) -> None:
    """Say whether candidates still pass as often as they used to, on the whole and check by check.

    Exit code 0: they do; 1: a pass rate has changed.
    """
    with _sentences():
        from packline.cli.drift import show_drift
        from packline.line.order import Order

        changed = show_drift(Order(catalog, settings))
    raise typer.Exit(WITH_FLAGS if changed else ALL_PUBLISHED)


@app.command()
def calibrate(
    scores: Annotated[
        Path,
        typer.Option(help="Folder of packline bench checks --split calibration, or the one that holds it."),
    ] = Path("work/bench"),
    catalog: Annotated[
        Path | None, typer.Option(help="A catalogue: what people decided on its pictures counts as well.")
    ] = None,
    alpha: Annotated[
        float, typer.Option(min=0.00001, max=0.5, help="Largest rate of plain defects that get out.")
    ] = 0.001,
    confidence: Annotated[
        float, typer.Option(min=0.5, max=0.9999, help="Probability with which that holds.")
    ] = 0.95,
    max_scorecard_rejects: Annotated[
        float, typer.Option(min=0, max=1, help="Largest share of good pictures that the checks may reject.")
    ] = 0.03,
    max_unverifiable: Annotated[
        float, typer.Option(min=0, max=1, help="Largest share of good pictures that may not be told.")
    ] = 0.08,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The file of thresholds; otherwise the one that the catalogue's settings name, else "
            "Packline's own, which every run reads whose settings name none."
        ),
    ] = None,
) -> None:
    """Set the checks' thresholds from the bench's scores and from people's decisions.

    Exit code 0: on products that played no part, escapes, false rejects and what cannot be told keep to what
    is asked; 1: some do not, and table and file say which.
    """
    with _sentences():
        from packline.cli.calibrate import calibrate_checks
        from packline.line.order import Order
        from scoring.calibration import Goal

        goal = Goal(alpha, confidence, max_scorecard_rejects, max_unverifiable)
        met = calibrate_checks(scores, Order(catalog) if catalog else None, goal, out)
    raise typer.Exit(ALL_PUBLISHED if met else WITH_FLAGS)


@app.command()
def report(catalog: CatalogFile, settings: SettingsFile = None) -> None:
    """Write the HTML report of the latest run anew and say where it lies."""
    with _sentences():
        from packline.cli.show import rewrite_report
        from packline.line.order import Order

        rewrite_report(Order(catalog, settings))


@app.command()
def clean(
    catalog: CatalogFile,
    settings: SettingsFile = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go; remove nothing.")] = False,
    keep_days: Annotated[int, typer.Option(min=0, help="Days for which even the unneeded is kept.")] = 7,
    bucket: Annotated[
        bool, typer.Option("--bucket", help="Also pictures in the bucket that the ledger never noted.")
    ] = False,
) -> None:
    """Remove from work folder and bucket what the ledger no longer needs; while a run is at work, nothing.

    What a shot of the catalogue needs stays, however old it is.
    """
    with _sentences():
        from datetime import timedelta

        from packline.cli.clean import clean_up
        from packline.line.order import Order

        clean_up(Order(catalog, settings), dry_run, timedelta(days=keep_days), with_objects=bucket)


@app.command()
def link(
    catalog: CatalogFile,
    key: Annotated[str, typer.Argument(metavar="KEY", help="An object's key, as a manifest names it.")],
    settings: SettingsFile = None,
    hours: Annotated[float, typer.Option(min=0.01, max=168, help="For how long it holds.")] = 24,
) -> None:
    """Print an address from which anybody can read an object of the bucket for a while."""
    with _sentences():
        from packline.cli.link import link as address
        from packline.line.order import Order

        typer.echo(address(Order(catalog, settings), key, int(hours * 3600)))


@app.command()
def render(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A 3D model: .glb, .gltf, .fbx or .obj.")],
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path("work/render"),
    size: Annotated[int, typer.Option(min=64, max=4096, help="Pixels on a side.")] = 512,
    view: Annotated[
        list[str] | None,
        typer.Option(help="A view to draw (front, label:<id>, ...); may be repeated. Six sides otherwise."),
    ] = None,
    variant: Annotated[str, typer.Option(help="The material variant to draw.")] = "",
    scene: Annotated[
        str, typer.Option(metavar="FILE[:SIDE]", help="A scene's .json: draw it standing there as well.")
    ] = "",
    truth: Annotated[
        Path | None, typer.Option(help="Labels and front; the .truth.json beside the model otherwise.")
    ] = None,
) -> None:
    """Draw every pass of a 3D model and a contact sheet, to see what the line sees.

    Exit code 2: the model or a view that was asked for cannot be drawn; the sentence says how to mend it.
    """
    with _sentences():
        from packline.cli.render import render_model

        render_model(model, out, size, view or (), variant, scene, truth)


@app.command()
def provenance(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A delivered picture.")],
    catalog: Annotated[
        Path | None,
        typer.Argument(metavar="CATALOG", help="Its catalogue: what the ledger knows of it as well."),
    ] = None,
    settings: SettingsFile = None,
) -> None:
    """Say what a delivered file says of itself, whether that holds, and what is behind it.

    Exit code 0: it says where it came from and that holds; 1: it does not; 2: it is no picture.
    """
    with _sentences():
        from packline.cli.provenance import show_provenance
        from packline.line.order import Order

        asked = catalog or settings
        holds = show_provenance(file, Order(asked, settings) if asked else None)
    raise typer.Exit(ALL_PUBLISHED if holds else WITH_FLAGS)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 4200,
    limit: Annotated[int, typer.Option(min=1, help="Runs at a time.")] = 1,
    home: Annotated[Path, typer.Option(help="Folder for database and logs.")] = Path("work/prefect"),
) -> None:
    """Start a Prefect server, a worker and the deployments of prefect.yaml; Ctrl-C stops them."""
    with _sentences():
        from packline.cli.serve import serve as start

        start(host, port, home.resolve(), limit, lambda line: typer.echo(f"serve: {line}"))


@models.command("list")
def list_models() -> None:
    """List the editing models that a settings file may name: licences, and where their weights are here."""
    with _sentences():
        from packline.cli.models import show_models

        show_models()


ModelFile = Annotated[Path, typer.Argument(metavar="MODEL", help="A 3D model: .glb, .gltf, .fbx or .obj.")]
LabelFolder = Annotated[
    Path | None, typer.Option("--out", help="Folder for proposals and sidecar; the model's own otherwise.")
]
TruthFile = Annotated[
    Path | None, typer.Option("--truth", help="Labels and front; the .truth.json beside the model otherwise.")
]


@truth.command("propose")
def propose_labels(model: ModelFile, out: LabelFolder = None, annotated: TruthFile = None) -> None:
    """Look for text all over a model and propose labels; they count once they are accepted."""
    with _sentences():
        from packline.cli.truth import propose_labels as look

        look(model, out, annotated)


@truth.command("accept")
def accept_labels(
    model: ModelFile,
    label: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="A proposed label; may be repeated.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every new one.")] = False,
    text: Annotated[
        list[str] | None, typer.Option(metavar="ID=TEXT", help="What it says, where it was misread.")
    ] = None,
    out: LabelFolder = None,
) -> None:
    """Move proposed labels into the model's sidecar, which keeps all else that it says."""
    with _sentences():
        from packline.cli.truth import accept_labels as accept

        accept(model, label or (), every, text or (), out)


@truth.command("show")
def show_labels(
    model: ModelFile,
    view: Annotated[list[str] | None, typer.Option(help="A view to draw; may be repeated.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path("work/render"),
    size: Annotated[int, typer.Option(min=64, max=4096, help="Pixels on a side.")] = 512,
    annotated: TruthFile = None,
) -> None:
    """Draw the text truth of a model's annotated labels in each view, and print it."""
    with _sentences():
        from packline.cli.truth import show_truth

        show_truth(model, view or (), out, size, annotated)


@bench.command("checks")
def bench_the_checks(
    split: Annotated[str, typer.Option(help="Products and fonts: calibration or test.")] = "test",
    takes: Annotated[int, typer.Option(min=1, help="Products in scenes, 30 pictures each.")] = 200,
    size: Annotated[int, typer.Option(min=128, max=2048, help="Pixels on a side.")] = 512,
    out: Annotated[Path, typer.Option(help="Folder; a run that was stopped goes on there.")] = Path(
        "work/bench"
    ),
    seed: Annotated[int, typer.Option(min=0, help="Another seed, other pictures.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    settings: Annotated[
        Path | None, typer.Option(help="A settings file whose [checks.*] count; the defaults otherwise.")
    ] = None,
    write_docs: Annotated[
        bool, typer.Option("--write-docs", help="Write docs/bench.md and its plot anew.")
    ] = False,
    foreign: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="How far all look as another renderer draws them; left out: one of four."
        ),
    ] = None,
) -> None:
    """Make pictures whose faults are known: which do the checks let out, which good ones do they reject?"""
    with _sentences():
        from packline.cli.bench import bench_checks

        bench_checks(split, takes, size, out, seed, workers, settings, write_docs, foreign)


@ledger.command("status")
def ledger_status(catalog: CatalogFile, settings: SettingsFile = None) -> None:
    """Say where the ledger is, its schema and size, each catalogue's last run, and who is at work."""
    with _sentences():
        from packline.cli.ledger import show_status
        from packline.line.order import Order

        show_status(Order(catalog, settings))


@ledger.command("upgrade")
def ledger_upgrade(
    catalog: CatalogFile,
    settings: SettingsFile = None,
    url: Annotated[
        str, typer.Option(help="The same database in a role that may change tables; ledger.url otherwise.")
    ] = "",
) -> None:
    """Bring the ledger to the present schema, as the next run would, where the run's own role may not."""
    with _sentences():
        from packline.cli.ledger import upgrade_ledger
        from packline.line.order import Order

        upgrade_ledger(Order(catalog, settings), url)


# behind the commands above, so that help begins with `run`
releases.register(app)
review.register(app)


@contextmanager
def _sentences() -> Iterator[None]:
    """An error that Packline raises on purpose is a sentence, not a traceback."""
    from packline.errors import FixSettings, GiveUp, Occupied, PacklineError

    try:
        yield
    except Occupied as error:
        typer.echo(f"packline: {error}", err=True)
        raise typer.Exit(OCCUPIED) from None
    except (FixSettings, GiveUp) as error:
        typer.echo(f"packline: {error}", err=True)
        raise typer.Exit(FIX_SETTINGS) from None
    except PacklineError as error:
        typer.echo(f"packline: {error}", err=True)
        raise typer.Exit(CRASHED) from None
    except KeyboardInterrupt:
        typer.echo("packline: stopped; what is done is kept, run it again to go on.", err=True)
        raise typer.Exit(130) from None

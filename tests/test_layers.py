"""Imports run one way: flows to tasks to scoring and packline, and packline to none of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HOUSES = ("packline", "scoring", "tasks", "flows")


def python_files(*folders: str) -> list[Path]:
    return sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py"))


def imports(file: Path) -> Iterator[str]:
    """Full names of the modules that a file imports, at its top or anywhere within."""
    package = list(file.relative_to(ROOT).with_suffix("").parts[:-1])
    for node in ast.walk(ast.parse(file.read_text(), str(file))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            yield stem
            yield from (f"{stem}.{alias.name}" for alias in node.names)


def wrong(files: list[Path], *forbidden: str) -> list[str]:
    return [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in files
        for name in imports(file)
        if any(name == one or name.startswith(f"{one}.") for one in forbidden)
    ]


def machinery() -> list[Path]:
    return [file for file in python_files("packline") if "cli" not in file.relative_to(ROOT).parts]


def test_the_houses_are_where_this_test_looks_for_them() -> None:
    assert len(machinery()) > 20
    assert python_files("scoring")


def test_the_machinery_knows_nothing_of_flows_tasks_scoring_or_prefect() -> None:
    assert wrong(machinery(), "flows", "tasks", "scoring", "prefect", "packline.cli") == []


def test_scoring_sees_plain_types_only() -> None:
    files = python_files("scoring")
    assert (
        wrong(files, "flows", "tasks", "prefect", "packline.cli", "packline.editing", "packline.ledger") == []
    )
    assert wrong(files, "packline.bucket", "packline.publish", "packline.plan", "packline.report") == []
    rendering = [
        f"packline.stage.{name}" for name in ("service", "raster", "lighting", "load", "shadow", "gl")
    ]
    # the bench alone draws: it makes the pictures that the checks are measured on
    checks = [file for file in files if "bench" not in file.relative_to(ROOT).parts]
    assert wrong(checks, *rendering, "scoring.bench") == []


def test_tasks_know_nothing_of_flows_or_the_command_line() -> None:
    assert wrong(python_files("tasks"), "flows", "packline.cli") == []


def test_nothing_but_flows_tasks_and_the_command_line_imports_prefect() -> None:
    others = [
        file
        for file in python_files("packline", "scoring", "training", "benchmarks", "assets")
        if not file.is_relative_to(ROOT / "packline" / "cli")
    ]
    assert wrong(others, "prefect") == []


@pytest.mark.parametrize(
    ("source", "caught"),
    [
        ("import prefect", True),
        ("from prefect.flows import Flow", True),
        ("def f():\n    from flows import catalog_run", True),
        ("if True:\n    import tasks.render as t", True),
        ("from packline import ledger", True),
        ("from . import ledger", True),
        ("from .ledger.schema import runs", True),
        ("import prefectly", False),
        ("from packline.records import Work", False),
    ],
)
def test_this_test_catches_every_way_to_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, caught: bool
) -> None:
    monkeypatch.setattr("tests.test_layers.ROOT", tmp_path)
    (tmp_path / "packline").mkdir()
    (tmp_path / "packline" / "x.py").write_text(source)
    found = wrong(python_files("packline"), "prefect", "flows", "tasks", "packline.ledger")
    assert bool(found) == caught


def test_planning_needs_neither_torch_nor_pandas_nor_boto3_to_start() -> None:
    """A run that finds nothing to do must say so at once: what is heavy is imported where it is used."""
    import subprocess
    import sys

    code = (
        "import sys, packline.catalog, packline.plan, packline.ledger, packline.bucket, packline.publish;"
        "print(sorted({'torch', 'pandas', 'boto3', 'prefect', 'trimesh', 'transformers'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"

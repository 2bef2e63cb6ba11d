"""A ledger of any age is brought to the present schema when it is opened, and loses nothing."""

from __future__ import annotations

import json
import multiprocessing
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import inspect
from sqlalchemy.exc import IntegrityError

from packline.errors import FixSettings
from packline.ledger import Ledger
from packline.ledger.database import connect
from packline.ledger.faults import shown
from packline.ledger.migrations import BASELINE, revisions
from packline.ledger.schema import HISTORY, metadata
from packline.records import ShotState
from tests.postgres import change, rows

OLD = Path(__file__).parent / "ledgers"


def lay_old(url: str, schema: int) -> None:
    """A ledger as an earlier Packline left it: a dump of one that it wrote."""
    if url.startswith("sqlite"):
        file = sqlite3.connect(url.removeprefix("sqlite:///"))
        file.executescript(dump("sqlite", schema))
        file.close()
    else:
        change(url, dump("postgresql", schema))


def dump(database: str, schema: int) -> str:
    return (OLD / f"schema_{schema}.{database}.sql").read_text()


def structure(url: str) -> list[object]:
    """What separates a database from the present tables, as Alembic sees it."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    reader, _ = connect(url)
    with reader.connect() as connection:
        # on SQLite Alembic takes the default '' for another than ""
        defaults = connection.dialect.name == "postgresql"
        context = MigrationContext.configure(connection, opts={"compare_server_default": defaults})
        differences = compare_metadata(context, metadata)
    reader.dispose()
    return list(differences)


def test_a_migrated_ledger_is_what_the_schema_says(empty_url: str) -> None:
    Ledger(empty_url).close()
    assert structure(empty_url) == []
    assert rows(empty_url, "select version_num from alembic_version") == [(revisions()[-1],)]


@pytest.mark.parametrize("schema", [1, 2])
def test_a_ledger_from_before_revisions_is_taken_over_with_all_that_it_holds(
    empty_url: str, schema: int
) -> None:
    lay_old(empty_url, schema)
    add_product_with_strength(empty_url)
    everything = {
        name: f'select {columns_of(empty_url, name)} from "{name}"'
        for name in tables_of(empty_url)
        # releases are told in other tables now (tests/releases/test_migration.py)
        if name not in ("schema_version", "releases", "release_items")
    }
    before = {name: rows(empty_url, query) for name, query in everything.items()}
    assert [name for name in before if not before[name]] in ([], ["notes"]), "every table has rows to lose"
    ledger = Ledger(empty_url)
    assert structure(empty_url) == []
    assert {name: rows(empty_url, query) for name, query in everything.items()} == before
    # a row of the catalog may ask for a stack of LoRAs now
    found = rows(empty_url, "select lora, strengths from products where lora != '' order by lora")
    told = [(lora, json.loads(text) if isinstance(text, str) else text) for lora, text in found]
    assert ("moody", [0.75]) in told
    by_key = {record.key: record for record in ledger.shots("demo")}
    assert by_key["A1/table/hero"].state == ShotState.PUBLISHED
    assert by_key["A1/table/hero"].keys == {"hero": "k.png"}
    assert by_key["A1/table/hero"].candidates[0].candidate.recipe.seed == 2000000123
    assert by_key["B1/table/hero"].sentence == "Row 2, SKU B1: model is missing."
    assert ledger.latest_run("demo") is not None
    ledger.close()
    assert_history_is_kept(empty_url)


def add_product_with_strength(url: str) -> None:
    reader, _ = connect(url)
    names = [one["name"] for one in inspect(reader).get_columns("products")]
    reader.dispose()
    own = {"digest": "'ffffffffffffffff'", "sku": "'Z9'", "lora": "'moody'", "lora_strength": "0.75"}
    columns, values = (
        ", ".join(each) for each in ([f'"{n}"' for n in names], [own.get(n, f'"{n}"') for n in names])
    )
    change(url, f"insert into products ({columns}) select {values} from products limit 1")


def tables_of(url: str) -> list[str]:
    reader, _ = connect(url)
    found = inspect(reader).get_table_names()
    reader.dispose()
    return found


def columns_of(url: str, table: str) -> str:
    reader, _ = connect(url)
    # a strength is one of a list now (the test looks there)
    names = [one["name"] for one in inspect(reader).get_columns(table) if one["name"] != "lora_strength"]
    found = ", ".join(f'"{name}"' for name in names)
    reader.dispose()
    return found


def assert_history_is_kept(url: str) -> None:
    """No table of history that holds a row lets it be changed or deleted."""
    for table in HISTORY:
        column = table.columns.keys()[0]
        refused = [f'update "{table.name}" set "{column}" = "{column}"', f'delete from "{table.name}"']
        if url.startswith("postgresql"):
            refused.append(f'truncate "{table.name}" cascade')
        for statement in refused:
            if rows(url, f'select count(*) from "{table.name}"') == [(0,)]:
                continue
            with pytest.raises(IntegrityError, match=f"{table.name} is history: append, never change"):
                change(url, statement)


def test_opening_a_present_ledger_does_not_even_import_alembic(ledger_url: str) -> None:
    Ledger(ledger_url).close()
    program = (
        "import sys; from packline.ledger import Ledger; Ledger(sys.argv[1]).latest_run('demo'); "
        "assert 'alembic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program, ledger_url], check=True)


@pytest.mark.parametrize(
    ("how", "known"),
    [
        ("update alembic_version set version_num = '9999_later'", "9999_later"),
        ("drop table alembic_version", "number 3"),
    ],
)
def test_a_ledger_of_a_later_packline_is_refused_with_a_sentence(
    ledger_url: str, how: str, known: str
) -> None:
    Ledger(ledger_url).close()
    change(ledger_url, how)
    with pytest.raises(FixSettings) as caught:
        Ledger(ledger_url)
    said = (
        f"Ledger {shown(connect(ledger_url)[0].url)} was written by another Packline (its schema is {known}, "
    )
    said += f"this one knows {revisions()[-1]}); update Packline, or name another file in ledger.url."
    assert str(caught.value) == said
    assert structure(ledger_url) == [], "nothing was touched"


def _open(url: str, barrier: object) -> None:
    barrier.wait()  # type: ignore[attr-defined]
    Ledger(url).close()


@pytest.mark.parametrize("schema", [0, 1])
def test_processes_that_open_an_old_or_absent_ledger_at_once_upgrade_it_once(
    empty_url: str, schema: int
) -> None:
    if schema:
        lay_old(empty_url, schema)
    # not by fork: a child would inherit whatever threads and loops other tests left in this process
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(4)
    workers = [spawn.Process(target=_open, args=(empty_url, barrier)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert structure(empty_url) == []


def test_an_upgrade_that_breaks_off_leaves_the_old_ledger_whole(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_old(empty_url, 1)
    monkeypatch.setattr("packline.ledger.migrations.lay_triggers", lambda connection: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        Ledger(empty_url)
    tables = tables_of(empty_url)
    assert "alembic_version" not in tables
    assert "notes" not in tables
    assert rows(empty_url, "select version from schema_version") == [(1,)]
    monkeypatch.undo()
    Ledger(empty_url).close()
    assert structure(empty_url) == []


def test_revisions_are_one_line_named_after_their_files() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", "packline:ledger/migrations")
    script = ScriptDirectory.from_config(config)
    line = [one.revision for one in script.walk_revisions()][::-1]
    assert tuple(line) == revisions()
    assert line[0] == BASELINE
    assert script.get_heads() == [line[-1]]
    assert all(len(name) <= 32 for name in line), "longer ones do not fit Alembic's own table"


def test_the_revisions_travel_in_the_installed_package() -> None:
    import tomllib

    from setuptools import find_packages

    root = Path(__file__).parents[1]
    settings = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]
    found = find_packages(str(root), include=settings["packages"]["find"]["include"])
    # modules of a package are always taken along; env.py and the revisions are modules
    assert {"packline.ledger.migrations", "packline.ledger.migrations.versions"} <= set(found)

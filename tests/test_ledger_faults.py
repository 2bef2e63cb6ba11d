"""What a failing database means to whoever uses the ledger: a sentence, typed by what to do next."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from packline.errors import FixSettings, TryAgain
from packline.ledger import Ledger, database
from packline.ledger.database import connect
from packline.ledger.migrations import revisions
from packline.ledger.status import ledger_status, upgrade
from tests.postgres import Server, change, rows
from tests.test_ledger_migrations import lay_old, structure


@pytest.fixture
def guest(postgres: Server) -> Iterator[str]:
    """A role that may connect and nothing else."""
    where = f"host={postgres.folder} user=packline dbname=postgres"
    with psycopg.connect(where, autocommit=True) as connection:
        connection.execute("CREATE ROLE guest LOGIN PASSWORD 'open sesame'")
    yield "guest"
    with psycopg.connect(where, autocommit=True) as connection:
        connection.execute("DROP ROLE guest")


def as_guest(url: str, guest: str) -> str:
    return url.replace("packline@", f"{guest}:open%20sesame@")


def test_a_server_that_cannot_be_reached_is_asked_again(tmp_path: Path) -> None:
    with pytest.raises(TryAgain) as caught:
        Ledger(f"postgresql://mary:secret@/ledger?host={tmp_path}")
    assert str(caught.value).startswith("Ledger postgresql+psycopg://mary:***@/ledger?host=")
    assert "cannot be reached (" in str(caught.value)
    assert str(caught.value).endswith("; try again, or correct ledger.url.")


def test_a_database_that_is_not_there_is_named(postgres: Server) -> None:
    with pytest.raises(FixSettings, match=r"/nowhere\S* does not exist \(.*\); create it or correct"):
        Ledger(postgres.url("nowhere"))


def test_a_role_that_may_not_come_in_is_told_so(postgres_url: str) -> None:
    with pytest.raises(FixSettings, match=r"refuses these credentials \(.*stranger.*\); correct ledger\.url"):
        Ledger(as_guest(postgres_url, "stranger"))


def test_a_role_that_may_not_change_tables_is_told_who_may(postgres: Server, guest: str) -> None:
    name = postgres.create(empty=True)
    url = postgres.url(name)
    try:
        with pytest.raises(
            FixSettings, match=r"may not be changed by this role .*`packline ledger upgrade"
        ) as told:
            Ledger(as_guest(url, guest))
        assert "sesame" not in str(told.value)
        assert upgrade(url) == ("", revisions()[-1])
        change(url, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO guest")
        reader = Ledger(as_guest(url, guest))
        assert reader.latest_run("demo") is None
        with pytest.raises(FixSettings, match=r"may not be changed by this role \(permission denied"):
            reader.begin_run("demo", {})
        reader.close()
    finally:
        postgres.drop(name)


def test_a_connection_that_was_cut_while_nobody_used_it_is_replaced(postgres_url: str) -> None:
    ledger = Ledger(postgres_url)
    run = ledger.begin_run("demo", {})
    cut_all(postgres_url)
    ledger.end_run(run, "completed", {})
    assert ledger.run(run).state == "completed"
    ledger.close()


def test_a_connection_that_is_cut_in_the_middle_of_a_write_leaves_nothing_and_is_asked_again(
    postgres_url: str,
) -> None:
    ledger = Ledger(postgres_url)
    run = ledger.begin_run("demo", {})
    with pytest.raises(TryAgain, match="cannot be"), ledger._write() as connection:
        connection.exec_driver_sql(f"update runs set state = 'half way' where id = '{run}'")
        cut_all(postgres_url)
        connection.exec_driver_sql(f"update runs set state = 'done' where id = '{run}'")
    assert ledger.run(run).state == "running"
    ledger.close()


def cut_all(url: str) -> None:
    query = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()"
    rows(url, f"{query} and pid <> pg_backend_pid()")


def test_writers_that_wait_for_each_other_are_asked_again(postgres_url: str) -> None:
    ledger = Ledger(postgres_url)
    runs = [ledger.begin_run(name, {}) for name in ("one", "two")]
    barrier = threading.Barrier(2)
    told: list[TryAgain] = []

    def write(first: str, second: str) -> None:
        try:
            with ledger._write() as connection:
                connection.exec_driver_sql(f"update runs set state = 'a' where id = '{first}'")
                barrier.wait(30)
                connection.exec_driver_sql(f"update runs set state = 'b' where id = '{second}'")
        except TryAgain as error:
            told.append(error)

    threads = [threading.Thread(target=write, args=pair) for pair in (runs, runs[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [str(error).partition("cannot be used ")[2] for error in told] == [
        "just now (two writers met); try again."
    ]
    assert sorted(ledger.run(run).state for run in runs) == ["a", "b"], "one went through, whole"
    ledger.close()


def test_a_ledger_that_another_process_holds_is_asked_again(
    ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_PATIENCE", 0.1)
    ledger = Ledger(ledger_url)
    _, holder = connect(ledger_url)
    with holder.begin() as connection:
        if ledger_url.startswith("postgresql"):
            connection.exec_driver_sql("lock table runs in exclusive mode")
        with pytest.raises(TryAgain, match="another process"):
            ledger.begin_run("demo", {})
    ledger.begin_run("demo", {})
    ledger.close()
    holder.dispose()


@pytest.mark.parametrize("schema", [0, 1, 2])
def test_asking_for_a_ledgers_status_changes_nothing(empty_url: str, schema: int, tmp_path: Path) -> None:
    if schema:
        lay_old(empty_url, schema)
    elif empty_url.startswith("sqlite"):
        with pytest.raises(FixSettings, match="does not exist yet; its first run lays it"):
            ledger_status(empty_url)
        assert not (tmp_path / "ledger.db").exists()
        return
    status = ledger_status(empty_url)
    assert (status.schema, status.catalogs, status.leases) == ("", (), ())
    assert structure(empty_url) != []


def test_a_ledgers_status_says_what_it_holds_and_who_is_at_work(ledger_url: str) -> None:
    ledger = Ledger(ledger_url)
    for state in ("completed", "failed"):
        ledger.end_run(ledger.begin_run("demo", {}), state, {})
    run = ledger.begin_run("shoes", {})
    status = ledger_status(ledger_url)
    assert status.schema == status.newest == revisions()[-1]
    assert status.database.startswith(("SQLite 3.", "PostgreSQL "))
    assert status.size > 100_000
    assert [(one.catalog, one.runs, one.state) for one in status.catalogs] == [
        ("demo", 2, "failed"),
        ("shoes", 1, "running"),
    ]
    assert [(lease.catalog, lease.run) for lease in status.leases] == [("shoes", run)]
    ledger.close()

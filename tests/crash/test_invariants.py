"""The script that judges the kills sees what it is there to see."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash import invariants

Harm = Callable[[sqlite3.Connection, Path], object]


@pytest.fixture
def copy(settled: Path, tmp_path: Path) -> Path:
    """A copy of a ledger and a bucket after a run that went to its end, whose history may be changed."""
    shutil.copytree(settled / "bucket", tmp_path / "bucket")
    shutil.copy(settled / "ledger.db", tmp_path)
    ledger = sqlite3.connect(tmp_path / "ledger.db")
    for (name,) in ledger.execute("select name from sqlite_master where type = 'trigger'").fetchall():
        ledger.execute(f"drop trigger {name}")
    ledger.commit()
    ledger.close()
    return tmp_path


def faults(folder: Path, memory: invariants.Memory | None = None) -> list[str]:
    return invariants.check(str(folder / "ledger.db"), folder / "bucket", memory, settled=True)


def sql(statement: str) -> Harm:
    return lambda ledger, bucket: ledger.executescript(statement)


def file_of(bucket: Path, pattern: str) -> Path:
    return sorted(bucket.rglob(pattern))[0]


def spoil(ledger: sqlite3.Connection, bucket: Path) -> None:
    place = file_of(bucket, "images/**/*.png")
    place.write_bytes(place.read_bytes()[:-1] + b"x")


def point_elsewhere(ledger: sqlite3.Connection, bucket: Path) -> None:
    pointer = file_of(bucket, "environments/*.json")
    said = json.loads(pointer.read_text())
    pointer.write_text(json.dumps({**said, "sha256": "0" * 64}))


def publish_twice(ledger: sqlite3.Connection, bucket: Path) -> None:
    columns = [
        row[1] for row in ledger.execute("pragma table_info(publications)") if row[1] not in ("id", "key")
    ]
    names = ", ".join(f'"{name}"' for name in columns)
    ledger.execute(
        f"insert into publications ({names}, key) select {names}, key || '2' from publications limit 1"
    )


def make_twice(ledger: sqlite3.Connection, bucket: Path) -> None:
    columns = [row[1] for row in ledger.execute("pragma table_info(candidates)") if row[1] != "id"]
    names = ", ".join(f'"{name}"' for name in columns)
    ledger.execute(f"insert into candidates ({names}, id) select {names}, id || '2' from candidates limit 1")


HARM: dict[str, tuple[Harm, str]] = {
    "an object is gone": (
        lambda _, bucket: file_of(bucket, "images/**/*.jpg").unlink(),
        "is not there as it was",
    ),
    "an object is spoilt": (spoil, "has other bytes than its name says"),
    "a picture is nobody's": (
        lambda _, bucket: (bucket / "demo/demo/images/stray-e3b0c44298fc1c14.png").write_bytes(b""),
        "is nobody's picture",
    ),
    "a pointer points elsewhere": (point_elsewhere, "points at manifest"),
    "a manifest is gone": (
        lambda _, bucket: file_of(bucket, "releases/*.json").unlink(),
        "points at manifest",
    ),
    "a pointer moved by itself": (sql("delete from moves"), "was moved and the ledger does not know it"),
    "published twice": (publish_twice, "2 publications show"),
    "made twice": (make_twice, "2 candidates are number"),
    "a scorecard fails": (sql("update scorecards set passed = 0"), "neither passed nor was approved"),
    "a scorecard is another's": (
        sql(
            "update selects set scorecard = "
            "(select min(id) from scorecards where candidate <> selects.candidate)"
        ),
        "neither passed nor was approved",
    ),
    "a shot is in no state": (sql("delete from shot_states"), "is in no state"),
    "a shot is in an unknown state": (
        sql("update shot_states set state = 'lost'"),
        "is in the unknown state 'lost'",
    ),
    "a shot was left": (sql("update shot_states set state = 'to do', candidate = ''"), "was left to do"),
    "a flag says nothing": (
        sql("update shot_states set state = 'flagged', candidate = ''"),
        "nobody said why",
    ),
    "a select that never was": (sql("delete from selects"), "was never selected"),
    "a recipe forgets its seed": (
        sql("update candidates set recipe = json_set(recipe, '$.prompt', '')"),
        "its recipe does not say",
    ),
    "two runs at once": (
        sql(
            "update runs set state = 'running', ended = null;"
            "create table other as select * from runs; update other set id = id || '2';"
            "insert into runs select * from other; drop table other"
        ),
        "2 runs work on demo",
    ),
    "a lease is left": (
        sql("insert into leases select catalog, id, '', '', 1, '', started, started, started from runs"),
        "is held by .*, which does not run",
    ),
}


@pytest.mark.parametrize("what", HARM)
def test_harm_is_seen(copy: Path, what: str) -> None:
    harm, words = HARM[what]
    ledger = sqlite3.connect(copy / "ledger.db")
    harm(ledger, copy / "bucket")
    ledger.commit()
    ledger.close()
    found = faults(copy)
    assert any(re.search(words, fault) for fault in found), found


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("update stations set seconds = seconds + 1", r"stations \d+ was changed or is gone"),
        ("update decisions set words = 'so'", r"decisions \d+ was changed or is gone"),
        ("update candidates set cost = 0", "was paid for, is gone or has another price"),
    ],
)
def test_history_that_changes_between_two_looks_is_seen(copy: Path, statement: str, words: str) -> None:
    memory = invariants.Memory()
    assert faults(copy, memory) == []
    assert faults(copy, memory) == []
    ledger = sqlite3.connect(copy / "ledger.db")
    ledger.execute(statement)
    ledger.commit()
    ledger.close()
    found = faults(copy, memory)
    assert found and all(re.search(words, fault) for fault in found), found


def test_the_script_knows_no_packline_and_says_what_is_wrong(copy: Path) -> None:
    script = Path(invariants.__file__)
    given = [
        sys.executable,
        "-I",
        script,
        "--ledger",
        copy / "ledger.db",
        "--bucket",
        copy / "bucket",
        "--settled",
    ]
    fine = subprocess.run(given, capture_output=True, text=True)
    assert (fine.returncode, fine.stdout) == (0, "everything is as it must be\n")
    file_of(copy / "bucket", "images/**/*.png").unlink()
    harmed = subprocess.run(given, capture_output=True, text=True)
    assert harmed.returncode == 1
    assert "is not there as it was noted" in harmed.stdout
    imported = [line for line in script.read_text().splitlines() if line.startswith(("import ", "from "))]
    assert not any("packline" in line or "tests" in line for line in imported)

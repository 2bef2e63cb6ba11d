"""`packline promote`, `rollback` and `release`: what they print, and their exit codes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from packline.cli.main import app
from packline.cli.release_tables import size
from packline.ledger import Ledger
from packline.releases.site import open_site
from packline.settings import load_settings
from tests.parts import make_folder
from tests.releases.shop import Shop

SHELL = CliRunner()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """Three releases in dev: A and B, B anew, B alone."""
    make_folder(tmp_path)
    (tmp_path / "demo.csv").unlink()  # moving a pointer needs no catalogue
    site = open_site(load_settings(tmp_path / "demo.toml"))
    made = Shop(tmp_path, site.ledger, site.bucket)
    made.plan({"A": "red", "B": "blue"})
    made.publish("AB", uses="hero zoom")
    made.released()
    made.plan({"A": "red", "B": "pink"})
    made.publish("B", uses="hero zoom")
    made.released()
    made.plan({"B": "pink"})
    made.released()
    yield made
    site.ledger.close()


def packline(shop: Shop, *words: str) -> Result:
    command, rest = (words[:2], words[2:]) if words[0] == "release" else (words[:1], words[1:])
    return SHELL.invoke(app, [*command, str(shop.folder / "demo.csv"), *rest])


def ids(ledger: Ledger) -> list[str]:
    """Of the releases, the first one first."""
    return [one.id for one in ledger.releases.latest("demo", 10)][::-1]


def test_promote_and_rollback_say_what_moved_and_refuse_with_a_sentence(shop: Shop) -> None:
    one, two, three = ids(shop.ledger)
    done = packline(shop, "promote", "--from", "dev", "--to", "prod", "--by", "ada", "--why", "season")
    assert (done.exit_code, done.stdout) == (0, f"Environment prod now shows {three}: 1 picture.\n")
    again = packline(shop, "promote", "--from", "dev", "--to", "prod")
    assert (again.exit_code, again.stdout) == (0, f"Environment prod shows {three} already; nothing moved.\n")
    back = packline(shop, "rollback", "--environment", "dev", "--why", "A is missing")
    assert back.stdout == f"Environment dev now shows {two}: 2 pictures (was {three}: 1 added).\n"
    for words, sentence in (
        (
            ("rollback", "--environment", "prod"),
            f"Environment prod of demo shows {three} and has shown nothing",
        ),
        (("rollback", "--environment", "live"), "There is no environment 'live'; choose one of dev, staging"),
        (("promote", "--from", "dev", "--to", "live"), "There is no environment 'live'"),
        (("promote", "--to", "prod", "--release", "zz"), "Catalogue demo has no release zz"),
        (("promote", "--to", "prod"), "There is nothing to promote"),
    ):
        refused = packline(shop, *words)
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert refused.stderr.startswith(f"packline: {sentence}")
        assert "Traceback" not in refused.stderr
    first = shop.ledger.moves.list("demo", "prod")[0]
    assert (first.by, first.why) == ("ada", "season")
    (shop.folder / "bucket" / shop.ledger.releases.find("demo", one).key).unlink()
    gone = packline(shop, "rollback", "--environment", "dev", "--to", one)
    assert (gone.exit_code, "is not in the bucket" in gone.stderr) == (2, True)


def test_the_list_says_what_each_environment_shows_and_who_moved_it(shop: Shop) -> None:
    one, two, three = ids(shop.ledger)
    packline(shop, "promote", "--from", "dev", "--to", "prod", "--by", "ada")
    packline(shop, "rollback", "--environment", "prod", "--to", one, "--by", "bob", "--why", "too dark")
    said = packline(shop, "release", "list").stdout
    lines = [line.split() for line in said.splitlines()]
    assert [three, "dev", "1", "2"] in [line[:4] for line in lines]
    assert [two, "2", "4"] in [line[:3] for line in lines]
    assert [one, "prod", "2", "4"] in [line[:4] for line in lines]
    assert ["prod", "rollback", three, one, "bob", "too", "dark"] in [line[1:] for line in lines]
    assert said.splitlines()[-1] == (
        f"Environment prod was rolled back to {one} by bob (too dark); runs leave it there until somebody "
        f"promotes to it."
    )
    only = packline(shop, "release", "list", "--environment", "prod", "--most", "1").stdout
    assert (only.count("rollback"), only.count("promotion"), only.count(three)) == (1, 0, 2)


def test_a_release_is_shown_by_use_and_format_with_its_manifest(shop: Shop) -> None:
    two = ids(shop.ledger)[1]
    release = shop.ledger.releases.find("demo", two)
    said = packline(shop, "release", "show", two[:8]).stdout
    assert "demo, " + two[:8] + ": 2 pictures, 0 of them decided by people." in said
    rows = [line.split() for line in said.splitlines()]
    assert ["hero", "png", "2", "48", "B"] in rows
    assert ["zoom", "png", "2", "48", "B"] in rows
    assert ["all", "4", "96", "B"] in rows
    assert f"Manifest: {shop.folder}/bucket/{release.key} (SHA-256 {release.sha256})" in said
    assert f"Parquet: {shop.folder}/bucket/{release.parquet}" in said
    assert (
        f"Pointer: {shop.folder}/bucket/acme/demo/environments/dev.json"
        in packline(shop, "release", "show", "dev").stdout
    )
    nothing = packline(shop, "release", "show")
    assert (nothing.exit_code, nothing.stderr) == (
        2,
        "packline: Environment prod of demo shows nothing yet; run it first.\n",
    )


def test_a_diff_names_retired_shots_and_says_why_others_changed(shop: Shop) -> None:
    one, two, three = ids(shop.ledger)
    old, new = (
        shop.ledger.releases.get("demo", name).key  # type: ignore[union-attr]
        for name in (one, three)
    )
    said = packline(shop, "release", "diff", one, "dev").stdout
    rows = [line.split() for line in said.splitlines()]
    retired, changed = rows[2], rows[3]
    assert (retired[:4], retired[-1]) == (["-", "A/table/hero", "red", "shoe"], "retired")
    assert (changed[:2], changed[-3:]) == (["~", "B/table/hero"], ["the", "title", "changed"])
    assert said.splitlines()[-1] == "0 added, 1 retired, 1 changed, 0 judged anew, 0 unchanged."
    told = json.loads(packline(shop, "release", "diff", one, three, "--json").stdout)
    assert told["counts"] == {"added": 0, "retired": 1, "changed": 1, "judged anew": 0, "unchanged": 0}
    assert [(one["kind"], one["shot"]) for one in told["differences"]] == [
        ("retired", "A/table/hero"),
        ("changed", "B/table/hero"),
    ]
    assert told["differences"][1]["why"] == "the title changed"
    assert told["differences"][1]["after"] == shop.candidate("B").id
    files = [str(shop.folder / "bucket" / key) for key in (old, new)]
    by_file = json.loads(packline(shop, "release", "diff", *files, "--json").stdout)
    assert by_file["differences"] == told["differences"]
    same = packline(shop, "release", "diff", two, two)
    assert same.stdout == "0 added, 0 retired, 0 changed, 0 judged anew, 2 unchanged.\n"


def test_a_catalogue_without_releases_says_so(tmp_path: Path) -> None:
    make_folder(tmp_path)
    said = SHELL.invoke(app, ["release", "list", str(tmp_path / "demo.csv")])
    assert (said.exit_code, said.stdout) == (0, "demo: no releases yet.\n")


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (250_000, "250 kB"), (3 * 10**12, "3.0 TB")],
)
def test_sizes_are_for_people(count: int, words: str) -> None:
    assert size(count) == words

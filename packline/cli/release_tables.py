"""What environments show and how releases differ, in tables; and moving that."""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter, defaultdict
from getpass import getuser
from pathlib import Path
from typing import Any, TextIO

from packline.cli.table import console, table
from packline.errors import FixSettings
from packline.line.order import ENVIRONMENTS, Order
from packline.releases.diff import Difference, Kind, Side, compare, find_side
from packline.releases.moving import look, promote, rollback
from packline.releases.site import Site, open_site

_MOST_ROWS = 200  # a person reads no more; --json has all
_SIGNS = {Kind.ADDED: "+", Kind.RETIRED: "-", Kind.CHANGED: "~", Kind.JUDGED: "="}


def promote_release(order: Order, source: str, environment: str, release: str, by: str, why: str) -> None:
    """Promote and print what moved."""
    site = _site(order, source, environment)
    _say(promote(site, source, environment, release, by=by or getuser(), why=why).sentence)


def roll_back(order: Order, environment: str, to: str, by: str, why: str) -> None:
    """Roll back and print what moved."""
    site = _site(order, environment)
    _say(rollback(site, environment, to, by=by or getuser(), why=why).sentence)


def list_releases(order: Order, environment: str, most: int) -> None:
    """Print what the environments show, the latest releases and the latest moves."""
    site = _site(order, environment)
    shown, held = defaultdict(list), []
    for name in ENVIRONMENTS:
        seen = look(site, name)
        if seen.pointer.release:
            shown[seen.pointer.release].append(name)
        if seen.standing.held:
            held.append(seen.standing.sentence)
    releases = [
        (
            one.id,
            " ".join(shown[one.id]),
            str(one.images),
            str(one.files),
            size(one.total),
            one.made,
            one.run or "found in the bucket",
        )
        for one in site.ledger.releases.latest(site.catalog, most)
    ]
    out = console()
    if not releases:
        _say(f"{site.catalog}: no releases yet.")
        return
    columns = ("release", "shown in", "pictures", "files", "size", "made", "run")
    out.print(table(f"{site.catalog}: releases", columns, releases, right=(2, 3, 4)))
    moves = [
        (
            one.moved,
            one.environment,
            f"{one.kind}, held" if one.outcome == "held" else one.kind,
            one.before or "nothing",
            one.after,
            one.by,
            one.why,
        )
        for one in site.ledger.moves.list(site.catalog, environment, most)
    ]
    out.print()
    out.print(table("Moves", ("when", "environment", "what", "from", "to", "by", "why"), moves))
    for sentence in held:
        _say(sentence)


def show_release(order: Order, name: str) -> None:
    """Print what a release holds and where its manifest lies."""
    site = _site(order)
    out = console()
    with tempfile.TemporaryDirectory(prefix="packline-") as folder:
        side = find_side(site, name, ENVIRONMENTS, Path(folder))
        if side.file is None:
            raise FixSettings(f"Environment {name} of {site.catalog} shows nothing yet; run it first.")
        counts, sizes = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
        images = decided = 0
        for image in side.images():
            images += 1
            decided += image.decided != "checks"
            for file in image.files:
                counts[file.use, file.format] += 1
                sizes[file.use, file.format] += file.size
    _say(f"{site.catalog}, {name}: {images} pictures, {decided} of them decided by people.")
    rows = [(*key, str(counts[key]), size(sizes[key])) for key in sorted(counts)]
    rows.append(("all", "", str(counts.total()), size(sizes.total())))
    out.print(table("Files", ("use", "format", "files", "size"), rows, right=(2, 3)))
    if side.id:
        release = site.ledger.releases.get(site.catalog, side.id)
        if release is None:
            _say(f"Release: {side.id} (not in this ledger)")
            return
        _say(f"Release: {release.id}, made {release.made} by run {release.run or '(another ledger)'}")
        _say(f"Manifest: {site.bucket.address(release.key)} (SHA-256 {release.sha256})")
        if release.parquet:
            _say(f"Parquet: {site.bucket.address(release.parquet)} (SHA-256 {release.parquet_sha256})")
        if name in ENVIRONMENTS:
            _say(f"Pointer: {site.bucket.address(site.pointer_key(name))}")


def show_diff(order: Order, before: str, after: str, as_json: bool) -> None:
    """Print what one release shows otherwise than another."""
    site = _site(order)
    with tempfile.TemporaryDirectory(prefix="packline-") as folder:
        sides = tuple(find_side(site, name, ENVIRONMENTS, Path(folder)) for name in (before, after))
        if as_json:
            write_json(sides[0], sides[1], sys.stdout)
        else:
            _print_diff(sides[0], sides[1])


def write_json(before: Side, after: Side, out: TextIO) -> None:
    """A diff as one JSON document, a difference a line; unchanged shots are only counted."""
    counts = Counter[str]()
    head = {"before": {"name": before.name, "release": before.id}}
    head["after"] = {"name": after.name, "release": after.id}
    out.write(f'{json.dumps(head, ensure_ascii=False)[:-1]}, "differences": [')
    comma = ""
    for one in compare(before.images(), after.images()):
        counts[str(one.kind)] += 1
        if one.kind != Kind.UNCHANGED:
            out.write(f"{comma}\n{json.dumps(one.to_dict(), ensure_ascii=False)}")
            comma = ","
    said = {str(kind): counts[str(kind)] for kind in Kind}
    out.write(f'\n], "counts": {json.dumps(said)}}}\n')


def _print_diff(before: Side, after: Side) -> None:
    counts, rows = Counter[Kind](), list[tuple[str, ...]]()
    for one in compare(before.images(), after.images()):
        counts[one.kind] += 1
        if one.kind != Kind.UNCHANGED and len(rows) < _MOST_ROWS:
            rows.append(difference_row(one))
    if rows:
        out = console()
        columns = ("", "shot", "title", before.name, after.name, "why")
        out.print(table(f"{_named(before)} to {_named(after)}", columns, rows))
        more = counts.total() - counts[Kind.UNCHANGED] - len(rows)
        if more:
            _say(f"... and {more} more; --json names them all.")
    _say(f"{', '.join(f'{counts[kind]} {kind}' for kind in Kind)}.")


def difference_row(one: Difference) -> tuple[str, ...]:
    """A difference for a person: sign, shot, title, candidates before and after, why."""
    plain: dict[str, Any] = one.to_dict()
    why = plain["why"] or str(one.kind)
    return (_SIGNS[one.kind], plain["shot"], plain["title"], plain["before"], plain["after"], why)


def size(count: int) -> str:
    """Bytes for a person: "1.2 GB"."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def _named(side: Side) -> str:
    return f"{side.name} ({side.id})" if side.id and side.id != side.name else side.name


def _site(order: Order, *environments: str) -> Site:
    for name in environments:
        if name and name not in ENVIRONMENTS:
            raise FixSettings(f"There is no environment {name!r}; choose one of {', '.join(ENVIRONMENTS)}.")
    return open_site(order.read_settings())


def _say(sentence: str) -> None:
    console().print(sentence, markup=False, highlight=False, soft_wrap=True)

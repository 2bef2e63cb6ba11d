"""Moving an environment's pointer: compare and swap in the bucket, with an intent in the ledger before it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from packline.errors import FixSettings, GiveUp, TryAgain
from packline.ledger.moving import MOVED
from packline.releases.records import Move, Release, Standing
from packline.releases.site import Pointer, Site, adopt, check_release, pointer_body, read_pointer

_TURNS = 20  # of reading a pointer that others keep moving


@dataclass(frozen=True)
class Look:
    """An environment as a reader sees it now, with the ledger brought in line.

    Parameters
    ----------
    finished
        Moves that had happened without the ledger knowing: whoever made them was cut short.
    """

    pointer: Pointer
    standing: Standing
    finished: tuple[Move, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What became of a wish to move a pointer.

    Parameters
    ----------
    release
        What the environment shows now.
    before
        Id of what it showed; empty where that was nothing.
    changed
        Whether the pointer moved.
    sentence
        For a person.
    """

    environment: str
    release: Release
    before: str
    changed: bool
    sentence: str


def look(site: Site, environment: str) -> Look:
    """Read a pointer and bring the ledger in line with it: the bucket is what readers see.

    Raises
    ------
    GiveUp
        Where the pointer or its manifest cannot be read.
    TryAgain
        Where it keeps moving.
    """
    moves, finished = site.ledger.moves, []
    pointer = read_pointer(site, environment)
    for _ in range(_TURNS):
        finished += moves.settle(site.catalog, environment, pointer.sha256)
        standing = moves.standing(site.catalog, environment)
        if standing.shown == pointer.release:
            return Look(pointer, standing, tuple(finished))
        again = read_pointer(site, environment)
        if again.body == pointer.body:
            if pointer.body is None:
                # an empty bucket: readers see nothing, whatever was shown before
                return Look(pointer, replace(standing, shown=""), tuple(finished))
            _note_found(site, environment, pointer, standing)
        pointer = again
    raise TryAgain(f"Environment {environment} of {site.catalog} keeps moving; try again.", 1)


def _note_found(site: Site, environment: str, pointer: Pointer, standing: Standing) -> None:
    """A pointer that none of our moves wrote: another ledger's, or put there by hand."""
    release = adopt(site, pointer)
    seen = site.ledger.moves.last_hash(site.catalog, environment)
    site.ledger.moves.begin(
        site.catalog,
        environment,
        "found",
        standing.shown,
        release.id,
        (pointer.key, seen, pointer.sha256),
        by=str(pointer.said.get("by", "")),
        why="the bucket's pointer shows it",
        outcome=MOVED,
    )


def swap(
    site: Site, seen: Look, release: Release, kind: str, *, by: str, why: str = "", run: str = ""
) -> bool:
    """Let an environment show a release unless it moved since it was looked at; False where it did."""
    environment, before = seen.standing.environment, seen.pointer
    body = pointer_body(release, kind, before.release, by, run)
    number = site.ledger.moves.begin(
        site.catalog,
        environment,
        kind,
        before.release,
        release.id,
        (before.key, before.sha256, hashlib.sha256(body).hexdigest()),
        by=by,
        why=why,
        run=run,
    )
    if not site.bucket.replace(before.key, body, "application/json", before.body):
        return False
    site.ledger.moves.end(number, MOVED)
    return True


def promote(
    site: Site, source: str, environment: str, release: str = "", *, by: str, why: str = "", run: str = ""
) -> Outcome:
    """Let an environment show what another one shows, or a release that is named; nothing is copied.

    Parameters
    ----------
    source
        The environment to take it from; may be empty where `release` is given.
    release
        The first digits of a release's id.

    Raises
    ------
    FixSettings
        Where there is nothing to promote.
    GiveUp
        Where an object of the release is missing, or somebody else moved the environment meanwhile.
    """
    if not release:
        if source == environment:
            raise FixSettings(f"Environment {environment} shows that already; promote from another one.")
        if not source:
            raise FixSettings("There is nothing to promote; name an environment or a release.")
        release = look(site, source).pointer.release
        if not release:
            raise FixSettings(f"Environment {source} of {site.catalog} shows nothing yet; run it first.")
    target = site.ledger.releases.find(site.catalog, release)
    seen = look(site, environment)
    if seen.pointer.release == target.id:
        return _unchanged(seen, target)
    check_release(site, target)
    return _move(site, seen, target, "promotion", by, why, run)


def choose_rollback(site: Site, environment: str, to: str = "") -> tuple[Look, Release | None]:
    """What a rollback leads to: the release named, or the one that the environment showed before.

    None where a rollback that was cut short had moved the pointer already: it is noted now, and whoever asks
    again for the same must not go a step further.

    Raises
    ------
    FixSettings
        Where it showed nothing before.
    """
    seen = look(site, environment)
    if to:
        return seen, site.ledger.releases.find(site.catalog, to)
    if any(move.kind == "rollback" for move in seen.finished):
        return seen, None
    trail = seen.standing.trail
    if len(trail) < 2:
        shown = f"shows {trail[0]} and has shown nothing before" if trail else "shows nothing yet"
        raise FixSettings(
            f"Environment {environment} of {site.catalog} {shown}; name a release with --to to go elsewhere."
        )
    return seen, site.ledger.releases.find(site.catalog, trail[-2])


def rollback(site: Site, environment: str, to: str = "", *, by: str, why: str = "", run: str = "") -> Outcome:
    """Let an environment show what it showed before, or an earlier release that is named.

    A second rollback goes further back, not to and fro. Until a person promotes again, runs leave the
    environment alone.

    Raises
    ------
    FixSettings
        Where it showed nothing before.
    GiveUp
        Where an object of that release is missing, or somebody else moved the environment meanwhile.
    """
    seen, target = choose_rollback(site, environment, to)
    if target is None:
        shown = site.ledger.releases.find(site.catalog, seen.pointer.release)
        return Outcome(
            environment,
            shown,
            seen.finished[-1].before,
            False,
            f"Environment {environment} was rolled back to {shown.id} already, by a command that was cut "
            f"short; ask again to go further back.",
        )
    if seen.pointer.release == target.id:
        return _unchanged(seen, target)
    check_release(site, target)
    return _move(site, seen, target, "rollback", by, why, run)


def _unchanged(seen: Look, target: Release) -> Outcome:
    environment = seen.standing.environment
    said = f"Environment {environment} shows {target.id} already; nothing moved."
    return Outcome(environment, target, target.id, False, said)


def _move(site: Site, seen: Look, target: Release, kind: str, by: str, why: str, run: str) -> Outcome:
    environment, before = seen.standing.environment, seen.pointer.release
    if not swap(site, seen, target, kind, by=by, why=why, run=run):
        now = look(site, environment)
        if now.pointer.release == target.id:
            return _unchanged(now, target)
        last = now.standing.last
        who = f" ({last.kind} by {last.by or 'nobody known'}, {last.moved})" if last else ""
        shown = now.pointer.release or "nothing"
        raise GiveUp(
            f"Environment {environment} moved to {shown} meanwhile{who}; look at it, and ask again if you "
            f"still want {target.id}."
        )
    changes = site.ledger.releases.changes(site.catalog, before, target.id)
    pictures = f"{target.images} picture{'' if target.images == 1 else 's'}"
    said = f"Environment {environment} now shows {target.id}: {pictures}"
    said += f" (was {before}: {changes})." if before else "."
    return Outcome(environment, target, before, True, said)

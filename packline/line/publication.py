"""Publishing: selects go into the bucket, then a release shows them all."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from packline.bucket import in_parallel
from packline.errors import GiveUp
from packline.line.line import Line
from packline.publish import Publication, publish_shot
from packline.records import ShotRecord
from packline.releases.making import Made, publish_release
from packline.releases.site import Site
from packline.settings import Settings

_MEMORY = 512 << 20  # bytes for pictures on their way into the bucket


def publish(line: Line, run: str, shots: Sequence[ShotRecord], noted: set[str]) -> None:
    """Put the selects of some shots into the bucket, several at a time, and note them in their order.

    Again is free. What cannot be published of one shot keeps no other from it.

    Parameters
    ----------
    noted
        Keys of shots that an earlier try with these records has noted: they are left out, for the records do
        not know it; those that are noted now are added.

    Raises
    ------
    GiveUp, TryAgain, FixSettings
        As `packline.publish.publish_shot`; what went well before is noted.
    """
    bucket = line.bucket  # opened here, not by each thread

    def put(shot: ShotRecord) -> Publication:
        chosen = next(record for record in shot.candidates if record.candidate.id == shot.select)
        return publish_shot(bucket, line.settings, shot, chosen)

    given_up: GiveUp | None = None
    waiting = [shot for shot in shots if shot.key not in noted]
    with contextlib.closing(in_parallel(put, waiting, threads(line.settings))) as outcomes:
        for outcome in outcomes:
            if isinstance(outcome.error, GiveUp):
                given_up = given_up or outcome.error
                continue
            shot, done = outcome.item, outcome.value()
            line.ledger.record_published(
                run, shot.key, shot.fingerprint, shot.select, done.files, done.lineage
            )
            done.tidy()
            noted.add(shot.key)
    if given_up is not None:
        raise given_up


def threads(settings: Settings) -> int:
    """Shots that are published at a time: as many as the settings say and memory holds."""
    picture = 12 * settings.run.size**2  # bytes of a picture: decoded, copied, encoded
    return max(1, min(settings.bucket.parallel, _MEMORY // picture))


def release(line: Line, run: str) -> Made | None:
    """Let the environment show what the catalog has published; None where it never had anything to show."""
    return publish_release(site(line), line.settings.run.environment, run, line.work)


def site(line: Line) -> Site:
    """Where the catalog's releases lie."""
    return Site(line.bucket, line.ledger, line.settings.run.tenant, line.settings.run.name)

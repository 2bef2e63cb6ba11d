"""Publishing: selects go into the bucket, then one manifest shows them all."""

from __future__ import annotations

from collections.abc import Sequence

from packline.line.line import Line
from packline.publish import publish_release, publish_shot, release_items
from packline.records import ReleaseRecord, ShotRecord


def publish(line: Line, run: str, shots: Sequence[ShotRecord]) -> None:
    """Put the selects of some shots into the bucket and note them; again is free.

    Raises
    ------
    GiveUp, TryAgain, FixSettings
        As `packline.publish.publish_shot`.
    """
    for shot in shots:
        chosen = next(record for record in shot.candidates if record.candidate.id == shot.select)
        done = publish_shot(line.bucket, line.settings, shot, chosen)
        line.ledger.record_published(
            run, shot.key, shot.fingerprint, shot.select, done.use, done.key, done.sha256, done.size
        )


def release(line: Line, run: str) -> ReleaseRecord | None:
    """Let the environment show what the catalog has published; None where it never had anything to show."""
    ledger, environment, name = line.ledger, line.settings.run.environment, line.catalog.name
    items = release_items(ledger.shots(name))
    if not items and ledger.release(environment, name) is None:
        return None
    record = publish_release(line.bucket, line.settings, run, items)
    ledger.record_release(run, environment, record.key, record.sha256, record.items, record.pointer)
    return record

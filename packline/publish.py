"""Publication: selects become objects under content-hashed keys, then a manifest, then the pointer to it."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from packline.bucket import Bucket, escape
from packline.errors import GiveUp
from packline.records import CandidateRecord, Published, ReleaseItem, ReleaseRecord, ShotRecord, ShotState
from packline.settings import Settings

HERO = "hero"
_FORMAT = 1  # of the manifest; readers refuse another


def image_key(settings: Settings, shot: ShotRecord, sha256: str) -> str:
    """Where a picture lies: its tenant, catalog, SKU and place, and the hash of its bytes."""
    place = f"{escape(shot.scene)}-{escape(shot.view)}"
    return f"{_root(settings)}/images/{escape(shot.sku)}/{place}/{sha256[:16]}.png"


def publish_shot(
    bucket: Bucket, settings: Settings, shot: ShotRecord, candidate: CandidateRecord
) -> Published:
    """Put a shot's select into the bucket; again is free, for the key is made of the bytes.

    Parameters
    ----------
    candidate
        The shot's select, with the scorecard that it passed.

    Returns
    -------
    Published
        What `Ledger.record_published` is to note.

    Raises
    ------
    ValueError
        Where the candidate is not the shot's select or has not passed the plan's checks: nothing is published
        unscored.
    GiveUp
        Where its picture is missing, unreadable or of another size than the settings ask for.
    FixSettings, TryAgain
        As the bucket says.
    """
    identity = candidate.candidate.id
    if shot.state not in (ShotState.SELECTED, ShotState.PUBLISHED) or shot.select != identity:
        raise ValueError(f"candidate {identity} is not the select of {shot.key}; it cannot be published")
    if candidate.scorecard is None or not candidate.scorecard.passed:
        raise ValueError(
            f"candidate {identity} of {shot.key} has no passing scorecard; it cannot be published"
        )
    if candidate.checks != shot.checks:
        raise ValueError(f"candidate {identity} of {shot.key} passed other checks than the plan's")
    data = encode(candidate.candidate.picture, settings.run.size, shot.key)
    sha256 = hashlib.sha256(data).hexdigest()
    result = bucket.put(image_key(settings, shot, sha256), data, "image/png")
    return Published(HERO, result.key, sha256, len(data), result.existed)


def encode(picture: Path, size: int, shot: str) -> bytes:
    """A select as it is delivered: lossless PNG, 8-bit sRGB, `size` pixels on a side, no stray metadata."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(picture) as opened:
            image = opened.convert("RGB")
    except (UnidentifiedImageError, OSError) as error:
        raise GiveUp(f"Shot {shot}: picture {picture} cannot be read ({error}); make it again.") from error
    if image.size != (size, size):
        found = f"{image.width}x{image.height}"
        raise GiveUp(
            f"Shot {shot}: its picture {picture} has {found} px, run.size asks for {size}; make it again."
        )
    stream = io.BytesIO()
    # a fresh image carries no metadata of the file's
    Image.frombytes("RGB", image.size, image.tobytes()).save(stream, "PNG", compress_level=6)
    return stream.getvalue()


def release_items(shots: Sequence[ShotRecord]) -> list[ReleaseItem]:
    """What a release shows: every published object of the shots that stand as published, with its lineage."""
    items = []
    for shot in shots:
        if shot.state != ShotState.PUBLISHED:
            continue
        candidate = next(one for one in shot.candidates if one.candidate.id == shot.select)
        facts = lineage(shot, candidate)
        place = (shot.key, shot.sku, shot.title, shot.scene, shot.view, shot.select)
        items += [ReleaseItem(*place, p.use, p.key, p.sha256, p.size, facts) for p in shot.published]
    return items


def lineage(shot: ShotRecord, candidate: CandidateRecord) -> dict[str, Any]:
    """Where a picture came from, as plain data.

    Returns
    -------
    dict
        ``row``, ``model``, ``scene``, ``view``, ``fingerprint``, ``parts`` (digests by name), ``engine``,
        ``loras``, ``prompt``, ``seed``, ``variation``, ``references``, ``refine``, ``checks``, ``passed``,
        ``scores`` (score, threshold, verdict and version by check), ``decided``, ``cost``, ``seconds``,
        ``notes`` (what was drawn nearly right).
    """
    recipe, card = candidate.candidate.recipe, candidate.scorecard
    return {
        "row": shot.row,
        "model": Path(shot.model).name,
        "scene": shot.scene,
        "view": shot.view,
        "fingerprint": shot.fingerprint,
        "parts": dict(shot.parts),
        "engine": recipe.engine,
        "loras": list(recipe.loras),
        "prompt": recipe.prompt,
        "seed": recipe.seed,
        "variation": recipe.variation,
        "references": list(recipe.references),
        "refine": recipe.refine,
        "checks": candidate.checks,
        "passed": card is not None and card.passed,
        "scores": {
            one.check: {
                "score": one.score,
                "threshold": one.threshold,
                "verdict": str(one.verdict),
                "version": one.version,
            }
            for one in (card.results if card else ())
        },
        "decided": shot.decided,
        "cost": candidate.candidate.cost,
        "seconds": candidate.candidate.seconds,
        "notes": list(shot.notes),
    }


def publish_release(
    bucket: Bucket, settings: Settings, run: str, items: Sequence[ReleaseItem]
) -> ReleaseRecord:
    """Write an immutable manifest, then let the environment point at it.

    The same items give the same manifest, so a run that changed nothing moves no pointer.

    Parameters
    ----------
    run
        Who moves the pointer; noted in it, not in the manifest.

    Raises
    ------
    ValueError
        Where an item has no passing scorecard, or its object is not in the bucket: a manifest names no
        picture that a reader could not get.
    """
    root, environment = _root(settings), settings.run.environment
    unscored = [item.shot for item in items if not item.lineage.get("passed")]
    if unscored:
        raise ValueError(f"{unscored[0]} has no passing scorecard; it cannot be released")
    present = set(bucket.list(f"{root}/images/")) if items else set()
    absent = [item for item in items if item.key not in present]
    if absent:
        raise ValueError(f"object {absent[0].key} of {absent[0].shot} is not in the bucket; publish it first")
    manifest = _json(
        {
            "format": _FORMAT,
            "tenant": settings.run.tenant,
            "catalog": settings.run.name,
            "images": [_image(item) for item in sorted(items, key=lambda item: (item.shot, item.use))],
        }
    )
    sha256 = hashlib.sha256(manifest).hexdigest()
    key, pointer = f"{root}/releases/{sha256[:16]}.json", f"{root}/environments/{environment}.json"
    bucket.put(key, manifest, "application/json")
    changed = _pointed_at(bucket, pointer) != key
    if changed:
        moved = datetime.now(UTC).isoformat(timespec="seconds")
        said = {"format": _FORMAT, "manifest": key, "sha256": sha256, "run": run, "moved": moved}
        bucket.put(pointer, _json(said), "application/json", if_absent=False)
    return ReleaseRecord(environment, key, sha256, pointer, tuple(items), changed)


def _image(item: ReleaseItem) -> dict[str, Any]:
    return {
        "shot": item.shot,
        "sku": item.sku,
        "title": item.title,
        "scene": item.scene,
        "view": item.view,
        "use": item.use,
        "key": item.key,
        "sha256": item.sha256,
        "bytes": item.size,
        "candidate": item.candidate,
        "lineage": item.lineage,
    }


def _pointed_at(bucket: Bucket, pointer: str) -> str:
    try:
        return str(json.loads(bucket.get(pointer)).get("manifest", ""))
    except (KeyError, ValueError, AttributeError):
        return ""


def _root(settings: Settings) -> str:
    return f"{settings.run.tenant}/{escape(settings.run.name)}"


def _json(data: Any) -> bytes:
    return (json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()

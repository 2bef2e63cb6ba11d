"""Publication: selects become objects under content-hashed keys."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from packline.bucket import Bucket, escape
from packline.candidate import Candidate, read_picture
from packline.delivery import (
    ENDINGS,
    MEDIA_TYPES,
    Box,
    Pixels,
    cut,
    delivery_digests,
    encode,
    frame,
    product_box,
)
from packline.errors import FixSettings, GiveUp
from packline.fingerprint import digest
from packline.lineage import lineage, lineage_digest, told
from packline.provenance.certificate import identity
from packline.provenance.manifest import definition, sign, signing_digest
from packline.provenance.words import words
from packline.records import CandidateRecord, Published, ShotRecord, ShotState
from packline.settings import Settings

_FORMAT = 1  # of the manifest; readers refuse another
_BY_CHECKS = ("", "checks")


@dataclass(frozen=True)
class File:
    """One file of a select, ready to be put into the bucket.

    Parameters
    ----------
    published
        What the ledger is to note of it.
    data, media_type
        Its bytes and what they are.
    aside
        Where a signed file lies until the ledger knows it; None where its bytes can be made again.
    """

    published: Published
    data: bytes
    media_type: str
    aside: Path | None = None


@dataclass(frozen=True)
class Publication:
    """The files of a select, all in the bucket.

    Parameters
    ----------
    files
        One for each use, for `Ledger.record_published`.
    lineage
        Likewise.
    aside
        Signed files in the work folder, of no use once the ledger knows them.
    """

    files: tuple[Published, ...]
    lineage: dict[str, Any]
    aside: tuple[Path, ...] = ()

    def tidy(self) -> None:
        """Remove what was put aside. Call it when the ledger has noted the files, not before."""
        for file in self.aside:
            file.unlink(missing_ok=True)


def image_key(settings: Settings, shot: ShotRecord, use: str, sha256: str, ending: str = "png") -> str:
    """Where a picture lies: its tenant, catalog, SKU, place and use, and the hash of its bytes."""
    # no view ends in a number, so no other place is called so
    place = f"{escape(shot.scene)}-{escape(shot.view)}{f'-{shot.number}' if shot.number > 1 else ''}"
    return f"{_root(settings)}/images/{escape(shot.sku)}/{place}/{use}-{sha256[:16]}.{ending}"


def publish_shot(
    bucket: Bucket, settings: Settings, shot: ShotRecord, candidate: CandidateRecord
) -> Publication:
    """Put a shot's select into the bucket, a file for each use; again is free.

    Parameters
    ----------
    candidate
        The shot's select, with the scorecard that it passed, or that a person overrode.

    Raises
    ------
    ValueError
        Where the candidate is not the shot's select, has no scorecard of the plan's checks, or failed it and
        no person took it nevertheless: nothing is published unscored.
    GiveUp
        Where its picture is missing, unreadable, of another size than the settings ask for, or no 8-bit PNG.
    FixSettings, TryAgain
        As the bucket says, and the signing certificate.
    """
    check_select(shot, candidate)
    facts, pixels = lineage(shot, candidate), None
    files, aside = [], []
    for use, made in delivery_digests(settings).items():
        standing = next((one for one in shot.published if (one.use, one.delivery) == (use, made)), None)
        if standing is not None and bucket.exists(standing.key):
            files.append(standing)
            continue
        if pixels is None:
            pixels = read_select(candidate.candidate.picture, settings.run.size, shot.key)
        file = deliver(settings, shot, candidate, facts, pixels, use, made)
        result = bucket.put(file.published.key, file.data, file.media_type)
        files.append(replace(file.published, existed=result.existed))
        aside += [] if file.aside is None else [file.aside]
    return Publication(tuple(files), facts, tuple(aside))


def check_delivery(settings: Settings) -> None:
    """Look at the signer's certificate before a run pays for pictures that it could not deliver.

    Raises
    ------
    FixSettings
        As `packline.provenance.certificate.identity`.
    """
    if settings.provenance.embed == "c2pa":
        identity(settings)


def check_select(shot: ShotRecord, candidate: CandidateRecord) -> None:
    """Whether a candidate may be shown to the world as its shot.

    Raises
    ------
    ValueError
        As `publish_shot`.
    """
    identity, card = candidate.candidate.id, candidate.scorecard
    if shot.state not in (ShotState.SELECTED, ShotState.PUBLISHED) or shot.select != identity:
        raise ValueError(f"candidate {identity} is not the select of {shot.key}; it cannot be published")
    if card is None:
        raise ValueError(f"candidate {identity} of {shot.key} has no scorecard; it cannot be published")
    if not card.passed and shot.decided in _BY_CHECKS:
        raise ValueError(
            f"candidate {identity} of {shot.key} has no passing scorecard; it cannot be published"
        )
    if candidate.checks != shot.checks:
        raise ValueError(f"candidate {identity} of {shot.key} was judged by other checks than the plan's")


def read_select(picture: Path, size: int, shot: str) -> Pixels:
    """A select's pixels, sRGB, uint8 (size, size, 3).

    Raises
    ------
    GiveUp
        Where its file is missing, cut short, of another size, or of a kind in which what is published need
        not be what was checked (`packline.candidate.read_picture`).
    """
    try:
        pixels = read_picture(picture)
    except OSError as error:
        raise GiveUp(f"Shot {shot}: picture {picture} cannot be read ({error}); make it again.") from error
    except ValueError as error:
        raise GiveUp(
            f"Shot {shot}: picture {picture} {error}, so that its checks may have seen other pixels than "
            "would be published; make it again as an 8-bit RGB PNG without an orientation tag."
        ) from error
    if pixels.shape[:2] != (size, size):
        found = f"{pixels.shape[1]}x{pixels.shape[0]}"
        raise GiveUp(
            f"Shot {shot}: its picture {picture} has {found} px, run.size asks for {size}; make it again."
        )
    return pixels


def deliver(
    settings: Settings,
    shot: ShotRecord,
    candidate: CandidateRecord,
    facts: Mapping[str, Any],
    pixels: Pixels,
    use: str,
    made: str,
) -> File:
    """Make one file of a select: cut, scaled, encoded, with its provenance, signed.

    Safe to call from several threads.

    Parameters
    ----------
    facts
        `packline.lineage.lineage`.
    pixels
        `read_select`.
    use, made
        The use and its digest of `packline.delivery.delivery_digests`.

    Raises
    ------
    GiveUp
        Where the crop goes by the product and the candidate's truth does not say where that is.
    FixSettings, TryAgain
        As `packline.provenance.manifest.sign`.
    """
    asked, embed = settings.formats[use], settings.provenance.embed
    height, width = pixels.shape[:2]
    box = _product(candidate.candidate, (width, height), shot.key) if asked.crop != "whole" else None
    wanted = frame(asked, (width, height), box)
    media, said = MEDIA_TYPES[asked.format], told(facts)
    text = words(shot.title, media, said) if embed != "off" else None
    data, aside = encode(cut(pixels, wanted, asked.background), asked, text), None
    if embed == "c2pa":
        edits = ["c2pa.cropped"] if wanted.window != (0, 0, width, height) else []
        edits += ["c2pa.resized"] if wanted.window[2] - wanted.window[0] != wanted.size[0] else []
        who = identity(settings)
        promised = definition(shot.title, media, said, edits)
        name = f"{candidate.candidate.id}-{use}-{digest(sha256(data), signing_digest(promised, who))}"
        aside = candidate.candidate.picture.with_name(f"{name}.{ENDINGS[asked.format]}")
        data = _once(aside, lambda: sign(data, media, promised, who))
    found = sha256(data)
    key = image_key(settings, shot, use, found, ENDINGS[asked.format])
    file = Published(use, key, found, len(data), False, made, *wanted.size, lineage_digest(facts))
    return File(file, data, media, aside)


def _product(candidate: Candidate, size: tuple[int, int], shot: str) -> Box:
    import cv2

    file = candidate.truth / "mask.png"
    mask = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
    if mask is None or mask.shape[::-1] != size:
        raise GiveUp(
            f"Shot {shot}: {file}, by which it is cropped, is missing or of another size; make it again."
        )
    box = product_box(np.asarray(mask, np.uint8))
    if box is None:
        raise GiveUp(
            f"Shot {shot}: {file}, by which it is cropped, shows no product; correct the scene's place."
        )
    return box


def _once(aside: Path, make: Callable[[], bytes]) -> bytes:
    """What `make` gave the first time: a signature is another each time, and the bucket shall hold one.

    A run that dies after its upload finds here what it has uploaded.
    """
    try:
        return aside.read_bytes()
    except FileNotFoundError:
        pass
    data, partial = make(), aside.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        with partial.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(partial, aside)
        except FileExistsError:
            return aside.read_bytes()  # somebody else signed at the same time
    except OSError as error:
        raise FixSettings(
            f"Work folder {aside.parent} cannot be written ({error.strerror}); mend that."
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    return data


def sha256(data: bytes) -> str:
    """Of a file's bytes, 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def _root(settings: Settings) -> str:
    return f"{settings.run.tenant}/{escape(settings.run.name)}"

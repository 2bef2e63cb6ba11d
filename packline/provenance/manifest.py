"""C2PA: the signed manifest in a file, which binds what it says to the file's very bytes."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from packline import __version__
from packline.errors import FixSettings, TryAgain
from packline.fingerprint import digest
from packline.provenance.certificate import Identity
from packline.provenance.words import SOURCE_TYPE

if TYPE_CHECKING:
    import c2pa  # type: ignore[import-untyped]

LINEAGE = "org.packline.lineage"
"""The label of our own assertion."""


def definition(title: str, media: str, said: Mapping[str, Any], edits: Sequence[str]) -> dict[str, Any]:
    """What is to be signed.

    Parameters
    ----------
    said
        `packline.lineage.told`, the assertion ``org.packline.lineage``.
    edits
        C2PA's names of what was done to the select for this file: "c2pa.cropped", "c2pa.resized".
    """
    engine = said["engine"]
    made = {
        "action": "c2pa.created",
        "digitalSourceType": SOURCE_TYPE,
        "description": "A product's 3D model was put into a photo by a trained model and checked against it.",
        "softwareAgent": {"name": engine.get("name", "unknown"), "version": engine.get("architecture", "")},
    }
    return {
        "claim_generator_info": [{"name": "Packline", "version": __version__}],
        "title": title,
        "format": media,
        "instance_id": f"xmp:iid:{said['candidate']}",
        "assertions": [
            {
                "label": "c2pa.actions.v2",
                "created": True,
                "data": {"actions": [made, *({"action": edit} for edit in edits)]},
            },
            {"label": LINEAGE, "created": True, "data": dict(said)},
        ],
    }


def signing_digest(asked: Mapping[str, Any], who: Identity) -> str:
    """Of everything that goes into a manifest but the file and chance, 16 hexadecimal digits."""
    return digest(dict(asked), who.digest)


def sign(data: bytes, media: str, asked: Mapping[str, Any], who: Identity) -> bytes:
    """A file with a signed manifest in it. Signing again gives other bytes: its salts and moment are new.

    Safe to call from several threads.

    Raises
    ------
    FixSettings
        Where the certificate is refused.
    TryAgain
        Where the timestamp authority does not answer.
    """
    import c2pa

    try:
        return _sign(data, media, asked, who)
    except c2pa.C2paError as error:
        if who.timestamps and _signs(data, media, asked, replace(who, timestamps="")):
            raise TryAgain(
                f"Timestamp authority {who.timestamps} gave no timestamp ({error}); try again."
            ) from error
        raise FixSettings(f"C2PA refuses to sign ({error}); mend [provenance].") from error


def _sign(data: bytes, media: str, asked: Mapping[str, Any], who: Identity) -> bytes:
    import c2pa

    out = io.BytesIO()
    with _signer(who) as signer, c2pa.Builder(dict(asked), _context(os.getpid())) as builder:
        builder.sign(signer, media, io.BytesIO(data), out)
    return out.getvalue()


def _signs(data: bytes, media: str, asked: Mapping[str, Any], who: Identity) -> bool:
    import c2pa

    try:
        _sign(data, media, asked, who)
    except c2pa.C2paError:
        return False
    return True


def _signer(who: Identity) -> c2pa.Signer:
    import c2pa

    stamps = who.timestamps.encode() if who.timestamps else None
    info = c2pa.C2paSignerInfo(who.algorithm.encode(), who.chain.encode(), who.key.encode(), stamps)
    return c2pa.Signer.from_info(info)


@cache
def _context(process: int) -> c2pa.Context:
    """One for each process: what a parent opened does not work in its child."""
    import c2pa

    # the tests verify what is signed; doing so again for every file would take as long as signing it
    asked = {
        "version": 1,
        "builder": {
            "thumbnail": {"enabled": False},
            "created_assertion_labels": ["c2pa.actions", "c2pa.actions.v2", LINEAGE],
        },
        "verify": {"verify_after_sign": False},
    }
    return c2pa.Context(c2pa.Settings.from_json(json.dumps(asked)))

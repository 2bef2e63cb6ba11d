"""Reading back what a file says of itself, and whether that holds."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from packline.errors import GiveUp
from packline.provenance.manifest import LINEAGE
from packline.provenance.words import NAMESPACE

_NAMES = {
    "source": "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType",
    "tool": "{http://ns.adobe.com/xap/1.0/}CreatorTool",
    "candidate": f"{{{NAMESPACE}}}Candidate",
    "lineage": f"{{{NAMESPACE}}}Lineage",
}
_TITLE = "{http://purl.org/dc/elements/1.1/}title"
_ITEM = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}li"
# what C2PA says of a certificate that is on no list; it says nothing against the file
_STRANGER = "signingCredential.untrusted"


@dataclass(frozen=True)
class Manifest:
    """A file's C2PA manifest.

    Parameters
    ----------
    holds
        Whether the file, the manifest and the signature belong together, byte for byte.
    trusted
        Whether the certificate leads to one that the reader was told to trust.
    faults
        What does not hold, in C2PA's words.
    signer, organisation
        Of the certificate.
    signed
        When, by the authority that attests it; empty where none does.
    source
        IPTC's digital source type of what was made.
    said
        Our own assertion, `packline.lineage.told`; empty where another tool wrote the manifest.
    """

    holds: bool
    trusted: bool
    faults: tuple[str, ...]
    signer: str
    organisation: str
    signed: str
    source: str
    said: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Told:
    """What a file says of itself.

    Parameters
    ----------
    kind
        "PNG", "JPEG", "WEBP" or "AVIF", and its size in pixels.
    words
        Of its XMP: ``title``, ``source`` (IPTC's digital source type), ``tool``, ``candidate``, ``lineage``;
        what it does not say is absent.
    manifest
        None where there is none.
    """

    kind: str
    size: tuple[int, int]
    words: Mapping[str, str]
    manifest: Manifest | None

    @property
    def lineage(self) -> str:
        """The digest by which it names its lineage; empty where it names none."""
        said = self.manifest.said if self.manifest else {}
        return str(said.get("lineage") or self.words.get("lineage", ""))


def read_file(file: Path, anchors: str = "") -> Told:
    """Read a picture's words and its manifest.

    Parameters
    ----------
    anchors
        PEM of certificates to trust.

    Raises
    ------
    GiveUp
        Where it is no picture.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        data = file.read_bytes()
        with Image.open(io.BytesIO(data)) as picture:
            packet = picture.info.get("xmp") or picture.info.get("XML:com.adobe.xmp") or b""
            kind, size = str(picture.format), picture.size
    except UnidentifiedImageError as error:
        raise GiveUp(f"File {file} is no picture; name a delivered file.") from error
    except OSError as error:
        raise GiveUp(f"File {file} cannot be read ({error}); name a delivered file.") from error
    return Told(kind, size, _words(packet), _manifest(data, Image.MIME.get(kind, ""), anchors))


def _words(packet: bytes | str) -> dict[str, str]:
    text = packet.encode() if isinstance(packet, str) else packet
    try:
        # a packet may be filled up with spaces and zeros
        root = ElementTree.fromstring(text.strip(b"\0 \n"))
    except ElementTree.ParseError:
        return {}
    found = {}
    for name, qualified in _NAMES.items():
        # another tool may have written an attribute as an element
        values = [one.get(qualified) for one in root.iter() if one.get(qualified)]
        values += [one.text for one in root.iter(qualified) if one.text]
        if values:
            found[name] = str(values[0])
    titles = [item.text for title in root.iter(_TITLE) for item in title.iter(_ITEM) if item.text]
    return {**found, "title": titles[0]} if titles else found


def _manifest(data: bytes, media: str, anchors: str) -> Manifest | None:
    import c2pa  # type: ignore[import-untyped]

    asked: dict[str, Any] = {"version": 1, "verify": {"verify_trust": True}}
    if anchors:
        asked["trust"] = {"trust_anchors": anchors}
    context = c2pa.Context(c2pa.Settings.from_json(json.dumps(asked)))
    try:
        with c2pa.Reader(media, io.BytesIO(data), context=context) as reader:
            store = json.loads(reader.json())
    except c2pa.C2paError.ManifestNotFound:
        return None
    except c2pa.C2paError as error:
        return Manifest(False, False, (str(error),), "", "", "", "")
    active = store["manifests"][store["active_manifest"]]
    results = (store.get("validation_results") or {}).get("activeManifest") or {}
    failures = results.get("failure") or []
    assertions = {one["label"]: one["data"] for one in active.get("assertions", [])}
    actions = (assertions.get("c2pa.actions.v2") or assertions.get("c2pa.actions") or {}).get("actions", [])
    signature = active.get("signature_info") or {}
    faults = tuple(str(one.get("explanation") or one["code"]) for one in failures if one["code"] != _STRANGER)
    return Manifest(
        holds=not faults,
        trusted=store.get("validation_state") == "Trusted",
        faults=faults,
        signer=signature.get("common_name") or "",
        organisation=signature.get("issuer") or "",
        signed=signature.get("time") or "",
        source=next((one["digitalSourceType"] for one in actions if "digitalSourceType" in one), ""),
        said=assertions.get(LINEAGE) or {},
    )

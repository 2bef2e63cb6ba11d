"""XMP and IPTC-IIM: the plain words in a file that say what it is and what made it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from packline import __version__
from packline.delivery.encode import Words

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""IPTC's NewsCode for a photo into which a trained model put something."""

TOOL = f"Packline {__version__}"

NAMESPACE = "urn:packline:xmp:1.0/"

_PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about=""
 xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/"
 xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 xmlns:packline={namespace}
 dc:format={media}
 xmp:CreatorTool={tool}
 xmpMM:DocumentID={document}
 photoshop:TransmissionReference={candidate}
 Iptc4xmpExt:DigitalSourceType={source}
 Iptc4xmpExt:AISystemUsed={system}
 packline:Candidate={candidate}
 packline:Lineage={lineage}>
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{title}</rdf:li></rdf:Alt></dc:title>
</rdf:Description>
</rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"""


def words(title: str, media: str, said: Mapping[str, Any]) -> Words:
    """What a file says in words that every picture library reads.

    Parameters
    ----------
    title
        The product's.
    media
        The file's media type.
    said
        `packline.lineage.told`.

    Returns
    -------
    Words
        XMP with IPTC's digital source type, and IIM, which knows no source type, with title, tool and
        candidate for JPEG.
    """
    engine, candidate, clean = said["engine"], str(said["candidate"]), _printable(title)
    system = " ".join(dict.fromkeys(engine[name] for name in ("name", "architecture") if engine.get(name)))
    attributes = {
        "namespace": NAMESPACE,
        "media": media,
        "tool": TOOL,
        "document": f"xmp.did:{candidate}",
        "candidate": candidate,
        "source": SOURCE_TYPE,
        "system": _printable(system) or "unknown",
        "lineage": str(said["lineage"]),
    }
    quoted = {name: quoteattr(value) for name, value in attributes.items()}
    packet = _PACKET.format(**quoted, title=escape(clean)).encode()
    return Words(packet, _iim(clean, candidate))


def _iim(title: str, candidate: str) -> bytes:
    # record and data set by IPTC-IIM 4.2, each with the octets that it may have at most
    sets = [
        (1, 90, b"\x1b%G", 3),  # what follows is UTF-8
        (2, 0, (4).to_bytes(2, "big"), 2),
        (2, 5, title.encode(), 64),
        (2, 65, b"Packline", 32),
        (2, 70, __version__.encode(), 10),
        (2, 103, candidate.encode(), 32),
    ]
    records = b""
    for record, number, value, most in sets:
        kept = value if len(value) <= most else value[:most].decode(errors="ignore").encode()
        records += bytes((0x1C, record, number)) + len(kept).to_bytes(2, "big") + kept
    return records


def _printable(text: str) -> str:
    """Without what XML cannot hold."""
    return "".join(letter for letter in text if letter >= " " and letter not in "\ufffe\uffff").strip()

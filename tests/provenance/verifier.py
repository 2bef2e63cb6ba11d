"""A reader of C2PA manifests that shares nothing with the one that wrote them: boxes, hashes, COSE, X.509.

By the C2PA specification (hashed URIs, JUMBF, COSE, hard bindings of bytes and of boxes) and ISO 19566-5, as
far as Packline's files need it. It knows cbor2 and cryptography, and neither c2pa nor Packline.
"""

from __future__ import annotations

import hashlib
import struct
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

_BMFF_MANIFEST = uuid.UUID("d8fec3d6-1b0e-483c-9297-5828877ec481").bytes


class Invalid(Exception):
    """The file is not what its manifest says, in words."""


@dataclass
class Box:
    """A JUMBF superbox.

    Parameters
    ----------
    payload
        Its bytes without its own header: what a hashed URI is the hash of.
    """

    label: str
    payload: bytes
    contents: list[tuple[str, bytes]] = field(default_factory=list)
    children: list[Box] = field(default_factory=list)

    def child(self, label: str) -> Box:
        """The one child of a label."""
        found = [one for one in self.children if one.label == label]
        if len(found) != 1:
            raise Invalid(f"{self.label} has {len(found)} boxes {label}")
        return found[0]

    @property
    def cbor(self) -> bytes:
        """The bytes of the content box."""
        found = [data for kind, data in self.contents if kind == "cbor"]
        if len(found) != 1:
            raise Invalid(f"{self.label} has {len(found)} contents in CBOR")
        return found[0]


@dataclass(frozen=True)
class Verified:
    """What a manifest says, once everything about it holds.

    Parameters
    ----------
    assertions
        By label, decoded.
    signer
        The subject of the certificate that signed.
    """

    label: str
    claim: dict[str, Any]
    assertions: dict[str, Any]
    signer: str


def verify(data: bytes, anchors: bytes) -> Verified:
    """Check all that binds a file to its manifest and the manifest to a trusted certificate.

    Parameters
    ----------
    anchors
        PEM of the certificates that are trusted.

    Raises
    ------
    Invalid
        Where anything does not hold.
    """
    store, place = manifest_store(data)
    manifest = next(_superboxes(store)).children[-1]
    claim_box = manifest.child("c2pa.claim.v2")
    claim = cbor2.loads(claim_box.cbor)
    signer = _check_signature(manifest.child("c2pa.signature").cbor, claim_box.cbor, anchors)
    if not claim["signature"].endswith(f"{manifest.label}/c2pa.signature"):
        raise Invalid("the claim names another signature")
    assertions = _check_assertions(manifest, claim)
    bindings = [label for label in assertions if label.startswith("c2pa.hash.")]
    if len(bindings) != 1:
        raise Invalid(f"the claim binds the file {len(bindings)} times")
    binding = assertions[bindings[0]]
    if bindings[0] == "c2pa.hash.data":
        _check_data_hash(data, binding, place)
    else:
        _check_bmff_hash(data, binding)
    return Verified(manifest.label, claim, assertions, signer)


def manifest_store(data: bytes) -> tuple[bytes, tuple[int, int]]:
    """The manifest store in a file, and where it lies: start and length of all that carries it."""
    if data.startswith(b"\x89PNG"):
        found = [(body, start, size) for kind, body, start, size in _png_chunks(data) if kind == b"caBX"]
    elif data.startswith(b"\xff\xd8"):
        found = list(_jpeg_store(data))
    elif data[:4] == b"RIFF":
        found = [(body, start, size) for kind, body, start, size in _riff_chunks(data) if kind == b"C2PA"]
    else:
        found = list(_bmff_store(data))
    if len(found) != 1:
        raise Invalid(f"the file has {len(found)} manifest stores")
    ((body, start, size),) = found
    return body, (start, size)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes, int, int]]:
    at = 8
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + length], at, length + 12
        at += length + 12


def _riff_chunks(data: bytes) -> Iterator[tuple[bytes, bytes, int, int]]:
    at = 12
    while at < len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        yield data[at : at + 4], data[at + 8 : at + 8 + length], at, 8 + length
        at += 8 + length + length % 2  # the filling byte is none of the chunk's


def _jpeg_store(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    at, parts, first, end = 2, [], 0, 0
    while data[at] == 0xFF and data[at + 1] != 0xDA:
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        body = data[at + 4 : at + 2 + length]
        if data[at + 1] == 0xEB and body[:2] == b"JP" and (parts or body[12:16] == b"jumb"):
            if parts and at != end:
                raise Invalid("the manifest's segments are apart")
            first, end = first or at, at + 2 + length
            parts.append(body[8:] if not parts else body[16:])
        at += 2 + length
    if parts:
        yield b"".join(parts), first, end - first


def _bmff_boxes(data: bytes) -> Iterator[tuple[bytes, int, int, int]]:
    """Type, start, length of the header and of the whole of every box of the top level."""
    at = 0
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        header = 8
        if size == 1:
            size, header = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        size = size or len(data) - at
        yield kind, at, header, size
        at += size


def _bmff_store(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    for kind, start, header, size in _bmff_boxes(data):
        body = data[start + header : start + size]
        if kind == b"uuid" and body[:16] == _BMFF_MANIFEST:
            purpose, _, rest = body[20:].partition(b"\0")
            if purpose == b"manifest":
                yield rest[8:], start, size


def _superboxes(data: bytes) -> Iterator[Box]:
    for kind, payload in _jumbf_boxes(data):
        if kind != "jumb":
            raise Invalid(f"{kind} where a superbox should be")
        inner = list(_jumbf_boxes(payload))
        if not inner or inner[0][0] != "jumd":
            raise Invalid("a superbox without a description")
        description = inner[0][1]
        if not description[16] & 2:
            raise Invalid("a superbox without a label")
        label = description[17:].partition(b"\0")[0].decode()
        box = Box(label, payload)
        for name, content in inner[1:]:
            if name == "jumb":
                box.children += _superboxes(struct.pack(">I4s", len(content) + 8, b"jumb") + content)
            else:
                box.contents.append((name, content))
        yield box


def _jumbf_boxes(data: bytes) -> Iterator[tuple[str, bytes]]:
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        header = 8
        if size == 1:
            size, header = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        size = size or len(data) - at
        if size < header or at + size > len(data):
            raise Invalid("a box is longer than what holds it")
        yield kind.decode(), data[at + header : at + size]
        at += size


def _check_assertions(manifest: Box, claim: dict[str, Any]) -> dict[str, Any]:
    store, found = manifest.child("c2pa.assertions"), {}
    for reference in [*claim["created_assertions"], *claim.get("gathered_assertions", [])]:
        label = reference["url"].rpartition("/")[2]
        box = store.child(label)
        if hashlib.new(reference.get("alg", claim["alg"]), box.payload).digest() != reference["hash"]:
            raise Invalid(f"assertion {label} is not the one that was claimed")
        found[label] = cbor2.loads(box.cbor)
    if len(found) != len(store.children):
        raise Invalid("there are assertions that nobody claimed")
    return found


def _check_data_hash(data: bytes, binding: dict[str, Any], place: tuple[int, int]) -> None:
    left_out = [(one["start"], one["length"]) for one in binding["exclusions"]]
    # whoever may leave out more than the manifest may change a pixel
    if left_out != [place]:
        raise Invalid(f"{left_out} is left out of the hash, the manifest lies at {place}")
    start, length = place
    if hashlib.new(binding["alg"], data[:start] + data[start + length :]).digest() != binding["hash"]:
        raise Invalid("the file's bytes are not those that were signed")


def _check_bmff_hash(data: bytes, binding: dict[str, Any]) -> None:
    taken = hashlib.new(binding["alg"])
    allowed = {"/uuid", "/ftyp", "/mfra", "/free", "/skip"}
    left_out = {one["xpath"]: one.get("data") for one in binding["exclusions"]}
    if not set(left_out) <= allowed:
        raise Invalid(f"{sorted(set(left_out) - allowed)} is left out of the hash")
    if [one["value"] for one in left_out["/uuid"] or ()] != [_BMFF_MANIFEST]:
        raise Invalid("other boxes than the manifest's are left out of the hash")
    for kind, start, _, size in _bmff_boxes(data):
        if f"/{kind.decode()}" in left_out and (
            kind != b"uuid" or data[start + 8 : start + 24] == _BMFF_MANIFEST
        ):
            continue
        taken.update(start.to_bytes(8, "big"))
        taken.update(data[start : start + size])
    if taken.digest() != binding["hash"]:
        raise Invalid("the file's bytes are not those that were signed")


_HASHES = {-7: hashes.SHA256(), -35: hashes.SHA384(), -36: hashes.SHA512(), -37: hashes.SHA256()}


def _check_signature(envelope: bytes, claim: bytes, anchors: bytes) -> str:
    message = cbor2.loads(envelope)
    if message.tag != 18:
        raise Invalid("the signature is no COSE_Sign1")
    protected, unprotected, payload, signature = message.value
    if payload is not None:
        raise Invalid("the signature carries a claim of its own")
    header = cbor2.loads(protected)
    raw = header.get(33, unprotected.get(33))
    chain = [x509.load_der_x509_certificate(one) for one in (raw if isinstance(raw, list) else [raw])]
    _check_chain(chain, anchors)
    signed = cbor2.dumps(["Signature1", protected, b"", claim])
    try:
        _check_bytes(chain[0].public_key(), header[1], signature, signed)
    except InvalidSignature:
        raise Invalid("the claim is not the one that was signed") from None
    return chain[0].subject.rfc4514_string()


def _check_bytes(public: Any, algorithm: int, signature: bytes, signed: bytes) -> None:
    if isinstance(public, ed25519.Ed25519PublicKey):
        public.verify(signature, signed)
    elif isinstance(public, ec.EllipticCurvePublicKey):
        half = len(signature) // 2
        r, s = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
        public.verify(utils.encode_dss_signature(r, s), signed, ec.ECDSA(_HASHES[algorithm]))
    elif isinstance(public, rsa.RSAPublicKey):
        how = _HASHES[algorithm]
        public.verify(signature, signed, padding.PSS(padding.MGF1(how), how.digest_size), how)
    else:
        raise Invalid("a key of an unknown kind")


def _check_chain(chain: list[x509.Certificate], anchors: bytes) -> None:
    roots = x509.load_pem_x509_certificates(anchors)
    usage = chain[0].extensions.get_extension_for_class(x509.KeyUsage).value
    if not usage.digital_signature or usage.key_cert_sign:
        raise Invalid("the certificate may not sign")
    for below, above in zip(chain, [*chain[1:], None], strict=True):
        issuers = [above] if above is not None else roots
        for issuer in issuers:
            try:
                below.verify_directly_issued_by(issuer)
                break
            except (InvalidSignature, ValueError, TypeError):
                continue
        else:
            if below not in roots:
                raise Invalid("nobody who is trusted vouches for the certificate")

"""Who signs: the tenant's certificate, or one of our own making for whoever has none yet."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from packline.errors import FixSettings
from packline.settings import Settings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
    from cryptography.x509 import Certificate

_YEARS = 10


@dataclass(frozen=True)
class Identity:
    """What files are signed with.

    Parameters
    ----------
    algorithm
        C2PA's name of the signature's algorithm: es256, es384, es512, ps256 or ed25519.
    chain
        PEM: the signer's certificate, then its issuers.
    key
        PEM, PKCS #8, not encrypted.
    timestamps
        URL of an RFC 3161 authority; empty for none.
    """

    algorithm: str
    chain: str
    key: str
    timestamps: str = ""

    @property
    def digest(self) -> str:
        """SHA-256 of the chain and the authority: another identity signs another file."""
        return hashlib.sha256(f"{self.chain}{self.timestamps}".encode()).hexdigest()

    def __repr__(self) -> str:
        return f"Identity({self.algorithm}, {self.digest[:16]})"  # a key has no place in a log


def identity(settings: Settings) -> Identity:
    """What the settings say to sign with; our own development certificate is made where there is none.

    Raises
    ------
    FixSettings
        Where the certificate or its key cannot be read, do not belong together, are out of date or are of a
        kind that C2PA does not take.
    """
    asked = settings.provenance
    if asked.certificate is None or asked.key is None:
        certificate = key = development_certificate(settings)
    else:
        certificate, key = asked.certificate, asked.key
    return read_identity(certificate, key, asked.timestamps)


def development_certificate(settings: Settings) -> Path:
    """The file of our own making: key, certificate and issuer in one, readable by its owner alone.

    It lies in the work folder. Where that is deleted another is made, and what was signed before stays valid.

    Raises
    ------
    FixSettings
        Where it cannot be written.
    """
    file = settings.run.work / "provenance" / "development.pem"
    if not file.exists():
        aside = file.with_name(f".{secrets.token_hex(8)}.pem")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            made = _development(settings.run.tenant)
            with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
                stream.write(made)
                stream.flush()
                os.fsync(stream.fileno())
            with contextlib.suppress(FileExistsError):  # two processes at once: the first one's counts
                os.link(aside, file)
        except OSError as error:
            raise FixSettings(
                f"Certificate {file} cannot be written ({error.strerror}); name a writable run.work."
            ) from error
        finally:
            aside.unlink(missing_ok=True)
    return file


def read_identity(certificate: Path, key: Path, timestamps: str = "") -> Identity:
    """Read a chain and a key, and say at once what would keep them from signing.

    Raises
    ------
    FixSettings
        With a sentence.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    words = "in [provenance]"
    try:
        chain = x509.load_pem_x509_certificates(certificate.read_bytes())
    except (OSError, ValueError) as error:
        raise FixSettings(
            f"Certificate {certificate} {words} cannot be read ({error}); name a PEM."
        ) from error
    try:
        private = serialization.load_pem_private_key(key.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise FixSettings(
            f"Key {key} {words} cannot be read ({error}); name a PEM without a passphrase."
        ) from error
    leaf = chain[0]
    same = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    if private.public_key().public_bytes(*same) != leaf.public_key().public_bytes(*same):
        raise FixSettings(f"Key {key} {words} is not that of certificate {certificate}; name its own.")
    fault = _fault(leaf, len(chain))
    if fault:
        raise FixSettings(f"Certificate {certificate} {words} {fault}.")
    return Identity(
        _algorithm(leaf, certificate),
        "".join(one.public_bytes(serialization.Encoding.PEM).decode() for one in chain),
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
        timestamps,
    )


def _fault(leaf: Certificate, length: int) -> str:
    """What C2PA's certificate profile (specification 2.2, 14.5) would refuse, in words; or nothing."""
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    now = datetime.now(UTC)
    if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
        first, last = leaf.not_valid_before_utc, leaf.not_valid_after_utc
        return f"is valid from {first:%Y-%m-%d} to {last:%Y-%m-%d}; renew it"
    if leaf.subject == leaf.issuer or length < 2:
        return "comes without its issuer; put the chain into the file, the signer's first"
    try:
        if not leaf.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature:
            return "may not sign (key usage); ask for one with digitalSignature"
        usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return "does not say what its key is for; ask for one with key usage and extended key usage"
    if ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usage:
        return "is for any use, which C2PA refuses; ask for one for document signing or e-mail protection"
    return ""


def _algorithm(leaf: Certificate, file: Path) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    public = leaf.public_key()
    if isinstance(public, ed25519.Ed25519PublicKey):
        return "ed25519"
    if isinstance(public, ec.EllipticCurvePublicKey):
        found = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}.get(public.curve.name)
        if found:
            return found
    if isinstance(public, rsa.RSAPublicKey) and public.key_size >= 2048:
        return "ps256"
    raise FixSettings(
        f"Certificate {file} in [provenance] has a key that C2PA does not take; use one on P-256, P-384 or "
        f"P-521, Ed25519, or RSA of 2048 bits or more."
    )


def _development(tenant: str) -> bytes:
    """Key, certificate and issuer as C2PA's profile wants them; nobody but we vouches for them."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    start = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    end = start + timedelta(days=365 * _YEARS)

    def name(common: str) -> x509.Name:
        return x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, tenant[:64]),
                x509.NameAttribute(NameOID.COMMON_NAME, common),
            ]
        )

    def usage(*, signs: bool) -> x509.KeyUsage:
        return x509.KeyUsage(
            digital_signature=signs,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=not signs,
            crl_sign=not signs,
            encipher_only=False,
            decipher_only=False,
        )

    def certificate(
        subject: x509.Name,
        public: ec.EllipticCurvePublicKey,
        path: int | None,
        extra: list[x509.ExtensionType],
    ) -> x509.Certificate:
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=path is not None, path_length=path), critical=True)
            .add_extension(usage(signs=path is None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(above.public_key()), critical=False
            )
        )
        for one in extra:
            made = made.add_extension(one, critical=False)
        signer: CertificateIssuerPrivateKeyTypes = above
        return made.sign(signer, hashes.SHA256())

    above, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = name("Packline development authority, not to be trusted")
    root = certificate(issuer, above.public_key(), 0, [])
    purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
    leaf = certificate(name("Packline development"), own.public_key(), None, [purpose])
    private = own.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + b"".join(one.public_bytes(serialization.Encoding.PEM) for one in (leaf, root))

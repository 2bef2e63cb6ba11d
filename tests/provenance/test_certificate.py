"""Who signs: our own development certificate, or the tenant's; what would not sign gets a sentence."""

from __future__ import annotations

import datetime
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from packline.bucket import open_bucket
from packline.errors import FixSettings
from packline.provenance.certificate import development_certificate, identity
from packline.publish import check_delivery, publish_shot
from tests.provenance.made import chosen, make_select, make_settings
from tests.provenance.verifier import verify

NOW = datetime.datetime.now(datetime.UTC)
KEYS: dict[str, Any] = {
    "es256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "es384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "es512": lambda: ec.generate_private_key(ec.SECP521R1()),
    "ps256": lambda: rsa.generate_private_key(65537, 2048),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
}


def write_chain(
    folder: Path,
    key: Any,
    *,
    days: int = 30,
    with_issuer: bool = True,
    signs: bool = True,
    purpose: Any = ExtendedKeyUsageOID.EMAIL_PROTECTION,
) -> bytes:
    """A tenant's certificate, its key and its issuer; returns the issuer."""
    authority = ec.generate_private_key(ec.SECP256R1())
    names = [x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, one)]) for one in ("Notary", "Shop")]

    def made(number: int, public: Any, extensions: list[tuple[Any, bool]]) -> x509.Certificate:
        builder = x509.CertificateBuilder().subject_name(names[number]).issuer_name(names[0])
        builder = builder.public_key(public).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(NOW - datetime.timedelta(days=400))
        builder = builder.not_valid_after(NOW + datetime.timedelta(days=days))
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(authority, hashes.SHA256())

    usage = x509.KeyUsage(signs, not signs, False, False, False, False, False, False, False)
    root = made(
        0,
        authority.public_key(),
        [
            (x509.BasicConstraints(True, None), True),
            (x509.KeyUsage(False, False, False, False, False, True, True, False, False), True),
        ],
    )
    leaf = made(
        1,
        key.public_key(),
        [
            (x509.BasicConstraints(False, None), True),
            (usage, True),
            (x509.ExtendedKeyUsage([purpose]), False),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), False),
        ],
    )
    pem = [one.public_bytes(serialization.Encoding.PEM) for one in (leaf, root)]
    (folder / "shop.pem").write_bytes(b"".join(pem if with_issuer else pem[:1]))
    (folder / "shop.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return pem[1]


OWN = '[provenance]\ncertificate = "shop.pem"\nkey = "shop.key"\n'


@pytest.mark.parametrize("kind", list(KEYS))
def test_a_tenants_own_certificate_signs_whatever_its_key(tmp_path: Path, kind: str) -> None:
    root = write_chain(tmp_path, KEYS[kind]())
    settings, shot = make_settings(tmp_path, OWN), make_select(tmp_path)
    assert identity(settings).algorithm == kind
    bucket = open_bucket(settings.bucket)
    (file,) = publish_shot(bucket, settings, shot, chosen(shot)).files
    assert verify(bucket.get(file.key), root).signer == "O=Shop"


def test_the_development_certificate_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        files = list(pool.map(lambda _: development_certificate(settings), range(8)))
    (file,) = set(files)
    assert [one.name for one in file.parent.iterdir()] == ["development.pem"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert identity(settings) == identity(make_settings(tmp_path))
    assert "PRIVATE" not in repr(identity(settings))
    leaf, root = x509.load_pem_x509_certificates(identity(settings).chain.encode())
    leaf.verify_directly_issued_by(root)
    root.verify_directly_issued_by(root)


def test_who_signs_nothing_gets_no_certificate(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, '[provenance]\nembed = "xmp"\n')
    check_delivery(settings)
    shot = make_select(tmp_path)
    publish_shot(open_bucket(settings.bucket), settings, shot, chosen(shot))
    assert not (tmp_path / "work" / "provenance").exists()


def said(folder: Path) -> str:
    with pytest.raises(FixSettings) as caught:
        check_delivery(make_settings(folder, OWN))
    return str(caught.value).replace(f"{folder}/", "")


def test_what_cannot_sign_is_told_before_a_run_pays_for_pictures(tmp_path: Path) -> None:
    key = KEYS["es256"]()
    assert said(tmp_path).startswith("Certificate shop.pem in [provenance] cannot be read (")
    write_chain(tmp_path, key, with_issuer=False)
    assert said(tmp_path) == (
        "Certificate shop.pem in [provenance] comes without its issuer; put the chain into the file, the "
        "signer's first."
    )
    write_chain(tmp_path, key, days=-1)
    assert "; renew it." in said(tmp_path)
    write_chain(tmp_path, key, signs=False)
    assert said(tmp_path).endswith("may not sign (key usage); ask for one with digitalSignature.")
    write_chain(tmp_path, key, purpose=ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)
    assert "is for any use, which C2PA refuses" in said(tmp_path)
    write_chain(tmp_path, rsa.generate_private_key(65537, 1024))
    assert "has a key that C2PA does not take" in said(tmp_path)
    write_chain(tmp_path, key)
    (tmp_path / "shop.key").write_bytes(b"no key")
    assert said(tmp_path).startswith("Key shop.key in [provenance] cannot be read (")
    other = tmp_path / "other"
    other.mkdir()
    write_chain(other, KEYS["es256"]())
    (other / "shop.key").replace(tmp_path / "shop.key")
    assert said(tmp_path) == (
        "Key shop.key in [provenance] is not that of certificate shop.pem; name its own."
    )


def test_a_certificate_without_a_key_is_no_setting(tmp_path: Path) -> None:
    with pytest.raises(FixSettings, match=r"provenance is wrong: give certificate and key, or neither\.$"):
        make_settings(tmp_path, '[provenance]\ncertificate = "shop.pem"\n')

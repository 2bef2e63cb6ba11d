"""A timestamp authority on this machine: openssl's, over HTTP."""

from __future__ import annotations

import datetime
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_CONFIG = """
[tsa]
default_tsa = own
[own]
serial = {folder}/serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1
ess_cert_id_alg = sha256
"""


def _certificates(folder: Path) -> None:
    now = datetime.datetime.now(datetime.UTC)
    authority, own = (rsa.generate_private_key(65537, 2048) for _ in range(2))
    names = [x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, one)]) for one in ("Clocks", "Clock")]

    def made(number: int, key: rsa.RSAPrivateKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(names[number])
            .issuer_name(names[0])
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=30))
            .add_extension(x509.BasicConstraints(number == 0, None), True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), False)
            .add_extension(
                x509.KeyUsage(
                    number == 1, False, False, False, False, number == 0, number == 0, False, False
                ),
                True,
            )
        )

    root = made(0, authority).sign(authority, hashes.SHA256())
    purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
    leaf = made(1, own).add_extension(purpose, True).sign(authority, hashes.SHA256())
    for name, one in (("root.pem", root), ("leaf.pem", leaf)):
        (folder / name).write_bytes(one.public_bytes(serialization.Encoding.PEM))
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "leaf.key").write_bytes(own.private_bytes(serialization.Encoding.PEM, *plain))
    (folder / "serial").write_text("01")
    (folder / "tsa.cnf").write_text(_CONFIG.format(folder=folder))


@contextmanager
def timestamp_authority(folder: Path, *, sound: bool = True) -> Iterator[str]:
    """Serve for as long as the block runs; gives the URL. One that is not sound answers with no timestamp."""
    folder.mkdir()
    _certificates(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            (folder / "query").write_bytes(query)
            files = ["-queryfile", "query", "-signer", "leaf.pem", "-inkey", "leaf.key", "-chain", "root.pem"]
            command = ["openssl", "ts", "-reply", "-config", "tsa.cnf", *files, "-out", "answer"]
            subprocess.run(command, cwd=folder, check=True, capture_output=True)
            answer = (folder / "answer").read_bytes() if sound else b"no time"
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

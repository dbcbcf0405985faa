"""A certificate expires under a site: doctor and health say so, and nothing has to be restarted once it is renewed.

The handshakes are real: a listener of this test's own, with certificates of an authority of its own.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.test import Client

from practicum.config.doctor import network
from practicum.config.surroundings import Rarely, Surroundings, certificates_hold

DAY = timedelta(days=1)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


@dataclass
class Authority:
    """Signs certificates for 127.0.0.1; who trusts it trusts them."""

    folder: Path

    def __post_init__(self) -> None:
        self.key, self.trusted = ec.generate_private_key(ec.SECP256R1()), self.folder / "authority.pem"
        built = self._begun("authority", key=self.key, ends_at=datetime.now(UTC) + 3650 * DAY)
        built = built.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.trusted.write_bytes(built.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def certificate(self, *, ends_at: datetime) -> Path:
        """A certificate with its key."""
        key, file = ec.generate_private_key(ec.SECP256R1()), self.folder / f"{ends_at:%Y%m%d}.pem"
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        built = self._begun("site", key=key, ends_at=ends_at).add_extension(names, critical=False)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.write_bytes(private + built.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return file

    def _begun(self, name: str, *, key: ec.EllipticCurvePrivateKey, ends_at: datetime) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(_named(name))
            .issuer_name(_named("authority"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(ends_at - 4000 * DAY)
            .not_valid_after(ends_at)
        )


@contextlib.contextmanager
def tls_in_front(certificate: list[Path]) -> Iterator[int]:
    """Something that speaks TLS, with whatever certificate the list holds at that moment; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    plain, _ = listener.accept()
                except OSError:
                    return
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(certificate[0])
                with plain, contextlib.suppress(OSError), context.wrap_socket(plain, server_side=True) as secure:
                    secure.recv(1)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(timeout=5)


def test_an_expired_certificate_is_told_and_a_renewed_one_is_believed_without_a_restart(
    client: Client, db: None, data_dir: Path, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, now, moment = Authority(tmp_path), datetime.now(UTC), [0.0]
    good, expired, soon = (authority.certificate(ends_at=now + days * DAY) for days in (60, -1, 9))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.trusted))
    shown = [good]
    with tls_in_front(shown) as port:
        site = f"https://127.0.0.1:{port}"
        settings.PRACTICUM_SITE_URL = settings.PRACTICUM_HUB_URL = site
        around = Surroundings({"certificate": Rarely(certificates_hold, every=300, clock=lambda: moment[0])})

        def health() -> tuple[int, list[str]]:
            moment[0] += 300
            for _ in range(2):
                around.look()
                around.beat()
            answer = client.get("/health/")
            return answer.status_code, answer.json()["failing"]

        def doctor() -> tuple[str, str]:
            (found,) = network.certificates({"site": site}, now=now)
            return str(found.state), found.said

        assert health() == (200, [])
        assert doctor()[0] == "ok"

        shown[0] = expired
        assert health() == (503, ["certificate"])
        assert doctor()[0] == "mend"
        assert "certificate has expired" in doctor()[1]

        shown[0] = soon
        assert health() == (200, [])
        assert doctor() == ("mend", "ends in 8 days, and was not renewed")

        shown[0] = good
        assert health() == (200, [])
        assert doctor()[0] == "ok"


def test_who_does_not_trust_the_authority_is_refused(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, other = Authority(tmp_path), tmp_path / "other"
    other.mkdir()
    monkeypatch.setenv("SSL_CERT_FILE", str(Authority(other).trusted))
    with tls_in_front([authority.certificate(ends_at=datetime.now(UTC) + 60 * DAY)]) as port:
        settings.PRACTICUM_SITE_URL = settings.PRACTICUM_HUB_URL = f"https://127.0.0.1:{port}"
        assert not certificates_hold()


def test_what_can_not_be_seen_from_here_is_not_judged(settings: Any) -> None:
    settings.PRACTICUM_SITE_URL = settings.PRACTICUM_HUB_URL = "https://127.0.0.1:1"
    assert certificates_hold()

"""The site's own small authority: who may give orders to its servers' engines, and which engine is the right one.

Its key lies in ``<data dir>/authority``, and the worker's keys to each engine in ``<data dir>/servers/<name>``; both are
readable by their owner alone. An engine takes orders only from who shows a certificate of this authority that is for giving
orders, and the site gives them only to an engine that shows one for that server. A key to one server's engine opens it and
all others of this site: they are given to nobody but worker and hub.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_HOLDS = timedelta(days=3650)
PAIR_HOLDS = timedelta(days=825)
# Clocks differ.
BEFORE = timedelta(hours=1)
PORT = 2376


@dataclass(frozen=True)
class Pair:
    """A private key and its certificate, in PEM."""

    key: bytes
    certificate: bytes


class Authority:
    """The authority in ``folder``, made when it is first needed."""

    def __init__(self, folder: Path, *, now: datetime) -> None:
        self.folder, self.now = folder, now
        if not (folder / "key.pem").exists():
            self._make()
        self._key = serialization.load_pem_private_key((folder / "key.pem").read_bytes(), password=None)
        self.certificate = (folder / "ca.pem").read_bytes()

    def of_engine(self, name: str, *, address: str) -> Pair:
        """What the engine of a server shows."""
        try:
            known: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(address))
        except ValueError:
            known = x509.DNSName(address)
        return self._pair(f"engine of {name}", usage=ExtendedKeyUsageOID.SERVER_AUTH, names=[known])

    def of_site(self) -> Pair:
        """What worker and hub show."""
        return self._pair("practicum", usage=ExtendedKeyUsageOID.CLIENT_AUTH, names=[])

    def _make(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Practicum engines")])
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now - BEFORE)
            .not_valid_after(self.now + AUTHORITY_HOLDS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        certificate = builder.sign(key, hashes.SHA256())
        write(self.folder / "ca.pem", certificate.public_bytes(serialization.Encoding.PEM))
        write(self.folder / "key.pem", _pem(key))

    def _pair(self, name: str, *, usage: x509.ObjectIdentifier, names: list[x509.GeneralName]) -> Pair:
        issuer = x509.load_pem_x509_certificate(self.certificate)
        assert isinstance(self._key, ec.EllipticCurvePrivateKey)
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(issuer.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now - BEFORE)
            .not_valid_after(self.now + PAIR_HOLDS)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return Pair(_pem(key), builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))


def keep_node(folder: Path, *, address: str, authority: Authority) -> None:
    """The folder of a server's engine (:mod:`.nodes`), whole or not at all; what was there is replaced."""
    fresh = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    pair = authority.of_site()
    write(fresh / "address", f"tcp://{f'[{address}]' if ':' in address else address}:{PORT}\n".encode())
    write(fresh / "ca.pem", authority.certificate)
    write(fresh / "cert.pem", pair.certificate)
    write(fresh / "key.pem", pair.key)
    if folder.exists():
        old = folder.with_name(f".{folder.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
        shutil.rmtree(old)
    fresh.rename(folder)


def certificate_ends_at(pem: bytes) -> datetime:
    """When a certificate is over."""
    return x509.load_pem_x509_certificate(pem).not_valid_after_utc


def write(file: Path, content: bytes) -> None:
    """A file that its owner alone reads, in a folder that its owner alone enters."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(content)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )

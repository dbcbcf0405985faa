"""The issuer's keys: the private one in a file that only its owner reads, the public ones in rows.

One key is in use. ``renew`` makes the next one; what the one before has signed stays valid, unless it was ``revoked``
because somebody else may have it. In production a key is made by ``practicum setup`` only, never in passing: a site that
lost its key says so and signs nothing.
"""

from __future__ import annotations

import os
import stat
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.db import IntegrityError, transaction

from practicum.accounts.models import User
from practicum.audit.services import record
from practicum.credentials.models import IssuerKey
from practicum.credentials.offline.verifier import multikey_of
from practicum.errors import Fault

OWNER_ONLY = 0o600


class KeyUnusable(Fault):
    """The issuer's key is not there, can be read by others, or is another than the one in use."""

    code = "issuer_key"


def key_file() -> Path:
    """Where the private key lies."""
    return Path(settings.PRACTICUM_ISSUER_KEY_FILE or Path(settings.PRACTICUM_DATA_DIR) / "issuer.pem")


def ensure(*, now: datetime) -> bool:
    """There is a key in use; True if it was made now.

    Raises:
        KeyUnusable: a key is in use, but its file is gone or holds another.
    """
    if IssuerKey.objects.filter(is_in_use=True).exists():
        load()
        return False
    private = _read() if key_file().exists() else _write(key_file())
    try:
        with transaction.atomic():
            row = IssuerKey.objects.create(multikey=_multikey(private), made_at=now)
            record("issuer_key.made", subject=row, actor=None, now=now)
    except IntegrityError:  # another process was quicker
        load()
        return False
    return True


def in_use(*, now: datetime) -> tuple[IssuerKey, Ed25519PrivateKey]:
    """The key that signs now; outside production the first one is made when it is needed.

    Raises:
        KeyUnusable: there is none that could be used.
    """
    if settings.PRACTICUM_ENV != "production":
        ensure(now=now)
    return load()


def load() -> tuple[IssuerKey, Ed25519PrivateKey]:
    """The key in use, both halves.

    Raises:
        KeyUnusable: it was never made, or its file is gone, open to others, or holds another key.
    """
    row = IssuerKey.objects.filter(is_in_use=True).first()
    if row is None:
        raise KeyUnusable("This site has no key to sign certificates with. Run “practicum setup”.")
    private = _read()
    if _multikey(private) != row.multikey:
        raise KeyUnusable("The issuer's key file holds another key than the one in use. Put the right file back.")
    return row, private


def renew(*, actor: User | None, now: datetime, revoke: bool = False) -> IssuerKey:
    """A new key signs from now on; with ``revoke`` nothing that the one before has signed counts any more.

    Raises:
        KeyUnusable: the file can't be written.
    """
    fresh = key_file().with_name(f".{key_file().name}.new")
    fresh.unlink(missing_ok=True)
    private = _write(fresh)
    with transaction.atomic():
        old = IssuerKey.objects.select_for_update().filter(is_in_use=True).first()
        if old is not None:
            old.is_in_use, old.retired_at, old.revoked_at = False, now, now if revoke else None
            old.save(update_fields=["is_in_use", "retired_at", "revoked_at"])
        row = IssuerKey.objects.create(multikey=_multikey(private), made_at=now)
        record("issuer_key.renewed", subject=row, actor=actor, now=now, retired=old and old.multikey, revoked=revoke)
        fresh.replace(key_file())
    return row


def _multikey(private: Ed25519PrivateKey) -> str:
    return multikey_of(private.public_key().public_bytes_raw())


def _read() -> Ed25519PrivateKey:
    file = key_file()
    try:
        mode = file.stat().st_mode
        content = file.read_bytes()
    except OSError as fault:
        raise KeyUnusable("The issuer's key can't be read. Put its file back, or make a new key.") from fault
    if stat.S_IMODE(mode) & 0o077:
        raise KeyUnusable("The issuer's key file can be read by others. Give it the mode 0600.")
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except ValueError as fault:
        raise KeyUnusable("The issuer's key file holds no key.") from fault
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyUnusable("The issuer's key file holds no Ed25519 key.")
    return key


def _write(file: Path) -> Ed25519PrivateKey:
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY), "wb") as stream:
            stream.write(pem)
    except FileExistsError:  # another process was quicker
        return _read()
    except OSError as fault:
        raise KeyUnusable("The issuer's key can't be written to its folder.") from fault
    return private

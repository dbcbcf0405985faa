"""``deploy/.env``: the settings of one server, and its secrets. Readable by its owner alone; what it holds is kept."""

from __future__ import annotations

import os
import re
import secrets
import tempfile
from pathlib import Path
from typing import Dict, Mapping

# Each made once, 64 hexadecimal digits. Another SPLIT_SECRET would hide other rows, another POSTGRES_PASSWORD open nothing.
SECRETS = (
    "POSTGRES_PASSWORD",
    "PRACTICUM_SECRET_KEY",
    "PRACTICUM_HUB_API_TOKEN",
    "PRACTICUM_HUB_SITE_TOKEN",
    "PRACTICUM_OIDC_CLIENT_SECRET",
    "PRACTICUM_SPLIT_SECRET",
    "CONFIGPROXY_AUTH_TOKEN",
    "JUPYTERHUB_CRYPT_KEY",
)
LINE = re.compile(r"^([A-Z][A-Z0-9_]*)=(.*)$")


def read(file: Path) -> Dict[str, str]:
    """The settings in a file; none if it is not there."""
    if not file.is_file():
        return {}
    found = (LINE.match(line) for line in file.read_text(encoding="utf-8").splitlines())
    return {match[1]: unquoted(match[2].strip()) for match in found if match}


def unquoted(value: str) -> str:
    """Compose takes a value in single quotes as it is."""
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value


def quoted(value: str) -> str:
    """``value`` as Compose reads it back unchanged.

    Raises:
        ValueError: it can't be written in one line.
    """
    if "\n" in value or "'" in value:
        raise ValueError("A setting can have neither a line break nor a single quote.")
    return f"'{value}'" if re.search(r"[\s#$\"\\]", value) else value


def with_secrets(settings: Mapping[str, str]) -> Dict[str, str]:
    """``settings`` with the secrets that are missing made."""
    return {**settings, **{name: secrets.token_hex(32) for name in SECRETS if not settings.get(name)}}


def write(file: Path, settings: Mapping[str, str], *, template: Path) -> None:
    """``file`` holds ``settings``, in the order and with the comments of ``template``, others after them; whole or not at all."""
    lines, left = [], dict(settings)
    for line in template.read_text(encoding="utf-8").splitlines():
        match = LINE.match(line)
        if match and match[1] in left:
            line = f"{match[1]}={quoted(left.pop(match[1]))}"
        lines.append(line)
    lines += [f"{name}={quoted(value)}" for name, value in left.items()]
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=".env-")  # readable by its owner alone
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write("\n".join(lines) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink()
        raise


def filled(settings: Mapping[str, str], *, template: Path) -> Dict[str, str]:
    """``settings`` with what a newer template adds, and the secrets it needs."""
    return with_secrets({**read(template), **settings})

"""Posting a notice to the address a person named, signed so that they can tell it is ours (Standard Webhooks 1.0).

The address is somebody else's word, so the host is resolved here, every answer is checked, and the connection goes to
the very address that was checked: no second look-up, no redirect, one deadline for all of it, and of the answer only
the status is read. https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from practicum.accounts.addresses import may_call
from practicum.accounts.models import Notice, User
from practicum.errors import Fault, Invalid

TIMEOUT_SECONDS = 5.0
STATUS_LINE_BYTES = 1_024
SALT = b"practicum.accounts.webhooks"
Resolve = Callable[[str, int], Sequence[str]]


class UnfitAddress(Invalid):
    """The address of a webhook can't be used; ``field`` is ``webhook_url``."""

    code = "unfit_address"


class NotTaken(Fault):
    """The webhook did not take it; the message says why, for its owner."""

    code = "webhook"


@dataclass(frozen=True)
class Target:
    """Where to post: the parts of the person's address."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def name(self) -> str:
        """Host and port as the Host header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == {"https": 443, "http": 80}[self.scheme] else f"{host}:{self.port}"


def check_address(url: str) -> Target:
    """The parts of an address that a webhook may have. The host is not looked up: that is done at each sending.

    Raises:
        UnfitAddress: it is no address, not https, or has a name and password in it.
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").encode("idna").decode(), parts.port
    except ValueError:
        raise UnfitAddress("This is not a web address.", field="webhook_url") from None
    if parts.scheme not in settings.PRACTICUM_WEBHOOK_SCHEMES or not host:
        raise UnfitAddress("Give a full address that begins with https://.", field="webhook_url")
    if parts.username is not None or parts.password is not None:
        raise UnfitAddress("Leave name and password out of the address.", field="webhook_url")
    if not url.isascii() or any(ord(letter) <= 32 for letter in url):
        raise UnfitAddress("Write the address without blanks and accents.", field="webhook_url")
    return Target(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), _path_of(parts))


def _path_of(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def secret_of(user: User, *, number: int) -> str:
    """The signing secret of this number. It is derived from the site's own secret: no row holds it."""
    key = hmac.new(settings.SECRET_KEY.encode(), SALT + f":{user.uuid}:{number}".encode(), hashlib.sha256).digest()
    return "whsec_" + base64.b64encode(key).decode()


def sign(body: bytes, *, secret: str, message_id: str, timestamp: int) -> str:
    """``v1,`` and the HMAC-SHA256 of ``id.timestamp.body`` in base64."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(mac).decode()


def payload_of(notice: Notice) -> bytes:
    """What is posted."""
    fields = {
        "id": str(notice.pk),
        "kind": notice.kind,
        "subject": notice.subject,
        "body": notice.body,
        "url": notice.url,
        "at": notice.made_at.isoformat(),
    }
    return json.dumps(fields, ensure_ascii=False).encode()


def look_up(host: str, port: int) -> list[str]:
    """The addresses of a host, in the order to try them.

    Raises:
        NotTaken: it has none.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NotTaken("The host of the webhook's address is not known.") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def post(notice: Notice, *, url: str, secret: str, now: datetime, resolve: Resolve = look_up) -> None:
    """Post the notice once, signed; it is taken when the answer is a 2xx.

    Raises:
        UnfitAddress: the address can't be used.
        NotTaken: it leads inside our network, nobody answers in time, or the answer is no 2xx.
    """
    body, message_id, timestamp = payload_of(notice), str(notice.pk), int(now.timestamp())
    signed = [
        f"webhook-id: {message_id}",
        f"webhook-timestamp: {timestamp}",
        f"webhook-signature: {sign(body, secret=secret, message_id=message_id, timestamp=timestamp)}",
    ]
    post_json(body, url=url, headers=signed, resolve=resolve)


def post_json(body: bytes, *, url: str, headers: Sequence[str] = (), resolve: Resolve = look_up) -> None:
    """Post once to where the address leads on the public internet; ``headers`` are whole lines of ASCII.

    Raises:
        UnfitAddress: the address can't be used.
        NotTaken: it leads inside our network, nobody answers in time, or the answer is no 2xx.
    """
    target = check_address(url)
    addresses = list(resolve(target.host, target.port))
    allowed = settings.PRACTICUM_WEBHOOK_NETWORKS
    if not addresses or not all(may_call(address, allowed=allowed) for address in addresses):
        raise NotTaken("The webhook's address does not lead to the public internet.")
    head = [
        f"POST {target.path} HTTP/1.1",
        f"Host: {target.name}",
        "User-Agent: Practicum",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *headers,
    ]
    request = "\r\n".join([*head, "", ""]).encode("ascii") + body
    status = _exchange(request, target=target, address=addresses[0])
    if not 200 <= status < 300:
        raise NotTaken(f"The webhook answered {status}." if status else "The webhook's answer is not HTTP.")


def _exchange(request: bytes, *, target: Target, address: str) -> int:
    """Send to exactly this address; the status of the answer, 0 where it has none.

    Raises:
        NotTaken: no answer in five seconds, or the certificate is not the host's.
    """
    until = time.monotonic() + TIMEOUT_SECONDS
    try:
        with socket.create_connection((address, target.port), timeout=TIMEOUT_SECONDS) as plain:
            plain.settimeout(_left(until))
            if target.scheme == "http":
                return _converse(plain, request=request, until=until)
            context = ssl.create_default_context()
            with context.wrap_socket(plain, server_hostname=target.host) as secured:
                return _converse(secured, request=request, until=until)
    except ssl.SSLCertVerificationError:
        raise NotTaken("The certificate of the webhook's host can't be trusted.") from None
    except TimeoutError:
        raise NotTaken("The webhook did not answer in 5 seconds.") from None
    except (OSError, UnicodeError):
        raise NotTaken("The webhook could not be reached.") from None


def _converse(connection: socket.socket, *, request: bytes, until: float) -> int:
    connection.settimeout(_left(until))
    connection.sendall(request)
    answer = b""
    while b"\n" not in answer and len(answer) < STATUS_LINE_BYTES:
        connection.settimeout(_left(until))
        piece = connection.recv(STATUS_LINE_BYTES)
        if not piece:
            break
        answer += piece
    words = answer.split(b"\n", 1)[0].split()
    with suppress(ValueError, IndexError):
        return int(words[1]) if words[0].startswith(b"HTTP/1.") else 0
    return 0


def _left(until: float) -> float:
    """What is left of the deadline.

    Raises:
        TimeoutError: nothing.
    """
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left

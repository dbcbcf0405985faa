"""What people's browsers meet: names, certificates, the site and the hub at their public addresses."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx

from practicum.config.doctor.findings import PRACTICUM, Finding, State, ok, to_mend

SECONDS = 5
# A certificate that ends so soon was due long ago. Who renews them begins with a third of their time left; certificates are made
# for 90 days, by Caddy's own authority for twelve hours.
SOON, SOON_PART = timedelta(days=14), 6
# Docker's port without TLS: whoever reaches it is root on this machine.
OPEN_ENGINE_PORT = 2375
# From when a certificate is good, and until when.
Term = tuple[datetime, datetime]
Connect = Callable[[str, int], Term]


def names(addresses: dict[str, str], *, resolve: Callable[..., Any] = socket.getaddrinfo) -> list[Finding]:
    """The names of the site and the hub lead somewhere."""
    found = []
    for what, url in addresses.items():
        host = urlsplit(url).hostname or ""
        try:
            places = {str(entry[4][0]) for entry in resolve(host, None)}
        except OSError as fault:
            mend = f"Add an A or AAAA record of {host} that names this server; then: getent hosts {host}"
            found.append(to_mend(f"name of the {what}", f"{host} leads nowhere ({fault})", mend))
            continue
        found.append(ok(f"name of the {what}", f"{host} is {', '.join(sorted(places))}"))
    return found


def certificates(addresses: dict[str, str], *, now: datetime, term: Connect | None = None) -> list[Finding]:
    """The certificates are believed, are of these names, and were renewed in time."""
    return [_certificate(what, url, now=now, term=term or certificate_term) for what, url in addresses.items()]


def _certificate(what: str, url: str, *, now: datetime, term: Connect) -> Finding:
    parts, name = urlsplit(url), f"certificate of the {what}"
    if parts.scheme != "https":
        return Finding(name, State.LOOK, f"{url} is not encrypted: for trying out on one machine alone")
    see = f"{PRACTICUM} logs tls"
    try:
        begin, end = term(parts.hostname or "", parts.port or 443)
    except ssl.SSLCertVerificationError as fault:
        mend = f"{see}\nPorts 80 and 443 must reach this server for a certificate to be made or renewed."
        return to_mend(name, f"browsers refuse it: {fault}", mend)
    except OSError as fault:
        return to_mend(name, f"nothing answers there ({fault})", f"{PRACTICUM} start\n{see}")
    left = end - now
    said = f"{left.days} days" if left >= timedelta(days=2) else f"{left / timedelta(hours=1):.0f} h"
    if left < min(SOON, (end - begin) / SOON_PART):
        return to_mend(name, f"ends in {said}, and was not renewed", see)
    return ok(name, f"good for {said}")


def certificate_term(host: str, port: int) -> Term:
    """From when the certificate there is good, and until when.

    Raises:
        ssl.SSLCertVerificationError: a browser would refuse it.
        OSError: nothing answers.
    """
    context = ssl.create_default_context()
    with (
        socket.create_connection((host, port), timeout=SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=host) as tls,
    ):
        shown = tls.getpeercert() or {}
    begin, end = (ssl.cert_time_to_seconds(str(shown[name])) for name in ("notBefore", "notAfter"))
    return datetime.fromtimestamp(begin, tz=UTC), datetime.fromtimestamp(end, tz=UTC)


def pages(addresses: dict[str, str], *, get: Callable[..., httpx.Response] = httpx.get) -> list[Finding]:
    """What answers at the public addresses is the site, and the hub."""
    found = []
    for what, url in addresses.items():
        service = {"site": "web", "hub": "hub"}[what]
        mend = f"{PRACTICUM} start\n{PRACTICUM} logs {service}"
        began = time.monotonic()
        try:
            answer = get(url, timeout=SECONDS)
        except httpx.HTTPError as fault:
            found.append(to_mend(what, f"{url} does not answer ({type(fault).__name__})", mend))
            continue
        if answer.is_success:
            found.append(ok(what, f"{url} answers in {(time.monotonic() - began) * 1000:.0f} ms"))
        else:
            found.append(to_mend(what, f"{url} answers {answer.status_code}", mend))
    return found


def open_engine(*, port: int = OPEN_ENGINE_PORT) -> list[Finding]:
    """No container engine listens to anybody on this machine."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return [ok("engine's port", "closed to the network")]
    mend = "Remove tcp:// from the engine's hosts (/etc/docker/daemon.json or its unit), then: systemctl restart docker"
    return [to_mend("engine's port", f"something listens on {port}, where an engine obeys anybody", mend)]

"""Certificates from a public authority: what ``TLS_MODE=acme`` serves is got by ACME, kept, and renewed by nobody's hand.

The authority is a second Caddy, whose own ACME server stands at Let's Encrypt's name on a network of the test's own. Order,
challenge over that network and certificate are real; only the root that has to be believed is another.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.server import HUB, ROOT, SITE, build_images
from tests.tools.waiting import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
AUTHORITY = "acme-v02.api.letsencrypt.org"
ITS_CADDYFILE = f"""{{
	admin off
	pki {{
		ca local {{
			name "Authority of the test"
		}}
	}}
}}
https://{AUTHORITY} {{
	tls internal
	rewrite /directory /acme/local/directory
	acme_server
}}
"""


def docker(*words: str) -> str:
    """What the engine says."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout.strip()


def address_of(container: str) -> str:
    """Where it is on its one network."""
    (network,) = json.loads(docker("inspect", container))[0]["NetworkSettings"]["Networks"].values()
    return str(network["IPAddress"])


def shown_by(container: str, host: str, *, context: ssl.SSLContext) -> dict[str, Any]:
    """The certificate that it shows to who asks for ``host``; empty where there is none, or ``context`` does not believe it."""
    try:
        with (
            socket.create_connection((address_of(container), 443), timeout=5) as plain,
            context.wrap_socket(plain, server_hostname=host) as tls,
        ):
            return dict(tls.getpeercert() or {"seen": tls.version()})
    except (ssl.SSLError, OSError):
        return {}


def whatever() -> ssl.SSLContext:
    """Believes everybody."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@dataclass
class Site:
    """The TLS proxy of ``deploy/compose.yaml`` before an authority."""

    name: str
    root: Path

    def certificate(self, host: str) -> dict[str, Any]:
        """What it shows to who asks for ``host``, believed for this authority's word alone; empty where it shows none yet."""
        return shown_by(self.name, host, context=ssl.create_default_context(cafile=str(self.root)))

    def log(self) -> str:
        """All that it said."""
        done = subprocess.run(["docker", "logs", self.name], capture_output=True, text=True, check=True)
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, str, str]]:
    """Image, network, and containers of authority and site; gone afterwards."""
    image = build_images(tmp_path_factory.mktemp("built") / "built.json")["tls"]
    mine = f"acme-{os.getpid()}"
    docker("network", "create", mine)
    yield image, mine, f"{mine}-authority", f"{mine}-site"
    for container in (f"{mine}-authority", f"{mine}-site"):
        subprocess.run(["docker", "rm", "-fv", container], capture_output=True, check=False)
    subprocess.run(["docker", "volume", "rm", f"{mine}-caddy"], capture_output=True, check=False)
    docker("network", "rm", mine)


@pytest.fixture(scope="module")
def site(names: tuple[str, str, str, str], tmp_path_factory: pytest.TempPathFactory) -> Site:
    """It has just been started, as compose does, with the repository's own Caddyfile."""
    image, network, authority, own = names
    folder = tmp_path_factory.mktemp("acme")
    (folder / "Caddyfile").write_text(ITS_CADDYFILE)
    docker(
        "run", "-d", "--name", authority, "--network", network, "--network-alias", AUTHORITY,
        "-v", f"{folder}/Caddyfile:/etc/caddy/Caddyfile:ro", image,
    )  # fmt: skip
    # Caddy asks again a minute after it was refused: the authority is there first.
    wait_for(lambda: shown_by(authority, AUTHORITY, context=whatever()), seconds=60, what="the authority")
    root = folder / "root.pem"
    root.write_text(docker("exec", authority, "cat", "/data/caddy/pki/authorities/local/root.crt") + "\n")
    settings = {
        "SITE_HOST": SITE, "HUB_NAMES": HUB, "TLS_MODE": "acme", "TLS_EMAIL": "ops@example.org", "SSL_CERT_FILE": "/root.pem",
    }  # fmt: skip
    docker(
        "run", "-d", "--name", own, "--network", network, "--network-alias", SITE, "--network-alias", HUB,
        "--cap-drop", "ALL", "--cap-add", "NET_BIND_SERVICE", "--security-opt", "no-new-privileges:true",
        *(word for name, value in settings.items() for word in ("-e", f"{name}={value}")),
        "-v", f"{ROOT}/deploy/Caddyfile:/etc/caddy/Caddyfile:ro", "-v", f"{root}:/root.pem:ro", "-v", f"{network}-caddy:/data",
        image,
    )  # fmt: skip
    return Site(own, root)


def test_both_names_get_a_certificate_that_the_authority_gave_after_its_challenge(site: Site) -> None:
    for host in (SITE, HUB):
        wait_for(lambda host=host: bool(site.certificate(host)), seconds=90, what=f"a certificate for {host}")
        shown = site.certificate(host)
        assert shown["subjectAltName"] == (("DNS", host),)
        issuer = dict(pair for (pair,) in shown["issuer"])
        assert issuer["commonName"].startswith("Authority of the test")
    log = site.log()
    assert f"https://{AUTHORITY}/acme/local/" in log
    assert log.count('"served key authentication') >= 2, log  # by plain HTTP or within TLS, as Caddy chose
    assert site.certificate("else.test") == {}


def test_who_comes_without_tls_is_sent_to_it(site: Site) -> None:
    answer = httpx.get(f"http://{address_of(site.name)}/sign-in/", headers={"Host": SITE}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (308, f"https://{SITE}/sign-in/")


def test_a_start_without_the_authority_serves_what_was_kept(site: Site, names: tuple[str, str, str, str]) -> None:
    before = {host: site.certificate(host)["serialNumber"] for host in (SITE, HUB)}
    docker("stop", "-t", "5", names[2])
    docker("restart", "-t", "5", site.name)
    wait_for(lambda: bool(site.certificate(SITE)), seconds=60, what="the site after its start")
    assert {host: site.certificate(host)["serialNumber"] for host in (SITE, HUB)} == before

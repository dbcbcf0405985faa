"""What calls the site without the TLS proxy: hub, agents, notebooks and Prometheus, in production, where TLS is on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from practicum.config import settings as written

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
INSIDE = (
    "/api/hub/sessions/claim",
    "/api/agent/report",
    "/api/workspace/activity",
    "/o/token/",
    "/o/userinfo/",
    "/o/.well-known/jwks.json",
    "/health/",
    "/metrics",
)
OUTSIDE = ("/", "/sign-in/", "/o/authorize/", "/projects/digits/", "/apitude/", "/x/api/")


@pytest.fixture
def production(settings: Any) -> Client:
    """A client of a site that has TLS."""
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_REDIRECT_EXEMPT = written.SECURE_REDIRECT_EXEMPT
    return Client()


@pytest.mark.parametrize("path", INSIDE)
def test_what_machines_call_inside_is_answered_and_not_sent_elsewhere(db: None, production: Client, path: str) -> None:
    assert production.post(path, data="{}", content_type="application/json").status_code not in (301, 302)


@pytest.mark.parametrize("path", OUTSIDE)
def test_pages_of_people_are_sent_to_tls(db: None, production: Client, path: str) -> None:
    assert production.get(path).status_code == 301


def test_the_tls_proxy_forgets_an_idle_connection_before_gunicorn_closes_it() -> None:
    kept = re.search(r"keepalive (\d+)s", (DEPLOY / "Caddyfile").read_text())
    closed = re.search(r"--keep-alive=(\d+)", (DEPLOY / "compose.yaml").read_text())
    assert kept
    assert closed
    assert int(kept[1]) < int(closed[1])

"""Every command of docs/operator/networks.md, run as it stands on this server."""

from __future__ import annotations

import json
import shlex
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from tests.networks.conftest import RULES, SCORER, Notebook
from tests.networks.world import World
from tests.tools import guide

pytestmark = pytest.mark.engine

FIREWALL, PRACTICUM = ["sudo", "deploy/firewall.py"], ["deploy/practicum"]


@pytest.fixture
def operator(server: World, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``operator(line)``: what the command prints, where the worker's settings are those of this server."""
    monkeypatch.setenv("DOCKER_HOST", server.host)
    settings.PRACTICUM_ENV, settings.PRACTICUM_ENGINE, settings.PRACTICUM_NETWORK = "demo", "docker", "notebooks"
    settings.PRACTICUM_WORKSPACE_IMAGE, settings.PRACTICUM_INSTANCE = SCORER, "nwt"
    settings.PRACTICUM_HUB_API_URL, settings.PRACTICUM_SITE_INTERNAL_URL = "http://hub:8081/hub/api", "http://web:8000"
    settings.PRACTICUM_EGRESS_PROXY = "http://egress:3128"

    def run(line: str) -> str:
        words = shlex.split(line)
        if words[:2] == FIREWALL:
            # Never this machine's own units and files: the rules are a namespace's.
            more = [*RULES, *(["--no-unit"] if words[2] == "install" else [])]
            return server.firewall(words[2], *words[3:], *more)
        assert words[:1] == PRACTICUM, line
        out = StringIO()
        call_command(*words[1:], stdout=out)
        return out.getvalue()

    return run


def test_install_check_count_and_remove(operator: Any, server: World, notebook: Notebook) -> None:
    (install,) = guide.block("networks", "Install the rules")
    assert "The rules are in the kernel" in operator(install)
    for line in guide.block("networks", "See that they hold"):
        said = operator(line)
        assert "must not reach" not in said, said
        assert "The rules are in the kernel" in said or "ok     notebooks are kept from" in said
    (counts,) = guide.block("networks", "Who asks for too much")
    assert any(each.get("refused") for each in json.loads(operator(counts)).values())
    (remove,) = guide.block("networks", "Take the rules away")
    try:
        assert "The rules are gone" in operator(remove)
        assert "must not reach" in operator(guide.block("networks", "See that they hold")[1])
    finally:
        operator(install)

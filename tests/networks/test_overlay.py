"""The same rules inside an overlay of a swarm, where a server's own rules see nothing."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

from practicum.engine import reach
from tests.e2e.own_engine import ROOT
from tests.networks.conftest import PYTHON, SCORER
from tests.networks.world import HOST, World, inside, run
from tests.tools import guide

pytestmark = pytest.mark.engine

NETWORK = "overlaid"
HUB, NOTEBOOK, OTHER = "172.30.64.3", "172.30.64.20", "172.30.64.21"


def follow(server: World, verb: str, *arguments: str, check: bool = True) -> str:
    """``deploy/firewall_overlay.py`` as it is run on the server."""
    assert server.engine is not None
    command = [
        sys.executable,
        str(ROOT / "deploy" / "firewall_overlay.py"),
        verb,
        "--network",
        NETWORK,
        "--table",
        "nwt",
    ]
    command += ["--namespaces", str(server.engine.private.folder / "run" / "netns"), *arguments]
    with inside(f"{server.name}-server"):
        return run("env", f"DOCKER_HOST={server.host}", *command, check=check)


@pytest.fixture(scope="module")
def overlay(server: World) -> World:
    """A swarm of one server, and its overlay without a way out. It is not left again: an engine that leaves one forgets the
    names on all its networks (seen with 20.10).
    """
    server.docker("swarm", "init", "--advertise-addr", HOST, "--default-addr-pool", "172.27.0.0/16")
    common = ["network", "create", "--driver", "overlay", "--attachable", "--subnet", "172.30.64.0/24"]
    server.docker(*common, "--internal", NETWORK)
    return server


def test_on_an_overlay_a_notebook_reaches_its_door_alone(overlay: World) -> None:
    rules = [f"--door={HUB}:8081", f"--service={HUB}"]
    assert f"No container of this server is on {NETWORK} yet." in follow(overlay, "once", *rules)
    for name, address, ports in (
        ("over-hub", HUB, (8081, 8080)),
        ("over-1", NOTEBOOK, (8888,)),
        ("over-2", OTHER, (8888,)),
    ):
        places = [f"0.0.0.0:{port}" for port in ports]
        overlay.container(name, *places, networks=[[NETWORK, "--ip", address]], image=SCORER)
    try:
        door, others = [("tcp", HUB, 8081)], [("tcp", HUB, 8080), ("tcp", OTHER, 8888), ("udp", OTHER, 8888)]
        assert words(overlay, "over-1", door, others) == ([reach.OPEN], [reach.OPEN] * 3), (
            "without the rules, all of it"
        )
        (line,) = guide.block("networks", "Several servers")
        words_of = shlex.split(line)
        assert words_of[:3] == ["sudo", "deploy/firewall_overlay.py", "once"]
        assert "were loaded" in follow(overlay, "once", *words_of[3:], "--network", NETWORK, *rules)
        assert "hold" in follow(overlay, "once", *rules)
        assert words(overlay, "over-1", door, others) == ([reach.OPEN], [reach.HELD] * 3)
        assert words(overlay, "over-hub", [("tcp", NOTEBOOK, 8888)], [])[0] == [reach.OPEN], (
            "a service may call a notebook"
        )
        assert "The rules are gone" in follow(overlay, "remove", *rules)
        assert words(overlay, "over-1", door, others) == ([reach.OPEN], [reach.OPEN] * 3)
    finally:
        overlay.docker("rm", "--force", "over-hub", "over-1", "over-2")


def test_an_overlay_with_a_way_out_is_refused(overlay: World) -> None:
    overlay.docker("network", "create", "--driver", "overlay", "--attachable", "--subnet", "172.30.65.0/24", "leaky")
    assert follow(overlay, "once", "--network", "leaky", check=False) == ""
    with pytest.raises(AssertionError, match="is not internal"):
        follow(overlay, "once", "--network", "leaky")


def words(
    server: World, container: str, doors: list[tuple[str, str, int]], others: list[tuple[str, str, int]]
) -> tuple[list[str], list[str]]:
    """How it went with each, from inside the container."""
    asked = json.dumps({"doors": doors, "others": others, "seconds": 1})
    said = json.loads(server.run_in(container, PYTHON, "-I", "-c", Path(reach.__file__).read_text(), asked))
    return [word for word, *_ in said["doors"]], [word for word, *_ in said["others"]]

"""From a real kernel in a notebook that a real hub started: what it needs is reached, and nothing else (C7).

The positive control is the same program in a container without the rules, on an ordinary bridge: it must reach every sink.
"""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from practicum.engine import reach
from tests.networks import matrix
from tests.networks import world as places
from tests.networks.conftest import HUB_PORT, PYTHON, RULES, SCORER, SITE_PORT, Notebook
from tests.networks.world import World, inside, run

pytestmark = pytest.mark.engine


def reached(targets: list[matrix.Target], answers: list[list[str]]) -> list[str]:
    """The names of those that were reached, with how."""
    return [f"{t.name}: {a}" for t, a in zip(targets, answers, strict=True) if a[0] in (reach.OPEN, reach.ANSWERED)]


def by_a_weak_one(server: World, targets: list[matrix.Target], *networks: str) -> list[list[str]]:
    """What an ordinary container on these networks reaches."""
    server.docker("create", "--name", "weak", "--network", networks[0], "--entrypoint", "sleep", SCORER, "120")
    try:
        for network in networks[1:]:
            server.docker("network", "connect", network, "weak")
        server.docker("start", "weak")
        asked = json.dumps({"doors": [], "others": [[t.kind, t.address, t.port] for t in targets], "seconds": 2})
        said = server.run_in("weak", PYTHON, "-I", "-c", Path(reach.__file__).read_text(), asked)
        answers: list[list[str]] = json.loads(said)["others"]
        return answers
    finally:
        server.docker("rm", "--force", "weak")


def test_a_kernel_reaches_its_doors_and_nothing_else(server: World, notebook: Notebook) -> None:
    targets = matrix.targets(server)
    assert len(targets) >= 40
    doors = [
        *(("tcp", address, port) for port in (SITE_PORT, HUB_PORT) for address in (places.GATEWAY,)),
        ("tcp", places.WEB, 8000), ("tcp", places.WEB6, 8000), ("tcp", places.HUB, 8081), ("tcp", places.HUB6, 8081),
        ("tcp", places.EGRESS, 3128),
    ]  # fmt: skip
    answer = notebook.reach(targets, doors=doors)
    assert reached(targets, answer["others"]) == []
    assert [a[0] for a in answer["doors"]] == [reach.OPEN] * len(doors), answer["doors"]


def test_without_the_rules_all_of_it_is_reached(server: World, notebook: Notebook) -> None:
    targets = matrix.targets(server)
    server.firewall("remove", "--yes")
    try:
        answers = by_a_weak_one(server, targets, "plain", "inside", "notebooks")
    finally:
        server.firewall("install", "--no-unit", *RULES)
    assert len(targets) == 2 * len(matrix.KNOCKS)
    missed = [
        f"{t.name}: {a}" for t, a in zip(targets, answers, strict=True) if a[0] not in (reach.OPEN, reach.ANSWERED)
    ]
    assert missed == []


def test_a_demos_notebooks_reach_the_public_internet_and_nothing_of_the_machines_own_network(
    server: World, notebook: Notebook
) -> None:
    targets = matrix.targets(server)
    doors = [f"--door={places.GATEWAY}:{port}" for port in (SITE_PORT, HUB_PORT)]
    server.firewall("install", "--no-unit", "--open", *doors)
    try:
        answer = notebook.reach(targets, doors=[("tcp", places.GATEWAY, port) for port in (SITE_PORT, HUB_PORT)])
    finally:
        server.firewall("install", "--no-unit", *RULES)
    named = {line.split(" by IPv")[0] for line in reached(targets, answer["others"])}
    assert named == {"a public page", "public names, past the engine's"}
    assert [word for word, *_ in answer["doors"]] == [reach.OPEN] * 2


def check(server: World, settings: Any, monkeypatch: pytest.MonkeyPatch, *more: str) -> tuple[int, dict[str, Any]]:
    """``practicum network check`` on this server: its exit code, and what it found."""
    monkeypatch.setenv("DOCKER_HOST", server.host)
    settings.PRACTICUM_ENV, settings.PRACTICUM_ENGINE, settings.PRACTICUM_NETWORK = "production", "docker", "notebooks"
    settings.PRACTICUM_WORKSPACE_IMAGE, settings.PRACTICUM_INSTANCE = SCORER, "nwt"
    settings.PRACTICUM_HUB_API_URL, settings.PRACTICUM_SITE_INTERNAL_URL = "http://hub:8081/hub/api", "http://web:8000"
    settings.PRACTICUM_EGRESS_PROXY = "http://egress:3128"
    out, code = StringIO(), 0
    try:
        call_command("network", "check", "--json", *more, stdout=out)
    except SystemExit as end:
        code = int(end.code or 0)
    return code, json.loads(out.getvalue())


def told(found: dict[str, Any], name: str) -> list[str]:
    """What was found under this name."""
    return [each["said"] for each in found["findings"] if each["name"] == name]


def test_the_project_measures_its_rules_and_says_what_is_reached_without_them(
    server: World, notebook: Notebook, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    also = [f"--also={places.LAN}:2049", f"--also=[{places.LAN6}]:2049"]
    _, found = check(server, settings, monkeypatch, *also)
    assert told(found, "notebooks must not reach") == []
    assert len(told(found, "notebooks reach")) == 3
    assert "addresses" in told(found, "notebooks are kept from")[0]
    assert server.firewall("check", *RULES, check=False).startswith("The rules are in the kernel, as they should be.")
    server.firewall("remove", "--yes")
    try:
        code, found = check(server, settings, monkeypatch, *also)
        assert code == 1
        reached_now = told(found, "notebooks must not reach")
        assert any(line.startswith("another notebook at ") for line in reached_now)
        assert any(line.startswith("this server at ") and "22/tcp" in line for line in reached_now)
        assert any(line.startswith("proxy at ") and "8001/tcp" in line for line in reached_now)
        assert f"{places.LAN}:2049 at {places.LAN}: 2049/tcp" in reached_now
        assert "The rules are not in the kernel." in server.firewall("check", *RULES, check=False)
    finally:
        server.firewall("install", "--no-unit", *RULES)


def test_rules_that_were_changed_by_hand_are_noticed(server: World) -> None:
    with inside(f"{server.name}-server"):
        run("nft", "insert", "rule", "inet", places.TABLE, "from_notebooks", "accept")
    try:
        assert "is not the one" in server.firewall("check", *RULES, check=False)
    finally:
        server.firewall("install", "--no-unit", *RULES)
    assert server.firewall("check", *RULES).startswith("The rules are in the kernel")

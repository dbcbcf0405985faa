"""From a real kernel in a notebook that a real hub started: what it needs is reached, and nothing else (C7).

The positive control is the same program in a container without the rules, on an ordinary bridge: it must reach every sink.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from practicum.engine import reach
from tests.networks import matrix
from tests.networks import world as places
from tests.networks.conftest import HUB_PORT, PYTHON, RULES, SCORER, SITE_PORT, Notebook
from tests.networks.world import World

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

"""What the doctor says of the notebooks' network; the network itself is tried in tests/networks."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from practicum.config.doctor import notebooks
from practicum.config.doctor.findings import Finding
from practicum.config.management.commands import network as command
from practicum.engine.probe import Reached, Tried, door
from practicum.errors import EngineRefused

HUB = Tried("http://hub:8081", ("tcp", "hub", 8081), "open", "")
KEPT = Tried("this server", ("tcp", "172.30.0.1", 22), "held", "EHOSTUNREACH")


def found(*others: Tried, doors: tuple[Tried, ...] = (HUB,), is_internal: bool = True) -> Reached:
    """What a probe brings back."""
    return Reached(doors=doors, others=others, is_internal=is_internal)


def states(findings: list[Finding]) -> list[tuple[str, str]]:
    """State and name of each."""
    return [(each.state.value, each.name) for each in findings]


def test_doors_that_are_open_and_nothing_else_is_well() -> None:
    assert states(notebooks.network(lambda: found(KEPT), is_production=True)) == [
        ("ok", "notebooks reach"), ("ok", "notebooks are kept from"), ("ok", "notebooks' way out"),
    ]  # fmt: skip


@pytest.mark.parametrize(("is_production", "state"), [(True, "mend"), (False, "look")])
def test_what_is_reached_is_to_be_mended_in_production_with_its_ports_in_one_line(
    is_production: bool, state: str
) -> None:
    reached = [Tried("this server", ("tcp", "172.30.0.1", port), "answered", "refused") for port in range(20, 30)]
    line = notebooks.network(lambda: found(*reached), is_production=is_production)[1]
    assert (line.state.value, line.name) == (state, "notebooks must not reach")
    assert line.said == "this server at 172.30.0.1: 20/tcp, 21/tcp, 22/tcp, 23/tcp, 24/tcp, 25/tcp and 4 more"
    assert "deploy/firewall.py install" in line.mend


def test_a_door_that_is_shut_is_to_be_mended_and_says_why() -> None:
    shut = Tried("http://egress:3128", ("tcp", "egress", 3128), "unknown", "gaierror")
    line = notebooks.network(lambda: found(KEPT, doors=(shut,)), is_production=True)[0]
    assert line.state.value == "mend"
    assert line.said == "not http://egress:3128 (the name is not known there)"


def test_a_way_out_of_their_own_is_to_be_mended_in_production() -> None:
    for is_production, state in ((True, "mend"), (False, "look")):
        line = notebooks.network(lambda: found(KEPT, is_internal=False), is_production=is_production)[-1]
        assert (line.state.value, line.name) == (state, "notebooks' way out")


@pytest.mark.parametrize(("is_production", "state"), [(True, "mend"), (False, "unseen")])
def test_a_network_that_can_not_be_tried_is_not_well_in_production(is_production: bool, state: str) -> None:
    def refuse() -> Reached:
        raise EngineRefused("There is no network practicum on this engine.")

    assert states(notebooks.network(refuse, is_production=is_production)) == [(state, notebooks.NAME)]


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://hub:8081/hub/api", ("tcp", "hub", 8081)),
        ("https://practicum.example.org", ("tcp", "practicum.example.org", 443)),
        ("http://[fd30::1]:8000", ("tcp", "fd30::1", 8000)),
    ],
)
def test_a_door_is_host_and_port_of_its_address(url: str, place: tuple[str, str, int]) -> None:
    assert door(url) == place


def test_the_command_ends_with_1_where_something_is_to_be_mended(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.PRACTICUM_ENGINE, settings.PRACTICUM_ENV = "docker", "production"
    reached = Tried("this server", ("tcp", "172.30.0.1", 22), "open", "")
    for others, code in (((KEPT,), None), ((reached,), 1)):
        monkeypatch.setattr(command, "try_network", lambda *_, others=others, **__: found(*others))
        out, ended = StringIO(), None
        try:
            call_command("network", "check", "--json", stdout=out)
        except SystemExit as end:
            ended = end.code
        assert ended == code
        assert json.loads(out.getvalue())["well"] is (code is None)


def test_more_places_are_tried_as_they_are_named(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.PRACTICUM_ENGINE = "docker"
    asked: dict[str, Any] = {}
    monkeypatch.setattr(command, "try_network", lambda *_, **kwargs: asked.update(kwargs) or found(KEPT))
    call_command("network", "check", "--also", "10.0.0.7:2049", "--also", "[fd00::7]:22", stdout=StringIO())
    assert asked["extra"] == [("tcp", "10.0.0.7", 2049), ("tcp", "fd00::7", 22)]

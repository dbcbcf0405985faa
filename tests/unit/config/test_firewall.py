"""The rules of the notebooks' network as text: what they are made of, and what is refused. What they do is in tests/networks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.engine.programs import load

firewall = load("deploy/firewall.py")
PLAN = firewall.Plan(
    bridge="nb", outside="out", doors=(("172.30.0.3", 8081), ("fd30::3", 8081)), services=("172.30.0.3", "fd30::3")
)


def test_doors_and_services_stand_in_the_set_of_their_version() -> None:
    text = firewall.rules(PLAN)
    assert "elements = { 172.30.0.3 . 8081 }" in text
    assert "elements = { fd30::3 . 8081 }" in text
    assert text.startswith("table inet practicum\ndelete table inet practicum\n")


def test_nothing_leaves_the_bridge_unless_the_plan_is_open() -> None:
    closed, is_open = firewall.rules(PLAN), firewall.rules(replace(PLAN, is_open=True))
    assert 'oifname != "nb" goto refuse' in closed
    assert 'oifname != "nb" goto refuse' not in is_open
    assert closed.count("tcp dport { 80, 443 } accept") == 1  # the egress proxy's
    assert is_open.count("tcp dport { 80, 443 } accept") == 2


@pytest.mark.parametrize("name", ["a" * 16, 'x"; drop', "a b"])
def test_a_name_that_is_no_bridges_is_refused(name: str) -> None:
    with pytest.raises(firewall.CanNot, match="can't be the name of a bridge"):
        firewall.quoted(name)


def test_the_settings_move_the_doors(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "NOTEBOOK_PREFIX=10.9\nEGRESS_MIRRORS=pypi.lab=10.1.2.3:443\n# NOTEBOOK_PREFIX=1.1\n"
    )
    plan = firewall.plan_of(firewall.arguments(["show", "--env", str(tmp_path / ".env")]))
    assert plan.doors == (("10.9.0.2", 8000), ("10.9.0.3", 8081), ("10.9.0.5", 3128))
    assert plan.services == ("10.9.0.3", "10.9.0.4")
    assert plan.mirrors == (("10.1.2.3", 443),)


@pytest.mark.parametrize("text", ["example.org:80", "10.0.0.1", "10.0.0.1:http"])
def test_a_door_is_an_address_with_a_port(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        firewall.arguments(["show", "--door", text])
    assert "is not ADDRESS:PORT" in capsys.readouterr().err


def test_without_systemd_the_unit_is_a_text_that_loads_before_the_engine() -> None:
    text = firewall.unit(Path("/etc/practicum/practicum.nft"), plan=PLAN)
    assert "Before=docker.service" in text
    assert "ExecReload=" in text
    assert "net.bridge.bridge-nf-call-ip6tables=1" in text

"""The rules inside an overlay: a network that goes while it is looked at is gone, and any other fault is told."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import firewall
import firewall_overlay
import pytest


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The namespace was found, and can't be entered."""

    def load(*_: Any) -> bool:
        raise firewall.CanNot("nsenter: reassociate to namespace failed: Invalid argument")

    monkeypatch.setattr(firewall_overlay, "namespace_of", lambda *_, **__: Path("/run/docker/netns/1-abc"))
    monkeypatch.setattr(firewall_overlay, "load", load)


@pytest.mark.usefixtures("failing")
def test_a_namespace_that_went_meanwhile_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "ismount", lambda _: False)
    plan: Any = None
    said = firewall_overlay.once(plan, "servers", folder=Path("/run/docker/netns"))
    assert said == "No container of this server is on servers yet."


@pytest.mark.usefixtures("failing")
def test_a_fault_of_one_that_is_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "ismount", lambda _: True)
    plan: Any = None
    with pytest.raises(firewall.CanNot, match="Invalid argument"):
        firewall_overlay.once(plan, "servers", folder=Path("/run/docker/netns"))


def test_of_a_network_that_came_anew_the_latest_namespace_is_meant(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The earlier one is still going while the engine has made the next, whose number is one higher."""
    facts = {"Driver": "overlay", "Internal": True, "Id": "abcdefghij0123456789"}
    monkeypatch.setattr(firewall, "call", lambda *_, **__: json.dumps([facts]))
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path).name != "11-abcdefghij")
    for name in ("2-abcdefghij", "9-abcdefghij", "10-abcdefghij", "11-abcdefghij", "12-another123", "lb_abcdefghi"):
        (tmp_path / name).touch()
    assert firewall_overlay.namespace_of("servers", folder=tmp_path) == tmp_path / "10-abcdefghij"

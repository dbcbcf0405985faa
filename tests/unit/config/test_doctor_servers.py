"""What the doctor says of further servers: which engine is silent, and whose keys end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from practicum.config.doctor.findings import Finding
from practicum.config.doctor.servers import engines
from practicum.engine.authority import PAIR_HOLDS, Authority, keep_node
from practicum.engine.memory import MemoryEngine

NOW = datetime(2026, 11, 29, tzinfo=UTC)


@pytest.fixture
def engine() -> MemoryEngine:
    """With one more server, which answers."""
    engine = MemoryEngine()
    engine.others = {"gpu-2": MemoryEngine()}
    return engine


def said(engine: MemoryEngine, folder: Path) -> dict[str, Finding]:
    """What was found, by name."""
    return {each.name: each for each in engines(engine, folder, now=NOW)}


def test_of_a_single_server_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert said(MemoryEngine(), tmp_path) == {}


def test_an_engine_that_is_silent_is_named(engine: MemoryEngine, tmp_path: Path) -> None:
    assert said(engine, tmp_path)["engine of gpu-2"].state == "ok"
    engine.others["gpu-2"].is_away = True
    found = said(engine, tmp_path)["engine of gpu-2"]
    assert found.state == "mend"
    assert "2376" in found.mend


@pytest.mark.parametrize(
    ("left", "state", "words"),
    [
        (timedelta(days=400), "ok", "good for 400 days"),
        (timedelta(days=30), "ok", "good for 30 days"),
        (timedelta(days=29), "mend", "end in 29 days"),
        (timedelta(hours=-1), "mend", "are over"),
    ],
)
@pytest.mark.parametrize("address", ["192.0.2.2", "2001:db8::2", "gpu-2.lab.example"])
def test_keys_that_end_are_told_in_time_with_the_command_for_new_ones(
    engine: MemoryEngine, tmp_path: Path, left: timedelta, state: str, words: str, address: str
) -> None:
    authority = Authority(tmp_path / "authority", now=NOW + left - PAIR_HOLDS)
    keep_node(tmp_path / "servers" / "gpu-2", address=address, authority=authority)
    found = said(engine, tmp_path / "servers")["keys to gpu-2"]
    assert (found.state, words in found.said) == (state, True), found.said
    if state == "mend":
        assert f"server add gpu-2 --address {address} --by ADMIN --again" in found.mend


def test_keys_hold_no_longer_than_the_authority(engine: MemoryEngine, tmp_path: Path) -> None:
    old = Authority(tmp_path / "authority", now=NOW - timedelta(days=3640))
    old.now = NOW
    keep_node(tmp_path / "servers" / "gpu-2", address="192.0.2.2", authority=old)
    assert "end in 10 days" in said(engine, tmp_path / "servers")["keys to gpu-2"].said

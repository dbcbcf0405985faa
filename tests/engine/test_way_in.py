"""The secret that lets a machine into the swarm, on two real engines: it opens nothing once one came in, or after an hour."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from practicum.engine import swarm
from tests.e2e.two_machines import Machine, Pair, two_machines

pytestmark = pytest.mark.engine
NOW = datetime(2026, 3, 18, 10, 0, tzinfo=UTC)
NETWORK = {"instance": "way-in", "prefix": "172.30", "is_plain": True}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """The first machine leads a swarm, the second is no member of any."""
    with two_machines(tmp_path_factory.mktemp("machines")) as made, pytest.MonkeyPatch.context() as patch:
        for machine in (made.first, made.second):
            machine.boot(images=[os.environ["PRACTICUM_SCORER_IMAGE"]])
        assert made.first.engine is not None
        patch.setenv("DOCKER_HOST", made.first.engine.host)
        swarm.begin("way-in", advertise=made.first.address, **NETWORK)  # type: ignore[arg-type]
        yield made


@pytest.fixture
def note(pair: Pair, tmp_path: Path) -> Iterator[Path]:
    """Where it is said that the way in is open; at the end the second machine is no member."""
    yield tmp_path / "authority" / "way-in.json"
    subprocess.run([*pair.second.docker, "swarm", "leave", "--force"], capture_output=True, check=False)


def join(machine: Machine, secret: str, leader: str) -> str:
    """What the machine's engine says to it; nothing where it is in."""
    words = ["swarm", "join", "--token", secret, "--advertise-addr", machine.address, leader]
    done = subprocess.run([*machine.docker, *words], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stderr


def test_it_is_void_once_a_machine_came_in(pair: Pair, note: Path) -> None:
    secret, leader = swarm.open_way_in(note, now=NOW)
    assert not swarm.close_way_in(note, now=NOW + timedelta(minutes=1)), "nobody has come yet"
    assert join(pair.second, secret, leader) == ""
    assert swarm.close_way_in(note, now=NOW + timedelta(minutes=2))
    assert not swarm.close_way_in(note, now=NOW + timedelta(days=1)), "it is closed already"
    pair.second.ask("swarm", "leave")
    assert "A valid join token is necessary" in join(pair.second, secret, leader)


def test_it_is_void_after_an_hour_and_a_new_one_opens_again(pair: Pair, note: Path) -> None:
    secret, leader = swarm.open_way_in(note, now=NOW)
    assert not swarm.close_way_in(note, now=NOW + timedelta(minutes=59))
    assert swarm.close_way_in(note, now=NOW + timedelta(minutes=60))
    assert "A valid join token is necessary" in join(pair.second, secret, leader)
    secret, leader = swarm.open_way_in(note, now=NOW + timedelta(hours=2))
    assert not swarm.close_way_in(note, now=NOW + timedelta(hours=2, minutes=1)), "the machine that left came in before"
    assert join(pair.second, secret, leader) == ""


def test_the_one_before_is_void_as_soon_as_another_is_given(pair: Pair, note: Path) -> None:
    before, leader = swarm.open_way_in(note, now=NOW)
    swarm.open_way_in(note, now=NOW + timedelta(minutes=30))
    assert "A valid join token is necessary" in join(pair.second, before, leader)
    assert not swarm.close_way_in(note, now=NOW + timedelta(minutes=61)), "the hour is that of the last one"
    assert note.stat().st_mode & 0o077 == 0

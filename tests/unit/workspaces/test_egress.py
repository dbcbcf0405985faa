"""What the egress proxy counts by address is told of the session that has the address; an alarm is on record once."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from practicum.audit.models import Record
from practicum.workspaces import egress
from practicum.workspaces.tasks import follow_egress
from tests.unit.workspaces.conftest import World

ADDRESS = "172.30.8.7"


@pytest.fixture
def folder(data_dir: Path) -> Path:
    """Where site and proxy meet."""
    made = data_dir / "egress"
    made.mkdir(parents=True)
    return made


def tell(folder: Path, **client: Any) -> None:
    """The proxy writes down what one address asked for."""
    (folder / "counts.json").write_text(json.dumps({"at": 0, "clients": {ADDRESS: client}}))


def address_of(world: World, address: str = ADDRESS) -> None:
    """The engine says that every container there is has this address."""
    for held in world.engine.held.values():
        held.container = replace(held.container, addresses=(address,))


def alarm(world: World, *, after: timedelta = timedelta(0)) -> dict[str, Any]:
    """Counts with an alarm that rose some time from now."""
    return {
        "allowed": 650, "refused": 50, "dropped": 9, "bytes": 7, "alarms": 1, "alarm_requests": 700,
        "alarm_at": (world.now + after).timestamp(), "hosts_refused": {"elsewhere.example:443": 50},
    }  # fmt: skip


def test_an_alarm_is_on_record_once_with_its_session(world: World, intern: Any, internship: Any, folder: Path) -> None:
    session = world.run(intern)
    address_of(world)
    tell(folder, **alarm(world))
    follow_egress(world.now, engine=world.engine)
    follow_egress(world.now, engine=world.engine)
    (row,) = Record.objects.filter(verb=egress.VERB)
    assert row.object_id == str(session.pk)
    assert row.facts["requests_a_minute"] == 700
    assert row.facts["hosts"] == {"elsewhere.example:443": 50}
    assert egress.alarms_since(world.now, within=timedelta(hours=1)) == 1


def test_one_that_rises_again_is_told_again(world: World, intern: Any, internship: Any, folder: Path) -> None:
    world.run(intern)
    address_of(world)
    for minutes in (0, 5):
        tell(folder, **alarm(world, after=timedelta(minutes=minutes)))
        follow_egress(world.now, engine=world.engine)
    assert Record.objects.filter(verb=egress.VERB).count() == 2


def test_nobody_is_blamed_for_what_their_address_did_before(
    world: World, intern: Any, internship: Any, folder: Path
) -> None:
    world.run(intern)
    address_of(world)
    tell(folder, **alarm(world, after=timedelta(minutes=-1)))
    follow_egress(world.now, engine=world.engine)
    assert not Record.objects.filter(verb=egress.VERB).exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"clients": {}}'])
def test_counts_that_can_not_be_read_are_none(
    world: World, intern: Any, internship: Any, folder: Path, text: str
) -> None:
    world.run(intern)
    (folder / "counts.json").write_text(text)
    follow_egress(world.now, engine=world.engine)
    assert not Record.objects.filter(verb=egress.VERB).exists()


def test_the_hosts_of_published_data_are_on_the_list(world: World, version: Any, folder: Path) -> None:
    version.manifest["data"] = {
        "files": [{"url": "https://data.example.org/a.gz"}, {"url": "https://data.example.org/b"}]
    }
    version.save()
    follow_egress(world.now, engine=world.engine)
    assert (folder / "hosts").read_text() == "data.example.org\n"


def test_a_site_without_a_proxy_asks_nobody(world: World, version: Any, data_dir: Path) -> None:
    world.engine.is_away = True
    follow_egress(world.now, engine=world.engine)
    assert not (data_dir / "egress").exists()

"""Who comes into a notebook server: its person; a guest only while they were let in, and what the site said is fresh."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from tornado import web
from tornado.websocket import WebSocketHandler

from practicum_hub.workspace.answers import Help
from practicum_hub.workspace.door import Door


def help_(state: str, *, helper: str = "mira", minutes: float = 30) -> Help:
    """What the site says."""
    until = datetime.now(UTC) + timedelta(minutes=minutes)
    return Help(
        state=state,
        helper=helper,
        helper_name="Mira",
        topic="Why?",
        until=until,
        url="http://s/",
        helper_url="http://s/",
    )


class Tick:
    """A clock that is told."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


class Socket(WebSocketHandler):
    """A socket without a network."""

    def __init__(self, username: str) -> None:
        self.username = username
        self.shut: list[str] = []
        self.heard: list[str] = []

    @property
    def current_user(self) -> Any:
        return SimpleNamespace(username=self.username)

    def on_message(self, message: str | bytes) -> None:
        self.heard.append(str(message))

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        self.shut.append(str(reason))


class Provider:
    """An identity provider that knows everybody by their name, as the hub does where a server is shared."""

    async def get_user(self, handler: Any) -> Any:
        return SimpleNamespace(username=handler.username) if handler.username else None


def door_of(person: str = "ines") -> tuple[Door, Provider, Tick]:
    """A door that is guarded."""
    tick, provider = Tick(), Provider()
    door = Door(person, tick=tick)
    door.guard(provider)
    return door, provider, tick


CASES = [
    (None, "mira", False),
    ("none", "mira", False),
    ("asked", "mira", False),
    ("reading", "mira", False),
    ("hands_asked", "mira", False),
    ("hands", "mira", True),
    ("hands", "otto", False),
    ("hands", "practicum", False),
    (None, "ines", True),
    ("ended", "ines", True),
]


@pytest.mark.parametrize(("state", "username", "comes_in"), CASES)
async def test_a_guest_comes_in_only_with_hands(state: str | None, username: str, comes_in: bool) -> None:
    door, provider, _ = door_of()
    if state is not None:
        door.tell(help_(state))
    handler = SimpleNamespace(username=username)
    assert (await provider.get_user(handler) is not None) is comes_in
    if not comes_in:
        with pytest.raises(web.HTTPError) as refusal:
            handler.redirect("/hub/login")
        assert refusal.value.status_code == 403


async def test_nobody_is_nobody_and_outside_a_hub_there_are_no_guests() -> None:
    _, provider, _ = door_of()
    assert await provider.get_user(SimpleNamespace(username="")) is None
    door, provider, _ = door_of(person="")
    assert await provider.get_user(SimpleNamespace(username="anonymous")) is not None
    assert not door.is_guest(SimpleNamespace(username="anonymous"))


async def test_a_site_that_falls_silent_lets_nobody_in_any_more() -> None:
    door, provider, tick = door_of()
    door.tell(help_("hands"))
    socket = Socket("mira")
    assert await provider.get_user(socket) is not None
    tick.now += 9
    door.show_out()
    assert socket.shut == []
    tick.now += 2
    door.show_out()
    assert len(socket.shut) == 1
    assert await provider.get_user(SimpleNamespace(username="mira")) is None


async def test_the_time_is_up_by_this_servers_own_clock() -> None:
    door, provider, _ = door_of()
    door.tell(help_("hands", minutes=-0.01))
    assert await provider.get_user(SimpleNamespace(username="mira")) is None


async def test_sockets_of_a_guest_are_shut_when_it_ends_and_deaf_from_then_on() -> None:
    door, provider, _ = door_of()
    door.tell(help_("hands"))
    guests, own = Socket("mira"), Socket("ines")
    for socket in (guests, own):
        await provider.get_user(socket)
    door.tell(help_("hands"))
    assert guests.shut == []
    guests.on_message("1 + 1")

    door.tell(help_("none", helper=""))

    guests.on_message("rm -r .")
    assert (guests.shut, guests.heard) == (["The help has ended."], ["1 + 1"])
    assert own.shut == []

"""Switching an account off, with the real hub: server, browser and token are gone within a minute, whatever is down."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from practicum.accounts.services import change_role, set_active
from practicum.workspaces.hub import HttpHub, HubUnavailable
from practicum.workspaces.leaving import see_off
from tests.conftest import make_user
from tests.hub.conftest import Lease
from tests.hub.fake_site import FakeSite
from tests.hub.harness import API_TOKEN, Hub
from tests.hub.test_local import processes
from tests.tools.waiting import wait_for

pytestmark = pytest.mark.hub
LIMIT_SECONDS = 60


@pytest.fixture
def client(hub: Hub) -> Iterator[HttpHub]:
    """The site's way to the hub."""
    client = HttpHub(f"http://127.0.0.1:{hub.ports[2]}/hub/api", token=API_TOKEN)
    yield client
    client._http.close()


def seen_off(user: Any, client: HttpHub) -> bool:
    """What the worker does each second; True once the hub has forgotten the person."""
    with suppress(HubUnavailable):
        see_off(datetime.now(UTC), hub=client)
    user.refresh_from_db()
    return not user.must_leave_hub


def is_out(hub: Hub, browser: httpx.Client) -> bool:
    """The browser gets nowhere at the hub."""
    return browser.get(f"{hub.url}/hub/home").status_code == 403


@pytest.fixture
def person(db: None, hub: Hub, site: FakeSite, lease: Lease) -> Any:
    """An intern with a running server."""
    site.leases["ines"] = lease("ines")
    user = make_user("ines", role="intern", name="Ines Intern")
    hub.launch("ines")
    return user


@pytest.mark.parametrize(
    ("drop", "dies"), [("off", False), ("off", True), ("role", False)], ids=["off", "off, the hub killed", "role"]
)
def test_server_browser_and_token_are_gone_within_a_minute(
    drop: str,
    dies: bool,
    person: Any,
    hub: Hub,
    site: FakeSite,
    client: HttpHub,
    admin: Any,
    record_property: Callable[..., None],
) -> None:
    with hub.browser() as browser:
        assert browser.get(f"{hub.url}/hub/home").status_code == 200
        now = datetime.now(UTC)
        if dies:
            hub.kill("hub")
        began = time.monotonic()
        if drop == "off":
            set_active(admin, user=person, active=False, now=now)
            site.deactivated.add("ines")
        else:
            change_role(None, user=person, role="mentor", why="a test", now=now)
        if dies:
            assert not seen_off(person, client), "the hub was not there to be told"
            hub.start_hub()
        wait_for(lambda: seen_off(person, client), seconds=LIMIT_SECONDS, what=lambda: hub.log("hub")[-3000:])
        assert processes() == []
        assert hub.api("GET", "/users/ines").status_code == 404
        if drop == "off":
            assert is_out(hub, browser), "the cookie opens nothing, and the site signs nobody in"
        seconds = time.monotonic() - began
    record_property("seconds", round(seconds, 2))
    print(f"{drop}, {'hub killed' if dies else 'hub up'}: {seconds:.2f} s")
    assert seconds < LIMIT_SECONDS

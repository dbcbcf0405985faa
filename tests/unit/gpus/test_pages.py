"""The admin's page of slots, leases and the line."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from practicum.gpus import inventory, services
from practicum.gpus.models import Lease, Purpose, Server
from practicum.lib.clock import utc_now
from tests.unit.gpus.conftest import make_slots


def ask(user: Any) -> Lease:
    return services.request_lease(
        user, cohort=None, purpose=Purpose.SESSION, duration=timedelta(hours=1), now=utc_now()
    )


@pytest.fixture
def busy(intern: Any, peer: Any) -> Lease:
    """One slot, held by the intern; the peer waits."""
    make_slots(1)
    lease = ask(intern)
    services.allocate(now=utc_now())
    ask(peer)
    return lease


def test_the_admin_sees_servers_slots_holders_and_the_line(busy: Lease, admin: Any, client_of: Any) -> None:
    page = client_of(admin).get("/gpus/").content.decode()
    for piece in ("alpha", "GPU 0 · H100", "Ines Intern", "Paul Peer", "Not heard yet", "Drain", "usage-data"):
        assert piece in page


def test_without_any_server_the_page_says_what_to_do(admin: Any, client_of: Any) -> None:
    assert "No server has reported yet" in client_of(admin).get("/gpus/").content.decode()


def test_cpu_slots_are_called_cpu_slots(db: None, admin: Any, client_of: Any) -> None:
    server = Server.objects.create(name="alpha")
    inventory.register_report(server, report=inventory.Report(cpu_slots=2), now=utc_now())
    page = client_of(admin).get("/gpus/").content.decode()
    assert "CPU slot 1" in page
    assert "GPU 0" not in page


def test_the_admin_ends_a_lease(busy: Lease, admin: Any, client_of: Any) -> None:
    answer = client_of(admin).post(f"/gpus/leases/{busy.pk}/end/", follow=True)
    assert "It is being ended." in answer.content.decode()
    busy.refresh_from_db()
    assert (busy.state, busy.reason) == ("draining", "An admin ended it.")


def test_the_admin_drains_a_server_and_puts_it_back(busy: Lease, admin: Any, client_of: Any) -> None:
    client = client_of(admin)
    for state in ("draining", "online"):
        assert client.post("/gpus/servers/alpha/state/", {"state": state}).status_code == 302
        assert Server.objects.get().state == state
    assert client.post("/gpus/servers/alpha/state/", {"state": "on fire"}).status_code == 400
    assert client.post("/gpus/servers/nowhere/state/", {"state": "online"}).status_code == 404


@pytest.mark.parametrize("role", ["intern", "mentor"])
def test_for_others_than_admins_there_is_no_such_page(
    busy: Lease, client_of: Any, request: pytest.FixtureRequest, role: str
) -> None:
    client = client_of(request.getfixturevalue(role))
    assert client.get("/gpus/").status_code == 404
    assert client.get("/gpus/live/").status_code == 404
    assert client.post(f"/gpus/leases/{busy.pk}/end/").status_code == 404
    assert client.post("/gpus/servers/alpha/state/", {"state": "draining"}).status_code == 404
    busy.refresh_from_db()
    assert busy.state == "granted"


def test_the_page_asks_as_many_questions_for_many_as_for_few(
    busy: Lease, admin: Any, client_of: Any, django_assert_max_num_queries: Any
) -> None:
    client = client_of(admin)
    make_slots(12, server="beta")
    with django_assert_max_num_queries(12):
        client.get("/gpus/")

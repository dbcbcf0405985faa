"""What an admin does with servers: add, drain, give up, divide; and the pages for it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from practicum.audit.models import Record
from practicum.errors import Conflict, Invalid, NotFound
from practicum.gpus import inventory, selectors, servers, services
from practicum.gpus.inventory import Instance
from practicum.gpus.models import AgentToken, Lease, LeaseState, PoolKind, Purpose, Server, ServerState, Slot
from practicum.gpus.tasks import allocate
from practicum.gpus.tokens import token_row
from practicum.lib.clock import utc_now
from tests.unit.gpus.conftest import GB, gpu, lease_on, report

HOUR = timedelta(hours=1)
UUID = "GPU-00000000"


def drain(admin: Any, *, now: datetime, within: timedelta | None = None) -> Server:
    return servers.drain_server("alpha", finish_within=within, actor=admin, now=now)


def put_back(admin: Any, *, now: datetime) -> Server:
    return inventory.set_server_state("alpha", state=ServerState.ONLINE, actor=admin, now=now)


@pytest.fixture
def lease(db: None, intern: Any, now: datetime) -> Lease:
    """The intern's lease on the one GPU of ``alpha``."""
    report(gpu(0), now=now)
    return lease_on(Slot.objects.get(), intern, now=now)


# --- Drain -----------------------------------------------------------------------------------------------------------


def test_a_drained_server_lets_its_leases_finish(lease: Lease, admin: Any, now: datetime) -> None:
    drain(admin, now=now)
    allocate(now + HOUR)
    lease.refresh_from_db()
    assert (lease.state, lease.reclaim_at) == (LeaseState.ACTIVE, None)


def test_a_server_drained_with_a_deadline_asks_its_leases_back_and_ends_what_is_left_then(
    lease: Lease, admin: Any, now: datetime
) -> None:
    server = drain(admin, now=now, within=HOUR)
    lease.refresh_from_db()
    assert (server.drain_until, lease.reclaim_at) == (now + HOUR, now + HOUR)
    allocate(now + HOUR - timedelta(seconds=1))
    assert Lease.objects.get().state == LeaseState.ACTIVE
    allocate(now + HOUR)
    lease.refresh_from_db()
    assert (lease.state, lease.reason) == (LeaseState.DRAINING, "The server alpha is being taken out of use.")
    allocate(now + 2 * HOUR)  # asked once


def test_a_server_that_is_put_back_takes_its_wish_back_and_no_other(
    lease: Lease, peer: Any, admin: Any, now: datetime
) -> None:
    report(gpu(0), gpu(1), now=now)
    other = lease_on(Slot.objects.get(index=1), peer, now=now)
    Lease.objects.filter(pk=other.pk).update(reclaim_at=now + 3 * HOUR)
    drain(admin, now=now, within=HOUR)
    put_back(admin, now=now)
    assert {row.pk: row.reclaim_at for row in Lease.objects.all()} == {lease.pk: None, other.pk: now + 3 * HOUR}
    assert Server.objects.get().drain_until is None


def test_every_change_of_a_server_is_on_record_with_who_made_it(lease: Lease, admin: Any, now: datetime) -> None:
    for within in (None, None, HOUR):
        drain(admin, now=now, within=within)
    put_back(admin, now=now)
    facts = [row.facts for row in Record.objects.filter(verb="server.state", actor=admin).order_by("pk")]
    assert facts == [
        {"before": "online", "after": "draining"},
        {"before": "draining", "after": "draining", "until": (now + HOUR).isoformat()},
        {"before": "draining", "after": "online"},
    ]


# --- Give up ---------------------------------------------------------------------------------------------------------


def test_a_silent_server_keeps_its_leases_until_an_admin_gives_it_up(
    lease: Lease, peer: Any, admin: Any, now: datetime
) -> None:
    later = now + HOUR
    waiting = services.request_lease(peer, cohort=None, purpose=Purpose.SESSION, duration=HOUR, now=now)
    assert services.allocate(now=later) == []
    assert servers.give_up_server("alpha", actor=admin, now=later) == 1
    lease.refresh_from_db()
    assert (lease.state, lease.closed_at) == (LeaseState.RELEASED, later)
    assert lease.reason.startswith("The server alpha is gone.")
    word = Record.objects.get(verb="server.given_up")
    assert (word.actor, word.facts["vouched_by"], word.facts["leases"]) == (admin, "ada", [str(lease.pk)])
    assert Record.objects.get(verb="lease.vouched_gone").actor == admin
    # The machine comes back: nothing is given on it before an admin says so.
    report(gpu(0), now=later)
    assert services.allocate(now=later) == []
    put_back(admin, now=later)
    assert services.allocate(now=later) == [waiting]


def test_a_server_that_reports_is_not_given_up(lease: Lease, admin: Any, now: datetime) -> None:
    with pytest.raises(Conflict, match="reports"):
        servers.give_up_server("alpha", actor=admin, now=now + timedelta(seconds=30))
    assert Lease.objects.get().is_live
    with pytest.raises(NotFound):
        servers.give_up_server("nowhere", actor=admin, now=now)


# --- Divide ----------------------------------------------------------------------------------------------------------


def divide(shares: int, *, admin: Any, now: datetime) -> None:
    servers.set_shares("alpha", gpu=UUID, shares=shares, actor=admin, now=now)


def listed() -> list[tuple[int, int, str]]:
    slots = Slot.objects.filter(is_present=True).select_related("pool")
    return [(slot.part, slot.parts, slot.pool.name) for slot in slots]


def test_a_gpu_is_divided_put_together_and_stays_so_through_reports(db: None, admin: Any, now: datetime) -> None:
    report(gpu(0), now=now)
    drain(admin, now=now)
    for shares, name in ((4, "H100, 1/4 shared"), (2, "H100, 1/2 shared"), (4, "H100, 1/4 shared"), (1, "H100")):
        divide(shares, admin=admin, now=now)
        expected = [(part, shares, name) for part in range(shares)]
        assert listed() == expected
        report(gpu(0), now=now)
        assert listed() == expected
    changes = [(row.facts["before"], row.facts["after"]) for row in Record.objects.filter(verb="slot.shares")]
    assert sorted(changes) == sorted([(1, 4), (4, 2), (2, 4), (4, 1)])


def test_a_shared_slot_says_that_it_has_no_memory_isolation(db: None, admin: Any, now: datetime) -> None:
    report(gpu(0), now=now)
    drain(admin, now=now)
    divide(4, admin=admin, now=now)
    slot = Slot.objects.all()[1]
    assert (slot.pool.kind, slot.pool.is_isolated, slot.pool.memory_bytes) == (PoolKind.SHARED, False, 20 * GB)
    assert slot.label == "GPU 0 · H100 · shared, part 2 of 4"


def test_a_fault_of_a_shared_gpu_holds_for_all_its_slots(db: None, admin: Any, now: datetime) -> None:
    report(gpu(0), now=now)
    drain(admin, now=now)
    divide(2, admin=admin, now=now)
    report(gpu(0, fault="Broken."), now=now)
    assert [slot.fault for slot in Slot.objects.all()] == ["Broken.", "Broken."]


def test_a_gpu_is_not_divided_while_leases_may_come_or_are_there(lease: Lease, admin: Any, now: datetime) -> None:
    with pytest.raises(Conflict, match="Drain the server first"):
        divide(2, admin=admin, now=now)
    drain(admin, now=now)
    with pytest.raises(Conflict, match="held by Ines Intern"):
        divide(2, admin=admin, now=now)
    assert listed() == [(0, 1, "H100")]
    services.release_lease(lease.pk, token=1, observed_gone=True, now=now)
    divide(2, admin=admin, now=now)
    assert len(listed()) == 2


def test_the_last_holder_of_a_part_keeps_a_gpu_divided(db: None, intern: Any, admin: Any, now: datetime) -> None:
    report(gpu(0), now=now)
    drain(admin, now=now)
    divide(3, admin=admin, now=now)
    lease_on(Slot.objects.get(part=2), intern, now=now)
    with pytest.raises(Conflict, match="held by"):
        divide(1, admin=admin, now=now)


@pytest.mark.parametrize("shares", [0, -1, 17])
def test_a_gpu_has_1_to_16_shares(db: None, admin: Any, now: datetime, shares: int) -> None:
    report(gpu(0), now=now)
    drain(admin, now=now)
    with pytest.raises(Invalid):
        divide(shares, admin=admin, now=now)


def test_only_a_gpu_that_is_listed_as_a_whole_is_divided(db: None, admin: Any, now: datetime) -> None:
    report(gpu(0, instances=(Instance("MIG-00000001", 1, "1g.10gb", 10 * GB, 0),)), now=now)
    drain(admin, now=now)
    for uuid in (UUID, "MIG-00000001", "GPU-nowhere"):
        with pytest.raises(NotFound):
            servers.set_shares("alpha", gpu=uuid, shares=2, actor=admin, now=now)
    with pytest.raises(NotFound):
        servers.set_shares("nowhere", gpu=UUID, shares=2, actor=admin, now=now)


# --- Pages -----------------------------------------------------------------------------------------------------------


def test_adding_a_server_shows_one_command_with_a_token_that_works(admin: Any, client_of: Any) -> None:
    client = client_of(admin)
    page = client.post("/gpus/servers/new/", {"name": "gpu-2"}).content.decode()
    found = re.search(r"data-command>([^<]*)<", page)
    assert found
    command = found[1]
    assert command.startswith("docker run --detach")
    assert "--pid host" in command
    assert "docker.sock" not in command
    token = re.search(r"PRACTICUM_AGENT_TOKEN=([0-9a-f]{64})", command)
    assert token
    row = token_row(token[1])
    assert row is not None
    assert (row.server.name, row.made_by) == ("gpu-2", admin)
    for path in ("/gpus/servers/gpu-2/", "/gpus/servers/", "/gpus/servers/new/"):
        assert token[1] not in client.get(path).content.decode()


@pytest.mark.parametrize(
    ("name", "status", "told"),
    [
        ("", 400, "This field is required"),
        ("gpu 2", 400, "valid “slug”"),
        ("x" * 61, 400, "at most 60"),
        ("new", 400, "kept for a page"),
        ("alpha", 409, "There is a server of this name"),
    ],
)
def test_a_name_that_cannot_be_is_told_beside_the_field_and_kept(
    admin: Any, client_of: Any, now: datetime, name: str, status: int, told: str
) -> None:
    report(now=now)
    answer = client_of(admin).post("/gpus/servers/new/", {"name": name})
    page = answer.content.decode()
    assert answer.status_code == status
    assert told in page
    assert f'value="{name}"' in page or not name
    assert not AgentToken.objects.exists()


def test_a_silent_server_is_shown_so_with_the_leases_it_keeps(lease: Lease, admin: Any, client_of: Any) -> None:
    client = client_of(admin)
    page = client.get("/gpus/servers/alpha/").content.decode()
    assert "Silent since" in page
    assert "Its lease is kept until it is heard again" in page
    assert "Give alpha up" in page
    assert "Silent" in client.get("/gpus/servers/").content.decode()
    report(gpu(0), now=utc_now())
    page = client.get("/gpus/servers/alpha/").content.decode()
    assert "Silent" not in page
    assert "Give alpha up" not in page


def test_a_server_that_is_not_there_is_not_called_online_and_its_slots_not_free(
    db: None, admin: Any, client_of: Any, now: datetime
) -> None:
    client = client_of(admin)
    report(gpu(0), now=utc_now())
    for path in ("/gpus/", "/gpus/servers/", "/gpus/servers/alpha/"):
        assert ">Online</span>" in client.get(path).content.decode()
    assert "Free" in client.get("/gpus/").content.decode()
    Server.objects.update(away_since=utc_now())
    for path in ("/gpus/", "/gpus/servers/", "/gpus/servers/alpha/"):
        page = client.get(path).content.decode()
        assert ">Online</span>" not in page
        assert ">Engine away</span>" in page
    page = client.get("/gpus/").content.decode()
    assert "Not given" in page
    assert "Free" not in page


def test_whose_server_it_is_and_until_when_its_leases_run_is_told_where_servers_are_listed(
    lease: Lease, admin: Any, client_of: Any, cohort: Any, now: datetime
) -> None:
    client = client_of(admin)
    Server.objects.update(cohort=cohort)
    Lease.objects.update(lease_until=now + 8 * HOUR, reclaim_at=now + HOUR)
    page = client.get("/gpus/").content.decode()
    assert "for Spring 2026 only" in page
    assert f"{now + HOUR:%a %H:%M}, asked to finish" in page
    assert f"until {now + HOUR:%H:%M}" in page
    assert f"until {now + 8 * HOUR:%H:%M}" not in page
    assert "for Spring 2026 only" in client.get("/gpus/servers/").content.decode()


def test_a_server_is_given_up_only_with_the_word_that_it_is_off(lease: Lease, admin: Any, client_of: Any) -> None:
    client = client_of(admin)
    assert client.post("/gpus/servers/alpha/give-up/").status_code == 400
    assert Lease.objects.get().is_live
    page = client.post("/gpus/servers/alpha/give-up/", {"is_off": "yes"}, follow=True).content.decode()
    assert "alpha is given up; 1 lease ended." in page
    assert Lease.objects.get().state == LeaseState.RELEASED


def test_faults_are_shown_with_who_holds_the_gpu(lease: Lease, admin: Any, client_of: Any) -> None:
    report(gpu(0, fault="The driver has lost this GPU."), now=utc_now())
    client = client_of(admin)
    page = client.get("/gpus/servers/alpha/").content.decode()
    assert "The driver has lost this GPU. It is given to nobody. Ines Intern holds GPU 0" in page
    assert "The driver has lost this GPU." in client.get("/gpus/").content.decode()


def test_the_admin_drains_a_server_in_both_ways(lease: Lease, admin: Any, client_of: Any) -> None:
    client, address = client_of(admin), "/gpus/servers/alpha/state/"
    assert client.post(address, {"state": "draining", "finish": "let"}).status_code == 302
    assert Server.objects.get().drain_until is None
    assert client.post(address, {"state": "online"}).status_code == 302
    asked = {"state": "draining", "finish": "ask", "minutes": "30"}
    assert client.post(address, asked).status_code == 302
    until = Server.objects.get().drain_until
    assert until is not None
    assert timedelta(minutes=29) < until - utc_now() <= timedelta(minutes=30)
    assert "asked to finish" in client.get("/gpus/servers/alpha/").content.decode()


@pytest.mark.parametrize("minutes", ["", "0", "4", "100000", "soon"])
def test_a_deadline_that_cannot_be_is_told_beside_the_field(
    lease: Lease, admin: Any, client_of: Any, minutes: str
) -> None:
    sent = {"state": "draining", "finish": "ask", "minutes": minutes}
    answer = client_of(admin).post("/gpus/servers/alpha/state/", sent)
    assert answer.status_code == 400
    assert 'id="id_minutes_error"' in answer.content.decode()
    assert Server.objects.get().state == ServerState.ONLINE


def test_the_overview_says_which_slots_have_no_memory_isolation(db: None, admin: Any, client_of: Any) -> None:
    report(gpu(0), gpu(1), now=utc_now())
    drain(admin, now=utc_now())
    client = client_of(admin)
    assert "No memory isolation" not in client.get("/gpus/").content.decode()
    divide(4, admin=admin, now=utc_now())
    assert client.get("/gpus/").content.decode().count("No memory isolation") == 4


def test_a_server_that_was_never_heard_is_not_called_silent(db: None, admin: Any, client_of: Any) -> None:
    servers.add_server("gpu-2", actor=admin, now=utc_now())
    for path in ("/gpus/", "/gpus/servers/", "/gpus/servers/gpu-2/"):
        page = client_of(admin).get(path).content.decode()
        assert "Not heard yet" in page
        assert "Silent" not in page


def test_the_admin_divides_a_gpu_on_its_page(db: None, admin: Any, client_of: Any) -> None:
    report(gpu(0), now=utc_now())
    client, page = client_of(admin), "/gpus/servers/alpha/"
    assert 'name="shares"' not in client.get(page).content.decode()
    drain(admin, now=utc_now())
    assert 'name="shares"' in client.get(page).content.decode()
    told = client.post(f"{page}shares/", {"gpu": UUID, "shares": "4"}, follow=True).content.decode()
    assert "4 slots now, no memory isolation" in told
    assert len(listed()) == 4
    assert client.post(f"{page}shares/", {"gpu": UUID, "shares": "99"}).status_code == 400


def test_a_token_is_made_and_revoked_on_the_page(db: None, admin: Any, client_of: Any) -> None:
    report(now=utc_now())
    client = client_of(admin)
    assert "PRACTICUM_AGENT_TOKEN=" in client.post("/gpus/servers/alpha/tokens/").content.decode()
    token = AgentToken.objects.get()
    told = client.post(f"/gpus/servers/alpha/tokens/{token.pk}/revoke/", follow=True).content.decode()
    assert "is refused from now on" in told
    assert "Revoked" in told
    assert client.post("/gpus/servers/nowhere/tokens/").status_code == 404


@pytest.mark.parametrize("role", ["intern", "mentor"])
def test_for_others_than_admins_there_are_no_such_pages(
    lease: Lease, client_of: Any, request: pytest.FixtureRequest, role: str
) -> None:
    client = client_of(request.getfixturevalue(role))
    for path in ("", "new/", "alpha/"):
        assert client.get(f"/gpus/servers/{path}").status_code == 404
    for path in ("new/", "alpha/state/", "alpha/give-up/", "alpha/shares/", "alpha/tokens/", "alpha/tokens/1/revoke/"):
        assert client.post(f"/gpus/servers/{path}", {"is_off": "yes", "state": "offline"}).status_code == 404
    assert Lease.objects.get().is_live


def test_the_list_asks_as_many_questions_for_many_as_for_few(
    lease: Lease, admin: Any, client_of: Any, django_assert_max_num_queries: Any
) -> None:
    client = client_of(admin)
    for number in range(1, 9):
        report(gpu(number), server=f"server-{number}", now=utc_now())
    with django_assert_max_num_queries(8):
        client.get("/gpus/servers/")
    with django_assert_max_num_queries(12):
        client.get("/gpus/servers/alpha/")


# --- Set-up on the machine itself ------------------------------------------------------------------------------------


def set_up(file: Path, *, server: str = "this-machine") -> str:
    said = StringIO()
    call_command("agent_token", server, "--file", str(file), stdout=said)
    return said.getvalue()


def test_the_set_up_makes_a_token_once_and_keeps_it(db: None, tmp_path: Path) -> None:
    file = tmp_path / "agent" / "token"
    assert "is made" in set_up(file)
    token = file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert token not in set_up(file)
    assert (file.read_text(), AgentToken.objects.count()) == (token, 1)
    row = token_row(token)
    assert row is not None
    assert (row.server.name, row.made_by) == ("this-machine", None)


def test_the_set_up_undoes_no_revocation_and_makes_a_new_token_for_a_new_database(
    db: None, tmp_path: Path, now: datetime
) -> None:
    file = tmp_path / "token"
    set_up(file)
    token = file.read_text()
    AgentToken.objects.update(revoked_at=now)
    assert "was revoked; delete token" in set_up(file)
    assert file.read_text() == token
    AgentToken.objects.all().delete()
    set_up(file)
    assert file.read_text() != token
    assert "is made" in set_up(file, server="other")


def test_the_set_up_refuses_a_name_that_no_page_could_have(db: None, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no name for a server"):
        set_up(tmp_path / "token", server="gpu.example")


def test_silent_is_said_30_seconds_after_the_last_report(lease: Lease, now: datetime) -> None:
    server = Server.objects.get()
    assert not selectors.is_silent(server, now=now + timedelta(seconds=30))
    assert selectors.is_silent(server, now=now + timedelta(seconds=31))


def test_the_image_of_the_command_has_the_version_of_the_project() -> None:
    import tomllib

    import practicum_hub
    from practicum import __version__

    project = Path(__file__).resolve().parents[3] / "pyproject.toml"
    assert tomllib.loads(project.read_text())["project"]["version"] == __version__
    assert practicum_hub.__version__ == __version__


# --- Somebody's own machine ---


@pytest.fixture
def lent(admin: Any, now: datetime, cohort: Any) -> Server:
    """A machine of somebody's, with one GPU, for one cohort; beside it one with a GPU for all."""
    servers.join("lent", is_known=False, actor=admin, now=now, cohort=cohort)
    for name in ("lent", "for-all"):
        server = Server.objects.get_or_create(name=name)[0]
        gpu = inventory.Gpu(f"GPU-of-{name}-0001", 0, "NVIDIA H100", 80 << 30, 0, None)
        inventory.register_report(server, report=inventory.Report(gpus=[gpu], cpu_slots=1), now=now)
    return Server.objects.get(name="lent")


def ask(person: Any, *, cohort: Any, now: datetime, purpose: str = "session") -> Lease:
    return services.request_lease(person, cohort=cohort, purpose=Purpose(purpose), duration=timedelta(hours=1), now=now)


def held(lease: Lease) -> str:
    lease.refresh_from_db()
    return lease.server_name


def test_a_machine_for_one_cohort_is_given_to_it_first_and_to_no_other(
    lent: Server, now: datetime, intern: Any, peer: Any, stranger: Any, cohort: Any, other_cohort: Any
) -> None:
    servers.note_back("lent", now=now)
    ours, theirs = ask(intern, cohort=cohort, now=now), ask(stranger, cohort=other_cohort, now=now)
    services.allocate(now=now)
    assert (held(ours), held(theirs)) == ("lent", "for-all")
    waits = ask(peer, cohort=cohort, now=now)
    services.allocate(now=now)
    services.release_lease(theirs.pk, token=theirs.token, observed_gone=True, now=now)
    services.allocate(now=now)
    assert held(waits) == "for-all"
    again = ask(stranger, cohort=other_cohort, now=now)
    services.release_lease(ours.pk, token=ours.token, observed_gone=True, now=now)
    services.allocate(now=now)
    assert held(again) == ""


def test_nothing_is_evaluated_on_a_machine_of_somebodys(lent: Server, now: datetime, intern: Any, cohort: Any) -> None:
    servers.note_back("lent", now=now)
    leases = [ask(intern, cohort=cohort, now=now, purpose="evaluation") for _ in range(2)]
    services.allocate(now=now)
    assert sorted(held(lease) for lease in leases) == ["", "for-all"]


def test_its_cpu_slots_are_nobody_elses_either(lent: Server, now: datetime) -> None:
    servers.note_back("lent", now=now)
    Server.objects.filter(name="for-all").update(state="draining")
    assert selectors.free_cpu_pool() is None
    assert selectors.cpu_pool() is None


def test_a_server_that_joined_is_given_to_nobody_before_its_engine_was_looked_at(
    lent: Server, now: datetime, intern: Any, cohort: Any
) -> None:
    lease = ask(intern, cohort=cohort, now=now)
    services.allocate(now=now)
    assert held(lease) == "for-all"
    assert [servers.note_back("lent", now=now) for _ in range(2)] == [True, False]


def test_joining_anew_makes_the_tokens_before_it_void(lent: Server, admin: Any, now: datetime) -> None:
    with pytest.raises(Conflict):
        servers.join("lent", is_known=False, actor=admin, now=now)
    servers.join("lent", is_known=True, actor=admin, now=now)
    assert [token.revoked_at is None for token in lent.tokens.order_by("id")] == [False, True]
    assert Server.objects.get(name="lent").cohort == lent.cohort
    with pytest.raises(NotFound):
        servers.join("unheard-of", is_known=True, actor=admin, now=now)


def test_a_server_is_taken_out_only_when_nobody_holds_a_slot(
    lent: Server, admin: Any, now: datetime, intern: Any, cohort: Any
) -> None:
    servers.note_back("lent", now=now)
    lease = ask(intern, cohort=cohort, now=now)
    services.allocate(now=now)
    with pytest.raises(Conflict, match="Ines Intern"):
        servers.leave("lent", actor=admin, now=now)
    lease.refresh_from_db()
    services.release_lease(lease.pk, token=lease.token, observed_gone=True, now=now)
    servers.leave("lent", actor=admin, now=now)
    assert not lent.tokens.filter(revoked_at__isnull=True).exists()
    services.allocate(now=now)
    assert held(ask(intern, cohort=cohort, now=now)) == ""

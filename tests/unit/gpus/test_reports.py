"""The agent's door: whose token opens it, what is refused, and what a report changes."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from practicum.audit.models import Record
from practicum.errors import Conflict, NotFound
from practicum.gpus import selectors, services
from practicum.gpus.inventory import DIVIDED_ANEW, Instance, pool_of
from practicum.gpus.models import AgentToken, Lease, Pool, PoolKind, Purpose, Server, Slot
from practicum.gpus.tokens import make_token, revoke_token
from practicum.lib.clock import utc_now
from tests.unit.gpus.conftest import GB, gpu, lease_on, report

GPU = {
    "uuid": "GPU-8d1a2f3c-0000-4000-8000-000000000001",
    "index": 0,
    "model": "NVIDIA H100",
    "memory_bytes": 85899345920,
    "memory_used_bytes": 1024,
    "utilization_percent": None,
    "fault": "",
    "instances": None,
}
MIG = {
    "uuid": "MIG-8d1a2f3c-0000-4000-8000-000000000001",
    "index": 3,
    "profile": "1g.10gb",
    "memory_bytes": 10 * GB,
    "memory_used_bytes": 0,
}
USE = {"container": "a" * 64, "gpu": GPU["uuid"], "processes": 1, "memory_bytes": 5, "sm_percent": 30.0}
SAMPLE: dict[str, Any] = {
    "number": 1,
    "age_seconds": 0.5,
    "seconds": 10,
    "gpus": [{"uuid": GPU["uuid"], "memory_used_bytes": 1024, "utilization_percent": 30}],
    "uses": [USE],
}
REPORT: dict[str, Any] = {
    "boot": "0123456789abcdef",
    "gpus": [GPU],
    "cpu_slots": 0,
    "versions": {"driver": "580.1"},
    "samples": [SAMPLE],
}


@pytest.fixture
def token(admin: Any, now: datetime) -> str:
    """The token of the agent of ``gpu-1``."""
    return make_token(Server.objects.create(name="gpu-1"), actor=admin, now=now)


def send(body: Any, *, token: str) -> Any:
    """POST a report as the agent does."""
    return Client().post(
        "/api/agent/report",
        body if isinstance(body, bytes) else json.dumps(body).encode(),
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}"},
    )


def test_a_report_is_taken_for_the_server_whose_token_it_shows(token: str, admin: Any, now: datetime) -> None:
    other = Server.objects.create(name="gpu-2")
    assert send(REPORT | {"server": "gpu-2"}, token=token).status_code == 204
    assert str(Slot.objects.get()) == "GPU 0 · NVIDIA H100"
    assert Slot.objects.get().server.name == "gpu-1"
    other.refresh_from_db()
    assert other.seen_at is None
    assert AgentToken.objects.get().last_used_at is not None


@pytest.mark.parametrize("shown", ["wrong", "é", ""])
def test_only_a_token_of_ours_opens_the_agents_door(token: str, shown: str) -> None:
    answer = send(REPORT, token=shown)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")
    assert not Slot.objects.exists()


def test_a_revoked_token_is_refused_and_another_of_the_same_server_goes_on(
    token: str, admin: Any, now: datetime
) -> None:
    server = Server.objects.get()
    second = make_token(server, actor=admin, now=now)
    first = AgentToken.objects.order_by("pk").first()
    assert first is not None
    revoke_token(server, token_id=first.pk, actor=admin, now=now)
    assert send(REPORT, token=token).status_code == 401
    assert send(REPORT, token=second).status_code == 204
    assert Record.objects.filter(verb="agent_token.revoked", actor=admin).count() == 1


def test_a_token_is_revoked_through_its_own_server_only(token: str, admin: Any, now: datetime) -> None:
    other = Server.objects.create(name="gpu-2")
    with pytest.raises(NotFound):
        revoke_token(other, token_id=AgentToken.objects.get().pk, actor=admin, now=now)
    assert AgentToken.objects.get().revoked_at is None


def test_only_a_tokens_digest_is_kept(token: str) -> None:
    row = AgentToken.objects.get()
    assert token not in str(vars(row))
    assert len(row.digest) == 64


def replaced(**changes: Any) -> dict[str, Any]:
    return REPORT | {"gpus": [GPU | changes]}


def sampled(**changes: Any) -> dict[str, Any]:
    return REPORT | {"samples": [SAMPLE | changes]}


MALFORMED: list[tuple[Any, int]] = [
    (b"", 400),
    (b"[]", 400),
    (b"{", 400),
    (b"\xff", 400),
    (b"[" * 100_000, 400),
    (b'{"boot": NaN}', 400),
    (b" " * (1 << 21), 413),
    (REPORT | {"boot": ""}, 400),
    (REPORT | {"boot": "x" * 16}, 400),
    (REPORT | {"boot": "a" * 33}, 400),
    (REPORT | {"gpus": {}}, 400),
    (REPORT | {"gpus": [7]}, 400),
    (REPORT | {"gpus": [GPU, GPU]}, 400),
    (REPORT | {"gpus": [GPU] * 65}, 400),
    (replaced(uuid="all"), 400),
    (replaced(uuid="0"), 400),
    (replaced(uuid="GPU-1,GPU-2"), 400),
    (replaced(uuid=MIG["uuid"]), 400),
    (replaced(index=-1), 400),
    (replaced(index=True), 400),
    (replaced(memory_bytes=1.5), 400),
    (replaced(utilization_percent=101), 400),
    (replaced(model="x" * 81), 400),
    (replaced(fault=None), 400),
    (replaced(fault="x" * 201), 400),
    (replaced(instances=[MIG, MIG]), 400),
    (replaced(instances=[MIG] * 17), 400),
    (replaced(instances=[MIG | {"uuid": GPU["uuid"]}]), 400),
    (replaced(instances=[MIG | {"profile": "1g 10gb"}]), 400),
    (REPORT | {"cpu_slots": -1}, 400),
    (REPORT | {"cpu_slots": 10**9}, 400),
    (REPORT | {"cpu_slots": "2"}, 400),
    (REPORT | {"versions": {"driver": 580}}, 400),
    (REPORT | {"versions": []}, 400),
    (REPORT | {"samples": None}, 400),
    (REPORT | {"samples": [SAMPLE] * 61}, 400),
    (sampled(number=0), 400),
    (sampled(age_seconds=-1), 400),
    (sampled(age_seconds=10**9), 400),
    (sampled(seconds=61), 400),
    (sampled(gpus=None), 400),
    (sampled(uses=[USE] * 513), 400),
    (sampled(uses=[USE | {"container": "a" * 63}]), 400),
    (sampled(uses=[USE | {"container": "A" * 64}]), 400),
    (sampled(uses=[USE | {"sm_percent": 100.5}]), 400),
    (sampled(uses=[USE | {"processes": -1}]), 400),
]


@pytest.mark.parametrize(("body", "status"), MALFORMED)
def test_a_malformed_report_is_refused_and_nothing_is_written(token: str, body: Any, status: int) -> None:
    answer = send(body, token=token)
    assert (answer.status_code, bool(answer.json()["error"]["message"])) == (status, True)
    assert not Slot.objects.exists()
    assert Server.objects.get().seen_at is None


@pytest.mark.parametrize(
    "body",
    [
        REPORT | {"samples": []},
        sampled(uses=None),
        sampled(uses=[USE | {"container": "", "sm_percent": None}]),
        replaced(instances=[]),
        replaced(instances=[MIG]),
    ],
)
def test_what_an_agent_may_leave_open_is_taken(token: str, body: Any) -> None:
    assert send(body, token=token).status_code == 204


def test_a_report_with_a_gpu_that_is_in_use_elsewhere_is_a_conflict(token: str, intern: Any, now: datetime) -> None:
    report(gpu(0, uuid=GPU["uuid"]), now=now)
    lease_on(Slot.objects.get(), intern, now=now)
    assert send(REPORT, token=token).status_code == 409


# --- Slots and pools -------------------------------------------------------------------------------------------------


def instance(number: int, profile: str = "1g.10gb") -> Instance:
    return Instance(f"MIG-{number:08d}", number, profile, 10 * GB, 0)


def present() -> list[str]:
    return [slot.uuid for slot in Slot.objects.filter(is_present=True)]


def test_mig_instances_are_slots_of_a_pool_of_their_profile_and_their_gpu_is_none(db: None, now: datetime) -> None:
    report(gpu(0, instances=(instance(1), instance(4), instance(5, "3g.40gb"))), now=now)
    slots = list(Slot.objects.select_related("pool"))
    assert [(slot.uuid, slot.gpu, slot.pool.name, slot.pool.kind) for slot in slots] == [
        ("MIG-00000001", "GPU-00000000", "H100 MIG 1g.10gb", PoolKind.MIG),
        ("MIG-00000004", "GPU-00000000", "H100 MIG 1g.10gb", PoolKind.MIG),
        ("MIG-00000005", "GPU-00000000", "H100 MIG 3g.40gb", PoolKind.MIG),
    ]
    assert slots[0].label == "GPU 0 · H100 MIG 1g.10gb, instance 1"
    assert Pool.objects.get(name="H100 MIG 1g.10gb").memory_bytes == 10 * GB


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, (instance(1), instance(2))),
        ((instance(1), instance(2)), (instance(7, "3g.40gb"),)),
        ((instance(1), instance(2)), None),
    ],
)
def test_a_gpu_divided_anew_under_a_lease_keeps_the_lease_and_is_given_to_nobody_else(
    db: None, intern: Any, peer: Any, now: datetime, before: Any, after: Any
) -> None:
    report(gpu(0, instances=before), now=now)
    lease = lease_on(Slot.objects.all()[0], intern, now=now)
    report(gpu(0, instances=after), now=now)
    lease.refresh_from_db()
    assert lease.is_live
    assert {slot.fault for slot in Slot.objects.filter(is_present=True)} == {DIVIDED_ANEW}
    services.request_lease(peer, cohort=None, purpose=Purpose.SESSION, duration=timedelta(hours=1), now=now)
    assert services.allocate(now=now) == []
    services.release_lease(lease.pk, token=1, observed_gone=True, now=now)
    report(gpu(0, instances=after), now=now)
    assert len(services.allocate(now=now)) == 1


def test_instances_beside_a_held_one_that_is_still_there_are_given_away(db: None, intern: Any, now: datetime) -> None:
    report(gpu(0, instances=(instance(1), instance(2))), now=now)
    lease_on(Slot.objects.all()[0], intern, now=now)
    report(gpu(0, instances=(instance(1), instance(3))), now=now)
    assert present() == ["MIG-00000001", "MIG-00000003"]
    assert not Slot.objects.exclude(fault="").exists()


def test_long_names_of_pools_do_not_run_into_one_another(db: None) -> None:
    stem = "x" * 100
    assert pool_of(name=f"{stem} 1", kind=PoolKind.GPU) != pool_of(name=f"{stem} 2", kind=PoolKind.GPU)


# --- Faults ----------------------------------------------------------------------------------------------------------


def test_a_gpu_with_a_fault_is_given_to_nobody_until_it_is_mended(db: None, intern: Any, now: datetime) -> None:
    report(gpu(0, fault="Broken."), now=now)
    services.request_lease(intern, cohort=None, purpose=Purpose.SESSION, duration=timedelta(hours=1), now=now)
    assert services.allocate(now=now) == []
    report(gpu(0), now=now)
    assert len(services.allocate(now=now)) == 1


def test_a_broken_gpu_does_not_stand_in_the_way_of_one_that_is_well(db: None, intern: Any, now: datetime) -> None:
    report(gpu(0, fault="Broken."), gpu(1), now=now)
    services.request_lease(intern, cohort=None, purpose=Purpose.SESSION, duration=timedelta(hours=1), now=now)
    (granted,) = services.allocate(now=now)
    assert granted.slot is not None
    assert granted.slot.index == 1


def test_a_fault_found_between_decision_and_grant_keeps_the_slot(
    slot: Slot, intern: Any, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.request_lease(intern, cohort=None, purpose=Purpose.SESSION, duration=timedelta(hours=1), now=now)
    seen = selectors.snapshot(now=now)
    Slot.objects.update(fault="Broken.")
    monkeypatch.setattr(selectors, "snapshot", lambda **_: seen)
    assert services.allocate(now=now) == []


def test_a_fault_under_a_lease_is_told_with_its_holder_once(db: None, intern: Any, now: datetime) -> None:
    report(gpu(0), gpu(1), now=now)
    lease = lease_on(Slot.objects.get(index=1), intern, now=now)
    for fault in ("Broken.", "Broken.", ""):
        report(gpu(0), gpu(1, fault=fault), now=now)
    broken, mended = Record.objects.filter(verb__startswith="slot.").order_by("pk")
    assert (broken.verb, broken.facts["fault"], broken.facts["holder"]) == ("slot.fault", "Broken.", "ines")
    assert broken.facts["lease"] == str(lease.pk)
    assert mended.verb == "slot.mended"
    assert Lease.objects.get().is_live


def test_a_report_of_a_server_that_vanished_changes_nothing_of_others(db: None, intern: Any, now: datetime) -> None:
    report(gpu(0), now=now)
    lease_on(Slot.objects.get(), intern, now=now)
    with pytest.raises(Conflict):
        report(gpu(0), gpu(1), server="beta", now=now)
    assert [slot.server.name for slot in Slot.objects.select_related("server")] == ["alpha"]


def test_a_report_asks_a_bounded_number_of_questions(
    db: None, now: datetime, django_assert_max_num_queries: Any
) -> None:
    report(*(gpu(number) for number in range(8)), now=utc_now())
    with django_assert_max_num_queries(16):
        report(*(gpu(number) for number in range(8)), now=utc_now())

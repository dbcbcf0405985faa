"""Whose use it was, added up once, however often it is sent."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from practicum.gpus import services, use
from practicum.gpus.idleness import ActivityState, KernelReport
from practicum.gpus.inventory import Instance
from practicum.gpus.models import Lease, LeaseSample, LeaseUse, Slot
from practicum.gpus.servers import set_shares
from practicum.gpus.telemetry import GpuUse, Sample, Use, bucket_of
from tests.unit.gpus.conftest import GB, gpu, lease_on, report

A, B = "a" * 64, "b" * 64
UUID = "GPU-00000000"


def sample(
    number: int, *, at: datetime, busy: float | None = 0.0, uses: tuple[Use, ...] | None = (), used: int = 0
) -> Sample:
    return Sample(number, at, 10.0, {UUID: GpuUse(used, busy)}, uses)


def row(container: str, *, percent: float | None, memory: int = GB, uuid: str = UUID) -> Use:
    return Use(container, uuid, 1, memory, percent)


@pytest.fixture
def lease(db: None, intern: Any, now: datetime) -> Lease:
    """The intern's lease on the one whole GPU, granted at ``now``."""
    report(gpu(0), now=now)
    return lease_on(Slot.objects.get(), intern, now=now)


def take(*samples: Sample, now: datetime, boot: str = "aaaaaaaa", **gpu_facts: Any) -> None:
    report(gpu(0, **gpu_facts), now=now, boot=boot, samples=samples)


def after(now: datetime, seconds: float) -> datetime:
    return now + timedelta(seconds=seconds)


def test_busy_idle_held_and_free_time_are_added_up_in_steps_of_ten_minutes(lease: Lease, now: datetime) -> None:
    looks = [
        sample(1, at=after(now, 10), busy=80.0, uses=(row(A, percent=80.0, memory=2 * GB),)),
        sample(2, at=after(now, 20), busy=40.0, uses=(row(A, percent=40.0, memory=8 * GB),)),
        sample(3, at=after(now, 30), busy=0.0, uses=(row(A, percent=0.0, memory=8 * GB),)),
        sample(4, at=after(now, 40), busy=0.0),
        sample(5, at=after(now, 610), busy=10.0, uses=(row(A, percent=10.0),)),
    ]
    take(*looks, now=after(now, 611))
    first, second = LeaseUse.objects.all()
    assert (first.starts_at, second.starts_at) == (now, after(now, 600))
    assert (first.held_seconds, first.busy_seconds, first.idle_held_seconds) == (40, 20, 10)
    assert (first.gpu_percent, first.memory_peak_bytes, first.busy_at) == (30.0, 8 * GB, after(now, 20))
    assert (second.held_seconds, second.busy_seconds) == (10, 10)
    assert use.last_busy_at(lease) == after(now, 610)
    assert use.idle_held_seconds(lease) == 10
    totals = use.totals_of(lease)
    assert (totals.seen, totals.busy, totals.idle_held, totals.memory_peak_bytes) == (50, 30, 10, 8 * GB)


def test_a_report_that_comes_twice_or_in_part_again_is_counted_once(lease: Lease, now: datetime) -> None:
    looks = [sample(n, at=after(now, 10 * n), busy=50.0) for n in (1, 2, 3)]
    take(*looks[:2], now=after(now, 30))
    take(*looks[:2], now=after(now, 31))
    take(*looks, now=after(now, 32))
    assert LeaseUse.objects.get().held_seconds == 30
    assert LeaseSample.objects.count() == 3


def test_a_new_run_of_the_agent_counts_from_1_again(lease: Lease, now: datetime) -> None:
    take(sample(1, at=after(now, 10)), sample(2, at=after(now, 20)), now=after(now, 20))
    take(sample(1, at=after(now, 30)), now=after(now, 30), boot="bbbbbbbb")
    assert LeaseUse.objects.get().held_seconds == 30


def test_use_kept_while_the_site_was_away_goes_to_the_lease_of_that_time(
    lease: Lease, peer: Any, now: datetime
) -> None:
    services.release_lease(lease.pk, token=1, observed_gone=True, now=after(now, 1000))
    second = lease_on(Slot.objects.get(), peer, now=after(now, 2000))
    moments = (-10, 10, 1000, 1010, 2000, 2010)
    looks = [sample(n, at=after(now, moment), busy=50.0) for n, moment in enumerate(moments, start=1)]
    take(*looks, now=after(now, 3000))
    seen = {row.lease_id: row.held_seconds for row in LeaseUse.objects.filter(lease=lease)}
    assert sum(seen.values()) == 10
    assert LeaseUse.objects.filter(lease=lease).count() == 2
    assert use.totals_of(lease).seen == 20
    assert use.totals_of(second).seen == 10


def test_a_sample_counts_only_from_the_grant_on(lease: Lease, now: datetime) -> None:
    take(sample(1, at=after(now, 4), busy=50.0), now=after(now, 4))
    assert LeaseUse.objects.get().held_seconds == 4


def test_what_a_whole_gpu_did_it_did_for_its_holder_even_where_the_process_was_missed(
    lease: Lease, now: datetime
) -> None:
    take(sample(1, at=after(now, 10), busy=70.0), now=after(now, 10))
    assert LeaseSample.objects.get().gpu_percent == 70.0


def test_memory_of_another_container_on_the_gpu_is_not_the_leases(lease: Lease, now: datetime) -> None:
    services.note_container(lease.pk, token=1, container=A)
    uses = (row(A, percent=0.0, memory=GB), row(B, percent=0.0, memory=9 * GB))
    take(sample(1, at=after(now, 10), uses=uses), now=after(now, 10))
    assert LeaseUse.objects.get().memory_peak_bytes == GB


def test_where_processes_cannot_be_seen_a_whole_gpu_tells_by_its_own_figures(lease: Lease, now: datetime) -> None:
    take(
        sample(1, at=after(now, 10), busy=5.0, uses=None, used=40 * GB),
        sample(2, at=after(now, 20), busy=0.0, uses=None, used=40 * GB),
        sample(3, at=after(now, 30), busy=0.0, uses=None, used=GB // 2),
        now=after(now, 30),
    )
    row = LeaseUse.objects.get()
    assert (row.held_seconds, row.busy_seconds, row.idle_held_seconds) == (30, 10, 10)


def test_a_container_is_noted_only_for_the_present_claim(lease: Lease) -> None:
    services.note_container(lease.pk, token=0, container=B)
    assert Lease.objects.get().container == ""
    services.note_container(lease.pk, token=1, container=A)
    assert Lease.objects.get().container == A


def test_on_a_shared_gpu_each_lease_has_its_own_containers_use_and_none_while_that_is_unknown(
    db: None, intern: Any, peer: Any, stranger: Any, admin: Any, now: datetime
) -> None:
    server = report(gpu(0), now=now)
    type(server).objects.update(state="draining")
    set_shares("alpha", gpu=UUID, shares=3, actor=admin, now=now)
    leases = [
        lease_on(slot, who, now=now) for slot, who in zip(Slot.objects.all(), (intern, peer, stranger), strict=True)
    ]
    services.note_container(leases[0].pk, token=1, container=A)
    services.note_container(leases[1].pk, token=1, container=B)
    uses = (row(A, percent=90.0, memory=GB), row(B, percent=0.0, memory=40 * GB))
    take(sample(1, at=after(now, 10), busy=90.0, uses=uses), now=after(now, 10))
    seen = {
        one.lease_id: (one.busy_seconds, one.idle_held_seconds, one.memory_peak_bytes) for one in LeaseUse.objects.all()
    }
    assert seen == {leases[0].pk: (10, 0, GB), leases[1].pk: (0, 10, 40 * GB)}


def test_a_mig_instance_tells_memory_and_processes_only(db: None, intern: Any, now: datetime) -> None:
    instances = (Instance("MIG-00000001", 1, "1g.10gb", 10 * GB, 0),)
    report(gpu(0, instances=instances, utilization_percent=None), now=now)
    lease = lease_on(Slot.objects.get(), intern, now=now)
    uses = (row(A, percent=None, memory=5 * GB, uuid="MIG-00000001"),)
    look = sample(1, at=after(now, 10), busy=None, uses=uses)
    take(look, now=after(now, 10), instances=instances, utilization_percent=None)
    row_ = LeaseUse.objects.get(lease=lease)
    assert (row_.held_seconds, row_.measured_seconds, row_.gpu_percent) == (10, 0, None)
    assert row_.memory_peak_bytes == 5 * GB


def test_single_looks_are_kept_for_hours_and_ten_minutes_for_good(lease: Lease, now: datetime) -> None:
    take(sample(1, at=after(now, 10)), now=after(now, 10))
    take(sample(2, at=after(now, 7 * 3600)), now=after(now, 7 * 3600))
    assert [one.at for one in LeaseSample.objects.all()] == [after(now, 7 * 3600)]
    assert LeaseUse.objects.count() == 2


def test_the_series_has_a_step_for_every_ten_minutes_and_none_where_nothing_was_seen(
    lease: Lease, now: datetime
) -> None:
    take(
        sample(1, at=after(now, 10), busy=100.0, uses=(row(A, percent=100.0),)),
        sample(2, at=after(now, 1810), busy=0.0),
        now=after(now, 1900),
    )
    series = use.use_series(lease)
    assert series.starts == [after(now, 600 * step) for step in range(4)]
    assert series.gpu_percent == [100.0, None, None, 0.0]
    assert series.busy_percent == [100.0, None, None, 0.0]
    assert series.memory_bytes == [GB, None, None, 0]


def test_the_activity_of_a_lease_is_judged_from_its_rows(lease: Lease, now: datetime) -> None:
    held = (row(A, percent=0.0, memory=40 * GB),)
    take(*(sample(n, at=after(now, 10 * n), uses=held) for n in range(1, 61)), now=after(now, 600))
    said = [KernelReport(after(now, 15 * n), 0, 0.1, 15.0) for n in range(1, 41)]
    activity = use.activity_of(lease, kernel_reports=said, now=after(now, 600))
    assert activity.state == ActivityState.IDLE_HELD
    assert use.activity_of(lease, kernel_reports=said, now=after(now, 800)).state == ActivityState.UNKNOWN


@pytest.mark.parametrize(("minute", "start"), [(0, 0), (9, 0), (10, 10), (59, 50)])
def test_ten_minutes_begin_at_round_minutes(now: datetime, minute: int, start: int) -> None:
    assert bucket_of(now.replace(minute=minute, second=59)) == now.replace(minute=start)

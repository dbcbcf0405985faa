"""Two workers, many tabs: real threads, real transactions."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from practicum.audit.models import Record
from practicum.engine.memory import MemoryEngine
from practicum.errors import Conflict
from practicum.gpus import tasks as gpus
from practicum.gpus.inventory import pool_of
from practicum.gpus.models import OPEN_STATES, Lease, PoolKind, Slot
from practicum.workspaces import lifecycle, services, turns
from practicum.workspaces.hub import MemoryHub
from practicum.workspaces.models import Session
from practicum.workspaces.tasks import tick
from tests.unit.gpus.conftest import make_slots
from tests.unit.gpus.test_concurrency import at_once
from tests.unit.workspaces.conftest import Inline

SECOND = timedelta(seconds=1)


def test_workers_that_race_ask_the_hub_once_for_each_session(
    shared_database: None, intern: Any, peer: Any, internship: Any, peer_internship: Any, now: datetime
) -> None:
    make_slots(2)
    hub, engine = MemoryHub(), MemoryEngine()
    for person in (intern, peer):
        hub.answers[person.username] = ["pending"] * 4
        services.open_notebook(person, now=now)
    gpus.allocate(now)

    at_once([lambda: tick(now, hub=hub, engine=engine, executor=Inline(), clock=lambda: now)] * 4)

    assert Counter(hub.calls)[("start", "ines")] == Counter(hub.calls)[("start", "paul")] == 1
    assert list(Session.objects.values_list("state", "attempts")) == [("starting", 1)] * 2


def test_a_start_that_another_worker_has_in_hand_is_left_to_it_until_that_one_is_silent(
    intern: Any, internship: Any, now: datetime
) -> None:
    """The other brings the files before it asks the hub, which may take minutes, and says that it lives; then it dies."""
    make_slots(1)
    hub, engine = MemoryHub(), MemoryEngine()
    hub.answers["ines"] = ["pending"] * 4
    session = services.open_notebook(intern, now=now)
    gpus.allocate(now)
    session.refresh_from_db()
    lifecycle.begin_attempt(session, now=now)
    lifecycle.keep_in_hand([session.pk], now=now + 100 * SECOND)

    def asked(seconds: int) -> int:
        at = now + seconds * SECOND
        tick(at, hub=hub, engine=engine, executor=Inline(), clock=lambda: at)
        return Counter(hub.calls)[("start", "ines")]

    assert [asked(second) for second in (86, 114)] == [0, 0]
    assert [asked(second) for second in (115, 116)] == [1, 1]
    session.refresh_from_db()
    assert session.in_hand_at is None


def test_a_clock_that_was_set_back_leaves_no_start_in_hand(intern: Any, internship: Any, now: datetime) -> None:
    make_slots(1)
    hub, engine = MemoryHub(), MemoryEngine()
    hub.answers["ines"] = ["pending"] * 4
    session = services.open_notebook(intern, now=now)
    gpus.allocate(now)
    session.refresh_from_db()
    lifecycle.begin_attempt(session, now=now)
    lifecycle.keep_in_hand(
        [session.pk], now=now + timedelta(days=1)
    )  # the worker died before the clock was right again

    tick(now + SECOND, hub=hub, engine=engine, executor=Inline(), clock=lambda: now + SECOND)

    assert Counter(hub.calls)[("start", "ines")] == 1


def test_many_tabs_open_one_notebook(shared_database: None, intern: Any, internship: Any, now: datetime) -> None:
    results = at_once([lambda: services.open_notebook(intern, now=now)] * 8)
    assert {result.pk for result in results} == {Session.objects.get().pk}


def test_a_slot_that_two_workers_clear_away_is_released_once(
    shared_database: None, intern: Any, internship: Any, now: datetime
) -> None:
    make_slots(1)
    hub, engine = MemoryHub(), MemoryEngine()
    hub.answers["ines"] = ["ready"]
    session = services.open_notebook(intern, now=now)
    gpus.allocate(now)
    tick(now, hub=hub, engine=engine, executor=Inline(), clock=lambda: now)
    services.stop_notebook(intern, now=now)

    at_once([lambda: tick(now, hub=hub, engine=engine, executor=Inline(), clock=lambda: now)] * 4)

    session.refresh_from_db()
    assert (session.state, Lease.objects.get().state) == ("stopped", "released")
    assert Record.objects.filter(verb="lease.released").count() == 1


def test_many_tabs_get_one_cpu_slot_meanwhile_and_a_turn_is_taken_or_given_up(
    shared_database: None, intern: Any, peer: Any, internship: Any, peer_internship: Any, now: datetime
) -> None:
    gpu, *_ = make_slots(3)
    Slot.objects.exclude(pk=gpu.pk).update(kind="cpu", pool=pool_of(name="CPU slots", kind=PoolKind.CPU))
    services.open_notebook(peer, now=now)
    gpus.allocate(now)
    waiting = services.open_notebook(intern, now=now)

    sessions = at_once([lambda: turns.work_meanwhile(intern, now=now)] * 6)

    assert {session.pk for session in sessions} == {waiting.pk}
    purposes = Lease.objects.filter(user=intern, state__in=OPEN_STATES).values_list("purpose", flat=True)
    assert sorted(purposes) == ["meanwhile", "session"]
    services.stop_notebook(peer, now=now)
    Lease.objects.filter(user=peer).update(state="released", closed_at=now)
    gpus.allocate(now)

    def take() -> bool:
        """The GPU, that is: after the place is left, what is taken is the CPU slot that is kept."""
        with suppress(Conflict):
            return services.take_turn(intern, now=now).moves_at is not None
        return False

    def leave() -> bool:
        with suppress(Conflict):
            turns.leave_line(intern, now=now)
            return True
        return False

    done = at_once([take, leave] * 3)

    waiting.refresh_from_db()
    place = Lease.objects.get(user=intern, purpose="session")
    took, left = any(done[::2]), any(done[1::2])
    assert (took, left) == (not left, not took)
    assert (place.state, waiting.next_lease_id, waiting.moves_at is None) == (
        ("granted", place.pk, False) if took else ("draining", None, True)
    )

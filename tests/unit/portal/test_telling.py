"""What happens to a person is told to them: who, what, when, and once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from practicum.accounts.models import Notice
from practicum.evaluation import telling as evaluation_telling
from practicum.evaluation.models import Run
from practicum.gpus import policy, services
from practicum.gpus.inventory import pool_of
from practicum.gpus.models import Lease, PoolKind, Reservation, Server, Slot
from practicum.gpus.reservations import cancel_reservation, decide_reservation, withdraw_reservation
from practicum.reviews.services import decide, undo
from practicum.workspaces import lifecycle
from practicum.workspaces.models import Session

HOUR = timedelta(hours=1)


def told(user: Any) -> list[str]:
    return list(Notice.objects.filter(user=user).order_by("made_at", "pk").values_list("kind", flat=True))


@pytest.fixture
def slot(db: None, now: Any) -> Slot:
    """A slot of a pool."""
    server = Server.objects.create(name="gpu-1", seen_at=now)
    pool = pool_of(name="CPU slots", kind=PoolKind.CPU)
    return Slot.objects.create(server=server, pool=pool, kind="cpu", index=0, uuid="cpu-0", model="CPU")


@pytest.fixture
def lease(slot: Slot, intern: Any, internship: Any, now: Any) -> Lease:
    """The intern holds the slot."""
    return Lease.objects.create(
        user=intern, cohort=internship.cohort, state="granted", token=1, slot=slot, pool=slot.pool, duration=HOUR,
        requested_at=now, granted_at=now, lease_until=now + HOUR, is_borrowed=True,
    )  # fmt: skip


@pytest.fixture
def session(lease: Lease, intern: Any, internship: Any, now: Any) -> Session:
    """The intern's notebook on it, being started."""
    return Session.objects.create(
        user=intern, internship=internship, lease=lease, state="starting", deadline=now + HOUR, requested_at=now
    )


@pytest.fixture
def reservation(slot: Slot, mentor: Any, internship: Any, now: Any) -> Reservation:
    """What the mentor asked for."""
    return Reservation.objects.create(
        cohort=internship.cohort, pool=slot.pool, slots=1, starts_at=now + HOUR, ends_at=now + 2 * HOUR,
        requested_by=mentor, requested_at=now, purpose="Class",
    )  # fmt: skip


def test_the_mentor_reads_what_became_of_the_reservation(
    reservation: Reservation, mentor: Any, admin: Any, now: Any
) -> None:
    decide_reservation(reservation.pk, is_granted=True, answer="Enjoy", actor=admin, now=now)
    cancel_reservation(reservation.pk, reason="Repairs", actor=admin, now=now + timedelta(minutes=1))
    assert told(mentor) == ["reservation.granted", "reservation.cancelled"]
    granted, cancelled = Notice.objects.order_by("made_at")
    assert '"Enjoy"' in granted.body
    assert "Wed 18 Mar 11:00 to 12:00 (UTC)" in granted.body
    assert granted.path == f"/reservations/{reservation.pk}/"
    assert '"Repairs"' in cancelled.body


def test_a_refusal_is_told_and_ones_own_withdrawal_is_not(
    reservation: Reservation, mentor: Any, admin: Any, now: Any
) -> None:
    decide_reservation(reservation.pk, is_granted=False, answer="No room", actor=admin, now=now)
    assert told(mentor) == ["reservation.refused"]
    Reservation.objects.update(state="requested")
    withdraw_reservation(reservation.pk, actor=mentor, now=now)
    assert told(mentor) == ["reservation.refused"]


def test_a_slot_asked_back_and_kept_is_told_once_each(lease: Lease, intern: Any, now: Any) -> None:
    by = now + timedelta(minutes=5)
    for _ in range(2):
        services._ask_back(policy.Reclaim(lease.pk, by=by, reason="It is needed.", request=None), now=now)
    for _ in range(2):
        services._let_stay(lease.pk, now=now + timedelta(minutes=1))
    assert told(intern) == ["lease.asked_back", "lease.kept"]
    assert "10:05" in Notice.objects.get(kind="lease.asked_back").subject


@pytest.mark.parametrize(("waited", "kinds"), [(1, []), (3, ["session.ready"])])
def test_a_notebook_that_is_ready_is_told_after_a_long_wait(
    session: Session, intern: Any, now: Any, waited: int, kinds: list[str]
) -> None:
    lifecycle.mark_ready(session, token=1, now=now + timedelta(minutes=waited))
    assert told(intern) == kinds


@pytest.mark.parametrize(
    ("announced", "by_intern", "kinds"),
    [(True, False, ["session.stopped"]), (True, True, []), (False, False, []), (False, True, [])],
)
def test_a_stop_by_the_platform_is_told_and_ones_own_is_not(
    session: Session, intern: Any, now: Any, announced: bool, by_intern: bool, kinds: list[str]
) -> None:
    lifecycle.mark_ready(session, token=1, now=now)
    if announced:
        lifecycle.announce(session, stop_at=now + timedelta(minutes=5), now=now)
    session = Session.objects.get()
    actor = intern if by_intern else None
    lifecycle.begin_stop(session, reason="Nothing ran.", actor=actor, now=now + timedelta(minutes=5))
    assert told(intern) == kinds


def test_a_decision_is_told_and_told_again_after_it_was_taken_back(
    internship: Any, mentor: Any, intern: Any, hand_in: Any, now: Any
) -> None:
    submission = hand_in(internship, number=1, value=0.9)
    for minutes in (0, 2):
        at = now + timedelta(minutes=minutes)
        decide(mentor, submission=submission, decision="changes", rubric={}, summary="Shorter, please.", now=at)
        if not minutes:
            undo(mentor, submission=submission, now=at + timedelta(minutes=1))
    assert told(intern) == ["review.decided", "review.decided"]


@pytest.mark.parametrize(("waited", "kinds"), [(2, []), (3, ["run.scored"])])
def test_a_score_that_took_long_is_told(
    internship: Any, intern: Any, hand_in: Any, waited: int, kinds: list[str]
) -> None:
    hand_in(internship, number=1, value=0.9)
    run = Run.objects.select_related("submission__version__project", "submission__internship").get()
    for _ in range(2):
        evaluation_telling.ended(run, now=run.queued_at + timedelta(minutes=waited))
    assert told(intern) == kinds


def test_a_baseline_that_took_long_is_nobodys_news(hand_in: Any, version: Any) -> None:
    hand_in(None, number=1, value=0.5, version=version)
    run = Run.objects.select_related("submission").get()
    evaluation_telling.ended(run, now=run.queued_at + HOUR)
    assert not Notice.objects.exists()

"""Estimates on rows, on the pages that show them, and judged on the admin's page."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils.timezone import localtime

from practicum.accounts.models import User
from practicum.gpus import tasks
from practicum.gpus.estimate_selectors import calibration, estimate_sentence
from practicum.gpus.estimate_words import COMING, LONG, UNKNOWN, sentence
from practicum.gpus.estimating import EVERY, judged, past_of
from practicum.gpus.models import Estimate, Lease, Reservation, Slot
from practicum.lib.clock import utc_now
from tests.unit.gpus.conftest import lease_on, make_slots
from tests.unit.gpus.past import MINUTE, fill_past, make_lease, make_people

HOUR = timedelta(hours=1)


@pytest.fixture
def line(slot: Slot, cohort: Any, intern: Any, peer: Any, now: datetime) -> Lease:
    """One GPU, held by the intern for an hour; forty leases of the past; the peer waits."""
    fill_past(40, slots=[slot], people=make_people(6), cohorts=[cohort], until=now - 3 * HOUR)
    lease_on(slot, intern, now=now - HOUR)
    return make_lease(peer, asked=now - MINUTE, wait=None, cohort=cohort)


def promise(lease: Lease, *, at: datetime, half: float = 10, most: float = 30, waited: float | None = None) -> Estimate:
    """What was promised first to a lease, in minutes, and corrected by nothing."""
    if waited is not None:
        Lease.objects.filter(pk=lease.pk).update(granted_at=at + MINUTE * waited)
    p50, p90 = at + MINUTE * half, at + MINUTE * most
    return Estimate.objects.create(
        lease=lease, made_at=at, p50_at=p50, p90_at=p90, first_made_at=at, first_p50_at=p50, first_p90_at=p90,
        first_forecast_p50_at=p50, first_forecast_p90_at=p90,
    )  # fmt: skip


def test_the_worker_gives_everybody_in_line_an_estimate(line: Lease, now: datetime) -> None:
    assert tasks.estimate(now) == 1
    row = Estimate.objects.get(lease=line)
    assert row.p50_at is not None
    assert row.p90_at is not None
    assert now < row.p50_at <= row.p90_at
    assert (row.first_p50_at, row.first_p90_at, row.first_made_at) == (row.p50_at, row.p90_at, row.made_at)


def test_it_does_so_at_most_every_fifteen_seconds(line: Lease, now: datetime) -> None:
    assert [tasks.estimate(now + timedelta(seconds=after)) for after in (0, 5, 14, 16)] == [1, 0, 0, 1]


def test_the_first_promise_is_never_overwritten(line: Lease, now: datetime) -> None:
    tasks.estimate(now)
    first = Estimate.objects.values("first_made_at", "first_p50_at", "first_p90_at", "first_forecast_p90_at").get()
    Lease.objects.filter(state="active").update(reclaim_at=now + 2 * MINUTE)
    tasks.estimate(now + EVERY)
    row = Estimate.objects.get()
    assert Estimate.objects.values(*first).get() == first
    assert row.made_at == now + EVERY
    assert row.p90_at is not None
    assert row.p90_at < first["first_p90_at"]


def test_nobody_in_line_costs_one_query(slot: Slot, now: datetime, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        assert tasks.estimate(now) == 0


def test_the_cost_in_queries_does_not_grow_with_the_line(
    line: Lease, cohort: Any, now: datetime, django_assert_max_num_queries: Any
) -> None:
    for person in _more_people(20):
        make_lease(person, asked=now - MINUTE, wait=None, cohort=cohort)
    with django_assert_max_num_queries(14):
        assert tasks.estimate(now) == 21


def _more_people(count: int) -> list[User]:
    return list(
        User.objects.bulk_create(
            User(username=f"q{n}", email=f"q{n}@example.org", name=f"Waiting {n}", role="intern") for n in range(count)
        )
    )


def test_where_too_few_sessions_ended_nothing_is_promised(slot: Slot, intern: Any, peer: Any, now: datetime) -> None:
    lease_on(slot, intern, now=now)
    waiting = make_lease(peer, asked=now, wait=None)
    assert tasks.estimate(now) == 0
    assert estimate_sentence(waiting, now=now) == UNKNOWN


def test_a_reservation_is_in_the_promise(line: Lease, other_cohort: Any, admin: Any, now: datetime) -> None:
    ends = now + 9 * HOUR
    Reservation.objects.create(
        cohort=other_cohort, pool=Slot.objects.get().pool, slots=1, starts_at=now + MINUTE, ends_at=ends,
        state="granted", requested_by=admin, requested_at=now,
    )  # fmt: skip
    tasks.estimate(now)
    row = Estimate.objects.get()
    assert row.p50_at is None or row.p50_at >= ends


def test_the_past_is_what_was_seen_of_lengths_and_who_came(line: Lease, cohort: Any, now: datetime) -> None:
    pool = Slot.objects.get().pool_id
    past = past_of({line.pk: pool}, now=now)
    assert len(past.lengths["session", cohort.pk]) == 40
    lately = {(one.cohort, one.pool): one for one in past.arrivals}
    assert line.user_id in lately[cohort.pk, pool].users
    assert lately[cohort.pk, pool].per_hour == pytest.approx(len(_recent(cohort, now)) / 6)


def _recent(cohort: Any, now: datetime) -> Any:
    return Lease.objects.filter(cohort=cohort, requested_at__gt=now - 6 * HOUR)


@pytest.mark.parametrize(
    ("state", "closed_after", "is_judged"),
    [("queued", None, True), ("cancelled", 20, False), ("cancelled", 40, True)],
    ids=["still waits past its p90", "left before its p90", "left after its p90"],
)
def test_who_did_not_start_counts_once_the_promise_was_broken(
    peer: Any, now: datetime, db: None, state: str, closed_after: int | None, *, is_judged: bool
) -> None:
    asked = now - HOUR
    lease = make_lease(peer, asked=asked, wait=None, state=state)
    if closed_after is not None:
        Lease.objects.filter(pk=lease.pk).update(closed_at=asked + MINUTE * closed_after)
    promise(lease, at=asked)
    assert judged(now=now).exists() is is_judged
    assert not judged(now=asked + 29 * MINUTE).filter(lease__closed_at__isnull=True).exists()


def test_promises_that_were_too_short_stretch_the_next(line: Lease, cohort: Any, now: datetime) -> None:
    tasks.estimate(now)
    plain = Estimate.objects.get()
    plain.delete()
    for number, past in enumerate(Lease.objects.filter(state="released")):
        promise(past, at=past.requested_at, half=1, most=2, waited=8 + number % 3)
    tasks.estimate(now + EVERY)
    row = Estimate.objects.get(lease=line)
    assert row.p90_at is not None
    assert row.first_forecast_p90_at is not None
    assert row.p90_at - now > 2 * (row.first_forecast_p90_at - now)


# --- Words and pages ---


def words(now: datetime, half: float | None, most: float | None, *, age: float = 0) -> str:
    at = [None if minutes is None else now + MINUTE * minutes for minutes in (half, most)]
    row = Estimate(made_at=now - timedelta(seconds=age), p50_at=at[0], p90_at=at[1])
    return sentence(row, is_enough_known=True, now=now)


def test_an_estimate_is_said_in_plain_sentences(now: datetime) -> None:
    assert words(now, 20, 65).startswith("Half of people like you start by ")
    assert ", nine in ten by " in words(now, 20, 65)
    assert words(now, 5, 5).startswith("Nine in ten people like you start by ")
    assert words(now, 5, None).endswith("some wait longer than a day.")
    assert words(now, None, None) == LONG
    assert "late with a new one" in words(now, 5, 9, age=200)
    assert sentence(None, is_enough_known=False, now=now) == UNKNOWN
    assert sentence(None, is_enough_known=True, now=now) == COMING


def test_times_are_by_the_sites_clock_rounded_up_with_the_day_where_it_is_another(settings: Any, now: datetime) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    moment = datetime(2026, 3, 18, 10, 0, 30, tzinfo=now.tzinfo)
    row = Estimate(made_at=moment, p50_at=moment + MINUTE, p90_at=moment + 24 * HOUR)
    assert sentence(row, is_enough_known=True, now=moment) == (
        "Half of people like you start by 11:02, nine in ten by Thu 11:01."
    )


def test_the_admin_sees_the_estimates_in_the_line(
    slot: Slot, intern: Any, peer: Any, admin: Any, client_of: Any
) -> None:
    now = utc_now()
    lease_on(slot, intern, now=now)
    lease = make_lease(peer, asked=now, wait=None)
    assert "not known yet" in client_of(admin).get("/gpus/").content.decode()
    row = promise(lease, at=now, half=20, most=65)
    page = client_of(admin).get("/gpus/").content.decode()
    for moment in (row.p50_at, row.p90_at):
        assert moment is not None
        assert f">{localtime(moment):%a %H:%M}</td>" in page


def test_the_page_of_estimates_says_how_often_they_held(slot: Slot, cohort: Any, admin: Any, client_of: Any) -> None:
    now = utc_now()
    fill_past(20, slots=[slot], people=make_people(4), cohorts=[cohort], until=now - HOUR)
    for number, lease in enumerate(Lease.objects.all()):
        promise(lease, at=lease.requested_at, waited=5 if number < 9 else 20 if number < 18 else 50)
    page = client_of(admin).get("/gpus/estimates/").content.decode()
    assert '"kind": "promises"' in page
    for piece in ("All", cohort.name, "45 %", "90 %", "(70 to 97)", "that begins with 30"):
        assert piece in page
    past = calibration(now=now)
    assert [(group.name, group.half.kept, group.most.kept) for group in past.groups] == [
        ("All", 9, 18), (cohort.name, 9, 18),
    ]  # fmt: skip


def test_without_any_case_the_page_says_so(db: None, admin: Any, client_of: Any) -> None:
    assert "No estimate was put to the test yet" in client_of(admin).get("/gpus/estimates/").content.decode()


def test_the_page_asks_as_many_questions_for_many_as_for_few(
    cohort: Any, admin: Any, client_of: Any, django_assert_max_num_queries: Any, db: None
) -> None:
    now = utc_now()
    fill_past(300, slots=make_slots(4), people=make_people(9), cohorts=[cohort, None], until=now - HOUR)
    for lease in Lease.objects.filter(requested_at__gt=now - timedelta(days=20)):
        promise(lease, at=lease.requested_at)
    client = client_of(admin)
    client.get("/gpus/estimates/")
    with django_assert_max_num_queries(7):
        client.get("/gpus/estimates/")

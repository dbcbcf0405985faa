"""Estimates as the rules make them, on small pools whose future is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from practicum.gpus.estimates import (
    FEWEST_LENGTHS,
    MOST_SAMPLES,
    Arrivals,
    Forecast,
    Past,
    estimate,
    moment_after,
    quantile,
    samples_for,
)
from practicum.gpus.facts import EVALUATION, SESSION, Holding, Quota, Request, Reservation, Slot, Snapshot

NOW = datetime(2026, 3, 18, 10, 0, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
SAMPLES = 40


def slots(count: int) -> tuple[Slot, ...]:
    return tuple(Slot(n, 1, "alpha", n, True) for n in range(count))


def holding(number: int, *, age: timedelta = HOUR, cohort: int = 1, until: timedelta = 8 * HOUR) -> Holding:
    """On slot ``number``."""
    name = UUID(int=1000 + number)
    return Holding(name, 1000 + number, cohort, 1, SESSION, (number,), NOW - age, NOW + until)


def request(number: int, *, cohort: int = 1, purpose: str = SESSION) -> Request:
    asked = NOW - timedelta(seconds=60 - number)
    return Request(UUID(int=2000 + number), 2000 + number, cohort, 1, purpose, asked)


def lasting(*lengths: timedelta, cohort: int = 1) -> Past:
    """Leases were seen to last so long, each often enough to count."""
    return Past({(SESSION, cohort): lengths * 30})


def look(snapshot: Snapshot, past: Past, *, seed: int = 1) -> list[Forecast]:
    """The forecasts in the order of the requests."""
    found = estimate(snapshot, past=past, now=NOW, seed=seed, samples=SAMPLES)
    return [found[one.id] for one in snapshot.requests]


def waits(forecast: Forecast) -> tuple[timedelta, timedelta]:
    assert forecast.p50 is not None
    assert forecast.p90 is not None
    return forecast.p50, forecast.p90


def test_who_waits_starts_when_a_holding_of_known_length_ends() -> None:
    half, most = waits(look(Snapshot(slots(1), (request(0),), (holding(0),)), lasting(2 * HOUR))[0])
    assert half == most
    assert HOUR <= half <= HOUR * 1.06


def test_the_second_in_line_waits_for_the_first_too() -> None:
    first, second = look(Snapshot(slots(1), (request(0), request(1)), (holding(0),)), lasting(2 * HOUR))
    assert waits(first)[0] + 1.9 * HOUR <= waits(second)[0]


def test_only_lengths_above_a_holdings_age_are_drawn() -> None:
    old = Snapshot(slots(1), (request(0),), (holding(0, age=3 * HOUR),))
    half, most = waits(look(old, lasting(10 * MINUTE, HOUR, 4 * HOUR))[0])
    assert HOUR <= half <= most <= HOUR * 1.06


def test_a_lease_older_than_all_that_were_seen_goes_on_to_its_end() -> None:
    old = Snapshot(slots(1), (request(0),), (holding(0, age=6 * HOUR, until=5 * HOUR),))
    assert 5 * HOUR <= waits(look(old, lasting(HOUR))[0])[0] <= 5.3 * HOUR


@pytest.mark.parametrize(
    ("change", "at_most"),
    [
        ({"until": NOW + 20 * MINUTE}, 21 * MINUTE),
        ({"reclaim_at": NOW + 2 * MINUTE}, 3 * MINUTE),
        ({"is_draining": True}, MINUTE),
    ],
    ids=["its lease ends", "it was asked back", "it is stopping"],
)
def test_a_known_end_cuts_what_is_drawn(change: dict[str, object], at_most: timedelta) -> None:
    held = replace(holding(0), **change)  # type: ignore[arg-type]
    assert waits(look(Snapshot(slots(1), (request(0),), (held,)), lasting(4 * HOUR))[0])[1] <= at_most


def test_a_cohort_with_few_lengths_of_its_own_is_judged_by_all() -> None:
    past = Past({(SESSION, 1): (7 * HOUR,) * 3, (SESSION, 2): (2 * HOUR,) * 200})
    assert waits(look(Snapshot(slots(1), (request(0),), (holding(0),)), past)[0])[0] <= HOUR * 1.06


def test_too_little_seen_gives_no_estimate() -> None:
    snapshot = Snapshot(slots(1), (request(0),), (holding(0),))
    few = Past({(SESSION, 1): (HOUR,) * (FEWEST_LENGTHS - 1)})
    assert estimate(snapshot, past=few, now=NOW, seed=1) == {}


def test_beyond_the_horizon_nothing_is_said() -> None:
    snapshot = Snapshot(slots(1), (request(0),), (holding(0, until=90 * HOUR),))
    forecast = look(snapshot, lasting(60 * HOUR))[0]
    assert (forecast.p50, forecast.p90) == (None, None)


def test_a_pool_that_is_offline_promises_nothing() -> None:
    off = tuple(replace(slot, is_usable=False) for slot in slots(2))
    assert look(Snapshot(off, (request(0),), ()), lasting(HOUR))[0].p90 is None


@pytest.mark.parametrize("purpose", [SESSION, EVALUATION])
def test_a_known_reservation_is_never_hidden(purpose: str) -> None:
    """The slot comes free in the middle of what is booked for others: nobody else starts before its end."""
    booked = Reservation(1, 2, 1, 1, NOW + 30 * MINUTE, NOW + 3 * HOUR)
    open_end = Snapshot(slots(1), (request(0, purpose=purpose),), (holding(0, until=HOUR),))
    closed = replace(open_end, reservations=(booked,))
    past = lasting(9 * HOUR)
    assert waits(look(open_end, past)[0])[1] <= 1.1 * HOUR
    assert waits(look(closed, past)[0])[0] >= 3 * HOUR


def test_of_a_reservation_for_a_part_of_the_pool_the_rest_is_promised() -> None:
    booked = Reservation(1, 2, 1, 1, NOW + 30 * MINUTE, NOW + 3 * HOUR)
    held = (holding(0, until=HOUR), holding(1, until=HOUR))
    snapshot = Snapshot(slots(2), (request(0), request(1)), held, reservations=(booked,))
    first, second = look(snapshot, lasting(9 * HOUR))
    assert waits(first)[1] <= 1.1 * HOUR
    assert waits(second)[0] >= 3 * HOUR


def test_a_reservation_for_ones_own_cohort_is_no_hindrance() -> None:
    booked = Reservation(1, 1, 1, 1, NOW + 30 * MINUTE, NOW + 3 * HOUR)
    held = holding(0, cohort=2)
    snapshot = Snapshot(slots(1), (request(0),), (held,), reservations=(booked,))
    assert waits(look(snapshot, lasting(9 * HOUR, cohort=2))[0])[1] <= 35 * MINUTE


def test_who_is_within_a_guarantee_gets_a_borrowed_slot_back_within_the_grace() -> None:
    snapshot = Snapshot(slots(1), (request(0),), (holding(0, cohort=2),), (Quota(1, 1, guaranteed=1),))
    assert waits(look(snapshot, lasting(9 * HOUR, cohort=2))[0])[1] <= 3 * MINUTE


def test_a_guaranteed_cohort_that_keeps_coming_makes_borrowers_wait_longer() -> None:
    quota = (Quota(2, 1, guaranteed=1),)
    snapshot = Snapshot(slots(1), (request(0),), (holding(0, cohort=2),), quota)
    past = Past({(SESSION, 2): (2 * HOUR,) * 40})
    coming = replace(past, arrivals=(Arrivals(2, 1, SESSION, per_hour=2.0, users=tuple(range(3000, 3020))),))
    assert waits(look(snapshot, past)[0])[1] <= 1.1 * HOUR
    busy = look(snapshot, coming)[0]
    assert busy.p90 is None or busy.p90 >= 2 * HOUR


worlds = st.builds(
    lambda number, line, ages, borrowed: Snapshot(
        slots(number),
        tuple(request(n, cohort=1 + n % 2) for n in range(line)),
        tuple(
            holding(n, age=ages[n % len(ages)] * MINUTE, cohort=1 + (n % 2 if borrowed else 0)) for n in range(number)
        ),
        (Quota(1, 1, guaranteed=number // 2),) if borrowed else (),
    ),
    st.integers(1, 4),
    st.integers(1, 6),
    st.lists(st.integers(1, 300), min_size=1, max_size=4),
    st.booleans(),
)
pasts = st.lists(st.integers(2, 400), min_size=FEWEST_LENGTHS, max_size=30).map(
    lambda minutes: Past({(SESSION, 1): tuple(MINUTE * m for m in minutes)})
)


@settings(max_examples=25, deadline=None)
@given(worlds, pasts, st.integers(0, 99))
def test_the_same_seed_gives_the_same_answer_and_p50_is_never_after_p90(
    snapshot: Snapshot, past: Past, seed: int
) -> None:
    found = estimate(snapshot, past=past, now=NOW, seed=seed, samples=12)
    assert found == estimate(snapshot, past=past, now=NOW, seed=seed, samples=12)
    assert found.keys() == {one.id for one in snapshot.requests}
    for forecast in found.values():
        half, most = (timedelta.max if wait is None else wait for wait in (forecast.p50, forecast.p90))
        assert timedelta(0) <= half <= most


@settings(max_examples=25, deadline=None)
@given(worlds, st.integers(5, 300))
def test_a_slot_more_never_makes_anybody_wait_longer(snapshot: Snapshot, minutes: int) -> None:
    """Lengths are all the same here, so that what is drawn does not depend on how many draws came before."""
    past = Past({(SESSION, cohort): (MINUTE * minutes,) * 20 for cohort in (1, 2)})
    snapshot = replace(snapshot, quotas=(), requests=tuple(replace(one, cohort=1) for one in snapshot.requests))
    snapshot = replace(snapshot, holdings=tuple(replace(one, cohort=1) for one in snapshot.holdings))
    more = replace(snapshot, slots=(*snapshot.slots, Slot(99, 1, "beta", 0, True)))
    for before, after in zip(look(snapshot, past), look(more, past), strict=True):
        for one, other in ((before.p50, after.p50), (before.p90, after.p90)):
            assert one is None or (other is not None and other <= one * 1.051 + MINUTE)


def test_fewer_futures_are_looked_at_where_each_costs_more() -> None:
    small, large = Snapshot(slots(8), (), ()), Snapshot(slots(2000), (), ())
    assert samples_for(small) == MOST_SAMPLES
    assert samples_for(large) < samples_for(Snapshot(slots(100), (), ())) < MOST_SAMPLES


def test_a_future_has_a_bounded_number_of_moments_and_none_is_early() -> None:
    moments = {moment_after(float(second)) for second in range(24 * 3600)}
    assert len(moments) < 130
    assert all(second <= moment_after(float(second)) <= second * 1.0501 + 30 for second in range(0, 24 * 3600, 7))


def test_quantiles_are_by_nearest_rank() -> None:
    some = [float(n) for n in range(1, 11)]
    assert quantile(some, 0.5) == timedelta(seconds=5)
    assert quantile(some, 0.9) == timedelta(seconds=9)
    assert quantile([1.0, float("inf")], 0.9) is None

"""What the rows say of a window, and the page and exports that show it."""

from __future__ import annotations

import csv
import io
import json
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from practicum.accounts.models import User
from practicum.gpus import history_views
from practicum.gpus.history import Choice, History, UseBucket, bounds_of, history_of
from practicum.gpus.history_export import COLUMNS
from practicum.gpus.history_rules import HOUR, window_of
from practicum.gpus.inventory import pool_of
from practicum.gpus.models import Lease, PoolKind, Quota, Slot
from practicum.lib.spreadsheet import safe_cell
from tests.unit.gpus.conftest import make_slots
from tests.unit.gpus.past import MINUTE, fill_past, make_lease, make_people


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    """The page is read at ``now``."""
    monkeypatch.setattr("practicum.gpus.history_views.utc_now", lambda: now)


def day(now: datetime, **more: Any) -> Choice:
    """The day up to now."""
    return Choice(window_of("day", back=0, now=now), **more)


def bucket(lease: Lease, *, at: datetime, measured: float, busy: float, idle: float = 0) -> UseBucket:
    """An hour of a lease as measured, in seconds."""
    return UseBucket(lease.pk, at, measured, busy, idle)


def by_name(history: History, series: str) -> dict[str, list[float]]:
    """Hours by a group's name."""
    return {group.name: hours for group, hours in getattr(history, series).items()}


# --- Held and used ---------------------------------------------------------------------------------------------------
def test_held_is_counted_by_hour_and_cohort(
    intern: Any, stranger: Any, cohort: Any, other_cohort: Any, now: datetime
) -> None:
    one, two = make_slots(2)
    # Now is 10:00; the window's last hour began now, so these are its hours 22 and 23 (08:00 and 09:00).
    make_lease(intern, cohort=cohort, slot=one, asked=now - 90 * MINUTE, held=60 * MINUTE)
    make_lease(stranger, cohort=other_cohort, slot=two, asked=now - 30 * MINUTE)
    make_lease(intern, slot=one, asked=now - 15 * MINUTE, held=10 * MINUTE, purpose="evaluation")

    past = history_of(day(now))

    held = by_name(past, "held")
    assert list(held) == ["Spring 2026", "Autumn 2026", "No cohort"]
    assert held["Spring 2026"][-3:] == pytest.approx([0.5, 0.5, 0])
    assert held["Autumn 2026"][-3:] == pytest.approx([0, 0.5, 0])
    assert held["No cohort"][-3:] == pytest.approx([0, 10 / 60, 0])
    assert past.held_hours == pytest.approx(1.5 + 10 / 60)
    assert past.capacity == 2


def test_used_is_unknown_where_nothing_was_measured(intern: Any, cohort: Any, slot: Slot, now: datetime) -> None:
    lease = make_lease(intern, cohort=cohort, slot=slot, asked=now - 3 * HOUR)
    other = bucket(Lease(id=UUID(int=1)), at=now - HOUR, measured=3600, busy=3600)

    past = history_of(day(now), use=[bucket(lease, at=now - 2 * HOUR, measured=3600, busy=900), other])

    assert past.used[-4:] == [None, 0.25, None, None]
    assert past.measured_hours == 1
    assert history_of(day(now)).used == [None] * 24


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        ([], (0.0, None, None)),
        ([(3600, 3600, 0)], (1.0, 0.0, 0.0)),
        ([(3600, 900, 0)], (1.0, 0.75, 0.0)),
        ([(3600, 900, 1800)], (1.0, 0.75, 0.5)),
        ([(3600, 0, 3600), (1800, 1800, 0), (1800, 0, 0)], (2.0, 1.5, 1.0)),
        # At work by its processes where the GPU's percentage is not known: nothing is unused.
        ([(0, 1800, 0)], (0.0, 0.0, 0.0)),
    ],
)
def test_waste_is_what_was_measured_and_did_not_compute(
    intern: Any,
    cohort: Any,
    slot: Slot,
    now: datetime,
    measured: list[tuple[float, float, float]],
    expected: tuple[float, float | None, float | None],
) -> None:
    lease = make_lease(intern, cohort=cohort, slot=slot, asked=now - 4 * HOUR)
    use = [bucket(lease, at=now - HOUR, measured=known, busy=busy, idle=idle) for known, busy, idle in measured]

    (waste,) = history_of(day(now), use=use).people

    assert (waste.measured_hours, waste.unused_hours, waste.idle_held_hours) == expected
    assert (waste.person, waste.held_hours) == ("Ines Intern", 4.0)


# --- Waiting ---------------------------------------------------------------------------------------------------------
def test_waits_are_of_those_granted_in_the_window_and_the_others_are_counted(
    intern: Any, peer: Any, cohort: Any, slot: Slot, now: datetime
) -> None:
    asked = now - 10 * HOUR
    for minutes in (1, 2, 3, 40):
        make_lease(intern, cohort=cohort, slot=slot, asked=asked, wait=MINUTE * minutes, held=MINUTE)
    # Granted before the window, but held into it; gave up; still in line.
    make_lease(intern, cohort=cohort, slot=slot, asked=now - 40 * HOUR, wait=5 * HOUR, held=20 * HOUR)
    make_lease(peer, cohort=cohort, asked=now - HOUR, wait=None, held=30 * MINUTE)
    make_lease(peer, cohort=cohort, asked=now - 20 * MINUTE, wait=None)

    (waits,) = history_of(day(now)).waits

    assert (waits.granted, waits.waiting, waits.gave_up) == (4, 1, 1)
    assert (waits.half, waits.most, waits.longest) == (2 * MINUTE, 40 * MINUTE, 40 * MINUTE)


def test_people_in_line_are_counted_by_hour(intern: Any, peer: Any, cohort: Any, slot: Slot, now: datetime) -> None:
    make_lease(intern, cohort=cohort, slot=slot, asked=now - 60 * MINUTE, wait=30 * MINUTE, held=MINUTE)
    make_lease(peer, cohort=cohort, asked=now - 45 * MINUTE, wait=None)

    past = history_of(day(now))

    assert by_name(past, "waiting")["Spring 2026"][-2:] == pytest.approx([1.25, 0])
    assert past.most_waiting[-3:] == [0, 2, 0]


def test_looking_back_what_was_granted_later_was_still_in_line(
    intern: Any, cohort: Any, slot: Slot, now: datetime
) -> None:
    make_lease(intern, cohort=cohort, slot=slot, asked=now - 26 * HOUR, wait=20 * HOUR, held=HOUR)

    past = history_of(Choice(window_of("day", back=1, now=now)))

    assert past.waits[0].waiting == 1
    assert past.held_hours == 0
    assert by_name(past, "waiting")["Spring 2026"][-3:] == pytest.approx([1, 1, 1])


# --- Guarantees ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("asked_for", "missing"),
    [("the pool", 1.0), ("any", 1.0), ("another", 0.0)],
)
def test_a_wait_below_the_guarantee_is_a_guarantee_not_kept(
    intern: Any, peer: Any, cohort: Any, slot: Slot, now: datetime, asked_for: str, missing: float
) -> None:
    Quota.objects.create(cohort=cohort, pool=slot.pool, guaranteed=2)
    pools = {"the pool": slot.pool, "any": None, "another": pool_of(name="CPU slots", kind=PoolKind.CPU)}
    make_lease(intern, cohort=cohort, slot=slot, asked=now - 5 * HOUR)
    make_lease(peer, cohort=cohort, pool=pools[asked_for], asked=now - 62 * MINUTE, wait=None)

    (guarantee,) = history_of(day(now)).guarantees

    assert guarantee.slot_hours == pytest.approx(missing)
    if missing:
        assert [(moment.begins_at, moment.ends_at) for moment in guarantee.moments] == [(now - HOUR, now)]


def test_a_wait_of_another_cohort_is_not_ones_own(
    intern: Any, stranger: Any, cohort: Any, other_cohort: Any, slot: Slot, now: datetime
) -> None:
    Quota.objects.create(cohort=cohort, pool=slot.pool, guaranteed=1)
    make_lease(intern, cohort=cohort, slot=slot, asked=now - 5 * HOUR)
    make_lease(stranger, cohort=other_cohort, pool=slot.pool, asked=now - 5 * HOUR, wait=None)

    assert [each.slot_hours for each in history_of(day(now)).guarantees] == [0]


@pytest.mark.parametrize(
    ("from_on", "to_on", "expected"),
    [
        (None, None, ("17 11:00", "18 10:00")),
        (date(2026, 3, 18), None, ("18 00:00", "18 10:00")),
        (None, date(2026, 3, 17), ("17 11:00", "18 00:00")),
        (date(2026, 3, 1), date(2026, 3, 31), ("17 11:00", "18 10:00")),
        (date(2026, 3, 19), None, None),
        (None, date(2026, 3, 16), None),
    ],
)
def test_a_guarantee_is_judged_on_its_own_days(
    now: datetime, from_on: date | None, to_on: date | None, expected: tuple[str, str] | None
) -> None:
    found = bounds_of(Quota(from_on=from_on, to_on=to_on), window=window_of("day", back=0, now=now))
    assert (None if found is None else tuple(f"{moment:%d %H:%M}" for moment in found)) == expected


# --- Filters and the page --------------------------------------------------------------------------------------------
@pytest.fixture
def busy(cohort: Any, other_cohort: Any, now: datetime) -> list[Slot]:
    """A week of two cohorts on three GPUs and a CPU slot, with a guarantee."""
    slots = make_slots(3)
    cpu = pool_of(name="CPU slots", kind=PoolKind.CPU)
    slots.append(Slot.objects.create(server=slots[0].server, pool=cpu, kind="cpu", index=0, uuid="cpu-0", model="CPU"))
    fill_past(60, slots=slots, people=make_people(6), cohorts=[cohort, other_cohort], until=now)
    Quota.objects.create(cohort=cohort, pool=slots[0].pool, guaranteed=2)
    return slots


@pytest.mark.usefixtures("busy")
def test_the_page_shows_the_chosen_cohort_and_pool_alone(admin: Any, client_of: Any) -> None:
    page = client_of(admin).get("/gpus/history/?window=week&cohort=autumn&pool=cpu-slots").content.decode()
    assert "CPU slot 0" in page
    assert "GPU 0" not in page
    assert "Spring 2026:" not in page
    assert "Autumn 2026:" in page


def test_without_leases_the_page_says_so(admin: Any, client_of: Any) -> None:
    answer = client_of(admin).get("/gpus/history/")
    assert answer.status_code == 200
    assert "Nobody asked for a slot in this time" in answer.content.decode()


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("window=century", "Choose one of the three."),
        ("cohort=nobody", "There is no such cohort"),
        ("pool=nowhere", "There is no such pool"),
        ("back=soon", "How far back must be a whole number."),
        ("back=-1", "greater than or equal to 0"),
        ("back=100000", "less than or equal to 520"),
    ],
)
@pytest.mark.usefixtures("busy")
def test_a_wrong_choice_is_told_and_the_rest_is_shown(admin: Any, client_of: Any, query: str, told: str) -> None:
    client = client_of(admin)
    answer = client.get(f"/gpus/history/?{query}")
    assert answer.status_code == 400
    assert told in answer.content.decode()
    assert "Who held which slot" in answer.content.decode()
    for ending in ("csv", "json"):
        refused = client.get(f"/gpus/history.{ending}?{query}")
        assert refused.status_code == 400
        assert told in refused.content.decode()


@pytest.mark.usefixtures("busy")
def test_what_was_not_measured_is_said_and_what_was_is_shown(
    admin: Any, client_of: Any, monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    page = client_of(admin).get("/gpus/history/").content.decode()
    assert "was not measured" in page
    assert page.count('colspan="3">not measured') == 6

    lease = Lease.objects.filter(granted_at__lt=now - 2 * HOUR).order_by("-granted_at").first()
    assert lease is not None
    use = [bucket(lease, at=now - 2 * HOUR, measured=3600, busy=1800, idle=600)]
    monkeypatch.setattr(history_views, "measured_use", lambda window: use)
    page = client_of(admin).get("/gpus/history/").content.decode()
    assert "1.0 of them were measured, and in 0.5 of these something was computed" in page
    assert '<td class="num" data-label="Unused">0.5 h</td>' in page


def test_many_leases_cost_as_many_queries_as_few(
    busy: list[Slot], admin: Any, client_of: Any, cohort: Any, other_cohort: Any, now: datetime
) -> None:
    client = client_of(admin)
    client.get("/gpus/history/")
    counts = []
    for _ in range(2):
        for address in ("/gpus/history/", "/gpus/history.csv", "/gpus/history.json"):
            with CaptureQueriesContext(
                connection,
            ) as queries:
                b"".join(client.get(address))
            counts.append(len(queries))
        more = make_slots(10, server="beta") if not Slot.objects.filter(server__name="beta").exists() else []
        if more:
            people = list(User.objects.filter(role="intern"))
            fill_past(300, slots=more, people=people, cohorts=[cohort, other_cohort], until=now)
            Quota.objects.create(cohort=other_cohort, pool=more[0].pool, guaranteed=2)
    assert counts[:3] == counts[3:]
    assert max(counts) <= 9


# --- Exports ---------------------------------------------------------------------------------------------------------
@pytest.mark.usefixtures("busy")
def test_the_csv_has_a_line_a_lease_with_the_documented_columns(admin: Any, client_of: Any) -> None:
    answer = client_of(admin).get("/gpus/history.csv?window=day")

    assert answer.streaming
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith(
        'attachment; filename="practicum-gpus-day-to-2026-03-18.csv"'
    )
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    rows = list(csv.DictReader(io.StringIO(b"".join(answer).decode())))
    assert list(rows[0]) == [column.name for column in COLUMNS]
    told = {row["lease"]: row for row in rows}
    expected = Lease.objects.filter(closed_at__gt=datetime.fromisoformat("2026-03-17T11:00:00+00:00"))
    assert set(told) == {str(lease.pk) for lease in expected}
    lease = expected.order_by("-granted_at").select_related("user", "slot__pool", "slot__server")[0]
    row = told[str(lease.pk)]
    assert (row["person"], row["server"], row["slot"]) == (lease.user.username, "alpha", lease.slot.label)
    assert row["pool"] == lease.slot.pool.slug
    assert float(row["held_seconds"]) == pytest.approx((lease.closed_at - lease.granted_at).total_seconds(), abs=0.1)
    assert row["busy_seconds"] == ""


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=cmd|'/c calc'!A0", "'=cmd|'/c calc'!A0"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("\n=1", "'\n=1"),
        ("＝1", "'＝1"),
        ("ines", "ines"),
        ("", ""),
        (None, ""),
        (0.0, 0.0),
        (True, 1),
        (False, 0),
    ],
)
def test_no_cell_is_a_formula(value: Any, cell: Any) -> None:
    assert safe_cell(value) == cell


def test_a_name_that_is_a_formula_is_harmless_in_the_csv(
    cohort: Any, slot: Slot, admin: Any, client_of: Any, now: datetime
) -> None:
    (person,) = make_people(1)
    type(person).objects.filter(pk=person.pk).update(username="=HYPERLINK(1)")
    make_lease(person, cohort=cohort, slot=slot, asked=now - HOUR)
    (row,) = csv.DictReader(io.StringIO(b"".join(client_of(admin).get("/gpus/history.csv")).decode()))
    assert row["person"] == "'=HYPERLINK(1)"


@pytest.mark.usefixtures("busy")
def test_the_json_says_the_same_with_its_units(admin: Any, client_of: Any, now: datetime) -> None:
    client = client_of(admin)
    answer = client.get("/gpus/history.json?window=week")

    assert answer.streaming
    told = json.loads(b"".join(answer))

    past = history_of(Choice(window_of("week", back=0, now=now)))
    lines = list(csv.DictReader(io.StringIO(b"".join(client.get("/gpus/history.csv?window=week")).decode())))
    assert [row["lease"] for row in told["leases"]] == [row["lease"] for row in lines]
    assert told["columns"]["held_seconds"]["unit"] == "seconds"
    assert set(told["columns"]) == set(told["leases"][0])
    assert sum(row["held_seconds"] or 0 for row in told["leases"]) / 3600 == pytest.approx(past.held_hours, abs=0.01)
    assert sum(map(sum, told["hours"]["held"].values())) == pytest.approx(past.held_hours, abs=0.01)
    assert told["hours"]["used"] == [None] * 168
    assert told["window"]["cohort"] is None
    assert [each["missing_slot_hours"] for each in told["guarantees"]] == [
        pytest.approx(each.slot_hours, abs=0.001) for each in past.guarantees
    ]


def test_an_empty_window_is_valid_json_and_csv(admin: Any, client_of: Any) -> None:
    client = client_of(admin)
    assert json.loads(b"".join(client.get("/gpus/history.json")))["leases"] == []
    assert b"".join(client.get("/gpus/history.csv")).decode().splitlines() == [",".join(c.name for c in COLUMNS)]


def test_a_lane_says_its_leases_and_hatches_what_is_borrowed(
    intern: Any, cohort: Any, slot: Slot, admin: Any, client_of: Any, now: datetime
) -> None:
    make_lease(intern, cohort=cohort, slot=slot, asked=now - 6 * HOUR, held=HOUR)
    make_lease(intern, cohort=cohort, slot=slot, asked=now - 3 * HOUR, held=HOUR, is_borrowed=True)
    make_lease(
        intern, cohort=cohort, slot=slot, asked=now - 2 * HOUR + timedelta(seconds=1), held=HOUR, is_borrowed=True
    )

    page = client_of(admin).get("/gpus/history/?window=day").content.decode()

    assert "Spring 2026: Ines Intern, Wed 18 Mar 04:00 to Wed 18 Mar 05:00</title>" in page
    assert "Spring 2026: 2 leases, Wed 18 Mar 07:00 to Wed 18 Mar 09:00, borrowed</title>" in page
    assert 'aria-label="GPU 0 · H100 on alpha: Spring 2026 3.0 h, free 20.0 h"' in page
    assert page.count('<rect fill="url(#hatch)" x=') == 1


def test_what_is_borrowed_is_never_drawn_as_one_with_what_is_not(
    intern: Any, cohort: Any, slot: Slot, admin: Any, client_of: Any, now: datetime
) -> None:
    make_lease(intern, cohort=cohort, slot=slot, asked=now - 3 * HOUR, held=HOUR, is_borrowed=True)
    make_lease(intern, cohort=cohort, slot=slot, asked=now - 2 * HOUR, held=HOUR)

    page = client_of(admin).get("/gpus/history/?window=day").content.decode()

    assert "Wed 18 Mar 07:00 to Wed 18 Mar 08:00, borrowed</title>" in page
    assert "Wed 18 Mar 08:00 to Wed 18 Mar 09:00</title>" in page


def test_a_slot_that_is_gone_is_shown_only_where_somebody_held_it(intern: Any, cohort: Any, now: datetime) -> None:
    there, gone_held, gone = make_slots(3)
    Slot.objects.exclude(pk=there.pk).update(is_present=False)
    make_lease(intern, cohort=cohort, slot=gone_held, asked=now - 3 * HOUR, held=HOUR)

    past = history_of(day(now))

    assert [lane.slot for lane in past.lanes] == [there, gone_held]
    assert gone not in [lane.slot for lane in past.lanes]
    assert past.capacity == 1


def test_hours_held_are_the_sum_of_the_leases_whatever_their_number(
    busy: list[Slot], cohort: Any, other_cohort: Any, now: datetime
) -> None:
    people = list(User.objects.filter(role="intern"))
    fill_past(2000, slots=make_slots(20, server="beta"), people=people, cohorts=[cohort, other_cohort], until=now)
    for name in ("day", "week", "four-weeks"):
        window = window_of(name, back=0, now=now)
        closed = Lease.objects.values_list("granted_at", "closed_at")
        summed = sum(max((min(end, now) - max(begin, window.first)) / HOUR, 0.0) for begin, end in closed)

        past = history_of(Choice(window))

        assert past.held_hours == pytest.approx(summed)
        assert sum(each.held_hours for each in past.people) == pytest.approx(summed)

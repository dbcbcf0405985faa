"""What an intern sees of their own slot and week."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from practicum.gpus.history_rules import HOUR
from practicum.gpus.mine import mine_this_week, week_of
from practicum.gpus.models import Quota, Reservation, Slot
from tests.unit.gpus.past import MINUTE, make_lease

# The test's now is a Wednesday, 10:00.
MONDAY = datetime(2026, 3, 16, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    """The page is read at ``now``."""
    monkeypatch.setattr("practicum.workspaces.views.utc_now", lambda: now)


@pytest.mark.parametrize(
    ("moment", "monday"),
    [
        (datetime(2026, 3, 16, 0, 0, tzinfo=UTC), MONDAY),
        (datetime(2026, 3, 18, 10, 0, tzinfo=UTC), MONDAY),
        (datetime(2026, 3, 22, 23, 59, tzinfo=UTC), MONDAY),
        (datetime(2026, 3, 23, 0, 0, tzinfo=UTC), MONDAY + timedelta(days=7)),
    ],
)
def test_a_week_begins_on_monday(moment: datetime, monday: datetime) -> None:
    assert week_of(moment) == monday


@pytest.mark.parametrize(
    ("granted", "held", "expected"),
    [
        (MONDAY + HOUR, 2 * HOUR, 2 * HOUR),
        (MONDAY - HOUR, 3 * HOUR, 2 * HOUR),
        (MONDAY - 3 * HOUR, 2 * HOUR, 0 * HOUR),
        (MONDAY - 3 * HOUR, 3 * HOUR, 0 * HOUR),
        (datetime(2026, 3, 18, 9, 30, tzinfo=UTC), None, 30 * MINUTE),
    ],
)
def test_only_this_weeks_part_is_counted(
    intern: Any, cohort: Any, slot: Slot, now: datetime, granted: datetime, held: timedelta | None, expected: timedelta
) -> None:
    make_lease(intern, cohort=cohort, slot=slot, asked=granted, held=held)
    assert mine_this_week(intern, now=now).held == expected


@pytest.mark.parametrize(
    ("guaranteed", "is_borrowed", "expected"), [(1, False, True), (1, True, False), (0, False, False)]
)
def test_guaranteed_is_what_is_neither_borrowed_nor_unpromised(
    intern: Any, cohort: Any, slot: Slot, now: datetime, guaranteed: int, is_borrowed: bool, expected: bool
) -> None:
    Quota.objects.create(cohort=cohort, pool=slot.pool, guaranteed=guaranteed)
    make_lease(intern, cohort=cohort, slot=slot, asked=now - HOUR, is_borrowed=is_borrowed)
    assert mine_this_week(intern, now=now).is_guaranteed is expected


def test_what_others_hold_is_not_mine(intern: Any, peer: Any, cohort: Any, slot: Slot, now: datetime) -> None:
    make_lease(peer, cohort=cohort, slot=slot, asked=now - HOUR)
    mine = mine_this_week(intern, now=now)
    assert (mine.lease, mine.held, mine.left) == (None, timedelta(), None)


@pytest.mark.usefixtures("internship")
@pytest.mark.parametrize(
    ("terms", "told"),
    [
        ({}, "From the slots that all cohorts share."),
        ({"quota": 2}, "Guaranteed to your cohort: nobody asks for it back before it ends."),
        ({"quota": 0}, "From the slots that all cohorts share."),
        (
            {"quota": 2, "is_borrowed": True},
            "Lent by another cohort while it does not need it; you would get 2 min notice.",
        ),
        ({"is_borrowed": True, "reclaim": 2}, "Its cohort needs it back: it ends at 10:02 at the latest."),
        ({"reserved": True}, "Reserved for your cohort until Wed 12:00."),
    ],
)
def test_the_terms_are_told_in_plain_words(
    intern: Any, mentor: Any, cohort: Any, slot: Slot, client_of: Any, now: datetime, terms: dict[str, Any], told: str
) -> None:
    more: dict[str, Any] = {"is_borrowed": terms.get("is_borrowed", False)}
    if "quota" in terms:
        Quota.objects.create(cohort=cohort, pool=slot.pool, guaranteed=terms["quota"])
    if "reclaim" in terms:
        more["reclaim_at"] = now + MINUTE * terms["reclaim"]
    if "reserved" in terms:
        more["reservation"] = Reservation.objects.create(
            cohort=cohort, pool=slot.pool, slots=1, starts_at=now - HOUR, ends_at=now + 2 * HOUR, state="granted",
            requested_by=mentor, requested_at=now - 2 * HOUR,
        )  # fmt: skip
    make_lease(intern, cohort=cohort, slot=slot, asked=now - HOUR, **more)

    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", client_of(intern).get("/notebook/").content.decode()))

    assert told in text
    assert "since Wed 09:00, until Wed 21:00 at the latest (11 h left)" in text
    assert "1 h since Monday" in text


@pytest.mark.usefixtures("internship")
@pytest.mark.parametrize(("of_quota", "hours"), [(None, 12), (4, 4), (24, 12)])
def test_the_longest_session_is_the_shorter_of_cohorts_and_quotas(
    intern: Any, cohort: Any, slot: Slot, now: datetime, of_quota: int | None, hours: int
) -> None:
    Quota.objects.create(cohort=cohort, pool=slot.pool, session_hours=of_quota)
    assert mine_this_week(intern, now=now).longest == 12 * HOUR
    make_lease(intern, cohort=cohort, slot=slot, asked=now - HOUR)
    assert mine_this_week(intern, now=now).longest == hours * HOUR


def test_it_costs_as_much_for_many_leases_as_for_one(intern: Any, cohort: Any, slot: Slot, now: datetime) -> None:
    counts = []
    for count in (1, 20):
        for number in range(count):
            make_lease(intern, cohort=cohort, slot=slot, asked=now - HOUR - MINUTE * number, held=MINUTE)
        with CaptureQueriesContext(connection) as queries:
            mine_this_week(intern, now=now)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 4


@pytest.mark.usefixtures("internship")
def test_who_holds_nothing_is_told_so(intern: Any, client_of: Any) -> None:
    page = client_of(intern).get("/notebook/").content.decode()
    assert "You hold none now." in page
    assert "12 h" in page

"""Minutes at the desk: told twice they count once, never more than has passed, and summed for the admin."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from practicum.errors import Invalid, NotFound
from practicum.reviews import minutes, services
from practicum.reviews.models import DeskVisit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("unrendered")]
HOUR = timedelta(hours=1)


def tell(mentor: Any, submission: Any, *, at: datetime, seconds: int, opening: str) -> int:
    return minutes.tell(mentor, submission=submission, opening=opening, seconds=seconds, now=at)


def opened(mentor: Any, submission: Any, at: datetime) -> str:
    return minutes.opening_of(mentor, submission=submission, now=at)


def sit(mentor: Any, submission: Any, *, seconds: int, until: datetime) -> None:
    """One opening of the desk of so many seconds."""
    opening = opened(mentor, submission, until - timedelta(seconds=seconds))
    tell(mentor, submission, at=until, seconds=seconds, opening=opening)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([(0, 0), (15, 15), (30, 30)], 30),
        ([(0, 0), (30, 30), (30, 30), (31, 15)], 30),
        ([(0, 900)], 2),
        ([(0, 0), (60, 999_999)], 62),
        ([(0, 0), (9 * 3600, 9 * 3600)], 4 * 3600),
    ],
    ids=["growing", "twice and late", "from nowhere", "more than passed", "more than a sitting"],
)
def test_what_counts_of_what_is_told(
    told: list[tuple[int, int]], expected: int, submission: Any, mentor: Any, now: datetime
) -> None:
    opening = opened(mentor, submission, now)
    for after, seconds in told:
        tell(mentor, submission, at=now + timedelta(seconds=after), seconds=seconds, opening=opening)
    assert DeskVisit.objects.get().seconds == expected
    assert minutes.spent_on([submission], mentor=mentor)[submission.pk] == timedelta(seconds=expected)


def test_two_openings_add_up(submission: Any, mentor: Any, now: datetime) -> None:
    sit(mentor, submission, seconds=100, until=now)
    sit(mentor, submission, seconds=50, until=now + HOUR)
    assert minutes.spent_on([submission], mentor=mentor)[submission.pk] == timedelta(seconds=150)


@pytest.mark.parametrize("who", ["other_mentor", "admin", "intern", "peer"])
def test_nobody_elses_time_is_counted(who: str, submission: Any, mentor: Any, now: datetime, request: Any) -> None:
    with pytest.raises(NotFound):
        tell(request.getfixturevalue(who), submission, at=now, seconds=5, opening=opened(mentor, submission, now))


def test_an_opening_stays_with_its_submission(
    submission: Any, peer_internship: Any, hand_in: Any, mentor: Any, now: datetime
) -> None:
    theirs = hand_in(peer_internship)
    with pytest.raises(Invalid):
        tell(mentor, theirs, at=now, seconds=0, opening=opened(mentor, submission, now))


@pytest.mark.parametrize("forged", ["", "x", "1" * 100])
def test_an_opening_is_one_of_ours(forged: str, submission: Any, mentor: Any, now: datetime) -> None:
    real = opened(mentor, submission, now)
    for opening in (forged, real + forged + "x", real.swapcase()):
        with pytest.raises(Invalid):
            tell(mentor, submission, at=now, seconds=0, opening=opening)


def decide(mentor: Any, submission: Any, at: datetime) -> None:
    services.decide(mentor, submission=submission, decision="changes", rubric={}, summary="x", now=at)


def test_the_sums_are_of_what_was_decided(
    internship: Any, peer_internship: Any, stranger_internship: Any, hand_in: Any, mentor: Any, now: datetime
) -> None:
    first, theirs = hand_in(internship, ago=5 * HOUR), hand_in(peer_internship, ago=2 * HOUR)
    sit(mentor, first, seconds=600, until=now)
    sit(mentor, theirs, seconds=300, until=now)
    decide(mentor, first, now)
    decide(mentor, theirs, now)
    hand_in(internship, ago=HOUR)
    hand_in(stranger_internship, ago=3 * HOUR)
    own, others = minutes.lines_by_mentor(since=now - 24 * HOUR, now=now)
    assert (own.decided, own.spent, own.middle) == (2, timedelta(seconds=900), timedelta(seconds=450))
    assert (own.waited, own.waiting, own.longest) == (7 * HOUR, 1, HOUR)
    assert (others.decided, others.middle, others.waiting, others.longest) == (0, None, 1, 3 * HOUR)
    assert [line.decided for line in minutes.lines_by_mentor(since=now + HOUR, now=now)] == [0, 0]


def test_the_sums_take_as_many_queries_for_many(
    internship: Any, stranger_internship: Any, hand_in: Any, mentor: Any, other_mentor: Any, now: datetime
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            minutes.lines_by_mentor(since=now - HOUR, now=now)
        return len(captured)

    decide(mentor, hand_in(internship), now)
    few = queries()
    decide(other_mentor, hand_in(stranger_internship), now)
    hand_in(internship)
    assert queries() == few <= 4


def test_the_mentor_reads_own_minutes_and_the_admin_the_sums(
    submission: Any, mentor: Any, intern: Any, admin: Any, client_of: Any, now: datetime
) -> None:
    sit(mentor, submission, seconds=420, until=now)
    desk = reverse("reviews:desk", args=[submission.pk])
    assert "7 min at this desk" in client_of(mentor).get(desk).content.decode()
    assert "at this desk" not in client_of(intern).get(desk).content.decode()
    decide(mentor, submission, services.open_review(mentor, submission=submission, now=now).opened_at)
    assert "7 min" in client_of(mentor).get(reverse("reviews:inbox")).content.decode()
    page = client_of(admin).get(reverse("reviews:minutes")).content.decode()
    assert "Review time" in page


def test_the_page_tells_it(submission: Any, mentor: Any, client_of: Any) -> None:
    address = reverse("reviews:tell_minutes", args=[submission.pk])
    client = client_of(mentor)
    page = client.get(reverse("reviews:desk", args=[submission.pk])).content.decode()
    opening = page.partition('data-opening="')[2].partition('"')[0]
    assert client.post(address, {"opening": opening, "seconds": "0"}).json() == {"seconds": 0}
    for told in ("-5", "x", "9" * 30, ""):
        assert client.post(address, {"opening": opening, "seconds": told}).json()["seconds"] == 0
    assert client.post(address, {"opening": "x", "seconds": "1"}).status_code == 400

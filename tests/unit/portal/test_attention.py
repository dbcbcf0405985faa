"""The board of who needs attention: from real work, for the right people, in a fixed number of queries."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from practicum.gpus.models import Lease
from practicum.internships.check_ins import Note, check_in
from practicum.internships.models import Internship, Milestone
from practicum.portal.attention import rows_for
from practicum.reviews.models import Review
from practicum.submissions.models import Submission

NOTE = Note("Well.", "More.", "")
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch, now: Any) -> None:
    """The pages are read at ``now``."""
    for name, value in (("utc_now", now), ("localdate", now.date())):
        monkeypatch.setattr(f"practicum.portal.views.{name}", lambda value=value: value)


def signals(viewer: Any, *, now: Any) -> dict[str, list[str]]:
    return {
        row.internship.intern.username: [signal.kind for signal in row.signals] for row in rows_for(viewer, now=now)
    }


def test_who_never_began_is_told_of_with_what_is_late(internship: Any, mentor: Any, now: Any) -> None:
    assert signals(mentor, now=now) == {"ines": ["not-seen", "overdue", "no-check-in"]}


def test_work_and_a_check_in_take_signals_away_and_silence_of_the_mentor_brings_its_own(
    internship: Any, intern: Any, mentor: Any, hand_in: Any, now: Any
) -> None:
    Milestone.objects.update(reached_at=now)
    submission = hand_in(internship, number=1, value=0.9)
    Submission.objects.update(received_at=now)
    check_in(intern, internship=internship, note=NOTE, now=now)
    assert signals(mentor, now=now) == {"ines": []}

    later = now + 5 * DAY
    assert signals(mentor, now=later) == {"ines": ["not-seen", "review-waits", "silent-mentor"]}
    check_in(mentor, internship=internship, note=NOTE, now=now)
    Review.objects.create(submission=submission, mentor=mentor, state="accepted", opened_at=now, decided_at=now)
    assert signals(mentor, now=later) == {"ines": ["not-seen"]}


def test_scores_without_a_new_best_are_a_plateau(internship: Any, mentor: Any, hand_in: Any, now: Any) -> None:
    for number, value in enumerate((0.90, 0.85, 0.84), start=1):
        hand_in(internship, number=number, value=value)
    assert "plateau" not in signals(mentor, now=now)["ines"]

    hand_in(internship, number=4, value=0.83)

    assert "plateau" in signals(mentor, now=now)["ines"]


def test_time_in_line_counts_over_a_week(internship: Any, intern: Any, mentor: Any, now: Any) -> None:
    for days in (1, 2, 9):
        asked = now - days * DAY
        Lease.objects.create(
            user=intern, cohort=internship.cohort, state="released", duration=DAY, requested_at=asked,
            granted_at=asked + timedelta(hours=2), closed_at=asked + timedelta(hours=3),
        )  # fmt: skip

    (row,) = rows_for(mentor, now=now)

    assert "4 hours in line in a week." in [signal.words for signal in row.signals]


def test_a_mentor_sees_their_interns_an_admin_all_and_an_intern_their_own(
    internship: Any, peer_internship: Any, stranger_internship: Any, mentor: Any, admin: Any, intern: Any, now: Any
) -> None:
    seen = {person.username: set(signals(person, now=now)) for person in (mentor, admin, intern)}

    assert seen == {"mira": {"ines", "paul"}, "ada": {"ines", "paul", "stan"}, "ines": {"ines"}}


@pytest.mark.parametrize("state", ["paused", "ended", "completed"])
def test_who_is_not_at_work_is_not_on_the_board(internship: Any, mentor: Any, now: Any, state: str) -> None:
    Internship.objects.update(state=state)

    assert signals(mentor, now=now) == {}


def test_the_page_says_why_and_offers_what_helps_and_the_intern_reads_the_same(
    client_of: Any, internship: Any, intern: Any, mentor: Any, admin: Any, hand_in: Any, now: Any
) -> None:
    submission = hand_in(internship, number=1, value=0.9)
    Submission.objects.update(received_at=now - 5 * DAY)
    told = "The mentor has not reviewed what was handed in 5 days ago."

    for person in (mentor, admin):
        assert told in client_of(person).get("/attention/").content.decode()
    text = client_of(mentor).get("/attention/").content.decode()
    for link in (f"/internships/{internship.pk}/record/#message", f"/review/{submission.pk}/"):
        assert f'href="{link}' in text
    home = client_of(intern).get("/").content.decode()
    assert "What your mentor sees too" in home
    assert told in home


def test_the_board_costs_the_same_however_many_interns_there_are(
    internship: Any, peer_internship: Any, stranger_internship: Any, mentor: Any, admin: Any, now: Any
) -> None:
    def cost(viewer: Any) -> int:
        with CaptureQueriesContext(connection) as queries:
            rows_for(viewer, now=now)
        return len(queries)

    assert cost(mentor) == cost(admin)

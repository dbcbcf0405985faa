"""The board of who needs attention: from real work, for the right people, in a fixed number of queries."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from practicum.gpus.models import Lease, LeaseUse, Pool, Server, Slot
from practicum.internships.changes import Wish, ask
from practicum.internships.check_ins import Note, check_in
from practicum.internships.models import Internship, Milestone
from practicum.internships.services import pause, resume
from practicum.portal.attention import rows_for
from practicum.reviews.models import Review
from practicum.submissions.models import Submission
from practicum.workspaces.models import Session

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

    later = now + 7 * DAY
    assert signals(mentor, now=later) == {"ines": ["not-seen", "review-waits", "silent-mentor"]}
    check_in(mentor, internship=internship, note=NOTE, now=now)
    Review.objects.create(submission=submission, mentor=mentor, state="accepted", opened_at=now, decided_at=now)
    assert signals(mentor, now=later) == {"ines": ["not-seen"]}


def test_scores_without_a_new_best_are_a_plateau(internship: Any, mentor: Any, hand_in: Any, now: Any) -> None:
    for number, value in enumerate((0.90, 0.85, 0.84, 0.83, 0.84), start=1):
        hand_in(internship, number=number, value=value)
    assert "plateau" not in signals(mentor, now=now)["ines"]

    hand_in(internship, number=6, value=0.83)

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


def visit(internship: Any, *, at: Any, ran: bool, waited: timedelta = timedelta(0), slot: Any = None) -> Session:
    """A notebook of four hours that was stopped."""
    ready, until = at + waited, at + waited + timedelta(hours=4)
    lease = Lease.objects.create(
        user=internship.intern, cohort=internship.cohort, state="released", slot=slot, duration=DAY, requested_at=at,
        granted_at=ready, closed_at=until,
    )  # fmt: skip
    return Session.objects.create(
        user=internship.intern, internship=internship, lease=lease, state="stopped", deadline=until, requested_at=at,
        ready_at=ready, stopped_at=until, active_at=until if ran else ready,
    )  # fmt: skip


def words(viewer: Any, *, now: Any) -> dict[str, str]:
    (row,) = rows_for(viewer, now=now)
    return {signal.kind: signal.words for signal in row.signals}


def test_notebooks_in_which_nothing_ran_are_told_of_until_something_runs(
    internship: Any, mentor: Any, now: Any
) -> None:
    visit(internship, at=now - 3 * DAY, ran=True)
    visit(internship, at=now - 2 * DAY, ran=False)
    assert "no-run" not in words(mentor, now=now)
    visit(internship, at=now - DAY, ran=False)
    assert words(mentor, now=now)["no-run"] == "Opened the notebook 2 times in a row, and ran nothing in it."

    visit(internship, at=now - timedelta(hours=5), ran=True)

    assert "no-run" not in words(mentor, now=now)


def test_a_commit_is_work_in_a_notebook_in_which_nothing_ran(internship: Any, mentor: Any, now: Any) -> None:
    visit(internship, at=now - 3 * DAY, ran=False)
    visit(internship, at=now - 2 * DAY, ran=False)
    assert "no-run" in words(mentor, now=now)

    Session.objects.update(committed_at=now - 2 * DAY + timedelta(hours=1))

    assert "no-run" not in words(mentor, now=now)


def test_who_committed_was_at_work_then(internship: Any, mentor: Any, now: Any) -> None:
    visit(internship, at=now - 10 * DAY, ran=True)
    assert words(mentor, now=now)["not-seen"] == "Not seen at work for 9 days."

    Session.objects.update(committed_at=now - DAY)

    assert "not-seen" not in words(mentor, now=now)


def test_a_row_says_when_each_sign_of_work_was_last_seen(
    internship: Any, intern: Any, mentor: Any, hand_in: Any, client_of: Any, now: Any
) -> None:
    (row,) = rows_for(mentor, now=now)
    assert row.signs == []

    visit(internship, at=now - 3 * DAY, ran=True)
    visit(internship, at=now - 2 * DAY, ran=False)
    Session.objects.filter(requested_at=now - 3 * DAY).update(committed_at=now - 3 * DAY)
    hand_in(internship, number=1, value=0.9)
    Submission.objects.update(received_at=now - 4 * DAY)
    check_in(intern, internship=internship, note=NOTE, now=now - DAY)

    (row,) = rows_for(mentor, now=now)
    assert row.signs == [
        ("checked in", now - DAY),
        ("code ran", now - 3 * DAY + timedelta(hours=4)),
        ("committed", now - 3 * DAY),
        ("handed in", now - 4 * DAY),
    ]
    Milestone.objects.update(due_on=now.date() - 7 * DAY)
    for person, page in ((mentor, reverse("portal:attention")), (intern, "/")):
        told = client_of(person).get(page).content.decode().split("data-signs>")[1].split("</p>")[0]
        assert [told.index(words) for words, _ in row.signs] == sorted(told.index(words) for words, _ in row.signs)


def test_an_intern_of_whom_nothing_is_said_reads_that_too(
    internship: Any, intern: Any, mentor: Any, hand_in: Any, client_of: Any, now: Any
) -> None:
    Milestone.objects.update(reached_at=now)
    hand_in(internship, number=1, value=0.9)
    Submission.objects.update(received_at=now)
    check_in(intern, internship=internship, note=NOTE, now=now)
    assert signals(mentor, now=now) == {"ines": []}

    assert "Nothing that asks for attention." in client_of(intern).get("/").content.decode()


def test_a_notebook_that_was_opened_a_moment_ago_or_stands_in_line_is_not_idle(
    internship: Any, mentor: Any, now: Any
) -> None:
    visit(internship, at=now - DAY, ran=False)
    visit(internship, at=now - timedelta(minutes=30), ran=False)
    assert "no-run" not in words(mentor, now=now)

    Session.objects.update(ready_at=None, active_at=None)

    assert "no-run" not in words(mentor, now=now + DAY)


@pytest.mark.parametrize(("gpu_gb", "is_told"), [(16, True), (0, False)])
def test_a_gpu_on_which_nothing_runs_is_told_of_where_the_project_asks_for_one(
    internship: Any, mentor: Any, version: Any, now: Any, gpu_gb: int, is_told: bool
) -> None:
    version.manifest["budget"]["gpu_gb"] = gpu_gb
    version.save()
    server, pool = Server.objects.create(name="lab"), Pool.objects.create(slug="gpu", name="GPU", kind="gpu")
    slot = Slot.objects.create(server=server, pool=pool, kind="gpu", index=0, uuid="GPU-0", model="H100")
    for days, busy in ((3, 600.0), (2, 0.0), (1, 30.0)):
        session = visit(internship, at=now - days * DAY, ran=True, slot=slot)
        LeaseUse.objects.create(
            lease=session.lease, starts_at=now - days * DAY, held_seconds=3 * 3600, busy_seconds=busy
        )

    told = words(mentor, now=now)

    assert told.get("gpu-unused") == ("Held a GPU for 6 hours on 2 days, and nothing ran on it." if is_told else None)


def fail(hand_in: Any, internship: Any, *, number: int, name: str = "ValueError", **more: Any) -> None:
    trace = f'Traceback (most recent call last):\n  File "/submission/predict.py", line {number}, in predict\n{name}: x{number}'
    facts = {
        "state": "failed",
        "fault": "code",
        "reason": f"Your code stopped with {name}: x{number}",
        "log_tail": trace,
    }
    hand_in(internship, number=number, **(facts | more))


def test_three_runs_that_ended_with_the_same_error_are_told_of_until_one_ends_otherwise(
    internship: Any, mentor: Any, hand_in: Any, now: Any
) -> None:
    for number in (1, 2, 3):
        assert "same-error" not in words(mentor, now=now)
        fail(hand_in, internship, number=number)
    told = "The last 3 submissions ended the same way: ValueError in predict.py."
    assert words(mentor, now=now)["same-error"] == told

    fail(hand_in, internship, number=4, fault="ours")
    hand_in(internship, number=5, state="running")
    assert words(mentor, now=now)["same-error"] == told  # a fault of ours and what still runs say nothing

    fail(hand_in, internship, number=6, name="KeyError")
    assert "same-error" not in words(mentor, now=now)


def test_a_score_ends_a_row_of_errors(internship: Any, mentor: Any, hand_in: Any, now: Any) -> None:
    for number in (1, 2, 3):
        fail(hand_in, internship, number=number)
    hand_in(internship, number=4, value=0.9)

    assert "same-error" not in words(mentor, now=now)


def test_work_that_is_handed_in_again_and_again_does_not_hide_that_nobody_reviews_it(
    internship: Any, mentor: Any, hand_in: Any, now: Any
) -> None:
    for number in range(1, 5):
        submission = hand_in(internship, number=number, value=0.9)
        Submission.objects.filter(pk=submission.pk).update(received_at=now - (9 - 2 * number) * DAY)

    assert words(mentor, now=now)["review-waits"] == "The mentor has not reviewed what was handed in 7 days ago."


def test_a_check_in_of_each_week_does_not_hide_that_the_mentor_writes_none(
    internship: Any, intern: Any, mentor: Any, now: Any
) -> None:
    for weeks in (2, 1, 0):
        check_in(intern, internship=internship, note=NOTE, now=now - weeks * 7 * DAY)

    assert words(mentor, now=now)["silent-mentor"] == "The mentor has not written the check-in for 14 days."


@pytest.mark.parametrize(("who", "is_told"), [("intern", True), ("mentor", False)])
def test_what_the_intern_asked_for_and_nobody_answered_is_told_of(
    request: pytest.FixtureRequest, internship: Any, mentor: Any, now: Any, who: str, is_told: bool
) -> None:
    ask(request.getfixturevalue(who), internship=internship, wish=Wish("end", "Exams."), now=now - 5 * DAY)

    assert ("request-waits" in words(mentor, now=now)) is is_told


def test_after_a_pause_nothing_that_lies_before_it_is_held_against_the_intern(
    internship: Any, admin: Any, mentor: Any, now: Any
) -> None:
    Milestone.objects.update(reached_at=now)
    pause(internship, until=now.date(), actor=admin, now=now - 12 * DAY)
    assert signals(mentor, now=now) == {}

    resume(internship, actor=admin, now=now)

    assert words(mentor, now=now) == {}
    assert "not-seen" in words(mentor, now=now + 3 * DAY)


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
    client_of: Any, internship: Any, intern: Any, mentor: Any, admin: Any, version: Any, hand_in: Any, now: Any
) -> None:
    version.manifest["reading"] = [{"title": "A text", "url": "https://example.org/", "why": "It says how."}]
    version.save()
    submission = hand_in(internship, number=1, value=0.9)
    Submission.objects.update(received_at=now - 5 * DAY)
    told = "The mentor has not reviewed what was handed in 5 days ago."

    for person in (mentor, admin):
        assert told in client_of(person).get("/attention/").content.decode()
    text = client_of(mentor).get("/attention/").content.decode()
    record = f"/internships/{internship.pk}/record/"
    reading = "/projects/digits/#reading-heading"
    for link in (
        f"{record}#message",
        f"{record}?pair=1#message",
        f"{record}#ask",
        f"/review/{submission.pk}/",
        reading,
    ):
        assert f'href="{link}' in text
    assert f'href="{reverse("gpus:new_reservation")}"' in text
    assert "Shall we look at it together" in client_of(mentor).get(f"{record}?pair=1").content.decode()
    assert "Shall we look at it together" not in client_of(mentor).get(record).content.decode()
    home = client_of(intern).get("/").content.decode()
    assert "What your mentor sees too" in home
    assert told in home


def test_the_board_costs_the_same_however_many_interns_there_are(
    internship: Any, peer_internship: Any, stranger_internship: Any, mentor: Any, admin: Any, hand_in: Any, now: Any
) -> None:
    def cost(viewer: Any) -> int:
        with CaptureQueriesContext(connection) as queries:
            rows_for(viewer, now=now)
        return len(queries)

    for number in (1, 2, 3):
        fail(hand_in, internship, number=number)
    few = cost(mentor)
    for row in (peer_internship, stranger_internship):
        visit(row, at=now - DAY, ran=True)
        for number in (1, 2, 3):
            fail(hand_in, row, number=number)
    assert cost(mentor) == few == cost(admin)

"""One mail a day at most, with what needs its person; none where there is nothing."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import IntegrityError

from practicum.accounts.mail import NotMailed
from practicum.accounts.models import NoticeSettings, User
from practicum.accounts.notices import Way, choose_kinds, notify
from practicum.digests import rules, sending, tasks
from practicum.digests.models import Digest
from practicum.digests.needs import needs_of
from practicum.digests.rules import Line, Section
from practicum.evaluation.models import Run
from practicum.gpus.models import Server
from practicum.internships.changes import Wish
from practicum.internships.changes import ask as ask_change
from practicum.internships.models import Application, CheckIn, Milestone
from practicum.persons.models import Deletion
from practicum.reviews.models import Comment, Review
from tests.conftest import make_user
from tests.unit.gpus.conftest import shared_database
from tests.unit.gpus.test_concurrency import at_once
from tests.unit.portal.conftest import hand_in

__all__ = ["hand_in", "shared_database"]
MORNING = datetime(2026, 3, 18, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def mail_server(settings: Any) -> None:
    """The site has a mail server; mails are kept in memory; its clock is UTC."""
    settings.EMAIL_HOST, settings.DEFAULT_FROM_EMAIL, settings.TIME_ZONE = "mail.example.org", "site@example.org", "UTC"


def lines(person: Any, *, now: Any, since: Any = None) -> dict[str, list[str]]:
    """The sections of a person's mail that have something in them."""
    sections = rules.filled(needs_of(person, since=since or now - DAY, now=now))
    return {section.title: [line.words for line in section.lines] for section in sections}


def something(user: Any, *, now: Any) -> None:
    """A notice that its person wants in the daily mail."""
    choose_kinds(user, ways={"run": Way("digest", webhook=False)}, digest_hour=8, now=now)
    notify(user, kind="run.scored", subject="Scored 0.9", body="x", path="/", key=str(now), now=now)


# When


def test_it_comes_from_the_hour_on_that_was_chosen_once_a_day(intern: Any) -> None:
    something(intern, now=MORNING - timedelta(hours=1))
    tasks.step(MORNING - timedelta(minutes=1))
    assert not Digest.objects.filter(user=intern).exists()

    for minutes in (0, 1, 600, 900):
        tasks.step(MORNING + timedelta(minutes=minutes))
    [message] = mail.outbox
    assert message.to == ["ines@example.org"]
    assert message.subject == "Today: what happened (1)"
    assert "Scored 0.9" in message.body

    something(intern, now=MORNING + timedelta(hours=2))
    tasks.step(MORNING + DAY)
    assert len(mail.outbox) == 2
    assert mail.outbox[1].body.count("Scored 0.9") == 1


def test_the_hour_is_of_the_sites_clock(intern: Any, settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Paris"
    something(intern, now=MORNING - timedelta(hours=2))
    tasks.step(datetime(2026, 3, 18, 6, 59, tzinfo=UTC))
    assert not Digest.objects.exists()
    tasks.step(datetime(2026, 3, 18, 7, 0, tzinfo=UTC))
    assert Digest.objects.get().day == date(2026, 3, 18)


def test_a_worker_that_was_away_in_the_morning_sends_it_later(intern: Any) -> None:
    something(intern, now=MORNING)
    tasks.step(MORNING + timedelta(hours=7))
    assert len(mail.outbox) == 1


def test_where_there_is_nothing_nothing_is_sent(intern: Any) -> None:
    assert tasks.step(MORNING)
    assert mail.outbox == []
    assert Digest.objects.get(user=intern).state == "nothing"
    assert not tasks.step(MORNING + timedelta(hours=1))


@pytest.mark.parametrize(
    "chosen", [{"by_email": False}, {"digest_hour": None}, {"digest_hour": 9}], ids=["no mail", "no digest", "later"]
)
def test_who_does_not_want_it_gets_none(intern: Any, chosen: dict[str, Any]) -> None:
    something(intern, now=MORNING)
    NoticeSettings.objects.filter(user=intern).update(**chosen)
    tasks.step(MORNING)
    assert not Digest.objects.exists()


def test_accounts_that_are_off_and_sites_without_mail_send_none(intern: Any, settings: Any) -> None:
    something(intern, now=MORNING)
    User.objects.update(is_active=False)
    tasks.step(MORNING)
    User.objects.update(is_active=True)
    settings.EMAIL_HOST = ""
    tasks.step(MORNING)
    assert not Digest.objects.exists()


# At most one


def test_the_database_takes_one_a_person_and_day(intern: Any) -> None:
    Digest.objects.create(user=intern, day=MORNING.date(), made_at=MORNING, next_try_at=MORNING)
    with pytest.raises(IntegrityError):
        Digest.objects.create(user=intern, day=MORNING.date(), made_at=MORNING, next_try_at=MORNING)


@pytest.mark.usefixtures("shared_database")
def test_two_workers_at_once_send_one() -> None:
    person = make_user("ines", role="intern", name="Ines Intern")
    something(person, now=MORNING)
    assert sorted(at_once([lambda: tasks.make(person, now=MORNING)] * 2)) == [False, True]
    results = at_once([lambda: tasks.step(MORNING)] * 4)
    assert not [result for result in results if isinstance(result, Exception)]
    assert len(mail.outbox) == 1
    assert Digest.objects.get().state == "sent"


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_worker_killed_while_sending_sends_no_second(intern: Any, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    something(intern, now=MORNING)
    real = sending.mail.send

    def dying(message: Any) -> None:
        if when == "after":
            real(message)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sending.mail, "send", dying)
        with pytest.raises(KeyboardInterrupt):
            tasks.step(MORNING)
    for minutes in range(0, 600, 4):
        tasks.step(MORNING + timedelta(minutes=minutes))

    assert len(mail.outbox) == (1 if when == "after" else 0)
    row = Digest.objects.get()
    assert (row.state, row.last_error, row.body) == ("failed", sending.UNKNOWN_END, "")


def test_a_worker_killed_before_sending_leaves_it_to_the_next(intern: Any) -> None:
    something(intern, now=MORNING)
    assert tasks.make(intern, now=MORNING)
    tasks.step(MORNING + timedelta(minutes=1))
    assert len(mail.outbox) == 1


def test_what_the_mail_server_refused_is_tried_again_and_then_given_up(
    intern: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    something(intern, now=MORNING)
    tried: list[Any] = []

    def refusing(message: Any) -> None:
        tried.append(message)
        raise NotMailed("The mail server refused the address.")

    monkeypatch.setattr(sending.mail, "send", refusing)
    for minutes in range(0, 240, 2):
        tasks.step(MORNING + timedelta(minutes=minutes))
    assert len(tried) == 4
    row = Digest.objects.get()
    assert (row.state, row.last_error, row.body) == ("failed", "The mail server refused the address.", "")


def test_switched_off_meanwhile_it_is_not_sent(intern: Any, now: Any) -> None:
    something(intern, now=MORNING)
    tasks.make(intern, now=MORNING)
    NoticeSettings.objects.update(digest_hour=None)
    tasks.step(MORNING)
    assert mail.outbox == []
    assert Digest.objects.get().last_error == sending.NOT_WANTED


def test_the_mail_names_its_way_out_and_is_not_kept(intern: Any) -> None:
    something(intern, now=MORNING)
    tasks.step(MORNING)
    headers = mail.outbox[0].extra_headers
    assert "/unsubscribe/" in headers["List-Unsubscribe"]
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert f"digest-2026-03-18-{intern.uuid}" in headers["Message-ID"]
    assert Digest.objects.get().body == ""


def test_old_rows_are_forgotten(intern: Any) -> None:
    tasks.step(MORNING)
    tasks.prune(now=MORNING + timedelta(days=89))
    assert Digest.objects.exists()
    tasks.prune(now=MORNING + timedelta(days=91))
    assert not Digest.objects.exists()


# What is in it


def test_a_mentor_reads_what_waits_for_them(
    internship: Any, peer_internship: Any, mentor: Any, hand_in: Any, now: Any
) -> None:
    hand_in(internship, number=1, value=0.9)
    CheckIn.objects.create(
        internship=internship,
        week=3,
        is_mentors=False,
        author=internship.intern,
        went="x",
        following="x",
        written_at=now,
    )
    wish = Wish(kind="pause", reason="x", until=now.date() + timedelta(days=9))
    ask_change(internship.intern, internship=internship, wish=wish, now=now)

    told = lines(mentor, now=now)

    assert told["Reviews and questions that wait for you"] == ["Ines Intern: submission #1, for 19 days"]
    assert told["Check-ins to answer"] == ["Ines Intern wrote that of week 3"]
    assert told["Requests to answer"] == ["Ines Intern asks: A pause, until 27 March 2026"]
    assert told["Who needs attention"]
    assert not [words for words in told["Who needs attention"] if "not reviewed" in words]


def test_what_is_done_is_not_told_any_more(internship: Any, mentor: Any, hand_in: Any, now: Any) -> None:
    submission = hand_in(internship, number=1, value=0.9)
    Review.objects.create(submission=submission, mentor=mentor, state="changes", opened_at=now, decided_at=now)
    for is_mentors in (False, True):
        CheckIn.objects.create(
            internship=internship, week=3, is_mentors=is_mentors, author=mentor, went="x", following="x", written_at=now
        )
    told = lines(mentor, now=now)
    assert not {"Reviews and questions that wait for you", "Check-ins to answer", "Requests to answer"} & set(told)


def test_an_intern_reads_of_milestones_comments_and_requests(
    internship: Any, mentor: Any, hand_in: Any, now: Any
) -> None:
    submission = hand_in(internship, number=1, value=0.9)
    for at in (now - 2 * DAY, now - timedelta(hours=2), now - timedelta(hours=1)):
        Comment.objects.create(submission=submission, author=mentor, body="Why?", written_at=at)
    Comment.objects.create(submission=submission, author=internship.intern, body="So.", written_at=now)
    wish = Wish(kind="extension", reason="x", until=internship.last_day + timedelta(days=9))
    ask_change(mentor, internship=internship, wish=wish, now=now)
    Milestone.objects.filter(position=1).update(reached_at=now)
    Milestone.objects.filter(position=2).update(due_on=now.date() + timedelta(days=3))

    told = lines(internship.intern, now=now)

    assert told["Comments on your work"] == ["2 new comments on submission #1"]
    assert told["Requests to answer"] == ["Mira Mentor asks: More time, until 5 May 2026"]
    assert told["Your next milestone"] == ["“Beat the baseline” is due on 21 March"]
    Milestone.objects.filter(position=2).update(due_on=now.date() + timedelta(days=4))
    assert "Your next milestone" not in lines(internship.intern, now=now)


def test_an_admin_reads_of_applications_servers_and_failures(
    internship: Any, intern: Any, admin: Any, other_cohort: Any, hand_in: Any, now: Any
) -> None:
    Application.objects.create(
        cohort=other_cohort,
        applicant=intern,
        background="x",
        hours_a_week=8,
        hardware="none",
        sent_at=now,
        changed_at=now,
    )
    for name, state, seen in (
        ("gpu-1", "online", now),
        ("gpu-2", "online", now - DAY),
        ("gpu-3", "offline", now - DAY),
    ):
        Server.objects.create(name=name, state=state, seen_at=seen)
    ours, theirs = hand_in(internship, number=1, state="failed"), hand_in(internship, number=2, state="failed")
    Run.objects.filter(submission=ours).update(fault="ours", finished_at=now, reason="The disk is full.")
    Run.objects.filter(submission=theirs).update(fault="limit", finished_at=now)
    wish = Wish(kind="end", reason="x")
    ask_change(internship.intern, internship=internship, wish=wish, now=now - 4 * DAY)
    Deletion.objects.create(
        user=intern, asked_by=intern, asked_at=now - 9 * DAY, due_at=now - 2 * DAY, next_try_at=now, waits_for="A slot."
    )

    told = lines(admin, now=now)

    assert told["Applications to answer"] == ["Autumn 2026: 1"]
    assert told["Servers that are silent"] == ["gpu-2, last seen 17 March, 10:00 UTC"]
    assert told["Evaluations that fail by our fault"] == ["Digits: The disk is full."]
    assert told["Requests nobody answered for three days"] == ["Ines Intern: An early end"]
    assert told["Deletions of data that wait"] == ["Ines Intern: A slot."]


def test_nobody_reads_of_others_work(internship: Any, other_mentor: Any, peer: Any, hand_in: Any, now: Any) -> None:
    hand_in(internship, number=1, value=0.9)
    Comment.objects.create(submission_id=internship.submissions.get().pk, author=other_mentor, body="x", written_at=now)
    assert lines(other_mentor, now=now) == {}
    assert lines(peer, now=now) == {}


def test_it_takes_as_many_queries_with_many_interns(
    internship: Any, mentor: Any, cohort: Any, version: Any, admin: Any, hand_in: Any, now: Any,
    django_assert_max_num_queries: Any,
) -> None:  # fmt: skip
    from tests.conftest import _start

    for number in range(4):
        person = make_user(f"more-{number}", role="intern", name=f"More {number}")
        row = _start(person, mentor=mentor, cohort=cohort, version=version, admin=admin)
        hand_in(row, number=1, value=0.5)
    with django_assert_max_num_queries(45):
        lines(mentor, now=now)


# How it is written


def test_it_is_short_and_plain() -> None:
    sections = [Section("Requests to answer", [Line(f"Request {n}", "https://example.org/r") for n in range(12)])]
    text = rules.mail_of("Mira", sections)
    assert text.startswith("Good day, Mira.\n\nREQUESTS TO ANSWER\n- Request 0\n  https://example.org/r\n")
    assert text.endswith("… and 2 more")
    assert rules.subject_of(sections) == "Today: requests to answer (12)"
    assert rules.subject_of([*sections, Section("X", [Line("y")])]) == "Today: requests to answer and more (13)"

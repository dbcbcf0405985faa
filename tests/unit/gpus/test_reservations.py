"""Asking for slots, answering, taking back; and the calendar feed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from practicum.audit.models import Record
from practicum.errors import Conflict, Forbidden, Invalid, NotFound
from practicum.gpus import reservations
from practicum.gpus.models import Pool, Quota, Reservation, Slot
from practicum.gpus.reservation_feed import calendar, escape, fold, holder_of, moment, secret_of
from practicum.gpus.reservation_selectors import (
    cohorts_to_reserve_for,
    desk_of,
    reservation_for,
    reservations_in_feed,
    reservations_visible_to,
)
from practicum.gpus.reservations import ReservationClash, UnfitReservation
from tests.unit.gpus.conftest import make_slots, meet_before
from tests.unit.gpus.test_concurrency import at_once

HOUR = timedelta(hours=1)


@pytest.fixture
def pool(db: None) -> Pool:
    """Eight GPUs."""
    return make_slots(8)[0].pool


@pytest.fixture
def ask(internship: Any, stranger_internship: Any, pool: Pool, mentor: Any, cohort: Any, now: datetime) -> Any:
    """``ask(slots=6)``: the mentor asks for the evening of the next day."""

    def do(**changes: Any) -> Reservation:
        wanted = {
            "cohort": cohort,
            "pool": pool,
            "slots": 6,
            "starts_at": now + 32 * HOUR,
            "ends_at": now + 34 * HOUR,
            "purpose": "Class",
            "now": now,
        } | changes
        return reservations.request_reservation(wanted.pop("actor", mentor), **wanted)

    return do


Ask = Callable[..., Reservation]


def grant(row: Reservation, *, admin: Any, now: datetime, answer: str = "") -> Reservation:
    return reservations.decide_reservation(row.pk, is_granted=True, answer=answer, actor=admin, now=now)


def test_a_mentor_asks_and_an_admin_grants(ask: Ask, mentor: Any, admin: Any, now: datetime) -> None:
    row = ask(purpose="  Class  on\nCUDA ")
    assert (row.state, row.requested_by, row.purpose) == ("requested", mentor, "Class on CUDA")

    grant(row, admin=admin, now=now + HOUR, answer="Have fun.")

    row.refresh_from_db()
    assert (row.state, row.decided_by, row.decided_at, row.answer) == ("granted", admin, now + HOUR, "Have fun.")
    asked, granted = Record.objects.filter(verb__startswith="reservation.").order_by("id")
    assert (asked.verb, asked.actor, granted.verb, granted.actor) == (
        "reservation.requested",
        mentor,
        "reservation.granted",
        admin,
    )
    assert granted.facts == asked.facts | {"answer": "Have fun."}
    assert asked.facts["slots"] == 6


def test_a_refusal_needs_a_sentence(ask: Ask, admin: Any, now: datetime) -> None:
    row = ask()
    for answer in ("", "   ", "x" * 301):
        with pytest.raises(Invalid) as refused:
            reservations.decide_reservation(row.pk, is_granted=False, answer=answer, actor=admin, now=now)
        assert refused.value.facts["field"] == "answer"
    reservations.decide_reservation(row.pk, is_granted=False, answer="The exam is then.", actor=admin, now=now)
    row.refresh_from_db()
    assert (row.state, row.answer) == ("refused", "The exam is then.")


@pytest.mark.parametrize("role", ["other_mentor", "intern"])
def test_nobody_asks_for_a_cohort_they_do_not_mentor_in(ask: Ask, request: pytest.FixtureRequest, role: str) -> None:
    with pytest.raises(NotFound):
        ask(actor=request.getfixturevalue(role))
    assert not Reservation.objects.exists()


def test_an_admin_asks_for_any_cohort(ask: Ask, admin: Any, other_cohort: Any) -> None:
    assert ask(actor=admin, cohort=other_cohort).cohort == other_cohort


def test_a_mentor_whose_internships_ended_asks_no_more(
    ask: Ask, internship: Any, mentor: Any, admin: Any, now: datetime
) -> None:
    row = ask()
    internship.state = "ended"
    internship.save()
    with pytest.raises(NotFound):
        ask()
    assert list(reservations_visible_to(mentor)) == [row]


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"slots": 9}, ["slots"]),
        ({"slots": 0}, ["slots"]),
        ({"purpose": " "}, ["purpose"]),
        ({"purpose": "x" * 201}, ["purpose"]),
    ],
)
def test_what_cannot_be_used_is_refused_by_field(ask: Ask, changes: dict[str, Any], fields: list[str]) -> None:
    with pytest.raises(UnfitReservation) as refused:
        ask(**changes)
    assert [field for field, _ in refused.value.facts["refusals"]] == fields  # type: ignore[attr-defined]


def test_times_in_the_past_and_after_the_cohort_are_refused(ask: Ask, now: datetime) -> None:
    for starts_at in (now - HOUR, now + timedelta(days=60)):
        with pytest.raises(UnfitReservation):
            ask(starts_at=starts_at, ends_at=starts_at + HOUR)


def test_what_is_granted_stands_against_asking_and_granting(ask: Ask, admin: Any, now: datetime) -> None:
    first, second = ask(slots=6), ask(slots=3)
    grant(first, admin=admin, now=now)
    with pytest.raises(ReservationClash, match=r"3 \+ 6 \(Spring 2026, granted\) = 9 slots, and the pool has 8"):
        grant(second, admin=admin, now=now)
    with pytest.raises(ReservationClash):
        ask(slots=3)
    second.refresh_from_db()
    assert second.state == "requested"
    grant(ask(slots=2), admin=admin, now=now)


def test_guarantees_of_others_do_not_stand_against_granting(
    ask: Ask, pool: Pool, other_cohort: Any, admin: Any, now: datetime
) -> None:
    Quota.objects.create(cohort=other_cohort, pool=pool, guaranteed=5)
    assert grant(ask(slots=8), admin=admin, now=now).state == "granted"


def test_a_pool_that_lost_slots_grants_no_more_than_it_has(ask: Ask, admin: Any, now: datetime) -> None:
    row = ask(slots=6)
    Slot.objects.filter(index__gte=4).update(is_present=False)
    with pytest.raises(ReservationClash, match="The pool has 4 slots now"):
        grant(row, admin=admin, now=now)


def test_what_is_over_is_granted_no_more(ask: Ask, admin: Any, now: datetime) -> None:
    row = ask()
    with pytest.raises(Conflict, match="over"):
        grant(row, admin=admin, now=now + 34 * HOUR)


def test_only_admins_answer(ask: Ask, mentor: Any, now: datetime) -> None:
    row = ask()
    with pytest.raises(Forbidden):
        grant(row, admin=mentor, now=now)


MOVES: dict[str, Callable[..., Any]] = {
    "grant": lambda row, admin, mentor, now: grant(row, admin=admin, now=now),
    "refuse": lambda row, admin, mentor, now: reservations.decide_reservation(
        row.pk, is_granted=False, answer="No.", actor=admin, now=now
    ),
    "withdraw": lambda row, admin, mentor, now: reservations.withdraw_reservation(row.pk, actor=mentor, now=now),
    "cancel": lambda row, admin, mentor, now: reservations.cancel_reservation(row.pk, reason="", actor=mentor, now=now),
}


@pytest.mark.parametrize(
    ("first", "second", "state"),
    [
        ("", "grant", "granted"),
        ("", "refuse", "refused"),
        ("", "withdraw", "cancelled"),
        ("", "cancel", None),
        ("grant", "grant", None),
        ("grant", "refuse", None),
        ("grant", "withdraw", None),
        ("grant", "cancel", "cancelled"),
        *[(ended, move, None) for ended in ("refuse", "withdraw") for move in MOVES],
    ],
)
def test_each_state_allows_its_moves_and_refuses_the_others(
    ask: Ask, admin: Any, mentor: Any, now: datetime, first: str, second: str, state: str | None
) -> None:
    row = ask()
    if first:
        MOVES[first](row, admin, mentor, now)
    before = Reservation.objects.values().get()
    if state is None:
        with pytest.raises(Conflict):
            MOVES[second](row, admin, mentor, now)
        assert Reservation.objects.values().get() == before
    else:
        MOVES[second](row, admin, mentor, now)
        assert Reservation.objects.get().state == state


def test_giving_up_frees_the_slots_and_an_admin_says_why(ask: Ask, admin: Any, mentor: Any, now: datetime) -> None:
    row = grant(ask(slots=8), admin=admin, now=now)
    with pytest.raises(Invalid) as refused:
        reservations.cancel_reservation(row.pk, reason="", actor=admin, now=now)
    assert refused.value.facts["field"] == "answer"
    reservations.cancel_reservation(row.pk, reason="Power cut.", actor=admin, now=now)
    assert grant(ask(slots=8), admin=admin, now=now).state == "granted"
    assert Record.objects.filter(verb="reservation.cancelled").get().facts["reason"] == "Power cut."


def test_what_is_over_is_not_given_up(ask: Ask, admin: Any, mentor: Any, now: datetime) -> None:
    row = grant(ask(), admin=admin, now=now)
    with pytest.raises(Conflict, match="over already"):
        reservations.cancel_reservation(row.pk, reason="", actor=mentor, now=now + 40 * HOUR)


def test_a_mentor_of_the_cohort_sees_it_but_only_who_asked_takes_it_back(
    ask: Ask, peer: Any, other_mentor: Any, cohort: Any, version: Any, admin: Any, now: datetime
) -> None:
    from practicum.internships.services import start_internship

    row = ask()
    with pytest.raises(NotFound):
        reservations.withdraw_reservation(row.pk, actor=other_mentor, now=now)
    start_internship(peer, mentor=other_mentor, cohort=cohort, version=version, actor=admin, now=now)
    assert reservation_for(other_mentor, reservation_id=row.pk) == row
    with pytest.raises(Forbidden, match="Mira Mentor asked for it"):
        reservations.withdraw_reservation(row.pk, actor=other_mentor, now=now)
    reservations.withdraw_reservation(row.pk, actor=admin, now=now)


def test_who_sees_and_asks_for_what(
    ask: Ask, mentor: Any, other_mentor: Any, intern: Any, admin: Any, cohort: Any, other_cohort: Any, now: datetime
) -> None:
    ours, theirs = ask(), ask(actor=other_mentor, cohort=other_cohort)
    today = now.date()
    assert set(reservations_visible_to(admin)) == {ours, theirs}
    assert list(reservations_visible_to(mentor)) == [ours]
    assert list(reservations_visible_to(other_mentor)) == [theirs]
    assert not reservations_visible_to(intern).exists()
    assert list(cohorts_to_reserve_for(mentor, today=today)) == [cohort]
    assert set(cohorts_to_reserve_for(admin, today=today)) == {cohort, other_cohort}
    assert not cohorts_to_reserve_for(intern, today=today).exists()
    assert not cohorts_to_reserve_for(admin, today=date(2027, 1, 1)).exists()


def test_the_desk_parts_what_waits_what_comes_and_what_is_past(ask: Ask, admin: Any, now: datetime) -> None:
    waiting = ask(slots=6)
    soon = grant(ask(slots=1), admin=admin, now=now)
    refused = reservations.decide_reservation(ask().pk, is_granted=False, answer="No.", actor=admin, now=now)
    desk = desk_of(admin, now=now)
    assert [line.reservation for line in desk.waiting] == [waiting]
    assert (desk.coming, desk.past) == ([soon], [refused])

    later = desk_of(admin, now=now + 40 * HOUR)
    assert (later.waiting, later.coming) == ([], [])
    assert set(later.past) == {waiting, soon, refused}


def test_two_admins_at_once_never_grant_more_than_there_is(
    shared_database: None, ask: Ask, admin: Any, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [ask(slots=5), ask(slots=5)]
    meet_before(monkeypatch, module=reservations, name="_move")

    results = at_once([lambda row=row: grant(row, admin=admin, now=now) for row in rows])  # type: ignore[misc]

    told = sorted(str(getattr(result, "code", "") or result.state) for result in results)
    assert told == ["granted", "reservation_clash"]
    assert Reservation.objects.filter(state="granted").count() == 1


# --- The calendar ----------------------------------------------------------------------------------------------------


def unfolded(text: str) -> list[str]:
    return text.replace("\r\n ", "").split("\r\n")[:-1]


def written(*rows: Reservation) -> str:
    return calendar(rows, site_url="https://practicum.example", host="practicum.example")


def test_a_calendar_is_lines_of_at_most_75_octets_with_what_rfc_5545_requires(ask: Ask, now: datetime) -> None:
    text = written(ask(purpose="Übung; α, β \\ γ " * 12))
    assert text.endswith("END:VCALENDAR\r\n")
    assert "\n" not in text.replace("\r\n", "")
    assert max(len(line.encode()) for line in text.split("\r\n")) <= 75
    lines = unfolded(text)
    assert lines[:2] == ["BEGIN:VCALENDAR", "VERSION:2.0"]
    names = [line.split(":", 1)[0].split(";")[0] for line in lines]
    event = names[names.index("BEGIN", 1) : names.index("END") + 1]
    assert {
        name: event.count(name) for name in ("UID", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY", "STATUS")
    } == dict.fromkeys(("UID", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY", "STATUS"), 1)
    assert "PRODID" in names
    facts = dict(line.split(":", 1) for line in lines)
    assert (facts["DTSTART"], facts["DTEND"]) == ("20260319T180000Z", "20260319T200000Z")
    assert facts["DTSTAMP"] == moment(now)
    assert facts["DESCRIPTION"].startswith("Übung\\; α\\, β \\\\ γ")


def test_a_uid_stays_while_status_and_sequence_move(ask: Ask, admin: Any, mentor: Any, now: datetime) -> None:
    def facts(row: Reservation) -> tuple[str, ...]:
        found = dict(line.split(":", 1) for line in unfolded(written(row)))
        return found["UID"], found["STATUS"], found["SEQUENCE"], found["TRANSP"], found["DTSTAMP"]

    row = ask()
    uid = f"reservation-{row.pk}@practicum.example"
    assert facts(row) == (uid, "TENTATIVE", "0", "TRANSPARENT", moment(now))
    grant(row, admin=admin, now=now + HOUR)
    row.refresh_from_db()
    assert facts(row) == (uid, "CONFIRMED", "1", "OPAQUE", moment(now + HOUR))
    reservations.cancel_reservation(row.pk, reason="", actor=mentor, now=now + 2 * HOUR)
    row.refresh_from_db()
    assert facts(row) == (uid, "CANCELLED", "2", "TRANSPARENT", moment(now + 2 * HOUR))


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("plain: text", "plain: text"),
        ("a,b;c\\d", "a\\,b\\;c\\\\d"),
        ("one\ntwo\r\nthree", "one\\ntwo\\nthree"),
        ("bell\x07 end\x7f\ttab", "bell end\ttab"),
        ("cr\rEND:VEVENT", "crEND:VEVENT"),
        ("\\n", "\\\\n"),
    ],
)
def test_text_is_escaped(text: str, escaped: str) -> None:
    assert escape(text) == escaped


@pytest.mark.parametrize("line", ["", "x", "x" * 75, "x" * 76, "ü" * 200, "🎈" * 90, "x" * 74 + "€", "x" * 1000])
def test_folding_loses_nothing_and_cuts_no_letter(line: str) -> None:
    pieces = list(fold(line))
    assert pieces[0] + "".join(piece[1:] for piece in pieces[1:]) == line
    assert all(len(piece.encode()) <= 75 for piece in pieces)
    assert all(piece[0] == " " and len(piece) > 1 for piece in pieces[1:])


def test_the_feed_leaves_out_what_is_long_over(ask: Ask, mentor: Any, now: datetime) -> None:
    row = ask()
    assert reservations_in_feed(mentor, now=row.ends_at + timedelta(days=89)) == [row]
    assert reservations_in_feed(mentor, now=row.ends_at + timedelta(days=90)) == []


def test_a_secret_opens_the_feed_of_its_person_until_it_is_renewed(mentor: Any, admin: Any, now: datetime) -> None:
    first = secret_of(mentor)
    assert (holder_of(first), holder_of(secret_of(admin))) == (mentor, admin)
    assert secret_of(mentor) == first

    reservations.renew_feed(mentor, now=now)

    with pytest.raises(NotFound):
        holder_of(first)
    assert holder_of(secret_of(mentor)) == mentor
    assert holder_of(secret_of(admin)) == admin
    assert Record.objects.get(verb="reservation.feed_renewed").actor == mentor


@pytest.mark.parametrize("broken", ["", "x", "{}x", "x{}", "{}.{}"])
def test_a_made_up_secret_opens_nothing(mentor: Any, broken: str) -> None:
    secret = secret_of(mentor)
    with pytest.raises(NotFound):
        holder_of(broken.format(secret, secret))


def test_who_is_switched_off_or_an_intern_has_no_feed(mentor: Any, intern: Any) -> None:
    secret = secret_of(mentor)
    mentor.is_active = False
    mentor.save()
    for each in (secret, secret_of(intern)):
        with pytest.raises(NotFound):
            holder_of(each)

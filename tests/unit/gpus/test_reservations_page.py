"""The pages of reservations: what is shown before it is sent, who reads what, and the calendar's address."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import localdate, localtime

from practicum.gpus import reservations
from practicum.gpus.models import Pool, Quota, Reservation
from practicum.gpus.reservation_feed import secret_of
from practicum.internships.models import Cohort
from practicum.lib.clock import utc_now
from tests.unit.gpus.conftest import make_slots

HOUR = timedelta(hours=1)
NEW = "/reservations/new/"


@pytest.fixture
def pool(db: None) -> Pool:
    """Eight GPUs."""
    return make_slots(8)[0].pool


@pytest.fixture
def place(internship: Any, stranger_internship: Any, pool: Pool) -> Pool:
    """Two cohorts in progress today, with their mentors, and the pool."""
    Cohort.objects.update(ends_on=localdate() + timedelta(days=60))
    return pool


@pytest.fixture
def fields(place: Pool) -> dict[str, str]:
    """Tomorrow, 18:00 to 20:00, 6 slots."""
    return {
        "day": (localdate() + timedelta(days=1)).isoformat(),
        "begins": "18:00",
        "ends": "20:00",
        "slots": "6",
        "pool": "h100",
        "cohort": "spring",
        "purpose": "Class",
    }


@pytest.fixture
def reserve(place: Pool, cohort: Any, other_cohort: Any, admin: Any) -> Callable[..., Reservation]:
    """``reserve(4)``: another cohort has slots tomorrow, 17:00 to 19:00, asked for by the admin."""

    def do(slots: int, *, is_granted: bool = True, whose: Any = other_cohort, by: Any = admin) -> Reservation:
        whose.refresh_from_db()
        start = localtime().replace(hour=17, minute=0, second=0, microsecond=0) + timedelta(days=1)
        row = reservations.request_reservation(
            by, cohort=whose, pool=place, slots=slots, starts_at=start, ends_at=start + 2 * HOUR,
            purpose="Secret plan", now=utc_now(),
        )  # fmt: skip
        if is_granted:
            reservations.decide_reservation(row.pk, is_granted=True, answer="", actor=admin, now=utc_now())
        return row

    return do


def checked(page: str) -> str:
    found = re.search(r'name="checked" value="([0-9a-f]{64})"', page)
    assert found
    return found[1]


def test_it_is_checked_then_asked_for(fields: dict[str, str], mentor: Any, client_of: Any) -> None:
    client: Client = client_of(mentor)
    page = client.post(NEW, fields | {"step": "check"}).content.decode()
    assert "Nothing stands against it." in page
    assert not Reservation.objects.exists()

    answer = client.post(NEW, fields | {"step": "ask", "checked": checked(page)}, follow=True)

    assert "Asked for. The answer of an admin shows here." in answer.content.decode()
    row = Reservation.objects.get()
    assert (row.slots, row.cohort.slug, localtime(row.starts_at).strftime("%H:%M"), row.ends_at - row.starts_at) == (
        6,
        "spring",
        "18:00",
        2 * HOUR,
    )


def test_an_end_before_the_beginning_is_on_the_next_day(fields: dict[str, str], mentor: Any, client_of: Any) -> None:
    client = client_of(mentor)
    late = fields | {"begins": "22:00", "ends": "02:00"}
    page = client.post(NEW, late | {"step": "check"}).content.decode()
    client.post(NEW, late | {"step": "ask", "checked": checked(page)})
    row = Reservation.objects.get()
    assert row.ends_at - row.starts_at == 4 * HOUR


def test_conflicts_show_before_it_is_sent_and_without_room_it_cannot_be_sent(
    fields: dict[str, str], reserve: Any, mentor: Any, client_of: Any
) -> None:
    reserve(4)
    page = client_of(mentor).post(NEW, fields | {"step": "check"}).content.decode()
    assert "18:00 to 19:00: 6 + 4 (Autumn 2026, granted) = 10 slots, and the pool has 8: 2 too many." in page
    assert "Ask for it" not in page
    assert "Secret plan" not in page
    fewer = client_of(mentor).post(NEW, fields | {"slots": "4", "step": "check"}).content.decode()
    assert "Ask for it" in fewer


def test_guarantees_of_others_and_requests_are_warnings(
    fields: dict[str, str], reserve: Any, place: Pool, other_cohort: Any, mentor: Any, client_of: Any
) -> None:
    reserve(3, is_granted=False)
    Quota.objects.create(cohort=other_cohort, pool=place, guaranteed=3)
    page = client_of(mentor).post(NEW, fields | {"step": "check"}).content.decode()
    assert "6 + 3 (Autumn 2026, asked for) = 9 slots" in page
    assert "6 of 8 slots. The guarantee of Autumn 2026 (3) can&#x27;t be met in that time: 1 short." in page
    assert "Ask for it" in page


def test_nothing_is_sent_that_was_not_shown(fields: dict[str, str], reserve: Any, mentor: Any, client_of: Any) -> None:
    client = client_of(mentor)
    seen = checked(client.post(NEW, fields | {"step": "check"}).content.decode())
    for changed in ({"slots": "5"}, {"begins": "17:30"}, {"checked": ""}, {"checked": "0" * 64}):
        answer = client.post(NEW, fields | {"step": "ask", "checked": seen} | changed)
        assert answer.status_code == 409
        assert "This is not what was shown before" in answer.content.decode()
    reserve(4, is_granted=False)
    assert client.post(NEW, fields | {"step": "ask", "checked": seen}).status_code == 409
    assert Reservation.objects.count() == 1


def test_a_clash_that_came_up_after_the_last_look_is_told(
    fields: dict[str, str], reserve: Any, mentor: Any, client_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of(mentor)
    seen = client.post(NEW, fields | {"step": "check"}).content.decode()
    ask = reservations.request_reservation

    def ask_too_late(actor: Any, **wanted: Any) -> Reservation:
        monkeypatch.setattr(reservations, "request_reservation", ask)
        reserve(4)
        return ask(actor, **wanted)

    monkeypatch.setattr(reservations, "request_reservation", ask_too_late)
    answer = client.post(NEW, fields | {"step": "ask", "checked": checked(seen)})
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "This is not what was shown before" in page
    assert "6 + 4 (Autumn 2026, granted) = 10 slots" in page
    assert not Reservation.objects.filter(cohort__slug="spring").exists()


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"day": ""}, "day", "This field is required."),
        ({"day": "2020-01-01"}, "begins", "It would begin in the past"),
        ({"day": "9999-12-31", "begins": "23:00", "ends": "01:00"}, "day", "within the next year"),
        ({"day": "2999-12-31"}, "begins", "within the next year"),
        ({"begins": "25:00"}, "begins", "Enter a valid time."),
        ({"ends": "18:00"}, "ends", "It must end after it begins."),
        ({"slots": "9"}, "slots", "The pool has 8 slots; 9 can&#x27;t be reserved."),
        ({"slots": "0"}, "slots", "Ask for one slot at least."),
        ({"slots": "many"}, "slots", "Enter a whole number."),
        ({"pool": "nowhere"}, "pool", "Select a valid choice."),
        ({"cohort": "autumn"}, "cohort", "Select a valid choice."),
        ({"purpose": " "}, "purpose", "This field is required."),
        ({"purpose": "x" * 201}, "purpose", "at most 200 characters"),
    ],
)
def test_what_cannot_be_used_is_said_beside_its_field_and_nothing_is_lost(
    fields: dict[str, str], mentor: Any, client_of: Any, changes: dict[str, str], field: str, sentence: str
) -> None:
    for step in ("check", "ask"):
        answer = client_of(mentor).post(NEW, fields | changes | {"step": step})
        page = answer.content.decode()
        assert answer.status_code == 400
        told = re.search(rf'id="id_{field}_error"><li>([^<]*)', page)
        assert told
        assert sentence in told[1]
        assert 'value="18:00"' in page or "begins" in changes or "ends" in changes
    assert not Reservation.objects.exists()


def test_on_a_day_the_clocks_are_moved_a_time_that_is_not_there_is_refused(
    fields: dict[str, str], mentor: Any, client_of: Any, settings: Any
) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    year = localdate().year + 1
    last = date(year, 3, 31)
    sunday = last - timedelta(days=(last.weekday() + 1) % 7)
    Cohort.objects.update(ends_on=date(year + 1, 1, 1))
    page = client_of(mentor).post(NEW, fields | {"day": sunday.isoformat(), "begins": "02:30", "step": "check"})
    assert "The clocks are moved on that day, and 02:30 comes twice or not at all." in page.content.decode()


def test_times_are_typed_and_shown_in_the_sites_time_zone(
    fields: dict[str, str], mentor: Any, client_of: Any, settings: Any
) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"
    client = client_of(mentor)
    page = client.post(NEW, fields | {"step": "check"}).content.decode()
    assert "In the site&#x27;s time zone, Asia/Tokyo." in page
    client.post(NEW, fields | {"step": "ask", "checked": checked(page)})
    assert f"{Reservation.objects.get().starts_at:%H:%M}" == "09:00"
    listed = client.get("/reservations/").content.decode()
    assert "18:00 to 20:00" in listed
    assert "All times are in Asia/Tokyo." in listed


def test_the_live_preview_is_only_the_part_that_changes(fields: dict[str, str], mentor: Any, client_of: Any) -> None:
    client = client_of(mentor)
    for typed in (fields, fields | {"slots": ""}):
        answer = client.post(NEW, typed, headers={"HX-Request": "true"})
        page = answer.content.decode()
        assert answer.status_code == 200
        assert page.lstrip().startswith('<section id="prospect"')
        assert "<html" not in page
    assert "Slots: This field is required." in page


def test_without_slots_or_cohorts_the_page_says_so(mentor: Any, admin: Any, client_of: Any) -> None:
    assert "There are no slots to reserve yet" in client_of(mentor).get(NEW).content.decode()
    make_slots(1)
    assert "You mentor in no cohort now" in client_of(mentor).get(NEW).content.decode()
    assert "No cohort is in progress or planned" in client_of(admin).get(NEW).content.decode()


def test_the_admin_answers_what_waits_with_its_conflicts_beside_it(
    reserve: Any, place: Pool, cohort: Any, mentor: Any, admin: Any, client_of: Any
) -> None:
    row = reserve(6, is_granted=False, whose=cohort, by=mentor)
    reserve(2)
    Quota.objects.create(cohort=Cohort.objects.get(slug="autumn"), pool=place, guaranteed=3)
    client = client_of(admin)
    listed = client.get("/reservations/").content.decode()
    assert "8 of 8 slots. The guarantee of Autumn 2026 (1) can&#x27;t be met in that time: 1 short." in listed
    address = f"/reservations/{row.pk}/"
    assert "Grant it" in client.get(address).content.decode()

    silent = client.post(f"{address}decide/", {"choice": "refuse", "answer": ""})
    assert (silent.status_code, "Say why, in a sentence" in silent.content.decode()) == (400, True)
    assert client.post(f"{address}decide/", {"choice": "maybe"}).status_code == 400
    assert client.post(f"{address}decide/", {"choice": "grant", "answer": "Have fun."}).status_code == 302

    seen = client_of(mentor).get("/reservations/").content.decode()
    assert "Granted" in seen
    assert "Ada Admin: Have fun." in seen


def test_a_grant_that_does_not_fit_any_more_keeps_what_was_typed(
    reserve: Any, cohort: Any, mentor: Any, admin: Any, client_of: Any
) -> None:
    row = reserve(6, is_granted=False, whose=cohort, by=mentor)
    reserve(4)
    answer = client_of(admin).post(f"/reservations/{row.pk}/decide/", {"choice": "grant", "answer": "Have fun."})
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "These slots are reserved already." in page
    assert 'value="Have fun."' in page
    row.refresh_from_db()
    assert row.state == "requested"


def test_who_asked_takes_it_back_or_gives_it_up(
    reserve: Any, cohort: Any, mentor: Any, admin: Any, client_of: Any
) -> None:
    client = client_of(mentor)
    asked = reserve(2, is_granted=False, whose=cohort, by=mentor)
    assert "Take it back" in client.get(f"/reservations/{asked.pk}/").content.decode()
    client.post(f"/reservations/{asked.pk}/withdraw/")
    granted = reserve(2, whose=cohort, by=mentor)
    assert "Give it up" in client.get(f"/reservations/{granted.pk}/").content.decode()
    why = client_of(admin).post(f"/reservations/{granted.pk}/cancel/", {"answer": ""})
    assert (why.status_code, "Say why, in a sentence" in why.content.decode()) == (400, True)
    client.post(f"/reservations/{granted.pk}/cancel/")
    assert set(Reservation.objects.values_list("state", flat=True)) == {"cancelled"}
    assert client.get(f"/reservations/{granted.pk}/").status_code == 200


def test_another_mentor_finds_nothing(
    reserve: Any, cohort: Any, mentor: Any, other_mentor: Any, client_of: Any
) -> None:
    row = reserve(2, whose=cohort, by=mentor)
    client = client_of(other_mentor)
    assert "Spring 2026" not in client.get("/reservations/").content.decode()
    for path, method in (("", "get"), ("withdraw/", "post"), ("cancel/", "post"), ("decide/", "post")):
        assert getattr(client, method)(f"/reservations/{row.pk}/{path}").status_code == 404


def test_what_was_not_answered_in_time_says_so(reserve: Any, cohort: Any, mentor: Any, client_of: Any) -> None:
    row = reserve(2, is_granted=False, whose=cohort, by=mentor)
    past = utc_now() - 5 * HOUR
    Reservation.objects.filter(pk=row.pk).update(starts_at=past, ends_at=past + HOUR)
    client = client_of(mentor)
    for path in ("/reservations/", f"/reservations/{row.pk}/"):
        assert "Not answered in time" in client.get(path).content.decode()


def test_the_calendar_opens_by_its_address_alone_until_it_is_renewed(
    reserve: Any, cohort: Any, mentor: Any, client_of: Any
) -> None:
    reserve(2)
    reserve(3, whose=cohort, by=mentor)
    client = client_of(mentor)

    def address() -> str:
        found = re.search(
            r'<code class="feed-address">https?://[^/]+(/[^<]*)</code>', client.get("/reservations/").content.decode()
        )
        assert found
        return found[1]

    first = address()
    answer = Client().get(first)
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    text = answer.content.decode()
    assert text.count("BEGIN:VEVENT") == 1
    assert "SUMMARY:3 × H100 for Spring 2026\r\n" in text
    assert "STATUS:CONFIRMED\r\n" in text

    client.post("/reservations/feed/renew/")

    assert Client().get(first).status_code == 404
    assert Client().get(address()).status_code == 200
    assert Client().get("/reservations/feed/nonsense.ics").status_code == 404


def test_mentors_and_admins_find_reservations_in_the_navigation(
    mentor: Any, admin: Any, intern: Any, client_of: Any
) -> None:
    for person, is_there in ((mentor, True), (admin, True), (intern, False)):
        page = client_of(person).get("/projects/").content.decode()
        assert ('href="/reservations/"' in page) == is_there


@pytest.mark.parametrize("path", ["/reservations/", "{feed}"])
def test_a_page_asks_as_many_questions_for_many_as_for_few(
    reserve: Any, cohort: Any, mentor: Any, admin: Any, client_of: Any, path: str
) -> None:
    client = client_of(admin)
    address = path.format(feed=f"/reservations/feed/{secret_of(admin)}.ics")

    def row_of_each() -> None:
        reserve(1, is_granted=False)
        reserve(1)
        reserve(1, is_granted=False, whose=cohort, by=mentor)

    row_of_each()
    with CaptureQueriesContext(connection) as few:
        client.get(address)
    for _ in range(4):
        row_of_each()
    with CaptureQueriesContext(connection) as many:
        assert client.get(address).status_code == 200
    assert len(many) == len(few)

"""The record of every verb: found by words, person, area and day; taken away whole; never changed."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.urls import reverse

from practicum.audit.models import Record
from practicum.audit.services import record
from practicum.portal import records
from practicum.portal.record_views import ROWS_A_PAGE
from practicum.portal.records import Wanted

BEGAN = datetime(2026, 3, 18, 10, 0, tzinfo=UTC)


@pytest.fixture
def told(internship: Any, admin: Any, mentor: Any) -> list[Record]:
    """Three verbs: an admin's, a mentor's, the platform's; what set up the cast is left out of the tests' own questions."""
    day = timedelta(days=1)
    return [
        record("account.switched_off", subject=internship.intern, actor=admin, now=BEGAN, reason="left the lab"),
        record("review.accepted", subject=internship, actor=mentor, now=BEGAN + day, points={"method": 4}),
        record("lease.granted", subject=internship.cohort, actor=None, now=BEGAN + 2 * day, slot=7),
    ]


@pytest.mark.parametrize(
    ("wanted", "verbs"),
    [
        (Wanted(actor="ada", text="lab"), ["account.switched_off"]),
        (Wanted(actor="practicum"), ["lease.granted"]),
        (Wanted(area="review"), ["review.accepted"]),
        (Wanted(area="rev"), []),
        (Wanted(text="ACCEPTED METHOD"), ["review.accepted"]),
        (Wanted(text="internships.internship review"), ["review.accepted"]),
        (Wanted(text="nowhere"), []),
        (Wanted(first=date(2026, 3, 19)), ["lease.granted", "review.accepted"]),
        (Wanted(first=date(2026, 3, 19), last=date(2026, 3, 19)), ["review.accepted"]),
    ],
)
def test_it_is_narrowed_by_words_person_area_and_day(told: list[Record], wanted: Wanted, verbs: list[str]) -> None:
    mine = {row.pk for row in told}
    assert [row.verb for row in records.records(wanted) if row.pk in mine] == verbs


def test_its_page_shows_who_did_what_to_what_with_a_link(told: list[Record], client_of: Any, admin: Any) -> None:
    page = client_of(admin).get(reverse("portal:record"), {"area": "review"}).content.decode()

    assert "Mira Mentor" in page
    assert "review accepted" in page
    assert f'href="/internships/{told[1].object_id}/"' in page
    assert "left the lab" not in page


def test_what_is_on_record_is_text_and_runs_nothing(told: list[Record], client_of: Any, admin: Any) -> None:
    record("account.switched_on", subject=admin, actor=admin, now=BEGAN, reason="<script>alert(1)</script>")

    page = client_of(admin).get(reverse("portal:record")).content.decode()

    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_pages_follow_one_another_without_a_gap_while_more_is_written(
    told: list[Record], client_of: Any, admin: Any
) -> None:
    for number in range(ROWS_A_PAGE + 30):
        record("test.happened", subject=admin, actor=admin, now=BEGAN, number=number)
    client, address = client_of(admin), reverse("portal:record")
    first = client.get(address, {"area": "test"})
    record("test.happened", subject=admin, actor=admin, now=BEGAN, number=1_000)
    second = client.get(address, {"area": "test", "before": first.context["further"]})

    numbers = [row.facts["number"] for page in (first, second) for row, _ in page.context["lines"]]
    assert numbers == list(range(ROWS_A_PAGE + 29, -1, -1))
    assert second.context["further"] is None


@pytest.mark.parametrize("asked", [{"first": "2026-03-19", "last": "2026-03-18"}, {"first": "soon"}, {"area": "none"}])
def test_what_cannot_be_asked_is_said_and_no_file_of_everything_is_given(
    told: list[Record], client_of: Any, admin: Any, asked: dict[str, str]
) -> None:
    client = client_of(admin)

    assert client.get(reverse("portal:record"), asked).status_code == 400
    assert client.get(reverse("portal:record_csv"), asked).status_code == 400


@pytest.mark.parametrize("before", ["x", "-1", "9" * 40, "1e3"])
def test_a_page_that_does_not_exist_is_the_first(told: list[Record], client_of: Any, admin: Any, before: str) -> None:
    page = client_of(admin).get(reverse("portal:record"), {"before": before})

    assert page.status_code == 200
    assert len(page.context["lines"]) >= len(told)


def test_it_is_taken_away_as_csv_that_no_spreadsheet_runs_and_as_json_and_that_is_on_record(
    told: list[Record], client_of: Any, admin: Any
) -> None:
    record("=cmd()", subject=admin, actor=None, now=BEGAN)
    client = client_of(admin)

    table = list(csv.DictReader(io.StringIO(body(client.get(reverse("portal:record_csv"), {"area": "review"})))))
    lines = body(client.get(reverse("portal:record_json"), {"area": "review"})).splitlines()

    row = json.loads(lines[0])
    assert (len(table), len(lines)) == (1, 1)
    assert row == {
        "number": told[1].pk, "at": "2026-03-19T10:00:00.000Z", "actor": "mira", "verb": "review.accepted",
        "object_type": "internships.internship", "object_id": told[1].object_id, "facts": {"points": {"method": 4}},
    }  # fmt: skip
    assert {**table[0], "facts": json.loads(table[0]["facts"]), "number": row["number"]} == row
    whole = body(client.get(reverse("portal:record_csv")))
    assert ",'=cmd()," in whole
    taken = Record.objects.filter(verb="record.exported", actor=admin)
    assert [entry.facts for entry in taken.order_by("pk")] == [
        {"kind": "csv", "area": "review"}, {"kind": "jsonl", "area": "review"}, {"kind": "csv"}
    ]  # fmt: skip


def body(answer: Any) -> str:
    """What a streamed answer came to."""
    assert answer.status_code == 200
    return b"".join(answer.streaming_content).decode()


def test_everybody_may_read_who_may_do_what(client_of: Any, intern: Any) -> None:
    page = client_of(intern).get(reverse("portal:permissions")).content.decode()

    assert "Decide, take a decision back, settle a thread" in page

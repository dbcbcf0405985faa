"""The admin's matrix: what is typed is kept, what is refused is said beside it, and nobody overwrites unseen."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date, timedelta
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import localdate

from practicum.audit.models import Record
from practicum.gpus.models import Pool, Quota
from practicum.internships.models import Cohort
from tests.unit.gpus.conftest import make_slots

PATH = "/gpus/quotas/"
FIELDS = (
    "guaranteed",
    "weight",
    "borrowing_limit",
    "lending_limit",
    "per_intern",
    "session_hours",
    "from_on",
    "to_on",
)


@pytest.fixture
def pool(db: None) -> Pool:
    """Eight GPUs."""
    return make_slots(8)[0].pool


@pytest.fixture
def cohorts(db: None) -> list[Cohort]:
    """Three cohorts in progress today."""
    today = localdate()
    return [
        Cohort.objects.create(
            slug=name.lower(), name=name, starts_on=today - timedelta(days=9), ends_on=today + timedelta(days=60)
        )
        for name in ("Alder", "Birch", "Cedar")
    ]


@pytest.fixture
def client(admin: Any, client_of: Callable[[Any], Client]) -> Client:
    """The admin's."""
    return client_of(admin)


def sheet_of(page: str) -> dict[str, str]:
    """The fields of the page as a browser would send them back."""
    fields: dict[str, str] = {}
    for tag in re.findall(r"<input[^>]*>", page):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if name and name[1] != "csrfmiddlewaretoken":
            fields[name[1]] = unescape(value[1]) if value else ""
    return fields


def open_sheet(client: Client) -> dict[str, str]:
    return sheet_of(client.get(PATH).content.decode())


def name(cohort: Cohort, pool: Pool, field: str = "guaranteed") -> str:
    return f"q{cohort.pk}-{pool.pk}-{field}"


def test_quotas_are_filled_in_and_shown_again(client: Client, pool: Pool, cohorts: list[Cohort]) -> None:
    sheet = open_sheet(client)
    assert set(sheet) == {"seen"} | {name(cohort, pool, field) for cohort in cohorts for field in FIELDS}
    values = ("4", "2.5", "3", "1", "2", "8", "2026-01-01", "2040-01-01")
    sheet |= {name(cohorts[0], pool, field): value for field, value in zip(FIELDS, values, strict=True)}
    sheet |= {name(cohorts[1], pool): "3"}

    answer = client.post(PATH, sheet, follow=True)

    page = answer.content.decode()
    assert "2 quotas are changed." in page
    assert "<b data-sum>7</b> of 8 slots guaranteed" in page
    assert {key: value for key, value in sheet_of(page).items() if key != "seen"} == {
        key: value for key, value in (sheet | {name(cohorts[1], pool, "weight"): "1"}).items() if key != "seen"
    }
    first, second = Quota.objects.order_by("pk")
    assert (first.weight, first.session_hours, first.from_on) == (2.5, 8, date(2026, 1, 1))
    assert (second.guaranteed, second.weight, second.lending_limit) == (3, 1.0, None)


def test_saving_what_is_there_changes_nothing(client: Client, pool: Pool, cohorts: list[Cohort]) -> None:
    Quota.objects.create(cohort=cohorts[0], pool=pool, guaranteed=2, weight=1 / 3, to_on=date(2040, 1, 1))
    answer = client.post(PATH, open_sheet(client), follow=True)
    assert "Nothing was changed." in answer.content.decode()
    assert not Record.objects.exists()


def test_an_impossible_sum_is_refused_beside_its_column_and_what_was_typed_stays(
    client: Client, pool: Pool, cohorts: list[Cohort]
) -> None:
    sheet = open_sheet(client)
    sheet |= {name(cohort, pool): count for cohort, count in zip(cohorts, "432", strict=True)}
    begins = localdate() + timedelta(days=3)
    sheet[name(cohorts[2], pool, "from_on")] = begins.isoformat()

    answer = client.post(PATH, sheet)

    page = answer.content.decode()
    assert answer.status_code == 400
    head = page[page.index("<thead>") : page.index("</thead>")]
    assert f"4 + 3 + 2 = 9 slots are guaranteed on {begins.day} {begins:%B}" in head
    assert "and the pool has 8." in head
    again = sheet_of(page)
    assert again == sheet
    assert not Quota.objects.exists()

    again[name(cohorts[2], pool)] = "1"
    assert client.post(PATH, again).status_code == 302
    assert Quota.objects.count() == 3


@pytest.mark.parametrize(
    ("typed", "field", "sentence"),
    [
        ({"guaranteed": "four"}, "guaranteed", "Enter a whole number."),
        ({"guaranteed": "-1"}, "guaranteed", "Choose 0 to 10000 slots."),
        ({"guaranteed": "1", "weight": "0"}, "weight", "A weight is above 0"),
        ({"guaranteed": "1", "weight": "nan"}, "weight", "Enter a number."),
        ({"weight": "2"}, "guaranteed", "Write 0 to guarantee nothing"),
        ({"guaranteed": "1", "lending_limit": "2"}, "lending_limit", "2 can&#x27;t be lent: 1 is guaranteed."),
        ({"guaranteed": "1", "per_intern": "0"}, "per_intern", "one slot at least"),
        ({"guaranteed": "1", "session_hours": "169"}, "session_hours", "Choose 1 to 168 hours."),
        ({"guaranteed": "1", "from_on": "soon"}, "from_on", "Enter a valid date."),
        ({"guaranteed": "1", "borrowing_limit": "9" * 40}, "borrowing_limit", "Choose 0 to 10000 slots."),
    ],
)
def test_what_cannot_be_used_is_said_beside_its_field_in_an_open_cell(
    client: Client, pool: Pool, cohorts: list[Cohort], typed: dict[str, str], field: str, sentence: str
) -> None:
    sheet = open_sheet(client) | {name(cohorts[1], pool, key): value for key, value in typed.items()}

    answer = client.post(PATH, sheet)

    page = answer.content.decode()
    assert answer.status_code == 400
    told = re.search(rf'id="id_{name(cohorts[1], pool, field)}_error"><li>([^<]*)', page)
    assert told
    assert sentence in told[1]
    assert ('<details class="more" open>' in page) == (field not in ("guaranteed", "weight"))
    assert sheet_of(page) == sheet
    assert not Quota.objects.exists()


def test_clearing_a_cell_takes_its_quota_away(client: Client, pool: Pool, cohorts: list[Cohort]) -> None:
    Quota.objects.create(cohort=cohorts[0], pool=pool, guaranteed=2, per_intern=1)
    sheet = open_sheet(client)

    half = sheet | {name(cohorts[0], pool): ""}
    assert client.post(PATH, half).status_code == 400
    empty = sheet | {name(cohorts[0], pool, field): "" for field in FIELDS}
    answer = client.post(PATH, empty, follow=True)

    assert "One quota is changed." in answer.content.decode()
    assert not Quota.objects.exists()


def test_of_two_admins_the_second_is_told_and_nothing_is_lost(
    client: Client, pool: Pool, cohorts: list[Cohort]
) -> None:
    mine, theirs = open_sheet(client), open_sheet(client)
    theirs |= {name(cohorts[0], pool): "5", name(cohorts[1], pool): "1"}
    client.post(PATH, theirs)
    mine |= {name(cohorts[0], pool): "2", name(cohorts[2], pool): "1"}

    answer = client.post(PATH, mine)

    page = answer.content.decode()
    assert answer.status_code == 409
    assert page.count("Somebody else changed this meanwhile") == 1
    assert "5 guaranteed, weight 1 now" in page
    again = sheet_of(page)
    assert [again[name(cohort, pool)] for cohort in cohorts] == ["2", "1", "1"]
    assert {row.cohort.slug: row.guaranteed for row in Quota.objects.all()} == {"alder": 5, "birch": 1}

    assert client.post(PATH, again).status_code == 302
    assert {row.cohort.slug: row.guaranteed for row in Quota.objects.all()} == {"alder": 2, "birch": 1, "cedar": 1}


def test_changes_of_two_admins_in_different_cells_are_both_kept(
    client: Client, pool: Pool, cohorts: list[Cohort]
) -> None:
    mine, theirs = open_sheet(client), open_sheet(client)
    client.post(PATH, theirs | {name(cohorts[0], pool): "5"})
    assert client.post(PATH, mine | {name(cohorts[1], pool): "2"}).status_code == 302
    assert {row.cohort.slug: row.guaranteed for row in Quota.objects.all()} == {"alder": 5, "birch": 2}


@pytest.mark.parametrize(
    "seen",
    ["", "{", "[]", "7", '{"a": null}', '{"1": null}', '{"1-1": 3}', '{"1-1": {"guaranteed": 1}}', "[" * 9000],
)
def test_a_page_that_cannot_be_read_back_changes_nothing(
    client: Client, pool: Pool, cohorts: list[Cohort], seen: str
) -> None:
    sheet = open_sheet(client) | {name(cohorts[0], pool): "1", "seen": seen}
    assert client.post(PATH, sheet).status_code == 400
    assert not Quota.objects.exists()


def test_a_form_that_lost_its_fields_takes_no_quota_away(client: Client, pool: Pool, cohorts: list[Cohort]) -> None:
    Quota.objects.create(cohort=cohorts[0], pool=pool, guaranteed=2)
    assert client.post(PATH, {"seen": open_sheet(client)["seen"]}).status_code == 400
    assert Quota.objects.exists()


def test_a_made_up_found_value_is_told_as_a_change_of_somebody_else(
    client: Client, pool: Pool, cohorts: list[Cohort]
) -> None:
    sheet = open_sheet(client)
    seen = json.loads(sheet["seen"])
    seen[f"{cohorts[0].pk}-{pool.pk}"] = {"guaranteed": "DROP", "from_on": None, "to_on": None}
    assert client.post(PATH, sheet | {"seen": json.dumps(seen)}).status_code == 409


def test_without_pools_or_cohorts_the_page_says_what_to_do(client: Client) -> None:
    assert "There are no slots to divide yet" in client.get(PATH).content.decode()
    make_slots(1)
    assert "There is no cohort to divide them between" in client.get(PATH).content.decode()


def test_a_cohort_that_is_over_but_still_guaranteed_is_marked(
    client: Client, pool: Pool, cohorts: list[Cohort]
) -> None:
    Cohort.objects.filter(pk=cohorts[0].pk).update(ends_on=localdate() - timedelta(days=1))
    assert "Alder" not in client.get(PATH).content.decode()
    Quota.objects.create(cohort=cohorts[0], pool=pool, guaranteed=2)
    assert "This cohort is over, and its guarantee still counts." in client.get(PATH).content.decode()


def test_a_pool_that_lost_slots_says_so(client: Client, pool: Pool, cohorts: list[Cohort]) -> None:
    Quota.objects.create(cohort=cohorts[0], pool=pool, guaranteed=6)
    pool.slots.filter(index__gte=5).update(is_present=False)
    pool.slots.filter(index=0).update(fault="XID 79")
    page = client.get(PATH).content.decode()
    assert "6 slots are guaranteed today, and the pool has 5." in page
    assert "1 out of order" in page


def test_the_page_asks_as_many_questions_for_many_as_for_few(client: Client, pool: Pool, cohorts: list[Cohort]) -> None:
    with CaptureQueriesContext(connection) as few:
        client.get(PATH)
    today = localdate()
    for number in range(12):
        cohort = Cohort.objects.create(
            slug=f"c{number}", name=f"C{number}", starts_on=today, ends_on=today + timedelta(days=9)
        )
        Quota.objects.create(cohort=cohort, pool=pool, guaranteed=0)
    with CaptureQueriesContext(connection) as many:
        assert client.get(PATH).status_code == 200
    assert len(many) == len(few)


def test_a_matrix_of_a_hundred_cells_can_be_sent(client: Client, pool: Pool, cohorts: list[Cohort]) -> None:
    today = localdate()
    Cohort.objects.bulk_create(
        Cohort(slug=f"c{number}", name=f"C{number}", starts_on=today, ends_on=today + timedelta(days=9))
        for number in range(97)
    )
    assert client.post(PATH, open_sheet(client) | {name(cohorts[0], pool): "1"}).status_code == 302

"""Dividing slots and reserving them, in Chromium: the arithmetic as it is typed, conflicts before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils.timezone import localdate, localtime
from playwright.sync_api import expect

from practicum.gpus import reservations
from practicum.gpus.models import Pool, Quota, Reservation, Slot
from practicum.internships.models import Cohort
from practicum.lib.clock import utc_now
from tests.browser.conftest import faults_on_a_phone
from tests.tools.accessibility import faults_of
from tests.unit.gpus.conftest import make_slots

pytestmark = pytest.mark.browser


@pytest.fixture
def pool(people: dict[str, Any]) -> Pool:
    """Eight GPUs, and three cohorts in progress today."""
    today = localdate()
    Cohort.objects.update(ends_on=today + timedelta(days=60))
    people["internship"].cohort.refresh_from_db()
    for name in ("Autumn", "Winter"):
        Cohort.objects.create(slug=name.lower(), name=name, starts_on=today, ends_on=today + timedelta(days=60))
    return make_slots(8)[0].pool


def next_tuesday() -> Any:
    today = localdate()
    return today + timedelta(days=(1 - today.weekday()) % 7 or 7)


def reserve(pool: Pool, *, admin: Any, slots: int) -> Reservation:
    """Autumn has slots on Tuesday, 17:00 to 19:00."""
    start = localtime().replace(
        **{name: getattr(next_tuesday(), name) for name in ("year", "month", "day")},
        hour=17,
        minute=0,
        second=0,
        microsecond=0,
    )
    row = reservations.request_reservation(
        admin,
        cohort=Cohort.objects.get(slug="autumn"),
        pool=pool,
        slots=slots,
        starts_at=start,
        ends_at=start + timedelta(hours=2),
        purpose="Exam",
        now=utc_now(),
    )
    return reservations.decide_reservation(row.pk, is_granted=True, answer="", actor=admin, now=utc_now())


def test_an_admin_divides_the_slots_and_a_class_gets_its_hour(
    pool: Pool, people: dict[str, Any], visit: Callable[..., Any]
) -> None:
    spring = people["internship"].cohort
    autumn, winter = Cohort.objects.get(slug="autumn"), Cohort.objects.get(slug="winter")
    reserve(pool, admin=people["admin"], slots=4)

    # The admin fills in the matrix, and is refused with the arithmetic.
    admin = visit("admin")
    page = admin.go("/gpus/quotas/")
    head = page.locator("[data-pool]")
    for cohort, count in ((spring, "4"), (autumn, "3"), (winter, "2")):
        page.locator(f"[name='q{cohort.pk}-{pool.pk}-guaranteed']").fill(count)
    expect(head).to_contain_text("9 of 8 slots guaranteed")
    expect(head).to_contain_text("4 + 3 + 2 = 9 slots are guaranteed today, and the pool has 8.")
    page.get_by_role("button", name="Save the quotas").click()
    page.get_by_text("Nothing is saved yet.").wait_for()
    expect(head).to_contain_text("4 + 3 + 2 = 9 slots are guaranteed today, and the pool has 8.")
    assert not Quota.objects.exists()

    # What was typed is still there; a smaller number is saved.
    assert page.locator(f"[name='q{spring.pk}-{pool.pk}-guaranteed']").input_value() == "4"
    page.locator(f"[name='q{winter.pk}-{pool.pk}-guaranteed']").fill("1")
    expect(head).to_contain_text("8 of 8 slots guaranteed")
    expect(head).not_to_contain_text("9 slots")
    page.get_by_role("button", name="Save the quotas").click()
    page.get_by_text("3 quotas are changed.").wait_for()
    assert list(Quota.objects.order_by("cohort_id").values_list("guaranteed", flat=True)) == [4, 3, 1]

    # The mentor asks for six on Tuesday evening, sees the conflict before anything is sent, and asks for fewer.
    mentor = visit("mentor")
    page = mentor.go("/")
    page.get_by_role("link", name="Reservations").click()
    page.get_by_role("link", name="Ask for slots").click()
    page.get_by_label("Day").fill(next_tuesday().isoformat())
    page.get_by_label("From").fill("18:00")
    page.get_by_label("To", exact=True).fill("20:00")
    page.get_by_label("What it is for").fill("Class")
    page.get_by_label("Slots").fill("6")
    page.get_by_label("Slots").press("Tab")
    prospect = page.locator("#prospect")
    expect(prospect).to_contain_text(
        "18:00 to 19:00: 6 + 4 (Autumn, granted) = 10 slots, and the pool has 8: 2 too many."
    )
    expect(prospect.get_by_role("button", name="Ask for it")).to_have_count(0)
    assert Reservation.objects.count() == 1
    page.get_by_label("Slots").fill("4")
    page.get_by_label("Slots").press("Tab")
    expect(prospect).to_contain_text("The guarantee of Winter (1) can't be met in that time: 1 short.")
    prospect.get_by_role("button", name="Ask for it").click()
    page.get_by_text("Asked for. The answer of an admin shows here.").wait_for()

    # The admin sees what it meets and grants it with a sentence, which the mentor reads.
    page = admin.go("/reservations/")
    expect(page.get_by_role("main")).to_contain_text("1 short.")
    page.get_by_role("link", name="Answer the request of Mira Mentor for Spring 2026").click()
    page.get_by_role("textbox", name="Your answer").fill("Have fun.")
    page.get_by_role("button", name="Grant it").click()
    page.get_by_text("It is granted.").wait_for()
    page = mentor.go("/reservations/")
    expect(page.get_by_role("main")).to_contain_text("Ada Admin: Have fun.")

    # The mentor's calendar has it.
    address = page.locator(".feed-address").inner_text()
    text = Client().get("/reservations/" + address.split("/reservations/")[1]).content.decode()
    assert "SUMMARY:4 × H100 for Spring 2026\r\n" in text
    assert "STATUS:CONFIRMED\r\n" in text
    assert f"DTSTART:{next_tuesday():%Y%m%d}T180000Z\r\n" in text
    refused = "the server responded with a status of 400 (Bad Request)"
    assert [said for said in admin.complaints if refused not in said] == []
    assert mentor.complaints == []


def test_without_scripts_a_check_shows_the_conflict_and_a_second_step_asks(
    pool: Pool, people: dict[str, Any], visit: Callable[..., Any]
) -> None:
    reserve(pool, admin=people["admin"], slots=4)
    page = visit("mentor", scripts=False).go("/reservations/new/")
    page.get_by_label("Day").fill(next_tuesday().isoformat())
    page.get_by_label("From").fill("18:00")
    page.get_by_label("To", exact=True).fill("20:00")
    page.get_by_label("Slots").fill("6")
    page.get_by_label("What it is for").fill("Class")
    page.get_by_label("What it is for").press("Enter")
    page.get_by_text("2 too many.").wait_for()
    page.get_by_label("Slots").fill("4")
    page.get_by_role("button", name="Check").click()
    page.get_by_role("button", name="Ask for it").click()
    page.get_by_text("Asked for.").wait_for()
    assert Reservation.objects.filter(slots=4, state="requested").count() == 1


@pytest.mark.parametrize(
    ("who", "paths"),
    [
        ("admin", ["/gpus/quotas/", "/reservations/", "/reservations/{waiting}/"]),
        ("mentor", ["/reservations/", "/reservations/new/", "/reservations/{waiting}/"]),
    ],
)
def test_the_pages_are_quiet_and_fit_a_phone(
    pool: Pool, people: dict[str, Any], visit: Callable[..., Any], who: str, paths: list[str]
) -> None:
    reserve(pool, admin=people["admin"], slots=4)
    waiting = reservations.request_reservation(
        people["mentor"],
        cohort=people["internship"].cohort,
        pool=pool,
        slots=3,
        starts_at=utc_now() + timedelta(hours=1),
        ends_at=utc_now() + timedelta(hours=9),
        purpose="x" * 200,
        now=utc_now(),
    )
    there = [path.format(waiting=waiting.pk) for path in paths]
    assert faults_on_a_phone(visit, who, there, unfolded=True) == []
    assert faults_of(visit(who).go(f"/reservations/{waiting.pk}/")) == []


def test_a_cell_is_cleared_and_its_sum_follows(pool: Pool, people: dict[str, Any], visit: Callable[..., Any]) -> None:
    spring = people["internship"].cohort
    Quota.objects.create(cohort=spring, pool=pool, guaranteed=4, per_intern=1, from_on=localdate())
    page = visit("admin").go("/gpus/quotas/")
    page.get_by_text("Limits and days").first.click()
    page.get_by_role("button", name="Clear this cell").first.click()
    expect(page.locator("[data-pool]")).to_contain_text("0 of 8 slots guaranteed")
    page.get_by_role("button", name="Save the quotas").click()
    page.get_by_text("One quota is changed.").wait_for()
    assert not Quota.objects.exists()


def test_the_script_and_the_server_say_the_same_sum_for_a_day_to_come(
    pool: Pool, people: dict[str, Any], visit: Callable[..., Any]
) -> None:
    spring, winter = people["internship"].cohort, Cohort.objects.get(slug="winter")
    Quota.objects.create(cohort=spring, pool=pool, guaranteed=6, from_on=localdate(), to_on=localdate())
    Quota.objects.create(cohort=Cohort.objects.get(slug="autumn"), pool=pool, guaranteed=5, from_on=next_tuesday())
    page = visit("admin").go("/gpus/quotas/")
    cell = page.locator("fieldset", has=page.locator(f"[name='q{winter.pk}-{pool.pk}-guaranteed']"))
    cell.locator("summary").click()
    cell.get_by_label("Guaranteed").fill("4")
    begins = next_tuesday() + timedelta(days=400)
    cell.get_by_label("From").fill(begins.isoformat())

    told = page.locator("[data-overrun]")
    expect(told).not_to_be_empty()
    sentence = told.inner_text()
    page.get_by_role("button", name="Save the quotas").click()

    expect(page.locator("[data-refusal]")).to_have_text(sentence)
    assert sentence == (f"5 + 4 = 9 slots are guaranteed on {begins.day} {begins:%B %Y}, and the pool has 8.")
    expect(page.locator("[data-pool]")).to_contain_text(f"6 of 8 slots guaranteed, 9 on {begins.day} {begins:%B %Y}")


def test_the_script_and_the_server_count_shared_slots_in_whole_gpus(
    pool: Pool, people: dict[str, Any], visit: Callable[..., Any]
) -> None:
    for n, slot in enumerate(Slot.objects.order_by("pk")):
        Slot.objects.filter(pk=slot.pk).update(uuid=f"GPU-{n // 4}", part=n % 4, parts=4)
    page = visit("admin").go("/gpus/quotas/")
    for cohort in Cohort.objects.all():
        page.locator(f"[name='q{cohort.pk}-{pool.pk}-guaranteed']").fill("2")
    sentence = (
        "2 + 2 + 2 = 6 slots are guaranteed today. One cohort at a time uses the 4 slots of a GPU: "
        "1 + 1 + 1 = 3 GPUs are needed, and the pool has 2."
    )
    expect(page.locator("[data-overrun]")).to_have_text(sentence)
    page.get_by_role("button", name="Save the quotas").click()
    expect(page.locator("[data-refusal]")).to_have_text(sentence)
    assert not Quota.objects.exists()

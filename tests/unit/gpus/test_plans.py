"""The planner: who may ask, one result whoever dies, and pages that say what came of it and set nothing."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from practicum.audit.models import Record
from practicum.errors import Conflict, Forbidden, NotFound, Stale
from practicum.gpus import plan_rules, plan_runner, plans, tasks
from practicum.gpus.models import Plan, Quota, Slot
from practicum.gpus.plan_rules import Question, Setting, idle_rules
from practicum.gpus.quota_rules import Terms
from practicum.gpus.replay import IdleRule
from practicum.internships.models import Cohort
from practicum.lib.clock import utc_now
from tests.unit.gpus.conftest import make_slots
from tests.unit.gpus.past import fill_past, make_people
from tests.unit.gpus.test_quotas_page import sheet_of

PATH = "/gpus/plan/"
SECOND = timedelta(seconds=1)


@pytest.fixture
def slots(admin: Any) -> list[Slot]:
    """Two GPUs that two cohorts crowded on for more than a week."""
    now = utc_now()
    slots = make_slots(2)
    day = now.date()
    cohorts = [
        Cohort.objects.create(slug=name.lower(), name=name, starts_on=day, ends_on=day + timedelta(days=60))
        for name in ("Alder", "Birch")
    ]
    fill_past(160, slots=slots, people=make_people(12), cohorts=cohorts, until=now)
    return slots


@pytest.fixture
def question(slots: list[Slot]) -> Question:
    """One week; two slots as it is, four as planned, and a guarantee for Alder."""
    pool, alder = slots[0].pool_id, Cohort.objects.get(slug="alder").pk
    planned = Setting({pool: 4}, {(alder, pool): Terms(guaranteed=2)}, idle_minutes=30)
    return Question(1, Setting({pool: 2}, {}), planned)


@pytest.fixture
def client(admin: Any, client_of: Callable[[Any], Client]) -> Client:
    """The admin's."""
    return client_of(admin)


def ask(question: Question, admin: Any) -> Plan:
    return plans.ask_plan(question, actor=admin, now=utc_now())


def test_a_plan_is_asked_replayed_and_answered_once(question: Question, admin: Any) -> None:
    plan = ask(question, admin)
    assert tasks.claim_and_plan(utc_now())
    assert not tasks.claim_and_plan(utc_now())
    plan.refresh_from_db()
    assert (plan.state, plan.part, plan.token) == ("done", 1.0, 1)
    assert plan.result["after"]["waits"]["mean"] <= plan.result["before"]["waits"]["mean"]
    assert list(Record.objects.order_by("pk").values_list("verb", flat=True)) == ["plan.asked", "plan.done"]
    assert not Quota.objects.exists()


def test_the_present_setting_gives_the_same_on_both_sides(question: Question) -> None:
    same = Question(1, question.present, question.present)
    answer = plan_runner.answer(same, asked_at=utc_now())
    assert answer["before"] == answer["after"]
    assert answer["before"]["waits"]["count"] > 0
    assert {line.verdict for line in plan_rules.lines_of(answer["before"], answer["after"])} == {"same"}
    assert Question.from_json(question.to_json()) == question


def test_who_is_killed_is_followed_and_writes_nothing(question: Question, admin: Any) -> None:
    plan, now = ask(question, admin), utc_now()
    first = plans.claim_plan(now=now)
    assert first is not None
    assert plans.expire_plans(now=now + 44 * SECOND) == []
    assert plans.expire_plans(now=now + 46 * SECOND) == [plan.pk]
    second = plans.claim_plan(now=now + 47 * SECOND)
    assert second is not None
    assert (second.token, second.tries) == (2, 2)
    old, new = plans.PlanClaim(plan.pk, 1), plans.PlanClaim(plan.pk, 2)
    with pytest.raises(Stale):
        plans.beat(old, part=0.5, now=now)
    with pytest.raises(Stale):
        plans.finish_plan(old, result={"who": 1}, now=now)
    plans.finish_plan(new, result={"who": 2}, now=now)
    with pytest.raises(Stale):
        plans.finish_plan(new, result={"who": 3}, now=now)
    plan.refresh_from_db()
    assert plan.result == {"who": 2}
    assert Record.objects.filter(verb="plan.done").count() == 1


@pytest.mark.parametrize(
    ("claims", "later", "reason"),
    [
        (0, timedelta(hours=7), plans.NOBODY_CAME),
        (1, timedelta(minutes=31), plans.TOO_SLOW),
        (3, timedelta(seconds=46), plans.FELL_SILENT),
    ],
)
def test_every_plan_ends_with_a_reason(
    question: Question, admin: Any, claims: int, later: timedelta, reason: str
) -> None:
    plan, now = ask(question, admin), utc_now()
    for turn in range(claims):
        assert plans.claim_plan(now=now)
        if turn < claims - 1:
            now += 46 * SECOND
            plans.expire_plans(now=now)
    plans.expire_plans(now=now + later)
    plan.refresh_from_db()
    assert (plan.state, plan.reason) == ("failed", reason)
    assert plans.ask_again(plan.pk, actor=admin, now=utc_now()).question == plan.question


def test_a_fault_of_ours_ends_it_with_a_reason(question: Question, admin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise AssertionError("broken")

    monkeypatch.setattr(plan_runner, "play", broken)
    plan = ask(question, admin)
    tasks.claim_and_plan(utc_now())
    plan.refresh_from_db()
    assert (plan.state, plan.reason) == ("failed", plans.BROKE)


def test_a_cancelled_plan_stops_at_the_next_sign_of_life(question: Question, admin: Any) -> None:
    plan = ask(question, admin)
    looks = itertools.count()

    def clock() -> Any:
        look = next(looks)
        if look == 1:
            plans.cancel_plan(plan.pk, actor=admin, now=utc_now())
        return utc_now() + look * 3 * SECOND

    assert tasks.claim_and_plan(utc_now(), clock=clock)
    plan.refresh_from_db()
    assert (plan.state, plan.result, plan.reason) == ("cancelled", None, plans.TAKEN_BACK)


def test_who_may_ask_and_how_often(question: Question, admin: Any, mentor: Any) -> None:
    with pytest.raises(Forbidden):
        plans.ask_plan(question, actor=mentor, now=utc_now())
    plan = ask(question, admin)
    with pytest.raises(Conflict):
        ask(question, admin)
    with pytest.raises(Conflict):
        plans.ask_again(plan.pk, actor=admin, now=utc_now())
    plans.cancel_plan(plan.pk, actor=admin, now=utc_now())
    with pytest.raises(Conflict):
        plans.cancel_plan(plan.pk, actor=admin, now=utc_now())
    with pytest.raises(NotFound):
        plans.cancel_plan(plan.pk + 1, actor=admin, now=utc_now())
    with pytest.raises(Conflict):
        plans.ask_plan(Question(8, question.present, question.planned), actor=admin, now=utc_now())


def test_idle_rules_are_each_cohorts_own_unless_the_plan_has_others() -> None:
    own = {1: IdleRule(timedelta(minutes=45)), 2: IdleRule(timedelta(minutes=15), is_kept=True)}
    assert idle_rules(Setting({}, {}), own=own) == own
    always = idle_rules(Setting({}, {}, idle_minutes=30, is_idle_kept=False), own=own)
    assert set(always.values()) == {IdleRule(timedelta(minutes=30))}
    kept = idle_rules(Setting({}, {}, is_idle_kept=True), own=own)
    assert kept[1] == IdleRule(timedelta(minutes=45), is_kept=True)


def test_a_plan_may_suppose_that_idle_leases_stay_until_somebody_waits(client: Client, slots: list[Slot]) -> None:
    sheet = sheet_of(client.get(PATH).content.decode()) | {"weeks": "1", "is_idle_kept": "yes"}
    assert client.post(PATH, sheet).status_code == 302
    asked = Plan.objects.get().question
    assert (asked["present"]["is_idle_kept"], asked["planned"]["is_idle_kept"]) == (None, True)
    assert Question.from_json(asked).changes == 1
    again = client.get(f"{PATH}?from={Plan.objects.get().pk}").content.decode()
    assert '<option value="yes" selected>' in again


def test_the_page_asks_shows_and_leads_to_the_quotas(client: Client, slots: list[Slot]) -> None:
    alder, pool = Cohort.objects.get(slug="alder"), slots[0].pool
    sheet = sheet_of(client.get(PATH).content.decode())
    cell, count = f"q{alder.pk}-{pool.pk}-guaranteed", f"slots-{pool.pk}"
    assert sheet[count] == "2"
    sheet |= {"weeks": "1", cell: "3"}
    refused = client.post(PATH, sheet)
    assert refused.status_code == 400
    assert "3 slots are guaranteed today, and the pool has 2." in refused.content.decode()
    assert not Plan.objects.exists()
    wrong = client.post(PATH, sheet | {count: "many", "idle_minutes": "1"})
    assert wrong.status_code == 400
    assert sheet_of(wrong.content.decode())[count] == "many"
    assert "Choose 5 minutes or more." in wrong.content.decode()

    answer = client.post(PATH, sheet | {count: "4"}, follow=True)
    page = answer.content.decode()
    assert "In line" in page
    assert "every 2s" in page
    plan = Plan.objects.get()
    tasks.claim_and_plan(utc_now())
    page = client.get(f"{PATH}{plan.pk}/").content.decode()
    assert ">better</span>" in page
    assert "every 2s" not in page
    assert "Ada Admin" in client.get(PATH).content.decode()

    filled = client.get(f"/gpus/quotas/?plan={plan.pk}").content.decode()
    assert "filled in and not saved" in filled
    assert sheet_of(filled)[cell] == "3"
    assert not Quota.objects.exists()
    assert client.post("/gpus/quotas/", sheet_of(filled) | {cell: "2"}).status_code == 302
    assert Quota.objects.get().guaranteed == 2
    assert sheet_of(client.get(f"{PATH}?from={plan.pk}").content.decode())[count] == "4"
    assert client.get(f"{PATH}?from=x").status_code == 404
    assert client.get("/gpus/quotas/?plan=999").status_code == 404


def test_without_a_week_of_sessions_the_page_says_so(client: Client) -> None:
    make_slots(1)
    assert "needs a week of sessions" in client.get(PATH).content.decode()


@pytest.mark.parametrize(
    ("key", "before", "after", "verdict"),
    [
        ("violation_hours", 3, 1, "better"),
        ("violation_hours", 1, 3, "worse"),
        ("used_hours", 50, 60, "better"),
        ("used_hours", 50, 50.01, "same"),
        ("used", 0.5, 0.3, ""),
        ("asked_back", 4, 9, "worse"),
        ("worst_share", 0.9, 0.8, "worse"),
    ],
)
def test_better_worse_and_same(key: str, before: float, after: float, verdict: str) -> None:
    names = ("gave_up", "held_hours", "used_hours", "held", "used", "violation_hours", "asked_back", "worst_share")
    nothing = dict.fromkeys(names, 0.0) | {"waits": dict.fromkeys(("mean", "p50", "p95", "longest"), 0.0)}
    lines = plan_rules.lines_of(nothing | {key: before}, nothing | {key: after})
    assert {line.verdict for line in lines} == {"same", verdict}

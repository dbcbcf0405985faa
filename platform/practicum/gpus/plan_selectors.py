"""Questions about plans, and what the page of one shows. Only admins' pages ask these."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from practicum.errors import NotFound
from practicum.gpus import plan_rules
from practicum.gpus.models import Plan
from practicum.gpus.plan_rules import Question

PLANS_SHOWN = 20
SIDES = (("before", "As it is"), ("after", "As planned"))
HOUR_PLOTS = (
    ("held", "Slots held by hour of the day"),
    ("used", "Slots at work by hour of the day"),
    ("waiting", "People in line by hour of the day"),
)


def past_plans() -> QuerySet[Plan]:
    """The last plans, the newest first, with who asked."""
    return Plan.objects.select_related("asked_by").defer("result").order_by("-asked_at", "-pk")[:PLANS_SHOWN]


def plan_of(plan_id: int) -> Plan:
    """The plan with who asked.

    Raises:
        NotFound: there is none.
    """
    plan = Plan.objects.select_related("asked_by").filter(pk=plan_id).first()
    if plan is None:
        raise NotFound
    return plan


def plan_named(written: str) -> Plan:
    """The plan of a number that stands in an address.

    Raises:
        NotFound: it is no number, or there is no such plan.
    """
    if not (written.isascii() and written.isdigit() and len(written) < 10):
        raise NotFound
    return plan_of(int(written))


def comparison(plan: Plan) -> dict[str, Any]:
    """What the page of a plan that is done shows: lines, cohorts, plots."""
    result = plan.result or {}
    before, after = result["before"], result["after"]
    plots = [(f"plan-{key}", title, _hour_plot(result, key=key)) for key, title in HOUR_PLOTS]
    return {
        "result": result,
        "lines": plan_rules.lines_of(before, after),
        "cohorts": plan_rules.cohort_lines(before, after),
        "lengths": [said for _, said in plan_rules.LENGTHS],
        "really": [plan_rules.minutes(result["really"][key]) for key, _ in plan_rules.LENGTHS],
        "measured_share": plan_rules.share(result["measured_hours"] / max(result["held_hours"], 1e-9)),
        "plots": [("plan-waits", "Waiting by cohort, mean minutes", _cohort_plot(result)), *plots],
        "is_unchanged": Question.from_json(plan.question).changes == 0,
    }


def _cohort_plot(result: dict[str, Any]) -> dict[str, Any]:
    after = {row["cohort"]: row["waits"]["mean"] for row in result["after"]["cohorts"]}
    rows = [row for row in result["before"]["cohorts"] if row["cohort"] in after]
    pairs = [[row["waits"]["mean"] for row in rows], [after[row["cohort"]] for row in rows]]
    return _plot([row["name"] for row in rows], pairs=pairs, what="Cohort")


def _hour_plot(result: dict[str, Any], *, key: str) -> dict[str, Any]:
    pairs = [[row[key] for row in result[side]["by_hour"]] for side, _ in SIDES]
    return _plot([f"{hour:02d}:00" for hour in range(len(pairs[0]))], pairs=pairs, what="Hour")


def _plot(labels: list[str], *, pairs: list[list[float]], what: str) -> dict[str, Any]:
    colours = ("muted", "chart-1")
    series = [
        {"label": said, "values": [round(value, 2) for value in values], "colour": colour}
        for (_, said), values, colour in zip(SIDES, pairs, colours, strict=True)
    ]
    rows = [
        {"hour": label, "written": [f"{value:.2f}" for value in row]}
        for label, *row in zip(labels, *pairs, strict=True)
    ]
    return {"kind": "usage", "hours": labels, "series": series, "rows": rows, "side_by_side": True, "what": what}

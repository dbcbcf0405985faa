"""The admin's planner: what the last weeks' demand would have met under other quotas. Nothing is set here."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.timezone import localdate
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from practicum.accounts.access import PersonRequest, admins_only
from practicum.errors import Conflict
from practicum.gpus import plan_selectors, plans
from practicum.gpus.demand import weeks_known
from practicum.gpus.models import PlanState
from practicum.gpus.plan_forms import Desk
from practicum.gpus.plan_rules import Question
from practicum.gpus.quota_selectors import grid
from practicum.lib.clock import utc_now


@admins_only
@require_http_methods(["GET", "POST"])
def planner(request: PersonRequest) -> HttpResponse:
    """The form of a plan and the last plans; with ``?from=`` the form is filled in as that plan had it."""
    today, known = localdate(), weeks_known(now=utc_now())
    if request.method != "POST":
        like = plan_selectors.plan_named(request.GET["from"]) if "from" in request.GET else None
        question = None if like is None else Question.from_json(like.question)
        return _page(request, Desk.opened(grid(today=today), today=today, known=known, like=question), known=known)
    desk = Desk.sent(grid(today=today), today=today, known=known, sent=request.POST)
    asked = desk.question()
    if asked is None:
        return _page(request, desk, known=known, status=400)
    try:
        plan = plans.ask_plan(asked, actor=request.user, now=utc_now())
    except Conflict as refusal:
        desk.plan.add_error(None, refusal.message)
        return _page(request, desk, known=known, status=refusal.status)
    return redirect("gpus:plan", plan.pk)


def _page(request: PersonRequest, desk: Desk, *, known: int, status: int = 200) -> HttpResponse:
    facts: dict[str, Any] = {
        "desk": desk,
        "sheet": desk.sheet,
        "form": desk.plan,
        "today": desk.today,
        "known": known,
        "past": plan_selectors.past_plans(),
    }
    return render(request, "gpus/planner.html", facts, status=status)


@admins_only
@require_GET
def plan(request: PersonRequest, plan_id: int) -> HttpResponse:
    """How far it is or what came of it."""
    row = plan_selectors.plan_of(plan_id)
    facts = {"plan": row, "question": Question.from_json(row.question), "percent": round(100 * row.part)}
    if row.state == PlanState.DONE:
        facts |= plan_selectors.comparison(row)
    return render(request, "gpus/plan.html", facts)


@admins_only
@require_POST
def cancel(request: PersonRequest, plan_id: int) -> HttpResponse:
    """Replay it no further."""
    plans.cancel_plan(plan_id, actor=request.user, now=utc_now())
    messages.success(request, "The plan is cancelled.")
    return redirect("gpus:plan", plan_id)


@admins_only
@require_POST
def again(request: PersonRequest, plan_id: int) -> HttpResponse:
    """Ask the same once more."""
    return redirect("gpus:plan", plans.ask_again(plan_id, actor=request.user, now=utc_now()).pk)

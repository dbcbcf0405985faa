"""The admin's matrix: what each cohort may have of each pool."""

from __future__ import annotations

from datetime import date

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.timezone import localdate
from django.views.decorators.http import require_http_methods

from practicum.accounts.access import PersonRequest, admins_only
from practicum.gpus.models import Plan
from practicum.gpus.plan_rules import Question
from practicum.gpus.plan_selectors import plan_named
from practicum.gpus.quota_forms import Sheet, filled
from practicum.gpus.quota_selectors import grid
from practicum.gpus.quotas import QuotasMoved, UnfitQuotas, set_quotas
from practicum.lib.clock import utc_now


@admins_only
@require_http_methods(["GET", "POST"])
def quotas(request: PersonRequest) -> HttpResponse:
    """The matrix, and saving what was changed in it: all of it or nothing."""
    today = localdate()
    if request.method != "POST":
        return _page(request, *_opened(request, today=today))
    sheet = Sheet(grid(today=today), today=today, sent=request.POST)
    if not sheet.is_valid():
        return _page(request, sheet, status=400)
    changes = sheet.changes()
    try:
        count = set_quotas(changes, actor=request.user, now=utc_now())
    except UnfitQuotas as refusal:
        sheet.tell(refusal)
        return _page(request, sheet, status=refusal.status)
    except QuotasMoved as refusal:
        mine = {change.cell for change in changes}
        sheet = Sheet(grid(today=today), today=today, sent=request.POST, kept=mine)
        sheet.tell_moved(refusal)
        return _page(request, sheet, status=refusal.status)
    said = {0: "Nothing was changed.", 1: "One quota is changed."}
    messages.success(request, said.get(count, f"{count} quotas are changed."))
    return redirect("gpus:quotas")


def _opened(request: PersonRequest, *, today: date) -> tuple[Sheet, Plan | None]:
    """The matrix as it is; with ``?plan=`` as that plan has it, not yet saved."""
    plan = plan_named(request.GET["plan"]) if "plan" in request.GET else None
    if plan is None:
        return Sheet(grid(today=today), today=today), None
    return filled(grid(today=today), today=today, terms=Question.from_json(plan.question).planned.quotas), plan


def _page(request: PersonRequest, sheet: Sheet, plan: Plan | None = None, *, status: int = 200) -> HttpResponse:
    return render(request, "gpus/quotas.html", {"sheet": sheet, "today": sheet.today, "plan": plan}, status=status)

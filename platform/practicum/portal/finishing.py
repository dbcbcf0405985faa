"""How an internship gets to its end: milestones that are reached without a review, and the word that it is completed."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from practicum.accounts.access import PersonRequest, staff_only
from practicum.internships import services
from practicum.internships.selectors import internship_for, milestone_of
from practicum.lib.clock import utc_now


@staff_only
@require_POST
def milestone(request: PersonRequest, internship_id: int, position: int) -> HttpResponse:
    """The milestone of this position is reached, or with ``reached=no`` not reached after all."""
    row = internship_for(request.user, internship_id=internship_id)
    step = milestone_of(row, position=position)
    if request.POST.get("reached") == "no":
        if services.unreach_milestone(step, actor=request.user, now=utc_now()):
            messages.success(request, f"“{step.title}” is not reached.")
    elif services.mark_milestone(step, actor=request.user, now=utc_now()):
        messages.success(request, f"“{step.title}” is reached.")
    return redirect("portal:internship", row.pk)


@staff_only
@require_POST
def complete(request: PersonRequest, internship_id: int) -> HttpResponse:
    """The internship is completed; its certificate is prepared."""
    row = internship_for(request.user, internship_id=internship_id)
    services.complete_internship(row, actor=request.user, now=utc_now())
    messages.success(request, f"The internship of {row.intern} is completed. The certificate is being prepared.")
    return redirect("portal:internship", row.pk)

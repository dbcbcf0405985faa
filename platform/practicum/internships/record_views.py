"""The record of an internship: check-ins, requests and answers, and the timeline."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from practicum.accounts.access import PersonRequest, signed_in
from practicum.errors import Refused
from practicum.internships import changes, check_ins
from practicum.internships import record_selectors as selectors
from practicum.internships.changes import is_side
from practicum.internships.forms import tell
from practicum.internships.models import GOING_ON, Change, Internship, InternshipState
from practicum.internships.record_forms import AnswerForm, AskForm, CheckInForm, MessageForm
from practicum.internships.selectors import internship_for
from practicum.lib.clock import utc_now

UNUSABLE = 400
PAIR = "Shall we look at it together in your notebook, for half an hour? When would suit you?"


@signed_in
@require_safe
def record(request: PersonRequest, internship_id: int) -> HttpResponse:
    """Everything on record, to its intern, its mentor and admins; with ``?pair=1`` a message is begun."""
    row = internship_for(request.user, internship_id=internship_id)
    begun = MessageForm(initial={"text": PAIR}) if request.GET.get("pair") else None
    return _page(request, row, message_form=begun)


def _page(
    request: PersonRequest,
    row: Internship,
    *,
    check_in_form: CheckInForm | None = None,
    ask_form: AskForm | None = None,
    answer_form: AnswerForm | None = None,
    answered_id: int = 0,
    message_form: MessageForm | None = None,
    status: int = 200,
) -> HttpResponse:
    now, viewer = utc_now(), request.user
    facts = {
        "internship": row,
        "is_side": is_side(viewer, internship=row),
        "goes_on": row.state in GOING_ON,
        "is_paused": row.state == InternshipState.PAUSED,
        "weeks": selectors.weeks_of(row, viewer=viewer, now=now),
        "may_check_in": selectors.may_check_in(row, viewer=viewer, now=now),
        "own": selectors.own_check_in(row, viewer=viewer, now=now),
        "changes": selectors.open_changes(row, viewer=viewer, now=now),
        "events": selectors.timeline_of(row),
        "ask_form": ask_form or AskForm(internship=row),
        "answer_form": answer_form or AnswerForm(),
        "answered_id": answered_id,
        "message_form": message_form or MessageForm(),
    }
    facts["check_in_form"] = check_in_form or CheckInForm(check_in=facts["own"])  # type: ignore[arg-type]
    return render(request, "internships/record.html", facts, status=status)


@signed_in
@require_POST
def check_in(request: PersonRequest, internship_id: int) -> HttpResponse:
    """Write this week's check-in."""
    row = internship_for(request.user, internship_id=internship_id)
    form, status = CheckInForm(request.POST, check_in=None), UNUSABLE
    if form.is_valid():
        try:
            check_ins.check_in(request.user, internship=row, note=form.note(), now=utc_now())
        except Refused as refusal:
            status = tell(form, refusal)
        else:
            messages.success(request, "Your check-in is kept.")
            return redirect("internships:record", row.pk)
    return _page(request, row, check_in_form=form, status=status)


@signed_in
@require_POST
def ask(request: PersonRequest, internship_id: int) -> HttpResponse:
    """Ask the other side."""
    row = internship_for(request.user, internship_id=internship_id)
    form, status = AskForm(request.POST, internship=row), UNUSABLE
    if form.is_valid():
        try:
            changes.ask(request.user, internship=row, wish=form.wish(), now=utc_now())
        except Refused as refusal:
            status = tell(form, refusal)
        else:
            messages.success(request, "It is asked for. You are told the answer.")
            return redirect("internships:record", row.pk)
    return _page(request, row, ask_form=form, status=status)


@signed_in
@require_POST
def answer(request: PersonRequest, internship_id: int, change_id: int) -> HttpResponse:
    """Agree or refuse."""
    row = internship_for(request.user, internship_id=internship_id)
    change = selectors.change_of(row, change_id=change_id)
    form, status = AnswerForm(request.POST), UNUSABLE
    if form.is_valid():
        try:
            changes.answer(request.user, change=change, **form.words(), now=utc_now())
        except Refused as refusal:
            status = tell(form, refusal)
        else:
            messages.success(request, "Your answer is on record.")
            # Who handed it over to another mentor may not see it any more.
            return redirect("portal:home" if change.kind == "mentor" else "internships:record", *_arguments(change))
    return _page(request, row, answer_form=form, answered_id=change.pk, status=status)


def _arguments(change: Change) -> list[int]:
    return [] if change.kind == "mentor" else [change.internship_id]


@signed_in
@require_POST
def take_back(request: PersonRequest, internship_id: int, change_id: int) -> HttpResponse:
    """Not ask for it any more."""
    row = internship_for(request.user, internship_id=internship_id)
    changes.take_back(request.user, change=selectors.change_of(row, change_id=change_id), now=utc_now())
    messages.success(request, "It is taken back.")
    return redirect("internships:record", row.pk)


@signed_in
@require_POST
def go_on(request: PersonRequest, internship_id: int) -> HttpResponse:
    """End a pause."""
    row = internship_for(request.user, internship_id=internship_id)
    changes.go_on(request.user, internship=row, now=utc_now())
    messages.success(request, "The internship goes on.")
    return redirect("internships:record", row.pk)


@signed_in
@require_POST
def message(request: PersonRequest, internship_id: int) -> HttpResponse:
    """Write to the other side."""
    row = internship_for(request.user, internship_id=internship_id)
    form, status = MessageForm(request.POST), UNUSABLE
    if form.is_valid():
        try:
            changes.write_to(request.user, internship=row, text=form.cleaned_data["text"], now=utc_now())
        except Refused as refusal:
            status = tell(form, refusal)
        else:
            messages.success(request, "Your message is on its way.")
            return redirect("internships:record", row.pk)
    return _page(request, row, message_form=form, status=status)

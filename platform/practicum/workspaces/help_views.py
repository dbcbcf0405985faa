"""The intern's page of help: ask, see who is in and in which mode, let them work or not, end it."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from practicum.accounts.access import PersonRequest, interns_only
from practicum.errors import Conflict, Invalid, Refused
from practicum.lib.clock import utc_now
from practicum.workspaces import help_requests
from practicum.workspaces import help_rules as rules
from practicum.workspaces import help_selectors as selectors
from practicum.workspaces.models import HelpRequest, SessionState
from practicum.workspaces.selectors import open_session_of

USUAL_MINUTES = 30


@interns_only
@require_http_methods(["GET", "POST"])
def page(request: PersonRequest) -> HttpResponse:
    """What goes on, or the form to ask for help."""
    if request.method != "POST":
        return render(request, "workspaces/help.html", _facts(request))
    minutes = _minutes(request, otherwise=0)
    try:
        help_requests.ask(request.user, topic=request.POST.get("topic", ""), minutes=minutes, now=utc_now())
    except (Invalid, Conflict) as refusal:
        return render(request, "workspaces/help.html", _facts(request, refusal=refusal), status=refusal.status)
    return redirect("workspaces:help")


@interns_only
@require_POST
def allow(request: PersonRequest) -> HttpResponse:
    """Let the mentor work in the notebook."""
    help_requests.allow_hands(_open(request), now=utc_now())
    return redirect("workspaces:help")


@interns_only
@require_POST
def refuse(request: PersonRequest) -> HttpResponse:
    """Don't; they go on reading."""
    help_requests.refuse_hands(_open(request), now=utc_now())
    return redirect("workspaces:help")


@interns_only
@require_POST
def end(request: PersonRequest) -> HttpResponse:
    """It is over."""
    help_requests.end_by(request.user, _open(request), now=utc_now())
    return redirect("workspaces:help")


def _open(request: PersonRequest) -> HelpRequest:
    """The intern's request that goes on.

    Raises:
        Conflict: there is none.
    """
    session = open_session_of(request.user)
    found = selectors.open_request_of(session, now=utc_now()) if session is not None else None
    if found is None:
        raise Conflict("No help goes on in your notebook.")
    return found


def _minutes(request: PersonRequest, *, otherwise: int) -> int:
    """The minutes that were sent, where they are a number."""
    sent = request.POST.get("minutes", "")
    return int(sent) if sent.isdecimal() and len(sent) < 4 else otherwise


def _facts(request: PersonRequest, *, refusal: Refused | None = None) -> dict[str, Any]:
    session, now = open_session_of(request.user), utc_now()
    return {
        "session": session,
        "may_ask": session is not None and session.state == SessionState.RUNNING and not session.internship.is_check,
        "help": selectors.open_request_of(session, now=now) if session is not None else None,
        "last": selectors.latest_request_of(request.user),
        "minutes": rules.MINUTES,
        "chosen": _minutes(request, otherwise=USUAL_MINUTES),
        "topic": request.POST.get("topic", ""),
        "refusal": refusal,
        "now": now,
    }

"""The launch page: ask for a notebook, watch it start, go there, stop it.

Only a person who pressed the button, on this page or for a GPU in JupyterLab, is taken to JupyterLab by it (``follow``);
who merely looks stays.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from practicum.accounts.access import PersonRequest, interns_only
from practicum.accounts.models import User
from practicum.gpus import services as leases
from practicum.gpus.mine import mine_this_week
from practicum.internships.selectors import active_internship_of
from practicum.lib.clock import utc_now
from practicum.workspaces import home_sizes, rules, selectors, services, turns
from practicum.workspaces.help_selectors import open_request_of
from practicum.workspaces.models import Session, SessionState
from practicum.workspaces.standing import MOVING, Standing, standing_of


@interns_only
@require_GET
def notebook(request: PersonRequest) -> HttpResponse:
    """The page."""
    context = _state(request.user, follow=request.GET.get("follow") == "1")
    past = selectors.past_sessions_of(request.user)
    mine = mine_this_week(request.user, now=utc_now())
    room = home_sizes.room_of(request.user)
    return render(request, "workspaces/notebook.html", context | {"past": past, "mine": mine, "room": room})


@interns_only
@require_POST
def start(request: PersonRequest) -> HttpResponse:
    """Ask for a notebook; where a slot is free it is granted in the same breath."""
    now = utc_now()
    _grant_at_once(services.open_notebook(request.user, now=now), now=now)
    return _moved_on(request)


@interns_only
@require_GET
def live(request: PersonRequest) -> HttpResponse:
    """The part that changes from second to second."""
    return _live(request, follow=request.GET.get("follow") == "1")


@interns_only
@require_POST
def take(request: PersonRequest) -> HttpResponse:
    """Take the slot that is kept for the person whose turn has come."""
    services.take_turn(request.user, now=utc_now())
    return _moved_on(request)


@interns_only
@require_POST
def meanwhile(request: PersonRequest) -> HttpResponse:
    """Work on a CPU slot while a place in line for a GPU is kept; where one is free it is granted in the same breath."""
    now = utc_now()
    _grant_at_once(turns.work_meanwhile(request.user, now=now), now=now)
    return _moved_on(request)


@interns_only
@require_POST
def join(request: PersonRequest) -> HttpResponse:
    """Get in line for a GPU from a CPU slot."""
    turns.join_line(request.user, now=utc_now())
    return redirect("workspaces:notebook")


@interns_only
@require_POST
def leave(request: PersonRequest) -> HttpResponse:
    """Give up the place in line for a GPU; the notebook on its CPU slot goes on."""
    turns.leave_line(request.user, now=utc_now())
    return redirect("workspaces:notebook")


@interns_only
@require_POST
def stop(request: PersonRequest) -> HttpResponse:
    """Stop the open notebook."""
    services.stop_notebook(request.user, now=utc_now())
    return redirect("workspaces:notebook")


def _grant_at_once(session: Session, *, now: datetime) -> None:
    """Whoever asked need not wait for the worker's next tick."""
    if session.state == SessionState.QUEUED:
        leases.allocate(now=now)


def _moved_on(request: PersonRequest) -> HttpResponse:
    """The part that changes, to the page's own script; else the page again."""
    if not request.headers.get("HX-Request"):
        return redirect("workspaces:notebook")
    return _live(request, follow=True)


def _live(request: PersonRequest, *, follow: bool) -> HttpResponse:
    context = _state(request.user, follow=follow)
    response = render(request, "workspaces/live.html", context)
    session = context["session"]
    if follow and session is not None and session.state == SessionState.RUNNING and session.moves_at is None:
        response.headers["HX-Redirect"] = selectors.notebook_url(session)
    return response


def _state(user: User, *, follow: bool) -> dict[str, Any]:
    session = selectors.latest_session_of(user)
    return {
        "internship": active_internship_of(user),
        "session": session,
        "follow": follow,
        **(_facts(session) if session is not None else {}),
    }


def _facts(session: Session) -> dict[str, Any]:
    now = utc_now()
    standing = standing_of(session, now=now) if session.is_open else None
    is_running = session.state == SessionState.RUNNING
    return {
        "events": list(session.events.all()),
        "standing": standing,
        "may_work_meanwhile": turns.may_work_meanwhile(session),
        "may_join_line": turns.may_join_line(session),
        "notebook_url": selectors.notebook_url(session),
        "help": open_request_of(session, now=now) if is_running else None,
        "warning": rules.warning(selectors.watch_of(session, now=now), now=now) if is_running else None,
        "poll_every": _pause(session, standing),
    }


def _pause(session: Session, standing: Standing | None) -> str:
    """How often the page asks: what is about to change is looked at more often."""
    if standing is not None and standing.state == MOVING:
        return "500ms"
    if session.state == SessionState.RUNNING:
        return "5s"
    return "2s" if standing is not None else "500ms"

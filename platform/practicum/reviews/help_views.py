"""The mentor's page of help: read an intern's notebooks as they save them, ask to work in one, end it.

While a mentor reads they have nothing of the intern's server: the page is drawn from what the notebook sent, in the same
frame without an origin in which submissions are shown.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_POST, require_safe

from practicum.accounts.access import PersonRequest, mentors_only
from practicum.errors import NotFound
from practicum.lib.clock import utc_now
from practicum.reviews.rendering import render_passing
from practicum.reviews.views import sandboxed
from practicum.workspaces import help_requests
from practicum.workspaces import help_selectors as selectors
from practicum.workspaces.models import HelpNotebook, HelpRequest, HelpState


@mentors_only
@require_safe
def page(request: PersonRequest, request_id: int) -> HttpResponse:
    """What goes on, and the notebooks to read."""
    found = selectors.request_of_mentor(request.user, request_id=request_id)
    return render(request, "reviews/help.html", _facts(request, found))


@mentors_only
@require_POST
def begin(request: PersonRequest, request_id: int) -> HttpResponse:
    """The mentor is there: they read, and their time runs."""
    help_requests.open_request(selectors.request_of_mentor(request.user, request_id=request_id), now=utc_now())
    return redirect("reviews:help", request_id)


@mentors_only
@require_POST
def hands(request: PersonRequest, request_id: int) -> HttpResponse:
    """Ask the intern to let them work in the notebook."""
    help_requests.ask_for_hands(selectors.request_of_mentor(request.user, request_id=request_id), now=utc_now())
    return redirect("reviews:help", request_id)


@mentors_only
@require_POST
def end(request: PersonRequest, request_id: int) -> HttpResponse:
    """It is over."""
    found = selectors.request_of_mentor(request.user, request_id=request_id)
    help_requests.end_by(request.user, found, now=utc_now())
    return redirect("reviews:help", request_id)


@mentors_only
@require_safe
@xframe_options_sameorigin
def notebook(request: PersonRequest, request_id: int, notebook_id: int) -> HttpResponse:
    """A notebook as it was saved last, a hostile page; there while the mentor may read."""
    found = selectors.request_of_mentor(request.user, request_id=request_id)
    if not found.may_read or selectors.reason_to_end(found, now=utc_now()) is not None:
        raise NotFound
    saved = selectors.notebook_of(found, notebook_id=notebook_id)
    return sandboxed(request, rendered=render_passing(bytes(saved.content)), theme=request.GET.get("theme", ""))


def _facts(request: PersonRequest, found: HelpRequest) -> dict[str, Any]:
    now = utc_now()
    over = found.reason if not found.is_open else selectors.reason_to_end(found, now=now)
    notebooks = selectors.notebooks_of(found) if found.may_read and over is None else []
    is_in = found.state == HelpState.HANDS and found.shared_at is not None and over is None
    return {
        "help": found,
        "session": found.session,
        "over": over,
        "notebooks": notebooks,
        "chosen": _chosen(notebooks, asked=request.GET.get("notebook", "")),
        "lab_url": selectors.lab_url(found) if is_in else "",
        "has_hands": selectors.has_hands_elsewhere(request.user),
    }


def _chosen(notebooks: list[HelpNotebook], *, asked: str) -> HelpNotebook | None:
    """The notebook that was asked for, or else the one saved last."""
    return next((one for one in notebooks if str(one.pk) == asked), notebooks[0] if notebooks else None)

"""Questions about help requests. An intern sees those of their sessions, a mentor those that were put to them; nobody else
any. One that has lost its ground counts as ended here, before the worker has looked.
"""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db.models import QuerySet

from practicum.accounts.models import User
from practicum.errors import NotFound
from practicum.internships.models import InternshipState
from practicum.workspaces import help_rules as rules
from practicum.workspaces.models import OPEN_HELP_STATES, HelpNotebook, HelpRequest, HelpState, Session, SessionState


def _loaded() -> QuerySet[HelpRequest]:
    return HelpRequest.objects.select_related(
        "mentor",
        "session__user",
        "session__lease",
        "session__internship__version__project",
        "session__internship__cohort",
    )


def reason_to_end(request: HelpRequest, *, now: datetime) -> str | None:
    """Why an open request is over by what is known now; None while it goes on."""
    session, internship = request.session, request.session.internship
    ground = rules.Ground(
        until=request.until,
        is_running=session.state == SessionState.RUNNING,
        is_active=internship.state == InternshipState.ACTIVE,
        is_their_mentor=internship.mentor_id == request.mentor_id,
        are_accounts_on=session.user.is_active and request.mentor.is_active and request.mentor.is_mentor,
    )
    return rules.reason_to_end(ground, now=now)


def open_requests() -> list[HelpRequest]:
    """All that nobody has ended, the oldest first."""
    return list(_loaded().filter(state__in=OPEN_HELP_STATES).order_by("asked_at", "id"))


def open_request_of(session: Session, *, now: datetime) -> HelpRequest | None:
    """The session's request that goes on, or None."""
    own = {"session": session, "state__in": OPEN_HELP_STATES}
    # Asked with every page of a notebook, and mostly there is none.
    request = _loaded().filter(**own).first() if HelpRequest.objects.filter(**own).exists() else None
    return request if request is not None and reason_to_end(request, now=now) is None else None


def latest_request_of(user: User) -> HelpRequest | None:
    """What the intern asked for last, over or not."""
    return _loaded().filter(session__user=user).first()


def request_of_mentor(mentor: User, *, request_id: int) -> HelpRequest:
    """The request, if it was put to this mentor.

    Raises:
        NotFound: there is none, or it was put to somebody else.
    """
    request = _loaded().filter(pk=request_id, mentor=mentor).first()
    if request is None:
        raise NotFound
    return request


def requests_for(mentor: User, *, now: datetime) -> list[HelpRequest]:
    """What goes on with this mentor, who waits longest first."""
    rows = _loaded().filter(mentor=mentor, state__in=OPEN_HELP_STATES).order_by("asked_at", "id")
    return [request for request in rows if reason_to_end(request, now=now) is None]


def has_hands_elsewhere(mentor: User) -> bool:
    """The mentor may work in somebody's notebook now."""
    return HelpRequest.objects.filter(mentor=mentor, state=HelpState.HANDS).exists()


def notebooks_of(request: HelpRequest) -> list[HelpNotebook]:
    """What the mentor may read, saved last first, without the contents."""
    return list(request.notebooks.defer("content"))


def notebook_of(request: HelpRequest, *, notebook_id: int) -> HelpNotebook:
    """One notebook with its content.

    Raises:
        NotFound: it is none of this request, or is gone.
    """
    notebook = request.notebooks.filter(pk=notebook_id).first()
    if notebook is None:
        raise NotFound
    return notebook


def lab_url(request: HelpRequest) -> str:
    """The intern's JupyterLab at the hub, opened at what they saved last."""
    notebook = request.notebooks.values_list("path", flat=True).first()
    project = request.session.internship.version.project.slug
    return f"{settings.PRACTICUM_HUB_URL}/user/{request.session.user.username}/lab/tree/{notebook or project}"

"""What a notebook asks and tells about help: who may come in, what was saved, and that it is over.

A notebook's token asks and ends, and never allows: any code that runs in the notebook has it, so consent is given by the
person, signed in, on the site.
"""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from practicum.errors import Conflict, TooLarge
from practicum.lib.clock import utc_now
from practicum.workspaces import help_requests
from practicum.workspaces.help_selectors import open_request_of
from practicum.workspaces.models import HelpRequest
from practicum.workspaces.tokens import session_of


@csrf_exempt
@require_GET
def state(request: HttpRequest) -> JsonResponse:
    """Who helps in this notebook now, and how far they may go."""
    now = utc_now()
    found = open_request_of(session_of(request, now), now=now)
    if found is not None:
        help_requests.hear(found, now=now)
    return JsonResponse(_told(found))


@csrf_exempt
@require_POST
def end(request: HttpRequest) -> JsonResponse:
    """It is over; over already, nothing changes."""
    now = utc_now()
    session = session_of(request, now)
    found = open_request_of(session, now=now)
    if found is not None:
        help_requests.end_by(session.user, found, now=now)
    return JsonResponse(_told(None))


@csrf_exempt
@require_POST
def notebook(request: HttpRequest) -> HttpResponse:
    """A notebook as it was saved, its bytes as the body and its ``path`` in the query, for the mentor who reads."""
    now = utc_now()
    found = open_request_of(session_of(request, now), now=now)
    if found is None:
        raise Conflict("Nobody reads this notebook now.")
    most = settings.PRACTICUM_NOTEBOOK_MAX_BYTES
    content = request.read(most + 1)
    if len(content) > most:
        raise TooLarge(f"A notebook of more than {most // 1024**2} MB is not shown.")
    help_requests.take_notebook(found, path=request.GET.get("path", ""), content=content, now=now)
    return JsonResponse({}, status=201)


def _told(found: HelpRequest | None) -> dict[str, object]:
    return {
        "state": found.state if found is not None else "none",
        "helper": found.mentor.username if found is not None else "",
        "helper_name": found.mentor.name if found is not None else "",
        "topic": found.topic if found is not None else "",
        "until": found.until.isoformat() if found is not None and found.until is not None else None,
        "url": settings.PRACTICUM_SITE_URL + reverse("workspaces:help"),
        "helper_url": settings.PRACTICUM_SITE_URL + reverse("reviews:help", args=[found.pk])
        if found is not None
        else "",
    }

"""What the hub and the notebooks call."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from practicum.accounts.access import hub_only
from practicum.errors import Invalid
from practicum.lib.clock import utc_now
from practicum.lib.payload import Payload
from practicum.workspaces import services
from practicum.workspaces.rules import Report
from practicum.workspaces.tokens import session_of

MAX_BYTES = 16 * 1024
EVENTS = ("starting", "ready", "stopped", "failed")
# Reports come every 15 s; what lies longer ago is judged as if it were this long.
LONGEST_REPORT_SECONDS = 120.0
MAX_TOKEN = 2**31 - 1


@hub_only
@require_POST
def claim(request: HttpRequest) -> HttpResponse:
    """May this person's notebook start, and on what."""
    payload = Payload.parse(request.body, max_bytes=MAX_BYTES)
    username = payload.text("username", max_length=31)
    return JsonResponse(services.claim(username, now=utc_now()))


@hub_only
@require_POST
def event(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """What became of a start."""
    payload = Payload.parse(request.body, max_bytes=MAX_BYTES)
    token = payload.integer("token", maximum=MAX_TOKEN)
    state = payload.text("state", max_length=20)
    if state not in EVENTS:
        raise Invalid(f"'state' must be one of {', '.join(EVENTS)}.", field="state")
    message = payload.text("message", max_length=4000, default="")
    services.record_event(session_id, token=token, state=state, message=message, now=utc_now())
    return HttpResponse(status=204)


@csrf_exempt
@require_POST
def move(request: HttpRequest) -> HttpResponse:
    """Move to the GPU that is kept for this notebook's intern; what they have open is saved. ``url``: where to wait."""
    now = utc_now()
    session = session_of(request, now)
    services.take_turn(session.user, now=now, is_saved=True)
    url = settings.PRACTICUM_SITE_URL + reverse("workspaces:notebook") + "?follow=1"
    return JsonResponse({"url": url})


@csrf_exempt
@require_POST
def activity(request: HttpRequest) -> HttpResponse:
    """What a notebook did since its last report."""
    now = utc_now()
    session = session_of(request, now)
    payload = Payload.parse(request.body, max_bytes=MAX_BYTES)
    payload.integer("kernels", maximum=10_000)
    payload.integer("terminals", maximum=10_000)
    heard_at = session.lease.heartbeat or now
    report = Report(
        busy_kernels=payload.integer("busy_kernels", maximum=10_000),
        cpu_seconds=payload.number("cpu_seconds", maximum=1e9),
        last_execution_at=payload.moment_or_none("last_execution_at"),
        seconds=min(max((now - heard_at).total_seconds(), 0.0), LONGEST_REPORT_SECONDS),
        committed_at=_committed_at(payload),
    )
    return JsonResponse(services.report_activity(session, report=report, now=now))


def _committed_at(payload: Payload) -> datetime | None:
    """When the intern last committed. It comes from a file that anything may be in: no report fails for it."""
    try:
        return payload.moment_or_none("committed_at")
    except Invalid:
        return None

"""The admin's page of servers, slots, leases and the queue."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from practicum.accounts.access import PersonRequest, admins_only
from practicum.gpus import selectors, services
from practicum.lib.clock import utc_now

ENDED_BY_ADMIN = "An admin ended it."


@admins_only
@require_GET
def overview(request: PersonRequest) -> HttpResponse:
    """All of it, with the plot of use."""
    return render(request, "gpus/overview.html", _state() | {"usage": _plot(), "has_charts": True})


@admins_only
@require_GET
def live(request: PersonRequest) -> HttpResponse:
    """The part that changes from second to second."""
    return render(request, "gpus/live.html", _state())


@admins_only
@require_POST
def end_lease(request: PersonRequest, lease_id: UUID) -> HttpResponse:
    """Take a lease out of the line, or ask its holder to stop."""
    asked = services.end_lease(lease_id, reason=ENDED_BY_ADMIN, actor=request.user, now=utc_now())
    messages.success(request, "It is being ended." if asked else "It is being ended already.")
    return redirect("gpus:overview")


def _state() -> dict[str, Any]:
    now = utc_now()
    servers = list(selectors.servers_with_slots())
    for server in servers:
        server.is_silent = selectors.is_silent(server, now=now)  # type: ignore[attr-defined]
    return {
        "servers": servers,
        "leases": list(selectors.live_leases()),
        "queue": [(place, lease) for place, lease in enumerate(selectors.queue(), start=1)],
        "slot_word": "GPU" if selectors.has_gpus() else "CPU slot",
        "now": now,
    }


def _plot() -> dict[str, Any]:
    usage = selectors.usage_series(now=utc_now())
    hours = [hour.strftime("%a %H:%M") for hour in usage.hours]
    return {
        "kind": "usage",
        "hours": hours,
        "series": [{"label": "Slots held", "values": usage.held}],
        "rows": [{"hour": hour, "values": [value]} for hour, value in zip(hours, usage.held, strict=True)],
        "capacity": usage.capacity,
        "unit": "slots",
    }

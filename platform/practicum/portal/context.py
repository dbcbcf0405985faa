"""What every template may use."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.shortcuts import resolve_url
from django.utils.functional import SimpleLazyObject

from practicum.accounts.models import User
from practicum.accounts.notice_selectors import unread_count
from practicum.lib.clock import utc_now
from practicum.portal.maintenance import Maintenance, planned
from practicum.portal.navigation import Entry, entries_for


def site(request: HttpRequest) -> dict[str, Any]:
    """``hub_url``; ``no_isolation``: true where notebooks and evaluations run without a container engine;
    ``navigation``: the links of the person's role, none for the outsider; ``unread_notices``; ``sign_in_url``;
    ``maintenance_told``: what is planned, where it is near enough; ``maintenance_on``: it has begun.
    """
    user = getattr(request, "user", None)

    def navigation() -> list[Entry]:
        return entries_for(user, path=request.path) if isinstance(user, User) and user.is_active else []

    def unread_notices() -> int:
        return unread_count(user) if isinstance(user, User) and user.is_active else 0

    def maintenance() -> Maintenance | None:
        now = utc_now()
        found = planned(now=now)
        return found if found is not None and found.is_told(now=now) else None

    def maintenance_on() -> bool:
        now = utc_now()
        found = planned(now=now)
        return found is not None and found.is_on(now=now)

    person = user if user is not None and user.is_authenticated else None
    return {
        "hub_url": settings.PRACTICUM_HUB_URL,
        "no_isolation": settings.PRACTICUM_ENGINE == "local",
        "navigation": SimpleLazyObject(navigation) if person is not None else [],
        "unread_notices": unread_notices,
        "maintenance_told": maintenance,
        "maintenance_on": maintenance_on,
        "sign_in_url": resolve_url(settings.LOGIN_URL),
        "site_env": settings.PRACTICUM_ENV,
    }

"""Who may call a view. A page of another role answers like a page that does not exist."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, resolve_url
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.csrf import csrf_exempt

from practicum.accounts.factors import must_add_factor
from practicum.accounts.models import Role, User
from practicum.errors import NotFound, Refused
from practicum.lib.digest import same_secret
from practicum.lib.sent_fields import note_let_in

P = ParamSpec("P")


class PersonRequest(HttpRequest):
    """A request of somebody who signed in; only for annotations."""

    user: User


class Unauthorized(Refused):
    """No token, or one that opens nothing."""

    code = "unauthorized"
    status = 401


# In the session: the page that was asked for before the second factor was there.
AFTER_FACTOR = "after_factor"
View = Callable[Concatenate[Any, P], HttpResponseBase]


def _only(*roles: Role) -> Callable[[View[P]], View[P]]:
    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def guarded(request: Any, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if request.user.role not in roles:
                raise NotFound
            note_let_in()
            return view(request, *args, **kwargs)

        return login_required(ready_first(cast("View[P]", guarded)))

    return decorate


def own_password_first(view: View[P]) -> View[P]:
    """Lead whoever still has the password an admin made to the page where they choose their own."""

    @wraps(view)
    def guarded(request: Any, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if getattr(request.user, "must_choose_password", False):
            following = f"?{urlencode({'next': request.get_full_path()})}" if request.method == "GET" else ""
            return redirect(reverse("accounts:account") + following)
        return view(request, *args, **kwargs)

    return cast("View[P]", guarded)


def ready_first(view: View[P]) -> View[P]:
    """Lead who has still to choose a password, or to add the second factor that their role must have, to where they do."""

    @wraps(view)
    def guarded(request: Any, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if request.user.is_authenticated and must_add_factor(request.user):
            if request.method == "GET":
                request.session[AFTER_FACTOR] = request.get_full_path()
            return redirect("mfa_index")
        return view(request, *args, **kwargs)

    return own_password_first(cast("View[P]", guarded))


def account_holder(view: View[P]) -> View[P]:
    """Anybody signed in, before they chose a password too: for the account page only."""

    @wraps(view)
    def guarded(request: Any, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        note_let_in()
        return view(request, *args, **kwargs)

    return login_required(cast("View[P]", guarded))


signed_in = _only(*Role)
interns_only = _only(Role.INTERN)
mentors_only = _only(Role.MENTOR)
admins_only = _only(Role.ADMIN)
staff_only = _only(Role.MENTOR, Role.ADMIN)


def address_of(request: HttpRequest) -> str:
    """The caller's address; behind our TLS proxy, the last one the proxy itself wrote."""
    forwarded = request.headers.get("X-Forwarded-For", "") if settings.SECURE_PROXY_SSL_HEADER else ""
    return forwarded.rsplit(",", maxsplit=1)[-1].strip() or request.META.get("REMOTE_ADDR", "")


def next_of(request: HttpRequest) -> str:
    """Where to go after signing in: only ever a page of this site."""
    target = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return target if is_ours else resolve_url(settings.LOGIN_REDIRECT_URL)


def bearer(request: HttpRequest) -> str:
    """The bearer token of the ``Authorization`` header. A token in the query string is never looked at.

    Raises:
        Unauthorized: there is none.
    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized("Send the token in the Authorization header, as 'Bearer <token>'.")
    return token.strip()


def _holder_of(setting: str) -> Callable[[View[P]], View[P]]:
    def decorate(view: View[P]) -> View[P]:
        @csrf_exempt
        @wraps(view)
        def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if not same_secret(bearer(request), getattr(settings, setting)):
                raise Unauthorized("This token opens nothing here.")
            note_let_in()
            return view(request, *args, **kwargs)

        return cast("View[P]", guarded)

    return decorate


hub_only = _holder_of("PRACTICUM_HUB_SITE_TOKEN")

"""django-allauth fitted to this house: it speaks the protocols, we decide who comes in (:mod:`.federation`).

It keeps of a provider's word the subject alone, and no token of a provider; it opens no account; it sends no mail.
"""

from __future__ import annotations

import logging
import time
from typing import Any, cast

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import get_authentication_records
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount, SocialLogin
from cryptography.fernet import InvalidToken
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from practicum.accounts import factors, federation
from practicum.accounts.access import address_of
from practicum.accounts.models import User
from practicum.accounts.ways_in import Provider, groups_in
from practicum.errors import Fault, Refused
from practicum.lib.clock import utc_now

FRESH_SECONDS = 300
WRONG_CODE = "This code is wrong or was used before. Wait for the next one that the app shows."
log = logging.getLogger("practicum.sign_in")


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Sessions, and proof that it is still the person."""

    # allauth lets five wrong codes pass in five minutes.
    error_messages = DefaultAccountAdapter.error_messages | {
        "too_many_login_attempts": "Too many wrong tries. Wait five minutes and try again.",
        "incorrect_code": WRONG_CODE,
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Accounts are opened by our own services alone."""
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        """The caller's address as the rest of the site sees it."""
        return address_of(request)

    def is_safe_url(self, url: str | None) -> bool:
        """A page of this site."""
        request = self.request
        return url_has_allowed_host_and_scheme(
            url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
        )

    def add_message(self, *args: Any, **kwargs: Any) -> None:
        """Our pages say what happened in their own words."""

    def respond_user_inactive(self, request: HttpRequest, user: Any) -> HttpResponse:
        """An account that is switched off opens nothing."""
        return not_let_in(request, "Your account here is switched off.")

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Prove it again, unless the sign-in was a moment ago, or there is nothing to prove it with but the provider."""
        request, user = self.request, cast(User, self.request.user)
        records = get_authentication_records(request, user)
        if records and time.time() - max(each["at"] for each in records) < FRESH_SECONDS:
            return False
        by_provider = any(each["method"] == "socialaccount" for each in records)
        return factors.has_factor(user) or not by_provider


class FactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Secrets of second factors are encrypted, and none that must be there is taken away."""

    error_messages = DefaultMFAAdapter.error_messages | {"incorrect_code": WRONG_CODE}

    def encrypt(self, text: str) -> str:
        """Opaque in the database."""
        return factors.cipher().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """The secret.

        Raises:
            Fault: the site's secret was changed since.
        """
        try:
            return factors.cipher().decrypt(encrypted_text.encode()).decode()
        except InvalidToken:
            raise Fault("Your second factor can't be read any more: ask an admin to reset it.") from None

    def can_delete_authenticator(self, authenticator: Any) -> bool:
        """Not where the role must have one."""
        return authenticator.user.role not in settings.PRACTICUM_WAYS_IN.factor_roles

    def get_totp_label(self, user: Any) -> str:
        """What the program on the phone lists."""
        return str(user.username)


class ProviderAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """What a provider said is turned into our words, and our decision into allauth's."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Never: whom we let in has an account by then."""
        return False

    def populate_user(self, request: HttpRequest, sociallogin: SocialLogin, data: dict[str, Any]) -> Any:
        """Keep what the person is called for whoever may open the account."""
        user = sociallogin.user
        parts = (data.get("name"), " ".join(filter(None, (data.get("first_name"), data.get("last_name")))))
        user.name = next((str(part) for part in parts if part), "")[:120]
        user.username = str(data.get("username") or "")[:120]
        return user

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Admit the person, or join the account they are signed in to; a refusal is a page of ours."""
        provider = settings.PRACTICUM_WAYS_IN.provider(sociallogin.account.provider)
        if provider is None:
            raise PermissionDenied
        said = _said(sociallogin, called=sociallogin.user)
        _forget_words(sociallogin)
        try:
            if sociallogin.state.get("process") == "connect":
                raise ImmediateHttpResponse(_join(request, provider, said))
            sociallogin.user = federation.admit(provider, said, now=utc_now())
            sociallogin.account = SocialAccount.objects.get(provider=provider.slug, uid=said.subject)
        except Refused as refusal:
            raise ImmediateHttpResponse(not_let_in(request, refusal.message, status=refusal.status)) from None

    def on_authentication_error(self, request: HttpRequest, provider: Any, *args: Any, **kwargs: Any) -> None:
        """One page for everything that went wrong between provider and site; it says nothing of what the provider sent."""
        why = type(kwargs.get("exception")).__name__ if kwargs.get("exception") else kwargs.get("error")
        log.warning("an answer of %s could not be used: %s", getattr(provider, "sub_id", "a provider"), why)
        facts = {"provider": getattr(provider, "name", ""), "is_cancelled": kwargs.get("error") == "cancelled"}
        raise ImmediateHttpResponse(render(request, "accounts/provider_failed.html", facts, status=401))


def _said(sociallogin: SocialLogin, *, called: Any) -> federation.Said:
    """The provider's word in ours.

    Raises:
        PermissionDenied: its two answers are about different people.
    """
    raw = sociallogin.account.extra_data or {}
    token, answer = raw.get("id_token") or {}, raw.get("userinfo") or {}
    if token and answer and token.get("sub") != answer.get("sub"):
        raise PermissionDenied
    ways = settings.PRACTICUM_WAYS_IN
    return federation.Said(
        subject=sociallogin.account.uid,
        verified=tuple(each.email for each in sociallogin.email_addresses if each.verified),
        name=getattr(called, "name", ""),
        username=called.username if called.pk is None else "",
        groups=groups_in({**raw, **token, **answer}, claim=ways.groups_claim),
    )


def _forget_words(sociallogin: SocialLogin) -> None:
    """Nothing of what the provider said or gave is kept, but who it is: not in the session that waits for a code either."""
    sociallogin.token = None
    sociallogin.account.extra_data = {}
    if sociallogin.account.pk:
        sociallogin.account.save(update_fields=["extra_data"])


def _join(request: HttpRequest, provider: Provider, said: federation.Said) -> HttpResponse:
    """Join the account of whoever is signed in.

    Raises:
        PermissionDenied: nobody is.
        Conflict: the subject is another account's.
    """
    if not request.user.is_authenticated:
        raise PermissionDenied
    federation.join(request.user, provider=provider, subject=said.subject, now=utc_now())
    messages.success(request, f"You can sign in with {provider.label} from now on.")
    return redirect(reverse("accounts:account"))


def not_let_in(request: HttpRequest, message: str, *, status: int = 403) -> HttpResponse:
    """The page that says why, and whom to ask."""
    facts = {"message": message, "whom_to_ask": settings.PRACTICUM_WAYS_IN.whom_to_ask}
    return render(request, "accounts/not_let_in.html", facts, status=status)

"""Going to a provider and coming back. What is not set up is not there.

The way out is a page with a link that the browser follows by itself, not a redirect after the form: browsers hold redirects of
a form against ``form-action``, which names this site alone.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any, cast

import requests
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.github.views import GitHubOAuth2Adapter
from allauth.socialaccount.providers.google.views import GoogleOAuth2Adapter
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST, require_safe

from practicum.accounts import federation, throttle
from practicum.accounts.access import PersonRequest, account_holder, address_of, next_of
from practicum.accounts.ways_in import GITHUB, GOOGLE, OIDC, SAML, Provider
from practicum.errors import Fault, NotFound, TooLarge
from practicum.lib.clock import utc_now

log = logging.getLogger("practicum.sign_in")
ANSWER_LENGTH = 300_000
# A class that signs in from behind one address, twice over.
ANSWERS, WINDOW = 600, timedelta(minutes=10)


class ProviderAway(Fault):
    """The provider does not answer, or not as a provider does."""

    code = "provider_away"


def _provider_or_404(slug: str) -> Provider:
    provider: Provider | None = settings.PRACTICUM_WAYS_IN.provider(slug)
    if provider is None:
        raise NotFound
    return provider


@never_cache
@require_POST
def leave(request: HttpRequest, slug: str) -> HttpResponse:
    """Go to the provider to sign in, or, signed in, to join the account to it."""
    provider = _provider_or_404(slug)
    process = "connect" if request.POST.get("process") == "connect" and request.user.is_authenticated else "login"
    try:
        answer = get_adapter(request).get_provider(request, slug).redirect(request, process, next_url=next_of(request))
    except _faults_of(slug):
        raise ProviderAway(f"{provider.label[:1].upper()}{provider.label[1:]} does not answer.") from None
    return render(request, "accounts/leaving.html", {"provider": provider, "address": answer.url})


def _faults_of(slug: str) -> tuple[type[Exception], ...]:
    """What a provider that is away, or is none, ends in."""
    faults = (requests.RequestException, OAuth2Error, OSError, ValueError, KeyError)
    if slug != SAML:
        return faults
    from onelogin.saml2.errors import OneLogin_Saml2_Error

    return (*faults, OneLogin_Saml2_Error)


@never_cache
@require_GET
def come_back(request: HttpRequest, provider_id: str) -> HttpResponse:
    """The provider sent the person back, by OAuth."""
    slug, provider = provider_id, _provider_or_404(provider_id)
    adapters: dict[str, Any] = {GITHUB: GitHubOAuth2Adapter, GOOGLE: GoogleOAuth2Adapter}
    adapter = adapters.get(slug) or (OpenIDConnectOAuth2Adapter(request, OIDC) if slug == OIDC else None)
    if adapter is None:
        raise NotFound
    if slug == OIDC and not _is_of(provider, issuer=request.GET.get("iss")):
        return render(request, "accounts/provider_failed.html", {"provider": provider.label}, status=401)
    try:
        return cast(HttpResponse, OAuth2CallbackView.adapter_view(adapter)(request))
    except SocialApp.DoesNotExist:
        raise NotFound from None


def _is_of(provider: Provider, *, issuer: str | None) -> bool:
    """The answer names this provider as its issuer, or none (RFC 9207)."""
    return issuer is None or issuer.rstrip("/") == provider.facts.get("ISSUER", "").rstrip("/")


def _saml_views() -> Any:
    """Loaded where SAML is used: it needs libraries in C that nothing else does."""
    from allauth.socialaccount.providers.saml import views

    return views


@csrf_exempt
@require_POST
def saml_answer(request: HttpRequest, organization_slug: str) -> HttpResponse:
    """The browser brings the provider's answer from the provider's page; the next request, with the session, looks at it."""
    _provider_or_404(SAML)
    # It is kept until the next request, and anybody may send one: it must not fill the disk.
    throttle.take_turn("saml-answer", who=address_of(request), limit=ANSWERS, window=WINDOW, now=utc_now())
    if len(request.POST.get("SAMLResponse", "")) > ANSWER_LENGTH:
        raise TooLarge("The provider's answer is longer than any that signs somebody in.")
    return cast(HttpResponse, _saml_views().acs(request, organization_slug=organization_slug))


@never_cache
@require_GET
def saml_come_back(request: HttpRequest, organization_slug: str) -> HttpResponse:
    """Look at the provider's answer. What is no XML, or more than XML, or no answer at all, is refused like a forged one."""
    provider = _provider_or_404(SAML)
    from lxml.etree import LxmlError
    from onelogin.saml2.errors import OneLogin_Saml2_Error, OneLogin_Saml2_ValidationError

    try:
        return cast(HttpResponse, _saml_views().finish_acs(request, organization_slug=organization_slug))
    except (LxmlError, OneLogin_Saml2_Error, OneLogin_Saml2_ValidationError, ValueError):
        log.warning("an answer by SAML could not be read")
        return render(request, "accounts/provider_failed.html", {"provider": provider.label}, status=401)


@require_safe
def saml_metadata(request: HttpRequest, organization_slug: str) -> HttpResponse:
    """What the provider's administrator copies: who we are and where answers go. Single logout is not offered."""
    _provider_or_404(SAML)
    from allauth.socialaccount.providers.saml.utils import build_saml_config
    from onelogin.saml2.settings import OneLogin_Saml2_Settings

    try:
        app = get_adapter(request).get_app(request, provider=SAML, client_id=organization_slug)
    except SocialApp.DoesNotExist:
        raise NotFound from None
    config = build_saml_config(request, app.settings, organization_slug)
    del config["sp"]["singleLogoutService"]
    metadata = OneLogin_Saml2_Settings(settings=config, sp_validation_only=True).get_sp_metadata()
    return HttpResponse(metadata, content_type="application/samlmetadata+xml")


@require_GET
def saml_logout(_request: HttpRequest, **_: str) -> HttpResponse:
    """Nobody's session here ends by a word of the provider's."""
    raise NotFound


@account_holder
@require_POST
def part(request: PersonRequest, slug: str) -> HttpResponse:
    """The provider opens this account no more."""
    provider = _provider_or_404(slug)
    federation.part(request.user, slug=slug, now=utc_now())
    messages.success(request, f"{provider.label} does not open your account any more.")
    return redirect("accounts:account")

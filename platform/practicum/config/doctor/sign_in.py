"""The ways in: whether each provider answers as a provider does, and what its administrator has to be told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx

from practicum.accounts.models import User
from practicum.accounts.ways_in import GITHUB, GOOGLE, OIDC, SAML, Provider, WaysIn, metadata_address, return_address
from practicum.config.doctor.findings import Finding, State, ok, to_mend

Get = Callable[[str], httpx.Response]
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri")
CONSOLES = {
    GITHUB: "https://github.com/settings/developers",
    GOOGLE: "https://console.cloud.google.com/apis/credentials",
}


def _get(url: str) -> httpx.Response:
    return httpx.get(url, timeout=10, follow_redirects=False)


def ways_in(ways: WaysIn, *, site_url: str, get: Get = _get) -> list[Finding]:
    """Each provider, the accounts with spare keys, and who must have a second factor."""
    found = [finding for provider in ways.providers for finding in _provider(provider, site_url=site_url, get=get)]
    found += [] if ways.spare_keys is None else _spare_keys(ways.spare_keys)
    if "admin" not in ways.factor_roles:
        said = "admins need none: a stolen password opens everything"
        return [*found, Finding("second factor", State.LOOK, said, "Set PRACTICUM_SIGN_IN_SECOND_FACTOR=admin,mentor.")]
    return [*found, ok("second factor", f"needed by each {' and '.join(sorted(ways.factor_roles))}")]


def _provider(provider: Provider, *, site_url: str, get: Get) -> list[Finding]:
    name = f"sign-in by {provider.slug}"
    address = return_address(site_url, slug=provider.slug)
    if provider.slug == OIDC:
        fault, mend = _oidc_fault(provider.facts["ISSUER"].rstrip("/"), get=get)
    elif provider.slug == SAML:
        fault, mend = _saml_fault(provider.facts, get=get)
        address = f"{address} (answers, by POST); {metadata_address(site_url)} (our name and metadata)"
    else:
        fault, mend = "", CONSOLES[provider.slug]
    first = to_mend(name, fault, mend) if fault else ok(name, f"{provider.label} is set up")
    return [first, Finding(f"{name}: enter there", State.UNSEEN, f"return address {address}")]


def _oidc_fault(issuer: str, *, get: Get) -> tuple[str, str]:
    """What is wrong with the discovery document, and what mends it."""
    url = f"{issuer}/.well-known/openid-configuration"
    try:
        answer = get(url)
        document: Any = answer.json() if answer.status_code == 200 else None
    except (httpx.HTTPError, ValueError) as fault:
        return f"{url} does not answer: {fault}", "Mend PRACTICUM_SIGN_IN_OIDC_ISSUER, or the network between."
    if not isinstance(document, dict):
        return (
            f"{url} answers {answer.status_code}",
            "PRACTICUM_SIGN_IN_OIDC_ISSUER is the address before /.well-known/.",
        )
    if str(document.get("issuer", "")).rstrip("/") != issuer:
        said = document.get("issuer", "none")
        return f"it calls itself {said}", f"Set PRACTICUM_SIGN_IN_OIDC_ISSUER={said}, if that is whom you mean."
    missing = [each for each in ENDPOINTS if each not in document]
    if missing:
        return f"its document has no {', '.join(missing)}", "Ask whoever runs the provider."
    if "S256" not in document.get("code_challenge_methods_supported", ["S256"]):
        return "it does not take PKCE with S256", "Switch it on for this client at the provider."
    return "", ""


def _saml_fault(facts: Any, *, get: Get) -> tuple[str, str]:
    """What is wrong with the provider's metadata, and what mends it."""
    url, entity = facts.get("METADATA_URL", ""), facts["ENTITY_ID"]
    if not url:
        return "", ""
    try:
        answer = get(url)
    except httpx.HTTPError as fault:
        return f"{url} does not answer: {fault}", "Mend PRACTICUM_SIGN_IN_SAML_METADATA_URL, or the network between."
    if answer.status_code != 200 or entity not in answer.text:
        return f"{url} has no metadata of {entity}", "Mend PRACTICUM_SIGN_IN_SAML_METADATA_URL or _SAML_ENTITY_ID."
    return "", ""


def _spare_keys(names: frozenset[str]) -> list[Finding]:
    usable = {
        user.username
        for user in User.objects.filter(username__in=names, role="admin", is_active=True)
        if user.has_usable_password()
    }
    if usable:
        return [ok("passwords", f"of {', '.join(sorted(usable))} alone")]
    said = "none of the accounts in PRACTICUM_SIGN_IN_PASSWORDS is an admin with a password: with the provider away nobody is in"
    return [to_mend("passwords", said, "Open one: practicum create_admin USERNAME EMAIL NAME")]

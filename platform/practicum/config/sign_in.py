"""``PRACTICUM_SIGN_IN_*``: the ways in, read from the environment and checked, and django-allauth's settings for them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from practicum.accounts.ways_in import GITHUB, GOOGLE, OIDC, PROVIDERS, ROLES, SAML, SAML_PLACE, Provider, WaysIn

PREFIX = "PRACTICUM_SIGN_IN_"
DOMAIN = re.compile(r"^[a-z0-9-]+(\.[a-z0-9-]+)+\Z")
USERNAME = re.compile(r"^[a-z][a-z0-9-]{1,30}\Z")
EVERYBODY = "everybody"
LABELS = {OIDC: "your organisation", SAML: "your organisation", GITHUB: "GitHub", GOOGLE: "Google"}
# By provider: what must be given once any of it is. A value with ``URL`` in its name, and the issuer, is an address.
NEEDED = {
    OIDC: ("ISSUER", "CLIENT_ID", "CLIENT_SECRET"),
    SAML: ("ENTITY_ID",),
    GITHUB: ("CLIENT_ID", "CLIENT_SECRET"),
    GOOGLE: ("CLIENT_ID", "CLIENT_SECRET"),
}
MORE = {
    OIDC: ("NAME",),
    SAML: ("NAME", "METADATA_URL", "SSO_URL", "CERTIFICATE", "EMAIL_ATTRIBUTE", "NAME_ATTRIBUTE", "UID_ATTRIBUTE"),
    GITHUB: (),
    GOOGLE: (),
}
KNOWN = frozenset(
    {f"{PREFIX}{slug.upper()}_{name}" for slug in PROVIDERS for name in (*NEEDED[slug], *MORE[slug])}
    | {
        f"{PREFIX}{name}"
        for name in ("PASSWORDS", "SECOND_FACTOR", "VERIFIED_DOMAINS", "OPEN_TO", "GROUPS", "ROLES", "WHOM_TO_ASK")
    }
)
# The names by which Active Directory, Shibboleth and plain set-ups call an address and a name.
SAML_EMAIL = (
    "urn:oid:0.9.2342.19200300.100.1.3",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
    "mail",
    "email",
)
SAML_NAME = (
    "urn:oid:2.16.840.1.113730.3.1.241",
    "http://schemas.microsoft.com/identity/claims/displayname",
    "displayName",
)
SAML_UID = ("urn:oasis:names:tc:SAML:attribute:subject-id",)


def read_ways(variables: Mapping[str, str], *, is_production: bool, faults: list[str]) -> WaysIn:
    """The ways in of ``variables``; what can't be used is added to ``faults``, and no secret is in one."""

    def text(name: str) -> str:
        return variables.get(PREFIX + name, "").strip()

    def listed(name: str) -> list[str]:
        return [part.strip() for part in text(name).split(",") if part.strip()]

    providers = tuple(
        found for slug in PROVIDERS if (found := _provider(slug, variables, is_production, faults)) is not None
    )
    slugs = {each.slug for each in providers}
    ways = WaysIn(
        providers=providers,
        spare_keys=_spare_keys(listed("PASSWORDS"), faults=faults),
        factor_roles=_roles(listed("SECOND_FACTOR"), faults=faults),
        verified_domains=_domains(listed("VERIFIED_DOMAINS"), faults=faults),
        open_to=_open_to(listed("OPEN_TO"), slugs=slugs, faults=faults),
        groups_claim=text("GROUPS") or "groups",
        roles_of_groups=_mapping(listed("ROLES"), faults=faults),
        whom_to_ask=text("WHOM_TO_ASK"),
    )
    if ways.spare_keys is not None and not providers:
        faults.append(f"{PREFIX}PASSWORDS names accounts, but there is no provider: nobody else could sign in.")
    if ways.roles_of_groups and not any(each.tells_groups for each in providers):
        faults.append(
            f"{PREFIX}ROLES needs a provider that tells groups: {PREFIX}OIDC_ISSUER or {PREFIX}SAML_ENTITY_ID."
        )
    if ways.verified_domains and not any(each.tells_groups for each in providers):
        faults.append(f"{PREFIX}VERIFIED_DOMAINS is about a provider of your own, by OIDC or SAML, and there is none.")
    return ways


def _provider(slug: str, variables: Mapping[str, str], is_production: bool, faults: list[str]) -> Provider | None:
    """One provider, or None where nothing is said of it."""
    names = {name: f"{PREFIX}{slug.upper()}_{name}" for name in (*NEEDED[slug], *MORE[slug])}
    given = {name: value for name, full in names.items() if (value := variables.get(full, "").strip())}
    if not given:
        return None
    faults += [
        f"{names[name]} must be set too: {slug} can't be used without." for name in NEEDED[slug] if name not in given
    ]
    if slug == SAML and not ("METADATA_URL" in given or {"SSO_URL", "CERTIFICATE"} <= given.keys()):
        faults.append(f"{names['METADATA_URL']} must be set, or {names['SSO_URL']} and {names['CERTIFICATE']}.")
    for name in given:
        if name == "ISSUER" or name.endswith("_URL"):
            _check_address(names[name], given[name], is_production=is_production, faults=faults)
    if "CERTIFICATE" in given and not re.fullmatch(r"[A-Za-z0-9+/=]{100,}", bare_certificate(given["CERTIFICATE"])):
        faults.append(f"{names['CERTIFICATE']} must be the provider's certificate in base64, on one line.")
    return Provider(slug, given.get("NAME", LABELS[slug]), given)


def _check_address(name: str, value: str, *, is_production: bool, faults: list[str]) -> None:
    parts = urlsplit(value)
    schemes = ("https",) if is_production else ("https", "http")
    if parts.scheme not in schemes or not parts.hostname or parts.username or parts.fragment:
        faults.append(f"{name} must be a full {schemes[0]} address, not {value!r}.")


def bare_certificate(certificate: str) -> str:
    """A certificate without its first and last line and without blanks."""
    return re.sub(r"-----[A-Z ]+-----|\\n|\s", "", certificate)


def _spare_keys(listed: list[str], *, faults: list[str]) -> frozenset[str] | None:
    if listed in ([], [EVERYBODY]):
        return None
    for name in listed:
        if name == EVERYBODY or not USERNAME.search(name):
            faults.append(f"{PREFIX}PASSWORDS must be {EVERYBODY}, or usernames of admins; {name!r} is none.")
    return frozenset(listed)


def _roles(listed: list[str], *, faults: list[str]) -> frozenset[str]:
    faults += [
        f"{PREFIX}SECOND_FACTOR: {each!r} is none of {', '.join(ROLES)}." for each in listed if each not in ROLES
    ]
    return frozenset(listed)


def _domains(listed: list[str], *, faults: list[str]) -> frozenset[str]:
    found = [each.lower() for each in listed]
    faults += [f"{PREFIX}VERIFIED_DOMAINS: {each!r} is no domain." for each in found if not DOMAIN.search(each)]
    return frozenset(found)


def _open_to(listed: list[str], *, slugs: set[str], faults: list[str]) -> frozenset[tuple[str, str]]:
    found = set()
    for each in listed:
        slug, colon, domain = each.lower().partition(":")
        if slug not in slugs or (colon and not DOMAIN.search(domain)):
            wanted = "a provider that is set up, or provider:domain"
            faults.append(f"{PREFIX}OPEN_TO: {each!r} must be {wanted}, such as oidc:lab.example.org.")
        found.add((slug, domain))
    return frozenset(found)


def _mapping(listed: list[str], *, faults: list[str]) -> dict[str, str]:
    found = {}
    for each in listed:
        group, _, role = each.rpartition("=")
        if not group.strip() or role.strip() not in ROLES:
            faults.append(f"{PREFIX}ROLES: {each!r} must be group=role, the role one of {', '.join(ROLES)}.")
        found[group.strip()] = role.strip()
    return found


def allauth_providers(ways: WaysIn) -> dict[str, dict[str, Any]]:
    """The ways in as ``SOCIALACCOUNT_PROVIDERS``."""
    verified = sorted(ways.verified_domains)
    found: dict[str, dict[str, Any]] = {}
    for each in ways.providers:
        facts = each.facts
        app: dict[str, Any] = {
            "client_id": facts.get("CLIENT_ID", each.slug),
            "secret": facts.get("CLIENT_SECRET", ""),
            "name": each.label,
        }
        if each.slug == OIDC:
            issuer = facts.get("ISSUER", "").rstrip("/")
            app |= {"provider_id": OIDC, "settings": {"server_url": issuer, "verified_email": verified}}
            found["openid_connect"] = {"OAUTH_PKCE_ENABLED": True, "APPS": [app]}
        elif each.slug == SAML:
            app |= {"provider_id": SAML, "client_id": SAML_PLACE, "settings": _saml(facts, verified=verified)}
            found["saml"] = {"APPS": [app]}
        else:
            found[each.slug] = {"OAUTH_PKCE_ENABLED": True, "APPS": [app], **_SCOPES[each.slug]}
    return found


_SCOPES: dict[str, dict[str, Any]] = {
    GITHUB: {"SCOPE": ["read:user", "user:email"]},
    GOOGLE: {"SCOPE": ["openid", "profile", "email"]},
}


def _saml(facts: Mapping[str, str], *, verified: list[str]) -> dict[str, Any]:
    """What is asked of an answer: strict, signed assertions by today's algorithms, and only to a question of ours."""
    idp = {"entity_id": facts.get("ENTITY_ID", "")}
    if "METADATA_URL" in facts:
        idp["metadata_url"] = facts["METADATA_URL"]
    else:
        idp |= {"sso_url": facts.get("SSO_URL", ""), "x509cert": bare_certificate(facts.get("CERTIFICATE", ""))}
    return {
        "idp": idp,
        "verified_email": verified,
        "attribute_mapping": {
            "uid": [facts["UID_ATTRIBUTE"]] if "UID_ATTRIBUTE" in facts else list(SAML_UID),
            "email": [facts["EMAIL_ATTRIBUTE"]] if "EMAIL_ATTRIBUTE" in facts else list(SAML_EMAIL),
            "name": [facts["NAME_ATTRIBUTE"]] if "NAME_ATTRIBUTE" in facts else list(SAML_NAME),
        },
        "advanced": {
            "strict": True,
            "want_assertion_signed": True,
            "reject_deprecated_algorithm": True,
            "reject_idp_initiated_sso": True,
            "want_name_id": True,
            "allow_single_label_domains": True,  # labs without a domain of their own
        },
    }

"""The ways into the site that its operator allows, and what they say of a person. Pure.

Words: a *provider* is who vouches for a person: the lab's own by OpenID Connect or SAML, GitHub, Google; a *group* is what the
lab's own provider says a person belongs to. A *spare key* is the username of an admin whose password still opens the door
where passwords are switched off.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

OIDC, SAML, GITHUB, GOOGLE = "oidc", "saml", "github", "google"
PROVIDERS = (OIDC, SAML, GITHUB, GOOGLE)
# What stands for the provider in the addresses of SAML.
SAML_PLACE = "lab"
# From the least to the most: who is in several groups gets the most.
ROLES = ("intern", "mentor", "admin")


@dataclass(frozen=True)
class Provider:
    """One provider. ``facts`` are what reaching it takes, secrets among them: they are in no ``repr``."""

    slug: str
    label: str
    facts: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def tells_groups(self) -> bool:
        """It is the lab's own and may say what a person belongs to."""
        return self.slug in (OIDC, SAML)


@dataclass(frozen=True)
class WaysIn:
    """What the operator set. ``spare_keys`` None: everybody's password opens the door."""

    providers: tuple[Provider, ...] = ()
    spare_keys: frozenset[str] | None = None
    factor_roles: frozenset[str] = frozenset()
    verified_domains: frozenset[str] = frozenset()
    open_to: frozenset[tuple[str, str]] = frozenset()
    groups_claim: str = "groups"
    roles_of_groups: Mapping[str, str] = field(default_factory=dict)
    whom_to_ask: str = ""

    def provider(self, slug: str) -> Provider | None:
        """The provider of this name, where it is set up."""
        return next((each for each in self.providers if each.slug == slug), None)

    def takes_password_of(self, username: str) -> bool:
        """The password of this account opens the door."""
        return self.spare_keys is None or username in self.spare_keys


def domain_of(email: str) -> str:
    """What stands behind the last ``@``, in small letters."""
    return email.rpartition("@")[2].lower()


def is_open_to(ways: WaysIn, *, provider: str, email: str) -> bool:
    """Whoever this provider says has this address may open an account."""
    return bool({(provider, ""), (provider, domain_of(email))} & ways.open_to)


def groups_in(said: Any, *, claim: str) -> frozenset[str]:
    """The groups in what a provider said: a list of texts, or one text; anything else is none."""
    found = said.get(claim) if isinstance(said, Mapping) else None
    listed = [found] if isinstance(found, str) else found
    return (
        frozenset(each for each in listed if isinstance(each, str)) if isinstance(listed, list | tuple) else frozenset()
    )


def role_of(groups: Iterable[str], *, roles: Mapping[str, str]) -> str:
    """The most that a person's groups give; intern where none gives any."""
    given = {roles[group] for group in groups if group in roles}
    return max(given | {ROLES[0]}, key=ROLES.index)


def return_address(site_url: str, *, slug: str) -> str:
    """Where a provider is to send people back to, for its administrator."""
    return f"{site_url}/sign-in/" + (f"saml/{SAML_PLACE}/answer/" if slug == SAML else f"{slug}/callback/")


def metadata_address(site_url: str) -> str:
    """Where a provider by SAML reads who we are; also our name there."""
    return f"{site_url}/sign-in/saml/{SAML_PLACE}/metadata/"

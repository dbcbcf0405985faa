"""Whom a provider's word lets in, and as what.

Invariants: a provider's *subject*, which it never gives to another person, opens one account; an address joins the two only
where the provider says that it is verified, and never an admin's: who is admin joins them by hand, signed in. Nobody who
has no account gets one, but where the operator opened the door to that provider's people. What a person's groups give is
their role from each sign-in on, up and down.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.db import transaction

from practicum.accounts.models import Role, User
from practicum.accounts.services import change_role, open_by_provider
from practicum.accounts.ways_in import Provider, WaysIn, is_open_to, role_of
from practicum.audit.services import record
from practicum.errors import Conflict, Forbidden


class NotLetIn(Forbidden):
    """The provider knows the person, and this site does not, or not yet; the message says why."""

    code = "not_let_in"


@dataclass(frozen=True)
class Said:
    """What a provider said of a person: ``verified`` are the addresses it vouches for."""

    subject: str
    verified: tuple[str, ...] = ()
    name: str = ""
    username: str = ""
    groups: frozenset[str] = frozenset()


@transaction.atomic
def admit(provider: Provider, said: Said, *, now: datetime) -> User:
    """The person's account, joined to the provider and with the role their groups give; made where the door is open.

    Raises:
        NotLetIn: they have no account here, or none that this may open.
    """
    ways: WaysIn = settings.PRACTICUM_WAYS_IN
    user = _joined(provider, said) or _known(provider, said, now=now) or _newcomer(provider, said, ways=ways, now=now)
    if not user.is_active:
        raise NotLetIn("Your account here is switched off.")
    if provider.tells_groups and ways.roles_of_groups:
        _follow_groups(user, provider, said, ways=ways, now=now)
    return user


def _joined(provider: Provider, said: Said) -> User | None:
    row = SocialAccount.objects.select_related("user").filter(provider=provider.slug, uid=said.subject).first()
    return row.user if row else None


def _known(provider: Provider, said: Said, *, now: datetime) -> User | None:
    """Whose account has an address that the provider vouches for: it is joined from now on."""
    found = {user for address in said.verified for user in User.objects.filter(email__iexact=address)}
    if not found:
        return None
    if len(found) > 1:
        raise NotLetIn(f"More than one account here has an address that {provider.label} knows as yours.")
    (user,) = found
    if user.is_admin and user.is_active:
        raise NotLetIn(
            f"An admin's account has your address. Sign in to it as usual, and join it to {provider.label} on its account page."
        )
    if user.is_active:
        join(user, provider=provider, subject=said.subject, now=now)
    return user


def _newcomer(provider: Provider, said: Said, *, ways: WaysIn, now: datetime) -> User:
    address = next((each for each in said.verified if is_open_to(ways, provider=provider.slug, email=each)), None)
    if address is None:
        reason = "" if said.verified else f" {provider.label} does not say that your address is verified."
        raise NotLetIn(f"There is no account for you here.{reason}")
    user = open_by_provider(
        username=said.username or address,
        email=address,
        name=said.name or address.partition("@")[0],
        role=Role.INTERN,
        now=now,
    )
    join(user, provider=provider, subject=said.subject, now=now)
    return user


def _follow_groups(user: User, provider: Provider, said: Said, *, ways: WaysIn, now: datetime) -> None:
    """The role that the groups give; who has a spare key keeps theirs, and so does the last admin."""
    if user.username in (ways.spare_keys or ()):
        return
    role = role_of(said.groups, roles=ways.roles_of_groups)
    try:
        change_role(None, user=user, role=role, why=f"groups at {provider.slug}", now=now)
    except Conflict:
        record("account.role_kept", subject=user, actor=None, now=now, wanted=role, why="the last admin")


@transaction.atomic
def join(user: User, *, provider: Provider, subject: str, now: datetime) -> None:
    """Who is this subject at the provider opens this account.

    Raises:
        Conflict: another account is joined to the subject, or this one to another subject there.
    """
    rows = SocialAccount.objects.filter(provider=provider.slug)
    if rows.filter(uid=subject).exclude(user=user).exists():
        raise Conflict(f"Another account here is joined to your {provider.label}.")
    if rows.filter(user=user).exclude(uid=subject).exists():
        raise NotLetIn(f"The account with your address is joined to somebody else at {provider.label}.")
    _, is_new = SocialAccount.objects.get_or_create(user=user, provider=provider.slug, uid=subject)
    if is_new:
        record("account.joined", subject=user, actor=user, now=now, provider=provider.slug)


@transaction.atomic
def part(user: User, *, slug: str, now: datetime) -> None:
    """The provider opens this account no more.

    Raises:
        Conflict: nothing else would.
    """
    rows = SocialAccount.objects.filter(user=user, provider=slug)
    others = SocialAccount.objects.filter(user=user).exclude(provider=slug).exists()
    ways: WaysIn = settings.PRACTICUM_WAYS_IN
    if not others and not (user.has_usable_password() and ways.takes_password_of(user.username)):
        raise Conflict("Nothing else would open your account any more.")
    if rows.delete()[0]:
        record("account.parted", subject=user, actor=user, now=now, provider=slug)


def joined_providers(user: User) -> set[str]:
    """The providers that open this account."""
    return set(SocialAccount.objects.filter(user=user).values_list("provider", flat=True))

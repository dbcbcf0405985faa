"""What changes an account: what its person does, and what admins do with it.

Words: a *one-time password* is made here, shown once to the admin, kept only as a digest, and good for one thing: signing
in to choose one's own (``User.must_choose_password``).
"""

from __future__ import annotations

import re
import secrets
from datetime import datetime

from django.contrib.auth import SESSION_KEY
from django.contrib.auth.password_validation import validate_password
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from oauth2_provider.models import AccessToken, DeviceGrant, Grant, IDToken, RefreshToken

from practicum.accounts.models import Role, User
from practicum.audit.services import record, record_of_the_site
from practicum.errors import Conflict, Forbidden, Invalid

# No 0 and o, no 1, i and l: it is read from a screen and typed. 16 of 31 letters are 79 bits.
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
GROUPS, GROUP_LENGTH = 4, 4


class WeakPassword(Invalid):
    """The new password is too easy to guess; the message says why."""

    code = "weak_password"


class Taken(Conflict):
    """Another account has this username or address; ``field`` says which of the two."""

    code = "taken"


class Unfit(Invalid):
    """A fact about the person can't be used; ``field`` says which."""

    code = "unfit"


@transaction.atomic
def rename(user: User, *, name: str, now: datetime) -> None:
    """The person is called ``name`` from now on."""
    user.name = name
    user.save(update_fields=["name"])
    record("account.renamed", subject=user, actor=user, now=now)


@transaction.atomic
def change_password(user: User, *, password: str, now: datetime) -> None:
    """Only ``password`` opens the account; every session and every token made with the old one is worth nothing.

    Raises:
        WeakPassword: the rules of the settings refuse it.
    """
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise WeakPassword(" ".join(error.messages)) from None
    user.set_password(password)
    user.must_choose_password = False
    user.save(update_fields=["password", "must_choose_password"])
    end_hub_access(user, now=now)
    record("account.password_changed", subject=user, actor=user, now=now)


@transaction.atomic
def end_hub_access(user: User, *, now: datetime) -> None:
    """The hub's tokens for this person open nothing more; it notices at its next refresh, within a minute."""
    Grant.objects.filter(user=user).delete()
    RefreshToken.objects.filter(user=user, revoked__isnull=True).update(revoked=now)
    AccessToken.objects.filter(user=user, expires__gt=now).update(expires=now)


def one_time_password() -> str:
    """A new password of four groups, from the system's source of randomness."""
    return "-".join("".join(secrets.choice(LETTERS) for _ in range(GROUP_LENGTH)) for _ in range(GROUPS))


def create_account(
    actor: User | None, *, username: str, email: str, name: str, role: str, now: datetime
) -> tuple[User, str]:
    """Open an account; the answer's second half is its one-time password, which nothing can tell again.

    ``actor`` is None where the platform's own command does it.

    Raises:
        Forbidden: the actor is no admin.
        Taken: the username or the e-mail address, in any case of letters, belongs to an account.
        Unfit: one of the four can't be used as it is.
    """
    check_admin(actor)
    user = User(
        username=username.strip(),
        email=User.objects.normalize_email(email.strip()),
        name=" ".join(name.split()),
        role=role,
        must_choose_password=True,
    )
    _check_facts(user)
    password = one_time_password()
    user.set_password(password)
    try:
        with transaction.atomic():
            user.save(force_insert=True)
            record("account.created", subject=user, actor=actor, now=now, username=user.username, role=str(user.role))
    except IntegrityError as clash:
        _check_free(user)
        raise Taken("Somebody opened this account at the same moment.", field="username") from clash
    return user, password


@transaction.atomic
def sign_up(*, username: str, email: str, name: str, password: str, now: datetime) -> User:
    """An intern's account, opened by its person; the caller has proof that the address is theirs.

    Raises:
        Taken: the username or the e-mail address, in any case of letters, belongs to an account.
        Unfit: one of the three can't be used as it is.
        WeakPassword: the rules of the settings refuse it.
    """
    email = User.objects.normalize_email(email.strip())
    user = User(username=username.strip(), email=email, name=" ".join(name.split()), role=Role.INTERN)
    _check_facts(user)
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise WeakPassword(" ".join(error.messages), field="password") from None
    user.set_password(password)
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError as clash:
        _check_free(user)
        raise Taken("Somebody opened this account at the same moment.", field="username") from clash
    record("account.created", subject=user, actor=user, now=now, username=user.username, role=str(user.role))
    return user


def open_by_provider(*, username: str, email: str, name: str, role: str, now: datetime) -> User:
    """An account without a password, for whom a provider vouches that the address is theirs; ``username`` is a wish.

    Raises:
        Taken: the address, in any case of letters, belongs to an account.
        Unfit: a fact can't be used.
    """
    user = User(
        username=_free_username(username),
        email=User.objects.normalize_email(email),
        name=" ".join(name.split()),
        role=role,
    )
    _check_facts(user)
    user.set_unusable_password()
    try:
        with transaction.atomic():
            user.save(force_insert=True)
            record("account.created", subject=user, actor=user, now=now, username=user.username, role=str(user.role))
    except IntegrityError as clash:
        raise Taken("Somebody opened this account at the same moment. Sign in again.", field="email") from clash
    return user


def _free_username(wanted: str) -> str:
    """A username that is nobody's, as near to the wish as the rules for usernames allow."""
    stem = re.sub(r"[^a-z0-9-]+", "-", wanted.partition("@")[0].lower()).strip("-")[:25]
    stem = stem if re.match(r"[a-z].", stem) else f"person-{stem}".rstrip("-")
    taken = set(User.objects.filter(username__startswith=stem).values_list("username", flat=True))
    return next(
        name
        for number in range(1, len(taken) + 3)
        if (name := stem + (f"-{number}" if number > 1 else "")) not in taken
    )


@transaction.atomic
def change_role(actor: User | None, *, user: User, role: str, why: str, now: datetime) -> bool:
    """The person's role is ``role``; False if it was so already. Every session and token made with the old one ends.

    ``actor`` is None where the platform does it: by its command, or since a provider told other groups.
    Locks the accounts of the admins, so that two of them can't lose the role at once.

    Raises:
        Forbidden: the actor is no admin.
        Conflict: nobody would be admin any more, or the account is deleted.
    """
    check_admin(actor)
    _check_not_deleted(user)
    others, before = other_admins(user), user.role
    if before == Role.ADMIN and role != Role.ADMIN and not others:
        raise Conflict(f"{user} is the last admin. Make another account an admin first.")
    if not User.objects.filter(pk=user.pk).exclude(role=role).update(role=role, must_leave_hub=True):
        return False
    user.role, user.must_leave_hub = role, True
    end_sessions(user, now=now)
    record("account.role_changed", subject=user, actor=actor, now=now, before=str(before), role=str(role), why=why)
    return True


def reset_password(actor: User, *, user: User, now: datetime) -> str:
    """Only the one-time password this returns opens the account; every session and token of the person ends.

    Raises:
        Forbidden: the actor is no admin.
        Conflict: the account is switched off or deleted, or the actor's own.
    """
    check_admin(actor)
    _check_not_deleted(user)
    if user.pk == actor.pk:
        raise Conflict("Change your own password on your account page.")
    password = one_time_password()
    user.set_password(password)
    with transaction.atomic():
        moved = User.objects.filter(pk=user.pk, is_active=True).update(
            password=user.password, must_choose_password=True
        )
        if not moved:
            raise Conflict(f"The account of {user} is switched off. Switch it on first.")
        end_sessions(user, now=now)
        record("account.password_reset", subject=user, actor=actor, now=now)
    user.must_choose_password = True
    return password


@transaction.atomic
def set_active(actor: User | None, *, user: User, active: bool, now: datetime) -> bool:
    """Switch an account on or off; False if it was so already. Off, its sessions and the hub's tokens are gone for good.

    ``actor`` is None where the platform's own command does it.
    Locks the accounts of the admins, so that two of them can't switch each other off.

    Raises:
        Forbidden: the actor is no admin.
        Conflict: the actor's own account, the last admin's, or a deleted one.
    """
    check_admin(actor)
    _check_not_deleted(user)
    if not active:
        _check_may_go(actor, user=user)
    rows = User.objects.filter(pk=user.pk, is_active=not active)
    if not (rows.update(is_active=True) if active else rows.update(is_active=False, must_leave_hub=True)):
        return False
    user.is_active = active
    if not active:
        end_sessions(user, now=now)
    record("account.switched_on" if active else "account.switched_off", subject=user, actor=actor, now=now)
    return True


@transaction.atomic
def end_sessions(user: User, *, now: datetime) -> None:
    """No browser is signed in as this person any more, here or at the hub. Reads every open session of the site once."""
    rows = Session.objects.filter(expire_date__gt=now)
    mine = [row.pk for row in rows.iterator() if row.get_decoded().get(SESSION_KEY) == str(user.pk)]
    Session.objects.filter(pk__in=mine).delete()
    end_hub_access(user, now=now)


@transaction.atomic
def end_all_access(*, now: datetime) -> int:
    """Everybody is signed out, and nothing that the sign-in ever gave to the hub opens anything; returns how many sessions."""
    signed_out, _ = Session.objects.all().delete()
    for model in (Grant, DeviceGrant, IDToken, AccessToken, RefreshToken):
        model.objects.all().delete()
    record_of_the_site("account.all_signed_out", now=now, sessions=signed_out)
    return signed_out


def check_admin(actor: User | None) -> None:
    if actor is not None and not (actor.is_admin and actor.is_active):
        raise Forbidden("Only admins look after accounts.")


def _check_not_deleted(user: User) -> None:
    if user.deleted_at is not None:
        raise Conflict("This account is deleted for good. Open a new one for the person.")


def other_admins(user: User) -> list[User]:
    """The admins beside this person, locked, so that two can't leave at once."""
    admins = User.objects.select_for_update().filter(role=Role.ADMIN, is_active=True).order_by("pk")
    return [admin for admin in admins if admin.pk != user.pk]


def _check_may_go(actor: User | None, *, user: User) -> None:
    if actor is not None and user.pk == actor.pk:
        raise Conflict("You can't switch off your own account; ask another admin.")
    others = other_admins(user)
    if user.is_admin and not others:
        raise Conflict(f"{user} is the last admin. Open another admin's account first.")


def _check_facts(user: User) -> None:
    try:
        user.clean_fields(exclude=["password"])
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise Unfit(messages[0], field=field) from None
    _check_free(user)


def _check_free(user: User) -> None:
    if User.objects.filter(username=user.username).exists():
        raise Taken(f"There is an account called {user.username} already.", field="username")
    if User.objects.filter(email__iexact=user.email).exists():
        raise Taken("Another account has this address.", field="email")

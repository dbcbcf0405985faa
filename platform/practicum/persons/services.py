"""Asking for the deletion of a person's data, and taking that back within the grace period."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils.timezone import localtime

from practicum.accounts.models import User
from practicum.accounts.notices import notify
from practicum.accounts.services import other_admins
from practicum.audit.services import record
from practicum.errors import Conflict, Forbidden, Invalid
from practicum.internships.models import GOING_ON, Internship
from practicum.persons.models import OPEN_DELETION_STATES, Deletion, DeletionState

GRACE = timedelta(days=7)


class StillNeeded(Conflict):
    """The person has to hand something over first; the message says what."""

    code = "still_needed"


def may_look_after(actor: User, *, person: User) -> bool:
    """Whose data these are, and admins."""
    return actor.pk == person.pk or actor.is_admin


def check_may_go(person: User) -> None:
    """Let through whom the site can do without. Locks the admins' accounts.

    Raises:
        StillNeeded: the last admin, or a mentor with interns.
    """
    if person.is_admin and not other_admins(person):
        raise StillNeeded("The last admin can't be deleted. Open another admin's account first.")
    mentored = Internship.objects.filter(mentor=person, state__in=GOING_ON).select_related("intern")
    names = ", ".join(str(row.intern) for row in mentored.order_by("intern__name"))
    if names:
        raise StillNeeded(f"{person} is the mentor of {names}. They need another mentor first; an admin can change it.")


@transaction.atomic
def ask(actor: User, *, person: User, username: str, keeps_certificates: bool, now: datetime) -> Deletion:
    """The person's data are deleted after seven days, unless that is taken back; they are told.

    Raises:
        Forbidden: the actor is neither the person nor an admin.
        Invalid: ``username`` is not the person's.
        StillNeeded: the last admin, or a mentor with interns.
        Conflict: it is asked for already, or done.
    """
    if not may_look_after(actor, person=person):
        raise Forbidden("Only the person and admins have somebody's data deleted.")
    if username.strip() != person.username:
        raise Invalid(f"Type {person.username}, the username, exactly.", field="username")
    if person.deleted_at is not None:
        raise Conflict("This account is deleted already.")
    check_may_go(person)
    try:
        with transaction.atomic():
            deletion = Deletion.objects.create(
                user=person,
                asked_by=actor,
                asked_at=now,
                due_at=now + GRACE,
                next_try_at=now + GRACE,
                keeps_certificates=keeps_certificates,
            )
    except IntegrityError as clash:
        raise Conflict("The deletion is asked for already.") from clash
    due = deletion.due_at.isoformat()
    record(
        "account.deletion_asked", subject=person, actor=actor, now=now, due_at=due, keeps_certificates=keeps_certificates
    )  # fmt: skip
    _tell(
        deletion,
        subject=f"Your data are deleted on {localtime(deletion.due_at):%-d %B %Y}",
        body="Until then it can be taken back, and you can take away all that is kept about you.",
        now=now,
    )
    return deletion


@transaction.atomic
def take_back(actor: User, *, person: User, now: datetime) -> None:
    """Nothing is deleted; the person is told.

    Raises:
        Forbidden: the actor is neither the person nor an admin.
        Conflict: it is not asked for, or has begun.
    """
    if not may_look_after(actor, person=person):
        raise Forbidden("Only the person and admins take this back.")
    deletion = Deletion.objects.filter(user=person, state=DeletionState.ASKED).first()
    moved = deletion is not None and Deletion.objects.filter(
        pk=deletion.pk, state=DeletionState.ASKED, token=deletion.token
    ).update(state=DeletionState.TAKEN_BACK, taken_back_by=actor, ended_at=now, waits_for="")  # fmt: skip
    if deletion is None or not moved:
        raise Conflict("There is no deletion that could be taken back: none was asked for, or it has begun.")
    record("account.deletion_taken_back", subject=person, actor=actor, now=now)
    _tell(deletion, subject="Nothing is deleted", body=f"{actor} took the deletion of your data back.", now=now)


def _tell(deletion: Deletion, *, subject: str, body: str, now: datetime) -> None:
    notify(
        deletion.user,
        kind="account.deletion",
        subject=subject,
        body=body,
        path=reverse("persons:own"),
        key=f"account.deletion:{deletion.pk}:{subject}",
        now=now,
    )


def open_deletion_of(person: User) -> Deletion | None:
    """The deletion that is asked for or under way, if there is one."""
    return Deletion.objects.filter(user=person, state__in=OPEN_DELETION_STATES).select_related("asked_by").first()

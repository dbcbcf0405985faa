"""Carrying a deletion out, step by step, in the order of ``STEPS``.

Each step may be done twice: a worker that dies anywhere leaves a deletion that the next one begins again. The name goes
last, since the steps before need it: the home is named by it, and texts are searched for it.
"""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.apps import apps
from django.db import transaction

from practicum.accounts.models import Notice, User
from practicum.accounts.services import end_sessions
from practicum.audit.services import record
from practicum.credentials import services as certificates
from practicum.credentials.models import Certificate, CertificateState, Visibility
from practicum.engine import Engine
from practicum.errors import Conflict, Stale
from practicum.evaluation import services as evaluations
from practicum.evaluation.models import OPEN_RUN_STATES, Run
from practicum.gpus.models import OPEN_STATES, Lease
from practicum.internships import applications, cohorts
from practicum.internships.models import GOING_ON, Application, Internship, Invitation
from practicum.internships.services import close_early, end_check
from practicum.persons import naming
from practicum.persons.fields import empty_of
from practicum.persons.files import forget_files
from practicum.persons.models import Deletion, DeletionState
from practicum.persons.register import LINES, What
from practicum.persons.services import StillNeeded, check_may_go
from practicum.submissions.models import Submission
from practicum.workspaces.archives import forget_home
from practicum.workspaces.hub import Hub
from practicum.workspaces.models import (
    OPEN_RESTORATION_STATES,
    OPEN_SESSION_STATES,
    OPEN_SNAPSHOT_STATES,
    Restoration,
    Session,
    Snapshot,
)

WHY_ENDED = "Its intern's data are deleted."


class Held(Conflict):
    """It can't go on yet; the message says what it waits for."""

    code = "held"


@dataclass(frozen=True)
class Erasure:
    """A deletion that is being carried out, and what it is carried out with."""

    deletion: Deletion
    engine: Engine
    hub: Hub
    now: datetime

    @property
    def person(self) -> User:
        """Whose data go."""
        return self.deletion.user

    @property
    def submissions(self) -> Any:
        """What they handed in, but for what a certificate that they keep is about."""
        kept = Certificate.objects.filter(internship__intern=self.person, state=CertificateState.ISSUED)
        pinned = kept.values_list("submission_id", flat=True) if self.deletion.keeps_certificates else []
        return Submission.objects.filter(internship__intern=self.person).exclude(
            pk__in=[pk for pk in pinned if pk is not None]
        )


def erase(erasure: Erasure) -> None:
    """All that the register says; afterwards the account is a number.

    Raises:
        Held: something has to end first.
        Fault: engine or hub failed us.
    """
    for step in STEPS:
        step(erasure)


@transaction.atomic
def close_account(erasure: Erasure) -> None:
    """Nobody signs in as this person any more, and from here on it can't be taken back."""
    deletion, person = erasure.deletion, erasure.person
    if deletion.state == DeletionState.ASKED:
        try:
            check_may_go(person)
        except StillNeeded as refusal:
            raise Held(refusal.message) from refusal
        rows = Deletion.objects.filter(pk=deletion.pk, state=DeletionState.ASKED, token=deletion.token)
        if not rows.update(state=DeletionState.UNDERWAY):
            raise Stale("Somebody else has moved this deletion on.")
        record("account.deletion_begun", subject=person, actor=None, now=erasure.now)
        deletion.state = DeletionState.UNDERWAY
    User.objects.filter(pk=person.pk, deleted_at__isnull=True).update(is_active=False, deleted_at=erasure.now)
    end_sessions(person, now=erasure.now)


def end_internships(erasure: Erasure) -> None:
    """What goes on ends, and places become free."""
    person, now = erasure.person, erasure.now
    for internship in Internship.objects.filter(intern=person, state__in=GOING_ON):
        close_early(internship, reason=WHY_ENDED, actor=erasure.deletion.asked_by, now=now)
    end_check(person, why=WHY_ENDED, actor=erasure.deletion.asked_by, now=now)
    for application in Application.objects.filter(applicant=person).select_related("cohort", "applicant"):
        with suppress(Conflict):
            applications.withdraw(application, now=now)
    cohorts.withdraw_offers_of(person, now=now)


def stop_work(erasure: Erasure) -> None:
    """Nothing of theirs runs or waits any more; notebooks are stopped by the worker, since the account is off.

    Raises:
        Held: something still does.
    """
    person = erasure.person
    for submission in Submission.objects.filter(internship__intern=person, runs__state__in=OPEN_RUN_STATES).distinct():
        with suppress(Conflict, Stale):
            evaluations.cancel(submission, actor=person, now=erasure.now)
    if Session.objects.filter(user=person, state__in=OPEN_SESSION_STATES).exists():
        raise Held("The notebook is being stopped.")
    if Lease.objects.filter(user=person, state__in=OPEN_STATES).exists():
        raise Held("A slot is being given back.")
    if Run.objects.filter(submission__internship__intern=person, state__in=OPEN_RUN_STATES).exists():
        raise Held("An evaluation is being stopped.")
    copies = Snapshot.objects.filter(internship__intern=person, state__in=OPEN_SNAPSHOT_STATES)
    unpacked = Restoration.objects.filter(user=person, state__in=OPEN_RESTORATION_STATES)
    if copies.exists() or unpacked.exists():
        raise Held("A copy of the files is being made or unpacked.")


def settle_certificates(erasure: Erasure) -> None:
    """Kept as they are, by the person's choice, but on no list; or revoked, and empty."""
    for certificate in Certificate.objects.filter(internship__intern=erasure.person):
        if erasure.deletion.keeps_certificates and certificate.state == CertificateState.ISSUED:
            Certificate.objects.filter(pk=certificate.pk, visibility=Visibility.LISTED).update(
                visibility=Visibility.LINK
            )
        else:
            certificates.forget(certificate, now=erasure.now)


def forget_home_and_snapshots(erasure: Erasure) -> None:
    """The volume, what the hub knows, and archives of the files."""
    for snapshot in Snapshot.objects.filter(internship__intern=erasure.person):
        snapshot.path.unlink(missing_ok=True)
    erasure.hub.forget(erasure.person.username)
    forget_home(erasure.person.username, engine=erasure.engine)


def forget_work(erasure: Erasure) -> None:
    """Files that were handed in, notebooks that were executed, pages that were made of them; names of files."""
    theirs = Run.objects.filter(submission__internship__intern=erasure.person)
    forget_files(list(erasure.submissions), runs=theirs)


def forget_rows(erasure: Erasure) -> None:
    """Every line of the register that has a way from a row to the person."""
    for line in LINES:
        if not line.of or line.what == What.KEEP:
            continue
        model = apps.get_model(line.model)
        rows = model._default_manager.filter(**{line.of: erasure.person.pk})
        if line.what == What.DELETE:
            rows.delete()
        else:
            rows.update(**{name: line.says or empty_of(model, name) for name in line.fields})


def forget_name(erasure: Erasure) -> None:
    """The person's name, address and username are nowhere any more, the account's own last."""
    person = User.objects.get(pk=erasure.person.pk)
    new = _pseudonym_of(person)
    with transaction.atomic():
        invited = Invitation.objects.filter(email__iexact=person.email)
        (invited | Invitation.objects.filter(used_by=person)).update(email=new.email)
        names = naming.Names(
            person.username,
            person.name,
            person.email,
            new_username=new.username,
            new_name=new.name,
            new_email=new.email,
        )
        naming.forget_names(person, names=names)
        Notice.objects.filter(user=person).delete()
        new.save()
        ended = Deletion.objects.filter(
            pk=erasure.deletion.pk, token=erasure.deletion.token, state=DeletionState.UNDERWAY
        )
        if not ended.update(state=DeletionState.DONE, ended_at=erasure.now, waits_for=""):
            raise Stale("Somebody else carries this deletion out.")
        record("account.deleted", subject=person, actor=None, now=erasure.now)


def _pseudonym_of(person: User) -> User:
    """The account as it is afterwards, not saved yet. A second time it is the same, but for what nobody reads."""
    username = f"former-{person.role}-{person.pk}"
    while User.objects.filter(username=username).exclude(pk=person.pk).exists():
        username += "-x"
    new = User.objects.get(pk=person.pk)
    new.username, new.name = username, f"Former {person.role} {person.pk}"
    new.email = f"{username}@deleted.invalid"
    new.uuid, new.last_login, new.is_active, new.must_choose_password = uuid.uuid4(), None, False, False
    new.set_unusable_password()
    return new


STEPS = (
    close_account,
    end_internships,
    stop_work,
    settle_certificates,
    forget_home_and_snapshots,
    forget_work,
    forget_rows,
    forget_name,
)

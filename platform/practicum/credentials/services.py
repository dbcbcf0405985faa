"""What is done with a certificate: begun, issued, shown or hidden by its intern, revoked by an admin.

An internship that is completed gets one certificate. The worker begins it, has the work executed again, and issues it
when that has ended and the final score may be told (where a leaderboard keeps it back: once it is released). Each step is
one conditional update, so it may be killed anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Max
from django.urls import reverse

from practicum.accounts.models import User
from practicum.accounts.notices import notify
from practicum.audit.services import record
from practicum.credentials import bundles, rules, signing
from practicum.credentials.freezing import freeze
from practicum.credentials.models import Certificate, CertificateState, Portfolio, SignedDocument, Visibility
from practicum.credentials.selectors import hold_of
from practicum.errors import Conflict, Forbidden, Invalid, NotFound
from practicum.evaluation.models import OPEN_RUN_STATES, Run
from practicum.evaluation.services import queue_run
from practicum.evaluation.standings import standings_of
from practicum.internships.models import Internship, InternshipState
from practicum.reviews.models import ReviewState
from practicum.submissions.models import Submission

REASON_LENGTH = 300
REPLAY_WITHIN = timedelta(days=1)
HOLDER_GONE = "Its holder had their data deleted."


@transaction.atomic
def begin(internship: Internship, *, now: datetime) -> Certificate:
    """The certificate of a completed internship is being prepared: its work is in line to be executed again.

    Raises:
        Conflict: the internship is not completed.
        IntegrityError: it was begun by somebody else at the same moment.
    """
    if internship.state != InternshipState.COMPLETED:
        raise Conflict("A certificate is for a completed internship.")
    submission = work_of(internship)
    last = Certificate.objects.aggregate(last=Max("place"))["last"]
    certificate = Certificate.objects.create(
        internship=internship,
        place=0 if last is None else last + 1,
        begun_at=now,
        submission=submission,
        run=_run_again(submission, now=now) if submission is not None else None,
        parts=list(rules.PARTS),
    )
    record("certificate.begun", subject=certificate, actor=None, now=now, internship=internship.pk)
    if hold_of(certificate, now=now) is not None:
        _tell_held(certificate, now=now)
    return certificate


def _tell_held(certificate: Certificate, *, now: datetime) -> None:
    """Somebody has to know that it waits for them."""
    internship = certificate.internship
    notify(
        internship.mentor,
        kind="certificate.held",
        subject=f"The certificate of {internship.intern.name} waits for the final scores",
        body=f"It is issued once those of {internship.version.project.title} are released.\n"
        "On its page you can have it issued now.",
        path=reverse("credentials:certificate", args=[certificate.pk]),
        key=f"certificate.held:{certificate.pk}",
        now=now,
    )


def work_of(internship: Internship) -> Submission | None:
    """The submission a certificate is about: the newest that was accepted, else the one that counts on the board."""
    rows = internship.submissions.select_related("version__project", "internship")
    accepted = rows.filter(review__state=ReviewState.ACCEPTED).order_by("-number").first()
    if accepted is not None:
        return accepted
    counted = standings_of([internship])[internship.pk].counted
    return rows.get(pk=counted.submission_id) if counted is not None else None


def _run_again(submission: Submission, *, now: datetime) -> Run:
    """The run that the certificate waits for: one that is open anyway, or else a new one, scored as the last one was."""
    last = submission.runs.order_by("-attempt").first()
    if last is not None and last.state in OPEN_RUN_STATES:
        return last
    return queue_run(submission, requested_by=None, now=now, judge=last.judge if last else None)


def is_executed(certificate: Certificate) -> bool:
    """The execution it waits for has ended, or there is none."""
    open_runs = Run.objects.filter(state__in=OPEN_RUN_STATES)
    return certificate.run_id is None or not open_runs.filter(pk=certificate.run_id).exists()


def keep_replay(certificate: Certificate, *, replay: dict[str, object]) -> None:
    """What the replay bundle gave here, kept once."""
    rows = Certificate.objects.filter(pk=certificate.pk, state=CertificateState.PREPARING, replay__isnull=True)
    rows.update(replay=replay)


@transaction.atomic
def issue(certificate: Certificate, *, now: datetime) -> bool:
    """Freeze the facts and sign them, if nothing is waited for any more; False while something is.

    Raises:
        KeyUnusable: there is no key to sign with; nothing was issued.
    """
    row = Certificate.objects.select_for_update(of=("self",)).select_related(
        "internship__intern", "internship__mentor", "internship__cohort", "internship__version__project", "run",
        "submission__version__project",
    ).get(pk=certificate.pk)  # fmt: skip
    if row.state != CertificateState.PREPARING or not is_executed(row) or hold_of(row, now=now) is not None:
        return False
    if row.replay is None and now - row.begun_at < REPLAY_WITHIN:
        return False
    moved = Certificate.objects.filter(pk=row.pk, state=CertificateState.PREPARING).update(
        state=CertificateState.ISSUED, issued_at=now, facts=freeze(row)
    )
    if not moved:
        return False
    row.refresh_from_db()
    signing.document_of(row, parts=rules.PARTS, now=now)
    record("certificate.issued", subject=row, actor=None, now=now, internship=row.internship_id)
    notify(
        row.internship.intern,
        kind="certificate.issued",
        subject=f"Your certificate for {row.internship.version.project.title} is there",
        body="Nobody but you, your mentor and admins sees it. On its page you decide what others see of it.",
        path=reverse("credentials:certificate", args=[row.pk]),
        key=f"certificate.issued:{row.pk}",
        now=now,
    )
    return True


@transaction.atomic
def allow_early(certificate: Certificate, *, actor: User, now: datetime) -> None:
    """Issue it before the final scores are released: this one is told to its intern now.

    Raises:
        Forbidden: the actor is neither its mentor nor an admin.
        Conflict: it is issued, or waits for nothing.
    """
    if not (actor.is_admin or actor.pk == certificate.internship.mentor_id):
        raise Forbidden("Only the mentor or an admin can issue a certificate early.")
    if hold_of(certificate, now=now) is None:
        raise Conflict("Nothing holds this certificate back.")
    moved = Certificate.objects.filter(
        pk=certificate.pk, state=CertificateState.PREPARING, may_be_early=False
    ).update(may_be_early=True)  # fmt: skip
    if not moved:
        raise Conflict("This certificate is issued already.")
    record("certificate.allowed_early", subject=certificate, actor=actor, now=now)


@transaction.atomic
def choose(
    certificate: Certificate, *, actor: User, visibility: str, parts: Iterable[str], now: datetime
) -> Certificate:
    """Who sees it, and which parts of it: its intern's decision alone.

    Raises:
        NotFound: it is not the actor's.
        Conflict: it is not issued yet.
        Invalid: there is no such choice.
    """
    if certificate.internship.intern_id != actor.pk:
        raise NotFound
    if visibility not in Visibility.values:
        raise Invalid("Choose who may see it.", field="visibility")
    chosen = rules.check_parts(parts)
    before = {"visibility": certificate.visibility, "parts": certificate.parts}
    moved = (
        Certificate.objects.filter(pk=certificate.pk)
        .exclude(state=CertificateState.PREPARING)
        .update(visibility=visibility, parts=chosen)
    )
    if not moved:
        raise Conflict("This certificate is not issued yet.")
    certificate.refresh_from_db()
    record(
        "certificate.shown",
        subject=certificate,
        actor=actor,
        now=now,
        before=before,
        visibility=visibility,
        parts=chosen,
    )
    return certificate


@transaction.atomic
def revoke(certificate: Certificate, *, actor: User, reason: str, now: datetime) -> None:
    """It counts no more, for good. Who can see its page reads why.

    Raises:
        Forbidden: the actor is no admin.
        Invalid: no reason is given, or one that is too long.
        Conflict: it is not issued, or was revoked already.
    """
    if not (actor.is_admin and actor.is_active):
        raise Forbidden("Only admins revoke certificates.")
    reason = " ".join(reason.split())
    if not reason or len(reason) > REASON_LENGTH:
        raise Invalid(f"Say why, in at most {REASON_LENGTH} characters.", field="reason")
    moved = Certificate.objects.filter(pk=certificate.pk, state=CertificateState.ISSUED).update(
        state=CertificateState.REVOKED, revoked_at=now, revoked_because=reason
    )
    if not moved:
        raise Conflict("Only an issued certificate can be revoked, and only once.")
    record("certificate.revoked", subject=certificate, actor=actor, now=now, reason=reason)
    notify(
        certificate.internship.intern,
        kind="certificate.revoked",
        subject="Your certificate was revoked",
        body=f"Why: {reason}\nIf you think this is wrong, write to your mentor or an admin.",
        path=reverse("credentials:certificate", args=[certificate.pk]),
        key=f"certificate.revoked:{certificate.pk}",
        now=now,
    )


@transaction.atomic
def forget(certificate: Certificate, *, now: datetime) -> None:
    """Its holder's data are deleted: it counts no more, and nothing it said is kept. Forgotten already, nothing happens."""
    moved = Certificate.objects.filter(pk=certificate.pk).exclude(state=CertificateState.REVOKED).update(
        state=CertificateState.REVOKED, revoked_at=now
    )  # fmt: skip
    SignedDocument.objects.filter(certificate=certificate).delete()
    Certificate.objects.filter(pk=certificate.pk).update(
        facts={}, replay=None, parts=[], visibility=Visibility.PRIVATE, revoked_because=HOLDER_GONE
    )
    bundles.place_of(certificate).unlink(missing_ok=True)
    if moved:
        record("certificate.revoked", subject=certificate, actor=None, now=now, reason=HOLDER_GONE)


@transaction.atomic
def keep_portfolio(user: User, *, is_public: bool, headline: str, words: str, now: datetime) -> Portfolio:
    """The intern's page as they want it."""
    row, _ = Portfolio.objects.update_or_create(
        user=user,
        defaults={"is_public": is_public, "headline": headline.strip(), "words": words.strip(), "changed_at": now},
    )
    record("portfolio.kept", subject=row, actor=user, now=now, is_public=is_public)
    return row

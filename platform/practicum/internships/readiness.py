"""What changes readiness checks: which a cohort has, taking one, and what the scorer measured."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils.timezone import localdate, localtime

from practicum.accounts.models import User
from practicum.audit.services import record
from practicum.catalog.models import Project
from practicum.catalog.selectors import latest_checks, latest_version
from practicum.errors import Conflict, Forbidden, Invalid
from practicum.internships import readiness_rules as rules
from practicum.internships.models import (
    Application,
    Cohort,
    Internship,
    InternshipPurpose,
    InternshipState,
)
from practicum.internships.readiness_models import BarsReached, CheckAttempt, CohortCheck
from practicum.internships.readiness_selectors import why_not_taken
from practicum.internships.services import check_admin, end_check

ASKED, OFFERED = "asked", "offered"


@transaction.atomic
def set_checks(actor: User, *, cohort: Cohort, wanted: Mapping[str, str], now: datetime) -> bool:
    """The cohort has these checks and no others; False where it had them already. Attempts that were made stay.

    ``wanted``: the short name of a check to ``asked``, which applicants are asked to take, or ``offered``, which they may.

    Raises:
        Forbidden: the actor is no admin.
        Invalid: one is no published check.
    """
    check_admin(actor)
    known = {version.project.slug: version.project for version in latest_checks()}
    if not wanted.keys() <= known.keys() or not set(wanted.values()) <= {ASKED, OFFERED}:
        raise Invalid("Choose among the readiness checks that are published.")
    Cohort.objects.select_for_update().get(pk=cohort.pk)
    rows = {row.project.slug: row for row in CohortCheck.objects.filter(cohort=cohort).select_related("project")}
    if {slug: ASKED if row.is_asked else OFFERED for slug, row in rows.items()} == dict(wanted):
        return False
    CohortCheck.objects.filter(cohort=cohort).exclude(project__slug__in=wanted).delete()
    for slug, how in wanted.items():
        said = {"is_asked": how == ASKED, "added_by": actor}
        CohortCheck.objects.update_or_create(cohort=cohort, project=known[slug], defaults=said)
    record("cohort.checks_set", subject=cohort, actor=actor, now=now, checks=dict(wanted))
    return True


@transaction.atomic
def start_check(
    applicant: User, *, application: Application, check: CohortCheck, after: int, now: datetime
) -> CheckAttempt:
    """Take a check, or take it again with other numbers; one that goes on is over.

    ``after``: how many attempts at it there were when they decided. Where one more has begun since (a button pressed
    twice), it is that one. Locks the cohort's row, as whatever changes its applications does.

    Raises:
        Forbidden: the application, or the check, is not theirs.
        Conflict: the application was answered or withdrawn, the cohort is over, or they are in an internship.
    """
    if application.applicant_id != applicant.pk or check.cohort_id != application.cohort_id:
        raise Forbidden("This check is not part of your application.")
    Cohort.objects.select_for_update().get(pk=application.cohort_id)
    application = Application.objects.select_related("cohort").get(pk=application.pk)
    if reason := why_not_taken(application, now=now):
        raise Conflict(reason)
    begun = CheckAttempt.objects.filter(application=application, project=check.project, number__gt=after)
    if (attempt := begun.filter(internship__state=InternshipState.ACTIVE).first()) is not None:
        return attempt
    version = latest_version(check.project.slug)
    asked = rules.readiness_in(version.manifest)
    if asked is None:
        raise Conflict(f"{check.project} is no readiness check any more.")
    end_check(applicant, why="Another check began.", actor=applicant, now=now)
    until = rules.until(now, minutes=asked.minutes)
    try:
        with transaction.atomic():
            internship = Internship.with_checks.create(
                purpose=InternshipPurpose.READINESS,
                intern=applicant,
                mentor=check.added_by,
                cohort=application.cohort,
                version=version,
                started_on=localdate(now),
                ends_on=localdate(until),
            )
    except IntegrityError as clash:
        raise Conflict("You are in an internship. A readiness check is for applicants who are in none.") from clash
    number = _next_number(application, project=check.project)
    attempt = CheckAttempt.objects.create(
        application=application,
        project=check.project,
        internship=internship,
        number=number,
        variant=rules.variant_at(number=number, first=application.pk, variants=asked.variants),
        started_at=now,
        until=until,
    )
    facts = {"check": check.project.slug, "number": number, "variant": attempt.variant}
    record("readiness.started", subject=attempt, actor=applicant, now=now, **facts)
    return attempt


def _next_number(application: Application, *, project: Project) -> int:
    rows = CheckAttempt.objects.filter(application=application, project=project)
    return (rows.aggregate(last=Max("number"))["last"] or 0) + 1


def check_in_time(internship: Internship, *, now: datetime) -> None:
    """Let pass what is handed in while a readiness check goes on; an internship proper has no such end.

    Raises:
        Conflict: the time of the check is over.
    """
    attempt = CheckAttempt.objects.filter(internship=internship).first() if internship.is_check else None
    if attempt is not None and attempt.until <= now:
        raise Conflict(
            f"The time of this check was over at {localtime(attempt.until):%H:%M}. "
            "Take it again with other numbers, from your application."
        )


def end_due(*, now: datetime) -> int:
    """Every check whose time is over ends; returns how many."""
    due = CheckAttempt.objects.filter(internship__state=InternshipState.ACTIVE, until__lte=now)
    people = [row.internship.intern for row in due.select_related("internship__intern")]
    return sum(end_check(person, why="Its time was over.", actor=None, now=now) for person in people)


@transaction.atomic
def note_figures(internship: Internship, *, submission: int, metrics: Mapping[str, float], now: datetime) -> None:
    """Keep what the scorer measured on a submission of a readiness check; of an internship proper nothing is kept here."""
    attempt = CheckAttempt.objects.filter(internship=internship).first() if internship.is_check else None
    asked = rules.readiness_in(internship.version.manifest) if attempt is not None else None
    if attempt is None or asked is None:
        return
    values = {bar.metric: float(metrics[bar.metric]) for bar in asked.bars if bar.metric in metrics}
    BarsReached.objects.update_or_create(
        attempt=attempt,
        submission=submission,
        defaults={"variant": rules.said_variant(metrics), "values": values, "scored_at": now},
    )

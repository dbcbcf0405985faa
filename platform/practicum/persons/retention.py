"""For how long a cohort's files are kept: set by admins, told of ahead, removed by the worker, on record.

Scores, reviews, decisions and certificates stay; so does the work that an issued certificate is about, so that it can be
replayed. A home belongs to all internships of a person, so it goes when it is due by each of them. What goes is described
by the same functions for the preview and for the removal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction
from django.db.models import Max, Q, QuerySet, Sum
from django.db.models.functions import Length
from django.utils.timezone import localtime

from practicum.accounts.models import Role, User
from practicum.accounts.notices import notify
from practicum.audit.services import record
from practicum.credentials.models import Certificate, CertificateState
from practicum.engine import Engine
from practicum.errors import Forbidden
from practicum.evaluation.models import OPEN_RUN_STATES, Run, RunEvent
from practicum.internships.models import GOING_ON, Cohort, Internship
from practicum.lib import backups
from practicum.persons.files import forget_files
from practicum.persons.models import Part, Removal, Retention
from practicum.persons.retention_rules import Step, due_on, step
from practicum.submissions.models import Submission
from practicum.workspaces.archives import forget_home
from practicum.workspaces.models import (
    OPEN_RESTORATION_STATES,
    OPEN_SESSION_STATES,
    ActivityReport,
    Restoration,
    Session,
    SessionEvent,
    Snapshot,
)


@dataclass(frozen=True)
class Going:
    """What would go of one part. ``bytes``: None where nobody has measured it."""

    part: Part
    count: int
    bytes: int | None


def ended_on(cohort: Cohort) -> date | None:
    """The day on which all of it was over; None while an internship of it goes on, or its own last day has not passed."""
    internships = Internship.objects.filter(cohort=cohort)
    if internships.filter(state__in=GOING_ON).exists():
        return None
    last = internships.aggregate(last=Max("ends_on"))["last"]
    return max(cohort.ends_on, last) if last else cohort.ends_on


def due(retention: Retention, part: Part) -> date | None:
    """The day on which this part goes; None: kept for good, or not over yet."""
    ended = ended_on(retention.cohort)
    return due_on(ended_on=ended, days=retention.days(part)) if ended else None


@transaction.atomic
def set_days(actor: User, *, cohort: Cohort, days: dict[str, int | None], now: datetime) -> Retention:
    """So many days each part is kept from now on; what was told of, and is not due any more, is told of anew in its time.

    Raises:
        Forbidden: the actor is no admin.
    """
    if not actor.is_admin:
        raise Forbidden("Only admins say how long files are kept.")
    values = {f"{part}_days": days[part] for part in Part}
    facts = {**values, "set_by": actor, "set_at": now}
    retention, _ = Retention.objects.update_or_create(cohort=cohort, defaults=facts)
    for removal in Removal.objects.filter(cohort=cohort, done_at__isnull=True):
        if due(retention, Part(removal.part)) != removal.due_on:
            removal.delete()
    record("retention.set", subject=cohort, actor=actor, now=now, **values)
    return retention


# --- What goes ---


def homes_of(cohort: Cohort, *, today: date) -> list[User]:
    """Interns of the cohort whose home is due by every internship they ever had."""
    people = User.objects.filter(internships__cohort=cohort, deleted_at__isnull=True).distinct().order_by("username")
    return [person for person in people if _is_home_due(person, but_for=cohort, today=today)]


def _is_home_due(person: User, *, but_for: Cohort, today: date) -> bool:
    others = Cohort.objects.filter(internships__intern=person).exclude(pk=but_for.pk).distinct()
    for cohort in others:
        retention = Retention.objects.filter(cohort=cohort).first()
        gone_on = due(retention, Part.HOMES) if retention else None
        if gone_on is None or gone_on > today:
            return False
    return True


def submissions_of(cohort: Cohort) -> QuerySet[Submission]:
    """What was handed in in the cohort and still has its files, but for what an issued certificate is about."""
    pinned = Certificate.objects.filter(state=CertificateState.ISSUED, submission__isnull=False)
    rows = Submission.objects.filter(internship__cohort=cohort).exclude(files=[])
    return rows.exclude(pk__in=pinned.values("submission"))


def runs_of(cohort: Cohort) -> QuerySet[Run]:
    """Evaluations of what goes."""
    return Run.objects.filter(submission__in=submissions_of(cohort))


def preview(cohort: Cohort, *, today: date) -> list[Going]:
    """What would go of each part if it were due today."""
    sizes = backups.homes()
    people = homes_of(cohort, today=today)
    snapshots = Snapshot.objects.filter(internship__cohort=cohort)
    work = submissions_of(cohort)
    logs = Run.objects.filter(submission__internship__cohort=cohort).exclude(log_tail="")
    return [
        Going(Part.HOMES, len(people), sum(sizes.get(person.username, 0) for person in people) if sizes else None),
        Going(Part.SNAPSHOTS, snapshots.count(), snapshots.aggregate(total=Sum("bytes"))["total"] or 0),
        Going(Part.SUBMISSIONS, work.count(), work.aggregate(total=Sum("size_bytes"))["total"] or 0),
        Going(Part.LOGS, logs.count(), logs.aggregate(total=Sum(Length("log_tail")))["total"] or 0),
    ]


# --- What the worker does ---


def step_all(now: datetime, *, engine: Engine) -> bool:
    """Tell of, or remove, what is due in one part of one cohort; whether there was anything.

    Raises:
        EngineError: the engine failed us; it is tried again.
    """
    today = localtime(now)
    told = {(row.cohort_id, row.part): row for row in Removal.objects.all()}
    for retention in Retention.objects.select_related("cohort").order_by("pk"):
        for part in Part:
            removal, at = told.get((retention.cohort_id, part.value)), due(retention, part)
            told_at = localtime(removal.told_at) if removal else None
            is_done = removal is not None and removal.done_at is not None
            todo = step(due=at, told_at=told_at, is_done=is_done, now=today)
            if todo == Step.TELL and at is not None:
                tell(retention.cohort, part=part, due=at, now=now)
                return True
            if todo == Step.REMOVE and removal is not None and remove(removal, engine=engine, now=now):
                return True
    return False


@transaction.atomic
def tell(cohort: Cohort, *, part: Part, due: date, now: datetime) -> Removal:
    """Its interns, their mentors and admins know that it goes, and when."""
    due = max(due, localtime(now).date())
    removal, _ = Removal.objects.get_or_create(cohort=cohort, part=part, defaults={"due_on": due, "told_at": now})
    record("retention.told", subject=cohort, actor=None, now=now, part=part.value, due_on=removal.due_on.isoformat())
    if part == Part.LOGS:
        return removal
    people = User.objects.filter(is_active=True, deleted_at__isnull=True)
    concerned = people.filter(
        Q(internships__cohort=cohort) | Q(mentored__cohort=cohort) | Q(role=Role.ADMIN)
    ).distinct()
    for person in concerned:
        notify(
            person,
            kind="retention.ahead",
            subject=f"{part.label} of {cohort.name} are removed soon",
            body=(
                f"The cohort is over. On {removal.due_on:%d %B %Y}, or up to two weeks later, these are removed for good: "
                f"{part.label.lower()}. Scores, reviews and certificates stay. Whoever wants to keep the files takes them away "
                "before: in the notebook, and under Account, Your data."
            ),
            path="/account/data/",
            key=f"retention.ahead:{cohort.pk}:{part}:{removal.due_on}",
            now=now,
        )
    return removal


def remove(removal: Removal, *, engine: Engine, now: datetime) -> bool:
    """One part of a cohort's files is gone; False where something has to end first, which it then says."""
    part, cohort = Part(removal.part), removal.cohort
    if waits_for := _obstacle(cohort, part=part):
        Removal.objects.filter(pk=removal.pk, done_at__isnull=True).exclude(waits_for=waits_for).update(
            waits_for=waits_for
        )
        return False
    (going,) = [each for each in preview(cohort, today=localtime(now).date()) if each.part == part]
    REMOVERS[part](Clearing(cohort, engine, now))
    with transaction.atomic():
        facts = {"done_at": now, "waits_for": "", "count": going.count, "bytes": going.bytes or 0}
        if Removal.objects.filter(pk=removal.pk, done_at__isnull=True).update(**facts):
            record(
                "retention.removed", subject=cohort, actor=None, now=now, part=part.value, count=going.count,
                bytes=going.bytes,
            )  # fmt: skip
    return True


def _obstacle(cohort: Cohort, *, part: Part) -> str:
    """What still works with these files; empty where nothing does."""
    interns = User.objects.filter(internships__cohort=cohort)
    if part == Part.HOMES and Session.objects.filter(user__in=interns, state__in=OPEN_SESSION_STATES).exists():
        return "A notebook of the cohort is open."
    if part in (Part.HOMES, Part.SNAPSHOTS):
        if Restoration.objects.filter(user__in=interns, state__in=OPEN_RESTORATION_STATES).exists():
            return "A snapshot is being restored."
    elif Run.objects.filter(submission__internship__cohort=cohort, state__in=OPEN_RUN_STATES).exists():
        return "An evaluation of the cohort's work is under way."
    return ""


@dataclass(frozen=True)
class Clearing:
    """A cohort of which a part is being removed, and with what."""

    cohort: Cohort
    engine: Engine
    now: datetime


def _remove_homes(clearing: Clearing) -> None:
    for person in homes_of(clearing.cohort, today=localtime(clearing.now).date()):
        forget_home(person.username, engine=clearing.engine)


def _remove_snapshots(clearing: Clearing) -> None:
    for snapshot in Snapshot.objects.filter(internship__cohort=clearing.cohort):
        path = snapshot.path
        with transaction.atomic():
            record("snapshot.removed", subject=snapshot, actor=None, now=clearing.now, digest=snapshot.digest)
            snapshot.delete()
        path.unlink(missing_ok=True)


def _remove_submissions(clearing: Clearing) -> None:
    forget_files(list(submissions_of(clearing.cohort)), runs=runs_of(clearing.cohort))


def _remove_logs(clearing: Clearing) -> None:
    Run.objects.filter(submission__internship__cohort=clearing.cohort).update(log_tail="")
    RunEvent.objects.filter(run__submission__internship__cohort=clearing.cohort).delete()
    for model in (SessionEvent, ActivityReport):
        model.objects.filter(session__internship__cohort=clearing.cohort).delete()


REMOVERS: dict[Part, Callable[[Clearing], None]] = {
    Part.HOMES: _remove_homes,
    Part.SNAPSHOTS: _remove_snapshots,
    Part.SUBMISSIONS: _remove_submissions,
    Part.LOGS: _remove_logs,
}

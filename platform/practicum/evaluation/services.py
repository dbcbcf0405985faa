"""What people do: hand in, take back, have it run again."""

from __future__ import annotations

from datetime import datetime
from typing import BinaryIO

from django.db import IntegrityError, transaction
from django.db.models import Max, Q
from django.utils.timezone import localtime

from practicum.accounts.models import User
from practicum.audit.services import record
from practicum.catalog.models import Project, ProjectVersion
from practicum.errors import Conflict, Stale
from practicum.evaluation import judges, rules, slots
from practicum.evaluation.models import OPEN_RUN_STATES, Fault, Phase, Run, RunEvent, RunState
from practicum.internships.models import Internship, InternshipState
from practicum.internships.readiness import check_in_time
from practicum.submissions import services as intake
from practicum.submissions.errors import DailyCap
from practicum.submissions.models import Source, Submission


def hand_in(internship: Internship, *, archive: BinaryIO, source: Source, actor: User, now: datetime) -> Submission:
    """Take in a zip as the internship's next submission and queue its evaluation: both, or nothing.

    Raises:
        Conflict: the internship is over or paused, or the time of the readiness check is.
        BadArchive, InvalidNotebook: what was sent can't be used; the file is named.
        SubmissionTooLarge: it is over a cap.
        DuplicateSubmission: exactly these files were handed in before.
        DailyCap: as many were handed in today as the project takes in a day.
        Fault: the disk can't be written.
    """
    if internship.state == InternshipState.PAUSED:
        raise Conflict("This internship is paused; nothing can be handed in until it goes on.")
    if internship.state != InternshipState.ACTIVE:
        what = "readiness check" if internship.is_check else "internship"
        raise Conflict(f"This {what} is over; nothing more can be handed in.")
    check_in_time(internship, now=now)
    with intake.opened(archive, version=internship.version) as parcel, transaction.atomic():
        submission = intake.receive(internship, parcel=parcel, source=source, actor=actor, now=now)
        _check_daily_cap(internship, but_for=submission, now=now)
        queue_run(submission, requested_by=actor, now=now)
        intake.settle(parcel)
    return submission


def _check_daily_cap(internship: Internship, *, but_for: Submission, now: datetime) -> None:
    """Raises: DailyCap: today's submissions that count are as many as the project takes."""
    allowed = internship.version.manifest["submission"]["per_day"]
    began, ends = rules.day_of(localtime(now))
    today = Run.objects.filter(
        submission__internship=internship, submission__received_at__gte=began, submission__received_at__lt=ends
    )
    counted = {
        submission_id
        for submission_id, state, fault, started_at in today.exclude(submission=but_for).values_list(
            "submission", "state", "fault", "started_at"
        )
        if rules.counts_as_attempt(state=state, fault=fault, has_started=started_at is not None)
    }
    if len(counted) >= allowed:
        raise DailyCap(
            f"You have handed in {len(counted)} times today, which is what this project takes in a day. "
            f"It opens again at {ends:%H:%M} on {ends:%A}.",
            opens_at=ends.isoformat(),
        )


def queue_run(
    submission: Submission, *, requested_by: User | None, now: datetime, judge: ProjectVersion | None = None
) -> Run:
    """Put the submission in line for its next evaluation; inside the caller's transaction.

    ``judge``: the version whose evaluate.py scores it, where that is not the submission's own.

    Raises:
        Conflict: it is in line, or running, already.
    """
    last = submission.runs.aggregate(last=Max("attempt"))["last"] or 0
    try:
        with transaction.atomic():
            run = Run.objects.create(
                submission=submission,
                attempt=last + 1,
                queued_at=now,
                deadline=now + rules.QUEUED_AT_MOST,
                requested_by=requested_by,
                judge=judge,
            )
    except IntegrityError:
        raise Conflict("This submission is being evaluated already.") from None
    slots.ask(run, requested_by=requested_by, now=now)
    by = f", to be scored by version {judge.number}" if judge else ""
    RunEvent.objects.create(run=run, at=now, state="queued", message=f"In line for evaluation{by}")
    facts = {"judge": judge.pk} if judge else {}
    record(
        "run.queued", subject=run, actor=requested_by, now=now, submission=submission.pk, attempt=run.attempt, **facts
    )
    return run


@transaction.atomic
def rerun(submission: Submission, *, actor: User, now: datetime) -> Run:
    """Evaluate once more; the newest score counts, the older ones stay on record.

    Raises:
        Conflict: it is being evaluated already.
    """
    last = submission.runs.order_by("-attempt").first()
    return queue_run(submission, requested_by=actor, now=now, judge=last.judge if last else None)


@transaction.atomic
def rescore(submission: Submission, *, actor: User, now: datetime) -> Run:
    """Evaluate once more, scored by the evaluate.py of the project's latest version: after a metric was mended.

    The submission's code, image and hidden data stay those of its own version, and the older results stay on record. Its
    version's baseline, which it is compared with, is scored by the same file too.

    Raises:
        Conflict: it is being evaluated already; or the latest version scores in the same way, or measures another thing.
    """
    judge = judges.newer_judge(submission)
    if judge is None:
        raise Conflict("The project's latest version scores in the same way as the last evaluation of this submission.")
    judges.check_measures_the_same(judge, submission.version)
    run = queue_run(submission, requested_by=actor, now=now, judge=judge)
    baseline = Submission.objects.filter(version=submission.version, internship__isnull=True).exclude(pk=submission.pk)
    for row in baseline:
        is_open = row.runs.filter(state__in=OPEN_RUN_STATES).exists()
        if not is_open and judges.newer_judge(row) == judge:
            queue_run(row, requested_by=actor, now=now, judge=judge)
    record("submission.rescored", subject=submission, actor=actor, now=now, judge=judge.pk, attempt=run.attempt)
    return run


def rescore_project(project: Project, *, actor: User, now: datetime) -> list[Run]:
    """The same for every scored submission of the project's active internships, with their baselines; the runs in line.

    One that is being evaluated, or was scored by that file already, is left as it is.

    Raises:
        Conflict: the latest version measures another thing.
    """
    rows = Submission.objects.filter(
        version__project=project, internship__state=InternshipState.ACTIVE, runs__score__isnull=False
    )
    runs = []
    for row in rows.select_related("version__project", "internship").distinct().order_by("pk"):
        is_open = row.runs.filter(state__in=OPEN_RUN_STATES).exists()
        if not is_open and judges.newer_judge(row) is not None:
            runs.append(rescore(row, actor=actor, now=now))
    return runs


@transaction.atomic
def cancel(submission: Submission, *, actor: User, now: datetime) -> None:
    """Take the open evaluation back; a worker that runs it finds its token stale and stops it.

    Raises:
        Conflict: nothing is open any more.
    """
    run = submission.runs.filter(state__in=OPEN_RUN_STATES).first()
    if run is None:
        raise Conflict("This evaluation has ended already.")
    moved = Run.objects.filter(Q(state=run.state), pk=run.pk, token=run.token).update(
        state=RunState.CANCELLED, phase=Phase.NONE, fault=Fault.NONE, reason=f"Taken back by {actor}.", finished_at=now,
        lease_until=None,
    )  # fmt: skip
    if not moved:
        raise Stale("This evaluation is being moved by somebody else; look again.")
    if run.state == RunState.QUEUED:
        slots.leave(run, reason="The evaluation was taken back.", actor=actor, now=now)
    RunEvent.objects.create(run=run, at=now, state="cancelled", message=f"Taken back by {actor}")
    record("run.cancelled", subject=run, actor=actor, now=now, submission=submission.pk)

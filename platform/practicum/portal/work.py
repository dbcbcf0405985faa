"""What is known of the work of internships, for many at once, in a fixed number of queries whatever the rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.db.models import F, Max, Sum
from django.utils.timezone import localdate

from practicum.audit.models import Record
from practicum.evaluation.models import Fault, Run, RunState
from practicum.evaluation.tracebacks import Ending, ending_of, same_in_a_row
from practicum.gpus.models import Lease, LeaseUse, SlotKind
from practicum.internships.models import Change, ChangeState, CheckIn, Internship
from practicum.reviews.models import ReviewState
from practicum.submissions.models import Submission
from practicum.workspaces.models import Session

WEEK = timedelta(weeks=1)
LOOKED_BACK = timedelta(weeks=4)
RUN_AT_ALL = timedelta(minutes=1)
IDLE_FROM = timedelta(hours=1)
COMPARED = 6
OWN_FAULTS = (Fault.CODE, Fault.LIMIT, Fault.FORMAT)


@dataclass(frozen=True)
class Visit:
    """A notebook from when it was asked for to when its intern was last there.

    ``has_run``: code ran in it; ``is_idle``: it has been there for an hour, and none did.
    """

    at: datetime
    until: datetime
    has_run: bool
    is_idle: bool


@dataclass
class CheckIns:
    """When each side wrote, by the week it was for."""

    interns: dict[int, datetime] = field(default_factory=dict)
    mentors: dict[int, datetime] = field(default_factory=dict)


@dataclass
class Work:
    """Of one internship, the oldest first: ``visits`` and ``gpu_days`` (day, held, busy) of four weeks, all hand-ins.

    ``gpu_busy_at``: when a GPU last worked in these weeks. ``committed_at``: the last commit in the project folder.
    ``waiting``: id and time of what came after the last that was decided on. ``same_error``: of the last runs in a row, how
    many ended as ``error`` says. ``request_waits_since``: the first that the intern asked for and nobody answered.
    """

    visits: list[Visit] = field(default_factory=list)
    gpu_days: list[tuple[date, timedelta, timedelta]] = field(default_factory=list)
    gpu_busy_at: datetime | None = None
    committed_at: datetime | None = None
    handed_in: list[datetime] = field(default_factory=list)
    waiting: list[tuple[int, datetime]] = field(default_factory=list)
    same_error: int = 0
    error: str = ""
    check_ins: CheckIns = field(default_factory=CheckIns)
    in_line: timedelta = timedelta(0)
    request_waits_since: datetime | None = None
    resumed_at: datetime | None = None


def work_of(internships: Sequence[Internship], *, now: datetime) -> dict[int, Work]:
    """The work of each internship by its id."""
    works = {row.pk: Work() for row in internships}
    by_intern = {row.intern_id: works[row.pk] for row in internships}
    _visits(works, now=now)
    _commits(works)
    _gpu_days(by_intern, now=now)
    _in_line(by_intern, now=now)
    _hand_ins(works)
    _same_errors(works, now=now)
    _check_ins(works)
    _requests(works)
    _resumed(works)
    return works


def _visits(works: dict[int, Work], *, now: datetime) -> None:
    rows = Session.objects.filter(internship__in=works, requested_at__gte=now - LOOKED_BACK).order_by("requested_at")
    for pk, asked, ready, active in rows.values_list("internship_id", "requested_at", "ready_at", "active_at"):
        # The hub's first word about a notebook counts as activity: what is later was code.
        has_run = ready is not None and active is not None and active - ready >= RUN_AT_ALL
        is_idle = not has_run and ready is not None and now - ready >= IDLE_FROM
        works[pk].visits.append(Visit(asked, max(asked, active or asked), has_run, is_idle))


def _commits(works: dict[int, Work]) -> None:
    rows = Session.objects.filter(internship__in=works, committed_at__isnull=False).order_by()
    for pk, at in rows.values_list("internship_id").annotate(last=Max("committed_at")):
        works[pk].committed_at = at


def _gpu_days(by_intern: dict[int, Work], *, now: datetime) -> None:
    """What the agents saw of the GPUs that each held, by the day on which they were granted."""
    rows = LeaseUse.objects.filter(lease__user__in=by_intern, lease__slot__kind=SlotKind.GPU)
    rows = rows.filter(lease__granted_at__gte=now - LOOKED_BACK).order_by("lease__granted_at")
    leases = rows.values("lease").annotate(held=Sum("held_seconds"), busy=Sum("busy_seconds"), last=Max("busy_at"))
    told = leases.values_list("lease__user", "lease__granted_at", "held", "busy", "last")
    for user_id, granted_at, held, busy, last in told:
        work, day = by_intern[user_id], localdate(granted_at)
        work.gpu_busy_at, days = last or work.gpu_busy_at, work.gpu_days
        before = days.pop() if days and days[-1][0] == day else (day, timedelta(0), timedelta(0))
        days.append((day, before[1] + timedelta(seconds=held), before[2] + timedelta(seconds=busy)))


def _in_line(by_intern: dict[int, Work], *, now: datetime) -> None:
    """How long each stood in line in the last seven days."""
    rows = Lease.objects.filter(user__in=by_intern, requested_at__gte=now - WEEK).order_by()
    for user_id, asked, granted, ended in rows.values_list("user_id", "requested_at", "granted_at", "closed_at"):
        by_intern[user_id].in_line += (granted or ended or now) - asked


def _hand_ins(works: dict[int, Work]) -> None:
    rows = Submission.objects.filter(internship__in=works).order_by("number")
    for internship_id, pk, at, state in rows.values_list("internship_id", "pk", "received_at", "review__state"):
        assert internship_id is not None
        work = works[internship_id]
        work.handed_in.append(at)
        if state in (None, ReviewState.OPEN):
            work.waiting.append((pk, at))
        else:
            work.waiting.clear()


def _same_errors(works: dict[int, Work], *, now: datetime) -> None:
    """How often in a row the last submissions ended without a score in the same way; a score ends the row."""
    rows = Run.objects.filter(submission__internship__in=works, queued_at__gte=now - LOOKED_BACK)
    rows = rows.order_by("submission__number", "attempt")
    last: dict[int, dict[int, tuple[int, str, str]]] = defaultdict(dict)
    for internship_id, submission_id, pk, state, fault in rows.values_list(
        "submission__internship", "submission", "pk", "state", "fault"
    ):
        last[internship_id][submission_id] = (pk, state, fault)
    failed = {pk: _failed_last(list(runs.values())) for pk, runs in last.items()}
    endings = _endings([run for runs in failed.values() for run in runs])
    for internship_id, runs in failed.items():
        ended = [endings[run] for run in runs]
        if ended:
            works[internship_id].same_error = same_in_a_row(ended)
            works[internship_id].error = ended[0].words


def _failed_last(runs: list[tuple[int, str, str]]) -> list[int]:
    """The runs at the end that failed by the intern's doing, the newest first; what is not at its end yet is passed over."""
    found: list[int] = []
    for pk, state, fault in reversed(runs):
        if state in (RunState.QUEUED, RunState.RUNNING, RunState.CANCELLED) or fault == Fault.OURS:
            continue
        if state == RunState.SCORED or fault not in OWN_FAULTS or len(found) == COMPARED:
            break
        found.append(pk)
    return found


def _endings(runs: list[int]) -> dict[int, Ending]:
    rows = Run.objects.filter(pk__in=runs).order_by().values_list("pk", "log_tail", "reason", "submission__files")
    return {pk: ending_of(log, reason=reason, own=[file["path"] for file in files]) for pk, log, reason, files in rows}


def _check_ins(works: dict[int, Work]) -> None:
    rows = CheckIn.objects.filter(internship__in=works).order_by()
    for pk, week, is_mentors, at in rows.values_list("internship_id", "week", "is_mentors", "written_at"):
        check_ins = works[pk].check_ins
        (check_ins.mentors if is_mentors else check_ins.interns)[week] = at


def _requests(works: dict[int, Work]) -> None:
    rows = Change.objects.filter(internship__in=works, state=ChangeState.OPEN, asked_by=F("internship__intern"))
    for pk, at in rows.order_by("-asked_at").values_list("internship_id", "asked_at"):
        works[pk].request_waits_since = at


def _resumed(works: dict[int, Work]) -> None:
    """When each last went on after a pause."""
    rows = Record.objects.filter(verb="internship.resumed", object_type=Internship._meta.label_lower)
    rows = rows.filter(object_id__in=[str(pk) for pk in works]).order_by()
    for pk, at in rows.values_list("object_id").annotate(last=Max("at")):
        works[int(pk)].resumed_at = at

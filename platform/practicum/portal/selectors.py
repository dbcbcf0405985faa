"""What the homes show, put together from the rooms below. Each takes a fixed number of queries, whatever the rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Prefetch, Q, QuerySet

from practicum.accounts.models import User
from practicum.audit.models import Record
from practicum.evaluation.findings import Finding, finding_of_point, findings_of
from practicum.evaluation.models import OPEN_RUN_STATES, Run, RunState
from practicum.evaluation.standings import Standing, standings_of
from practicum.gpus.models import LIVE_STATES, Lease, LeaseState, Slot
from practicum.internships.models import GOING_ON, Cohort, Internship, InternshipState, Milestone, is_proper
from practicum.internships.selectors import internships_visible_to
from practicum.portal import charts
from practicum.reviews.models import Review, ReviewState
from practicum.submissions.models import Submission
from practicum.workspaces.models import OPEN_SESSION_STATES, Session

DAY = timedelta(days=1)


@dataclass(frozen=True)
class SubmissionLine:
    """A submission as lists show it: its state in one word, its score, the difference, the review's state.

    ``finding``: what its score says beside the baseline; None where there is none, or it is not told.
    ``words`` stand in place of a score that is not told; ``counts``: it is the one that ranks.
    """

    submission: Submission
    run: Run | None
    review: Review | None
    score: float | None
    difference: float | None
    finding: Finding | None
    words: str = ""
    counts: bool = False

    @property
    def is_better(self) -> bool | None:
        """Than the baseline, by a test; None where the two are not distinguishable."""
        return self.finding.is_better if self.finding else None

    @property
    def state(self) -> str:
        """The state of its last run, or ``received`` when none was made yet."""
        return self.run.state if self.run else "received"

    @property
    def label(self) -> str:
        """The state in words."""
        return str(self.run.get_state_display()) if self.run else "Received"


@dataclass(frozen=True)
class Progress:
    """An internship with its milestones, its standing and when its intern was last seen at work."""

    internship: Internship
    standing: Standing
    milestones: list[Milestone]
    seen_at: datetime | None
    spark: dict[str, Any] | None
    today: date

    @property
    def reached(self) -> int:
        """How many milestones are reached."""
        return sum(milestone.reached_at is not None for milestone in self.milestones)

    @property
    def next_milestone(self) -> Milestone | None:
        """The first that is not reached."""
        return next((milestone for milestone in self.milestones if milestone.reached_at is None), None)

    @property
    def missing(self) -> int:
        """How many milestones are not reached."""
        return len(self.milestones) - self.reached

    @property
    def is_overdue(self) -> bool:
        """The next milestone was due before today, and the internship goes on."""
        following = self.next_milestone
        is_active = self.internship.state == InternshipState.ACTIVE
        return is_active and following is not None and following.due_on < self.today

    @property
    def week(self) -> int:
        """The cohort's week, never beyond the internship's last."""
        return min(self.internship.cohort.week(today=self.today), self.weeks)

    @property
    def weeks(self) -> int:
        """How many weeks there are from the cohort's first day to the internship's last."""
        return -(-(self.internship.last_day - self.internship.cohort.starts_on).days // 7)


def progress_of(internships: Iterable[Internship], *, today: date, viewer: User) -> list[Progress]:
    """The progress of each internship, in the order given: seven queries, however many there are.

    An intern sees their scores as they were told; mentors and admins the shown scores themselves.
    """
    rows = list(internships)
    standings, seen = standings_of(rows, exact=not viewer.is_intern), _last_seen(rows)
    milestones: dict[int, list[Milestone]] = {row.pk: [] for row in rows}
    for milestone in Milestone.objects.filter(internship__in=milestones).order_by("position"):
        milestones[milestone.internship_id].append(milestone)
    return [
        Progress(
            internship=row,
            standing=standings[row.pk],
            milestones=milestones[row.pk],
            seen_at=seen.get(row.pk),
            spark=charts.sparkline(standings[row.pk].told_points, baseline=standings[row.pk].baseline),
            today=today,
        )
        for row in rows
    ]


def _last_seen(internships: Sequence[Internship]) -> dict[int, datetime]:
    """When each intern last handed in, committed or was at work in a notebook."""
    ids = [row.pk for row in internships]
    handed_in = Submission.objects.filter(internship__in=ids).order_by().values_list("internship_id")
    at_work = Session.objects.filter(internship__in=ids).order_by().values_list("internship_id")
    seen: dict[int, datetime] = {}
    for internship_id, *signs in [
        *handed_in.annotate(Max("received_at")),
        *at_work.annotate(Max("active_at"), Max("requested_at"), Max("committed_at")),
    ]:
        known = [sign for sign in (*signs, seen.get(internship_id)) if sign is not None]
        if known:
            seen[internship_id] = max(known)
    return seen


def submission_lines(internship: Internship, *, standing: Standing, limit: int) -> list[SubmissionLine]:
    """The last submissions of an internship, newest first."""
    runs = Prefetch("runs", queryset=Run.objects.order_by("-attempt"), to_attr="by_attempt")
    rows = Submission.objects.filter(internship=internship).select_related("review", "version").prefetch_related(runs)
    shown = list(rows.order_by("-number")[:limit])
    findings = findings_of(shown, told=standing)
    return [_line(row, standing=standing, finding=findings.get(row.pk)) for row in shown]


def finding_of_best(standing: Standing, *, lines: Sequence[SubmissionLine]) -> Finding | None:
    """The finding of the best score, which one of these lines mostly has."""
    best = standing.best
    known = (line.finding for line in lines if best is not None and line.submission.pk == best.submission_id)
    return next(known, None) or finding_of_point(best)


def _line(submission: Submission, *, standing: Standing, finding: Finding | None) -> SubmissionLine:
    runs: list[Run] = submission.by_attempt  # type: ignore[attr-defined]
    point, counted = standing.point_of(submission.pk), standing.counted
    score = point.value if point is not None and point.is_told else None
    difference = None if score is None or standing.baseline is None else score - standing.baseline
    return SubmissionLine(
        submission=submission,
        run=runs[0] if runs else None,
        review=_decided(submission),
        score=score,
        difference=difference,
        finding=finding,
        words=standing.words(point) if point is not None and score is None else "",
        counts=point is not None and point == counted,
    )


def _decided(submission: Submission) -> Review | None:
    """The review, once it is decided: until then it is the mentor's own."""
    review: Review | None = getattr(submission, "review", None)
    return None if review is None or review.state == ReviewState.OPEN else review


def mentored_by(mentor: User) -> QuerySet[Internship]:
    """A mentor's internships that go on, by name."""
    return internships_visible_to(mentor).filter(state__in=GOING_ON).order_by("intern__name")


@dataclass(frozen=True)
class Counts:
    """The figures at the top of the admin's overview."""

    slots: int
    in_use: int
    in_line: int
    sessions: int
    runs_waiting: int
    runs_running: int
    runs_failed: int

    @property
    def free(self) -> int:
        """Slots nobody holds."""
        return max(0, self.slots - self.in_use)


def counts(*, now: datetime) -> Counts:
    """How busy the place is; failures are those of the last 24 hours."""
    leases = Lease.objects.aggregate(
        live=Count("pk", filter=Q(state__in=LIVE_STATES)), waiting=Count("pk", filter=Q(state=LeaseState.QUEUED))
    )
    recent = Q(finished_at__gte=now - DAY)
    runs = Run.objects.filter(Q(state__in=OPEN_RUN_STATES) | recent).aggregate(
        waiting=Count("pk", filter=Q(state=RunState.QUEUED)),
        running=Count("pk", filter=Q(state=RunState.RUNNING)),
        failed=Count("pk", filter=Q(state=RunState.FAILED) & recent),
    )
    return Counts(
        slots=Slot.objects.filter(is_present=True).count(),
        in_use=leases["live"],
        in_line=leases["waiting"],
        sessions=Session.objects.filter(state__in=OPEN_SESSION_STATES).count(),
        runs_waiting=runs["waiting"],
        runs_running=runs["running"],
        runs_failed=runs["failed"],
    )


@dataclass(frozen=True)
class CohortLine:
    """A cohort and how many of its internships are in which state."""

    cohort: Cohort
    week: int
    weeks: int
    active: int
    completed: int
    state: str


def cohort_lines(*, today: date) -> list[CohortLine]:
    """Every cohort, the latest first, with its counts: one query."""
    rows = Cohort.objects.annotate(
        active=Count("internships", filter=is_proper("internships__") & Q(internships__state=InternshipState.ACTIVE)),
        completed=Count(
            "internships", filter=is_proper("internships__") & Q(internships__state=InternshipState.COMPLETED)
        ),
    )
    return [_cohort_line(row, today=today) for row in rows]


def _cohort_line(cohort: Any, *, today: date) -> CohortLine:
    weeks = -(-(cohort.ends_on - cohort.starts_on).days // 7)
    state = "planned" if today < cohort.starts_on else "completed" if today > cohort.ends_on else "active"
    week = min(weeks, cohort.week(today=today))
    return CohortLine(
        cohort=cohort, week=week, weeks=weeks, active=cohort.active, completed=cohort.completed, state=state
    )


def internships_of_cohort(cohort: Cohort) -> QuerySet[Internship]:
    """The internships of a cohort by name, with their people and project."""
    rows = Internship.objects.filter(cohort=cohort).order_by("intern__name", "pk")
    return rows.select_related("intern", "mentor", "cohort", "version__project")


def people_without_internship() -> QuerySet[User]:
    """Active interns who are in no internship yet, by name."""
    placed = Internship.objects.values("intern")
    return User.objects.filter(role="intern", is_active=True).exclude(pk__in=placed).order_by("name")


def mentors_with_counts() -> QuerySet[User]:
    """Every mentor whose account is not deleted, with ``interns``, the number of active internships."""
    active = Count("mentored", filter=is_proper("mentored__") & Q(mentored__state=InternshipState.ACTIVE))
    return User.objects.filter(role="mentor", deleted_at__isnull=True).annotate(interns=active).order_by("name")


def recent_records(*, limit: int = 12) -> QuerySet[Record]:
    """The last verbs, newest first, with who did them."""
    return Record.objects.select_related("actor").order_by("-at", "-pk")[:limit]

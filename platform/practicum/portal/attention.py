"""Who needs attention: the signals of each internship that goes on, from work that really happened, in a fixed number of
queries. The rules are in ``internships.signals``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from django.db.models import Max, Q
from django.utils.timezone import get_current_timezone, localdate

from practicum.accounts.models import User
from practicum.gpus.models import Lease
from practicum.internships.models import CheckIn, Internship, InternshipState
from practicum.internships.selectors import internships_visible_to
from practicum.internships.signals import Facts, Signal, signals_of
from practicum.portal.selectors import Progress, progress_of
from practicum.reviews.models import ReviewState
from practicum.submissions.models import Submission

WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Row:
    """An internship and its signals; ``waiting_id``: the submission that waits for a review."""

    progress: Progress
    signals: list[Signal]
    waiting_id: int | None

    @property
    def internship(self) -> Internship:
        """Whose row it is."""
        return self.progress.internship


def rows_for(viewer: User, *, now: datetime) -> list[Row]:
    """The internships ``viewer`` may see that are active and have begun, those with most signals first, then by name."""
    begun = Q(state=InternshipState.ACTIVE, cohort__starts_on__lte=localdate(now))
    rows = rows_of(internships_visible_to(viewer).filter(begun).order_by("intern__name", "pk"), viewer=viewer, now=now)
    return sorted(rows, key=lambda row: -len(row.signals))


def rows_of(internships: Iterable[Internship], *, viewer: User, now: datetime) -> list[Row]:
    """A row for each, in the order given."""
    progress = progress_of(internships, today=localdate(now), viewer=viewer)
    ids = [one.internship.pk for one in progress]
    check_ins, handed_in = _check_ins(ids), _submissions(ids)
    in_line = _time_in_line(progress, now=now)
    rows = []
    for one in progress:
        pk = one.internship.pk
        work = handed_in.get(pk, {})
        facts = _facts(one, check_ins=check_ins, work=work, in_line=in_line.get(one.internship.intern_id, timedelta(0)))
        rows.append(Row(one, signals_of(facts, now=now), work.get("pk") if work.get("waits") else None))
    return rows


def _facts(
    one: Progress, *, check_ins: dict[tuple[int, bool], tuple[int, datetime]], work: dict[str, Any], in_line: timedelta
) -> Facts:
    row, following = one.internship, one.next_milestone
    is_late = one.is_overdue and following is not None
    interns, mentors = (check_ins.get((row.pk, side), (0, None)) for side in (False, True))
    begun_on = max(row.started_on, row.cohort.starts_on)
    return Facts(
        began=datetime.combine(begun_on, time.min, tzinfo=get_current_timezone()),
        seen_at=one.seen_at,
        handed_in_at=work.get("at"),
        interns_check_in=interns[1],
        check_in_waits_since=interns[1] if interns[0] > mentors[0] else None,
        review_waits_since=work.get("at") if work.get("waits") else None,
        overdue=following.title if is_late and following else "",
        overdue_since=following.due_on if is_late and following else None,
        no_better=_no_better(one),
        in_line=in_line,
    )


def _no_better(one: Progress) -> int:
    """How many scores there were since the last that set a new best, as the intern was told."""
    points = one.standing.points
    best = max((index for index, point in enumerate(points) if point.is_new), default=-1)
    return len(points) - 1 - best if points else 0


def _check_ins(ids: Sequence[int]) -> dict[tuple[int, bool], tuple[int, datetime]]:
    """The week and the time of the last check-in of each side."""
    rows = CheckIn.objects.filter(internship__in=ids).order_by().values_list("internship_id", "is_mentors")
    latest = rows.annotate(last=Max("week"), at=Max("written_at"))
    return {(pk, is_mentors): (week, at) for pk, is_mentors, week, at in latest}


def _submissions(ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """The last submission of each, and whether nobody has decided on it."""
    rows = Submission.objects.filter(internship__in=ids).order_by("number")
    found: dict[int, dict[str, Any]] = {}
    for internship_id, pk, at, state in rows.values_list("internship_id", "pk", "received_at", "review__state"):
        if internship_id is not None:
            found[internship_id] = {"pk": pk, "at": at, "waits": state in (None, ReviewState.OPEN)}
    return found


def _time_in_line(progress: Sequence[Progress], *, now: datetime) -> dict[int, timedelta]:
    """How long each intern stood in line in the last seven days."""
    people = [one.internship.intern_id for one in progress]
    rows = Lease.objects.filter(user__in=people, requested_at__gte=now - WEEK).order_by()
    waited: dict[int, timedelta] = {}
    for user_id, asked, granted, ended in rows.values_list("user_id", "requested_at", "granted_at", "closed_at"):
        waited[user_id] = waited.get(user_id, timedelta(0)) + ((granted or ended or now) - asked)
    return waited

"""Who needs attention: the signals of each internship that goes on, from work that really happened, in a fixed number of
queries. The rules are in ``internships.signals``, what they are told in ``work``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise

from django.db.models import Q
from django.utils.timezone import get_current_timezone, localdate, localtime

from practicum.accounts.models import User
from practicum.internships.models import Internship, InternshipState
from practicum.internships.rhythm import usual_weekdays
from practicum.internships.selectors import internships_visible_to
from practicum.internships.signals import Facts, Signal, signals_of
from practicum.portal.selectors import Progress, progress_of
from practicum.portal.work import LOOKED_BACK, CheckIns, Work, work_of

GPU_USED = timedelta(minutes=1)


@dataclass(frozen=True)
class Row:
    """An internship and its signals; ``waiting_id``: the submission that waits for a review.

    ``signs``: what was last seen of their work, each with when, the latest first.
    """

    progress: Progress
    signals: list[Signal]
    signs: list[tuple[str, datetime]]
    waiting_id: int | None

    @property
    def internship(self) -> Internship:
        """Whose row it is."""
        return self.progress.internship

    @property
    def helps_first(self) -> str:
        """What helps against the first signal."""
        return self.signals[0].action if self.signals else ""


def rows_for(viewer: User, *, now: datetime) -> list[Row]:
    """The internships ``viewer`` may see that are active and have begun, those with most signals first, then by name."""
    begun = Q(state=InternshipState.ACTIVE, cohort__starts_on__lte=localdate(now))
    rows = rows_of(internships_visible_to(viewer).filter(begun).order_by("intern__name", "pk"), viewer=viewer, now=now)
    return sorted(rows, key=lambda row: -len(row.signals))


def own_row(progress: Progress, *, now: datetime) -> Row | None:
    """What an intern is told of their own internship; None where it is not active or has not begun."""
    row = progress.internship
    has_begun = row.state == InternshipState.ACTIVE and row.cohort.starts_on <= localdate(now)
    return _rows_with([progress], now=now)[0] if has_begun else None


def rows_of(internships: Iterable[Internship], *, viewer: User, now: datetime) -> list[Row]:
    """A row for each, in the order given."""
    return _rows_with(progress_of(internships, today=localdate(now), viewer=viewer), now=now)


def _rows_with(progress: Sequence[Progress], *, now: datetime) -> list[Row]:
    works = work_of([one.internship for one in progress], now=now)
    rows = []
    for one in progress:
        work = works[one.internship.pk]
        signals = signals_of(_facts(one, work=work, now=now), now=localtime(now))
        rows.append(Row(one, signals, _signs(work), work.waiting[-1][0] if work.waiting else None))
    return rows


def _signs(work: Work) -> list[tuple[str, datetime]]:
    ran = [visit.until for visit in work.visits if visit.has_run]
    found = (
        ("code ran", ran[-1] if ran else None),
        ("a GPU worked", work.gpu_busy_at),
        ("handed in", work.handed_in[-1] if work.handed_in else None),
        ("committed", work.committed_at),
        ("checked in", max(work.check_ins.interns.values(), default=None)),
    )
    return sorted(((words, at) for words, at in found if at is not None), key=lambda sign: sign[1], reverse=True)


def _facts(one: Progress, *, work: Work, now: datetime) -> Facts:
    row, following = one.internship, one.next_milestone
    is_late = one.is_overdue and following is not None
    begun_on = max(row.started_on, row.cohort.starts_on)
    began = max(filter(None, [_midnight(begun_on), work.resumed_at]))
    no_better, best_at = _no_better(one)
    signs = [*(visit.at for visit in work.visits), *work.handed_in, *filter(None, [work.committed_at])]
    gpu_days, gpu_unused = _gpu_unused(work, began=began)
    return Facts(
        began=began,
        seen_at=one.seen_at,
        usual_weekdays=usual_weekdays({localdate(at) for at in signs}, since=begun_on, today=localdate(now)),
        idle_visits=_idle_visits(work),
        gpu_days=gpu_days,
        gpu_unused=gpu_unused if row.version.manifest["budget"].get("gpu_gb") else timedelta(0),
        handed_in_at=work.handed_in[-1] if work.handed_in else None,
        usual_hand_in=_usual_hand_in(work, now=now),
        same_error=work.same_error,
        error=work.error,
        overdue=following.title if is_late and following else "",
        overdue_since=following.due_on if is_late and following else None,
        no_better=no_better,
        best_at=best_at,
        interns_check_in=max(work.check_ins.interns.values(), default=None),
        checked_in_through=_checked_in_through(work.check_ins, cohort_starts_on=row.cohort.starts_on),
        in_line=work.in_line,
        review_waits_since=work.waiting[0][1] if work.waiting else None,
        check_in_waits_since=_first_unanswered(work.check_ins),
        request_waits_since=work.request_waits_since,
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=get_current_timezone())


def _usual_hand_in(work: Work, *, now: datetime) -> int | None:
    """The most days with work from one hand-in to the next in the last weeks; None of fewer than two hand-ins."""
    ran_on = {localdate(visit.at) for visit in work.visits if visit.has_run}
    days = sorted({localdate(at) for at in work.handed_in if at >= now - LOOKED_BACK})
    between = [sum(one < day <= other for day in ran_on) for one, other in pairwise(days)]
    return max(between, default=None)


def _idle_visits(work: Work) -> int:
    """How many of the last notebooks in a row ran nothing, without a hand-in or a commit since the first of them."""
    count, done = 0, [*work.handed_in[-1:], *filter(None, [work.committed_at])]
    for visit in reversed(work.visits):
        if visit.has_run or any(at >= visit.at for at in done):
            break
        count += visit.is_idle
    return count


def _gpu_unused(work: Work, *, began: datetime) -> tuple[int, timedelta]:
    """On how many days a GPU was held since the last day on which one worked, and for how long."""
    days, held_for = 0, timedelta(0)
    for day, held, busy in reversed(work.gpu_days):
        if busy >= GPU_USED or day < localdate(began):
            break
        days, held_for = days + 1, held_for + held
    return days, held_for


def _no_better(one: Progress) -> tuple[int, datetime | None]:
    """How many scores there were since the last that set a new best, as the intern was told, and when that came."""
    points = one.standing.points
    best = max((index for index, point in enumerate(points) if point.is_new), default=None)
    return (0, None) if best is None else (len(points) - 1 - best, points[best].at)


def _checked_in_through(check_ins: CheckIns, *, cohort_starts_on: date) -> datetime | None:
    """The end of the last week for which the intern wrote."""
    last = max(check_ins.interns, default=None)
    return None if last is None else _midnight(cohort_starts_on + timedelta(weeks=last))


def _first_unanswered(check_ins: CheckIns) -> datetime | None:
    """When the intern wrote the first check-in after the mentor's last."""
    last = max(check_ins.mentors, default=-1)
    return min((at for week, at in check_ins.interns.items() if week > last), default=None)

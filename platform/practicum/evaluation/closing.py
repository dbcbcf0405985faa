"""When a leaderboard closes, whether its final scores are released, and under which names interns see one another.

The terms belong to a cohort and a project. A board closes at the end of the cohort's last day by the site's
clock, or at the time that was set. What was received before that may be ranked; when it was evaluated does not matter.

An internship whose last day was moved beyond the cohort's, by an extension or by the days of a pause, has a close of its own,
as many days later, until the final scores are released: from then on nobody is ranked by anything new.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta

from django.conf import settings
from django.utils.timezone import get_current_timezone, localtime

from practicum.catalog.models import Project
from practicum.evaluation.models import Leaderboard
from practicum.internships.models import Cohort, Internship, InternshipState
from practicum.internships.rules import days_of_pause


@dataclass(frozen=True)
class Terms:
    """What holds on one board. ``hidden_through``: names are hidden, since this was the newest internship.

    ``board_closes_at``: where ``closes_at`` is one internship's own, when the board closes for the others.
    """

    closes_at: datetime
    released_at: datetime | None = None
    hidden_through: int | None = None
    board_closes_at: datetime | None = None

    @property
    def is_released(self) -> bool:
        """Interns see the final scores."""
        return self.released_at is not None

    @property
    def hides_names(self) -> bool:
        """Interns see neutral names."""
        return self.hidden_through is not None

    def is_closed(self, *, now: datetime) -> bool:
        """Nothing can be chosen any more, and what is received now is not ranked."""
        return now >= self.closes_at

    @property
    def is_extended(self) -> bool:
        """They are an internship's own, and it has more time than the others."""
        return self.board_closes_at is not None and self.board_closes_at < self.closes_at

    def is_under_extension(self, at: datetime) -> bool:
        """What was received then came after the board's close, and ranks all the same."""
        return self.board_closes_at is not None and self.board_closes_at <= at < self.closes_at

    def of(self, internship: Internship) -> Terms:
        """What holds for one internship on the board. Time is moved by days on the wall's clock."""
        closes_at = localtime(self.closes_at) + _moved_by(internship)
        if self.released_at is not None:
            closes_at = max(self.closes_at, min(closes_at, self.released_at))
        return replace(self, closes_at=closes_at, board_closes_at=self.closes_at)


Key = tuple[int, int]


def terms_of(internships: Iterable[Internship]) -> dict[Key, Terms]:
    """The terms of the boards these internships are on, by the ids of cohort and project: one query."""
    cohorts = {(row.cohort_id, row.version.project_id): row.cohort for row in internships}
    found = {key: Terms(closes_at=end_of(cohort)) for key, cohort in cohorts.items()}
    rows = Leaderboard.objects.filter(cohort__in={c for c, _ in found}, project__in={p for _, p in found})
    for row in rows:
        key = (row.cohort_id, row.project_id)
        if key in found:
            found[key] = _terms(row, cohort=cohorts[key])
    return found


def terms_on(cohort: Cohort, *, project: Project) -> Terms:
    """The terms of one board."""
    row = Leaderboard.objects.filter(cohort=cohort, project=project).first()
    return _terms(row, cohort=cohort) if row else Terms(closes_at=end_of(cohort))


def _terms(row: Leaderboard, *, cohort: Cohort) -> Terms:
    return Terms(
        closes_at=row.closes_at or end_of(cohort), released_at=row.released_at, hidden_through=row.hidden_through
    )


def _moved_by(internship: Internship) -> timedelta:
    """How much later than the cohort's its last day is. A pause that goes on moves it by the days agreed on."""
    last_day = internship.last_day
    is_paused = internship.state == InternshipState.PAUSED
    if is_paused and internship.paused_on is not None and internship.back_on is not None:
        last_day += days_of_pause(internship.paused_on, today=internship.back_on)
    return max(timedelta(0), last_day - internship.cohort.ends_on)


def end_of(cohort: Cohort) -> datetime:
    """The first moment after the cohort's last day, by the site's clock."""
    return datetime.combine(cohort.ends_on + timedelta(days=1), time.min, tzinfo=get_current_timezone())


def neutral_names(internships: Iterable[int], *, hidden_through: int) -> dict[int, str]:
    """``Intern 1``, ``Intern 2``, … by internship id.

    Those who were there when names were hidden are in an order that says nothing (of a keyed hash); whoever joins later
    comes after them, so that nobody's neutral name changes.
    """

    def place(number: int) -> tuple[bool, bytes]:
        if number > hidden_through:
            return True, number.to_bytes(8, "big")
        key = f"neutral names {hidden_through}".encode() + settings.SECRET_KEY.encode()
        return False, hmac.digest(key, str(number).encode(), hashlib.sha256)

    ordered = sorted(internships, key=place)
    return {number: f"Intern {position}" for position, number in enumerate(ordered, start=1)}

"""How far internships are: what their interns are told of their scores, against the baseline.

For many internships at once, in a fixed number of queries. This is the one gate to scores: every page, the interface
for notebooks and the leaderboard read them from here. Without ``exact`` nothing is in an answer that an intern may not
know.

Words: a *point* is one scored submission. Its *shown* score is on the rows whose score interns see, its *final* score on
the whole hidden part. Interns are told of shown scores by the Ladder rule (``ladder``): a point that did not set a new
best has the last best as its value. The *best* point is by the metric's goal. The *counted* point is the one that ranks:
the one the intern chose, or else the one that set their best before the board closed. The *baseline* is what the
project's own baseline scored here, or else the figure its author recorded.

Scores are told in the order in which submissions were first scored; one that is evaluated again has its newest score in
its old place. What was received after the internship's close comes last and never ranks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models.functions import Coalesce

from practicum.catalog.models import ProjectVersion
from practicum.catalog.selectors import baseline_anchor
from practicum.evaluation.closing import Terms, terms_of
from practicum.evaluation.ladder import Ladder
from practicum.evaluation.models import FinalChoice, Score
from practicum.internships.models import Internship

POINT_FIELDS = (
    "run__submission_id",
    "run__submission__internship_id",
    "run__submission__number",
    "run__submission__received_at",
    "scored_at",
    "value",
)


@dataclass(frozen=True)
class Point:
    """One scored submission. ``value`` is what the viewer may know: an intern the best they were told, others the shown
    score itself. ``final`` is None for interns.

    ``is_new``: it set a new best under the Ladder rule; ``told``: the best the intern was told with it. ``is_late``: it
    was received after the close.
    """

    submission_id: int
    number: int
    at: datetime
    value: float
    told: float
    is_new: bool = True
    is_late: bool = False
    final: float | None = None

    @property
    def is_told(self) -> bool:
        """``value`` is the score of this submission: it set a new best, or the viewer sees exact scores."""
        return self.is_new or self.final is not None


@dataclass(frozen=True)
class Standing:
    """One internship's scores, the oldest submission first, and what they are compared with; ``terms``: its own."""

    version: ProjectVersion
    terms: Terms
    baseline: float | None
    points: list[Point] = field(default_factory=list)
    chosen_id: int | None = None

    @property
    def best(self) -> Point | None:
        """The best point; of two the same, the earlier."""
        return self._best_of(self.points)

    @property
    def difference(self) -> float | None:
        """The best score less the baseline."""
        best = self.best
        return None if best is None or self.baseline is None else best.value - self.baseline

    @property
    def is_better(self) -> bool | None:
        """Whether the best score beats the baseline; None when there is nothing to compare, or the two are equal."""
        return is_better(self.difference, version=self.version)

    @property
    def counted(self) -> Point | None:
        """The point that ranks; None where nothing was scored in time."""
        in_time = [point for point in self.points if not point.is_late]
        chosen = next((point for point in in_time if point.submission_id == self.chosen_id), None)
        return chosen or self.told_best

    @property
    def told_best(self) -> Point | None:
        """The point in time that set the best the intern was told: it counts where none was chosen."""
        return self._best_of([point for point in self.points if point.is_new and not point.is_late], told=True)

    @property
    def told_points(self) -> list[Point]:
        """The points whose value may be drawn: an intern's new bests, or all of them for whoever sees exact scores."""
        return [point for point in self.points if point.is_told]

    def point_of(self, submission_id: int) -> Point | None:
        """The point of one submission, if it was scored."""
        return next((point for point in self.points if point.submission_id == submission_id), None)

    def before(self, number: int) -> Point | None:
        """The newest point of an earlier submission."""
        return next((point for point in reversed(self.points) if point.number < number), None)

    def words(self, point: Point) -> str:
        """What is said of a point in place of its score; empty where the score is told."""
        if point.is_new:
            return ""
        digits = self.version.metric["digits"]
        step = ladder_of(self.version).step
        return f"Not better than your best by {step:.{digits}f} or more. Your best stays {point.told:.{digits}f}."

    def _best_of(self, points: list[Point], *, told: bool = False) -> Point | None:
        """Of two the same, the one that set it, and else the earlier."""
        sign = 1 if self.version.higher_is_better else -1
        return max(points, key=lambda point: (sign * (point.told if told else point.value), point.is_new), default=None)


@dataclass(frozen=True)
class _Scored:
    """A submission with its newest scores, and when it had its first."""

    submission_id: int
    number: int
    at: datetime
    first_scored_at: datetime
    shown: float
    final: float


def is_better(difference: float | None, *, version: ProjectVersion) -> bool | None:
    """Whether a difference from the baseline is one for the better; None for none."""
    return None if not difference else (difference > 0) == version.higher_is_better


def ladder_of(version: ProjectVersion) -> Ladder:
    """The Ladder rule of a version's metric."""
    metric = version.metric
    return Ladder(
        higher_is_better=version.higher_is_better,
        digits=int(metric["digits"]),
        noise=float(metric.get("noise") or 0.0),
        share=version.shown_share,
    )


def standings_of(internships: Iterable[Internship], *, exact: bool = False) -> dict[int, Standing]:
    """The standing of each internship by its id: four queries, however many there are.

    With ``exact`` the points have the shown and final scores themselves: for mentors and admins, never for interns.
    """
    rows = list(internships)
    baselines = baselines_of({row.version for row in rows})
    boards, scored = terms_of(rows), _scored_of(rows)
    terms = {row.pk: boards[row.cohort_id, row.version.project_id].of(row) for row in rows}
    chosen = dict(FinalChoice.objects.filter(internship__in=scored).values_list("internship_id", "submission_id"))
    return {
        row.pk: Standing(
            version=row.version,
            terms=terms[row.pk],
            baseline=baselines[row.version_id],
            points=_points(scored[row.pk], row=row, terms=terms[row.pk], exact=exact),
            chosen_id=chosen.get(row.pk),
        )
        for row in rows
    }


def _scored_of(internships: list[Internship]) -> dict[int, list[_Scored]]:
    """The scored submissions of each internship: one query."""
    found: dict[int, dict[int, _Scored]] = {row.pk: {} for row in internships}
    scores = Score.objects.filter(run__submission__internship__in=found).order_by("run__attempt")
    # Plain values: a board of a large cohort has thousands, and their rows hold JSON nobody reads here.
    for submission_id, internship_id, number, at, scored_at, final, shown in scores.values_list(
        *POINT_FIELDS, Coalesce("shown_value", "value")
    ):
        before = found[internship_id].get(submission_id)
        first = before.first_scored_at if before else scored_at
        found[internship_id][submission_id] = _Scored(submission_id, number, at, first, shown=shown, final=final)
    return {pk: list(by_submission.values()) for pk, by_submission in found.items()}


def _points(scored: list[_Scored], *, row: Internship, terms: Terms, exact: bool) -> list[Point]:
    ladder = ladder_of(row.version)
    in_order = sorted(
        scored, key=lambda one: (terms.is_closed(now=one.at), one.first_scored_at, one.number, one.submission_id)
    )
    points = [
        Point(
            submission_id=one.submission_id,
            number=one.number,
            at=one.at,
            value=one.shown if exact else told.best,
            told=told.best,
            is_new=told.is_new,
            is_late=terms.is_closed(now=one.at),
            final=one.final if exact else None,
        )
        for one, told in zip(in_order, ladder.climb(one.shown for one in in_order), strict=True)
    ]
    return sorted(points, key=lambda point: point.number)


def baselines_of(versions: Iterable[ProjectVersion]) -> dict[int, float | None]:
    """The baseline of each version by its id, on the shown rows: measured here, or else recorded in the project."""
    return _baselines(versions, column=Coalesce("shown_value", "value"))


def final_baselines_of(versions: Iterable[ProjectVersion]) -> dict[int, float | None]:
    """The same on the whole hidden part: not for interns before the board is final."""
    return _baselines(versions, column="value")


def _baselines(versions: Iterable[ProjectVersion], *, column: Any) -> dict[int, float | None]:
    found: dict[int, float | None] = {}
    digits: dict[int, int] = {}
    for version in versions:
        anchor = baseline_anchor(version)
        found[version.pk] = None if anchor is None else anchor.value
        digits[version.pk] = int(version.metric["digits"])
    scores = Score.objects.filter(run__submission__internship__isnull=True, run__submission__version__in=found)
    for version_id, value in scores.order_by("run__attempt").values_list("run__submission__version_id", column):
        found[version_id] = round(value, digits[version_id])
    return found

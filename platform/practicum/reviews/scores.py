"""A submission's score against its version's baseline and against the round before: a fixed number of queries.

Scores are read through ``evaluation.standings``: an intern sees them as they were told.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from practicum.catalog.models import ProjectVersion
from practicum.evaluation.findings import Finding, findings_of
from practicum.evaluation.standings import Standing, baselines_of, standings_of
from practicum.internships.models import Internship
from practicum.submissions.models import Submission


@dataclass(frozen=True)
class Comparison:
    """``score`` of the last scored run; ``baseline`` measured here, or else as the project's author recorded it;
    ``before``: the score of the newest earlier submission that has one. ``final``: on all hidden rows, for mentors and
    admins. ``words`` stand in place of a score that is not told; ``finding``: what one that is told says, by a test.
    """

    version: ProjectVersion
    score: float | None
    baseline: float | None
    before: float | None
    finding: Finding | None = None
    final: float | None = None
    words: str = ""

    @property
    def difference(self) -> float | None:
        """Score less baseline."""
        return None if self.score is None or self.baseline is None else self.score - self.baseline

    @property
    def is_better(self) -> bool | None:
        """Better than the baseline, by a test; None when not distinguishable or not comparable."""
        return self.finding.is_better if self.finding else None

    @property
    def change(self) -> float | None:
        """Score less the round before."""
        return None if self.score is None or self.before is None else self.score - self.before

    @property
    def is_progress(self) -> bool | None:
        """Better than the round before; None when equal or not comparable."""
        return self._for_the_better(self.change)

    def _for_the_better(self, difference: float | None) -> bool | None:
        return None if not difference else (difference > 0) == self.version.higher_is_better


@dataclass(frozen=True)
class Among:
    """A cohort's other interns on the same project: the ``median`` of the scores that rank, over ``count`` of them."""

    median: float
    count: int
    beaten: int


def among_cohort(submission: Submission, *, score: float | None, exact: bool) -> Among | None:
    """How ``score`` stands among the cohort's others; None where nobody else has one. ``exact`` as in :func:`compare`."""
    internship = submission.internship
    if internship is None:
        return None
    others = Internship.objects.filter(cohort=internship.cohort_id, version__project=submission.version.project_id)
    standings = standings_of(
        others.exclude(pk=internship.pk).select_related("cohort", "version__project"), exact=exact
    ).values()
    values = [standing.counted.value for standing in standings if standing.counted is not None]
    if not values:
        return None
    sign = 1 if submission.version.higher_is_better else -1
    beaten = 0 if score is None else sum(sign * score > sign * value for value in values)
    return Among(median=median(values), count=len(values), beaten=beaten)


def compare(submissions: Iterable[Submission], *, exact: bool = False) -> dict[int, Comparison]:
    """The comparison of each submission, by its id. ``exact`` for mentors and admins, never for interns."""
    rows = list(submissions)
    baselines = baselines_of({row.version for row in rows})
    internships = Internship.objects.filter(pk__in=[row.internship_id for row in rows if row.internship_id])
    standings = standings_of(internships.select_related("cohort", "version__project"), exact=exact)
    findings = findings_of(rows)
    return {
        row.pk: _compare(
            row,
            baseline=baselines[row.version_id],
            standing=standings.get(row.internship_id or 0),
            finding=findings.get(row.pk),
        )
        for row in rows
    }


def _compare(
    row: Submission, *, baseline: float | None, standing: Standing | None, finding: Finding | None
) -> Comparison:
    point = standing.point_of(row.pk) if standing is not None else None
    if standing is None or point is None:
        before = standing.before(row.number) if standing is not None else None
        return Comparison(version=row.version, score=None, baseline=baseline, before=before.value if before else None)
    before = standing.before(row.number)
    return Comparison(
        version=row.version,
        score=point.value if point.is_told else None,
        baseline=baseline,
        before=before.value if before else None,
        final=point.final,
        words="" if point.is_told else standing.words(point),
        finding=finding if point.is_told else None,
    )

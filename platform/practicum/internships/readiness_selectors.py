"""Questions about readiness checks: what an applicant may take, how far they came, and what others see of it.

An applicant sees their own; mentors and admins what belongs to applications they may read. It is evidence beside the
application: nothing is decided by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import cast

from django.db.models import Prefetch, QuerySet
from django.utils.timezone import localdate

from practicum.catalog.models import Project, ProjectVersion
from practicum.catalog.readiness import PREREQUISITES, Readiness
from practicum.catalog.selectors import latest_versions
from practicum.errors import NotFound
from practicum.internships import readiness_rules as rules
from practicum.internships.models import GOING_ON, Application, ApplicationState, Cohort, Internship
from practicum.internships.readiness_models import BarsReached, CheckAttempt, CohortCheck
from practicum.internships.readiness_rules import BarResult

# While an application is one of these, its applicant may take checks.
OPEN = (ApplicationState.RECEIVED, ApplicationState.OFFERED, ApplicationState.WAITLISTED)
SHORT = {"ml": "Machine learning", "python": "Python", "cuda": "CUDA"}


@dataclass(frozen=True)
class Taking:
    """One attempt: what it asked, the best that was handed in for its own numbers, and what came last."""

    attempt: CheckAttempt
    asked: Readiness
    best: BarsReached | None
    last: BarsReached | None

    @property
    def is_going_on(self) -> bool:
        """Something may be handed in; the worker ends it once its time is over."""
        return self.attempt.internship.state in GOING_ON

    @property
    def other_variant(self) -> int | None:
        """Where what came last is about other numbers than this attempt's: which; 0 where it does not say."""
        if self.last is None or self.last.variant == self.attempt.variant:
            return None
        return self.last.variant or 0

    @cached_property
    def results(self) -> list[BarResult]:
        """Each bar, with the figure of the best."""
        return rules.results_of(self.asked.bars, self.best.values if self.best else None)

    @property
    def held(self) -> int:
        """How many bars are held."""
        return sum(result.is_held for result in self.results)

    @property
    def is_all_held(self) -> bool:
        """Nothing is missing."""
        return self.held == len(self.results)


@dataclass(frozen=True)
class CheckStanding:
    """A check of the cohort, for one application. ``takings``: every attempt, the first one first."""

    check: CohortCheck
    version: ProjectVersion
    asked: Readiness
    takings: list[Taking] = field(default_factory=list)

    @property
    def project(self) -> Project:
        """The check's project."""
        return self.version.project

    @property
    def going_on(self) -> Taking | None:
        """The attempt that goes on."""
        return next((taking for taking in self.takings if taking.is_going_on), None)

    @property
    def counted(self) -> list[Taking]:
        """The attempts of which something was scored; what a fault of ours stopped is none."""
        return [taking for taking in self.takings if taking.best is not None]

    @property
    def best(self) -> Taking | None:
        """The attempt in which most bars were held, the earliest among equals."""
        return max(self.counted, key=_rank, default=None)

    @property
    def shown(self) -> Taking | None:
        """The attempt whose bars its applicant looks at: the one that goes on once something of it came, or else the best."""
        current = self.going_on or (self.takings[-1] if self.takings and self.best is None else None)
        return current if current is not None and current.last is not None else self.best

    @property
    def start_label(self) -> str:
        """What the button says that begins an attempt."""
        return "Take it again with other numbers" if self.takings else "Take it"

    @property
    def total(self) -> int:
        """How many bars the best attempt had; without one, how many there are now."""
        return len(self.best.results) if self.best else len(self.asked.bars)

    @property
    def short(self) -> str:
        """The prerequisite in a word."""
        return SHORT.get(self.asked.prerequisite, self.asked.prerequisite)


def _rank(taking: Taking) -> tuple[float, int, float]:
    held, near = rules.rank_of(taking.asked.bars, taking.best.values if taking.best else {})
    return held / len(taking.asked.bars), held, near


def checks_of(cohort: Cohort) -> list[tuple[CohortCheck, ProjectVersion, Readiness]]:
    """The checks the cohort has, in the order of the prerequisites, with what their latest version asks: two queries."""
    rows = {row.project_id: row for row in CohortCheck.objects.filter(cohort=cohort).select_related("added_by")}
    found = []
    for version in latest_versions().filter(project__in=rows) if rows else []:
        asked = rules.readiness_in(version.manifest)
        if asked is not None:
            row = rows[version.project_id]
            row.project = version.project
            found.append((row, version, asked))
    return sorted(found, key=lambda one: PREREQUISITES.index(one[2].prerequisite))


def check_of(cohort: Cohort, *, slug: str) -> CohortCheck:
    """One check of the cohort.

    Raises:
        NotFound: the cohort does not have it.
    """
    row = CohortCheck.objects.select_related("project", "added_by").filter(cohort=cohort, project__slug=slug).first()
    if row is None:
        raise NotFound
    return row


def standings_of(applications: Iterable[Application], *, cohort: Cohort) -> dict[int, list[CheckStanding]]:
    """For each application the cohort's checks with how far its applicant came: four queries, however many there are."""
    ids = [row.pk for row in applications]
    checks = checks_of(cohort)
    takings: dict[tuple[int, int], list[Taking]] = {}
    for attempt in _attempts().filter(application__in=ids) if checks and ids else []:
        taking = _taking_of(attempt)
        if taking is not None:
            takings.setdefault((attempt.application_id, attempt.project_id), []).append(taking)
    return {
        pk: [
            CheckStanding(row, version, asked, takings.get((pk, row.project_id), [])) for row, version, asked in checks
        ]
        for pk in ids
    }


def standing_of(application: Application) -> list[CheckStanding]:
    """The checks of one application."""
    return standings_of([application], cohort=application.cohort)[application.pk]


def _attempts() -> QuerySet[CheckAttempt]:
    reached = Prefetch("reached", queryset=BarsReached.objects.order_by("scored_at", "pk"), to_attr="by_time")
    return CheckAttempt.objects.select_related("internship__version__project").prefetch_related(reached)


def _taking_of(attempt: CheckAttempt) -> Taking | None:
    """An attempt with its figures; None where its version is no check."""
    asked = rules.readiness_in(attempt.internship.version.manifest)
    if asked is None:
        return None
    rows: Sequence[BarsReached] = attempt.by_time  # type: ignore[attr-defined]
    best = rules.best_of(rows, bars=asked.bars, variant=attempt.variant)
    return Taking(attempt, asked, best=cast("BarsReached | None", best), last=rows[-1] if rows else None)


def _taking_for(internship: Internship) -> Taking | None:
    attempt = _attempts().filter(internship=internship).first()
    return _taking_of(attempt) if attempt is not None else None


@dataclass(frozen=True)
class SubmissionResult:
    """What one submission of an attempt came to; ``variant``: the numbers it says it is about."""

    taking: Taking
    results: list[BarResult]
    variant: int | None

    @property
    def is_own_variant(self) -> bool:
        """It is about the attempt's numbers; only then a bar counts."""
        return self.variant == self.taking.attempt.variant


def results_on(internship: Internship, *, submission: int) -> SubmissionResult | None:
    """What a submission of a readiness check came to; None before it is scored, and for an internship proper."""
    taking = _taking_for(internship) if internship.is_check else None
    rows = BarsReached.objects.filter(attempt__internship=internship, submission=submission)
    row = rows.first() if taking is not None else None
    if taking is None or row is None:
        return None
    is_own = row.variant == taking.attempt.variant
    return SubmissionResult(taking, rules.results_of(taking.asked.bars, row.values if is_own else None), row.variant)


def remedy_version(slug: str, *, number: int, name: str) -> ProjectVersion:
    """The version of a check that offers this notebook against one of its gaps. Everybody signed in may read it.

    Raises:
        NotFound: there is no such check, or it offers no such notebook.
    """
    rows = ProjectVersion.objects.select_related("project")
    version = rows.filter(project__slug=slug, number=number).first()
    asked = rules.readiness_in(version.manifest) if version is not None else None
    if version is None or asked is None or name not in {bar.remedy for bar in asked.bars}:
        raise NotFound
    return version


def environment_of(internship: Internship) -> dict[str, str]:
    """What a notebook is told of the readiness check it is for: its numbers. Empty for an internship proper."""
    if not internship.is_check:
        return {}
    variant = CheckAttempt.objects.values_list("variant", flat=True).get(internship=internship)
    return {"PRACTICUM_VARIANT": str(variant)}


def why_not_taken(application: Application, *, now: datetime) -> str:
    """Why its applicant may take no check now; empty where they may."""
    if application.state not in OPEN:
        return "Your application is not open any more, so there is no check to take."
    if application.cohort.ends_on < localdate(now):
        return f"{application.cohort} is over."
    return ""


def may_take(application: Application, *, now: datetime) -> bool:
    """Its applicant may take checks now."""
    return not why_not_taken(application, now=now)

"""What is new in a cohort, for its webhook. A chat is read by interns too: of scores only what interns are told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count

from practicum.catalog.models import Project
from practicum.digests.models import CohortWebhook
from practicum.digests.needs import address
from practicum.digests.rules import Line, Section, days
from practicum.evaluation.closing import neutral_names, terms_on
from practicum.evaluation.standings import Standing, standings_of
from practicum.internships.models import Application, ApplicationState, Cohort, Internship, Milestone
from practicum.reviews.models import ReviewState
from practicum.reviews.selectors import latest_only
from practicum.submissions.models import Submission

Board = dict[str, dict[str, float]]


@dataclass(frozen=True)
class News:
    """What there is to say, and the boards as they are now, to be compared with tomorrow's."""

    sections: list[Section]
    board: Board


def news_of(webhook: CohortWebhook, *, before: Board | None, since: datetime, now: datetime) -> News:
    """What this webhook tells of its cohort; ``before``: the boards of the last time, None where there was none."""
    cohort = webhook.cohort
    boards = list(_boards(cohort))
    sections = []
    if webhook.tells_reviews:
        sections.append(Section("Work that waits for a review", list(_waiting(cohort, now=now))))
    if webhook.tells_board and before is not None:
        sections += [Section(f"On the board of {one.project}", list(one.changes(before))) for one in boards]
    if webhook.tells_milestones:
        sections.append(Section("Milestones reached", list(_milestones(cohort, since=since, now=now))))
    if webhook.tells_applications:
        sections.append(Section("Applications", list(_applications(cohort, since=since, now=now))))
    return News(sections, {one.project.slug: one.told for one in boards})


def _waiting(cohort: Cohort, *, now: datetime) -> Iterable[Line]:
    rows = latest_only(Submission.objects.filter(internship__cohort=cohort, internship__state="active"))
    rows = rows.exclude(review__state__in=[ReviewState.ACCEPTED, ReviewState.CHANGES])
    for row in rows.select_related("internship__intern", "version__project").order_by("received_at", "pk"):
        words = f"{row.internship.intern}, submission #{row.number}, {days((now - row.received_at).days)}"  # type: ignore[union-attr]
        yield Line(words, address("reviews:desk", row.pk))


def _milestones(cohort: Cohort, *, since: datetime, now: datetime) -> Iterable[Line]:
    rows = Milestone.objects.filter(internship__cohort=cohort, reached_at__gt=since, reached_at__lte=now)
    for row in rows.select_related("internship__intern").order_by("reached_at", "pk"):
        yield Line(f"{row.internship.intern}: {row.title}")


def _applications(cohort: Cohort, *, since: datetime, now: datetime) -> Iterable[Line]:
    rows = Application.objects.filter(cohort=cohort)
    new = rows.filter(sent_at__gt=since, sent_at__lte=now).exclude(state=ApplicationState.WITHDRAWN).count()
    if new:
        open_ones = rows.filter(state=ApplicationState.RECEIVED).aggregate(count=Count("pk"))["count"]
        yield Line(f"{new} new, {open_ones} to answer", address("internships:applications", cohort.slug))


@dataclass(frozen=True)
class _ProjectBoard:
    """The best scores of a cohort on a project as their interns were told them; ``told`` by internship."""

    project: Project
    higher_is_better: bool
    digits: int
    names: dict[int, str]
    told: dict[str, float]

    def changes(self, before: Board) -> Iterable[Line]:
        """Whose best was told since, with the place it has now, the best place first."""
        known = before.get(self.project.slug, {})
        places = sorted(self.told.values(), reverse=self.higher_is_better)
        new = [(pk, value) for pk, value in self.told.items() if known.get(pk) != value]
        for pk, value in sorted(new, key=lambda one: places.index(one[1])):
            was = f", was {known[pk]:.{self.digits}f}" if pk in known else ""
            words = (
                f"{self.names[int(pk)]}: {value:.{self.digits}f}{was}; place {places.index(value) + 1} of {len(places)}"
            )
            yield Line(words, address("evaluation:leaderboard", self.project.slug))


def _boards(cohort: Cohort) -> Iterable[_ProjectBoard]:
    rows = list(
        Internship.objects.filter(cohort=cohort).select_related("intern", "cohort", "version__project").order_by("pk")
    )
    standings = standings_of(rows)
    by_version: dict[Any, list[Internship]] = defaultdict(list)
    for row in rows:
        by_version[row.version].append(row)
    newest: dict[int, Any] = {}
    for version in by_version:
        if version.project_id not in newest or newest[version.project_id].number < version.number:
            newest[version.project_id] = version
    for version in newest.values():
        yield _board(cohort, version=version, rows=by_version[version], standings=standings)


def _board(cohort: Cohort, *, version: Any, rows: list[Internship], standings: dict[int, Standing]) -> _ProjectBoard:
    bests = {row.pk: standings[row.pk].told_best for row in rows}
    terms = terms_on(cohort, project=version.project)
    names = {row.pk: row.intern.name for row in rows}
    if terms.hidden_through is not None:
        everyone = Internship.objects.filter(cohort=cohort, version__project=version.project_id)
        names = neutral_names(everyone.values_list("pk", flat=True), hidden_through=terms.hidden_through)
    return _ProjectBoard(
        project=version.project,
        higher_is_better=version.higher_is_better,
        digits=int(version.metric["digits"]),
        names=names,
        told={str(pk): best.told for pk, best in bests.items() if best is not None},
    )

"""Questions about runs and scores. Gates are below: ``submission_for`` and ``internship_for`` come first.

    latest_run(submission) -> Run | None                   with its score, if it has one
    again_of(submission, user=...) -> Again | None         the notebook run from clean, as this person may know it
    timeline(submission) -> list[Moment]                   received and every event of every run, the oldest first
    place_of(run) -> int | None                            from 1; None when it does not wait
    results_of(submission) -> list[Run]                    its scored runs, the newest first
    comparison(submission, exact=False) -> Comparison | None      the score told, the final one, or words in its place
    findings.findings_of(submissions) -> {id: Finding}     score with its interval, baseline, verdict, seeds
    minutes.minutes_of(submissions) -> {id: Minutes}       GPU-minutes and processor-minutes of the evaluation
    progress(internship) -> list[Point]                    one point a scored submission, the oldest first
    reports_of(internship, limit=20) -> list[Report]       what a notebook is told of its submissions, newest first
    report_of(internship, number=...) -> Report | None
    board.cohorts_with_board(user, slug=...) -> list[Cohort]      whose board this person may see
    board.board_of(cohort, version=..., viewer=...) -> Board      ranked rows, the baseline, the chart

``standings`` has the same for many internships at once. Without ``exact`` an answer holds what interns may know.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Prefetch, Q, QuerySet

from practicum.accounts.models import User
from practicum.evaluation.findings import Finding, findings_of
from practicum.evaluation.minutes import Minutes, minutes_of
from practicum.evaluation.models import Run, RunState
from practicum.evaluation.standings import Point, Standing, standings_of
from practicum.gpus.models import Lease
from practicum.internships.models import Internship
from practicum.submissions.models import Submission


@dataclass(frozen=True)
class Moment:
    """A line of the timeline."""

    at: datetime
    state: str
    message: str


@dataclass(frozen=True)
class Comparison:
    """A score beside the baseline, as its viewer may know it. What the difference means is a ``findings.Finding``.

    ``words`` say what is told in place of a score that was no new best; ``value`` is then the best that stays. ``final``
    is on the whole hidden part, for mentors and admins.
    """

    value: float
    baseline: float | None
    difference: float | None
    words: str = ""
    final: float | None = None


@dataclass(frozen=True)
class Again:
    """A notebook that was run from clean on the hidden inputs, as its viewer may know it.

    It can print those inputs, so its intern is told how many cells gave the same again and which did not, and nothing
    that came out: for them ``run`` is None and no sentence quotes an output.
    """

    compared: int
    differing: int
    sentences: dict[int, str]
    run: Run | None

    @property
    def untold(self) -> int:
        """Cells that differ and have no sentence."""
        return self.differing - len(self.sentences)


@dataclass(frozen=True)
class Report:
    """A submission as its intern's notebook is told of it. A score that was no new best has words in ``reason``.

    ``lease``: of a run that waits, the one it needs for a GPU.
    """

    submission: Submission
    state: str
    reason: str
    score: float | None
    difference: float | None
    place: int | None
    lease: Lease | None
    finding: Finding | None
    minutes: Minutes | None


def latest_run(submission: Submission) -> Run | None:
    """The newest run of a submission."""
    return submission.runs.select_related("score", "lease").order_by("-attempt").first()


def again_of(submission: Submission, *, user: User) -> Again | None:
    """The newest notebook that a run left behind; None where there is none. The one gate to what came out of it."""
    run = submission.runs.exclude(executed="").order_by("-attempt").first()
    if run is None:
        return None
    found = run.reproduction or {"compared": 0, "differing": 0, "differences": []}
    may_read = user.is_mentor or user.is_admin
    return Again(
        compared=found["compared"],
        differing=found["differing"],
        sentences={
            row["cell"]: row["sentence"] if may_read else f"cell {row['cell']}: came out otherwise when run again"
            for row in found["differences"]
        },
        run=run if may_read else None,
    )


def place_of(run: Run) -> int | None:
    """The place of a waiting run in line, from 1."""
    if run.state != RunState.QUEUED:
        return None
    before = Q(queued_at__lt=run.queued_at) | Q(queued_at=run.queued_at, pk__lt=run.pk)
    return Run.objects.filter(before, state=RunState.QUEUED).count() + 1


def timeline(submission: Submission) -> list[Moment]:
    """All that happened to a submission: two queries."""
    received = f"Received ({submission.get_source_display()})"
    moments = [Moment(at=submission.received_at, state="received", message=received)]
    for run in submission.runs.prefetch_related("events").order_by("attempt"):
        moments += [Moment(at=event.at, state=event.state, message=event.message) for event in run.events.all()]
    return moments


def results_of(submission: Submission) -> list[Run]:
    """The runs of a submission that were scored, the newest first; with the version that judged each."""
    runs = submission.runs.filter(score__isnull=False).select_related("score", "judge", "submission__version")
    return list(runs.defer("log_tail", "curve").order_by("-attempt"))


def comparison(submission: Submission, *, exact: bool = False) -> Comparison | None:
    """The score of the last run that was scored, beside the baseline; None before there is one.

    With ``exact`` the shown score itself and the final one: for mentors and admins.
    """
    if submission.internship is None:
        return _comparison_of_baseline(submission, exact=exact)
    standing = standings_of([submission.internship], exact=exact)[submission.internship.pk]
    point = standing.point_of(submission.pk)
    if point is None:
        return None
    return Comparison(
        value=point.value,
        baseline=standing.baseline,
        difference=None if standing.baseline is None or not point.is_told else point.value - standing.baseline,
        words=standing.words(point),
        final=point.final,
    )


def _comparison_of_baseline(submission: Submission, *, exact: bool) -> Comparison | None:
    run = next(iter(results_of(submission)), None)
    if run is None:
        return None
    value = run.score.shown
    return Comparison(value=value, baseline=value, difference=0.0, final=run.score.value if exact else None)


def progress(internship: Internship) -> list[Point]:
    """One point for each scored submission."""
    return standings_of([internship])[internship.pk].points


def reports_of(internship: Internship, *, limit: int = 20) -> list[Report]:
    """The internship's submissions, newest first, each with its state: a fixed number of queries."""
    return _reports(_with_runs().filter(internship=internship).order_by("-number")[:limit], internship=internship)


def report_of(internship: Internship, *, number: int) -> Report | None:
    """One submission of the internship by its number; None when there is none."""
    return next(iter(_reports(_with_runs().filter(internship=internship, number=number), internship=internship)), None)


def _with_runs() -> QuerySet[Submission]:
    runs = Prefetch(
        "runs", queryset=Run.objects.select_related("score", "lease").order_by("-attempt"), to_attr="by_attempt"
    )
    return Submission.objects.select_related("version").prefetch_related(runs)


def _reports(rows: Iterable[Submission], *, internship: Internship) -> list[Report]:
    standing = standings_of([internship])[internship.pk]
    found = list(rows)
    places = _places([run for row in found for run in _runs(row)[:1] if run.state == RunState.QUEUED])
    findings, minutes = findings_of(found, told=standing), minutes_of(row.pk for row in found)
    return [
        _report(row, standing=standing, places=places, finding=findings.get(row.pk), minutes=minutes.get(row.pk))
        for row in found
    ]


def _runs(submission: Submission) -> list[Run]:
    return list(submission.by_attempt)  # type: ignore[attr-defined]


def _places(waiting: list[Run]) -> dict[int, int]:
    """The place of each waiting run: one query."""
    if not waiting:
        return {}
    line = Run.objects.filter(state=RunState.QUEUED).order_by("queued_at", "pk").values_list("pk", flat=True)
    return {run_id: place for place, run_id in enumerate(line, start=1)}


def _report(
    submission: Submission,
    *,
    standing: Standing,
    places: dict[int, int],
    finding: Finding | None,
    minutes: Minutes | None,
) -> Report:
    runs = _runs(submission)
    point = standing.point_of(submission.pk)
    score = point.value if point is not None and point.is_new else None
    reason = runs[0].reason if runs else ""
    return Report(
        submission=submission,
        state=runs[0].state if runs else "received",
        reason=reason or (standing.words(point) if point is not None else ""),
        score=score,
        difference=None if score is None or standing.baseline is None else score - standing.baseline,
        place=places.get(runs[0].pk) if runs else None,
        lease=runs[0].lease if runs and runs[0].state == RunState.QUEUED else None,
        finding=finding,
        minutes=minutes,
    )

"""What the last score of a submission says beside its baseline. For many submissions at once: three queries.

A *finding* is the score with its interval, the baseline's, and the verdict (``verdicts``). Of the baseline the newest
result counts that the same evaluate.py scored; without one, the newest; without any, the figure its author recorded.

All of it is on the rows whose score interns see, in the metric's digits. An intern is shown the finding of a submission
only where its score was told (``standings.Point.is_told``): ask with ``told``. ``whole_finding_of`` is on the whole hidden
part: not for interns before the board is final.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from practicum.catalog.models import ProjectVersion
from practicum.catalog.selectors import baseline_anchor
from practicum.evaluation.models import Run, SeedResult
from practicum.evaluation.seeding import asked_of
from practicum.evaluation.standings import Point, Standing
from practicum.evaluation.verdicts import LEVEL, Summary, Verdict, judge, summary_of
from practicum.submissions.models import Submission

CONFIDENCE_PERCENT = round(100 * (1 - LEVEL))
ONCE = 0


@dataclass(frozen=True)
class SeedLine:
    """One seed of a run: its place from 1, the seed, its value, the baseline's with the same seed if it has one."""

    place: int
    seed: int
    value: float
    baseline: float | None


@dataclass(frozen=True)
class Finding:
    """A score and what it says. ``verdict`` is None where there is nothing to compare with, as for a baseline itself.

    ``is_recorded``: the baseline is its author's figure, not measured here. ``is_other_metric``: the baseline's newest
    result was scored by another evaluate.py, so the two can't be compared until it is scored again.
    """

    version: ProjectVersion
    run_id: int
    score: Summary
    baseline: Summary | None
    verdict: Verdict | None
    seeds: Sequence[SeedLine] = ()
    is_retrained: bool = False
    is_recorded: bool = False
    is_other_metric: bool = False
    percent: int = CONFIDENCE_PERCENT
    level: float = LEVEL

    @property
    def is_better(self) -> bool | None:
        """Better than the baseline (True), worse (False), or not distinguishable or not compared (None)."""
        return {"better": True, "worse": False}.get(self.verdict.outcome) if self.verdict else None

    @property
    def difference(self) -> float | None:
        """The score less the baseline."""
        return None if self.baseline is None else self.score.value - self.baseline.value

    @property
    def half_width(self) -> float | None:
        """Half the interval of the score, for "± …"."""
        return None if self.score.high is None else self.score.high - self.score.value

    def as_json(self) -> dict[str, Any]:
        """On the wire."""
        verdict = self.verdict
        return {
            "interval": None if self.score.low is None else [self.score.low, self.score.high],
            "seeds": self.score.count,
            "verdict": verdict
            and {
                "outcome": verdict.outcome,
                "difference": verdict.difference,
                "interval": [verdict.low, verdict.high],
                "p": verdict.p,
                "test": verdict.method.name,
                "source": verdict.method.source,
                "confidence_percent": CONFIDENCE_PERCENT,
            },
        }


@dataclass(frozen=True)
class _Result:
    """A scored run with its values by seed; ``ONCE`` stands for the seed of a run that had none."""

    run: Run
    values: Mapping[int, float]

    @property
    def summary(self) -> Summary:
        return summary_of(list(self.values.values()))


def finding_of(submission: Submission, *, told: Standing | None = None) -> Finding | None:
    """The finding of one submission; None before it is scored, and where ``told`` does not tell its score."""
    return findings_of([submission], told=told).get(submission.pk)


def whole_finding_of(submission: Submission) -> Finding | None:
    """The finding of one submission on the whole hidden part; None before it is scored."""
    return findings_of([submission], whole=True).get(submission.pk)


def finding_of_point(point: Point | None) -> Finding | None:
    """The finding of the submission whose point this is; None for no point."""
    if point is None:
        return None
    return finding_of(Submission.objects.select_related("version__project").get(pk=point.submission_id))


def findings_of(
    submissions: Iterable[Submission], *, told: Standing | None = None, whole: bool = False
) -> dict[int, Finding]:
    """The finding of each submission that has a score, by its id. Their versions must be loaded.

    ``whole``: on the whole hidden part, where the caller has made sure that it may be known. With ``told``, the standing
    of their internship as its viewer sees it: only of those whose score is told in it.
    """
    ids = None if told is None else {point.submission_id for point in told.points if point.is_told}
    rows = {row.pk: row for row in submissions if ids is None or row.pk in ids}
    versions = {row.version_id for row in rows.values()}
    runs = Run.objects.filter(score__isnull=False).select_related("score", "submission__version").order_by("attempt")
    runs = runs.defer("log_tail", "curve")
    own = list(runs.filter(submission__in=rows))
    baselines = list(runs.filter(submission__internship__isnull=True, submission__version__in=versions))
    results = _results([*own, *baselines], whole=whole)
    latest = {run.submission_id: results[run.pk] for run in own}
    by_version: dict[int, list[_Result]] = {}
    for run in baselines:
        by_version.setdefault(run.submission.version_id, []).append(results[run.pk])
    return {
        pk: _finding(rows[pk], latest[pk], baselines=by_version.get(rows[pk].version_id, []), whole=whole)
        for pk in latest
    }


def _results(runs: list[Run], *, whole: bool) -> dict[int, _Result]:
    values: dict[int, dict[int, float]] = {run.pk: {} for run in runs}
    columns = ("run", "seed", "value" if whole else "shown_value", "run__submission__version")
    digits = {run.submission.version_id: int(run.submission.version.metric["digits"]) for run in runs}
    for run_id, seed, value, version_id in (
        SeedResult.objects.filter(run__in=values).order_by("pk").values_list(*columns)
    ):
        values[run_id][seed] = round(value, digits[version_id])
    return {
        run.pk: _Result(run=run, values=values[run.pk] or {ONCE: run.score.whole if whole else run.score.shown})
        for run in runs
    }


def _finding(submission: Submission, result: _Result, *, baselines: list[_Result], whole: bool) -> Finding:
    version, asked = submission.version, asked_of(submission.version)
    same = [one for one in baselines if _is_same_file(one.run, result.run)]
    chosen = next(iter(reversed(same or baselines)), None)
    anchor = baseline_anchor(version) if chosen is None else None
    values = chosen.values if chosen else {ONCE: anchor.value} if anchor else None
    verdict = None
    if values and not submission.is_baseline and (same or not baselines):
        verdict = judge(
            result.values,
            values,
            higher_is_better=version.higher_is_better,
            noise=float(version.metric.get("noise") or 0.0) / math.sqrt(1.0 if whole else version.shown_share),
            is_retrained=asked.retrain,
            smallest=asked.smallest_difference,
        )
    return Finding(
        version=version,
        run_id=result.run.pk,
        score=result.summary,
        baseline=summary_of(list(values.values())) if values and not submission.is_baseline else None,
        verdict=verdict,
        seeds=_lines(result.values, {} if submission.is_baseline else values or {}),
        is_retrained=asked.retrain,
        is_recorded=anchor is not None,
        is_other_metric=bool(baselines) and not same,
    )


def _is_same_file(one: Run, other: Run) -> bool:
    """Both were scored by the same evaluate.py; a run from before that was kept counts as the same."""
    return not one.evaluate_digest or not other.evaluate_digest or one.evaluate_digest == other.evaluate_digest


def _lines(values: Mapping[int, float], baseline: Mapping[int, float]) -> list[SeedLine]:
    if ONCE in values:
        return []
    return [
        SeedLine(place=place, seed=seed, value=value, baseline=baseline.get(seed))
        for place, (seed, value) in enumerate(values.items(), start=1)
    ]

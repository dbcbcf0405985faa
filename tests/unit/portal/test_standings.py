"""The best score, the baseline, the difference and whether it is one for the better."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from practicum.evaluation.models import Run, Score
from practicum.evaluation.standings import standings_of


def standing_of(internship: Any) -> Any:
    return standings_of([internship])[internship.pk]


@pytest.mark.parametrize(
    ("goal", "values", "baseline", "best", "is_better"),
    [
        ("max", [0.7, 0.9, 0.8], 0.85, 0.9, True),
        ("max", [0.7, 0.8], 0.85, 0.8, False),
        ("max", [0.85], 0.85, 0.85, None),
        ("min", [3.0, 2.0, 2.5], 2.2, 2.0, True),
        ("min", [3.0], 2.2, 3.0, False),
        ("max", [], 0.85, None, None),
    ],
)
def test_the_best_is_by_the_metric_s_goal(
    internship: Any, hand_in: Any, goal: str, values: list[float], baseline: float, best: float | None, is_better: bool
) -> None:
    internship.version.manifest["metric"]["goal"] = goal
    internship.version.save()
    hand_in(None, number=1, version=internship.version, value=baseline)
    for number, value in enumerate(values, start=1):
        hand_in(internship, number=number, value=value)

    standing = standing_of(internship)

    assert standing.baseline == baseline
    assert (standing.best.value if standing.best else None) == best
    assert standing.is_better is is_better


def test_a_score_of_a_later_run_takes_the_place_of_the_earlier(internship: Any, hand_in: Any, now: Any) -> None:
    submission = hand_in(internship, number=1, value=0.9)
    again = Run.objects.create(
        submission=submission, attempt=2, state="scored", queued_at=now, deadline=now + timedelta(hours=1)
    )
    Score.objects.create(run=again, value=0.7, metrics={}, scored_at=now)

    assert [point.value for point in standing_of(internship).points] == [0.7]


@pytest.mark.parametrize(("mode", "expected"), [("toy", 0.8), ("full", None)])
def test_without_a_measured_baseline_the_recorded_one_of_the_same_data_counts(
    internship: Any, mode: str, expected: float | None
) -> None:
    anchor = {"name": "net", "value": 0.8, "source": "measured", "mode": "toy", "baseline": True}
    internship.version.manifest["anchors"] = [anchor]
    internship.version.mode = mode

    assert standing_of(internship).baseline == expected


def test_an_unscored_submission_has_no_point(internship: Any, hand_in: Any) -> None:
    hand_in(internship, number=1, state="invalid")

    assert standing_of(internship).points == []


def test_many_internships_take_as_many_queries_as_one(internship: Any, peer_internship: Any, hand_in: Any) -> None:
    def count(rows: list[Any]) -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            standings_of(rows)
        return len(queries)

    for number in range(1, 12):
        hand_in(internship, number=number, value=0.5)
    hand_in(peer_internship, number=1, value=0.5)

    assert count([peer_internship]) == count([internship, peer_internship]) == 4

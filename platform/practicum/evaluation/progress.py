"""Scores over a cohort's weeks, as a plain dictionary that ``components/chart.html`` draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from practicum.catalog.models import ProjectVersion
from practicum.catalog.selectors import anchors_of
from practicum.internships.models import Cohort


def progress_chart(
    version: ProjectVersion, *, baseline: float | None, cohort: Cohort, points: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """The points, with the baseline as it was measured here and the project's anchors as lines."""
    lines = [
        {"label": anchor.name, "value": anchor.value, "is_baseline": False}
        for anchor in anchors_of(version)
        if not anchor.is_baseline
    ]
    if baseline is not None:
        lines.append({"label": "baseline", "value": baseline, "is_baseline": True})
    return {
        "kind": "progress",
        "metric": version.metric["name"],
        "goal": version.metric["goal"],
        "digits": version.metric["digits"],
        "from": cohort.starts_on.isoformat(),
        # Under an extension somebody may be scored after the cohort's last day.
        "to": max([cohort.ends_on.isoformat(), *(point["at"][:10] for point in points)]),
        "points": points,
        "lines": lines,
    }

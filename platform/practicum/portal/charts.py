"""What the charts draw, as plain dictionaries: ``components/chart.html`` writes them into the page.

Colours are the style sheet's business. Every chart is also a table, from the same dictionary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.urls import reverse
from django.utils.timezone import localtime

from practicum.evaluation.models import Run
from practicum.evaluation.progress import progress_chart
from practicum.evaluation.standings import Point, Standing
from practicum.gpus.selectors import Usage
from practicum.internships.models import Cohort

GIBIBYTE = 1024**3
SPARK_WIDTH, SPARK_HEIGHT = 100.0, 28.0


def progress(standing: Standing, *, cohort: Cohort) -> dict[str, Any]:
    """Scores over the cohort's weeks, with the baseline as it was measured here and the project's anchors as lines."""
    points = [_point(point) for point in standing.told_points]
    return progress_chart(standing.version, baseline=standing.baseline, cohort=cohort, points=points)


def _point(point: Point) -> dict[str, Any]:
    return {
        "number": point.number,
        "at": point.at.isoformat(),
        "label": localtime(point.at).strftime("%-d %b, %H:%M"),
        "value": point.value,
        "url": reverse("portal:submission", args=[point.submission_id]),
    }


def usage(series: Usage, *, hours: int = 24) -> dict[str, Any]:
    """Slots in use in each of the last hours, against how many there are."""
    moments = [localtime(moment) for moment in series.hours[-hours:]]
    values = series.held[-hours:]
    labels = [moment.strftime("%H:00") if hours <= 24 else moment.strftime("%a %H:00") for moment in moments]
    return {
        "kind": "usage",
        "hours": labels,
        "series": [{"label": "In use", "values": values}],
        "rows": [{"hour": label, "values": [value]} for label, value in zip(labels, values, strict=True)],
        "capacity": series.capacity,
    }


def sparkline(points: Sequence[Point], *, baseline: float | None) -> dict[str, Any] | None:
    """The points of a small line without axes, in a box of 100 by 28; None with fewer than two scores."""
    if len(points) < 2:
        return None
    values = [point.value for point in points]
    shown = values if baseline is None else [*values, baseline]
    low, high = min(shown), max(shown)

    def y(value: float) -> float:
        return round(SPARK_HEIGHT * (1 - (value - low) / (high - low)) if high > low else SPARK_HEIGHT / 2, 1)

    step = SPARK_WIDTH / (len(values) - 1)
    corners = [(round(index * step, 1), y(value)) for index, value in enumerate(values)]
    return {
        "corners": " ".join(f"{left},{top}" for left, top in corners),
        "last": corners[-1],
        "baseline": None if baseline is None else y(baseline),
    }


def run_curve(run: Run) -> dict[str, Any] | None:
    """Memory of a run's container over its seconds and, where it had one, the use of its GPU; None with under two looks."""
    memory, gpu = run.curve.get("memory", []), run.curve.get("gpu", [])
    if len(memory) + len(gpu) < 2:
        return None
    used = {int(second): (percent, size) for second, percent, size in gpu}
    held = {int(second): size for second, size in memory}
    seconds = sorted(held.keys() | used.keys())
    lines: list[dict[str, Any]] = [
        {"label": "Memory, GB", "colour": "chart-1", "points": _curve(held, divisor=GIBIBYTE)}
    ]
    if used:
        sizes = {second: size for second, (_, size) in used.items()}
        shares = {second: percent for second, (percent, _) in used.items() if percent is not None}
        lines.append({"label": "GPU memory, GB", "colour": "chart-3", "points": _curve(sizes, divisor=GIBIBYTE)})
        lines.append({"label": "GPU at work, %", "colour": "chart-2", "points": _curve(shares), "axis": "percent"})
    looks = [{int(point["x"]): point["y"] for point in line["points"]} for line in lines]
    rows = [{"second": second, "cells": [look.get(second) for look in looks]} for second in seconds]
    return {"kind": "curve", "lines": lines, "rows": rows}


def _curve(values: Mapping[int, float], *, divisor: float = 1.0) -> list[dict[str, float]]:
    return [{"x": second, "y": round(value / divisor, 2)} for second, value in sorted(values.items())]

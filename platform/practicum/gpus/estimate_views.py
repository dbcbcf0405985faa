"""The admin's page of past estimates against what happened."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.timezone import localtime
from django.views.decorators.http import require_GET

from practicum.accounts.access import PersonRequest, admins_only
from practicum.gpus.estimate_selectors import Calibration, Point, calibration
from practicum.gpus.history_rules import HOUR
from practicum.lib.clock import utc_now

DRAWN = 400
MINUTES_A_HOUR = 60


@admins_only
@require_GET
def estimates(request: PersonRequest) -> HttpResponse:
    """How often the estimates were right, and each of them against what happened."""
    past = calibration(now=utc_now())
    facts: dict[str, Any] = {"past": past, "drawn": min(len(past.points), DRAWN)}
    return render(request, "gpus/estimates.html", facts | ({"plot": _plot(past)} if past.points else {}))


def _plot(past: Calibration) -> dict[str, Any]:
    shown = past.points[:DRAWN]
    series: dict[str, dict[str, Any]] = {}
    for point in shown:
        colour = f"chart-{point.tone}" if point.tone else "muted"
        one = series.setdefault(point.name, {"label": point.name, "colour": colour, "points": []})
        one["points"].append({"x": _minutes(point, promised=True), "y": _minutes(point, promised=False)})
    return {"kind": "promises", "series": list(series.values()), "rows": [_row(point) for point in shown]}


def _minutes(point: Point, *, promised: bool) -> float:
    length = point.case.promised[1] if promised else point.case.waited
    return round(length / HOUR * MINUTES_A_HOUR, 1)


def _row(point: Point) -> dict[str, Any]:
    case = point.case
    waited = f"{_minutes(point, promised=False):.1f}"
    return {
        "at": localtime(point.made_at).strftime("%a %-d %b, %H:%M"),
        "name": point.name,
        "half": f"{case.promised[0] / HOUR * MINUTES_A_HOUR:.1f}",
        "most": f"{_minutes(point, promised=True):.1f}",
        "waited": waited if case.has_started else f"{waited}, not started",
    }

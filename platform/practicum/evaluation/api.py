"""What an intern's notebook calls: where I stand, hand in, how far is it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.utils.timezone import localdate
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from practicum.errors import Invalid, NotFound
from practicum.evaluation import selectors, services
from practicum.evaluation.findings import finding_of_point
from practicum.evaluation.selectors import Report
from practicum.evaluation.standings import standings_of
from practicum.evaluation.uploads import archive_of, check_length
from practicum.gpus.estimate_selectors import estimate_sentences
from practicum.gpus.selectors import standings_in_line
from practicum.internships.models import Internship
from practicum.internships.selectors import days_left, next_milestone
from practicum.lib.clock import utc_now
from practicum.submissions.models import Source
from practicum.submissions.services import url_of
from practicum.workspaces.models import Session
from practicum.workspaces.standing import standing_of
from practicum.workspaces.tokens import session_of

SOURCES = {source.value: source for source in (Source.TERMINAL, Source.CELL, Source.BUTTON)}
CREATED = 201
# An answer is about one person, and later there may be another: nothing between here and the notebook may keep it.
NOT_KEPT = {"Cache-Control": "private, no-store"}


@csrf_exempt
@require_safe
def status(request: HttpRequest) -> JsonResponse:
    """Where this notebook's intern stands."""
    now = utc_now()
    session = session_of(request, now)
    internship = session.internship
    gpu = standing_of(session, now=now)
    standing = standings_of([internship])[internship.pk]
    version, best = internship.version, standing.best
    finding = finding_of_point(best)
    metric = {name: version.metric[name] for name in ("name", "goal", "digits")}
    return JsonResponse(
        {
            "intern": {"username": session.user.username, "name": session.user.name},
            "project": {"slug": version.project.slug, "title": version.project.title, "version": version.number},
            "metric": metric,
            "baseline": standing.baseline,
            "best": best.value if best else None,
            "best_verdict": finding.verdict.outcome if finding and finding.verdict else None,
            "milestone": _milestone(internship),
            "days_left": days_left(internship, today=localdate()),
            "session": _session(session),
            "gpu": gpu.as_json() if gpu is not None else None,
            "submissions": _lines(selectors.reports_of(internship), now=now),
        },
        headers=NOT_KEPT,
    )


def _milestone(internship: Internship) -> dict[str, Any] | None:
    milestone = next_milestone(internship)
    return {"title": milestone.title, "due_on": milestone.due_on.isoformat()} if milestone else None


def _session(session: Session) -> dict[str, Any] | None:
    lease = session.lease
    if lease.slot is None or lease.lease_until is None:
        return None
    return {"until": lease.lease_until.isoformat(), "slot": lease.slot.label}


@csrf_exempt
@require_POST
def submit(request: HttpRequest) -> JsonResponse:
    """Hand in the zip in the field ``archive``."""
    session = session_of(request, utc_now())
    check_length(request)
    archive = archive_of(request)
    received_at = utc_now()  # its last byte is here; when its first one came decides nothing
    source = SOURCES.get(str(request.POST.get("source", Source.TERMINAL.value)))
    if source is None:
        raise Invalid(f"'source' must be one of {', '.join(SOURCES)}.", field="source")
    submission = services.hand_in(
        session.internship, archive=archive, source=source, actor=session.user, now=received_at
    )
    report = selectors.report_of(session.internship, number=submission.number)
    assert report is not None
    return JsonResponse(as_json(report), status=CREATED, headers=NOT_KEPT)


@csrf_exempt
@require_safe
def submission(request: HttpRequest, number: int) -> JsonResponse:
    """How far one submission of this notebook's internship is."""
    now = utc_now()
    session = session_of(request, now)
    report = selectors.report_of(session.internship, number=number)
    if report is None:
        raise NotFound(f"You have no submission {number}.")
    (line,) = _lines([report], now=now)
    return JsonResponse(line, headers=NOT_KEPT)


def _lines(reports: Sequence[Report], *, now: datetime) -> list[dict[str, Any]]:
    """The submissions on the wire, with where each that waits for a GPU stands in line for it."""
    leases = [report.lease for report in reports if report.lease is not None]
    places, estimates = standings_in_line(leases, now=now), estimate_sentences(leases, now=now)
    lines = []
    for report in reports:
        place = places.get(report.lease.pk) if report.lease is not None else None
        line = as_json(report)
        if place is not None:
            line |= {"place": place.place, "why": place.why, "estimate": estimates[place.request]}
        lines.append(line)
    return lines


def as_json(report: Report) -> dict[str, Any]:
    """A submission on the wire. ``why`` and ``estimate``: of one in line for a GPU, in sentences; else empty."""
    row, minutes = report.submission, report.minutes
    return {
        "number": row.number,
        "state": report.state,
        "reason": report.reason,
        "score": report.score,
        "difference": report.difference,
        "url": url_of(row),
        "received_at": row.received_at.isoformat(),
        "place": report.place,
        "why": "",
        "estimate": "",
        "gpu_minutes": round(minutes.gpu, 2) if minutes else None,
        "processor_minutes": round(minutes.processor, 2) if minutes and minutes.processor is not None else None,
        **(report.finding.as_json() if report.finding else {"interval": None, "seeds": 1, "verdict": None}),
    }

"""The admin's page of what became of the slots over time, and its exports."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET

from practicum.accounts.access import PersonRequest, admins_only
from practicum.errors import Invalid
from practicum.gpus import history_drawing as drawing
from practicum.gpus import history_export as export
from practicum.gpus.history import History, UseBucket, history_of, measured_use
from practicum.gpus.history_forms import HistoryForm
from practicum.lib.clock import utc_now

PEOPLE_SHOWN = 20


@admins_only
@require_GET
def history(request: PersonRequest) -> HttpResponse:
    """Timeline, held against used, waiting, waste and guarantees of the chosen window."""
    form = HistoryForm.of(request.GET)
    is_valid = form.is_valid()
    past, _ = _past(form)
    facts: dict[str, Any] = {
        "form": form,
        "past": past,
        "window": past.choice.window,
        "earlier": form.back_by + 1,
        "later": form.back_by - 1 if form.back_by else None,
        "columns": export.COLUMNS,
    }
    if past.leases:
        facts |= {
            "marks": drawing.marks_of(past.choice.window),
            "lanes": drawing.lanes_of(past),
            "held_plot": drawing.held_plot(past),
            "waiting_plot": drawing.waiting_plot(past),
            "people": past.people[:PEOPLE_SHOWN],
            "more_people": max(len(past.people) - PEOPLE_SHOWN, 0),
        }
    return render(request, "gpus/history.html", facts, status=200 if is_valid else 400)


@admins_only
@require_GET
def history_csv(request: PersonRequest) -> HttpResponseBase:
    """The leases of the chosen window as CSV."""
    past, use = _checked(request)
    return _attachment(export.csv_lines(past, use=use), past=past, ending="csv", kind="text/csv; charset=utf-8")


@admins_only
@require_GET
def history_json(request: PersonRequest) -> HttpResponseBase:
    """The chosen window as JSON."""
    past, use = _checked(request)
    return _attachment(export.json_pieces(past, use=use), past=past, ending="json", kind="application/json")


def _checked(request: PersonRequest) -> tuple[History, list[UseBucket]]:
    form = HistoryForm.of(request.GET)
    if not form.is_valid():
        raise Invalid(next(str(errors[0]) for errors in form.errors.values()))
    return _past(form)


def _past(form: HistoryForm) -> tuple[History, list[UseBucket]]:
    choice = form.choice(now=utc_now())
    use = measured_use(choice.window)
    return history_of(choice, use=use), use


def _attachment(pieces: Any, *, past: History, ending: str, kind: str) -> StreamingHttpResponse:
    window = past.choice.window
    name = f"practicum-gpus-{window.name}-to-{window.end:%Y-%m-%d}.{ending}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(pieces, content_type=kind, headers=headers)

"""The pages that say who did what, and who may do what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms
from django.http import HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from practicum.accounts.access import PersonRequest, admins_only, signed_in
from practicum.audit.services import record
from practicum.errors import Invalid
from practicum.lib.clock import utc_now
from practicum.portal import permissions, records
from practicum.portal.records import Wanted

ROWS_A_PAGE = 100


class RecordFilter(forms.Form):
    """What the record is narrowed down to."""

    text = forms.CharField(label="Words in it", max_length=100, required=False)
    actor = forms.CharField(
        label="Who (username)", max_length=31, required=False, help_text="practicum: the platform itself"
    )
    area = forms.ChoiceField(label="About", required=False)
    first = forms.DateField(label="From", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    last = forms.DateField(label="To", required=False, widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, asked: QueryDict) -> None:
        super().__init__(asked)
        choices = [("", "Everything"), *((name, name.replace("_", " ")) for name in records.areas())]
        self.fields["area"].choices = choices  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Raises: ValidationError: the last day is before the first."""
        asked = super().clean() or {}
        first, last = asked.get("first"), asked.get("last")
        if first and last and last < first:
            self.add_error("last", "This is before the first day.")
        return asked

    @property
    def wanted(self) -> Wanted:
        """What is asked for; what can't be understood narrows nothing."""
        self.is_valid()
        return Wanted(**{name: value for name, value in self.cleaned_data.items() if value})


@admins_only
@require_safe
def record_page(request: PersonRequest) -> HttpResponse:
    """The record, newest first, a page at a time; ``before`` is the number of the last one seen."""
    narrowing = RecordFilter(request.GET)
    rows = records.records(narrowing.wanted)
    before = request.GET.get("before", "")
    if before.isdecimal() and len(before) < 19:
        rows = rows.filter(pk__lt=int(before))
    found = list(rows[: ROWS_A_PAGE + 1])
    shown = found[:ROWS_A_PAGE]
    facts = {
        "narrowing": narrowing,
        "lines": [(row, records.page_of(row)) for row in shown],
        "further": shown[-1].pk if len(found) > ROWS_A_PAGE else None,
        "is_first": not before,
        "is_narrowed": any(request.GET.get(name) for name in narrowing.fields),
    }
    return render(request, "portal/record.html", facts, status=400 if narrowing.errors else 200)


@admins_only
@require_safe
def record_csv(request: PersonRequest) -> StreamingHttpResponse:
    """All that the filter finds, as CSV."""
    return _taken_away(request, kind="csv", content_type="text/csv; charset=utf-8")


@admins_only
@require_safe
def record_json(request: PersonRequest) -> StreamingHttpResponse:
    """The same as JSON, one record on each line."""
    return _taken_away(request, kind="jsonl", content_type="application/jsonl; charset=utf-8")


def _taken_away(request: PersonRequest, *, kind: str, content_type: str) -> StreamingHttpResponse:
    """The file; that it was taken away is on record itself.

    Raises:
        Invalid: the filter can't be understood: a file of everything would not be what was asked for.
    """
    narrowing = RecordFilter(request.GET)
    if not narrowing.is_valid():
        raise Invalid(next(str(errors[0]) for errors in narrowing.errors.values()))
    now, wanted = utc_now(), narrowing.wanted
    asked = {name: str(value) for name, value in narrowing.cleaned_data.items() if value}
    record("record.exported", subject=request.user, actor=request.user, now=now, kind=kind, **asked)
    lines: Iterator[str] = records.csv_lines(wanted) if kind == "csv" else records.json_lines(wanted)
    headers = {"Content-Disposition": f'attachment; filename="record-{now:%Y-%m-%d}.{kind}"'}
    return StreamingHttpResponse(lines, content_type=content_type, headers=headers)


@signed_in
@require_safe
def permissions_page(request: PersonRequest) -> HttpResponse:
    """Who may do what, in one table."""
    return render(request, "portal/permissions.html", {"areas": permissions.AREAS, "words": permissions.WORDS})

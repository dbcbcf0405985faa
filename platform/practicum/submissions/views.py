"""The files of a submission as downloads, and two submissions that read alike.

Nothing an intern wrote is ever shown as a page of the site's own.
"""

from __future__ import annotations

from django.http import FileResponse, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from practicum.accounts.access import PersonRequest, signed_in, staff_only
from practicum.submissions import selectors

SANDBOX = "sandbox; default-src 'none'"


@signed_in
@require_safe
def file(request: PersonRequest, submission_id: int, path: str) -> FileResponse:
    """One file, always as an attachment of no particular type."""
    held = selectors.file_for(request.user, submission_id=submission_id, path=path)
    response = FileResponse(
        held.path.open("rb"), as_attachment=True, filename=held.name, content_type="application/octet-stream"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = SANDBOX
    return response


@staff_only
@require_safe
def likeness(request: PersonRequest, likeness_id: int) -> HttpResponse:
    """Two submissions that read alike, side by side, for a mentor of either."""
    facts = {"likeness": selectors.likeness_for(request.user, likeness_id=likeness_id)}
    return render(request, "submissions/likeness.html", facts)

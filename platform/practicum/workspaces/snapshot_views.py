"""An intern's snapshots: the list, one as a download, and putting one back. Nobody else sees them: a home is private."""

from __future__ import annotations

from django.contrib import messages
from django.http import FileResponse, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST, require_safe

from practicum.accounts.access import PersonRequest, interns_only
from practicum.lib.clock import utc_now
from practicum.workspaces import restorations, selectors

SANDBOX = "sandbox; default-src 'none'"


@interns_only
@require_GET
def listed(request: PersonRequest) -> HttpResponse:
    """When each was made, why, and what it holds."""
    context = {
        "snapshots": selectors.snapshots_of(request.user),
        "restoration": selectors.latest_restoration_of(request.user),
        "session": selectors.open_session_of(request.user),
    }
    return render(request, "workspaces/snapshots.html", context)


@interns_only
@require_safe
def archive(request: PersonRequest, snapshot_id: int) -> FileResponse:
    """The files, always as an attachment of no particular type."""
    held = selectors.archive_for(request.user, snapshot_id=snapshot_id)
    response = FileResponse(
        held.path.open("rb"), as_attachment=True, filename=held.name, content_type="application/octet-stream"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = SANDBOX
    response.headers["Cache-Control"] = "private, no-store"
    return response


@interns_only
@require_POST
def restore(request: PersonRequest, snapshot_id: int) -> HttpResponse:
    """Have it unpacked beside what is there."""
    restorations.ask_to_restore(request.user, snapshot_id=snapshot_id, now=utc_now())
    messages.success(request, "The snapshot is unpacked beside your files, into a folder of its own.")
    return redirect("workspaces:snapshots")

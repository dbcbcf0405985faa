"""A line in the log, and a count, for each request that sends fields its form or API does not have.

They change nothing; whoever sends them tries something, or talks to another version of this site. The line has the names
only, never what was in them: few, short, and made of nothing but the characters that names are made of.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils.datastructures import MultiValueDict

from practicum.config.logs import route_of
from practicum.lib import counting, sent_fields

# Django's own, whether or not somebody has to look at it.
OF_EVERY_FORM = "csrfmiddlewaretoken"
MOST_NAMES, MOST_CHARACTERS = 20, 60
# Of anything else, such as a whole document sent for a name, only the length is said.
NAME = re.compile(rf"[A-Za-z0-9_.\-\[\]]{{1,{MOST_CHARACTERS}}}")

log = logging.getLogger("practicum.request")


class _Noting:
    """Of a dictionary of many values: notes what is looked up in it."""

    def __getitem__(self, name: str) -> Any:
        sent_fields.note_known(name)
        return super().__getitem__(name)  # type: ignore[misc]

    def __contains__(self, name: object) -> bool:
        sent_fields.note_known(str(name))
        return bool(super().__contains__(name))  # type: ignore[misc]

    def getlist(self, name: str, default: Any = None) -> Any:
        """The values of a field."""
        sent_fields.note_known(name)
        return super().getlist(name, default)  # type: ignore[misc]

    def lists(self) -> Iterator[Any]:
        """All of it: a protocol's endpoint (OAuth 2.0, SAML) hands it on to its library."""
        sent_fields.note_undecided()
        return super().lists()  # type: ignore[misc, no-any-return]


class Posted(_Noting, QueryDict):
    """``request.POST``."""


class Files(_Noting, MultiValueDict[str, Any]):
    """``request.FILES``."""


class UnknownFieldsMiddleware:
    """Tell of fields that nothing looked up. The innermost: what it sees is what the view did."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer as the view does."""
        with sent_fields.noted() as found:
            _note_when_read(request)
            response = self.get_response(request)
            if unknown := found.unknown - {OF_EVERY_FORM}:
                _tell(request, unknown)
        return response

    def process_view(self, request: HttpRequest, view: Any, _args: Any, _kwargs: Any) -> None:
        """See what a form without fields is sent too. A form was read before, for its token; whatever comes with a token of
        its own is left for the view to read, or not to.
        """
        if request.content_type == "application/x-www-form-urlencoded" and not getattr(view, "csrf_exempt", False):
            _ = request.POST

    def process_exception(self, _request: HttpRequest, _exception: Exception) -> None:
        """Who was refused half-way sent fields that would still have been looked up."""
        sent_fields.note_undecided()


def _note_when_read(request: HttpRequest) -> None:
    """Put our dictionaries in place of Django's as soon as somebody has the request's form read; not before."""
    load = request._load_post_and_files

    def loading() -> None:
        load()
        posted, files = Posted("", mutable=True, encoding=request.POST.encoding), Files()
        for name, values in request.POST.lists():
            posted.setlist(name, values)
        for name, uploaded in request.FILES.lists():
            files.setlist(name, uploaded)
        posted._mutable = False
        sent_fields.note_sent([*posted, *files])
        request.POST, request._files = posted, files  # type: ignore[assignment, attr-defined]

    request._load_post_and_files = loading  # type: ignore[method-assign]


def _tell(request: HttpRequest, unknown: set[str]) -> None:
    route, names = route_of(request), [_readable(name) for name in sorted(unknown)[:MOST_NAMES]]
    person = getattr(request, "_cached_user", None)
    user = getattr(person, "pk", None)
    facts = {"method": request.method, "route": route, "user": user, "unknown_fields": names, "count": len(unknown)}
    counting.UNKNOWN_FIELDS.labels(route).inc()
    said = (request.method, route, len(unknown), ", ".join(names), user or "nobody")
    log.warning("%s %s ignored %s fields it does not have: %s, user %s", *said, extra={"facts": facts})


def _readable(name: str) -> str:
    return name if NAME.fullmatch(name) else f"({len(name)} characters that are no name)"

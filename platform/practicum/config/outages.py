"""What people and programs are answered while the database is away or the disk is full.

503, with what to do and when to come back. What was sent by a form stands on the page, to be sent again; nothing of it was
stored. The log has one line when it begins and one when it is over, not a traceback for each request.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.views.defaults import server_error

from practicum.errors import Fault, Refused
from practicum.lib.faults import Ground, ground_of
from practicum.portal import health

log = logging.getLogger("practicum.outage")

RETRY_SECONDS = 10
LONG = 40
# Never written into a page, whoever sent it.
SECRETS = ("password", "token", "secret", "code", "key")


class Away(Fault):
    """The ground is away; ``ground`` says which."""

    def __init__(self, ground: Ground) -> None:
        super().__init__(SAID[ground], retry_after_seconds=RETRY_SECONDS)
        self.code = f"{ground}_away"


SAID = {
    Ground.DATABASE: "The site can't reach its database just now.",
    Ground.DISK: "The site's disk is full just now.",
}


@dataclass(frozen=True)
class Field:
    """What one field of a form held; a long text is shown, to be copied."""

    name: str
    value: str

    @property
    def is_long(self) -> bool:
        """Somebody wrote it, rather than chose it."""
        return len(self.value) > LONG or "\n" in self.value


class Outages:
    """What is away as this process knows it; each is said once."""

    def __init__(self) -> None:
        self.known: set[Ground] = set()
        self.lock = threading.Lock()

    def met(self, ground: Ground, fault: BaseException | None) -> None:
        """Somebody was answered that it is away."""
        with self.lock:
            is_new = ground not in self.known
            self.known.add(ground)
        if is_new:
            log.error("%s: away (%s)", ground, " ".join(str(fault).split()), extra={"facts": {"ground": str(ground)}})

    def look_again(self) -> None:
        """After an answer that was well: whether what was away is back."""
        for ground in list(self.known):
            if ANSWERS[ground]():
                with self.lock:
                    was_known = ground in self.known
                    self.known.discard(ground)
                if was_known:
                    log.warning("%s: answers again", ground, extra={"facts": {"ground": str(ground)}})


ANSWERS: dict[Ground, Callable[[], bool]] = {
    Ground.DATABASE: health.database_answers,
    Ground.DISK: health.disk_has_room,
}
outages = Outages()


class OutageMiddleware:
    """Answer a view that met an outage; the innermost, so that nothing else asks the database about that request again."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer as the view does."""
        response = self.get_response(request)
        if outages.known and response.status_code < 500:
            outages.look_again()
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer an outage; leave everything else to Django."""
        ground = None if isinstance(exception, Refused) else ground_of(exception)
        return None if ground is None else answer(request, ground=ground, fault=exception)


def failed(request: HttpRequest) -> HttpResponse:
    """``handler500``: what no view answered for; an outage that a middleware met is one here too."""
    fault = sys.exc_info()[1]
    ground = ground_of(fault)
    return server_error(request) if ground is None else answer(request, ground=ground, fault=fault)


def answer(request: HttpRequest, *, ground: Ground, fault: BaseException | None) -> HttpResponse:
    """The page, or JSON under ``/api/``. The database is not asked for it."""
    outages.met(ground, fault)
    response: HttpResponse
    error = Away(ground)
    if request.path.startswith("/api/"):
        body = {"error": {"code": error.code, "message": error.message, **error.facts}}
        response = JsonResponse(body, status=error.status)
    else:
        fields = sent_by(request)
        facts = {
            "error": error,
            "fields": fields,
            "path": request.get_full_path(),
            "was_sent": request.method == "POST",
        }
        response = HttpResponse(render_to_string("outage.html", facts, _bare(request)), status=error.status)
    response.headers["Retry-After"] = str(RETRY_SECONDS)
    response.headers["Cache-Control"] = "private, no-store"
    response._has_been_logged = True  # type: ignore[attr-defined]  # the log says it once, above
    return response


def sent_by(request: HttpRequest) -> list[Field]:
    """What the form held, to be sent again; nothing where a part of it is secret or can't be read."""
    if request.method != "POST":
        return []
    try:
        sent: Iterable[tuple[str, list[str]]] = list(request.POST.lists())
    except Exception:  # whatever broke the reading broke the answer before
        return []
    fields = [Field(name, str(value)) for name, values in sent for value in values if name != "csrfmiddlewaretoken"]
    return [] if any(secret in field.name.lower() for field in fields for secret in SECRETS) else fields


def _bare(request: HttpRequest) -> HttpRequest:
    """The request as one of nobody: no middleware asks who it is of, or keeps what the view changed of the session."""
    request.user = AnonymousUser()
    session = getattr(request, "session", None)
    if session is not None:
        session.modified = session.accessed = False
    return request

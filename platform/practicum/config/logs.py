"""Lines of the log: for people, or one JSON object each for whatever collects them (``PRACTICUM_LOG_FORMAT``).

Every request ends in one line: its id, its person's number, the *pattern* of its address, status, milliseconds. The address
itself is never written, for some hold a secret: an invitation, a calendar feed, the way out of a mail. The id is in the
answer too (``X-Request-ID``), so that what somebody saw can be found.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

from django.http import HttpRequest, HttpResponse

from practicum.lib import counting
from practicum.lib.logcontext import about, known

HEADER = "X-Request-ID"
# A proxy's id is kept where it can't be mistaken for anything else.
ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
UNREADABLE = re.compile(r"(Invalid request from ip=\S+):", re.DOTALL)
# Asked every few seconds by whoever watches; they say nothing of people.
QUIET = frozenset({"health", "health/live", "health/ready", "metrics"})

log = logging.getLogger("practicum.request")


class Ids(logging.Filter):
    """Puts what is known of a line's matter onto it: ``ids`` by name, and ``suffix`` as words for people.

    In Django's own lines about a request that failed, the pattern stands in place of the address.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Every line passes."""
        ids = dict(known())
        vars(record).update(ids=ids, suffix="".join(f" {name}={value}" for name, value in ids.items()))
        request = getattr(record, "request", None)
        if isinstance(request, HttpRequest) and isinstance(record.args, tuple):
            addresses = (request.path, request.get_full_path())
            record.args = tuple(route_of(request) if arg in addresses else arg for arg in record.args)
        return True


class Outages(logging.Filter):
    """Leaves out Django's traceback of a request that found the database away or the disk full: ``config.outages`` says that
    once.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Every other line passes."""
        # Only here: logging is set up before Django's database is there to be imported.
        from practicum.lib.faults import ground_of

        return not (record.exc_info and ground_of(record.exc_info[1]))


class WithoutRequest(logging.Filter):
    """Takes the request out of gunicorn's line about one that it can't read: a cookie or a token may stand in it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Every line passes."""
        said = record.getMessage()
        if found := UNREADABLE.match(said):
            record.msg, record.args = f"{found[1]}: it can't be read", ()
        return True


class JsonFormatter(logging.Formatter):
    """A line as one JSON object: ``at``, ``level``, ``logger``, ``message``, the ids, and ``exception`` where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """The object, on one line."""
        line = {
            "at": datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "ids", {}),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class RequestLogMiddleware:
    """Give each request an id, known to every line written while it is answered, and write the line it ends in."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer, with the id in a header."""
        given, began = request.headers.get(HEADER, ""), time.monotonic()
        request_id = given if ID.fullmatch(given) else uuid4().hex
        with about(request=request_id):
            response = self.get_response(request)
            response.headers[HEADER] = request_id
            _say(request, response, seconds=time.monotonic() - began)
        return response


def _say(request: HttpRequest, response: HttpResponse, *, seconds: float) -> None:
    route = route_of(request)
    counting.REQUESTS.labels(route, str(response.status_code)).observe(seconds)
    if route.strip("/") in QUIET:
        return
    # Only whoever was looked up already: a page for everybody must not begin to ask who reads it.
    person = getattr(request, "_cached_user", None)
    facts = {
        "method": request.method,
        "route": route,
        "status": response.status_code,
        "ms": round(seconds * 1000, 1),
        "user": getattr(person, "pk", None),
    }
    user = facts["user"] or "nobody"
    said = (facts["method"], facts["route"], facts["status"], facts["ms"], user)
    log.info("%s %s %s in %s ms, user %s", *said, extra={"facts": facts})


def route_of(request: HttpRequest) -> str:
    """The pattern of the address."""
    return f"/{request.resolver_match.route}" if request.resolver_match else "(no such address)"

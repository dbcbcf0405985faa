"""Lines of hub and agent: for people, or one JSON object each (``PRACTICUM_LOG_FORMAT``), with the ids that they belong to.

The fields are named as in the site's lines: ``at``, ``level``, ``logger``, ``message``, ``request``, ``user``, ``session``,
``lease``, ``exception``. A request's line has the path of its address without the query, where tokens and codes stand.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

LINE, JSON = "line", "json"
FORMATS = (LINE, JSON)
PLAIN = "%(levelname)s %(name)s: %(message)s%(suffix)s"
# The hub's addresses hold people's names, and in two places a token.
SECRET_PATH = re.compile(r"(/api/authorizations/(?:token|cookie)(?:/[^/]+)?/)[^/?]+$")
REQUEST_ID = re.compile(r"[\w.-]{8,64}")
# Whatever writes an address into a message or a traceback: the values of its query are left out.
QUERY = re.compile(r"(?<=[?&])([\w.~%-]{1,64}=)[^\s&\"'<>)\]]+")
CREDENTIALS = re.compile(r"(?i)\b(bearer|token|basic)(\s+)[\w.~+/=-]{16,}")

# JupyterHub says for which session it made a cookie.
COOKIE = re.compile(r"(?i)\b(cookie for )b?'[^']*'")

_ids: ContextVar[Mapping[str, str] | None] = ContextVar("practicum_hub.logs", default=None)


def ids() -> dict[str, str]:
    """What a line written here belongs to."""
    return dict(_ids.get() or {})


@contextmanager
def belonging_to(**more: object) -> Iterator[None]:
    """Lines written inside, and by tasks begun inside, belong to these too; nothing is said of what is empty."""
    held = ids() | {name: str(value) for name, value in more.items() if value}
    token = _ids.set(held)
    try:
        yield
    finally:
        _ids.reset(token)


def without_secrets(text: str) -> str:
    """The text without the values in an address's query, without what follows ``Bearer``, and without the ids of sessions."""
    return COOKIE.sub(r"\1[secret]", CREDENTIALS.sub(r"\1\2[secret]", QUERY.sub(r"\1[secret]", text)))


class Ids(logging.Filter):
    """Puts the ids onto each line, and takes secrets out of it: libraries write addresses into messages and tracebacks."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Every line passes."""
        held = ids()
        record.ids, record.suffix = held, "".join(f" {name}={value}" for name, value in held.items())
        record.msg, record.args = without_secrets(record.getMessage()), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = without_secrets("".join(traceback.format_exception(*record.exc_info)).rstrip())
        return True


class JsonFormatter(logging.Formatter):
    """One object a line."""

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__()

    def format(self, record: logging.LogRecord) -> str:
        """The object."""
        said: dict[str, Any] = {
            "at": f"{datetime.fromtimestamp(record.created, tz=UTC):%Y-%m-%dT%H:%M:%S}.{int(record.msecs):03d}+00:00",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        said |= getattr(record, "ids", {}) | getattr(record, "facts", {})
        if record.exc_info:
            said["exception"] = record.exc_text or self.formatException(record.exc_info)
        return json.dumps(said, ensure_ascii=False, default=str)


def logging_of_hub(style: str) -> dict[str, Any]:
    """JupyterHub's ``logging_config``: its own words for people, or ours; lines of this package go the same way."""
    own = {"formatters": {"console": {"class": f"{__name__}.JsonFormatter"}}} if style == JSON else {}
    return own | {
        "filters": {"ids": {"()": f"{__name__}.Ids"}},
        "handlers": {"console": {"filters": ["ids"], "level": "INFO"}},
        "root": {"handlers": ["console"], "level": "INFO"},
        "loggers": {"httpx": {"level": "WARNING"}, "alembic": {"level": "WARNING"}},
    }


def log_to_stderr(style: str) -> None:
    """The agent's lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(Ids())
    handler.setFormatter(JsonFormatter() if style == JSON else logging.Formatter(PLAIN))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("httpx").setLevel(logging.WARNING)


def log_request(handler: Any) -> None:
    """Tornado's ``log_function``: the line a request of the hub ends in, and the hub's own measure of it."""
    from jupyterhub.metrics import prometheus_log_method
    from tornado.log import access_log

    request, status = handler.request, handler.get_status()
    facts = facts_of(
        method=request.method, uri=request.uri, status=status, seconds=request.request_time(),
        user=_name_of(handler), request_id=request.headers.get("X-Request-ID", ""),
    )  # fmt: skip
    said = (facts["method"], facts["route"], status, facts["ms"], facts.get("user", "nobody"))
    access_log.log(_level(status, facts["route"]), "%s %s %s in %s ms, user %s", *said, extra={"facts": facts})
    prometheus_log_method(handler)


def facts_of(*, method: str, uri: str, status: int, seconds: float, user: str, request_id: str) -> dict[str, Any]:
    """What is said of a request; an id that could be anything else is not."""
    known = {"request": request_id if REQUEST_ID.fullmatch(request_id) else "", "user": user}
    return {
        "method": method,
        "route": SECRET_PATH.sub(r"\1[secret]", urlsplit(uri).path),
        "status": status,
        "ms": round(seconds * 1000, 1),
        **{name: value for name, value in known.items() if value},
    }


def _level(status: int, route: str) -> int:
    if status >= 500:
        return logging.ERROR
    if status >= 400:
        return logging.WARNING
    # Asked every few seconds by whoever watches, and every file of a page.
    is_quiet = status == 304 or route.endswith(("/health", "/metrics")) or "/static/" in route
    return logging.DEBUG if is_quiet else logging.INFO


def _name_of(handler: Any) -> str:
    try:
        person = handler.current_user
    except Exception:  # it can't be told any more whose it was
        return ""
    return str(getattr(person, "name", person) or "")

"""Lines of the log: whose they are, in words and as JSON, and never an address that holds a secret."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.conf import settings as site_settings
from django.test import Client

from practicum.accounts import unsubscribing
from practicum.config import logs
from practicum.lib.logcontext import about, known

SECRET = "5ecre7" * 6


@pytest.fixture
def lines() -> Iterator[StringIO]:
    """What the site's own handler would write as JSON."""
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(logs.Ids())
    handler.setFormatter(logs.JsonFormatter())
    logger, level = logging.getLogger("practicum"), logs.log.level
    logger.addHandler(handler)
    logs.log.setLevel(logging.INFO)
    yield stream
    logger.removeHandler(handler)
    logs.log.setLevel(level)


def written(lines: StringIO) -> list[dict[str, Any]]:
    """The lines as objects."""
    return [json.loads(line) for line in lines.getvalue().splitlines()]


def test_ids_hold_inside_and_end_with_it() -> None:
    with about(request="r1", user=None):
        with about(lease="l1", run=7):
            assert known() == {"request": "r1", "lease": "l1", "run": "7"}
        assert known() == {"request": "r1"}
    assert known() == {}


def test_a_line_for_people_ends_with_the_ids() -> None:
    record = logging.LogRecord("practicum.x", logging.WARNING, "", 0, "it %s", ("failed",), None)
    with about(run=7):
        logs.Ids().filter(record)
    assert logging.Formatter(site_settings.LOGGING["formatters"]["line"]["format"]).format(record) == (
        "WARNING practicum.x: it failed run=7"
    )


def test_a_line_for_programs_is_one_object_with_the_traceback_in_it(lines: StringIO) -> None:
    with about(lease="l1"):
        try:
            raise ValueError("two\nlines")
        except ValueError:
            logging.getLogger("practicum.gpus").exception("it failed: %s", "ä")
    (line,) = written(lines)
    assert (line["level"], line["logger"], line["message"], line["lease"]) == (
        "error",
        "practicum.gpus",
        "it failed: ä",
        "l1",
    )
    assert "ValueError: two\nlines" in line["exception"]
    assert line["at"].endswith("+00:00")


def test_a_request_ends_in_one_line_with_its_person_and_its_id(intern: Any, lines: StringIO) -> None:
    client = Client()
    client.force_login(intern)
    answer = client.get("/projects/digits/?page=2")
    (line,) = written(lines)
    assert line["request"] == answer.headers["X-Request-ID"]
    assert (line["method"], line["route"], line["status"]) == ("GET", "/projects/<slug:slug>/", answer.status_code)
    assert line["user"] == intern.pk
    assert line["ms"] > 0


@pytest.mark.parametrize(
    "path",
    [
        f"/join/{SECRET}/",
        f"/unsubscribe/{SECRET}/",
        f"/reservations/feed/{SECRET}.ics",
        f"/nowhere/{SECRET}/",
        f"/sign-in/?x={SECRET}",
    ],
)
def test_no_secret_of_an_address_is_written(db: None, path: str, lines: StringIO) -> None:
    Client().get(path)
    assert len(written(lines)) >= 1
    assert SECRET not in lines.getvalue()


def test_an_error_on_such_an_address_is_written_with_its_pattern(
    db: None, lines: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(unsubscribing, "leaving_of", fail)
    handler = logging.getLogger("practicum").handlers[-1]
    logging.getLogger("django.request").addHandler(handler)
    try:
        assert Client(raise_request_exception=False).get(f"/unsubscribe/{SECRET}/").status_code == 500
    finally:
        logging.getLogger("django.request").removeHandler(handler)
    error = next(line for line in written(lines) if line["logger"] == "django.request")
    assert error["message"] == "Internal Server Error: /unsubscribe/<str:ticket>/"
    assert "RuntimeError: unforeseen" in error["exception"]
    assert SECRET not in lines.getvalue()


def test_nobody_is_looked_up_for_the_log(db: None, lines: StringIO) -> None:
    Client().get("/certificates/revoked/")
    assert written(lines)[-1]["user"] is None


@pytest.mark.parametrize(
    ("given", "is_kept"),
    [("proxy-1234.a", True), ("short", False), ("a b c d e f g", False), ("x" * 65, False), ("", False)],
)
def test_a_proxys_id_is_kept_where_it_is_one(given: str, is_kept: bool, db: None) -> None:
    answer = Client().get("/sign-in/", headers={"X-Request-ID": given})
    assert (answer.headers["X-Request-ID"] == given) is is_kept


def test_who_watches_is_not_written_down(db: None, lines: StringIO) -> None:
    Client().get("/health/")
    assert written(lines) == []

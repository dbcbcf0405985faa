"""Fields that a form or an API does not have: one line in the log, with their names, and a count."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from practicum.lib import sent_fields
from practicum.lib.counting import REGISTRY
from practicum.lib.payload import Payload
from tests.unit.config.test_permissions import callers, things

FORM = "application/x-www-form-urlencoded"
__all__ = ["callers", "things"]


def told(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """The lines about unknown fields."""
    return [record for record in caplog.records if "unknown_fields" in getattr(record, "facts", {})]


def counted() -> float:
    """The requests that were counted, of whatever route."""
    rows = [
        row for metric in REGISTRY.collect() for row in metric.samples if row.name == "practicum_unknown_fields_total"
    ]
    return sum(row.value for row in rows)


@pytest.fixture
def signed_in(intern: Any, client: Client) -> Client:
    """A browser of the intern's."""
    client.force_login(intern)
    return client


def test_the_line_has_names_route_person_and_request_and_no_value(
    signed_in: Client, intern: Any, caplog: pytest.LogCaptureFixture
) -> None:
    before = counted()
    answer = signed_in.post(
        reverse("accounts:account"),
        {"form": "name", "name": "Ada", "is_staff": "planted-value", "role": "admin", "csrfmiddlewaretoken": "x"},
        headers={"X-Request-ID": "tried-by-hand"},
    )
    assert answer.status_code == 302
    (line,) = told(caplog)
    facts = line.facts  # type: ignore[attr-defined]
    assert facts["unknown_fields"] == ["is_staff", "role"]
    assert (facts["user"], facts["count"], facts["method"]) == (intern.pk, 2, "POST")
    assert facts["route"].strip("/") == reverse("accounts:account").strip("/")
    assert line.ids["request"] == "tried-by-hand"  # type: ignore[attr-defined]
    assert "planted-value" not in caplog.text
    assert counted() == before + 1


def test_what_the_form_has_is_no_line_whether_or_not_it_is_valid(
    signed_in: Client, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("Ada", ""):
        signed_in.post(reverse("accounts:account"), {"form": "name", "name": name})
    assert told(caplog) == []


def test_the_line_is_short_and_on_one_line_whatever_the_names_are(
    signed_in: Client, caplog: pytest.LogCaptureFixture
) -> None:
    forged = {"a\nforged line": "1", "\x1b[31mred": "1", "{" + '"password": "planted"}': "1", "x" * 5000: "1"}
    for more in (forged, {f"field-{n}": "1" for n in range(500)}):
        body = urlencode({"form": "name", "name": "Ada", **more})
        signed_in.post(reverse("accounts:account"), body, content_type=FORM)
    first, second = told(caplog)
    assert first.getMessage().count("characters that are no name") == 4
    assert all(sign not in first.getMessage() for sign in ("\n", "\x1b", "planted", "xxx"))
    assert second.facts["count"] == 500  # type: ignore[attr-defined]
    assert len(second.facts["unknown_fields"]) == 20  # type: ignore[attr-defined]
    assert len(second.getMessage()) < 500


def test_a_file_that_nobody_asked_for_is_told_too(signed_in: Client, caplog: pytest.LogCaptureFixture) -> None:
    signed_in.post(
        reverse("accounts:account"), {"form": "name", "name": "Ada", "avatar": SimpleUploadedFile("a", b"1")}
    )
    signed_in.post(reverse("accounts:account"), {"form": "name", "name": "Ada"})
    assert [line.facts["unknown_fields"] for line in told(caplog)] == [["avatar"]]  # type: ignore[attr-defined]


def test_a_button_without_fields_is_told_of_those_it_is_sent(
    signed_in: Client, caplog: pytest.LogCaptureFixture
) -> None:
    signed_in.post(reverse("accounts:read_all_notices"), "user=2", content_type=FORM)
    assert [line.facts["unknown_fields"] for line in told(caplog)] == [["user"]]  # type: ignore[attr-defined]


def test_whoever_is_led_to_signing_in_sent_nothing_unknown(
    client: Client, caplog: pytest.LogCaptureFixture, db: None
) -> None:
    """A session that ended while somebody wrote is no attack."""
    assert client.post(reverse("accounts:account"), {"form": "name", "name": "Ada"}).status_code == 302
    assert told(caplog) == []


def test_an_api_is_no_other(
    things: dict[str, Any], callers: dict[str, Client], caplog: pytest.LogCaptureFixture
) -> None:
    facts = {"kernels": 1, "terminals": 0, "busy_kernels": 1, "cpu_seconds": 2.5, "last_execution_at": None}
    for body in (facts, {**facts, "user": "2"}):
        answer = callers["workspace"].post(reverse("workspaces:activity"), body, content_type="application/json")
        assert answer.status_code == 200
    assert [line.facts["unknown_fields"] for line in told(caplog)] == [["user"]]  # type: ignore[attr-defined]


def test_what_is_in_an_object_of_an_object_is_told_by_its_way() -> None:
    with sent_fields.noted() as found:
        payload = Payload.of({"gpus": [{"uuid": "a", "owner": "2"}], "score": 1})
        (gpu,) = payload.objects("gpus", at_most=1)
        gpu.text("uuid", max_length=10)
    assert found.unknown == {"score", "gpus.owner"}

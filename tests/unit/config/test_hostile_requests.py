"""Requests that nobody's browser makes, on every address of the permission matrix: fields that no form has, ids that no select
offers, forms from elsewhere, methods in disguise, tokens in the address.

Each is held against what the database has afterwards, row by row.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from django.apps import apps
from django.core.management.color import no_style
from django.core.signals import request_finished
from django.db import close_old_connections, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import get_resolver, resolve, reverse

from practicum.accounts.models import User
from practicum.audit.models import Record
from tests.unit.config.test_permissions import COLUMNS, MATRIX, _candidates, address_of
from tests.unit.config.test_permissions import callers as callers
from tests.unit.config.test_permissions import things as things

FORM = "application/x-www-form-urlencoded"
PEOPLE = ("intern", "mentor", "admin")
# No form has a field of these names for somebody else's good; each names a column of some row.
HOSTILE = {
    "is_staff": "1", "is_superuser": "1", "is_active": "1", "role": "admin", "user": "1", "user_id": "1", "owner": "1",
    "intern": "1", "intern_id": "1", "mentor_id": "1", "author": "1", "author_id": "1", "cohort": "1", "cohort_id": "1",
    "internship": "1", "internship_id": "1", "state": "accepted", "status": "scored", "score": "1.0", "value": "1.0",
    "shown_value": "1.0", "metrics": '{"accuracy": 1.0}', "fault": "", "tries": "0", "token": "9", "digest": "f" * 64,
    "number": "99", "received_at": "2020-01-01", "made_by": "1", "decided_by": "1", "id": "1", "pk": "1",
}  # fmt: skip
# Answers of whoever is not let in, or broke off half-way: what else it would have looked up is not known.
REFUSED = (400, 403, 404, 405, 409, 429)
# Programs send this one, with fields of their own; it looks at none.
UNREAD = {"accounts:unsubscribe"}
# What every request may write: who is signed in, how often somebody tried.
BESIDE = {"sessions.Session"}
# What differs between two tries of the same: when it was, and random names and words.
CHANCE = re.compile(
    r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?(\+\d\d:\d\d)?|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}|[0-9a-f]{64}|\w+\$\S{40,}"
)


def rows() -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, without what is chance in it."""
    tables = [model for model in apps.get_models() if model._meta.label not in BESIDE]
    return {model._meta.label: sorted(_plain(row) for row in model._base_manager.values_list()) for model in tables}


def _plain(row: Iterable[Any]) -> tuple[str, ...]:
    return tuple(CHANCE.sub("", str(value)) for value in row)


def _request(client: Client, method: str, address: str, *args: Any, **more: Any) -> Any:
    """One answer; its end is not the end of the test's connection."""
    answer = getattr(client, method)(address, *args, **more)
    request_finished.disconnect(close_old_connections)  # not before: the client connects it again
    answer.close()
    request_finished.connect(close_old_connections)
    return answer


@dataclass
class Form:
    """A form of a page: where it is sent, what its fields hold, and what each select offers."""

    action: str
    method: str
    fields: dict[str, list[str]] = field(default_factory=dict)
    selects: dict[str, list[str]] = field(default_factory=dict)
    has_file: bool = False


class Forms(HTMLParser):
    """The forms of a page, filled in as somebody in a hurry does."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path, self.forms, self.select, self.area = path, list[Form](), "", ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action") or self.path, given.get("method", "get").lower()))
        if not self.forms or "disabled" in given:
            return
        form, name = self.forms[-1], given.get("name", "")
        if tag == "input" and name and name != "csrfmiddlewaretoken":
            self._input(form, given)
        elif tag == "textarea" and name:
            form.fields[name] = ["A sentence."]
        elif tag == "select" and name:
            self.select = name
            form.selects[name], form.fields[name] = [], []
        elif tag == "option" and self.select:
            form.selects[self.select].append(given.get("value", ""))
            if "selected" in given or (given.get("value") and not form.fields[self.select]):
                form.fields[self.select] = [given.get("value", "")]
        elif tag == "button" and name:
            form.fields.setdefault(name, [given.get("value", "")])

    def _input(self, form: Form, given: dict[str, str]) -> None:
        kind, name = given.get("type", "text"), given["name"]
        if kind == "file":
            form.has_file = True
        elif kind in ("checkbox", "radio"):
            if "checked" in given or name not in form.fields:
                form.fields[name] = [given.get("value", "on")]
        else:
            typed = {
                "number": "1",
                "email": "new@example.org",
                "date": "2026-04-10",
                "datetime-local": "2026-04-10T10:00",
            }
            form.fields[name] = [given.get("value") or typed.get(kind, "Something")]

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self.select = ""


def pages_of(things: dict[str, Any]) -> list[str]:
    """Every address that can be asked for."""
    return sorted({address_of(view, things=things) for view in MATRIX if not view.startswith("oauth2_provider:")})


@pytest.fixture
def forms(things: dict[str, Any], callers: dict[str, Client]) -> list[tuple[str, Form]]:
    """Every form that is sent by POST, of every page, with who sees it; of several alike, one."""
    found: dict[str, tuple[str, Form]] = {}
    for person in PEOPLE:
        for path in pages_of(things):
            answer = _request(callers[person], "get", path)
            if answer.status_code != 200 or "text/html" not in answer.headers.get("Content-Type", ""):
                continue
            parser = Forms(path)
            parser.feed(answer.content.decode())
            for form in parser.forms:
                if (
                    form.method == "post"
                    and not form.has_file
                    and urlsplit(form.action).path != reverse("accounts:sign_out")
                ):
                    found.setdefault(f"{person} {form.action} {sorted(form.fields)}", (person, form))
    return list(found.values())


def sent(client: Client, form: Form, **more: Any) -> tuple[int, dict[str, list[tuple[Any, ...]]]]:
    """The status of the answer, and every row afterwards; all that it changed is undone."""
    kept, body = client.cookies.copy(), urlencode({**form.fields, **more}, doseq=True)
    with transaction.atomic(), connection.cursor() as cursor:
        # The numbers that an undone try took are given again: PostgreSQL would go on behind them.
        for statement in connection.ops.sequence_reset_sql(no_style(), apps.get_models()):
            cursor.execute(statement)
        status = _request(client, "post", form.action, body, content_type=FORM).status_code
        after = rows()
        transaction.set_rollback(True)
    client.cookies = kept
    return status, after


@pytest.mark.slow
def test_what_a_form_does_not_have_changes_nothing_and_what_a_select_does_not_offer_is_not_taken(
    forms: list[tuple[str, Form]], callers: dict[str, Client], caplog: pytest.LogCaptureFixture
) -> None:
    before, taken, refused, told, silent = rows(), 0, 0, 0, set()
    for person, form in forms:
        _, as_sent = sent(callers[person], form)
        assert ignored(caplog) == [], f"{person}: {form.action} itself sends what it does not have"
        hostile = {name: value for name, value in HOSTILE.items() if name not in form.fields}
        status, with_more = sent(callers[person], form, **hostile)
        assert with_more == as_sent, f"{person}: {form.action}"
        lines = ignored(caplog)
        if lines != [len(hostile)] and status not in REFUSED and as_sent != before:
            silent.add(resolve(urlsplit(form.action).path).view_name)
        taken, told = taken + (as_sent != before), told + len(lines)
        for name, value in foreign_to(form):
            status, after = sent(callers[person], form, **{name: value})
            assert (status in (400, 404, 409), after == before) == (True, True), (
                f"{person}: {form.action} {name}={value}"
            )
            refused += 1
    assert taken >= 30, f"only {taken} forms did anything at all: they are filled in too little"
    assert refused >= 20
    assert told >= 40, f"only {told} lines in the log"
    assert silent <= UNREAD


def ignored(caplog: pytest.LogCaptureFixture) -> list[int]:
    """How many unknown fields each line of the log tells of, since it was last asked."""
    facts = [getattr(record, "facts", {}) for record in caplog.records]
    caplog.clear()
    return [told["count"] for told in facts if "unknown_fields" in told]


@pytest.mark.slow
@pytest.mark.parametrize("who", ["intern", "outsider", "hub", "workspace"])
def test_an_address_without_a_form_takes_no_more_from_what_it_is_sent(
    who: str, things: dict[str, Any], callers: dict[str, Client]
) -> None:
    before = rows()
    for view in MATRIX:
        if not view.startswith("oauth2_provider:"):
            form = Form(address_of(view, things=things), "post")
            status, with_more = sent(callers[who], form, **HOSTILE)
            assert with_more == before or with_more == sent(callers[who], form)[1], view
            assert status < 500, view


def foreign_to(form: Form) -> Iterator[tuple[str, str]]:
    """Some values for each of its selects that it does not offer: other people, what is not there, what is no id."""
    people = [str(value) for pair in User.objects.values_list("pk", "username") for value in pair]
    for name, offered in form.selects.items():
        foreign = [value for value in [*people, "999999", "../x"] if value not in offered]
        yield from ((name, value) for value in foreign[:: max(1, len(foreign) // 2)])


def with_csrf(client: Client) -> Client:
    """The same person with a browser whose requests come from elsewhere."""
    strict = Client(enforce_csrf_checks=True, raise_request_exception=False)
    strict.cookies = client.cookies.copy()
    return strict


# The bearer's token, or the ticket in the address, says who asks; no cookie does, so that no foreign page can make use of one.
BY_TOKEN = {
    "accounts:unsubscribe",
    "evaluation:submit",
    "gpus:report",
    "workspaces:activity",
    "workspaces:claim",
    "workspaces:event",
    "workspaces:help_notebook",
    "workspaces:help_over",
    "workspaces:move",
}


def test_a_form_from_elsewhere_is_refused_wherever_something_is_changed(
    things: dict[str, Any], callers: dict[str, Client]
) -> None:
    before, by_cookie = rows(), [view for view in MATRIX if view not in BY_TOKEN and not view.startswith("oauth2_")]
    for view in by_cookie:
        address = address_of(view, things=things)
        answers = {person: _request(with_csrf(callers[person]), "post", address).status_code for person in PEOPLE}
        # What there is for nobody of that role is not there, before anything else is looked at.
        refused = {403} | {int(code) for code in MATRIX[view][1].split() if code in ("404", "405")}
        assert set(answers.values()) <= refused, f"{view}: {answers}"
    assert rows() == before
    assert len(by_cookie) > 100


# Whoever takes data away by a GET is on record, as is until when a mentor read in a notebook they were let into; a certificate is
# signed when it is asked for first, the same for everybody.
ON_RECORD = {"audit.Record", "credentials.SignedDocument", "credentials.IssuerKey", "workspaces.HelpRequest"}
DISGUISE = ("X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method")


@pytest.mark.slow
def test_looking_at_every_page_changes_no_row_in_whatever_disguise(
    things: dict[str, Any], callers: dict[str, Client]
) -> None:
    before = rows()
    for view in MATRIX:
        if view.startswith("oauth2_provider:"):
            continue
        address = address_of(view, things=things)
        for column in ("workspace", *PEOPLE):
            plain = _request(callers[column], "get", address)
            if column == "mentor" or set(MATRIX[view][1].split()) <= {"405", "302"}:
                continue
            headers = dict.fromkeys(DISGUISE, "DELETE" if column == "admin" else "POST")
            disguised = _request(callers[column], "get", f"{address}?_method=POST", headers=headers)
            assert disguised.status_code == plain.status_code, view
    after = rows()
    assert {name: after[name] for name in after.keys() - ON_RECORD} == {
        name: before[name] for name in before.keys() - ON_RECORD
    }
    verbs = set(Record.objects.values_list("verb", flat=True)) - {row[3] for row in before["audit.Record"]}
    assert all(verb.endswith((".exported", "signed")) or verb.startswith("issuer_key.") for verb in verbs), verbs


def test_no_address_takes_a_token_in_the_query(things: dict[str, Any], callers: dict[str, Client]) -> None:
    from django.conf import settings

    tokens = {"workspace": things["workspace_token"], "hub": settings.PRACTICUM_HUB_SITE_TOKEN}
    before, asked = rows(), 0
    for view, (got, posted) in MATRIX.items():
        if view.startswith("oauth2_provider:"):
            continue
        for method, row in (("get", got), ("post", posted)):
            statuses = dict(zip(COLUMNS, row.split(), strict=True))
            for holder, token in tokens.items():
                if statuses[holder] == statuses["outsider"]:
                    continue
                for name in ("token", "access_token", "api_token", "bearer", "Authorization"):
                    address = f"{address_of(view, things=things)}?{name}={token}"
                    answer = _request(callers["outsider"], method, address)
                    assert answer.status_code == int(statuses["outsider"]) == 401, f"{method} {view} ?{name}"
                    asked += 1
    assert rows() == before
    assert asked >= 40


# --- What is not there and what is somebody else's -----------------------------------------------------------------

NUMBERS = ("submission_id", "internship_id", "session_id", "snapshot_id", "certificate_id", "notice_id", "comment_id",
           "application_id", "reservation_id", "plan_id", "change_id", "likeness_id", "lease_id", "request_id")  # fmt: skip


def missing(value: Any) -> Any:
    """An id of the same kind that nothing has."""
    return 987_654 if isinstance(value, int) else type(value)(int=7)


def ways() -> Iterator[tuple[str, str]]:
    """Addresses with the number of a thing, by view and the name of that number."""
    get_resolver()
    for view in MATRIX:
        if not view.startswith("oauth2_provider:"):
            for names in _candidates(view):
                yield from ((view, name) for name in names if name in NUMBERS)


WAYS = sorted(set(ways()))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_foreign_thing_and_none_at_all_look_the_same_and_cost_the_same(
    method: str, things: dict[str, Any], callers: dict[str, Client]
) -> None:
    compared = 0
    for view, name in WAYS:
        row = dict(zip(COLUMNS, MATRIX[view][method == "post"].split(), strict=True))
        foreign = address_of(view, things=things)
        none = address_of(view, things={**things, name: missing(things[name])})
        assert resolve(none).view_name == view
        for column in ("peer", "stranger", "other_mentor"):
            if row[column] != "404":
                continue
            seen = []
            for address in (foreign, none):
                with CaptureQueriesContext(
                    connection,
                ) as queries:
                    answer = _request(callers[column], method, address)
                seen.append((answer.status_code, _anonymous(answer.content.decode()), len(queries)))
            assert seen[0][:2] == seen[1][:2], f"{method} {view} as {column}"
            # The class of time: a look-up more or less, never the work on the thing itself.
            assert abs(seen[0][2] - seen[1][2]) <= 2, (
                f"{method} {view} as {column}: {seen[0][2]} and {seen[1][2]} queries"
            )
            compared += 1
    assert compared >= 60


def _anonymous(page: str) -> str:
    return re.sub(r'value="[A-Za-z0-9]{64}"', "", page)


def test_a_tab_kept_open_shows_nothing_more_once_the_internship_has_another_mentor(
    things: dict[str, Any], callers: dict[str, Client], internship: Any, other_mentor: Any
) -> None:
    ways_in = ["portal:internship", "portal:submission", "portal:file", "reviews:notebook", "internships:record"]
    addresses = [address_of(view, things=things) for view in ways_in if view in MATRIX]
    assert len(addresses) >= 3
    assert [_request(callers["mentor"], "get", address).status_code for address in addresses] == [200] * len(addresses)

    internship.mentor = other_mentor
    internship.save()

    before = rows()
    for view, name in WAYS:
        if name not in ("submission_id", "internship_id"):
            continue
        for method in ("get", "post"):
            row = dict(zip(COLUMNS, MATRIX[view][method == "post"].split(), strict=True))
            if row["other_mentor"] != "404" or row["mentor"] == "404":
                continue
            status = _request(callers["mentor"], method, address_of(view, things=things)).status_code
            assert status == 404, f"{method} {view}"
    assert rows() == before
    assert [_request(callers["mentor"], "get", address).status_code for address in addresses] == [404] * len(addresses)
    assert [_request(callers["other_mentor"], "get", address).status_code for address in addresses] == [200] * len(
        addresses
    )

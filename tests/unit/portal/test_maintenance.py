"""Planned maintenance: who announces it, who reads it, from when to when."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core import mail as mail_of
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from practicum.accounts import sending
from practicum.accounts.kinds import BY_SLUG
from practicum.accounts.models import Channel, MailWay, Notice, NoticeChoice
from practicum.audit.models import Record
from practicum.errors import Conflict, Invalid
from practicum.evaluation.models import Run
from practicum.gpus.models import Lease
from practicum.portal import maintenance
from practicum.portal.maintenance import announce, planned, withdraw
from practicum.workspaces.models import Session

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SAID = "Notebooks go on. Hand in before six."


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch, now: datetime, data_dir: Path) -> dict[str, datetime]:
    """What time it is for pages."""
    data_dir.mkdir(exist_ok=True)
    time = {"now": now}
    for room in ("context", "views", "maintenance_views"):
        monkeypatch.setattr(f"practicum.portal.{room}.utc_now", lambda: time["now"])
    monkeypatch.setattr("practicum.portal.standing.hub_answers", lambda: True)
    return time


def announced(admin: Any, now: datetime, *, begins: timedelta = 3 * DAY, lasts: timedelta = 2 * HOUR) -> None:
    """One that begins then."""
    announce(starts_at=now + begins, ends_at=now + begins + lasts, message=SAID, actor=admin, now=now)


@pytest.mark.parametrize(
    ("after", "is_told", "is_going_on"),
    [
        (DAY - HOUR, False, False),
        (DAY, True, False),
        (3 * DAY, True, True),
        (3 * DAY + 2 * HOUR - timedelta(seconds=1), True, True),
        (3 * DAY + 2 * HOUR, False, False),
    ],
)
def test_every_page_tells_it_from_two_days_before_until_it_is_over(
    admin: Any, intern: Any, client_of: Any, now: datetime, clock: dict[str, datetime], after: timedelta,
    is_told: bool, is_going_on: bool,
) -> None:  # fmt: skip
    announced(admin, now)
    clock["now"] = now + after
    for client, path in ((client_of(intern), "/account/"), (Client(), "/sign-in/")):
        page = client.get(path).content.decode()
        assert ("data-maintenance" in page) is is_told
        assert (SAID in page) is is_told
        assert ("Maintenance is going on" in page) is is_going_on


def test_the_status_page_tells_it_from_the_start_and_once(
    admin: Any, intern: Any, client_of: Any, now: datetime, clock: dict[str, datetime]
) -> None:
    announced(admin, now)
    for after in (timedelta(0), 2 * DAY):
        clock["now"] = now + after
        assert client_of(intern).get("/status/").content.decode().count(SAID) == 1


def test_it_costs_a_page_no_query(admin: Any, intern: Any, client_of: Any, now: datetime) -> None:
    client = client_of(intern)
    counts = []
    for _ in range(2):
        client.get("/account/")
        with CaptureQueriesContext(connection) as queries:
            client.get("/account/")
        counts.append(len(queries))
        announced(admin, now, begins=DAY)
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    ("begins", "lasts", "field"),
    [
        (DAY, timedelta(0), "ends_at"),
        (DAY, -HOUR, "ends_at"),
        (-DAY, HOUR, "ends_at"),
        (DAY, 8 * DAY, "ends_at"),
        (61 * DAY, HOUR, "starts_at"),
    ],
)
def test_what_can_not_be_is_refused(admin: Any, now: datetime, begins: timedelta, lasts: timedelta, field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        announced(admin, now, begins=begins, lasts=lasts)
    assert refusal.value.facts["field"] == field
    assert planned(now=now) is None
    assert not Record.objects.filter(verb="maintenance.announced").exists()


def test_a_new_one_takes_the_place_of_the_old_and_both_are_in_the_record(admin: Any, now: datetime) -> None:
    announced(admin, now)
    announced(admin, now, begins=DAY)
    found = planned(now=now)
    assert found is not None
    assert found.starts_at == now + DAY
    assert (
        list(Record.objects.filter(verb__startswith="maintenance").values_list("verb", "actor__username"))
        == [("maintenance.announced", "ada")] * 2
    )


def test_taken_back_it_is_told_nobody(admin: Any, now: datetime) -> None:
    announced(admin, now)
    withdraw(actor=admin, now=now)
    assert planned(now=now) is None
    with pytest.raises(Conflict):
        withdraw(actor=admin, now=now)


@pytest.mark.parametrize(
    "held", ["", "{", "[]", '{"starts_at": "soon"}', '{"starts_at": 1, "ends_at": 2, "message": ""}']
)
def test_a_file_that_can_not_be_read_announces_nothing(data_dir: Path, now: datetime, held: str) -> None:
    (data_dir / maintenance.FILE).write_text(held)
    assert planned(now=now) is None


def test_an_admin_announces_it_on_a_page_in_the_sites_time(
    admin: Any, client_of: Any, now: datetime, settings: Any
) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    client = client_of(admin)
    assert "Europe/Berlin" in client.get("/status/maintenance/").content.decode()
    sent = {"starts_at": "2026-03-20T18:00", "ends_at": "2026-03-20T19:30", "message": SAID}
    assert client.post("/status/maintenance/", sent).status_code == 302
    found = planned(now=now)
    assert found is not None
    assert found.starts_at.isoformat() == "2026-03-20T18:00:00+01:00"
    page = client.get("/status/maintenance/").content.decode()
    assert "Friday 20 March, 18:00" in page
    assert client.post("/status/maintenance/withdraw/").status_code == 302
    assert planned(now=now) is None


def test_what_is_refused_stands_on_its_field(admin: Any, client_of: Any) -> None:
    sent = {"starts_at": "2026-03-20T18:00", "ends_at": "2026-03-20T17:30", "message": "<b>x</b>"}
    answer = client_of(admin).post("/status/maintenance/", sent)
    assert answer.status_code == 400
    assert "It has to end after it begins." in answer.content.decode()


def test_what_an_admin_writes_is_text_and_no_markup(admin: Any, intern: Any, client_of: Any, now: datetime) -> None:
    announce(starts_at=now + HOUR, ends_at=now + DAY, message="<script>x</script>", actor=admin, now=now)
    page = client_of(intern).get("/account/").content.decode()
    assert "<script>x" not in page
    assert "&lt;script&gt;x" in page


# --- Whoever is at work is told at once ----------------------------------------------------------------------------


@pytest.fixture
def at_work(
    intern: Any, peer: Any, internship: Any, peer_internship: Any, hand_in: Any, now: datetime, settings: Any
) -> None:
    """Mira has a notebook in line, otto a run; the site has a mail server."""
    settings.EMAIL_HOST, settings.DEFAULT_FROM_EMAIL = "mail.example.org", "site@example.org"
    lease = Lease.objects.create(user=intern, state="queued", duration=HOUR, requested_at=now)
    Session.objects.create(
        user=intern, internship=internship, lease=lease, state="queued", deadline=now + HOUR, requested_at=now
    )
    hand_in(peer_internship, number=1, state="queued")


def told(kind: str) -> list[tuple[str, bool]]:
    """Who was told, and whether by mail."""
    found = Notice.objects.filter(kind=f"maintenance.{kind}").order_by("user__username")
    return [(notice.user.username, notice.deliveries.filter(channel=Channel.MAIL).exists()) for notice in found]


def test_who_has_a_notebook_or_work_under_way_is_told_at_once_and_nobody_else(
    at_work: None,
    admin: Any,
    intern: Any,
    peer: Any,
    stranger: Any,
    stranger_internship: Any,
    hand_in: Any,
    now: datetime,
) -> None:
    hand_in(stranger_internship, number=1, state="scored", value=0.9)
    announced(admin, now)
    assert told("announced") == sorted([(intern.username, True), (peer.username, True)])
    notice = Notice.objects.get(user=intern)
    assert SAID in notice.body
    assert re.fullmatch(r"Maintenance from \w+ \d\d \w+, \d\d:\d\d to \d\d:\d\d \(.+\)", notice.subject)
    announced(admin, now)
    assert len(told("announced")) == 2, "the same is not told twice"


def test_it_comes_as_each_of_them_chose(at_work: None, admin: Any, intern: Any, peer: Any, now: datetime) -> None:
    kind = BY_SLUG["maintenance"]
    NoticeChoice.objects.create(user=peer, kind=kind.slug, mail=MailWay.OFF)
    announced(admin, now)
    assert told("announced") == sorted([(intern.username, True), (peer.username, False)])
    assert sending.send_waiting(now, channel=Channel.MAIL, clock=lambda: now)
    assert [mail.to for mail in mail_of.outbox] == [[intern.email]]
    assert SAID in mail_of.outbox[0].body


def test_whoever_was_told_is_told_when_it_is_put_off_or_taken_back(
    at_work: None, admin: Any, intern: Any, peer: Any, now: datetime
) -> None:
    announced(admin, now)
    Run.objects.update(state="scored")
    announced(admin, now, begins=4 * DAY)
    assert len(told("withdrawn")) == 2
    assert [name for name, _ in told("announced")].count(peer.username) == 1
    withdraw(actor=admin, now=now)
    assert [name for name, _ in told("withdrawn")].count(intern.username) == 2
    announced(admin, now + HOUR, begins=4 * DAY - HOUR)
    assert [name for name, _ in told("announced")].count(intern.username) == 3, "announced again, it is news again"

"""What each role finds at home, and that it costs the same number of queries for few rows as for many."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from practicum.accounts.models import User
from practicum.gpus.inventory import pool_of
from practicum.gpus.models import Lease, PoolKind, Server, Slot
from practicum.internships.models import Internship, Milestone
from practicum.portal.selectors import _last_seen
from practicum.reviews.models import Review
from practicum.submissions.models import Submission
from practicum.workspaces.models import Session
from practicum.workspaces.services import open_notebook


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch, now: Any) -> None:
    """The pages are read at ``now``; the hub does not answer."""

    def refuse(url: str, *, timeout: float, verify: Any) -> Any:
        raise httpx.ConnectError("nobody there")

    monkeypatch.setattr("practicum.portal.views.utc_now", lambda: now)
    monkeypatch.setattr("practicum.portal.views.localdate", lambda: now.date())
    monkeypatch.setattr("practicum.portal.health.httpx.get", refuse)


def page(client: Client, path: str = "/") -> str:
    response = client.get(path)
    assert response.status_code == 200
    return response.content.decode()


def queries_of(client: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        page(client, path)
    return len(queries)


def crowd(internship: Any, *, count: int, hand_in: Any) -> None:
    """``count`` more internships like this one, each with a scored submission and a milestone."""
    for index in range(count):
        name = f"more-{Internship.objects.count()}-{index}"
        person = User.objects.create(username=name, email=f"{name}@example.org", name=name.title())
        row = Internship.objects.create(
            intern=person,
            mentor=internship.mentor,
            cohort=internship.cohort,
            version=internship.version,
            started_on=internship.started_on,
        )
        Milestone.objects.create(internship=row, position=1, title="First", due_on=internship.started_on)
        hand_in(row, number=1, value=0.5)
        hand_in(row, number=2, value=0.6)


def test_an_outsider_is_asked_to_sign_in(client: Client, db: None) -> None:
    assert client.get("/").headers["Location"] == "/sign-in/?next=/"


def test_an_intern_without_an_internship_is_told_what_comes(client_of: Any, intern: Any) -> None:
    assert "You are not in a project yet" in page(client_of(intern))


def test_an_intern_finds_project_week_score_and_milestone(client_of: Any, internship: Any, hand_in: Any) -> None:
    hand_in(None, number=1, version=internship.version, value=0.85)
    hand_in(internship, number=1, value=0.9)

    text = page(client_of(internship.intern))

    assert "week 3 of 8 · 39 days left" in " ".join(text.split())
    assert "0.900" in text
    assert "+0.050" in text
    assert "Better than the baseline" in text
    assert "Was due Sun 8 Mar" in text
    assert "Open notebook" in text


def test_the_home_says_when_the_best_score_may_be_chance(client_of: Any, internship: Any, hand_in: Any) -> None:
    hand_in(None, number=1, version=internship.version, value=0.85)
    hand_in(internship, number=1, value=0.86)

    text = page(client_of(internship.intern))

    assert "Not distinguishable from the baseline, 0.850" in text
    assert "Better than the baseline" not in text


def test_an_intern_with_nothing_handed_in_is_told_how(client_of: Any, internship: Any) -> None:
    text = page(client_of(internship.intern))

    assert "Nothing handed in yet" in text
    assert "practicum submit" in text


def test_feedback_stands_on_the_home(client_of: Any, internship: Any, hand_in: Any, now: Any) -> None:
    submission = hand_in(internship, number=1, value=0.9)
    Review.objects.create(
        submission=submission,
        mentor=internship.mentor,
        state="changes",
        summary="Give the <b>spread</b>.",
        opened_at=now,
        decided_at=now,
    )

    text = page(client_of(internship.intern))

    assert "Changes asked for" in text
    assert "Give the &lt;b&gt;spread&lt;/b&gt;." in text


def test_a_finished_internship_looks_back(client_of: Any, internship: Any, now: Any) -> None:
    internship.state, internship.completed_at = "completed", now
    internship.save()

    text = page(client_of(internship.intern))

    assert "Look back at what you did" in text
    assert "Open notebook" not in text


def test_a_mentor_finds_only_their_interns(client_of: Any, internship: Any, stranger_internship: Any) -> None:
    text = page(client_of(internship.mentor))

    assert "Ines Intern" in text
    assert "Stan Stranger" not in text


def test_a_mentor_s_home_costs_the_same_for_many(client_of: Any, internship: Any, hand_in: Any) -> None:
    client = client_of(internship.mentor)
    crowd(internship, count=2, hand_in=hand_in)
    few = queries_of(client, "/")
    crowd(internship, count=18, hand_in=hand_in)

    assert queries_of(client, "/") == few


def test_when_interns_were_last_seen_takes_two_questions_and_the_latest_sign_counts(
    internship: Any, peer_internship: Any, stranger_internship: Any, now: Any, hand_in: Any
) -> None:
    hand_in(internship, number=1, value=0.5)
    hand_in(peer_internship, number=1, value=0.5)
    handed_in = Submission.objects.get(internship=internship).received_at
    hours = {name: handed_in + timedelta(hours=count) for name, count in (("active_at", 1), ("committed_at", 2))}
    open_notebook(internship.intern, now=handed_in)
    Session.objects.update(**hours)
    with CaptureQueriesContext(connection) as queries:
        seen = _last_seen([internship, peer_internship, stranger_internship])
    assert len(queries) == 2
    assert seen[internship.pk] == handed_in + timedelta(hours=2)
    assert seen[peer_internship.pk] == Submission.objects.get(internship=peer_internship).received_at
    assert stranger_internship.pk not in seen


def test_an_intern_s_home_costs_the_same_for_many(client_of: Any, internship: Any, hand_in: Any) -> None:
    client = client_of(internship.intern)
    hand_in(internship, number=1, value=0.5)
    hand_in(internship, number=2, value=0.5)
    few = queries_of(client, "/")
    for number in range(3, 21):
        hand_in(internship, number=number, value=0.5 + number / 50)  # each a new best, so each has a finding

    assert queries_of(client, "/") == few


def test_an_admin_finds_what_is_busy_and_what_is_silent(
    client_of: Any, admin: Any, internship: Any, now: Any, hand_in: Any
) -> None:
    server = Server.objects.create(name="one", seen_at=now - timedelta(hours=1))
    slots = [
        Slot.objects.create(
            server=server,
            pool=pool_of(name="H100", kind=PoolKind.GPU),
            kind="gpu",
            index=i,
            uuid=f"GPU-{i}",
            model="H100",
        )
        for i in range(3)
    ]
    Lease.objects.create(
        user=internship.intern,
        slot=slots[0],
        state="active",
        duration=timedelta(hours=1),
        requested_at=now,
        granted_at=now,
        lease_until=now + timedelta(hours=1),
    )
    hand_in(internship, number=1, state="failed", finished_at=now - timedelta(hours=2))
    hand_in(internship, number=2, state="failed", finished_at=now - timedelta(hours=30))

    response = client_of(admin).get("/")

    counts = response.context["counts"]
    assert (counts.in_use, counts.free, counts.slots, counts.runs_failed) == (1, 2, 3, 1)
    assert [part.is_well for part in response.context["parts"]] == [False, False, False]
    assert "internship started" in response.content.decode()


@pytest.mark.parametrize("path", ["/", "/people/?cohort=spring"])
def test_an_admin_s_pages_cost_the_same_for_many(
    client_of: Any, admin: Any, internship: Any, hand_in: Any, path: str
) -> None:
    client = client_of(admin)
    crowd(internship, count=2, hand_in=hand_in)
    few = queries_of(client, path)
    crowd(internship, count=18, hand_in=hand_in)

    assert queries_of(client, path) == few


def test_people_come_fifty_at_a_time(client_of: Any, admin: Any, internship: Any, hand_in: Any) -> None:
    crowd(internship, count=55, hand_in=hand_in)

    text = page(client_of(admin), "/people/?cohort=spring")

    assert "1 to 50 of 56" in text
    assert "page=2" in text


@pytest.mark.parametrize(
    ("who", "status"),
    [("intern", 200), ("peer", 404), ("stranger", 404), ("mentor", 200), ("other_mentor", 404), ("admin", 200)],
)
def test_who_sees_an_internship(
    request: pytest.FixtureRequest, client_of: Any, internship: Any, who: str, status: int
) -> None:
    client = client_of(request.getfixturevalue(who))

    assert client.get(f"/internships/{internship.pk}/").status_code == status


@pytest.mark.parametrize(("who", "status"), [("intern", 404), ("mentor", 404), ("admin", 200)])
def test_only_admins_see_all_people(request: pytest.FixtureRequest, client_of: Any, who: str, status: int) -> None:
    assert client_of(request.getfixturevalue(who)).get("/people/").status_code == status


def test_an_internship_s_page_costs_the_same_for_many(client_of: Any, internship: Any, hand_in: Any) -> None:
    client, path = client_of(internship.mentor), f"/internships/{internship.pk}/"
    hand_in(internship, number=1, value=0.5)
    hand_in(internship, number=2, value=0.5)
    few = queries_of(client, path)
    for number in range(3, 21):
        hand_in(internship, number=number, value=0.6)

    assert queries_of(client, path) == few


@pytest.mark.parametrize(("engine", "told"), [("local", True), ("docker", False)])
def test_without_isolation_every_page_says_so(client: Client, db: None, settings: Any, engine: str, told: bool) -> None:
    settings.PRACTICUM_ENGINE = engine

    assert ("without isolation" in page(client, "/sign-in/")) is told


def test_health_says_how_long_the_worker_is_silent(client: Client, db: None, data_dir: Path, now: Any) -> None:
    assert client.get("/health/").json() == {
        "status": "ok", "database": "ok", "worker": None, "failing": []
    }  # fmt: skip

    heartbeat = data_dir / "worker.heartbeat"
    heartbeat.touch()
    os.utime(heartbeat, times=((now - timedelta(seconds=4)).timestamp(),) * 2)

    assert client.get("/health/").json() == {"status": "ok", "database": "ok", "worker": 4.0, "failing": []}


def test_health_fails_without_a_database(client: Client, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("practicum.portal.health.database_answers", lambda: False)

    assert client.get("/health/").status_code == 503

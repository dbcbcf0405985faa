"""A cohort's news in a chat: once a day at most, what was chosen, nothing an intern may not read."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError

from practicum.accounts.webhooks import UnfitAddress
from practicum.audit.models import Record
from practicum.digests import rules, sending, tasks
from practicum.digests.models import CohortPost, CohortWebhook
from practicum.digests.rules import Line, Section
from practicum.digests.services import NotPosted, Telling, send_test, set_webhook
from practicum.errors import Forbidden, Invalid
from practicum.evaluation.models import Leaderboard, Score
from practicum.internships.models import Application, Milestone
from tests.unit.accounts.servers import HookSink, serving
from tests.unit.portal.conftest import hand_in

__all__ = ["hand_in"]
MORNING = datetime(2026, 3, 18, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)
OK = b"HTTP/1.1 200 OK\r\n\r\n"
ALL = Telling(8, tells_reviews=True, tells_board=True, tells_milestones=True, tells_applications=True)


@pytest.fixture(autouse=True)
def clock(settings: Any) -> None:
    """The site's clock is UTC."""
    settings.TIME_ZONE = "UTC"


def saved(
    admin: Any, *, cohort: Any, now: Any, url: str = "https://hooks.example.org/x", telling: Telling = ALL
) -> Any:
    return set_webhook(admin, cohort=cohort, url=url, telling=telling, now=now)


def told(webhook: CohortWebhook, *, now: Any) -> str:
    """What would be posted."""
    tasks.make_post(webhook, now=now)
    return CohortPost.objects.get(webhook=webhook, day=now.date()).body


def test_what_is_new_is_posted_once_a_day(admin: Any, internship: Any, hand_in: Any) -> None:
    hand_in(internship, number=1, value=0.9)
    with serving(HookSink, answer=OK) as (port, taken):
        saved(admin, cohort=internship.cohort, now=MORNING, url=f"http://127.0.0.1:{port}/services/T/B/secret")
        tasks.step(MORNING - timedelta(minutes=1))
        assert taken == []
        for hours in range(16):
            tasks.step(MORNING + timedelta(hours=hours))
    [(first, headers, body)] = taken
    assert first == "POST /services/T/B/secret HTTP/1.1"
    assert headers["content-type"] == "application/json"
    assert list(json.loads(body)) == ["text"]
    assert "Ines Intern, submission #1, for 18 days" in json.loads(body)["text"]
    assert CohortPost.objects.get().body == ""


def test_where_there_is_nothing_nothing_is_posted(admin: Any, internship: Any) -> None:
    with serving(HookSink, answer=OK) as (port, taken):
        saved(admin, cohort=internship.cohort, now=MORNING, url=f"http://127.0.0.1:{port}/")
        tasks.step(MORNING)
    assert taken == []
    assert CohortPost.objects.get().state == "nothing"


def test_the_database_takes_one_a_webhook_and_day(admin: Any, cohort: Any) -> None:
    webhook = saved(admin, cohort=cohort, now=MORNING)
    facts = {"webhook": webhook, "day": MORNING.date(), "made_at": MORNING, "next_try_at": MORNING}
    CohortPost.objects.create(**facts)
    with pytest.raises(IntegrityError):
        CohortPost.objects.create(**facts)


def test_a_second_worker_makes_none(admin: Any, cohort: Any) -> None:
    webhook = saved(admin, cohort=cohort, now=MORNING)
    assert tasks.make_post(webhook, now=MORNING)
    assert not tasks.make_post(webhook, now=MORNING)


def test_one_that_may_have_arrived_is_not_posted_again(
    admin: Any, internship: Any, hand_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_in(internship, number=1, value=0.9)
    saved(admin, cohort=internship.cohort, now=MORNING)
    posted: list[str] = []

    def dying(body: bytes, *, url: str) -> None:
        posted.append(url)
        raise KeyboardInterrupt

    monkeypatch.setattr(sending.webhooks, "post_json", dying)
    with pytest.raises(KeyboardInterrupt):
        tasks.step(MORNING)
    for hours in range(12):
        tasks.step(MORNING + timedelta(hours=hours))
    assert len(posted) == 1
    assert CohortPost.objects.get().last_error == sending.UNKNOWN_END


def test_it_leads_nowhere_inside(admin: Any, internship: Any, hand_in: Any, settings: Any) -> None:
    settings.PRACTICUM_WEBHOOK_NETWORKS = ()
    hand_in(internship, number=1, value=0.9)
    with serving(HookSink, answer=OK) as (port, taken):
        webhook = saved(admin, cohort=internship.cohort, now=MORNING, url=f"http://127.0.0.1:{port}/")
        with pytest.raises(NotPosted, match="public internet"):
            send_test(admin, webhook=webhook, now=MORNING)
        tasks.step(MORNING)
    assert taken == []
    assert "public internet" in CohortPost.objects.get().last_error


@pytest.mark.parametrize("url", ["ftp://example.org/", "https://a:b@example.org/", "nothing", "https://exa mple.org/"])
def test_an_address_that_can_not_be_used_is_refused(admin: Any, cohort: Any, url: str) -> None:
    with pytest.raises(UnfitAddress):
        saved(admin, cohort=cohort, now=MORNING, url=url)


def test_only_admins_set_it_and_the_address_is_on_no_record(admin: Any, mentor: Any, cohort: Any) -> None:
    with pytest.raises(Forbidden):
        saved(mentor, cohort=cohort, now=MORNING)
    with pytest.raises(Invalid):
        saved(admin, cohort=cohort, now=MORNING, telling=Telling(24, True, True, True, True))
    saved(admin, cohort=cohort, now=MORNING)
    saved(admin, cohort=cohort, now=MORNING, url="")
    assert not CohortWebhook.objects.exists()
    records = Record.objects.filter(verb__startswith="cohort.webhook_").order_by("pk")
    assert [row.verb for row in records] == ["cohort.webhook_set", "cohort.webhook_removed"]
    assert "hooks.example.org" not in str([row.facts for row in records])


# What it says


@pytest.mark.parametrize("kind", ["tells_reviews", "tells_board", "tells_milestones", "tells_applications"])
def test_each_kind_can_be_switched_off(admin: Any, internship: Any, intern: Any, hand_in: Any, kind: str) -> None:
    words = {
        "tells_reviews": "waits for a review", "tells_board": "On the board of Digits", "tells_milestones": "First run",
        "tells_applications": "1 new, 1 to answer",
    }  # fmt: skip
    webhook = saved(admin, cohort=internship.cohort, now=MORNING)
    tasks.make_post(webhook, now=MORNING)
    later = MORNING + DAY
    hand_in(internship, number=1, value=0.9)
    Milestone.objects.filter(position=1).update(reached_at=later)
    Application.objects.create(
        cohort=internship.cohort, applicant=intern, background="x", hours_a_week=8, hardware="none", sent_at=later,
        changed_at=later,
    )  # fmt: skip
    everything = told(webhook, now=later)
    assert all(word in everything for word in words.values())

    CohortPost.objects.filter(day=later.date()).delete()
    CohortWebhook.objects.update(**{kind: False})
    webhook.refresh_from_db()
    less = told(webhook, now=later)
    assert [name for name, word in words.items() if word not in less] == [kind]


def test_it_tells_who_rose_on_the_board_and_from_where(
    admin: Any, internship: Any, peer_internship: Any, hand_in: Any
) -> None:
    hand_in(internship, number=1, value=0.70)
    hand_in(peer_internship, number=1, value=0.80)
    webhook = saved(admin, cohort=internship.cohort, now=MORNING)
    assert "On the board" not in told(webhook, now=MORNING)

    hand_in(internship, number=2, value=0.90)
    assert "Ines Intern: 0.900, was 0.700; place 1 of 2" in told(webhook, now=MORNING + DAY)
    assert "On the board" not in told(webhook, now=MORNING + 2 * DAY)


def test_it_tells_no_score_that_its_intern_was_not_told(admin: Any, internship: Any, hand_in: Any) -> None:
    webhook = saved(admin, cohort=internship.cohort, now=MORNING)
    tasks.make_post(webhook, now=MORNING)
    hand_in(internship, number=1, value=0.700)
    hand_in(internship, number=2, value=0.703)
    Score.objects.filter(run__submission__number=1).update(shown_value=0.6, shown_metrics={})
    Score.objects.filter(run__submission__number=2).update(shown_value=0.604, shown_metrics={})
    body = told(webhook, now=MORNING + DAY)
    assert "Ines Intern: 0.600" in body
    assert not [kept for kept in ("0.700", "0.703", "0.604") if kept in body]


def test_hidden_names_stay_hidden(admin: Any, internship: Any, version: Any, hand_in: Any) -> None:
    webhook = saved(admin, cohort=internship.cohort, now=MORNING, telling=Telling(8, False, True, False, False))
    tasks.make_post(webhook, now=MORNING)
    Leaderboard.objects.create(cohort=internship.cohort, project=version.project, hidden_through=internship.pk)
    hand_in(internship, number=1, value=0.9)
    body = told(webhook, now=MORNING + DAY)
    assert "Intern 1: 0.900" in body
    assert "Ines" not in body


def test_nobodys_words_call_a_channel_or_make_a_link() -> None:
    text = rules.chat_of("A & B", [Section("X", [Line("<!channel> hi", "https://example.org/")])])
    assert text == "*A &amp; B*\n\n*X*\n• &lt;!channel&gt; hi <https://example.org/|Open>"


# The page


def test_an_admin_sets_tests_and_removes_it(admin: Any, cohort: Any, client_of: Any) -> None:
    client, page = client_of(admin), "/cohorts/spring/webhook/"
    assert client.post(page, {"hour": "8"}).status_code == 400
    with serving(HookSink, answer=OK) as (port, taken):
        url = f"http://127.0.0.1:{port}/secret-path"
        assert client.post(page, {"url": url, "hour": "17", "tells_board": "on"}).status_code == 302
        client.post(f"{page}test/")
        assert len(taken) == 1
    row = CohortWebhook.objects.get()
    assert (row.url, row.hour, row.tells_board, row.tells_reviews) == (url, 17, True, False)
    assert "secret-path" not in client.get(page).content.decode()

    assert client.post(page, {"url": "", "hour": "9", "tells_reviews": "on"}).status_code == 302
    row.refresh_from_db()
    assert (row.url, row.hour, row.tells_reviews) == (url, 9, True)
    assert "secret-path" not in client.post(page, {"url": "ftp://x", "hour": "9"}).content.decode()
    client.post(f"{page}remove/")
    assert not CohortWebhook.objects.exists()


def test_a_test_that_does_not_arrive_says_why(admin: Any, cohort: Any, client_of: Any) -> None:
    with serving(HookSink, answer=b"HTTP/1.1 404 gone\r\n\r\n") as (port, _):
        saved(admin, cohort=cohort, now=MORNING, url=f"http://127.0.0.1:{port}/")
        page = client_of(admin).post("/cohorts/spring/webhook/test/", follow=True).content.decode()
    assert "The webhook answered 404." in page

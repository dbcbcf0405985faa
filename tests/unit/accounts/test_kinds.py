"""Each kind of notice comes as its person wants it, and every mail has a way out."""

from __future__ import annotations

import ast
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core import mail, signing
from django.test import Client

from practicum.accounts import sending, unsubscribing
from practicum.accounts.kinds import BY_SLUG, KINDS, kind_of, kinds_for
from practicum.accounts.models import Channel, Delivery, MailWay, Notice, NoticeChoice, NoticeSettings
from practicum.accounts.notice_selectors import notices_for_digest
from practicum.accounts.notices import Way, choose_channels, choose_kinds, notify
from practicum.audit.models import Record
from practicum.errors import Invalid, NotFound
from practicum.internships.models import ApplicationState

PLATFORM = Path(__file__).parents[3] / "platform" / "practicum"


@pytest.fixture(autouse=True)
def mail_server(settings: Any) -> None:
    """The site has a mail server; mails are kept in memory."""
    settings.EMAIL_HOST, settings.DEFAULT_FROM_EMAIL = "mail.example.org", "site@example.org"


def tell(user: Any, *, kind: str, now: Any) -> Notice:
    return notify(user, kind=kind, subject="News", body="It is so.", path="/notebook/", key=kind, now=now)


def ways_of(notice: Notice) -> set[str]:
    return set(Delivery.objects.filter(notice=notice).values_list("channel", flat=True))


def told_kinds() -> set[str]:
    """What every ``notify`` in the code calls its notice; what is filled in later is cut off."""
    found = set()
    for file in PLATFORM.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "notify":
                value = next(word.value for word in node.keywords if word.arg == "kind")
                if isinstance(value, ast.JoinedStr):
                    value = value.values[0]
                if isinstance(value, ast.Constant):
                    found.add(str(value.value))
    return found


def test_every_notice_there_is_belongs_to_a_kind() -> None:
    told = told_kinds()
    assert len(told) > 20
    assert {name for name in told if kind_of(name) is None} == set()


@pytest.mark.parametrize(
    ("told", "slug"),
    [
        ("session.turn", "turn"), ("session.ready", "notebook"), ("run.scored", "run"), ("internship.resumed", "change"),
        ("internship.message", "message"), (f"application.{ApplicationState.OFFERED}", "application"),
    ],
)  # fmt: skip
def test_a_notice_is_of_one_kind(told: str, slug: str) -> None:
    kind = kind_of(told)
    assert kind is not None
    assert kind.slug == slug


def test_a_test_is_of_none_and_always_comes(intern: Any, now: Any) -> None:
    assert kind_of("test") is None
    choose_kinds(intern, ways={slug: Way("off", webhook=False) for slug in BY_SLUG}, digest_hour=None, now=now)
    assert ways_of(tell(intern, kind="test", now=now)) == {"mail"}


@pytest.mark.parametrize(
    ("mail_way", "webhook", "ways"),
    [
        ("now", True, {"mail", "webhook"}),
        ("now", False, {"mail"}),
        ("digest", True, {"webhook"}),
        ("off", True, {"webhook"}),
        ("off", False, set()),
    ],
)
def test_a_kind_comes_as_it_was_chosen_and_others_as_before(
    intern: Any, now: Any, mail_way: str, webhook: bool, ways: set[str]
) -> None:
    choose_channels(intern, by_email=True, webhook_url="https://example.org/hook", now=now)
    choose_kinds(intern, ways={"run": Way(mail_way, webhook=webhook)}, digest_hour=8, now=now)
    assert ways_of(tell(intern, kind="run.scored", now=now)) == ways
    assert ways_of(tell(intern, kind="review.decided", now=now)) == {"mail", "webhook"}
    assert Notice.objects.filter(user=intern).count() == 2


def test_what_was_switched_off_meanwhile_is_not_sent(intern: Any, now: Any) -> None:
    tell(intern, kind="run.scored", now=now)
    choose_kinds(intern, ways={"run": Way("off", webhook=True)}, digest_hour=8, now=now)
    sending.send_waiting(now, channel=Channel.MAIL, clock=lambda: now)
    assert mail.outbox == []
    assert Delivery.objects.get().state == "failed"


def test_the_daily_mail_gets_what_was_put_into_it(intern: Any, now: Any) -> None:
    choose_kinds(intern, ways={"run": Way("digest", webhook=True)}, digest_hour=8, now=now)
    tell(intern, kind="run.scored", now=now)
    tell(intern, kind="review.decided", now=now)
    [found] = notices_for_digest(intern, since=now - timedelta(days=1), until=now)
    assert found.kind == "run.scored"
    assert notices_for_digest(intern, since=now, until=now + timedelta(days=1)) == []


@pytest.mark.parametrize(
    ("ways", "hour"),
    [({"nothing": Way("now", webhook=True)}, 8), ({"run": Way("never", webhook=True)}, 8), ({}, 24), ({}, -1)],
)
def test_what_is_not_on_the_list_is_refused(intern: Any, now: Any, ways: dict[str, Way], hour: int) -> None:
    with pytest.raises(Invalid):
        choose_kinds(intern, ways=ways, digest_hour=hour, now=now)
    assert not NoticeChoice.objects.exists()


def test_each_role_chooses_among_what_it_is_ever_told(intern: Any, client_of: Any) -> None:
    page = client_of(intern).get("/account/notices/").content.decode()
    shown = {kind.slug for kind in KINDS if f'name="mail-{kind.slug}"' in page}
    assert shown == {kind.slug for kind in kinds_for("intern")}
    assert "reservation" not in shown


def test_the_page_saves_what_was_chosen(mentor: Any, client_of: Any) -> None:
    fields = {"digest_hour": "17", "webhook-message": "on"}
    fields |= {f"mail-{kind.slug}": "digest" if kind.slug == "change" else "now" for kind in kinds_for("mentor")}
    assert client_of(mentor).post("/account/notices/", fields).status_code == 302
    assert NoticeSettings.objects.get(user=mentor).digest_hour == 17
    chosen = {row.kind: (row.mail, row.webhook) for row in NoticeChoice.objects.filter(user=mentor)}
    assert chosen["change"] == ("digest", False)
    assert chosen["message"] == ("now", True)
    assert Record.objects.get(verb="notices.kinds_chosen").facts == {"mail": {"change": "digest"}, "digest_hour": 17}


def test_the_page_takes_nothing_that_it_does_not_offer(mentor: Any, client_of: Any) -> None:
    answer = client_of(mentor).post("/account/notices/", {"digest_hour": "25", "mail-change": "soon"})
    assert answer.status_code == 400
    assert not NoticeChoice.objects.exists()


# The way out of a mail


def path_of(user: Any, *, what: str) -> str:
    return "/" + unsubscribing.address_of(user, what=what).split("/", 3)[3]


def test_a_mail_of_a_notice_names_its_way_out(intern: Any, now: Any) -> None:
    tell(intern, kind="run.scored", now=now)
    sending.send_waiting(now, channel=Channel.MAIL, clock=lambda: now)
    [message] = mail.outbox
    address = unsubscribing.address_of(intern, what="run")
    assert message.extra_headers["List-Unsubscribe"] == f"<{address}>"
    assert message.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert address in message.body


def test_a_test_has_none(intern: Any, now: Any) -> None:
    tell(intern, kind="test", now=now)
    sending.send_waiting(now, channel=Channel.MAIL, clock=lambda: now)
    assert "List-Unsubscribe" not in mail.outbox[0].extra_headers


def test_opening_the_link_changes_nothing_and_one_click_does(intern: Any) -> None:
    client, path = Client(enforce_csrf_checks=True), path_of(intern, what="run")
    assert "switches off" in client.get(path).content.decode()
    assert not NoticeChoice.objects.exists()

    assert client.post(path, {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert NoticeChoice.objects.get(user=intern, kind="run").mail == MailWay.OFF
    client.post(path)
    assert Record.objects.filter(verb="notices.left").count() == 1


def test_the_daily_mail_is_left_by_its_link(intern: Any, now: Any) -> None:
    unsubscribing.leave(unsubscribing.leaving_of(path_of(intern, what="digest").split("/")[2]), now=now)
    assert NoticeSettings.objects.get(user=intern).digest_hour is None
    assert NoticeSettings.objects.get(user=intern).by_email


@pytest.mark.parametrize(
    "ticket",
    [
        "nonsense",
        signing.dumps(["x", "digest"], salt=unsubscribing.SALT),
        signing.dumps("x", salt=unsubscribing.SALT),
        signing.dumps(["00000000-0000-0000-0000-000000000000", "digest"], salt=unsubscribing.SALT),
        signing.dumps(["00000000-0000-0000-0000-000000000000", "digest"], salt="another"),
    ],
    ids=["nonsense", "no number", "no pair", "nobody", "another salt"],
)
def test_a_ticket_that_is_none_opens_nothing(db: None, ticket: str) -> None:
    with pytest.raises(NotFound):
        unsubscribing.leaving_of(ticket)


def test_a_ticket_for_no_kind_or_a_deleted_person_opens_nothing(intern: Any, now: Any) -> None:
    ticket = path_of(intern, what="digest").split("/")[2]
    with pytest.raises(NotFound):
        unsubscribing.leaving_of(signing.dumps([str(intern.uuid), "root"], salt=unsubscribing.SALT))
    intern.deleted_at = now
    intern.save()
    with pytest.raises(NotFound):
        unsubscribing.leaving_of(ticket)

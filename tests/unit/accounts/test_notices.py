"""Notices: an outbox that is written with the news, sent once, tried again, and forgotten after 90 days."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import transaction

from practicum.accounts import notices, sending
from practicum.accounts.models import Channel, Delivery, Notice
from practicum.accounts.notices import choose_channels, notify, prune
from practicum.errors import NotFound, TooMany
from tests.unit.accounts.servers import HookSink, MailSink, serving
from tests.unit.gpus.conftest import shared_database
from tests.unit.gpus.test_concurrency import at_once

__all__ = ["shared_database"]
OK = b"HTTP/1.1 200 OK\r\n\r\n"


@pytest.fixture(autouse=True)
def mail_server(settings: Any) -> None:
    """The site has a mail server; mails are kept in memory."""
    settings.EMAIL_HOST, settings.DEFAULT_FROM_EMAIL = "mail.example.org", "site@example.org"


def tell(user: Any, *, now: Any, key: str = "k") -> Notice:
    return notify(user, kind="test", subject="Your\n turn", body="Come.\nNow.", path="/notebook/", key=key, now=now)


def send(now: Any, channel: Channel = Channel.MAIL) -> bool:
    return sending.send_waiting(now, channel=channel, clock=lambda: now)


def test_told_twice_it_is_one_notice_and_one_mail(intern: Any, now: Any) -> None:
    assert tell(intern, now=now) == tell(intern, now=now + timedelta(minutes=1))

    assert (send(now), send(now)) == (True, False)

    [message] = mail.outbox
    assert (message.to, message.subject) == (["ines@example.org"], "Your turn")
    assert "Come.\nNow." in message.body
    assert "/notebook/" in message.body
    assert str(Notice.objects.get().pk) in message.extra_headers["Message-ID"]
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.sent_at, delivery.tries) == ("sent", now, 1)


def test_news_that_did_not_happen_is_not_told(intern: Any, now: Any) -> None:
    with transaction.atomic():
        tell(intern, now=now)
        transaction.set_rollback(True)
    assert not Notice.objects.exists()


def test_a_notice_leads_to_this_site_only(intern: Any, now: Any) -> None:
    for path in ("https://example.org/", "//example.org/", "javascript:alert(1)"):
        with pytest.raises(ValueError, match="no page"):
            notify(intern, kind="x", subject="x", body="x", path=path, key="x", now=now)


@pytest.mark.parametrize(
    ("host", "by_email", "url", "is_active", "channels"),
    [
        ("mail", True, "", True, {"mail"}),
        ("", True, "", True, set()),
        ("mail", False, "", True, set()),
        ("mail", True, "http://127.0.0.1/", True, {"mail", "webhook"}),
        ("", False, "http://127.0.0.1/", True, {"webhook"}),
        ("mail", True, "http://127.0.0.1/", False, set()),
    ],
)
def test_it_goes_out_as_the_person_chose_and_is_on_the_site_always(
    intern: Any, now: Any, settings: Any, host: str, by_email: bool, url: str, is_active: bool, channels: set[str]
) -> None:
    settings.EMAIL_HOST = host
    choose_channels(intern, by_email=by_email, webhook_url=url, now=now)
    intern.is_active = is_active
    tell(intern, now=now)
    assert set(Delivery.objects.values_list("channel", flat=True)) == channels
    assert Notice.objects.count() == 1


def test_what_fails_is_tried_for_two_days_less_and_less_and_then_given_up(intern: Any, now: Any, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", 1, False
    tell(intern, now=now)
    moment, waits = now, []
    while Delivery.objects.get().state == "waiting":
        assert send(moment)
        assert not send(moment)
        delivery = Delivery.objects.get()
        waits.append(round((delivery.next_try_at - moment).total_seconds() / 60))
        moment = delivery.next_try_at
    assert waits[:-1] == [1, 5, 30, 120, 360, 720, 1440]
    assert (delivery.state, delivery.tries) == ("failed", 8)
    assert "mail server could not be reached" in delivery.last_error


def test_a_real_mail_server_gets_plain_text_with_the_link(intern: Any, now: Any, settings: Any) -> None:
    with serving(MailSink) as (port, taken):
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", port, False
        tell(intern, now=now)
        send(now)
    [text] = taken
    assert "Subject: Your turn" in text
    assert "To: ines@example.org" in text
    assert "Content-Type: text/plain" in text
    assert f"{settings.PRACTICUM_SITE_URL}/notebook/" in text
    assert "Auto-Submitted: auto-generated" in text


def test_a_webhook_that_fails_does_not_send_the_mail_again(intern: Any, now: Any) -> None:
    with serving(HookSink, answer=b"HTTP/1.1 500 x\r\n\r\n") as (port, taken):
        choose_channels(intern, by_email=True, webhook_url=f"http://127.0.0.1:{port}/", now=now)
        tell(intern, now=now)
        for minutes in (0, 1, 6):
            send(now + timedelta(minutes=minutes))
            send(now + timedelta(minutes=minutes), Channel.WEBHOOK)
    assert (len(mail.outbox), len(taken)) == (1, 3)
    assert len({headers["webhook-id"] for _, headers, _ in taken}) == 1
    assert Delivery.objects.get(channel="webhook").last_error == "The webhook answered 500."


def test_what_was_switched_off_meanwhile_is_not_sent(intern: Any, peer: Any, now: Any) -> None:
    tell(intern, now=now)
    tell(peer, now=now)
    choose_channels(intern, by_email=False, webhook_url="", now=now)
    peer.is_active = False
    peer.save()
    send(now)
    assert mail.outbox == []
    assert set(Delivery.objects.values_list("state", flat=True)) == {"failed"}


def test_a_worker_that_died_while_sending_is_followed_by_another_after_its_claim(intern: Any, now: Any) -> None:
    tell(intern, now=now)
    delivery = Delivery.objects.get()
    claimed = sending._claim(delivery.pk, token=0, now=now)
    assert claimed is not None
    assert not send(now + timedelta(minutes=4))
    assert send(now + timedelta(minutes=5))
    sending._try_later(claimed, error="late", now=now + timedelta(minutes=6))  # its word comes too late
    assert Delivery.objects.get().state == "sent"
    assert len(mail.outbox) == 1


def test_workers_that_race_send_each_once(shared_database: None, intern: Any, now: Any) -> None:
    people_notices = 12
    choose_channels(intern, by_email=False, webhook_url="http://127.0.0.1:1/", now=now)
    sent: list[Any] = []
    lock = threading.Lock()

    def post(notice: Notice, **_: Any) -> None:
        with lock:
            sent.append(notice.pk)

    for number in range(people_notices):
        tell(intern, now=now, key=str(number))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sending.webhooks, "post", post)
        results = at_once([lambda: send(now, Channel.WEBHOOK)] * 6)
    assert not [result for result in results if isinstance(result, Exception)]
    assert len(sent) == len(set(sent)) == people_notices
    assert set(Delivery.objects.values_list("state", "tries")) == {("sent", 1)}


def test_people_who_are_told_the_same_at_once_have_one_notice(shared_database: None, intern: Any, now: Any) -> None:
    results = at_once([lambda: tell(intern, now=now)] * 6)
    assert len({result.pk for result in results}) == 1
    assert Delivery.objects.count() == 1


def test_after_90_days_it_is_forgotten(intern: Any, now: Any) -> None:
    tell(intern, now=now - timedelta(days=91), key="old")
    tell(intern, now=now - timedelta(days=89), key="new")
    assert prune(now=now) == 1
    assert Notice.objects.get().key == "new"


def test_a_test_goes_out_once_a_minute(intern: Any, now: Any) -> None:
    notices.send_test(intern, now=now)
    with pytest.raises(TooMany):
        notices.send_test(intern, now=now + timedelta(seconds=59))
    notices.send_test(intern, now=now + timedelta(seconds=61))


def test_only_ones_own_notices_are_marked_read(intern: Any, peer: Any, now: Any) -> None:
    notice = tell(intern, now=now)
    with pytest.raises(NotFound):
        notices.mark_read(peer, notice_id=notice.pk, now=now)
    assert notices.mark_read(intern, notice_id=notice.pk, now=now).read_at == now
    assert notices.mark_all_read(intern, now=now) == 0


# --- Pages ----------------------------------------------------------------------------------------------------------


def test_the_bell_counts_what_is_not_read_and_open_leads_on(client_of: Any, intern: Any, now: Any) -> None:
    notice, client = tell(intern, now=now), client_of(intern)
    tell(intern, now=now, key="second")
    assert "Notices, 2 not read" in client.get("/account/").content.decode()
    answer = client.post(f"/notices/{notice.pk}/read/", {"open": "1"})
    assert answer.url == "/notebook/"
    assert "Notices, 1 not read" in client.get("/notices/").content.decode()
    client.post("/notices/read/")
    assert 'aria-label="Notices"' in client.get("/notices/").content.decode()


def test_the_list_is_read_in_a_bounded_number_of_queries(
    client_of: Any, intern: Any, now: Any, django_assert_max_num_queries: Any
) -> None:
    for number in range(40):
        tell(intern, now=now, key=str(number))
    client = client_of(intern)
    with django_assert_max_num_queries(8):
        page = client.get("/notices/").content.decode()
    assert page.count('class="notice-line') == 30
    assert client.get("/notices/?page=2").content.decode().count('class="notice-line') == 10


def test_what_is_chosen_is_kept_and_a_bad_address_is_told_beside_its_field(client_of: Any, intern: Any) -> None:
    client = client_of(intern)
    answer = client.post("/account/", {"form": "notices", "webhook_url": "ftp://example.org/"})
    assert answer.status_code == 422
    assert "Give a full address that begins with https://." in answer.content.decode()
    assert "ftp://example.org/" in answer.content.decode()
    client.post("/account/", {"form": "notices", "webhook_url": "https://example.org/hook"})
    saved = intern.notice_settings
    assert (saved.by_email, saved.webhook_url) == (False, "https://example.org/hook")


def test_the_secret_is_shown_once_and_a_new_one_is_another(client_of: Any, intern: Any) -> None:
    client = client_of(intern)
    first, second = (client.post("/account/webhook/secret/").context["secret"] for _ in range(2))
    assert first.startswith("whsec_")
    assert first != second
    assert "whsec_" not in client.get("/account/").content.decode()

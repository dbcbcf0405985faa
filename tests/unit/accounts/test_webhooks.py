"""Webhooks: where they may lead, how they are signed, and that they connect to the address that was checked."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import pytest

from practicum.accounts import webhooks
from practicum.accounts.addresses import may_call
from practicum.accounts.models import Notice
from practicum.accounts.webhooks import NotTaken, UnfitAddress, check_address, post, secret_of
from tests.unit.accounts.servers import HookSink, serving

OK = b"HTTP/1.1 204 No Content\r\n\r\n"
LOOPBACK = ("127.0.0.0/8", "::1/128")


@pytest.mark.parametrize(
    ("address", "is_public"),
    [
        ("93.184.216.34", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("172.17.0.1", False),
        ("192.168.1.1", False),
        ("100.100.100.200", False),
        ("169.254.169.254", False),
        ("168.63.129.16", False),
        ("192.0.0.192", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("fe80::1", False),
        ("fe80::1%eth0", False),
        ("fec0::1", False),
        ("fd00:ec2::254", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:169.254.169.254", False),
        ("::127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::a00:1", False),
        ("64:ff9b:1::a00:1", False),
        ("2002:7f00:1::", False),
        ("2001:0:53aa:64c::1", False),
        ("ff02::1", False),
        ("example.org", False),
        ("0x7f000001", False),
    ],
)
def test_only_the_public_internet_may_be_called(address: str, is_public: bool) -> None:
    assert may_call(address) is is_public


def test_an_allowed_network_lets_loopback_through_and_nothing_else() -> None:
    assert [may_call(address, allowed=LOOPBACK) for address in ("127.0.0.1", "::1", "10.0.0.1")] == [True, True, False]


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/x",
        "ftp://example.org/",
        "file:///etc/passwd",
        "https://",
        "https://name:word@example.org/",
        "https://example.org:99999/",
        "https://example.org/a b",
        "https://example.org/a\r\nX: y",
        "https://[::1/",
        "example.org",
        "https://" + "a" * 70 + ".org/",
    ],
)
def test_an_address_that_can_not_be_used_is_refused(url: str, settings: Any) -> None:
    settings.PRACTICUM_WEBHOOK_SCHEMES = ("https",)
    with pytest.raises(UnfitAddress):
        check_address(url)


@pytest.fixture
def notice(intern: Any, now: Any) -> Notice:
    """Something to post."""
    return Notice.objects.create(
        user=intern, kind="test", subject="Tür", body="Line\nTwo", path="/account/", key="k", made_at=now
    )


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every address a connection is asked for; none is made."""
    asked: list[Any] = []

    def refuse(address: Any, **_: Any) -> None:
        asked.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(webhooks.socket, "create_connection", refuse)
    return asked


@pytest.mark.parametrize(
    ("found", "reached"),
    [
        (["93.184.216.34"], "93.184.216.34"),
        (["2606:4700::1111", "93.184.216.34"], "2606:4700::1111"),
        (["10.0.0.7"], None),
        (["93.184.216.34", "169.254.169.254"], None),
        (["::ffff:10.0.0.7"], None),
        ([], None),
    ],
)
def test_the_connection_goes_to_the_very_address_that_was_checked(
    notice: Notice, now: Any, settings: Any, dialled: list[Any], found: list[str], reached: str | None
) -> None:
    settings.PRACTICUM_WEBHOOK_NETWORKS = ()
    looked_up = []

    def resolve(host: str, port: int) -> list[str]:
        looked_up.append(host)
        return found if len(looked_up) == 1 else ["127.0.0.1"]  # what a rebinding name server would say next

    with pytest.raises(NotTaken):
        post(notice, url="https://hook.example.org/x", secret="whsec_AAAA", now=now, resolve=resolve)

    assert dialled == ([(reached, 443)] if reached else [])
    assert looked_up == ["hook.example.org"]


def test_a_literal_address_inside_is_refused_by_the_real_look_up(
    notice: Notice, now: Any, settings: Any, dialled: list[Any]
) -> None:
    settings.PRACTICUM_WEBHOOK_NETWORKS = ()
    for host in ("127.0.0.1", "2130706433", "0x7f.1", "[::1]", "localhost"):
        with pytest.raises(NotTaken):
            post(notice, url=f"https://{host}/", secret="whsec_AAAA", now=now)
    assert dialled == []


@pytest.fixture
def hook() -> Iterator[tuple[int, list[Any]]]:
    """A server that takes webhooks."""
    with serving(HookSink, answer=OK) as (port, taken):
        yield port, taken


def test_what_arrives_is_the_notice_signed_as_standard_webhooks_say(
    notice: Notice, intern: Any, now: Any, hook: tuple[int, list[Any]]
) -> None:
    port, taken = hook
    secret = secret_of(intern, number=1)

    post(notice, url=f"http://127.0.0.1:{port}/in?room=1", secret=secret, now=now)

    [(first, headers, body)] = taken
    assert first == "POST /in?room=1 HTTP/1.1"
    assert headers["host"] == f"127.0.0.1:{port}"
    fields = json.loads(body)
    assert (fields["kind"], fields["subject"], fields["body"]) == ("test", "Tür", "Line\nTwo")
    assert (fields["id"], fields["at"]) == (str(notice.pk), now.isoformat())
    assert fields["url"].endswith("/account/")
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    mac = hmac.new(base64.b64decode(secret[6:]), signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(mac).decode()
    assert headers["webhook-timestamp"] == str(int(now.timestamp()))


def test_the_example_of_the_standard_has_the_signature_it_names() -> None:
    # From the reference implementations' own tests.
    signature = webhooks.sign(
        b'{"test": 2432232314}',
        secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1614265330,
    )
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_secrets_differ_by_person_and_by_number(intern: Any, peer: Any) -> None:
    assert len({secret_of(person, number=number) for person in (intern, peer) for number in (1, 2)}) == 4


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\n\r\n", "answered 302"),
        (b"HTTP/1.1 500 Oh\r\n\r\n", "answered 500"),
        (b"SSH-2.0-x\r\n", "not HTTP"),
        (b"x" * 5000, "not HTTP"),
        (b"", "not HTTP"),
    ],
)
def test_no_redirect_is_followed_and_only_2xx_counts(notice: Notice, now: Any, answer: bytes, told: str) -> None:
    with serving(HookSink, answer=answer) as (port, taken), pytest.raises(NotTaken, match=told):
        post(notice, url=f"http://127.0.0.1:{port}/", secret="whsec_AAAA", now=now)
    assert len(taken) == 1


def test_a_webhook_that_never_answers_is_left(notice: Notice, now: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "TIMEOUT_SECONDS", 0.2)
    with serving(HookSink, answer=None) as (port, _), pytest.raises(NotTaken, match="did not answer"):
        post(notice, url=f"http://127.0.0.1:{port}/", secret="whsec_AAAA", now=now)


def test_https_is_spoken_with_the_name_and_a_server_without_tls_is_not_believed(
    notice: Notice, now: Any, hook: tuple[int, list[Any]]
) -> None:
    port, taken = hook
    with pytest.raises(NotTaken):
        post(notice, url=f"https://127.0.0.1:{port}/", secret="whsec_AAAA", now=now)
    assert taken == []

"""The site as the hub calls it, against answers the test hands out."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from practicum_hub.site import ClaimRefused, EventRefused, SiteClient, SiteUnavailable, StaleToken

Answer = httpx.Response | Exception


class Script(httpx.AsyncBaseTransport):
    """Hands out the answers it was given, in order; refuses a request it was not told of."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


Client = Callable[..., tuple[SiteClient, Script]]


@pytest.fixture
def client() -> Client:
    """A client over a script, without waiting between tries."""

    def make(*answers: Answer) -> tuple[SiteClient, Script]:
        script = Script(*answers)
        return SiteClient("http://site", token="s3cret", transport=script, delays=(0, 0)), script

    return make


async def test_a_claim_names_the_person_and_carries_the_token(client: Client, answer: dict[str, Any]) -> None:
    site, script = client(httpx.Response(200, json=answer))
    claim = await site.claim("ines")
    assert (claim.session, claim.token, claim.gpu) == (answer["session"], 7, answer["slot"]["uuid"])
    (request,) = script.requests
    assert request.url.path == "/api/hub/sessions/claim"
    assert request.headers["Authorization"] == "Bearer s3cret"
    assert json.loads(request.content) == {"username": "ines"}


NO_LEASE = {"error": {"code": "no_lease", "message": "You are third in line.", "url": "http://site/line"}}


@pytest.mark.parametrize("status", [403, 404, 409])
async def test_a_refused_claim_keeps_the_sites_words(client: Client, status: int) -> None:
    site, script = client(httpx.Response(status, json=NO_LEASE))
    with pytest.raises(ClaimRefused, match="You are third in line") as refusal:
        await site.claim("ines")
    assert (refusal.value.status, refusal.value.url) == (status, "http://site/line")
    assert len(script.requests) == 1


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"error": null}', b'{"error": {"code": "x"}}'])
async def test_a_refusal_without_words_is_still_a_refusal(client: Client, body: bytes) -> None:
    site, _ = client(httpx.Response(409, content=body))
    with pytest.raises(ClaimRefused, match="does not let"):
        await site.claim("ines")


BROKEN: list[Answer] = [
    httpx.ConnectError("no"),
    httpx.ReadTimeout("slow"),
    httpx.Response(500),
    httpx.Response(401),
    httpx.Response(200, content=b"<html>"),
    httpx.Response(200, json={"session": "x"}),
    httpx.Response(302, headers={"Location": "http://elsewhere"}),
]


@pytest.mark.parametrize("broken", BROKEN, ids=str)
async def test_a_claim_is_never_repeated_nor_taken_half(client: Client, broken: Answer) -> None:
    site, script = client(broken)
    with pytest.raises(SiteUnavailable):
        await site.claim("ines")
    assert len(script.requests) == 1


async def test_an_event_is_repeated_until_the_site_takes_it(client: Client) -> None:
    site, script = client(httpx.ConnectError("no"), httpx.Response(502), httpx.Response(204))
    await site.event("abc", token=7, state="stopped", message="")
    assert [r.url.path for r in script.requests] == ["/api/hub/sessions/abc/events"] * 3
    assert {r.content for r in script.requests} == {b'{"token":7,"state":"stopped","message":""}'}


REFUSED = [(409, StaleToken), (400, EventRefused), (401, EventRefused), (404, EventRefused)]


@pytest.mark.parametrize(("status", "error"), REFUSED)
async def test_a_refused_event_is_not_repeated(client: Client, status: int, error: type[Exception]) -> None:
    site, script = client(httpx.Response(status))
    with pytest.raises(error):
        await site.event("abc", token=7, state="stopped")
    assert len(script.requests) == 1


async def test_an_event_is_given_up_after_the_last_try(client: Client) -> None:
    site, script = client(*[httpx.ReadTimeout("slow")] * 3)
    with pytest.raises(SiteUnavailable):
        await site.event("abc", token=7, state="stopped")
    assert len(script.requests) == 3

"""The load bench's own code: what it counts as an error, how it keeps its rate, and what it holds against which limit."""

from __future__ import annotations

import asyncio
import os
import time
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from tests.bench import load, load_system
from tests.bench.load_people import Browser, Crowd


def crowd_of(answer: Any) -> Crowd:
    """Everybody, before a site that answers so."""
    crowd = Crowd(SimpleNamespace(site="http://site.test", hub="http://hub.test"))  # type: ignore[arg-type]
    crowd.http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return crowd


def answered(*, status: int = 200, cookie: str = "") -> Any:
    """A site that says this to everything, and notes what it was asked."""
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(status, headers={"set-cookie": cookie} if cookie else {})

    answer.asked = asked  # type: ignore[attr-defined]
    return answer


def test_a_browser_keeps_what_it_is_given_and_shows_it_to_that_host_alone() -> None:
    site = answered(cookie="__Host-practicum-csrf=abc; Path=/; Secure")
    browser = Browser(300, "ines", crowd=crowd_of(site))

    async def visit() -> None:
        await browser.ask("page", "/")
        await browser.ask("form", "/x/", method="POST", form={"a": "b"})
        await browser.ask("hub", "/hub/", host="hub.load.test")

    asyncio.run(visit())
    first, second, third = site.asked
    assert first.headers["cookie"] == ""
    assert second.headers["cookie"] == "__Host-practicum-csrf=abc"
    assert b"csrfmiddlewaretoken=abc" in second.content
    assert "abc" not in third.headers["cookie"]
    assert first.headers["x-forwarded-for"] == "10.0.1.51"


@pytest.mark.parametrize(("status", "errors"), [(200, 0), (302, 1), (404, 1), (500, 1)])
def test_an_answer_that_was_not_expected_is_an_error_and_has_its_time(status: int, errors: int) -> None:
    crowd = crowd_of(answered(status=status))
    asyncio.run(Browser(1, "ines", crowd=crowd).ask("page", "/"))
    assert (sum(crowd.record.errors.values()), crowd.record.answers) == (errors, 1)


def test_no_answer_is_an_error() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no", request=request)

    crowd = crowd_of(refuse)
    assert asyncio.run(Browser(1, "ines", crowd=crowd).ask("page", "/")) is None
    assert dict(crowd.record.errors) == {"page: ConnectError": 1}


def test_the_rate_is_kept_however_long_answers_take() -> None:
    crowd = crowd_of(answered())

    async def begin() -> tuple[int, int]:
        async def slow(_: int) -> None:
            await asyncio.sleep(0.2)

        count = await crowd.keep_up(a_second=100, until=time.monotonic() + 0.15, begin=slow)
        still_open = len(crowd.open)
        await crowd.finish()
        return count, still_open

    count, still_open = asyncio.run(begin())
    assert 10 <= count <= 16
    assert still_open == count, "none had to end before the next began"


def test_one_error_and_one_slow_page_do_not_hold() -> None:
    memory = {1: {"web": load_system.Memory(rss=1, pss=100 * load_system.MB, processes=5)}}
    good = load.Result(load.Plan(), seconds={"home": [0.1] * 100, "launch, whole": [9.0]}, memory=memory)
    assert all(ratio <= 1 for _, ratio in good.ratios())
    assert good.answers == 100, "a launch is many requests"
    slow = load.Result(load.Plan(), seconds={"home": [0.1] * 100, "inbox": [0.1] * 9 + [1.5]}, memory=memory)
    assert [name for name, ratio in slow.ratios() if ratio > 1] == ["slowest page's p95 to 1 s"]
    wrong = load.Result(load.Plan(), seconds={"home": [0.1] * 100}, errors={"home: 500": 1}, memory=memory)
    assert [name for name, ratio in wrong.ratios() if ratio > 1] == ["errors (1 of 100) to none"]
    assert wrong.as_json()["seconds"]["home"] == {"n": 100, "p50": 0.1, "p95": 0.1, "p99": 0.1}


def test_pages_that_were_asked_for_rarely_are_judged_together() -> None:
    seconds = {"home": [0.1] * 100, "inbox": [0.2] * 60, "people": [9.0], "launch, whole": [9.0]}
    assert load.pages_of(seconds) == {"home": [0.1] * 100, load.RARER: [0.2] * 60 + [9.0]}
    assert load.pages_of({"home": [0.1] * 100}) == {"home": [0.1] * 100}


def test_a_smaller_run_has_smaller_steps() -> None:
    plan = load.plan_of(load.arguments(["--interns", "20", "--notebooks", "5"]))
    assert (plan.interns, plan.steps, plan.submissions_a_minute) == (20, (1, 5), 50.0)
    assert load.plan_of(load.arguments([])) == load.Plan()


def test_memory_is_that_of_the_whole_family() -> None:
    own = load_system.memory_of(os.getpid(), alone=True)
    assert own.processes == 1
    assert own.rss >= own.pss > load_system.MB

"""A thousand browsers and two hundred notebooks in one asyncio loop: each keeps its cookies and asks as the pages do.

The load is *open*: requests come at their rate whether or not earlier ones were answered, as people do, so that a slow
server is not spared by clients that wait for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import random
import re
import time
import zipfile
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from tests.bench.load_fill import PASSWORD, PROJECT
from tests.bench.load_system import HUB_HOST, SITE_HOST, System

TIMEOUT = httpx.Timeout(60, connect=10)
SIGN_INS_AT_ONCE = 4
STARTS_AT_ONCE = 8
LAUNCH_SECONDS = 90.0
SCORED_SECONDS = 90.0
MOST_REDIRECTS = 8
ACTIVITY_SECONDS = 15.0  # hub/practicum_hub/workspace/server_extension.py
ACTIVITY = {"busy_kernels": 1, "kernels": 1, "terminals": 0, "cpu_seconds": 3.0, "last_execution_at": None}
PREDICT = """from pathlib import Path
import numpy as np

def predict(artifact: Path, inputs: Path, out: Path) -> None:
    # number {number}
    with np.load(inputs / "inputs.npz") as held:
        np.savez(out / "predictions.npz", id=held["id"], label=np.zeros(len(held["id"]), dtype=np.int64))
"""
# What an intern's visit asks for, by how often.
PAGES = (
    ("home", "/", 5),
    ("notebook page", "/notebook/", 4),
    ("submissions", "/submissions/", 3),
    ("submission", "/submissions/{submission}/", 3),
    ("leaderboard", f"/projects/{PROJECT}/leaderboard/", 3),
    ("project", f"/projects/{PROJECT}/", 1),
    ("notices", "/notices/", 1),
    ("status", "/status/", 1),
)
STAFF_PAGES = (
    ("mentor's home", "/", 3),
    ("inbox", "/review/", 2),
    ("attention", "/attention/", 1),
)
ADMIN_PAGES = (
    ("admin's home", "/", 2),
    ("GPUs, admin", "/gpus/", 2),
    ("people", "/people/", 1),
)


@dataclass
class Record:
    """Seconds of each answer by what was asked, and what went wrong."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)

    def took(self, what: str, seconds: float) -> None:
        """One answer."""
        self.seconds.setdefault(what, []).append(seconds)

    def went_wrong(self, what: str, why: str) -> None:
        """One request that was not answered as it should be."""
        self.errors[f"{what}: {why}"] += 1

    @property
    def answers(self) -> int:
        """All of them."""
        return sum(len(values) for values in self.seconds.values())


class Browser:
    """One person's browser: cookies by host; what it asks is timed."""

    def __init__(self, number: int, username: str, *, crowd: Crowd) -> None:
        self.username, self.crowd = username, crowd
        self.cookies: dict[str, dict[str, str]] = {SITE_HOST: {}, HUB_HOST: {}}
        # Everybody sits somewhere else: failed sign-ins are counted by address.
        self.address = f"10.{number // 62500 % 250}.{number // 250 % 250}.{number % 250 + 1}"
        self.submission = ""

    async def ask(
        self,
        what: str,
        path: str,
        *,
        host: str = SITE_HOST,
        method: str = "GET",
        form: dict[str, str] | None = None,
        expected: tuple[int, ...] = (200,),
    ) -> httpx.Response | None:
        """One request; None where it was not answered as expected, which is counted."""
        jar = self.cookies[host]
        headers = {
            "Host": host,
            "X-Forwarded-Proto": "https",
            "X-Forwarded-For": self.address,
            "Referer": f"https://{host}/",
            "Cookie": "; ".join(f"{name}={value}" for name, value in jar.items()),
        }
        if form is not None:
            form = {"csrfmiddlewaretoken": jar.get("__Host-practicum-csrf", ""), **form}
        answer = await self.crowd.send(what, method, path, host=host, headers=headers, data=form, expected=expected)
        if answer is not None:
            for line in answer.headers.get_list("set-cookie"):
                for name, morsel in SimpleCookie(line).items():
                    jar[name] = morsel.value
        return answer

    async def sign_in(self) -> bool:
        """Read the form and send it, as people do."""
        if await self.ask("sign-in page", "/sign-in/") is None:
            return False
        sent = {"account": self.username, "password": PASSWORD}
        answer = await self.ask("sign in", "/sign-in/", method="POST", form=sent, expected=(302,))
        return answer is not None

    async def sign_in_to_hub(self) -> bool:
        """From the hub to the site and back, as a browser is sent; ends at a page of the hub."""
        url, host = "/hub/oauth_login?next=/hub/home", HUB_HOST
        began = time.monotonic()
        for _ in range(MOST_REDIRECTS):
            answer = await self.ask("hub sign-in, a step", url, host=host, expected=(200, 302))
            if answer is None:
                return False
            if answer.status_code == 200:
                self.crowd.record.took("hub sign-in, whole", time.monotonic() - began)
                return True
            target = urlsplit(urljoin(f"https://{host}{url}", answer.headers["location"]))
            host, url = target.hostname or host, target._replace(scheme="", netloc="").geturl()
        self.crowd.record.went_wrong("hub sign-in", "it goes round in circles")
        return False

    async def start_notebook(self) -> bool:
        """Press the button and follow the page until it runs."""
        if await self.ask("notebook page", "/notebook/") is None:
            return False
        began = time.monotonic()
        if await self.ask("start a notebook", "/notebook/start/", method="POST", form={}, expected=(302,)) is None:
            return False
        while time.monotonic() - began < LAUNCH_SECONDS:
            answer = await self.ask("notebook live", "/notebook/live/", expected=(200, 286))
            state = re.search(r'data-session-state="(\w+)"', answer.text) if answer is not None else None
            if state is not None and state[1] == "running":
                self.crowd.record.took("launch, whole", time.monotonic() - began)
                return await self.crowd.take_up(self)
            if state is not None and state[1] in ("failed", "ended"):
                break
            await asyncio.sleep(1.0)
        self.crowd.record.went_wrong("launch", f"it is {state[1] if state else 'unknown'}")
        return False


@dataclass
class Notebook:
    """A running notebook: what it says to the site by itself."""

    browser: Browser
    token: str
    crowd: Crowd

    async def call(
        self, what: str, path: str, *, method: str = "GET", expected: tuple[int, ...] = (200,), **sent: Any
    ) -> httpx.Response | None:
        """One call with the notebook's token, at the internal address as in a container."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return await self.crowd.send(what, method, path, host=SITE_HOST, headers=headers, expected=expected, **sent)

    async def report(self) -> None:
        """What it does just now, every quarter of a minute from when it runs, as JupyterLab's extension does."""
        while not self.crowd.is_over.is_set():
            await self.call("activity", "/api/workspace/activity", method="POST", json=ACTIVITY)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ACTIVITY_SECONDS):
                    await self.crowd.is_over.wait()

    async def hand_in(self, number: int) -> None:
        """Hand in work that differs from all others and follow it to its score."""
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            archive.writestr("predict.py", PREDICT.format(number=number))
        began = time.monotonic()
        sent = {"archive": ("work.zip", stream.getvalue(), "application/zip")}
        answer = await self.call(
            "hand in", "/api/workspace/submissions", method="POST", expected=(201,), files=sent, data={"source": "cell"}
        )
        if answer is None:
            return
        mine = answer.json()["number"]
        while time.monotonic() - began < SCORED_SECONDS:
            await asyncio.sleep(1.0)
            answer = await self.call("how far is it", f"/api/workspace/submissions/{mine}")
            state = answer.json()["state"] if answer is not None else ""
            if state == "scored":
                self.crowd.record.took("hand-in to score, whole", time.monotonic() - began)
                return
            if state not in ("", "queued", "running"):
                self.crowd.record.went_wrong("evaluation", f"{state}: {answer.json()['reason']}" if answer else state)
                return
        self.crowd.record.went_wrong("evaluation", f"not scored in {SCORED_SECONDS:.0f} s")


class Crowd:
    """Everybody, over one pool of connections."""

    def __init__(self, system: System, *, seed: int = 1) -> None:
        self.system, self.record, self.chance = system, Record(), random.Random(seed)
        limits = httpx.Limits(max_connections=400, max_keepalive_connections=100)
        self.http = httpx.AsyncClient(timeout=TIMEOUT, limits=limits, trust_env=False, follow_redirects=False)
        self.open: set[asyncio.Task[None]] = set()
        self.notebooks: list[Notebook] = []
        self.is_over = asyncio.Event()

    async def send(
        self, what: str, method: str, path: str, *, host: str, expected: tuple[int, ...], **sent: Any
    ) -> httpx.Response | None:
        """One timed request."""
        base = self.system.hub if host == HUB_HOST else self.system.site
        began = time.monotonic()
        try:
            answer = await self.http.request(method, base + path, **sent)
        except httpx.HTTPError as fault:
            self.record.went_wrong(what, type(fault).__name__)
            return None
        self.record.took(what, time.monotonic() - began)
        if answer.status_code not in expected:
            self.record.went_wrong(what, f"{answer.status_code} {answer.text[:200]!r}")
            return None
        return answer

    async def together(self, work: list[Callable[[], Awaitable[bool]]], *, at_once: int) -> int:
        """Do all of it, so many at a time; how much went well."""
        gate = asyncio.Semaphore(at_once)

        async def one(step: Callable[[], Awaitable[bool]]) -> bool:
            async with gate:
                return await step()

        return sum(await asyncio.gather(*(one(step) for step in work)))

    async def take_up(self, browser: Browser) -> bool:
        """The notebook that runs now reports from now on. It is asked through the hub's proxy: the stub tells its environment."""
        answer = await self.send(
            "notebook, by the proxy", "GET", f"/user/{browser.username}/", host=HUB_HOST, expected=(200,),
            headers={"Host": HUB_HOST},
        )  # fmt: skip
        if answer is None:
            return False
        notebook = Notebook(browser, json.loads(answer.text)["environment"]["PRACTICUM_TOKEN"], self)
        self.notebooks.append(notebook)
        self.later(notebook.report())
        return True

    def later(self, work: Awaitable[Any]) -> None:
        """Begin ``work`` and don't wait for it."""

        async def run() -> None:
            await work

        task = asyncio.create_task(run())
        self.open.add(task)
        task.add_done_callback(self.open.discard)

    async def keep_up(self, *, a_second: float, until: float, begin: Callable[[int], Awaitable[Any]]) -> int:
        """Begin so many a second until then, evenly, whatever became of those before; how many were begun."""
        count, due = 0, time.monotonic()
        while a_second and (now := time.monotonic()) < until:
            if now < due:
                await asyncio.sleep(min(due - now, until - now))
                continue
            self.later(begin(count))
            count, due = count + 1, due + 1 / a_second
        return count

    def any_page(self, browser: Browser, pages: tuple[tuple[str, str, int], ...] = PAGES) -> Awaitable[Any]:
        """A page of an intern's visit."""
        what, path, _ = self.chance.choices(pages, weights=[weight for *_, weight in pages])[0]
        return browser.ask(what, path.format(submission=browser.submission))

    async def finish(self) -> None:
        """Notebooks say nothing more; wait for what was begun."""
        self.is_over.set()
        while self.open:
            await asyncio.gather(*self.open)

    async def close(self) -> None:
        """Give the connections back."""
        await self.http.aclose()

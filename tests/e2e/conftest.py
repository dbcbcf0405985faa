"""The whole system, started the way a newcomer starts it: ``deploy/demo.py`` in a folder of its own."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.e2e.own_engine import OwnEngine
from tests.tools.waiting import RanOut

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 420
BROWSER_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PASSWORD = "practicum-demo"


def free_demo_port() -> int:
    """A port for a demo, below those the system gives away; two processes of one test run never find the same."""
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    while True:
        port = 20_000 + 200 * random.randrange(30) + 6_000 * (process % 2)
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            for each in (port, port + 80, port + 81, port + 82):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", each))
            return port


@dataclass
class RunningDemo:
    """A demo that runs: its addresses, its folder, its output so far."""

    process: subprocess.Popen[str]
    port: int
    data_dir: Path
    reader: threading.Thread = field(default_factory=threading.Thread)
    ready_seconds: float = 0.0
    instance: str = ""
    engine: str = ""
    lines: list[str] = field(default_factory=list)

    @property
    def site(self) -> str:
        """The site's address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def hub(self) -> str:
        """The hub's address, as browsers see it."""
        return f"http://127.0.0.1:{self.port + 80}"

    def containers(self, *, of: str = "", show: str = "{{.Names}}") -> list[str]:
        """One line for each running container of this demo, or of one person's notebook in it."""
        if not self.instance:  # kept, for it is asked again when the programs have ended
            worker = self.environment_of("worker")
            self.instance, self.engine = worker["PRACTICUM_INSTANCE"], worker["DOCKER_HOST"]
        mine = f"label=org.practicum.instance={self.instance}"
        command = ["docker", "-H", self.engine, "ps", "--filter", mine, "--format", show]
        if of:
            command += ["--filter", f"name={self.instance}-{of}"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()

    def environment_of(self, name: str) -> dict[str, str]:
        """The variables one of the supervised programs runs with."""
        raw = Path(f"/proc/{self.pid_of(name)}/environ").read_text()
        return dict(pair.split("=", 1) for pair in raw.split("\0") if "=" in pair)

    @property
    def output(self) -> str:
        """All it printed."""
        return "\n".join(self.lines)

    def pid_of(self, name: str) -> int:
        """The process id of one of the supervised programs."""
        for child in children_of(self.process.pid):
            words = Path(f"/proc/{child}/cmdline").read_text().split("\0")
            if any(word.endswith(MARKS[name]) for word in words):
                return child
        raise AssertionError(f"{name} does not run")

    def health(self) -> dict[str, Any]:
        """What ``/health/`` says."""
        with urllib.request.urlopen(f"{self.site}/health/", timeout=5) as answer:
            said: dict[str, Any] = json.load(answer)
        return said

    def stop(self) -> int:
        """Press Ctrl-C and wait for the end."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        code = self.process.wait(timeout=180)
        self.reader.join(timeout=10)
        return code

    def forget(self) -> None:
        """As ``make demo-reset``: an engine that is used again has only so many networks to give."""
        place = ("--port", str(self.port), "--data-dir", str(self.data_dir))
        subprocess.run([sys.executable, str(ROOT / "deploy" / "demo.py"), *place, "--reset"], cwd=ROOT, check=True)
        assert not self.data_dir.exists()


MARKS = {
    "web": "practicum.config.wsgi:application",
    "worker": "worker",
    "hub": "jupyterhub_config.py",
    "proxy": "configurable-http-proxy",
    "agent": "practicum_hub.agent",
}


def children_of(pid: int) -> list[int]:
    """Process ids of the direct children of ``pid``."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found


def start_demo(
    data_dir: Path,
    *,
    port: int,
    options: tuple[str, ...] = (),
    docker_host: str = "",
    inside: tuple[str, ...] = (),
    address: str = "",
) -> RunningDemo:
    """Start the demo and wait until it says it is ready; ``docker_host`` names another engine than this machine's.

    ``inside``: a command that becomes the demo, in another network; ``address``: where notebooks reach it there.
    """
    command = [
        *inside,
        sys.executable,
        str(ROOT / "deploy" / "demo.py"),
        "--port",
        str(port),
        "--data-dir",
        str(data_dir),
        *options,
    ]
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PRACTICUM_", "DJANGO_"))}
    env |= {"DOCKER_HOST": docker_host} if docker_host else {}
    env |= {"PRACTICUM_DEMO_ADDRESS": address} if address else {}
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    demo = RunningDemo(process, port, data_dir)
    ready = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                demo.lines.append(line.rstrip("\n"))
                if "Practicum is ready" in line:
                    ready.set()
        ready.set()

    demo.reader = threading.Thread(target=read, daemon=True)
    demo.reader.start()
    if not ready.wait(READY_SECONDS) or process.poll() is not None:
        demo.stop()
        raise RanOut(f"The demo did not become ready:\n{demo.output}")
    demo.ready_seconds = time.monotonic() - began
    return demo


def rows(demo: RunningDemo, query: str) -> list[tuple[Any, ...]]:
    """What the database says, read beside the running system."""
    with sqlite3.connect(f"file:{demo.data_dir}/practicum.sqlite3?mode=ro", uri=True, timeout=20) as connection:
        return connection.execute(query).fetchall()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    """One demo for all walks; its end is checked too."""
    running = start_demo(tmp_path_factory.mktemp("demo"), port=free_demo_port())
    yield running
    running.stop()
    print(running.output)
    running.forget()


@pytest.fixture(scope="session")
def own_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnEngine]:
    """An engine for all tests that kill one."""
    folder = tmp_path_factory.mktemp("own")
    made = OwnEngine.made(folder)
    yield made
    made.private.stop()
    shutil.rmtree(folder)  # fails if the killed engine left anything mounted


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A real Chromium."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=BROWSER_ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def person(browser: Browser, demo: RunningDemo) -> Iterator[Callable[[str], Page]]:
    """``person("ines")``: a page of a browser of their own, signed in."""
    contexts: list[BrowserContext] = []

    def sign_in(username: str) -> Page:
        context = browser.new_context(viewport={"width": 1280, "height": 860})
        context.set_default_timeout(20_000)
        contexts.append(context)
        page = context.new_page()
        page.goto(f"{demo.site}/sign-in/")
        page.fill("input[name=account]", username)
        page.fill("input[name=password]", PASSWORD)
        page.click("main button[type=submit]")
        page.wait_for_url(f"{demo.site}/")
        return page

    yield sign_in
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def data_dir() -> None:
    """The walks use the demo's own folder, not the unit tests' settings."""

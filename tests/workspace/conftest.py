"""A real JupyterLab with the workspace tools installed, beside a site that knows only the workspace API.

The interpreter is named by PRACTICUM_WORKSPACE_PYTHON: an environment with JupyterLab 4 and ipykernel. The tools are
installed into it, as the workspace image does.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.tools.postgres import free_port
from tests.tools.waiting import wait_for
from tests.workspace.fake_site import FakeSite

INSTALLER = Path(__file__).parents[2] / "hub" / "practicum_hub" / "workspace" / "install.py"
START_SECONDS = 60
CHROMIUM = "/usr/bin/chromium"
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CELLS = ("%practicum submit", "%practicum status", "x = sum(i * i for i in range(120_000_000))")


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab and the site behind it."""

    url: str
    token: str
    home: Path
    project: Path
    site: FakeSite
    environment: dict[str, str]
    python: Path
    log: Path

    def open(self, page: Page) -> None:
        """The starter notebook with the panel beside it."""
        page.goto(f"{self.url}/lab/tree/digits/start.ipynb?token={self.token}")
        page.wait_for_selector(".jp-NotebookPanel-toolbar [data-jp-item-name=practicum-submit]", timeout=60_000)
        page.wait_for_selector(".pr-panel .pr-title:has-text('Read handwritten digits')")
        wait_for(self.has_idle_kernel, what="a kernel that is idle")

    def has_idle_kernel(self) -> bool:
        """The notebook's kernel is there and waits."""
        return [kernel["execution_state"] for kernel in self.ask("/api/kernels")] == ["idle"]

    def ask(self, path: str) -> list[dict[str, Any]]:
        """A list that Jupyter Server's own API answers with; empty while a kernel starts, when it answers 500."""
        request = urllib.request.Request(f"{self.url}{path}", headers={"Authorization": f"token {self.token}"})
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                found: list[dict[str, Any]] = json.load(response)
        except urllib.error.HTTPError:
            return []
        return found

    def request(self, path: str, *, method: str = "GET", token: str | None = None) -> int:
        """The status of a request without a browser's cookies."""
        headers = {"Authorization": f"token {token}"} if token else {}
        body = b"{}" if method == "POST" else None
        request = urllib.request.Request(f"{self.url}{path}", method=method, headers=headers, data=body)
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return int(response.status)
        except urllib.error.HTTPError as refusal:
            return refusal.code


@pytest.fixture(scope="session")
def python() -> Path:
    """The interpreter of the workspace, with the tools installed."""
    named = os.environ.get("PRACTICUM_WORKSPACE_PYTHON", "")
    if not named:
        pytest.fail("PRACTICUM_WORKSPACE_PYTHON must name the Python of an environment with JupyterLab 4.")
    subprocess.run([named, str(INSTALLER)], check=True, capture_output=True)
    return Path(named)


@pytest.fixture(scope="session")
def running_lab(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab, started as the hub starts it: tools found through the environment's own folders."""
    top, token, port = tmp_path_factory.mktemp("workspace"), "lab-token", free_port()
    home, log = top / "home", top / "lab.log"
    project = home / "digits"
    project.mkdir(parents=True)
    foreign = {name: text for name, text in os.environ.items() if not name.startswith(("PRACTICUM_", "JUPYTER", "JPY"))}
    with FakeSite() as site:
        environment = (
            foreign | site.environment(str(project)) | {"HOME": str(home), "PRACTICUM_ACTIVITY_SECONDS": "0.5"}
        )
        lab = Lab(
            url=f"http://127.0.0.1:{port}",
            token=token,
            home=home,
            project=project,
            site=site,
            environment=environment,
            python=python,
            log=log,
        )
        arguments = ["--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"]
        arguments += [f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={home}"]
        command = [str(python), "-m", "jupyterlab", *arguments]
        with log.open("wb") as sink:
            process = subprocess.Popen(command, env=environment, cwd=home, stdout=sink, stderr=sink)
        try:
            _wait_until_ready(lab, process=process)
            yield lab
        finally:
            _stop(process)


@pytest.fixture
def lab(running_lab: Lab) -> Lab:
    """The lab with a fresh project and layout, no kernels or terminals, and a site with two scored submissions."""
    for kind in ("sessions", "terminals"):
        for each in running_lab.ask(f"/api/{kind}"):
            running_lab.request(
                f"/api/{kind}/{each.get('id') or each['name']}", method="DELETE", token=running_lab.token
            )
    # The layout that an earlier page left, perhaps half made, is no other test's.
    shutil.rmtree(running_lab.home / ".jupyter" / "lab" / "workspaces", ignore_errors=True)
    shutil.rmtree(running_lab.project)
    running_lab.project.mkdir()
    _write_project(running_lab.project)
    running_lab.site.reset()
    running_lab.site.seed(count=2)
    return running_lab


def _write_project(folder: Path) -> None:
    (folder / "predict.py").write_text("def predict(artifact, inputs, out):\n    out.mkdir(exist_ok=True)\n")
    cells: list[dict[str, object]] = [
        {"cell_type": "code", "id": f"c{n}", "metadata": {}, "execution_count": None, "outputs": [], "source": source}
        for n, source in enumerate(CELLS)
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (folder / "start.ipynb").write_text(json.dumps(notebook))


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask, then insist: a Jupyter Server that is asked while a kernel starts may never end."""
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_until_ready(lab: Lab, *, process: subprocess.Popen[bytes]) -> None:
    def is_ready() -> bool:
        assert process.poll() is None, f"JupyterLab ended:\n{lab.log.read_text()[-3000:]}"
        return lab.request("/api", token=lab.token) == 200

    # A refused connection is an OSError, and so is URLError.
    wait_for(
        is_ready, seconds=START_SECONDS, what=lambda: f"JupyterLab:\n{lab.log.read_text()[-3000:]}", not_yet=(OSError,)
    )


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that may reach this machine only; a request to elsewhere, or an error of a script, fails the test."""
    context = browser.new_context(viewport={"width": 1360, "height": 820})
    fresh = context.new_page()
    outside: list[str] = []
    faults: list[str] = []
    fresh.on("request", lambda request: outside.append(request.url) if _is_outside(request.url) else None)
    fresh.on("pageerror", lambda fault: faults.append(str(fault)))
    yield fresh
    context.close()
    assert (outside, faults) == ([], [])


def _is_outside(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:", "about:"))

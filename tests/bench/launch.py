"""From the request to a JupyterLab that answers: Practicum against a bare JupyterHub with DockerSpawner.

Both run here at once, with the same image, the same engine and the same proxy; launches alternate, so that whatever else
the machine does falls on both. Usable means: ``/user/<name>/api`` answers 200 through the proxy. Each notebook is stopped
and seen gone before the next one starts.
"""

from __future__ import annotations

import os
import re
import secrets
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.bench.report import heading, spread, verdict
from tests.e2e.conftest import PASSWORD, ROOT, RunningDemo, free_demo_port, start_demo
from tests.tools.postgres import free_port

ROUNDS = 12
WARM_UP = 1
LIMIT = 1.15
POLL_SECONDS = 0.05
LAUNCH_SECONDS = 90
INTERN = "kofi"


def usable(url: str) -> None:
    """Wait until the notebook server answers at ``url``. Nobody is signed in and no redirect is followed: the same for both."""
    until = time.monotonic() + LAUNCH_SECONDS
    with httpx.Client(timeout=30) as stranger:
        while time.monotonic() < until:
            answer = stranger.get(url)
            if answer.status_code == 200 and "version" in answer.text:
                return
            time.sleep(POLL_SECONDS)
    raise TimeoutError(f"{url} did not answer")


def gone(client: httpx.Client, url: str, *, notebook: str) -> None:
    """Wait until the hub says that the server is gone and the proxy has dropped its route."""
    until = time.monotonic() + LAUNCH_SECONDS
    while time.monotonic() < until:
        if client.get(url).json().get("server") is None and httpx.get(notebook).status_code != 200:
            return
        time.sleep(0.1)
    raise TimeoutError(f"{url} still has a server")


class Practicum:
    """A running demo, asked as a browser asks it."""

    def __init__(self, demo: RunningDemo) -> None:
        self.demo = demo
        self.notebook = f"{demo.hub}/user/{INTERN}/api"
        self.client = httpx.Client(timeout=30, follow_redirects=True)
        self.form(f"{demo.site}/sign-in/", page=f"{demo.site}/sign-in/", account=INTERN, password=PASSWORD)

    def form(self, url: str, *, page: str, **fields: str) -> httpx.Response:
        """POST a form with the token its page holds."""
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.client.get(page).text)
        assert found, f"{page} holds no form"
        return self.client.post(url, data={"csrfmiddlewaretoken": found[1], **fields}, headers={"Referer": page})

    def launch(self) -> float:
        """Seconds from the POST to a usable notebook; its form's token is fetched before."""
        page = f"{self.demo.site}/notebook/"
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.client.get(page).text)
        assert found
        began = time.monotonic()
        answer = self.client.post(
            f"{self.demo.site}/notebook/start/",
            data={"csrfmiddlewaretoken": found[1]},
            headers={"Referer": page},
            follow_redirects=False,
        )
        assert answer.status_code in (200, 204, 302, 303), answer.text
        usable(self.notebook)
        return time.monotonic() - began

    def stop(self) -> None:
        """End the session and wait until the site has seen the container gone."""
        page = f"{self.demo.site}/notebook/"
        self.form(f"{self.demo.site}/notebook/stop/", page=page)
        until = time.monotonic() + LAUNCH_SECONDS
        while "notebook/stop/" in (text := self.client.get(page).text) or "notebook/start/" not in text:
            assert time.monotonic() < until, "the session did not end"
            time.sleep(0.2)


BARE_CONFIG = """
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_bind_url = "http://{address}:{api_port}"
c.JupyterHub.hub_connect_url = "http://{address}:{api_port}"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "dockerspawner.DockerSpawner"
c.DockerSpawner.image = "{image}"
c.DockerSpawner.cmd = ["jupyterhub-singleuser"]
c.DockerSpawner.network_name = "{network}"
c.DockerSpawner.use_internal_ip = True
c.DockerSpawner.remove = True
c.DockerSpawner.prefix = "bare-bench"
c.ConfigurableHTTPProxy.command = {proxy}
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy_port}"
c.JupyterHub.services = [{{"name": "bench", "api_token": "{token}"}}]
c.JupyterHub.load_roles = [{{"name": "bench", "scopes": ["admin:users", "admin:servers"], "services": ["bench"]}}]
"""


class Bare:
    """JupyterHub as its documentation sets it up with DockerSpawner."""

    def __init__(self, *, port: int, api: str, token: str) -> None:
        self.api = api
        self.notebook = f"http://127.0.0.1:{port}/user/{INTERN}/api"
        self.client = httpx.Client(timeout=30, follow_redirects=True, headers={"Authorization": f"token {token}"})

    def launch(self) -> float:
        """Seconds from the POST to a usable notebook."""
        began = time.monotonic()
        answer = self.client.post(f"{self.api}/users/{INTERN}/server")
        assert answer.status_code in (201, 202), answer.text
        usable(self.notebook)
        return time.monotonic() - began

    def stop(self) -> None:
        """Stop the server and wait until it is gone."""
        self.client.delete(f"{self.api}/users/{INTERN}/server")
        gone(self.client, f"{self.api}/users/{INTERN}", notebook=self.notebook)


@contextmanager
def bare_hub(*, image: str, network: str, address: str, docker_host: str) -> Iterator[Bare]:
    """A bare hub that runs, on the same network as the demo's notebooks."""
    port, api_port, proxy_port, token = free_port(), free_port(), free_port(), secrets.token_hex(32)
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "jupyterhub_config.py"
        proxy = [str(ROOT / "node_modules" / ".bin" / "configurable-http-proxy")]
        config.write_text(
            BARE_CONFIG.format(
                port=port, api_port=api_port, proxy_port=proxy_port, address=address,
                image=image, network=network, token=token, proxy=proxy,
            )
        )  # fmt: skip
        env = {k: v for k, v in os.environ.items() if not k.startswith("PRACTICUM_")} | {"DOCKER_HOST": docker_host}
        command = [str(ROOT / ".venv" / "bin" / "jupyterhub"), "-f", str(config), "--log-level=ERROR"]
        process = subprocess.Popen(command, cwd=folder, env=env)
        bare = Bare(port=port, api=f"http://127.0.0.1:{port}/hub/api", token=token)
        try:
            wait_for_hub(bare)
            assert bare.client.post(f"{bare.api}/users/{INTERN}").status_code == 201
            yield bare
        finally:
            process.terminate()
            process.wait(timeout=30)


def wait_for_hub(bare: Bare) -> None:
    """Wait until the bare hub answers."""
    for _ in range(300):
        try:
            if bare.client.get(f"{bare.api}/").status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise TimeoutError("the bare hub did not answer")


def main() -> bool:
    """Alternate launches and compare medians."""
    heading("Launch: POST to usable JupyterLab, Practicum against bare JupyterHub + DockerSpawner, alternating")
    with tempfile.TemporaryDirectory() as folder:
        demo = start_demo(Path(folder) / "demo", port=free_demo_port())
        try:
            settings = demo.environment_of("worker")
            with bare_hub(
                image=settings["PRACTICUM_WORKSPACE_IMAGE"],
                network=settings["PRACTICUM_NETWORK"],
                address=settings["PRACTICUM_DEMO_ADDRESS"],
                docker_host=settings["DOCKER_HOST"],
            ) as bare:
                return compare(Practicum(demo), bare)
        finally:
            demo.stop()


def compare(practicum: Practicum, bare: Bare) -> bool:
    """Run the rounds; the first of each is a warm-up and does not count."""
    times: dict[str, list[float]] = {"Practicum": [], "bare hub": []}
    for turn in range(ROUNDS + WARM_UP):
        for name, side in (("Practicum", practicum), ("bare hub", bare)):
            seconds = side.launch()
            side.stop()
            if turn >= WARM_UP:
                times[name].append(seconds)
    for name, values in times.items():
        print(f"  {name:10} {spread(values)}")
    medians = {name: statistics.median(values) for name, values in times.items()}
    return verdict("launch", medians["Practicum"] / medians["bare hub"], limit=LIMIT)

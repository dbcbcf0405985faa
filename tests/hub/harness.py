"""A real JupyterHub behind a real configurable-http-proxy, with the settings the hub runs with."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from tests.hub.fake_site import CLIENT_SECRET, HUB_TOKEN
from tests.tools.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
API_TOKEN = "site-to-hub-" + "x" * 32
PROXY_TOKEN = "proxy-" + "x" * 32


def session_of(username: str) -> str:
    """The id of a person's session here: a server without a container is ended by it, whichever process started it."""
    return f"session-of-{username}-{os.getpid()}"


def free_ports(count: int) -> tuple[int, ...]:
    """Ports of this machine that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = tuple(int(s.getsockname()[1]) for s in sockets)
    for listening in sockets:
        listening.close()
    return ports


@dataclass
class Hub:
    """Hub and proxy as two processes; ``engine`` and ``options`` are further variables and arguments."""

    folder: Path
    site_port: int
    engine: dict[str, str]
    options: tuple[str, ...] = ()
    ports: tuple[int, ...] = field(default_factory=lambda: free_ports(3))
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where browsers go."""
        return f"http://127.0.0.1:{self.ports[0]}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables of both processes."""
        site = f"http://127.0.0.1:{self.site_port}"
        return {
            **{k: v for k, v in os.environ.items() if not k.startswith(("PRACTICUM_", "JUPYTERHUB_"))},
            "PYTHONPATH": str(ROOT / "hub"),
            "PRACTICUM_SITE_URL": site,
            "PRACTICUM_SITE_INTERNAL_URL": site,
            "PRACTICUM_HUB_URL": self.url,
            "PRACTICUM_HUB_BIND": self.url,
            "PRACTICUM_HUB_API_URL": f"http://127.0.0.1:{self.ports[2]}/hub/api",
            "PRACTICUM_HUB_PROXY_API_URL": f"http://127.0.0.1:{self.ports[1]}",
            "PRACTICUM_HUB_DATA_DIR": str(self.folder),
            "PRACTICUM_HUB_API_TOKEN": API_TOKEN,
            "PRACTICUM_HUB_SITE_TOKEN": HUB_TOKEN,
            "PRACTICUM_OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "CONFIGPROXY_AUTH_TOKEN": PROXY_TOKEN,
            "JUPYTERHUB_CRYPT_KEY": "5" * 64,
            **self.engine,
        }

    def start_proxy(self) -> None:
        """Start the proxy; it outlives the hub."""
        proxy = ROOT / "node_modules/.bin/configurable-http-proxy"
        hub = f"http://127.0.0.1:{self.ports[2]}"
        addresses = ["--ip", "127.0.0.1", "--port", str(self.ports[0])]
        addresses += ["--api-ip", "127.0.0.1", "--api-port", str(self.ports[1])]
        self._run("proxy", [str(proxy), *addresses, "--default-target", hub, "--error-target", f"{hub}/hub/error"])

    def start_hub(self) -> None:
        """Start the hub and return when it answers through the proxy."""
        config = str(ROOT / "hub/jupyterhub_config.py")
        self._run("hub", [sys.executable, "-m", "jupyterhub", "-f", config, *self.options])
        wait_for(self._answers, seconds=180, what=lambda: self.log("hub"))

    def kill(self, name: str) -> None:
        """kill -9."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        """End both processes."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(timeout=20)

    def log(self, name: str) -> str:
        """What a process has written."""
        return (self.folder / f"{name}.log").read_text()

    def api(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        """One call as the site makes it."""
        headers = {"Authorization": f"token {API_TOKEN}"}
        return httpx.request(method, f"{self.url}/hub/api{path}", headers=headers, timeout=30, **kwargs)

    def forget(self, *usernames: str) -> None:
        """Stop these people's servers, remove the people and their folders."""
        for username in usernames:
            if self.api("GET", f"/users/{username}").status_code == 200:
                self.api("DELETE", f"/users/{username}/server")
                wait_for(partial(self._is_gone, username), seconds=20, what="its server is gone")
                assert self.api("DELETE", f"/users/{username}").status_code == 204
            shutil.rmtree(self.folder / "workspaces" / username, ignore_errors=True)

    def browser(self) -> httpx.Client:
        """Somebody's browser: keeps cookies, follows redirects."""
        return httpx.Client(follow_redirects=True, timeout=20)

    def server(self, username: str) -> dict[str, Any]:
        """The hub's view of a person's server; empty when there is none."""
        servers: dict[str, dict[str, Any]] = self.api("GET", f"/users/{username}").json()["servers"]
        return servers.get("", {})

    def begin(self, username: str) -> None:
        """Make the user and start the server without waiting for an answer."""
        self.api("POST", f"/users/{username}")
        threading.Thread(target=self._post_server, args=(username,), daemon=True).start()

    def _post_server(self, username: str) -> None:
        with contextlib.suppress(httpx.HTTPError):  # the hub may be killed meanwhile
            self.api("POST", f"/users/{username}/server")

    def launch(self, username: str) -> None:
        """Make the user, start the server, and return when the hub says it is ready."""
        self.api("POST", f"/users/{username}")
        assert self.api("POST", f"/users/{username}/server").status_code in (201, 202), self.log("hub")
        wait_for(lambda: self.server(username).get("ready"), seconds=180, what=lambda: self.log("hub")[-4000:])

    def _is_gone(self, username: str) -> bool:
        return not self.server(username)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/hub/api/", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def _run(self, name: str, command: list[str]) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdout=log, stderr=subprocess.STDOUT
            )


@contextmanager
def running(hub: Hub) -> Iterator[Hub]:
    """Proxy and hub, for the time of the block."""
    try:
        hub.start_proxy()
        hub.start_hub()
        yield hub
    finally:
        hub.stop()

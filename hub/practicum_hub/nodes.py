"""The engine of the server that a lease is on: the hub's own, or another server's, whose address and keys lie in a folder.

``<folder>/<server>/address`` is ``tcp://…``, ``ssh://…`` or ``unix://…``; beside it lie ``ca.pem``, ``cert.pem``, ``key.pem``.
The site's worker writes them; the hub only reads. A server without such a folder is the hub's own.
"""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import docker
from docker.errors import DockerException

CALL_SECONDS = 15
OLDEST_VERSION = "1.41"
# A server that did not answer is left in peace for so long by those who only look.
PEACE_SECONDS = 10.0
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")


class Node:
    """One server's engine as the hub reaches it. Its calls have threads of their own: a slow server holds up no other."""

    def __init__(self, folder: Path) -> None:
        self.executor = ThreadPoolExecutor(8, thread_name_prefix=f"engine-{folder.name}")
        self._folder = folder
        self._client: docker.APIClient | None = None
        self._written = 0
        self._silent_until = 0.0

    @property
    def client(self) -> docker.APIClient:
        """Connected; anew where its keys were changed.

        Raises:
            DockerException: what is needed is not in the folder, or it does not answer.
        """
        try:
            written = self._folder.stat().st_mtime_ns
            if self._client is None or written != self._written:
                self._client = connected(self._folder)
                self._written = written
        except (FileNotFoundError, PermissionError) as fault:
            raise DockerException("The address of the server can't be read.") from fault
        return self._client

    @property
    def is_silent(self) -> bool:
        """It did not answer just now."""
        return time.monotonic() < self._silent_until

    def note_silence(self) -> None:
        """It does not answer."""
        self._silent_until = time.monotonic() + PEACE_SECONDS


def connected(folder: Path) -> docker.APIClient:
    """A client that speaks the engine's version and knows nothing of this process's proxies and authorities."""
    version: str | None = None
    while True:
        client = docker.APIClient(version=version or OLDEST_VERSION, timeout=CALL_SECONDS, **arguments(folder))
        client.trust_env = False
        if version is not None:
            return client
        version = client.version(api_version=False)["ApiVersion"]
        client.close()


def arguments(folder: Path) -> dict[str, Any]:
    """docker-py's arguments for the engine of a server."""
    url = (folder / "address").read_text().strip()
    if not url.startswith("tcp://"):
        return {"base_url": url, "use_ssh_client": url.startswith("ssh://")}
    own = (str(folder / "cert.pem"), str(folder / "key.pem"))
    return {"base_url": url, "tls": docker.tls.TLSConfig(client_cert=own, ca_cert=str(folder / "ca.pem"), verify=True)}


class Nodes:
    """Those that were asked for, by name."""

    def __init__(self) -> None:
        self._known: dict[str, Node] = {}

    def of(self, server: str, *, folder: str) -> Node | None:
        """The server's engine; None where it is the hub's own. One that had a folder once is never taken for the hub's own."""
        if server in self._known:
            return self._known[server]
        if not folder or not NAME.fullmatch(server) or not (Path(folder) / server).is_dir():
            return None
        return self._known.setdefault(server, Node(Path(folder) / server))

"""The engines of other servers: where each is, and what the site shows it so that it listens.

A *node* is a folder ``<servers>/<name>``, readable by its owner alone: ``address`` (``tcp://192.0.2.7:2376``,
``ssh://practicum@192.0.2.7`` or ``unix:///some/socket``) and, for ``tcp``, ``ca.pem``, ``cert.pem`` and ``key.pem``. A server
without such a folder is the one whose engine ``DOCKER_HOST`` names. They are files and never rows: neither the web process
nor a page has them.
"""

from __future__ import annotations

import concurrent.futures
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

import docker

from practicum.engine.base import HERE, Engine
from practicum.errors import EngineError, EngineUnavailable

OLDEST_VERSION = "1.41"
SCHEMES = ("tcp", "ssh", "unix")
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
# Somewhat more than one call to another server may take.
ANSWER_SECONDS = 20.0
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Node:
    """One server's engine. ``written``: when its folder was last changed, so that new certificates are taken up."""

    name: str
    folder: Path
    written: int

    def arguments(self) -> dict[str, Any]:
        """docker-py's arguments for a client.

        Raises:
            EngineUnavailable: what is needed is not in its folder.
        """
        try:
            url = (self.folder / "address").read_text().strip()
        except OSError as error:
            raise EngineUnavailable(f"The address of the server {self.name} can't be read.") from error
        scheme = urlsplit(url).scheme
        if scheme not in SCHEMES:
            raise EngineUnavailable(f"The address of the server {self.name} is none of {', '.join(SCHEMES)}.")
        if scheme == "tcp":
            pair = (str(self.folder / "cert.pem"), str(self.folder / "key.pem"))
            tls = docker.tls.TLSConfig(client_cert=pair, ca_cert=str(self.folder / "ca.pem"), verify=True)
            return {"base_url": url, "tls": tls}
        return {"base_url": url, "use_ssh_client": scheme == "ssh"}

    def connect(self, *, seconds: int) -> docker.DockerClient:
        """A connection of its own, whose calls may take so long.

        The variables of this process (a proxy, a bundle of authorities) are for the world outside and hold for none of it;
        docker-py asks for the engine's version before it can be told so, and is therefore made twice.
        """
        client = docker.DockerClient(version=OLDEST_VERSION, timeout=seconds, **self.arguments())
        client.api.trust_env = False
        try:
            spoken = client.api.version(api_version=False)["ApiVersion"]
        finally:
            client.close()
        client = docker.DockerClient(version=spoken, timeout=seconds, **self.arguments())
        client.api.trust_env = False
        return client


@dataclass(frozen=True)
class Nodes:
    """All of them; what is added or removed while the worker runs is seen at the next look."""

    folder: Path

    def names(self) -> list[str]:
        """The servers that have an engine of their own, in order."""
        try:
            return sorted(entry.name for entry in self.folder.iterdir() if NAME.fullmatch(entry.name))
        except FileNotFoundError:
            return []

    def of(self, server: str) -> Node | None:
        """The server's own engine; None where it has none, and is this machine."""
        folder = self.folder / server
        if not NAME.fullmatch(server) or not folder.is_dir():
            return None
        return Node(server, folder, folder.stat().st_mtime_ns)


@dataclass
class Survey(Generic[Answer]):
    """What the engines answered, and the faults of those that did not, both by server."""

    answers: dict[str, Answer] = field(default_factory=dict)
    silent: dict[str, EngineError] = field(default_factory=dict)

    def is_silent(self, server: str) -> bool:
        """Nothing is known of what runs on this server."""
        return (server if server in self.answers.keys() | self.silent.keys() else HERE) in self.silent

    def check(self) -> None:
        """Raises: EngineError: this machine's own engine did not answer."""
        if HERE in self.silent:
            raise self.silent[HERE]


def ask_all(engine: Engine, ask: Callable[[Engine], Answer], *, seconds: float = ANSWER_SECONDS) -> Survey[Answer]:
    """Ask every server's engine at once; one that is not done after ``seconds`` is silent, and holds up nobody."""
    engines = engine.everywhere()
    survey: Survey[Answer] = Survey()
    if len(engines) == 1:
        _note(survey, HERE, lambda: ask(engine))
        return survey
    pool = concurrent.futures.ThreadPoolExecutor(len(engines), thread_name_prefix="servers")
    asked = {pool.submit(ask, one): name for name, one in engines.items()}
    done, late = concurrent.futures.wait(asked, timeout=seconds)
    for future in done:
        _note(survey, asked[future], future.result)
    for future in late:
        survey.silent[asked[future]] = EngineUnavailable(f"The container engine of {asked[future]} is slow to answer.")
    pool.shutdown(wait=False)
    return survey


def _note(survey: Survey[Answer], server: str, result: Callable[[], Answer]) -> None:
    try:
        survey.answers[server] = result()
    except EngineError as fault:
        survey.silent[server] = fault


def engines_of(engine: Engine, survey: Survey[Answer]) -> Mapping[str, Engine]:
    """The engines that answered."""
    return {name: one for name, one in engine.everywhere().items() if name in survey.answers}

"""Spawners that start a notebook only on a lease of the site, and tell the site what became of it.

Invariants:

- Nothing is started without a claim (``claim.py``); no option of the request has any influence.
- ``stopped`` and ``failed`` are said only after the container was observed gone, with the lease's fencing token. A
  container that can't be observed counts as running.
- Session and token are in the spawner's state before anything starts, so a restarted hub still speaks for them.
"""

from __future__ import annotations

import asyncio
import html
import json
import os
import shutil
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import requests
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.types import IPAMConfig, IPAMPool
from dockerspawner import DockerSpawner
from jupyterhub.spawner import SimpleLocalProcessSpawner, Spawner
from jupyterhub.utils import maybe_future
from tornado import web
from traitlets import Unicode

from practicum_hub import claim as claims
from practicum_hub.claim import Claim
from practicum_hub.logs import belonging_to
from practicum_hub.nodes import Node, Nodes
from practicum_hub.site import ClaimRefused, SiteClient, SiteError, SiteUnavailable, site_client

GONE_SECONDS = 60.0
ANSWER_POLL_SECONDS = 0.05
ALIVE_POLL_SECONDS = 1.0
NEVER_ANSWERED = "The notebook server did not answer in time."
Address = tuple[str, int]

_reports: set[asyncio.Task[None]] = set()


class StartRefused(web.HTTPError):
    """A start that does not happen, with a sentence for the person and the page where to go on."""

    def __init__(self, status: int, message: str, *, url: str = "") -> None:
        super().__init__(status, message.replace("%", "%%"))
        self.jupyterhub_message = message
        link = (
            f' <a href="{html.escape(url)}">Go on at Practicum</a>' if url.startswith(("http://", "https://")) else ""
        )
        self.jupyterhub_html_message = html.escape(message) + link


class StartFailed(StartRefused):
    """The container or process did not come up."""

    def __init__(self, message: str) -> None:
        super().__init__(500, message)


class LeasedSpawner(Spawner):  # type: ignore[misc]
    """What both spawners share: claim, start, report. The engine's part is in the class that mixes this in."""

    site_url = Unicode(help="Address of the site as the hub reaches it.").tag(config=True)
    site_token = Unicode(help="The hub's bearer token at the site.").tag(config=True)

    session: str = ""
    token: int = 0
    lease: str = ""
    _launch: asyncio.Task[Address] | None = None
    # Why the session failed if it ended now; None once it was ready.
    _fault: str | None = None
    _last_report: asyncio.Task[None] | None = None

    @property
    def site(self) -> SiteClient:
        """The site, for this process."""
        return site_client(self.site_url, self.site_token)

    def prepare(self, claim: Claim) -> None:
        """Take over what the claim grants."""
        raise NotImplementedError

    async def reach(self) -> None:
        """Return once it is clear that a server can be started at all.

        Raises:
            StartRefused: not just now; nothing was begun.
        """

    async def look(self) -> int | str | None:
        """None while the server runs or can't be asked about, else how it ended."""
        raise NotImplementedError

    async def end(self, *, now: bool) -> None:
        """Ask the server to end, then make it."""
        raise NotImplementedError

    async def observe_gone(self) -> None:
        """Return once nothing of this session is left, removing it where that helps.

        Raises:
            TimeoutError: something is still there.
        """
        raise NotImplementedError

    async def start(self) -> Address:
        """Claim, start, and wait until the server accepts connections.

        Raises:
            StartRefused: options were posted, the site grants nothing, or the engine does not answer.
            StartFailed: the container or process did not come up.
        """
        self._refuse_options()
        with belonging_to(user=self.user.name, request=uuid4().hex):
            claim = await self._claim()
            self.prepare(claim)
            await self.reach()
            self._remember(claim)
            with self._matter():
                self._report("starting")
                return await self._start(super().start())

    async def _start(self, launch: Awaitable[Address]) -> Address:
        self._launch = asyncio.ensure_future(launch)
        try:
            # Shielded: a cancelled start must not lose sight of a container that is being created.
            address: Address = await asyncio.shield(self._launch)
            await self._wait_until_listening(address)
        except (DockerException, requests.RequestException, OSError) as fault:
            self._fault = explain(fault)
            raise StartFailed(self._fault) from fault
        except StartFailed as fault:
            self._fault = fault.jupyterhub_message
            raise
        return address

    async def poll(self) -> int | str | None:
        """None while the server runs, is being made, or can't be asked about: only what is seen gone is gone."""
        is_being_made = self._launch is not None and not self._launch.done()
        with self._matter():
            return None if is_being_made else await self.look()

    async def stop(self, now: bool = False) -> None:
        """Stop the server and return when it is gone; a start under way is waited for, so that none is left."""
        with self._matter():
            if self._launch is not None:
                await asyncio.wait([self._launch], timeout=GONE_SECONDS)
            await self.end(now=now)
            await self.observe_gone()

    async def run_post_stop_hook(self) -> None:
        """JupyterHub's last step of every end, wanted or not: observe it, then report it."""
        await maybe_future(super().run_post_stop_hook())
        if not self.session:
            return
        with self._matter():
            await self.observe_gone()
            # JupyterHub forgets the start's future when somebody cancelled the start.
            cancelled = self._spawn_future is None
            if self._fault is None or cancelled:
                self._report("stopped")
            else:
                self._report("failed", self._fault)
        self.session, self.token, self.lease = "", 0, ""

    def add_poll_callback(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """JupyterHub watches a server from the moment the proxy routes to it: that is when it is ready."""
        super().add_poll_callback(callback, *args, **kwargs)
        if self._fault is not None:
            self._fault = None
            self._persist()
            self._report("ready")

    def get_env(self) -> dict[str, str]:
        """JupyterHub's variables, and the claim's; neither side can set the other's."""
        return {**self.claimed_environment, **super().get_env(), **self.gpu_environment}

    claimed_environment: dict[str, str] = {}
    gpu_environment: dict[str, str] = {}

    def get_state(self) -> dict[str, Any]:
        """Adds the session, its fencing token, and whether it was ready."""
        state: dict[str, Any] = super().get_state()
        held = {"session": self.session, "lease": self.lease, "token": self.token, "was_ready": self._fault is None}
        return state | ({"practicum": held} if self.session else {})

    def load_state(self, state: dict[str, Any]) -> None:
        """Takes up the session again after a restart of the hub."""
        super().load_state(state)
        held = state.get("practicum", {})
        self.session, self.token = str(held.get("session", "")), int(held.get("token", 0))
        self.lease = str(held.get("lease", ""))
        self._fault = None if held.get("was_ready", True) else NEVER_ANSWERED

    def _matter(self) -> AbstractContextManager[None]:
        """What lines of the log written inside belong to."""
        return belonging_to(user=self.user.name, session=self.session, lease=self.lease)

    def _refuse_options(self) -> None:
        if self.user_options:
            # JupyterHub has saved them as the next start's default already.
            self.orm_spawner.user_options = {}
            raise StartRefused(400, "A notebook takes no options: image, GPU and limits come with its lease.")

    async def _claim(self) -> Claim:
        try:
            return await self.site.claim(self.user.name)
        except ClaimRefused as refusal:
            raise StartRefused(refusal.status, refusal.message, url=refusal.url) from refusal
        except SiteUnavailable as fault:
            self.log.error("claim failed: %s", fault)
            raise StartRefused(503, "The site can't be asked for a lease right now. Try again in a minute.") from fault

    def _remember(self, claim: Claim) -> None:
        self.session, self.token = claim.session, claim.token
        self.lease = claim.labels.get(f"{claims.LABEL}.lease", "")
        self.gpu_environment = {"NVIDIA_VISIBLE_DEVICES": claim.gpu or "void"}
        self._fault = NEVER_ANSWERED
        self._persist()

    def _persist(self) -> None:
        self.orm_spawner.state = self.get_state()
        self.user.db.commit()

    def _report(self, state: str, message: str = "") -> None:
        """Send one event in the background, after the events before it."""
        before, session, token = self._last_report, self.session, self.token

        async def send() -> None:
            if before is not None:
                await asyncio.wait([before])
            try:
                await self.site.event(session, token=token, state=state, message=message)
            except SiteError as fault:
                self.log.warning("event %r of session %s was lost: %s", state, session, fault)

        task = self._last_report = asyncio.ensure_future(send())
        _reports.add(task)
        task.add_done_callback(_reports.discard)

    async def _wait_until_listening(self, address: Address) -> None:
        """Knock every 50 ms; JupyterHub's own check backs off to seconds, which people would wait for.

        Raises:
            StartFailed: the server ended instead. One that is merely slow is left to JupyterHub's own time limit.
        """
        deadline = time.monotonic() + self.http_timeout
        look = time.monotonic() + ALIVE_POLL_SECONDS
        while time.monotonic() < deadline and not await _listens(address):
            if time.monotonic() > look:
                look = time.monotonic() + ALIVE_POLL_SECONDS
                if (status := await self.poll()) is not None:
                    raise StartFailed(f"The notebook server ended while it was starting ({status}).")
            await asyncio.sleep(ANSWER_POLL_SECONDS)


class PracticumSpawner(LeasedSpawner, DockerSpawner):  # type: ignore[misc]
    """A notebook in a container: exactly the leased GPU, no capabilities, limits in every dimension."""

    network_subnet = Unicode(help="IPv4 network of a network we make, e.g. 172.30.0.0/20.").tag(config=True)
    servers_dir = Unicode(help="Where the addresses and keys of other servers' engines lie.").tag(config=True)

    server_name: str = ""
    _nodes = Nodes()

    egress_proxy = Unicode(
        help="The notebooks' only way out, e.g. http://egress:3128; empty: their network's own."
    ).tag(config=True)

    # DockerSpawner has one thread for all engine calls: one slow stop would hold up every start.
    _executor = ThreadPoolExecutor(8, thread_name_prefix="engine")
    _known_networks: set[str] = set()

    def prepare(self, claim: Claim) -> None:
        """Translate the claim into DockerSpawner's settings."""
        self.server_name = claim.server
        self.image = claim.image
        self.mem_limit, self.cpu_limit = claim.memory_bytes, claim.cpus
        try:
            self.mounts = claims.mounts(claim, is_elsewhere=self.node is not None)
        except ValueError as fault:
            raise StartFailed("The project's files are not on this GPU server. An admin has to look at it.") from fault
        self.claimed_environment = claims.environment(claim)
        self.default_url = claims.starting_page(claim)
        self.extra_host_config = claims.host_config(claim)
        if self.egress_proxy:
            self.extra_host_config["dns"] = claims.NO_NAMES
        self.extra_create_kwargs = claims.create_kwargs(claim)

    @property
    def node(self) -> Node | None:
        """The engine of the lease's server; None where that is the hub's own."""
        return self._nodes.of(self.server_name, folder=self.servers_dir)

    @property
    def client(self) -> Any:
        """Connected to the engine of the lease's server."""
        return super().client if self.node is None else self.node.client

    @property
    def executor(self) -> ThreadPoolExecutor:
        """The threads for calls of that engine."""
        return self._executor if self.node is None else self.node.executor

    def get_state(self) -> dict[str, Any]:
        """Adds the server, so that a restarted hub finds the container again."""
        return super().get_state() | ({"practicum_server": self.server_name} if self.session else {})

    def load_state(self, state: dict[str, Any]) -> None:
        """The server first: whatever is asked next is asked there."""
        self.server_name = str(state.get("practicum_server", ""))
        super().load_state(state)

    async def reach(self) -> None:
        """The engine answers. While it is away the site asks again, and that costs nobody an attempt."""
        try:
            await self.docker("ping")
        except (DockerException, requests.RequestException) as fault:
            self.log.error("engine away: %s", type(fault).__name__)
            raise StartRefused(503, "The container engine does not answer just now. It is asked again.") from fault

    def get_env(self) -> dict[str, str]:
        """With the way out, where there is one, which no claim can move."""
        env = super().get_env()
        near = (env.get("PRACTICUM_API_URL", ""), env.get("JUPYTERHUB_API_URL", ""))
        return env | (claims.way_out(self.egress_proxy, near=near) if self.egress_proxy else {})

    async def create_object(self) -> dict[str, Any]:
        """Create the container; its network first, where there is none. One that spans servers is there already."""
        if self.node is None and self.network_name not in self._known_networks:
            await self._make_network()
        try:
            created: dict[str, Any] = await super().create_object()
        except APIError:
            self._known_networks.discard(self.network_name)
            raise
        return created

    async def look(self) -> int | str | None:
        """Ask the engine; one that does not answer says nothing about the container."""
        node = self.node
        if node is not None and node.is_silent:
            return None
        try:
            container = await self.docker("inspect_container", self.object_name)
        except NotFound:
            self.object_id = ""
            return 0
        except (DockerException, requests.RequestException) as fault:
            if node is not None and not isinstance(fault, APIError):
                node.note_silence()
            self.log.warning("engine can't say whether %s runs: %s", self.object_name, type(fault).__name__)
            return None
        self.object_id, state = container["Id"], container["State"]
        if state["Status"] == "created" and self._launch is None:
            return await self._start_what_was_made()
        return None if state["Running"] else f"exit code {state['ExitCode']}{' (out of memory)' * state['OOMKilled']}"

    async def _start_what_was_made(self) -> str | None:
        """Start a container that an earlier hub made and did not live to start; None when it runs now."""
        self.log.warning("%s was made by a hub that was killed; starting it", self.object_name)
        try:
            await self.docker("start", self.object_name)
        except (DockerException, requests.RequestException) as fault:
            self._fault = explain(fault)
            return self._fault
        return None

    async def get_url(self) -> str:
        """Where the container listens, asked of the engine: a hub killed during a start never wrote it down."""
        try:
            ip, port = await self.get_ip_and_port()
        except (DockerException, requests.RequestException):
            known: str = await super().get_url()
            return known
        return f"http://{ip}:{port}{self.server.base_url}"

    async def end(self, *, now: bool) -> None:
        """Stop the container by its name: its id is unknown where the hub died while it was made."""
        try:
            await self.docker("stop", self.object_name, timeout=0 if now else 10)
        except NotFound:
            self.log.debug("%s is gone already", self.object_name)

    async def observe_gone(self) -> None:
        """Remove the container by force and return when the engine no longer knows it."""
        deadline = time.monotonic() + GONE_SECONDS
        while time.monotonic() < deadline:
            try:
                await self.docker("remove_container", self.object_name, v=True, force=True)
            except NotFound:
                self.object_id = ""
                return
            except APIError as fault:
                if fault.status_code != 409:  # 409: its removal is under way
                    raise
                await asyncio.sleep(ANSWER_POLL_SECONDS)
        raise TimeoutError(f"{self.object_name} is still there after {GONE_SECONDS:.0f} s")

    async def _make_network(self) -> None:
        try:
            await self.docker("inspect_network", self.network_name)
        except NotFound:
            pool = IPAMConfig(pool_configs=[IPAMPool(subnet=self.network_subnet)]) if self.network_subnet else None
            try:
                await self.docker(
                    "create_network",
                    self.network_name,
                    driver="bridge",
                    ipam=pool,
                    options={"com.docker.network.bridge.enable_icc": "false"},
                    labels={f"{claims.LABEL}.managed": "1", f"{claims.LABEL}.instance": self.prefix},
                )
            except APIError as fault:
                if fault.status_code != 409:  # made meanwhile by another start
                    raise
        self._known_networks.add(self.network_name)


class LocalWorkspaceSpawner(LeasedSpawner, SimpleLocalProcessSpawner):  # type: ignore[misc]
    """A notebook as a process of the hub's own user: no isolation at all, for trying Practicum out alone."""

    def prepare(self, claim: Claim) -> None:
        """The person's folder, with the project's starter files from the first start on."""
        home = Path(self.home_dir)
        slug = claim.environment.get("PRACTICUM_PROJECT", "project")
        project = home / slug
        home.mkdir(parents=True, exist_ok=True)
        if not project.exists():
            shutil.copytree(claim.project_dir, project)
        public = next((m["source"] for m in claim.mounts if m["target"] == "/data"), "")
        self.notebook_dir, self.default_url = str(home), claims.starting_page(claim)
        self.claimed_environment = {
            **claims.environment(claim),
            "PRACTICUM_PROJECT_DIR": str(project),
            "PRACTICUM_DATA": public,
            "PRACTICUM_SESSION": claim.session,
            "PRACTICUM_LABELS": json.dumps(dict(claim.labels), sort_keys=True),
        }

    def get_args(self) -> list[str]:
        """Jupyter refuses to run as root unless told."""
        args: list[str] = super().get_args()
        return [*args, "--allow-root"] if os.geteuid() == 0 else args

    async def look(self) -> int | None:
        """Ask the operating system about the process."""
        status: int | None = await SimpleLocalProcessSpawner.poll(self)
        return status

    async def end(self, *, now: bool) -> None:
        """Interrupt, terminate, kill."""
        await SimpleLocalProcessSpawner.stop(self, now=now)

    async def observe_gone(self) -> None:
        """Kill what still carries this session's labels and return when nothing does."""
        deadline = time.monotonic() + GONE_SECONDS
        while left := await asyncio.to_thread(_processes_of, self.session):
            if time.monotonic() > deadline:
                raise TimeoutError(f"processes {left} are still there after {GONE_SECONDS:.0f} s")
            await asyncio.sleep(ANSWER_POLL_SECONDS)


def explain(fault: Exception) -> str:
    """What a person who waits for a notebook is told about an engine's fault; no path, no host."""
    if isinstance(fault, ImageNotFound):
        return "The image of this project is not on the GPU server. An admin has to build it."
    if isinstance(fault, requests.RequestException):
        return "The container engine does not answer. An admin has to look at it."
    if isinstance(fault, APIError):
        return f"The container engine refused to start the notebook ({fault.status_code})."
    return "The notebook server could not be started."


async def _listens(address: Address) -> bool:
    try:
        # Not wait_for: before Python 3.12 it can swallow the cancellation of a start.
        async with asyncio.timeout(1):
            _, writer = await asyncio.open_connection(*address)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def _processes_of(session: str) -> list[int]:
    """The processes that carry this session's id, each sent a kill on the way."""
    left = []
    for process in psutil.process_iter():
        try:
            if session and process.environ().get("PRACTICUM_SESSION") == session:
                process.kill()
                left.append(process.pid)
        except (psutil.Error, OSError):
            continue
    return left

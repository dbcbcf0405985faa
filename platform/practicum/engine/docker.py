"""The Docker Engine behind the port: this machine's, or another server's. What a container gets is in :mod:`.template`."""

from __future__ import annotations

import contextlib
import logging
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.types import LogConfig

from practicum.engine import carrying, template
from practicum.engine.base import (
    FILES,
    HERE,
    LABEL_INSTANCE,
    LABEL_KIND,
    LABEL_MANAGED,
    LOG_TAIL_BYTES,
    Container,
    ContainerSpec,
    Engine,
    Exit,
    Labels,
    OnMemory,
    Piped,
    Volume,
    files_volume,
)
from practicum.engine.nodes import Node, Nodes
from practicum.engine.tars import tar_of
from practicum.engine.wire import Wire
from practicum.errors import EngineRefused, EngineUnavailable

log = logging.getLogger(__name__)

CALL_SECONDS = 60
# Of another server: one that does not answer must not hold up those that do.
NODE_CALL_SECONDS = 15
TICK_SECONDS = 1
LINE_POLL_SECONDS = 0.02
STOP_GRACE_SECONDS = 1
GONE = (404, 409)
NETWORK_FAULTS = (
    requests.exceptions.ConnectionError,
    requests.exceptions.Timeout,
    requests.exceptions.ChunkedEncodingError,  # it died in the middle of an answer
)


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Map what docker-py raises to our tree. The engine's own words name paths of the host, so they go to the log."""
    try:
        yield
    except APIError as error:
        raise _refusal(error) from error
    except (*NETWORK_FAULTS, DockerException) as error:
        raise EngineUnavailable("The container engine does not answer.") from error


def _refusal(error: APIError) -> EngineRefused:
    log.warning("the engine refused: %s", error.explanation or error)
    if isinstance(error, ImageNotFound):
        return EngineRefused("The image is not on this container engine. An admin has to build it.")
    if isinstance(error, NotFound):
        return EngineRefused("The container engine has no such container or volume.")
    return EngineRefused(f"The container engine refused (status {error.status_code}).")


def lasting(labels: Labels) -> Labels:
    """What a volume is labelled with that outlives the container it was made for."""
    return {LABEL_INSTANCE: labels.get(LABEL_INSTANCE, ""), LABEL_KIND: FILES}


class DockerEngine:
    """An :class:`~practicum.engine.base.Engine` on the Docker Engine of ``DOCKER_HOST`` (default: the local socket).

    ``nodes``: the engines of other servers; ``node``: it is one of them, and folders of this machine are copied there.
    """

    def __init__(self, *, nodes: Nodes | None = None, node: Node | None = None) -> None:
        self._connected: docker.DockerClient | None = None
        self._nodes = nodes
        self._node = node
        self._copies: dict[str, list[template.Copy]] = {}
        self._others: dict[Node, DockerEngine] = {}

    def at(self, server: str) -> DockerEngine:
        """The engine of that server, or this one where it has no address."""
        node = self._nodes.of(server) if self._nodes and server else None
        return self if node is None else self._others.setdefault(node, DockerEngine(node=node))

    def everywhere(self) -> Mapping[str, Engine]:
        """This machine's and those of all servers with an address."""
        names = self._nodes.names() if self._nodes else []
        return {HERE: self} | {name: self.at(name) for name in names}

    @property
    def _client(self) -> docker.DockerClient:
        if self._connected is None:
            self._connected = self.connect(seconds=CALL_SECONDS if self._node is None else NODE_CALL_SECONDS)
        return self._connected

    def connect(self, *, seconds: int) -> docker.DockerClient:
        """A connection of its own, whose calls may take so long."""
        if self._node is None:
            return docker.from_env(timeout=seconds)
        return self._node.connect(seconds=seconds)

    def close(self) -> None:
        """Give the connections back; the next call makes new ones."""
        if self._connected is not None:
            self._connected.close()
            self._connected = None

    def ping(self) -> None:
        """The engine answers, or this raises."""
        with translated():
            self._client.ping()

    def start(self, spec: ContainerSpec) -> str:
        """Start a container; its id."""
        for mount in spec.mounts:
            if not mount.read_only:
                mount.source.chmod(0o777)
        copies = self._copy(spec)
        try:
            with translated():
                container = self._client.containers.create(spec.image, **template.options_of(spec, copies=copies))
                try:
                    self._launch(container, stdin=spec.stdin)
                except BaseException:
                    container.remove(force=True)
                    raise
        except BaseException:
            self._forget(copies)
            raise
        self._copies[str(container.id)] = copies
        return str(container.id)

    def _copy(self, spec: ContainerSpec) -> list[template.Copy]:
        """On another server, volumes in place of the folders of ``spec``; what stays there is not copied twice."""
        if self._node is None:
            return []
        copies: list[template.Copy] = []
        try:
            for mount in spec.mounts:
                name = files_volume(mount.source, labels=spec.labels) if mount.stays else f"practicum-{uuid4().hex}"
                copies.append(template.Copy(mount, name, image=spec.image, labels=spec.labels))
                with translated():
                    if mount.stays:
                        carrying.provide(
                            self._client, name, mount.source, image=spec.image, labels=lasting(spec.labels)
                        )
                    else:
                        tar = tar_of(mount.source)
                        carrying.fill(self._client, name, tar, image=spec.image, labels=spec.labels)
        except BaseException:
            self._forget(copies)
            raise
        return copies

    def _forget(self, copies: Iterable[template.Copy]) -> None:
        """Remove what was copied for one container; what can't be removed now is left to whoever clears away by labels."""
        for copy in copies:
            if not copy.mount.stays:
                with contextlib.suppress(EngineRefused, EngineUnavailable):
                    self.remove_volume(copy.volume)

    def provide(self, folder: Path, *, image: str, labels: Labels) -> None:
        """A copy, where it is another server's."""
        if self._node is not None:
            name = files_volume(folder, labels=labels)
            with translated():
                carrying.provide(self._client, name, folder, image=image, labels=lasting(labels))

    def has_volume(self, name: str) -> bool:
        """The engine knows it."""
        with translated():
            return carrying.has_volume(self._client, name)

    def pack_volume(self, name: str, *, image: str, labels: Labels) -> Iterator[bytes]:
        """Its content, as the engine reads it out."""
        with translated():
            yield from carrying.pack(self._client, name, image=image, labels=labels)

    def fill_volume(self, name: str, tar: Iterator[bytes], *, image: str, labels: Labels) -> None:
        """A new volume, filled."""
        with translated():
            carrying.fill(self._client, name, tar, image=image, labels=labels)

    def _launch(self, container: Any, *, stdin: str | None) -> None:
        if stdin is None:
            container.start()
            return
        stream = container.attach_socket(params={"stdin": 1, "stream": 1})
        try:
            container.start()
            stream._sock.sendall(stdin.encode())
            stream._sock.shutdown(socket.SHUT_WR)
        finally:
            stream._response.close()
            stream.close()

    def wait(
        self,
        container_id: str,
        *,
        wall_seconds: float,
        on_tick: Callable[[], None] | None = None,
        on_memory: OnMemory | None = None,
    ) -> Exit:
        """Wait for the end, or kill it at the wall limit."""
        began, peak, timed_out = time.monotonic(), None, False
        while not self._ended_within(container_id, seconds=TICK_SECONDS):
            memory = self._memory(container_id)
            peak = max(filter(None, (peak, memory.get("max_usage") or memory.get("usage"))), default=None)
            if on_memory and (held := _held_bytes(memory)) is not None:
                on_memory(held)
            if on_tick:
                on_tick()
            if time.monotonic() - began > wall_seconds:
                timed_out = True
                self.signal(container_id, "SIGKILL")
                self._ended_within(container_id, seconds=CALL_SECONDS)
                break
        self._bring_back(container_id)
        return self._exit(container_id, timed_out=timed_out, peak=peak)

    def _bring_back(self, container_id: str) -> None:
        for copy in self._copies.get(container_id, ()):
            if not copy.mount.read_only:
                with translated():
                    carrying.bring_back(self._client, container_id, copy.mount.target, into=copy.mount.source)

    def _ended_within(self, container_id: str, *, seconds: int) -> bool:
        """Whether it ended before ``seconds`` were over. The engine holds the request; there is no polling."""
        try:
            self._client.api.wait(container_id, timeout=seconds)
        except requests.exceptions.ReadTimeout:
            return False
        except requests.exceptions.ConnectTimeout as error:  # only another server's: nobody is there
            raise EngineUnavailable("The container engine does not answer.") from error
        except requests.exceptions.ConnectionError as error:
            if "timed out" in str(error).lower():
                return False
            raise EngineUnavailable("The container engine does not answer.") from error
        except APIError as error:
            raise _refusal(error) from error
        except (requests.exceptions.ChunkedEncodingError, DockerException) as error:
            raise EngineUnavailable("The container engine does not answer.") from error
        return True

    def _memory(self, container_id: str) -> dict[str, Any]:
        """The engine's figures of its memory: ``max_usage`` is there with cgroup v1 only; empty if it ended meanwhile."""
        with contextlib.suppress(APIError, *NETWORK_FAULTS):
            found: dict[str, Any] = self._client.api.stats(container_id, stream=False, one_shot=True).get(
                "memory_stats", {}
            )
            return found
        return {}

    def _exit(self, container_id: str, *, timed_out: bool, peak: int | None) -> Exit:
        with translated():
            state = self._client.api.inspect_container(container_id)["State"]
        seconds = (_moment(state["FinishedAt"]) - _moment(state["StartedAt"])).total_seconds()
        return Exit(
            exit_code=int(state["ExitCode"]),
            oom_killed=bool(state["OOMKilled"]),
            timed_out=timed_out,
            seconds=max(0.0, seconds),
            peak_memory_bytes=peak,
        )

    def pipe(
        self,
        spec: ContainerSpec,
        *,
        source: BinaryIO | None = None,
        sink: BinaryIO | None = None,
        max_bytes: int,
        wall_seconds: float,
    ) -> Piped:
        """Attach to it before it starts; the engine keeps nothing of what it prints."""
        until = time.monotonic() + wall_seconds
        copies = self._copy(spec)
        options = template.options_of(spec, copies=copies) | {
            "log_config": LogConfig(type="none"),
            "stdin_open": source is not None,
        }
        with translated():
            container = self._client.containers.create(spec.image, **options)
        container_id = str(container.id)
        self._copies[container_id] = copies
        try:
            with translated():
                wire = Wire(container.attach_socket(params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}))
            try:
                with translated():
                    container.start()
                if source is not None:
                    wire.send(source, until=until, goes_on=lambda: self._goes_on(container_id))
                is_cut = not wire.receive(sink, max_bytes=max_bytes, until=until)
            finally:
                wire.close()
            if is_cut:
                self.signal(container_id, "SIGKILL")
            ended = self.wait(container_id, wall_seconds=max(0.0, until - time.monotonic()))
            return Piped(ended, is_cut=is_cut, stderr=wire.beside.decode(errors="replace"))
        finally:
            self.remove(container_id)

    def _goes_on(self, container_id: str) -> bool:
        with translated():
            return bool(self._client.api.inspect_container(container_id)["State"]["Running"])

    def wait_for_line(self, container_id: str, line: str, *, seconds: float) -> bool:
        """Wait until the container printed exactly ``line``."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if line in self.log(container_id, stream="stdout").splitlines():
                return True
            with translated():
                if not self._client.api.inspect_container(container_id)["State"]["Running"]:
                    return line in self.log(container_id, stream="stdout").splitlines()
            time.sleep(LINE_POLL_SECONDS)
        return False

    def signal(self, container_id: str, name: str) -> None:
        """Send a signal; one that ended already is left alone."""
        for copy in self._copies.get(container_id, ()):
            if copy.mount.comes_later:
                tar = tar_of(copy.mount.source)
                with translated():
                    carrying.put(self._client, copy.volume, tar, image=copy.image, labels=copy.labels)
        with translated(), _missing_is_fine():
            self._client.api.kill(container_id, name)

    def log(self, container_id: str, *, stream: str = "both", max_bytes: int = LOG_TAIL_BYTES) -> str:
        """The end of its output. The engine keeps at most 1 MB of it, so reading is bounded."""
        with translated():
            raw: bytes = self._client.api.logs(
                container_id, stdout=stream in ("stdout", "both"), stderr=stream in ("stderr", "both")
            )
        return raw[-max_bytes:].decode(errors="replace")

    def stop(self, container_id: str) -> None:
        """Ask it to end, then make it."""
        with translated(), _missing_is_fine():
            self._client.api.stop(container_id, timeout=STOP_GRACE_SECONDS)

    def remove(self, container_id: str) -> None:
        """Forget it, running or not."""
        with translated(), _missing_is_fine():
            self._client.api.remove_container(container_id, force=True, v=True)
        self._forget(self._copies.pop(container_id, ()))

    def list(self, labels: Labels) -> Sequence[Container]:
        """All containers with these labels."""
        with translated():
            found = self._client.api.containers(all=True, filters={"label": _filters(labels)})
            found = [row for row in found if row["State"] != "dead" or self._is_there(row["Id"])]
        return [
            Container(
                id=row["Id"],
                labels=row["Labels"],
                running=row["State"] in ("running", "created", "restarting", "paused"),
                started_at=datetime.fromtimestamp(row["Created"]).astimezone(),
                addresses=_addresses(row),
            )
            for row in found
        ]

    def _is_there(self, container_id: str) -> bool:
        """An engine that was killed while it removed a container goes on listing it as dead, and knows nothing else of it."""
        try:
            self._client.api.inspect_container(container_id)
        except NotFound:
            return False
        return True

    def create_output_volume(self, name: str, *, size_bytes: int, inodes: int, labels: Labels) -> str:
        """A tmpfs: its pages count against the memory of the container that writes them; no disk is touched."""
        options = f"size={size_bytes},nr_inodes={inodes},uid={template.USER_ID},gid={template.USER_ID},mode=0700"
        with translated():
            volume = self._client.volumes.create(
                name,
                driver="local",
                driver_opts={"type": "tmpfs", "device": "tmpfs", "o": options},
                labels={LABEL_MANAGED: "1", **labels},
            )
        return str(volume.name)

    def create_volume(self, name: str, *, labels: Labels) -> str:
        """With the default driver; the engine itself leaves one of that name as it is."""
        with translated():
            return str(self._client.volumes.create(name, labels={LABEL_MANAGED: "1", **labels}).name)

    def remove_volume(self, name: str) -> None:
        """Forget a volume."""
        with translated(), _missing_is_fine():
            self._client.api.remove_volume(name, force=True)

    def list_volumes(self, labels: Labels) -> Sequence[Volume]:
        """All volumes with these labels."""
        with translated():
            found = self._client.api.volumes(filters={"label": _filters(labels)})["Volumes"] or []
        return [Volume(name=row["Name"], labels=row["Labels"] or {}) for row in found]


def _addresses(row: dict[str, Any]) -> tuple[str, ...]:
    """Of a container as it is listed; an engine says "" where there is none."""
    networks = ((row.get("NetworkSettings") or {}).get("Networks") or {}).values()
    return tuple(n[key] for n in networks for key in ("IPAddress", "GlobalIPv6Address") if n.get(key))


def _held_bytes(memory: dict[str, Any]) -> int | None:
    """What it holds now, without the file pages that the kernel may take back, as ``docker stats`` counts it."""
    usage, pages = memory.get("usage"), memory.get("stats") or {}
    if usage is None:
        return None
    return max(0, int(usage) - int(pages.get("total_inactive_file", pages.get("inactive_file", 0))))


@contextlib.contextmanager
def _missing_is_fine() -> Iterator[None]:
    """What is gone, or on its way out, needs no ending."""
    try:
        yield
    except NotFound:
        return
    except APIError as error:
        if error.status_code not in GONE:
            raise


def _filters(labels: Labels) -> list[str]:
    return [f"{name}={value}" for name, value in labels.items()]


def _moment(text: str) -> datetime:
    """The engine's nanoseconds are more digits than ``fromisoformat`` takes."""
    head, _, rest = text.partition(".")
    digits = "".join(c for c in rest if c.isdigit())[:6].ljust(6, "0")
    return datetime.fromisoformat(f"{head.rstrip('Z')}.{digits}+00:00")

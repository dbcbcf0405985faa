"""The site's services, through Compose: version 2 (``docker compose``), or 1.29 where that is what there is."""

from __future__ import annotations

import json
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Callable, Dict, List, Mapping, Optional, Sequence

from operations import envfile
from operations.telling import Failed, Stop, last_lines, run, say

HEALTHY_SECONDS = 420
PAUSE_SECONDS = 1.0
ANSWER_SECONDS = 10
BEAT_SECONDS = 60
DATABASE = "practicum"
# What writes to the database; the proxy, the agent and the notebooks go on while these stand still.
WRITERS = ("web", "worker", "hub")


def compose_command() -> List[str]:
    """How Compose is called here.

    Raises:
        Stop: it is missing or too old.
    """
    if shutil.which("docker") and _version(["docker", "compose", "version", "--short"]) >= (2,):
        return ["docker", "compose"]
    if shutil.which("docker-compose") and _version(["docker-compose", "version", "--short"]) >= (1, 29):
        return ["docker-compose"]
    raise Stop(
        "Docker Compose 2 (or 1.29) is missing. Docker's own packages have it: apt-get install docker-compose-plugin. "
        "Debian's and Ubuntu's: apt-get install docker-compose, or docker-compose-v2."
    )


def _version(command: List[str]) -> tuple:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    found = re.search(r"(\d+)\.(\d+)", done.stdout) if done.returncode == 0 else None
    return (int(found[1]), int(found[2])) if found else (0,)


class Stack:
    """The services of the deploy folder ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.command = compose_command()

    @property
    def settings(self) -> Dict[str, str]:
        """What .env says now."""
        return envfile.read(self.folder / ".env")

    def compose(
        self,
        *arguments: str,
        what: str,
        input_file: Optional[IO[bytes]] = None,
        output_file: Optional[IO[bytes]] = None,
    ) -> str:
        """Run Compose.

        Raises:
            Failed: it failed.
        """
        return run(
            [*self.command, *arguments], what=what, cwd=str(self.folder), input_file=input_file, output_file=output_file
        )

    def inside(
        self, service: str, *command: str, what: str, input_file: Optional[IO[bytes]] = None,
        output_file: Optional[IO[bytes]] = None,
    ) -> str:  # fmt: skip
        """Run a command in a service's container; what it printed.

        Raises:
            Failed: it failed.
        """
        return self.compose("exec", "-T", service, *command, what=what, input_file=input_file, output_file=output_file)

    def containers(self) -> Dict[str, Dict[str, str]]:
        """State, exit code and image of each service that has a container."""
        listed = self.compose("ps", "-a", "-q", what="Listing the containers") if self.settings else ""
        if not listed.split():
            return {}
        said = json.loads(run(["docker", "inspect", *listed.split()], what="Looking at the containers"))
        return {
            each["Config"]["Labels"]["com.docker.compose.service"]: {
                "state": each["State"]["Status"],
                "code": str(each["State"]["ExitCode"]),
                "image": each["Config"]["Image"],
                "id": each["Id"],
            }
            for each in said
        }

    def up(self) -> None:
        """The notebooks' network is closed, all services are started, the migrations done.

        Raises:
            Failed: one could not be started; what the setup said is in the message where that failed.
        """
        if self.settings.get("NOTEBOOK_FIREWALL") != "no":
            rules = ("install", "--env", str(self.folder / ".env"))
            run([sys.executable, str(self.folder / "firewall.py"), *rules], what="Closing the notebooks' network")
        try:
            self.compose("up", "-d", "--remove-orphans", what="Starting the services")
        except Failed as fault:
            if self.containers().get("setup", {}).get("code", "0") == "0":
                raise
            raise Failed(f"Preparing the database failed:\n{last_lines(self.logs('setup'))}") from fault

    def logs(self, service: str) -> str:
        """The end of what a service said."""
        return self.compose("logs", "--no-color", "--tail=40", service, what="Reading the log")

    def wait_healthy(self, *, seconds: float = HEALTHY_SECONDS) -> None:
        """Everything answers, through TLS as people reach it; each part is named as it does.

        Raises:
            Failed: a part doesn't in time; the end of its log is in the message.
        """
        began, told = time.monotonic(), set()
        while True:
            ill = self.unhealthy(told, began=began)
            if not ill:
                return
            if time.monotonic() - began > seconds:
                part, said = next(iter(ill.items()))
                raise Failed(
                    f"{part} is not healthy after {seconds:.0f} s: {said}. Its log:\n{last_lines(self.logs(part))}"
                )
            time.sleep(PAUSE_SECONDS)

    def unhealthy(self, told: set, *, began: float) -> Dict[str, str]:
        """What is wrong with which service; those that are well are said once."""
        ill: Dict[str, str] = {}
        looks: Dict[str, Callable[[], str]] = {"web": self.site_fault, "hub": self.hub_fault}
        for service, look in looks.items():
            fault = look()
            if fault:
                ill["worker" if fault.startswith("the worker") else service] = fault
            elif service not in told:
                told.add(service)
                say({"web": "Site, database and worker answer", "hub": "Hub and proxy answer"}[service], since=began)
        return ill

    def site_fault(self) -> str:
        """What is wrong with the site as people reach it; empty if nothing is."""
        try:
            # 503 where a part fails, such as a certificate of a lab's own authority, which is believed once all of this runs.
            health = json.loads(self.fetch(self.settings["SITE_HOST"], "/health/", fine=(b"200", b"503")))
        except (OSError, ValueError) as fault:
            return f"it does not answer ({type(fault).__name__})"
        beat = health.get("worker")
        if health.get("database") != "ok":
            return "the database does not answer it"
        return "" if beat is not None and beat < BEAT_SECONDS else "the worker has not been seen"

    def hub_fault(self) -> str:
        """What is wrong with the hub as people reach it; empty if nothing is."""
        try:
            self.fetch(self.settings["HUB_HOST"], "/hub/health")
        except (OSError, ValueError) as fault:
            return f"it does not answer ({type(fault).__name__})"
        return ""

    def fetch(self, host: str, path: str, *, fine: Sequence[bytes] = (b"200",)) -> str:
        """What the TLS proxy of this machine answers for ``host``. Whether browsers believe its certificate is the doctor's.

        Raises:
            OSError: nothing answers.
            ValueError: the answer's status is none that is ``fine``.
        """
        answer = self.ask(host, path)
        head, _, body = answer.partition(b"\r\n\r\n")
        if head.split(b" ", 2)[1:2] not in [[status] for status in fine]:
            raise ValueError(f"{host}{path} answers {head[:60]!r}")
        return body.decode(errors="replace")

    def ask(self, host: str, path: str) -> bytes:
        """The whole answer of the TLS proxy."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        address, port = listens_at(self.settings, "HTTPS_LISTEN", default="443")
        with (
            socket.create_connection((address, port), timeout=ANSWER_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=host) as tls,
        ):
            tls.sendall(f"GET {path} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            return b"".join(iter(lambda: tls.recv(65536), b""))

    def query(self, statement: str) -> List[str]:
        """The rows of a statement, a line each."""
        command = ["psql", "-U", DATABASE, "-d", DATABASE, "-Atqc", statement]
        return self.inside("database", *command, what="Asking the database").splitlines()

    def migrations(self) -> List[str]:
        """What was done to the database, in a fixed order; none where it is empty."""
        if self.query("SELECT to_regclass('django_migrations')") in ([], [""]):
            return []
        return self.query("SELECT app || '.' || name FROM django_migrations ORDER BY 1")

    def dump(self, file: Path) -> None:
        """The whole database is in ``file``, readable by its owner alone, and can be read back.

        Raises:
            Failed: it could not be written, or not be read.
        """
        with open(file, "wb", opener=private) as stream:
            command = ["pg_dump", "-U", DATABASE, "-Fc", DATABASE]
            self.inside("database", *command, what="Dumping the database", output_file=stream)
        with file.open("rb") as stream:
            self.inside("database", "pg_restore", "--list", what="Reading the dump back", input_file=stream)

    def restore(self, file: Path) -> None:
        """The database is as ``file`` has it. Nothing may use it meanwhile.

        Raises:
            Failed: the dump could not be read; the database is left as it was, under another name, if it comes to that.
        """
        admin = ["psql", "-U", DATABASE, "-d", "postgres", "-v", "ON_ERROR_STOP=1", "-qc"]
        fresh, old = f"{DATABASE}_fresh", f"{DATABASE}_left"
        self.inside("database", *admin, f"DROP DATABASE IF EXISTS {fresh}", what="Making room for the database")
        self.inside("database", *admin, f"CREATE DATABASE {fresh}", what="Making a database")
        with file.open("rb") as stream:
            command = ["pg_restore", "-U", DATABASE, "-d", fresh, "--exit-on-error"]
            self.inside("database", *command, what="Restoring the database", input_file=stream)
        for statement in (
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{DATABASE}'",
            f"DROP DATABASE IF EXISTS {old}",
            f"ALTER DATABASE {DATABASE} RENAME TO {old}",
            f"ALTER DATABASE {fresh} RENAME TO {DATABASE}",
            f"DROP DATABASE {old}",
        ):
            self.inside("database", *admin, statement, what="Putting the database in its place")


def private(path: str, flags: int) -> int:
    """Opens a file that only its owner may read."""
    import os

    return os.open(path, flags, 0o600)


def listens_at(settings: Mapping[str, str], name: str, *, default: str) -> tuple:
    """Address and port of a published port: ``443`` is every address, reached at 127.0.0.1."""
    address, _, port = (settings.get(name) or default).rpartition(":")
    return (address.strip("[]") if address not in ("", "0.0.0.0", "[::]") else "127.0.0.1", int(port))

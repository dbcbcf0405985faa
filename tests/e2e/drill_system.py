"""A small site on a small disk, with everything that can fail in a server room: database, disk, engine, hub, names, mail, clock.

It is :class:`CrashSystem` with notebooks, an agent and mail. Web, worker and hub have a clock that the drills set
(libfaketime), and web and worker a table of names of their own. The engine is this machine's, behind a socket that can be cut.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg

from tests.e2e.crash_system import PEOPLE, PROCESSORS, ROOT, CrashSystem
from tests.e2e.relay import Relay
from tests.tools.postgres import Postgres
from tests.tools.waiting import wait_for
from tests.unit.accounts.servers import MailSink, serving

DISK_MB = 320
MEBIBYTE = 1024**2
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), Path("libfaketimeMT.so.1 is missing"))
# Own tables of names for a program and its children; a name that is in neither leads nowhere.
WITH_NAMES = 'mount --bind "$1" /etc/hosts && mount --bind "$2" /etc/resolv.conf && shift 2 && exec "$@"'
MAIL_HOST = "mail.drill.test"


@dataclass
class SmallDisk:
    """A file system of its own that can be filled to the brim."""

    folder: Path

    @contextmanager
    def full(self) -> Iterator[None]:
        """Not a byte is left, until the end of the context."""
        filler = self.folder / "filler"
        with filler.open("ab", buffering=0) as stream:
            for size in (MEBIBYTE, 4096, 1):
                with suppress(OSError):
                    while stream.write(b"\0" * size) == size:
                        pass
        try:
            assert shutil.disk_usage(self.folder).free == 0
            yield
        finally:
            filler.unlink()


@contextmanager
def small_disk(*, mebibytes: int = DISK_MB) -> Iterator[SmallDisk]:
    """It is mounted."""
    folder = tempfile.mkdtemp(prefix="practicum-drill-")
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mebibytes}M,mode=755", "tmpfs", folder], check=True)
    try:
        yield SmallDisk(Path(folder))
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
        Path(folder).rmdir()


class CutEngine:
    """The engine as :class:`CrashSystem` wants one: to kill it is to cut the way to it."""

    def __init__(self, relay: Relay) -> None:
        self.host, self.kill, self.start = relay.docker_host, relay.cut, relay.mend


@dataclass
class Person:
    """Somebody signed in, whose page was loaded while all was well: its form can be sent whatever happens."""

    client: httpx.Client
    token: str

    def get(self, path: str) -> httpx.Response:
        """A page."""
        return self.client.get(path)

    def post(self, path: str, *, files: Any = None, **fields: str) -> httpx.Response:
        """Send a form."""
        sent = {"csrfmiddlewaretoken": self.token, **fields}
        return self.client.post(path, data=sent, files=files, headers={"Referer": str(self.client.base_url)})


@dataclass
class DrillSystem(CrashSystem):
    """The running parts on ``disk``; ``mail_port`` is where mail is taken."""

    disk: SmallDisk = field(kw_only=True)
    mail_port: int = field(kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.network, self.gateway = self.make_network()
        self.hosts, self.resolver, self.clock = (self.folder / name for name in ("hosts", "resolv.conf", "clock"))
        self.resolver.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        self.clock.write_text("+0\n")
        self.names_resolve(True)
        data_dir, hub_api = self.disk.folder / "var", self.env["PRACTICUM_HUB_API_URL"].rsplit(":", 1)[1]
        more = {
            "PRACTICUM_DATA_DIR": str(data_dir),
            "PRACTICUM_HUB_DATA_DIR": str(data_dir / "hub"),
            "PRACTICUM_AGENT_TOKEN_FILE": str(data_dir / "agent" / "token"),
            "PRACTICUM_NETWORK": self.network,
            "PRACTICUM_HUB_CONNECT_HOST": self.gateway,
            "PRACTICUM_HUB_API_URL": f"http://{self.gateway}:{hub_api}",
            "PRACTICUM_SITE_INTERNAL_URL": self.site.replace("127.0.0.1", self.gateway),
            "PRACTICUM_EMAIL_HOST": MAIL_HOST,
            "PRACTICUM_EMAIL_PORT": str(self.mail_port),
            "PRACTICUM_EMAIL_SECURITY": "none",
            "PRACTICUM_EMAIL_FROM": "Practicum <practicum@example.org>",
        }
        (data_dir / "hub").mkdir(parents=True)
        self.env |= more
        self.env_of_worker |= more
        self.parts["web"].command = [*self.parts["web"].command, f"--bind={self.gateway}:{self.site.rsplit(':', 1)[1]}"]
        for name, part in self.parts.items():
            part.env = {**part.env, **more, **(self.own_clock() if name != "proxy" else {})}
            if name in ("web", "worker"):
                part.command = self.with_names(part.command)
        agent = [str(Path(self.parts["web"].env["PATH"].split(os.pathsep)[0]) / "python"), "-m", "practicum_hub.agent"]
        self.parts["agent"] = self.part("agent", [*agent, "--cpu-slots=8", "--interval=1"])

    def own_clock(self) -> dict[str, str]:
        """What gives a program the clock that ``set_clock`` sets; the one that counts since the start stays as it is."""
        return {
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).with_name("own_clock")), self.env["PYTHONPATH"]]),
            "LD_PRELOAD": str(FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(self.clock),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set_clock(self, how: str) -> None:
        """``+1d``, ``-1d``, ``+0``."""
        self.clock.write_text(f"{how}\n")

    def with_names(self, command: Any) -> list[str]:
        """The program with the names of ``names_resolve``."""
        words = ["unshare", "--mount", "sh", "-c", WITH_NAMES, "sh", str(self.hosts), str(self.resolver), *command]
        return [str(word) for word in words]

    def names_resolve(self, do_they: bool) -> None:
        """The name of the mail server leads to it, or nowhere."""
        self.hosts.write_text("127.0.0.1 localhost\n" + (f"127.0.0.1 {MAIL_HOST}\n" if do_they else ""))

    def make_network(self) -> tuple[str, str]:
        """The notebooks' network and this machine's address on it."""
        name, docker = f"drill-{secrets.token_hex(4)}", ["docker", "-H", self.engine.host, "network"]
        subprocess.run([*docker, "create", name], check=True, stdout=subprocess.DEVNULL)
        show = ["--format", "{{(index .IPAM.Config 0).Gateway}}"]
        return name, subprocess.run(
            [*docker, "inspect", name, *show], check=True, capture_output=True, text=True
        ).stdout.strip()

    def begin(self, names: list[str]) -> None:
        """Everything runs, with these interns."""
        self.manage("setup")
        self.manage("agent_token", "gpu-server-1", "--file", self.env["PRACTICUM_AGENT_TOKEN_FILE"])
        self.start(PEOPLE.format(names=names, **PROCESSORS))
        wait_for(lambda: self.health()["failing"] == [], what=lambda: self.health(), seconds=60)

    def end(self) -> None:
        """Nothing of it is left, on the engine neither."""
        for part in self.parts.values():
            part.kill()
            print(f"--- {part.name}\n{self.log_of(part.name)}")
        docker = ["docker", "-H", self.engine.host]
        for listed, removed in ((["ps", "-aq"], ["rm", "-f"]), (["volume", "ls", "-q"], ["volume", "rm"])):
            for mine in (f"name={self.instance}-", f"label=org.practicum.instance={self.instance}"):
                command = [*docker, *listed, "--filter", mine]
                if found := subprocess.run(command, capture_output=True, text=True, check=True).stdout.split():
                    subprocess.run([*docker, *removed, *found], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([*docker, "network", "rm", self.network], check=True, stdout=subprocess.DEVNULL)

    def health(self) -> dict[str, Any]:
        """What ``/health/`` says, with its status."""
        answer = httpx.get(f"{self.site}/health/", timeout=15)
        return {**answer.json(), "code": answer.status_code}

    @contextmanager
    def person(self, username: str) -> Iterator[Person]:
        """Somebody with a page open."""
        with self.browser_of(username) as client:
            token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', client.get("/account/").text)
            assert token, username
            yield Person(client, token[1])

    def notebook_answers(self, username: str) -> bool:
        """The notebook of this intern answers through the proxy."""
        return httpx.get(f"{self.hub}/user/{username}/api", timeout=5).status_code == 200

    def session_of(self, username: str) -> tuple[Any, ...]:
        """State, attempts and slot of the intern's last session, and how many they had."""
        query = (
            "SELECT s.state, s.attempts, l.slot_id, (SELECT count(*) FROM workspaces_session a WHERE a.user_id = s.user_id) "
            "FROM workspaces_session s JOIN accounts_user u ON u.id = s.user_id JOIN gpus_lease l ON l.id = s.lease_id "
            "WHERE u.username = %s ORDER BY s.requested_at DESC LIMIT 1"
        )
        (found,) = self.rows(query, username) or [("none",)]
        return found

    def makes_room_in_its_log(self) -> None:
        """The database begins a new segment of its log; filled with zeros, it has room for 16 MB of changes."""
        with psycopg.connect(self.database.address, autocommit=True) as connection:
            connection.execute("SELECT pg_switch_wal()")
            connection.execute("CHECKPOINT")

    def log_of(self, name: str) -> str:
        """All that a part wrote."""
        log = self.parts[name].log
        return log.read_text(errors="replace") if log.exists() else ""

    def pid_of_worker(self) -> int:
        """The worker's own process, below those that gave it its names."""
        process = self.parts["worker"].process
        assert process is not None
        return psutil.Process(process.pid).pid

    def typed(self, line: str) -> str:
        """What a line of the operator's guide prints, where the services are the parts."""
        line = line.replace("https://$SITE_HOST", self.site)
        match line.split():
            case ["deploy/practicum", "start", name]:
                self.start_again(name)
                return ""
            case ["deploy/practicum", "restart", name]:
                self.kill(name)
                self.start_again(name)
                return ""
            case ["deploy/practicum", "logs", tail, name]:
                lines = int(tail.removeprefix("--tail="))
                log = self.database.folder / "log" if name == "database" else self.parts[name].log
                return subprocess.run(["tail", f"-n{lines}", log], capture_output=True, text=True, check=True).stdout
            case ["deploy/practicum", *words]:
                program = self.with_names([self.parts["agent"].command[0], "manage.py", *words])
                env = self.env_of_worker | self.own_clock()
                made = subprocess.run(program, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
                assert "Traceback" not in made.stderr, made.stderr
                assert made.returncode == 0 or words[0] == "doctor", made.stderr
                return made.stdout
        return subprocess.run(line, shell=True, capture_output=True, text=True, check=True).stdout

    def doctor(self, *parts: str) -> Mapping[str, str]:
        """State of each finding of ``practicum doctor --only PARTS``, run as the worker."""
        command = ["manage.py", "doctor", "--json", *(word for part in parts for word in ("--only", part))]
        program = self.with_names([self.parts["agent"].command[0], *command])
        env = self.env_of_worker | self.own_clock()
        said = subprocess.run(program, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
        return {each["name"]: each["state"] for each in json.loads(said.stdout)["findings"]}


def end(database: Postgres) -> None:
    """It has ended, if it had not by itself."""
    with suppress(psutil.NoSuchProcess, FileNotFoundError):
        database.kill()


@contextmanager
def drill_system(folder: Path, *, names: list[str]) -> Iterator[DrillSystem]:
    """All parts run; they have ended afterwards, and the disk is gone."""
    with ExitStack() as stack:
        disk = stack.enter_context(small_disk())
        mail_port, taken = stack.enter_context(serving(MailSink))
        relay = Relay(path=folder / "docker.sock", target=os.environ["DOCKER_HOST"].removeprefix("unix://"))
        stack.callback(relay.cut)
        (disk.folder / "database").mkdir()
        database = Postgres(disk.folder / "database")
        database.start()
        stack.callback(end, database)
        system = DrillSystem(folder, database, CutEngine(relay), disk=disk, mail_port=mail_port)  # type: ignore[arg-type]
        system.taken = taken  # type: ignore[attr-defined]
        stack.callback(system.end)
        system.begin(names)
        yield system

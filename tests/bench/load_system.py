"""The system of the load bench: every process of production on this machine, on PostgreSQL, and what each of them holds.

Web is gunicorn as ``deploy/compose.yaml`` starts it, in the production environment; in place of the TLS proxy the bench
says ``X-Forwarded-Proto``. Notebooks are *light processes*: the real hub claims, starts, watches and routes each, and a
stub of ten lines answers in JupyterLab's place. Evaluations run really, as processes (``PRACTICUM_ENGINE=local``).
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import httpx
import psutil
import psycopg

from tests.hub.harness import free_ports
from tests.tools.check_deploy import SECRETS
from tests.tools.postgres import postgres

ROOT = Path(__file__).resolve().parents[2]
SITE_HOST, HUB_HOST = "site.load.test", "hub.load.test"
SERVER = "load-1"
READY_SECONDS = 60.0
STOP_SECONDS = 20.0
STUB = ROOT / "tests/hub/stub_singleuser.py"
MB = 1024 * 1024
# As in deploy/compose.yaml.
GUNICORN = (
    "--workers=4",
    "--threads=4",
    "--timeout=120",
    "--keep-alive=75",
    "--config=python:practicum.config.gunicorn",
)
EVALUATIONS = 2


@dataclass(frozen=True)
class Memory:
    """What a process and its children hold, in bytes. PSS counts a shared page by its share."""

    rss: int
    pss: int
    processes: int


@dataclass
class System:
    """The processes by name, and where they answer."""

    folder: Path
    database: str
    slots: int
    ports: tuple[int, ...] = field(default_factory=lambda: free_ports(4))
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    python: str = sys.executable
    manage: str = str(ROOT / "manage.py")

    def __post_init__(self) -> None:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PRACTICUM_", "JUPYTERHUB_"))}
        web, hub, hub_api, proxy_api = self.ports
        python = ROOT / ".venv-workspace/bin/python"
        self.environment = kept | {
            **{f"PRACTICUM_{name}": secrets.token_hex(32) for name in SECRETS},
            "CONFIGPROXY_AUTH_TOKEN": secrets.token_hex(32),
            "JUPYTERHUB_CRYPT_KEY": secrets.token_hex(32),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(str(ROOT / name) for name in ("platform", "hub", "")),
            "PYTHONUNBUFFERED": "1",
            "DJANGO_SETTINGS_MODULE": "practicum.config.settings",
            "PRACTICUM_ENV": "production",
            "PRACTICUM_INSTANCE": "load",
            "PRACTICUM_ENGINE": "local",
            "PRACTICUM_WORKSPACE_PYTHON": str(python if python.exists() else sys.executable),
            "PRACTICUM_DATABASE_URL": self.database,
            "PRACTICUM_DATA_DIR": str(self.folder),
            "PRACTICUM_SITE_URL": f"https://{SITE_HOST}",
            "PRACTICUM_SITE_INTERNAL_URL": f"http://127.0.0.1:{web}",
            "PRACTICUM_HUB_URL": f"https://{HUB_HOST}",
            "PRACTICUM_HUB_API_URL": f"http://127.0.0.1:{hub_api}/hub/api",
            "PRACTICUM_HUB_BIND": f"http://127.0.0.1:{hub}",
            "PRACTICUM_HUB_PROXY_API_URL": f"http://127.0.0.1:{proxy_api}",
            "PRACTICUM_HUB_DATA_DIR": str(self.folder / "hub"),
            "PRACTICUM_AGENT_TOKEN_FILE": str(self.folder / "agent/token"),
            "PRACTICUM_AGENT_LIFE_FILE": str(self.folder / "agent.alive"),
            "PRACTICUM_LOG_FORMAT": "json",
            "PRACTICUM_METRICS_TOKEN": secrets.token_hex(32),
        }

    @property
    def site(self) -> str:
        """Where gunicorn listens."""
        return f"http://127.0.0.1:{self.ports[0]}"

    @property
    def hub(self) -> str:
        """Where the hub's proxy listens."""
        return f"http://127.0.0.1:{self.ports[1]}"

    def prepare(self) -> None:
        """Database, keys, the agent's token and static files."""
        (self.folder / "static").mkdir(parents=True)
        token = self.environment["PRACTICUM_AGENT_TOKEN_FILE"]
        self.run([self.python, self.manage, "setup", "--agent", SERVER, token, "--static"])

    def fill(self, *, interns: int) -> None:
        """People and a published project."""
        # In production every check of a project must be run before it is published, training and all.
        self.run([sys.executable, "-m", "tests.bench.load_fill", str(interns)], PRACTICUM_ENV="demo")

    def run(self, command: list[str], **own: str) -> None:
        """Run a program in this system's environment.

        Raises:
            RuntimeError: it failed; the end of what it said.
        """
        env = self.environment | own
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command[1:])} failed:\n{done.stderr[-4000:]}")

    def start(self) -> None:
        """Start all of them; they answer."""
        web, hub, hub_api, proxy_api = self.ports
        program = ROOT / "node_modules/configurable-http-proxy/bin/configurable-http-proxy"
        target = f"http://127.0.0.1:{hub_api}"
        commands: dict[str, list[str]] = {
            "web": ["gunicorn", "practicum.config.wsgi:application", f"--bind=127.0.0.1:{web}", *GUNICORN],
            "proxy": [
                "node", "--import", str(ROOT / "hub/proxy_log.mjs"), str(program),
                "--ip=127.0.0.1", f"--port={hub}", "--api-ip=127.0.0.1",
                f"--api-port={proxy_api}", f"--default-target={target}", f"--error-target={target}/hub/error",
            ],
            "hub": [sys.executable, "-m", "jupyterhub", "-f", str(ROOT / "hub/jupyterhub_config.py")],
            "worker": [self.python, self.manage, "worker", "--evaluations", str(EVALUATIONS)],
            "agent": [sys.executable, "-m", "practicum_hub.agent", "--cpu-slots", str(self.slots)],
        }  # fmt: skip
        for name, command in commands.items():
            # The hub's notebooks are stubs; what the worker evaluates runs in the interns' Python.
            own = {"PRACTICUM_WORKSPACE_PYTHON": str(STUB)} if name == "hub" else {}
            with (self.folder / f"{name}.log").open("ab") as log:
                self.processes[name] = subprocess.Popen(
                    command, cwd=self.folder, env=self.environment | own, stdout=log, stderr=subprocess.STDOUT
                )
        self._wait(f"{self.site}/health/")
        self._wait(f"{self.hub}/hub/api/")

    def _wait(self, url: str) -> None:
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until:
            try:
                if httpx.get(url, headers={"X-Forwarded-Proto": "https"}, timeout=2).is_success:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.2)
        raise TimeoutError(f"{url} did not answer; the logs: {self.logs()}")

    def logs(self) -> str:
        """The end of each log."""
        return "\n".join(f"--- {file.name}\n{file.read_text()[-1500:]}" for file in sorted(self.folder.glob("*.log")))

    def memory(self) -> dict[str, Memory]:
        """By process; notebooks are the hub's children and are not counted to it."""
        return {name: memory_of(process.pid, alone=name == "hub") for name, process in self.processes.items()}

    def cpu_seconds(self) -> dict[str, float]:
        """Processor time so far, by process and its children; the database's and the load generator's own too."""
        used = {name: _cpu_of(process.pid, alone=name == "hub") for name, process in self.processes.items()}
        used["database"] = _cpu_of(self._postmaster)
        return used | {"load generator": _cpu_of(os.getpid(), alone=True)}

    @cached_property
    def _postmaster(self) -> int:
        """The process that all of the database's are children of."""
        with psycopg.connect(self.database, autocommit=True) as connection:
            row = connection.execute("SELECT pg_backend_pid()").fetchone()
            assert row is not None
            return psutil.Process(row[0]).ppid()

    def stop(self) -> None:
        """End them, and the notebooks that the hub leaves running; whatever is left after a while is killed."""
        hub = self.processes.get("hub")
        notebooks = psutil.Process(hub.pid).children(recursive=True) if hub is not None and hub.poll() is None else []
        started = [psutil.Process(process.pid) for process in self.processes.values() if process.poll() is None]
        everyone = {process.pid: process for own in started for process in (own, *own.children(recursive=True))}
        everyone |= {process.pid: process for process in (*notebooks, *self._left())}
        for process in everyone.values():
            _end(process, now=False)
        _, left = psutil.wait_procs(list(everyone.values()), timeout=STOP_SECONDS)
        for process in left:
            _end(process, now=True)
        for popen in self.processes.values():
            popen.wait(timeout=STOP_SECONDS)

    def _left(self) -> Iterator[psutil.Process]:
        """Notebooks' processes by the folder that they run in: a stub leaves a child of its own behind."""
        for process in psutil.process_iter(["cwd"]):
            if str(process.info["cwd"] or "").startswith(f"{self.folder}/hub/workspaces/"):
                yield process


def memory_of(pid: int, *, alone: bool = False) -> Memory:
    """What a process holds, with its children unless ``alone``."""
    rss = pss = count = 0
    for process in _family(pid, alone=alone):
        try:
            info = process.memory_full_info()
        except psutil.Error:
            continue
        rss, pss, count = rss + info.rss, pss + info.pss, count + 1
    return Memory(rss, pss, count)


def _cpu_of(pid: int, *, alone: bool = False) -> float:
    total = 0.0
    for process in _family(pid, alone=alone):
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system
        # What children used that have ended, such as evaluations.
        total += 0.0 if alone else times.children_user + times.children_system
    return total


def _family(pid: int, *, alone: bool) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process] if alone else [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _end(process: psutil.Process, *, now: bool) -> None:
    try:
        process.kill() if now else process.terminate()
    except psutil.NoSuchProcess:
        return


@contextmanager
def running(*, interns: int, slots: int) -> Iterator[System]:
    """The system with so many interns, or nobody, for the time of the block; its logs are printed where it fails."""
    folder = Path(tempfile.mkdtemp(prefix="practicum-load-"))
    try:
        with postgres(is_durable=True) as database:
            system = System(folder / "var", database, slots)
            try:
                system.prepare()
                if interns:
                    system.fill(interns=interns)
                system.start()
                yield system
            except BaseException:
                print(system.logs(), file=sys.stderr)
                raise
            finally:
                system.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)

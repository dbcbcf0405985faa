"""A small site whose every part may be killed: PostgreSQL, web, hub with its proxy, worker, container engine.

The parts are the real ones, each a process of its own; what is killed is started again as a supervisor would. Interns are named
after the cell of the crash matrix that their one submission is for.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psycopg

from tests.e2e.own_engine import OwnEngine
from tests.tools.postgres import Postgres, free_port, postgres_server
from tests.tools.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
PROXY = ROOT / "node_modules" / "configurable-http-proxy" / "bin" / "configurable-http-proxy"
BIN = Path(sys.executable).parent
A_MINUTE = "interval '1 minute'"
GPUS = {
    "gpu_gb": 1,
    "kind": "gpu",
    "report": 'Report(gpus=[Gpu(f"GPU-{n}", n, "H100", 80 << 30, 0, 0.0) for n in range(8)])',
}
PROCESSORS = {"gpu_gb": 0, "kind": "cpu", "report": "Report(cpu_slots=8)"}
# Two of the staff and the interns named, each with an internship and a session of the site.
PEOPLE = """
import json
from copy import deepcopy
from datetime import date, timedelta
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from practicum.accounts.models import User
from practicum.catalog.models import Project, ProjectVersion
from practicum.gpus.inventory import Gpu, Report, register_report
from practicum.gpus.models import Pool, Quota, Server
from practicum.internships.models import Cohort
from practicum.internships.services import start_internship
from practicum.lib.clock import utc_now
from tests.conftest import MANIFEST
from tests.engine import doubling

def account(name, role):
    user = User(username=name, email=f"{{name}}@example.org", name=name.title(), role=role)
    user.set_unusable_password()
    user.save()
    return user

now, today, instance = utc_now(), date.today(), settings.PRACTICUM_INSTANCE
admin, mentor = account("ada", "admin"), account("mira", "mentor")
cohort = Cohort.objects.create(slug="spring", name="Spring", starts_on=today, ends_on=today + timedelta(days=50))
project = Project.objects.create(slug="digits", title="Digits", question="How few pixels?")
manifest = deepcopy(MANIFEST)
manifest["budget"]["gpu_gb"] = {gpu_gb}
version = ProjectVersion.objects.create(
    project=project, number=1, digest="d" * 64, manifest=manifest, mode="toy", image="-", published_at=now, published_by=admin
)
for folder in (version.folder / "project", version.folder / "public", version.hidden_folder / "inputs"):
    folder.mkdir(parents=True)
(version.hidden_folder / "answers").mkdir()
doubling.publish(version, settings=settings, seconds=120)
version.manifest["submission"]["per_day"] = 2
version.save()
settings.PRACTICUM_INSTANCE = instance
register_report(Server.objects.get_or_create(name="gpu-server-1")[0], report={report}, now=now)
Quota.objects.create(cohort=cohort, pool=Pool.objects.get(kind="{kind}"), guaranteed=8)
sessions = {{}}
for name in {names!r}:
    user = account(name, "intern")
    start_internship(user, mentor=mentor, cohort=cohort, version=version, actor=admin, now=now)
    session = SessionStore()
    session[SESSION_KEY], session[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session.save()
    sessions[name] = session.session_key
print(json.dumps({{"sessions": sessions, "inputs": str(version.hidden_folder / "inputs")}}))
"""


@dataclass
class Part:
    """A program in a process group of its own, with its log."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def answers(self, address: str, fine: Sequence[int]) -> bool:
        """It does; started anew where it ended by itself, as compose does: its port, say, was still somebody's."""
        if self.process is not None and self.process.poll() is not None:
            self.start()
        return status_of(address) in fine

    def end_of_log(self) -> str:
        """What it said last."""
        return f"{self.name} answers; its log ends: {self.log.read_text(errors='replace')[-1500:]}"

    def start(self) -> None:
        """It runs; whether it answers is another question."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=self.env,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def kill(self) -> None:
        """kill -9 of it and of its children."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


@dataclass
class CrashSystem:
    """The running parts, and what is asked of them."""

    folder: Path
    database: Postgres
    engine: OwnEngine
    instance: str = field(default_factory=lambda: f"crash-{secrets.token_hex(6)}")
    sessions: dict[str, str] = field(default_factory=dict)
    inputs: Path = Path()

    def __post_init__(self) -> None:
        site, hub, hub_api, proxy_api = (free_port() for _ in range(4))
        self.site, self.hub, self.hold = (
            f"http://127.0.0.1:{site}",
            f"http://127.0.0.1:{hub}",
            self.folder / "hold",
        )
        for made in (self.hold, self.folder / "hub"):
            made.mkdir(parents=True)
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("PRACTICUM_", "DJANGO_", "DOCKER_"))} | {
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("platform", "hub", ".")),
            "DJANGO_SETTINGS_MODULE": "practicum.config.settings",
            "PRACTICUM_ENV": "demo",
            "PRACTICUM_INSTANCE": self.instance,
            "PRACTICUM_ENGINE": "docker",
            "PRACTICUM_DATA_DIR": str(self.folder / "var"),
            "PRACTICUM_DATABASE_URL": self.database.address,
            "PRACTICUM_SITE_URL": self.site,
            "PRACTICUM_HUB_URL": self.hub,
            "PRACTICUM_HUB_API_URL": f"http://127.0.0.1:{hub_api}/hub/api",
            "PRACTICUM_HUB_BIND": self.hub,
            "PRACTICUM_HUB_CONNECT_HOST": "127.0.0.1",
            "PRACTICUM_HUB_PROXY_API_URL": f"http://127.0.0.1:{proxy_api}",
            "PRACTICUM_HUB_DATA_DIR": str(self.folder / "hub"),
            "PRACTICUM_TEST_HOLD": str(self.hold),
            "PRACTICUM_NETWORK": "bridge",
            "CONFIGPROXY_AUTH_TOKEN": secrets.token_hex(32),
            "JUPYTERHUB_CRYPT_KEY": secrets.token_hex(32),
            **{f"PRACTICUM_{name}_IMAGE": os.environ[f"PRACTICUM_{name}_IMAGE"] for name in ("WORKSPACE", "SCORER")},
            **{f"PRACTICUM_{name}": secrets.token_hex(32) for name in SECRETS},
        }
        docker = {"DOCKER_HOST": self.engine.host}
        node = shutil.which("node") or "node"
        gunicorn = ["practicum.config.wsgi:application", f"--bind={self.site.removeprefix('http://')}", "--workers=1"]
        proxy = [f"--port={hub}", f"--api-port={proxy_api}", f"--default-target=http://127.0.0.1:{hub_api}"]
        worker = ["-m", "tests.e2e.stopping_worker", "--evaluations", "7"]
        self.env_of_worker = self.env | docker
        self.parts = {
            "web": self.part("web", [str(BIN / "gunicorn"), *gunicorn, "--threads=4", "--log-level=warning"]),
            "proxy": self.part("proxy", [node, str(PROXY), "--ip=127.0.0.1", "--api-ip=127.0.0.1", *proxy]),
            "hub": self.part("hub", [str(BIN / "jupyterhub"), "-f", "hub/jupyterhub_config.py"], **docker),
            "worker": self.part("worker", [sys.executable, *worker], **docker),
        }

    def part(self, name: str, command: Sequence[str], **more: str) -> Part:
        """A program of this system."""
        return Part(name, command, self.env | more, self.folder / f"{name}.log")

    def start(self, people: str) -> None:
        """Make the database and, with the code ``people``, who is in it; then start every part."""
        self.manage("setup")
        made = json.loads(self.manage("shell", "-v", "0", "-c", people).splitlines()[-1])
        self.sessions, self.inputs = made["sessions"], Path(made["inputs"])
        for part in self.parts.values():
            part.start()
        self.wait_for("web", "hub")

    def manage(self, *words: str) -> str:
        """What a management command prints."""
        command = [sys.executable, "manage.py", *words]
        return subprocess.run(command, cwd=ROOT, env=self.env, check=True, stdout=subprocess.PIPE, text=True).stdout

    def wait_for(self, *names: str) -> None:
        """These parts answer; of those without an address nothing is asked."""
        # A site whose worker is not there yet says 503, and so does a proxy whose hub is not.
        addresses = {"web": (f"{self.site}/health/", (200, 503)), "hub": (f"{self.hub}/hub/api/", (200,))}
        for name in names:
            if name in addresses:
                part, (address, fine) = self.parts[name], addresses[name]
                wait_for(partial(part.answers, address, fine), what=part.end_of_log, seconds=120, every=0.2)

    def kill(self, name: str) -> None:
        """kill -9 of one of the five."""
        victim = {"engine": self.engine, "database": self.database}.get(name) or self.parts[name]
        victim.kill()

    def start_again(self, name: str) -> None:
        """What was killed runs again, and answers."""
        victim = {"engine": self.engine, "database": self.database}.get(name) or self.parts[name]
        victim.start()
        self.wait_for(name)

    @contextmanager
    def another_worker(self, **more: str) -> Iterator[Part]:
        """A worker with these variables more takes the place of the usual one, which is back afterwards."""
        worker = self.parts["worker"]
        worker.kill()
        worker.env = self.env_of_worker | more
        worker.start()
        try:
            yield worker
        finally:
            worker.kill()
            worker.env = self.env_of_worker
            worker.start()

    @contextmanager
    def two_workers(self) -> Iterator[None]:
        """Two workers with one evaluation at a time each take the place of the usual one, which is back afterwards."""
        command = [sys.executable, "-m", "tests.e2e.stopping_worker", "--evaluations", "1"]
        two = [Part(f"worker {n}", command, self.env_of_worker, self.folder / f"worker-{n}.log") for n in (1, 2)]
        self.parts["worker"].kill()
        for worker in two:
            worker.start()
        try:
            yield
        finally:
            for worker in two:
                worker.kill()
                print(f"--- {worker.name}\n{worker.log.read_text()}")
            self.parts["worker"].start()

    def container_of(self, submission: int) -> dict[str, Any]:
        """What the engine says of the untrusted container of the submission's run."""
        ((run,),) = self.rows("SELECT id FROM evaluation_run WHERE submission_id = %s", submission)
        docker = ["docker", "-H", self.engine.host]
        labels = (f"instance={self.instance}", f"run={run}", "kind=predict")
        filters = [word for label in labels for word in ("--filter", f"label=org.practicum.{label}")]
        found = subprocess.run(
            [*docker, "ps", "-q", *filters], capture_output=True, text=True, check=True
        ).stdout.split()
        said = subprocess.run([*docker, "inspect", *found], capture_output=True, text=True, check=True).stdout
        (container,) = json.loads(said)
        assert isinstance(container, dict)
        return container

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """What the database says."""
        with psycopg.connect(self.database.address) as connection:
            return connection.execute(query, values).fetchall()

    def a_minute_passes(self) -> None:
        """For claims and slots: nobody gave a sign of life in it. The tests do not wait for the minute."""
        with psycopg.connect(self.database.address) as connection:
            connection.execute(f"UPDATE evaluation_run SET lease_until = lease_until - {A_MINUTE}")
            connection.execute(f"UPDATE gpus_lease SET heartbeat = heartbeat - {A_MINUTE} WHERE closed_at IS NULL")

    def left_on_engine(self) -> list[str]:
        """What the engine has of all runs: containers, volumes, networks; running or not."""
        filters = ["--filter", f"label=org.practicum.instance={self.instance}"]
        found = []
        for words in (["ps", "-aq"], ["volume", "ls", "-q"], ["network", "ls", "-q"]):
            command = ["docker", "-H", self.engine.host, *words, *filters]
            found += subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        return found

    @contextmanager
    def browser_of(self, username: str) -> Iterator[httpx.Client]:
        """A signed-in client."""
        cookies = {"practicum-session": self.sessions[username]}
        with httpx.Client(base_url=self.site, cookies=cookies, timeout=30, follow_redirects=True) as client:
            yield client

    def hand_in(self, username: str, archive: bytes) -> httpx.Response:
        """Upload a zip as the intern does."""
        page = "/submissions/upload/"
        with self.browser_of(username) as client:
            token = client.get(page).text.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
            files = {"archive": ("work.zip", archive, "application/zip")}
            headers = {"Referer": f"{self.site}{page}"}
            return client.post(page, data={"csrfmiddlewaretoken": token}, files=files, headers=headers)

    def state_shown_to(self, username: str, submission: int) -> str:
        """The state that the submission's page tells its intern."""
        with self.browser_of(username) as client:
            return client.get(f"/submissions/{submission}/").text.split('data-state="')[1].split('"')[0]


def status_of(address: str) -> int:
    """What answers there says; 0 where nothing does."""
    try:
        return httpx.get(address, timeout=5).status_code
    except httpx.TransportError:
        return 0


SECRETS = ("SECRET_KEY", "HUB_API_TOKEN", "HUB_SITE_TOKEN", "OIDC_CLIENT_SECRET", "SPLIT_SECRET")


@contextmanager
def crash_system(folder: Path, *, engine: OwnEngine, people: str) -> Iterator[CrashSystem]:
    """All parts run; they have ended afterwards."""
    with postgres_server() as database:
        system = CrashSystem(folder, database, engine)
        try:
            system.start(people)
            yield system
        finally:
            for part in system.parts.values():
                part.kill()
                print(f"--- {part.name}\n{part.log.read_text() if part.log.exists() else ''}")

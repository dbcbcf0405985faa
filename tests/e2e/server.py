"""A server, installed as an operator does it: ``deploy/install`` on this machine's engine, in folders and on ports of its own."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.tools.waiting import RanOut

ROOT = Path(__file__).resolve().parents[2]
SITE, HUB = "practicum.test", "hub.practicum.test"
SECONDS = 1800

# A cohort in its third week, as the demo has it, on a site in production: people, one project, one place.
PLACES = """
from pathlib import Path
from practicum.catalog import services
services._check_report = lambda *_, **__: None  # the whole check takes minutes, and has tests of its own
from practicum.config.demo.people import account
from practicum.config.demo.cast import CAST
from practicum.config.engine import site_engine
from practicum.config.management.commands.seed_demo import QUICKEST_CHECKS, at_week, published, third_week_cohort
from practicum.accounts.models import User
from practicum.internships.services import start_internship
from practicum.lib.clock import utc_now
people = {p.username: account(p) for p in CAST if p.username in ("mira", "kofi", "ines")}
ada = User.objects.get(username="ada")
version = published(Path("projects/digits"), by=ada, engine=site_engine(), only=QUICKEST_CHECKS)
cohort = third_week_cohort(today=utc_now().date())
for name in ("kofi", "ines"):
    start_internship(people[name], mentor=people["mira"], cohort=cohort, version=version, actor=ada, now=at_week(cohort, week=1))
print("placed")
"""


def build_images(output: Path) -> dict[str, str]:
    """All six, from this checkout; what is there already is left alone."""
    command = [sys.executable, "-m", "practicum.engine.images", "--server", "--output", str(output)]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": "platform"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    named: dict[str, str] = json.loads(output.read_text())
    return named


def free_port() -> int:
    """One that nothing listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """One installed site; ``folder`` has its deploy folder, its data and its answers."""

    folder: Path
    project: str
    images: dict[str, str]
    http: int = field(default_factory=free_port)
    https: int = field(default_factory=free_port)
    installed: str = ""
    # What each of its commands begins with, and how it is run.
    prefix: list[str] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def deploy(self) -> Path:
        """The operator's deploy folder."""
        return self.folder / "deploy"

    @property
    def data(self) -> Path:
        """DATA_DIR."""
        return self.folder / "data"

    def lay_out(self) -> None:
        """The deploy folder of this checkout is copied, and what the installer would ask is in a file."""
        shutil.copytree(ROOT / "deploy", self.deploy, ignore=shutil.ignore_patterns(".env", ".lock", "__pycache__"))
        (self.folder / "images.json").write_text(json.dumps(self.images))
        (self.folder / "answers").write_text(
            f"SITE_HOST={SITE}\nHUB_HOST={HUB}\nTLS=internal\nDATA_DIR={self.data}\nSERVER_NAME=gpu-1\nGPUS=no\nCPU_SLOTS=2\n"
            "ADMIN=ada\nADMIN_EMAIL=ada@example.org\nADMIN_NAME='Ada Okafor'\n"
        )

    def here(self, line: str) -> list[str]:
        """A line of the operator's guide, with this server's answers and places."""
        own = ("deploy/", "practicum-", "images.json")
        words = [str(self.folder / word) if word.startswith(own) else word for word in line.split() if word != "sudo"]
        if words[0].endswith("/install"):
            place = ("--http-listen", f"127.0.0.1:{self.http}", "--https-listen", f"127.0.0.1:{self.https}")
            words += ["--yes", "--answers", str(self.folder / "answers"), "--project", self.project, *place]
        return words

    def run(self, command: list[str], *, code: int = 0, said: str = "", **more: Any) -> str:
        """Run it; what it printed, which must hold ``said``."""
        more = {"stdin": subprocess.DEVNULL, **self.more, **more}
        told = [*self.prefix, *command]
        done = subprocess.run(told, capture_output=True, text=True, timeout=SECONDS, check=False, **more)
        printed = done.stdout + done.stderr
        assert done.returncode == code, printed
        assert said in printed, printed
        assert "Traceback" not in printed, printed
        return printed

    def follow(self, lines: list[str], **more: Any) -> str:
        """Run lines of the operator's guide; what they printed."""
        return "".join(self.run(self.here(line), **more) for line in lines)

    def practicum(self, *arguments: str, **more: Any) -> str:
        """``deploy/practicum …``."""
        return self.run([str(self.deploy / "practicum"), *arguments], **more)

    def shell(self, code: str, *, service: str = "web") -> str:
        """What ``code`` prints in Django's shell, in a service's container."""
        done = subprocess.run(
            ["docker", "exec", "-i", self.container(service), "python", "manage.py", "shell", "--no-imports", "-v", "0"],
            input=code, capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def container(self, service: str) -> str:
        """The id of a service's container."""
        labels = ("project", self.project), ("service", service)
        filters = [f"--filter=label=com.docker.compose.{name}={value}" for name, value in labels]
        return subprocess.run(
            ["docker", "ps", "-aq", *filters], capture_output=True, text=True, check=True
        ).stdout.strip()

    def inspect(self, service: str) -> dict[str, Any]:
        """What the engine says of a service's container."""
        said = subprocess.run(
            ["docker", "inspect", self.container(service)], capture_output=True, text=True, check=True
        )
        facts: dict[str, Any] = json.loads(said.stdout)[0]
        return facts

    def notebooks(self) -> list[str]:
        """The ids of this site's notebooks that run."""
        mine = f"--filter=label=org.practicum.instance={self.project}"
        return subprocess.run(["docker", "ps", "-q", mine], capture_output=True, text=True, check=True).stdout.split()

    def wait_for_shell(self, code: str, *, until: str, seconds: float = 120) -> None:
        """``code`` prints ``until`` at last."""
        import time

        ends, said = time.monotonic() + seconds, ""
        while time.monotonic() < ends:
            said = self.shell(code)
            if said.splitlines()[-1:] == [until]:
                return
            time.sleep(1)
        raise RanOut(f"never {until!r}, at last {said!r}")

    def remove(self) -> None:
        """Nothing of it is left on the engine, nor in the kernel."""
        rules = (str(self.deploy / "firewall.py"), "remove", "--yes", "--env", str(self.deploy / ".env"))
        subprocess.run([sys.executable, *rules], capture_output=True, check=False)
        labels = (f"com.docker.compose.project={self.project}", f"org.practicum.instance={self.project}")
        listings = {"container": ["ps", "-aq"], "network": ["network", "ls", "-q"], "volume": ["volume", "ls", "-q"]}
        for kind, listing in listings.items():  # a network goes when the last container has left it
            for label in labels:
                found = subprocess.run(
                    ["docker", *listing, f"--filter=label={label}"], capture_output=True, text=True, check=True
                ).stdout.split()
                if found:
                    force = ["-f"] if kind != "network" else []
                    subprocess.run(["docker", kind, "rm", *force, *found], capture_output=True, check=False)

"""A site of a test's own: a folder, a database, and ``practicum`` run in it as an operator does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(__file__).with_name("programs")
SECRET = "k3Jx9qLw7Rz5TvB2" * 4
PASSWORD = "the password of the repository\n"


@dataclass
class Site:
    """``variables`` are added to what every test site is started with."""

    data_dir: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """What its programs are started with."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PRACTICUM_")}
        own = {
            "PRACTICUM_ENV": "demo",
            "PRACTICUM_ENGINE": "local",
            "PRACTICUM_DATA_DIR": str(self.data_dir),
            "PRACTICUM_SECRET_KEY": SECRET,
            "PRACTICUM_SPLIT_SECRET": SECRET,
            "PRACTICUM_OIDC_CLIENT_SECRET": SECRET,
            "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT / 'hub'}",
            "DJANGO_SETTINGS_MODULE": "practicum.config.settings",
        }
        return inherited | own | self.variables

    def practicum(self, *words: str, code: int = 0) -> str:
        """What the command printed; it ended with ``code``."""
        ended = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *words], cwd=ROOT, env=self.environment, text=True, timeout=300,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        assert ended.returncode == code, f"{' '.join(words)} ended with {ended.returncode}:\n{ended.stdout}"
        return ended.stdout

    def run(self, program: str, *, told: str = "") -> Any:
        """What one of the programs printed on its last line, read as JSON."""
        ended = subprocess.run(
            program_in_a_site(program), cwd=ROOT, env=self.environment, text=True, input=told,
            stdout=subprocess.PIPE, check=True, timeout=300,
        )  # fmt: skip
        return json.loads(ended.stdout.strip().splitlines()[-1])

    def writer(self) -> subprocess.Popen[str]:
        """A program that writes to the database until its input is closed."""
        started = subprocess.Popen(
            program_in_a_site("writer.py"), cwd=ROOT, env=self.environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert started.stdout is not None
        assert started.stdout.readline() == "writing\n"
        return started

    def beside(self, name: str, **variables: str) -> Site:
        """Another host: the same settings and repository, an empty folder, whatever else is said."""
        return Site(self.data_dir.parent / name, self.variables | variables)


def program_in_a_site(name: str) -> list[str]:
    """What runs one of the programs with Django ready."""
    code = "import django, runpy, sys; django.setup(); runpy.run_path(sys.argv[1])"
    return [sys.executable, "-c", code, str(PROGRAMS / name)]


def repository(folder: Path, place: str) -> dict[str, str]:
    """The settings of a repository at ``place``, with its password in a file."""
    folder.mkdir(parents=True, exist_ok=True)
    password = folder / "password"
    password.write_text(PASSWORD)
    password.chmod(0o600)
    return {"PRACTICUM_BACKUP_REPOSITORY": place, "PRACTICUM_BACKUP_PASSWORD_FILE": str(password)}

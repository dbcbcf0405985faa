"""A full disk under a site whose database is a file on it: what writes is told, what reads goes on, and the file stays whole."""

from __future__ import annotations

import os
import re
import secrets
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from tests.e2e.crash_system import BIN, ROOT, SECRETS, Part
from tests.e2e.drill_system import SmallDisk, small_disk
from tests.tools.postgres import free_port
from tests.tools.waiting import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

DISK_MB = 48
SIGNED_IN = """
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from practicum.accounts.models import User
user = User(username="ada", email="ada@example.org", name="Ada", role="admin")
user.set_unusable_password()
user.save()
session = SessionStore()
session[SESSION_KEY], session[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
session.save()
print(session.session_key)
"""


@contextmanager
def site_on(disk: SmallDisk, logs: Path) -> Iterator[tuple[httpx.Client, dict[str, Part]]]:
    """Web and worker with their database on this disk, and the browser of an admin."""
    port = free_port()
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PRACTICUM_", "DJANGO_", "DOCKER_"))} | {
        "PYTHONPATH": str(ROOT / "platform"),
        "DJANGO_SETTINGS_MODULE": "practicum.config.settings",
        "PRACTICUM_ENV": "demo",
        "PRACTICUM_ENGINE": "local",
        "PRACTICUM_WORKSPACE_PYTHON": sys.executable,
        "PRACTICUM_DATA_DIR": str(disk.folder / "var"),
        "PRACTICUM_SITE_URL": f"http://127.0.0.1:{port}",
        "PRACTICUM_HUB_URL": "http://127.0.0.1:9",
        "PRACTICUM_HUB_API_URL": "http://127.0.0.1:9/hub/api",
        **{f"PRACTICUM_{name}": secrets.token_hex(32) for name in SECRETS},
    }
    manage = [sys.executable, "manage.py"]
    subprocess.run([*manage, "setup"], cwd=ROOT, env=env, check=True, stdout=subprocess.DEVNULL)
    said = subprocess.run(
        [*manage, "shell", "-v", "0", "-c", SIGNED_IN], cwd=ROOT, env=env, check=True, capture_output=True, text=True
    )
    gunicorn = [str(BIN / "gunicorn"), "practicum.config.wsgi:application", f"--bind=127.0.0.1:{port}", "--threads=4"]
    parts = {
        "web": Part("web", gunicorn, env, logs / "web.log"),
        "worker": Part("worker", [*manage, "worker", "--evaluations", "1"], env, logs / "worker.log"),
    }
    cookies = {"practicum-session": said.stdout.split()[-1]}
    with httpx.Client(
        base_url=f"http://127.0.0.1:{port}", cookies=cookies, timeout=30, follow_redirects=True
    ) as client:
        try:
            for part in parts.values():
                part.start()
            wait_for(lambda: client.get("/health/").json()["worker"], not_yet=(httpx.TransportError,), what="it runs")
            yield client, parts
        finally:
            for part in parts.values():
                part.kill()
                print(f"--- {part.name}\n{part.log.read_text()}")


def test_a_full_disk_leaves_the_file_whole_and_all_goes_on_once_there_is_room(tmp_path: Path) -> None:
    with small_disk(mebibytes=DISK_MB) as disk, site_on(disk, tmp_path) as (client, parts):
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', client.get("/account/").text)
        assert found
        headers = {"Referer": str(client.base_url)}

        def renamed(name: str) -> httpx.Response:
            sent = {"csrfmiddlewaretoken": found[1], "form": "name", "name": name}
            return client.post("/account/", data=sent, headers=headers)

        assert renamed("Ada before").status_code == 200
        worker = parts["worker"].process
        assert worker is not None
        with disk.full():
            wait_for(lambda: "disk" in client.get("/health/").json()["failing"], what="health names the disk")
            refused = renamed("Ada in between, " + "x" * 60)
            # A change that fits where the file has room already is taken; it is never taken by half.
            assert refused.status_code in (200, 503)
            if refused.status_code == 503:
                assert 'data-code="disk_away"' in refused.text
                assert "Ada in between" in refused.text
            assert [client.get(page).status_code for page in ("/", "/people/", "/account/", "/gpus/")] == [200] * 4
            wait_for(lambda: "disk: away" in parts["worker"].log.read_text(), what="the worker says so")
        wait_for(lambda: "disk" not in client.get("/health/").json()["failing"], what="health has nothing to say of it")
        assert renamed("Ada afterwards").status_code == 200
        assert "Ada afterwards" in client.get("/account/").text
        wait_for(lambda: "disk: answers again" in parts["worker"].log.read_text(), what="the worker says so")
        assert psutil.pid_exists(worker.pid)
        for part in parts.values():
            log = part.log.read_text()
            assert "Traceback" not in log
            assert log.count("\n") < 80, log
        with closing(sqlite3.connect(disk.folder / "var" / "practicum.sqlite3")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("SELECT name FROM accounts_user").fetchall() == [("Ada afterwards",)]

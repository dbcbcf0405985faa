"""A second Practicum, as the OpenID provider of the first: a process and a database of its own, one client, the cast's mentor.

Run as a program it gets itself ready: ``python -m tests.browser.second_site RETURN_ADDRESS``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.hub.harness import ROOT, free_ports
from tests.tools.waiting import wait_for

CLIENT, SECRET, PASSWORD = "practicum-hub", "client-secret-" + "x" * 32, "correct horse battery"


def prepare(return_address: str) -> None:
    """Make the database, the client with this return address, and the mentor's account."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "practicum.config.settings"
    import django

    django.setup()
    from django.core.management import call_command
    from oauth2_provider.models import Application

    from practicum.accounts.models import User

    call_command("setup")
    Application.objects.update(redirect_uris=return_address)
    User.objects.create_user(
        username="mira", email="mira@example.org", password=PASSWORD, name="Mira Mentor", role="mentor"
    )


@contextmanager
def running(folder: Path, *, return_address: str) -> Iterator[str]:
    """The second site, for the time of the block; its address."""
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"  # another host than the first's, localhost: cookies know no ports
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("PRACTICUM_", "DJANGO_"))},
        "PYTHONPATH": os.pathsep.join([str(ROOT / "platform"), str(ROOT)]),
        "PRACTICUM_DATA_DIR": str(folder),
        "PRACTICUM_SITE_URL": url,
        "PRACTICUM_HUB_URL": return_address.partition("/sign-in/")[0],  # forms may lead there
        "PRACTICUM_OIDC_CLIENT_SECRET": SECRET,
        "PRACTICUM_SECRET_KEY": "second-site" * 5,
    }
    ready = [sys.executable, "-m", "tests.browser.second_site", return_address]
    subprocess.run(ready, cwd=ROOT, env=environment, check=True, capture_output=True, timeout=180)
    with (folder / "web.log").open("wb") as log:
        serve = ["-m", "gunicorn", "practicum.config.wsgi:application", f"--bind=127.0.0.1:{port}", "--threads=4"]
        process = subprocess.Popen([sys.executable, *serve], cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            wait_for(
                lambda: httpx.get(f"{url}/o/.well-known/openid-configuration", timeout=2).status_code == 200,
                seconds=90,
                what=lambda: (folder / "web.log").read_text()[-2000:],
                not_yet=(httpx.HTTPError,),
            )
            yield url
        finally:
            process.terminate()
            process.wait(timeout=20)


if __name__ == "__main__":
    prepare(sys.argv[1])

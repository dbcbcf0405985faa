"""A fake site, a real hub and a real proxy for the tests of this folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hub.fake_site import FakeSite
from tests.hub.harness import Hub, free_ports, running, session_of

# A browser of another test in this process leaves an event loop behind, beside which Django would refuse its database.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
STUB = Path(__file__).parent / "stub_singleuser.py"
IMPATIENT = (
    "--Spawner.poll_interval=1",
    "--SiteAuthenticator.auth_refresh_age=1",
    "--JupyterHub.last_activity_interval=1",
)
Lease = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def lasting_site() -> Iterator[FakeSite]:
    """One site for the session; tests take ``site``, which has forgotten everything."""
    site = FakeSite(free_ports(1)[0])
    site.start()
    yield site
    site.stop()


@pytest.fixture
def site(lasting_site: FakeSite) -> FakeSite:
    """A site that knows nobody yet."""
    lasting_site.forget()
    return lasting_site


@pytest.fixture(scope="session")
def lasting_hub(tmp_path_factory: pytest.TempPathFactory, lasting_site: FakeSite) -> Iterator[Hub]:
    """One hub for the session; tests take ``hub``, which has nobody in it."""
    engine = {"PRACTICUM_ENGINE": "local", "PRACTICUM_WORKSPACE_PYTHON": str(STUB)}
    with running(Hub(tmp_path_factory.mktemp("hub"), lasting_site.port, engine, options=IMPATIENT)) as hub:
        yield hub


@pytest.fixture
def hub(lasting_hub: Hub, site: FakeSite) -> Iterator[Hub]:
    """Hub and proxy; notebooks are local processes of a stub."""
    yield lasting_hub
    site.forget()
    lasting_hub.forget("ines", "peer")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Starter files of a published project."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "start.ipynb").write_text("{}")
    folder.chmod(0o755)
    tmp_path.chmod(0o755)
    return folder


@pytest.fixture
def lease(project: Path) -> Lease:
    """Makes the answer to a claim; keywords replace its parts."""

    def make(username: str, **parts: Any) -> dict[str, Any]:
        labels = {"managed": "1", "instance": "hubtest", "kind": "session", "lease": "l-1", "token": "7"}
        return {
            "session": session_of(username),
            "lease": {"id": "l-1", "token": 7, "until": "2026-03-02T12:00:00Z"},
            "slot": {"kind": "cpu", "uuid": None, "label": "CPU 1"},
            "image": "unused",
            "volume": f"hubtest-home-{username}",
            "mounts": [{"source": str(project), "target": "/data", "read_only": True}],
            "environment": {"PRACTICUM_PROJECT": "digits", "PRACTICUM_TOKEN": "w" * 40},
            "limits": {"cpus": 1.5, "memory_bytes": 1 << 30, "pids": 256, "shm_bytes": 1 << 26},
            "labels": {f"org.practicum.{name}": value for name, value in labels.items()},
            "project_dir": str(project),
            **parts,
        }

    return make

"""Homes with a quota, on the real engine under the real hub: who fills theirs ends their own notebook, and nobody else's."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import docker
import httpx
import pytest
from django.test import Client
from docker.errors import NotFound

from practicum.accounts.models import Notice
from practicum.engine.docker import DockerEngine
from practicum.gpus import tasks as gpus
from practicum.gpus.inventory import pool_of
from practicum.gpus.models import Lease, PoolKind, Server, Slot
from practicum.lib.clock import utc_now
from practicum.workspaces import lifecycle, services, tasks
from practicum.workspaces.archives import home_volume
from practicum.workspaces.clearing import clear_away
from practicum.workspaces.home_sizes import parse, room_of, walk_spec
from practicum.workspaces.hub import HttpHub
from practicum.workspaces.models import Session
from tests.hub.conftest import IMPATIENT
from tests.hub.engines import tidied
from tests.hub.fake_site import FakeSite
from tests.hub.harness import API_TOKEN, Hub, running
from tests.tools.waiting import wait_for

pytestmark = pytest.mark.engine

IMAGE = os.environ.get("PRACTICUM_WORKSPACE_IMAGE", "practicum/workspace")
PREFIX = "homestest"
MB = 10**6
# In the open, and where the walk must not be kept out.
FILL = "cd && head -c 30000000 /dev/urandom > seen && mkdir shut && head -c 30000000 /dev/urandom > shut/x && chmod 000 shut"
TRY = r"""
cd /homes/*; rm -rf shut; echo x >> shut/x; chmod 777 shut; chown 0 shut; stat -c '%a %u' shut >&2
grep -E 'CapEff|CapBnd|NoNewPrivs|Seccomp:' /proc/self/status >&2; echo x > /x
"""
LABELS = {"org.practicum.instance": PREFIX, "org.practicum.kind": "home-size"}


@pytest.fixture(scope="module")
def client() -> Iterator[docker.APIClient]:
    """The engine; what these tests made there is removed at the end."""
    with tidied(PREFIX) as made:
        yield made


@pytest.fixture(scope="module")
def hub(client: docker.APIClient, tmp_path_factory: pytest.TempPathFactory, lasting_site: FakeSite) -> Iterator[Hub]:
    """A hub that starts containers."""
    settings = {
        "PRACTICUM_ENGINE": "docker",
        "PRACTICUM_INSTANCE": PREFIX,
        "PRACTICUM_NETWORK": f"{PREFIX}-net",
        "PRACTICUM_HUB_NETWORK_SUBNET": "172.31.249.0/24",
        "PRACTICUM_HUB_CONNECT_HOST": "172.31.249.1",
    }
    with running(Hub(tmp_path_factory.mktemp("homes-hub"), lasting_site.port, settings, options=IMPATIENT)) as made:
        yield made


@dataclass
class Floor:
    """Two slots of one server, and what the site's worker does there."""

    hub: Hub
    site: FakeSite
    client: docker.APIClient
    engine: DockerEngine
    http_hub: HttpHub

    def open(self, user: Any) -> Session:
        """The person opens a notebook, which comes up on the real hub with the site's own grant."""
        session = services.open_notebook(user, now=utc_now())
        gpus.allocate(utc_now())
        self.site.leases[user.username] = services.claim(user.username, now=utc_now())
        self.hub.launch(user.username)
        session = Session.objects.select_related("lease__slot", "user").get(pk=session.pk)
        lifecycle.mark_ready(session, token=session.lease.token, now=utc_now())
        return session

    def run(self, user: Any, command: str) -> str:
        """What a program in the person's notebook prints."""
        process = self.client.exec_create(f"{PREFIX}-{user.username}", ["sh", "-c", command])
        printed: str = self.client.exec_start(process["Id"]).decode()
        assert self.client.exec_inspect(process["Id"])["ExitCode"] == 0, printed
        return printed

    def container(self, user: Any) -> Any:
        """The id and state of the person's notebook; None where there is none."""
        try:
            held = self.client.inspect_container(f"{PREFIX}-{user.username}")
        except NotFound:
            return None
        return held["Id"], held["State"]["Running"]

    def measure(self) -> None:
        """What the worker does each minute."""
        assert tasks.measure_homes(utc_now(), engine=self.engine) > 0
        assert self.engine.list(LABELS) == []

    def clear(self, session: Session) -> bool:
        """What the worker does until it is True: the session's slot was given back."""
        lease = Lease.objects.select_related("slot__server", "user").get(pk=session.lease_id)
        return clear_away(lease, hub=self.http_hub, engine=self.engine, clock=utc_now)


@pytest.fixture
def floor(
    transactional_db: None, hub: Hub, site: FakeSite, client: docker.APIClient, settings: Any, version: Any
) -> Iterator[Floor]:
    """The world of these tests: 40 MB for each home."""
    settings.PRACTICUM_INSTANCE, settings.PRACTICUM_ENGINE = PREFIX, "docker"
    settings.PRACTICUM_HOME_QUOTA_BYTES = 40 * MB
    type(version).objects.update(image=IMAGE)
    server, pool = Server.objects.create(name="alpha", seen_at=utc_now()), pool_of(name="CPU", kind=PoolKind.CPU)
    for index in (0, 1):
        Slot.objects.create(server=server, pool=pool, kind="cpu", index=index, uuid=f"cpu:{index}", model="CPU")
    engine, http_hub = DockerEngine(), HttpHub(f"http://127.0.0.1:{hub.ports[2]}/hub/api", token=API_TOKEN)
    yield Floor(hub, site, client, engine, http_hub)
    site.forget()
    hub.forget("ines", "peer")
    for username in ("ines", "peer"):
        engine.remove_volume(home_volume(username))
    http_hub._http.close()
    engine.close()


def test_who_fills_their_home_ends_their_own_notebook_alone_and_can_open_it_to_delete(
    floor: Floor, intern: Any, peer: Any, internship: Any, peer_internship: Any, client_of: Callable[[Any], Client]
) -> None:
    mine, theirs = floor.open(intern), floor.open(peer)
    neighbour = floor.container(peer)
    floor.measure()
    before = room_of(intern)
    assert before is not None
    assert before.used is not None
    assert before.used < 5 * MB

    floor.run(intern, FILL)
    floor.measure()
    mine.refresh_from_db()
    theirs.refresh_from_db()
    assert (mine.state, theirs.state) == ("stopping", "running")
    wait_for(lambda: floor.clear(mine), seconds=60, what="the slot is given back")
    assert floor.container(intern) is None
    assert floor.container(peer) == neighbour
    assert httpx.get(f"{floor.hub.url}/user/{peer.username}/api", timeout=20).status_code == 200

    page = client_of(intern).get("/notebook/").content.decode()
    assert "more than the 40 MB you have, and grew" in page
    assert '<code class="text-break">seen</code>' in page
    assert '<code class="text-break">shut/x</code>' in page, (
        "what is in a folder that was closed is measured and named too"
    )
    assert Notice.objects.get(kind="home.full").user == intern

    again = floor.open(intern)
    floor.measure()
    again.refresh_from_db()
    assert again.state == "running"
    assert floor.run(intern, "cd && wc -c < seen && chmod 700 shut && rm -r shut && rm seen") == "30000000\n"
    floor.measure()
    again.refresh_from_db()
    after = room_of(intern)
    assert after is not None
    assert (again.state, after.standing, after.used is not None and after.used < 5 * MB) == ("running", "", True)


def test_the_walk_sees_all_for_its_one_right_and_can_change_nothing(floor: Floor, intern: Any, internship: Any) -> None:
    floor.open(intern)
    floor.run(intern, FILL)
    spec, used = walk_spec([intern], labels=LABELS), {}
    for reads_all in (True, False):
        sink = BytesIO()
        floor.engine.pipe(replace(spec, reads_all=reads_all), sink=sink, max_bytes=1 << 20, wall_seconds=60)
        used[reads_all] = parse(sink.getvalue(), user_ids=[intern.pk]).used(intern.pk) or 0
    assert used[True] - used[False] == pytest.approx(30 * MB, rel=0.01), "without it, what is shut away would not count"

    said = floor.engine.pipe(
        replace(spec, command=["/bin/sh", "-c", TRY]), max_bytes=1 << 16, wall_seconds=30
    ).stderr.splitlines()
    right = f"{1 << 2:016x}"  # CAP_DAC_READ_SEARCH
    assert said[-6:-1] == ["0 1000", f"CapEff:\t{right}", f"CapBnd:\t{right}", "NoNewPrivs:\t1", "Seccomp:\t2"]
    assert "Read-only file system" in said[-1]

"""Real containers of the workspace image: what they get, that they answer, that they end."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

import docker
import httpx
import pytest
from docker.errors import NotFound

from tests.hub.conftest import IMPATIENT, Lease
from tests.hub.engines import tidied
from tests.hub.fake_site import FakeSite
from tests.hub.harness import Hub, running, session_of
from tests.tools.waiting import wait_for

pytestmark = pytest.mark.engine

GPU = "GPU-5d3c0b1a-0000-4000-8000-000000000001"
IMAGE = os.environ.get("PRACTICUM_WORKSPACE_IMAGE", "practicum/workspace")
PREFIX = "hubtest"
SESSION = session_of("ines")


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.APIClient]:
    """The engine; what these tests made there is removed at the end."""
    with tidied(PREFIX) as client:
        yield client


@pytest.fixture(scope="module")
def docker_hub(
    engine: docker.APIClient, tmp_path_factory: pytest.TempPathFactory, lasting_site: FakeSite
) -> Iterator[Hub]:
    """A hub that starts containers, on a network it has to make."""
    settings = {
        "PRACTICUM_ENGINE": "docker",
        "PRACTICUM_INSTANCE": PREFIX,
        "PRACTICUM_NETWORK": f"{PREFIX}-net",
        "PRACTICUM_HUB_NETWORK_SUBNET": "172.31.241.0/24",
        "PRACTICUM_HUB_CONNECT_HOST": "172.31.241.1",
    }
    with running(Hub(tmp_path_factory.mktemp("docker-hub"), lasting_site.port, settings, options=IMPATIENT)) as hub:
        yield hub


@pytest.fixture
def hub(docker_hub: Hub, site: FakeSite) -> Iterator[Hub]:
    """The hub with nobody in it."""
    yield docker_hub
    site.forget()
    docker_hub.forget("ines", "peer")


@pytest.fixture
def gpu_lease(lease: Lease) -> dict[str, Any]:
    """A lease of one GPU for the intern."""
    return lease("ines", image=IMAGE, slot={"kind": "gpu", "uuid": GPU, "label": "GPU 0"})


def container(engine: docker.APIClient, username: str = "ines") -> dict[str, Any] | None:
    """The person's container as the engine describes it."""
    try:
        description: dict[str, Any] = engine.inspect_container(f"{PREFIX}-{username}")
    except NotFound:
        return None
    return description


def run(engine: docker.APIClient, *command: str) -> str:
    """What a program inside the intern's container prints."""
    process = engine.exec_create(f"{PREFIX}-ines", list(command))
    return str(engine.exec_start(process["Id"]).decode())


def test_a_container_gets_the_lease_and_nothing_more(
    hub: Hub, site: FakeSite, engine: docker.APIClient, gpu_lease: dict[str, Any]
) -> None:
    site.leases["ines"] = gpu_lease
    hub.launch("ines")
    made = container(engine)
    assert made is not None
    host = made["HostConfig"]
    (request,) = host["DeviceRequests"]
    assert (request["Driver"], request["DeviceIDs"], request["Count"]) == ("nvidia", [GPU], 0)
    assert (host["Memory"], host["MemorySwap"], host["CpuQuota"], host["CpuShares"]) == (1 << 30, 1 << 30, 150_000, 64)
    assert (host["PidsLimit"], host["ShmSize"]) == (256, 1 << 26)
    assert (host["CapDrop"], host["SecurityOpt"], host["Privileged"]) == (["ALL"], ["no-new-privileges"], False)
    assert (host["Init"], host["AutoRemove"], host["NetworkMode"]) == (True, True, f"{PREFIX}-net")
    assert host["PortBindings"] in (None, {})
    assert made["Config"]["User"] == "1000:1000"
    assert gpu_lease["labels"].items() <= made["Config"]["Labels"].items()
    mounts = {m["Destination"]: (m["Type"], m["RW"]) for m in made["Mounts"]}
    assert mounts == {"/home/jovyan": ("volume", True), "/data": ("bind", False), "/opt/project": ("bind", False)}


def test_the_kernel_sees_its_limits_from_inside(
    hub: Hub, site: FakeSite, engine: docker.APIClient, gpu_lease: dict[str, Any]
) -> None:
    site.leases["ines"] = gpu_lease
    hub.launch("ines")
    status = dict(
        line.split(":\t", 1) for line in run(engine, "cat", "/proc/self/status").splitlines() if ":\t" in line
    )
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    visible = [line for line in run(engine, "env").splitlines() if line.startswith("NVIDIA_VISIBLE_DEVICES=")]
    assert visible == [f"NVIDIA_VISIBLE_DEVICES={GPU}"]


def test_jupyterlab_answers_its_owner_through_the_proxy_and_nobody_else(
    hub: Hub, site: FakeSite, gpu_lease: dict[str, Any]
) -> None:
    site.leases["ines"] = gpu_lease
    hub.launch("ines")
    with hub.browser() as owner:
        assert "jupyter-config-data" in owner.get(f"{hub.url}/user/ines/lab").text
        assert owner.get(f"{hub.url}/user/ines/api/status").status_code == 200
    site.browser_user = "peer"
    with hub.browser() as peer:
        assert peer.get(f"{hub.url}/user/ines/lab").status_code in (403, 404)
        assert peer.get(f"{hub.url}/user/ines/api/status").status_code == 403


def test_a_deactivated_persons_browser_loses_the_notebook(hub: Hub, site: FakeSite, lease: Lease) -> None:
    site.leases["ines"] = lease("ines", image=IMAGE)
    hub.launch("ines")
    with hub.browser() as browser:
        browser.get(f"{hub.url}/user/ines/lab")
        status = f"{hub.url}/user/ines/api/status"
        assert browser.get(status).status_code == 200
        site.deactivated.add("ines")
        assert wait_for(lambda: browser.get(status).status_code == 403, seconds=70, what="the token is taken back")


def test_the_home_volume_outlives_the_container(
    hub: Hub, site: FakeSite, engine: docker.APIClient, gpu_lease: dict[str, Any]
) -> None:
    site.leases["ines"] = gpu_lease
    hub.launch("ines")
    run(engine, "sh", "-c", "echo mine > /home/jovyan/note.txt")
    hub.api("DELETE", "/users/ines/server")
    wait_for(lambda: container(engine) is None, seconds=20, what="gone")
    hub.launch("ines")
    assert run(engine, "cat", "/home/jovyan/note.txt") == "mine\n"


def test_stopped_is_said_only_when_the_container_is_gone(
    hub: Hub, site: FakeSite, engine: docker.APIClient, gpu_lease: dict[str, Any]
) -> None:
    site.leases["ines"] = gpu_lease
    hub.launch("ines")
    hub.api("DELETE", "/users/ines/server")
    wait_for(lambda: "stopped" in site.states(SESSION), seconds=20, what=lambda: site.events)
    assert container(engine) is None
    assert site.states(SESSION) == ["starting", "ready", "stopped"]


def test_no_lease_makes_no_container(hub: Hub, site: FakeSite, engine: docker.APIClient) -> None:
    hub.api("POST", "/users/ines")
    assert hub.api("POST", "/users/ines/server").status_code == 409
    assert container(engine) is None


def test_an_image_that_is_missing_is_told_in_words(
    hub: Hub, site: FakeSite, engine: docker.APIClient, lease: Lease
) -> None:
    site.leases["ines"] = lease("ines", image="hubtest/no-such-image:0")
    hub.api("POST", "/users/ines")
    answer = hub.api("POST", "/users/ines/server")
    assert answer.status_code in (202, 500), "500 when the engine was quick to refuse"
    wait_for(lambda: site.states(SESSION) == ["starting", "failed"], seconds=10, what=lambda: site.events)
    assert "not on the GPU server" in site.events[-1]["message"]
    assert container(engine) is None


def test_a_start_called_off_leaves_no_container(
    hub: Hub, site: FakeSite, engine: docker.APIClient, gpu_lease: dict[str, Any]
) -> None:
    site.leases["ines"] = gpu_lease
    hub.begin("ines")
    wait_for(lambda: site.states(SESSION) == ["starting"], seconds=20, what="started")
    hub.api("DELETE", "/users/ines/server")
    wait_for(lambda: site.states(SESSION) == ["starting", "stopped"], seconds=30, what=lambda: site.events)
    assert container(engine) is None


def test_a_killed_container_is_noticed(
    hub: Hub, site: FakeSite, engine: docker.APIClient, gpu_lease: dict[str, Any]
) -> None:
    site.leases["ines"] = gpu_lease
    hub.launch("ines")
    engine.kill(f"{PREFIX}-ines")
    wait_for(lambda: site.states(SESSION) == ["starting", "ready", "stopped"], seconds=20, what=lambda: site.events)
    assert hub.server("ines") == {}


def test_a_killed_hub_finds_its_container_again(
    hub: Hub, site: FakeSite, engine: docker.APIClient, gpu_lease: dict[str, Any]
) -> None:
    site.leases["ines"] = gpu_lease
    hub.launch("ines")
    before = container(engine)
    hub.kill("hub")
    hub.start_hub()
    wait_for(lambda: hub.server("ines").get("ready"), seconds=20, what="ready again")
    after = container(engine)
    assert before is not None
    assert after is not None
    assert before["Id"] == after["Id"]
    assert site.claims == 1
    hub.api("DELETE", "/users/ines/server")
    wait_for(lambda: site.states(SESSION)[-1] == "stopped", seconds=20, what=lambda: site.events)
    assert container(engine) is None


def test_a_hub_killed_in_the_middle_of_a_start_takes_the_container_over(
    hub: Hub, site: FakeSite, engine: docker.APIClient, gpu_lease: dict[str, Any]
) -> None:
    site.leases["ines"] = gpu_lease
    hub.begin("ines")
    wait_for(lambda: site.states(SESSION) == ["starting"], seconds=20, what="started")
    made = wait_for(lambda: container(engine), seconds=10, what="the container is made")
    hub.kill("hub")
    hub.start_hub()
    wait_for(lambda: hub.server("ines").get("ready"), seconds=60, what="ready")
    assert (container(engine) or {})["Id"] == made["Id"]
    wait_for(lambda: site.states(SESSION)[-1] == "ready", seconds=10, what=lambda: site.events)
    hub.api("DELETE", "/users/ines/server")
    wait_for(lambda: site.states(SESSION)[-1] == "stopped", seconds=20, what=lambda: site.events)
    assert container(engine) is None


def test_a_hub_killed_between_making_and_starting_a_container_starts_it(
    hub: Hub, site: FakeSite, engine: docker.APIClient, gpu_lease: dict[str, Any]
) -> None:
    site.leases["ines"] = gpu_lease
    hub.begin("ines")
    made = wait_for(lambda: container(engine), seconds=20, what="the container is made")
    hub.kill("hub")
    # The moment between the two calls is too short to hit: the same container, made anew and not started.
    engine.remove_container(made["Id"], force=True)
    networks = {name: {} for name in made["NetworkSettings"]["Networks"]}
    same = made["Config"] | {"HostConfig": made["HostConfig"], "NetworkingConfig": {"EndpointsConfig": networks}}
    anew = engine.create_container_from_config(same, made["Name"].lstrip("/"))
    hub.start_hub()
    wait_for(lambda: hub.server("ines").get("ready"), seconds=60, what="ready")
    assert (container(engine) or {})["Id"] == anew["Id"]
    wait_for(lambda: site.states(SESSION)[-1] == "ready", seconds=10, what=lambda: site.events)


def test_a_kernel_reaches_the_hub_but_not_the_proxys_api(
    hub: Hub, site: FakeSite, engine: docker.APIClient, gpu_lease: dict[str, Any]
) -> None:
    site.leases["ines"] = gpu_lease
    hub.launch("ines")
    knock = "import socket,sys\ntry: socket.create_connection((sys.argv[1], int(sys.argv[2])), 2); print('open')\n"
    knock += "except OSError: print('closed')"
    reach = {
        port: run(engine, "/opt/venv/bin/python", "-c", knock, "172.31.241.1", str(port)).strip() for port in hub.ports
    }
    assert reach == {hub.ports[0]: "closed", hub.ports[1]: "closed", hub.ports[2]: "open"}
    with socket.create_connection(("127.0.0.1", hub.ports[1]), 2) as control:
        assert control.getpeername()[1] == hub.ports[1], "it listens, on the host alone"


BOMBS = {
    # No more processes than its own limit, whatever it tries.
    "processes": "import os,time\nn=0\ntry:\n while n<2000:\n  if os.fork()==0: time.sleep(20); os._exit(0)\n  n+=1\n"
    "except OSError: pass\nprint('made', n)",
    # 64 GB, touched as they are asked for.
    "memory": "blocks=[]\nfor n in range(64): blocks.append(bytearray(b'x')*(1<<30))\nprint('made', n)",
    "shared memory": "import os\nn=0\ntry:\n with open('/dev/shm/x','wb',0) as f:\n  while f.write(b'x'*(1<<20)): n+=1\n"
    "except OSError as e: print('refused', e.errno)\nfinally: os.unlink('/dev/shm/x')",
}


def test_bombs_in_a_notebook_hit_its_own_server_and_nobody_elses(
    hub: Hub, site: FakeSite, engine: docker.APIClient, lease: Lease
) -> None:
    for username in ("ines", "peer"):
        site.leases[username] = lease(username, image=IMAGE)
        hub.launch(username)
    before = container(engine, "peer")
    assert before is not None
    python = "/opt/venv/bin/python"
    assert run(engine, python, "-c", BOMBS["shared memory"]).strip() == "refused 28"
    memory = engine.exec_create(f"{PREFIX}-ines", [python, "-c", BOMBS["memory"]])
    assert "made" not in engine.exec_start(memory["Id"]).decode()
    # Refused its second gigabyte, or killed for it, alone or with its server.
    assert container(engine) is None or engine.exec_inspect(memory["Id"])["ExitCode"] in (1, 137)
    if container(engine) is not None:
        assert int(run(engine, python, "-c", BOMBS["processes"]).split()[-1]) < 256
    after = container(engine, "peer")
    assert after is not None
    assert (after["Id"], after["State"]["Running"], after["State"]["OOMKilled"]) == (before["Id"], True, False)
    assert httpx.get(f"{hub.url}/user/peer/api", timeout=20).status_code == 200
    assert hub.api("GET", "/users/peer").status_code == 200

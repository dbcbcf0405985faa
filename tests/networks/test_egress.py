"""The notebooks' way out, from inside a notebook: what is listed works, nothing else does, who asks too much is known (C9)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from practicum.engine import reach
from tests.networks import world as places
from tests.networks.conftest import EGRESS_IMAGE, PYTHON, SITE_PORT, Notebook
from tests.networks.world import TOKEN, World
from tests.tools.waiting import wait_for

pytestmark = pytest.mark.engine

ASKING = Path(__file__).with_name("asking.py").read_text()
FLOOD = """
import resource, select, socket, sys, time
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
waiting, began = [], time.monotonic()
for _ in range(10_000):
    caller = socket.socket()
    caller.setblocking(False)
    try:
        caller.connect((sys.argv[1], 3128))
    except BlockingIOError:
        pass
    waiting.append(caller)
poll = select.poll()
for caller in waiting:
    poll.register(caller, select.POLLOUT)
made = set()
while time.monotonic() < began + 4:
    made |= {number for number, event in poll.poll(200) if event & select.POLLOUT and not event & select.POLLERR}
    for number in made:
        try:
            poll.unregister(number)
        except KeyError:
            pass
print(len(waiting), len(made))
"""


def ask(notebook: Notebook, *lines: str) -> list[list[Any]]:
    """What the proxy answers to the notebook."""
    command = [PYTHON, "-I", "-c", ASKING, f"{places.EGRESS}:3128", "15", *lines]
    return [json.loads(line) for line in notebook.world.run_in(notebook.container, *command).splitlines()]


def counted(server: World) -> dict[str, dict[str, Any]]:
    """What the proxy has counted, by the address of a notebook."""
    file = server.state / "counts.json"
    clients: dict[str, dict[str, Any]] = json.loads(file.read_text())["clients"] if file.exists() else {}
    return clients


def test_pip_installs_through_the_proxy_that_the_hub_names(notebook: Notebook) -> None:
    install = ["pip", "install", "--no-deps", "--index-url", "http://pypi.test/simple", "--trusted-host", "pypi.test"]
    said = notebook.world.run_in(notebook.container, *install, "nwt-thing")
    assert "Successfully installed nwt-thing-1.0" in said
    found = notebook.world.run_in(notebook.container, "python", "-c", "import nwt_thing; print(nwt_thing.ANSWER)")
    assert found.strip() == "42"


def test_the_practicum_command_reaches_the_site_and_not_by_the_proxy(server: World, notebook: Notebook) -> None:
    before = counted(server)
    said = notebook.world.run_in(
        notebook.container, "env", "PRACTICUM_PROJECT_DIR=/home/jovyan", "practicum", "status", "--json"
    )
    assert json.loads(said) == {"submissions": []}
    assert not [host for client in before.values() for host in client["hosts_refused"] if str(SITE_PORT) in host]


def test_a_listed_host_is_reached_and_no_other(notebook: Notebook) -> None:
    answers = ask(
        notebook, "GET http://pypi.test/simple/nwt-thing/", "CONNECT pypi.test:443", "GET http://elsewhere.test/"
    )
    assert answers[0][0] == 200
    assert "nwt_thing-1.0" in answers[0][1]
    assert answers[1] == [200, TOKEN]
    status, page = answers[2]
    assert status == 403
    assert "elsewhere.test" in page
    assert "ada@practicum.example" in page


@pytest.mark.parametrize(
    "line",
    [
        "CONNECT elsewhere.test:443",
        f"CONNECT {places.PUBLIC}:443",
        f"GET http://{places.PUBLIC}/",
        f"CONNECT [{places.PUBLIC6}]:443",
        f"GET http://{places.METADATA}/latest/meta-data/",
        f"CONNECT {places.LAN}:443",
        "CONNECT localhost:3128",
        "CONNECT 127.0.0.1:3128",
        "GET http://pypi.test:22/",
        "CONNECT pypi.test:22",
        "CONNECT pypi.test:25",
        "CONNECT pypi.test:80",
        "CONNECT inside.test:443",
        "GET http://inside.test:443/",
        "GET http://cloud.test/latest/meta-data/",
        "GET http://egress:3128/squid-internal-mgr/info",
        "GET ftp://pypi.test/",
        "GET http://pypi.test.elsewhere.test/",
    ],
)
def test_what_is_not_a_listed_host_at_a_web_port_is_refused(notebook: Notebook, line: str) -> None:
    ((status, said),) = ask(notebook, line)
    assert status in (400, 403), said
    assert TOKEN not in said


def test_a_name_that_is_turned_around_leads_nowhere_inside(server: World, notebook: Notebook) -> None:
    look_up = "import socket; print({socket.gethostbyname('turned.test') for _ in range(8)})"
    assert places.LAN in server.run_in("egress", "python3", "-I", "-c", look_up), (
        "whoever trusts the name is led inside"
    )
    answers = ask(notebook, *["CONNECT turned.test:443"] * 12)
    assert {status for status, _ in answers} <= {200, 403, 503}
    assert places.INSIDE_TOKEN not in [said for _, said in answers]


def test_the_kernel_keeps_the_proxy_itself_from_everything_inside(server: World) -> None:
    """Whatever Squid believes of a name: the packet is not sent on."""
    others = [
        ("tcp", places.LAN, 443), ("tcp", places.METADATA, 80), ("tcp", places.HOST, 22), ("tcp", "172.31.2.1", 2375),
        ("tcp", places.PUBLIC, 25), ("tcp", "172.31.0.1", 5432),
    ]  # fmt: skip
    asked = json.dumps(
        {"doors": [("tcp", places.PUBLIC, 443), ("tcp", places.PUBLIC, 80)], "others": others, "seconds": 1}
    )
    answer = json.loads(server.run_in("egress", "python3", "-I", "-c", Path(reach.__file__).read_text(), asked))
    assert [word for word, *_ in answer["doors"]] == [reach.OPEN] * 2
    assert [word for word, *_ in answer["others"]] == [reach.HELD] * len(others), answer["others"]


def test_what_was_refused_is_counted_by_notebook_and_host(server: World, notebook: Notebook) -> None:
    ask(notebook, "CONNECT elsewhere.test:443", "GET http://pypi.test/simple/nwt-thing/")
    address = server.docker(
        "inspect", "--format", "{{.NetworkSettings.Networks.notebooks.IPAddress}}", notebook.container
    )

    def both() -> bool:
        mine = counted(server)[address.strip()]
        return bool(mine["allowed"] and mine["hosts_refused"].get("elsewhere.test:443"))

    wait_for(both, seconds=10, what=lambda: f"the proxy counts both: {counted(server)}", not_yet=(KeyError,))


def test_ten_thousand_connections_are_dropped_and_an_alarm_and_hurt_nobody_else(
    server: World, notebook: Notebook
) -> None:
    said = server.run_in(notebook.container, PYTHON, "-I", "-c", FLOOD, places.EGRESS)
    asked, made = (int(word) for word in said.split())
    assert asked == 10_000
    assert made <= 700, "the kernel lets 50 a second through, 300 at first and 256 at once"
    counts = json.loads(server.firewall("counts"))
    address = server.docker(
        "inspect", "--format", "{{.NetworkSettings.Networks.notebooks.IPAddress}}", notebook.container
    )
    assert counts[address.strip()]["fast"] > 9_000
    alarms = wait_for(lambda: counted(server)[address.strip()]["alarms"], seconds=10, what="the alarm")
    assert alarms >= 1
    assert counted(server)[address.strip()]["dropped"] > 0, (
        "of those that came to the proxy, it kept as many as one may have"
    )
    # Somebody else's notebook is served meanwhile.
    neighbour = ["run", "--rm", "--network", "notebooks", "--entrypoint", "python3", EGRESS_IMAGE, "-I", "-c", ASKING]
    answer = server.docker(*neighbour, f"{places.EGRESS}:3128", "15", "CONNECT pypi.test:443")
    assert json.loads(answer) == [200, TOKEN]

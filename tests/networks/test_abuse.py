"""What a notebook does to itself stays with it (C8), and it gets no GPU but the leased (H7); its neighbour works on."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.hub.harness import Hub
from tests.networks.conftest import PYTHON, Notebook, open_notebook
from tests.networks.world import World
from tests.tools.waiting import wait_for

pytestmark = pytest.mark.engine

FORKS = """
import os, signal, time
made = []
try:
    for _ in range(400):
        child = os.fork()
        if not child:
            time.sleep(60)
        made.append(child)
except BlockingIOError:
    pass
print(len(made))
for child in made:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
"""
MEMORY = """
import os
child = os.fork()
if not child:
    open("/proc/self/oom_score_adj", "w").write("1000")
    held = [bytearray(1 << 26) for _ in range(1024)]
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
ALL = "import os; os.kill(-1, 9)"


@pytest.fixture
def other(server: World, hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    """A notebook of the peer, to be ruined."""
    yield open_notebook(server, hub, "peer", project=tmp_path_factory.mktemp("peer"))
    hub.forget("peer")


def inside_of(notebook: Notebook, *command: str) -> subprocess.CompletedProcess[str]:
    """A command in it, however it ends."""
    words = ["docker", "-H", notebook.world.host, "exec", notebook.container, *command]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)


def test_it_ruins_itself_alone_and_its_slot_is_given_back_once_it_is_gone(
    server: World, hub: Hub, notebook: Notebook, other: Notebook
) -> None:
    forks = int(inside_of(other, PYTHON, "-I", "-c", FORKS).stdout)
    assert 100 < forks < 256
    assert inside_of(other, PYTHON, "-I", "-c", MEMORY).stdout.strip() == "-9", "the kernel ends what takes 64 GB"
    assert inside_of(other, "true").returncode == 0

    assert (
        inside_of(other, "sh", "-c", "test ! -e /dev/nvidia0 && echo $NVIDIA_VISIBLE_DEVICES").stdout.strip() == "void"
    )
    assert (
        inside_of(other, "python", "-c", "import os; os.mknod('/tmp/gpu', 0o20666, os.makedev(195, 0))").returncode == 1
    )

    inside_of(other, PYTHON, "-I", "-c", ALL)
    site = hub.site  # type: ignore[attr-defined]
    wait_for(lambda: "stopped" in site.states("session-of-peer"), seconds=60, what="the site is told of its end")
    assert "nwt-peer" not in server.docker("ps", "--all", "--format", "{{.Names}}").split()
    assert notebook.world.run_in(notebook.container, "echo", "works").strip() == "works"
    assert hub.server("ines").get("ready")

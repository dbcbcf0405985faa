"""A process's control group says which container it is in; nothing the container writes can."""

from __future__ import annotations

from pathlib import Path

import pytest

from practicum_hub.containers import container_of, finder, sees_all_processes

A, B, OUTER = "a" * 64, "0123456789abcdef" * 4, "f" * 64
V1 = "12:devices:{path}\n11:memory:{path}\n1:name=systemd:{path}\n0::/\n"

TABLE = [
    # cgroup v2, systemd driver
    (f"0::/system.slice/docker-{A}.scope\n", [], A),
    (f"0::/system.slice/docker-{A}.scope/init\n", [], A),
    # cgroup v2, cgroupfs driver
    (f"0::/docker/{A}\n", [], A),
    (f"0::/docker/buildkit/{A}\n", [], A),
    # cgroup v2, seen from inside another container's namespace
    (f"0::/../{A}\n", [], A),
    (f"0::/../docker-{A}.scope\n", [], A),
    # cgroup v1, both drivers
    (V1.format(path=f"/docker/{A}"), [], A),
    (V1.format(path=f"/system.slice/docker-{A}.scope"), [], A),
    # rootless, and other engines
    (f"0::/user.slice/user-1000.slice/user@1000.service/user.slice/docker-{A}.scope\n", [], A),
    (f"0::/machine.slice/libpod-{A}.scope/container\n", [], A),
    (f"0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{A}.scope\n", [], A),
    # a group made inside the container does not pass for another container
    (f"0::/docker/{A}/docker/{B}\n", [], A),
    (f"0::/system.slice/docker-{A}.scope/docker-{B}.scope\n", [], A),
    # the machine is a container itself: its id is the agent's own too
    (f"0::/docker/{OUTER}/docker/{A}\n", [OUTER], A),
    (f"0::/docker/{OUTER}\n", [OUTER], ""),
    # no container
    ("0::/\n", [], ""),
    ("0::/user.slice/user-0.slice/session-3.scope\n", [], ""),
    ("0::/system.slice/docker.service\n", [], ""),
    (f"0::/docker/{A[:12]}\n", [], ""),
    (f"0::/docker/{A}0\n", [], ""),
    (f"0::/docker/{A.upper()}\n", [], ""),
    ("", [], ""),
    ("nonsense", [], ""),
]


@pytest.mark.parametrize(("cgroup", "own", "container"), TABLE)
def test_the_outermost_id_that_is_not_the_machines_own_counts(cgroup: str, own: list[str], container: str) -> None:
    assert container_of(cgroup, own=own) == container


def test_a_process_is_looked_up_by_its_number_and_one_that_ended_is_nobodys(tmp_path: Path) -> None:
    for pid, text in (("self", f"0::/docker/{OUTER}/docker/{B}\n"), ("7", f"0::/docker/{OUTER}/docker/{A}\n")):
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "cgroup").write_text(text)
    find = finder(tmp_path)
    assert (find(7), find(8)) == (A, "")


@pytest.mark.parametrize(("link", "expected"), [("pid:[4026531836]", True), ("pid:[4026532201]", False)])
def test_the_agent_knows_whether_it_sees_the_machines_processes(tmp_path: Path, link: str, expected: bool) -> None:
    (tmp_path / "self" / "ns").mkdir(parents=True)
    (tmp_path / "self" / "ns" / "pid").symlink_to(link)
    assert sees_all_processes(tmp_path) is expected
    assert not sees_all_processes(tmp_path / "nowhere")

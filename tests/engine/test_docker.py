"""The untrusted container on the real engine: each limit is hit by a program that tries, and holds.

Where an attack is expected to fail, the same attack succeeds in a deliberately weak container of the same test.
"""

from __future__ import annotations

import gc
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from practicum.engine import Limits, Mount, VolumeMount, seccomp
from practicum.engine.docker import DockerEngine
from practicum.errors import EngineRefused, EngineUnavailable
from tests.engine.benches import MEBIBYTE, PYTHON, Bench, docker_bench

pytestmark = pytest.mark.engine

GPU = "GPU-0e1f2a3b-0000-4444-8888-aaaabbbbcccc"


@pytest.fixture
def bench() -> Iterator[Bench]:
    """The real engine; nothing is left on it."""
    made = docker_bench()
    yield made
    made.clear()


@pytest.fixture
def client() -> Iterator[Any]:
    """The engine without our port, to look behind it."""
    connected = docker.from_env(timeout=60)
    yield connected
    connected.close()


def weak(bench: Bench, client: Any, code: str, **options: Any) -> str:
    """What ``code`` prints in a container without our template: the positive control."""
    output: bytes = client.containers.run(
        bench.image, [PYTHON, "-I", "-c", code], entrypoint="", remove=True, labels=bench.labels, stderr=True, **options
    )
    return output.decode()


def test_the_template_is_applied_to_the_letter(bench: Bench, client: Any) -> None:
    limits = Limits(
        memory_bytes=128 * MEBIBYTE, cpus=0.5, pids=33, shm_bytes=64 * MEBIBYTE,
        tmpfs_bytes=8 * MEBIBYTE, file_size_bytes=5 * MEBIBYTE,
    )  # fmt: skip
    container_id = bench.start("import time; time.sleep(60)", limits=limits)
    held = client.containers.get(container_id).attrs
    host = held["HostConfig"]
    assert {
        "network": host["NetworkMode"],
        "read_only": host["ReadonlyRootfs"],
        "cap_drop": host["CapDrop"],
        "cap_add": host["CapAdd"],
        "privileged": host["Privileged"],
        "security": host["SecurityOpt"],
        "memory": (host["Memory"], host["MemorySwap"]),
        "cpus": (host["NanoCpus"], host["CpuShares"]),
        "pids": host["PidsLimit"],
        "ulimits": {u["Name"]: (u["Soft"], u["Hard"]) for u in host["Ulimits"]},
        "tmpfs": host["Tmpfs"],
        "shm": host["ShmSize"],
        "ipc": host["IpcMode"],
        "init": host["Init"],
        "log": host["LogConfig"]["Type"],
        "devices": host["DeviceRequests"] or [],
        "user": held["Config"]["User"],
    } == {
        "network": "none",
        "read_only": True,
        "cap_drop": ["ALL"],
        "cap_add": None,
        "privileged": False,
        "security": ["no-new-privileges", f"seccomp={seccomp.profile()}"],
        "memory": (128 * MEBIBYTE, 128 * MEBIBYTE),
        "cpus": (500_000_000, 128),
        "pids": 33,
        "ulimits": {"nofile": (1024, 1024), "core": (0, 0), "fsize": (5 * MEBIBYTE, 5 * MEBIBYTE)},
        "tmpfs": {"/tmp": f"size={8 * MEBIBYTE},mode=1777,nosuid,nodev"},
        "shm": 64 * MEBIBYTE,
        "ipc": "private",
        "init": True,
        "log": "json-file",
        "devices": [],
        "user": "1000:1000",
    }
    assert host["LogConfig"]["Config"]["max-size"] == "1m"


def test_it_has_no_capability_no_new_privilege_and_a_seccomp_filter(bench: Bench, client: Any) -> None:
    code = "print(open('/proc/self/status').read())"
    wanted = {"CapEff": "0000000000000000", "NoNewPrivs": "1", "Seccomp": "2"}
    assert _fields(bench.output(code), wanted) == wanted
    loose = weak(bench, client, code, user="0", security_opt=["seccomp=unconfined"])
    assert all(_fields(loose, wanted)[name] != value for name, value in wanted.items())


def _fields(status: str, names: Any) -> dict[str, str]:
    rows = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    return {name: rows[name] for name in names}


def test_it_has_no_network(bench: Bench, client: Any) -> None:
    with socket.create_server(("0.0.0.0", 0)) as sink:
        seen = threading.Event()
        threading.Thread(target=lambda: (sink.accept()[0].close(), seen.set()), daemon=True).start()
        config = client.networks.get("bridge").attrs["IPAM"]["Config"][0]
        gateway = config.get("Gateway") or config["Subnet"].replace("0.0/16", "0.1")
        code = (
            "import os, socket\nprint(sorted(os.listdir('/sys/class/net')))\n"
            f"try:\n    socket.create_connection(('{gateway}', {sink.getsockname()[1]}), 3); print('connected')\n"
            "except OSError as error:\n    print('refused', error.errno)\n"
        )
        contained = bench.output(code)
        assert contained.splitlines()[0] == "['lo']"
        assert "refused" in contained
        assert not seen.is_set()
        assert "connected" in weak(bench, client, code)
        assert seen.wait(5)


def test_it_can_write_nowhere_but_tmp_and_out(bench: Bench, client: Any) -> None:
    code = (
        "import pathlib\n"
        "for place in ('/', '/opt', '/home/jovyan', '/etc', '/tmp', '/dev/shm'):\n"
        "    try:\n        pathlib.Path(place, 'x').write_text('x'); print(place)\n"
        "    except OSError:\n        pass\n"
    )
    assert bench.output(code).split() == ["/tmp", "/dev/shm"]
    assert "/etc" in weak(bench, client, code, user="0").split()


def test_a_memory_bomb_is_killed_and_said_so(bench: Bench) -> None:
    container_id = bench.start("held = bytearray(1 << 30); print(len(held))")
    ended = bench.engine.wait(container_id, wall_seconds=60)
    assert ended.oom_killed
    assert ended.exit_code == 137
    assert not ended.timed_out
    assert "1073741824" not in bench.engine.log(container_id)
    roomy = Limits(memory_bytes=2048 * MEBIBYTE)
    assert "1073741824" in bench.output("held = bytearray(1 << 30); print(len(held))", limits=roomy, seconds=60)


def test_the_peak_of_its_memory_is_known(bench: Bench) -> None:
    code = "import time; held = bytearray(100 << 20); time.sleep(1.5); del held; time.sleep(1.5)"
    container_id = bench.start(code)
    peak = bench.engine.wait(container_id, wall_seconds=60).peak_memory_bytes
    assert peak is not None
    assert 100 * MEBIBYTE < peak < 160 * MEBIBYTE


def test_a_fork_bomb_stops_at_the_cap(bench: Bench, client: Any) -> None:
    code = (
        "import os, time\nmade = 0\n"
        "for _ in range(80):\n"
        "    try:\n        pid = os.fork()\n"
        "    except OSError:\n        break\n"
        "    if pid == 0:\n        time.sleep(5); os._exit(0)\n"
        "    made += 1\n"
        "print(made, flush=True)\nos._exit(0)\n"
    )
    capped = Limits(memory_bytes=256 * MEBIBYTE, pids=30)
    assert int(bench.output(code, limits=capped).split()[0]) < 30
    assert int(weak(bench, client, code).split()[0]) == 80


def test_the_out_volume_is_capped_in_bytes_and_files(bench: Bench) -> None:
    name = f"{bench.instance}-out"
    bench.engine.create_output_volume(name, size_bytes=4 * MEBIBYTE, inodes=32, labels=bench.labels)
    volume = [VolumeMount(name, "/out")]
    fill = (
        "import errno, sys\n"
        "try:\n    open('/out/big', 'wb').write(b'x' * (8 << 20)); print('all')\n"
        "except OSError as error:\n    print(errno.errorcode[error.errno])\n"
    )
    assert bench.output(fill, volumes=volume) == "ENOSPC\n"
    many = (
        "import errno\nmade = 0\n"
        "try:\n    for made in range(100):\n        open(f'/out/{made}', 'w').close()\n"
        "except OSError as error:\n    print(errno.errorcode[error.errno], made < 32)\n"
    )
    assert bench.output(many, volumes=volume) == "ENOSPC True\n"
    plenty = f"{bench.instance}-plenty"
    bench.engine.create_output_volume(plenty, size_bytes=32 * MEBIBYTE, inodes=320, labels=bench.labels)
    assert bench.output(fill, volumes=[VolumeMount(plenty, "/out")]) == "all\n"


def test_a_read_only_volume_and_mount_cannot_be_written(bench: Bench, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    name = f"{bench.instance}-out"
    bench.engine.create_output_volume(name, size_bytes=MEBIBYTE, inodes=16, labels=bench.labels)
    code = (
        "import pathlib\n"
        "for place in ('/mount', '/volume'):\n"
        "    try:\n        pathlib.Path(place, 'x').write_text('x'); print('wrote')\n"
        "    except OSError as error:\n        print(error.strerror)\n"
    )
    tight = {"mounts": [Mount(tmp_path, "/mount")], "volumes": [VolumeMount(name, "/volume", read_only=True)]}
    assert bench.output(code, **tight).splitlines() == ["Read-only file system"] * 2
    loose = {"mounts": [Mount(tmp_path, "/mount", read_only=False)], "volumes": [VolumeMount(name, "/volume")]}
    assert bench.output(code, **loose).splitlines() == ["wrote"] * 2


def test_a_file_stops_at_its_size_and_tmp_at_its_own(bench: Bench) -> None:
    limits = Limits(memory_bytes=256 * MEBIBYTE, file_size_bytes=MEBIBYTE, tmpfs_bytes=4 * MEBIBYTE)
    code = (
        "import errno, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "try:\n    [open(f'/tmp/{n}', 'wb').write(b'x' * size) for n in range(count)]\n"
        "except OSError as error:\n    print(errno.errorcode[error.errno])\n"
    )
    assert bench.output("size, count = 2 << 20, 1\n" + code, limits=limits) == "EFBIG\n"
    assert bench.output("size, count = 1 << 19, 20\n" + code, limits=limits) == "ENOSPC\n"
    assert bench.output("size, count = 1 << 19, 2\n" + code, limits=limits) == ""


def test_a_log_flood_is_kept_short(bench: Bench) -> None:
    code = "import sys\nfor _ in range(64): sys.stdout.write('\\0x' * (1 << 19))\nsys.stdout.write('the end')"
    container_id = bench.start(code)
    bench.engine.wait(container_id, wall_seconds=60)
    log = bench.engine.log(container_id)
    assert len(log.encode()) <= 64 * 1024
    assert log.endswith("the end")


def test_a_gpu_is_asked_for_by_uuid_and_shown_to_the_program(bench: Bench, client: Any) -> None:
    container_id = bench.start("import os; print(os.environ['NVIDIA_VISIBLE_DEVICES'])", gpu_uuid=GPU)
    bench.engine.wait(container_id, wall_seconds=30)
    assert bench.engine.log(container_id) == f"{GPU}\n"
    (request,) = client.containers.get(container_id).attrs["HostConfig"]["DeviceRequests"]
    assert (request["DeviceIDs"], request["Count"]) == ([GPU], 0)
    assert request["Capabilities"] == [["gpu", "compute", "utility"]]


def test_without_a_lease_no_gpu_is_visible_whatever_is_asked_for(bench: Bench) -> None:
    code = "import os; print(os.environ['NVIDIA_VISIBLE_DEVICES'])"
    assert bench.output(code, environment={"NVIDIA_VISIBLE_DEVICES": "all"}) == "void\n"


def test_all_its_processes_end_with_it(bench: Bench, client: Any) -> None:
    code = (
        "import os, time\n"
        "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(300)\n    os._exit(0)\n"
        "time.sleep(0.5)\nprint('left a daemon', flush=True)\n"
    )
    container_id = bench.start(code)
    assert bench.engine.wait(container_id, wall_seconds=30).exit_code == 0
    assert client.containers.get(container_id).attrs["State"]["Pid"] == 0
    assert [c.running for c in bench.engine.list(bench.labels)] == [False]


def test_a_start_that_is_refused_leaves_nothing_and_tells_no_path(bench: Bench, tmp_path: Path) -> None:
    missing = tmp_path / "not-there"
    with pytest.raises(EngineRefused) as refused:
        bench.start("pass", mounts=[Mount(missing, "/given")])
    assert str(missing) not in str(refused.value)
    assert bench.engine.list(bench.labels) == []


def test_an_image_that_is_not_there_is_refused_by_name_of_the_matter(bench: Bench) -> None:
    bench.image = "practicum/no-such-image:none"
    with pytest.raises(EngineRefused, match="image is not on this container engine"):
        bench.start("pass")


# docker-py drops the socket of a failed connection without closing it.
@pytest.mark.filterwarnings("ignore:Exception ignored in.*socket:pytest.PytestUnraisableExceptionWarning")
def test_an_engine_that_is_away_is_said_to_be(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing.sock")
    engine = DockerEngine()
    for call in (engine.ping, lambda: engine.list({}), lambda: engine.wait("x", wall_seconds=1)):
        with pytest.raises(EngineUnavailable):
            call()
    gc.collect()  # so that the socket is missed in this test and in no other


def test_a_json_secret_on_standard_input_is_in_no_record_of_the_engine(bench: Bench, client: Any) -> None:
    secret = "5ecre7" * 8
    container_id = bench.start("import sys; print(len(sys.stdin.readline()))", stdin=f"{secret}\n")
    bench.engine.wait(container_id, wall_seconds=30)
    assert bench.engine.log(container_id) == f"{len(secret) + 1}\n"
    assert secret not in json.dumps(client.containers.get(container_id).attrs)

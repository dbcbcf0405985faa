"""What every engine promises: Docker's, the local one and the twin of unit tests, by the same tests."""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from practicum.engine import LABEL_MANAGED, LABEL_RUN, Exit, Inside, Mount, VolumeMount
from practicum.engine.local import LocalEngine
from practicum.engine.memory import MemoryEngine, Script
from practicum.errors import EngineRefused
from tests.engine.benches import MEBIBYTE, PYTHON, Bench, docker_bench

DOCKER = pytest.param("docker", marks=pytest.mark.engine)
FAILED = Exit(exit_code=7, oom_killed=False, timed_out=False, seconds=0.1, peak_memory_bytes=None)
SLEEPS = "import time; print('up', flush=True); time.sleep(60)"


def make_bench(kind: str, *, folder: Path) -> Bench:
    """The bench of one kind of engine."""
    if kind == "docker":
        return docker_bench()
    return Bench(LocalEngine(python=sys.executable, state_dir=folder) if kind == "local" else MemoryEngine())


@pytest.fixture(params=[DOCKER, "local", "memory"])
def bench(request: Any, tmp_path: Path) -> Iterator[Bench]:
    """Each engine in turn."""
    made = make_bench(request.param, folder=tmp_path / "engine")
    yield made
    made.clear()


@pytest.fixture(params=[DOCKER, "local"])
def running_bench(request: Any, tmp_path: Path) -> Iterator[Bench]:
    """Each engine that really runs programs."""
    made = make_bench(request.param, folder=tmp_path / "engine")
    yield made
    made.clear()


def test_an_engine_that_answers_pings(bench: Bench) -> None:
    bench.engine.ping()


def test_exit_code_and_output_are_read_back_apart(bench: Bench) -> None:
    code = "import sys; print('said'); print('cried', file=sys.stderr); sys.exit(7)"
    container_id = bench.start(code, told=Script(exit=FAILED, stdout="said\n", stderr="cried\n"))
    ended = bench.engine.wait(container_id, wall_seconds=30)
    assert (ended.exit_code, ended.timed_out, ended.oom_killed) == (7, False, False)
    assert bench.engine.log(container_id, stream="stdout") == "said\n"
    assert bench.engine.log(container_id, stream="stderr") == "cried\n"
    assert sorted(bench.engine.log(container_id).splitlines()) == ["cried", "said"]


def test_only_the_end_of_a_long_log_is_given(bench: Bench) -> None:
    text = "".join(f"line {number}\n" for number in range(2000))
    container_id = bench.start("for n in range(2000): print('line', n)", told=Script(stdout=text))
    bench.engine.wait(container_id, wall_seconds=30)
    assert bench.engine.log(container_id, max_bytes=20) == text[-20:]


def test_a_line_is_waited_for_and_a_signal_reaches_the_program(bench: Bench) -> None:
    code = (
        "import signal, sys\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})\n"
        "print('READY', flush=True)\n"
        "signal.sigwait({signal.SIGUSR1}); print('done', flush=True)\n"
    )
    container_id = bench.start(code, told=Script(stdout="READY\n", prints_on_signal="done\n"))
    assert bench.engine.wait_for_line(container_id, "READY", seconds=30)
    bench.engine.signal(container_id, "SIGUSR1")
    assert bench.engine.wait(container_id, wall_seconds=30).exit_code == 0
    assert bench.engine.log(container_id, stream="stdout") == "READY\ndone\n"


def test_a_line_that_never_comes_is_not_waited_for_beyond_the_end(bench: Bench) -> None:
    container_id = bench.start("print('not READY yet')", told=Script(stdout="not READY yet\n"))
    assert not bench.engine.wait_for_line(container_id, "READY", seconds=30)


def test_the_wall_limit_kills(bench: Bench) -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    container_id = bench.start(code, told=Script(runs_forever=True))
    ended = bench.engine.wait(container_id, wall_seconds=1)
    assert ended.timed_out
    assert ended.exit_code == 137
    assert ended.seconds < 20
    assert [c.running for c in bench.engine.list(bench.labels)] == [False]


def test_what_a_tick_raises_ends_the_wait_and_leaves_the_container(bench: Bench) -> None:
    class Lost(Exception):
        """The lease is someone else's."""

    def tick() -> None:
        raise Lost

    held: list[int] = []
    container_id = bench.start(SLEEPS, told=Script(ticks=1, memory=[8 * MEBIBYTE], runs_forever=True))
    with pytest.raises(Lost):
        bench.engine.wait(container_id, wall_seconds=30, on_tick=tick, on_memory=held.append)
    assert [1 * MEBIBYTE < size < 256 * MEBIBYTE for size in held] == [True], held
    assert [c.running for c in bench.engine.list(bench.labels)] == [True]


def test_containers_are_found_by_all_their_labels_running_or_not(bench: Bench) -> None:
    ended = bench.start("pass", told=Script(), labels={LABEL_RUN: "1"})
    bench.engine.wait(ended, wall_seconds=30)
    living = bench.start(SLEEPS, told=Script(runs_forever=True), labels={LABEL_RUN: "2"})
    found = {c.id: c for c in bench.engine.list(bench.labels)}
    assert {key: c.running for key, c in found.items()} == {ended: False, living: True}
    assert found[living].labels[LABEL_MANAGED] == "1"
    assert found[living].started_at is not None
    assert [c.id for c in bench.engine.list(bench.labels | {LABEL_RUN: "2"})] == [living]
    assert bench.engine.list(bench.labels | {LABEL_RUN: "3"}) == []


def test_a_stopped_container_is_observed_gone_and_stopping_it_again_is_no_error(bench: Bench) -> None:
    container_id = bench.start(SLEEPS, told=Script(runs_forever=True))
    bench.engine.stop(container_id)
    assert [c.running for c in bench.engine.list(bench.labels)] == [False]
    bench.engine.stop(container_id)


def test_a_removed_container_is_forgotten_and_removing_it_again_is_no_error(bench: Bench) -> None:
    container_id = bench.start(SLEEPS, told=Script(runs_forever=True))
    bench.engine.remove(container_id)
    assert bench.engine.list(bench.labels) == []
    bench.engine.remove(container_id)
    bench.engine.stop(container_id)
    with pytest.raises(EngineRefused):
        bench.engine.wait(container_id, wall_seconds=1)
    with pytest.raises(EngineRefused):
        bench.engine.log(container_id)


def test_what_is_piped_through_a_container_comes_out_and_it_is_gone(bench: Bench) -> None:
    code = (
        "import sys; given = sys.stdin.buffer.read(); sys.stdout.buffer.write(given[::-1] * 50_000)\n"
        "print('said beside', file=sys.stderr); sys.exit(7)"
    )
    told = Script(exit=FAILED, output=b"\x00cba" * 50_000, stderr="said beside\n")
    sink = io.BytesIO()
    with tempfile.TemporaryFile() as source:
        source.write(b"abc\x00")
        source.seek(0)
        ended = bench.pipe(code, told=told, source=source, sink=sink)
    assert sink.getvalue() == b"\x00cba" * 50_000
    assert (ended.exit.exit_code, ended.is_cut, ended.stderr) == (7, False, "said beside\n")
    assert bench.engine.list(bench.labels) == []


def test_a_container_that_prints_more_than_is_taken_is_cut(bench: Bench) -> None:
    code = "import sys\nwhile True: sys.stdout.buffer.write(bytes(1 << 16))"
    sink = io.BytesIO()
    ended = bench.pipe(code, told=Script(output=bytes(1 << 20)), sink=sink, max_bytes=100_000)
    assert ended.is_cut
    assert len(sink.getvalue()) <= 100_000
    assert bench.engine.list(bench.labels) == []


def test_a_piped_container_that_ends_without_reading_is_not_waited_for(bench: Bench) -> None:
    """The connection alone would not say that nobody listens any more."""
    with tempfile.TemporaryFile() as source:
        source.truncate(1 << 23)
        ended = bench.pipe("import sys; sys.exit(7)", told=Script(exit=FAILED), source=source, wall_seconds=300)
    assert (ended.exit.exit_code, ended.exit.timed_out) == (7, False)


def test_a_piped_container_that_neither_reads_nor_ends_is_killed_at_its_limit(bench: Bench) -> None:
    with tempfile.TemporaryFile() as source:
        source.truncate(1 << 23)
        ended = bench.pipe(SLEEPS, told=Script(runs_forever=True), source=source, wall_seconds=1)
    assert ended.exit.timed_out
    assert bench.engine.list(bench.labels) == []


def test_a_volume_that_stays_is_made_once_and_left_as_it_is(bench: Bench) -> None:
    name = f"{bench.instance}-home"
    for _ in range(2):
        assert bench.engine.create_volume(name, labels=bench.labels) == name
    assert [volume.name for volume in bench.engine.list_volumes(bench.labels)] == [name]
    bench.engine.remove_volume(name)
    assert bench.engine.list_volumes(bench.labels) == []


def test_volumes_are_found_by_label_and_forgotten(bench: Bench) -> None:
    name = f"{bench.instance}-out"
    bench.engine.create_output_volume(name, size_bytes=1 << 20, inodes=16, labels=bench.labels | {LABEL_RUN: "1"})
    (found,) = bench.engine.list_volumes(bench.labels)
    assert (found.name, found.labels[LABEL_RUN], found.labels[LABEL_MANAGED]) == (name, "1", "1")
    assert bench.engine.list_volumes(bench.labels | {LABEL_RUN: "2"}) == []
    bench.engine.remove_volume(name)
    assert bench.engine.list_volumes(bench.labels) == []
    bench.engine.remove_volume(name)


def test_standard_input_is_given_and_ends(running_bench: Bench) -> None:
    code = "import sys; print(sys.stdin.read().upper())"
    assert running_bench.output(code, stdin="a secret") == "A SECRET\n"


def test_paths_of_mounts_and_volumes_mean_the_same_everywhere(running_bench: Bench, tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.mkdir(mode=0o755)
    (given / "given.txt").write_text("from the host")
    name = f"{running_bench.instance}-out"
    running_bench.engine.create_output_volume(name, size_bytes=1 << 20, inodes=16, labels=running_bench.labels)
    code = "import pathlib, sys; pathlib.Path(sys.argv[2], 'copy').write_text(pathlib.Path(sys.argv[1]).read_text())"
    keeper = running_bench.start(SLEEPS, volumes=[VolumeMount(name, "/kept", read_only=True)])
    writer = running_bench.start(
        code,
        command=[PYTHON, "-I", "-c", code, Inside("/given", "given.txt"), Inside("/out")],
        mounts=[Mount(given, "/given")],
        volumes=[VolumeMount(name, "/out")],
    )
    assert running_bench.engine.wait(writer, wall_seconds=30).exit_code == 0, running_bench.engine.log(writer)
    reader = "import pathlib, sys; print(pathlib.Path(sys.argv[1]).read_text())"
    assert (
        running_bench.output(
            reader,
            command=[PYTHON, "-I", "-c", reader, Inside("/kept", "copy")],
            volumes=[VolumeMount(name, "/kept", read_only=True)],
        )
        == "from the host\n"
    )
    running_bench.engine.remove(keeper)
    running_bench.engine.remove(writer)


def test_the_twin_refuses_what_it_was_not_told() -> None:
    bench = Bench(MemoryEngine())
    with pytest.raises(EngineRefused):
        bench.engine.start(bench.spec("pass", kind="score"))


def test_local_processes_are_found_again_by_another_worker(tmp_path: Path) -> None:
    before = Bench(LocalEngine(python=sys.executable, state_dir=tmp_path))
    container_id = before.start(SLEEPS)
    after = LocalEngine(python=sys.executable, state_dir=tmp_path)
    assert [(c.id, c.running) for c in after.list(before.labels)] == [(container_id, True)]
    after.stop(container_id)
    assert [c.running for c in before.engine.list(before.labels)] == [False]
    before.clear()
    assert after.list(before.labels) == []

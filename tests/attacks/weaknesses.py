"""What a weak control lacks: each takes one guard away from the template or the evaluator, and leaves the rest.

So a control that an attack breaks says which guard holds it in the real one. All are bounded: what a control lets
happen stays within some hundred processes and some hundred megabytes, and touches nothing of the machine that is not
this test's own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from docker.types import LogConfig, Ulimit
from docker.types import Mount as DockerMount

from practicum.engine import docker as adapter
from practicum.engine import template
from practicum.evaluation import rules, runner
from practicum.portal import submissions
from tests.attacks.sinks import Sinks

MEBIBYTE = 1024**2
ROOMY_BYTES = 1024 * MEBIBYTE
GRADER = Path(__file__).with_name("weak_grader.py")
LOOSE_SCORER = (
    "import sys; sys.path.insert(0, '/opt/practicum'); import score; score.check_plain = lambda folder: None; "
    "sys.exit(score.main(sys.argv[1:]))"
)
SCORER_BY_RECURSION = (
    "import sys; sys.path.insert(0, '/opt/practicum'); import score\n"
    "def walk(path):\n    path.lstat()\n    if path.is_dir():\n        for child in path.iterdir():\n            walk(child)\n"
    "score.check_plain = walk\nsys.exit(score.main(sys.argv[1:]))"
)
# Started where the predictions lie, and loading its modules only when they are there.
SCORER_IN_OUTPUT = (
    "import signal, sys; awaited = {signal.SIGUSR1}; signal.pthread_sigmask(signal.SIG_BLOCK, awaited); "
    "print('READY', flush=True); signal.sigwait(awaited); sys.path.insert(1, '/opt/practicum'); import score; "
    "sys.exit(score.main([word for word in sys.argv[1:] if word != '--wait']))"
)
Options = dict[str, Any]


@dataclass
class Scene:
    """Where an attack takes place: the project's folders, the sinks, and what the control may need of the machine."""

    project: Path
    hidden: Path
    scratch: Path
    sinks: Sinks
    canary: str
    scorer: str = ""
    device: str = ""


def _bind(options: Options, source: Path | str, target: str, *, read_only: bool = True) -> None:
    options["mounts"] = [*options["mounts"], DockerMount(target, str(source), type="bind", read_only=read_only)]


def _as_root(options: Options, *capabilities: str) -> None:
    options["user"] = "0:0"
    options["cap_add"] = [*options.get("cap_add", []), *capabilities]


def _any_call(options: Options) -> None:
    options["security_opt"] = ["no-new-privileges", "seccomp=unconfined"]


def _bridge(options: Options, _: Scene) -> None:
    options["network_mode"] = "bridge"


def _own_names(options: Options, scene: Scene) -> None:
    options["network_mode"] = "bridge"
    options["dns"] = [scene.sinks.host]


def _machines_network(options: Options, _: Scene) -> None:
    options["network_mode"] = "host"


def _raw_network(options: Options, _: Scene) -> None:
    options["network_mode"] = "bridge"
    _as_root(options, "NET_RAW")
    _any_call(options)


def _answers_mounted(options: Options, scene: Scene) -> None:
    _bind(options, scene.hidden / "answers", "/answers")


def _answers_told(options: Options, scene: Scene) -> None:
    options["environment"]["EXPECTED"] = scene.canary


def _scorers_processes(options: Options, scene: Scene) -> None:
    options["pid_mode"] = f"container:{scene.scorer}"
    options["init"] = False


def _machines_processes(options: Options, _: Scene) -> None:
    options["pid_mode"] = "host"
    options["init"] = False
    _as_root(options, "SYS_ADMIN", "SYS_PTRACE", "SYS_CHROOT")
    _any_call(options)


def _graded_in_place(options: Options, scene: Scene) -> None:
    _answers_mounted(options, scene)
    copy = scene.scratch / "project"
    copy.mkdir(exist_ok=True)
    copy.chmod(0o777)
    (copy / "evaluate.py").write_text((scene.project / "evaluate.py").read_text())
    (copy / "evaluate.py").chmod(0o666)
    _bind(options, copy, "/project", read_only=False)
    _bind(options, GRADER, "/grader/weak_grader.py")
    options["command"] = ["/opt/venv/bin/python", "-B", "-u", "/grader/weak_grader.py"]


def _any_call_allowed(options: Options, _: Scene) -> None:
    _any_call(options)


def _root(options: Options, _: Scene) -> None:
    options["user"] = "0:0"
    options["cap_drop"] = []


def _gains_privileges(options: Options, _: Scene) -> None:
    options["cap_drop"] = []
    options["security_opt"] = [line for line in options["security_opt"] if line != "no-new-privileges"]


def _with(*capabilities: str) -> Callable[[Options, Scene], None]:
    def give(options: Options, _: Scene) -> None:
        _as_root(options, *capabilities)
        _any_call(options)

    return give


def _no_process_limit(options: Options, _: Scene) -> None:
    options["pids_limit"] = -1


def _roomy_memory(options: Options, _: Scene) -> None:
    options["mem_limit"] = options["memswap_limit"] = ROOMY_BYTES


def _limit_by_process(options: Options, _: Scene) -> None:
    _roomy_memory(options, _)
    options["ulimits"] = [*options["ulimits"], Ulimit(name="data", soft=300 * MEBIBYTE, hard=300 * MEBIBYTE)]


def _large_shared_memory(options: Options, _: Scene) -> None:
    options["shm_size"] = ROOMY_BYTES


def _large_files(options: Options, _: Scene) -> None:
    options["ulimits"] = [limit for limit in options["ulimits"] if limit["Name"] != "fsize"]


def _tmp_on_disk(options: Options, _: Scene) -> None:
    options["tmpfs"] = {}
    options["read_only"] = False


def _writable_root(options: Options, _: Scene) -> None:
    options["read_only"] = False
    options["user"] = "0:0"
    options["cap_drop"] = []


def _long_log(options: Options, _: Scene) -> None:
    options["log_config"] = LogConfig(type="json-file", config={"max-size": "64m", "max-file": "1"})


def _own_alarm(options: Options, _: Scene) -> None:
    code = "import os, signal, sys; signal.alarm(1); os.execv(sys.argv[1], sys.argv[1:])"
    options["command"] = ["/opt/venv/bin/python", "-c", code, *options["command"]]


def _engine_socket(options: Options, scene: Scene) -> None:
    _bind(options, scene.sinks.engine_socket.parent, "/run/engine", read_only=False)
    _bind(options, scene.sinks.engine_socket, "/var/run/docker.sock", read_only=False)


def _machines_proc(options: Options, _: Scene) -> None:
    _bind(options, "/proc/sys/kernel", "/host/proc/sys/kernel", read_only=False)
    _root(options, _)


def _writable_cgroups(options: Options, _: Scene) -> None:
    _bind(options, "/sys/fs/cgroup", "/host/cgroup", read_only=False)
    _root(options, _)


def _a_disk(options: Options, scene: Scene) -> None:
    _root(options, scene)
    options["devices"] = [f"{scene.device}:/dev/disk:r"]


def _any_disk(options: Options, scene: Scene) -> None:
    _writable_root(options, scene)
    options["device_cgroup_rules"] = ["b 7:* rm"]


def _machines_shared_memory(options: Options, _: Scene) -> None:
    options["ipc_mode"] = "host"


def _home_kept(options: Options, scene: Scene) -> None:
    home = scene.scratch / "home"
    home.mkdir(exist_ok=True)
    home.chmod(0o777)
    _bind(options, home, "/home/kept", read_only=False)
    options["environment"]["HOME"] = "/home/kept"
    options["command"] = [word for word in options["command"] if word != "-I"]


def _folders_kept(options: Options, scene: Scene) -> None:
    kept = scene.scratch / "tmp"
    kept.mkdir(exist_ok=True)
    kept.chmod(0o777)
    options["tmpfs"] = {}
    _bind(options, kept, "/tmp", read_only=False)


def _writable_inputs(options: Options, _: Scene) -> None:
    for mount in options["mounts"]:
        mount["ReadOnly"] = False
    _as_root(options, "DAC_OVERRIDE")


# By the name that `weak` in an attack.toml gives it.
OPTIONS: dict[str, Callable[[Options, Scene], None]] = {
    "a network": _bridge,
    "a network with names": _own_names,
    "the machine's network": _machines_network,
    "a network with raw frames": _raw_network,
    "answers mounted": _answers_mounted,
    "answers in the environment": _answers_told,
    "the scorer's processes": _scorers_processes,
    "the machine's processes": _machines_processes,
    "graded in place": _graded_in_place,
    "any system call": _any_call_allowed,
    "root": _root,
    "may gain privileges": _gains_privileges,
    "may read by handle": _with("DAC_READ_SEARCH"),
    "may mount": _with("SYS_ADMIN"),
    "may set the clock": _with("SYS_TIME"),
    "may go first": _with("SYS_NICE"),
    "may read the kernel's log": _with("SYSLOG"),
    "may load programs into the kernel": _with("SYS_ADMIN"),
    "no process limit": _no_process_limit,
    "roomy memory": _roomy_memory,
    "memory limited by process": _limit_by_process,
    "large shared memory": _large_shared_memory,
    "files of any size": _large_files,
    "/tmp on disk": _tmp_on_disk,
    "writable root": _writable_root,
    "a long log": _long_log,
    "its own alarm": _own_alarm,
    "an engine's socket": _engine_socket,
    "the machine's /proc": _machines_proc,
    "writable cgroups": _writable_cgroups,
    "a disk": _a_disk,
    "any disk": _any_disk,
    "the machine's shared memory": _machines_shared_memory,
    "a home that is kept": _home_kept,
    "a /tmp that is kept": _folders_kept,
    "writable inputs": _writable_inputs,
}


def _loose_scorer(patch: pytest.MonkeyPatch, _: Scene) -> None:
    _scorer_command(patch, "-c", LOOSE_SCORER)


def _scorer_command(patch: pytest.MonkeyPatch, *words: str, **more: Any) -> None:
    given = template.options_of

    def weak(spec: Any, **copies: Any) -> Options:
        options = given(spec, **copies)
        if spec.labels["org.practicum.kind"] == runner.SCORE:
            arguments = options["command"][options["command"].index("/opt/practicum/score.py") + 1 :]
            options["command"] = ["/opt/venv/bin/python", "-B", *words, *arguments]
            options.update(more)
        return options

    patch.setattr(template, "options_of", weak)


def _scorer_by_recursion(patch: pytest.MonkeyPatch, _: Scene) -> None:
    _scorer_command(patch, "-c", SCORER_BY_RECURSION)


def _scorer_in_output(patch: pytest.MonkeyPatch, _: Scene) -> None:
    _scorer_command(patch, "-c", SCORER_IN_OUTPUT, working_dir="/predictions")


def _output_of(patch: pytest.MonkeyPatch, **bigger: int) -> None:
    given = adapter.DockerEngine.create_output_volume

    def create(self: adapter.DockerEngine, name: str, **asked: Any) -> str:
        return given(self, name, **(asked | bigger))

    patch.setattr(adapter.DockerEngine, "create_output_volume", create)


def _long_time(patch: pytest.MonkeyPatch, _: Scene) -> None:
    given = adapter.DockerEngine.wait

    def wait(self: adapter.DockerEngine, container_id: str, *, wall_seconds: float, **more: Any) -> Any:
        return given(self, container_id, wall_seconds=4 * wall_seconds, **more)

    patch.setattr(adapter.DockerEngine, "wait", wait)


def _asked_to_end(patch: pytest.MonkeyPatch, _: Scene) -> None:
    given = adapter.DockerEngine.signal

    def signal(self: adapter.DockerEngine, container_id: str, name: str) -> None:
        given(self, container_id, "SIGTERM" if name == "SIGKILL" else name)

    patch.setattr(adapter.DockerEngine, "signal", signal)
    ended = adapter.DockerEngine._ended_within

    def soon(self: adapter.DockerEngine, container_id: str, *, seconds: float) -> bool:
        return ended(self, container_id, seconds=min(seconds, 1))  # type: ignore[arg-type]

    patch.setattr(adapter.DockerEngine, "_ended_within", soon)


def _log_as_printed(patch: pytest.MonkeyPatch, _: Scene) -> None:
    def as_printed(raw: str, *, max_bytes: int = rules.LOG_BYTES) -> str:
        return raw.replace("\0", "␀")[-max_bytes:]  # the database takes no NUL

    patch.setattr(rules, "clean_log", as_printed)


def _log_shown(patch: pytest.MonkeyPatch, _: Scene) -> None:
    patch.setattr(submissions, "_log_for", lambda user, *, run: run.log_tail)


def _unpickles(_: pytest.MonkeyPatch, scene: Scene) -> None:
    file = scene.project / "evaluate.py"
    file.write_text(file.read_text().replace("allow_pickle=False", "allow_pickle=True"))


PATCHES: dict[str, Callable[[pytest.MonkeyPatch, Scene], None]] = {
    "a scorer that takes any file": _loose_scorer,
    "a scorer that looks for modules in the output": _scorer_in_output,
    "a scorer that walks by recursion": _scorer_by_recursion,
    "a metric that unpickles": _unpickles,
    "a large output": lambda patch, _: _output_of(patch, size_bytes=ROOMY_BYTES),
    "an output of many files": lambda patch, _: _output_of(patch, inodes=100_000),
    "a long time": _long_time,
    "asked to end": _asked_to_end,
    "the log as it was printed": _log_as_printed,
    "the log shown to its intern": _log_shown,
}

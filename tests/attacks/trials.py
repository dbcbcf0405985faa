"""One attack, handed in and evaluated by the product's own code: with its real template, and in its weak control.

The evaluator (``tasks.claim_and_run``) builds both containers in both cases. For a control the one guard that the
attack names is taken away (:mod:`.weaknesses`); everything else stays. Whether an attack succeeded is seen from
outside: by a canary that lies with the answers, by what arrived at a sink, by the score that was written, by the
engine's own figures and by this machine's view into the container.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from practicum.engine import LABEL_KIND, ContainerSpec, Mount, template
from practicum.engine import docker as adapter
from practicum.engine.docker import DockerEngine
from practicum.evaluation import rules, runner, services, tasks
from practicum.evaluation.models import Run, Score
from practicum.lib.clock import utc_now
from practicum.submissions.models import Source
from tests.attacks.weaknesses import OPTIONS, PATCHES, Scene
from tests.unit.submissions import zips

FOLDER = Path(__file__).with_name("container")
TICK_SECONDS = 0.25
ARRIVES_SECONDS, STRAY_SECONDS = 5.0, 0.2
SCORE_SECONDS = 4.0
CAT = "/bin/cat"
HOLD, HOLD_BYTES = "HOLD", 4096
MEBIBYTE = 1024**2
SCORE_LINE = re.compile(r"^score=([0-9.]+)$", re.MULTILINE)


@dataclass(frozen=True)
class Attack:
    """A folder of ``tests/attacks/container``: ``attack.toml`` and the files that are handed in."""

    id: str
    folder: Path
    title: str
    row: str
    kind: str
    weak: tuple[str, ...]
    seen: str
    memory_gb: float = 0.25
    seconds: int = 20
    second: str = ""  # "after": handed in again afterwards; "beside": runs again while the first does
    grade: str = ""  # where the weak grader's score is read: "printed", "file" or "exit"


def attacks() -> list[Attack]:
    """All of them, by name."""
    found = []
    for file in sorted(FOLDER.glob("*/attack.toml")):
        facts = tomllib.loads(file.read_text())
        facts["weak"] = tuple(facts["weak"])
        found.append(Attack(id=file.parent.name, folder=file.parent, **facts))
    return found


@dataclass
class Facts:
    """What was seen from outside."""

    printed: str = ""
    shown: str = ""
    score: float | None = None
    run: Run | None = None
    processes: int = 0
    memory_bytes: int = 0
    memory_limit: int = 0
    used: dict[str, int] = field(default_factory=dict)
    files: int = 0
    largest_bytes: int = 0
    log_bytes: int = 0
    layer_bytes: int = 0
    still_running: bool = False
    scorer_died: bool = False
    graded: float | None = None


class Watched(DockerEngine):
    """The engine, looking into the untrusted container about four times a second and before it is removed."""

    def __init__(self, attack: Attack, *, scene: Scene, patience: float = 0.0) -> None:
        super().__init__()
        self.patience = patience
        self.attack, self.scene = attack, scene
        self.facts = Facts()
        self.predict = ""
        self.pid = 0
        self.spec: ContainerSpec | None = None
        self.beside = ""

    def start(self, spec: ContainerSpec) -> str:
        """Remember which is which."""
        container = super().start(spec)
        if spec.labels[LABEL_KIND] == runner.SCORE:
            self.scene.scorer = container
        elif not self.beside:
            self.predict, self.spec, self.pid = container, spec, 0
        return container

    def _memory(self, container_id: str) -> dict[str, Any]:
        if container_id == self.predict:
            holds = HOLD in self.log(container_id, max_bytes=HOLD_BYTES).splitlines()
            with contextlib.suppress(OSError, adapter.APIError):
                self._look()
            if holds:  # what it holds was seen; it need not hold any longer
                self.signal(container_id, "SIGKILL")
            if self.attack.second == "beside" and not self.beside:
                self._start_beside()
        return super()._memory(container_id)

    def _start_beside(self) -> None:
        """The same submission once more, by the same spec, with an empty output and no token."""
        assert self.spec is not None
        self.beside = "starting"
        folder = self.scene.scratch / "beside"
        handed_in = next(mount for mount in self.spec.mounts if mount.target == "/submission").source
        (folder / "artifact").mkdir(parents=True)
        (folder / "predict.py").write_bytes((handed_in / "predict.py").read_bytes())
        target = json.loads((handed_in / "artifact/target.json").read_text()) | {"token": "", "second": True}
        (folder / "artifact/target.json").write_text(json.dumps(target))
        mounts = [Mount(folder, m.target) if m.target == "/submission" else m for m in self.spec.mounts]
        self.beside = super().start(replace(self.spec, mounts=mounts, volumes=[]))

    def _look(self) -> None:
        facts = self.facts
        if not self.pid:
            self.pid = self._client.api.inspect_container(self.predict)["State"]["Pid"]
        for name in ("pids/pids.current", "pids.current"):
            facts.processes = max(facts.processes, self._of_group(name))
        for name in ("memory/memory.max_usage_in_bytes", "memory.peak"):
            facts.memory_bytes = max(facts.memory_bytes, self._of_group(name))
        for name in ("memory/memory.limit_in_bytes", "memory.max"):
            facts.memory_limit = max(facts.memory_limit, self._of_group(name))
        pid = self.pid
        inside = Path(f"/proc/{pid}/root")
        for place in ("/tmp", "/dev/shm", "/out"):
            held = os.statvfs(f"{inside}{place}")
            used = (held.f_blocks - held.f_bfree) * held.f_frsize
            facts.used[place] = max(facts.used.get(place, 0), used)
        held = os.statvfs(inside / "out")
        facts.files = max(facts.files, held.f_files - held.f_ffree)
        with os.scandir(inside / "out") as found:
            sizes = [entry.stat(follow_symlinks=False).st_size for entry, _ in zip(found, range(50), strict=False)]
        facts.largest_bytes = max([facts.largest_bytes, *sizes])

    def _of_group(self, name: str) -> int:
        """A figure of the container's control group, as this machine has it (version 1 or 2)."""
        kind, _, _ = name.partition("/")
        for line in Path(f"/proc/{self.pid}/cgroup").read_text().splitlines():
            _, kinds, path = line.split(":", 2)
            if kind in kinds.split(",") and "/" in name:
                file = Path(f"/sys/fs/cgroup/{kind}{path}/{name.partition('/')[2]}")
            elif not kinds and "/" not in name:
                file = Path(f"/sys/fs/cgroup{path}/{name}")
            else:
                continue
            if file.is_file() and (figure := file.read_text().strip()).isdecimal():
                return int(figure)
        return 0

    def remove(self, container_id: str) -> None:
        """Look once more, then remove it."""
        if container_id == self.predict:
            self._look_back()
        super().remove(container_id)

    def _look_back(self) -> None:
        facts = self.facts
        held = self._client.api.inspect_container(self.predict)
        facts.still_running = held["State"]["Running"]
        facts.printed += self.log(self.predict, max_bytes=4 * MEBIBYTE)
        with contextlib.suppress(OSError):
            facts.log_bytes = Path(held["LogPath"]).stat().st_size
        (row,) = self._client.api.containers(all=True, size=True, filters={"id": self.predict})
        facts.layer_bytes = row.get("SizeRw", 0)
        if self.attack.seen == "scorer died":
            facts.scorer_died = self._ended_within(self.scene.scorer, seconds=self.patience)  # type: ignore[arg-type]
        if self.beside:
            self.wait(self.beside, wall_seconds=10)
            facts.printed += self.log(self.beside)
            super().remove(self.beside)
        facts.graded = self._graded(held["State"]["ExitCode"])

    def _graded(self, exit_code: int) -> float | None:
        """The weak grader's score, where the control has one."""
        if self.attack.grade == "exit":
            return float(exit_code == 0)
        if self.attack.grade == "printed":
            said = SCORE_LINE.findall(self.facts.printed)
            return float(said[-1]) if said else None
        if self.attack.grade == "file":
            pid = self._client.api.inspect_container(self.scene.scorer)["State"]["Pid"]
            with contextlib.suppress(OSError, ValueError, KeyError):
                return float(json.loads(Path(f"/proc/{pid}/root/predictions/score.json").read_text())["accuracy"])
        return None


# By the name that `seen` in an attack.toml gives it: whether the attack reached its goal.
Judge = Callable[["Trial"], bool]


@dataclass
class Trial:
    """One attack in one place. ``token`` is a word of this trial alone."""

    attack: Attack
    scene: Scene
    internship: Any
    is_control: bool
    targets: dict[str, Any]
    token: str = field(default_factory=lambda: f"token-{secrets.token_hex(8)}")
    facts: Facts = field(default_factory=Facts)

    @property
    def patience(self) -> float:
        """The seconds that what should happen is given; what should not, gets a moment."""
        return ARRIVES_SECONDS if self.is_control else STRAY_SECONDS

    def run(self, patch: pytest.MonkeyPatch) -> bool:
        """Hand it in, evaluate it, and say whether it succeeded."""
        patch.setattr(adapter, "TICK_SECONDS", TICK_SECONDS)
        patch.setattr(rules, "SCORE_SECONDS", SCORE_SECONDS)
        self._lay_out()
        if self.is_control:
            self._weaken(patch)
        engine = Watched(self.attack, scene=self.scene, patience=self.patience)
        try:
            self._evaluate(engine, token=self.token)
            if self.attack.second == "after":
                engine.facts.printed = ""
                self._evaluate(engine, token="")
        finally:
            engine.close()
        self.facts = engine.facts
        return JUDGES[self.attack.seen](self)

    def _lay_out(self) -> None:
        """Among the inputs, in both places: a feature, what only root may read, and a program that would let anybody."""
        inputs = self.scene.hidden / "inputs"
        (inputs / "feature.txt").write_text(f"feature-{self.token}")
        (inputs / "for-root-only").write_text(self.token)
        (inputs / "for-root-only").chmod(0o600)
        shutil.copy(CAT, inputs / "cat-as-root")
        (inputs / "cat-as-root").chmod(0o4755)
        if self.attack.id == "privilege-kernel-log":
            Path("/dev/kmsg").write_text(f"practicum attack {self.token}\n")

    def _weaken(self, patch: pytest.MonkeyPatch) -> None:
        """Take away what the attack's control lacks."""
        for name in self.attack.weak:
            if name in PATCHES:
                PATCHES[name](patch, self.scene)
        weak = [OPTIONS[name] for name in self.attack.weak if name not in PATCHES]
        given = template.options_of

        def options(spec: ContainerSpec, **copies: Any) -> dict[str, Any]:
            made = given(spec, **copies)
            if spec.labels[LABEL_KIND] == runner.PREDICT:
                for take_away in weak:
                    take_away(made, self.scene)
            return made

        patch.setattr(template, "options_of", options)

    def _evaluate(self, engine: Watched, *, token: str) -> None:
        run = self._hand_in(token)
        assert tasks.claim_and_run(utc_now(), engine=engine, worker_name="test")
        run.refresh_from_db()
        facts = engine.facts
        facts.run = run
        facts.shown = f"{run.log_tail}\n{run.reason}"
        score = Score.objects.filter(run=run).first()
        facts.score = score.value if score else None
        if run.is_open:  # a fault of ours: it would be tried again
            services.cancel(run.submission, actor=self.internship.intern, now=utc_now())

    def _hand_in(self, token: str) -> Run:
        target = self.targets | {"token": token, "second": not token, "salt": secrets.token_hex(4)}
        files = {
            file.relative_to(self.attack.folder).as_posix(): file.read_bytes()
            for file in self.attack.folder.rglob("*")
            if file.is_file() and file.suffix != ".pyc" and file.name != "attack.toml"
        }
        archive = zips.zip_of(files | {"artifact/target.json": json.dumps(target).encode()})
        submission = services.hand_in(
            self.internship, archive=archive, source=Source.TERMINAL, actor=self.internship.intern, now=utc_now()
        )
        run: Run = submission.runs.get()
        return run


def _arrived(trial: Trial) -> bool:
    return trial.scene.sinks.heard_of(trial.token, seconds=trial.patience)


def _perfect(trial: Trial) -> bool:
    scored = (trial.facts.score, trial.facts.graded if trial.is_control else None)
    return any(score is not None and score >= 0.99 for score in scored)


def _control_characters(trial: Trial) -> bool:
    assert trial.facts.run is not None
    return any(c in trial.facts.run.log_tail for c in "\x1b␀\u202e\x07")


def _changed_on_this_machine(trial: Trial) -> bool:
    files = [file for file in trial.scene.hidden.rglob("inputs/*") if file.name in ("x.json", "planted.txt")]
    files += [submission.folder / "predict.py" for submission in trial.internship.submissions.all()]
    return any(trial.token in file.read_text(errors="replace") for file in files)


def _on_the_interns_page(trial: Trial) -> bool:
    assert trial.facts.run is not None
    client = Client()
    client.force_login(trial.internship.intern)
    page = client.get(f"/submissions/{trial.facts.run.submission_id}/")
    assert page.status_code == 200
    return f"feature-{trial.token}" in page.content.decode()


def _over_limit(trial: Trial) -> bool:
    return trial.facts.memory_bytes > trial.attack.memory_gb * rules.GIBIBYTE


JUDGES: dict[str, Judge] = {
    "canary": lambda trial: trial.scene.canary in trial.facts.shown,
    "token": lambda trial: trial.token in trial.facts.printed,
    "done": lambda trial: f"DONE {trial.token}" in trial.facts.printed,
    "sink": _arrived,
    "hardware address": lambda trial: trial.scene.sinks.hardware_address() in trial.facts.printed,
    "scorer's name": lambda trial: trial.scene.scorer in trial.facts.printed,
    "perfect score": _perfect,
    "many processes": lambda trial: trial.facts.processes > 256,
    "memory": _over_limit,
    "raised limit": lambda trial: trial.facts.memory_limit > trial.attack.memory_gb * rules.GIBIBYTE,
    "shared memory": lambda trial: trial.facts.used.get("/dev/shm", 0) > 64 * MEBIBYTE,
    "output size": lambda trial: trial.facts.used.get("/out", 0) > rules.OUTPUT_BYTES,
    "output files": lambda trial: trial.facts.files > rules.OUTPUT_INODES,
    "file size": lambda trial: trial.facts.largest_bytes > rules.OUTPUT_BYTES,
    "disk": lambda trial: trial.facts.layer_bytes > 10 * MEBIBYTE,
    "planted": lambda trial: trial.facts.layer_bytes > 0,
    "log size": lambda trial: trial.facts.log_bytes > 2 * MEBIBYTE,
    "control characters": _control_characters,
    "still running": lambda trial: trial.facts.still_running,
    "over time": lambda trial: (trial.facts.run.predict_seconds or 0) > trial.attack.seconds + 3,  # type: ignore[union-attr]
    "scorer died": lambda trial: trial.facts.scorer_died,
    "our fault": lambda trial: trial.facts.run.state != "invalid",  # type: ignore[union-attr]
    "changed file": _changed_on_this_machine,
    "intern's page": _on_the_interns_page,
}


@contextlib.contextmanager
def disk_with(content: bytes, *, folder: Path) -> Iterator[str]:
    """A block device of our own with ``content`` on it."""
    file = folder / "disk"
    file.write_bytes(content.ljust(MEBIBYTE, b"\0"))
    command = ["losetup", "--find", "--show", "--read-only", str(file)]
    device = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    try:
        yield device
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)

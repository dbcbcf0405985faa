"""Runs a project's code the way the platform does, each call in a process of its own.

The interpreter is the workspace's (it has PyTorch; this process has not), the programs are those of the images. No call
gets this process's environment, and a call that tries the network is sent to a closed port.

Words: a *runner* starts one process and waits; tests give one that starts none.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

IMAGES = Path(__file__).resolve().parents[3] / "images"
NO_NETWORK = "http://127.0.0.1:9"
SHOWN_LINES = 12
COLOURS = re.compile(r"\x1b\[[0-9;]*m")  # of a kernel's traceback; a page shows them as signs
READER = "practicum_scorer"  # what evaluate.py reads predictions with; in the scorer's image beside score.py

IMPORTS = """
import importlib, sys
sys.path.insert(0, sys.argv[1])
sys.path.append(sys.argv[2])
before = set(sys.modules)
importlib.import_module("evaluate")
roots = {name.partition(".")[0] for name in set(sys.modules) - before if getattr(sys.modules[name], "__file__", None)}
print(*sorted(roots - set(sys.stdlib_module_names) - {"numpy", "evaluate", sys.argv[3]}))
"""

NOTEBOOK = """
import os, pathlib, sys, nbclient, nbformat
os.environ["PRACTICUM_DATA"] = sys.argv[3]
notebook = nbformat.read(sys.argv[1], as_version=4)
where = {"metadata": {"path": str(pathlib.Path(sys.argv[1]).parent)}}
nbclient.NotebookClient(notebook, timeout=float(sys.argv[2]), kernel_name="python3", resources=where).execute()
pictures = sum("image/png" in output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", []))
print(pictures)
"""


@dataclass(frozen=True)
class Completed:
    """How a process ended. ``exit_code`` is None when it was stopped because its time was over.

    ``cpu_seconds`` is the processor time of it and of what it started: on a busy machine the fairer of the two.
    """

    exit_code: int | None
    stdout: str
    stderr: str
    seconds: float
    cpu_seconds: float


class Runner(Protocol):
    """Starts one process, gives it ``stdin``, waits at most ``limit_seconds``."""

    def __call__(
        self, command: Sequence[str], *, stdin: str, environment: Mapping[str, str], cwd: Path, limit_seconds: float
    ) -> Completed: ...


class ProgramFailed(Exception):
    """A program of the project ended badly; the message holds the end of what it printed."""


def run_process(
    command: Sequence[str], *, stdin: str, environment: Mapping[str, str], cwd: Path, limit_seconds: float
) -> Completed:
    """The runner that starts real processes; what a process started ends with it when the time is over."""
    started, cpu_before = time.monotonic(), _cpu_of_children()
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(environment),
        cwd=cwd,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        exit_code: int | None
        try:
            stdout, stderr = process.communicate(stdin, timeout=limit_seconds)
            exit_code = process.returncode
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            stdout, stderr = process.communicate()
            exit_code = None
    return Completed(exit_code, stdout, stderr, time.monotonic() - started, _cpu_of_children() - cpu_before)


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@dataclass(frozen=True)
class Programs:
    """The four programs of the images, and two questions only an interpreter with the project's packages can answer."""

    runner: Runner
    python: Path
    home: Path
    images: Path = IMAGES

    def prepare(self, project: Path, *, seed: int, secret: bytes, into: Path, limit_seconds: float) -> float:
        """Toy data, split into ``into``/public and ``into``/private; the seconds it took."""
        options = {"project": project, "raw": into / "raw", "public": into / "public", "private": into / "private"}
        into.mkdir(parents=True)
        extra = ("--mode", "toy", "--seed", str(seed))
        return self._program(
            "workspace", "prepare", options, *extra, stdin=secret.hex() + "\n", limit_seconds=limit_seconds
        ).seconds

    def train(self, project: Path, *, public: Path, artifact: Path, budget_seconds: float) -> Completed:
        """The baseline's artifact; it is stopped after four times its budget."""
        options = {"project": project, "public": public, "artifact": artifact}
        artifact.mkdir(parents=True)
        return self._program(
            "workspace", "train", options, "--budget", str(budget_seconds), limit_seconds=4 * budget_seconds
        )

    def train_and_predict(
        self, submission: Path, *, public: Path, inputs: Path, out: Path, budget_seconds: float, seed: int
    ) -> Completed:
        """Predictions of a submission that is trained with this seed; it is stopped after four times its budget."""
        out.mkdir(parents=True)
        options = {"submission": submission, "public": public, "inputs": inputs, "out": out}
        extra = ("--budget", str(budget_seconds), "--seed", str(seed))
        return self._program("workspace", "predict", options, *extra, limit_seconds=4 * budget_seconds)

    def predict(self, submission: Path, *, inputs: Path, out: Path, limit_seconds: float) -> Completed:
        """Predictions of a submission in ``out``."""
        out.mkdir(parents=True)
        options = {"submission": submission, "inputs": inputs, "out": out}
        return self._program("workspace", "predict", options, limit_seconds=limit_seconds)

    def attempt(self, submission: Path, *, inputs: Path, out: Path, limit_seconds: float) -> Completed:
        """Like ``predict``, of a submission that may end in any way."""
        out.mkdir(parents=True)
        options = {"submission": submission, "inputs": inputs, "out": out}
        return self._started("workspace", "predict", options, limit_seconds=limit_seconds)

    def score(
        self,
        project: Path,
        *,
        predictions: Path,
        answers: Path,
        limit_seconds: float,
        optimised: bool = False,
        ran_seconds: float | None = None,
    ) -> dict[str, float] | str:
        """The metrics, or the message of a refusal. ``ran_seconds``: what a project that is timed is told of the run."""
        answer = self._scored(
            project,
            predictions=predictions,
            answers=answers,
            limit_seconds=limit_seconds,
            optimised=optimised,
            ran_seconds=ran_seconds,
        )
        if isinstance(answer.get("metrics"), dict):
            return {name: float(value) for name, value in answer["metrics"].items()}
        if isinstance(answer.get("invalid"), str):
            return str(answer["invalid"])
        raise ProgramFailed("score.py printed neither metrics nor a refusal")

    def score_shown(
        self,
        project: Path,
        *,
        predictions: Path,
        answers: Path,
        limit_seconds: float,
        ran_seconds: float | None = None,
    ) -> dict[str, float] | None:
        """The metrics on the shown rows alone; None where the answers name none."""
        answer = self._scored(
            project, predictions=predictions, answers=answers, limit_seconds=limit_seconds, ran_seconds=ran_seconds
        )
        shown = answer.get("shown")
        return {name: float(value) for name, value in shown.items()} if isinstance(shown, dict) else None

    def _scored(
        self,
        project: Path,
        *,
        predictions: Path,
        answers: Path,
        limit_seconds: float,
        optimised: bool = False,
        ran_seconds: float | None = None,
    ) -> dict[str, Any]:
        options = {"project": project, "predictions": predictions, "answers": answers}
        if ran_seconds is not None:
            options["run"] = self.home / "run.json"
            options["run"].write_text(json.dumps({"seconds": round(ran_seconds, 1)}), encoding="utf-8")
        flags = ("-O",) if optimised else ()
        printed = self._program("scorer", "score", options, flags=flags, limit_seconds=limit_seconds).stdout
        answer = json.loads(printed or "null")
        return answer if isinstance(answer, dict) else {}

    def foreign_imports(self, project: Path) -> list[str]:
        """Packages that evaluate.py brings in beyond the standard library and numpy."""
        beside = self.home / "reader"  # a copy: a mentor's own interpreter has none
        source = self.images / "scorer" / "programs" / READER
        if source.is_dir():
            shutil.copytree(source, beside / READER, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        done = self._run([str(self.python), "-I", "-B", "-c", IMPORTS, str(project), str(beside), READER], 120)
        return _well_ended(done, name="import evaluate", limit_seconds=120).stdout.split()

    def run_notebook(self, notebook: Path, *, public: Path, limit_seconds: float) -> tuple[int, float]:
        """Run it top to bottom in its own folder; the number of pictures it drew and the seconds it took."""
        command = [str(self.python), "-I", "-B", "-c", NOTEBOOK, str(notebook), str(limit_seconds), str(public)]
        done = self._run(command, limit_seconds)
        done = _well_ended(done, name=notebook.name, limit_seconds=limit_seconds)
        return int(done.stdout.split()[-1]), done.seconds

    def run_clean(self, submission: Path, *, public: Path, inputs: Path, out: Path, limit_seconds: float) -> None:
        """Predictions of the ``start.ipynb`` in ``submission`` in ``out``, run as a handed-in notebook is."""
        out.mkdir(parents=True)
        options = {"submission": submission, "public": public, "inputs": inputs, "out": out}
        self._program("workspace", "notebook", options, "--notebook", "start.ipynb", limit_seconds=limit_seconds)

    def _program(
        self,
        image: str,
        name: str,
        options: Mapping[str, Path],
        *extra: str,
        limit_seconds: float,
        stdin: str = "",
        flags: tuple[str, ...] = (),
    ) -> Completed:
        done = self._started(image, name, options, *extra, limit_seconds=limit_seconds, stdin=stdin, flags=flags)
        return _well_ended(done, name=f"{name}.py", limit_seconds=limit_seconds)

    def _started(
        self,
        image: str,
        name: str,
        options: Mapping[str, Path],
        *extra: str,
        limit_seconds: float,
        stdin: str = "",
        flags: tuple[str, ...] = (),
    ) -> Completed:
        file = self.images / image / "programs" / f"{name}.py"
        folders = [part for key, path in options.items() for part in (f"--{key}", str(path))]
        command = [str(self.python), "-I", "-B", *flags, str(file), *folders, *extra]
        return self._run(command, limit_seconds, stdin=stdin)

    def _run(self, command: Sequence[str], limit_seconds: float, *, stdin: str = "") -> Completed:
        environment = {
            "PATH": f"{self.python.parent}:{os.environ.get('PATH', os.defpath)}",
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "OPENBLAS_NUM_THREADS": "1",  # numpy's threads wait for each other on a busy machine; one is fast enough
            "http_proxy": NO_NETWORK,
            "https_proxy": NO_NETWORK,
        }
        return self.runner(command, stdin=stdin, environment=environment, cwd=self.home, limit_seconds=limit_seconds)


def _well_ended(done: Completed, *, name: str, limit_seconds: float) -> Completed:
    """``done``, if it ended by itself and well."""
    if done.exit_code is None:
        raise ProgramFailed(f"{name} was stopped after {limit_seconds:.0f} s, its limit")
    if done.exit_code != 0:
        raise ProgramFailed(f"{name} ended with exit code {done.exit_code}:\n{_tail(done.stderr)}")
    return done


def _tail(text: str) -> str:
    return "\n".join(COLOURS.sub("", text).rstrip().splitlines()[-SHOWN_LINES:])


def this_python() -> Path:
    """The interpreter of this process, for projects that need nothing else."""
    return Path(sys.executable)

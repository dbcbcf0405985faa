"""What each kind of submission runs: ``predict.py``, or a notebook from clean; predictions run nothing.

A notebook also sees the public data, as it did in the workspace. What it leaves as ``executed.ipynb`` is taken out of the
output by a container of ours that runs nothing of the intern's, after the untrusted one is gone.
"""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from practicum.engine import ContainerSpec, Inside, Labels, Limits, Mount, Program, VolumeMount
from practicum.engine.base import Word
from practicum.submissions.models import Submission

PYTHON = ("/opt/venv/bin/python", "-I", "-B", "-u")
EXECUTED = "executed.ipynb"
NOTHING_TO_KEEP = 6  # what keep.py of the scorer image ends with when there is no such plain file, or it is too large
KEEP_SECONDS = 60.0


def words_of(submission: Submission, *, seed: int | None, train_seconds: float | None) -> list[Word]:
    """The program of the workspace image and its options. ``train_seconds``: it is trained first, for that long at most."""
    places: list[Word] = [
        "--submission", Inside("/submission"), "--inputs", Inside("/inputs"), "--out", Inside("/out"),
    ]  # fmt: skip
    if submission.kind == "notebook":
        name = submission.notebook
        return [Program("workspace", "notebook.py"), *places, "--public", Inside("/data"), "--notebook", name]
    seeded = [] if seed is None else ["--seed", str(seed)]
    train: list[Word] = (
        [] if train_seconds is None else ["--public", Inside("/public"), "--budget", f"{train_seconds:g}"]
    )
    return [Program("workspace", "predict.py"), *places, *seeded, *train]


def mounts_of(submission: Submission, *, is_trained: bool) -> list[Mount]:
    """What it may read. Never the answers."""
    version = submission.version
    mounts = [Mount(submission.folder, "/submission"), Mount(version.hidden_folder / "inputs", "/inputs")]
    if submission.kind == "notebook":
        return [*mounts, Mount(version.folder / "public", "/data")]
    return [*mounts, Mount(version.folder / "public", "/public")] if is_trained else mounts


def keeper_spec(volume: str, *, into: Path, labels: Labels) -> ContainerSpec:
    """Copies the executed notebook from the output to ``into``, if it is a plain file of the size that is shown."""
    return ContainerSpec(
        image=settings.PRACTICUM_SCORER_IMAGE,
        command=[
            *PYTHON, Program("scorer", "keep.py"), "--from", Inside("/predictions"), "--name", EXECUTED,
            "--into", Inside("/kept"), "--bytes", str(settings.PRACTICUM_NOTEBOOK_MAX_BYTES),
        ],
        labels=labels,
        mounts=[Mount(into, "/kept", read_only=False)],
        volumes=[VolumeMount(volume, "/predictions", read_only=True)],
        limits=Limits(memory_bytes=256 * 1024**2, wall_seconds=KEEP_SECONDS),
    )  # fmt: skip

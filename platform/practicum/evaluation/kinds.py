"""What each kind of submission runs: ``predict.py``, or a notebook from clean; predictions run nothing.

A notebook also sees the public data, as it did in the workspace. What it leaves as ``executed.ipynb`` is taken out of the
output by the scorer, which runs nothing of the intern's, after the untrusted container is gone.
"""

from __future__ import annotations

from django.conf import settings

from practicum.engine import Inside, Mount, Program
from practicum.engine.base import Word
from practicum.submissions.models import Submission

PYTHON = ("/opt/venv/bin/python", "-I", "-B", "-u")
EXECUTED = "executed.ipynb"
KEPT = "/kept"


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
        return [*mounts, Mount(version.folder / "public", "/data", stays=True)]
    return [*mounts, Mount(version.folder / "public", "/public", stays=True)] if is_trained else mounts


def words_of_keeping() -> list[Word]:
    """The scorer's options for the executed notebook: copied to :data:`KEPT`, if it is a plain file of the size that is shown."""
    return ["--keep", EXECUTED, "--into", Inside(KEPT), "--keep-bytes", str(settings.PRACTICUM_NOTEBOOK_MAX_BYTES)]

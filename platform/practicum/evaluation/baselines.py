"""The project's own baseline, scored by the same code as everything else: trained in a container, handed in, run."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import transaction

from practicum.accounts.models import User
from practicum.catalog.models import ProjectVersion
from practicum.engine import (
    LABEL_INSTANCE,
    LABEL_KIND,
    ContainerSpec,
    Engine,
    Inside,
    Limits,
    Mount,
    Program,
)
from practicum.errors import Conflict, Invalid
from practicum.evaluation import rules
from practicum.evaluation.models import Run
from practicum.evaluation.seeding import asked_of, training_seconds
from practicum.evaluation.services import queue_run
from practicum.submissions import services as intake
from practicum.submissions import store
from practicum.submissions.models import Submission

AROUND_TRAINING_SECONDS = 120.0
NOTEBOOK = "start.ipynb"


def evaluate_baseline(version: ProjectVersion, *, engine: Engine, actor: User, now: datetime) -> Run:
    """Train the version's baseline, make it the version's baseline submission, and put it in line.

    Where the project asks for seeds, the evaluation itself trains it, once with each of them.

    Raises:
        Conflict: the version has a baseline already.
        Invalid: the project's ``train`` failed; the end of its output is in the message.
        EngineError: the engine failed us.
    """
    if Submission.objects.filter(version=version, internship__isnull=True).exists():
        raise Conflict(f"{version} has a baseline already; its page can run it again.")
    with store.staging() as folder:
        _fill(folder, version=version, engine=engine)
        files = sorted((p.relative_to(folder).as_posix(), p.stat().st_size) for p in folder.rglob("*") if p.is_file())
        parcel = intake.parcel_of(folder, files=files)
        with transaction.atomic():
            submission = intake.receive_baseline(version, parcel=parcel, actor=actor, now=now)
            run = queue_run(submission, requested_by=actor, now=now)
            intake.settle(parcel)
    return run


def _fill(folder: Path, *, version: ProjectVersion, engine: Engine) -> None:
    """Make the submission's folder: predict.py (the baseline), artifact/ (what it learned; not where the evaluation trains
    it), the starter notebook.
    """
    project = version.folder / "project"
    if not asked_of(version).trains_with_seeds:
        artifact = folder / "artifact"
        artifact.mkdir()
        train(version, artifact=artifact, engine=engine)
        artifact.chmod(store.FOLDER_MODE)
    shutil.copyfile(project / "baseline.py", folder / "predict.py")
    if (project / NOTEBOOK).is_file():
        shutil.copyfile(project / NOTEBOOK, folder / NOTEBOOK)
    for path in folder.rglob("*"):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise Invalid(f"train() of {version.project.slug} left a link or a device in artifact/.")
        path.chmod(0o444 if path.is_file() else store.FOLDER_MODE)


def train(version: ProjectVersion, *, artifact: Path, engine: Engine) -> None:
    """Run the project's ``train`` on the public data, without a network and without hidden data.

    Raises:
        Invalid: it failed, or took longer than its budget and a margin.
    """
    budget = training_seconds(version)
    spec = ContainerSpec(
        image=version.image,
        command=[
            "/opt/venv/bin/python", "-B", Program("workspace", "train.py"), "--project", Inside("/project"),
            "--public", Inside("/public"), "--artifact", Inside("/artifact"), "--budget", str(budget),
        ],
        labels={LABEL_INSTANCE: settings.PRACTICUM_INSTANCE, LABEL_KIND: "prepare"},
        mounts=[
            Mount(version.folder / "project", "/project"),
            Mount(version.folder / "public", "/public"),
            Mount(artifact, "/artifact", read_only=False),
        ],
        limits=Limits(
            memory_bytes=settings.PRACTICUM_WORKSPACE_MEMORY_BYTES, cpus=settings.PRACTICUM_WORKSPACE_CPUS
        ),
    )  # fmt: skip
    container = engine.start(spec)
    try:
        ended = engine.wait(container, wall_seconds=budget + AROUND_TRAINING_SECONDS)
        if ended.exit_code or ended.timed_out:
            tail = rules.clean_log(engine.log(container), max_bytes=2000)
            raise Invalid(f"train() of {version.project.slug} failed (exit code {ended.exit_code}):\n{tail}")
    finally:
        engine.remove(container)

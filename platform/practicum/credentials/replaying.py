"""The replay bundle run once here, before the certificate is issued, so that its value can be promised.

It runs as an intern's code does: in a container of the workspace image, without a network, with the bundle read-only. The
data in it are public, so what it prints decides nothing: it is what anybody else should get.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings

from practicum.credentials.bundles import RUNNABLE, write
from practicum.credentials.models import Certificate
from practicum.engine import LABEL_INSTANCE, LABEL_KIND, ContainerSpec, Engine, Inside, Limits, Mount
from practicum.evaluation import kinds, rules
from practicum.evaluation.seeding import plan_of
from practicum.submissions.models import Submission

KIND = "replay"
AROUND_SECONDS = 120.0
LONGEST = timedelta(hours=1)
WORK_BYTES = 512 * rules.MEBIBYTE


def replay(certificate: Certificate, *, engine: Engine) -> dict[str, Any]:
    """``{"value": …}``, or ``{"reason": …}`` in words where there is none.

    Raises:
        EngineError: the engine failed us.
    """
    submission = certificate.submission
    if submission is None:
        return {"reason": "Nothing was handed in that could be run again."}
    if submission.kind not in RUNNABLE:
        return {"reason": "Predictions were handed in, no code: there is nothing to run again."}
    place = _place()
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place, prefix=".replay-") as folder:
        bundle = Path(folder) / "bundle"
        write(submission, into=Path(folder) / "bundle.zip", expected=None)
        with zipfile.ZipFile(Path(folder) / "bundle.zip") as packed:
            packed.extractall(bundle)
        for path in (Path(folder), bundle, *bundle.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        return _run(submission, bundle=bundle.resolve(), engine=engine)


def clear_away(now: datetime, *, engine: Engine) -> int:
    """Remove what a worker left behind that was killed in a replay, once no replay lasts that long; how many containers.

    Raises:
        EngineError: the engine can't be asked.
    """
    before = now - 2 * LONGEST
    labels = {LABEL_INSTANCE: settings.PRACTICUM_INSTANCE, LABEL_KIND: KIND}
    left = [one for one in engine.list(labels) if one.started_at is not None and one.started_at < before]
    for container in left:
        engine.remove(container.id)
    for folder in _place().glob(".*"):
        if folder.stat().st_mtime < before.timestamp():
            shutil.rmtree(folder, ignore_errors=True) if folder.is_dir() else folder.unlink(missing_ok=True)
    return len(left)


def _place() -> Path:
    return Path(settings.PRACTICUM_DATA_DIR) / "bundles"


def _run(submission: Submission, *, bundle: Path, engine: Engine) -> dict[str, Any]:
    budget = submission.version.manifest["budget"]
    train = float(budget["toy_seconds"]) if plan_of(submission).trains else 0.0
    limit = min(float(budget["eval_seconds"]) + train + AROUND_SECONDS, LONGEST.total_seconds())
    container = engine.start(
        ContainerSpec(
            image=submission.version.image,
            command=[*kinds.PYTHON, Inside("/bundle", "replay.py")],
            labels={LABEL_INSTANCE: settings.PRACTICUM_INSTANCE, LABEL_KIND: KIND},
            mounts=[Mount(bundle, "/bundle")],
            environment={"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MPLCONFIGDIR": "/tmp"},  # noqa: S108
            limits=Limits(
                memory_bytes=settings.PRACTICUM_EVALUATION_MEMORY_BYTES,
                cpus=settings.PRACTICUM_EVALUATION_CPUS,
                tmpfs_bytes=WORK_BYTES,
                wall_seconds=limit,
            ),
        )
    )
    try:
        ended = engine.wait(container, wall_seconds=limit)
        printed = engine.log(container, stream="stdout", max_bytes=4096)
    finally:
        engine.remove(container)
    if ended.timed_out or ended.exit_code:
        return {"reason": "The replay bundle did not run to its end on toy data here."}
    return _value(printed)


def _value(printed: str) -> dict[str, Any]:
    """The value in the last line; the submission's code could have written anything there."""
    try:
        value = json.loads(printed.strip().splitlines()[-1])["value"]
    except (ValueError, IndexError, KeyError, TypeError, RecursionError):
        value = None
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e15:
        return {"reason": "The replay bundle gave no number here."}
    return {"value": float(value)}

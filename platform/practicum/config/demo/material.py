"""What the demo's interns hand in: real work, made by running the project's own notebook and small programs beside it.

``executed_start`` runs a version's ``start.ipynb`` in the workspace image, as an intern would, and keeps the notebook
with its outputs and the ``submission/`` folder it wrote.
"""

from __future__ import annotations

import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from practicum.catalog.models import ProjectVersion
from practicum.engine import LABEL_INSTANCE, LABEL_KIND, ContainerSpec, Engine, Inside, Limits, Mount
from practicum.errors import Fault

HERE = Path(__file__).parent
NOTEBOOK_SECONDS = 300.0


@contextmanager
def executed_start(version: ProjectVersion, *, engine: Engine) -> Iterator[Path]:
    """A folder with ``start.ipynb`` run from top to bottom and the ``submission/`` it wrote; gone afterwards.

    Raises:
        Fault: the notebook failed; the end of its output is in the message.
    """
    folder = Path(tempfile.mkdtemp(prefix="practicum-start-"))
    try:
        shutil.copytree(version.folder / "project", folder, dirs_exist_ok=True)
        folder.chmod(0o777)
        spec = ContainerSpec(
            image=version.image,
            command=[
                "/opt/venv/bin/python", "-m", "nbconvert", "--to", "notebook", "--execute", "--output", "executed.ipynb",
                Inside("/work", "start.ipynb"),
            ],
            labels={LABEL_INSTANCE: settings.PRACTICUM_INSTANCE, LABEL_KIND: "prepare"},
            mounts=[Mount(folder, "/work", read_only=False), Mount(version.folder / "public", "/data")],
            environment={
                "PRACTICUM_DATA": str(version.folder / "public") if settings.PRACTICUM_ENGINE == "local" else "/data",
                "MPLBACKEND": "module://matplotlib_inline.backend_inline",
            },
            limits=Limits(memory_bytes=4 * 1024**3, cpus=2.0, wall_seconds=NOTEBOOK_SECONDS),
        )  # fmt: skip
        container_id = engine.start(spec)
        try:
            ended = engine.wait(container_id, wall_seconds=NOTEBOOK_SECONDS)
            if ended.exit_code:
                tail = engine.log(container_id, max_bytes=2000)
                raise Fault(f"start.ipynb of {version.project.slug} failed: {tail}")
        finally:
            engine.remove(container_id)
        (folder / "executed.ipynb").replace(folder / "start.ipynb")
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def archive(folder: Path, *, notebook: Path) -> io.BytesIO:
    """A zip of ``folder`` with the executed notebook beside it."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix != ".ipynb":
                packed.write(path, path.relative_to(folder).as_posix())
        packed.write(notebook, "start.ipynb")
    stream.seek(0)
    return stream


def own_work(name: str, *, version: ProjectVersion, notebook: Path) -> io.BytesIO:
    """A zip of ``demo/<name>`` with the version's public data as its artifact: programs that learn nothing beforehand."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "submission"
        shutil.copytree(HERE / name, folder)
        shutil.copytree(version.folder / "public", folder / "artifact")
        return archive(folder, notebook=notebook)


def check_work(version: ProjectVersion, *, variant: int) -> io.BytesIO:
    """A zip for the readiness check of machine learning: the bag is mended, the rest is as it was given."""
    public, given = version.folder / "public", version.folder / "public" / f"variant-{variant}"
    answers = {
        "variant": variant,
        "tune": {"log_rate": -3.0, "log_decay": -3.0, "trials": 1},
        "curve": {"stop": 80, "ended": 80, "gap": 0.0, "overfits": 1, "underfits": 1},
    }
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for file in (public / "lab.py", public / "predict.py", given / "sgd.py", HERE / "readiness-ml" / "bag.py"):
            shutil.copyfile(file, folder / file.name)
        (folder / "answers.json").write_text(json.dumps(answers))
        return archive(folder, notebook=version.folder / "project" / "start.ipynb")


def baseline_work(baseline: Path, *, notebook: Path, report: str) -> io.BytesIO:
    """A zip of the baseline's own files with a report: what an intern hands in who has run it and changed nothing."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "submission"
        shutil.copytree(baseline, folder)
        (folder / "report.md").write_text(report)
        return archive(folder, notebook=notebook)

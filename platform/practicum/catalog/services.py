"""Publishing: from a project's folder to a version interns work on.

The project's own code (``data.py``) never runs in this process: the data are prepared in a container of the workspace
image. What was published under a digest stays as it is; publishing the same folder again changes nothing.
"""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Callable, Collection
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import transaction

from practicum.accounts.models import User
from practicum.audit.services import record
from practicum.catalog.check import check_project
from practicum.catalog.contained import INTERPRETER, EngineRunner
from practicum.catalog.manifest import Manifest, load_manifest
from practicum.catalog.models import Mode, Project, ProjectVersion
from practicum.catalog.report import Report
from practicum.catalog.shown import key_of, write_shown
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
from practicum.errors import Invalid
from practicum.lib.digest import digest_tree

PREPARE_SECONDS = 3600.0
PREPARE_MEMORY_BYTES = 8 * 1024**3
TOY_SEED = 0


def check_in_containers(
    directory: Path,
    *,
    engine: Engine,
    say: Callable[[str], None] = lambda _line: None,
    only: Collection[str] | None = None,
) -> Report:
    """``practicum project check`` of this folder with the site's images; ``say`` gets a line as each check ends.

    Raises:
        EngineError: the engine failed us.
    """
    place = Path(settings.PRACTICUM_DATA_DIR) / "catalog"
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".checking-", dir=place, ignore_cleanup_errors=True) as folder:
        work = Path(folder).resolve()
        runner = EngineRunner(engine, work=work)
        return check_project(directory, python=INTERPRETER, runner=runner, say=say, only=only, work_in=work)


def published_as(directory: Path, *, mode: Mode) -> ProjectVersion | None:
    """The latest version of this project, if it has these very files, this mode and the site's image.

    Raises:
        ManifestInvalid: ``project.toml`` has faults; all are listed.
    """
    slug = load_manifest(directory).project.slug
    latest = ProjectVersion.objects.select_related("project").filter(project__slug=slug).first()
    state = (digest_tree(directory), mode, settings.PRACTICUM_WORKSPACE_IMAGE)
    return latest if latest and (latest.digest, latest.mode, latest.image) == state else None


def publish(
    directory: Path, *, mode: Mode, report: Report, actor: User, engine: Engine, now: datetime
) -> ProjectVersion:
    """Publish ``directory`` as the project's next version, with its data fetched (or made) and split.

    ``report`` is what the check said of these very files; it is kept with the version. Submissions to earlier versions
    stay with those. Returns the existing version when the latest one has the same files, mode and image.

    Raises:
        ManifestInvalid: ``project.toml`` has faults; all are listed.
        Invalid: a check failed, was left out, or looked at other files; or preparing the data failed.
        EngineError: the engine failed us.
    """
    manifest = load_manifest(directory)
    digest = digest_tree(directory)
    if (latest := published_as(directory, mode=mode)) is not None:
        return latest
    _check_report(report, digest=digest)
    project, _ = Project.objects.update_or_create(
        slug=manifest.project.slug,
        defaults={"title": manifest.project.title, "question": manifest.project.question},
    )
    latest = project.versions.first()
    version = ProjectVersion(
        project=project,
        number=latest.number + 1 if latest else 1,
        digest=digest,
        manifest=_as_json(manifest),
        mode=mode,
        image=settings.PRACTICUM_WORKSPACE_IMAGE,
        published_at=now,
        published_by=actor,
        checked_at=now,
        check_lines=[dataclasses.asdict(result) for result in report.results],
    )
    _fill(version, directory=directory, engine=engine)
    with transaction.atomic():
        version.save()
        record("project.published", subject=version, actor=actor, now=now, digest=digest, mode=mode)
    return version


def _check_report(report: Report, *, digest: str) -> None:
    """Let a project be published by what its check said.

    Raises:
        Invalid: it failed, or is not about these files; outside the demo, or checks were left out.
    """
    if report.digest != digest:
        raise Invalid("The folder changed after it was checked. Check it again, then publish.")
    if not report.passed:
        wrong = "\n".join(result.line() for result in report.results if result.verdict != "ok")
        raise Invalid(f"A project that fails its check can't be published. {report.summary()}\n{wrong}")
    if not report.is_complete and settings.PRACTICUM_ENV != "demo":
        raise Invalid("Some checks were left out. Run them all, then publish.")


def _as_json(manifest: Manifest) -> dict[str, object]:
    return dataclasses.asdict(manifest)


def _fill(version: ProjectVersion, *, directory: Path, engine: Engine) -> None:
    """Make the version's folder beside its place, then put it there in one move: a crash leaves no half version."""
    version.folder.parent.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix=".making-", dir=version.folder.parent))
    try:
        making.chmod(0o755)
        shutil.copytree(directory, making / "project", ignore=shutil.ignore_patterns("__pycache__", ".*"))
        prepare_data(making, version=version, engine=engine)
        _choose_shown(making / "private", version=version)
        if version.manifest["submission"]["kind"] == "predictions":
            # Who hands in predictions has to be given what they are of.
            shutil.copytree(making / "private" / "inputs", making / "public" / "inputs")
        for made, place in ((making / "private", version.hidden_folder), (making, version.folder)):
            place.parent.mkdir(parents=True, exist_ok=True)
            if place.exists():  # left by a publication that died before its row was written
                shutil.rmtree(place)
            made.rename(place)
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        raise


def _choose_shown(private: Path, *, version: ProjectVersion) -> None:
    """Draw the rows whose score interns see.

    Raises:
        Invalid: the answers can't be divided.
    """
    key = key_of(settings.PRACTICUM_SPLIT_SECRET, slug=version.project.slug, number=version.number)
    try:
        write_shown(private, share=version.manifest["split"]["shown"], key=key)
    except ValueError as fault:
        raise Invalid(f"The shown part of {version.project.slug} can't be drawn: {fault}.") from fault


def prepare_data(making: Path, *, version: ProjectVersion, engine: Engine) -> None:
    """Run the project's ``data.py`` in a container: ``public/``, ``private/inputs/`` and ``private/answers/`` are there.

    The site's split secret goes in by standard input, so it is in no environment, argument or file.

    Raises:
        Invalid: the project's code failed.
    """
    folders = {name: making / name for name in ("public", "private", "raw")}
    for folder in folders.values():
        folder.mkdir()
    spec = ContainerSpec(
        image=version.image,
        command=[
            "/opt/venv/bin/python", "-B", Program("workspace", "prepare.py"), "--project", Inside("/project"),
            "--mode", version.mode, "--seed", str(TOY_SEED), "--raw", Inside("/raw"), "--public", Inside("/public"),
            "--private", Inside("/private"),
        ],
        labels={LABEL_INSTANCE: settings.PRACTICUM_INSTANCE, LABEL_KIND: "prepare"},
        mounts=[
            Mount(making / "project", "/project"),
            *(Mount(folder, f"/{name}", read_only=False) for name, folder in folders.items()),
        ],
        network=settings.PRACTICUM_FETCH_NETWORK if version.mode == Mode.FULL else None,
        limits=Limits(memory_bytes=PREPARE_MEMORY_BYTES, cpus=2.0, wall_seconds=PREPARE_SECONDS),
        stdin=f"{settings.PRACTICUM_SPLIT_SECRET}\n",
    )  # fmt: skip
    container_id = engine.start(spec)
    try:
        ended = engine.wait(container_id, wall_seconds=PREPARE_SECONDS)
        if ended.exit_code:
            tail = engine.log(container_id, max_bytes=2000)
            raise Invalid(f"data.py of {version.project.slug} failed (exit code {ended.exit_code}):\n{tail}")
    finally:
        engine.remove(container_id)
    shutil.rmtree(folders["raw"])
    missing = [name for name in ("public", "private/inputs", "private/answers") if not any((making / name).glob("*"))]
    if missing:
        raise Invalid(f"data.py of {version.project.slug} wrote nothing to {', '.join(missing)}.")
    (making / "private" / "answers").chmod(0o755)

"""A project is published only after its check passed on these very files, and the check is kept with the version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from practicum.catalog import skeleton
from practicum.catalog.contained import EngineRunner
from practicum.catalog.models import ProjectVersion
from practicum.catalog.programs import IMAGES
from practicum.catalog.report import Report, Result
from practicum.catalog.services import check_in_containers, publish, published_as
from practicum.engine import ContainerSpec, Exit, Inside, Program
from practicum.engine.memory import MemoryEngine, Script
from practicum.errors import Invalid
from practicum.lib.digest import digest_tree

OK = Result("project.toml", "ok", "2 anchors", 0.1)
BROKEN = Result("golden cases", "MEND", "perfect: must score metric.best, 1.0", 0.2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return skeleton.make("heart-beats", into=tmp_path)


@pytest.fixture
def engine() -> MemoryEngine:
    """Where data.py writes a file into every folder."""

    def prepare(spec: ContainerSpec) -> None:
        places = {mount.target: mount.source for mount in spec.mounts}
        for place in ("inputs", "answers"):
            (places["/private"] / place).mkdir()
            (places["/private"] / place / "file").write_text("x")
        (places["/public"] / "train").write_text("x")

    engine = MemoryEngine()
    engine.will("prepare", Script(on_start=prepare))
    return engine


def report_of(folder: Path, *results: Result, is_complete: bool = True) -> Report:
    return Report("heart-beats", digest_tree(folder), results or (OK,), is_complete=is_complete)


def published(folder: Path, *, report: Report, mentor: Any, engine: MemoryEngine, now: Any) -> ProjectVersion:
    return publish(folder, mode="toy", report=report, actor=mentor, engine=engine, now=now)  # type: ignore[arg-type]


def test_a_version_keeps_what_its_check_said(folder: Path, mentor: Any, engine: MemoryEngine, now: Any) -> None:
    version = published(folder, report=report_of(folder), mentor=mentor, engine=engine, now=now)

    version.refresh_from_db()
    assert (version.number, version.checked_at) == (1, now)
    assert version.check_lines == [{"name": "project.toml", "verdict": "ok", "detail": "2 anchors", "seconds": 0.1}]


def test_a_changed_folder_becomes_the_next_version_and_the_earlier_one_stays(
    folder: Path, mentor: Any, engine: MemoryEngine, now: Any
) -> None:
    first = published(folder, report=report_of(folder), mentor=mentor, engine=engine, now=now)
    (folder / "README.md").write_text("# Another brief\n")
    assert published_as(folder, mode="toy") is None  # type: ignore[arg-type]

    second = published(folder, report=report_of(folder), mentor=mentor, engine=engine, now=now)

    assert (second.number, second.project) == (2, first.project)
    assert "Another brief" not in (first.folder / "project" / "README.md").read_text()
    assert published_as(folder, mode="toy") == second  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("results", "is_complete", "changed", "expected"),
    [
        ((OK, BROKEN), True, False, "1 to mend.*\n.*perfect: must score"),
        ((OK, Result("baseline", "not run", "first mend: golden cases", 0)), True, False, "can't be published"),
        ((OK,), False, False, "Some checks were left out"),
        ((OK,), True, True, "changed after it was checked"),
    ],
    ids=["failed", "not run", "left out", "other files"],
)
def test_what_did_not_pass_is_not_published(
    folder: Path,
    mentor: Any,
    engine: MemoryEngine,
    now: Any,
    results: Any,
    is_complete: bool,
    changed: bool,
    expected: str,
    settings: Any,
) -> None:
    settings.PRACTICUM_ENV = "production"
    report = report_of(folder, *results, is_complete=is_complete)
    if changed:
        (folder / "data.py").write_text("# other\n")

    with pytest.raises(Invalid, match=f"(?s){expected}"):
        published(folder, report=report, mentor=mentor, engine=engine, now=now)

    assert not ProjectVersion.objects.exists()
    assert engine.started == []


def test_the_demo_may_leave_slow_checks_out(
    folder: Path, mentor: Any, engine: MemoryEngine, now: Any, settings: Any
) -> None:
    settings.PRACTICUM_ENV = "demo"

    assert published(folder, report=report_of(folder, is_complete=False), mentor=mentor, engine=engine, now=now).pk


def test_mentors_read_the_check_and_interns_do_not(
    client_of: Any, intern: Any, mentor: Any, version: Any, now: Any
) -> None:
    version.checked_at = now
    version.check_lines = [{"name": "nothing leaks", "verdict": "ok", "detail": "no <answer> there", "seconds": 1.25}]
    version.save()

    page = client_of(mentor).get("/projects/digits/").content.decode()
    assert "passed 1 check before it was published" in page
    assert "no &lt;answer&gt; there" in page
    assert "Project check" not in client_of(intern).get("/projects/digits/").content.decode()


def test_the_check_s_programs_run_in_containers_without_a_network_or_a_secret(tmp_path: Path, settings: Any) -> None:
    engine = MemoryEngine()
    engine.will("prepare", Script(stdout="out", stderr="err", exit=Exit(3, False, False, 1.5, None)))
    runner = EngineRunner(engine, work=tmp_path)
    (tmp_path / "private").mkdir(mode=0o700)

    done = runner(
        ["/opt/venv/bin/python", "-I", str(IMAGES / "scorer/programs/score.py"), "--project", str(tmp_path / "project")],
        stdin="secret\n", environment={"KEY": "secret", "HOME": str(tmp_path)}, cwd=tmp_path, limit_seconds=9,
    )  # fmt: skip

    assert (done.exit_code, done.stdout, done.stderr, done.seconds) == (3, "out", "err", 1.5)
    spec = engine.started[0]
    assert (spec.image, spec.network, spec.stdin) == (settings.PRACTICUM_SCORER_IMAGE, None, "secret\n")
    assert Program("scorer", "score.py") in spec.command
    assert Inside("/check", "project") in spec.command
    assert [(mount.source, mount.target) for mount in spec.mounts] == [(tmp_path, "/check")]
    assert not [value for value in spec.environment.values() if "secret" in value or str(tmp_path) in value]
    assert engine.held == {}
    assert (tmp_path / "private").stat().st_mode & 0o777 == 0o777


def test_a_program_past_its_limit_counts_as_stopped(tmp_path: Path, settings: Any) -> None:
    engine = MemoryEngine()
    engine.will("prepare", Script(runs_forever=True))

    done = EngineRunner(engine, work=tmp_path)(["true"], stdin="", environment={}, cwd=tmp_path, limit_seconds=1)

    assert done.exit_code is None
    assert engine.started[0].image == settings.PRACTICUM_WORKSPACE_IMAGE


def test_a_check_leaves_nothing_in_the_site_s_folder(folder: Path, data_dir: Path) -> None:
    engine = MemoryEngine()
    engine.will("prepare", Script(exit=Exit(1, False, False, 0.1, None)))
    said: list[str] = []

    report = check_in_containers(folder, engine=engine, say=said.append, only=("project.toml", "toy and split repeat"))

    assert [result.verdict for result in report.results] == ["ok", "MEND"]
    assert (report.is_complete, report.digest) == (False, digest_tree(folder))
    assert said[1].startswith("MEND    toy and split repeat")
    assert list((data_dir / "catalog").iterdir()) == []

"""Holds each submission's code against that of other interns of the same project version, and notes near-copies.

A note is for mentors to look at; nothing follows from it by itself. Readiness checks are not compared. What the project
hands out (starter notebook, baseline, evaluator) is left out. Files are read as text, up to a cap, and never run.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from django.db import transaction

from practicum.audit.services import record
from practicum.catalog.models import ProjectVersion
from practicum.internships.models import is_proper
from practicum.lib.files import read_regular
from practicum.submissions.models import Likeness, Submission
from practicum.submissions.rules import ARTIFACT, NOTEBOOK
from practicum.submissions.similarity import Alike, Fingerprint, Text, compare, fingerprint, grams_of, would_flag

FILE_BYTES = 2 * 1024**2
CODE_BYTES = 200_000
MOST_FILES = 40
MOST_OTHERS = 200
READ = (".py", NOTEBOOK)
HASHES_KEPT, PROJECTS_KEPT = 1024, 16  # at most 100 KB of a submission, mostly 4


def compare_next(*, now: datetime) -> bool:
    """Hold the oldest submission that was not compared yet against the others; False when there is none."""
    waiting = Submission.objects.filter(is_proper("internship__"), compared_at__isnull=True)
    submission = waiting.select_related("version__project", "internship").order_by("received_at", "pk").first()
    if submission is None:
        return False
    found = _alike_ones(submission)
    with transaction.atomic():
        if Submission.objects.filter(pk=submission.pk, compared_at__isnull=True).update(compared_at=now):
            for other, alike in found:
                _note(submission, other, alike=alike, now=now)
    return True


def _note(submission: Submission, other: Submission, *, alike: Alike, now: datetime) -> None:
    is_later = submission.pk > other.pk
    first, second = (other, submission) if is_later else (submission, other)
    passages = [asdict(passage) for passage in alike.passages]
    if is_later:
        passages = [_turned(passage) for passage in passages]
    likeness, is_new = Likeness.objects.get_or_create(
        first=first, second=second, defaults={"share": alike.share, "passages": passages, "found_at": now}
    )
    if is_new:
        record("submission.alike", subject=likeness, actor=None, now=now, first=first.pk, second=second.pk)


def _turned(passage: dict[str, object]) -> dict[str, object]:
    """The same passage seen from the other side."""
    sides = ("name", "line", "code")
    mine = {f"other_{side}": passage[side] for side in sides}
    return mine | {side: passage[f"other_{side}"] for side in sides}


def _alike_ones(submission: Submission) -> list[tuple[Submission, Alike]]:
    """The submissions of other interns, one of each at most, that a mentor should look at beside this one."""
    assert submission.internship is not None
    others = Submission.objects.filter(is_proper("internship__"), version=submission.version)
    others = others.exclude(internship__intern=submission.internship.intern).select_related("internship")
    project = _project_of(submission.version)
    mine = _fingerprint(submission.folder, _paths(submission), project=project)
    hashes = mine.hashes
    best: dict[int, tuple[Submission, Alike]] = {}
    if not hashes:
        return []
    for other in others.order_by("-pk")[:MOST_OTHERS]:
        assert other.internship_id is not None
        folder, paths = other.folder, _paths(other)
        if not would_flag(hashes, _hashes(folder, paths, project=project)):
            continue
        alike = compare(mine, _fingerprint(folder, paths, project=project))
        before = best.get(other.internship_id)
        if alike.is_flagged and (before is None or alike.share > before[1].share):
            best[other.internship_id] = (other, alike)
    return list(best.values())


@lru_cache(maxsize=HASHES_KEPT)
def _hashes(folder: Path, paths: tuple[str, ...], *, project: Path) -> array[int]:
    """The hashes of what lies there, each once. What was handed in never changes, so they are kept; the code itself is not."""
    return array("Q", sorted(_fingerprint(folder, paths, project=project).hashes))


def _fingerprint(folder: Path, paths: tuple[str, ...], *, project: Path) -> Fingerprint:
    return fingerprint(list(_texts(folder, paths)), known=_known(project))


@lru_cache(maxsize=PROJECTS_KEPT)
def _known(project: Path) -> frozenset[int]:
    """Every hash of the code that every intern of a version has been given."""
    return grams_of(handed_out(project))


def _project_of(version: ProjectVersion) -> Path:
    return version.folder / "project"


def handed_out(project: Path) -> list[Text]:
    """The code in the folder that interns are given."""
    names = sorted(path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file())
    return list(_texts(project, names))


def _paths(submission: Submission) -> tuple[str, ...]:
    """Its Python files and notebooks, but for what lies in ``artifact/``."""
    paths = [str(file["path"]) for file in submission.files]
    return tuple(path for path in paths if path.endswith(READ) and not path.startswith(ARTIFACT))


def _texts(folder: Path, names: Iterable[str]) -> Iterator[Text]:
    left = CODE_BYTES
    for name in [name for name in names if name.endswith(READ)][:MOST_FILES]:
        content = read_regular(folder, name, most=FILE_BYTES) or b""
        texts = _cells(content, name=name) if name.endswith(NOTEBOOK) else [_text(content, name=name)]
        for text in texts:
            yield Text(text.name, text.code[:left])
            left -= len(text.code[:left])


def _text(content: bytes, *, name: str) -> Text:
    return Text(name, content.decode(errors="replace"))


def _cells(content: bytes, *, name: str) -> list[Text]:
    """The code cells of a notebook that may be anything."""
    try:
        cells = json.loads(content)["cells"]
    except (ValueError, RecursionError, KeyError, TypeError):
        return []
    found = []
    for number, cell in enumerate(cells if isinstance(cells, list) else [], start=1):
        if isinstance(cell, dict) and cell.get("cell_type") == "code":
            source = cell.get("source")
            lines = source if isinstance(source, list) else [source]
            code = "".join(line for line in lines if isinstance(line, str))
            found.append(Text(f"{name}, cell {number}", code))
    return found

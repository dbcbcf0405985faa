"""An intern's notebook as a page, what changed in it, and a report as HTML: made once by a limited process, kept by digest.

A notebook is hostile until shown otherwise. It is opened only as a regular file (a symbolic link is refused), read up
to a cap, and converted by a process of its own (:mod:`.converter`) that sees nothing but its bytes: 512 MB of memory, a
wall clock, no environment, killed with all its children. The site keeps one warm and has it fork (:mod:`.warm`). What it
wrote is kept by one rename as ``page.html`` and ``outcome.json`` under
``<data dir>/rendered/<converter>/<kind>-<digest[:2]>/<digest>/``.
A conversion that ran out of time or broke is tried again after ten minutes: the machine may have been busy.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from django.conf import settings

from practicum.catalog.models import ProjectVersion
from practicum.evaluation import executed
from practicum.evaluation.models import Run
from practicum.lib.digest import digest_bytes
from practicum.lib.files import read_regular
from practicum.reviews.warm import Renderer
from practicum.submissions.models import Submission

CONVERTER = Path(__file__).resolve().parent / "converter"
# Shorter than the 30 s at which a web server may give a request up.
RENDER_SECONDS = 25.0
REPORT_BYTES = 200_000
# 3 is the converter's own word for memory; SIGXFSZ: a file over its limit; SIGXCPU: too much processor time.
ENDINGS = {3: "big", -signal.SIGXFSZ: "big", -signal.SIGSEGV: "big", -signal.SIGXCPU: "slow"}
PASSING = ("slow", "failed")
TRY_AGAIN_AFTER = timedelta(minutes=10)
LIBRARIES = ("nbconvert", "nbformat", "nh3", "markdown-it-py", "Pygments")
TOO_SLOW = "It takes too long to show this notebook. Download it and look at it in JupyterLab."
TOO_BIG = "This notebook needs too much memory to be shown. Download it and look at it in JupyterLab."
BROKEN = "This notebook can't be shown. Download it and look at it in JupyterLab."

_warm: Renderer | None = None


@dataclass(frozen=True)
class Cell:
    """A cell of the notebook; ``line`` is its first line with something in it."""

    id: str
    number: int
    kind: str
    line: str
    has_output: bool
    has_error: bool


@dataclass(frozen=True)
class Value:
    """A name that is set to another literal than in the earlier notebook; ``number`` is its cell's."""

    name: str
    before: str
    after: str
    cell: str
    number: int


@dataclass(frozen=True)
class Changes:
    """What became of each cell since an earlier notebook, by the later cell's id.

    ``states``: same, changed, output, moved or new; ``folds``: the number of the fold that an unchanged one is in;
    ``outputs``: those that gave something else; ``pairs``: an earlier cell's id to the later one's; ``gone``: earlier
    cells that are no more.
    """

    states: dict[str, str]
    folds: dict[str, int]
    outputs: tuple[str, ...]
    pairs: dict[str, str]
    gone: tuple[str, ...]
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Rendered:
    """What came of it. ``status``: ok, none (there is no notebook), invalid, big, slow or failed;
    ``message`` says why not ok."""

    status: str
    message: str
    html: str
    cells: tuple[Cell, ...] = ()
    changes: Changes | None = None

    @property
    def is_ok(self) -> bool:
        """There is a page to show."""
        return self.status == "ok"


def render_notebook(submission: Submission, *, now: datetime) -> Rendered:
    """The notebook the mentor reviews, made now if it isn't kept yet. Takes up to ``RENDER_SECONDS`` the first time."""
    content = _notebook_of(submission)
    return content if isinstance(content, Rendered) else _kept_or_made("notebook", content=content, now=now)


def render_changes(before: Submission, after: Submission, *, now: datetime) -> Rendered:
    """The later notebook with what changed since the earlier one open and the rest folded; kept by both digests."""
    later, earlier = _notebook_of(after), _notebook_of(before)
    if isinstance(later, Rendered):
        return later
    if isinstance(earlier, Rendered):
        return earlier
    return _kept_or_made("changes", content=_both(earlier, later), now=now)


def _both(earlier: bytes, later: bytes) -> bytes:
    return b"%d\n" % len(earlier) + earlier + later


def forget(submissions: Sequence[Submission], *, executions: Iterable[Run]) -> None:
    """No page of these submissions and of these executed notebooks is kept any more; of the changes between two neither."""
    contents = [content for row in submissions if isinstance(content := _notebook_of(row), bytes)]
    for content in contents:
        _forget("notebook", content=content)
        for earlier in contents:
            _forget("changes", content=_both(earlier, content))
    for row in submissions:
        _forget("report", content=read_regular(row.folder, "report.md", most=REPORT_BYTES))
    for run in executions:
        name = executed.name_of(run.executed)
        _forget("notebook", content=read_regular(executed.folder(), name, most=settings.PRACTICUM_NOTEBOOK_MAX_BYTES))


def _forget(kind: str, *, content: bytes | None) -> None:
    if content is not None:
        for made in (Path(settings.PRACTICUM_DATA_DIR) / "rendered").glob("*"):
            digest = digest_bytes(content)
            shutil.rmtree(made / f"{kind}-{digest[:2]}" / digest, ignore_errors=True)


def _notebook_of(submission: Submission) -> bytes | Rendered:
    """The notebook's bytes, or why there are none to convert."""
    if not submission.notebook:
        return Rendered("none", "There is no notebook in this submission.", "")
    most = settings.PRACTICUM_NOTEBOOK_MAX_BYTES
    content = read_regular(submission.folder, submission.notebook, most=most + 1)
    if content is None:
        return Rendered("none", "The notebook's file is not there.", "")
    if len(content) > most:
        return Rendered("big", f"The notebook is larger than {most // 1024**2} MB; larger ones are not shown.", "")
    return content


def render_remedy(version: ProjectVersion, *, name: str, now: datetime) -> Rendered:
    """A notebook that a readiness check offers against a gap, as it lies in the project's folder."""
    content = read_regular(version.folder / "project", name, most=settings.PRACTICUM_NOTEBOOK_MAX_BYTES)
    if content is None:
        return Rendered("none", "The notebook's file is not there.", "")
    return _kept_or_made("notebook", content=content, now=now)


def render_executed(run: Run, *, now: datetime) -> Rendered:
    """The notebook as it ended when the run executed it from clean; as hostile as the one handed in."""
    content = read_regular(
        executed.folder(), executed.name_of(run.executed), most=settings.PRACTICUM_NOTEBOOK_MAX_BYTES
    )
    if content is None:
        return Rendered("none", "The executed notebook's file is not there.", "")
    return _kept_or_made("notebook", content=content, now=now)


def render_report(submission: Submission, *, now: datetime) -> Rendered:
    """``report.md`` as HTML that is safe inside our pages; status ``none`` where there is no report."""
    content = read_regular(submission.folder, "report.md", most=REPORT_BYTES)
    if content is None:
        return Rendered("none", "", "")
    return _kept_or_made("report", content=content, now=now)


def render_passing(content: bytes) -> Rendered:
    """A notebook that is shown now and kept nowhere: what an intern has open while their mentor reads."""
    top = Path(settings.PRACTICUM_DATA_DIR) / "rendered"
    top.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".passing-", dir=top) as folder:
        place = Path(folder) / "page"
        _make("notebook", content=content, place=place)
        return _read(place)


@cache
def converter_mark() -> str:
    """Names the converter by its own files and the libraries it uses: another one renders anew."""
    versions = " ".join(f"{name}={version(name)}" for name in LIBRARIES)
    files = sorted(path for path in CONVERTER.rglob("*") if path.is_file() and path.suffix != ".pyc")
    sources = " ".join(digest_bytes(path.read_bytes()) for path in files)
    return digest_bytes(f"{versions} {sources}".encode())[:16]


def _kept_or_made(kind: str, *, content: bytes, now: datetime) -> Rendered:
    digest = digest_bytes(content)
    place = Path(settings.PRACTICUM_DATA_DIR) / "rendered" / converter_mark() / f"{kind}-{digest[:2]}" / digest
    kept = _kept(place, now=now)
    if kept is not None:
        return kept
    place.parent.mkdir(parents=True, exist_ok=True)
    with _alone(place):
        kept = _kept(place, now=now)
        if kept is None:
            _make(kind, content=content, place=place)
            kept = _read(place)
    return kept


def _kept(place: Path, *, now: datetime) -> Rendered | None:
    """What is kept, unless there is nothing or it is time to try again."""
    try:
        kept = _read(place)
        made_at = datetime.fromtimestamp((place / "outcome.json").stat().st_mtime, tz=UTC)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return None if kept.status in PASSING and now - made_at > TRY_AGAIN_AFTER else kept


def _read(place: Path) -> Rendered:
    outcome = json.loads((place / "outcome.json").read_text(encoding="utf-8"))
    cells = tuple(Cell(**{name: row[name] for name in Cell.__dataclass_fields__}) for row in outcome["cells"])
    html = (place / "page.html").read_text(encoding="utf-8") if outcome["status"] == "ok" else ""
    changes = _changes(outcome["changes"]) if outcome.get("changes") else None
    return Rendered(str(outcome["status"]), str(outcome["message"]), html, cells, changes)


def _changes(told: dict[str, Any]) -> Changes:
    values = tuple(Value(**{name: row[name] for name in Value.__dataclass_fields__}) for row in told["values"])
    lists = {name: tuple(told[name]) for name in ("outputs", "gone")}
    return Changes(states=told["states"], folds=told["folds"], pairs=told["pairs"], values=values, **lists)


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Only one process at a time makes one page; the others wait and find it made."""
    with (place.parent / f"{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(kind: str, *, content: bytes, place: Path) -> None:
    """Convert into a folder of its own, then rename that to ``place``."""
    folder = Path(tempfile.mkdtemp(prefix=".making-", dir=place.parent))
    try:
        status = _convert(kind, content=content, folder=folder)
        if status != "ok":
            message = {"slow": TOO_SLOW, "big": TOO_BIG}.get(status, BROKEN)
            (folder / "outcome.json").write_text(json.dumps({"status": status, "message": message, "cells": []}))
        if place.exists():
            shutil.rmtree(place)
        folder.rename(place)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _convert(kind: str, *, content: bytes, folder: Path) -> str:
    """Run the converter in ``folder``: ``ok`` if it wrote an outcome, else ``slow``, ``big`` or ``failed``."""
    ended = None
    if _warm is not None:
        ended = _warm.convert(kind, content=content, folder=folder, seconds=RENDER_SECONDS)
    if ended is None:
        ended = _convert_cold(kind, content=content, folder=folder)
    if ended == "slow":
        return "slow"
    if ended == 0 and (folder / "outcome.json").is_file():
        return "ok"
    return ENDINGS.get(int(ended), "failed")


def keep_warm() -> Renderer:
    """From now on this process has a warm converter: for the site, which is long-lived. One is enough."""
    global _warm
    _warm = _warm or Renderer(CONVERTER / "__main__.py")
    return _warm


def _convert_cold(kind: str, *, content: bytes, folder: Path) -> int | str:
    """A process of its own for this one: its exit status, or ``slow``."""
    process = subprocess.Popen(
        [sys.executable, "-I", str(CONVERTER / "__main__.py"), kind],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    with process:
        try:
            process.communicate(content, timeout=RENDER_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return "slow"
    return process.returncode

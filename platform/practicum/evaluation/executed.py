"""Notebooks as they ended when they were run from clean, kept by digest below ``<data dir>/executed/``.

They come out of an untrusted container: read as bytes and as JSON, never run, shown only through the renderer.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

from django.conf import settings

from practicum.evaluation import reproduction
from practicum.evaluation.kinds import EXECUTED
from practicum.lib.digest import digest_bytes
from practicum.lib.files import read_regular
from practicum.submissions.models import Submission


def folder() -> Path:
    """Where they lie."""
    return Path(settings.PRACTICUM_DATA_DIR) / "executed"


def name_of(digest: str) -> str:
    """The path of one below :func:`folder`."""
    return f"{digest[:2]}/{digest}.ipynb"


def forget(digest: str) -> None:
    """One is gone; the caller knows that no other run has it. Gone already is no error."""
    (folder() / name_of(digest)).unlink(missing_ok=True)


def keep(submission: Submission, *, folder: Path) -> dict[str, Any]:
    """Keep what lies in ``folder``; the columns of the run that tell of it. Empty where there is nothing to keep."""
    most = settings.PRACTICUM_NOTEBOOK_MAX_BYTES
    again = read_regular(folder, EXECUTED, most=most)
    handed_in = read_regular(submission.folder, submission.notebook, most=most)
    if again is None or handed_in is None:
        return {}
    digest = digest_bytes(again)
    _write(again, digest=digest)
    found = reproduction.compare(_cells(handed_in), _cells(again))
    return {"executed": digest, "reproduction": reproduction.as_json(found)}


def _write(content: bytes, *, digest: str) -> None:
    place = folder() / name_of(digest)
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = place.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
    partial.write_bytes(content)
    partial.replace(place)


def _cells(content: bytes) -> list[Any]:
    """The cells of a notebook that may be anything; none where it is none."""
    try:
        cells = json.loads(content)["cells"]
    except (ValueError, RecursionError, KeyError, TypeError):
        return []
    return cells if isinstance(cells, list) else []

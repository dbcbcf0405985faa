"""What is known of the site's backups: two small files that whoever makes them leaves beside the site's files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings

# A daily one may take its time, and begin late.
LATE = timedelta(hours=26)


@dataclass(frozen=True)
class Outcome:
    """How the last one went. ``id`` is empty where it failed, and ``said`` says why."""

    at: datetime
    id: str
    said: str


def folder() -> Path:
    """Where backups keep what is theirs; it is in no backup."""
    return Path(settings.PRACTICUM_DATA_DIR) / "backup"


def last_good() -> Outcome | None:
    """The last backup that came to its end; None before the first."""
    return _read("good.json")


def last_failed() -> Outcome | None:
    """The last one that failed, if none has come to its end since."""
    failed, good = _read("failed.json"), last_good()
    return failed if failed is not None and (good is None or good.at < failed.at) else None


def note(outcome: Outcome) -> None:
    """Remember how it went."""
    folder().mkdir(parents=True, exist_ok=True)
    written = {"at": outcome.at.isoformat(), "id": outcome.id, "said": outcome.said}
    file = folder() / ("good.json" if outcome.id else "failed.json")
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps(written))
    fresh.replace(file)


def note_homes(sizes: dict[str, int]) -> None:
    """Remember how large each home is, in bytes: nobody else measures them."""
    fresh = folder() / "homes.new"
    fresh.write_text(json.dumps(sizes))
    fresh.replace(folder() / "homes.json")


def homes() -> dict[str, int]:
    """How large each home was in the last backup, by username; empty before the first."""
    try:
        return {str(name): int(size) for name, size in json.loads((folder() / "homes.json").read_text()).items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _read(name: str) -> Outcome | None:
    try:
        found: dict[str, Any] = json.loads((folder() / name).read_text())
        return Outcome(datetime.fromisoformat(found["at"]), str(found["id"]), str(found["said"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None

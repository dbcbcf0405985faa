"""What is in a backup, with the sha256 of each part. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

FORMAT = 1


@dataclass(frozen=True)
class Content:
    """A file or a stream: its bytes and their sha256."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Table:
    """A table of the database, as it was when all of them were read at one moment."""

    rows: int
    columns: tuple[str, ...]
    sha256: str = ""


@dataclass(frozen=True)
class VolumeKept:
    """A person's volume: the restic snapshot that holds its archive, and the archive's content."""

    username: str
    snapshot: str
    content: Content
    left_out: int = 0


@dataclass(frozen=True)
class Manifest:
    """A whole backup. ``migrations`` are those the database had; ``state`` and ``files`` are restic snapshots."""

    id: str
    made_at: datetime
    version: str
    instance: str
    site_url: str
    vendor: str
    migrations: tuple[tuple[str, str], ...]
    tables: Mapping[str, Table]
    state_snapshot: str
    state: Mapping[str, Content]
    files_snapshot: str
    files: Mapping[str, Content]
    volumes: tuple[VolumeKept, ...] = ()
    warnings: tuple[str, ...] = ()
    programs: Mapping[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Of all tables."""
        return sum(table.rows for table in self.tables.values())

    @property
    def bytes(self) -> int:
        """Of everything, before compression."""
        parts = [*self.state.values(), *self.files.values(), *(each.content for each in self.volumes)]
        return sum(part.bytes for part in parts)

    def as_json(self) -> str:
        """Written down."""
        return json.dumps({"format": FORMAT, **asdict(self), "made_at": self.made_at.isoformat()}, sort_keys=True)


def read(text: str) -> Manifest:
    """A manifest that was written down.

    Raises:
        ValueError: it is none, or of a format that is not known here.
    """
    try:
        found: dict[str, Any] = json.loads(text)
        if found.pop("format") != FORMAT:
            raise ValueError("its format is not known here: it was made by a newer Practicum")
        found["made_at"] = datetime.fromisoformat(found["made_at"])
        found["migrations"] = tuple((app, name) for app, name in found["migrations"])
        found["tables"] = {
            name: Table(row["rows"], tuple(row["columns"]), row["sha256"]) for name, row in found["tables"].items()
        }
        for part in ("state", "files"):
            found[part] = {name: Content(**content) for name, content in found[part].items()}
        found["volumes"] = tuple(VolumeKept(**row | {"content": Content(**row["content"])}) for row in found["volumes"])
        found["warnings"] = tuple(found["warnings"])
        return Manifest(**found)
    except (KeyError, TypeError, AttributeError) as fault:
        raise ValueError(f"it is no manifest: {fault}") from fault


def differences(expected: Mapping[str, Content], found: Mapping[str, Content]) -> list[str]:
    """What is missing, too much or not the same, a line each."""
    lines = [f"{name} is missing" for name in sorted(expected.keys() - found.keys())]
    lines += [f"{name} is not in the manifest" for name in sorted(found.keys() - expected.keys())]
    both = sorted(expected.keys() & found.keys())
    return lines + [f"{name} has another content" for name in both if expected[name] != found[name]]

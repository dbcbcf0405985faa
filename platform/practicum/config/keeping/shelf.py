"""The backups there are: listed, found, checked, and let go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from practicum.config.keeping import making
from practicum.config.keeping.manifest import Manifest, read
from practicum.config.keeping.refusals import Damaged, NotNow
from practicum.config.keeping.restic import Restic, Snapshot

LATEST = "latest"
UNITS = ("daily", "weekly", "monthly")
# What one that failed has put in: nobody is at it any more.
UNFINISHED = timedelta(days=2)


@dataclass(frozen=True)
class Kept:
    """A backup that came to its end, as the list shows it."""

    id: str
    at: datetime
    manifest: str
    bytes: int
    files: int
    homes: int
    version: str


def kept(restic: Restic) -> list[Kept]:
    """Every backup that came to its end, the oldest first."""
    return [_kept(snapshot) for snapshot in restic.snapshots(making.TAG, making.MANIFEST)]


def _kept(snapshot: Snapshot) -> Kept:
    return Kept(
        id=snapshot.tag("backup"),
        at=snapshot.at,
        manifest=snapshot.id,
        bytes=int(snapshot.tag("bytes") or 0),
        files=int(snapshot.tag("files") or 0),
        homes=int(snapshot.tag("homes") or 0),
        version=snapshot.tag("version"),
    )


def manifest_of(wanted: str, *, restic: Restic) -> Manifest:
    """The manifest of one, by its id or the beginning of it, or of the ``latest``.

    Raises:
        NotNow: there is none, or several begin so.
        Damaged: it can't be read.
    """
    there = kept(restic)
    found = there[-1:] if wanted == LATEST else [each for each in there if each.id.startswith(wanted)]
    if len(found) != 1:
        said = "no backup" if not found else f"{len(found)} backups"
        raise NotNow(
            f"There is {said} {'' if wanted == LATEST else wanted!r} here. See: practicum backup list".replace(
                "  ", " "
            )
        )
    with restic.stream_out(found[0].manifest, making.MANIFEST_FILE) as stream:
        text = stream.read()
    try:
        manifest = read(text.decode())
    except ValueError as fault:
        raise Damaged(f"The manifest of {found[0].id} can't be used: {fault}.") from fault
    if manifest.id != found[0].id:
        raise Damaged(f"The manifest of {found[0].id} is that of another backup.")
    return manifest


@dataclass(frozen=True)
class Going:
    """What the rules let go: backups, and all snapshots with them, unfinished ones too."""

    backups: tuple[str, ...]
    unfinished: tuple[str, ...]
    snapshots: tuple[str, ...]


def going(restic: Restic, *, keep: tuple[int, int, int], now: datetime) -> Going:
    """What would go by the rules: so many daily, weekly and monthly backups stay, and the latest always."""
    rules = [(unit, count) for unit, count in zip(UNITS, keep, strict=True) if count]
    manifests = restic.removable(tags=[making.TAG, making.MANIFEST], keep=[*rules, ("last", 1)])
    everything = restic.snapshots(making.TAG)
    finished = {each.tag("backup"): each for each in everything if making.MANIFEST in each.tags}
    over = {name for name, each in finished.items() if each.id in manifests}
    last = _last_moments(everything)
    unfinished = {name for name, at in last.items() if name not in finished and now - at > UNFINISHED}
    ids = [each.id for each in everything if each.tag("backup") in over | unfinished]
    return Going(tuple(sorted(over)), tuple(sorted(unfinished)), tuple(ids))


def _last_moments(snapshots: Iterable[Snapshot]) -> dict[str, datetime]:
    last: dict[str, datetime] = {}
    for each in snapshots:
        name = each.tag("backup")
        last[name] = max(each.at, last.get(name, each.at))
    return last


def let_go(restic: Restic, *, going: Going) -> None:
    """They are gone, with what only they held."""
    restic.unlock()
    if going.snapshots:
        restic.forget(going.snapshots)

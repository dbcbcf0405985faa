"""How large the homes in use are, measured once a minute on the servers they are on, and who is ended for it. The worker's.

A container on each server walks the homes of the notebooks that run there: read-only, without a network, and with the
right to look into folders that their owners closed, so that nothing is hidden. A home that is not walked within a minute has an
unknown size; only a low disk ends its notebook.
"""

from __future__ import annotations

import io
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F

from practicum.accounts.models import User
from practicum.engine.base import (
    LABEL_INSTANCE,
    LABEL_KIND,
    MEBIBYTE,
    ContainerSpec,
    Engine,
    Inside,
    Labels,
    Limits,
    Mount,
    VolumeMount,
)
from practicum.errors import EngineError, Stale
from practicum.workspaces import home_rules, lifecycle, telling
from practicum.workspaces.archives import home_at, home_volume
from practicum.workspaces.home_rules import Room
from practicum.workspaces.models import HomeSize, Session, SessionState

KIND = "home-size"
WALL_SECONDS = 300.0
MOST_OUTPUT_BYTES = 8 * MEBIBYTE
SHOWN = 6
# Of each home, after a mark, the largest files and folders down to the second level, itself (".") among them unless it took too
# long, as du names them: kibibytes, tab, path, NUL. Then a line of the disk: free blocks, all blocks, bytes of one.
WALK = r"""
for home; do
  printf '=\0'
  cd "$home" || continue
  { timeout -s KILL 60 nice -n 19 du -xak0 -d 2 -t 100K . 2>/dev/null
    [ $? -lt 124 ] && printf '0\t.\0'; } | sort -zrn | head -zn 9
done
stat -f -c '%a %b %S' "$1"
"""


@dataclass(frozen=True)
class Reading:
    """What the homes on one server take, by person, and its disk.

    ``sizes``: bytes by path below the home, the most first; all of it is ``.``, and missing where that is not known.
    """

    sizes: dict[int, dict[str, int]]
    free: int = 0
    size: int = 0

    def used(self, user_id: int) -> int | None:
        """All that the home takes; None where that is not known."""
        return self.sizes.get(user_id, {}).get(".")

    def largest(self, user_id: int) -> list[tuple[str, int]]:
        """What takes most in it; of a folder and what is nearly all of it, only the latter."""
        found = {path: size for path, size in self.sizes.get(user_id, {}).items() if path != "."}
        above = {path: path.rpartition("/")[0] for path in found}
        shells = {above[path] for path, size in found.items() if size > 0.9 * found.get(above[path], size)}
        return [(path.removeprefix("./"), size) for path, size in found.items() if path not in shells][:SHOWN]


def room_of(user: User) -> Room | None:
    """What the person's files took when they were measured last; None where they never were, or there is no limit."""
    quota = int(settings.PRACTICUM_HOME_QUOTA_BYTES)
    row = HomeSize.objects.filter(user=user).first() if quota else None
    return Room(row.bytes, quota, row.largest, row.measured_at) if row else None


def measure_homes(now: datetime, *, engine: Engine) -> int:
    """Measure the home of every running notebook and end those that have to be; how many were measured.

    Raises:
        EngineError: a server's engine failed; what is on the others was measured.
    """
    if not settings.PRACTICUM_HOME_QUOTA_BYTES:
        return 0
    by_engine: dict[Engine, list[Session]] = defaultdict(list)
    running = Session.objects.filter(state=SessionState.RUNNING).select_related("user", "lease__slot__server")
    # Whoever was measured longest ago comes first: no home that takes long keeps others from being measured at all.
    for session in running.order_by(F("user__home_size__measured_at").asc(nulls_first=True), "user"):
        by_engine[engine.at(session.lease.server_name)].append(session)
    faults: list[EngineError] = []
    with ThreadPoolExecutor(max(1, len(by_engine)), thread_name_prefix="homes") as pool:
        asked = {pool.submit(read, one, each): each for one, each in by_engine.items()}
        for future in as_completed(asked):
            try:
                settle(asked[future], future.result(), now=now)
            except EngineError as fault:
                faults.append(fault)
    if faults:
        raise faults[0]
    return sum(map(len, by_engine.values()))


def read(engine: Engine, sessions: Sequence[Session]) -> Reading:
    """Walk the homes of these notebooks, which are on this engine.

    Raises:
        EngineError: the engine failed.
    """
    labels = {LABEL_INSTANCE: settings.PRACTICUM_INSTANCE, LABEL_KIND: KIND}
    for left in engine.list(labels):  # of a worker that was killed
        if not left.running:
            engine.remove(left.id)
    is_local = settings.PRACTICUM_ENGINE == "local"
    users = [each.user for each in sessions if is_local or engine.has_volume(home_volume(each.user.username))]
    if not users:
        return Reading({})
    sink = io.BytesIO()
    engine.pipe(walk_spec(users, labels=labels), sink=sink, max_bytes=MOST_OUTPUT_BYTES, wall_seconds=WALL_SECONDS)
    return parse(sink.getvalue(), user_ids=[user.pk for user in users])


def walk_spec(users: Iterable[User], *, labels: Labels) -> ContainerSpec:
    """Prints what is in the homes of these people."""
    homes = [home_at(f"/homes/{user.pk}", username=user.username, read_only=True) for user in users]
    return ContainerSpec(
        image=settings.PRACTICUM_WORKSPACE_IMAGE,
        command=["/bin/sh", "-c", WALK, "-", *(Inside(home.target) for home in homes)],
        labels=labels,
        mounts=[home for home in homes if isinstance(home, Mount)],
        volumes=[home for home in homes if isinstance(home, VolumeMount)],
        limits=Limits(memory_bytes=256 * MEBIBYTE, cpus=0.5, pids=32, tmpfs_bytes=64 * MEBIBYTE),
        reads_all=True,
    )


def parse(printed: bytes, *, user_ids: Sequence[int]) -> Reading:
    """What the walk over these people's homes printed; what a file is called is taken for nothing else."""
    *entries, disk = printed.split(b"\0")
    sizes: dict[int, dict[str, int]] = {}
    waiting = iter(user_ids)
    for entry in entries:
        kibibytes, _, path = entry.decode(errors="replace").partition("\t")
        if kibibytes == "=":
            current = sizes.setdefault(next(waiting), {})
        else:
            current.setdefault(path, int(kibibytes) * 1024)
    free, size, block = map(int, disk.split()) if len(disk.split()) == 3 else (0, 0, 0)
    return Reading(sizes, free=free * block, size=size * block)


def settle(sessions: Iterable[Session], reading: Reading, *, now: datetime) -> None:
    """What was measured on one server is written down, told, and acted on."""
    growth: dict[UUID, float] = {}
    is_one_ended = False
    by_id = {each.pk: each for each in sessions if each.user_id in reading.sizes}
    for session in by_id.values():
        before, size = _write_down(session, reading, now=now)
        growth[session.pk] = math.inf if size.bytes is None else size.bytes - (before or size.bytes)
        quota = settings.PRACTICUM_HOME_QUOTA_BYTES
        if home_rules.must_end(size.bytes, lowest=size.lowest_bytes, quota=quota):
            room = {"size": home_rules.written(size.bytes or 0), "quota": home_rules.written(quota)}
            _end(session, reason=home_rules.FULL.format(**room), now=now)
            is_one_ended = True
        elif home_rules.standing(size.bytes, quota=quota) and not home_rules.standing(before, quota=quota):
            telling.nearly_full(session.user, used=size.bytes or 0, quota=quota, now=now)
    most = home_rules.most_grown(growth)
    if most and not is_one_ended and home_rules.is_low(reading.free, size=reading.size):
        _end(by_id[most], reason=home_rules.DISK_LOW, now=now)


def _write_down(session: Session, reading: Reading, *, now: datetime) -> tuple[int | None, HomeSize]:
    """What was known before, and the row as it is now."""
    row = HomeSize.objects.filter(user=session.user).first() or HomeSize(user=session.user)
    before, row.bytes = row.bytes, reading.used(session.user_id)
    if row.session_id != session.pk:
        row.session, row.lowest_bytes = session, None
    row.lowest_bytes = min((each for each in (row.lowest_bytes, row.bytes) if each is not None), default=None)
    row.largest, row.measured_at = reading.largest(session.user_id), now
    row.save()
    return before, row


def _end(session: Session, *, reason: str, now: datetime) -> None:
    """Its intern is told, and what they can do. One that ends already is left to end."""
    with suppress(Stale), transaction.atomic():
        lifecycle.begin_stop(session, reason=reason, actor=None, now=now)
        telling.home_full(session, reason=reason, now=now)

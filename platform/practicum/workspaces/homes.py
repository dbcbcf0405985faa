"""On which server a person's files are, and their way to another.

A home is a volume of one server, and the row says of which. Where the next notebook is on another server, the whole volume
is packed by the one engine and unpacked by the other before anything starts there, and the row changes only when that is
done: a notebook never comes up with no files or with old ones. Where it can't be done the start waits, says why, and is
given up at its deadline like any other. What went with a server that an admin gave up is begun anew, with the last snapshot in
a folder of its own. Homes on a shared volume driver stay where they are.
"""

from __future__ import annotations

import logging
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from django.conf import settings

from practicum.audit.services import record
from practicum.engine.base import LABEL_INSTANCE, LABEL_KIND, Engine
from practicum.engine.tars import tar_of
from practicum.errors import EngineError, EngineUnavailable
from practicum.gpus.selectors import is_given_up
from practicum.workspaces import lifecycle, lost, restorations
from practicum.workspaces.archives import home_volume, server_of
from practicum.workspaces.models import Home, Session, SessionState

log = logging.getLogger("practicum.homes")

NOTE_SECONDS = 5.0
SESSION_KIND = "session"
AWAY = "Your files are on the server {server}, which does not answer. They are kept there; the notebook waits for it."
MISSING = "Your files are not on the server {server}, where they were. An admin has to look for them before you go on."
BEING_MOVED = "Your files are still on their way to another server. Try again in a minute."

_moving: set[int] = set()
_guard = threading.Lock()


def bring(session: Session, *, engine: Engine, clock: Callable[[], datetime]) -> None:
    """The person's files are where their notebook is about to start.

    Raises:
        EngineError: they can't be brought; the message is for the person.
        Stale: the session is not being started any more.
    """
    here, there = server_of(session.user_id), session.lease.server_name
    if here == there:
        return
    source, target = engine.at(here), engine.at(there)
    if is_given_up(here) and here not in engine.everywhere():  # taken out since: its name leads to this machine now
        with _alone(session.user_id):
            _begin_anew(session, target=target, server=here, now=clock())
            _note(session, here=here, there=there, now=clock())
            restorations.unpack_latest(session, engine=engine, clock=clock)
        return
    if source is target or settings.PRACTICUM_VOLUME_DRIVER:
        _note(session, here=here, there=there, now=clock())
        return
    with _alone(session.user_id):
        is_anew = _move(session, source=source, target=target, names=(here, there), clock=clock)
        _note(session, here=here, there=there, now=clock())
        if is_anew:
            restorations.unpack_latest(session, engine=engine, clock=clock)
        _forget_left(session, source=source, server=here)


def servers_by_username() -> dict[str, str]:
    """On which server each home is that has ever been on another than the site's own, which has an empty name."""
    return dict(Home.objects.values_list("user__username", "server"))


def all_are_here(*, now: datetime) -> None:
    """Every home is on the site's own engine: a site that was made from a backup has put them there."""
    Home.objects.exclude(server="").update(server="", moved_at=now)


def fetch_all(server: str, *, engine: Engine, now: datetime) -> Iterator[str]:
    """All files that are on a server come to the site's own, person by person, whose names are given; nobody works there.

    Raises:
        EngineError: one of the two does not answer; those that are not here yet are where they were.
    """
    source = engine.at(server)
    labels = {LABEL_INSTANCE: settings.PRACTICUM_INSTANCE, LABEL_KIND: SESSION_KIND}
    for home in Home.objects.filter(server=server).select_related("user").order_by("pk"):
        volume = home_volume(home.user.username)
        with _alone(home.user_id):
            if not settings.PRACTICUM_VOLUME_DRIVER and source.has_volume(volume):
                parts = source.pack_volume(volume, image=settings.PRACTICUM_WORKSPACE_IMAGE, labels=labels)
                engine.fill_volume(volume, parts, image=settings.PRACTICUM_WORKSPACE_IMAGE, labels=labels)
            Home.objects.filter(pk=home.pk, server=server).update(server="", moved_at=now)
        record("home.moved", subject=home, actor=None, now=now, before=server, after="")
        yield home.user.username


def _move(
    session: Session, *, source: Engine, target: Engine, names: tuple[str, str], clock: Callable[[], datetime]
) -> bool:
    """The files are at ``target``; True where there was nothing to bring any more, and the home is begun anew."""
    volume, began = home_volume(session.user.username), time.monotonic()
    try:
        is_there = source.has_volume(volume)
    except EngineUnavailable as fault:
        if is_given_up(names[0]):
            _begin_anew(session, target=target, server=names[0], now=clock())
            return True
        raise EngineUnavailable(AWAY.format(server=_named(names[0]))) from fault
    if not is_there:
        if _was_used(session, server=names[0]):
            raise EngineError(MISSING.format(server=_named(names[0])))
        return False
    message = f"Bringing your files from {_named(names[0])}"
    if not session.events.filter(message=message).exists():
        lifecycle.note(session, state="files", message=message, now=clock())
    labels = {LABEL_INSTANCE: settings.PRACTICUM_INSTANCE, LABEL_KIND: SESSION_KIND}
    counted = _Counted(session, clock=clock)
    parts = source.pack_volume(volume, image=settings.PRACTICUM_WORKSPACE_IMAGE, labels=labels)
    target.fill_volume(volume, counted.through(parts), image=settings.PRACTICUM_WORKSPACE_IMAGE, labels=labels)
    seconds = time.monotonic() - began
    done = f"Your files are on {_named(names[1])} ({max(1, round(counted.bytes / 1e6)):,} MB in {seconds:.0f} s)"
    lifecycle.note(session, state="files", message=done, now=clock())
    return False


def _begin_anew(session: Session, *, target: Engine, server: str, now: datetime) -> None:
    """The files went with a server that was given up: an empty home, which says so, for the last snapshot to go into."""
    labels = {LABEL_INSTANCE: settings.PRACTICUM_INSTANCE, LABEL_KIND: SESSION_KIND}
    with tempfile.TemporaryDirectory() as empty:
        parts = tar_of(Path(empty))
        volume = home_volume(session.user.username)
        target.fill_volume(volume, parts, image=settings.PRACTICUM_WORKSPACE_IMAGE, labels=labels)
    message = f"The server {server} was given up, and your files with it. {lost.saved_of(session)}"
    lifecycle.note(session, state="files", message=message, now=now)
    record("home.lost", subject=session, actor=None, now=now, server=server)


def _note(session: Session, *, here: str, there: str, now: datetime) -> None:
    """The row says so; what lies at the old place is old from now on."""
    Home.objects.update_or_create(user=session.user, defaults={"server": there, "moved_at": now})
    record("home.moved", subject=session, actor=None, now=now, before=here, after=there)


def _forget_left(session: Session, *, source: Engine, server: str) -> None:
    """What is left at the old place is removed. Where that can't be, it is replaced before it is ever used again."""
    try:
        source.remove_volume(home_volume(session.user.username))
    except EngineError as fault:
        log.info("an old copy of a home may be left on %s: %s", _named(server), fault)


def _was_used(session: Session, *, server: str) -> bool:
    """A notebook of this person ran there, so that there were files."""
    ready = Session.objects.filter(user=session.user_id, ready_at__isnull=False)
    return bool(server) and ready.filter(lease__slot__server__name=server).exists()


def _named(server: str) -> str:
    return server or "the site's own server"


class _alone:  # noqa: N801
    """One home is moved once at a time."""

    def __init__(self, user_id: int) -> None:
        self.user_id = user_id

    def __enter__(self) -> None:
        with _guard:
            if self.user_id in _moving:
                raise EngineUnavailable(BEING_MOVED)
            _moving.add(self.user_id)

    def __exit__(self, *_: object) -> None:
        with _guard:
            _moving.discard(self.user_id)


class _Counted:
    """What passes through, counted; while it does, the session's deadline is moved on, or the copy ends with the session."""

    def __init__(self, session: Session, *, clock: Callable[[], datetime]) -> None:
        self.session, self.clock = session, clock
        self.bytes = 0

    def through(self, parts: Iterator[bytes]) -> Iterator[bytes]:
        """The parts, one by one.

        Raises:
            Stale: the session is not being started any more.
        """
        noted = time.monotonic()
        for part in parts:
            self.bytes += len(part)
            yield part
            if time.monotonic() - noted > NOTE_SECONDS:
                noted = time.monotonic()
                deadline = self.clock() + lifecycle.START_WITHIN
                lifecycle.move(self.session, states=[SessionState.STARTING], changes={"deadline": deadline})

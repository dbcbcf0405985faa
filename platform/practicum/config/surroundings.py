"""What the worker stands on, looked at every few seconds: engine, hub, database, disk, mail, the certificates of the site's
public names, and whether the clock can be believed.

What is away is told in the file of the worker's heartbeat, where the site's ``/health/`` finds it, and in the log: one line when
it goes, one when it is back.
"""

from __future__ import annotations

import json
import logging
import os
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.db import DatabaseError

from practicum.accounts.notice_selectors import untaken_mail
from practicum.config.doctor.network import certificate_term
from practicum.engine import Engine
from practicum.errors import EngineError, Fault
from practicum.portal import health

log = logging.getLogger("practicum.worker")

# A clock that is kept in step is moved by less than this at once.
LEAP_SECONDS = 60.0
HOLD_SECONDS = 15 * 60.0
# After it was set right: what is under way has shown a sign of life by the right clock again.
SETTLE_SECONDS = 5.0


HUB_SECONDS = 5.0
# A look at a certificate is a connection to the outside, and certificates end on a day that is known.
CERTIFICATE_SECONDS = 300.0


class ClockLeapt(Fault):
    """The machine's clock was moved by more than a minute; nothing is ended by it until it is clear which time is right."""

    code = "clock_leapt"


class SteadyClock:
    """The wall clock, held against the one that counts since the machine was started and that nobody can set.

    When the two part by more than a minute at once, deadlines are not to be judged: whoever asks for the time is refused. The
    clock is believed again when it is back where it was, or after a quarter of an hour, or by a worker that is started anew.
    """

    def __init__(
        self,
        *,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
    ) -> None:
        self._wall, self._steady = wall, steady
        self._apart = wall() - steady()
        self._leapt_at: float | None = None
        self._believed_from = 0.0
        self._guard = threading.Lock()

    def now(self) -> datetime:
        """This moment.

        Raises:
            ClockLeapt: it can't be said.
        """
        wall = self._wall()
        if not self._is_steady(wall, self._steady()):
            raise ClockLeapt("The clock leapt: nothing is begun or ended until it is set right.")
        return datetime.fromtimestamp(wall, tz=UTC)

    def is_believed(self) -> bool:
        """Deadlines may be judged by it."""
        return self._is_steady(self._wall(), self._steady())

    def _is_steady(self, wall: float, steady: float) -> bool:
        """It has not leapt, or the leap is over and all had a moment to settle."""
        with self._guard:
            leap = wall - steady - self._apart
            if abs(leap) <= LEAP_SECONDS:
                if self._leapt_at is not None:
                    self._leapt_at, self._believed_from = None, steady + SETTLE_SECONDS
                self._apart += leap
                return steady >= self._believed_from
            if self._leapt_at is None:
                self._leapt_at = steady
                log.error("the clock leapt by %+.0f s", leap)
            if steady - self._leapt_at < HOLD_SECONDS:
                return False
            self._apart, self._leapt_at = wall - steady, None
            log.warning("the clock stayed where it leapt to, and is believed now")
            return True


class Surroundings:
    """What is away just now, of the parts that ``looks`` can ask: those that did not answer twice in a row."""

    def __init__(self, looks: Mapping[str, Callable[[], bool]]) -> None:
        self._looks = looks
        self._missed: set[str] = set()
        self.away: tuple[str, ...] = ()

    def look(self) -> bool:
        """Ask each part; False, for there is no more to do."""
        missed = {part for part, answers in self._looks.items() if not answers()}
        away, self._missed = tuple(sorted(missed & self._missed)), missed
        for part in set(away) - set(self.away):
            log.error("%s: away", part)
        for part in set(self.away) - set(away):
            log.warning("%s: answers again", part)
        self.away = away
        return False

    def beat(self) -> None:
        """A sign of life with what is away in it; on a full disk, the sign alone."""
        file = Path(settings.PRACTICUM_DATA_DIR) / health.HEARTBEAT_FILE
        told, fresh = json.dumps({"pid": os.getpid(), "away": self.away}), file.with_suffix(".fresh")
        moment = (time.time(),) * 2
        try:
            fresh.write_text(told)
            os.utime(fresh, moment)
            fresh.replace(file)
        except OSError:
            try:
                fresh.unlink(missing_ok=True)
                os.utime(file, moment)
            except OSError:  # the disk itself is away, and the site sees no sign of life
                return


def surroundings_of(engine: Engine, *, clock: SteadyClock) -> Surroundings:
    """Everything a worker stands on."""

    def engine_answers() -> bool:
        try:
            engine.ping()
        except EngineError:
            return False
        return True

    return Surroundings(
        {
            "certificate": Rarely(certificates_hold, every=CERTIFICATE_SECONDS),
            "clock": clock.is_believed,
            "database": health.database_answers,
            "disk": health.disk_has_room,
            "engine": engine_answers,
            "hub": lambda: health.hub_answers(within=HUB_SECONDS),
            "mail": mail_is_taken,
        }
    )


class Rarely:
    """A look that is made now and then; in between it says what it saw last."""

    def __init__(self, look: Callable[[], bool], *, every: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._look, self._every, self._clock, self._again_at, self._seen = look, every, clock, clock(), True

    def __call__(self) -> bool:
        """What was seen."""
        now = self._clock()
        if now >= self._again_at:
            self._seen, self._again_at = self._look(), now + self._every
        return self._seen


def certificates_hold() -> bool:
    """No browser refuses the certificate of the site or the hub. One that can't be seen from here is not judged."""
    for address in (settings.PRACTICUM_SITE_URL, settings.PRACTICUM_HUB_URL):
        parts = urlsplit(address)
        if parts.scheme != "https":
            continue
        try:
            certificate_term(parts.hostname or "", parts.port or 443)
        except ssl.SSLCertVerificationError:
            return False
        except OSError:
            continue
    return True


def mail_is_taken() -> bool:
    """No mail waits that the mail server did not take."""
    try:
        return not untaken_mail().exists()
    except DatabaseError:
        return True

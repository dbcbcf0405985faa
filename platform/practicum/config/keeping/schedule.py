"""The worker's daily backup, where ``PRACTICUM_BACKUP_HOUR`` is set: one a day, from that hour on, and old ones let go."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.utils.timezone import localtime

from practicum.config.keeping import making, places, shelf
from practicum.config.keeping.refusals import Busy
from practicum.engine import Engine
from practicum.lib import backups

log = logging.getLogger("practicum.backup")

RETRY = timedelta(hours=1)


def is_due(*, hour: int, now: datetime, good_at: datetime | None, failed_at: datetime | None) -> bool:
    """The daily backup is to be made. Times are of the site's own clock; one that failed is tried again an hour later."""
    since = now.replace(hour=hour, minute=0, second=0, microsecond=0)
    if now < since:
        since -= timedelta(days=1)
    is_made = good_at is not None and good_at >= since
    has_just_failed = failed_at is not None and now - failed_at < RETRY
    return not is_made and not has_just_failed


def step(now: datetime, *, engine: Engine) -> bool:
    """Make the day's backup if it is due; whether one was made.

    Raises:
        KeepFault: it failed. It is noted, told by the metrics and the doctor, and tried again.
    """
    hour = settings.PRACTICUM_BACKUPS.hour
    good, failed = backups.last_good(), backups.last_failed()
    if hour is None or not is_due(
        hour=hour,
        now=localtime(now),
        good_at=localtime(good.at) if good else None,
        failed_at=localtime(failed.at) if failed else None,
    ):
        return False
    try:
        with places.alone() as stage:
            means = making.Means(places.restic(), engine, log.info, now)
            making.make(means, stage=stage)
            going = shelf.going(means.restic, keep=settings.PRACTICUM_BACKUPS.keep, now=now)
            shelf.let_go(means.restic, going=going)
            if going.snapshots:
                log.info("let go of %d old backups, %d unfinished", len(going.backups), len(going.unfinished))
    except Busy:
        return False
    return True

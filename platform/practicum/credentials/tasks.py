"""What the worker does for this room, again and again: begin, replay, issue. Nothing is kept between calls."""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import IntegrityError

from practicum.credentials import replaying, services
from practicum.credentials.models import Certificate, CertificateState
from practicum.credentials.selectors import WITH_ALL, hold_of
from practicum.engine import Engine
from practicum.errors import Conflict, Fault
from practicum.evaluation.models import OPEN_RUN_STATES
from practicum.internships.models import Internship, InternshipState

log = logging.getLogger(__name__)

AT_ONCE = 10


def step(now: datetime, *, engine: Engine) -> bool:
    """Take every certificate one step further that can go one; False where none could.

    Raises:
        Fault: one could not, by a fault of ours; the others went on, and this one is tried again.
    """
    begun = [begin(internship, now=now) for internship in without_certificate()[: room()]]
    faults: list[Fault] = []
    moved = []
    for certificate in preparing():
        try:
            moved.append(further(certificate, engine=engine, now=now))
        except Fault as fault:
            faults.append(fault)
    if faults:
        raise faults[0]
    return any(begun) or any(moved)


def room() -> int:
    """How many may be begun now: so many executions are waited for at once that interns' own go on beside them."""
    waiting = Certificate.objects.filter(state=CertificateState.PREPARING, run__state__in=OPEN_RUN_STATES).count()
    return max(0, AT_ONCE - waiting)


def without_certificate() -> list[Internship]:
    """Completed internships without a certificate, the first completed first; none of whose data are deleted."""
    rows = Internship.objects.filter(
        state=InternshipState.COMPLETED, certificate__isnull=True, intern__deleted_at__isnull=True
    )
    return list(rows.select_related("cohort", "version__project", "intern", "mentor").order_by("completed_at", "pk"))


def preparing() -> list[Certificate]:
    """Certificates that are not issued yet, the oldest first."""
    rows = Certificate.objects.filter(state=CertificateState.PREPARING).select_related(*WITH_ALL, "run")
    return list(rows.order_by("begun_at", "pk"))


def begin(internship: Internship, *, now: datetime) -> bool:
    """Begin one, unless it was begun already."""
    try:
        services.begin(internship, now=now)
    except (IntegrityError, Conflict):
        log.info("the certificate of internship %s was begun already", internship.pk)
        return False
    return True


def further(certificate: Certificate, *, engine: Engine, now: datetime) -> bool:
    """Replay what can be replayed once the work was executed, then issue.

    Raises:
        Fault: the engine or the key failed us.
    """
    if not services.is_executed(certificate):
        return False
    if certificate.replay is None and now - certificate.begun_at < services.REPLAY_WITHIN:
        services.keep_replay(certificate, replay=replaying.replay(certificate, engine=engine))
    return hold_of(certificate, now=now) is None and services.issue(certificate, now=now)

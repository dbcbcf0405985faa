"""The site's own: settings, database, keys, mail, and whether its programs give a sign of life."""

from __future__ import annotations

import smtplib
import ssl
import stat
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.mail import get_connection
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from practicum.config.doctor import findings as rules
from practicum.config.doctor.findings import PRACTICUM, Finding, State, is_below, of_version, ok, to_mend
from practicum.gpus.models import Server, SlotKind
from practicum.gpus.selectors import silent_servers
from practicum.lib import backups
from practicum.portal import health

SLOW_SECONDS = 0.1
CLOCK_SECONDS = 2.0


def configuration() -> list[Finding]:
    """What Django's checks say of the settings, ours among them."""
    said = checks.run_checks(include_deployment_checks=settings.PRACTICUM_ENV == "production")
    warnings = [each for each in said if each.level >= checks.WARNING]
    if not warnings:
        return [ok("settings", f"{settings.PRACTICUM_ENV}, nothing to say of them")]
    return [to_mend(f"settings ({each.id})", str(each.msg), str(each.hint or "See the message.")) for each in warnings]


def database(*, now: datetime) -> list[Finding]:
    """It answers, fast, with every migration done; its version, its clock."""
    began = time.monotonic()
    if not health.database_answers():
        mend = f"{PRACTICUM} start\n{PRACTICUM} logs database"
        return [to_mend("database", "it does not answer", mend)]
    seconds = time.monotonic() - began
    state = State.LOOK if seconds > SLOW_SECONDS else State.OK
    found = [Finding("database", state, f"{connection.vendor}, answers in {seconds * 1000:.0f} ms")]
    try:
        found += _postgresql(now=now) if connection.vendor == "postgresql" else _sqlite()
        found.append(_migrations())
    except DatabaseError as fault:
        found.append(to_mend("database", f"it refused: {fault}".strip(), f"{PRACTICUM} logs database"))
    return found


def _postgresql(*, now: datetime) -> list[Finding]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version'), clock_timestamp()")
        version, there = cursor.fetchone()
    mend = "Back up, then move to a newer image of postgres in compose.yaml."
    found = [of_version("PostgreSQL", version, floor=rules.POSTGRESQL, mend=mend)]
    apart = abs((there - now).total_seconds())
    if apart > CLOCK_SECONDS:
        said = f"the database's clock and this machine's are {apart:.0f} s apart"
        return [*found, to_mend("database's clock", said, "timedatectl set-ntp true   (on both)")]
    return [*found, ok("database's clock", "the same as this machine's")]


def _sqlite() -> list[Finding]:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA quick_check(1)")
        (said,) = cursor.fetchone()
    if said != "ok":
        return [to_mend("SQLite's file", str(said), "Stop the site and put back the last copy of the file.")]
    return [ok("SQLite's file", "whole")]


def _migrations() -> Finding:
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if waiting:
        names = ", ".join(str(migration) for migration, _ in waiting[:3])
        return to_mend("migrations", f"{len(waiting)} not done: {names}", "python manage.py setup")
    return ok("migrations", "all done")


def key_files(files: dict[str, Path]) -> list[Finding]:
    """Private keys are there, and nobody but their owner reads them."""
    found = []
    for name, file in files.items():
        try:
            mode = file.stat().st_mode
        except OSError:
            found.append(to_mend(name, "the file is not there, or not to be read", "python manage.py setup"))
            continue
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            found.append(to_mend(name, f"others may read it (mode {stat.S_IMODE(mode):o})", f"chmod 600 {file}"))
        else:
            found.append(ok(name, "for its owner alone"))
    return found


def mail(*, connect: Callable[[], Any] = get_connection) -> list[Finding]:
    """The mail server takes our sign-in. Nothing is sent."""
    if not settings.EMAIL_HOST:
        said = "there is none: people are told on the site and by webhook only"
        return [Finding("mail server", State.LOOK, said, "Set PRACTICUM_EMAIL_HOST and PRACTICUM_EMAIL_FROM.")]
    where = f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}"
    opened = connect()
    try:
        opened.open()
    except smtplib.SMTPAuthenticationError:
        return [to_mend("mail server", f"{where} refuses the sign-in", "Mend PRACTICUM_EMAIL_USER and _PASSWORD.")]
    except ssl.SSLError as fault:
        mend = "PRACTICUM_EMAIL_SECURITY must be what the server speaks on this port: starttls, tls or none."
        return [to_mend("mail server", f"{where}: {fault}", mend)]
    except (OSError, smtplib.SMTPException) as fault:
        return [to_mend("mail server", f"{where} does not answer: {fault}", "Mend PRACTICUM_EMAIL_HOST and _PORT.")]
    opened.close()
    return [ok("mail server", f"{where} lets us in")]


def last_backup(*, now: datetime) -> list[Finding]:
    """There is a good backup of the last day. A site that has made none yet works, and somebody should know."""
    good, failed = backups.last_good(), backups.last_failed()
    if not settings.PRACTICUM_BACKUPS.repository:
        return [
            Finding("backup", State.LOOK, "none is made: nothing says where to", "Set PRACTICUM_BACKUP_REPOSITORY.")
        ]
    is_daily = settings.PRACTICUM_BACKUPS.hour is not None
    mend = "python manage.py backup" + (
        "" if is_daily else "\nSet PRACTICUM_BACKUP_HOUR: the worker makes one each day."
    )
    if good is None:
        found = [Finding("backup", State.LOOK, "none was ever made", f"python manage.py backup init\n{mend}")]
    elif now - good.at > backups.LATE:
        found = [to_mend("backup", f"last good backup: {_hours(now - good.at)} ago", mend)]
    else:
        found = [ok("backup", f"last good backup: {_hours(now - good.at)} ago ({good.said})")]
    if failed is not None:
        said = f"failed {_hours(now - failed.at)} ago: {failed.said}"
        found.append(to_mend("last backup", said, "python manage.py backup"))
    return found


def _hours(since: timedelta) -> str:
    """For people: 26 h, or 12 min."""
    minutes = since.total_seconds() / 60
    return f"{minutes / 60:.0f} h" if minutes >= 90 else f"{max(0, minutes):.0f} min"


def signs_of_life(*, now: datetime) -> list[Finding]:
    """The worker's heartbeat, and each server's agent with the driver it tells of."""
    beat = health.worker_seen_at()
    if beat is None or not health.is_at_work(beat, now=now):
        said = "never seen" if beat is None else f"not seen for {(now - beat).total_seconds():.0f} s"
        mend = f"{PRACTICUM} start\n{PRACTICUM} logs worker"
        found = [to_mend("worker", f"{said}: evaluations and notebooks wait", mend)]
    else:
        found = [ok("worker", f"seen {(now - beat).total_seconds():.0f} s ago")]
    silent = set(silent_servers(now=now).values_list("pk", flat=True))
    for server in Server.objects.all():
        name = f"agent on {server.name}"
        if server.pk in silent:
            said = (
                "never heard"
                if server.seen_at is None
                else f"silent for {(now - server.seen_at).total_seconds():.0f} s"
            )
            mend = (
                f"Where the site runs: {PRACTICUM} start, then {PRACTICUM} logs agent\n"
                "On another machine: docker start practicum-agent, then docker logs --tail=50 practicum-agent"
            )
            found.append(to_mend(name, said, mend))
        else:
            found.append(ok(name, "reports"))
        found += _driver(server)
    return found


def _driver(server: Server) -> list[Finding]:
    version, name = str(server.versions.get("nvidia-driver", "")), f"NVIDIA driver on {server.name}"
    has_gpus = server.slots.filter(is_present=True, kind=SlotKind.GPU).exists()
    if not version:
        return (
            [to_mend(name, "none, though GPUs are listed there", "nvidia-smi   (on that machine)")] if has_gpus else []
        )
    if not rules.numbers(version):  # told by a fake in tests and demos
        return [Finding(name, State.LOOK, version)]
    if is_below(version, rules.NVIDIA_DRIVER):
        said = f"{version}; the workspace's CUDA needs {rules.NVIDIA_DRIVER} or newer"
        return [to_mend(name, said, "apt-get install --only-upgrade nvidia-driver-570-server && reboot")]
    return [ok(name, version)]

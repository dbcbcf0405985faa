"""What notebooks ask the egress proxy for: the proxy counts by address, this tells whose session it was.

The two meet at a folder, ``egress`` below the site's files. The proxy writes ``counts.json`` there, and reads ``hosts``, the
hosts of the data of published projects. Nothing here decides what goes through: the proxy does, and the kernel below it.
An alarm is told once for each time it rose, on the record of the session that had the address then.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings

from practicum.audit.models import Record
from practicum.audit.services import record
from practicum.catalog.models import ProjectVersion
from practicum.engine.base import LABEL_INSTANCE, LABEL_KIND, LABEL_LEASE, Engine
from practicum.workspaces.models import OPEN_SESSION_STATES, Session

log = logging.getLogger(__name__)

VERB = "session.egress_alarm"
HOSTS_TOLD = 5
COUNTED = ("allowed", "refused", "dropped", "bytes")


def folder() -> Path:
    """Where site and proxy meet; not there where a site has no egress proxy."""
    return Path(settings.PRACTICUM_DATA_DIR) / "egress"


def follow_egress(now: datetime, *, engine: Engine) -> None:
    """Tell the proxy the hosts of published data, and the record the alarms it raised."""
    if not folder().is_dir():
        return
    write_hosts()
    counts = read_counts()
    if any(client.get("alarms") for client in counts.values()):
        note_alarms(counts, sessions=sessions_by_address(engine), now=now)


def write_hosts() -> None:
    """The proxy's list has the hosts of the data of every published version."""
    manifests = ProjectVersion.objects.values_list("manifest", flat=True)
    text = "".join(f"{host}\n" for host in sorted({host for manifest in manifests for host in hosts_of(manifest)}))
    file = folder() / "hosts"
    if not file.is_file() or file.read_text() != text:
        part = file.with_suffix(".part")
        part.write_text(text)
        part.replace(file)


def hosts_of(manifest: Mapping[str, Any]) -> set[str]:
    """The hosts that a project's data are fetched from."""
    files = (manifest.get("data") or {}).get("files") or []
    return {host for file in files if (host := urlsplit(str(file.get("url", ""))).hostname)}


def read_counts() -> dict[str, dict[str, Any]]:
    """What the proxy counted, by address; nothing where it has not said yet."""
    try:
        clients: dict[str, dict[str, Any]] = json.loads((folder() / "counts.json").read_text())["clients"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return clients


def sessions_by_address(engine: Engine) -> dict[str, Session]:
    """The open session of each address that a notebook has now."""
    labels = {LABEL_INSTANCE: settings.PRACTICUM_INSTANCE, LABEL_KIND: "session"}
    leases = {
        address: container.labels.get(LABEL_LEASE, "")
        for container in engine.list(labels)
        for address in container.addresses
    }
    opened = Session.objects.filter(state__in=OPEN_SESSION_STATES).select_related("user")
    known = {str(session.lease_id): session for session in opened}
    return {address: known[lease] for address, lease in leases.items() if lease in known}


def note_alarms(counts: Mapping[str, Mapping[str, Any]], *, sessions: Mapping[str, Session], now: datetime) -> None:
    """Each alarm is on record once. An address that was another session's when it rose is passed over."""
    told = told_at({session.pk for session in sessions.values()})
    for address, client in counts.items():
        session, rose_at = sessions.get(address), datetime.fromtimestamp(client.get("alarm_at") or 0, tz=UTC)
        if session is None or not client.get("alarms") or rose_at < (session.started_at or now):
            continue
        if rose_at <= told.get(session.pk, datetime.min.replace(tzinfo=UTC)):
            continue
        refused = sorted(client.get("hosts_refused", {}).items(), key=lambda pair: -pair[1])[:HOSTS_TOLD]
        facts = {name: int(client.get(name, 0)) for name in COUNTED} | {"requests_a_minute": client["alarm_requests"]}
        record(VERB, subject=session, actor=None, now=now, rose_at=rose_at.isoformat(), hosts=dict(refused), **facts)
        log.warning("session %s asked the egress proxy %d times in a minute", session.pk, client["alarm_requests"])


def told_at(sessions: set[UUID]) -> dict[UUID, datetime]:
    """When the last alarm of each rose that is on record."""
    rows = Record.objects.filter(verb=VERB, object_id__in=[str(pk) for pk in sessions]).order_by("at")
    return {UUID(row.object_id): datetime.fromisoformat(row.facts["rose_at"]) for row in rows}


def alarms_since(now: datetime, *, within: timedelta) -> int:
    """How many alarms are on record for that time."""
    return Record.objects.filter(verb=VERB, at__gt=now - within).count()

"""The ZIP with all that is kept about a person, written while it is sent: no copy of it is ever kept."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Sum

from practicum.accounts.models import User
from practicum.credentials.models import CertificateState
from practicum.credentials.selectors import certificates_visible_to
from practicum.gpus.models import Lease
from practicum.lib import spreadsheet
from practicum.persons.export_rows import KINDS, LEASE_COLUMNS, About
from practicum.submissions.models import Submission
from practicum.workspaces.models import Snapshot, SnapshotState

CHUNK_BYTES = 1 << 18
# Archives and small texts are packed alike; what is packed already is not packed again.
STORED = (".gz", ".zip", ".png", ".jpg", ".npz", ".safetensors")
README = """What {site} keeps about {name} ({username}), taken away on {day}.

Each .json file is a list with one entry a row. Times are in UTC. An empty list means that nothing of the kind is kept.

{kinds}
- leases.csv: slots you held or waited for, and how much they were used
- submissions/: the files you handed in, a folder for each internship and number
- snapshots/: copies of your notebook's files that the site made
- certificates/: your certificates, signed; each can be checked without the site

What is in your notebook itself is not in here: open it and download what you want.
Not in here either, because the site keeps it from you or it is about others too: scores that were not told yet, what your
code printed on hidden data, a review that is still being written, who else's code reads like yours.
"""


class _Outlet(io.RawIOBase):
    """A file that can only be written; ``take`` gives what was written since the last time."""

    def __init__(self) -> None:
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:
        self._written += piece
        return len(piece)

    def take(self) -> bytes:
        taken, self._written = bytes(self._written), bytearray()
        return taken


def zip_of(person: User, *, site: str, now: datetime) -> Iterator[bytes]:
    """The ZIP, piece by piece; a file that can't be read is left out, and MISSING.txt names it."""
    outlet, missing = _Outlet(), []
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("README.txt", _readme(person, site=site, now=now))
        for kind in KINDS:
            packed.writestr(f"{kind.file}.json", _json(kind.rows(About(person, now))))
            yield outlet.take()
        packed.writestr("leases.csv", "".join(_leases(person)))
        for certificate in _certificates(person):
            for document in certificate.documents.order_by("-signed_at"):
                name = f"certificates/{certificate.pk}-{document.pk}.json"
                packed.writestr(name, _json(document.document))
        for name, path in _files(person):
            try:
                yield from _pack(name, path, into=packed, outlet=outlet, now=now)
            except OSError:
                missing.append(name)
        if missing:
            packed.writestr("MISSING.txt", "These files could not be read:\n" + "\n".join(missing) + "\n")
    yield outlet.take()


def _readme(person: User, *, site: str, now: datetime) -> str:
    kinds = "\n".join(f"- {kind.file}.json: {kind.told}" for kind in KINDS)
    return README.format(site=site, name=person.name, username=person.username, day=now.date().isoformat(), kinds=kinds)


def _json(rows: Any) -> str:
    return json.dumps(rows, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2) + "\n"


def _leases(person: User) -> Iterator[str]:
    rows = Lease.objects.filter(user=person).select_related("pool", "slot__server")
    found = rows.annotate(seen=Sum("uses__held_seconds"), busy=Sum("uses__busy_seconds")).order_by("requested_at")
    lines = ([read(row) for _, read in LEASE_COLUMNS] for row in found.iterator())
    return spreadsheet.csv_lines((name for name, _ in LEASE_COLUMNS), lines)


def _certificates(person: User) -> Iterable[Any]:
    told = (CertificateState.ISSUED, CertificateState.REVOKED)
    return certificates_visible_to(person).filter(internship__intern=person, state__in=told)


def _files(person: User) -> Iterator[tuple[str, Path]]:
    for row in Submission.objects.filter(internship__intern=person).order_by("internship", "number"):
        for file in row.files:
            yield f"submissions/{row.internship_id}-{row.number}/{file['path']}", row.folder / file["path"]
    for copy in Snapshot.objects.filter(internship__intern=person, state=SnapshotState.KEPT):
        yield f"snapshots/{copy.pk}-{copy.name}", copy.path


def _pack(name: str, path: Path, *, into: zipfile.ZipFile, outlet: _Outlet, now: datetime) -> Iterator[bytes]:
    """One file, read and sent in pieces.

    Raises:
        OSError: it can't be read, is no regular file, or a link.
    """
    if path.is_symlink() or not path.is_file():
        raise FileNotFoundError(name)
    entry = zipfile.ZipInfo(name, date_time=now.timetuple()[:6])
    entry.compress_type = zipfile.ZIP_STORED if path.suffix in STORED else zipfile.ZIP_DEFLATED
    with path.open("rb") as source, into.open(entry, "w", force_zip64=True) as target:
        while piece := source.read(CHUNK_BYTES):
            target.write(piece)
            yield outlet.take()

"""What the public page says of a certificate that somebody was given.

What a forged one changed is named only where the certificate is shown to everybody anyway: of one that is not, the file
could otherwise be used to ask what it says, one guess at a time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from practicum.credentials import rules, signing
from practicum.credentials.models import Certificate, CertificateState
from practicum.credentials.offline import verifier
from practicum.credentials.offline.verifier import Document, Finding
from practicum.credentials.selectors import as_others_see
from practicum.errors import NotFound

UUID_IN_ADDRESS = re.compile(r"/certificates/([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})(?:/|\Z)")


@dataclass(frozen=True)
class Checked:
    """The finding; where the certificate is shown to everybody, its address, why it was revoked, and what was changed."""

    finding: Finding
    path_id: UUID | None = None
    because: str = ""
    differences: list[tuple[str, str, str]] = field(default_factory=list)


def check_file(content: bytes, *, now: datetime) -> Checked:
    """What is to be said of a file."""
    try:
        document = verifier.read_document(content)
    except verifier.NotACertificateError as fault:
        return Checked(Finding(verifier.UNREADABLE, str(fault)))
    return check_document(document, now=now)


def check_document(document: Document, *, now: datetime) -> Checked:
    """What is to be said of a document: by our own keys, and by our rows whether it was revoked."""
    finding = verifier.verify(document, profile=signing.profile())
    shown = _shown_of(finding.id)
    if finding.outcome == verifier.FORGED:
        return Checked(finding, path_id=shown, differences=_changed(document, shown=shown, now=now))
    if finding.outcome != verifier.VALID:
        return Checked(finding)
    named = _id_in(finding.id)
    row = Certificate.objects.filter(pk=named).first() if named else None
    if row is not None and row.state == CertificateState.REVOKED:
        return Checked(
            _as(finding, verifier.REVOKED, "Its issuer has revoked it."),
            shown,
            because=row.revoked_because if shown else "",
        )
    if row is None:
        said = "It is signed by this site, but the site has no such certificate any more."
        return Checked(_as(finding, verifier.UNCHECKED, said))
    return Checked(_as(finding, verifier.VALID, "It is what this site signed, and it is not revoked."), shown)


def check_address(address: str, *, now: datetime) -> Checked:
    """What is to be said of the certificate at an address of this site that is shown to everybody."""
    site = signing.issuer_id().removesuffix("/issuer/")
    found = _id_in(address.strip())
    if not address.strip().startswith((f"{site}/", "/certificates/")) or found is None:
        said = f"This is no address of a certificate of this site; those begin with {site}/certificates/."
        return Checked(Finding(verifier.UNKNOWN_ISSUER, said))
    try:
        shown = as_others_see(found)
    except NotFound:
        said = "There is no certificate at this address that is shown to everybody. Ask its holder for the file."
        return Checked(Finding(verifier.UNREADABLE, said))
    return check_document(signing.document_of(shown.certificate, parts=shown.parts, now=now), now=now)


def _as(finding: Finding, outcome: str, message: str) -> Finding:
    said = (finding.name, finding.achievement, finding.issuer, finding.issued_at, finding.id)
    return Finding(outcome, message, *said)


def _id_in(address: str) -> UUID | None:
    found = UUID_IN_ADDRESS.search(address[:300])
    return UUID(found.group(1)) if found else None


def _shown_of(address: str) -> UUID | None:
    found = _id_in(address)
    try:
        return as_others_see(found).certificate.pk if found is not None else None
    except NotFound:
        return None


def _changed(document: Document, *, shown: UUID | None, now: datetime) -> list[tuple[str, str, str]]:
    """Where it differs from what everybody may read of the certificate it says it is."""
    if shown is None:
        return []
    public = as_others_see(shown)
    original = signing.document_of(public.certificate, parts=public.parts, now=now)
    pair = [{name: value for name, value in one.items() if name != "proof"} for one in (document, original)]
    return rules.differences(*pair)

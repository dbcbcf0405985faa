"""Making and signing what this site issues: certificates, the list of those revoked, and the issuer's profile.

A certificate is an Open Badges 3.0 ``OpenBadgeCredential`` (https://www.imsglobal.org/spec/ob/v3p0/). The proof is of the
cryptosuite ``eddsa-jcs-2022``: a verifier needs JSON and Ed25519, no JSON-LD processor and no context from the web, and
every byte of the document is signed, a term that no context defines too. Times are whole seconds in UTC.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import reverse

from practicum.credentials import keys, rules
from practicum.credentials.models import Certificate, CertificateState, IssuerKey, SignedDocument
from practicum.credentials.offline.verifier import CRYPTOSUITE, Document, base58_encode, signed_bytes

CONTEXT = [
    "https://www.w3.org/ns/credentials/v2",
    "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json",
    "https://www.w3.org/ns/credentials/undefined-terms/v2",
]
LEAST_BITS = 131_072  # the least length of a list, so that a place in it says little; Bitstring Status List, 3.3


def absolute(name: str, *arguments: Any) -> str:
    """The full address of a page of this room."""
    return f"{settings.PRACTICUM_SITE_URL}{reverse(f'credentials:{name}', args=arguments)}"


def issuer_id() -> str:
    """Who signs: the address of the issuer's profile."""
    return absolute("issuer")


def written(moment: datetime) -> str:
    """A moment as the documents write it."""
    return moment.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")


def issuer() -> Document:
    """Who signs, as every document names it."""
    host = urlsplit(settings.PRACTICUM_SITE_URL).netloc
    return {"id": issuer_id(), "type": ["Profile"], "name": f"Practicum at {host}", "url": settings.PRACTICUM_SITE_URL}


def profile() -> Document:
    """The issuer with all its keys: what a verifier needs, and may keep."""
    rows = list(IssuerKey.objects.order_by("made_at", "pk"))
    return {
        "@context": ["https://www.w3.org/ns/cid/v1", CONTEXT[1]],
        **issuer(),
        "verificationMethod": [_method(row) for row in rows],
        "assertionMethod": [method_of(row) for row in rows if row.revoked_at is None],
    }


def method_of(key: IssuerKey) -> str:
    """How a proof names this key."""
    return f"{issuer_id()}#{key.multikey}"


def _method(key: IssuerKey) -> Document:
    ends = (("expires", key.retired_at), ("revoked", key.revoked_at))
    return {
        "id": method_of(key),
        "type": "Multikey",
        "controller": issuer_id(),
        "publicKeyMultibase": key.multikey,
        **{name: written(moment) for name, moment in ends if moment is not None},
    }


def sign(document: Mapping[str, Any], *, now: datetime) -> tuple[Document, IssuerKey]:
    """The document with a proof, and the key that made it.

    Raises:
        KeyUnusable: there is no key to sign with.
    """
    row, private = keys.in_use(now=now)
    options = {
        "type": "DataIntegrityProof",
        "cryptosuite": CRYPTOSUITE,
        "created": written(now),
        "verificationMethod": method_of(row),
        "proofPurpose": "assertionMethod",
        "@context": document["@context"],
    }
    signature = private.sign(signed_bytes(document, options=options))
    return {**document, "proof": {**options, "proofValue": "z" + base58_encode(signature)}}, row


def document_of(certificate: Certificate, *, parts: Iterable[str], now: datetime) -> Document:
    """The certificate with these parts, signed; signed now where it was not before, or its key was revoked.

    Raises:
        KeyUnusable: there is no key to sign with.
    """
    names = ",".join(rules.check_parts(parts))
    held = certificate.documents.filter(parts=names, key__revoked_at__isnull=True).order_by("-signed_at").first()
    if held is None:
        document, key = sign(unsigned(certificate, parts=names.split(",") if names else []), now=now)
        held, _ = SignedDocument.objects.get_or_create(
            certificate=certificate, parts=names, key=key, defaults={"document": document, "signed_at": now}
        )
    found: Document = held.document
    return found


def unsigned(certificate: Certificate, *, parts: Iterable[str]) -> Document:
    """The credential of an issued certificate without its proof."""
    assert certificate.issued_at is not None
    facts = rules.told(certificate.facts, parts=parts)
    address = absolute("certificate", certificate.pk)
    listed = absolute("revoked")
    return {
        "@context": CONTEXT,
        "id": address,
        "type": ["VerifiableCredential", "OpenBadgeCredential"],
        "issuer": issuer(),
        "validFrom": written(certificate.issued_at),
        "name": facts["project"]["title"],
        "credentialSubject": _subject(facts),
        "credentialStatus": {
            "id": f"{listed}#{certificate.place}",
            "type": "BitstringStatusListEntry",
            "statusPurpose": "revocation",
            "statusListIndex": str(certificate.place),
            "statusListCredential": listed,
        },
    }


def _subject(facts: Mapping[str, Any]) -> Document:
    project = facts["project"]
    achievement = f"{settings.PRACTICUM_SITE_URL}{reverse('catalog:project', args=[project['slug']])}"
    described, results = _results(facts, achievement=achievement)
    return {
        "type": ["AchievementSubject"],
        "identifier": [
            {
                "type": "IdentityObject",
                "hashed": False,
                "identityHash": facts["intern"],
                "identityType": "name",
            }
        ],
        "activityStartDate": f"{facts['started_on']}T00:00:00Z",
        "activityEndDate": f"{facts['completed_on']}T00:00:00Z",
        "achievement": {
            "id": achievement,
            "type": ["Achievement"],
            "achievementType": "Certificate",
            "name": project["title"],
            "description": project["question"],
            "criteria": {
                "narrative": "\n".join(f"- {step['title']}: {step['evidence']}" for step in facts["milestones"])
            },
            **({"resultDescription": described} if described else {}),
        },
        **({"result": results} if results else {}),
        "record": dict(facts),
    }


def _results(facts: Mapping[str, Any], *, achievement: str) -> tuple[list[Document], list[Document]]:
    """Score and rubric in the words of Open Badges: what is measured, and what came out."""
    described: list[Document] = []
    results: list[Document] = []

    def add(name: str, *, kind: str, value: str, anchor: str, **more: str) -> None:
        named = f"{achievement}#{anchor}"
        described.append({"id": named, "type": ["ResultDescription"], "name": name, "resultType": kind, **more})
        results.append({"type": ["Result"], "resultDescription": named, "value": value})

    if facts.get("score"):
        add(facts["score"]["metric"], kind="RawScore", value=facts["score"]["written"], anchor="score")
    for number, item in enumerate((facts.get("rubric") or {}).get("items", []), start=1):
        most = {"valueMin": "0", "valueMax": str(item["most"])}
        add(item["name"], kind="RawScore", value=str(item["points"]), anchor=f"rubric-{number}", **most)
    return described, results


def revoked_list(*, now: datetime) -> Document:
    """Which certificates are revoked, as a signed Bitstring Status List.

    Raises:
        KeyUnusable: there is no key to sign with.
    """
    places = list(Certificate.objects.filter(state=CertificateState.REVOKED).values_list("place", flat=True))
    bits = bytearray(-(-max(LEAST_BITS, max(places, default=0) + 1) // 8))
    for place in places:
        bits[place // 8] |= 0x80 >> (place % 8)
    packed = base64.urlsafe_b64encode(gzip.compress(bytes(bits), mtime=0)).decode().rstrip("=")
    address = absolute("revoked")
    document, _ = sign(
        {
            "@context": CONTEXT[:1],
            "id": address,
            "type": ["VerifiableCredential", "BitstringStatusListCredential"],
            "issuer": issuer(),
            "validFrom": written(now),
            "credentialSubject": {
                "id": f"{address}#list",
                "type": "BitstringStatusList",
                "statusPurpose": "revocation",
                "encodedList": f"u{packed}",
            },
        },
        now=now,
    )
    return document

"""The PDF: one page, whatever it says, with the signed document inside and a code that leads to its page."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from practicum.credentials import printing, rules, signing, wording
from practicum.credentials.models import Certificate
from practicum.credentials.offline import verifier
from practicum.credentials.selectors import Shown

ADDRESS = "https://practicum.example.org/certificates/1a69cbf6-a339-40f6-8cb1-97f41416dbfd/"


@pytest.fixture
def printed(certificate: Certificate, now: Any) -> Callable[..., bytes]:
    """``printed("score")``: the PDF with these parts."""

    def make(*parts: str) -> bytes:
        signed = signing.document_of(certificate, parts=parts, now=now)
        return printing.pdf_of(Shown(certificate, parts=list(parts), is_party=False), signed=signed, address=ADDRESS)

    return make


def streams(pdf: bytes) -> list[bytes]:
    """What lies in the file's streams, unpacked."""
    found = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    return [zlib.decompress(one) if one[:1] == b"\x78" else one for one in found]


def attached(pdf: bytes) -> Any:
    """The document attached to a PDF."""
    return next(json.loads(one) for one in streams(pdf) if one.lstrip()[:1] == b"{" and b"credentialSubject" in one)


def pages(pdf: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b(?!s)", pdf))


def test_it_has_one_page_and_the_signed_document_inside_is_valid(printed: Callable[..., bytes]) -> None:
    pdf = printed(*rules.PARTS)

    assert pages(pdf) == 1
    assert verifier.verify(attached(pdf), profile=signing.profile()).is_valid
    assert ADDRESS.encode() in pdf


def test_parts_that_are_not_shown_are_not_in_the_attached_document(printed: Callable[..., bytes]) -> None:
    record = attached(printed("rubric"))["credentialSubject"]["record"]

    assert "rubric" in record
    assert not {"score", "mentor", "submission", "report"} & set(record)


def test_names_in_other_letters_and_very_long_ones_stay_on_one_page(
    printed: Callable[..., bytes], certificate: Certificate
) -> None:
    certificate.facts["intern"] = "Łucja Nguyễn-Παπαδοπούλου Ђорђевић " * 3
    certificate.facts["project"]["question"] = "Why? " * 60
    certificate.facts["milestones"] = certificate.facts["milestones"] * 12

    assert pages(printed(*rules.PARTS)) == 1


def test_the_code_leads_to_the_address() -> None:
    assert wording.qr_of(ADDRESS).startswith("data:image/svg+xml")
    assert wording.qr_of(ADDRESS) != wording.qr_of(ADDRESS + "x")

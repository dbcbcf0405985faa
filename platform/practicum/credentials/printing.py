"""A certificate on paper: one page of A4 with a QR code, the signed document inside the file as an attachment.

fpdf2 draws it: it needs Pillow and fontTools and no library of the system, and can attach files. DejaVu Sans is embedded, so
that names in Latin, Greek, Cyrillic, Armenian, Georgian, Arabic or Hebrew letters can be read; a character that it has not
is drawn as a box, and stands as it should in the attached document.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import segno
from django.conf import settings
from django.utils.timezone import localtime
from fpdf import FPDF
from fpdf.enums import XPos, YPos

from practicum.credentials.models import Certificate, CertificateState
from practicum.credentials.offline.verifier import Document
from practicum.credentials.selectors import Shown
from practicum.credentials.wording import day_of, verdict_words

FONTS = Path(settings.ROOT) / "node_modules" / "dejavu-fonts-ttf" / "ttf"
FACES = (("", "DejaVuSans.ttf"), ("B", "DejaVuSans-Bold.ttf"))
FAMILY = "DejaVu"
INK, MUTED, ACCENT, BAD = (28, 35, 33), (92, 102, 98), (13, 110, 102), (179, 40, 45)
MARGIN, WIDTH, QR_WIDTH = 22.0, 166.0, 30.0
LONGEST_TITLE = 34
MOST_LINES = 8


class Sheet(FPDF):
    """One page with our colours and faces."""

    def __init__(self) -> None:
        super().__init__(format="A4")
        for style, name in FACES:
            self.add_font(FAMILY, style, FONTS / name)
        self.set_margins(MARGIN, MARGIN)
        self.set_auto_page_break(False)
        self.add_page()

    def line_of(self, text: str, *, size: float, bold: bool = False, colour: tuple[int, int, int] = INK) -> None:
        """One paragraph; long ones are broken."""
        self.set_font(FAMILY, "B" if bold else "", size)
        self.set_text_color(*colour)
        self.multi_cell(WIDTH, size * 0.5, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def pair(self, label: str, value: str) -> None:
        """A fact with its name before it."""
        self.set_font(FAMILY, "", 9.5)
        self.set_text_color(*MUTED)
        self.cell(38, 6, label)
        self.set_text_color(*INK)
        self.multi_cell(WIDTH - 38, 6, value, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def pdf_of(shown: Shown, *, signed: Document, address: str) -> bytes:
    """The certificate with the parts that are shown."""
    certificate, facts = shown.certificate, shown.facts
    assert certificate.issued_at is not None
    sheet = Sheet()
    sheet.set_title(f"Certificate of {facts['intern']}")
    sheet.set_author(signed["issuer"]["name"])
    sheet.set_creation_date(certificate.issued_at)
    _head(sheet, facts=facts)
    _facts(sheet, facts=facts)
    _remarks(sheet, facts["missing"].values())
    _foot(sheet, certificate, address=address, issuer=signed["issuer"]["name"])
    sheet.embed_file(
        bytes=json.dumps(signed, indent=2, ensure_ascii=False).encode(),
        basename="credential.json",
        mime_type="application/json",
        desc="The signed certificate: an Open Badges 3.0 credential",
    )
    return bytes(sheet.output())


def _head(sheet: Sheet, *, facts: Mapping[str, Any]) -> None:
    sheet.set_fill_color(*ACCENT)
    sheet.rect(0, 0, 210, 6, style="F")
    sheet.set_y(26)
    sheet.line_of("Certificate of a research internship", size=11, colour=ACCENT)
    sheet.ln(3)
    sheet.line_of(facts["intern"], size=26 if len(facts["intern"]) <= LONGEST_TITLE else 16, bold=True)
    sheet.ln(3)
    span = f"from {day_of(facts['started_on'])} to {day_of(facts['completed_on'])}"
    sheet.line_of(f"completed an internship in {facts['cohort']}, {span}, on the project", size=10.5, colour=MUTED)
    sheet.ln(2)
    sheet.line_of(facts["project"]["title"], size=17, bold=True)
    sheet.ln(1)
    sheet.line_of(facts["project"]["question"], size=10.5, colour=MUTED)
    sheet.ln(5)


def _facts(sheet: Sheet, *, facts: Mapping[str, Any]) -> None:
    if "mentor" in facts:
        sheet.pair("Mentor", facts["mentor"])
    score, rubric = facts.get("score"), facts.get("rubric")
    if score:
        again = "executed again" if score["executed_again"] else "not executed again"
        sheet.pair(
            score["metric"].replace("_", " ").capitalize(),
            f"{score['written']} on {score['rows']}, {again} on {day_of(score['executed_on'])}; {verdict_words(score)}",
        )
    if rubric:
        items = ", ".join(f"{item['name']} {item['points']}/{item['most']}" for item in rubric["items"])
        sheet.pair("Rubric", f"{rubric['points']} of {rubric['most']} points: {items}")
    for number, step in enumerate(facts["milestones"][:MOST_LINES]):
        when = day_of(step["reached_on"]) if step["reached_on"] else "not reached"
        sheet.pair("" if number else "Milestones", f"{step['title']}, {when}")
    project = facts["project"]
    sheet.pair("Project", f"{project['slug']}, version {project['version']}, {project['digest'][:23]}…")
    if facts.get("submission"):
        sheet.pair("Work", f"submission {facts['submission']['number']}, {facts['submission']['digest'][:23]}…")
    if score:
        seeds = ", ".join(map(str, score["seeds"]))
        sheet.pair("Environment", score["image"] + (f"; seeds {seeds}" if seeds else ""))


def _remarks(sheet: Sheet, remarks: Iterable[str]) -> None:
    for remark in remarks:
        sheet.ln(1)
        sheet.line_of(remark, size=8.5, colour=MUTED)


def _foot(sheet: Sheet, certificate: Certificate, *, address: str, issuer: str) -> None:
    """Where it is checked. A long page of facts never runs into it: it has a place of its own at the bottom."""
    assert certificate.issued_at is not None
    top = 297 - MARGIN - QR_WIDTH
    sheet.set_fill_color(255, 255, 255)
    sheet.rect(0, top - 4, 210, 297 - top + 4, style="F")
    sheet.set_draw_color(226, 224, 216)
    sheet.line(MARGIN, top - 4, MARGIN + WIDTH, top - 4)
    _draw_qr(sheet, address, x=MARGIN + WIDTH - QR_WIDTH, y=top)
    sheet.set_xy(MARGIN, top)
    sheet.line_of(f"Issued by {issuer} on {localtime(certificate.issued_at):%-d %B %Y}", size=9.5, bold=True)
    if certificate.state == CertificateState.REVOKED:
        sheet.line_of("REVOKED: this certificate counts no more.", size=9.5, bold=True, colour=BAD)
    sheet.ln(1)
    sheet.set_font(FAMILY, "", 8.5)
    sheet.set_text_color(*MUTED)
    words = (
        "Scan the code, or open the address, to see whether it is genuine. The signed document is attached to this file as "
        "credential.json; it can be checked without this site too."
    )
    sheet.multi_cell(WIDTH - QR_WIDTH - 8, 4.3, words, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    sheet.ln(1)
    sheet.set_text_color(*ACCENT)
    sheet.cell(WIDTH - QR_WIDTH - 8, 4.3, address, link=address)


def _draw_qr(sheet: Sheet, address: str, *, x: float, y: float) -> None:
    """The code as squares, so that it stays sharp at any size."""
    rows = [bytes(row) for row in segno.make(address, error="m", micro=False).matrix]
    side = QR_WIDTH / len(rows)
    sheet.set_fill_color(*INK)
    for line, row in enumerate(rows):
        for column, dark in enumerate(row):
            if dark:
                sheet.rect(x + column * side, y + line * side, side + 0.02, side + 0.02, style="F")

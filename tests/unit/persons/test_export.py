"""All that is kept about a person, as a ZIP they can read."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from datetime import timedelta
from typing import Any

import pytest

from practicum.audit.models import Record
from practicum.internships.models import CheckIn
from practicum.persons import export
from practicum.persons.export_rows import KINDS
from practicum.reviews.models import Review
from tests.unit.persons.conftest import SECRET, Life


def taken(person: Any, *, now: Any) -> zipfile.ZipFile:
    """What the person gets."""
    packed = zipfile.ZipFile(io.BytesIO(b"".join(export.zip_of(person, site="example.org", now=now))))
    assert packed.testzip() is None
    return packed


def rows(packed: zipfile.ZipFile, kind: str) -> list[dict[str, Any]]:
    """One of its JSON files."""
    found: list[dict[str, Any]] = json.loads(packed.read(f"{kind}.json"))
    return found


def test_there_is_a_file_for_each_kind_and_each_is_explained(life: Life, now: Any) -> None:
    packed = taken(life.intern, now=now)
    readme = packed.read("README.txt").decode()
    for kind in KINDS:
        assert isinstance(rows(packed, kind.file), list)
        assert f"- {kind.file}.json: {kind.told}" in readme
    filled = {kind.file for kind in KINDS if rows(packed, kind.file)}
    assert filled >= {
        "account", "how-you-are-told", "notices", "applications", "invitations", "internships", "requests", "check-ins",
        "submissions", "reviews", "comments", "notebooks", "activity", "snapshots", "portfolio", "record", "readiness", "help",
    }  # fmt: skip


def test_files_come_along(life: Life, now: Any) -> None:
    packed = taken(life.intern, now=now)
    name = f"submissions/{life.internship.pk}-1/{SECRET}.ipynb"
    assert json.loads(packed.read(name))["cells"][0]["source"] == SECRET
    assert packed.read(f"snapshots/{life.snapshot.pk}-{life.snapshot.name}") == SECRET.encode()
    table = list(csv.DictReader(io.StringIO(packed.read("leases.csv").decode())))
    assert [row["lease"] for row in table] == [str(life.lease.pk)]
    assert "MISSING.txt" not in packed.namelist()


def test_a_file_that_is_not_there_is_named(life: Life, now: Any) -> None:
    life.snapshot.path.unlink()
    (life.submission.folder / f"{SECRET}.ipynb").unlink()
    (life.submission.folder / f"{SECRET}.ipynb").symlink_to("/etc/hostname")
    packed = taken(life.intern, now=now)
    assert f"snapshots/{life.snapshot.pk}-{life.snapshot.name}" in packed.read("MISSING.txt").decode()
    assert f"submissions/{life.internship.pk}-1/{SECRET}.ipynb" not in packed.namelist()


def test_what_the_site_keeps_from_the_person_stays_out(life: Life, now: Any) -> None:
    Review.objects.update(state="open", decided_at=None)
    CheckIn.objects.filter(is_mentors=False).delete()
    CheckIn.objects.update(written_at=now - timedelta(days=1))
    packed = taken(life.intern, now=now)
    assert rows(packed, "reviews") == []
    assert rows(packed, "check-ins") == []
    text = "".join(packed.read(f"{kind.file}.json").decode() for kind in KINDS)
    for kept in ("log_tail", "passages", "reproduction"):
        assert kept not in text
    ended = [row for row in rows(packed, "record") if row["verb"] == "internship.ended"]
    assert ended == []


def test_nothing_about_anybody_else_is_in_it(life: Life, peer: Any, now: Any) -> None:
    packed = taken(peer, now=now)
    text = "".join(packed.read(name).decode(errors="replace") for name in packed.namelist())
    assert SECRET not in text
    assert "ines@example.org" not in text


def test_a_certificate_comes_with_its_document(completed: Any, issue: Any, now: Any) -> None:
    certificate = issue(completed, now=now)
    packed = taken(completed.intern, now=now)
    assert rows(packed, "certificates")[0]["number"] == str(certificate.pk)
    [name] = [name for name in packed.namelist() if name.startswith("certificates/")]
    assert "proof" in json.loads(packed.read(name))


@pytest.mark.parametrize("who", ["intern", "admin"])
def test_who_took_it_goes_on_record(life: Life, admin: Any, client_of: Any, who: str) -> None:
    person = {"intern": life.intern, "admin": admin}[who]
    path = "/account/data/export.zip" if who == "intern" else f"/people/accounts/{life.intern.pk}/data/export.zip"
    answer = client_of(person).get(path)
    assert answer["Content-Disposition"].startswith('attachment; filename="practicum-ines-')
    assert zipfile.is_zipfile(io.BytesIO(b"".join(answer.streaming_content)))
    record = Record.objects.get(verb="account.exported")
    assert (record.actor, record.object_id) == (person, str(life.intern.pk))


def test_it_is_made_while_it_is_sent(life: Life, now: Any) -> None:
    pieces = list(export.zip_of(life.intern, site="example.org", now=now))
    assert len(pieces) > len(KINDS)

"""Taking in what is handed in. Evaluating it is the room above: ``evaluation.services.hand_in`` calls these.

``opened`` unpacks and judges an archive; ``receive`` makes it a submission, inside a transaction of the caller; then
``settle`` puts its files in their place. Until the transaction commits there is no submission.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.db.models import Max
from django.urls import reverse

from practicum.accounts.models import User
from practicum.audit.services import record
from practicum.catalog.models import ProjectVersion
from practicum.internships.models import Internship
from practicum.submissions import archive as zips
from practicum.submissions import rules, store
from practicum.submissions.errors import DuplicateSubmission
from practicum.submissions.models import Source, Submission
from practicum.submissions.notebooks import check_notebook
from practicum.submissions.predictions import check_predictions
from practicum.submissions.store import Parcel

MEBIBYTE = 1024**2


def caps_of(version: ProjectVersion) -> rules.Caps:
    """What may be handed in to this version: the site's caps, and the project's for ``artifact/``."""
    total = settings.PRACTICUM_SUBMISSION_MAX_BYTES
    return rules.Caps(
        archive_bytes=total,
        total_bytes=total,
        artifact_bytes=min(total, version.manifest["submission"]["artifact_mb"] * MEBIBYTE),
        files=settings.PRACTICUM_SUBMISSION_MAX_FILES,
    )


def wanted_by(version: ProjectVersion) -> rules.Wanted:
    """What a submission to this version must hold."""
    asked = version.manifest["submission"]
    return rules.Wanted(kind=asked["kind"], files=tuple(asked.get("files", ())))


@contextmanager
def opened(archive: BinaryIO, *, version: ProjectVersion) -> Iterator[Parcel]:
    """The archive unpacked and judged, for as long as the context lasts.

    Raises:
        BadArchive, InvalidNotebook: it can't be taken; the message names the file and says what to do.
        SubmissionTooLarge: it is over a cap.
        Fault: the disk can't be written.
    """
    with store.staging() as folder:
        files = zips.unpack(archive, into=folder, caps=caps_of(version), wanted=wanted_by(version))
        if wanted_by(version).kind == "predictions":
            check_predictions(folder, asked=version.manifest["submission"])
        yield parcel_of(folder, files=files)


def parcel_of(folder: Path, *, files: list[tuple[str, int]]) -> Parcel:
    """A staged folder with its digest and the notebook mentors will review.

    Raises:
        InvalidNotebook: the notebook is none.
    """
    notebook = rules.pick_notebook(path for path, _ in files)
    if notebook:
        check_notebook(folder / notebook, name=notebook, max_bytes=settings.PRACTICUM_NOTEBOOK_MAX_BYTES)
    return Parcel(folder=folder, digest=store.digest_of(folder), files=files, notebook=notebook)


def receive(internship: Internship, *, parcel: Parcel, source: Source, actor: User, now: datetime) -> Submission:
    """Make a parcel the internship's next submission. To be called inside a transaction.

    Locks the internship's row, so that two who hand in at once get two numbers, or one of them a refusal.

    Raises:
        DuplicateSubmission: exactly these files were handed in before.
    """
    Internship.with_checks.select_for_update().get(pk=internship.pk)
    mine = Submission.objects.filter(internship=internship)
    same = mine.filter(digest=parcel.digest).first()
    if same is not None:
        raise DuplicateSubmission(
            f"Exactly these files were handed in before, as submission {same.number}. Change something first.",
            number=same.number,
            url=url_of(same),
        )
    last = mine.aggregate(last=Max("number"))["last"] or 0
    return _insert(
        parcel, internship=internship, version=internship.version, number=last + 1, source=source, actor=actor, now=now
    )


def receive_baseline(version: ProjectVersion, *, parcel: Parcel, actor: User, now: datetime) -> Submission:
    """Make a parcel the version's baseline. To be called inside a transaction; a version has one."""
    return _insert(parcel, internship=None, version=version, number=1, source=Source.BASELINE, actor=actor, now=now)


def _insert(
    parcel: Parcel,
    *,
    internship: Internship | None,
    version: ProjectVersion,
    number: int,
    source: Source,
    actor: User,
    now: datetime,
) -> Submission:
    submission = Submission.objects.create(
        internship=internship,
        version=version,
        number=number,
        digest=parcel.digest,
        source=source,
        received_at=now,
        size_bytes=parcel.size_bytes,
        files=[{"path": path, "bytes": size} for path, size in parcel.files],
        notebook=parcel.notebook,
    )
    record("submission.received", subject=submission, actor=actor, now=now, digest=parcel.digest, source=str(source))
    return submission


def settle(parcel: Parcel) -> None:
    """Put the files in their place: the last thing before the transaction commits.

    Raises:
        Fault: the disk can't be written; the transaction must not commit.
    """
    store.keep(parcel.folder, digest=parcel.digest)


def url_of(submission: Submission) -> str:
    """Its page, as a browser reaches it."""
    return settings.PRACTICUM_SITE_URL + reverse("portal:submission", args=[submission.pk])

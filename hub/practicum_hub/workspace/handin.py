"""Hands in a folder: collect, pack, send. The one path that the command, the magic and the button share."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from practicum_hub.workspace import errors, pack
from practicum_hub.workspace.answers import Submission
from practicum_hub.workspace.client import SiteClient


@dataclass(frozen=True)
class HandIn:
    """What was sent, and what the site made of it."""

    package: pack.Package
    digest: str
    submission: Submission


def hand_in(client: SiteClient, *, source: str, folder: Path | None = None, notebook: Path | None = None) -> HandIn:
    """The folder (default: the project's submission folder) is a submission of the site; its number is in the answer.

    Raises: CannotPack, SiteRefused or SiteAway; then nothing was handed in.
    """
    project_dir = client.environment.project_dir
    package = pack.collect(folder or pack.submission_folder(project_dir), project_dir=project_dir, notebook=notebook)
    with tempfile.TemporaryDirectory(prefix="practicum-") as scratch:
        archive = Path(scratch) / "submission.zip"
        digest = pack.write(package, archive)
        try:
            submission = client.submit(archive, source=source)
        except errors.UploadTooLarge as refusal:
            raise errors.UploadTooLarge(
                f"{refusal.message} The largest files: {package.largest()}.", **refusal.facts
            ) from refusal
    return HandIn(package=package, digest=digest, submission=submission)

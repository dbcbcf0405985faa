"""Questions about submissions. ``submission_for`` is the one gate to a submission and its files.

Who may see a submission: those who may see its internship; of a readiness check, its applicant and admins; a project's
baseline, everybody signed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from django.db.models import Q, QuerySet

from practicum.accounts.models import User
from practicum.errors import NotFound
from practicum.internships.selectors import work_visible_to
from practicum.submissions.models import Likeness, Submission


@dataclass(frozen=True)
class HeldFile:
    """One file of a submission, where it lies."""

    name: str
    path: Path


def submissions_visible_to(user: User) -> QuerySet[Submission]:
    """What ``user`` may see, newest first, with intern, mentor, cohort and project loaded."""
    visible = Q(internship__in=work_visible_to(user)) | Q(internship__isnull=True)
    return Submission.objects.filter(visible).select_related(
        "internship__intern", "internship__mentor", "internship__cohort", "version__project"
    )


def submission_for(user: User, *, submission_id: int) -> Submission:
    """The submission, if ``user`` may see it.

    Raises:
        NotFound: there is none, or it is not theirs to see.
    """
    submission = submissions_visible_to(user).filter(pk=submission_id).first()
    if submission is None:
        raise NotFound
    return submission


def _likenesses_visible_to(user: User) -> QuerySet[Likeness]:
    """Near-copies that ``user`` may look at: an admin all, a mentor those with an intern of theirs, an intern none."""
    rows = Likeness.objects.select_related(
        *(f"{side}__internship__{person}" for side in ("first", "second") for person in ("intern", "mentor", "cohort")),
        "first__version__project",
    )
    if user.is_admin:
        return rows
    if not user.is_mentor:
        return rows.none()
    return rows.filter(Q(first__internship__mentor=user) | Q(second__internship__mentor=user))


def likeness_for(user: User, *, likeness_id: int) -> Likeness:
    """The near-copy, if ``user`` may look at it.

    Raises:
        NotFound: there is none, or it is not theirs to see.
    """
    likeness = _likenesses_visible_to(user).filter(pk=likeness_id).first()
    if likeness is None:
        raise NotFound
    return likeness


def likenesses_of(submission: Submission, *, user: User) -> list[Likeness]:
    """What reads like this submission, the most alike first; nothing for an intern."""
    return list(_likenesses_visible_to(user).filter(Q(first=submission) | Q(second=submission))[:50])


def file_for(user: User, *, submission_id: int, path: str) -> HeldFile:
    """One file of a submission ``user`` may see. Only a path that was taken in is ever opened.

    Raises:
        NotFound: no such file, or not theirs to see.
    """
    submission = submission_for(user, submission_id=submission_id)
    if path not in {file["path"] for file in submission.files}:
        raise NotFound
    held = submission.folder / path
    if not held.is_file():
        raise NotFound
    return HeldFile(name=held.name, path=held)

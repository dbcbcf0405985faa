"""Cohorts, how people come into them, and internships with what happens in them.

An *application* is what somebody sent to a cohort; an *offer* is a project with a mentor and places; a *placement* puts
an application on an offer. An *internship* is one intern on one project version with one mentor, inside a cohort. Who
may see an internship's work: its intern, its mentor, and admins (``selectors.internship_for``).
"""

from __future__ import annotations

from datetime import date
from typing import ClassVar

from django.conf import settings
from django.db import models

from practicum.accounts.models import User
from practicum.catalog.models import ProjectVersion
from practicum.internships import readiness_models as readiness_models  # Django looks for models in this module
from practicum.internships.application_models import SEATED as SEATED
from practicum.internships.application_models import Application as Application
from practicum.internships.application_models import ApplicationState as ApplicationState
from practicum.internships.application_models import Hardware as Hardware
from practicum.internships.application_models import MentorRanking as MentorRanking
from practicum.internships.application_models import Placement as Placement
from practicum.internships.application_models import Prerequisite as Prerequisite
from practicum.internships.application_models import Wish as Wish
from practicum.internships.cohort_models import Cohort as Cohort
from practicum.internships.cohort_models import Entry as Entry
from practicum.internships.cohort_models import Invitation as Invitation
from practicum.internships.cohort_models import Offer as Offer


class InternshipState(models.TextChoices):
    """How far an internship is."""

    ACTIVE = "active", "Active"
    PAUSED = "paused", "Paused"
    COMPLETED = "completed", "Completed"
    ENDED = "ended", "Ended early"


GOING_ON = (InternshipState.ACTIVE, InternshipState.PAUSED)


class InternshipPurpose(models.TextChoices):
    """What the work is for: an internship proper, or a readiness check of an applicant."""

    INTERNSHIP = "internship", "Internship"
    READINESS = "readiness", "Readiness check"


def is_proper(prefix: str = "") -> models.Q:
    """Rows of internships proper. ``prefix``: how to get to the internship, as in ``"submission__internship__"``."""
    return models.Q(**{f"{prefix}purpose": InternshipPurpose.INTERNSHIP})


class ProperInternships(models.Manager["Internship"]):
    """Internships proper: whatever lists or counts internships leaves readiness checks out."""

    def get_queryset(self) -> models.QuerySet[Internship]:
        """Without readiness checks."""
        return super().get_queryset().filter(is_proper())


class Internship(models.Model):
    """An intern, a project, a mentor, in a cohort. An intern has at most one that goes on, active or paused.

    Paused, it opens no notebook and takes nothing in; what lies ahead moves by the days of the pause once it goes on.

    An applicant's readiness check is a row too, as its work is like every other: its ``mentor`` is the admin who asked
    for it, it has no milestones and is never completed. ``objects`` leaves such rows out; what is about the work itself
    (notebook, handing in, evaluation, reading what was handed in) asks ``with_checks``. Through a relation: ``is_proper``.
    """

    intern = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="internships")
    mentor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="mentored")
    cohort = models.ForeignKey(Cohort, on_delete=models.PROTECT, related_name="internships")
    version = models.ForeignKey(ProjectVersion, on_delete=models.PROTECT, related_name="internships")
    purpose = models.CharField(
        max_length=10, choices=InternshipPurpose, default=InternshipPurpose.INTERNSHIP, db_index=True
    )
    state = models.CharField(max_length=10, choices=InternshipState, default=InternshipState.ACTIVE)
    started_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True, help_text="Where it is another day than the cohort's last.")
    paused_on = models.DateField(null=True, blank=True)
    back_on = models.DateField(null=True, blank=True, help_text="While it is paused: the day on which it goes on.")
    completed_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[models.Manager[Internship]] = ProperInternships()
    with_checks: ClassVar[models.Manager[Internship]] = models.Manager()

    class Meta:
        ordering = ["cohort", "intern__name"]
        constraints = [
            models.UniqueConstraint(
                fields=["intern"],
                condition=models.Q(state__in=["active", "paused"]),
                name="one_active_internship_an_intern",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.intern} on {self.version.project.slug}"

    def other_side(self, person_id: int) -> User:
        """The mentor for the intern, and the intern for anybody else."""
        return self.mentor if person_id == self.intern_id else self.intern

    @property
    def is_check(self) -> bool:
        """It is a readiness check of an applicant."""
        return self.purpose == InternshipPurpose.READINESS

    @property
    def last_day(self) -> date:
        """Its own last day, or else the cohort's."""
        return self.ends_on or self.cohort.ends_on


class Milestone(models.Model):
    """A step of the internship, copied from the project with the cohort's dates."""

    internship = models.ForeignKey(Internship, on_delete=models.CASCADE, related_name="milestones")
    position = models.PositiveSmallIntegerField()
    title = models.CharField(max_length=160)
    evidence = models.CharField(max_length=300, blank=True)
    due_on = models.DateField()
    reached_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["internship", "position"]
        constraints = [
            models.UniqueConstraint(fields=["internship", "position"], name="one_milestone_a_position"),
        ]

    def __str__(self) -> str:
        return self.title


class ChangeKind(models.TextChoices):
    """What one side of an internship may ask of the other."""

    EXTENSION = "extension", "More time"
    PAUSE = "pause", "A pause"
    MENTOR = "mentor", "Another mentor"
    END = "end", "An early end"


class ChangeState(models.TextChoices):
    """How far a request is; it lapses where the internship is over first."""

    OPEN = "open", "Not answered"
    AGREED = "agreed", "Agreed"
    REFUSED = "refused", "Refused"
    TAKEN_BACK = "taken-back", "Taken back"
    LAPSED = "lapsed", "Lapsed"


class Change(models.Model):
    """What intern or mentor asks for, with a reason, and what the other side answers; an admin answers where it is silent.

    ``until``: the new last day of an extension, or the day on which a pause is over.
    """

    internship = models.ForeignKey(Internship, on_delete=models.CASCADE, related_name="changes")
    kind = models.CharField(max_length=10, choices=ChangeKind)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    reason = models.CharField(max_length=300)
    until = models.DateField(null=True, blank=True)
    mentor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    state = models.CharField(max_length=10, choices=ChangeState, default=ChangeState.OPEN)
    answer = models.CharField(max_length=300, blank=True)
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    answered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-asked_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["internship", "kind"], condition=models.Q(state="open"), name="one_open_request_a_kind"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} for {self.internship_id}"

    @property
    def what(self) -> str:
        """What is asked for, with its day or its person."""
        if self.kind == ChangeKind.EXTENSION and self.until:
            return f"More time, until {self.until:%-d %B %Y}"
        if self.kind == ChangeKind.PAUSE and self.until:
            return f"A pause, until {self.until:%-d %B %Y}"
        return f"{self.mentor} as mentor" if self.kind == ChangeKind.MENTOR else str(self.get_kind_display())


class CheckIn(models.Model):
    """What intern or mentor writes once a week, in five minutes. Both see both: ``rules.is_shown`` says when."""

    internship = models.ForeignKey(Internship, on_delete=models.CASCADE, related_name="check_ins")
    week = models.PositiveSmallIntegerField()
    is_mentors = models.BooleanField()
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    went = models.TextField(max_length=1000)
    following = models.TextField(max_length=1000)
    stuck = models.TextField(max_length=1000, blank=True)
    written_at = models.DateTimeField()

    class Meta:
        ordering = ["-week", "is_mentors"]
        constraints = [
            models.UniqueConstraint(fields=["internship", "week", "is_mentors"], name="one_check_in_a_week_and_side"),
        ]

    def __str__(self) -> str:
        return f"week {self.week} by {self.author}"

"""Deletions of a person's data, and for how long the files of a cohort that is over are kept.

States: ``asked`` → ``underway`` (the grace period is over) → ``done``; until it is under way it may be ``taken-back``. A
worker that carries it out raises ``token`` and has it until ``next_try_at``; every step may be done twice.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from practicum.internships.models import Cohort


class DeletionState(models.TextChoices):
    """How far a deletion is."""

    ASKED = "asked", "Asked for"
    UNDERWAY = "underway", "Being carried out"
    DONE = "done", "Done"
    TAKEN_BACK = "taken-back", "Taken back"


OPEN_DELETION_STATES = (DeletionState.ASKED, DeletionState.UNDERWAY)


class Deletion(models.Model):
    """A person's data are to be deleted at ``due_at``. ``waits_for``: what holds it up then, in words."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="deletions")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    due_at = models.DateTimeField()
    keeps_certificates = models.BooleanField(
        default=False, help_text="Issued certificates stay as they are, with the name and the work they are about."
    )
    state = models.CharField(max_length=10, choices=DeletionState, default=DeletionState.ASKED)
    token = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField()
    waits_for = models.CharField(max_length=300, blank=True)
    taken_back_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-asked_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["user"], condition=Q(state__in=["asked", "underway"]), name="one_open_deletion_a_person"
            ),
        ]
        indexes = [models.Index(fields=["state", "next_try_at"])]

    def __str__(self) -> str:
        return f"deletion of account {self.user_id} ({self.state})"

    @property
    def is_open(self) -> bool:
        """It is not done and was not taken back."""
        return self.state in OPEN_DELETION_STATES


class Part(models.TextChoices):
    """What is kept for a time of its own after a cohort is over."""

    HOMES = "homes", "Interns' files in their notebooks"
    SNAPSHOTS = "snapshots", "Snapshots of these files"
    SUBMISSIONS = "submissions", "Files that were handed in"
    LOGS = "logs", "What code printed, and timelines"


class Retention(models.Model):
    """For how many days after its end a cohort's files are kept; empty: for good. Without a row everything is."""

    cohort = models.OneToOneField(Cohort, on_delete=models.CASCADE, related_name="retention")
    homes_days = models.PositiveIntegerField(null=True, blank=True)
    snapshots_days = models.PositiveIntegerField(null=True, blank=True)
    submissions_days = models.PositiveIntegerField(null=True, blank=True)
    logs_days = models.PositiveIntegerField(null=True, blank=True)
    set_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    set_at = models.DateTimeField()

    class Meta:
        ordering = ["cohort"]

    def __str__(self) -> str:
        return f"retention of {self.cohort}"

    def days(self, part: Part) -> int | None:
        """For how long this part is kept; None: for good."""
        found: int | None = getattr(self, f"{part}_days")
        return found


class Removal(models.Model):
    """A part of a cohort's files is removed on ``due_on``, at the earliest two weeks after ``told_at``.

    ``waits_for``: what holds it up, in words; ``count`` and ``bytes``: what was removed.
    """

    cohort = models.ForeignKey(Cohort, on_delete=models.CASCADE, related_name="removals")
    part = models.CharField(max_length=12, choices=Part)
    due_on = models.DateField()
    told_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True, blank=True)
    waits_for = models.CharField(max_length=300, blank=True)
    count = models.PositiveIntegerField(default=0)
    bytes = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["cohort", "part"]
        constraints = [models.UniqueConstraint(fields=["cohort", "part"], name="one_removal_a_cohort_and_part")]

    def __str__(self) -> str:
        return f"{self.part} of {self.cohort}"

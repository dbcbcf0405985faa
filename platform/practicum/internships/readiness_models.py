"""Readiness checks: which of them a cohort asks for, who took one when, and how far each thing handed in came.

A *check* is a published project whose manifest has ``[readiness]``; its *bars* are metrics with a line that is held or
not. An *attempt* is one taking of it, with its own numbers (``variant``); its work is an ``Internship`` of the purpose
``readiness``, so that notebook, handing in and evaluation are those of every project.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models

from practicum.catalog.models import Project


class CohortCheck(models.Model):
    """A check that a cohort offers its applicants, or asks of them. ``added_by`` answers for it."""

    cohort = models.ForeignKey("internships.Cohort", on_delete=models.CASCADE, related_name="checks")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="checked_by")
    is_asked = models.BooleanField(help_text="Applicants are asked to take it; else they may.")
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["project__title", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["cohort", "project"], name="one_check_a_cohort_and_project"),
        ]

    def __str__(self) -> str:
        return f"{self.project} for {self.cohort}"


class CheckAttempt(models.Model):
    """One taking of a check. ``until`` is generous: several times the minutes the check says it takes."""

    application = models.ForeignKey("internships.Application", on_delete=models.PROTECT, related_name="attempts")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="attempts")
    internship = models.OneToOneField("internships.Internship", on_delete=models.PROTECT, related_name="attempt")
    number = models.PositiveSmallIntegerField()
    variant = models.PositiveSmallIntegerField(help_text="Which numbers it is about, from 1.")
    started_at = models.DateTimeField()
    until = models.DateTimeField(help_text="Nothing is taken in from then on.")

    class Meta:
        ordering = ["application", "project", "number"]
        constraints = [
            models.UniqueConstraint(fields=["application", "project", "number"], name="one_attempt_a_number"),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number} of {self.application_id} at {self.project}"


class BarsReached(models.Model):
    """What the scorer measured on one submission of an attempt; a submission that is scored again has the newer figures.

    Only what was scored has a row: a run that a fault of ours stopped leaves nothing here.
    """

    attempt = models.ForeignKey(CheckAttempt, on_delete=models.CASCADE, related_name="reached")
    submission = models.PositiveIntegerField(help_text="Its number within the attempt.")
    variant = models.PositiveSmallIntegerField(
        null=True, help_text="The numbers it says it is about; none: it does not."
    )
    values = models.JSONField(help_text="{metric: value}")
    scored_at = models.DateTimeField()

    class Meta:
        ordering = ["attempt", "submission"]
        constraints = [
            models.UniqueConstraint(fields=["attempt", "submission"], name="one_figure_a_submission"),
        ]

    def __str__(self) -> str:
        return f"submission {self.submission} of {self.attempt}"

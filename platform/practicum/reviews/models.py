"""A mentor's review of a submission: comments on cells, a rubric, a decision; drafts, the bank of comments, time spent.

A submission has at most one review. A review in ``open`` is being written; ``accepted`` and ``changes`` are decisions
and stay as they are. Comments may go on after a decision.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models

from practicum.catalog.models import Project
from practicum.submissions.models import Submission


class ReviewState(models.TextChoices):
    """What the mentor decided."""

    OPEN = "open", "Being reviewed"
    ACCEPTED = "accepted", "Accepted"
    CHANGES = "changes", "Changes asked for"


class Review(models.Model):
    """The mentor's word on one submission. ``rubric`` maps each rubric item's name to the points given.

    ``version`` rises with each decision and each that is taken back: who decides names the one they have seen.
    """

    submission = models.OneToOneField(Submission, on_delete=models.PROTECT, related_name="review")
    mentor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="reviews")
    state = models.CharField(max_length=10, choices=ReviewState, default=ReviewState.OPEN)
    rubric = models.JSONField(default=dict)
    summary = models.TextField(blank=True)
    opened_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["-opened_at"]

    def __str__(self) -> str:
        return f"review of {self.submission} ({self.state})"


class Comment(models.Model):
    """A remark on a cell (``cell_id`` from the notebook), on its output, or, with no cell, on the whole submission.

    It stays with the submission whose notebook it was written on; until it is settled, the reviews of later ones show it.
    """

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="comments")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    cell_id = models.CharField(max_length=64, blank=True)
    on_output = models.BooleanField(default=False, help_text="On what came out of the cell, not on its text.")
    reply_to = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="replies")
    body = models.TextField(max_length=4000)
    written_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["written_at", "id"]

    def __str__(self) -> str:
        return self.body[:60]


class Draft(models.Model):
    """What a mentor has typed on the desk of a submission and not sent. ``fields`` maps a box's name to its text.

    ``version`` rises with each save: who saves names the one they know, so that two windows don't write over one another.
    """

    mentor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    submission = models.ForeignKey(Submission, on_delete=models.CASCADE, related_name="drafts")
    fields = models.JSONField(default=dict)
    version = models.PositiveIntegerField(default=1)
    saved_at = models.DateTimeField()

    class Meta:
        ordering = ["-saved_at"]
        constraints = [
            models.UniqueConstraint(fields=["mentor", "submission"], name="one_draft_a_mentor_and_submission"),
        ]

    def __str__(self) -> str:
        return f"draft of {self.mentor} on {self.submission}"


class Snippet(models.Model):
    """A comment worth using again, in the bank of a project; with ``rubric_item``, under that line of its rubric."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="snippets")
    rubric_item = models.CharField(max_length=80, blank=True)
    body = models.TextField(max_length=4000)
    digest = models.CharField(max_length=64)
    used = models.PositiveIntegerField(default=0)
    used_at = models.DateTimeField()
    kept_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ["-used", "-used_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["project", "rubric_item", "digest"], name="one_snippet_a_text"),
        ]

    def __str__(self) -> str:
        return self.body[:60]


class DeskVisit(models.Model):
    """One opening of the desk: ``seconds`` in which the window was in sight and the mentor did something in it.

    The page tells a growing sum; never more is taken than has passed since it was opened.
    """

    token = models.UUIDField(unique=True)
    mentor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="desk_visits")
    began_at = models.DateTimeField(db_index=True)
    seen_at = models.DateTimeField()
    seconds = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["-began_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.mentor} at {self.submission} for {self.seconds} s"

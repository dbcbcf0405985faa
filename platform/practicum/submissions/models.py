"""What an intern hands in. A submission never changes: its files are named by their digest.

The project's own baseline is a submission too (``source`` = baseline, no internship), so that the figure interns are
compared with was made by the same code.

On disk the unpacked files lie under ``<data dir>/submissions/<digest[:2]>/<digest>/``, read-only.
"""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.db import models
from django.db.models import Q

from practicum.catalog.models import ProjectVersion
from practicum.internships.models import Internship


class Source(models.TextChoices):
    """How it came in."""

    TERMINAL = "terminal", "Terminal"
    CELL = "cell", "Notebook cell"
    BUTTON = "button", "JupyterLab button"
    UPLOAD = "upload", "Upload"
    BASELINE = "baseline", "Baseline"


class Submission(models.Model):
    """One hand-in. ``number`` counts from 1 inside the internship (inside the version for baselines)."""

    internship = models.ForeignKey(
        Internship, null=True, blank=True, on_delete=models.PROTECT, related_name="submissions"
    )
    version = models.ForeignKey(ProjectVersion, on_delete=models.PROTECT, related_name="submissions")
    number = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)
    source = models.CharField(max_length=10, choices=Source)
    received_at = models.DateTimeField(db_index=True)
    size_bytes = models.BigIntegerField()
    files = models.JSONField(help_text="[{path, bytes}] of every file, sorted by path.")
    notebook = models.CharField(max_length=300, blank=True, help_text="Path of the notebook mentors review, or empty.")
    compared_at = models.DateTimeField(null=True, blank=True, help_text="When its code was held against the others'.")

    class Meta:
        ordering = ["-received_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["internship", "number"], name="one_submission_a_number"),
            models.UniqueConstraint(fields=["internship", "digest"], name="one_submission_a_digest"),
            models.UniqueConstraint(
                fields=["version"], condition=Q(internship__isnull=True), name="one_baseline_a_version"
            ),
            models.CheckConstraint(
                condition=Q(internship__isnull=True, source="baseline")
                | Q(internship__isnull=False) & ~Q(source="baseline"),
                name="only_baselines_have_no_internship",
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.number} of {self.internship or self.version}"

    @property
    def folder(self) -> Path:
        """Where its files lie."""
        return Path(settings.PRACTICUM_DATA_DIR) / "submissions" / self.digest[:2] / self.digest

    @property
    def kind(self) -> str:
        """What is done with it: ``code`` or ``notebook`` is run, ``predictions`` are scored. A baseline is code."""
        return "code" if self.is_baseline else str(self.version.manifest["submission"]["kind"])

    @property
    def is_baseline(self) -> bool:
        """It is the project's own baseline."""
        return self.internship_id is None


class Likeness(models.Model):
    """Two interns' submissions to one project version whose code reads alike: for a mentor to look at, nothing more.

    ``first`` was handed in before ``second``. ``passages`` are the longest stretches both have, side by side.
    """

    first = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="+")
    second = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="+")
    share = models.FloatField(help_text="Of the smaller submission's marks, how many the other has too; 0 to 1.")
    passages = models.JSONField(help_text="[{name, line, code, other_name, other_line, other_code}]")
    found_at = models.DateTimeField()

    class Meta:
        ordering = ["-share", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["first", "second"], name="one_likeness_a_pair"),
            models.CheckConstraint(condition=Q(first__lt=models.F("second")), name="likeness_in_order"),
        ]

    def __str__(self) -> str:
        return f"{self.first} and {self.second} ({self.share:.0%})"

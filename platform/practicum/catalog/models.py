"""Projects and their published versions.

A version is a copy of a project's folder at one moment, named by the digest of its files, with its data already
split. Submissions are pinned to a version; a version never changes.

On disk a version lies under ``<data dir>/catalog/<slug>/<number>/`` as ``project/`` and ``public/``. Its hidden test
data lie apart, under ``<data dir>/hidden/<slug>/<number>/`` as ``inputs/`` and ``answers/``, so that a whole process can
be kept from seeing them. Only the scorer's container is ever given ``answers/``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import models


class Project(models.Model):
    """A research question interns work on; ``slug`` is the folder's name."""

    slug = models.SlugField(max_length=60, unique=True)
    title = models.CharField(max_length=160)
    question = models.CharField(max_length=300)

    class Meta:
        ordering = ["title"]

    def __str__(self) -> str:
        return self.title


class Mode(models.TextChoices):
    """Which data a version was prepared from."""

    TOY = "toy", "Toy data (no download)"
    FULL = "full", "Full data"


class ProjectVersion(models.Model):
    """One published state of a project. ``manifest`` is its ``project.toml`` as JSON; ``digest`` is of all its files."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)
    manifest = models.JSONField()
    mode = models.CharField(max_length=4, choices=Mode)
    image = models.CharField(max_length=200, help_text="The workspace image, by content tag, that runs submissions.")
    published_at = models.DateTimeField()
    published_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    checked_at = models.DateTimeField(null=True, blank=True)
    check_lines = models.JSONField(default=list, help_text="[{name, verdict, detail, seconds}]: what the check said.")

    class Meta:
        ordering = ["project", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="one_version_a_number"),
        ]

    def __str__(self) -> str:
        return f"{self.project.slug} v{self.number}"

    @property
    def folder(self) -> Path:
        """Where this version lies on disk."""
        return Path(settings.PRACTICUM_DATA_DIR) / "catalog" / self.project.slug / str(self.number)

    @property
    def hidden_folder(self) -> Path:
        """Where its hidden test data lie: ``inputs/`` and ``answers/``."""
        return Path(settings.PRACTICUM_DATA_DIR) / "hidden" / self.project.slug / str(self.number)

    @property
    def metric(self) -> dict[str, Any]:
        """The ranking metric: ``name``, ``goal`` (``max`` or ``min``), ``noise``, ``digits``."""
        metric: dict[str, Any] = self.manifest["metric"]
        return metric

    @property
    def shown_share(self) -> float:
        """The share of the hidden rows whose score interns see."""
        return float(self.manifest.get("split", {}).get("shown", 1.0))

    @property
    def is_divided(self) -> bool:
        """Some hidden rows are kept: their scores show only once the leaderboard is final."""
        return self.shown_share < 1.0

    @property
    def is_check(self) -> bool:
        """It is a readiness check for applicants, not a project to work on for weeks."""
        return bool(self.manifest.get("readiness"))

    @property
    def higher_is_better(self) -> bool:
        """The metric's goal is ``max``."""
        return bool(self.metric["goal"] == "max")

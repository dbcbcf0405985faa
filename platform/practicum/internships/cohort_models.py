"""Cohorts, what they offer, and who was invited into them.

An *offer* is a project with a mentor and places.
"""

from __future__ import annotations

from datetime import date, datetime

from django.conf import settings
from django.db import models

from practicum.catalog.models import Project


class Entry(models.TextChoices):
    """How people come into a cohort."""

    CLOSED = "closed", "Nobody may apply"
    INVITATION = "invitation", "Whoever was invited may apply"
    OPEN = "open", "Everybody may apply"


class Cohort(models.Model):
    """People who go through the same weeks together."""

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    starts_on = models.DateField()
    ends_on = models.DateField()
    entry = models.CharField(max_length=10, choices=Entry, default=Entry.CLOSED)
    apply_until = models.DateField(null=True, blank=True, help_text="The last day on which people may apply.")
    capacity = models.PositiveIntegerField(null=True, blank=True, help_text="Places; none: as many as come.")
    about = models.TextField(blank=True, max_length=4000)
    expected = models.TextField(blank=True, max_length=4000)
    idle_minutes = models.PositiveIntegerField(
        default=15, help_text="A notebook with no busy kernel, no process and no GPU use for this long may be stopped."
    )
    is_idle_kept = models.BooleanField(
        default=True, help_text="An idle notebook is stopped only once somebody waits who could have its slot."
    )
    session_hours = models.PositiveIntegerField(default=12, help_text="The longest one session may last.")

    class Meta:
        ordering = ["-starts_on", "name"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ends_on__gt=models.F("starts_on")), name="cohort_ends_after_start"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def week(self, *, today: date) -> int:
        """The week of the cohort ``today`` lies in, from 1; 0 before it starts."""
        return max(0, (today - self.starts_on).days // 7 + 1)

    @property
    def weeks(self) -> int:
        """How many weeks it has; the last may be a short one."""
        return -(-(self.ends_on - self.starts_on).days // 7)

    @property
    def is_public(self) -> bool:
        """Its page is there for everybody."""
        return self.entry != Entry.CLOSED

    def takes_applications(self, *, today: date) -> bool:
        """People may apply, or change what they sent."""
        return self.is_public and self.apply_until is not None and today <= self.apply_until


class Offer(models.Model):
    """A project a cohort offers, with the mentor who takes interns on it, and for how many there are places."""

    cohort = models.ForeignKey(Cohort, on_delete=models.CASCADE, related_name="offers")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="offers")
    mentor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="offers")
    places = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ["project__title", "mentor__name", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["cohort", "project", "mentor"], name="one_offer_a_project_and_mentor"),
        ]

    def __str__(self) -> str:
        return f"{self.project} with {self.mentor}"


class Invitation(models.Model):
    """A way into a cohort by mail; ``invited_by`` is None where somebody asked for it by signing up.

    The link's token is derived from the row (``invitations.token_of``), so that no row opens anything by itself.
    """

    cohort = models.ForeignKey(Cohort, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField()
    invited_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    mailed_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    used_at = models.DateTimeField(null=True, blank=True)
    used_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="invitations"
    )

    class Meta:
        ordering = ["-made_at", "-pk"]
        indexes = [models.Index(fields=["cohort", "email"])]

    def __str__(self) -> str:
        return f"{self.email} into {self.cohort}"

    def state_at(self, now: datetime) -> str:
        """``used``, ``revoked``, ``expired`` or ``open``."""
        if self.used_at:
            return "used"
        if self.revoked_at:
            return "revoked"
        return "expired" if self.expires_at <= now else "open"

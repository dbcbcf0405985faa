"""What people sent to get into a cohort, whom mentors would take, and where applicants are to go.

An *application* is what somebody sent to a cohort; a *placement* puts an application on an offer.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models

from practicum.catalog.models import Project
from practicum.internships.cohort_models import Cohort, Offer


class ApplicationState(models.TextChoices):
    """How far an application is."""

    RECEIVED = "received", "Received"
    OFFERED = "offered", "Has a place"
    WAITLISTED = "waitlisted", "On the waiting list"
    DECLINED = "declined", "Declined"
    WITHDRAWN = "withdrawn", "Withdrawn"
    PLACED = "placed", "In a project"


SEATED = (ApplicationState.OFFERED, ApplicationState.PLACED)


class Prerequisite(models.TextChoices):
    """What the work builds on."""

    ML = "ml", "The base of machine learning: optimisation, tuning, bagging, neural nets"
    PYTHON = "python", "Python: installing packages, preparing data"
    CUDA = "cuda", "A machine with CUDA that works"


class Hardware(models.TextChoices):
    """What an applicant can work on at home."""

    NONE = "none", "None"
    LAPTOP = "laptop", "A computer without a GPU for this"
    SMALL = "small", "A GPU with less than 8 GB"
    MIDDLE = "middle", "A GPU with 8 to 23 GB"
    LARGE = "large", "A GPU with 24 GB or more"


class Wish(models.TextChoices):
    """What an applicant wishes to learn."""

    OPTIMISATION = "optimisation", "Optimisation and SGD"
    TUNING = "tuning", "Tuning hyperparameters"
    ENSEMBLES = "ensembles", "Bagging and ensembles"
    NETWORKS = "networks", "Neural networks"
    PACKAGES = "packages", "Python packages and environments"
    PREPARATION = "preparation", "Preparing data"
    GPUS = "gpus", "Working with GPUs"
    RESEARCH = "research", "Asking and answering a research question"


class Application(models.Model):
    """What somebody sent to get into a cohort; ``ranking`` are slugs of offered projects, the dearest first."""

    cohort = models.ForeignKey(Cohort, on_delete=models.PROTECT, related_name="applications")
    applicant = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="applications")
    background = models.TextField(max_length=3000)
    hours_a_week = models.PositiveSmallIntegerField()
    prerequisites = models.JSONField(default=list, blank=True)
    hardware = models.CharField(max_length=8, choices=Hardware)
    hardware_note = models.CharField(max_length=300, blank=True)
    wishes = models.JSONField(default=list, blank=True)
    wishes_note = models.TextField(max_length=1000, blank=True)
    ranking = models.JSONField(default=list, blank=True)
    state = models.CharField(max_length=10, choices=ApplicationState, default=ApplicationState.RECEIVED)
    reason = models.CharField(max_length=300, blank=True, help_text="Why it was declined, as the applicant reads it.")
    withdrawn_from = models.CharField(max_length=10, blank=True, help_text="The state before it was withdrawn.")
    sent_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    listed_at = models.DateTimeField(null=True, blank=True, help_text="Since when it is on the waiting list.")

    class Meta:
        ordering = ["sent_at", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["cohort", "applicant"], name="one_application_a_cohort"),
        ]
        indexes = [models.Index(fields=["cohort", "state", "listed_at"])]

    def __str__(self) -> str:
        return f"{self.applicant} for {self.cohort}"

    def prerequisites_in_words(self) -> list[str]:
        """What they have, in the order of the form."""
        return [str(choice.label) for choice in Prerequisite if choice in self.prerequisites]

    def projects_in_words(self) -> list[str]:
        """Titles of the projects they named, the dearest first; one that is gone by its short name."""
        titles = dict(Project.objects.filter(slug__in=self.ranking).values_list("slug", "title"))
        return [titles.get(slug, slug) for slug in self.ranking]

    def wishes_in_words(self) -> list[str]:
        """What they wish to learn, in the order of the form."""
        return [str(choice.label) for choice in Wish if choice in self.wishes]


class MentorRanking(models.Model):
    """The applicants a mentor would take in a cohort, by the number of their application, the dearest first."""

    cohort = models.ForeignKey(Cohort, on_delete=models.CASCADE, related_name="rankings")
    mentor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="rankings")
    ranked = models.JSONField(default=list)
    changed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["cohort", "mentor"], name="one_ranking_a_mentor"),
        ]

    def __str__(self) -> str:
        return f"{self.mentor} for {self.cohort}"


class Placement(models.Model):
    """Where an applicant is proposed to go; ``offer`` is what an admin made of ``proposed``. Confirmed, it is final."""

    application = models.OneToOneField(Application, on_delete=models.CASCADE, related_name="placement")
    proposed = models.ForeignKey(Offer, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    offer = models.ForeignKey(Offer, null=True, blank=True, on_delete=models.SET_NULL, related_name="placements")
    made_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["application__applicant__name", "pk"]

    def __str__(self) -> str:
        return f"{self.application.applicant}: {self.offer or 'no place'}"

    @property
    def is_adjusted(self) -> bool:
        """An admin chose otherwise than was proposed."""
        return self.offer_id != self.proposed_id

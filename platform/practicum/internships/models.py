"""Cohorts, how people come into them, and internships with what happens in them.

An *application* is what somebody sent to a cohort; an *offer* is a project with a mentor and places; a *placement* puts
an application on an offer. An *internship* is one intern on one project version with one mentor, inside a cohort. Who
may see an internship's work: its intern, its mentor, and admins (``selectors.internship_for``).
"""

from __future__ import annotations

from datetime import date, datetime
from typing import ClassVar

from django.conf import settings
from django.db import models

from practicum.accounts.models import User
from practicum.catalog.models import Project, ProjectVersion
from practicum.internships import readiness_models as readiness_models  # Django looks for models in this module


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

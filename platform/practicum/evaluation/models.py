"""Runs of a submission, the score of each, and what was decided about the leaderboard.

States: ``queued`` → ``running`` (``phase``: preparing, predicting, scoring) → ``scored`` | ``invalid`` (the intern's
to fix, with the message) | ``failed`` (a limit, or our fault after its retries) | ``cancelled``. Each open state has a
``deadline``. A worker that claims a run raises ``token`` by one; a write with an older token writes nothing.

A run has one score. Where its project asks for seeds, the score is the mean of one :class:`SeedResult` for each.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from practicum.catalog.models import Project, ProjectVersion
from practicum.gpus.models import Lease
from practicum.internships.models import Cohort, Internship
from practicum.submissions.models import Submission


class RunState(models.TextChoices):
    """How far an evaluation is."""

    QUEUED = "queued", "In line"
    RUNNING = "running", "Running"
    SCORED = "scored", "Scored"
    INVALID = "invalid", "Not valid"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


OPEN_RUN_STATES = (RunState.QUEUED, RunState.RUNNING)


class Phase(models.TextChoices):
    """What a running evaluation is doing."""

    NONE = "", "—"
    PREPARING = "preparing", "Preparing"
    PREDICTING = "predicting", "Running your code"
    SCORING = "scoring", "Scoring"


class Fault(models.TextChoices):
    """Whose an end without a score is."""

    NONE = "", "—"
    CODE = "code", "The submission's code"
    LIMIT = "limit", "A limit was reached"
    FORMAT = "format", "The predictions' format"
    OURS = "ours", "The platform"


class Run(models.Model):
    """One evaluation of one submission."""

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="runs")
    attempt = models.PositiveSmallIntegerField(
        default=1, help_text="1 for the first run, more for a re-run by a mentor."
    )
    state = models.CharField(max_length=10, choices=RunState, default=RunState.QUEUED)
    phase = models.CharField(max_length=12, choices=Phase, default=Phase.NONE, blank=True)
    token = models.PositiveIntegerField(default=0)
    worker = models.CharField(max_length=120, blank=True)
    lease = models.ForeignKey(Lease, null=True, blank=True, on_delete=models.PROTECT, related_name="runs")
    tries = models.PositiveSmallIntegerField(
        default=0, help_text="Times a worker began; more than 1 after a fault of ours."
    )
    not_before = models.DateTimeField(null=True, blank=True)
    queued_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    heartbeat = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(
        null=True, blank=True, help_text="Without a heartbeat by then, another worker may claim it."
    )
    deadline = models.DateTimeField()
    fault = models.CharField(max_length=8, choices=Fault, default=Fault.NONE, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    log_tail = models.TextField(blank=True)
    predict_seconds = models.FloatField(null=True, blank=True)
    score_seconds = models.FloatField(null=True, blank=True)
    peak_memory_bytes = models.BigIntegerField(null=True, blank=True)
    processor_seconds = models.FloatField(
        null=True, blank=True, help_text="How long its code ran, times the processors it was given."
    )
    curve = models.JSONField(
        default=dict, blank=True, help_text="{memory: [[second, bytes]], gpu: [[second, percent or null, bytes]]}"
    )
    judge = models.ForeignKey(
        ProjectVersion,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="The version whose evaluate.py scores it; empty: the submission's own.",
    )
    evaluate_digest = models.CharField(max_length=64, blank=True, help_text="Of the evaluate.py that scored it.")
    executed = models.CharField(
        max_length=64, blank=True, help_text="Digest of the notebook as it ended, where one was run from clean."
    )
    reproduction = models.JSONField(
        null=True, blank=True, help_text="What came out otherwise than handed in; see reproduction.py."
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        ordering = ["-queued_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["submission", "attempt"], name="one_run_an_attempt"),
            models.UniqueConstraint(
                fields=["submission"], condition=Q(state__in=["queued", "running"]), name="one_open_run_a_submission"
            ),
        ]
        indexes = [models.Index(fields=["state", "queued_at"])]

    def __str__(self) -> str:
        return f"run {self.attempt} of {self.submission} ({self.state})"

    @property
    def judging_version(self) -> ProjectVersion:
        """The version whose evaluate.py scores it."""
        return self.judge or self.submission.version

    @property
    def is_open(self) -> bool:
        """It has not ended."""
        return self.state in OPEN_RUN_STATES


class RunEvent(models.Model):
    """A line of the submission page's timeline."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField()
    state = models.CharField(max_length=30)
    message = models.CharField(max_length=500)

    class Meta:
        ordering = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.at:%H:%M:%S} {self.message}"


class SeedResult(models.Model):
    """What the scorer gave for one seed of a run, its columns as a score's. Only projects that ask for several have them."""

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="seed_results")
    seed = models.PositiveIntegerField()
    value = models.FloatField()
    metrics = models.JSONField()
    shown_value = models.FloatField()
    shown_metrics = models.JSONField()
    scored_at = models.DateTimeField()
    predict_seconds = models.FloatField()
    score_seconds = models.FloatField()
    peak_memory_bytes = models.BigIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["run", "id"]
        constraints = [models.UniqueConstraint(fields=["run", "seed"], name="one_result_a_run_and_seed")]

    def __str__(self) -> str:
        return f"{self.value:g} with seed {self.seed}"


class Score(models.Model):
    """The one result of a run. ``value`` is the ranking metric, ``metrics`` all of them, as the scorer gave them.

    Both are on the whole hidden part. ``shown_value`` and ``shown_metrics`` are on the rows whose score interns see
    (the same where the project does not divide them; empty on scores from before there was a division). What an intern
    is told is less than either: ``standings``.

    With several seeds both are means over them; what each gave is in :class:`SeedResult`.
    """

    run = models.OneToOneField(Run, on_delete=models.PROTECT, related_name="score")
    value = models.FloatField()
    metrics = models.JSONField()
    shown_value = models.FloatField(null=True, blank=True)
    shown_metrics = models.JSONField(default=dict, blank=True)
    scored_at = models.DateTimeField()

    class Meta:
        ordering = ["-scored_at"]

    def __str__(self) -> str:
        return f"{self.value:g}"

    @property
    def shown(self) -> float:
        """The value on the shown rows, in the metric's digits; of a score from before there was a division, the whole."""
        return self._rounded(self.value if self.shown_value is None else self.shown_value)

    @property
    def whole(self) -> float:
        """The value on the whole hidden part, in the metric's digits."""
        return self._rounded(self.value)

    def _rounded(self, value: float) -> float:
        return round(value, int(self.run.submission.version.metric["digits"]))


class Leaderboard(models.Model):
    """What was decided about a cohort's board on a project, for all of its versions. Without a row nothing was."""

    cohort = models.ForeignKey(Cohort, on_delete=models.PROTECT, related_name="leaderboards")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="leaderboards")
    closes_at = models.DateTimeField(null=True, blank=True, help_text="Empty: at the end of the cohort's last day.")
    released_at = models.DateTimeField(null=True, blank=True, help_text="Since then interns see the final scores.")
    hidden_through = models.PositiveBigIntegerField(
        null=True,
        blank=True,
        help_text="The newest internship when names were hidden, so that neutral names stay; empty: names are shown.",
    )

    class Meta:
        ordering = ["cohort", "project"]
        constraints = [
            models.UniqueConstraint(fields=["cohort", "project"], name="one_leaderboard_a_cohort_and_project"),
        ]

    def __str__(self) -> str:
        return f"leaderboard of {self.cohort} on {self.project}"


class FinalChoice(models.Model):
    """The submission an intern wants to be ranked by. Without a row it is the one that set their best shown score."""

    internship = models.OneToOneField(Internship, on_delete=models.PROTECT, related_name="final_choice")
    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="+")
    chosen_at = models.DateTimeField()

    class Meta:
        ordering = ["internship"]

    def __str__(self) -> str:
        return f"{self.submission} is final"

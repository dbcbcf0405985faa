"""An intern's notebook server, from the request to the container observed gone.

A *session* has exactly one lease to run on. One on a CPU slot may have a *next lease* besides: its intern's place in line
for a GPU, and then the GPU that is kept for them until they move to it, in a new session.

States: ``queued`` (its lease is in line) → ``starting`` (the hub was asked) →
``running`` (JupyterLab answers) → ``stopping`` → ``stopped``; ``failed`` if it never ran. A session ends before its
lease does: the lease is released only when the container is gone.

A *help request* is an intern's call to their mentor from a running session: ``asked`` → ``reading`` (the mentor sees the
notebooks as saved) → ``hands_asked`` → ``hands`` (the mentor may work in it) → ``ended``.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import models
from django.db.models import Q

from practicum.gpus.models import Lease
from practicum.internships.models import Internship


class SessionState(models.TextChoices):
    """How far a notebook server is."""

    QUEUED = "queued", "In line"
    STARTING = "starting", "Starting"
    RUNNING = "running", "Running"
    STOPPING = "stopping", "Stopping"
    STOPPED = "stopped", "Stopped"
    FAILED = "failed", "Could not start"


OPEN_SESSION_STATES = (
    SessionState.QUEUED,
    SessionState.STARTING,
    SessionState.RUNNING,
    SessionState.STOPPING,
)


class Session(models.Model):
    """One run of an intern's notebook server."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="sessions")
    internship = models.ForeignKey(Internship, on_delete=models.PROTECT, related_name="sessions")
    lease = models.OneToOneField(Lease, on_delete=models.PROTECT, related_name="session")
    next_lease = models.OneToOneField(
        Lease,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="waiting_session",
        help_text="The place in line that its intern keeps while they work on a CPU slot.",
    )
    take_by = models.DateTimeField(
        null=True, blank=True, help_text="The next lease's turn came, its intern was told, and it is kept until then."
    )
    moves_at = models.DateTimeField(null=True, blank=True, help_text="Its intern took the next lease: it stops then.")
    state = models.CharField(max_length=10, choices=SessionState, default=SessionState.QUEUED)
    deadline = models.DateTimeField(
        help_text="When the present state must have ended; past it the session is failed or stopped."
    )
    attempts = models.PositiveSmallIntegerField(default=0, help_text="Times the hub was asked to start it.")
    in_hand_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When the worker that brings its files and asks the hub last said so; none once the hub was asked.",
    )
    requested_at = models.DateTimeField()
    taken_at = models.DateTimeField(
        null=True, blank=True, help_text="Its person came for the slot when their turn came."
    )
    started_at = models.DateTimeField(null=True, blank=True)
    ready_at = models.DateTimeField(null=True, blank=True)
    stopped_at = models.DateTimeField(null=True, blank=True)
    active_at = models.DateTimeField(null=True, blank=True, help_text="Last time a kernel or process was seen busy.")
    committed_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="Last commit in the project folder, as the notebook saw it by git's own record.",
    )
    stop_at = models.DateTimeField(null=True, blank=True, help_text="Announced to the intern: idle, it stops then.")
    reason = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-requested_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["user"],
                condition=Q(state__in=["queued", "starting", "running", "stopping"]),
                name="one_open_session_a_user",
            ),
        ]

    def __str__(self) -> str:
        return f"session {self.id} ({self.state})"

    @property
    def is_open(self) -> bool:
        """It has not ended."""
        return self.state in OPEN_SESSION_STATES

    @property
    def ran_for(self) -> timedelta | None:
        """From ready to stopped; None where it has not been both."""
        return self.stopped_at - self.ready_at if self.stopped_at and self.ready_at else None


class Home(models.Model):
    """On which server a person's files are. Without a row they are where the site's own engine is, if anywhere.

    ``server`` is a name and no key: files outlive the row of a server.
    """

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="home")
    server = models.CharField(max_length=60, blank=True)
    moved_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"home of {self.user} on {self.server or 'this machine'}"


class HomeSize(models.Model):
    """What a person's files took when they were measured last.

    ``bytes`` is None where there were too many; ``largest``: pairs of a path and its bytes; ``lowest_bytes``: the least they
    were seen to take in ``session``, the last in which they were measured.
    """

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="home_size")
    bytes = models.BigIntegerField(null=True)
    largest = models.JSONField(default=list)
    measured_at = models.DateTimeField()
    session = models.ForeignKey(Session, null=True, on_delete=models.SET_NULL, related_name="+")
    lowest_bytes = models.BigIntegerField(null=True)

    def __str__(self) -> str:
        return f"size of the home of {self.user}"


class SessionEvent(models.Model):
    """A line of the launch page's timeline."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField()
    state = models.CharField(max_length=30)
    message = models.CharField(max_length=300)

    class Meta:
        ordering = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.at:%H:%M:%S} {self.message}"


class ActivityReport(models.Model):
    """What a notebook said it did in the ``seconds`` before ``at``. Kept for some hours, to tell idle from busy."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="reports")
    at = models.DateTimeField(db_index=True)
    busy_kernels = models.PositiveIntegerField()
    cpu_seconds = models.FloatField()
    seconds = models.FloatField()

    class Meta:
        ordering = ["at", "id"]
        indexes = [models.Index(fields=["session", "at"])]

    def __str__(self) -> str:
        return f"{self.session_id} at {self.at:%H:%M:%S}"


class SnapshotState(models.TextChoices):
    """How far a snapshot is."""

    WAITING = "waiting", "Asked for"
    TAKING = "taking", "Being made"
    KEPT = "kept", "Kept"
    FAILED = "failed", "Not made"


OPEN_SNAPSHOT_STATES = (SnapshotState.WAITING, SnapshotState.TAKING)


class Snapshot(models.Model):
    """What an intern's home held at one moment, as an archive; made before its slot is taken from them.

    Past ``deadline`` nothing waits for it any more, and it has failed. A worker that takes it raises ``token``. ``bytes``
    and ``digest`` are the archive's; ``left_out``: entries that can't be archived, such as pipes.
    """

    internship = models.ForeignKey(Internship, on_delete=models.PROTECT, related_name="snapshots")
    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="snapshots")
    asked_at = models.DateTimeField()
    made_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=300)
    state = models.CharField(max_length=10, choices=SnapshotState, default=SnapshotState.WAITING)
    deadline = models.DateTimeField()
    token = models.PositiveIntegerField(default=0)
    bytes = models.BigIntegerField(default=0)
    digest = models.CharField(max_length=64, blank=True)
    files = models.PositiveIntegerField(default=0)
    left_out = models.PositiveIntegerField(default=0)
    message = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-asked_at", "-id"]
        indexes = [models.Index(fields=["state", "asked_at"])]
        constraints = [
            models.UniqueConstraint(
                fields=["session"], condition=Q(state__in=["waiting", "taking"]), name="one_open_snapshot_a_session"
            ),
        ]

    def __str__(self) -> str:
        return f"snapshot {self.pk} ({self.state})"

    @property
    def name(self) -> str:
        """Of the archive, for who downloads it."""
        return f"snapshot-{self.made_at or self.asked_at:%Y-%m-%d-%H%M}.tar.gz"

    @property
    def path(self) -> Path:
        """Of the archive, below the site's data folder; the web process reads it, the worker writes it."""
        return Path(settings.PRACTICUM_DATA_DIR) / "snapshots" / f"{self.pk}.tar.gz"


class RestorationState(models.TextChoices):
    """How far the unpacking of a snapshot is."""

    WAITING = "waiting", "Asked for"
    UNPACKING = "unpacking", "Being unpacked"
    DONE = "done", "Unpacked"
    FAILED = "failed", "Not unpacked"


OPEN_RESTORATION_STATES = (RestorationState.WAITING, RestorationState.UNPACKING)


class Restoration(models.Model):
    """A snapshot to be unpacked into a new ``folder`` of its intern's home, while no notebook runs there."""

    snapshot = models.ForeignKey(Snapshot, on_delete=models.CASCADE, related_name="restorations")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="restorations")
    asked_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=RestorationState, default=RestorationState.WAITING)
    deadline = models.DateTimeField()
    token = models.PositiveIntegerField(default=0)
    folder = models.CharField(max_length=60)
    finished_at = models.DateTimeField(null=True, blank=True)
    message = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-asked_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["user"], condition=Q(state__in=["waiting", "unpacking"]), name="one_open_restoration_a_user"
            ),
        ]

    def __str__(self) -> str:
        return f"restoration {self.pk} ({self.state})"

    @property
    def is_open(self) -> bool:
        """It has not ended."""
        return self.state in OPEN_RESTORATION_STATES


class WorkspaceToken(models.Model):
    """What a notebook shows to the site: only its digest is kept, it ends with the session."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="tokens")
    digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"token of {self.session_id}"


class HelpState(models.TextChoices):
    """How far a help request is, and so what its mentor may do."""

    ASKED = "asked", "Waits for the mentor"
    READING = "reading", "The mentor reads"
    HANDS_ASKED = "hands_asked", "The mentor asks to work in it"
    HANDS = "hands", "The mentor may work in it"
    ENDED = "ended", "Ended"


OPEN_HELP_STATES = (HelpState.ASKED, HelpState.READING, HelpState.HANDS_ASKED, HelpState.HANDS)


class HelpRequest(models.Model):
    """An intern asks their mentor for help in the running session, for so many minutes once the mentor is there.

    ``heard_at``: when the notebook last asked who may come in; one that does not ask can't show anybody out.
    ``is_shared`` is set before the hub is asked to let the mentor in and unset after it took that back; ``shared_at`` is
    set once the hub has let them in.
    """

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="help_requests")
    mentor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="help_requests")
    topic = models.CharField(max_length=200)
    minutes = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=12, choices=HelpState, default=HelpState.ASKED)
    asked_at = models.DateTimeField()
    opened_at = models.DateTimeField(null=True, blank=True)
    until = models.DateTimeField(null=True, blank=True, help_text="It ends then; set when the mentor opens it.")
    allowed_at = models.DateTimeField(null=True, blank=True, help_text="The intern let the mentor work in it.")
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    reason = models.CharField(max_length=300, blank=True)
    heard_at = models.DateTimeField(null=True, blank=True)
    is_shared = models.BooleanField(default=False)
    shared_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-asked_at", "-id"]
        indexes = [models.Index(fields=["mentor", "state"])]
        constraints = [
            models.UniqueConstraint(
                fields=["session"], condition=~Q(state="ended"), name="one_open_help_request_a_session"
            ),
            models.UniqueConstraint(fields=["mentor"], condition=Q(state="hands"), name="one_pair_of_hands_a_mentor"),
        ]

    def __str__(self) -> str:
        return f"help request {self.pk} ({self.state})"

    @property
    def is_open(self) -> bool:
        """It has not ended."""
        return self.state != HelpState.ENDED

    @property
    def may_read(self) -> bool:
        """Its mentor has opened it and may read."""
        return self.state in (HelpState.READING, HelpState.HANDS_ASKED, HelpState.HANDS)


class HelpNotebook(models.Model):
    """A notebook as its intern saved it last, for the mentor who reads; gone when the help request ends."""

    request = models.ForeignKey(HelpRequest, on_delete=models.CASCADE, related_name="notebooks")
    path = models.CharField(max_length=300)
    digest = models.CharField(max_length=64)
    content = models.BinaryField()
    sent_at = models.DateTimeField()

    class Meta:
        ordering = ["-sent_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["request", "path"], name="one_notebook_a_path_of_a_help_request"),
        ]

    def __str__(self) -> str:
        return f"{self.path} of help request {self.request_id}"

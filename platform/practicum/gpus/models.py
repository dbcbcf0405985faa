"""Servers, their GPUs, pools and slots, what cohorts may have of them, and the leases on them.

Words: a *slot* is what one session holds: a whole GPU, a MIG instance, one part of a GPU an admin chose to share, or,
where a server has none, a plainly labelled CPU slot. A *pool* is the slots of one kind, on whatever server. A *quota*
is what a cohort may have of a pool; a *reservation* is slots of a pool for a cohort between two times. A *lease* is a
person's claim on a slot; before it is granted it is a place in the queue. *Live* means granted, active or draining: its
slot belongs to nobody else. A slot is free only when its container was observed gone.

Every move of a lease is one conditional UPDATE on ``(id, state, token)``; ``token`` grows at each move that changes
who may write (fencing), so a late writer writes nothing.
"""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from practicum.internships.models import Cohort


class ServerState(models.TextChoices):
    """Whether new leases may go to a server."""

    ONLINE = "online", "Online"
    DRAINING = "draining", "Draining"
    OFFLINE = "offline", "Offline"


class Server(models.Model):
    """A machine with GPUs (or, without any, with CPU slots). ``seen_at`` is its agent's last report.

    ``boot`` and ``last_sample``: the run of the agent that reported last and the number of its last sample that was
    counted; nothing is counted twice. ``drain_until``: leases that are still there then are ended. ``away_since``: its
    engine does not answer, or nobody has looked since whether what runs there may; it is given to nobody until then.
    ``given_up_at``: an admin said that it is gone for good. ``cohort``: it is somebody's own machine, for this cohort
    alone and for notebooks alone.
    """

    name = models.SlugField(max_length=60, unique=True)
    state = models.CharField(max_length=10, choices=ServerState, default=ServerState.ONLINE)
    seen_at = models.DateTimeField(null=True, blank=True)
    versions = models.JSONField(default=dict, blank=True)
    drain_until = models.DateTimeField(null=True, blank=True)
    away_since = models.DateTimeField(null=True, blank=True)
    given_up_at = models.DateTimeField(null=True, blank=True)
    cohort = models.ForeignKey(Cohort, null=True, blank=True, on_delete=models.PROTECT, related_name="servers")
    boot = models.CharField(max_length=32, blank=True)
    last_sample = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class AgentToken(models.Model):
    """What a server's agent shows to the site. Only its digest is kept; it speaks for its own server and for no other.

    ``made_by`` is empty for one that was made on the machine itself, at its set-up.
    """

    server = models.ForeignKey(Server, on_delete=models.PROTECT, related_name="tokens")
    digest = models.CharField(max_length=64, unique=True)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    made_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["made_at", "id"]

    def __str__(self) -> str:
        return f"token {self.pk} of {self.server}"


class PoolKind(models.TextChoices):
    """What the slots of a pool are, and so how far they are apart."""

    GPU = "gpu", "Whole GPUs"
    MIG = "mig", "MIG instances"
    SHARED = "shared", "Shared GPUs, no memory isolation"
    CPU = "cpu", "CPU slots"


class Pool(models.Model):
    """Slots of one kind: any of them serves a request for this pool. Made when an agent first reports such a slot.

    ``cohort``: they are on a machine that is for this cohort alone; nobody else's notebook, and no evaluation, gets one.

    ``turn`` grows whenever slots are given or asked back and whenever quotas change: what was decided on the rows of an
    earlier turn is not done, so that allocators at once can't together pass a limit.
    """

    slug = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=6, choices=PoolKind)
    memory_bytes = models.BigIntegerField(default=0, help_text="Of one slot; 0 for CPU slots.")
    turn = models.PositiveBigIntegerField(default=0, editable=False)
    cohort = models.ForeignKey(Cohort, null=True, blank=True, on_delete=models.PROTECT, related_name="pools")

    class Meta:
        ordering = ["kind", "name"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_isolated(self) -> bool:
        """What runs on one of its slots can't take the memory of another."""
        return self.kind != PoolKind.SHARED


class SlotKind(models.TextChoices):
    """What a slot is made of."""

    GPU = "gpu", "GPU"
    CPU = "cpu", "CPU slot"


class Slot(models.Model):
    """One thing one session can hold. ``uuid`` is the GPU's own (``GPU-…``, ``MIG-…``), or a made name for a CPU slot;
    the ``parts`` of a shared GPU have its uuid in common and are told apart by ``part``, from 0. ``gpu`` is the uuid of
    the GPU it is, or is a part or MIG instance of; empty for a CPU slot.
    """

    server = models.ForeignKey(Server, on_delete=models.PROTECT, related_name="slots")
    pool = models.ForeignKey(Pool, on_delete=models.PROTECT, related_name="slots")
    kind = models.CharField(max_length=3, choices=SlotKind)
    index = models.PositiveSmallIntegerField()
    uuid = models.CharField(max_length=80)
    gpu = models.CharField(max_length=80, blank=True)
    part = models.PositiveSmallIntegerField(default=0)
    parts = models.PositiveSmallIntegerField(default=1)
    model = models.CharField(max_length=120)
    memory_bytes = models.BigIntegerField(default=0)
    memory_used_bytes = models.BigIntegerField(default=0)
    utilization_percent = models.FloatField(null=True, blank=True)
    is_present = models.BooleanField(default=True, help_text="The agent's last report listed it.")
    fault = models.CharField(
        max_length=200, blank=True, help_text="What is broken about it; given to nobody until mended."
    )

    class Meta:
        ordering = ["server", "kind", "index", "part", "uuid"]
        constraints = [models.UniqueConstraint(fields=["uuid", "part"], name="one_slot_a_part_of_a_gpu")]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """For people: ``GPU 0 · NVIDIA H100`` or ``CPU slot 2``."""
        if self.kind == SlotKind.CPU:
            return f"CPU slot {self.index}"
        part = f" · shared, part {self.part + 1} of {self.parts}" if self.parts > 1 else ""
        return f"GPU {self.index} · {self.model}{part}"


class Quota(models.Model):
    """What a cohort may have of a pool. Without one: nothing guaranteed, weight 1, no limits.

    ``borrowing_limit``: slots above the guarantee it may hold; ``lending_limit``: slots of its guarantee that others may
    hold while it does not need them; ``per_intern``: live leases of one person; ``session_hours``: the longest session
    there. Empty means no limit of its own. Between ``from_on`` and ``to_on``, both included; empty is open.
    """

    cohort = models.ForeignKey(Cohort, on_delete=models.PROTECT, related_name="quotas")
    pool = models.ForeignKey(Pool, on_delete=models.PROTECT, related_name="quotas")
    guaranteed = models.PositiveIntegerField(default=0)
    weight = models.FloatField(default=1.0)
    borrowing_limit = models.PositiveIntegerField(null=True, blank=True)
    lending_limit = models.PositiveIntegerField(null=True, blank=True)
    per_intern = models.PositiveIntegerField(null=True, blank=True)
    session_hours = models.PositiveIntegerField(null=True, blank=True)
    from_on = models.DateField(null=True, blank=True)
    to_on = models.DateField(null=True, blank=True)

    class Meta:
        ordering = ["cohort", "pool"]
        constraints = [
            models.UniqueConstraint(fields=["cohort", "pool"], name="one_quota_a_cohort_and_pool"),
            models.CheckConstraint(condition=Q(weight__gt=0), name="a_quota_has_weight"),
            models.CheckConstraint(
                condition=Q(lending_limit__isnull=True) | Q(lending_limit__lte=F("guaranteed")),
                name="nobody_lends_more_than_is_theirs",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.cohort}: {self.guaranteed} of {self.pool}"


class ReservationState(models.TextChoices):
    """The life of a reservation."""

    REQUESTED = "requested", "Asked for"
    GRANTED = "granted", "Granted"
    REFUSED = "refused", "Refused"
    CANCELLED = "cancelled", "Cancelled"


class Reservation(models.Model):
    """Slots of a pool for a cohort between two times. It counts only once an admin granted it."""

    cohort = models.ForeignKey(Cohort, on_delete=models.PROTECT, related_name="reservations")
    pool = models.ForeignKey(Pool, on_delete=models.PROTECT, related_name="reservations")
    slots = models.PositiveIntegerField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    purpose = models.CharField(max_length=200, blank=True, help_text="What it is for, in the mentor's words.")
    state = models.CharField(max_length=10, choices=ReservationState, default=ReservationState.REQUESTED)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="reservations")
    requested_at = models.DateTimeField()
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    answer = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["starts_at", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="reservation_ends_after_start"),
            models.CheckConstraint(condition=Q(slots__gt=0), name="a_reservation_has_slots"),
        ]

    def __str__(self) -> str:
        return f"{self.slots} of {self.pool} for {self.cohort}, {self.starts_at:%d %b %H:%M}"


class ReservationFeed(models.Model):
    """Which address of a person's calendar feed is the good one: each renewal raises ``number``, and closes the old."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="reservation_feed")
    number = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"feed {self.number} of {self.user}"


class LeaseState(models.TextChoices):
    """The life of a lease."""

    QUEUED = "queued", "In line"
    GRANTED = "granted", "Granted"
    ACTIVE = "active", "Active"
    DRAINING = "draining", "Stopping"
    RELEASED = "released", "Released"
    CANCELLED = "cancelled", "Cancelled"


LIVE_STATES = (LeaseState.GRANTED, LeaseState.ACTIVE, LeaseState.DRAINING)
OPEN_STATES = (LeaseState.QUEUED, *LIVE_STATES)


class Purpose(models.TextChoices):
    """What the slot is for. *Meanwhile*: a notebook on a CPU slot whose intern has a place in line for a GPU."""

    SESSION = "session", "Notebook"
    MEANWHILE = "meanwhile", "CPU meanwhile"
    EVALUATION = "evaluation", "Evaluation"


NOTEBOOKS = (Purpose.SESSION, Purpose.MEANWHILE)


class Lease(models.Model):
    """A claim on a slot, or a place in line for one."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="leases")
    cohort = models.ForeignKey(Cohort, null=True, blank=True, on_delete=models.PROTECT, related_name="leases")
    purpose = models.CharField(max_length=10, choices=Purpose, default=Purpose.SESSION)
    state = models.CharField(max_length=10, choices=LeaseState, default=LeaseState.QUEUED)
    token = models.PositiveIntegerField(default=0)
    pool = models.ForeignKey(
        Pool, null=True, blank=True, on_delete=models.PROTECT, related_name="leases", help_text="Empty: no pool yet."
    )
    slot = models.ForeignKey(Slot, null=True, blank=True, on_delete=models.PROTECT, related_name="leases")
    reservation = models.ForeignKey(Reservation, null=True, blank=True, on_delete=models.PROTECT, related_name="leases")
    is_borrowed = models.BooleanField(default=False, help_text="It was granted above its cohort's guarantee.")
    reclaim_at = models.DateTimeField(null=True, blank=True, help_text="It was asked back and ends then at the latest.")
    idle_since = models.DateTimeField(
        null=True, blank=True, help_text="Nothing runs on its slot since; empty while something does, or nobody knows."
    )
    duration = models.DurationField(help_text="How long it lasts from the moment it is granted.")
    requested_at = models.DateTimeField()
    granted_at = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    heartbeat = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=300, blank=True)
    container = models.CharField(max_length=64, blank=True, help_text="The engine's id of what runs on it.")

    class Meta:
        ordering = ["requested_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["slot"], condition=Q(state__in=["granted", "active", "draining"]), name="one_live_lease_a_slot"
            ),
            models.UniqueConstraint(
                fields=["user"],
                condition=Q(purpose="session", state__in=["queued", "granted", "active", "draining"]),
                name="one_open_session_lease_a_user",
            ),
            models.UniqueConstraint(
                fields=["user"],
                condition=Q(purpose="meanwhile", state__in=["queued", "granted", "active", "draining"]),
                name="one_open_meanwhile_lease_a_user",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["granted", "active", "draining"])
                | Q(slot__isnull=False, lease_until__isnull=False),
                name="a_live_lease_has_a_slot_and_an_end",
            ),
        ]
        indexes = [models.Index(fields=["state", "requested_at"])]

    def __str__(self) -> str:
        return f"lease {self.id} ({self.state})"

    @property
    def is_live(self) -> bool:
        """It holds its slot."""
        return self.state in LIVE_STATES

    @property
    def server_name(self) -> str:
        """The server its slot is on; empty while it has none."""
        return self.slot.server.name if self.slot is not None else ""


class LeaseUse(models.Model):
    """How a lease used its slot in ten minutes from ``starts_at``, from the agent's samples. Kept for good.

    ``held_seconds``: seconds with samples; ``busy_seconds``: of these, with the GPU at work; ``idle_held_seconds``: with
    its memory held and no work; ``measured_seconds``: with a known ``gpu_percent``, which is their mean (None: none).
    """

    lease = models.ForeignKey(Lease, on_delete=models.PROTECT, related_name="uses")
    starts_at = models.DateTimeField()
    held_seconds = models.FloatField(default=0.0)
    busy_seconds = models.FloatField(default=0.0)
    idle_held_seconds = models.FloatField(default=0.0)
    measured_seconds = models.FloatField(default=0.0)
    gpu_percent = models.FloatField(null=True, blank=True)
    memory_peak_bytes = models.BigIntegerField(default=0)
    busy_at = models.DateTimeField(null=True, blank=True, help_text="The last moment at which the GPU was at work.")

    class Meta:
        ordering = ["starts_at", "id"]
        constraints = [models.UniqueConstraint(fields=["lease", "starts_at"], name="one_row_a_lease_and_ten_minutes")]

    def __str__(self) -> str:
        return f"{self.lease_id} from {self.starts_at:%H:%M}"


class LeaseSample(models.Model):
    """One look of the agent at what a lease does. Kept for some hours, for telling an idle session from a busy one."""

    lease = models.ForeignKey(Lease, on_delete=models.CASCADE, related_name="samples")
    at = models.DateTimeField(db_index=True)
    gpu_percent = models.FloatField(null=True, blank=True)
    memory_bytes = models.BigIntegerField(default=0)
    processes = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["at", "id"]
        indexes = [models.Index(fields=["lease", "at"])]

    def __str__(self) -> str:
        return f"{self.lease_id} at {self.at:%H:%M:%S}"


class Estimate(models.Model):
    """When a lease in line starts: half of such leases by ``p50_at``, nine in ten by ``p90_at``; empty: after a day.

    The latest is shown. What was promised first (``first_…``) is written once and never changed: against it the site is
    judged. ``first_forecast_…``: the same before it was corrected by what became of earlier promises.
    """

    lease = models.OneToOneField(Lease, on_delete=models.CASCADE, primary_key=True, related_name="estimate")
    made_at = models.DateTimeField()
    p50_at = models.DateTimeField(null=True, blank=True)
    p90_at = models.DateTimeField(null=True, blank=True)
    first_made_at = models.DateTimeField(db_index=True)
    first_p50_at = models.DateTimeField(null=True, blank=True)
    first_p90_at = models.DateTimeField(null=True, blank=True)
    first_forecast_p50_at = models.DateTimeField(null=True, blank=True)
    first_forecast_p90_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["first_made_at", "lease"]

    def __str__(self) -> str:
        return f"estimate for {self.lease_id} of {self.made_at:%H:%M}"


class PlanState(models.TextChoices):
    """The life of a plan."""

    QUEUED = "queued", "In line"
    RUNNING = "running", "Being replayed"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


OPEN_PLAN_STATES = (PlanState.QUEUED, PlanState.RUNNING)


class Plan(models.Model):
    """What an admin wants to know: what the last weeks' demand would have met under other quotas. Nothing is set by it.

    ``question`` holds what was asked, with the quotas and slots as they were then; ``result`` what came of both replays.
    A worker that claims it raises ``token``; ``part`` is how much is done, from 0 to 1.
    """

    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="plans")
    asked_at = models.DateTimeField()
    question = models.JSONField()
    state = models.CharField(max_length=10, choices=PlanState, default=PlanState.QUEUED)
    reason = models.CharField(max_length=300, blank=True)
    token = models.PositiveIntegerField(default=0)
    tries = models.PositiveSmallIntegerField(default=0)
    part = models.FloatField(default=0.0)
    heartbeat = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    deadline = models.DateTimeField(help_text="It fails if it is not done then.")
    result = models.JSONField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-asked_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["asked_by"], condition=Q(state__in=["queued", "running"]), name="one_open_plan_an_admin"
            ),
        ]

    def __str__(self) -> str:
        return f"plan {self.pk} ({self.state})"

    @property
    def is_open(self) -> bool:
        """It waits or is being replayed."""
        return self.state in OPEN_PLAN_STATES

"""What became of the slots in a window of time: who held them, what was used, who waited, which guarantee was kept.

Every answer comes from the rows of the leases that touch the window, read once; the number of queries does not depend
on how many there are. What nobody measured is None, never 0.

Words: a *group* is a cohort, or what belongs to none; *held* is from granted to closed; *used* is the part of it in
which the GPU computed; *idle-held* is the part in which memory was held and nothing computed; a *wait* is from asked
for to granted. A request that names no pool waits for any.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from uuid import UUID

from django.db.models import Q, Sum
from django.db.models.functions import Coalesce, TruncHour
from django.utils.timezone import get_current_timezone

from practicum.gpus.history_rules import (
    HOUR,
    Moment,
    Span,
    Window,
    means,
    peaks,
    percentile,
    shortfalls,
    tones,
)
from practicum.gpus.models import Lease, LeaseUse, Pool, Quota, Slot
from practicum.gpus.selectors import held_by_hour
from practicum.internships.models import Cohort

NO_COHORT = "No cohort"


@dataclass(frozen=True, slots=True)
class UseBucket:
    """What is known of a lease within one hour of the clock: for ``measured_seconds`` it was seen whether the GPU
    computed, in ``busy_seconds`` of them it did, in ``idle_held_seconds`` it kept memory and did not.
    """

    lease: UUID
    begins_at: datetime
    measured_seconds: float
    busy_seconds: float
    idle_held_seconds: float


@dataclass(frozen=True, slots=True)
class Held:
    """A lease that touches the window, as plain values; ``until`` is its end or, while it lasts, the window's."""

    id: UUID
    cohort: int | None
    cohort_name: str
    cohort_slug: str
    person: str
    username: str
    pool: int | None
    pool_slug: str
    slot: int | None
    purpose: str
    state: str
    is_borrowed: bool
    requested_at: datetime
    granted_at: datetime | None
    closed_at: datetime | None
    reclaim_at: datetime | None
    reservation: int | None
    until: datetime

    @property
    def hold(self) -> Span | None:
        """When it held its slot."""
        return None if self.granted_at is None else (self.granted_at, self.until)

    @property
    def wait(self) -> Span:
        """When it was in line."""
        return self.requested_at, self.granted_at or self.until

    @property
    def waited(self) -> timedelta | None:
        """How long until it was granted; None where it was not."""
        return None if self.granted_at is None else self.granted_at - self.requested_at


@dataclass(frozen=True)
class Choice:
    """What is looked at: a window, and one cohort or pool or all of them."""

    window: Window
    cohort: Cohort | None = None
    pool: Pool | None = None


@dataclass(frozen=True)
class Group:
    """A cohort of the window, with the number of its colour; ``tone`` 0 is what belongs to no cohort."""

    id: int | None
    name: str
    slug: str
    tone: int


@dataclass(frozen=True)
class Lane:
    """A slot and the leases that held it in the window, the oldest first."""

    slot: Slot
    leases: list[Held]


@dataclass(frozen=True)
class Waits:
    """How long a group waited: percentiles of those granted in the window, and who did not come to a slot."""

    group: Group
    granted: int
    half: timedelta | None
    most: timedelta | None
    longest: timedelta | None
    waiting: int
    gave_up: int


@dataclass(frozen=True)
class Waste:
    """What one person held and did not use, in slot-hours; None where nothing was measured."""

    person: str
    username: str
    group: Group
    held_hours: float
    measured_hours: float
    unused_hours: float | None
    idle_held_hours: float | None


@dataclass(frozen=True)
class Guarantee:
    """Whether a cohort got what it is guaranteed of a pool; ``moments`` are the times in which it did not."""

    cohort: Cohort
    pool: Pool
    guaranteed: int
    moments: list[Moment]

    @property
    def slot_hours(self) -> float:
        """What was missing, in all."""
        return sum(moment.slot_hours for moment in self.moments)


@dataclass(frozen=True)
class History:
    """All that the page and the exports show of a window. Lists by hour have an entry for each hour of it."""

    choice: Choice
    leases: list[Held]
    groups: list[Group]
    lanes: list[Lane]
    capacity: int
    held: dict[Group, list[float]]
    used: list[float | None]
    measured_hours: float
    waiting: dict[Group, list[float]]
    most_waiting: list[int]
    waits: list[Waits]
    people: list[Waste]
    guarantees: list[Guarantee]

    @property
    def held_hours(self) -> float:
        """Slot-hours held in the window."""
        return sum(map(sum, self.held.values()))

    @property
    def used_hours(self) -> float:
        """Slot-hours that computed, of those that were measured."""
        return sum(value for value in self.used if value is not None)


def measured_use(window: Window) -> list[UseBucket]:
    """What the agents measured of leases in the window, by the hour. One query."""
    rows = LeaseUse.objects.filter(starts_at__gte=window.first, starts_at__lt=window.end).order_by()
    hours = rows.annotate(hour=TruncHour("starts_at", tzinfo=UTC)).values_list("lease", "hour")
    sums = hours.annotate(Sum("measured_seconds"), Sum("busy_seconds"), Sum("idle_held_seconds"))
    return [UseBucket(*row) for row in sums]


def history_of(choice: Choice, *, use: Iterable[UseBucket] = ()) -> History:
    """The window of ``choice``, in three queries; ``use`` is what was measured in it."""
    window = choice.window
    leases = leases_in(choice)
    groups = _groups(leases)
    of_group: dict[Group, list[Held]] = {group: [] for group in groups.values()}
    for lease in leases:
        of_group[groups[lease.cohort]].append(lease)
    known = {lease.id for lease in leases}
    buckets = [bucket for bucket in use if bucket.lease in known]
    slots = _slots(choice, held={lease.slot for lease in leases})
    return History(
        choice=choice,
        leases=leases,
        groups=list(of_group),
        lanes=_lanes(slots, leases=leases),
        capacity=sum(slot.is_present for slot in slots),
        held={group: _by_hour(_holds(rows), window=window) for group, rows in of_group.items()},
        used=used_by_hour(buckets, window=window),
        measured_hours=sum(bucket.measured_seconds for bucket in buckets) / 3600,
        waiting={group: _by_hour(_waits(rows), window=window) for group, rows in of_group.items()},
        most_waiting=peaks(_waits(leases), window=window),
        waits=[waits_of(group, leases=rows, window=window) for group, rows in of_group.items()],
        people=waste_of(leases, groups=groups, use=buckets, window=window),
        guarantees=_guarantees(choice, leases=leases),
    )


def leases_in(choice: Choice) -> list[Held]:
    """The leases that waited or held in the window, in one query, the oldest first. The pool is the slot's, if any."""
    window = choice.window
    rows = Lease.objects.filter(requested_at__lt=window.end).filter(
        Q(closed_at__isnull=True) | Q(closed_at__gt=window.first)
    )
    if choice.cohort is not None:
        rows = rows.filter(cohort=choice.cohort)
    if choice.pool is not None:
        anywhere = Q(pool__isnull=True, slot__isnull=True)
        rows = rows.filter(
            Q(pool=choice.pool) | Q(pool__isnull=True, slot__pool=choice.pool) | anywhere,
        )
    values = rows.order_by("requested_at", "id").values_list(
        "id", "cohort_id", "cohort__name", "cohort__slug", "user__name", "user__username",
        Coalesce("slot__pool_id", "pool_id"), Coalesce("slot__pool__slug", "pool__slug"),
        "slot_id", "purpose", "state", "is_borrowed", "requested_at", "granted_at", "closed_at", "reclaim_at",
        "reservation_id",
    )  # fmt: skip
    return [_held(*row, end=window.end) for row in values]


def _held(
    id: UUID, cohort: int | None, cohort_name: str | None, cohort_slug: str | None, person: str, username: str,
    pool: int | None, pool_slug: str | None, slot: int | None, purpose: str, state: str, is_borrowed: bool,
    requested_at: datetime, granted_at: datetime | None, closed_at: datetime | None, reclaim_at: datetime | None,
    reservation: int | None, *, end: datetime,
) -> Held:  # fmt: skip
    # What was granted after the window was still in line in it.
    granted = granted_at if granted_at is not None and granted_at < end else None
    return Held(
        id, cohort, cohort_name or NO_COHORT, cohort_slug or "", person, username,
        pool, pool_slug or "", slot if granted else None, purpose, state, is_borrowed,
        requested_at, granted, closed_at, reclaim_at, reservation,
        until=min(closed_at or end, end),
    )  # fmt: skip


def _groups(leases: Iterable[Held]) -> dict[int | None, Group]:
    named = {lease.cohort: (lease.cohort_name, lease.cohort_slug) for lease in leases}
    colours = tones(cohort for cohort in named if cohort is not None)
    order = sorted(named, key=lambda cohort: (cohort is None, cohort or 0))
    return {cohort: Group(cohort, *named[cohort], tone=0 if cohort is None else colours[cohort]) for cohort in order}


def _slots(choice: Choice, *, held: set[int | None]) -> list[Slot]:
    rows = Slot.objects.select_related("server", "pool").order_by("server__name", "kind", "index", "part")
    if choice.pool is not None:
        rows = rows.filter(pool=choice.pool)
    # Slots are few. One that is gone for good is shown only where somebody held it in the window.
    return [slot for slot in rows if slot.is_present or slot.pk in held]


def _lanes(slots: Iterable[Slot], *, leases: Iterable[Held]) -> list[Lane]:
    on_slot: dict[int, list[Held]] = defaultdict(list)
    for lease in leases:
        if lease.slot is not None:
            on_slot[lease.slot].append(lease)
    return [
        Lane(slot, sorted(on_slot.get(slot.pk, []), key=lambda lease: lease.granted_at or lease.until))
        for slot in slots
    ]


def _holds(leases: Iterable[Held]) -> list[Span]:
    return [lease.hold for lease in leases if lease.hold is not None]


def _waits(leases: Iterable[Held]) -> list[Span]:
    return [lease.wait for lease in leases]


def _by_hour(spans: Iterable[Span], *, window: Window) -> list[float]:
    return held_by_hour(spans, first=window.first, hours=window.hours)


def used_by_hour(use: Iterable[UseBucket], *, window: Window) -> list[float | None]:
    """Slot-hours that computed in each hour, as far as measured; None for an hour in which nothing was."""
    used: list[float | None] = [None] * window.hours
    for bucket in use:
        hour = (bucket.begins_at - window.first) // HOUR
        if 0 <= hour < window.hours:
            used[hour] = (used[hour] or 0.0) + bucket.busy_seconds / 3600
    return used


def used_by_step(used: Sequence[float | None], *, window: Window) -> list[float | None]:
    """The mean slots that computed in each step; None where nothing was measured in it."""
    mean = means([value or 0.0 for value in used], window=window)
    parts = [used[begin : begin + window.step] for begin in range(0, window.hours, window.step)]
    return [value if any(hour is not None for hour in part) else None for value, part in zip(mean, parts, strict=True)]


def waits_of(group: Group, *, leases: Iterable[Held], window: Window) -> Waits:
    """How long a group waited for what it was granted in the window."""
    granted, waiting, gave_up = [], 0, 0
    for lease in leases:
        if lease.granted_at is None:
            is_over = lease.closed_at is not None and lease.closed_at < window.end
            gave_up, waiting = gave_up + is_over, waiting + (not is_over)
        elif lease.granted_at >= window.first:
            granted.append(lease.granted_at - lease.requested_at)
    return Waits(
        group=group,
        granted=len(granted),
        half=percentile(granted, 0.5),
        most=percentile(granted, 0.9),
        longest=max(granted, default=None),
        waiting=waiting,
        gave_up=gave_up,
    )


def waste_of(
    leases: Iterable[Held], *, groups: dict[int | None, Group], use: Iterable[UseBucket], window: Window
) -> list[Waste]:
    """What each person held and did not use in the window; the most unused first, then the most held."""
    measured: dict[UUID, list[UseBucket]] = defaultdict(list)
    for bucket in use:
        measured[bucket.lease].append(bucket)
    of_person: dict[tuple[str, int | None], list[Held]] = defaultdict(list)
    for lease in leases:
        if lease.hold is not None:
            of_person[lease.username, lease.cohort].append(lease)
    found = [_waste(rows, group=groups[key[1]], measured=measured, window=window) for key, rows in of_person.items()]
    return sorted(found, key=lambda each: (-(each.unused_hours or 0.0), -each.held_hours, each.username))


def _waste(leases: list[Held], *, group: Group, measured: dict[UUID, list[UseBucket]], window: Window) -> Waste:
    inside = [clipped for span in _holds(leases) if (clipped := window.clip(span)) is not None]
    buckets = [bucket for lease in leases for bucket in measured.get(lease.id, [])]
    unused = sum(max(bucket.measured_seconds - bucket.busy_seconds, 0.0) for bucket in buckets) / 3600
    idle_held = sum(bucket.idle_held_seconds for bucket in buckets) / 3600
    return Waste(
        person=leases[0].person,
        username=leases[0].username,
        group=group,
        held_hours=sum((end - begin) / HOUR for begin, end in inside),
        measured_hours=sum(bucket.measured_seconds for bucket in buckets) / 3600,
        unused_hours=unused if buckets else None,
        idle_held_hours=idle_held if buckets else None,
    )


def _guarantees(choice: Choice, *, leases: Iterable[Held]) -> list[Guarantee]:
    quotas = Quota.objects.filter(guaranteed__gt=0).select_related("cohort", "pool").order_by("cohort", "pool")
    if choice.cohort is not None:
        quotas = quotas.filter(cohort=choice.cohort)
    if choice.pool is not None:
        quotas = quotas.filter(pool=choice.pool)
    of_cohort: dict[int | None, list[Held]] = defaultdict(list)
    for lease in leases:
        of_cohort[lease.cohort].append(lease)
    judged = ((quota, bounds_of(quota, window=choice.window)) for quota in quotas)
    return [
        Guarantee(quota.cohort, quota.pool, quota.guaranteed, _missing(quota, of_cohort[quota.cohort_id], bounds))
        for quota, bounds in judged
        if bounds is not None
    ]


def _missing(quota: Quota, leases: Iterable[Held], bounds: Span, /) -> list[Moment]:
    here = [lease for lease in leases if lease.pool in (quota.pool_id, None)]
    return shortfalls(_waits(here), held=_holds(here), guaranteed=quota.guaranteed, bounds=bounds)


def bounds_of(quota: Quota, *, window: Window) -> Span | None:
    """The part of the window in which a quota holds: its days, both whole, as the site's clock has them."""
    zone = get_current_timezone()
    begin, end = window.first, window.end
    if quota.from_on is not None:
        begin = max(begin, datetime.combine(quota.from_on, time.min, zone).astimezone(UTC))
    if quota.to_on is not None:
        end = min(end, datetime.combine(quota.to_on + timedelta(days=1), time.min, zone).astimezone(UTC))
    return (begin, end) if begin < end else None

"""Simulated cohorts on the database, the board read twice a day, and what it said of whom: for the tests and the benchmark.

Of an intern with a stall an alarm is false before the first thing was missed, and afterwards where it names something else
than the stall or what follows from it. Everything that is said of the others is false, though it may be true: of somebody
who is ill for three days, too.
"""

from __future__ import annotations

import random
from collections import Counter
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from practicum.accounts.models import User
from practicum.catalog.models import Project, ProjectVersion
from practicum.config.demo.ledger import Ledger, Place
from practicum.config.demo.simulation import AWAY, SHOWN_AS, HandIn, Stall, Story, Visit, story
from practicum.gpus.models import Pool, PoolKind, Server, Slot, SlotKind
from practicum.internships.models import Cohort, Internship, Milestone
from practicum.internships.rhythm import after, working_time
from practicum.portal.attention import rows_for
from tests.conftest import MANIFEST

STARTS_ON = date(2026, 3, 2)
DAYS = 54  # eight weeks, to the last Friday
SHORT = 33
DUE_IN = (2, 4, 6, 8)
READ_EVERY = timedelta(hours=12)
BOUND = timedelta(hours=48)
LMS_SILENCE = timedelta(days=7)
Reading = tuple[datetime, frozenset[str]]


@dataclass(frozen=True)
class Detection:
    """When a stall began, and when the board said so; ``shown_at`` None: never."""

    stall: Stall
    missed_at: datetime
    begins_at: datetime
    shown_at: datetime | None
    is_right: bool

    @property
    def delay(self) -> timedelta | None:
        """From its beginning to the board, in working time."""
        return None if self.shown_at is None else working_time(self.begins_at, self.shown_at)

    @property
    def since_missed(self) -> timedelta | None:
        """From the first thing missed to the board, in hours of the clock."""
        return None if self.shown_at is None else max(timedelta(0), self.shown_at - self.missed_at)

    @property
    def is_in_time(self) -> bool:
        """Within the bound."""
        return self.delay is not None and self.delay <= BOUND


@dataclass
class Outcome:
    """Every stall, the false alarms by kind, and over how many weeks of an intern."""

    detections: list[Detection] = field(default_factory=list)
    false_alarms: Counter[str] = field(default_factory=Counter)
    weeks: float = 0.0

    @property
    def alarms_per_ten_a_week(self) -> float:
        """False alarms of ten interns in a week."""
        return 10 * sum(self.false_alarms.values()) / self.weeks


def places(*, seeds: int, admin: Any, healthy: int, days: int = DAYS, first: int = 0) -> list[Place]:
    """For each seed from ``first`` on a cohort with every stall once and some healthy interns; half have a project with a GPU."""
    made: list[Place] = []
    versions = [_version(f"project-{gpu_gb}", gpu_gb=gpu_gb, admin=admin) for gpu_gb in (0, 16)]
    slots = _slots(seeds * (len(Stall) + healthy))
    for seed in range(first, first + seeds):
        cohort = Cohort.objects.create(
            slug=f"s{seed}", name=f"Cohort {seed}", starts_on=STARTS_ON, ends_on=STARTS_ON + timedelta(days=days)
        )
        mentor = User.objects.create(username=f"m{seed}", email=f"m{seed}@example.org", name="Mentor", role="mentor")
        stalls: list[Stall | None] = [*Stall, *[None] * healthy]
        for number, stall in enumerate(stalls):
            name = f"i{seed}-{number}"
            intern = User.objects.create(username=name, email=f"{name}@example.org", name=name, role="intern")
            is_gpu = stall == Stall.GPU_UNUSED or number % 2 == 1
            internship = Internship.objects.create(
                intern=intern, mentor=mentor, cohort=cohort, version=versions[is_gpu], started_on=STARTS_ON
            )
            Milestone.objects.bulk_create(
                Milestone(internship=internship, position=place, title=f"Step {place}", due_on=_due(week))
                for place, week in enumerate(DUE_IN, start=1)
            )
            from_day = random.Random(f"from {seed} {stall}").randint(8, days - 24)
            told = story(
                f"{seed} {number}", starts_on=STARTS_ON, days=days, milestones=DUE_IN, stall=stall, from_day=from_day
            )
            made.append(Place(internship, told, slots[len(made)] if is_gpu else slots[-1]))
    return made


def _due(week: int) -> date:
    return STARTS_ON + timedelta(weeks=week, days=-1)


def _version(slug: str, *, gpu_gb: int, admin: Any) -> ProjectVersion:
    project = Project.objects.create(slug=slug, title=slug, question="?")
    manifest = deepcopy(MANIFEST)
    manifest["budget"]["gpu_gb"] = gpu_gb
    manifest["metric"] |= {"digits": 4}
    at = datetime.combine(STARTS_ON, time.min, tzinfo=UTC)
    return ProjectVersion.objects.create(
        project=project, number=1, digest="d" * 64, manifest=manifest, mode="toy", image="none", published_at=at,
        published_by=admin,
    )  # fmt: skip


def _slots(count: int) -> list[Slot]:
    """A GPU for each, and the CPU slot that all the others share."""
    server = Server.objects.create(name="lab")
    pools = [Pool.objects.create(slug=kind, name=kind, kind=kind) for kind in (PoolKind.GPU, PoolKind.CPU)]
    slots = [
        Slot(server=server, pool=pools[0], kind=SlotKind.GPU, index=index, uuid=f"GPU-{index}", model="H100")
        for index in range(count)
    ]
    slots.append(Slot(server=server, pool=pools[1], kind=SlotKind.CPU, index=0, uuid="cpu-0", model="CPU"))
    return Slot.objects.bulk_create(slots)


def play(made: list[Place], *, admin: Any, days: int = DAYS) -> Outcome:
    """Let time pass and read the board twice a day."""
    ledger = Ledger(made, seed=1, keeps_files=False)
    shown: dict[int, list[Reading]] = {place.internship.pk: [] for place in made}
    for at in _readings(days):
        ledger.advance(at)
        for row in rows_for(admin, now=at):
            shown[row.internship.pk].append((at, frozenset(signal.kind for signal in row.signals)))
    return _judged(made, shown, days=days)


def _readings(days: int) -> list[datetime]:
    """Each morning at seven and each evening."""
    first = datetime.combine(STARTS_ON, time(7), tzinfo=UTC)
    return [first + place * READ_EVERY for place in range(int(timedelta(days=days) / READ_EVERY))]


def by_last_seen(made: list[Place]) -> Outcome:
    """The same of the plain rule of learning platforms: who was not there for a week is at risk."""
    shown: dict[int, list[Reading]] = {}
    for place in made:
        seen = [event.at for event in place.story.events if isinstance(event, Visit | HandIn)]
        readings = []
        for at in _readings(DAYS):
            last = max([_readings(DAYS)[0], *(moment for moment in seen if moment <= at)])
            readings.append((at, frozenset({"not-seen"} if at - last >= LMS_SILENCE else ())))
        shown[place.internship.pk] = readings
    return _judged(made, shown, days=DAYS)


def _judged(made: list[Place], shown: dict[int, list[Reading]], *, days: int) -> Outcome:
    outcome = Outcome(weeks=len(made) * days / 7)
    for place in made:
        readings = shown[place.internship.pk]
        outcome.false_alarms += _false_alarms(place.story, readings)
        detection = _detection(place.story, readings)
        if detection is not None:
            outcome.detections.append(detection)
    return outcome


def _detection(told: Story, readings: list[Reading]) -> Detection | None:
    if told.stall is None or told.begins_at is None or told.missed_at is None:
        return None
    until = after(told.begins_at, working=BOUND)
    if until > readings[-1][0]:  # the cohort is over before the board has had its time
        return None
    wanted = SHOWN_AS[told.stall]
    shown_at = next((at for at, kinds in readings if at >= told.missed_at and kinds & wanted), None)
    in_time = [kinds for at, kinds in readings if told.missed_at <= at <= until and kinds]
    return Detection(
        stall=told.stall,
        missed_at=told.missed_at,
        begins_at=told.begins_at,
        shown_at=shown_at,
        is_right=any(kinds & wanted for kinds in in_time),
    )


def _false_alarms(told: Story, readings: list[Reading]) -> Counter[str]:
    """How often a kind of signal appeared that had no business there."""
    found: Counter[str] = Counter()
    before: frozenset[str] = frozenset()
    for at, kinds in readings:
        is_stalled = told.missed_at is not None and at >= told.missed_at
        for kind in kinds - before:
            is_meant = told.stall is not None and (told.stall in AWAY or kind in SHOWN_AS[told.stall])
            if not (is_stalled and is_meant):
                found[kind] += 1
        before = kinds
    return found

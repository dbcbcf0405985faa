"""A cohort at one of seven stages of its life, drawn from a seed: the same seed and day, the same rows.

People apply, are answered, ranked and placed by the services that the pages call, at the times at which they would have; the
work of their weeks is drawn (``simulation``) and written down (``ledger``) as far as the day. Nothing is evaluated: a
scenario shows pages and boards, ``make demo`` shows work.
"""

from __future__ import annotations

import dataclasses
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils.timezone import get_current_timezone

from practicum.accounts.models import User
from practicum.audit.services import record
from practicum.catalog.manifest import load_manifest
from practicum.catalog.models import Mode, Project, ProjectVersion
from practicum.catalog.selectors import latest_versions
from practicum.config.demo.ledger import Ledger, Place
from practicum.config.demo.opening import WEEKS, open_cohort
from practicum.config.demo.people import accounts_of, interns
from practicum.config.demo.simulation import Stall, story
from practicum.gpus.models import Pool, PoolKind, Server, ServerState, Slot, SlotKind
from practicum.internships import applications, placements
from practicum.internships.applications import Answers
from practicum.internships.models import Application, ApplicationState, Cohort, Internship, InternshipState
from practicum.internships.placement_selectors import candidates_of, proposal_of
from practicum.internships.services import complete_internship, end_internship
from practicum.lib.digest import digest_tree

PROJECTS = Path(__file__).resolve().parents[4] / "projects"
OFFERS = (("digits", "mira"), ("features-without-labels", "otto"))
TOO_MANY = 3
FEWEST, MOST = 6, 30
BEFORE_WORK = time(6)
BACKGROUNDS = (
    "I study computer science and trained a small network on my own photos.",
    "A physicist who fits curves all day and wonders what a network would say.",
    "I write software for a hospital and know machine learning from one course.",
    "I taught statistics and read papers at night. Now I want to run one.",
)


class Stage(StrEnum):
    """How far the cohort is."""

    APPLICATIONS = "applications"
    MATCHING = "matching"
    WEEK_1 = "week-1"
    WEEK_3 = "week-3"
    WEEK_6 = "week-6"
    FINAL_WEEK = "final-week"
    COMPLETED = "completed"


# In which of its weeks the cohort is on the day; 0 is the week before the first.
WEEK_OF = {
    Stage.APPLICATIONS: -5, Stage.MATCHING: 0, Stage.WEEK_1: 1, Stage.WEEK_3: 3, Stage.WEEK_6: 6,
    Stage.FINAL_WEEK: WEEKS, Stage.COMPLETED: WEEKS + 1,
}  # fmt: skip
# How many days before the day a stall sets in, so that it can be called one by then.
LEADS = {
    Stall.PLATEAU: 26, Stall.OVERDUE: 16, Stall.SAME_ERROR: 14, Stall.NO_HAND_IN: 16, Stall.NO_CHECK_IN: 15,
    Stall.SILENT_MENTOR: 12,
}  # fmt: skip
LEAD = 7


@dataclass(frozen=True)
class Plan:
    """What is asked for."""

    stage: Stage
    seed: int
    interns: int
    day: date

    @property
    def starts_on(self) -> date:
        """The Monday on which the cohort begins."""
        return self.day - timedelta(days=self.day.weekday(), weeks=WEEK_OF[self.stage] - 1)

    @property
    def now(self) -> datetime:
        """Until when everything happened: the morning of the day, before anybody is at work."""
        return _at(self.day)

    def rng(self, what: str) -> random.Random:
        """A generator for one part, so that the others do not depend on it."""
        return random.Random(f"{what} {self.seed}")


def _at(day: date) -> datetime:
    return datetime.combine(day, BEFORE_WORK, tzinfo=get_current_timezone())


@transaction.atomic
def build(plan: Plan) -> Cohort:
    """The cohort with its people, at its stage."""
    before = _at(plan.starts_on - timedelta(weeks=10))
    persons = interns()[: plan.interns + TOO_MANY]
    people = accounts_of(persons, now=before)
    versions = {slug: _version(slug, by=people["ada"], now=before) for slug, _ in OFFERS}
    cohort = _cohort(plan, people=people, versions=versions, now=before + timedelta(days=7))
    applicants = [people[person.username] for person in persons]
    _apply(plan, cohort, applicants=applicants)
    if plan.stage == Stage.APPLICATIONS:
        return cohort
    _admit(plan, cohort, people=people)
    if plan.stage == Stage.MATCHING:
        return cohort
    placements.confirm(
        people["ada"], cohort=cohort, seen=proposal_of(cohort).seen, now=_at(plan.starts_on - timedelta(days=4))
    )
    _work(plan, cohort)
    if plan.stage == Stage.COMPLETED:
        _complete(plan, cohort, admin=people["ada"])
    return cohort


def _version(slug: str, *, by: User, now: datetime) -> ProjectVersion:
    """The published project, or else one with its files and without its data, on which nothing can be evaluated."""
    found = latest_versions().filter(project__slug=slug).first()
    if found is not None:
        return found
    directory, manifest = PROJECTS / slug, load_manifest(PROJECTS / slug)
    project = Project.objects.create(slug=slug, title=manifest.project.title, question=manifest.project.question)
    version = ProjectVersion.objects.create(
        project=project,
        number=1,
        # Not the digest of the files: who publishes the project makes another version.
        digest=sha256(f"scenario {digest_tree(directory)}".encode()).hexdigest(),
        manifest=dataclasses.asdict(manifest),
        mode=Mode.TOY,
        image=settings.PRACTICUM_WORKSPACE_IMAGE,
        published_at=now,
        published_by=by,
    )
    shutil.copytree(directory, version.folder / "project", ignore=shutil.ignore_patterns(".*"), dirs_exist_ok=True)
    (version.folder / "public").mkdir(exist_ok=True)
    record("project.published", subject=version, actor=by, now=now, digest=version.digest, mode=str(version.mode))
    return version


def _cohort(plan: Plan, *, people: dict[str, User], versions: dict[str, ProjectVersion], now: datetime) -> Cohort:
    return open_cohort(
        people["ada"],
        slug="scenario",
        name="Scenario cohort",
        starts_on=plan.starts_on,
        apply_until=plan.starts_on - timedelta(weeks=2),
        capacity=plan.interns,
        offers=[(versions[slug].project, people[mentor]) for slug, mentor in OFFERS],
        places=-(-plan.interns // len(OFFERS)),
        now=now,
    )


def _apply(plan: Plan, cohort: Cohort, *, applicants: list[User]) -> None:
    """Everybody applies in the four weeks before the deadline, or as many as have by the day."""
    rng, first = plan.rng("applications"), cohort.starts_on - timedelta(weeks=8)
    for person in applicants:
        at = _at(first) + timedelta(hours=rng.uniform(3, 24 * 7 * 5))
        slugs = [slug for slug, _ in OFFERS]
        answers = Answers(
            background=rng.choice(BACKGROUNDS),
            hours_a_week=rng.choice((8, 10, 12, 15, 20)),
            prerequisites=rng.sample(["ml", "python", "cuda"], rng.randint(1, 3)),
            hardware=rng.choice(("none", "laptop", "laptop", "small", "middle", "large")),
            hardware_note="",
            wishes=rng.sample(["optimisation", "tuning", "networks", "packages", "gpus", "research"], 3),
            wishes_note="",
            ranking=rng.sample(slugs, len(slugs)),
        )
        if at <= plan.now:
            applications.apply(person, cohort=cohort, answers=answers, now=at)


def _admit(plan: Plan, cohort: Cohort, *, people: dict[str, User]) -> None:
    """Places for as many as there are, one more on the waiting list, one declined, one withdrawn; then the proposal."""
    rows = list(Application.objects.filter(cohort=cohort).select_related("cohort", "applicant").order_by("pk"))
    at = _at(cohort.starts_on - timedelta(days=13))
    applications.withdraw(rows[-1], now=at - timedelta(days=2))
    applications.decline(people["ada"], application=rows[-2], reason="Too few hours a week.", now=at)
    for row in rows[:-2]:
        applications.offer_place(people["ada"], application=row, now=at)
    for _, mentor in OFFERS:
        known = [one.application.pk for one in candidates_of(people[mentor], cohort=cohort)]
        ranked = plan.rng(f"ranking {mentor}").sample(known, len(known))
        placements.rank_applicants(people[mentor], cohort=cohort, ranked=ranked, now=at + timedelta(days=3))
    placements.propose(people["ada"], cohort=cohort, now=at + timedelta(days=6))


def _work(plan: Plan, cohort: Cohort) -> None:
    """What everybody did until the day; every third intern has a stall."""
    rng = plan.rng("stalls")
    kinds: list[Stall] = [kind for kind in Stall if kind != Stall.NEVER_BEGUN]
    if plan.stage == Stage.WEEK_1:
        kinds = [Stall.NEVER_BEGUN, Stall.NO_RUN, Stall.IN_LINE]
    rng.shuffle(kinds)
    rows = Internship.objects.filter(cohort=cohort).select_related("intern", "mentor", "cohort", "version__project")
    slots = _slots(len(rows))
    days = min((plan.day - cohort.starts_on).days, (cohort.ends_on - cohort.starts_on).days + 1)
    made = []
    for number, row in enumerate(rows.order_by("intern__username")):
        stall = kinds[number // 3 % len(kinds)] if number % 3 == 1 else None
        needs_gpu = bool(row.version.manifest["budget"]["gpu_gb"])
        if stall == Stall.GPU_UNUSED and not needs_gpu:
            stall = Stall.SAME_ERROR
        told = story(
            f"{plan.seed} {row.intern.username}",
            starts_on=cohort.starts_on,
            days=days,
            milestones=[milestone["week"] for milestone in row.version.manifest["milestones"]],
            stall=stall,
            from_day=max(0, days - LEADS.get(stall, LEAD)) if stall else 0,
        )
        made.append(Place(row, told, slots[SlotKind.GPU if needs_gpu else SlotKind.CPU][number]))
    Ledger(made, seed=plan.seed, keeps_files=True).advance(plan.now)


def _slots(count: int) -> dict[SlotKind, list[Slot]]:
    """A server that is not there any more, with a GPU and a CPU slot for each: leases need one that was."""
    server = Server.objects.create(name="scenario-lab", state=ServerState.OFFLINE)
    makes: dict[SlotKind, Callable[[int], tuple[str, str]]] = {
        SlotKind.GPU: lambda index: (f"GPU-scenario-{index}", "NVIDIA H100"),
        SlotKind.CPU: lambda index: (f"cpu-scenario-{index}", "CPU"),
    }
    found = {}
    for kind, make in makes.items():
        is_gpu = kind == SlotKind.GPU
        pool, _ = Pool.objects.get_or_create(
            slug=f"scenario-{kind}",
            defaults={"name": f"Scenario: {kind.label}s", "kind": PoolKind.GPU if is_gpu else PoolKind.CPU},
        )
        found[kind] = Slot.objects.bulk_create(
            Slot(
                server=server, pool=pool, kind=kind, index=index, uuid=make(index)[0], model=make(index)[1], is_present=False,
                gpu=make(index)[0] if is_gpu else "",
            )
            for index in range(count)
        )  # fmt: skip
    return found


def _complete(plan: Plan, cohort: Cohort, *, admin: User) -> None:
    """Whoever worked until the end is done; who was away ends early, and so does nobody else."""
    for row in Internship.objects.filter(cohort=cohort, state=InternshipState.ACTIVE).select_related("mentor"):
        seen = row.sessions.order_by("-requested_at").first()
        if seen is None or _at(cohort.ends_on) - seen.requested_at > timedelta(days=6):
            end_internship(row, reason="Nobody has heard of them for a week.", actor=admin, now=plan.now)
        else:
            complete_internship(row, actor=row.mentor, now=plan.now)


def left_open(cohort: Cohort) -> dict[str, int]:
    """How many applications and internships are in which state, for the command's last lines."""
    states = [*Application.objects.filter(cohort=cohort).values_list("state", flat=True)]
    found = {str(ApplicationState(state).label): states.count(state) for state in sorted(set(states))}
    states = [*Internship.objects.filter(cohort=cohort).values_list("state", flat=True)]
    return found | {
        f"internship {InternshipState(state).label.lower()}": states.count(state) for state in sorted(set(states))
    }

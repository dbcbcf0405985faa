"""What changes cohorts: making one, its settings, and the projects it offers.

Words: an *offer* is a project with the mentor who would take interns on it, and for how many there are places.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.timezone import localdate

from practicum.accounts.models import Role, User
from practicum.audit.services import record
from practicum.catalog.models import Project
from practicum.errors import Conflict, Invalid
from practicum.internships.applications import move_up
from practicum.internships.models import GOING_ON, Cohort, Entry, Milestone, Offer
from practicum.internships.services import check_admin

LONGEST_COHORT = timedelta(days=2 * 366)
IDLE_MINUTES = (5, 24 * 60)
SESSION_HOURS = (1, 7 * 24)
CAPACITY = (1, 10_000)
PLACES = (1, 1_000)


class UnfitCohort(Invalid):
    """A fact about the cohort can't be used; ``field`` says which."""

    code = "unfit_cohort"


class CohortTaken(Conflict):
    """There is a cohort of this short name; ``field`` is ``slug``."""

    code = "cohort_taken"


@dataclass(frozen=True)
class Settings:
    """What an admin may change about a cohort; ``capacity`` None: as many as come."""

    name: str
    starts_on: date
    ends_on: date
    entry: str
    apply_until: date | None
    capacity: int | None
    about: str
    expected: str
    idle_minutes: int
    is_idle_kept: bool
    session_hours: int


@transaction.atomic
def create_cohort(
    actor: User,
    *,
    name: str,
    slug: str,
    starts_on: date,
    ends_on: date,
    idle_minutes: int,
    is_idle_kept: bool,
    session_hours: int,
    now: datetime,
) -> Cohort:
    """A cohort interns can be put in. ``starts_on`` may lie in the past, so that one in progress can be entered.

    Raises:
        Forbidden: the actor is no admin.
        UnfitCohort: a name, a date or a limit can't be used.
        CohortTaken: the short name is in use.
    """
    check_admin(actor)
    cohort = Cohort(
        name=" ".join(name.split()),
        slug=slug,
        starts_on=starts_on,
        ends_on=ends_on,
        idle_minutes=idle_minutes,
        is_idle_kept=is_idle_kept,
        session_hours=session_hours,
    )
    _check_cohort(cohort)
    _check_not_over(cohort, today=localdate(now))
    try:
        with transaction.atomic():
            cohort.save(force_insert=True)
    except IntegrityError as clash:
        raise CohortTaken(f"There is a cohort with the short name {slug} already.", field="slug") from clash
    record("cohort.created", subject=cohort, actor=actor, now=now, slug=slug)
    return cohort


@transaction.atomic
def change_cohort(actor: User, *, cohort_id: int, settings: Settings, now: datetime) -> list[str]:
    """The cohort is as ``settings`` say; the names of what changed. Milestones ahead move with the first day, and who is
    on the waiting list moves up to places that are new.

    Raises:
        Forbidden: the actor is no admin.
        UnfitCohort: a name, a date or a limit can't be used.
    """
    check_admin(actor)
    cohort = Cohort.objects.select_for_update().get(pk=cohort_id)
    old = {name: getattr(cohort, name) for name in Settings.__dataclass_fields__}
    for name in old:
        setattr(cohort, name, getattr(settings, name))
    cohort.name = " ".join(settings.name.split())
    cohort.about, cohort.expected = settings.about.strip(), settings.expected.strip()
    changed = [name for name, value in old.items() if getattr(cohort, name) != value]
    _check_cohort(cohort)
    if "ends_on" in changed:
        _check_not_over(cohort, today=localdate(now))
    _check_entry(cohort)
    if changed:
        cohort.save(update_fields=changed)
        _move_milestones(cohort, by=cohort.starts_on - old["starts_on"])
        record("cohort.changed", subject=cohort, actor=actor, now=now, changed=changed)
        move_up(cohort, now=now)
    return changed


def _move_milestones(cohort: Cohort, *, by: timedelta) -> None:
    """What is not reached yet in internships that go on falls ``by`` later."""
    if not by:
        return
    rows = Milestone.objects.select_for_update().filter(
        internship__cohort=cohort, internship__state__in=GOING_ON, reached_at__isnull=True
    )
    moved = list(rows)
    for milestone in moved:
        milestone.due_on += by
    Milestone.objects.bulk_update(moved, ["due_on"])


@transaction.atomic
def offer_project(actor: User, *, cohort: Cohort, project: Project, mentor: User, places: int, now: datetime) -> Offer:
    """The cohort offers ``project`` with ``mentor`` to so many; said again, with another number of places.

    Raises:
        Forbidden: the actor is no admin.
        Invalid: the mentor is none, the project has no version, or the number can't be used.
    """
    check_admin(actor)
    if mentor.role != Role.MENTOR or not mentor.is_active:
        raise Invalid(f"{mentor} is no active mentor.", field="mentor")
    if not project.versions.exists():
        raise Invalid(f"{project} is not published yet.", field="project")
    if not _lies_in(places, PLACES):
        raise Invalid("Choose {} to {} places.".format(*PLACES), field="places")
    offer, _ = Offer.objects.update_or_create(
        cohort=cohort, project=project, mentor=mentor, defaults={"places": places}
    )
    record("cohort.project_offered", subject=offer, actor=actor, now=now, project=project.slug, places=places)
    return offer


@transaction.atomic
def withdraw_offer(actor: User, *, offer: Offer, now: datetime) -> None:
    """The cohort offers this no more; who is placed on it stays.

    Raises:
        Forbidden: the actor is no admin.
    """
    check_admin(actor)
    record("cohort.offer_withdrawn", subject=offer, actor=actor, now=now, project=offer.project.slug)
    offer.delete()


@transaction.atomic
def withdraw_offers_of(mentor: User, *, now: datetime) -> None:
    """No cohort that goes on or is to come offers a project with this mentor; who is placed stays."""
    for offer in Offer.objects.filter(mentor=mentor, cohort__ends_on__gte=localdate(now)).select_related("project"):
        record("cohort.offer_withdrawn", subject=offer, actor=None, now=now, project=offer.project.slug)
        offer.delete()


def _check_cohort(cohort: Cohort) -> None:
    try:
        cohort.clean_fields()
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise UnfitCohort(messages[0], field=field) from None
    length = cohort.ends_on - cohort.starts_on
    refusals = (
        (length <= timedelta(0), "ends_on", "The cohort must end after it begins."),
        (length > LONGEST_COHORT, "ends_on", "A cohort lasts two years at most."),
        (
            not _lies_in(cohort.idle_minutes, IDLE_MINUTES),
            "idle_minutes",
            "Choose {} to {} minutes.".format(*IDLE_MINUTES),
        ),
        (
            not _lies_in(cohort.session_hours, SESSION_HOURS),
            "session_hours",
            "Choose {} to {} hours.".format(*SESSION_HOURS),
        ),
    )
    _refuse_first(refusals)


def _check_not_over(cohort: Cohort, *, today: date) -> None:
    _refuse_first([(cohort.ends_on < today, "ends_on", "This cohort would be over already.")])


def _check_entry(cohort: Cohort) -> None:
    until, capacity = cohort.apply_until, cohort.capacity
    refusals = (
        (
            cohort.entry != Entry.CLOSED and until is None,
            "apply_until",
            "Say until when people may apply, or let nobody apply.",
        ),
        (until is not None and until > cohort.ends_on, "apply_until", "That is after the cohort's last day."),
        (
            capacity is not None and not _lies_in(capacity, CAPACITY),
            "capacity",
            "Choose {} to {} people, or nothing.".format(*CAPACITY),
        ),
    )
    _refuse_first(refusals)


def _refuse_first(refusals: Iterable[tuple[bool, str, str]]) -> None:
    for is_refused, field, message in refusals:
        if is_refused:
            raise UnfitCohort(message, field=field)


def _lies_in(value: int, ends: tuple[int, int]) -> bool:
    return ends[0] <= value <= ends[1]

"""Scenarios: seven stages, the same rows from the same seed and day, and only in a demo's empty database."""

from __future__ import annotations

from datetime import date
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import models, transaction

from practicum.accounts.models import User
from practicum.audit.models import Record
from practicum.config.demo.scenario import Plan, Stage, build
from practicum.evaluation.models import Run, Score
from practicum.gpus.models import LIVE_STATES, Lease, LeaseUse
from practicum.internships.models import Application, CheckIn, Internship, Milestone, Placement
from practicum.portal.attention import rows_for
from practicum.reviews.models import Review
from practicum.submissions.models import Submission
from practicum.workspaces.models import OPEN_SESSION_STATES, Session
from tests.conftest import make_user

DAY = date(2026, 11, 26)  # a Thursday
DRAWN = (Application, Internship, Milestone, CheckIn, Lease, LeaseUse, Session, Submission, Run, Score, Review)


@pytest.fixture(autouse=True)
def demo(settings: Any) -> None:
    """The place where a scenario may be."""
    settings.PRACTICUM_ENV = "demo"


def plan(stage: Stage, **changes: Any) -> Plan:
    return Plan(**({"stage": stage, "seed": 1, "interns": 6, "day": DAY} | changes))


def rows() -> dict[str, list[tuple[Any, ...]]]:
    """What was drawn, without the numbers that the database gave."""

    def fields(model: type[models.Model]) -> list[str]:
        return [one.name for one in model._meta.concrete_fields if not (one.is_relation or one.primary_key)]

    return {model.__name__: list(model._default_manager.order_by("pk").values_list(*fields(model))) for model in DRAWN}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "week", "states"),
    [
        (Stage.APPLICATIONS, 0, {"received"}),
        (Stage.MATCHING, 0, {"offered", "waitlisted", "declined", "withdrawn"}),
        (Stage.WEEK_1, 1, {"placed", "waitlisted", "declined", "withdrawn"}),
        (Stage.FINAL_WEEK, 8, {"placed", "waitlisted", "declined", "withdrawn"}),
        (Stage.COMPLETED, 9, {"placed", "waitlisted", "declined", "withdrawn"}),
    ],
)
def test_a_stage_is_what_its_name_says(db: None, stage: Stage, week: int, states: set[str]) -> None:
    cohort = build(plan(stage))

    assert cohort.week(today=DAY) == week
    assert set(Application.objects.values_list("state", flat=True)) == states
    placed = Internship.objects.count()
    assert placed == (6 if week else 0)
    assert Placement.objects.filter(confirmed_at__isnull=True).count() == (6 if stage == Stage.MATCHING else 0)
    over = Internship.objects.filter(state__in=("completed", "ended")).count()
    assert over == (placed if stage == Stage.COMPLETED else 0)
    # Nothing lies ahead of the day, and nothing is left open that a worker would take up or mend.
    now = plan(stage).now
    assert not Record.objects.filter(at__gt=now).exists()
    assert not Submission.objects.filter(received_at__gt=now).exists()
    assert not Lease.objects.filter(state__in=("queued", *LIVE_STATES)).exists()
    assert not Session.objects.filter(state__in=OPEN_SESSION_STATES).exists()
    assert all((one.folder / "predict.py").is_file() for one in Submission.objects.all())


def test_the_third_week_has_work_of_every_kind_and_somebody_on_the_board(db: None) -> None:
    build(plan(Stage.WEEK_3, interns=9))

    assert all(drawn for drawn in rows().values())
    assert Run.objects.filter(state="failed").exists()
    board = rows_for(User.objects.get(username="ada"), now=plan(Stage.WEEK_3).now)
    assert len(board) == Internship.objects.filter(state="active").count() >= 8
    assert 1 <= sum(bool(row.signals) for row in board) <= 6


@pytest.mark.slow
def test_the_same_seed_and_day_make_the_same_rows_and_another_seed_makes_others(db: None) -> None:
    def drawn(**changes: Any) -> dict[str, list[tuple[Any, ...]]]:
        with transaction.atomic():
            build(plan(Stage.WEEK_3, **changes))
            found = rows()
            transaction.set_rollback(True)
        return found

    first = drawn()

    assert drawn() == first
    assert drawn(seed=2) != first


def test_it_says_what_there_is_and_refuses_to_be_mixed_with_anything_else(db: None) -> None:
    said = StringIO()
    call_command("scenario", "matching", "--interns", "6", "--day", "2026-11-26", stdout=said)
    assert "Scenario cohort, matching: 2026-11-30 to 2027-01-22, as of 2026-11-26" in said.getvalue()
    assert "  6 Has a place" in said.getvalue()

    with pytest.raises(CommandError, match="There is a cohort in this database"):
        call_command("scenario", "matching")


def test_it_refuses_a_database_with_other_people(db: None) -> None:
    make_user("paul", role="intern", name="Paul Peer")

    with pytest.raises(CommandError, match="1 accounts here are none of the demo's"):
        call_command("scenario", "week-3")


def test_it_refuses_a_site_that_is_no_demo(db: None, settings: Any) -> None:
    settings.PRACTICUM_ENV = "production"

    with pytest.raises(CommandError, match="demo only"):
        call_command("scenario", "week-3")


@pytest.mark.parametrize(
    "arguments", [("week-2",), ("week-3", "--interns", "5"), ("week-3", "--interns", "31"), ("week-3", "--day", "now")]
)
def test_it_refuses_what_it_cannot_draw(db: None, arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        call_command("scenario", *arguments)
    assert not User.objects.exists()

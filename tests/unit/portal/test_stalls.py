"""Both bounds of the board on simulated cohorts: each stall within 48 hours with its reason, and few false alarms."""

from __future__ import annotations

from typing import Any

import pytest

from practicum.config.demo.simulation import HandIn, Stall, Story, Visit, story
from tests.unit.portal import stalls

SEEDS = 2


def stories(stall: Stall) -> list[Story]:
    """Many with this stall, those in which it began."""
    made = [
        story(
            f"{seed}", starts_on=stalls.STARTS_ON, days=stalls.DAYS, milestones=stalls.DUE_IN, stall=stall, from_day=20
        )
        for seed in range(400)
    ]
    return [told for told in made if told.begins_at is not None]


@pytest.mark.slow
@pytest.mark.parametrize("stall", Stall)
def test_no_stall_begins_before_the_first_thing_was_missed(stall: Stall) -> None:
    made = stories(stall)
    assert len(made) > 100
    assert [told for told in made if told.missed_at is None or told.begins_at < told.missed_at] == []  # type: ignore[operator]


def test_of_two_empty_notebooks_in_a_row_neither_has_a_commit() -> None:
    for told in stories(Stall.NO_RUN):
        visits = [event for event in told.events if isinstance(event, Visit)]
        second = next(place for place, visit in enumerate(visits) if visit.asked_at == told.begins_at)
        assert [(visit.has_run, visit.committed_at) for visit in visits[second - 1 : second + 1]] == [(False, None)] * 2


def test_a_plateau_begins_after_five_scores_since_a_best() -> None:
    for told in stories(Stall.PLATEAU):
        scores = [event for event in told.events if isinstance(event, HandIn) and event.rung is not None]
        known = [one.rung or 0.0 for one in scores if told.begins_at is not None and one.at <= told.begins_at]
        assert len(known) - 1 - known.index(max(known)) >= 5


@pytest.mark.slow
def test_every_stall_is_on_the_board_within_48_hours_with_its_reason_and_few_alarms_are_false(admin: Any) -> None:
    made = stalls.places(seeds=SEEDS, admin=admin, healthy=2, days=stalls.SHORT)

    outcome = stalls.play(made, admin=admin, days=stalls.SHORT)

    assert {one.stall for one in outcome.detections} == set(Stall)
    assert [one for one in outcome.detections if not (one.is_in_time and one.is_right)] == []
    assert outcome.alarms_per_ten_a_week < 1.0, outcome.false_alarms

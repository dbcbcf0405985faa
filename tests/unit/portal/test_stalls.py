"""Both bounds of the board on simulated cohorts: each stall within 48 hours with its reason, and few false alarms."""

from __future__ import annotations

from typing import Any

from practicum.config.demo.simulation import Stall
from tests.unit.portal import stalls

SEEDS = 2


def test_every_stall_is_on_the_board_within_48_hours_with_its_reason_and_few_alarms_are_false(admin: Any) -> None:
    made = stalls.places(seeds=SEEDS, admin=admin, healthy=2, days=stalls.SHORT)

    outcome = stalls.play(made, admin=admin, days=stalls.SHORT)

    assert {one.stall for one in outcome.detections} == set(Stall)
    assert [one for one in outcome.detections if not (one.is_in_time and one.is_right)] == []
    assert outcome.alarms_per_ten_a_week < 1.0, outcome.false_alarms

"""What a review may say and when, as decision tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from practicum.errors import Conflict, Invalid, PracticumError
from practicum.reviews import rules

NOW = datetime(2026, 3, 18, 10, 0, tzinfo=UTC)
OPEN = rules.Standing(internship_active=True, is_latest=True, is_scored=True, is_decided=False)
RUBRIC = [{"name": "method", "points": 5}, {"name": "writing", "points": 3}]


@pytest.mark.parametrize(
    ("decision", "standing", "summary", "refusal"),
    [
        ("accepted", OPEN, "", None),
        ("changes", OPEN, "Show the spread.", None),
        ("changes", replace(OPEN, is_scored=False), "It did not run.", None),
        ("changes", OPEN, "  ", Invalid),
        ("open", OPEN, "x", Invalid),
        ("", OPEN, "x", Invalid),
        ("accepted", OPEN, "x" * 8_001, Invalid),
        ("accepted", replace(OPEN, is_scored=False), "", Conflict),
        ("accepted", replace(OPEN, is_latest=False), "", Conflict),
        ("changes", replace(OPEN, is_latest=False), "x", Conflict),
        ("accepted", replace(OPEN, is_decided=True), "", Conflict),
        ("changes", replace(OPEN, internship_active=False), "x", Conflict),
    ],
)
def test_a_decision_passes_only_on_the_open_latest_submission(
    decision: str, standing: rules.Standing, summary: str, refusal: type[PracticumError] | None
) -> None:
    if refusal is None:
        rules.check_decision(decision, standing=standing, summary=summary)
    else:
        with pytest.raises(refusal):
            rules.check_decision(decision, standing=standing, summary=summary)


@pytest.mark.parametrize(
    ("given", "complete", "kept"),
    [
        ({"method": 5, "writing": 0}, True, {"method": 5, "writing": 0}),
        ({"writing": 3, "method": 1}, True, {"method": 1, "writing": 3}),
        ({"method": 2}, False, {"method": 2}),
        ({}, False, {}),
        ({"method": 2}, True, None),
        ({"method": 6, "writing": 0}, True, None),
        ({"method": -1, "writing": 0}, True, None),
        ({"method": 2.5, "writing": 0}, True, None),
        ({"method": "5", "writing": 0}, True, None),
        ({"method": True, "writing": 0}, True, None),
        ({"method": 5, "writing": 0, "charm": 9}, True, None),
        ({"charm": 1}, False, None),
    ],
)
def test_points_are_whole_numbers_within_the_rubric(
    given: dict[str, object], complete: bool, kept: dict[str, int] | None
) -> None:
    if kept is None:
        with pytest.raises(Invalid):
            rules.check_rubric(given, rubric=RUBRIC, complete=complete)
    else:
        points = rules.check_rubric(given, rubric=RUBRIC, complete=complete)
        assert points == kept
        assert list(points) == [item["name"] for item in RUBRIC if item["name"] in kept]


@pytest.mark.parametrize(
    ("body", "so_far", "kept"),
    [
        ("  Why? ", 0, "Why?"),
        ("x" * 4_000, 499, "x" * 4_000),
        ("", 0, None),
        (" \n", 0, None),
        ("x" * 4_001, 0, None),
        ("x", 500, None),
    ],
)
def test_a_comment_says_something_of_bounded_length(body: str, so_far: int, kept: str | None) -> None:
    if kept is None:
        with pytest.raises(Invalid):
            rules.check_comment(body, so_far=so_far)
    else:
        assert rules.check_comment(body, so_far=so_far) == kept


DECIDED = replace(OPEN, is_decided=True)


@pytest.mark.parametrize(
    ("standing", "is_author", "minutes", "passes"),
    [
        (DECIDED, True, 0, True),
        (DECIDED, True, 10, True),
        (DECIDED, True, 11, False),
        (DECIDED, False, 1, False),
        (DECIDED, True, None, False),
        (OPEN, True, 1, False),
        (replace(DECIDED, is_latest=False), True, 1, False),
        (replace(DECIDED, internship_active=False), True, 1, False),
    ],
)
def test_a_decision_is_taken_back_only_by_its_author_while_it_is_fresh(
    standing: rules.Standing, is_author: bool, minutes: int | None, passes: bool
) -> None:
    decided_at = None if minutes is None else NOW - timedelta(minutes=minutes)
    if passes:
        rules.check_undo(standing=standing, is_author=is_author, decided_at=decided_at, now=NOW)
    else:
        with pytest.raises(Conflict):
            rules.check_undo(standing=standing, is_author=is_author, decided_at=decided_at, now=NOW)

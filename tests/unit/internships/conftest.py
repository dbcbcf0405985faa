"""A cohort that takes applications, and what an applicant answers."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.core.cache import cache

from practicum.internships.applications import Answers
from tests.conftest import make_user
from tests.unit.gpus.conftest import shared_database as shared_database

ANSWERS = Answers(
    background="I have trained small networks.",
    hours_a_week=12,
    prerequisites=["ml", "python"],
    hardware="small",
    hardware_note="",
    wishes=["gpus"],
    wishes_note="",
    ranking=["digits"],
)


@pytest.fixture(autouse=True)
def no_counters(settings: Any) -> None:
    """Counters of requests begin at nothing."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    cache.clear()


@pytest.fixture
def open_cohort(cohort: Any, version: Any) -> Any:
    """Everybody may apply until the day after ``NOW``; there are two places."""
    cohort.entry, cohort.apply_until, cohort.capacity = "open", date(2026, 3, 19), 2
    cohort.save()
    return cohort


@pytest.fixture
def applicants(db: None) -> list[Any]:
    """Four people without an internship."""
    return [make_user(f"app{number}", role="intern", name=f"Applicant {number}") for number in range(1, 5)]

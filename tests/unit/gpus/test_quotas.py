"""Setting quotas: all or nothing, against what was found, with a record."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import Any

import pytest

from practicum.audit.models import Record
from practicum.errors import Forbidden, NotFound
from practicum.gpus import quotas
from practicum.gpus.models import Pool, Quota, Slot
from practicum.gpus.quota_rules import Terms
from practicum.gpus.quota_selectors import grid, terms_of
from practicum.gpus.quotas import Change, QuotasMoved, UnfitQuotas, set_quotas
from tests.unit.gpus.conftest import make_slots, meet_before
from tests.unit.gpus.test_concurrency import at_once

FOUR = Terms(guaranteed=4, weight=2.0, borrowing_limit=2, lending_limit=1, per_intern=1, session_hours=8)


@pytest.fixture
def pool(db: None) -> Pool:
    """Eight GPUs."""
    return make_slots(8)[0].pool


def change(cohort: Any, pool: Pool, before: Terms | None, after: Terms | None) -> Change:
    return Change(cohort_id=cohort.pk, pool_id=pool.pk, before=before, after=after)


def test_a_quota_is_made_changed_and_taken_away_each_with_a_record(
    pool: Pool, cohort: Any, admin: Any, now: datetime
) -> None:
    dated = replace(FOUR, from_on=date(2026, 3, 1), to_on=date(2026, 4, 1))
    for before, after in ((None, FOUR), (FOUR, dated), (dated, None)):
        assert set_quotas([change(cohort, pool, before, after)], actor=admin, now=now) == 1
        assert terms_of(Quota.objects.first()) == after

    records = list(Record.objects.order_by("id"))
    assert [row.verb for row in records] == ["quota.set", "quota.set", "quota.removed"]
    assert records[1].facts == {
        "cohort": "spring",
        "pool": "h100",
        "before": {
            "guaranteed": 4,
            "weight": 2.0,
            "borrowing_limit": 2,
            "lending_limit": 1,
            "per_intern": 1,
            "session_hours": 8,
        },
        "after": {**records[1].facts["before"], "from_on": "2026-03-01", "to_on": "2026-04-01"},
    }
    assert records[2].facts["after"] is None
    assert {row.actor for row in records} == {admin}


def test_only_an_admin_sets_quotas(pool: Pool, cohort: Any, mentor: Any, intern: Any, now: datetime) -> None:
    for person in (mentor, intern):
        with pytest.raises(Forbidden):
            set_quotas([change(cohort, pool, None, FOUR)], actor=person, now=now)
    assert not Quota.objects.exists()


def test_an_unknown_pool_or_cohort_is_not_found(pool: Pool, cohort: Any, admin: Any, now: datetime) -> None:
    for wrong in ({"pool_id": 999}, {"cohort_id": 999}):
        with pytest.raises(NotFound):
            set_quotas([replace(change(cohort, pool, None, FOUR), **wrong)], actor=admin, now=now)


def test_guarantees_above_the_slots_are_refused_with_the_arithmetic_and_nothing_is_written(
    pool: Pool, cohort: Any, other_cohort: Any, admin: Any, now: datetime
) -> None:
    set_quotas([change(cohort, pool, None, FOUR)], actor=admin, now=now)
    with pytest.raises(UnfitQuotas) as refused:
        set_quotas(
            [change(cohort, pool, FOUR, replace(FOUR, weight=9.0)), change(other_cohort, pool, None, Terms(5))],
            actor=admin,
            now=now,
        )
    assert refused.value.facts["pools"] == {pool.pk: "4 + 5 = 9 slots are guaranteed today, and the pool has 8."}
    assert terms_of(Quota.objects.get()) == FOUR


def test_a_sum_that_breaks_only_later_is_refused_for_that_day(
    pool: Pool, cohort: Any, other_cohort: Any, admin: Any, now: datetime
) -> None:
    later = Terms(5, from_on=date(2026, 5, 4))
    with pytest.raises(UnfitQuotas) as refused:
        set_quotas([change(cohort, pool, None, FOUR), change(other_cohort, pool, None, later)], actor=admin, now=now)
    assert "4 + 5 = 9 slots are guaranteed on 4 May" in refused.value.facts["pools"][pool.pk]  # type: ignore[index]


def test_slots_that_are_listed_no_more_do_not_count_and_a_pool_that_lost_some_can_be_eased(
    pool: Pool, cohort: Any, admin: Any, now: datetime
) -> None:
    set_quotas([change(cohort, pool, None, Terms(8))], actor=admin, now=now)
    Slot.objects.filter(index__gte=4).update(is_present=False)
    set_quotas([change(cohort, pool, Terms(8), Terms(6))], actor=admin, now=now)
    with pytest.raises(UnfitQuotas):
        set_quotas([change(cohort, pool, Terms(6), Terms(7))], actor=admin, now=now)
    set_quotas([change(cohort, pool, Terms(6), Terms(4))], actor=admin, now=now)
    with pytest.raises(UnfitQuotas, match="does not work out"):
        set_quotas([change(cohort, pool, Terms(4), Terms(5))], actor=admin, now=now)


def test_unfit_terms_are_refused_by_cell_and_field(pool: Pool, cohort: Any, admin: Any, now: datetime) -> None:
    with pytest.raises(UnfitQuotas) as refused:
        set_quotas([change(cohort, pool, None, Terms(2, lending_limit=3, per_intern=0))], actor=admin, now=now)
    cells: Any = refused.value.facts["cells"]
    assert [field for field, _ in cells[cohort.pk, pool.pk]] == ["lending_limit", "per_intern"]


@pytest.mark.parametrize(
    ("found", "there_is"),
    [(None, Terms(3)), (Terms(2), Terms(3)), (Terms(2), None), (Terms(3, weight=1.5), Terms(3))],
)
def test_what_somebody_else_changed_meanwhile_is_kept(
    pool: Pool, cohort: Any, admin: Any, now: datetime, found: Terms | None, there_is: Terms | None
) -> None:
    if there_is is not None:
        set_quotas([change(cohort, pool, None, there_is)], actor=admin, now=now)
    with pytest.raises(QuotasMoved) as moved:
        set_quotas([change(cohort, pool, found, Terms(7))], actor=admin, now=now)
    assert moved.value.facts["cells"] == [(cohort.pk, pool.pk)]
    assert terms_of(Quota.objects.first()) == there_is


def test_a_quota_that_is_gone_is_not_taken_away_twice(pool: Pool, cohort: Any, admin: Any, now: datetime) -> None:
    with pytest.raises(QuotasMoved):
        set_quotas([change(cohort, pool, None, None)], actor=admin, now=now)


def test_two_admins_at_once_never_promise_more_than_there_is(
    shared_database: None, cohort: Any, other_cohort: Any, admin: Any, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = make_slots(8)[0].pool
    meet_before(monkeypatch, module=quotas, name="_write")

    results = at_once(
        [
            lambda whose=whose: set_quotas([change(whose, pool, None, Terms(5))], actor=admin, now=now)  # type: ignore[misc]
            for whose in (cohort, other_cohort)
        ]
    )

    assert sorted(str(getattr(result, "code", result)) for result in results) == ["1", "unfit_quotas"]
    assert Quota.objects.get().guaranteed == 5


def test_the_grid_shows_cohorts_that_are_not_over_and_those_whose_quota_still_counts(
    pool: Pool, cohort: Any, other_cohort: Any, admin: Any, now: datetime
) -> None:
    over = date(2026, 5, 1)
    assert grid(today=over).cohorts == []
    set_quotas(
        [change(cohort, pool, None, Terms(1)), change(other_cohort, pool, None, Terms(1, to_on=date(2026, 4, 30)))],
        actor=admin,
        now=now,
    )
    assert grid(today=over).cohorts == [cohort]
    assert grid(today=date(2026, 4, 26)).cohorts == [cohort, other_cohort]


def test_guarantees_that_do_not_fit_in_whole_shared_gpus_are_refused(
    pool: Pool, cohort: Any, other_cohort: Any, admin: Any, now: datetime
) -> None:
    for n, slot in enumerate(Slot.objects.order_by("pk")):
        Slot.objects.filter(pk=slot.pk).update(uuid=f"GPU-{n // 4}", part=n % 4, parts=4)
    set_quotas([change(cohort, pool, None, Terms(guaranteed=4))], actor=admin, now=now)
    with pytest.raises(UnfitQuotas) as refused:
        set_quotas(
            [
                change(cohort, pool, Terms(guaranteed=4), Terms(guaranteed=2)),
                change(other_cohort, pool, None, Terms(5)),
            ],
            actor=admin,
            now=now,
        )
    assert "1 + 2 = 3 GPUs are needed, and the pool has 2." in str(refused.value.facts["pools"])
    assert Quota.objects.get().guaranteed == 4

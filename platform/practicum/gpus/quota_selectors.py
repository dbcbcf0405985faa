"""Questions about pools and quotas, for the admin's matrix: cohorts down, pools across."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import date

from django.db.models import Count, Max, Q, QuerySet

from practicum.gpus.models import Pool, Quota
from practicum.gpus.quota_rules import Share, Terms
from practicum.internships.models import Cohort

Cell = tuple[int, int]  # the ids of a cohort and a pool


@dataclass(frozen=True)
class PoolLine:
    """A pool, the slots its servers list, how many of them are out of order, and how many are parts of one GPU."""

    pool: Pool
    slots: int
    faulty: int
    parts: int = 1


@dataclass(frozen=True)
class Grid:
    """All that the matrix shows: ``terms`` has an entry only where there is a quota."""

    pools: list[PoolLine]
    cohorts: list[Cohort]
    terms: dict[Cell, Terms]

    def shares(self, pool_id: int) -> list[Share]:
        """What is guaranteed of a pool, in the order of the cohorts' ids."""
        quotas = sorted((cell, terms) for cell, terms in self.terms.items() if cell[1] == pool_id)
        return [Share(terms.guaranteed, terms.from_on, terms.to_on) for _cell, terms in quotas]


def terms_of(quota: Quota | None) -> Terms | None:
    """What a quota says, as plain values."""
    return None if quota is None else Terms(**{field.name: getattr(quota, field.name) for field in fields(Terms)})


def grid(*, today: date) -> Grid:
    """Pools that have slots or a quota; cohorts that are not over, or whose quota still counts."""
    quotas = list(Quota.objects.all())
    used = {quota.pool_id for quota in quotas}
    return Grid(
        pools=[line for line in pool_lines() if line.slots or line.pool.pk in used],
        cohorts=list(_cohorts(today=today)),
        terms={(quota.cohort_id, quota.pool_id): terms for quota in quotas if (terms := terms_of(quota)) is not None},
    )


def pool_lines() -> list[PoolLine]:
    """Every pool with its slots."""
    listed = Q(slots__is_present=True)
    counted = Pool.objects.annotate(
        listed=Count("slots", filter=listed),
        broken=Count("slots", filter=listed & ~Q(slots__fault="")),
        parts=Max("slots__parts"),
    )
    return [PoolLine(pool=pool, slots=pool.listed, faulty=pool.broken, parts=pool.parts or 1) for pool in counted]


def slots_of_pools(pool_ids: Collection[int]) -> dict[int, int]:
    """How many slots the servers list in each of these pools."""
    counted = Pool.objects.filter(pk__in=pool_ids).annotate(listed=Count("slots", filter=Q(slots__is_present=True)))
    return {pool.pk: pool.listed for pool in counted}


def _cohorts(*, today: date) -> QuerySet[Cohort]:
    counts = Quota.objects.filter(Q(to_on__isnull=True) | Q(to_on__gte=today))
    return Cohort.objects.filter(Q(ends_on__gte=today) | Q(pk__in=counts.values("cohort"))).order_by("pk")

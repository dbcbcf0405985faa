"""What changes quotas. A change says what it found and what is to be: what somebody else changed meanwhile is kept.

The pools of a change are locked first, so that two admins can't together promise more than a pool has.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import F, Model, QuerySet
from django.utils.timezone import localdate

from practicum.accounts.models import User
from practicum.audit.services import record
from practicum.errors import Conflict, Forbidden, Invalid, NotFound
from practicum.gpus import quota_rules
from practicum.gpus.models import Pool, Quota
from practicum.gpus.quota_rules import Share, Terms
from practicum.gpus.quota_selectors import Cell, pool_lines, terms_of
from practicum.internships.models import Cohort

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True)
class Change:
    """The quota of a cohort on a pool is to go from ``before``, as it was found, to ``after``; None is no quota."""

    cohort_id: int
    pool_id: int
    before: Terms | None
    after: Terms | None

    @property
    def cell(self) -> Cell:
        """Where in the matrix it is."""
        return (self.cohort_id, self.pool_id)


class QuotasMoved(Conflict):
    """Somebody else changed some of the quotas meanwhile; ``cells`` says which."""

    code = "quotas_moved"


class UnfitQuotas(Invalid):
    """``cells`` maps a cell to its fields' refusals, ``pools`` a pool's id to the sum that does not work out."""

    code = "unfit_quotas"


@transaction.atomic
def set_quotas(changes: Sequence[Change], *, actor: User, now: datetime) -> int:
    """Make all the changes, or none; returns how many there were. The pools they are about are locked.

    Raises:
        Forbidden: the actor is no admin.
        NotFound: a cohort or pool is not there.
        QuotasMoved: a quota is not what the change found.
        UnfitQuotas: a quota can't be as it is to be, or the guarantees of a pool need more slots or GPUs than it has.
    """
    if not (actor.is_admin and actor.is_active):
        raise Forbidden("Only admins divide the slots between cohorts.")
    pools = _by_id(Pool.objects.select_for_update(), {change.pool_id for change in changes})
    cohorts = _by_id(Cohort.objects.all(), {change.cohort_id for change in changes})
    rows = {(row.cohort_id, row.pool_id): row for row in Quota.objects.filter(pool__in=pools)}
    _refuse_moved(changes, rows=rows)
    _refuse_unfit(changes, rows=rows, today=localdate(now))
    for change in changes:
        quota = _write(change, row=rows.get(change.cell))
        verb = "quota.removed" if change.after is None else "quota.set"
        where = {"cohort": cohorts[change.cohort_id].slug, "pool": pools[change.pool_id].slug}
        record(
            verb,
            subject=quota,
            actor=actor,
            now=now,
            **where,
            before=_facts(change.before),
            after=_facts(change.after),
        )
    # Who decided on the quotas as they were decides anew.
    Pool.objects.filter(pk__in=pools).update(turn=F("turn") + 1)
    return len(changes)


def _by_id(rows: QuerySet[Row], ids: set[int]) -> dict[int, Row]:
    """In the order of their ids, so that two transactions lock in the same order."""
    found = {row.pk: row for row in rows.filter(pk__in=ids).order_by("pk")}
    if len(found) != len(ids):
        raise NotFound("There is no such cohort or pool any more.")
    return found


def _refuse_moved(changes: Sequence[Change], *, rows: Mapping[Cell, Quota]) -> None:
    moved = [change.cell for change in changes if terms_of(rows.get(change.cell)) != change.before]
    if moved:
        raise QuotasMoved("Somebody else changed quotas meanwhile. Nothing of yours is saved yet.", cells=moved)


def _refuse_unfit(changes: Sequence[Change], *, rows: Mapping[Cell, Quota], today: date) -> None:
    cells: dict[Cell, list[tuple[str, str]]] = {}
    for change in changes:
        refusals = [] if change.after is None else quota_rules.unfit(change.after, today=today)
        if refusals:
            cells[change.cell] = refusals
    before = {cell: terms for cell, row in rows.items() if (terms := terms_of(row)) is not None}
    after: dict[Cell, Terms | None] = {**before, **{change.cell: change.after for change in changes}}
    old, new = _shares(before), _shares(after)
    pools: dict[int, str] = {}
    changed = {change.pool_id for change in changes}
    for line in (line for line in pool_lines() if line.pool.pk in changed):
        overrun = quota_rules.first_overrun(
            new[line.pool.pk], slots=line.slots, parts=line.parts, since=today, before=old[line.pool.pk]
        )
        if overrun is not None:
            pools[line.pool.pk] = overrun.sentence(today=today)
    if cells or pools:
        raise UnfitQuotas("Nothing is saved yet: some of it does not work out.", cells=cells, pools=pools)


def _shares(terms: Mapping[Cell, Terms | None]) -> dict[int, list[Share]]:
    """The shares of each pool, in the order of the cohorts."""
    shares: dict[int, list[Share]] = defaultdict(list)
    for (_cohort, pool), quota in sorted(terms.items(), key=lambda entry: entry[0]):
        if quota is not None:
            shares[pool].append(Share(quota.guaranteed, quota.from_on, quota.to_on))
    return shares


def _write(change: Change, *, row: Quota | None) -> Quota:
    if row is None or change.before is None:
        if change.after is None:
            raise QuotasMoved("There is no such quota any more.", cells=[change.cell])
        return Quota.objects.create(cohort_id=change.cohort_id, pool_id=change.pool_id, **asdict(change.after))
    as_found = Quota.objects.filter(pk=row.pk, **asdict(change.before))
    moved = as_found.delete()[0] if change.after is None else as_found.update(**asdict(change.after))
    if not moved:
        raise QuotasMoved("Somebody else changed this quota meanwhile.", cells=[change.cell])
    return row


def _facts(terms: Terms | None) -> dict[str, Any] | None:
    if terms is None:
        return None
    facts = {name: value.isoformat() if isinstance(value, date) else value for name, value in asdict(terms).items()}
    return {name: value for name, value in facts.items() if value is not None}

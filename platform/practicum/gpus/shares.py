"""How many slots each party is due: guarantees first, then the rest by weight to those who want more (max-min).

The definition: x_i = min(q_i, d_i) + b_i, where q is the guarantee, d the demand (held and asked for), and b fills what is
left like water, level with weight, up to what each wants and may borrow. Source: weighted max-min fairness by progressive
filling (Bertsekas and Gallager, Data Networks, 6.5.2), with a guaranteed part as in Kueue and Volcano.
"""

from __future__ import annotations

from collections.abc import Mapping

from practicum.gpus.facts import Quota

Cohort = int | None


def water_fill(
    amount: float, *, wanted: Mapping[Cohort, float], weights: Mapping[Cohort, float]
) -> dict[Cohort, float]:
    """Split ``amount`` so that shares by weight are level, except where somebody wants less than the level."""
    shares = dict.fromkeys(wanted, 0.0)
    left, weight_left = amount, sum(weights[party] for party, want in wanted.items() if want > 0)
    for party in sorted(wanted, key=lambda party: wanted[party] / weights[party]):
        if wanted[party] <= 0 or left <= 0:
            continue
        shares[party] = min(wanted[party], left * weights[party] / weight_left)
        left -= shares[party]
        weight_left -= weights[party]
    return shares


def entitlements(
    *,
    capacity: int,
    demand: Mapping[Cohort, int],
    quotas: Mapping[Cohort, Quota],
    reserved: Mapping[Cohort, int] | None = None,
) -> dict[Cohort, float]:
    """What each party with demand is due now of a pool's ``capacity`` online slots.

    ``demand``: slots held and asked for; ``reserved``: slots of reservations that run, which come first and are not lent.
    Where servers are down and guarantees exceed what is left, what is left is shared by guarantee.
    """
    reserved = reserved or {}
    parties = [party for party in demand if demand[party] > 0]
    booked = {party: float(min(demand[party], reserved.get(party, 0))) for party in parties}
    left = max(0.0, capacity - sum(reserved.values()))
    own = {party: float(min(_guaranteed(quotas.get(party)), demand[party] - booked[party])) for party in parties}
    if sum(own.values()) > left:
        by_guarantee = {party: float(_guaranteed(quotas.get(party)) or 1) for party in parties}
        own = water_fill(left, wanted=own, weights=by_guarantee)
    left -= sum(own.values()) + sum(_not_lent(quota, own.get(party, 0.0)) for party, quota in quotas.items())
    wanted = {
        party: min(demand[party] - booked[party] - own[party], _may_borrow(quotas.get(party))) for party in parties
    }
    weights = {party: quotas[party].weight if party in quotas else 1.0 for party in parties}
    borrowed = water_fill(max(0.0, left), wanted=wanted, weights=weights)
    return {party: booked[party] + own[party] + borrowed[party] for party in parties}


def _guaranteed(quota: Quota | None) -> int:
    return quota.guaranteed if quota else 0


def _not_lent(quota: Quota, used: float) -> float:
    return 0.0 if quota.lending_limit is None else max(0.0, quota.guaranteed - quota.lending_limit - used)


def _may_borrow(quota: Quota | None) -> float:
    return float("inf") if quota is None or quota.borrowing_limit is None else float(quota.borrowing_limit)

"""Who comes to which place: deferred acceptance, with applicants proposing. Pure.

Source: D. Gale and L. S. Shapley, "College Admissions and the Stability of Marriage", American Mathematical Monthly
69 (1962), 9-15, https://doi.org/10.1080/00029890.1962.11989827. Its theorem 1: what comes out is stable; theorem 2: no
stable outcome is better for any applicant. That nobody gains by naming another order than their own was shown by
L. E. Dubins and D. A. Freedman, "Machiavelli and the Gale-Shapley Algorithm", same journal, 88 (1981), 485-494.

Words: an *offer* has places and an order of applicants; an applicant has an order of offers. A pair is *acceptable* if
each stands in the order of the other; nobody is put where the pair is not. A pair *blocks* an outcome if it is
acceptable, the applicant likes the offer better than where they are, and the offer has a free place or holds somebody
it ranks lower.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

A = TypeVar("A", bound=Hashable)
O = TypeVar("O", bound=Hashable)  # noqa: E741 -- the offer, as in the module's words


def propose(wishes: Mapping[A, Sequence[O]], orders: Mapping[O, Sequence[A]], places: Mapping[O, int]) -> dict[A, O]:
    """The stable outcome that is best for every applicant; who is in none of its pairs gets no place."""
    ranks = {offer: {applicant: rank for rank, applicant in enumerate(order)} for offer, order in orders.items()}
    following = {applicant: iter(_acceptable(applicant, wished, ranks)) for applicant, wished in wishes.items()}
    held: dict[O, list[A]] = {offer: [] for offer in places}
    asking = list(reversed(list(wishes)))
    while asking:
        applicant = asking.pop()
        offer = next(following[applicant], None)
        if offer is None:
            continue
        held[offer] = sorted([*held[offer], applicant], key=ranks[offer].__getitem__)
        if len(held[offer]) > places[offer]:
            asking.append(held[offer].pop())
    return {applicant: offer for offer, applicants in held.items() for applicant in applicants}


def _acceptable(applicant: A, wished: Sequence[O], ranks: Mapping[O, Mapping[A, int]]) -> list[O]:
    return [offer for offer in wished if applicant in ranks.get(offer, {})]


def blocking_pairs(
    outcome: Mapping[A, O],
    wishes: Mapping[A, Sequence[O]],
    orders: Mapping[O, Sequence[A]],
    places: Mapping[O, int],
) -> list[tuple[A, O]]:
    """Each pair that blocks ``outcome``, in the order of ``wishes``. Whoever is put where they did not wish to be, or an
    offer on somebody it did not rank, counts as lower than anything ranked.
    """
    ranks = {offer: {applicant: rank for rank, applicant in enumerate(order)} for offer, order in orders.items()}
    held: dict[O, list[A]] = {}
    for applicant, offer in outcome.items():
        held.setdefault(offer, []).append(applicant)

    def would_take(offer: O, applicant: A) -> bool:
        rank, there = ranks[offer], held.get(offer, [])
        if applicant not in rank:
            return False
        is_free = len(there) < places[offer]
        return is_free or any(rank.get(other, len(rank)) > rank[applicant] for other in there)

    pairs = []
    for applicant, wished in wishes.items():
        better = wished[: wished.index(outcome[applicant])] if outcome.get(applicant) in wished else wished
        pairs += [(applicant, offer) for offer in better if offer in places and would_take(offer, applicant)]
    return pairs

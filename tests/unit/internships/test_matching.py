"""Deferred acceptance: stable, within places, best for applicants, the same every time, and honest."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from practicum.internships.matching import blocking_pairs, propose

Market = tuple[dict[int, list[str]], dict[str, list[int]], dict[str, int]]


def markets(*, applicants: int, offers: int) -> st.SearchStrategy[Market]:
    """Orders in which anybody may leave out anybody."""
    names, people = [chr(ord("A") + number) for number in range(offers)], list(range(applicants))

    def drawn(seed: int) -> Market:
        random = Random(seed)

        def part(of: list[Any]) -> list[Any]:
            return random.sample(of, random.randint(0, len(of)))

        wishes, orders = {person: part(names) for person in people}, {name: part(people) for name in names}
        return wishes, orders, {name: random.randint(0, 3) for name in names}

    return st.integers(0, 2**32).map(drawn)


def outcomes(market: Market) -> Iterator[dict[int, str]]:
    """Every outcome of acceptable pairs within the places."""
    wishes, orders, places = market
    choices = [[None, *(o for o in wished if person in orders[o])] for person, wished in wishes.items()]
    for chosen in product(*choices):
        if all(chosen.count(offer) <= places[offer] for offer in places):
            yield {person: offer for person, offer in zip(wishes, chosen, strict=True) if offer is not None}


def place_of(person: int, outcome: dict[int, str], wishes: dict[int, list[str]]) -> int:
    """How manieth choice an outcome is to somebody; the last after all for no place."""
    return wishes[person].index(outcome[person]) if person in outcome else len(wishes[person])


@given(markets(applicants=8, offers=4))
def test_what_comes_out_is_stable_and_within_the_places(market: Market) -> None:
    wishes, orders, places = market

    outcome = propose(*market)

    assert blocking_pairs(outcome, *market) == []
    assert all(list(outcome.values()).count(offer) <= places[offer] for offer in places)
    assert all(offer in wishes[person] and person in orders[offer] for person, offer in outcome.items())


@settings(max_examples=60)
@given(markets(applicants=4, offers=3))
def test_no_stable_outcome_is_better_for_any_applicant(market: Market) -> None:
    wishes = market[0]
    ours = propose(*market)

    stable = [outcome for outcome in outcomes(market) if not blocking_pairs(outcome, *market)]

    assert ours in stable
    for other in stable:
        assert all(place_of(person, ours, wishes) <= place_of(person, other, wishes) for person in wishes)
        assert set(other) == set(ours), "the same people have a place in every stable outcome"


@given(markets(applicants=7, offers=4), st.randoms(use_true_random=False))
def test_the_order_in_which_people_are_written_down_changes_nothing(market: Market, random: Any) -> None:
    wishes, orders, places = market
    people, names = list(wishes), list(orders)
    random.shuffle(people)
    random.shuffle(names)

    shuffled = propose(
        {person: wishes[person] for person in people},
        {name: orders[name] for name in names},
        {name: places[name] for name in names},
    )

    assert shuffled == propose(*market)


@settings(max_examples=60)
@given(markets(applicants=4, offers=3), st.integers(0, 3), st.permutations(["A", "B", "C"]), st.integers(0, 3))
def test_nobody_gains_by_naming_another_order(market: Market, liar: int, order: list[str], length: int) -> None:
    wishes, orders, places = market
    honest = propose(*market)

    lied = propose(wishes | {liar: order[:length]}, orders, places)

    if liar in lied and lied[liar] in wishes[liar]:
        assert place_of(liar, honest, wishes) <= place_of(liar, lied, wishes)


def test_a_blocking_pair_is_found_after_an_adjustment() -> None:
    market: Market = ({1: ["A", "B"], 2: ["A"]}, {"A": [1, 2], "B": [1]}, {"A": 1, "B": 1})
    assert propose(*market) == {1: "A"}

    assert blocking_pairs({1: "B", 2: "A"}, *market) == [(1, "A")]
    assert blocking_pairs({1: "B"}, *market) == [(1, "A"), (2, "A")]
    assert blocking_pairs({1: "B", 3: "A"}, *market) == [(1, "A"), (2, "A")]


def test_the_example_of_the_paper_gives_each_proposer_their_first_choice() -> None:
    # Gale and Shapley 1962, example 1: three of each, cyclic orders.
    wishes = {1: ["A", "B", "C"], 2: ["B", "C", "A"], 3: ["C", "A", "B"]}
    orders = {"A": [2, 3, 1], "B": [3, 1, 2], "C": [1, 2, 3]}

    assert propose(wishes, orders, {"A": 1, "B": 1, "C": 1}) == {1: "A", 2: "B", 3: "C"}

"""Attacks on the shown score (tests/bench/leaderboard.py has them at full size): what they gain, beside a plain board."""

from __future__ import annotations

from collections.abc import Callable
from statistics import fmean

import pytest

from tests.bench import leaderboard as attacks

SEEDS = range(6)


@pytest.mark.parametrize("attack", [attacks.boosting, attacks.climbing])
def test_the_gain_of_guessing_is_a_step_or_two_and_none_on_kept_rows(
    attack: Callable[..., tuple[float, float]],
) -> None:
    gain, kept = {}, {}
    for kind, make in attacks.boards(attacks.ROWS).items():
        shown, unseen = zip(*[attack(make(), seed=seed) for seed in SEEDS], strict=True)
        gain[kind], kept[kind] = fmean(shown) - 0.5, fmean(unseen) - 0.5
    ladder = attacks.boards(attacks.ROWS)["ladder"]().ladder
    assert ladder is not None

    assert gain["plain"] > 0.10, "or the attack is none"
    assert gain["ladder"] <= 2 * ladder.step
    assert gain["ladder"] <= 0.4 * gain["plain"]
    assert abs(kept["ladder"]) < 0.03


def test_a_log_loss_spells_out_every_label_on_a_plain_board_and_few_on_ours() -> None:
    known = {
        kind: fmean(attacks.oracle(make(), seed=seed) for seed in SEEDS)
        for kind, make in attacks.oracle_boards().items()
    }

    assert known["plain"] == attacks.ORACLE_ROWS
    assert known["ladder"] <= 0.25 * attacks.ORACLE_ROWS

"""Each attack of ``container/``: it must succeed in its weak control, and must not in the real template."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.attacks.report import Result
from tests.attacks.trials import Attack, Trial, attacks
from tests.tools.waiting import RanOut

pytestmark = [pytest.mark.attack, pytest.mark.engine, pytest.mark.django_db]

ATTACKS = attacks()
# Their own output pushes the word out of the log that is kept.
WITHOUT_A_WORD = ("log-flood",)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.id)
def test_an_attack_is_contained_and_succeeds_without_what_contains_it(
    attack: Attack, tried: Callable[..., tuple[Trial, bool]], result: Callable[..., Result]
) -> None:
    began = time.monotonic()
    line = result(group="container", kind=attack.kind, name=attack.id, row=attack.row, title=attack.title,
                  weak=", ".join(attack.weak))  # fmt: skip

    trial, line.real = tried(attack, is_control=False)
    control, line.control = tried(attack, is_control=True)
    line.seconds = round(time.monotonic() - began, 1)

    for each in (trial, control):
        is_tried = "TRIED" in each.facts.printed or attack.id in WITHOUT_A_WORD
        if not is_tried:  # such as where its time was over first
            raise RanOut(f"it came to nothing:\n{said(each)}")
    assert line.control, f"the weak control ({line.weak}) held too, so this proves nothing:\n{said(control)}"
    assert not line.real, f"A HOLE: {attack.title}:\n{said(trial)}"


def said(trial: Trial) -> Any:
    """What is known of a trial, for who has to understand it."""
    facts = trial.facts
    state = f"{facts.run.state}: {facts.run.reason}" if facts.run else "no run"
    return (
        f"{state}\n{facts.printed[-1500:]}\n{ {k: v for k, v in vars(facts).items() if k not in ('printed', 'shown')} }"
    )

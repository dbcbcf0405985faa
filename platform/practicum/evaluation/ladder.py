"""What an intern is told of the scores on the shown rows: the Ladder rule. Pure.

A score shown after every submission is an oracle: with enough submissions the shown rows are learned through it. Under
the Ladder rule (Blum and Hardt, "The Ladder: a reliable leaderboard for machine learning competitions", ICML 2015,
https://proceedings.mlr.press/v37/blum15.html, figure 1) a score is told only when it is better than the best one told
before by a step of at least η; else all that is told is that it was not. So what submissions can give away is bounded by
how often the best can rise by η, not by how many submissions there are.

Here η is the metric's own standard error on the shown rows, so that what is not told is what means nothing. (Where a
project gives no error, η is one unit of the last digit shown. The paper's variant without a parameter needs the loss of
every row of both submissions, which never leave the scorer.)

Scores are compared as they are told, in whole units of the metric's last digit: what is told changes by η or not at all,
to the digit. A score is told with these digits, where the paper rounds it to a multiple of η: a few bits more for each
rise, and the number of rises is the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

ALMOST = 1e-9


@dataclass(frozen=True)
class Told:
    """What was told after one submission: the ``best`` score so far, and whether this submission set it."""

    best: float
    is_new: bool


@dataclass(frozen=True)
class Ladder:
    """The rule for one metric. ``noise`` is its standard error on all hidden rows, ``share`` the share that is shown."""

    higher_is_better: bool
    digits: int
    noise: float
    share: float = 1.0

    @property
    def scale(self) -> float:
        """How many units of the last digit there are to one."""
        return 10.0**self.digits

    @property
    def units(self) -> int:
        """The step in units of the last digit, at least one.

        The error of a mean over a share of the rows is larger by the square root of one over the share.
        """
        return max(1, math.ceil(self.noise / math.sqrt(self.share) * self.scale - ALMOST))

    @property
    def step(self) -> float:
        """η: by so much a score must be better than the last one told."""
        return round(self.units / self.scale, self.digits)

    def rounded(self, value: float) -> float:
        """The score as it is told."""
        return round(value, self.digits)

    def climb(self, values: Iterable[float]) -> list[Told]:
        """What is told after each score, in their order. The first is always told."""
        sign = 1 if self.higher_is_better else -1
        told: list[Told] = []
        best: int | None = None
        for value in values:
            height = sign * round(self.rounded(value) * self.scale)
            is_new = best is None or height >= best + self.units
            best = height if is_new or best is None else best
            told.append(Told(best=self.rounded(sign * best / self.scale), is_new=is_new))
        return told

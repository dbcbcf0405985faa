"""What a leaderboard gives away: three attacks on the shown score, against our rule and against a plain board.

An attacker knows nothing of the labels, hands in within a quota, and uses nothing but what the board tells. Boards: *plain*
tells every score; *rounded* tells it with two digits; *ladder* is ours (``practicum.evaluation.ladder``), told after each
submission what an intern is told.

1. *Boosting* (Blum and Hardt 2015, section 3.1): 150 random answers to 500 shown rows of two classes; each votes as it is,
   or turned round where the board tells less than chance, and the majority is handed in last. Its shown score is
   measured, its score on 500 kept rows, and the final score on all.
2. *Hill climbing*: the best so far with some rows flipped, kept if the board says it is better; as many submissions.
3. *Log-loss oracle* (Whitehill 2017): probabilities chosen so that the loss, told with 3 digits, spells out labels, several a
   submission. 198 shown rows, 50 submissions. Against the ladder the attacker also spends what is known already on being
   told more.

The result is a ratio: the gain under the ladder over the gain on the plain board. It is seeded: the same figures each time.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field

from practicum.evaluation.ladder import Ladder
from tests.bench.report import heading, verdict

ROWS, SUBMISSIONS, SEEDS = 500, 150, 40
ORACLE_ROWS, ORACLE_SUBMISSIONS, ORACLE_DIGITS = 198, 50, 3
PROBES = 8  # labels a submission asks for; of 3, 5, 7 and 8 the best for the attacker against either board
HALF = 0.5
BOOSTING_LIMIT, CLIMBING_LIMIT, ORACLE_LIMIT = 0.40, 0.40, 0.25


@dataclass
class Board:
    """What one attacker is told: ``tell(score)`` is a score, or None for "not better". ``best`` is the last told."""

    digits: int
    ladder: Ladder | None = None
    seen: list[float] = field(default_factory=list)

    def tell(self, score: float) -> float | None:
        """Hand in; what the board says."""
        self.seen.append(score)
        if self.ladder is None:
            return round(score, self.digits)
        told = self.ladder.climb(self.seen)[-1]
        return told.best if told.is_new else None


def boards(rows: int) -> dict[str, Callable[[], Board]]:
    """The three, for an accuracy on so many shown rows (as many are kept)."""
    noise = HALF / math.sqrt(
        2 * rows
    )  # of the whole hidden part, as a project gives it; the ladder makes it the shown part's
    return {
        "plain": lambda: Board(digits=4),
        "rounded": lambda: Board(digits=2),
        "ladder": lambda: Board(4, Ladder(higher_is_better=True, digits=4, noise=noise, share=0.5)),
    }


def accuracy(answers: int, labels: int, *, rows: int) -> float:
    """The share of equal bits."""
    return 1 - (answers ^ labels).bit_count() / rows


def majority(votes: list[int], *, rows: int, chance: random.Random) -> int:
    """Row by row what most say; a coin where they are even."""
    answer = 0
    for row in range(rows):
        lead = 2 * sum(vote >> row & 1 for vote in votes) - len(votes)
        answer |= (lead > 0 or (lead == 0 and chance.random() < HALF)) << row
    return answer


def boosting(board: Board, *, seed: int) -> tuple[float, float]:
    """The scores on shown and kept rows of what is handed in last."""
    chance = random.Random(seed)
    shown, kept = chance.getrandbits(ROWS), chance.getrandbits(ROWS)
    votes = []
    for _ in range(SUBMISSIONS - 1):
        vote = chance.getrandbits(2 * ROWS)
        told = board.tell(accuracy(vote & (2**ROWS - 1), shown, rows=ROWS))
        if told is None or told == HALF:
            continue  # "not better than your best" says too little of a random answer to vote by
        votes.append(vote if told > HALF else vote ^ (2 ** (2 * ROWS) - 1))
    last = majority(votes, rows=2 * ROWS, chance=chance)
    return accuracy(last & (2**ROWS - 1), shown, rows=ROWS), accuracy(last >> ROWS, kept, rows=ROWS)


def climbing(board: Board, *, seed: int, flips: int = 60) -> tuple[float, float]:
    """The same of the best that was told, after flipping rows of the best so far again and again."""
    chance = random.Random(seed)
    shown, kept = chance.getrandbits(ROWS), chance.getrandbits(ROWS)
    best, best_told = 0, -math.inf
    for _ in range(SUBMISSIONS):
        tried = best ^ sum(1 << row for row in chance.sample(range(2 * ROWS), flips))
        told = board.tell(accuracy(tried & (2**ROWS - 1), shown, rows=ROWS))
        if told is not None and told > best_told:
            best, best_told = tried, told
    return accuracy(best & (2**ROWS - 1), shown, rows=ROWS), accuracy(best >> ROWS, kept, rows=ROWS)


def oracle(board: Board, *, seed: int) -> int:
    """How many labels the attacker knows for certain after the last submission."""
    chance = random.Random(seed)
    labels = [chance.randrange(2) for _ in range(ORACLE_ROWS)]
    known: dict[int, int] = {}
    # The least difference of two losses that three digits tell apart, as a sum over the rows.
    unit = ORACLE_ROWS * 10**-ORACLE_DIGITS * 1.01
    for _ in range(ORACLE_SUBMISSIONS):
        open_rows = [row for row in range(ORACLE_ROWS) if row not in known][:PROBES]
        weights = {row: unit * 2**place for place, row in enumerate(open_rows)}
        signs = {row: chance.choice((-1, 1)) for row in open_rows}
        # Known rows cost nothing, unknown ones log 2, a probed one by its weight: less if the guess is right.
        known_loss = (ORACLE_ROWS - len(known) - len(open_rows)) * math.log(2)
        told = board.tell(
            (known_loss + sum(_loss(row, weights, signs, labels[row]) for row in open_rows)) / ORACLE_ROWS
        )
        if told is not None:
            known |= _spelt(told * ORACLE_ROWS - known_loss, weights=weights, signs=signs)
    assert all(labels[row] == label for row, label in known.items())
    return len(known)


def _loss(row: int, weights: dict[int, float], signs: dict[int, int], label: int) -> float:
    """The log loss of a row to which the odds of class 1 were given as exp(± its weight)."""
    right = (signs[row] > 0) == (label == 1)
    return math.log1p(math.exp(-weights[row] if right else weights[row]))


def _spelt(loss: float, *, weights: dict[int, float], signs: dict[int, int]) -> dict[int, int]:
    """The labels that give this loss: each wrong guess adds its weight, and no two sums of weights are alike."""
    over = loss - sum(math.log1p(math.exp(-weight)) for weight in weights.values())
    found = {}
    for row in sorted(weights, key=lambda row: -weights[row]):
        is_wrong = over > weights[row] - min(weights.values()) / 2
        over -= weights[row] if is_wrong else 0.0
        found[row] = int((signs[row] > 0) != is_wrong)
    return found


def oracle_boards() -> dict[str, Callable[[], Board]]:
    """Plain, and ours for a log loss: its standard error where losses of rows spread by 0.4."""
    ladder = Ladder(higher_is_better=False, digits=ORACLE_DIGITS, noise=0.4 / math.sqrt(2 * ORACLE_ROWS), share=0.5)
    return {"plain": lambda: Board(ORACLE_DIGITS), "ladder": lambda: Board(ORACLE_DIGITS, ladder)}


def main() -> bool:
    """Run all three; whether every ratio keeps its limit."""
    heading(f"Leaderboard: what {SUBMISSIONS} submissions give away, {SEEDS} seeds")
    held = []
    for name, attack, limit in (("boosting", boosting, BOOSTING_LIMIT), ("hill climbing", climbing, CLIMBING_LIMIT)):
        gains = {}
        for kind, make in boards(ROWS).items():
            results = [attack(make(), seed=seed) for seed in range(SEEDS)]
            shown, kept = (statistics.fmean(part) for part in zip(*results, strict=True))
            gains[kind] = shown - HALF
            print(
                f"  {name:<15} {kind:<8} shown {shown:.3f}   kept {kept:.3f}   final {(shown + kept) / 2:.3f}   (chance 0.500)"
            )
        held.append(verdict(f"{name}, gain under the ladder over plain", gains["ladder"] / gains["plain"], limit=limit))
    labels = {}
    for kind, make in oracle_boards().items():
        labels[kind] = statistics.fmean(oracle(make(), seed=seed) for seed in range(SEEDS))
        print(
            f"  log-loss oracle {kind:<8} {labels[kind]:.1f} of {ORACLE_ROWS} labels in {ORACLE_SUBMISSIONS} submissions"
        )
    held.append(
        verdict(
            "log-loss oracle, labels under the ladder over plain",
            labels["ladder"] / labels["plain"],
            limit=ORACLE_LIMIT,
        )
    )
    return all(held)

"""How far a searcher's proposals come, against random search with as many evaluations.

Reads what project.toml declares under [submission], strictly, by the platform's shared reader: for each hidden task the
configurations it proposed, in their order. The values they are judged by are those of the answers, so it doesn't matter
what a searcher says it saw. After each evaluation the searcher would keep the proposal with the smallest observed error so
far; its *regret* is the true error of that one less the smallest true error of the task.

Pure: the same two folders give the same numbers, whatever the order of rows. Whatever the intern can mend is an
``InvalidSubmission``; its message is shown to the intern as it is.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from practicum_scorer import InvalidSubmission, load_form

__all__ = ["InvalidSubmission", "evaluate"]

FORM = load_form(Path(__file__).with_name("project.toml"))


def evaluate(predictions: Path, answers: Path) -> dict[str, float]:
    """``regret_ratio``: mean regret at the budget, divided by that of random search; 0 is perfect, 1 is random.

    ``regret`` is the mean itself, ``halfway_ratio`` the ratio after half of the budget. ``random_needs``: how many times
    the budget random search needs to come as far; where all configurations are not enough, what all of them take.

    Raises:
        InvalidSubmission: the predictions can't be read, or are not one row of configurations for each hidden task.
    """
    with np.load(answers / "answers.npz", allow_pickle=False) as held:
        ids, observed, truth, by_chance = (held[name] for name in ("id", "observed", "truth", "by_chance"))
    proposals = FORM.read(predictions, ids=ids)["proposals"]  # (t, budget)
    budget, best = proposals.shape[1], truth.min(axis=1)
    regret = np.array([regrets(*task) for task in zip(proposals, observed, truth, strict=True)]).mean(axis=0)
    chance = (by_chance - best[:, None]).mean(axis=0)  # after 1, 2, ... evaluations
    ties = np.flatnonzero(chance <= regret[-1])
    half = budget // 2 - 1
    return {
        "regret_ratio": float(regret[-1] / chance[budget - 1]),
        "random_needs": float(ties[0] + 1 if ties.size else len(chance)) / budget,
        "halfway_ratio": float(regret[half] / chance[half]),
        "regret": float(regret[-1]),
    }


def regrets(proposed: np.ndarray, observed: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Regret of what the searcher would keep after each of its evaluations, (budget,)."""
    seen = observed[proposed]
    is_record = np.concatenate([[True], seen[1:] < np.minimum.accumulate(seen)[:-1]])
    kept = np.maximum.accumulate(np.where(is_record, np.arange(len(seen)), 0))
    return truth[proposed[kept]] - truth.min()

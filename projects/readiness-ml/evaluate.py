"""What an attempt at the readiness check holds: four numbers from 0 to 1, and the share of bars they reach.

Judges the rows of the variant that is handed in; what stands in the rows of the others is not looked at. A bar is held
when its number reaches what project.toml says under ``pass``. Pure, NumPy only; runs beside the answers.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
from practicum_scorer import InvalidSubmission, load_form

__all__ = ["InvalidSubmission", "evaluate"]

PROJECT = Path(__file__).with_name("project.toml")
FORM = load_form(PROJECT)
BARS = {bar["metric"]: bar["pass"] for bar in tomllib.loads(PROJECT.read_text(encoding="utf-8"))["bars"]}
SGD, TUNE, BAG, CURVE = 1, 2, 3, 4
RATE, DECAY, TRIALS = (-4.0, 0.0), (-3.0, 2.0), 20
LEVEL = 0.02  # a stop is right when the curve without noise is no more than this above its lowest there


def evaluate(predictions: Path, answers: Path) -> dict[str, float]:
    """``held``: the share of bars held; the number of each bar; ``variant``: which one was handed in.

    Raises:
        InvalidSubmission: the predictions can't be read, or are not all of one variant.
    """
    with np.load(answers / "answers.npz", allow_pickle=False) as held:
        ids, truth, variants, task, place = (held[name] for name in ("id", "value", "variant", "task", "place"))
    with np.load(answers / "levels.npz", allow_pickle=False) as held:
        levels = {name: held[name] for name in held.files}
    given = FORM.read(predictions, ids=ids)
    variant = _one(given["variant"])

    def of(number: int) -> tuple[np.ndarray, np.ndarray]:
        rows = np.flatnonzero((variants == variant) & (task == number))
        rows = rows[np.argsort(place[rows])]
        return given["value"][rows], truth[rows]

    level = {name: values[variant - 1] for name, values in levels.items()}
    found = {
        "sgd": _fitted(*of(SGD)),
        "tune": _tuned(of(TUNE)[0], surface=level["surface"], zero=float(level["zero"])),
        "bag": _gained(*of(BAG), single=float(level["single"]), bagged=float(level["bagged"])),
        "curve": _read(*of(CURVE), clean=level["curve"]),
    }
    held_bars = sum(found[name] >= least for name, least in BARS.items())
    return {"held": held_bars / len(BARS), **found, "variant": float(variant)}


def _one(variants: np.ndarray) -> int:
    first = int(variants[0])
    if (variants != first).any():
        raise InvalidSubmission(f"The rows say more than one variant. Write {first} in each of them.")
    return first


def _fitted(value: np.ndarray, truth: np.ndarray) -> float:
    """The share of the variance that is explained (R squared), at least 0."""
    return _within(1.0 - np.mean((value - truth) ** 2) / np.var(truth))


def _tuned(value: np.ndarray, *, surface: np.ndarray, zero: float) -> float:
    """How far the hidden error went from that of no model at all (0) to the lowest (1); 0 with too many trials."""
    rate, decay, trials = value.tolist()
    inside = RATE[0] <= rate <= RATE[1] and DECAY[0] <= decay <= DECAY[1]
    if not inside or not 1 <= trials <= TRIALS:
        return 0.0
    last = len(surface) - 1
    across = (rate - RATE[0]) / (RATE[1] - RATE[0]) * last
    along = (decay - DECAY[0]) / (DECAY[1] - DECAY[0]) * last
    i, j = min(int(across), last - 1), min(int(along), last - 1)
    u, v = across - i, along - j
    near = (1 - u) * ((1 - v) * surface[i, j] + v * surface[i, j + 1])
    error = near + u * ((1 - v) * surface[i + 1, j] + v * surface[i + 1, j + 1])
    return _within((zero - error) / (zero - surface.min()))


def _gained(value: np.ndarray, truth: np.ndarray, *, single: float, bagged: float) -> float:
    """What the vote gained over one tree, as a share of what forty trees gain."""
    return _within((np.mean(value == truth) - single) / max(bagged - single, 1e-3))


def _read(value: np.ndarray, truth: np.ndarray, *, clean: np.ndarray) -> float:
    """The share of the five questions that are answered right."""
    stop, ended, gap, overfits, underfits = value.tolist()
    whole = stop == int(stop) and 1 <= stop <= len(clean)
    right = [
        whole and clean[int(stop) - 1] <= clean.min() + LEVEL,
        ended == truth[1],
        abs(gap - truth[2]) <= 0.02,
        overfits == truth[3],
        underfits == truth[4],
    ]
    return sum(map(bool, right)) / len(right)


def _within(number: float) -> float:
    return float(min(max(number, 0.0), 1.0))

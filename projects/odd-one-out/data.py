"""Sensor readings of a fleet of machines: mostly ordinary, here and there a fault; hidden machines come from a secret seed.

Nothing is downloaded: every series is made here, so its labels are exact and there are as many hidden ones as anybody wants.
A *machine* has a cycle of its own (period, harmonics), a slow change of strength, a drift and noise with memory. Ordinary
things happen to it too: a service pulse now and then, the same for the whole fleet and rare in any one series, and weak
cycles. A *fault* is one of ``FAULTS``; a series has from one to four, with ordinary readings between them.

What is hidden: machines drawn with HMAC(secret, number). They are of the same make as the public ones and none of them is
public; whoever knows this file and not the secret knows what may happen and not where. Ids are HMAC(secret, item).

Words: an *item* is a machine with its series, and its own group; a *part* is 0 (public, unlabelled), 1 (hidden) or 2
(public, with labels, to measure at home). ``private/answers/ledger.npz`` says for every id which item, group and part it is.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SIZES = {"toy": (1024, 80, 20, 60), "full": (4096, 2000, 100, 300)}  # length, unlabelled, labelled, hidden
FULL_SEED = 20
PERIODS = (20, 60)
HARMONICS = 4
MOST_FAULTS = 4
COUNTS = 1000  # a sensor's counts to one unit
SERVICE_EVERY = 400  # readings between two service pulses, on average


@dataclass(frozen=True)
class Machine:
    """What stays the same through a series; ``cosine`` and ``sine`` are the strengths of the harmonics."""

    period: int
    cosine: np.ndarray
    sine: np.ndarray
    noise: float

    def wave(self, phase: np.ndarray) -> np.ndarray:
        """The ordinary cycle at these phases (in cycles); variance 1 over a cycle."""
        angles = 2 * np.pi * phase[:, None] * np.arange(1, HARMONICS + 1)
        return (np.cos(angles) @ self.cosine) + (np.sin(angles) @ self.sine)


def fetch(raw: Path) -> None:
    """Write raw/series.npz at full size, from a seed that everybody knows: the public machines. No network is needed."""
    _write(raw, seed=FULL_SEED, size="full")


def toy(raw: Path, seed: int) -> None:
    """The same, small: shorter series of fewer machines, others for each seed."""
    _write(raw, seed=seed, size="toy")


def _write(raw: Path, *, seed: int, size: str) -> None:
    length, unlabelled, labelled, _ = SIZES[size]
    made = [series(seed=[seed, item], length=length) for item in range(unlabelled + labelled)]
    x, label, period = (np.stack(column) for column in zip(*made, strict=True))
    raw.mkdir(parents=True, exist_ok=True)
    np.savez(raw / "series.npz", x=x, label=label, period=period)


def split(raw: Path, public: Path, private: Path, secret: bytes) -> None:
    """Write the public series, and hidden ones made with the secret as inputs and answers, apart from each other."""
    with np.load(raw / "series.npz", allow_pickle=False) as held:
        x, label, period = held["x"], held["label"], held["period"]
    length, unlabelled, labelled, hidden = next(size for size in SIZES.values() if size[0] == x.shape[1])
    item = np.arange(unlabelled + labelled, dtype=np.int64)
    part = np.zeros(len(item), dtype=np.int64)
    part[np.argsort([_number(secret, f"part/{name}") for name in item])[:labelled]] = 2
    secrets = [_number(secret, f"machine/{place}") for place in range(hidden)]
    made = [series(seed=name, length=length) for name in secrets]
    hidden_x, hidden_label, hidden_period = (np.stack(column) for column in zip(*made, strict=True))
    items = np.concatenate([item, np.array(secrets, dtype=np.int64)])
    parts = np.concatenate([part, np.ones(hidden, dtype=np.int64)])
    ids = np.array([_number(secret, f"id/{name}") for name in items], dtype=np.int64)
    inputs, answers = private / "inputs", private / "answers"
    for folder in (public, inputs, answers):
        folder.mkdir(parents=True, exist_ok=True)
    free, known = (_in_order_of(ids[: len(item)], part == which) for which in (0, 2))
    np.savez(public / "unlabelled.npz", x=x[free], id=ids[free])
    np.savez(public / "labelled.npz", x=x[known], label=label[known], period=period[known], id=ids[known])
    hidden_ids = ids[len(item) :]
    order = np.argsort(hidden_ids)
    np.savez(inputs / "inputs.npz", x=hidden_x[order], id=hidden_ids[order])
    np.savez(answers / "answers.npz", id=hidden_ids[order], label=hidden_label[order], period=hidden_period[order])
    np.savez(answers / "ledger.npz", id=ids, item=items, group=items, part=parts)


def series(*, seed: int | list[int], length: int) -> tuple[np.ndarray, np.ndarray, int]:
    """One machine's readings (int16 counts, as a converter gives them), where they are faulty (uint8), and its period."""
    random = np.random.default_rng(seed)
    machine = _machine(random)
    phase = np.arange(length) / machine.period + random.uniform()
    strength = 1.0 + 0.15 * _slow(length, random)
    level = 0.4 * _slow(length, random)
    x = strength * machine.wave(phase) + level + _memory(length, machine.noise, random)
    _serve(x, machine, random)
    label = np.zeros(length, dtype=np.uint8)
    for start, stop in _places(length, machine, random):
        fault = FAULTS[int(random.integers(len(FAULTS)))]
        stop = start + fault(x[start:stop], phase[start:stop], machine, random)
        label[start:stop] = 1
    return np.clip(np.rint(COUNTS * x), -32768, 32767).astype(np.int16), label, machine.period


def _machine(random: np.random.Generator) -> Machine:
    falling = 1.0 / np.arange(1, HARMONICS + 1)
    cosine, sine = random.normal(size=(2, HARMONICS)) * falling
    scale = np.sqrt((cosine**2 + sine**2).sum() / 2)
    period = int(random.integers(PERIODS[0], PERIODS[1] + 1))
    return Machine(period, cosine / scale, sine / scale, noise=float(random.uniform(0.05, 0.25)))


def _slow(length: int, random: np.random.Generator) -> np.ndarray:
    """A few waves far longer than any period, variance about 1."""
    time = np.arange(length)
    cycles, starts = random.uniform(300.0, 1500.0, size=3), random.uniform(0.0, 2 * np.pi, size=3)
    return np.sqrt(2 / 3) * np.sin(2 * np.pi * time[:, None] / cycles + starts).sum(axis=1)


def _memory(length: int, deviation: float, random: np.random.Generator) -> np.ndarray:
    """Noise in which each reading remembers the one before: an autoregression with coefficient 0.5."""
    fresh = random.normal(0.0, deviation * np.sqrt(0.75), size=length)
    for place in range(1, length):
        fresh[place] += 0.5 * fresh[place - 1]
    return fresh


def _serve(x: np.ndarray, machine: Machine, random: np.random.Generator) -> None:
    """Ordinary, though rare in one series: service pulses, the same for the fleet, and cycles at two thirds strength."""
    pulse = np.sin(np.linspace(0.0, np.pi, 12)) * np.where(np.arange(12) % 2 == 0, 2.5, 1.5)
    for _ in range(random.poisson(len(x) / SERVICE_EVERY)):
        start = int(random.integers(0, len(x) - len(pulse)))
        x[start : start + len(pulse)] += pulse
    for _ in range(random.poisson(len(x) / SERVICE_EVERY)):
        start = int(random.integers(0, len(x) - machine.period))
        x[start : start + machine.period] *= 2 / 3


def _places(length: int, machine: Machine, random: np.random.Generator) -> list[tuple[int, int]]:
    """From one to ``MOST_FAULTS`` stretches of half a cycle to two cycles, at least two cycles from each other."""
    gap, taken = 2 * machine.period, []
    for _ in range(int(random.integers(1, MOST_FAULTS + 1))):
        size = int(random.integers(machine.period // 2, 2 * machine.period + 1))
        start = int(random.integers(gap, length - size - gap))
        if all(start + size + gap < first or last + gap < start for first, last in taken):
            taken.append((start, start + size))
    return sorted(taken)


def _spike(x: np.ndarray, phase: np.ndarray, machine: Machine, random: np.random.Generator) -> int:
    """A few readings, far off; returns how many readings of the stretch are faulty, as every fault does."""
    del phase, machine
    size = int(random.integers(1, 4))
    x[:size] += random.choice([-1.0, 1.0]) * random.uniform(2.0, 4.0)
    return size


def _stuck(x: np.ndarray, phase: np.ndarray, machine: Machine, random: np.random.Generator) -> int:
    """The sensor repeats its reading."""
    del phase
    x[:] = x[0] + random.normal(0.0, machine.noise / 4, size=len(x))
    return len(x)


def _quick(x: np.ndarray, phase: np.ndarray, machine: Machine, random: np.random.Generator) -> int:
    """The cycle runs faster by a fifth to a half."""
    x += machine.wave(phase[0] + (phase - phase[0]) * random.uniform(1.2, 1.5)) - machine.wave(phase)
    return len(x)


def _jump(x: np.ndarray, phase: np.ndarray, machine: Machine, random: np.random.Generator) -> int:
    """The cycle goes on from elsewhere in itself."""
    x += machine.wave(phase + random.uniform(0.25, 0.75)) - machine.wave(phase)
    return len(x)


def _shift(x: np.ndarray, phase: np.ndarray, machine: Machine, random: np.random.Generator) -> int:
    """The level is another."""
    del phase, machine
    x += random.choice([-1.0, 1.0]) * random.uniform(0.6, 1.5)
    return len(x)


def _shape(x: np.ndarray, phase: np.ndarray, machine: Machine, random: np.random.Generator) -> int:
    """The cycle has the right period and the wrong form."""
    x += 0.8 * (_machine(random).wave(phase) - machine.wave(phase))
    return len(x)


def _rough(x: np.ndarray, phase: np.ndarray, machine: Machine, random: np.random.Generator) -> int:
    """Noise at three to five times its strength."""
    del phase
    x += random.normal(0.0, machine.noise * random.uniform(3.0, 5.0), size=len(x))
    return len(x)


FAULTS: tuple[Callable[[np.ndarray, np.ndarray, Machine, np.random.Generator], int], ...] = (
    _spike,
    _stuck,
    _quick,
    _jump,
    _shift,
    _shape,
    _rough,
)


def _in_order_of(ids: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The chosen items in the order of their ids, so that the order of rows says nothing either."""
    items = np.flatnonzero(chosen)
    return items[np.argsort(ids[items])]


def _number(secret: bytes, name: str) -> int:
    """63 bits of HMAC-SHA256(secret, name)."""
    digest = hmac.new(secret, f"odd-one-out/{name}".encode(), hashlib.sha256).digest()
    return int.from_bytes(digest[:8], "big") >> 1

"""Pulses of four shapes, made here. The hidden ones grow from a secret of the site, so nobody has seen them.

The platform calls three functions: ``fetch`` writes the full data to ``raw`` (download here, where the data are not
made), ``toy`` writes a small version without a network, ``split`` writes what interns get, what their code is run on,
and the answers, apart from each other. ``private/answers/ledger.npz`` says for every id which item, group and part
(0 public, 1 hidden) it is; it never leaves the scorer's side.
"""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import numpy as np

SHAPES, POINTS = 4, 32
FULL, TOY, HIDDEN = 6000, 600, 300
NOISE = 0.3


def fetch(raw: Path) -> None:
    """Write raw/pulses.npz, the full data."""
    write(raw, seed=0, count=FULL)


def toy(raw: Path, seed: int) -> None:
    """Write raw/pulses.npz, a small version that needs no network."""
    write(raw, seed=seed, count=TOY)


def write(raw: Path, *, seed: int, count: int) -> None:
    """``count`` public pulses with their shapes."""
    x, y = pulses(count, seed=seed)
    raw.mkdir(parents=True, exist_ok=True)
    np.savez(raw / "pulses.npz", x=x, y=y)


def pulses(count: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Recordings (count, POINTS), float32, and their shapes (count,), int64."""
    random = np.random.default_rng(seed)
    shape = random.integers(0, SHAPES, size=count)
    time = np.arange(POINTS)[None, :] - random.uniform(8, 13, size=count)[:, None]
    forms = np.stack(
        [
            np.exp(-((time - 4) ** 2) / 8),
            np.exp(-((time - 1) ** 2) / 3) + np.exp(-((time - 7) ** 2) / 3),
            np.where((time >= 0) & (time < 10), time / 10, 0),
            np.where((time >= 0) & (time < 9), 0.6, 0),
        ]
    )
    x = forms[shape, np.arange(count)] + NOISE * random.normal(size=(count, POINTS))
    return x.astype(np.float32), shape.astype(np.int64)


def split(raw: Path, public: Path, private: Path, secret: bytes) -> None:
    """Write public/train.npz, private/inputs/inputs.npz, private/answers/answers.npz and ledger.npz."""
    with np.load(raw / "pulses.npz", allow_pickle=False) as held:
        x, y = held["x"], held["y"]
    hidden_x, hidden_y = pulses(HIDDEN, seed=number(secret, "hidden"))
    shown_ids = np.array([number(secret, f"id/public/{item}") for item in range(len(x))], dtype=np.int64)
    hidden_ids = np.array([number(secret, f"id/hidden/{item}") for item in range(HIDDEN)], dtype=np.int64)
    inputs, answers = private / "inputs", private / "answers"
    for folder in (public, inputs, answers):
        folder.mkdir(parents=True, exist_ok=True)
    np.savez(public / "train.npz", x=x, y=y, id=shown_ids)
    np.savez(inputs / "inputs.npz", x=hidden_x, id=hidden_ids)
    np.savez(answers / "answers.npz", id=hidden_ids, label=hidden_y)
    # A made item is named by its id; an item of a public data set would be named by its row there.
    ids = np.concatenate([shown_ids, hidden_ids])
    part = np.repeat(np.array([0, 1], dtype=np.int64), [len(x), HIDDEN])
    np.savez(answers / "ledger.npz", id=ids, item=ids, group=ids, part=part)


def number(secret: bytes, name: str) -> int:
    """63 bits of HMAC-SHA256(secret, name)."""
    digest = hmac.new(secret, f"new-project/{name}".encode(), hashlib.sha256).digest()
    return int.from_bytes(digest[:8], "big") >> 1

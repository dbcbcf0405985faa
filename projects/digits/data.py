"""Handwritten digits, split so that the hidden part can't be looked up.

The images are scikit-learn's bundled copy of the UCI "Optical Recognition of Handwritten Digits" test set: 1,797 images
of 8 x 8 pixels, values 0 to 16. Anyone can read them with their labels, so a hidden part needs three things:

1. *which* images are hidden depends on a secret of the site: groups are ordered by HMAC(secret, group) and taken from
   the front; a group holds images nearer to each other than ``NEAR``, so no near-copy of a hidden image is public;
2. *what* the hidden images look like depends on the secret too: each is moved by a fraction of a pixel, made brighter
   or darker and given noise, so a table of the public set's pixels finds nothing;
3. ids say nothing: they are HMAC(secret, item), in the public and in the hidden part.

Words: an *item* is a row of scikit-learn's array; a *part* is 0 (public) or 1 (hidden). ``private/answers/ledger.npz``
says for every id which item, group and part it is; it never leaves the scorer's side.
"""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import numpy as np

IMAGES_SHA256 = "8f26b2bd9d135c256808f68f14fdabddde6d9c7f869ae419704b051f0f14b3b3"
LABELS_SHA256 = "a3c91c262eddcf7ba8f0e37507c30284493c9b20412ffe4af30d536401f7ba21"
HIDDEN = 450
NEAR = 11.0  # Euclidean distance over the 64 pixels; the median distance to the nearest other image is 16.1
SHIFT_PIXELS = 0.5
BRIGHTNESS = (0.8, 1.05)
NOISE = 0.6  # standard deviation, in the images' own units of 0 to 16


def fetch(raw: Path) -> None:
    """Write raw/digits.npz from the scikit-learn wheel; no network is needed.

    Raises:
        ValueError: the arrays are not the ones this project was measured on.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    x = np.ascontiguousarray(bunch.images, dtype=np.uint8)
    y = np.ascontiguousarray(bunch.target, dtype="<i8")
    found = (hashlib.sha256(x.tobytes()).hexdigest(), hashlib.sha256(y.tobytes()).hexdigest())
    if found != (IMAGES_SHA256, LABELS_SHA256):
        raise ValueError("scikit-learn's digits are not those this project was measured on: their sha256 differ")
    raw.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(raw / "digits.npz", x=x, y=y)


def toy(raw: Path, seed: int) -> None:
    """The same as ``fetch``: the whole set is small and already on this machine, so ``seed`` changes nothing."""
    del seed
    fetch(raw)


def split(raw: Path, public: Path, private: Path, secret: bytes) -> None:
    """Write the public part with labels, and the hidden part as inputs and answers, apart from each other."""
    with np.load(raw / "digits.npz", allow_pickle=False) as held:
        x, y = held["x"], held["y"]
    group = near_duplicates(x)
    part = hidden_part(group, secret=secret)
    ids = np.array([_number(secret, f"id/{item}") for item in range(len(x))], dtype=np.int64)
    shown, hidden = _in_order_of(ids, part == 0), _in_order_of(ids, part == 1)
    inputs, answers = private / "inputs", private / "answers"
    for folder in (public, inputs, answers):
        folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(public / "train.npz", x=x[shown].astype(np.float32), y=y[shown], id=ids[shown])
    perturbed = np.stack([perturb(x[item], seed=_number(secret, f"perturb/{item}")) for item in hidden])
    np.savez_compressed(inputs / "inputs.npz", x=perturbed, id=ids[hidden])
    np.savez_compressed(answers / "answers.npz", id=ids[hidden], label=y[hidden])
    item = np.arange(len(x), dtype=np.int64)
    np.savez_compressed(answers / "ledger.npz", id=ids, item=item, group=group, part=part)


def near_duplicates(x: np.ndarray) -> np.ndarray:
    """Group of each image (n, 8, 8): the smallest item it is chained to by distances of at most ``NEAR``."""
    flat = x.reshape(len(x), -1).astype(np.int64)
    norms = (flat**2).sum(axis=1)
    near = norms[:, None] + norms[None, :] - 2 * flat @ flat.T <= NEAR**2
    group = np.arange(len(x), dtype=np.int64)
    while True:
        lowest = np.where(near, group[None, :], len(x)).min(axis=1)
        if np.array_equal(lowest, group):
            return group
        group = lowest


def hidden_part(group: np.ndarray, *, secret: bytes) -> np.ndarray:
    """1 for the items of the groups that come first by HMAC, until at least ``HIDDEN`` items are taken; else 0."""
    part = np.zeros(len(group), dtype=np.int64)
    for name in sorted(np.unique(group).tolist(), key=lambda name: _number(secret, f"group/{name}")):
        if part.sum() >= HIDDEN:
            break
        part[group == name] = 1
    return part


def perturb(image: np.ndarray, *, seed: int) -> np.ndarray:
    """The image (8, 8) moved by up to half a pixel, scaled in brightness, with noise: float32 in 0 to 16."""
    random = np.random.default_rng(seed)
    moved = image.astype(np.float64)
    for axis in (0, 1):
        step = random.uniform(-SHIFT_PIXELS, SHIFT_PIXELS)
        moved = (1 - abs(step)) * moved + abs(step) * _neighbour(moved, axis=axis, forward=step > 0)
    noisy = moved * random.uniform(*BRIGHTNESS) + random.normal(0.0, NOISE, size=image.shape)
    return np.clip(noisy, 0.0, 16.0).astype(np.float32)


def _neighbour(image: np.ndarray, *, axis: int, forward: bool) -> np.ndarray:
    """The image moved one pixel along ``axis``; the border is repeated."""
    last = image.shape[axis] - 1
    where = np.arange(last + 1) + (-1 if forward else 1)
    return np.take(image, np.clip(where, 0, last), axis=axis)


def _in_order_of(ids: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The chosen items in the order of their ids, so that the order of rows says nothing either."""
    items = np.flatnonzero(chosen)
    return items[np.argsort(ids[items])]


def _number(secret: bytes, name: str) -> int:
    """63 bits of HMAC-SHA256(secret, name)."""
    digest = hmac.new(secret, f"digits/{name}".encode(), hashlib.sha256).digest()
    return int.from_bytes(digest[:8], "big") >> 1

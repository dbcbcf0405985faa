"""Tuning tasks: tables of configurations and their errors, of which a searcher may open a few.

A *task* is one network to be tuned: ``CONFIGS`` configurations of six hyperparameters, drawn for this task alone, each with
the error *observed* on a small validation set and the *true* error behind it. Toy tasks come from a formula with the shape
of real ones: a valley in the learning rate that moves with batch and momentum and ends in a cliff, capacity against
regularisation, ripples that no model knows, noise. Full tasks are real trainings: small networks on a secret part of
Fashion-MNIST, all configurations of a task trained side by side.

The hidden tasks grow from the secret. What interns' code gets of them is configurations and *sealed* errors: time-lock
puzzles (Rivest, Shamir and Wagner 1996, https://people.csail.mit.edu/rivest/pubs/RSW96.pdf). Whoever knows the factors of
the modulus seals at once; to open one, ``SQUARINGS`` squarings have to be done one after the other. So an evaluation costs
time, as a training does, and the time limit of a submission bounds how many can be opened. The true errors are not there,
neither sealed nor open.

``private/answers/ledger.npz`` says for every id which item, group and part (0 public, 1 hidden) it is.
"""

from __future__ import annotations

import gzip
import hashlib
import hmac
import shutil
import struct
import tomllib
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np

CONFIGS, HIDDEN, PUBLIC, BUDGET = 300, 36, 10, 24
TRACES = 20  # of random search
SQUARINGS = 4000
PRIME_BITS = 256
CHANCE = 0.9  # error of guessing one of ten classes
LOW = np.array([-4.0, 1.0, 1.0, 0.0, -6.0, 0.0])  # log10 rate, log2 batch, log2 width, momentum, log10 decay, dropout
HIGH = np.array([0.5, 5.0, 5.0, 0.99, -1.0, 0.7])
STEPS, LEARNED, VALIDATED = (
    120,
    600,
    300,
)  # of a real training: steps, images learned from, images of the observed error

Table = tuple[np.ndarray, np.ndarray, np.ndarray]  # configurations (c, 6), observed errors (c,), true errors (c,)


def fetch(raw: Path) -> None:
    """Download Fashion-MNIST's training images, verify them, write raw/images.npz (60,000 of 7 x 7 pixels).

    Raises:
        ValueError: what arrived isn't what project.toml names.
    """
    facts = tomllib.loads(Path(__file__).with_name("project.toml").read_text(encoding="utf-8"))
    raw.mkdir(parents=True, exist_ok=True)
    for file in facts["data"]["files"]:
        archive = raw / file["name"]
        if not archive.exists():
            partial = archive.with_suffix(".partial")
            with urllib.request.urlopen(file["url"], timeout=60) as answer, partial.open("wb") as kept:  # noqa: S310
                shutil.copyfileobj(answer, kept, 1 << 20)
            partial.replace(archive)
        verify(archive, md5=file["md5"])
    images, labels = (idx(raw / file["name"]) for file in facts["data"]["files"])
    write_images(raw, x=images, y=labels)


def verify(archive: Path, *, md5: str) -> None:
    """Remove the archive and raise unless it has this checksum (its publisher gives no other than md5)."""
    with archive.open("rb") as stream:
        found = hashlib.file_digest(stream, "md5").hexdigest()
    if found != md5:
        archive.unlink()
        raise ValueError(f"{archive.name} is not the file named in project.toml; it was removed, fetch again")


def idx(archive: Path) -> np.ndarray:
    """The bytes of a gzipped IDX file as an array: two zeros, the type (8: bytes), the axes' number, their sizes."""
    content = gzip.decompress(archive.read_bytes())
    axes = content[3]
    shape = struct.unpack(f">{axes}I", content[4 : 4 + 4 * axes])
    return np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * axes).reshape(shape)


def local(raw: Path, folder: Path) -> None:
    """Write raw/images.npz from MNIST's digits in ``folder``/mnist/mnist.npz: the same form, other pictures."""
    with np.load(folder / "mnist" / "mnist.npz", allow_pickle=False) as held:
        write_images(raw, x=held["x_train"], y=held["y_train"])


def write_images(raw: Path, *, x: np.ndarray, y: np.ndarray) -> None:
    """Images (n, 28, 28) as means of 4 x 4 pixels, (n, 49), with their labels."""
    raw.mkdir(parents=True, exist_ok=True)
    small = x.reshape(len(x), 7, 4, 7, 4).mean(axis=(2, 4)).reshape(len(x), 49)
    np.savez(raw / "images.npz", x=small.astype(np.float32) / 255.0, y=y.astype(np.int64))


def toy(raw: Path, seed: int) -> None:
    """Write raw/family.npz: the seed that the public toy tasks grow from; no network."""
    raw.mkdir(parents=True, exist_ok=True)
    np.savez(raw / "family.npz", seed=np.array([seed], dtype=np.int64))


def split(raw: Path, public: Path, private: Path, secret: bytes) -> None:
    """Write open public tasks, a sealed copy to rehearse on, sealed hidden tasks, and their answers."""
    inputs, answers = private / "inputs", private / "answers"
    for folder in (public / "rehearsal", inputs, answers):
        folder.mkdir(parents=True, exist_ok=True)
    shown_key = _seed_of(raw)
    shown, hidden = (tables(raw, key=key, count=count) for key, count in ((shown_key, PUBLIC), (secret, HIDDEN)))
    shown_ids, hidden_ids = (np.sort(ids) for ids in (_ids(secret, "public", PUBLIC), _ids(secret, "hidden", HIDDEN)))
    x, observed, truth = shown
    np.savez(public / "tasks.npz", id=shown_ids, x=x, observed=observed, truth=truth)
    write_sealed(public / "rehearsal", ids=shown_ids, x=x, observed=observed, key=shown_key)
    x, observed, truth = hidden
    write_sealed(inputs, ids=hidden_ids, x=x, observed=observed, key=secret)
    # What a searcher that knows the answer would propose; also what an evaluation accepts as perfect.
    proposals = np.repeat(truth.argmin(axis=1)[:, None], BUDGET, axis=1)
    by_chance = np.stack([random_search(*task, key=secret) for task in zip(hidden_ids, observed, truth, strict=True)])
    np.savez(
        answers / "answers.npz",
        id=hidden_ids, proposals=proposals, observed=observed, truth=truth, by_chance=by_chance,
    )  # fmt: skip
    ids = np.concatenate([shown_ids, hidden_ids])
    part = np.repeat(np.array([0, 1], dtype=np.int64), [PUBLIC, HIDDEN])
    np.savez(answers / "ledger.npz", id=ids, item=ids, group=ids, part=part)


def _seed_of(raw: Path) -> bytes:
    """What the public tasks grow from; everyone may know it."""
    if (raw / "family.npz").exists():
        with np.load(raw / "family.npz", allow_pickle=False) as held:
            return b"public" + int(held["seed"][0]).to_bytes(8, "big", signed=True)
    return b"public tasks of the full data"


def _ids(secret: bytes, part: str, count: int) -> np.ndarray:
    return np.array([number(secret, f"id/{part}/{task}") for task in range(count)], dtype=np.int64)


def tables(raw: Path, *, key: bytes, count: int) -> Table:
    """``count`` tasks grown from ``key``: configurations (t, c, 6), observed and true errors (t, c)."""
    images = None
    if (raw / "images.npz").exists():
        with np.load(raw / "images.npz", allow_pickle=False) as held:
            images = held["x"], held["y"]
    made = []
    for task in range(count):
        random = np.random.default_rng(number(key, f"task/{task}"))
        x = random.uniform(LOW, HIGH, size=(CONFIGS, len(LOW)))
        errors = formula(x, random) if images is None else trained(x, *images, random=random)
        made.append((x.astype(np.float32), *errors))
    x, observed, truth = (np.stack(part) for part in zip(*made, strict=True))
    return x, observed, truth


def formula(x: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Observed and true errors (c,) of configurations (c, 6) of one made task."""
    rate, batch, width, momentum, decay, dropout = x.T
    # A step is as long as rate / (1 - momentum), and may be longer in larger batches: a valley, then a cliff.
    step = rate - np.log10(1.0 - momentum) - random.uniform(0.1, 0.3) * (batch - 3.0)
    best_step, gap = random.uniform(-1.8, -0.2), random.uniform(0.4, 0.9)
    valley = random.uniform(0.04, 0.12) * (step - best_step) ** 2
    cliff = 3.0 / (1.0 + np.exp(np.clip(-12.0 * (step - best_step - gap), -60, 60)))
    # Wide networks want dropout or decay; how much, the task says.
    held_back = random.uniform(0.5, 1.5) * dropout + random.uniform(0.0, 0.4) * (decay + 6.0) / 5.0
    capacity = (width - 1.0) / 4.0 - held_back - random.uniform(-0.3, 0.5)
    fit = random.uniform(0.1, 0.4) * capacity**2 + random.uniform(0.0, 0.15) * (5.0 - width) / 4.0
    waves = random.normal(size=(4, len(LOW))) * 3.0
    ripple = 0.02 * np.sin((x - LOW) / (HIGH - LOW) @ waves.T + random.uniform(0, 6.3, size=4)).sum(axis=1)
    floor = random.uniform(0.03, 0.25)
    excess = np.maximum(floor + valley + fit + cliff + ripple, 0.005)
    truth = CHANCE * (1.0 - np.exp(-excess / CHANCE))
    deviation = np.sqrt(truth * (1.0 - truth) / VALIDATED)
    return np.clip(truth + deviation * random.normal(size=len(x)), 0.0, 1.0), truth


def trained(
    x: np.ndarray, images: np.ndarray, labels: np.ndarray, *, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Observed and true errors (c,) of one network per configuration, all trained together on one secret part.

    A network has one hidden layer; those that are narrower than the widest have the rest of their units masked. Each
    takes ``STEPS`` steps of SGD with momentum, so a larger batch sees more images. What tells the tasks apart: which
    images, how many labels are wrong, how bright and how noisy the images are.
    """
    import torch
    from torch.nn import functional

    torch.manual_seed(int(random.integers(1 << 31)))
    rate, batch, width, momentum, decay, dropout = torch.from_numpy(x.T.astype(np.float32)[:, :, None, None])
    rate, batch, width, decay = 10**rate, 2**batch, 2**width, 10**decay
    rows = torch.from_numpy(random.permutation(len(images))[: LEARNED + VALIDATED + 3000])
    pixels = torch.from_numpy(images)[rows] * random.uniform(0.5, 3.0)
    pixels = pixels + random.uniform(0.0, 0.3) * torch.randn_like(pixels)
    truth = torch.from_numpy(labels)[rows]
    told = truth.clone()
    wrong = torch.rand(LEARNED) < random.uniform(0.0, 0.3)
    told[:LEARNED][wrong] = torch.randint(0, 10, (int(wrong.sum()),))
    count, most, units = len(x), int(2 ** HIGH[1]), int(2 ** HIGH[2])
    is_unit = (torch.arange(units)[None, None] < width).float()  # (c, 1, units)
    is_row = (torch.arange(most)[None, :, None] < batch).float()  # (c, most, 1)
    first = torch.randn(count, pixels.shape[1], units) * (2.0 / pixels.shape[1]) ** 0.5 * is_unit
    second = torch.randn(count, units, 10) * (1.0 / width) ** 0.5 * is_unit.transpose(1, 2)
    speed = [torch.zeros_like(first), torch.zeros_like(second)]
    for step in range(STEPS):
        chosen = torch.randint(0, LEARNED, (most,))  # the same images for all; each takes the first of them
        inside = functional.relu(pixels[chosen] @ first) * is_unit  # (c, most, units)
        kept = (torch.rand(1, most, units) >= dropout).float() / (1.0 - dropout)
        inside = inside * kept
        error = torch.softmax(inside @ second, dim=2) - functional.one_hot(told[chosen], 10)
        error = error * is_row / batch  # (c, most, 10)
        back = (error @ second.transpose(1, 2)) * (inside > 0) * kept
        slopes = pixels[chosen].T @ back, inside.transpose(1, 2) @ error
        shrunk = 1.0 - step / STEPS
        for place, (weights, slope) in enumerate(zip((first, second), slopes, strict=True)):
            speed[place].mul_(momentum).add_(slope + decay * weights)
            weights.sub_(rate * shrunk * speed[place]).nan_to_num_(0.0, 0.0, 0.0).clamp_(-1e4, 1e4)
    said = _labels_of(pixels[LEARNED:], first, second)
    missed = (said != truth[LEARNED:]).double().numpy()
    return missed[:, :VALIDATED].mean(axis=1), missed[:, VALIDATED:].mean(axis=1)


def _labels_of(pixels: object, first: object, second: object) -> object:
    """What each network (c) says of each image (n): (c, n); a few networks at a time."""
    import torch

    return torch.cat(
        [((pixels @ a).relu() @ b).argmax(dim=2) for a, b in zip(first.split(25), second.split(25), strict=True)]
    )


def random_search(name: int, observed: np.ndarray, truth: np.ndarray, *, key: bytes) -> np.ndarray:
    """Mean over ``TRACES`` random orders of the true error of the best seen after 1, 2, ... evaluations, (c,)."""
    random = np.random.default_rng(number(key, f"random search/{name}"))
    orders = np.stack([random.permutation(len(truth)) for _ in range(TRACES)])
    return np.stack([truth[order[best_so_far(observed[order])]] for order in orders]).mean(axis=0)


def best_so_far(errors: np.ndarray) -> np.ndarray:
    """After each evaluation, where the smallest of ``errors`` so far stands (the first of equals)."""
    is_record = np.concatenate([[True], errors[1:] < np.minimum.accumulate(errors)[:-1]])
    return np.maximum.accumulate(np.where(is_record, np.arange(len(errors)), 0))


def write_sealed(folder: Path, *, ids: np.ndarray, x: np.ndarray, observed: np.ndarray, key: bytes) -> None:
    """Write inputs.npz: ``id`` (t,), ``x`` (t, c, 6), ``sealed`` (t, c), and ``modulus``, one row of bytes."""
    p, q = (prime(key, name) for name in ("p", "q"))
    exponents = pow(2, SQUARINGS, p - 1), pow(2, SQUARINGS, q - 1)
    modulus, back = p * q, pow(p, -1, q)
    masks = []
    for name in ids.tolist():
        for config in range(x.shape[1]):
            start = beginning(name, config, modulus)
            at_p, at_q = pow(start, exponents[0], p), pow(start, exponents[1], q)
            masks.append(mask(at_p + p * ((at_q - at_p) * back % q)))
    sealed = observed.view(np.uint64) ^ np.array(masks, dtype=np.uint64).reshape(observed.shape)
    held = np.frombuffer(modulus.to_bytes(PRIME_BITS // 4, "big"), dtype=np.uint8)[None]
    np.savez(folder / "inputs.npz", id=ids, x=x, sealed=sealed, modulus=held)


def beginning(name: int, config: int, modulus: int) -> int:
    """The number that has to be squared to open a configuration of the task with this id."""
    return int.from_bytes(hashlib.sha512(f"{name}/{config}".encode()).digest(), "big") % modulus


def mask(opened: int) -> int:
    """64 bits that hide an error, from the last square."""
    return int.from_bytes(hashlib.sha256(str(opened).encode()).digest()[:8], "big")


def prime(key: bytes, name: str) -> int:
    """The first prime from a start that ``key`` decides, with its two highest bits set."""
    digest = hmac.new(key, f"tune-on-a-budget/prime/{name}".encode(), hashlib.sha256).digest()
    start = int.from_bytes(digest, "big") | 3 << (PRIME_BITS - 2) | 1
    return next(candidate for candidate in _odd_from(start) if is_prime(candidate))


def _odd_from(start: int) -> Iterator[int]:
    while True:
        yield start
        start += 2


def is_prime(candidate: int) -> bool:
    """Miller and Rabin's test to 24 bases: a composite of this size passes it with less than 1 in 10^14."""
    if any(candidate % small == 0 for small in (3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)):
        return False
    twos = ((candidate - 1) & -(candidate - 1)).bit_length() - 1
    odd = (candidate - 1) >> twos
    return all(_is_witnessed(base, candidate, odd, twos) for base in range(2, 26))


def _is_witnessed(base: int, candidate: int, odd: int, twos: int) -> bool:
    power = pow(base, odd, candidate)
    return power in (1, candidate - 1) or any(
        (power := power * power % candidate) == candidate - 1 for _ in range(twos - 1)
    )


def number(key: bytes, name: str) -> int:
    """63 bits of HMAC-SHA256(key, name)."""
    digest = hmac.new(key, f"tune-on-a-budget/{name}".encode(), hashlib.sha256).digest()
    return int.from_bytes(digest[:8], "big") >> 1

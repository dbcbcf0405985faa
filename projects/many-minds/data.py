"""Images to learn from as they are, and hidden images that came through something: noise, blur, bad light, a thumb on the lens.

Full data: CIFAR-10, downloaded by the address and checksum in project.toml. Toy data: the 1,797 handwritten digits inside
the scikit-learn wheel. Local data: MNIST's 10,000 test digits, where they lie on the machine.

All are public, so a hidden part needs three things:

1. *which* groups are hidden depends on a secret of the site: groups are ordered by HMAC(secret, group) and taken from
   the front. A group holds images of one coarse fingerprint (copies and near-copies) and is never divided;
2. *what* happened to each hidden image depends on the secret too: one of ``CORRUPTIONS`` with a severity from 0 to 1, and
   a little sensor noise for all of them, so no hidden image is a public one;
3. ids are HMAC(secret, item) and say nothing.

Words: an *item* is a row of raw/images.npz; a *part* is 0 (public) or 1 (hidden). ``private/answers/ledger.npz`` says for
every id which item, group and part it is. A *fold* is one of two random halves of the hidden images (see evaluate.py).
"""

from __future__ import annotations

import hashlib
import hmac
import shutil
import tarfile
import tomllib
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np

CIFAR_ROW = 1 + 3 * 32 * 32
HIDDEN, HIDDEN_SHARE = 5000, 1 / 3  # the smaller of the two
GRID = 8  # a fingerprint says of so many by so many blocks whether they are light or dark
SENSOR_NOISE = 4.0  # standard deviation, in the images' own units of 0 to 255
MNIST_FILE = ("mnist", "mnist.npz")


def fetch(raw: Path) -> None:
    """Download CIFAR-10, verify its checksum, write raw/images.npz (60,000 images of 32 x 32 x 3).

    Raises:
        ValueError: what arrived isn't what project.toml names.
    """
    facts = tomllib.loads(Path(__file__).with_name("project.toml").read_text(encoding="utf-8"))
    file = facts["data"]["files"][0]
    raw.mkdir(parents=True, exist_ok=True)
    archive = raw / file["name"]
    if not archive.exists():
        partial = archive.with_suffix(".partial")
        with urllib.request.urlopen(file["url"], timeout=60) as answer, partial.open("wb") as kept:  # noqa: S310
            shutil.copyfileobj(answer, kept, 1 << 20)
        partial.replace(archive)
    verify(archive, md5=file["md5"])
    unpack(archive, raw)


def verify(archive: Path, *, md5: str) -> None:
    """Remove the archive and raise unless it has this checksum (its publisher gives no other than md5)."""
    with archive.open("rb") as stream:
        found = hashlib.file_digest(stream, "md5").hexdigest()
    if found != md5:
        archive.unlink()
        raise ValueError(f"{archive.name} is not the file named in project.toml; it was removed, fetch again")


def unpack(archive: Path, raw: Path) -> None:
    """Write raw/images.npz from CIFAR-10's binary archive: per image one label byte, then 3 x 32 x 32 bytes."""
    blocks = []
    with tarfile.open(archive) as tar:
        for member in sorted(tar.getmembers(), key=lambda member: member.name):
            if member.isfile() and member.name.endswith(".bin"):
                content = tar.extractfile(member)
                if content is not None:
                    blocks.append(np.frombuffer(content.read(), dtype=np.uint8).reshape(-1, CIFAR_ROW))
    rows = np.concatenate(blocks)
    _write(raw, x=rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), y=rows[:, 0])


def toy(raw: Path, seed: int) -> None:
    """Write raw/images.npz from scikit-learn's digits (8 x 8 x 1); all of them, so ``seed`` changes nothing."""
    from sklearn.datasets import load_digits

    del seed
    bunch = load_digits()
    _write(raw, x=np.rint(bunch.images * (255 / 16)).astype(np.uint8)[..., None], y=bunch.target)


def local(raw: Path, folder: Path) -> None:
    """Write raw/images.npz from MNIST's 10,000 test digits (28 x 28 x 1) in ``folder``/mnist/mnist.npz."""
    with np.load(folder.joinpath(*MNIST_FILE), allow_pickle=False) as held:
        _write(raw, x=held["x_test"][..., None], y=held["y_test"])


def _write(raw: Path, *, x: np.ndarray, y: np.ndarray) -> None:
    raw.mkdir(parents=True, exist_ok=True)
    np.savez(raw / "images.npz", x=x, y=y.astype(np.int64), group=near_duplicates(x))


def near_duplicates(x: np.ndarray) -> np.ndarray:
    """Group of each image (n, side, side, channels): the first item with the same light-or-dark fingerprint."""
    block = x.shape[1] // GRID
    cut = x[:, : GRID * block, : GRID * block].reshape(len(x), GRID, block, GRID, block, -1)
    blocks = cut.astype(np.uint32).sum(axis=(2, 4, 5)).reshape(len(x), GRID * GRID)
    light = np.packbits(blocks > np.median(blocks, axis=1, keepdims=True), axis=1)
    _, first, inverse = np.unique(light, axis=0, return_index=True, return_inverse=True)
    return first[inverse.reshape(-1)].astype(np.int64)


def split(raw: Path, public: Path, private: Path, secret: bytes) -> None:
    """Write the public images with labels, and the hidden ones, corrupted, as inputs and answers, apart from each other."""
    with np.load(raw / "images.npz", allow_pickle=False) as held:
        x, y, group = held["x"], held["y"], held["group"]
    part = parts(group, hidden=min(HIDDEN, round(HIDDEN_SHARE * len(x))), secret=secret)
    ids = np.array([_number(secret, f"id/{item}") for item in range(len(x))], dtype=np.int64)
    shown, hidden = _in_order_of(ids, part == 0), _in_order_of(ids, part == 1)
    inputs, answers = private / "inputs", private / "answers"
    for folder in (public, inputs, answers):
        folder.mkdir(parents=True, exist_ok=True)
    np.savez(public / "train.npz", x=x[shown], y=y[shown], id=ids[shown])
    corrupted = np.stack([corrupt(x[item], seed=_number(secret, f"corrupt/{item}")) for item in hidden])
    np.savez(inputs / "inputs.npz", x=corrupted, id=ids[hidden])
    fold = np.array([_number(secret, f"fold/{item}") % 2 for item in hidden], dtype=np.int64)
    np.savez(answers / "answers.npz", id=ids[hidden], label=y[hidden], fold=fold)
    item = np.arange(len(x), dtype=np.int64)
    np.savez(answers / "ledger.npz", id=ids, item=item, group=group, part=part)


def parts(group: np.ndarray, *, hidden: int, secret: bytes) -> np.ndarray:
    """Part of each item: whole groups in the order of their HMAC are hidden until there are at least ``hidden`` items."""
    names, inverse, sizes = np.unique(group, return_inverse=True, return_counts=True)
    order = sorted(range(len(names)), key=lambda place: _number(secret, f"group/{names[place]}"))
    before = np.concatenate([[0], np.cumsum(sizes[order])[:-1]])
    part = np.zeros(len(names), dtype=np.int64)
    part[order] = before < hidden
    return part[inverse.reshape(-1)]


def corrupt(image: np.ndarray, *, seed: int) -> np.ndarray:
    """The image (side, side, channels) after one corruption of a severity from 0 to 1, and sensor noise; uint8."""
    random = np.random.default_rng(seed)
    kind, severity = CORRUPTIONS[int(random.integers(len(CORRUPTIONS)))], float(random.uniform())
    changed = kind(image.astype(np.float64), severity, random)
    noisy = changed + random.normal(0.0, SENSOR_NOISE, size=image.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def _noise(image: np.ndarray, severity: float, random: np.random.Generator) -> np.ndarray:
    return image + random.normal(0.0, 90.0 * severity, size=image.shape)


def _blur(image: np.ndarray, severity: float, random: np.random.Generator) -> np.ndarray:
    """Between the image and its mean over a neighbourhood of about a third of its side."""
    del random
    reach = max(1, image.shape[0] // 6)
    blurred = image
    for axis in (0, 1):
        moved = [np.roll(blurred, step, axis=axis) for step in range(-reach, reach + 1)]
        blurred = np.mean(moved, axis=0)
    return (1 - severity) * image + severity * blurred


def _contrast(image: np.ndarray, severity: float, random: np.random.Generator) -> np.ndarray:
    del random
    mean = image.mean(axis=(0, 1))
    return mean + (1 - 0.95 * severity) * (image - mean)


def _light(image: np.ndarray, severity: float, random: np.random.Generator) -> np.ndarray:
    """A lamp at one side: brightness rises along a random direction."""
    angle = random.uniform(0.0, 2 * np.pi)
    along = np.linspace(-1.0, 1.0, image.shape[0])
    slope = np.cos(angle) * along[:, None] + np.sin(angle) * along[None, :]
    return image + 150.0 * severity * slope[..., None]


def _cover(image: np.ndarray, severity: float, random: np.random.Generator) -> np.ndarray:
    """A grey square of up to two thirds of the side, somewhere."""
    side = image.shape[0]
    size = round(severity * side * 2 / 3)
    top, left = random.integers(0, side - size + 1, size=2)
    covered = image.copy()
    covered[top : top + size, left : left + size] = random.uniform(0.0, 255.0)
    return covered


def _move(image: np.ndarray, severity: float, random: np.random.Generator) -> np.ndarray:
    """Moved by up to a quarter of the side; the border is repeated."""
    side = image.shape[0]
    angle, length = random.uniform(0.0, 2 * np.pi), severity * side / 4
    steps = np.rint(length * np.array([np.cos(angle), np.sin(angle)])).astype(np.int64)
    down, right = (np.clip(np.arange(side) + step, 0, side - 1) for step in steps)
    return image[down][:, right]


CORRUPTIONS: tuple[Callable[[np.ndarray, float, np.random.Generator], np.ndarray], ...] = (
    _noise,
    _blur,
    _contrast,
    _light,
    _cover,
    _move,
)


def _in_order_of(ids: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The chosen items in the order of their ids, so that the order of rows says nothing either."""
    items = np.flatnonzero(chosen)
    return items[np.argsort(ids[items])]


def _number(secret: bytes, name: str) -> int:
    """63 bits of HMAC-SHA256(secret, name)."""
    digest = hmac.new(secret, f"many-minds/{name}".encode(), hashlib.sha256).digest()
    return int.from_bytes(digest[:8], "big") >> 1

"""Labelled images to train on against the clock, and hidden images on which the target must be reached.

Full data: CIFAR-10, downloaded by the address and checksum in project.toml. Toy data: patches of three textures (brick,
grass, gravel) that ship inside the scikit-image wheel. Each of them is public, so a hidden part needs four things:

1. *which* groups are hidden depends on a secret of the site: groups are ordered by HMAC(secret, group) and taken from
   the front. On CIFAR-10 a group holds images of one coarse fingerprint (copies and near-copies), in the toy it is one
   cell of one texture, so hidden patches come from regions that no public patch touches;
2. *what* the hidden images look like depends on the secret too: each is moved a little, made brighter or darker, given noise;
3. *what the classes are called* depends on it: their numbers are shuffled, so an answer learned elsewhere has other names;
4. ids are HMAC(secret, item) and say nothing.

Words: an *item* is a row of raw/images.npz; a *part* is 0 (public) or 1 (hidden); the *task* (raw/task.json, and a copy in
public/ and beside the answers) says the ``target``: the share of hidden images that must be right.
``private/answers/ledger.npz`` says for every id which item, group and part it is.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import shutil
import tarfile
import tomllib
import urllib.request
from pathlib import Path

import numpy as np

TEXTURES = ("brick.png", "grass.png", "gravel.png")
SIDE = 24  # pixels of a toy patch
CELL = 64  # pixels of a cell of a texture; patches never cross its border
PATCHES_A_CELL = 20
CONTRAST = (0.35, 1.0)  # of a toy patch, whose mean grey is taken away: brightness must not tell the texture
CIFAR_ROW = 1 + 3 * 32 * 32
SHIFT_PIXELS = 1
BRIGHTNESS = (0.95, 1.05)
NOISE = 2.0  # standard deviation, in the images' own units of 0 to 255
TASKS = {
    "textures": {"target": 0.95, "hidden": 0.25},
    "mnist": {"target": 0.98, "hidden": 10_000 / 70_000},
    "cifar-10": {"target": 0.94, "hidden": 10_000 / 60_000},
}


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
    x = rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    write_raw(raw, name="cifar-10", x=x, y=rows[:, 0].astype(np.int64), group=near_duplicates(x))


def local(raw: Path, folder: Path) -> None:
    """Write raw/images.npz from ``folder``/mnist/mnist.npz (``x_train``, ``y_train``, ``x_test``, ``y_test``), 70,000
    images of 28 x 28: real data of the same kind, for a machine without a network.
    """
    with np.load(folder / "mnist" / "mnist.npz", allow_pickle=False) as held:
        x = np.concatenate([held["x_train"], held["x_test"]])[..., None]
        y = np.concatenate([held["y_train"], held["y_test"]]).astype(np.int64)
    write_raw(raw, name="mnist", x=x, y=y, group=near_duplicates(x))


def near_duplicates(x: np.ndarray) -> np.ndarray:
    """Group of each image (n, side, side, channels): the first item with the same light-or-dark fingerprint of blocks of
    4 x 4 pixels.
    """
    count, side, channels = len(x), x.shape[1] // 4, x.shape[3]
    blocks = x.reshape(count, side, 4, side, 4, channels).astype(np.uint32).sum(axis=(2, 4, 5)).reshape(count, -1)
    light = np.packbits(blocks > np.median(blocks, axis=1, keepdims=True), axis=1)
    _, first, inverse = np.unique(light, axis=0, return_index=True, return_inverse=True)
    return first[inverse.reshape(-1)].astype(np.int64)


def toy(raw: Path, seed: int) -> None:
    """Write raw/images.npz: grey patches of three textures, grouped by the cell they were cut from; no network."""
    random = np.random.default_rng(seed)
    x, y, group = [], [], []
    for label, name in enumerate(TEXTURES):
        photo = _texture(name)
        for cell, (top, left) in enumerate(_cells(photo)):
            for dy, dx in random.integers(0, CELL - SIDE + 1, size=(PATCHES_A_CELL, 2)):
                patch = photo[top + dy : top + dy + SIDE, left + dx : left + dx + SIDE]
                x.append(_evened(patch, contrast=random.uniform(*CONTRAST)))
                y.append(label)
                group.append(1000 * label + cell)
    labels, groups = np.array(y, dtype=np.int64), np.array(group, dtype=np.int64)
    write_raw(raw, name="textures", x=np.stack(x), y=labels, group=groups)


def write_raw(raw: Path, *, name: str, x: np.ndarray, y: np.ndarray, group: np.ndarray) -> None:
    """The raw form that ``split`` reads: x (n, side, side, channels) uint8, y and group (n,), and what the task is."""
    raw.mkdir(parents=True, exist_ok=True)
    np.savez(raw / "images.npz", x=x, y=y, group=group)
    (raw / "task.json").write_text(json.dumps({"name": name, **TASKS[name]}), encoding="utf-8")


def _texture(name: str) -> np.ndarray:
    """One bundled texture in grey, uint8 (512, 512)."""
    import skimage.data
    from PIL import Image

    content = (Path(skimage.data.__file__).parent / name).read_bytes()
    return np.asarray(Image.open(io.BytesIO(content)).convert("L"))


def _cells(photo: np.ndarray) -> list[tuple[int, int]]:
    """Top-left corners of the whole cells of a texture."""
    height, width = photo.shape
    return [(top, left) for top in range(0, height - CELL + 1, CELL) for left in range(0, width - CELL + 1, CELL)]


def _evened(patch: np.ndarray, *, contrast: float) -> np.ndarray:
    """The patch (side, side) with mean 128 and its contrast lowered: uint8 (side, side, 1)."""
    grey = patch.astype(np.float64)
    return np.clip(np.rint(128 + contrast * (grey - grey.mean())), 0, 255).astype(np.uint8)[..., None]


def split(raw: Path, public: Path, private: Path, secret: bytes) -> None:
    """Write the public images with labels, and the hidden ones as inputs and answers, apart from each other."""
    with np.load(raw / "images.npz", allow_pickle=False) as held:
        x, y, group = held["x"], held["y"], held["group"]
    task = json.loads((raw / "task.json").read_text(encoding="utf-8"))
    part = parts(group, hidden=round(task["hidden"] * len(x)), secret=secret)
    y = renamed(y, secret=secret)
    ids = np.array([_number(secret, f"id/{item}") for item in range(len(x))], dtype=np.int64)
    shown, hidden = (_in_order_of(ids, part == which) for which in (0, 1))
    inputs, answers = private / "inputs", private / "answers"
    for folder in (public, inputs, answers):
        folder.mkdir(parents=True, exist_ok=True)
    np.savez(public / "train.npz", x=x[shown], y=y[shown], id=ids[shown])
    perturbed = np.stack([perturb(x[item], seed=_number(secret, f"perturb/{item}")) for item in hidden])
    np.savez(inputs / "inputs.npz", x=perturbed, id=ids[hidden])
    np.savez(answers / "answers.npz", id=ids[hidden], label=y[hidden])
    item = np.arange(len(x), dtype=np.int64)
    np.savez(answers / "ledger.npz", id=ids, item=item, group=group, part=part)
    said = json.dumps({"name": task["name"], "target": task["target"]})
    for folder in (public, answers):
        (folder / "task.json").write_text(said, encoding="utf-8")


def parts(group: np.ndarray, *, hidden: int, secret: bytes) -> np.ndarray:
    """1 for the items of whole groups in the order of their HMAC, until at least ``hidden`` items are taken; else 0."""
    names, inverse, sizes = np.unique(group, return_inverse=True, return_counts=True)
    order = sorted(range(len(names)), key=lambda place: _number(secret, f"group/{names[place]}"))
    before = np.concatenate([[0], np.cumsum(sizes[order])[:-1]])
    part = np.zeros(len(names), dtype=np.int64)
    part[order] = before < hidden
    return part[inverse.reshape(-1)]


def renamed(y: np.ndarray, *, secret: bytes) -> np.ndarray:
    """The labels (n,) under the numbers that this secret gives the classes."""
    classes = int(y.max()) + 1
    order = sorted(range(classes), key=lambda label: _number(secret, f"class/{label}"))
    return np.array(order, dtype=np.int64)[y]


def perturb(image: np.ndarray, *, seed: int) -> np.ndarray:
    """The image (side, side, channels) moved by up to one pixel, scaled in brightness, with noise; uint8."""
    random = np.random.default_rng(seed)
    margin = ((SHIFT_PIXELS, SHIFT_PIXELS), (SHIFT_PIXELS, SHIFT_PIXELS), (0, 0))
    top, left = random.integers(0, 2 * SHIFT_PIXELS + 1, size=2)
    height, width, _ = image.shape
    moved = np.pad(image, margin, mode="reflect")[top : top + height, left : left + width].astype(np.float64)
    noisy = moved * random.uniform(*BRIGHTNESS) + random.normal(0.0, NOISE, size=image.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def _in_order_of(ids: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The chosen items in the order of their ids, so that the order of rows says nothing either."""
    items = np.flatnonzero(chosen)
    return items[np.argsort(ids[items])]


def _number(secret: bytes, name: str) -> int:
    """63 bits of HMAC-SHA256(secret, name)."""
    digest = hmac.new(secret, f"a-week-to-minutes/{name}".encode(), hashlib.sha256).digest()
    return int.from_bytes(digest[:8], "big") >> 1

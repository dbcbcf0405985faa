"""Images without labels to learn from, and hidden labelled images to judge the learned features by.

Full data: CIFAR-10, downloaded by the address and checksum in project.toml. Toy data: grey patches of photographs that
ship inside the scikit-learn and scikit-image wheels; the label of a patch is the photograph it was cut from.

Both are public, so a hidden part needs three things:

1. *which* groups are hidden depends on a secret of the site: groups are ordered by HMAC(secret, group) and taken from
   the front. A group is never divided: on CIFAR-10 it holds images of one coarse fingerprint (copies and near-copies),
   in the toy it is one cell of one photograph, so hidden patches come from regions that no public patch touches;
2. *what* the hidden images look like depends on the secret too: each is moved, made brighter or darker and given noise;
3. ids are HMAC(secret, item) and say nothing.

Words: an *item* is a row of raw/images.npz; a *part* is 0 (public, unlabelled), 1 (hidden) or 2 (public, with labels,
to measure at home). ``private/answers/ledger.npz`` says for every id which item, group and part it is.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import shutil
import tarfile
import tomllib
import urllib.request
from pathlib import Path

import numpy as np

SIDE = 16  # pixels of a toy patch
CELL = 48  # pixels of a cell of a photograph; patches never cross its border
PATCHES_A_CELL = 10
CIFAR_ROW = 1 + 3 * 32 * 32
SHIFT_PIXELS = 2
BRIGHTNESS = (0.85, 1.15)
NOISE = 4.0  # standard deviation, in the images' own units of 0 to 255
HIDDEN_SHARE_TOY = 0.25
LABELLED_SHARE = {"toy": 0.15, "full": 0.05}
PHOTOS = (
    ("sklearn", "china.jpg"),
    ("sklearn", "flower.jpg"),
    ("skimage", "astronaut.png"),
    ("skimage", "camera.png"),
    ("skimage", "chelsea.png"),
    ("skimage", "coffee.png"),
    ("skimage", "rocket.jpg"),
    ("skimage", "brick.png"),
    ("skimage", "grass.png"),
    ("skimage", "gravel.png"),
)


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
    np.savez(raw / "images.npz", x=x, y=rows[:, 0].astype(np.int64), group=near_duplicates(x))


def near_duplicates(x: np.ndarray) -> np.ndarray:
    """Group of each image (n, 32, 32, 3): the first item with the same 8 x 8 light-or-dark fingerprint."""
    blocks = x.reshape(len(x), 8, 4, 8, 4, 3).astype(np.uint32).sum(axis=(2, 4, 5)).reshape(len(x), 64)
    light = np.packbits(blocks > np.median(blocks, axis=1, keepdims=True), axis=1)
    _, first, inverse = np.unique(light, axis=0, return_index=True, return_inverse=True)
    return first[inverse.reshape(-1)].astype(np.int64)


def toy(raw: Path, seed: int) -> None:
    """Write raw/images.npz: patches of 16 x 16 grey pixels, labelled by photograph, grouped by cell; no network."""
    random = np.random.default_rng(seed)
    x, y, group = [], [], []
    for label, name in enumerate(PHOTOS):
        photo = _photo(*name)
        for cell, (top, left) in enumerate(_cells(photo)):
            for dy, dx in random.integers(0, CELL - SIDE + 1, size=(PATCHES_A_CELL, 2)):
                x.append(photo[top + dy : top + dy + SIDE, left + dx : left + dx + SIDE, None])
                y.append(label)
                group.append(1000 * label + cell)
    raw.mkdir(parents=True, exist_ok=True)
    labels, groups = np.array(y, dtype=np.int64), np.array(group, dtype=np.int64)
    np.savez(raw / "images.npz", x=np.stack(x), y=labels, group=groups)


def _photo(package: str, name: str) -> np.ndarray:
    """One bundled photograph in grey, uint8 (height, width); 0.299 R + 0.587 G + 0.114 B."""
    import skimage.data
    import sklearn.datasets
    from PIL import Image

    home = (
        Path(skimage.data.__file__).parent
        if package == "skimage"
        else Path(sklearn.datasets.__file__).parent / "images"
    )
    return np.asarray(Image.open(io.BytesIO((home / name).read_bytes())).convert("L"))


def _cells(photo: np.ndarray) -> list[tuple[int, int]]:
    """Top-left corners of the whole cells of a photograph."""
    height, width = photo.shape
    return [(top, left) for top in range(0, height - CELL + 1, CELL) for left in range(0, width - CELL + 1, CELL)]


def split(raw: Path, public: Path, private: Path, secret: bytes) -> None:
    """Write unlabelled and labelled public images, hidden inputs, and their answers, apart from each other."""
    with np.load(raw / "images.npz", allow_pickle=False) as held:
        x, y, group = held["x"], held["y"], held["group"]
    full = x.shape[1] == 32
    hidden_count = 5000 if full else round(HIDDEN_SHARE_TOY * len(x))
    labelled_count = round(LABELLED_SHARE["full" if full else "toy"] * len(x))
    part = parts(group, hidden=hidden_count, labelled=labelled_count, secret=secret)
    ids = np.array([_number(secret, f"id/{item}") for item in range(len(x))], dtype=np.int64)
    unlabelled, hidden, labelled = (_in_order_of(ids, part == which) for which in (0, 1, 2))
    inputs, answers = private / "inputs", private / "answers"
    for folder in (public, inputs, answers):
        folder.mkdir(parents=True, exist_ok=True)
    np.savez(public / "unlabelled.npz", x=x[unlabelled], id=ids[unlabelled])
    np.savez(public / "labelled.npz", x=x[labelled], y=y[labelled], id=ids[labelled])
    perturbed = np.stack([perturb(x[item], seed=_number(secret, f"perturb/{item}")) for item in hidden])
    np.savez(inputs / "inputs.npz", x=perturbed, id=ids[hidden])
    fold = np.array([_number(secret, f"fold/{item}") % 2 for item in hidden], dtype=np.int64)
    np.savez(answers / "answers.npz", id=ids[hidden], label=y[hidden], fold=fold)
    item = np.arange(len(x), dtype=np.int64)
    np.savez(answers / "ledger.npz", id=ids, item=item, group=group, part=part)


def parts(group: np.ndarray, *, hidden: int, labelled: int, secret: bytes) -> np.ndarray:
    """Part of each item: whole groups in the order of their HMAC, first the hidden ones, then the labelled ones."""
    names, inverse, sizes = np.unique(group, return_inverse=True, return_counts=True)
    order = sorted(range(len(names)), key=lambda place: _number(secret, f"group/{names[place]}"))
    before = np.concatenate([[0], np.cumsum(sizes[order])[:-1]])
    part = np.zeros(len(names), dtype=np.int64)
    part[order] = np.where(before < hidden, 1, np.where(before < hidden + labelled, 2, 0))
    return part[inverse.reshape(-1)]


def perturb(image: np.ndarray, *, seed: int) -> np.ndarray:
    """The image (side, side, channels) moved by up to two pixels, scaled in brightness, with noise; uint8."""
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
    digest = hmac.new(secret, f"features-without-labels/{name}".encode(), hashlib.sha256).digest()
    return int.from_bytes(digest[:8], "big") >> 1

"""Radar chips of floods, and hidden ones from events that no public chip is of.

Full data: the 446 hand-labelled chips of Sen1Floods11 (Bonafilia and others 2020), Sentinel-1 radar over eleven flood
events, 512 x 512 pixels, GeoTIFF in decibel with no-data. Toy data: made chips of 64 x 64 pixels from sixteen made events.
Both become raw/chips.npz: ``bands`` (n, side, side, 2), float32, VV and VH in decibel, NaN where there are no data;
``label`` (n, side, side), int8, 1 water, 0 none, -1 unknown; ``event`` (n,), int64. Nothing is cleaned: that is the work.

Which events are hidden depends on the secret: events are ordered by HMAC(secret, event) and taken from the front until
``HIDDEN_SHARE`` of the chips is hidden. An event is never divided. Hidden chips are turned or mirrored, and brighter or darker by
up to ``DRIFT`` decibel, as another pass of a satellite would be; ids say nothing.

A *mask* is kept as bits: ``np.packbits(mask.reshape(-1))``, side * side / 8 bytes. ``private/answers/ledger.npz`` says for every
id which item, group (event) and part (0 public, 1 hidden) it is.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import shutil
import urllib.parse
import urllib.request
import zlib
from pathlib import Path
from typing import Any

import numpy as np

BUCKET = "sen1floods11"
LISTING = f"https://storage.googleapis.com/storage/v1/b/{BUCKET}/o"
OBJECT = f"https://storage.googleapis.com/{BUCKET}"
LABELLED = "v1.1/data/flood_events/HandLabeled"
CHIPS = 446
SIDE, EVENTS, CHIPS_AN_EVENT = 64, 16, 9  # of the toy
LOOKS = 4  # independent looks at a pixel: how strong speckle is
HIDDEN_SHARE = 0.3
DRIFT = 1.0  # decibel


def fetch(raw: Path) -> None:
    """Download Sen1Floods11's hand-labelled radar chips and their labels, write raw/chips.npz.

    Its publisher gives no file of checksums. The storage service gives a size and an MD5 for each object: each download
    is held against them, and raw/objects.json keeps all of it, so that two sites can tell whether they have the same.

    Raises:
        ValueError: there are not 446 pairs, or an object isn't what the service says it is.
    """
    raw.mkdir(parents=True, exist_ok=True)
    objects = {kind: listed(f"{LABELLED}/{kind}/") for kind in ("S1Hand", "LabelHand")}
    if any(len(found) != CHIPS for found in objects.values()):
        counts = ", ".join(f"{len(found)} of {kind}" for kind, found in objects.items())
        raise ValueError(f"{OBJECT}/{LABELLED} holds {counts}; there must be {CHIPS} of each")
    (raw / "objects.json").write_text(json.dumps(objects, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    for found in objects.values():
        for one in found:
            download(one, raw / Path(one["name"]).name)
    names = sorted(Path(one["name"]).name.removesuffix("_S1Hand.tif") for one in objects["S1Hand"])
    write_chips(raw, *(np.stack(part) for part in zip(*(chip(raw, name) for name in names), strict=True)), names)


def listed(prefix: str) -> list[dict[str, str]]:
    """Name, size and MD5 of every GeoTIFF below ``prefix``, as the storage service says them."""
    found: list[dict[str, str]] = []
    asked = {"prefix": prefix, "fields": "items(name,size,md5Hash),nextPageToken"}
    while True:
        with urllib.request.urlopen(f"{LISTING}?{urllib.parse.urlencode(asked)}", timeout=60) as answer:  # noqa: S310
            page: dict[str, Any] = json.load(answer)
        found += [one for one in page.get("items", []) if one["name"].endswith(".tif")]
        if "nextPageToken" not in page:
            return found
        asked["pageToken"] = page["nextPageToken"]


def download(one: dict[str, str], file: Path) -> None:
    """The object in ``file``, unless it is there already.

    Raises:
        ValueError: it has another size or MD5 than the listing says; it is removed.
    """
    if not file.exists():
        partial = file.with_suffix(".partial")
        url = f"{OBJECT}/{urllib.parse.quote(one['name'])}"
        with urllib.request.urlopen(url, timeout=60) as answer, partial.open("wb") as kept:  # noqa: S310
            shutil.copyfileobj(answer, kept, 1 << 20)
        partial.replace(file)
    content = file.read_bytes()
    md5 = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
    if len(content) != int(one["size"]) or md5 != one["md5Hash"]:
        file.unlink()
        raise ValueError(f"{file.name} is not what the storage service lists; it was removed, fetch again")


def chip(raw: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Bands (side, side, 2) and label (side, side) of one chip."""
    bands, label = (read_tiff(raw / f"{name}_{kind}.tif") for kind in ("S1Hand", "LabelHand"))
    return bands.astype(np.float32), label[:, :, 0].astype(np.int8)


def read_tiff(file: Path) -> np.ndarray:
    """The first image of a TIFF, (height, width, bands), plain or packed by LZW or Deflate.

    tifffile reads the directory; it unpacks LZW only with another package, so what it can't unpack is unpacked here.

    Raises:
        ValueError: it is packed in another way.
    """
    import tifffile

    with tifffile.TiffFile(file) as tiff:
        page = tiff.pages[0]
        packing, predictor = int(page.compression), int(page.predictor)
        if packing not in UNPACK or predictor != 1:
            raise ValueError(f"{file.name}: TIFF compression {packing} with predictor {predictor} is not read here")
        content, is_apart = file.read_bytes(), int(page.planarconfig) == 2
        spans = zip(page.dataoffsets, page.databytecounts, strict=True)
        blocks = [UNPACK[packing](content[start : start + count]) for start, count in spans]
        height, width, bands = page.imagelength, page.imagewidth, page.samplesperpixel
        across, down = (page.tilewidth, page.tilelength) if page.is_tiled else (width, page.rowsperstrip)
        dtype = np.dtype(page.dtype).newbyteorder(tiff.byteorder)
    columns = -(-width // across)
    depth, planes = (1, bands) if is_apart else (bands, 1)
    image = np.empty((height, width, bands), dtype=page.dtype)
    for place, block in enumerate(blocks):
        plane, spot = divmod(place, len(blocks) // planes)
        top, left = spot // columns * down, spot % columns * across
        values = np.frombuffer(block, dtype=dtype)
        values = values[: len(values) // (across * depth) * across * depth].reshape(-1, across, depth)
        part = image[top : top + down, left : left + across, plane : plane + depth]
        part[:] = values[: part.shape[0], : part.shape[1]]
    return image


def unpack_lzw(packed: bytes) -> bytes:
    """What TIFF's LZW packed (TIFF revision 6.0, section 13): codes of 9 to 12 bits, 256 to begin anew, 257 at the end."""
    singles = [bytes([value]) for value in range(256)] + [b"", b""]
    table, width, before, unpacked = singles[:], 9, b"", []
    held = bits = 0
    for byte in packed:
        held, bits = (held << 8 | byte) & 0xFFFFFF, bits + 8
        if bits < width:
            continue
        bits -= width
        code = held >> bits & ((1 << width) - 1)
        if code == 257:
            break
        if code == 256:
            table, width, before = singles[:], 9, b""
            continue
        found = table[code] if code < len(table) else before + before[:1]
        if before:
            table.append(before + found[:1])
            width = min(max(width, (len(table) + 1).bit_length()), 12)
        unpacked.append(found)
        before = found
    return b"".join(unpacked)


UNPACK = {1: bytes, 5: unpack_lzw, 8: zlib.decompress, 32946: zlib.decompress}


def write_chips(raw: Path, bands: np.ndarray, label: np.ndarray, names: list[str]) -> None:
    """Write raw/chips.npz; the event of a chip is what its name begins with, such as Bolivia_103757."""
    events = sorted({name.split("_")[0] for name in names})
    event = np.array([events.index(name.split("_")[0]) for name in names], dtype=np.int64)
    raw.mkdir(parents=True, exist_ok=True)
    np.savez(raw / "chips.npz", bands=bands.astype(np.float32), label=label.astype(np.int8), event=event)


def local(raw: Path, folder: Path) -> None:
    """Write raw/chips.npz from electron micrographs in ``folder``/membrane: dark lines to be found, as rivers are.

    Thirty slices, in six events of five neighbours each; a slice is halved in size and cut into sixteen chips. The first
    band is the logarithm of the grey value, the second the same of its mean over 5 x 5 pixels.
    """
    from PIL import Image

    bands, label, names = [], [], []
    for place in range(30):
        grey, mask = (
            np.asarray(Image.open(folder / "membrane" / "train" / kind / f"{place}.png").convert("L"), dtype=np.float32)
            for kind in ("image", "label")
        )
        grey, mask = (part.reshape(256, 2, 256, 2).mean(axis=(1, 3)) for part in (grey, mask))
        level = 10.0 * np.log10((grey + 1.0) / 256.0)
        both = np.stack([level, blurred(level, 5)], axis=2)
        for top in range(0, 256, SIDE):
            for left in range(0, 256, SIDE):
                cut = np.s_[top : top + SIDE, left : left + SIDE]
                bands.append(both[cut])
                label.append(mask[cut] < 128)
                names.append(f"slices{place // 5}_{place}_{top}_{left}")
    write_chips(raw, np.stack(bands), np.stack(label), names)


def blurred(image: np.ndarray, size: int) -> np.ndarray:
    """The mean of each pixel's ``size`` x ``size`` neighbours, mirrored at the edges."""
    edge = size // 2
    padded = np.pad(image, edge, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size))
    return windows.mean(axis=(2, 3))


def toy(raw: Path, seed: int) -> None:
    """Write raw/chips.npz: sixteen made events of nine chips each; no network."""
    random = np.random.default_rng(seed)
    bands, label, names = [], [], []
    for event in range(EVENTS):
        habits = {
            "gain": random.uniform(-2.5, 2.5, size=2),  # what the processor of that day made of it, VV and VH
            "land": np.array([-9.0, -15.5]) + random.normal(size=2),
            "wind": random.uniform(0.0, 5.0),  # roughens water, which brightens VV
            "relief": random.uniform(0.5, 3.0),
            "flooded": random.uniform(0.1, 0.45),
        }
        for place in range(CHIPS_AN_EVENT):
            made = made_chip(habits, random)
            bands.append(made[0])
            label.append(made[1])
            names.append(f"event{event}_{place}")
    write_chips(raw, np.stack(bands), np.stack(label), names)


def made_chip(habits: dict[str, Any], random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Bands (SIDE, SIDE, 2) in decibel and label (SIDE, SIDE) of a made flood.

    Fractal terrain lies under water where it is low. Land is brighter where it is rough or faces the radar; slopes that
    face away are dark, as water is; plants stand in a part of the water and make it bright.
    """
    height, cover, plants = fractal(random, 2.2), fractal(random, 1.6), fractal(random, 1.8)
    level = np.quantile(height, np.clip(habits["flooded"] + 0.15 * random.normal(), 0.0, 0.8))
    water = height < level
    slope = habits["relief"] * np.gradient(height, axis=1) * 6.0
    land = habits["land"] + (1.5 * cover - np.where(slope < -1.2, 6.0, 0.0) + 1.2 * np.clip(slope, 0, 4))[..., None]
    wet = np.array([-19.0, -25.5]) + np.array([1.0, 0.3]) * habits["wind"] + (1.5 * (plants > 1.3))[..., None] * 4.0
    decibel = np.where(water[..., None], wet, land) + habits["gain"]
    across = np.linspace(1.0, -1.0, SIDE)[None, :, None]  # near the radar all is brighter
    speckle = random.gamma(LOOKS, 1.0 / LOOKS, size=decibel.shape)
    decibel = decibel + 0.7 * across + 10.0 * np.log10(speckle)
    label = water.astype(np.int8)
    if random.random() < 0.3:  # the edge of the swath
        edge = np.arange(SIDE)[None, :] + 0.3 * np.arange(SIDE)[:, None] < random.uniform(4, 24)
        decibel[edge], label[edge] = np.nan, -1
    label[fractal(random, 1.5) > 2.2] = -1  # where whoever labelled it couldn't tell
    return decibel.astype(np.float32), label


def fractal(random: np.random.Generator, steepness: float) -> np.ndarray:
    """A random field (SIDE, SIDE) whose amplitude falls with frequency to this power; mean 0, deviation 1."""
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None, :])
    frequency[0, 0] = np.inf
    waves = random.normal(size=(*frequency.shape, 2)) @ np.array([1.0, 1.0j])
    field = np.fft.irfft2(waves / frequency ** (0.8 * steepness), s=(SIDE, SIDE))
    return (field - field.mean()) / field.std()


def split(raw: Path, public: Path, private: Path, secret: bytes) -> None:
    """Write public chips with labels and events, hidden chips, and their masks, apart from each other."""
    with np.load(raw / "chips.npz", allow_pickle=False) as held:
        bands, label, event = held["bands"], held["label"], held["event"]
    part = parts(event, secret=secret)
    ids = np.array([number(secret, f"id/{item}") for item in range(len(event))], dtype=np.int64)
    inputs, answers = private / "inputs", private / "answers"
    for folder in (public, inputs, answers):
        folder.mkdir(parents=True, exist_ok=True)
    shown, hidden = (rows[np.argsort(ids[rows])] for rows in (np.flatnonzero(part == which) for which in (0, 1)))
    np.savez(public / "chips.npz", id=ids[shown], bands=bands[shown], label=label[shown], event=event[shown])
    drifts = {
        name: np.random.default_rng(number(secret, f"drift/{name}")).uniform(-DRIFT, DRIFT, 2) for name in set(event)
    }
    turned = [
        seen_again(bands[item], label[item], drift=drifts[event[item]], seed=number(secret, f"pass/{item}"))
        for item in hidden
    ]
    np.savez(inputs / "inputs.npz", id=ids[hidden], bands=np.stack([chip for chip, _ in turned]))
    masks = np.stack([mask for _, mask in turned])
    np.savez(
        answers / "answers.npz",
        id=ids[hidden], water=packed(masks == 1), known=packed(masks >= 0), event=event[hidden],
    )  # fmt: skip
    item = np.arange(len(ids), dtype=np.int64)
    np.savez(answers / "ledger.npz", id=ids, item=item, group=event, part=part)


def parts(event: np.ndarray, *, secret: bytes) -> np.ndarray:
    """Part of each chip: whole events in the order of their HMAC, hidden until ``HIDDEN_SHARE`` is reached."""
    names, inverse, sizes = np.unique(event, return_inverse=True, return_counts=True)
    order = sorted(range(len(names)), key=lambda place: number(secret, f"event/{names[place]}"))
    before = np.concatenate([[0], np.cumsum(sizes[order])[:-1]])
    part = np.zeros(len(names), dtype=np.int64)
    part[order] = before < HIDDEN_SHARE * len(event)
    return part[inverse.reshape(-1)]


def seen_again(bands: np.ndarray, label: np.ndarray, *, drift: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A chip and its label, turned or mirrored alike; the chip brighter or darker by ``drift`` and with a little noise."""
    random = np.random.default_rng(seed)
    turns, is_mirrored = int(random.integers(4)), bool(random.integers(2))
    bands, label = (np.rot90(part, turns) for part in (bands, label))
    if is_mirrored:
        bands, label = bands[:, ::-1], label[:, ::-1]
    noise = 0.2 * random.normal(size=bands.shape)
    return (bands + drift + noise).astype(np.float32), np.ascontiguousarray(label)


def packed(masks: np.ndarray) -> np.ndarray:
    """Masks (n, side, side) as bits, (n, side * side / 8)."""
    return np.packbits(masks.reshape(len(masks), -1), axis=1)


def number(secret: bytes, name: str) -> int:
    """63 bits of HMAC-SHA256(secret, name)."""
    digest = hmac.new(secret, f"flood-lines/{name}".encode(), hashlib.sha256).digest()
    return int.from_bytes(digest[:8], "big") >> 1

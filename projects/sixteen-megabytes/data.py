"""Text to learn from, and hidden places in other text at which the next byte is asked for.

Full data: tinyshakespeare, downloaded by the address and checksum in project.toml. Toy data: tales (``tales.py``), of which
those to learn from are told by the toy seed and the hidden ones by the secret of the site, so nobody has seen them.

A hidden *item* is a context of ``CONTEXT`` bytes; its answer is the byte that follows. A submission gets the contexts of all
items and nothing else of the hidden text, so looking ahead is not forbidden, it is impossible. Items are cut one after the
other, ``GAP`` bytes are left out after each answer, and no two contexts overlap: no answer stands in any context.

Of tinyshakespeare whole blocks are hidden, about ``BLOCK`` bytes that begin and end between two speeches. Which ones depends on
the secret: blocks are ordered by HMAC(secret, block) and taken from the front. Ids are HMAC(secret, item) and say nothing.

Words: a *group* is a block, of a hidden tale text too; a *part* is 0 (public) or 1 (hidden). ``private/answers/ledger.npz``
says for every id which item, group and part it is. The *task* (raw/task.json) says which text it is.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import shutil
import sys
import tomllib
import urllib.request
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from tales import told

CONTEXT = 128
GAP = 15
WINDOW = CONTEXT + 1 + GAP
BLOCK = 4096
HIDDEN_SHARE = 0.25
TOY_BYTES = 300_000
TOY_HIDDEN_BYTES = 300_000


def fetch(raw: Path) -> None:
    """Download tinyshakespeare, verify its checksum, write raw/text.txt.

    Raises:
        ValueError: what arrived isn't what project.toml names.
    """
    raw.mkdir(parents=True, exist_ok=True)
    file = _facts()
    whole = raw / file["name"]
    if not whole.exists():
        partial = whole.with_suffix(".partial")
        with urllib.request.urlopen(file["url"], timeout=60) as answer, partial.open("wb") as kept:  # noqa: S310
            shutil.copyfileobj(answer, kept, 1 << 20)
        partial.replace(whole)
    content = whole.read_bytes()
    if hashlib.sha256(content).hexdigest() != file["sha256"]:
        whole.unlink()
        raise ValueError(f"{file['name']} is not the file named in project.toml; it was removed, fetch again")
    write_raw(raw, content, name="tinyshakespeare")


def local(raw: Path, folder: Path) -> None:
    """Write raw/text.txt from ``folder``/tinyshakespeare/input.txt, for a machine without a network. It is the full data.

    Raises:
        ValueError: it is another file than project.toml names.
    """
    content = (folder / "tinyshakespeare" / "input.txt").read_bytes()
    if hashlib.sha256(content).hexdigest() != _facts()["sha256"]:
        raise ValueError("tinyshakespeare/input.txt is not the file named in project.toml")
    write_raw(raw, content, name="tinyshakespeare")


def _facts() -> dict[str, str]:
    toml = Path(__file__).with_name("project.toml").read_text(encoding="utf-8")
    file: dict[str, str] = tomllib.loads(toml)["data"]["files"][0]
    return file


def toy(raw: Path, seed: int) -> None:
    """Write raw/text.txt: tales to learn from; no network."""
    text, _ = told(f"public {seed}", least_bytes=TOY_BYTES)
    write_raw(raw, text, name="tales")


def write_raw(raw: Path, text: bytes, *, name: str) -> None:
    """The raw form that ``split`` reads."""
    raw.mkdir(parents=True, exist_ok=True)
    (raw / "text.txt").write_bytes(text)
    (raw / "task.json").write_text(json.dumps({"name": name}), encoding="utf-8")


def split(raw: Path, public: Path, private: Path, secret: bytes) -> None:
    """Write the text to learn from, and the hidden contexts as inputs and the bytes that follow as answers."""
    text = (raw / "text.txt").read_bytes()
    if json.loads((raw / "task.json").read_text(encoding="utf-8"))["name"] == "tales":
        found, bits = told(hmac.digest(secret, b"hidden tales", hashlib.sha256).hex(), least_bytes=TOY_HIDDEN_BYTES)
        shown, hidden = [text], list(enumerate(blocks_of(found)))
        floor = {"source_bits_per_byte": bits / len(found)}
        first = _number(secret, "first item") >> 20  # these texts are in no other split
    else:
        blocks = blocks_of(text)
        chosen = hidden_blocks([len(block) for block in blocks], secret=secret)
        shown = [block for place, block in enumerate(blocks) if place not in chosen]
        hidden = [(place, blocks[place]) for place in sorted(chosen)]
        floor, first = {}, 0
    inputs, answers = private / "inputs", private / "answers"
    for folder in (public, inputs, answers):
        folder.mkdir(parents=True, exist_ok=True)
    (public / "train.txt").write_bytes(b"".join(shown))
    group, context, following = windows([place for place, _ in hidden], [block for _, block in hidden])
    item = first + 1000 * group + _places_within(group)
    ids = np.array([_number(secret, f"id/{number}") for number in item], dtype=np.int64)
    order = np.argsort(ids)
    np.savez(inputs / "inputs.npz", context=context[order], id=ids[order])
    np.savez(answers / "answers.npz", id=ids[order], next=following[order])
    if floor:
        (answers / "floor.json").write_text(json.dumps(floor), encoding="utf-8")
    write_ledger(answers, ids=ids[order], item=item[order], group=group[order], public=len(shown), secret=secret)


def write_ledger(
    answers: Path, *, ids: np.ndarray, item: np.ndarray, group: np.ndarray, public: int, secret: bytes
) -> None:
    """Every hidden item, and after them one line for each public block: their items are below 0, and so are their groups."""
    others = -1 - np.arange(public, dtype=np.int64)
    other_ids = np.array([_number(secret, f"public/{number}") for number in others], dtype=np.int64)
    np.savez(
        answers / "ledger.npz",
        id=np.concatenate([ids, other_ids]),
        item=np.concatenate([item, others]),
        group=np.concatenate([group, others]),
        part=np.concatenate([np.ones(len(ids), dtype=np.int64), np.zeros(public, dtype=np.int64)]),
    )


def blocks_of(text: bytes) -> list[bytes]:
    """The text in blocks of at least ``BLOCK`` bytes, each of whole speeches (or tales): they end with an empty line."""
    blocks, start = [], 0
    while start < len(text):
        end = text.find(b"\n\n", start + BLOCK)
        stop = len(text) if end < 0 else end + 2
        blocks.append(text[start:stop])
        start = stop
    return blocks


def hidden_blocks(sizes: list[int], *, secret: bytes) -> set[int]:
    """The blocks that come first by HMAC, until they hold at least ``HIDDEN_SHARE`` of the bytes."""
    chosen: set[int] = set()
    for place in sorted(range(len(sizes)), key=lambda place: _number(secret, f"block/{place}")):
        if sum(sizes[taken] for taken in chosen) >= HIDDEN_SHARE * sum(sizes):
            break
        chosen.add(place)
    return chosen


def windows(places: list[int], blocks: list[bytes]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of every window that fits into a block: its block (n,), the context (n, CONTEXT) and the next byte (n,), uint8."""
    group, context, following = [], [], []
    for place, block in zip(places, blocks, strict=True):
        held = np.frombuffer(block, dtype=np.uint8)
        cut = held[: len(held) // WINDOW * WINDOW].reshape(-1, WINDOW)
        group.append(np.full(len(cut), place, dtype=np.int64))
        context.append(cut[:, :CONTEXT])
        following.append(cut[:, CONTEXT])
    return np.concatenate(group), np.concatenate(context), np.concatenate(following)


def _places_within(group: np.ndarray) -> np.ndarray:
    """For each row, how many rows of its group stand before it; the groups stand together."""
    _, first, inverse = np.unique(group, return_index=True, return_inverse=True)
    return np.arange(len(group), dtype=np.int64) - first[inverse]


def _number(secret: bytes, name: str) -> int:
    """63 bits of HMAC-SHA256(secret, name)."""
    digest = hmac.new(secret, f"sixteen-megabytes/{name}".encode(), hashlib.sha256).digest()
    return int.from_bytes(digest[:8], "big") >> 1

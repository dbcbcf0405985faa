"""Sixty items of two bytes: a number, and a byte that is high where the number is odd. Standard library only."""

import hashlib
import hmac
import random
import struct
import zipfile
from pathlib import Path

COUNT, HIDDEN = 60, 24


def write(file: Path, **columns: object) -> None:
    """int64 columns, and ``x``: rows of two bytes."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, values in columns.items():
            rows = list(values)
            kind, shape = ("|u1", f"({len(rows)}, 2)") if name == "x" else ("<i8", f"({len(rows)},)")
            body = b"".join(map(bytes, rows)) if name == "x" else struct.pack(f"<{len(rows)}q", *rows)
            text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"
            text += " " * (-(len(text) + 11) % 64) + "\n"
            content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + body
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), content)


def number(secret: bytes, name: str) -> int:
    return int.from_bytes(hmac.digest(secret, name.encode(), hashlib.sha256)[:7], "big")


def fetch(raw: Path) -> None:
    toy(raw, 0)


def toy(raw: Path, seed: int) -> None:
    write(raw / "items.npz", x=[(item, item % 2 * 100 + 50) for item in range(COUNT)])


def split(raw: Path, public: Path, private: Path, secret: bytes) -> None:
    ids = [number(secret, f"id{item}") for item in range(COUNT)]
    pairs = sorted(range(COUNT // 2), key=lambda pair: number(secret, f"group{pair}"))
    hidden_pairs = set(pairs[: HIDDEN // 2])
    part = [int(item // 2 in hidden_pairs) for item in range(COUNT)]
    in_order = sorted(range(COUNT), key=lambda item: ids[item])
    shown = [item for item in in_order if not part[item]]
    hidden = [item for item in in_order if part[item]]
    noise = {item: random.Random(number(secret, f"noise{item}")).randrange(50) for item in hidden}
    write(
        public / "train.npz",
        id=[ids[item] for item in shown],
        x=[(item, item % 2 * 100 + 50) for item in shown],
        y=[item % 2 for item in shown],
    )
    write(
        private / "inputs" / "inputs.npz",
        id=[ids[item] for item in hidden],
        x=[(item, item % 2 * 100 + noise[item]) for item in hidden],
    )
    write(private / "answers" / "answers.npz", id=[ids[i] for i in hidden], label=[item % 2 for item in hidden])
    group = [item // 2 for item in range(COUNT)]
    write(private / "answers" / "ledger.npz", id=ids, item=range(COUNT), group=group, part=part)

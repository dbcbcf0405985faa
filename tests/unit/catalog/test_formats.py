"""What a check writes in each format is what the scorer reads: the same numbers, from every file."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from practicum_scorer import Column, Form, InvalidSubmission

from practicum.catalog.formats import WRITERS, broken_files, written_as
from practicum.catalog.npz import Rows

COLUMNS = {
    "id": Rows("i8", (), tuple(struct.pack("<q", number) for number in (7, -8, 1 << 62))),
    "score": Rows("f4", (), tuple(struct.pack("<f", number) for number in (0.1, -3e38, 5))),
    "code": Rows("f8", (2,), tuple(struct.pack("<2d", number, -number) for number in (1 / 3, 1e-300, 2))),
}
FORM = (Column("id", "int64"), Column("score", "float32"), Column("code", "float64", width=(1, 4)))


@pytest.mark.parametrize("suffix", sorted(WRITERS))
def test_every_format_comes_back_as_the_same_numbers(suffix: str, tmp_path: Path) -> None:
    content = written_as(f"p{suffix}", COLUMNS)
    assert content is not None
    (tmp_path / f"p{suffix}").write_bytes(content)

    found = Form((f"p{suffix}",), FORM).read(tmp_path, ids=np.array([7, -8, 1 << 62]))

    assert {name: array.tobytes() for name, array in found.items()} == {
        name: b"".join(column.rows) for name, column in COLUMNS.items()
    }


def test_texts_come_back_too(tmp_path: Path) -> None:
    columns = {name: Rows("U3", (), tuple(t.ljust(3, "\0").encode("utf-32-le") for t in ("a", 'ü"'))) for name in "xy"}
    for suffix in (".csv", ".json", ".npz"):
        (tmp_path / f"p{suffix}").write_bytes(written_as(f"p{suffix}", columns) or b"")
        found = Form((f"p{suffix}",), (Column("x", "str"), Column("y", "str"))).read(tmp_path)
        assert found["y"].tolist() == ["a", 'ü"']


def test_another_ending_is_no_format() -> None:
    assert written_as("predictions.txt", COLUMNS) is None


def test_every_broken_file_is_refused_for_what_its_name_says(tmp_path: Path) -> None:
    broken = broken_files(("p.npz", "p.csv", "p.json", "p.safetensors"), COLUMNS)
    said = {}
    for fault, (name, content) in broken.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InvalidSubmission) as raised:
            Form((name,), FORM).read(tmp_path, ids=np.array([7, -8, 1 << 62]))
        said[fault] = str(raised.value)

    assert said == {
        "a word for a number in p.csv": "p.csv line 4, column code_1: 'seven' is not a number.",
        "a key twice in p.json": "p.json, row 0: the key 'id' is there twice.",
        "tensors that overlap in p.safetensors": (
            "p.safetensors, tensor code: its bytes overlap another's, or leave a gap."
        ),
    }

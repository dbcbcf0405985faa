"""A file of predictions is looked at while it is handed in: what can't be one costs no run."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from practicum.submissions.errors import BadArchive, SubmissionTooLarge
from practicum.submissions.predictions import CHECKS, check_predictions

COLUMNS: dict[str, Any] = {"id": {"type": "int64", "width": None}, "label": {"type": "int64", "width": None}}
FILES = ["p.csv", "p.json", "p.npz", "p.safetensors"]
ASKED = {"files": FILES, "columns": COLUMNS, "predictions_mb": 1}


def tensors(*names: str) -> bytes:
    header = json.dumps({name: {"dtype": "I64", "shape": [0], "data_offsets": [0, 0]} for name in names}).encode()
    return struct.pack("<Q", len(header)) + header


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("p.csv", b"id,label\n1,2\n", ""),
        ("p.csv", b"id,label\r\n1,2\r\n", ""),
        ("p.csv", b"label,id\n", "p.csv line 1: the header must be exactly id,label; it is 'label,id'. Mend it"),
        ("p.csv", b"\xef\xbb\xbfid,label\n", "p.csv line 1: it begins with a byte order mark"),
        ("p.csv", b"", "p.csv line 1: the header must be exactly id,label"),
        ("p.json", b" [{}]", ""),
        ("p.json", b'{"id": []}', "p.json: it must be a list with one object a row."),
        ("p.npz", b"PK\x03\x04", ""),
        ("p.npz", b"\x93NUMPY", "p.npz: it is not an .npz file."),
        ("p.safetensors", tensors("id", "label"), ""),
        ("p.safetensors", tensors("id"), "p.safetensors: it must hold the tensors id, label."),
        ("p.safetensors", struct.pack("<Q", 1 << 62) + b"{}", "p.safetensors: its header is longer than the file"),
        ("p.safetensors", struct.pack("<Q", 2) + b"{]", "p.safetensors: its header is not JSON."),
    ],
)
def test_a_file_begins_as_its_format_does(tmp_path: Path, name: str, content: bytes, fault: str) -> None:
    (tmp_path / name).write_bytes(content)
    if not fault:
        check_predictions(tmp_path, asked=ASKED)
        return
    with pytest.raises(BadArchive) as raised:
        check_predictions(tmp_path, asked=ASKED)
    assert str(raised.value).startswith(fault)


def test_the_header_of_vectors_is_judged_as_far_as_it_is_known(tmp_path: Path) -> None:
    asked = ASKED | {"columns": COLUMNS | {"code": {"type": "float32", "width": [1, 64]}}}
    (tmp_path / "p.csv").write_bytes(b"id,label,code_0,code_1,code_2\n")
    check_predictions(tmp_path, asked=asked)
    (tmp_path / "p.csv").write_bytes(b"label,id,code_0\n")
    with pytest.raises(
        BadArchive, match=r"the header must be exactly id,label,code_0,code_1,...; it is 'label,id,code_0'"
    ):
        check_predictions(tmp_path, asked=asked)


def test_a_file_over_the_projects_cap_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_bytes(b"id,label\n".ljust((1 << 20) + 1, b"1"))
    with pytest.raises(SubmissionTooLarge, match=r"p.csv has 1,048,577 bytes; this project takes at most 1,048,576"):
        check_predictions(tmp_path, asked=ASKED)


def test_two_files_are_one_too_many(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_bytes(b"id,label\n")
    (tmp_path / "p.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(BadArchive, match=r"Hand in one file of predictions; there are p.csv and p.npz"):
        check_predictions(tmp_path, asked=ASKED)


def test_a_version_that_declared_no_size_takes_what_it_took(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_bytes(b"anything")
    check_predictions(tmp_path, asked={"files": FILES, "columns": {"id": "int64"}})


@settings(max_examples=60, deadline=None, database=None)
@given(suffix=st.sampled_from(sorted(CHECKS)), head=st.binary(max_size=64), size=st.integers(0, 1 << 40))
def test_any_bytes_are_taken_or_refused_in_words(suffix: str, head: bytes, size: int) -> None:
    assert isinstance(CHECKS[suffix](head, size, COLUMNS), str)

"""The scorer's reader of predictions: what is valid comes back as it was; anything else is one refusal with its place."""

from __future__ import annotations

import csv
import io
import json
import struct
import tempfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from practicum_scorer import Column, Form, InvalidSubmission, load_form
from safetensors import SafetensorError
from safetensors.numpy import load as load_safetensors
from safetensors.numpy import save as save_safetensors

FORMATS = ("csv", "json", "npz", "safetensors")
COLUMNS = (Column("id", "int64"), Column("label", "int64", low=0, high=9), Column("score", "float32"))
VECTORS = (Column("id", "int64"), Column("code", "float32", width=(1, 8)))
IDS = np.arange(100, 130)
quick = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), database=None)


def form_of(suffix: str, columns: tuple[Column, ...] = COLUMNS, **limits: Any) -> Form:
    return Form((f"p.{suffix}",), columns, **limits)


def written(suffix: str, arrays: dict[str, np.ndarray]) -> bytes:
    """The file as numpy, Python's json and csv, and the safetensors library write it."""
    if suffix == "npz":
        stream = io.BytesIO()
        np.savez(stream, **arrays)
        return stream.getvalue()
    if suffix == "safetensors":
        return save_safetensors(arrays)
    rows = [dict(zip(arrays, row, strict=True)) for row in zip(*(v.tolist() for v in arrays.values()), strict=True)]
    if suffix == "json":
        return json.dumps(rows).encode()
    text = io.StringIO()
    heads = [
        name if array.ndim == 1 else [f"{name}_{k}" for k in range(array.shape[1])] for name, array in arrays.items()
    ]
    csv.writer(text, lineterminator="\n").writerows([_flat(heads), *(_flat(list(row.values())) for row in rows)])
    return text.getvalue().encode()


def _flat(row: list[Any]) -> list[Any]:
    return [part for value in row for part in (value if isinstance(value, list) else [value])]


def read(content: bytes, form: Form, ids: np.ndarray | None = None) -> dict[str, np.ndarray]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, form.files[0]).write_bytes(content)
        return form.read(Path(folder), ids=ids)


def refusal(content: bytes, form: Form, ids: np.ndarray | None = None) -> str:
    with pytest.raises(InvalidSubmission) as caught:
        read(content, form, ids)
    assert len(str(caught.value)) <= 600
    return str(caught.value)


def table(count: int = 30) -> dict[str, np.ndarray]:
    return {
        "id": IDS[:count].copy(),
        "label": (np.arange(count) % 10).astype(np.int64),
        "score": np.linspace(-1, 1, count).astype(np.float32),
    }


@pytest.mark.parametrize("suffix", FORMATS)
@quick
@given(
    labels=st.lists(st.integers(0, 9), min_size=30, max_size=30),
    scores=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=30, max_size=30),
    order=st.permutations(range(30)),
)
def test_what_is_valid_comes_back_in_the_order_of_the_ids(
    suffix: str, labels: list[int], scores: list[float], order: list[int]
) -> None:
    arrays = {"id": IDS, "label": np.array(labels, np.int64), "score": np.array(scores, np.float32)}
    shuffled = {name: array[order] for name, array in arrays.items()}

    found = read(written(suffix, shuffled), form_of(suffix), IDS)

    assert {name: array.tolist() for name, array in found.items()} == {k: v.tolist() for k, v in arrays.items()}
    assert [array.dtype for array in found.values()] == [np.int64, np.int64, np.float32]


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("width", [1, 5])
def test_vectors_come_back_too(suffix: str, width: int) -> None:
    code = np.random.default_rng(0).normal(size=(30, width)).astype(np.float32)

    found = read(written(suffix, {"id": IDS, "code": code}), form_of(suffix, VECTORS), IDS)

    assert np.array_equal(found["code"], code)


@pytest.mark.parametrize("suffix", FORMATS)
@quick
@given(data=st.data())
def test_broken_bytes_give_arrays_or_the_one_refusal(suffix: str, data: st.DataObject) -> None:
    content = bytearray(written(suffix, table()))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(content) - 1))
        action = data.draw(st.sampled_from(["set", "cut", "insert", "repeat"]))
        if action == "set":
            content[at] = data.draw(st.integers(0, 255))
        elif action == "cut":
            del content[at : at + data.draw(st.integers(1, 40))]
        elif action == "insert":
            piece = data.draw(
                st.sampled_from([b"\0", b'"', b"{", b"[[[", b"nan", b"1e999", b"\r", b"\xff", b"9" * 30, b","])
            )
            content[at:at] = piece
        else:
            content[at:at] = content[at : at + 64]
        if not content:
            break
    try:
        found = read(bytes(content), form_of(suffix), IDS)
    except InvalidSubmission:
        return
    assert found["id"].tolist() == IDS.tolist()
    assert np.isfinite(found["score"]).all()


@pytest.mark.parametrize("suffix", FORMATS)
@quick
@given(content=st.binary(max_size=200))
def test_any_bytes_give_arrays_or_the_one_refusal(suffix: str, content: bytes) -> None:
    magic = {"npz": b"PK\x03\x04", "safetensors": struct.pack("<Q", len(content))}.get(suffix, b"")
    for start in (b"", magic):
        refusal(start + content, form_of(suffix), IDS)


json_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["id", "label", "score", "x"]), inner),
    max_leaves=12,
)


@quick
@given(value=json_value)
def test_any_json_gives_arrays_or_the_one_refusal(value: Any) -> None:
    refusal(json.dumps(value).encode(), form_of("json"), IDS)


@quick
@given(
    header=st.dictionaries(st.sampled_from(["id", "label", "score", "__metadata__", "x"]), json_value), data=st.binary()
)
def test_any_safetensors_header_gives_arrays_or_the_one_refusal(header: Any, data: bytes) -> None:
    text = json.dumps(header).encode()
    refusal(struct.pack("<Q", len(text)) + text + data, form_of("safetensors"), IDS)


@quick
@given(data=st.data())
def test_what_is_read_of_safetensors_its_own_library_reads_alike(data: st.DataObject) -> None:
    """Strict means: never more than the library takes."""
    content = bytearray(written("safetensors", table(4)))
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] = data.draw(st.integers(0, 255))
    try:
        found = read(bytes(content), form_of("safetensors"))
    except InvalidSubmission:
        return
    try:
        expected = load_safetensors(bytes(content))
    except SafetensorError as error:
        pytest.fail(f"the library refuses it: {error}")
    assert {name: array.tobytes() for name, array in found.items()} == {k: v.tobytes() for k, v in expected.items()}


def csv_with(line: str, number: int = 17) -> bytes:
    lines = written("csv", table()).decode().split("\n")
    lines[number - 1] = line
    return "\n".join(lines).encode()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("115,abc,0.5", "column label: 'abc' is not a whole number (int64)."),
        ("115,,0.5", "column label: '' is not a whole number (int64)."),
        ("115, 5,0.5", "column label: ' 5' is not a whole number (int64)."),
        ("115,1_0,0.5", "column label: '1_0' is not a whole number (int64)."),
        ("115,٣,0.5", r"column label: '\u0663' is not a whole number (int64)."),
        ("115,５,0.5", r"column label: '\uff15' is not a whole number (int64)."),
        ("115,5.0,0.5", "column label: '5.0' is not a whole number (int64)."),
        ("115,9223372036854775808,0.5", "column label: '9223372036854775808' is not a whole number (int64)."),
        ("115,10,0.5", "column label: 10 must be at most 9."),
        ("115,-1,0.5", "column label: -1 must be at least 0."),
        ("115,5,nan", "column score: 'nan' is not a number."),
        ("115,5,inf", "column score: 'inf' is not a number."),
        ("115,5,0x1p3", "column score: '0x1p3' is not a number."),
        ("115,5,1e999", "column score: '1e999' is too large for float32."),
        ("115,5,3.5e38", "column score: '3.5e38' is too large for float32."),
        ("115,5," + "9" * 500, f"column score: '{'9' * 40}...' is not a number."),
        ("115,5", "it has 2 fields; there must be 3."),
        ("115,5,0.5,1", "it has 4 fields; there must be 3."),
        ("", "the line is empty."),
        ('115,"5,0.5', "a quotation mark is not closed on its line, or not doubled."),
        ("115,5\0,0.5", "there is a NUL byte; write plain text with one row a line."),
        ("115,5,0.5\r115,5,0.5", "a line ends with CR alone; write plain text with one row a line."),
        ("104,5,0.5", "column id: the id 104 was there before (p.csv line 6, column id)."),
        ("7,5,0.5", "column id: 7 is not an id of the inputs. Copy their ids."),
    ],
)
def test_a_fault_of_a_csv_names_line_and_column(line: str, said: str) -> None:
    text = refusal(csv_with(line), form_of("csv"), IDS)
    assert text in (f"p.csv line 17, {said}", f"p.csv line 17: {said}")


@pytest.mark.parametrize("line", ['"115",5,0.5', "115,5,.5", "115,5,5E-1", "115,5,+0.5", "115,005,0.5"])
def test_plain_numbers_and_quotes_are_read(line: str) -> None:
    found = read(csv_with(line), form_of("csv"), IDS)
    assert (found["label"][15], found["score"][15]) == (5, 0.5)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xef\xbb\xbfid,label,score\n", "p.csv line 1: it begins with a byte order mark"),
        (b"id,score,label\n", "p.csv line 1: the header must be exactly id,label,score; it is 'id,score,label'."),
        (b"", "p.csv line 1: the header must be exactly id,label,score; it is ''."),
        (b"id,label,score\n100,1,\xff\n", "p.csv line 2: this is not UTF-8 text."),
        (b"id,label,score\n100,1,1\n", "29 of the 30 ids have no row, 101 among them"),
    ],
)
def test_a_fault_of_the_whole_csv(content: bytes, said: str) -> None:
    assert refusal(content, form_of("csv"), IDS).startswith(said)


def test_crlf_is_read_as_lf() -> None:
    content = written("csv", table()).replace(b"\n", b"\r\n")
    assert read(content, form_of("csv"), IDS)["label"].tolist() == table()["label"].tolist()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b'"label": 5', b'"label": "abc"', "p.json, row 5, column label: 'abc' is not a whole number (int64)."),
        (b'"label": 5', b'"label": true', "p.json, row 5, column label: true is not a whole number (int64)."),
        (b'"label": 5', b'"label": 5.0', "p.json, row 5, column label: 5.0 is not a whole number (int64)."),
        (b'"label": 5', b'"label": null', "p.json, row 5, column label: null is not a whole number (int64)."),
        (b'"label": 5', b'"label": [5]', "p.json, row 5, column label: a list is not a whole number (int64)."),
        (
            b'"label": 5',
            b'"label": ' + b"9" * 40,
            "p.json, row 5, column label: so large a number is not a whole number",
        ),
        (b'"label": 5', b'"label": ' + b"9" * 5000, "p.json: a number has too many digits."),
        (b'"label": 5', b'"label": 5, "label": 6', "p.json, row 5: the key 'label' is there twice."),
        (b'"label": 5', b'"label": 5, "x": 6', "p.json, row 5: its keys must be id, label, score; they are"),
        (b'"score": -1.0', b'"score": NaN', "p.json: NaN is not JSON, and no finite number."),
        (b'"score": -1.0', b'"score": 1e999', "p.json, row 0, column score: Infinity is too large for float32."),
        (
            b'"score": -1.0',
            b'"score": ' + b"9" * 400,
            "p.json, row 0, column score: so large a number is too large for",
        ),
        (b'"score": -1.0', b'"score": 01', "p.json line 1, character"),
        (b"[{", b"[" * 100_000 + b"{", "p.json: it is nested too deep"),
        (b"[{", b"\xef\xbb\xbf[{", "p.json line 1, character 1: this is not JSON"),
    ],
)
def test_a_fault_of_a_json_names_row_and_column(old: bytes, new: bytes, said: str) -> None:
    content = written("json", table()).replace(old, new, 1)
    assert refusal(content, form_of("json"), IDS).startswith(said)


def changed(name: str, make: Callable[[np.ndarray], np.ndarray]) -> bytes:
    arrays = table()
    return written("npz", arrays | {name: make(arrays[name])})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lambda: changed("label", lambda a: a.astype(object)), "p.npz, array label: it holds Python objects (a pickle)"),
        (lambda: changed("label", lambda a: a.astype(">i8")), "p.npz, array label: its type is big-endian int64; it must"),
        (lambda: changed("label", lambda a: a.astype("<i4")), "p.npz, array label: its type is int32; it must be int64"),
        (lambda: changed("label", lambda a: a > 3), "p.npz, array label: its type is bool; it must be int64"),
        (lambda: changed("label", lambda a: a.astype("<M8[s]")), "p.npz, array label: its type is '<M8[s]'; it must"),
        (lambda: changed("label", lambda a: a[None]), "p.npz, array label: it has shape (1, 30); it must be (n,)."),
        (lambda: changed("label", lambda a: a[:-1]), "p.npz: the columns must have equally many rows: id has 30, label"),
        (lambda: changed("score", lambda a: a * np.nan), "p.npz, array score, row 0: nan must be finite."),
        (lambda: changed("id", lambda a: a // 2 * 2), "p.npz, array id, row 1: the id 100 was there before (p.npz, array"),
        (lambda: written("npz", table() | {"x": IDS}), "p.npz: it must hold the arrays id, label, score; it holds 'id'"),
        (lambda: b"PK\x03\x04", "p.npz: it can't be read as an .npz file"),
    ],
)  # fmt: skip
def test_a_fault_of_an_npz_names_array_and_row(content: Callable[[], bytes], said: str) -> None:
    assert refusal(content(), form_of("npz"), IDS).startswith(said)


def npy(descr: str, shape: str, values: bytes, *, fortran: bool = False) -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': ({shape}), }}"
    padded = text + " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded.encode() + values


def zipped(method: int = zipfile.ZIP_DEFLATED, **members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return stream.getvalue()


@pytest.mark.parametrize(
    "shape", ["1000000000,", "30, 1", "1 2,", "30", "-30,", "1099511627777, 0", "0, 99999999999999999999", ",", ""]
)
def test_a_header_that_lies_is_refused_without_taking_memory(shape: str) -> None:
    good = {name: npy(array.dtype.str, "30,", array.tobytes()) for name, array in table().items()}
    refusal(zipped(**good | {"label": npy("<i8", shape, table()["label"].tobytes())}), form_of("npz"), IDS)
    wide = form_of("npz", VECTORS)
    refusal(zipped(id=npy("<i8", "0,", b""), code=npy("<f4", shape, b"")), wide)


def test_a_zip_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = zipped(id=npy("<i8", "30,", IDS.tobytes()), label=bytes(200 << 20), score=b"")
    assert len(bomb) < 1 << 20
    assert refusal(bomb, form_of("npz"), IDS) == "p.npz: it unpacks to more than 8,388,608 bytes."


def test_a_directory_that_lies_about_a_size_is_refused() -> None:
    content = zipped(zipfile.ZIP_STORED, **{k: npy(v.dtype.str, "30,", v.tobytes()) for k, v in table().items()})
    at = content.rindex(b"PK\x01\x02")
    lying = content[: at + 24] + struct.pack("<I", 1 << 20) + content[at + 28 :]
    assert refusal(lying, form_of("npz"), IDS) == "p.npz: score.npy is not as large as the archive says."


def test_a_bomb_behind_a_small_size_in_the_directory_takes_no_memory() -> None:
    bomb = zipped(id=npy("<i8", "30,", IDS.tobytes()), label=b"", score=bytes(200 << 20))
    at = bomb.rindex(b"PK\x01\x02")
    tracemalloc.start()
    said = refusal(bomb[: at + 24] + struct.pack("<I", 100) + bomb[at + 28 :], form_of("npz"), IDS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert said.startswith("p.npz: it can't be read as an .npz file")
    assert peak < 8 << 20


def test_an_archive_with_very_many_entries_is_refused_by_its_end() -> None:
    many = zipped(zipfile.ZIP_STORED, **{f"x{number}": b"" for number in range(1500)})
    assert refusal(many, form_of("npz"), IDS).startswith("p.npz: it holds far more than a few arrays.")
    with_comment = written("npz", table())[:-2] + b"\x01\x00!"
    assert refusal(with_comment, form_of("npz"), IDS).startswith("p.npz: it can't be read as an .npz file.")


@quick
@given(data=st.data())
def test_any_array_in_a_sound_archive_gives_arrays_or_the_one_refusal(data: st.DataObject) -> None:
    """The archive's checksums hold, so that the array's own bytes are what is judged."""
    members = {name: bytearray(npy(array.dtype.str, "30,", array.tobytes())) for name, array in table().items()}
    label = members["label"]
    pieces = [b"1 2,", b"'|O'", b"(30, 30)", b"-1,", b"99999999999999999999,", b"True", b"<f8", b"'<U9'", b"{", b"\0"]
    for _ in range(data.draw(st.integers(1, 3))):
        at, piece = (
            data.draw(st.integers(0, 90)),
            data.draw(st.sampled_from(pieces) | st.binary(min_size=1, max_size=3)),
        )
        label[at : at + len(piece)] = piece
    for shape in ("30,", data.draw(st.text("0123456789, -(", max_size=8))):
        for content in (bytes(label), npy("<i8", shape, table()["label"].tobytes())):
            whole = zipped(id=bytes(members["id"]), label=content, score=bytes(members["score"]))
            try:
                assert read(whole, form_of("npz"), IDS)["label"].dtype == np.int64
            except InvalidSubmission:
                continue


def test_columns_in_fortrans_order_are_read_as_they_are_meant() -> None:
    code = np.asfortranarray(np.arange(60, dtype=np.float32).reshape(30, 2))
    assert np.array_equal(read(written("npz", {"id": IDS, "code": code}), form_of("npz", VECTORS), IDS)["code"], code)


def tensors(entries: dict[str, Any], size: int) -> bytes:
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text + bytes(size)


def tensor(dtype: str, shape: list[int], first: int, last: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [first, last]}


ID, LABEL, SCORE = tensor("I64", [2], 0, 16), tensor("I64", [2], 16, 32), tensor("F32", [2], 32, 40)


@pytest.mark.parametrize(
    ("changes", "size", "said"),
    [
        ({"label": tensor("I64", [2], 8, 24)}, 40, "tensor label: its bytes overlap another's, or leave a gap."),
        ({"score": tensor("F32", [2], 36, 44)}, 44, "tensor score: its bytes overlap another's, or leave a gap."),
        ({"label": tensor("I32", [4], 16, 32)}, 40, "tensor label: its dtype is 'I32'; it must be int64."),
        ({"label": tensor("BF16", [8], 16, 32)}, 40, "tensor label: its dtype is 'BF16'; it must be int64."),
        ({"label": tensor("I64", [1 << 61], 16, 32)}, 40, "tensor label: its shape and data_offsets must be lists"),
        ({"label": tensor("I64", [1 << 39], 16, 32)}, 40, "tensor label: its data_offsets don't fit its shape"),
        ({"label": tensor("I64", [-2], 16, 32)}, 40, "tensor label: its shape and data_offsets must be lists"),
        ({"label": tensor("I64", [True], 16, 24)}, 40, "tensor label: its shape and data_offsets must be lists"),
        ({"label": tensor("I64", [2], 32, 16)}, 40, "tensor label: its data_offsets don't fit its shape"),
        ({"label": LABEL | {"more": 1}}, 40, "tensor label: its entry must say dtype, shape and data_offsets"),
        ({}, 48, "the tensors take 40 bytes, but 48 follow the header."),
        ({}, 30, "the tensors take 40 bytes, but 30 follow the header."),
    ],
)
def test_a_safetensors_header_that_lies_is_refused(changes: dict[str, Any], size: int, said: str) -> None:
    text = refusal(tensors({"id": ID, "label": LABEL, "score": SCORE} | changes, size), form_of("safetensors"))
    assert text.removeprefix("p.safetensors, ").removeprefix("p.safetensors: ").startswith(said)


@pytest.mark.parametrize("notes", [[], {"by": 1}, {"by": {"a": "b"}}, None])
def test_notes_of_safetensors_are_texts_as_its_library_has_it(notes: object) -> None:
    text = refusal(
        tensors({"id": ID, "label": LABEL, "score": SCORE, "__metadata__": notes}, 40), form_of("safetensors")
    )
    assert text == "p.safetensors: its __metadata__ must be an object of texts."


@pytest.mark.parametrize("length", [0, 1 << 16, (1 << 63) + 5, (1 << 64) - 1])
def test_a_header_length_that_lies_is_refused(length: int) -> None:
    refusal(struct.pack("<Q", length) + b"{}" + bytes(64), form_of("safetensors"))


def test_a_key_twice_in_a_safetensors_header_is_refused() -> None:
    text = b'{"id":%s,"id":%s}' % (json.dumps(ID).encode(), json.dumps(ID).encode())
    said = refusal(struct.pack("<Q", len(text)) + text + bytes(16), form_of("safetensors", COLUMNS[:1]))
    assert said == "p.safetensors: its header is not JSON with every key once."


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_over_the_cap_is_not_opened(suffix: str) -> None:
    said = refusal(written(suffix, table()), form_of(suffix, max_bytes=100), IDS)
    assert "at most 100 are read" in said


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_rows_beyond_the_ids_take_no_memory(suffix: str) -> None:
    """One too many is enough to find an id twice or unknown."""
    more = {"csv": b"100,1,1\n" * 100_000, "json": b""}[suffix]
    content = written(suffix, table()) + more
    if suffix == "json":
        content = content[:-1] + b"," + b",".join([b'{"id": 100, "label": 1, "score": 1}'] * 100) + b"]"
    place = {"csv": "p.csv line 32, column id", "json": "p.json, row 30, column id"}[suffix]
    tracemalloc.start()
    assert refusal(content, form_of(suffix), IDS).startswith(f"{place}: the id 100 was there before")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 * len(content) + (1 << 20)


def test_a_key_twice_among_very_many_is_found_at_once() -> None:
    keys = ",".join(f'"k{number}":1' for number in range(100_000))
    said = refusal(f'[{{{keys},"k99999":2}}]'.encode(), form_of("json"), IDS)
    assert said == "p.json, row 0: the key 'k99999' is there twice."


def test_a_csv_wider_than_its_column_may_be_is_refused_by_its_header() -> None:
    head = ",".join(["id", *(f"code_{number}" for number in range(100_000))]).encode()
    said = refusal(head, form_of("csv", VECTORS), IDS)
    assert said == "p.csv line 1: code has vectors of 100000 numbers; they must have from 1 to 8."


def test_small_ids_are_held_against_large_ones_as_numbers() -> None:
    """300 is 44 in eight bits."""
    form = form_of("npz", (Column("id", "uint8"),))
    said = refusal(written("npz", {"id": np.array([44], np.uint8)}), form, np.array([300]))
    assert "44 is not an id of the inputs" in said


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_order_of_rows_is_asked_for_where_it_is_declared(suffix: str) -> None:
    backwards = {name: array[::-1].copy() for name, array in table().items()}
    assert "here the id must be 100" in refusal(written(suffix, backwards), form_of(suffix, is_ordered=True), IDS)
    assert read(written(suffix, table()), form_of(suffix, is_ordered=True), IDS)["id"].tolist() == IDS.tolist()


@pytest.mark.parametrize("suffix", ["csv", "json", "npz"])
def test_texts_are_read_and_those_that_hide_something_refused(suffix: str) -> None:
    columns = (Column("id", "str"), Column("label", "str"))
    ids, label = np.array(["a", 'b,"c']), np.array(["x", "ü" * 150])
    form = form_of(suffix, columns)

    assert read(written(suffix, {"id": ids[::-1], "label": label}), form, ids)["label"].tolist() == label[::-1].tolist()
    for wrong in ("\x07", "\x7f", *(["a\0b"] if suffix != "csv" else [])):
        assert "can't be seen" in refusal(written(suffix, {"id": ids, "label": np.array(["x", wrong])}), form, ids)
    many = np.array(["x"] * 99_999 + ["y" * 200])
    if suffix != "npz":
        said = refusal(written(suffix, {"id": many, "label": many}), form)
        assert "too much room" in said


def test_one_file_is_handed_in_and_it_is_a_plain_one(tmp_path: Path) -> None:
    form = Form(("p.csv", "p.npz"), COLUMNS)
    for make, said in [
        (lambda: None, "There must be p.csv or p.npz in out/."),
        (lambda: (tmp_path / "p.csv").symlink_to("/etc/passwd"), "p.csv: it is a link or a folder"),
        (lambda: (tmp_path / "p.npz").write_bytes(b""), "Leave only one of p.csv or p.npz in out/."),
    ]:
        make()
        with pytest.raises(InvalidSubmission, match=said):
            form.read(tmp_path)


def test_the_form_is_what_project_toml_declares(tmp_path: Path) -> None:
    (tmp_path / "project.toml").write_text(
        '[submission]\nfiles = ["p.npz", "notes.txt"]\npredictions_mb = 2\nordered = true\n'
        'columns = { id = "int64", code = { type = "float32", width = [1, 4], low = -1, high = 1 } }\n'
    )
    assert load_form(tmp_path / "project.toml") == Form(
        ("p.npz",), (Column("id", "int64"), Column("code", "float32", -1, 1, (1, 4))), 2 << 20, True
    )

"""The scorer judges the shown rows alone, once more, where the answers say which they are."""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.unit.engine.programs import load, run

score = load("images/scorer/programs/score.py")

EVALUATE = """
import csv
class InvalidSubmission(Exception):
    pass

def rows(file):
    return {row["id"]: row["label"] for row in csv.DictReader(file.read_text().splitlines())}

def evaluate(predictions, answers):
    given, truth = rows(predictions / "predictions.csv"), rows(answers / "answers.csv")
    if given.keys() != truth.keys():
        raise InvalidSubmission("ids differ")
    assert (answers / "notes.txt").read_text() == "for evaluate"
    return {"accuracy": sum(given[i] == truth[i] for i in truth) / len(truth), "n": len(truth)}
"""


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, str | Path]:
    """Four hidden rows; the predictions are right on 1 and 2; 1 and 3 are shown."""
    made = {name: tmp_path / name for name in ("project", "predictions", "answers")}
    for folder in made.values():
        folder.mkdir()
    (made["project"] / "evaluate.py").write_text(EVALUATE)
    (made["project"] / "project.toml").write_text('[submission]\nfiles = ["predictions.csv", "../x.csv", "p.npz"]\n')
    (made["predictions"] / "predictions.csv").write_text("id,label\n2,b\n1,a\n4,x\n3,x\n")
    (made["answers"] / "answers.csv").write_text("id,label\n1,a\n2,b\n3,c\n4,d\n")
    (made["answers"] / "notes.txt").write_text("for evaluate")
    (made["answers"] / "shown-ids.json").write_text('["1", "3"]')
    return dict(made)


def answer_of(folders: dict[str, str | Path]) -> Any:
    result = run("score", **folders)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_the_line_has_the_metrics_of_all_and_of_the_shown_rows(folders: dict[str, str | Path]) -> None:
    (Path(folders["answers"]) / "shown-ids.json").write_text('["1", "2", "3"]')

    assert answer_of(folders) == {
        "metrics": {"accuracy": 0.5, "n": 4.0},
        "shown": {"accuracy": pytest.approx(2 / 3), "n": 3.0},
    }


def test_without_a_list_there_is_one_result(folders: dict[str, str | Path]) -> None:
    (Path(folders["answers"]) / "shown-ids.json").unlink()

    assert answer_of(folders) == {"metrics": {"accuracy": 0.5, "n": 4.0}}


def test_what_is_refused_as_a_whole_is_refused(folders: dict[str, str | Path]) -> None:
    (Path(folders["predictions"]) / "predictions.csv").write_text("id,label\n1,a\n")

    assert answer_of(folders) == {"invalid": "ids differ"}


def test_a_refusal_of_the_shown_rows_alone_is_the_projects_fault(folders: dict[str, str | Path]) -> None:
    evaluate = EVALUATE.replace('raise InvalidSubmission("ids differ")', "pass").replace(
        "    assert", "    if len(truth) < 3:\n        raise InvalidSubmission('too few')\n    assert"
    )
    (Path(folders["project"]) / "evaluate.py").write_text(evaluate)

    result = run("score", **folders)
    assert (result.returncode, result.stdout) == (1, "")


def test_a_named_file_that_cannot_be_cut_is_left_out_and_costs_nothing(folders: dict[str, str | Path]) -> None:
    """``evaluate`` did not read it either, or it would have refused it."""
    (Path(folders["predictions"]) / "p.npz").write_bytes(b"no archive")

    assert answer_of(folders)["shown"] == {"accuracy": 0.5, "n": 2.0}


def test_an_archive_that_says_it_is_huge_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "p.npz", "w") as archive:
        archive.writestr("id.npy", npy("<i8", (2,), struct.pack("<2q", 1, 2)))
    assert score.cut_npz(tmp_path / "p.npz", shown=frozenset({"1"}), to=tmp_path / "cut.npz")

    monkeypatch.setattr(score, "MAX_TABLE_BYTES", 100)
    with pytest.raises(ValueError, match="too large"):
        score.cut_npz(tmp_path / "p.npz", shown=frozenset({"1"}), to=tmp_path / "cut.npz")


def npy(descr: str, shape: tuple[int, ...], values: bytes, *, fortran: bool = False) -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape!r}, }}"
    padded = text + " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded.encode() + values


@pytest.mark.parametrize(
    ("descr", "values", "expected"),
    [
        ("<i8", struct.pack("<3q", -1, 7, 2**62), ["-1", "7", str(2**62)]),
        (">i8", struct.pack(">3q", -1, 7, 300), ["-1", "7", "300"]),
        ("|u1", bytes([1, 2, 255]), ["1", "2", "255"]),
        ("<U3", "".join(t.ljust(3, "\0") for t in ("a", "007", "xyz")).encode("utf-32-le"), ["a", "7", "xyz"]),
    ],
)
def test_ids_are_read_as_they_are_listed(descr: str, values: bytes, expected: list[str]) -> None:
    assert score.ids_of(npy(descr, (3,), values)) == expected


@pytest.mark.parametrize("content", [b"", b"junk", npy("|O", (3,), b"x" * 24), npy("<f8", (1,), bytes(8))])
def test_ids_of_another_kind_are_none(content: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        score.ids_of(content)


@pytest.mark.parametrize("fortran", [False, True])
def test_the_rows_of_a_table_are_cut_in_either_order(fortran: bool) -> None:
    rows = [(1, 2), (3, 4), (5, 6)]
    flat = (
        [value for column in zip(*rows, strict=True) for value in column] if fortran else [v for r in rows for v in r]
    )
    content = npy("<i4", (3, 2), struct.pack("<6i", *flat), fortran=fortran)

    kept = [1, 5, 2, 6] if fortran else [1, 2, 5, 6]
    expected = npy("<i4", (2, 2), struct.pack("<4i", *kept), fortran=fortran)
    assert score.cut_rows(content, keep=[True, False, True]) == expected


def test_an_array_with_another_number_of_rows_stays_as_it_is() -> None:
    content = npy("<i4", (2,), struct.pack("<2i", 1, 2))

    assert score.cut_rows(content, keep=[True, False, True]) == content


def test_a_list_of_objects_is_cut_by_their_ids(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text('[{"id": 1, "x": 0.5}, {"id": "2", "x": 1}, {"id": 3, "x": [2]}]')

    assert score.cut_json(tmp_path / "p.json", shown=frozenset({"2", "3"}), to=tmp_path / "cut.json")
    assert json.loads((tmp_path / "cut.json").read_text()) == [{"id": "2", "x": 1}, {"id": 3, "x": [2]}]


def test_other_json_is_no_table(tmp_path: Path) -> None:
    for text in ('{"id": [1, 2]}', "[1, 2]", '[{"id": 1}, {}]'):
        (tmp_path / "p.json").write_text(text)
        assert not score.cut_json(tmp_path / "p.json", shown=frozenset({"1"}), to=tmp_path / "cut.json")


def test_tensors_with_a_row_for_each_id_are_cut(tmp_path: Path) -> None:
    arrays = {
        "code": np.arange(6, dtype=np.float32).reshape(3, 2),
        "id": np.array([7, 8, 9]),
        "note": np.array([1, 2], dtype=np.uint8),
    }
    save_file(arrays, tmp_path / "p.safetensors", metadata={"by": "somebody"})

    assert score.cut_safetensors(tmp_path / "p.safetensors", shown=frozenset({"7", "9"}), to=tmp_path / "c.safetensors")
    cut = load_file(tmp_path / "c.safetensors")
    assert {name: array.tolist() for name, array in cut.items()} == {
        "code": [[0, 1], [4, 5]],
        "id": [7, 9],
        "note": [1, 2],
    }


@pytest.mark.parametrize("content", [b"", b"\xff" * 8, b"\x02" + bytes(7) + b"[]", b"\x08" + bytes(7) + b'{"id":1}'])
def test_what_only_looks_like_tensors_is_left_out(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "p.safetensors").write_bytes(content)
    into = tmp_path / "cut"
    into.mkdir()

    assert not score.try_to_cut(tmp_path / "p.safetensors", shown=frozenset({"1"}), into=into)
    assert list(into.iterdir()) == []

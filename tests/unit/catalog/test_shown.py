"""The rows whose score interns see: drawn once, by a key, and written beside the answers."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from practicum.catalog.npz import Rows, write_npz
from practicum.catalog.shown import SHOWN_IDS, draw, ids_in, key_of, write_shown

KEY = key_of("secret", slug="digits", number=1)
IDS = [str(number) for number in range(1000)]


def numbers(count: int) -> Rows:
    return Rows("i8", (), tuple(struct.pack("<q", 7 * number - 20) for number in range(count)))


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """Hidden folders with nothing in them."""
    for name in ("inputs", "answers"):
        (tmp_path / name).mkdir()
    return tmp_path


def answers(private: Path, count: int) -> Path:
    write_npz(private / "answers" / "answers.npz", {"id": numbers(count), "label": numbers(count)})
    return private


def test_the_same_key_shows_the_same_rows_whatever_their_order() -> None:
    assert draw(IDS, share=0.5, key=KEY) == draw(IDS[::-1], share=0.5, key=KEY)


@pytest.mark.parametrize("other", [("secret", "digits", 2), ("secret", "faces", 1), ("another", "digits", 1)])
def test_another_secret_project_or_version_shows_others(other: tuple[str, str, int]) -> None:
    secret, slug, number = other
    mine = set(draw(IDS, share=0.5, key=KEY))
    theirs = set(draw(IDS, share=0.5, key=key_of(secret, slug=slug, number=number)))

    assert 200 < len(mine & theirs) < 300  # 250 by chance


@pytest.mark.parametrize(("share", "count"), [(0.5, 500), (0.001, 1), (0.0001, 1), (0.9999, 999), (0.25, 250)])
def test_the_share_is_kept_to_the_row_and_neither_part_is_empty(share: float, count: int) -> None:
    assert len(draw(IDS, share=share, key=KEY)) == count


def test_the_list_lies_beside_the_answers(private: Path) -> None:
    assert write_shown(answers(private, 10), share=0.5, key=KEY) == 5

    shown = json.loads((private / "answers" / SHOWN_IDS).read_text())
    assert len(shown) == 5
    assert set(shown) < {str(7 * number - 20) for number in range(10)}


def test_ids_are_found_in_csv_and_as_texts(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,label\n 007 ,1\nx-1,0\n", encoding="utf-8")
    texts = Rows("U3", (), tuple(text.ljust(3, "\0").encode("utf-32-le") for text in ("ab", "9")))
    write_npz(tmp_path / "b.npz", {"id": texts})
    write_npz(tmp_path / "c.npz", {"label": texts})

    assert ids_in(tmp_path) == ["7", "x-1", "ab", "9"]


def test_facts_about_rows_that_are_not_hidden_are_not_counted(private: Path) -> None:
    write_npz(answers(private, 10) / "answers" / "groups.npz", {"id": numbers(100)})
    write_npz(private / "inputs" / "inputs.npz", {"id": numbers(10)})

    assert write_shown(private, share=0.5, key=KEY) == 5


def test_without_a_division_nothing_is_written(private: Path) -> None:
    (private / "answers" / "answers.bin").write_bytes(b"whatever")

    assert write_shown(private, share=1.0, key=KEY) == 0
    assert not (private / "answers" / SHOWN_IDS).exists()


def test_answers_without_ids_cannot_be_divided(private: Path) -> None:
    (private / "answers" / "answers.bin").write_bytes(b"whatever")

    with pytest.raises(ValueError, match=r"set split\.shown = 1\.0"):
        write_shown(private, share=0.5, key=KEY)


def test_one_row_cannot_be_divided(private: Path) -> None:
    with pytest.raises(ValueError, match="fewer than two ids"):
        write_shown(answers(private, 1), share=0.5, key=KEY)


def test_a_project_cannot_choose_its_own_shown_rows(private: Path) -> None:
    (answers(private, 4) / "answers" / SHOWN_IDS).write_text("[]")

    with pytest.raises(ValueError, match="the platform's"):
        write_shown(private, share=0.5, key=KEY)

"""The table in ``docs/security.md`` leaves no row out, and each test it names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
TABLE = re.compile(r"^\| ([A-Z]\d+) \| ([^|]+) \| ([^|]*)\|$", re.MULTILINE)
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
ROWS = {
    *(f"A{n}" for n in range(1, 9)),
    *(f"C{n}" for n in (1, 2, 3, 5, 6, 7, 8, 9)),
    *(f"H{n}" for n in (1, 2, 3, 5, 6, 7)),
    *(f"I{n}" for n in (1, 2, 4, 5, 6)),
    *(f"J{n}" for n in range(1, 8)),
}


def table() -> dict[str, tuple[str, list[tuple[str, str]]]]:
    """What holds, and the tests, by row."""
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    part = text.split("## Row by row", 1)[1]
    return {row: (holds.strip(), NAMED.findall(tests)) for row, holds, tests in TABLE.findall(part)}


def test_no_row_is_missing_and_each_has_a_test() -> None:
    rows = table()
    assert set(rows) >= ROWS
    assert [row for row, (holds, tests) in rows.items() if not holds or not tests] == []


@pytest.mark.parametrize(("file", "name"), sorted({test for _, tests in table().values() for test in tests}))
def test_each_test_that_is_named_is_there(file: str, name: str) -> None:
    assert re.search(rf"^(async )?def {name}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)

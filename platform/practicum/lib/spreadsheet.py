"""CSV files that people open in a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from typing import Any

# What OWASP lists, and the wide forms that a spreadsheet reads as the same.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def safe_cell(value: Any) -> Any:
    """A value as a CSV cell that no spreadsheet takes for a formula; None is empty, yes and no are 1 and 0."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return f"'{value}"
    return "" if value is None else value


def csv_lines(names: Iterable[str], rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    """A table as CSV, line by line: the names of its columns, then its rows, their cells made safe."""
    writer = csv.writer(_Echo())
    yield writer.writerow(names)
    for row in rows:
        yield writer.writerow([safe_cell(value) for value in row])


class _Echo:
    """A file that gives back what is written to it."""

    def write(self, text: str) -> str:
        return text

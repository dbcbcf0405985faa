"""The columns of a project's predictions, as ``project.toml`` declares them. Pure.

The scorer reads the same table (``images/scorer/programs/practicum_scorer``) and holds what is handed in against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from practicum.catalog.table import Table

COLUMN_TYPES = ("int64", "float32", "float64", "uint8", "str")
MOST_WIDE = 1_000_000


@dataclass(frozen=True)
class Column:
    """A column of the predictions: its type, the range of its values, and how wide it is where a row holds a vector."""

    type: str
    low: float | None = None
    high: float | None = None
    width: tuple[int, int] | None = None


def read_column(columns: Table, name: str) -> Column:
    """Its type, or a table with its type, ``low``, ``high`` and ``width``."""
    if not isinstance(columns.left[name], dict):
        return Column(columns.choice(name, among=COLUMN_TYPES))
    table = columns.table(name)
    column = Column(
        type=table.choice("type", among=COLUMN_TYPES),
        low=table.real("low") if table.has("low") else None,
        high=table.real("high") if table.has("high") else None,
        width=_width(table) if table.has("width") else None,
    )
    if column.type == "str" and (column.low, column.high, column.width) != (None, None, None):
        table.fault("type", "a text has neither low, high nor width")
    if column.low is not None and column.high is not None and column.low > column.high:
        table.fault("low", "must not be above high")
    table.rest()
    return column


def _width(table: Table) -> tuple[int, int]:
    """The least and the most numbers in each row."""

    def valid(value: object) -> tuple[int, int] | None:
        if not isinstance(value, list) or len(value) != 2 or not all(type(size) is int for size in value):
            return None
        return (value[0], value[1]) if 1 <= value[0] <= value[1] <= MOST_WIDE else None

    return table.take("width", valid=valid, expected=f"[least, most], from 1 to {MOST_WIDE:,}", default=(1, 1))


def column_faults(columns: Mapping[str, Column], *, files: tuple[str, ...]) -> list[str]:
    """What the formats can't hold, and what would be an id that is none."""
    texts = [name for name, column in columns.items() if column.type == "str"]
    faults = [
        f"submission.columns: {name} holds texts, which a .safetensors file can't"
        for name in texts
        if any(file.endswith(".safetensors") for file in files)
    ]
    identity = columns.get("id")
    if identity is not None and (identity.width is not None or identity.type not in ("int64", "uint8", "str")):
        faults.append("submission.columns.id: must be one int64, uint8 or str a row")
    wide = [name for name, column in columns.items() if column.width is not None]
    if len(wide) > 1 and any(file.endswith(".csv") for file in files):
        faults.append("submission.columns: a .csv file can hold one column of vectors; say .npz where there are more")
    return faults

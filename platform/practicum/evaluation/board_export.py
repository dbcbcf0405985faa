"""A leaderboard as CSV, for mentors and admins: shown and final scores, and the neutral names that interns see.

A cell that a spreadsheet would take for a formula begins with an apostrophe instead. Times are ISO 8601.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from practicum.evaluation.board import Board, Row
from practicum.lib.spreadsheet import csv_lines

COLUMNS: dict[str, Callable[[Row], Any]] = {
    "name": lambda row: row.name,
    "shown_as": lambda row: row.shown_as,
    "shown_rank": lambda row: row.rank,
    "shown_score": lambda row: row.value,
    "difference_to_baseline": lambda row: row.difference,
    "final_rank": lambda row: row.final_rank,
    "final_score": lambda row: row.final,
    "counted_submission": lambda row: row.final_number,
    "gpu_minutes": lambda row: round(row.minutes, 2),
    "scored_submissions": lambda row: row.submissions,
    "received_at": lambda row: row.at and row.at.isoformat(),
    "under_extension": lambda row: "yes" if row.is_under_extension else "",
}


def csv_of(board: Board) -> str:
    """The columns' names, then a line for each row of the board, the baseline in its place."""
    return "".join(csv_lines(COLUMNS, ((read(row) for read in COLUMNS.values()) for row in board.rows)))

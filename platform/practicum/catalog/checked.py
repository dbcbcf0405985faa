"""A project under check: where its files and toy data lie, and how its own programs are asked.

The work folder holds ``project`` (a copy of what is checked), ``first`` (the data of the first secret), and what the
checks make of them. Pure Python, no Django.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from practicum.catalog.leaks import Fault
from practicum.catalog.manifest import Manifest, load_manifest
from practicum.catalog.npz import read_npz, write_npz
from practicum.catalog.programs import Programs

PREDICTIONS = "predictions.npz"


@dataclass
class Checked:
    """A project under check: where things lie, and what earlier checks found."""

    directory: Path
    work: Path
    programs: Programs
    predictions: Path = field(init=False)
    score: dict[str, float] = field(init=False)
    constant_score: float = field(init=False)
    seconds: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self.predictions = self.work / "out"

    @cached_property
    def manifest(self) -> Manifest:
        return load_manifest(self.directory)

    @property
    def metric(self) -> str:
        return self.manifest.metric.name

    def judge(self, predictions: Path, *, optimised: bool = False, seconds: float | None = None) -> dict[str, float]:
        """The metrics of predictions that must be valid."""
        answer = self.judge_any(predictions, self.answers, optimised=optimised, seconds=seconds)
        if isinstance(answer, str):
            raise Fault(f"evaluate refused predictions that should be valid: {answer}")
        return answer

    def judge_any(
        self, predictions: Path, answers: Path, *, optimised: bool = False, seconds: float | None = None
    ) -> dict[str, float] | str:
        """The metrics, or the message of the refusal. ``seconds`` is how long it took to make them, where the project is
        timed; without it, as long as the baseline's took.
        """
        return self.programs.score(
            self.directory,
            predictions=predictions,
            answers=answers,
            limit_seconds=self.manifest.budget.eval_seconds,
            optimised=optimised,
            ran_seconds=self.told(seconds),
        )

    def told(self, seconds: float | None = None) -> float | None:
        """The seconds that evaluate is told: none, unless the project is timed."""
        if not self.manifest.evaluation.timed:
            return None
        return self.seconds if seconds is None else seconds

    @property
    def first(self) -> Path:
        """The data of the first secret."""
        return self.work / "first"

    @property
    def answers(self) -> Path:
        """The hidden answers of the first secret."""
        return self.first / "private" / "answers"

    @property
    def inputs(self) -> Path:
        """The hidden inputs of the first secret."""
        return self.first / "private" / "inputs"

    def rewritten(self, *, name: str, keep: set[str], order: Callable[[int], list[int]]) -> Path:
        """The baseline's predictions with the rows of every column that isn't kept in another order."""
        out = self.work / name
        out.mkdir()
        columns = read_npz(self.predictions / PREDICTIONS)
        moved = {
            key: column if key in keep else column.reordered(order(len(column.rows))) for key, column in columns.items()
        }
        write_npz(out / PREDICTIONS, moved)
        return out

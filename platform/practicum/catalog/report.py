"""What ``practicum project check`` found: a line for each check."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """One check: passed, failed, or not run because an earlier one failed."""

    name: str
    verdict: str
    detail: str
    seconds: float

    def line(self) -> str:
        """One line for a person, the detail of a fault below it."""
        text = f"{self.verdict:<7} {self.name} ({self.seconds:.1f} s)"
        detail = self.detail.replace("\n", "\n          ")
        return f"{text}: {detail}" if detail else text


@dataclass(frozen=True)
class Report:
    """The checks of one project in the order they ran. ``digest`` is of the files checked; ``is_complete``: all ran."""

    name: str
    digest: str
    results: tuple[Result, ...]
    is_complete: bool = True

    @property
    def passed(self) -> bool:
        """Every check that was asked for ran and passed."""
        return all(result.verdict == "ok" for result in self.results)

    def summary(self) -> str:
        """The last line: how many passed, or how many things are to mend."""
        wrong = [result for result in self.results if result.verdict != "ok"]
        if not wrong:
            return f"{self.name}: all {len(self.results)} checks passed."
        to_mend = sum(result.verdict == "MEND" for result in wrong)
        return f"{self.name}: {to_mend} to mend, {len(wrong) - to_mend} not run because of that."

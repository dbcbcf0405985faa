"""Reading one TOML table strictly: each key is taken once, as what it must be; the rest is unknown; faults are gathered.

A fault doesn't stop the reading: a default is returned in its place and the fault is noted with its key, so that one
reading finds every fault. What was read may only be used when no fault was noted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Table:
    """One TOML table being read: each key is taken once, what is left over is unknown, faults are gathered."""

    def __init__(self, content: object, *, at: str, faults: list[str]) -> None:
        self.at = at
        self.faults = faults
        self.left: dict[str, Any] = dict(content) if isinstance(content, dict) else {}
        if not isinstance(content, dict):
            self.fault("", "must be a table")

    def fault(self, key: str, message: str) -> None:
        self.faults.append(f"{'.'.join(part for part in (self.at, key) if part)}: {message}")

    def take(self, key: str, *, valid: Callable[[Any], T | None], expected: str, default: T) -> T:
        """The value of ``key``, or ``default`` with a fault noted when it is absent or not as ``expected``."""
        if key not in self.left:
            self.fault(key, f"is missing; it must be {expected}")
            return default
        value = valid(self.left.pop(key))
        if value is None:
            self.fault(key, f"must be {expected}")
            return default
        return value

    def text(self, key: str, *, pattern: re.Pattern[str] | None = None, expected: str = "a non-empty text") -> str:
        def valid(value: Any) -> str | None:
            fits = isinstance(value, str) and value.strip() and (pattern is None or pattern.fullmatch(value))
            return value.strip() if fits else None

        return self.take(key, valid=valid, expected=expected, default="")

    def choice(self, key: str, *, among: tuple[str, ...]) -> str:
        def valid(value: Any) -> str | None:
            return value if value in among else None

        return self.take(key, valid=valid, expected=f"one of {', '.join(among)}", default=among[0])

    def whole(self, key: str, *, low: int, high: int) -> int:
        def valid(value: Any) -> int | None:
            return value if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high else None

        return self.take(key, valid=valid, expected=f"a whole number from {low} to {high}", default=low)

    def real(self, key: str, *, low: float = -math.inf, high: float = math.inf) -> float:
        def valid(value: Any) -> float | None:
            number = isinstance(value, int | float) and not isinstance(value, bool)
            return float(value) if number and math.isfinite(value) and low <= value <= high else None

        bounds = "" if (low, high) == (-math.inf, math.inf) else f" from {low:g} to {high:g}"
        return self.take(key, valid=valid, expected=f"a finite number{bounds}", default=0.0)

    def flag(self, key: str) -> bool:
        def valid(value: Any) -> bool | None:
            return value if isinstance(value, bool) else None

        return self.take(key, valid=valid, expected="true or false", default=False)

    def texts(self, key: str) -> tuple[str, ...]:
        def valid(value: Any) -> tuple[str, ...] | None:
            fits = isinstance(value, list) and all(isinstance(text, str) and text.strip() for text in value)
            return tuple(value) if fits else None

        return self.take(key, valid=valid, expected="a list of non-empty texts", default=())

    def url(self, key: str) -> str:
        return self.text(key, pattern=re.compile(r"https?://\S+"), expected="an http(s) address")

    def has(self, key: str) -> bool:
        return key in self.left

    def table(self, key: str) -> Table:
        if key not in self.left:
            self.fault(key, "is missing; it must be a table")
        return Table(self.left.pop(key, {}), at=".".join(part for part in (self.at, key) if part), faults=self.faults)

    def tables(self, key: str, *, at_least: int) -> list[Table]:
        rows = self.left.pop(key, [])
        where = ".".join(part for part in (self.at, key) if part)
        if not isinstance(rows, list) or len(rows) < at_least:
            self.fault(key, f"must list at least {at_least} table(s)")
            return []
        return [Table(row, at=f"{where}[{place}]", faults=self.faults) for place, row in enumerate(rows)]

    def rest(self) -> None:
        """What was not taken is not known."""
        for key in self.left:
            self.fault(key, "is not a key of project.toml; is it misspelt?")

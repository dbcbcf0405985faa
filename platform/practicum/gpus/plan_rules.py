"""What a plan asks, what came of it, and whether that is better: plain values, kept as JSON with the plan. Pure.

Words: a *setting* is the slots of each pool, the quotas and the idle time that a replay runs under; a plan has the
*present* one and the *planned* one. An *outcome* is the figures of one replay. Waits are in minutes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

from practicum.gpus import facts
from practicum.gpus.quota_rules import Share, Terms
from practicum.gpus.replay import IdleRule

Cell = tuple[int, int]

MOST_SLOTS = 2_000
LENGTHS = (
    ("mean", "on average"),
    ("p50", "half of them at most"),
    ("p95", "95 % of them at most"),
    ("longest", "longest"),
)
# Differences below these count as the same: they are no more than rounding.
SAME_MINUTES, SAME_HOURS, SAME_SHARE, SAME_COUNT = 0.05, 0.05, 0.0005, 0.5


@dataclass(frozen=True)
class Setting:
    """What a replay runs under. ``idle_minutes`` and ``is_idle_kept`` None: each cohort's own."""

    slots: Mapping[int, int]
    quotas: Mapping[Cell, Terms]
    idle_minutes: int | None = None
    is_idle_kept: bool | None = None

    def policy_slots(self) -> list[facts.Slot]:
        """So many slots of each pool, all of them usable, on one server a pool."""
        places = [(pool, index) for pool, count in sorted(self.slots.items()) for index in range(count)]
        return [facts.Slot(id, pool, f"pool {pool}", index, True) for id, (pool, index) in enumerate(places, start=1)]

    def policy_quotas(self, *, on: date) -> list[facts.Quota]:
        """The quotas that count on a day."""
        return [
            facts.Quota(
                cohort, pool, terms.guaranteed, terms.weight, terms.borrowing_limit, terms.lending_limit, terms.per_intern
            )
            for (cohort, pool), terms in self._counting(on)
        ]  # fmt: skip

    def longest_hours(self, *, on: date) -> dict[tuple[int | None, int], int]:
        """The longest session by cohort and pool, where a quota that counts on the day has one."""
        return {cell: terms.session_hours for cell, terms in self._counting(on) if terms.session_hours is not None}

    def _counting(self, on: date) -> Iterable[tuple[Cell, Terms]]:
        for cell, terms in sorted(self.quotas.items(), key=lambda entry: entry[0]):
            if Share(terms.guaranteed, terms.from_on, terms.to_on).counts_on(on):
                yield cell, terms

    def to_json(self) -> dict[str, Any]:
        """For the row."""
        quotas = [
            {"cohort": cohort, "pool": pool, **_terms_json(terms)} for (cohort, pool), terms in self.quotas.items()
        ]
        slots = [{"pool": pool, "slots": count} for pool, count in self.slots.items()]
        idle = {"idle_minutes": self.idle_minutes, "is_idle_kept": self.is_idle_kept}
        return {"slots": slots, "quotas": quotas} | idle

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Setting:
        """From the row."""
        quotas = {(row["cohort"], row["pool"]): _terms(row) for row in kept["quotas"]}
        slots = {row["pool"]: row["slots"] for row in kept["slots"]}
        return cls(slots, quotas, kept["idle_minutes"], kept.get("is_idle_kept"))


@dataclass(frozen=True)
class Question:
    """What is asked: the demand of so many weeks, under the present and under the planned setting."""

    weeks: int
    present: Setting
    planned: Setting

    @property
    def changes(self) -> int:
        """In how many places the two differ."""
        here, there = self.present, self.planned
        quotas = {
            cell for cell in here.quotas.keys() | there.quotas.keys() if here.quotas.get(cell) != there.quotas.get(cell)
        }
        pools = {
            pool for pool in here.slots.keys() | there.slots.keys() if here.slots.get(pool) != there.slots.get(pool)
        }
        idle = (here.idle_minutes != there.idle_minutes) + (here.is_idle_kept != there.is_idle_kept)
        return len(quotas) + len(pools) + idle

    def to_json(self) -> dict[str, Any]:
        """For the row."""
        return {"weeks": self.weeks, "present": self.present.to_json(), "planned": self.planned.to_json()}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Question:
        """From the row."""
        return cls(kept["weeks"], Setting.from_json(kept["present"]), Setting.from_json(kept["planned"]))


def idle_rules(setting: Setting, *, own: Mapping[int, IdleRule]) -> dict[int | None, IdleRule]:
    """When an idle lease of each cohort ends; ``own``: the rule each cohort has of its own."""
    minutes, is_kept = setting.idle_minutes, setting.is_idle_kept
    return {
        cohort: IdleRule(
            after=rule.after if minutes is None else timedelta(minutes=minutes),
            is_kept=rule.is_kept if is_kept is None else is_kept,
        )
        for cohort, rule in own.items()
    }


def _terms_json(terms: Terms) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in asdict(terms).items()}


def _terms(kept: Mapping[str, Any]) -> Terms:
    named = {name: value for name, value in kept.items() if name not in ("cohort", "pool")}
    days = {name: named[name] and date.fromisoformat(named[name]) for name in ("from_on", "to_on")}
    return Terms(**{**named, **days})


# --- Before and after ---


@dataclass(frozen=True)
class Line:
    """A figure before and after, as written; ``verdict`` is ``better``, ``worse``, ``same`` or, of no judgement, empty."""

    name: str
    before: str
    after: str
    verdict: str


@dataclass(frozen=True)
class CohortLines:
    """The waits of a cohort."""

    name: str
    lines: list[Line]


def lines_of(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Line]:
    """The figures of all together, from two outcomes."""
    waits = [
        _judged(f"Waiting, {said}", before["waits"][key], after["waits"][key], minutes, less=True, same=SAME_MINUTES)
        for key, said in LENGTHS
    ]
    rest: list[tuple[str, str, Any, bool | None, float]] = [
        ("Left the line without a slot", "gave_up", count, True, SAME_COUNT),
        ("Slot-hours held", "held_hours", hours, None, SAME_HOURS),
        ("Slot-hours used", "used_hours", hours, False, SAME_HOURS),
        ("Held, of all slots", "held", share, None, SAME_SHARE),
        ("Used, of all slots", "used", share, None, SAME_SHARE),
        ("Slot-hours by which guarantees were not kept", "violation_hours", hours, True, SAME_HOURS),
        ("Leases asked back while at work", "asked_back", count, True, SAME_COUNT),
        ("The worst-off cohort got of its due", "worst_share", share, False, SAME_SHARE),
    ]
    return waits + [
        _judged(name, before[key], after[key], written, less=less, same=same) for name, key, written, less, same in rest
    ]


def cohort_lines(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[CohortLines]:
    """The waits of each cohort, in the order of the outcome."""
    others = {row["cohort"]: row["waits"] for row in after["cohorts"]}
    return [
        CohortLines(
            row["name"],
            [
                _judged(said, row["waits"][key], others[row["cohort"]][key], minutes, less=True, same=SAME_MINUTES)
                for key, said in LENGTHS
            ],
        )
        for row in before["cohorts"]
        if row["cohort"] in others
    ]


def _judged(name: str, before: float, after: float, written: Any, *, less: bool | None, same: float) -> Line:
    verdict = "same"
    if abs(after - before) > same:
        verdict = "" if less is None else "better" if (after < before) == less else "worse"
    return Line(name, written(before), written(after), verdict)


def minutes(value: float) -> str:
    """A wait as people write it."""
    if value < 60:
        return f"{value:.1f} min"
    return f"{value / 60:.1f} h" if value < 48 * 60 else f"{value / 60 / 24:.1f} days"


def hours(value: float) -> str:
    """Slot-hours."""
    return f"{value:,.1f}"


def share(value: float) -> str:
    """A part of one as a percentage."""
    return f"{100 * value:.1f} %"


def count(value: float) -> str:
    """A whole number."""
    return f"{value:,.0f}"

"""What a readiness check adds to ``project.toml``: what it asks for, and the bars an attempt has to reach. Pure.

Words: a *bar* is one thing an applicant must be able to do; it is *held* when the metric it names is at or above
``pass``. A *gap* is what is missing where it isn't. A *variant* is one set of numbers: each attempt gets another.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from practicum.catalog.table import Table

PREREQUISITES = ("ml", "python", "cuda")
VARIANT = "variant"  # the metric that says which variant was handed in
METRIC = re.compile(r"[a-z][a-z0-9_]*")
NOTEBOOK = re.compile(r"(?:[A-Za-z0-9_][\w.-]*/)*[A-Za-z0-9_][\w.-]*\.ipynb")
LONGEST_MINUTES = 240
MOST_VARIANTS = 64


@dataclass(frozen=True)
class Reading:
    """Something to read, and what to look for in it."""

    title: str
    url: str
    why: str


@dataclass(frozen=True)
class Bar:
    """One thing an applicant must be able to do. It is held when ``metric`` is at or above ``at_least``, from 0 to 1.

    ``gap`` says to the applicant what is missing where it isn't held; ``remedy`` is a notebook in the project's folder.
    """

    name: str
    metric: str
    at_least: float
    gap: str
    remedy: str
    reading: tuple[Reading, ...]


@dataclass(frozen=True)
class Readiness:
    """The prerequisite that is checked, how long it takes, how many variants of its numbers there are, and its bars."""

    prerequisite: str
    minutes: int
    variants: int
    bars: tuple[Bar, ...]


def read_readiness(top: Table) -> Readiness | None:
    """``[readiness]`` and its ``[[bars]]``; None where the project is no readiness check."""
    if not top.has("readiness"):
        if top.has("bars"):
            top.tables("bars", at_least=0)
            top.fault("bars", "are for a readiness check; there is no table [readiness]")
        return None
    table = top.table("readiness")
    readiness = Readiness(
        prerequisite=table.choice("prerequisite", among=PREREQUISITES),
        minutes=table.whole("minutes", low=1, high=LONGEST_MINUTES),
        variants=table.whole("variants", low=2, high=MOST_VARIANTS),
        bars=tuple(_bar(row) for row in top.tables("bars", at_least=1)),
    )
    table.rest()
    return readiness


def _bar(table: Table) -> Bar:
    bar = Bar(
        name=table.text("name"),
        metric=table.text("metric", pattern=METRIC, expected="a name of a-z, 0-9 and _"),
        at_least=table.real("pass", low=0.0, high=1.0),
        gap=table.text("gap"),
        remedy=table.text("remedy", pattern=NOTEBOOK, expected="a notebook in the project's folder: remedy/name.ipynb"),
        reading=tuple(read_reading(row) for row in table.tables("reading", at_least=1)),
    )
    if bar.at_least == 0.0 and not any(fault.startswith(f"{table.at}.pass") for fault in table.faults):
        table.fault("pass", "must be above 0: at 0 everybody holds the bar")
    table.rest()
    return bar


def read_reading(table: Table) -> Reading:
    """One ``reading`` table."""
    reading = Reading(title=table.text("title"), url=table.url("url"), why=table.text("why"))
    table.rest()
    return reading


def readiness_faults(readiness: Readiness | None, *, metric: str) -> list[str]:
    """Faults that only show when the bars and ``metric``, the one that ranks, are read together."""
    if readiness is None:
        return []
    faults = []
    for what in ("name", "metric"):
        told = [getattr(bar, what) for bar in readiness.bars]
        if len(set(told)) != len(told):
            faults.append(f"bars: two bars have the same {what}")
    taken = {metric: "metric.name", VARIANT: "the metric that tells the variant"}
    faults.extend(
        f"bars[{place}].metric: {bar.metric} is {taken[bar.metric]}; a bar has a metric of its own"
        for place, bar in enumerate(readiness.bars)
        if bar.metric in taken
    )
    return faults

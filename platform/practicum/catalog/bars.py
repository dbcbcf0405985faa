"""Does a readiness check keep its promises: each bar's remedial notebook is there, and ``evaluate`` tells every bar?

Questions to a project under check; nothing is asked of a project that is no readiness check.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from practicum.catalog.leaks import Fault
from practicum.catalog.readiness import VARIANT, Bar, Readiness


def remedies_are_there(directory: Path, readiness: Readiness | None) -> None:
    """Every bar's remedial notebook is in the folder, readable and without outputs.

    Raises:
        Fault: one isn't.
    """
    faults = [fault for bar in (readiness.bars if readiness else ()) if (fault := _remedy_fault(directory, bar))]
    if faults:
        raise Fault("\n".join(faults))


def _remedy_fault(directory: Path, bar: Bar) -> str:
    """What is wrong with the remedial notebook of this bar, or nothing."""
    file = directory / bar.remedy
    if not file.is_file() or not file.resolve().is_relative_to(directory.resolve()):
        return f"{bar.name}: its remedy {bar.remedy} is not in the project's folder"
    try:
        cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    except (ValueError, KeyError, TypeError):
        return f"{bar.name}: its remedy {bar.remedy} is not a notebook"
    if any(cell.get("outputs") or cell.get("execution_count") is not None for cell in cells):
        return f"{bar.name}: clear the outputs of {bar.remedy}"
    return ""


def golden_bars(readiness: Readiness | None, cases: Sequence[Mapping[str, Any]]) -> None:
    """The golden cases with a score tell every bar and the variant; perfect holds all bars, baseline doesn't.

    Raises:
        Fault: they don't.
    """
    if readiness is None:
        return
    scored = {case["name"]: case["metrics"] for case in cases if "metrics" in case}
    faults = [f"{name}: {fault}" for name, metrics in scored.items() for fault in _metric_faults(readiness, metrics)]
    if not faults:
        missed = [bar.name for bar in readiness.bars if scored["perfect"][bar.metric] < bar.at_least]
        if missed:
            faults.append(f"perfect: must hold every bar, but misses {', '.join(missed)}")
        if all(scored["baseline"][bar.metric] >= bar.at_least for bar in readiness.bars):
            faults.append("baseline: holds every bar; it must leave something to mend")
    if faults:
        raise Fault("\n".join(faults))


def _metric_faults(readiness: Readiness, metrics: Mapping[str, float]) -> list[str]:
    """What is wrong with the metrics of one golden case."""
    faults = []
    for bar in readiness.bars:
        if bar.metric not in metrics:
            faults.append(f"evaluate returns no {bar.metric}, the metric of the bar '{bar.name}'")
        elif not 0.0 <= metrics[bar.metric] <= 1.0:
            faults.append(f"{bar.metric} is {metrics[bar.metric]}; the metric of a bar lies between 0 and 1")
    if metrics.get(VARIANT) not in range(1, readiness.variants + 1):
        faults.append(f"evaluate must return the metric {VARIANT}, a whole number from 1 to {readiness.variants}")
    return faults

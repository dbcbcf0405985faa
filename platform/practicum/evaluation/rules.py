"""What one evaluation may take, what its end means, and when it is tried again. Pure.

Words: an *outcome* is how a run ends: its state, whose fault that is, the sentence its intern reads, and the metrics
where it was scored.
"""

from __future__ import annotations

import json
import math
import re
import statistics
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

GIBIBYTE = 1024**3
MEBIBYTE = 1024**2
MAX_TRIES = 3
RETRY_AFTER = (timedelta(seconds=5), timedelta(seconds=60), timedelta(minutes=5))
ENGINE_AWAY_RETRY = timedelta(seconds=10)
QUEUED_AT_MOST = timedelta(hours=24)
CLAIM_HOLDS = timedelta(seconds=45)
# Longer than any claim holds, and than any retry waits: only a clock that was wrong writes such a time.
NEVER_SO_FAR_AHEAD = timedelta(minutes=30)
AROUND_PREDICT = timedelta(minutes=6)
SCORE_SECONDS = 120.0
OUTPUT_BYTES = 256 * MEBIBYTE
OUTPUT_INODES = 1024
LOG_BYTES = 64 * 1024
LIVE_LOG_BYTES = 8 * 1024
ANSWER_BYTES = 4096
REASON_CHARACTERS = 480
RAISED, MISSING, KILLED = 3, 4, 137
NEARLY = 0.97
ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
READY = "READY"
OURS = "Something on our side failed, {tries} times. This costs you no attempt; your mentor can run it again."


@dataclass(frozen=True)
class Allowance:
    """What the container that runs the submission gets; ``seeds`` such containers, one after the other.

    ``wall_seconds`` is for one of them, with ``train_seconds`` of training where the platform trains.
    """

    memory_bytes: int
    cpus: float
    wall_seconds: float
    gpu_bytes: int
    seeds: int = 1
    train_seconds: float = 0.0


@dataclass(frozen=True)
class Ending:
    """How that container ended, as the engine observed it."""

    exit_code: int
    oom_killed: bool
    timed_out: bool
    seconds: float
    peak_memory_bytes: int | None


@dataclass(frozen=True)
class Outcome:
    """How a run ends. ``state`` and ``fault`` are values of the model's choices.

    ``metrics`` are on the whole hidden part, ``shown`` on the rows whose score interns see; empty without a division.
    """

    state: str
    fault: str = ""
    reason: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    shown: Mapping[str, float] = field(default_factory=dict)


class NotAnAnswer(ValueError):
    """What the scorer printed is not its one line."""


def allowance_of(
    manifest: Mapping[str, Any], *, memory_bytes: int, cpus: float, seeds: int = 1, train_seconds: float = 0.0
) -> Allowance:
    """What the project asks for, never more than the site gives."""
    budget = manifest["budget"]
    wanted = int(float(budget.get("memory_gb", 0)) * GIBIBYTE) or memory_bytes
    return Allowance(
        memory_bytes=min(wanted, memory_bytes),
        cpus=cpus,
        wall_seconds=train_seconds + float(budget["eval_seconds"]),
        gpu_bytes=int(float(budget.get("gpu_gb", 0)) * 1e9),
        seeds=seeds,
        train_seconds=train_seconds,
    )


def running_at_most(allowance: Allowance) -> timedelta:
    """The longest a claimed run may take, with everything around the submission's own code."""
    return allowance.seeds * (timedelta(seconds=allowance.wall_seconds) + AROUND_PREDICT)


def retry_at(*, tries: int, now: datetime) -> datetime | None:
    """When a run that began ``tries`` times and failed by our fault is tried again; None: it is given up."""
    return None if tries >= MAX_TRIES else now + RETRY_AFTER[tries - 1]


def given_up(*, tries: int) -> Outcome:
    """The end of a run that we failed too often."""
    return Outcome(state="failed", fault="ours", reason=OURS.format(tries=tries))


def counts_as_attempt(*, state: str, fault: str, has_started: bool) -> bool:
    """Whether a run uses up one of the day's submissions: not what was ours, not a wrong format, not one taken back in
    time."""
    if state == "invalid" or fault == "ours":
        return False
    return state != "cancelled" or has_started


def day_of(moment: datetime) -> tuple[datetime, datetime]:
    """The day ``moment`` lies in, by its own clock: its first moment and the next day's."""
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    following = (midnight + timedelta(days=1, hours=12)).replace(hour=0)
    return midnight, following


def verdict_of_code(ending: Ending, *, log: str, allowance: Allowance) -> Outcome | None:
    """What the end of the submission's own code says; None: it ended well, now its predictions are scored."""
    if ending.timed_out:
        return _limit(f"It was stopped after {seconds(allowance.wall_seconds)}, the longest this project allows.")
    if (ending.oom_killed and ending.exit_code) or _was_killed_near(ending, allowance=allowance):
        return _limit(
            f"It ran out of memory: {gigabytes(ending.peak_memory_bytes or allowance.memory_bytes)} of "
            f"{gigabytes(allowance.memory_bytes)} GB after {seconds(ending.seconds)}."
        )
    if ending.exit_code == 0:
        return None
    last = last_line(log)
    if ending.exit_code == MISSING:
        return Outcome(state="failed", fault="code", reason=last or "There is no function predict in predict.py.")
    if "[Errno 28]" in last or "[Errno 27]" in last:
        return _limit(f"It wrote more than it may: out/ takes {OUTPUT_BYTES // MEBIBYTE} MB. ({last})")
    if ending.exit_code == RAISED and last:
        return Outcome(state="failed", fault="code", reason=short(f"Your code stopped with {last}"))
    return Outcome(state="failed", fault="code", reason=f"Your code ended the process itself {_by(ending.exit_code)}.")


def _limit(reason: str) -> Outcome:
    return Outcome(state="failed", fault="limit", reason=short(reason))


def _was_killed_near(ending: Ending, *, allowance: Allowance) -> bool:
    """Killed by force with its memory full: engines do not always say why."""
    peak = ending.peak_memory_bytes or 0
    return ending.exit_code == KILLED and peak >= NEARLY * allowance.memory_bytes


def _by(code: int) -> str:
    return f"by signal {code - 128}" if code > 128 else f"with exit code {code}"


def read_answer(printed: str, *, metric: str, is_divided: bool = False) -> Outcome:
    """The outcome in what the scorer printed: the line READY, then exactly one JSON object, nothing else.

    Where the hidden part ``is_divided`` into shown and kept rows, a score is one of each, or it is none.

    Raises:
        NotAnAnswer: it printed anything else.
    """
    head, _, line = printed.partition("\n")
    if head != READY or not line.endswith("\n") or line.count("\n") != 1 or len(line.encode()) > ANSWER_BYTES:
        raise NotAnAnswer("the scorer did not print exactly one line")
    try:
        answer = json.loads(line, parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as error:
        raise NotAnAnswer(f"the scorer's line is not JSON: {error}") from None
    match answer:
        case {"metrics": dict(metrics), **rest} if not rest and not is_divided:
            return Outcome(state="scored", metrics=_numbers(metrics, metric=metric))
        case {"metrics": dict(metrics), "shown": dict(shown), **rest} if not rest and is_divided:
            whole, part = _numbers(metrics, metric=metric), _numbers(shown, metric=metric)
            return Outcome(state="scored", metrics=whole, shown=part)
        case {"invalid": str(message), **rest} if not rest:
            return Outcome(state="invalid", fault="format", reason=short(message) or "The predictions were refused.")
    parts = "metrics and shown" if is_divided else "metrics alone"
    raise NotAnAnswer(f"the scorer's line is neither {parts} nor a refusal")


def of_seed(outcome: Outcome, *, place: int, seeds: int) -> Outcome:
    """The end of a run that one of its seeds brought about, with the reason that names it."""
    return replace(outcome, reason=short(f"Seed {place} of {seeds}: {outcome.reason}"))


def mean_of(metrics: Sequence[Mapping[str, float]], *, shown: Sequence[Mapping[str, float]]) -> Outcome:
    """The outcome of all seeds: the mean of each metric that every one of them has, on all hidden rows and on the shown."""
    return Outcome(state="scored", metrics=_means(metrics), shown=_means(shown))


def _means(metrics: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = [name for name in metrics[0] if all(name in one for one in metrics)]
    return {name: statistics.fmean(one[name] for one in metrics) for name in names}


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a name is there twice")
    return fields


def _numbers(metrics: dict[str, Any], *, metric: str) -> dict[str, float]:
    for name, value in metrics.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value):
            raise NotAnAnswer(f"the metric {name} is no finite number")
    if metric not in metrics:
        raise NotAnAnswer(f"the ranking metric {metric} is missing")
    return {name: float(value) for name, value in metrics.items()}


def clean_log(raw: str, *, max_bytes: int = LOG_BYTES) -> str:
    """Output as it may be shown: no terminal codes, no control characters, of a progress bar its last state only."""
    lines = (line.rstrip("\r").rsplit("\r", 1)[-1] for line in ESCAPE.sub("", raw).split("\n"))
    text = "".join(c for c in "\n".join(lines) if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs"))
    encoded = text.strip("\n").encode()
    return encoded[-max_bytes:].decode(errors="ignore") if len(encoded) > max_bytes else encoded.decode()


def last_line(log: str) -> str:
    """The last line that is not empty: of a traceback, what was raised."""
    return next((line.strip() for line in reversed(log.splitlines()) if line.strip()), "")


def short(text: str) -> str:
    """A reason of bounded length without control characters."""
    clean = "".join(c if c == "\n" or c.isprintable() else " " for c in text).strip()
    return clean if len(clean) <= REASON_CHARACTERS else clean[: REASON_CHARACTERS - 1] + "…"


def gigabytes(count: float) -> str:
    """Binary gigabytes with one digit."""
    return f"{count / GIBIBYTE:.1f}"


def seconds(length: float) -> str:
    """``0.4 s``, ``60 s``, ``12 min``."""
    if length >= 600:
        return f"{length / 60:.0f} min"
    return f"{length:.0f} s" if length >= 10 or length == int(length) else f"{length:.1f} s"

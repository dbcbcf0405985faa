"""The site's answers as typed values. Reading is strict on what is shown and ignores fields it does not know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

OPEN_STATES = frozenset({"received", "queued", "running"})


@dataclass(frozen=True)
class Submission:
    """One hand-in as the site reports it.

    ``interval``: of a mean over seeds, its ends; ``verdict``: better, worse or not distinguishable, by the site's test; empty
    where it gave none. ``why`` and ``estimate``: sentences about its place in line for a GPU.
    """

    number: int
    state: str
    reason: str
    score: float | None
    difference: float | None
    url: str
    received_at: datetime | None
    place: int | None
    why: str = ""
    estimate: str = ""
    interval: tuple[float, float] | None = None
    verdict: str = ""

    @property
    def is_open(self) -> bool:
        """Its evaluation has not ended."""
        return self.state in OPEN_STATES

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> Submission:
        """Raises: KeyError, TypeError, ValueError on an answer that is no submission."""
        return cls(
            number=int(answer["number"]),
            state=str(answer["state"]),
            reason=str(answer.get("reason") or ""),
            score=_number(answer.get("score")),
            difference=_number(answer.get("difference")),
            url=str(answer.get("url") or ""),
            received_at=_moment(answer.get("received_at")),
            place=None if answer.get("place") is None else int(answer["place"]),
            why=str(answer.get("why") or ""),
            estimate=str(answer.get("estimate") or ""),
            interval=_interval(answer.get("interval")),
            verdict=str((answer.get("verdict") or {}).get("outcome") or ""),
        )

    def as_json(self) -> dict[str, Any]:
        """The same shape as on the wire."""
        received = self.received_at.isoformat() if self.received_at else None
        verdict = {"outcome": self.verdict} if self.verdict else None
        return asdict(self) | {"received_at": received, "verdict": verdict}


@dataclass(frozen=True)
class Metric:
    """What a project is ranked by."""

    name: str
    goal: str
    digits: int

    @property
    def lower_is_better(self) -> bool:
        """The goal is to make the figure small."""
        return self.goal.startswith("min")

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> Metric:
        """Raises: KeyError, TypeError, ValueError on an answer that is no metric."""
        return cls(name=str(answer["name"]), goal=str(answer["goal"]), digits=int(answer["digits"]))


@dataclass(frozen=True)
class Gpu:
    """The GPU that a notebook on a CPU slot waits for, in the site's sentences. ``state``: waiting, turn or moving."""

    state: str
    headline: str
    why: str
    estimate: str

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> Gpu:
        """Raises: KeyError, TypeError on an answer that is no such place."""
        return cls(
            state=str(answer["state"]),
            headline=str(answer["headline"]),
            why=str(answer.get("why") or ""),
            estimate=str(answer.get("estimate") or ""),
        )


@dataclass(frozen=True)
class Status:
    """Where an intern stands: project, next milestone, scores, session, place in line, newest submissions first."""

    intern: str
    project: str
    metric: Metric
    baseline: float | None
    best: float | None
    best_verdict: str
    milestone: str
    milestone_due: date | None
    days_left: int | None
    session_until: datetime | None
    slot: str
    gpu: Gpu | None
    submissions: tuple[Submission, ...]

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> Status:
        """Raises: KeyError, TypeError, ValueError on an answer that is no status."""
        milestone, session = answer.get("milestone") or {}, answer.get("session") or {}
        return cls(
            intern=str(answer["intern"]["name"] or answer["intern"]["username"]),
            project=str(answer["project"]["title"]),
            metric=Metric.read(answer["metric"]),
            baseline=_number(answer.get("baseline")),
            best=_number(answer.get("best")),
            best_verdict=str(answer.get("best_verdict") or ""),
            milestone=str(milestone.get("title") or ""),
            milestone_due=date.fromisoformat(milestone["due_on"]) if milestone.get("due_on") else None,
            days_left=None if answer.get("days_left") is None else int(answer["days_left"]),
            session_until=_moment(session.get("until")),
            slot=str(session.get("slot") or ""),
            gpu=Gpu.read(answer["gpu"]) if answer.get("gpu") else None,
            submissions=tuple(Submission.read(one) for one in answer["submissions"]),
        )


@dataclass(frozen=True)
class Activity:
    """What the notebook server did since its last report. ``cpu_seconds`` is of the person's processes."""

    busy_kernels: int
    kernels: int
    last_execution_at: datetime | None
    cpu_seconds: float
    terminals: int
    committed_at: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        """The shape on the wire."""
        moments = {"last_execution_at": self.last_execution_at, "committed_at": self.committed_at}
        written = {name: moment.isoformat() if moment else None for name, moment in moments.items()}
        return asdict(self) | written | {"cpu_seconds": round(self.cpu_seconds, 3)}


@dataclass(frozen=True)
class ActivityAnswer:
    """What the site makes of the activity: ``stop_at`` and ``warning`` are set when the session looks idle."""

    stop_at: datetime | None
    warning: str
    lease_until: datetime | None
    is_help_open: bool = False

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> ActivityAnswer:
        """Raises: TypeError, ValueError on an answer with a malformed time."""
        return cls(
            stop_at=_moment(answer.get("stop_at")),
            warning=str(answer.get("warning") or ""),
            lease_until=_moment(answer.get("lease_until")),
            is_help_open=bool(answer.get("is_help_open")),
        )


@dataclass(frozen=True)
class Help:
    """Who helps here. ``state``: none, asked, reading, hands_asked or hands; ``url`` is the intern's page of it."""

    state: str
    helper: str
    helper_name: str
    topic: str
    until: datetime | None
    url: str
    helper_url: str

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> Help:
        """Raises: KeyError, TypeError, ValueError on an answer that says nothing of help."""
        return cls(
            state=str(answer["state"]),
            helper=str(answer["helper"]),
            helper_name=str(answer["helper_name"]),
            topic=str(answer["topic"]),
            until=_moment(answer.get("until")),
            url=str(answer["url"]),
            helper_url=str(answer.get("helper_url") or ""),
        )

    def as_json(self) -> dict[str, Any]:
        """The same shape as on the wire."""
        return asdict(self) | {"until": self.until.isoformat() if self.until else None}


def until(moment: datetime, *, now: datetime) -> timedelta:
    """Time left, never below zero."""
    return max(moment - now, timedelta(0))


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _interval(value: Any) -> tuple[float, float] | None:
    if value is None:
        return None
    low, high = value
    return float(low), float(high)


def _moment(value: Any) -> datetime | None:
    if not value:
        return None
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError(f"a time without a zone: {value}")
    return moment

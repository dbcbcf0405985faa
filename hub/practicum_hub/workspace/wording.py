"""The words people read about a submission or their project, as plain text. Pure; the time comes in as ``now``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from practicum_hub.workspace.answers import Gpu, Metric, Status, Submission, until

STATES = {
    "received": "received",
    "queued": "in line",
    "running": "running",
    "scored": "scored",
    "invalid": "not valid",
    "failed": "failed",
    "cancelled": "cancelled",
}
SHOWN_SUBMISSIONS = 5

Paint = Callable[[str, str], str]


def plain(text: str, _colour: str) -> str:
    """No colours."""
    return text


def ansi(text: str, colour: str) -> str:
    """Terminal colours: ``good``, ``bad``, ``busy``, ``dim``, ``strong``."""
    code = {"good": "32", "bad": "31", "busy": "36", "dim": "2", "strong": "1"}[colour]
    return f"\x1b[{code}m{text}\x1b[0m"


def tone(submission: Submission) -> str:
    """Which colour a state is shown in."""
    return "busy" if submission.is_open else "good" if submission.state == "scored" else "bad"


def state(submission: Submission) -> str:
    """``in line, place 3``; ``not valid: predictions.npz has 10 rows``; ``scored: Not better than your best by …``."""
    words = STATES.get(submission.state, submission.state)
    if submission.state == "queued" and submission.place:
        return ". ".join(part for part in (f"{words}, place {submission.place}", submission.estimate) if part)
    if submission.reason and (submission.state != "scored" or submission.score is None):
        return f"{words}: {submission.reason}"
    return words


def figure(value: float, *, metric: Metric) -> str:
    """A score with the digits its project asks for."""
    return f"{value:.{metric.digits}f}"


def difference(value: float, *, metric: Metric) -> str:
    """``+0.0210``, with a true minus sign."""
    return f"{value:+.{metric.digits}f}".replace("-", "−")


def verdict(value: float, *, metric: Metric, tested: str = "") -> str:
    """What the site's test says of a difference from the baseline; without one, its sign to the digits that are shown."""
    if tested:
        return f"{tested} {'from' if tested == 'not distinguishable' else 'than'} the baseline"
    shown = round(value, metric.digits)
    if not shown:
        return "equal to the baseline"
    if (shown < 0) == metric.lower_is_better:
        return "better than the baseline"
    return "worse than the baseline" if metric.lower_is_better else "below the baseline"


def score(submission: Submission, *, metric: Metric) -> str:
    """``accuracy 0.9710 ± 0.0040 (+0.0210, better than the baseline)``; empty without a score."""
    if submission.score is None:
        return ""
    text = f"{metric.name} {figure(submission.score, metric=metric)}"
    if submission.interval is not None:
        text = f"{text} ± {figure(submission.interval[1] - submission.score, metric=metric)}"
    if submission.difference is None:
        return text
    said = verdict(submission.difference, metric=metric, tested=submission.verdict)
    return f"{text} ({difference(submission.difference, metric=metric)}, {said})"


def outcome(submission: Submission, *, metric: Metric | None, paint: Paint = plain) -> str:
    """One line: ``#3 scored: accuracy 0.9710 (+0.0210, better than the baseline)``."""
    head = f"#{submission.number} {paint(state(submission), tone(submission))}"
    figures = score(submission, metric=metric) if metric else ""
    return f"{head}: {figures}" if figures else head


def span(length: timedelta) -> str:
    """``45 s``, ``12 min``, ``1 h 42 min``, ``3 days``."""
    seconds = int(length.total_seconds())
    minutes = seconds // 60
    if seconds < 60:
        return f"{seconds} s"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return count(minutes // (24 * 60), "day")


def ago(length: timedelta) -> str:
    """``just now``, ``12 min ago``, ``5 h ago``, ``3 days ago``: one unit is enough for the past."""
    minutes = int(length.total_seconds()) // 60
    if minutes < 1:
        return "just now"
    if minutes < 60:
        return f"{minutes} min ago"
    hours = minutes // 60
    return f"{hours} h ago" if hours < 24 else f"{count(hours // 24, 'day')} ago"


def count(number: int, noun: str) -> str:
    """``1 day``, ``3 days``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def standing(current: Status, *, now: datetime) -> list[tuple[str, str]]:
    """Name and words of each fact: best, next milestone, days left, session, GPU waited for; only those there are."""
    rows = [("best", _best(current)), ("next", _milestone(current, now=now))]
    if current.days_left is not None:
        rows.append(("left", count(current.days_left, "day")))
    if current.session_until:
        slot = f"{current.slot}, " if current.slot else ""
        rows.append(("session", f"{slot}ends in {span(until(current.session_until, now=now))}"))
    if current.gpu is not None:
        rows.append(("gpu", _gpu(current.gpu)))
    return [(name, words) for name, words in rows if words]


def status(current: Status, *, now: datetime, paint: Paint = plain) -> list[str]:
    """The lines of ``practicum status``."""
    lines = [paint(current.project, "strong")]
    lines += [f"  {paint(f'{name:<9}', 'dim')}{words}" for name, words in standing(current, now=now)]
    shown = current.submissions[:SHOWN_SUBMISSIONS]
    if not shown:
        return [*lines, "", "Nothing handed in yet: practicum submit"]
    return [*lines, "", *(_row(one, metric=current.metric, now=now, paint=paint) for one in shown)]


def _gpu(gpu: Gpu) -> str:
    advice = "Move in JupyterLab's Practicum panel or on your notebook's page." if gpu.state == "turn" else ""
    return " ".join(part for part in (f"{gpu.headline}.", gpu.estimate, gpu.why, advice) if part)


def _best(current: Status) -> str:
    baseline = f"baseline {figure(current.baseline, metric=current.metric)}" if current.baseline is not None else ""
    if current.best is None:
        return f"none yet ({baseline})" if baseline else "none yet"
    best = f"{current.metric.name} {figure(current.best, metric=current.metric)}"
    if current.baseline is None:
        return best
    gain = current.best - current.baseline
    said = verdict(gain, metric=current.metric, tested=current.best_verdict)
    return f"{best} ({baseline}, {difference(gain, metric=current.metric)}: {said})"


def _milestone(current: Status, *, now: datetime) -> str:
    if not current.milestone:
        return ""
    if current.milestone_due is None:
        return current.milestone
    return f"{current.milestone}, {_due((current.milestone_due - now.date()).days)}"


def _due(days: int) -> str:
    if days < 0:
        return f"{count(-days, 'day')} late"
    return ("due today", "due tomorrow")[days] if days < 2 else f"due in {days} days"


def _row(submission: Submission, *, metric: Metric, now: datetime, paint: Paint) -> str:
    when = f"  {paint(ago(now - submission.received_at), 'dim')}" if submission.received_at else ""
    return f"  {outcome(submission, metric=metric, paint=paint)}{when}"

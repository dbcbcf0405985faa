"""What interns are told about an evaluation that took long enough to look elsewhere."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.urls import reverse

from practicum.accounts.notices import notify
from practicum.evaluation.models import Run, RunState

LONG_WAIT = timedelta(minutes=2)
ADVICE = {
    RunState.SCORED: ("is scored", "Look at the score and what it says."),
    RunState.INVALID: ("is not valid", "Read why on its page, mend it and hand in again."),
    RunState.FAILED: ("could not be evaluated", "Read why on its page."),
}


def ended(run: Run, *, now: datetime) -> None:
    """The intern reads that the evaluation is over: where they had to wait, and always where somebody else had it made
    again. A project's baseline is nobody's.
    """
    internship = run.submission.internship
    if internship is None:
        return
    is_again = run.attempt > 1 and run.requested_by_id not in (None, internship.intern_id)
    if is_again and run.state == RunState.SCORED:
        _scored_again(run, now=now)
        return
    if not is_again and now - run.queued_at <= LONG_WAIT:
        return
    became, advice = ADVICE[RunState(run.state)]
    number, title = run.submission.number, run.submission.version.project.title
    notify(
        internship.intern,
        kind=f"run.{run.state}",
        subject=f"Submission {number} {became}",
        body=f"The evaluation of your submission {number} to {title} is over.\n{advice}",
        path=reverse("portal:submission", args=[run.submission_id]),
        key=f"run.ended:{run.pk}",
        now=now,
    )


def _scored_again(run: Run, *, now: datetime) -> None:
    """That there is a second result, and why. No figure: what an intern is told of scores, its page says (``standings``)."""
    submission = run.submission
    internship, version = submission.internship, submission.version
    assert internship is not None
    judged = run.judging_version
    by = (
        f"by the mended evaluate.py of version {judged.number} of the project"
        if judged.pk != version.pk
        else "by the same evaluate.py"
    )
    notify(
        internship.intern,
        kind="run.again",
        subject=f"Submission {submission.number} was scored again",
        body=f"Your submission {submission.number} to {version.project.title} was evaluated once more, {by}.\n"
        "Both results stay on its page; the newer one counts.",
        path=reverse("portal:submission", args=[submission.pk]),
        key=f"run.ended:{run.pk}",
        now=now,
    )

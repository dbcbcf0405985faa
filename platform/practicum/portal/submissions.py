"""What a submission's page shows, for whoever may see it.

The page has one part that changes by itself while an evaluation is open. Its *mark* is a digest of all that can change:
the page asks each second and is sent the part again only when the mark is another.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from practicum.accounts.models import User
from practicum.evaluation.board import board_of
from practicum.evaluation.findings import finding_of
from practicum.evaluation.judges import newer_judge
from practicum.evaluation.minutes import minutes_of
from practicum.evaluation.models import Fault, Run
from practicum.evaluation.selectors import again_of, comparison, latest_run, place_of, results_of, timeline
from practicum.evaluation.standings import Standing, standings_of
from practicum.internships.models import Internship
from practicum.internships.readiness_selectors import results_on
from practicum.lib.clock import utc_now
from practicum.lib.digest import digest_bytes
from practicum.portal import charts
from practicum.reviews.selectors import Feedback, feedback_on
from practicum.submissions.models import Submission
from practicum.submissions.selectors import submission_for

BOARD_ROWS = 5
ADVICE = {
    Fault.CODE: "Mend it in your notebook, run predict() there on a few inputs, and hand in again.",
    Fault.LIMIT: "It went over a limit of the project. Make it faster or smaller (the project's page lists the limits) "
    "and hand in again.",
    Fault.FORMAT: "Your code ran, but its predictions can't be read. Compare their names, shape and type with the "
    "project's brief and hand in again.",
    Fault.OURS: "This was our fault, not yours, and it costs you no attempt. Your mentor can run it again from "
    "this page.",
}
OURS_IN_A_CHECK = (
    "This was our fault, not yours, and it counts for nothing. Write to an admin, who can run it again from this page, or "
    "change a line and hand in once more."
)


def page_of(user: User, *, submission_id: int) -> dict[str, Any]:
    """Everything the page shows.

    Raises:
        NotFound: the submission is not theirs to see.
    """
    submission = submission_for(user, submission_id=submission_id)
    run = latest_run(submission)
    is_open = run is None or run.is_open
    judge = None if user.is_intern or is_open else newer_judge(submission)
    internship, now = submission.internship, utc_now()
    standing = None
    if internship is not None and not is_open:
        standing = standings_of([internship], exact=not user.is_intern)[internship.pk]
    is_check = internship is not None and internship.is_check
    return {
        "submission": submission,
        "internship": internship,
        "check": None if internship is None or is_open else results_on(internship, submission=submission.number),
        "run": run,
        "log": _log_for(user, run=run),
        "is_open": is_open,
        "events": timeline(submission),
        "place": place_of(run) if run else None,
        "finding": None if is_open else finding_of(submission, told=standing),
        "minutes": None if is_open else minutes_of([submission.pk]).get(submission.pk),
        "results": results_of(submission),
        "curve": charts.run_curve(run) if run else None,
        "comparison": None if is_open else comparison(submission, exact=not user.is_intern),
        "metrics": [] if user.is_intern else _other_metrics(submission, run=run),
        "advice": _advice(run, is_check=is_check),
        "feedback": feedback_on(submission),
        "final": None if standing is None or is_check else _final(submission, standing=standing, viewer=user, now=now),
        "again": again_of(submission, user=user),
        "may_rerun": not user.is_intern and not is_open,
        "newer_judge": judge,
        "newer_judge_number": str(judge.number) if judge else "",
        "may_cancel": is_open and run is not None and submission.internship is not None,
        **({} if is_open or internship is None or is_check else top_of_board(internship, viewer=user, now=now)),
    }


def _advice(run: Run | None, *, is_check: bool) -> str:
    """What to do about an end without a score."""
    if run is None:
        return ""
    return OURS_IN_A_CHECK if is_check and run.fault == Fault.OURS else ADVICE.get(Fault(run.fault), "")


def _log_for(user: User, *, run: Run | None) -> str:
    """What the code printed. It ran on hidden inputs and could print them, so its intern is told the reason only."""
    return run.log_tail if run is not None and not user.is_intern else ""


def mark_of(facts: dict[str, Any]) -> str:
    """A digest of what can change on the page."""
    run: Run | None = facts["run"]
    feedback: Feedback = facts["feedback"]
    seen = [
        facts["place"],
        len(facts["events"]),
        run and (run.pk, run.state, run.phase, run.tries, facts["log"]),
        feedback.review and (feedback.review.state, feedback.review.summary),
        len(feedback.threads),
    ]
    return digest_bytes(repr(seen).encode())[:16]


@dataclass(frozen=True)
class Final:
    """Whether a submission is the one that ranks, whether its intern chose it, and whether they may choose it now."""

    counts: bool
    is_chosen: bool
    may_choose: bool
    is_late: bool
    closes_at: datetime


def _final(submission: Submission, *, standing: Standing, viewer: User, now: datetime) -> Final | None:
    """None for a submission without a score."""
    internship, point = submission.internship, standing.point_of(submission.pk)
    if internship is None or point is None:
        return None
    counts = standing.counted is not None and standing.counted.submission_id == submission.pk
    is_chosen = counts and standing.chosen_id == submission.pk
    is_open = not standing.terms.is_closed(now=now)
    return Final(
        counts=counts,
        is_chosen=is_chosen,
        may_choose=viewer.pk == internship.intern_id and is_open and not is_chosen,
        is_late=point.is_late,
        closes_at=standing.terms.closes_at,
    )


def top_of_board(internship: Internship, *, viewer: User, now: datetime) -> dict[str, Any]:
    """The first of the cohort's board, with the baseline and the submission's own intern wherever they stand."""
    board = board_of(
        internship.cohort, version=internship.version, viewer=viewer, now=now, about=internship, is_short=True
    )
    rows = [
        row
        for row in board.rows
        if row.is_own or row.is_baseline or ((row.final_rank if board.is_by_final else row.rank) or 0) <= BOARD_ROWS
    ]
    return {"board": rows, "board_final": board.has_final, "board_by_final": board.is_by_final}


def _other_metrics(submission: Submission, *, run: Run | None) -> list[tuple[str, float, float | None]]:
    """What the scorer measured beside the metric that ranks, by name: on the shown rows, and on all hidden ones.

    Not for interns: each of them would be one more oracle of the hidden rows.
    """
    if run is None or not hasattr(run, "score"):
        return []
    ranking, whole = submission.version.metric["name"], run.score.metrics
    shown = run.score.shown_metrics or whole
    return sorted((name, value, whole.get(name)) for name, value in shown.items() if name != ranking)

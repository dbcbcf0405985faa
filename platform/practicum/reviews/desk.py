"""What the desk shows, for the mentor, the intern and the admin, and how its forms are read."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.http import QueryDict
from django.utils.safestring import mark_safe

from practicum.accounts.models import User
from practicum.errors import Conflict
from practicum.evaluation.selectors import again_of
from practicum.reviews import bank, rules, selectors
from practicum.reviews.cells import list_cells
from practicum.reviews.drafts import draft_of
from practicum.reviews.minutes import opening_of, spent_on
from practicum.reviews.models import Review, ReviewState
from practicum.reviews.rendering import render_notebook, render_report
from practicum.reviews.rounds import since_last_round
from practicum.reviews.scores import among_cohort, compare
from practicum.reviews.selectors import PointsLine
from practicum.submissions.models import Submission
from practicum.submissions.selectors import likenesses_of

PANES = ("notebook", "cells", "submission", "decide")


def facts_for(user: User, *, submission: Submission, pane: str, now: datetime) -> dict[str, Any]:
    """Everything on the page. Only the internship's mentor decides; mentor and intern may write; an admin reads."""
    internship = selectors.internship_of(submission)
    standing = selectors.standing_of(submission)
    review = selectors.review_of(submission)
    since, report = since_last_round(submission, now=now), render_report(submission, now=now)
    changes = since.changes if since is not None else None
    rendered = since.rendered if since is not None and changes is not None else render_notebook(submission, now=now)
    carried = since.carried if since is not None else []
    rounds, threads = selectors.rounds(internship), selectors.threads(submission)
    comparisons = compare([submission, *rounds], exact=not user.is_intern)
    again = again_of(submission, user=user)
    held = bank.held_for(submission) if internship.mentor_id == user.pk else []
    is_mentor = internship.mentor_id == user.pk and user.is_mentor
    may_decide = is_mentor and standing.internship_active and standing.is_latest and not standing.is_decided
    return {
        "submission": submission,
        "internship": internship,
        "run": selectors.last_run(submission),
        "review": review if review is not None and (is_mentor or review.state != ReviewState.OPEN) else None,
        "standing": standing,
        "comparison": comparisons[submission.pk],
        "rendered": rendered,
        "report": mark_safe(report.html) if report.is_ok else "",  # noqa: S308  cleaned by the converter
        "report_problem": report.message if report.status not in ("ok", "none") else "",
        "since": since,
        "since_score": comparisons[since.before.pk].score if since and since.before.pk in comparisons else None,
        "among": among_cohort(submission, score=comparisons[submission.pk].score, exact=not user.is_intern),
        "listing": list_cells(
            rendered.cells,
            threads=threads,
            carried=carried,
            changes=changes,
            differing=again.sentences if again else {},
        ),
        "again": again,
        "likenesses": likenesses_of(submission, user=user),
        "open_threads": sum(not thread.is_resolved for thread in [*threads, *(row.thread for row in carried)]),
        "pane": pane if pane in PANES else "notebook",
        "points": selectors.points_of(submission, review=review if may_decide or standing.is_decided else None),
        "summary": review.summary if review is not None and may_decide else "",
        "rounds": [(row, selectors.last_run(row), comparisons[row.pk]) for row in rounds],
        "bank": held[: bank.SHOWN],
        "snippets": bank.by_item(held),
        "spent": spent_on([submission], mentor=user).get(submission.pk, timedelta()) if is_mentor else None,
        "opening": opening_of(user, submission=submission, now=now) if is_mentor else "",
        "draft": draft_of(user, submission=submission) if is_mentor else None,
        "may_decide": may_decide,
        "may_begin": is_mentor,
        "may_reply": is_mentor or internship.intern_id == user.pk,
        "may_undo": is_mentor and may_undo(review, user=user, standing=standing, now=now),
    }


def may_undo(review: Review | None, *, user: User, standing: rules.Standing, now: datetime) -> bool:
    """The decision can be taken back by this person now."""
    if review is None:
        return False
    is_author = review.mentor_id == user.pk
    try:
        rules.check_undo(standing=standing, is_author=is_author, decided_at=review.decided_at, now=now)
    except Conflict:
        return False
    return True


def points_from(posted: QueryDict, *, submission: Submission) -> dict[str, object]:
    """The points of the form by item: ``points-1`` is the first item's. Left out where none was chosen."""
    given: dict[str, object] = {}
    for position, item in enumerate(submission.version.manifest["rubric"], start=1):
        value = posted.get(f"points-{position}", "").strip()
        if value:
            given[str(item["name"])] = int(value) if value.isdecimal() and len(value) < 6 else value
    return given


def as_written(posted: QueryDict, *, submission: Submission) -> dict[str, Any]:
    """What somebody typed into a form that was refused, to be shown again."""
    if "body" in posted:
        return {
            "typed": {
                "body": posted["body"],
                "cell": posted.get("cell", ""),
                "on_output": "on_output" in posted,
                "reply_to": posted.get("reply_to", ""),
            }
        }
    given = points_from(posted, submission=submission)
    lines = [
        PointsLine(str(item["name"]), str(item["question"]), int(item["points"]), _whole(given.get(item["name"])))
        for item in submission.version.manifest["rubric"]
    ]
    summary = posted.get("summary", "")
    return {"points": lines, "summary": summary, "unsent": summary}


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None

"""Rounds of an internship's reviews: what changed since the last one, and what was said before and is still open.

Words: a *round* is a submission that a mentor has written on. The *last round* of a submission is the newest earlier one.
A *carried* thread was begun in an earlier round and was not settled when this submission came; it stands on the cell that
its own cell became.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import pairwise

from django.db.models import Q

from practicum.reviews.models import Comment
from practicum.reviews.rendering import Cell, Changes, Rendered, render_changes, render_notebook
from practicum.reviews.threads import Thread, in_threads
from practicum.submissions.models import Submission

MOST_STEPS = 6
GONE = "gone"


@dataclass(frozen=True)
class Carried:
    """A thread of an earlier round. ``cell_id``: where it stands now; empty where its cell is gone, or it had none."""

    thread: Thread
    cell_id: str


@dataclass(frozen=True)
class Since:
    """What changed since ``before``. ``rendered`` has the page, and ``changes`` unless it could not be made."""

    before: Submission
    rendered: Rendered
    carried: list[Carried] = field(default_factory=list)

    @property
    def changes(self) -> Changes | None:
        """What became of each cell."""
        return self.rendered.changes

    @property
    def counts(self) -> list[tuple[str, int]]:
        """How many cells are changed, new, gone ...; kinds that there are none of are left out."""
        if self.changes is None:
            return []
        states = list(self.changes.states.values())
        named = [("changed", "changed"), ("new", "new"), ("output", "with another output only"), ("moved", "moved")]
        found = [(words, states.count(state)) for state, words in named] + [(GONE, len(self.changes.gone))]
        return [(words, count) for words, count in found if count]

    @property
    def unchanged(self) -> int:
        """Cells that are as they were."""
        return len(self.changes.folds) if self.changes else 0

    @property
    def answered(self) -> int:
        """Threads that the intern did something about."""
        return sum(bool(row.thread.answer) for row in self.carried)


def rounds_before(submission: Submission) -> list[Submission]:
    """The earlier submissions of the internship that a mentor has written on, the oldest first."""
    earlier = Submission.objects.filter(internship=submission.internship_id, number__lt=submission.number)
    return list(earlier.filter(review__isnull=False).select_related("version", "review").order_by("number"))


def since_last_round(submission: Submission, *, now: datetime) -> Since | None:
    """What changed since the last round; None where this is the first."""
    before = rounds_before(submission)
    if not before:
        return None
    rendered = render_changes(before[-1], submission, now=now)
    return Since(before[-1], rendered, carried_to(submission, before=before, rendered=rendered, now=now))


def cells_of(submission: Submission, *, now: datetime) -> tuple[Cell, ...]:
    """The notebook's cells, from the page that the desk shows: no other is made for it."""
    since = rendered_since(submission, now=now)
    return since.cells if since is not None and since.is_ok else render_notebook(submission, now=now).cells


def rendered_since(submission: Submission, *, now: datetime) -> Rendered | None:
    """The page of what changed since the last round; None where this is the first."""
    before = rounds_before(submission)
    return render_changes(before[-1], submission, now=now) if before else None


def open_threads_before(submission: Submission) -> list[Thread]:
    """Threads of earlier rounds that were open when this submission came, the first begun first: one query."""
    earlier = Comment.objects.filter(
        submission__internship=submission.internship_id, submission__number__lt=submission.number
    )
    first_open = Q(resolved_at__isnull=True) | Q(resolved_at__gte=submission.received_at)
    rows = earlier.select_related("author", "submission").order_by("written_at", "pk")
    return in_threads(rows.filter(Q(reply_to__isnull=False) | first_open))


def carried_to(
    submission: Submission, *, before: Sequence[Submission], rendered: Rendered, now: datetime
) -> list[Carried]:
    """Every open thread of earlier rounds at its place in this notebook."""
    threads = open_threads_before(submission)
    begun_in = {thread.first.comment.submission_id for thread in threads}
    places = _places(before, wanted=begun_in, rendered=rendered, now=now)
    by_id = {row.pk: row for row in before}
    return [
        _carry(thread, begun=by_id[pk], place=places.get(pk), changes=rendered.changes, after=submission)
        for thread in threads
        if (pk := thread.first.comment.submission_id) in by_id
    ]


def _places(
    before: Sequence[Submission], *, wanted: set[int], rendered: Rendered, now: datetime
) -> dict[int, dict[str, str]]:
    """For each round wanted, where its cells are now: step by step over the rounds between, which are kept rendered."""
    found: dict[int, dict[str, str]] = {}
    if rendered.changes is None:
        return found
    pairs = dict(rendered.changes.pairs)
    steps = list(before)[-MOST_STEPS:]
    found[steps[-1].pk] = pairs
    for earlier, later in reversed(list(pairwise(steps))):
        if not {row.pk for row in steps if row.number <= earlier.number} & wanted:
            break
        step = render_changes(earlier, later, now=now).changes
        if step is None:
            break
        pairs = {old: pairs[new] for old, new in step.pairs.items() if new in pairs}
        found[earlier.pk] = pairs
    return found


def _carry(
    thread: Thread, *, begun: Submission, place: dict[str, str] | None, changes: Changes | None, after: Submission
) -> Carried:
    cell_id = (place or {}).get(thread.cell_id, "")
    answer = _answer(thread, cell_id=cell_id, is_placed=place is not None, changes=changes, after=after)
    return Carried(replace(thread, carried_from=begun.number, answer=answer), cell_id)


def _answer(thread: Thread, *, cell_id: str, is_placed: bool, changes: Changes | None, after: Submission) -> str:
    if thread.replies and thread.last.author_id == _intern_id(after):
        return "replied"
    if not thread.cell_id or not is_placed or changes is None:
        return ""
    if not cell_id:
        return GONE
    is_other = changes.states.get(cell_id) == "changed" or (thread.on_output and cell_id in changes.outputs)
    return "changed" if is_other else ""


def _intern_id(submission: Submission) -> int | None:
    return submission.internship.intern_id if submission.internship else None

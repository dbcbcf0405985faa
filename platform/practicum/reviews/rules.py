"""What a review may say and when. Pure: facts and ``now`` come in, an answer or a refusal comes out.

Words: a *rubric* is the project's list of items, each with ``name``, ``question`` and ``points`` (the most one can
get); the *points given* map an item's name to a whole number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from practicum.errors import Conflict, Invalid

ACCEPTED = "accepted"
CHANGES = "changes"
UNDO_WITHIN = timedelta(minutes=10)
LONGEST_COMMENT = 4_000
LONGEST_SUMMARY = 8_000
MOST_COMMENTS = 500
MOST_BOXES = 300
LONGEST_DRAFT = 200_000
MOST_SNIPPETS = 500


@dataclass(frozen=True)
class Standing:
    """A submission's circumstances, as far as a decision asks for them."""

    internship_active: bool
    is_latest: bool
    is_scored: bool
    is_decided: bool


def check_decision(decision: str, *, standing: Standing, summary: str) -> None:
    """Let a decision pass.

    Raises:
        Invalid: there is no such decision, or it says nothing.
        Conflict: the submission is not one to decide on now.
    """
    if decision not in (ACCEPTED, CHANGES):
        raise Invalid("A decision is to accept, or to ask for changes.")
    if len(summary) > LONGEST_SUMMARY:
        raise Invalid(f"The summary is too long: up to {LONGEST_SUMMARY:,} characters.")
    if decision == CHANGES and not summary.strip():
        raise Invalid("Say in the summary what should change, so that the intern knows what to do next.")
    check_open(standing)
    if decision == ACCEPTED and not standing.is_scored:
        raise Conflict("It has no score, so it can't be accepted. Ask for changes, or have it evaluated again first.")


def check_open(standing: Standing) -> None:
    """Let a review be written.

    Raises:
        Conflict: the internship has ended, a newer submission is there, or the decision was made.
    """
    if not standing.internship_active:
        raise Conflict("This internship has ended; its submissions are no longer decided on.")
    if not standing.is_latest:
        raise Conflict("A newer submission is there. Decide on that one.")
    if standing.is_decided:
        raise Conflict("A decision was made already.")


def check_rubric(given: Mapping[str, object], *, rubric: Sequence[Mapping[str, Any]], complete: bool) -> dict[str, int]:
    """The points by item, in the rubric's order; with ``complete`` every item must have some.

    Raises:
        Invalid: an unknown item, points that are no whole number from 0 to the item's most, or an item left out.
    """
    most = {str(item["name"]): int(item["points"]) for item in rubric}
    if unknown := sorted(set(given) - set(most)):
        raise Invalid(f"The project's rubric has no item “{unknown[0][:60]}”.")
    points = {name: _points(given[name], name=name, most=most[name]) for name in most if name in given}
    if complete and (missing := [name for name in most if name not in points]):
        raise Invalid(f"To accept, give points for every item; “{missing[0]}” has none yet.")
    return points


def _points(value: object, *, name: str, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise Invalid(f"“{name}” takes whole points from 0 to {most}.")
    return value


def check_comment(body: str, *, so_far: int) -> str:
    """The comment's text without blank ends.

    Raises:
        Invalid: it is empty, too long, or one too many.
    """
    text = body.strip()
    if not text:
        raise Invalid("The comment is empty.")
    if len(text) > LONGEST_COMMENT:
        raise Invalid(f"The comment is too long: up to {LONGEST_COMMENT:,} characters.")
    if so_far >= MOST_COMMENTS:
        raise Invalid(f"This submission has {MOST_COMMENTS} comments; that is the most.")
    return text


def check_snippet(body: str, *, so_far: int) -> str:
    """A text for the bank without blank ends.

    Raises:
        Invalid: it is empty, too long, or the bank is full.
    """
    text = body.strip()
    if not text or len(text) > LONGEST_COMMENT:
        raise Invalid(f"The bank keeps texts of 1 to {LONGEST_COMMENT:,} characters.")
    if so_far >= MOST_SNIPPETS:
        raise Invalid(f"The bank has {MOST_SNIPPETS} comments; that is the most. Forget some first.")
    return text


def check_undo(*, standing: Standing, is_author: bool, decided_at: datetime | None, now: datetime) -> None:
    """Let a decision be taken back.

    Raises:
        Conflict: there is none, it is another mentor's, too old, or something came after it.
    """
    if decided_at is None or not standing.is_decided:
        raise Conflict("There is no decision to take back.")
    if not is_author:
        raise Conflict("Only the mentor who decided can take it back.")
    if not standing.internship_active:
        raise Conflict("This internship has ended; its decisions stay.")
    if not standing.is_latest:
        raise Conflict("The intern has handed in again meanwhile; the decision stays.")
    if now - decided_at > UNDO_WITHIN:
        raise Conflict(f"A decision can be taken back for {UNDO_WITHIN.seconds // 60} minutes; after that it stays.")


def check_draft(fields: object) -> dict[str, str]:
    """The texts of a draft by box, without empty ones.

    Raises:
        Invalid: it is no object of texts, or too much.
    """
    if not isinstance(fields, dict) or len(fields) > MOST_BOXES:
        raise Invalid("A draft is a text for each box.")
    kept: dict[str, str] = {}
    for name, text in fields.items():
        if len(name) > 80 or not isinstance(text, str) or len(text) > LONGEST_SUMMARY or "\0" in text:
            raise Invalid(f"A box of the draft holds no text, or more than {LONGEST_SUMMARY:,} characters.")
        if text:
            kept[name] = text
    if sum(map(len, kept.values())) > LONGEST_DRAFT:
        raise Invalid(f"The draft is too long: up to {LONGEST_DRAFT:,} characters.")
    return kept

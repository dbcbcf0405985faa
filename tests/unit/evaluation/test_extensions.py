"""An internship whose last day was moved: its own close on the leaderboard, what is marked, and the release that waits for it."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta
from typing import Any

import pytest

from practicum.errors import Conflict
from practicum.evaluation import finals
from practicum.evaluation.board import board_of
from practicum.evaluation.closing import terms_on
from practicum.evaluation.models import FinalChoice
from practicum.evaluation.standings import standings_of
from practicum.internships.models import Internship
from practicum.internships.services import close_early, extend, pause, resume
from tests.conftest import NOW
from tests.unit.evaluation.test_leaderboard import AFTER, CLOSE, HOUR, at, divided, scored

__all__ = ["divided", "scored"]

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
OWN_CLOSE = CLOSE + 7 * DAY


@pytest.fixture
def extended(internship: Any, mentor: Any) -> Any:
    """The internship has a week more than its cohort."""
    extend(internship, until=date(2026, 5, 3), actor=mentor, now=NOW)
    internship.refresh_from_db()
    return internship


def own_close(internship: Any) -> Any:
    fresh = Internship.objects.select_related("cohort", "version__project").get(pk=internship.pk)
    return terms_on(fresh.cohort, project=fresh.version.project).of(fresh).closes_at


def board(viewer: Any, internship: Any, *, now: Any) -> Any:
    return board_of(internship.cohort, version=internship.version, viewer=viewer, now=now)


def test_an_extended_intern_chooses_until_their_own_end_and_the_others_until_the_boards(
    extended: Any, peer_internship: Any, intern: Any, peer: Any, scored: Any
) -> None:
    first, second = scored(extended, 0.7), scored(extended, 0.8)
    theirs = scored(peer_internship, 0.75)
    finals.choose_final(first, actor=intern, now=CLOSE)
    finals.choose_final(second, actor=intern, now=OWN_CLOSE - SECOND)
    with pytest.raises(Conflict, match="closed on 4 May 2026"):
        finals.choose_final(first, actor=intern, now=OWN_CLOSE)
    with pytest.raises(Conflict, match="closed on 27 April 2026"):
        finals.choose_final(theirs, actor=peer, now=CLOSE)
    assert FinalChoice.objects.get().submission == second


def test_what_an_extended_intern_hands_in_after_the_close_ranks_and_is_marked(
    divided: Any, extended: Any, peer_internship: Any, intern: Any, peer: Any, mentor: Any, scored: Any
) -> None:
    scored(extended, 0.7, at=NOW)
    scored(peer_internship, 0.75, at=NOW - HOUR)
    (first, second) = board(peer, extended, now=AFTER).rows
    assert (first.name, second.name, second.is_under_extension) == ("Paul Peer", "Ines Intern", False)

    scored(extended, 0.9, at=OWN_CLOSE - SECOND)
    scored(extended, 0.95, at=OWN_CLOSE)
    scored(peer_internship, 0.99, at=CLOSE)

    for viewer in (intern, peer, mentor):
        shown = board(viewer, extended, now=OWN_CLOSE)
        assert [(row.name, row.value, row.is_under_extension) for row in shown.rows] == [
            ("Ines Intern", 0.9, True),
            ("Paul Peer", 0.75, False),
        ]
        assert shown.chart is not None
        assert shown.chart["to"] == "2026-05-03"


def test_pages_say_until_when_to_the_intern_and_the_mentor_and_mark_the_row_for_all(
    extended: Any, peer_internship: Any, intern: Any, peer: Any, mentor: Any, scored: Any, client_of: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    at(AFTER, monkeypatch)
    submission = scored(extended, 0.9, at=CLOSE)
    scored(extended, 0.8, at=NOW)
    address = "/projects/digits/leaderboard/"
    pages = {person: client_of(person).get(address).content.decode() for person in (intern, peer, mentor)}
    assert "By your extension you have until 4 May 2026, 00:00." in pages[intern]
    assert "Ines Intern until 4 May 2026, 00:00." in pages[mentor]
    assert "4 May 2026" not in pages[peer]
    for page in pages.values():
        assert "Closed on 27 April 2026, 00:00" in page
        assert page.count('small">under extension</span>') == 1
    rows = csv.DictReader(io.StringIO(client_of(mentor).get(f"{address}spring/board.csv").content.decode()))
    assert [row["under_extension"] for row in rows] == ["yes"]
    client = client_of(intern)
    assert "Choose it" in client.get(f"/submissions/{submission.pk}/").content.decode()
    assert client.post(f"/submissions/{submission.pk}/choose/").status_code == 302


def test_the_release_waits_for_who_has_time_left_and_for_nobody_whose_internship_is_over(
    divided: Any, extended: Any, peer_internship: Any, intern: Any, mentor: Any, cohort: Any, scored: Any
) -> None:
    scored(extended, 0.8)
    for now in (AFTER, OWN_CLOSE - SECOND):
        with pytest.raises(Conflict, match="1 intern has more time under an extension, the last until 4 May 2026"):
            finals.release_final(cohort, project=divided.project, actor=mentor, now=now)
    assert board(intern, extended, now=AFTER).has_final is False

    close_early(extended, reason="x", actor=mentor, now=AFTER)
    finals.release_final(cohort, project=divided.project, actor=mentor, now=AFTER)

    assert own_close(extended) == AFTER
    with pytest.raises(Conflict, match="closed on"):
        finals.choose_final(scored(extended, 0.9), actor=intern, now=AFTER)


def test_the_release_waits_for_an_evaluation_of_what_came_under_an_extension(
    extended: Any, mentor: Any, cohort: Any, version: Any, hand_in: Any
) -> None:
    hand_in(extended, b"in time", at=OWN_CLOSE - SECOND)
    hand_in(extended, b"late", at=OWN_CLOSE)
    with pytest.raises(Conflict, match="1 submission received before the close is still being evaluated"):
        finals.release_final(cohort, project=version.project, actor=mentor, now=OWN_CLOSE)


def test_what_is_extended_after_the_release_moves_nothing_on_the_board(
    internship: Any, intern: Any, mentor: Any, cohort: Any, version: Any, scored: Any
) -> None:
    finals.release_final(cohort, project=version.project, actor=mentor, now=AFTER)
    extend(internship, until=date(2026, 5, 31), actor=mentor, now=AFTER + HOUR)
    internship.refresh_from_db()

    scored(internship, 0.9, at=AFTER + DAY)

    assert own_close(internship) == AFTER
    assert standings_of([internship])[internship.pk].counted is None


def test_the_days_of_a_pause_move_the_close_too_and_while_it_goes_on_those_agreed_on(
    internship: Any, mentor: Any
) -> None:
    pause(internship, until=NOW.date() + 10 * DAY, actor=mentor, now=NOW)
    assert own_close(internship) == CLOSE + 10 * DAY
    resume(internship, actor=mentor, now=NOW + 4 * DAY)
    assert own_close(internship) == CLOSE + 4 * DAY


@pytest.mark.parametrize(
    ("ends_on", "days"), [(None, 0), (date(2026, 4, 20), 0), (date(2026, 4, 26), 0), (date(2026, 4, 28), 2)]
)
def test_a_close_that_was_set_moves_by_the_same_days(
    internship: Any, mentor: Any, cohort: Any, version: Any, ends_on: date | None, days: int
) -> None:
    finals.set_close(cohort, project=version.project, closes_at=NOW + HOUR, actor=mentor, now=NOW)
    Internship.objects.filter(pk=internship.pk).update(ends_on=ends_on)
    assert own_close(internship) == NOW + HOUR + days * DAY

"""Check-ins: who writes, when the other side sees them, until when they may be changed; and the page of the record."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from practicum.accounts.models import Notice
from practicum.errors import Conflict, Forbidden, Invalid
from practicum.internships.check_ins import Note, check_in
from practicum.internships.models import Change, CheckIn
from practicum.internships.record_selectors import may_check_in, weeks_of

NOTE = Note(went="The first run works.", following="A second layer.", stuck="")
WEEK = timedelta(days=7)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch, now: Any) -> None:
    """The pages are read at ``now``."""
    monkeypatch.setattr("practicum.internships.record_views.utc_now", lambda: now)


def seen(internship: Any, *, viewer: Any, now: Any) -> list[tuple[int, bool, bool, str]]:
    return [
        (week.number, week.interns is not None, week.mentors is not None, week.waits)
        for week in weeks_of(internship, viewer=viewer, now=now)
    ]


def test_each_sees_the_other_s_once_both_wrote(internship: Any, intern: Any, mentor: Any, admin: Any, now: Any) -> None:
    check_in(intern, internship=internship, note=NOTE, now=now)

    assert seen(internship, viewer=intern, now=now) == [(3, True, False, "")]
    for viewer in (mentor, admin):
        assert seen(internship, viewer=viewer, now=now) == [(3, False, False, "intern")]
    check_in(mentor, internship=internship, note=NOTE, now=now)
    for viewer in (intern, mentor, admin):
        assert seen(internship, viewer=viewer, now=now) == [(3, True, True, "")]


def test_after_a_week_of_silence_it_shows_anyway(internship: Any, intern: Any, mentor: Any, now: Any) -> None:
    check_in(intern, internship=internship, note=NOTE, now=now)

    assert seen(internship, viewer=mentor, now=now + WEEK - timedelta(seconds=1))[0][1] is False
    assert seen(internship, viewer=mentor, now=now + WEEK)[0][1] is True


def test_it_may_be_changed_until_the_other_side_has_seen_it(
    internship: Any, intern: Any, mentor: Any, now: Any
) -> None:
    check_in(intern, internship=internship, note=NOTE, now=now)
    check_in(intern, internship=internship, note=Note("Better.", "Next.", "On data."), now=now)
    assert CheckIn.objects.get().went == "Better."
    assert may_check_in(internship, viewer=intern, now=now)

    check_in(mentor, internship=internship, note=NOTE, now=now)

    assert not may_check_in(internship, viewer=intern, now=now)
    with pytest.raises(Conflict, match="has seen"):
        check_in(intern, internship=internship, note=NOTE, now=now)
    assert Notice.objects.filter(kind="check_in.written").count() == 2
    assert check_in(intern, internship=internship, note=NOTE, now=now + WEEK).week == 4


@pytest.mark.parametrize(
    ("note", "field"),
    [(Note("", "x", ""), "went"), (Note("x", " ", ""), "following"), (Note("x", "x", "y" * 1001), "stuck")],
)
def test_a_check_in_that_says_nothing_is_refused(
    internship: Any, intern: Any, now: Any, note: Note, field: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        check_in(intern, internship=internship, note=note, now=now)
    assert refusal.value.facts["field"] == field


@pytest.mark.parametrize("who", ["peer", "other_mentor", "admin"])
def test_only_the_two_sides_write(request: pytest.FixtureRequest, internship: Any, now: Any, who: str) -> None:
    with pytest.raises(Forbidden):
        check_in(request.getfixturevalue(who), internship=internship, note=NOTE, now=now)


def test_before_the_first_day_and_after_the_end_there_is_none(internship: Any, intern: Any, now: Any) -> None:
    with pytest.raises(Conflict):
        check_in(intern, internship=internship, note=NOTE, now=now - 3 * WEEK)
    internship.state = "ended"
    with pytest.raises(Conflict):
        check_in(intern, internship=internship, note=NOTE, now=now)


def test_on_the_page_both_write_ask_and_answer(
    client_of: Any, intern: Any, mentor: Any, peer: Any, internship: Any, peer_internship: Any
) -> None:
    page = f"/internships/{internship.pk}/record/"
    ines, mira = client_of(intern), client_of(mentor)

    refused = ines.post(f"{page}check-in/", {"went": "Typed words", "following": ""})
    assert (refused.status_code, "Typed words" in refused.content.decode()) == (400, True)
    assert ines.post(f"{page}check-in/", {"went": "Secret so far", "following": "More"}).status_code == 302
    assert "Secret so far" not in mira.get(page).content.decode()
    assert mira.post(f"{page}check-in/", {"went": "Fine", "following": "Review"}).status_code == 302
    assert "Secret so far" in mira.get(page).content.decode()

    wrong = ines.post(f"{page}ask/", {"kind": "pause", "reason": "Exams and more", "until": "2026-03-01"})
    assert (wrong.status_code, "Exams and more" in wrong.content.decode()) == (400, True)
    assert ines.post(f"{page}ask/", {"kind": "pause", "reason": "Exams", "until": "2026-03-25"}).status_code == 302
    change = Change.objects.get()
    assert client_of(peer).post(f"{page}changes/{change.pk}/answer/", {"choice": "agree"}).status_code == 404
    theirs = f"/internships/{peer_internship.pk}/record/changes/{change.pk}/answer/"
    assert mira.post(theirs, {"choice": "agree"}).status_code == 404
    no_reason = mira.post(f"{page}changes/{change.pk}/answer/", {"choice": "refuse", "answer": ""})
    assert no_reason.status_code == 400
    assert mira.post(f"{page}changes/{change.pk}/answer/", {"choice": "agree"}).status_code == 302
    assert "Paused since 18 March, until 25 March 2026." in ines.get(page).content.decode()
    assert "See the pause" in ines.get("/").content.decode()
    assert ines.post(f"{page}go-on/").status_code == 302
    internship.refresh_from_db()
    assert internship.state == "active"


def test_who_hands_an_intern_over_is_led_home(
    client_of: Any, intern: Any, mentor: Any, other_mentor: Any, internship: Any
) -> None:
    page = f"/internships/{internship.pk}/record/"
    sent = {"kind": "mentor", "mentor": "otto", "reason": "Another field"}
    assert client_of(intern).post(f"{page}ask/", sent).status_code == 302
    mira = client_of(mentor)

    answer = mira.post(f"{page}changes/{Change.objects.get().pk}/answer/", {"choice": "agree"})

    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert mira.get(page).status_code == 404
    assert client_of(other_mentor).get(page).status_code == 200

"""Applications: what is sent and changed, places and the waiting list, withdrawing, declining, and what an admin reads."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import date, timedelta
from typing import Any

import pytest

from practicum.accounts.models import Notice
from practicum.audit.models import Record
from practicum.errors import Conflict, Forbidden, Invalid
from practicum.internships.application_selectors import (
    applications_matching,
    csv_of,
    open_to,
    seats_of,
    survey_of,
    waitlist_place,
)
from practicum.internships.applications import (
    TooLate,
    apply,
    decline,
    move_up,
    offer_place,
    undo_withdrawal,
    withdraw,
)
from practicum.internships.cohorts import Settings, change_cohort
from practicum.internships.models import Application, Cohort, Offer
from tests.unit.internships.conftest import ANSWERS

PAGE = "/cohorts/spring/apply/"


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch, now: Any) -> None:
    """The pages are read at ``now``."""
    monkeypatch.setattr("practicum.internships.application_views.utc_now", lambda: now)
    monkeypatch.setattr("practicum.internships.application_views.localdate", lambda: now.date())
    monkeypatch.setattr("practicum.internships.admission_views.utc_now", lambda: now)


@pytest.fixture
def sent(open_cohort: Any, applicants: list[Any], now: Any) -> list[Application]:
    """Four applications, in order."""
    return [
        apply(person, cohort=open_cohort, answers=ANSWERS, now=now + timedelta(minutes=number))
        for number, person in enumerate(applicants)
    ]


def states(sent: list[Application]) -> list[str]:
    return [Application.objects.get(pk=row.pk).state for row in sent]


def offer_all(admin: Any, sent: list[Application], *, now: Any) -> None:
    for minute, row in enumerate(sent):
        offer_place(admin, application=row, now=now + timedelta(hours=1, minutes=minute))


def typed(**changes: Any) -> dict[str, Any]:
    """The answers as a browser sends them."""
    answers = {name: value for name, value in asdict(ANSWERS).items() if name != "ranking"}
    return answers | {"rank_1": "digits"} | changes


def test_an_application_is_received_told_and_changed_until_the_deadline(
    open_cohort: Any, intern: Any, now: Any
) -> None:
    first = apply(intern, cohort=open_cohort, answers=ANSWERS, now=now)
    again = apply(intern, cohort=open_cohort, answers=replace(ANSWERS, hours_a_week=20), now=now + timedelta(days=1))

    assert (again.pk, again.hours_a_week, again.sent_at) == (first.pk, 20, now)
    assert Notice.objects.get(user=intern).subject == "Your application to Spring 2026 is here"
    verbs = list(Record.objects.filter(object_id=str(first.pk)).order_by("at").values_list("verb", flat=True))
    assert verbs == ["application.received", "application.changed"]
    with pytest.raises(TooLate):
        apply(intern, cohort=open_cohort, answers=ANSWERS, now=now + timedelta(days=2))


@pytest.mark.parametrize("who", ["mentor", "admin"])
def test_only_interns_apply(request: pytest.FixtureRequest, open_cohort: Any, now: Any, who: str) -> None:
    with pytest.raises(Forbidden):
        apply(request.getfixturevalue(who), cohort=open_cohort, answers=ANSWERS, now=now)


def test_nobody_applies_to_a_closed_cohort(cohort: Any, intern: Any, now: Any) -> None:
    with pytest.raises(TooLate):
        apply(intern, cohort=cohort, answers=ANSWERS, now=now)


def test_where_one_must_be_invited_others_can_not_apply(open_cohort: Any, intern: Any, now: Any) -> None:
    Cohort.objects.update(entry="invitation")
    open_cohort.refresh_from_db()

    with pytest.raises(Forbidden, match="invited"):
        apply(intern, cohort=open_cohort, answers=ANSWERS, now=now)
    assert not open_to(intern, today=now.date()).exists()


def test_the_same_project_is_not_chosen_twice(open_cohort: Any, intern: Any, now: Any) -> None:
    with pytest.raises(Invalid, match="once"):
        apply(intern, cohort=open_cohort, answers=replace(ANSWERS, ranking=["digits", "digits"]), now=now)


def test_places_are_given_up_to_the_capacity_and_then_the_list_begins(
    sent: list[Application], admin: Any, now: Any
) -> None:
    offer_all(admin, sent, now=now)

    assert states(sent) == ["offered", "offered", "waitlisted", "waitlisted"]
    assert [waitlist_place(Application.objects.get(pk=row.pk)) for row in sent] == [0, 0, 1, 2]
    seats = seats_of(sent[0].cohort)
    assert (seats.taken, seats.free, seats.waiting, seats.received) == (2, 0, 2, 0)
    with pytest.raises(Conflict):
        offer_place(admin, application=sent[0], now=now)


@pytest.mark.parametrize("how", ["withdraws", "is declined"])
def test_when_a_place_is_free_the_first_on_the_list_moves_up_and_is_told(
    sent: list[Application], admin: Any, now: Any, how: str
) -> None:
    offer_all(admin, sent, now=now)
    later = now + timedelta(hours=5)

    if how == "withdraws":
        withdraw(sent[0], now=later)
    else:
        decline(admin, application=sent[0], reason="No time.", now=later)

    assert states(sent)[1:] == ["offered", "offered", "waitlisted"]
    assert Notice.objects.filter(user=sent[2].applicant, subject="You have a place in Spring 2026").count() == 1
    assert move_up(sent[0].cohort, now=later) == 0


def test_more_places_move_the_list_up(sent: list[Application], admin: Any, open_cohort: Any, now: Any) -> None:
    offer_all(admin, sent, now=now)
    settings = Settings(**{name: getattr(open_cohort, name) for name in Settings.__dataclass_fields__})

    change_cohort(admin, cohort_id=open_cohort.pk, settings=replace(settings, capacity=3), now=now)
    assert states(sent) == ["offered", "offered", "offered", "waitlisted"]
    change_cohort(admin, cohort_id=open_cohort.pk, settings=replace(settings, capacity=1), now=now)
    assert states(sent) == ["offered", "offered", "offered", "waitlisted"]
    change_cohort(admin, cohort_id=open_cohort.pk, settings=replace(settings, capacity=None), now=now)
    assert states(sent) == ["offered"] * 4


def test_a_withdrawal_is_undone_until_the_deadline_and_a_place_given_away_is_gone(
    sent: list[Application], admin: Any, now: Any
) -> None:
    offer_all(admin, sent[:3], now=now)
    later = now + timedelta(hours=5)
    withdraw(sent[0], now=later)
    withdraw(sent[3], now=later)

    assert undo_withdrawal(sent[0], now=later).state == "waitlisted"
    assert undo_withdrawal(sent[3], now=later).state == "received"
    with pytest.raises(Conflict, match="not withdrawn"):
        undo_withdrawal(sent[0], now=later)
    withdraw(sent[3], now=later)
    with pytest.raises(TooLate):
        undo_withdrawal(sent[3], now=now + timedelta(days=2))


def test_what_is_withdrawn_or_declined_is_neither_withdrawn_nor_changed(
    sent: list[Application], admin: Any, open_cohort: Any, now: Any
) -> None:
    withdraw(sent[0], now=now)
    decline(admin, application=sent[1], reason="Too few hours.", now=now)

    for row in sent[:2]:
        with pytest.raises(Conflict):
            withdraw(row, now=now)
        with pytest.raises(Conflict):
            apply(row.applicant, cohort=open_cohort, answers=ANSWERS, now=now)
    with pytest.raises(Conflict):
        offer_place(admin, application=sent[0], now=now)
    assert offer_place(admin, application=sent[1], now=now).reason == ""


def test_a_reason_is_told_to_the_applicant(sent: list[Application], admin: Any, now: Any) -> None:
    decline(admin, application=sent[0], reason=" Ten hours a week are needed. ", now=now)

    assert Notice.objects.get(kind="application.declined").body == "The reason: Ten hours a week are needed."


@pytest.mark.parametrize("reason", ["", "  ", "r" * 301])
def test_nobody_is_declined_without_a_reason(sent: list[Application], admin: Any, now: Any, reason: str) -> None:
    with pytest.raises(Invalid):
        decline(admin, application=sent[0], reason=reason, now=now)
    assert states(sent)[0] == "received"


@pytest.mark.parametrize("who", ["intern", "mentor"])
def test_only_admins_answer(request: pytest.FixtureRequest, sent: list[Application], now: Any, who: str) -> None:
    actor = request.getfixturevalue(who)

    with pytest.raises(Forbidden):
        offer_place(actor, application=sent[0], now=now)
    with pytest.raises(Forbidden):
        decline(actor, application=sent[0], reason="No.", now=now)


def test_what_the_list_is_narrowed_down_to(sent: list[Application], open_cohort: Any, admin: Any, now: Any) -> None:
    Application.objects.filter(pk=sent[1].pk).update(hardware="large", prerequisites=["cuda"])
    offer_place(admin, application=sent[2], now=now)

    def found(**asked: str) -> list[int]:
        return [row.pk for row in applications_matching(open_cohort, **asked)]

    assert found() == [row.pk for row in sent]
    assert found(text="applicant 4") == [sent[3].pk]
    assert found(hardware="large") == found(prerequisite="cuda") == [sent[1].pk]
    assert found(state="offered") == [sent[2].pk]


def test_the_survey_counts_who_did_not_withdraw(sent: list[Application], open_cohort: Any, now: Any) -> None:
    Application.objects.filter(pk=sent[1].pk).update(hours_a_week=60, hardware="none", wishes=[])
    withdraw(sent[0], now=now)

    survey = survey_of(applications_matching(open_cohort))
    charts = {bars.what: {name: count for name, count, _ in bars.rows} for bars in survey}
    assert [percent for _, _, percent in survey[0].rows] == [100, 100, 0]

    assert charts["Prerequisites"]["The base of machine learning"] == 3
    assert charts["Prerequisites"]["A machine with CUDA that works"] == 0
    assert charts["Own hardware"] == {
        "None": 1,
        "A computer without a GPU for this": 0,
        "A GPU with less than 8 GB": 2,
        "A GPU with 8 to 23 GB": 0,
        "A GPU with 24 GB or more": 0,
    }
    assert charts["Hours a week"]["11 to 15"] == 2
    assert charts["Hours a week"]["31 to 60"] == 1
    assert charts["Wish to learn"]["Working with GPUs"] == 2


def test_the_csv_has_a_line_an_application_and_no_formula(sent: list[Application], open_cohort: Any) -> None:
    Application.objects.filter(pk=sent[0].pk).update(background="=HYPERLINK(1)")

    lines = csv_of(applications_matching(open_cohort), standings={}).splitlines()

    assert len(lines) == 5
    assert lines[0].startswith("name,email,state,reason,hours_a_week,has_ml,has_python,has_cuda")
    assert "'=HYPERLINK(1)" in lines[1]


def test_a_form_that_is_refused_keeps_what_was_typed(
    client_of: Any, intern: Any, open_cohort: Any, version: Any, mentor: Any
) -> None:
    for places, person in ((2, mentor),):
        Offer.objects.create(cohort=open_cohort, project=version.project, mentor=person, places=places)
    browser = client_of(intern)

    answer = browser.post(PAGE, typed(hours_a_week="90", wishes=["gpus", "tuning"], wishes_note="And <more>"))

    text = answer.content.decode()
    assert answer.status_code == 400
    assert "less than or equal to 60" in text
    for kept in ("I have trained small networks.", 'value="90"', "And &lt;more&gt;"):
        assert kept in text
    assert text.count(" checked") == 4
    assert '<option value="digits" selected>' in text
    assert browser.post(PAGE, typed()).status_code == 302
    assert Application.objects.get().ranking == ["digits"]


def test_an_application_is_sent_withdrawn_and_brought_back_by_its_page(
    client_of: Any, intern: Any, peer: Any, open_cohort: Any
) -> None:
    browser = client_of(intern)

    assert browser.post(PAGE, typed()).status_code == 302
    assert "It is here." in browser.get(PAGE).content.decode()
    assert browser.post(f"{PAGE}withdraw/").status_code == 302
    assert "You have withdrawn it." in browser.get(PAGE).content.decode()
    assert browser.post(f"{PAGE}undo/").status_code == 302
    assert Application.objects.get().state == "received"
    assert client_of(peer).post(f"{PAGE}withdraw/").status_code == 404


def test_after_the_deadline_the_page_shows_what_was_sent(
    client_of: Any, intern: Any, peer: Any, open_cohort: Any, now: Any
) -> None:
    apply(intern, cohort=open_cohort, answers=ANSWERS, now=now)
    Cohort.objects.update(apply_until=date(2026, 3, 17))

    text = client_of(intern).get(PAGE).content.decode()
    assert "I have trained small networks." in text
    assert "<textarea" not in text
    assert "You can't apply here now" in client_of(peer).get(PAGE).content.decode()


def test_an_admin_answers_on_the_page_of_an_application(
    client_of: Any, admin: Any, sent: list[Application], other_cohort: Any
) -> None:
    ada = client_of(admin)
    page = f"/cohorts/spring/applications/{sent[0].pk}/"

    assert ada.get(f"/cohorts/autumn/applications/{sent[0].pk}/").status_code == 404
    assert ada.post(f"{page}offer/").status_code == 302
    refused = ada.post(f"{page}decline/", {"reason": ""})
    assert (refused.status_code, states(sent)[0]) == (400, "offered")
    assert ada.post(f"{page}decline/", {"reason": "Full."}).status_code == 302
    assert "Full." in ada.get(page).content.decode()
    listed = ada.get("/cohorts/spring/applications/?state=declined").content.decode()
    assert ("Applicant 1" in listed, "Applicant 2" in listed) == (True, False)
    answer = ada.get("/cohorts/spring/applications.csv?q=applicant+3")
    assert answer.content.decode().count("@example.org") == 1


def test_the_home_of_who_waits_shows_applications_and_open_cohorts(
    client_of: Any, intern: Any, open_cohort: Any, monkeypatch: pytest.MonkeyPatch, now: Any
) -> None:
    monkeypatch.setattr("practicum.portal.views.localdate", lambda: now.date())
    browser = client_of(intern)

    assert "Cohorts you may apply to" in browser.get("/").content.decode()
    browser.post(PAGE, typed())
    text = browser.get("/").content.decode()
    assert "Your applications" in text
    assert "Cohorts you may apply to" not in text

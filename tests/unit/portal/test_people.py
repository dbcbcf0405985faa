"""Where admins put people in: what the forms offer, keep and ignore; what is shown once; what a list costs."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from practicum.accounts.models import User
from practicum.accounts.services import set_active
from practicum.audit.models import Record
from practicum.catalog.models import Project, ProjectVersion
from practicum.internships.models import Cohort, Internship
from practicum.internships.services import end_internship

ACCOUNT = {"name": "Nora New", "username": "nora", "email": "nora@example.org", "role": "intern"}
COHORT = {
    "name": "Summer 2026",
    "slug": "",
    "starts_on": "2026-06-01",
    "ends_on": "2026-07-26",
    "idle_minutes": "45",
    "is_idle_kept": "no",
    "session_hours": "12",
}
PASSWORD = re.compile(r"data-one-time-password>([a-z2-9-]+)<")


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch, now: Any) -> None:
    """The pages are read at ``now``."""
    for module in ("views", "people"):
        monkeypatch.setattr(f"practicum.portal.{module}.utc_now", lambda: now)
        monkeypatch.setattr(f"practicum.portal.{module}.localdate", lambda: now.date())


@pytest.fixture
def ada(client_of: Any, admin: Any) -> Client:
    """A browser in which the admin is signed in."""
    client: Client = client_of(admin)
    return client


def page(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return response.content.decode()


def options(client: Client, path: str, *, field: str) -> list[str]:
    """The values a select of the page offers, without its empty one."""
    choices = client.get(path).context["form"].fields[field].choices
    return [str(value) for value, _ in choices if str(value)]


def queries_of(client: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        page(client, path)
    return len(queries)


def crowd(*, count: int) -> None:
    """``count`` more accounts of interns."""
    first = User.objects.count()
    User.objects.bulk_create(
        User(username=f"more-{index}", email=f"more-{index}@example.org", name=f"More {index:03}")
        for index in range(first, first + count)
    )


def test_the_people_page_leads_to_accounts_cohorts_and_internships(ada: Client, cohort: Any, intern: Any) -> None:
    text = page(ada, "/people/")

    for link in ("accounts/", "cohorts/new/", "internships/new/?cohort=spring", "internships/new/?intern=ines"):
        assert f'href="/people/{link}"' in text


def test_a_new_lab_is_told_what_to_make_first(ada: Client) -> None:
    assert "Make the first cohort" in page(ada, "/people/")

    text = page(ada, "/people/internships/new/")
    for told in ("No intern is without", "no mentor yet", "No cohort is in progress", "No project is published"):
        assert told in text


def test_a_new_account_s_password_is_shown_once(ada: Client) -> None:
    answer = ada.post("/people/accounts/new/", ACCOUNT)

    (password,) = PASSWORD.findall(answer.content.decode())
    assert answer.status_code == 200
    assert "no-store" in answer.headers["Cache-Control"]
    assert User.objects.get(username="nora").check_password(password)
    assert password not in page(ada, "/people/accounts/") + page(ada, "/people/") + str(dict(ada.session))


@pytest.mark.parametrize(
    ("changes", "status", "told"),
    [
        ({"username": "Nora N"}, 400, "Use 2 to 31 lower-case letters, digits and hyphens."),
        ({"username": "ada"}, 409, "There is an account called ada already."),
        ({"email": "ADA@example.org"}, 409, "Another account has this address."),
        ({"email": "nora"}, 400, "Enter a valid email address."),
        ({"role": "owner"}, 400, "Select a valid choice."),
        ({"name": ""}, 400, "This field is required."),
    ],
)
def test_an_account_that_is_refused_keeps_what_was_typed(ada: Client, changes: Any, status: int, told: str) -> None:
    sent = ACCOUNT | changes

    answer = ada.post("/people/accounts/new/", sent)

    text = answer.content.decode()
    assert (answer.status_code, User.objects.count()) == (status, 1)
    assert told in text
    for name in ("name", "username", "email"):
        assert not sent[name] or f'value="{sent[name]}"' in text


def test_fields_nobody_asked_for_are_ignored(ada: Client, cohort: Any) -> None:
    extra = {"is_superuser": "on", "is_staff": "on", "is_active": "", "password": "mine", "id": "99", "actor": "1"}
    ada.post("/people/accounts/new/", ACCOUNT | extra)
    ada.post("/people/cohorts/new/", COHORT | {"id": str(cohort.pk), "pk": str(cohort.pk)})

    nora = User.objects.get(username="nora")
    assert (nora.is_superuser, nora.is_staff, nora.is_active) == (False, False, True)
    assert nora.pk != 99
    assert not nora.check_password("mine")
    assert Cohort.objects.get(slug="summer-2026").pk != cohort.pk


def test_a_new_password_is_shown_once_and_shuts_the_old_one_out(ada: Client, intern: Any) -> None:
    answer = ada.post(f"/people/accounts/{intern.pk}/reset/")

    (password,) = PASSWORD.findall(answer.content.decode())
    intern.refresh_from_db()
    assert intern.check_password(password)


@pytest.mark.parametrize("verb", ["reset", "active"])
def test_an_account_that_is_not_there_is_not_found(ada: Client, verb: str) -> None:
    assert ada.post(f"/people/accounts/999999/{verb}/", {"active": "off"}).status_code == 404


def test_switching_off_and_on_goes_back_to_the_list_as_it_was(ada: Client, intern: Any) -> None:
    address = f"/people/accounts/{intern.pk}/active/?q=ines&role=intern&page=2&next=https://evil.example/"

    for choice in ("off", "on"):
        answer = ada.post(address, {"active": choice})

        intern.refresh_from_db()
        assert intern.is_active is (choice == "on")
        assert answer.headers["Location"] == "/people/accounts/?q=ines&role=intern&page=2"


@pytest.mark.parametrize(("choice", "status"), [("maybe", 400), ("", 400), ("off", 409)])
def test_one_s_own_account_stays_on(ada: Client, admin: Any, choice: str, status: int) -> None:
    assert ada.post(f"/people/accounts/{admin.pk}/active/", {"active": choice}).status_code == status
    assert User.objects.get(pk=admin.pk).is_active
    assert "/active/" not in page(ada, "/people/accounts/?q=ada")


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", {"Ada Admin", "Ines Intern", "Mira Mentor", "Paul Peer"}),
        ("?q=ines", {"Ines Intern"}),
        ("?role=intern", {"Ines Intern", "Paul Peer"}),
        ("?role=intern&state=off", {"Paul Peer"}),
        ("?state=on", {"Ada Admin", "Ines Intern", "Mira Mentor"}),
        ("?role=owner&state=maybe&page=x", {"Ada Admin", "Ines Intern", "Mira Mentor", "Paul Peer"}),
        ("?q=" + "x" * 101, {"Ada Admin", "Ines Intern", "Mira Mentor", "Paul Peer"}),
        ("?q=nobody", set()),
    ],
)
def test_the_list_is_narrowed_down(
    ada: Client, admin: Any, intern: Any, mentor: Any, peer: Any, now: Any, query: str, shown: set[str]
) -> None:
    set_active(admin, user=peer, active=False, now=now)

    response = ada.get(f"/people/accounts/{query}")

    assert {person.name for person in response.context["page"]} == shown
    assert ("No account matches" in response.content.decode()) is (not shown)


def test_accounts_come_fifty_at_a_time_and_pages_keep_the_search(ada: Client) -> None:
    crowd(count=55)

    text = page(ada, "/people/accounts/?q=more&role=intern")

    assert "1 to 50 of 55" in text
    assert "?q=more&amp;role=intern&amp;page=2" in text


def test_lists_cost_the_same_for_many(ada: Client, mentor: Any, cohort: Any, version: Any) -> None:
    crowd(count=2)
    paths = ("/people/accounts/", "/people/internships/new/", "/people/")
    few = [queries_of(ada, path) for path in paths]
    crowd(count=40)

    assert [queries_of(ada, path) for path in paths] == few


def test_a_cohort_gets_its_short_name_from_its_name(ada: Client) -> None:
    answer = ada.post("/people/cohorts/new/", COHORT)

    assert answer.headers["Location"] == "/people/?cohort=summer-2026"
    made = Cohort.objects.get()
    assert (made.name, made.idle_minutes, made.is_idle_kept) == ("Summer 2026", 45, False)


@pytest.mark.parametrize(
    ("changes", "status", "told"),
    [
        ({"ends_on": "2026-05-01"}, 400, "The cohort must end after it begins."),
        ({"ends_on": "soon"}, 400, "Enter a valid date."),
        ({"slug": "spring"}, 409, "There is a cohort with the short name spring already."),
        ({"slug": "a b"}, 400, "Enter a valid “slug”"),
        ({"name": "夏"}, 400, "Choose a short name of letters and digits"),
        ({"idle_minutes": "1"}, 400, "greater than or equal to 5"),
        ({"session_hours": ""}, 400, "This field is required."),
    ],
)
def test_a_cohort_that_is_refused_keeps_what_was_typed(
    ada: Client, cohort: Any, changes: Any, status: int, told: str
) -> None:
    sent = COHORT | changes

    answer = ada.post("/people/cohorts/new/", sent)

    text = answer.content.decode()
    assert (answer.status_code, Cohort.objects.count()) == (status, 1)
    assert told in text
    assert '<option value="no" selected>' in text
    for value in sent.values():
        assert not value or f'value="{value}"' in text


@pytest.fixture
def choices(
    internship: Any, peer: Any, stranger: Any, other_mentor: Any, cohort: Any, version: Any, now: Any, admin: Any
) -> dict[str, str]:
    """An internship that may begin, beside things that may not be chosen: each of them exists."""
    User.objects.filter(pk__in=(stranger.pk, other_mentor.pk)).update(is_active=False)
    Cohort.objects.create(
        slug="past", name="Past", starts_on=now - timedelta(days=90), ends_on=(now - timedelta(days=1)).date()
    )
    newest = ProjectVersion.objects.create(
        project=version.project,
        number=2,
        digest="e" * 64,
        manifest=version.manifest,
        mode="toy",
        image=version.image,
        published_at=now,
        published_by=admin,
    )
    return {"intern": "paul", "mentor": "mira", "cohort": "spring", "version": str(newest.pk)}


def test_an_internship_begins_with_the_latest_version(ada: Client, choices: dict[str, str]) -> None:
    answer = ada.post("/people/internships/new/", choices)

    begun = Internship.objects.get(intern__username="paul")
    assert answer.headers["Location"] == f"/internships/{begun.pk}/"
    assert (begun.mentor.username, begun.cohort.slug, begun.version.number) == ("mira", "spring", 2)
    assert begun.milestones.count() == 2
    assert Record.objects.get(verb="internship.started", object_id=str(begun.pk)).actor is not None


def test_a_select_lists_only_what_may_be_chosen(ada: Client, choices: dict[str, str]) -> None:
    for field, value in choices.items():
        assert options(ada, "/people/internships/new/", field=field) == [value]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("intern", "ines"),
        ("intern", "stan"),
        ("intern", "mira"),
        ("intern", "nobody"),
        ("mentor", "otto"),
        ("mentor", "paul"),
        ("cohort", "past"),
        ("version", "old"),
        ("version", "x"),
        ("version", ""),
    ],
)
def test_what_is_not_listed_is_not_taken(
    ada: Client, choices: dict[str, str], version: Any, field: str, value: str
) -> None:
    sent = choices | {field: str(version.pk) if value == "old" else value}

    answer = ada.post("/people/internships/new/", sent)

    assert answer.status_code == 400
    assert list(answer.context["form"].errors) == [field]
    assert Internship.objects.count() == 1
    for name, kept in choices.items():
        assert name == field or f'<option value="{kept}" selected>' in answer.content.decode()


def test_a_link_chooses_intern_and_cohort_beforehand(ada: Client, choices: dict[str, str]) -> None:
    text = page(ada, "/people/internships/new/?intern=paul&cohort=spring")

    assert '<option value="paul" selected>Paul Peer (paul)</option>' in text
    assert '<option value="spring" selected>' in text


def test_two_projects_are_told_apart(ada: Client, choices: dict[str, str], version: Any, admin: Any, now: Any) -> None:
    other = Project.objects.create(slug="words", title="Words", question="Which?")
    ProjectVersion.objects.create(
        project=other, number=1, digest="f" * 64, manifest=version.manifest, mode="full", image="i",
        published_at=now, published_by=admin,
    )  # fmt: skip

    text = page(ada, "/people/internships/new/")

    assert "Digits, version 2, toy data (no download)" in text
    assert "Words, version 1, full data" in text


@pytest.mark.parametrize(("who", "offers"), [("admin", True), ("mentor", False), ("intern", False)])
def test_only_admins_are_offered_to_end_an_internship(
    request: pytest.FixtureRequest, client_of: Any, internship: Any, who: str, offers: bool
) -> None:
    text = page(client_of(request.getfixturevalue(who)), f"/internships/{internship.pk}/")

    assert (f"/internships/{internship.pk}/end/" in text) is offers
    assert (f"/internships/{internship.pk}/mentor/" in text) is offers


def test_an_admin_ends_an_internship(ada: Client, internship: Any) -> None:
    answer = ada.post(
        f"/internships/{internship.pk}/end/", {"reason": "Moved away.", "state": "completed"}, follow=True
    )

    internship.refresh_from_db()
    assert internship.state == "ended"
    assert "The internship of Ines Intern is ended." in answer.content.decode()
    assert "/end/" not in answer.content.decode()
    assert Record.objects.get(verb="internship.ended").facts == {"reason": "Moved away."}


@pytest.mark.parametrize("reason", ["", " ", "r" * 301])
def test_without_a_reason_the_page_comes_back(ada: Client, internship: Any, reason: str) -> None:
    answer = ada.post(f"/internships/{internship.pk}/end/", {"reason": reason})

    assert answer.status_code == 400
    assert answer.context["end_form"].errors
    assert "Ines Intern" in answer.content.decode()
    assert Internship.objects.get().state == "active"


def test_an_internship_that_ended_meanwhile_is_told(ada: Client, internship: Any, admin: Any, now: Any) -> None:
    end_internship(internship, reason="Moved away.", actor=admin, now=now)

    for verb, sent in (("end", {"reason": "Again."}), ("mentor", {"mentor": "otto"})):
        User.objects.get_or_create(
            username="otto", defaults={"role": "mentor", "name": "Otto", "email": "o@example.org"}
        )
        answer = ada.post(f"/internships/{internship.pk}/{verb}/", sent)
        assert answer.status_code == 409
        assert "ended" in answer.content.decode()


def test_an_admin_changes_the_mentor(ada: Client, internship: Any, other_mentor: Any) -> None:
    answer = ada.post(f"/internships/{internship.pk}/mentor/", {"mentor": "otto"}, follow=True)

    internship.refresh_from_db()
    assert internship.mentor == other_mentor
    assert "Otto Other is the mentor of Ines Intern now." in answer.content.decode()


@pytest.mark.parametrize("name", ["mira", "ines", "ada", "otto", ""])
def test_only_another_active_mentor_can_be_chosen(ada: Client, internship: Any, other_mentor: Any, name: str) -> None:
    User.objects.filter(pk=other_mentor.pk).update(is_active=False)

    answer = ada.post(f"/internships/{internship.pk}/mentor/", {"mentor": name})

    assert answer.status_code == 400
    assert answer.context["mentor_form"].errors
    assert Internship.objects.get().mentor.username == "mira"

"""A deletion: asked for, taken back or carried out, once, wherever a worker dies."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session as BrowserSession

from practicum.accounts.models import Notice, User
from practicum.accounts.services import reset_password, set_active
from practicum.audit.models import Record
from practicum.credentials.models import Certificate, SignedDocument
from practicum.credentials.selectors import certificate_of, certificates_visible_to
from practicum.credentials.tasks import without_certificate
from practicum.engine.memory import MemoryEngine
from practicum.errors import Conflict, Forbidden, Invalid
from practicum.evaluation.models import Run, Score
from practicum.evaluation.services import queue_run
from practicum.internships.models import Application, Change, Internship, Offer
from practicum.internships.services import complete_internship
from practicum.persons import erasing, selectors, services, tasks
from practicum.persons.models import Deletion
from practicum.persons.register import GONE
from practicum.persons.services import GRACE, StillNeeded, ask, take_back
from practicum.reviews import rendering
from practicum.reviews.models import Comment, Review
from practicum.submissions.models import Submission
from practicum.workspaces.hub import HubRefused, HubServer, MemoryHub
from practicum.workspaces.models import Session, Snapshot
from tests.conftest import make_user
from tests.unit.persons.conftest import SECRET, Life, everything


def wish(person: Any, *, now: Any, actor: Any = None, keeps: bool = False) -> Deletion:
    """The person, or somebody for them, asks for the deletion."""
    return ask(actor or person, person=person, username=person.username, keeps_certificates=keeps, now=now)


# Asking


def test_it_is_confirmed_by_the_username_and_told(intern: Any, now: Any) -> None:
    with pytest.raises(Invalid):
        ask(intern, person=intern, username="Ines", keeps_certificates=False, now=now)
    assert not Deletion.objects.exists()

    deletion = wish(intern, now=now)

    assert deletion.due_at == now + timedelta(days=7)
    assert Notice.objects.get(user=intern).subject == "Your data are deleted on 25 March 2026"
    assert Record.objects.get(verb="account.deletion_asked").object_id == str(intern.pk)
    with pytest.raises(Conflict):
        wish(intern, now=now)


def test_nobody_but_the_person_and_admins_asks_for_it(intern: Any, mentor: Any, admin: Any, now: Any) -> None:
    with pytest.raises(Forbidden):
        wish(intern, now=now, actor=mentor)
    assert wish(intern, now=now, actor=admin).asked_by == admin
    with pytest.raises(Forbidden):
        take_back(mentor, person=intern, now=now)


def test_the_last_admin_stays(admin: Any, now: Any) -> None:
    with pytest.raises(StillNeeded, match="last admin"):
        wish(admin, now=now)
    make_user("adam", role="admin", name="Adam Second")
    assert wish(admin, now=now).is_open


def test_a_mentor_hands_their_interns_over_first(internship: Any, mentor: Any, now: Any) -> None:
    with pytest.raises(StillNeeded, match="Ines Intern"):
        wish(mentor, now=now)
    complete_internship(internship, actor=mentor, now=now)
    assert wish(mentor, now=now).is_open


def test_taken_back_nothing_happens(life: Life, now: Any) -> None:
    wish(life.intern, now=now)
    before = everything()
    take_back(life.intern, person=life.intern, now=now + timedelta(days=6))

    assert not life.delete(now + GRACE)
    assert before.count(SECRET) == everything().count(SECRET)
    with pytest.raises(Conflict):
        take_back(life.intern, person=life.intern, now=now)
    assert wish(life.intern, now=now).is_open


def test_until_it_is_due_nothing_happens(life: Life, now: Any) -> None:
    wish(life.intern, now=now)
    assert not life.delete(now + GRACE - timedelta(seconds=1))
    life.intern.refresh_from_db()
    assert life.intern.is_active


def test_once_it_has_begun_it_can_not_be_taken_back(life: Life, now: Any) -> None:
    wish(life.intern, now=now)
    Session.objects.update(state="running")
    assert not life.delete(now + GRACE)
    with pytest.raises(Conflict):
        take_back(life.intern, person=life.intern, now=now + GRACE)


# Carrying out


def test_nothing_of_the_person_is_left(life: Life, files: Callable[[], str], now: Any) -> None:
    assert rendering.render_notebook(life.submission, now=now).is_ok
    assert everything().count(SECRET) > 30
    assert files().count(SECRET) > 5
    wish(life.intern, now=now)

    assert life.delete(now + GRACE)

    left = everything() + files()
    for gone in (SECRET, "Ines Intern", "ines@example.org", '"ines"'):
        assert gone.lower() not in left.lower(), gone
    person = User.objects.get(pk=life.intern.pk)
    number = person.pk
    assert (person.username, person.name) == (f"former-intern-{number}", f"Former intern {number}")
    assert person.email == f"former-intern-{number}@deleted.invalid"
    assert not person.is_active
    assert not person.has_usable_password()
    assert person.uuid != life.intern.uuid
    assert life.engine.volumes == {}
    assert ("forget", "ines") in life.hub.calls
    assert Deletion.objects.get().state == "done"
    assert Record.objects.filter(verb="account.deleted", object_id=str(number)).count() == 1


def test_no_browser_is_signed_in_any_more(life: Life, client_of: Any, now: Any) -> None:
    client_of(life.intern)
    assert BrowserSession.objects.exists()
    wish(life.intern, now=now)
    life.delete(now + GRACE)
    assert not BrowserSession.objects.exists()


def test_what_others_rely_on_is_still_there(life: Life, now: Any) -> None:
    verbs = list(Record.objects.order_by("pk").values_list("verb", "actor", "object_id"))
    wish(life.intern, now=now)
    life.delete(now + GRACE)

    assert Score.objects.get(run__submission=life.submission).value == 0.9
    assert Review.objects.get(submission=life.submission).rubric == {"method": 3}
    assert Change.objects.get().until == now.date()
    assert Application.objects.get().state == "placed"
    assert Internship.objects.get(pk=life.internship.pk).state == "ended"
    kept = list(Record.objects.order_by("pk").values_list("verb", "actor", "object_id"))
    assert kept[: len(verbs)] == verbs
    assert set(Comment.objects.filter(submission=life.submission).values_list("body", flat=True)) == {GONE}
    others = Comment.objects.get(submission__internship__intern__username="paul")
    assert others.body == f"As Former intern {life.intern.pk} did, and not else."
    assert Submission.objects.get(pk=life.submission.pk).digest == life.submission.digest


def test_files_that_somebody_else_handed_in_too_stay(life: Life, peer_internship: Any, hand_in: Any, now: Any) -> None:
    same = hand_in(peer_internship, number=2)
    Submission.objects.filter(pk=same.pk).update(digest=life.submission.digest)
    wish(life.intern, now=now)
    life.delete(now + GRACE)
    assert life.submission.folder.is_dir()


def test_a_running_notebook_is_stopped_first(life: Life, now: Any) -> None:
    Session.objects.update(state="running")
    wish(life.intern, now=now)

    assert not life.delete(now + GRACE)

    deletion, person = Deletion.objects.get(), User.objects.get(pk=life.intern.pk)
    assert (deletion.state, deletion.waits_for) == ("underway", "The notebook is being stopped.")
    assert not person.is_active  # which is what the worker stops it for
    assert life.submission.folder.is_dir()
    Session.objects.update(state="stopped")
    assert not life.delete(now + GRACE + timedelta(seconds=1))
    assert life.delete(now + GRACE + tasks.LOOK_AGAIN)


def test_an_evaluation_that_is_in_line_is_taken_back(life: Life, now: Any) -> None:
    queue_run(life.submission, requested_by=None, now=now)
    wish(life.intern, now=now)
    assert life.delete(now + GRACE)
    assert Run.objects.get(submission=life.submission, attempt=2).state == "cancelled"


def test_a_hub_that_refuses_is_asked_again(life: Life, now: Any) -> None:
    life.hub.servers["ines"], life.hub.stops_slowly = HubServer(ready=True), True
    wish(life.intern, now=now)
    with pytest.raises(HubRefused, match="stopping"):
        life.delete(now + GRACE)
    assert "stopping" in Deletion.objects.get().waits_for
    life.hub.stops_slowly = False
    assert life.delete(now + GRACE + tasks.LOOK_AGAIN)


def test_the_last_admin_by_then_is_held(admin: Any, engine: MemoryEngine, hub: MemoryHub, now: Any) -> None:
    second = make_user("adam", role="admin", name="Adam Second")
    wish(admin, now=now)
    wish(second, now=now + timedelta(hours=1))

    assert tasks.delete_due(now + GRACE, engine=engine, hub=hub)
    assert not tasks.delete_due(now + GRACE + timedelta(hours=2), engine=engine, hub=hub)
    assert "last admin" in Deletion.objects.get(user=second).waits_for
    second.refresh_from_db()
    assert second.is_active


STEPS = [step.__name__ for step in erasing.STEPS]


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_worker_that_dies_anywhere_leaves_it_to_the_next(
    life: Life, files: Callable[[], str], now: Any, monkeypatch: pytest.MonkeyPatch, step: str, when: str
) -> None:
    def dying(real: Callable[..., None]) -> Callable[..., None]:
        def run(erasure: Any) -> None:
            if when == "after":
                real(erasure)
            raise KeyboardInterrupt

        return run

    broken = [dying(one) if one.__name__ == step else one for one in erasing.STEPS]
    wish(life.intern, now=now)
    with monkeypatch.context() as patch:
        patch.setattr(erasing, "STEPS", broken)
        with pytest.raises(KeyboardInterrupt):
            life.delete(now + GRACE)

    assert not life.delete(now + GRACE + timedelta(minutes=1))
    again = now + GRACE + tasks.CLAIM_HOLDS
    is_done = Deletion.objects.get().state == "done"
    assert is_done == ((step, when) == (STEPS[-1], "after"))
    assert life.delete(again) == (not is_done)
    left = everything() + files()
    assert SECRET not in left
    assert "ines intern" not in left.lower()
    assert Record.objects.filter(verb="account.deleted").count() == 1
    assert Record.objects.filter(verb="account.deletion_begun").count() == 1


def test_two_workers_carry_it_out_once(life: Life, now: Any) -> None:
    wish(life.intern, now=now)
    assert tasks.claim(now + GRACE) is not None
    assert tasks.claim(now + GRACE) is None


def test_what_waits_elsewhere_is_free_again(life: Life, other_cohort: Any, now: Any) -> None:
    application = Application.objects.create(
        cohort=other_cohort, applicant=life.intern, background="x", hours_a_week=8, hardware="none", state="offered",
        sent_at=now, changed_at=now,
    )  # fmt: skip
    wish(life.intern, now=now)
    life.delete(now + GRACE)
    application.refresh_from_db()
    assert (application.state, application.background) == ("withdrawn", "")


def test_a_readiness_check_that_goes_on_ends(life: Life, now: Any) -> None:
    Internship.objects.filter(intern=life.intern).update(state="ended")
    Internship.with_checks.filter(purpose="readiness").update(state="active")
    wish(life.intern, now=now)
    life.delete(now + GRACE)
    assert Internship.with_checks.get(purpose="readiness").state == "ended"


def test_a_deleted_account_opens_never_again(life: Life, admin: Any, now: Any) -> None:
    wish(life.intern, now=now)
    life.delete(now + GRACE)
    person = User.objects.get(pk=life.intern.pk)
    for again in (
        lambda: set_active(admin, user=person, active=True, now=now),
        lambda: reset_password(admin, user=person, now=now),
        lambda: wish(person, actor=admin, now=now),
    ):
        with pytest.raises(Conflict, match="deleted"):
            again()


# Mentors


def test_a_mentor_leaves_decisions_and_takes_words(
    internship: Any, mentor: Any, hand_in: Any, engine: MemoryEngine, hub: MemoryHub, now: Any
) -> None:
    submission = hand_in(internship, number=1, value=0.9)
    Review.objects.create(
        submission=submission, mentor=mentor, state="accepted", rubric={"method": 4}, summary="Well done.",
        opened_at=now, decided_at=now,
    )  # fmt: skip
    Comment.objects.create(submission=submission, author=mentor, body="Why?", written_at=now)
    Offer.objects.create(cohort=internship.cohort, project=internship.version.project, mentor=mentor, places=2)
    complete_internship(internship, actor=mentor, now=now)
    wish(mentor, now=now)

    assert tasks.delete_due(now + GRACE, engine=engine, hub=hub)

    review = Review.objects.select_related("mentor").get()
    assert (review.rubric, review.summary, review.mentor.name) == (
        {"method": 4},
        "Well done.",
        f"Former mentor {mentor.pk}",
    )
    assert Comment.objects.get().body == GONE
    assert not Offer.objects.exists()


# Certificates


def test_a_certificate_is_revoked_and_says_nothing(
    completed: Any,
    issue: Any,
    engine: MemoryEngine,
    hub: MemoryHub,
    admin: Any,
    accepted: Any,
    client_of: Any,
    now: Any,
) -> None:
    certificate = issue(completed, now=now)
    assert certificate.state == "issued"
    wish(completed.intern, now=now)

    assert tasks.delete_due(now + GRACE, engine=engine, hub=hub)

    certificate.refresh_from_db()
    assert (certificate.state, certificate.facts, certificate.visibility) == ("revoked", {}, "private")
    assert not SignedDocument.objects.exists()
    assert not accepted.folder.exists()
    assert certificate_of(completed.pk) is None
    assert not certificates_visible_to(admin).exists()
    client = client_of(admin)
    assert client.get(f"/certificates/{certificate.pk}/").status_code == 404
    for page in (
        "/certificates/",
        f"/internships/{completed.pk}/",
        f"/submissions/{accepted.pk}/",
        "/people/accounts/",
    ):
        assert client.get(page).status_code == 200, page


def test_a_certificate_that_is_kept_keeps_its_name_and_its_work(
    completed: Any, issue: Any, engine: MemoryEngine, hub: MemoryHub, accepted: Any, now: Any
) -> None:
    certificate = issue(completed, now=now)
    Certificate.objects.update(visibility="listed")
    facts = Certificate.objects.get().facts
    wish(completed.intern, now=now, keeps=True)

    assert tasks.delete_due(now + GRACE, engine=engine, hub=hub)

    certificate.refresh_from_db()
    assert (certificate.state, certificate.visibility, certificate.facts) == ("issued", "link", facts)
    assert certificate.facts["intern"] == "Ines Intern"
    assert SignedDocument.objects.exists()
    assert accepted.folder.is_dir()
    assert Submission.objects.get(pk=accepted.pk).files
    assert Submission.objects.exclude(pk=accepted.pk).filter(internship=completed).get().files == []


def test_none_is_begun_for_whose_data_are_deleted(
    completed: Any, engine: MemoryEngine, hub: MemoryHub, now: Any
) -> None:
    assert without_certificate() == [completed]
    wish(completed.intern, now=now)
    tasks.delete_due(now + GRACE, engine=engine, hub=hub)
    assert without_certificate() == []


# What the page says beforehand


def test_the_page_counts_what_the_deletion_touches(life: Life) -> None:
    told = {fate.told: fate.count for _, rows in selectors.fates_of(life.intern) for fate in rows}
    assert told["Comments written"] == 1
    assert told["Snapshots of files, with the archives"] == Snapshot.objects.count() == 1
    assert told["Scores"] == 1
    assert "Minutes at the desk" not in told


def test_the_page_of_what_is_kept_is_there_afterwards(life: Life, admin: Any, client_of: Any, now: Any) -> None:
    wish(life.intern, now=now)
    life.delete(now + GRACE)
    page = client_of(admin).get(f"/people/accounts/{life.intern.pk}/data/")
    assert page.status_code == 200
    assert "What is kept" in page.content.decode()
    assert services.open_deletion_of(life.intern) is None

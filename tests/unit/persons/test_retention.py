"""Files of a cohort that is over are kept for as long as an admin set, told of ahead, and then gone; what counts stays."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.urls import reverse

from practicum.accounts.models import Notice
from practicum.audit.models import Record
from practicum.credentials.models import Certificate
from practicum.errors import Forbidden
from practicum.evaluation.models import Run, RunEvent, Score
from practicum.internships.models import Cohort, Internship
from practicum.lib import backups
from practicum.persons import retention
from practicum.persons.models import Part, Removal, Retention
from practicum.persons.retention_rules import AHEAD, PROPOSED, Step, due_on, step
from practicum.submissions.models import Submission
from practicum.workspaces.archives import home_volume
from practicum.workspaces.models import Session, SessionEvent, Snapshot
from tests.tools import guide
from tests.unit.persons.conftest import Life

ALL = {"homes": 30, "snapshots": 30, "submissions": 30, "logs": 30}
DUE = datetime(2026, 3, 18).date()
MORNING = datetime(2026, 3, 18, 6, 0)


@pytest.fixture
def over(life: Life, now: Any) -> Life:
    """The cohort was over yesterday."""
    Internship.objects.update(state="completed")
    Cohort.objects.filter(pk=life.internship.cohort_id).update(ends_on=now.date() - timedelta(days=1))
    life.internship.cohort.refresh_from_db()
    return life


def keep_for(over: Life, admin: Any, *, now: Any, **days: int | None) -> Retention:
    """Set, with nothing removed that is not named."""
    found = dict.fromkeys(ALL, None) | days
    return retention.set_days(admin, cohort=over.internship.cohort, days=found, now=now)


def work(over: Life, *, at: Any) -> None:
    """The worker looks until there is nothing to do."""
    for _ in range(12):
        if not retention.step_all(at, engine=over.engine):
            return
    raise AssertionError("it never ends")


# The rules


@pytest.mark.parametrize(
    ("due", "told", "done", "now", "expected"),
    [
        (None, None, False, MORNING, Step.NOTHING),
        (DUE + timedelta(days=15), None, False, MORNING, Step.NOTHING),
        (DUE + timedelta(days=14), None, False, MORNING, Step.TELL),
        (DUE - timedelta(days=300), None, False, MORNING, Step.TELL),
        (DUE, MORNING - AHEAD, False, MORNING, Step.REMOVE),
        (DUE, MORNING - AHEAD + timedelta(seconds=1), False, MORNING, Step.NOTHING),
        (DUE + timedelta(days=1), MORNING - AHEAD, False, MORNING, Step.NOTHING),
        (DUE, MORNING - AHEAD, True, MORNING, Step.NOTHING),
    ],
)
def test_it_is_told_two_weeks_ahead_and_never_removed_before(
    due: date | None, told: datetime | None, done: bool, now: datetime, expected: Step
) -> None:
    assert step(due=due, told_at=told, is_done=done, now=now) == expected


def test_days_count_from_the_end_and_none_means_for_good() -> None:
    assert due_on(ended_on=DUE, days=30) == DUE + timedelta(days=30)
    assert due_on(ended_on=DUE, days=None) is None


# What happens


def test_without_a_setting_everything_is_kept(over: Life, now: Any) -> None:
    work(over, at=now + timedelta(days=4000))
    assert not Removal.objects.exists()
    assert over.snapshot.path.is_file()


def test_all_of_it_is_told_of_then_removed_and_on_record_while_what_counts_stays(
    over: Life, admin: Any, now: Any
) -> None:
    keep_for(over, admin, now=now, **ALL)
    work(over, at=now + timedelta(days=14))
    assert not Removal.objects.exists(), "a day too early"

    ahead = now + timedelta(days=15)
    work(over, at=ahead)
    assert set(Removal.objects.values_list("part", flat=True)) == set(ALL)
    told = Notice.objects.filter(user=over.intern, kind="retention.ahead")
    assert "16 April 2026" in told.first().body  # type: ignore[union-attr]
    assert told.count() == 3
    assert Notice.objects.filter(user=admin, kind="retention.ahead").count() == 3
    assert over.snapshot.path.is_file()

    work(over, at=ahead + AHEAD)
    assert home_volume("ines") not in over.engine.volumes
    assert not Snapshot.objects.exists()
    assert not over.snapshot.path.exists()
    assert not over.submission.folder.exists()
    over.submission.refresh_from_db()
    assert (over.submission.files, over.submission.notebook) == ([], "")
    assert not RunEvent.objects.exists()
    assert not SessionEvent.objects.exists()
    assert not Run.objects.exclude(log_tail="").exists()
    assert Score.objects.count() == 2, "scores stay, and so do reviews and sessions"
    assert Session.objects.filter(user=over.intern).exists()
    removed = Record.objects.filter(verb="retention.removed").values_list("facts__part", "facts__count")
    assert dict(removed) == {"homes": 2, "snapshots": 1, "submissions": 2, "logs": 1}
    assert not retention.step_all(ahead + timedelta(days=400), engine=over.engine), "once"


def test_what_is_set_long_after_the_end_is_told_of_two_weeks_ahead_all_the_same(
    over: Life, admin: Any, now: Any
) -> None:
    late = now + timedelta(days=365)
    keep_for(over, admin, now=late, snapshots=30)
    work(over, at=late)
    assert Removal.objects.get().due_on == late.date()
    work(over, at=late + AHEAD - timedelta(seconds=1))
    assert over.snapshot.path.is_file()
    work(over, at=late + AHEAD)
    assert not over.snapshot.path.exists()


def test_while_an_internship_goes_on_nothing_is_due(over: Life, admin: Any, now: Any) -> None:
    Internship.objects.filter(pk=over.internship.pk).update(state="active")
    keep_for(over, admin, now=now, **ALL)
    work(over, at=now + timedelta(days=500))
    assert not Removal.objects.exists()


def test_an_extension_moves_the_end(over: Life, now: Any) -> None:
    longer = now.date() + timedelta(days=40)
    Internship.objects.filter(pk=over.internship.pk).update(ends_on=longer)
    assert retention.ended_on(over.internship.cohort) == longer


def test_more_days_take_back_what_was_told(over: Life, admin: Any, now: Any) -> None:
    keep_for(over, admin, now=now, snapshots=30)
    work(over, at=now + timedelta(days=20))
    assert Removal.objects.exists()
    keep_for(over, admin, now=now, snapshots=300)
    work(over, at=now + timedelta(days=60))
    assert not Removal.objects.exists()
    assert over.snapshot.path.is_file()


def test_a_home_stays_for_an_intern_who_is_in_another_cohort(over: Life, admin: Any, mentor: Any, now: Any) -> None:
    other = Cohort.objects.create(
        slug="next", name="Next", starts_on=now.date(), ends_on=now.date() + timedelta(days=90)
    )
    version = over.internship.version
    Internship.objects.create(intern=over.intern, mentor=mentor, cohort=other, version=version, started_on=now.date())
    keep_for(over, admin, now=now, homes=30)
    work(over, at=now + timedelta(days=20))
    work(over, at=now + timedelta(days=60))
    assert home_volume("ines") in over.engine.volumes
    assert Removal.objects.get(part="homes").count == 1, "only the peer's went"


def test_an_open_notebook_holds_it_up_and_the_page_says_so(over: Life, admin: Any, now: Any, client_of: Any) -> None:
    keep_for(over, admin, now=now, homes=30)
    work(over, at=now + timedelta(days=20))
    Session.objects.update(state="running")
    work(over, at=now + timedelta(days=60))
    assert home_volume("ines") in over.engine.volumes
    page = client_of(admin).get(reverse("persons:retention", args=[over.internship.cohort.slug])).content.decode()
    assert "It waits: A notebook of the cohort is open." in page
    Session.objects.update(state="stopped")
    work(over, at=now + timedelta(days=61))
    assert home_volume("ines") not in over.engine.volumes


def test_the_work_of_an_issued_certificate_stays(
    completed: Any, accepted: Any, issue: Any, admin: Any, engine: Any, now: Any
) -> None:
    certificate = issue(completed, now=now)
    Cohort.objects.update(ends_on=now.date() - timedelta(days=1))
    completed.cohort.refresh_from_db()
    retention.set_days(admin, cohort=completed.cohort, days=dict.fromkeys(ALL, None) | {"submissions": 30}, now=now)
    for days in (20, 60):
        retention.step_all(now + timedelta(days=days), engine=engine)
    assert Record.objects.get(verb="retention.removed").facts["count"] == 1
    assert accepted.folder.is_dir()
    assert Submission.objects.get(pk=accepted.pk).digest == accepted.digest
    assert Certificate.objects.get(pk=certificate.pk).state == "issued"
    assert Submission.objects.filter(internship=completed, number=1).get().files == []


# Admins set it


def test_only_admins_set_it(over: Life, mentor: Any, now: Any) -> None:
    with pytest.raises(Forbidden):
        keep_for(over, mentor, now=now, homes=30)


def test_the_page_proposes_shows_what_would_go_and_keeps_what_is_set(over: Life, admin: Any, client_of: Any) -> None:
    Snapshot.objects.update(bytes=2_500_000_000)
    client, address = client_of(admin), reverse("persons:retention", args=[over.internship.cohort.slug])
    page = client.get(address).content.decode()
    assert "Nothing is set: everything is kept." in page
    assert all(f'value="{days}"' in page for days in PROPOSED.values())
    assert "1 snapshot<" in page
    assert "2.5 GB" in page
    assert "known after a backup" in page
    backups.folder().mkdir(parents=True)
    backups.note_homes({"ines": 7_000_000_000, "somebody": 1})
    assert "7.0 GB" in client.get(address).content.decode()

    assert client.post(address, {"homes": "3"}).status_code == 400, "less than is told of ahead"
    assert client.post(address, {"homes": "90", "snapshots": "30", "submissions": "", "logs": ""}).status_code == 302
    row = Retention.objects.get()
    assert [row.days(part) for part in Part] == [90, 30, None, None]
    assert Record.objects.get(verb="retention.set").facts["homes_days"] == 90
    assert "Set by Ada Admin" in client.get(address).content.decode()


def test_the_page_tells_how_much_went(over: Life, admin: Any, client_of: Any, now: Any) -> None:
    keep_for(over, admin, now=now, snapshots=30)
    facts = {"due_on": now.date(), "told_at": now - AHEAD, "done_at": now, "count": 3, "bytes": 41_000_000}
    Removal.objects.create(cohort=over.internship.cohort, part=Part.SNAPSHOTS, **facts)
    page = client_of(admin).get(reverse("persons:retention", args=[over.internship.cohort.slug])).content.decode()
    assert re.search(r"Removed <time[^>]*>[^<]*</time>: 3 snapshots, 41 MB", page)


def test_the_command_says_the_same(over: Life, admin: Any, now: Any, capsys: Any) -> None:
    (line,) = guide.block("retention", "What is due")
    words = line.split()
    assert words.pop(0) == "deploy/practicum"
    call_command(*words)
    assert "everything is kept" in capsys.readouterr().out
    keep_for(over, admin, now=now, snapshots=30)
    call_command("retention")
    assert re.search(r"snapshots +1 +0.00 GB  goes on 2026-04-16", capsys.readouterr().out)

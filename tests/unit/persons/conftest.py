"""An intern with everything a site keeps about one; what they wrote, and what was written about them, says ``SECRET``."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core import serializers
from oauth2_provider.models import AccessToken
from oauth2_provider.models import Application as Client

from practicum.accounts.models import NoticeChoice, NoticeSettings
from practicum.accounts.notices import notify
from practicum.audit.services import record
from practicum.credentials.models import Portfolio
from practicum.digests.models import Digest
from practicum.engine.base import Volume
from practicum.engine.memory import MemoryEngine
from practicum.evaluation import executed
from practicum.evaluation.models import Run, RunEvent
from practicum.gpus.inventory import pool_of
from practicum.gpus.models import Lease, LeaseSample, PoolKind, ReservationFeed, Server, Slot
from practicum.internships.changes import write_to
from practicum.internships.models import Application, Change, CheckIn, Internship, Invitation
from practicum.internships.readiness_models import BarsReached, CheckAttempt
from practicum.persons import tasks
from practicum.reviews.models import Comment, Draft, Review
from practicum.submissions.models import Likeness, Submission
from practicum.workspaces.archives import home_volume
from practicum.workspaces.hub import MemoryHub
from practicum.workspaces.models import (
    ActivityReport,
    HelpNotebook,
    HelpRequest,
    Restoration,
    Session,
    SessionEvent,
    Snapshot,
    WorkspaceToken,
)
from tests.unit.credentials.conftest import accepted, completed, engine, issue, replays
from tests.unit.portal.conftest import hand_in, seeded

__all__ = ["accepted", "completed", "engine", "hand_in", "issue", "replays", "seeded"]

SECRET = "kanarienvogel"


@pytest.fixture
def hub() -> MemoryHub:
    """Starts nothing that it was not told of."""
    return MemoryHub()


@dataclass
class Life:
    """What there is of the intern, and who carries deletions out."""

    intern: Any
    internship: Internship
    session: Session
    lease: Lease
    submission: Submission
    snapshot: Snapshot
    engine: MemoryEngine
    hub: MemoryHub

    def delete(self, now: datetime) -> bool:
        """What the worker does."""
        return tasks.delete_due(now, engine=self.engine, hub=self.hub)


@pytest.fixture
def life(
    internship: Any, peer_internship: Any, mentor: Any, admin: Any, hand_in: Any, engine: MemoryEngine, hub: MemoryHub, now: Any
) -> Life:  # fmt: skip
    """A stopped notebook, two submissions, and words everywhere."""
    intern = internship.intern
    NoticeSettings.objects.create(user=intern, webhook_url=f"https://example.org/{SECRET}")
    NoticeChoice.objects.create(user=intern, kind="run", mail="digest")
    notify(intern, kind="test", subject=SECRET, body=SECRET, path="/", key="t", now=now)
    Digest.objects.create(user=intern, day=now.date(), made_at=now, next_try_at=now, subject=SECRET, body=SECRET)
    client = Client.objects.create(
        name="hub", client_type="confidential", authorization_grant_type="authorization-code"
    )
    AccessToken.objects.create(
        user=intern, token=SECRET, application=client, expires=now + timedelta(days=1), scope="openid"
    )
    _came_in(intern, internship=internship, admin=admin, now=now)
    _sides(internship, mentor=mentor, now=now)
    session, lease, snapshot = _notebook(internship, now=now)
    engine.volumes[home_volume("ines")] = Volume(name=home_volume("ines"), labels={})
    submission = _work(internship, peer_internship=peer_internship, mentor=mentor, hand_in=hand_in, now=now)
    Portfolio.objects.create(user=intern, is_public=True, headline=SECRET, words=SECRET, changed_at=now)
    return Life(intern, internship, session, lease, submission, snapshot, engine, hub)


def _came_in(intern: Any, *, internship: Internship, admin: Any, now: datetime) -> None:
    Invitation.objects.create(
        cohort=internship.cohort,
        email="Ines@example.org",
        invited_by=admin,
        made_at=now,
        expires_at=now,
        used_by=intern,
    )
    application = Application.objects.create(
        cohort=internship.cohort, applicant=intern, background=SECRET, hours_a_week=8, hardware="none", hardware_note=SECRET,
        wishes_note=SECRET, reason=SECRET, state="placed", sent_at=now, changed_at=now,
    )  # fmt: skip
    taken = Internship.objects.create(
        intern=intern, mentor=admin, cohort=internship.cohort, version=internship.version, purpose="readiness",
        state="ended", started_on=now.date(),
    )  # fmt: skip
    attempt = CheckAttempt.objects.create(
        application=application,
        project=internship.version.project,
        internship=taken,
        number=1,
        variant=1,
        started_at=now,
        until=now,
    )
    BarsReached.objects.create(attempt=attempt, submission=1, variant=1, values={SECRET: 1.0}, scored_at=now)


def _sides(internship: Internship, *, mentor: Any, now: datetime) -> None:
    intern = internship.intern
    for is_mentors, author in ((False, intern), (True, mentor)):
        CheckIn.objects.create(
            internship=internship, week=1, is_mentors=is_mentors, author=author, went=SECRET, following=SECRET, stuck=SECRET,
            written_at=now,
        )  # fmt: skip
    Change.objects.create(
        internship=internship, kind="extension", asked_by=intern, asked_at=now, reason=SECRET, state="agreed",
        answer=SECRET, answered_by=mentor, until=now.date(),
    )  # fmt: skip
    write_to(intern, internship=internship, text=SECRET, now=now)
    record("internship.ended", subject=internship, actor=mentor, now=now, reason=f"{SECRET} of Ines Intern")


def _notebook(internship: Internship, *, now: datetime) -> tuple[Session, Lease, Snapshot]:
    intern, pool = internship.intern, pool_of(name="CPU slots", kind=PoolKind.CPU)
    server = Server.objects.create(name="gpu-1", seen_at=now)
    slot = Slot.objects.create(server=server, pool=pool, kind="cpu", index=0, uuid="cpu-0", model="CPU")
    lease = Lease.objects.create(
        user=intern, cohort=internship.cohort, state="released", slot=slot, pool=pool, duration=timedelta(hours=1),
        requested_at=now, granted_at=now, closed_at=now, lease_until=now, reason="Ended by Ines Intern.",
    )  # fmt: skip
    session = Session.objects.create(
        user=intern, internship=internship, lease=lease, state="stopped", deadline=now, requested_at=now
    )
    SessionEvent.objects.create(session=session, at=now, state="stopped", message=SECRET)
    ActivityReport.objects.create(session=session, at=now, busy_kernels=1, cpu_seconds=1.0, seconds=30.0)
    WorkspaceToken.objects.create(session=session, digest=SECRET, expires_at=now)
    LeaseSample.objects.create(lease=lease, at=now)
    ReservationFeed.objects.create(user=intern)
    snapshot = Snapshot.objects.create(
        internship=internship, session=session, asked_at=now, made_at=now, reason=SECRET, state="kept", deadline=now
    )
    snapshot.path.parent.mkdir(parents=True)
    snapshot.path.write_bytes(SECRET.encode())
    Restoration.objects.create(
        snapshot=snapshot, user=intern, asked_at=now, state="done", deadline=now, folder=SECRET, message=SECRET
    )
    helped = HelpRequest.objects.create(
        session=session,
        mentor=internship.mentor,
        topic=SECRET,
        reason=SECRET,
        minutes=15,
        state="ended",
        asked_at=now,
        ended_at=now,
    )
    HelpNotebook.objects.create(request=helped, path=SECRET, digest=SECRET, content=SECRET.encode(), sent_at=now)
    return session, lease, snapshot


def _work(
    internship: Internship, *, peer_internship: Internship, mentor: Any, hand_in: Any, now: datetime
) -> Submission:
    submission = hand_in(internship, number=1, value=0.9)
    cells = [{"cell_type": "markdown", "id": "a", "metadata": {}, "source": SECRET}]
    notebook = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    submission.folder.mkdir(parents=True)
    (submission.folder / f"{SECRET}.ipynb").write_text(notebook)
    Submission.objects.filter(pk=submission.pk).update(
        files=[{"path": f"{SECRET}.ipynb", "bytes": len(notebook)}], notebook=f"{SECRET}.ipynb"
    )
    submission.refresh_from_db()
    run = submission.runs.get()
    Run.objects.filter(pk=run.pk).update(
        reason=SECRET,
        log_tail=SECRET,
        reproduction={"cells": [SECRET]},
        executed="e" * 64,
        requested_by=internship.intern,
    )
    kept = executed.folder() / executed.name_of("e" * 64)
    kept.parent.mkdir(parents=True)
    kept.write_text(notebook)
    RunEvent.objects.create(run=run, at=now, state="scored", message=SECRET)
    peers = hand_in(peer_internship, number=1, value=0.8)
    Likeness.objects.create(first=submission, second=peers, share=0.9, passages=[{"code": SECRET}], found_at=now)
    Review.objects.create(
        submission=submission, mentor=mentor, state="changes", rubric={"method": 3}, summary=SECRET, opened_at=now,
        decided_at=now,
    )  # fmt: skip
    asked = Comment.objects.create(submission=submission, author=mentor, body=SECRET, written_at=now)
    Comment.objects.create(submission=submission, author=internship.intern, body=SECRET, written_at=now, reply_to=asked)
    Comment.objects.create(submission=peers, author=mentor, body="As Ines Intern did, and not else.", written_at=now)
    Draft.objects.create(mentor=mentor, submission=submission, fields={"body": SECRET}, saved_at=now)
    return submission


def everything() -> str:
    """Every row of every table, and every file of the site, as one text."""
    rows = [
        serializers.serialize("json", model._default_manager.all(), ensure_ascii=False) for model in apps.get_models()
    ]
    return "\n".join(rows)


@pytest.fixture
def files(data_dir: Path) -> Callable[[], str]:
    """``files()``: what lies on the site's disk."""

    def read() -> str:
        kept = (path for path in data_dir.rglob("*") if path.is_file())
        return "\n".join(f"{path.name} {path.read_bytes()!r}" for path in kept)

    return read

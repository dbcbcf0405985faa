"""Simulated work as the rows that real work leaves behind: notebooks, leases, hand-ins, runs, scores, reviews, check-ins.

What has a service that needs neither hub nor worker goes through it: pauses, milestones. The rest is written as rows, as
these services leave them once the work is done; nothing is left open, so that a worker finds nothing to repair.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from django.db.models import Model

from practicum.audit.models import Record
from practicum.config.demo import simulation as work
from practicum.evaluation.models import Fault, Run, RunEvent, RunState, Score
from practicum.evaluation.standings import baselines_of, ladder_of
from practicum.gpus.models import Lease, LeaseState, LeaseUse, Slot, SlotKind
from practicum.internships.models import Change, ChangeState, CheckIn, Internship, Milestone
from practicum.internships.services import pause, reach_milestone, resume
from practicum.reviews.models import Review, ReviewState
from practicum.submissions import store
from practicum.submissions.models import Source, Submission
from practicum.workspaces.models import Session, SessionState

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
BLOCK = timedelta(minutes=10)
BELOW_BASELINE = 4
STEP = 1.1
FIRST_WORDS = ("Runs, as the notebook has it.", "One thing changed, with a control beside it.", "Trained longer.")
WENT = ("The notebook runs, and I know what changed the score.", "I read the first paper and tried its idea.")
NEXT = ("Hand in with one change only.", "Look at where it is wrong.", "Five seeds, and the spread.")
ANSWERS = ("Good that you looked before you tuned.", "Show me the control first.", "That plot says it.")
ERRORS = (
    ("ValueError", "features", "could not broadcast input array from shape (8, 8) into shape (64,)"),
    ("KeyError", "load", "'labels'"),
    ("FileNotFoundError", "load", "[Errno 2] No such file or directory: 'artifact/model.safetensors'"),
    ("RuntimeError", "forward", "mat1 and mat2 shapes cannot be multiplied (450x64 and 128x10)"),
    ("IndexError", "predict", "index 450 is out of bounds for axis 0 with size 450"),
    ("TypeError", "predict", "predict() missing 1 required positional argument: 'out'"),
    ("AttributeError", "load", "'NoneType' object has no attribute 'shape'"),
    ("ModuleNotFoundError", "<module>", "No module named 'lightgbm'"),
)
TRACEBACK = """Traceback (most recent call last):
  File "/programs/predict.py", line 121, in main
    run(options)
  File "/submission/predict.py", line {line}, in {function}
    {code}
{name}: {message}"""
PREDICT = '''"""{title}: hand-in {number}. {words}"""


def predict(artifact, inputs, out):
    """Predictions for the inputs."""
    raise NotImplementedError("A scenario's work is drawn, not done: this was never run.")
'''


@dataclass(frozen=True)
class Place:
    """An internship, what its intern does, and the slot that their notebooks run on."""

    internship: Internship
    story: work.Story
    slot: Slot


@dataclass
class _Batch:
    """Rows of one kind after another, in the order in which they refer to one another."""

    rows: dict[type[Model], list[Any]] = field(default_factory=dict)

    def add(self, row: Any) -> Any:
        """Keep it for later."""
        self.rows.setdefault(type(row), []).append(row)
        return row

    def write(self) -> None:
        """Insert all."""
        for model in (Lease, LeaseUse, Session, Submission, Run, RunEvent, Score, Review, CheckIn, Change, Record):
            if rows := self.rows.pop(model, []):
                model._default_manager.bulk_create(rows, batch_size=1000)


class Ledger:
    """Writes the events of many places in order of time, as far as ``advance`` is told."""

    def __init__(self, places: Sequence[Place], *, seed: int, keeps_files: bool) -> None:
        self.rng, self.keeps_files = random.Random(f"ledger {seed}"), keeps_files
        self.places = {place.internship.pk: place for place in places}
        pairs = [(event, place.internship.pk) for place in places for event in place.story.events]
        self.coming = sorted(pairs, key=lambda pair: (pair[0].at, pair[1]), reverse=True)
        self.submissions: dict[tuple[int, int], Submission] = {}
        self.committed_at: dict[int, datetime] = {}
        self.baselines = baselines_of({place.internship.version for place in places})
        self.batch = _Batch()

    def advance(self, until: datetime) -> None:
        """All that happened by then is in the database."""
        while self.coming and self.coming[-1][0].at <= until:
            event, internship_id = self.coming.pop()
            self._write(event, self.places[internship_id])
        self.batch.write()

    def _write(self, event: work.Event, place: Place) -> None:
        match event:
            case work.Visit():
                self._visit(event, place)
            case work.HandIn():
                self._hand_in(event, place.internship)
            case work.Reviewed():
                self._review(event, place.internship)
            case work.CheckedIn():
                self._check_in(event, place.internship)
            case work.Reached():
                milestone = Milestone.objects.get(internship=place.internship, position=event.position)
                reach_milestone(milestone, actor=place.internship.mentor, now=event.at)
            case work.Paused():
                self._pause(event, place.internship)
            case work.Resumed():
                resume(place.internship, actor=None, now=event.at)

    def _record(self, verb: str, subject: Model, *, actor: Any, at: datetime, **facts: Any) -> None:
        label = subject._meta.label_lower
        row = Record(at=at, actor=actor, verb=verb, object_type=label, object_id=str(subject.pk), facts=facts)
        self.batch.add(row)

    def _uuid(self) -> uuid.UUID:
        return uuid.UUID(int=self.rng.getrandbits(128), version=4)

    def _visit(self, visit: work.Visit, place: Place) -> None:
        internship, ready_at = place.internship, visit.granted_at + timedelta(seconds=self.rng.uniform(3, 9))
        lease = Lease(
            id=self._uuid(),
            user=internship.intern,
            cohort=internship.cohort,
            state=LeaseState.RELEASED,
            token=3,
            pool=place.slot.pool,
            slot=place.slot,
            duration=timedelta(hours=internship.cohort.session_hours),
            requested_at=visit.asked_at,
            granted_at=visit.granted_at,
            lease_until=visit.granted_at + timedelta(hours=internship.cohort.session_hours),
            heartbeat=visit.at,
            closed_at=visit.at,
            reason="Stopped by its intern.",
        )
        if visit.committed_at is not None:
            self.committed_at[internship.pk] = visit.committed_at
        active_at = visit.at - self.rng.uniform(1, 15) * MINUTE if visit.has_run else ready_at
        session = Session(
            id=self._uuid(),
            user=internship.intern,
            internship=internship,
            lease=lease,
            state=SessionState.STOPPED,
            deadline=visit.at,
            attempts=1,
            requested_at=visit.asked_at,
            started_at=visit.granted_at,
            ready_at=ready_at,
            stopped_at=visit.at,
            active_at=active_at,
            committed_at=self.committed_at.get(internship.pk),
            reason="Stopped by its intern.",
        )
        self.batch.add(lease)
        self.batch.add(session)
        self._record("lease.requested", lease, actor=internship.intern, at=visit.asked_at)
        self._record("session.requested", session, actor=internship.intern, at=visit.asked_at)
        self._record("session.stopped", session, actor=internship.intern, at=visit.at)
        self._record("lease.released", lease, actor=None, at=visit.at)
        if place.slot.kind == SlotKind.GPU:
            self._uses(visit, lease)

    def _uses(self, visit: work.Visit, lease: Lease) -> None:
        """What the agent saw of the GPU, ten minutes a row."""
        at = visit.granted_at.replace(minute=visit.granted_at.minute // 10 * 10, second=0, microsecond=0)
        while at < visit.at:
            held = (min(visit.at, at + BLOCK) - max(visit.granted_at, at)).total_seconds()
            share = self.rng.choice((0.0, 0.4, 0.9)) if visit.uses_gpu else 0.0
            row = LeaseUse(
                lease=lease,
                starts_at=at,
                held_seconds=held,
                measured_seconds=held,
                busy_seconds=round(held * share),
                gpu_percent=round(70 * share, 1),
                memory_peak_bytes=(6 << 30) if share else (400 << 20),
                busy_at=min(visit.at, at + BLOCK) if share else None,
            )
            self.batch.add(row)
            at += BLOCK

    def _hand_in(self, hand_in: work.HandIn, internship: Internship) -> None:
        text = PREDICT.format(
            title=internship.version.project.title, number=hand_in.number, words=self.rng.choice(FIRST_WORDS)
        )
        text += f"# {internship.intern.username}\n"
        submission = Submission(
            internship=internship,
            version=internship.version,
            number=hand_in.number,
            digest=self._kept(text) if self.keeps_files else sha256(f"{internship.pk} {text}".encode()).hexdigest(),
            source=self.rng.choice((Source.TERMINAL, Source.CELL, Source.BUTTON)),
            received_at=hand_in.at,
            size_bytes=len(text.encode()),
            files=[{"path": "predict.py", "bytes": len(text.encode())}],
            compared_at=hand_in.at,
        )
        submission.save(force_insert=True)
        self.submissions[internship.pk, hand_in.number] = submission
        self._record("submission.received", submission, actor=internship.intern, at=hand_in.at)
        self._run(hand_in, submission)

    def _kept(self, text: str) -> str:
        """The digest of a submission of one file, which lies in the store from now on."""
        with store.staging() as folder:
            (folder / "predict.py").write_text(text)
            digest = store.digest_of(folder)
            store.keep(folder, digest=digest)
        return digest

    def _run(self, hand_in: work.HandIn, submission: Submission) -> None:
        took = timedelta(seconds=self.rng.uniform(4, 40))
        started_at, finished_at = hand_in.at + timedelta(seconds=1), hand_in.at + took
        run = Run(
            submission=submission,
            state=RunState.SCORED,
            token=1,
            tries=1,
            queued_at=hand_in.at,
            started_at=started_at,
            finished_at=finished_at,
            deadline=finished_at + HOUR,
            predict_seconds=round(took.total_seconds() / 2, 1),
            score_seconds=0.3,
            peak_memory_bytes=self.rng.randint(200, 900) << 20,
        )
        if hand_in.error is not None:
            name, function, message = ERRORS[hand_in.error - 1]
            line, code = self.rng.randint(12, 80), f"return {function.strip('<>')}(batch)"
            run.state, run.fault = RunState.FAILED, Fault.CODE
            run.reason = f"Your code stopped with {name}: {message}"
            run.log_tail = TRACEBACK.format(line=line, function=function, code=code, name=name, message=message)
        run.save(force_insert=True)
        for at, state, said in (
            (hand_in.at, "queued", "Received, and in line."),
            (started_at, "running", "A worker began with it."),
            (finished_at, run.state, run.reason or "Scored."),
        ):
            self.batch.add(RunEvent(run=run, at=at, state=state, message=said))
        self._record(f"run.{run.state}", run, actor=None, at=finished_at)
        if hand_in.rung is not None:
            self._score(hand_in.rung, run=run, submission=submission, at=finished_at)

    def _score(self, rung: float, *, run: Run, submission: Submission, at: datetime) -> None:
        """A score so many steps of the metric's own error above the first one, which lies below the baseline."""
        version = submission.version
        step = ladder_of(version).step * STEP * (1 if version.higher_is_better else -1)
        value = round(
            (self.baselines[version.pk] or 0.0) + step * (rung - 1 - BELOW_BASELINE), version.metric["digits"]
        )
        metrics = {version.metric["name"]: value}
        row = Score(run=run, value=value, metrics=metrics, shown_value=value, shown_metrics=metrics, scored_at=at)
        self.batch.add(row)

    def _review(self, review: work.Reviewed, internship: Internship) -> None:
        submission = self.submissions[internship.pk, review.number]
        rubric = {line["name"]: self.rng.randint(1, line["points"]) for line in internship.version.manifest["rubric"]}
        is_accepted = self.rng.random() < 0.4
        row = Review(
            submission=submission,
            mentor=internship.mentor,
            state=ReviewState.ACCEPTED if is_accepted else ReviewState.CHANGES,
            rubric=rubric if is_accepted else {},
            summary=self.rng.choice(ANSWERS),
            opened_at=review.at - self.rng.uniform(4, 12) * MINUTE,
            decided_at=review.at,
            version=1,
        )
        row.save(force_insert=True)
        self._record("review.decided", row, actor=internship.mentor, at=review.at, decision=str(row.state))

    def _check_in(self, check_in: work.CheckedIn, internship: Internship) -> None:
        author = internship.mentor if check_in.is_mentors else internship.intern
        row = CheckIn(
            internship=internship,
            week=check_in.week,
            is_mentors=check_in.is_mentors,
            author=author,
            went=self.rng.choice(ANSWERS if check_in.is_mentors else WENT),
            following=self.rng.choice(NEXT),
            written_at=check_in.at,
        )
        row.save(force_insert=True)
        self._record("check_in.written", row, actor=author, at=check_in.at, week=check_in.week)

    def _pause(self, exams: work.Paused, internship: Internship) -> None:
        """The intern asked for it a day before, and the mentor agreed."""
        row = Change(
            internship=internship,
            kind="pause",
            asked_by=internship.intern,
            asked_at=exams.at - timedelta(days=1),
            reason="I have exams in this week.",
            until=exams.until,
            state=ChangeState.AGREED,
            answered_by=internship.mentor,
            answered_at=exams.at,
        )
        self.batch.add(row)
        pause(internship, until=exams.until, actor=internship.mentor, now=exams.at)

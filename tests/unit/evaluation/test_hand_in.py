"""Handing in: a row, its files and its place in line, all three or none."""

from __future__ import annotations

import errno
import io
import os
import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from practicum.audit.models import Record
from practicum.errors import Conflict, Fault, PracticumError
from practicum.evaluation import services
from practicum.evaluation.models import Run, RunState
from practicum.internships.services import complete_internship
from practicum.submissions import store
from practicum.submissions.errors import BadArchive, DailyCap, DuplicateSubmission, InvalidNotebook, SubmissionTooLarge
from practicum.submissions.models import Source, Submission
from tests.unit.submissions import zips

HandIn = Callable[..., Submission]


def kept() -> set[str]:
    """Digest folders in the store."""
    return {path.name for path in store.root().glob("[0-9a-f]*/*")}


def staged() -> list[Path]:
    """What lies in staging."""
    return list((store.root() / store.STAGING).glob("*"))


def send(internship: Any, archive: io.BytesIO, *, now: datetime) -> Submission:
    return services.hand_in(internship, archive=archive, source=Source.UPLOAD, actor=internship.intern, now=now)


def test_what_is_handed_in_has_a_number_its_files_and_a_place_in_line(
    internship: Any, hand_in: HandIn, now: datetime
) -> None:
    submission = hand_in(internship, b"weights")

    assert (submission.number, submission.notebook) == (1, "start.ipynb")
    assert [file["path"] for file in submission.files] == ["artifact/w", "predict.py", "start.ipynb"]
    assert (submission.folder / "artifact/w").read_bytes() == b"weights"
    assert submission.size_bytes == sum(p.stat().st_size for p in submission.folder.rglob("*") if p.is_file())
    run = submission.runs.get()
    assert (run.state, run.attempt, run.queued_at, run.lease) == (RunState.QUEUED, 1, now, None)
    assert [event.state for event in run.events.all()] == ["queued"]
    assert list(Record.objects.order_by("id").values_list("verb", flat=True))[-2:] == [
        "submission.received",
        "run.queued",
    ]
    assert staged() == []


def test_numbers_count_inside_each_internship(internship: Any, peer_internship: Any, hand_in: HandIn) -> None:
    numbers = [
        hand_in(internship, b"1").number,
        hand_in(internship, b"2").number,
        hand_in(peer_internship, b"2").number,
    ]

    assert numbers == [1, 2, 1]


def test_the_same_files_again_are_refused_and_point_to_the_first(internship: Any, hand_in: HandIn) -> None:
    first = hand_in(internship)

    with pytest.raises(DuplicateSubmission) as refusal:
        hand_in(internship)

    assert (refusal.value.status, refusal.value.code) == (409, "duplicate_submission")
    assert refusal.value.facts == {"number": 1, "url": f"{settings.PRACTICUM_SITE_URL}/submissions/{first.pk}/"}
    assert Submission.objects.count() == Run.objects.count() == len(kept()) == 1
    assert staged() == []


def test_the_same_files_in_a_zip_packed_otherwise_are_the_same_submission(
    internship: Any, hand_in: HandIn, now: datetime
) -> None:
    hand_in(internship, b"1")
    repacked = zips.zip_of(
        {"a/start.ipynb": zips.NOTEBOOK, "a/artifact/w": b"1", "a/predict.py": zips.PREDICT}, method=0
    )

    with pytest.raises(DuplicateSubmission):
        send(internship, repacked, now=now)


def test_a_peer_may_hand_in_the_same_files_and_they_are_kept_once(
    internship: Any, peer_internship: Any, hand_in: HandIn
) -> None:
    assert hand_in(internship).folder == hand_in(peer_internship).folder
    assert len(kept()) == 1


@pytest.mark.parametrize(
    ("archive", "refusal"),
    [
        (io.BytesIO(b"no zip"), BadArchive),
        (zips.zip_of({"model.py": b"1"}), BadArchive),
        (zips.zip_of({"predict.py": b"1", "../x": b"1"}), BadArchive),
        (zips.zip_of({"predict.py": b"1", "a.ipynb": b"{"}), InvalidNotebook),
        (zips.zip_of({"predict.py": b"1", "artifact/w": bytes(21 * 1024**2)}), SubmissionTooLarge),
    ],
)
def test_a_refusal_leaves_nothing_behind(
    internship: Any, now: datetime, archive: io.BytesIO, refusal: type[PracticumError]
) -> None:
    with pytest.raises(refusal):
        send(internship, archive, now=now)

    assert (Submission.objects.count(), Run.objects.count(), kept(), staged()) == (0, 0, set(), [])


def test_a_full_disk_is_our_fault_and_leaves_nothing_behind(
    internship: Any, hand_in: HandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "rename", full)

    with pytest.raises(Fault, match="disk"):
        hand_in(internship)
    assert (Submission.objects.count(), Run.objects.count(), kept(), staged()) == (0, 0, set(), [])


def test_a_crash_before_the_files_are_in_place_leaves_no_row(
    internship: Any, hand_in: HandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "keep", die)

    with pytest.raises(KeyboardInterrupt):
        hand_in(internship)
    assert Submission.objects.count() == Run.objects.count() == 0

    monkeypatch.undo()
    assert hand_in(internship).number == 1


def test_what_a_crash_left_in_staging_is_swept_after_an_hour(internship: Any, now: datetime) -> None:
    with store.staging() as young, store.staging() as old:
        for folder, age in ((young, timedelta(minutes=59)), (old, timedelta(minutes=61))):
            (folder / "half").write_text("x")
            os.utime(folder, ((now - age).timestamp(),) * 2)

        assert store.sweep_staging(now=now) == 1
        assert staged() == [young]


def test_nothing_more_is_taken_once_the_internship_is_over(
    internship: Any, hand_in: HandIn, mentor: Any, now: datetime
) -> None:
    complete_internship(internship, actor=mentor, now=now)
    internship.refresh_from_db()

    with pytest.raises(Conflict, match="over"):
        hand_in(internship)


def test_nothing_is_taken_while_the_internship_is_paused(internship: Any, hand_in: HandIn) -> None:
    internship.state = "paused"

    with pytest.raises(Conflict, match="paused"):
        hand_in(internship)


def test_as_many_a_day_as_the_project_takes(internship: Any, hand_in: HandIn, now: datetime) -> None:
    for number in range(5):
        hand_in(internship, b"%d" % number)

    with pytest.raises(DailyCap, match="5 times today") as refusal:
        hand_in(internship, b"one more")
    assert refusal.value.status == 429
    assert "opens_at" in refusal.value.facts
    assert Submission.objects.count() == len(kept()) == 5
    assert hand_in(internship, b"one more", at=now + timedelta(days=1)).number == 6


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({"state": "scored"}, True),
        ({"state": "failed", "fault": "code"}, True),
        ({"state": "failed", "fault": "ours"}, False),
        ({"state": "invalid", "fault": "format"}, False),
        ({"state": "cancelled"}, False),
    ],
)
def test_what_was_our_fault_or_unreadable_costs_no_attempt(
    internship: Any, hand_in: HandIn, changes: dict[str, str], counts: bool
) -> None:
    for number in range(5):
        hand_in(internship, b"%d" % number)
    Run.objects.filter(submission__number=3).update(**changes)

    if counts:
        with pytest.raises(DailyCap):
            hand_in(internship, b"one more")
    else:
        assert hand_in(internship, b"one more").number == 6


def at_once(jobs: list[Callable[[], Any]]) -> list[Any]:
    """Each job in a thread of its own, let loose together; results or refusals."""
    gate = threading.Barrier(len(jobs))
    results: list[Any] = []

    def run(job: Callable[[], Any]) -> None:
        gate.wait(timeout=20)
        try:
            results.append(job())
        except PracticumError as refusal:
            results.append(refusal)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return results


def test_the_same_files_handed_in_eight_times_at_once_are_one_submission(
    shared_database: None, internship: Any, hand_in: HandIn
) -> None:
    results = at_once([lambda: hand_in(internship)] * 8)

    assert Counter(type(result).__name__ for result in results) == {"Submission": 1, "DuplicateSubmission": 7}
    assert Submission.objects.count() == Run.objects.count() == len(kept()) == 1
    assert staged() == []


def test_the_daily_cap_holds_for_fifty_at_once(shared_database: None, internship: Any, hand_in: HandIn) -> None:
    def job(number: int) -> Callable[[], Any]:
        return lambda: hand_in(internship, b"%d" % number)

    results = at_once([job(number) for number in range(50)])

    assert Counter(type(result).__name__ for result in results) == {"Submission": 5, "DailyCap": 45}
    assert sorted(Submission.objects.values_list("number", flat=True)) == [1, 2, 3, 4, 5]
    assert len(kept()) == 5

"""A mended metric: old submissions are scored again by the new evaluate.py, and both results stay."""

from __future__ import annotations

import io
from collections.abc import Callable
from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from practicum.accounts.models import Notice
from practicum.audit.models import Record
from practicum.catalog.models import ProjectVersion
from practicum.engine.memory import MemoryEngine
from practicum.errors import Conflict
from practicum.evaluation import services
from practicum.evaluation.findings import finding_of
from practicum.evaluation.judges import newer_judge
from practicum.evaluation.models import Run, Score
from practicum.evaluation.selectors import results_of
from practicum.lib.digest import digest_bytes
from practicum.submissions.models import Submission
from tests.unit.evaluation.conftest import answering

HandIn = Callable[..., Submission]
Work = Callable[..., Run | None]
MINUTE = timedelta(minutes=1)


@pytest.fixture
def mended(version: ProjectVersion, admin: Any) -> Callable[..., ProjectVersion]:
    """``mended(b"new")``: the project's next version, with this evaluate.py; the first has ``old``."""
    (version.folder / "project" / "evaluate.py").write_bytes(b"old")

    def publish(content: bytes, **metric: Any) -> ProjectVersion:
        manifest = deepcopy(version.manifest)
        manifest["metric"] |= metric
        row = ProjectVersion.objects.create(
            project=version.project,
            number=version.number + 1,
            digest="e" * 64,
            manifest=manifest,
            mode="toy",
            image="practicum/workspace:newer",
            published_at=version.published_at,
            published_by=admin,
        )
        (row.folder / "project").mkdir(parents=True)
        (row.folder / "project" / "evaluate.py").write_bytes(content)
        return row

    return publish


def test_both_results_stay_each_with_the_file_that_made_it_and_the_newer_counts(
    internship: Any, hand_in: HandIn, work: Work, engine: MemoryEngine, mended: Any, mentor: Any, now: datetime
) -> None:
    submission = hand_in(internship)
    work()
    judge = mended(b"new")
    engine.will("score", answering('{"metrics": {"accuracy": 0.7}}\n'))

    services.rescore(submission, actor=mentor, now=now)
    work(at=now + MINUTE)

    results = results_of(submission)
    assert [(run.attempt, run.score.value, run.judging_version.number) for run in results] == [(2, 0.7, 2), (1, 0.9, 1)]
    assert [run.evaluate_digest for run in results] == [digest_bytes(b"new"), digest_bytes(b"old")]
    assert results[0].judge == judge
    found = finding_of(submission)
    assert found is not None
    assert found.score.value == 0.7
    told = [event.message for event in submission.runs.get(attempt=2).events.all()]
    assert (told[0], told[-1]) == ("In line for evaluation, to be scored by version 2", "Scored again, by version 2")


def test_only_the_scorers_file_is_new_code_image_and_hidden_data_are_the_submissions_own(
    internship: Any,
    hand_in: HandIn,
    work: Work,
    engine: MemoryEngine,
    mended: Any,
    mentor: Any,
    version: Any,
    now: datetime,
) -> None:
    submission = hand_in(internship)
    work()
    judge = mended(b"new")
    services.rescore(submission, actor=mentor, now=now)
    work(at=now + MINUTE)

    scorer, untrusted = engine.started[-2:]
    assert [(m.source, m.target) for m in scorer.mounts] == [
        (judge.folder / "project", "/project"),
        (version.hidden_folder / "answers", "/answers"),
    ]
    assert untrusted.image == version.image
    assert untrusted.mounts[1].source == version.hidden_folder / "inputs"


def test_the_baseline_is_scored_by_the_same_file_and_until_then_there_is_no_verdict(
    internship: Any, hand_in: HandIn, work: Work, mended: Any, mentor: Any, version: Any, now: datetime
) -> None:
    baseline = Submission.objects.create(
        version=version, number=1, digest="b" * 64, source="baseline", received_at=now, size_bytes=1, files=[]
    )
    services.queue_run(baseline, requested_by=mentor, now=now)
    work()
    submission = hand_in(internship)
    work()
    mended(b"new")

    services.rescore(submission, actor=mentor, now=now + MINUTE)
    Run.objects.filter(submission=baseline, state="queued").update(queued_at=now + 2 * MINUTE)
    work(at=now + 3 * MINUTE)
    between = finding_of(submission)
    work(at=now + 4 * MINUTE)
    after = finding_of(submission)

    assert between is not None
    assert after is not None
    assert (between.verdict, between.is_other_metric) == (None, True)
    assert after.verdict is not None
    assert not after.is_other_metric
    assert baseline.runs.count() == 2
    assert newer_judge(baseline) is None


def test_the_intern_is_told_and_it_is_on_record(
    internship: Any, hand_in: HandIn, work: Work, engine: MemoryEngine, mended: Any, mentor: Any, now: datetime
) -> None:
    submission = hand_in(internship)
    work()
    judge = mended(b"new")
    engine.will("score", answering('{"metrics": {"accuracy": 0.7}}\n'))
    services.rescore(submission, actor=mentor, now=now)
    work(at=now + timedelta(seconds=1))

    notice = Notice.objects.get(user=internship.intern)
    assert notice.subject == "Submission 1 was scored again"
    assert "mended evaluate.py of version 2" in notice.body
    assert "0.7" not in notice.body, "what an intern is told of scores, the page says"
    assert "0.9" not in notice.body
    record = Record.objects.get(verb="submission.rescored")
    assert (record.actor, record.object_id, record.facts["judge"]) == (mentor, str(submission.pk), judge.pk)


def test_a_rerun_by_a_mentor_is_told_too_and_keeps_the_judge(
    internship: Any, hand_in: HandIn, work: Work, mended: Any, mentor: Any, now: datetime
) -> None:
    submission = hand_in(internship)
    work()
    judge = mended(b"new")
    services.rescore(submission, actor=mentor, now=now)
    work(at=now + MINUTE)
    again = services.rerun(submission, actor=mentor, now=now + MINUTE)
    work(at=now + 2 * MINUTE)

    assert again.judge == judge
    assert Notice.objects.filter(user=internship.intern, kind="run.again").count() == 2


def test_an_intern_is_not_told_of_a_short_first_run(internship: Any, hand_in: HandIn, work: Work) -> None:
    hand_in(internship)
    work()

    assert Notice.objects.count() == 0


@pytest.mark.parametrize(
    ("content", "metric", "told"),
    [
        (b"old", {}, "scores in the same way"),
        (b"new", {"name": "loss"}, "measures loss"),
        (b"new", {"goal": "min"}, "goal min"),
    ],
)
def test_a_version_that_scores_alike_or_measures_another_thing_is_no_judge(
    internship: Any,
    hand_in: HandIn,
    work: Work,
    mended: Any,
    mentor: Any,
    now: datetime,
    content: bytes,
    metric: dict[str, str],
    told: str,
) -> None:
    submission = hand_in(internship)
    work()
    mended(content, **metric)

    with pytest.raises(Conflict, match=told):
        services.rescore(submission, actor=mentor, now=now)

    assert submission.runs.count() == 1


def test_without_a_newer_version_there_is_nothing_to_score_by(
    internship: Any, hand_in: HandIn, work: Work, mended: Any, mentor: Any, now: datetime
) -> None:
    submission = hand_in(internship)
    work()

    with pytest.raises(Conflict, match="same way"):
        services.rescore(submission, actor=mentor, now=now)


@pytest.mark.parametrize(
    ("who", "status"), [("intern", 404), ("peer", 404), ("mentor", 302), ("admin", 302), ("other_mentor", 404)]
)
def test_mentors_and_admins_may_have_it_scored_again(
    internship: Any,
    client_of: Any,
    hand_in: HandIn,
    work: Work,
    mended: Any,
    request: pytest.FixtureRequest,
    who: str,
    status: int,
) -> None:
    submission = hand_in(internship)
    work()
    mended(b"new")
    client = client_of(request.getfixturevalue(who))

    assert client.post(f"/submissions/{submission.pk}/rescore/").status_code == status
    assert submission.runs.count() == (2 if status == 302 else 1)
    assert Score.objects.filter(run__submission=submission).count() == 1


def test_a_whole_project_is_scored_again_by_one_command(
    internship: Any, peer_internship: Any, hand_in: HandIn, work: Work, mended: Any, mentor: Any, now: datetime
) -> None:
    first, second = hand_in(internship, b"1"), hand_in(peer_internship, b"2")
    work()
    work()
    waiting = hand_in(peer_internship, b"3")
    mended(b"new")
    said = io.StringIO()

    call_command("project", "rescore", "digits", "--by", mentor.username, stdout=said)
    call_command("project", "rescore", "digits", "--by", mentor.username, stdout=said)

    assert said.getvalue().splitlines() == [
        "2 submissions are in line to be scored by digits v2.",
        "0 submissions are in line to be scored by digits v2.",
    ]
    assert [row.runs.count() for row in (first, second, waiting)] == [2, 2, 1]


@pytest.mark.parametrize("who", ["intern", "nobody"])
def test_only_staff_may_have_a_project_scored_again(internship: Any, mended: Any, who: str) -> None:
    with pytest.raises(CommandError, match="no active mentor or admin"):
        call_command("project", "rescore", "digits", "--by", "ines" if who == "intern" else who)


@pytest.mark.parametrize(("who", "offered"), [("intern", False), ("mentor", True)])
def test_the_page_offers_it_to_staff_and_shows_both_results(
    internship: Any,
    client_of: Any,
    hand_in: HandIn,
    work: Work,
    engine: MemoryEngine,
    mended: Any,
    mentor: Any,
    now: datetime,
    request: pytest.FixtureRequest,
    who: str,
    offered: bool,
) -> None:
    submission = hand_in(internship)
    work()
    mended(b"new")
    client = client_of(request.getfixturevalue(who))
    before = client.get(f"/submissions/{submission.pk}/").content.decode()
    engine.will("score", answering('{"metrics": {"accuracy": 0.7}}\n'))
    services.rescore(submission, actor=mentor, now=now)
    work(at=now + MINUTE)
    after = client.get(f"/submissions/{submission.pk}/").content.decode()

    assert ("Score again by version 2" in before) is offered
    assert "Score again" not in after
    assert 'id="results"' not in before
    assert digest_bytes(b"new")[:8] in after
    assert digest_bytes(b"old")[:8] in after

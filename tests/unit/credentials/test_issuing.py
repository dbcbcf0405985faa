"""From a completed internship to a signed certificate: what is frozen, what is said to be missing, what is waited for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError

from practicum.accounts.models import Notice
from practicum.audit.models import Record
from practicum.credentials import rules, services, signing, tasks
from practicum.credentials.models import Certificate, CertificateState
from practicum.credentials.offline import verifier
from practicum.engine.memory import MemoryEngine
from practicum.errors import Conflict, EngineUnavailable, Forbidden
from practicum.evaluation.finals import release_final
from practicum.evaluation.models import Run
from practicum.internships.services import complete_internship
from practicum.reviews.models import Review
from practicum.submissions.models import Submission
from tests.unit.credentials.conftest import REPLAYED, end_run


def test_the_worker_begins_a_certificate_for_a_completed_internship_and_its_work_is_in_line_again(
    completed: Any, accepted: Any, engine: MemoryEngine, now: Any
) -> None:
    assert tasks.step(now, engine=engine)

    row = Certificate.objects.get(internship=completed)
    assert row.state == CertificateState.PREPARING
    assert row.submission == accepted
    assert (row.run.attempt, row.run.state) == (2, "queued")
    assert not tasks.step(now, engine=engine)


def test_while_many_executions_are_waited_for_no_more_are_asked(
    completed: Any, engine: MemoryEngine, monkeypatch: pytest.MonkeyPatch, peer_internship: Any, mentor: Any, hand_in: Any,
    now: Any,
) -> None:  # fmt: skip
    monkeypatch.setattr(tasks, "AT_ONCE", 1)
    hand_in(peer_internship, number=1, value=0.9)
    complete_internship(peer_internship, actor=mentor, now=now + timedelta(minutes=1))

    tasks.step(now, engine=engine)
    tasks.step(now, engine=engine)
    assert Certificate.objects.count() == 1

    Run.objects.filter(state="queued").update(state="failed")
    monkeypatch.setattr("practicum.credentials.replaying.replay", lambda *_, **__: {"value": 1.0})
    tasks.step(now, engine=engine)
    assert Certificate.objects.count() == 2


def test_nothing_is_begun_for_an_active_internship_nor_twice_for_a_completed_one(
    internship: Any, mentor: Any, now: Any
) -> None:
    with pytest.raises(Conflict):
        services.begin(internship, now=now)
    complete_internship(internship, actor=mentor, now=now)
    internship.refresh_from_db()
    services.begin(internship, now=now)

    with pytest.raises(IntegrityError):
        services.begin(internship, now=now)


def test_it_says_the_score_of_the_execution_that_was_made_for_it(certificate: Certificate, accepted: Any) -> None:
    score = certificate.facts["score"]

    assert (score["value"], score["written"], score["executed_again"], score["attempt"]) == (0.961, "0.961", True, 2)
    assert score["baseline"]["value"] == 0.8
    assert score["verdict"]["outcome"] == "better"
    assert score["image"] == "practicum/workspace:test"
    assert certificate.facts["missing"] == {}


def test_everything_else_is_frozen_as_it_was(certificate: Certificate, accepted: Any) -> None:
    facts = certificate.facts

    assert (facts["intern"], facts["mentor"], facts["cohort"]) == ("Ines Intern", "Mira Mentor", "Spring 2026")
    assert facts["project"]["digest"] == f"sha256:{'d' * 64}"
    assert facts["submission"] == {
        "number": 2,
        "digest": f"sha256:{accepted.digest}",
        "received_on": "2026-02-28",
        "kind": "code",
    }
    assert (facts["rubric"]["points"], facts["rubric"]["most"]) == (7, 10)
    assert [step["reached_on"] for step in facts["milestones"]] == ["2026-03-18", None]
    assert facts["report"]["file"] == "report.md"
    assert facts["replay"]["value"] == REPLAYED


def test_what_happens_later_does_not_change_it(certificate: Certificate, accepted: Any, mentor: Any, now: Any) -> None:
    before = signing.document_of(certificate, parts=rules.PARTS, now=now)
    Review.objects.filter(submission=accepted).update(rubric={"method": 0, "writing": 0})
    mentor.name = "Somebody Else"
    mentor.save()

    certificate.refresh_from_db()
    assert signing.document_of(certificate, parts=rules.PARTS, now=now + timedelta(days=9)) == before


def test_the_score_is_on_the_whole_hidden_part_never_on_the_shown_rows_only(
    completed: Any, issue: Callable[..., Certificate], replays: list[int], engine: MemoryEngine, now: Any
) -> None:
    from practicum.evaluation.models import Score

    row = services.begin(completed, now=now)
    end_run(row.run, value=0.931, at=now)
    Score.objects.filter(run=row.run).update(shown_value=0.999, shown_metrics={"accuracy": 0.999})
    tasks.step(now, engine=engine)

    row.refresh_from_db()
    assert row.facts["score"]["value"] == 0.931


def test_where_the_execution_failed_it_says_so_and_tells_the_score_of_the_run_before(
    completed: Any, issue: Callable[..., Certificate], now: Any
) -> None:
    row = issue(completed, now=now, value=None)

    assert row.state == CertificateState.ISSUED
    assert (row.facts["score"]["value"], row.facts["score"]["executed_again"]) == (0.95, False)
    assert "not executed again" in row.facts["missing"]["score"]
    assert "failed" in row.facts["missing"]["score"]


def test_an_internship_completed_without_any_work_gets_a_certificate_that_says_what_is_missing(
    internship: Any, mentor: Any, issue: Callable[..., Certificate], now: Any
) -> None:
    complete_internship(internship, actor=mentor, now=now)
    internship.refresh_from_db()

    row = issue(internship, now=now)

    assert row.state == CertificateState.ISSUED
    assert (row.facts["score"], row.facts["rubric"], row.facts["submission"]) == (None, None, None)
    assert set(row.facts["missing"]) == {"score", "rubric", "code", "report"}
    found = verifier.verify(signing.document_of(row, parts=rules.PARTS, now=now), profile=signing.profile())
    assert found.is_valid


def test_without_an_accepted_submission_it_is_about_the_one_that_counts(
    internship: Any, hand_in: Any, mentor: Any, now: Any
) -> None:
    hand_in(internship, number=1, value=0.9)
    best = hand_in(internship, number=2, value=0.97)
    hand_in(internship, number=3, value=0.91)
    complete_internship(internship, actor=mentor, now=now)
    internship.refresh_from_db()

    assert services.work_of(internship) == best


def test_it_is_not_issued_before_the_execution_has_ended(
    completed: Any, replays: list[int], engine: MemoryEngine, now: Any
) -> None:
    row = services.begin(completed, now=now)

    assert not tasks.step(now + timedelta(hours=1), engine=engine)
    row.refresh_from_db()
    assert (row.state, replays) == (CertificateState.PREPARING, [])


@pytest.fixture
def divided(completed: Any) -> Any:
    """The project keeps half of the hidden rows back, and the board closes when the cohort ends."""
    version = completed.version
    version.manifest["split"] = {"shown": 0.5}
    version.save()
    return completed


def test_a_final_score_is_not_told_by_a_certificate_before_final_scores_are_released_and_the_mentor_knows(
    divided: Any, issue: Callable[..., Certificate], mentor: Any, engine: MemoryEngine, now: Any
) -> None:
    row = issue(divided, now=now)
    assert row.state == CertificateState.PREPARING
    assert Notice.objects.filter(user=mentor, kind="certificate.held").count() == 1

    later = now + timedelta(days=60)
    tasks.step(later, engine=engine)
    row.refresh_from_db()
    assert row.state == CertificateState.PREPARING

    release_final(divided.cohort, project=divided.version.project, actor=mentor, now=later)
    tasks.step(later, engine=engine)
    row.refresh_from_db()
    assert row.state == CertificateState.ISSUED


def test_the_mentor_can_have_it_issued_before_that_and_it_is_on_record(
    divided: Any, issue: Callable[..., Certificate], mentor: Any, other_mentor: Any, engine: MemoryEngine, now: Any
) -> None:
    row = issue(divided, now=now)
    with pytest.raises(Forbidden):
        services.allow_early(row, actor=other_mentor, now=now)

    services.allow_early(row, actor=mentor, now=now)
    tasks.step(now + timedelta(minutes=3), engine=engine)

    row.refresh_from_db()
    assert row.state == CertificateState.ISSUED
    assert Record.objects.filter(verb="certificate.allowed_early", actor=mentor).count() == 1
    with pytest.raises(Conflict):
        services.allow_early(row, actor=mentor, now=now)


def test_while_the_engine_is_away_it_waits_and_after_a_day_it_is_issued_without_a_replay(
    completed: Any, monkeypatch: pytest.MonkeyPatch, engine: MemoryEngine, now: Any
) -> None:
    def away(*_: Any, **__: Any) -> Any:
        raise EngineUnavailable("The engine does not answer.")

    monkeypatch.setattr("practicum.credentials.replaying.replay", away)
    row = services.begin(completed, now=now)
    end_run(row.run, value=0.961, at=now)

    with pytest.raises(EngineUnavailable):
        tasks.step(now, engine=engine)
    row.refresh_from_db()
    assert row.state == CertificateState.PREPARING

    tasks.step(now + timedelta(days=1), engine=engine)
    row.refresh_from_db()
    assert row.state == CertificateState.ISSUED
    assert row.facts["missing"]["code"] == "The replay bundle was not run."


def test_a_run_that_is_open_anyway_is_waited_for_and_no_second_one_asked(
    completed: Any, accepted: Submission, now: Any
) -> None:
    Run.objects.filter(submission=accepted).update(state="running")

    row = services.begin(completed, now=now)

    assert row.run.attempt == 1
    assert accepted.runs.count() == 1


def test_the_intern_is_told_once(certificate: Certificate, engine: MemoryEngine, intern: Any, now: Any) -> None:
    assert not services.issue(certificate, now=now)
    tasks.step(now + timedelta(hours=1), engine=engine)

    assert Notice.objects.filter(user=intern, kind="certificate.issued").count() == 1
    assert Record.objects.filter(verb="certificate.issued").count() == 1


def test_places_in_the_list_are_never_given_twice(
    certificate: Certificate, stranger_internship: Any, other_mentor: Any, issue: Callable[..., Certificate], now: Any
) -> None:
    complete_internship(stranger_internship, actor=other_mentor, now=now)
    stranger_internship.refresh_from_db()

    assert (certificate.place, issue(stranger_internship, now=now).place) == (0, 1)


def test_with_seeds_the_certificate_names_them_with_mean_and_interval(
    completed: Any, accepted: Any, seeded: Any, replays: list[int], engine: MemoryEngine, now: Any
) -> None:
    version = completed.version
    version.manifest["evaluation"] = {"seeds": 3, "retrain": True}
    version.save()
    row = services.begin(completed, now=now)
    end_run(row.run, value=0.96, at=now)
    from practicum.evaluation.models import SeedResult

    for seed, value in ((11, 0.95), (12, 0.96), (13, 0.97)):
        SeedResult.objects.create(
            run=row.run, seed=seed, value=value, shown_value=0.5, metrics={}, shown_metrics={}, scored_at=now,
            predict_seconds=1.0, score_seconds=1.0,
        )  # fmt: skip
    tasks.step(now, engine=engine)

    row.refresh_from_db()
    assert row.facts["score"]["seeds"] == [11, 12, 13]
    assert (row.facts["score"]["value"], row.facts["score"]["count"]) == (0.96, 3)

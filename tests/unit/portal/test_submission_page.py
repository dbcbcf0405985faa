"""A submission's page in every state, who may see it, and when its live part is sent again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from practicum.evaluation.models import Run
from practicum.reviews.models import Review


def read(client: Any, submission: Any) -> str:
    response = client.get(f"/submissions/{submission.pk}/")
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


@pytest.mark.parametrize(
    ("who", "status"),
    [("intern", 200), ("peer", 404), ("stranger", 404), ("mentor", 200), ("other_mentor", 404), ("admin", 200)],
)
@pytest.mark.parametrize("part", ["", "live/"])
def test_who_sees_a_submission(
    request: pytest.FixtureRequest, client_of: Any, internship: Any, hand_in: Any, who: str, status: int, part: str
) -> None:
    submission = hand_in(internship, number=1, value=0.9)
    client = client_of(request.getfixturevalue(who))

    assert client.get(f"/submissions/{submission.pk}/{part}").status_code == status


@pytest.mark.parametrize("who", ["intern", "mentor", "admin"])
def test_a_baseline_is_for_everybody(
    request: pytest.FixtureRequest, client_of: Any, version: Any, hand_in: Any, who: str
) -> None:
    baseline = hand_in(None, number=1, version=version, value=0.8)

    assert client_of(request.getfixturevalue(who)).get(f"/submissions/{baseline.pk}/").status_code == 200


@pytest.mark.parametrize(("state", "shown"), [("open", False), ("accepted", True)])
def test_a_review_shows_once_it_is_decided(
    client_of: Any, internship: Any, hand_in: Any, now: Any, state: str, shown: bool
) -> None:
    submission = hand_in(internship, number=1, value=0.9)
    Review.objects.create(
        submission=submission,
        mentor=internship.mentor,
        state=state,
        summary="Well argued.",
        rubric={"method": 4},
        opened_at=now,
        decided_at=now if shown else None,
    )

    text = read(client_of(internship.intern), submission)

    assert ("Well argued." in text) is shown
    assert ("of 5" in text) is shown


def test_a_waiting_submission_has_its_place(
    client_of: Any, internship: Any, peer_internship: Any, hand_in: Any
) -> None:
    hand_in(peer_internship, number=1, state="queued")
    submission = hand_in(internship, number=2, state="queued")

    text = read(client_of(internship.intern), submission)

    assert "Place 2 in line" in text
    assert "every 1s" in text
    assert "Take it back" in text


@pytest.mark.parametrize(("who", "shown"), [("intern", False), ("mentor", True), ("admin", True)])
def test_output_made_on_hidden_inputs_is_shown_as_text_and_not_to_interns(
    request: pytest.FixtureRequest, client_of: Any, internship: Any, hand_in: Any, now: Any, who: str, shown: bool
) -> None:
    submission = hand_in(
        internship, number=1, state="running", phase="predicting", started_at=now, log_tail="<script>alert(1)</script>"
    )
    client = client_of(request.getfixturevalue(who))

    for path in ("", "live/"):
        text = " ".join(client.get(f"/submissions/{submission.pk}/{path}").content.decode().split())
        assert ("&lt;script&gt;alert(1)&lt;/script&gt;" in text) is shown
        assert ("shown to your mentor only" in text) is not shown
        assert "<script>alert(1)" not in text


def test_a_scored_submission_shows_score_difference_and_place(
    client_of: Any, internship: Any, peer_internship: Any, hand_in: Any
) -> None:
    hand_in(None, number=1, version=internship.version, value=0.85)
    hand_in(peer_internship, number=1, value=0.95)
    submission = hand_in(internship, number=1, value=0.9)

    response = client_of(internship.intern).get(f"/submissions/{submission.pk}/")

    board = [(row.rank, row.name, row.value) for row in response.context["board"]]
    assert board == [(1, "Paul Peer", 0.95), (2, "Ines Intern", 0.9), (None, "Baseline", 0.85)]
    text = " ".join(response.content.decode().split())
    assert "+0.050" in text
    assert "Better than the baseline" in text
    assert "every 1s" not in text


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0.9, "Better than the baseline"),
        (0.8, "Worse than the baseline"),
        (0.86, "Not distinguishable from the baseline"),
    ],
)
def test_what_a_score_says_is_told_with_the_test_that_says_it(
    client_of: Any, internship: Any, hand_in: Any, value: float, told: str
) -> None:
    hand_in(None, number=1, version=internship.version, value=0.85)
    submission = hand_in(internship, number=1, value=value)

    text = read(client_of(internship.intern), submission)

    said = ("Better than", "Worse than", "Not distinguishable from")
    assert [f"{words} the baseline" for words in said if f"{words} the baseline" in text] == [told]
    assert "normal test with the metric&#x27;s recorded noise, two-sided, p = " in text
    assert "There is one value on each side" in text
    assert ("is-better" in text) is (value == 0.9)
    assert ("is-worse" in text) is (value == 0.8)


def test_a_mean_over_seeds_stands_with_its_interval_its_seeds_and_the_paired_test(
    client_of: Any, internship: Any, hand_in: Any, seeded: Any
) -> None:
    baseline = hand_in(None, number=1, version=internship.version, value=0.85)
    submission = hand_in(internship, number=1, value=0.9)
    internship.version.manifest["evaluation"] = {"seeds": 5, "retrain": True}
    internship.version.save()
    seeded(baseline, [0.84, 0.86, 0.85, 0.83, 0.87])
    seeded(submission, [0.90, 0.91, 0.89, 0.88, 0.92])

    response = client_of(internship.intern).get(f"/submissions/{submission.pk}/")

    text = " ".join(response.content.decode().split())
    assert "± 0.026 over 5 seeds" in text
    assert "spread 0.016, 5 seeds" in text
    assert "Better than the baseline" in text
    assert "paired t-test over seeds, two-sided, p under 0.0001" in text
    assert "https://doi.org/10.1093/biomet/6.1.1" in text
    assert "with the same 5 seeds" in text
    assert [line.place for line in response.context["finding"].seeds] == [1, 2, 3, 4, 5]


def test_seeds_that_change_nothing_are_told(client_of: Any, internship: Any, hand_in: Any, seeded: Any) -> None:
    baseline = hand_in(None, number=1, version=internship.version, value=0.85)
    submission = hand_in(internship, number=1, value=0.87)
    internship.version.manifest["evaluation"] = {"seeds": 5, "retrain": True}
    internship.version.save()
    seeded(baseline, [0.84, 0.86, 0.85, 0.83, 0.87])
    seeded(submission, [0.88] * 5)

    text = read(client_of(internship.intern), submission)

    assert "Not distinguishable from the baseline" in text
    assert "does train() use the seed it is given?" in text


def test_less_than_the_project_calls_a_difference_is_told(client_of: Any, internship: Any, hand_in: Any) -> None:
    hand_in(None, number=1, version=internship.version, value=0.85)
    submission = hand_in(internship, number=1, value=0.9)
    internship.version.manifest["evaluation"] = {"smallest_difference": 0.1}
    internship.version.save()

    assert "but by less than this project calls a difference" in read(client_of(internship.intern), submission)


def test_a_baseline_that_was_not_measured_here_is_said_to_be_its_authors(
    client_of: Any, internship: Any, hand_in: Any
) -> None:
    internship.version.manifest["anchors"] = [
        {"name": "baseline", "value": 0.8, "source": "measured", "baseline": True, "mode": "any"}
    ]
    internship.version.save()
    submission = hand_in(internship, number=1, value=0.9)

    assert "it has not been measured here" in read(client_of(internship.intern), submission)


def test_memory_and_gpu_over_the_run_are_a_chart_with_a_table(
    client_of: Any, internship: Any, hand_in: Any, now: Any
) -> None:
    submission = hand_in(internship, number=1, value=0.9, processor_seconds=90.0, finished_at=now)
    Run.objects.update(curve={"memory": [[0, 2**30], [1, 2**31]], "gpu": [[1, 55, 2**30], [3, None, 2**30]]})

    response = client_of(internship.intern).get(f"/submissions/{submission.pk}/")

    curve = response.context["curve"]
    assert [line["label"] for line in curve["lines"]] == ["Memory, GB", "GPU memory, GB", "GPU at work, %"]
    assert [(row["second"], row["cells"]) for row in curve["rows"]] == [
        (0, [1.0, None, None]),
        (1, [2.0, 1.0, 55.0]),
        (3, [None, 1.0, None]),
    ]
    text = " ".join(response.content.decode().split())
    assert 'data-chart="run-curve-data"' in text
    assert "Memory and GPU" in text
    assert '<p class="stat-label">Processor-minutes</p><p class="stat-value mb-0">1.5</p>' in text


def test_a_run_too_short_to_be_looked_at_twice_has_no_curve(client_of: Any, internship: Any, hand_in: Any) -> None:
    submission = hand_in(internship, number=1, value=0.9, curve={"memory": [[0, 2**30]]})

    assert "run-curve" not in read(client_of(internship.intern), submission)


@pytest.mark.parametrize(
    ("state", "fault", "told"),
    [
        ("invalid", "format", "its predictions can&#x27;t be read"),
        ("failed", "code", "Mend it in your notebook"),
        ("failed", "limit", "went over a limit"),
        ("failed", "ours", "costs you no attempt"),
        ("cancelled", "", "taken back before it was scored"),
    ],
)
def test_an_end_without_a_score_says_why_and_what_to_do(
    client_of: Any, internship: Any, hand_in: Any, state: str, fault: str, told: str
) -> None:
    submission = hand_in(internship, number=1, state=state, fault=fault, reason="449 rows; 450 are needed.")

    text = read(client_of(internship.intern), submission)

    assert "449 rows; 450 are needed." in text
    assert told in text


@pytest.mark.parametrize(("who", "offered"), [("intern", False), ("mentor", True)])
def test_only_a_mentor_may_run_it_again(
    request: pytest.FixtureRequest, client_of: Any, internship: Any, hand_in: Any, who: str, offered: bool
) -> None:
    submission = hand_in(internship, number=1, value=0.9)

    assert ("Run it again" in read(client_of(request.getfixturevalue(who)), submission)) is offered


def test_the_live_part_is_sent_only_when_something_changed(client_of: Any, internship: Any, hand_in: Any) -> None:
    submission = hand_in(internship, number=1, state="running", phase="predicting")
    client = client_of(internship.mentor)
    path, seen = f"/submissions/{submission.pk}/live/", client.get(f"/submissions/{submission.pk}/").context["seen"]

    assert client.get(path, {"seen": seen}).status_code == 204
    Run.objects.filter(submission=submission).update(log_tail="one line more")
    changed = client.get(path, {"seen": seen})

    assert changed.status_code == 200
    assert changed.context["seen"] != seen
    assert "one line more" in changed.content.decode()


def test_the_page_costs_the_same_however_many_runs_there_were(
    client_of: Any, internship: Any, hand_in: Any, now: Any
) -> None:
    submission, client = hand_in(internship, number=1, value=0.9), client_of(internship.mentor)

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            read(client, submission)
        return len(queries)

    few = count()
    for attempt in range(2, 12):
        Run.objects.create(
            submission=submission, attempt=attempt, state="scored", queued_at=now, deadline=now + timedelta(hours=1)
        )

    assert count() == few

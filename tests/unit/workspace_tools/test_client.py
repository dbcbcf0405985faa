"""The client against a site that answers over a real socket: what it sends, and how each refusal reads."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from practicum_hub.workspace import errors
from practicum_hub.workspace.answers import Activity
from practicum_hub.workspace.client import Environment, SiteClient
from practicum_hub.workspace.handin import hand_in
from practicum_hub.workspace.waiting import PATIENCE, follow
from tests.workspace.fake_site import FakeSite


def test_a_hand_in_arrives_whole_with_its_source(client: SiteClient, site: FakeSite) -> None:
    handed = hand_in(client, source="cell")

    assert (handed.submission.number, handed.submission.state, site.sources) == (1, "received", ["cell"])
    assert site.submissions[0]["digest"] == handed.digest


def test_the_status_is_read_into_types(client: SiteClient, site: FakeSite) -> None:
    site.seed(count=2)

    status = client.status()

    assert (status.project, status.baseline, status.best) == ("Read handwritten digits", 0.95, 0.95)
    assert [one.number for one in status.submissions] == [2, 1]
    assert status.session_until is not None


def test_the_same_content_again_names_the_first(client: SiteClient, site: FakeSite) -> None:
    hand_in(client, source="terminal")

    with pytest.raises(errors.Duplicate, match=rf"already handed in as #1: {site.url}/submissions/1/") as refusal:
        hand_in(client, source="terminal")

    assert refusal.value.facts["number"] == 1
    assert len(site.submissions) == 1


def test_an_expired_token_says_to_restart_and_never_shows_itself(site: FakeSite, project: Path) -> None:
    client = SiteClient(Environment.read(site.environment(str(project)) | {"PRACTICUM_TOKEN": "an-old-secret"}))

    with pytest.raises(errors.TokenExpired, match="restart your notebook from the site's home") as refusal:
        hand_in(client, source="terminal")

    assert "an-old-secret" not in str(refusal.value) + repr(refusal.value.as_json())


@pytest.mark.parametrize(
    ("status", "error", "kind", "said"),
    [
        (403, {}, errors.TokenExpired, "restart your notebook"),
        (404, {}, errors.NotThere, "no such thing"),
        (409, {"code": "conflict", "message": "The project has closed."}, errors.SiteRefused, "The project has closed"),
        (
            413,
            {"message": "At most 20 MB."},
            errors.UploadTooLarge,
            r"At most 20 MB\. The largest files: .*start\.ipynb",
        ),
        (400, {"message": "Unsafe name.", "member": "../x"}, errors.ArchiveRefused, r"Unsafe name\. \(in \.\./x\)"),
        (429, {"message": "Five a day."}, errors.CapReached, "Five a day"),
        (500, {}, errors.SiteAway, "does not answer"),
        (302, {}, errors.SiteAway, "does not answer"),
    ],
)
def test_each_refusal_has_a_class_and_a_sentence(
    client: SiteClient,
    site: FakeSite,
    status: int,
    error: dict[str, Any],
    kind: type[errors.WorkspaceError],
    said: str,
) -> None:
    site.refusal = (status, {"error": error})

    with pytest.raises(kind, match=said) as refusal:
        hand_in(client, source="terminal")

    assert type(refusal.value) is kind
    assert not site.submissions


def test_an_answer_that_makes_no_sense_is_a_fault_of_ours(client: SiteClient, site: FakeSite) -> None:
    site.refusal = (200, {"unexpected": True})

    with pytest.raises(errors.SiteAway, match="does not understand"):
        client.status()


def test_a_site_that_is_away_loses_nothing(site: FakeSite, project: Path) -> None:
    client = SiteClient(
        dataclasses.replace(Environment.read(site.environment(str(project))), api_url="http://127.0.0.1:9")
    )

    with pytest.raises(errors.SiteAway, match=r"Not handed in: the site does not answer\. Nothing is lost"):
        hand_in(client, source="terminal")
    with pytest.raises(errors.SiteAway, match="try again"):
        client.status()


def test_an_upload_refused_before_it_ends_still_reads_the_reason(
    client: SiteClient, project: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "large.zip"
    with archive.open("wb") as stream:
        stream.truncate(60_000_000)

    with pytest.raises(errors.UploadTooLarge, match="At most 50 MB"):
        client.submit(archive, source="terminal")


def test_activity_is_reported_and_the_warning_comes_back(client: SiteClient, site: FakeSite) -> None:
    site.warning = "Nothing has run for 20 minutes."
    at = datetime(2026, 3, 18, 10, 0, tzinfo=UTC)
    activity = Activity(
        busy_kernels=1,
        kernels=2,
        last_execution_at=at,
        cpu_seconds=1.23456,
        terminals=1,
        committed_at=at - timedelta(days=1),
    )

    answer = client.activity(activity)

    assert answer.warning == site.warning
    assert answer.stop_at is not None
    assert site.activity == [
        {
            "busy_kernels": 1,
            "kernels": 2,
            "last_execution_at": "2026-03-18T10:00:00+00:00",
            "cpu_seconds": 1.235,
            "terminals": 1,
            "committed_at": "2026-03-17T10:00:00+00:00",
        }
    ]


def test_following_shows_each_state_until_the_score(client: SiteClient, site: FakeSite) -> None:
    first = hand_in(client, source="terminal").submission
    shown: list[str] = []

    ended = follow(
        client, first=first, show=lambda one: shown.append(one.state), pause=lambda _seconds: site.advance(1, score=0.9)
    )

    assert shown == ["received", "queued", "running", "scored"]
    assert (ended.score, ended.difference) == (0.9, -0.05)


def test_following_outlasts_a_short_silence_and_gives_up_on_a_long_one(client: SiteClient, site: FakeSite) -> None:
    first = hand_in(client, source="terminal").submission
    pauses = 0

    def pause(_seconds: float) -> None:
        nonlocal pauses
        pauses += 1
        site.refusal = None if pauses == PATIENCE else (502, {})

    with pytest.raises(errors.SiteAway, match="#1 is handed in"):
        follow(client, first=first, show=lambda _one: None, pause=pause)

    assert pauses == 2 * PATIENCE


def test_outside_a_notebook_the_missing_settings_are_named() -> None:
    with pytest.raises(errors.NotAWorkspace, match="PRACTICUM_TOKEN, PRACTICUM_PROJECT_DIR not set"):
        Environment.read({"PRACTICUM_API_URL": "http://site"})

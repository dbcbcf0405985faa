"""The final choice, the close, hidden names, the release, and that nothing of the kept rows shows before it."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from practicum.accounts.models import User
from practicum.accounts.notices import notify
from practicum.audit.models import Record
from practicum.catalog.models import ProjectVersion
from practicum.errors import Conflict, Invalid, NotFound
from practicum.evaluation import board_views, finals
from practicum.evaluation.board import Board, Row, board_of
from practicum.evaluation.board_export import csv_of
from practicum.evaluation.closing import end_of, terms_on
from practicum.evaluation.models import FinalChoice, Leaderboard, Run, Score
from practicum.evaluation.standings import standings_of
from practicum.gpus.inventory import pool_of
from practicum.gpus.models import Lease, PoolKind, Server, Slot
from practicum.internships.services import start_internship
from practicum.lib.clock import utc_now
from practicum.portal import submissions as submission_pages
from practicum.submissions.models import Submission
from practicum.workspaces.models import Session
from practicum.workspaces.tokens import mint_token
from tests.conftest import NOW, make_user
from tests.unit.config.test_permissions import COLUMNS, MATRIX

HandIn = Callable[..., Submission]
CLOSE = datetime(2026, 4, 27, tzinfo=UTC)  # the cohort's last day is the 26th
AFTER = CLOSE + timedelta(hours=1)
HOUR = timedelta(hours=1)
SECRETS = ("0.7715", "0.8104", "0.772", "0.8134", "0.813", "0.4321", "0.432", "0.6688", "0.669")


@pytest.fixture
def scored(hand_in: HandIn) -> Callable[..., Submission]:
    """``scored(internship, shown, final)``: a submission as if evaluated."""
    count = 0

    def make(
        internship: Any, shown: float, final: float | None = None, *, at: datetime = NOW, **more: Any
    ) -> Submission:
        nonlocal count
        count += 1
        moment = at - timedelta(days=1) * count if at == NOW else at
        submission = hand_in(internship, b"%d" % count, at=moment)
        Run.objects.filter(submission=submission).update(state="scored", started_at=moment, finished_at=moment)
        value = shown if final is None else final
        Score.objects.create(
            run=submission.runs.get(), value=value, metrics={"accuracy": value, "other": 0.43219}, shown_value=shown,
            shown_metrics={"accuracy": shown, "other": 0.66881}, scored_at=more.get("scored_at", moment),
        )  # fmt: skip
        return submission

    return make


@pytest.fixture
def divided(version: Any) -> Any:
    """Half of the hidden rows are shown; the step is then 0.015."""
    version.manifest = version.manifest | {"split": {"shown": 0.5}}
    version.save()
    return version


def board(viewer: User, internship: Any, *, now: datetime = NOW) -> Board:
    version = internship.version
    return board_of(internship.cohort, version=version, viewer=viewer, now=now)


def places(shown: Board) -> list[tuple[int | None, str, float, int | None, float | None]]:
    return [(row.rank, row.name, row.value, row.final_rank, row.final) for row in shown.rows]


def at(moment: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    """The site's clock says this."""
    for module in (board_views, submission_pages):
        monkeypatch.setattr(module, "utc_now", lambda: moment)


# What is told, and what ranks.


def test_interns_are_ranked_by_what_they_were_told_and_mentors_see_both_scores(
    divided: Any, internship: Any, peer_internship: Any, scored: Any, intern: Any, mentor: Any
) -> None:
    scored(internship, 0.81, 0.70, at=NOW - 3 * HOUR)
    scored(internship, 0.8134, 0.90, at=NOW - 2 * HOUR)  # better by less than a step: not told, though it is better
    scored(peer_internship, 0.812, 0.80, at=NOW - HOUR)

    assert places(board(intern, internship)) == [
        (1, "Paul Peer", 0.812, None, None),
        (2, "Ines Intern", 0.81, None, None),
    ]
    assert places(board(mentor, internship)) == [(1, "Paul Peer", 0.812, 1, 0.8), (2, "Ines Intern", 0.81, 2, 0.7)]


def test_of_two_the_same_to_the_digit_the_earlier_is_ahead(
    internship: Any, peer_internship: Any, scored: Any, intern: Any
) -> None:
    scored(internship, 0.8001, at=NOW - HOUR)
    scored(peer_internship, 0.7999, at=NOW - 2 * HOUR)

    assert [row.name for row in board(intern, internship).rows] == ["Paul Peer", "Ines Intern"]


def test_scores_are_told_in_the_order_they_came_whatever_comes_later_about_an_earlier_submission(
    internship: Any, scored: Any
) -> None:
    scored(internship, 0.80, at=NOW - 3 * HOUR, scored_at=NOW)
    scored(internship, 0.805, at=NOW - 2 * HOUR, scored_at=NOW - HOUR)

    points = standings_of([internship])[internship.pk].points
    assert [(point.number, point.value, point.is_new) for point in points] == [(1, 0.805, False), (2, 0.805, True)]


def test_a_submission_that_was_scored_again_keeps_its_place_in_that_order(internship: Any, scored: Any) -> None:
    first = scored(internship, 0.80, at=NOW - 3 * HOUR)
    scored(internship, 0.85, at=NOW - 2 * HOUR)
    again = Run.objects.create(submission=first, attempt=2, state="scored", queued_at=NOW, deadline=NOW)
    Score.objects.create(run=again, value=0.6, metrics={}, shown_value=0.6, scored_at=NOW)

    points = standings_of([internship])[internship.pk].points
    assert [point.value for point in points] == [0.6, 0.85]


def test_what_ranks_is_the_one_that_set_the_best_or_the_one_that_was_chosen(
    divided: Any, internship: Any, intern: Any, mentor: Any, scored: Any
) -> None:
    first = scored(internship, 0.70, 0.9, at=NOW - 3 * HOUR)
    best = scored(internship, 0.80, 0.6, at=NOW - 2 * HOUR)
    (row,) = board(mentor, internship).rows
    assert (row.final_number, row.final) == (best.number, 0.6)

    finals.choose_final(first, actor=intern, now=NOW)

    (row,) = board(mentor, internship).rows
    assert (row.value, row.final_number, row.final) == (0.8, first.number, 0.9)
    assert Record.objects.filter(verb="submission.chosen_final", actor=intern).count() == 1


def test_what_came_after_the_close_never_ranks(internship: Any, intern: Any, mentor: Any, scored: Any) -> None:
    scored(internship, 0.7, at=CLOSE - timedelta(seconds=1))
    scored(internship, 0.9, at=CLOSE)

    (row,) = board(intern, internship, now=AFTER).rows
    assert (row.value, row.submissions) == (0.7, 2)
    (row,) = board(mentor, internship, now=AFTER).rows
    assert row.final == 0.7


def test_what_was_received_in_time_ranks_however_late_it_was_scored(internship: Any, mentor: Any, scored: Any) -> None:
    scored(internship, 0.7, at=CLOSE - timedelta(seconds=1), scored_at=AFTER)

    assert [row.final for row in board(mentor, internship, now=AFTER).rows] == [0.7]


@pytest.mark.parametrize("state", ["failed", "invalid", "cancelled", "queued", "running"])
def test_a_run_without_a_score_never_ranks(internship: Any, intern: Any, hand_in: HandIn, state: str) -> None:
    submission = hand_in(internship)
    Run.objects.filter(submission=submission).update(state=state)

    shown = board(intern, internship)
    assert (shown.rows, shown.waiting) == ([], 1)
    with pytest.raises(Conflict, match="no score"):
        finals.choose_final(submission, actor=intern, now=NOW)


# The final choice.


def test_a_choice_may_be_changed_until_the_close_and_never_after_it(internship: Any, intern: Any, scored: Any) -> None:
    first, second = scored(internship, 0.7, at=NOW - 2 * HOUR), scored(internship, 0.8, at=NOW - HOUR)
    finals.choose_final(first, actor=intern, now=NOW)
    finals.choose_final(second, actor=intern, now=CLOSE - timedelta(seconds=1))

    with pytest.raises(Conflict, match="closed on"):
        finals.choose_final(first, actor=intern, now=CLOSE)
    assert FinalChoice.objects.get().submission == second


@pytest.mark.parametrize("who", ["peer", "mentor", "admin"])
def test_nobody_else_chooses(internship: Any, scored: Any, request: pytest.FixtureRequest, who: str) -> None:
    submission = scored(internship, 0.7)

    with pytest.raises(NotFound):
        finals.choose_final(submission, actor=request.getfixturevalue(who), now=NOW)
    assert not FinalChoice.objects.exists()


def test_an_intern_chooses_on_the_submissions_page(
    internship: Any, intern: Any, scored: Any, client_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(NOW, monkeypatch)
    first, best = scored(internship, 0.7, at=NOW - 2 * HOUR), scored(internship, 0.8, at=NOW - HOUR)
    client = client_of(intern)
    assert "as long as none is chosen" in client.get(f"/submissions/{best.pk}/").content.decode()

    response = client.post(f"/submissions/{first.pk}/choose/", follow=True)

    assert "This one counts in the final ranking." in response.content.decode()
    assert "Another submission counts" in client.get(f"/submissions/{best.pk}/").content.decode()
    assert re.search(rf'/submissions/{first.pk}/".*?counts</span>', client.get("/submissions/").content.decode(), re.S)


# The close.


def test_the_board_closes_at_the_end_of_the_cohorts_last_day_or_when_a_mentor_says(
    internship: Any, mentor: Any, version: Any, cohort: Any
) -> None:
    assert terms_on(cohort, project=version.project).closes_at == end_of(cohort) == CLOSE

    finals.set_close(cohort, project=version.project, closes_at=NOW + HOUR, actor=mentor, now=NOW)
    assert terms_on(cohort, project=version.project).closes_at == NOW + HOUR
    finals.set_close(cohort, project=version.project, closes_at=None, actor=mentor, now=NOW)
    assert terms_on(cohort, project=version.project).closes_at == CLOSE
    assert Record.objects.filter(verb="leaderboard.close_set", actor=mentor).count() == 2


def test_the_close_lies_ahead_and_cannot_be_moved_once_it_has_passed(
    internship: Any, mentor: Any, version: Any, cohort: Any
) -> None:
    with pytest.raises(Invalid, match="ahead"):
        finals.set_close(cohort, project=version.project, closes_at=NOW, actor=mentor, now=NOW)
    with pytest.raises(Conflict, match="closed on"):
        finals.set_close(cohort, project=version.project, closes_at=AFTER + HOUR, actor=mentor, now=CLOSE)
    assert not Leaderboard.objects.exists()


def test_a_bad_time_is_said_next_to_the_field_and_kept(
    internship: Any, mentor: Any, client_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(NOW, monkeypatch)
    address = "/projects/digits/leaderboard/spring/close/"

    for written, said in (("soon", "Write a date and a time"), ("2026-03-01T10:00", "Choose a time that lies ahead")):
        response = client_of(mentor).post(address, {"closes_at": written})
        assert response.status_code == 400
        assert said in response.content.decode()
        assert f'value="{written}"' in response.content.decode()
    assert client_of(mentor).post(address, {"closes_at": "2026-04-20T18:00"}).status_code == 302
    assert "Closes on 20 April 2026, 18:00" in client_of(mentor).get("/projects/digits/leaderboard/").content.decode()


# The release.


def test_final_scores_are_released_after_the_close_and_interns_are_told(
    divided: Any, internship: Any, peer_internship: Any, scored: Any, intern: Any, mentor: Any, cohort: Any
) -> None:
    project = divided.project
    scored(internship, 0.81, 0.77153, at=NOW - 2 * HOUR)
    scored(peer_internship, 0.85, 0.70, at=NOW - HOUR)
    with pytest.raises(Conflict, match="can be released after that"):
        finals.release_final(cohort, project=project, actor=mentor, now=CLOSE - timedelta(seconds=1))
    assert places(board(intern, internship, now=AFTER)) == [
        (1, "Paul Peer", 0.85, None, None),
        (2, "Ines Intern", 0.81, None, None),
    ]

    finals.release_final(cohort, project=project, actor=mentor, now=AFTER)

    assert places(board(intern, internship, now=AFTER)) == [
        (2, "Ines Intern", 0.81, 1, 0.772),
        (1, "Paul Peer", 0.85, 2, 0.7),
    ]
    assert [notice.subject for notice in intern.notices.all()] == ["The leaderboard of Digits is final"]
    assert Record.objects.filter(verb="leaderboard.released", actor=mentor).count() == 1
    with pytest.raises(Conflict, match="already"):
        finals.release_final(cohort, project=project, actor=mentor, now=AFTER)


def test_nothing_is_released_while_a_submission_of_before_the_close_is_evaluated(
    internship: Any, hand_in: HandIn, mentor: Any, cohort: Any, version: Any
) -> None:
    hand_in(internship, b"in time", at=CLOSE - HOUR)
    hand_in(internship, b"late", at=CLOSE)

    with pytest.raises(Conflict, match="1 submission received before the close is still being evaluated"):
        finals.release_final(cohort, project=version.project, actor=mentor, now=AFTER)
    Run.objects.filter(submission__number=1).update(state="failed")
    finals.release_final(cohort, project=version.project, actor=mentor, now=AFTER)


# Names.


def test_hidden_names_are_neutral_for_interns_but_their_own_and_stay_when_others_join(
    internship: Any, peer_internship: Any, scored: Any, intern: Any, mentor: Any, admin: Any, cohort: Any, version: Any
) -> None:
    scored(internship, 0.7)
    scored(peer_internship, 0.9)
    finals.hide_names(cohort, project=version.project, hidden=True, actor=mentor, now=NOW)

    neutral = board(intern, internship).rows[0].name
    assert re.fullmatch(r"Intern [12]", neutral)
    assert [row.name for row in board(intern, internship).rows] == [neutral, "Ines Intern"]
    assert next((row.name, row.shown_as) for row in board(mentor, internship).rows) == ("Paul Peer", neutral)

    late = make_user("late", role="intern", name="Late Comer")
    scored(start_internship(late, mentor=mentor, cohort=cohort, version=version, actor=admin, now=NOW), 0.95)
    assert [row.name for row in board(intern, internship).rows] == ["Intern 3", neutral, "Ines Intern"]

    finals.hide_names(cohort, project=version.project, hidden=False, actor=mentor, now=NOW)
    assert [row.name for row in board(intern, internship).rows] == ["Late Comer", "Paul Peer", "Ines Intern"]
    verbs = Record.objects.filter(verb__startswith="leaderboard.names").order_by("pk").values_list("verb", flat=True)
    assert list(verbs) == ["leaderboard.names_hidden", "leaderboard.names_shown"]


def test_with_hidden_names_no_page_of_an_intern_has_a_peers_name(
    internship: Any, peer_internship: Any, scored: Any, intern: Any, mentor: Any, client_of: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    at(NOW, monkeypatch)
    mine, _ = scored(internship, 0.7), scored(peer_internship, 0.9)
    assert client_of(mentor).post("/projects/digits/leaderboard/spring/names/", {"hidden": "yes"}).status_code == 302

    for address in ("/projects/digits/leaderboard/", f"/submissions/{mine.pk}/", f"/submissions/{mine.pk}/live/", "/"):
        page = client_of(intern).get(address).content.decode()
        assert "Paul" not in page, address
    page = client_of(intern).get("/projects/digits/leaderboard/").content.decode()
    assert re.search(r">Intern [12]<", page)
    assert "Paul Peer" in client_of(mentor).get(f"/submissions/{mine.pk}/").content.decode()


# Nothing of the kept rows, and no score that is not told, is on anything an intern can open.


@pytest.fixture
def planted(divided: Any, internship: Any, peer_internship: Any, scored: Any, mentor: Any) -> dict[str, Any]:
    """Submissions whose secrets would show as one of ``SECRETS``, and everything an address may name."""
    scored(internship, 0.81049, 0.77153, at=NOW - 3 * HOUR)
    scored(internship, 0.81341, 0.77153, at=NOW - 2 * HOUR)
    scored(peer_internship, 0.75, 0.77153, at=NOW - HOUR)
    baseline = Submission.objects.create(
        version=divided, number=1, digest="b" * 64, source="baseline", received_at=NOW, size_bytes=1, files=[]
    )
    Score.objects.create(
        run=Run.objects.create(submission=baseline, state="scored", queued_at=NOW, deadline=NOW), value=0.77153,
        shown_value=0.74, metrics={"accuracy": 0.77153, "other": 0.43219}, shown_metrics={"accuracy": 0.74, "other": 0.66881},
        scored_at=NOW,
    )  # fmt: skip
    (divided.folder / "project" / "README.md").write_text("# Digits\n")
    server = Server.objects.create(name="gpu-1", seen_at=NOW)
    slot = Slot.objects.create(
        server=server, pool=pool_of(name="CPU slots", kind=PoolKind.CPU), kind="cpu", index=0, uuid="cpu-0", model="CPU"
    )
    soon = utc_now() + HOUR
    lease = Lease.objects.create(
        user=internship.intern, cohort=internship.cohort, state="active", token=1, slot=slot, duration=HOUR,
        requested_at=NOW, granted_at=NOW, lease_until=soon,
    )  # fmt: skip
    session = Session.objects.create(
        user=internship.intern, internship=internship, lease=lease, state="running", deadline=soon, requested_at=NOW,
        active_at=utc_now(),
    )  # fmt: skip
    notify(internship.intern, kind="test", subject="Hello", body="Hello", path="/", key="test", now=NOW)
    return {
        "token": mint_token(session, expires_at=soon, now=utc_now()),
        "submissions": [*Submission.objects.filter(internship=internship).values_list("pk", flat=True), baseline.pk],
        "internship_id": internship.pk,
    }


# Views an intern may GET that show nothing of submissions.
ELSEWHERE = {
    "accounts:account", "evaluation:upload", "gpus:reservation_feed", "oauth2_provider:jwks-info",
    "oauth2_provider:oidc-connect-discovery-info", "portal:health", "portal:live", "portal:ready", "portal:status",
    "submissions:file", "reviews:notebook", "reviews:remedy",
    "workspaces:snapshot_archive", "credentials:check", "credentials:issuer", "credentials:portfolio", "credentials:revoked",
    "credentials:verifier", "internships:apply", "internships:cohort", "internships:join", "portal:permissions",
    "accounts:kinds", "accounts:unsubscribe", "account_reauthenticate", "mfa_index",
    # A certificate is issued once final scores are released, or a mentor says so: tests/unit/credentials/test_issuing.py.
    "credentials:bundle", "credentials:certificate", "credentials:document", "credentials:pdf",
}  # fmt: skip


def addresses(planted: dict[str, Any]) -> dict[str, list[str]]:
    """Every address with something on it that an intern may GET, by view."""
    of_submissions = {
        view: [reverse(view, args=[pk]) for pk in planted["submissions"]]
        for view in ("portal:submission", "portal:submission_live")
    }
    return of_submissions | {
        "reviews:desk": [reverse("reviews:desk", args=[pk]) for pk in planted["submissions"][:2]],
        "portal:home": ["/"],
        "portal:internship": [reverse("portal:internship", args=[planted["internship_id"]])],
        "portal:submissions": [reverse("portal:submissions")],
        "evaluation:leaderboard": [reverse("evaluation:leaderboard", args=["digits"])],
        "catalog:project": [reverse("catalog:project", args=["digits"])],
        "catalog:projects": [reverse("catalog:projects")],
        "accounts:notices": [reverse("accounts:notices")],
        "workspaces:notebook": [reverse("workspaces:notebook")],
        "workspaces:help": [reverse("workspaces:help")],
        "workspaces:live": [reverse("workspaces:live")],
        "workspaces:snapshots": [reverse("workspaces:snapshots")],
        "credentials:certificates": [reverse("credentials:certificates")],
        "credentials:own_portfolio": [reverse("credentials:own_portfolio")],
        "internships:record": [reverse("internships:record", args=[planted["internship_id"]])],
        "persons:own": [reverse("persons:own")],
        "persons:export_own": [reverse("persons:export_own")],
    }


def told_by(response: Any) -> str:
    """What an answer says; of a ZIP, what is in it."""
    content = b"".join(response.streaming_content) if response.streaming else response.content
    if response["Content-Type"] != "application/zip":
        return str(content.decode())
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        return "\n".join(packed.read(name).decode(errors="replace") for name in packed.namelist())


def test_every_page_an_intern_may_open_is_looked_at(planted: dict[str, Any]) -> None:
    intern = COLUMNS.index("intern")
    may_open = {view for view, (get, _) in MATRIX.items() if get.split()[intern] == "200"}

    assert may_open - ELSEWHERE - {"accounts:sign_in", "account_login"} == set(addresses(planted))


@pytest.mark.parametrize("moment", [NOW, AFTER], ids=["open", "closed"])
def test_no_private_score_is_on_any_page_of_an_intern_before_the_release(
    planted: dict[str, Any], intern: Any, client_of: Any, moment: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(moment, monkeypatch)
    client = client_of(intern)
    for pages in addresses(planted).values():
        for address in pages:
            response = client.get(address)
            assert response.status_code == 200, address
            page = told_by(response)
            found = [secret for secret in SECRETS if secret in page]
            assert not found, f"{address} shows {found}"
            assert "no-store" in response["Cache-Control"], address
            assert "ETag" not in response, address


def test_no_private_score_is_told_to_a_notebook(planted: dict[str, Any]) -> None:
    for address in ("status", "submissions/1", "submissions/2"):
        response = Client().get(f"/api/workspace/{address}", headers={"Authorization": f"Bearer {planted['token']}"})
        assert response.status_code == 200
        assert not [secret for secret in SECRETS if secret in response.content.decode()], address
        assert response["Cache-Control"] == "private, no-store"
    told = response.json()
    assert (told["state"], told["score"], told["difference"]) == ("scored", None, None)
    assert told["reason"] == "Not better than your best by 0.015 or more. Your best stays 0.810."


def test_a_mentor_finds_every_one_of_them(planted: dict[str, Any], mentor: Any, client_of: Any) -> None:
    """Or the tests above would look for what is nowhere."""
    pages = [client_of(mentor).get(address).content.decode() for address in addresses(planted)["portal:submission"]]
    pages.append(client_of(mentor).get("/projects/digits/leaderboard/").content.decode())

    shown = {secret for secret in SECRETS if any(secret in page for page in pages)}
    assert {"0.772", "0.813", "0.432", "0.669"} <= shown


def test_the_release_shows_the_final_score_of_what_counts_and_nothing_else(
    planted: dict[str, Any], intern: Any, mentor: Any, cohort: Any, version: Any, client_of: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    at(AFTER, monkeypatch)
    finals.release_final(cohort, project=version.project, actor=mentor, now=AFTER)

    page = client_of(intern).get("/projects/digits/leaderboard/").content.decode()
    assert "0.772" in page
    assert not [secret for secret in ("0.813", "0.432", "0.669") if secret in page]


# The rest of the page.


def test_mentors_choose_among_the_versions_a_cohort_works_on_and_interns_see_their_own(
    internship: Any, peer_internship: Any, version: Any, scored: Any, intern: Any, mentor: Any, client_of: Any
) -> None:
    newer = ProjectVersion.objects.create(
        project=version.project, number=2, digest="e" * 64, manifest=version.manifest, mode="toy", image=version.image,
        published_at=NOW, published_by=version.published_by,
    )  # fmt: skip
    peer_internship.version = newer
    peer_internship.save()
    scored(internship, 0.7)
    scored(peer_internship, 0.9)
    page = "/projects/digits/leaderboard/"

    def names(who: Any, query: str) -> list[str]:
        return [row.name for row in client_of(who).get(page + query).context["board"].rows]

    assert names(mentor, "") == names(mentor, "?version=2") == ["Paul Peer"]
    assert names(mentor, "?cohort=spring&version=1") == names(intern, "") == ["Ines Intern"]
    assert {
        client_of(who).get(f"{page}?version={number}").status_code for who, number in ((intern, 2), (mentor, 3))
    } == {404}


def test_the_csv_is_for_mentors_and_no_cell_is_a_formula(
    internship: Any, peer_internship: Any, scored: Any, mentor: Any, peer: Any, client_of: Any
) -> None:
    User.objects.filter(pk=peer.pk).update(name='=HYPERLINK("http://x")')
    scored(peer_internship, 0.9, 0.8)
    scored(internship, 0.7, 0.6)

    response = client_of(mentor).get("/projects/digits/leaderboard/spring/board.csv")

    rows = list(csv.DictReader(io.StringIO(response.content.decode())))
    assert response["Content-Disposition"] == 'attachment; filename="leaderboard-digits-spring.csv"'
    assert [row["name"] for row in rows] == ['\'=HYPERLINK("http://x")', "Ines Intern"]
    assert [(row["shown_score"], row["final_score"], row["final_rank"]) for row in rows] == [
        ("0.9", "0.8", "1"),
        ("0.7", "0.6", "2"),
    ]


def test_a_negative_difference_is_a_number_in_the_csv(version: Any) -> None:
    row = Row(rank=1, name="A", value=0.5, at=None, submissions=1, url="", difference=-0.25)

    assert ",-0.25," in csv_of(Board(cohort=None, version=version, rows=[row], waiting=0, chart=None))


def test_a_long_board_begins_with_its_first_rows_and_ones_own_and_shows_all_when_asked(
    internship: Any, peer_internship: Any, scored: Any, client_of: Any, intern: Any, peer: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The board's first row alone is shown at once."""
    monkeypatch.setattr(board_views, "FIRST_ROWS", 1)
    monkeypatch.setattr(board_views, "FEW_MORE", 0)
    at(NOW, monkeypatch)
    scored(internship, 0.97, at=NOW - 2 * HOUR)
    scored(peer_internship, 0.98, at=NOW - HOUR)
    address = reverse("evaluation:leaderboard", args=[internship.version.project.slug])

    def names(viewer: Any, **query: str) -> list[str]:
        page = client_of(viewer).get(address, query)
        assert (">Show all 2 rows</a>" in page.content.decode()) is (len(page.context["rows"]) < 2)
        return [row.name for row in page.context["rows"]]

    assert names(peer) == ["Paul Peer"]
    assert names(intern) == ["Paul Peer", "Ines Intern"]
    assert names(peer, all="1") == ["Paul Peer", "Ines Intern"]
    monkeypatch.setattr(board_views, "FEW_MORE", 2)
    assert names(peer) == ["Paul Peer", "Ines Intern"]


def test_the_chart_has_each_interns_rises_and_no_other_point(
    divided: Any, internship: Any, peer_internship: Any, scored: Any, intern: Any
) -> None:
    scored(internship, 0.7, at=NOW - 4 * HOUR)
    scored(internship, 0.705, at=NOW - 3 * HOUR)
    scored(internship, 0.8, at=NOW - 2 * HOUR)
    scored(peer_internship, 0.75, at=NOW - HOUR)

    chart = board(intern, internship).chart
    assert chart is not None
    json.dumps(chart)
    assert [(p["name"], p["is_own"], p["value"]) for p in chart["points"]] == [
        ("Ines Intern", True, 0.7),
        ("Ines Intern", True, 0.8),
        ("Paul Peer", False, 0.75),
    ]

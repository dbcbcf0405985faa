"""The doors: upload, board, downloads, taking back and running again, and the notebook's API."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from practicum.evaluation.models import Run, Score
from practicum.evaluation.uploads import archive_of
from practicum.gpus import services as leases
from practicum.gpus.inventory import pool_of
from practicum.gpus.models import Estimate, Lease, PoolKind, Purpose
from practicum.internships.services import start_internship
from practicum.lib.clock import utc_now
from practicum.submissions.models import Submission
from practicum.workspaces.models import Session
from practicum.workspaces.services import open_notebook
from practicum.workspaces.tokens import mint_token
from tests.conftest import NOW, make_user
from tests.unit.gpus.conftest import make_slots
from tests.unit.submissions import zips

HandIn = Callable[..., Submission]
Work = Callable[..., Run | None]
HOUR = timedelta(hours=1)
UPLOAD = "/submissions/upload/"
BOARD = "/projects/digits/leaderboard/"
API = "/api/workspace/submissions"


def score(submission: Submission, value: float) -> None:
    """As if it had been evaluated."""
    Run.objects.filter(submission=submission).update(state="scored", finished_at=NOW, started_at=NOW)
    run = submission.runs.get()
    Score.objects.create(run=run, value=value, metrics={"accuracy": value}, scored_at=NOW)


def upload(client: Client, archive: io.BytesIO) -> Any:
    return client.post(UPLOAD, {"archive": SimpleUploadedFile("work.zip", archive.read())})


def test_an_uploaded_zip_becomes_a_submission_and_its_page_follows(
    internship: Any, intern: Any, client_of: Any
) -> None:
    response = upload(client_of(intern), zips.submission())

    submission = Submission.objects.get()
    assert (submission.source, submission.number) == ("upload", 1)
    assert (response.status_code, response["Location"]) == (302, f"/submissions/{submission.pk}/")


@pytest.mark.parametrize(
    ("archive", "status", "message"),
    [
        (b"no zip", 400, "not a zip"),
        (zips.zip_of({"predict.py": b"1", "../x": b"1"}).getvalue(), 400, "../x"),
        (zips.zip_of({"predict.py": b"1", "a.ipynb": b"{"}).getvalue(), 400, "a.ipynb"),
        (zips.zip_of({"predict.py": b"1", "artifact/w": bytes(21 * 1024**2)}).getvalue(), 413, "artifact/"),
    ],
)
def test_a_refused_upload_stays_on_its_page_with_the_reason(
    internship: Any, intern: Any, client_of: Any, archive: bytes, status: int, message: str
) -> None:
    response = upload(client_of(intern), io.BytesIO(archive))

    assert response.status_code == status
    assert message in response.content.decode()
    assert 'role="alert"' in response.content.decode()
    assert Submission.objects.count() == 0


def test_the_same_upload_again_points_to_the_first(internship: Any, intern: Any, client_of: Any) -> None:
    client = client_of(intern)
    upload(client, zips.submission())
    response = upload(client, zips.submission())

    assert response.status_code == 409
    assert f"/submissions/{Submission.objects.get().pk}/" in response.content.decode()


def test_an_upload_that_is_too_long_is_refused_before_it_is_read(
    internship: Any, intern: Any, client_of: Any, settings: Any
) -> None:
    settings.PRACTICUM_SUBMISSION_MAX_BYTES = 1000

    class Unread:
        def read(self, *_: Any) -> bytes:
            raise AssertionError("the body was read")

        readline = read

    response = client_of(intern).generic(
        "POST",
        UPLOAD,
        b"",
        content_type="multipart/form-data; boundary=x",
        CONTENT_LENGTH="999999",
        **{"wsgi.input": Unread()},
    )

    assert response.status_code == 413


def test_an_upload_without_the_forms_own_token_is_refused(internship: Any, intern: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(intern)

    assert upload(client, zips.submission()).status_code == 403
    assert Submission.objects.count() == 0


@pytest.mark.parametrize("fields", [{}, {"archive": "text"}])
def test_an_upload_without_a_file_says_so(internship: Any, intern: Any, client_of: Any, fields: dict[str, str]) -> None:
    response = client_of(intern).post(UPLOAD, fields)

    assert response.status_code == 400
    assert "Choose a zip file" in response.content.decode()


@pytest.mark.parametrize("kind", ["predictions", "code", "notebook"])
def test_the_upload_page_names_the_files_and_columns_of_the_predictions(
    kind: str, internship: Any, intern: Any, client_of: Any
) -> None:
    internship.version.manifest["submission"] |= {
        "kind": kind,
        "files": ["predictions.csv", "predictions.json"],
        "predictions_mb": 8,
        "columns": {
            "id": "int64",  # as versions have it that were published before columns had a range
            "label": {"type": "int64", "low": 0.0, "high": 9.0, "width": None},
            "score": {"type": "float32", "low": -0.5, "high": None, "width": [1, 64]},
        },
    }
    internship.version.save()

    page = client_of(intern).get(UPLOAD).content.decode()

    assert "<code>predictions.csv or predictions.json</code>" in page
    said = re.sub(r"<[^>]+>", "", page)
    assert "one row for each id: id int64; label int64, 0 to 9; score float32, 1 to 64 a row, at least -0.500" in said
    assert ("at most 8 MB" in said) == (kind == "predictions")


def test_an_intern_without_a_project_has_no_upload_page(intern: Any, client_of: Any) -> None:
    assert client_of(intern).get(UPLOAD).status_code == 404


def test_files_come_as_attachments_of_no_type_in_a_sandbox(
    internship: Any, intern: Any, client_of: Any, hand_in: HandIn
) -> None:
    submission = hand_in(internship, b"<script>alert(1)</script>")

    response = client_of(intern).get(f"/submissions/{submission.pk}/files/artifact/w")

    assert response.getvalue() == b"<script>alert(1)</script>"
    response.close()
    assert response["Content-Type"] == "application/octet-stream"
    assert response["Content-Disposition"] == 'attachment; filename="w"'
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"].startswith("sandbox")


@pytest.mark.parametrize(
    "path", ["../../secret", "nothing", "artifact", "artifact/../predict.py", "/etc/passwd", "%2e%2e/x"]
)
def test_only_files_that_were_taken_in_are_served(
    internship: Any, intern: Any, client_of: Any, hand_in: HandIn, path: str
) -> None:
    submission = hand_in(internship)

    assert client_of(intern).get(f"/submissions/{submission.pk}/files/{path}").status_code == 404


@pytest.mark.parametrize(
    ("who", "status"),
    [("intern", 200), ("mentor", 200), ("admin", 200), ("peer", 404), ("stranger", 404), ("other_mentor", 404)],
)
def test_who_may_read_a_submissions_files(
    internship: Any, client_of: Any, hand_in: HandIn, request: pytest.FixtureRequest, who: str, status: int
) -> None:
    submission = hand_in(internship)
    client = client_of(request.getfixturevalue(who))

    response = client.get(f"/submissions/{submission.pk}/files/predict.py")
    response.close()
    assert response.status_code == status


@pytest.mark.parametrize(
    ("who", "status"), [("intern", 404), ("peer", 404), ("mentor", 302), ("admin", 302), ("other_mentor", 404)]
)
def test_mentors_and_admins_may_have_it_run_again(
    internship: Any, client_of: Any, hand_in: HandIn, request: pytest.FixtureRequest, who: str, status: int
) -> None:
    submission = hand_in(internship)
    score(submission, 0.5)

    assert client_of(request.getfixturevalue(who)).post(f"/submissions/{submission.pk}/rerun/").status_code == status
    assert submission.runs.count() == (2 if status == 302 else 1)


@pytest.mark.parametrize(("who", "status"), [("intern", 302), ("peer", 404), ("mentor", 302), ("other_mentor", 404)])
def test_an_open_evaluation_can_be_taken_back_by_its_intern_and_staff(
    internship: Any, client_of: Any, hand_in: HandIn, request: pytest.FixtureRequest, who: str, status: int
) -> None:
    submission = hand_in(internship)

    assert client_of(request.getfixturevalue(who)).post(f"/submissions/{submission.pk}/cancel/").status_code == status
    assert submission.runs.get().state == ("cancelled" if status == 302 else "queued")


def rows_of(response: Any) -> list[tuple[int | None, str, float]]:
    return [(row.rank, row.name, row.value) for row in response.context["board"].rows]


def test_the_board_ranks_the_best_score_of_each_intern_and_pins_the_baseline(
    internship: Any, peer_internship: Any, client_of: Any, hand_in: HandIn, intern: Any, version: Any, admin: Any
) -> None:
    score(hand_in(internship, b"1", at=NOW - timedelta(hours=3)), 0.5)
    score(hand_in(internship, b"2", at=NOW - timedelta(hours=1)), 0.8)
    score(hand_in(peer_internship, b"3", at=NOW - timedelta(hours=2)), 0.8)
    failed = hand_in(peer_internship, b"4")
    Run.objects.filter(submission=failed).update(state="failed", fault="code")
    baseline = Submission.objects.create(
        version=version, number=1, digest="b" * 64, source="baseline", received_at=NOW, size_bytes=1, files=[]
    )
    Score.objects.create(
        run=Run.objects.create(submission=baseline, state="scored", queued_at=NOW, deadline=NOW),
        value=0.7, metrics={"accuracy": 0.7}, scored_at=NOW,
    )  # fmt: skip

    response = client_of(intern).get(BOARD)

    assert rows_of(response) == [(1, "Paul Peer", 0.8), (2, "Ines Intern", 0.8), (None, "Baseline", 0.7)]
    page = response.content.decode()
    assert page.count("is-own") == 1
    assert f"/submissions/{failed.pk}/" not in page
    assert [point["value"] for point in response.context["board"].chart["points"]] == [0.5, 0.8, 0.8]


def test_where_less_is_better_the_least_is_first(
    internship: Any, peer_internship: Any, client_of: Any, hand_in: HandIn, intern: Any, version: Any
) -> None:
    version.manifest = version.manifest | {"metric": version.manifest["metric"] | {"goal": "min"}}
    version.save()
    score(hand_in(internship, b"1"), 0.5)
    score(hand_in(peer_internship, b"2"), 0.8)

    assert [row[1] for row in rows_of(client_of(intern).get(BOARD))] == ["Ines Intern", "Paul Peer"]


def test_an_intern_never_sees_another_cohorts_board(
    internship: Any, stranger_internship: Any, client_of: Any, hand_in: HandIn, stranger: Any
) -> None:
    score(hand_in(internship, b"1"), 0.9)

    assert rows_of(client_of(stranger).get(BOARD)) == []
    assert client_of(stranger).get(f"{BOARD}?cohort=spring").status_code == 404


@pytest.mark.parametrize(
    ("who", "cohorts"), [("mentor", ["spring"]), ("other_mentor", ["autumn"]), ("admin", ["autumn", "spring"])]
)
def test_mentors_choose_among_the_cohorts_they_mentor_and_admins_among_all(
    internship: Any,
    stranger_internship: Any,
    client_of: Any,
    request: pytest.FixtureRequest,
    who: str,
    cohorts: list[str],
) -> None:
    response = client_of(request.getfixturevalue(who)).get(BOARD)

    assert sorted(cohort.slug for cohort in response.context["cohorts"]) == cohorts


def test_the_board_of_a_project_one_has_nothing_to_do_with_is_not_there(
    version: Any, intern: Any, mentor: Any, client_of: Any
) -> None:
    assert {client_of(person).get(BOARD).status_code for person in (intern, mentor)} == {404}


def test_an_admin_sees_an_empty_board_of_a_project_nobody_is_on(version: Any, admin: Any, client_of: Any) -> None:
    response = client_of(admin).get(BOARD)

    assert response.status_code == 200
    assert "No score yet" in response.content.decode()


@pytest.mark.parametrize("url", [BOARD, "/submissions/", "/api/workspace/status"])
def test_pages_ask_as_many_questions_for_many_rows_as_for_few(
    internship: Any,
    cohort: Any,
    version: Any,
    mentor: Any,
    admin: Any,
    intern: Any,
    hand_in: HandIn,
    client_of: Any,
    token: str,
    django_assert_num_queries: Any,
    url: str,
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    score(hand_in(internship, b"first", at=NOW - timedelta(days=30)), 0.5)
    hand_in(internship, b"waiting", at=NOW - timedelta(days=30))
    client = client_of(intern)
    client.get(url, headers={"Authorization": f"Bearer {token}"})
    with CaptureQueriesContext(
        connection,
    ) as few:
        assert client.get(url, headers={"Authorization": f"Bearer {token}"}).status_code == 200

    for number in range(8):
        person = make_user(f"extra-{number}", role="intern", name=f"Extra {number}")
        other = start_internship(person, mentor=mentor, cohort=cohort, version=version, actor=admin, now=NOW)
        score(hand_in(other, b"x%d" % number), 0.1 * number)
        score(hand_in(internship, b"y%d" % number, at=NOW - timedelta(days=number + 1)), 0.3)

    with django_assert_num_queries(len(few)):
        assert client.get(url, headers={"Authorization": f"Bearer {token}"}).status_code == 200


@pytest.fixture
def session(internship: Any, intern: Any) -> Session:
    """The intern's notebook, with its lease granted; in the present, as the doors ask the real clock."""
    now = utc_now()
    make_slots(1)
    session = open_notebook(intern, now=now)
    leases.allocate(now=now)
    session.refresh_from_db()
    return session


@pytest.fixture
def token(session: Session) -> str:
    """What the notebook shows."""
    return mint_token(session, expires_at=utc_now() + timedelta(hours=1), now=utc_now())


def call(token: str, *, archive: bytes | None = None, path: str = "", source: str = "cell") -> Any:
    headers = {"Authorization": f"Bearer {token}"}
    if archive is None:
        return Client().get(f"/api/workspace/{path}", headers=headers)
    fields = {"archive": SimpleUploadedFile("x.zip", archive), "source": source}
    return Client().post(API, fields, headers=headers)


def test_a_notebook_hands_in_and_follows(token: str, work: Work) -> None:
    answer = call(token, archive=zips.submission().getvalue())

    assert answer.status_code == 201
    submission = Submission.objects.get()
    told = answer.json()
    assert told.pop("received_at") == submission.received_at.isoformat()
    assert told == {
        "number": 1,
        "state": "queued",
        "reason": "",
        "score": None,
        "difference": None,
        "url": f"http://127.0.0.1:8000/submissions/{submission.pk}/",
        "place": 1,
        "why": "",
        "estimate": "",
        "seeds": 1,
        "interval": None,
        "verdict": None,
        "gpu_minutes": None,
        "processor_minutes": None,
    }
    assert submission.source == "cell"
    work(at=utc_now())
    after = call(token, path="submissions/1").json()
    assert (after["state"], after["score"], after["place"]) == ("scored", 0.9, None)


def test_what_a_notebook_hands_in_is_received_when_its_last_byte_is(
    token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [utc_now()]

    def read(request: Any) -> Any:
        clock[0] += timedelta(seconds=90)
        return archive_of(request)

    monkeypatch.setattr("practicum.evaluation.api.utc_now", lambda: clock[0])
    monkeypatch.setattr("practicum.evaluation.api.archive_of", read)

    assert call(token, archive=zips.submission().getvalue()).status_code == 201
    assert Submission.objects.get().received_at == clock[0]


def test_a_notebook_is_told_where_its_intern_stands(
    token: str, session: Session, internship: Any, hand_in: HandIn
) -> None:
    score(hand_in(internship, b"1"), 0.8)

    told = call(token, path="status").json()

    assert told["intern"] == {"username": "ines", "name": "Ines Intern"}
    assert told["project"] == {"slug": "digits", "title": "Digits", "version": 1}
    assert told["metric"] == {"name": "accuracy", "goal": "max", "digits": 3}
    assert (told["best"], told["milestone"]["title"], told["milestone"]["due_on"]) == (0.8, "First run", "2026-03-08")
    assert set(told["session"]) == {"until", "slot"}
    assert [row["number"] for row in told["submissions"]] == [1]


def test_a_notebook_is_told_what_a_score_says_and_by_which_test(
    token: str, internship: Any, hand_in: HandIn, version: Any
) -> None:
    baseline = Submission.objects.create(
        version=version, number=1, digest="b" * 64, source="baseline", received_at=NOW, size_bytes=1, files=[]
    )
    Run.objects.create(submission=baseline, queued_at=NOW, deadline=NOW)
    score(baseline, 0.7)
    score(hand_in(internship, b"1"), 0.8)

    told = call(token, path="status").json()

    assert told["best_verdict"] == "better"
    (row,) = told["submissions"]
    assert row["verdict"]["outcome"] == "better"
    assert row["verdict"]["test"] == "normal test with the metric's recorded noise"
    assert row["verdict"]["p"] < 0.02
    assert row["verdict"]["interval"][0] < row["verdict"]["difference"] < row["verdict"]["interval"][1]
    assert (row["seeds"], row["interval"], row["gpu_minutes"]) == (1, None, 0.0)


@pytest.mark.parametrize(
    ("archive", "status", "code", "facts"),
    [
        (b"no zip", 400, "bad_archive", {}),
        (zips.zip_of({"predict.py": b"1", "../x": b"1"}).getvalue(), 400, "bad_archive", {"member": "../x"}),
        (zips.zip_of({"predict.py": b"1", "a.ipynb": b"{"}).getvalue(), 400, "invalid_notebook", {"member": "a.ipynb"}),
        (zips.zip_of({"predict.py": b"1", "artifact/w": bytes(21 * 1024**2)}).getvalue(), 413, "too_large", {}),
    ],
)
def test_what_cannot_be_taken_has_a_status_a_code_and_a_member(
    token: str, archive: bytes, status: int, code: str, facts: dict[str, str]
) -> None:
    answer = call(token, archive=archive)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code)
    assert facts.items() <= error.items()
    assert Submission.objects.count() == 0


def test_the_same_twice_is_409_with_number_and_address(token: str) -> None:
    first = call(token, archive=zips.submission().getvalue()).json()
    answer = call(token, archive=zips.submission().getvalue())

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (409, "duplicate_submission")
    assert (error["number"], error["url"]) == (1, first["url"])


def test_over_the_daily_cap_is_429(token: str) -> None:
    for number in range(5):
        call(token, archive=zips.submission(artifact__w=b"%d" % number).getvalue())

    answer = call(token, archive=zips.submission(artifact__w=b"x").getvalue())
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "daily_cap")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "multipart/form-data; boundary=x"),
        (b"--x\r\nContent-Disp", "multipart/form-data; boundary=x"),
        (b"{}", "application/json"),
        (b"x", "multipart/form-data"),
        (b"x", "multipart/form-data; boundary=" + "y" * 300),
    ],
)
def test_a_broken_form_is_400_in_json(token: str, body: bytes, content_type: str) -> None:
    answer = Client().generic(
        "POST", API, body, content_type=content_type, headers={"Authorization": f"Bearer {token}"}
    )

    assert answer.status_code == 400
    assert json.loads(answer.content)["error"]["message"]


def test_a_form_with_thousands_of_fields_is_400(token: str) -> None:
    fields: dict[str, Any] = {f"f{number}": "x" for number in range(1000)}
    answer = Client().post(API, fields, headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 400


@pytest.mark.parametrize("source", ["upload", "baseline", "x", ""])
def test_a_notebook_cannot_choose_how_it_is_recorded(token: str, source: str) -> None:
    assert call(token, archive=zips.submission().getvalue(), source=source).status_code == 400
    assert Submission.objects.count() == 0


def test_an_upload_through_the_api_that_is_too_long_is_413_before_it_is_read(token: str, settings: Any) -> None:
    settings.PRACTICUM_SUBMISSION_MAX_BYTES = 100
    answer = call(token, archive=bytes(100_000))

    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


@pytest.mark.parametrize("shown", ["", "nonsense", "expired"])
def test_without_a_good_token_nothing_is_read_or_taken(session: Session, shown: str) -> None:
    past = utc_now() - timedelta(seconds=1)
    token = mint_token(session, expires_at=past, now=utc_now()) if shown == "expired" else shown
    answers = [
        call(token, archive=zips.submission().getvalue()),
        call(token, path="status"),
        call(token, path="submissions/1"),
    ]

    assert [answer.status_code for answer in answers] == [401, 401, 401]
    assert Submission.objects.count() == 0


def test_a_token_in_the_address_opens_nothing(token: str) -> None:
    assert Client().get(f"/api/workspace/status?token={token}").status_code == 401


def test_a_notebook_on_a_cpu_slot_reads_its_place_in_line_as_the_site_words_it(
    token: str, session: Session, cohort: Any
) -> None:
    assert call(token, path="status").json()["gpu"] is None
    Lease.objects.filter(pk=session.lease_id).update(purpose=Purpose.MEANWHILE)
    facts = {"purpose": Purpose.SESSION, "duration": HOUR, "pool": pool_of(name="H200", kind=PoolKind.GPU)}
    place = leases.request_lease(session.user, cohort=cohort, now=utc_now(), **facts)
    Session.objects.filter(pk=session.pk).update(next_lease=place)

    told = call(token, path="status").json()["gpu"]

    assert (told["state"], told["headline"]) == ("waiting", "You are 1st in line for a GPU")
    assert told["why"] == "No slot of this kind is online now."
    assert told["estimate"] == "No estimate yet: too few sessions have ended here."


def test_a_run_in_line_for_a_gpu_has_the_place_and_the_estimate_of_its_lease(
    token: str, internship: Any, intern: Any, peer: Any, cohort: Any, hand_in: HandIn
) -> None:
    """Its place among all who wait for a GPU, not among runs alone."""
    now, soon = utc_now(), utc_now() + timedelta(minutes=5)
    facts = {"purpose": Purpose.EVALUATION, "duration": HOUR, "pool": pool_of(name="H200", kind=PoolKind.GPU)}
    _, mine = (leases.request_lease(user, cohort=cohort, now=now, **facts) for user in (peer, intern))
    Lease.objects.filter(pk=mine.pk).update(requested_at=soon)
    Estimate.objects.create(lease=mine, made_at=now, first_made_at=now, p50_at=soon, p90_at=soon)
    Run.objects.filter(submission=hand_in(internship)).update(lease=mine)

    (line,) = call(token, path="status").json()["submissions"]
    alone = call(token, path="submissions/1").json()

    assert line == alone
    assert (line["state"], line["place"], line["why"]) == ("queued", 2, "No slot of this kind is online now.")
    assert line["estimate"].startswith("Nine in ten people like you start by ")


def test_a_notebook_sees_no_submission_of_others(token: str, peer_internship: Any, hand_in: HandIn) -> None:
    hand_in(peer_internship)

    assert call(token, path="submissions/1").status_code == 404

"""How long the main pages take with 20 cohorts of 200 interns, ten to a mentor; whether their queries grow with the rows.

The limit is 0.2 s at the 95th percentile, what people take for instant; the ratio is the slowest page's p95 to it. Each
page is asked in process, with the real middleware, templates and database (SQLite in a file, or ``PRACTICUM_DATABASE_URL``).
"""

from __future__ import annotations

import os
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from tests.bench.report import heading, percentile, verdict

LIMIT_SECONDS = 0.2
ASKED = 40
SMALL = (2, 10)
LARGE = (20, 200)
SUBMISSIONS_EACH = 3
INTERNS_A_MENTOR = 10


def set_up() -> None:
    """Django, with a database and a data folder of this run."""
    folder = Path(tempfile.mkdtemp(prefix="practicum-pages-"))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "practicum.config.settings")
    os.environ["PRACTICUM_ENV"] = "demo"
    os.environ["PRACTICUM_DATA_DIR"] = str(folder)
    (folder / "static").mkdir()
    import sys

    sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "platform")]
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    call_command("createcachetable", verbosity=0)


def fill(*, cohorts: int, interns: int, start: int = 0) -> dict[str, Any]:
    """Cohorts of interns with scored submissions; the people whose pages are asked."""
    from practicum.accounts.models import User
    from practicum.catalog.models import Project, ProjectVersion
    from practicum.evaluation.models import Run, RunState, Score
    from practicum.internships.models import Cohort, Internship, Milestone
    from practicum.lib.clock import utc_now
    from practicum.submissions.models import Submission
    from tests.conftest import MANIFEST

    now, today = utc_now(), date.today()
    admin, _ = User.objects.get_or_create(
        username="root-admin", defaults={"email": "a@example.org", "name": "Admin", "role": "admin"}
    )
    project, _ = Project.objects.get_or_create(slug="digits", defaults={"title": "Digits", "question": "How few?"})
    version, _ = ProjectVersion.objects.get_or_create(
        project=project,
        number=1,
        defaults={
            "digest": "d" * 64, "manifest": MANIFEST, "mode": "toy", "image": "none", "published_at": now, "published_by": admin,
        },
    )  # fmt: skip
    (version.folder / "project").mkdir(parents=True, exist_ok=True)
    (version.folder / "project" / "README.md").write_text("# Digits\n")
    for number in range(start, start + cohorts):
        mentors = User.objects.bulk_create(
            User(
                username=f"mentor-{number}-{n}",
                email=f"m{number}-{n}@example.org",
                name=f"Mentor {number} {n}",
                role="mentor",
            )
            for n in range(-(-interns // INTERNS_A_MENTOR))
        )
        cohort = Cohort.objects.create(
            slug=f"cohort-{number}",
            name=f"Cohort {number}",
            starts_on=today - timedelta(days=16),
            ends_on=today + timedelta(days=40),
        )
        people = User.objects.bulk_create(
            User(
                username=f"intern-{number}-{n}",
                email=f"i{number}-{n}@example.org",
                name=f"Intern {number} {n}",
                role="intern",
            )
            for n in range(interns)
        )
        internships = Internship.objects.bulk_create(
            Internship(
                intern=p,
                mentor=mentors[n // INTERNS_A_MENTOR],
                cohort=cohort,
                version=version,
                started_on=cohort.starts_on,
            )
            for n, p in enumerate(people)
        )
        Milestone.objects.bulk_create(
            Milestone(internship=i, position=k, title=f"Step {k}", due_on=today) for i in internships for k in (1, 2)
        )
        submissions = Submission.objects.bulk_create(
            Submission(
                internship=i, version=version, number=k, digest=f"{i.pk:032d}{k:032d}", source="terminal", size_bytes=1000,
                received_at=now - timedelta(hours=9 - k), files=[{"path": "predict.py", "bytes": 1000}],
            )
            for i in internships for k in range(1, SUBMISSIONS_EACH + 1)
        )  # fmt: skip
        runs = Run.objects.bulk_create(
            Run(submission=s, state=RunState.SCORED, queued_at=s.received_at, finished_at=s.received_at, deadline=now)
            for s in submissions
        )
        Score.objects.bulk_create(
            Score(run=r, value=0.5 + (r.pk % 400) / 1000, metrics={"accuracy": 0.5}, scored_at=r.queued_at)
            for r in runs
        )
    return {
        "admin": admin,
        "mentor": User.objects.get(username="mentor-0-0"),
        "intern": User.objects.get(username="intern-0-0"),
        "submission": Submission.objects.filter(internship__intern__username="intern-0-0").first(),
        "internship": Internship.objects.get(intern__username="intern-0-0"),
    }


def pages(cast: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(what, whose, address) of each main page."""
    submission, internship = cast["submission"].pk, cast["internship"].pk
    return [
        ("intern's home", "intern", "/"),
        ("submission", "intern", f"/submissions/{submission}/"),
        ("submissions", "intern", "/submissions/"),
        ("leaderboard", "intern", "/projects/digits/leaderboard/"),
        ("notebook", "intern", "/notebook/"),
        ("project", "intern", "/projects/digits/"),
        ("mentor's home", "mentor", "/"),
        ("inbox", "mentor", "/review/"),
        ("internship", "mentor", f"/internships/{internship}/"),
        ("admin's home", "admin", "/"),
        ("GPUs", "admin", "/gpus/"),
        ("people", "admin", "/people/"),
    ]


def ask(user: Any, address: str, *, times: int) -> tuple[list[float], int]:
    """Seconds of each answer, and the queries of one."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(user)
    client.get(address)  # what is made once for a person, such as a cache, is not counted
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(address)
    assert answer.status_code == 200, f"{address}: {answer.status_code}"
    count = len(queries)
    seconds = []
    for _ in range(times):
        began = time.monotonic()
        client.get(address)
        seconds.append(time.monotonic() - began)
    return seconds, count


def main() -> bool:
    """Fill a little, count; fill up, count again and time."""
    set_up()
    heading(f"Pages: {LARGE[0]} cohorts of {LARGE[1]} interns, {SUBMISSIONS_EACH} submissions each")
    cast = fill(cohorts=SMALL[0], interns=SMALL[1])
    few = {what: ask(cast[who], address, times=0)[1] for what, who, address in pages(cast)}
    cast |= fill(cohorts=LARGE[0] - SMALL[0], interns=LARGE[1], start=SMALL[0])
    grow_first_cohort()
    slowest, constant = 0.0, True
    for what, who, address in pages(cast):
        seconds, many = ask(cast[who], address, times=ASKED)
        p95 = percentile(seconds, 0.95)
        slowest, constant = max(slowest, p95), constant and many <= few[what]
        print(f"  {what:16} p95 {p95 * 1000:6.1f} ms   {few[what]:3d} queries with few rows, {many:3d} with many")
    print("  queries are constant" if constant else "  QUERIES GROW")
    return verdict("pages, slowest p95 to 0.2 s", slowest / LIMIT_SECONDS, limit=1.0) and constant


def grow_first_cohort() -> None:
    """Give the asked-for cohort as many interns as the others, so that its own pages are large too."""
    from practicum.internships.models import Cohort, Internship

    donor, first = Cohort.objects.get(slug=f"cohort-{SMALL[0]}"), Cohort.objects.get(slug="cohort-0")
    Internship.objects.filter(cohort=donor).update(cohort=first)

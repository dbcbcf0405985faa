"""The cast and the fixtures every test may use.

The cast: an intern, a peer in the same cohort with the same mentor, a stranger (an intern of another cohort with the
other mentor), a mentor, the other mentor, an admin; the outsider is nobody signed in.
"""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

NOW = datetime(2026, 3, 18, 10, 0, tzinfo=UTC)

MANIFEST: dict[str, Any] = {
    "project": {"slug": "digits", "title": "Digits", "question": "How few pixels?", "level": 1, "weeks": 4},
    "submission": {"kind": "code", "artifact_mb": 20, "per_day": 5},
    "metric": {"name": "accuracy", "goal": "max", "noise": 0.01, "digits": 3},
    "budget": {"gpu_gb": 0, "gpu_hours": 0.1, "eval_seconds": 60, "toy_seconds": 20, "memory_gb": 2},
    "anchors": [{"name": "majority", "value": 0.1, "source": "measured"}],
    "milestones": [
        {"title": "First run", "week": 1, "evidence": "a scored submission"},
        {"title": "Beat the baseline", "week": 3, "evidence": "a better score"},
    ],
    "reading": [],
    "rubric": [
        {"name": "method", "question": "Is the method sound?", "points": 5},
        {"name": "writing", "question": "Is it clear?", "points": 5},
    ],
}


DATABASE_FIXTURES = {"db", "transactional_db", "shared_database"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--database-only``: the tests that talk to a database, which is what a second database can change."""
    parser.addoption("--database-only", action="store_true", help="only tests that talk to a database")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what never talks to a database, if asked."""
    if not config.getoption("--database-only"):
        return
    kept = [item for item in items if _talks_to_a_database(item)]
    config.hook.pytest_deselected(items=[item for item in items if not _talks_to_a_database(item)])
    items[:] = kept


def _talks_to_a_database(item: pytest.Item) -> bool:
    names = set(getattr(item, "fixturenames", ()))
    return bool(names & DATABASE_FIXTURES) or any(item.get_closest_marker(name) for name in ("django_db", "postgres"))


@pytest.fixture
def now() -> datetime:
    """A Wednesday in the cohort's third week."""
    return NOW


@pytest.fixture(autouse=True)
def data_dir(settings: Any, tmp_path: Path) -> Path:
    """Files of the platform go to a folder of this test."""
    settings.PRACTICUM_DATA_DIR = tmp_path / "var"
    settings.STATIC_ROOT = settings.PRACTICUM_DATA_DIR / "static"
    settings.STATIC_ROOT.mkdir(parents=True)
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *settings.PASSWORD_HASHERS[1:]]
    settings.WHITENOISE_AUTOREFRESH = True  # each test client would list every static file otherwise
    return tmp_path / "var"


@pytest.fixture(autouse=True)
def forgotten_usage() -> None:
    """What an earlier test's leases used, and the outages it went through, are no longer in memory."""
    from practicum.evaluation import outages
    from practicum.gpus.seen import usage

    usage.forget()
    outages.forget()


def make_user(username: str, *, role: str, name: str) -> Any:
    """An account with the password ``correct horse``."""
    from practicum.accounts.models import User

    return User.objects.create_user(
        username=username, email=f"{username}@example.org", password="correct horse", name=name, role=role
    )


@pytest.fixture
def admin(db: None) -> Any:
    """Runs the place."""
    return make_user("ada", role="admin", name="Ada Admin")


@pytest.fixture
def mentor(db: None) -> Any:
    """Mentor of intern and peer."""
    return make_user("mira", role="mentor", name="Mira Mentor")


@pytest.fixture
def other_mentor(db: None) -> Any:
    """Mentor of the stranger."""
    return make_user("otto", role="mentor", name="Otto Other")


@pytest.fixture
def intern(db: None) -> Any:
    """The intern the test is about."""
    return make_user("ines", role="intern", name="Ines Intern")


@pytest.fixture
def peer(db: None) -> Any:
    """Another intern of the same cohort and mentor."""
    return make_user("paul", role="intern", name="Paul Peer")


@pytest.fixture
def stranger(db: None) -> Any:
    """An intern of another cohort, with the other mentor."""
    return make_user("stan", role="intern", name="Stan Stranger")


@pytest.fixture
def version(admin: Any, data_dir: Path) -> Any:
    """A published version of a small project, with its folders on disk."""
    from practicum.catalog.models import Project, ProjectVersion

    project = Project.objects.create(slug="digits", title="Digits", question="How few pixels?")
    row = ProjectVersion.objects.create(
        project=project,
        number=1,
        digest="d" * 64,
        manifest=deepcopy(MANIFEST),
        mode="toy",
        image="practicum/workspace:test",
        published_at=NOW - timedelta(days=30),
        published_by=admin,
    )
    for folder in (
        row.folder / "project",
        row.folder / "public",
        row.hidden_folder / "inputs",
        row.hidden_folder / "answers",
    ):
        folder.mkdir(parents=True)
    return row


@pytest.fixture
def cohort(db: None) -> Any:
    """The cohort of intern and peer, in its third week at ``NOW``."""
    from practicum.internships.models import Cohort

    return Cohort.objects.create(
        slug="spring",
        name="Spring 2026",
        starts_on=date(2026, 3, 2),
        ends_on=date(2026, 4, 26),
        idle_minutes=45,
        is_idle_kept=False,
    )


@pytest.fixture
def other_cohort(db: None) -> Any:
    """The stranger's cohort."""
    from practicum.internships.models import Cohort

    return Cohort.objects.create(
        slug="autumn",
        name="Autumn 2026",
        starts_on=date(2026, 3, 2),
        ends_on=date(2026, 4, 26),
        idle_minutes=45,
        is_idle_kept=False,
    )


def _start(person: Any, *, mentor: Any, cohort: Any, version: Any, admin: Any) -> Any:
    from practicum.internships.services import start_internship

    return start_internship(person, mentor=mentor, cohort=cohort, version=version, actor=admin, now=NOW)


@pytest.fixture
def internship(intern: Any, mentor: Any, cohort: Any, version: Any, admin: Any) -> Any:
    """The intern's internship."""
    return _start(intern, mentor=mentor, cohort=cohort, version=version, admin=admin)


@pytest.fixture
def peer_internship(peer: Any, mentor: Any, cohort: Any, version: Any, admin: Any) -> Any:
    """The peer's internship."""
    return _start(peer, mentor=mentor, cohort=cohort, version=version, admin=admin)


@pytest.fixture
def stranger_internship(stranger: Any, other_mentor: Any, other_cohort: Any, version: Any, admin: Any) -> Any:
    """The stranger's internship."""
    return _start(stranger, mentor=other_mentor, cohort=other_cohort, version=version, admin=admin)


@pytest.fixture
def client_of() -> Any:
    """``client_of(user)``: a client signed in as that user."""

    def sign_in(user: Any) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return sign_in

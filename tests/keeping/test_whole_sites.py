"""A site with people at work is backed up while others write, and restored on an empty host: nothing is torn, lost or doubled,
and nothing that opened the old one opens the new one. (J4)
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from practicum.config.keeping import files
from tests.keeping.sites import Site, repository
from tests.tools.postgres import postgres_server

pytestmark = pytest.mark.keeping

KINDS = [pytest.param("sqlite"), pytest.param("postgresql", marks=pytest.mark.postgres)]


@dataclass
class Story:
    """A site, what opened it, its backup, and the host it was restored on."""

    site: Site
    secrets: dict[str, Any]
    backup: dict[str, Any]
    restored: Site
    said: str
    seen: dict[str, Any]
    written: int


@pytest.fixture(scope="module", params=KINDS)
def story(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """All of it, once for each kind of database."""
    folder = tmp_path_factory.mktemp("whole")
    settings = repository(folder / "keys", str(folder / "repository"))
    if request.param == "sqlite":
        yield the_story(Site(folder / "old", settings), Site(folder / "new", settings))
        return
    with postgres_server() as server:
        with psycopg.connect(server.address, autocommit=True) as connection:
            for name in ("old", "new"):
                connection.execute(f"CREATE DATABASE {name}")
        base = server.address.rsplit("/", 1)[0]
        old, new = (Site(folder / n, settings | {"PRACTICUM_DATABASE_URL": f"{base}/{n}"}) for n in ("old", "new"))
        yield the_story(old, new)


def the_story(site: Site, restored: Site) -> Story:
    """Made, filled, kept while somebody writes, restored, looked at."""
    site.practicum("setup")
    site.practicum("scenario", "week-3")
    secrets = site.run("fill.py")
    site.practicum("backup", "init")
    writer = site.writer()
    try:
        backup = json.loads(site.practicum("backup", "--json").split("\n{", 1)[-1].join(["{", ""]))
    finally:
        written = int(writer.communicate("")[0])
    said = restored.practicum("restore")
    return Story(site, secrets, backup, restored, said, restored.run("look.py", told=json.dumps(secrets)), written)


@pytest.mark.slow
def test_what_was_kept_while_others_wrote_is_one_moment(story: Story) -> None:
    assert story.written > story.seen["pairs"] > 0, "the writer wrote before, during and after"
    assert story.seen["torn"] == []


def test_the_restored_database_is_whole(story: Story) -> None:
    if "PRACTICUM_DATABASE_URL" not in story.site.variables:
        with closing(sqlite3.connect(story.restored.data_dir / "practicum.sqlite3")) as opened:
            assert opened.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert opened.execute("PRAGMA foreign_key_check").fetchall() == []
    assert "All is well" in story.restored.practicum("doctor", "--only", "database", "keys")


def test_every_file_is_there_with_its_checksum_and_its_key(story: Story) -> None:
    for name in ("submissions", "catalog", "hidden"):
        kept, found = (files.contents(site.data_dir / name) for site in (story.site, story.restored))
        assert kept == found, name
        assert kept, name
    for key in ("oidc.pem", "issuer.pem"):
        assert (story.site.data_dir / key).read_bytes() == (story.restored.data_dir / key).read_bytes()
        assert (story.restored.data_dir / key).stat().st_mode & 0o077 == 0


def test_nothing_that_opened_the_old_site_opens_the_new_one(story: Story) -> None:
    assert story.seen["answers"] == {"cookie": 302, "agent": 401, "workspace": 401}
    assert set(story.seen["grants"].values()) == {0}
    assert "1 sign-ins and 2 tokens are void" in story.said


def test_the_old_secrets_open_the_old_site(story: Story) -> None:
    """The control: without the restoration they would have opened it."""
    seen = story.site.run("look.py", told=json.dumps(story.secrets))
    assert seen["answers"] == {"cookie": 200, "agent": 400, "workspace": 400}
    assert 0 not in seen["grants"].values()


def test_no_token_opens_the_hub_and_none_of_its_servers_runs(story: Story) -> None:
    with closing(sqlite3.connect(story.restored.data_dir / "hub" / "jupyterhub.sqlite")) as opened:
        assert opened.execute("SELECT count(*) FROM users").fetchone() == (1,)
        assert opened.execute("SELECT count(*) FROM api_tokens").fetchone() == (0,)
        assert opened.execute("SELECT count(*) FROM servers").fetchone() == (0,)
        assert opened.execute("SELECT server_id FROM spawners").fetchall() == [(None,)]
    assert not story.seen["cookie_secret"]
    with closing(sqlite3.connect(story.site.data_dir / "hub" / "jupyterhub.sqlite")) as opened:
        assert opened.execute("SELECT count(*) FROM api_tokens").fetchone() == (1,)


def test_notebooks_ended_with_a_reason_and_hold_no_slot(story: Story) -> None:
    assert [state for state, _ in story.seen["sessions"]] == ["stopped", "stopped"]
    assert all("was restored from its backup of" in reason for _, reason in story.seen["sessions"])
    assert (story.seen["open_sessions"], story.seen["open_leases"]) == (0, 0)


def test_each_evaluation_that_waited_or_ran_is_run_once_and_the_old_try_does_not_count(story: Story) -> None:
    runs = {str(number) for number in story.secrets["runs"]}
    assert story.seen["waiting"] == dict.fromkeys(runs, "queued")
    assert story.seen["work"] == {
        "started": dict.fromkeys(runs, 1),
        "states": dict.fromkeys(runs, "scored"),
        "tries": dict.fromkeys(runs, 1),
        "scores": dict.fromkeys(runs, 1),
    }


def test_the_restoration_is_on_record_and_says_what_is_next(story: Story) -> None:
    assert story.seen["restored"] == [story.backup["id"]]
    assert "Agents need new tokens" in story.said
    assert not list((story.restored.data_dir / "backup").glob("bring-*"))


def test_a_site_with_people_in_it_is_not_overwritten(story: Story) -> None:
    before = files.contents(story.restored.data_dir / "submissions")
    aside = list(story.restored.data_dir.glob("before-*"))
    said = story.restored.practicum("restore", code=1)
    assert "there are people in its database" in said
    assert "With --replace what is here is put aside" in said
    assert files.contents(story.restored.data_dir / "submissions") == before
    assert list(story.restored.data_dir.glob("before-*")) == aside
    assert "in the way" in story.restored.practicum("restore", "--dry-run", code=1)


def test_what_is_replaced_is_put_aside(story: Story) -> None:
    kept = files.contents(story.restored.data_dir / "submissions")
    said = story.restored.practicum("restore", "--replace", "--yes")
    (aside,) = story.restored.data_dir.glob("before-*")
    assert files.contents(aside / "submissions") == files.contents(story.restored.data_dir / "submissions") == kept
    (name,) = re.findall(r"The database that was here is kept as (?:schema )?(\S+)\.\n", said)
    if address := story.restored.variables.get("PRACTICUM_DATABASE_URL"):
        with psycopg.connect(address) as connection:
            people = [
                connection.execute(f"SELECT count(*) FROM {s}.accounts_user").fetchone() for s in ("public", name)
            ]
    else:
        people = []
        for file in ("practicum.sqlite3", name):
            with closing(sqlite3.connect(story.restored.data_dir / file)) as opened:
                people.append(opened.execute("SELECT count(*) FROM accounts_user").fetchone())
    assert people[0] == people[1]
    assert people[0][0] > 10


def test_the_drill_compares_everything_and_changes_nothing(story: Story) -> None:
    before = sorted(path.name for path in Path(story.site.data_dir).iterdir())
    said = story.site.practicum("restore", "--verify")
    assert "as they were kept" in said
    assert "All of it is as it was kept" in said
    assert sorted(path.name for path in Path(story.site.data_dir).iterdir()) == before
    assert not list((story.site.data_dir / "backup").glob("bring-*"))
    if address := story.site.variables.get("PRACTICUM_DATABASE_URL"):
        with psycopg.connect(address) as connection:
            schemas = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'practicum%'"
            assert connection.execute(schemas).fetchall() == []

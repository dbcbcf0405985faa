"""Backups: what is decided without a repository. That it holds with one is in ``tests/keeping``."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from practicum.config.doctor import site
from practicum.config.env import Backups, ConfigurationError, read
from practicum.config.keeping import files, making, shelf
from practicum.config.keeping.manifest import Content, Manifest, Table, VolumeKept, differences
from practicum.config.keeping.manifest import read as read_manifest
from practicum.config.keeping.refusals import Busy, Damaged, KeepFault, NoEntry, NoRepository, NotSet
from practicum.config.keeping.restic import Place, Snapshot, failure
from practicum.config.keeping.schedule import is_due
from practicum.errors import EngineUnavailable
from practicum.lib import backups
from practicum.portal import metrics

NOON = datetime(2026, 3, 18, 12, 0, tzinfo=UTC)
ROOT = Path("/srv/practicum")


def a_manifest() -> Manifest:
    """One with something in each part."""
    return Manifest(
        id="20260318T120000Z-ab12", made_at=NOON, version="0.1.0", instance="practicum", site_url="https://a.example.org",
        vendor="sqlite", migrations=(("accounts", "0001"),), tables={"a": Table(2, ("id", "name"), "f" * 64)},
        state_snapshot="aa", state={"keys/oidc.pem": Content(3, "a" * 64)}, files_snapshot="bb",
        files={"submissions/aa/x": Content(5, "b" * 64)}, volumes=(VolumeKept("ines", "cc", Content(7, "c" * 64), 1),),
        warnings=("w",), programs={"restic": "0.14.0"},
    )  # fmt: skip


# The manifest


def test_a_manifest_is_read_as_it_was_written_and_counts_everything() -> None:
    manifest = a_manifest()
    assert read_manifest(manifest.as_json()) == manifest
    assert (manifest.bytes, manifest.brought_bytes, manifest.rows) == (15, 11, 2)


@pytest.mark.parametrize("text", ["{}", '{"format": 1}', "[]", "nothing"])
def test_what_is_no_manifest_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no manifest|Expecting value"):
        read_manifest(text)


def test_a_manifest_of_a_newer_format_is_refused() -> None:
    with pytest.raises(ValueError, match="made by a newer Practicum"):
        read_manifest(a_manifest().as_json().replace('"format": 1', '"format": 2'))


def test_differences_name_what_is_missing_too_much_or_changed() -> None:
    kept = {"a": Content(1, "1"), "b": Content(1, "2"), "c": Content(1, "3")}
    found = {"b": Content(1, "2"), "c": Content(1, "x"), "d": Content(1, "4")}
    assert differences(kept, found) == ["a is missing", "d is not in the manifest", "c has another content"]
    assert differences(kept, dict(kept)) == []


# restic


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("Fatal: wrong password or no key found", NoEntry),
        ("Fatal: unable to open config file: stat /x/config: no such file or directory\nIs there a repository", NoRepository),
        ("unable to create lock in backend: repository is already locked by PID 9", Busy),
        ("decrypting blob dfa9 failed: ciphertext verification failed\nFatal: repository contains errors", Damaged),
        ("pack 8319: does not exist\nFatal: repository contains errors", Damaged),
        ("Fatal: There were 3 errors", Damaged),
        ("subprocess ssh: Host key verification failed.", NoEntry),
        ("Fatal: create key: client.PutObject: Access Denied.", NoEntry),
        ("Fatal: something else", KeepFault),
    ],
)  # fmt: skip
def test_what_restic_says_is_told_as_the_refusal_it_is(said: str, kind: type[KeepFault]) -> None:
    assert type(failure(said)) is kind


def test_restic_is_given_none_of_the_sites_secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("PRACTICUM_SECRET_KEY", "AWS_SECRET_ACCESS_KEY", "DATABASE_PASSWORD"):
        monkeypatch.setenv(name, "planted")
    place = Place("/srv/backups", tmp_path / "password", tmp_path / "cache")
    assert "planted" not in place.environment().values()
    assert place.environment()["RESTIC_PASSWORD_FILE"] == str(tmp_path / "password")
    assert "RESTIC_PASSWORD" not in place.environment()


@pytest.mark.parametrize(
    ("repository", "words"),
    [
        ("sftp:backup@vault.example.org:/srv/a", "ssh -i /k"),
        ("sftp://backup@vault.example.org:2222//srv/a", "ssh -p 2222 -i /k"),
    ],
)
def test_ssh_takes_only_the_key_and_the_hosts_that_are_named(repository: str, words: str) -> None:
    place = Place(repository, Path("/p"), Path("/c"), ssh_key_file="/k", known_hosts_file="/h")
    dash, command = place.options()
    assert dash == "-o"
    assert command.startswith(f"sftp.command={words} ")
    assert "UserKnownHostsFile=/h -o StrictHostKeyChecking=yes -o BatchMode=yes" in command
    assert command.endswith("backup@vault.example.org -s sftp")
    assert Place("/srv/a", Path("/p"), Path("/c"), ssh_key_file="/k").options() == []


# Which go


class Shelf:
    """A repository with a backup for each of ``days`` ago that came to its end, and one that never did."""

    def __init__(self, days: list[int], *, unfinished: int) -> None:
        self.rows = [
            Snapshot(f"{part}-{day}", NOON - timedelta(days=day), ("practicum", f"backup-{day:03}", f"part-{part}"))
            for day in days
            for part in ("state", "files", "manifest")
        ]
        at = NOON - timedelta(days=unfinished)
        self.rows.append(Snapshot("state-x", at, ("practicum", "backup-x", "part-state")))

    def snapshots(self, *tags: str) -> list[Snapshot]:
        """Those with all of the tags."""
        return [row for row in self.rows if set(tags) <= set(row.tags)]

    def removable(self, *, tags: list[str], keep: list[tuple[str, int]]) -> set[str]:
        """All but the newest, as restic would say for these rules."""
        assert keep == [("daily", 1), ("last", 1)], "what counts nothing is not asked for"
        return {row.id for row in self.snapshots(*tags) if row.at < NOON}


def test_a_backup_goes_as_a_whole_and_so_does_what_was_never_finished() -> None:
    shelf_of: Any = Shelf([0, 9], unfinished=3)
    found = shelf.going(shelf_of, keep=(1, 0, 0), now=NOON)
    assert (found.backups, found.unfinished) == (("009",), ("x",))
    assert set(found.snapshots) == {"state-9", "files-9", "manifest-9", "state-x"}


def test_what_may_still_be_under_way_is_left_alone() -> None:
    shelf_of: Any = Shelf([0], unfinished=1)
    assert shelf.going(shelf_of, keep=(1, 0, 0), now=NOON).snapshots == ()


# Files


def test_a_file_that_changes_while_it_is_kept_is_kept_again(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one")
    (tmp_path / "b").write_text("same")
    seen: list[str] = []

    def listing(_: str) -> list[dict[str, Any]]:
        rows = []
        for name in ("a", "b"):
            found = (tmp_path / name).stat()
            moment = datetime.fromtimestamp(found.st_mtime_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            row = {
                "type": "file",
                "path": f"/{name}",
                "size": found.st_size,
                "mtime": f"{moment}.{found.st_mtime_ns % 10**9:09}Z",
            }
            rows.append(row)
        if len(seen) == 1:
            (tmp_path / "a").write_text("another")
            os.utime(tmp_path / "a", ns=(1, 1))
        return rows

    def take() -> str:
        seen.append("taken")
        return f"snapshot-{len(seen)}"

    snapshot, kept = files.settle(tmp_path, take=take, listing=listing)
    assert (snapshot, sorted(kept)) == ("snapshot-2", ["a", "b"])
    assert kept["a"] == files.content_of(tmp_path / "a")


def test_what_is_being_written_and_links_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("x")
    (tmp_path / "link").symlink_to("/etc/passwd")
    assert sorted(files.contents(tmp_path)) == ["real"]


# The day's backup


@pytest.mark.parametrize(
    ("now", "good", "failed", "expected"),
    [
        (NOON, None, None, True),
        (NOON, NOON.replace(hour=3, minute=1), None, False),
        (NOON, NOON.replace(hour=2, minute=59), None, True),
        (NOON.replace(hour=2), NOON.replace(hour=3) - timedelta(days=1), None, False),
        (NOON.replace(hour=2), NOON - timedelta(days=2), None, True),
        (NOON, None, NOON - timedelta(minutes=59), False),
        (NOON, None, NOON - timedelta(minutes=61), True),
    ],
)
def test_one_is_due_a_day_from_its_hour_on_and_one_that_failed_an_hour_later(
    now: datetime, good: datetime | None, failed: datetime | None, expected: bool
) -> None:
    assert is_due(hour=3, now=now, good_at=good, failed_at=failed) == expected


# What is told of it


def test_the_doctor_tells_how_old_the_last_good_one_is(settings: Any, data_dir: Path) -> None:
    assert [each.state for each in site.last_backup(now=NOON)] == ["look"], "nobody says where to"
    settings.PRACTICUM_BACKUPS = Backups(repository="/srv/backups")
    (none,) = site.last_backup(now=NOON)
    assert (none.state, none.said) == ("look", "none was ever made")
    backups.note(backups.Outcome(NOON - timedelta(hours=2), "x", "9 files"))
    assert [(each.state, each.said) for each in site.last_backup(now=NOON)] == [
        ("ok", "last good backup: 2 h ago (9 files)")
    ]
    (late,) = site.last_backup(now=NOON + timedelta(hours=25))
    assert (late.state, late.said) == ("mend", "last good backup: 27 h ago")
    backups.note(backups.Outcome(NOON, "", "The password file does not open this repository."))
    assert "failed 0 min ago: The password file" in site.last_backup(now=NOON)[1].said
    backups.note(backups.Outcome(NOON + timedelta(hours=1), "y", ""))
    assert backups.last_failed() is None, "one that came to its end since"


def test_the_metrics_tell_its_age_and_whether_it_failed(settings: Any, data_dir: Path, db: None) -> None:
    settings.PRACTICUM_BACKUPS = Backups(repository="/srv/backups", password_file="/p", hour=3)
    said = metrics.exposition(now=NOON).decode()
    assert "\npracticum_backup_age_seconds " not in said, "no age before the first"
    assert "\npracticum_backup_daily 1.0" in said
    backups.note(backups.Outcome(NOON - timedelta(hours=1), "x", ""))
    backups.note(backups.Outcome(NOON, "", "no"))
    said = metrics.exposition(now=NOON).decode()
    assert "\npracticum_backup_age_seconds 3600.0" in said
    assert "\npracticum_backup_failed 1.0" in said


# The settings


def test_backups_have_defaults_and_are_made_by_no_one_unless_an_hour_is_set() -> None:
    usual = read({"PRACTICUM_BACKUP_KEEP": "", "PRACTICUM_BACKUP_HOUR": ""}, root=ROOT).backups
    assert (usual.keep, usual.hour, usual.with_snapshots) == ((7, 5, 12), None, False)
    said = {"PRACTICUM_BACKUP_REPOSITORY": "/a", "PRACTICUM_BACKUP_PASSWORD_FILE": "/p", "PRACTICUM_BACKUP_HOUR": "3"}
    assert read(said | {"PRACTICUM_BACKUP_KEEP": "3 0 1"}, root=ROOT).backups.keep == (3, 0, 1)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"PRACTICUM_BACKUP_KEEP": "7"}, "PRACTICUM_BACKUP_KEEP"),
        ({"PRACTICUM_BACKUP_KEEP": "0 0 0"}, "PRACTICUM_BACKUP_KEEP"),
        ({"PRACTICUM_BACKUP_HOUR": "24"}, "PRACTICUM_BACKUP_HOUR"),
        ({"PRACTICUM_BACKUP_HOUR": "3"}, "PRACTICUM_BACKUP_REPOSITORY"),
        ({"PRACTICUM_BACKUP_SNAPSHOTS": "maybe"}, "PRACTICUM_BACKUP_SNAPSHOTS"),
        (
            {"PRACTICUM_BACKUP_REPOSITORY": "sftp:a@b:/c", "PRACTICUM_BACKUP_SSH_KEY_FILE": "/k"},
            "PRACTICUM_BACKUP_KNOWN_HOSTS_FILE",
        ),
    ],
)
def test_what_can_not_be_used_is_named(change: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        read(change, root=ROOT)


def test_without_a_place_it_says_what_to_set(settings: Any) -> None:
    from practicum.config.keeping import places

    with pytest.raises(NotSet, match="PRACTICUM_BACKUP_REPOSITORY"):
        places.restic()


# Homes of several servers


class Servers:
    """Engines by name; ``ill`` is one that does not answer."""

    def __init__(self, **homes: list[str]) -> None:
        self.homes, self.ill = homes, ""

    def everywhere(self) -> dict[str, str]:
        """Each engine is its own name here; the site's own has none."""
        return {name.removeprefix("own"): name.removeprefix("own") for name in self.homes}


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Any:
    """``found(servers, where)``: whose home is read from which server, and the warnings."""
    settings.PRACTICUM_VOLUME_DRIVER = ""

    def look(servers: Servers, where: dict[str, str]) -> tuple[dict[str, str], list[str]]:
        def present(server: str) -> dict[str, str]:
            if server == servers.ill != "":
                raise EngineUnavailable("does not answer")
            return {name: name for name in servers.homes[server or "own"]}

        monkeypatch.setattr(making.volumes, "present", present)
        monkeypatch.setattr(making.homes, "servers_by_username", lambda: where)
        warnings: list[str] = []
        means: Any = SimpleNamespace(engine=servers, say=lambda _: None)
        return making._homes_everywhere(means, warnings=warnings), warnings  # type: ignore[return-value]

    return look


def test_a_home_is_read_where_its_person_works_and_not_where_they_were(found: Any) -> None:
    servers = Servers(own=["ines", "kofi"], gpu2=["kofi", "noor"])
    assert found(servers, {"kofi": "gpu2", "noor": "gpu2"}) == ({"ines": "", "kofi": "gpu2", "noor": "gpu2"}, [])


def test_a_server_that_does_not_answer_is_a_warning_and_the_others_are_kept(found: Any) -> None:
    servers = Servers(own=["ines"], gpu2=["noor"])
    servers.ill = "gpu2"
    assert found(servers, {"noor": "gpu2"}) == ({"ines": ""}, ["homes on gpu2: does not answer"])


def test_on_a_shared_driver_each_home_is_read_once(found: Any, settings: Any) -> None:
    settings.PRACTICUM_VOLUME_DRIVER = "local"
    servers = Servers(own=["ines", "noor"], gpu2=["ines", "noor"])
    assert found(servers, {"noor": "gpu2"}) == ({"ines": "", "noor": ""}, [])

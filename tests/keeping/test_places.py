"""Repositories: a folder, a server with SSH, S3; and what is said of one that is missing, shut, locked or damaged."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from practicum.config.keeping.restic import Place, Restic
from tests.keeping.sites import Site, repository
from tests.tools.postgres import free_port
from tests.tools.s3 import ACCESS, s3_server

pytestmark = pytest.mark.keeping


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """With a cohort in it, and a repository in a folder with one backup."""
    folder = tmp_path_factory.mktemp("places")
    made = Site(folder / "var", repository(folder / "keys", str(folder / "repository")))
    made.practicum("setup")
    made.practicum("scenario", "applications")
    (made.data_dir / "submissions" / "aa" / "bb").mkdir(parents=True)
    (made.data_dir / "submissions" / "aa" / "bb" / "predict.py").write_bytes(os.urandom(200_000))
    made.practicum("backup", "init")
    made.practicum("backup")
    return made


@contextmanager
def an_ssh_server(folder: Path) -> Iterator[tuple[int, Path, Path]]:
    """On loopback, for the account that runs the tests: its port, a key that opens it, and the file of known hosts."""
    sshd = shutil.which("sshd") or "/usr/sbin/sshd"
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    port = free_port()
    (folder / "authorized").write_text((folder / "user.pub").read_text())
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where a privileged sshd parts from its privileges
    options = {
        "Port": port, "ListenAddress": "127.0.0.1", "HostKey": folder / "host", "AuthorizedKeysFile": folder / "authorized",
        "PidFile": folder / "pid", "PasswordAuthentication": "no", "UsePAM": "no", "StrictModes": "no",
        "PermitRootLogin": "prohibit-password", "Subsystem": "sftp internal-sftp",
    }  # fmt: skip
    (folder / "config").write_text("".join(f"{name} {value}\n" for name, value in options.items()))
    process = subprocess.Popen([sshd, "-D", "-e", "-f", str(folder / "config")], stderr=subprocess.DEVNULL)
    try:
        time.sleep(0.3)
        assert process.poll() is None, "sshd ended"
        yield port, folder / "user", folder / "known_hosts"
    finally:
        process.terminate()
        process.wait(timeout=20)


def kept_and_restored(site: Site) -> None:
    """A backup is made and proved."""
    site.practicum("backup", "init")
    made = json.loads(site.practicum("backup", "--json").split("\n{", 1)[-1].join(["{", ""]))
    said = site.practicum("restore", "--verify")
    assert made["id"] in said
    assert "All of it is as it was kept" in said


def test_a_server_with_ssh(site: Site, tmp_path: Path) -> None:
    with an_ssh_server(tmp_path) as (port, key, known_hosts):
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        place = f"sftp://{user}@127.0.0.1:{port}/{tmp_path}/repository"
        opened = {
            **repository(tmp_path / "keys", place),
            "PRACTICUM_BACKUP_SSH_KEY_FILE": str(key),
            "PRACTICUM_BACKUP_KNOWN_HOSTS_FILE": str(known_hosts),
        }
        kept_and_restored(Site(site.data_dir, opened))
        assert (tmp_path / "repository" / "config").is_file()
        known_hosts.write_text("[127.0.0.1]:1 ssh-ed25519 AAAA\n")
        said = Site(site.data_dir, opened).practicum("backup", "list", code=1)
        assert "can't be reached, or does not let us in" in said


def test_s3(site: Site, tmp_path: Path) -> None:
    with s3_server(tmp_path) as port:
        credentials = tmp_path / "s3_credentials"
        credentials.write_text(ACCESS)
        credentials.chmod(0o600)
        place = repository(tmp_path / "keys", f"s3:http://127.0.0.1:{port}/bucket/practicum")
        kept_and_restored(Site(site.data_dir, {**place, "PRACTICUM_BACKUP_S3_CREDENTIALS_FILE": str(credentials)}))


def test_a_flipped_byte_is_found_and_nothing_is_restored(site: Site, tmp_path: Path) -> None:
    copy = tmp_path / "repository"
    shutil.copytree(site.variables["PRACTICUM_BACKUP_REPOSITORY"], copy)
    largest = max((path for path in (copy / "data").rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    largest.chmod(0o600)
    content = bytearray(largest.read_bytes())
    content[100_000] ^= 1
    largest.write_bytes(content)
    other = site.beside("host-2", PRACTICUM_BACKUP_REPOSITORY=str(copy))
    assert "The repository is damaged" in other.practicum("backup", "check", "--read-data", code=5)
    assert "The repository is damaged" in other.practicum("restore", code=5)
    assert not (other.data_dir / "submissions").exists()
    assert not (other.data_dir / "issuer.pem").exists()


def test_a_site_of_a_newer_practicum_is_refused_and_so_is_one_on_another_database(site: Site) -> None:
    restic = Restic(
        Place(
            site.variables["PRACTICUM_BACKUP_REPOSITORY"],
            Path(site.variables["PRACTICUM_BACKUP_PASSWORD_FILE"]),
            site.data_dir / "c",
        )
    )
    (kept,) = restic.snapshots("practicum", "part-manifest")
    with restic.stream_out(kept.id, "manifest.json") as stream:
        manifest = json.loads(stream.read())
    manifest["id"], manifest["version"] = "20991231T235959Z-ffff", "99.0"
    manifest["migrations"].append(["accounts", "9999_of_the_future"])
    manifest["vendor"] = "postgresql"
    tags = ["practicum", "part-manifest", f"backup-{manifest['id']}", "version-99.0"]
    with restic.stream_in("manifest.json", tags=tags, host="practicum-practicum") as written:
        written.write(json.dumps(manifest).encode())
        newer = written.finish()
    said = site.beside("host-3").practicum("restore", "20991231", code=1)
    assert "made by Practicum 99.0, which is newer than this" in said
    assert "of a site on postgresql, this one is on sqlite" in said
    restic.forget([newer])


def test_the_workers_daily_one_is_made_once_and_lets_go_of_older_ones(site: Site, tmp_path: Path) -> None:
    copy = tmp_path / "repository"
    shutil.copytree(site.variables["PRACTICUM_BACKUP_REPOSITORY"], copy)
    for told in ("good.json", "failed.json"):  # by whichever test was before this one
        (site.data_dir / "backup" / told).unlink(missing_ok=True)
    (before,) = json.loads(site.practicum("backup", "list", "--json"))["backups"]
    daily = site.beside(
        "var", PRACTICUM_BACKUP_REPOSITORY=str(copy), PRACTICUM_BACKUP_HOUR="0", PRACTICUM_BACKUP_KEEP="1 0 0"
    )
    assert daily.run("daily.py") == [True, False]
    (after,) = json.loads(daily.practicum("backup", "list", "--json"))["backups"]
    assert after["id"] > before["id"], "of the same day only the last stays"
    assert "is whole" in daily.practicum("backup", "check", "--read-data")


def test_two_do_not_run_at_once(site: Site) -> None:
    code = (
        "import fcntl, sys; f = open(sys.argv[1], 'a'); fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); "
        "sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(site.data_dir / "backup" / "lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert "under way" in site.practicum("backup", code=4)
    finally:
        holder.communicate()


def test_what_is_missing_or_shut_is_said_with_what_mends_it(site: Site, tmp_path: Path) -> None:
    nowhere = site.beside("var", PRACTICUM_BACKUP_REPOSITORY=str(tmp_path / "nowhere"))
    assert "practicum backup init" in nowhere.practicum("backup", code=1)
    wrong = site.beside("var", **repository(tmp_path / "wrong", site.variables["PRACTICUM_BACKUP_REPOSITORY"]))
    password = Path(wrong.variables["PRACTICUM_BACKUP_PASSWORD_FILE"])
    password.write_text("another\n")
    assert "The password file does not open this repository" in wrong.practicum("backup", "list", code=1)
    password.chmod(0o644)
    assert "others may read the file" in wrong.practicum("backup", "list", code=1)

"""The restic program behind a seam: https://restic.readthedocs.io/en/v0.14.0/

The password is read by restic itself from its file; it is in no argument, no log and no variable of ours. What runs gets
none of the site's secrets in its environment.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from practicum.config.keeping.refusals import Busy, Damaged, KeepFault, NoEntry, NoProgram, NoRepository

PROGRAM = "restic"
FLOOR = (0, 14)
INSTALL = "apt-get install restic"
CALL_SECONDS = 300
WORK_SECONDS = 24 * 3600
PROGRESS_EACH = "0.2"  # a second, as restic counts them
KEPT_VARIABLES = ("PATH", "HOME", "TMPDIR", "LANG", "SSL_CERT_FILE", "HTTPS_PROXY", "NO_PROXY")

# What restic says, in whose words the operator is told. In this order.
SAID: tuple[tuple[str, type[KeepFault], str], ...] = (
    (r"wrong password|no key found", NoEntry, "The password file does not open this repository."),
    (
        r"already locked|unable to create lock", Busy,
        "Another program holds the repository. If none does: practicum backup unlock",
    ),
    (
        r"ciphertext verification failed|invalid data returned|[Bb]lob .* not found|hash (does not|mismatch)|"
        r"pack .* (damaged|contains)|errors? (were|was)? ?found|ID mismatch|not found in (the )?index|does not match|"
        r"failed to load|unable to load|truncated|incomplete pack|repository contains errors|There were \d+ errors",
        Damaged, "The repository is damaged: what it gives is not what was put in. Nothing was changed here.",
    ),
    (
        r"unable to open config file|Is there a repository|NoSuchBucket|bucket does not exist", NoRepository,
        "There is no repository at that place. If it is the right one: practicum backup init",
    ),
    (r"config file already exists|already initialized", KeepFault, "There is a repository at that place already."),
    (
        r"Host key verification failed|unable to start the sftp session|"
        r"Permission denied \(|Connection refused|Could not resolve|Connection closed",
        NoEntry, "The server of the repository can't be reached, or does not let us in.",
    ),
    (
        r"Access Denied|AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|[Cc]redentials|Forbidden", NoEntry,
        "The store does not let us in.",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where backups go, and what opens it; empty paths are not used."""

    repository: str
    password_file: Path
    cache_dir: Path
    ssh_key_file: str = ""
    known_hosts_file: str = ""
    s3_credentials_file: str = ""

    @property
    def told(self) -> str:
        """For people: without what may be secret in an address."""
        return re.sub(r"//[^/@]*@", "//", self.repository) if self.repository.startswith("rest:") else self.repository

    def environment(self) -> dict[str, str]:
        """What restic is started with."""
        kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        own = {
            "RESTIC_REPOSITORY": self.repository,
            "RESTIC_PASSWORD_FILE": str(self.password_file),
            "RESTIC_CACHE_DIR": str(self.cache_dir),
            "RESTIC_PROGRESS_FPS": PROGRESS_EACH,
        }
        if self.s3_credentials_file:
            own["AWS_SHARED_CREDENTIALS_FILE"] = self.s3_credentials_file
        return kept | own

    def options(self) -> list[str]:
        """What SSH needs: only the key and the hosts that are named, no question, and no endless waiting."""
        if not self.repository.startswith("sftp:") or not self.ssh_key_file:
            return []
        user_host, port = _ssh_target(self.repository)
        words = ["ssh", *(["-p", str(port)] if port else []), "-i", self.ssh_key_file]
        for option in (
            f"UserKnownHostsFile={self.known_hosts_file or '/dev/null'}", "StrictHostKeyChecking=yes", "BatchMode=yes",
            "IdentitiesOnly=yes", "ConnectTimeout=20", "ServerAliveInterval=30",
        ):  # fmt: skip
            words += ["-o", option]
        return ["-o", f"sftp.command={shlex.join([*words, user_host, '-s', 'sftp'])}"]


def _ssh_target(repository: str) -> tuple[str, int | None]:
    """``user@host`` and the port of ``sftp:user@host:/path`` or ``sftp://user@host:22//path``."""
    rest = repository.removeprefix("sftp:")
    if rest.startswith("//"):
        parts = urlsplit(f"sftp:{rest}")
        host = parts.hostname or ""
        return (f"{parts.username}@{host}" if parts.username else host), parts.port
    return rest.split(":", 1)[0], None


@dataclass(frozen=True)
class Snapshot:
    """One snapshot of the repository."""

    id: str
    at: datetime
    tags: tuple[str, ...]

    def tag(self, name: str) -> str:
        """What follows ``name-`` in one of its tags; empty where none begins so."""
        found = [tag.removeprefix(f"{name}-") for tag in self.tags if tag.startswith(f"{name}-")]
        return found[0] if found else ""


class Stream:
    """A snapshot that is made of what is written here; nothing is kept if it is not closed by :meth:`finish`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        self._process, self.sink = process, process.stdin
        self.snapshot = ""

    def write(self, content: bytes) -> int:
        """Hand it over."""
        try:
            return self.sink.write(content)
        except BrokenPipeError as fault:
            raise failure(self._process.communicate()[1].decode(errors="replace")) from fault

    def finish(self) -> str:
        """All was written: the snapshot's id."""
        out, err = self._process.communicate(timeout=WORK_SECONDS)
        if self._process.returncode:
            raise failure(err.decode(errors="replace"))
        self.snapshot = str(_summary(out.decode().splitlines())["snapshot_id"])
        return self.snapshot


class Restic:
    """What is asked of restic at one :class:`Place`.

    Each raises the refusal that fits what restic says: :class:`NoProgram`, :class:`NoRepository`, :class:`NoEntry`,
    :class:`Busy`, :class:`Damaged`, else :class:`KeepFault` with its last line.
    """

    def __init__(self, place: Place) -> None:
        self.place = place

    def version(self) -> str:
        """Of the program.

        Raises:
            NoProgram: it is not there, or older than is needed.
        """
        try:
            said = subprocess.run([PROGRAM, "version"], capture_output=True, text=True, check=True, timeout=30).stdout
        except (OSError, subprocess.SubprocessError) as fault:
            raise NoProgram(f"restic is not installed where this runs: {INSTALL}") from fault
        found = re.search(r"restic (\d+)\.(\d+)(\.\d+)?", said)
        if found is None or (int(found[1]), int(found[2])) < FLOOR:
            raise NoProgram(f"restic {'.'.join(map(str, FLOOR))} or newer is needed, not {said.strip()!r}: {INSTALL}")
        return found[0].removeprefix("restic ")

    def init(self) -> None:
        """An empty repository."""
        self._run("init", "--repository-version", "2")

    def snapshots(self, *tags: str) -> list[Snapshot]:
        """Those with all of these tags, the oldest first."""
        told = ["--tag", ",".join(tags)] if tags else []
        rows = json.loads(self._run("snapshots", "--json", "--no-lock", *told) or "[]") or []
        found = [Snapshot(row["id"], _moment(row["time"]), tuple(row.get("tags") or ())) for row in rows]
        return sorted(found, key=lambda each: each.at)

    def backup(
        self, paths: Sequence[str], *, folder: Path, tags: Sequence[str], leave_out: Iterable[str], host: str,
        on_progress: Callable[[float], None],
    ) -> str:  # fmt: skip
        """A snapshot of ``paths`` below ``folder``; its id. ``on_progress`` is told the part that is done, from 0 to 1."""
        words = ["backup", "--json", "--host", host, *_tags(tags)]
        words += [word for pattern in leave_out for word in ("--exclude", pattern)]
        process = self._start(*words, "--", *paths, cwd=folder, stdin=subprocess.DEVNULL)
        assert process.stdout is not None
        lines = []
        for raw in process.stdout:
            line = raw.decode(errors="replace")
            if '"message_type":"status"' in line:
                on_progress(float(json.loads(line).get("percent_done", 0)))
            else:
                lines.append(line)
        _, err = process.communicate(timeout=CALL_SECONDS)
        # 3: some file could not be read. The manifest says which files there are, and what is missing.
        if process.returncode not in (0, 3):
            raise failure(err.decode(errors="replace"))
        return str(_summary(lines)["snapshot_id"])

    @contextmanager
    def stream_in(self, name: str, *, tags: Sequence[str], host: str) -> Iterator[Stream]:
        """A snapshot of one file ``name`` with what is written meanwhile."""
        words = ["backup", "--json", "--host", host, *_tags(tags), "--stdin", "--stdin-filename", name]
        process = self._start(*words, stdin=subprocess.PIPE)
        try:
            yield Stream(process)
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()

    @contextmanager
    def stream_out(self, snapshot: str, name: str) -> Iterator[IO[bytes]]:
        """One file of a snapshot, to be read to its end.

        Raises:
            Damaged: it can't be given as it was.
        """
        process = self._start("dump", "--no-lock", snapshot, name, stdin=subprocess.DEVNULL)
        assert process.stdout is not None
        try:
            yield process.stdout
            is_read = not process.stdout.read(1)
            _, err = process.communicate(timeout=CALL_SECONDS)
            if process.returncode or not is_read:
                raise failure(err.decode(errors="replace"))
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()

    def listing(self, snapshot: str) -> Iterator[dict[str, Any]]:
        """Every file of a snapshot: ``path``, ``type``, ``size``, ``mtime``."""
        for line in self._run("ls", "--json", "--no-lock", snapshot).splitlines():
            row = json.loads(line)
            if row.get("struct_type") == "node":
                yield row

    def restore(self, snapshot: str, *, target: Path) -> None:
        """Put a snapshot's files below ``target``."""
        self._run("restore", "--no-lock", snapshot, "--target", str(target), seconds=WORK_SECONDS)

    def removable(self, *, tags: Sequence[str], keep: Sequence[tuple[str, int]]) -> set[str]:
        """Ids of the snapshots with these tags that the rules let go; nothing is removed."""
        words = ["forget", "--json", "--dry-run", "--no-lock", "--tag", ",".join(tags), "--group-by", ""]
        for unit, count in keep:
            words += [f"--keep-{unit}", str(count)]
        groups = json.loads(self._run(*words).strip().splitlines()[0])
        return {row["id"] for group in groups or [] for row in group["remove"] or []}

    def forget(self, ids: Sequence[str]) -> None:
        """These snapshots are gone, with what only they held."""
        self._run("forget", "--prune", *ids, seconds=WORK_SECONDS)

    def prune(self) -> None:
        """What no snapshot holds is gone."""
        self._run("prune", seconds=WORK_SECONDS)

    def check(self, *, reads_all: bool) -> None:
        """The repository is whole; with ``reads_all`` every byte of it is read."""
        self._run("check", *(["--read-data"] if reads_all else []), seconds=WORK_SECONDS)

    def unlock(self, *, all_of_them: bool = False) -> None:
        """Locks of programs that do not run any more are gone; or all, where the operator says that nothing runs."""
        self._run("unlock", *(["--remove-all"] if all_of_them else []))

    def _start(self, *words: str, stdin: int, cwd: Path | None = None) -> subprocess.Popen[bytes]:
        command = [PROGRAM, *self.place.options(), *words]
        streams = {"stdin": stdin, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        try:
            return subprocess.Popen(command, env=self.place.environment(), cwd=cwd, **streams)  # type: ignore[call-overload,no-any-return]
        except FileNotFoundError as fault:
            raise NoProgram(f"restic is not installed where this runs: {INSTALL}") from fault

    def _run(self, *words: str, seconds: float = CALL_SECONDS) -> str:
        process = self._start(*words, stdin=subprocess.DEVNULL)
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as fault:
            process.kill()
            process.communicate()
            raise KeepFault(f"restic {words[0]} did not end within {seconds:.0f} s.") from fault
        if process.returncode:
            raise failure(err.decode(errors="replace") + "\n" + out.decode(errors="replace")[-2000:])
        return out.decode(errors="replace")


def failure(said: str) -> KeepFault:
    """The refusal that fits what restic said on its way out."""
    for pattern, kind, message in SAID:
        if re.search(pattern, said):
            return kind(message, said=said[-2000:])
    last = next((line for line in reversed(said.strip().splitlines()) if line.strip()), "nothing")
    return KeepFault(f"restic failed: {last[:300]}", said=said[-2000:])


def _tags(tags: Sequence[str]) -> list[str]:
    return [word for tag in tags for word in ("--tag", tag)]


def _summary(lines: Iterable[str]) -> dict[str, Any]:
    for line in lines:
        if '"message_type":"summary"' in line:
            found: dict[str, Any] = json.loads(line)
            return found
    raise KeepFault("restic ended without saying what it kept.")


def _moment(text: str) -> datetime:
    """restic's nanoseconds are more digits than ``fromisoformat`` takes."""
    return datetime.fromisoformat(
        re.sub(r"\.(\d{1,6})\d*", lambda found: f".{found[1]:0<6}", text).replace("Z", "+00:00")
    )

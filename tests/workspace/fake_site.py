"""A site that knows only the workspace API, for tests of what runs inside a notebook; also a program to try it with:

    python tests/workspace/fake_site.py --port 18210

It holds to the contract: bearer only, multipart with a zip that has predict.py at its top, one submission a digest, a
cap a day. Submissions move one state further at each ``advance``, or by themselves every ``step_seconds``.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import threading
import time
import zipfile
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

BASELINE = 0.95
STATES = ("received", "queued", "running", "scored")
MAX_BYTES = 50_000_000


class FakeSite:
    """State and server in one; a context manager. ``url`` is where it answers."""

    def __init__(
        self, *, token: str = "workspace-token", port: int = 0, step_seconds: float = 0, cap: int = 50
    ) -> None:
        self.token, self.step_seconds, self.cap = token, step_seconds, cap
        self.lock = threading.Lock()
        self.reset()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """No longer answers."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def reset(self) -> None:
        """Forget everything."""
        self.submissions: list[dict[str, Any]] = []
        self.archives: list[bytes] = []
        self.sources: list[str] = []
        self.activity: list[dict[str, Any]] = []
        self.warning: str | None = None
        self.gpu: dict[str, Any] | None = None
        self.moves = 0
        self.help: dict[str, Any] = {}
        self.shown: dict[str, list[bytes]] = {}
        self.refusal: tuple[int, dict[str, Any]] | None = None
        self._began: dict[int, float] = {}

    def environment(self, project_dir: str) -> dict[str, str]:
        """What the hub would give a notebook of this site."""
        return {
            "PRACTICUM_SITE_URL": self.url,
            "PRACTICUM_API_URL": self.url,
            "PRACTICUM_TOKEN": self.token,
            "PRACTICUM_PROJECT": "digits",
            "PRACTICUM_PROJECT_DIR": project_dir,
            "PRACTICUM_DATA": f"{project_dir}/../data",
        }

    def seed(self, *, count: int) -> None:
        """Add ended submissions, each better than the one before."""
        for number in range(1, count + 1):
            self._add(hashlib.sha256(str(number).encode()).hexdigest(), source="upload", archive=b"")
            self._end(self.submissions[-1], score=BASELINE - 0.02 + 0.01 * number)
            ago = timedelta(hours=5 * (count - number + 1))
            self.submissions[-1]["received_at"] = (datetime.now(UTC) - ago).isoformat()

    def advance(self, number: int, *, score: float = 0.971, invalid: str = "") -> None:
        """Move a submission one state further; to ``invalid`` when a message is given."""
        with self.lock:
            one = self.submissions[number - 1]
            if invalid:
                one.update(state="invalid", reason=invalid, place=None)
                return
            following = STATES[STATES.index(one["state"]) + 1]
            one.update(state=following, place=2 if following == "queued" else None)
            if following == "scored":
                self._end(one, score=score)

    def status(self) -> dict[str, Any]:
        """The answer of GET /api/workspace/status."""
        newest = [self.public(one) for one in reversed(self.submissions)][:20]
        scores = [one["score"] for one in self.submissions if one["score"] is not None]
        return {
            "intern": {"username": "ines", "name": "Ines"},
            "project": {"slug": "digits", "title": "Read handwritten digits", "version": 1},
            "metric": {"name": "accuracy", "goal": "maximize", "digits": 4},
            "baseline": BASELINE,
            "best": max(scores, default=None),
            "milestone": {"title": "Beat the baseline", "due_on": (date.today() + timedelta(days=5)).isoformat()},
            "days_left": 23,
            "session": {
                "until": (datetime.now(UTC) + timedelta(hours=2, minutes=42)).isoformat(),
                "slot": "GPU 0 · H100",
            },
            "gpu": self.gpu,
            "submissions": newest,
        }

    def public(self, one: dict[str, Any]) -> dict[str, Any]:
        """A submission as the wire has it, moved on by time where it should be."""
        if self.step_seconds and one["state"] != "scored" and one["number"] in self._began:
            steps = int((time.monotonic() - self._began[one["number"]]) / self.step_seconds)
            while one["state"] in STATES[:-1] and STATES.index(one["state"]) < min(steps, len(STATES) - 1):
                following = STATES[STATES.index(one["state"]) + 1]
                one.update(state=following, place=2 if following == "queued" else None)
                if following == "scored":
                    self._end(one, score=0.971)
        return {key: value for key, value in one.items() if key != "digest"}

    def help_now(self) -> dict[str, Any]:
        """The answer of GET /api/workspace/help."""
        until = (datetime.now(UTC) + timedelta(minutes=30)).isoformat()
        nobody = {"state": "none", "helper": "", "helper_name": "", "topic": "", "until": None, "helper_url": ""}
        somebody = {"helper": "mira", "helper_name": "Mira Mentor", "topic": "Why does it diverge?", "until": until}
        helping = {**nobody, **somebody, **self.help} if self.help else nobody
        return {**helping, "url": f"{self.url}/notebook/help/"}

    def receive(self, fields: dict[str, bytes]) -> tuple[int, dict[str, Any]]:
        """Take a hand-in; the status and the answer."""
        source, archive = fields.get("source", b"").decode(), fields.get("archive", b"")
        if source not in ("terminal", "cell", "button") or set(fields) != {"source", "archive"}:
            return _error(400, "bad_request", "A submission has the fields source and archive.")
        try:
            names = zipfile.ZipFile(io.BytesIO(archive)).namelist()
        except zipfile.BadZipFile:
            return _error(400, "bad_archive", "This is not a zip archive.")
        if "predict.py" not in names:
            return _error(400, "bad_archive", "There is no predict.py at the top.", member="predict.py")
        digest = hashlib.sha256(archive).hexdigest()
        with self.lock:
            for one in self.submissions:
                if one["digest"] == digest:
                    text = f"The same content was handed in as #{one['number']}."
                    return _error(409, "duplicate_submission", text, number=one["number"], url=one["url"])
            if len(self.submissions) >= self.cap:
                return _error(
                    429, "too_many", f"You may hand in {self.cap} times a day; the next is possible at 00:00."
                )
            return 201, self.public(self._add(digest, source=source, archive=archive))

    def _add(self, digest: str, *, source: str, archive: bytes) -> dict[str, Any]:
        number = len(self.submissions) + 1
        one = {
            "number": number,
            "state": "received",
            "reason": "",
            "score": None,
            "difference": None,
            "url": f"{self.url}/submissions/{number}/",
            "received_at": datetime.now(UTC).isoformat(),
            "place": None,
            "digest": digest,
        }
        self.submissions.append(one)
        self.archives.append(archive)
        self.sources.append(source)
        self._began[number] = time.monotonic()
        return one

    def _end(self, one: dict[str, Any], *, score: float) -> None:
        one.update(state="scored", place=None, score=round(score, 6), difference=round(score - BASELINE, 6))


def _error(status: int, code: str, message: str, **facts: object) -> tuple[int, dict[str, Any]]:
    return status, {"error": {"code": code, "message": message, **facts}}


def _fields(content_type: str, body: bytes) -> dict[str, bytes]:
    whole = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    parts = [part for part in whole.walk() if not part.is_multipart()]
    return {str(part.get_param("name", header="content-disposition")): _payload(part) for part in parts}


def _payload(part: Message) -> bytes:
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content


def _handler(site: FakeSite) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(*self._get())

        def do_POST(self) -> None:
            self._answer(*self._post())

        def _refused(self) -> tuple[int, dict[str, Any]] | None:
            if site.refusal is not None:
                return site.refusal
            if self.headers.get("Authorization") != f"Bearer {site.token}":
                return _error(401, "token_expired", "This token has expired.")
            return None

        def _get(self) -> tuple[int, dict[str, Any]]:
            if refused := self._refused():
                return refused
            if self.path == "/api/workspace/status":
                return 200, site.status()
            if self.path == "/api/workspace/help":
                return 200, site.help_now()
            head, _, number = self.path.rpartition("/")
            if head == "/api/workspace/submissions" and number.isdigit() and 0 < int(number) <= len(site.submissions):
                return 200, site.public(site.submissions[int(number) - 1])
            return _error(404, "not_found", "There is nothing here for you.")

        def _post(self) -> tuple[int, dict[str, Any]]:
            length = int(self.headers["Content-Length"])
            if length > MAX_BYTES:
                # Answered before the body is read, as a proxy in front of a site does.
                self.close_connection = True
                return _error(413, "too_large", "At most 50 MB can be handed in.")
            body = self.rfile.read(length)
            if refused := self._refused():
                return refused
            if self.path == "/api/workspace/submissions":
                return site.receive(_fields(self.headers["Content-Type"], body))
            if self.path == "/api/workspace/activity":
                site.activity.append(json.loads(body))
                until = (datetime.now(UTC) + timedelta(minutes=10)).isoformat()
                stop_at = until if site.warning else None
                answer = {"stop_at": stop_at, "warning": site.warning, "lease_until": until}
                return 200, answer | {"is_help_open": bool(site.help)}
            if self.path == "/api/workspace/help/end":
                site.help = {}
                return 200, site.help_now()
            if self.path.startswith("/api/workspace/help/notebook?path="):
                if site.help.get("state") not in ("reading", "hands_asked", "hands"):
                    return _error(409, "conflict", "Nobody reads this notebook now.")
                site.shown.setdefault(unquote(self.path.partition("=")[2]), []).append(body)
                return 201, {}
            if self.path == "/api/workspace/move":
                if site.gpu is None or site.gpu["state"] != "turn":
                    return _error(409, "conflict", "No GPU is kept for you now.")
                site.moves += 1
                return 200, {"url": f"{site.url}/notebook/?follow=1"}
            return _error(404, "not_found", "There is nothing here for you.")

        def _answer(self, status: int, answer: dict[str, Any]) -> None:
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    return Handler


def main() -> None:
    """Serve until interrupted."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--port", type=int, default=18210)
    arguments.add_argument("--step-seconds", type=float, default=4.0)
    arguments.add_argument("--seed", type=int, default=2)
    options = arguments.parse_args()
    with FakeSite(port=options.port, step_seconds=options.step_seconds) as site:
        site.seed(count=options.seed)
        print(f"{site.url} token {site.token}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()

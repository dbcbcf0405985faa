"""The site's workspace API as this notebook may use it. One connection a call, a time-out on each, no redirects.

The token is a bearer of this session only; it goes to the address the hub gave and nowhere else: proxies and redirects
are not followed.
"""

from __future__ import annotations

import http.client
import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

from practicum_hub.workspace import errors
from practicum_hub.workspace.answers import Activity, ActivityAnswer, Help, Status, Submission

CALL_SECONDS = 10.0
UPLOAD_SECONDS = 180.0
MAX_ANSWER_BYTES = 1 << 20
CHUNK_BYTES = 1 << 16

AWAY = "The site does not answer. Nothing here is lost; try again in a minute."
AWAY_UPLOAD = (
    "Not handed in: the site does not answer. Nothing is lost; try again in a minute "
    "(the same content is never taken twice)."
)

T = TypeVar("T")


@dataclass(frozen=True)
class Environment:
    """What the hub tells a notebook: ``site_url`` is for the browser, ``api_url`` how this machine reaches the site."""

    api_url: str
    token: str
    site_url: str
    project: str
    project_dir: Path
    data: Path

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> Environment:
        """Raises: NotAWorkspace when this is no Practicum notebook."""
        missing = [n for n in ("PRACTICUM_API_URL", "PRACTICUM_TOKEN", "PRACTICUM_PROJECT_DIR") if not variables.get(n)]
        if missing:
            raise errors.NotAWorkspace(
                f"This is not a Practicum notebook ({', '.join(missing)} not set). "
                "Open your notebook from the site's home page and run this there."
            )
        api_url = variables["PRACTICUM_API_URL"].rstrip("/")
        return cls(
            api_url=api_url,
            token=variables["PRACTICUM_TOKEN"],
            site_url=variables.get("PRACTICUM_SITE_URL", api_url).rstrip("/"),
            project=variables.get("PRACTICUM_PROJECT", ""),
            project_dir=Path(variables["PRACTICUM_PROJECT_DIR"]),
            data=Path(variables.get("PRACTICUM_DATA", "/data")),
        )


class SiteClient:
    """Calls of one session. Every failure is a :class:`errors.WorkspaceError` with a sentence to act on."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self._origin = urlsplit(environment.api_url)

    def status(self) -> Status:
        """Where the intern stands."""
        return _understood(Status.read, self.raw_status())

    def raw_status(self) -> dict[str, Any]:
        """The status as the site sent it, for the panel."""
        return self._call("GET", "/api/workspace/status")

    def submission(self, number: int) -> Submission:
        """How far one submission is."""
        return _understood(Submission.read, self._call("GET", f"/api/workspace/submissions/{number}"))

    def submit(self, archive: Path, *, source: str) -> Submission:
        """Hand in a zip; ``source`` is ``terminal``, ``cell`` or ``button``.

        Raises: TokenExpired, Duplicate, UploadTooLarge, ArchiveRefused, CapReached; SiteAway when it is not sure that
            the site has it. Handing in again is then safe: the same content is never taken twice.
        """
        boundary = f"practicum-{secrets.token_hex(16)}"
        head, tail = _multipart_edges(boundary=boundary, source=source)
        headers = {
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(len(head) + archive.stat().st_size + len(tail)),
        }
        body = _multipart(archive, head=head, tail=tail)
        answer = self._call("POST", "/api/workspace/submissions", body=body, headers=headers, seconds=UPLOAD_SECONDS)
        return _understood(Submission.read, answer)

    def activity(self, activity: Activity) -> ActivityAnswer:
        """Report what this notebook server did; the answer says whether it is about to be stopped."""
        body = json.dumps(activity.as_json()).encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        answer = self._call("POST", "/api/workspace/activity", body=body, headers=headers)
        return _understood(ActivityAnswer.read, answer)

    def move(self) -> str:
        """Take the GPU that is kept for this notebook's intern; returns the page on which to wait for it.

        What is open must be saved before: this notebook server stops. Raises: SiteRefused when none is kept.
        """
        answer = self._call("POST", "/api/workspace/move", body=b"", headers={"Content-Length": "0"})
        return _understood(lambda said: str(said["url"]), answer)

    def help(self) -> Help:
        """Who helps in this notebook now, and how far they may go."""
        return _understood(Help.read, self._call("GET", "/api/workspace/help"))

    def end_help(self) -> Help:
        """Help is over."""
        answer = self._call("POST", "/api/workspace/help/end", body=b"", headers={"Content-Length": "0"})
        return _understood(Help.read, answer)

    def send_notebook(self, path: str, content: bytes) -> None:
        """Show a notebook as it is saved to the mentor who reads. Raises: SiteRefused when nobody reads."""
        headers = {"Content-Type": "application/x-ipynb+json", "Content-Length": str(len(content))}
        self._call("POST", f"/api/workspace/help/notebook?{urlencode({'path': path})}", body=content, headers=headers)

    def _call(
        self,
        method: str,
        path: str,
        *,
        body: bytes | Iterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float = CALL_SECONDS,
    ) -> dict[str, Any]:
        bearer = {"Authorization": f"Bearer {self.environment.token}", "Accept": "application/json"}
        connection = self._connection(seconds)
        try:
            try:
                connection.request(method, self._origin.path + path, body=body, headers={**bearer, **(headers or {})})
            except (BrokenPipeError, ConnectionResetError):
                # A refusal may arrive while the upload still runs; the answer is then already there to read.
                if connection.sock is None:
                    raise
            response = connection.getresponse()
            content = response.read(MAX_ANSWER_BYTES)
        except (OSError, http.client.HTTPException) as failure:
            raise errors.SiteAway(AWAY_UPLOAD if seconds == UPLOAD_SECONDS else AWAY) from failure
        finally:
            connection.close()
        return _answer(response.status, content, site_url=self.environment.site_url)

    def _connection(self, seconds: float) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._origin.scheme == "https" else http.client.HTTPConnection
        return kind(self._origin.hostname or "", self._origin.port, timeout=seconds)


def _multipart_edges(*, boundary: str, source: str) -> tuple[bytes, bytes]:
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="source"\r\n\r\n{source}\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="archive"; filename="submission.zip"\r\n'
        "Content-Type: application/zip\r\n\r\n"
    )
    return head.encode(), f"\r\n--{boundary}--\r\n".encode()


def _multipart(archive: Path, *, head: bytes, tail: bytes) -> Iterator[bytes]:
    yield head
    with archive.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            yield chunk
    yield tail


def _understood(read: Callable[[Mapping[str, Any]], T], answer: Mapping[str, Any]) -> T:
    try:
        return read(answer)
    except (KeyError, TypeError, ValueError) as failure:
        raise errors.SiteAway(
            "The site answered something this notebook does not understand. "
            "Restart your notebook from the site's home page to get the current tools."
        ) from failure


def _answer(status: int, content: bytes, *, site_url: str) -> dict[str, Any]:
    try:
        answer = json.loads(content)
    except ValueError:
        answer = None
    if status < 300 and isinstance(answer, dict):
        return answer
    said = answer.get("error") if isinstance(answer, dict) else None
    raise _refusal(status, said if isinstance(said, dict) else {}, site_url=site_url)


def _refusal(status: int, said: Mapping[str, Any], *, site_url: str) -> errors.WorkspaceError:
    """The error that a status of the site stands for, with a sentence that says what to do."""
    message = str(said.get("message") or "")
    facts = {key: value for key, value in said.items() if key not in ("code", "message")}
    if status in (401, 403):
        return errors.TokenExpired(
            f"This notebook's pass to the site has expired. Save your work, then restart your notebook from the site's "
            f"home: {site_url}/",
            said=message,
        )
    if status == 409 and said.get("code") == "duplicate_submission":
        number, url = facts.get("number"), facts.get("url") or f"{site_url}/"
        return errors.Duplicate(f"Exactly this was already handed in as #{number}: {url}", **facts)
    if status == 413:
        return errors.UploadTooLarge(message or "The site says that this is too large.", **facts)
    if status == 429:
        return errors.CapReached(message or "You have handed in as often as today allows. Try again tomorrow.", **facts)
    if status == 400:
        member = f" (in {facts['member']})" if facts.get("member") and str(facts["member"]) not in message else ""
        return errors.ArchiveRefused(f"{message or 'The site could not use this archive.'}{member}", **facts)
    if status == 404:
        return errors.NotThere(message or "The site has no such thing for you.", **facts)
    if 400 <= status < 500:
        return errors.SiteRefused(message or f"The site refused this (status {status}).", **facts)
    return errors.SiteAway(AWAY)

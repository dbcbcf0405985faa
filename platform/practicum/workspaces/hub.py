"""The site's client of JupyterHub's REST API, and its twin in memory. It translates and maps errors; no decisions.

::

    Fault
    ├── HubUnavailable      the hub does not answer
    └── HubRefused          it answered, and refused or failed; the message is for the person who waits
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol
from urllib.parse import quote

import httpx
from django.conf import settings

from practicum.errors import Fault

TIMEOUT = httpx.Timeout(15, connect=3)
# What JupyterHub says of a fault of its own, such as a database that can't be written; a start that failed has words.
UNCAUGHT = "Internal Server Error"
PEOPLE_A_PAGE = 200  # the hub gives no more at once (JupyterHub.api_page_max_limit)
MOST_PAGES = 100


class HubUnavailable(Fault):
    """The notebook hub does not answer."""

    code = "hub_unavailable"


class HubRefused(Fault):
    """The notebook hub answered, and refused."""

    code = "hub_refused"


@dataclass(frozen=True)
class HubServer:
    """A person's server as the hub sees it. ``pending``: ``spawn``, ``stop`` or empty."""

    ready: bool
    pending: str = ""


class Hub(Protocol):
    """What the site asks of the hub. Each raises HubUnavailable or HubRefused."""

    def start(self, username: str) -> bool:
        """Ask for the person's server; True when it is ready now, False while it is being started."""

    def stop(self, username: str) -> bool:
        """Ask for its end; True when there is none any more, False while it is being stopped."""

    def server(self, username: str) -> HubServer | None:
        """The person's server, or None when the hub has none."""

    def people_with_servers(self) -> set[str]:
        """Everybody who has one. Asked page by page: one that came or went meanwhile may be missing."""

    def forget(self, username: str) -> None:
        """The hub knows no such person any more; a server of theirs is stopped. One it never knew is no error."""

    def share(self, username: str, *, guest: str) -> None:
        """``guest`` may use the person's server from now on."""

    def unshare(self, username: str) -> None:
        """Nobody but the person may use their server; a person the hub doesn't know shares none."""

    def guests(self, username: str) -> set[str]:
        """Who else may use the person's server: people by name, groups with ``@`` before."""


class HttpHub:
    """The hub over HTTP, with the site's service token. Safe to share between threads."""

    def __init__(self, url: str, *, token: str, transport: httpx.BaseTransport | None = None) -> None:
        self._http = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=TIMEOUT,
            transport=transport,
            trust_env=False,
        )

    def start(self, username: str) -> bool:
        """POST the person's server; the person is made known to the hub first where it doesn't know them.

        A hub that answers and can't start anything now, for it shuts down or can't ask the site for the lease, is unavailable.
        """
        answer = self._ask("POST", _server(username))
        if answer.status_code == 404:
            self._make_user(username)
            answer = self._ask("POST", _server(username))
        if answer.status_code == 400 and "already running" in _message(answer):
            return True
        if answer.status_code == 503:
            raise HubUnavailable(_message(answer))
        if answer.status_code not in (201, 202):
            raise HubRefused(_message(answer))
        return answer.status_code == 201

    def stop(self, username: str) -> bool:
        """DELETE the person's server; a start that is under way is interrupted."""
        answer = self._ask("DELETE", _server(username))
        if answer.status_code == 404:
            return True
        if answer.status_code not in (202, 204):
            raise HubRefused(_message(answer))
        return answer.status_code == 204

    def server(self, username: str) -> HubServer | None:
        """GET the person; a person the hub doesn't know has no server."""
        answer = self._ask("GET", _user(username))
        if answer.status_code == 404:
            return None
        if answer.status_code != 200:
            raise HubRefused(_message(answer))
        try:
            model = answer.json()["servers"].get("")
            return None if model is None else HubServer(ready=bool(model["ready"]), pending=model["pending"] or "")
        except (ValueError, KeyError, TypeError, AttributeError) as fault:
            raise HubRefused("The notebook hub gave an answer nobody understands.") from fault

    def people_with_servers(self) -> set[str]:
        """GET the active people, as many at a time as the hub gives."""
        found: set[str] = set()
        for page in range(MOST_PAGES):
            at = {"state": "active", "limit": str(PEOPLE_A_PAGE), "offset": str(page * PEOPLE_A_PAGE)}
            answer = self._ask("GET", "/users", params=at)
            if answer.status_code != 200:
                raise HubRefused(_message(answer))
            try:
                names = [str(row["name"]) for row in answer.json()]
            except (ValueError, KeyError, TypeError) as fault:
                raise HubRefused("The notebook hub gave an answer nobody understands.") from fault
            found.update(names)
            if len(names) < PEOPLE_A_PAGE:
                break
        return found

    def forget(self, username: str) -> None:
        """DELETE the person; refused until their server has stopped."""
        answer = self._ask("DELETE", _user(username))
        if answer.status_code not in (204, 404):
            raise HubRefused(_message(answer))

    def share(self, username: str, *, guest: str) -> None:
        """POST a share of the person's server; the guest is made known to the hub first where it doesn't know them."""
        answer = self._ask("POST", _shares(username), json={"user": guest})
        if answer.status_code == 400 and "No such user" in _message(answer):
            self._make_user(guest)
            answer = self._ask("POST", _shares(username), json={"user": guest})
        if answer.status_code != 200:
            raise HubRefused(_message(answer))

    def unshare(self, username: str) -> None:
        """DELETE all shares of the person's server."""
        answer = self._ask("DELETE", _shares(username))
        if answer.status_code not in (204, 404):
            raise HubRefused(_message(answer))

    def guests(self, username: str) -> set[str]:
        """GET the shares of the person's server. More than one page of them are none of ours, and one page tells."""
        answer = self._ask("GET", _shares(username))
        if answer.status_code == 404:
            return set()
        if answer.status_code != 200:
            raise HubRefused(_message(answer))
        try:
            rows = answer.json()["items"]
            return {row["user"]["name"] if row["user"] else f"@{row['group']['name']}" for row in rows}
        except (ValueError, KeyError, TypeError) as fault:
            raise HubRefused("The notebook hub gave an answer nobody understands.") from fault

    def _make_user(self, username: str) -> None:
        answer = self._ask("POST", _user(username))
        if answer.status_code not in (201, 409):
            raise HubRefused(_message(answer))

    def _ask(
        self, method: str, path: str, *, json: dict[str, str] | None = None, params: dict[str, str] | None = None
    ) -> httpx.Response:
        try:
            answer = self._http.request(method, path, json=json, params=params)
        except httpx.HTTPError as fault:
            raise HubUnavailable("The notebook hub does not answer.") from fault
        if answer.status_code in (502, 503, 504) and "message" not in answer.text:
            raise HubUnavailable("The notebook hub does not answer.")
        if answer.status_code in (401, 403):
            # Its database can't be written, or it has another token: no fault of the notebook that was asked for.
            raise HubUnavailable("The notebook hub does not know the site just now.")
        if answer.status_code == 500 and _message(answer) == UNCAUGHT:
            raise HubUnavailable("The notebook hub failed; it is asked again.")
        return answer


def _user(username: str) -> str:
    return f"/users/{quote(username, safe='')}"


def _server(username: str) -> str:
    return f"{_user(username)}/server"


def _shares(username: str) -> str:
    return f"/shares/{quote(username, safe='')}/"


def _message(answer: httpx.Response) -> str:
    try:
        message = str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        message = ""
    return message or f"The notebook hub refused (status {answer.status_code})."


class MemoryHub:
    """The hub's twin for tests. ``on_start`` does what the hub's spawner would: claim, and make a container.

    ``answers``: by person, what the next starts give: ``ready``, ``pending``, ``unavailable``, or the message of a refusal. A
    person without one is refused, so that no test starts what it did not say.
    """

    def __init__(self, *, on_start: Callable[[str], Any] = lambda _: None) -> None:
        self.on_start = on_start
        self.on_stop: Callable[[str], Any] = lambda _: None
        self.answers: dict[str, list[str]] = {}
        self.servers: dict[str, HubServer] = {}
        self.shares: dict[str, set[str]] = {}
        self.is_away = False
        self.stops_slowly = False
        self.calls: list[tuple[str, str]] = []

    def start(self, username: str) -> bool:
        """Give the next answer laid out for the person."""
        self._called("start", username)
        if username in self.servers:
            return self.servers[username].ready
        answer = self.answers.get(username, []).pop(0) if self.answers.get(username) else "Not laid out."
        if answer == "unavailable":
            raise HubUnavailable("The site can't be asked for a lease right now.")
        if answer not in ("ready", "pending"):
            raise HubRefused(answer)
        self.servers[username] = HubServer(ready=False, pending="spawn")
        self.on_start(username)
        if answer == "ready":
            self.come_up(username)
        return answer == "ready"

    def stop(self, username: str) -> bool:
        """End the person's server, or the start of it."""
        self._called("stop", username)
        if username in self.servers and self.stops_slowly:
            self.servers[username] = HubServer(ready=False, pending="stop")
            return False
        self.servers.pop(username, None)
        self.on_stop(username)
        return True

    def server(self, username: str) -> HubServer | None:
        """What was started and not stopped."""
        self._called("server", username)
        return self.servers.get(username)

    def people_with_servers(self) -> set[str]:
        """Those with a server."""
        self._called("people_with_servers", "")
        return set(self.servers)

    def forget(self, username: str) -> None:
        """Refused until the person's server has stopped."""
        self._called("forget", username)
        if username in self.servers and not self.stop(username):
            raise HubRefused(f"{username}'s server is in the process of stopping, please wait.")

    def share(self, username: str, *, guest: str) -> None:
        """Only a server that was started once can be shared."""
        self._called("share", username)
        if username not in self.answers:
            raise HubRefused(f"No such server: {username}/")
        self.shares.setdefault(username, set()).add(guest)

    def unshare(self, username: str) -> None:
        """Forget who else may use it."""
        self._called("unshare", username)
        self.shares.pop(username, None)

    def guests(self, username: str) -> set[str]:
        """Whom it was shared with."""
        self._called("guests", username)
        return set(self.shares.get(username, set()))

    def come_up(self, username: str) -> None:
        """A server that was being started is ready."""
        self.servers[username] = HubServer(ready=True)

    def lose(self, username: str) -> None:
        """A server is gone without anybody having asked."""
        del self.servers[username]

    def _called(self, verb: str, username: str) -> None:
        self.calls.append((verb, username))
        if self.is_away:
            raise HubUnavailable("The notebook hub does not answer.")


@cache
def get_hub() -> HttpHub:
    """The hub of this installation, as the settings name it."""
    return HttpHub(settings.PRACTICUM_HUB_API_URL, token=settings.PRACTICUM_HUB_API_TOKEN)

"""The site as the hub calls it: one claim before a start, events afterwards.

::

    SiteError
    ├── ClaimRefused       the site says no: no lease (409), a deactivated (403) or unknown account (404)
    ├── StaleToken         the session moved on; this hub's knowledge of it is old
    ├── EventRefused       the site will never take this event
    └── SiteUnavailable    no answer, or one that makes no sense

A claim is sent once (only an unmade connection is tried again); an event is idempotent and is repeated until the site
takes it or refuses it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from functools import cache
from typing import Any

import httpx

from practicum_hub.claim import Claim
from practicum_hub.logs import ids

log = logging.getLogger("practicum.hub.site")

TIMEOUT = httpx.Timeout(10, connect=3)
EVENT_DELAYS_SECONDS = (0.2, 1.0, 3.0, 10.0, 30.0, 60.0)
REFUSALS = (403, 404, 409)


class SiteError(Exception):
    """Base of what can go wrong between the hub and the site."""


class ClaimRefused(SiteError):
    """The site does not let this notebook start; ``url`` is where the person should go."""

    def __init__(self, message: str, *, status: int, url: str) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.url = url


class StaleToken(SiteError):
    """The lease has been given on; what this token says is no longer heard."""


class EventRefused(SiteError):
    """The site will never take this event; sending it again is useless."""


class SiteUnavailable(SiteError):
    """The site did not answer, or not as agreed."""


class SiteClient:
    """Calls the site's hub API. One for each hub process: it keeps its connections."""

    def __init__(
        self,
        url: str,
        *,
        token: str,
        transport: httpx.AsyncBaseTransport | None = None,
        delays: Sequence[float] = EVENT_DELAYS_SECONDS,
    ) -> None:
        self.delays = delays
        self._http = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=TIMEOUT,
            transport=transport or httpx.AsyncHTTPTransport(retries=2),
            trust_env=False,
        )

    async def claim(self, username: str) -> Claim:
        """Claim the session that waits for ``username``.

        Raises:
            ClaimRefused: there is no lease, or no such active account.
            SiteUnavailable: no answer, or not one of the contract's.
        """
        answer = await self._post("/api/hub/sessions/claim", {"username": username})
        if answer.status_code in REFUSALS:
            raise _refusal(answer)
        try:
            return Claim.from_json(answer.raise_for_status().json())
        except (httpx.HTTPStatusError, ValueError) as fault:
            raise SiteUnavailable(f"The site's answer to the claim can't be used ({fault}).") from fault

    async def event(self, session: str, *, token: int, state: str, message: str = "") -> None:
        """Tell the site what became of ``session``; repeated while the site is away.

        Raises:
            StaleToken: the site has moved on.
            EventRefused: it does not take this event.
            SiteUnavailable: it stayed away.
        """
        for delay in self.delays:
            try:
                return await self._event_once(session, token=token, state=state, message=message)
            except SiteUnavailable as fault:
                log.info("event %r of session %s is sent again in %s s: %s", state, session, delay, fault)
                await asyncio.sleep(delay)
        return await self._event_once(session, token=token, state=state, message=message)

    async def _event_once(self, session: str, *, token: int, state: str, message: str) -> None:
        body = {"token": token, "state": state, "message": message}
        answer = await self._post(f"/api/hub/sessions/{session}/events", body)
        if answer.status_code == 409:
            raise StaleToken(f"The site has moved on from session {session}.")
        if answer.status_code >= 500:
            raise SiteUnavailable(f"The site answered {answer.status_code}.")
        if not answer.is_success:
            raise EventRefused(f"The site answered {answer.status_code} to the event {state!r}.")

    async def close(self) -> None:
        """Give the connections back."""
        await self._http.aclose()

    async def _post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        """One call; the site's lines about it have the id of ours."""
        request = ids().get("request")
        try:
            return await self._http.post(path, json=body, headers={"X-Request-ID": request} if request else None)
        except httpx.HTTPError as fault:
            raise SiteUnavailable(f"The site does not answer ({type(fault).__name__}).") from fault


def _refusal(answer: httpx.Response) -> ClaimRefused:
    try:
        error = answer.json()["error"]
        message, url = str(error["message"]), str(error.get("url", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        message, url = "The site does not let this notebook start.", ""
    return ClaimRefused(message, status=answer.status_code, url=url)


@cache
def site_client(url: str, token: str) -> SiteClient:
    """The one client of this process for the site at ``url``."""
    return SiteClient(url, token=token)

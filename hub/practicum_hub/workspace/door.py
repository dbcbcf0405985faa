"""Who but its person may come into this notebook server: nobody, or the mentor whom they let work in it, while that lasts.

The hub's share says who may knock; this says who comes in, at every request, by what the site said within the last
seconds. What is open is shut when that ends: the hub's word on a token is trusted for half a minute, and a socket asks
only once. A site that does not answer lets nobody in.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from inspect import isawaitable
from typing import Any
from weakref import WeakSet

from tornado import web
from tornado.websocket import WebSocketHandler

from practicum_hub.workspace.answers import Help

TRUSTED_SECONDS = 10.0
SHUT = "Only the person of this notebook may be here, and the mentor whom they let in."


class Door:
    """``person``: whose server it is; empty outside a hub, where there is one token and no guest."""

    def __init__(self, person: str, *, tick: Callable[[], float] = time.monotonic) -> None:
        self.person = person
        self.help: Help | None = None
        self._tick = tick
        self._told_at = 0.0
        self._sockets: WeakSet[Any] = WeakSet()

    def tell(self, help: Help) -> None:
        """What the site says now."""
        self.help, self._told_at = help, self._tick()
        self.show_out()

    def is_guest(self, user: Any) -> bool:
        """Somebody other than the server's person."""
        return bool(self.person) and getattr(user, "username", None) != self.person

    def is_open_to(self, username: str) -> bool:
        """The person lets them work here now."""
        if self.help is None or self._tick() - self._told_at > TRUSTED_SECONDS:
            return False
        in_time = self.help.until is not None and datetime.now(UTC) < self.help.until
        return self.help.state == "hands" and self.help.helper == username and in_time

    def guard(self, provider: Any) -> None:
        """From now on the server's identity provider knows nobody whom the door is shut to."""
        ask = provider.get_user

        async def get_user(handler: Any) -> Any:
            found = ask(handler)
            user = await found if isawaitable(found) else found
            if user is None or not self.is_guest(user):
                return user
            if not self.is_open_to(user.username):
                handler.redirect = _refuse  # no way to sign in leads in
                return None
            if isinstance(handler, WebSocketHandler):
                self._sockets.add(handler)
            return user

        provider.get_user = get_user

    def show_out(self) -> None:
        """Shut the sockets of guests to whom the door is no longer open; what they send meanwhile is not read."""
        for socket in list(self._sockets):
            if not self.is_open_to(getattr(socket.current_user, "username", "")):
                self._sockets.discard(socket)
                socket.on_message = _ignore
                socket.close(reason="The help has ended.")


def _refuse(*_: Any, **__: Any) -> None:
    raise web.HTTPError(403, SHUT)


def _ignore(_: Any) -> None:
    """Nothing that comes now is looked at."""

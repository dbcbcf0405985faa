"""Signing in to the hub with the site as OpenID provider.

Invariants: the site says who may come in and is asked again while somebody is there; a refusal ends the hub's session
and takes back the tokens of the person's browsers; nothing the site says makes a hub admin; a refresh token is used
once (the site rotates them and treats a second use as theft), however many requests come at the same time.
"""

from __future__ import annotations

import asyncio
from typing import Any

from jupyterhub.user import User
from oauthenticator.generic import GenericOAuthenticator
from tornado.httpclient import HTTPClientError

# Requests that were under way when a refresh ended may still hold the tokens from before it.
SHARED_SECONDS = 5.0

AuthModel = dict[str, Any]


class SiteAuthenticator(GenericOAuthenticator):  # type: ignore[misc]
    """oauthenticator's generic client, with one refresh at a time and no admins."""

    async def update_auth_model(self, auth_model: AuthModel) -> AuthModel:
        """Nobody becomes a hub admin through the site: what admins do, they do there."""
        return {**auth_model, "admin": False}

    async def refresh_user(self, user: User, handler: Any = None, **_: Any) -> bool | AuthModel:
        """Ask the site again; requests that hold the same tokens share one answer."""
        held = await user.get_auth_state()
        if not held:
            # Known to the hub through the site's worker only; there is no sign-in to refresh.
            return False
        shared: dict[str, asyncio.Task[bool | AuthModel]] = self.__dict__.setdefault("_refreshes", {})
        tokens = f"{held['access_token']} {held['refresh_token']}"
        if tokens not in shared:
            task = shared[tokens] = asyncio.ensure_future(self._refresh(user, handler=handler))
            loop = asyncio.get_running_loop()
            task.add_done_callback(lambda _: loop.call_later(SHARED_SECONDS, shared.pop, tokens, None))
        return await asyncio.shield(shared[tokens])

    async def _refresh(self, user: User, *, handler: Any) -> bool | AuthModel:
        try:
            refreshed: bool | AuthModel = await super().refresh_user(user, handler)
        except (HTTPClientError, OSError) as fault:
            # 4xx never gets here. While the site is away nobody is deactivated, and work goes on.
            self.log.warning("site can't be asked about %s: %s", user.name, fault)
            return True
        if not refreshed:
            self._revoke_browsers(user)
        return refreshed

    def _revoke_browsers(self, user: User) -> None:
        """Take back the tokens with which the person's browsers open notebooks."""
        for token in user.api_tokens:
            if token.client_id != "jupyterhub":
                user.db.delete(token)
        user.db.commit()

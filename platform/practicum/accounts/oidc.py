"""What the OpenID provider says about a person. Only active accounts are spoken for.

A code that comes a second time was stolen, before or after: what it gave is taken back (RFC 6749, 4.1.2). Used codes are
remembered, as digests, for as long as an access token that they gave can live.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.cache import cache
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from oauth2_provider.oauth2_validators import OAuth2Validator
from oauthlib.oauth2 import InvalidGrantError

from practicum.accounts.models import User
from practicum.accounts.services import end_hub_access
from practicum.audit.services import record
from practicum.lib.clock import utc_now
from practicum.lib.digest import digest_bytes

CODES_KEPT_SECONDS = 600


def no_token_in_address(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Refuse a token in the query, which logs and histories keep (RFC 6750, 5.3), even beside one in the header."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if "access_token" in request.GET:
            return JsonResponse({"error": "invalid_request"}, status=401)
        return view(request, *args, **kwargs)

    return guarded


def _key_of(code: str) -> str:
    return f"oauth-code-{digest_bytes(code.encode())}"


class Validator(OAuth2Validator):  # type: ignore[misc]
    """Adds the claims the hub reads; refuses tokens of accounts that were switched off."""

    oidc_claim_scope = OAuth2Validator.oidc_claim_scope | {"groups": "profile"}

    def get_additional_claims(self, request: Any) -> dict[str, Any]:
        """``sub`` is the user's lasting id; ``groups`` holds the one role."""
        user = request.user
        return {
            "sub": str(user.uuid),
            "preferred_username": user.username,
            "name": user.name,
            "email": user.email,
            "groups": [user.role],
        }

    def get_oidc_claims(self, token: Any, token_handler: Any, request: Any) -> dict[str, Any]:
        """The claims, with our ``sub`` in place of the row's number."""
        claims: dict[str, Any] = super().get_oidc_claims(token, token_handler, request)
        return claims | {"sub": str(request.user.uuid)}

    def validate_code(self, client_id: str, code: str, client: Any, request: Any, *args: Any, **kwargs: Any) -> bool:
        """A code that was used before takes back what it gave."""
        valid = bool(super().validate_code(client_id, code, client, request, *args, **kwargs))
        if not valid:
            self._take_back(code)
        return valid

    def invalidate_authorization_code(self, client_id: str, code: str, request: Any, *args: Any, **kwargs: Any) -> None:
        """It is used now; of two who use it at once, neither keeps anything."""
        cache.set(_key_of(code), request.user.pk, timeout=CODES_KEPT_SECONDS)
        try:
            super().invalidate_authorization_code(client_id, code, request, *args, **kwargs)
        except InvalidGrantError:
            self._take_back(code)
            raise

    def _take_back(self, code: str) -> None:
        user = User.objects.filter(pk=cache.get(_key_of(code))).first()
        if user is not None:
            end_hub_access(user, now=utc_now())
            record("account.code_used_twice", subject=user, actor=None, now=utc_now())

    def validate_bearer_token(self, token: str, scopes: list[str], request: Any) -> bool:
        """A token of a deactivated account opens nothing."""
        return bool(super().validate_bearer_token(token, scopes, request)) and request.user.is_active

    def validate_refresh_token(self, refresh_token: str, client: Any, request: Any, *args: Any, **kwargs: Any) -> bool:
        """A deactivated account gets no new token."""
        valid = super().validate_refresh_token(refresh_token, client, request, *args, **kwargs)
        return bool(valid) and request.user.is_active

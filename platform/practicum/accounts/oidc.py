"""What the OpenID provider says about a person. Only active accounts are spoken for."""

from __future__ import annotations

from typing import Any

from oauth2_provider.oauth2_validators import OAuth2Validator


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

    def validate_bearer_token(self, token: str, scopes: list[str], request: Any) -> bool:
        """A token of a deactivated account opens nothing."""
        return bool(super().validate_bearer_token(token, scopes, request)) and request.user.is_active

    def validate_refresh_token(self, refresh_token: str, client: Any, request: Any, *args: Any, **kwargs: Any) -> bool:
        """A deactivated account gets no new token."""
        valid = super().validate_refresh_token(refresh_token, client, request, *args, **kwargs)
        return bool(valid) and request.user.is_active

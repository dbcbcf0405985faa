"""What every answer goes through: the content security policy, and refusals turned into pages or JSON."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from practicum.errors import PracticumError

POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; script-src 'self'; "
    "frame-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self' {hub}; frame-ancestors 'none'"
)

Answer = Callable[[HttpRequest], HttpResponse]


class ContentSecurityPolicyMiddleware:
    """Add the policy to every answer that doesn't set a stricter one of its own."""

    def __init__(self, get_response: Answer) -> None:
        from django.conf import settings

        self.get_response = get_response
        self.policy = POLICY.format(hub=settings.PRACTICUM_HUB_URL)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer, with the header."""
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", self.policy)
        if getattr(request, "user", None) is not None and request.user.is_authenticated:
            response.headers.setdefault("Cache-Control", "private, no-store")
        return response


class RefusalMiddleware:
    """Turn a :class:`PracticumError` out of a view into its status: JSON under ``/api/``, a page elsewhere."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer as the view does."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer a refusal; leave everything else to Django."""
        if not isinstance(exception, PracticumError):
            return None
        if request.path.startswith("/api/"):
            return error_response(exception)
        return render(request, "refusal.html", {"error": exception}, status=exception.status)


def error_response(error: PracticumError) -> JsonResponse:
    """The JSON form of a refusal."""
    body = {"code": error.code, "message": error.message, **error.facts}
    return JsonResponse({"error": body}, status=error.status, json_dumps_params={"default": str})

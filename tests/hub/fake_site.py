"""A stand-in for the site: the contract's hub API and a small OpenID provider, over real HTTP.

It refuses what it was not told: a person without a lease gets 409, an unknown path 404, a wrong bearer 401. Refresh
tokens rotate, and a second use of one revokes the whole family, as the real site does it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

HUB_TOKEN = "hub-to-site-" + "x" * 32
CLIENT_SECRET = "client-secret-" + "x" * 32
Reply = tuple[int, dict[str, Any], dict[str, str]]


@dataclass
class Grant:
    """One sign-in: its current access and refresh token."""

    username: str
    access: str = ""
    refresh: str = ""
    expired: bool = False
    revoked: bool = False


@dataclass
class FakeSite:
    """What the site knows. Tests set it and read it; the handler answers from it."""

    port: int
    leases: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    claims: int = 0
    deactivated: set[str] = field(default_factory=set)
    browser_user: str = "ines"
    refreshes: int = 0
    userinfos: int = 0
    away: bool = False
    grants: list[Grant] = field(default_factory=list)
    spent: dict[str, Grant] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    # By the token of a notebook: who helps there; and the notebooks that were shown to them.
    help: dict[str, dict[str, Any]] = field(default_factory=dict)
    shown: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    _server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        """Answer from now on."""
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer("GET", {})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                is_json = "json" in self.headers.get("Content-Type", "")
                fields = json.loads(body) if is_json else {k: v[0] for k, v in parse_qs(body).items()}
                self._answer("POST", fields)

            def _answer(self, method: str, fields: dict[str, Any]) -> None:
                with site.lock:
                    bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
                    status, body, headers = site.answer(method, self.path, fields, bearer)
                content = json.dumps(body).encode() if status != 204 else b""
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("0.0.0.0", self.port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Answer no more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def forget(self) -> None:
        """As if newly made."""
        with self.lock:
            for collection in (self.leases, self.events, self.deactivated, self.grants, self.spent, self.codes):
                collection.clear()
            self.help.clear()
            self.shown.clear()
            self.claims = self.refreshes = self.userinfos = 0
            self.away, self.browser_user = False, "ines"

    def expire(self) -> None:
        """All access tokens are over; refresh tokens are not."""
        with self.lock:
            for grant in self.grants:
                grant.expired = True

    def states(self, session: str) -> list[str]:
        """The states said about ``session``, in order."""
        return [event["state"] for event in self.events if event["session"] == session]

    def answer(self, method: str, target: str, fields: dict[str, Any], bearer: str) -> Reply:
        """One request."""
        if self.away:
            return 503, {"error": {"code": "fault", "message": "away"}}, {}
        url = urlsplit(target)
        query = {k: v[0] for k, v in parse_qs(url.query).items()}
        if url.path.startswith("/api/hub/"):
            return self._hub(url.path, fields) if secrets.compare_digest(bearer, HUB_TOKEN) else (401, {}, {})
        if url.path.startswith("/api/workspace/"):
            return self._workspace(url.path, query, bearer)
        if (method, url.path) == ("GET", "/o/authorize/"):
            return self._authorize(query)
        if (method, url.path) == ("POST", "/o/token/"):
            return self._token(fields)
        if (method, url.path) == ("GET", "/o/userinfo/"):
            return self._userinfo(bearer)
        return 404, {}, {}

    def _hub(self, path: str, fields: dict[str, Any]) -> Reply:
        parts = path.strip("/").split("/")
        if parts[2:] == ["sessions", "claim"]:
            return self._claim(fields["username"])
        if parts[2] == "sessions" and parts[4:] == ["events"]:
            self.events.append({"session": parts[3], **fields})
            return 204, {}, {}
        return 404, {}, {}

    def _workspace(self, path: str, query: dict[str, str], bearer: str) -> Reply:
        nobody = {"state": "none", "helper": "", "helper_name": "", "topic": "", "until": None, "url": ""}
        if path == "/api/workspace/activity":
            return 200, {"stop_at": None, "warning": "", "lease_until": None, "is_help_open": bearer in self.help}, {}
        if path == "/api/workspace/status":
            return 200, {"submissions": []}, {}
        if path == "/api/workspace/help":
            return 200, self.help.get(bearer, nobody), {}
        if path == "/api/workspace/help/notebook":
            self.shown.append(query["path"])
            return 201, {}, {}
        return 404, {}, {}

    def _claim(self, username: str) -> Reply:
        self.claims += 1
        if username in self.deactivated:
            return 403, {"error": {"code": "forbidden", "message": "This account is switched off."}}, {}
        if username not in self.leases:
            url = f"http://127.0.0.1:{self.port}/line"
            message = "There is no lease for you yet: 2 people are before you, 100 % <fair>."
            return 409, {"error": {"code": "no_lease", "message": message, "url": url}}, {}
        return 200, self.leases[username], {}

    def _authorize(self, query: dict[str, str]) -> Reply:
        if query.get("code_challenge_method") != "S256" or self.browser_user in self.deactivated:
            return 403, {"error": "access_denied"}, {}
        code = secrets.token_urlsafe(16)
        self.codes[code] = {"challenge": query["code_challenge"], "user": self.browser_user}
        back = urlencode({"code": code, "state": query["state"]})
        return 302, {}, {"Location": f"{query['redirect_uri']}?{back}"}

    def _token(self, fields: dict[str, Any]) -> Reply:
        if fields.get("client_secret") != CLIENT_SECRET:
            return 401, {"error": "invalid_client"}, {}
        if fields["grant_type"] == "refresh_token":
            return self._refresh(fields["refresh_token"])
        code = self.codes.pop(fields.get("code", ""), None)
        digest = hashlib.sha256(fields.get("code_verifier", "").encode()).digest()
        if code is None or base64.urlsafe_b64encode(digest).decode().rstrip("=") != code["challenge"]:
            return 400, {"error": "invalid_grant"}, {}
        grant = Grant(code["user"])
        self.grants.append(grant)
        return self._issue(grant)

    def _refresh(self, token: str) -> Reply:
        self.refreshes += 1
        if token in self.spent:
            self.spent[token].revoked = True
            return 400, {"error": "invalid_grant", "error_description": "replayed"}, {}
        for grant in self.grants:
            if grant.refresh == token and not grant.revoked and grant.username not in self.deactivated:
                self.spent[token] = grant
                return self._issue(grant)
        return 400, {"error": "invalid_grant"}, {}

    def _issue(self, grant: Grant) -> Reply:
        grant.access, grant.refresh = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        grant.expired = False
        return 200, {"access_token": grant.access, "refresh_token": grant.refresh, "token_type": "Bearer"}, {}

    def _userinfo(self, bearer: str) -> Reply:
        self.userinfos += 1
        for grant in self.grants:
            alive = not grant.revoked and not grant.expired
            if grant.access == bearer and alive and grant.username not in self.deactivated:
                claims = {
                    "sub": "u",
                    "preferred_username": grant.username,
                    "groups": ["intern", "admin"],
                    "admin": True,
                }
                return 200, claims, {}
        return 401, {"error": "invalid_token"}, {}

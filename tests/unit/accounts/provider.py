"""An OpenID provider on loopback: discovery, codes bound to PKCE, signed tokens, userinfo. It can be made to lie.

It answers at the addresses of GitHub's API too, where the claims are GitHub's. It refuses what OpenID Connect refuses: another
client's secret, another return address, a code used before, a wrong verifier.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, SECRET = "practicum", "planted-client-secret-" + "s" * 16
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class OpenIdProvider:
    """``claims`` are the person who signs in there; ``lies`` replace claims of the signed token alone."""

    claims: dict[str, Any] = field(default_factory=dict)
    lies: dict[str, Any] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    issued: list[str] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """The issuer."""
        assert self.server is not None
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def start(self) -> None:
        """Answer from now on."""
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer({})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                self._answer({name: values[0] for name, values in parse_qs(body).items()})

            def _answer(self, fields: dict[str, str]) -> None:
                status, answer, location = provider.answer(self.path, fields, self.headers.get("Authorization", ""))
                content = json.dumps(answer).encode()
                self.send_response(status)
                if location:
                    self.send_header("Location", location)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Answer no more."""
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()

    def answer(self, target: str, fields: dict[str, str], authorization: str) -> tuple[int, Any, str]:
        """Status, JSON, and where to."""
        url = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path == "/.well-known/openid-configuration":
            return 200, self._document(), ""
        if url.path == "/authorize":
            return self._authorize(query)
        if url.path == "/token":
            return self._token(fields)
        said = {"/userinfo": self.claims, "/user": self.claims, "/user/emails": self.claims.get("emails")}
        if url.path in said:
            return (200, said[url.path], "") if authorization.rpartition(" ")[2] in self.issued else (401, {}, "")
        return 404, {}, ""

    def _document(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/jwks",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        }

    def _authorize(self, query: dict[str, str]) -> tuple[int, Any, str]:
        self.asked.append(query)
        if query.get("client_id") != CLIENT or query.get("code_challenge_method") != "S256":
            return 400, {"error": "invalid_request"}, ""
        code = "planted-code-" + secrets.token_urlsafe(12)
        self.codes[code] = query
        back = urlencode({"code": code, "state": query["state"], "iss": self.url})
        return 302, {}, f"{query['redirect_uri']}?{back}"

    def _token(self, fields: dict[str, str]) -> tuple[int, Any, str]:
        asked = self.codes.pop(fields.get("code", ""), None)
        digest = hashlib.sha256(fields.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if (fields.get("client_id"), fields.get("client_secret")) != (CLIENT, SECRET):
            return 401, {"error": "invalid_client"}, ""
        if asked is None or challenge != asked["code_challenge"] or fields.get("redirect_uri") != asked["redirect_uri"]:
            return 400, {"error": "invalid_grant"}, ""
        access = "planted-access-token-" + secrets.token_urlsafe(12)
        self.issued.append(access)
        now = int(time.time())
        said = {
            "iss": self.url,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "sub": self.claims.get("sub"),
            **self.lies,
        }
        token = jwt.encode(said, KEY, algorithm="RS256", headers={"kid": "1"})
        return 200, {"access_token": access, "token_type": "Bearer", "id_token": token, "expires_in": 300}, ""

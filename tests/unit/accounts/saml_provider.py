"""A provider by SAML on loopback: it reads the site's question, signs an answer, and has the browser post it back."""

from __future__ import annotations

import base64
import html
import re
import secrets
import threading
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from onelogin.saml2.utils import OneLogin_Saml2_Utils

ENTITY = "https://saml.lab.example.org/metadata"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
RSA_SHA1 = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"
SHA1 = "http://www.w3.org/2000/09/xmldsig#sha1"

ASSERTION = """<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="{assertion_id}" Version="2.0" \
IssueInstant="{now}"><saml:Issuer>{issuer}</saml:Issuer>
<saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">{subject}</saml:NameID>
<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">
<saml:SubjectConfirmationData NotOnOrAfter="{until}" Recipient="{recipient}" InResponseTo="{question}"/>
</saml:SubjectConfirmation></saml:Subject>
<saml:Conditions NotBefore="{since}" NotOnOrAfter="{until}"><saml:AudienceRestriction>
<saml:Audience>{audience}</saml:Audience></saml:AudienceRestriction></saml:Conditions>
<saml:AuthnStatement AuthnInstant="{now}" SessionIndex="{assertion_id}"><saml:AuthnContext>
<saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef>
</saml:AuthnContext></saml:AuthnStatement>
<saml:AttributeStatement>{attributes}</saml:AttributeStatement></saml:Assertion>"""

RESPONSE = """<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"
 xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="{response_id}" Version="2.0" IssueInstant="{now}"
 Destination="{recipient}" InResponseTo="{question}"><saml:Issuer>{issuer}</saml:Issuer><samlp:Status>
<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>{assertion}</samlp:Response>"""

PAGE = """<!doctype html><title>The lab's sign-in</title><form method="post" action="{recipient}">
<input type="hidden" name="SAMLResponse" value="{answer}"><button>Go on as Ines</button></form>"""


def key_and_certificate() -> tuple[str, str]:
    """A new key with a certificate of its own, as text."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "saml.lab.example.org")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
    certificate = builder.not_valid_after(now + timedelta(days=30)).sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()


def stamp(moment: datetime) -> str:
    """A time as SAML writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class SamlProvider:
    """``attributes`` and ``subject`` are the person who signs in there."""

    key: str
    certificate: str
    subject: str = "saml-subject-of-ines"
    attributes: dict[str, list[str]] = field(default_factory=dict)
    server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """Where people sign in."""
        assert self.server is not None
        return f"http://127.0.0.1:{self.server.server_address[1]}/sso"

    def assertion(self, facts: dict[str, str]) -> str:
        """What is said of the person, not signed."""
        rows = "".join(
            f'<saml:Attribute Name="{html.escape(name)}">'
            + "".join(f"<saml:AttributeValue>{html.escape(value)}</saml:AttributeValue>" for value in values)
            + "</saml:Attribute>"
            for name, values in self.attributes.items()
        )
        return ASSERTION.format(**facts, attributes=rows)

    def facts(self, address: str, **lies: str) -> dict[str, str]:
        """What the answer to the question in ``address`` says; ``lies`` replace parts."""
        packed = base64.b64decode(parse_qs(urlsplit(address).query)["SAMLRequest"][0])
        asked = zlib.decompress(packed, -15).decode()

        def read(pattern: str) -> str:
            found = re.search(pattern, asked)
            assert found, asked
            return found[1]

        now = datetime.now(UTC)
        return {
            "assertion_id": f"_{secrets.token_hex(16)}",
            "response_id": f"_{secrets.token_hex(16)}",
            "question": read(r'\bID="([^"]+)"'),
            "recipient": read(r'AssertionConsumerServiceURL="([^"]+)"'),
            "audience": read(r"<saml:Issuer>([^<]+)</saml:Issuer>"),
            "issuer": ENTITY,
            "subject": self.subject,
            "now": stamp(now),
            "since": stamp(now - timedelta(minutes=1)),
            "until": stamp(now + timedelta(minutes=5)),
            **lies,
        }

    def sign(self, xml: str, *, key: str = "", certificate: str = "", is_old: bool = False) -> str:
        """The element, signed."""
        algorithms = (RSA_SHA1, SHA1) if is_old else (RSA_SHA256, SHA256)
        signed = OneLogin_Saml2_Utils.add_sign(
            xml, key or self.key, certificate or self.certificate, False, *algorithms
        )
        return signed.decode() if isinstance(signed, bytes) else signed

    def answer(self, address: str, **lies: str) -> str:
        """The answer to the question in ``address``, its assertion signed."""
        facts = self.facts(address, **lies)
        return RESPONSE.format(**facts, assertion=self.sign(self.assertion(facts)))

    def start(self) -> None:
        """Serve the page where people sign in."""
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if "SAMLRequest=" not in self.path:
                    self.send_error(404)
                    return
                facts = provider.facts(self.path)
                content = PAGE.format(recipient=facts["recipient"], answer=packed(provider.answer(self.path))).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Serve no more."""
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()


def packed(xml: str) -> str:
    """As the browser posts it."""
    return base64.b64encode(xml.encode()).decode()

# /// script
# requires-python = ">=3.11"
# dependencies = ["cryptography>=45", "rfc8785>=0.1.4"]
# ///
"""Checks a certificate: ``verifier.py FILE [--issuer FILE|URL] [--online] [--json]``. One file, nothing of the site in it.

A certificate is an Open Badges 3.0 credential with a W3C Data Integrity proof of the cryptosuite ``eddsa-jcs-2022``
(https://www.w3.org/TR/vc-di-eddsa/): SHA-256 of the proof's options and of the document, each as canonical JSON (RFC
8785), signed with Ed25519. The key is taken from the issuer's profile that you give, never from the certificate: whoever
forges one can name any key in it. Without ``--online`` nothing is asked of any server, and a certificate that was revoked
since it was downloaded looks valid.

Exit codes: 0 valid; 1 forged or changed; 2 no certificate; 3 the issuer is not known; 4 revoked; 5 whether it was revoked
could not be found out.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sys
import urllib.request
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

CRYPTOSUITE = "eddsa-jcs-2022"
ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
ED25519 = b"\xed\x01"
KEY_BYTES, SIGNATURE_BYTES = 32, 64
LONGEST_MULTIBASE = 128
MOST_BYTES = 512 * 1024
LIST_BYTES = 16 * 1024 * 1024
SECONDS = 10.0

VALID, FORGED, UNREADABLE, UNKNOWN_ISSUER, REVOKED, UNCHECKED = (
    "valid",
    "forged",
    "no certificate",
    "unknown issuer",
    "revoked",
    "not checked",
)
EXIT_CODES = {VALID: 0, FORGED: 1, UNREADABLE: 2, UNKNOWN_ISSUER: 3, REVOKED: 4, UNCHECKED: 5}

Document = dict[str, Any]
Fetch = Callable[[str], bytes]


class NotACertificateError(Exception):
    """What was given can't be read as a certificate or as an issuer's profile."""


@dataclass(frozen=True)
class Finding:
    """What was found: ``outcome`` is one of the words above, ``message`` a sentence, the rest what the certificate says."""

    outcome: str
    message: str
    name: str = ""
    achievement: str = ""
    issuer: str = ""
    issued_at: str = ""
    id: str = ""

    @property
    def is_valid(self) -> bool:
        """It is what its issuer signed, and not revoked as far as that was asked."""
        return self.outcome == VALID


# --- Reading -------------------------------------------------------------------------------------------------------
def read_document(content: bytes) -> Document:
    """One JSON object of a reasonable size, no name twice in an object.

    Raises:
        NotACertificateError: it is something else.
    """
    if len(content) > MOST_BYTES:
        raise NotACertificateError("The file is too large to be a certificate.")
    try:
        found = json.loads(content, object_pairs_hook=_no_name_twice, parse_constant=_no_constant)
    except (ValueError, RecursionError) as fault:
        raise NotACertificateError("The file is not JSON that can be read in one way only.") from fault
    if not isinstance(found, dict):
        raise NotACertificateError("The file holds no certificate: a JSON object is expected.")
    return found


def _no_name_twice(pairs: list[tuple[str, Any]]) -> Document:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def base58_encode(content: bytes) -> str:
    """Base 58 as Bitcoin writes it."""
    number, written = int.from_bytes(content, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        written = ALPHABET[digit] + written
    return "1" * (len(content) - len(content.lstrip(b"\0"))) + written


def base58_decode(text: str) -> bytes:
    """The bytes of a text in base 58.

    Raises:
        ValueError: a character is none of its alphabet, or it is too long.
    """
    if len(text) > LONGEST_MULTIBASE:
        raise ValueError("too long")
    number = 0
    for character in text:
        number = number * 58 + ALPHABET.index(character)
    leading = len(text) - len(text.lstrip("1"))
    return b"\0" * leading + number.to_bytes((number.bit_length() + 7) // 8, "big")


def multikey_of(public: bytes) -> str:
    """An Ed25519 public key as a Multikey writes it."""
    return "z" + base58_encode(ED25519 + public)


def public_key_of(multikey: str) -> Ed25519PublicKey:
    """The key of a ``publicKeyMultibase``.

    Raises:
        ValueError: it is no Ed25519 key.
    """
    content = base58_decode(multikey[1:])
    if multikey[:1] != "z" or content[:2] != ED25519 or len(content) != 2 + KEY_BYTES:
        raise ValueError("no Ed25519 key")
    return Ed25519PublicKey.from_public_bytes(content[2:])


# --- The proof -----------------------------------------------------------------------------------------------------
def signed_bytes(document: Mapping[str, Any], *, options: Mapping[str, Any]) -> bytes:
    """What is signed: the digest of the proof's options, then that of the document, which must have no proof in it."""
    parts = (dict(options), dict(document))
    return b"".join(hashlib.sha256(rfc8785.dumps(part)).digest() for part in parts)


def check_proof(document: Document, *, key_of: Callable[[str, datetime], str | None]) -> str:
    """Check the document's one proof; ``key_of`` names the key of a verification method at the time it was made.

    Returns an empty text where the proof holds, else what is wrong in words.

    Raises:
        LookupError: ``key_of`` knows no such verification method.
    """
    proof = document.get("proof")
    if not isinstance(proof, dict) or not isinstance(proof.get("proofValue"), str):
        return "It has no proof that could be checked."
    asked = {"type": "DataIntegrityProof", "cryptosuite": CRYPTOSUITE, "proofPurpose": "assertionMethod"}
    if any(proof.get(name) != value for name, value in asked.items()):
        return f"Its proof is of another kind than {CRYPTOSUITE}."
    unsecured = {name: value for name, value in document.items() if name != "proof"}
    options = {name: value for name, value in proof.items() if name != "proofValue"}
    if "@context" in options and options["@context"] != document.get("@context"):
        return "Its context is another than the one that was signed."
    try:
        made_at = datetime.fromisoformat(proof["created"])
        key = key_of(str(proof["verificationMethod"]), made_at)
    except (KeyError, TypeError, ValueError):
        return "Its proof does not say when and with which key it was made."
    if key is None:
        raise LookupError
    try:
        signature = base58_decode(proof["proofValue"][1:])
        public_key_of(key).verify(signature, signed_bytes(unsecured, options=options))
    except (InvalidSignature, ValueError, rfc8785.CanonicalizationError, RecursionError):
        return "The signature does not fit what it says: something in it was changed, or somebody else signed it."
    return "" if proof["proofValue"][0] == "z" and len(signature) == SIGNATURE_BYTES else "Its signature is malformed."


def keys_in(profile: Mapping[str, Any]) -> Callable[[str, datetime], str | None]:
    """The keys of an issuer's profile that may sign: none that is revoked, none for what was made after it expired.

    Raises:
        NotACertificateError: the profile can't be read.
    """
    issuer, methods = profile.get("id"), profile.get("verificationMethod")
    allowed = profile.get("assertionMethod")
    if not (isinstance(issuer, str) and isinstance(methods, list) and isinstance(allowed, list)):
        raise NotACertificateError("The issuer's profile has no id or no keys.")
    found = {method.get("id"): method for method in methods if isinstance(method, dict)}

    def key_of(name: str, made_at: datetime) -> str | None:
        method = found.get(name)
        if method is None or name not in allowed or method.get("controller") != issuer or method.get("revoked"):
            return None
        expires = method.get("expires")
        if expires is not None and made_at > datetime.fromisoformat(expires):
            return None
        return str(method.get("publicKeyMultibase", ""))

    return key_of


def verify(document: Document, *, profile: Mapping[str, Any] | None, fetch: Fetch | None = None) -> Finding:
    """What is to be said of a certificate. ``fetch`` reads an address, to ask whether it was revoked; None: don't ask."""
    said = _said(document)
    if "VerifiableCredential" not in _list(document.get("type")):
        return Finding(UNREADABLE, "This is no certificate: it is not of the type VerifiableCredential.", **said)
    if profile is None:
        claimed = said["issuer"] or "nobody"
        return Finding(
            UNKNOWN_ISSUER, f"It names {claimed} as its issuer. Give the profile of an issuer you trust.", **said
        )
    if said["issuer"] != profile.get("id"):
        return Finding(UNKNOWN_ISSUER, f"It was not issued by {profile.get('id')}.", **said)
    try:
        fault = check_proof(document, key_of=keys_in(profile))
    except LookupError:
        return Finding(FORGED, "It is signed with a key that is not, or no longer, one of its issuer's.", **said)
    if fault:
        return Finding(FORGED, fault, **said)
    if fetch is None:
        return Finding(VALID, "It is what its issuer signed. Whether it was revoked since was not asked.", **said)
    return _with_status(document, profile=profile, fetch=fetch, said=said)


def _with_status(document: Document, *, profile: Mapping[str, Any], fetch: Fetch, said: dict[str, str]) -> Finding:
    try:
        is_revoked = revoked(document, profile=profile, fetch=fetch)
    except (OSError, ValueError, LookupError, TypeError, zlib.error, NotACertificateError) as fault:
        return Finding(
            UNCHECKED, f"It is what its issuer signed. Whether it was revoked is not known: {fault}.", **said
        )
    if is_revoked:
        return Finding(REVOKED, "Its issuer has revoked it; the certificate's own page says why.", **said)
    return Finding(VALID, "It is what its issuer signed, and it is not revoked.", **said)


def _said(document: Document) -> dict[str, str]:
    issuer = document.get("issuer")
    subject = document.get("credentialSubject")
    subject = subject if isinstance(subject, dict) else {}
    achievement = subject.get("achievement")
    names = [entry.get("identityHash") for entry in _list(subject.get("identifier")) if isinstance(entry, dict)]
    return {
        "name": str(names[0] or "") if names else "",
        "achievement": str(achievement.get("name", "")) if isinstance(achievement, dict) else "",
        "issuer": str(issuer.get("id", "") if isinstance(issuer, dict) else issuer or ""),
        "issued_at": str(document.get("validFrom", "")),
        "id": str(document.get("id", "")),
    }


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


# --- Revocation ----------------------------------------------------------------------------------------------------
def revoked(document: Document, *, profile: Mapping[str, Any], fetch: Fetch) -> bool:
    """Whether the issuer's signed list says so (https://www.w3.org/TR/vc-bitstring-status-list/).

    Raises:
        NotACertificateError, OSError, ValueError, LookupError, TypeError, zlib.error: it can't be found out.
    """
    status = document["credentialStatus"]
    address, place = str(status["statusListCredential"]), int(status["statusListIndex"])
    if urlsplit(address)[:2] != urlsplit(str(profile["id"]))[:2]:
        raise NotACertificateError("its list of revoked certificates lies elsewhere than its issuer")
    listed = read_document(fetch(address))
    if listed.get("id") != address or _said(listed)["issuer"] != profile["id"]:
        raise NotACertificateError("the list is another issuer's")
    if check_proof(listed, key_of=keys_in(profile)):
        raise NotACertificateError("the list is not signed by the issuer")
    bits = expand(str(listed["credentialSubject"]["encodedList"]))
    if not 0 <= place < 8 * len(bits):
        raise NotACertificateError("the list is too short")
    return bool(bits[place // 8] & (0x80 >> (place % 8)))


def expand(encoded: str) -> bytes:
    """The bits of an ``encodedList``: multibase base64url without padding, of gzip.

    Raises:
        ValueError, zlib.error: it can't be read, or is too large.
    """
    if encoded[:1] != "u":
        raise ValueError("the list is written in another base")
    packed = base64.urlsafe_b64decode(encoded[1:] + "=" * (-len(encoded[1:]) % 4))
    reader = zlib.decompressobj(wbits=31)
    bits = reader.decompress(packed, LIST_BYTES)
    if reader.unconsumed_tail:
        raise ValueError("the list is too large")
    return bits


# --- The command ---------------------------------------------------------------------------------------------------
def fetch_from_web(address: str) -> bytes:
    """What an address answers, up to the size of a certificate.

    Raises:
        OSError: it can't be reached, or is none of the web.
    """
    if urlsplit(address).scheme not in ("https", "http"):
        raise OSError("only http and https addresses are read")
    with urllib.request.urlopen(address, timeout=SECONDS) as answer:  # noqa: S310 - the scheme was looked at
        content: bytes = answer.read(MOST_BYTES + 1)
    return content


def read_issuer(named: str) -> Document:
    """The issuer's profile, from a file or an address.

    Raises:
        NotACertificateError, OSError: there is none, or it can't be read.
    """
    is_address = named.startswith(("https://", "http://"))
    return read_document(fetch_from_web(named) if is_address else Path(named).read_bytes())


def main(argv: Sequence[str] | None = None) -> int:
    """Check one file and say what was found; returns the exit code."""
    parser = argparse.ArgumentParser(prog="certificate verify", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path, help="the certificate, as JSON")
    parser.add_argument("--issuer", help="the issuer's profile: a file, or its address")
    parser.add_argument("--online", action="store_true", help="ask the issuer whether it was revoked")
    parser.add_argument("--json", action="store_true", dest="as_json", help="say it as JSON")
    options = parser.parse_args(argv)
    try:
        document = read_document(options.file.read_bytes())
        profile = read_issuer(options.issuer) if options.issuer else None
        found = verify(document, profile=profile, fetch=fetch_from_web if options.online else None)
    except (NotACertificateError, OSError) as fault:
        found = Finding(UNREADABLE, str(fault))
    print(json.dumps(asdict(found)) if options.as_json else in_words(found))
    return EXIT_CODES[found.outcome]


def in_words(found: Finding) -> str:
    """A few lines for a person. What a forged certificate says is not repeated as if it were so."""
    if found.outcome in (FORGED, UNREADABLE):
        return f"{found.outcome.upper()}: {found.message}"
    lines = [f"{found.outcome.upper()}: {found.message}"]
    facts = (("To", found.name), ("For", found.achievement), ("By", found.issuer), ("On", found.issued_at))
    return "\n".join([*lines, *(f"  {label:<4} {_plain(value)}" for label, value in facts if value)])


def _plain(text: str) -> str:
    """Without what a terminal would obey."""
    return "".join(character if character.isprintable() else "?" for character in text)


if __name__ == "__main__":
    sys.exit(main())

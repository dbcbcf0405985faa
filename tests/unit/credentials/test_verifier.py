"""The proof by the W3C's own test vector, and what the verifier says of certificates that are not what they were."""

from __future__ import annotations

import base64
import copy
import gzip
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from practicum.config import cli
from practicum.credentials.offline import verifier
from practicum.credentials.offline.verifier import Document, base58_decode, base58_encode, multikey_of, signed_bytes

# https://www.w3.org/TR/vc-di-eddsa/, B.2, the representation for eddsa-jcs-2022.
W3C_PUBLIC = "z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2"
W3C_METHOD = f"did:key:{W3C_PUBLIC}#{W3C_PUBLIC}"
W3C_CONTEXT = ["https://www.w3.org/ns/credentials/v2", "https://www.w3.org/ns/credentials/examples/v2"]
W3C_DOCUMENT: Document = {
    "@context": W3C_CONTEXT,
    "id": "urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33",
    "type": ["VerifiableCredential", "AlumniCredential"],
    "name": "Alumni Credential",
    "description": "A minimum viable example of an Alumni Credential.",
    "issuer": "https://vc.example/issuers/5678",
    "validFrom": "2023-01-01T00:00:00Z",
    "credentialSubject": {"id": "did:example:abcdefgh", "alumniOf": "The School of Examples"},
}
W3C_OPTIONS: Document = {
    "type": "DataIntegrityProof",
    "cryptosuite": "eddsa-jcs-2022",
    "created": "2023-02-24T23:36:38Z",
    "verificationMethod": W3C_METHOD,
    "proofPurpose": "assertionMethod",
    "@context": W3C_CONTEXT,
}
W3C_PROOF = "z2HnFSSPPBzR36zdDgK8PbEHeXbR56YF24jwMpt3R1eHXQzJDMWS93FCzpvJpwTWd3GAVFuUfjoJdcnTMuVor51aX"
W3C_DIGESTS = (
    "66ab154f5c2890a140cb8388a22a160454f80575f6eae09e5a097cabe539a1db",
    "59b7cb6251b8991add1ce0bc83107e3db9dbbab5bd2c28f687db1a03abc92f19",
)

ISSUER = "https://practicum.example.org/issuer/"
PRIVATE = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"a key of the tests").digest())
OTHER = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"another key of the tests").digest())


def multikey(private: Ed25519PrivateKey) -> str:
    return multikey_of(private.public_key().public_bytes_raw())


def signed(document: Document, *, private: Ed25519PrivateKey = PRIVATE, named: str = "", **more: Any) -> Document:
    options = {
        "type": "DataIntegrityProof",
        "cryptosuite": "eddsa-jcs-2022",
        "created": "2026-03-18T10:00:00Z",
        "verificationMethod": f"{ISSUER}#{named or multikey(private)}",
        "proofPurpose": "assertionMethod",
        **more,
    }
    value = "z" + base58_encode(private.sign(signed_bytes(document, options=options)))
    return {**document, "proof": {**options, "proofValue": value}}


def profile(**more: Any) -> Document:
    method = {
        "id": f"{ISSUER}#{multikey(PRIVATE)}",
        "type": "Multikey",
        "controller": ISSUER,
        "publicKeyMultibase": multikey(PRIVATE),
        **more,
    }
    return {"id": ISSUER, "verificationMethod": [method], "assertionMethod": [method["id"]]}


@pytest.fixture
def credential() -> Document:
    """A certificate in its place of the list of those revoked."""
    return {
        "@context": ["https://www.w3.org/ns/credentials/v2"],
        "id": "https://practicum.example.org/certificates/1/",
        "type": ["VerifiableCredential", "OpenBadgeCredential"],
        "issuer": {"id": ISSUER},
        "validFrom": "2026-03-18T10:00:00Z",
        "credentialSubject": {
            "identifier": [{"identityHash": "Ines Intern"}],
            "achievement": {"name": "Digits"},
            "record": {"score": {"value": 0.95}},
        },
        "credentialStatus": {
            "statusListIndex": "9",
            "statusListCredential": "https://practicum.example.org/certificates/revoked/",
        },
    }


def revoked_list(*places: int, private: Ed25519PrivateKey = PRIVATE, **more: Any) -> bytes:
    bits = bytearray(16_384)
    for place in places:
        bits[place // 8] |= 0x80 >> (place % 8)
    packed = base64.urlsafe_b64encode(gzip.compress(bytes(bits))).decode().rstrip("=")
    document = {
        "id": "https://practicum.example.org/certificates/revoked/",
        "type": ["VerifiableCredential"],
        "issuer": ISSUER,
        "credentialSubject": {"encodedList": f"u{packed}"},
        **more,
    }
    return json.dumps(signed(document, private=private)).encode()


def test_the_w3c_test_vector_has_the_digests_of_the_specification_and_its_proof_holds() -> None:
    assert signed_bytes(W3C_DOCUMENT, options=W3C_OPTIONS).hex() == "".join(W3C_DIGESTS)
    secured = {**W3C_DOCUMENT, "proof": {**W3C_OPTIONS, "proofValue": W3C_PROOF}}

    assert verifier.check_proof(secured, key_of=lambda name, _at: {W3C_METHOD: W3C_PUBLIC}.get(name)) == ""


def test_the_w3c_test_vector_with_one_letter_changed_does_not_hold() -> None:
    secured = {**W3C_DOCUMENT, "name": "alumni Credential", "proof": {**W3C_OPTIONS, "proofValue": W3C_PROOF}}

    assert "does not fit" in verifier.check_proof(secured, key_of=lambda *_: W3C_PUBLIC)


def test_what_the_issuer_signed_is_valid(credential: Document) -> None:
    found = verifier.verify(signed(credential), profile=profile())

    assert (found.outcome, found.name, found.achievement) == ("valid", "Ines Intern", "Digits")


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [leaf for name, inner in value.items() for leaf in leaves(inner, (*path, name))]
    if isinstance(value, list):
        return [leaf for place, inner in enumerate(value) for leaf in leaves(inner, (*path, place))]
    return [path]


def test_whatever_value_is_changed_it_is_not_valid_any_more(credential: Document) -> None:
    original = signed(credential)
    for path in leaves(original):
        forged = copy.deepcopy(original)
        holder: Any = forged
        for part in path[:-1]:
            holder = holder[part]
        holder[path[-1]] = 0.99 if isinstance(holder[path[-1]], float) else f"{holder[path[-1]]}x"

        assert not verifier.verify(forged, profile=profile()).is_valid, path


def test_what_is_added_is_found_too_though_no_context_knows_it(credential: Document) -> None:
    forged = signed(credential) | {"honours": "summa cum laude"}

    assert verifier.verify(forged, profile=profile()).outcome == "forged"


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({"proof": None}, "forged"),
        ({"proof": []}, "forged"),
        ({"proof": {"type": "DataIntegrityProof"}}, "forged"),
        ({"type": ["Other"]}, "no certificate"),
        ({"issuer": "https://evil.example/issuer/"}, "unknown issuer"),
        ({"issuer": {"id": 7}}, "unknown issuer"),
    ],
)
def test_a_document_without_its_proof_type_or_issuer_is_told_apart(
    credential: Document, change: dict[str, Any], outcome: str
) -> None:
    assert verifier.verify(signed(credential) | change, profile=profile()).outcome == outcome


@pytest.mark.parametrize(
    "options",
    [
        {"cryptosuite": "eddsa-rdfc-2022"},
        {"proofPurpose": "authentication"},
        {"created": "yesterday"},
        {"created": None},
        {"@context": ["https://evil.example/"]},
    ],
)
def test_a_proof_made_for_something_else_is_refused(credential: Document, options: dict[str, Any]) -> None:
    assert verifier.verify(signed(credential, **options), profile=profile()).outcome == "forged"


def test_a_key_that_the_certificate_brings_along_is_never_used(credential: Document) -> None:
    forged = signed(credential, private=OTHER) | {"verificationMethod": [{"publicKeyMultibase": multikey(OTHER)}]}

    assert verifier.verify(forged, profile=profile()).outcome == "forged"


def test_another_key_under_the_name_of_the_issuers_is_found(credential: Document) -> None:
    assert (
        verifier.verify(signed(credential, private=OTHER, named=multikey(PRIVATE)), profile=profile()).outcome
        == "forged"
    )


@pytest.mark.parametrize(
    ("method", "outcome"),
    [
        ({"expires": "2026-03-18T10:00:01Z"}, "valid"),
        ({"expires": "2026-03-18T09:59:59Z"}, "forged"),
        ({"revoked": "2027-01-01T00:00:00Z"}, "forged"),
        ({"controller": "https://evil.example/"}, "forged"),
        ({"publicKeyMultibase": multikey(OTHER)}, "forged"),
        ({"publicKeyMultibase": "zzz"}, "forged"),
    ],
)
def test_a_retired_key_counts_for_what_it_signed_before_and_a_revoked_one_for_nothing(
    credential: Document, method: dict[str, Any], outcome: str
) -> None:
    assert verifier.verify(signed(credential), profile=profile(**method)).outcome == outcome


def test_without_a_trusted_profile_nothing_is_valid(credential: Document) -> None:
    assert verifier.verify(signed(credential), profile=None).outcome == "unknown issuer"


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (revoked_list(), "valid"),
        (revoked_list(8, 10), "valid"),
        (revoked_list(9), "revoked"),
        (revoked_list(9, private=OTHER), "not checked"),
        (revoked_list(issuer="https://evil.example/"), "not checked"),
        (revoked_list(credentialSubject={"encodedList": "uH4sI"}), "not checked"),
        (revoked_list(credentialSubject={"encodedList": "zabc"}), "not checked"),
        (b"<html>", "not checked"),
    ],
)
def test_whether_it_was_revoked_is_asked_of_a_list_that_the_issuer_signed(
    credential: Document, answer: bytes, outcome: str
) -> None:
    assert verifier.verify(signed(credential), profile=profile(), fetch=lambda _: answer).outcome == outcome


def test_a_list_on_another_host_is_not_even_asked_for(credential: Document) -> None:
    credential["credentialStatus"]["statusListCredential"] = "https://evil.example/list"

    def fetch(address: str) -> bytes:
        raise AssertionError(address)

    assert verifier.verify(signed(credential), profile=profile(), fetch=fetch).outcome == "not checked"


def test_a_list_that_unpacks_to_very_much_is_not_unpacked(credential: Document) -> None:
    packed = base64.urlsafe_b64encode(gzip.compress(bytes(2 * verifier.LIST_BYTES))).decode().rstrip("=")

    with pytest.raises(ValueError, match="too large"):
        verifier.expand(f"u{packed}")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"7",
        b"{",
        b"\xff",
        b'{"a": 1, "a": 2}',
        b'{"a": NaN}',
        b"[" * 100_000,
        b'{"x": "' + b"x" * 600_000 + b'"}',
    ],
)
def test_what_is_not_one_object_read_in_one_way_is_no_certificate(content: bytes) -> None:
    with pytest.raises(verifier.NotACertificateError):
        verifier.read_document(content)


@given(st.binary(max_size=64))
def test_base_58_gives_back_what_it_was_given(content: bytes) -> None:
    assert base58_decode(base58_encode(content)) == content


def run(tmp_path: Path, document: Document, *arguments: str) -> tuple[int, str]:
    """The program as a stranger runs it: no Django, no site, this one file."""
    file, issuer = tmp_path / "credential.json", tmp_path / "issuer.json"
    file.write_text(json.dumps(document))
    issuer.write_text(json.dumps(profile()))
    alone = tmp_path / "verifier.py"
    alone.write_text(Path(verifier.__file__).read_text())
    words = [argument.replace("ISSUER", str(issuer)) for argument in arguments]
    guard = (
        "import runpy, sys; sys.modules.update(dict.fromkeys(('django', 'practicum')));"
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", guard, str(alone), str(file), *words], capture_output=True, text=True, check=False
    )
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout


def test_the_command_says_by_its_exit_code_and_in_words_what_it_found(credential: Document, tmp_path: Path) -> None:
    genuine = signed(credential)
    forged = copy.deepcopy(genuine)
    forged["credentialSubject"]["record"]["score"]["value"] = 0.99

    assert run(tmp_path, genuine, "--issuer", "ISSUER")[0] == 0
    code, said = run(tmp_path, forged, "--issuer", "ISSUER")
    assert code == 1
    assert said.startswith("FORGED: The signature does not fit")
    assert run(tmp_path, {}, "--issuer", "ISSUER")[0] == 2
    assert run(tmp_path, genuine)[0] == 3


def test_the_command_says_it_as_json_too(credential: Document, tmp_path: Path) -> None:
    code, said = run(tmp_path, signed(credential), "--issuer", "ISSUER", "--json")

    assert code == 0
    assert json.loads(said)["outcome"] == "valid"
    assert json.loads(said)["issuer"] == ISSUER


def test_practicum_certificate_verify_needs_no_settings(
    credential: Document, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "credential.json"
    file.write_text(json.dumps(signed(credential)))
    monkeypatch.setenv("PRACTICUM_NONSENSE", "this makes the settings refuse")
    monkeypatch.setattr(sys, "argv", ["practicum", "certificate", "verify", str(file)])

    with pytest.raises(SystemExit) as ended:
        cli.main()

    assert ended.value.code == 3
    assert "UNKNOWN ISSUER" in capsys.readouterr().out


def test_a_name_cannot_make_a_terminal_obey(credential: Document) -> None:
    credential["credentialSubject"]["identifier"][0]["identityHash"] = "Ines\x1b[2J"

    assert "\x1b" not in verifier.in_words(verifier.verify(signed(credential), profile=profile()))


def test_canonical_json_writes_numbers_as_ecmascript_does() -> None:
    assert rfc8785.dumps({"b": 1.0, "a": 0.95}) == b'{"a":0.95,"b":1}'

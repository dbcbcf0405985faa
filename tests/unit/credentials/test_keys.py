"""The issuer's key: made once, readable by its owner only, renewed without losing what was signed, never made up."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from practicum.audit.models import Record
from practicum.credentials import keys, rules, signing
from practicum.credentials.models import Certificate, IssuerKey
from practicum.credentials.offline import verifier
from practicum.credentials.offline.verifier import Document

pytestmark = pytest.mark.django_db


@pytest.fixture
def made(now: Any) -> IssuerKey:
    """The site's key."""
    assert keys.ensure(now=now)
    return IssuerKey.objects.get()


def check(document: Document) -> str:
    return verifier.verify(document, profile=signing.profile()).outcome


def test_the_key_is_made_once_and_only_its_owner_can_read_its_file(made: IssuerKey, now: Any) -> None:
    assert keys.key_file().stat().st_mode & 0o777 == 0o600
    content = keys.key_file().read_bytes()

    assert not keys.ensure(now=now)
    assert keys.key_file().read_bytes() == content
    assert IssuerKey.objects.count() == 1


def test_its_place_is_a_setting(settings: Any, tmp_path: Any, now: Any) -> None:
    settings.PRACTICUM_ISSUER_KEY_FILE = str(tmp_path / "secrets" / "issuer.pem")

    keys.ensure(now=now)

    assert (tmp_path / "secrets" / "issuer.pem").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("spoil", ["gone", "open", "another", "nonsense"])
def test_a_site_whose_key_is_not_what_it_was_signs_nothing_and_makes_no_other(
    made: IssuerKey, spoil: str, now: Any
) -> None:
    file = keys.key_file()
    if spoil == "gone":
        file.unlink()
    elif spoil == "open":
        file.chmod(0o644)
    elif spoil == "another":
        file.unlink()
        keys._write(file)
    else:
        file.write_text("nonsense")

    for attempt in (lambda: keys.in_use(now=now), lambda: keys.ensure(now=now)):
        with pytest.raises(keys.KeyUnusable):
            attempt()
    assert IssuerKey.objects.count() == 1


def test_in_production_no_key_is_made_in_passing(settings: Any, now: Any) -> None:
    settings.PRACTICUM_ENV = "production"

    with pytest.raises(keys.KeyUnusable, match="practicum setup"):
        keys.in_use(now=now)
    assert not keys.key_file().exists()


def test_what_the_key_before_has_signed_stays_valid_and_what_is_signed_next_is_too(
    certificate: Certificate, admin: Any, now: Any
) -> None:
    old = signing.document_of(certificate, parts=rules.PARTS, now=now)
    keys.renew(actor=admin, now=now + timedelta(days=1))

    new = signing.document_of(certificate, parts=["score"], now=now + timedelta(days=2))

    assert (check(old), check(new)) == ("valid", "valid")
    assert old["proof"]["verificationMethod"] != new["proof"]["verificationMethod"]
    assert Record.objects.filter(verb="issuer_key.renewed", actor=admin).count() == 1


def test_a_retired_key_that_signs_later_is_found(certificate: Certificate, admin: Any, now: Any) -> None:
    row, private = keys.load()
    keys.renew(actor=admin, now=now + timedelta(days=1))
    unsigned = signing.unsigned(certificate, parts=rules.PARTS)
    options = {
        **signing.document_of(certificate, parts=rules.PARTS, now=now)["proof"],
        "created": signing.written(now + timedelta(days=2)),
    }
    options.pop("proofValue")
    value = private.sign(verifier.signed_bytes(unsigned, options=options))
    forged = {**unsigned, "proof": {**options, "proofValue": "z" + verifier.base58_encode(value)}}

    assert row.multikey in options["verificationMethod"]
    assert check(forged) == "forged"


def test_a_revoked_key_counts_for_nothing_and_the_site_signs_anew(
    certificate: Certificate, admin: Any, now: Any
) -> None:
    old = signing.document_of(certificate, parts=rules.PARTS, now=now)

    keys.renew(actor=admin, now=now + timedelta(days=1), revoke=True)

    assert check(old) == "forged"
    assert check(signing.document_of(certificate, parts=rules.PARTS, now=now + timedelta(days=2))) == "valid"


def test_the_command_prints_the_profile_and_renews_the_key_for_an_admin_only(
    made: IssuerKey, admin: Any, mentor: Any
) -> None:
    printed = StringIO()
    call_command("certificate", "issuer", stdout=printed)
    assert made.multikey in printed.getvalue()

    with pytest.raises(CommandError, match="no active admin"):
        call_command("certificate", "renew-key", "--by", mentor.username)
    call_command("certificate", "renew-key", "--by", admin.username, stdout=StringIO())

    made.refresh_from_db()
    assert made.retired_at is not None
    assert not made.is_in_use


def test_no_private_key_is_in_what_the_site_tells(certificate: Certificate, now: Any) -> None:
    _, private = keys.load()
    told = str(signing.profile()) + str(signing.document_of(certificate, parts=rules.PARTS, now=now))

    assert private.private_bytes_raw().hex() not in told
    assert verifier.base58_encode(private.private_bytes_raw()) not in told

"""How the hub's client secret is kept, and that people's passwords are not kept so."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings as site_settings
from django.contrib.auth.hashers import check_password, identify_hasher, make_password
from oauth2_provider.models import Application

from practicum.accounts.hashers import MachineSecretHasher
from practicum.config import settings as written
from practicum.config.management.commands.setup import register_hub


def test_it_takes_the_secret_and_nothing_else() -> None:
    hasher = MachineSecretHasher()
    encoded = hasher.encode("a" * 32, "salt")
    assert encoded.startswith("machine_sha256$salt$")
    assert "a" * 32 not in encoded
    assert hasher.verify("a" * 32, encoded)
    assert not hasher.verify("a" * 31 + "b", encoded)
    assert hasher.encode("a" * 32, "other") != encoded


def test_passwords_of_people_are_hashed_by_what_is_slow() -> None:
    assert written.PASSWORD_HASHERS[0] == "django.contrib.auth.hashers.ScryptPasswordHasher"
    assert identify_hasher(make_password("correct horse")).algorithm != MachineSecretHasher.algorithm


def test_the_hubs_secret_is_checked_in_no_time(db: None, settings: Any) -> None:
    settings.PASSWORD_HASHERS = written.PASSWORD_HASHERS
    register_hub()
    kept = Application.objects.get(client_id=site_settings.PRACTICUM_OIDC_CLIENT_ID).client_secret
    began = time.process_time()
    for _ in range(100):
        assert check_password(site_settings.PRACTICUM_OIDC_CLIENT_SECRET, kept)
    assert time.process_time() - began < 0.1, "scrypt takes longer than that for one"
    assert not check_password("another", kept)


def test_a_secret_that_an_older_version_kept_is_taken_until_the_next_set_up(settings: Any) -> None:
    settings.PASSWORD_HASHERS = written.PASSWORD_HASHERS
    encoded = make_password("older", hasher="scrypt")
    assert check_password("older", encoded)

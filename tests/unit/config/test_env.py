"""The environment: what is accepted, and that all that is wrong is told at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from practicum.config.checks import check_mail
from practicum.config.env import ConfigurationError, private_text, read

ROOT = Path("/srv/practicum")
SECRET = "k3Jx9qLw7Rz5TvB2" * 4
PRODUCTION = {
    "PRACTICUM_ENV": "production",
    "PRACTICUM_SECRET_KEY": SECRET,
    "PRACTICUM_HUB_API_TOKEN": SECRET,
    "PRACTICUM_HUB_SITE_TOKEN": SECRET,
    "PRACTICUM_OIDC_CLIENT_SECRET": SECRET,
    "PRACTICUM_SPLIT_SECRET": SECRET,
    "PRACTICUM_SITE_URL": "https://practicum.example.org/",
    "PRACTICUM_HUB_URL": "https://hub.example.org",
    "PRACTICUM_HUB_API_URL": "http://hub:8081/hub/api",
    "PRACTICUM_DATABASE_URL": "postgresql://practicum@database/practicum",
}


def test_a_complete_production_environment_is_accepted_and_urls_lose_their_trailing_slash() -> None:
    environment = read(PRODUCTION, root=ROOT)
    assert environment.is_production
    assert environment.site_url == "https://practicum.example.org"


def test_the_metrics_token_may_be_left_out() -> None:
    assert read(PRODUCTION, root=ROOT).metrics_token == ""
    assert read(PRODUCTION | {"PRACTICUM_METRICS_TOKEN": SECRET}, root=ROOT).metrics_token == SECRET


def test_snapshots_have_defaults_and_can_be_switched_off() -> None:
    usual = read(PRODUCTION | {"PRACTICUM_SNAPSHOT_KEEP": ""}, root=ROOT).snapshots
    assert (usual.keep, usual.seconds, usual.max_mb) == (3, 60, 2048)
    assert read(PRODUCTION | {"PRACTICUM_SNAPSHOT_KEEP": "0"}, root=ROOT).snapshots.keep == 0


def test_a_home_has_a_quota_unless_it_is_switched_off() -> None:
    assert read(PRODUCTION | {"PRACTICUM_HOME_QUOTA_GB": ""}, root=ROOT).volumes.quota_gb == 20
    assert read(PRODUCTION | {"PRACTICUM_HOME_QUOTA_GB": "0"}, root=ROOT).volumes.quota_gb == 0


MAIL = {"PRACTICUM_EMAIL_HOST": "mail.example.org", "PRACTICUM_EMAIL_FROM": "Practicum <site@example.org>"}


@pytest.mark.parametrize(("security", "port"), [("", 587), ("starttls", 587), ("tls", 465), ("none", 25)])
def test_a_mail_server_needs_a_host_and_a_sender_and_the_port_follows(security: str, port: int) -> None:
    email = read(PRODUCTION | MAIL | {"PRACTICUM_EMAIL_SECURITY": security}, root=ROOT).email
    assert (email.host, email.port, email.sender) == ("mail.example.org", port, "Practicum <site@example.org>")
    assert read(PRODUCTION, root=ROOT).email.host == ""


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"PRACTICUM_EMAIL_FROM": ""}, "PRACTICUM_EMAIL_FROM"),
        ({"PRACTICUM_EMAIL_FROM": "a@b\nBcc: c@d"}, "PRACTICUM_EMAIL_FROM"),
        ({"PRACTICUM_EMAIL_PORT": "70000"}, "PRACTICUM_EMAIL_PORT"),
        ({"PRACTICUM_EMAIL_PORT": "smtp"}, "PRACTICUM_EMAIL_PORT"),
        ({"PRACTICUM_EMAIL_SECURITY": "ssl"}, "PRACTICUM_EMAIL_SECURITY"),
        ({"PRACTICUM_EMAIL_USER": "site"}, "PRACTICUM_EMAIL_PASSWORD"),
        (
            {"PRACTICUM_EMAIL_USER": "u", "PRACTICUM_EMAIL_PASSWORD": "p", "PRACTICUM_EMAIL_SECURITY": "none"},
            "in the clear",
        ),
    ],
)
def test_a_mail_server_that_can_not_be_used_is_refused_by_name(change: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        read(PRODUCTION | MAIL | change, root=ROOT)


@pytest.mark.parametrize(("env", "host", "warned"), [("production", "", 1), ("production", "m", 0), ("demo", "", 0)])
def test_production_without_mail_is_warned_of(env: str, host: str, warned: int, settings: Any) -> None:
    settings.PRACTICUM_ENV, settings.EMAIL_HOST = env, host
    assert len(check_mail()) == warned


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"PRACTICUM_SECRET_KEY": ""}, "PRACTICUM_SECRET_KEY"),
        ({"PRACTICUM_SECRET_KEY": "short"}, "PRACTICUM_SECRET_KEY"),
        ({"PRACTICUM_SPLIT_SECRET": ""}, "PRACTICUM_SPLIT_SECRET"),
        ({"PRACTICUM_HUB_SITE_TOKEN": ""}, "PRACTICUM_HUB_SITE_TOKEN"),
        ({"PRACTICUM_METRICS_TOKEN": "short"}, "PRACTICUM_METRICS_TOKEN"),
        ({"PRACTICUM_OIDC_CLIENT_SECRET": ""}, "PRACTICUM_OIDC_CLIENT_SECRET"),
        ({"PRACTICUM_SITE_URL": "http://practicum.example.org"}, "https"),
        ({"PRACTICUM_SITE_URL": "practicum.example.org"}, "PRACTICUM_SITE_URL"),
        ({"PRACTICUM_HUB_URL": ""}, "PRACTICUM_HUB_URL"),
        ({"PRACTICUM_DATABASE_URL": "sqlite:///x"}, "PRACTICUM_DATABASE_URL"),
        ({"PRACTICUM_ALLOWED_HOSTS": "*"}, "PRACTICUM_ALLOWED_HOSTS"),
        ({"PRACTICUM_ENGINE": "podman"}, "PRACTICUM_ENGINE"),
        ({"PRACTICUM_ENV": "staging"}, "PRACTICUM_ENV"),
        ({"PRACTICUM_SNAPSHOT_KEEP": "-1"}, "PRACTICUM_SNAPSHOT_KEEP"),
        ({"PRACTICUM_LOG_FORMAT": "xml"}, "PRACTICUM_LOG_FORMAT"),
        ({"PRACTICUM_SNAPSHOT_SECONDS": "600"}, "from 5 to 100"),
        ({"PRACTICUM_SNAPSHOT_MAX_MB": "a lot"}, "PRACTICUM_SNAPSHOT_MAX_MB"),
        ({"PRACTICUM_HOME_QUOTA_GB": "0.5"}, "PRACTICUM_HOME_QUOTA_GB"),
        ({"PRACTICUM_VOLUME_OPTIONS": "type=nfs"}, "PRACTICUM_VOLUME_DRIVER"),
        ({"PRACTICUM_VOLUME_DRIVER": "local", "PRACTICUM_VOLUME_OPTIONS": "nfs"}, "name=value"),
        ({"PRACTICUM_SCERET_KEY": "x"}, "PRACTICUM_SCERET_KEY"),
    ],
)
def test_what_is_missing_weak_or_unknown_is_refused_by_name(change: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        read(PRODUCTION | change, root=ROOT)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ConfigurationError) as refusal:
        read(PRODUCTION | {"PRACTICUM_SECRET_KEY": "", "PRACTICUM_TYPO": "1"}, root=ROOT)
    assert "PRACTICUM_SECRET_KEY" in str(refusal.value)
    assert "PRACTICUM_TYPO" in str(refusal.value)


def test_secrets_are_never_in_a_message() -> None:
    with pytest.raises(ConfigurationError) as refusal:
        read(PRODUCTION | {"PRACTICUM_SECRET_KEY": "tiny-secret"}, root=ROOT)
    assert "tiny-secret" not in str(refusal.value)


def test_outside_production_secrets_are_made_up_and_differ() -> None:
    environment = read({}, root=ROOT)
    assert environment.env == "demo"
    assert environment.data_dir == ROOT / "var"
    assert len({environment.secret_key, environment.split_secret, environment.hub_site_token}) == 3


def test_a_key_that_others_may_read_keeps_the_site_from_starting(tmp_path: Path) -> None:
    file = tmp_path / "oidc.pem"
    assert private_text(file, setting="PRACTICUM_OIDC_KEY_FILE") == ""
    file.write_text("a key")
    file.chmod(0o640)
    with pytest.raises(ConfigurationError, match=r"PRACTICUM_OIDC_KEY_FILE names may be read by others.*chmod 600"):
        private_text(file, setting="PRACTICUM_OIDC_KEY_FILE")
    file.chmod(0o600)
    assert private_text(file, setting="PRACTICUM_OIDC_KEY_FILE") == "a key"

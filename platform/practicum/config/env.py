"""The one reader of the environment: every ``PRACTICUM_*`` variable is declared here, and no other is accepted.

``read`` is pure: a mapping in, a frozen :class:`Environment` out, or :class:`ConfigurationError` with every fault at once.
"""

from __future__ import annotations

import re
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from practicum.accounts.ways_in import WaysIn
from practicum.config import sign_in

ENVIRONMENTS = ("demo", "production", "test")
ENGINES = ("docker", "local")
LOG_FORMATS = ("line", "json")
MIN_SECRET_LENGTH = 32
# "name@host", or "A name <name@host>"; one line.
ADDRESS = re.compile(r"^([^<>@\r\n]*<[^\s<>@]+@[^\s<>@]+>|[^\s<>@]+@[^\s<>@]+)\Z")
EMAIL_PORTS = {"starttls": 587, "tls": 465, "none": 25}

KNOWN = frozenset(
    {
        "PRACTICUM_ENV",
        "PRACTICUM_SECRET_KEY",
        "PRACTICUM_DATA_DIR",
        "PRACTICUM_DATABASE_URL",
        "PRACTICUM_SITE_URL",
        "PRACTICUM_SITE_INTERNAL_URL",
        "PRACTICUM_HUB_URL",
        "PRACTICUM_HUB_API_URL",
        "PRACTICUM_HUB_API_TOKEN",
        "PRACTICUM_HUB_SITE_TOKEN",
        "PRACTICUM_METRICS_TOKEN",
        "PRACTICUM_OIDC_CLIENT_ID",
        "PRACTICUM_OIDC_CLIENT_SECRET",
        "PRACTICUM_OIDC_KEY_FILE",
        "PRACTICUM_SPLIT_SECRET",
        "PRACTICUM_ISSUER_KEY_FILE",
        "PRACTICUM_ENGINE",
        "PRACTICUM_WORKSPACE_IMAGE",
        "PRACTICUM_SCORER_IMAGE",
        "PRACTICUM_WORKSPACE_PYTHON",
        "PRACTICUM_NETWORK",
        "PRACTICUM_EGRESS_PROXY",
        "PRACTICUM_FETCH_NETWORK",
        "PRACTICUM_INSTANCE",
        "PRACTICUM_ALLOWED_HOSTS",
        "PRACTICUM_TIME_ZONE",
        "PRACTICUM_LOG_FORMAT",
        "PRACTICUM_EMAIL_HOST",
        "PRACTICUM_EMAIL_PORT",
        "PRACTICUM_EMAIL_USER",
        "PRACTICUM_EMAIL_PASSWORD",
        "PRACTICUM_EMAIL_SECURITY",
        "PRACTICUM_EMAIL_FROM",
        "PRACTICUM_SNAPSHOT_KEEP",
        "PRACTICUM_SNAPSHOT_SECONDS",
        "PRACTICUM_SNAPSHOT_MAX_MB",
        "PRACTICUM_BACKUP_REPOSITORY",
        "PRACTICUM_BACKUP_PASSWORD_FILE",
        "PRACTICUM_BACKUP_SSH_KEY_FILE",
        "PRACTICUM_BACKUP_KNOWN_HOSTS_FILE",
        "PRACTICUM_BACKUP_S3_CREDENTIALS_FILE",
        "PRACTICUM_BACKUP_SNAPSHOTS",
        "PRACTICUM_BACKUP_KEEP",
        "PRACTICUM_BACKUP_HOUR",
        "PRACTICUM_VOLUME_DRIVER",
        "PRACTICUM_VOLUME_OPTIONS",
        "PRACTICUM_HOME_QUOTA_GB",
        *sign_in.KNOWN,
    }
)
# Read by other parts of the system that share an environment with the site: the hub, the tests, the agent.
FOREIGN_PREFIXES = ("PRACTICUM_HUB_", "PRACTICUM_TEST_", "PRACTICUM_REQUIRE_", "PRACTICUM_DEMO_", "PRACTICUM_AGENT_")


class ConfigurationError(Exception):
    """The environment can't be used; the message names each variable and says what to set."""


@dataclass(frozen=True)
class Email:
    """The mail server; without a ``host`` nothing is sent by e-mail."""

    host: str = ""
    port: int = 0
    user: str = ""
    password: str = ""
    security: str = "starttls"
    sender: str = ""


@dataclass(frozen=True)
class Snapshots:
    """Snapshots of workspaces: how many of each internship are kept (0: none are made), and what one may take."""

    keep: int = 3
    seconds: int = 60
    max_mb: int = 2048


@dataclass(frozen=True)
class Backups:
    """Where backups go and what opens it; ``keep``: how many daily, weekly and monthly ones stay; ``hour``: when the worker
    makes the daily one, by the site's clock (None: it makes none).
    """

    repository: str = ""
    password_file: str = ""
    ssh_key_file: str = ""
    known_hosts_file: str = ""
    s3_credentials_file: str = ""
    with_snapshots: bool = False
    keep: tuple[int, int, int] = (7, 5, 12)
    hour: int | None = None


@dataclass(frozen=True)
class Volumes:
    """Where interns' homes are kept: on the server where they work (no ``driver``), or by a volume driver that all share.

    ``{volume}`` in an option stands for the name of the volume. ``quota_gb``: what one person's may take (0: there is no limit).
    """

    driver: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    quota_gb: int = 20


@dataclass(frozen=True)
class Environment:
    """What the environment says, checked. Urls have no trailing slash."""

    env: str
    secret_key: str
    data_dir: Path
    database_url: str
    site_url: str
    site_internal_url: str
    hub_url: str
    hub_api_url: str
    hub_api_token: str
    hub_site_token: str
    metrics_token: str
    oidc_client_id: str
    oidc_client_secret: str
    oidc_key_file: Path
    split_secret: str
    issuer_key_file: str
    engine: str
    workspace_image: str
    scorer_image: str
    workspace_python: str
    network: str
    egress_proxy: str
    fetch_network: str
    instance: str
    allowed_hosts: tuple[str, ...]
    time_zone: str
    log_format: str
    email: Email
    snapshots: Snapshots
    backups: Backups
    volumes: Volumes
    ways_in: WaysIn

    @property
    def is_production(self) -> bool:
        """Nothing is made up here: every secret is given, TLS is on."""
        return self.env == "production"


def read(variables: Mapping[str, str], *, root: Path) -> Environment:
    """Check ``variables`` and return them as an :class:`Environment`; relative paths are taken from ``root``.

    Outside production, secrets that are not given are made up for this process.

    Raises:
        ConfigurationError: unknown variables, missing or weak secrets, malformed urls: all of them in one message.
    """
    faults = [
        f"{name} is not a setting of Practicum; remove it or mend its spelling."
        for name in sorted(variables)
        if name.startswith("PRACTICUM_") and name not in KNOWN and not name.startswith(FOREIGN_PREFIXES)
    ]
    env = variables.get("PRACTICUM_ENV", "demo")
    if env not in ENVIRONMENTS:
        faults.append(f"PRACTICUM_ENV is {env!r}; it must be one of {', '.join(ENVIRONMENTS)}.")
    engine = variables.get("PRACTICUM_ENGINE", "docker")
    if engine not in ENGINES:
        faults.append(f"PRACTICUM_ENGINE is {engine!r}; it must be one of {', '.join(ENGINES)}.")
    log_format = variables.get("PRACTICUM_LOG_FORMAT") or "line"
    if log_format not in LOG_FORMATS:
        faults.append(f"PRACTICUM_LOG_FORMAT is {log_format!r}; it must be one of {', '.join(LOG_FORMATS)}.")

    def secret(name: str) -> str:
        value = variables.get(name, "")
        if env == "production" and len(value) < MIN_SECRET_LENGTH:
            faults.append(f"{name} must be set to at least {MIN_SECRET_LENGTH} random characters.")
        return value or secrets.token_hex(32)

    def optional_secret(name: str) -> str:
        value = variables.get(name, "")
        if value and env == "production" and len(value) < MIN_SECRET_LENGTH:
            faults.append(f"{name} must be left empty or set to at least {MIN_SECRET_LENGTH} random characters.")
        return value

    def url(name: str, default: str) -> str:
        value = variables.get(name, "" if env == "production" else default).rstrip("/")
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            faults.append(f"{name} must be a full http or https address, not {value!r}.")
        return value

    data_dir = root / variables.get("PRACTICUM_DATA_DIR", "var")
    site_url = url("PRACTICUM_SITE_URL", "http://127.0.0.1:8000")
    hub_url = url("PRACTICUM_HUB_URL", "http://127.0.0.1:8080")
    if env == "production" and not (site_url.startswith("https://") and hub_url.startswith("https://")):
        faults.append("PRACTICUM_SITE_URL and PRACTICUM_HUB_URL must be https addresses in production.")
    database_url = variables.get("PRACTICUM_DATABASE_URL", "")
    if env == "production" and not database_url.startswith("postgres"):
        faults.append("PRACTICUM_DATABASE_URL must be a postgresql:// address in production.")
    allowed = tuple(h.strip() for h in variables.get("PRACTICUM_ALLOWED_HOSTS", "").split(",") if h.strip())
    if "*" in allowed:
        faults.append("PRACTICUM_ALLOWED_HOSTS must name hosts; '*' would accept any.")
    result = Environment(
        env=env,
        secret_key=secret("PRACTICUM_SECRET_KEY"),
        data_dir=data_dir,
        database_url=database_url or f"sqlite:///{data_dir / 'practicum.sqlite3'}",
        site_url=site_url,
        site_internal_url=variables.get("PRACTICUM_SITE_INTERNAL_URL", site_url).rstrip("/"),
        hub_url=hub_url,
        hub_api_url=url("PRACTICUM_HUB_API_URL", "http://127.0.0.1:8081/hub/api"),
        hub_api_token=secret("PRACTICUM_HUB_API_TOKEN"),
        hub_site_token=secret("PRACTICUM_HUB_SITE_TOKEN"),
        metrics_token=optional_secret("PRACTICUM_METRICS_TOKEN"),
        oidc_client_id=variables.get("PRACTICUM_OIDC_CLIENT_ID", "practicum-hub"),
        oidc_client_secret=secret("PRACTICUM_OIDC_CLIENT_SECRET"),
        oidc_key_file=Path(variables.get("PRACTICUM_OIDC_KEY_FILE", data_dir / "oidc.pem")),
        split_secret=secret("PRACTICUM_SPLIT_SECRET"),
        issuer_key_file=variables.get("PRACTICUM_ISSUER_KEY_FILE", ""),
        engine=engine,
        workspace_image=variables.get("PRACTICUM_WORKSPACE_IMAGE", "practicum/workspace"),
        scorer_image=variables.get("PRACTICUM_SCORER_IMAGE", "practicum/scorer"),
        workspace_python=variables.get("PRACTICUM_WORKSPACE_PYTHON", ""),
        network=variables.get("PRACTICUM_NETWORK", "practicum"),
        fetch_network=variables.get("PRACTICUM_FETCH_NETWORK") or "bridge",
        egress_proxy=variables.get("PRACTICUM_EGRESS_PROXY", "").rstrip("/"),
        instance=variables.get("PRACTICUM_INSTANCE", "practicum"),
        allowed_hosts=allowed,
        time_zone=variables.get("PRACTICUM_TIME_ZONE", "UTC"),
        log_format=log_format,
        email=_email(variables, faults=faults),
        snapshots=_snapshots(variables, faults=faults),
        backups=_backups(variables, faults=faults),
        volumes=_volumes(variables, faults=faults),
        ways_in=sign_in.read_ways(variables, is_production=env == "production", faults=faults),
    )
    if faults:
        raise ConfigurationError("Practicum can't start:\n- " + "\n- ".join(faults))
    return result


def private_text(file: Path, *, setting: str) -> str:
    """What a file of a secret holds; empty if there is none yet.

    Raises:
        ConfigurationError: others than its owner may read it.
    """
    if not file.is_file():
        return ""
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & 0o077:
        raise ConfigurationError(
            f"Practicum can't start:\n- The file that {setting} names may be read by others (mode {mode:o}): chmod 600 {file}"
        )
    return file.read_text()


def _number(
    variables: Mapping[str, str], name: str, *, default: int, between: tuple[int, int], faults: list[str]
) -> int:
    """A whole number; what can't be used is added to ``faults``."""
    value = variables.get(name) or str(default)
    if not (value.isascii() and value.isdigit() and len(value) < 9 and between[0] <= int(value) <= between[1]):
        faults.append(f"{name} is {value!r}; it must be a whole number from {between[0]} to {between[1]}.")
        return default
    return int(value)


def _snapshots(variables: Mapping[str, str], *, faults: list[str]) -> Snapshots:
    """What is said of snapshots; what can't be used is added to ``faults``. A slot that is asked back waits for no longer."""
    number = partial(_number, variables, faults=faults)
    usual = Snapshots()
    return Snapshots(
        keep=number("PRACTICUM_SNAPSHOT_KEEP", default=usual.keep, between=(0, 50)),
        seconds=number("PRACTICUM_SNAPSHOT_SECONDS", default=usual.seconds, between=(5, 100)),
        max_mb=number("PRACTICUM_SNAPSHOT_MAX_MB", default=usual.max_mb, between=(1, 1_000_000)),
    )


def _backups(variables: Mapping[str, str], *, faults: list[str]) -> Backups:
    """What is said of backups; what can't be used is added to ``faults``."""

    def said(name: str) -> str:
        return variables.get(f"PRACTICUM_BACKUP_{name}", "")

    keep, hour, snapshots = said("KEEP") or "7 5 12", said("HOUR").replace("never", ""), said("SNAPSHOTS") or "without"
    if not re.fullmatch(r"\d{1,3} \d{1,3} \d{1,3}", keep, re.ASCII) or not keep.strip("0 "):
        faults.append(f"PRACTICUM_BACKUP_KEEP is {keep!r}; it must be three numbers, daily weekly monthly: 7 5 12.")
        keep = "7 5 12"
    if hour and not (re.fullmatch(r"\d{1,2}", hour, re.ASCII) and int(hour) < 24):
        faults.append(f"PRACTICUM_BACKUP_HOUR is {hour!r}; it must be a whole number from 0 to 23, or never.")
        hour = ""
    if snapshots not in ("with", "without"):
        faults.append(f"PRACTICUM_BACKUP_SNAPSHOTS is {snapshots!r}; it must be with or without.")
    if hour and not (said("REPOSITORY") and said("PASSWORD_FILE")):
        faults.append("PRACTICUM_BACKUP_HOUR needs PRACTICUM_BACKUP_REPOSITORY and PRACTICUM_BACKUP_PASSWORD_FILE too.")
    if said("REPOSITORY").startswith("sftp:") and bool(said("SSH_KEY_FILE")) != bool(said("KNOWN_HOSTS_FILE")):
        faults.append(
            "PRACTICUM_BACKUP_SSH_KEY_FILE and PRACTICUM_BACKUP_KNOWN_HOSTS_FILE must both be set, or neither."
        )
    daily, weekly, monthly = (int(number) for number in keep.split())
    return Backups(
        repository=said("REPOSITORY"),
        password_file=said("PASSWORD_FILE"),
        ssh_key_file=said("SSH_KEY_FILE"),
        known_hosts_file=said("KNOWN_HOSTS_FILE"),
        s3_credentials_file=said("S3_CREDENTIALS_FILE"),
        with_snapshots=snapshots == "with",
        keep=(daily, weekly, monthly),
        hour=int(hour) if hour else None,
    )


def _volumes(variables: Mapping[str, str], *, faults: list[str]) -> Volumes:
    """The driver of homes and its options, ``name=value`` with ``;`` between them."""
    driver, text = variables.get("PRACTICUM_VOLUME_DRIVER", ""), variables.get("PRACTICUM_VOLUME_OPTIONS", "")
    pairs = [part.strip().partition("=") for part in text.split(";") if part.strip()]
    if any(not (name and equals) for name, equals, _ in pairs):
        faults.append(
            "PRACTICUM_VOLUME_OPTIONS must be name=value with ; between them, such as type=nfs;o=addr=192.0.2.5,rw."
        )
    if text and not driver:
        faults.append("PRACTICUM_VOLUME_OPTIONS says how, but PRACTICUM_VOLUME_DRIVER names no driver.")
    quota = _number(
        variables, "PRACTICUM_HOME_QUOTA_GB", default=Volumes().quota_gb, between=(0, 100_000), faults=faults
    )
    return Volumes(driver, {name: value for name, _, value in pairs}, quota)


def _email(variables: Mapping[str, str], *, faults: list[str]) -> Email:
    """The mail server of ``variables``; what can't be used is added to ``faults``."""
    host = variables.get("PRACTICUM_EMAIL_HOST", "")
    if not host:
        return Email()
    security = variables.get("PRACTICUM_EMAIL_SECURITY") or "starttls"
    if security not in EMAIL_PORTS:
        faults.append(f"PRACTICUM_EMAIL_SECURITY is {security!r}; it must be one of {', '.join(EMAIL_PORTS)}.")
    port = variables.get("PRACTICUM_EMAIL_PORT") or str(EMAIL_PORTS.get(security, 587))
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        faults.append(f"PRACTICUM_EMAIL_PORT is {port!r}; it must be the number of a port.")
    user, password = variables.get("PRACTICUM_EMAIL_USER", ""), variables.get("PRACTICUM_EMAIL_PASSWORD", "")
    if bool(user) != bool(password):
        faults.append("PRACTICUM_EMAIL_USER and PRACTICUM_EMAIL_PASSWORD must both be set, or neither.")
    if password and security == "none":
        faults.append("PRACTICUM_EMAIL_SECURITY must not be none: the password would be sent in the clear.")
    sender = variables.get("PRACTICUM_EMAIL_FROM", "")
    if not ADDRESS.search(sender):
        faults.append("PRACTICUM_EMAIL_FROM must be the e-mail address that mails come from.")
    return Email(host, int(port) if port.isdigit() else 0, user, password, security, sender)

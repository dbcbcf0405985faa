"""The hub's settings as a pure function of the environment.

``configure`` takes a mapping of variables and returns JupyterHub's settings, section by section; nothing is read
from elsewhere and nothing is made up: a missing secret is a refusal. All faults are told in one message.

Choices that are not obvious:

- The proxy is a process of its own and neither it nor the notebooks stop with the hub, so notebooks survive a restart.
- The hub never throttles spawns: the site's queue has decided already who may start (no lease, no spawn).
- Interns' hub role has no scope to start servers; the site's service token has.
- ``last_activity_interval`` is also how often lost routes are put back after the proxy died.
- Signing in is checked anew every 40 s, and a notebook believes the hub for 15 s, so a deactivated account is out within
  60 s even where the site's worker, which sees it off at once, does not run; starting a notebook checks it
  through the claim, which is why ``refresh_pre_spawn`` is off (it would cost two more requests for each launch).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from practicum_hub.logs import FORMATS, LINE, logging_of_hub

Settings = dict[str, dict[str, Any]]

PACKAGE = Path(__file__).parent
MIN_SECRET_LENGTH = 32
WORKSPACE_PYTHON = "/opt/venv/bin/python"
# -P: a random.py in the person's folder must not be what the server imports.
# -s: what an intern installs with pip lies in their home; the server itself never loads from there.
SINGLEUSER = ["-P", "-s", "-m", "practicum_hub.workspace.serve"]
USERNAME_PATTERN = r"^[a-z][a-z0-9-]{1,30}$"
AUTH_REFRESH_SECONDS = 40
# How long a notebook server may trust what the hub last said about a browser's token.
TOKEN_CACHE_SECONDS = 15

# What the site may do at the hub: make users, start and stop their servers, see what runs, let a mentor into one whose
# intern allowed it (nobody can share what they may not use themselves). Not: shut down, roles.
SITE_SCOPES = ["admin:users", "servers", "shares", "access:servers"]
WATCH_SCOPES = ["read:metrics"]
# What an intern may do at the hub: open and stop the own notebook. Starting, and letting others in, is the site's.
INTERN_SCOPES = [
    "access:servers!user",
    "delete:servers!user",
    "read:servers!user",
    "read:users:name!user",
    "read:users:groups!user",
    "users:activity!user",
]
SERVER_SCOPES = ["access:servers!server", "users:activity!user"]


class ConfigurationError(Exception):
    """The environment can't be used; the message names each variable and says what to set."""


class Reader:
    """Reads variables one by one and collects what is wrong with them."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self.faults: list[str] = []

    def text(self, name: str, *, default: str | None = None, pattern: str = r".+") -> str:
        """The variable, which must match ``pattern``."""
        value = self._variables.get(name, "") or default
        if value is None:
            self.faults.append(f"{name} is missing.")
            return ""
        if not re.fullmatch(pattern, value):
            self.faults.append(f"{name} is malformed: it must match {pattern}.")
        return value

    def secret(self, name: str) -> str:
        """A secret; never echoed in a message."""
        value = self._variables.get(name, "")
        if len(value) < MIN_SECRET_LENGTH:
            self.faults.append(f"{name} must be set to at least {MIN_SECRET_LENGTH} random characters.")
        return value

    def optional_secret(self, name: str) -> str:
        """A secret, or empty where what it opens is not wanted."""
        return self.secret(name) if self._variables.get(name) else ""

    def url(self, name: str, *, default: str | None = None) -> str:
        """A full address, without its trailing slash."""
        value = (self._variables.get(name, "") or default or "").rstrip("/")
        try:
            parts = urlsplit(value)
            well_formed = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            well_formed = False
        if not well_formed:
            self.faults.append(f"{name} must be a full http or https address, not {value!r}.")
            return "http://malformed"
        return value

    def optional_url(self, name: str) -> str:
        """A full address, or empty."""
        return self.url(name) if self._variables.get(name, "") else ""

    def choice(self, name: str, options: tuple[str, ...], *, default: str) -> str:
        """One of ``options``."""
        value = self._variables.get(name, "") or default
        if value not in options:
            self.faults.append(f"{name} must be one of {', '.join(options)}, not {value!r}.")
        return value

    def subnet(self, name: str) -> str:
        """An IPv4 network such as 172.30.0.0/20, or empty: the engine picks one."""
        value = self._variables.get(name, "")
        try:
            return str(ipaddress.IPv4Network(value)) if value else ""
        except ValueError:
            self.faults.append(f"{name} must be an IPv4 network such as 172.30.0.0/20, not {value!r}.")
            return ""

    def crypt_key(self, name: str) -> None:
        """JupyterHub reads this one itself: 32 bytes in hexadecimal, several separated by ';'."""
        keys = self._variables.get(name, "").split(";")
        if not all(re.fullmatch(r"[0-9a-fA-F]{64}", key) for key in keys):
            self.faults.append(f"{name} must be set to 64 hexadecimal digits (openssl rand -hex 32).")


def configure(variables: Mapping[str, str]) -> Settings:
    """JupyterHub's settings for this environment.

    Raises:
        ConfigurationError: variables are missing or malformed; all of them in one message.
    """
    reader = Reader(variables)
    engine = reader.choice("PRACTICUM_ENGINE", ("docker", "local"), default="docker")
    settings = (
        _hub(reader, engine=engine)
        | _proxy(reader)
        | _authenticator(reader)
        | (_docker_spawner(reader) if engine == "docker" else _local_spawner(reader))
    )
    settings["Spawner"] = _spawner(reader, engine=engine)
    if reader.faults:
        raise ConfigurationError("The hub can't start:\n- " + "\n- ".join(dict.fromkeys(reader.faults)))
    return settings


def _hub(reader: Reader, *, engine: str) -> Settings:
    data_dir = reader.text("PRACTICUM_HUB_DATA_DIR")
    api = urlsplit(reader.url("PRACTICUM_HUB_API_URL"))
    site_url = reader.url("PRACTICUM_SITE_URL")
    hub_url = reader.url("PRACTICUM_HUB_URL")
    port = api.port or 8081
    has_subdomains = reader.choice("PRACTICUM_HUB_SUBDOMAINS", ("0", "1"), default="0") == "1"
    spawner = "PracticumSpawner" if engine == "docker" else "LocalWorkspaceSpawner"
    metrics_token = reader.optional_secret("PRACTICUM_METRICS_TOKEN")
    watchers = [{"name": "prometheus", "api_token": metrics_token}] if metrics_token else []
    return {
        "JupyterHub": {
            "bind_url": reader.url("PRACTICUM_HUB_BIND"),
            "public_url": f"{hub_url}/",
            # Containers reach the hub at the address of their network's bridge, so all addresses are bound.
            "hub_bind_url": f"http://{'0.0.0.0' if engine == 'docker' else '127.0.0.1'}:{port}",  # noqa: S104
            "hub_connect_url": f"{api.scheme}://{api.hostname}:{port}",
            "db_url": f"sqlite:///{data_dir}/jupyterhub.sqlite",
            # Each person's notebook on a host of its own, so that no page from one can act at the hub or in another.
            "subdomain_host": hub_url if has_subdomains else "",
            # __Host- cookies: no notebook can set one for the hub. Browsers take them over https only. They go to every path of
            # a host: where notebooks share the hub's, an intern's server would be sent the hub's cookies of whoever visits it.
            "cookie_host_prefix_enabled": has_subdomains and hub_url.startswith("https://"),
            # A newer JupyterHub brings its tables up to date itself; an upgrade of the site keeps a copy first.
            "upgrade_db": True,
            "cookie_secret_file": f"{data_dir}/cookie_secret",
            "authenticator_class": "practicum_hub.authenticator.SiteAuthenticator",
            "spawner_class": f"practicum_hub.spawner.{spawner}",
            "cleanup_servers": False,
            "cleanup_proxy": False,
            "shutdown_on_logout": False,
            "allow_named_servers": False,
            "implicit_spawn_seconds": 0,
            "concurrent_spawn_limit": 0,
            "active_server_limit": 0,
            "last_activity_interval": 30,
            "logging_config": logging_of_hub(reader.choice("PRACTICUM_LOG_FORMAT", FORMATS, default=LINE)),
            "template_paths": [str(PACKAGE / "templates")],
            "template_vars": {"practicum_site_url": f"{site_url}/"},
            "services": [{"name": "practicum", "api_token": reader.secret("PRACTICUM_HUB_API_TOKEN")}, *watchers],
            "load_roles": [
                {"name": "practicum-site", "scopes": SITE_SCOPES, "services": ["practicum"]},
                {"name": "user", "description": "An intern or mentor", "scopes": INTERN_SCOPES},
                # What /hub/metrics tells is for whoever has the metrics token; without one nobody has it.
                {
                    "name": "practicum-watch",
                    "scopes": WATCH_SCOPES,
                    "services": [watcher["name"] for watcher in watchers],
                },
            ],
            # A refused claim answers within this time; a start that goes on answers 202 and is followed by events.
            "tornado_settings": {
                "slow_spawn_timeout": 3,
                "headers": {"Content-Security-Policy": "frame-ancestors 'self'"},
            },
        }
    }


def _proxy(reader: Reader) -> Settings:
    return {
        "ConfigurableHTTPProxy": {
            "should_start": False,
            "api_url": reader.url("PRACTICUM_HUB_PROXY_API_URL"),
            "auth_token": reader.secret("CONFIGPROXY_AUTH_TOKEN"),
        }
    }


def _authenticator(reader: Reader) -> Settings:
    reader.crypt_key("JUPYTERHUB_CRYPT_KEY")
    site_url = reader.url("PRACTICUM_SITE_URL")
    internal_url = reader.url("PRACTICUM_SITE_INTERNAL_URL", default=site_url)
    return {
        "SiteAuthenticator": {
            "login_service": "Practicum",
            "client_id": reader.text("PRACTICUM_OIDC_CLIENT_ID", default="practicum-hub", pattern=r"[\w.-]+"),
            "client_secret": reader.secret("PRACTICUM_OIDC_CLIENT_SECRET"),
            "authorize_url": f"{site_url}/o/authorize/",
            "token_url": f"{internal_url}/o/token/",
            "userdata_url": f"{internal_url}/o/userinfo/",
            "oauth_callback_url": f"{reader.url('PRACTICUM_HUB_URL')}/hub/oauth_callback",
            # The site signs out by POST only: its own page has the button, and that ends the hub's sign-in too.
            "logout_redirect_url": f"{site_url}/account/",
            "scope": ["openid", "profile", "email"],
            "username_claim": "preferred_username",
            "username_pattern": USERNAME_PATTERN,
            "enable_pkce": True,
            "enable_auth_state": True,
            "auto_login": True,
            "allow_all": True,
            "manage_groups": True,
            "auth_state_groups_key": "oauth_user.groups",
            "auth_refresh_age": AUTH_REFRESH_SECONDS,
            "refresh_pre_spawn": False,
        }
    }


def _spawner(reader: Reader, *, engine: str) -> dict[str, Any]:
    api = urlsplit(reader.url("PRACTICUM_HUB_API_URL"))
    host = reader.text(
        "PRACTICUM_HUB_CONNECT_HOST", default=None if engine == "docker" else "127.0.0.1", pattern=r"[\w.:-]+"
    )
    return {
        "hub_connect_url": f"http://{host}:{api.port or 8081}",
        "args": [f"--HubAuth.cache_max_age={TOKEN_CACHE_SECONDS}"],
        "default_url": "/lab",
        "server_token_scopes": SERVER_SCOPES,
        "start_timeout": 180,
        "http_timeout": 90,
        "poll_interval": 10,
        "consecutive_failure_limit": 0,
    }


def _site(reader: Reader) -> dict[str, Any]:
    return {
        "site_url": reader.url("PRACTICUM_SITE_INTERNAL_URL", default=reader.url("PRACTICUM_SITE_URL")),
        "site_token": reader.secret("PRACTICUM_HUB_SITE_TOKEN"),
    }


def _docker_spawner(reader: Reader) -> Settings:
    return {
        "PracticumSpawner": _site(reader)
        | {
            "prefix": reader.text("PRACTICUM_INSTANCE", default="practicum", pattern=r"[a-z0-9][a-z0-9-]*"),
            "network_name": reader.text("PRACTICUM_NETWORK", default="practicum", pattern=r"[\w][\w.-]*"),
            "servers_dir": reader.text("PRACTICUM_HUB_SERVERS_DIR", default="", pattern=r".*"),
            "network_subnet": reader.subnet("PRACTICUM_HUB_NETWORK_SUBNET"),
            "egress_proxy": reader.optional_url("PRACTICUM_EGRESS_PROXY"),
            "cmd": [WORKSPACE_PYTHON, *SINGLEUSER],
            "notebook_dir": "/home/jovyan",
            "use_internal_ip": True,
            "remove": True,
            # The image is built, not pulled; asking for it before each start would be one more round trip.
            "pull_policy": "skip",
        }
    }


def _local_spawner(reader: Reader) -> Settings:
    python = reader.text("PRACTICUM_WORKSPACE_PYTHON")
    data_dir = reader.text("PRACTICUM_HUB_DATA_DIR")
    return {
        "LocalWorkspaceSpawner": _site(reader)
        | {
            "cmd": [python, *SINGLEUSER],
            "home_dir_template": f"{data_dir}/workspaces/{{username}}",
        }
    }

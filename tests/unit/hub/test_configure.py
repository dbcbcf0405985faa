"""The hub's settings are a pure function of the environment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from practicum_hub.configure import PACKAGE, ConfigurationError, configure

GOLDEN = Path(__file__).parent / "golden"
DOCKER = {
    "PRACTICUM_ENGINE": "docker",
    "PRACTICUM_SITE_URL": "https://practicum.example.org",
    "PRACTICUM_SITE_INTERNAL_URL": "http://127.0.0.1:8000",
    "PRACTICUM_HUB_URL": "https://notebooks.example.org",
    "PRACTICUM_HUB_API_URL": "http://127.0.0.1:8081/hub/api",
    "PRACTICUM_HUB_API_TOKEN": "a" * 32,
    "PRACTICUM_HUB_SITE_TOKEN": "b" * 32,
    "PRACTICUM_HUB_BIND": "http://127.0.0.1:8080",
    "PRACTICUM_HUB_CONNECT_HOST": "172.30.0.1",
    "PRACTICUM_HUB_PROXY_API_URL": "http://127.0.0.1:8001",
    "PRACTICUM_HUB_DATA_DIR": "/srv/practicum/hub",
    "PRACTICUM_HUB_NETWORK_SUBNET": "172.30.0.0/20",
    "PRACTICUM_OIDC_CLIENT_SECRET": "c" * 32,
    "CONFIGPROXY_AUTH_TOKEN": "d" * 32,
    "JUPYTERHUB_CRYPT_KEY": "e" * 64,
}
LOCAL = {
    name: value
    for name, value in DOCKER.items()
    if name not in ("PRACTICUM_HUB_CONNECT_HOST", "PRACTICUM_HUB_NETWORK_SUBNET")
} | {"PRACTICUM_ENGINE": "local", "PRACTICUM_WORKSPACE_PYTHON": "/srv/practicum/workspace/bin/python"}


@pytest.mark.parametrize(("engine", "variables"), [("docker", DOCKER), ("local", LOCAL)])
def test_settings_are_the_golden_ones(engine: str, variables: dict[str, str]) -> None:
    settings = json.loads(json.dumps(configure(variables)).replace(str(PACKAGE), "<package>"))
    assert settings == json.loads((GOLDEN / f"{engine}.json").read_text())


REQUIRED = sorted(set(DOCKER) - {"PRACTICUM_ENGINE", "PRACTICUM_SITE_INTERNAL_URL", "PRACTICUM_HUB_NETWORK_SUBNET"})


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_variable_is_refused_by_name(name: str) -> None:
    variables = {key: value for key, value in DOCKER.items() if key != name}
    with pytest.raises(ConfigurationError, match=name):
        configure(variables)


MALFORMED = [
    ("PRACTICUM_ENGINE", "podman"),
    ("PRACTICUM_SITE_URL", "practicum.example.org"),
    ("PRACTICUM_SITE_URL", "http://"),
    ("PRACTICUM_HUB_URL", "ftp://notebooks.example.org"),
    ("PRACTICUM_HUB_API_URL", "http://127.0.0.1:99999999/hub/api"),
    ("PRACTICUM_HUB_API_TOKEN", "short"),
    ("PRACTICUM_HUB_SITE_TOKEN", "short"),
    ("PRACTICUM_HUB_PROXY_API_URL", "127.0.0.1:8001"),
    ("PRACTICUM_HUB_PROXY_API_URL", "http://127.0.0.1:0"),
    ("PRACTICUM_HUB_PROXY_API_URL", "http://127.0.0.1:65536"),
    ("PRACTICUM_HUB_CONNECT_HOST", "http://172.30.0.1"),
    ("PRACTICUM_HUB_NETWORK_SUBNET", "172.30.0.1/20"),
    ("PRACTICUM_HUB_NETWORK_SUBNET", "fd00::/64"),
    ("PRACTICUM_OIDC_CLIENT_ID", "practicum hub"),
    ("PRACTICUM_NETWORK", "-x"),
    ("PRACTICUM_INSTANCE", "Two Words"),
    ("CONFIGPROXY_AUTH_TOKEN", ""),
    ("JUPYTERHUB_CRYPT_KEY", "not hexadecimal"),
    ("JUPYTERHUB_CRYPT_KEY", "e" * 63),
]


@pytest.mark.parametrize(("name", "value"), MALFORMED)
def test_a_malformed_variable_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        configure(DOCKER | {name: value})


def test_all_faults_are_told_at_once_and_no_secret_is_shown() -> None:
    variables = DOCKER | {"PRACTICUM_HUB_API_TOKEN": "planted-secret", "PRACTICUM_HUB_BIND": "nowhere"}
    del variables["PRACTICUM_HUB_DATA_DIR"]
    with pytest.raises(ConfigurationError) as refusal:
        configure(variables)
    told = str(refusal.value)
    assert all(name in told for name in ("PRACTICUM_HUB_API_TOKEN", "PRACTICUM_HUB_BIND", "PRACTICUM_HUB_DATA_DIR"))
    assert "planted-secret" not in told
    assert len(told.splitlines()) == len(set(told.splitlines())) == 4


def test_nothing_is_made_up_for_an_empty_environment() -> None:
    with pytest.raises(ConfigurationError) as refusal:
        configure({})
    assert all(name in str(refusal.value) for name in REQUIRED)


def test_subdomains_give_each_notebook_a_host_of_its_own_and_only_then_cookies_go_to_every_path() -> None:
    apart = configure({**DOCKER, "PRACTICUM_HUB_SUBDOMAINS": "1"})["JupyterHub"]
    together = configure({**DOCKER, "PRACTICUM_HUB_SUBDOMAINS": ""})["JupyterHub"]
    assert (apart["subdomain_host"], apart["cookie_host_prefix_enabled"]) == ("https://notebooks.example.org", True)
    assert (together["subdomain_host"], together["cookie_host_prefix_enabled"]) == ("", False)

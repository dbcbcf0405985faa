"""``deploy/compose.yaml`` and the settings say the same, and the compose file keeps the house's rules."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from practicum.config.env import KNOWN, read
from practicum_hub.configure import configure

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
VARIABLE = re.compile(r"\$\{(\w+)(?::?([?-])([^}]*))?\}")
SITE_SERVICES = ("setup", "web", "worker")


def filled_in() -> dict[str, str]:
    """``env.example`` with every blank filled in as its comments say."""
    lines = [
        line.split("=", 1)
        for line in (DEPLOY / "env.example").read_text().splitlines()
        if "=" in line and line[0] != "#"
    ]
    return {
        name: value or {"DOCKER_GROUP_ID": "999"}.get(name, f"{index:02d}ab" * 16)
        for index, (name, value) in enumerate(lines)
    }


def rendered() -> dict[str, Any]:
    """The compose file as ``docker compose config`` would read it: variables put in, anchors merged."""
    values = filled_in()

    def put_in(match: re.Match[str]) -> str:
        name, kind, rest = match.groups()
        if name in values:
            return values[name]
        assert kind == "-", f"{name} is neither in env.example nor has it a default"
        return str(rest)

    document: dict[str, Any] = yaml.safe_load(VARIABLE.sub(put_in, (DEPLOY / "compose.yaml").read_text()))
    for service in document["services"].values():
        service["environment"] = {name: str(value) for name, value in service.get("environment", {}).items()}
    return document


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """The rendered services."""
    found: dict[str, Any] = rendered()["services"]
    return found


@pytest.mark.parametrize("name", SITE_SERVICES)
def test_the_site_starts_with_the_environment_compose_gives_it(name: str, services: dict[str, Any]) -> None:
    environment = read(services[name]["environment"], root=Path("/"))
    assert environment.is_production
    assert environment.engine == "docker"


def test_the_hub_starts_with_the_environment_compose_gives_it(services: dict[str, Any]) -> None:
    settings = configure(services["hub"]["environment"])
    assert settings["ConfigurableHTTPProxy"]["api_url"] == "http://proxy:8001"
    assert settings["JupyterHub"]["hub_connect_url"] == "http://hub:8081"


def test_every_setting_without_a_safe_default_is_given(services: dict[str, Any]) -> None:
    optional = {
        "PRACTICUM_ALLOWED_HOSTS",
        "PRACTICUM_TIME_ZONE",
        "PRACTICUM_WORKSPACE_PYTHON",
        "PRACTICUM_OIDC_CLIENT_ID",
        "PRACTICUM_OIDC_KEY_FILE",
        "PRACTICUM_ISSUER_KEY_FILE",
    }
    assert KNOWN - optional <= set(services["web"]["environment"])


def test_only_worker_and_hub_have_the_engines_socket(services: dict[str, Any]) -> None:
    holders = {
        name for name, service in services.items() if any("docker.sock" in str(v) for v in service.get("volumes", []))
    }
    assert holders == {"worker", "hub"}


def test_the_web_process_does_not_see_the_hidden_data(services: dict[str, Any]) -> None:
    data_dir = services["web"]["environment"]["PRACTICUM_DATA_DIR"]
    assert f"{data_dir}/hidden" in services["web"]["tmpfs"]
    assert f"{data_dir}/hub:{data_dir}/hub" in services["hub"]["volumes"]
    assert not any(volume.startswith(f"{data_dir}:") for volume in services["hub"]["volumes"])


def test_only_the_tls_proxy_is_reached_from_outside(services: dict[str, Any]) -> None:
    assert {name for name, service in services.items() if "ports" in service} == {"tls"}


@pytest.mark.parametrize("forbidden", ["privileged", "network_mode", "ipc", "userns_mode"])
def test_nothing_runs_with_the_hosts_rights(forbidden: str, services: dict[str, Any]) -> None:
    assert not [name for name, service in services.items() if forbidden in service]


def test_only_the_agent_sees_the_hosts_processes_and_it_has_no_rights_over_them(services: dict[str, Any]) -> None:
    assert {name for name, service in services.items() if "pid" in service} == {"agent"}
    assert services["agent"]["cap_drop"] == ["ALL"]
    assert services["agent"]["security_opt"] == ["no-new-privileges:true"]


def test_the_agent_reads_the_token_that_the_setup_makes_and_nothing_else(services: dict[str, Any]) -> None:
    file = services["agent"]["environment"]["PRACTICUM_AGENT_TOKEN_FILE"]
    assert f"agent_token gpu-1 --file {file}" in services["setup"]["command"]
    folder = file.rsplit("/", 1)[0]
    assert services["agent"]["volumes"] == [f"{folder}:{folder}:ro"]
    assert not [name for name in services["agent"]["environment"] if "SECRET" in name or name.endswith("_TOKEN")]


def test_every_image_names_its_version(services: dict[str, Any]) -> None:
    for name, service in services.items():
        image, _, tag = service["image"].partition(":")
        assert tag, f"{name}: {image} has no tag"
        assert tag != "latest"


def test_every_process_of_ours_is_asked_how_it_is(services: dict[str, Any]) -> None:
    asked = {
        name: service["healthcheck"]["test"][-1]
        for name, service in services.items()
        if "practicum.config.probe" in service.get("healthcheck", {}).get("test", [])
    }
    assert set(asked) == {"web", "worker", "hub", "proxy", "agent"}
    assert asked["web"] == "http://web:8000/health/ready/"
    assert asked["worker"] == services["worker"]["environment"]["PRACTICUM_DATA_DIR"] + "/worker.heartbeat"
    assert asked["agent"] == services["agent"]["environment"]["PRACTICUM_AGENT_LIFE_FILE"]


def test_every_process_of_ours_is_told_how_to_write_its_log(services: dict[str, Any]) -> None:
    told = {name for name, service in services.items() if "PRACTICUM_LOG_FORMAT" in service["environment"]}
    assert told >= {"web", "worker", "hub", "proxy", "agent"}
    assert "--config=python:practicum.config.gunicorn" in services["web"]["command"]
    assert "--import ./hub/proxy_log.mjs" in services["proxy"]["command"]

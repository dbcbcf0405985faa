"""``deploy/compose.yaml`` and the settings say the same, and the compose file keeps the house's rules."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

from practicum.config.env import KNOWN, read
from practicum_hub.configure import configure
from tests.tools import compose_rules
from tests.unit.engine.programs import load

firewall = load("deploy/firewall.py")
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
    said = {"DOCKER_GROUP_ID": "999", "PRACTICUM_HUB_SUBDOMAINS": "1"}
    said |= {name: f"practicum/{name.lower()}:0123456789ab" for name, _ in lines if name.endswith("_IMAGE")}
    return {name: value or said.get(name, f"{index:02d}ab" * 16) for index, (name, value) in enumerate(lines)}


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
    # As Compose merges them where .env names both.
    for name, more in yaml.safe_load((DEPLOY / "compose.gpu.yaml").read_text())["services"].items():
        service = document["services"][name]
        service |= {**more, "environment": {**service["environment"], **more["environment"]}}
    for service in document["services"].values():
        service["environment"] = {
            name: "" if value is None else str(value) for name, value in service.get("environment", {}).items()
        }
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


def test_the_web_process_does_not_see_the_hidden_data(services: dict[str, Any]) -> None:
    data_dir = services["web"]["environment"]["PRACTICUM_DATA_DIR"]
    assert f"{data_dir}/hidden" in services["web"]["tmpfs"]
    assert f"{data_dir}/hub:{data_dir}/hub" in services["hub"]["volumes"]
    assert not any(volume.startswith(f"{data_dir}:") for volume in services["hub"]["volumes"])


def test_the_compose_files_break_no_rule_but_by_name_and_reason(services: dict[str, Any]) -> None:
    assert compose_rules.faults(services) == []
    used = {(rule, name) for name, service in services.items() for rule, _ in compose_rules.breaches(service)}
    assert used == set(compose_rules.EXCEPTIONS), "an exception that nothing needs"


BAD = {
    "privileged": {"privileged": True},
    "network": {"network_mode": "host"},
    "pid": {"pid": "host"},
    "ipc": {"ipc": "host"},
    "userns": {"userns_mode": "host"},
    "uts": {"uts": "host"},
    "devices": {"devices": ["/dev/kmsg"]},
    "security_opt": {"security_opt": ["seccomp:unconfined"]},
    "cap_add": {"cap_add": ["SYS_ADMIN"]},
    "never published": {"ports": ["127.0.0.1:5432:5432"]},
    "published": {"ports": ["9000:9000"]},
    "socket": {"volumes": ["/var/run/docker.sock:/var/run/docker.sock:ro"]},
    "host folder": {"volumes": ["/:/host:ro"]},
    "image": {"image": "practicum/site:latest"},
}


@pytest.mark.parametrize("rule", BAD)
@pytest.mark.parametrize("form", ["short", "long"])
def test_each_rule_finds_its_breach(rule: str, form: str) -> None:
    service = {"image": "practicum/site:1", **BAD[rule]}
    if form == "long":
        service |= {"ports": [{"target": p.rpartition(":")[2]} for p in service.get("ports", [])]}
        service |= {"volumes": [{"source": v.split(":")[0]} for v in service.get("volumes", [])]}
    assert [fault.split(":")[0] for fault in compose_rules.faults({"web": service})] == [rule]


@pytest.mark.parametrize("image", ["postgres", "registry:5000/postgres", "postgres:latest"])
def test_an_image_without_a_version_is_found(image: str) -> None:
    assert compose_rules.faults({"web": {"image": image}})


@pytest.mark.parametrize("image", ["postgres:17.6", "postgres@sha256:" + "a" * 64, "registry:5000/postgres:17.6"])
def test_an_image_with_a_version_or_a_digest_is_not(image: str) -> None:
    assert compose_rules.faults({"web": {"image": image}}) == []


def test_every_service_drops_the_rights_it_does_not_need(services: dict[str, Any]) -> None:
    for name, service in services.items():
        if name == "database":  # it gives its folder to its own user at the first start
            continue
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name


def test_compose_1_29_and_2_read_it(services: dict[str, Any]) -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    assert not re.search(r"^name:", text, re.MULTILINE), "1.29 knows the project's name from COMPOSE_PROJECT_NAME alone"
    assert not re.search(r"\$\{\w+:?[-?][^}]*\$\{", text), "1.29 puts in no variable inside another"
    assert filled_in()["COMPOSE_PROJECT_NAME"] == "practicum"


def test_only_the_agent_sees_the_hosts_processes_and_it_has_no_rights_over_them(services: dict[str, Any]) -> None:
    assert {name for name, service in services.items() if "pid" in service} == {"agent"}
    assert services["agent"]["cap_drop"] == ["ALL"]
    assert services["agent"]["security_opt"] == ["no-new-privileges:true"]


def test_the_agent_reads_the_token_that_the_setup_makes_and_nothing_else(services: dict[str, Any]) -> None:
    file = services["agent"]["environment"]["PRACTICUM_AGENT_TOKEN_FILE"]
    assert services["setup"]["command"] == f"python manage.py setup --agent gpu-1 {file} --static"
    folder = file.rsplit("/", 1)[0]
    assert services["agent"]["volumes"] == [f"{folder}:{folder}:ro"]
    assert not [name for name in services["agent"]["environment"] if "SECRET" in name or name.endswith("_TOKEN")]


def test_notebooks_have_no_way_out_and_services_stand_where_the_rules_expect_them(services: dict[str, Any]) -> None:
    networks = rendered()["networks"]
    notebooks, beyond = networks["notebooks"], networks["beyond"]
    plan = firewall.plan_of(firewall.arguments(["show", "--env", str(DEPLOY / "env.example")]))
    assert notebooks["internal"] is True
    bridges = [network["driver_opts"]["com.docker.network.bridge.name"] for network in (notebooks, beyond)]
    assert bridges == [plan.bridge, plan.outside]
    places = {
        name: service["networks"]["notebooks"]["ipv4_address"]
        for name, service in services.items()
        if "notebooks" in service.get("networks", [])
    }
    assert set(places) == {"web", "hub", "proxy", "egress"}
    assert dict(plan.doors) == {places["web"]: 8000, places["hub"]: 8081, places["egress"]: 3128}
    assert set(plan.services) == {places["hub"], places["proxy"]}
    (config,) = notebooks["ipam"]["config"]
    given = ip_network(config["ip_range"])
    assert given.subnet_of(ip_network(config["subnet"]))  # type: ignore[arg-type]
    assert not [place for place in [*places.values(), config["gateway"]] if ip_address(place) in given]


def test_the_egress_proxy_has_no_way_to_the_services_inside(services: dict[str, Any]) -> None:
    egress = services["egress"]
    assert set(egress["networks"]) == {"beyond", "notebooks"}
    assert egress["read_only"] is True
    assert egress["cap_drop"] == ["ALL"]
    assert rendered()["networks"]["beyond"]["name"] == services["worker"]["environment"]["PRACTICUM_FETCH_NETWORK"]
    assert {name for name, service in services.items() if "beyond" in service.get("networks", [])} == {"egress"}
    assert not [name for name in egress["environment"] if "SECRET" in name or "TOKEN" in name or "PASSWORD" in name]


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

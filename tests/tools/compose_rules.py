"""What no service of ``deploy/compose*.yaml`` may have, as a lint (SECURITY.md, J7): exceptions are named with their reason."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

ENGINE = re.compile(r"docker\.sock|containerd\.sock|/run/docker\b")
# The database, an engine without and with TLS, the proxy's own interface, and the hub's and site's plain ports.
NEVER_PUBLISHED = {"5432", "2375", "2376", "8001", "8000", "8080", "8081"}
HOST_FOLDERS = re.compile(r"^/(proc|sys|dev|etc|root|boot|var/lib/docker|run|var/run)?/?$")
CAPABILITIES = {"NET_BIND_SERVICE"}
# (rule, service): why it is as it is.
EXCEPTIONS = {
    ("socket", "worker"): "starts evaluations and repairs what is left behind",
    ("socket", "hub"): "starts notebooks",
    ("pid", "agent"): "NVML names processes by the host's numbers; it has no capability over any of them",
    ("published", "tls"): "is what people reach",
}


def faults(services: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Each breach that is no exception, as ``rule: service: what``."""
    found = ((rule, name, what) for name, service in services.items() for rule, what in breaches(service))
    return [f"{rule}: {name}: {what}" for rule, name, what in found if (rule, name) not in EXCEPTIONS]


def breaches(service: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every rule this service breaks, with what breaks it."""
    if service.get("privileged"):
        yield "privileged", "true"
    for key, rule in (
        ("network_mode", "network"),
        ("pid", "pid"),
        ("ipc", "ipc"),
        ("userns_mode", "userns"),
        ("uts", "uts"),
    ):
        if str(service.get(key, "")).startswith(("host", "container:")):
            yield rule, str(service[key])
    if service.get("devices"):
        yield "devices", str(service["devices"])
    for option in service.get("security_opt", []):
        if option.endswith(("unconfined", "label:disable")):
            yield "security_opt", option
    for capability in service.get("cap_add", []):
        if capability not in CAPABILITIES:
            yield "cap_add", capability
    yield from _ports(service)
    yield from _image(str(service.get("image", "")))
    for volume in service.get("volumes", []):
        source = volume["source"] if isinstance(volume, Mapping) else str(volume).split(":")[0]
        if ENGINE.search(source):
            yield "socket", source
        elif HOST_FOLDERS.match(source):
            yield "host folder", source


def _ports(service: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for port in service.get("ports", []):
        inner = str(port["target"]) if isinstance(port, Mapping) else str(port).split("/")[0].rpartition(":")[2]
        yield ("never published" if inner in NEVER_PUBLISHED else "published"), str(port)


def _image(image: str) -> Iterator[tuple[str, str]]:
    name, _, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    if tag == "latest" or not (tag or digest):
        yield "image", f"{image!r} says no version"

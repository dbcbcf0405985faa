"""Whether this machine can run a site: each look is a :class:`Finding`, and none changes anything."""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import List, Mapping, Optional, Sequence, Tuple

from operations.stack import compose_command, listens_at
from operations.telling import Stop

ENGINE_WORKS, ENGINE_FLOOR = (20, 10), (29, 7)
TOOLKIT_FLOOR = (1, 17, 8)
NEEDED_GB = {"the images": 30, "the site's files": 20}
# The notebooks' network is the first 4,096 addresses of one of these.
PREFIXES = ("172.30", "172.29", "172.28", "10.213", "10.73", "192.168")
OK, LOOK, MEND = "ok", "look", "mend"
SUBDOMAIN_WARNING = """\
  Without a name of their own, all notebooks share the hub's. A page that one person's notebook server sends can then
  act at the hub as whoever opens it, and JupyterHub advises against that where people don't trust one another: give
  each their own subdomain (a wildcard record *.{hub} and a wildcard certificate) before mentors open interns' notebooks."""


@dataclass(frozen=True)
class Finding:
    """One look: ``mend`` says what to type where ``state`` is not ok."""

    name: str
    state: str
    said: str
    mend: str = ""


def numbers(text: str) -> Tuple[int, ...]:
    """``29.7.1-rc1`` is (29, 7, 1)."""
    found = re.search(r"\d+(\.\d+)*", text)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def output_of(command: Sequence[str]) -> Optional[str]:
    """What a program prints; None if it is missing, fails or takes too long."""
    try:
        done = subprocess.run(list(command), capture_output=True, text=True, timeout=60, check=False)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def has_gpu() -> bool:
    """The driver lists a GPU."""
    return "GPU " in (output_of(["nvidia-smi", "-L"]) or "")


def looks(settings: Mapping[str, str], *, is_running: bool) -> List[Finding]:
    """Everything that is looked at; ports are not where the site itself ``is_running`` on them."""
    found = [rights(), engine(), compose(), firewall(settings), *gpus(settings)]
    found += [] if is_running else [*ports(settings)]
    return [*found, *disks(settings), *names(settings), *certificate(settings)]


def rights() -> Finding:
    """Folders are made for the site's own user."""
    if os.geteuid() == 0:
        return Finding("rights", OK, "root")
    return Finding("rights", MEND, "only root can make the site's folders", "sudo deploy/install")


def engine() -> Finding:
    """A container engine answers, and is new enough."""
    version = output_of(["docker", "version", "--format", "{{.Server.Version}}"])
    if version is None:
        said = "no container engine answers" if shutil.which("docker") else "Docker is not installed"
        return Finding("engine", MEND, said, "systemctl start docker   (to install it: docs.docker.com/engine/install)")
    if numbers(version) < ENGINE_WORKS:
        return Finding("engine", MEND, f"Docker {version} is too old", "Install Docker Engine 29.7 or newer.")
    if numbers(version) < ENGINE_FLOOR:
        return Finding(
            "engine", LOOK, f"Docker {version} works; faults in it were mended by 29.7", "Install a newer one."
        )
    return Finding("engine", OK, f"Docker {version}")


def compose() -> Finding:
    """Compose is there."""
    try:
        return Finding("compose", OK, " ".join(compose_command()))
    except Stop as stop:
        return Finding("compose", MEND, "missing or too old", str(stop))


def networks_here() -> List[ipaddress.IPv4Network]:
    """Of the engine's networks and of this machine's routes."""
    ids = (output_of(["docker", "network", "ls", "-q"]) or "").split()
    subnets = ["docker", "network", "inspect", "--format", "{{range .IPAM.Config}}{{.Subnet}} {{end}}", *ids]
    words = (output_of(subnets) or "").split() if ids else []
    words += [line.split()[0] for line in (output_of(["ip", "-4", "-o", "route"]) or "").splitlines() if line.strip()]
    return [ipaddress.IPv4Network(word) for word in words if re.match(r"^\d+\.\d+\.\d+\.\d+(/\d+)?$", word)]


def free_prefix(taken: Sequence[ipaddress.IPv4Network]) -> str:
    """Where the notebooks' network begins: the first place that meets none of these.

    Raises:
        Stop: each is taken.
    """
    for prefix in PREFIXES:
        if not any(ipaddress.IPv4Network(f"{prefix}.0.0/20").overlaps(network) for network in taken):
            return prefix
    raise Stop(
        f"All of {', '.join(f'{prefix}.0.0/20' for prefix in PREFIXES)} are in use here. "
        "Write a free one to deploy/.env, such as NOTEBOOK_PREFIX=10.99, and run this again."
    )


def firewall(settings: Mapping[str, str]) -> Finding:
    """The rules that keep notebooks to their doors can be loaded."""
    if settings.get("NOTEBOOK_FIREWALL") == "no":
        mend = "Run this again with --firewall yes, unless another firewall keeps them (docs/operator/networks.md)."
        return Finding("firewall", LOOK, "none is installed: notebooks reach this server's own services", mend)
    if shutil.which("nft"):
        return Finding("firewall", OK, "nft is there")
    return Finding("firewall", MEND, "nft is missing", "apt-get install nftables")


def gpus(settings: Mapping[str, str]) -> List[Finding]:
    """Where there is a GPU, containers can have it."""
    if "compose.gpu.yaml" not in settings.get("COMPOSE_FILE", ""):
        return [
            Finding("GPU", LOOK, "none is used: notebooks get slots without one", "Run this again with --gpus yes.")
        ]
    found = []
    if not has_gpu():
        found.append(
            Finding("GPU", MEND, "the driver lists none", "nvidia-smi   (does it work? Install NVIDIA's driver.)")
        )
    toolkit = output_of(["nvidia-ctk", "--version"])
    if toolkit is None:
        mend = "apt-get install nvidia-container-toolkit && nvidia-ctk runtime configure --runtime=docker"
        mend += " && systemctl restart docker"
        found.append(Finding("NVIDIA toolkit", MEND, "not installed", mend))
    elif numbers(toolkit) < TOOLKIT_FLOOR:
        found.append(
            Finding(
                "NVIDIA toolkit", MEND, f"{toolkit.splitlines()[0]} has published faults", "Install 1.17.8 or newer."
            )
        )
    return found or [Finding("GPU", OK, "the driver and NVIDIA's toolkit are there")]


def ports(settings: Mapping[str, str]) -> List[Finding]:
    """The two ports are free."""
    found = []
    for name, default in (("HTTP_LISTEN", "80"), ("HTTPS_LISTEN", "443")):
        address, port = listens_at(settings, name, default=default)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
                found.append(Finding(f"port {port}", OK, "free"))
            except OSError as fault:
                option = f"--{name.lower().replace('_', '-')}"
                mend = f"ss -ltnp 'sport = :{port}'   (stop what listens there, or give another with {option})"
                found.append(Finding(f"port {port}", MEND, f"can't be taken: {fault.strerror}", mend))
    return found


def disks(settings: Mapping[str, str]) -> List[Finding]:
    """There is room for images and files."""
    places = {
        "the images": output_of(["docker", "info", "--format", "{{.DockerRootDir}}"]) or "/",
        "the site's files": settings.get("DATA_DIR", "/"),
    }
    found = []
    for what, place in places.items():
        path = Path(place)
        while not path.exists():
            path = path.parent
        free, needed = shutil.disk_usage(path).free / 1e9, NEEDED_GB[what]
        state = OK if free >= needed else MEND
        found.append(
            Finding(
                f"disk for {what}",
                state,
                f"{free:.0f} GB free at {path}",
                f"Make {needed} GB free, or use another disk.",
            )
        )
    return found


def address_of(name: str) -> str:
    """Where a name leads; empty if nowhere."""
    try:
        return str(socket.getaddrinfo(name, 443, type=socket.SOCK_STREAM)[0][4][0])
    except OSError:
        return ""


def names(settings: Mapping[str, str]) -> List[Finding]:
    """The names of site and hub lead somewhere, and with subdomains any below the hub's."""
    # Without a public authority the names may be known to a lab's browsers alone.
    unknown = MEND if settings.get("TLS_MODE") == "acme" else LOOK
    hub = settings["HUB_HOST"]
    wanted = [(settings["SITE_HOST"], settings["SITE_HOST"]), (hub, hub)]
    if settings.get("PRACTICUM_HUB_SUBDOMAINS"):
        wanted.append((f"*.{hub}", f"any-{secrets.token_hex(4)}.{hub}"))
    found = []
    for shown, name in wanted:
        address = address_of(name)
        said = f"leads to {address}" if address else "is not known to this machine's name service"
        mend = f"Add a record for {shown} that leads to this server."
        found.append(Finding(f"name {shown}", OK if address else unknown, said, mend))
    return found


def certificate(settings: Mapping[str, str]) -> List[Finding]:
    """The way to certificates goes with the names that need one."""
    if settings.get("TLS_MODE") == "acme" and settings.get("PRACTICUM_HUB_SUBDOMAINS"):
        mend = "Give a wildcard certificate (--tls files --certificate FILE --key FILE), or leave subdomains out."
        return [
            Finding("certificate", MEND, "a public authority gives no wildcard certificate by way of port 80", mend)
        ]
    return []


def told(findings: Sequence[Finding]) -> str:
    """As the operator reads it."""
    lines = []
    for each in findings:
        lines.append(f"  {each.state:<5} {each.name}: {each.said}")
        if each.state != OK:
            lines.append(f"        → {each.mend}")
    return "\n".join(lines)

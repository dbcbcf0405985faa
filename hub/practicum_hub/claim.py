"""What the site grants for one session, and what that means to the container engine. Pure.

A *claim* is the site's answer to "may this person's notebook start?": a session, the lease that pays for it with its
fencing token, and exactly what the container gets. A GPU is always named by its UUID, never by a number or a count:
two containers that ask for one GPU by count get the same one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from docker.types import DeviceRequest, DriverConfig

HOME = "/home/jovyan"
PROJECT = "/opt/project"
USER = "1000:1000"
LABEL = "org.practicum"
# A volume outlives its sessions: it is labelled with what holds for all of them.
LASTING_LABELS = (f"{LABEL}.managed", f"{LABEL}.instance", f"{LABEL}.kind")
# From a network kept for documentation: nothing answers there. An engine that asks for names on a notebook's behalf would
# otherwise ask the machine's own server, and a name that is asked for can say anything.
NO_NAMES = ["192.0.2.53"]
# The site's own services have Docker's 1024, an evaluation 128 (platform/practicum/engine/template.py): of processors that are
# short, two hundred busy notebooks leave the pages what they need.
CPU_SHARES = 64
LOG_CONFIG = {"type": "json-file", "config": {"max-size": "5m", "max-file": "2"}}


@dataclass(frozen=True)
class Claim:
    """One granted session. ``gpu`` is None on a CPU slot; sizes are in bytes; ``server``: where it is to start.

    ``volume_driver``: of the person's volume, with its options; empty for the engine's own.
    """

    session: str
    token: int
    gpu: str | None
    image: str
    volume: str
    mounts: tuple[Mapping[str, Any], ...]
    environment: Mapping[str, str]
    cpus: float
    memory_bytes: int
    pids: int
    shm_bytes: int
    labels: Mapping[str, str]
    project_dir: str
    server: str = ""
    volume_driver: str = ""
    volume_options: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, answer: Any, /) -> Claim:
        """Read the site's answer.

        Raises:
            ValueError: it isn't what the contract says.
        """
        try:
            slot, limits = answer["slot"], answer["limits"]
            if (slot["kind"] == "gpu") != bool(slot["uuid"]) or str(slot["uuid"]) == "all":
                raise ValueError("a GPU slot must name its GPU by UUID, and a CPU slot none")
            return cls(
                session=str(answer["session"]),
                token=int(answer["lease"]["token"]),
                gpu=slot["uuid"] or None,
                image=answer["image"],
                volume=answer["volume"],
                mounts=tuple(answer["mounts"]),
                environment={str(k): str(v) for k, v in answer["environment"].items()},
                cpus=float(limits["cpus"]),
                memory_bytes=int(limits["memory_bytes"]),
                pids=int(limits["pids"]),
                shm_bytes=int(limits["shm_bytes"]),
                labels={str(k): str(v) for k, v in answer["labels"].items()},
                project_dir=str(answer["project_dir"]),
                server=str(answer.get("server", "")),
                volume_driver=str(answer.get("volume_driver", "")),
                volume_options={str(k): str(v) for k, v in answer.get("volume_options", {}).items()},
            )
        except (KeyError, TypeError, AttributeError) as fault:
            raise ValueError(f"the site's claim lacks {fault}") from fault


def host_config(claim: Claim) -> dict[str, Any]:
    """Engine settings beyond DockerSpawner's own: no capabilities, no new privileges, the leased GPU and no other."""
    config: dict[str, Any] = {
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "init": True,
        "ipc_mode": "private",
        "cpu_shares": CPU_SHARES,
        "pids_limit": claim.pids,
        "shm_size": claim.shm_bytes,
        "memswap_limit": claim.memory_bytes,
        "ulimits": [{"name": "core", "soft": 0, "hard": 0}],
        "log_config": LOG_CONFIG,
    }
    if claim.gpu:
        capabilities = [["gpu", "compute", "utility"]]
        config["device_requests"] = [DeviceRequest(driver="nvidia", device_ids=[claim.gpu], capabilities=capabilities)]
    return config


def way_out(proxy: str, *, near: Iterable[str]) -> dict[str, str]:
    """The variables by which pip, conda, npm, git and most programs find the egress proxy; ``near``: urls they call without."""
    hosts = {"localhost", "127.0.0.1", "::1"} | {host for url in near if (host := urlsplit(url).hostname)}
    values = {"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy, "NO_PROXY": ",".join(sorted(hosts))}
    return values | {name.lower(): value for name, value in values.items()}


def create_kwargs(claim: Claim) -> dict[str, Any]:
    """Who the container runs as, and the labels by which the site's reconciler knows it."""
    return {"user": USER, "labels": dict(claim.labels), "working_dir": HOME}


def mounts(claim: Claim, *, is_elsewhere: bool = False) -> list[dict[str, Any]]:
    """The person's volume, the site's mounts, and the project's starter files (read-only).

    ``is_elsewhere``: on another server than the site's, where the site has put copies of the folders into volumes.

    Raises:
        ValueError: a folder of the site's is to be mounted on another server, and the claim names no copy of it.
    """
    lasting = {name: claim.labels[name] for name in LASTING_LABELS if name in claim.labels}
    home: dict[str, Any] = {"type": "volume", "source": claim.volume, "target": HOME, "labels": lasting}
    if claim.volume_driver:
        options = {name: value.replace("{volume}", claim.volume) for name, value in claim.volume_options.items()}
        home["driver_config"] = DriverConfig(claim.volume_driver, options)
    asked = list(claim.mounts)
    if all(mount["target"] != PROJECT for mount in asked):
        asked.append({"source": claim.project_dir, "target": PROJECT})
    return [home, *(_mount(mount, is_elsewhere=is_elsewhere) for mount in asked)]


def _mount(mount: Mapping[str, Any], *, is_elsewhere: bool) -> dict[str, Any]:
    read_only = bool(mount.get("read_only", True))
    if not is_elsewhere:
        return {"type": "bind", "source": mount["source"], "target": mount["target"], "read_only": read_only}
    if not mount.get("volume"):
        raise ValueError(f"nothing was copied for {mount['target']}")
    return {"type": "volume", "source": mount["volume"], "target": mount["target"], "read_only": True, "no_copy": True}


def environment(claim: Claim) -> dict[str, str]:
    """The site's variables. The NVIDIA one is ours alone: an image or a claim can't ask for more GPUs with it."""
    return {**claim.environment, "NVIDIA_VISIBLE_DEVICES": claim.gpu or "void"}


def starting_page(claim: Claim) -> str:
    """JupyterLab opened at the project's folder."""
    slug = claim.environment.get("PRACTICUM_PROJECT", "")
    return f"/lab/tree/{slug}" if slug else "/lab"

"""What a look found, and the versions below which faults that matter are known. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

# What is below has published faults that are mended in these.
PACKAGES = {
    "django": "5.2.19",
    "jupyterhub": "6.1.1",
    "dockerspawner": "14",
    "nbconvert": "7.17.1",
    "django-oauth-toolkit": "3.4.1",
    "oauthenticator": "17",
}
PYTHON = "3.11"
POSTGRESQL = "14"
DOCKER = "29.7"
TOOLKIT = "1.17.8"
# CUDA 12.x of the workspace's image runs from here on: https://docs.nvidia.com/deploy/cuda-compatibility/
NVIDIA_DRIVER = "525"


# Knows which Compose the machine has, and what the site calls its parts (deploy/.env).
PRACTICUM = "deploy/practicum"


class State(StrEnum):
    """How a thing is. ``LOOK``: it works, and somebody should know; ``UNSEEN``: it can't be seen from here."""

    OK = "ok"
    LOOK = "look"
    MEND = "mend"
    UNSEEN = "unseen"


@dataclass(frozen=True)
class Finding:
    """One line: ``said`` is what was found, ``mend`` the command or the change that makes it well."""

    name: str
    state: State
    said: str
    mend: str = ""


def ok(name: str, said: str) -> Finding:
    """It is well."""
    return Finding(name, State.OK, said)


def to_mend(name: str, said: str, mend: str) -> Finding:
    """It is not, and this mends it."""
    return Finding(name, State.MEND, said, mend)


def numbers(version: str) -> tuple[int, ...]:
    """The numbers a version begins with: ``20.10.24+dfsg1`` is (20, 10, 24); () where it begins with none."""
    found = re.match(r"v?(\d+(?:\.\d+)*)", version.strip())
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def is_below(version: str, floor: str) -> bool:
    """The version is older than the floor, or says nothing."""
    return numbers(version) < numbers(floor)


def of_version(name: str, version: str, *, floor: str, mend: str) -> Finding:
    """A version against its floor."""
    if is_below(version, floor):
        return to_mend(name, f"{version or 'no version'}; {floor} or newer is needed", mend)
    return ok(name, version)


def as_lines(findings: Iterable[Finding]) -> list[str]:
    """A line each, what mends it on a line of its own below."""
    lines = []
    for each in findings:
        lines.append(f"  {each.state:6} {each.name}: {each.said}")
        lines += [f"         → {line}" for line in each.mend.splitlines()]
    return lines


def as_json(findings: Iterable[Finding]) -> dict[str, Any]:
    """``well`` and all findings, for programs."""
    rows = [asdict(each) for each in findings]
    return {"well": all(row["state"] != State.MEND for row in rows), "findings": rows}

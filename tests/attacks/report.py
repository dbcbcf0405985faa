"""The table of attacks: of each group how many were tried, contained, and succeeded in the weak control."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

PROPERTY = "attack"
JSON_VARIABLE = "ATTACKS_JSON"
BEGIN, END = "<!-- begin: written by python -m tests.attacks --page -->", "<!-- end -->"


@dataclass
class Result:
    """One attack. ``None``: it was not tried there."""

    group: str
    kind: str
    name: str
    row: str
    title: str
    weak: str
    control: bool | None = None
    real: bool | None = None
    seconds: float = 0.0

    @property
    def is_proven(self) -> bool:
        """It was held, and would not have been without what holds it."""
        return self.control is True and self.real is False

    def as_dict(self) -> dict[str, object]:
        """For a test's report, which goes from process to process."""
        return asdict(self)


LINES: list[Result] = []


def table(lines: Sequence[Result]) -> list[str]:
    """Each attack's line, then each group's."""
    ordered = sorted(lines, key=lambda line: (line.group, line.kind, line.name))
    words = {True: "succeeded", False: "held", None: "not tried"}
    shown = [f"{'attack':34} {'row':4} {'real':10} {'weak control':13} what the control lacks"]
    shown += [
        f"{line.name[:34]:34} {line.row:4} {words[line.real]:10} {words[line.control]:13} {line.weak}"
        for line in ordered
    ]
    shown += ["", f"{'group':12} {'tried':>6} {'contained':>10} {'succeeded in the weak control':>30} {'seconds':>8}"]
    for group in sorted({line.group for line in ordered}):
        some = [line for line in ordered if line.group == group]
        shown.append(
            f"{group:12} {len(some):6} {sum(line.real is False for line in some):10} "
            f"{sum(line.control is True for line in some):30} {sum(line.seconds for line in some):8.0f}"
        )
    return shown


def write_json(lines: Sequence[Result]) -> None:
    """To the file that the environment names, if it names one."""
    if place := os.environ.get(JSON_VARIABLE):
        facts = {
            "at": datetime.now(tz=UTC).isoformat(timespec="seconds"),
            "versions": versions(),
            "attacks": [line.as_dict() for line in lines],
        }
        Path(place).write_text(json.dumps(facts, indent=1) + "\n")


def versions() -> dict[str, str]:
    """Of what the attacks were tried on."""
    return {
        "kernel": platform.release(),
        "docker": _said("docker", "version", "--format", "{{.Server.Version}}"),
        "chromium": _said("chromium", "--version"),
        "nbconvert": version("nbconvert"),
        "nh3": version("nh3"),
    }


def _said(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "not there"


def markdown(facts: dict[str, object]) -> str:
    """What a run found, for the page: the counts with date and versions, then each attack on the container."""
    lines = [Result(**facts) for facts in facts["attacks"]]  # type: ignore[attr-defined]
    on = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())  # type: ignore[attr-defined]
    shown = [
        f"Tried on {str(facts['at'])[:10]}: {on}.",
        "",
        "| group | tried | contained | succeeded in the weak control |",
    ]
    shown.append("|---|---|---|---|")
    for group, title in (("container", "Containers"), ("archives", "Archives"), ("notebooks", "Notebooks")):
        some = [line for line in lines if line.group == group]
        held, fired = sum(line.real is False for line in some), sum(line.control is True for line in some)
        shown.append(f"| {title} | {len(some)} | {held} | {fired} |")
    for group, title in (("container", "what the weak control lacks"), ("archives", "the unpacker that falls for it")):
        shown += ["", f"| {group} | row | what it does | {title} |", "|---|---|---|---|"]
        some = sorted((line for line in lines if line.group == group), key=lambda line: (line.kind, line.name))
        shown += [f"| `{line.name}` | {line.row} | {line.title} | {line.weak} |" for line in some]
    names = ", ".join(f"`{line.name}`" for line in lines if line.group == "notebooks")
    return "\n".join([*shown, "", f"Notebooks, all of row D1: {names}."])


def write_page(page: Path, *, found: Path) -> None:
    """Renew the part of the page between its two marks."""
    head, _, rest = page.read_text().partition(BEGIN)
    _, _, tail = rest.partition(END)
    page.write_text(f"{head}{BEGIN}\n{markdown(json.loads(found.read_text()))}\n{END}{tail}")

#!/usr/bin/env python3
"""The rules of ``firewall.py`` inside an overlay network: ``once``, ``follow``, ``install``, ``remove``.

Run it on every server of a swarm that runs notebooks, as root. Standard library only; it needs nft, nsenter and docker. What
containers on an overlay say to one another is bridged in a network namespace of the engine's, which is there as long as a
container of this server is on it; the server's own rules see nothing of that. ``follow`` looks every two seconds, and loads
the table where it is missing or was changed; ``install`` makes a systemd unit that does so from boot on. The network must be
``--internal``: its containers are given a way out past the rules otherwise.

Exit codes: 0 done; 2 it can't be done here.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import firewall

SECONDS = 2.0
NAMESPACES = Path("/var/run/docker/netns")
# The engine names the bridge of an overlay itself, and the namespace after the network's id.
BRIDGE, ID_LENGTH = "br0", 10


class NotOverlay(firewall.CanNot):
    """The network is another kind, or would let containers past the rules."""


def namespace_of(network: str, *, folder: Path) -> Path | None:
    """Where the network's bridge is on this server; None while no container of this server is on it.

    A server that does not lead the swarm does not even know the network then.

    Raises:
        NotOverlay: the rules would not hold there.
    """
    try:
        (facts,) = json.loads(firewall.call("docker", "network", "inspect", network))
    except firewall.CanNot as fault:
        if any(words in str(fault).lower() for words in ("not found", "no such network")):
            return None
        raise
    if facts["Driver"] != "overlay":
        raise NotOverlay(f"{network} is no overlay: its rules are those of deploy/firewall.py.")
    if not facts["Internal"]:
        raise NotOverlay(
            f"{network} is not internal: its containers have a way out past any rule. Make it anew with --internal."
        )
    found = [path for path in folder.glob("*-*") if facts["Id"].startswith(path.name.partition("-")[2][:ID_LENGTH])]
    # The engine leaves the file of a namespace that is gone for a while; then nothing is mounted on it. It counts those that
    # it makes while it knows the network: the latest is the one in use.
    latest = {
        int(path.name.partition("-")[0]): path for path in found if path.name[:1].isdigit() and os.path.ismount(path)
    }
    return latest[max(latest)] if latest else None


def load(plan: firewall.Plan, namespace: Path) -> bool:
    """The rules hold in the namespace; whether they had to be loaded."""
    within = ["nsenter", f"--net={namespace}"]
    text = firewall.rules(plan)
    try:
        is_on = firewall.call(*within, "sysctl", "-n", *firewall.SWITCHES).split() == ["1"] * len(firewall.SWITCHES)
        if is_on and firewall.listed(plan.table, within=within) == firewall.wanted(text, table=plan.table):
            return False
    except firewall.CanNot:
        pass  # there is none yet
    firewall.call(*within, "sysctl", "-q", *(f"{name}=1" for name in firewall.SWITCHES))
    firewall.call(*within, "nft", "-f", "-", stdin=text)
    return True


def once(plan: firewall.Plan, network: str, *, folder: Path) -> str:
    """One look; what to say of it."""
    none_yet = f"No container of this server is on {network} yet."
    namespace = namespace_of(network, folder=folder)
    if namespace is None:
        return none_yet
    try:
        is_new = load(plan, namespace)
    except firewall.CanNot:
        if os.path.ismount(namespace):
            raise
        return none_yet  # the last container left it meanwhile
    return f"The rules {'were loaded' if is_new else 'hold'} in {network}."


def follow(plan: firewall.Plan, network: str, *, folder: Path) -> None:
    """Look again and again; say what changes. An engine that is away for a while is waited for."""
    said = ""
    while True:
        try:
            now = once(plan, network, folder=folder)
        except NotOverlay:
            raise
        except firewall.CanNot as fault:
            now = str(fault)
        if now != said and not (now.startswith("The rules hold") and said.startswith("The rules were")):
            print(now, flush=True)
        said = now
        time.sleep(SECONDS)


def unit(arguments: Sequence[str]) -> str:
    """A systemd unit that follows."""
    command = " ".join(f'"{word}"' for word in [sys.executable, str(Path(__file__).resolve()), "follow", *arguments])
    return f"""[Unit]
Description=What Practicum's notebooks may reach on the overlay network
After=docker.service
PartOf=docker.service

[Service]
ExecStart={command}
Restart=always
RestartSec=2

[Install]
WantedBy=multi-user.target docker.service
"""


def install(arguments: Sequence[str]) -> str:
    """The unit runs, now and after every boot."""
    if not Path("/run/systemd/system").is_dir():
        raise firewall.CanNot("This machine has no systemd: see to it that `follow` runs whenever the engine does.")
    (firewall.UNITS / UNIT).write_text(unit(arguments))
    firewall.call("systemctl", "daemon-reload")
    firewall.call("systemctl", "enable", "--quiet", "--now", UNIT)
    return f"{UNIT} keeps the rules."


UNIT = "practicum-firewall-overlay.service"


def remove(plan: firewall.Plan, network: str, *, folder: Path) -> str:
    """Nothing of ours is left."""
    if (firewall.UNITS / UNIT).is_file():
        firewall.call("systemctl", "disable", "--quiet", "--now", UNIT)
        (firewall.UNITS / UNIT).unlink()
    if (namespace := namespace_of(network, folder=folder)) is not None:
        nothing = f"table inet {plan.table}\ndelete table inet {plan.table}\n"
        firewall.call("nsenter", f"--net={namespace}", "nft", "-f", "-", stdin=nothing)
    return f"The rules are gone from {network}."


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says; returns the exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("verb", choices=["once", "follow", "install", "remove"])
    parser.add_argument("--network", default="practicum-notebooks", help="the overlay (default: %(default)s)")
    parser.add_argument("--namespaces", type=Path, default=NAMESPACES, help=argparse.SUPPRESS)
    options, rest = parser.parse_known_args(given)
    os.environ["PATH"] = f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/sbin{os.pathsep}/sbin"
    try:
        plan = firewall.plan_of(firewall.arguments(["show", *rest, "--bridge", BRIDGE, "--outside="]))
        if os.geteuid():
            raise firewall.CanNot("Rules of the kernel are root's: run it with sudo.")
        if options.verb == "follow":
            follow(plan, options.network, folder=options.namespaces)
        elif options.verb == "install":
            print(install([word for word in given if word != "install"]))
        else:
            act = once if options.verb == "once" else remove
            print(act(plan, options.network, folder=options.namespaces))
    except firewall.CanNot as fault:
        print(fault, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())

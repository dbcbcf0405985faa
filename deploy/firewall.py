#!/usr/bin/env python3
"""What notebooks may reach, as rules of the kernel: ``firewall.py install``, ``check``, ``show``, ``counts``, ``remove``.

Run it on the server, as root. Standard library only; it needs nft (package nftables). The rules are one table of nftables
that is ours alone: the engine never touches it, whichever of its backends it uses, and a refusal in it is final, whatever
the engine's own rules allow. Bridges are named, not looked up, so the rules are there before the engine is.

- A notebook reaches the *doors* (the hub's API, the site's API, the egress proxy) and nothing else: no other notebook, no
  address of this machine, no other network. Traffic inside one bridge is seen through br_netfilter, which is switched on.
- *Services* (hub and proxy) may call notebooks; nobody else may.
- The egress proxy reaches the ports 80 and 443 of public addresses, names, and the *mirrors*; never a private address,
  whatever a name was resolved to.
- New connections of one notebook are limited by rate and by number; what is refused is counted by address.

``install`` writes the table to a file and a systemd unit that loads it at every boot, before the engine.
Exit codes: 0 done, or well; 1 something is to be mended; 2 it can't be done here.
"""

from __future__ import annotations

import argparse
import ipaddress
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

DEPLOY = Path(__file__).resolve().parent
FOLDER = Path("/etc/practicum")
UNITS = Path("/etc/systemd/system")
TABLE = "practicum"
SWITCHES = ("net.bridge.bridge-nf-call-iptables", "net.bridge.bridge-nf-call-ip6tables")
# Not routed on the internet, or only inside somebody's cloud (168.63.129.16 is Azure's host agent).
PRIVATE = [
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16", "172.16.0.0/12"),
    *("192.0.0.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/3"),
]
# Of IPv6, only 2000::/3 is routed, without the forms in it that carry an IPv4 address.
PRIVATE6 = ["::/3", "2001::/23", "2002::/16", "4000::/2", "8000::/1"]
# Sets that the kernel fills in.
COUNTED = ("refused", "fast", "many", "pace")
NEW_A_SECOND, BURST, AT_ONCE = 50, 300, 256
Door = tuple[str, int]


class CanNot(Exception):
    """It can't be done here; the message says why and what to do."""


@dataclass(frozen=True)
class Plan:
    """Whose traffic is judged, and what is let through. ``is_open``: notebooks reach the public internet themselves."""

    bridge: str
    outside: str
    doors: tuple[Door, ...]
    services: tuple[str, ...]
    mirrors: tuple[Door, ...] = ()
    is_open: bool = False
    table: str = TABLE


def rules(plan: Plan) -> str:
    """The table in nftables' language; loading it replaces the one before in one step."""
    own, out = quoted(plan.bridge), quoted(plan.outside)
    doors, mirrors = by_version(plan.doors), by_version(plan.mirrors)
    services = by_version(tuple((address, 0) for address in plan.services))
    lines = [f"table inet {plan.table}", f"delete table inet {plan.table}", f"table inet {plan.table} {{"]
    for version, kind in ((4, "ipv4_addr"), (6, "ipv6_addr")):
        lines += static_set(f"doors{version}", f"{kind} . inet_service", pairs(doors[version]))
        lines += static_set(f"mirrors{version}", f"{kind} . inet_service", pairs(mirrors[version]))
        lines += static_set(f"services{version}", kind, [address for address, _ in services[version]])
        lines += static_set(f"private{version}", kind, PRIVATE if version == 4 else PRIVATE6, flags="interval")
        for name in ("refused", "fast", "many"):
            lines += counting_set(f"{name}{version}", kind, expires=name != "many")
    chains = {
        "forwarded": [
            "type filter hook forward priority -10; policy accept;",
            f"iifname {own} jump from_notebooks",
            f"oifname {own} jump to_notebooks",
            *([f"iifname {out} jump from_egress"] if plan.outside else []),
        ],
        "received": [
            "type filter hook input priority -10; policy accept;",
            f"iifname {own} jump to_host",
            *([f"iifname {out} jump from_egress_to_host"] if plan.outside else []),
        ],
        "from_notebooks": [
            *ALREADY,
            *NEIGHBOURS,
            *([] if plan.is_open else [f"oifname != {own} goto refuse"]),
            *(f"oifname {own} {family} saddr @services{version} accept" for version, family in FAMILIES),
            "jump pace",
            *(f"{family} daddr . tcp dport @doors{version} accept" for version, family in FAMILIES),
            *([f"oifname {own} goto refuse", *PUBLIC] if plan.is_open else []),
            "goto refuse",
        ],
        "to_host": [
            *ALREADY,
            *NEIGHBOURS,
            "jump pace",
            *(f"{family} daddr . tcp dport @doors{version} accept" for version, family in FAMILIES),
            "goto refuse",
        ],
        "to_notebooks": [f"iifname {own} accept", *ALREADY, "goto refuse"],
        "from_egress": [*ALREADY, *NEIGHBOURS, *PUBLIC, "goto refuse"],
        "from_egress_to_host": [*ALREADY, *NEIGHBOURS, *NAMES_AND_MIRRORS, "goto refuse"],
        # One notebook can't take every connection of a door, nor fill the kernel's table of them.
        "pace": [
            line
            for version, family in FAMILIES
            for line in (
                f"{family} daddr . tcp dport @doors{version} add @many{version} {{ {family} saddr ct count over {AT_ONCE} }} "
                f"update @fast{version} {{ {family} saddr counter }} drop",
                f"meta l4proto tcp update @pace{version} {{ {family} saddr limit rate over {NEW_A_SECOND}/second burst "
                f"{BURST} packets }} update @fast{version} {{ {family} saddr counter }} drop",
            )
        ],
        "refuse": [
            *(f"update @refused{version} {{ {family} saddr counter }}" for version, family in FAMILIES),
            "reject with icmpx type admin-prohibited",
        ],
    }
    for version, kind in ((4, "ipv4_addr"), (6, "ipv6_addr")):
        lines += counting_set(f"pace{version}", kind, expires=True)
    # A chain must stand before the one that jumps to it.
    for name, chain in reversed(chains.items()):
        lines += [f"\tchain {name} {{", *(f"\t\t{line}" for line in chain), "\t}"]
    return "\n".join([*lines, "}", ""])


FAMILIES = ((4, "ip"), (6, "ip6"))
ALREADY = ["ct state established,related accept"]
NEIGHBOURS = ["icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept"]
NAMES_AND_MIRRORS = [
    "meta l4proto { tcp, udp } th dport 53 accept",
    *(f"{family} daddr . tcp dport @mirrors{version} accept" for version, family in FAMILIES),
]
PUBLIC = [
    *NAMES_AND_MIRRORS,
    *(f"{family} daddr @private{version} goto refuse" for version, family in FAMILIES),
    "tcp dport { 80, 443 } accept",
]


def quoted(name: str) -> str:
    """The name of an interface, as nft reads it.

    Raises:
        CanNot: the kernel takes no such name.
    """
    if len(name) > 15 or not all(letter.isalnum() or letter in "-_." for letter in name):
        raise CanNot(f"{name!r} can't be the name of a bridge: at most 15 letters, digits, - and _.")
    return f'"{name}"'


def by_version(doors: Sequence[Door]) -> dict[int, list[Door]]:
    """Those of IPv4 and those of IPv6."""
    found: dict[int, list[Door]] = {4: [], 6: []}
    for address, port in doors:
        found[ipaddress.ip_address(address).version].append((address, port))
    return found


def pairs(doors: Sequence[Door]) -> list[str]:
    """As elements of a set of addresses with ports."""
    return [f"{address} . {port}" for address, port in doors]


def static_set(name: str, kind: str, elements: Sequence[str], *, flags: str = "") -> list[str]:
    """A set that stays as it is."""
    parts = [f"type {kind}", *([f"flags {flags}"] if flags else [])]
    parts += [f"elements = {{ {', '.join(elements)} }}"] if elements else []
    return [f"\tset {name} {{", *(f"\t\t{part}" for part in parts), "\t}"]


def counting_set(name: str, kind: str, *, expires: bool) -> list[str]:
    """A set the kernel fills in, by address."""
    flags = ["flags dynamic,timeout", "timeout 1h"] if expires else ["flags dynamic"]
    return [f"\tset {name} {{", *(f"\t\t{part}" for part in (f"type {kind}", "size 65535", *flags)), "\t}"]


def unit(file: Path, *, plan: Plan) -> str:
    """A systemd unit that loads the file at boot, and again when somebody flushed the kernel's rules."""
    nft = shutil.which("nft") or "/usr/sbin/nft"
    return f"""[Unit]
Description=What Practicum's notebooks may reach
Before=docker.service
After=nftables.service firewalld.service
PartOf=nftables.service firewalld.service
ReloadPropagatedFrom=nftables.service firewalld.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStartPre=-/sbin/modprobe br_netfilter
ExecStartPre=/sbin/sysctl -q {" ".join(f"{name}=1" for name in SWITCHES)}
ExecStart={nft} -f {file}
ExecReload={nft} -f {file}
ExecStop=-{nft} delete table inet {plan.table}

[Install]
WantedBy=multi-user.target docker.service
"""


def call(*command: str, stdin: str = "") -> str:
    """What a program prints.

    Raises:
        CanNot: it is missing, or failed.
    """
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError:
        raise CanNot(f"{command[0]} is not installed: apt-get install nftables") from None
    if done.returncode:
        raise CanNot(f"`{' '.join(command)}` failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def listed(table: str, *, within: Sequence[str] = ()) -> str:
    """The table as the kernel has it, without what it counts.

    Raises:
        CanNot: there is none.
    """
    text = call(*within, "nft", "--json", "list", "table", "inet", table)
    kept = []
    for entry in json.loads(text)["nftables"]:
        kind, facts = next(iter(entry.items()))
        if kind == "metainfo":
            continue
        if kind == "set" and facts["name"][:-1] in COUNTED:
            facts.pop("elem", None)
        kept.append((kind, without_numbers(facts)))
    return json.dumps(kept, sort_keys=True)


def without_numbers(facts: object) -> object:
    """What the kernel says, without the handles it gives and the packets it counts."""
    if isinstance(facts, dict):
        return {k: without_numbers(v) for k, v in facts.items() if k not in ("handle", "packets", "bytes")}
    return [without_numbers(each) for each in facts] if isinstance(facts, list) else facts


def wanted(text: str, *, table: str) -> str:
    """The same of the table as it should be: loaded where nothing else is, a network namespace of its own."""
    script = f"nft -f - && nft --json list table inet {table}"
    listing = call("unshare", "--net", "sh", "-c", script, stdin=text)
    kept = [next(iter(entry.items())) for entry in json.loads(listing)["nftables"]]
    return json.dumps([(kind, without_numbers(facts)) for kind, facts in kept if kind != "metainfo"], sort_keys=True)


def switched_off() -> list[str]:
    """The kernel's switches without which rules don't see what goes on inside a bridge."""
    return [name for name in SWITCHES if switch(name).strip() != "1"]


def switch(name: str) -> str:
    """Its value; empty where br_netfilter is not loaded."""
    try:
        return (Path("/proc/sys") / name.replace(".", "/")).read_text()
    except OSError:
        return ""


def install(plan: Plan, *, has_unit: bool) -> None:
    """The rules hold now and after every boot."""
    text = rules(plan)
    wanted(text, table=plan.table)  # a table that the kernel refuses must not replace one that holds
    if switched_off():
        subprocess.run(["modprobe", "br_netfilter"], capture_output=True, check=False)
        call("sysctl", "-q", *(f"{name}=1" for name in SWITCHES))
    call("nft", "-f", "-", stdin=text)
    print(f"The rules are in the kernel: nft list table inet {plan.table}")
    if not has_unit:
        return
    file = FOLDER / f"{plan.table}.nft"
    FOLDER.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    if not Path("/run/systemd/system").is_dir():
        print(f"This machine has no systemd: see to it that `nft -f {file}` is run at boot, before the engine.")
        return
    (UNITS / unit_name(plan)).write_text(unit(file, plan=plan))
    call("systemctl", "daemon-reload")
    call("systemctl", "enable", "--quiet", "--now", unit_name(plan))
    print(f"They are loaded at boot by {unit_name(plan)}.")


def unit_name(plan: Plan) -> str:
    """Of the systemd unit."""
    return f"{plan.table}-firewall.service"


def faults(plan: Plan) -> list[str]:
    """What is wrong with the rules on this machine, a sentence each."""
    text, found = rules(plan), []
    try:
        if listed(plan.table) != wanted(text, table=plan.table):
            found.append(f"The table {plan.table} in the kernel is not the one that deploy/.env asks for.")
    except CanNot as fault:
        found.append(f"The rules are not in the kernel. {fault}")
    found += [f"{name} is off: notebooks reach one another." for name in switched_off()]
    if Path("/run/systemd/system").is_dir() and not (UNITS / unit_name(plan)).is_file():
        found.append(f"{unit_name(plan)} is missing: the rules are gone after the next boot.")
    return found


def check(plan: Plan) -> int:
    """Say what is wrong; the exit code."""
    found = faults(plan)
    for fault in found:
        print(fault)
    print("Mend it with: deploy/firewall.py install" if found else "The rules are in the kernel, as they should be.")
    return 1 if found else 0


def counts(plan: Plan) -> dict[str, dict[str, int]]:
    """Packets of each notebook that were refused, and that came too fast, in the last hour or longer."""
    listing = json.loads(call("nft", "--json", "list", "table", "inet", plan.table))["nftables"]
    found: dict[str, dict[str, int]] = {}
    for facts in (entry["set"] for entry in listing if "set" in entry):
        if (what := facts["name"][:-1]) in ("refused", "fast"):
            for each in facts.get("elem", []):
                found.setdefault(each["elem"]["val"], {})[what] = each["elem"]["counter"]["packets"]
    return found


def remove(plan: Plan) -> None:
    """Nothing of ours is left. The switches stay as they are: the engine may want them too."""
    if (UNITS / unit_name(plan)).is_file():
        subprocess.run(["systemctl", "disable", "--quiet", "--now", unit_name(plan)], check=False)
        (UNITS / unit_name(plan)).unlink()
        call("systemctl", "daemon-reload")
    call("nft", "-f", "-", stdin=f"table inet {plan.table}\ndelete table inet {plan.table}\n")
    (FOLDER / f"{plan.table}.nft").unlink(missing_ok=True)
    print("The rules are gone: notebooks reach whatever this machine reaches.")


def door(text: str) -> Door:
    """``172.30.0.3:8081`` or ``[fd00::3]:8081``."""
    address, _, port = text.rpartition(":")
    try:
        return str(ipaddress.ip_address(address.strip("[]"))), int(port)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not ADDRESS:PORT") from None


def settings(file: Path) -> dict[str, str]:
    """What ``deploy/.env`` says; nothing where there is none."""
    lines = file.read_text().splitlines() if file.is_file() else []
    return {name: value for name, _, value in (line.partition("=") for line in lines) if value and name[:1] != "#"}


def plan_of(options: argparse.Namespace) -> Plan:
    """From the command line, and where that is silent, from ``deploy/.env`` and what ``compose.yaml`` has."""
    said = settings(options.env)
    prefix = said.get("NOTEBOOK_PREFIX", "172.30")
    usual = [(f"{prefix}.0.2", 8000), (f"{prefix}.0.3", 8081), (f"{prefix}.0.5", 3128)]
    mirrors = options.mirror or [door(each.partition("=")[2]) for each in said.get("EGRESS_MIRRORS", "").split()]
    return Plan(
        bridge=options.bridge,
        outside=options.outside,
        doors=tuple(options.door or usual),
        services=tuple(options.service or ([] if options.door else [f"{prefix}.0.3", f"{prefix}.0.4"])),
        mirrors=tuple(mirrors),
        is_open=options.open,
        table=options.table,
    )


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n\n")[0], formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("verb", choices=["install", "check", "show", "counts", "remove"])
    parser.add_argument("--env", type=Path, default=DEPLOY / ".env", help="settings (default: deploy/.env)")
    parser.add_argument("--bridge", default="practicum-nb", help="the notebooks' bridge (default: %(default)s)")
    parser.add_argument("--outside", default="practicum-out", help="the egress proxy's own bridge; empty: none")
    parser.add_argument("--door", type=door, action="append", metavar="ADDRESS:PORT", help="what notebooks reach")
    parser.add_argument("--service", action="append", metavar="ADDRESS", help="who may call notebooks")
    parser.add_argument(
        "--mirror", type=door, action="append", metavar="ADDRESS:PORT", help="a private place for the proxy"
    )
    parser.add_argument("--open", action="store_true", help="notebooks reach public addresses themselves (the demo)")
    parser.add_argument("--table", default=TABLE, help=argparse.SUPPRESS)
    parser.add_argument("--no-unit", action="store_true", help="until the next boot only")
    parser.add_argument("--yes", action="store_true", help="remove without asking")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says; returns the exit code."""
    options = arguments(argv)
    # Debian keeps nft where an ordinary PATH may not look.
    os.environ["PATH"] = f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/sbin{os.pathsep}/sbin"
    try:
        plan = plan_of(options)
        if options.verb == "show":
            print(rules(plan), end="")
            return 0
        if os.geteuid():
            raise CanNot("Rules of the kernel are root's: run it with sudo.")
        if options.verb == "check":
            return check(plan)
        if options.verb == "install":
            install(plan, has_unit=not options.no_unit)
        elif options.verb == "counts":
            print(json.dumps(counts(plan), indent=2))
        elif options.yes or input("Notebooks will reach the whole network. Remove the rules? [y/N] ").lower() == "y":
            remove(plan)
    except CanNot as fault:
        print(fault, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

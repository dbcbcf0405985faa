"""Runs Squid with the list of hosts and keeps count of what each notebook asks for. Standard library only.

Settings are variables: ``EGRESS_HOSTS`` (hosts beside those of ``hosts.txt``), ``EGRESS_MIRRORS`` (``host=address:port``: a
mirror inside the site's own network), ``EGRESS_ASK`` (whom those who are refused should ask), ``EGRESS_RATE_KB`` (a second and
notebook), ``EGRESS_CONNECTIONS`` (at once, of a notebook), ``EGRESS_ALARM`` (requests a minute that are an alarm).
``/var/lib/egress/hosts`` holds more hosts and may change at any time.

What is written: a line of JSON for each request on standard output, and ``/var/lib/egress/counts.json``: for each address of
a notebook what it asked for since this program started, and when it last was an alarm. No path of an address is kept, for
some hold a secret: host and port alone.
"""

from __future__ import annotations

import html
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).parent
RUN = Path("/run/egress")
STATE = Path("/var/lib/egress")
SECONDS = 2.0
MINUTE = 60.0
HOSTS_KEPT = 20
CLIENTS_KEPT = 5_000
HOST = re.compile(r"\.?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
MIRROR = re.compile(r"([\w.-]+)=(\[?[0-9a-f.:]+\]?):(\d+)")
REQUEST = re.compile(r"(\d+\.\d+) (\S+) (\w+) (\d+) (\S+) (\S+)")
CROWD = re.compile(r"WARNING: (\S+):\d+ attempting more than \d+ connections")
PRIVATE = """
0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 168.63.129.16 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.88.99.0/24
192.168.0.0/16 198.18.0.0/15 224.0.0.0/3 ::/3 2001::/23 2002::/16 4000::/2 8000::/1
"""
CONFIG = """\
http_port 3128
pid_filename none
visible_hostname egress
httpd_suppress_version_string on
forwarded_for delete
via off
cache deny all
cache_mem 8 MB
shutdown_lifetime 1 seconds
dns_timeout 10 seconds
connect_timeout 20 seconds
negative_dns_ttl 10 seconds
cache_log /dev/stderr
logformat count %ts.%03tu %>a %Ss %<st %rm %#ru
access_log stdio:/dev/stdout count
error_directory {run}/errors
acl CONNECT method CONNECT
acl web port 80 443
acl tls port 443
acl listed dstdomain -n "{run}/hosts"
acl inside dst {private}
acl crowd maxconn {connections}
{mirrors}
deny_info ERR_NOT_LISTED listed
deny_info ERR_NOT_LISTED web
deny_info ERR_NOT_LISTED inside
http_access deny manager
http_access deny !web
http_access deny CONNECT !tls
http_access deny crowd
http_access deny !listed
{mirrors_allowed}
http_access deny inside
http_access allow listed
http_access deny all
client_ip_max_connections {connections}
delay_pools 1
delay_class 1 3
delay_access 1 allow all
delay_parameters 1 none none {rate}/{burst}
"""


@dataclass
class Client:
    """What one address asked for."""

    allowed: int = 0
    refused: int = 0
    dropped: int = 0
    bytes: int = 0
    alarms: int = 0
    alarm_at: float = 0.0
    alarm_requests: int = 0
    minute: int = 0
    in_minute: int = 0
    hosts_refused: Counter[str] = field(default_factory=Counter)

    def ask(self, *, now: float, alarm: int) -> bool:
        """One more in this minute; True where that is an alarm."""
        minute = int(now // MINUTE)
        if minute != self.minute:
            self.minute, self.in_minute = minute, 0
        self.in_minute += 1
        if self.in_minute == alarm:
            self.alarms, self.alarm_at = self.alarms + 1, now
        if self.in_minute >= alarm:
            self.alarm_requests = self.in_minute
        return self.in_minute == alarm


@dataclass
class Counts:
    """What all of them asked for; ``alarm``: so many requests of one address in a minute are one."""

    alarm: int
    clients: dict[str, Client] = field(default_factory=dict)
    is_new: bool = False

    def take(self, line: str) -> dict[str, object] | None:
        """A line of Squid's log as it is told; None for what is none."""
        found = REQUEST.fullmatch(line.strip())
        if found is None:
            return None
        at, address, how, size, method, url = found.groups()
        client, is_refused, host = self.client(address), "DENIED" in how, host_of(url)
        if is_refused:
            client.refused += 1
            if host in client.hosts_refused or len(client.hosts_refused) < HOSTS_KEPT:
                client.hosts_refused[host] += 1
        else:
            client.allowed += 1
            client.bytes += int(size)
        is_alarm = client.ask(now=float(at), alarm=self.alarm)
        said = {
            "at": float(at),
            "client": address,
            "host": host,
            "method": method,
            "refused": is_refused,
            "bytes": int(size),
        }
        return said | ({"alarm": True} if is_alarm else {})

    def drop(self, line: str) -> None:
        """A line of Squid's other log: somebody has too many connections."""
        if found := CROWD.search(line):
            client = self.client(found[1].strip("[]"))
            client.dropped += 1
            client.ask(now=time.time(), alarm=self.alarm)

    def client(self, address: str) -> Client:
        """What is known of it; of the longest known ones, some are forgotten."""
        self.is_new = True
        while len(self.clients) > CLIENTS_KEPT:
            self.clients.pop(next(iter(self.clients)))
        return self.clients.setdefault(address, Client())

    def as_json(self) -> str:
        """For the site's worker."""
        names = ("allowed", "refused", "dropped", "bytes", "alarms", "alarm_at", "alarm_requests")
        rows = {
            address: {name: getattr(client, name) for name in names} | {"hosts_refused": dict(client.hosts_refused)}
            for address, client in list(self.clients.items())
        }
        return json.dumps({"at": time.time(), "clients": rows})


def host_of(url: str) -> str:
    """``host:port`` of an address, or of what is asked for by CONNECT."""
    parts = urlsplit(url if "://" in url else f"//{url}")
    try:
        return f"{parts.hostname or '-'}:{parts.port or {'https': 443}.get(parts.scheme, 80)}"
    except ValueError:
        return "-"


def hosts(*texts: str) -> list[str]:
    """The hosts in these texts, each once, without those that another takes with it (Squid would refuse to start)."""
    words = {
        word.lower().rstrip(".") for text in texts for line in text.splitlines() for word in line.split("#")[0].split()
    }
    fit = {word for word in words if HOST.fullmatch(word)}
    for word in sorted(words - fit):
        print(f"{word!r} is not a host's name and is left out", file=sys.stderr)
    wide = [word for word in fit if word.startswith(".")]
    return sorted(w for w in fit if not any(f".{w.lstrip('.')}".endswith(over) and w != over for over in wide))


def config(variables: Mapping[str, str], *, run: Path = RUN) -> str:
    """Squid's configuration."""
    mirrors = MIRROR.findall(variables.get("EGRESS_MIRRORS", ""))
    rate = int(variables.get("EGRESS_RATE_KB") or 20_000) * 1000
    return CONFIG.format(
        run=run,
        private=" ".join(PRIVATE.split()),
        connections=int(variables.get("EGRESS_CONNECTIONS") or 64),
        rate=rate,
        burst=rate * 10,
        mirrors="\n".join(f"acl mirror dstdomain -n {host}" for host, _, _ in mirrors),
        mirrors_allowed="http_access allow mirror" if mirrors else "",
    )


def listed(variables: Mapping[str, str]) -> str:
    """The file of hosts as it should be now."""
    more = STATE / "hosts"
    extra = more.read_text() if more.is_file() else ""
    mirrors = " ".join(host for host, _, _ in MIRROR.findall(variables.get("EGRESS_MIRRORS", "")))
    return "\n".join([*hosts((HERE / "hosts.txt").read_text(), variables.get("EGRESS_HOSTS", ""), extra, mirrors), ""])


def write(variables: Mapping[str, str]) -> None:
    """Everything Squid reads."""
    (RUN / "errors").mkdir(parents=True, exist_ok=True)
    page = (HERE / "refused.html").read_text()
    ask = html.escape(variables.get("EGRESS_ASK") or "an admin of this site").replace("%", "%%")
    (RUN / "errors" / "ERR_NOT_LISTED").write_text(page.replace("ASK", ask))
    (RUN / "hosts").write_text(listed(variables))
    (RUN / "squid.conf").write_text(config(variables))


def follow(lines: Iterable[str], counts: Counts) -> None:
    """Count and tell each request."""
    for line in lines:
        if (said := counts.take(line)) is not None:
            print(json.dumps(said), flush=True)


def listen(lines: Iterable[str], counts: Counts) -> None:
    """Pass on what Squid says of itself."""
    for line in lines:
        counts.drop(line)
        print(line, end="", file=sys.stderr, flush=True)


def keep(counts: Counts) -> None:
    """Write the counts down, whole or not at all."""
    if not counts.is_new or not STATE.is_dir():
        return
    counts.is_new = False
    part = STATE / "counts.json.part"
    part.write_text(counts.as_json())
    part.replace(STATE / "counts.json")


def main() -> int:
    """Run until Squid ends, or is told to."""
    variables = os.environ
    write(variables)
    command = ["squid", "-N", "-f", str(RUN / "squid.conf")]
    squid = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")
    counts = Counts(alarm=int(variables.get("EGRESS_ALARM") or 600))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: squid.terminate())
    for read, lines in ((follow, squid.stdout), (listen, squid.stderr)):
        threading.Thread(target=read, args=(lines, counts), daemon=True).start()
    known = listed(variables)
    while squid.poll() is None:
        time.sleep(SECONDS)
        keep(counts)
        if (now := listed(variables)) != known:
            known = now
            write(variables)
            squid.send_signal(signal.SIGHUP)
    keep(counts)
    return squid.returncode


if __name__ == "__main__":
    sys.exit(main())

"""What an operator is asked for, each also as an option and as a line of an answers file."""

from __future__ import annotations

import argparse
import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, List, Mapping

from operations import machine
from operations.envfile import LINE, unquoted
from operations.telling import Stop, ask

NAME = re.compile(r"^(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}$")
MAIL = re.compile(r"^[^\s<>@']+@[^\s<>@']+$")
USERNAME = re.compile(r"^[a-z][a-z0-9-]{1,30}$")
SLUG = re.compile(r"^[a-z0-9][a-z0-9-]*$")
TLS_MODES = ("acme", "files", "internal")
# Kept in .env under these names; the admin is not, and is in the database.
ADMIN = ("admin", "admin_email", "admin_name")


@dataclass(frozen=True)
class Question:
    """One question; ``default`` and ``fault`` are given what was answered so far."""

    name: str
    asks: str
    setting: str = ""
    default: Callable[[Mapping[str, str]], str] = lambda _: ""
    fault: Callable[[str], str] = lambda _: ""
    applies: Callable[[Mapping[str, str]], bool] = lambda _: True

    @property
    def option(self) -> str:
        """``--site-host``."""
        return "--" + self.name.replace("_", "-")


def needs(pattern: "re.Pattern[str]", what: str) -> Callable[[str], str]:
    """A fault unless the answer matches."""
    return lambda said: "" if pattern.match(said) else f"{said!r} is not {what}."


def one_of(*options: str) -> Callable[[str], str]:
    """A fault unless the answer is one of these."""
    return lambda said: "" if said in options else f"It must be one of {', '.join(options)}."


def file_fault(said: str) -> str:
    """A fault unless it is a file."""
    return "" if Path(said).is_file() else f"{said!r} is no file."


def folder_fault(said: str) -> str:
    """A fault unless it can be a folder of the site's own."""
    path = Path(said)
    if not path.is_absolute() or len(path.parts) < 3 or not re.match(r"^[\w./-]+$", said):
        return f"{said!r} must be the full path of a folder of its own, such as /var/lib/practicum."
    return ""


YES = one_of("yes", "no")
# fmt: off
QUESTIONS: List[Question] = [
    Question("site_host", "Name of the site, e.g. practicum.example.org", "SITE_HOST",
             fault=needs(NAME, "a full host name")),
    Question("hub_host", "Name of the notebooks' hub", "HUB_HOST",
             lambda said: f"hub.{said['site_host']}", needs(NAME, "a full host name")),
    Question("tls", "Certificates: acme (Let's Encrypt), files (your own) or internal (a lab's own authority)",
             "TLS_MODE", lambda _: "acme", one_of(*TLS_MODES)),
    Question("tls_email", "Mail address for the certificate authority", "TLS_EMAIL",
             fault=needs(MAIL, "an e-mail address"), applies=lambda said: said["tls"] == "acme"),
    Question("certificate", "File of the certificate, with its chain (PEM)", fault=file_fault,
             applies=lambda said: said["tls"] == "files"),
    Question("key", "File of its private key (PEM)", fault=file_fault, applies=lambda said: said["tls"] == "files"),
    Question("subdomains", "A subdomain for each person's notebook (needs wildcard DNS and a wildcard certificate)",
             default=lambda said: "no" if said["tls"] == "acme" else "yes", fault=YES),
    Question("data_dir", "Folder for everything that is kept", "DATA_DIR", lambda _: "/var/lib/practicum",
             folder_fault),
    Question("server_name", "Name of this server among your GPU servers", "SERVER_NAME",
             lambda _: re.sub(r"[^a-z0-9-]", "-", socket.gethostname().split(".")[0].lower()).strip("-") or "gpu-1",
             needs(SLUG, "lower-case letters, digits and hyphens")),
    Question("gpus", "Use this server's GPUs", default=lambda _: "yes" if machine.has_gpu() else "no", fault=YES),
    Question("cpu_slots", "Slots without a GPU", "CPU_SLOTS",
             lambda said: "0" if said["gpus"] == "yes" else str(os.cpu_count() or 2),
             needs(re.compile(r"^\d{1,3}$"), "a number")),
    Question("mail_host", "Mail server (empty: people are told on the site and by webhook only)",
             "PRACTICUM_EMAIL_HOST"),
    Question("mail_port", "Its port", "PRACTICUM_EMAIL_PORT", lambda _: "587",
             needs(re.compile(r"^\d{1,5}$"), "a port"), lambda said: bool(said["mail_host"])),
    Question("mail_security", "How it is spoken to: starttls, tls or none", "PRACTICUM_EMAIL_SECURITY",
             lambda said: "tls" if said["mail_port"] == "465" else "starttls", one_of("starttls", "tls", "none"),
             lambda said: bool(said["mail_host"])),
    Question("mail_user", "User at the mail server (empty: none)", "PRACTICUM_EMAIL_USER",
             applies=lambda said: bool(said["mail_host"])),
    Question("mail_password", "Password at the mail server", "PRACTICUM_EMAIL_PASSWORD",
             applies=lambda said: bool(said.get("mail_user"))),
    Question("mail_from", "Address that mails come from", "PRACTICUM_EMAIL_FROM",
             lambda said: f"practicum@{said['site_host']}", needs(MAIL, "an e-mail address"),
             lambda said: bool(said["mail_host"])),
    Question("admin", "Username of the first admin",
             fault=needs(USERNAME, "2 to 31 lower-case letters, digits and hyphens")),
    Question("admin_email", "Their mail address", fault=needs(MAIL, "an e-mail address")),
    Question("admin_name", "Their name, as they write it", fault=lambda said: "" if said else "A name is needed."),
]
# fmt: on


def add_options(parser: argparse.ArgumentParser) -> None:
    """An option for each question."""
    group = parser.add_argument_group("answers; what is not given is asked")
    for each in QUESTIONS:
        group.add_argument(each.option, dest=each.name, metavar="…", help=each.asks)


def from_file(file: Path) -> Dict[str, str]:
    """The answers in a file of lines such as ``SITE_HOST=practicum.example.org``.

    Raises:
        Stop: it is not there, or has a line that answers nothing.
    """
    if not file.is_file():
        raise Stop(f"The answers file {file} is not there.")
    known, found = {each.name for each in QUESTIONS}, {}
    for line in file.read_text(encoding="utf-8").splitlines():
        match = LINE.match(line.strip())
        if match and match[1].lower() in known:
            found[match[1].lower()] = unquoted(match[2].strip())
        elif line.strip() and not line.startswith("#"):
            raise Stop(
                f"{file} answers nothing that is asked with {line!r}. A line is e.g. SITE_HOST=practicum.example.org."
            )
    return found


def kept(settings: Mapping[str, str]) -> Dict[str, str]:
    """What an earlier run was told, from its .env."""
    if not settings:
        return {}
    found = {each.name: settings[each.setting] for each in QUESTIONS if each.setting and settings.get(each.setting)}
    tls = Path(settings.get("DATA_DIR", "/")) / "tls"
    found["gpus"] = "yes" if "compose.gpu.yaml" in settings.get("COMPOSE_FILE", "") else "no"
    found["subdomains"] = "yes" if settings.get("PRACTICUM_HUB_SUBDOMAINS") else "no"
    found.setdefault("mail_host", "")
    found.setdefault("mail_user", "")
    return {**found, "certificate": str(tls / "certificate.pem"), "key": str(tls / "key.pem")}


def answered(
    given: Mapping[str, str], *, earlier: Mapping[str, str], is_asked: bool, without: tuple = ()
) -> Dict[str, str]:
    """All answers: as given, else as ``earlier``, else asked, else the default. ``without``: what needs no answer now.

    Raises:
        Stop: an answer can't be used, or one is missing and nobody may be asked: all of them in one message.
    """
    said: Dict[str, str] = {}
    faults = []
    for each in QUESTIONS:
        if each.name in without or not each.applies(said):
            continue
        if each.name in given or each.name in earlier:
            said[each.name] = given[each.name] if each.name in given else earlier[each.name]
        elif is_asked:
            said[each.name] = ask(
                each.asks, default=each.default(said), check=each.fault, is_hidden=each.name == "mail_password"
            )
        else:
            said[each.name] = each.default(said)
        fault = each.fault(said[each.name])
        if fault:
            faults.append(f"{each.option}: {fault}" if said[each.name] else f"{each.option} is missing: {each.asks}.")
            said[each.name] = said[each.name] or "missing.invalid"
    if not faults and said["site_host"] == said["hub_host"]:
        faults.append("--hub-host: it must be another name than the site's, for the two must not share cookies.")
    if faults:
        raise Stop("These answers can't be used:\n- " + "\n- ".join(faults))
    return said


def as_settings(said: Mapping[str, str]) -> Dict[str, str]:
    """The lines of .env that the answers decide."""
    own = {each.setting: said.get(each.name, "") for each in QUESTIONS if each.setting}
    has_subdomains = said["subdomains"] == "yes"
    return {
        **own,
        "COMPOSE_FILE": "compose.yaml:compose.gpu.yaml" if said["gpus"] == "yes" else "compose.yaml",
        "PRACTICUM_HUB_SUBDOMAINS": "1" if has_subdomains else "",
        "HUB_WILDCARD": f"*.{said['hub_host']}" if has_subdomains else "",
        "PROXY_ROUTING": "--host-routing" if has_subdomains else "",
    }

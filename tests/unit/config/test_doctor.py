"""The doctor: each look names what is ill and the command that mends it, and no illness ends it early."""

from __future__ import annotations

import json
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from importlib import metadata
from io import StringIO
from pathlib import Path
from typing import Any

import docker
import httpx
import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from docker.errors import DockerException

from practicum.config.doctor import containers, machine, network, site
from practicum.config.doctor.findings import Finding, State, as_json, as_lines, is_below, ok, to_mend
from practicum.config.management.commands import doctor
from practicum.engine.facts import EngineFacts, engine_facts, read
from practicum.errors import EngineUnavailable
from practicum.gpus.models import Server
from practicum.portal import health
from tests.unit.gpus.conftest import make_slots

DAY = timedelta(days=1)
WELL = {
    "ServerVersion": "29.8.0",
    "DockerRootDir": "/nowhere",
    "Runtimes": {"runc": {}, "nvidia": {}},
    "DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=0"}],
    "MemoryLimit": True,
    "SwapLimit": True,
    "PidsLimit": True,
    "SecurityOptions": ["name=seccomp,profile=builtin"],
    "LiveRestoreEnabled": True,
}
FACTS = read(WELL, images={"practicum/workspace:1": True})


def states(findings: list[Finding]) -> dict[str, str]:
    """The state of each, by its name."""
    return {each.name: each.state.value for each in findings}


@pytest.mark.parametrize(
    ("version", "floor", "below"),
    [
        ("20.10.24+dfsg1", "29.7", True),
        ("29.7.0", "29.7", False),
        ("29.10", "29.7", False),
        ("v1.17.8-rc.1", "1.17.8", False),
        ("570.133.20", "525", False),
        ("", "1", True),
        ("unknown", "1", True),
    ],
)
def test_versions_are_compared_by_their_numbers(version: str, floor: str, below: bool) -> None:
    assert is_below(version, floor) is below


def test_what_mends_it_stands_below_each_line() -> None:
    assert as_lines([ok("a", "fine"), to_mend("b", "broken", "first\nsecond")]) == [
        "  ok     a: fine",
        "  mend   b: broken",
        "         → first",
        "         → second",
    ]
    assert as_json([ok("a", "fine")])["well"]
    assert not as_json([ok("a", "fine"), to_mend("b", "broken", "x")])["well"]


def test_a_package_that_is_old_or_gone_is_named() -> None:
    installed = {"django": "5.2.18", "jupyterhub": "6.1.1"}

    def version_of(name: str) -> str:
        if name not in installed:
            raise metadata.PackageNotFoundError(name)
        return installed[name]

    found = machine.programs(
        floors={"django": "5.2.19", "jupyterhub": "6.1.1", "nbconvert": "7"}, version_of=version_of
    )
    assert states(found) == {"Python": "ok", "django": "mend", "jupyterhub": "ok", "nbconvert": "mend"}
    assert "5.2.18; 5.2.19 or newer" in found[1].said
    assert states(machine.programs())["django"] == "ok", "what is locked is not below its floor"


@pytest.mark.parametrize(
    ("total", "free", "state"), [(1000, 500, "ok"), (1000, 90, "mend"), (50, 9, "mend"), (50, 11, "ok")]
)
def test_a_tenth_of_a_disk_and_ten_gigabytes_are_kept_free(total: int, free: int, state: str, tmp_path: Path) -> None:
    usage = lambda _: (total * 10**9, (total - free) * 10**9, free * 10**9)  # noqa: E731
    (found,) = machine.disks([("it", tmp_path)], usage=usage)
    assert found.state.value == state
    assert machine.disks([("it", tmp_path / "gone")])[0].state == State.UNSEEN


def test_a_clock_that_nothing_keeps_in_step_is_to_mend() -> None:
    def refused() -> tuple[int, int]:
        raise OSError("not permitted")

    assert machine.clock(adjtime=lambda: (0, 12_000))[0].said == "in step, within 12 ms"
    assert "timedatectl" in machine.clock(adjtime=lambda: (5, 0))[0].mend
    assert machine.clock(adjtime=refused)[0].state == State.UNSEEN
    assert machine.clock()[0].state in (State.OK, State.MEND, State.UNSEEN), "this machine's own"


def test_nvidias_toolkit_is_held_against_its_floor_where_it_can_be_asked() -> None:
    asked: dict[str, Any] = {"find": lambda _: "/usr/bin/nvidia-ctk"}
    old = machine.toolkit(**asked, run=lambda _: "NVIDIA Container Toolkit CLI version 1.16.2\ncommit: abc\n")
    new = machine.toolkit(**asked, run=lambda _: "NVIDIA Container Toolkit CLI version 1.18.0\n")
    assert (old[0].state, new[0].state) == (State.MEND, State.OK)
    assert machine.toolkit(find=lambda _: None)[0].state == State.UNSEEN


def test_devices_by_name_are_looked_for_where_there_are_gpus(tmp_path: Path) -> None:
    assert machine.specifications(has_gpus=False) == []
    assert machine.specifications(has_gpus=True, folders=[tmp_path])[0].state == State.LOOK
    (tmp_path / "nvidia.yaml").touch()
    assert machine.specifications(has_gpus=True, folders=[tmp_path])[0].state == State.OK


def test_djangos_own_checks_are_among_them(settings: Any) -> None:
    assert site.configuration()[0].state == State.OK
    settings.PRACTICUM_ENV, settings.EMAIL_HOST = "production", ""
    found = {each.name: each for each in site.configuration()}
    assert "PRACTICUM_EMAIL_HOST" in found["settings (practicum.W001)"].mend


def test_a_database_that_answers_is_looked_into(db: None, now: datetime) -> None:
    found = states(site.database(now=now))
    assert found["database"] == "ok"
    if connection.vendor == "postgresql":
        assert (found["PostgreSQL"], found["database's clock"]) == ("ok", "mend"), "the tests' clock is another"
    else:
        assert found["SQLite's file"] == "ok"


def test_a_database_that_does_not_answer_is_said_first(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    monkeypatch.setattr(health, "database_answers", lambda: False)
    (found,) = site.database(now=now)
    assert (found.state, found.mend.splitlines()[0]) == (State.MEND, "deploy/practicum start")


def test_migrations_that_wait_are_counted(db: None, monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    monkeypatch.setattr(MigrationExecutor, "migration_plan", lambda *_: [("accounts.0009_more", False)])
    found = {each.name: each for each in site.database(now=now)}
    assert found["migrations"].said == "1 not done: accounts.0009_more"


def test_a_private_key_that_others_may_read_is_to_mend(tmp_path: Path) -> None:
    mine, open_to_all = tmp_path / "mine.pem", tmp_path / "open.pem"
    for file, mode in ((mine, 0o600), (open_to_all, 0o644)):
        file.touch()
        file.chmod(mode)
    found = site.key_files({"a": mine, "b": open_to_all, "c": tmp_path / "gone.pem"})
    assert states(found) == {"a": "ok", "b": "mend", "c": "mend"}
    assert found[1].mend == f"chmod 600 {open_to_all}"


class Mailbox:
    """A connection to a mail server that opens, or raises what it was told."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.fault, self.is_open = fault, False

    def open(self) -> None:
        if self.fault:
            raise self.fault
        self.is_open = True

    def close(self) -> None:
        self.is_open = False


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (smtplib.SMTPAuthenticationError(535, b"no"), "refuses the sign-in"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), "wrong version number"),
        (ConnectionRefusedError(111, "Connection refused"), "does not answer"),
        (smtplib.SMTPServerDisconnected("gone"), "does not answer"),
        (None, "lets us in"),
    ],
)
def test_the_mail_servers_answer_is_told(fault: Exception | None, said: str, settings: Any) -> None:
    settings.EMAIL_HOST, settings.EMAIL_PORT = "mail.example.org", 587
    box = Mailbox(fault)
    (found,) = site.mail(connect=lambda: box)
    assert said in found.said
    assert (found.state == State.OK) is (fault is None)
    assert not box.is_open


def test_without_a_mail_server_people_are_told_elsewhere(settings: Any) -> None:
    settings.EMAIL_HOST = ""
    assert site.mail()[0].state == State.LOOK


def test_worker_agents_and_drivers_give_signs_of_life(
    db: None, settings: Any, tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PRACTICUM_DATA_DIR = tmp_path
    Server.objects.create(name="well", seen_at=now, versions={"nvidia-driver": "570.133.20"})
    Server.objects.create(name="old", seen_at=now - timedelta(minutes=2), versions={"nvidia-driver": "470.82"})
    Server.objects.create(name="plain", seen_at=now)
    (slot,) = make_slots(1)
    Server.objects.filter(pk=slot.server_id).update(seen_at=now)
    found = states(site.signs_of_life(now=now))
    assert found["worker"] == "mend", "it never was"
    assert (found["agent on well"], found["NVIDIA driver on well"]) == ("ok", "ok")
    assert (found["agent on old"], found["NVIDIA driver on old"]) == ("mend", "mend")
    assert "NVIDIA driver on plain" not in found
    assert found[f"NVIDIA driver on {slot.server.name}"] == "mend", "it lists a GPU and tells of no driver"
    monkeypatch.setattr(health, "worker_seen_at", lambda: now - timedelta(seconds=2))
    assert states(site.signs_of_life(now=now))["worker"] == "ok"


def test_a_name_that_leads_nowhere_is_to_mend() -> None:
    def resolve(host: str, _port: None) -> list[Any]:
        if host.startswith("hub"):
            raise socket.gaierror("Name or service not known")
        return [(2, 1, 6, "", ("192.0.2.7", 0))]

    found = network.names({"site": "https://p.example.org", "hub": "https://hub.p.example.org"}, resolve=resolve)
    assert states(found) == {"name of the site": "ok", "name of the hub": "mend"}
    assert "A or AAAA record of hub.p.example.org" in found[1].mend


@pytest.mark.parametrize(
    ("url", "answer", "state", "said"),
    [
        ("http://127.0.0.1:8000", None, "look", "not encrypted"),
        ("https://p.example.org", (90 * DAY, 60 * DAY), "ok", "good for 60 days"),
        ("https://p.example.org", (90 * DAY, 14 * DAY), "ok", "good for 14 days"),
        ("https://p.example.org", (90 * DAY, 5 * DAY), "mend", "ends in 5 days"),
        ("https://p.example.org", (365 * DAY, 13 * DAY), "mend", "ends in 13 days"),
        # Caddy's own authority: it renews after eight hours.
        ("https://p.example.org", (DAY / 2, DAY / 2), "ok", "good for 12 h"),
        ("https://p.example.org", (DAY / 2, DAY / 6), "ok", "good for 4 h"),
        ("https://p.example.org", (DAY / 2, DAY / 24), "mend", "ends in 1 h, and was not renewed"),
        ("https://p.example.org", ConnectionRefusedError("refused"), "mend", "nothing answers"),
        ("https://p.example.org", ssl.SSLCertVerificationError(1, "expired"), "mend", "browsers refuse it"),
    ],
)
def test_a_certificate_is_believed_and_lasts(
    url: str, answer: tuple[timedelta, timedelta] | Exception | None, state: str, said: str, now: datetime
) -> None:
    def term(_host: str, _port: int) -> tuple[datetime, datetime]:
        if isinstance(answer, Exception):
            raise answer
        assert answer is not None
        length, left = answer
        return now + left - length, now + left

    (found,) = network.certificates({"site": url}, now=now, term=term)
    assert (found.state.value, said in found.said) == (state, True), found


@pytest.fixture
def listener() -> Iterator[int]:
    """A port that takes connections and says something that is not TLS."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)

        def greet() -> None:
            client, _ = server.accept()
            with client:
                client.sendall(b"220 not TLS\r\n" * 4)

        thread = threading.Thread(target=greet)
        thread.start()
        yield int(server.getsockname()[1])
        thread.join(timeout=5)


def test_what_speaks_no_tls_has_no_certificate(listener: int, now: datetime) -> None:
    (found,) = network.certificates({"site": f"https://127.0.0.1:{listener}"}, now=now)
    assert found.state == State.MEND


def test_a_port_where_an_engine_would_obey_anybody_is_to_mend(listener: int) -> None:
    assert network.open_engine(port=listener)[0].state == State.MEND
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = int(server.getsockname()[1])
    assert network.open_engine(port=closed)[0].state == State.OK


def test_site_and_hub_are_asked_at_their_public_addresses() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "away.example.org":
            raise httpx.ConnectError("refused", request=request)
        return httpx.Response(200 if request.url.path == "/health/" else 503)

    client = httpx.Client(transport=httpx.MockTransport(answer))
    found = network.pages({"site": "https://p.example.org/health/", "hub": "https://p.example.org/hub"}, get=client.get)
    assert states(found) == {"site": "ok", "hub": "mend"}
    assert "503" in found[1].said
    (away,) = network.pages({"site": "https://away.example.org/"}, get=client.get)
    assert "does not answer" in away.said
    assert "deploy/practicum logs web" in away.mend


@pytest.mark.parametrize(
    ("changes", "name", "state"),
    [
        ({}, "container engine", "ok"),
        ({"ServerVersion": "28.5.1"}, "container engine", "mend"),
        ({"PidsLimit": False}, "limits", "mend"),
        ({"SecurityOptions": []}, "seccomp", "mend"),
        ({"LiveRestoreEnabled": False}, "live restore", "look"),
        ({"DiscoveredDevices": None}, "GPUs in containers", "ok"),
        ({"DiscoveredDevices": None, "Runtimes": {"runc": {}}}, "GPUs in containers", "mend"),
    ],
)
def test_what_the_engine_lacks_is_named(changes: dict[str, Any], name: str, state: str) -> None:
    found = states(containers.engine(lambda: read(WELL | changes, images={}), has_gpus=True))
    assert found[name] == state


def test_a_missing_image_and_an_engine_that_is_away_are_to_mend() -> None:
    def away() -> EngineFacts:
        raise EngineUnavailable("The container engine does not answer.")

    found = containers.engine(lambda: read(WELL, images={"a:1": True, "b:2": False}), has_gpus=False)
    assert (states(found)["image a:1"], states(found)["image b:2"], states(found)["GPUs"]) == ("ok", "mend", "look")
    assert containers.engine(away, has_gpus=False)[0].state == State.MEND


def run(*arguments: str) -> tuple[int, str]:
    """The command's exit code and what it printed."""
    out = StringIO()
    try:
        call_command("doctor", *arguments, stdout=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


def test_the_command_ends_with_one_where_something_is_to_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> list[Finding]:
        raise ValueError("no such thing")

    monkeypatch.setattr(doctor, "looks", lambda: {"first": broken, "second": lambda: [ok("b", "fine")]})
    code, said = run()
    assert code == 1
    assert "the look itself failed: ValueError: no such thing" in said
    assert "ok     b: fine" in said, "the others are heard all the same"
    assert said.rstrip().endswith("1 to mend")
    code, said = run("--json")
    assert (code, json.loads(said)["well"]) == (1, False)
    code, said = run("--only", "second")
    assert (code, said.rstrip().splitlines()[-1]) == (0, "All is well")


def test_every_part_is_looked_at_and_none_breaks(db: None, settings: Any, tmp_path: Path) -> None:
    settings.PRACTICUM_ENGINE, settings.PRACTICUM_DATA_DIR = "local", tmp_path
    settings.PRACTICUM_SITE_URL = settings.PRACTICUM_HUB_URL = "http://127.0.0.1:9"
    code, said = run("--json")
    found = json.loads(said)["findings"]
    assert code == 1, "no worker, no site, no hub"
    assert [each for each in found if "the look itself" in each["said"]] == []
    assert {each["name"] for each in found} >= {"settings", "Python", "clock", "database", "container engine", "worker"}


def test_an_engine_that_does_not_answer_is_said_to_be_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise DockerException("Error while fetching server API version")

    monkeypatch.setattr(docker, "from_env", refuse)
    with pytest.raises(EngineUnavailable):
        engine_facts(["a:1"])

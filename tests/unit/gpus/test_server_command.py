"""``practicum server``: what it writes, prints and refuses (with real engines: ``tests/e2e/test_two_servers.py``)."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from practicum.config.management.commands import server as command
from practicum.engine.memory import MemoryEngine
from practicum.gpus.models import AgentToken, Server
from practicum.gpus.tokens import token_row
from practicum.workspaces.archives import home_volume
from practicum.workspaces.models import Home

ADD = ("add", "gpu-2", "--address", "192.0.2.2", "--by", "ada")


@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch, settings: Any) -> MemoryEngine:
    """Engines in memory, and a swarm whose secret is known."""
    settings.PRACTICUM_ENGINE = "docker"
    made = MemoryEngine()
    monkeypatch.setattr(command, "site_engine", lambda: made)
    monkeypatch.setattr(command.swarm, "open_way_in", lambda note, *, now: ("SWMTKN-secret", "192.0.2.1:2377"))
    return made


def run(*words: str) -> str:
    said = StringIO()
    call_command("server", *words, stdout=said, stderr=StringIO())
    return said.getvalue()


def test_adding_makes_row_keys_and_token_and_keeps_the_engines_own_key_nowhere(admin: Any, data_dir: Path) -> None:
    printed = run(*ADD)
    server = Server.objects.get(name="gpu-2")
    assert server.away_since is not None
    token = printed.split("printf %s ")[1].split()[0]
    row = token_row(token)
    assert row is not None
    assert (row.server, row.made_by) == (server, admin)
    key = printed.split("BEGIN PRIVATE KEY-----")[1].split("-----END")[0].strip()
    files = [file for file in data_dir.rglob("*") if file.is_file()]
    assert {file.name for file in (data_dir / "servers" / "gpu-2").iterdir()} == {
        "address",
        "ca.pem",
        "cert.pem",
        "key.pem",
    }
    assert not [file for file in files if key.encode() in file.read_bytes() or token.encode() in file.read_bytes()]
    assert {
        file.stat().st_mode & 0o077 for folder in ("servers", "authority") for file in (data_dir / folder).rglob("*")
    } == {0}


def test_one_that_is_there_is_added_again_only_when_that_is_said(admin: Any) -> None:
    first = run(*ADD)
    with pytest.raises(CommandError, match="There is a server of this name"):
        run(*ADD)
    assert run(*ADD, "--again") != first
    assert AgentToken.objects.filter(revoked_at__isnull=True).count() == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("add", "Gpu_2", "--address", "192.0.2.2", "--by", "ada"), "no name for a server"),
        (("add", "gpu-2", "--address", "192.0.2.2", "--by", "mira"), "no admin called mira"),
        ((*ADD, "--cohort", "none"), "no cohort called none"),
        (("remove", "gpu-9", "--by", "ada"), "no server called gpu-9"),
        (("images", "gpu-9"), "no engine of its own"),
    ],
)
def test_what_can_not_be_is_refused_in_a_sentence(admin: Any, mentor: Any, words: tuple[str, ...], told: str) -> None:
    with pytest.raises(CommandError, match=told):
        run(*words)
    assert not Server.objects.exists()


def test_without_containers_there_is_nothing_to_add(admin: Any, settings: Any) -> None:
    settings.PRACTICUM_ENGINE = "local"
    with pytest.raises(CommandError, match="need container engines"):
        run("list")


def test_the_list_says_who_answers_and_for_whom_a_server_is(
    admin: Any, cohort: Any, engine: MemoryEngine, now: Any
) -> None:
    Server.objects.create(name="gpu-1")
    run(*ADD, "--cohort", cohort.slug)
    engine.others["gpu-2"] = MemoryEngine()
    engine.others["gpu-2"].is_away = True
    first, second = run("list").splitlines()
    assert "gpu-1: online; the site's engine answers; its agent is silent" in first
    assert "gpu-2: online; its own engine does not answer" in second
    assert second.endswith("given to nobody until it was looked at; for Spring 2026 only")


def test_removing_leaves_no_key_and_no_token(admin: Any, data_dir: Path) -> None:
    run(*ADD)
    run("remove", "gpu-2", "--by", "ada")
    assert not (data_dir / "servers" / "gpu-2").exists()
    assert not AgentToken.objects.filter(revoked_at__isnull=True).exists()
    server = Server.objects.get(name="gpu-2")
    assert (server.state, server.away_since) == ("offline", None)


def test_files_that_lie_on_a_server_come_here_before_it_is_removed(
    admin: Any, intern: Any, engine: MemoryEngine, now: Any, data_dir: Path
) -> None:
    run(*ADD)
    there = engine.others["gpu-2"] = MemoryEngine()
    volume = home_volume(intern.username)
    there.fill_volume(volume, iter([b"all of it"]), image="", labels={})
    Home.objects.create(user=intern, server="gpu-2", moved_at=now)
    there.is_away = True
    with pytest.raises(CommandError, match="does not answer"):
        run("remove", "gpu-2", "--by", "ada")
    assert Home.objects.get().server == "gpu-2"
    assert (data_dir / "servers" / "gpu-2").exists()
    there.is_away = False
    assert "The files of ines are here now" in run("remove", "gpu-2", "--by", "ada")
    assert (engine.contents[volume], Home.objects.get().server) == (b"all of it", "")

"""The engines of several servers: who is asked, who is silent, and whose keys open what."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from practicum.engine.authority import Authority, Pair, keep_node, write
from practicum.engine.base import Engine
from practicum.engine.memory import MemoryEngine
from practicum.engine.nodes import Nodes, ask_all
from practicum.errors import EngineUnavailable
from practicum.gpus.joining import Joining, command_of

NOW = datetime.now(UTC)


def test_a_server_that_is_slow_or_silent_is_told_apart_from_those_that_answer() -> None:
    engine = MemoryEngine()
    engine.others = {"away": MemoryEngine(), "slow": MemoryEngine(), "well": MemoryEngine()}
    engine.others["away"].is_away = True
    begun = time.monotonic()
    ended = threading.Event()

    def ask(one: Engine) -> str:
        one.ping()
        if one is engine.others["slow"]:
            ended.wait(10)
        return "here"

    survey = ask_all(engine, ask, seconds=0.2)
    ended.set()
    assert time.monotonic() - begun < 5
    assert survey.answers == {"": "here", "well": "here"}
    assert set(survey.silent) == {"away", "slow"}
    assert [survey.is_silent(name) for name in ("away", "slow", "well", "without an address")] == [
        True,
        True,
        False,
        False,
    ]
    survey.check()


def test_the_silence_of_this_machines_own_engine_is_a_fault() -> None:
    engine = MemoryEngine()
    engine.is_away = True
    survey = ask_all(engine, lambda one: one.ping())
    assert survey.is_silent("any")
    with pytest.raises(EngineUnavailable):
        survey.check()


def test_a_folder_is_a_server_by_its_name_alone(tmp_path: Path) -> None:
    nodes = Nodes(tmp_path / "servers")
    assert nodes.names() == []
    for name in ("gpu-2", ".gpu-3.new", "..", "GPU"):
        (nodes.folder / name).mkdir(parents=True, exist_ok=True)
    assert nodes.names() == ["gpu-2"]
    assert nodes.of("../servers/gpu-2") is None
    node = nodes.of("gpu-2")
    assert node is not None
    with pytest.raises(EngineUnavailable, match="gpu-2"):
        node.arguments()
    (node.folder / "address").write_text("http://192.0.2.2:2375")
    with pytest.raises(EngineUnavailable, match="none of tcp, ssh, unix"):
        node.arguments()


def test_keys_are_their_owners_alone_and_a_new_set_replaces_the_old_as_a_whole(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority", now=NOW)
    node = tmp_path / "servers" / "gpu-2"
    for address in ("192.0.2.2", "2001:db8::2"):
        keep_node(node, address=address, authority=authority)
    assert (node / "address").read_text() == "tcp://[2001:db8::2]:2376\n"
    files = [*(tmp_path / "authority").iterdir(), *node.iterdir()]
    assert len(files) == 6
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert {folder.stat().st_mode & 0o777 for folder in (tmp_path / "authority", node)} == {0o700}
    assert [entry.name for entry in node.parent.iterdir()] == ["gpu-2"]


def shake(server: ssl.SSLContext, client: ssl.SSLContext, *, name: str) -> str:
    """What becomes of a connection: ``well``, or who refused whom."""
    ends = socket.socketpair()
    refused: list[str] = []

    def serve() -> None:
        with suppress(OSError):
            try:
                with server.wrap_socket(ends[0], server_side=True) as wrapped:
                    wrapped.sendall(b"well")
            except ssl.SSLError:
                refused.append("server")

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(ends[1], server_hostname=name) as wrapped:
            said = wrapped.recv(8).decode()
    except ssl.SSLError:
        said = "client"
    thread.join()
    return refused[0] if refused and said != "client" else said


def context(purpose: ssl.Purpose, pair: Pair, *, authority: Authority, folder: Path) -> ssl.SSLContext:
    """TLS with this pair, for those of this authority."""
    write(folder / "cert.pem", pair.certificate)
    write(folder / "key.pem", pair.key)
    made = ssl.create_default_context(purpose, cadata=authority.certificate.decode())
    made.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    made.verify_mode = ssl.CERT_REQUIRED
    return made


def test_only_the_site_may_give_orders_and_only_to_the_engine_it_means(tmp_path: Path) -> None:
    ours, others = (Authority(tmp_path / name, now=NOW) for name in ("ours", "others"))
    engine = ours.of_engine("gpu-2", address="192.0.2.2")
    serving = context(ssl.Purpose.CLIENT_AUTH, engine, authority=ours, folder=tmp_path / "engine")

    def asking(pair: Pair, authority: Authority = ours) -> ssl.SSLContext:
        return context(ssl.Purpose.SERVER_AUTH, pair, authority=authority, folder=tmp_path / "asking")

    assert shake(serving, asking(ours.of_site()), name="192.0.2.2") == "well"
    assert shake(serving, asking(ours.of_site()), name="192.0.2.3") == "client"
    assert shake(serving, asking(ours.of_site(), others), name="192.0.2.2") == "client"
    assert shake(serving, asking(others.of_site()), name="192.0.2.2") != "well"
    # The key that lies on a server opens no other server's engine.
    assert shake(serving, asking(engine), name="192.0.2.2") != "well"


def test_the_authority_is_made_once(tmp_path: Path) -> None:
    first, second = (Authority(tmp_path / "authority", now=NOW) for _ in range(2))
    assert first.certificate == second.certificate


def test_the_command_for_a_new_machine_is_a_script_that_keeps_its_words_together() -> None:
    facts = {name: f"the {name}; rm -rf /" for name in Joining.__dataclass_fields__ if name != "port"}
    command = command_of(Joining(port=2376, **facts))
    checked = subprocess.run(["sh", "-n"], input=command, text=True, capture_output=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "--token 'the swarm_token; rm -rf /'" in command
    assert "umask 077" in command.splitlines()[2]

"""The program beside Squid: its list, its configuration, and how it counts. What it lets through is in tests/networks."""

from __future__ import annotations

import json

import pytest

from tests.unit.engine.programs import load

egress = load("images/egress/egress.py")
LINE = "1774800000.5 172.30.8.7 TCP_TUNNEL 1200 CONNECT pypi.org:443"
DENIED = "1774800001.5 172.30.8.7 TCP_DENIED 4000 CONNECT elsewhere.example:443"


def test_a_host_that_another_takes_with_it_is_left_out_and_so_is_what_is_none() -> None:
    text = ".hf.co\ncdn.hf.co\nhf.co\nPyPI.org  # a comment\n10.0.0.1\n*.example.org\n-x.org\nlocalhost\n"
    assert egress.hosts(text) == [".hf.co", "pypi.org"]


def test_the_list_that_ships_is_taken_whole() -> None:
    lines = (egress.HERE / "hosts.txt").read_text().splitlines()
    assert egress.hosts("\n".join(lines)) == sorted(line for line in lines if line and line[0] != "#")


def test_requests_are_counted_by_address_and_refused_ones_by_host() -> None:
    counts = egress.Counts(alarm=3)
    assert counts.take(LINE) == {
        "at": 1774800000.5, "client": "172.30.8.7", "host": "pypi.org:443", "method": "CONNECT", "refused": False, "bytes": 1200,
    }  # fmt: skip
    assert counts.take(DENIED)["refused"]
    assert counts.take("not a line of the log") is None
    row = json.loads(counts.as_json())["clients"]["172.30.8.7"]
    assert (row["allowed"], row["refused"], row["bytes"], row["alarms"]) == (1, 1, 1200, 0)
    assert row["hosts_refused"] == {"elsewhere.example:443": 1}


def test_so_many_in_a_minute_are_one_alarm() -> None:
    counts = egress.Counts(alarm=3)
    said = [counts.take(LINE) for _ in range(5)]
    assert [bool(each.get("alarm")) for each in said] == [False, False, True, False, False]
    client = counts.clients["172.30.8.7"]
    assert (client.alarms, client.alarm_requests) == (1, 5)
    counts.take(LINE.replace("1774800000", "1774800090"))
    assert client.in_minute == 1


def test_a_connection_too_many_counts_though_it_asked_for_nothing() -> None:
    counts = egress.Counts(alarm=2)
    for _ in range(2):
        counts.drop("2026/01/01 WARNING: 172.30.8.7:4242 attempting more than 64 connections.")
    counts.drop("something else")
    assert (counts.clients["172.30.8.7"].dropped, counts.clients["172.30.8.7"].alarms) == (2, 1)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://a.example/secret/token", "a.example:80"),
        ("https://a.example/x", "a.example:443"),
        ("a.example:22", "a.example:22"),
        ("[2001:db8::1]:443", "2001:db8::1:443"),
        ("error:transaction-end", "-"),
        ("http://a.example:99999/", "-"),
    ],
)
def test_of_an_address_only_host_and_port_are_told(url: str, host: str) -> None:
    assert egress.host_of(url) == host


def test_a_mirror_inside_is_the_only_private_place() -> None:
    text = egress.config({"EGRESS_MIRRORS": "pypi.lab=10.1.2.3:443"})
    assert text.index("http_access allow mirror") < text.index("http_access deny inside")
    assert "mirror" not in egress.config({})


def test_only_so_many_addresses_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(egress, "CLIENTS_KEPT", 3)
    counts = egress.Counts(alarm=9)
    for number in range(10):
        counts.take(LINE.replace("172.30.8.7", f"172.30.8.{number}"))
    assert len(counts.clients) <= 4

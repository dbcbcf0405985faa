"""The command: what it prints, in which form, and what it ends with."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from practicum_hub.workspace import cli, waiting
from tests.workspace.fake_site import FakeSite


@pytest.fixture(autouse=True)
def in_a_notebook(site: FakeSite, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment that the hub gives."""
    for name, value in site.environment(str(project)).items():
        monkeypatch.setenv(name, value)


def test_submit_says_the_number_the_address_and_what_went_along(
    site: FakeSite, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["submit"]) == 0

    said = capsys.readouterr().out
    assert f"Handed in as #1: {site.url}/submissions/1/" in said
    assert "4 files" in said
    assert "\x1b" not in said
    assert site.sources == ["terminal"]


@pytest.mark.parametrize(
    ("invalid", "code", "said"),
    [
        ("", 0, "#1 scored: accuracy 0.9710 (+0.0210, better than the baseline)"),
        ("predictions.npz has 10 rows, 360 are wanted.", 1, "#1 not valid: predictions.npz has 10 rows"),
    ],
)
def test_submit_wait_follows_to_the_end(
    site: FakeSite,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    invalid: str,
    code: int,
    said: str,
) -> None:
    def pause(_seconds: float) -> None:
        site.advance(1, invalid=invalid if site.submissions[0]["state"] == "running" else "")

    monkeypatch.setattr(waiting.follow, "__kwdefaults__", {"pause": pause})

    assert cli.main(["submit", "--wait"]) == code

    lines = capsys.readouterr().out.splitlines()
    assert "  #1 in line, place 2" in lines
    assert lines[-1].strip().startswith(said)


def test_json_is_one_object_and_nothing_else(site: FakeSite, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["submit", "--json"]) == 0
    handed = json.loads(capsys.readouterr().out)
    assert cli.main(["submit", "--json"]) == 4
    refused = json.loads(capsys.readouterr().out)
    assert cli.main(["status", "--json"]) == 0
    status = json.loads(capsys.readouterr().out)

    assert (handed["number"], handed["state"]) == (1, "received")
    assert refused["error"]["code"] == "duplicate_submission"
    assert status["submissions"][0]["number"] == 1


def test_status_shows_project_scores_and_submissions(site: FakeSite, capsys: pytest.CaptureFixture[str]) -> None:
    site.seed(count=3)

    assert cli.main(["status"]) == 0

    said = capsys.readouterr().out
    assert said.startswith("Read handwritten digits\n")
    assert "accuracy 0.9600 (baseline 0.9500, +0.0100: better than the baseline)" in said
    assert "#1 scored: accuracy 0.9400 (−0.0100, below the baseline)" in said
    assert "23 days" in said


GPU = {"place": 3, "take_by": None, "estimate": "Half start by 14:20.", "why": "All 8 slots are held."}


@pytest.mark.parametrize(
    ("gpu", "line"),
    [
        (
            GPU | {"state": "waiting", "headline": "You are 3rd in line for a GPU"},
            "You are 3rd in line for a GPU. Half start by 14:20. All 8 slots are held.",
        ),
        (
            {
                "state": "turn",
                "headline": "It is your turn: GPU 0 is kept for you until 14:30",
                "why": "",
                "estimate": "",
            },
            "It is your turn: GPU 0 is kept for you until 14:30. "
            "Move in JupyterLab's Practicum panel or on your notebook's page.",
        ),
        ({"state": "moving", "headline": "You are moving to GPU 0"}, "You are moving to GPU 0."),
    ],
)
def test_status_tells_of_the_gpu_that_is_waited_for(
    site: FakeSite, capsys: pytest.CaptureFixture[str], gpu: dict[str, object], line: str
) -> None:
    assert cli.main(["status"]) == 0
    assert "  gpu " not in capsys.readouterr().out
    site.gpu = gpu
    assert cli.main(["status"]) == 0
    assert f"  gpu      {line}\n" in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "page"), [(["open"], "/submissions/3/"), (["open", "1"], "/submissions/1/")])
def test_open_gives_the_address(
    site: FakeSite, capsys: pytest.CaptureFixture[str], arguments: list[str], page: str
) -> None:
    site.seed(count=3)

    assert cli.main(arguments) == 0
    assert capsys.readouterr().out.strip() == site.url + page


def test_open_before_the_first_submission_gives_the_site(site: FakeSite, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["open"]) == 0
    assert capsys.readouterr().out.strip() == f"{site.url}/"


def test_a_dry_run_sends_nothing(site: FakeSite, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["submit", "--dry-run"]) == 0
    assert "Nothing was sent." in capsys.readouterr().out
    assert not site.submissions


def test_each_kind_of_failure_has_its_exit_code(
    site: FakeSite, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = project / "empty"
    empty.mkdir()
    assert cli.main(["submit", str(empty)]) == 3
    site.refusal = (429, {"error": {"message": "Five a day."}})
    assert cli.main(["submit"]) == 4
    monkeypatch.setenv("PRACTICUM_API_URL", "http://127.0.0.1:9")
    assert cli.main(["submit"]) == 5
    monkeypatch.delenv("PRACTICUM_TOKEN")
    assert cli.main(["submit"]) == 6
    with pytest.raises(SystemExit) as usage:
        cli.main(["hand-in"])

    assert usage.value.code == 2
    said = capsys.readouterr()
    assert "practicum: Five a day." in said.err
    assert said.out == ""


def test_stopping_the_wait_leaves_the_submission_in(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(waiting.follow, "__kwdefaults__", {"pause": stop})

    assert cli.main(["submit", "--wait"]) == 130
    assert "stays handed in" in capsys.readouterr().out
    assert len(site.submissions) == 1


class Tty(io.StringIO):
    """A terminal that a person watches."""

    def isatty(self) -> bool:
        return True


def test_colours_are_for_a_watched_terminal_without_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    watched = cli.Terminal(out=Tty(), error=Tty())
    assert watched.paint("x", "good") == "\x1b[32mx\x1b[0m"
    assert cli.Terminal(out=io.StringIO(), error=Tty()).paint("x", "good") == "x"
    assert cli.Terminal(out=Tty(), error=Tty(), as_json=True).paint("x", "good") == "x"

    monkeypatch.setenv("NO_COLOR", "1")

    assert watched.paint("x", "good") == "x"

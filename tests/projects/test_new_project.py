"""The commands of docs/projects.md do what the page says, in its order, and end with a project that passes its check."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management.base import CommandParser

from practicum.catalog import skeleton
from practicum.catalog.services import check_in_containers
from practicum.config.management.commands.project import Command
from practicum.engine.local import LocalEngine

from .conftest import ROOT

pytestmark = pytest.mark.workspace

PAGE = ROOT / "docs" / "projects.md"


def commands() -> list[str]:
    """The lines of the page's shell blocks."""
    return "".join(
        re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    ).splitlines()


@pytest.mark.slow
def test_the_page_makes_a_project_that_passes_its_check(tmp_path: Path, workspace_python: Path) -> None:
    *here, publishing = [shlex.split(line) for line in commands()]
    said = ""
    for line in here:
        words = [str(workspace_python) if word == "$WORKSPACE_PYTHON" else word for word in line]
        program = words.pop(0)
        if program == "practicum":
            command = [sys.executable, "-c", "from practicum.config.cli import main; main()", *words]
        else:
            assert (program, words[0]) == (str(workspace_python), "tests/projects/measure.py")
            command = [program, str(ROOT / words[0]), *words[1:]]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT / "platform")},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        said += done.stdout

    assert [line[2] for line in here if line[0] == "practicum"] == ["new", "golden", "check"]
    assert "(n = 6)" in said
    assert "heart-beats: all 18 checks passed." in said
    parser = CommandParser()
    Command().add_arguments(parser)
    asked = parser.parse_args(publishing[2:])
    assert (asked.verb, asked.directory, asked.by) == ("publish", Path("projects/heart-beats"), "mira")


def test_a_new_project_on_its_own_passes_where_there_is_no_container_engine(
    tmp_path: Path, data_dir: Path, workspace_python: Path
) -> None:
    """The folder alone is enough: what evaluate.py reads predictions with lies beside the scorer's program."""
    folder = skeleton.make("heart-beats", into=tmp_path)
    engine = LocalEngine(python=str(workspace_python), state_dir=tmp_path / "engine")
    names = ("toy and split repeat", "baseline", "every format", "evaluate is pure")

    report = check_in_containers(folder, engine=engine, only=names)

    assert report.passed, "\n".join(result.line() for result in report.results)

"""The interpreter that has PyTorch, and how a test runs a few lines in it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCORER = str(ROOT / "images" / "scorer" / "programs")
PROJECTS = tuple(sorted(path.parent.name for path in (ROOT / "projects").glob("*/project.toml")))

InProject = Callable[[str, str], str]


@pytest.fixture(scope="session")
def workspace_python() -> Path:
    """The interpreter named by PRACTICUM_WORKSPACE_PYTHON; without one these tests fail, they don't skip."""
    named = os.environ.get("PRACTICUM_WORKSPACE_PYTHON", "")
    assert named, "set PRACTICUM_WORKSPACE_PYTHON to an interpreter with images/workspace/requirements.txt installed"
    return Path(named)


@pytest.fixture(scope="session")
def in_project(workspace_python: Path) -> InProject:
    """Run code with a project's folder importable, warnings as errors; what it printed."""

    def run(slug: str, code: str) -> str:
        prelude = f"import sys; sys.path[:0] = [{str(ROOT / 'projects' / slug)!r}, {SCORER!r}]\n"
        command = [str(workspace_python), "-I", "-B", "-W", "error", "-c", prelude + code]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run

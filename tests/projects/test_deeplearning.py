"""``import deeplearning`` in the interns' Python keeps its promises; each trial is in ``deeplearning_trials.py``."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from .conftest import ROOT

LIBRARY = ROOT / "images" / "workspace" / "library"
TRIALS = Path(__file__).with_name("deeplearning_trials.py")
NAMES = re.findall(r"^def trial_(\w+)\(", TRIALS.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.fixture(scope="module")
def ended(workspace_python: Path) -> dict[str, str]:
    """How each trial ended: nothing, or what went wrong. One process: importing PyTorch takes longer than most of them."""
    command = [str(workspace_python), "-I", "-B", str(TRIALS), str(LIBRARY)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.mark.workspace
@pytest.mark.parametrize("name", NAMES)
def test_it_is_so_that(name: str, ended: dict[str, str]) -> None:
    assert ended[f"trial_{name}"] == ""


@pytest.mark.workspace
def test_the_interns_python_imports_the_library_of_this_checkout(workspace_python: Path) -> None:
    code = "import importlib.util; print(importlib.util.find_spec('deeplearning').origin)"
    done = subprocess.run([str(workspace_python), "-I", "-c", code], capture_output=True, text=True, check=True)

    assert Path(done.stdout.strip()) == LIBRARY / "deeplearning" / "__init__.py", "run deploy/bootstrap.py workspace"


def bootstrap() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / "deploy" / "bootstrap.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_an_environment_is_linked_to_the_library_and_holds_no_copy(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "made")], check=True)

    bootstrap().link_library(tmp_path / "made")

    code = "import importlib.util; print(importlib.util.find_spec('deeplearning').origin)"
    done = subprocess.run([tmp_path / "made/bin/python", "-I", "-c", code], capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()) == LIBRARY / "deeplearning" / "__init__.py"
    assert not list((tmp_path / "made").rglob("deeplearning"))

"""Runs the images' programs as they are run in containers, with this Python."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[3]
PROGRAMS = {
    "score": ROOT / "images/scorer/programs/score.py",
    **{name: ROOT / f"images/workspace/programs/{name}.py" for name in ("predict", "train", "prepare")},
}


def run(program: str, *, stdin: str = "", **options: str | Path) -> subprocess.CompletedProcess[str]:
    """Run to the end."""
    arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    command = [sys.executable, "-I", "-B", str(PROGRAMS[program]), *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)


def load(path: str) -> ModuleType:
    """A script of the repository as a module, by its path below the top."""
    spec = importlib.util.spec_from_file_location(Path(path).stem.replace("-", "_") + "_script", ROOT / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module

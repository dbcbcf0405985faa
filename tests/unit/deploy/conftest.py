"""The operator's programs can be imported, and Docker is a program that does only what a test told it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
STUB = """#!{python}
import json, sys
from pathlib import Path
words = " ".join(sys.argv[1:])
with open({log!r}, "a") as log:
    log.write(words + "\\n")
for pattern, answer in json.loads(Path({told!r}).read_text()).items():
    if words.startswith(pattern):
        if words.startswith("save -o "):
            Path(sys.argv[3]).write_bytes(b"images")
        print(answer)
        sys.exit(0)
sys.exit("docker was not told: " + words)
"""

sys.path.insert(0, str(DEPLOY))


class Docker:
    """The stand-in: ``told`` is what it answers to which beginning, ``asked`` what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.log, self.file = folder / "asked", folder / "told.json"
        self.log.touch()
        self.tell({})

    def tell(self, told: dict[str, str]) -> None:
        """From now on, answer this."""
        self.file.write_text(json.dumps(told))

    @property
    def asked(self) -> list[str]:
        """Each call, in order."""
        return self.log.read_text().splitlines()


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Docker:
    """``docker`` on PATH, and nothing else of that name."""
    folder = tmp_path / "programs"
    folder.mkdir()
    made = Docker(folder)
    program = folder / "docker"
    program.write_text(STUB.format(python=sys.executable, log=str(made.log), told=str(made.file)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return made


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """``typed("a", "b")``: what the operator answers, question by question."""

    def answer(*lines: str) -> None:
        left = iter(lines)
        monkeypatch.setattr("builtins.input", lambda _prompt: next(left))

    return answer

"""``make attacks``: ``python -m tests.attacks [--json FILE] [--page] [what pytest takes]``.

Engine, images and Chromium are found, or installed and started, as for ``make test``. The table is printed at the end;
the exit code is 0 only if every attack was contained and succeeded in its weak control.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.attacks.report import JSON_VARIABLE, write_page
from tests.tools.run import PYTHON, ROOT, need_chromium, need_engine


def main() -> int:
    """Run the attacks; pytest's exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path, help="write what was found to this file")
    parser.add_argument("--page", action="store_true", help="renew the tables of docs/security.md")
    options, more = parser.parse_known_args()
    need_chromium()
    env, started = need_engine()
    with tempfile.TemporaryDirectory() as folder:
        found = options.json.resolve() if options.json else Path(folder, "attacks.json")
        code = _run(env | {JSON_VARIABLE: str(found)}, more=more, started=started)
        if options.page and not code:
            write_page(ROOT / "docs/security.md", found=found)
    return code


def _run(env: dict[str, str], *, more: list[str], started: bool) -> int:
    command = [PYTHON, "-m", "pytest", "-q", "--tb=short", "-n", "2", "-m", "attack", "tests/attacks", *more]
    try:
        return subprocess.run(command, cwd=ROOT, env=os.environ | env, check=False).returncode
    finally:
        if started:
            subprocess.run([sys.executable, str(ROOT / "deploy" / "engine.py"), "stop"], check=False)


if __name__ == "__main__":
    sys.exit(main())

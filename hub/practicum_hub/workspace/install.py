"""Puts the workspace tools into the environment of the Python that runs this file: ``/opt/venv/bin/python install.py``.

Copies the package, the JupyterLab extension and the settings, and writes the command ``practicum``. Run again, it
replaces what it put there. Standard library only; no network, no compiler.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
import sysconfig
from pathlib import Path

HERE = Path(__file__).resolve().parent
DIGEST_LENGTH = 12
NOT_COPIED = shutil.ignore_patterns("__pycache__", "*.pyc", "labextension", "etc", "install.py")
COMMAND = """\
#!{python} -I
import sys
from practicum_hub.workspace.cli import main
sys.exit(main())
"""


def install(*, prefix: Path, packages: Path, python: Path) -> list[Path]:
    """Everything is in place under ``prefix``; returns what was written."""
    package = packages / "practicum_hub" / "workspace"
    package.parent.mkdir(parents=True, exist_ok=True)
    (package.parent / "__init__.py").write_text('"""What runs inside a Practicum notebook lives in ``workspace``."""\n')
    shutil.rmtree(package, ignore_errors=True)
    shutil.copytree(HERE, package, ignore=NOT_COPIED)
    labextension = prefix / "share" / "jupyter" / "labextensions" / "practicum"
    _install_labextension(labextension)
    settings = {
        "jupyter_server_practicum.json": prefix / "etc" / "jupyter" / "jupyter_server_config.d" / "practicum.json",
        "jupyter_lab_config.json": prefix / "etc" / "jupyter" / "jupyter_lab_config.json",
        "page_config.json": prefix / "etc" / "jupyter" / "labconfig" / "page_config.json",
        "ipython_config.py": prefix / "etc" / "ipython" / "ipython_config.py",
    }
    for name, target in settings.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(HERE / "etc" / name, target)
    command = prefix / "bin" / "practicum"
    command.write_text(COMMAND.format(python=python))
    command.chmod(0o755)
    return [package, labextension, *settings.values(), command]


def _install_labextension(target: Path) -> None:
    """The static files lie in a folder named by their content, so that no browser shows those of an older version."""
    static, running = HERE / "labextension" / "static", hashlib.sha256()
    for path in sorted(static.iterdir()):
        running.update(path.name.encode() + b"\0" + path.read_bytes())
    folder = f"static/{running.hexdigest()[:DIGEST_LENGTH]}"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(static, target / folder)
    shutil.copytree(HERE / "labextension" / "schemas", target / "schemas")
    manifest = json.loads((HERE / "labextension" / "package.json").read_text())
    manifest["jupyterlab"]["_build"]["load"] = f"{folder}/remoteEntry.js"
    (target / "package.json").write_text(json.dumps(manifest, indent=2) + "\n")


def main() -> int:
    """Install into this interpreter's environment."""
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    prefix = Path(sys.prefix)
    for path in install(prefix=prefix, packages=Path(sysconfig.get_path("purelib")), python=Path(sys.executable)):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())

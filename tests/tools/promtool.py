"""Prometheus' own tool for rules: the one on the PATH, else the one of Debian's package, unpacked into a folder of ours once.

Nothing is installed and no service is started: the program needs nothing beside it (19 MB, a few seconds).
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

KEPT = Path.home() / ".cache" / "practicum" / "promtool"
PACKAGE = "prometheus"


def promtool() -> str:
    """Where the program is.

    Raises:
        RuntimeError: it is not here and can't be had.
    """
    found = shutil.which("promtool")
    if found:
        return found
    if not KEPT.exists():
        _unpack()
    return str(KEPT)


def _unpack() -> None:
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise RuntimeError("promtool is missing: install Prometheus, which brings it.")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        if not _download(folder):
            subprocess.run(["apt-get", "update"], check=True, stdout=subprocess.DEVNULL)
            if not _download(folder):
                raise RuntimeError(f"promtool is missing, and apt-get does not give the package {PACKAGE}.")
        (package,) = folder.glob("*.deb")
        subprocess.run(["dpkg-deb", "-x", str(package), name], check=True)
        KEPT.parent.mkdir(parents=True, exist_ok=True)
        # Moved beside its place, then into it: another test process may do the same.
        fresh = Path(tempfile.mkdtemp(dir=KEPT.parent)) / "promtool"
        shutil.move(folder / "usr/bin/promtool", fresh)
        fresh.replace(KEPT)
        fresh.parent.rmdir()


def _download(folder: Path) -> bool:
    command = ["apt-get", "download", "-q", PACKAGE]
    return subprocess.run(command, cwd=folder, check=False, capture_output=True).returncode == 0

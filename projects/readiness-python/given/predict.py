"""Runs what you mended on data you have not seen. Nothing is to be changed here.

``parcel/`` is installed with pip, without a network, and asked for prices in a process of its own; the functions of
``clean.py`` are called row by row.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import traceback
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path

import numpy as np

PRICES, DAYS, WEIGHTS, KEPT = 1, 2, 3, 4
PATIENCE_SECONDS = 60
ASK = """
import json, sys
sys.path.insert(0, sys.argv[1])
from parcel import quote
parcels = json.load(sys.stdin)
half = len(parcels) // 2
first = list(quote(parcels[:half]))[:half]
second = list(quote(parcels[half:]))[: len(parcels) - half]
print(json.dumps([float(price) for price in first + second]))
"""


def predict(artifact: Path, inputs: Path, out: Path) -> None:
    """Write out/predictions.npz: the value of every row of your variant, 0 in the others'."""
    del artifact
    run(Path(__file__).resolve().parent, inputs, out)


def run(folder: Path, inputs: Path, out: Path) -> None:
    """The same, of what lies in ``folder``. A part that fails prints why and counts as not done."""
    sys.path.insert(0, str(folder))
    variant = int(json.loads((folder / "answers.json").read_text(encoding="utf-8"))["variant"])
    with np.load(inputs / "inputs.npz", allow_pickle=False) as held:
        ids = held["id"]
    hidden = json.loads((inputs / f"hidden-{variant}.json").read_text(encoding="utf-8"))
    rows = hidden["rows"]
    parts = {
        PRICES: lambda: prices(folder / "parcel", hidden["parcels"]),
        DAYS: lambda: [_ordinal(_tried("day", row["day"])) for row in rows],
        WEIGHTS: lambda: [_number(_tried("kilograms", row["weight"])) for row in rows],
        KEPT: lambda: [float(bool(kept)) for kept in importlib.import_module("clean").keep(rows)],
    }
    value = np.zeros(len(ids))  # ids are sorted
    for task, part in parts.items():
        try:
            found = np.nan_to_num(np.array(part(), dtype=np.float64), nan=-2.0, posinf=-2.0, neginf=-2.0)
            value[np.searchsorted(ids, hidden["ids"][str(task)])] = found
        except Exception:
            traceback.print_exc()
    np.savez(out / "predictions.npz", id=ids, variant=np.full(len(ids), variant), value=value)


def prices(package: Path, parcels: list[dict[str, int]]) -> list[float]:
    """What the installed package asks for each parcel.

    Raises:
        RuntimeError: it can't be installed, lacks what it depends on, or ends badly; says what Python said.
    """
    with tempfile.TemporaryDirectory() as place:
        source, site = Path(place, "parcel"), Path(place, "site")
        shutil.copytree(package, source)
        options = (
            "--no-index",
            "--no-deps",
            "--no-build-isolation",
            "--no-cache-dir",
            "--no-compile",
            "--quiet",
            "--no-input",
        )
        _run([sys.executable, "-m", "pip", "install", *options, "--target", str(site), str(source)], place=place)
        _depends(site)
        said = _run([sys.executable, "-B", "-c", ASK, str(site)], stdin=json.dumps(parcels), place=place)
    return json.loads(said.splitlines()[-1])


def _depends(site: Path) -> None:
    """What the installed package says it needs is there."""
    from packaging.requirements import Requirement

    for package in distributions(path=[str(site)]):
        for needed in map(Requirement, package.requires or []):
            try:
                there = version(needed.name)
            except PackageNotFoundError:
                raise RuntimeError(f"parcel needs {needed}, and no such package is installed") from None
            if not needed.specifier.contains(there, prereleases=True):
                raise RuntimeError(f"parcel needs {needed}; version {there} is installed")


def _run(command: list[str], *, place: str, stdin: str = "") -> str:
    """What a process printed that ended well."""
    environment = os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        command, input=stdin, capture_output=True, text=True, timeout=PATIENCE_SECONDS, cwd=place, env=environment
    )
    if done.returncode:
        raise RuntimeError((done.stdout + done.stderr).strip()[-3000:])
    return done.stdout


def _tried(function: str, text: str):
    """What the function of clean.py makes of the text, or why it makes nothing of it."""
    try:
        return getattr(importlib.import_module("clean"), function)(text)
    except Exception as error:
        return error


def _ordinal(day) -> float:
    return -1.0 if day is None else float(day.toordinal()) if hasattr(day, "toordinal") else -2.0


def _number(weight) -> float:
    return -1.0 if weight is None else float(weight) if isinstance(weight, int | float) else -2.0

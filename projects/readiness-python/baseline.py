"""An honest quarter: weights are read however they were typed, everything else is as it was given.

Claim: 0.25 of the bars held on every secret (n = 10 split secrets, variant 1), in less than a second on one processor
core, 2026-11-29. The package keeps its four faults, only ISO days are read, and every row is kept.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from pathlib import Path

VARIANT = 1
GIVEN = "    return float(text)\n"
READ = """    said = text.strip().lower()
    unit = said.lstrip("0123456789., ")
    if unit not in KILOGRAMS:
        return None
    figures = said.removesuffix(unit).strip()
    if "," in figures and "." in figures:
        thousands = min(",.", key=figures.index)
        figures = figures.replace(thousands, "")
    return float(figures.replace(",", ".")) * KILOGRAMS[unit]


KILOGRAMS = {"kg": 1.0, "g": 0.001, "t": 1000.0, "lb": 0.45359237}
"""


def train(public: Path, artifact: Path, budget: float) -> None:
    """Copy what is given, mend one function of clean.py, write answers.json. ``budget`` is in seconds; this needs less."""
    del budget
    artifact.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(public / "predict.py", artifact / "predict.py")
    shutil.copytree(public / f"variant-{VARIANT}" / "parcel", artifact / "parcel")
    given = (public / "clean.py").read_text(encoding="utf-8")
    (artifact / "clean.py").write_text(given.replace(GIVEN, READ), encoding="utf-8")
    (artifact / "answers.json").write_text(json.dumps({"variant": VARIANT}), encoding="utf-8")


def predict(artifact: Path, inputs: Path, out: Path) -> None:
    """Run what lies in the artifact as an attempt is run."""
    spec = importlib.util.spec_from_file_location("given_predict", artifact / "predict.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    module.run(artifact, inputs, out)

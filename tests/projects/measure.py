"""Measures a project's baseline: ``measure.py <project> --mode toy|local|full --runs N``, run by the workspace's interpreter.

Each run is one triple of toy seed, split secret and training seed, and goes the whole way: data, ``split``, ``train``,
``predict``, ``evaluate``. What is printed is each run's metrics and seconds, then mean, standard deviation (n - 1) and n of
each, and what they were measured with: the figures of a claim.

``local`` reads real data that lie on this machine, for a project whose data.py has ``local(raw, folder)``; ``--data`` or the
environment variable PRACTICUM_TEST_DATA names the folder. Local and full data are written once and split anew in each
run. ``--set NAME=VALUE`` measures a variant of the baseline: another value of one of its constants.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import importlib
import inspect
import json
import os
import platform
import statistics
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SCORER = ROOT / "images" / "scorer" / "programs"
MODES = ("toy", "local", "full")


class CantMeasure(Exception):
    """What is missing before anything can be measured; the message says what to give."""


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when every run was measured, 2 when something is missing."""
    options = parsed(arguments)
    places = (Path(options.project), ROOT / "projects" / options.project)
    project = next((place.resolve() for place in places if (place / "project.toml").is_file()), None)
    if project is None:
        print(f"{options.project} is no folder with a project.toml, and no name in projects/.", file=sys.stderr)
        return 2
    sys.path[:0] = [str(project), str(SCORER)]
    try:
        measured = measure(project, options)
    except CantMeasure as missing:
        print(missing, file=sys.stderr)
        return 2
    if options.json:
        options.json.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    return 0


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="measure.py", description="Measure a project's baseline.")
    parser.add_argument("project", help="the project's folder, or its name where it ships")
    parser.add_argument("--mode", choices=MODES, default="toy", help="on which data (default: toy)")
    parser.add_argument("--runs", type=int, default=6, metavar="N", help="how many triples (default: 6)")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="local: where the real data lie")
    parser.add_argument("--raw", type=Path, metavar="FOLDER", help="full: where downloads are kept between calls")
    parser.add_argument("--budget", type=float, metavar="SECONDS", help="what train is given (default: project.toml)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a constant of baseline.py, for this time"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all of it here as well")
    options = parser.parse_args(arguments)
    if options.runs < 1:
        parser.error("--runs must be at least 1")
    return options


def measure(project: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Every run's metrics and seconds, their summary, and what they were measured with; printed as they come.

    Raises:
        CantMeasure: local data are wanted and there are none, or data.py can't read them.
    """
    data, baseline, evaluate = (importlib.import_module(name) for name in ("data", "baseline", "evaluate"))
    changed = [given(baseline, text) for text in options.set]
    facts = tomllib.loads((project / "project.toml").read_text(encoding="utf-8"))
    toy, budget = options.mode == "toy", facts["budget"]
    seconds = options.budget or (float(budget["toy_seconds"]) if toy else 3600.0 * budget["gpu_hours"])
    measured: dict[str, Any] = {"slug": project.name, "mode": options.mode, "budget_seconds": seconds, "runs": []}
    measured |= dict(changed) | conditions()
    print(", ".join(f"{name} {value}" for name, value in measured.items() if name != "runs"), flush=True)
    with tempfile.TemporaryDirectory(prefix="practicum-measure-") as folder:
        raw = options.raw if options.raw and options.mode == "full" else Path(folder, "raw")
        if not toy:
            real(data, raw, options)
        for run in range(options.runs):
            work = Path(folder, f"run-{run}")
            where = work / "raw" if toy else raw
            if toy:
                data.toy(where, run)
            metrics, took = one_run(data, baseline, evaluate, run=run, raw=where, work=work, budget=seconds)
            measured["runs"].append({"metrics": metrics, "seconds": took})
            print(f"run {run}: {told(metrics)}; {told(took, digits=1)} s", flush=True)
    measured["summary"] = summary(measured["runs"])
    for name, (mean, deviation, count) in measured["summary"].items():
        print(f"{name}: {mean:.4f} +- {deviation:.4f} (n = {count})")
    return measured


def given(baseline: Any, text: str) -> tuple[str, Any]:
    """Give a constant of the baseline another value for this process: its name and value.

    Raises:
        CantMeasure: the baseline has no such constant, or the value is no JSON.
    """
    name, _, value = text.partition("=")
    if not hasattr(baseline, name):
        raise CantMeasure(f"--set {text}: baseline.py has no {name}.")
    try:
        setattr(baseline, name, json.loads(value))
    except json.JSONDecodeError:
        raise CantMeasure(f"--set {text}: the value must be JSON, such as 4, true or [1, 2].") from None
    return name, getattr(baseline, name)


def real(data: Any, raw: Path, options: argparse.Namespace) -> None:
    """Write the raw form of the full data, or of the real data that lie on this machine."""
    if options.mode == "full":
        data.fetch(raw)
        return
    named = options.data or os.environ.get("PRACTICUM_TEST_DATA")
    if not named:
        raise CantMeasure("--mode local needs real data: give their folder with --data or PRACTICUM_TEST_DATA.")
    if not hasattr(data, "local"):
        raise CantMeasure(f"{options.project}: data.py has no local(raw, folder).")
    try:
        data.local(raw, Path(named))
    except FileNotFoundError as missing:
        raise CantMeasure(f"--mode local needs {missing.filename}, and there is no such file.") from None


def one_run(
    data: Any, baseline: Any, evaluate: Any, *, run: int, raw: Path, work: Path, budget: float
) -> tuple[dict[str, float], dict[str, float]]:
    """Split with the run's secret, train with its seed, predict, evaluate: the metrics, and the seconds of each step."""
    public, private, out = work / "public", work / "private", work / "out"
    out.mkdir(parents=True)
    secret = hashlib.sha256(f"practicum measure {run}".encode()).digest()
    took: dict[str, float] = {}

    def timed(name: str, step: Callable[[], Any]) -> Any:
        started = time.perf_counter()
        answer = step()
        took[name] = time.perf_counter() - started
        return answer

    timed("split", lambda: data.split(raw, public, private, secret))
    timed("train", lambda: train(baseline, public, work / "artifact", budget, seed=run))
    timed("predict", lambda: baseline.predict(work / "artifact", private / "inputs", out))
    metrics = timed("evaluate", lambda: evaluate.evaluate(out, private / "answers"))
    return metrics, took


def train(baseline: Any, public: Path, artifact: Path, budget: float, *, seed: int) -> None:
    """Train with this seed, given as ``train``'s fourth argument or as the module's ``SEED``, where it has either."""
    if len(inspect.signature(baseline.train).parameters) == 4:
        baseline.train(public, artifact, budget, seed)
        return
    if hasattr(baseline, "SEED"):
        baseline.SEED = seed
    baseline.train(public, artifact, budget)


def conditions() -> dict[str, Any]:
    """What the figures were measured with."""
    versions: dict[str, Any] = {"python": platform.python_version()}
    for name in ("numpy", "torch"):
        try:
            versions[name] = importlib.import_module(name).__version__
        except ImportError:
            versions[name] = None
    torch = sys.modules.get("torch")
    device = torch.cuda.get_device_name() if torch and torch.cuda.is_available() else "none"
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return versions | {"gpu": device, "processors": os.cpu_count(), "date": today}


def summary(runs: Sequence[dict[str, dict[str, float]]]) -> dict[str, tuple[float, float, int]]:
    """Mean, standard deviation and n of each metric, and of the seconds of each step."""
    values: dict[str, list[float]] = {}
    for run in runs:
        for name, value in run["metrics"].items():
            values.setdefault(name, []).append(value)
        for name, value in run["seconds"].items():
            values.setdefault(f"{name} seconds", []).append(value)
    return {
        name: (statistics.fmean(held), statistics.stdev(held) if len(held) > 1 else 0.0, len(held))
        for name, held in values.items()
    }


def told(values: dict[str, float], *, digits: int = 4) -> str:
    """Names and values in one line."""
    return ", ".join(f"{name} {value:.{digits}f}" for name, value in values.items())


if __name__ == "__main__":
    sys.exit(main())

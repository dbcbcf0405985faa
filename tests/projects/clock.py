"""Measures the baseline of a timed project by the platform's clock: ``clock.py <slug> --runs N``, from the top of a checkout.

Each run is one triple of toy seed, split secret and training seed. It is one process of ``predict.py`` of the workspace image:
from its start to its end, importing PyTorch included, as the runner times a container. The processor's seconds stand beside,
because on a machine that others use they say more. With ``--data`` the data are those of data.py's ``local``.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "platform"))

from practicum.catalog.manifest import load_manifest  # noqa: E402
from practicum.catalog.programs import Programs, run_process  # noqa: E402

PREPARE = """
import pathlib, sys
sys.path.insert(0, sys.argv[1])
import data
raw, public, private, seed, folder, secret = pathlib.Path(sys.argv[2]), *sys.argv[3:]
data.local(raw, pathlib.Path(folder)) if folder else data.toy(raw, int(seed))
data.split(raw, pathlib.Path(public), pathlib.Path(private), bytes.fromhex(secret))
"""


def main() -> int:
    """Print each run, then mean and standard deviation."""
    parser = argparse.ArgumentParser(description="Measure a timed project's baseline by the platform's clock.")
    parser.add_argument("slug")
    parser.add_argument("--runs", type=int, default=6)
    parser.add_argument("--data", default="", help="a folder of real data, for data.py's local()")
    parser.add_argument("--submission", type=Path, help="a predict.py to time in place of the baseline")
    options = parser.parse_args()
    python = Path(os.environ["PRACTICUM_WORKSPACE_PYTHON"]).absolute()
    project = ROOT / "projects" / options.slug
    manifest = load_manifest(project)
    found: dict[str, list[float]] = {}
    for run in range(options.runs):
        with tempfile.TemporaryDirectory(prefix="practicum-clock-") as folder:
            work = Path(folder)
            programs = Programs(run_process, python, work)
            places = [str(work / name) for name in ("raw", "public", "private")]
            secret = hashlib.sha256(f"practicum measure {run}".encode()).hexdigest()
            words = [str(project), *places, str(run), options.data, secret]
            made = run_process(
                [str(python), "-I", "-B", "-c", PREPARE, *words], stdin="", environment={}, cwd=work, limit_seconds=900
            )
            assert made.exit_code == 0, made.stderr
            (work / "submission").mkdir()
            shutil.copy(options.submission or project / "baseline.py", work / "submission" / "predict.py")
            done = programs.train_and_predict(
                work / "submission",
                public=work / "public",
                inputs=work / "private" / "inputs",
                out=work / "out",
                budget_seconds=3600 * manifest.budget.gpu_hours,
                seed=run,
            )
            metrics = programs.score(
                project,
                predictions=work / "out",
                answers=work / "private" / "answers",
                limit_seconds=60,
                ran_seconds=done.seconds,
            )
            assert isinstance(metrics, dict), metrics
            metrics |= {"processor": done.cpu_seconds}
            print(f"run {run}: " + ", ".join(f"{name} {value:.4f}" for name, value in metrics.items()), flush=True)
            for name, value in metrics.items():
                found.setdefault(name, []).append(value)
    for name, values in found.items():
        deviation = statistics.stdev(values) if len(values) > 1 else 0.0
        print(f"{name}: {statistics.fmean(values):.4f} +- {deviation:.4f} (n = {len(values)})")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Runs the work of this bundle again: ``python replay.py [--work FOLDER]``. Needs the packages of requirements.txt and torch.txt.

The project's own ``data.py`` makes its toy data anew and splits them with a secret that everybody knows (it is in
bundle.json), so no hidden label of any site is needed, or here. The submission's code is run on the test part of that
split, and the project's ``evaluate.py`` scores it. The last line is JSON: ``{"value": …, "expected": …, "same": …}``.
A value that is a time, where bundle.json says ``is_timed``, is measured anew here and compared with nothing.

Exit codes: 0 the expected value, or none was recorded; 1 another value; 2 a step failed. The code is that of the person who
handed it in: run it where you would run a stranger's program.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PYTHON = (sys.executable, "-I", "-B")
OTHER, FAILED = 1, 2


class StepFailedError(Exception):
    """One of the three programs ended otherwise than well."""


def step(name: str, words: Sequence[str | Path], *, stdin: str = "", keep: bool = False) -> str:
    """Run one program of the bundle; what it printed, where that is to be kept.

    Raises:
        StepFailedError: it failed.
    """
    done = subprocess.run(
        [*PYTHON, str(HERE / "programs" / name), *map(str, words)],
        input=stdin,
        stdout=subprocess.PIPE if keep else sys.stderr,
        text=True,
        check=False,
    )
    if done.returncode:
        raise StepFailedError(f"{name} ended with code {done.returncode}")
    return done.stdout or ""


def words_of(bundle: dict[str, Any], *, public: Path, inputs: Path, out: Path) -> tuple[str, list[str | Path]]:
    """Which program runs the submission, and its options."""
    places: list[str | Path] = ["--submission", HERE / "submission", "--inputs", inputs, "--out", out]
    if bundle["kind"] == "notebook":
        return "notebook.py", [*places, "--public", public, "--notebook", bundle["notebook"]]
    seed = [] if bundle["seed"] is None else ["--seed", str(bundle["seed"])]
    train: list[str | Path] = []
    if bundle["train_seconds"]:
        train = ["--public", public, "--budget", str(bundle["train_seconds"])]
    return "predict.py", [*places, *seed, *train]


def replay(bundle: dict[str, Any], *, work: Path) -> float:
    """Make the data, run the submission, score it; the ranking metric in its digits.

    Raises:
        StepFailedError: one of them failed, or the predictions are not valid.
    """
    raw, public, private, out = (work / name for name in ("raw", "public", "private", "out"))
    out.mkdir()
    split: list[str | Path] = ["--raw", raw, "--public", public, "--private", private]
    made: list[str | Path] = ["--project", HERE / "project", "--mode", "toy", "--seed", str(bundle["toy_seed"]), *split]
    step("prepare.py", made, stdin=f"{bundle['secret']}\n")
    name, words = words_of(bundle, public=public, inputs=private / "inputs", out=out)
    began = time.monotonic()
    step(name, words)
    seconds = round(time.monotonic() - began, 1)
    scored: list[str | Path] = ["--project", HERE / "project", "--predictions", out, "--answers", private / "answers"]
    if bundle.get("is_timed"):
        (work / "run.json").write_text(json.dumps({"seconds": seconds}), encoding="utf-8")
        scored += ["--run", work / "run.json"]
    answer = json.loads(step("score.py", scored, keep=True))
    if "metrics" not in answer:
        raise StepFailedError(f"the predictions are not valid: {answer.get('invalid')}")
    return float(round(float(answer["metrics"][bundle["metric"]]), int(bundle["digits"])))


def main(argv: Sequence[str] | None = None) -> int:
    """Replay and compare; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--work", type=Path, help="an empty folder for data and predictions; without it a temporary one"
    )
    options = parser.parse_args(argv)
    bundle = json.loads((HERE / "bundle.json").read_text(encoding="utf-8"))
    try:
        if options.work:
            value = replay(bundle, work=options.work.resolve())
        else:
            with tempfile.TemporaryDirectory() as folder:
                value = replay(bundle, work=Path(folder).resolve())
    except StepFailedError as fault:
        print(f"The replay failed: {fault}.", file=sys.stderr)
        return FAILED
    expected = None if bundle.get("is_timed") else bundle.get("expected")
    print(json.dumps({"value": value, "expected": expected, "same": expected is None or value == expected}))
    return 0 if expected is None or value == expected else OTHER


if __name__ == "__main__":
    sys.exit(main())

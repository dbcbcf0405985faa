"""Runs an intern's ``predict`` on hidden inputs: ``predict.py --submission DIR --inputs DIR --out DIR [--seed N]``.

With ``--public DIR --budget SECONDS --seed N`` the intern's ``train`` makes the artifact first, from the public data and
that seed, in a folder of this process; what was handed in as ``artifact/`` is not looked at.

A seed is also in the environment as PRACTICUM_SEED. It seeds ``random`` before the intern's code is loaded, and NumPy
and PyTorch, where that code has loaded them, before ``train`` and before ``predict``.

Exit codes: 0 done; 3 the intern's code raised (traceback on stderr); 4 there is no ``predict.py``, or no ``predict`` or
``train`` in it. An intern's code can end the process with any code or none, so what counts is only what the scorer makes
of ``out``.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import random
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

RAISED = 3
MISSING = 4
PREDICT = "Define predict(artifact, inputs, out) in predict.py, at the top of what you hand in."
TRAIN = "This project trains what you hand in: define train(public, artifact, budget, seed) in predict.py too."
NUMPY_SEEDS = 2**32


class MissingError(Exception):
    """The submission has no function to run."""


def load(submission: Path) -> ModuleType:
    """The submission's module; its folder is importable and the working directory, as it was for the intern.

    Raises:
        MissingError: there is no such file.
    """
    file = submission / "predict.py"
    if not file.is_file():
        raise MissingError(f"There is no predict.py. {PREDICT}")
    sys.path.insert(0, str(submission))
    os.chdir(submission)
    spec = importlib.util.spec_from_file_location("predict", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["predict"] = module
    spec.loader.exec_module(module)
    return module


def function_of(module: ModuleType, name: str, *, how: str) -> Callable[..., Any]:
    """The submission's function of that name.

    Raises:
        MissingError: it defines none.
    """
    function = getattr(module, name, None)
    if not callable(function):
        raise MissingError(f"predict.py defines no function {name}. {how}")
    return function  # type: ignore[no-any-return]


def plant(seed: int | None) -> None:
    """Seed what makes random numbers and is loaded; nothing without a seed."""
    if seed is None:
        return
    random.seed(seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed % NUMPY_SEEDS)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


def run(options: argparse.Namespace) -> None:
    """Load, train where that is asked for, predict.

    Raises:
        MissingError: a function is missing.
    """
    submission, inputs, out = (folder.resolve() for folder in (options.submission, options.inputs, options.out))
    public = options.public.resolve() if options.public else None
    if options.seed is not None:
        os.environ["PRACTICUM_SEED"] = str(options.seed)
    plant(options.seed)
    module = load(submission)
    predict = function_of(module, "predict", how=PREDICT)
    artifact = submission / "artifact"
    if public is not None:
        train = function_of(module, "train", how=TRAIN)
        artifact = Path(tempfile.mkdtemp(prefix="artifact-"))
        plant(options.seed)
        train(public, artifact, options.budget, options.seed)
    plant(options.seed)
    predict(artifact, inputs, out)


def main(argv: Sequence[str] | None = None) -> int:
    """Run it; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name in ("submission", "inputs", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--public", type=Path, help="train first, from these data; needs --budget and --seed")
    parser.add_argument("--budget", type=float, help="seconds")
    options = parser.parse_args(argv)
    if options.public and (options.budget is None or options.seed is None):
        parser.error("--public needs --budget and --seed")
    try:
        run(options)
    except MissingError as missing:
        print(missing, file=sys.stderr)
        return MISSING
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:
        traceback.print_exc()
        return RAISED
    return 0


if __name__ == "__main__":
    sys.exit(main())

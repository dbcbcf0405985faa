"""``practicum project check <folder>``: does a project keep the promises of its format?

Every check runs, prints a line, and says what a mentor must mend. The project's code runs only in other processes
(``programs.py``), on toy data split with secrets made up for the check. Pure Python, no Django.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from practicum.catalog import hostile
from practicum.catalog.bars import golden_bars, remedies_are_there
from practicum.catalog.checked import PREDICTIONS, Checked
from practicum.catalog.formats import written_as
from practicum.catalog.leaks import Fault, another_secret_hides_others, nothing_leaks, parts_are_disjoint
from practicum.catalog.manifest import ManifestInvalid
from practicum.catalog.npz import read_npz
from practicum.catalog.programs import IMAGES, Completed, ProgramFailed, Programs, Runner, run_process, this_python
from practicum.catalog.report import Report, Result
from practicum.catalog.shown import write_shown
from practicum.lib.digest import digest_tree

FILES = ("project.toml", "README.md", "data.py", "baseline.py", "evaluate.py", "start.ipynb", "golden/golden.toml")
README_WORDS = 1100  # two printed pages
NOTEBOOK_SECONDS = 120  # twice what is promised to an intern, for a busy machine
SECRETS = tuple(hashlib.sha256(f"practicum project check {n}".encode()).digest() for n in (1, 2))
SEED = 0
CORES = 2  # what toy_seconds is promised on; a busier machine is judged by processor time
TOLERANCE = 1e-9
DEVIATIONS = 3.0
OTHER_MACHINE = 5.0  # a baseline that is timed takes at most this many times its anchor, or this part of it


def check_project(
    directory: Path,
    *,
    python: Path | None = None,
    runner: Runner = run_process,
    images: Path = IMAGES,
    say: Callable[[str], None] = lambda _line: None,
    only: Collection[str] | None = None,
    work_in: Path | None = None,
) -> Report:
    """Run every check on the project in ``directory``; ``say`` gets a line as each one ends.

    ``only`` names the checks to run, with what they need; without it all run. ``work_in`` is where the work folder is
    made; without it, where temporary files go.
    ``python`` is an interpreter that has what the project's code imports; without one, this process's own.
    """
    results: list[Result] = []
    digest = digest_tree(directory)
    with tempfile.TemporaryDirectory(prefix="practicum-check-", dir=work_in, ignore_cleanup_errors=True) as folder:
        work = Path(folder).resolve()
        copy = work / "project"
        shutil.copytree(directory, copy, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"))
        # No symbolic link is resolved: that of a virtual environment's interpreter is what makes it one.
        programs = Programs(runner, (python or this_python()).absolute(), work, images)
        project = Checked(copy, work, programs)
        broken: set[str] = set()
        for name, (check, needs) in CHECKS.items():
            if only is not None and name not in only:
                continue
            result = _run(name, check, needs & broken, project)
            if result.verdict != "ok":
                broken.add(name)
            results.append(result)
            say(result.line())
    return Report(directory.resolve().name, digest, tuple(results), is_complete=only is None)


def _run(name: str, check: Callable[[Checked], str], missing: set[str], project: Checked) -> Result:
    if missing:
        return Result(name, "not run", f"first mend: {', '.join(sorted(missing))}", 0.0)
    started = time.monotonic()
    try:
        verdict, detail = "ok", check(project)
    except (Fault, ProgramFailed, ManifestInvalid) as fault:
        verdict, detail = "MEND", str(fault)
    except (OSError, ValueError, KeyError) as fault:
        verdict, detail = "MEND", f"what the project wrote can't be read: {type(fault).__name__}: {fault}"
    return Result(name, verdict, detail.replace(f"{project.work}/", ""), time.monotonic() - started)


def _files(project: Checked) -> str:
    missing = [name for name in FILES if not (project.directory / name).is_file()]
    if missing:
        raise Fault(f"missing: {', '.join(missing)}")
    words = len((project.directory / "README.md").read_text(encoding="utf-8").split())
    if words > README_WORDS:
        raise Fault(f"README.md has {words} words; a brief of two pages has at most {README_WORDS}")
    return f"{len(FILES)} files, a brief of {words} words"


def _manifest(project: Checked) -> str:
    manifest = project.manifest
    remedies_are_there(project.directory, manifest.readiness)
    bars = f", {len(manifest.readiness.bars)} bars" if manifest.readiness else ""
    milestones = len(manifest.milestones)
    return f"{len(manifest.anchors)} anchors, {milestones} milestones, {len(manifest.rubric)} questions{bars}"


def _notebook_is_clean(project: Checked) -> str:
    notebook = json.loads((project.directory / "start.ipynb").read_text(encoding="utf-8"))
    cells = notebook["cells"]
    dirty = [cell.get("id", "?") for cell in cells if cell.get("outputs") or cell.get("execution_count") is not None]
    if dirty:
        raise Fault(f"clear the outputs of start.ipynb (cells {', '.join(dirty)})")
    ids = [cell.get("id") for cell in cells]
    if None in ids or len(set(ids)) != len(ids):
        raise Fault("every cell of start.ipynb needs an id of its own (nbformat 4.5): reviews hang on them")
    if not any("%practicum submit" in "".join(cell["source"]) for cell in cells):
        raise Fault("start.ipynb never says %practicum submit: the first hour ends with handing in")
    return f"{len(cells)} cells"


def _same_twice(project: Checked) -> str:
    limit = 4.0 * project.manifest.budget.toy_seconds
    seconds = 0.0
    for name, secret in (("first", SECRETS[0]), ("again", SECRETS[0]), ("other", SECRETS[1])):
        seconds = project.programs.prepare(
            project.directory, seed=SEED, secret=secret, into=project.work / name, limit_seconds=limit
        )
    for part in ("public", "private"):
        if digest_tree(project.first / part) != digest_tree(project.work / "again" / part):
            raise Fault(f"toy and split with the same seed and secret wrote different bytes under {part}/")
    return f"byte-identical, {seconds:.1f} s each"


def _another_secret(project: Checked) -> str:
    return another_secret_hides_others(project.first, project.work / "other")


def _disjoint(project: Checked) -> str:
    return parts_are_disjoint(project.first)


def _nothing_leaks(project: Checked) -> str:
    return nothing_leaks(project.first)


def _baseline(project: Checked) -> str:
    manifest = project.manifest
    budget = manifest.budget.toy_seconds
    trained = _with_a_seed(project) if manifest.evaluation.trains_with_seeds else _trained_once(project)
    project.score = project.judge(project.predictions)
    if project.metric not in project.score:
        raise Fault(f"evaluate returns {', '.join(project.score)}, but metric.name is {project.metric}")
    if trained.seconds > budget and trained.cpu_seconds > CORES * budget:
        took = f"{trained.seconds:.1f} s ({trained.cpu_seconds:.1f} s of processor time)"
        raise Fault(f"the baseline took {took} on toy data; budget.toy_seconds is {budget}, on {CORES} cores")
    anchor = manifest.baseline_for("toy")
    assert anchor is not None  # load_manifest refuses a project without one
    score, tolerance = project.score[project.metric], DEVIATIONS * (anchor.spread or manifest.metric.noise)
    if manifest.evaluation.timed:
        if not anchor.value / OTHER_MACHINE <= score <= anchor.value * OTHER_MACHINE:
            raise Fault(f"the baseline scored {score:.4f}; its anchor says {anchor.value}, more than 5 times off")
        return f"{score:.4f} (anchor {anchor.value}, on another machine up to 5 times that)"
    if abs(score - anchor.value) > tolerance:
        raise Fault(f"the baseline scored {score:.4f}; its anchor says {anchor.value} and allows ± {tolerance:.4f}")
    return f"{score:.4f} (anchor {anchor.value} ± {tolerance:.3f}), trained in {trained.seconds:.1f} s"


def _trained_once(project: Checked) -> Completed:
    """Train, hand in what came of it, predict; how the training went."""
    manifest, first, submission = project.manifest, project.first, project.work / "submission"
    trained = project.programs.train(
        project.directory,
        public=first / "public",
        artifact=submission / "artifact",
        budget_seconds=manifest.budget.toy_seconds,
    )
    shutil.copy(project.directory / "baseline.py", submission / "predict.py")
    predicted = project.programs.predict(
        submission,
        inputs=first / "private" / "inputs",
        out=project.predictions,
        limit_seconds=manifest.budget.eval_seconds,
    )
    project.seconds = _undisturbed(predicted)
    return trained


def _with_a_seed(project: Checked) -> Completed:
    """Hand baseline.py in as it is, and train and predict in one go with a seed, as the evaluation does."""
    submission = project.work / "submission"
    submission.mkdir()
    shutil.copy(project.directory / "baseline.py", submission / "predict.py")
    done = project.programs.train_and_predict(
        submission,
        public=project.first / "public",
        inputs=project.first / "private" / "inputs",
        out=project.predictions,
        budget_seconds=project.manifest.budget.toy_seconds,
        seed=SEED,
    )
    project.seconds = _undisturbed(done)
    return done


def _undisturbed(done: Completed) -> float:
    """How long it would have taken at most on a machine of its own: beside other work, what the processor spent."""
    return min(done.seconds, done.cpu_seconds)


def _beats_the_mindless(project: Checked) -> str:
    mindless: dict[str, Callable[[int], list[int]]] = {
        "constant": lambda count: [0] * count,
        "shuffled": lambda count: random.Random(SEED).sample(range(count), count),
    }
    metric, scores = project.manifest.metric, {}
    for name, order in mindless.items():
        out = project.rewritten(name=name, keep={"id"}, order=order)
        scores[name] = project.judge(out)[project.metric]
        margin = metric.noise if metric.goal == "max" else -metric.noise
        if not metric.better(project.score[project.metric], than=scores[name] + margin):
            raise Fault(f"the baseline is no better than {name} predictions ({scores[name]:.4f})")
    project.constant_score = scores["constant"]
    return ", ".join(f"{name} {score:.4f}" for name, score in scores.items())


def _shown_part(project: Checked) -> str:
    """The hidden part can be divided as publishing divides it, and ``evaluate`` judges the shown rows alone."""
    share = project.manifest.split.shown
    private = project.work / "shown"
    shutil.copytree(project.first / "private", private)
    count = write_shown(private, share=share, key=SECRETS[0])
    if share >= 1.0:
        return "interns see the score of the whole hidden part (split.shown = 1.0)"
    shown = project.programs.score_shown(
        project.directory,
        predictions=project.predictions,
        answers=private / "answers",
        limit_seconds=project.manifest.budget.eval_seconds,
        ran_seconds=project.told(),
    )
    if shown is None or project.metric not in shown:
        raise Fault("evaluate can't judge the shown rows alone; mend it, or set split.shown = 1.0")
    return f"{count} rows, {shown[project.metric]:.4f} on them and {project.score[project.metric]:.4f} on all"


def _every_format(project: Checked) -> str:
    """The baseline's predictions score the same from each file that interns may hand in."""
    declared, files = project.manifest.submission.columns, project.manifest.submission.files
    columns = read_npz(project.predictions / PREDICTIONS)
    if columns.keys() != declared.keys():
        raise Fault(f"the baseline writes {', '.join(columns)}; submission.columns says {', '.join(declared)}")
    ordered = {name: columns[name] for name in declared}
    for file in files:
        content = written_as(file, ordered)
        if content is None:
            continue
        out = project.work / "formats" / file
        out.mkdir(parents=True)
        (out / file).write_bytes(content)
        answer = project.judge_any(out, project.answers)
        if answer != project.score:
            raise Fault(f"the baseline's predictions as {file}: {answer}; as {PREDICTIONS} they scored {project.score}")
    return f"the same score from {', '.join(files)}"


def _golden(project: Checked) -> str:
    golden = project.directory / "golden"
    cases = tomllib.loads((golden / "golden.toml").read_text(encoding="utf-8")).get("cases", [])
    names = {case["name"] for case in cases}
    if not {"perfect", "baseline", "constant"} <= names or not any(name.startswith("malformed-") for name in names):
        raise Fault("golden.toml needs the cases perfect, baseline, constant and at least one malformed-...")
    wrong = [fault for case in cases if (fault := _golden_fault(project, case))]
    if wrong:
        raise Fault("\n".join(wrong))
    golden_bars(project.manifest.readiness, cases)
    return f"{len(cases)} cases"


def _golden_fault(project: Checked, case: Mapping[str, Any]) -> str:
    """What is wrong with one case, or nothing."""
    name, golden = case["name"], project.directory / "golden"
    answer = project.judge_any(golden / name, golden / "answers", seconds=case.get("seconds", 0.0))
    if isinstance(answer, str):
        return "" if answer == case.get("message") else f"{name}: refused with {answer!r}"
    if "metrics" not in case:
        return f"{name}: must be refused, but scored {answer}"
    if name == "perfect" and case["metrics"].get(project.metric) != project.manifest.metric.best:
        return f"perfect: must score metric.best, {project.manifest.metric.best}"
    tolerance = case.get("tolerance", TOLERANCE)
    expected = case["metrics"]
    same = answer.keys() == expected.keys() and all(abs(answer[key] - expected[key]) <= tolerance for key in expected)
    return "" if same else f"{name}: scored {answer}, expected {expected}"


def _pure(project: Checked) -> str:
    foreign = project.programs.foreign_imports(project.directory)
    if foreign:
        raise Fault(f"evaluate.py imports {', '.join(foreign)}; the scorer has the standard library and numpy")
    again = {
        "a second time": project.judge(project.predictions),
        "under python -O": project.judge(project.predictions, optimised=True),
    }
    if not project.manifest.submission.ordered:
        backwards = project.rewritten(name="backwards", keep=set(), order=lambda count: list(range(count))[::-1])
        again["with its rows in reversed order"] = project.judge(backwards)
    for name, metrics in again.items():
        if metrics != project.score:
            raise Fault(f"evaluate gave {metrics} {name}, and {project.score} before")
    return f"the same numbers {', '.join(again)}; numpy only"


def _notebook_runs(project: Checked) -> str:
    """The first hour runs and ends with something to hand in, which is scored as an intern's would be."""
    folder, kind = project.work / "home", project.manifest.submission.kind
    folder.mkdir()
    shutil.copy(project.directory / "start.ipynb", folder)
    if kind == "predictions":  # publishing gives interns what their predictions are of
        shutil.copytree(project.inputs, project.first / "public" / "inputs")
    pictures, seconds = project.programs.run_notebook(
        folder / "start.ipynb", public=project.first / "public", limit_seconds=NOTEBOOK_SECONDS
    )
    if not pictures:
        raise Fault("start.ipynb draws nothing: the first hour shows one plot worth looking at")
    out, ran = _handed_in(project, folder, kind=kind)
    score = project.judge(out, seconds=ran)[project.metric]
    return f"{seconds:.0f} s, {pictures} pictures, its submission scores {score:.4f}"


def _handed_in(project: Checked, folder: Path, *, kind: str) -> tuple[Path, float]:
    """Where the predictions lie that come of what start.ipynb leaves in ``folder``, and the seconds its code ran."""
    submission, out = folder / "submission", project.work / "notebook-out"
    limit = project.manifest.budget.eval_seconds
    if kind == "predictions":
        if not any((submission / name).is_file() for name in project.manifest.submission.files):
            raise Fault(f"start.ipynb leaves no submission/{project.manifest.submission.files[0]} behind")
        return submission, 0.0
    public = project.first / "public"
    if kind == "notebook":
        project.programs.run_clean(folder, public=public, inputs=project.inputs, out=out, limit_seconds=limit)
        return out, 0.0
    if not (submission / "predict.py").is_file():
        raise Fault("start.ipynb leaves no submission/predict.py behind")
    if project.manifest.evaluation.retrain:
        budget = project.manifest.budget.toy_seconds
        done = project.programs.train_and_predict(
            submission, public=public, inputs=project.inputs, out=out, budget_seconds=budget, seed=SEED
        )
    else:
        done = project.programs.predict(submission, inputs=project.inputs, out=out, limit_seconds=limit)
    return out, _undisturbed(done)


CHECKS: dict[str, tuple[Callable[[Checked], str], set[str]]] = {
    "the six files": (_files, set()),
    "project.toml": (_manifest, {"the six files"}),
    "start.ipynb is clean": (_notebook_is_clean, {"the six files"}),
    "toy and split repeat": (_same_twice, {"project.toml"}),
    "the secret decides": (_another_secret, {"toy and split repeat"}),
    "ids and groups are disjoint": (_disjoint, {"toy and split repeat"}),
    "nothing leaks": (_nothing_leaks, {"toy and split repeat"}),
    "baseline": (_baseline, {"toy and split repeat"}),
    "baseline beats the mindless": (_beats_the_mindless, {"baseline", "toy and split repeat"}),
    "the shown part": (_shown_part, {"baseline", "toy and split repeat"}),
    "every format": (_every_format, {"baseline", "toy and split repeat"}),
    "golden cases": (_golden, {"project.toml"}),
    "evaluate is pure": (_pure, {"baseline", "toy and split repeat"}),
    "a malformed submission": (hostile.malformed, {"baseline", "toy and split repeat"}),
    "a crashing submission": (hostile.crashing, {"baseline beats the mindless"}),
    "an endless submission": (hostile.endless, {"baseline beats the mindless"}),
    "a cheating submission": (hostile.cheating, {"baseline beats the mindless"}),
    "start.ipynb runs": (_notebook_runs, {"start.ipynb is clean", "toy and split repeat"}),
}


def main(argv: Sequence[str] | None = None) -> int:
    """``check <folder> [--python FILE]``: 0 when every check passed, 1 when something is to mend, 2 on misuse."""
    parser = argparse.ArgumentParser(prog="practicum project check", description="Check a project's folder.")
    parser.add_argument("directory", type=Path, help="the project's folder, with project.toml in it")
    parser.add_argument("--python", type=Path, help="an interpreter that has what the project imports (PyTorch)")
    options = parser.parse_args(argv)
    if not options.directory.is_dir():
        print(f"{options.directory} is not a folder.", file=sys.stderr)
        return 2
    if options.python is not None and not options.python.is_file():
        print(f"{options.python} is not an interpreter.", file=sys.stderr)
        return 2
    report = check_project(options.directory, python=options.python, say=lambda line: print(line, flush=True))
    print(report.summary())
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main())

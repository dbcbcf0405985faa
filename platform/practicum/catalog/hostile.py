"""Submissions that must not get through: malformed, crashing, endless and cheating ones, tried on a project under check.

They run through the same programs as an intern's. Malformed predictions must be refused with a message for the intern
and must never break ``evaluate.py``; code that crashes or never ends must end as its own fault; a cheat must get no more
than a constant answer does.
"""

from __future__ import annotations

import io
import shutil
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

from practicum.catalog.checked import PREDICTIONS, Checked
from practicum.catalog.formats import as_npz, broken_files
from practicum.catalog.leaks import Fault
from practicum.catalog.npz import Rows, npy_header, read_npz, write_npz
from practicum.catalog.programs import Completed, ProgramFailed

LONGEST_MESSAGE = 600  # of what a refusal says, this much reaches the intern
UNSAID = "The predictions were refused."  # what the scorer says where evaluate.py says nothing
ENDLESS_SECONDS = 2.0
RAISED = 3  # what predict.py of the workspace image ends with when the submission's code raised
NOT_A_NUMBER = {"f4": struct.pack("<f", float("nan")), "f8": struct.pack("<d", float("nan"))}
UNTAKEN_ID = struct.pack("<q", 5)

CRASHING = """
def predict(artifact, inputs, out):
    (out / "predictions.npz").write_bytes(b"half a file")
    raise ValueError("row 7 has no pixels")
"""
ENDLESS = """
import subprocess, sys

def predict(artifact, inputs, out):
    subprocess.Popen([sys.executable, "-c", "while True: pass"])
    while True:
        pass
"""
CHEAT = """
import json, os, pathlib, shutil, sys, zipfile

BEST, METRIC = BEST_OF, NAME_OF

def found(inputs):
    for file in sorted(path for folder in (inputs, inputs.parent) for path in folder.rglob("*.npz")):
        with zipfile.ZipFile(file) as held:
            for name in held.namelist():
                yield file, name, held.read(name)

def head(content):
    return content[: content.index(b"\\n") + 1]

def predict(artifact, inputs, out):
    shutil.copy(artifact / "predictions.npz", out / "predictions.npz")
    attempt(artifact, inputs, out)

def attempt(artifact, inputs, out):
"""
CHEATS = {
    "looks for the answers beside its inputs": """
    with zipfile.ZipFile(artifact / "predictions.npz") as held:
        mine = {name: held.read(name) for name in held.namelist()}
    for file, name, content in found(inputs):
        if file.parent not in (artifact, out) and name != "id.npy":
            mine |= {key: content for key in mine if key != "id.npy" and head(content) == head(mine[key])}
    with zipfile.ZipFile(out / "predictions.npz", "w") as archive:
        for name, content in mine.items():
            archive.writestr(name, content)
""",
    "writes score files": """
    for name in ("metrics.json", "score.json", "scores.json", "result.json", "scores.txt"):
        (out / name).write_text(json.dumps({METRIC: BEST, "metrics": {METRIC: BEST}}))
""",
    "prints a score and ends at once": """
    print(json.dumps({"metrics": {METRIC: BEST}}), flush=True)
    os._exit(0)
""",
    "patches the metric": """
    code = f"InvalidSubmission = ValueError\\ndef evaluate(*_): return {{{METRIC!r}: {BEST!r}}}\\n"
    for name in ("evaluate.py", "sitecustomize.py", "usercustomize.py", "numpy.py", "zipfile.py", "conftest.py"):
        (out / name).write_text(code)
    sys.modules["evaluate"] = sys.modules["__main__"]
    sys.modules["__main__"].evaluate = lambda *_: {METRIC: BEST}
""",
    "links to where the answers may lie": """
    (out / "predictions.npz").unlink()
    (out / "predictions.npz").symlink_to("../answers/answers.npz")
""",
}


def malformed(project: Checked) -> str:
    """Every malformed form of the baseline's predictions is refused with a message."""
    columns = read_npz(project.predictions / PREDICTIONS)
    cases = malformed_cases(columns, files=project.manifest.submission.files)
    faults: list[str] = []
    for name, write in cases.items():
        out = project.work / "malformed" / name.replace(" ", "-")
        out.mkdir(parents=True)
        write(out)
        faults.extend(fault for fault in [_fault_of_refusal(project, out, name=name)] if fault)
    out = project.work / "malformed" / "pickle"
    out.mkdir()
    (out / PREDICTIONS).write_bytes(pickled(columns))
    faults.extend(fault for fault in [_fault_of_refusal(project, out, name="a pickle in place of an array")] if fault)
    if (project.work / "unpickled").exists():
        faults.append("evaluate.py unpickled what an intern wrote, which runs the intern's code beside the answers")
    if faults:
        raise Fault("\n".join(faults))
    return f"{len(cases) + 1} kinds, each refused with a message"


def _fault_of_refusal(project: Checked, out: Path, *, name: str) -> str:
    """What is wrong with how these predictions were refused, or nothing."""
    try:
        answer = project.judge_any(out, project.answers)
    except ProgramFailed as fault:
        last = str(fault).splitlines()[-1]
        return f"{name}: evaluate.py broke with {last}; raise InvalidSubmission with what the intern should mend"
    if not isinstance(answer, str):
        return f"{name}: must be refused, but scored {answer}"
    if answer == UNSAID:
        return f"{name}: refused without a word; say in InvalidSubmission what the intern should mend"
    if len(answer) > LONGEST_MESSAGE:
        return f"{name}: the refusal has {len(answer)} characters; say what to mend in at most {LONGEST_MESSAGE}"
    return ""


def arrays(columns: Mapping[str, Rows]) -> Callable[[Path], None]:
    """What writes these predictions into a folder."""
    return lambda folder: write_npz(folder / PREDICTIONS, columns)


def content(name: str, held: bytes) -> Callable[[Path], None]:
    """What writes a file of these bytes into a folder."""

    def write(folder: Path) -> None:
        (folder / name).write_bytes(held)

    return write


def malformed_cases(columns: Mapping[str, Rows], *, files: tuple[str, ...]) -> dict[str, Callable[[Path], None]]:
    """What each kind writes to ``out/``, made from valid predictions."""
    values = [name for name in columns if name != "id"]

    ids = columns["id"].rows
    twice = {**columns, "id": _with_rows(columns["id"], (*ids[:1], *ids[:1], *ids[2:]))}
    unknown = {**columns, "id": _with_rows(columns["id"], (UNTAKEN_ID, *ids[1:]))}
    whole = as_npz(columns)
    cases = {
        "nothing": lambda _out: None,
        "a file cut short": content(PREDICTIONS, whole[: len(whole) // 2]),
        "a row too few": arrays({name: _with_rows(held, held.rows[:-1]) for name, held in columns.items()}),
        "an id twice": arrays(twice),
        "an unknown id": arrays(unknown),
        **{f"no bytes in {name}": content(name, b"") for name in files},
        **{f"no table in {name}": content(name, b"\xff\xfe\x00 no table\n") for name in files},
        **{f"no column {name}": arrays({k: v for k, v in columns.items() if k != name}) for name in (*values, "id")},
        **{f"{name} shorter than id": arrays({**columns, name: _shorter(columns[name])}) for name in values},
    }
    cases |= {fault: content(name, held) for fault, (name, held) in broken_files(files, columns).items()}
    for name in values:
        if columns[name].kind in NOT_A_NUMBER:
            cases[f"a nan in {name}"] = arrays({**columns, name: _with_nan(columns[name])})
    return cases


def _with_rows(column: Rows, rows: tuple[bytes, ...]) -> Rows:
    return Rows(column.kind, column.row_shape, rows)


def _shorter(column: Rows) -> Rows:
    return _with_rows(column, column.rows[:-1])


def _with_nan(column: Rows) -> Rows:
    broken = NOT_A_NUMBER[column.kind]
    return _with_rows(column, (broken + column.rows[0][len(broken) :], *column.rows[1:]))


def pickled(columns: Mapping[str, Rows]) -> bytes:
    """The predictions with every column but id as an array of objects; loaded, it makes ``unpickled`` two folders up."""
    argv = "__import__('sys').argv"
    place = f"{argv}[{argv}.index('--predictions') + 1] + '/../../unpickled'"
    payload = f"cbuiltins\nexec\n(Vopen({place}, 'w').close()\ntR.".encode()
    packed = io.BytesIO()
    write_npz(packed, {"id": columns["id"]})
    with zipfile.ZipFile(packed, "a") as archive:
        for name in columns:
            if name != "id":
                count = len(columns[name].rows)
                archive.writestr(zipfile.ZipInfo(f"{name}.npy"), npy_header("|O", (count,)) + payload)
    return packed.getvalue()


def crashing(project: Checked) -> str:
    """Code that raises ends with its last line, and what it left is no prediction."""
    done, out = _attempt(project, name="crashing", code=CRASHING, limit_seconds=project.manifest.budget.eval_seconds)
    last = (done.stderr.strip().splitlines() or [""])[-1]
    if done.exit_code != RAISED or last != "ValueError: row 7 has no pixels":
        raise Fault(f"code that raises must end with its last line, but ended with code {done.exit_code}: {last}")
    if fault := _fault_of_refusal(project, out, name="what a crash left behind"):
        raise Fault(fault)
    return f"the intern reads: Your code stopped with {last}"


def endless(project: Checked) -> str:
    """Code that never ends is stopped at its limit, and what it left is no prediction."""
    done, out = _attempt(project, name="endless", code=ENDLESS, limit_seconds=ENDLESS_SECONDS)
    if done.exit_code is not None:
        raise Fault(f"code that never ends must be stopped, but ended with code {done.exit_code}")
    if fault := _fault_of_refusal(project, out, name="what an endless run left behind"):
        raise Fault(fault)
    limit = project.manifest.budget.eval_seconds
    return f"stopped after {done.seconds:.0f} s, the limit of this check (the project's is {limit} s)"


def cheating(project: Checked) -> str:
    """No cheat gets more than constant predictions do."""
    metric = project.manifest.metric
    head = CHEAT.replace("BEST_OF", repr(metric.best)).replace("NAME_OF", repr(metric.name))
    faults = []
    for number, (name, code) in enumerate(CHEATS.items(), start=1):
        done, out = _attempt(
            project, name=f"cheat-{number}", code=head + code, limit_seconds=project.manifest.budget.eval_seconds
        )
        answer = project.judge_any(out, project.answers, seconds=done.seconds)
        margin = metric.noise if metric.goal == "max" else -metric.noise
        if isinstance(answer, dict) and metric.better(answer[metric.name], than=project.constant_score + margin):
            faults.append(
                f"a submission that {name} scored {answer[metric.name]:.4f}; constant predictions get "
                f"{project.constant_score:.4f}"
            )
    if faults:
        raise Fault("\n".join(faults))
    return f"{len(CHEATS)} cheats, none better than constant predictions ({project.constant_score:.4f})"


def _attempt(project: Checked, *, name: str, code: str, limit_seconds: float) -> tuple[Completed, Path]:
    """Run a submission with this ``predict.py``, its artifact constant predictions, on inputs in a place of their own."""
    place = project.work / name
    submission, inputs, out = place / "submission", place / "inputs", place / "out"
    (submission / "artifact").mkdir(parents=True)
    (submission / "predict.py").write_text(code, encoding="utf-8")
    shutil.copy(project.work / "constant" / PREDICTIONS, submission / "artifact")
    shutil.copytree(project.inputs, inputs)
    return project.programs.attempt(submission, inputs=inputs, out=out, limit_seconds=limit_seconds), out

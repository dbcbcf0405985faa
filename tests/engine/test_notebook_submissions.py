"""A notebook that is handed in is run from clean in the untrusted container, and what it leaves is held against itself."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from practicum.engine.docker import DockerEngine
from practicum.evaluation import executed, services, tasks
from practicum.evaluation.models import Run
from practicum.lib.clock import utc_now
from practicum.submissions.models import Source
from tests.engine import doubling
from tests.unit.submissions import zips

pytestmark = pytest.mark.engine

EVALUATE = """
import json

class InvalidSubmission(Exception):
    pass

def evaluate(predictions, answers):
    if not (predictions / "predictions.json").is_file():
        raise InvalidSubmission("predictions.json is missing")
    given, truth = (json.loads(f.read_text()) for f in (predictions / "predictions.json", answers / "y.json"))
    return {"accuracy": sum(a == b for a, b in zip(given, truth)) / len(truth)}
"""
PREDICT = """import json, os, pathlib
data, inputs, out = (pathlib.Path(os.environ[f"PRACTICUM_{name}"]) for name in ("DATA", "INPUTS", "OUT"))
factor = int((data / "factor.txt").read_text())
(out / "predictions.json").write_text(json.dumps([factor * n for n in json.loads((inputs / "x.json").read_text())]))
"""
# What a kernel of its own process would find: its folder first, its own name, children of every kind.
AT_HOME = """import multiprocessing, os, subprocess, sys
import helper
print(helper.__file__ == os.path.abspath("helper.py"), __name__, sys.argv[0].endswith("ipykernel_launcher.py"))
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(pool.map(abs, [-1, -2]), subprocess.run(["echo", "child"], capture_output=True, text=True).stdout)
!echo shell
"""
LATER = """import atexit, json, pathlib
@atexit.register
def last():
    (pathlib.Path(os.environ["PRACTICUM_OUT"]) / "predictions.json").write_text(json.dumps([2, 4, 6, 8]))
"""
LOOK_AROUND = """import glob, socket
print(glob.glob("/answers*"), glob.glob("../answers*"), sorted(glob.glob("*")))
try:
    socket.create_connection(("192.0.2.1", 80), 1)
except OSError as refusal:
    print(type(refusal).__name__)
"""


def notebook(*cells: tuple[str, str]) -> bytes:
    """Cells of source and what they printed when they were handed in."""
    held = [
        {
            "cell_type": "code", "id": f"c{place}", "metadata": {}, "source": source, "execution_count": place,
            "outputs": [{"output_type": "stream", "name": "stdout", "text": printed}] if printed else [],
        }
        for place, (source, printed) in enumerate(cells)
    ]  # fmt: skip
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return json.dumps({"cells": held, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}).encode()


@pytest.fixture
def engine(settings: Any) -> Iterator[DockerEngine]:
    """The real engine; whatever a test leaves behind fails it, and is removed."""
    settings.PRACTICUM_INSTANCE = f"test-{uuid.uuid4().hex[:12]}"
    with doubling.left_clean(DockerEngine(), instance=settings.PRACTICUM_INSTANCE) as engine:
        yield engine


@pytest.fixture
def evaluated(internship: Any, engine: DockerEngine, settings: Any) -> Callable[..., Run]:
    """``evaluated(cells)``: that notebook handed in and brought to its end."""
    version = internship.version
    version.image = settings.PRACTICUM_WORKSPACE_IMAGE
    version.manifest["submission"] |= {"kind": "notebook", "files": ["predictions.json"]}
    version.manifest["budget"] |= {"memory_gb": 1, "eval_seconds": 30}
    version.save()
    (version.folder / "project/evaluate.py").write_text(EVALUATE)
    (version.folder / "public/factor.txt").write_text("2")
    (version.hidden_folder / "inputs/x.json").write_text("[1, 2, 3, 4]")
    (version.hidden_folder / "answers/y.json").write_text("[2, 4, 6, 9]")

    def run(*cells: tuple[str, str]) -> Run:
        files = {"mine.ipynb": notebook(*cells), "artifact/w.txt": b"1", "helper.py": b"pass"}
        archive = zips.zip_of(files)
        submission = services.hand_in(
            internship, archive=archive, source=Source.TERMINAL, actor=internship.intern, now=utc_now()
        )
        assert tasks.claim_and_run(utc_now(), engine=engine, worker_name="test")
        return submission.runs.get()

    return run


def test_a_notebook_that_does_not_give_the_same_again_is_scored_and_said_to_differ(
    evaluated: Callable[..., Run],
) -> None:
    run = evaluated(
        (PREDICT + "print('accuracy', 0.5 + 0.25)", "accuracy 0.912\n"),
        ("print(object())", "<object object at 0x7f0000000000>\n"),
        (LOOK_AROUND, "[] [] ['artifact', 'helper.py', 'mine.ipynb']\nOSError\n"),
        ("%practicum submit --wait", "handed in\n"),
    )

    assert (run.state, run.reason, run.score.value) == ("scored", "", 0.75)
    told = [row["sentence"] for row in run.reproduction["differences"]]
    assert (told, run.reproduction["compared"]) == (["cell 1: 0.912 handed in, 0.75 when run again"], 3)
    kept = json.loads((executed.folder() / executed.name_of(run.executed)).read_bytes())
    assert kept["cells"][0]["outputs"][0]["text"] == "accuracy 0.75\n"


def test_a_notebook_that_stops_says_at_which_cell_and_one_that_floods_is_ended(evaluated: Callable[..., Run]) -> None:
    stopped = evaluated(("1", ""), ("raise ValueError('no\\nluck')", ""))
    flooding = evaluated(("while True:\n    print('y' * 1000)", ""))

    assert (stopped.state, stopped.reason) == ("failed", "Cell 2 raised ValueError: no luck")
    assert (flooding.state, flooding.reason) == ("failed", "Cell 1 put out more than 1 MB. Print less.")
    assert stopped.executed


def test_cells_find_themselves_where_a_process_of_their_own_would_be(evaluated: Callable[..., Run]) -> None:
    run = evaluated((AT_HOME, ""), (LATER, ""))

    kept = json.loads((executed.folder() / executed.name_of(run.executed)).read_bytes())
    printed = "".join(output["text"] for output in kept["cells"][0]["outputs"])
    assert printed.split() == ["True", "__main__", "True", "[1,", "2]", "child", "shell"]
    assert (run.state, run.score.value) == ("scored", 0.75)  # what a cell leaves to its process's end is done

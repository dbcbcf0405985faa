"""A tiny project to evaluate on the real engine: the inputs are numbers, the label of each is its double.

Its answers carry a canary, a random word that nothing an intern wrote may ever see.
"""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from practicum.engine import LABEL_INSTANCE
from practicum.engine.docker import DockerEngine
from tests.unit.submissions import zips

NUMBERS = list(range(10))
EVALUATE = """
import json

import numpy as np

class InvalidSubmission(Exception):
    pass

def evaluate(predictions, answers):
    file, table = predictions / "predictions.json", predictions / "predictions.npy"
    if table.is_file():
        try:
            given = np.load(table, allow_pickle=False).tolist()
        except ValueError as fault:
            raise InvalidSubmission("predictions.npy is no table of numbers") from fault
    elif file.exists():
        given = json.loads(file.read_text())
    else:
        raise InvalidSubmission("predictions.json is missing")
    truth = json.loads((answers / "labels.json").read_text())
    if len(given) != len(truth):
        raise InvalidSubmission(f"There are {len(given)} predictions; there must be {len(truth)}.")
    return {"accuracy": sum(a == b for a, b in zip(given, truth)) / len(truth)}
"""
BASELINE = """
def train(public, artifact, budget):
    (artifact / "factor.txt").write_text((public / "factor.txt").read_text())

def predict(artifact, inputs, out):
    import json
    factor = int((artifact / "factor.txt").read_text())
    (out / "predictions.json").write_text(json.dumps([factor * n for n in json.loads((inputs / "x.json").read_text())]))
"""


def publish(version: Any, *, settings: Any, memory_gb: float = 0.25, seconds: int = 20) -> str:
    """Fill a version's folders with the project, for an instance of this test's own; returns the canary."""
    settings.PRACTICUM_INSTANCE = f"test-{uuid.uuid4().hex[:12]}"
    canary = f"CANARY-{secrets.token_hex(16)}"
    version.image = settings.PRACTICUM_WORKSPACE_IMAGE
    version.manifest = version.manifest | {
        "budget": version.manifest["budget"] | {"memory_gb": memory_gb, "eval_seconds": seconds},
        "submission": version.manifest["submission"] | {"per_day": 50},
    }
    version.save()
    (version.folder / "project/evaluate.py").write_text(EVALUATE)
    (version.folder / "project/baseline.py").write_text(BASELINE)
    (version.folder / "project/start.ipynb").write_bytes(zips.NOTEBOOK)
    (version.folder / "public/factor.txt").write_text("2")
    (version.hidden_folder / "inputs/x.json").write_text(json.dumps(NUMBERS))
    (version.hidden_folder / "answers/labels.json").write_text(json.dumps([2 * n for n in NUMBERS]))
    (version.hidden_folder / "answers/canary.txt").write_text(canary)
    return canary


@contextmanager
def left_clean(engine: DockerEngine, *, instance: str) -> Iterator[DockerEngine]:
    """The real engine; whatever is left behind of this instance fails the test, and is removed."""
    engine.ping()
    mine = {LABEL_INSTANCE: instance}
    yield engine
    containers, volumes = engine.list(mine), engine.list_volumes(mine)
    for container in containers:
        engine.remove(container.id)
    for volume in volumes:
        engine.remove_volume(volume.name)
    engine.close()
    assert (containers, volumes) == ([], [])

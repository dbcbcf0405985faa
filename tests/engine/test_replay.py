"""The replay bundle in the real image: it runs there without a network, and gives a number."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from practicum.catalog.manifest import load_manifest
from practicum.catalog.services import _as_json
from practicum.config.engine import site_engine
from practicum.credentials import replaying
from practicum.credentials.models import Certificate
from tests.unit.portal.conftest import hand_in

__all__ = ["hand_in"]

pytestmark = pytest.mark.engine
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def work(internship: Any, hand_in: Any, settings: Any) -> Any:
    """A submission to the real project ``digits`` that always says 0."""
    version = internship.version
    version.manifest = json.loads(json.dumps(_as_json(load_manifest(ROOT / "projects" / "digits"))))
    version.image = settings.PRACTICUM_WORKSPACE_IMAGE
    version.save()
    shutil.rmtree(version.folder / "project")
    shutil.copytree(ROOT / "projects" / "digits", version.folder / "project")
    submission = hand_in(internship, number=1, value=0.9)
    submission.folder.mkdir(parents=True)
    (submission.folder / "predict.py").write_text(
        "import numpy as np\n\n\ndef predict(artifact, inputs, out):\n"
        "    ids = np.load(inputs / 'inputs.npz')['id']\n"
        "    np.savez(out / 'predictions.npz', id=ids, label=np.zeros(len(ids), dtype=np.int64))\n"
    )
    return submission


def test_a_bundle_runs_in_the_image_without_a_network(work: Any, now: Any) -> None:
    certificate = Certificate(internship=work.internship, submission=work, begun_at=now, place=0)

    found = replaying.replay(certificate, engine=site_engine())

    assert 0.05 < found["value"] < 0.2


def test_code_that_fails_gives_a_reason_and_no_value(work: Any, now: Any) -> None:
    (work.folder / "predict.py").write_text("def predict(artifact, inputs, out):\n    raise RuntimeError\n")
    certificate = Certificate(internship=work.internship, submission=work, begun_at=now, place=0)

    assert set(replaying.replay(certificate, engine=site_engine())) == {"reason"}

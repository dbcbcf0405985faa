"""The replay bundle: nothing hidden is in it, and whoever runs its commands gets what the site got."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import shutil
import subprocess
import zipfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import nbformat
import pytest

from practicum.catalog.manifest import load_manifest
from practicum.catalog.services import _as_json
from practicum.credentials import bundles, replaying
from practicum.credentials.models import Certificate
from practicum.engine import Container
from practicum.engine.local import LocalEngine
from practicum.internships.services import complete_internship

ROOT = Path(__file__).resolve().parents[3]
REPLAY = replaying.replay  # the ``certificate`` fixture puts another in its place
CANARY = b"hidden label canary 8c1f"


def test_nothing_below_the_hidden_folder_is_in_it_nor_what_only_the_check_needs(
    certificate: Certificate, tmp_path: Path
) -> None:
    version = certificate.internship.version
    for name in ("inputs", "answers"):
        (version.hidden_folder / name / "held.csv").write_bytes(CANARY)
    (version.folder / "project" / "golden" / "answers").mkdir(parents=True)
    (version.folder / "project" / "golden" / "answers" / "answers.csv").write_bytes(CANARY)
    (version.folder / "project" / "data.py").write_text("def toy(raw, seed): ...\n")
    (version.folder / "project" / "link.csv").symlink_to(version.hidden_folder / "answers" / "held.csv")
    (version.folder / "public" / "train.csv").write_text("id,label\n1,2\n")

    with zipfile.ZipFile(bundles.bundle_of(certificate)) as packed:
        names = packed.namelist()
        contents = [packed.read(name) for name in names]

    assert {"submission/predict.py", "project/data.py", "public/train.csv", "replay.py", "README.md"} <= set(names)
    assert "project/link.csv" not in names
    assert not any("golden" in name or "hidden" in name for name in names)
    assert not any(CANARY in content for content in contents)


def test_no_secret_of_the_site_is_in_it(certificate: Certificate, settings: Any) -> None:
    with zipfile.ZipFile(bundles.bundle_of(certificate)) as packed:
        everything = b"".join(packed.read(name) for name in packed.namelist())

    for secret in (settings.SECRET_KEY, settings.PRACTICUM_SPLIT_SECRET, settings.PRACTICUM_HUB_API_TOKEN):
        assert secret.encode() not in everything
    assert str(settings.PRACTICUM_DATA_DIR).encode() not in everything


def test_the_same_certificate_gives_the_same_bytes(certificate: Certificate) -> None:
    first = bundles.bundle_of(certificate).read_bytes()
    bundles.bundle_of(certificate).unlink()

    assert bundles.bundle_of(certificate).read_bytes() == first


def test_large_public_files_are_named_and_left_out(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "MOST_PUBLIC_BYTES", 10)
    (certificate.internship.version.folder / "public" / "big.bin").write_bytes(b"x" * 11)

    with zipfile.ZipFile(bundles.bundle_of(certificate)) as packed:
        facts = json.loads(packed.read("bundle.json"))
        assert "public/big.bin" not in packed.namelist()

    assert facts["public_files_left_out"] == [{"file": "public/big.bin", "bytes": 11}]


def test_predictions_without_code_are_not_run_again(certificate: Certificate, tmp_path: Path) -> None:
    version = certificate.submission.version  # type: ignore[union-attr]
    version.manifest["submission"]["kind"] = "predictions"

    assert "no code" in REPLAY(certificate, engine=LocalEngine(python="", state_dir=tmp_path))["reason"]


@pytest.mark.parametrize(
    ("printed", "found"),
    [
        ('{"value": 0.5}', {"value": 0.5}),
        ('noise\n{"value": 1}\n', {"value": 1.0}),
        ("", None),
        ('{"value": "1"}', None),
        ('{"value": true}', None),
        ('{"value": 1e300}', None),
        ("[" * 5000, None),
    ],
)
def test_what_the_replay_printed_is_read_with_suspicion(printed: str, found: Any) -> None:
    assert replaying._value(printed) == (found or {"reason": "The replay bundle gave no number here."})


class Left:
    """An engine that has one container of an old replay and one of a young one."""

    def __init__(self, now: datetime) -> None:
        self.found = [
            Container(id=name, labels={}, running=True, started_at=now - age)
            for name, age in (("old", timedelta(hours=3)), ("young", timedelta(minutes=5)))
        ]
        self.removed: list[str] = []

    def list(self, labels: Any) -> list[Container]:
        assert labels["org.practicum.kind"] == "replay"
        return self.found

    def remove(self, container_id: str) -> None:
        self.removed.append(container_id)


def test_what_a_killed_worker_left_of_a_replay_is_removed_once_no_replay_lasts_that_long(
    data_dir: Path, now: datetime
) -> None:
    place = data_dir / "bundles"
    for name, age in ((".replay-old", 3 * 3600), (".replay-young", 300)):
        (place / name).mkdir(parents=True)
        os.utime(place / name, (now.timestamp() - age,) * 2)
    engine: Any = Left(now)

    assert replaying.clear_away(now, engine=engine) == 1

    assert engine.removed == ["old"]
    assert [path.name for path in place.iterdir()] == [".replay-young"]


@pytest.fixture
def workspace_python() -> str:
    """The interns' interpreter; without one the test fails, it does not skip."""
    named = os.environ.get("PRACTICUM_WORKSPACE_PYTHON", "")
    assert named, "set PRACTICUM_WORKSPACE_PYTHON to an interpreter with images/workspace/requirements.txt installed"
    return named


@pytest.fixture
def digits(internship: Any, hand_in: Any, mentor: Any, now: Any) -> Any:
    """An internship on the real project ``digits``: its own files, and nearest neighbours handed in."""
    version = internship.version
    version.manifest = json.loads(json.dumps(_as_json(load_manifest(ROOT / "projects" / "digits"))))
    version.save()
    shutil.rmtree(version.folder / "project")
    shutil.copytree(ROOT / "projects" / "digits", version.folder / "project")
    submission = hand_in(internship, number=1, value=0.9)
    shutil.copytree(ROOT / "platform" / "practicum" / "config" / "demo" / "digits-neighbour", submission.folder)
    complete_internship(internship, actor=mentor, now=now)
    internship.refresh_from_db()
    return internship


@pytest.mark.workspace
def test_whoever_runs_the_commands_of_the_bundle_gets_the_value_on_the_certificate(
    digits: Any, workspace_python: str, now: Any, tmp_path: Path
) -> None:
    from practicum.credentials import services, tasks
    from tests.unit.credentials.conftest import end_run

    version, submission = digits.version, digits.submissions.get()
    _with_artifact(submission, version=version, python=workspace_python, work=tmp_path / "made")
    row = services.begin(digits, now=now)
    services.allow_early(row, actor=digits.mentor, now=now)
    end_run(row.run, value=0.96, at=now)
    tasks.step(now, engine=LocalEngine(python=workspace_python, state_dir=tmp_path / "engine"))
    row.refresh_from_db()
    promised = row.facts["replay"]["value"]

    with zipfile.ZipFile(bundles.bundle_of(row)) as packed:
        packed.extractall(tmp_path / "bundle")
        names = packed.namelist()
    done = subprocess.run(
        [workspace_python, "replay.py"], cwd=tmp_path / "bundle", capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {"value": promised, "expected": promised, "same": True}
    assert 0.9 < promised < 1.0
    _check_no_hidden_labels(tmp_path / "bundle", version=version, python=workspace_python, names=names)


ZEROS = """import os, pathlib, numpy as np
ids = np.load(pathlib.Path(os.environ["PRACTICUM_INPUTS"]) / "inputs.npz")["id"]
np.savez(pathlib.Path(os.environ["PRACTICUM_OUT"]) / "predictions.npz", id=ids, label=np.zeros(len(ids), dtype=np.int64))
"""


@pytest.mark.workspace
def test_a_notebook_is_run_from_clean_in_a_replay_too(
    digits: Any, workspace_python: str, now: Any, tmp_path: Path
) -> None:
    submission = digits.submissions.get()
    submission.version.manifest["submission"]["kind"] = "notebook"
    submission.notebook = "submission.ipynb"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(ZEROS)])
    nbformat.write(notebook, submission.folder / "submission.ipynb")
    certificate = Certificate(internship=digits, submission=submission, begun_at=now, place=0)

    found = REPLAY(certificate, engine=LocalEngine(python=workspace_python, state_dir=tmp_path / "engine"))

    assert 0.05 < found["value"] < 0.2


def _with_artifact(submission: Any, *, version: Any, python: str, work: Path) -> None:
    """Split the digits with a secret of a site, as publishing does, and give the submission the public part."""
    secret = hmac.digest(b"a site of the tests", b"split", hashlib.sha256).hex()
    for folder in (work, version.hidden_folder):
        folder.mkdir(parents=True, exist_ok=True)
    command = [
        python, "-B", str(ROOT / "images" / "workspace" / "programs" / "prepare.py"), "--project",
        str(version.folder / "project"), "--mode", "toy", "--raw", str(work / "raw"), "--public",
        str(version.folder / "public"), "--private", str(version.hidden_folder),
    ]  # fmt: skip
    subprocess.run(command, input=f"{secret}\n", text=True, check=True)
    shutil.copytree(version.folder / "public", submission.folder / "artifact")


def _check_no_hidden_labels(bundle: Path, *, version: Any, python: str, names: list[str]) -> None:
    """No array of the bundle holds the ids that are hidden on the site, and no file is one of the hidden ones."""
    hidden = {
        hashlib.sha256(path.read_bytes()).hexdigest() for path in version.hidden_folder.rglob("*") if path.is_file()
    }
    assert len(hidden) >= 3
    assert not hidden & {hashlib.sha256((bundle / name).read_bytes()).hexdigest() for name in names}
    program = (
        "import sys, pathlib, numpy as np\n"
        "answers = set(np.load(sys.argv[2])['id'].tolist())\n"
        "seen = {int(i) for f in pathlib.Path(sys.argv[1]).rglob('*.npz') for n, a in np.load(f).items()"
        " if a.dtype.kind == 'i' for i in a.ravel().tolist()}\n"
        "print(len(answers), len(answers & seen))\n"
    )
    answers = str(version.hidden_folder / "answers" / "answers.npz")
    said = subprocess.run([python, "-c", program, str(bundle), answers], capture_output=True, text=True, check=True)
    count, found = map(int, said.stdout.split())
    assert count >= 450
    assert found == 0

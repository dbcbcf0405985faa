"""The replay bundle of a certificate: a zip with which anybody runs the work again, without a hidden label.

It holds what was handed in, the project's files, the public data of its version where they are small, the programs that
run and score, and ``replay.py``. Nothing is ever read below the version's hidden folder. A project's ``golden/`` cases are
left out: they are for its check. Bundles lie under ``<data dir>/bundles/`` and are made once.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings

from practicum.catalog.programs import IMAGES
from practicum.catalog.services import TOY_SEED
from practicum.credentials.models import Certificate
from practicum.errors import Fault, NotFound
from practicum.evaluation.seeding import plan_of
from practicum.submissions.models import Submission

SECRET = hashlib.sha256(b"practicum: the split of a replay is no secret").hexdigest()
MOST_PUBLIC_BYTES = 50 * 1024**2
RUNNABLE = ("code", "notebook")
PROGRAMS = (
    ("workspace", "prepare.py"),
    ("workspace", "predict.py"),
    ("workspace", "notebook.py"),
    ("scorer", "score.py"),
)
SCORER_PACKAGE = IMAGES / "scorer" / "programs" / "practicum_scorer"
REQUIREMENTS = ("requirements.txt", "torch.txt")
PROGRAM = Path(__file__).with_name("offline") / "replay.py"
LEFT_OUT = {"golden", "__pycache__"}
EPOCH = (1980, 1, 1, 0, 0, 0)

Entry = tuple[str, Path]


def place_of(certificate: Certificate) -> Path:
    """Where its bundle lies, once it was made."""
    return Path(settings.PRACTICUM_DATA_DIR) / "bundles" / f"{certificate.pk}.zip"


def bundle_of(certificate: Certificate) -> Path:
    """The bundle of an issued certificate, made now if it was not before.

    Raises:
        NotFound: the certificate is about no submission.
        Fault: the disk can't be written.
    """
    if certificate.submission is None:
        raise NotFound("Nothing was handed in that could be run again.")
    place = place_of(certificate)
    if not place.is_file():
        expected = (certificate.replay or {}).get("value")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=place.parent, prefix=".", delete=False) as stream:
                write(certificate.submission, into=Path(stream.name), expected=expected)
            Path(stream.name).chmod(0o644)
            Path(stream.name).replace(place)
        except OSError as fault:
            raise Fault("The bundle can't be written just now; try again later.") from fault
    return place


def write(submission: Submission, *, into: Path, expected: float | None) -> None:
    """Write the zip: the same submission and value give the same bytes."""
    left_out: list[dict[str, Any]] = []
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, path in entries(submission, left_out=left_out):
            with path.open("rb") as source, packed.open(zipfile.ZipInfo(name, date_time=EPOCH), "w") as target:
                while chunk := source.read(1 << 20):
                    target.write(chunk)
        facts = facts_of(submission, expected=expected, left_out=left_out)
        texts = {"bundle.json": json.dumps(facts, indent=2) + "\n", "README.md": readme(submission, facts=facts)}
        for name, text in texts.items():
            packed.writestr(zipfile.ZipInfo(name, date_time=EPOCH), text, compress_type=zipfile.ZIP_DEFLATED)


def entries(submission: Submission, *, left_out: list[dict[str, Any]]) -> Iterator[Entry]:
    """Every file of the bundle with its name; public files that are too large are named in ``left_out`` instead."""
    version = submission.version
    yield from _below(submission.folder, under="submission")
    yield from _below(version.folder / "project", under="project")
    room = MOST_PUBLIC_BYTES
    for name, path in _below(version.folder / "public", under="public"):
        size = path.stat().st_size
        room -= size
        if room >= 0:
            yield name, path
        else:
            left_out.append({"file": name, "bytes": size})
    yield "replay.py", PROGRAM
    for name in REQUIREMENTS:
        yield name, IMAGES / "workspace" / name
    for image, name in PROGRAMS:
        yield f"programs/{name}", IMAGES / image / "programs" / name
    yield from _below(SCORER_PACKAGE, under="programs/practicum_scorer")


def _below(folder: Path, *, under: str) -> Iterator[Entry]:
    """The plain files of a folder, in order; no link is followed."""
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in LEFT_OUT)
        for name in sorted(files):
            path = Path(root, name)
            if path.is_file() and not path.is_symlink():
                yield f"{under}/{path.relative_to(folder).as_posix()}", path


def facts_of(submission: Submission, *, expected: float | None, left_out: list[dict[str, Any]]) -> dict[str, Any]:
    """``bundle.json``: what ``replay.py`` has to know, and what this is a bundle of."""
    version, plan = submission.version, plan_of(submission)
    budget = float(version.manifest["budget"]["toy_seconds"]) if plan.trains else 0.0
    return {
        "project": version.project.slug,
        "version": version.number,
        "version_digest": f"sha256:{version.digest}",
        "submission_digest": f"sha256:{submission.digest}",
        "image": version.image,
        "kind": submission.kind,
        "notebook": submission.notebook,
        "metric": version.metric["name"],
        "digits": int(version.metric["digits"]),
        "seed": plan.seeds[0],
        "train_seconds": budget,
        "is_timed": plan.is_timed,
        "toy_seed": TOY_SEED,
        "secret": SECRET,
        "expected": expected,
        "public_files_left_out": left_out,
    }


def readme(submission: Submission, *, facts: dict[str, Any]) -> str:
    """What is in the bundle and how it is run, for a person."""
    version = submission.version
    data = version.manifest.get("data") or {}
    expected = facts["expected"]
    came_out = (
        "no value was recorded when the certificate was issued" if expected is None else f"it was {expected} here"
    )
    how = (
        f"""    python -m venv .venv
    .venv/bin/pip install -r requirements.txt
    .venv/bin/pip install -r torch.txt
    .venv/bin/python replay.py

or, with the image that ran it on the site (`{facts["image"]}`) and no network:

    docker run --rm --network none -v "$PWD:/bundle:ro" {facts["image"]} /opt/venv/bin/python /bundle/replay.py

It prints the {facts["metric"]}; {came_out}. `replay.py` says what it does in its first lines."""
        if submission.kind in RUNNABLE
        else "What was handed in are predictions, so there is no program to run again; they are in `submission/`."
    )
    return f"""# {version.project.title}, run again

{version.project.question}

## Run it

{how}

The code in `submission/` is that of the person who handed it in. Run it where you would run a stranger's program.

## What this shows, and what it does not

The site scored this work on hidden test data, which are not in here. The replay makes toy data with the project's own
`data.py` and splits them with a secret that everybody knows, so its value is another than the one on the certificate: it
shows that the work runs, and gives the same again.

## What is in it

- `submission/`: what was handed in, {facts["submission_digest"]}
- `project/`: version {version.number} of the project, {facts["version_digest"]}
- `public/`: the data interns are given{_left_out(facts)}; source: {data.get("source", "the project's data.py")};
  licence: {data.get("licence", "see the project")}
- `programs/`: what makes the data, runs the submission and scores it
- `bundle.json`: image, seed and the rest as JSON
"""


def _left_out(facts: dict[str, Any]) -> str:
    count = len(facts["public_files_left_out"])
    return f" ({count} large files left out; data.py fetches them)" if count else ""

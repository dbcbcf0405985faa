"""The projects that ship keep the promises of their format, and their scorers survive hostile predictions."""

from __future__ import annotations

from pathlib import Path

import pytest

from practicum.catalog.check import CHECKS, check_project
from practicum.catalog.manifest import load_manifest

from .conftest import PROJECTS, ROOT, InProject

pytestmark = pytest.mark.workspace

FUZZ = """
import pathlib, random, tempfile, evaluate
golden = pathlib.Path({golden!r})
goods = [file for case in sorted(golden.glob("perfect*")) for file in case.iterdir()]
random.seed(7)
refused = 0
with tempfile.TemporaryDirectory() as folder:
    for turn in range(400):
        good = goods[turn % len(goods)]
        broken = bytearray(good.read_bytes())
        for _ in range(random.choice((1, 2, 8))):
            broken[random.randrange(len(broken))] = random.randrange(256)
        if random.random() < 0.2:
            del broken[random.randrange(len(broken)):]
        [file.unlink() for file in pathlib.Path(folder).iterdir()]
        pathlib.Path(folder, good.name).write_bytes(broken)
        try:
            evaluate.evaluate(pathlib.Path(folder), golden / "answers")
        except evaluate.InvalidSubmission:
            refused += 1
print(refused)
"""

FULL = """
import hashlib, io, pathlib, tarfile, tempfile
import numpy as np
import data
random = np.random.default_rng(0)
rows = random.integers(0, 256, size=(40, data.CIFAR_ROW), dtype=np.uint8)
rows[:, 0] = np.arange(40) % 10
rows[7, 1:] = rows[3, 1:]
with tempfile.TemporaryDirectory() as folder:
    raw = pathlib.Path(folder)
    archive = raw / "cifar.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name, part in (("b/data_1.bin", rows[:20]), ("b/readme.html", rows[:1]), ("b/test.bin", rows[20:])):
            member = tarfile.TarInfo(name)
            member.size = part.nbytes
            tar.addfile(member, io.BytesIO(part.tobytes()))
    data.verify(archive, md5=hashlib.md5(archive.read_bytes()).hexdigest())
    data.unpack(archive, raw)
    with np.load(raw / "images.npz") as held:
        assert held["x"].shape == (40, 32, 32, 3)
        assert held["x"][5, 0, 1].tolist() == [rows[5, 1 + 1], rows[5, 1 + 1024 + 1], rows[5, 1 + 2048 + 1]]
        assert held["y"].tolist() == rows[:, 0].tolist()
        assert held["group"][7] == held["group"][3] == 3
    try:
        data.verify(archive, md5="0" * 32)
    except ValueError as error:
        print(error, archive.exists())
"""

PARTS = """
import numpy as np
import data
group = np.repeat(np.arange(300), 3)
part = data.parts(group, hidden=90, labelled=60, secret=b"a")
assert (part.reshape(-1, 3) == part.reshape(-1, 3)[:, :1]).all(), "a group is divided"
other = data.parts(group, hidden=90, labelled=60, secret=b"b")
print((part == 1).sum(), (part == 2).sum(), ((part == 1) & (other == 1)).sum() < 60)
"""

PROBE = """
import time
import numpy as np
import evaluate
random = np.random.default_rng(0)
label = random.integers(0, 10, 600)
signal = np.eye(10)[label] + 0.3 * random.normal(size=(600, 10))
noise = random.normal(size=(600, 200)) * 50
def accuracy(code):
    seen, unseen = evaluate.standardised(code[:400], code[400:])
    weights = evaluate.fitted_probe(seen, label[:400], classes=10)
    return (evaluate.predicted(weights, unseen) == label[400:]).mean()
wide = random.normal(size=(5000, 1024))
wide_label = random.integers(0, 10, 5000)
start = time.process_time()
evaluate.fitted_probe(*evaluate.standardised(wide[:2500], wide[2500:])[:1], wide_label[:2500], classes=10)
print(accuracy(np.hstack([signal, noise])) > 0.5, accuracy(noise) < 0.3, time.process_time() - start < 30)
"""


# What these hand in is the check's own and the same for every project: they are tried on the two that interns work on first.
# A cheat looks into a project's own files, so it is tried on all that hide answers from interns who are judged by them.
THE_SAME_FOR_ALL = {"a crashing submission", "an endless submission"}
TRIED_WITH_ALL = ("digits", "features-without-labels")


@pytest.mark.parametrize(
    "slug", [slug if slug == "digits" else pytest.param(slug, marks=pytest.mark.slow) for slug in PROJECTS]
)
def test_a_project_that_ships_passes_its_check(slug: str, workspace_python: Path) -> None:
    said: list[str] = []
    only = set(CHECKS) if slug in TRIED_WITH_ALL else set(CHECKS) - THE_SAME_FOR_ALL
    only -= {"a cheating submission"} if slug.startswith("readiness-") else set()

    report = check_project(ROOT / "projects" / slug, python=workspace_python, say=said.append, only=only)

    assert report.passed, "\n".join(said)
    assert len(report.results) == len(only)


def test_the_projects_ship() -> None:
    assert PROJECTS == (
        "a-week-to-minutes", "digits", "features-without-labels", "flood-lines", "many-minds", "odd-one-out",
        "readiness-cuda", "readiness-ml", "readiness-python", "sixteen-megabytes", "tune-on-a-budget", "unseen-scaffolds",
    )  # fmt: skip
    for slug in PROJECTS:
        assert load_manifest(ROOT / "projects" / slug).project.slug == slug


@pytest.mark.parametrize("slug", PROJECTS)
def test_broken_predictions_are_the_interns_to_mend_and_never_our_fault(slug: str, in_project: InProject) -> None:
    refused = int(in_project(slug, FUZZ.format(golden=str(ROOT / "projects" / slug / "golden"))))

    assert 200 < refused <= 400


@pytest.mark.parametrize("slug", ["features-without-labels", "many-minds"])
def test_cifar_is_unpacked_channel_last_with_its_copies_in_one_group(slug: str, in_project: InProject) -> None:
    said = in_project(slug, FULL)

    assert said == "cifar.tar.gz is not the file named in project.toml; it was removed, fetch again False\n"


def test_groups_stay_whole_and_the_secret_decides_which_are_hidden(in_project: InProject) -> None:
    assert in_project("features-without-labels", PARTS).split() == ["90", "60", "True"]


def test_the_probe_finds_what_is_there_ignores_noise_and_is_fast(in_project: InProject) -> None:
    assert in_project("features-without-labels", PROBE).split() == ["True", "True", "True"]


def test_a_hidden_digit_is_never_a_public_one_but_still_the_same_digit(in_project: InProject) -> None:
    code = """
import numpy as np
import data
image = np.zeros((8, 8), dtype=np.uint8)
image[2:6, 3:5] = 14
seen = {data.perturb(image, seed=seed).tobytes() for seed in range(50)}
moved = np.mean([data.perturb(image, seed=seed) for seed in range(400)], axis=0)
print(len(seen), np.corrcoef(moved.ravel(), image.ravel())[0, 1] > 0.9, data.perturb(image, seed=1).dtype)
"""
    assert in_project("digits", code).split() == ["50", "True", "float32"]

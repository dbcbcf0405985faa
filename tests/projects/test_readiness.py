"""The readiness checks: what is mended holds every bar, whatever is left unmended misses its own, and remedies run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from practicum.catalog.golden import write_golden
from practicum.catalog.manifest import load_manifest
from practicum.catalog.npz import read_npz
from practicum.catalog.programs import NOTEBOOK, Programs, run_process

from .attempts import SOLVED
from .conftest import PROJECTS, ROOT, InProject

pytestmark = pytest.mark.workspace

CHECKS = tuple(slug for slug in PROJECTS if slug.startswith("readiness-"))
REMEDIES = tuple(sorted((ROOT / "projects").glob("readiness-*/remedy/*.ipynb")))

EVERY_VARIANT = """
for variant in VARIANTS:
    found = attempt(variant, solved(variant))
    assert found["variant"] == variant
    print(found["held"])
"""
OTHERS = """
texts = [
    sorted((path.name, path.read_bytes()) for path in (work / "public" / f"variant-{variant}").rglob("*") if path.is_file())
    for variant in range(1, data.VARIANTS + 1)
]
print(len(texts), sum(one == other for one in texts for other in texts))
"""
ONE_VARIANT = """
with np.load(work / "private" / "answers" / "answers.npz") as held:
    ids, value, variants = held["id"], held["value"], held["variant"]
out = work / "out"
out.mkdir()
np.savez(out / "predictions.npz", id=ids, value=np.where(variants == 5, value, 0.0), variant=np.full(len(ids), 5))
print(evaluate.evaluate(out, work / "private" / "answers")["held"])
np.savez(out / "predictions.npz", id=ids, value=value, variant=variants)
try:
    evaluate.evaluate(out, work / "private" / "answers")
except evaluate.InvalidSubmission as refusal:
    print(refusal)
"""
LOOP_FAULTS = """
for place, wrong in data.FAULTS.items():
    found = attempt(2, solved(2) | {"sgd.py": data.LOOP.format(**(data.RIGHT | {place: wrong}))})
    print(place, found["sgd"] < 0.95, found["held"])
"""
ALIKE = """
alike = BAG.replace("random.integers(0, len(x), size=len(x))", "np.arange(len(x))")
first = BAG.replace("np.mean([tree.predict(x) for tree in trees], axis=0) > 0.5", "trees[0].predict(x)")
print([attempt(3, solved(3) | {"bag.py": bag})["bag"] < 0.5 for bag in (alike, first)])
answered = json.loads(solved(3)["answers.json"])
answered["tune"]["trials"] = 21
answered["curve"]["stop"] = 80
answered["curve"]["gap"] += 0.05
found = attempt(3, {"answers.json": json.dumps(answered)})
print(found["tune"], found["curve"])
"""
PACKAGE_FAULTS = """
for kind in data.FAULTS:
    for fault in KIND:
        found = attempt(1, package(1, [fault]))
        print(found["environment"] < 0.99)
"""
DEVICE_FAULTS = """
for place, wrong in data.FAULTS.items():
    found = attempt(1, solved(1) | {"model.py": model(**{place: wrong})})
    print(place, found["devices"])
moved = model().replace("+ self.places", "+ self.places.to(tokens.device)")
print(attempt(1, solved(1) | {"model.py": moved})["devices"])
"""


def test_the_three_bars_have_a_check_each() -> None:
    told = [load_manifest(ROOT / "projects" / slug).readiness for slug in CHECKS]

    assert sorted(readiness.prerequisite for readiness in told if readiness) == ["cuda", "ml", "python"]
    assert [(readiness.minutes, readiness.variants) for readiness in told if readiness] == [(30, 8)] * 3


def test_the_golden_cases_hold_one_variant_whole_and_are_those_the_command_makes(
    workspace_python: Path, tmp_path: Path
) -> None:
    shipped = ROOT / "projects" / "readiness-cuda"
    copy = Path(shutil.copytree(shipped, tmp_path / "readiness-cuda", ignore=shutil.ignore_patterns("golden")))
    (copy / "golden").mkdir()

    count = write_golden(copy, python=workspace_python)

    assert (copy / "golden" / "golden.toml").read_bytes() == (shipped / "golden" / "golden.toml").read_bytes()
    assert count == 29
    answers = read_npz(copy / "golden" / "answers" / "answers.npz")
    assert set(answers["variant"].whole_numbers()) == {1}
    assert len(answers["id"].rows) == 6 + 40 + 3 * 12


@pytest.mark.parametrize(
    ("slug", "variants"),
    [("readiness-ml", (1, 4, 8)), ("readiness-python", (1, 8)), ("readiness-cuda", (1, 4, 8))],
)
def test_what_is_mended_holds_every_bar(slug: str, variants: tuple[int, ...], in_project: InProject) -> None:
    said = in_project(slug, SOLVED[slug] + EVERY_VARIANT.replace("VARIANTS", repr(list(variants)), 1))

    assert said.split() == ["1.0"] * len(variants)


@pytest.mark.parametrize("slug", CHECKS)
def test_no_two_variants_ask_the_same(slug: str, in_project: InProject) -> None:
    assert in_project(slug, SOLVED[slug] + OTHERS).split() == ["8", "8"]


@pytest.mark.parametrize("slug", CHECKS)
def test_only_the_rows_of_one_variant_are_judged(slug: str, in_project: InProject) -> None:
    held, refusal = in_project(slug, SOLVED[slug] + ONE_VARIANT).splitlines()

    assert held == "1.0"
    assert refusal.startswith("The rows say more than one variant.")


def test_a_loop_with_any_one_fault_misses_its_bar_and_no_other(in_project: InProject) -> None:
    lines = in_project("readiness-ml", SOLVED["readiness-ml"] + LOOP_FAULTS).splitlines()

    assert len(lines) == 8
    assert {line.split(maxsplit=1)[1] for line in lines} == {"True 0.75"}


def test_half_a_bag_too_many_trials_and_wrong_answers_do_not_count(in_project: InProject) -> None:
    bags, answers = in_project("readiness-ml", SOLVED["readiness-ml"] + ALIKE).splitlines()

    assert bags == "[True, True]"
    assert answers == "0.0 0.6"


@pytest.mark.parametrize("kind", ["kind[:1]", "kind[-1:]"])
def test_a_package_with_any_one_kind_of_fault_misses_its_bar(kind: str, in_project: InProject) -> None:
    said = in_project("readiness-python", SOLVED["readiness-python"] + PACKAGE_FAULTS.replace("KIND", kind))

    assert said.split() == ["True"] * 4


def test_whatever_stays_behind_on_the_processor_misses_the_bar(in_project: InProject) -> None:
    *faults, moved = in_project("readiness-cuda", SOLVED["readiness-cuda"] + DEVICE_FAULTS).splitlines()

    assert [line.split()[1] for line in faults] == ["0.0"] * 6
    assert moved == "1.0"


@pytest.mark.slow
@pytest.mark.parametrize("remedy", REMEDIES, ids=[f"{path.parts[-3]}/{path.stem}" for path in REMEDIES])
def test_a_remedial_notebook_runs_as_it_is_and_says_where_to_read_on(
    remedy: Path, workspace_python: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copy(remedy, tmp_path))
    cells = json.loads(remedy.read_text(encoding="utf-8"))["cells"]

    Programs(run_process, workspace_python, tmp_path).run_notebook(copy, public=tmp_path, limit_seconds=120)

    last = "".join(cells[-1]["source"])
    assert "## Where to read on" in last
    assert "](https://" in last


def test_every_remedy_belongs_to_a_bar() -> None:
    told = {
        ROOT / "projects" / slug / bar.remedy
        for slug in CHECKS
        if (readiness := load_manifest(ROOT / "projects" / slug).readiness)
        for bar in readiness.bars
    }

    assert told == set(REMEDIES)


@pytest.mark.parametrize("slug", ["readiness-python"])  # the one whose notebook takes least
def test_the_notebook_takes_the_variant_it_is_given_and_keeps_what_was_mended(
    slug: str, in_project: InProject, workspace_python: Path
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        in_project(slug, SOLVED[slug] + f"import shutil; shutil.move(work / 'public', {str(home / 'public')!r})")
        notebook = shutil.copy(ROOT / "projects" / slug / "start.ipynb", home)
        command = [str(workspace_python), "-I", "-B", "-c", NOTEBOOK, str(notebook), "120", str(home / "public")]
        mended = home / "submission" / "predict.py"
        for variant in ("3", "3", "4"):
            environment = os.environ | {"PRACTICUM_VARIANT": variant, "HOME": folder}
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
            assert done.returncode == 0, done.stderr
            answers = json.loads((home / "submission" / "answers.json").read_text(encoding="utf-8"))
            assert answers["variant"] == int(variant)
            if variant == "3":
                mended.write_text(mended.read_text(encoding="utf-8") + "# mended\n", encoding="utf-8")

        assert not mended.read_text(encoding="utf-8").endswith("# mended\n")
        (earlier,) = home.glob("submission-before-*")
        assert (earlier / "predict.py").read_text(encoding="utf-8").endswith("# mended\n# mended\n")

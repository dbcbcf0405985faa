"""What runs in the workspace image: predict, train, prepare, and the first process of a notebook."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.engine.programs import load, run

start = load("images/workspace/start.py")


@pytest.fixture
def submission(tmp_path: Path) -> dict[str, str | Path]:
    """Three folders with a submission that copies its inputs through a module of its own."""
    made = {name: tmp_path / name for name in ("submission", "inputs", "out")}
    for folder in made.values():
        folder.mkdir()
    (made["inputs"] / "x").write_text("seen")
    (made["submission"] / "mine.py").write_text("def work(text): return text.upper()")
    (made["submission"] / "predict.py").write_text(
        "import mine\ndef predict(artifact, inputs, out):\n"
        "    (out / 'y').write_text(mine.work((inputs / 'x').read_text()) + artifact.name)\n"
    )
    return dict(made)


def test_predict_is_called_with_artifact_inputs_and_out(submission: dict[str, str | Path]) -> None:
    assert run("predict", **submission).returncode == 0
    assert (Path(submission["out"]) / "y").read_text() == "SEENartifact"


@pytest.mark.parametrize(
    ("code", "expected", "said"),
    [
        ("def predict(a, i, o): raise ValueError('mine')", 3, "ValueError: mine"),
        ("raise ValueError('at import')", 3, "ValueError: at import"),
        ("syntax error", 3, "SyntaxError"),
        ("def other(): pass", 4, "defines no function predict"),
        ("predict = 3", 4, "defines no function predict"),
        (None, 4, "There is no predict.py"),
        ("import sys\ndef predict(a, i, o): sys.exit(9)", 9, ""),
    ],
)
def test_how_it_ended_shows_in_the_exit_code(
    code: str | None, expected: int, said: str, submission: dict[str, str | Path]
) -> None:
    file = Path(submission["submission"]) / "predict.py"
    if code is None:
        file.unlink()
    else:
        file.write_text(code)
    result = run("predict", **submission)
    assert result.returncode == expected
    assert said in result.stderr


RETRAINED = """
import os, random
DRAWN = random.random()

def train(public, artifact, budget, seed):
    assert not list(artifact.iterdir())
    (artifact / "w").write_text(f"{(public / 'train').read_text()} {budget} {seed} {random.random()} {DRAWN}")

def predict(artifact, inputs, out):
    (out / "y").write_text(f"{(artifact / 'w').read_text()} {random.random()} {os.environ['PRACTICUM_SEED']}")
"""


@pytest.fixture
def retrained(submission: dict[str, str | Path], tmp_path: Path) -> dict[str, str | Path]:
    """A submission that the platform trains, with an artifact that nobody looks at."""
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / "train").write_text("public")
    (tmp_path / "submission" / "artifact").mkdir()
    (tmp_path / "submission" / "artifact" / "lucky").write_text("1")
    (tmp_path / "submission" / "predict.py").write_text(RETRAINED)
    return submission | {"public": tmp_path / "public", "budget": "2.5"}


def test_a_submission_is_trained_anew_with_the_seed_it_is_given(
    retrained: dict[str, str | Path], tmp_path: Path
) -> None:
    said = []
    for seed in ("7", "7", "8"):
        result = run("predict", **retrained, seed=seed)
        assert result.returncode == 0, result.stderr
        said.append((tmp_path / "out" / "y").read_text())

    assert said[0].startswith("public 2.5 7 ")
    assert said[0].endswith(" 7")
    assert said[0] == said[1]
    assert not set(said[0].split()[3:]) & set(said[2].split()[3:])


def test_where_the_platform_trains_a_submission_without_train_says_so(
    submission: dict[str, str | Path], retrained: dict[str, str | Path]
) -> None:
    (Path(submission["submission"]) / "predict.py").write_text("def predict(a, i, o): pass")

    result = run("predict", **retrained, seed="7")

    assert result.returncode == 4
    assert "no function train" in result.stderr
    assert "train(public, artifact, budget, seed)" in result.stderr


def test_libraries_that_the_code_loads_are_seeded_before_it_is_called(
    submission: dict[str, str | Path], tmp_path: Path
) -> None:
    for name in ("numpy", "torch"):
        (tmp_path / "submission" / f"{name}.py").write_text(
            "class random: seed = staticmethod(lambda seed: SEEDS.append(seed))\nSEEDS = []\n"
            "manual_seed = SEEDS.append\n"
        )
    (tmp_path / "submission" / "predict.py").write_text(
        "import numpy, torch\ndef predict(a, i, o): (o / 'y').write_text(f'{numpy.SEEDS} {torch.SEEDS}')\n"
    )

    assert run("predict", **submission, seed=str(2**32 + 5)).returncode == 0
    assert (tmp_path / "out" / "y").read_text() == f"[5] [{2**32 + 5}]"
    assert run("predict", **submission).returncode == 0
    assert (tmp_path / "out" / "y").read_text() == "[] []"


DATA = """
def fetch(raw): (raw / "all").write_text("full")
def toy(raw, seed): (raw / "all").write_text(f"toy {seed}")
def split(raw, public, private, secret):
    (public / "train").write_text((raw / "all").read_text())
    (private / "inputs" / "x").write_text(secret.hex())
    (private / "answers" / "y").write_text("1")
"""


@pytest.fixture
def project(tmp_path: Path) -> dict[str, str | Path]:
    """A project's folder, and where its data goes."""
    made: dict[str, str | Path] = {name: tmp_path / name for name in ("project", "raw", "public", "private")}
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "data.py").write_text(DATA)
    (tmp_path / "project" / "baseline.py").write_text(
        "def train(public, artifact, budget): (artifact / 'weights').write_text(f'{public.name} {budget}')"
    )
    return made


@pytest.mark.parametrize(("mode", "expected"), [("toy", "toy 4"), ("full", "full")])
def test_data_is_made_and_split_with_the_secret_from_standard_input(
    mode: str, expected: str, project: dict[str, str | Path]
) -> None:
    result = run("prepare", stdin="00ff\n", mode=mode, seed="4", **project)
    assert result.returncode == 0, result.stderr
    assert (Path(project["public"]) / "train").read_text() == expected
    assert (Path(project["private"]) / "inputs" / "x").read_text() == "00ff"


def test_no_secret_no_split(project: dict[str, str | Path]) -> None:
    assert run("prepare", stdin="\n", mode="toy", **project).returncode == 2
    assert not Path(project["public"]).exists()


def test_a_split_that_hides_nothing_is_refused(project: dict[str, str | Path]) -> None:
    file = Path(project["project"]) / "data.py"
    file.write_text(file.read_text().replace("answers", "inputs"))
    result = run("prepare", stdin="00ff\n", mode="toy", **project)
    assert result.returncode == 1
    assert "private/answers" in result.stderr


def test_a_baseline_is_trained_into_its_artifact(project: dict[str, str | Path], tmp_path: Path) -> None:
    Path(project["public"]).mkdir()
    result = run("train", project=project["project"], public=project["public"], artifact=tmp_path / "a", budget="2.5")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "a" / "weights").read_text() == "public 2.5"


def place(tmp_path: Path) -> list[str]:
    """One start of a notebook."""
    placed: list[str] = start.place_starter_files(
        source=tmp_path / "source", target=tmp_path / "home/digits", ledger=tmp_path / "home/.practicum/placed/digits"
    )
    return placed


@pytest.fixture
def starter(tmp_path: Path) -> Path:
    """A project with two starter files and what is not one."""
    source = tmp_path / "source"
    (source / "golden").mkdir(parents=True)
    (source / "__pycache__").mkdir()
    (source / "start.ipynb").write_text(json.dumps({"cells": []}))
    (source / "golden" / "case").write_text("x")
    (source / "__pycache__" / "data.pyc").write_text("x")
    (source / "link").symlink_to("/etc/passwd")
    return tmp_path


def test_the_first_start_places_the_plain_files(starter: Path) -> None:
    assert place(starter) == ["golden/case", "start.ipynb"]
    assert (starter / "home/digits/golden/case").read_text() == "x"


def test_what_the_intern_changed_or_deleted_stays_so(starter: Path) -> None:
    place(starter)
    (starter / "home/digits/start.ipynb").write_text("mine")
    (starter / "home/digits/golden/case").unlink()
    assert place(starter) == []
    assert (starter / "home/digits/start.ipynb").read_text() == "mine"
    assert not (starter / "home/digits/golden/case").exists()


def test_what_the_intern_had_before_is_never_overwritten(starter: Path) -> None:
    (starter / "home/digits").mkdir(parents=True)
    (starter / "home/digits/start.ipynb").symlink_to("elsewhere")
    assert place(starter) == ["golden/case"]
    assert (starter / "home/digits/start.ipynb").is_symlink()


def test_a_file_that_a_later_version_adds_is_placed_then(starter: Path) -> None:
    place(starter)
    (starter / "source/hints.md").write_text("new")
    assert place(starter) == ["hints.md"]

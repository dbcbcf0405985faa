"""What goes into a submission, what never does, and what a person is told."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from practicum_hub.workspace import errors, pack
from tests.unit.workspace_tools.conftest import PREDICT, write_notebook


def names(package: pack.Package) -> list[str]:
    return [member.name for member in package.members]


def collect(project: Path, **options: Path) -> pack.Package:
    return pack.collect(pack.submission_folder(project), project_dir=project, **options)


def test_the_default_is_the_project_folder(project: Path) -> None:
    assert names(collect(project)) == ["artifact/weights.npz", "predict.py", "report.md", "start.ipynb"]


def test_a_submission_folder_with_a_predict_comes_first_and_takes_the_projects_notebook(project: Path) -> None:
    inside = project / "submission"
    inside.mkdir()
    assert pack.submission_folder(project) == project

    (inside / "predict.py").write_text(PREDICT)

    assert names(collect(project)) == ["predict.py", "start.ipynb"]


def test_modules_and_packages_beside_predict_go_along_and_data_does_not(project: Path) -> None:
    (project / "model.py").write_text("")
    for folder in ("layers", "data", "loose", "__pycache__", ".hidden"):
        (project / folder).mkdir()
        (project / folder / "inner.py").write_text("")
    for package in ("layers", "data"):
        (project / package / "__init__.py").write_text("")
    (project / "train.csv").write_text("1,2\n")

    found = names(collect(project))

    assert [name for name in found if name.endswith(".py")] == [
        "layers/__init__.py",
        "layers/inner.py",
        "model.py",
        "predict.py",
    ]
    assert "train.csv" not in found


def test_links_caches_and_hidden_files_stay_out_and_links_are_named(project: Path, tmp_path: Path) -> None:
    secret = tmp_path / "elsewhere.txt"
    secret.write_text("not yours")
    (project / "artifact" / "linked.txt").symlink_to(secret)
    (project / "artifact" / ".DS_Store").write_text("")
    (project / "artifact" / ".ipynb_checkpoints").mkdir()
    (project / "artifact" / ".ipynb_checkpoints" / "weights-checkpoint.npz").write_text("")

    package = collect(project)

    assert [name for name in names(package) if name.startswith("artifact/")] == ["artifact/weights.npz"]
    assert any("artifact/linked.txt is a link" in note for note in package.notes)


def test_a_linked_artifact_folder_is_named(project: Path, tmp_path: Path) -> None:
    (project / "artifact" / "weights.npz").unlink()
    (project / "artifact").rmdir()
    (project / "artifact").symlink_to(tmp_path)

    package = collect(project)

    assert not [name for name in names(package) if name.startswith("artifact")]
    assert any("artifact is a link" in note for note in package.notes)


def test_what_a_submission_folder_leaves_out_is_said(project: Path) -> None:
    (project / "submission").mkdir()
    (project / "submission" / "predict.py").write_text(PREDICT)
    (project / "submission" / "weights.pt").write_bytes(b"1")

    assert any("Left out: weights.pt" in note for note in collect(project).notes)


def test_the_same_content_gives_the_same_digest_whatever_the_times(project: Path, tmp_path: Path) -> None:
    first = pack.write(collect(project), tmp_path / "first.zip")
    for path in project.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
        path.chmod(0o700)
    second = pack.write(collect(project), tmp_path / "second.zip")
    (project / "report.md").write_text("# Report, longer\n")
    third = pack.write(collect(project), tmp_path / "third.zip")

    assert first == second != third
    with zipfile.ZipFile(tmp_path / "first.zip") as archive:
        assert archive.testzip() is None
        assert archive.read("predict.py").decode() == PREDICT


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (None, "There is no predict.py"),
        ("def predict(:\n", "does not parse: line 1"),
        ("x = 1\n", "has no function predict"),
        ("def other():\n    def predict(): ...\n", "has no function predict"),
    ],
)
def test_an_unusable_predict_is_refused_with_what_to_do(project: Path, source: str | None, said: str) -> None:
    (project / "predict.py").unlink()
    if source is not None:
        (project / "predict.py").write_text(source)

    with pytest.raises(errors.NoPredict, match=said):
        collect(project)


@pytest.mark.parametrize(
    "source",
    [
        PREDICT,
        "from model import predict\n",
        "from model import *\n",
        "from model import run as predict\n",
        "predict = lambda artifact, inputs, out: None\n",
        "try:\n    from fast import predict\nexcept ImportError:\n    from slow import predict\n",
    ],
)
def test_every_way_to_have_a_predict_counts(project: Path, source: str) -> None:
    (project / "predict.py").write_text(source)

    assert "predict.py" in names(collect(project))


def test_a_linked_predict_is_refused(project: Path) -> None:
    (project / "real.py").write_text(PREDICT)
    (project / "predict.py").unlink()
    (project / "predict.py").symlink_to("real.py")

    with pytest.raises(errors.NoPredict, match="is a link"):
        collect(project)


def test_the_notebook_is_the_named_one_then_submission_ipynb_then_the_newest(project: Path) -> None:
    older = write_notebook(project / "older.ipynb")
    os.utime(older, (1, 1))
    newest = collect(project).notebook
    write_notebook(project / "submission.ipynb")
    os.utime(project / "submission.ipynb", (1, 1))
    preferred = collect(project).notebook
    named = collect(project, notebook=older).notebook

    assert [path.name for path in (newest, preferred, named) if path] == [
        "start.ipynb",
        "submission.ipynb",
        "older.ipynb",
    ]
    assert sum(name.endswith(".ipynb") for name in names(collect(project))) == 1


def test_a_copy_in_the_submission_folder_gives_way_to_the_newer_original(project: Path) -> None:
    inside = project / "submission"
    inside.mkdir()
    (inside / "predict.py").write_text(PREDICT)
    copy = write_notebook(inside / "start.ipynb", text="as it was")

    os.utime(copy, (1, 1))
    stale = collect(project)
    os.utime(project / "start.ipynb", (0, 0))
    fresh = collect(project)

    assert (stale.notebook, fresh.notebook) == (project / "start.ipynb", copy)
    assert any("newer than its copy in submission/" in note for note in stale.notes)
    assert not fresh.notes


def test_without_a_notebook_the_person_is_told(project: Path) -> None:
    (project / "start.ipynb").unlink()

    package = collect(project)

    assert package.notebook is None
    assert any("No notebook goes along" in note for note in package.notes)


@pytest.mark.parametrize(
    ("content", "said"),
    [(b'{"cells": [', "not valid JSON"), (b"\xff\xfe\xff", "not valid JSON"), (b"[1]", "has no cells")],
)
def test_a_notebook_that_is_none_is_refused(project: Path, content: bytes, said: str) -> None:
    (project / "start.ipynb").write_bytes(content)

    with pytest.raises(errors.BrokenNotebook, match=said):
        collect(project)


def test_a_named_notebook_that_is_missing_is_refused(project: Path) -> None:
    with pytest.raises(errors.NothingHere, match=r"absent\.ipynb"):
        collect(project, notebook=project / "absent.ipynb")


def test_a_folder_over_the_limit_is_refused_with_its_largest_files(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pack, "MAX_BYTES", 90)

    with pytest.raises(errors.PackTooLarge, match=r"artifact/weights\.npz \(100 B\)"):
        collect(project)


def test_too_many_files_are_refused(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pack, "MAX_FILES", 3)

    with pytest.raises(errors.PackTooLarge, match="4 files"):
        collect(project)


def test_a_notebook_full_of_outputs_is_refused(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pack, "MAX_NOTEBOOK_BYTES", 20)

    with pytest.raises(errors.PackTooLarge, match="Clear its largest outputs"):
        collect(project)


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_960, "1.0 MB"), (3_400_000_000, "3.4 GB")]
)
def test_sizes_are_said_in_decimal_units(size: int, words: str) -> None:
    assert pack.human_size(size) == words


def asks(project: Path, kind: str) -> None:
    (project / "project.toml").write_text(f'[submission]\nkind = "{kind}"\nfiles = ["predictions.csv"]\n')


def test_a_project_that_takes_predictions_gets_its_file_and_no_code_is_asked_for(project: Path) -> None:
    asks(project, "predictions")
    (project / "predict.py").unlink()
    with pytest.raises(errors.NoPredict, match=r"There is no predictions\.csv in"):
        collect(project)
    (project / "submission").mkdir()
    (project / "submission" / "predictions.csv").write_text("id,label\n")

    assert names(collect(project)) == ["predictions.csv", "start.ipynb"]


def test_a_project_that_takes_a_notebook_asks_for_one_and_for_no_code(project: Path) -> None:
    asks(project, "notebook")
    (project / "predict.py").unlink()
    assert "start.ipynb" in names(collect(project))

    (project / "start.ipynb").unlink()

    with pytest.raises(errors.NoPredict, match="This project takes one and runs it from clean"):
        collect(project)


def test_a_broken_project_toml_asks_for_code(project: Path) -> None:
    (project / "project.toml").write_text("kind = ")

    assert "predict.py" in names(collect(project))

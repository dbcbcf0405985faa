"""``practicum project new`` makes a project under a good name in a free place, and says why not otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from practicum.catalog import golden, skeleton
from practicum.catalog.check import FILES
from practicum.catalog.manifest import load_manifest


def test_a_new_project_has_its_name_everywhere_and_every_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert skeleton.main(["heart-beats", "--into", str(tmp_path / "projects")]) == 0

    folder = tmp_path / "projects" / "heart-beats"
    assert [name for name in FILES if not (folder / name).is_file()] == []
    about = load_manifest(folder).project
    assert (about.slug, about.title) == ("heart-beats", "Heart beats")
    texts = [file.read_text() for file in folder.rglob("*") if file.suffix in (".toml", ".md", ".py", ".ipynb")]
    assert not [text for text in texts if "new-project" in text or "New project" in text]
    assert f"practicum project check {folder}" in capsys.readouterr().out


@pytest.mark.parametrize("slug", ["No", "7up", "a", "../up", "with space", "under_score", "ends-", "x" * 60])
def test_a_name_that_cannot_be_an_address_is_refused(
    slug: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert skeleton.main([slug, "--into", str(tmp_path / "projects")]) == 2

    assert f"'{slug}' can't be the name of a project. Use 3 to 50" in capsys.readouterr().err
    assert not (tmp_path / "projects").exists()


def test_what_is_there_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "work.txt").write_text("weeks of it")

    assert skeleton.main(["mine", "--into", str(tmp_path)]) == 2

    assert "mine is there already. Choose another name" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["work.txt"]


def test_golden_cases_of_a_broken_project_are_not_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = skeleton.make("mine", into=tmp_path)
    (folder / "data.py").write_text("raise RuntimeError('no data today')\n")
    before = (folder / "golden" / "golden.toml").read_text()

    assert golden.main([str(folder)]) == 1
    assert golden.main([str(tmp_path / "nowhere")]) == 2

    err = capsys.readouterr().err
    assert "RuntimeError: no data today" in err
    assert "nowhere is not a folder" in err
    assert (folder / "golden" / "golden.toml").read_text() == before

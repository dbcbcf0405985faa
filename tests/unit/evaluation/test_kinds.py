"""A project takes code, a notebook or predictions; each is run as it must be, and none sees more than it may."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from practicum.engine import ContainerSpec, Exit, Program
from practicum.engine.memory import MemoryEngine, Script
from practicum.evaluation import executed, services
from practicum.evaluation.models import Run
from practicum.submissions.errors import BadArchive
from practicum.submissions.models import Source, Submission
from tests.unit.evaluation.conftest import SCORED
from tests.unit.submissions import zips


def notebook_of(*lines: str) -> bytes:
    cells = [
        {
            "cell_type": "code", "id": f"c{place}", "metadata": {}, "source": "show()", "execution_count": 1,
            "outputs": [{"output_type": "stream", "name": "stdout", "text": line}],
        }
        for place, line in enumerate(lines)
    ]  # fmt: skip
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


@pytest.fixture
def hand_in(internship: Any, now: Any) -> Callable[..., Submission]:
    """``hand_in("predictions", {"a.csv": b"1"})``: these files, to a project of that kind."""

    def make(kind: str, files: dict[str, bytes]) -> Submission:
        asked = internship.version.manifest["submission"]
        asked |= {"kind": kind, "files": ["predictions.csv", "predictions.json"]}
        internship.version.save()
        archive = zips.zip_of(files)
        return services.hand_in(internship, archive=archive, source=Source.UPLOAD, actor=internship.intern, now=now)

    return make


@pytest.fixture
def left_behind() -> dict[str, Any]:
    """What the executed notebook is."""
    return {"content": notebook_of("accuracy 0.874\n", "same\n")}


@pytest.fixture
def engine(left_behind: dict[str, Any]) -> MemoryEngine:
    """Where the scorer copies what a test says was left behind."""

    def keep(spec: ContainerSpec) -> None:
        for mount in spec.mounts:
            if mount.target == "/kept" and left_behind["content"] is not None:
                (mount.source / "executed.ipynb").write_bytes(left_behind["content"])

    engine = MemoryEngine()
    engine.will("predict", Script(stdout="Cell 2 raised ValueError: no\n"))
    engine.will("score", Script(stdout="READY\n", prints_on_signal=SCORED, on_start=keep))
    return engine


def programs(engine: MemoryEngine) -> list[str]:
    return [word.name for spec in engine.started for word in spec.command if isinstance(word, Program)]


@pytest.mark.parametrize(
    ("kind", "files", "expected"),
    [
        (
            "predictions",
            {"predict.py": b"", "report.md": b""},
            "There is no predictions.csv or predictions.json at the",
        ),
        ("predictions", {"deep/predictions.csv": b"", "report.md": b""}, "It is at 'deep/predictions.csv'"),
        ("notebook", {"predict.py": b""}, r"There is no notebook \(.ipynb\) at the top"),
        ("code", {"predictions.csv": b"", "start.ipynb": zips.NOTEBOOK}, "There is no predict.py at the top"),
    ],
)
def test_what_the_project_does_not_take_is_refused(
    hand_in: Callable[..., Submission], kind: str, files: dict[str, bytes], expected: str
) -> None:
    with pytest.raises(BadArchive, match=expected):
        hand_in(kind, files)

    assert not Submission.objects.exists()


def test_predictions_are_scored_as_they_are_and_run_nothing(
    hand_in: Callable[..., Submission], engine: MemoryEngine, work: Callable[..., Run]
) -> None:
    submission = hand_in("predictions", {"folder/predictions.csv": b"id,label\n1,2\n"})

    run = work()

    assert (run.state, run.score.value) == ("scored", 0.9)
    assert programs(engine) == ["score.py"]
    given = [(mount.source, mount.read_only) for mount in engine.started[0].mounts if mount.target == "/predictions"]
    assert given == [(submission.folder, True)]
    assert engine.started[0].volumes == []
    assert (engine.held, engine.volumes) == ({}, {})


def test_a_notebook_is_run_with_the_public_data_and_without_the_answers(
    hand_in: Callable[..., Submission], engine: MemoryEngine, work: Callable[..., Run]
) -> None:
    submission = hand_in("notebook", {"mine.ipynb": notebook_of("accuracy 0.912\n", "same\n")})

    run = work()

    assert (run.state, programs(engine)) == ("scored", ["score.py", "notebook.py"])
    untrusted = engine.started[1]
    assert untrusted.command[-1] == "mine.ipynb"
    version = submission.version
    assert {mount.target: (mount.source, mount.read_only) for mount in untrusted.mounts} == {
        "/submission": (submission.folder, True),
        "/inputs": (version.hidden_folder / "inputs", True),
        "/data": (version.folder / "public", True),
    }
    assert untrusted.network is None
    assert [volume.read_only for volume in engine.started[0].volumes] == [True]
    assert "/kept" not in {mount.target for mount in untrusted.mounts}


def test_what_came_out_otherwise_is_kept_with_the_run(
    hand_in: Callable[..., Submission], work: Callable[..., Run], left_behind: dict[str, Any]
) -> None:
    hand_in("notebook", {"mine.ipynb": notebook_of("accuracy 0.912\n", "same\n")})

    run = work()

    assert (executed.folder() / executed.name_of(run.executed)).read_bytes() == left_behind["content"]
    assert run.reproduction["compared"] == 2
    sentences = [row["sentence"] for row in run.reproduction["differences"]]
    assert sentences == ["cell 1: 0.912 handed in, 0.874 when run again"]


def test_a_cell_that_raised_ends_the_run_in_its_own_words_and_the_notebook_is_kept(
    hand_in: Callable[..., Submission], engine: MemoryEngine, work: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.scripts["predict"].exit = Exit(4, False, False, 2.0, None)
    hand_in("notebook", {"mine.ipynb": notebook_of("1\n")})

    asked = []
    monkeypatch.setattr(MemoryEngine, "signal", lambda self, container, name: asked.append(name))

    run = work()

    assert (run.state, run.fault, run.reason) == ("failed", "code", "Cell 2 raised ValueError: no")
    assert run.executed
    assert asked == ["SIGUSR2"]


@pytest.mark.parametrize("content", [None, b"{", b"[]", b'{"cells": 5}', b"[" * 100_000])
def test_nothing_or_nonsense_left_behind_is_no_fault_of_ours(
    hand_in: Callable[..., Submission], work: Callable[..., Run], left_behind: dict[str, Any], content: bytes | None
) -> None:
    left_behind["content"] = content
    hand_in("notebook", {"mine.ipynb": notebook_of("1\n")})

    run = work()

    assert (run.state, run.tries) == ("scored", 1)
    assert bool(run.executed) == (content is not None)


def test_a_scorer_that_breaks_is_our_fault_and_tried_again(
    hand_in: Callable[..., Submission], engine: MemoryEngine, work: Callable[..., Run]
) -> None:
    submission = hand_in("notebook", {"mine.ipynb": notebook_of("1\n")})
    engine.scripts["score"].exit = Exit(1, False, False, 0.1, None)

    work()

    run = submission.runs.get()
    assert (run.state, run.executed, list(engine.held)) == ("queued", "", [])


PAGES = ("/submissions/{}/", "/review/{}/", "/review/{}/?pane=cells", "/submissions/{}/notebook/?again=1")


@pytest.fixture
def run_again(hand_in: Callable[..., Submission], work: Callable[..., Run]) -> Submission:
    """A notebook whose first cell came out otherwise on the hidden inputs."""
    submission = hand_in("notebook", {"mine.ipynb": notebook_of("accuracy 0.912\n", "<script>same</script>\n")})
    work()
    return submission


@pytest.mark.parametrize("who", ["mentor", "admin"])
def test_both_sides_of_a_difference_are_read_by_mentor_and_admin(
    run_again: Submission, client_of: Any, request: pytest.FixtureRequest, who: str
) -> None:
    client = client_of(request.getfixturevalue(who))
    page, desk, _, notebook = (path.format(run_again.pk) for path in PAGES)

    assert "Cell 1: 0.912 handed in, 0.874 when run again" in client.get(page).content.decode()
    assert "Cell 1: 0.912 handed in" in client.get(desk).content.decode()
    again = client.get(notebook)
    assert "0.874" in again.content.decode()
    assert again.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert "0.912" in client.get(notebook.removesuffix("?again=1")).content.decode()


def test_an_intern_is_told_which_cells_differ_and_nothing_that_came_out_on_hidden_inputs(
    run_again: Submission, client_of: Any, intern: Any
) -> None:
    pages = [client_of(intern).get(path.format(run_again.pk)) for path in PAGES]
    texts = [page.content.decode() for page in pages]

    assert [page.status_code for page in pages] == [200, 200, 200, 404]
    assert not any("0.874" in text or "again=1" in text for text in texts)
    assert "2 of 2 cells with outputs came out otherwise" in texts[0]
    assert all("Cell 1: came out otherwise when run again" in text for text in texts[:2])
    assert "0.912" in client_of(intern).get(f"/submissions/{run_again.pk}/notebook/").content.decode()


def test_a_peer_reads_neither(run_again: Submission, client_of: Any, peer: Any) -> None:
    assert [client_of(peer).get(path.format(run_again.pk)).status_code for path in PAGES] == [404] * 4


def test_without_a_notebook_run_again_there_is_no_such_page(
    hand_in: Callable[..., Submission], client_of: Any, mentor: Any
) -> None:
    submission = hand_in("code", {"predict.py": zips.PREDICT, "start.ipynb": zips.NOTEBOOK})

    assert client_of(mentor).get(f"/submissions/{submission.pk}/notebook/?again=1").status_code == 404


def test_a_link_in_place_of_the_executed_notebook_is_not_followed(
    internship: Any, hand_in: Callable[..., Submission], tmp_path: Path
) -> None:
    submission = hand_in("notebook", {"mine.ipynb": notebook_of("1\n")})
    folder = tmp_path / "kept"
    folder.mkdir()
    (folder / "executed.ipynb").symlink_to(submission.folder / "mine.ipynb")

    assert executed.keep(submission, folder=folder) == {}

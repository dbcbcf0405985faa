"""The converter that is kept warm: the same pages, the same limits, one child a notebook, and a cold one where it can't."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from practicum.reviews import rendering
from practicum.reviews.warm import Renderer
from tests.unit.reviews.conftest import NOTEBOOK, code, markdown, notebook_of

LOAD_SECONDS = 120.0


@pytest.fixture(scope="module")
def loaded() -> Iterator[Renderer]:
    """A warm converter."""
    renderer = Renderer(rendering.CONVERTER / "__main__.py")
    assert renderer.is_ready(wait_seconds=LOAD_SECONDS)
    yield renderer
    renderer.stop()


@pytest.fixture
def warm(loaded: Renderer) -> Renderer:
    """The same, loaded again where a test has ended it."""
    assert loaded.is_ready(wait_seconds=LOAD_SECONDS)
    return loaded


def pid_of(renderer: Renderer) -> int:
    assert renderer._process is not None
    return renderer._process.pid


def children_of(renderer: Renderer) -> str:
    pid = pid_of(renderer)
    return Path(f"/proc/{pid}/task/{pid}/children").read_text()


def convert(renderer: Renderer, content: bytes, folder: Path, *, kind: str = "notebook", seconds: float = 60.0) -> Any:
    return renderer.convert(kind, content=content, folder=folder, seconds=seconds)


def test_it_makes_the_same_page_as_a_cold_one(warm: Renderer, tmp_path: Path) -> None:
    pages = {}
    for kind, content in (
        ("notebook", NOTEBOOK),
        ("report", b"# Found\n\n<script>x</script>"),
        ("changes", b"%d\n" % len(NOTEBOOK) + NOTEBOOK + notebook_of(markdown("# What moved"), code("print(2)"))),
    ):
        for way in ("warm", "cold"):
            folder = tmp_path / f"{kind}-{way}"
            folder.mkdir()
            made = (
                convert(warm, content, folder, kind=kind)
                if way == "warm"
                else rendering._convert_cold(kind, content=content, folder=folder)
            )
            assert made == 0
            pages[kind, way] = [(folder / name).read_bytes() for name in ("page.html", "outcome.json")]
        assert pages[kind, "warm"] == pages[kind, "cold"]


@pytest.mark.slow
def test_one_that_takes_too_long_is_killed_and_the_next_is_made(warm: Renderer, tmp_path: Path) -> None:
    before = pid_of(warm)
    endless = notebook_of(*[markdown("\\begin{a}" * 10_000)] * 8)
    assert convert(warm, endless, tmp_path, seconds=1.0) == "slow"
    assert children_of(warm) == ""
    assert convert(warm, NOTEBOOK, tmp_path) == 0
    assert pid_of(warm) == before


@pytest.mark.slow
def test_a_child_has_the_limits_of_a_cold_converter(warm: Renderer, tmp_path: Path) -> None:
    wide = b'{"nbformat": 4, "cells": [' + b"[[[]]]," * 12_000_000 + b"[]]}"
    ended = convert(warm, wide, tmp_path)
    assert rendering.ENDINGS.get(ended) == "big", ended
    assert children_of(warm) == ""


def test_a_fault_ends_the_child_alone(warm: Renderer, tmp_path: Path) -> None:
    before = pid_of(warm)
    assert convert(warm, b"", tmp_path, kind="nonsense") == 70
    assert (pid_of(warm), children_of(warm)) == (before, "")


def test_it_has_no_secret_and_no_setting(warm: Renderer) -> None:
    environment = Path(f"/proc/{pid_of(warm)}/environ").read_bytes().split(b"\0")
    assert {line.partition(b"=")[0] for line in environment if line} == {b"PATH", b"LANG"}
    opened = {str(link.readlink()) for link in Path(f"/proc/{pid_of(warm)}/fd").iterdir()}
    assert all(name.startswith(("pipe:", "/dev/null")) for name in opened), opened


@pytest.mark.slow
def test_while_it_is_busy_or_gone_a_cold_one_is_asked(warm: Renderer, tmp_path: Path) -> None:
    with warm._alone:
        assert convert(warm, NOTEBOOK, tmp_path) is None
    assert warm._process is not None
    warm._process.kill()
    warm._process.wait()
    assert convert(warm, NOTEBOOK, tmp_path) is None, "another is loading"
    assert warm.is_ready(wait_seconds=LOAD_SECONDS)
    assert convert(warm, NOTEBOOK, tmp_path) == 0


@pytest.mark.django_db
@pytest.mark.parametrize("is_loaded", [True, False])
def test_the_site_renders_with_it_and_without_it(
    is_loaded: bool, warm: Renderer, submission: Any, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendering, "_warm", warm)
    cold = rendering._convert_cold
    asked: list[str] = []
    monkeypatch.setattr(rendering, "_convert_cold", lambda kind, **facts: asked.append(kind) or cold(kind, **facts))
    if not is_loaded:
        warm.stop()
    assert rendering.render_notebook(submission, now=now).is_ok
    assert asked == ([] if is_loaded else ["notebook"])

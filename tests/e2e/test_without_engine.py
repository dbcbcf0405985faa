"""The main job where there is no container engine: local processes, and every page says that nothing is isolated."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import RunningDemo, children_of, free_demo_port, start_demo
from tests.e2e.test_walk import ALL_ZEROS, SCORE_MS, open_notebook, run_cell, state_of, upload, work
from tests.tools.waiting import wait_for

pytestmark = pytest.mark.e2e

Person = Callable[[str], Page]
BANNER = re.compile("(no|without) isolation", re.I)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    """A demo that was told to use no engine."""
    port = free_demo_port()
    running = start_demo(tmp_path_factory.mktemp("local"), port=port, options=("--engine", "none"))
    yield running
    running.stop()
    print(running.output)


def test_an_intern_works_hands_in_and_is_scored(demo: RunningDemo, person: Person) -> None:
    page = person("kofi")
    open_notebook(page, demo)
    run_cell(page, "import torch; print('torch', torch.ones(3).sum().item())", until="torch 3.0")
    upload(page, demo, work(predict__py=ALL_ZEROS, report__md="# Without an engine"))
    page.wait_for_url(re.compile(r"/submissions/\d+/"))
    expect(page.get_by_text("Scored", exact=True).first).to_be_visible(timeout=SCORE_MS)
    expect(page.locator("main")).to_contain_text("Baseline")


@pytest.mark.parametrize(
    ("username", "paths"),
    [
        ("kofi", ["/", "/notebook/", "/submissions/", "/projects/digits/"]),
        ("mira", ["/", "/review/"]),
        ("ada", ["/", "/gpus/", "/people/"]),
    ],
)
def test_every_page_says_that_nothing_is_isolated(
    username: str, paths: list[str], demo: RunningDemo, person: Person
) -> None:
    page = person(username)
    for path in paths:
        page.goto(f"{demo.site}{path}")
        expect(page.locator("body")).to_contain_text(BANNER)
    assert BANNER.search(demo.output)


def test_the_notebook_is_stopped_and_its_slot_is_free_again(demo: RunningDemo, person: Person) -> None:
    page = person("kofi")
    page.goto(f"{demo.site}/notebook/")
    page.get_by_role("button", name=re.compile("Stop")).first.click()
    page.locator("dialog[open]").locator("button[type=submit], button.btn-primary, button.btn-danger").last.click()
    wait_for(lambda: state_of(demo, "kofi")[::2] == ("stopped", "released"), seconds=60)


def test_ctrl_c_leaves_no_process_behind(demo: RunningDemo) -> None:
    programs = children_of(demo.process.pid)
    notebooks = [child for program in programs for child in children_of(program)]
    demo.stop()
    wait_for(lambda: not any(is_alive(pid) for pid in [*programs, *notebooks]), seconds=20)


def is_alive(pid: int) -> bool:
    """A process of this number runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False

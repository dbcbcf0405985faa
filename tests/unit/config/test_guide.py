"""Every command in the operator's guide is run by a test, and its list of pages leads to all of them."""

from __future__ import annotations

import re
from pathlib import Path

from tests.tools import guide

TESTS = Path(__file__).resolve().parents[2]
ASKED = re.compile(r"""guide\.block\(\s*"([^"]+)",\s*"([^"]+)",?\s*\)""")


def pages() -> list[str]:
    """The names of the pages, without the list itself."""
    return sorted(path.stem for path in guide.FOLDER.glob("*.md") if path.stem != "README")


def test_every_block_of_commands_is_asked_for_by_a_test() -> None:
    asked = {found for path in TESTS.rglob("test_*.py") for found in ASKED.findall(path.read_text(encoding="utf-8"))}
    written = {
        (page, heading)
        for page in pages()
        for heading, text in guide.sections(page).items()
        if guide.BLOCK.search(text)
    }
    assert written - asked == set(), "docs/operator has commands that no test runs"
    assert asked - written == set(), "tests run commands that docs/operator does not have"


def test_the_list_leads_to_every_page() -> None:
    assert sorted(re.findall(r"\]\((\w[\w-]*)\.md\)", (guide.FOLDER / "README.md").read_text())) == pages()

"""The counts in ``docs/security.md`` are the suite's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.attacks.archives import ARCHIVES
from tests.attacks.notebooks import FIRING
from tests.attacks.trials import attacks

PAGE = Path(__file__).resolve().parents[2] / "docs/security.md"


@pytest.mark.parametrize(
    ("group", "count", "least"),
    [("Containers", len(attacks()), 40), ("Archives", len(ARCHIVES), 25), ("Notebooks", len(FIRING), 60)],
)
def test_the_page_counts_what_the_suite_tries(group: str, count: int, least: int) -> None:
    row = re.search(rf"^\| {group} \| (\d+) \| (\d+) \| (\d+) \|", PAGE.read_text(), re.MULTILINE)
    assert row is not None
    assert [int(figure) for figure in row.groups()] == [count] * 3
    assert count >= least


@pytest.mark.parametrize("attack", attacks(), ids=lambda attack: attack.id)
def test_every_container_attack_is_on_the_page(attack: object) -> None:
    assert f"`{attack.id}`" in PAGE.read_text()  # type: ignore[attr-defined]

"""The commands of the operator's guide, for the tests that run them just as the page has them.

``tests/unit/config/test_guide.py`` sees to it that each block of commands in ``docs/operator`` is asked for by a test.
"""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "operator"
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


def sections(page: str) -> dict[str, str]:
    """The sections of a page, e.g. ``backup``: heading (any level) to text."""
    text = (FOLDER / f"{page}.md").read_text(encoding="utf-8")
    parts = re.split(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def block(page: str, heading: str) -> list[str]:
    """The commands under a heading, one a line: a line that ends in a backslash goes on, comments are left out.

    Raises:
        KeyError: the page has no such heading.
        ValueError: there is no command under it.
    """
    joined = "".join(BLOCK.findall(sections(page)[heading])).replace("\\\n", " ")
    lines = [" ".join(line.split()) for line in joined.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        raise ValueError(f"docs/operator/{page}.md: no command under {heading!r}")
    return lines

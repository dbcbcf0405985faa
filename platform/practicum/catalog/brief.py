"""A project's brief: its README.md as HTML that may be shown inside our pages."""

from __future__ import annotations

import re
from pathlib import Path

import nh3
from markdown_it import MarkdownIt

LONGEST_BRIEF_BYTES = 200_000
TAGS = nh3.ALLOWED_TAGS - {"img", "map", "area"}
TITLE = re.compile(r"\A\s*# [^\n]*\n")

_markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


def render_brief(text: str) -> str:
    """Markdown to safe HTML: no raw HTML, no pictures from elsewhere, no title (the page has its own)."""
    return nh3.clean(_markdown.render(TITLE.sub("", text)), tags=TAGS, link_rel="noopener noreferrer")


def read_brief(project_folder: Path) -> str:
    """The rendered README.md of a published project, empty if it has none."""
    try:
        text = (project_folder / "README.md").read_bytes()[:LONGEST_BRIEF_BYTES].decode(errors="replace")
    except OSError:
        return ""
    return render_brief(text)

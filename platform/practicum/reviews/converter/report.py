"""``report.md`` as HTML that may stand inside our own pages."""

from __future__ import annotations

import nh3
from markdown_it import MarkdownIt

TAGS = nh3.ALLOWED_TAGS - {"img", "map", "area"}


def convert(content: bytes) -> tuple[dict[str, object], str]:
    """The outcome and the HTML. Pictures are left out: nothing is loaded from elsewhere, and files are not pages."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    html = nh3.clean(
        markdown.render(content.decode(errors="replace")), tags=TAGS, link_rel="noopener noreferrer nofollow"
    )
    return {"status": "ok", "message": "", "cells": []}, html

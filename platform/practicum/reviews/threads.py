"""Comments in threads: a first word on a cell or on the whole, and the replies to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

from practicum.reviews.models import Comment

TAGS = {"p", "br", "em", "strong", "code", "pre", "ul", "ol", "li", "blockquote", "a", "s"}
_markdown = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable("strikethrough")


@dataclass(frozen=True)
class Remark:
    """A comment as a page shows it."""

    comment: Comment

    @cached_property
    def html(self) -> SafeString:
        """The body, written in Markdown, with only harmless tags left."""
        html = nh3.clean(
            _markdown.render(self.comment.body),
            tags=TAGS,
            attributes={"a": {"href"}},
            url_schemes={"http", "https", "mailto"},
            link_rel="noopener noreferrer nofollow",
        )
        return mark_safe(html)  # noqa: S308


@dataclass(frozen=True)
class Thread:
    """A comment and its replies, the oldest first.

    ``carried_from``: the number of the earlier submission it was begun on, 0 for none; ``answer``: what the intern did
    about it since: replied, changed, gone, or nothing yet (empty).
    """

    first: Remark
    replies: list[Remark] = field(default_factory=list)
    carried_from: int = 0
    answer: str = ""

    @property
    def cell_id(self) -> str:
        """The cell it is on, or empty."""
        return self.first.comment.cell_id

    @property
    def on_output(self) -> bool:
        """It is on what came out of the cell."""
        return self.first.comment.on_output

    @property
    def is_resolved(self) -> bool:
        """It is settled."""
        return self.first.comment.resolved_at is not None

    @property
    def size(self) -> int:
        """How many comments it has."""
        return 1 + len(self.replies)

    @property
    def last(self) -> Comment:
        """The newest comment."""
        return (self.replies[-1] if self.replies else self.first).comment


def in_threads(comments: Iterable[Comment]) -> list[Thread]:
    """Threads in the order they were begun. ``comments``: the oldest first."""
    threads: dict[int, Thread] = {}
    for comment in comments:
        if comment.reply_to_id is None:
            threads[comment.pk] = Thread(Remark(comment))
        elif comment.reply_to_id in threads:
            threads[comment.reply_to_id].replies.append(Remark(comment))
    return list(threads.values())

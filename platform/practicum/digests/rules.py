"""How a day's news is written, as a mail and as a message of a chat. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LINES_SHOWN = 10


@dataclass(frozen=True)
class Line:
    """One thing, in a sentence, and the full address where it goes on; empty where it goes on nowhere."""

    words: str
    url: str = ""


@dataclass(frozen=True)
class Section:
    """Things of one kind."""

    title: str
    lines: Sequence[Line]


def filled(sections: Iterable[Section]) -> list[Section]:
    """Those that have something in them."""
    return [section for section in sections if section.lines]


def subject_of(sections: Sequence[Section]) -> str:
    """What the mail is about: how many things, and the first kind."""
    count = sum(len(section.lines) for section in sections)
    first = sections[0].title[:1].lower() + sections[0].title[1:]
    more = " and more" if len(sections) > 1 else ""
    return f"Today: {first}{more} ({count})"


def mail_of(name: str, sections: Sequence[Section]) -> str:
    """The body of the mail."""
    parts = [f"Good day, {name}."]
    for section in sections:
        lines = [f"- {line.words}" + (f"\n  {line.url}" if line.url else "") for line in section.lines[:LINES_SHOWN]]
        parts.append("\n".join([section.title.upper(), *lines, *_more(section)]))
    return "\n\n".join(parts)


def chat_of(title: str, sections: Sequence[Section]) -> str:
    """The message, in Slack's way of writing: three characters escaped, links in angle brackets.

    https://api.slack.com/reference/surfaces/formatting
    """
    parts = [f"*{escaped(title)}*"]
    for section in sections:
        lines = [
            f"• {escaped(line.words)}" + (f" <{line.url}|Open>" if line.url else "")
            for line in section.lines[:LINES_SHOWN]
        ]
        parts.append("\n".join([f"*{escaped(section.title)}*", *lines, *_more(section)]))
    return "\n\n".join(parts)


def escaped(text: str) -> str:
    """Nobody's words become a link, a mention of a person or of a whole channel."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def body_of(text: str) -> bytes:
    """What is posted to an incoming webhook of a chat."""
    return json.dumps({"text": text}, ensure_ascii=False).encode()


def days(count: int) -> str:
    """For how long, in days."""
    return "today" if count < 1 else f"for {count} day{'' if count == 1 else 's'}"


def _more(section: Section) -> list[str]:
    left = len(section.lines) - LINES_SHOWN
    return [f"… and {left} more"] if left > 0 else []

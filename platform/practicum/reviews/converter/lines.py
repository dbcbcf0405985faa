"""How a text changed, line by line, as markup: what is gone, what is there now, and a little of what stands around.

Lines are matched by ``difflib``. Of a line that was put in another's place the words that differ are marked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from difflib import SequenceMatcher

from markupsafe import Markup, escape

AROUND = 2
LONGEST_LINES = 4_000
LONGEST_LINE = 1_000
WORDS = re.compile(r"\w+|\s+|.")

Painter = Callable[[str], list[Markup]]


def plainly(source: str) -> list[Markup]:
    """Each line, escaped."""
    return [escape(line) for line in source.split("\n")]


def difference(before: str, after: str, *, painted: Painter = plainly) -> Markup:
    """Both texts in one. ``painted`` gives a text's lines as markup, one for each line."""
    old, new = before.split("\n"), after.split("\n")
    if len(old) + len(new) > LONGEST_LINES:
        return Markup("<p>It has too many lines to show what changed in it.</p>")
    rows = Markup("").join(_rows(old, new, paint_old=painted(before), paint_new=painted(after)))
    return Markup('<div class="lines">{}</div>').format(rows)


def _rows(old: list[str], new: list[str], *, paint_old: list[Markup], paint_new: list[Markup]) -> Iterator[Markup]:
    told = 0
    for groups in SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(AROUND):
        yield from _as_before(groups[0][3] - told)
        for kind, i1, i2, j1, j2 in groups:
            if kind == "equal":
                yield from (_row("", line) for line in paint_new[j1:j2])
            elif kind == "replace" and i2 - i1 == j2 - j1:
                marked = [in_words(one, other) for one, other in zip(old[i1:i2], new[j1:j2], strict=True)]
                yield from (_row("gone", was) for was, _ in marked)
                yield from (_row("come", now) for _, now in marked)
            else:
                yield from (_row("gone", line) for line in paint_old[i1:i2])
                yield from (_row("come", line) for line in paint_new[j1:j2])
        told = groups[-1][4]
    yield from _as_before(len(new) - told)


def _as_before(count: int) -> Iterator[Markup]:
    if count > 0:
        yield Markup('<span class="skip">{} line{} as before</span>').format(count, "" if count == 1 else "s")


def _row(kind: str, line: Markup) -> Markup:
    said = {"gone": ("−", "Removed: "), "come": ("+", "Added: ")}.get(kind)
    if said is None:
        return Markup('<span class="line"><i class="sign"></i>{}</span>').format(line)
    return Markup(
        '<span class="line is-{}"><i class="sign" aria-hidden="true">{}</i><span class="word">{}</span>{}</span>'
    ).format(kind, *said, line)


def in_words(before: str, after: str) -> tuple[Markup, Markup]:
    """Two lines with the words marked that differ; unmarked where they have little in common, or are long."""
    if max(len(before), len(after)) > LONGEST_LINE:
        return escape(before), escape(after)
    old, new = WORDS.findall(before), WORDS.findall(after)
    compared = SequenceMatcher(None, old, new, autojunk=False)
    if compared.ratio() < 0.4:
        return escape(before), escape(after)
    was, now = Markup(""), Markup("")
    for kind, i1, i2, j1, j2 in compared.get_opcodes():
        left, right = escape("".join(old[i1:i2])), escape("".join(new[j1:j2]))
        if kind == "equal":
            was, now = was + left, now + right
        else:
            was += Markup("<del>{}</del>").format(left) if left else ""
            now += Markup("<ins>{}</ins>").format(right) if right else ""
    return was, now

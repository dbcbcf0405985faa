"""A notebook to a page by nbconvert, with a template of our own and ``sanitize_html``.

The template escapes by itself; only what went through :mod:`.sanitize` is markup. No script, style sheet, font or
picture is named that is not inside the page.
"""

# mypy: disable-error-code="no-untyped-call, import-untyped"
from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import pass_context
from markupsafe import Markup
from nbconvert.exporters.html import HTMLExporter
from nbconvert.exporters.templateexporter import TemplateExporter
from nbconvert.filters.ansi import ansi2html
from nbconvert.filters.markdown_mistune import InvalidNotebook
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

from practicum.reviews.converter import lines as lines_module
from practicum.reviews.converter.reading import Unreadable, cell_facts, read_notebook
from practicum.reviews.converter.sanitize import clean

HERE = Path(__file__).resolve().parent
PAGE_BYTES = 40 * 1024**2
LONGEST_MARKDOWN = 100_000
LONGEST_SOURCE = 200_000
LONGEST_TEXT = 40_000
MOST_OUTPUTS = 100
OPEN_LINES = 150
PICTURES = ("image/png", "image/jpeg", "image/gif")
BASE64 = re.compile(r"[A-Za-z0-9+/=\s]+\Z")
SOMETHING = re.compile(r"<img |[^\s<>][^<>]*(?:<|\Z)")
# Colours named exactly, made for one background, are left out; the sixteen named ones follow the theme.
EXACT_COLOUR = re.compile(r' style="[^"]*"')
LANGUAGES = {"python": "python", "r": "r", "julia": "julia"}


@dataclass(frozen=True)
class Shown:
    """One output as the page has it; ``lines`` says how long it is. Long ones are folded."""

    kind: str
    html: Markup
    lines: int = 0

    @property
    def is_folded(self) -> bool:
        """It is too long to stand open."""
        return self.lines > OPEN_LINES


def convert(content: bytes) -> tuple[dict[str, object], str]:
    """The outcome (``status``, ``message``, ``cells``) and the page; the page is empty unless the status is ``ok``."""
    try:
        notebook = read_notebook(content)
        page = PageExporter().page(notebook)
    except Unreadable as error:
        return {"status": error.status, "message": str(error), "cells": []}, ""
    except RecursionError:
        return {"status": "invalid", "message": "The notebook is nested too deeply.", "cells": []}, ""
    if len(page) > PAGE_BYTES:
        return {"status": "big", "message": "The page would be larger than 40 MB.", "cells": []}, ""
    return {"status": "ok", "message": "", "cells": cell_facts(notebook)}, page


class PageExporter(HTMLExporter):
    """nbconvert's HTML export through ``page/index.html.j2``, or another file of ours beside it."""

    def __init__(self, template_file: str = "index.html.j2") -> None:
        super().__init__(
            template_name="page",
            template_file=template_file,
            extra_template_basedirs=[str(HERE)],
            sanitize_html=True,
            embed_images=False,
            exclude_anchor_links=True,
        )
        self.environment.autoescape = True
        self.register_filter("code", code)
        self.register_filter("outputs", outputs)
        self.register_filter("difference", source_difference)
        self.register_filter("prose", self.prose)

    def page(self, notebook: Any, **facts: Any) -> str:
        """The whole page; the template has ``facts`` as ``resources``."""
        language = notebook.metadata.get("language_info", {}).get("name", "")
        resources = {"language": LANGUAGES.get(str(language).lower(), "python"), **facts}
        # Not HTMLExporter's own, which parses the finished page and writes it anew: what was cleaned has to stay.
        page, _ = TemplateExporter.from_notebook_node(self, notebook, self._init_resources(resources))
        return str(page)

    @pass_context
    def prose(self, context: Any, source: str) -> Markup:
        """Markdown as clean HTML; as plain text where it is too long or names an attachment that isn't there."""
        if len(source) <= LONGEST_MARKDOWN:
            try:
                return Markup(clean(self.markdown2html(context, source)))  # noqa: S704
            except InvalidNotebook:
                pass
        return plain(source, longest=LONGEST_SOURCE)


def code(source: str, language: str) -> Markup:
    """A code cell, highlighted; only escaped where it is long."""
    if len(source) > LONGEST_MARKDOWN:
        return plain(source, longest=LONGEST_SOURCE)
    lexer = get_lexer_by_name(language, stripnl=False)
    return Markup(highlight(source, lexer, HtmlFormatter()))  # noqa: S704


def code_lines(source: str, *, language: str) -> list[Markup]:
    """The lines of a code cell, each highlighted by itself; only escaped where it is long or the lines don't come out."""
    lines = lines_module.plainly(source)
    if len(source) > LONGEST_MARKDOWN:
        return lines
    lexer = get_lexer_by_name(language, stripnl=False)
    coloured = highlight(source, lexer, HtmlFormatter(nowrap=True)).split("\n")[: len(lines)]
    return [Markup(line) for line in coloured] if len(coloured) == len(lines) else lines  # noqa: S704


def source_difference(cell: Any, before: Any, language: str) -> Markup:
    """How a cell's text changed."""
    if max(len(cell.source), len(before.source)) > LONGEST_SOURCE:
        return note("It is too long to show what changed in it.").html
    painted = partial(code_lines, language=language) if cell.cell_type == "code" else lines_module.plainly
    return lines_module.difference(before.source, cell.source, painted=painted)


def outputs(cell: Any) -> Iterator[Shown]:
    """The outputs of a code cell, one by one."""
    for output in cell.outputs[:MOST_OUTPUTS]:
        yield from _shown(output)
    if (left := len(cell.outputs) - MOST_OUTPUTS) > 0:
        yield note(f"{left:,} more outputs are not shown.")


def _shown(output: Any) -> Iterator[Shown]:
    if output.output_type == "stream":
        yield text(output.text, kind="stderr" if output.name == "stderr" else "text")
    elif output.output_type == "error":
        told = "\n".join(output.traceback) or f"{output.ename}: {output.evalue}"
        yield text(told, kind="error")
    else:
        yield _best(output.data, wrote=output.get("metadata") or {})


def _best(data: Any, *, wrote: Any) -> Shown:
    """The most telling form of a result that is harmless."""
    for mime in PICTURES:
        if mime in data:
            return picture(mime, data[mime], wrote=wrote)
    if "image/svg+xml" in data:
        return drawing(data["image/svg+xml"])
    if isinstance(data.get("text/html"), str) and len(data["text/html"]) <= 1_000_000:
        html = clean(data["text/html"])
        if SOMETHING.search(html):
            return Shown("html", Markup(html))  # noqa: S704
    for mime in ("text/markdown", "text/latex", "text/plain"):
        if isinstance(data.get(mime), str):
            return text(data[mime], kind="text")
    kinds = ", ".join(sorted(str(mime)[:60] for mime in data)[:5])
    return note(f"Output of a kind that isn't shown here: {kinds}." if kinds else "An empty output.")


def picture(mime: str, content: object, *, wrote: Any) -> Shown:
    """A raster image inside the page."""
    if not isinstance(content, str) or not BASE64.match(content):
        return note("A picture that can't be read.")
    size = wrote.get(mime) if isinstance(wrote.get(mime), dict) else {}
    width = size.get("width") if isinstance(size.get("width"), int) else None
    html = Markup('<img alt="Picture made by this cell" src="data:{};base64,{}"{}>').format(
        mime, "".join(content.split()), Markup(' width="{}"').format(width) if width else ""
    )
    return Shown("picture", html)


def drawing(content: object) -> Shown:
    """An SVG as an image: as such it runs no script and loads nothing."""
    import base64

    if not isinstance(content, str):
        return note("A drawing that can't be read.")
    encoded = base64.b64encode(content.encode()).decode()
    html = Markup('<img alt="Drawing made by this cell" src="data:image/svg+xml;base64,{}">').format(encoded)
    return Shown("picture", html)


def text(content: str, *, kind: str) -> Shown:
    """Text with its terminal colours; the middle of a long one is left out."""
    coloured = EXACT_COLOUR.sub("", ansi2html(shorten(content, longest=LONGEST_TEXT)))
    html = Markup("<pre>{}</pre>").format(Markup(coloured))  # noqa: S704
    return Shown(kind, html, lines=content.count("\n") + 1)


def plain(content: str, *, longest: int) -> Markup:
    """Text as it is, escaped."""
    return Markup("<pre>{}</pre>").format(shorten(content, longest=longest))


def note(sentence: str) -> Shown:
    """A remark of ours in the place of an output."""
    return Shown("note", Markup("<p>{}</p>").format(sentence))


def shorten(content: str, *, longest: int) -> str:
    """The head and the tail of a text that is too long, with a line between that says how much is missing."""
    if len(content) <= longest:
        return content
    half = longest // 2
    return f"{content[:half]}\n\n… {len(content) - 2 * half:,} characters left out …\n\n{content[-half:]}"

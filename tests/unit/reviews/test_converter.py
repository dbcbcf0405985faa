"""What the converter lets through. These run it inside the test; the process around it is tested in test_rendering."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

import pytest

from practicum.reviews.converter import notebook, report
from practicum.reviews.converter.sanitize import ATTRIBUTES, TAGS
from tests.attacks.notebooks import PAYLOADS
from tests.unit.reviews.conftest import code, markdown, notebook_of

SCRIPT = "<script>alert('fired')</script>"

OURS = {"html", "head", "meta", "title", "style", "body", "main", "section", "a", "div", "summary", "details", "pre"}
OUR_ATTRIBUTES = {"lang", "charset", "name", "content", "class", "id", "href", "tabindex", "role", "aria-label"}


def elements(page: str) -> list[tuple[str, dict[str, str]]]:
    """Every element of a page with its attributes."""
    found: list[tuple[str, dict[str, str]]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append((tag, {name: value or "" for name, value in attrs}))

    Reader().feed(page)
    return found


@pytest.mark.parametrize("name", PAYLOADS)
def test_a_hostile_notebook_has_only_harmless_elements(name: str) -> None:
    outcome, page = notebook.convert(PAYLOADS[name])
    assert outcome["status"] == "ok", outcome
    allowed = set().union(*ATTRIBUTES.values()) | OUR_ATTRIBUTES | {"rel"}
    for tag, attributes in elements(page):
        assert tag in TAGS | OURS
        assert set(attributes) <= allowed, (tag, attributes)
        assert attributes.get("src", "data:image/").startswith("data:image/")
        assert attributes.get("href", "#").startswith(("#", "http://", "https://", "mailto:"))
        assert "url(" not in attributes.get("style", "")
    assert sum(tag == "style" for tag, _ in elements(page)) == 1, "only our own style sheet"


def cells_of(content: bytes) -> list[dict[str, Any]]:
    outcome, _ = notebook.convert(content)
    cells: list[dict[str, Any]] = outcome["cells"]  # type: ignore[assignment]
    return cells


def test_each_cell_has_its_anchor_and_number() -> None:
    content = notebook_of({**markdown("\n\n## A title\nmore"), "id": "intro"}, code("x = 1", id="work"))
    outcome, page = notebook.convert(content)
    assert outcome["cells"] == [
        {"id": "intro", "number": 1, "kind": "markdown", "line": "A title", "has_output": False, "has_error": False},
        {"id": "work", "number": 2, "kind": "code", "line": "x = 1", "has_output": False, "has_error": False},
    ]
    ids = [attributes["id"] for tag, attributes in elements(page) if tag == "section"]
    assert ids == ["cell-intro", "cell-work"]
    assert '<a class="number" href="#cell-work"><span class="word">Cell </span>2</a>' in page


def test_cells_without_usable_ids_get_the_same_ones_each_time() -> None:
    cells = [{**markdown("a"), "id": "same"}, {**markdown("b"), "id": "same"}, {**markdown("c"), "id": "no good!"}]
    content = json.loads(notebook_of(*cells, markdown("d"), {**markdown("e"), "id": "at-3"}))
    del content["cells"][3]["id"]
    content["nbformat_minor"] = 4
    ids = [cell["id"] for cell in cells_of(json.dumps(content).encode())]
    assert ids == ["same", "at-2", "at-3", "at-4", "at-5"]
    assert [cell["id"] for cell in cells_of(json.dumps(content).encode())] == ids


def test_an_old_notebook_is_shown() -> None:
    old = {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {"name": ""},
        "worksheets": [
            {"metadata": {}, "cells": [{"cell_type": "markdown", "metadata": {}, "source": "Old **words**"}]}
        ],
    }
    outcome, page = notebook.convert(json.dumps(old).encode())
    assert outcome["status"] == "ok"
    assert "<strong>words</strong>" in page


def test_results_are_readable() -> None:
    row = '<tr style="text-align: right;"><td>0.951</td></tr>'
    table = f'<div><style scoped>.x{{}}</style><table class="dataframe">{row}</table></div>'
    content = notebook_of(
        markdown("See [this](https://example.org/x)\n\n| a | b |\n|---|---|\n| 1 | 2 |"),
        code(
            "frame",
            {"output_type": "execute_result", "execution_count": 1, "metadata": {}, "data": {"text/html": table}},
        ),
        code("plot", {"output_type": "display_data", "metadata": {}, "data": {"image/png": "iVBORw0KGgo=\n"}}),
        code("1/0", {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["\x1b[31mbad\x1b[0m"]}),
    )
    outcome, page = notebook.convert(content)
    assert "<td>0.951</td>" in page
    assert "<th>a</th>" in page
    assert 'href="https://example.org/x"' in page
    assert 'src="data:image/png;base64,iVBORw0KGgo="' in page
    assert '<span class="ansi-red-fg">bad</span>' in page
    assert [cell["has_error"] for cell in outcome["cells"]] == [False, False, False, True]  # type: ignore[attr-defined]


def test_what_needs_a_script_says_so() -> None:
    html = f"<div id='plot'></div>{SCRIPT}"
    data = {"text/html": html, "application/javascript": "draw()", "text/plain": "<Chart>"}
    _, page = notebook.convert(notebook_of(code("x", {"output_type": "display_data", "metadata": {}, "data": data})))
    assert "&lt;Chart&gt;" in page
    _, page = notebook.convert(
        notebook_of(code("x", {"output_type": "display_data", "metadata": {}, "data": {"application/x-y": "z"}}))
    )
    assert "isn't shown here: application/x-y" in page.replace("&#39;", "'")


def test_long_output_is_folded_and_cut_in_the_middle() -> None:
    long = {"output_type": "stream", "name": "stdout", "text": "".join(f"line {n}\n" for n in range(20_000))}
    many = [{"output_type": "stream", "name": "stdout" if n % 2 else "stderr", "text": "x"} for n in range(300)]
    _, page = notebook.convert(notebook_of(code("x", long), code("y", *many)))
    assert "<summary>Output, 20,001 lines</summary>" in page
    assert "line 0\n" in page
    assert "line 19999\n" in page
    assert "line 10000\n" not in page
    assert "characters left out" in page
    assert "200 more outputs are not shown." in page


def without(key: str) -> bytes:
    content = json.loads(notebook_of(markdown("x")))
    del content[key]
    return json.dumps(content).encode()


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", "invalid"),
        (b"\xff\xfe\x00", "invalid"),
        (b"PK\x03\x04", "invalid"),
        (b"[]", "invalid"),
        (b"null", "invalid"),
        (b'{"nbformat": "4"}', "invalid"),
        (b'{"nbformat": 4, "cells": 3}', "invalid"),
        (b'{"nbformat": 4, "cells": [3]}', "invalid"),
        (b'{"nbformat": 99}', "invalid"),
        (b'{"nbformat": 3, "worksheets": 3}', "invalid"),
        (without("metadata"), "invalid"),
        (without("cells"), "invalid"),
        (notebook_of({"cell_type": "spell", "metadata": {}, "source": ""}), "invalid"),
        (notebook_of(code("x", {"output_type": "display_data"})), "invalid"),
        (notebook_of({**markdown("x"), "source": 3}), "invalid"),
        (b"[" * 200_000 + b"]" * 200_000, "invalid"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "invalid"),
        (notebook_of(markdown("x"), deep=json.loads("[" * 400 + "]" * 400)), "ok"),
        (notebook_of(*[markdown("x")] * 2_000), "ok"),
        (notebook_of(*[markdown("x")] * 2_001), "big"),
        (notebook_of(), "ok"),
    ],
)
def test_what_is_no_notebook_has_an_outcome_too(content: bytes, status: str) -> None:
    outcome, page = notebook.convert(content)
    assert outcome["status"] == status, outcome
    assert bool(page) == (status == "ok")
    assert bool(outcome["message"]) == (status != "ok")


@pytest.mark.parametrize(
    "text",
    [SCRIPT, "<img src=x onerror=alert(1)>", "![x](https://elsewhere.example/p.png)", "[x](javascript:alert(1))"],
)
def test_a_report_is_harmless(text: str) -> None:
    _, html = report.convert(f"# Found\n\n{text}".encode())
    assert "<h1>Found</h1>" in html
    assert {tag for tag, _ in elements(html)} <= {"h1", "p", "a"}
    assert "javascript:" not in "".join(attributes.get("href", "") for _, attributes in elements(html))

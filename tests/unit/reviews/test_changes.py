"""What changed between two notebooks: which cell is which, what is told of it, and how the page shows it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from practicum.reviews.converter import changes, lines
from practicum.reviews.converter.matching import Part, match, moved
from practicum.reviews.converter.values import values_of
from tests.attacks.notebooks import PAYLOADS
from tests.unit.reviews.conftest import code, markdown, notebook_of
from tests.unit.reviews.test_converter import OUR_ATTRIBUTES, OURS, elements

LONG = "model = train(features, labels)\nprint(model.score(held_out))\n"


def both(before: bytes, after: bytes) -> tuple[dict[str, Any], str]:
    outcome, page = changes.convert(b"%d\n" % len(before) + before + after)
    return outcome, page  # type: ignore[return-value]


def printed(text: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": text}


def parts(*rows: tuple[str, str]) -> list[Part]:
    return [Part(own_id, "code", source) for own_id, source in rows]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([("a", "x"), ("b", "y")], [("a", "x"), ("b", "z")], {0: 0, 1: 1}),
        ([("a", "x"), ("b", "y")], [("b", "y"), ("a", "x")], {0: 1, 1: 0}),
        ([("", "x"), ("", "y")], [("", "y"), ("", "x")], {0: 1, 1: 0}),
        ([("", "x"), ("", "x")], [("", "x"), ("", "x"), ("", "x")], {0: 0, 1: 1}),
        ([("", LONG)], [("", LONG + "print(1)")], {0: 0}),
        ([("", LONG)], [("", "import numpy")], {}),
        ([("a", LONG)], [("b", LONG.replace("train", "fit"))], {0: 0}),
        ([("", "")], [("", " ")], {}),
    ],
)
def test_cells_match_by_id_then_by_content_then_by_likeness(
    before: list[tuple[str, str]], after: list[tuple[str, str]], expected: dict[int, int]
) -> None:
    assert match(parts(*before), parts(*after)) == expected


def test_cells_of_two_kinds_are_not_alike() -> None:
    assert match([Part("", "markdown", LONG)], [Part("", "code", LONG + "x")]) == {}


def test_many_strangers_are_not_held_against_one_another() -> None:
    before = [Part("", "code", f"{LONG}# {n}") for n in range(80)]
    after = [Part("", "code", f"{LONG}#! {n}") for n in range(80)]
    assert match(before, after) == {}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({0: 0, 1: 1, 2: 2}, set()),
        ({0: 4, 1: 0, 2: 1, 3: 2}, {0}),
        ({0: 0, 1: 3, 2: 1, 3: 2}, {1}),
        ({}, set()),
        ({5: 2}, set()),
    ],
)
def test_as_few_cells_as_explain_it_have_moved(found: dict[int, int], expected: set[int]) -> None:
    assert moved(found) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("lr = 0.1", {"lr": "0.1"}),
        ("lr = 0.1\nlr = 0.2", {"lr": "0.2"}),
        ("lr: float = -1e-3", {"lr": "-0.001"}),
        ("layers = (64, 32)\nname = 'adam'", {"layers": "(64, 32)", "name": "'adam'"}),
        ("config.depth = None", {"config.depth": "None"}),
        ("train(model, lr=0.3)", {"train(lr=)": "0.3"}),
        ("x = compute()\ny = a + 1\nd['k'] = 2", {}),
        ("%matplotlib inline\n!pip list\nn = 3", {"n": "3"}),
        ("%%bash\nn=3", {}),
        ("not python at all !!", {}),
        ("x = 'a" + "b" * 100 + "'", {}),
        ("x = " + "(" * 5_000 + ")" * 5_000, {}),
        ("x = '\\d'", {"x": "'\\\\d'"}),
    ],
)
def test_values_are_read_and_never_run(source: str, expected: dict[str, str]) -> None:
    assert values_of(source) == expected


def test_each_cell_has_its_state() -> None:
    before = notebook_of(
        markdown("# Title"),
        code("a = 1"),
        code("b = 1", printed("1")),
        code("c = 1"),
        code("d = 1", printed("<object at 0x7f00deadbeef>")),
    )
    after = notebook_of(
        {**code("c = 1"), "id": "c4"},
        {**markdown("# Title"), "id": "c1"},
        {**code("a = 2"), "id": "c2"},
        {**code("b = 1", printed("2")), "id": "c3"},
        {**code("d = 1", printed("<object at 0x7f00deadbee0>")), "id": "c5", "execution_count": 9},
        {**code("new"), "id": "c9"},
    )
    outcome, _ = both(before, after)
    found = outcome["changes"]
    assert found["states"] == {"c4": "moved", "c1": "same", "c2": "changed", "c3": "output", "c5": "same", "c9": "new"}
    assert found["folds"] == {"c1": 1, "c5": 2}
    assert found["outputs"] == ["c3"]
    assert found["values"] == [{"name": "a", "before": "1", "after": "2", "cell": "c2", "number": 3}]


def test_a_cell_that_is_gone_stands_where_it_was() -> None:
    before = notebook_of(markdown("one"), code("lr = 0.1"), markdown("three"))
    after = notebook_of({**markdown("one"), "id": "c1"}, {**markdown("three"), "id": "c3"})
    outcome, page = both(before, after)
    assert outcome["changes"]["gone"] == ["c2"]
    assert page.index('id="cell-c1"') < page.index("A code cell is gone") < page.index('id="cell-c3"')


def test_a_value_moves_with_a_cell_that_was_written_anew() -> None:
    before = notebook_of({**code("rate = 0.1"), "id": "old"})
    after = notebook_of(
        {**code("import numpy as np\n\nrate = 0.05\nfor step in range(9):\n    fit(step)"), "id": "new"}
    )
    outcome, _ = both(before, after)
    assert outcome["changes"]["states"] == {"new": "new"}
    assert [(row["name"], row["before"], row["after"]) for row in outcome["changes"]["values"]] == [
        ("rate", "0.1", "0.05")
    ]


def test_what_did_not_change_is_folded_to_one_line() -> None:
    same = [markdown(f"## Step {n}") for n in range(12)]
    _, page = both(notebook_of(*same, code("a = 1")), notebook_of(*same, code("a = 2")))
    assert '<details class="fold" id="fold-1"><summary>12 unchanged cells</summary>' in page
    assert page.count('<details class="fold"') == 1
    assert page.index("<del>1</del>") < page.index("<ins>2</ins>")


def test_output_is_folded_unless_it_changed() -> None:
    _, page = both(
        notebook_of(code("a = 1", printed("kept")), code("b = 1", printed("was"))),
        notebook_of(code("a = 2", printed("kept")), code("b = 2", printed("now"))),
    )
    kept, _, rest = page.partition('id="cell-c2"')
    assert "<summary>Output, unchanged</summary>" in kept
    assert rest.index("now") < rest.index("<summary>Output before</summary>") < rest.index("was")


def test_the_same_pair_gives_the_same_page() -> None:
    pair = notebook_of(code("a = 1")), notebook_of(code("a = 2"))
    assert both(*pair) == both(*pair)


def test_a_difference_keeps_little_around_it_and_counts_the_rest() -> None:
    source = [f"line {n}" for n in range(20)]
    html = str(lines.difference("\n".join(source), "\n".join([*source[:10], "another", *source[11:]])))
    assert "8 lines as before" in html
    assert "7 lines as before" in html
    assert html.count('class="line"') == 4


def test_a_text_of_very_many_lines_is_not_compared() -> None:
    assert "too many lines" in str(lines.difference("a\n" * 3_000, "b\n" * 3_000))


@pytest.mark.parametrize("name", PAYLOADS)
@pytest.mark.parametrize("side", ["before", "after", "edited"])
def test_a_hostile_notebook_is_as_harmless_in_a_difference(name: str, side: str) -> None:
    plain, hostile = notebook_of(markdown("plain words")), PAYLOADS[name]
    edited = json.loads(hostile)
    for cell in edited["cells"]:
        cell["source"] = "".join(cell["source"]) + "\nmore <script>alert(1)</script>"
    pair = {"before": (hostile, plain), "after": (plain, hostile), "edited": (hostile, json.dumps(edited).encode())}
    outcome, page = both(*pair[side])
    assert outcome["status"] == "ok", outcome
    from practicum.reviews.converter.sanitize import ATTRIBUTES, TAGS

    allowed = set().union(*ATTRIBUTES.values()) | OUR_ATTRIBUTES | {"rel", "aria-hidden"}
    for tag, attributes in elements(page):
        assert tag in TAGS | OURS | {"ins", "del", "i", "span", "p"}
        assert set(attributes) <= allowed, (tag, attributes)
        assert attributes.get("src", "data:image/").startswith("data:image/")
        assert attributes.get("href", "#").startswith(("#", "http://", "https://", "mailto:"))
    folds = [attributes for tag, attributes in elements(page) if attributes.get("id", "").startswith("fold-")]
    assert all(row.get("class") == "fold" for row in folds)


@pytest.mark.parametrize("broken", [b"", b"{}", b"\x89PNG", b"[" * 100_000])
def test_an_earlier_notebook_that_is_none_is_said(broken: bytes) -> None:
    outcome, page = both(broken, notebook_of(markdown("x")))
    assert (outcome["status"], page) == ("invalid", "")

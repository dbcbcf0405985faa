"""What counts as the same output when a notebook is run again, and how a difference is told."""

from __future__ import annotations

from typing import Any

import pytest

from practicum.evaluation.reproduction import MOST_TOLD, as_json, compare


def printed(*texts: str) -> dict[str, Any]:
    return cell(*({"output_type": "stream", "name": "stdout", "text": text} for text in texts))


def cell(*outputs: dict[str, Any], source: str = "x") -> dict[str, Any]:
    return {"cell_type": "code", "source": source, "outputs": list(outputs)}


def drawn(content: str) -> dict[str, Any]:
    return cell({"output_type": "display_data", "data": {"image/png": content, "text/plain": "<Figure 640x480>"}})


def raised(name: str, value: str) -> dict[str, Any]:
    return cell({"output_type": "error", "ename": name, "evalue": value, "traceback": []})


def result(text: Any) -> dict[str, Any]:
    return cell({"output_type": "execute_result", "data": {"text/plain": text, "text/html": "<b>1</b>"}})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (printed("accuracy 0.912\n"), printed("accuracy ", "0.912\n")),
        (printed("<Net at 0x7f3a2c001d90>\n"), printed("<Net at 0x55d01c2fae10>\n")),
        (printed("took 3.2 s, 812 it/s\n"), printed("took 14 s, 90 it/s\n")),
        (printed("2026-03-18 10:00:01,5 epoch 1\n"), printed("2026-04-02T23:59:59Z epoch 1\n")),
        (printed("10:02:03 done\n"), printed("9:59:00 done\n")),
        (printed("wrote /tmp/tmpab12cd34/x\n"), printed("wrote /tmp/tmpzz99_a_1/x\n")),
        (printed("10%\r50%\r100%\n"), printed("20%\r100%\n")),
        (printed("\x1b[32mok\x1b[0m\n"), printed("ok  \n\n")),
        (drawn("aGVsbG8="), drawn("aGVs\nbG8=\n")),
        (result(["array([1,\n", "2])"]), result("array([1,\n2])")),
        (raised("ValueError", "no"), raised("ValueError", "no")),
        (
            printed("x\n"),
            cell({"output_type": "stream", "name": "stderr", "text": "warning"}, *printed("x\n")["outputs"]),
        ),
    ],
    ids=[
        "pieces",
        "addresses",
        "durations",
        "moments",
        "clock",
        "folders",
        "progress",
        "colours",
        "picture",
        "lines",
        "error",
        "stderr",
    ],
)
def test_what_any_two_runs_differ_in_is_no_difference(before: dict[str, Any], after: dict[str, Any]) -> None:
    found = compare([before], [after])

    assert (found.compared, found.differences) == (1, ())


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        (printed("accuracy 0.912\n"), printed("accuracy 0.874\n"), "cell 1: 0.912 handed in, 0.874 when run again"),
        (printed("a 1\nb 2 3\n"), printed("a 1\nb 2 4\n"), "cell 1: 3 handed in, 4 when run again"),
        (printed("cat\n"), printed("dog\n"), "cell 1: cat handed in, dog when run again"),
        (printed("a\nb\n"), printed("a\n"), "cell 1: b handed in, nothing when run again"),
        (printed("0.9 in 3 s\n"), printed("0.8 in 4 s\n"), "cell 1: 0.9 handed in, 0.8 when run again"),
        (result("7"), result("8"), "cell 1: 7 handed in, 8 when run again"),
        (drawn("aGVsbG8="), drawn("d29ybGQ="), "cell 1: another picture when run again"),
        (drawn("aGVsbG8="), cell(), "cell 1: had an output when handed in, none when run again"),
        (printed("1\n"), raised("KeyError", "'x'"), "cell 1: KeyError: 'x' when run again"),
        (raised("KeyError", "'x'"), printed("1\n"), "cell 1: KeyError: 'x' handed in, 1 when run again"),
        (printed("1\n"), None, "cell 1: had an output when handed in, none when run again"),
    ],
)
def test_a_cell_that_comes_out_otherwise_is_told_in_a_sentence(
    before: dict[str, Any], after: dict[str, Any] | None, sentence: str
) -> None:
    found = compare([before], [] if after is None else [after])

    assert [row.sentence() for row in found.differences] == [sentence]


def test_only_cells_with_outputs_make_a_claim_and_cells_are_counted_from_one() -> None:
    markdown = {"cell_type": "markdown", "source": "text"}
    handing_in = cell(*printed("handed in as #4")["outputs"], source="%practicum submit")
    before = [markdown, cell(), handing_in, printed("1\n"), printed("2\n")]
    after = [markdown, printed("new\n"), cell(), printed("1\n"), printed("3\n")]

    found = compare(before, after)

    assert found.compared == 2
    assert [row.sentence() for row in found.differences] == ["cell 5: 2 handed in, 3 when run again"]


@pytest.mark.parametrize(
    "after", [7, None, {"cell_type": "code", "outputs": 5}, {"outputs": [{"data": {"text/plain": 3}}, 4]}]
)
def test_what_an_untrusted_container_left_may_be_anything(after: Any) -> None:
    found = compare([printed("1\n")], [after])

    assert [row.kind for row in found.differences] == ["missing"]


def test_what_is_told_is_short_and_bounded() -> None:
    cells = [printed(f"{'a' * 5000}\x1b[1m\x07{n}\n") for n in range(300)]

    kept = as_json(compare(cells, [printed("z\n")] * 300))

    assert (kept["compared"], kept["differing"], len(kept["differences"])) == (300, 300, MOST_TOLD)
    assert all(len(row["before"]) <= 80 and row["before"].isprintable() for row in kept["differences"])

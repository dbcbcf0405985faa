"""The same error again: by the exception and the place in the intern's own files, and nothing more of the log is told."""

from __future__ import annotations

import pytest

from practicum.evaluation.tracebacks import ending_of, same_in_a_row

OWN = ("predict.py", "tools/features.py", "report.md")
LOG = """epoch 1
Traceback (most recent call last):
  File "/programs/predict.py", line 121, in main
    run(options)
  File "/submission/predict.py", line {line}, in predict
    codes = features.make(images)
  File "/submission/tools/features.py", line 9, in make
    return images @ weights
  File "/opt/venv/lib/python3.11/site-packages/numpy/predict.py", line 4, in matmul
    raise error
numpy.exceptions.AxisError: axis {axis} is out of bounds
"""


def log(*, line: int = 12, axis: int = 3) -> str:
    return LOG.format(line=line, axis=axis)


def test_the_same_place_is_the_same_ending_wherever_the_lines_have_moved() -> None:
    one = ending_of(log(), reason="Your code stopped with AxisError: axis 3", own=OWN)
    other = ending_of(log(line=80, axis=4), reason="Your code stopped with AxisError: axis 4", own=OWN)

    assert one == other
    assert one.words == "AxisError in tools/features.py"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("numpy.exceptions.AxisError", "ValueError"),
        ("in make", "in make_again"),
        ("/submission/tools/features.py", "/submission/predict.py"),
    ],
)
def test_another_exception_function_or_file_is_another_ending(old: str, new: str) -> None:
    assert ending_of(log().replace(old, new), reason="", own=OWN).key != ending_of(log(), reason="", own=OWN).key


def test_of_several_tracebacks_the_last_counts() -> None:
    text = log() + "\nDuring handling of the above exception, another exception occurred:\n\n"
    text += log().replace("numpy.exceptions.AxisError", "KeyError")

    assert ending_of(text, reason="", own=OWN).words == "KeyError in tools/features.py"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no traceback",
        log().replace("/submission/", "/elsewhere/x_"),
        log().replace("/submission", "/site-packages/x"),
    ],
)
def test_without_a_frame_in_the_interns_files_it_is_the_reason_without_its_figures(text: str) -> None:
    own = ("tools/features.py", "other.py")
    one = ending_of(text, reason="predictions.csv line 17, column label: is not a number.", own=own)
    other = ending_of(text, reason="predictions.csv line 1,024, column label: is not a number.", own=own)

    assert one == other
    assert one.words == "predictions.csv line …, column label: is not a number"


def test_nothing_of_the_message_and_no_name_that_the_code_made_up_is_told() -> None:
    """Code that ran on hidden inputs wrote the log, and the intern reads the words."""
    text = log().replace("in make", "in secret_17").replace("out of bounds", "secret 18")
    text = text.replace("numpy.exceptions.AxisError", "S" + "e" * 80)

    words = ending_of(text, reason="It stopped.", own=OWN).words

    assert words == "It stopped"
    assert "secret" not in ending_of(text.replace("S" + "e" * 80, "Oops"), reason="", own=OWN).words


def test_what_is_counted_is_the_row_at_the_end() -> None:
    def ended(name: str) -> object:
        return ending_of(log().replace("numpy.exceptions.AxisError", name), reason="", own=OWN)

    newest_first = [ended("KeyError"), ended("KeyError"), ended("ValueError"), ended("KeyError")]

    assert same_in_a_row(newest_first) == 2  # type: ignore[arg-type]
    assert same_in_a_row([]) == 0

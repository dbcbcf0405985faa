"""What an end means, as decision tables."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.evaluation import rules
from practicum.evaluation.rules import Allowance, Ending, NotAnAnswer, Outcome
from tests.conftest import MANIFEST

GB = 1024**3
ALLOWANCE = Allowance(memory_bytes=2 * GB, cpus=1.0, wall_seconds=60.0, gpu_bytes=0)
TRACEBACK = "Traceback (most recent call last):\n  File x\nValueError: no such digit\n"


def ending(
    code: int = 0, *, oom: bool = False, late: bool = False, peak: int | None = None, seconds: float = 3.2
) -> Ending:
    return Ending(exit_code=code, oom_killed=oom, timed_out=late, seconds=seconds, peak_memory_bytes=peak)


@pytest.mark.parametrize(
    ("end", "log", "fault", "reason"),
    [
        (ending(137, late=True), "", "limit", "It was stopped after 60 s, the longest this project allows."),
        (ending(137, oom=True, peak=2 * GB), "", "limit", "It ran out of memory: 2.0 of 2.0 GB after 3.2 s."),
        (ending(137, oom=True), "", "limit", "It ran out of memory: 2.0 of 2.0 GB after 3.2 s."),
        (ending(137, peak=2 * GB - 1), "", "limit", "It ran out of memory: 2.0 of 2.0 GB after 3.2 s."),
        (ending(137, peak=GB), "", "code", "Your code ended the process itself by signal 9."),
        (ending(3), TRACEBACK, "code", "Your code stopped with ValueError: no such digit"),
        (ending(3), "", "code", "Your code ended the process itself with exit code 3."),
        (ending(4), "There is no predict.py.\n", "code", "There is no predict.py."),
        (ending(4), "", "code", "There is no function predict in predict.py."),
        (ending(1), TRACEBACK, "code", "Your code ended the process itself with exit code 1."),
    ],
)  # fmt: skip
def test_an_end_without_predictions_has_a_fault_and_a_reason_in_plain_words(
    end: Ending, log: str, fault: str, reason: str
) -> None:
    assert rules.verdict_of_code(end, log=log, allowance=ALLOWANCE) == Outcome("failed", fault, reason)


@pytest.mark.parametrize("error", ["OSError: [Errno 28] No space left on device", "OSError: [Errno 27] File too large"])
def test_a_full_output_is_a_limit_and_says_which(error: str) -> None:
    outcome = rules.verdict_of_code(ending(3), log=f"Traceback\n{error}\n", allowance=ALLOWANCE)

    assert outcome == Outcome("failed", "limit", f"It wrote more than it may: out/ takes 256 MB. ({error})")


@pytest.mark.parametrize("end", [ending(0), ending(0, oom=True, peak=2 * GB)])
def test_code_that_ends_well_goes_on_to_the_scorer_even_if_a_child_of_it_was_killed(end: Ending) -> None:
    assert rules.verdict_of_code(end, log="score=1.0", allowance=ALLOWANCE) is None


def test_a_reason_fits_its_column_whatever_was_raised() -> None:
    outcome = rules.verdict_of_code(ending(3), log="ValueError: " + "x\x1b\0" * 10_000, allowance=ALLOWANCE)

    assert outcome is not None
    assert len(outcome.reason) <= 480
    assert outcome.reason.isprintable()


def test_the_scorers_metrics_are_the_outcome() -> None:
    outcome = rules.read_answer('READY\n{"metrics": {"accuracy": 0.5, "n": 3}}\n', metric="accuracy")

    assert outcome == Outcome("scored", metrics={"accuracy": 0.5, "n": 3.0})


def test_the_scorers_refusal_is_the_interns_to_mend() -> None:
    outcome = rules.read_answer('READY\n{"invalid": "column id is missing"}\n', metric="accuracy")

    assert outcome == Outcome("invalid", "format", "column id is missing")


BOTH = 'READY\n{"metrics": {"accuracy": 0.5}, "shown": {"accuracy": 0.25}}\n'


def test_a_divided_hidden_part_has_two_results() -> None:
    outcome = rules.read_answer(BOTH, metric="accuracy", is_divided=True)

    assert outcome == Outcome("scored", metrics={"accuracy": 0.5}, shown={"accuracy": 0.25})


@pytest.mark.parametrize(
    ("printed", "is_divided"),
    [
        (BOTH, False),
        ('READY\n{"metrics": {"accuracy": 0.5}}\n', True),
        ('READY\n{"shown": {"accuracy": 0.5}}\n', True),
        ('READY\n{"metrics": {"accuracy": 0.5}, "shown": {"other": 0.5}}\n', True),
        ('READY\n{"metrics": {"accuracy": 0.5}, "shown": {"accuracy": NaN}}\n', True),
        ('READY\n{"metrics": {"accuracy": 0.5}, "shown": {"accuracy": 1}, "kept": {"accuracy": 1}}\n', True),
    ],
)
def test_one_result_is_never_taken_for_two_nor_two_for_one(printed: str, is_divided: bool) -> None:
    """A whole score in the place of a shown one would tell the kept rows."""
    with pytest.raises(NotAnAnswer):
        rules.read_answer(printed, metric="accuracy", is_divided=is_divided)


@pytest.mark.parametrize(
    "printed",
    [
        "",
        "READY\n",
        '{"metrics": {"accuracy": 1}}\n',
        'READY\n{"metrics": {"accuracy": 1}}',
        'READY\n{"metrics": {"accuracy": 1}}\n{"metrics": {"accuracy": 1}}\n',
        'READY\nscore=1\n{"metrics": {"accuracy": 1}}\n',
        'READY\n\n{"metrics": {"accuracy": 1}}\n',
        'READY\n{"metrics": {"accuracy": 1}} \n\n',
        "READY\nnot json\n",
        "READY\n[]\n",
        "READY\n{}\n",
        'READY\n{"metrics": {}}\n',
        'READY\n{"metrics": {"other": 1}}\n',
        'READY\n{"metrics": {"accuracy": "1"}}\n',
        'READY\n{"metrics": {"accuracy": true}}\n',
        'READY\n{"metrics": {"accuracy": null}}\n',
        'READY\n{"metrics": {"accuracy": NaN}}\n',
        'READY\n{"metrics": {"accuracy": 1e999}}\n',
        'READY\n{"metrics": {"accuracy": 1}, "invalid": "x"}\n',
        'READY\n{"metrics": {"accuracy": 1}, "metrics": {"accuracy": 2}}\n',
        'READY\n{"invalid": 3}\n',
        'READY\n{"metrics": {"accuracy": 1, "x": "' + "y" * 4096 + '"}}\n',
        "READY\n" + "[" * 4000 + "\n",
    ],
)
def test_anything_but_one_line_of_the_two_shapes_is_no_answer(printed: str) -> None:
    with pytest.raises(NotAnAnswer):
        rules.read_answer(printed, metric="accuracy")


@given(
    st.dictionaries(st.text(max_size=8), st.floats(allow_nan=False, allow_infinity=False), max_size=4), st.floats(0, 1)
)
def test_any_finite_metrics_come_through_as_they_are(more: dict[str, float], value: float) -> None:
    metrics = more | {"accuracy": value}
    line = json.dumps({"metrics": metrics}) + "\n"

    assert rules.read_answer(f"READY\n{line}", metric="accuracy").metrics == metrics


@given(st.text(max_size=300))
def test_a_log_never_holds_terminal_codes_or_nulls_and_stays_within_its_bytes(raw: str) -> None:
    clean = rules.clean_log("\x1b[31m" + raw + "\0", max_bytes=100)

    assert not {"\x1b", "\0", "\r", "\x07", "\ud800"} & set(clean)
    assert len(clean.encode()) <= 100


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("a\nb\n", "a\nb"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x", "x"),
        (" 10%\r 50%\r100%\r\n", "100%"),
        ("a\tb", "a\tb"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("first" + "x" * 70_000, "x" * 65_536),
    ],
)
def test_how_a_log_is_shown(raw: str, shown: str) -> None:
    assert rules.clean_log(raw) == shown


@pytest.mark.parametrize(
    ("state", "fault", "started", "counts"),
    [
        ("queued", "", False, True),
        ("running", "", True, True),
        ("scored", "", True, True),
        ("failed", "code", True, True),
        ("failed", "limit", True, True),
        ("failed", "ours", True, False),
        ("invalid", "format", True, False),
        ("cancelled", "", True, True),
        ("cancelled", "", False, False),
    ],
)
def test_what_uses_up_one_of_the_days_submissions(state: str, fault: str, started: bool, counts: bool) -> None:
    assert rules.counts_as_attempt(state=state, fault=fault, has_started=started) is counts


def test_our_faults_are_tried_again_later_and_later_then_given_up() -> None:
    now = datetime(2026, 3, 18, tzinfo=UTC)

    waits = [rules.retry_at(tries=tries, now=now) for tries in (1, 2, 3)]

    assert waits == [now + timedelta(seconds=5), now + timedelta(seconds=60), None]


@pytest.mark.parametrize("day", [(2026, 3, 29), (2026, 10, 25), (2026, 7, 1)])
def test_a_day_ends_at_the_next_midnight_of_its_own_clock_whatever_the_summer_time(day: tuple[int, int, int]) -> None:
    zone = ZoneInfo("Europe/Zurich")

    began, ends = rules.day_of(datetime(*day, 15, 30, tzinfo=zone))

    assert (began.hour, began.day) == (0, day[2])
    assert (ends.hour, ends.minute) == (0, 0)
    assert ends.date() == began.date() + timedelta(days=1)


@pytest.mark.parametrize(
    ("budget", "memory", "gpu"),
    [
        ({"memory_gb": 1}, GB, 0),
        ({"memory_gb": 99}, 4 * GB, 0),
        ({}, 4 * GB, 0),
        ({"memory_gb": 2, "gpu_gb": 8}, 2 * GB, 8 * 10**9),
    ],
)
def test_a_project_gets_what_it_asks_for_and_never_more_than_the_site_gives(
    budget: dict[str, Any], memory: int, gpu: int
) -> None:
    manifest = MANIFEST | {"budget": {"eval_seconds": 30} | budget}

    allowance = rules.allowance_of(manifest, memory_bytes=4 * GB, cpus=1.0)

    assert (allowance.memory_bytes, allowance.gpu_bytes, allowance.wall_seconds) == (memory, gpu, 30.0)

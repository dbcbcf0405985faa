"""The rule of idleness, as a table: what counts as work, what doesn't, and what we don't know."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.gpus.idleness import Activity, ActivityState, KernelReport, Sample, classify, looked_back

MINUTE = timedelta(minutes=1)
GB = 1 << 30


def looks(
    now: datetime, *, minutes: int, percent: float | None = 0.0, memory: int = 0, ended: float = 0
) -> list[Sample]:
    """A look every 10 s for so many minutes, the last ``ended`` minutes ago."""
    last = now - MINUTE * ended
    count = minutes * 6
    return [
        Sample(last - timedelta(seconds=10) * (count - i), percent, memory, processes=int(memory > 0))
        for i in range(1, count + 1)
    ]


def reports(
    now: datetime, *, minutes: int, busy: int = 0, cpu_share: float = 0.01, ended: float = 0
) -> list[KernelReport]:
    """A report every 15 s."""
    last, count = now - MINUTE * ended, minutes * 4
    return [
        KernelReport(last - timedelta(seconds=15) * (count - i), busy, 15 * cpu_share, 15.0)
        for i in range(1, count + 1)
    ]


def state(samples: Sequence[Sample], said: Sequence[KernelReport], now: datetime) -> ActivityState:
    return classify(samples, said, now=now).state


def test_work_on_the_gpu_is_activity_whatever_the_notebook_says(now: datetime) -> None:
    for percent in (1.0, 100.0):
        assert state(looks(now, minutes=60, percent=percent), reports(now, minutes=60), now) == ActivityState.ACTIVE


def test_nothing_at_all_is_idle_since_we_began_to_look(now: datetime) -> None:
    activity = classify(looks(now, minutes=60), reports(now, minutes=60), now=now)
    assert activity == Activity(ActivityState.IDLE, since=now - MINUTE * 60 + timedelta(seconds=10))
    assert not activity.counts_as_busy


def test_memory_held_without_work_is_idle_held_since_the_last_work(now: datetime) -> None:
    samples = looks(now - MINUTE * 20, minutes=40, percent=80.0, memory=40 * GB) + looks(
        now, minutes=20, memory=40 * GB
    )
    activity = classify(samples, reports(now, minutes=60), now=now)
    assert activity == Activity(ActivityState.IDLE_HELD, since=now - MINUTE * 20)


def test_processor_work_is_activity(now: datetime) -> None:
    samples = looks(now, minutes=60, memory=GB)
    assert state(samples, reports(now, minutes=60, cpu_share=0.06), now) == ActivityState.ACTIVE
    assert state(samples, reports(now, minutes=60, cpu_share=0.05), now) == ActivityState.IDLE_HELD


BUSY_KERNEL = [
    # memory held, quiet for (minutes), believed
    (40 * GB, 4.5, True),
    (40 * GB, 6, False),
    (40 * GB, 29, False),
    (0, 6, True),
    (0, 29, True),
    (0, 31, False),
]


@pytest.mark.parametrize(("memory", "quiet", "believed"), BUSY_KERNEL)
def test_a_busy_kernel_is_believed_for_a_while_after_the_last_work(
    now: datetime, memory: int, quiet: float, believed: bool
) -> None:
    samples = looks(now - MINUTE * quiet, minutes=10, percent=50.0, memory=memory)
    samples += [sample for sample in looks(now, minutes=40, memory=memory) if sample.at > samples[-1].at]
    activity = classify(samples, reports(now, minutes=45, busy=1), now=now)
    assert activity.counts_as_busy == believed


@pytest.mark.parametrize(
    ("busy", "memory", "expected"),
    [
        (1, 40 * GB, ActivityState.ACTIVE),
        (0, 40 * GB, ActivityState.IDLE_HELD),
        (0, 0, ActivityState.IDLE),
    ],
)
def test_where_the_driver_cannot_tell_a_busy_kernel_with_memory_is_believed(
    now: datetime, busy: int, memory: int, expected: ActivityState
) -> None:
    samples = looks(now, minutes=120, percent=None, memory=memory)
    assert state(samples, reports(now, minutes=120, busy=busy), now) == expected


UNKNOWN = [
    ([], 60, True),
    (60, [], True),
    ([], [], True),
    (2.1, 0, True),
    (0, 2.1, True),
    (1.9, 0, False),
    (0, 1.9, False),
]


@pytest.mark.parametrize(("samples_ended", "reports_ended", "unknown"), UNKNOWN)
def test_what_we_do_not_hear_of_counts_as_busy(
    now: datetime, samples_ended: float | list[Sample], reports_ended: float | list[KernelReport], unknown: bool
) -> None:
    samples = [] if isinstance(samples_ended, list) else looks(now, minutes=60, ended=samples_ended)
    said = [] if isinstance(reports_ended, list) else reports(now, minutes=60, ended=reports_ended)
    activity = classify(samples, said, now=now)
    assert (activity.state == ActivityState.UNKNOWN) == unknown
    assert activity.counts_as_busy == unknown


def test_a_gap_in_the_looks_counts_as_work_until_it_ends(now: datetime) -> None:
    samples = looks(now - MINUTE * 30, minutes=30) + looks(now, minutes=20)
    activity = classify(samples, reports(now, minutes=60), now=now)
    assert activity == Activity(ActivityState.IDLE, since=now - MINUTE * 20 + timedelta(seconds=10))


def test_a_gap_in_the_notebooks_reports_counts_as_work_until_it_ends(now: datetime) -> None:
    said = reports(now - MINUTE * 30, minutes=30) + reports(now, minutes=20)
    activity = classify(looks(now, minutes=60), said, now=now)
    assert activity.since == now - MINUTE * 20 + timedelta(seconds=15)


def test_a_cpu_slot_is_judged_by_its_notebook_alone(now: datetime) -> None:
    assert classify([], reports(now, minutes=60), now=now, has_gpu=False).state == ActivityState.IDLE
    busy = reports(now, minutes=60, cpu_share=1.0)
    assert classify([], busy, now=now, has_gpu=False).state == ActivityState.ACTIVE
    assert classify([], [], now=now, has_gpu=False).state == ActivityState.UNKNOWN


def test_activity_is_told_with_its_beginning(now: datetime) -> None:
    samples = looks(now - MINUTE * 20, minutes=40, memory=GB) + looks(now, minutes=20, percent=90.0, memory=GB)
    activity = classify(samples, reports(now, minutes=60), now=now)
    assert activity == Activity(ActivityState.ACTIVE, since=now - MINUTE * 20 + timedelta(seconds=10))


def test_looks_that_begin_long_after_the_reports_do_are_a_gap(now: datetime) -> None:
    """Until the first look nobody saw the GPU."""
    reports_since = [KernelReport(now - n * MINUTE, 0, 0.0, 15.0) for n in (4, 2, 1)]
    late = [Sample(now - timedelta(seconds=30), 0.0, 0, 0)]
    assert classify(late, reports_since, now=now).counts_as_busy


# --- Whatever is seen ------------------------------------------------------------------------------------------------

NOW = datetime(2026, 3, 18, 10, 0, tzinfo=UTC)
AGES = st.lists(st.integers(0, 7200), max_size=60, unique=True).map(lambda ages: sorted(ages, reverse=True))
PERCENTS = st.sampled_from([None, 0.0, 0.0, 0.0, 1.0, 80.0])
MEMORIES = st.sampled_from([0, 40 * GB])


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Sample], list[KernelReport]]:
    """Looks and reports at any moments of two hours, with gaps and ends anywhere."""
    samples = [
        Sample(NOW - timedelta(seconds=age), draw(PERCENTS), memory := draw(MEMORIES), int(memory > 0))
        for age in draw(AGES)
    ]
    said = [
        KernelReport(
            NOW - timedelta(seconds=age), draw(st.integers(0, 2)), draw(st.sampled_from([0.0, 0.1, 9.0])), 15.0
        )
        for age in draw(AGES)
    ]
    return samples, said


@given(histories())
def test_an_answer_has_a_beginning_that_is_not_in_the_future_and_is_always_the_same(
    history: tuple[list[Sample], list[KernelReport]],
) -> None:
    activity = classify(*history, now=NOW)
    assert activity.since <= NOW
    assert activity == classify(*history, now=NOW)


@given(histories(), st.integers(0, 60))
def test_nobody_is_idle_within_a_minute_of_work_on_the_gpu(
    history: tuple[list[Sample], list[KernelReport]], age: int
) -> None:
    samples, said = history
    worked = Sample(NOW - timedelta(seconds=age), 1.0, GB, 1)
    samples = sorted([*samples, worked], key=lambda sample: sample.at)
    assert classify(samples, said, now=NOW).counts_as_busy


@given(histories())
def test_who_is_idle_did_nothing_on_the_gpu_and_was_watched_without_a_gap_since(
    history: tuple[list[Sample], list[KernelReport]],
) -> None:
    samples, said = history
    activity = classify(samples, said, now=NOW)
    if activity.counts_as_busy:
        return
    assert NOW - activity.since > MINUTE
    for moments in ([sample.at for sample in samples], [report.at for report in said]):
        watched = [activity.since, *(at for at in moments if at > activity.since), NOW]
        before = [at for at in moments if at <= activity.since]
        watched[0] = max(before, default=activity.since)
        assert all(after - at <= 2 * MINUTE for at, after in pairwise(watched))
    assert not [sample for sample in samples if sample.at > activity.since and sample.gpu_percent]


@given(histories())
def test_a_lease_of_which_nothing_was_heard_for_two_minutes_is_not_idle(
    history: tuple[list[Sample], list[KernelReport]],
) -> None:
    later = NOW + timedelta(minutes=2, seconds=1)
    assert classify(*history, now=later).state == ActivityState.UNKNOWN


STRETCHES = st.lists(
    st.tuples(
        st.integers(1, 40), st.booleans(), st.sampled_from([0.0, 0.0, 0.2]), st.sampled_from([None, 0.0, 0.0, 60.0]), MEMORIES,
        st.sampled_from(["both", "both", "both", "no looks", "no reports"]),
    ),
    min_size=2, max_size=8,
)  # fmt: skip


def watched(
    stretches: list[tuple[int, bool, float, float | None, int, str]],
) -> tuple[list[Sample], list[KernelReport]]:
    """A look and a report each half minute, up to now, but for what stayed away."""
    at = NOW - MINUTE * sum(minutes for minutes, *_ in stretches)
    samples, said = [], []
    for minutes, busy, share, percent, memory, heard in stretches:
        for _ in range(minutes * 2):
            at += MINUTE / 2
            if heard != "no looks":
                samples.append(Sample(at, percent, memory, int(memory > 0)))
            if heard != "no reports":
                said.append(KernelReport(at, int(busy), 30 * share, 30.0))
    return samples, said


@given(STRETCHES, st.integers(0, 120), st.booleans())
def test_what_lies_far_before_the_last_known_work_changes_nothing(
    stretches: list[tuple[int, bool, float, float | None, int, str]], minutes: int, has_gpu: bool
) -> None:
    samples, said = watched(stretches)
    began = min((each.at for each in (*samples, *said)), default=NOW)

    def last_work(at: datetime, *, known: datetime, since: datetime) -> datetime:
        """As the site keeps it: what counts as busy is work now, and what is known is never taken back."""
        heard = classify(
            [one for one in samples if since <= one.at <= at], [one for one in said if since <= one.at <= at],
            now=at, active_within=timedelta(0), has_gpu=has_gpu,
        )  # fmt: skip
        return at if heard.counts_as_busy else max(known, heard.since)

    known = last_work(NOW - MINUTE * minutes, known=began, since=began)

    assert last_work(NOW, known=known, since=looked_back(known)) == last_work(NOW, known=known, since=began)

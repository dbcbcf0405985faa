"""How scores, sizes, times and states are written."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.template.loader import render_to_string

from practicum.portal.templatetags import practicum as tags


@pytest.mark.parametrize(
    ("value", "written"), [(0.12345, "0.123"), (-1.0, "−1.000"), (None, "–"), ("", "–"), (0, "0.000")]
)
def test_scores(value: float | None, written: str) -> None:
    assert tags.score(value, 3) == written


@pytest.mark.parametrize(("value", "written"), [(0.0125, "+0.013"), (-0.002, "−0.002"), (0.0, "±0.000"), (None, "–")])
def test_differences(value: float | None, written: str) -> None:
    assert tags.signed(value, 3) == written


@pytest.mark.parametrize(
    ("count", "written"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (9_940, "9.9 kB"),
        (999_400, "999 kB"),
        (999_600, "1.0 MB"),
        (80 * 10**9, "80 GB"),
        (5 * 10**15, "5000 TB"),
        (None, "–"),
    ],
)
def test_sizes(count: float | None, written: str) -> None:
    assert tags.byte_size(count) == written


@pytest.mark.parametrize(
    ("length", "written"),
    [
        (0, "0 s"),
        (2.44, "2.4 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3_725, "1 h 2 min"),
        (3_600, "1 h"),
        (7_205, "2 h"),
        (86_400, "1 day"),
        (timedelta(days=2, hours=3), "2 days 3 h"),
        (None, "–"),
    ],
)
def test_lengths_of_time(length: timedelta | float | None, written: str) -> None:
    assert tags.duration(length) == written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(3, "just now"), (-3, "now"), (90, "1 min ago"), (-7_300, "in 2 h"), (200_000, "2 days ago")],
)
def test_moments(monkeypatch: pytest.MonkeyPatch, seconds: int, written: str) -> None:
    now = datetime(2026, 3, 18, 10, 0, tzinfo=UTC)
    monkeypatch.setattr(tags, "utc_now", lambda: now)

    html = tags.ago(now - timedelta(seconds=seconds))

    assert f">{written}</time>" in html
    assert 'datetime="2026-03-' in html


def test_a_day_has_no_year() -> None:
    assert tags.day(date(2026, 3, 8)) == "Sun 8 Mar"


@pytest.mark.parametrize(
    ("state", "tone"),
    [
        ("scored", "good"),
        ("running", "live"),
        ("queued", "wait"),
        ("invalid", "warn"),
        ("failed", "bad"),
        ("x", "quiet"),
    ],
)
def test_states_have_a_tone(state: str, tone: str) -> None:
    assert tags.tone(state) == tone


@pytest.mark.parametrize(
    ("difference", "written", "direction"),
    [(-0.00004, "±0.000", ""), (-0.004, "−0.004", "down"), (0.004, "+0.004", "up")],
)
def test_a_difference_that_rounds_to_nothing_points_nowhere_and_has_no_colour(
    difference: float, written: str, direction: str
) -> None:
    facts = {"value": 0.9, "digits": 3, "difference": difference, "is_better": difference > 0}

    html = render_to_string("components/score.html", facts)

    assert written in html
    assert ("bi-arrow" in html, f"bi-arrow-{direction}-short" in html) == (bool(direction),) * 2
    assert ("is-better" in html or "is-worse" in html) == bool(direction)


def test_a_gpus_memory_is_what_nvidia_smi_says() -> None:
    assert tags.gpu_memory(81_920 * 1024**2) == "80 GiB"
    assert tags.gpu_memory(1_536 * 1024**2) == "1.5 GiB"
    assert tags.gpu_memory(None) == "–"

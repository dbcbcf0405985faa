"""Whether slots can be had between two times, and what that means for others."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.gpus.quota_rules import Share
from practicum.gpus.reservation_rules import Booking, Guarantee, Outlook, outlook, span, unfit
from practicum.gpus.reservation_strip import strip_of

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 16, 9, 5, tzinfo=UTC)
TUESDAY = datetime(2026, 3, 17, tzinfo=UTC)
OURS, THEIRS, OTHERS = (1, "Spring"), (2, "Autumn"), (3, "Winter")


def at(hours: float) -> datetime:
    return TUESDAY + timedelta(hours=hours)


def book(
    slots: int,
    start: float,
    end: float,
    *,
    whose: tuple[int, str] = THEIRS,
    is_granted: bool = True,
    number: int | None = None,
) -> Booking:
    return Booking(number, *whose, slots, at(start), at(end), is_granted)


def ours(slots: int, start: float = 18, end: float = 20) -> Booking:
    return book(slots, start, end, whose=OURS, is_granted=False)


def look(wanted: Booking, *others: Booking, guarantees: tuple[Guarantee, ...] = (), slots: int = 8) -> Outlook:
    return outlook(wanted, others=others, guarantees=guarantees, slots=slots, zone=UTC)


@pytest.mark.parametrize(
    ("wanted", "refused"),
    [
        (ours(6), []),
        (ours(8), []),
        (ours(9), [("slots", "The pool has 8 slots; 9 can't be reserved.")]),
        (ours(0), [("slots", "Ask for one slot at least.")]),
        (ours(1, 20, 20), [("ends_at", "It must end after it begins.")]),
        (ours(1, 20, 18), [("ends_at", "It must end after it begins.")]),
        (ours(1, 18, 42), []),
        (ours(1, 18, 42.5), [("ends_at", "A reservation lasts 24 hours at most.")]),
        (ours(1, -15, -13), [("starts_at", "It would begin in the past: it is 09:05 on 16 March.")]),
        (ours(1, 24 * 400, 24 * 400 + 1), [("starts_at", "Choose a time within the next year.")]),
        (
            ours(1, 24 * 60, 24 * 60 + 1),
            [("cohort", "Spring is over by then: it ends on 26 April 2026.")],
        ),
        (ours(0, 20, 18), [("slots", "Ask for one slot at least."), ("ends_at", "It must end after it begins.")]),
    ],
)
def test_what_can_never_be_had_is_refused_by_field(wanted: Booking, refused: list[tuple[str, str]]) -> None:
    ends_on = date(2028, 1, 1) if wanted.starts_at > at(24 * 365) else date(2026, 4, 26)
    assert unfit(wanted, slots=8, cohort_ends_on=ends_on, now=NOW, zone=UTC) == refused


@pytest.mark.parametrize(
    ("others", "sentences", "is_possible"),
    [
        ([], [], True),
        ([book(2, 18, 20)], [], True),
        ([book(4, 16, 18), book(4, 20, 22)], [], True),
        (
            [book(4, 18.5, 19.5)],
            ["18:30 to 19:30: 6 + 4 (Autumn, granted) = 10 slots, and the pool has 8: 2 too many."],
            False,
        ),
        (
            [book(4, 10, 23, is_granted=False)],
            ["18:00 to 20:00: 6 + 4 (Autumn, asked for) = 10 slots, and the pool has 8: 2 too many."],
            True,
        ),
        (
            [book(2, 18, 20, number=1), book(1, 19, 21, whose=OTHERS, is_granted=False, number=2)],
            [
                "19:00 to 20:00: 6 + 2 (Autumn, granted) + 1 (Winter, asked for) = 9 slots, "
                "and the pool has 8: 1 too many."
            ],
            True,
        ),
        (
            [book(3, 18, 20, number=1), book(1, 19, 21, whose=OTHERS, is_granted=False, number=2)],
            ["18:00 to 20:00: 6 + 3 (Autumn, granted) = 9 slots, and the pool has 8: 1 too many."],
            False,
        ),
        (
            [book(3, 18, 19, number=1), book(4, 19, 20, number=2)],
            [
                "18:00 to 19:00: 6 + 3 (Autumn, granted) = 9 slots, and the pool has 8: 1 too many.",
                "19:00 to 20:00: 6 + 4 (Autumn, granted) = 10 slots, and the pool has 8: 2 too many.",
            ],
            False,
        ),
    ],
)
def test_bookings_that_add_up_to_too_much_are_told_with_their_time_and_sum(
    others: list[Booking], sentences: list[str], is_possible: bool
) -> None:
    found = look(ours(6), *others)
    assert [clash.sentence(UTC) for clash in found.clashes] == sentences
    assert found.is_possible == is_possible


def test_a_reservation_is_never_counted_against_itself() -> None:
    mine = Booking(7, *OURS, 6, at(18), at(20), True)
    assert look(mine, mine) == Outlook((), ())


def promise(whose: tuple[int, str], slots: int, first: date | None = None, last: date | None = None) -> Guarantee:
    return Guarantee(*whose, Share(slots, first, last))


@pytest.mark.parametrize(
    ("guarantees", "others", "sentences"),
    [
        ([promise(THEIRS, 2)], [], []),
        ([promise(OURS, 8)], [], []),
        (
            [promise(THEIRS, 3)],
            [],
            ["18:00 to 20:00: 6 of 8 slots. The guarantee of Autumn (3) can't be met in that time: 1 short."],
        ),
        (
            [promise(THEIRS, 3), promise(OTHERS, 2)],
            [],
            [
                "18:00 to 20:00: 6 of 8 slots. The guarantees of Autumn (3) and Winter (2) "
                "can't be met in that time: 3 short."
            ],
        ),
        ([promise(THEIRS, 3, last=date(2026, 3, 16))], [], []),
        ([promise(THEIRS, 3, first=date(2026, 3, 18))], [], []),
        # A cohort that reserved two slots itself has them: one of its three is owed, and none is left.
        (
            [promise(THEIRS, 3)],
            [book(2, 18, 20)],
            ["18:00 to 20:00: 8 of 8 slots. The guarantee of Autumn (1) can't be met in that time: 1 short."],
        ),
        ([promise(THEIRS, 2)], [book(2, 18, 20)], []),
        # What a cohort reserved above its guarantee makes up for nobody else's.
        (
            [promise(THEIRS, 1), promise(OTHERS, 1)],
            [book(2, 18, 20)],
            ["18:00 to 20:00: 8 of 8 slots. The guarantee of Winter (1) can't be met in that time: 1 short."],
        ),
        # What is only asked for takes nothing from anybody.
        ([promise(THEIRS, 2)], [book(2, 18, 20, is_granted=False, whose=OTHERS)], []),
        (
            [promise(THEIRS, 2)],
            [book(1, 19, 21, whose=OTHERS)],
            ["19:00 to 20:00: 7 of 8 slots. The guarantee of Autumn (2) can't be met in that time: 1 short."],
        ),
    ],
)
def test_guarantees_that_cannot_be_met_meanwhile_are_told(
    guarantees: list[Guarantee], others: list[Booking], sentences: list[str]
) -> None:
    found = look(ours(6), *others, guarantees=tuple(guarantees))
    assert [shortage.sentence(UTC) for shortage in found.shortages] == sentences
    assert found.is_possible


def test_a_guarantee_that_begins_at_midnight_counts_from_midnight_in_the_sites_zone() -> None:
    wanted = Booking(None, *OURS, 6, at(20), at(26), False)
    found = outlook(wanted, others=(), guarantees=(promise(THEIRS, 3, first=date(2026, 3, 18)),), slots=8, zone=BERLIN)
    (shortage,) = found.shortages
    assert (shortage.starts_at, shortage.ends_at) == (at(23), at(26))
    assert shortage.sentence(BERLIN).startswith("00:00 to 03:00:")


@pytest.mark.parametrize(
    ("start", "end", "written"),
    [
        (18, 20, "18:00 to 20:00"),
        (18, 24, "18:00 to 24:00"),
        (22, 26, "Tue 22:00 to Wed 02:00"),
        (0, 24, "00:00 to 24:00"),
        (0, 48, "Tue 00:00 to Thu 00:00"),
    ],
)
def test_a_time_is_written_with_its_days_only_over_midnight(start: float, end: float, written: str) -> None:
    assert span(at(start), at(end), UTC) == written


BOOKINGS = st.lists(
    st.builds(
        lambda slots, start, length, who, granted: book(
            slots, start, start + length, whose=who, is_granted=granted, number=None
        ),
        st.integers(1, 8),
        st.integers(10, 28),
        st.integers(1, 12),
        st.sampled_from([OURS, THEIRS, OTHERS]),
        st.booleans(),
    ),
    max_size=6,
)


@given(BOOKINGS, st.integers(1, 8))
def test_clashes_lie_exactly_where_the_hours_add_up_to_too_much(others: list[Booking], slots: int) -> None:
    wanted = ours(slots, 16, 24)
    found = look(wanted, *others)
    for hour in range(16, 24):
        moment = at(hour + 0.5)
        total = slots + sum(each.slots for each in others if each.holds_at(moment))
        granted = slots + sum(each.slots for each in others if each.is_granted and each.holds_at(moment))
        covering = [clash for clash in found.clashes if clash.starts_at <= moment < clash.ends_at]
        assert len(covering) == (total > 8)
        assert [clash.is_final for clash in covering] == [granted > 8] * len(covering)


@given(BOOKINGS, st.integers(1, 8))
def test_the_strip_draws_every_slot_hour_of_the_day_once_inside_its_frame(others: list[Booking], slots: int) -> None:
    wanted = ours(slots, 16, 24)
    strip = strip_of(wanted, others=others, slots=8, zone=UTC)
    day_end = at(24)
    drawn = sum(block.width * block.height for block in strip.blocks)
    hours = sum(
        each.slots * max(timedelta(0), min(each.ends_at, day_end) - each.starts_at) / timedelta(hours=1)
        for each in [*others, wanted]
    )
    unit = 1000 / 24 * (100 - strip.capacity_top) / 8
    assert drawn == pytest.approx(hours * unit, rel=0.01)
    for block in strip.blocks:
        assert block.left >= 0
        assert block.left + block.width <= 1000.1
        assert block.top >= -0.1
        assert block.top + block.height <= 100.1


def test_a_day_on_which_the_clocks_are_moved_is_an_hour_shorter() -> None:
    spring = datetime(2026, 3, 29, 16, tzinfo=UTC)
    wanted = Booking(None, *OURS, 2, spring, spring + timedelta(hours=2))
    strip = strip_of(wanted, others=(), slots=8, zone=BERLIN)
    (block,) = strip.blocks
    assert block.left == pytest.approx(1000 * 17 / 23, abs=0.01)
    assert block.width == pytest.approx(1000 * 2 / 23, abs=0.01)
    assert strip.title == "Sunday 29 March"


def test_a_booking_over_midnight_shows_both_days() -> None:
    strip = strip_of(ours(2, 22, 26), others=(), slots=8, zone=UTC)
    assert strip.title == "Tuesday 17 and Wednesday 18 March"
    assert strip.blocks[0].left == pytest.approx(1000 * 22 / 48, abs=0.01)

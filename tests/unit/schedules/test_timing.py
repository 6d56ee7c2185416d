"""When a schedule ticks, also where the clocks change."""

import time
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.schedules.timing import (
    MAX_CRON,
    MIN_EVERY,
    Timing,
    flaws_of_timing,
    last_ticks,
    next_tick,
    next_ticks,
    ticks_after,
)
from tests.fakes.brute_force_cron import ticks_by_brute_force

NOW = datetime(2026, 11, 23, 3, 0, 0, 123456, tzinfo=UTC)
DAY = timedelta(days=1)
NEW_YORK, LORD_HOWE = "America/New_York", "Australia/Lord_Howe"
CHANGES = {
    (NEW_YORK, "gap"): datetime(2026, 3, 8, 7, tzinfo=UTC),
    (NEW_YORK, "repeat"): datetime(2026, 11, 1, 6, tzinfo=UTC),
    (LORD_HOWE, "gap"): datetime(2026, 10, 3, 15, 30, tzinfo=UTC),
    (LORD_HOWE, "repeat"): datetime(2026, 4, 4, 15, tzinfo=UTC),
}


def between(timing: Timing, after: datetime, until: datetime) -> list[datetime]:
    found = []
    for tick in ticks_after(timing, after, after):
        if tick > until:
            break
        found.append(tick)
    return found


def local(ticks: list[datetime], zone: str) -> list[str]:
    from zoneinfo import ZoneInfo

    return [tick.astimezone(ZoneInfo(zone)).strftime("%d %H:%M%z") for tick in ticks]


FIELDS = {
    "minute": st.sampled_from(["0", "30", "15,45", "*", "*/20", "*/7", "0-10/5", "59", "10/20"]),
    "hour": st.sampled_from(["*", "2", "1", "0", "1-3", "*/2", "2,14", "23", "*/5"]),
    "day": st.sampled_from(["*", "1", "8", "3,4,5", "*/2", "31"]),
    "month": st.sampled_from(["*", "3,4", "10-11", "*/3"]),
    "weekday": st.sampled_from(["*", "0", "7", "1-5", "*/2", "6"]),
}


@given(
    st.builds(lambda **fields: " ".join(fields.values()), **FIELDS),
    st.sampled_from(sorted(CHANGES)),
    st.timedeltas(timedelta(minutes=1), timedelta(hours=26)),
)
@example("*/20 2 * * *", (LORD_HOWE, "repeat"), timedelta(hours=20))
@example("50 1 * * *", (NEW_YORK, "repeat"), timedelta(minutes=5))
@settings(max_examples=40, deadline=None)
def test_around_a_change_of_the_clocks_it_ticks_as_documented(
    cron: str, change: tuple[str, str], before: timedelta
) -> None:
    zone, _ = change
    start, end = CHANGES[change] - before, CHANGES[change] + timedelta(hours=26)
    expected = ticks_by_brute_force(cron, zone, start, end)
    assert between(Timing(cron=cron, timezone=zone), start, end) == expected
    # Wherever it is asked, it goes on with the same ticks.
    middle = CHANGES[change] + timedelta(minutes=20)
    assert between(Timing(cron=cron, timezone=zone), middle, end) == [tick for tick in expected if tick > middle]


@pytest.mark.parametrize(
    ("cron", "zone", "change", "expected"),
    [
        ("30 2 * * *", NEW_YORK, "gap", ["08 03:00-0400", "09 02:30-0400"]),
        ("30 * * * *", NEW_YORK, "gap", ["08 01:30-0500", "08 03:30-0400", "08 04:30-0400"]),
        ("30 1 * * *", NEW_YORK, "repeat", ["01 01:30-0400", "02 01:30-0500"]),
        ("30 * * * *", NEW_YORK, "repeat", ["01 01:30-0400", "01 01:30-0500", "01 02:30-0500"]),
        ("15 2 * * *", LORD_HOWE, "gap", ["04 02:30+1100", "05 02:15+1100"]),
        ("45 1 * * *", LORD_HOWE, "repeat", ["05 01:45+1100", "06 01:45+1030"]),
        ("*/20 1-2 * * *", LORD_HOWE, "repeat", ["05 01:00+1100", "05 01:20+1100", "05 01:40+1100", "05 01:40+1030"]),
    ],
)
def test_the_documented_examples(cron: str, zone: str, change: str, expected: list[str]) -> None:
    start = CHANGES[zone, change] - timedelta(minutes=65)
    ticks = list(islice(ticks_after(Timing(cron=cron, timezone=zone), start, start), len(expected)))
    assert local(ticks, zone) == expected


def test_an_interval_is_counted_from_its_anchor_whatever_the_clocks_do() -> None:
    anchor = CHANGES[NEW_YORK, "gap"] - timedelta(hours=1)
    timing = Timing(every_seconds=3600, timezone=NEW_YORK)
    ticks = next_ticks(timing, anchor, anchor, 4)
    assert ticks == tuple(anchor + timedelta(hours=number) for number in range(1, 5))
    assert next_tick(timing, anchor, ticks[1]) == ticks[2]
    assert next_tick(timing, anchor, anchor - 5 * DAY) == ticks[0], "none before the first"


@pytest.mark.parametrize(
    ("timing", "place", "said"),
    [
        (Timing(), "cron", "either"),
        (Timing(cron="* * * * *", every_seconds=60), "cron", "either"),
        (Timing(cron="* * * * *", timezone="Mars/Olympus"), "timezone", "IANA"),
        (Timing(cron="* * * * *", timezone="../etc/passwd"), "timezone", "IANA"),
        (Timing(cron="* * * * *", timezone="America"), "timezone", "IANA"),
        (Timing(cron="* * * * *", timezone=""), "timezone", "IANA"),
        (Timing(cron="* * * *"), "cron", "4 fields"),
        (Timing(cron="0 * * * * *"), "cron", "6 fields"),
        (Timing(cron="0 25 * * *"), "cron", "the hour '25' at character 3 "),
        (Timing(cron="0 0 1 JANUARY *"), "cron", "the month 'JANUARY' at character 7 "),
        (Timing(cron="0  0 1 1 5-2"), "cron", "the day-of-week '5-2' at character 10 "),
        (Timing(cron="*/0 * * * *"), "cron", "the minute '*/0' at character 1 "),
        (Timing(cron="0 0 L/2 * 5#9"), "cron", "the day-of-week '5#9'"),
        (Timing(cron="0 0 31 2 *"), "cron", "no month"),
        (Timing(cron="0 0 */31 2 1#2"), "cron", "would never tick"),
        (Timing(cron="* * */31 2 1#2"), "cron", "would never tick"),
    ],
)
def test_what_cannot_be_planned_is_named_with_its_place(timing: Timing, place: str, said: str) -> None:
    (flaw,) = flaws_of_timing(timing, NOW)
    assert flaw.path == (place,)
    assert said in flaw.message


@pytest.mark.parametrize(
    "timing",
    [
        Timing(cron="0 3 * * *", timezone="Europe/Oslo"),
        Timing(cron="0 0 29 2 *"),
        Timing(cron="0 9 LW * *"),
        Timing(cron="0 9 * * mon#1"),
        Timing(cron="0 9 * * 5L"),
        Timing(every_seconds=MIN_EVERY),
    ],
)
def test_what_can_be_planned_has_no_flaws(timing: Timing) -> None:
    assert flaws_of_timing(timing, NOW) == ()
    assert next_tick(timing, NOW, NOW) is not None


@given(st.text("0123456789*/,-#LW JANMONSU", max_size=MAX_CRON))
@example("5#2/3 * * * *")
@example("0 0 L-1 * *")
@example("0 0 * * L,5")
@example("0 0 LW,3/2 * *")
@settings(max_examples=150, deadline=None)
def test_any_text_is_planned_or_refused(text: str) -> None:
    timing = Timing(cron=text)
    if not flaws_of_timing(timing, NOW):
        first = next_ticks(timing, NOW, NOW, 2)
        assert all(tick > NOW for tick in first)


@given(
    st.sampled_from([Timing(cron="*/5 * * * *"), Timing(cron="30 2 * * *"), Timing(every_seconds=700)]),
    st.timedeltas(timedelta(0), timedelta(days=3)),
    st.integers(1, 40),
)
@settings(max_examples=40, deadline=None)
def test_the_last_ticks_are_the_end_of_all(timing: Timing, ago: timedelta, limit: int) -> None:
    first = next_tick(timing, NOW - ago - DAY, NOW - ago - DAY)
    assert first is not None
    later = takewhile(lambda tick: tick <= NOW, ticks_after(timing, NOW - ago - DAY, first))
    whole = [first, *later] if first <= NOW else []
    assert last_ticks(timing, NOW - ago - DAY, first, NOW, limit) == tuple(whole[-limit:])


def test_after_years_of_minutes_the_last_tick_is_found_at_once() -> None:
    began = time.process_time()
    first = NOW - 1500 * DAY
    for timing in (Timing(cron="* * * * *", timezone=NEW_YORK), Timing(every_seconds=5), Timing(cron="0 0 29 2 *")):
        assert last_ticks(timing, first, first, NOW, 101)
    assert time.process_time() - began < 1


def test_a_nickname_is_stored_as_its_expression() -> None:
    """An older version, which knows none, can read it."""
    assert Timing(cron="@daily") == Timing(cron="0 0 * * *")
    assert Timing(cron="@fortnightly").cron == "@fortnightly"
    assert flaws_of_timing(Timing(cron="@fortnightly"), NOW)
    assert Timing(every_seconds=5).cron is None
